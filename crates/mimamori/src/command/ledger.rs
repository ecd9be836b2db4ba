//! `mimamori ledger`: verify, prove, review, checkpoint, export.
//!
//! `verify --copy` and `verify-receipt` need no installation: neither keys nor database.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use mimamori_app::{AccessRow, Paging, ReviewQuery, Window};
use mimamori_domain::{ActorId, ErrorKind, InstitutionId, SubjectId, Timestamp};
use mimamori_ledger::{Receipt, VerifierKey, VerifyOptions, verify_directory};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::console::table;
use crate::exit::{Exit, Failure, Result};
use crate::installation::Installation;
use crate::when;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check that nothing was changed behind the program's back
    Verify(Verify),
    /// Give a receipt for one entry, which anyone can check
    Prove(Prove),
    /// Check a receipt; needs no installation
    VerifyReceipt(VerifyReceipt),
    /// List accesses in order of time
    Review(Review),
    /// Sign the present end of the ledger
    Checkpoint,
    /// Write the ledger as files for offline verification
    Export(Export),
    /// Show the key that checkpoints and receipts are verified with
    Key,
    /// Begin a new epoch after an older database was put back
    NewEpoch(NewEpoch),
}

#[derive(Debug, Args)]
pub struct Verify {
    /// Check this exported copy instead; needs neither installation nor secret keys
    #[arg(long, value_name = "DIR", requires = "keys")]
    copy: Option<PathBuf>,
    /// The verifier key (`mimamori ledger key`), with --copy; may be repeated
    #[arg(long = "key", value_name = "VKEY", requires = "copy")]
    keys: Vec<String>,
}

#[derive(Debug, Args)]
pub struct Prove {
    /// Sequence number of the entry, as review shows it
    sequence: u64,
    /// Its epoch
    #[arg(long, default_value_t = 0)]
    epoch: u32,
    /// Write the receipt to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct VerifyReceipt {
    /// The receipt
    file: PathBuf,
    /// The verifier key (`mimamori ledger key`)
    #[arg(long = "key", value_name = "VKEY")]
    key: String,
}

#[derive(Debug, Args)]
pub struct Review {
    /// Who reviews: the sign-in name of an auditor, system manager or facility manager
    #[arg(long = "as", value_name = "LOGIN")]
    login: String,
    /// Read their password from standard input instead of asking
    #[arg(long)]
    password_stdin: bool,
    /// Only accesses to this person's information
    #[arg(long, value_name = "ID")]
    subject: Option<SubjectId>,
    /// Only accesses by this account
    #[arg(long, value_name = "ID")]
    actor: Option<ActorId>,
    /// Only accesses from this institution
    #[arg(long, value_name = "ID")]
    institution: Option<InstitutionId>,
    /// From when: YYYY-MM-DD (Japan time) or RFC 3339 [default: 7 days ago]
    #[arg(long)]
    from: Option<String>,
    /// Until when, exclusive: YYYY-MM-DD (Japan time) or RFC 3339 [default: now]
    #[arg(long)]
    until: Option<String>,
    /// Count accesses per person instead of listing them
    #[arg(long, conflicts_with_all = ["subject", "actor", "institution", "csv"])]
    counts: bool,
    /// Write CSV
    #[arg(long)]
    csv: bool,
    /// List at most so many
    #[arg(long, default_value_t = 1_000)]
    most: usize,
}

#[derive(Debug, Args)]
pub struct Export {
    /// An empty or new folder
    folder: PathBuf,
}

#[derive(Debug, Args)]
pub struct NewEpoch {
    /// Why; kept in the ledger
    #[arg(long)]
    reason: String,
}

/// Runs one of the commands above.
///
/// # Errors
/// What the use case refused. Integrity findings are no failure but [`Exit::Findings`].
pub async fn run(context: &Context, command: Command) -> Result<Exit> {
    match command {
        Command::Verify(Verify { copy: Some(folder), keys }) => verify_copy(context, &folder, &keys),
        Command::VerifyReceipt(receipt) => verify_receipt(context, &receipt),
        command => {
            // A database that was put back is looked at and begun anew, never used as it is.
            let installation = match command {
                Command::Verify(_) | Command::NewEpoch(_) => Installation::open_rolled_back(context).await?,
                _ => Installation::open(context).await?,
            };
            let exit = with_installation(context, &installation, command).await;
            installation.close().await;
            exit
        }
    }
}

