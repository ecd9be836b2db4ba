//! What there is to import: files found, put in order, and read piece by piece.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::exit::{Exit, Failure, Result};

/// Lines of NDJSON handed over at a time.
const LINES: usize = 200;
/// The largest Bundle file, and the longest line: both are held in memory.
const MOST_BYTES: u64 = 256 << 20;
/// How much of a file is looked at to find out what it begins with.
const LOOK: u64 = 64 << 10;

/// Resource types that others refer to, in the order they are wanted. What is not named comes after.
const FIRST: &[&str] =
    &["Organization", "Location", "Practitioner", "PractitionerRole", "Patient", "RelatedPerson"];

/// A file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub path: PathBuf,
    pub bytes: u64,
    /// Place in the order; files of one rank do not wait for each other.
    pub rank: usize,
    lines: bool,
}

/// What is handed to the use case at once.
#[derive(Debug)]
pub struct Piece {
    /// A whole Bundle; then there are no lines.
    pub bundle: Option<Bytes>,
    pub lines: Vec<Bytes>,
    /// Number of the first line in the file, from 1.
    first_line: u64,
    /// Line numbers of the file, one for each of `lines`: empty lines are left out.
    numbers: Vec<u64>,
    /// How much of the file this is.
    pub bytes: u64,
}

impl Piece {
    /// The place in the file, given the place in the piece (`line 3` counts from 1).
    #[must_use]
    pub fn place(&self, at: &str) -> String {
        let number = at.strip_prefix("line ").and_then(|rest| {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (number, rest) = rest.split_at_checked(digits)?;
            let index = number.parse::<usize>().ok()?.checked_sub(1)?;
            Some((self.numbers.get(index)?, rest))
        });
        match number {
            Some((line, rest)) => format!("line {line}{rest}"),
            None if self.bundle.is_some() => {
                if at.is_empty() {
                    "Bundle".to_owned()
                } else {
                    at.to_owned()
                }
            }
            None if at.is_empty() => format!("from line {}", self.first_line),
            None => at.to_owned(),
        }
    }
}

/// Every file below the paths, in a fixed order.
///
/// # Errors
/// [`Exit::Usage`] when a path is not there or nothing is found.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Source>> {
    let mut files = BTreeSet::new();
    for path in paths {
        let failed = |error: io::Error| Failure::io(Exit::Usage, path, &error);
        if path.is_dir() {
            walk(path, &mut files).map_err(failed)?;
        } else {
            std::fs::metadata(path).map_err(failed)?;
            files.insert(path.clone());
        }
    }
    if files.is_empty() {
        return Err(Failure::new(Exit::Usage, "no .json or .ndjson files were found"));
    }
    files
        .into_iter()
        .map(|path| Source::look_at(path.clone()).map_err(|e| Failure::io(Exit::Usage, &path, &e)))
        .collect()
}

/// The ranks there are, first things first.
#[must_use]
pub fn ranks(sources: &[Source]) -> BTreeSet<usize> {
    sources.iter().map(|source| source.rank).collect()
}

fn walk(folder: &Path, files: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(&path, files)?;
        } else if is_lines(&path) || path.extension().is_some_and(|e| e.eq_ignore_ascii_case("json")) {
            files.insert(path);
        }
    }
    Ok(())
}

fn is_lines(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("ndjson") || e.eq_ignore_ascii_case("jsonl"))
}

impl Source {
    fn look_at(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path)?;
        let bytes = file.metadata()?.len();
        let mut head = Vec::new();
        file.take(LOOK).read_to_end(&mut head)?;
        let head = String::from_utf8_lossy(&head);
        Ok(Self { rank: rank_of(&head), lines: is_lines(&path) || !is_bundle(&head), bytes, path })
    }

    /// Begins reading.
    ///
    /// # Errors
    /// The error of opening the file.
    pub fn open(&self) -> io::Result<Reader> {
        Ok(Reader {
            // A single resource over several lines is read whole, as one line.
            whole: !is_lines(&self.path),
            bundle: !self.lines,
            file: BufReader::new(File::open(&self.path)?),
            next_line: 1,
            ended: false,
        })
    }
}

