//! Cities under every pack: each is made, has everything that its rules ask for, and its ledger verifies.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on should say so at once"
)]

mod support;

use mimamori_policy::{Language, Pack, RoleScope};
use serde_json::Value;

use support::City;

/// How often a word stands among the counts of all cases, or all registers.
fn sum(of: &Value, word: &str) -> u64 {
    of.as_object().unwrap().values().filter_map(|counts| counts[word].as_u64()).sum()
}

/// Everything that an organisation has in its papers is there: kept, amended, refused, late and waiting.
fn is_lived_in(pack: &Pack, filled: &Value) {
    let id = pack.id();
    let empty: Vec<&String> = filled["registers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, counts)| counts["entries"] == 0)
        .map(|(code, _)| code)
        .collect();
    assert!(empty.is_empty(), "{id}: registers without an entry: {empty:?}");
    for word in ["amended", "struck", "reviews"] {
        assert!(sum(&filled["registers"], word) > 0, "{id}: nothing {word}");
    }
    for stage in ["open", "returned", "finished", "refused", "withdrawn"] {
        assert!(sum(&filled["cases"], stage) > 0, "{id}: no case is {stage}: {}", filled["cases"]);
    }
    if pack.procedures().iter().any(|procedure| procedure.emergency.is_some()) {
        assert!(sum(&filled["cases"], "emergency") > 0, "{id}: no emergency");
    }
    for state in ["done", "due"] {
        assert!(filled["duties"][state].as_u64().unwrap_or(0) > 0, "{id}: no duty {state}");
    }
    assert!(filled["statements"]["holds"].as_u64().unwrap_or(0) > 0, "{id}: nothing stated");
    assert!(filled["documents"]["published"].as_u64().unwrap_or(0) > 0, "{id}: nothing published");
}

/// Everything is there, every role of the pack that is not outside has a sign-in, with its name and
/// somebody's, everybody shown can sign in, and nothing was changed behind the ledger's back.
async fn every_role_signs_in(pack: &str) {
    let city = City::made(pack, 21).await;
    let rules = city.app.pack().clone();
    is_lived_in(&rules, &city.filled());
    for role in rules.roles().iter().filter(|role| !role.outside) {
        let name = role.name(Language::Ja);
        let found = city.sign_ins.iter().any(|who| who.who_ja.starts_with(&format!("{name} ")));
        let no_system = role.scope == RoleScope::System && rules.systems().is_empty();
        assert!(found || no_system, "{pack}: nobody is {name} in {:#?}", city.sign_ins);
    }
    for who in &city.sign_ins {
        assert!(!who.who_ja.contains("（）"), "{who:?}");
        let signed_in = city.app.sign_in(&who.login, mimamori_city::PASSWORD, &Default::default()).await;
        assert!(signed_in.is_ok_and(|signed_in| !signed_in.second), "{pack}: {} does not sign in", who.login);
    }
    let report = city.app.verify(&|_, _| {}).await.unwrap();
    assert!(report.findings.is_empty(), "{pack}: {:#?}", report.findings);
    assert!(report.entries > 1_000 && report.checkpoints > 0, "{pack}: {report:?}");
    city.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_city_under_the_base_pack() {
    every_role_signs_in("base").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_city_under_the_komaki_pack() {
    every_role_signs_in("komaki").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_city_under_the_kasama_pack() {
    every_role_signs_in("kasama").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_city_under_the_osaki_pack() {
    every_role_signs_in("osaki").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_city_under_the_kawaguchi_pack() {
    every_role_signs_in("kawaguchi").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_seed_makes_the_same_city() {
    let (one, two) = (City::made("base", 7).await, City::made("base", 7).await);
    assert!(one.filled()["registers"].as_object().is_some_and(|counts| !counts.is_empty()));
    assert_eq!(one.filled(), two.filled());
    let shown = |city: &City| format!("{:?}", city.sign_ins);
    assert_eq!(shown(&one), shown(&two));
    one.close().await;
    two.close().await;
}
