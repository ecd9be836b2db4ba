//! 台帳: the registers, and one register as a table.

use askama::Template;
use axum::extract::Path;
use mimamori_app::{EntryRow, RegisterQuery, RegisterSummary};
use mimamori_domain::RecordState;
use mimamori_policy::model::{Field, FieldType, Register};

use super::inputs::{Choice, input_name};
use super::words::{Cell, cell, named, translated, whom};
use super::{Crumb, crumbs, frame};
use crate::dates;
use crate::error::Answered;
use crate::forms::{Fields, Query};
use crate::layout::{Ask, Layout, page};

/// Columns of a register's table besides the entry's name.
const COLUMNS: usize = 5;
/// Filters offered beside the search for words.
const FILTERS: usize = 4;

#[derive(Template)]
#[template(path = "governance/registers.html")]
struct List {
    l: Layout,
    crumbs: Vec<Crumb>,
    registers: Vec<Item>,
}

/// A register in the list.
struct Item {
    link: String,
    name: String,
    help: Option<String>,
    keeper: String,
    adds: Option<String>,
}

/// `GET /rules/registers`
pub(crate) async fn list(ask: Ask) -> Answered {
    let registers = ask.web.app.registers(&ask.caller).await?;
    let item = |found: RegisterSummary<'_>| {
        let (register, language) = (found.register, translated(ask.texts()));
        let link = format!("/rules/registers/{}", register.code);
        Item {
            name: register.name(language).to_owned(),
            help: register.help(language).map(str::to_owned),
            keeper: whom(ask.web.app.pack(), &register.keeper, ask.texts()),
            adds: found.rights.adds.then(|| format!("{link}/new")),
            link,
        }
    };
    page(&List {
        l: ask.layout("registers-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        registers: registers.into_iter().map(item).collect(),
    })
}

#[derive(Template)]
#[template(path = "governance/register.html")]
struct Table {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    help: Option<String>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    text: String,
    filters: Vec<Filter>,
    struck: bool,
    filtered: bool,
    /// The order, as the form sends it.
    sort: String,
    /// Not simply everything: what is shown can be exported by itself.
    narrowed: bool,
    total: u64,
    page: usize,
    pages: usize,
    truncated: bool,
    adds: bool,
    keeps: bool,
    reviewed: bool,
    /// The rules in force have it no more.
    gone: bool,
}

/// A heading of the table, by which it can be sorted.
struct Column {
    name: String,
    /// `ascending`, `descending` or `none`.
    sorted: &'static str,
    /// What its button asks for: the field's code, `-` before it for descending.
    asks: String,
}

struct Row {
    link: String,
    title: String,
    struck: bool,
    amended: bool,
    cells: Vec<(String, Vec<Cell>)>,
    entered: String,
    entered_machine: String,
    entered_by: String,
}

/// A field whose value can be asked for.
struct Filter {
    name: String,
    label: String,
    options: Vec<Choice>,
}

/// `GET /rules/registers/{register}`
pub(crate) async fn show(ask: Ask, Path(register): Path<String>, Query(query): Query) -> Answered {
    table(&ask, &register, &query).await
}

/// `POST /rules/registers/{register}`: filtered, sorted, another page. What is searched for never
/// stands in an address.
pub(crate) async fn find(ask: Ask, Path(register): Path<String>, fields: Fields) -> Answered {
    table(&ask, &register, &fields).await
}

async fn table(ask: &Ask, code: &str, asked: &Fields) -> Answered {
    let query = query(ask, code, asked);
    let found = ask.web.app.register_entries(&ask.caller, code, &query).await?;
    let (texts, language) = (ask.texts(), translated(ask.texts()));
    let register = &found.register;
    let base = format!("/rules/registers/{code}");
    let columns = columns(register);
    let sort = query.sort.clone().unwrap_or_default();
    let heading = |field: &&Field| {
        let sorted = match (sort == field.code, query.descending) {
            (true, false) => "ascending",
            (true, true) => "descending",
            _ => "none",
        };
        Column {
            name: field.name(language).to_owned(),
            sorted,
            asks: if sorted == "ascending" { format!("-{}", field.code) } else { field.code.clone() },
        }
    };
    page(&Table {
        l: frame(ask, register.name(language).to_owned(), &base).done(asked.get("done")),
        crumbs: crumbs(ask, &[("/rules/registers", &texts.get("registers-title"))]),
        help: register.help(language).map(str::to_owned),
        columns: columns.iter().map(heading).collect(),
        rows: found.rows.iter().map(|row| shown(ask, row, &columns, &base)).collect(),
        filters: filters(ask, register, &query),
        filtered: !query.text.is_empty() || !query.fields.is_empty(),
        narrowed: !query.text.is_empty() || !query.fields.is_empty() || query.struck || !sort.is_empty(),
        sort: if query.descending { format!("-{sort}") } else { sort },
        text: query.text,
        struck: query.struck,
        total: found.total as u64,
        page: found.page,
        pages: found.pages,
        truncated: found.truncated,
        adds: found.rights.adds,
        keeps: found.rights.keeps,
        reviewed: !found.gone && (found.rights.keeps || (register.review.is_some() && found.rights.reads)),
        gone: found.gone,
        base,
    })
}

