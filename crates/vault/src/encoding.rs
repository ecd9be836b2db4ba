//! One unambiguous encoding of a list of byte strings, for associated data and token input.

/// Each part preceded by its length in eight bytes, big-endian. Two different lists never have the
/// same encoding, and none is the beginning of another of the same number of parts.
pub(crate) fn join(parts: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(parts.iter().map(|p| p.len() + 8).sum());
    for part in parts {
        out.extend_from_slice(&(part.len() as u64).to_be_bytes());
        out.extend_from_slice(part);
    }
    out
}

/// A cursor over bytes read from outside: every read is checked.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `N` bytes, or nothing when fewer are left.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>()?;
        self.0 = tail;
        Some(*head)
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[b]| b)
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn different_lists_have_different_encodings(a: Vec<Vec<u8>>, b: Vec<Vec<u8>>) {
            let join_all = |list: &[Vec<u8>]| join(&list.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(a == b, join_all(&a) == join_all(&b));
        }
    }

    #[test]
    fn reading_stops_at_the_end() {
        let mut reader = Reader::new(&[1, 2, 3]);
        assert_eq!(reader.array::<2>(), Some([1, 2]));
        assert_eq!(reader.array::<2>(), None);
        assert_eq!(reader.byte(), Some(3));
        assert!(reader.rest().is_empty());
    }
}
