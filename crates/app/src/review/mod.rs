//! Looking at the ledger: who looked at a record, and review by those whose duty it is.

mod counts;

use std::cmp::Ordering;
use std::collections::HashMap;

use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, ErrorKind, Kind, ObjectId, Outcome, Purpose, RecordState,
    Result, SubjectId, Timestamp,
};
use mimamori_ledger::{Entry, EntryDraft};
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::statements::ledger;
use mimamori_store::{Guard, Head, Row, Unit, Value, sequence_at};
use mimamori_vault::Place;

use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::kind;
use crate::caller::Caller;
use crate::context::open_with;
use crate::cursor::{Position, page_size};
use crate::record::{Listed, label_of};
use crate::several::Person;
use crate::{AccessRow, App, Page, Paging, ReviewQuery, Window, fhir_read};

pub(crate) use counts::Counts;

/// Places in a unit at which the sealed part of an entry is looked for.
const MOST_SEALED: u32 = 32;

/// Entries looked at for one page when a filter is not in an index.
const MOST_LOOKED: usize = 5_000;

impl App {
    /// Who looked at a person's record in a window, newest first: for the person, their proxies, and
    /// those who review the ledger.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn who_looked(
        &self,
        caller: &Caller,
        subject: SubjectId,
        window: Window,
        paging: &Paging,
    ) -> Result<Page<AccessRow>> {
        let query = ReviewQuery { subject: Some(subject), actor: None, institution: None, window };
        self.reviewed(caller, &query, paging).await
    }

    /// Ledger entries about a person, by somebody, of an institution or all, in a window, newest
    /// first.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn review(
        &self,
        caller: &Caller,
        query: &ReviewQuery,
        paging: &Paging,
    ) -> Result<Page<AccessRow>> {
        self.reviewed(caller, query, paging).await
    }

    async fn reviewed(
        &self,
        caller: &Caller,
        query: &ReviewQuery,
        paging: &Paging,
    ) -> Result<Page<AccessRow>> {
        let question = [
            b"review".to_vec(),
            query.subject.map(SubjectId::to_vec).unwrap_or_default(),
            query.actor.map(ActorId::to_vec).unwrap_or_default(),
            query.institution.map(mimamori_domain::InstitutionId::to_vec).unwrap_or_default(),
            query.window.from.as_micros().to_be_bytes().to_vec(),
            query.window.until.as_micros().to_be_bytes().to_vec(),
        ];
        let question: Vec<&[u8]> = question.iter().map(Vec::as_slice).collect();
        let size = page_size(paging.count);
        for _ in 0..ATTEMPTS {
            let mut unit = Unit::new();
            let decision = self.review_decision(caller, query, &mut unit).await?;
            let start = self.open_cursor(caller, &question, paging.cursor.as_deref(), newest())?;
            let (entries, next) = self.ledger_page(query, start, size).await?;
            let next = next.map(|position| self.seal_cursor(caller, &question, position)).transpose()?;
            let mut items = Vec::with_capacity(entries.len());
            let mut names = Names::default();
            self.find_names(caller, entries.iter().filter_map(|entry| entry.draft.subject), &mut names)
                .await?;
            for entry in entries {
                items.push(self.access_row(entry, &names).await?);
            }
            let mut entry = decided(caller.entry(unit.id, Action::Review), &decision);
            entry.subject = query.subject;
            entry.resource = Some((Kind::of("ledger"), None));
            entry.count = items.len() as u64;
            let stated = serde_json::json!({
                "actor": query.actor, "institution": query.institution,
                "from": query.window.from.to_string(), "until": query.window.until.to_string(),
            });
            let entry = self.with_sealed(caller, entry, 0, Some(&stated.to_string()))?;
            let unit = names.note(caller, unit.entry(entry), query.subject);
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(Page { items, next, total: None });
            }
        }
        Err(kept_changing())
    }

    /// The person and their proxies may see who looked at their record; everybody else needs a role
    /// that reviews the ledger, for the whole or for their own institution.
    pub(crate) async fn review_decision(
        &self,
        caller: &Caller,
        query: &ReviewQuery,
        unit: &mut Unit,
    ) -> Result<Decision> {
        let now = self.clock.now();
        if let Some(subject) = query.subject {
            let context = self.subject_context(subject).await?;
            let institution = context.facts.registering_institution;
            if let Some(institution) = institution {
                let class = ClassCode::new("basic").map_err(Error::internal)?;
                let label = AccessLabel { class, state: RecordState::Confirmed, institution };
                let decision = self.decide(caller, Action::Review, &context, &label, None, now);
                if decision.allowed {
                    unit.guards.push(context.guard());
                    return Ok(decision);
                }
            }
        }
        let mut target = GeneralTarget::of(Kind::of("ledger"));
        if let Some(institution) = query.institution {
            target = target.at(institution);
        }
        self.require_general(&caller.for_purpose(Purpose::Audit), Action::Review, target).await
    }

    /// One page of entries after a position, and where it goes on.
    async fn ledger_page(
        &self,
        query: &ReviewQuery,
        start: Position,
        size: usize,
    ) -> Result<(Vec<Entry>, Option<Position>)> {
        let mut found = Vec::new();
        let mut last = start;
        let mut looked = 0;
        for span in self.spans(query.window).await?.into_iter().rev() {
            let mut before = span.until;
            if i64::from(span.epoch) > start.number {
                continue;
            }
            if i64::from(span.epoch) == start.number {
                before = before.min(u64::try_from(sequence_of(start)).unwrap_or(0));
            }
            loop {
                let rows = self.ledger_rows(query, &span, before, size + 1).await?;
                for row in &rows {
                    let sequence = row.unsigned(0).map_err(Error::unavailable)?;
                    let entry = Entry::decode(row.blob(1).map_err(Error::unavailable)?)
                        .map_err(Error::unavailable)?;
                    if fits(query, &entry.draft) {
                        if found.len() == size {
                            return Ok((found, Some(last)));
                        }
                        found.push(entry);
                    }
                    before = sequence;
                    last = position(i64::from(span.epoch), i64::try_from(sequence).unwrap_or(i64::MAX));
                }
                looked += rows.len();
                if rows.len() <= size {
                    break;
                }
                if looked >= MOST_LOOKED {
                    return Ok((found, Some(last)));
                }
            }
        }
        Ok((found, None))
    }

    /// The ranges of sequences that a window of recorded time covers: time follows sequence.
    async fn spans(&self, window: Window) -> Result<Vec<Span>> {
        let head = self.store.head().await?.ok_or_else(|| Error::unavailable("the ledger has no head"))?;
        let epochs = self.epochs(&head).await?;
        self.spans_within(window, &head, &epochs).await
    }

    /// Every epoch up to a head, with how many entries it has.
    async fn epochs(&self, head: &Head) -> Result<Vec<(u32, u64)>> {
        let mut epochs = Vec::new();
        for row in self.store.query(&ledger::EPOCHS, Vec::new()).await? {
            let epoch = row.epoch(0).map_err(Error::unavailable)?;
            match epoch.cmp(&head.epoch) {
                Ordering::Less => epochs.push((epoch, self.epoch_size(epoch).await?)),
                Ordering::Equal => epochs.push((epoch, head.size)),
                // Begun since that head was read.
                Ordering::Greater => {}
            }
        }
        Ok(epochs)
    }

    /// As [`App::spans`], up to a head and in the epochs up to it.
    async fn spans_within(&self, window: Window, head: &Head, epochs: &[(u32, u64)]) -> Result<Vec<Span>> {
        let mut spans = Vec::new();
        for (epoch, size) in epochs.iter().copied() {
            let from = self.place(head, epoch, size, window.from).await?;
            let until = self.place(head, epoch, size, window.until).await?;
            if from < until {
                spans.push(Span { epoch, from, until });
            }
        }
        Ok(spans)
    }

    /// The first sequence of an epoch of `size` entries at or after a time. What lies before the newest entry
    /// is found once: time follows sequence, and entries are only added.
    async fn place(&self, head: &Head, epoch: u32, size: u64, time: Timestamp) -> Result<u64> {
        let known = epoch < head.epoch || time <= head.recorded;
        if !known {
            return Ok(size);
        }
        if let Some(place) = self.counts.places.get(&(epoch, time)) {
            return Ok(place);
        }
        let place = sequence_at(&*self.store, epoch, size, time).await?;
        self.counts.places.insert((epoch, time), place);
        Ok(place)
    }

    /// How many entries an ended epoch has.
    pub(crate) async fn epoch_size(&self, epoch: u32) -> Result<u64> {
        let args = vec![epoch.into(), 0_i64.into(), i64::MAX.into(), 1_i64.into()];
        let rows = self.store.query(&ledger::ENTRIES_NEWEST_FIRST, args).await?;
        rows.first().map_or(Ok(0), |row| row.unsigned(0).map(|last| last + 1)).map_err(Error::unavailable)
    }

    /// Rows through the index that narrows down most, newest first.
    async fn ledger_rows(
        &self,
        query: &ReviewQuery,
        span: &Span,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let (statement, key): (_, Option<Value>) = match (query.subject, query.actor) {
            (Some(subject), _) => (&ledger::ENTRIES_OF_SUBJECT, Some(subject.into())),
            (None, Some(actor)) => (&ledger::ENTRIES_OF_ACTOR, Some(actor.into())),
            (None, None) => (&ledger::ENTRIES_NEWEST_FIRST, None),
        };
        let range: [Value; 4] = [
            span.epoch.into(),
            span.from.into(),
            before.into(),
            i64::try_from(limit).unwrap_or(i64::MAX).into(),
        ];
        Ok(self.store.query(statement, key.into_iter().chain(range).collect()).await?)
    }

    async fn access_row(&self, entry: Entry, names: &Names) -> Result<AccessRow> {
        let draft = entry.draft;
        let actor = match draft.actor {
            Some(actor) => self.actor_view(actor).await?,
            None => None,
        };
        let under = match draft.on_behalf_of {
            Some(shared) => self.actor_view(shared).await?,
            None => None,
        };
        let institution = match draft.institution {
            Some(id) => self.institution_name(id).await?.map(|name| (id, name)),
            None => None,
        };
        let subject = draft.subject.map(|subject| (subject, names.of(subject)));
        let privileges = self.privileges_of(&draft)?;
        let (kind, resource) = draft.resource.unzip();
        Ok(AccessRow {
            epoch: entry.position.epoch,
            sequence: entry.position.sequence,
            recorded: entry.position.recorded,
            actor,
            institution,
            subject,
            action: draft.action,
            kind,
            resource: resource.flatten(),
            outcome: draft.outcome,
            count: draft.count,
            purpose: draft.purpose,
            basis: draft.legal_basis,
            policies: draft.policies,
            privileges,
            under,
        })
    }

    /// The privileges, granted for a time, under which something was done: codes of roles.
    fn privileges_of(&self, draft: &EntryDraft) -> Result<Vec<String>> {
        let key = &self.keys.ledger_seal;
        let Some(sealed) = draft.sealed.as_ref().filter(|sealed| sealed.key == key.id()) else {
            return Ok(Vec::new());
        };
        // The part was sealed for its place in the unit, which is not told: units are short.
        let plain = (0..MOST_SEALED).find_map(|index| {
            let place = Place::ledger(draft.unit, index, &draft.nonce);
            mimamori_vault::open(key, &place, &sealed.bytes).ok()
        });
        let Some(plain) = plain else { return Ok(Vec::new()) };
        let plain: serde_json::Value = serde_json::from_slice(&plain).map_err(Error::unavailable)?;
        let told = plain.get("privileges").and_then(serde_json::Value::as_array);
        let role = |text: &serde_json::Value| Some(text.as_str()?.split(' ').next()?.to_owned());
        Ok(told.into_iter().flatten().filter_map(role).collect())
    }

    /// The names of people for whom may see them; the others are told by their ids.
    async fn find_names(
        &self,
        caller: &Caller,
        subjects: impl Iterator<Item = SubjectId>,
        names: &mut Names,
    ) -> Result<()> {
        let subjects: Vec<SubjectId> = subjects.collect();
        let looking = looking(caller);
        for (subject, Person { patient, context }) in self.several(&subjects).await? {
            let label = label_of(&patient)?;
            let decision = self.decide(&looking, Action::Read, &context, &label, None, self.clock.now());
            if !decision.allowed {
                continue;
            }
            let name = match open_with(&context.keys, &patient) {
                Ok(plain) => fhir_read::person_name(&plain)?,
                Err(error) if error.kind() == ErrorKind::Gone => continue,
                Err(error) => return Err(error),
            };
            if !name.is_empty() {
                let mut listed = Listed::default();
                listed.add(&decision, patient.commitment());
                names.guards.push(context.guard());
                names.opened.push((subject, listed));
                names.shown.insert(subject, name);
            }
        }
        Ok(())
    }
}

