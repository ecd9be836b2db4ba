//! An open page is told that something new came: one word, to whoever may see it, while their session lasts.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::{Request, StatusCode, header};
use futures::StreamExt as _;
use mimamori_web::Settings;
use tower::ServiceExt as _;

use crate::world::World;

/// Longer than anything takes here; nothing waits that long.
const LONGEST: Duration = Duration::from_secs(20);

async fn world() -> World {
    let settings = Settings { tls: false, changes_every: Duration::from_millis(20), ..Settings::default() };
    let world = World::with(settings).await;
    let colleague = mimamori_app::NewStaff {
        login: "yuki".to_owned(),
        name: "試験 ゆき".to_owned(),
        kana: None,
        occupation: "nurse".parse().ok(),
        institution: Some(world.institution),
        roles: Vec::new(),
        password: crate::world::PASSWORD.to_owned(),
    };
    world.app.add_staff(&world.app.operator("test"), &colleague).await.unwrap();
    world
}

/// What an open page hears.
struct Line(BodyDataStream);

impl Line {
    /// The next event; nothing once the line has ended.
    async fn hears(&mut self) -> Option<String> {
        let heard = async {
            while let Some(part) = self.0.next().await {
                let part = String::from_utf8(part.unwrap().to_vec()).unwrap();
                if let Some(event) = part.lines().find_map(|line| line.strip_prefix("event: ")) {
                    return Some(event.to_owned());
                }
            }
            None
        };
        tokio::time::timeout(LONGEST, heard).await.expect("nothing is heard")
    }

    /// The line is there, and what came before was looked at.
    async fn begun(&mut self) {
        let part = tokio::time::timeout(LONGEST, self.0.next()).await.unwrap().unwrap().unwrap();
        assert!(part.starts_with(b":listening\nretry:") || part.starts_with(b"retry:"), "{part:?}");
    }
}

async fn asked(world: &World, address: &str, cookie: &str) -> (StatusCode, Line) {
    let request = Request::builder().uri(address).header(header::COOKIE, cookie);
    let response = world.pages.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    if status == StatusCode::OK {
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    }
    (status, Line(response.into_body().into_data_stream()))
}

/// Where the page at `path` listens.
async fn address(world: &World, path: &str, cookie: &str) -> String {
    let page = world.get(path, cookie).await;
    let (_, rest) = page.body.split_once("data-changes=\"").expect("the page listens");
    rest.split('"').next().unwrap().to_owned()
}

async fn listening(world: &World, path: &str, cookie: &str) -> Line {
    let (status, mut line) = asked(world, &address(world, path, cookie).await, cookie).await;
    assert_eq!(status, StatusCode::OK);
    line.begun().await;
    line
}

/// Keeps a draft; gives where it is confirmed and the version.
async fn draft(world: &World, person: &str, cookie: &str) -> (String, String) {
    let saved = world.post(&format!("/people/{person}/notes"), cookie, &[("text", "熱があります")]).await;
    let look = saved.header("location").to_owned();
    let page = world.get(&look, cookie).await;
    let version = page.body.split("name=\"version\" value=\"").nth(1).unwrap();
    (look.replace("/look", "/confirm"), version.split('"').next().unwrap().to_owned())
}

