//! `mimamori import`: FHIR R4 Bundles and NDJSON from files and folders.
//!
//! A Bundle is stored whole or not at all; each line of NDJSON stands for itself. A broken file is
//! reported with place and rule, and the others go on.

mod source;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use mimamori_app::ImportReport;
use mimamori_domain::{ErrorKind, InstitutionId};
use serde_json::json;
use tokio::task::JoinSet;

use self::source::{Piece, Source};
use crate::cli::Context;
use crate::exit::{Exit, Failure, Result};
use crate::installation::Installation;

/// How many pieces are under way at a time: enough to share commits.
const CONCURRENT: usize = 8;
/// How many problems are shown; all are counted.
const SHOWN_PROBLEMS: usize = 50;
/// How often a piece that found the system busy is tried again, with growing pauses.
const TRIES: u32 = 6;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Files (.json Bundles or resources, .ndjson) or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Identifier of the institution that answers for what is imported
    #[arg(long, value_name = "ID")]
    institution: InstitutionId,
}

/// Imports every file.
///
/// # Errors
/// When nothing could be begun; broken files are no failure but [`Exit::Partly`].
pub async fn run(context: &Context, arguments: &Arguments) -> Result<Exit> {
    let installation = Installation::open(context).await?;
    let begun = Instant::now();
    let sources = source::find(&arguments.paths)?;
    let bar = context.console.bar(sources.iter().map(|source| source.bytes).sum(), "import");
    let mut outcome = Outcome { files: sources.len() as u64, ..Outcome::default() };
    // Who and where come first: others refer to them.
    for rank in source::ranks(&sources) {
        let of_rank: Vec<Source> = sources.iter().filter(|source| source.rank == rank).cloned().collect();
        outcome.take(import_all(&installation, arguments.institution, of_rank, &bar).await?);
    }
    bar.finish_and_clear();
    installation.close().await;
    outcome.show(context, begun.elapsed());
    Ok(if outcome.problems.is_empty() { Exit::Done } else { Exit::Partly })
}

/// What an import came to.
#[derive(Debug, Default)]
struct Outcome {
    files: u64,
    stored: u64,
    known: u64,
    skipped: BTreeMap<String, u64>,
    /// File and place, rule.
    problems: Vec<(String, String)>,
}

impl Outcome {
    fn add(&mut self, place: &dyn Fn(&str) -> String, report: ImportReport) {
        self.stored += report.stored;
        self.known += report.known;
        for (reason, count) in report.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        self.problems.extend(report.problems.into_iter().map(|(at, rule)| (place(&at), rule)));
    }

    fn take(&mut self, other: Self) {
        let Self { stored, known, skipped, problems, .. } = other;
        self.add(&|at| at.to_owned(), ImportReport { stored, known, skipped, problems });
    }

    fn show(&self, context: &Context, elapsed: std::time::Duration) {
        let seconds = elapsed.as_secs_f64();
        let value = json!({
            "files": self.files,
            "stored": self.stored,
            "known": self.known,
            "skipped": self.skipped,
            "problems": self.problems.iter().map(|(place, rule)| json!({"place": place, "rule": rule})).collect::<Vec<_>>(),
            "seconds": seconds,
        });
        let mut lines = Vec::new();
        for (place, rule) in self.problems.iter().take(SHOWN_PROBLEMS) {
            lines.push(format!("{place}: {rule}"));
        }
        if self.problems.len() > SHOWN_PROBLEMS {
            lines.push(format!(
                "... and {} more problems (--json lists all)",
                self.problems.len() - SHOWN_PROBLEMS
            ));
        }
        for (reason, count) in &self.skipped {
            lines.push(format!("skipped {count}: {reason}"));
        }
        lines.push(format!(
            "{} files: {} stored, {} known already, {} skipped, {} problems in {seconds:.1} s",
            self.files,
            self.stored,
            self.known,
            self.skipped.values().sum::<u64>(),
            self.problems.len()
        ));
        context.console.result(&value, lines.join("\n"));
    }
}

/// Imports files that do not wait for each other, several at a time.
async fn import_all(
    installation: &Installation,
    institution: InstitutionId,
    sources: Vec<Source>,
    bar: &ProgressBar,
) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let mut running = JoinSet::new();
    for source in sources {
        while running.len() >= CONCURRENT {
            collect(&mut running, &mut outcome).await?;
        }
        let (app, operator, bar) = (installation.app.clone(), installation.operator(), bar.clone());
        running.spawn(async move {
            let mut outcome = Outcome::default();
            let file = source.path.display().to_string();
            let mut reader = match source.open() {
                Ok(reader) => reader,
                Err(error) => {
                    outcome.problems.push((file, error.to_string()));
                    return Ok(outcome);
                }
            };
            loop {
                let (piece, reader_back) = tokio::task::spawn_blocking(move || (reader.next(), reader))
                    .await
                    .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
                reader = reader_back;
                let piece = match piece {
                    Ok(Some(piece)) => piece,
                    Ok(None) => return Ok(outcome),
                    Err(error) => {
                        outcome.problems.push((file, error.to_string()));
                        return Ok(outcome);
                    }
                };
                import_piece(&app, &operator, institution, &file, &piece, &mut outcome).await?;
                bar.inc(piece.bytes);
            }
        });
    }
    while !running.is_empty() {
        collect(&mut running, &mut outcome).await?;
    }
    Ok(outcome)
}

async fn collect(running: &mut JoinSet<Result<Outcome>>, outcome: &mut Outcome) -> Result<()> {
    if let Some(done) = running.join_next().await {
        outcome.take(done.map_err(|error| Failure::new(Exit::Internal, error.to_string()))??);
    }
    Ok(())
}

async fn import_piece(
    app: &mimamori_app::App,
    operator: &mimamori_app::Caller,
    institution: InstitutionId,
    file: &str,
    piece: &Piece,
    outcome: &mut Outcome,
) -> Result<()> {
    for attempt in 1.. {
        let imported = match &piece.bundle {
            Some(bundle) => app.import_bundle(operator, institution, bundle.clone()).await,
            None => app.import_lines(operator, institution, &piece.lines).await,
        };
        match imported {
            Ok(report) => {
                outcome.add(&|at| format!("{file}: {}", piece.place(at)), report);
                return Ok(());
            }
            Err(error) if error.kind() == ErrorKind::Busy && attempt < TRIES => {
                tokio::time::sleep(std::time::Duration::from_millis(50 << attempt)).await;
            }
            // What the file says is wrong concerns this file; anything else concerns all.
            Err(error)
                if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::Conflict) =>
            {
                outcome.problems.extend(
                    error
                        .faults()
                        .iter()
                        .map(|fault| (format!("{file}: {}", piece.place(&fault.place)), fault.rule.clone())),
                );
                if error.faults().is_empty() {
                    outcome
                        .problems
                        .push((format!("{file}: {}", piece.place("")), error.message().to_owned()));
                }
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
