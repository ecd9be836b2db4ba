//! Values as words of a cell, and words of a cell as what a form would be given.

use std::collections::HashMap;

use mimamori_domain::{ActorId, Error, InstitutionId, ObjectId, RecordState, Result};
use mimamori_policy::Language;
use mimamori_policy::model::{Field, FieldType, Register};
use serde_json::Value;

use super::sheet::Cell;
use crate::App;
use crate::body::{AccountKind, kind};
use crate::caller::Caller;
use crate::context::object_from_row;
use crate::governance::registers::{RegisterEntry, place_of};
use crate::governance::show::{Label, title};
use crate::governance::who::Reach;
use crate::sql;

/// Between the values of a field that holds many.
const BETWEEN: &str = "\n";
/// The same where a value may have several lines.
const BETWEEN_LONG: &str = "\n---\n";

const YES: [&str; 2] = ["はい", "Yes"];
const NO: [&str; 2] = ["いいえ", "No"];
const STATES: &[(RecordState, &str, &str)] = &[
    (RecordState::Confirmed, "有効", "in force"),
    (RecordState::Amended, "訂正あり", "amended"),
    (RecordState::Withdrawn, "抹消", "struck out"),
];

fn pick(words: [&'static str; 2], language: Language) -> &'static str {
    let [ja, en] = words;
    match language {
        Language::Ja => ja,
        Language::En => en,
    }
}

/// The state of an entry in words.
pub(super) fn state_words(state: RecordState, language: Language) -> &'static str {
    let row = STATES.iter().find(|(known, ..)| *known == state);
    row.map_or("", |(_, ja, en)| pick([ja, en], language))
}

/// Whether these words say that an entry was struck out.
pub(super) fn says_struck(words: &str) -> bool {
    let struck = STATES.iter().find(|(state, ..)| *state == RecordState::Withdrawn);
    struck.is_some_and(|(_, ja, en)| words == *ja || words.eq_ignore_ascii_case(en))
        || words.eq_ignore_ascii_case(RecordState::Withdrawn.as_str())
}

fn same(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// What names of institutions and entries mean, read once for a table.
#[derive(Default)]
pub(super) struct Lookups {
    institutions: Option<HashMap<String, Vec<ObjectId>>>,
    /// By register: entries by title.
    entries: HashMap<String, HashMap<String, Vec<ObjectId>>>,
    people: HashMap<String, Option<ActorId>>,
}

impl Lookups {
    async fn institutions(&mut self, app: &App) -> Result<&HashMap<String, Vec<ObjectId>>> {
        if self.institutions.is_none() {
            let mut found: HashMap<String, Vec<ObjectId>> = HashMap::new();
            let mut after = ObjectId::from_bytes([0; 16]);
            loop {
                let args = vec![kind::ORGANIZATION.as_str().to_owned().into(), after.into(), 500_i64.into()];
                let rows = app.store.query(&sql::CURRENT_OF_KIND, args).await?;
                let last = rows.len() < 500;
                for mut row in rows {
                    after = object_from_row(&mut row)?.object;
                    if let Some(name) = app.institution_name(InstitutionId::from(after)).await? {
                        found.entry(name).or_default().push(after);
                    }
                }
                if last {
                    break;
                }
            }
            self.institutions = Some(found);
        }
        self.institutions.as_ref().ok_or_else(|| Error::internal("institutions were just read"))
    }

    /// Entries of a register by title: those that the caller may read there, since a title that is
    /// found tells that it exists.
    async fn entries(
        &mut self,
        app: &App,
        caller: &Caller,
        register: &Register,
    ) -> Result<&HashMap<String, Vec<ObjectId>>> {
        if !self.entries.contains_key(&register.code) {
            let now = app.clock.now();
            let mut found: HashMap<String, Vec<ObjectId>> = HashMap::new();
            for entry in app.governed_list::<RegisterEntry>(&register.code).await?.0 {
                let place = place_of(&entry);
                let reads = app.register_rights(caller, register, Reach::Here(&place), now).reads
                    || entry.body.entered_by == caller.actor;
                if reads && entry.state != RecordState::Withdrawn {
                    let pack = app.pack_at(entry.pack).await?;
                    let then = pack.register(&register.code).unwrap_or(register);
                    let name = title(&pack, then, &entry.body.values);
                    found.entry(name).or_default().push(entry.object);
                }
            }
            self.entries.insert(register.code.clone(), found);
        }
        self.entries.get(&register.code).ok_or_else(|| Error::internal("entries were just read"))
    }

    /// A member of staff by sign-in name.
    async fn person(&mut self, app: &App, login: &str) -> Result<Option<ActorId>> {
        if let Some(known) = self.people.get(login) {
            return Ok(*known);
        }
        let found = match app.actor_of_login(&app.login_token(login)).await? {
            // Whether a citizen has an account is nobody's to find out here.
            Some(actor) => {
                let context = app.actor_context(actor).await?;
                (context.account.kind == AccountKind::Staff && context.account.active).then_some(actor)
            }
            None => None,
        };
        self.people.insert(login.to_owned(), found);
        Ok(found)
    }
}

/// The one thing of a name.
fn only(found: Option<&Vec<ObjectId>>) -> Option<ObjectId> {
    match found.map(Vec::as_slice) {
        Some([one]) => Some(*one),
        _ => None,
    }
}

impl App {
    /// A field's values as one cell.
    pub(super) async fn cell_of(
        &self,
        caller: &Caller,
        lookups: &mut Lookups,
        field: &Field,
        values: Option<&Value>,
        labels: &[Label],
        language: Language,
    ) -> Result<Cell> {
        let each = match values {
            Some(Value::Array(many)) => many.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => return Ok(Cell::Text(String::new())),
        };
        let mut words = Vec::with_capacity(each.len());
        for (at, value) in each.iter().enumerate() {
            words.push(self.words_of(caller, lookups, field, value, labels.get(at), language).await?);
            if let (FieldType::Person, Some(id)) = (&field.kind, value.as_str())
                && let (Ok(actor), Some(last)) = (id.parse::<ActorId>(), words.last_mut())
            {
                *last = self.person_words(actor, std::mem::take(last)).await?;
            }
        }
        let text = words.join(if long(field) { BETWEEN_LONG } else { BETWEEN });
        Ok(match (&field.kind, labels) {
            (_, [Label::Number(..)]) => Cell::Number(text),
            (_, [Label::Moment(_)]) => Cell::Moment(text),
            _ => Cell::Text(text),
        })
    }

    /// A member of staff by name and sign-in name; somebody else by id.
    async fn person_words(&self, actor: ActorId, name: String) -> Result<String> {
        if self.actor_view(actor).await?.is_none() {
            return Ok(actor.to_string());
        }
        let context = self.actor_context(actor).await?;
        Ok(match context.account.kind {
            AccountKind::Staff => format!("{name} ({})", context.account.login),
            AccountKind::Citizen | AccountKind::Program => actor.to_string(),
        })
    }

    async fn words_of(
        &self,
        caller: &Caller,
        lookups: &mut Lookups,
        field: &Field,
        value: &Value,
        label: Option<&Label>,
        language: Language,
    ) -> Result<String> {
        let plain = value.as_str().unwrap_or_default();
        Ok(match label {
            Some(Label::Word(word)) => word.get(language).to_owned(),
            Some(Label::YesNo(yes)) => pick(if *yes { YES } else { NO }, language).to_owned(),
            Some(Label::Moment(text)) => text.replace('T', " "),
            Some(Label::Number(text, _) | Label::Subject(text)) => text.clone(),
            Some(Label::Entry { register, id, name }) => {
                let found = match self.pack.register(register) {
                    Some(register) if !name.is_empty() => {
                        only(lookups.entries(self, caller, register).await?.get(name))
                    }
                    _ => None,
                };
                if found == Some(*id) { name.clone() } else { id.to_string() }
            }
            Some(Label::File { name, .. }) => name.clone(),
            // By its name, when no other institution is called so.
            Some(Label::Plain(text)) if field.kind == FieldType::Institution => {
                let found = only(lookups.institutions(self).await?.get(text));
                if found.is_some_and(|id| id.to_string() == plain) { text.clone() } else { plain.to_owned() }
            }
            Some(Label::Plain(text)) => text.clone(),
            None => plain.to_owned(),
        })
    }

    /// What a form would be given for the words of a cell; else what is wrong with them.
    pub(super) async fn typed_of(
        &self,
        caller: &Caller,
        lookups: &mut Lookups,
        field: &Field,
        cell: &str,
    ) -> Result<std::result::Result<Vec<String>, &'static str>> {
        let pieces: Vec<&str> = match (field.many, long(field)) {
            (false, _) => vec![cell],
            (true, true) => cell.split(BETWEEN_LONG).collect(),
            (true, false) if listed(&field.kind) => cell.split(['\n', '、', ';', '；']).collect(),
            (true, false) => cell.split(BETWEEN).collect(),
        };
        let mut typed = Vec::with_capacity(pieces.len());
        for piece in pieces.into_iter().map(str::trim).filter(|piece| !piece.is_empty()) {
            match self.typed_one(caller, lookups, field, piece).await? {
                Ok(text) => typed.push(text),
                Err(rule) => return Ok(Err(rule)),
            }
        }
        Ok(Ok(typed))
    }

    async fn typed_one(
        &self,
        caller: &Caller,
        lookups: &mut Lookups,
        field: &Field,
        piece: &str,
    ) -> Result<std::result::Result<String, &'static str>> {
        let is_id = piece.parse::<ObjectId>().is_ok();
        let found = match &field.kind {
            FieldType::Choice(_) => return Ok(self.choice_of(field, piece)),
            FieldType::YesNo => {
                return Ok(yes_or_no(piece).map(ToOwned::to_owned).ok_or("the answer is yes or no"));
            }
            FieldType::Date | FieldType::Time | FieldType::DateTime => {
                // What cannot be understood is told by the form's own rule.
                return Ok(Ok(moment(piece).unwrap_or_else(|| piece.to_owned())));
            }
            FieldType::File => return Ok(Err("files are attached in the form and cannot be imported")),
            FieldType::Derived(_) => return Ok(Ok(String::new())),
            FieldType::Text { .. }
            | FieldType::LongText { .. }
            | FieldType::Number { .. }
            | FieldType::Subject => return Ok(Ok(piece.to_owned())),
            _ if is_id => return Ok(Ok(piece.to_owned())),
            FieldType::Person => {
                let login = login_of(piece);
                return Ok(match lookups.person(self, login).await? {
                    Some(actor) => Ok(actor.to_string()),
                    None => Err("there is no member of staff with this sign-in name"),
                });
            }
            FieldType::Institution => only(lookups.institutions(self).await?.get(piece)),
            FieldType::Entry { register } => match self.pack.register(register) {
                Some(register) => only(lookups.entries(self, caller, register).await?.get(piece)),
                None => None,
            },
            FieldType::Asset => {
                let mut found = Vec::new();
                for register in self.asset_registers() {
                    let of_it = lookups.entries(self, caller, register).await?;
                    found.extend(of_it.get(piece).into_iter().flatten().copied());
                }
                only(Some(&found))
            }
        };
        Ok(found
            .map(|id| id.to_string())
            .ok_or("nothing, or more than one thing, has this name; write its id instead"))
    }

    fn choice_of(&self, field: &Field, piece: &str) -> std::result::Result<String, &'static str> {
        let choices = self.pack.choices(field);
        if let Some(choice) = choices.iter().find(|choice| choice.code == piece) {
            return Ok(choice.code.clone());
        }
        let mut named = choices.into_iter().filter(|choice| {
            Language::ALL.into_iter().any(|language| same(choice.name.get(language), piece))
        });
        match (named.next(), named.next()) {
            (Some(choice), None) => Ok(choice.code),
            _ => Err("this is not one of the choices"),
        }
    }
}

