//! Registers as tables: taken out for other programs, and read from them.
//!
//! Both ways the heading row names each field in words with its code in brackets (`開催日 [held]`);
//! reading takes the words of either language or the code alone. Choices stand in words, people as
//! `name (sign-in name)`, institutions and entries by their name, or by id where a name means more
//! than one. Several values of a field stand on lines of their own within the cell.

mod sheet;
mod words;

use mimamori_domain::{Action, Error, ErrorKind, Fault, ObjectId, Result};
use mimamori_policy::Language;
use mimamori_policy::model::{Field, FieldType, Register};
use mimamori_store::Unit;

use self::sheet::Cell;
pub use self::sheet::TableFormat;
pub(crate) use self::sheet::{Row, read};
use self::words::{Lookups, says_struck, state_words};
use super::list::{MOST_ON_PAGE, RegisterPage};
use super::{ENTRY, RegisterQuery};
use crate::App;
use crate::access::{Settled, decided, kept_changing};
use crate::caller::Caller;
use crate::governance::purpose;
use crate::governance::values::{self, Typed, Values};
use crate::governance::who::Reach;
use crate::import::gathered;
use crate::record::fault;

/// Most entries that one import adds.
const MOST_ROWS: usize = 5_000;
/// Largest file that is imported, in bytes.
pub const MOST_TABLE_BYTES: usize = 16 << 20;
/// Most faults that are told at once.
const MOST_FAULTS: usize = 100;
/// Most commitments in one ledger entry.
const MOST_COMMITMENTS: usize = 1_000;

/// A table taken out of a register.
#[derive(Clone)]
pub struct ExportedEntries {
    pub bytes: Vec<u8>,
    /// Entries in it.
    pub rows: usize,
    /// There are more entries than one table holds; older ones are left out.
    pub truncated: bool,
}

/// Content stays out of debug output (invariant 9).
impl std::fmt::Debug for ExportedEntries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExportedEntries").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// What an import did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportedEntries {
    /// Entries that were added.
    pub added: usize,
}

/// Columns about the entry itself, before those of its fields. An import reads the first two only.
const ABOUT: &[(About, &str, &str, &str)] = &[
    (About::Id, "@id", "登録番号", "Entry"),
    (About::State, "@state", "登録の状態", "State of the entry"),
    (About::Added, "@added", "登録日時", "Added"),
    (About::AddedBy, "@added-by", "登録者", "Added by"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    Id,
    State,
    Added,
    AddedBy,
}

/// What a column of a table that is read holds.
#[derive(Debug, Clone, Copy)]
enum Column<'a> {
    About(About),
    Field(&'a Field),
}

/// The heading of a table that was read.
struct Heading<'a> {
    /// By position; none for a column without a heading.
    columns: Vec<Option<Column<'a>>>,
    language: Language,
}

impl App {
    /// The entries that a query finds, as a table; pages are left aside, all of them are in it. Who may
    /// look at entries may take them out; the ledger entry counts them.
    ///
    /// # Errors
    /// Not found, forbidden; too large for what does not fit into a workbook; unavailable.
    pub async fn export_entries(
        &self,
        caller: &Caller,
        register: &str,
        query: &RegisterQuery,
        format: TableFormat,
        language: Language,
    ) -> Result<ExportedEntries> {
        let caller = purpose(caller);
        let query = RegisterQuery { page: 1, page_size: MOST_ON_PAGE, ..query.clone() };
        let page = self.entries_for(&caller, register, &query, Action::Export).await?;
        let rows = self.rows_of(&caller, &page, language).await?;
        let name = page.register.name.get(language).to_owned();
        let made = self.clock.now().as_micros() / 1_000_000;
        let bytes = tokio::task::spawn_blocking(move || sheet::write(format, &name, &rows, made))
            .await
            .map_err(Error::internal)??;
        Ok(ExportedEntries {
            bytes,
            rows: page.rows.len(),
            truncated: page.truncated || page.total > page.rows.len(),
        })
    }

