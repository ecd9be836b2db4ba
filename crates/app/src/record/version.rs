//! A version of an object: sealed, and put into the unit that keeps it.

use mimamori_domain::{AccessLabel, ActorId, Kind, ObjectId, Result, SubjectId, Timestamp, UnitId};
use mimamori_store::{Change, ColumnType, ObjectHead, ObjectVersion, Unit, Value, tables};
use mimamori_vault::{Place, SecretKey};

use super::files::Record;
use crate::keys::vault_error;
use crate::sql;

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
    pub(super) fn record(&self) -> Record<'a> {
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
pub(super) fn advance(version: &ObjectVersion, from: u64) -> Change {
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
