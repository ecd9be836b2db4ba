//! One entry: added, looked at, amended, struck out.

use mimamori_domain::{Action, ActorId, Error, ErrorKind, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::Decision;
use mimamori_policy::model::{Field, FieldType, Register};
use mimamori_store::Unit;

use super::{RegisterEntry, RegisterRights, place_of};
use crate::App;
use crate::access::{Settled, kept_changing};
use crate::caller::Caller;
use crate::governance::attachments::{OpenedFile, files_in};
use crate::governance::object::{Governed, Look, Writing};
use crate::governance::purpose;
use crate::governance::show::{Label, Shown};
use crate::governance::values::{self, Typed, Values};
use crate::governance::who::Reach;
use crate::record::fault;

/// Longest reason, in characters.
const MOST_REASON: usize = 1_000;

/// One version of an entry, as shown.
#[derive(Clone)]
pub struct EntryVersion {
    pub version: u64,
    pub values: Values,
    /// The values in words, by the code of their field.
    pub shown: Shown,
    /// The fields as the pack had them when this version was made.
    pub fields: Vec<Field>,
    pub author: Option<ActorId>,
    pub author_name: String,
    /// When this version was made, UTC.
    pub recorded: Timestamp,
    /// Why; none for the first version.
    pub reason: Option<String>,
    pub state: RecordState,
}

/// An entry with its history.
#[derive(Clone)]
pub struct EntryDetail {
    pub id: ObjectId,
    /// As the rules in force have it; where they have it no more, as the entry was last written.
    pub register: Register,
    /// Newest first; never empty.
    pub versions: Vec<EntryVersion>,
    /// The case whose end wrote it, for who may see it.
    pub from_case: Option<ObjectId>,
    pub rights: RegisterRights,
}

/// Content stays out of debug output (invariant 9).
impl std::fmt::Debug for EntryVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntryVersion").field("version", &self.version).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for EntryDetail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EntryDetail").field("id", &self.id).finish_non_exhaustive()
    }
}

impl App {
    /// Adds an entry to a register.
    ///
    /// # Errors
    /// Not found for an unknown register; forbidden; invalid with the code of each field that is
    /// wrong as place; unavailable.
    pub async fn add_entry(&self, caller: &Caller, register: &str, typed: &Typed) -> Result<ObjectId> {
        self.add_entry_once(caller, register, ObjectId::random(), typed).await
    }

