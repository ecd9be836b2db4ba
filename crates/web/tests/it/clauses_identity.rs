//! Second factors, locking and sessions, as people meet them on pages. A test whose name carries the id of
//! a clause proves it.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use mimamori_domain::{Clock, SystemClock};
use mimamori_policy::Pack;
use mimamori_web::{Authorisation, ROUTES, Settings, Surface};
use totp_rs::{Builder, Secret};

use crate::world::{Answer, PASSWORD, World, send};

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split(start)
        .nth(1)
        .and_then(|rest| rest.split(end).next())
        .unwrap_or_else(|| panic!("{start} {text}"))
}

fn cookie(answer: &Answer) -> String {
    let set = answer.headers.get_all(header::SET_COOKIE).iter().map(|v| v.to_str().unwrap());
    set.filter_map(|cookie| cookie.split(';').next()).next_back().unwrap().to_owned()
}

/// What an authenticator app shows, so many steps later.
fn shown(secret: &str, steps: u64) -> String {
    let seconds = u64::try_from(SystemClock::default().now().as_micros() / 1_000_000).unwrap();
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate(seconds + 30 * steps).to_string()
}

/// Enrols an app; gives the cookie, the secret and the page with the recovery codes.
async fn enrol(world: &World, with: &str) -> (String, String, Answer) {
    let page = world.post("/account/factors/one-time", with, &[("name", "電話")]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains("<svg class=\"qr\""));
    let secret = between(&page.body, "<code class=\"secret\">", "</code>").replace(' ', "");
    let token = between(&page.body, "name=\"token\" value=\"", "\"").to_owned();
    let wrong = [("token", token.as_str()), ("name", "電話"), ("code", "000000")];
    let again = world.post("/account/factors/one-time/confirm", with, &wrong).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("数字が合いません") && again.body.contains(&token));
    let code = shown(&secret, 0);
    let right = [("token", token.as_str()), ("name", "電話"), ("code", code.as_str())];
    let codes = world.post("/account/factors/one-time/confirm", with, &right).await;
    assert_eq!(codes.status, StatusCode::OK, "{}", codes.body);
    assert_eq!(codes.body.matches("<li class=\"secret\">").count(), 10);
    (cookie(&codes), secret, codes)
}