/// Whether a value of this field may have several lines.
fn long(field: &Field) -> bool {
    matches!(field.kind, FieldType::LongText { .. })
}

/// Whether values of this kind never hold a comma of a list.
const fn listed(kind: &FieldType) -> bool {
    matches!(
        kind,
        FieldType::Date
            | FieldType::Time
            | FieldType::DateTime
            | FieldType::Person
            | FieldType::Subject
            | FieldType::Number { .. }
    )
}

/// The sign-in name in `name (login)`, or all of it.
fn login_of(text: &str) -> &str {
    let inner = text
        .strip_suffix([')', '）'])
        .and_then(|text| text.rsplit_once(['(', '（']))
        .map(|(_, login)| login.trim());
    inner.filter(|login| !login.is_empty()).unwrap_or(text)
}

fn yes_or_no(text: &str) -> Option<&'static str> {
    const YES_TOO: [&str; 8] = ["yes", "true", "y", "1", "有", "あり", "○", "済"];
    const NO_TOO: [&str; 8] = ["no", "false", "n", "0", "無", "なし", "×", "未"];
    let among = |words: &[&str]| words.iter().any(|word| same(word, text));
    if among(&YES) || among(&YES_TOO) {
        Some("yes")
    } else if among(&NO) || among(&NO_TOO) {
        Some("no")
    } else {
        None
    }
}

