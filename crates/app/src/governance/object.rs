//! Objects that belong to the organisation: read, listed and written one way.

use std::collections::HashMap;

use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, InstitutionId, Kind, ObjectId, RecordState, Result,
    Timestamp,
};
use mimamori_policy::Decision;
use mimamori_store::{ObjectVersion, Row, RowError, Unit};

use crate::access::{Settled, decided, kept_changing};
use crate::body::{self, Body};
use crate::caller::Caller;
use crate::context::object_from_row;
use crate::record::{NewVersion, put_version};
use crate::{App, sql};

/// One version of an object of the organisation, opened.
#[derive(Clone)]
pub(crate) struct Governed<T> {
    pub(crate) object: ObjectId,
    /// From 1.
    pub(crate) version: u64,
    /// The register, procedure, duty, document or control it is one of.
    pub(crate) code: ClassCode,
    pub(crate) state: RecordState,
    pub(crate) institution: Option<InstitutionId>,
    /// Who made this version.
    pub(crate) author: Option<ActorId>,
    pub(crate) recorded: Timestamp,
    /// Hash of the pack it was made under.
    pub(crate) pack: [u8; 32],
    pub(crate) body: T,
}

/// A version to be written.
pub(crate) struct Writing<'a, T> {
    pub(crate) object: ObjectId,
    /// The version this one follows; 0 for a new object. Somebody else's version in between fails
    /// the unit with a conflict.
    pub(crate) follows: u64,
    pub(crate) code: &'a str,
    pub(crate) state: RecordState,
    /// Whose it is; the caller's institution when none is named.
    pub(crate) institution: Option<InstitutionId>,
    /// What lists are sorted by.
    pub(crate) sorted: Timestamp,
    pub(crate) body: &'a T,
}

/// What was looked at, as the ledger entry tells it.
#[derive(Clone)]
pub(crate) struct Look<'a> {
    action: Action,
    kind: Kind,
    object: Option<ObjectId>,
    version: Option<u64>,
    count: u64,
    stated: Option<&'a str>,
}

impl<'a> Look<'a> {
    /// One thing of a kind, or a list of them.
    pub(crate) fn at(action: Action, kind: Kind) -> Self {
        Self { action, kind, object: None, version: None, count: 1, stated: None }
    }

    /// Which one.
    pub(crate) fn object(self, object: impl Into<Option<ObjectId>>) -> Self {
        Self { object: object.into(), ..self }
    }

    pub(crate) fn version(self, version: impl Into<Option<u64>>) -> Self {
        Self { version: version.into(), ..self }
    }

    /// How many were shown.
    pub(crate) fn count(self, count: usize) -> Self {
        Self { count: count as u64, ..self }
    }

    /// What goes sealed into the entry: which list it was.
    pub(crate) fn stated(self, stated: impl Into<Option<&'a str>>) -> Self {
        Self { stated: stated.into(), ..self }
    }
}

/// Greatest number of objects that one list reads from the database.
pub(crate) const MOST_LISTED: usize = 20_000;

/// Objects read at a time.
const STRIDE: i64 = 500;

