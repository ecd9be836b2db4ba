//! Registers and their entries as lists: filtered, sorted, in pages.

use mimamori_domain::{Action, Error, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::Pack;
use mimamori_policy::model::{Field, FieldType, Register};
use serde_json::Value;
use std::sync::Arc;

use super::{RegisterEntry, RegisterRights, place_of};
use crate::App;
use crate::caller::Caller;
use crate::governance::object::{Governed, Look};
use crate::governance::purpose;
use crate::governance::show::{Label, Names, Shown, each, points, said, title};
use crate::governance::values::Values;
use crate::governance::who::{Reach, target};

/// A register in the list of registers.
#[derive(Debug, Clone)]
pub struct RegisterSummary<'a> {
    pub register: &'a Register,
    pub rights: RegisterRights,
}

/// Which entries are wanted, and how.
#[derive(Clone, Default)]
pub struct RegisterQuery {
    /// A text that an entry's words must hold; upper and lower case are the same.
    pub text: String,
    /// Values that fields must have: codes of choices, `yes`/`no`, ids, days, numbers, or a part of a text.
    pub fields: Vec<(String, String)>,
    /// The code of the field to sort by; none: newest first.
    pub sort: Option<String>,
    pub descending: bool,
    /// Also entries that were struck out.
    pub struck: bool,
    /// From 1.
    pub page: usize,
    /// Entries on a page; 0 for the usual number. At most [`MOST_ON_PAGE`].
    pub page_size: usize,
}

impl std::fmt::Debug for RegisterQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RegisterQuery").field("page", &self.page).finish_non_exhaustive()
    }
}

/// Entries on a page when nobody says how many, and at most.
const ON_PAGE: usize = 50;
pub(crate) const MOST_ON_PAGE: usize = 20_000;

/// An entry in a list.
#[derive(Clone)]
pub struct EntryRow {
    pub id: ObjectId,
    pub version: u64,
    pub title: String,
    pub values: Values,
    pub shown: Shown,
    pub state: RecordState,
    /// When the entry was added, UTC.
    pub entered: Timestamp,
    pub entered_by: String,
}

impl std::fmt::Debug for EntryRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntryRow").field("id", &self.id).finish_non_exhaustive()
    }
}

/// One page of a register.
#[derive(Debug, Clone)]
pub struct RegisterPage {
    pub register: Register,
    pub rows: Vec<EntryRow>,
    /// Entries that match, on all pages.
    pub total: usize,
    pub page: usize,
    pub pages: usize,
    /// What the caller may do somewhere in this register.
    pub rights: RegisterRights,
    /// There are more entries than one list reads; older ones are left out.
    pub truncated: bool,
    /// The rules in force have it no more: it is shown as its newest entry's rules had it, to be read only.
    pub gone: bool,
}

