//! From a draft and its place to bytes: format 1.

use super::{
    EntryDraft, EntryError, FORMAT_1, MAX_COMMITMENTS, MAX_ENTRY_BYTES, MAX_POLICIES, Position,
    is_plain_text, key,
};
use crate::cbor::Writer;

impl EntryDraft {
    /// The entry's bytes: deterministic CBOR (RFC 8949 section 4.2.1), see `docs/ledger-format.md`.
    ///
    /// # Errors
    /// [`EntryError`] when a value is outside the limits of the format.
    pub fn encode(&self, position: &Position) -> Result<Vec<u8>, EntryError> {
        self.check(position)?;
        let mut map = MapWriter::new(self.expected_bytes());
        map.unsigned(key::FORMAT, FORMAT_1);
        map.unsigned(key::EPOCH, u64::from(position.epoch));
        map.unsigned(key::SEQUENCE, position.sequence);
        map.bytes(key::INSTANCE, position.instance.as_bytes());
        map.field(key::RECORDED).signed(position.recorded.as_micros());
        map.optional_unsigned(key::CLOCK_ERROR, position.clock_error_micros);
        map.bytes(key::UNIT, self.unit.as_bytes());
        map.bytes(key::NONCE, &self.nonce);
        map.optional_bytes(key::ACTOR, self.actor.as_ref().map(|id| id.as_bytes()));
        map.optional_bytes(key::ON_BEHALF_OF, self.on_behalf_of.as_ref().map(|id| id.as_bytes()));
        map.optional_bytes(key::SESSION, self.session.as_ref().map(|id| id.as_bytes()));
        map.optional_bytes(key::INSTITUTION, self.institution.as_ref().map(|id| id.as_bytes()));
        map.optional_bytes(key::TERMINAL, self.terminal.as_ref().map(|id| id.as_bytes()));
        map.optional_text(key::ZONE, self.zone.as_ref().map(|zone| zone.as_str()));
        map.optional_bytes(key::SUBJECT, self.subject.as_ref().map(|id| id.as_bytes()));
        map.text(key::ACTION, self.action.as_str());
        if let Some((kind, object)) = &self.resource {
            map.text(key::KIND, kind.as_str());
            map.optional_bytes(key::OBJECT, object.as_ref().map(|id| id.as_bytes()));
        }
        map.optional_unsigned(key::VERSION, self.version);
        map.text(key::OUTCOME, self.outcome.as_str());
        map.unsigned(key::COUNT, self.count);
        map.text(key::PURPOSE, self.purpose.as_str());
        map.text(key::LEGAL_BASIS, self.legal_basis.as_str());
        if !self.policies.is_empty() {
            let writer = map.field(key::POLICIES);
            writer.array(self.policies.len());
            self.policies.iter().for_each(|policy| writer.text(policy));
        }
        map.bytes(key::PACK, &self.pack);
        if !self.commitments.is_empty() {
            let writer = map.field(key::COMMITMENTS);
            writer.array(self.commitments.len());
            self.commitments.iter().for_each(|hash| writer.bytes(hash));
        }
        if let Some(sealed) = &self.sealed {
            let writer = map.field(key::SEALED);
            writer.array(2);
            writer.bytes(sealed.key.as_bytes());
            writer.bytes(&sealed.bytes);
        }
        if let Some(previous) = &self.previous {
            let writer = map.field(key::PREVIOUS);
            writer.array(3);
            writer.text(&previous.origin);
            writer.unsigned(previous.size);
            writer.bytes(&previous.root);
        }
        let bytes = map.finish();
        if bytes.len() > MAX_ENTRY_BYTES { Err(EntryError::TooLong(bytes.len())) } else { Ok(bytes) }
    }

    fn check(&self, position: &Position) -> Result<(), EntryError> {
        if self.policies.len() > MAX_POLICIES {
            return Err(EntryError::TooMany("policies"));
        }
        if self.commitments.len() > MAX_COMMITMENTS {
            return Err(EntryError::TooMany("commitments"));
        }
        if !self.policies.iter().all(|policy| is_plain_text(policy)) {
            return Err(EntryError::Text("a policy's id"));
        }
        if self.version.is_some() && self.resource.is_none() {
            return Err(EntryError::VersionWithoutResource);
        }
        if self.sealed.as_ref().is_some_and(|sealed| sealed.bytes.is_empty()) {
            return Err(EntryError::EmptySeal);
        }
        if self.previous.is_some() != (position.epoch > 0 && position.sequence == 0) {
            return Err(EntryError::Previous);
        }
        if self.previous.as_ref().is_some_and(|previous| !is_plain_text(&previous.origin)) {
            return Err(EntryError::Text("the previous log's origin"));
        }
        Ok(())
    }

    /// Enough for the whole entry in one allocation; the fixed part is at most about 400 bytes.
    fn expected_bytes(&self) -> usize {
        448 + self.commitments.len() * 34
            + self.policies.iter().map(|policy| policy.len() + 2).sum::<usize>()
            + self.sealed.as_ref().map_or(0, |sealed| sealed.bytes.len() + 24)
            + self.previous.as_ref().map_or(0, |previous| previous.origin.len() + 48)
    }
}

/// Writes the pairs of a map and its size in front of them, so that the size is never counted apart.
struct MapWriter {
    pairs: u8,
    body: Writer,
}

impl MapWriter {
    fn new(expected_bytes: usize) -> Self {
        Self { pairs: 0, body: Writer::for_map(expected_bytes) }
    }

    /// The writer, placed for the value of this key. Keys are to come in ascending order.
    fn field(&mut self, key: u64) -> &mut Writer {
        self.pairs += 1;
        self.body.unsigned(key);
        &mut self.body
    }

    fn unsigned(&mut self, key: u64, value: u64) {
        self.field(key).unsigned(value);
    }

    fn bytes(&mut self, key: u64, value: &[u8]) {
        self.field(key).bytes(value);
    }

    fn text(&mut self, key: u64, value: &str) {
        self.field(key).text(value);
    }

    fn optional_unsigned(&mut self, key: u64, value: Option<u64>) {
        if let Some(value) = value {
            self.unsigned(key, value);
        }
    }

    fn optional_bytes(&mut self, key: u64, value: Option<&[u8; 16]>) {
        if let Some(value) = value {
            self.bytes(key, value);
        }
    }

    fn optional_text(&mut self, key: u64, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn finish(self) -> Vec<u8> {
        self.body.into_map(self.pairs)
    }
}
