//! The golden matrix: who may do what, as a file that shows every change of the rules in its diff.
//!
//! `UPDATE_GOLDEN=1 cargo test -p mimamori-policy` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mimamori_domain::{Action, Authorship, InstitutionId, Purpose, RecordState};
use mimamori_policy::{
    Authorizer, CallerFacts, ConsentEffect, Decision, GeneralTarget, Pack, RoleScope, SubjectFacts,
};

use crate::base::{authorizer, pack};
use crate::people::*;

use ConsentEffect::{Deny, Permit};
use RecordState::{AwaitingConfirmation, Confirmed, Draft, Withdrawn};

/// A way of standing to a person and their record.
struct Relation {
    name: &'static str,
    /// The caller for an occupation; those without one ignore it.
    caller: fn(&str) -> CallerFacts,
    by_occupation: bool,
    subject: SubjectFacts,
    written: Option<Authorship>,
}

fn relation(name: &'static str, caller: fn(&str) -> CallerFacts, subject: SubjectFacts) -> Relation {
    Relation { name, caller, by_occupation: true, subject, written: None }
}

fn single(name: &'static str, caller: fn(&str) -> CallerFacts, subject: SubjectFacts) -> Relation {
    Relation { by_occupation: false, ..relation(name, caller, subject) }
}

fn relations() -> Vec<Relation> {
    let inside: fn(&str) -> CallerFacts = |o| staff(o, ANSWERING);
    let outside: fn(&str) -> CallerFacts = |o| staff(o, OTHER);
    let urgent: fn(&str) -> CallerFacts = |o| in_emergency(staff(o, OTHER));
    let team = |institution: InstitutionId| with_team(subject(), institution);
    let shared = || with_consent(team(OTHER), Permit);
    let mut wrote = relation("answering institution, author", inside, team(ANSWERING));
    wrote.written = Some(written_by(CALLER, None));
    let mut asked =
        relation("answering institution, entered on the caller's behalf", inside, team(ANSWERING));
    asked.written = Some(written_by(SOMEBODY, Some(CALLER)));
    let mut moved = relation("other institution, author", outside, shared());
    moved.written = Some(written_by(CALLER, None));
    vec![
        relation("answering institution", inside, subject()),
        relation("answering institution, care team", inside, team(ANSWERING)),
        relation("answering institution, consent denied", inside, with_consent(subject(), Deny)),
        relation("answering institution, person under protection", inside, protected(subject())),
        wrote,
        asked,
        relation("registering institution", |o| staff(o, REGISTERING), subject()),
        relation("other institution", outside, subject()),
        relation("other institution, care team", outside, team(OTHER)),
        relation("other institution, consent", outside, with_consent(subject(), Permit)),
        relation("other institution, care team and consent", outside, shared()),
        relation("other institution, care team and consent, denied", outside, with_consent(shared(), Deny)),
        relation(
            "other institution, care team and consent, person under protection",
            outside,
            protected(shared()),
        ),
        moved,
        relation("other institution, break-glass", urgent, subject()),
        relation("other institution, break-glass, denied", urgent, with_consent(subject(), Deny)),
        relation("other institution, break-glass, person under protection", urgent, protected(subject())),
        single("the person", |_| citizen(), with_self(subject())),
        single("the person, under protection", |_| citizen(), with_self(protected(subject()))),
        single("a proxy", |_| citizen(), with_proxy(subject())),
        single("a proxy, person under protection", |_| citizen(), with_proxy(protected(subject()))),
        single("another citizen", |_| citizen(), subject()),
        single("program of the answering institution, care team", |_| program(ANSWERING), team(ANSWERING)),
        single("program of another institution", |_| program(OTHER), subject()),
        single("program of another institution, care team and consent", |_| program(OTHER), shared()),
        single(
            "staff without an occupation, every role",
            |_| everything(),
            with_consent(team(ANSWERING), Permit),
        ),
    ]
}

