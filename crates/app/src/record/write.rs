//! Writing: new records, and what is kept with each version so that it is found.

use std::collections::HashMap;

use bytes::Bytes;
use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, ErrorKind, Fault, InstitutionId, Kind, ObjectId,
    RecordState, Result, SubjectId, Timestamp,
};
use mimamori_fhir::{Limits, Resource, SearchValues};
use mimamori_store::{AccessKey, Change, ObjectHead, ObjectVersion, Unit, Value, tables};
use mimamori_vault::{SecretKey, SubjectIndex};

use super::files::RecordFile;
use super::index::{clinical_rows, person_token_rows, sort_time};
use super::read::stored;
use super::version::NewVersion;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::kind;
use crate::caller::Caller;
use crate::context::SubjectContext;
use crate::governance::mail::notes::URGENT;
use crate::keys::{insert_key, vault_error};
use crate::{App, Stored, fhir_read, sql};

/// How a new record enters its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreateAs {
    /// 下書き: only its author sees it.
    Draft,
    /// 確定: what programs send, and what a person confirms at once.
    Confirmed,
}

impl App {
    /// Keeps a new FHIR resource. A `Patient` is registered as a new subject; anything else belongs
    /// to the subject it names. The caller's institution answers for it.
    ///
    /// # Errors
    /// Invalid with every fault's place and rule; forbidden; unavailable when it could not be
    /// recorded. Nothing was kept then.
    pub async fn create(&self, caller: &Caller, bytes: Bytes, how: CreateAs) -> Result<Stored> {
        self.create_one(caller, bytes, &[], how).await
    }

    pub(super) async fn create_one(
        &self,
        caller: &Caller,
        bytes: Bytes,
        files: &[RecordFile],
        how: CreateAs,
    ) -> Result<Stored> {
        let resource = checked(&bytes)?;
        let kind = Kind::new(resource.resource_type()).map_err(Error::internal)?;
        if !files.is_empty() && (kind == kind::PATIENT || !mimamori_fhir::is_in_compartment(kind.as_str())) {
            return Err(fault("resourceType", "only records about one person have files", "invalid"));
        }
        if kind == kind::PATIENT {
            return self.register(caller, &resource).await;
        }
        if !mimamori_fhir::is_in_compartment(kind.as_str()) {
            return self.create_master(caller, &kind, bytes).await;
        }
        let mut kept = self.keep_together(caller, &[(resource, bytes)], files, how).await?;
        kept.pop().ok_or_else(Error::not_found)
    }

    /// Keeps new records about one person: all of them, or none.
    ///
    /// # Errors
    /// As [`App::create`]; invalid for what is no record about a person, or about another one.
    pub async fn create_together(
        &self,
        caller: &Caller,
        all: &[Bytes],
        how: CreateAs,
    ) -> Result<Vec<Stored>> {
        let about_somebody = |resource: &Resource| {
            let kind = resource.resource_type();
            mimamori_fhir::is_in_compartment(kind) && kind != kind::PATIENT.as_str()
        };
        let mut resources = Vec::with_capacity(all.len());
        for bytes in all {
            let resource = checked(bytes)?;
            if !about_somebody(&resource) {
                return Err(fault(
                    "resourceType",
                    "only records about one person are kept together",
                    "invalid",
                ));
            }
            resources.push((resource, bytes.clone()));
        }
        self.keep_together(caller, &resources, &[], how).await
    }

