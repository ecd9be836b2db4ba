//! One's duties as a calendar feed (iCalendar, RFC 5545), under a secret address that can be taken back.
//!
//! Calendar programs cannot sign in: whoever has the address reads the feed. It therefore names duties
//! and days, and no person. Of the secret only a hash is kept: it is the id of the object that says whose
//! duties the address shows. Nothing tells an address that was taken back from one that never was.

use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, ErrorKind, Kind, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::{Language, Text};
use mimamori_store::{AccessKey, Unit};
use mimamori_vault::{hash_token, random_token};
use serde::{Deserialize, Serialize};

use super::duties::{Duty, DutyState, DutyView, THING, last_day};
use super::object::{Governed, Writing};
use super::purpose;
use super::told::Told;
use super::who::{Reach, named, target};
use crate::access::{Settled, decided, kept_changing};
use crate::body::{AccountKind, Body, time};
use crate::caller::Caller;
use crate::{App, Origin, Window};

/// The code that addresses are kept under.
const CODE: &str = "calendar";

/// How far a feed reaches back for what is overdue, and ahead for what is to come.
const BACK: Duration = Duration::from_secs(400 * 86_400);
const AHEAD: Duration = Duration::from_secs(60 * 86_400);

/// That an address is read is noted at most this often: calendar programs ask many times a day.
const NOTED: Duration = Duration::from_secs(86_400);

/// Longest line of a feed in octets, without its end (RFC 5545, section 3.1).
const LINE: usize = 75;

/// Whose duties an address shows.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct CalendarToken {
    pub(crate) actor: ActorId,
    /// When it was made and last read, microseconds UTC.
    #[serde(default)]
    made: Option<i64>,
    #[serde(default)]
    fetched: Option<i64>,
}

/// What can be told of somebody's calendar address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CalendarAddress {
    /// UTC.
    pub made: Timestamp,
    /// When a calendar program read it, UTC, to a day; `None` when none did so far.
    pub fetched: Option<Timestamp>,
}

impl Body for CalendarToken {
    const KIND: Kind = Kind::of("calendar-token");
}

