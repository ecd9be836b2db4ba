//! 条項: every clause of the organisation's catalogues, what answers it, and how it stands now.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::Path;
use mimamori_app::{AnswerState, ClauseState, RuleParts, State};
use mimamori_policy::model::{Catalogue, Clause, Document, ObjectKind};

use super::asking::names;
use super::readable::Readable;
use super::words::{named, translated};
use super::{Crumb, crumbs, frame};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::language::Texts;
use crate::layout::{Ask, Layout, page};

/// Clauses that one page shows.
const ROWS: usize = 20;

/// State of a clause in an address, the key of its word, and the style of its mark; best first, as in
/// [`State::NAMES`].
const STATES: [(&str, &str, &str); 9] = [
    ("informative", "clause-informative", "plain"),
    ("kept", "clause-kept", "good"),
    ("attested", "clause-attested", "stated"),
    ("due", "clause-due", "due"),
    ("unknown", "clause-unknown", "plain"),
    ("never-done", "clause-never-done", "open"),
    ("overdue", "clause-overdue", "late"),
    ("not-kept", "clause-not-kept", "late"),
    ("not-answered", "clause-not-answered", "late"),
];

/// How many clauses stand how, in the order of [`STATES`].
type Counts = [u64; STATES.len()];

fn place(state: State) -> usize {
    STATES.iter().position(|(code, ..)| *code == state.as_str()).unwrap_or(STATES.len() - 1)
}

fn count<'a>(states: impl Iterator<Item = &'a ClauseState>) -> Counts {
    let mut counts = Counts::default();
    for state in states {
        if let Some(n) = counts.get_mut(place(state.state)) {
            *n += 1;
        }
    }
    counts
}

/// A piece of a bar: style, where it begins and how long it is, in hundredths.
struct Piece {
    style: &'static str,
    from: String,
    length: String,
}

/// A bar of counts: its pieces, and its words for who does not see it.
struct Bar {
    pieces: Vec<Piece>,
    told: String,
}

fn bar(counts: &Counts, texts: &Texts) -> Bar {
    let all: u64 = counts.iter().sum();
    let (mut from, mut pieces, mut told) = (0.0, Vec::new(), Vec::new());
    for ((_, key, style), n) in STATES.iter().zip(counts).filter(|(_, n)| **n > 0) {
        let length = (*n as f64) * 100.0 / (all as f64);
        pieces.push(Piece { style, from: format!("{from:.2}"), length: format!("{length:.2}") });
        from += length;
        told.push(texts.pairs("clause-counted", &[("state", &texts.get(key)), ("count", &n.to_string())]));
    }
    Bar { pieces, told: told.join(&texts.get("list-and")) }
}

/// A number that leads to its clauses.
struct Number {
    link: String,
    style: &'static str,
    word: String,
    count: u64,
    chosen: bool,
}

fn numbers(counts: &Counts, base: &str, chosen: &str, texts: &Texts) -> Vec<Number> {
    let number = |((code, key, style), n): (&(&'static str, &'static str, &'static str), &u64)| Number {
        link: format!("{base}state={code}"),
        style,
        word: texts.get(key),
        count: *n,
        chosen: *code == chosen,
    };
    STATES.iter().zip(counts).filter(|(_, n)| **n > 0).map(number).collect()
}

#[derive(Template)]
#[template(path = "governance/clauses.html")]
struct Overview {
    l: Layout,
    crumbs: Vec<Crumb>,
    at: String,
    catalogues: Vec<Counted>,
}

/// A catalogue or chapter with its counts.
struct Counted {
    link: String,
    name: String,
    total: u64,
    bar: Bar,
    numbers: Vec<Number>,
}

fn of_catalogue<'a>(
    catalogue: &Catalogue,
    states: &'a [ClauseState],
) -> impl Iterator<Item = &'a ClauseState> + use<'a> {
    let code = catalogue.code.clone();
    states.iter().filter(move |state| state.id.split_once('.').is_some_and(|(start, _)| start == code))
}

