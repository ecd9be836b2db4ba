//! Where a list goes on: sealed, and good only for the same caller and the same question.

use std::time::Duration;

use mimamori_domain::{Error, ObjectId, Result, Timestamp};

use crate::App;
use crate::caller::Caller;

/// A cursor is good for this long.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// The default and the greatest number of items on a page.
const DEFAULT_COUNT: u32 = 20;
const MOST: u32 = 200;

/// How many items a page shall have.
pub(crate) fn page_size(count: u32) -> usize {
    let count = if count == 0 { DEFAULT_COUNT } else { count.min(MOST) };
    count as usize
}

/// A position in a list that is sorted by a number and then by an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Position {
    pub(crate) number: i64,
    pub(crate) id: [u8; 16],
}

impl Position {
    /// Before the first item of a list with the greatest first.
    pub(crate) const NEWEST: Self = Self { number: i64::MAX, id: [0xff; 16] };
    /// Before the first item of a list by rising identifiers.
    pub(crate) const LOWEST: Self = Self { number: 0, id: [0; 16] };

    pub(crate) fn after(number: i64, id: ObjectId) -> Self {
        Self { number, id: *id.as_bytes() }
    }

    fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let (number, id) = bytes.split_at_mut(8);
        number.copy_from_slice(&self.number.to_be_bytes());
        id.copy_from_slice(&self.id);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (number, id) = bytes.split_first_chunk::<8>()?;
        Some(Self { number: i64::from_be_bytes(*number), id: id.try_into().ok()? })
    }
}

impl App {
    /// Seals a position. `question` names everything the list depends on.
    pub(crate) fn seal_cursor(
        &self,
        caller: &Caller,
        question: &[&[u8]],
        position: Position,
    ) -> Result<String> {
        let expires: Timestamp = self.clock.now().plus(LIFETIME);
        self.keys
            .cursor
            .seal(&context(caller, question), &position.to_bytes(), expires)
            .map_err(crate::keys::vault_error)
    }

    /// Opens a cursor that a client sent back; `start` when there is none.
    pub(crate) fn open_cursor(
        &self,
        caller: &Caller,
        question: &[&[u8]],
        cursor: Option<&str>,
        start: Position,
    ) -> Result<Position> {
        let Some(text) = cursor else { return Ok(start) };
        let plain = self.keys.cursor.open(&context(caller, question), text, self.clock.now());
        Position::from_bytes(&plain.map_err(|_| over())?).ok_or_else(over)
    }
}

impl App {
    /// Seals a whole question (search parameters as text) for a link that shall say nothing of who
    /// somebody is: opaque, good for this caller and as long as a cursor. Fits into a URL.
    ///
    /// # Errors
    /// Unavailable when no random numbers can be had.
    pub fn seal_query(&self, caller: &Caller, text: &str) -> Result<String> {
        let expires = self.clock.now().plus(LIFETIME);
        let sealed = self.keys.cursor.seal(&context(caller, &[QUERY]), text.as_bytes(), expires);
        sealed.map_err(crate::keys::vault_error)
    }

    /// Opens what [`App::seal_query`] made for the same caller.
    ///
    /// # Errors
    /// Invalid, the same for an altered, foreign and expired text.
    pub fn open_query(&self, caller: &Caller, sealed: &str) -> Result<String> {
        let plain = self.keys.cursor.open(&context(caller, &[QUERY]), sealed, self.clock.now());
        let text = plain.ok().and_then(|plain| String::from_utf8(plain.to_vec()).ok());
        text.ok_or_else(over)
    }
}

/// What something is sealed to that a page of the caller carries, for one purpose.
pub(crate) fn sealed_for(caller: &Caller, purpose: &[u8]) -> Vec<u8> {
    context(caller, &[purpose])
}

/// What a sealed question is sealed for; no list's own question is named so.
const QUERY: &[u8] = b"sealed-query";

fn over() -> Error {
    Error::invalid("this continuation is not valid any more; start the search again")
}

/// Caller and question, each part with its length so that no two questions run together.
fn context(caller: &Caller, question: &[&[u8]]) -> Vec<u8> {
    let mut bytes = caller.actor.to_vec();
    for part in question {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_back() {
        let position = Position::after(-5, ObjectId::random());
        assert_eq!(Position::from_bytes(&position.to_bytes()), Some(position));
        assert_eq!(Position::from_bytes(&[0; 23]), None);
    }
}
