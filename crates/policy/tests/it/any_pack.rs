//! Any bytes as the files of a pack: the one entry point that the fuzzer (`fuzz/`) and the tests share.
//!
//! The bytes are read as a little program that starts from a pack of this repository and changes its
//! files, so that a fuzzer reaches what lies behind the first check of a file. No bytes are invalid.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use mimamori_policy::{Authorizer, Pack, PackProblem};

/// A pack's files: path and content.
pub type Files = BTreeMap<String, Vec<u8>>;

/// The packs inside the program with everything they extend.
pub static BUILT_IN: LazyLock<Vec<Files>> = LazyLock::new(|| {
    Pack::embedded_ids().filter_map(|id| Pack::embedded(id).ok()).map(|pack| pack.files().clone()).collect()
});

/// Paths that a pack may have, and some that it may not.
const PATHS: &[&str] = &[
    "pack.yaml",
    "site.yaml",
    "roles.yaml",
    "occupations.yaml",
    "classes.yaml",
    "classification.yaml",
    "incidents.yaml",
    "registers.yaml",
    "registers/a.yaml",
    "procedures.yaml",
    "procedures/a.yaml",
    "schedules.yaml",
    "documents.yaml",
    "controls.yaml",
    "requirements/a.yaml",
    "access.cedar",
    "access.cedarschema",
    "extends/base/pack.yaml",
    "extends/base/roles.yaml",
    "extends/a/pack.yaml",
    "extends/a/extends/b/pack.yaml",
    "extends/",
    "registers/a/b.yaml",
    "../pack.yaml",
    "",
];

/// Most bytes of one file that changes make: repeating cannot grow without bound.
const MOST_BYTES: usize = 4 << 20;

/// Loads a pack from what the bytes say and, where that works, uses it.
pub fn exercise(bytes: &[u8]) {
    let _ = load(files_of(bytes));
}

/// Loads a pack and makes the authorizer that it asks for; every problem must be one that can be told.
///
/// # Errors
/// As [`Pack::from_files`].
pub fn load(files: Files) -> Result<Authorizer, Vec<PackProblem>> {
    match Pack::from_files(files) {
        Ok(pack) => {
            assert_eq!(pack.hash_text().len(), 64);
            assert!(pack.warnings().iter().all(|problem| !problem.to_string().is_empty()));
            Ok(Authorizer::new(&pack))
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "a refusal says why");
            assert!(problems.iter().all(|problem| !problem.message.is_empty()));
            Err(problems)
        }
    }
}

/// The files that the bytes make: from a built-in pack or from none, changed step by step.
pub fn files_of(bytes: &[u8]) -> Files {
    let mut bytes = Bytes(bytes);
    let base = bytes.byte();
    let mut files = match usize::from(base & 0x0f).checked_sub(1) {
        Some(place) => BUILT_IN.get(place % BUILT_IN.len().max(1)).cloned().unwrap_or_default(),
        None => Files::new(),
    };
    // What Cedar reads takes most of the time: half of the runs do without.
    if base & 0x10 != 0 {
        files.retain(|path, _| !path.ends_with("access.cedar"));
    }
    while !bytes.0.is_empty() {
        step(&mut files, &mut bytes);
    }
    files
}

/// One change.
fn step(files: &mut Files, bytes: &mut Bytes<'_>) {
    let what = bytes.byte() % 9;
    let path = match bytes.byte() {
        known @ 0x80.. => PATHS.get(usize::from(known) % PATHS.len()).map(|path| (*path).to_owned()),
        old => files.keys().nth((usize::from(old) << 1) % files.len().max(1)).cloned(),
    };
    let path = path.unwrap_or_else(|| "pack.yaml".to_owned());
    if what == 0 {
        let content = bytes.text().to_vec();
        files.insert(path, content);
        return;
    }
    if what == 1 {
        files.remove(&path);
        return;
    }
    let other = files.values().nth(usize::from(bytes.peek()) % files.len().max(1)).cloned();
    let Some(content) = files.get_mut(&path).filter(|content| content.len() <= MOST_BYTES) else {
        return;
    };
    let at = bytes.number() % (content.len() + 1);
    let until = |length: usize| (at + length).min(content.len());
    match what {
        2 => drop(content.splice(at..at, bytes.text().iter().copied())),
        3 => drop(content.drain(at..until(bytes.number()))),
        4 => {
            let end = until(bytes.number());
            drop(content.splice(at..end, bytes.text().iter().copied()));
        }
        5 => {
            let times = usize::from(bytes.byte()).min(64);
            let piece = content.get(at..until(bytes.number() % 512)).unwrap_or_default().repeat(times);
            drop(content.splice(at..at, piece));
        }
        6 => {
            let other = other.unwrap_or_default();
            let from = bytes.number() % (other.len() + 1);
            let end = (from + bytes.number() % 4096).min(other.len());
            drop(content.splice(at..at, other.get(from..end).unwrap_or_default().iter().copied()));
        }
        7 => {
            let mut lines: Vec<_> = content.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let count = lines.len();
            lines.swap(at % count, bytes.number() % count);
            *content = lines.join(&b'\n');
        }
        _ => {
            if let Some(place) = content.get_mut(at) {
                *place = bytes.byte();
            }
        }
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn peek(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    /// Up to 2^24.
    fn number(&mut self) -> usize {
        (0..3).fold(0, |number, _| number << 8 | usize::from(self.byte()))
    }

    /// Everything up to the next 0xff, which no UTF-8 text has.
    fn text(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == 0xff).unwrap_or(self.0.len());
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..).unwrap_or_default();
        text
    }
}
