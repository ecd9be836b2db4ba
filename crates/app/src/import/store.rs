//! What was resolved, as one unit: everything of it commits, or nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mimamori_domain::{
    AccessLabel, Action, Error, ErrorKind, InstitutionId, ObjectId, RecordState, Result, SubjectId, Timestamp,
};
use mimamori_fhir::Limits;
use mimamori_ledger::{EntryDraft, Hash};
use mimamori_policy::{Decision, SubjectFacts};
use mimamori_store::{AccessKey, Change, ObjectHead, Table, Unit, Value, tables};

use super::item::{Group, Item};
use super::resolve::{Resolved, Target};
use crate::access::decided;
use crate::caller::Caller;
use crate::context::SubjectContext;
use crate::keys::{SubjectKeys, insert_key};
use crate::record::{NewVersion, sort_time};
use crate::{App, Stored};

/// The most commitments in one ledger entry.
const MOST_COMMITMENTS: usize = 1_000;
/// The most bytes of changes in one unit, somewhat below the queue's own limit.
const MOST_BYTES: usize = 60 << 20;

/// What one import is told and decided.
pub(super) struct Order<'a> {
    pub(super) caller: &'a Caller,
    pub(super) institution: InstitutionId,
    pub(super) decision: &'a Decision,
    /// What goes sealed into the ledger: kind of file and counts.
    pub(super) stated: String,
}

/// A person while their records are sealed.
struct Person {
    context: Arc<SubjectContext>,
    keys: SubjectKeys,
    commitments: Vec<Hash>,
}

impl App {
    /// Contexts of the people who are here already and get records from these items.
    pub(super) async fn contexts(
        &self,
        resolved: &Resolved,
        chosen: &[usize],
    ) -> Result<HashMap<SubjectId, Arc<SubjectContext>>> {
        let new: HashSet<ObjectId> = chosen.iter().filter_map(|at| resolved.new_at(*at)).collect();
        let mut contexts = HashMap::new();
        for at in chosen {
            if let (Some(_), Some(Some(subject))) = (resolved.new_at(*at), resolved.subjects.get(*at))
                && !new.contains(&ObjectId::from(*subject))
                && !contexts.contains_key(subject)
            {
                contexts.insert(*subject, self.subject_context(*subject).await?);
            }
        }
        Ok(contexts)
    }

    /// Seals the chosen items and makes their unit; gives how many are new.
    pub(super) fn import_unit(
        &self,
        order: &Order<'_>,
        items: &[Item],
        resolved: &Resolved,
        chosen: &[usize],
        contexts: HashMap<SubjectId, Arc<SubjectContext>>,
    ) -> Result<(Unit, u64)> {
        let now = self.clock.now();
        let mut unit = Unit::new();
        let mut making =
            Making { people: HashMap::new(), subjects: Vec::new(), master: Vec::new(), stored: 0 };
        for (subject, context) in contexts {
            unit.guards.push(context.guard());
            making.add(subject, context.keys.clone(), context, Vec::new());
        }
        let mut sorted: Vec<usize> = chosen.to_vec();
        sorted.sort_by_key(|at| items.get(*at).map(|item| item.group));
        for at in sorted {
            if let (Some(item), Some(object)) = (items.get(at), resolved.new_at(at)) {
                self.add_item(order, item, object, at, resolved, now, &mut making, &mut unit)?;
            }
        }
        let of_these: HashSet<usize> = chosen.iter().copied().collect();
        let rows: Vec<Vec<Value>> = resolved
            .sources
            .iter()
            .filter(|(at, ..)| of_these.contains(at))
            .map(|(_, token, object)| vec![token.to_vec().into(), (*object).into()])
            .collect();
        if !rows.is_empty() {
            unit.changes.push(Change::Insert { table: &tables::SOURCE_ID, rows });
        }
        unit.bumps.sort_unstable();
        unit.bumps.dedup();
        unit.changes = gathered(std::mem::take(&mut unit.changes));
        if weight(&unit.changes) > MOST_BYTES {
            return Err(Error::new(
                ErrorKind::TooLarge,
                "this is too much for one Bundle; split it and send it again",
            ));
        }
        let stored = making.stored;
        unit.entries = self.ledger_entries(order, &unit, making)?;
        Ok((unit, stored))
    }

