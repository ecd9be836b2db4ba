//! Reading a pack's files, whether from a folder, from storage or from inside the program.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aws_lc_rs::digest;
use serde::de::DeserializeOwned;

use super::files::{ClassesFile, OccupationsFile, PackFile, RolesFile};
use super::{Pack, PackProblem, check};
use crate::access::{self, Access};

/// Greatest size of one file and of all files of a pack together, in bytes: far above what rules
/// need, low enough that a wrong folder is noticed.
const MOST_FILE_BYTES: usize = 1 << 20;
const MOST_PACK_BYTES: usize = 16 << 20;

/// The files a pack is made of. A new kind of file needs a line here, a shape in `files`, and its
/// checks in `check`.
const PACK: &str = "pack.yaml";
const OCCUPATIONS: &str = "occupations.yaml";
const ROLES: &str = "roles.yaml";
const CLASSES: &str = "classes.yaml";
const POLICIES: &str = "access.cedar";
const SCHEMA: &str = "access.cedarschema";
const KNOWN: &[&str] = &[PACK, OCCUPATIONS, ROLES, CLASSES, POLICIES, SCHEMA];

macro_rules! embedded {
    ($($name:expr => $path:literal;)*) => {
        &[$(($name, include_bytes!(concat!("../../../../packs/base/", $path)).as_slice()),)*]
    };
}

/// The base pack's files, inside the program.
const BASE: &[(&str, &[u8])] = embedded! {
    PACK => "pack.yaml";
    OCCUPATIONS => "occupations.yaml";
    ROLES => "roles.yaml";
    CLASSES => "classes.yaml";
    POLICIES => "access.cedar";
    SCHEMA => "access.cedarschema";
};

pub(super) fn embedded_base() -> BTreeMap<String, Vec<u8>> {
    BASE.iter().map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec())).collect()
}

/// Collects problems while reading goes on.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<PackProblem>);

impl Problems {
    pub(crate) fn add(&mut self, file: &str, line: u64, message: impl Into<String>) {
        self.0.push(PackProblem { file: file.to_owned(), line, message: message.into() });
    }

    fn into_sorted(mut self) -> Vec<PackProblem> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// Reads every file of a pack's folder. Hidden files and `README.md` are not part of the pack.
pub(super) fn read_folder(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>, Vec<PackProblem>> {
    let mut problems = Problems::default();
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files, &mut problems);
    if problems.0.is_empty() { Ok(files) } else { Err(problems.into_sorted()) }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>, problems: &mut Problems) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            return problems.add(prefix, 0, format!("the pack's folder cannot be read: {error}"));
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                problems.add(prefix, 0, format!("the pack's folder cannot be read: {error}"));
                continue;
            }
        };
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            problems.add(prefix, 0, "a file's name is not UTF-8");
            continue;
        };
        if name.starts_with('.') || (prefix.is_empty() && name == "README.md") {
            continue;
        }
        let path = if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        // The entry's own type: a symbolic link could lead out of the folder.
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => collect(&entry.path(), &path, files, problems),
            Ok(kind) if kind.is_file() => match read_limited(&entry.path()) {
                Ok(bytes) => drop(files.insert(path, bytes)),
                Err(reason) => problems.add(&path, 0, reason),
            },
            Ok(_) => problems.add(&path, 0, "neither a file nor a folder (symbolic links are not followed)"),
            Err(error) => problems.add(&path, 0, format!("cannot be read: {error}")),
        }
    }
}

fn read_limited(path: &Path) -> Result<Vec<u8>, String> {
    let size = fs::metadata(path).map_err(|e| format!("cannot be read: {e}"))?.len();
    if usize::try_from(size).unwrap_or(usize::MAX) > MOST_FILE_BYTES {
        return Err(too_large(MOST_FILE_BYTES));
    }
    fs::read(path).map_err(|e| format!("cannot be read: {e}"))
}

fn too_large(most: usize) -> String {
    format!("larger than {} KiB", most >> 10)
}

