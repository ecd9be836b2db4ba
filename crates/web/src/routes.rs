//! Every address there is, in one table. The routers are built from it, and what it says about
//! authorisation is what is enforced: a test over [`ROUTES`] therefore covers every route.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodRouter;
use tower_http::limit::RequestBodyLimitLayer;

use crate::error::Fault;
use crate::pages::governance::{
    cases, clauses, controls, documents, duties, entries, hub, pack, procedures, registers, reminders,
    reviews, roles, system, tables,
};
use crate::pages::{
    account_emergency, account_import, account_life, accounts, around, board, carried, changes, check_ups,
    citizens, design, emergency, factors, find, home, keys, language, looked, note, own_account, papers,
    person, programs, provider, record, reissue, review, search, second, sessions, shared, sign_in, step_up,
    summary, terminals, visits, vital_course, vital_signs, who_sees,
};
use crate::settings::Web;
use crate::{assets, fhir, following, layers, session};

/// Which router a route belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Pages for staff members and citizen users.
    Staff,
    /// FHIR REST for programs.
    Fhir,
}

/// What a route asks for before its handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authorisation {
    /// Nothing: it shows nothing personal.
    None,
    /// The session of somebody signed in.
    Session,
    /// A program's bearer token.
    Bearer,
}

impl Authorisation {
    /// `none`, `session` or `bearer`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Session => "session",
            Self::Bearer => "bearer",
        }
    }
}

/// For what purpose its requests are made; the rules decide by it, and the ledger keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutePurpose {
    /// The caller's own: care for staff, personal for citizen users, exchange for programs.
    Own,
    /// Operations: administration by staff who were appointed to it. Others are refused, on the record.
    Operations,
}

/// One route.
#[derive(Debug)]
pub struct Route {
    /// `GET` (HEAD is answered too), `POST` or `PUT`.
    pub method: &'static str,
    /// The pattern; `{name}` stands for one segment.
    pub path: &'static str,
    /// Where it is served.
    pub surface: Surface,
    /// What it asks for.
    pub authorisation: Authorisation,
    /// What it is for.
    pub purpose: RoutePurpose,
    handler: fn() -> MethodRouter<Web>,
}

macro_rules! routes {
    ($($surface:ident $auth:ident $method:ident $path:literal => $handler:path $(, for $purpose:ident)?;)*) => {
        &[$(Route {
            method: routes!(@name $method),
            path: $path,
            surface: Surface::$surface,
            authorisation: Authorisation::$auth,
            purpose: routes!(@purpose $($purpose)?),
            handler: || axum::routing::$method($handler),
        },)*]
    };
    (@name get) => { "GET" };
    (@name post) => { "POST" };
    (@name put) => { "PUT" };
    (@purpose) => { RoutePurpose::Own };
    (@purpose $purpose:ident) => { RoutePurpose::$purpose };
}

