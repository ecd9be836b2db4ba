//! Pages for people. Each module is one page or one piece of work: its addresses, what it asks the
//! application, what its template shows.

pub(crate) mod account_emergency;
pub(crate) mod account_import;
pub(crate) mod account_life;
pub(crate) mod accounts;
pub(crate) mod around;
pub(crate) mod board;
pub(crate) mod carried;
pub(crate) mod changes;
pub(crate) mod check_ups;
pub(crate) mod citizens;
pub(crate) mod design;
pub(crate) mod emergency;
pub(crate) mod factors;
pub(crate) mod find;
pub(crate) mod governance;
pub(crate) mod home;
pub(crate) mod keys;
pub(crate) mod language;
pub(crate) mod looked;
pub(crate) mod note;
mod note_content;
pub(crate) mod own_account;
pub(crate) mod papers;
pub(crate) mod person;
pub(crate) mod problem;
pub(crate) mod programs;
pub(crate) mod provider;
pub(crate) mod record;
pub(crate) mod reissue;
pub(crate) mod review;
pub(crate) mod search;
pub(crate) mod second;
pub(crate) mod sessions;
pub(crate) mod shared;
pub(crate) mod sign_in;
pub(crate) mod step_up;
pub(crate) mod summary;
pub(crate) mod terminals;
pub(crate) mod visits;
pub(crate) mod vital_course;
pub(crate) mod vital_signs;
pub(crate) mod who_sees;

use std::str::FromStr;

use axum::http::StatusCode;
use jiff::ToSpan;
use jiff::civil::Date;
use mimamori_app::{AccessRow, Paging, PersonPage, Window};
use mimamori_domain::{Kind, SubjectId};

use crate::dates;
use crate::error::Fault;
use crate::forms::Fields;
use crate::language::Texts;
use crate::layout::Ask;
use crate::messages;
use crate::present::{self, Allergy, Occupations, Person};

/// An identifier from an address; one that is none leads nowhere.
fn id<T: FromStr>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| Fault::not_found())
}

/// A FHIR kind from an address.
fn fhir_kind(text: &str) -> Result<Kind, Fault> {
    Kind::new(text).ok().filter(Kind::is_fhir).ok_or_else(Fault::not_found)
}

/// The page of a list that a query string or form asks for.
fn paging(fields: &Fields, count: u32) -> Paging {
    Paging { count, cursor: fields.some("cursor") }
}

/// The heading that guards against mixing people up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Head {
    pub(crate) person: Person,
    pub(crate) allergies: Vec<Allergy>,
    /// Until when emergency access lasts.
    pub(crate) emergency_until: Option<String>,
}

impl Head {
    fn of(page: &PersonPage, ask: &Ask) -> Self {
        let (texts, today) = (ask.texts(), dates::day_of(ask.web.now()));
        Self {
            person: Person::of(page.subject, &page.patient, today, texts),
            allergies: present::allergies(&page.allergies, texts),
            emergency_until: page.emergency_until.map(|t| dates::date_time(t, texts)),
        }
    }

    /// Asks for the heading of `subject`.
    async fn ask(ask: &Ask, subject: SubjectId) -> Result<(PersonPage, Self), Fault> {
        let (page, head, ()) = Self::with(ask, subject, std::future::ready(Ok(()))).await?;
        Ok((page, head))
    }

    /// The same, and what the page shows below it.
    async fn with<T>(
        ask: &Ask,
        subject: SubjectId,
        more: impl Future<Output = Result<T, Fault>>,
    ) -> Result<(PersonPage, Self, T), Fault> {
        let page = ask.web.app.person_and(&ask.caller, subject, more).await;
        let (page, more) = page.map_err(|e| Fault::from(e).or_emergency(subject))?;
        let head = Self::of(&page, ask);
        Ok((page, head, more?))
    }
}

/// A range of days, both included, as two date fields state it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) from: Date,
    pub(crate) until: Date,
}

impl Days {
    /// From the fields `from` and `until`; without them the last `days` up to today.
    fn read(fields: &Fields, today: Date, days: i32) -> Self {
        let until = fields.parsed("until").unwrap_or(today);
        let ago = |n: i32| until.checked_sub(n.days()).unwrap_or(until);
        let from = fields.parsed("from").unwrap_or_else(|| ago(days - 1));
        Self { from: from.min(until), until: until.max(from) }
    }

