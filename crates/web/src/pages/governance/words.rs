//! What the pack and its forms say, in the language of the page.

use std::collections::BTreeMap;

use mimamori_app::{JOBS, Label, Shown};
use mimamori_policy::model::{Field, FieldType, Period, Proof, Who};
use mimamori_policy::{Pack, Text};

use crate::dates;
use crate::language::{Language, Texts};

/// The pack's language for that of the page.
pub(crate) fn translated(texts: &Texts) -> mimamori_policy::Language {
    match texts.language {
        Language::Japanese => mimamori_policy::Language::Ja,
        Language::English => mimamori_policy::Language::En,
    }
}

/// A text of the pack.
pub(crate) fn named(text: &Text, texts: &Texts) -> String {
    text.get(translated(texts)).to_owned()
}

/// The role's name, or the word for people without an appointment.
pub(crate) fn who(pack: &Pack, who: &Who, texts: &Texts) -> String {
    match who {
        Who::Role(code) => {
            pack.role(code).map_or_else(|| code.to_string(), |role| role.name(translated(texts)).to_owned())
        }
        Who::Anyone => texts.get("who-anyone"),
        Who::Citizen => texts.get("who-citizen"),
        Who::Applicant => texts.get("who-applicant"),
    }
}

/// Several, as a list.
pub(crate) fn whom(pack: &Pack, list: &[Who], texts: &Texts) -> String {
    let words: Vec<String> = list.iter().map(|one| who(pack, one, texts)).collect();
    words.join(&texts.get("list-and"))
}

/// One value in words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) link: Option<String>,
}

/// A field with what it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) cells: Vec<Cell>,
    /// Several lines of text.
    pub(crate) long: bool,
}

impl Line {
    /// What stands in a form that was not handed in yet.
    pub(crate) fn typed(control: &super::inputs::Control, base: &str) -> Option<Self> {
        let plain = |text: &str| Cell { text: text.to_owned(), link: None };
        let cells: Vec<Cell> = match control.kind {
            "radio" | "checks" | "select" => {
                control.options.iter().filter(|one| one.chosen).map(|one| plain(&one.label)).collect()
            }
            "file" => control
                .files
                .iter()
                .map(|(id, name)| Cell { text: name.clone(), link: Some(format!("{base}/files/{id}")) })
                .collect(),
            _ => {
                let typed = control.places.iter().filter(|(_, text)| !text.is_empty());
                typed.map(|(_, text)| plain(text)).collect()
            }
        };
        (!cells.is_empty()).then(|| Self {
            label: control.label.clone(),
            cells,
            long: control.kind == "lines",
        })
    }

    /// As one text, for comparing versions.
    pub(crate) fn as_text(&self) -> String {
        self.cells.iter().map(|cell| cell.text.as_str()).collect::<Vec<_>>().join("\n")
    }
}

/// A label in words. `files` is where an attachment of what is shown opens, without its id.
pub(crate) fn cell(label: &Label, texts: &Texts, files: &str) -> Cell {
    let plain = |text: String| Cell { text, link: None };
    match label {
        Label::Plain(text) => plain(text.clone()),
        Label::Word(word) => plain(named(word, texts)),
        Label::YesNo(yes) => plain(texts.get(if *yes { "word-yes" } else { "word-no" })),
        Label::Moment(text) => plain(moment(text, texts)),
        Label::Number(text, Some(unit)) => plain(format!("{text} {}", named(unit, texts))),
        Label::Number(text, None) => plain(text.clone()),
        Label::Entry { register, id, name } => Cell {
            text: if name.is_empty() { texts.get("entry-unnamed") } else { name.clone() },
            link: Some(format!("/rules/registers/{register}/entries/{id}")),
        },
        Label::Subject(id) => Cell { text: texts.get("subject-record"), link: Some(format!("/people/{id}")) },
        Label::File { id, name } => Cell { text: name.clone(), link: Some(format!("{files}/{id}")) },
    }
}

