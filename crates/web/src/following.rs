//! Routers that follow the rules in force: each request meets one version of them from start to end.
//!
//! Layers and handlers hold a [`Web`], and a `Web` holds the application under one version of the
//! rules. What writes asks for the rules in force before; what only reads asks afterwards, and only
//! if nothing was committed for it: a commit is guarded on the rules, so an audited read was answered
//! under those in force without asking once more. Where they are others than the routers have, these
//! are built anew over them, once. A write under way ends under the rules it began with, or is refused
//! by its guard and left to the person; a read is done again.

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use mimamori_app::App;
use tower::ServiceExt as _;

use crate::error::Fault;
use crate::routes::Surface;
use crate::settings::Web;

/// How often a read is done anew while the rules keep changing.
const READS: usize = 3;

/// A router that is built anew for each version of the rules.
pub(crate) fn router(web: &Web, surface: Surface, build: fn(&Web) -> Router) -> Router {
    let held = RwLock::new((web.clone(), build(web)));
    let following = Arc::new(Following { held, surface, build });
    Router::new().fallback(move |request: Request| {
        let following = Arc::clone(&following);
        async move { following.answer(request).await }
    })
}

struct Following {
    held: RwLock<(Web, Router)>,
    surface: Surface,
    build: fn(&Web) -> Router,
}

impl Following {
    async fn answer(&self, request: Request) -> Response {
        let (web, router) = self.held();
        // A bounded number of requests at once; beyond that 503 at once rather than a queue that nobody
        // waits for. Asking for the rules is a part of answering: it waits for the database too.
        let Ok(_place) = web.places(self.surface).try_acquire() else {
            tracing::warn!("too many requests at once");
            return refused(router, request, Fault::status(StatusCode::SERVICE_UNAVAILABLE)).await;
        };
        // What never changes with the rules must not wait for them: the page of a failure needs it.
        if request.uri().path().starts_with("/assets/") {
            return run(router, request).await;
        }
        match repeatable(&request) {
            Some(again) => self.read(&web, router, request, again).await,
            None => match in_force(&web, &web.app).await {
                Ok(app) => run(self.under(&app), request).await,
                Err(fault) => refused(router, request, fault).await,
            },
        }
    }

    async fn read(&self, web: &Web, mut router: Router, mut request: Request, again: Parts) -> Response {
        let mut app = Arc::clone(&web.app);
        for _ in 0..READS {
            let (response, committed) = App::noting_commits(run(router.clone(), request)).await;
            // Its commit may have been refused because the rules changed.
            let busy = response.status() == StatusCode::TOO_MANY_REQUESTS;
            if committed && !busy {
                return response;
            }
            let now = match in_force(web, &app).await {
                Ok(now) if now.same_rules(&app) => return response,
                Ok(now) => now,
                Err(fault) => return refused(router, empty(&again), fault).await,
            };
            router = self.under(&now);
            app = now;
            request = empty(&again);
        }
        refused(router, request, Fault::status(StatusCode::SERVICE_UNAVAILABLE)).await
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
        // All requests come here at once after an adoption: one builds.
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        if held.0.app.same_rules(app) {
            return held.1.clone();
        }
        let web = held.0.under(Arc::clone(app));
        let router = (self.build)(&web);
        // A request that asked just before the adoption is answered, and leaves the later ones in place.
        if app.later_rules(&held.0.app) {
            *held = (web, router.clone());
        }
        router
    }
}

/// The application under the rules in force, within the time that an answer may take.
async fn in_force(web: &Web, app: &App) -> Result<Arc<App>, Fault> {
    match tokio::time::timeout(web.settings.answer_timeout, app.in_force()).await {
        Ok(asked) => asked.map_err(Fault::from),
        Err(_) => {
            tracing::error!("the rules in force could not be asked for in time");
            Err(Fault::status(StatusCode::SERVICE_UNAVAILABLE))
        }
    }
}

/// Marks a request that may not be answered: there is no place for it, or the rules in force cannot be
/// loaded.
#[derive(Debug, Clone)]
pub(crate) struct Refused(pub(crate) Fault);

/// The surface's own words for a request that never comes to its handler.
async fn refused(router: Router, mut request: Request, fault: Fault) -> Response {
    request.extensions_mut().insert(Refused(fault));
    run(router, request).await
}

async fn run(router: Router, request: Request) -> Response {
    router.oneshot(request).await.into_response()
}

/// What makes the same request once more, when it only reads.
fn repeatable(request: &Request) -> Option<Parts> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let mut again = Request::new(());
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    *again.extensions_mut() = request.extensions().clone();
    Some(again.into_parts().0)
}

fn empty(parts: &Parts) -> Request {
    Request::from_parts(parts.clone(), Body::empty())
}