async fn write(world: &World, person: &str, cookie: &str) {
    let (confirm, version) = draft(world, person, cookie).await;
    let done = world.post(&confirm, cookie, &[("version", &version)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
}

#[tokio::test]
async fn an_open_page_hears_that_somebody_else_wrote() {
    let world = world().await;
    let (person, other) = (world.person().await, world.person().await);
    let (kango, yuki) = (world.sign_in("kango").await, world.sign_in("yuki").await);
    let path = format!("/people/{person}");
    let mut open = listening(&world, &path, &yuki).await;
    let mut home = listening(&world, "/", &yuki).await;
    let mut writers = listening(&world, &path, &kango).await;
    // Drafts, and what is about somebody else, say nothing; one's own writing neither.
    let (confirm, version) = draft(&world, &person, &kango).await;
    write(&world, &other, &kango).await;
    assert_eq!(home.hears().await.as_deref(), Some("changed"), "the list shows both people");
    let done = world.post(&confirm, &kango, &[("version", &version)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert_eq!(open.hears().await.as_deref(), Some("changed"));
    // It is said once: the page is out of date already.
    assert_eq!(open.hears().await, None);
    // What was written between the making of the page and its listening is found; what the page showed is not.
    let before = address(&world, &path, &yuki).await;
    let nothing_new = address(&world, &path, &kango).await;
    write(&world, &person, &yuki).await;
    assert_eq!(writers.hears().await.as_deref(), Some("changed"));
    let (_, mut late) = asked(&world, &nothing_new, &kango).await;
    assert_eq!(late.hears().await.as_deref(), Some("changed"));
    let (_, mut own) = asked(&world, &before, &yuki).await;
    own.begun().await;
    world.post("/sign-out", &yuki, &[]).await;
    assert_eq!(own.hears().await.as_deref(), Some("over"), "one's own writing is no news");
}

#[tokio::test]
async fn listening_is_nobody_elses_and_neither_extends_nor_outlives_a_session() {
    let world = world().await;
    let person = world.person().await;
    let (kango, yoso) = (world.sign_in("kango").await, world.sign_in("yoso").await);
    let path = format!("/people/{person}");
    let of = address(&world, &path, &kango).await;
    assert_eq!(asked(&world, &of, "").await.0, StatusCode::SEE_OTHER);
    assert_eq!(asked(&world, &of, &yoso).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(asked(&world, "/changes?of=AQID", &kango).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    // A quarter of an hour at a time, longer than an unused session lasts: only listening goes on.
    let (_, mut line) = asked(&world, &of, &kango).await;
    line.begun().await;
    let idle = world.app.pack().parameter_u64("session.idle-minutes").unwrap();
    let step = u32::try_from(idle).unwrap() / 2 + 1;
    world.pass_minutes(step);
    let (status, mut again) = asked(&world, &of, &kango).await;
    assert_eq!(status, StatusCode::OK);
    again.begun().await;
    world.pass_minutes(step);
    assert_eq!(line.hears().await.as_deref(), Some("over"));
    assert_eq!(again.hears().await.as_deref(), Some("over"));
    assert!(world.get(&path, &kango).await.header("location").starts_with("/sign-in"));
    // A locked screen hears nothing more.
    let kango = world.sign_in("kango").await;
    let mut line = listening(&world, &path, &kango).await;
    world.post("/lock", &kango, &[]).await;
    assert_eq!(line.hears().await.as_deref(), Some("over"));
}

#[tokio::test]
async fn few_pages_of_a_session_listen_and_all_end_with_the_program() {
    let world = world().await;
    let person = world.person().await;
    let cookie = world.sign_in("kango").await;
    let of = address(&world, &format!("/people/{person}"), &cookie).await;
    let mut lines = Vec::new();
    for _ in 0..4 {
        let (status, line) = asked(&world, &of, &cookie).await;
        assert_eq!(status, StatusCode::OK);
        lines.push(line);
    }
    assert_eq!(asked(&world, &of, &cookie).await.0, StatusCode::TOO_MANY_REQUESTS);
    // Who goes away leaves the place to another.
    lines.pop();
    assert_eq!(world.web.listeners(), 3);
    let (status, line) = asked(&world, &of, &cookie).await;
    assert_eq!(status, StatusCode::OK);
    lines.push(line);
    world.web.close_listeners();
    for line in &mut lines {
        line.begun().await;
        assert_eq!(line.hears().await, None);
    }
    assert_eq!(asked(&world, &of, &cookie).await.0, StatusCode::TOO_MANY_REQUESTS);
    // In all, no more than the settings allow.
    let settings = Settings { tls: false, listeners: 0, ..Settings::default() };
    let none = mimamori_web::Web::new(
        std::sync::Arc::clone(&world.app),
        std::sync::Arc::new(mimamori_domain::SystemClock::default()),
        settings,
    );
    let request = Request::builder().uri(&of).header(header::COOKIE, &cookie).body(Body::empty()).unwrap();
    let response = mimamori_web::staff_router(&none).oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn keys_are_listed_and_can_be_switched_off() {
    let world = world().await;
    let cookie = world.sign_in("kango").await;
    let page = world.get("/keys", &cookie).await;
    assert!(page.body.contains("<body data-keys>") && page.body.contains("<kbd>g</kbd> <kbd>h</kbd>"));
    let off = world.post("/keys", &cookie, &[("keys", "off")]).await;
    assert!(off.header("set-cookie").starts_with("keys=off;"), "{}", off.header("set-cookie"));
    let page = world.get("/keys", &format!("{cookie}; keys=off")).await;
    assert!(page.body.contains("<body>") && page.body.contains("いまは使わない設定です"), "{}", page.body);
    let on = world.post("/keys", &cookie, &[("keys", "on")]).await;
    assert!(on.header("set-cookie").contains("Max-Age=0"));
}

#[tokio::test]
async fn a_draft_is_kept_while_it_is_written() {
    let world = world().await;
    let person = world.person().await;
    let cookie = world.sign_in("kango").await;
    let small = async |path: &str, form: &[(&str, &str)]| {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header(header::COOKIE, &cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .header("sec-fetch-site", "same-origin");
        crate::world::send(&world.pages, request.body(Body::from(body)).unwrap()).await
    };
    let notes = format!("/people/{person}/notes");
    let nothing = small(&notes, &[("text", " ")]).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nothing.body.len() < 1_000, "{}", nothing.body);
    let kept = small(&notes, &[("text", "夕方"), ("priority", "stat")]).await;
    assert_eq!(kept.status, StatusCode::OK, "{}", kept.body);
    let said: serde_json::Value = serde_json::from_str(&kept.body).unwrap();
    assert!(kept.body.len() < 200 && said["version"] == 1, "{}", kept.body);
    let edit = said["edit"].as_str().unwrap().to_owned();
    let again = small(&edit, &[("text", "夕方から発熱"), ("priority", "stat"), ("version", "1")]).await;
    let said: serde_json::Value = serde_json::from_str(&again.body).unwrap();
    assert_eq!(said["version"], 2);
    // From two pages at once nothing is overwritten.
    let old = small(&edit, &[("text", "別の画面"), ("version", "1")]).await;
    assert_eq!(old.status, StatusCode::CONFLICT);
    let look = world.get(&edit.replace("/edit", "/look"), &cookie).await;
    assert!(look.body.contains("夕方から発熱") && look.body.contains("至急"), "{}", look.body);
}