/// The fields that hold something, in the pack's order.
pub(crate) fn lines(fields: &[Field], shown: &Shown, texts: &Texts, files: &str) -> Vec<Line> {
    let line = |field: &Field| {
        let labels = shown.get(&field.code)?;
        Some(Line {
            label: field.name(translated(texts)).to_owned(),
            cells: labels.iter().map(|label| cell(label, texts, files)).collect(),
            long: matches!(field.kind, FieldType::LongText { .. }),
        })
    };
    fields.iter().filter_map(line).collect()
}

/// The same, by the code of the field.
pub(crate) fn lines_by_code(
    fields: &[Field],
    shown: &Shown,
    texts: &Texts,
    files: &str,
) -> BTreeMap<String, Line> {
    let one = |field: &Field| {
        let lines = lines(std::slice::from_ref(field), shown, texts, files);
        lines.into_iter().next().map(|line| (field.code.clone(), line))
    };
    fields.iter().filter_map(one).collect()
}

/// A day, time, or day and time in Japan, as forms hold it.
pub(crate) fn moment(text: &str, texts: &Texts) -> String {
    let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
    let Ok(day) = day.parse() else { return text.to_owned() };
    let day = dates::date(day, texts);
    match time {
        Some(time) if texts.language == Language::Japanese => format!("{day}{time}"),
        Some(time) => format!("{day}, {time}"),
        None => day,
    }
}

/// A period in words.
pub(crate) fn period(period: Period, texts: &Texts) -> String {
    let parts = [
        ("period-years", period.years),
        ("period-months", period.months),
        ("period-days", period.days),
        ("period-hours", period.hours),
        ("period-minutes", period.minutes),
    ];
    let words = parts.iter().filter(|(_, n)| *n > 0).map(|(key, n)| texts.count(key, u64::from(*n)));
    words.collect::<Vec<_>>().join(&texts.get("period-joint"))
}

/// What proves a duty done: its name and where it is done.
pub(crate) fn proof(pack: &Pack, proof: &Proof, texts: &Texts) -> Cell {
    let language = translated(texts);
    let (key, name, link) = match proof {
        Proof::Procedure(code) => (
            "proof-procedure",
            pack.procedure(code).map(|found| found.name(language)),
            Some(format!("/rules/procedures/{code}/new")),
        ),
        Proof::Register(code) => (
            "proof-register",
            pack.register(code).map(|found| found.name(language)),
            Some(format!("/rules/registers/{code}")),
        ),
        Proof::Review(code) => (
            "proof-review",
            pack.register(code).map(|found| found.name(language)),
            Some(format!("/rules/registers/{code}/reviews")),
        ),
        Proof::Document(code) => (
            "proof-document",
            pack.document(code).map(|found| found.name(language)),
            Some(format!("/rules/documents/{code}")),
        ),
        Proof::Attestation(code) => (
            "proof-attestation",
            pack.attestation(code).map(|found| found.name(language)),
            Some(format!("/rules/controls/attestations/{code}")),
        ),
        Proof::Job(code) => {
            // A job that the program does not have is told by its code.
            let known = JOBS.contains(&code.as_str()).then(|| texts.find(&format!("job-{code}")));
            let name = known.flatten().unwrap_or_else(|| code.clone());
            return Cell { text: texts.with("proof-job", "name", &name), link: None };
        }
    };
    Cell { text: texts.with(key, "name", name.unwrap_or_default()), link }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_and_periods_read_well() {
        let (ja, en) = (Language::Japanese.texts(), Language::English.texts());
        assert_eq!(moment("2026-11-21", ja), "2026年11月21日（土）");
        assert_eq!(moment("2026-11-21T09:30", en), "Sat 21 Nov 2026, 09:30");
        assert_eq!(moment("09:30", ja), "09:30");
        assert_eq!(period("P1Y6M".parse().unwrap(), ja), "1年6か月");
        assert_eq!(period("PT1H".parse().unwrap(), en), "1 hour");
    }
}