    async fn rows_of(
        &self,
        caller: &Caller,
        page: &RegisterPage,
        language: Language,
    ) -> Result<Vec<Vec<Cell>>> {
        let register = &page.register;
        // Fields that the register had once: their values are told under their code.
        let mut earlier: Vec<&str> = page
            .rows
            .iter()
            .flat_map(|row| row.values.keys())
            .map(String::as_str)
            .filter(|code| register.field(code).is_none())
            .collect();
        earlier.sort_unstable();
        earlier.dedup();
        let about = ABOUT.iter().map(|(_, code, ja, en)| {
            let name = match language {
                Language::Ja => ja,
                Language::En => en,
            };
            Cell::Text(format!("{name} [{code}]"))
        });
        let heading = about
            .chain(register.fields.iter().map(|field| Cell::Text(heading_of(field, language))))
            .chain(earlier.iter().map(|code| Cell::Text((*code).to_owned())))
            .collect();
        let mut rows: Vec<Vec<Cell>> = vec![heading];
        let mut lookups = Lookups::default();
        for row in &page.rows {
            let mut cells = vec![
                Cell::Text(row.id.to_string()),
                Cell::Text(state_words(row.state, language).to_owned()),
                Cell::Moment(minute(row.entered)),
                Cell::Text(row.entered_by.clone()),
            ];
            for field in &register.fields {
                let labels = row.shown.get(&field.code).map(Vec::as_slice).unwrap_or_default();
                let values = row.values.get(&field.code);
                cells.push(self.cell_of(caller, &mut lookups, field, values, labels, language).await?);
            }
            for code in &earlier {
                let text = match row.values.get(*code) {
                    Some(serde_json::Value::String(text)) => text.clone(),
                    Some(other) => other.to_string(),
                    None => String::new(),
                };
                cells.push(Cell::Text(text));
            }
            rows.push(cells);
        }
        Ok(rows)
    }

    /// Adds an entry for each row of a table: all of them, or none when anything is wrong with one.
    /// Only the register's keeper may. Columns of what is computed are passed over, so that a table
    /// taken out of one register can be read into another; a row that is an entry of this register
    /// already, or was struck out, is a fault.
    ///
    /// # Errors
    /// Invalid with a fault for each row and column (`row 7, column 開催日`), the first hundred; too
    /// large for more than 5,000 rows or 16 MB; not found; forbidden; unavailable.
    pub async fn import_entries(
        &self,
        caller: &Caller,
        register: &str,
        bytes: &[u8],
        format: TableFormat,
    ) -> Result<ImportedEntries> {
        let caller = purpose(caller);
        let register = self.register_of(register)?;
        let place = caller.whereabouts();
        let rights = self.register_rights(&caller, register, Reach::Here(&place), self.clock.now());
        let decision = self.require_register(&caller, Action::Import, rights.keeps).await?;
        if bytes.len() > MOST_TABLE_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, "a table may have at most 16 MB; divide it"));
        }
        let bytes = bytes.to_vec();
        let rows = tokio::task::spawn_blocking(move || sheet::read(format, &bytes, MOST_ROWS + 1))
            .await
            .map_err(Error::internal)??;
        let found = self.values_of_rows(&caller, register, &rows).await?;

        let mut unit = Unit::new();
        let mut commitments = Vec::with_capacity(found.len());
        for values in found {
            let entry = (ObjectId::random(), values);
            commitments.push(self.put_new(&caller, &mut unit, register, entry, None).await?);
        }
        unit.changes = gathered(std::mem::take(&mut unit.changes));
        for (index, part) in (0_u32..).zip(commitments.chunks(MOST_COMMITMENTS)) {
            let mut entry = decided(caller.entry(unit.id, Action::Import), &decision);
            entry.resource = Some((ENTRY, None));
            entry.count = part.len() as u64;
            entry.commitments = part.to_vec();
            unit.entries.push(self.with_sealed(&caller, entry, index, Some(&register.code))?);
        }
        match self.settle(&caller, unit).await? {
            Settled::Done => Ok(ImportedEntries { added: commitments.len() }),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// The values of every row below the heading; or all that is wrong with them.
    async fn values_of_rows(
        &self,
        caller: &Caller,
        register: &Register,
        rows: &[Row],
    ) -> Result<Vec<Values>> {
        let (first, rows) = rows.split_first().ok_or_else(empty)?;
        let heading = heading_from(register, first)?;
        if rows.is_empty() {
            return Err(empty());
        }
        let mut lookups = Lookups::default();
        let mut faults = Vec::new();
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let (mut wrong, typed) = self.typed_of_row(caller, register, &heading, &mut lookups, row).await?;
            match values::read(&self.pack, &register.fields, &typed, &Values::new()) {
                Ok(values) => {
                    wrong.extend(self.missing_references(&register.fields, &values).await?);
                    found.push(values);
                }
                // What is wrong with a cell was told already.
                Err(more) => {
                    let told = |fault: &Fault| wrong.iter().any(|known| known.place == fault.place);
                    let more: Vec<Fault> = more.into_iter().filter(|fault| !told(fault)).collect();
                    wrong.extend(more);
                }
            }
            faults.extend(wrong.into_iter().map(|fault| heading.placed(register, row.number, fault)));
            if faults.len() >= MOST_FAULTS {
                break;
            }
        }
        if faults.is_empty() {
            Ok(found)
        } else {
            faults.truncate(MOST_FAULTS);
            Err(Error::invalid_at("nothing was imported; correct the rows named and try again", faults))
        }
    }

    /// What a row gives to each field's form, and what is wrong with its cells, by field.
    async fn typed_of_row(
        &self,
        caller: &Caller,
        register: &Register,
        heading: &Heading<'_>,
        lookups: &mut Lookups,
        row: &Row,
    ) -> Result<(Vec<Fault>, Typed)> {
        let mut faults = Vec::new();
        let mut typed = Typed::new();
        let mut wrong = |place: &str, rule: &str| {
            faults.push(Fault { place: place.to_owned(), rule: rule.to_owned(), code: "value" });
        };
        for (at, cell) in row.cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            match heading.columns.get(at).copied().flatten() {
                None => wrong("", "this cell stands under no heading"),
                Some(Column::About(About::Id)) => {
                    if let Ok(id) = cell.parse::<ObjectId>()
                        && self.entry_in(register, id).await.is_ok()
                    {
                        wrong(
                            "@id",
                            "this entry is in the register already; amend it there, or clear this cell",
                        );
                    }
                }
                Some(Column::About(About::State)) if says_struck(cell) => {
                    wrong("@state", "an entry that was struck out cannot be imported");
                }
                Some(Column::About(_)) => {}
                Some(Column::Field(field)) if matches!(field.kind, FieldType::Derived(_)) => {}
                Some(Column::Field(field)) => match self.typed_of(caller, lookups, field, cell).await? {
                    Ok(texts) => drop(typed.insert(field.code.clone(), texts)),
                    Err(rule) => wrong(&field.code, rule),
                },
            }
        }
        Ok((faults, typed))
    }
}