async fn with_installation(context: &Context, installation: &Installation, command: Command) -> Result<Exit> {
    let (app, operator, console) = (&installation.app, installation.operator(), context.console);
    match command {
        Command::Verify(_) => return verify(context, installation).await,
        Command::VerifyReceipt(_) => {}
        Command::Prove(prove) => {
            let receipt = app.prove(prove.epoch, prove.sequence).await?;
            match &prove.out {
                Some(file) => {
                    std::fs::write(file, &receipt)
                        .map_err(|error| Failure::io(Exit::CannotCreate, file, &error))?;
                    console.result(&json!({"receipt": file}), file.display());
                }
                None => console.result(&json!({"receipt": receipt}), receipt.trim_end()),
            }
        }
        Command::Review(query) => review(context, installation, &query).await?,
        Command::Checkpoint => {
            let note = app.checkpoint().await?;
            console.result(&json!({"checkpoint": note}), note.trim_end());
        }
        Command::Export(export) => {
            // The copy ends with a checkpoint: without a fresh one, the last entries would be missing.
            match app.checkpoint().await {
                // The running server signs every second, so its last checkpoint is fresh.
                Err(error) if error.kind() == ErrorKind::Busy => {}
                signed => drop(signed?),
            }
            let bar = console.bar(0, "export");
            let entries = app
                .export_ledger(&export.folder, &|done, total| {
                    bar.set_length(total);
                    bar.set_position(done);
                })
                .await?;
            bar.finish_and_clear();
            let key = app.verifier_key();
            console.result(
                &json!({"entries": entries, "folder": export.folder, "key": key}),
                format!(
                    "{entries} entries in {0}\nmimamori ledger verify --copy {0} --key '{key}'",
                    export.folder.display()
                ),
            );
        }
        Command::Key => {
            let key = app.verifier_key();
            console.result(&json!({"key": key}), &key);
        }
        Command::NewEpoch(arguments) => {
            let epoch = app.new_epoch(&operator, &arguments.reason).await?;
            console.result(&json!({"epoch": epoch}), format!("epoch {epoch} has begun"));
        }
    }
    Ok(Exit::Done)
}

async fn verify(context: &Context, installation: &Installation) -> Result<Exit> {
    let bar = context.console.bar(0, "verify");
    let report = installation
        .app
        .verify(&|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })
        .await?;
    bar.finish_and_clear();
    let mut lines: Vec<String> = report.findings.iter().map(|finding| format!("FINDING {finding}")).collect();
    lines.extend(report.uncovered.iter().map(|(table, why)| format!("not covered: {table} ({why})")));
    lines.push(format!(
        "{} entries, {} versions, {} checkpoints: {}",
        report.entries,
        report.versions,
        report.checkpoints,
        verdict(report.findings.len() as u64)
    ));
    let value = json!({
        "entries": report.entries,
        "versions": report.versions,
        "checkpoints": report.checkpoints,
        "findings": report.findings,
        "uncovered": report.uncovered,
    });
    context.console.result(&value, lines.join("\n"));
    Ok(if report.findings.is_empty() { Exit::Done } else { Exit::Findings })
}

fn verify_copy(context: &Context, folder: &Path, keys: &[String]) -> Result<Exit> {
    let keys = keys.iter().map(|text| verifier_key(text)).collect::<Result<Vec<_>>>()?;
    let bar = context.console.bar(0, "verify");
    let report = verify_directory(folder, &keys, VerifyOptions::default(), &mut |progress| {
        bar.set_length(progress.total);
        bar.set_position(progress.entries);
    })
    .map_err(|error| Failure::io(Exit::Unavailable, folder, &error))?;
    bar.finish_and_clear();
    let findings: Vec<String> = report.findings.kept().iter().map(ToString::to_string).collect();
    let mut lines = findings.clone();
    if report.findings.dropped() > 0 {
        lines.push(format!("... and {} more findings", report.findings.dropped()));
    }
    let checkpoints: u64 = report.epochs.iter().map(|epoch| epoch.roots_compared).sum();
    lines.push(format!(
        "{} entries in {} epochs, {checkpoints} checkpoints: {}",
        report.entries(),
        report.epochs.len(),
        verdict(report.findings.errors())
    ));
    let value = json!({
        "entries": report.entries(),
        "epochs": report.epochs.len(),
        "checkpoints": checkpoints,
        "whole": report.is_whole(),
        "findings": findings,
    });
    context.console.result(&value, lines.join("\n"));
    Ok(if report.is_whole() { Exit::Done } else { Exit::Findings })
}

fn verdict(findings: u64) -> String {
    match findings {
        0 => "whole / 改ざんは見つかりません".to_owned(),
        count => format!("{count} FINDINGS / 不一致があります"),
    }
}

fn verify_receipt(context: &Context, arguments: &VerifyReceipt) -> Result<Exit> {
    let key = verifier_key(&arguments.key)?;
    let text = std::fs::read_to_string(&arguments.file)
        .map_err(|error| Failure::io(Exit::Unavailable, &arguments.file, &error))?;
    let verified = text.parse::<Receipt>().and_then(|receipt| receipt.verify(&key));
    match verified {
        Ok(entry) => {
            let position = entry.position;
            context.console.result(
                &json!({"valid": true, "epoch": position.epoch, "sequence": position.sequence}),
                format!(
                    "valid: entry {} of epoch {} stands in the ledger",
                    position.sequence, position.epoch
                ),
            );
            Ok(Exit::Done)
        }
        Err(error) => {
            context
                .console
                .result(&json!({"valid": false, "reason": error.to_string()}), format!("NOT VALID: {error}"));
            Ok(Exit::Findings)
        }
    }
}

