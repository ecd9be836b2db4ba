//! Versions of objects: the row, and the commitment that the ledger keeps of it.

use mimamori_domain::{
    ActorId, ClassCode, InstitutionId, KeyId, Kind, ObjectId, RecordState, SubjectId, Timestamp, UnitId,
};
use mimamori_ledger::{Hash, sha256};

use crate::unit::Change;
use crate::value::{Row, RowError, Value};

/// One version of one object, as stored. The body is ciphertext where it is personal.
#[derive(Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    pub object: ObjectId,
    /// From 1, without gaps.
    pub version: u64,
    pub kind: Kind,
    pub subject: Option<SubjectId>,
    pub class: Option<ClassCode>,
    pub state: Option<RecordState>,
    pub author: Option<ActorId>,
    /// 代行: on whose behalf.
    pub on_behalf: Option<ActorId>,
    pub confirmer: Option<ActorId>,
    /// The institution that answers for it.
    pub institution: Option<InstitutionId>,
    /// The time its author's program stated, UTC; the ledger's recorded time may be later.
    pub recorded: Timestamp,
    /// Hash of the policy pack it was made under.
    pub pack: Hash,
    /// The key that opens the body; `None` for a body in clear (packs, public master data).
    pub key: Option<KeyId>,
    pub body: Vec<u8>,
    /// The unit that wrote it.
    pub unit: UnitId,
    /// What lists are sorted by: when it happened, as stated in the record, UTC; `None` in versions that
    /// were written before the ledger committed to it.
    pub sort_time: Option<Timestamp>,
}

impl std::fmt::Debug for ObjectVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "ObjectVersion({} {} version {}, {} bytes)",
            self.kind,
            self.object,
            self.version,
            self.body.len()
        )
    }
}

/// What is wrong with a stored version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectVersionError {
    #[error(transparent)]
    Row(#[from] RowError),
    #[error("column {0} of an object's version holds no {1}")]
    Word(usize, &'static str),
    /// The row was changed behind the program's back.
    #[error("the stored commitment is not that of the row")]
    Commitment,
}

impl ObjectVersion {
    /// SHA-256 over the canonical CBOR of every column but the commitment; see `docs/storage.md`.
    /// This is what the ledger entry of the change carries.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        let mut bytes = Vec::with_capacity(256 + self.body.len());
        let (items, form) = match self.sort_time {
            None => (16, "mimamori object version 1"),
            Some(_) => (17, "mimamori object version 2"),
        };
        head(&mut bytes, 4, items);
        text(&mut bytes, form);
        byte_string(&mut bytes, self.object.as_bytes());
        head(&mut bytes, 0, self.version);
        text(&mut bytes, self.kind.as_str());
        optional(&mut bytes, self.subject.as_ref().map(|id| id.as_bytes().as_slice()));
        optional_text(&mut bytes, self.class.as_ref().map(ClassCode::as_str));
        optional_text(&mut bytes, self.state.map(RecordState::as_str));
        optional(&mut bytes, self.author.as_ref().map(|id| id.as_bytes().as_slice()));
        optional(&mut bytes, self.on_behalf.as_ref().map(|id| id.as_bytes().as_slice()));
        optional(&mut bytes, self.confirmer.as_ref().map(|id| id.as_bytes().as_slice()));
        optional(&mut bytes, self.institution.as_ref().map(|id| id.as_bytes().as_slice()));
        integer(&mut bytes, self.recorded.as_micros());
        byte_string(&mut bytes, &self.pack);
        optional(&mut bytes, self.key.as_ref().map(|id| id.as_bytes().as_slice()));
        byte_string(&mut bytes, &self.body);
        byte_string(&mut bytes, self.unit.as_bytes());
        if let Some(time) = self.sort_time {
            integer(&mut bytes, time.as_micros());
        }
        sha256(&bytes)
    }

    /// The row for [`crate::tables::OBJECT_VERSION`]; the body is moved, not copied.
    #[must_use]
    pub fn into_row(self) -> Vec<Value> {
        let commitment = self.commitment();
        vec![
            self.object.into(),
            self.version.into(),
            self.kind.as_str().to_owned().into(),
            self.subject.into(),
            self.class.map(|class| class.as_str().to_owned()).into(),
            self.state.map(RecordState::as_str).into(),
            self.author.into(),
            self.on_behalf.into(),
            self.confirmer.into(),
            self.institution.into(),
            self.recorded.into(),
            self.pack.into(),
            self.key.into(),
            self.body.into(),
            commitment.into(),
            self.unit.into(),
            self.sort_time.into(),
        ]
    }

    /// Reads a row that begins at `from` with the table's columns in order, and checks the stored
    /// commitment against what was read.
    ///
    /// # Errors
    /// [`ObjectVersionError`] when a column holds something else or the commitment differs.
    pub fn from_row(row: &mut Row, from: usize) -> Result<Self, ObjectVersionError> {
        let word = |position: usize, what| ObjectVersionError::Word(from + position, what);
        let version = Self {
            object: row.id_of(from)?,
            version: row.unsigned(from + 1)?,
            kind: Kind::new(row.text(from + 2)?).map_err(|_| word(2, "kind"))?,
            subject: row.opt_id_of(from + 3)?,
            class: row.opt_text(from + 4)?.map(ClassCode::new).transpose().map_err(|_| word(4, "class"))?,
            state: row.opt_text(from + 5)?.map(str::parse).transpose().map_err(|_| word(5, "state"))?,
            author: row.opt_id_of(from + 6)?,
            on_behalf: row.opt_id_of(from + 7)?,
            confirmer: row.opt_id_of(from + 8)?,
            institution: row.opt_id_of(from + 9)?,
            recorded: row.time(from + 10)?,
            pack: row.array(from + 11)?,
            key: row.opt_id_of(from + 12)?,
            body: row.take_blob(from + 13)?,
            unit: row.id_of(from + 15)?,
            sort_time: row.opt_time(from + 16)?,
        };
        if version.commitment() == row.array::<32>(from + 14)? {
            Ok(version)
        } else {
            Err(ObjectVersionError::Commitment)
        }
    }
}

