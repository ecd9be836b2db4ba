//! Urgent notes (至急): told by mail to whom they are for, and, while none of those has seen them, to others.
//!
//! What a note says and how urgent it is are sealed. The row of `link` in the role `urgent`, made in the note's
//! own unit, says that much in clear: that this note is urgent. It points at the installation, so that the job
//! finds all of them by one index. Who is told on the way has a row in the role `told`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{
    AccessLabel, Action, ActorId, Error, ErrorKind, InstitutionId, ObjectId, Result, SubjectId, Timestamp,
};
use mimamori_policy::model::Who;
use mimamori_store::{Change, Row, Unit};

use super::{MailFailure, MailReminder, MailRound, Mailer, Stage, Waits};
use crate::App;
use crate::access::Settled;
use crate::body::{AccountKind, kind};
use crate::caller::ActorContext;
use crate::context::SubjectContext;
use crate::governance::who::{Reach, Whereabouts, named};
use crate::seen::whose;
use crate::sql;

/// The role of the row that marks a note as urgent, and of those that name who was told on the way.
pub(crate) const URGENT: &str = "urgent";
const TOLD: &str = "told";
const RECIPIENT: &str = "recipient";

/// After so long nobody is told of a note any more.
const TOLD_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// The word of `urgent.escalate-to` for the persons of the care team; other words are codes of roles.
const TEAM: &str = "team";

/// A note that is urgent, as it stands now.
struct Note {
    object: ObjectId,
    version: u64,
    subject: SubjectId,
    label: AccessLabel,
    author: Option<ActorId>,
    /// Since when it stands so, UTC.
    since: Timestamp,
}

/// Somebody who was told of an urgent note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    pub actor: ActorId,
    /// The note is addressed to them; others were told because nobody of those had seen it.
    pub addressed: bool,
    /// When a mail about this version left, or failed for good, and whether it left; UTC. `None` when none was
    /// sent: no address is known, or it is under way.
    pub mail: Option<(Timestamp, bool)>,
}

impl App {
    /// Tells those whom urgent notes are for, and those who come next while nobody has seen them
    /// (`urgent.escalate-minutes`, `urgent.escalate-to`), each once. The mail says that there is one. `link` is
    /// where the pages are.
    ///
    /// # Errors
    /// Unavailable when something could not be recorded: then nothing more is sent.
    pub async fn tell_urgent_notes<M: Mailer>(&self, mailer: &M, link: &str) -> Result<MailRound> {
        self.in_force().await?.urgent_notes(mailer, link).await
    }

    async fn urgent_notes<M: Mailer>(&self, mailer: &M, link: &str) -> Result<MailRound> {
        let mut round = MailRound::default();
        let now = self.clock.now();
        let args = vec![self.operator.into(), now.minus(TOLD_WITHIN).into()];
        for row in &self.store.query(&sql::URGENT_NOTES, args).await? {
            let note = note_of(row)?;
            match self.tell_of(&note, mailer, link, now, &mut round).await {
                Ok(()) => {}
                // Everything of them was erased.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            if round.stopped.is_some() {
                break;
            }
        }
        Ok(round)
    }

    async fn tell_of<M: Mailer>(
        &self,
        note: &Note,
        mailer: &M,
        link: &str,
        now: Timestamp,
        round: &mut MailRound,
    ) -> Result<()> {
        let context = self.subject_context(note.subject).await?;
        let step = Duration::from_secs(60 * self.pack.parameter_u64("urgent.escalate-minutes")?);
        let (addressed, told) = self.people_of_note(note.object).await?;
        let readers = self.readers(note).await?;
        let mut asked: BTreeSet<ActorId> = BTreeSet::new();
        let mut begins = note.since;
        for (stage, people) in self.ladder(&context, addressed, now).await?.into_iter().enumerate() {
            let reached = asked.iter().any(|actor| readers.contains(actor));
            if now < begins || (stage > 0 && reached) {
                break;
            }
            let of_stage = asked.len();
            for actor in people {
                if Some(actor) == note.author || !asked.insert(actor) || readers.contains(&actor) {
                    continue;
                }
                let Some(person) = self.sees(actor, &context, note, now).await? else { continue };
                let on_screen =
                    stage == 0 || told.contains(&actor) || self.tell_on_screen(note, actor).await?;
                if on_screen {
                    self.tell_by_mail(note, &person, mailer, link, now, round).await?;
                }
                if round.stopped.is_some() {
                    return Ok(());
                }
            }
            // Where nobody new is named, those who come next need not wait for them.
            if asked.len() > of_stage {
                begins = begins.plus(step);
            }
        }
        Ok(())
    }

    /// Who is told one after the other: whom it is for, then the words of `urgent.escalate-to`.
    async fn ladder(
        &self,
        context: &SubjectContext,
        addressed: Vec<ActorId>,
        now: Timestamp,
    ) -> Result<Vec<Vec<ActorId>>> {
        let mut ladder = vec![addressed];
        let team = || {
            context
                .facts
                .team
                .iter()
                .filter(|member| member.from <= now && member.until.is_none_or(|until| now < until))
        };
        let at: BTreeSet<InstitutionId> = team().filter_map(|member| member.institution).collect();
        let words = self.pack.parameter_text("urgent.escalate-to")?;
        for word in words.split_whitespace() {
            if word == TEAM {
                ladder.push(team().filter_map(|member| member.actor).collect());
                continue;
            }
            let Ok(code) = word.parse() else { continue };
            let word = [Who::Role(code)];
            let mut holders = Vec::new();
            for person in self.directory().await? {
                let works = person.account.institution.filter(|institution| at.contains(institution));
                let Some(institution) = works else { continue };
                let place = Whereabouts { institution: Some(institution), unit: None, system: None };
                if named(&person, &word, Reach::Here(&place), None, now).is_some() {
                    holders.push(person.actor);
                }
            }
            ladder.push(holders);
        }
        Ok(ladder)
    }