fn everything() -> CallerFacts {
    let mut caller = holder("ciso", None);
    caller.purpose = Purpose::Care;
    caller.roles = pack().roles().iter().flat_map(|r| holder(r.code.as_str(), None).roles).collect();
    caller
}

const STEPS: &[(Action, &[RecordState])] = &[
    (Action::Read, &[Draft, AwaitingConfirmation, Confirmed, Withdrawn]),
    (Action::Search, &[Confirmed]),
    (Action::Create, &[Draft, Confirmed]),
    (Action::Update, &[Draft, Confirmed]),
    (Action::Confirm, &[Draft, AwaitingConfirmation]),
    (Action::Amend, &[Confirmed]),
    (Action::Withdraw, &[Draft, AwaitingConfirmation, Confirmed, Withdrawn]),
    (Action::Export, &[Confirmed]),
    (Action::Import, &[Confirmed]),
    (Action::Review, &[Confirmed]),
    (Action::BreakGlass, &[Confirmed]),
];

const HEAD: &str = "\
Who may do what under the base pack. Made by the test `matrix`; do not edit.

Columns are information classes: o allowed, x forbidden by a policy, . permitted by none.
Rows that are the same for several occupations are written once; rows without o and x are left out.
The policies of a row stand at its end, those that forbid after a dash.
";

#[test]
fn the_matrix_is_as_checked_in() {
    let pack = pack();
    let authorizer = authorizer();
    let mut text = HEAD.to_owned();
    let mut known: Vec<(String, &str)> = Vec::new();
    for relation in relations() {
        let body = section(pack, authorizer, &relation);
        writeln!(text, "\n## {}", relation.name).unwrap();
        match known.iter().find(|(earlier, _)| *earlier == body) {
            Some((_, name)) => writeln!(text, "the same as: {name}").unwrap(),
            None => {
                text.push_str(&body);
                known.push((body, relation.name));
            }
        }
    }
    things(&mut text, pack, authorizer);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/access-matrix.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    if kept != text {
        let at = kept.lines().zip(text.lines()).position(|(a, b)| a != b);
        let at = at.unwrap_or_else(|| kept.lines().count().min(text.lines().count()));
        panic!(
            "who may do what has changed, first on line {}:\n  was {}\n  is  {}\nIf that is meant, run again with UPDATE_GOLDEN=1 and commit the file.",
            at + 1,
            kept.lines().nth(at).unwrap_or("(nothing)"),
            text.lines().nth(at).unwrap_or("(nothing)"),
        );
    }
}

fn section(pack: &Pack, authorizer: &Authorizer, relation: &Relation) -> String {
    let short: Vec<_> = pack.classes().iter().map(|c| short(c.code.as_str())).collect();
    let mut text = format!("{:22}{}\n", "", short.join(" "));

    let nobody = [String::from("-")];
    let all: Vec<String> = pack.occupations().iter().map(|o| o.code.to_string()).collect();
    let occupations = if relation.by_occupation { &all[..] } else { &nobody[..] };
    for (action, states) in STEPS {
        for state in *states {
            let mut rows: Vec<(Row, Vec<&str>)> = Vec::new();
            for occupation in occupations {
                let row = row(pack, relation, occupation, |caller, class| {
                    let label = label(class, *state);
                    authorizer.decide(
                        caller,
                        *action,
                        &relation.subject,
                        &label,
                        relation.written.as_ref(),
                        NOW,
                    )
                });
                match rows.iter_mut().find(|(known, _)| *known == row) {
                    Some((_, who)) => who.push(occupation),
                    None => rows.push((row, vec![occupation])),
                }
            }
            for (row, who) in rows.iter().filter(|(row, _)| row.marks.chars().any(|m| m == 'o' || m == 'x')) {
                let who = match who.len() {
                    n if n == occupations.len() => String::new(),
                    _ => format!("  [{}]", who.join(" ")),
                };
                let marks: Vec<_> = row.marks.chars().map(|m| format!("{m}   ")).collect();
                let step = format!("{action} {state}");
                writeln!(text, "{step:22}{} {}{who}", marks.join(" "), row.policies()).unwrap();
            }
        }
    }
    text
}

