//! What a pack's loader refuses, and how it says so.

use std::collections::BTreeMap;
use std::fs;

use mimamori_policy::{Language, Pack, PackProblem};

use crate::base::{folder, pack};

fn base() -> BTreeMap<String, Vec<u8>> {
    pack().files().clone()
}

/// The base pack with one text in one file replaced.
fn changed(file: &str, from: &str, to: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = base();
    let text = String::from_utf8(files[file].clone()).unwrap();
    assert!(text.contains(from), "{file} has {from}");
    files.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
    files
}

fn line_of(files: &BTreeMap<String, Vec<u8>>, file: &str, text: &str) -> u64 {
    let content = String::from_utf8(files[file].clone()).unwrap();
    1 + content.lines().position(|l| l.contains(text)).expect("the text is there") as u64
}

fn problems(files: BTreeMap<String, Vec<u8>>) -> Vec<PackProblem> {
    Pack::from_files(files).expect_err("it must be refused")
}

/// File, text to replace, by what, text on the line that must be named, and what must be said.
const FAULTS: &[(&str, &str, &str, &str, &str)] = &[
    ("roles.yaml", "en: \"auditor\"", "en: \" \"", "code: auditor", "text in en is missing"),
    ("roles.yaml", "appointed-by: [ciso]", "appointed-by: [cso]", "appointed-by: [cso]", "no role \"cso\""),
    ("roles.yaml", "code: help-desk", "code: ciso", "", "role ciso stands twice"),
    ("roles.yaml", "scope: institution\n", "scope: planet\n", "scope: planet", "it is one of installation"),
    (
        "occupations.yaml",
        "members: [doctor, dentist]",
        "members: [doctor, vet]",
        "vet",
        "no occupation \"vet\"",
    ),
    ("occupations.yaml", "code: helper,", "code: Helper,", "code: Helper,", "not a code"),
    ("classes.yaml", "sensitivity: 1", "sensitivity: 9", "", "sensitivity is 1 to 4"),
    (
        "classes.yaml",
        "readers: [physicians, nursing, allied, care]",
        "readers: [wizards]",
        "wizards",
        "no occupation or group",
    ),
    ("classes.yaml", "    person-reads: true", "    person-raeds: true", "person-raeds", "person-raeds"),
    ("classes.yaml", "kinds: [Encounter", "kinds: [\"En counter\"", "En counter", "not the name of a kind"),
    (
        "pack.yaml",
        "key: session.idle-minutes",
        "key: session.idle",
        "",
        "parameter session.idle-minutes is missing",
    ),
    ("pack.yaml", "value: 15\n", "value: 600\n", "key: session.idle-minutes", "600 is not from 1 to 60"),
    ("pack.yaml", "value: 15\n", "value: true\n", "", "is a Switch, a Number is needed"),
    ("pack.yaml", "value: 15\n", "value: 15\n    value: 16\n", "value: 16", "duplicate"),
    ("pack.yaml", "languages: [ja, en]", "languages: [ja, fr]", "languages: [ja, fr]", "no language \"fr\""),
    (
        "pack.yaml",
        "  - key: retention.ledger-years\n    value: 10",
        "  - key: retention.ledger-years\n    value: 5",
        "",
        "",
    ),
    ("access.cedar", "@basis(\"consent\")", "@basis(\"hope\")", "@id(\"team-read\")", "@basis is one of"),
    ("access.cedar", "@id(\"self-review\")", "@id(\"self-read\")", "", "policy self-read stands twice"),
    ("access.cedar", "@id(\"self-review\")\n", "", "", "has no @id"),
    ("access.cedar", "context.in_team }", "context.in_taem }", "context.in_taem }", "in_taem"),
    (
        "access.cedar",
        "Role::\"help-desk\"",
        "Role::\"helpdesk\"",
        "@id(\"accounts-help\")",
        "not defined in this pack",
    ),
    ("access.cedar", "Purpose::\"personal\"", "Purpose::\"fun\"", "Purpose::\"fun\"", "fun"),
    (
        "access.cedar",
        "permit (principal is Citizen,",
        "permit principal is Citizen,",
        "permit principal",
        "unexpected token",
    ),
    ("access.cedarschema", "entity Zone;", "entity Zone", "", ""),
    ("access.cedarschema", "  in_team: Bool,\n", "", "context.in_team", "in_team"),
];

#[test]
fn faults_are_named_by_file_line_and_reason() {
    for (file, from, to, on_line, reason) in FAULTS {
        let files = changed(file, from, to);
        let expected = (!on_line.is_empty()).then(|| {
            let place = if *file == "access.cedarschema" { "access.cedar" } else { file };
            (place, line_of(&files, place, on_line))
        });
        if reason.is_empty() && expected.is_none() && *file == "pack.yaml" {
            // Equal years are still fine: the check must not be stricter than the rule.
            assert!(Pack::from_files(files).is_ok(), "{to}");
            continue;
        }
        let found = problems(files);
        assert!(found.iter().any(|p| p.message.contains(reason)), "{to}: {found:?}");
        if let Some((place, line)) = expected {
            assert!(
                found.iter().any(|p| p.file == place && p.line == line),
                "{to} on {place}:{line}: {found:?}"
            );
        }
    }
}