fn verifier_key(text: &str) -> Result<VerifierKey> {
    text.parse().map_err(|_| {
        Failure::new(Exit::Usage, "--key is not a verifier key")
            .next("`mimamori ledger key` shows it: NAME+HEX+BASE64.")
    })
}

async fn review(context: &Context, installation: &Installation, query: &Review) -> Result<()> {
    let app = &installation.app;
    let now = mimamori_domain::Clock::now(installation.clock.as_ref());
    let time = |text: &Option<String>, default: Timestamp| match text {
        Some(text) => when::parse(text),
        None => Ok(default),
    };
    let week = Duration::from_secs(7 * 86_400);
    let window = Window { from: time(&query.from, now.minus(week))?, until: time(&query.until, now)? };
    // Whose record was looked at is personal data: the rules show it to people, not to machines.
    let reviewer = installation.signed_in(context.console, &query.login, query.password_stdin).await?;
    if query.counts {
        let (mut counts, mut paging) = (Vec::new(), Paging { count: 200, cursor: None });
        while counts.len() < query.most {
            let page = app.review_counts(&reviewer.caller().await?, &[window], &paging).await?.people;
            counts.extend(page.items);
            match page.next {
                Some(next) => paging.cursor = Some(next),
                None => break,
            }
        }
        reviewer.sign_out().await?;
        counts.truncate(query.most);
        let values: Vec<Value> = counts
            .iter()
            .map(|count| json!({"subject": count.subject, "name": count.name, "count": count.count}))
            .collect();
        let rows: Vec<_> = counts
            .iter()
            .map(|count| vec![count.count.to_string(), count.name.clone(), count.subject.to_string()])
            .collect();
        context.console.result(&json!(values), table(&["count", "name", "subject"], &rows));
        return Ok(());
    }
    let question =
        ReviewQuery { subject: query.subject, actor: query.actor, institution: query.institution, window };
    let (mut rows, mut paging) = (Vec::new(), Paging::default());
    while rows.len() < query.most {
        let page = app.review(&reviewer.caller().await?, &question, &paging).await?;
        rows.extend(page.items);
        match page.next {
            Some(next) => paging.cursor = Some(next),
            None => break,
        }
    }
    reviewer.sign_out().await?;
    rows.truncate(query.most);
    let cells: Vec<Vec<String>> = rows.iter().map(cells_of).collect();
    if query.csv {
        let mut lines = vec![csv_line(COLUMNS.iter().copied())];
        lines.extend(cells.iter().map(|row| csv_line(row.iter().map(String::as_str))));
        context.console.result(&json!({"csv": lines.join("\r\n")}), lines.join("\r\n"));
    } else {
        let values: Vec<Value> = cells
            .iter()
            .map(|row| {
                COLUMNS.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), json!(cell))).collect()
            })
            .collect();
        context.console.result(&json!(values), table(COLUMNS, &cells));
    }
    Ok(())
}

/// What a review shows of each access.
const COLUMNS: &[&str] = &[
    "epoch",
    "sequence",
    "time",
    "who",
    "institution",
    "whose",
    "action",
    "kind",
    "outcome",
    "count",
    "purpose",
    "basis",
    "policies",
];

fn cells_of(row: &AccessRow) -> Vec<String> {
    vec![
        row.epoch.to_string(),
        row.sequence.to_string(),
        when::show(row.recorded),
        row.actor.as_ref().map(|actor| actor.name.clone()).unwrap_or_default(),
        row.institution.as_ref().map(|(_, name)| name.clone()).unwrap_or_default(),
        row.subject.as_ref().map(|(_, name)| name.clone()).unwrap_or_default(),
        row.action.to_string(),
        row.kind.as_ref().map(ToString::to_string).unwrap_or_default(),
        row.outcome.to_string(),
        row.count.to_string(),
        row.purpose.to_string(),
        row.basis.to_string(),
        row.policies.join(" "),
    ]
}

/// One line of CSV (RFC 4180). Cells that a spreadsheet would take for a formula get an apostrophe.
fn csv_line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells
        .map(|cell| {
            let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
            format!("\"{guard}{}\"", cell.replace('"', "\"\""))
        })
        .collect();
    cells.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells_are_quoted_and_never_formulas() {
        let line = csv_line(["山田 \"太郎\"", "=1+1", "a,b"].into_iter());
        assert_eq!(line, "\"山田 \"\"太郎\"\"\",\"'=1+1\",\"a,b\"");
    }
}
