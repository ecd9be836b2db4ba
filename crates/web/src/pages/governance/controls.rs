//! 管理策: what named people attest, and what the running program measures.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::{AttestationView, Finding, Measured, NewStatement, Statement};
use mimamori_domain::{ObjectId, Timestamp};
use mimamori_policy::model::{Attestation, Field, FieldType, Measure};

use super::asked::{Asked, Sent, download, field, must};
use super::inputs::Filled;
use super::words::{Cell, named, period, translated, whom};
use super::{Crumb, crumbs, frame};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::pages::id;
use crate::uploads::Form;

/// Attestations that one page lists.
const ROWS: usize = 40;
/// Statements that one page lists.
const STATEMENTS: usize = 20;

/// State of an attestation in an address, the key of its word, and the style of its mark.
const STATES: [(&str, &str, &str); 4] = [
    ("never", "attest-never", "due"),
    ("ended", "attest-ended", "late"),
    ("broken", "attest-broken", "late"),
    ("holds", "attest-holds", "good"),
];

fn state(newest: Option<&Statement>, now: Timestamp) -> &'static str {
    match newest {
        None => "never",
        Some(statement) if !statement.holds => "broken",
        Some(statement) if statement.until <= now => "ended",
        Some(_) => "holds",
    }
}

fn mark(state: &str, texts: &Texts) -> (&'static str, String) {
    let found = STATES.iter().find(|(code, ..)| *code == state);
    found.map_or_else(Default::default, |(_, key, style)| (*style, texts.get(key)))
}

#[derive(Template)]
#[template(path = "governance/controls.html")]
struct List {
    l: Layout,
    crumbs: Vec<Crumb>,
    /// Address, word, number, chosen.
    states: Vec<(String, String, u64, bool)>,
    rows: Vec<Row>,
    page: usize,
    pages: usize,
    base: String,
}

struct Row {
    link: String,
    name: String,
    owner: String,
    style: &'static str,
    word: String,
    until: Option<String>,
    mine: bool,
}

