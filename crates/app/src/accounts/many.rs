//! Many accounts at once from a table: looked at before anything is done, all or none, with a first password
//! each.

use std::collections::HashSet;

use mimamori_domain::{Action, Error, ErrorKind, Fault, InstitutionId, OccupationCode, Result, Timestamp};
use mimamori_policy::{Decision, GeneralTarget, Language};
use mimamori_store::Unit;

use super::life::AccountChange;
use crate::access::{Settled, kept_changing};
use crate::body::{Account, AccountKind, kind};
use crate::caller::Caller;
use crate::governance::object::Look;
use crate::governance::registers::tables::{Row, read};
use crate::governance::reminders::checked_mail;
use crate::record::fault;
use crate::{App, InitialSecret, MOST_TABLE_BYTES, TableFormat};

/// Most accounts of one table: each one's first password is costly to hash.
pub const MOST_AT_ONCE: usize = 200;
/// Most faults told at once.
const MOST_FAULTS: usize = 100;
const MOST_NAME: usize = 200;

/// Columns of the table: code, Japanese, English, whether each row needs it.
const COLUMNS: [(&str, &str, &str, bool); 8] = [
    ("login", "利用者ID", "user ID", true),
    ("name", "氏名", "name", true),
    ("kana", "カナ", "katakana", false),
    ("institution", "施設", "institution", true),
    ("occupation", "職種", "occupation", false),
    ("unit", "部署", "unit", false),
    ("mail", "メール", "mail", false),
    ("ends", "使い終わる日", "last day", false),
];

/// A row of the table as it would become an account.
#[derive(Clone)]
pub struct NewAccountRow {
    /// As spreadsheets count.
    pub row: u32,
    pub login: String,
    pub name: String,
    pub kana: Option<String>,
    pub institution: (InstitutionId, String),
    pub occupation: Option<OccupationCode>,
    pub unit: Option<String>,
    pub mail: Option<String>,
    /// Exclusive, UTC.
    pub ends: Option<Timestamp>,
}

/// Names stay out of debug output (invariant 9).
impl std::fmt::Debug for NewAccountRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewAccountRow").field("row", &self.row).finish_non_exhaustive()
    }
}

impl NewAccountRow {
    /// A table that is read again as these rows: what somebody had a last look at.
    ///
    /// # Errors
    /// Internal when the table cannot be written.
    pub fn table(rows: &[Self]) -> Result<String> {
        let mut table = csv::Writer::from_writer(Vec::new());
        let some = |text: &Option<String>| text.clone().unwrap_or_default();
        table.write_record(COLUMNS.iter().map(|(code, ..)| *code)).map_err(Error::internal)?;
        for row in rows {
            let cells = [
                row.login.clone(),
                row.name.clone(),
                some(&row.kana),
                row.institution.0.to_string(),
                row.occupation.as_ref().map(ToString::to_string).unwrap_or_default(),
                some(&row.unit),
                some(&row.mail),
                row.ends.map(last_day).unwrap_or_default(),
            ];
            table.write_record(cells).map_err(Error::internal)?;
        }
        let bytes = table.into_inner().map_err(|error| Error::internal(error.error()))?;
        String::from_utf8(bytes).map_err(Error::internal)
    }
}

impl App {
    /// Whether the caller may make many accounts from a table.
    #[must_use]
    pub fn may_import_accounts(&self, caller: &Caller) -> bool {
        let target = GeneralTarget::of(kind::ACCOUNT);
        self.decide_general(caller, Action::Import, &target, self.clock.now()).allowed
    }

    /// What a table would make, when nothing in it is wrong: for a last look before it is done.
    ///
    /// # Errors
    /// Invalid with a fault for each row and column (`row 7, column 職種`), the first hundred; too large
    /// for more than [`MOST_AT_ONCE`] rows or 16 MB; forbidden; unavailable.
    pub async fn look_at_accounts(
        &self,
        caller: &Caller,
        bytes: &[u8],
        format: TableFormat,
    ) -> Result<Vec<NewAccountRow>> {
        let (decision, rows) = self.rows_of_accounts(caller, bytes, format).await?;
        let look = Look::at(Action::Import, kind::ACCOUNT).count(rows.len()).stated("looked at a table");
        self.note_look(caller, &decision, look).await?;
        Ok(rows)
    }