    /// As [`App::add_entry`], from a form that is good for one entry: sent a second time with the same
    /// content it answers with the entry it made.
    ///
    /// # Errors
    /// As [`App::add_entry`]; conflict when the form comes back with other content.
    pub async fn add_entry_once(
        &self,
        caller: &Caller,
        register: &str,
        form: ObjectId,
        typed: &Typed,
    ) -> Result<ObjectId> {
        let caller = purpose(caller);
        let register = self.register_of(register)?;
        let now = self.clock.now();
        let place = caller.whereabouts();
        let rights = self.register_rights(&caller, register, Reach::Here(&place), now);
        let decision = self.require_register(&caller, Action::Create, rights.adds).await?;
        let values = self.read_values(&register.fields, typed, &Values::new()).await?;
        // Of one person's form there is one entry: also of two clicks at the same moment.
        let object = self.fixed_object(&format!("entry|{}|{}|{form}", register.code, caller.actor))?;
        if self.governed::<RegisterEntry>(object).await?.is_some() {
            return self.entry_made(register, object, &values).await;
        }
        let mut unit = Unit::new();
        let files: Vec<_> = files_in(&register.fields, &values).collect();
        self.lend_files(&caller, &decision, &mut unit, object, &files, &[]).await?;
        self.put_entry(&caller, &decision, &mut unit, register, (object, values.clone()), None).await?;
        match self.settle(&caller, unit).await {
            Ok(Settled::Done) => Ok(object),
            Ok(Settled::Again) => Err(kept_changing()),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.entry_made(register, object, &values).await.map_err(|_| error)
            }
            Err(error) => Err(error),
        }
    }

    /// The entry that a form made before, when it held the same then.
    async fn entry_made(&self, register: &Register, object: ObjectId, values: &Values) -> Result<ObjectId> {
        let versions = self.governed_versions::<RegisterEntry>(object).await?;
        let first = versions.last().ok_or_else(Error::not_found)?;
        let (before, fields) = (&first.body.values, &register.fields);
        let is_file = |code: &str| register.field(code).is_some_and(|field| field.kind == FieldType::File);
        let others = |values: &Values| -> Values {
            values.iter().filter(|(code, _)| !is_file(code)).map(|(c, v)| (c.clone(), v.clone())).collect()
        };
        let (old, new): (Vec<_>, Vec<_>) =
            (files_in(fields, before).collect(), files_in(fields, values).collect());
        let mut same = others(before) == others(values) && old.len() == new.len();
        // A file that is sent twice is kept twice.
        for ((field, old), (other, new)) in old.iter().zip(&new) {
            same = same && field == other && (old == new || self.same_file(*old, *new).await?);
        }
        if same {
            return Ok(object);
        }
        Err(Error::conflict("this form made an entry already; to add this as another one, send it once more"))
    }

    /// Puts a new entry and its ledger entry into a unit.
    pub(crate) async fn put_entry(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        register: &Register,
        (object, values): (ObjectId, Values),
        from_case: Option<ObjectId>,
    ) -> Result<()> {
        let commitment = self.put_new(caller, unit, register, (object, values), from_case).await?;
        self.tell_created::<RegisterEntry>(caller, decision, unit, object, commitment)
    }

    /// Puts a new entry into a unit; gives its commitment, which a ledger entry of the unit must carry.
    pub(super) async fn put_new(
        &self,
        caller: &Caller,
        unit: &mut Unit,
        register: &Register,
        (object, values): (ObjectId, Values),
        from_case: Option<ObjectId>,
    ) -> Result<[u8; 32]> {
        let now = self.clock.now();
        let body = RegisterEntry {
            values,
            entered_by: caller.actor,
            entered_at: now.as_micros(),
            unit: caller.unit().map(ToOwned::to_owned),
            reason: None,
            from_case,
        };
        let writing = Writing {
            object,
            follows: 0,
            code: &register.code,
            state: RecordState::Confirmed,
            institution: None,
            sorted: now,
            body: &body,
        };
        self.write_governed(caller, unit, &writing).await
    }

    /// Amends an entry: a new version with a reason. `seen` is the version the change was made from.
    ///
    /// # Errors
    /// Conflict when somebody amended it meanwhile; else as [`App::add_entry`].
    pub async fn amend_entry(
        &self,
        caller: &Caller,
        register: &str,
        entry: ObjectId,
        seen: u64,
        typed: &Typed,
        reason: &str,
    ) -> Result<()> {
        let (caller, register, current, decision) =
            self.entry_to_change(caller, register, entry, seen, Action::Amend).await?;
        let reason = stated(reason)?;
        let values = self.read_values(&register.fields, typed, &Values::new()).await?;
        let mut unit = Unit::new();
        let files: Vec<_> = files_in(&register.fields, &values).collect();
        let had: Vec<_> = files_in(&register.fields, &current.body.values).map(|(_, file)| file).collect();
        self.lend_files(&caller, &decision, &mut unit, entry, &files, &had).await?;
        let body = RegisterEntry { values, reason: Some(reason.to_owned()), ..current.body.clone() };
        let what = (RecordState::Amended, Action::Amend, reason);
        self.follow(&caller, &decision, &current, &body, what, unit).await
    }

    /// Strikes an entry out. It stays readable, with the reason.
    ///
    /// # Errors
    /// As [`App::amend_entry`].
    pub async fn strike_entry(
        &self,
        caller: &Caller,
        register: &str,
        entry: ObjectId,
        seen: u64,
        reason: &str,
    ) -> Result<()> {
        let (caller, _, current, decision) =
            self.entry_to_change(caller, register, entry, seen, Action::Withdraw).await?;
        let reason = stated(reason)?;
        let body = RegisterEntry { reason: Some(reason.to_owned()), ..current.body.clone() };
        let what = (RecordState::Withdrawn, Action::Withdraw, reason);
        self.follow(&caller, &decision, &current, &body, what, Unit::new()).await
    }

    async fn entry_to_change(
        &self,
        caller: &Caller,
        register: &str,
        entry: ObjectId,
        seen: u64,
        action: Action,
    ) -> Result<(Caller, &Register, Governed<RegisterEntry>, Decision)> {
        let caller = purpose(caller);
        let register = self.register_of(register)?;
        let current = self.entry_in(register, entry).await?;
        let rights =
            self.register_rights(&caller, register, Reach::Here(&place_of(&current)), self.clock.now());
        let decision = self.require_register(&caller, action, rights.keeps).await?;
        if current.state == RecordState::Withdrawn {
            return Err(Error::conflict("this entry was struck out and cannot be changed any more"));
        }
        if current.version != seen {
            return Err(Error::conflict(
                "somebody else changed this meanwhile; open it again and repeat your change",
            ));
        }
        Ok((caller, register, current, decision))
    }

    async fn follow(
        &self,
        caller: &Caller,
        decision: &Decision,
        current: &Governed<RegisterEntry>,
        body: &RegisterEntry,
        (state, action, reason): (RecordState, Action, &str),
        unit: Unit,
    ) -> Result<()> {
        let writing = Writing {
            object: current.object,
            follows: current.version,
            code: current.code.as_str(),
            state,
            institution: current.institution,
            sorted: crate::body::time(current.body.entered_at),
            body,
        };
        self.keep_with(caller, decision, action, &writing, Some(reason), unit).await
    }

    /// An entry of this register.
    pub(crate) async fn entry_in(
        &self,
        register: &Register,
        entry: ObjectId,
    ) -> Result<Governed<RegisterEntry>> {
        self.governed::<RegisterEntry>(entry)
            .await?
            .filter(|found| found.code.as_str() == register.code)
            .ok_or_else(Error::not_found)
    }

    /// One entry with every version, each in the words of the pack it was made under.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn entry(&self, caller: &Caller, register: &str, entry: ObjectId) -> Result<EntryDetail> {
        let caller = purpose(caller);
        let current = self.governed::<RegisterEntry>(entry).await?;
        let current = current.filter(|found| found.code.as_str() == register).ok_or_else(Error::not_found)?;
        let written_under = self.pack_at(current.pack).await?;
        let in_force = self.pack.register(register);
        let register = in_force.or_else(|| written_under.register(register)).ok_or_else(Error::not_found)?;
        let now = self.clock.now();
        let mut rights = self.register_rights(&caller, register, Reach::Here(&place_of(&current)), now);
        if in_force.is_none() {
            // What the rules have no more is read by those who kept it, and not written to.
            (rights.adds, rights.keeps) = (false, false);
        }
        let own = current.body.entered_by == caller.actor;
        let decision = self.require_register(&caller, Action::Read, rights.reads || own).await?;
        let mut versions = Vec::new();
        for version in self.governed_versions::<RegisterEntry>(entry).await? {
            let pack = self.pack_at(version.pack).await?;
            let fields = pack.register(&register.code).unwrap_or(register).fields.clone();
            let shown = self.show_values(&pack, &fields, &version.body.values).await?;
            versions.push(EntryVersion {
                version: version.version,
                shown,
                fields,
                author: version.author,
                author_name: self.name_of(version.author).await?,
                recorded: version.recorded,
                reason: version.body.reason,
                state: version.state,
                values: version.body.values,
            });
        }
        self.note_look(
            &caller,
            &decision,
            Look::at(Action::Read, super::ENTRY).object(entry).version(current.version),
        )
        .await?;
        // Nobody is led where they would be refused.
        let from_case = match current.body.from_case {
            Some(case) if self.sees_case(&caller, case).await? => Some(case),
            _ => None,
        };
        let register = register.clone();
        Ok(EntryDetail { id: entry, register, versions, from_case, rights })
    }

    /// Opens a file that some version of an entry refers to, for somebody who may see the entry.
    ///
    /// # Errors
    /// Not found when the entry does not refer to it; forbidden; unavailable.
    pub async fn entry_file(
        &self,
        caller: &Caller,
        register: &str,
        entry: ObjectId,
        file: ObjectId,
    ) -> Result<OpenedFile> {
        let detail = self.entry(caller, register, entry).await?;
        let mut labels = detail.versions.iter().flat_map(|version| version.shown.values().flatten());
        if !labels.any(|label| matches!(label, Label::File { id, .. } if *id == file)) {
            return Err(Error::not_found());
        }
        self.attachment(file).await
    }

    /// Reads what was typed, and checks that what it points at exists.
    pub(crate) async fn read_values(
        &self,
        fields: &[Field],
        typed: &Typed,
        earlier: &Values,
    ) -> Result<Values> {
        let values = values::read(&self.pack, fields, typed, earlier)
            .map_err(|faults| Error::invalid_at("some fields need your attention", faults))?;
        let faults = self.missing_references(fields, &values).await?;
        if faults.is_empty() {
            Ok(values)
        } else {
            Err(Error::invalid_at("some fields need your attention", faults))
        }
    }
}

/// A reason that somebody gave.
fn stated(reason: &str) -> Result<&str> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > MOST_REASON {
        return Err(fault("reason", "a reason of 1 to 1,000 characters is needed", "required"));
    }
    Ok(reason)
}
