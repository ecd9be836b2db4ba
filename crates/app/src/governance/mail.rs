//! Reminders by mail: at most one a day for each person, that says how much waits for them and where to
//! look, and nothing else.
//!
//! Mail crosses networks that nobody here answers for: a message holds numbers and a link, no name and no
//! title. Before a message leaves, a version of an object for this person and day is kept: whoever keeps
//! it sends it. So a second program, or this one after a restart, does not send it again; a crash in
//! between loses at most that day's message of one person, which is the better side to err on.

pub(crate) mod notes;
mod urgent;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, ErrorKind, Kind, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::Decision;
use mimamori_store::{AccessKey, Unit};
use mimamori_vault::hash_token;
use serde::{Deserialize, Serialize};

use super::documents::day;
use super::duties::{Duty, DutyState, THING};
use super::jobs::{JobEnd, JobFailure, MAIL};
use super::object::Writing;
use super::told::Told;
use super::who::{Reach, named, target};
use crate::access::{Settled, decided};
use crate::body::{Body, time};
use crate::caller::{ActorContext, Caller};
use crate::{App, Window};

/// The code that sendings are kept under.
pub(crate) const CODE: &str = "mail-reminder";

/// How far back something overdue is told of.
const BACK: Duration = Duration::from_secs(400 * 86_400);

/// How often one person's message is tried on one day, and how long after the first failure it is tried
/// again; each time after that twice as long.
const MOST_ATTEMPTS: u32 = 5;
const FIRST_DELAY: Duration = Duration::from_secs(300);

/// What sends a message: the program's connection to a mail server.
pub trait Mailer: Send + Sync {
    /// Sends plain text to one address, within a bounded time.
    fn send(
        &self,
        to: &str,
        subject: &str,
        text: &str,
    ) -> impl Future<Output = std::result::Result<(), MailFailure>> + Send;
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailFailure {
    /// The server could not be reached: nobody's message can be sent now.
    Unreachable,
    /// Its certificate or encryption is not as it must be.
    Tls,
    /// It did not let the program sign in.
    SignIn,
    /// It asks to be tried later (a reply of 4yz, RFC 5321 section 4.2.1).
    Later,
    /// It will not take a message for this address (5yz), or the address is none.
    Refused,
}

impl MailFailure {
    /// What it means for the job, when it concerns everybody.
    #[must_use]
    pub const fn of_server(self) -> Option<JobFailure> {
        match self {
            Self::Unreachable => Some(JobFailure::MailUnreachable),
            Self::Tls => Some(JobFailure::MailTls),
            Self::SignIn => Some(JobFailure::MailSignIn),
            Self::Later | Self::Refused => None,
        }
    }
}

/// What one round of sending came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MailRound {
    pub sent: u64,
    /// Addresses that the server does not take.
    pub refused: u64,
    /// Messages that are to be tried again today.
    pub later: u64,
    /// The round ended early, because the server failed everybody.
    pub stopped: Option<MailFailure>,
}

impl MailRound {
    /// Whether today's sending is over.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.later == 0 && self.stopped.is_none()
    }
}

/// How a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Stage {
    /// A program is sending it, or ended while it did.
    Sending,
    Sent,
    Later,
    Refused,
}

/// One person's message of one day.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct MailReminder {
    actor: ActorId,
    /// The day in Japan: `2026-11-21`; else what the message is about.
    day: String,
    stage: Stage,
    /// How often this person's message was refused for now.
    attempts: u32,
    /// When it may be tried again, microseconds UTC.
    next: i64,
    due: u64,
    overdue: u64,
    waiting: u64,
}

impl Body for MailReminder {
    const KIND: Kind = Kind::of("mail-reminder");
}

/// How much waits for somebody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Waits {
    due: u64,
    overdue: u64,
    waiting: u64,
}

impl App {
    /// Sends today's reminders to everybody who gave an address, for whom something waits, and who had
    /// none today, under the rules in force now. `link` is where the pages are. Whatever stands in the way of one person's message does
    /// not keep back the others; what fails all of them ends the round.
    ///
    /// # Errors
    /// Unavailable when something could not be recorded: then nothing more is sent.
    pub async fn remind_by_mail<M: Mailer>(&self, mailer: &M, link: &str) -> Result<MailRound> {
        self.in_force().await?.mail_round(mailer, link).await
    }