/// A day, time, or both, as spreadsheets and people write them, in the form's way of writing.
fn moment(text: &str) -> Option<String> {
    let text: String = text
        .chars()
        .map(|c| match c {
            '０'..='９' => char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')).unwrap_or(c),
            '：' | '時' => ':',
            '／' | '/' | '.' | '．' | '年' | '月' => '-',
            '日' | 'T' | '　' => ' ',
            '分' | '秒' => ' ',
            other => other,
        })
        .collect();
    let mut parts = text.split_whitespace();
    let (first, second) = (parts.next()?, parts.next());
    if parts.next().is_some() {
        return None;
    }
    match (first.contains(':'), second) {
        (true, None) => time(first),
        (true, Some(_)) => None,
        (false, None) => day(first),
        (false, Some(second)) => Some(format!("{}T{}", day(first)?, time(second)?)),
    }
}

fn numbers(text: &str, between: char) -> Option<Vec<u16>> {
    text.trim_end_matches(between).split(between).map(|part| part.parse().ok()).collect()
}

fn day(text: &str) -> Option<String> {
    match numbers(text, '-')?.as_slice() {
        [year, month, day] if *year >= 1000 => Some(format!("{year:04}-{month:02}-{day:02}")),
        _ => None,
    }
}

fn time(text: &str) -> Option<String> {
    match numbers(text, ':')?.as_slice() {
        [hour, minute] | [hour, minute, _] => Some(format!("{hour:02}:{minute:02}")),
        [hour] => Some(format!("{hour:02}:00")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_people_and_spreadsheets_write_them() {
        let cases = [
            ("2026-11-21", "2026-11-21"),
            ("2026/1/5", "2026-01-05"),
            ("２０２６年１月５日", "2026-01-05"),
            ("9:05", "09:05"),
            ("9時5分", "09:05"),
            ("9時", "09:00"),
            ("2026/11/21 9:30", "2026-11-21T09:30"),
            ("2026-11-21T09:30", "2026-11-21T09:30"),
            ("2026年11月21日 9時30分", "2026-11-21T09:30"),
            ("2026/11/21 9:30:00", "2026-11-21T09:30"),
        ];
        for (typed, read) in cases {
            assert_eq!(moment(typed).as_deref(), Some(read), "{typed}");
        }
        for typed in ["26/11/21", "tomorrow", "2026-11", "9:30 2026-11-21", ""] {
            assert_eq!(moment(typed), None, "{typed}");
        }
    }

    #[test]
    fn a_sign_in_name_may_stand_behind_the_name() {
        assert_eq!(login_of("山田 花 (hana)"), "hana");
        assert_eq!(login_of("山田 花（hana）"), "hana");
        assert_eq!(login_of("hana"), "hana");
    }
}
