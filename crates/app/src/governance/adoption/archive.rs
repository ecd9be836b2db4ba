//! A policy pack as one file: a ZIP archive of its folder.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use mimamori_domain::{Error, Result};
use mimamori_policy::{Pack, PackProblem};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// The file at the root of every pack.
const HEAD: &str = "pack.yaml";
/// Most files that an archive may hold, and most bytes in all once unpacked: the greatest pack that
/// comes with the program has about 100 files and 2 MB.
const MOST_FILES: usize = 2_000;
const MOST_BYTES: u64 = 32 << 20;

/// A pack as an archive, whole by itself: with the files of what it extends.
///
/// # Errors
/// Internal.
pub fn pack_archive(pack: &Pack) -> Result<Vec<u8>> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in pack.files() {
        archive.start_file(path.as_str(), SimpleFileOptions::default()).map_err(Error::internal)?;
        archive.write_all(bytes).map_err(Error::internal)?;
    }
    Ok(archive.finish().map_err(Error::internal)?.into_inner())
}

/// The pack in an archive, read and checked in full. The files may stand in one folder within it, as
/// archives of folders have them.
pub(crate) fn read(bytes: &[u8]) -> std::result::Result<Pack, Vec<PackProblem>> {
    Pack::from_files(files(bytes).map_err(|problem| vec![problem])?)
}

fn files(bytes: &[u8]) -> std::result::Result<BTreeMap<String, Vec<u8>>, PackProblem> {
    let unreadable = |_| problem("", "this is not a ZIP archive of a pack's folder, or it is damaged");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(unreadable)?;
    if archive.len() > MOST_FILES {
        return Err(problem("", "the archive holds too many files"));
    }
    let mut left = MOST_BYTES;
    let mut files = BTreeMap::new();
    for at in 0..archive.len() {
        let part = archive.by_index(at).map_err(unreadable)?;
        if part.is_dir() {
            continue;
        }
        let name = part.name().map_err(unreadable)?.into_owned();
        // Nothing is written to disk; a path that leads out of the folder is no path of a pack.
        if part.enclosed_name().is_none() || name.contains('\\') {
            return Err(problem(&name, "the archive names a file outside its folder"));
        }
        if name.split('/').any(|part| part.starts_with('.') || part == "__MACOSX") {
            continue;
        }
        // What a part says about its own size proves nothing: it is counted.
        let mut content = Vec::new();
        part.take(left + 1)
            .read_to_end(&mut content)
            .map_err(|_| problem(&name, "the archive is damaged here"))?;
        left = left
            .checked_sub(content.len() as u64)
            .ok_or_else(|| problem("", "the archive is too large once unpacked"))?;
        if std::str::from_utf8(&content).is_err() {
            return Err(problem(&name, "not UTF-8 text"));
        }
        files.insert(name, content);
    }
    let mut files = without_folder(files);
    files.remove("README.md");
    Ok(files)
}

/// Takes away the one folder that everything stands in, when the pack's head stands in it too.
fn without_folder(files: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    if files.contains_key(HEAD) {
        return files;
    }
    let folder =
        files.keys().next().and_then(|path| path.split_once('/')).map(|(folder, _)| format!("{folder}/"));
    let Some(folder) = folder.filter(|folder| files.keys().all(|path| path.starts_with(folder.as_str())))
    else {
        return files;
    };
    files
        .into_iter()
        .map(|(path, bytes)| (path.strip_prefix(folder.as_str()).unwrap_or(&path).to_owned(), bytes))
        .collect()
}

fn problem(file: &str, message: &str) -> PackProblem {
    PackProblem { file: file.to_owned(), line: 0, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in files {
            archive.start_file(*path, SimpleFileOptions::default()).unwrap();
            archive.write_all(bytes).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn a_pack_comes_out_as_it_went_in() {
        for id in Pack::embedded_ids() {
            let pack = Pack::embedded(id).unwrap();
            assert_eq!(read(&pack_archive(&pack).unwrap()).unwrap().hash(), pack.hash(), "{id}");
        }
    }

    #[test]
    fn the_folder_around_a_pack_is_taken_away() {
        let pack = Pack::embedded_base().unwrap();
        let paths: Vec<(String, &Vec<u8>)> =
            pack.files().iter().map(|(path, bytes)| (format!("ours/{path}"), bytes)).collect();
        let mut parts: Vec<(&str, &[u8])> =
            paths.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
        parts.push(("__MACOSX/ours/._pack.yaml", b"\xff"));
        parts.push(("ours/.DS_Store", b"\xff"));
        parts.push(("ours/README.md", b"how to use it"));
        assert_eq!(read(&zipped(&parts)).unwrap().hash(), pack.hash());
    }

    #[test]
    fn what_is_no_pack_is_refused_with_a_reason() {
        assert!(read(b"PK\x03\x04 nothing").is_err());
        let problems = read(&zipped(&[("pack.yaml", b"\xff\xfe")])).unwrap_err();
        assert_eq!(problems[0].to_string(), "pack.yaml: not UTF-8 text");
        let problems = read(&zipped(&[("../pack.yaml", b"id: a")])).unwrap_err();
        assert!(problems[0].message.contains("outside"), "{problems:?}");
        let zeros = vec![b'0'; (MOST_BYTES + 1) as usize];
        let problems = read(&zipped(&[("pack.yaml", &zeros)])).unwrap_err();
        assert!(problems[0].message.contains("too large"), "{problems:?}");
    }
}
