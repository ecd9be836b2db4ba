//! Pages for A4 paper: entries of registers and cases, these in the layout that the rules give.

use askama::Template;
use mimamori_app::CaseView;

use super::cases::{number as case_number, printed};
use super::frame;
use super::words::{Line, lines, named, translated};
use crate::dates;
use crate::layout::{Ask, Layout};

#[derive(Template)]
#[template(path = "governance/print.html")]
pub(super) struct Paper {
    pub(super) l: Layout,
    pub(super) organisation: String,
    /// The number that rules give the form.
    pub(super) number: Option<String>,
    pub(super) date: String,
    pub(super) to: Option<String>,
    pub(super) from: Option<String>,
    pub(super) rows: Vec<Vec<Line>>,
    pub(super) wording: Option<String>,
    pub(super) stamps: Vec<Stamp>,
    pub(super) written: String,
    pub(super) back: String,
}

/// A step's box below the form: who did it and when.
pub(super) struct Stamp {
    pub(super) name: String,
    pub(super) who: String,
    pub(super) when: String,
}

/// A case on paper.
pub(super) fn case(ask: &Ask, view: &CaseView) -> Paper {
    let (texts, pack) = (ask.texts(), ask.web.app.pack());
    let (language, base) = (translated(texts), format!("/rules/cases/{}", view.id));
    let plain = || lines(&view.procedure.fields, &view.shown, texts, "").into_iter().map(|line| vec![line]);
    let (title, number, to, rows) = match &view.procedure.print {
        Some(layout) => (
            named(&layout.title, texts),
            layout.number.clone(),
            layout.to.as_ref().map(|to| named(to, texts)),
            layout
                .rows
                .iter()
                .map(|row| row.iter().filter_map(|field| printed(view, field, texts)).collect())
                .collect(),
        ),
        None => (view.procedure.name(language).to_owned(), None, None, plain().collect()),
    };
    let mut l = frame(ask, title, &base);
    l.here = format!("{base}?print");
    let stamps = view.steps.iter().map(|step| {
        let last = step.events.iter().rfind(|event| event.mark.decides());
        Stamp {
            name: step.step.name(language).to_owned(),
            who: last.map(|event| event.by_name.clone()).unwrap_or_default(),
            when: last.map(|event| dates::date_time(event.at, texts)).unwrap_or_default(),
        }
    });
    let place = view.institution.clone().unwrap_or_default();
    Paper {
        l,
        organisation: pack.organisation(language).to_owned(),
        number,
        date: dates::date(dates::day_of(view.submitted.unwrap_or(view.begun)), texts),
        to,
        from: Some(format!("{place} {}", view.applicant.1).trim().to_owned()),
        rows,
        wording: pack.wording(&view.procedure.code).map(|found| named(&found.text, texts)),
        stamps: stamps.collect(),
        written: texts.pairs(
            "print-case",
            &[
                ("id", &case_number(view.id, view.submitted.unwrap_or(view.begun))),
                ("time", &dates::date_time(ask.web.now(), texts)),
            ],
        ),
        back: base,
    }
}
