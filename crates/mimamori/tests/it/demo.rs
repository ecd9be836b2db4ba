//! The demonstration by its command: it is made, its ledger verifies, and it runs under the pack that it
//! keeps. What each pack's city holds is tested where cities are made.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn mimamori(home: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mimamori"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MIMAMORI_")) {
        command.env_remove(name);
    }
    command.args(["--home", home, "--json"]).args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_city_is_made_its_ledger_verifies_and_its_clauses_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("city");
    let home = home.to_str().unwrap();
    let span = ["--people", "1", "--days", "21", "--until", "2026-06-18T06:30:00Z"];
    let made = mimamori(home, &[&["demo", "--pack", "komaki", "--no-serve"], &span[..]].concat());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let told: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert!(told["sign_ins"].as_array().is_some_and(|shown| shown.len() > 5), "{told}");
    assert!(told["filled"]["registers"].as_object().is_some_and(|counts| !counts.is_empty()), "{told}");
    let verified = mimamori(home, &["ledger", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    the_state_of_every_clause_is_told_to_scripts_and_people(home);
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

/// The program without `--json`, as people use it.
fn told(home: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mimamori"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MIMAMORI_")) {
        command.env_remove(name);
    }
    let output = command.args(["--home", home]).args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every clause stands once, in a state that its worst answer explains, and is counted in its chapter;
/// what was done is told with its day.
fn the_state_of_every_clause_is_told_to_scripts_and_people(home: &str) {
    let pack = mimamori_policy::Pack::embedded("komaki").unwrap();
    let status = |more: &[&str]| -> Value {
        let output = mimamori(home, &[&["pack", "status", "--language", "en"], more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let all = status(&[]);
    assert_eq!(all["pack"]["id"], "komaki");
    let clauses = all["clauses"].as_array().unwrap();
    let ids: Vec<&str> = clauses.iter().map(|clause| clause["id"].as_str().unwrap()).collect();
    let known: Vec<&str> = pack.clauses().map(|clause| clause.id.as_str()).collect();
    assert_eq!(ids, known);
    let states: Vec<&str> = clauses.iter().map(|clause| clause["state"].as_str().unwrap()).collect();
    let rank = |state: &str| mimamori_app::State::NAMES.iter().position(|name| *name == state).unwrap();
    for (clause, state) in clauses.iter().zip(&states) {
        let answers = clause["answers"].as_array().unwrap();
        let worst = answers.iter().map(|answer| rank(answer["state"].as_str().unwrap())).max();
        assert_eq!(rank(state), worst.unwrap_or_else(|| rank("not-answered")), "{clause}");
        assert_eq!(clause["until"].is_string(), *state == "attested", "{clause}");
        assert!(answers.iter().all(|answer| !answer["seen"].as_str().unwrap().is_empty()), "{clause}");
    }
    let mut counted = std::collections::BTreeMap::<&str, u64>::new();
    for chapter in all["chapters"].as_array().unwrap() {
        for (state, count) in chapter["states"].as_object().unwrap() {
            *counted.entry(state).or_default() += count.as_u64().unwrap();
        }
    }
    for state in &states {
        *counted.get_mut(state).unwrap() -= 1;
    }
    assert!(counted.values().all(|left| *left == 0), "{counted:?}");
    // The city did some of its duties, and stated what it attests.
    let answers: Vec<&Value> =
        clauses.iter().flat_map(|clause| clause["answers"].as_array().unwrap()).collect();
    let seen = |kind: &str, state: &str, words: &str| {
        answers.iter().any(|answer| {
            answer["kind"] == kind
                && answer["state"] == state
                && answer["seen"].as_str().unwrap().starts_with(words)
        })
    };
    assert!(seen("attestation", "attested", "stated until 20"), "{answers:#?}");
    assert!(seen("document", "kept", ""), "{answers:#?}");
    assert!(seen("register", "kept", "") || seen("schedule", "kept", "done on 20"), "{answers:#?}");

    // By state and catalogue.
    let kept = status(&["--state", "kept,attested", "--catalogue", "komaki"]);
    let shown = kept["clauses"].as_array().unwrap();
    assert!(!shown.is_empty());
    for clause in shown {
        assert!(["kept", "attested"].contains(&clause["state"].as_str().unwrap()), "{clause}");
        assert!(clause["id"].as_str().unwrap().starts_with("komaki."), "{clause}");
    }
    assert_eq!(status(&["--catalogue", "nowhere"])["clauses"].as_array().unwrap().len(), 0);
    let wrong = mimamori(home, &["pack", "status", "--state", "splendid"]);
    assert!(!wrong.status.success());

    // To people, in their language: the head, a line for each chapter, each clause with its answers.
    let text = told(home, &["pack", "status", "--state", "kept"]);
    let head =
        format!("{} ({})", pack.name(mimamori_policy::Language::Ja), all["pack"]["hash"].as_str().unwrap());
    assert_eq!(text.lines().next(), Some(head.as_str()));
    for (id, state) in ids.iter().zip(&states) {
        assert_eq!(text.contains(&format!("\n{id} [kept] ")), *state == "kept", "{id}: {text}");
    }
    assert!(text.lines().any(|line| line.starts_with("    ") && line.contains(": ")), "{text}");
}
