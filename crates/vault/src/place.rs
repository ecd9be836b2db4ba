//! Where sealed content stands.

use mimamori_domain::{Kind, ObjectId, UnitId};

use crate::encoding::join;

/// The place a ciphertext belongs to, as associated data: moved anywhere else, it does not open.
///
/// The kind of place comes first and every part carries its length, so no two places share an
/// encoding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place(Vec<u8>);

impl Place {
    /// One version of an object.
    #[must_use]
    pub fn object(object: ObjectId, version: u64, kind: &Kind) -> Self {
        Self::of("object", &[object.as_bytes(), &version.to_be_bytes(), kind.as_str().as_bytes()])
    }

    /// A file that belongs to one version of an object; `index` counts its files from 0.
    #[must_use]
    pub fn file(object: ObjectId, version: u64, index: u32) -> Self {
        Self::of("file", &[object.as_bytes(), &version.to_be_bytes(), &index.to_be_bytes()])
    }

    /// The sealed part of a ledger entry: the `index`-th entry of a unit, with the entry's nonce.
    #[must_use]
    pub fn ledger(unit: UnitId, index: u32, nonce: &[u8]) -> Self {
        Self::of("ledger", &[unit.as_bytes(), &index.to_be_bytes(), nonce])
    }

    /// A secret setting.
    #[must_use]
    pub fn setting(name: &str) -> Self {
        Self::of("setting", &[name.as_bytes()])
    }

    /// A sealed column of a row: table, column and the row's key.
    #[must_use]
    pub fn column(table: &str, column: &str, row: &[u8]) -> Self {
        Self::of("column", &[table.as_bytes(), column.as_bytes(), row])
    }

    fn of(kind: &str, parts: &[&[u8]]) -> Self {
        let mut all = vec![kind.as_bytes()];
        all.extend_from_slice(parts);
        Self(join(&all))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_places_are_the_same() {
        let (object, unit) = (ObjectId::from_bytes([1; 16]), UnitId::from_bytes([1; 16]));
        let places = [
            Place::object(object, 1, &Kind::of("Patient")),
            Place::object(object, 2, &Kind::of("Patient")),
            Place::object(object, 1, &Kind::of("Observation")),
            Place::object(ObjectId::from_bytes([2; 16]), 1, &Kind::of("Patient")),
            Place::file(object, 1, 0),
            Place::file(object, 1, 1),
            Place::ledger(unit, 0, &[0; 16]),
            Place::ledger(unit, 1, &[0; 16]),
            Place::ledger(unit, 0, &[1; 16]),
            Place::setting("mail"),
            Place::setting("mail-password"),
            Place::column("ab", "c", b"d"),
            Place::column("a", "bc", b"d"),
            Place::column("a", "b", b"cd"),
        ];
        let distinct: std::collections::HashSet<_> = places.iter().collect();
        assert_eq!(distinct.len(), places.len());
    }
}