#[test]
fn every_problem_is_told_at_once() {
    let mut files = changed("roles.yaml", "en: \"auditor\"", "en: \"\"");
    files.extend(
        changed("classes.yaml", "readers: [physicians, nursing, allied, care]", "readers: [wizards]")
            .remove_entry("classes.yaml"),
    );
    files.insert("extra.txt".into(), Vec::new());
    files.remove("access.cedarschema");
    let found = problems(files);
    let told: Vec<_> = found.iter().map(|p| p.file.as_str()).collect();
    for file in ["roles.yaml", "classes.yaml", "extra.txt", "access.cedarschema"] {
        assert!(told.contains(&file), "{file} in {found:?}");
    }
    assert!(found.is_sorted());
}

#[test]
fn a_file_that_cannot_be_read_is_not_blamed_on_the_others() {
    let mut files = changed("roles.yaml", "  - code: auditor", "- code: auditor");
    files.insert("classes.yaml".into(), b"\xff".to_vec());
    let found = problems(files);
    let told: Vec<_> = found.iter().map(|p| p.file.as_str()).collect();
    assert_eq!(told, ["classes.yaml", "roles.yaml"], "{found:?}");
    assert!(found[0].message == "not UTF-8" && found[1].message.starts_with("not YAML"), "{found:?}");
}

#[test]
fn the_ledger_outlives_the_records() {
    let found = problems(changed(
        "pack.yaml",
        "  - key: retention.records-years\n    value: 5",
        "  - key: retention.records-years\n    value: 50",
    ));
    assert!(found.iter().any(|p| p.message.contains("fewer years")), "{found:?}");
}

#[test]
fn the_hash_follows_every_byte_and_every_name() {
    let base = base();
    let hash = pack().hash();
    let spaced = changed("roles.yaml", "roles:", "roles: ");
    assert_ne!(Pack::from_files(spaced).unwrap().hash(), hash);
    assert_eq!(Pack::from_files(base).unwrap().hash(), hash);
    assert_eq!(pack().hash_text().len(), 64);
}

#[test]
fn a_folder_is_read_without_hidden_files_and_with_strangers_refused() {
    let folder_copy = tempfile::tempdir().unwrap();
    for (path, bytes) in base() {
        let path = folder_copy.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::write(folder_copy.path().join(".swp"), "x").unwrap();
    fs::write(folder_copy.path().join("README.md"), "x").unwrap();
    assert_eq!(Pack::load(folder_copy.path()).unwrap().hash(), Pack::load(&folder()).unwrap().hash());
    fs::create_dir(folder_copy.path().join("extra")).unwrap();
    fs::write(folder_copy.path().join("extra/notes.yaml"), "x").unwrap();
    let found = Pack::load(folder_copy.path()).unwrap_err();
    assert_eq!(found[0].file, "extra/notes.yaml");
    assert!(Pack::load(&folder_copy.path().join("no-such-folder")).is_err());
}

#[test]
fn tables_are_read_as_they_are_meant() {
    let pack = pack();
    let role = |code: &str| mimamori_domain::RoleCode::new(code).unwrap();
    assert!(pack.may_appoint(&role("ciso"), &role("auditor")));
    assert!(!pack.may_appoint(&role("auditor"), &role("ciso")));
    // Kept apart in both directions, whichever names the other.
    assert_eq!(pack.incompatible(&role("auditor"), &[role("system-manager")]), [&role("system-manager")]);
    assert_eq!(pack.incompatible(&role("system-manager"), &[role("auditor")]), [&role("auditor")]);
    assert!(pack.incompatible(&role("ciso"), &[role("privacy-officer")]).is_empty());
    let doctor = pack.occupations().iter().find(|o| o.code.as_str() == "doctor").unwrap();
    assert_eq!((doctor.name(Language::Ja), doctor.name(Language::En)), ("医師", "doctor"));
    let class = pack.class(&mimamori_domain::ClassCode::new("visit").unwrap()).unwrap();
    assert!(class.place);
}

/// A program that asks more of rules than those in force say goes on under them, by its own values.
#[test]
fn a_stored_pack_of_an_earlier_program_is_read() {
    let newest = Pack::embedded_base().unwrap();
    assert_eq!(Pack::from_stored(base()).unwrap().taken_from_program().count(), 0);
    for key in ["session.idle-minutes", "accounts.shared-ids", "step-up.things"] {
        // Left out under this name, and there under another, which nothing asks for.
        let older = changed("pack.yaml", &format!("key: {key}\n"), "key: other.name\n");
        let told = problems(older.clone());
        assert!(told.iter().any(|p| p.message == format!("parameter {key} is missing")), "{told:?}");
        let read = Pack::from_stored(older.clone()).unwrap();
        assert_eq!(read.taken_from_program().collect::<Vec<_>>(), [key]);
        assert_eq!(read.parameter(key).unwrap().value, newest.parameter(key).unwrap().value);
        // What was stored stays what was stored.
        assert_eq!(read.files(), &older);
        assert_ne!(read.hash(), newest.hash());
    }
}
