//! What holds for every route: strict headers, and the authorisation that the table says.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use mimamori_domain::ObjectId;
use mimamori_web::{Authorisation, ROUTES, Route, RoutePurpose, Settings, Surface};

use crate::world::{Answer, World, send};

/// The route's pattern with something in each place.
fn path(route: &Route) -> String {
    let id = ObjectId::random().to_string();
    route
        .path
        .replace("{subject}", &id)
        .replace("{id}", &id)
        .replace("{actor}", &id)
        .replace("{factor}", &id)
        .replace("{session}", &id)
        .replace("{terminal}", &id)
        .replace("{kind}", "Communication")
        .replace("{type}", "Observation")
        .replace("{version}", "1")
        .replace("{file}", "style.css")
        .replace("{register}", "asset-ledger")
        .replace("{document}", "security-policy")
        .replace("{duty}", "log-review")
        .replace("{role}", "auditor")
        .replace("{attestation}", "rights-reviewed")
        .replace("{catalogue}", "mic")
        .replace("{procedure}", "account-application")
        .replace("{attached}", &id)
        .replace("{format}", "csv")
        .replace("{secret}", &format!("{}.ics", "00".repeat(32)))
}

async fn ask(world: &World, route: &Route, authorization: Option<&str>, cookie: Option<&str>) -> Answer {
    let mut request = Request::builder().method(route.method).uri(path(route));
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    if let Some(value) = cookie {
        request = request.header("cookie", value);
    }
    let router = match route.surface {
        Surface::Staff => &world.pages,
        Surface::Fhir => &world.fhir,
    };
    send(router, request.body(Body::empty()).unwrap()).await
}

