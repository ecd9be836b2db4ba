//! `pack.yaml`: name, languages, zones, parameters with what `site.yaml` sets.

use std::collections::BTreeMap;

use mimamori_domain::OccupationCode;

use super::{Context, Object, warning};
use crate::pack::load::PACK;
use crate::pack::merge::Raw;
use crate::pack::model::{ObjectKind, Who};
use crate::pack::parameters::{self, REQUIRED, Shape};
use crate::pack::reader::{Allowed, is_code};
use crate::pack::yaml::{Node, Value};
use crate::pack::{PackProblem, Parameter, ParameterValue, Zone, ZoneCaller, ZoneTerminals};
use crate::text::{Language, Text};

pub(super) struct Head {
    pub id: String,
    pub name: Text,
    pub organisation: Text,
}

pub(super) fn head(cx: &Context<'_>) -> Head {
    let Some(node) = &cx.merged.head else {
        return Head { id: String::new(), name: Text::default(), organisation: Text::default() };
    };
    let object = Object::new(cx, PACK, "pack", node);
    let id = object.need_text("id").unwrap_or_default();
    if !id.is_empty() && !is_code(id) {
        object.problem_at(object.line_of("id"), format!("pack id {id:?} is not a code of a-z, 0-9 and '-'"));
    }
    let name = object.name();
    let organisation = object.pair("organisation-ja", "organisation-en", false);
    let languages = object.texts("languages");
    for (tag, line) in &languages {
        if !Language::ALL.iter().any(|l| l.tag() == *tag) {
            object.problem_at(*line, format!("no language {tag:?}; ja and en are known"));
        }
    }
    for needed in Language::ALL {
        if !languages.iter().any(|(tag, _)| *tag == needed.tag()) {
            object.problem_at(object.line_of("languages"), format!("languages lack {}", needed.tag()));
        }
    }
    let _extended = object.text("extends");
    object.texts("catalogues");
    Head { id: id.to_owned(), organisation: organisation.unwrap_or_else(|| name.clone()), name }
}

pub(super) fn zones(cx: &Context<'_>) -> Vec<Zone> {
    cx.read(ObjectKind::Zone, |object| {
        let name = object.name();
        let code = object.need_parsed("code");
        let closed_to = closed_to(object);
        let people = object.who("roles", Allowed::ROLES);
        let roles = people.into_iter().filter_map(|who| match who {
            Who::Role(code) => Some(code),
            _ => None,
        });
        let (roles, terminals) = (roles.collect(), terminals(cx, object));
        let second_factor = object.flag("second-factor");
        // Where two are asked for, whoever has only learnt a password would register their own.
        let enrolment = object.flag("enrolment") || !second_factor;
        Some(Zone { code: code?, name, closed_to, roles, terminals, second_factor, enrolment })
    })
}

fn closed_to(object: &Object<'_>) -> Vec<ZoneCaller> {
    let known = [
        ("staff", ZoneCaller::Staff),
        ("citizens", ZoneCaller::Citizens),
        ("programs", ZoneCaller::Programs),
    ];
    let mut found = Vec::new();
    for (word, line) in object.texts("closed-to") {
        match known.iter().find(|(name, _)| *name == word) {
            Some((_, caller)) => found.push(*caller),
            None => object.problem_at(line, format!("{word:?} is none of staff, citizens, programs")),
        }
    }
    found
}

/// `terminals-for`: `everybody`, or occupations.
fn terminals(cx: &Context<'_>, object: &Object<'_>) -> ZoneTerminals {
    let (mut everybody, mut codes) = (false, Vec::new());
    for (word, line) in object.texts("terminals-for") {
        if word == "everybody" {
            everybody = true;
        } else if cx.merged.raw(ObjectKind::Occupation, word).is_none() {
            object.problem_at(line, format!("no occupation {word:?}"));
        } else if let Ok(code) = OccupationCode::new(word) {
            codes.push(code);
        }
    }
    if everybody { ZoneTerminals::Everybody } else { ZoneTerminals::Occupations(codes) }
}

