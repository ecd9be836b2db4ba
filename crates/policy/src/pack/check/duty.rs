//! Schedules and documents.

use std::collections::BTreeMap;

use super::{Context, Object, head};
use crate::pack::model::{Document, ObjectKind, PeriodSource, Proof, Schedule};
use crate::pack::reader::Allowed;
use crate::pack::recurrence::Recurrence;
use crate::pack::{Parameter, ParameterValue};

pub(super) fn schedules(cx: &Context<'_>, parameters: &BTreeMap<String, Parameter>) -> Vec<Schedule> {
    cx.read(ObjectKind::Schedule, |object| {
        let (name, help) = (object.name(), object.help());
        let owner = object.need_who("owner", Allowed::ROLES);
        let (rule, rule_parameter) = rule(object, parameters);
        let within_days = object.need_number("within-days", 0, 3_660);
        let remind_days = remind_days(object);
        let period = object.word("period").unwrap_or(PeriodSource::Stated);
        let proof = proof(object);
        let code = object.code()?;
        let clauses = cx.united(object, ObjectKind::Schedule, &code);
        Some(Schedule {
            code,
            name,
            help,
            clauses,
            owner,
            rule,
            rule_parameter,
            within_days: within_days?,
            remind_days,
            period,
            proof: proof?,
        })
    })
}

fn rule(
    object: &Object<'_>,
    parameters: &BTreeMap<String, Parameter>,
) -> (Option<Recurrence>, Option<String>) {
    let (text, parameter) = (object.text("rule"), object.text("rule-parameter"));
    let (text, key) = match (text, parameter) {
        (Some(text), None) => (Some(text.to_owned()), "rule"),
        (None, Some(key)) => {
            if !head::expect(object, parameters, "rule-parameter", key, false) {
                return (None, None);
            }
            let value = parameters.get(key).and_then(|p| match &p.value {
                Some(ParameterValue::Text(text)) => Some(text.clone()),
                _ => None,
            });
            (value, "rule-parameter")
        }
        _ => {
            object.problem("either rule or rule-parameter");
            return (None, None);
        }
    };
    let rule = text.and_then(|text| match Recurrence::parse(&text) {
        Ok(rule) => Some(rule),
        Err(reason) => {
            object.problem_at(object.line_of(key), format!("{key}: {reason}"));
            None
        }
    });
    (rule, parameter.map(str::to_owned))
}

fn remind_days(object: &Object<'_>) -> Vec<u32> {
    let days = object.texts("remind-days").into_iter().filter_map(|(text, line)| {
        let days = text.parse().ok().filter(|days| *days <= 3_660);
        if days.is_none() {
            object.problem_at(line, "remind-days is a list of whole numbers of days");
        }
        days
    });
    days.collect()
}

/// Key, the kind of object it names, and the proof made of it.
type ProofRow = (&'static str, Option<ObjectKind>, fn(String) -> Proof);

/// What may prove that a duty was done.
const PROOFS: &[ProofRow] = &[
    ("procedure", Some(ObjectKind::Procedure), Proof::Procedure),
    ("register", Some(ObjectKind::Register), Proof::Register),
    ("review", Some(ObjectKind::Register), Proof::Review),
    ("document", Some(ObjectKind::Document), Proof::Document),
    ("attestation", Some(ObjectKind::Attestation), Proof::Attestation),
    ("job", None, Proof::Job),
];

fn proof(object: &Object<'_>) -> Option<Proof> {
    let Some(row) = object.object("proof") else {
        object.problem("proof is missing: what shows that it was done");
        return None;
    };
    let mut found = Vec::new();
    for (key, kind, make) in PROOFS {
        let code = match kind {
            Some(kind) => row.reference(key, *kind),
            None => row.text(key).map(str::to_owned),
        };
        if row.has(key) {
            found.push(code.map(make));
        }
    }
    row.finish();
    if found.len() != 1 {
        let known: Vec<_> = PROOFS.iter().map(|proof| proof.0).collect();
        row.problem(format!("exactly one of {}", known.join(", ")));
    }
    let proof = found.pop().flatten();
    if let Some(Proof::Review(register)) = &proof {
        let raw = object.cx.merged.raw(ObjectKind::Register, register);
        if raw.is_some_and(|raw| raw.node.get("review").is_none()) {
            row.problem(format!("register {register} has no review"));
        }
    }
    proof
}

pub(super) fn documents(cx: &Context<'_>) -> Vec<Document> {
    cx.read(ObjectKind::Document, |object| {
        let (name, help) = (object.name(), object.help());
        let kind = object.need_word("kind");
        let owner = object.need_who("owner", Allowed::ROLES);
        let review_months = object.number("review-months", 1, 600);
        let posted = object.who("posted", Allowed::USERS);
        let acknowledged_by = object.who("acknowledged-by", Allowed::USERS);
        let within_days = object.number("within-days", 1, 3_660);
        if within_days.is_some() && acknowledged_by.is_empty() {
            object.problem_at(object.line_of("within-days"), "within-days stands only with acknowledged-by");
        }
        let code = object.code()?;
        let clauses = cx.united(object, ObjectKind::Document, &code);
        Some(Document {
            code,
            name,
            help,
            clauses,
            kind: kind?,
            owner,
            review_months,
            posted,
            acknowledged_by,
            within_days,
        })
    })
}