impl App {
    /// A new secret address for the calendar of the caller's duties; an earlier one ends. The secret is
    /// given once.
    ///
    /// # Errors
    /// Forbidden for others than staff; unavailable.
    pub async fn calendar_address(&self, caller: &Caller) -> Result<String> {
        let caller = purpose(caller);
        let decision =
            self.require_general(&caller, Action::Create, target(THING, caller.is_staff())).await?;
        let secret = random_token().map_err(Error::unavailable)?;
        let object = object_of(&secret)?;
        let mut unit = Unit::new();
        let mut commitments = self.put_end_of_calendars(&caller, &mut unit).await?;
        let writing = Writing {
            object,
            follows: 0,
            code: CODE,
            state: RecordState::Confirmed,
            institution: None,
            sorted: self.clock.now(),
            body: &CalendarToken {
                actor: caller.actor,
                made: Some(self.clock.now().as_micros()),
                fetched: None,
            },
        };
        commitments.push(self.write_governed(&caller, &mut unit, &writing).await?);
        // Two at once would both end the earlier one only: the second starts over.
        unit.bumps.push(AccessKey::from(caller.actor));
        let mut entry = decided(caller.entry(unit.id, Action::Create), &decision);
        entry.resource = Self::resource_of::<CalendarToken>(object);
        entry.version = Some(1);
        entry.commitments = commitments;
        let entry = self.with_sealed(&caller, entry, 0, None)?;
        match self.settle(&caller, unit.entry(entry)).await? {
            Settled::Done => Ok(hex::encode(secret)),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Ends the address of the caller's calendar. Without one, nothing changes.
    ///
    /// # Errors
    /// Forbidden for others than staff; unavailable.
    pub async fn revoke_calendar(&self, caller: &Caller) -> Result<()> {
        let caller = purpose(caller);
        let decision =
            self.require_general(&caller, Action::Withdraw, target(THING, caller.is_staff())).await?;
        let mut unit = Unit::new();
        let commitments = self.put_end_of_calendars(&caller, &mut unit).await?;
        let mut entry = decided(caller.entry(unit.id, Action::Withdraw), &decision);
        entry.resource = Some((CalendarToken::KIND, None));
        entry.count = commitments.len() as u64;
        entry.commitments = commitments;
        let entry = self.with_sealed(&caller, entry, 0, None)?;
        match self.settle(&caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// What can be told of the caller's address, when there is one.
    pub(crate) async fn own_calendar(&self, caller: &Caller) -> Result<Option<CalendarAddress>> {
        let (all, _) = self.governed_list::<CalendarToken>(CODE).await?;
        let own = |found: &&Governed<CalendarToken>| {
            found.body.actor == caller.actor && found.state == RecordState::Confirmed
        };
        Ok(all.iter().find(own).map(|found| CalendarAddress {
            made: found.body.made.map_or(found.recorded, time),
            fetched: found.body.fetched.map(time),
        }))
    }

    /// Puts the end of every address of the caller into a unit.
    async fn put_end_of_calendars(&self, caller: &Caller, unit: &mut Unit) -> Result<Vec<[u8; 32]>> {
        let mut commitments = Vec::new();
        for found in self.governed_list::<CalendarToken>(CODE).await?.0 {
            if found.body.actor != caller.actor || found.state != RecordState::Confirmed {
                continue;
            }
            let writing = Writing {
                object: found.object,
                follows: found.version,
                code: CODE,
                state: RecordState::Withdrawn,
                institution: found.institution,
                sorted: found.recorded,
                body: &found.body,
            };
            commitments.push(self.write_governed(caller, unit, &writing).await?);
        }
        Ok(commitments)
    }

    /// The calendar behind a secret address, in one of the pack's languages: what its owner still has to
    /// do, each on its last day.
    ///
    /// # Errors
    /// Not found for an address that is wrong, was taken back, or belongs to a stopped account;
    /// unavailable.
    pub async fn calendar_feed(&self, secret: &str, origin: &Origin, language: Language) -> Result<String> {
        let Some(found) = self.calendar_of(secret).await? else {
            self.refused_before_sign_in(origin, "calendar-unknown");
            return Err(Error::not_found());
        };
        let now = self.clock.now();
        let context = self.actor_context_now(found.body.actor).await?;
        if !context.account.active || context.account.kind != AccountKind::Staff {
            self.refused_before_sign_in(origin, "calendar-unknown");
            return Err(Error::not_found());
        }
        let window = Window { from: now.minus(BACK), until: now.plus(AHEAD) };
        let duties = self.duties_of_pack();
        let own = |duty: &&Duty<'_>| named(&context, &duty.terms.owner, Reach::Anywhere, None, now).is_some();
        let own: Vec<_> = duties.iter().filter(own).collect();
        let views = self.occurrences_of_each(&own, window, now, &Told::default()).await?;
        let mut views: Vec<DutyView> = views.into_iter().flatten().collect();
        views.retain(|view| matches!(view.state, DutyState::Due | DutyState::Overdue | DutyState::Upcoming));
        views.sort_by(|a, b| (a.due, &a.terms.code).cmp(&(b.due, &b.terms.code)));
        // The program answers whoever has the address: it is the one that acts.
        let mut caller = self.itself();
        caller.origin = origin.clone();
        let decision = self.require_general(&caller, Action::Read, target(THING, false)).await?;
        let old = found.body.fetched.is_none_or(|at| now.since(time(at)) >= NOTED);
        // Two programs that read it at once would both note it: the second does without.
        for noted in [true, false].into_iter().skip(usize::from(!old)) {
            let mut unit = Unit::new().guard(AccessKey::from(context.actor), context.version);
            let mut entry = decided(caller.entry(unit.id, Action::Read), &decision);
            entry.resource = Self::resource_of::<CalendarToken>(found.object);
            entry.version = Some(found.version + u64::from(noted));
            entry.count = views.len() as u64;
            if noted {
                let writing = Writing {
                    object: found.object,
                    follows: found.version,
                    code: CODE,
                    state: found.state,
                    institution: found.institution,
                    sorted: found.body.made.map_or(found.recorded, time),
                    body: &CalendarToken { fetched: Some(now.as_micros()), ..found.body.clone() },
                };
                entry.commitments = vec![self.write_governed(&caller, &mut unit, &writing).await?];
            }
            let entry = self.with_sealed(&caller, entry, 0, None)?;
            match self.settle(&caller, unit.entry(entry)).await {
                Ok(Settled::Done) => return Ok(feed(&views, &self.name, now, language)),
                Ok(Settled::Again) => break,
                Err(error) if noted && error.kind() == ErrorKind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(kept_changing())
    }

    /// The address as it stands. One that is wrong is looked up like one that is right, and one that
    /// was taken back is not opened: neither takes longer than the other.
    async fn calendar_of(&self, secret: &str) -> Result<Option<Governed<CalendarToken>>> {
        let secret = hex::decode(secret).unwrap_or_else(|_| secret.as_bytes().to_vec());
        self.governed_when(object_of(&secret)?, RecordState::Confirmed).await
    }
}

/// Where a secret's object is: half of its hash is as hard to find a secret for as anybody needs.
fn object_of(secret: &[u8]) -> Result<ObjectId> {
    ObjectId::from_slice(hash_token(secret).get(..16).unwrap_or_default()).map_err(Error::internal)
}

/// The feed as text. `site` is the installation's name.
fn feed(views: &[DutyView], site: &str, now: Timestamp, language: Language) -> String {
    let title = Text::new("見守り 定期業務", "Mimamori duties");
    let due = Text::new("期限", "Due");
    let mut text = String::new();
    let head = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Mimamori//Duties 1//EN", "METHOD:PUBLISH"];
    head.iter().for_each(|line| put(&mut text, line));
    put(&mut text, &format!("X-WR-CALNAME:{}", escaped(title.get(language))));
    for view in views {
        let summary = format!("{}: {}", due.get(language), view.terms.name.get(language));
        put(&mut text, "BEGIN:VEVENT");
        put(&mut text, &format!("UID:{}-{}@{site}", view.terms.code, view.opens.as_micros()));
        put(&mut text, &format!("DTSTAMP:{}", stamp(now)));
        put(&mut text, &format!("DTSTART;VALUE=DATE:{}", last_day(view.due).replace('-', "")));
        put(&mut text, &format!("SUMMARY:{}", escaped(&summary)));
        put(&mut text, "TRANSP:TRANSPARENT");
        put(&mut text, "END:VEVENT");
    }
    put(&mut text, "END:VCALENDAR");
    text
}

/// Adds a line, folded so that no part is longer than [`LINE`] and no character is broken.
fn put(text: &mut String, line: &str) {
    let mut octets = 0;
    for character in line.chars() {
        if octets + character.len_utf8() > LINE {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(character);
        octets += character.len_utf8();
    }
    text.push_str("\r\n");
}

/// A value of type TEXT (section 3.3.11).
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '\\' | ';' | ',' => text.extend(['\\', character]),
            '\n' => text.push_str("\\n"),
            _ if character.is_control() => {}
            _ => text.push(character),
        }
    }
    text
}

/// A time in UTC: `20261121T000000Z`.
fn stamp(time: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(time.as_micros())
        .map(|time| time.strftime("%Y%m%dT%H%M%SZ").to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_folded_between_characters_and_unfold_to_what_they_were() {
        let line = format!("SUMMARY:{}", "監視映像の点検".repeat(12));
        let mut text = String::new();
        put(&mut text, &line);
        assert!(text.split("\r\n").count() > 3);
        assert!(text.split("\r\n").all(|part| part.len() <= LINE), "{text}");
        assert!(text.split("\r\n").skip(1).all(|part| part.is_empty() || part.starts_with(' ')));
        assert_eq!(text.replace("\r\n ", ""), format!("{line}\r\n"));
    }

    #[test]
    fn a_line_of_exactly_the_limit_is_not_folded() {
        let mut text = String::new();
        put(&mut text, &"x".repeat(LINE));
        assert_eq!(text, format!("{}\r\n", "x".repeat(LINE)));
    }

    #[test]
    fn text_cannot_begin_another_line() {
        assert_eq!(escaped("a,b;c\\d\r\nEND:VEVENT"), "a\\,b\\;c\\\\d\\nEND:VEVENT");
    }

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(stamp(Timestamp::from_micros(1_795_219_200_000_000)), "20261121T000000Z");
    }
}