impl App {
    /// The registers that the caller may see or add to, in the pack's order.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn registers(&self, caller: &Caller) -> Result<Vec<RegisterSummary<'_>>> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let oversees = self.oversees(&caller, Action::Search, now);
        let summaries = self.pack.registers().iter().filter_map(|register| {
            let mut rights = self.register_rights(&caller, register, Reach::Anywhere, now);
            rights.reads |= oversees;
            (rights.reads || rights.adds).then_some(RegisterSummary { register, rights })
        });
        Ok(summaries.collect())
    }

    /// The codes of the registers whose entries the caller may read, wherever they belong: nothing is
    /// read for it.
    #[must_use]
    pub fn readable_registers(&self, caller: &Caller) -> Vec<String> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let all = self.oversees(&caller, Action::Read, now);
        let reads =
            |register: &&Register| all || self.register_rights(&caller, register, Reach::Anywhere, now).reads;
        self.pack.registers().iter().filter(reads).map(|register| register.code.clone()).collect()
    }

    /// A page of a register's entries: those the caller may see, that match, sorted.
    ///
    /// # Errors
    /// Not found for an unknown register; forbidden; unavailable.
    pub async fn register_entries(
        &self,
        caller: &Caller,
        register: &str,
        query: &RegisterQuery,
    ) -> Result<RegisterPage> {
        self.entries_for(caller, register, query, Action::Search).await
    }

    /// Whether the caller sees every register, named by the pack or not.
    pub(super) fn oversees(&self, caller: &Caller, action: Action, now: Timestamp) -> bool {
        self.decide_general(caller, action, &target(super::THING, false), now).allowed
    }

    /// As [`App::register_entries`], for looking or for taking out.
    pub(crate) async fn entries_for(
        &self,
        caller: &Caller,
        register: &str,
        query: &RegisterQuery,
        action: Action,
    ) -> Result<RegisterPage> {
        let caller = purpose(caller);
        let pack = self.pack_of_register(register).await?;
        let register = pack.register(register).ok_or_else(Error::not_found)?;
        known_fields(register, query)?;
        let gone = self.pack.register(&register.code).is_none();
        let now = self.clock.now();
        let mut rights = self.register_rights(&caller, register, Reach::Anywhere, now);
        if gone {
            (rights.adds, rights.keeps) = (false, false);
        }
        let named = rights.reads || rights.adds;
        let decision = self.require_register(&caller, action, named).await?;
        // Permitted without being named: those who oversee see every entry, also where they add some.
        let all = self.oversees(&caller, action, now);
        let (mut entries, truncated) = self.governed_list::<RegisterEntry>(&register.code).await?;
        entries.retain(|entry| {
            let reads = || self.register_rights(&caller, register, Reach::Here(&place_of(entry)), now).reads;
            (all || entry.body.entered_by == caller.actor || reads())
                && (query.struck || entry.state != RecordState::Withdrawn)
                && fields_match(register, &query.fields, &entry.body.values)
        });
        // Names are looked up for what is shown; a search for words and sorting by name need more.
        let mut names = Names::default();
        let wanted = query.text.trim().to_lowercase();
        if !wanted.is_empty() {
            entries = self.holding(&mut names, register, entries, &wanted).await?;
        }
        if let Some(field) = query.sort.as_deref().and_then(|sort| register.field(sort)) {
            entries = self.sorted(&mut names, &pack, field, entries).await?;
            if query.descending {
                entries.reverse();
            }
        }
        let size = if query.page_size == 0 { ON_PAGE } else { query.page_size.min(MOST_ON_PAGE) };
        let total = entries.len();
        let pages = total.div_ceil(size).max(1);
        let page = query.page.clamp(1, pages);
        let mut rows = Vec::with_capacity(size.min(total));
        for entry in entries.into_iter().skip((page - 1) * size).take(size) {
            rows.push(self.row(&mut names, register, entry).await?);
        }
        let look = Look::at(action, super::THING).count(rows.len()).stated(register.code.as_str());
        self.note_look(&caller, &decision, look).await?;
        Ok(RegisterPage {
            register: register.clone(),
            rows,
            total,
            page,
            pages,
            rights: RegisterRights { reads: rights.reads || all, ..rights },
            truncated,
            gone,
        })
    }

    /// The rules that tell of a register: those in force, or where they have it no more, those under
    /// which its newest entry was written. What was kept stays readable.
    async fn pack_of_register(&self, register: &str) -> Result<Arc<Pack>> {
        if self.pack.register(register).is_some() {
            return Ok(Arc::clone(&self.pack));
        }
        let newest =
            self.newest_governed::<RegisterEntry>(register, Timestamp::from_micros(i64::MAX)).await?;
        self.pack_at(newest.ok_or_else(Error::not_found)?.pack).await
    }

    /// The entries whose words hold a text, in lower case. What an id points at is looked up only where
    /// the entry's own words do not hold it.
    async fn holding(
        &self,
        names: &mut Names,
        register: &Register,
        entries: Vec<Governed<RegisterEntry>>,
        text: &str,
    ) -> Result<Vec<Governed<RegisterEntry>>> {
        let mut found = Vec::new();
        for entry in entries {
            let pack = self.pack_at(entry.pack).await?;
            let then = pack.register(&register.code).unwrap_or(register);
            let values =
                || then.fields.iter().filter_map(|field| Some((field, entry.body.values.get(&field.code)?)));
            let mut holds = values().any(|(field, value)| {
                let said = each(value).iter().filter_map(|value| said(&pack, &field.kind, value));
                said.into_iter().any(|label| words_hold(&label, text))
            });
            for (field, value) in values().filter(|(field, _)| points(&field.kind)) {
                if holds {
                    break;
                }
                let labels = self.labels(names, &pack, &field.kind, value).await?;
                holds = labels.iter().any(|label| words_hold(label, text));
            }
            if holds {
                found.push(entry);
            }
        }
        Ok(found)
    }

    /// The entries by a field: numbers by size, what points at something by its name, all else by its
    /// text.
    async fn sorted(
        &self,
        names: &mut Names,
        pack: &Pack,
        field: &Field,
        entries: Vec<Governed<RegisterEntry>>,
    ) -> Result<Vec<Governed<RegisterEntry>>> {
        let mut keyed = Vec::with_capacity(entries.len());
        for entry in entries {
            let key = match entry.body.values.get(&field.code) {
                Some(value) if points(&field.kind) => {
                    let labels = self.labels(names, pack, &field.kind, value).await?;
                    labels.into_iter().map(name_in).collect::<Vec<_>>().join("\u{1}")
                }
                Some(value) => plain_key(value),
                None => String::new(),
            };
            keyed.push((key, entry));
        }
        keyed.sort_by(|(a, _), (b, _)| order(field, a, b));
        Ok(keyed.into_iter().map(|(_, entry)| entry).collect())
    }

    async fn row(
        &self,
        names: &mut Names,
        register: &Register,
        entry: Governed<RegisterEntry>,
    ) -> Result<EntryRow> {
        let pack = self.pack_at(entry.pack).await?;
        let then = pack.register(&register.code).unwrap_or(register);
        let shown = self.show_among(names, &pack, &then.fields, &entry.body.values).await?;
        Ok(EntryRow {
            id: entry.object,
            version: entry.version,
            title: title(&pack, then, &entry.body.values),
            shown,
            state: entry.state,
            entered: crate::body::time(entry.body.entered_at),
            entered_by: self.name_among(names, entry.body.entered_by).await?,
            values: entry.body.values,
        })
    }

    /// Entries that an `asset` or `entry` field may point at, for a form's list: id and name.
    ///
    /// # Errors
    /// Forbidden unless the caller may read that register; unavailable.
    pub async fn entry_choices(&self, caller: &Caller, register: &str) -> Result<Vec<(ObjectId, String)>> {
        let query = RegisterQuery { page_size: 1_000, ..RegisterQuery::default() };
        let page = self.register_entries(caller, register, &query).await?;
        Ok(page.rows.into_iter().map(|row| (row.id, row.title)).collect())
    }

    /// The registers whose entries an `asset` field may point at.
    #[must_use]
    pub fn asset_registers(&self) -> Vec<&Register> {
        self.pack.registers().iter().filter(|register| register.assets).collect()
    }
}

