//! A pack and those it extends: which files make it up.

use std::collections::BTreeMap;
use std::path::Path;

use super::load::{Files, check_sizes, read_folder};
use super::yaml::{self, Node};
use super::{Problems, embedded};

/// Where a pack keeps the files of those it extends: `extends/<id>/pack.yaml` ...
const FOLDER: &str = "extends/";
/// Nobody extends a pack through more generations.
const MOST_GENERATIONS: usize = 8;

/// One pack of a chain.
pub(super) struct Layer {
    /// What stands before its paths in messages and in [`super::Pack::files`].
    pub prefix: String,
    /// Its own files.
    pub files: Files,
}

/// Finds a pack by its id.
pub(super) type Finder<'a> = &'a dyn Fn(&str) -> Option<Files>;

/// A finder among the folders beside `folder`, then among the packs inside the program.
pub(super) fn beside(folder: &Path) -> impl Fn(&str) -> Option<Files> {
    // The folder's own name: `.` has no parent to look in.
    let parent = folder.canonicalize().ok().and_then(|folder| Some(folder.parent()?.to_owned()));
    move |id| {
        let beside =
            parent.as_ref().map(|parent| parent.join(id)).filter(|f| f.join(super::load::PACK).is_file());
        beside.and_then(|folder| read_folder(&folder).ok()).or_else(|| embedded::files(id))
    }
}

/// The pack and those it extends, the furthest ancestor first.
pub(super) fn resolve(files: Files, find: Finder<'_>, problems: &mut Problems) -> Vec<Layer> {
    let (own, mut bundled) = split(files);
    let mut layers = vec![Layer { prefix: String::new(), files: own }];
    let mut seen = vec![];
    while let Some(layer) = layers.last() {
        let (id, parent) = names(&layer.files);
        let path = format!("{}{}", layer.prefix, super::load::PACK);
        seen.extend(id);
        let Some((parent, line)) = parent else { break };
        if seen.contains(&parent) {
            problems.add(
                &path,
                line,
                format!("extends: {parent} extends itself, through {}", seen.join(", ")),
            );
            break;
        }
        if layers.len() >= MOST_GENERATIONS {
            problems.add(&path, line, format!("extends: more than {MOST_GENERATIONS} generations"));
            break;
        }
        let Some(found) = bundled.remove(&parent).or_else(|| {
            // A name that leads elsewhere is no id.
            super::reader::is_code(&parent).then(|| find(&parent)).flatten()
        }) else {
            problems.add(
                &path,
                line,
                format!("extends: no pack {parent:?} beside this one or inside the program"),
            );
            break;
        };
        let (found, further) = split(found);
        for (id, files) in further {
            bundled.entry(id).or_insert(files);
        }
        check_sizes(&found, problems);
        layers.push(Layer { prefix: format!("{FOLDER}{parent}/"), files: found });
    }
    let whole = !problems.any();
    for (id, _) in bundled.iter().filter(|_| whole) {
        problems.add(&format!("{FOLDER}{id}"), 0, "belongs to no pack that this one extends");
    }
    layers.reverse();
    layers
}

/// The files of a whole chain under the paths by which they are kept.
pub(super) fn joined(layers: Vec<Layer>) -> Files {
    let all = layers.into_iter().flat_map(|Layer { prefix, files }| {
        files.into_iter().map(move |(path, bytes)| (format!("{prefix}{path}"), bytes))
    });
    all.collect()
}

/// A pack's own files, and by id those of packs kept with it.
fn split(files: Files) -> (Files, BTreeMap<String, Files>) {
    let (mut own, mut bundled) = (Files::new(), BTreeMap::<String, Files>::new());
    for (path, bytes) in files {
        match path.strip_prefix(FOLDER).and_then(|rest| rest.split_once('/')) {
            Some((id, rest)) => {
                drop(bundled.entry(id.to_owned()).or_default().insert(rest.to_owned(), bytes))
            }
            None => drop(own.insert(path, bytes)),
        }
    }
    (own, bundled)
}

/// A pack's id, and whom it extends with the line that says so. Problems are told when the file is read
/// in earnest.
fn names(files: &Files) -> (Option<String>, Option<(String, u64)>) {
    let text = files.get(super::load::PACK).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let head = text.and_then(|text| {
        let known = embedded::tree(super::load::PACK, text.as_bytes());
        known.or_else(|| yaml::read(text, "", &mut Problems::default()))
    });
    let scalar = |key| head.as_ref().and_then(|head: &Node| head.get(key));
    let id = scalar("id").and_then(Node::text).map(str::to_owned);
    let parent = scalar("extends").and_then(|node| Some((node.text()?.to_owned(), node.line)));
    (id, parent)
}
