//! 文書: policies, plans and rules with their versions, and who has read them.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::{DocumentDetail, DocumentSummary, DocumentVersion, NewDocument};
use mimamori_domain::{ObjectId, Timestamp};
use mimamori_policy::model::{Document, DocumentKind, Field, FieldType};

use super::asked::{Asked, Sent, download, field, must};
use super::inputs::Filled;
use super::words::{Cell, Line, translated, whom};
use super::{Crumb, crumbs, frame};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::uploads::Form;

/// Characters of a text that one page shows.
const PART: usize = 9_000;
/// Names that one page lists.
const NAMES: usize = 100;
/// Versions that one page lists.
const VERSIONS: usize = 50;

/// Kind of document, and the key of its word.
const KINDS: [(DocumentKind, &str); 8] = [
    (DocumentKind::Policy, "docs-policy"),
    (DocumentKind::Plan, "docs-plan"),
    (DocumentKind::Rule, "docs-rule"),
    (DocumentKind::Manual, "docs-manual"),
    (DocumentKind::Contract, "docs-contract"),
    (DocumentKind::Diagram, "docs-diagram"),
    (DocumentKind::Form, "docs-form"),
    (DocumentKind::Notice, "docs-notice"),
];

fn kind(document: &Document, texts: &Texts) -> String {
    let key = KINDS.iter().find(|(kind, _)| *kind == document.kind).map_or("", |(_, key)| *key);
    texts.get(key)
}

#[derive(Template)]
#[template(path = "governance/documents.html")]
struct List {
    l: Layout,
    crumbs: Vec<Crumb>,
    documents: Vec<Item>,
    /// Of these, so many wait for the caller.
    unread: u64,
}

/// A document in the list.
struct Item {
    link: String,
    name: String,
    kind: String,
    keeper: String,
    current: Option<String>,
    state: Standing,
    unread: bool,
}

/// How a document stands: the style of its mark, and its words.
struct Standing {
    style: &'static str,
    word: String,
}

fn standing(summary: &DocumentSummary<'_>, now: Timestamp, texts: &Texts) -> Standing {
    let day = |time| dates::date(dates::day_of(time), texts);
    match (&summary.current, summary.next_review) {
        (None, _) => Standing { style: "late", word: texts.get("docs-missing") },
        (Some(_), Some(next)) if next <= now => {
            Standing { style: "late", word: texts.with("docs-review-late", "date", &day(next)) }
        }
        (Some(_), Some(next)) => {
            Standing { style: "good", word: texts.with("docs-review-by", "date", &day(next)) }
        }
        (Some(_), None) => Standing { style: "good", word: texts.get("docs-current") },
    }
}

/// `GET /rules/documents`
pub(crate) async fn list(ask: Ask) -> Answered {
    let (texts, now) = (ask.texts(), ask.web.now());
    let found = ask.web.app.documents(&ask.caller).await?;
    let item = |summary: DocumentSummary<'_>| Item {
        link: format!("/rules/documents/{}", summary.document.code),
        name: summary.document.name(translated(texts)).to_owned(),
        kind: kind(summary.document, texts),
        keeper: whom(ask.web.app.pack(), &summary.document.owner, texts),
        state: standing(&summary, now, texts),
        current: summary.current.as_ref().map(|version| version.label.clone()),
        unread: summary.to_acknowledge,
    };
    let documents: Vec<Item> = found.into_iter().map(item).collect();
    page(&List {
        l: ask.layout("docs-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        unread: documents.iter().filter(|item| item.unread).count() as u64,
        documents,
    })
}

#[derive(Template)]
#[template(path = "governance/document.html")]
struct Shown {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    help: Option<String>,
    state: Standing,
    facts: Vec<Line>,
    current: Option<Reading>,
    to_acknowledge: bool,
    owns: bool,
    versions: Vec<Version>,
    /// The caller keeps or oversees it and sees who has read it.
    readers: Option<Readers>,
}

/// A version that is read.
struct Reading {
    version: u64,
    label: String,
    effective: String,
    text: String,
    file: Option<Cell>,
    part: usize,
    parts: usize,
}

/// A version in the history.
struct Version {
    link: String,
    label: String,
    effective: String,
    by: String,
    published: String,
    published_machine: String,
    file: bool,
}

struct Readers {
    done: Vec<(String, String)>,
    done_count: u64,
    open: Vec<String>,
    open_count: u64,
}