fn fields_match(register: &Register, wanted: &[(String, String)], values: &Values) -> bool {
    wanted.iter().all(|(code, text)| {
        // A part of a text is enough; a code, id or day is meant whole.
        let words = register
            .field(code)
            .is_some_and(|field| matches!(field.kind, FieldType::Text { .. } | FieldType::LongText { .. }));
        let is = |value: &Value| match value {
            Value::Bool(yes) => text == if *yes { "yes" } else { "no" },
            Value::String(found) if words => found.to_lowercase().contains(&text.to_lowercase()),
            Value::String(found) => found == text,
            _ => false,
        };
        match values.get(code) {
            Some(Value::Array(many)) => many.iter().any(is),
            Some(value) => is(value),
            None => false,
        }
    })
}

/// Whether a label holds a text, in lower case.
fn words_hold(label: &Label, text: &str) -> bool {
    match label {
        Label::Plain(words)
        | Label::Moment(words)
        | Label::Number(words, _)
        | Label::Entry { name: words, .. }
        | Label::File { name: words, .. } => words.to_lowercase().contains(text),
        Label::Word(word) => mimamori_policy::Language::ALL
            .into_iter()
            .any(|language| word.get(language).to_lowercase().contains(text)),
        Label::YesNo(_) | Label::Subject(_) => false,
    }
}

/// The name of what something points at.
fn name_in(label: Label) -> String {
    match label {
        Label::Plain(name) | Label::Entry { name, .. } | Label::File { name, .. } => name,
        Label::Moment(text) | Label::Number(text, _) | Label::Subject(text) => text,
        Label::Word(_) | Label::YesNo(_) => String::new(),
    }
}

fn plain_key(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(yes) => yes.to_string(),
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\u{1}"),
        _ => String::new(),
    }
}

fn order(field: &Field, a: &str, b: &str) -> std::cmp::Ordering {
    let number = matches!(field.kind, FieldType::Number { .. } | FieldType::Derived(_));
    let decimal = |text: &str| text.parse::<f64>().ok().filter(|_| number);
    // Numbers before what is none: an earlier pack may have had words here.
    match (decimal(a), decimal(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

/// Refuses a query about a field that the register does not have.
fn known_fields(register: &Register, query: &RegisterQuery) -> Result<()> {
    let asked = query.fields.iter().map(|(field, _)| field).chain(&query.sort);
    for field in asked {
        if register.field(field).is_none() {
            return Err(Error::invalid(format!("the register has no field {field:?}")));
        }
    }
    Ok(())
}