    /// Files belong to the first of the records.
    async fn keep_together(
        &self,
        caller: &Caller,
        all: &[(Resource, Bytes)],
        files: &[RecordFile],
        how: CreateAs,
    ) -> Result<Vec<Stored>> {
        let Some((first, _)) = all.first() else { return Ok(Vec::new()) };
        let subject = named_subject(first)?;
        for (resource, _) in all {
            if named_subject(resource)? != subject {
                return Err(fault("subject", "only records about one person are kept together", "invalid"));
            }
        }
        let state = match how {
            CreateAs::Draft => RecordState::Draft,
            CreateAs::Confirmed => RecordState::Confirmed,
        };
        for _ in 0..ATTEMPTS {
            let context = match self.subject_context(subject).await {
                Ok(context) => context,
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(unknown_subject(first)),
                Err(error) => return Err(error),
            };
            let now = self.clock.now();
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            let mut made = HashMap::new();
            let mut kept = Vec::with_capacity(all.len());
            for (resource, bytes) in all {
                let files = if kept.is_empty() { files } else { &[] };
                let record = (resource, bytes, files);
                kept.push(self.put_record(caller, &context, record, state, now, &mut made, &mut unit).await?);
            }
            unit.bumps.sort_unstable();
            unit.bumps.dedup();
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(kept);
            }
        }
        Err(kept_changing())
    }

    /// Puts a new record and its entry into a unit, when the caller may write it. `made` holds the data
    /// keys that the unit brings, so that each is made once.
    #[expect(clippy::too_many_arguments, reason = "one step of the function above")]
    async fn put_record(
        &self,
        caller: &Caller,
        context: &SubjectContext,
        (resource, bytes, files): (&Resource, &Bytes, &[RecordFile]),
        state: RecordState,
        now: Timestamp,
        made: &mut HashMap<ClassCode, SecretKey>,
        unit: &mut Unit,
    ) -> Result<Stored> {
        let kind = Kind::new(resource.resource_type()).map_err(Error::internal)?;
        let class = mimamori_fhir::information_class(resource);
        let label = AccessLabel { class, state, institution: answering(caller, context)? };
        let decision = self.decide(caller, Action::Create, context, &label, None, now);
        if !decision.allowed || !caller.facts.scopes_cover(&kind, true) {
            let resource = Some((kind, None));
            return Err(self
                .refuse(caller, Action::Create, Some(context.subject), resource, &decision)
                .await);
        }
        let version = NewVersion {
            object: ObjectId::in_order(),
            version: 1,
            kind: kind.clone(),
            label: label.clone(),
            author: Some(caller.actor),
            on_behalf: caller.facts.on_behalf_of,
            confirmer: (state == RecordState::Confirmed).then_some(caller.actor),
            plain: bytes,
            pack: caller.pack,
            recorded: now,
        };
        let key = match made.get(&label.class) {
            Some(key) => key.clone(),
            None => self.writing_key(context, &label, now, unit)?,
        };
        let values = mimamori_fhir::search_values(resource);
        let of = version.record();
        let sealed = version.seal(&key, Some(context.subject), unit.id)?;
        let version = ObjectVersion { sort_time: Some(sort_time(&values, now)), ..sealed };
        let mut commitments = vec![version.commitment()];
        commitments.extend(self.put_files(context, &of, files, &key, unit)?);
        made.insert(label.class.clone(), key);
        let kept = stored(&version, label, bytes);
        unit.changes.push(Change::insert(&tables::OBJECT_HEAD, ObjectHead::of(&version).into_row()));
        self.index_record(context, &version, &values, bytes, unit)?;
        unit.changes.push(Change::object_version(version));
        let mut entry = decided(caller.entry(unit.id, Action::Create), &decision);
        entry.subject = Some(context.subject);
        entry.resource = Some((kind, Some(kept.id)));
        entry.version = Some(1);
        entry.commitments = commitments;
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, None)?;
        unit.entries.push(entry);
        Ok(kept)
    }

    /// Seals a version under the subject's data key of its class and month; adds a new key's row to
    /// the unit where there is none yet, and makes others look again where the label is new.
    pub(crate) fn seal_version(
        &self,
        context: &SubjectContext,
        new: NewVersion<'_>,
        unit: &mut Unit,
    ) -> Result<ObjectVersion> {
        let key = self.writing_key(context, &new.label, new.recorded, unit)?;
        new.seal(&key, Some(context.subject), unit.id)
    }

    /// The data key of a label's class and of the month.
    pub(super) fn writing_key(
        &self,
        context: &SubjectContext,
        label: &AccessLabel,
        now: Timestamp,
        unit: &mut Unit,
    ) -> Result<SecretKey> {
        let (key, row) = context.keys.for_writing(&self.vault, &label.class, now)?;
        if let Some(row) = row {
            unit.changes.push(insert_key(&row));
            unit.bumps.push(AccessKey::from(context.subject));
        } else if !context.labels.contains(label) {
            unit.bumps.push(AccessKey::from(context.subject));
        }
        Ok(key)
    }

    /// The rows a record is found by, and the relations it states.
    pub(crate) fn index_record(
        &self,
        context: &SubjectContext,
        version: &ObjectVersion,
        values: &SearchValues,
        plain: &[u8],
        unit: &mut Unit,
    ) -> Result<()> {
        let (subject, object) = (context.subject, version.object);
        let first = version.version == 1;
        if version.kind == kind::PATIENT {
            if !first {
                unit.changes.push(Change::any(&sql::DELETE_TOKENS, vec![object.into()]));
            }
            unit.changes.push(person_token_rows(&self.keys.index.all(), subject, values));
            return Ok(());
        }
        if !first {
            unit.changes.push(Change::any(&sql::DELETE_CLINICAL, vec![subject.into(), object.into()]));
        }
        let index = SubjectIndex::new(&context.keys.subject).map_err(vault_error)?;
        unit.changes.push(clinical_rows(&index, subject, &version.kind, object, values));
        if version.kind == kind::CARE_TEAM {
            self.link_team(version, plain, subject, unit)?;
        }
        if version.kind == kind::COMMUNICATION {
            link(version, "recipient", fhir_read::recipients(plain)?, subject, unit);
            // That it is urgent is sealed in the note; this much stands outside, for the job that tells people.
            if fhir_read::is_urgent(plain)? {
                let row = vec![object.into(), URGENT.into(), self.operator.into(), subject.into()];
                unit.changes.push(Change::insert(&tables::LINK, row));
            }
        }
        if decides(&version.kind) {
            unit.bumps.push(AccessKey::from(subject));
        }
        Ok(())
    }
}