/// A class in four letters.
fn short(code: &str) -> String {
    let mut letters: String = code.chars().filter(|c| *c != '-').take(4).collect();
    while letters.len() < 4 {
        letters.push(' ');
    }
    letters
}

#[derive(PartialEq, Eq)]
struct Row {
    marks: String,
    permitting: BTreeSet<String>,
    forbidding: BTreeSet<String>,
}

impl Row {
    fn policies(&self) -> String {
        let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
        match self.forbidding.is_empty() {
            true => list(&self.permitting),
            false => {
                format!("{} - {}", list(&self.permitting), list(&self.forbidding)).trim_start().to_owned()
            }
        }
    }
}

fn row(
    pack: &Pack,
    relation: &Relation,
    occupation: &str,
    decide: impl Fn(&CallerFacts, &str) -> Decision,
) -> Row {
    let caller = (relation.caller)(if relation.by_occupation { occupation } else { "" });
    let mut row = Row { marks: String::new(), permitting: BTreeSet::new(), forbidding: BTreeSet::new() };
    for class in pack.classes() {
        let decision = decide(&caller, class.code.as_str());
        row.marks.push(match (decision.allowed, decision.policies.is_empty()) {
            (true, _) => 'o',
            (false, false) => 'x',
            (false, true) => '.',
        });
        let names = if decision.allowed { &mut row.permitting } else { &mut row.forbidding };
        names.extend(decision.policies.iter().map(ToString::to_string));
    }
    row
}

/// What roles do to things outside any notebook.
fn things(text: &mut String, pack: &Pack, authorizer: &Authorizer) {
    let mut callers: Vec<(String, CallerFacts)> = Vec::new();
    for role in pack.roles() {
        let scope = (role.scope == RoleScope::Institution).then_some(ANSWERING);
        callers.push((format!("role {}", role.code), holder(role.code.as_str(), scope)));
    }
    for occupation in pack.occupations() {
        callers.push((format!("occupation {}", occupation.code), staff(occupation.code.as_str(), ANSWERING)));
    }
    callers.push(("a citizen".into(), citizen()));
    callers.push(("a program".into(), program(ANSWERING)));
    let targets = [
        ("", None, None, false),
        (" of the own institution", Some(ANSWERING), None, false),
        (" of one's own", None, Some(CALLER), false),
        (" that the pack names one for", None, None, true),
    ];
    for (name, caller) in callers {
        writeln!(text, "\n## {name}").unwrap();
        for thing in pack.things() {
            let mut told = BTreeSet::new();
            for (suffix, institution, owner, named) in targets {
                let target = GeneralTarget { kind: thing.code.clone(), institution, owner, named };
                let mut actions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
                for action in Action::ALL {
                    let allowed = [caller.purpose, second_purpose(&caller)].into_iter().find_map(|purpose| {
                        let caller = CallerFacts { purpose, ..caller.clone() };
                        let decision = authorizer.decide_general(&caller, *action, &target, NOW);
                        decision.allowed.then_some(decision)
                    });
                    if let Some(decision) = allowed {
                        actions.entry(decision.policies.join(", ")).or_default().push(action.as_str());
                    }
                }
                for (policies, actions) in actions {
                    let line = (actions.join(" "), policies);
                    if told.insert(line.clone()) {
                        let thing = format!("{}{suffix}", thing.code);
                        writeln!(text, "{thing:44}{:60} {}", line.0, line.1).unwrap();
                    }
                }
            }
        }
    }
}

/// Those with a role also audit; asking the same purpose twice finds nothing new.
fn second_purpose(caller: &CallerFacts) -> Purpose {
    if caller.roles.is_empty() { caller.purpose } else { Purpose::Audit }
}
