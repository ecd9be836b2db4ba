//! `mimamori pack`: whether a policy pack is right, and what a new version of it changes (no installation
//! is needed for these); and how the clauses of the pack in force stand.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use mimamori_policy::{Change, ChangeKind, Language, Pack, PackDiff, PackProblem};
use serde_json::{Value, json};

use super::pack_status::{self, Status};
use crate::cli::Context;
use crate::exit::{Exit, Failure, Result};
use crate::packs;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a pack: every problem at once, and warnings (exit code 2: there are problems)
    Check(Check),
    /// Tell what one pack changes in another (exit code 2: they differ)
    Diff(Diff),
    /// Write a pack as one file, to be attached to the procedure that adopts it: checked, and with
    /// everything that it extends
    Archive(Archive),
    /// Show which version of the pack is in force since when, every clause of it, what answers it, and how it stands now
    Status(Status),
}

#[derive(Debug, Args)]
pub struct Check {
    /// Folder of the pack, or the name of a built-in one
    #[arg(value_name = "DIR")]
    pack: PathBuf,
}

#[derive(Debug, Args)]
pub struct Diff {
    /// Folder of the pack as it was, or the name of a built-in one
    old: PathBuf,
    /// Folder of the pack as it will be, or the name of a built-in one
    new: PathBuf,
}

#[derive(Debug, Args)]
pub struct Archive {
    /// Folder of the pack, or the name of a built-in one
    #[arg(value_name = "DIR")]
    pack: PathBuf,
    /// The file to be written: a ZIP archive
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Write over a file that is there already
    #[arg(long)]
    force: bool,
}

/// Runs one of the commands above.
///
/// # Errors
/// [`Exit::Configuration`] when a pack to be compared is not valid.
pub async fn run(context: &Context, command: &Command) -> Result<Exit> {
    match command {
        Command::Check(check) => Ok(run_check(context, &check.pack)),
        Command::Diff(diff) => run_diff(context, diff),
        Command::Archive(archive) => run_archive(context, archive),
        Command::Status(status) => pack_status::run(context, status).await,
    }
}

fn run_check(context: &Context, place: &Path) -> Exit {
    match load(place) {
        Ok(pack) => {
            let counts = counts(&pack);
            let value = json!({
                "valid": true,
                "id": pack.id(),
                "hash": pack.hash_text(),
                "holds": counts.iter().map(|(what, count)| ((*what).to_owned(), json!(count))).collect::<serde_json::Map<_, _>>(),
                "problems": [],
                "warnings": told(pack.warnings()),
            });
            let held: Vec<_> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
            let mut text = format!("valid: {} ({})\n{}", pack.id(), pack.hash_text(), held.join(", "));
            for warning in pack.warnings() {
                let _written = write!(text, "\nwarning: {warning}");
            }
            context.console.result(&value, text);
            Exit::Done
        }
        Err(problems) => {
            let value = json!({"valid": false, "problems": told(&problems), "warnings": []});
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            context
                .console
                .result(&value, format!("{}\nnot valid: {} problems", lines.join("\n"), lines.len()));
            Exit::Partly
        }
    }
}

/// The folder of that name, or the pack inside the program.
fn load(place: &Path) -> std::result::Result<Pack, Vec<PackProblem>> {
    let built_in = place.to_str().filter(|id| Pack::embedded_ids().any(|known| known == *id));
    match built_in {
        Some(id) if !place.exists() => Pack::embedded(id),
        _ => Pack::load(place),
    }
}

fn told(problems: &[PackProblem]) -> Vec<Value> {
    let one = |p: &PackProblem| json!({"file": p.file, "line": p.line, "message": p.message});
    problems.iter().map(one).collect()
}

fn counts(pack: &Pack) -> Vec<(&'static str, usize)> {
    vec![
        ("clauses", pack.clauses().count()),
        ("roles", pack.roles().len()),
        ("registers", pack.registers().len()),
        ("procedures", pack.procedures().len()),
        ("schedules", pack.schedules().len()),
        ("documents", pack.documents().len()),
        ("measures", pack.measures().len()),
        ("attestations", pack.attestations().len()),
        ("disclosures", pack.disclosures().len()),
        ("parameters", pack.parameters().count()),
    ]
}

fn run_diff(context: &Context, places: &Diff) -> Result<Exit> {
    let (old, new) = (load_valid(&places.old)?, load_valid(&places.new)?);
    let diff = old.diff(&new);
    let value = json!({
        "old": {"id": old.id(), "hash": old.hash_text()},
        "new": {"id": new.id(), "hash": new.hash_text()},
        "changes": diff.changes.iter().map(change_value).collect::<Vec<_>>(),
        "access": diff.access,
        "schema": diff.schema,
    });
    context.console.result(&value, diff_text(&old, &new, &diff));
    Ok(if diff.is_empty() { Exit::Done } else { Exit::Partly })
}

fn load_valid(place: &Path) -> Result<Pack> {
    load(place).map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let message = format!("the policy pack {} is not valid:\n{}", place.display(), lines.join("\n"));
        Failure::new(Exit::Configuration, message)
    })
}

fn run_archive(context: &Context, asked: &Archive) -> Result<Exit> {
    let (pack, bytes) = write_archive(asked)?;
    let value = json!({"id": pack.id(), "hash": pack.hash_text(), "file": asked.file, "bytes": bytes});
    let text = format!("{} ({})\nwritten to {}", pack.id(), pack.hash_text(), asked.file.display());
    context.console.result(&value, text);
    Ok(Exit::Done)
}

