//! Writing: a record's life from draft to confirmed, amended and withdrawn.
//!
//! Nothing confirmed is ever overwritten (invariant 3): every step adds a version, and the ledger
//! entry of the step commits to it.

use std::collections::HashMap;

use bytes::Bytes;
use mimamori_domain::{
    AccessLabel, Action, ActorId, Amended, Authorship, AwaitingConfirmation, ClassCode, Confirmed, Draft,
    Error, ErrorKind, Fault, Finished, InstitutionId, Kind, ObjectId, RecordState, Result, Stage as _,
    SubjectId, Timestamp, UnitId, Withdrawn,
};
use mimamori_fhir::{Limits, Resource, SearchValues};
use mimamori_store::{AccessKey, Change, ColumnType, ObjectHead, ObjectVersion, Unit, Value, tables};
use mimamori_vault::{Place, SecretKey, SubjectIndex};

use super::files::{Record, RecordFile};
use super::index::{clinical_rows, person_token_rows, sort_time};
use super::read::{authorship_of, label_of, stored, subject_of};
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::kind;
use crate::caller::Caller;
use crate::context::{SubjectContext, open_with};
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

    /// Changes a record: a draft is edited, a confirmed record is amended. `expected_version` is
    /// the version the change was made from.
    ///
    /// # Errors
    /// Conflict when it is no longer the current one; else as [`App::create`].
    pub async fn update(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        bytes: Bytes,
        expected_version: u64,
    ) -> Result<Stored> {
        self.change(caller, kind, id, (bytes, &[]), expected_version).await
    }

    pub(super) async fn change(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        (bytes, files): (Bytes, &[RecordFile]),
        expected_version: u64,
    ) -> Result<Stored> {
        let resource = checked(&bytes)?;
        if resource.resource_type() != kind.as_str() {
            return Err(fault("resourceType", "the resource is not of the type in the address", "invalid"));
        }
        if !mimamori_fhir::is_in_compartment(kind.as_str()) {
            return self.update_master(caller, kind, id, bytes, expected_version).await;
        }
        let class = mimamori_fhir::information_class(&resource);
        let named = if *kind == kind::PATIENT { SubjectId::from(id) } else { named_subject(&resource)? };
        let step = Step::Change { resource: &resource, bytes: &bytes, files, class, named };
        self.step(caller, kind, id, expected_version, step).await
    }

    /// Confirms a draft, or what was entered on the caller's behalf.
    ///
    /// # Errors
    /// As [`App::update`].
    pub async fn confirm(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        expected_version: u64,
    ) -> Result<Stored> {
        self.step(caller, kind, id, expected_version, Step::Confirm).await
    }

    /// Withdraws what was confirmed; its versions stay. The reason goes sealed into the ledger.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for what was never confirmed: its author discards that,
    /// see [`App::discard_record`]; else as [`App::update`].
    pub async fn withdraw(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        expected_version: u64,
        reason: &str,
    ) -> Result<Stored> {
        let reason = stated_reason(reason)?;
        self.step(caller, kind, id, expected_version, Step::Withdraw { reason }).await
    }

    /// Throws away what was never confirmed: a draft, or what still awaits confirmation. Only its
    /// author may. The version this adds says no more than that; no institution answers for it, so
    /// it has no access label and nobody lists, finds or reads the record any more. Gives whose
    /// record it was in.
    ///
    /// # Errors
    /// As [`App::update`].
    pub async fn discard_record(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        expected_version: u64,
    ) -> Result<SubjectId> {
        let discarded = self.step(caller, kind, id, expected_version, Step::Discard).await?;
        discarded.subject.ok_or_else(Error::not_found)
    }

    /// Adds a version to a record.
    async fn step(
        &self,
        caller: &Caller,
        kind: &Kind,
        id: ObjectId,
        expected_version: u64,
        step: Step<'_>,
    ) -> Result<Stored> {
        for _ in 0..ATTEMPTS {
            let Some(current) = self.current(id).await?.filter(|version| version.kind == *kind) else {
                return Err(Error::not_found());
            };
            let subject = subject_of(&current)?;
            let context = self.subject_context(subject).await?;
            let now = self.clock.now();
            let old_label = label_of(&current)?;
            // That a step is not possible is told to nobody who may not even see the record.
            let (action, next) = match step.next(&current, caller.actor) {
                Ok((action, next)) => (action, Ok(next)),
                Err(error) => (Action::Read, Err(error)),
            };
            let authorship = authorship_of(&current);
            let decision = self.decide(caller, action, &context, &old_label, authorship.as_ref(), now);
            let permitted = decision.allowed && step.is_open_to(&current, caller.actor);
            if !permitted || !caller.facts.scopes_cover(kind, true) {
                let resource = Some((kind.clone(), Some(id)));
                return Err(self.refuse(caller, action, Some(subject), resource, &decision).await);
            }
            let next = next?;
            if current.version != expected_version {
                return Err(Error::conflict(
                    "somebody else changed this meanwhile; open it again and repeat your change",
                ));
            }
            let (plain, class, values) = match &step {
                Step::Change { resource, bytes, class, named, .. } => {
                    if *named != subject {
                        return Err(fault(
                            "subject",
                            "a record cannot move to another person",
                            "business-rule",
                        ));
                    }
                    ((*bytes).clone(), class.clone(), Some(mimamori_fhir::search_values(resource)))
                }
                Step::Confirm | Step::Withdraw { .. } => {
                    let plain = open_with(&context.keys, &current)?;
                    (Bytes::copy_from_slice(&plain), old_label.class.clone(), None)
                }
                Step::Discard => (Bytes::from_static(DISCARDED), old_label.class.clone(), None),
            };
            let label = AccessLabel { class, state: next, institution: old_label.institution };
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            let confirms = matches!(next, RecordState::Confirmed | RecordState::Amended);
            let version = NewVersion {
                object: id,
                version: current.version + 1,
                kind: kind.clone(),
                label: label.clone(),
                author: current.author,
                on_behalf: current.on_behalf,
                confirmer: if confirms { Some(caller.actor) } else { current.confirmer },
                plain: &plain,
                pack: caller.pack,
                recorded: now,
            };
            let of = version.record();
            let key = self.writing_key(&context, &label, now, &mut unit)?;
            let mut version = version.seal(&key, Some(subject), unit.id)?;
            version.sort_time = Some(values.as_ref().map_or(now, |values| sort_time(values, now)));
            if matches!(step, Step::Discard) {
                version.institution = None;
                unit.changes.push(Change::any(&sql::DELETE_CLINICAL, vec![subject.into(), id.into()]));
                if *kind == kind::CARE_TEAM || *kind == kind::COMMUNICATION {
                    unit.changes.push(Change::any(&sql::DELETE_LINKS, vec![id.into()]));
                }
            }
            let mut commitments = vec![version.commitment()];
            if let Step::Change { files, .. } = &step {
                commitments.extend(self.put_files(&context, &of, files, &key, &mut unit)?);
            }
            let kept = stored(&version, label, &plain);
            // Whoever confirms what somebody else wrote has seen it.
            if caller.keeps_seen() && version.author != Some(caller.actor) {
                unit.changes.extend(crate::seen::changes(caller.actor, subject, [(id, kept.version)], now));
            }
            unit.changes.push(advance(&version, current.version));
            match &values {
                Some(values) => self.index_record(&context, &version, values, &plain, &mut unit)?,
                // A withdrawn team, consent or proxy no longer counts.
                None if decides(kind) => unit.bumps.push(AccessKey::from(subject)),
                None => {}
            }
            unit.changes.push(Change::object_version(version));
            let mut entry = decided(caller.entry(unit.id, action), &decision);
            entry.subject = Some(subject);
            entry.resource = Some((kind.clone(), Some(id)));
            entry.version = Some(kept.version);
            entry.commitments = commitments;
            let stated = match &step {
                Step::Withdraw { reason } => Some(*reason),
                Step::Discard => Some(DISCARDED_BY_AUTHOR),
                Step::Change { .. } | Step::Confirm => None,
            };
            let entry = self.with_sealed(caller, entry, 0, stated)?;
            if let Settled::Done = self.settle(caller, unit.entry(entry)).await? {
                return Ok(kept);
            }
        }
        Err(kept_changing())
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
    fn writing_key(
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

/// All that the last version of a discarded draft says.
const DISCARDED: &[u8] = br#"{"v":1,"discarded":true}"#;

/// What the entry of a discarded draft states.
const DISCARDED_BY_AUTHOR: &str = "draft discarded by its author";

/// Whether objects of a kind decide who may see a subject's record.
fn decides(kind: &Kind) -> bool {
    crate::context::DECIDING.contains(&kind.as_str())
}

/// One step in a record's life.
enum Step<'a> {
    Change {
        resource: &'a Resource,
        bytes: &'a Bytes,
        files: &'a [RecordFile],
        class: ClassCode,
        named: SubjectId,
    },
    Confirm,
    Withdraw {
        reason: &'a str,
    },
    Discard,
}

impl Step<'_> {
    /// Whether the step is one's own to take, beyond what policies say: a draft is discarded by its
    /// author alone, not by the person it was entered for.
    fn is_open_to(&self, current: &ObjectVersion, actor: ActorId) -> bool {
        !matches!(self, Self::Discard) || current.author == Some(actor)
    }

    /// What the step is called where the record stands now, and where it leads. The stages' own
    /// types say which steps there are.
    fn next(&self, current: &ObjectVersion, actor: ActorId) -> Result<(Action, RecordState)> {
        let Authorship { author, on_behalf_of } =
            authorship_of(current).unwrap_or(Authorship { author: actor, on_behalf_of: None });
        let not_possible =
            || Error::conflict("this cannot be done with the record as it is now; open it again");
        let state = current.state.ok_or_else(not_possible)?;
        match (self, state) {
            (Self::Change { .. }, RecordState::Draft) => Ok((Action::Update, Draft::STATE)),
            (Self::Change { .. }, RecordState::Confirmed | RecordState::Amended) => {
                let amended: Amended = Confirmed::new(author, on_behalf_of).amend();
                Ok((Action::Amend, state_of(&amended)))
            }
            (Self::Confirm, RecordState::Draft) => match Draft::new(author, on_behalf_of).finish() {
                Finished::Confirmed(_) => Ok((Action::Confirm, Confirmed::STATE)),
                Finished::Awaiting(_) => Ok((Action::Confirm, AwaitingConfirmation::STATE)),
            },
            (Self::Confirm, RecordState::AwaitingConfirmation) => {
                let principal = on_behalf_of.ok_or_else(not_possible)?;
                AwaitingConfirmation::new(author, principal)
                    .confirm(actor)
                    .map_err(|_| Error::forbidden())?;
                Ok((Action::Confirm, Confirmed::STATE))
            }
            (Self::Withdraw { .. }, RecordState::Confirmed | RecordState::Amended)
            | (Self::Discard, RecordState::Draft | RecordState::AwaitingConfirmation) => {
                Ok((Action::Withdraw, Withdrawn::STATE))
            }
            // Withdrawn content may be read like confirmed content: what nobody confirmed never becomes that.
            (Self::Withdraw { .. }, RecordState::Draft | RecordState::AwaitingConfirmation) => {
                Err(Error::conflict("this was never confirmed; its author discards it instead"))
            }
            (Self::Change { .. }, RecordState::AwaitingConfirmation | RecordState::Withdrawn)
            | (Self::Confirm | Self::Withdraw { .. } | Self::Discard, _) => Err(not_possible()),
        }
    }
}