/// `GET /rules/controls`; `?state=never`, `&page=2`. `mine` is a state too: what the caller states.
pub(crate) async fn list(ask: Ask, Query(query): Query) -> Answered {
    let (texts, now) = (ask.texts(), ask.web.now());
    let mut found = ask.web.app.attestations(&ask.caller).await?;
    let of = |view: &AttestationView| state(view.statements.first(), now);
    let is = |view: &AttestationView, code: &str| if code == "mine" { view.mine } else { of(view) == code };
    let known =
        [("mine", "attest-mine")].into_iter().chain(STATES.iter().map(|(code, key, _)| (*code, *key)));
    let known: Vec<(&str, &str)> = known.collect();
    let chosen = known.iter().find(|(code, _)| *code == query.get("state")).map(|(code, _)| *code);
    let count = |code: &str| found.iter().filter(|view| is(view, code)).count() as u64;
    let all = ("/rules/controls".to_owned(), texts.get("filter-all"), found.len() as u64, chosen.is_none());
    let some = known.iter().filter(|(code, _)| count(code) > 0).map(|(code, key)| {
        (format!("/rules/controls?state={code}"), texts.get(key), count(code), chosen == Some(*code))
    });
    let states = [all].into_iter().chain(some).collect();
    found.retain(|view| chosen.is_none_or(|chosen| is(view, chosen)));
    let pages = found.len().div_ceil(ROWS).max(1);
    let number = query.parsed("page").unwrap_or(1).clamp(1, pages);
    let row = |view: &AttestationView| {
        let (style, word) = mark(of(view), texts);
        let newest = view.statements.first();
        Row {
            link: format!("/rules/controls/attestations/{}", view.attestation.code),
            name: view.attestation.name(translated(texts)).to_owned(),
            owner: whom(ask.web.app.pack(), &view.attestation.owner, texts),
            until: newest.map(|one| dates::date(dates::day_of(one.until), texts)),
            mine: view.mine,
            style,
            word,
        }
    };
    page(&List {
        l: ask.layout("controls-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        states,
        rows: found.iter().skip((number - 1) * ROWS).take(ROWS).map(row).collect(),
        page: number,
        pages,
        base: chosen.map_or("/rules/controls?".to_owned(), |code| format!("/rules/controls?state={code}&")),
    })
}

#[derive(Template)]
#[template(path = "governance/measures.html")]
struct Measures {
    l: Layout,
    crumbs: Vec<Crumb>,
    at: String,
    rows: Vec<Seen>,
}

struct Seen {
    name: String,
    help: Option<String>,
    style: &'static str,
    word: String,
    seen: String,
}

/// `GET /rules/controls/measures`: every check is made now.
pub(crate) async fn measures(ask: Ask) -> Answered {
    let texts = ask.texts();
    let found = ask.web.app.measures(&ask.caller).await?;
    let row = |(measure, measured): &(Measure, Measured)| {
        let (style, key) = match measured.finding {
            Finding::Kept => ("good", "measure-kept"),
            Finding::NotKept => ("late", "measure-broken"),
            Finding::Unknown => ("due", "measure-unknown"),
        };
        Seen {
            name: measure.name(translated(texts)).to_owned(),
            help: measure.help(translated(texts)).map(str::to_owned),
            style,
            word: texts.get(key),
            seen: named(&measured.seen, texts),
        }
    };
    page(&Measures {
        l: ask.layout("measures-title").current("rules"),
        crumbs: crumbs(&ask, &[("/rules/controls", &texts.get("controls-title"))]),
        at: dates::date_time(ask.web.now(), texts),
        rows: found.iter().map(row).collect(),
    })
}

#[derive(Template)]
#[template(path = "governance/attestation.html")]
struct Shown {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    help: Option<String>,
    style: &'static str,
    word: String,
    owner: String,
    valid: String,
    evidence: Option<String>,
    statements: Vec<Told>,
    form: Option<Asked>,
}

/// A statement in words.
struct Told {
    holds: bool,
    at: String,
    at_machine: String,
    by: String,
    until: String,
    statement: String,
    evidence: String,
    files: Vec<Cell>,
}

fn fields(attestation: &Attestation) -> Vec<Field> {
    let mut evidence = field(
        "evidence",
        "attest-evidence",
        Some("attest-evidence-hint"),
        FieldType::LongText { most: 4_000 },
    );
    if attestation.evidence.is_some() {
        evidence.help.clone_from(&attestation.evidence);
    }
    vec![
        must("holds", "attest-question", None, FieldType::YesNo),
        must(
            "statement",
            "attest-statement",
            Some("attest-statement-hint"),
            FieldType::LongText { most: 4_000 },
        ),
        evidence,
        Field { many: true, ..field("files", "attest-files", None, FieldType::File) },
    ]
}

async fn attestation_page(ask: &Ask, code: &str, form: Option<Asked>) -> Result<Shown, Fault> {
    let (texts, now) = (ask.texts(), ask.web.now());
    let view = ask.web.app.attestation(&ask.caller, code).await?;
    let (attestation, language) = (&view.attestation, translated(texts));
    let base = format!("/rules/controls/attestations/{code}");
    let (style, word) = mark(state(view.statements.first(), now), texts);
    let told = |statement: &Statement| Told {
        holds: statement.holds,
        at: dates::date_time(statement.at, texts),
        at_machine: dates::machine(statement.at),
        by: statement.by.clone(),
        until: dates::date(dates::day_of(statement.until), texts),
        statement: statement.statement.clone(),
        evidence: statement.evidence.clone(),
        files: statement
            .files
            .iter()
            .map(|(file, name)| Cell {
                text: name.clone(),
                link: Some(format!("{base}/statements/{}/files/{file}", statement.id)),
            })
            .collect(),
    };
    let form = match form {
        None if view.mine => Some(Asked::new(ask, &fields(attestation), &Filled::default()).await?),
        form => form.filter(|_| view.mine),
    };
    Ok(Shown {
        l: frame(ask, attestation.name(language).to_owned(), &base),
        crumbs: crumbs(ask, &[("/rules/controls", &texts.get("controls-title"))]),
        help: attestation.help(language).map(str::to_owned),
        style,
        word,
        owner: whom(ask.web.app.pack(), &attestation.owner, texts),
        valid: period(attestation.valid, texts),
        evidence: attestation.evidence.as_ref().map(|text| named(text, texts)),
        statements: view.statements.iter().take(STATEMENTS).map(told).collect(),
        form,
        base,
    })
}

/// `GET /rules/controls/attestations/{attestation}`
pub(crate) async fn show(ask: Ask, Path(code): Path<String>, Query(query): Query) -> Answered {
    let mut shown = attestation_page(&ask, &code, None).await?;
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

/// `POST /rules/controls/attestations/{attestation}`
pub(crate) async fn attest(ask: Ask, Path(code): Path<String>, form: Form) -> Answered {
    let attestation = ask.web.app.pack().attestation(&code).ok_or_else(Fault::not_found)?;
    let fields = fields(attestation);
    let mut sent = Sent::read(&ask, &fields, &form).await?;
    sent.missing(&ask, &fields);
    let mut fault = None;
    if sent.right() {
        let new = NewStatement {
            holds: sent.get("holds") == "yes",
            statement: sent.get("statement").to_owned(),
            evidence: sent.get("evidence").to_owned(),
            files: sent.all::<ObjectId>("files"),
        };
        match ask.web.app.attest(&ask.caller, &code, &new).await {
            Ok(_) => return Ok(see(&format!("/rules/controls/attestations/{code}?done=attested"))),
            Err(error) => fault = Some(Fault::from(error)),
        }
    }
    let (status, form) = sent.again(&ask, &fields, fault)?;
    let shown = attestation_page(&ask, &code, Some(form)).await?;
    if shown.form.is_none() {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    page_with(status, &shown)
}

/// `GET /rules/controls/attestations/{attestation}/statements/{id}/files/{attached}`
pub(crate) async fn file(
    ask: Ask,
    Path((code, statement, attached)): Path<(String, String, String)>,
) -> Answered {
    let (statement, attached) = (id(&statement)?, id(&attached)?);
    Ok(download(ask.web.app.attestation_file(&ask.caller, &code, statement, attached).await?))
}
