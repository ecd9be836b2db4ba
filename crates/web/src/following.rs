//! Routers that follow the rules in force: each request meets one version of them from start to end.
//!
//! Layers and handlers hold a [`Web`], and a `Web` holds the application under one version of the
//! rules. Before each request the application is asked for the rules in force; where they are others
//! than before, the routers are built anew over them, once. Requests under way end under the rules
//! they began with, or, if they would still commit something, are refused by its guard: then what
//! only reads is asked again here, and what writes is left to the person.

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use mimamori_app::App;
use tower::ServiceExt as _;

use crate::error::Fault;
use crate::settings::Web;

/// A router that is built anew for each version of the rules.
pub(crate) fn router(web: &Web, build: fn(&Web) -> Router) -> Router {
    let held = RwLock::new((web.clone(), build(web)));
    let following = Arc::new(Following { held, build });
    Router::new().fallback(move |request: Request| {
        let following = Arc::clone(&following);
        async move { following.answer(request).await }
    })
}

struct Following {
    held: RwLock<(Web, Router)>,
    build: fn(&Web) -> Router,
}

impl Following {
    async fn answer(&self, mut request: Request) -> Response {
        let (web, router) = self.held();
        // What never changes with the rules must not wait for them: the page of a failure needs it.
        if request.uri().path().starts_with("/assets/") {
            return run(router, request).await;
        }
        let (app, router) = match web.app.in_force().await {
            Ok(app) => {
                let router = self.under(&app);
                (app, router)
            }
            Err(error) => {
                request.extensions_mut().insert(NoRules(Fault::from(error)));
                return run(router, request).await;
            }
        };
        let again = repeatable(&request);
        let response = run(router, request).await;
        let busy = response.status() == StatusCode::TOO_MANY_REQUESTS;
        let Some(again) = again.filter(|_| busy) else { return response };
        match app.in_force().await {
            Ok(now) if !now.same_rules(&app) => run(self.under(&now), again).await,
            _ => response,
        }
    }

    fn held(&self) -> (Web, Router) {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The router over these rules.
    fn under(&self, app: &Arc<App>) -> Router {
        let (web, router) = self.held();
        if web.app.same_rules(app) {
            return router;
        }
        let web = web.under(Arc::clone(app));
        let router = (self.build)(&web);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = (web, router.clone());
        router
    }
}

/// Marks a request that may not be answered: the rules in force cannot be loaded.
#[derive(Debug, Clone)]
pub(crate) struct NoRules(pub(crate) Fault);

async fn run(router: Router, request: Request) -> Response {
    router.oneshot(request).await.into_response()
}

/// The same request once more, when it only reads.
fn repeatable(request: &Request) -> Option<Request> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let mut again = Request::new(Body::empty());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    *again.extensions_mut() = request.extensions().clone();
    Some(again)
}
