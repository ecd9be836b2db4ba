//! The organisation's rules as a browser without JavaScript uses them.

use axum::http::StatusCode;

use crate::world::{Answer, World};

/// What holds for every page: weight, unique ids, a label for every field, no script, closed tags.
pub fn check(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::OK, "{what}: {}", answer.body);
    check_markup(&answer.body, what);
}

pub fn check_markup(html: &str, what: &str) {
    assert!(html.len() < 60_000, "{what} weighs {} bytes", html.len());
    for forbidden in ["<script", " style=", " onclick", "javascript:"] {
        assert!(!html.contains(forbidden), "{forbidden} in {what}");
    }
    for tag in ["form", "p", "section", "fieldset", "ul", "ol", "dl", "table", "div"] {
        let opened = html.matches(&format!("<{tag} ")).count() + html.matches(&format!("<{tag}>")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag} in {what}");
    }
    let after = |mark: &str| -> Vec<String> {
        html.split(mark).skip(1).filter_map(|p| p.split('"').next()).map(str::to_owned).collect()
    };
    let (ids, mut unique, mut labels) = (after(" id=\""), after(" id=\""), Vec::new());
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), ids.len(), "an id stands twice in {what}");
    for label in html.split("<label ").skip(1) {
        labels.extend(label.split("for=\"").nth(1).and_then(|p| p.split('"').next()));
    }
    for tag in html.split('<').filter(|t| {
        let field = ["input ", "select ", "textarea "].iter().any(|f| t.starts_with(f));
        field && !t.contains("type=\"hidden\"")
    }) {
        let id = tag.split(" id=\"").nth(1).and_then(|t| t.split('"').next());
        assert!(id.is_some_and(|id| labels.contains(&id)), "{tag} in {what}");
    }
}

const ASSETS: &str = "/rules/registers/asset-ledger";

fn asset<'a>(number: &'a str, owner: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("f.number", number),
        ("f.name", "訪問用の端末"),
        ("f.kind", "terminal"),
        ("f.owner", owner),
        ("f.location", "ステーションの鍵付きの棚"),
        ("f.personal-data", "yes"),
        ("f.may-leave", "no"),
        ("f.in-use-from", "2026-04-01"),
    ]
}

