//! What somebody typed while their session ended is theirs to go on with, and nobody else's.

use axum::http::StatusCode;

use crate::rules::check_markup;
use crate::world::{Answer, PASSWORD, World};

const TEXT: &str = "夕方から息が苦しそうです。\nSpO2 91%";

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(found, _)| found)
}

fn sealed(page: &Answer) -> String {
    between(&page.body, "name=\"carried\" value=\"", "\"").to_owned()
}

/// Sends a note a day after signing in; gives the page that asks who it is.
async fn too_late(world: &World, person: &str) -> (String, Answer) {
    let before = world.sign_in("kango").await;
    world.pass(1);
    let fields = [("text", TEXT), ("priority", "stat"), ("password", PASSWORD)];
    let asked = world.post(&format!("/people/{person}/notes"), &before, &fields).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED, "{}", asked.body);
    (before, asked)
}

async fn sign_in(world: &World, login: &str, password: &str, carried: &str) -> Answer {
    let form = [("login", login), ("password", password), ("return", "/"), ("carried", carried)];
    world.post("/sign-in", "", &form).await
}

#[tokio::test]
async fn what_was_typed_is_there_again_after_signing_in() {
    let world = World::new().await;
    let person = world.person().await;
    let (before, asked) = too_late(&world, &person).await;
    check_markup(&asked.body, "the sign-in page that carries a note");
    assert!(asked.body.contains("入力した内容は失われていません"), "{}", asked.body);
    // Nobody reads it there.
    assert!(!asked.body.contains("息が苦しそう") && !asked.body.contains(PASSWORD));
    // The cookie stays: what is typed in another tab finds its writer too.
    let other_tab = world.get(&format!("/people/{person}"), &before).await;
    assert_eq!((other_tab.status, other_tab.header("set-cookie")), (StatusCode::SEE_OTHER, ""));

    // A wrong password loses nothing.
    let wrong = sign_in(&world, "kango", "wrong", &sealed(&asked)).await;
    assert_eq!(sealed(&wrong), sealed(&asked), "{}", wrong.body);
    let again = sign_in(&world, "kango", PASSWORD, &sealed(&wrong)).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    check_markup(&again.body, "what was typed before");
    let notes = format!("/people/{person}/notes");
    assert!(again.body.contains(&format!("action=\"{notes}\"")), "{}", again.body);
    assert!(again.body.contains(&format!("name=\"text\" rows=\"8\">\n{TEXT}</textarea>")), "{}", again.body);
    assert!(again.body.contains("name=\"priority\" value=\"stat\"") && !again.body.contains(PASSWORD));
    // It goes on to the ordinary last look.
    let cookie = again.header("set-cookie").split(';').next().unwrap().to_owned();
    let kept = world.post(&notes, &cookie, &[("text", TEXT), ("priority", "stat")]).await;
    let look = world.get(kept.header("location"), &cookie).await;
    assert!(look.body.contains("息が苦しそう") && look.body.contains("至急"), "{}", look.body);
}

#[tokio::test]
async fn another_person_and_a_later_time_get_nothing() {
    let world = World::new().await;
    let person = world.person().await;
    let (before, asked) = too_late(&world, &person).await;
    let carried = sealed(&asked);
    let other = sign_in(&world, "yoso", PASSWORD, &carried).await;
    assert_eq!((other.status, other.header("location")), (StatusCode::SEE_OTHER, "/"));
    let cookie = other.header("set-cookie").split(';').next().unwrap().to_owned();
    let opened = world.post("/carried", &cookie, &[("carried", &carried)]).await;
    assert_eq!((opened.status, opened.body.as_str()), (StatusCode::SEE_OTHER, ""));
    // Who signed in in another tab opens it from this one; until then it stays as it is.
    let early = world.post("/carried", &before, &[("carried", &carried)]).await;
    assert_eq!((early.status, sealed(&early)), (StatusCode::UNAUTHORIZED, carried.clone()));
    let own = world.sign_in("kango").await;
    let opened = world.post("/carried", &own, &[("carried", &carried)]).await;
    assert!(opened.body.contains("息が苦しそう"), "{}", opened.body);
    // Altered, or a day later: nothing.
    let mut altered = carried.clone().into_bytes();
    altered[40] ^= 1;
    let altered = String::from_utf8(altered).unwrap();
    assert_eq!(sign_in(&world, "kango", PASSWORD, &altered).await.status, StatusCode::SEE_OTHER);
    world.pass(1);
    let late = sign_in(&world, "kango", PASSWORD, &carried).await;
    assert_eq!((late.status, late.body.as_str()), (StatusCode::SEE_OTHER, ""));
}

#[tokio::test]
async fn only_what_a_known_person_wrote_is_carried() {
    let world = World::new().await;
    let person = world.person().await;
    let notes = format!("/people/{person}/notes");
    // Without a session there ever was, nothing is sealed for anybody.
    let secret = "00".repeat(32);
    for cookie in ["", "session=00", &format!("session={secret}")] {
        let asked = world.post(&notes, cookie, &[("text", TEXT)]).await;
        assert_eq!((asked.status, sealed(&asked)), (StatusCode::UNAUTHORIZED, String::new()));
    }
    let (before, _) = too_late(&world, &person).await;
    // What is no writing is not carried, and what is too long neither.
    let other = world.post("/people/search", &before, &[("family", "試験")]).await;
    assert_eq!((other.status, sealed(&other)), (StatusCode::UNAUTHORIZED, String::new()));
    let long = "長".repeat(60_000);
    let other = world.post(&notes, &before, &[("text", &long)]).await;
    assert_eq!((other.status, sealed(&other)), (StatusCode::UNAUTHORIZED, String::new()));
    // Files are told of: they are chosen again.
    let file = [("photo", "a.jpg", &b"\xff\xd8\xff\xe0"[..])];
    let asked = world.post_form(&notes, &before, &[("text", TEXT)], &file).await;
    let again = sign_in(&world, "kango", PASSWORD, &sealed(&asked)).await;
    assert!(again.body.contains("添付したファイルは引き継げませんでした"), "{}", again.body);
    // Readings go on to their last look, whichever of the two forms was sent.
    let vital = format!("/people/{person}/vital-signs");
    let asked = world.post(&vital, &before, &[("at", "2026-11-21T09:30"), ("pulse", "70")]).await;
    let again = sign_in(&world, "kango", PASSWORD, &sealed(&asked)).await;
    assert!(again.body.contains(&format!("action=\"{vital}/look\"")), "{}", again.body);
    assert!(again.body.contains("name=\"pulse\" value=\"70\""), "{}", again.body);
}

#[tokio::test]
async fn a_locked_screen_loses_nothing_either() {
    let world = World::new().await;
    let person = world.person().await;
    let cookie = world.sign_in("kango").await;
    world.post("/lock", &cookie, &[]).await;
    let asked = world.post(&format!("/people/{person}/notes"), &cookie, &[("text", TEXT)]).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
    check_markup(&asked.body, "the locked page that carries a note");
    assert!(!asked.body.contains("息が苦しそう") && asked.body.contains("action=\"/unlock\""));
    let carried = sealed(&asked);
    let wrong = world.post("/unlock", &cookie, &[("password", "wrong"), ("carried", &carried)]).await;
    assert_eq!(sealed(&wrong), carried, "{}", wrong.body);
    let back = world.post("/unlock", &cookie, &[("password", PASSWORD), ("carried", &carried)]).await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.body);
    assert!(back.body.contains("息が苦しそう") && back.header("set-cookie").contains("session="));
}