    /// Makes an account of every row of a table, each with a first password; all of them or none.
    ///
    /// # Errors
    /// As [`App::look_at_accounts`].
    pub async fn import_accounts(
        &self,
        caller: &Caller,
        bytes: &[u8],
        format: TableFormat,
    ) -> Result<Vec<InitialSecret>> {
        let (decision, rows) = self.rows_of_accounts(caller, bytes, format).await?;
        let mut unit = Unit::new();
        let mut issued = Vec::with_capacity(rows.len());
        for row in rows {
            let (secret, until, hash) = self.first_password().await?;
            let mut account = Account::new(AccountKind::Staff, &row.login, &row.name);
            account.change(AccountChange {
                kana: row.kana,
                institution: Some(row.institution.0),
                occupation: row.occupation,
                unit: row.unit,
                mail: row.mail,
                name: None,
            });
            account.password = Some(hash);
            account.credential = self.new_credential(Some(until));
            account.life.ends = row.ends.map(Timestamp::as_micros);
            self.put_new_account(caller, &decision, &mut unit, &account, &[]).await?;
            let institution = Some(row.institution.1);
            issued.push(InitialSecret { login: account.login, name: row.name, institution, secret, until });
        }
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(issued),
            Settled::Again => Err(kept_changing()),
        }
    }

    async fn rows_of_accounts(
        &self,
        caller: &Caller,
        bytes: &[u8],
        format: TableFormat,
    ) -> Result<(Decision, Vec<NewAccountRow>)> {
        let target = GeneralTarget::of(kind::ACCOUNT);
        let decision = self.require_general(caller, Action::Import, target).await?;
        if bytes.len() > MOST_TABLE_BYTES {
            return Err(Error::new(ErrorKind::TooLarge, "a table may have at most 16 MB; divide it"));
        }
        let bytes = bytes.to_vec();
        let read = tokio::task::spawn_blocking(move || read(format, &bytes, MOST_AT_ONCE + 1));
        let rows = read.await.map_err(Error::internal)??;
        let empty = || fault("file", "this table has no rows below its heading", "required");
        let (heading, rows) = rows.split_first().ok_or_else(empty)?;
        if rows.is_empty() {
            return Err(empty());
        }
        let columns = columns(heading)?;
        let (mut found, mut faults, mut logins) =
            (Vec::with_capacity(rows.len()), Vec::new(), HashSet::new());
        for row in rows {
            match self.account_of_row(&columns, row, &mut logins).await? {
                Ok(account) => found.push(account),
                Err(wrong) => faults.extend(wrong),
            }
            if faults.len() >= MOST_FAULTS {
                break;
            }
        }
        if faults.is_empty() {
            return Ok((decision, found));
        }
        faults.truncate(MOST_FAULTS);
        Err(Error::invalid_at("nothing was imported; correct the rows named and try again", faults))
    }

    async fn account_of_row(
        &self,
        columns: &[Option<usize>],
        row: &Row,
        logins: &mut HashSet<String>,
    ) -> Result<std::result::Result<NewAccountRow, Vec<Fault>>> {
        let mut faults = Vec::new();
        let mut wrong = |column: usize, rule: &str| {
            let name = COLUMNS.get(column).map_or("", |(_, ja, ..)| *ja);
            let place = format!("row {}, column {name}", row.number);
            faults.push(Fault { place, rule: rule.to_owned(), code: "value" });
        };
        let mut cells: [Option<&str>; COLUMNS.len()] = [None; COLUMNS.len()];
        for (at, cell) in row.cells.iter().enumerate() {
            let cell = cell.trim();
            if cell.is_empty() {
                continue;
            }
            match columns.get(at).copied().flatten().and_then(|column| cells.get_mut(column)) {
                Some(place) => *place = Some(cell),
                None => wrong(COLUMNS.len(), "this cell stands under no heading"),
            }
        }
        for (column, (.., needed)) in COLUMNS.iter().enumerate() {
            if *needed && cells.get(column).copied().flatten().is_none() {
                wrong(column, "this is needed");
            }
        }
        let [login, name, kana, institution, occupation, unit, mail, ends] = cells;
        let login = login.unwrap_or_default().to_lowercase();
        if !login.is_empty() {
            if !logins.insert(login.clone()) {
                wrong(0, "this sign-in name stands twice in the table");
            }
            if let Err(error) = self.free_login(&login).await {
                if !matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict) {
                    return Err(error);
                }
                wrong(0, error.faults().first().map_or_else(|| error.message(), |first| &first.rule));
            }
        }
        for (column, text) in [(1, name), (2, kana)] {
            if text.is_some_and(|text| text.chars().count() > MOST_NAME) {
                wrong(column, "a name has at most 200 characters");
            }
        }
        let mut place = None;
        if let Some(word) = institution {
            place = match self.institution_named(word).await? {
                Some(id) => self.institution_name(id).await?.map(|name| (id, name)),
                None => None,
            };
            if place.is_none() {
                wrong(3, "no institution, or more than one, has this name");
            }
        }
        let code = occupation.and_then(|word| self.occupation_named(word));
        if occupation.is_some() && code.is_none() {
            wrong(4, "the policy pack has no such occupation");
        }
        let named = unit.and_then(|word| self.unit_named(word));
        if unit.is_some() && named.is_none() {
            wrong(5, "the policy pack has no such unit");
        }
        let address = match mail.map(checked_mail) {
            Some(Ok(address)) => address,
            Some(Err(_)) => {
                wrong(6, "this is no mail address; one looks like name@example.jp");
                None
            }
            None => None,
        };
        let last = ends.and_then(end_of_day);
        if ends.is_some() && last.is_none_or(|last| last <= self.clock.now()) {
            wrong(7, "a day still to come is needed, such as 2027-03-31");
        }
        let (Some(name), Some(institution)) = (name, place) else { return Ok(Err(faults)) };
        if !faults.is_empty() {
            return Ok(Err(faults));
        }
        Ok(Ok(NewAccountRow {
            row: row.number,
            login,
            name: name.to_owned(),
            kana: kana.map(ToOwned::to_owned),
            institution,
            occupation: code,
            unit: named,
            mail: address,
            ends: last,
        }))
    }

    /// The unit (部署) of a code, or of a name in either language.
    fn unit_named(&self, word: &str) -> Option<String> {
        let names = |name: &mimamori_policy::Text| {
            [Language::Ja, Language::En].into_iter().any(|language| name.get(language) == word)
        };
        let found = self.pack.units().iter().find(|unit| unit.code == word || names(&unit.name));
        found.map(|unit| unit.code.clone())
    }
}

