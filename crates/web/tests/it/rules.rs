//! The organisation's rules as a browser without JavaScript uses them.

use axum::http::StatusCode;

use crate::world::{Answer, World};

/// What holds for every page: weight, unique ids, a label for every field, no script, closed tags.
pub fn check(answer: &Answer, what: &str) {
    assert_eq!(answer.status, StatusCode::OK, "{what}: {}", answer.body);
    check_markup(&answer.body, what);
}

/// Gets a page in both languages and checks it; gives the Japanese one. Where `MIMAMORI_PAGES` names
/// a folder, the pages are kept there to be looked at.
pub async fn look(world: &World, path: &str, cookie: &str, what: &str) -> Answer {
    let english = world.get(path, &format!("{cookie}; lang=en")).await;
    check(&english, what);
    let japanese = world.get(path, cookie).await;
    check(&japanese, what);
    let words = english.body.split("<main").nth(1).unwrap_or_default();
    assert!(!words.contains("undefined"), "{what}");
    if let Ok(folder) = std::env::var("MIMAMORI_PAGES") {
        for (tag, html) in [("ja", &japanese.body), ("en", &english.body)] {
            let name = what.replace(' ', "-");
            let style = html.split("/assets/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            let html = html.replace(&format!("/assets/{style}"), "style.css");
            std::fs::write(format!("{folder}/{name}.{tag}.html"), html).unwrap();
        }
    }
    japanese
}

pub fn check_markup(html: &str, what: &str) {
    assert!(html.len() < 60_000, "{what} weighs {} bytes", html.len());
    // Modules of our own are files of this site.
    let html = &html
        .replace("<script type=\"module\" src=\"/assets/", "<module \"")
        .replace("</script>", "</module>");
    for forbidden in ["<script", " style=", " onclick", "javascript:"] {
        assert!(!html.contains(forbidden), "{forbidden} in {what}");
    }
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
        let word = tag.split_whitespace().next().unwrap_or_default();
        if let Some(closed) = word.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed), "</{closed}> within {open:?} in {what}");
        } else if !["!DOCTYPE", "br", "hr", "img", "input", "link", "meta", "wbr", "col"].contains(&word)
            && !tag.ends_with('/')
        {
            open.push(word);
        }
    }
    assert!(open.is_empty(), "never closed in {what}: {open:?}");
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
    look(&world, "/rules/registers", &cookie, "registers").await;
    look(&world, ASSETS, &cookie, "an empty register").await;
    let form = look(&world, &format!("{ASSETS}/new"), &cookie, "a new entry").await;
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
    let page = look(&world, &entry, &cookie, "an entry").await;
    assert!(page.body.contains("T-01") && page.body.contains("2026年4月1日"), "{}", page.body);
    look(&world, &format!("{entry}?print"), &cookie, "an entry on paper").await;
    let table = look(&world, ASSETS, &cookie, "a register").await;
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
    look(&world, &format!("{entry}/amend"), &cookie, "an amendment").await;
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
    let page = look(&world, &entry, &cookie, "an amended entry").await;
    assert!(page.body.contains("<del>") && page.body.contains("置き場所が変わった"), "{}", page.body);

    // Others: the auditor reads and does not write; a nurse does neither.
    let auditor = world.sign_in("kansa").await;
    look(&world, &entry, &auditor, "an entry for the auditor").await;
    assert_eq!(world.get(&format!("{entry}/amend"), &auditor).await.status, StatusCode::FORBIDDEN);
    let nurse = world.sign_in("kango").await;
    for path in [ASSETS.to_owned(), entry.clone(), format!("{ASSETS}/new"), format!("{ASSETS}/reviews")] {
        assert_eq!(world.get(&path, &nurse).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let refused = world.post_form(&format!("{ASSETS}/entries"), &nurse, &asset("X", "管理子"), &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    // Struck out after a last look.
    look(&world, &format!("{entry}/strike"), &cookie, "striking out").await;
    let strike = format!("{entry}/strike");
    let last = world.post(&strike, &cookie, &[("version", "2"), ("reason", "廃棄した")]).await;
    check(&last, "a last look before striking out");
    let sure = [("version", "2"), ("reason", "廃棄した"), ("sure", "yes")];
    assert_eq!(world.post(&strike, &cookie, &sure).await.status, StatusCode::SEE_OTHER);
    look(&world, &entry, &cookie, "a struck entry").await;
    assert!(!world.get(ASSETS, &cookie).await.body.contains(&entry));
    assert!(world.post(ASSETS, &cookie, &[("struck", "yes")]).await.body.contains(&entry));
}

#[tokio::test]
async fn a_register_is_reviewed() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["security-manager"]).await;
    let cookie = world.sign_in("kanri").await;
    let reviews = format!("{ASSETS}/reviews");
    look(&world, &reviews, &cookie, "no reviews").await;
    // A review is a statement: nothing is chosen beforehand, and nothing is taken for granted.
    let form = look(&world, &reviews, &cookie, "a review").await;
    assert!(!form.body.contains(" checked"), "{}", form.body);
    let bad = world.post(&reviews, &cookie, &[("finding", "棚を見た")]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    check_markup(&bad.body, "a review without a result");
    assert!(bad.body.contains("選んでください") && bad.body.contains("棚を見た"), "{}", bad.body);
    let bad = world.post(&reviews, &cookie, &[("in-order", "no"), ("finding", "")]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", bad.body);
    let done = world.post(&reviews, &cookie, &[("in-order", "no"), ("finding", "1台が見つからない")]).await;
    assert_eq!(done.header("location"), format!("{reviews}?done=reviewed"));
    let page = look(&world, &reviews, &cookie, "reviews").await;
    assert!(page.body.contains("1台が見つからない") && page.body.contains("試験 管理子"));
}