#[tokio::test]
async fn an_entry_is_added_amended_struck_and_its_history_tells_all() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["security-manager"]).await;
    world.staff("kansa", "試験 監査子", &["auditor"]).await;
    let cookie = world.sign_in("kanri").await;
    check(&world.get("/rules/registers", &cookie).await, "registers");
    check(&world.get(ASSETS, &cookie).await, "an empty register");
    let form = world.get(&format!("{ASSETS}/new"), &cookie).await;
    check(&form, "a new entry");
    assert!(form.body.contains("試験 管理子") && form.body.contains("type=\"date\""), "{}", form.body);

    // What is wrong is told beside its field; what was typed is kept.
    let bad = world.post_form(&format!("{ASSETS}/entries"), &cookie, &asset("", "だれもいない"), &[]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    check_markup(&bad.body, "a form with faults");
    assert!(bad.body.contains("一覧にありません") && bad.body.contains("だれもいない"), "{}", bad.body);
    let bad = world.post_form(&format!("{ASSETS}/entries"), &cookie, &asset("", "管理子"), &[]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.body.contains("id=\"f-number-error\""), "{}", bad.body);
    assert!(bad.body.contains("ステーションの鍵付きの棚"));

    // A part of a name is enough where only one has it.
    let added = world.post_form(&format!("{ASSETS}/entries"), &cookie, &asset("T-01", "管理子"), &[]).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.body);
    let entry = added.header("location").split('?').next().unwrap().to_owned();
    let page = world.get(&entry, &cookie).await;
    check(&page, "an entry");
    assert!(page.body.contains("T-01") && page.body.contains("2026年4月1日"), "{}", page.body);
    check(&world.get(&format!("{entry}?print"), &cookie).await, "an entry on paper");
    let table = world.get(ASSETS, &cookie).await;
    check(&table, "a register");
    assert!(table.body.contains("1件"));

    // Filters by word and by choice, sorted both ways; no word ever stands in an address.
    for (asked, found) in [
        (("text", "t-01"), true),
        (("text", "ありません"), false),
        (("f.kind", "terminal"), true),
        (("f.kind", "server"), false),
        (("sort", "number"), true),
        (("sort", "-number"), true),
    ] {
        let table = world.post(ASSETS, &cookie, &[asked]).await;
        check(&table, "a filtered register");
        assert_eq!(table.body.contains(&entry), found, "{asked:?}");
    }

    // Amended with a reason; an amendment of an older version is refused.
    check(&world.get(&format!("{entry}/amend"), &cookie).await, "an amendment");
    let mut changed = asset("T-01", "管理子");
    changed[4].1 = "廃棄待ちの棚";
    changed.push(("version", "1"));
    let without = world.post_form(&format!("{entry}/amend"), &cookie, &changed, &[]).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(without.body.contains("id=\"reason-error\""));
    changed.push(("reason", "置き場所が変わった"));
    let amended = world.post_form(&format!("{entry}/amend"), &cookie, &changed, &[]).await;
    assert_eq!(amended.status, StatusCode::SEE_OTHER, "{}", amended.body);
    let twice = world.post_form(&format!("{entry}/amend"), &cookie, &changed, &[]).await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let page = world.get(&entry, &cookie).await;
    check(&page, "an amended entry");
    assert!(page.body.contains("<del>") && page.body.contains("置き場所が変わった"), "{}", page.body);

    // Others: the auditor reads and does not write; a nurse does neither.
    let auditor = world.sign_in("kansa").await;
    check(&world.get(&entry, &auditor).await, "an entry for the auditor");
    assert_eq!(world.get(&format!("{entry}/amend"), &auditor).await.status, StatusCode::FORBIDDEN);
    let nurse = world.sign_in("kango").await;
    for path in [ASSETS.to_owned(), entry.clone(), format!("{ASSETS}/new"), format!("{ASSETS}/reviews")] {
        assert_eq!(world.get(&path, &nurse).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let refused = world.post_form(&format!("{ASSETS}/entries"), &nurse, &asset("X", "管理子"), &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    // Struck out after a last look.
    check(&world.get(&format!("{entry}/strike"), &cookie).await, "striking out");
    let strike = format!("{entry}/strike");
    let look = world.post(&strike, &cookie, &[("version", "2"), ("reason", "廃棄した")]).await;
    check(&look, "a last look before striking out");
    let sure = [("version", "2"), ("reason", "廃棄した"), ("sure", "yes")];
    assert_eq!(world.post(&strike, &cookie, &sure).await.status, StatusCode::SEE_OTHER);
    check(&world.get(&entry, &cookie).await, "a struck entry");
    assert!(!world.get(ASSETS, &cookie).await.body.contains(&entry));
    assert!(world.post(ASSETS, &cookie, &[("struck", "yes")]).await.body.contains(&entry));
}

#[tokio::test]
async fn a_register_is_reviewed() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["security-manager"]).await;
    let cookie = world.sign_in("kanri").await;
    let reviews = format!("{ASSETS}/reviews");
    check(&world.get(&reviews, &cookie).await, "no reviews");
    let bad = world.post(&reviews, &cookie, &[("in-order", "no"), ("finding", "")]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", bad.body);
    let done = world.post(&reviews, &cookie, &[("in-order", "no"), ("finding", "1台が見つからない")]).await;
    assert_eq!(done.header("location"), format!("{reviews}?done=reviewed"));
    let page = world.get(&reviews, &cookie).await;
    check(&page, "reviews");
    assert!(page.body.contains("1台が見つからない") && page.body.contains("試験 管理子"));
}
