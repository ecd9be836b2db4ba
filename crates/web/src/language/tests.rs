use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fluent_bundle::FluentResource;

use super::*;

/// Keys of a language with the arguments each uses.
fn keys(files: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut keys = BTreeMap::new();
    for file in files {
        let resource = FluentResource::try_new((*file).to_owned())
            .unwrap_or_else(|(_, errors)| panic!("{errors:?} in {file}"));
        drop(resource);
        let mut current = String::new();
        for line in file.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
            if !line.starts_with(' ') {
                current = line.split_once(" = ").expect("a key and its text").0.to_owned();
                let known = keys.insert(current.clone(), BTreeSet::new());
                assert_eq!(known, None, "{current} stands twice");
            }
            let used = keys.get_mut(&current).unwrap();
            for part in line.split('$').skip(1) {
                used.insert(part.chars().take_while(char::is_ascii_alphanumeric).collect());
            }
        }
    }
    keys
}

#[test]
fn both_languages_have_the_same_keys_and_arguments() {
    let [japanese, english] = FILES;
    let (japanese, english) = (keys(&japanese), keys(&english));
    assert!(japanese.len() > 100);
    assert_eq!(japanese, english);
}

/// Every string literal of our sources and templates that could be a key.
fn literals(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            literals(&path, found);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            found.extend(text.split('"').map(str::to_owned));
        }
    }
}

/// Families whose last part is a code from data or from a word list.
const FAMILIES: [&str; 33] = [
    "database-",
    "typed-",
    "priority-",
    "document-type-",
    "media-type-",
    "because-",
    "planned-",
    "sort-",
    "act-",
    "action-",
    "area-",
    "argument-",
    "basis-",
    "changed-",
    "code-",
    "done-",
    "effect-",
    "entry-",
    "how-",
    "job-",
    "mark-",
    "proof-",
    "rhythm-",
    "stage-",
    "step-",
    "kind-",
    "label-",
    "outcome-",
    "purpose-",
    "state-",
    "unit-",
    "vital-",
    "weekday-",
];

#[test]
fn every_text_is_used_and_every_text_used_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut called) = (BTreeSet::new(), BTreeSet::new());
    literals(&root.join("src"), &mut found);
    literals(&root.join("templates"), &mut found);
    collect_calls(&root.join("src"), &mut called);
    collect_calls(&root.join("templates"), &mut called);
    let [japanese, _] = FILES;
    let known = keys(&japanese);
    for key in known.keys() {
        let family = FAMILIES.iter().any(|f| key.starts_with(f));
        assert!(family || found.contains(key), "{key} is used nowhere");
    }
    assert!(called.len() > 60, "calls were not found: {}", called.len());
    for key in called {
        assert!(known.contains_key(&key), "{key} is used and does not exist");
    }
}

/// Keys given as literals to the functions that look texts up.
fn collect_calls(dir: &Path, called: &mut BTreeSet<String>) {
    const CALLS: [&str; 9] = [
        "l.t(\"",
        "l.v(\"",
        "l.n(\"",
        "texts.get(\"",
        "texts().get(\"",
        "texts.with(\"",
        "texts.count(\"",
        "texts.pairs(\"",
        "layout(\"",
    ];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_calls(&path, called);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for call in CALLS {
            let keys = text.split(call).skip(1).filter_map(|rest| rest.split('"').next());
            called.extend(keys.filter(|k| !k.is_empty() && !k.contains(' ')).map(str::to_owned));
        }
    }
}

#[test]
fn words_of_the_closed_lists_exist() {
    use mimamori_domain::{Action, LegalBasis, Outcome, Purpose, RecordState};
    let texts = Language::English.texts();
    let mut keys: Vec<String> = Vec::new();
    keys.extend(Action::ALL.iter().map(|w| format!("action-{w}")));
    keys.extend(LegalBasis::ALL.iter().map(|w| format!("basis-{w}")));
    keys.extend(Outcome::ALL.iter().map(|w| format!("outcome-{w}")));
    keys.extend(Purpose::ALL.iter().map(|w| format!("purpose-{w}")));
    keys.extend(RecordState::ALL.iter().map(|w| format!("state-{w}")));
    keys.extend(mimamori_fhir::served_types().iter().filter(|k| known(k)).map(|k| format!("kind-{k}")));
    let mut kinds = BTreeSet::new();
    kinds_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/src"), &mut kinds);
    assert!(kinds.len() > 20, "kinds were not found: {}", kinds.len());
    keys.extend(kinds.iter().map(|kind| format!("kind-{kind}")));
    keys.extend(crate::layout::DONE.iter().map(|d| format!("done-{d}")));
    for key in keys {
        assert!(texts.find(&key).is_some(), "{key}");
    }
}

/// What the use cases write into the ledger as the kind of a thing: reviewers read its word.
fn kinds_of(dir: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kinds_of(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let kinds = text.split("Kind::of(\"").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(kinds.map(str::to_owned));
    }
}

/// Types that can stand on a page.
fn known(kind: &str) -> bool {
    !["CapabilityStatement", "OperationOutcome", "Parameters"].contains(&kind)
}

#[test]
fn the_language_is_the_cookie_s_then_the_browser_s_then_japanese() {
    use Language::{English, Japanese};
    assert_eq!(Language::choose(Some("en"), Some("ja")), English);
    assert_eq!(Language::choose(Some("xx"), Some("en-GB,ja;q=0.5")), English);
    assert_eq!(Language::choose(None, Some("fr, en;q=0.3, ja;q=0.8")), Japanese);
    assert_eq!(Language::choose(None, Some("fr")), Japanese);
    assert_eq!(Language::choose(None, Some("en;q=0")), Japanese);
    assert_eq!(Language::choose(None, Some("en;q=nonsense")), Japanese);
    assert_eq!(Language::choose(None, None), Japanese);
}

#[test]
fn numbers_and_arguments_are_put_in() {
    let (japanese, english) = (Language::Japanese.texts(), Language::English.texts());
    assert_eq!(japanese.count("people-count", 2), "2人");
    assert_eq!(english.count("people-count", 1), "1 person");
    assert_eq!(english.count("people-count", 2), "2 people");
    assert!(english.with("on-behalf-of", "name", "A").contains('A'));
    assert_eq!(english.find("no-such-text"), None);
}

#[test]
fn great_numbers_are_short_on_an_axis() {
    let of = |language: Language, n| language.texts().short(n);
    let ja = [0, 9_999, 10_000, 25_000, 1_000_000, 250_000_000].map(|n| of(Language::Japanese, n));
    assert_eq!(ja, ["0", "9999", "1万", "2.5万", "100万", "2.5億"]);
    let en = [9_999, 10_000, 250_000, 1_500_000].map(|n| of(Language::English, n));
    assert_eq!(en, ["9999", "10k", "250k", "1.5M"]);
}