fn state_of<S: mimamori_domain::Stage>(_stage: &S) -> RecordState {
    S::STATE
}

/// A version before it is sealed.
pub(crate) struct NewVersion<'a> {
    pub(crate) object: ObjectId,
    pub(crate) version: u64,
    pub(crate) kind: Kind,
    pub(crate) label: AccessLabel,
    pub(crate) author: Option<ActorId>,
    pub(crate) on_behalf: Option<ActorId>,
    pub(crate) confirmer: Option<ActorId>,
    pub(crate) plain: &'a [u8],
    pub(crate) pack: [u8; 32],
    pub(crate) recorded: Timestamp,
}

impl<'a> NewVersion<'a> {
    /// What files that come with this version take over from it.
    fn record(&self) -> Record<'a> {
        Record {
            object: self.object,
            kind: self.kind.clone(),
            label: self.label.clone(),
            author: self.author,
            on_behalf: self.on_behalf,
            plain: self.plain,
            pack: self.pack,
            recorded: self.recorded,
        }
    }

    pub(crate) fn seal(
        self,
        key: &SecretKey,
        subject: Option<SubjectId>,
        unit: UnitId,
    ) -> Result<ObjectVersion> {
        let place = Place::object(self.object, self.version, &self.kind);
        Ok(ObjectVersion {
            object: self.object,
            version: self.version,
            kind: self.kind,
            subject,
            class: Some(self.label.class),
            state: Some(self.label.state),
            author: self.author,
            on_behalf: self.on_behalf,
            confirmer: self.confirmer,
            institution: Some(self.label.institution),
            recorded: self.recorded,
            pack: self.pack,
            key: Some(key.id()),
            body: mimamori_vault::seal(key, &place, self.plain).map_err(vault_error)?,
            unit,
            // Every writer says what it is sorted by before it takes the commitment.
            sort_time: None,
        })
    }
}

/// Adds a sealed version of an object to a unit: first versions get a head, later ones move it.
pub(crate) fn put_version(unit: &mut Unit, mut version: ObjectVersion, sorted: Timestamp) -> [u8; 32] {
    version.sort_time = Some(sorted);
    let commitment = version.commitment();
    unit.changes.push(if version.version == 1 {
        Change::insert(&tables::OBJECT_HEAD, ObjectHead::of(&version).into_row())
    } else {
        advance(&version, version.version - 1)
    });
    unit.changes.push(Change::object_version(version));
    commitment
}

/// Moves an object's head to a version, if it still is at `from`.
fn advance(version: &ObjectVersion, from: u64) -> Change {
    let text = |text: Option<String>| text.map_or(Value::Null(ColumnType::Text), Value::from);
    Change::one(
        &sql::ADVANCE_HEAD,
        vec![
            version.object.into(),
            version.version.into(),
            text(version.class.as_ref().map(ToString::to_string)),
            text(version.state.map(|state| state.to_string())),
            version.institution.into(),
            version.author.into(),
            version.recorded.into(),
            version.sort_time.unwrap_or(version.recorded).into(),
            from.into(),
        ],
    )
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
fn named_subject(resource: &Resource) -> Result<SubjectId> {
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