    async fn mail_round<M: Mailer>(&self, mailer: &M, link: &str) -> Result<MailRound> {
        let now = self.clock.now();
        let mut people = self.directory().await?;
        people.retain(|person| person.account.mail.is_some());
        let mut round = MailRound::default();
        let waits = self.waits_of(&people, now).await?;
        for (person, waits) in people.iter().zip(waits).filter(|(_, waits)| *waits != Waits::default()) {
            let Some(address) = person.account.mail.as_deref() else { continue };
            let claimed = self.claimed(person, day(now), waits, now, &mut round).await?;
            let Some((object, mut message)) = claimed else { continue };
            let (subject, text) = words(waits, link);
            let sent = mailer.send(address, &subject, &text).await;
            message.1 = match sent {
                Ok(()) => MailReminder { stage: Stage::Sent, ..message.1 },
                Err(MailFailure::Refused) => MailReminder { stage: Stage::Refused, ..message.1 },
                Err(failure) => later(message.1, failure, self.clock.now()),
            };
            match message.1.stage {
                Stage::Sent => round.sent += 1,
                Stage::Refused => round.refused += 1,
                Stage::Sending | Stage::Later => round.later += 1,
            }
            // It has left: whatever rules came into force meanwhile, how it went is kept under them.
            self.in_force().await?.keep_message(object, message.0, &message.1, None).await?;
            if let Err(failure) = sent
                && failure.of_server().is_some()
            {
                round.stopped = Some(failure);
                break;
            }
        }
        let failure = round.stopped.and_then(MailFailure::of_server);
        let refused = (round.refused > 0).then_some(JobFailure::MailRefused(round.refused));
        let end = failure.or(refused).map_or(JobEnd::Done, JobEnd::Failed);
        if end != JobEnd::Done || round.is_over() {
            self.note_job(MAIL, end).await?;
        }
        Ok(round)
    }

