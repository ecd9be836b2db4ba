//! The part of CBOR that entries use, in its one deterministic form (RFC 8949 section 4.2.1).
//!
//! Unsigned and negative integers, byte and text strings, arrays, maps: definite lengths and
//! shortest heads only. The reader refuses every other form, so that one meaning has one encoding.

use crate::DecodeError;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Appends values in deterministic form.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    pub(crate) fn unsigned(&mut self, value: u64) {
        self.head(UNSIGNED, value);
    }

    pub(crate) fn signed(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(UNSIGNED, value),
            // -1 - n is how CBOR writes a negative number; `!` is exactly that without overflow.
            Err(_) => self.head(NEGATIVE, (!value).unsigned_abs()),
        }
    }

    #[inline]
    pub(crate) fn bytes(&mut self, value: &[u8]) {
        self.head(BYTES, value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub(crate) fn text(&mut self, value: &str) {
        self.head(TEXT, value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(crate) fn array(&mut self, items: usize) {
        self.head(ARRAY, items as u64);
    }

    /// For the pairs of a map whose number is known in the end: [`into_map`](Self::into_map).
    pub(crate) fn for_map(bytes: usize) -> Self {
        let mut writer = Self::with_capacity(bytes);
        writer.head(MAP, 0);
        writer
    }

    /// The map that was begun with [`for_map`](Self::for_map); entries have less than 256 pairs.
    pub(crate) fn into_map(mut self, pairs: u8) -> Vec<u8> {
        let (head, more) = if pairs < 24 { (pairs, None) } else { (24, Some(pairs)) };
        if let Some(first) = self.0.first_mut() {
            *first = MAP << 5 | head;
        }
        if let Some(pairs) = more {
            self.0.insert(1, pairs);
        }
        self.0
    }

    #[inline]
    fn head(&mut self, major: u8, value: u64) {
        let major = major << 5;
        let [.., low] = value.to_be_bytes();
        if value < 24 {
            self.0.push(major | low);
        } else if let Ok(value) = u8::try_from(value) {
            self.0.extend_from_slice(&[major | 24, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.0.push(major | 25);
            self.0.extend_from_slice(&value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.0.push(major | 26);
            self.0.extend_from_slice(&value.to_be_bytes());
        } else {
            self.0.push(major | 27);
            self.0.extend_from_slice(&value.to_be_bytes());
        }
    }
}

/// Reads values, refusing every encoding but the deterministic one.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    #[inline]
    pub(crate) fn unsigned(&mut self) -> Result<u64, DecodeError> {
        self.expect(UNSIGNED)
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Result<i64, DecodeError> {
        match self.head()? {
            (UNSIGNED, value) => i64::try_from(value).map_err(|_| DecodeError::OutOfRange),
            (NEGATIVE, value) => i64::try_from(value).map(|v| !v).map_err(|_| DecodeError::OutOfRange),
            _ => Err(DecodeError::WrongType),
        }
    }

    #[inline]
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let length = self.expect(BYTES)?;
        self.take(length)
    }

    #[inline]
    pub(crate) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.bytes()?.try_into().map_err(|_| DecodeError::OutOfRange)
    }

    #[inline]
    pub(crate) fn text(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.expect(TEXT)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::NotUtf8)
    }

    /// The number of items of an array that holds 1 to `most`: empty lists are left out, not written.
    pub(crate) fn array(&mut self, most: usize) -> Result<usize, DecodeError> {
        match usize::try_from(self.expect(ARRAY)?) {
            Ok(items) if (1..=most).contains(&items) => Ok(items),
            _ => Err(DecodeError::OutOfRange),
        }
    }

    pub(crate) fn map(&mut self) -> Result<u64, DecodeError> {
        self.expect(MAP)
    }

    /// Refuses bytes after the value.
    pub(crate) const fn finish(&self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }

    #[inline]
    fn expect(&mut self, major: u8) -> Result<u64, DecodeError> {
        let (found, value) = self.head()?;
        if found == major { Ok(value) } else { Err(DecodeError::WrongType) }
    }

    #[inline]
    fn head(&mut self) -> Result<(u8, u64), DecodeError> {
        let (&first, rest) = self.0.split_first().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        let major = first >> 5;
        let (value, least) = match first & 0x1f {
            short @ 0..=23 => return Ok((major, u64::from(short))),
            24 => (u64::from(u8::from_be_bytes(self.array_of()?)), 24),
            25 => (u64::from(u16::from_be_bytes(self.array_of()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(self.array_of()?)), 1 << 16),
            27 => (u64::from_be_bytes(self.array_of()?), 1 << 32),
            // 28 to 30 are reserved, 31 means an indefinite length.
            _ => return Err(DecodeError::NotCanonical),
        };
        if value < least { Err(DecodeError::NotCanonical) } else { Ok((major, value)) }
    }

    #[inline]
    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (bytes, rest) = self.0.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*bytes)
    }

    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], DecodeError> {
        let length = usize::try_from(length).map_err(|_| DecodeError::Truncated)?;
        let (taken, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8949 appendix A.
    #[test]
    fn integers_take_their_shortest_form() {
        for (value, hex) in [
            (0_i64, "00"),
            (23, "17"),
            (24, "1818"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (-1, "20"),
            (-1000, "3903e7"),
            (i64::MIN, "3b7fffffffffffffff"),
        ] {
            let mut writer = Writer::with_capacity(9);
            writer.signed(value);
            let bytes = writer.0;
            assert_eq!(hex::encode(&bytes), hex);
            let mut reader = Reader::new(&bytes);
            assert_eq!(reader.signed(), Ok(value));
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn longer_and_indefinite_forms_are_refused() {
        for hex in ["1817", "190018", "1a0000ffff", "1b00000000ffffffff", "5817", "1c", "5f"] {
            let bytes = hex::decode(hex).unwrap();
            assert_eq!(Reader::new(&bytes).head(), Err(DecodeError::NotCanonical), "{hex}");
        }
        assert_eq!(Reader::new(&[0x42, 0x00]).bytes(), Err(DecodeError::Truncated));
        assert_eq!(Reader::new(&[0x3b, 0x80, 0, 0, 0, 0, 0, 0, 0]).signed(), Err(DecodeError::OutOfRange));
    }
}
