//! From bytes to an entry. Every format there ever was is read here; anything but the one
//! encoding of an entry is refused.

use std::str::FromStr;

use mimamori_domain::{
    ActorId, InstanceId, InstitutionId, KeyId, Kind, ObjectId, SessionId, SubjectId, TerminalId, Timestamp,
    UnitId, ZoneCode,
};

use super::{
    DecodeError, Entry, EntryDraft, EntryHead, FORMAT_1, MAX_COMMITMENTS, MAX_ENTRY_BYTES, MAX_POLICIES,
    Position, PreviousLog, Sealed, is_plain_text, key,
};
use crate::Hash;
use crate::cbor::Reader;

impl Entry {
    /// Reads an entry of any known format.
    ///
    /// # Errors
    /// [`DecodeError`] for whatever is not the one encoding of an entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        read(bytes, Lists::Kept)
    }

    /// Reads an entry, keeping its commitments but neither its policies nor its sealed bytes.
    ///
    /// # Errors
    /// [`DecodeError`], as [`decode`](Self::decode).
    pub(crate) fn outline(bytes: &[u8]) -> Result<Self, DecodeError> {
        read(bytes, Lists::Commitments)
    }

    /// Whether the bytes are an entry, without keeping what needs memory of its own.
    ///
    /// # Errors
    /// [`DecodeError`], as [`decode`](Self::decode).
    pub(crate) fn check(bytes: &[u8]) -> Result<(Position, Option<PreviousLog>), DecodeError> {
        read(bytes, Lists::Checked).map(|entry| (entry.position, entry.draft.previous))
    }
}

/// Whether lists and sealed bytes are wanted, or only to be looked at (and left empty).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lists {
    Kept,
    /// Only the commitments are kept.
    Commitments,
    Checked,
}

fn read(bytes: &[u8], lists: Lists) -> Result<Entry, DecodeError> {
    if bytes.len() > MAX_ENTRY_BYTES {
        return Err(DecodeError::TooLong);
    }
    let mut fields = Fields::open(bytes)?;
    let entry = match fields.required(key::FORMAT, Reader::unsigned)? {
        FORMAT_1 => format_1(&mut fields, lists)?,
        other => return Err(DecodeError::UnknownFormat(other)),
    };
    fields.close()?;
    Ok(entry)
}

impl EntryHead {
    /// Reads only the beginning: format, epoch, sequence, recorded time. The rest is not looked at,
    /// so this tells nothing about whether the entry as a whole is well formed.
    ///
    /// # Errors
    /// [`DecodeError`] when the beginning is not that of an entry.
    pub fn peek(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::open(bytes)?;
        match fields.required(key::FORMAT, Reader::unsigned)? {
            FORMAT_1 => {
                let (epoch, sequence, _, recorded) = place_1(&mut fields)?;
                Ok(Self { epoch, sequence, recorded })
            }
            other => Err(DecodeError::UnknownFormat(other)),
        }
    }
}

fn place_1(fields: &mut Fields<'_>) -> Result<(u32, u64, InstanceId, Timestamp), DecodeError> {
    let epoch = fields.required(key::EPOCH, Reader::unsigned)?;
    let epoch = u32::try_from(epoch).map_err(|_| DecodeError::OutOfRange)?;
    let sequence = fields.required(key::SEQUENCE, Reader::unsigned)?;
    let instance = fields.required(key::INSTANCE, Reader::fixed)?;
    let recorded = fields.required(key::RECORDED, Reader::signed)?;
    Ok((epoch, sequence, InstanceId::from_bytes(instance), Timestamp::from_micros(recorded)))
}

fn format_1(fields: &mut Fields<'_>, lists: Lists) -> Result<Entry, DecodeError> {
    let (epoch, sequence, instance, recorded) = place_1(fields)?;
    let clock_error_micros = fields.optional(key::CLOCK_ERROR, Reader::unsigned)?;
    // Struct fields are evaluated in the order written, which is the order of the keys.
    let draft = EntryDraft {
        unit: UnitId::from_bytes(fields.required(key::UNIT, Reader::fixed)?),
        nonce: fields.required(key::NONCE, Reader::fixed)?,
        actor: fields.optional(key::ACTOR, Reader::fixed)?.map(ActorId::from_bytes),
        on_behalf_of: fields.optional(key::ON_BEHALF_OF, Reader::fixed)?.map(ActorId::from_bytes),
        session: fields.optional(key::SESSION, Reader::fixed)?.map(SessionId::from_bytes),
        institution: fields.optional(key::INSTITUTION, Reader::fixed)?.map(InstitutionId::from_bytes),
        terminal: fields.optional(key::TERMINAL, Reader::fixed)?.map(TerminalId::from_bytes),
        zone: fields.optional(key::ZONE, |r| word::<ZoneCode>(r, key::ZONE))?,
        subject: fields.optional(key::SUBJECT, Reader::fixed)?.map(SubjectId::from_bytes),
        action: fields.required(key::ACTION, |r| word(r, key::ACTION))?,
        resource: resource(fields)?,
        version: fields.optional(key::VERSION, Reader::unsigned)?,
        outcome: fields.required(key::OUTCOME, |r| word(r, key::OUTCOME))?,
        count: fields.required(key::COUNT, Reader::unsigned)?,
        purpose: fields.required(key::PURPOSE, |r| word(r, key::PURPOSE))?,
        legal_basis: fields.required(key::LEGAL_BASIS, |r| word(r, key::LEGAL_BASIS))?,
        policies: fields.optional(key::POLICIES, |r| policies(r, lists))?.unwrap_or_default(),
        pack: fields.required(key::PACK, Reader::fixed)?,
        commitments: fields.optional(key::COMMITMENTS, |r| commitments(r, lists))?.unwrap_or_default(),
        sealed: fields.optional(key::SEALED, |r| sealed(r, lists))?,
        previous: fields.optional(key::PREVIOUS, previous)?,
    };
    if draft.version.is_some() && draft.resource.is_none() {
        return Err(DecodeError::BadValue(key::VERSION));
    }
    if draft.previous.is_some() != (epoch > 0 && sequence == 0) {
        return Err(DecodeError::BadValue(key::PREVIOUS));
    }
    Ok(Entry { position: Position { epoch, sequence, instance, recorded, clock_error_micros }, draft })
}