fn check_headers(answer: &Answer, what: &str) {
    let csp = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; \
               img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    assert_eq!(answer.header("content-security-policy"), csp, "{what}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
    assert!(!answer.header("permissions-policy").is_empty(), "{what}");
    assert!(!answer.header("cache-control").is_empty(), "{what}");
}

#[tokio::test]
async fn every_route_has_strict_headers_and_refuses_whom_its_row_says() {
    let world = World::new().await;
    let wrong = "00".repeat(32);
    let (bad_token, bad_cookie) = (format!("Bearer {wrong}"), format!("session={wrong}"));
    for route in ROUTES {
        let what = format!("{} {}", route.method, route.path);
        for (token, cookie) in [(None, None), (Some(bad_token.as_str()), Some(bad_cookie.as_str()))] {
            let answer = ask(&world, route, token, cookie).await;
            check_headers(&answer, &what);
            match route.authorisation {
                Authorisation::None => assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{what}"),
                Authorisation::Session if route.method == "GET" => {
                    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{what}");
                    assert!(answer.header("location").starts_with("/sign-in"), "{what}");
                    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
                }
                Authorisation::Session => {
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
                    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
                }
                Authorisation::Bearer => {
                    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
                    assert!(answer.header("www-authenticate").starts_with("Bearer "), "{what}");
                    assert!(answer.body.contains("OperationOutcome"), "{what}");
                    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_session_route_answers_somebody_signed_in() {
    let world = World::new().await;
    let mut cookie = world.sign_in("kango").await;
    for route in ROUTES.iter().filter(|r| r.authorisation == Authorisation::Session) {
        let answer = if route.method == "GET" {
            world.get(&path(route), &cookie).await
        } else {
            world.post(&path(route), &cookie, &[("version", "1"), ("text", "x"), ("reason", "x")]).await
        };
        let what = format!("{} {}", route.method, route.path);
        check_headers(&answer, &what);
        assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
        assert!(!answer.status.is_server_error(), "{what}: {}", answer.status);
        assert!(!answer.header("location").starts_with("/sign-in?"), "{what}");
        if matches!(route.path, "/sign-out" | "/lock") {
            cookie = world.sign_in("kango").await;
        }
    }
}

#[tokio::test]
async fn every_route_of_operations_refuses_whoever_holds_no_role() {
    let world = World::new().await;
    let cookie = world.sign_in("kango").await;
    let routes: Vec<_> = ROUTES.iter().filter(|r| r.purpose == RoutePurpose::Operations).collect();
    assert!(!routes.is_empty());
    for route in &routes {
        let answer = if route.method == "GET" {
            world.get(&path(route), &cookie).await
        } else {
            world.post(&path(route), &cookie, &[("reason", "x")]).await
        };
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{} {}", route.method, route.path);
        check_headers(&answer, route.path);
    }
    // What is under /admin is administration, and nothing else is.
    for route in ROUTES {
        let administration = route.path.starts_with("/admin/");
        assert_eq!(route.purpose == RoutePurpose::Operations, administration, "{}", route.path);
        assert!(!administration || route.authorisation == Authorisation::Session, "{}", route.path);
    }
}

#[tokio::test]
async fn what_is_not_there_or_not_so_is_told_on_both_surfaces() {
    let world = World::new().await;
    let page = world.get("/nothing", "").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    check_headers(&page, "no page");
    assert!(page.body.contains("見つかりません"));
    let page = world.get("/sign-out", "").await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(page.body.contains("<h1>"));
    let rest = world.rest("GET", "/fhir/a/b/c/d/e", &[], "").await;
    assert_eq!(rest.status, StatusCode::NOT_FOUND);
    check_headers(&rest, "no resource");
    assert!(rest.body.contains("\"not-found\""), "{}", rest.body);
    let rest = world.rest("DELETE", "/fhir/Patient/1", &[], "").await;
    assert_eq!(rest.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(rest.body.contains("\"not-supported\"") && rest.header("allow").contains("GET"));
}

#[tokio::test]
async fn limits_hold() {
    let settings = Settings {
        tls: false,
        form_limit: 1000,
        fhir_limit: 1000,
        body_timeout: Duration::from_millis(100),
        ..Settings::default()
    };
    let world = World::with(settings).await;
    let long = "x".repeat(2000);
    let page = world.post("/sign-in", "", &[("login", &long)]).await;
    assert_eq!(page.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(page.body.contains("大きすぎます"));
    let rest = world.rest("POST", "/fhir/Patient", &[], &long).await;
    assert_eq!(rest.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(rest.body.contains("\"too-long\""));
    // A body that begins and does not go on.
    let slow = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"{")) });
    let slow = futures::StreamExt::chain(slow, futures::stream::pending());
    let request = Request::builder()
        .method("POST")
        .uri("/fhir/Patient")
        .header("authorization", format!("Bearer {}", world.token))
        .header("content-type", "application/fhir+json");
    let rest = send(&world.fhir, request.body(Body::from_stream(slow)).unwrap()).await;
    assert_eq!(rest.status, StatusCode::REQUEST_TIMEOUT);
    assert!(rest.body.contains("\"timeout\""));
}

/// A body that panics while a handler reads it: what a fault in a handler would do.
#[allow(clippy::panic, reason = "the fault that is tested")]
fn panicking() -> Body {
    let bytes = futures::stream::poll_fn(|_| -> std::task::Poll<Option<std::io::Result<Bytes>>> {
        panic!("the name of a person")
    });
    Body::from_stream(bytes)
}

#[tokio::test]
async fn a_fault_in_a_handler_is_a_clean_answer_and_the_next_request_is_served() {
    let world = World::new().await;
    let post = |path: &str, kind: &str| {
        let request = Request::builder().method("POST").uri(path).header("content-type", kind);
        request.header("authorization", format!("Bearer {}", world.token)).body(panicking()).unwrap()
    };
    let page = send(&world.pages, post("/sign-in", "application/x-www-form-urlencoded")).await;
    assert_eq!(page.status, StatusCode::INTERNAL_SERVER_ERROR);
    check_headers(&page, "a page");
    assert!(page.body.contains("システムの不具合") && !page.body.contains("the name of a person"));
    let rest = send(&world.fhir, post("/fhir/Patient", "application/fhir+json")).await;
    assert_eq!(rest.status, StatusCode::INTERNAL_SERVER_ERROR);
    check_headers(&rest, "FHIR");
    assert!(rest.body.contains("\"exception\"") && !rest.body.contains("the name of a person"));
    assert_eq!(world.get("/sign-in", "").await.status, StatusCode::OK);
    assert_eq!(world.rest("GET", "/fhir/metadata", &[], "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_a_free_place_the_answer_is_503_at_once() {
    let world = World::with(Settings { tls: true, concurrent: 0, ..Settings::default() }).await;
    let page = world.get("/sign-in", "").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.body.contains("<h1>"));
    assert_eq!(page.header("retry-after"), "30");
    assert!(page.header("strict-transport-security").starts_with("max-age="));
    let rest = world.rest("GET", "/fhir/metadata", &[], "").await;
    assert_eq!(rest.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(rest.body.contains("\"transient\""));
}