/// Proves: whom the rules name is led to enrolling a second factor and nowhere else; then signing in asks
/// for it.
#[tokio::test]
async fn clause_mic_3_2_3_1_4_1() {
    let settings = Settings { tls: false, ..Settings::default() };
    let world = World::with_pack(settings, Pack::embedded_base().unwrap()).await;
    world.staff("kanri", "試験 管理子", &["system-manager"]).await;
    let form = [("login", "kanri"), ("password", PASSWORD), ("return", "/admin/accounts")];
    let signed = world.post("/sign-in", "", &form).await;
    assert_eq!(signed.header("location"), "/account/factors");
    let early = cookie(&signed);
    for route in ROUTES.iter().filter(|r| r.authorisation == Authorisation::Session && r.method == "GET") {
        let open = ["/account/factors", "/step-up"].contains(&route.path);
        if !open && !route.path.contains('{') {
            let led = world.get(route.path, &early).await;
            assert_eq!(led.header("location"), "/account/factors", "{}", route.path);
        }
    }
    assert!(world.get("/account/factors", &early).await.body.contains("はじめに、二つ目の認証要素"));
    let (with, secret, codes) = enrol(&world, &early).await;
    assert_ne!(with, early);
    assert_eq!(world.get("/admin/accounts", &early).await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.get("/admin/accounts", &with).await.status, StatusCode::OK);

    // The password alone opens nothing.
    let half = world.post("/sign-in", "", &form).await;
    assert_eq!(half.header("location"), "/sign-in/code?return=/admin/accounts");
    let pending = cookie(&half);
    assert!(pending.starts_with("pending="));
    assert!(world.get("/admin/accounts", &pending).await.header("location").starts_with("/sign-in"));
    let page = world.get("/sign-in/code?return=/admin/accounts", &pending).await;
    assert!(page.body.contains("name=\"code\"") && !page.body.contains("name=\"password\""));
    let wrong = world.post("/sign-in/code", &pending, &[("code", "000000")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let next = shown(&secret, 1);
    let right = [("code", next.as_str()), ("return", "/admin/accounts")];
    let done = world.post("/sign-in/code", &pending, &right).await;
    // One wrong code was tried: that is told first.
    assert_eq!(done.status, StatusCode::OK);
    assert!(done.body.contains("誤りが1回"));
    assert_eq!(world.get("/admin/accounts", &cookie(&done)).await.status, StatusCode::OK);

    // A recovery code does too, and its use is told.
    let pending = cookie(&world.post("/sign-in", "", &form).await);
    let code = between(&codes.body, "<li class=\"secret\">", "<").to_owned();
    let done = world.post("/sign-in/code", &pending, &[("code", &code)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let page = world.get("/account/factors", &cookie(&done)).await;
    assert!(page.body.contains("回復コードが使われました") && page.body.contains("残り9個"));
}

/// Proves: before what the rules mark people show again who they are, and what they typed goes on.
#[tokio::test]
async fn showing_again_loses_nothing() {
    let mut files = crate::world::base_files();
    let text = String::from_utf8(files["pack.yaml"].clone()).unwrap();
    // Every moment is too long ago.
    let marked = text.replace(
        "key: step-up.minutes\n    value: 15\n    least: 1",
        "key: step-up.minutes\n    value: 0\n    least: 0",
    );
    assert_ne!(text, marked);
    files.insert("pack.yaml".to_owned(), marked.into_bytes());
    let settings = Settings { tls: false, ..Settings::default() };
    let world = World::with_pack(settings, Pack::from_files(files).unwrap()).await;
    world.staff("kanri", "試験 管理子", &["system-manager"]).await;
    let with = world.sign_in("kanri").await;
    let list = world.get(&format!("/admin/accounts?institution={}", world.institution), &with).await;
    let (before, _) = list.body.split_once("/stop\"").unwrap();
    let actor = before.rsplit("/admin/accounts/").next().unwrap();
    let path = format!("/admin/accounts/{actor}/stop");
    let asked = world.post(&path, &with, &[("reason", "退職したため"), ("password", "x")]).await;
    assert_eq!(asked.status, StatusCode::FORBIDDEN, "{}", asked.body);
    assert!(asked.body.contains("name=\"h.reason\" value=\"退職したため\""), "{}", asked.body);
    assert!(
        asked.body.contains(&format!("name=\"return\" value=\"{path}\""))
            && !asked.body.contains("h.password")
    );
    let form =
        [("return", path.as_str()), ("sends", "yes"), ("h.reason", "退職したため"), ("password", "wrong")];
    let wrong = world.post("/step-up", &with, &form).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("name=\"h.reason\" value=\"退職したため\""));
    let form =
        [("return", path.as_str()), ("sends", "yes"), ("h.reason", "退職したため"), ("password", PASSWORD)];
    let shown = world.post("/step-up", &with, &form).await;
    assert_eq!(shown.status, StatusCode::OK);
    assert!(
        shown.body.contains(&format!("action=\"{path}\""))
            && shown.body.contains("name=\"reason\" value=\"退職したため\"")
    );
    // The session goes on under another token.
    assert_ne!(cookie(&shown), with);
    assert!(world.get("/account", &with).await.header("location").starts_with("/sign-in"));
}

/// Proves: whoever leaves locks the screen with one button; nothing is shown until they are back.
#[tokio::test]
async fn clause_mhlw5_6_5_c_4() {
    let world = World::new().await;
    let with = world.sign_in("kango").await;
    let home = world.get("/", &with).await;
    assert!(home.body.contains("action=\"/lock\""));
    let locked = world.post("/lock", &with, &[("return", "/people/search")]).await;
    assert_eq!(locked.header("location"), "/unlock?return=/people/search");
    for path in ["/", "/people/search", "/account", "/account/factors"] {
        assert!(world.get(path, &with).await.header("location").starts_with("/unlock"), "{path}");
    }
    let page = world.get("/unlock?return=/people/search", &with).await;
    assert!(page.body.contains("離席中") && !page.body.contains("<nav"));
    let wrong = world.post("/unlock", &with, &[("password", "wrong")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let form = [("password", PASSWORD), ("return", "/people/search")];
    let back = world.post("/unlock", &with, &form).await;
    assert_eq!(back.header("location"), "/people/search");
    assert_eq!(world.get("/people/search", &cookie(&back)).await.status, StatusCode::OK);
    assert!(world.get("/", &with).await.header("location").starts_with("/sign-in"));
}

/// Proves: people see where they are signed in, and end it; those who administer accounts end anybody's.
#[tokio::test]
async fn clause_kawaguchi_9_2_4() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["system-manager"]).await;
    let (here, there) = (world.sign_in("kango").await, world.sign_in("kango").await);
    let page = world.get("/account/sessions", &here).await;
    assert_eq!(page.body.matches("（この端末）").count(), 1, "{}", page.body);
    let end = format!("/account/sessions/{}/end", between(&page.body, "action=\"/account/sessions/", "/end"));
    assert_eq!(world.post(&end, &here, &[]).await.header("location"), "/account/sessions?done=session-ended");
    assert!(world.get("/", &there).await.header("location").starts_with("/sign-in"));
    assert_eq!(world.post(&end, &here, &[]).await.status, StatusCode::CONFLICT);
    let there = world.sign_in("kango").await;
    world.post("/account/sessions/end", &here, &[]).await;
    assert!(world.get("/", &there).await.header("location").starts_with("/sign-in"));

    let kanri = world.sign_in("kanri").await;
    let list = world.get(&format!("/admin/accounts?institution={}", world.institution), &kanri).await;
    let actor = list.body.split("kango").nth(1).map(|rest| between(rest, "/admin/accounts/", "/")).unwrap();
    let base = format!("/admin/accounts/{actor}/sessions");
    let page = world.get(&base, &kanri).await;
    assert!(page.body.contains("試験 看護子"), "{}", page.body);
    let ended = world.post(&format!("{base}/end"), &kanri, &[]).await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER, "{}", ended.body);
    assert!(world.get("/", &here).await.header("location").starts_with("/sign-in"));
    // A lost factor is told of the same account.
    let page = world.get(&format!("/admin/accounts/{actor}/factor"), &kanri).await;
    assert!(page.body.contains("紛失の届け"));
    let none = world.post(&format!("/admin/accounts/{actor}/factor/lost"), &kanri, &[("lost", "紛失")]).await;
    assert_eq!(none.status, StatusCode::CONFLICT);
    assert!(none.body.contains("登録がありません"), "{}", none.body);
}

/// Proves: no form that changes anything is taken from another site, whatever its address.
#[tokio::test]
async fn every_form_refuses_another_site() {
    let world = World::new().await;
    let with = world.sign_in("kango").await;
    let mut walked = 0;
    for route in ROUTES.iter().filter(|r| r.surface == Surface::Staff && r.method != "GET") {
        let id = mimamori_domain::ObjectId::random().to_string();
        let mut path = route.path.to_owned();
        while let Some((before, rest)) = path.split_once('{') {
            let (_, after) = rest.split_once('}').unwrap();
            path = format!("{before}{id}{after}");
        }
        for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
            let request = Request::builder()
                .method(route.method)
                .uri(&path)
                .header(header::HOST, "localhost")
                .header(header::COOKIE, &with)
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(name, value);
            let answer = send(&world.pages, request.body(Body::from("sure=yes")).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{} {name}", route.path);
        }
        walked += 1;
    }
    assert!(walked > 50, "{walked}");
    assert_eq!(world.get("/account", &with).await.status, StatusCode::OK);
}

/// Proves: a passkey stands for two factors only because each must verify its user; without a script the
/// pages work, and where passkeys are not set up none are offered.
#[tokio::test]
async fn clause_mic_3_2_3_1_2_4() {
    let world = World::new().await;
    let with = world.sign_in("kango").await;
    for path in ["/sign-in", "/account/factors"] {
        assert!(!world.get(path, &with).await.body.contains("/assets/passkey-"), "{path}");
    }
    let asked = world.post("/account/factors/passkey/challenge", &with, &[]).await;
    assert_eq!(asked.status, StatusCode::CONFLICT);
    for wrong in ["http://mimamori.example.jp", "https://192.0.2.1", "mimamori", ""] {
        assert!(world.app.serve_passkeys(wrong, "見守り").is_err(), "{wrong}");
    }
    world.app.serve_passkeys("https://mimamori.example.jp", "見守り").unwrap();
    let page = world.get("/account/factors", &with).await;
    let script = between(&page.body, "src=\"/assets/passkey-", "\"").to_owned();
    let script = world.get(&format!("/assets/passkey-{script}"), "").await;
    assert!(script.header("content-type").starts_with("text/javascript"));
    assert!(script.body.contains("navigator.credentials"));
    let asked = world.post("/account/factors/passkey/challenge", &with, &[]).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    assert!(
        asked.body.contains("\"id\":\"mimamori.example.jp\"")
            && asked.body.contains("\"userVerification\":\"required\"")
    );
    let asked = world.post("/sign-in/passkey/challenge", "", &[]).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.body);
    let token = between(&asked.body, "\"token\":\"", "\"").to_owned();
    let wrong = world.post("/sign-in/passkey", "", &[("challenge", &token), ("answer", "{}")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
}