/// What a page of a register asks for.
pub(super) fn query(ask: &Ask, code: &str, asked: &Fields) -> RegisterQuery {
    let known = ask.web.app.pack().register(code);
    let field = |code: &str| known.is_some_and(|register| register.field(code).is_some());
    // A heading that is pressed comes after the order that the page has.
    let sort = asked.all("sort").last().unwrap_or_default().trim();
    let (descending, sort) = match sort.strip_prefix('-') {
        Some(sort) => (true, sort),
        None => (false, sort),
    };
    let fields = asked.pairs().filter_map(|(name, value)| {
        let code = name.strip_prefix("f.")?;
        (field(code) && !value.trim().is_empty()).then(|| (code.to_owned(), value.trim().to_owned()))
    });
    RegisterQuery {
        text: asked.get("text").to_owned(),
        fields: fields.collect(),
        sort: Some(sort.to_owned()).filter(|sort| field(sort)),
        descending,
        struck: asked.get("struck") == "yes",
        page: asked.parsed("page").unwrap_or(1),
        page_size: 0,
    }
}

/// The fields that a table shows: those of the entry's name, then others that are short.
fn columns(register: &Register) -> Vec<&Field> {
    let of_title = register.title.iter().filter_map(|code| register.field(code));
    let others = register.fields.iter().filter(|field| {
        !register.title.contains(&field.code)
            && !matches!(field.kind, FieldType::LongText { .. } | FieldType::File)
    });
    of_title.chain(others).take(COLUMNS).collect()
}

fn shown(ask: &Ask, row: &EntryRow, columns: &[&Field], base: &str) -> Row {
    let texts = ask.texts();
    let link = format!("{base}/entries/{}", row.id);
    let files = format!("{link}/files");
    let of = |field: &&Field| {
        let labels = row.shown.get(&field.code).map(Vec::as_slice).unwrap_or_default();
        let cells = labels.iter().map(|label| cell(label, texts, &files)).collect();
        (field.name(translated(texts)).to_owned(), cells)
    };
    Row {
        title: if row.title.is_empty() { texts.get("entry-unnamed") } else { row.title.clone() },
        struck: row.state == RecordState::Withdrawn,
        amended: row.state == RecordState::Amended,
        cells: columns.iter().map(of).collect(),
        entered: dates::date_time(row.entered, texts),
        entered_machine: dates::machine(row.entered),
        entered_by: row.entered_by.clone(),
        link,
    }
}

/// Fields with choices can be asked for by their value.
fn filters(ask: &Ask, register: &Register, query: &RegisterQuery) -> Vec<Filter> {
    let (pack, texts) = (ask.web.app.pack(), ask.texts());
    let asked =
        |code: &str| query.fields.iter().find(|(field, _)| field == code).map(|(_, value)| value.as_str());
    let chosen = |code: &str, value: &str| asked(code) == Some(value);
    let filter = |field: &Field| {
        let options: Vec<Choice> = match &field.kind {
            FieldType::Choice(_) => pack
                .choices(field)
                .into_iter()
                .map(|choice| Choice {
                    chosen: chosen(&field.code, &choice.code),
                    label: named(&choice.name, texts),
                    value: choice.code,
                })
                .collect(),
            FieldType::YesNo => [("yes", "word-yes"), ("no", "word-no")]
                .map(|(value, key)| Choice {
                    value: value.to_owned(),
                    label: texts.get(key),
                    chosen: chosen(&field.code, value),
                })
                .to_vec(),
            _ => return None,
        };
        Some(Filter {
            name: input_name(&field.code),
            label: field.name(translated(texts)).to_owned(),
            options,
        })
    };
    register.fields.iter().filter_map(filter).take(FILTERS).collect()
}

/// The register of a page, for the way back.
pub(super) fn way_back(ask: &Ask, register: &Register) -> Vec<Crumb> {
    let base = format!("/rules/registers/{}", register.code);
    crumbs(
        ask,
        &[
            ("/rules/registers", &ask.texts().get("registers-title")),
            (&base, register.name(translated(ask.texts()))),
        ],
    )
}
