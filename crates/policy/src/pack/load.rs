//! Reading a pack's files, whether from a folder, from storage or from inside the program.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest;

use super::chain::{self, Finder};
use super::merge::Merged;
use super::reader::Context;
use super::{Pack, PackProblem, check};
use crate::access::{self, Access};

/// A pack's files: path within its folder, and content.
pub(super) type Files = BTreeMap<String, Vec<u8>>;

/// Greatest size of one file and of all files of a pack together, in bytes: far above what rules
/// need, low enough that a wrong folder is noticed.
const MOST_FILE_BYTES: usize = 1 << 20;
const MOST_PACK_BYTES: usize = 16 << 20;

/// The files that are not one of `merge`'s tables of objects.
pub(super) const PACK: &str = "pack.yaml";
pub(crate) const POLICIES: &str = "access.cedar";
pub(super) const SCHEMA: &str = "access.cedarschema";

/// Collects problems while reading goes on.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<PackProblem>);

/// What goes wrong on every line is told so often.
const MOST_PROBLEMS: usize = 2_000;

impl Problems {
    pub(crate) fn add(&mut self, file: &str, line: u64, message: impl Into<String>) {
        if self.0.len() < MOST_PROBLEMS {
            self.0.push(PackProblem { file: file.to_owned(), line, message: message.into() });
        }
    }

    pub(crate) const fn any(&self) -> bool {
        !self.0.is_empty()
    }

    fn into_sorted(mut self) -> Vec<PackProblem> {
        self.0.sort();
        self.0.dedup();
        self.0
    }
}

/// Reads every file of a pack's folder. Hidden files and `README.md` are not part of the pack.
pub(super) fn read_folder(folder: &Path) -> Result<Files, Vec<PackProblem>> {
    let mut problems = Problems::default();
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files, &mut problems);
    if problems.any() { Err(problems.into_sorted()) } else { Ok(files) }
}

fn collect(folder: &Path, prefix: &str, files: &mut Files, problems: &mut Problems) {
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

/// Where a parameter comes from that the program reads and the files do not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// From nowhere: that is a problem.
    Refused,
    /// From the base pack inside the program.
    FromProgram,
}

/// Checks the files as a whole and makes a pack of them.
pub(super) fn build(files: Files, find: Finder<'_>, missing: Missing) -> Result<Pack, Vec<PackProblem>> {
    let mut problems = Problems::default();
    check_sizes(&files, &mut problems);
    if problems.any() {
        return Err(problems.into_sorted());
    }
    let layers = chain::resolve(files, find, &mut problems);
    let mut merged = Merged::of(&layers, &mut problems);
    let taken = if missing == Missing::FromProgram { merged.complete() } else { Vec::new() };
    // One broken line would be followed by hundreds about what stands in that file.
    if merged.unread {
        return Err(problems.into_sorted());
    }
    let problems = RefCell::new(problems);
    let parts = check::parts(&Context { merged: &merged, problems: &problems });
    let mut problems = problems.into_inner();
    let files = chain::joined(layers);
    let mut pack = Pack {
        id: parts.id,
        name: parts.name,
        organisation: parts.organisation,
        hash: hash(&files),
        files,
        parameters: parts.parameters,
        zones: parts.zones,
        occupations: parts.occupations,
        roles: parts.roles,
        classes: parts.classes,
        things: parts.things,
        objects: parts.objects,
        warnings: parts.warnings,
        taken,
        access: Access::default(),
        merged: Arc::default(),
    };
    let source = |found: &Option<(String, String)>, path: &str, problems: &mut Problems| {
        if found.is_none() {
            problems.add(path, 0, "missing; a pack has it, or one that it extends");
        }
        found.clone()
    };
    let policies = source(&merged.policies, POLICIES, &mut problems);
    let schema = source(&merged.schema, SCHEMA, &mut problems);
    if let (Some((policies_file, policies)), Some((schema_file, schema))) = (policies, schema) {
        let sources = access::Sources {
            policies: &policies,
            policies_file: &policies_file,
            schema: &schema,
            schema_file: &schema_file,
        };
        pack.access = Access::compile(&sources, &pack, &mut problems);
    }
    if problems.any() {
        return Err(problems.into_sorted());
    }
    pack.merged = Arc::new(merged);
    Ok(pack)
}

pub(super) fn check_sizes(files: &Files, problems: &mut Problems) {
    for (path, _) in files.iter().filter(|(_, bytes)| bytes.len() > MOST_FILE_BYTES) {
        problems.add(path, 0, too_large(MOST_FILE_BYTES));
    }
    if files.values().map(Vec::len).sum::<usize>() > MOST_PACK_BYTES {
        problems.add("", 0, format!("the pack's files together are {}", too_large(MOST_PACK_BYTES)));
    }
}

fn hash(files: &Files) -> [u8; 32] {
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

/// A file's text; `full` is what messages call it.
pub(super) fn text<'a>(files: &'a Files, path: &str, full: &str, problems: &mut Problems) -> Option<&'a str> {
    let bytes = files.get(path)?;
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|b| **b == b'\n').count() as u64;
            problems.add(full, line, "not UTF-8");
            None
        }
    }
}