/// Which column each cell of the heading is; every needed one must be there, and none twice.
fn columns(heading: &Row) -> Result<Vec<Option<usize>>> {
    let mut found = Vec::with_capacity(heading.cells.len());
    for cell in &heading.cells {
        let cell = cell.trim();
        let column = COLUMNS
            .iter()
            .position(|(code, ja, en, _)| [*code, *ja].contains(&cell) || en.eq_ignore_ascii_case(cell));
        if !cell.is_empty() && (column.is_none() || found.contains(&column)) {
            let rule = format!("the heading {cell} is unknown or stands twice");
            return Err(fault("file", &rule, "value"));
        }
        found.push(column);
    }
    for (column, (_, ja, _, needed)) in COLUMNS.iter().enumerate() {
        if *needed && !found.contains(&Some(column)) {
            return Err(fault("file", &format!("the column {ja} is missing"), "required"));
        }
    }
    Ok(found)
}

/// The end of a day in Japan: `2027-03-31` or `2027/3/31`.
fn end_of_day(text: &str) -> Option<Timestamp> {
    let mut parts = text.split(['-', '/']).map(|part| part.trim().parse::<i16>());
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if parts.next().is_some() {
        return None;
    }
    let day = jiff::civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let at = jiff::tz::Offset::constant(9).to_timestamp(day.tomorrow().ok()?.at(0, 0, 0, 0)).ok()?;
    Some(Timestamp::from_micros(at.as_microsecond()))
}

/// The day in Japan whose end this is.
fn last_day(ends: Timestamp) -> String {
    let last = jiff::Timestamp::from_microsecond(ends.as_micros() - 1).unwrap_or_default();
    jiff::tz::Offset::constant(9).to_datetime(last).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_day_counts_to_its_end_in_japan() {
        for text in ["2027-03-31", "2027/3/31", " 2027 / 03 / 31 "] {
            let end = end_of_day(text).unwrap();
            assert_eq!(end.to_string(), "2027-03-31T15:00:00.000000Z", "{text}");
            assert_eq!(last_day(end), "2027-03-31");
        }
        for text in ["", "2027-3", "31.3.2027", "2027-13-01", "2027-3-31-1"] {
            assert!(end_of_day(text).is_none(), "{text}");
        }
    }

    #[test]
    fn headings_are_known_in_three_ways_and_complete() {
        let row = |cells: &[&str]| Row { number: 1, cells: cells.iter().map(|c| (*c).to_owned()).collect() };
        let known = columns(&row(&["氏名", "login", "Institution", ""])).unwrap();
        assert_eq!(known, [Some(1), Some(0), Some(3), None]);
        for wrong in
            [&["login", "name"][..], &["login", "name", "施設", "氏名"], &["login", "name", "施設", "色"]]
        {
            assert!(columns(&row(wrong)).is_err(), "{wrong:?}");
        }
    }
}
