//! 規程パック: the rules in force, by name, hash and parameters.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::{PackVersion, Proposal};
use mimamori_policy::{ChangeKind, KeyChange, Pack, Parameter, ParameterValue};

use super::rhythm::rhythm;
use super::words::translated;
use super::{Crumb, crumbs};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page};
use crate::pages::id;

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
    /// Newest first.
    versions: Vec<Version>,
    unset: u64,
    /// Parameters by area.
    areas: Vec<(String, Vec<Row>)>,
}

/// A version of the rules that is or was in force.
struct Version {
    number: u64,
    hash: String,
    since: String,
    since_machine: String,
    /// Address of the case that brought it, for who sees every case.
    case: Option<String>,
    by: String,
    in_force: bool,
}

impl Version {
    fn of(found: &PackVersion, sees_cases: bool, texts: &Texts) -> Self {
        Self {
            number: found.version,
            hash: found.hash.clone(),
            since: dates::date_time(found.since, texts),
            since_machine: dates::machine(found.since),
            case: found.case.filter(|_| sees_cases).map(|case| format!("/rules/cases/{case}")),
            by: found.by.clone(),
            in_force: found.in_force,
        }
    }
}

/// How many changes the page of a case shows; the rest stands on a page of its own.
pub(super) const MOST_SHOWN: usize = 12;

/// What new rules change, in words.
pub(super) struct Changes {
    pub(super) hash: String,
    pub(super) outdated: bool,
    pub(super) counts: String,
    pub(super) rows: Vec<Change>,
    /// How many more there are.
    pub(super) more: u64,
    /// The policies of access are others.
    pub(super) access: bool,
    /// What should be looked at before they are adopted.
    pub(super) warnings: Vec<String>,
}

/// One thing that differs.
pub(super) struct Change {
    pub(super) what: &'static str,
    pub(super) style: &'static str,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) code: String,
    /// Key, value as it was, value as it will be.
    pub(super) keys: Vec<(String, String, String)>,
}

impl Changes {
    pub(super) fn of(ask: &Ask, proposal: &Proposal, most: usize) -> Self {
        let (texts, all) = (ask.texts(), &proposal.diff.changes);
        let count = |wanted: fn(&ChangeKind) -> bool| {
            all.iter().filter(|change| wanted(&change.what)).count().to_string()
        };
        Self {
            hash: proposal.pack.hash_text(),
            outdated: proposal.outdated,
            counts: texts.pairs(
                "changes-counts",
                &[
                    ("added", &count(|what| *what == ChangeKind::Added)),
                    ("removed", &count(|what| *what == ChangeKind::Removed)),
                    ("changed", &count(|what| matches!(what, ChangeKind::Changed(_)))),
                ],
            ),
            rows: all.iter().take(most).map(|change| Change::of(proposal, change, texts)).collect(),
            more: all.len().saturating_sub(most) as u64,
            access: proposal.diff.access || proposal.diff.schema,
            warnings: proposal.pack.warnings().iter().take(most).map(ToString::to_string).collect(),
        }
    }
}

impl Change {
    fn of(proposal: &Proposal, change: &mimamori_policy::Change, texts: &Texts) -> Self {
        let (what, style, pack) = match change.what {
            ChangeKind::Added => ("change-added", "good", &proposal.pack),
            ChangeKind::Removed => ("change-removed", "withdrawn", &proposal.follows),
            ChangeKind::Changed(_) => ("change-changed", "due", &proposal.pack),
        };
        let keys: &[KeyChange] = match &change.what {
            ChangeKind::Changed(keys) => keys,
            ChangeKind::Added | ChangeKind::Removed => &[],
        };
        let said = |value: &String| rhythm(value, texts).unwrap_or_else(|| value.clone());
        let side = |value: &Option<String>| value.as_ref().map_or_else(|| texts.get("change-nothing"), said);
        let kind = change.kind.as_str();
        Self {
            what,
            style,
            kind: texts.find(&format!("changed-{kind}")).unwrap_or_else(|| kind.to_owned()),
            name: pack
                .object_name(change.kind, &change.code, translated(texts))
                .unwrap_or_default()
                .to_owned(),
            code: change.code.clone(),
            keys: keys.iter().map(|key| (key.key.clone(), side(&key.old), side(&key.new))).collect(),
        }
    }
}

#[derive(Template)]
#[template(path = "governance/pack_proposed.html")]
struct Proposed {
    l: Layout,
    crumbs: Vec<Crumb>,
    changes: Changes,
}

/// `GET /rules/cases/{id}/pack`: everything that the proposed rules change in those in force, for whoever
/// may see the case.
pub(crate) async fn proposed(ask: Ask, Path(case): Path<String>) -> Answered {
    let view = ask.web.app.case(&ask.caller, id(&case)?).await?;
    let proposal = view.proposal.as_ref().ok_or_else(Fault::not_found)?;
    let of_case = format!("/rules/cases/{}", view.id);
    let name = view.procedure.name(translated(ask.texts())).to_owned();
    page(&Proposed {
        l: ask.layout("changes-title").current("rules"),
        crumbs: crumbs(&ask, &[("/rules/cases", &ask.texts().get("cases-title")), (&of_case, &name)]),
        changes: Changes::of(&ask, proposal, usize::MAX),
    })
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
    let versions = ask.web.app.pack_history(&ask.caller).await?;
    let (pack, texts) = (ask.web.app.pack(), ask.texts());
    let sees_cases = ask.web.app.rule_parts(&ask.caller).cases;
    page(&Shown {
        l: ask.layout("pack-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        name: pack.name(translated(texts)).to_owned(),
        organisation: pack.organisation(translated(texts)).to_owned(),
        id: pack.id().to_owned(),
        hash: pack.hash_text(),
        holds: holds(pack, texts),
        versions: versions.iter().map(|version| Version::of(version, sees_cases, texts)).collect(),
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
    let named = |area: &str| texts.find(&format!("area-{area}")).unwrap_or_else(|| area.to_owned());
    areas.into_iter().map(|(area, rows)| (named(area), rows)).collect()
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
        ParameterValue::Text(text) => rhythm(text, texts).unwrap_or_else(|| text.clone()),
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
        let weekly = ParameterValue::Text("FREQ=WEEKLY;BYDAY=MO".to_owned());
        assert_eq!(in_words(&weekly, ja), "毎週月曜日");
    }

    #[test]
    fn every_parameter_stands_in_its_area_once() {
        for (id, language) in ["base", "komaki", "kasama", "osaki", "kawaguchi"]
            .into_iter()
            .flat_map(|id| Language::ALL.map(|language| (id, language)))
        {
            let (pack, texts) = (Pack::embedded(id).unwrap(), language.texts());
            let areas = areas(&pack, texts);
            let rows: usize = areas.iter().map(|(_, rows)| rows.len()).sum();
            assert_eq!(rows, pack.parameters().count());
            for (name, rows) in &areas {
                let area = rows[0].key.split('.').next().unwrap();
                assert_eq!(texts.find(&format!("area-{area}")).as_ref(), Some(name), "{id}: {area}");
                assert!(rows.iter().all(|row| row.key.starts_with(area)), "{name}");
            }
        }
    }
}