/// Every route of both surfaces.
pub static ROUTES: &[Route] = routes! {
    Staff None    get  "/assets/{file}" => assets::show;
    Staff None    post "/language" => language::change;
    Staff None    get  "/sign-in" => sign_in::form;
    Staff None    post "/sign-in" => sign_in::enter;
    Staff None    get  "/sign-in/code" => second::form;
    Staff None    post "/sign-in/code" => second::enter;
    Staff None    post "/sign-in/code/passkey" => second::ask;
    Staff None    post "/sign-in/passkey" => second::by_passkey;
    Staff None    post "/sign-in/passkey/challenge" => second::ask_any;
    Staff None    get  "/sign-in/provider" => provider::begin;
    // Authorised by the provider's answer and the cookie of what was begun.
    Staff None    get  "/sign-in/provider/return" => provider::back;
    Staff Session get  "/account/provider/link" => provider::link;
    Staff Session post "/account/provider/link" => provider::confirm;
    Staff Session post "/account/provider/unlink" => provider::unlink;
    Staff Session post "/account/shared" => shared::leave;
    Staff Session post "/account/shared/{actor}" => shared::take;
    Staff Session get  "/step-up/provider" => provider::again;
    Staff Session post "/step-up/provider" => provider::shown_again;
    Staff Session post "/carried" => carried::show;
    Staff Session post "/sign-out" => sign_in::leave;
    Staff Session post "/lock" => step_up::lock;
    Staff Session get  "/unlock" => step_up::unlock_form;
    Staff Session post "/unlock" => step_up::unlock;
    Staff Session post "/unlock/passkey" => step_up::ask_passkey;
    Staff Session get  "/step-up" => step_up::form;
    Staff Session post "/step-up" => step_up::show_again;
    Staff Session post "/step-up/passkey" => step_up::ask_passkey;
    // The address is the secret, and what it shows names nobody.
    Staff None    get  "/calendar/{secret}" => reminders::feed;

    Staff Session get  "/changes" => changes::stream;
    Staff Session get  "/keys" => keys::show;
    Staff Session post "/keys" => keys::switch;
    Staff Session get  "/design" => design::show;
    Staff Session get  "/account" => own_account::show;
    Staff Session post "/account/password" => own_account::change;
    Staff Session post "/account/leak" => own_account::leak;
    Staff Session get  "/account/factors" => factors::show;
    Staff Session post "/account/factors/one-time" => factors::begin_one_time;
    Staff Session post "/account/factors/one-time/confirm" => factors::add_one_time;
    Staff Session post "/account/factors/passkey/challenge" => factors::begin_passkey;
    Staff Session post "/account/factors/passkey" => factors::add_passkey;
    Staff Session post "/account/factors/recovery" => factors::recovery;
    Staff Session post "/account/factors/{factor}/remove" => factors::remove;
    Staff Session get  "/account/sessions" => sessions::show;
    Staff Session post "/account/sessions/end" => sessions::end_others;
    Staff Session post "/account/sessions/{session}/end" => sessions::end;

    Staff Session get  "/" => home::show;
    Staff Session get  "/people/search" => search::form;
    Staff Session post "/people/search" => search::find;
    Staff Session post "/people/search/emergency" => search::find_in_emergency;
    Staff Session get  "/people/{subject}" => person::show;
    Staff Session post "/people/{subject}/find" => find::show;
    Staff Session get  "/people/{subject}/emergency" => emergency::form;
    Staff Session post "/people/{subject}/emergency" => emergency::declare;
    Staff Session get  "/people/{subject}/summary" => summary::show;
    Staff Session get  "/people/{subject}/card" => summary::card;
    Staff Session get  "/people/{subject}/check-ups" => check_ups::show;
    Staff Session get  "/people/{subject}/around" => around::show;
    Staff Session post "/people/{subject}/consents" => around::add;
    Staff Session get  "/people/{subject}/consents/{consent}/withdraw" => around::withdraw_form;
    Staff Session post "/people/{subject}/consents/{consent}/withdraw" => around::withdraw;
    Staff Session get  "/people/{subject}/board" => board::show;
    Staff Session get  "/people/{subject}/visits" => visits::show;
    Staff Session get  "/people/{subject}/visits/new" => visits::form;
    Staff Session post "/people/{subject}/visits" => visits::plan;
    Staff Session get  "/people/{subject}/looked" => looked::show;
    Staff Session get  "/people/{subject}/who-sees" => who_sees::show;
    Staff Session get  "/people/{subject}/notes/new" => note::form;
    Staff Session post "/people/{subject}/notes" => note::save;
    Staff Session get  "/people/{subject}/documents" => papers::list;
    Staff Session get  "/people/{subject}/documents/new" => papers::form;
    Staff Session post "/people/{subject}/documents" => papers::save;
    Staff Session get  "/people/{subject}/vital-signs" => vital_course::show;
    Staff Session get  "/people/{subject}/vital-signs/new" => vital_signs::form;
    Staff Session post "/people/{subject}/vital-signs/look" => vital_signs::look;
    Staff Session post "/people/{subject}/vital-signs" => vital_signs::save;

    Staff Session get  "/records/{kind}/{id}" => record::show;
    Staff Session get  "/records/{kind}/{id}/files/{attached}" => papers::open;
    Staff Session post "/records/{kind}/{id}/confirm" => record::confirm;
    Staff Session get  "/records/{kind}/{id}/edit" => note::edit_form;
    Staff Session post "/records/{kind}/{id}/edit" => note::edit;
    Staff Session get  "/records/{kind}/{id}/look" => note::look;
    Staff Session get  "/records/{kind}/{id}/amend" => note::amend_form;
    Staff Session post "/records/{kind}/{id}/amend/look" => note::amend_look;
    Staff Session post "/records/{kind}/{id}/amend" => note::amend;
    Staff Session get  "/records/{kind}/{id}/withdraw" => record::withdraw_form;
    Staff Session post "/records/{kind}/{id}/withdraw/look" => record::withdraw_look;
    Staff Session post "/records/{kind}/{id}/withdraw" => record::withdraw;
    Staff Session get  "/records/{kind}/{id}/discard" => record::discard_form;
    Staff Session post "/records/{kind}/{id}/discard" => record::discard;

    Staff Session get  "/review" => review::show;
    Staff Session get  "/review/counts" => review::counts;

    Staff Session get  "/rules" => hub::show;
    Staff Session get  "/rules/system" => system::show;
    Staff Session get  "/rules/procedures" => procedures::list;
    Staff Session get  "/rules/procedures/{procedure}/new" => procedures::new_form;
    Staff Session post "/rules/procedures/{procedure}/new" => procedures::begin;
    Staff Session get  "/rules/cases" => cases::list;
    Staff Session get  "/rules/cases/{id}" => cases::show;
    Staff Session get  "/rules/cases/{id}/edit" => procedures::edit_form;
    Staff Session post "/rules/cases/{id}/edit" => procedures::edit;
    Staff Session get  "/rules/cases/{id}/send" => procedures::look;
    Staff Session post "/rules/cases/{id}/send" => procedures::send;
    Staff Session post "/rules/cases/{id}/discard" => procedures::discard;
    Staff Session post "/rules/cases/{id}/act" => cases::act_on;
    Staff Session get  "/rules/cases/{id}/pack" => pack::proposed;
    Staff Session get  "/rules/cases/{id}/files/{attached}" => cases::file;
    Staff Session post "/rules/tasks/{id}" => cases::carry_out;

    Staff Session get  "/rules/registers" => registers::list;
    Staff Session get  "/rules/registers/{register}" => registers::show;
    Staff Session post "/rules/registers/{register}" => registers::find;
    Staff Session get  "/rules/registers/{register}/export/{format}" => tables::export;
    Staff Session post "/rules/registers/{register}/export/{format}" => tables::export_found;
    Staff Session get  "/rules/registers/{register}/import" => tables::import_form;
    Staff Session post "/rules/registers/{register}/import" => tables::import;
    Staff Session get  "/rules/registers/{register}/new" => entries::new_form;
    Staff Session post "/rules/registers/{register}/entries" => entries::add;
    Staff Session get  "/rules/registers/{register}/entries/{id}" => entries::show;
    Staff Session get  "/rules/registers/{register}/entries/{id}/files/{attached}" => entries::file;
    Staff Session get  "/rules/registers/{register}/entries/{id}/amend" => entries::amend_form;
    Staff Session post "/rules/registers/{register}/entries/{id}/amend" => entries::amend;
    Staff Session get  "/rules/registers/{register}/entries/{id}/strike" => entries::strike_form;
    Staff Session post "/rules/registers/{register}/entries/{id}/strike" => entries::strike;
    Staff Session get  "/rules/registers/{register}/reviews" => reviews::show;
    Staff Session post "/rules/registers/{register}/reviews" => reviews::review;

    Staff Session get  "/rules/documents" => documents::list;
    Staff Session get  "/rules/documents/{document}" => documents::show;
    Staff Session post "/rules/documents/{document}/acknowledge" => documents::acknowledge;
    Staff Session get  "/rules/documents/{document}/publish" => documents::publish_form;
    Staff Session post "/rules/documents/{document}/publish" => documents::publish;
    Staff Session get  "/rules/documents/{document}/versions/{version}" => documents::version;
    Staff Session get  "/rules/documents/{document}/versions/{version}/file" => documents::file;
    Staff Session get  "/rules/duties" => duties::show;
    Staff Session get  "/rules/duties/{duty}/skip" => duties::skip_form;
    Staff Session post "/rules/duties/{duty}/skip" => duties::skip;
    Staff Session get  "/rules/reminders" => reminders::show;
    Staff Session post "/rules/reminders/calendar" => reminders::make;
    Staff Session get  "/rules/reminders/calendar/end" => reminders::end_form;
    Staff Session post "/rules/reminders/calendar/end" => reminders::end;
    Staff Session post "/rules/reminders/mail" => reminders::mail;
    Staff Session get  "/rules/roles" => roles::list;
    Staff Session get  "/rules/roles/{role}" => roles::show;
    Staff Session post "/rules/roles/{role}/appoint" => roles::appoint;
    Staff Session get  "/rules/roles/{role}/appointments/{id}/end" => roles::end_form;
    Staff Session post "/rules/roles/{role}/appointments/{id}/end" => roles::end;
    Staff Session get  "/rules/contacts" => roles::contacts;
    Staff Session get  "/rules/controls" => controls::list;
    Staff Session get  "/rules/controls/measures" => controls::measures;
    Staff Session get  "/rules/controls/attestations/{attestation}" => controls::show;
    Staff Session post "/rules/controls/attestations/{attestation}" => controls::attest;
    Staff Session get  "/rules/controls/attestations/{attestation}/statements/{id}/files/{attached}" => controls::file;
    Staff Session get  "/rules/clauses" => clauses::overview;
    Staff Session get  "/rules/clauses/{catalogue}" => clauses::catalogue;
    Staff Session get  "/rules/pack" => pack::show;

    Staff Session get  "/admin/accounts" => accounts::list, for Operations;
    Staff Session get  "/admin/citizens" => citizens::list, for Operations;
    Staff Session get  "/admin/emergency" => account_emergency::show, for Operations;
    Staff Session post "/admin/emergency/{id}/review" => account_emergency::review, for Operations;
    Staff Session post "/admin/accounts/{actor}/seal" => account_emergency::seal, for Operations;
    Staff Session get  "/admin/accounts/import" => account_import::show, for Operations;
    Staff Session post "/admin/accounts/import" => account_import::look, for Operations;
    Staff Session post "/admin/accounts/import/issue" => account_import::issue, for Operations;
    Staff Session get  "/admin/accounts/{actor}" => account_life::show, for Operations;
    Staff Session get  "/admin/accounts/{actor}/held" => account_life::paper, for Operations;
    Staff Session post "/admin/accounts/{actor}/ends" => account_life::ends, for Operations;
    Staff Session post "/admin/accounts/{actor}/sort" => account_life::sort, for Operations;
    Staff Session post "/admin/accounts/{actor}/permitted" => shared::permit, for Operations;
    Staff Session post "/admin/accounts/{actor}/provider" => provider::link_of, for Operations;
    Staff Session post "/admin/accounts/{actor}/provider/unlink" => provider::unlink_of, for Operations;
    Staff Session get  "/admin/accounts/{actor}/close" => accounts::close_form, for Operations;
    Staff Session post "/admin/accounts/{actor}/close" => accounts::close, for Operations;
    Staff Session get  "/admin/accounts/{actor}/stop" => accounts::stop_form, for Operations;
    Staff Session post "/admin/accounts/{actor}/stop" => accounts::stop, for Operations;
    Staff Session get  "/admin/accounts/{actor}/resume" => accounts::resume_form, for Operations;
    Staff Session post "/admin/accounts/{actor}/resume" => accounts::resume, for Operations;
    Staff Session get  "/admin/accounts/{actor}/mail" => accounts::mail_form, for Operations;
    Staff Session post "/admin/accounts/{actor}/mail" => accounts::mail, for Operations;

    Staff Session get  "/admin/accounts/{actor}/reissue" => reissue::form, for Operations;
    Staff Session post "/admin/accounts/{actor}/reissue" => reissue::issue, for Operations;
    Staff Session post "/admin/accounts/{actor}/unlock" => reissue::unlock, for Operations;
    Staff Session post "/admin/accounts/{actor}/leak" => reissue::leak, for Operations;
    Staff Session get  "/admin/accounts/{actor}/factor" => factors::lost_form, for Operations;
    Staff Session post "/admin/accounts/{actor}/factor/lost" => factors::lost, for Operations;
    Staff Session post "/admin/accounts/{actor}/factor/replace" => factors::replace, for Operations;
    Staff Session get  "/admin/accounts/{actor}/sessions" => sessions::show_of, for Operations;
    Staff Session post "/admin/accounts/{actor}/sessions/end" => sessions::end_all_of, for Operations;
    Staff Session post "/admin/accounts/{actor}/sessions/{session}/end" => sessions::end_of, for Operations;

    Staff Session get  "/admin/terminals" => terminals::list, for Operations;
    Staff Session post "/admin/terminals" => terminals::register, for Operations;
    Staff Session post "/admin/terminals/file" => terminals::file, for Operations;
    Staff Session get  "/admin/terminals/{terminal}/renew" => terminals::renew_form, for Operations;
    Staff Session post "/admin/terminals/{terminal}/renew" => terminals::renew, for Operations;
    Staff Session get  "/admin/terminals/{terminal}/revoke" => terminals::revoke_form, for Operations;
    Staff Session post "/admin/terminals/{terminal}/revoke" => terminals::revoke, for Operations;
    Staff Session get  "/admin/programs" => programs::list, for Operations;
    Staff Session post "/admin/programs" => programs::register, for Operations;
    Staff Session get  "/admin/programs/{id}/revoke" => programs::revoke_form, for Operations;
    Staff Session post "/admin/programs/{id}/revoke" => programs::revoke, for Operations;
    // Serial numbers and nothing else: for whoever checks certificates, a reverse proxy for one.
    Staff None    get  "/terminals.crl" => terminals::revocations;

    Fhir  None    get  "/fhir/metadata" => fhir::metadata::show;
    Fhir  None    get  "/fhir/.well-known/smart-configuration" => fhir::smart::configuration;
    // The program proves who it is in the request itself.
    Fhir  None    post "/fhir/auth/token" => fhir::smart::token;
    Fhir  Bearer  get  "/fhir/{type}" => fhir::search::by_query;
    Fhir  Bearer  post "/fhir/{type}" => fhir::write::create;
    Fhir  Bearer  post "/fhir/{type}/_search" => fhir::search::by_body;
    Fhir  Bearer  get  "/fhir/{type}/{id}" => fhir::read::current;
    Fhir  Bearer  put  "/fhir/{type}/{id}" => fhir::write::update;
    Fhir  Bearer  get  "/fhir/{type}/{id}/_history/{version}" => fhir::read::version;
};

