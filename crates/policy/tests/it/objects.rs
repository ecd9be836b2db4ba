//! Registers, procedures, duties and the rest: what is refused, and how packs extend one another. All on
//! a small pack of its own that extends the base pack.

use std::collections::BTreeMap;

use mimamori_domain::Timestamp;
use mimamori_policy::model::{Choices, FieldType, ObjectKind, Source, Who};
use mimamori_policy::{ChangeKind, Language, Pack, PackProblem, ParameterValue, Recurrence};

type Files = BTreeMap<String, Vec<u8>>;

const PACK: &str = "\
id: town
extends: base
ja: \"町\"
en: \"Town\"
languages: [ja, en]
catalogues: [town]
parameters:
  - {key: session.idle-minutes, value: 10}
  - {key: town.paper-years, must-set: true, least: 1, most: 50, ja: \"保存年数\", en: \"years\"}
  - {key: town.rule, value: \"FREQ=MONTHLY;BYMONTHDAY=1\", ja: \"点検日\", en: \"day of checks\"}
";
const REQUIREMENTS: &str = "\
catalogue: town
ja: \"規程\"
en: \"Rules\"
clauses:
  - {id: town.1, ref: \"第１条\", ja: \"目的\", en: \"purpose\", how: [document]}
  - {id: town.2-1, ref: \"第２条\", ja: \"台帳\", en: \"register\", how: [register], scope: product, module: people}
  - {id: town.2-2, ref: \"第２条２\", ja: \"申請\", en: \"application\", how: [procedure]}
  - {id: town.3, ref: \"第３条\", ja: \"点検\", en: \"checks\", how: [schedule]}
";
const ROLES: &str = "\
roles:
  - {code: head, ja: \"長\", en: \"head\", scope: installation, appointed-by: []}
  - {code: section-chief, ja: \"係長\", en: \"chief\", scope: unit, appointed-by: [head]}
  - {code: police, ja: \"警察\", en: \"police\", scope: installation, outside: true}
";
const REGISTERS: &str = "\
registers:
  - code: things
    ja: \"物品台帳\"
    en: \"Things\"
    clauses: [town.2-1]
    keeper: [head]
    per: unit
    retention: {parameter: town.paper-years}
    assets: true
    title: [what]
    fields:
      - {code: what, ja: \"名\", en: \"what\", type: text, required: true}
      - {code: kind, ja: \"種類\", en: \"kind\", type: choice, required: true, choices: [{code: paper, ja: \"紙\", en: \"paper\"}, {code: disk, ja: \"媒体\", en: \"disk\"}]}
      - {code: serial, ja: \"番号\", en: \"serial\", type: text, required: true, when: {field: kind, is: [disk]}}
      - {code: bought, ja: \"購入日\", en: \"bought\", type: date}
      - {code: replace-by, ja: \"更新期限\", en: \"replace by\", type: derived, derive: {from: bought, add: P5Y}}
";
const PROCEDURES: &str = "\
procedures:
  - code: new-thing
    ja: \"物品の申請\"
    en: \"A new thing\"
    clauses: [town.2-2]
    kind: application
    applicants: [anyone]
    fields:
      - {code: name, ja: \"名\", en: \"name\", type: text, required: true}
      - {code: urgent, ja: \"至急\", en: \"urgent\", type: yes-no}
    print: {number: \"様式第1\", rows: [[name], [urgent, decide.reason]]}
    steps:
      - {code: check, ja: \"確認\", en: \"check\", kind: review, by: [section-chief], of: applicant-unit, when: {field: urgent, is: [no]}, deadline: P7D}
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [head], to: [police], fields: [{code: reason, ja: \"理由\", en: \"reason\", type: long-text}]}
    effects:
      - {do: register-device, with: {device: name, owner: applicant}}
    records: {register: things, fields: {what: name, kind: \"=paper\", bought: decided-on}}
";
const SCHEDULES: &str = "\
schedules:
  - {code: monthly, ja: \"毎月の点検\", en: \"monthly check\", clauses: [town.3], owner: [head], rule-parameter: town.rule, within-days: 7, remind-days: [3], proof: {register: things}}
";
const CONTROLS: &str = "\
informative:
  - {clauses: [town.1], ja: \"目的を述べる\", en: \"states the purpose\"}
";
const SITE: &str = "\
parameters: [{key: town.paper-years, value: 7}]
units: [{code: planning, ja: \"企画課\", en: \"Planning\"}]
wordings: [{procedure: new-thing, ja: \"町長　殿\", en: \"To the mayor\"}]
sign-in-groups: [{code: chiefs, group: \"town chiefs\", role: section-chief, unit: planning, ja: \"係長\", en: \"chiefs\"}]
";

fn town() -> Files {
    let files = [
        ("pack.yaml", PACK),
        ("requirements/town.yaml", REQUIREMENTS),
        ("roles.yaml", ROLES),
        ("registers/things.yaml", REGISTERS),
        ("procedures/things.yaml", PROCEDURES),
        ("schedules.yaml", SCHEDULES),
        ("controls.yaml", CONTROLS),
        ("site.yaml", SITE),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).collect()
}

fn changed(file: &str, from: &str, to: &str) -> Files {
    let mut files = town();
    let text = String::from_utf8(files[file].clone()).unwrap();
    assert!(text.contains(from), "{file} has {from}");
    files.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
    files
}

fn load(files: Files) -> Pack {
    Pack::from_files(files).unwrap_or_else(|problems| {
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"));
    })
}

fn problems(files: Files) -> Vec<PackProblem> {
    Pack::from_files(files).expect_err("it must be refused")
}

#[test]
fn a_pack_is_read_with_what_it_extends() {
    let pack = load(town());
    assert_eq!(pack.parameter("session.idle-minutes").unwrap().value, Some(ParameterValue::Number(10)));
    assert_eq!(pack.parameter("session.idle-minutes").unwrap().most, Some(60), "the parent's bound");
    assert_eq!(
        pack.retention_years(pack.register("things").unwrap().retention.as_ref().unwrap()).unwrap(),
        7
    );
    assert_eq!(pack.unset_parameters().count(), 0);
    let register = pack.register("things").unwrap();
    assert!(
        matches!(&register.field("kind").unwrap().kind, FieldType::Choice(Choices::Listed(c)) if c.len() == 2)
    );
    assert_eq!(pack.choices(register.field("kind").unwrap())[1].name(Language::En), "disk");
    let procedure = pack.procedure("new-thing").unwrap();
    assert_eq!(procedure.steps[0].when.as_ref().unwrap().is, ["no"]);
    assert_eq!(procedure.records.as_ref().unwrap().fields["kind"], Source::Text("paper".into()));
    assert_eq!(procedure.effects[0].with["owner"], Source::Applicant);
    assert!(matches!(procedure.steps[1].to.as_slice(), [Who::Role(_)]));
    assert_eq!(pack.schedule("monthly").unwrap().rule.as_ref().unwrap().text(), "FREQ=MONTHLY;BYMONTHDAY=1");
    assert_eq!(pack.units()[0].name(Language::Ja), "企画課");
    assert!(pack.wording("new-thing").is_some());
    let clause = pack.clause("town.2-1").unwrap();
    assert_eq!((clause.catalogue(), clause.chapter()), ("town", "2"));
    assert_eq!(pack.answers("town.2-1")[0].kind, ObjectKind::Register);
    assert_eq!(pack.answers("town.1")[0].kind, ObjectKind::Informative);
    assert!(!pack.classes().is_empty(), "the parent's");
    assert!(!pack.warnings().iter().any(|w| w.message.contains("town")), "{:?}", pack.warnings());
}

/// File, text to replace, by what, and what must be said.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    ("registers/things.yaml", "keeper: [head]", "keeper: [haed]", "no role \"haed\""),
    ("registers/things.yaml", "keeper: [head]", "keeper: [police]", "is outside"),
    ("registers/things.yaml", "keeper: [head]", "keeper: [applicant]", "applicant cannot stand here"),
    ("registers/things.yaml", "type: date}", "type: day}", "no field type \"day\""),
    (
        "registers/things.yaml",
        "clauses: [town.2-1]",
        "clauses: [town.9]",
        "\"town.9\" stands in no catalogue",
    ),
    ("registers/things.yaml", "is: [disk]", "is: [disc]", "is never \"disc\""),
    ("registers/things.yaml", "field: kind, is", "field: what, is", "neither a choice nor yes-no"),
    ("registers/things.yaml", "from: bought", "from: what", "no date of this form"),
    ("registers/things.yaml", "title: [what]", "title: [waht]", "no field \"waht\""),
    ("registers/things.yaml", "code: bought", "code: what", "stands twice"),
    ("registers/things.yaml", "per: unit", "per: town", "it is one of installation, institution, unit"),
    ("registers/things.yaml", "add: P5Y", "add: 5Y", "a period is written like"),
    (
        "registers/things.yaml",
        "parameter: town.paper-years",
        "parameter: town.rule",
        "must be a whole number",
    ),
    ("registers/things.yaml", "en: \"what\"", "en: \"what\", hlep-ja: \"x\"", "no key \"hlep-ja\""),
    ("registers/things.yaml", "en: \"what\"", "en: \"what\", help-ja: \"x\"", "text in help-en is missing"),
    ("registers/things.yaml", "en: \"Things\"", "en: \" \"", "text in en is missing"),
    ("procedures/things.yaml", "by: [head]", "by: [head, applicant]", "who applies never reviews"),
    ("procedures/things.yaml", "by: [head]", "by: [police]", "is outside"),
    ("procedures/things.yaml", "{device: name, owner", "{device: name, onwer", "has no argument \"onwer\""),
    ("procedures/things.yaml", "do: register-device", "do: make-coffee", "do \"make-coffee\" is unknown"),
    ("procedures/things.yaml", "decide.reason]]", "decide.raeson]]", "no field \"decide.raeson\""),
    ("procedures/things.yaml", "what: name, ", "", "requires the field what"),
    ("procedures/things.yaml", "kind: \"=paper\"", "kind: \"=stone\"", "kind is never \"stone\""),
    ("procedures/things.yaml", "kind: \"=paper\"", "kind: \"=disk\"", "requires the field serial"),
    ("procedures/things.yaml", "what: name", "waht: name", "has no field \"waht\""),
    ("procedures/things.yaml", "register: things", "register: thing", "no register \"thing\""),
    ("procedures/things.yaml", "of: applicant-unit", "of: asset-owner", "needs an asset field"),
    ("procedures/things.yaml", "field: urgent", "field: decide.reason", "no field \"decide.reason\" here"),
    ("procedures/things.yaml", "kind: approve", "kind: review", "no step approves"),
    ("schedules.yaml", "proof: {register: things}", "proof: {review: things}", "has no review"),
    ("schedules.yaml", "proof: {register: things}", "proof: {document: things}", "no document \"things\""),
    ("schedules.yaml", "rule-parameter: town.rule", "rule: \"FREQ=HOURLY\"", "FREQ is one of"),
    (
        "schedules.yaml",
        "rule-parameter: town.rule",
        "rule: \"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\"",
        "never comes round",
    ),
    ("schedules.yaml", "rule-parameter: town.rule", "rule: \"every day\"", "no part of a recurrence rule"),
    (
        "controls.yaml",
        "clauses: [town.1]",
        "clauses: [town.3]",
        "is informative, yet schedule monthly answers it",
    ),
    ("pack.yaml", "value: 10}", "value: 100}", "100 is not from 1 to 60"),
    ("pack.yaml", "value: 10}", "value: 10, most: 600}", "the bound 600 is not from 1 to 60"),
    ("pack.yaml", "extends: base", "extends: bsae", "no pack \"bsae\""),
    ("pack.yaml", "extends: base", "extends: town", "extends itself"),
    ("pack.yaml", "catalogues: [town]", "catalogues: []", "is not among the catalogues"),
    ("pack.yaml", "must-set: true, ", "", "value is missing"),
    ("site.yaml", "value: 7", "value: 70", "70 is not from 1 to 50"),
    ("site.yaml", "key: town.paper-years", "key: town.papre", "the rules have no such parameter"),
    ("site.yaml", "procedure: new-thing", "procedure: no-thing", "no procedure \"no-thing\""),
    ("site.yaml", "role: section-chief, unit", "role: no-chief, unit", "role: no role \"no-chief\""),
    ("site.yaml", "role: section-chief, unit: planning", "role: section-chief", "unit is missing"),
    ("site.yaml", "role: section-chief, unit: planning", "role: head, unit: planning", "belongs to no role"),
    ("site.yaml", "role: section-chief, unit: planning", "role: police", "is outside"),
    ("site.yaml", "role: section-chief, unit: planning", "role: system-manager", "no group gives it"),
    ("site.yaml", "role: section-chief, unit: planning, ", "", "neither a role nor required"),
    ("site.yaml", "group: \"town chiefs\", ", "", "group is missing"),
    ("requirements/town.yaml", "id: town.3", "id: twon.3", "the id is town. and a number"),
    ("requirements/town.yaml", "how: [schedule]", "how: [hope]", "how \"hope\" is unknown"),
];

#[test]
fn groups_of_the_identity_provider_are_read() {
    let pack = load(town());
    let group = pack.sign_in_group("chiefs").unwrap();
    assert_eq!((group.group.as_str(), group.unit.as_deref()), ("town chiefs", Some("planning")));
    assert_eq!((group.role.as_ref().unwrap().as_str(), group.required), ("section-chief", false));
    let required = load(changed("site.yaml", "role: section-chief, unit: planning", "required: true"));
    assert!(required.sign_in_groups()[0].required && required.sign_in_groups()[0].role.is_none());
    assert!(Pack::embedded_base().unwrap().sign_in_groups().is_empty());
}

#[test]
fn faults_are_named_with_their_place() {
    for (file, from, to, reason) in FAULTS {
        let files = changed(file, from, to);
        let text = String::from_utf8(files[*file].clone()).unwrap();
        let at = text.find(to).filter(|_| !to.is_empty());
        let found = problems(files);
        let named: Vec<_> = found.iter().filter(|p| p.message.contains(reason)).collect();
        assert!(!named.is_empty(), "{to}: {found:?}");
        if let Some(at) = at.filter(|_| !reason.contains("missing") && !reason.contains("catalogues")) {
            let line = 1 + text[..at].lines().count().saturating_sub(1) as u64;
            let near = |p: &&&PackProblem| {
                p.line.abs_diff(line) <= 1
                    || p.line == 0
                    || reason.contains("informative")
                    || reason.contains("twice")
            };
            assert!(
                named.iter().any(|p| near(&p)) || reason.contains("step"),
                "{to} near line {line}: {named:?}"
            );
        }
    }
}

#[test]
fn one_wrong_object_hides_no_other() {
    let mut files = changed("registers/things.yaml", "keeper: [head]", "keper: [head]");
    let text = String::from_utf8(files["registers/things.yaml"].clone()).unwrap();
    let text = text.replace("type: date}", "type: day}").replace("title: [what]", "title: what");
    files.insert("registers/things.yaml".into(), text.into_bytes());
    let found = problems(files);
    for reason in ["no key \"keper\"", "keeper is missing", "no field type", "title is a list"] {
        assert!(found.iter().any(|p| p.message.contains(reason)), "{reason}: {found:?}");
    }
}

#[test]
fn what_a_child_leaves_out_must_be_answered_elsewhere() {
    let base = Pack::embedded_base().unwrap();
    let answered = base.registers().iter().find(|r| r.clauses.iter().any(|c| base.answers(c).len() == 1));
    let code = &answered.expect("a register that alone answers a clause").code;
    let row = format!("leaves-out: [{{register: {code}, ja: \"使わない\", en: \"not used\"}}]\nparameters:");
    let found = problems(changed("pack.yaml", "parameters:", &row));
    assert!(found.iter().any(|p| p.message.contains("is answered by nothing else")), "{found:?}");
    let found = problems(changed(
        "pack.yaml",
        "parameters:",
        "leaves-out: [{register: things, ja: \"x\", en: \"y\"}]\nparameters:",
    ));
    assert!(
        found.iter().any(|p| p.message.contains("no register things of the pack it extends")),
        "{found:?}"
    );
}

#[test]
fn a_replacing_object_answers_its_parents_clauses_too() {
    let base = Pack::embedded_base().unwrap();
    let parent = base.measures().first().expect("base measures something");
    let measure = format!(
        "measures:\n  - {{code: {}, check: {}, ja: \"別\", en: \"other\", clauses: []}}\ninformative:",
        parent.code, parent.check
    );
    let pack = load(changed("controls.yaml", "informative:", &measure));
    let child = pack.measure(&parent.code).unwrap();
    assert_eq!(child.name(Language::En), "other");
    assert_eq!(child.clauses, parent.clauses);
}

#[test]
fn what_waits_is_warned_of() {
    let pack =
        load(changed("site.yaml", "parameters: [{key: town.paper-years, value: 7}]", "parameters: []"));
    let waiting: Vec<_> = pack.unset_parameters().map(|p| p.key.as_str()).collect();
    assert_eq!(waiting, ["town.paper-years"]);
    let warned = |pack: &Pack, text: &str| pack.warnings().iter().any(|w| w.message.contains(text));
    assert!(warned(&pack, "town.paper-years has no value"));
    let pack = load(changed("roles.yaml", "appointed-by: [head]", "appointed-by: [section-chief]"));
    assert!(warned(&pack, "role section-chief is appointed by nobody"));
    let pack = load(changed("procedures/things.yaml", "applicants: [anyone]", "applicants: [head]"));
    assert!(warned(&pack, "step decide: only those who may apply could decide"));
    let pack = load(changed("schedules.yaml", "clauses: [town.3]", "clauses: []"));
    assert!(warned(&pack, "clause town.3 is answered by nothing"));
}

/// What decides behind the last approval finds the effects done.
#[test]
fn deciding_after_the_effects_is_warned_of() {
    let told = "step after: decides after the last approval, when its effects are done";
    let decide = "fields: [{code: reason, ja: \"理由\", en: \"reason\", type: long-text}]}\n";
    let with = |step: &str| {
        let more = format!("{decide}      - {{code: after, ja: \"後\", en: \"after\", {step}}}\n");
        let pack = load(changed("procedures/things.yaml", decide, &more));
        pack.warnings()
            .iter()
            .filter(|warning| warning.message.contains(told))
            .map(|warning| warning.file.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(with("kind: review, by: [section-chief]"), ["procedures/things.yaml"]);
    // Work and news come after as they should; an approval holds the effects back until it is given.
    for harmless in
        ["kind: carry-out, by: [section-chief]", "kind: report, by: [head]", "kind: approve, by: [head]"]
    {
        assert_eq!(with(harmless), Vec::<String>::new(), "{harmless}");
    }
    // Without effects there is nothing to come too late for.
    let mut files = changed(
        "procedures/things.yaml",
        decide,
        &format!("{decide}      - {{code: after, ja: \"後\", en: \"after\", kind: review, by: [head]}}\n"),
    );
    let text = String::from_utf8(files["procedures/things.yaml"].clone()).unwrap();
    let without = text
        .replace("    effects:\n      - {do: register-device, with: {device: name, owner: applicant}}\n", "");
    assert_ne!(without, text);
    files.insert("procedures/things.yaml".into(), without.into_bytes());
    assert!(load(files).warnings().iter().all(|warning| !warning.message.contains(told)));
}

#[test]
fn roles_for_a_unit_or_system_want_one() {
    let mut files = town();
    let roles = "\
roles:
  - {code: section-chief, ja: \"課長\", en: \"section chief\", scope: unit, appointed-by: [head]}
  - {code: keeper, ja: \"担当\", en: \"keeper\", scope: system, appointed-by: [head]}
  - {code: head, ja: \"長\", en: \"head\", scope: installation, appointed-by: []}
  - {code: police, ja: \"警察\", en: \"police\", scope: installation, outside: true}
";
    files.insert("roles.yaml".into(), roles.as_bytes().to_vec());
    let told = |site: &str| {
        let mut files = files.clone();
        let site = format!("parameters: [{{key: town.paper-years, value: 7}}]\n{site}");
        files.insert("site.yaml".into(), site.into_bytes());
        let pack = load(files);
        let own = |text: &str| pack.warnings().iter().filter(|w| w.message.contains(text)).count();
        (
            own("role section-chief is held for one unit"),
            own("role keeper is held for one information system"),
        )
    };
    assert_eq!(told(""), (1, 1));
    assert_eq!(told("units: [{code: east, ja: \"東\", en: \"East\"}]\n"), (0, 1));
    assert_eq!(told("systems: [{code: notes, ja: \"帳\", en: \"Notes\"}]\n"), (1, 0));
}

#[test]
fn differences_are_found_object_by_object() {
    let old = load(town());
    assert!(old.diff(&old).is_empty());
    let mut files = changed("registers/things.yaml", "keeper: [head]", "keeper: [section-chief]");
    files.remove("schedules.yaml");
    let controls = format!(
        "{CONTROLS}attestations:\n  - {{code: locked, ja: \"施錠\", en: \"locked\", clauses: [town.3], owner: [head], valid: P1Y}}\n"
    );
    files.insert("controls.yaml".into(), controls.into_bytes());
    let diff = old.diff(&load(files));
    assert!(!diff.access);
    let found: Vec<_> = diff.changes.iter().map(|c| (c.kind, c.code.as_str(), &c.what)).collect();
    assert!(found.contains(&(ObjectKind::Schedule, "monthly", &ChangeKind::Removed)), "{found:?}");
    assert!(found.contains(&(ObjectKind::Attestation, "locked", &ChangeKind::Added)), "{found:?}");
    let register = found.iter().find(|(kind, code, _)| (*kind, *code) == (ObjectKind::Register, "things"));
    let Some((_, _, ChangeKind::Changed(keys))) = register else { panic!("{found:?}") };
    assert_eq!(keys.len(), 1);
    assert_eq!((keys[0].old.as_deref(), keys[0].new.as_deref()), (Some("[head]"), Some("[section-chief]")));
    assert_eq!(found.len(), 3);
}

#[test]
fn duties_come_round_in_japans_time() {
    let day = |text: &str| {
        let time: jiff::Timestamp = text.parse().unwrap();
        Timestamp::from_micros(time.as_microsecond())
    };
    let yearly = Recurrence::parse("FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=1").unwrap();
    // Midnight in Japan is 15:00 of the day before in UTC.
    assert_eq!(
        yearly.between(day("2026-01-01T00:00:00Z"), day("2028-01-01T00:00:00Z")),
        [day("2026-03-31T15:00:00Z"), day("2027-03-31T15:00:00Z")]
    );
    assert_eq!(yearly.next_after(day("2026-03-31T15:00:00Z")), Some(day("2027-03-31T15:00:00Z")));
    let last_friday = Recurrence::parse("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9").unwrap();
    assert_eq!(last_friday.next_after(day("2026-11-21T00:00:00Z")), Some(day("2026-11-27T00:00:00Z")));
    let weekly = Recurrence::parse("FREQ=WEEKLY").unwrap();
    assert_eq!(weekly.next_after(day("2026-11-21T00:00:00Z")), Some(day("2026-11-22T15:00:00Z")), "a Monday");
    for text in [
        "",
        "FREQ=",
        "FREQ=DAILY;FREQ=DAILY;COUNT=0",
        "BYMONTH=1",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;BYDAY=薬",
    ] {
        assert!(Recurrence::parse(text).is_err(), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_a_recurrence_panic(
        text in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY))?(;(INTERVAL|BYMONTH|BYMONTHDAY|BYDAY|BYSETPOS|BYHOUR|BYMINUTE|WKST|UNTIL)=[-+,0-9A-Z]{0,8}){0,3}",
    ) {
        if let Ok(rule) = Recurrence::parse(&text) {
            proptest::prop_assert!(rule.next_after(Timestamp::from_micros(1_795_000_000_000_000)).is_some() || text.contains("UNTIL"));
        }
    }
}