fn reading(code: &str, version: &DocumentVersion, part: usize, texts: &Texts) -> Reading {
    let parts = parts(&version.text);
    let part = part.clamp(1, parts.len().max(1));
    Reading {
        version: version.version,
        label: version.label.clone(),
        effective: effective(&version.effective, texts),
        text: parts.get(part - 1).cloned().unwrap_or_default(),
        file: version.file.as_ref().map(|(_, name)| Cell {
            text: name.clone(),
            link: Some(format!("/rules/documents/{code}/versions/{}/file", version.version)),
        }),
        part,
        parts: parts.len(),
    }
}

fn effective(day: &str, texts: &Texts) -> String {
    day.parse().map_or_else(|_| day.to_owned(), |day| dates::date(day, texts))
}

/// A text in parts of at most [`PART`] characters, cut at the ends of lines where there are some.
fn parts(text: &str) -> Vec<String> {
    let (mut parts, mut part, mut count) = (Vec::new(), String::new(), 0);
    for line in text.split_inclusive('\n') {
        let length = line.chars().count();
        if count > 0 && count + length > PART {
            parts.push(std::mem::take(&mut part));
            count = 0;
        }
        for c in line.chars() {
            if count == PART {
                parts.push(std::mem::take(&mut part));
                count = 0;
            }
            part.push(c);
            count += 1;
        }
    }
    if !part.is_empty() {
        parts.push(part);
    }
    parts
}

fn facts(ask: &Ask, document: &Document) -> Vec<Line> {
    let (pack, texts) = (ask.web.app.pack(), ask.texts());
    let line = |key: &str, text: String| Line {
        label: texts.get(key),
        cells: vec![Cell { text, link: None }],
        long: false,
    };
    let mut facts = vec![
        line("docs-kind", kind(document, texts)),
        line("docs-keeper", whom(pack, &document.owner, texts)),
    ];
    if !document.posted.is_empty() {
        facts.push(line("docs-posted", whom(pack, &document.posted, texts)));
    }
    if !document.acknowledged_by.is_empty() {
        facts.push(line("docs-readers", whom(pack, &document.acknowledged_by, texts)));
    }
    facts
}

fn readers(detail: &DocumentDetail<'_>, texts: &Texts) -> Option<Readers> {
    let (done, open) = (&detail.acknowledged, &detail.outstanding);
    if done.is_empty() && open.is_empty() {
        return None;
    }
    let row = |(name, at): &(String, Timestamp)| (name.clone(), dates::date_time(*at, texts));
    Some(Readers {
        done: done.iter().take(NAMES).map(row).collect(),
        done_count: done.len() as u64,
        open: open.iter().take(NAMES).cloned().collect(),
        open_count: open.len() as u64,
    })
}

/// `GET /rules/documents/{document}`; `?part=2` for more of a long text.
pub(crate) async fn show(ask: Ask, Path(code): Path<String>, Query(query): Query) -> Answered {
    let detail = ask.web.app.document(&ask.caller, &code).await?;
    let (texts, base) = (ask.texts(), format!("/rules/documents/{code}"));
    let document = &detail.summary.document;
    let version = |version: &DocumentVersion| Version {
        link: format!("{base}/versions/{}", version.version),
        label: version.label.clone(),
        effective: effective(&version.effective, texts),
        by: version.by.clone(),
        published: dates::date_time(version.published, texts),
        published_machine: dates::machine(version.published),
        file: version.file.is_some(),
    };
    let part = query.parsed("part").unwrap_or(1);
    page(&Shown {
        l: frame(&ask, document.name(translated(texts)).to_owned(), &base).done(query.get("done")),
        crumbs: crumbs(&ask, &[("/rules/documents", &texts.get("docs-title"))]),
        help: document.help(translated(texts)).map(str::to_owned),
        state: standing(&detail.summary, ask.web.now(), texts),
        facts: facts(&ask, document),
        current: detail.summary.current.as_ref().map(|version| reading(&code, version, part, texts)),
        to_acknowledge: detail.summary.to_acknowledge,
        owns: detail.summary.owns,
        versions: detail.versions.iter().take(VERSIONS).map(version).collect(),
        readers: readers(&detail, texts),
        base,
    })
}

#[derive(Template)]
#[template(path = "governance/document_version.html")]
struct OneVersion {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    current: Reading,
    newest: bool,
    published: String,
    by: String,
    pack: String,
}

/// `GET /rules/documents/{document}/versions/{version}`
pub(crate) async fn version(
    ask: Ask,
    Path((code, version)): Path<(String, u64)>,
    Query(query): Query,
) -> Answered {
    let detail = ask.web.app.document(&ask.caller, &code).await?;
    let (texts, document) = (ask.texts(), format!("/rules/documents/{code}"));
    let found = detail.versions.iter().find(|found| found.version == version);
    let found = found.ok_or_else(Fault::not_found)?;
    let name = detail.summary.document.name(translated(texts));
    let base = format!("{document}/versions/{version}");
    page(&OneVersion {
        l: frame(&ask, format!("{name} {}", found.label), &base),
        crumbs: crumbs(&ask, &[("/rules/documents", &texts.get("docs-title")), (&document, name)]),
        current: reading(&code, found, query.parsed("part").unwrap_or(1), texts),
        newest: detail.summary.current.as_ref().is_some_and(|newest| newest.version == version),
        published: dates::date_time(found.published, texts),
        by: found.by.clone(),
        pack: found.pack.clone(),
        base,
    })
}

