//! The packs inside the program: every folder of `packs/` when it was built.

use super::load::Files;

/// The id of a pack, and path and content of each of its files.
type Embedded = (&'static str, &'static [(&'static str, &'static [u8])]);

include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// Ids of the packs inside the program, in order.
pub(super) fn ids() -> impl Iterator<Item = &'static str> {
    PACKS.iter().map(|(id, _)| *id)
}

/// The own files of a pack inside the program.
pub(super) fn files(id: &str) -> Option<Files> {
    let (_, files) = PACKS.iter().find(|(known, _)| *known == id)?;
    Some(files.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect())
}