/// Writes a pack that can be adopted; gives it, and the size of the file in bytes.
fn write_archive(asked: &Archive) -> Result<(Pack, usize)> {
    let pack = load_valid(&asked.pack)?;
    packs::require_set(&pack)?;
    let bytes = mimamori_app::pack_archive(&pack)?;
    let mut options = std::fs::OpenOptions::new();
    // Looked for and made in one step: nobody's file is written over.
    options.write(true).create(true).truncate(true).create_new(!asked.force);
    let written = options.open(&asked.file).and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| {
        let file = asked.file.display();
        let message = match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                format!("{file} is there already; choose another name, or write over it with --force")
            }
            _ => format!("{file} cannot be written: {error}"),
        };
        Failure::new(Exit::CannotCreate, message)
    })?;
    Ok((pack, bytes.len()))
}

fn change_value(change: &Change) -> Value {
    let (what, keys) = match &change.what {
        ChangeKind::Added => ("added", Vec::new()),
        ChangeKind::Removed => ("removed", Vec::new()),
        ChangeKind::Changed(keys) => {
            ("changed", keys.iter().map(|k| json!({"key": k.key, "old": k.old, "new": k.new})).collect())
        }
    };
    json!({"kind": change.kind.as_str(), "code": change.code, "what": what, "keys": keys})
}

fn diff_text(old: &Pack, new: &Pack, diff: &PackDiff) -> String {
    if diff.is_empty() {
        return "no difference".to_owned();
    }
    let mut text = String::new();
    for change in &diff.changes {
        let (sign, pack) = match change.what {
            ChangeKind::Added => ('+', new),
            ChangeKind::Removed => ('-', old),
            ChangeKind::Changed(_) => ('~', new),
        };
        let name = pack.object_name(change.kind, &change.code, Language::En).unwrap_or_default();
        let _written = writeln!(text, "{sign} {} {}  {name}", change.kind, change.code);
        if let ChangeKind::Changed(keys) = &change.what {
            for key in keys {
                let side = |value: &Option<String>| value.clone().unwrap_or_else(|| "(not there)".to_owned());
                let _written = writeln!(text, "    {}: {} -> {}", key.key, side(&key.old), side(&key.new));
            }
        }
    }
    for (changed, file) in [(diff.access, "access.cedar"), (diff.schema, "access.cedarschema")] {
        if changed {
            let _written = writeln!(text, "~ {file}");
        }
    }
    let count = |wanted: fn(&ChangeKind) -> bool| diff.changes.iter().filter(|c| wanted(&c.what)).count();
    let _written = write!(
        text,
        "{} added, {} removed, {} changed",
        count(|what| *what == ChangeKind::Added),
        count(|what| *what == ChangeKind::Removed),
        count(|what| matches!(what, ChangeKind::Changed(_))),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_packs_are_found_by_name_and_folders_by_path() {
        assert_eq!(load(Path::new("base")).unwrap().id(), "base");
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packs/base");
        assert_eq!(load(&folder).unwrap().id(), "base");
        assert!(load(Path::new("no-such-pack")).is_err());
    }

    #[test]
    fn an_archive_is_written_of_what_can_be_adopted_only() {
        let folder = tempfile::tempdir().unwrap();
        let asked = |pack: &str, file: &str| Archive {
            pack: pack.into(),
            file: folder.path().join(file),
            force: false,
        };
        let (pack, size) = write_archive(&asked("komaki", "rules.zip")).unwrap();
        let written = std::fs::read(folder.path().join("rules.zip")).unwrap();
        assert_eq!((pack.id(), size), ("komaki", written.len()));
        assert_eq!(written, mimamori_app::pack_archive(&Pack::embedded("komaki").unwrap()).unwrap());
        // A file that is there stays as it is, unless it is asked to go.
        let again = asked("base", "rules.zip");
        let failure = write_archive(&again).unwrap_err();
        assert_eq!(failure.exit, Exit::CannotCreate);
        assert!(failure.message.contains("--force"), "{}", failure.message);
        assert_eq!(std::fs::read(folder.path().join("rules.zip")).unwrap(), written);
        write_archive(&Archive { force: true, ..again }).unwrap();
        assert_ne!(std::fs::read(folder.path().join("rules.zip")).unwrap(), written);
        // What only the site can say is not said; there is no such pack; there is no such folder.
        for (pack, file, exit) in [
            ("kasama", "unset.zip", Exit::Configuration),
            ("no-such-pack", "none.zip", Exit::Configuration),
            ("base", "no-such-folder/base.zip", Exit::CannotCreate),
        ] {
            let failure = write_archive(&asked(pack, file)).unwrap_err();
            assert_eq!(failure.exit, exit, "{pack}: {}", failure.message);
            assert!(!folder.path().join(file).exists(), "{pack}");
        }
    }

    #[test]
    fn differences_are_told_with_their_values() {
        let old = Pack::embedded_base().unwrap();
        let mut files = old.files().clone();
        let text = String::from_utf8(files["pack.yaml"].clone()).unwrap();
        files.insert("pack.yaml".into(), text.replacen("value: 15\n", "value: 20\n", 1).into_bytes());
        let new = Pack::from_files(files).unwrap();
        let diff = old.diff(&new);
        let text = diff_text(&old, &new, &diff);
        assert!(text.contains("~ parameter session.idle-minutes"), "{text}");
        assert!(text.contains("    value: 15 -> 20"), "{text}");
        assert!(text.ends_with("0 added, 0 removed, 1 changed"), "{text}");
        assert_eq!(change_value(&diff.changes[0])["keys"][0]["new"], "20");
        assert_eq!(diff_text(&old, &old, &old.diff(&old)), "no difference");
    }
}