/// `GET /rules/documents/{document}/versions/{version}/file`
pub(crate) async fn file(ask: Ask, Path((code, version)): Path<(String, u64)>) -> Answered {
    Ok(download(ask.web.app.document_file(&ask.caller, &code, version).await?))
}

/// `POST /rules/documents/{document}/acknowledge`
pub(crate) async fn acknowledge(ask: Ask, Path(code): Path<String>, fields: Fields) -> Answered {
    let version = fields.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    ask.web.app.acknowledge_document(&ask.caller, &code, version).await?;
    Ok(see(&format!("/rules/documents/{code}?done=document-read")))
}

#[derive(Template)]
#[template(path = "governance/document_publish.html")]
struct Publish {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    form: Asked,
    seen: u64,
    /// The newest version's label and day.
    last: Option<(String, String)>,
}

/// What a version is asked for.
fn fields() -> [Field; 4] {
    [
        must("label", "publish-label", Some("publish-label-hint"), FieldType::Text { most: 40 }),
        must("effective", "publish-effective", None, FieldType::Date),
        field("text", "publish-text", Some("publish-text-hint"), FieldType::LongText { most: 200_000 }),
        field("file", "publish-file", None, FieldType::File),
    ]
}

async fn publish_page(ask: &Ask, code: &str, form: Asked, seen: Option<u64>) -> Result<Publish, Fault> {
    let detail = ask.web.app.document(&ask.caller, code).await?;
    if !detail.summary.owns {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let (texts, base) = (ask.texts(), format!("/rules/documents/{code}"));
    let name = detail.summary.document.name(translated(texts));
    let newest = detail.summary.current.as_ref();
    Ok(Publish {
        l: frame(ask, texts.with("publish-title", "name", name), &format!("{base}/publish")),
        crumbs: crumbs(ask, &[("/rules/documents", &texts.get("docs-title")), (&base, name)]),
        form,
        seen: seen.unwrap_or_else(|| newest.map_or(0, |version| version.version)),
        last: newest.map(|version| (version.label.clone(), effective(&version.effective, texts))),
        base,
    })
}

/// `GET /rules/documents/{document}/publish`
pub(crate) async fn publish_form(ask: Ask, Path(code): Path<String>) -> Answered {
    let mut filled = Filled::default();
    let today = dates::day_of(ask.web.now()).to_string();
    filled.typed.insert("effective".to_owned(), vec![today]);
    let form = Asked::new(&ask, &fields(), &filled).await?;
    page(&publish_page(&ask, &code, form, None).await?)
}

/// `POST /rules/documents/{document}/publish`
pub(crate) async fn publish(ask: Ask, Path(code): Path<String>, form: Form) -> Answered {
    let seen = form.fields.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    let fields = fields();
    let mut sent = Sent::read(&ask, &fields, &form).await?;
    sent.missing(&ask, &fields);
    let mut fault = None;
    if sent.right() {
        let new = NewDocument {
            label: sent.get("label").to_owned(),
            effective: sent.get("effective").to_owned(),
            text: sent.get("text").to_owned(),
            file: sent.parsed::<ObjectId>("file"),
        };
        match ask.web.app.publish_document(&ask.caller, &code, seen, &new).await {
            Ok(()) => return Ok(see(&format!("/rules/documents/{code}?done=document-published"))),
            Err(error) => fault = Some(Fault::from(error)),
        }
    }
    let (status, form) = sent.again(&ask, &fields, fault)?;
    page_with(status, &publish_page(&ask, &code, form, Some(seen)).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_line_ends_and_nothing_is_lost() {
        assert!(parts("").is_empty());
        assert_eq!(parts("一\n二"), ["一\n二"]);
        let line = format!("{}\n", "あ".repeat(99));
        let text = line.repeat(300);
        let cut = parts(&text);
        assert_eq!(cut.concat(), text);
        assert_eq!(cut.len(), 4);
        assert!(cut.iter().all(|part| part.chars().count() <= PART && part.ends_with('\n')));
        let long = "漢".repeat(PART * 2 + 1);
        let cut = parts(&long);
        assert_eq!((cut.len(), cut.concat()), (3, long));
    }
}
