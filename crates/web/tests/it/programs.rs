//! The page of programs that read and write records by themselves.

use axum::http::StatusCode;

use crate::world::World;

/// The key of RFC 7517, appendix A.1, whose thumbprint RFC 7638, section 3.1, gives.
const KEYS: &str = r#"{"keys":[{"kty":"RSA","kid":"2011-04-29","e":"AQAB","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}]}"#;
const THUMBPRINT: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

#[tokio::test]
async fn a_program_is_registered_looked_at_and_revoked_on_the_pages() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理", &["system-manager"]).await;
    let cookie = world.sign_in("kanri").await;
    let empty = world.get("/admin/programs", &cookie).await;
    assert_eq!(empty.status, StatusCode::OK, "{}", empty.body);
    assert!(empty.body.contains("登録した連携プログラムは、まだありません"));
    assert!(world.get("/admin/accounts", &cookie).await.body.contains("href=\"/admin/programs\""));

    let institution = world.institution.to_string();
    let form = |scopes: &'static str, keys: &'static str| {
        [
            ("name", "検査システム"),
            ("institution", institution.as_str()),
            ("scopes", scopes),
            ("keys", keys),
            ("terminal", ""),
        ]
    };
    // Nothing typed is lost when something is wrong with it.
    for (scopes, keys) in [("system/Observation.r", KEYS), ("system/Observation.rs", ""), ("", KEYS)] {
        let wrong = world.post("/admin/programs", &cookie, &form(scopes, keys)).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{scopes} {}", wrong.body);
        assert!(wrong.body.contains("value=\"検査システム\""));
    }
    let lines = "system/Observation.rs\nsystem/Patient.rs";
    let done = world.post("/admin/programs", &cookie, &form(lines, KEYS)).await;
    assert_eq!(done.header("location"), "/admin/programs?done=program-added", "{}", done.body);
    let list = world.get("/admin/programs", &cookie).await.body;
    for told in ["検査システム", "system/Patient.rs", "2011-04-29", THUMBPRINT, "まだ使われていません"]
    {
        assert!(list.contains(told), "{told}: {list}");
    }
    let (_, rest) = list.split_once("/admin/programs/").unwrap();
    let (id, _) = rest.split_once("/revoke").unwrap();
    let revoke = format!("/admin/programs/{id}/revoke");
    assert!(world.get(&revoke, &cookie).await.body.contains("元に戻すことはできません"));
    let without = world.post(&revoke, &cookie, &[("reason", "")]).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    let done = world.post(&revoke, &cookie, &[("reason", "契約の終了")]).await;
    assert_eq!(done.header("location"), "/admin/programs?done=program-revoked");
    let list = world.get("/admin/programs", &cookie).await.body;
    assert!(list.contains("契約の終了") && !list.contains(&revoke), "{list}");
    let again = world.post(&revoke, &cookie, &[("reason", "契約の終了")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let nobody = format!("/admin/programs/{}/revoke", mimamori_domain::ObjectId::random());
    assert_eq!(world.get(&nobody, &cookie).await.status, StatusCode::NOT_FOUND);

    // Neither a nurse nor somebody who only looks after accounts.
    world.staff("madoguchi", "試験 窓口", &["help-desk"]).await;
    for login in ["kango", "madoguchi"] {
        let cookie = world.sign_in(login).await;
        for (path, typed) in [("/admin/programs", &form(lines, KEYS)[..]), (&revoke, &[("reason", "x")])] {
            assert_eq!(world.post(path, &cookie, typed).await.status, StatusCode::FORBIDDEN, "{login}");
            assert_eq!(world.get(path, &cookie).await.status, StatusCode::FORBIDDEN, "{login} {path}");
        }
    }
}
