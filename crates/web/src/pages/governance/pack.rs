//! 規程パック: the rules in force, by name, hash and parameters.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use mimamori_policy::{Pack, Parameter, ParameterValue};

use super::words::translated;
use super::{Crumb, crumbs};
use crate::error::{Answered, Fault};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page};

#[derive(Template)]
#[template(path = "governance/pack.html")]
struct Shown {
    l: Layout,
    crumbs: Vec<Crumb>,
    name: String,
    organisation: String,
    id: String,
    hash: String,
    /// Word and number of what it holds.
    holds: Vec<(String, u64)>,
    unset: u64,
    /// Parameters by area.
    areas: Vec<(String, Vec<Row>)>,
}

/// A parameter.
struct Row {
    key: String,
    value: Option<String>,
    help: String,
    bounds: Option<String>,
}

/// `GET /rules/pack`. What an organisation's rules are is no secret to those who work by them.
pub(crate) async fn show(ask: Ask) -> Answered {
    if !ask.caller.is_staff() {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let (pack, texts) = (ask.web.app.pack(), ask.texts());
    page(&Shown {
        l: ask.layout("pack-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        name: pack.name(translated(texts)).to_owned(),
        organisation: pack.organisation(translated(texts)).to_owned(),
        id: pack.id().to_owned(),
        hash: pack.hash_text(),
        holds: holds(pack, texts),
        unset: pack.unset_parameters().count() as u64,
        areas: areas(pack, texts),
    })
}

fn holds(pack: &Pack, texts: &Texts) -> Vec<(String, u64)> {
    [
        ("answer-register", pack.registers().len()),
        ("answer-procedure", pack.procedures().len()),
        ("answer-schedule", pack.schedules().len()),
        ("answer-document", pack.documents().len()),
        ("answer-role", pack.roles().len()),
        ("answer-attestation", pack.attestations().len()),
        ("answer-measure", pack.measures().len()),
        ("pack-clauses", pack.clauses().count()),
    ]
    .into_iter()
    .map(|(key, n)| (texts.get(key), n as u64))
    .collect()
}

fn areas(pack: &Pack, texts: &Texts) -> Vec<(String, Vec<Row>)> {
    let mut areas: BTreeMap<&str, Vec<Row>> = BTreeMap::new();
    for parameter in pack.parameters() {
        let area = parameter.key.split('.').next().unwrap_or_default();
        areas.entry(area).or_default().push(row(parameter, texts));
    }
    areas.into_iter().map(|(area, rows)| (area.to_owned(), rows)).collect()
}

fn row(parameter: &Parameter, texts: &Texts) -> Row {
    let bounds = match (parameter.least, parameter.most) {
        (None, None) => None,
        (least, most) => {
            let text = |bound: Option<u64>| bound.map(|n| n.to_string()).unwrap_or_default();
            Some(format!("{}–{}", text(least), text(most)))
        }
    };
    Row {
        key: parameter.key.clone(),
        value: parameter.value.as_ref().map(|value| in_words(value, texts)),
        help: parameter.help.get(translated(texts)).to_owned(),
        bounds,
    }
}

fn in_words(value: &ParameterValue, texts: &Texts) -> String {
    match value {
        ParameterValue::Switch(yes) => texts.get(if *yes { "word-yes" } else { "word-no" }),
        ParameterValue::Number(n) => n.to_string(),
        ParameterValue::Numbers(all) => all.iter().map(u64::to_string).collect::<Vec<_>>().join(", "),
        ParameterValue::Text(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn values_are_told_in_words() {
        let ja = Language::Japanese.texts();
        assert_eq!(in_words(&ParameterValue::Switch(true), ja), "はい");
        assert_eq!(in_words(&ParameterValue::Numbers(vec![0, 5]), ja), "0, 5");
        assert_eq!(in_words(&ParameterValue::Number(30), ja), "30");
    }

    #[test]
    fn every_parameter_stands_in_its_area_once() {
        let pack = Pack::embedded_base().unwrap();
        let areas = areas(&pack, Language::English.texts());
        let rows: usize = areas.iter().map(|(_, rows)| rows.len()).sum();
        assert_eq!(rows, pack.parameters().count());
        assert!(areas.iter().all(|(area, rows)| rows.iter().all(|row| row.key.starts_with(area.as_str()))));
    }
}
