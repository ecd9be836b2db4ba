//! Terminals: their pages, their certificates in requests, the published list; and where programs sign in.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mimamori_app::{NewTerminal, Origin};

use crate::world::{World, send};

/// What stands between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from} in {text}"));
    rest.split(to).next().unwrap()
}

#[tokio::test]
async fn a_terminal_is_registered_renewed_and_revoked_on_the_pages() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理", &["system-manager"]).await;
    let cookie = world.sign_in("kanri").await;
    assert_eq!(world.get("/terminals.crl", "").await.status, StatusCode::NOT_FOUND, "there is none yet");
    let empty = world.get("/admin/terminals", &cookie).await;
    assert_eq!(empty.status, StatusCode::OK, "{}", empty.body);
    assert!(empty.body.contains("登録した端末は、まだありません"), "{}", empty.body);
    assert!(world.get("/admin/accounts", &cookie).await.body.contains("href=\"/admin/terminals\""));

    let unnamed = [("name", " "), ("place", "2階")];
    let again = world.post("/admin/terminals", &cookie, &unnamed).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.body.contains("端末の名前と置き場所を入力してください"), "{}", again.body);

    let form = [("name", "2階病棟 3号機"), ("place", "2階"), ("owner", "kango")];
    let given = world.post("/admin/terminals", &cookie, &form).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    assert_eq!(given.header("cache-control"), "no-store");
    let passphrase = between(&given.body, "<dd class=\"secret\">", "</dd>");
    assert!(passphrase.len() >= 24, "{passphrase}");
    let file =
        between(&given.body, "name=\"file\" value=\"", "\"").replace("&#x2B;", "+").replace("&#43;", "+");
    let bytes = STANDARD.decode(&file).unwrap();
    assert_eq!(bytes[0], 0x30);
    let download = world.post("/admin/terminals/file", &cookie, &[("file", &file)]).await;
    assert_eq!(download.header("content-type"), "application/x-pkcs12");
    assert!(download.header("content-disposition").starts_with("attachment"));
    assert_eq!(
        world.post("/admin/terminals/file", &cookie, &[("file", "?")]).await.status,
        StatusCode::BAD_REQUEST
    );

    let list = world.get("/admin/terminals", &cookie).await.body;
    assert!(list.contains("2階病棟 3号機") && list.contains("試験 看護子") && !list.contains(passphrase));
    let renew = format!("/admin/terminals/{}/renew", between(&list, "/admin/terminals/", "/renew"));
    assert!(world.get(&renew, &cookie).await.body.contains("証明書の更新"));
    let renewed = world.post(&renew, &cookie, &[]).await;
    assert_ne!(between(&renewed.body, "<dd class=\"secret\">", "</dd>"), passphrase);
    let revoke = renew.replace("/renew", "/revoke");
    assert!(world.get(&revoke, &cookie).await.body.contains("元に戻すことはできません"));
    assert_eq!(
        world.post(&revoke, &cookie, &[("reason", "")]).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let done = world.post(&revoke, &cookie, &[("reason", "紛失")]).await;
    assert_eq!(done.header("location"), "/admin/terminals?done=terminal-revoked");
    let list = world.get(done.header("location"), &cookie).await.body;
    assert!(list.contains("無効にしました") && list.contains("紛失"), "{list}");
    assert_eq!(world.post(&renew, &cookie, &[]).await.status, StatusCode::CONFLICT);
    let published = world.get("/terminals.crl", "").await;
    assert_eq!(
        (published.status, published.header("content-type")),
        (StatusCode::OK, "application/pkix-crl")
    );

    // Neither a nurse nor somebody who only looks after accounts.
    world.staff("madoguchi", "試験 窓口", &["help-desk"]).await;
    for login in ["kango", "madoguchi"] {
        let cookie = world.sign_in(login).await;
        assert_eq!(
            world.post("/admin/terminals", &cookie, &form).await.status,
            StatusCode::FORBIDDEN,
            "{login}"
        );
        assert_eq!(world.get("/admin/terminals", &cookie).await.status, StatusCode::FORBIDDEN, "{login}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_in_use_gets_a_page_that_says_so_and_no_more_answers() {
    let world = World::new().await;
    let operator = world.app.operator("test");
    let ward = NewTerminal { name: "病棟".to_owned(), place: "2階".to_owned(), ..NewTerminal::default() };
    world.app.register_terminal(&operator, &ward).await.unwrap();
    let shown = Origin { certificate: Some([7; 32]), ..Origin::default() };
    let ask = |path: &str| Request::builder().uri(path).extension(shown.clone()).body(Body::empty()).unwrap();
    let page = send(&world.pages, ask("/sign-in")).await;
    assert_eq!((page.status, page.header("connection")), (StatusCode::FORBIDDEN, "close"));
    assert!(page.body.contains("この端末の証明書は使えません"), "{}", page.body);
    let outcome = send(&world.fhir, ask("/fhir/metadata")).await;
    assert_eq!((outcome.status, outcome.header("connection")), (StatusCode::FORBIDDEN, "close"));
    assert!(
        outcome.body.contains("OperationOutcome") && outcome.body.contains("not in use"),
        "{}",
        outcome.body
    );
    // The page of the refusal is shown as it should look.
    let style = between(&page.body, "/assets/", "\"");
    assert_eq!(send(&world.pages, ask(&format!("/assets/{style}"))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn programs_are_told_where_and_how_to_get_a_token() {
    let world = World::new().await;
    let told = world.rest("GET", "/fhir/.well-known/smart-configuration", &[("authorization", "")], "").await;
    assert_eq!((told.status, told.header("content-type")), (StatusCode::OK, "application/json"));
    for word in ["/fhir/auth/token", "private_key_jwt", "RS384", "ES384", "client-confidential-asymmetric"] {
        assert!(told.body.contains(word), "{word}: {}", told.body);
    }
    let ask = async |form: &str| {
        let kind = [("content-type", "application/x-www-form-urlencoded"), ("authorization", "")];
        world.rest("POST", "/fhir/auth/token", &kind, form).await
    };
    let jwt = "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    for (form, status, error) in [
        ("a=b", 400, "invalid_request"),
        ("grant_type=password", 400, "unsupported_grant_type"),
        ("grant_type=client_credentials", 401, "invalid_client"),
        ("grant_type=client_credentials&client_assertion=a.b.c", 400, "invalid_request"),
        (&format!("grant_type=client_credentials&{jwt}&client_assertion=a.b.c"), 401, "invalid_client"),
    ] {
        let answer = ask(form).await;
        assert_eq!(answer.status.as_u16(), status, "{form}: {}", answer.body);
        assert!(answer.body.contains(&format!("\"error\":\"{error}\"")), "{form}: {}", answer.body);
        assert_eq!(answer.header("cache-control"), "no-store", "{form}");
    }
}