fn word<T: FromStr>(reader: &mut Reader<'_>, key: u64) -> Result<T, DecodeError> {
    reader.text()?.parse().map_err(|_| DecodeError::BadValue(key))
}

fn resource(fields: &mut Fields<'_>) -> Result<Option<(Kind, Option<ObjectId>)>, DecodeError> {
    let kind = fields.optional(key::KIND, |reader| {
        Kind::new(reader.text()?).map_err(|_| DecodeError::BadValue(key::KIND))
    })?;
    match kind {
        // An object without its kind is refused as an unexpected key by whoever reads next.
        None => Ok(None),
        Some(kind) => {
            let object = fields.optional(key::OBJECT, Reader::fixed)?;
            Ok(Some((kind, object.map(ObjectId::from_bytes))))
        }
    }
}

fn policies(reader: &mut Reader<'_>, lists: Lists) -> Result<Vec<String>, DecodeError> {
    let mut kept = Vec::new();
    for _ in 0..reader.array(MAX_POLICIES)? {
        let policy = plain_text(reader, key::POLICIES)?;
        if lists == Lists::Kept {
            kept.push(policy.to_owned());
        }
    }
    Ok(kept)
}

fn commitments(reader: &mut Reader<'_>, lists: Lists) -> Result<Vec<Hash>, DecodeError> {
    let mut kept = Vec::new();
    for _ in 0..reader.array(MAX_COMMITMENTS)? {
        let hash = reader.fixed()?;
        if lists != Lists::Checked {
            kept.push(hash);
        }
    }
    Ok(kept)
}

fn sealed(reader: &mut Reader<'_>, lists: Lists) -> Result<Sealed, DecodeError> {
    exactly(reader, 2)?;
    let key = KeyId::from_bytes(reader.fixed()?);
    let bytes = reader.bytes()?;
    if bytes.is_empty() {
        return Err(DecodeError::BadValue(key::SEALED));
    }
    let kept = if lists == Lists::Kept { bytes } else { &[] };
    Ok(Sealed { key, bytes: kept.to_vec() })
}

fn previous(reader: &mut Reader<'_>) -> Result<PreviousLog, DecodeError> {
    exactly(reader, 3)?;
    let origin = plain_text(reader, key::PREVIOUS)?.to_owned();
    let size = reader.unsigned()?;
    let root = reader.fixed()?;
    Ok(PreviousLog { origin, size, root })
}

fn exactly(reader: &mut Reader<'_>, items: usize) -> Result<(), DecodeError> {
    if reader.array(items)? == items { Ok(()) } else { Err(DecodeError::OutOfRange) }
}

fn plain_text<'a>(reader: &mut Reader<'a>, key: u64) -> Result<&'a str, DecodeError> {
    let text = reader.text()?;
    if is_plain_text(text) { Ok(text) } else { Err(DecodeError::BadValue(key)) }
}

/// Walks a map whose keys are asked for in ascending order. Because each key can only be the one
/// asked for next, a repeated, misplaced or unknown one is never consumed and stops the reading.
struct Fields<'a> {
    reader: Reader<'a>,
    /// Pairs after the one whose key is in `next`.
    left: u64,
    next: Option<u64>,
}

impl<'a> Fields<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let left = reader.map()?;
        let mut fields = Self { reader, left, next: None };
        fields.advance()?;
        Ok(fields)
    }

    #[inline]
    fn advance(&mut self) -> Result<(), DecodeError> {
        self.next = match self.left.checked_sub(1) {
            None => None,
            Some(left) => {
                self.left = left;
                Some(self.reader.unsigned()?)
            }
        };
        Ok(())
    }

    #[inline]
    fn optional<T>(
        &mut self,
        key: u64,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
    ) -> Result<Option<T>, DecodeError> {
        if self.next != Some(key) {
            return Ok(None);
        }
        let value = read(&mut self.reader)?;
        self.advance()?;
        Ok(Some(value))
    }

    #[inline]
    fn required<T>(
        &mut self,
        key: u64,
        read: impl FnOnce(&mut Reader<'a>) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let found = self.next;
        match self.optional(key, read)? {
            Some(value) => Ok(value),
            None => match found {
                // A key that was asked for before, or that no format knows, stands in the way.
                Some(found) if found < key => Err(DecodeError::UnexpectedKey(found)),
                _ => Err(DecodeError::MissingKey(key)),
            },
        }
    }

    fn close(self) -> Result<(), DecodeError> {
        match self.next {
            Some(key) => Err(DecodeError::UnexpectedKey(key)),
            None => self.reader.finish(),
        }
    }
}
