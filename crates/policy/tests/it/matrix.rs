//! The golden matrix: who may do what, as a file that shows every change of the rules in its diff.
//!
//! `UPDATE_GOLDEN=1 cargo test -p mimamori-policy` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use mimamori_domain::{Action, Authorship, InstitutionId, Kind, Purpose, RecordState, TerminalId, ZoneCode};
use mimamori_policy::{
    Authorizer, CallerFacts, CallerKind, ConsentEffect, Decision, GeneralTarget, Pack, RoleGrant, RoleScope,
    SubjectFacts,
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

Before the last part nobody comes from a zone (接続区分), with one factor and no registered terminal; the last
part says what the place, the factors and the terminal change.
";

#[test]
fn the_matrix_is_as_checked_in() {
    let pack = pack();
    let authorizer = authorizer();
    let mut text = HEAD.to_owned();
    let mut known: Vec<(String, &str)> = Vec::new();
    let relations = relations();
    let bodies = at_once(&relations, |relation| section(pack, authorizer, relation));
    for (relation, body) in relations.iter().zip(bodies) {
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
    places(&mut text, pack, authorizer);

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
    // What no policy mentions is decided alike: once is enough.
    let policies = String::from_utf8(pack.files()["access.cedar"].clone()).unwrap();
    let mentioned = |name: &str| match name.split_once(' ') {
        Some(("role", code)) => policies.contains(&format!("Role::\"{code}\"")),
        _ => true,
    };
    let scope = |caller: &CallerFacts| caller.roles.first().and_then(|grant| grant.scope_institution);
    let mut first: Vec<(Option<InstitutionId>, String)> = Vec::new();
    let mut asked = Vec::new();
    let mut order = Vec::new();
    for (name, caller) in callers {
        let same = first.iter().find(|(known, _)| !mentioned(&name) && *known == scope(&caller));
        order.push((name.clone(), same.map(|(_, other)| other.clone())));
        if same.is_none() {
            if !mentioned(&name) {
                first.push((scope(&caller), name.clone()));
            }
            asked.push((name, caller));
        }
    }
    let told: BTreeMap<String, String> = asked
        .iter()
        .map(|(name, _)| name.clone())
        .zip(at_once(&asked, |(_, caller)| part(pack, authorizer, caller, &targets)))
        .collect();
    for (name, same) in order {
        writeln!(text, "\n## {name}").unwrap();
        match same {
            Some(other) => writeln!(text, "the same as: {other}").unwrap(),
            None => text.push_str(&told[&name]),
        }
    }
}

/// Does the same with each of these, on every processor there is.
fn at_once<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, work) = (std::sync::atomic::AtomicUsize::new(0), &work);
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..processors)
            .map(|_| {
                scope.spawn(|| {
                    let mut own = Vec::new();
                    loop {
                        let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        match items.get(at) {
                            Some(item) => own.push((at, work(item))),
                            None => return own,
                        }
                    }
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, made)| made).collect()
}

/// What a caller does to things, and what they have less of with an account from outside.
fn part(pack: &Pack, authorizer: &Authorizer, caller: &CallerFacts, targets: &Targets) -> String {
    let mut text = String::new();
    let own = lines_of(pack, authorizer, caller, targets);
    own.iter().for_each(|line| writeln!(text, "{line}").unwrap());
    // What somebody from outside has less of with the same role.
    if caller.kind == CallerKind::Staff && caller.occupation.is_none() {
        let outside = CallerFacts { outside_worker: true, ..caller.clone() };
        let theirs = lines_of(pack, authorizer, &outside, targets);
        if theirs != own {
            writeln!(
                text,
                "with an account for development or maintenance, in place of the same things above:"
            )
            .unwrap();
            let thing = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
            let less: BTreeSet<String> =
                own.iter().filter(|line| !theirs.contains(line)).map(|line| thing(line)).collect();
            for line in theirs.iter().filter(|line| less.contains(&thing(line))) {
                writeln!(text, "  {line}").unwrap();
            }
            for gone in less.iter().filter(|gone| theirs.iter().all(|line| thing(line) != **gone)) {
                writeln!(text, "  {gone}: nothing").unwrap();
            }
        }
    }
    text
}

/// Whose thing it is, and whether the pack names the caller for it.
type Targets = [(&'static str, Option<InstitutionId>, Option<mimamori_domain::ActorId>, bool); 4];

/// What a caller does to each kind of thing, one line for each set of policies.
fn lines_of(pack: &Pack, authorizer: &Authorizer, caller: &CallerFacts, targets: &Targets) -> Vec<String> {
    let mut lines = Vec::new();
    for thing in pack.things() {
        let mut told = BTreeSet::new();
        for (suffix, institution, owner, named) in *targets {
            let target = GeneralTarget { kind: thing.code.clone(), institution, owner, named };
            let mut actions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
            for action in Action::ALL {
                let mut purposes = vec![caller.purpose, second_purpose(caller)];
                purposes.dedup();
                let allowed = purposes.into_iter().find_map(|purpose| {
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
                    lines.push(format!("{thing:44}{:60} {}", line.0, line.1));
                }
            }
        }
    }
    lines
}

/// Somebody who comes from somewhere, to whose record.
struct Comer {
    name: &'static str,
    caller: CallerFacts,
    subject: SubjectFacts,
}

fn comers() -> Vec<Comer> {
    let nurse = || staff("nurse", ANSWERING);
    let role = |code: &str| RoleGrant { role: code.parse().unwrap(), scope_institution: None };
    let permitted = CallerFacts { roles: vec![role("outside-user")], ..nurse() };
    let shared = || with_consent(with_team(subject(), OTHER), Permit);
    let manager = CallerFacts { roles: vec![role("system-manager")], ..nurse() };
    let comer = |name, caller, subject| Comer { name, caller, subject };
    vec![
        comer("a nurse of the answering institution", nurse(), subject()),
        comer("a nurse permitted to come from outside", permitted, subject()),
        comer("a nurse of another institution, by care team and consent", staff("nurse", OTHER), shared()),
        comer("a doctor in an emergency", in_emergency(staff("doctor", OTHER)), subject()),
        comer("a nurse who is a system manager", manager, subject()),
        comer("the person", citizen(), with_self(subject())),
        comer("a proxy", citizen(), with_proxy(subject())),
        comer("a program of the answering institution", program(ANSWERING), subject()),
    ]
}

/// The marks of a row, and what forbids any of it.
type Told = (String, BTreeSet<String>);

/// What is tried from there: a word, and the decision.
type Try = (&'static str, fn(&Authorizer, &CallerFacts, &SubjectFacts) -> Decision);

const TRIES: [Try; 4] = [
    ("sign-in", |authorizer, caller, _| {
        let own = GeneralTarget::of(Kind::of("account")).owned_by(CALLER);
        authorizer.decide_general(caller, Action::SignIn, &own, NOW)
    }),
    ("own account", |authorizer, caller, _| {
        let own = GeneralTarget::of(Kind::of("account")).owned_by(CALLER);
        authorizer.decide_general(caller, Action::Update, &own, NOW)
    }),
    ("read a note", |authorizer, caller, subject| {
        authorizer.decide(caller, Action::Read, subject, &label("note", Confirmed), None, NOW)
    }),
    ("administer", |authorizer, caller, _| {
        let accounts = GeneralTarget::of(Kind::of("account"));
        let caller = CallerFacts { purpose: Purpose::Operations, ..caller.clone() };
        authorizer.decide_general(&caller, Action::Administer, &accounts, NOW)
    }),
];

/// What the zone somebody comes from, their factors and their terminal change: for each of them the rows that
/// are the same are written once.
fn places(text: &mut String, pack: &Pack, authorizer: &Authorizer) {
    let unknown = "elsewhere".parse().unwrap();
    let zones: Vec<Option<ZoneCode>> = std::iter::once(None)
        .chain(pack.zones().iter().map(|zone| Some(zone.code.clone())))
        .chain([Some(unknown)])
        .collect();
    writeln!(text, "\n# Places, factors and terminals").unwrap();
    let heads: Vec<String> = TRIES.iter().map(|(name, _)| format!("{name:12}")).collect();
    for comer in comers() {
        writeln!(text, "\n## {}\n{:82}{}", comer.name, "", heads.join("").trim_end()).unwrap();
        let mut rows: Vec<(Told, String, Vec<String>)> = Vec::new();
        for zone in &zones {
            let name = zone.as_ref().map_or("no zones", ZoneCode::as_str);
            let mut own: Vec<(Told, Vec<String>)> = Vec::new();
            for (factors, terminal) in [(0, false), (1, false), (1, true), (2, false), (2, true)] {
                let caller = CallerFacts {
                    zone: zone.clone(),
                    authentication_strength: factors,
                    terminal: terminal.then_some(TERMINAL),
                    ..comer.caller.clone()
                };
                let told = tried(authorizer, &caller, &comer.subject);
                let how = format!("{factors}{}", if terminal { "t" } else { "" });
                match own.iter_mut().find(|(known, _)| *known == told) {
                    Some((_, hows)) => hows.push(how),
                    None => own.push((told, vec![how])),
                }
            }
            for (told, hows) in own {
                let hows = hows.join(" ");
                match rows.iter_mut().find(|(known, other, _)| *known == told && *other == hows) {
                    Some((_, _, names)) => names.push(name.to_owned()),
                    None => rows.push((told, hows, vec![name.to_owned()])),
                }
            }
        }
        for ((marks, forbidding), hows, names) in rows {
            let forbidding: Vec<String> = forbidding.into_iter().collect();
            let line = format!("{:64} {hows:17}{marks}{}", names.join(" "), forbidding.join(", "));
            writeln!(text, "{}", line.trim_end()).unwrap();
        }
    }
    text.push_str("\n0, 1, 2: factors given; t: from a registered terminal.\n");
}

/// Each try's mark, and what forbids any of them.
fn tried(authorizer: &Authorizer, caller: &CallerFacts, subject: &SubjectFacts) -> Told {
    let (mut marks, mut forbidding) = (String::new(), BTreeSet::new());
    for (_, decide) in TRIES {
        let decision = decide(authorizer, caller, subject);
        let mark = match (decision.allowed, decision.policies.is_empty()) {
            (true, _) => 'o',
            (false, false) => 'x',
            (false, true) => '.',
        };
        marks.push_str(&format!("{mark:<12}"));
        if !decision.allowed {
            forbidding.extend(decision.policies.iter().map(ToString::to_string));
        }
    }
    (marks, forbidding)
}

const TERMINAL: TerminalId = TerminalId::from_bytes([7; 16]);

/// Those with a role also audit; asking the same purpose twice finds nothing new.
fn second_purpose(caller: &CallerFacts) -> Purpose {
    if caller.roles.is_empty() { caller.purpose } else { Purpose::Audit }
}