impl App {
    /// Links a care team to its members, so that each finds their people.
    pub(crate) fn link_team(
        &self,
        version: &ObjectVersion,
        plain: &[u8],
        subject: SubjectId,
        unit: &mut Unit,
    ) -> Result<()> {
        let targets = fhir_read::team(plain)?
            .into_iter()
            .flat_map(|member| {
                let actor = member.actor.map(ActorId::to_vec);
                actor.into_iter().chain(member.institution.map(InstitutionId::to_vec))
            })
            .collect();
        link(version, "team", targets, subject, unit);
        Ok(())
    }
}

/// Links an object to its targets in a role, in place of those it had.
fn link(
    version: &ObjectVersion,
    role: &'static str,
    targets: std::collections::BTreeSet<Vec<u8>>,
    subject: SubjectId,
    unit: &mut Unit,
) {
    if version.version > 1 {
        unit.changes.push(Change::any(&sql::DELETE_LINKS, vec![version.object.into()]));
    }
    if !targets.is_empty() {
        let row = |target| vec![version.object.into(), role.into(), Value::from(target), subject.into()];
        unit.changes
            .push(Change::Insert { table: &tables::LINK, rows: targets.into_iter().map(row).collect() });
    }
}

/// Whether objects of a kind decide who may see a subject's record.
pub(super) fn decides(kind: &Kind) -> bool {
    crate::context::DECIDING.contains(&kind.as_str())
}

/// A reason that somebody stated, without the space around it.
pub(crate) fn stated_reason(reason: &str) -> Result<&str> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 1000 {
        return Err(fault("reason", "a reason of 1 to 1,000 characters is needed", "required"));
    }
    Ok(reason)
}

/// Parses and validates a resource.
pub(crate) fn checked(bytes: &[u8]) -> Result<Resource> {
    let resource = mimamori_fhir::parse(bytes, &Limits::default()).map_err(invalid)?;
    let issues = mimamori_fhir::validate(&resource);
    if issues.iter().any(|issue| issue.severity >= mimamori_fhir::Severity::Error) {
        return Err(invalid(issues));
    }
    Ok(resource)
}

/// What is wrong with a resource, as an error.
pub(crate) fn invalid(issues: Vec<mimamori_fhir::Issue>) -> Error {
    let faults = issues
        .into_iter()
        .filter(|issue| issue.severity >= mimamori_fhir::Severity::Error)
        .map(|issue| Fault {
            place: match (&issue.expression, &issue.position) {
                (Some(expression), _) => expression.clone(),
                (None, Some(at)) => format!("line {}, column {}", at.line, at.column),
                (None, None) => String::new(),
            },
            rule: issue.diagnostics.clone(),
            code: issue.code.as_str(),
        })
        .collect::<Vec<_>>();
    Error::invalid_at("the resource breaks FHIR's rules; correct the places named and send it again", faults)
}

/// One fault, as an error.
pub(crate) fn fault(place: &str, rule: &str, code: &'static str) -> Error {
    Error::invalid_at(rule, vec![Fault { place: place.to_owned(), rule: rule.to_owned(), code }])
}

/// The subject that a resource of the patient compartment names by `Patient/<id>`.
pub(super) fn named_subject(resource: &Resource) -> Result<SubjectId> {
    let named = mimamori_fhir::patient_of(resource);
    let place =
        named.as_ref().map_or_else(|| resource.resource_type().to_owned(), |named| named.path.clone());
    let id = named.and_then(|named| named.id).and_then(|id| id.parse().ok());
    id.ok_or_else(|| fault(&place, "it must name the person it is about as Patient/<id>", "required"))
}

fn unknown_subject(resource: &Resource) -> Error {
    let place = mimamori_fhir::patient_of(resource).map(|named| named.path).unwrap_or_default();
    fault(&place, "no such person is registered here", "not-found")
}

/// The institution that answers for what a caller writes: their own, or for the person and their
/// proxies the one that registered the person.
fn answering(caller: &Caller, context: &SubjectContext) -> Result<InstitutionId> {
    caller
        .institution()
        .or(context.facts.registering_institution)
        .ok_or_else(|| Error::forbidden().with_detail("no institution answers for the caller"))
}

/// The label of our own objects that belong to no subject: they are never listed or read as records.
pub(crate) fn own_label(class: &str) -> Result<AccessLabel> {
    let class = ClassCode::new(class).map_err(Error::internal)?;
    Ok(AccessLabel { class, state: RecordState::Confirmed, institution: InstitutionId::from_bytes([0; 16]) })
}