    /// How much waits for each of some people.
    async fn waits_of(&self, people: &[Arc<ActorContext>], now: Timestamp) -> Result<Vec<Waits>> {
        let mut all = vec![Waits::default(); people.len()];
        let window = Window { from: now.minus(BACK), until: now.plus(Duration::from_micros(1)) };
        let whose = |duty: &Duty<'_>, person: &ActorContext| {
            named(person, &duty.terms.owner, Reach::Anywhere, None, now).is_some()
        };
        let duties = self.duties_of_pack();
        let theirs = |duty: &&Duty<'_>| people.iter().any(|person| whose(duty, person));
        let duties: Vec<_> = duties.iter().filter(theirs).collect();
        let found = self.occurrences_of_each(&duties, window, now, &Told::default()).await?;
        for (duty, found) in duties.into_iter().zip(found) {
            let count = |state: &DutyState| found.iter().filter(|view| view.state == *state).count() as u64;
            let (due, overdue) = (count(&DutyState::Due), count(&DutyState::Overdue));
            for (_, waits) in people.iter().zip(&mut all).filter(|(person, _)| whose(duty, person)) {
                waits.due += due;
                waits.overdue += overdue;
            }
        }
        let cases = self.waiting_of(people).await?;
        for (person, waits) in people.iter().zip(&mut all) {
            waits.waiting = cases.get(&person.actor).copied().unwrap_or(0);
        }
        Ok(all)
    }

    /// Takes a person's message of a day, or about something, on the record: an address leaves with what
    /// follows. `None` when it was taken already, or its time has not come.
    async fn claimed(
        &self,
        person: &ActorContext,
        day: String,
        waits: Waits,
        now: Timestamp,
        round: &mut MailRound,
    ) -> Result<Option<(ObjectId, (u64, MailReminder))>> {
        let object = self.message_of(person.actor, &day)?;
        let before = self.governed::<MailReminder>(object).await?;
        let (version, attempts) = match &before {
            None => (0, 0),
            Some(found) if found.body.stage == Stage::Later && now < time(found.body.next) => {
                round.later += 1;
                return Ok(None);
            }
            Some(found) if found.body.stage == Stage::Later => (found.version, found.body.attempts),
            Some(_) => return Ok(None),
        };
        let Waits { due, overdue, waiting } = waits;
        let actor = person.actor;
        let message =
            MailReminder { actor, day, stage: Stage::Sending, attempts, next: 0, due, overdue, waiting };
        match self.keep_message(object, version, &message, Some(person)).await {
            Ok(true) => Ok(Some((object, (version + 1, message)))),
            // Their account was changed this moment: what it says now counts, in the next round.
            Ok(false) => {
                round.later += 1;
                Ok(None)
            }
            // Another program was quicker.
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps how a message stands; `false` when the person's account changed meanwhile.
    async fn keep_message(
        &self,
        object: ObjectId,
        follows: u64,
        message: &MailReminder,
        person: Option<&ActorContext>,
    ) -> Result<bool> {
        let caller: Caller = self.itself();
        let action = if person.is_some() { Action::Export } else { Action::Update };
        let decision: Decision = self.require_general(&caller, action, target(THING, false)).await?;
        let mut unit = Unit::new();
        if let Some(person) = person {
            unit = unit.guard(AccessKey::from(person.actor), person.version);
        }
        let over = matches!(message.stage, Stage::Sent | Stage::Refused);
        let writing = Writing {
            object,
            follows,
            code: CODE,
            state: if over { RecordState::Confirmed } else { RecordState::AwaitingConfirmation },
            institution: None,
            sorted: self.clock.now(),
            body: message,
        };
        let commitment = self.write_governed(&caller, &mut unit, &writing).await?;
        let mut entry = decided(caller.entry(unit.id, action), &decision);
        entry.resource = Self::resource_of::<MailReminder>(object);
        entry.version = Some(follows + 1);
        entry.commitments = vec![commitment];
        let entry = self.with_sealed(&caller, entry, 0, None)?;
        Ok(matches!(self.settle(&caller, unit.entry(entry)).await?, Settled::Done))
    }

    /// When the last message of somebody was sent, or failed: UTC, and whether it was sent.
    pub(crate) async fn last_mail(&self, actor: ActorId) -> Result<Option<(Timestamp, bool)>> {
        let now = self.clock.now();
        // The object of a day is found by its name; a month without any is none.
        for back in 0..31 {
            let of = day(now.minus(Duration::from_secs(86_400) * back));
            if let Some(found) = self.governed::<MailReminder>(self.message_of(actor, &of)?).await? {
                return Ok(Some((found.recorded, found.body.stage == Stage::Sent)));
            }
        }
        Ok(None)
    }

    /// Where a person's message of a day is kept: every program of the installation finds it there, and
    /// nobody without its keys tells whose it is.
    fn message_of(&self, actor: ActorId, day: &str) -> Result<ObjectId> {
        let mut bytes = self.address_salt.to_vec();
        bytes.extend_from_slice(format!("mimamori:mail|{actor}|{day}").as_bytes());
        ObjectId::from_slice(hash_token(&bytes).get(..16).unwrap_or_default()).map_err(Error::internal)
    }
}

/// The message that failed for now. When the server failed everybody, that is no attempt of this one.
fn later(message: MailReminder, failure: MailFailure, now: Timestamp) -> MailReminder {
    if failure.of_server().is_some() {
        return MailReminder { stage: Stage::Later, next: now.as_micros(), ..message };
    }
    let attempts = message.attempts + 1;
    let stage = if attempts >= MOST_ATTEMPTS { Stage::Refused } else { Stage::Later };
    let next = now.plus(FIRST_DELAY * 2_u32.saturating_pow(attempts - 1)).as_micros();
    MailReminder { stage, attempts, next, ..message }
}

/// Subject and text, in both languages: numbers and a link, nothing that names anybody or anything.
fn words(waits: Waits, link: &str) -> (String, String) {
    let Waits { due, overdue, waiting } = waits;
    let subject = "【見守り】お待ちしている業務があります / Work is waiting".to_owned();
    let text = format!(
        "実施待ちの定期業務: {due}件\n期限切れの定期業務: {overdue}件\nあなたを待っている手続: {waiting}件\n\n\
         サインインして確かめてください:\n{link}\n\n\
         このメールは1日に1回まで送られます。止めるときは「予定表とメール」のページで宛先を消してください。\n\n\
         --\n\
         Duties due: {due}\nDuties overdue: {overdue}\nProcedures that wait for you: {waiting}\n\n\
         Sign in to see them:\n{link}\n\n\
         Sent at most once a day. To stop these, remove your address on the page \"Calendar and mail\".\n"
    );
    (subject, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(attempts: u32) -> MailReminder {
        let actor = ActorId::random();
        let day = "2026-11-21".to_owned();
        MailReminder { actor, day, stage: Stage::Sending, attempts, next: 0, due: 1, overdue: 0, waiting: 0 }
    }

    #[test]
    fn each_failure_waits_twice_as_long_and_the_last_one_ends_it() {
        let now = Timestamp::from_micros(0);
        let mut message = message(0);
        let mut waits = Vec::new();
        loop {
            message = later(message, MailFailure::Later, now);
            if message.stage == Stage::Refused {
                break;
            }
            waits.push(message.next / 60_000_000);
        }
        assert_eq!(waits, [5, 10, 20, 40]);
    }

    #[test]
    fn a_server_that_fails_everybody_takes_no_attempt_from_anybody() {
        let now = Timestamp::from_micros(7);
        let message = later(message(4), MailFailure::Unreachable, now);
        assert_eq!((message.stage, message.attempts, message.next), (Stage::Later, 4, 7));
    }

    #[test]
    fn a_message_says_how_many_and_where_in_both_languages() {
        let (subject, text) =
            words(Waits { due: 3, overdue: 1, waiting: 2 }, "https://mimamori.example/rules");
        assert!(subject.contains("見守り") && subject.contains("Work is waiting"));
        for part in ["実施待ちの定期業務: 3件", "Duties overdue: 1", "Procedures that wait for you: 2"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(text.matches("https://mimamori.example/rules").count(), 2);
    }
}