pub(super) fn parameters(cx: &Context<'_>) -> BTreeMap<String, Parameter> {
    let mut all = BTreeMap::new();
    for raw in cx.merged.of_kind(ObjectKind::Parameter) {
        if let Some(parameter) = parameter(cx, raw) {
            all.insert(raw.code.clone(), parameter);
        }
    }
    let file = cx.merged.head.as_ref().map_or(0, |head| head.line);
    for (key, shape) in REQUIRED {
        match all.get(*key) {
            None => cx.problem(PACK, 0, format!("parameter {key} is missing")),
            Some(parameter) => match parameter.value.as_ref().map(shape_of) {
                Some(found) if found != *shape => {
                    cx.problem(PACK, 0, format!("parameter {key} is a {found:?}, a {shape:?} is needed"));
                }
                _ => {}
            },
        }
    }
    // A word that means nothing would leave somebody without what the rules ask of them.
    let asked = all.get(parameters::SECOND_FACTOR_REQUIRED_OF).and_then(|p: &Parameter| p.value.as_ref());
    if let Some(ParameterValue::Text(words)) = asked {
        for word in words.split_whitespace().filter(|word| !known_asked(cx, word)) {
            let key = parameters::SECOND_FACTOR_REQUIRED_OF;
            cx.problem(PACK, file, format!("{key}: {word:?} is neither a group, a zone nor a role"));
        }
    }
    // The evidence must outlive what it is evidence of.
    let years = |key: &str| match all.get(key).and_then(|p: &Parameter| p.value.as_ref()) {
        Some(ParameterValue::Number(years)) => Some(*years),
        _ => None,
    };
    let (ledger, records) =
        (years(parameters::RETENTION_LEDGER_YEARS), years(parameters::RETENTION_RECORDS_YEARS));
    if ledger.zip(records).is_some_and(|(ledger, records)| ledger < records) {
        cx.problem(PACK, file, "the ledger is kept for fewer years than the records");
    }
    all
}

/// Whom a second factor may be asked of, beside zones and roles.
const GROUPS: [&str; 5] = ["nobody", "everybody", "staff", "citizens", "privileged"];

fn known_asked(cx: &Context<'_>, word: &str) -> bool {
    let (kind, code) = match word.strip_prefix("zone:") {
        Some(zone) => (ObjectKind::Zone, zone),
        None => (ObjectKind::Role, word),
    };
    GROUPS.contains(&word) || cx.merged.of_kind(kind).any(|raw| raw.code == code)
}

/// One parameter: bounds, words and clauses come from what it replaces where it says nothing itself.
fn parameter(cx: &Context<'_>, raw: &Raw) -> Option<Parameter> {
    let parent = raw.replaces.as_deref().and_then(|parent| parameter(cx, parent));
    let object = Object::new(cx, &raw.file, format!("parameter {}", raw.code), &raw.node);
    object.need_text("key");
    let form = raw.code.split_once('.').is_some_and(|(area, name)| is_code(area) && is_code(name));
    if !form {
        object.problem_at(raw.line, format!("parameter key {:?} is not of the form area.name", raw.code));
    }
    let value = object.get("value").and_then(|node| value(&object, node));
    if raw.site {
        object.finish();
        let Some(parent) = parent else {
            object.problem_at(raw.line, "the rules have no such parameter");
            return None;
        };
        if value.is_none() && !object.has("value") {
            object.problem("value is missing");
        }
        within(&object, value.as_ref(), &parent, raw.line);
        return Some(Parameter { value, ..parent });
    }
    let (least, most) = (object.number("least", 0, u64::MAX), object.number("most", 0, u64::MAX));
    let must_set = object.flag("must-set");
    let help = object.pair("ja", "en", parent.is_none());
    let mut clauses = object.clauses();
    object.finish();
    if value.is_none() && !must_set && !object.has("value") {
        object.problem_at(raw.line, "value is missing; what the rules leave open says must-set: true");
    }
    for bound in [least, most].into_iter().flatten() {
        let (low, high) = parent.as_ref().map_or((0, u64::MAX), bounds);
        if !(low..=high).contains(&bound) {
            object.problem_at(
                raw.line,
                format!("the bound {bound} is not from {low} to {high}, as the pack it extends demands"),
            );
        }
    }
    let inherited = parent.as_ref();
    for id in inherited.iter().flat_map(|p| &p.clauses) {
        if !clauses.contains(id) {
            clauses.push(id.clone());
        }
    }
    let parameter = Parameter {
        key: raw.code.clone(),
        value,
        must_set: must_set || inherited.is_some_and(|p| p.must_set),
        least: least.or_else(|| inherited?.least),
        most: most.or_else(|| inherited?.most),
        help: help.or_else(|| Some(inherited?.help.clone())).unwrap_or_default(),
        clauses,
    };
    within(&object, parameter.value.as_ref(), &parameter, raw.line);
    if let Some(parent) = inherited {
        within(&object, parameter.value.as_ref(), parent, raw.line);
    }
    Some(parameter)
}