/// The current state of an object, and what it is found by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    pub object: ObjectId,
    pub version: u64,
    pub kind: Kind,
    pub subject: Option<SubjectId>,
    pub class: Option<ClassCode>,
    pub state: Option<RecordState>,
    pub institution: Option<InstitutionId>,
    pub author: Option<ActorId>,
    /// When this version was made, UTC.
    pub updated: Timestamp,
    /// The version's own; when that has none, whatever was written beside it.
    pub sort_time: Timestamp,
}

impl ObjectHead {
    /// The head that belongs to a version; one that states no time is sorted by when it was made.
    #[must_use]
    pub fn of(version: &ObjectVersion) -> Self {
        Self {
            object: version.object,
            version: version.version,
            kind: version.kind.clone(),
            subject: version.subject,
            class: version.class.clone(),
            state: version.state,
            institution: version.institution,
            author: version.author,
            updated: version.recorded,
            sort_time: version.sort_time.unwrap_or(version.recorded),
        }
    }

    /// Moves the stored head here from the version before; fails the unit with a conflict when
    /// somebody else moved it meanwhile. The subject and the kind of an object never change.
    #[must_use]
    pub fn move_from(self, version_before: u64) -> Change {
        let args = vec![
            self.version.into(),
            self.class.map(|class| class.as_str().to_owned()).into(),
            self.state.map(RecordState::as_str).into(),
            self.institution.into(),
            self.author.into(),
            self.updated.into(),
            self.sort_time.into(),
            self.object.into(),
            version_before.into(),
        ];
        Change::one(&crate::statements::objects::MOVE_HEAD, args)
    }

    /// The row for [`crate::tables::OBJECT_HEAD`].
    #[must_use]
    pub fn into_row(self) -> Vec<Value> {
        vec![
            self.object.into(),
            self.version.into(),
            self.kind.as_str().to_owned().into(),
            self.subject.into(),
            self.class.map(|class| class.as_str().to_owned()).into(),
            self.state.map(RecordState::as_str).into(),
            self.institution.into(),
            self.author.into(),
            self.updated.into(),
            self.sort_time.into(),
        ]
    }

