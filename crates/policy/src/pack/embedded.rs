//! The packs inside the program: every folder of `packs/` when it was built.

use super::load::Files;
use super::yaml::Node;

/// The id of a pack, and path, content and tree of each of its files; no tree where a file has none.
type Embedded = (&'static str, &'static [(&'static str, &'static [u8], &'static [u8])]);

include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// Ids of the packs inside the program, in order.
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    PACKS.iter().map(|(id, _)| *id)
}

/// The own files of a pack inside the program.
pub(crate) fn files(id: &str) -> Option<Files> {
    let (_, files) = PACKS.iter().find(|(known, _)| *known == id)?;
    Some(files.iter().map(|(path, bytes, _)| ((*path).to_owned(), bytes.to_vec())).collect())
}

/// What reading a YAML file gives, when its content is that of a file inside the program with the same
/// path: known without reading it again.
pub(super) fn tree(path: &str, content: &[u8]) -> Option<Node> {
    super::tree::read(tree_of(path, content)?)
}

pub(super) fn tree_of(path: &str, content: &[u8]) -> Option<&'static [u8]> {
    let files = PACKS.iter().flat_map(|(_, files)| files.iter());
    let same = |file: &&(&str, &[u8], &'static [u8])| file.0 == path && file.1 == content;
    files.into_iter().find(|file| same(file)).map(|(_, _, tree)| *tree).filter(|tree| !tree.is_empty())
}

/// Whether a file inside the program has this path and this content.
pub(crate) fn has(path: &str, content: &str) -> bool {
    PACKS
        .iter()
        .flat_map(|(_, files)| files.iter())
        .any(|file| file.0 == path && file.1 == content.as_bytes())
}