/// The types named at the beginning of a file, outermost first.
fn types(head: &str) -> impl Iterator<Item = &str> {
    head.split("\"resourceType\"").skip(1).filter_map(|rest| rest.split('"').nth(1))
}

fn is_bundle(head: &str) -> bool {
    types(head).next() == Some("Bundle") || types(head).any(|name| name == "Bundle")
}

fn rank_of(head: &str) -> usize {
    let first = types(head).find(|name| *name != "Bundle").unwrap_or_default();
    FIRST.iter().position(|name| *name == first).unwrap_or(FIRST.len())
}

/// Reads a file piece by piece.
#[derive(Debug)]
pub struct Reader {
    whole: bool,
    bundle: bool,
    file: BufReader<File>,
    next_line: u64,
    ended: bool,
}

impl Reader {
    /// The next piece, or none at the end. Blocks.
    ///
    /// # Errors
    /// The error of reading; a Bundle or line that is too large.
    pub fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.ended {
            return Ok(None);
        }
        if self.whole {
            self.ended = true;
            let mut content = Vec::new();
            self.file.by_ref().take(MOST_BYTES + 1).read_to_end(&mut content)?;
            let bytes = fits(content.len())?;
            let content = Bytes::from(content);
            let (bundle, lines) = if self.bundle { (Some(content), vec![]) } else { (None, vec![content]) };
            let numbers = lines.iter().map(|_| 1).collect();
            return Ok(Some(Piece { bundle, lines, first_line: 1, numbers, bytes }));
        }
        let first_line = self.next_line;
        let (mut lines, mut numbers, mut bytes) = (Vec::new(), Vec::new(), 0);
        while lines.len() < LINES {
            let mut line = Vec::new();
            self.file.by_ref().take(MOST_BYTES + 1).read_until(b'\n', &mut line)?;
            if line.is_empty() {
                self.ended = true;
                break;
            }
            bytes += fits(line.len())?;
            let number = self.next_line;
            self.next_line += 1;
            if !line.trim_ascii().is_empty() {
                lines.push(Bytes::copy_from_slice(line.trim_ascii()));
                numbers.push(number);
            }
        }
        Ok((!lines.is_empty()).then_some(Piece { bundle: None, lines, first_line, numbers, bytes }))
    }
}

fn fits(length: usize) -> io::Result<u64> {
    let length = length as u64;
    if length > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 256 MiB: split it"));
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_ordered_and_read_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("deep")).unwrap();
        std::fs::write(at("deep/Observation.ndjson"), "{\"resourceType\":\"Observation\"}\n\n{\"a\":1}\n")
            .unwrap();
        std::fs::write(at("Patient.ndjson"), "{\"resourceType\":\"Patient\"}").unwrap();
        std::fs::write(at("b.json"), "{\n \"resourceType\" : \"Bundle\", \"entry\":[{\"resource\":{\"resourceType\":\"Organization\"}}]}").unwrap();
        std::fs::write(at("readme.txt"), "no").unwrap();
        let sources = find(&[folder.path().to_owned()]).unwrap();
        assert_eq!(sources.len(), 3);
        let mut ordered = sources.clone();
        ordered.sort_by_key(|source| source.rank);
        let names: Vec<_> = ordered.iter().map(|s| s.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["b.json", "Patient.ndjson", "Observation.ndjson"]);

        let mut reader = ordered[2].open().unwrap();
        let piece = reader.next().unwrap().unwrap();
        assert_eq!(piece.lines.len(), 2);
        assert_eq!(piece.place("line 2: Observation.status"), "line 3: Observation.status");
        assert_eq!(piece.bytes, ordered[2].bytes);
        assert!(reader.next().unwrap().is_none());

        let mut reader = ordered[0].open().unwrap();
        let piece = reader.next().unwrap().unwrap();
        assert!(piece.bundle.is_some());
        assert_eq!(piece.place("Bundle.entry[3]"), "Bundle.entry[3]");
    }

    #[test]
    fn nothing_found_and_nothing_there_are_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(find(&[folder.path().to_owned()]).unwrap_err().exit, Exit::Usage);
        assert_eq!(find(&[folder.path().join("gone.json")]).unwrap_err().exit, Exit::Usage);
    }
}