    /// Somebody of the staff who may read the note, as they are now.
    async fn sees(
        &self,
        actor: ActorId,
        context: &SubjectContext,
        note: &Note,
        now: Timestamp,
    ) -> Result<Option<Arc<ActorContext>>> {
        let person = match self.actor_context_now(actor).await {
            Ok(person) => person,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let staff = person.account.active && person.account.kind == AccountKind::Staff;
        let sees = staff
            && self.decide(&self.at_work(&person), Action::Read, context, &note.label, None, now).allowed;
        Ok(sees.then_some(person))
    }

    /// Puts the note before somebody whom it is not addressed to, on the record; `false` when that is to be
    /// tried again.
    async fn tell_on_screen(&self, note: &Note, actor: ActorId) -> Result<bool> {
        let caller = self.itself();
        let mut unit = Unit::new();
        unit.changes
            .push(Change::any(&sql::TELL, vec![note.object.into(), actor.into(), note.subject.into()]));
        let mut entry = caller.entry(unit.id, Action::Update);
        entry.subject = Some(note.subject);
        entry.resource = Some((kind::COMMUNICATION, Some(note.object)));
        entry.version = Some(note.version);
        let stated = format!("urgent and not seen: told to {actor}");
        let entry = self.with_sealed(&caller, entry, 0, Some(&stated))?;
        Ok(matches!(self.settle(&caller, unit.entry(entry)).await?, Settled::Done))
    }

    async fn tell_by_mail<M: Mailer>(
        &self,
        note: &Note,
        person: &ActorContext,
        mailer: &M,
        link: &str,
        now: Timestamp,
        round: &mut MailRound,
    ) -> Result<()> {
        let Some(address) = person.account.mail.as_deref() else { return Ok(()) };
        let claimed = self.claimed(person, about(note.object, note.version), Waits::default(), now, round);
        let Some(claimed) = claimed.await? else { return Ok(()) };
        let (subject, text) = words(link);
        let sent = mailer.send(address, &subject, &text).await;
        self.keep_urgent(claimed, sent, round).await?;
        round.stopped = sent.err().filter(|failure: &MailFailure| failure.of_server().is_some());
        Ok(())
    }

    /// Whom an object is for, and who was told of it on the way.
    async fn people_of_note(&self, object: ObjectId) -> Result<(Vec<ActorId>, Vec<ActorId>)> {
        let (mut addressed, mut told) = (Vec::new(), Vec::new());
        for row in &self.store.query(&sql::LINKS_OF, vec![object.into()]).await? {
            let target = row.id_of(1).map_err(Error::unavailable)?;
            match row.text(0).map_err(Error::unavailable)? {
                RECIPIENT => addressed.push(target),
                TOLD => told.push(target),
                _ => {}
            }
        }
        Ok((addressed, told))
    }

    async fn readers(&self, note: &Note) -> Result<BTreeSet<ActorId>> {
        let args = vec![note.subject.into(), note.object.into(), READERS.into()];
        let mut readers = BTreeSet::new();
        for row in &self.store.query(&sql::SEEN_BY, args).await? {
            if u64::try_from(row.int(0).map_err(Error::unavailable)?) == Ok(note.version) {
                readers.insert(row.id_of(1).map_err(Error::unavailable)?);
            }
        }
        Ok(readers)
    }

    /// Who was told of a version of an urgent note, those it is for first; nobody for what is not urgent.
    pub(crate) async fn told_of(&self, object: ObjectId, version: u64) -> Result<Vec<Told>> {
        let rows = self.store.query(&sql::LINKS_OF, vec![object.into()]).await?;
        if !rows.iter().any(|row| row.text(0).is_ok_and(|role| role == URGENT)) {
            return Ok(Vec::new());
        }
        let (addressed, told) = self.people_of_note(object).await?;
        let mut all = Vec::with_capacity(addressed.len() + told.len());
        for (actor, addressed) in
            addressed.into_iter().map(|a| (a, true)).chain(told.into_iter().map(|a| (a, false)))
        {
            let kept =
                self.governed::<MailReminder>(self.message_of(actor, &about(object, version))?).await?;
            let over = kept.filter(|kept| matches!(kept.body.stage, Stage::Sent | Stage::Refused));
            let mail = over.map(|kept| (kept.recorded, kept.body.stage == Stage::Sent));
            all.push(Told { actor, addressed, mail });
        }
        Ok(all)
    }
}

/// The most readers of one note that are looked through.
const READERS: i64 = 500;

/// What a mail is about: one version of one note.
fn about(object: ObjectId, version: u64) -> String {
    format!("urgent|{object}|{version}")
}

fn note_of(row: &Row) -> Result<Note> {
    let (subject, label) = whose(row)?;
    Ok(Note {
        subject,
        label,
        object: row.id_of(4).map_err(Error::unavailable)?,
        version: u64::try_from(row.int(5).map_err(Error::unavailable)?).map_err(Error::unavailable)?,
        since: row.time(6).map_err(Error::unavailable)?,
        author: row.opt_id_of(7).map_err(Error::unavailable)?,
    })
}

/// Subject and text, in both languages: that there is one, and where to look.
fn words(link: &str) -> (String, String) {
    let subject = "【見守り】至急の連絡があります / An urgent message for you";
    let text = format!(
        "至急の連絡が届いています。サインインして確かめてください:\n{link}\n\n\
         このメールは、一つの連絡につき一度だけ送られます。\n\n\
         --\n\
         There is an urgent message for you. Sign in to read it:\n{link}\n\n\
         Sent once for each message.\n"
    );
    (subject.to_owned(), text)
}