    /// One after the other in stretches of equal length, at most so many.
    fn split(&self, most: i32) -> Vec<Self> {
        let all = self.until.since(self.from).map_or(1, |span| span.get_days() + 1);
        let length = all.div_euclid(most) + i32::from(all.rem_euclid(most) != 0);
        let mut stretches = Vec::new();
        let mut from = self.from;
        while from <= self.until && stretches.len() < most.unsigned_abs() as usize {
            let last = from.checked_add((length.max(1) - 1).days()).unwrap_or(self.until).min(self.until);
            stretches.push(Self { from, until: last });
            match last.tomorrow() {
                Ok(next) => from = next,
                Err(_) => break,
            }
        }
        stretches
    }

    /// Its days in words: one, or from when to when.
    fn word(&self, texts: &Texts) -> String {
        let (from, until) = (dates::date(self.from, texts), dates::date(self.until, texts));
        if self.from == self.until {
            from
        } else {
            texts.pairs("days-span", &[("from", &from), ("until", &until)])
        }
    }

    fn window(&self) -> Result<Window, Fault> {
        let after = self.until.tomorrow().ok();
        let ends = dates::start_of(self.from).zip(after.and_then(dates::start_of));
        let (from, until) = ends.ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
        Ok(Window { from, until })
    }
}

/// One access in words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    pub(crate) when: String,
    pub(crate) when_machine: String,
    pub(crate) who: String,
    /// All that they did.
    pub(crate) who_link: Option<String>,
    pub(crate) occupation: Option<String>,
    pub(crate) institution: Option<String>,
    pub(crate) subject: Option<(String, String)>,
    pub(crate) what: String,
    pub(crate) purpose: String,
    pub(crate) basis: String,
    pub(crate) emergency: bool,
    pub(crate) refused: Option<String>,
}

impl Access {
    fn of(row: &AccessRow, occupations: &Occupations, texts: &Texts) -> Self {
        use mimamori_domain::{Outcome, Purpose};
        let word = |family: &str, code: &str| texts.get(&format!("{family}-{code}"));
        let action = word("action", row.action.as_str());
        let what = match &row.kind {
            Some(kind) => {
                let kind = present::kind(kind.as_str(), texts);
                texts.pairs("action-on", &[("kind", &kind), ("action", &action)])
            }
            None => action,
        };
        let what =
            if row.count > 1 { format!("{what}{}", texts.count("action-count", row.count)) } else { what };
        let actor = row.actor.as_ref();
        let mut basis = word("basis", row.basis.as_str());
        if !row.privileges.is_empty() {
            let roles = row.privileges.join(texts.get("list-comma").as_str());
            basis = format!("{basis} / {}", texts.with("access-privilege", "roles", &roles));
        }
        if let Some(shared) = &row.under {
            basis = format!("{basis} / {}", texts.with("access-under", "name", &shared.name));
        }
        Self {
            when: dates::date_time(row.recorded, texts),
            when_machine: dates::machine(row.recorded),
            who: actor.map_or_else(|| texts.get("author-unknown"), |a| a.name.clone()),
            who_link: actor.map(|a| format!("/review?actor={}", a.id)),
            occupation: actor.and_then(|a| a.occupation.as_ref()).map(|o| occupations.word(o, texts)),
            institution: row.institution.as_ref().map(|(_, name)| name.clone()),
            subject: row.subject.as_ref().map(|(id, name)| subject_link(*id, name, texts)),
            what,
            purpose: word("purpose", row.purpose.as_str()),
            basis,
            emergency: row.purpose == Purpose::Emergency || row.action == mimamori_domain::Action::BreakGlass,
            refused: (row.outcome != Outcome::Success).then(|| word("outcome", row.outcome.as_str())),
        }
    }
}

/// A person in a review: the name leads to their page. Whoever may not see the name sees the number
/// that tells them apart, and is led to their accesses instead of to a refusal.
fn subject_link(id: mimamori_domain::SubjectId, name: &str, texts: &Texts) -> (String, String) {
    if name.is_empty() {
        (format!("/review?subject={id}"), numbered(id, texts))
    } else {
        (format!("/people/{id}"), name.to_owned())
    }
}

/// A person by their number.
fn numbered(id: mimamori_domain::SubjectId, texts: &Texts) -> String {
    texts.with("subject-number", "id", &id.to_string())
}

/// What a form that could not be taken says, for the person who typed it.
fn form_error(fault: &Fault, texts: &Texts) -> String {
    let told = problem::texts_of(fault.status);
    let text = format!("{} {}", texts.get(told.title), texts.get(told.next));
    let said = messages::said(fault, texts);
    if said.is_empty() { text } else { texts.pairs("form-told", &[("text", &text), ("said", &said)]) }
}

/// Whether a form is shown again with what was typed, rather than an error page in its place: the
/// person may go on, but for want of rights.
fn shown_again(fault: &Fault) -> bool {
    !matches!(fault.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND)
}

#[cfg(test)]
mod tests;
