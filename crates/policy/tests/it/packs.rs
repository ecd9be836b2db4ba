//! The packs that come with the program: each loads, and each clause of its catalogues is answered.
//!
//! `PACK_PROBLEMS=1 cargo test -p mimamori-policy packs -- --nocapture` prints the counts.

use std::collections::BTreeMap;

use mimamori_policy::Pack;
use mimamori_policy::model::{ObjectKind, Retention};

fn load(id: &str) -> Pack {
    Pack::embedded(id).unwrap_or_else(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        panic!("the pack {id} does not load, {} problems:\n{}", lines.len(), lines.join("\n"));
    })
}

#[test]
fn every_pack_loads_and_answers_every_clause() {
    let mut faults = Vec::new();
    for id in Pack::embedded_ids() {
        let pack = match Pack::embedded(id) {
            Ok(pack) => pack,
            Err(problems) => {
                faults.push(format!("{id} does not load:"));
                faults.extend(problems.iter().map(|problem| format!("  {id}/{problem}")));
                continue;
            }
        };
        assert_eq!(pack.id(), id);
        print_counts(&pack);
        let open: Vec<_> =
            pack.clauses().filter(|c| pack.answers(&c.id).is_empty()).map(|c| c.id.as_str()).collect();
        if !open.is_empty() {
            faults.push(format!("{id}: {} clauses are answered by nothing: {}", open.len(), open.join(" ")));
        }
        for retention in pack.registers().iter().filter_map(|register| register.retention.as_ref()) {
            if let Retention::Parameter(key) = retention {
                assert!(pack.parameter(key).is_some(), "{id}: {key}");
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

fn print_counts(pack: &Pack) {
    for catalogue in pack.catalogues() {
        let mut by_how: BTreeMap<&str, usize> = BTreeMap::new();
        let mut by_answer: BTreeMap<&str, usize> = BTreeMap::new();
        for clause in &catalogue.clauses {
            for how in &clause.how {
                *by_how.entry(how.as_str()).or_default() += 1;
            }
            for answer in pack.answers(&clause.id) {
                *by_answer.entry(answer.kind.as_str()).or_default() += 1;
            }
        }
        println!(
            "{} {}: {} clauses; how {by_how:?}; answered by {by_answer:?}",
            pack.id(),
            catalogue.code,
            catalogue.clauses.len()
        );
    }
}

#[test]
fn a_stored_pack_is_whole_by_itself() {
    for id in Pack::embedded_ids().filter(|id| *id != "base") {
        let pack = load(id);
        assert!(pack.files().contains_key("extends/base/pack.yaml"), "{id}");
        let again = Pack::from_files(pack.files().clone()).expect("what was stored loads");
        assert_eq!(again.hash(), pack.hash());
        assert_eq!(again.files(), pack.files());
    }
}

#[test]
fn answers_are_found_both_ways() {
    for id in Pack::embedded_ids() {
        let pack = load(id);
        for register in pack.registers() {
            for clause in &register.clauses {
                assert!(pack.clause(clause).is_some());
                let answers = pack.answers(clause);
                assert!(answers.iter().any(|a| a.kind == ObjectKind::Register && a.code == register.code));
            }
        }
    }
}