/// `GET /rules/clauses`
pub(crate) async fn overview(ask: Ask) -> Answered {
    let texts = ask.texts();
    let states = ask.web.app.clause_states(&ask.caller).await?;
    let counted = |catalogue: &Catalogue| {
        let counts = count(of_catalogue(catalogue, &states));
        let link = format!("/rules/clauses/{}", catalogue.code);
        Counted {
            name: catalogue.name(translated(texts)).to_owned(),
            total: counts.iter().sum(),
            bar: bar(&counts, texts),
            numbers: numbers(&counts, &format!("{link}?"), "", texts),
            link,
        }
    };
    page(&Overview {
        l: ask.layout("clauses-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        at: dates::date_time(ask.web.now(), texts),
        catalogues: ask.web.app.pack().catalogues().iter().map(counted).collect(),
    })
}

#[derive(Template)]
#[template(path = "governance/catalogue.html")]
struct Chapters {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    total: u64,
    bar: Bar,
    /// The whole catalogue's or the chosen chapter's.
    numbers: Vec<Number>,
    /// The chapters, while no clause is shown.
    chapters: Vec<Counted>,
    /// What is shown: the chosen chapter's code, and the chosen state.
    chapter: String,
    state: String,
    options: Vec<(String, String)>,
    listed: bool,
    found: u64,
    rows: Vec<Row>,
    page: usize,
    pages: usize,
    more: String,
}

/// A clause with what answers it.
struct Row {
    id: String,
    reference: String,
    text: String,
    style: &'static str,
    word: String,
    /// Of an attested clause: until when.
    until: Option<String>,
    answers: Vec<Answer>,
}

struct Answer {
    kind: String,
    name: String,
    link: Option<String>,
    style: &'static str,
    word: String,
    seen: String,
}

/// `GET /rules/clauses/{catalogue}`; `?chapter=3`, `&state=overdue`, `&page=2`.
pub(crate) async fn catalogue(ask: Ask, Path(code): Path<String>, Query(query): Query) -> Answered {
    let texts = ask.texts();
    let language = translated(texts);
    let found = ask.web.app.pack().catalogue(&code).ok_or_else(Fault::not_found)?;
    let all = ask.web.app.clause_states(&ask.caller).await?;
    let states: BTreeMap<&str, &ClauseState> =
        of_catalogue(found, &all).map(|s| (s.id.as_str(), s)).collect();
    let (chapter, state) = (query.get("chapter"), query.get("state"));
    let chapter = found.chapters.iter().find(|one| one.code == chapter).map_or("", |one| one.code.as_str());
    let state = STATES.iter().find(|(code, ..)| *code == state).map_or("", |(code, ..)| *code);
    let base = format!("/rules/clauses/{code}");
    let within = |chapter: &str| {
        let clauses = found.clauses.iter().filter(|clause| chapter.is_empty() || clause.chapter() == chapter);
        clauses.filter_map(|clause| Some((clause, *states.get(clause.id.as_str())?))).collect::<Vec<_>>()
    };
    let counts = count(within(chapter).into_iter().map(|(_, state)| state));
    let start = if chapter.is_empty() { format!("{base}?") } else { format!("{base}?chapter={chapter}&") };
    let listed = !(chapter.is_empty() && state.is_empty());
    let chapters = if listed {
        Vec::new()
    } else {
        let counted = |one: &mimamori_policy::model::Chapter| {
            let counts = count(within(&one.code).into_iter().map(|(_, state)| state));
            Counted {
                link: format!("{base}?chapter={}", one.code),
                name: format!("{} {}", one.code, one.name(language)),
                total: counts.iter().sum(),
                bar: bar(&counts, texts),
                numbers: Vec::new(),
            }
        };
        found.chapters.iter().map(counted).filter(|one| one.total > 0).collect()
    };
    let mut wanted = if listed { within(chapter) } else { Vec::new() };
    wanted.retain(|(_, found)| state.is_empty() || found.state.as_str() == state);
    let pages = wanted.len().div_ceil(ROWS).max(1);
    let number = query.parsed("page").unwrap_or(1).clamp(1, pages);
    let rows = wanted.iter().skip((number - 1) * ROWS).take(ROWS);
    let here = match (chapter, state) {
        ("", "") => base.clone(),
        (_, "") => format!("{base}?chapter={chapter}"),
        _ => format!("{start}state={state}"),
    };
    let opens = Opens::of(&ask).await?;
    let option = |one: &mimamori_policy::model::Chapter| {
        (one.code.clone(), format!("{} {}", one.code, one.name(language)))
    };
    page(&Chapters {
        l: frame(&ask, found.name(language).to_owned(), &here),
        crumbs: crumbs(&ask, &[("/rules/clauses", &texts.get("clauses-title"))]),
        total: counts.iter().sum(),
        bar: bar(&counts, texts),
        numbers: numbers(&counts, &start, state, texts),
        chapters,
        options: found.chapters.iter().map(option).collect(),
        chapter: chapter.to_owned(),
        state: state.to_owned(),
        listed,
        found: wanted.len() as u64,
        rows: rows.map(|(clause, state)| row(&ask, &opens, clause, state)).collect(),
        page: number,
        pages,
        more: if state.is_empty() { start } else { format!("{start}state={state}&") },
        base,
    })
}

fn row(ask: &Ask, opens: &Opens, clause: &Clause, found: &ClauseState) -> Row {
    let texts = ask.texts();
    let (style, word) = mark(found.state, texts);
    Row {
        id: clause.id.replace('.', "-"),
        reference: clause.reference.clone(),
        text: clause.text(translated(texts)).to_owned(),
        until: match found.state {
            State::Attested(until) => Some(dates::date(dates::day_of(until), texts)),
            _ => None,
        },
        answers: found.answers.iter().map(|one| answer(ask, opens, one)).collect(),
        style,
        word,
    }
}

fn mark(state: State, texts: &Texts) -> (&'static str, String) {
    STATES.get(place(state)).map_or_else(Default::default, |(_, key, style)| (*style, texts.get(key)))
}

/// Kind of answer, the key of its word, and where an object of it is found (its code follows).
const ANSWERS: &[(ObjectKind, &str, &str)] = &[
    (ObjectKind::Register, "answer-register", "/rules/registers/"),
    (ObjectKind::Procedure, "answer-procedure", "/rules/procedures/"),
    (ObjectKind::Schedule, "answer-schedule", ""),
    (ObjectKind::Document, "answer-document", "/rules/documents/"),
    (ObjectKind::Disclosure, "answer-disclosure", "/rules/documents/"),
    (ObjectKind::Attestation, "answer-attestation", "/rules/controls/attestations/"),
    (ObjectKind::Measure, "answer-measure", ""),
    (ObjectKind::Role, "answer-role", "/rules/roles/"),
    (ObjectKind::Parameter, "answer-parameter", ""),
    (ObjectKind::Informative, "answer-informative", ""),
];

/// What the caller may open of what answers clauses.
struct Opens {
    registers: Readable,
    begins: BTreeSet<String>,
    parts: RuleParts,
}

impl Opens {
    async fn of(ask: &Ask) -> Result<Self, Fault> {
        let procedures = ask.web.app.procedures(&ask.caller).await?;
        let begins = procedures.into_iter().filter(|one| one.may_begin).map(|one| one.procedure.code.clone());
        Ok(Self {
            registers: Readable::of(ask),
            begins: begins.collect(),
            parts: ask.web.app.rule_parts(&ask.caller),
        })
    }

    fn document(&self, ask: &Ask, code: &str) -> bool {
        let posted = |found: &Document| {
            [&found.posted, &found.acknowledged_by, &found.owner].into_iter().any(|who| names(ask, who))
        };
        self.parts.every_document || ask.web.app.pack().document(code).is_some_and(posted)
    }

    /// Whether the page that shows an answer would be given.
    fn answer(&self, ask: &Ask, kind: ObjectKind, code: &str) -> bool {
        match kind {
            ObjectKind::Register => self.registers.register(code),
            ObjectKind::Procedure => self.begins.contains(code),
            ObjectKind::Schedule => self.parts.duties,
            ObjectKind::Document => self.document(ask, code),
            ObjectKind::Disclosure => {
                ask.web.app.pack().disclosure(code).is_some_and(|one| self.document(ask, &one.document))
            }
            ObjectKind::Attestation => {
                let found = ask.web.app.pack().attestation(code);
                self.parts.every_control || found.is_some_and(|found| names(ask, &found.owner))
            }
            ObjectKind::Measure => self.parts.controls,
            ObjectKind::Role => self.parts.roles,
            ObjectKind::Parameter => ask.caller.is_staff(),
            _ => true,
        }
    }
}

fn answer(ask: &Ask, opens: &Opens, found: &AnswerState) -> Answer {
    let (pack, texts) = (ask.web.app.pack(), ask.texts());
    let (kind, code) = (found.answer.kind, found.answer.code.as_str());
    let known = ANSWERS.iter().find(|(known, ..)| *known == kind);
    let (key, start) = known.map_or(("answer-other", ""), |(_, key, start)| (*key, *start));
    let link = match kind {
        ObjectKind::Schedule => Some("/rules/duties".to_owned()),
        ObjectKind::Measure => Some("/rules/controls/measures".to_owned()),
        ObjectKind::Parameter => Some("/rules/pack".to_owned()),
        ObjectKind::Procedure => Some(format!("{start}{code}/new")),
        ObjectKind::Disclosure => pack.disclosure(code).map(|one| format!("{start}{}", one.document)),
        _ => (!start.is_empty()).then(|| format!("{start}{code}")),
    };
    let (style, word) = mark(found.state, texts);
    let name = match kind {
        ObjectKind::Informative => "",
        ObjectKind::Parameter => pack.parameter(code).map_or(code, |one| one.help.get(translated(texts))),
        _ => pack.object_name(kind, code, translated(texts)).unwrap_or(code),
    };
    Answer {
        kind: texts.get(key),
        name: name.to_owned(),
        link: link.filter(|_| !name.is_empty() && opens.answer(ask, kind, code)),
        style,
        word,
        seen: named(&found.seen, texts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn every_state_has_its_word_and_a_bar_is_full() {
        assert_eq!(STATES.map(|(code, ..)| code), State::NAMES);
        let mut counts = Counts::default();
        (counts[1], counts[5], counts[8]) = (1, 1, 1);
        for texts in Language::ALL.map(Language::texts) {
            let bar = bar(&counts, texts);
            assert_eq!(bar.pieces.len(), 3);
            let whole: f64 = bar.pieces.iter().map(|piece| piece.length.parse::<f64>().unwrap()).sum();
            assert!((whole - 100.0).abs() < 0.05, "{whole}");
            assert!(bar.told.contains('1'));
        }
        assert!(super::bar(&Counts::default(), Language::English.texts()).pieces.is_empty());
    }
}