    /// Reads a row that begins at `from` with the table's columns in order.
    ///
    /// # Errors
    /// [`ObjectVersionError`] when a column holds something else.
    pub fn from_row(row: &Row, from: usize) -> Result<Self, ObjectVersionError> {
        let word = |position: usize, what| ObjectVersionError::Word(from + position, what);
        Ok(Self {
            object: row.id_of(from)?,
            version: row.unsigned(from + 1)?,
            kind: Kind::new(row.text(from + 2)?).map_err(|_| word(2, "kind"))?,
            subject: row.opt_id_of(from + 3)?,
            class: row.opt_text(from + 4)?.map(ClassCode::new).transpose().map_err(|_| word(4, "class"))?,
            state: row.opt_text(from + 5)?.map(str::parse).transpose().map_err(|_| word(5, "state"))?,
            institution: row.opt_id_of(from + 6)?,
            author: row.opt_id_of(from + 7)?,
            updated: row.time(from + 8)?,
            sort_time: row.time(from + 9)?,
        })
    }
}

// Deterministic CBOR (RFC 8949 section 4.2.1), as much of it as the commitment needs.

fn head(out: &mut Vec<u8>, major: u8, value: u64) {
    let major = major << 5;
    let bytes = value.to_be_bytes();
    let (lead, tail) = match value {
        0..=23 => (u8::try_from(value).unwrap_or(23), 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    out.push(major | lead);
    out.extend(bytes.iter().skip(8 - tail));
}

fn integer(out: &mut Vec<u8>, value: i64) {
    match u64::try_from(value) {
        Ok(value) => head(out, 0, value),
        // A negative integer n is written as -1 - n, which is the bitwise complement.
        Err(_) => head(out, 1, (!value).unsigned_abs()),
    }
}

fn byte_string(out: &mut Vec<u8>, bytes: &[u8]) {
    head(out, 2, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn text(out: &mut Vec<u8>, text: &str) {
    head(out, 3, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

const NULL: u8 = 0xf6;

fn optional(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => byte_string(out, bytes),
        None => out.push(NULL),
    }
}

fn optional_text(out: &mut Vec<u8>, value: Option<&str>) {
    match value {
        Some(value) => text(out, value),
        None => out.push(NULL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version() -> ObjectVersion {
        ObjectVersion {
            object: ObjectId::from_bytes([1; 16]),
            version: 300,
            kind: Kind::of("Observation"),
            subject: Some(SubjectId::from_bytes([2; 16])),
            class: Some(ClassCode::new("vital-signs").unwrap()),
            state: Some(RecordState::Confirmed),
            author: Some(ActorId::from_bytes([3; 16])),
            on_behalf: None,
            confirmer: None,
            institution: Some(InstitutionId::from_bytes([4; 16])),
            recorded: Timestamp::from_micros(-5),
            pack: [5; 32],
            key: None,
            body: vec![6; 300],
            unit: UnitId::from_bytes([7; 16]),
            sort_time: None,
        }
    }

    /// The expected value was made by a CBOR writer of another language from docs/storage.md.
    #[test]
    fn the_commitment_is_the_documented_one() {
        let shown: String = version().commitment().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(shown, "69fb0ff749c2fff8515f2195163ac59751b6cd868a00490d6c96937cc1a61374");
        let sorted =
            ObjectVersion { sort_time: Some(Timestamp::from_micros(1_700_000_000_000_000)), ..version() };
        let shown: String = sorted.commitment().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(shown, "3f8b38c2374f8f616db854e4b60ba0c3094ae0e4fd5222d92daeedf4662ef598");
    }

    #[test]
    fn a_change_of_any_column_is_noticed() {
        let version = ObjectVersion { sort_time: Some(Timestamp::from_micros(9)), ..version() };
        let row = version.clone().into_row();
        for position in (0..row.len()).filter(|position| *position != 14) {
            let mut values = row.clone();
            values[position] = match &values[position] {
                Value::Int(value) => Value::Int(value + 1),
                Value::Text(_) => Value::from("amended"),
                Value::Blob(bytes) => Value::Blob(vec![0xff; bytes.len()]),
                Value::Null(_) => Value::Blob(vec![8; 16]),
            };
            let read = ObjectVersion::from_row(&mut Row::new(values), 0);
            assert_eq!(read, Err(ObjectVersionError::Commitment), "column {position}");
        }
        assert_eq!(ObjectVersion::from_row(&mut Row::new(row), 0), Ok(version));
    }
}