/// Pages for people, under the rules in force at each request.
pub fn staff_router(web: &Web) -> Router {
    following::router(web, Surface::Staff, staff)
}

/// FHIR REST, under `/fhir`, under the rules in force at each request.
pub fn fhir_router(web: &Web) -> Router {
    following::router(web, Surface::Fhir, fhir_rest)
}

fn staff(web: &Web) -> Router {
    let router = routed(Surface::Staff, web, "").fallback(no_page_here);
    layers::around(router, Surface::Staff, web)
}

fn fhir_rest(web: &Web) -> Router {
    let router = routed(Surface::Fhir, web, "/fhir").fallback(nothing_here);
    Router::new().nest("/fhir", layers::around(router, Surface::Fhir, web))
}

fn routed(surface: Surface, web: &Web, prefix: &str) -> Router<Web> {
    let mut router = Router::new();
    for route in ROUTES.iter().filter(|r| r.surface == surface) {
        let mut handler = (route.handler)();
        // The layer added last runs first: who asks is known before what for.
        if route.purpose == RoutePurpose::Operations {
            handler = handler.route_layer(from_fn_with_state(web.clone(), session::for_operations));
        }
        let handler = match route.authorisation {
            Authorisation::None => handler,
            Authorisation::Session => {
                handler.route_layer(from_fn_with_state(web.clone(), session::require_session))
            }
            Authorisation::Bearer => {
                handler.route_layer(from_fn_with_state(web.clone(), session::require_bearer))
            }
        };
        let handler = handler.layer(RequestBodyLimitLayer::new(limit(route, web)));
        router = router.route(route.path.strip_prefix(prefix).unwrap_or(route.path), handler);
    }
    router
}

/// Forms of a person's record that may bring files.
const BRINGS_FILES: [&str; 3] =
    ["/people/{subject}/documents", "/people/{subject}/notes", "/records/{kind}/{id}/edit"];

/// The largest body that a route takes, in bytes.
fn limit(route: &Route, web: &Web) -> usize {
    match route.surface {
        Surface::Fhir => web.settings.fhir_limit,
        // Forms made from the pack may bring files.
        Surface::Staff if route.path.starts_with("/rules/") || BRINGS_FILES.contains(&route.path) => {
            web.settings.upload_limit
        }
        Surface::Staff => web.settings.form_limit,
    }
}

/// A page that does not exist; whoever is signed in keeps their menu.
async fn no_page_here(State(web): State<Web>, request: Request) -> Response {
    let mut response = nothing_here().await.into_response();
    let (parts, _) = request.into_parts();
    if let Some(caller) = session::of_request(&web, &parts).await {
        response.extensions_mut().insert(caller);
    }
    response
}

async fn nothing_here() -> Fault {
    Fault::status(StatusCode::NOT_FOUND)
}