impl App {
    /// The current version of an object, when it is one of this kind.
    pub(crate) async fn governed<T: Body>(&self, object: ObjectId) -> Result<Option<Governed<T>>> {
        match self.current(object).await?.filter(|version| version.kind == T::KIND) {
            Some(version) => self.open_governed(&version).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same, only while it is in a state; in another it is not opened.
    pub(crate) async fn governed_when<T: Body>(
        &self,
        object: ObjectId,
        state: RecordState,
    ) -> Result<Option<Governed<T>>> {
        let wanted = |version: &ObjectVersion| version.kind == T::KIND && version.state == Some(state);
        match self.current(object).await?.filter(wanted) {
            Some(version) => self.open_governed(&version).await.map(Some),
            None => Ok(None),
        }
    }

    /// The current versions of those objects that are of this kind.
    pub(crate) async fn governed_each<T: Body>(
        &self,
        objects: &[ObjectId],
    ) -> Result<HashMap<ObjectId, Governed<T>>> {
        let list = objects.iter().map(|object| (*object).into()).collect();
        let rows = self.store.query_many(&sql::HEADS_OF, Vec::new(), list).await?;
        let heads = rows.iter().map(head_of).collect::<Result<Vec<_>>>()?;
        let mut found = HashMap::with_capacity(heads.len());
        for version in self.kept_versions(&heads).await? {
            if version.kind == T::KIND {
                found.insert(version.object, self.open_governed(&version).await?);
            }
        }
        Ok(found)
    }

    /// The newest object of a kind and code that is sorted before a time.
    pub(crate) async fn newest_governed<T: Body>(
        &self,
        code: &str,
        before: Timestamp,
    ) -> Result<Option<Governed<T>>> {
        let object = ObjectId::from_bytes([0; 16]);
        let args = vec![
            T::KIND.as_str().to_owned().into(),
            code.to_owned().into(),
            before.into(),
            object.into(),
            1_i64.into(),
        ];
        let row = self.store.query_one(&sql::GOVERNED_OF_CODE, args).await?;
        let head = row.iter().map(head_of).collect::<Result<Vec<_>>>()?;
        match self.kept_versions(&head).await?.first() {
            Some(version) => self.open_governed(version).await.map(Some),
            None => Ok(None),
        }
    }

    /// Every version of an object, newest first.
    pub(crate) async fn governed_versions<T: Body>(&self, object: ObjectId) -> Result<Vec<Governed<T>>> {
        let rows = self.store.query(&sql::VERSIONS_OF, vec![object.into(), 1_000_i64.into()]).await?;
        let mut versions = Vec::with_capacity(rows.len());
        for mut row in rows {
            let version = object_from_row(&mut row)?;
            if version.kind == T::KIND {
                versions.push(self.open_governed(&version).await?);
            }
        }
        Ok(versions)
    }

    /// Current versions of a kind, of one code, newest first by what they are sorted by; at most
    /// [`MOST_LISTED`], and whether there are more.
    pub(crate) async fn governed_list<T: Body>(&self, code: &str) -> Result<(Vec<Governed<T>>, bool)> {
        let fixed = vec![T::KIND.as_str().to_owned().into(), code.to_owned().into()];
        self.governed_pages(&sql::GOVERNED_OF_CODE, fixed).await
    }

    /// How many objects of a kind there are by code, in every state.
    pub(crate) async fn governed_counts<T: Body>(&self) -> Result<HashMap<String, u64>> {
        let rows = self.store.query(&sql::GOVERNED_COUNTS, vec![T::KIND.as_str().to_owned().into()]).await?;
        let count = |row: &Row| Ok((row.text(0)?.to_owned(), row.unsigned(1)?));
        rows.iter().map(count).collect::<Result<_, RowError>>().map_err(Error::unavailable)
    }

    /// Current versions of a kind that are in a state, of every code, newest first.
    pub(crate) async fn governed_in_state<T: Body>(
        &self,
        state: RecordState,
    ) -> Result<(Vec<Governed<T>>, bool)> {
        let fixed = vec![T::KIND.as_str().to_owned().into(), state.as_str().to_owned().into()];
        self.governed_pages(&sql::GOVERNED_IN_STATE, fixed).await
    }

    async fn governed_pages<T: Body>(
        &self,
        statement: &'static mimamori_store::Statement,
        fixed: Vec<mimamori_store::Value>,
    ) -> Result<(Vec<Governed<T>>, bool)> {
        let mut found = Vec::new();
        let (mut before, mut object) = (i64::MAX, ObjectId::from_bytes([0xff; 16]));
        loop {
            let mut args = fixed.clone();
            args.extend([before.into(), object.into(), STRIDE.into()]);
            let rows = self.store.query(statement, args).await?;
            let heads = rows.iter().map(head_of).collect::<Result<Vec<_>>>()?;
            for version in self.kept_versions(&heads).await? {
                if found.len() >= MOST_LISTED {
                    return Ok((found, true));
                }
                found.push(self.open_governed(&version).await?);
            }
            if let (Some(row), Some((last, _))) = (rows.last(), heads.last()) {
                before = row.int(2).map_err(Error::unavailable)?;
                object = *last;
            }
            if (rows.len() as i64) < STRIDE {
                return Ok((found, false));
            }
        }
    }

    async fn open_governed<T: Body>(&self, version: &ObjectVersion) -> Result<Governed<T>> {
        let plain = self.open_register_body(version).await?;
        Ok(Governed {
            object: version.object,
            version: version.version,
            code: version
                .class
                .clone()
                .ok_or_else(|| Error::unavailable("an object of the organisation has no code"))?,
            state: version
                .state
                .ok_or_else(|| Error::unavailable("an object of the organisation has no state"))?,
            institution: version.institution.filter(|id| *id.as_bytes() != [0; 16]),
            author: version.author,
            recorded: version.recorded,
            pack: version.pack,
            body: body::from_bytes(&plain)?,
        })
    }

    /// Adds a version to a unit; gives its commitment, which the unit's ledger entry must carry.
    pub(crate) async fn write_governed<T: Body>(
        &self,
        caller: &Caller,
        unit: &mut Unit,
        writing: &Writing<'_, T>,
    ) -> Result<[u8; 32]> {
        let now = self.clock.now();
        let code = ClassCode::new(writing.code).map_err(Error::internal)?;
        let key = self.register_key(unit, &code, now).await?;
        let plain = body::to_bytes(writing.body)?;
        let institution = writing.institution.or_else(|| caller.institution());
        let version = NewVersion {
            object: writing.object,
            version: writing.follows + 1,
            kind: T::KIND,
            label: AccessLabel {
                class: code,
                state: writing.state,
                institution: institution.unwrap_or(InstitutionId::from_bytes([0; 16])),
            },
            author: Some(caller.actor),
            on_behalf: None,
            confirmer: None,
            plain: &plain,
            pack: caller.pack,
            recorded: now,
        };
        let version = version.seal(&key, None, unit.id)?;
        Ok(put_version(unit, version, writing.sorted))
    }

    /// Adds the ledger entry of a new object to the unit that writes it, after those already there.
    ///
    /// # Errors
    /// Unavailable when the entry cannot be sealed.
    pub(crate) fn tell_created<T: Body>(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        object: ObjectId,
        commitment: [u8; 32],
    ) -> Result<()> {
        let mut entry = decided(caller.entry(unit.id, Action::Create), decision);
        entry.resource = Self::resource_of::<T>(object);
        entry.version = Some(1);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, None)?;
        unit.entries.push(entry);
        Ok(())
    }

    /// Commits one version, with the ledger entry of the change. `stated` goes sealed into the entry.
    ///
    /// # Errors
    /// Conflict when somebody else's version came in between; unavailable.
    pub(crate) async fn keep_governed<T: Body>(
        &self,
        caller: &Caller,
        decision: &Decision,
        action: Action,
        writing: &Writing<'_, T>,
        stated: Option<&str>,
    ) -> Result<()> {
        self.keep_with(caller, decision, action, writing, stated, Unit::new()).await
    }

    /// As [`App::keep_governed`], in one unit with what is in it already.
    pub(crate) async fn keep_with<T: Body>(
        &self,
        caller: &Caller,
        decision: &Decision,
        action: Action,
        writing: &Writing<'_, T>,
        stated: Option<&str>,
        mut unit: Unit,
    ) -> Result<()> {
        let commitment = self.write_governed(caller, &mut unit, writing).await?;
        let mut entry = decided(caller.entry(unit.id, action), decision);
        entry.resource = Self::resource_of::<T>(writing.object);
        entry.version = Some(writing.follows + 1);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, stated)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Records that the caller looked at something: one ledger entry for the list or page.
    ///
    /// # Errors
    /// Conflict when what decided kept changing; unavailable. Nothing may be shown then.
    pub(crate) async fn note_look(&self, caller: &Caller, decision: &Decision, look: Look<'_>) -> Result<()> {
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, look.action), decision);
        entry.resource = Some((look.kind, look.object));
        entry.version = look.version;
        entry.count = look.count;
        let entry = self.with_sealed(caller, entry, 0, look.stated)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// The kind and id of an object as a ledger entry names it.
    pub(crate) fn resource_of<T: Body>(object: ObjectId) -> Option<(Kind, Option<ObjectId>)> {
        Some((T::KIND, Some(object)))
    }
}

/// The object of a row that begins with it, and the number of its current version.
fn head_of(row: &Row) -> Result<(ObjectId, u64)> {
    Ok((row.id_of(0).map_err(Error::unavailable)?, row.unsigned(1).map_err(Error::unavailable)?))
}