    #[allow(clippy::too_many_arguments, reason = "one step of the loop above, which owns all of them")]
    fn add_item(
        &self,
        order: &Order<'_>,
        item: &Item,
        object: ObjectId,
        at: usize,
        resolved: &Resolved,
        now: Timestamp,
        making: &mut Making,
        unit: &mut Unit,
    ) -> Result<()> {
        let unreadable = |_| Error::internal("a resource that was checked could not be read again");
        let rewritten = if item.references.iter().any(|text| resolved.texts.contains_key(text)) {
            let bytes = item.resource.bytes();
            Some(
                mimamori_fhir::rewrite_references(bytes, &|text| resolved.texts.get(text).cloned())
                    .map_err(unreadable)?,
            )
        } else {
            None
        };
        let bytes = rewritten.as_deref().unwrap_or(item.resource.bytes());
        making.stored += 1;
        match item.group {
            Group::Master => {
                let (_, commitment) = self.new_master(order.caller, object, &item.kind, bytes, now, unit)?;
                making.master.push(commitment);
            }
            Group::Patient => {
                let subject = SubjectId::from(object);
                let read_again = match &rewritten {
                    Some(bytes) => Some(mimamori_fhir::parse(bytes, &Limits::default()).map_err(unreadable)?),
                    None => None,
                };
                let patient = read_again.as_ref().unwrap_or(&item.resource);
                let (_, commitments, keys): (Stored, _, _) =
                    self.new_subject(order.caller, order.institution, subject, patient, now, unit)?;
                let context = SubjectContext {
                    subject,
                    version: 0,
                    keys: keys.clone(),
                    facts: SubjectFacts::new(subject),
                    emergencies: Vec::new(),
                    labels: Vec::new(),
                };
                making.add(subject, keys, Arc::new(context), commitments);
            }
            Group::Record => {
                let person = resolved
                    .subjects
                    .get(at)
                    .copied()
                    .flatten()
                    .and_then(|subject| making.people.get_mut(&subject))
                    .ok_or_else(|| Error::internal("a record to import has no subject"))?;
                self.add_record(order, item, object, bytes, now, person, unit)?;
            }
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "as for what calls it")]
    fn add_record(
        &self,
        order: &Order<'_>,
        item: &Item,
        object: ObjectId,
        bytes: &[u8],
        now: Timestamp,
        person: &mut Person,
        unit: &mut Unit,
    ) -> Result<()> {
        let label = AccessLabel {
            class: mimamori_fhir::information_class(&item.resource),
            state: RecordState::Confirmed,
            institution: order.institution,
        };
        let subject = person.context.subject;
        let (key, row) = person.keys.for_writing(&self.vault, &label.class, now)?;
        if let Some(row) = row {
            unit.changes.push(insert_key(&row));
            person.keys.add(key.clone());
        }
        // Others look again when there is a label or a key that they have not seen.
        if !person.context.labels.contains(&label) {
            unit.bumps.push(AccessKey::from(subject));
        }
        let version = NewVersion {
            object,
            version: 1,
            kind: item.kind.clone(),
            label,
            author: Some(order.caller.actor),
            on_behalf: None,
            confirmer: Some(order.caller.actor),
            plain: bytes,
            pack: order.caller.pack,
            recorded: now,
        };
        let mut version = version.seal(&key, Some(subject), unit.id)?;
        version.sort_time = Some(sort_time(&item.values, now));
        person.commitments.push(version.commitment());
        let head = ObjectHead::of(&version);
        unit.changes.push(Change::insert(&tables::OBJECT_HEAD, head.into_row()));
        self.index_record(&person.context, &version, &item.values, bytes, unit)?;
        unit.changes.push(Change::object_version(version));
        Ok(())
    }

    /// One entry for the import itself, and for each subject and for master data as many as its
    /// commitments need.
    fn ledger_entries(&self, order: &Order<'_>, unit: &Unit, making: Making) -> Result<Vec<EntryDraft>> {
        let entry = |count: usize| {
            let mut entry = decided(order.caller.entry(unit.id, Action::Import), order.decision);
            entry.institution = Some(order.institution);
            entry.count = count as u64;
            entry
        };
        let whole = entry(usize::try_from(making.stored).unwrap_or(usize::MAX));
        let mut entries = vec![self.with_sealed(order.caller, whole, 0, Some(&order.stated))?];
        let mut people = making.people;
        let of_people = making
            .subjects
            .into_iter()
            .filter_map(|subject| people.remove(&subject).map(|person| (Some(subject), person.commitments)));
        for (subject, commitments) in std::iter::once((None, making.master)).chain(of_people) {
            for part in commitments.chunks(MOST_COMMITMENTS) {
                let mut entry = entry(part.len());
                entry.subject = subject;
                entry.commitments = part.to_vec();
                entries.push(entry);
            }
        }
        Ok(entries)
    }
}

/// What a unit holds so far.
struct Making {
    people: HashMap<SubjectId, Person>,
    /// In the order in which they came.
    subjects: Vec<SubjectId>,
    master: Vec<Hash>,
    stored: u64,
}

impl Making {
    fn add(
        &mut self,
        subject: SubjectId,
        keys: SubjectKeys,
        context: Arc<SubjectContext>,
        commitments: Vec<Hash>,
    ) {
        self.subjects.push(subject);
        self.people.insert(subject, Person { context, keys, commitments });
    }
}

impl Resolved {
    /// The identifier that an item gets when it is new.
    pub(super) fn new_at(&self, at: usize) -> Option<ObjectId> {
        match self.targets.get(at) {
            Some(Target::New(object)) => Some(*object),
            _ => None,
        }
    }
}

/// The same rows with all those of one table together: long inserts cost the database far less.
/// Nothing here is changed before it is inserted, so the order among tables says nothing.
pub(crate) fn gathered(changes: Vec<Change>) -> Vec<Change> {
    let mut inserts: Vec<(&'static Table, Vec<Vec<Value>>)> = Vec::new();
    let mut others = Vec::new();
    for change in changes {
        match change {
            Change::Insert { table, mut rows } => {
                match inserts.iter_mut().find(|(other, _)| other.name == table.name) {
                    Some((_, all)) => all.append(&mut rows),
                    None => inserts.push((table, rows)),
                }
            }
            other => others.push(other),
        }
    }
    inserts.into_iter().map(|(table, rows)| Change::Insert { table, rows }).chain(others).collect()
}

fn weight(changes: &[Change]) -> usize {
    changes
        .iter()
        .map(|change| match change {
            Change::Insert { rows, .. } => rows.iter().flatten().map(Value::weight).sum::<usize>(),
            Change::Execute { args, .. } => args.iter().map(Value::weight).sum(),
        })
        .sum()
}