/// Who looks at a person's name while reviewing does so with their rights at work.
fn looking(caller: &Caller) -> std::borrow::Cow<'_, Caller> {
    if caller.facts.purpose == Purpose::Audit {
        std::borrow::Cow::Owned(caller.for_purpose(Purpose::Care))
    } else {
        std::borrow::Cow::Borrowed(caller)
    }
}

/// The names of people in one answer, and what showing them rests on.
#[derive(Default)]
struct Names {
    shown: HashMap<SubjectId, String>,
    guards: Vec<Guard>,
    opened: Vec<(SubjectId, Listed)>,
}

impl Names {
    /// A person's name; empty where the caller may not see it.
    fn of(&self, subject: SubjectId) -> String {
        self.shown.get(&subject).cloned().unwrap_or_default()
    }

    /// Adds to a unit that these people were looked at. The person whom the whole review is about is
    /// named by the review's own entry.
    fn note(self, caller: &Caller, mut unit: Unit, about: Option<SubjectId>) -> Unit {
        unit.guards.extend(self.guards);
        let looking = looking(caller);
        for (subject, listed) in self.opened.into_iter().filter(|(subject, _)| Some(*subject) != about) {
            let mut entry = listed.fill(looking.entry(unit.id, Action::Read));
            entry.subject = Some(subject);
            entry.resource = Some((kind::PATIENT, Some(ObjectId::from(subject))));
            unit.entries.push(entry);
        }
        unit
    }
}

/// Whether an entry answers the parts of a query that no index holds.
fn fits(query: &ReviewQuery, draft: &EntryDraft) -> bool {
    query.actor.is_none_or(|actor| draft.actor == Some(actor))
        && query.institution.is_none_or(|institution| draft.institution == Some(institution))
        && (draft.action != Action::System || draft.outcome != Outcome::Success)
}

/// Before the newest entry there may be.
fn newest() -> Position {
    position(i64::from(u32::MAX), i64::MAX)
}

/// A range of sequences of one epoch.
struct Span {
    epoch: u32,
    from: u64,
    until: u64,
}

/// Epoch and sequence in the form of a list position.
fn position(epoch: i64, sequence: i64) -> Position {
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(sequence.to_be_bytes()) {
        *to = from;
    }
    Position { number: epoch, id }
}

fn sequence_of(position: Position) -> i64 {
    position.id.first_chunk::<8>().map_or(0, |bytes| i64::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_keeps_epoch_and_sequence() {
        let kept = position(3, 1_234_567);
        assert_eq!((kept.number, sequence_of(kept)), (3, 1_234_567));
    }
}