fn bounds(parameter: &Parameter) -> (u64, u64) {
    (parameter.least.unwrap_or(0), parameter.most.unwrap_or(u64::MAX))
}

/// A value keeps to bounds and shape.
fn within(object: &Object<'_>, value: Option<&ParameterValue>, of: &Parameter, line: u64) {
    let Some(value) = value else {
        return;
    };
    if let Some(before) = &of.value
        && shape_of(before) != shape_of(value)
    {
        object.problem_at(line, format!("is a {:?}, a {:?} is needed", shape_of(value), shape_of(before)));
    }
    let numbers: &[u64] = match value {
        ParameterValue::Switch(_) | ParameterValue::Text(_) => &[],
        ParameterValue::Number(number) => std::slice::from_ref(number),
        ParameterValue::Numbers(numbers) => numbers,
    };
    let (least, most) = bounds(of);
    for number in numbers.iter().filter(|n| !(least..=most).contains(n)) {
        object.problem_at(line, format!("{number} is not from {least} to {most}"));
    }
}

fn value(object: &Object<'_>, node: &Node) -> Option<ParameterValue> {
    let wrong = |reason: &str| {
        object.problem_at(node.line, format!("value: {reason}"));
        None
    };
    match &node.value {
        Value::Text { text, plain: true } => Some(match (text.as_ref(), text.parse()) {
            ("true", _) => ParameterValue::Switch(true),
            ("false", _) => ParameterValue::Switch(false),
            (_, Ok(number)) => ParameterValue::Number(number),
            (text, Err(_)) => ParameterValue::Text(text.to_owned()),
        }),
        Value::Text { text, plain: false } => Some(ParameterValue::Text(text.clone().into_owned())),
        Value::List(nodes) if nodes.is_empty() => wrong("the list is empty"),
        Value::List(nodes) => {
            let numbers: Option<Vec<u64>> = nodes.iter().map(|n| n.text()?.parse().ok()).collect();
            numbers.map(ParameterValue::Numbers).or_else(|| wrong("a list holds whole numbers"))
        }
        Value::Map(_) | Value::Empty => wrong("a switch, a whole number, a list of those or a text"),
    }
}

fn shape_of(value: &ParameterValue) -> Shape {
    match value {
        ParameterValue::Switch(_) => Shape::Switch,
        ParameterValue::Number(_) => Shape::Number,
        ParameterValue::Numbers(_) => Shape::Numbers,
        ParameterValue::Text(_) => Shape::Text,
    }
}

/// A parameter that somewhere holds years or a rule: that it is there and of the right shape.
pub(super) fn expect(
    object: &Object<'_>,
    parameters: &BTreeMap<String, Parameter>,
    field: &'static str,
    key: &str,
    number: bool,
) -> bool {
    let line = object.line_of(field);
    let Some(parameter) = parameters.get(key) else {
        object.problem_at(line, format!("{field}: no parameter {key:?}"));
        return false;
    };
    let fits = match &parameter.value {
        None => true,
        Some(ParameterValue::Number(_)) => number,
        Some(ParameterValue::Text(_)) => !number,
        Some(_) => false,
    };
    if !fits {
        let needed = if number { "a whole number" } else { "a text" };
        object.problem_at(line, format!("{field}: parameter {key} must be {needed}"));
    }
    fits
}

pub(super) fn warnings(cx: &Context<'_>, parameters: &BTreeMap<String, Parameter>) -> Vec<PackProblem> {
    let open = parameters.values().filter(|p| p.must_set && p.value.is_none());
    open.map(|p| {
        let message = format!("parameter {} has no value; site.yaml must give one before work begins", p.key);
        warning(cx.merged, ObjectKind::Parameter, &p.key, message)
    })
    .collect()
}
