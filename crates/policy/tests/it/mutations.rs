//! No bytes whatever make the loader panic.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use mimamori_domain::{Action, RecordState};
use mimamori_policy::{Authorizer, Language, Pack};
use proptest::prelude::*;

use crate::base::pack;
use crate::people::*;

/// One change of a file's bytes.
#[derive(Debug, Clone)]
enum Change {
    Replace(usize, u8),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize),
    SwapLines(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let words = prop::sample::select(vec![
        "\n",
        "  ",
        "- ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "&a ",
        "*a",
        "<<: ",
        "!!binary ",
        "---\n",
        "null",
        "~",
        "1e999",
        "permit",
        "forbid",
        "when {",
        "unless",
        "@id(\"x\")",
        "::",
        "context.",
        "\u{0}",
        "\u{feff}",
        "薬",
        "'",
        "|",
        ">",
        "%",
    ]);
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Replace(at, byte)),
        (any::<usize>(), 1_usize..200).prop_map(|(at, length)| Change::Remove(at, length)),
        (any::<usize>(), words).prop_map(|(at, word)| Change::Insert(at, word.as_bytes().to_vec())),
        (any::<usize>(), 1_usize..400).prop_map(|(at, length)| Change::Repeat(at, length)),
        (any::<usize>(), any::<usize>()).prop_map(|(one, two)| Change::SwapLines(one, two)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let length = bytes.len().max(1);
    match change {
        Change::Replace(at, byte) => {
            if let Some(place) = bytes.get_mut(at % length) {
                *place = *byte;
            }
        }
        Change::Remove(at, count) => {
            let from = (at % length).min(bytes.len());
            bytes.drain(from..(from + count).min(bytes.len()));
        }
        Change::Insert(at, word) => {
            let at = (at % length).min(bytes.len());
            bytes.splice(at..at, word.iter().copied());
        }
        Change::Repeat(at, count) => {
            let from = (at % length).min(bytes.len());
            let piece = bytes[from..(from + count).min(bytes.len())].to_vec();
            bytes.splice(from..from, piece);
        }
        Change::SwapLines(one, two) => {
            let mut lines: Vec<_> = bytes.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
            let count = lines.len();
            lines.swap(one % count, two % count);
            *bytes = lines.join(&b'\n');
        }
    }
}

/// Loads and, when that works, uses what was loaded.
fn exercise(files: BTreeMap<String, Vec<u8>>) {
    let Ok(pack) = Pack::from_files(files) else {
        return;
    };
    let authorizer = Authorizer::new(&pack);
    let note = label("note", RecordState::Confirmed);
    let why = authorizer.explain(&staff("doctor", ANSWERING), Action::Read, &subject(), &note, None, NOW);
    assert!(!why.to_text(Language::Ja).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_changed_pack_loads_or_is_refused(
        file in any::<prop::sample::Index>(), changes in prop::collection::vec(change(), 1..4),
    ) {
        let mut files = pack().files().clone();
        let name = files.keys().nth(file.index(files.len())).unwrap().clone();
        for change in &changes {
            apply(files.get_mut(&name).unwrap(), change);
        }
        exercise(files);
    }

    #[test]
    fn any_bytes_at_all_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300), file in any::<prop::sample::Index>()) {
        let mut files = pack().files().clone();
        let name = files.keys().nth(file.index(files.len())).unwrap().clone();
        files.insert(name, bytes);
        exercise(files);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    /// Without policies Cedar has nothing to do, so many changes of every pack can be tried.
    #[test]
    fn every_pack_changed_anywhere_is_read_without_a_panic(
        pack in any::<prop::sample::Index>(),
        file in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..12),
    ) {
        static ALL: LazyLock<Vec<BTreeMap<String, Vec<u8>>>> = LazyLock::new(|| {
            Pack::embedded_ids().map(|id| Pack::embedded(id).unwrap().files().clone()).collect()
        });
        let mut files = ALL[pack.index(ALL.len())].clone();
        files.retain(|path, _| !path.ends_with("access.cedar"));
        let name = files.keys().nth(file.index(files.len())).unwrap().clone();
        for change in &changes {
            apply(files.get_mut(&name).unwrap(), change);
        }
        prop_assert!(Pack::from_files(files).is_err());
    }
}

#[test]
fn deep_nesting_and_bombs_are_refused() {
    let depth = 20_000;
    let bomb =
        "a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b]\n";
    let nested = [
        ("pack.yaml", "[".repeat(depth)),
        ("pack.yaml", "{a: ".repeat(depth)),
        ("roles.yaml", format!("{bomb}roles: [*c, *c, *c, *c]\n")),
        (
            "access.cedar",
            format!(
                "permit (principal, action, resource) when {{ {}true{} }};",
                "(".repeat(depth),
                ")".repeat(depth)
            ),
        ),
        (
            "access.cedar",
            format!("permit (principal, action, resource) when {{ {}true }};", "true && ".repeat(depth)),
        ),
        ("access.cedarschema", format!("type T = {}Long{};", "Set<".repeat(depth), ">".repeat(depth))),
    ];
    for (file, text) in nested {
        let mut files = pack().files().clone();
        files.insert(file.to_owned(), text.into_bytes());
        assert!(Pack::from_files(files).is_err(), "{file}");
    }
}