/// Checks the files as a whole and makes a pack of them.
pub(super) fn build(files: BTreeMap<String, Vec<u8>>) -> Result<Pack, Vec<PackProblem>> {
    let mut problems = Problems::default();
    check_sizes(&files, &mut problems);
    if !problems.0.is_empty() {
        return Err(problems.into_sorted());
    }
    for path in files.keys().filter(|p| !KNOWN.contains(&p.as_str())) {
        problems.add(path, 0, format!("not a file of a pack; known are {}", KNOWN.join(", ")));
    }
    let pack = yaml::<PackFile>(&files, PACK, &mut problems);
    let occupations = yaml::<OccupationsFile>(&files, OCCUPATIONS, &mut problems);
    let roles = yaml::<RolesFile>(&files, ROLES, &mut problems);
    let classes = yaml::<ClassesFile>(&files, CLASSES, &mut problems);

    let head = pack.map(|f| check::pack(f, PACK, &mut problems));
    let roles = roles.map(|f| check::roles(f, ROLES, &mut problems));
    let occupations = occupations.map(|f| check::occupations(f, OCCUPATIONS, &mut problems));
    let classes = match (&occupations, classes) {
        (Some(known), Some(file)) => Some(check::classes(file, known, CLASSES, &mut problems)),
        _ => None,
    };
    let policies = text(&files, POLICIES, &mut problems);
    let schema = text(&files, SCHEMA, &mut problems);
    let (Some(head), Some(roles), Some(occupations), Some(classes)) = (head, roles, occupations, classes)
    else {
        return Err(problems.into_sorted());
    };
    let mut pack = Pack {
        id: head.id,
        name: head.name,
        hash: hash(&files),
        parameters: head.parameters,
        zones: head.zones,
        occupations: occupations.occupations,
        roles,
        classes: classes.0,
        things: classes.1,
        objects: super::Objects::default(),
        access: Access::default(),
        files: BTreeMap::new(),
    };
    if let (Some(policies), Some(schema)) = (policies, schema) {
        let sources = access::Sources { policies, policies_file: POLICIES, schema, schema_file: SCHEMA };
        pack.access = Access::compile(&sources, &pack, &mut problems);
    }
    if !problems.0.is_empty() {
        return Err(problems.into_sorted());
    }
    pack.files = files;
    Ok(pack)
}

fn check_sizes(files: &BTreeMap<String, Vec<u8>>, problems: &mut Problems) {
    for (path, _) in files.iter().filter(|(_, bytes)| bytes.len() > MOST_FILE_BYTES) {
        problems.add(path, 0, too_large(MOST_FILE_BYTES));
    }
    if files.values().map(Vec::len).sum::<usize>() > MOST_PACK_BYTES {
        problems.add("", 0, format!("the pack's files together are {}", too_large(MOST_PACK_BYTES)));
    }
}

fn hash(files: &BTreeMap<String, Vec<u8>>) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for (path, bytes) in files {
        for part in [path.as_bytes(), bytes.as_slice()] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
    }
    let mut hash = [0; 32];
    for (to, from) in hash.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    hash
}

fn text<'a>(files: &'a BTreeMap<String, Vec<u8>>, path: &str, problems: &mut Problems) -> Option<&'a str> {
    let Some(bytes) = files.get(path) else {
        problems.add(path, 0, "missing; every pack needs it");
        return None;
    };
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|b| **b == b'\n').count() as u64;
            problems.add(path, line, "not UTF-8");
            None
        }
    }
}

fn yaml<T: DeserializeOwned>(
    files: &BTreeMap<String, Vec<u8>>,
    path: &str,
    problems: &mut Problems,
) -> Option<T> {
    let text = text(files, path, problems)?;
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    match serde_saphyr::from_str_with_options(text, options) {
        Ok(value) => Some(value),
        Err(error) => {
            let line = error.location().map_or(0, |l| l.line());
            problems.add(path, line, error.without_snippet().to_string());
            None
        }
    }
}
