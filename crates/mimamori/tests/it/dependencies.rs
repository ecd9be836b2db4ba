//! Which crate may use which: the layout of the design, kept by looking at what cargo knows.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// What each crate of ours may depend on among ours; tests may use more (see below).
const ALLOWED: &[(&str, &[&str])] = &[
    ("mimamori-domain", &[]),
    ("mimamori-ledger", &["domain"]),
    ("mimamori-vault", &["domain"]),
    ("mimamori-policy", &["domain"]),
    ("mimamori-fhir", &["domain"]),
    ("mimamori-demo", &["domain"]),
    ("mimamori-store", &["domain", "ledger"]),
    ("mimamori-store-sqlite", &["domain", "ledger", "store"]),
    ("mimamori-store-postgres", &["domain", "ledger", "store"]),
    ("mimamori-app", &["domain", "ledger", "vault", "policy", "fhir", "store"]),
    // The pack's words are shown as they are; everything that decides goes through `app`.
    ("mimamori-web", &["domain", "fhir", "policy", "app"]),
    ("mimamori-city", &["domain", "policy", "app", "demo"]),
    (
        "mimamori",
        &[
            "domain",
            "ledger",
            "vault",
            "policy",
            "fhir",
            "demo",
            "city",
            "store",
            "store-sqlite",
            "store-postgres",
            "app",
            "web",
        ],
    ),
];

/// Libraries that only some crates may see.
const CONFINED: &[(&str, &[&str])] = &[
    ("sqlx", &["mimamori-store", "mimamori-store-sqlite", "mimamori-store-postgres"]),
    ("rusqlite", &["mimamori-store-sqlite"]),
    ("axum", &["mimamori-web", "mimamori"]),
    ("cedar-policy", &["mimamori-policy"]),
    // What draws the demonstration's papers draws nothing else.
    ("krilla", &["mimamori-demo"]),
    ("skrifa", &["mimamori-demo"]),
    ("tiny-skia", &["mimamori-demo"]),
];

/// Crates without I/O run nothing asynchronous.
const NEVER_ASYNC: &[&str] = &["mimamori-domain", "mimamori-ledger", "mimamori-vault", "mimamori-fhir"];

#[test]
fn dependencies_point_one_way() {
    let graph = direct_dependencies();
    let ours: BTreeSet<&str> = graph.keys().map(String::as_str).collect();
    let known: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, known, "a crate appeared or went: decide what it may depend on");
    for (name, allowed) in ALLOWED {
        let dependencies = &graph[*name];
        let wrong: Vec<&String> = dependencies
            .iter()
            .filter(|dependency| {
                dependency.strip_prefix("mimamori-").is_some_and(|short| !allowed.contains(&short))
            })
            .collect();
        assert!(wrong.is_empty(), "{name} must not depend on {wrong:?}");
        assert!(!dependencies.contains("mimamori"), "{name} must not depend on the program");
    }
    for (library, holders) in CONFINED {
        for (name, dependencies) in &graph {
            assert!(
                !dependencies.contains(*library) || holders.contains(&name.as_str()),
                "{name} must not use {library}"
            );
        }
    }
    for name in NEVER_ASYNC {
        assert!(!graph[*name].contains("tokio"), "{name} must not be asynchronous");
    }
}

/// Every crate of the workspace with its direct dependencies, development ones left out.
fn direct_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(!packages.is_empty());
    packages
        .iter()
        .map(|package| {
            let dependencies = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"].as_str() != Some("dev"))
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .collect();
            (package["name"].as_str().unwrap().to_owned(), dependencies)
        })
        .collect()
}
