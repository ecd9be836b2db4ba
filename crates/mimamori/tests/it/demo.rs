//! The demonstration under every pack: it is made, its ledger verifies, and it runs under the pack that
//! it keeps.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn mimamori(home: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mimamori"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MIMAMORI_")) {
        command.env_remove(name);
    }
    command.args(["--home", home, "--json"]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn made(pack: &str) -> (tempfile::TempDir, Value) {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("city");
    let home = home.to_str().unwrap();
    let output = mimamori(home, &["demo", "--pack", pack, "--people", "2", "--days", "14", "--no-serve"]);
    assert!(output.status.success(), "{pack}: {}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let verified = mimamori(home, &["ledger", "verify"]);
    assert!(verified.status.success(), "{pack}: {}", String::from_utf8_lossy(&verified.stdout));
    (folder, answer)
}

/// Every role of the pack that is not outside has a sign-in, with its name and somebody's.
fn every_role_signs_in(pack: &str) {
    let (_folder, answer) = made(pack);
    let rules = mimamori_policy::Pack::embedded(pack).unwrap();
    let shown: Vec<&str> =
        answer["sign_ins"].as_array().unwrap().iter().map(|row| row["ja"].as_str().unwrap()).collect();
    for role in rules.roles().iter().filter(|role| !role.outside) {
        let name = role.name(mimamori_policy::Language::Ja);
        let found = shown.iter().any(|shown| shown.starts_with(&format!("{name} ")));
        let no_system = role.scope == mimamori_policy::RoleScope::System && rules.systems().is_empty();
        assert!(found || no_system, "{pack}: nobody is {name} in {shown:#?}");
    }
}

#[test]
fn a_city_under_the_base_pack() {
    every_role_signs_in("base");
}

#[test]
fn a_city_under_the_komaki_pack() {
    every_role_signs_in("komaki");
}

#[test]
fn a_city_under_the_kasama_pack() {
    every_role_signs_in("kasama");
}

#[test]
fn a_city_under_the_osaki_pack() {
    every_role_signs_in("osaki");
}

#[test]
fn a_city_under_the_kawaguchi_pack() {
    every_role_signs_in("kawaguchi");
}

#[test]
fn init_refuses_what_only_the_site_can_say() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("site");
    let home = home.to_str().unwrap();
    let refused = mimamori(home, &["init", "--pack", "kasama"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("retention.records-years"));
    let given = mimamori(home, &["init", "--pack", "kasama", "--set", "retention.records-years=8"]);
    assert!(given.status.success(), "{}", String::from_utf8_lossy(&given.stderr));
    // What runs from now on is what was stored, with the value.
    let status = mimamori(home, &["pack", "status"]);
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    assert!(String::from_utf8_lossy(&status.stdout).contains("kasama."));
}