impl Heading<'_> {
    /// A fault of a row, with its place as the person who made the table sees it.
    fn placed(&self, register: &Register, row: u32, fault: Fault) -> Fault {
        let about = ABOUT.iter().find(|(_, code, ..)| *code == fault.place);
        let name = match (register.field(&fault.place), about) {
            (Some(field), _) => field.name.get(self.language),
            (None, Some((_, _, ja, en))) => match self.language {
                Language::Ja => ja,
                Language::En => en,
            },
            (None, None) => "",
        };
        let place = if name.is_empty() { format!("row {row}") } else { format!("row {row}, column {name}") };
        Fault { place, ..fault }
    }
}

fn empty() -> Error {
    fault("file", "this table has no rows below its heading", "required")
}

fn heading_of(field: &Field, language: Language) -> String {
    format!("{} [{}]", field.name.get(language), field.code)
}

/// What the columns hold, by the words over them.
fn heading_from<'a>(register: &'a Register, row: &Row) -> Result<Heading<'a>> {
    let mut faults = Vec::new();
    let mut columns = Vec::with_capacity(row.cells.len());
    let mut language = Language::Ja;
    let mut seen: Vec<&str> = Vec::new();
    for cell in &row.cells {
        if cell.is_empty() {
            columns.push(None);
            continue;
        }
        let (words, code) = match cell.strip_suffix(']').and_then(|cell| cell.rsplit_once('[')) {
            Some((words, code)) => (words.trim(), code.trim()),
            None => (cell.as_str(), cell.as_str()),
        };
        let mut wrong = |rule: &str| {
            let place = format!("row {}, column {words}", row.number);
            faults.push(Fault { place, rule: rule.to_owned(), code: "value" });
        };
        let named = |field: &&Field| {
            Language::ALL.into_iter().any(|language| field.name.get(language).eq_ignore_ascii_case(words))
        };
        let mut by_name = register.fields.iter().filter(named);
        let column = if let Some(field) = register.field(code) {
            Some(Column::Field(field))
        } else if let Some((about, ..)) = ABOUT.iter().find(|(_, known, ..)| *known == code) {
            Some(Column::About(*about))
        } else {
            match (by_name.next(), by_name.next()) {
                (Some(field), None) => Some(Column::Field(field)),
                (Some(_), Some(_)) => {
                    wrong("two fields are called so; write the code of the one that is meant");
                    None
                }
                (None, _) => {
                    wrong("the register has no field of this name");
                    None
                }
            }
        };
        if let Some(Column::Field(field)) = column {
            if seen.contains(&field.code.as_str()) {
                wrong("this column stands twice in the table");
            }
            seen.push(&field.code);
            if field.name.get(Language::En) == words && field.name.get(Language::Ja) != words {
                language = Language::En;
            }
        }
        columns.push(column);
    }
    if faults.is_empty() {
        Ok(Heading { columns, language })
    } else {
        faults.truncate(MOST_FAULTS);
        Err(Error::invalid_at("nothing was imported; correct the rows named and try again", faults))
    }
}

/// A moment in Japan, to the minute.
fn minute(time: mimamori_domain::Timestamp) -> String {
    jiff::Timestamp::from_microsecond(time.as_micros())
        .map(|time| jiff::tz::offset(9).to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string())
        .unwrap_or_default()
}
