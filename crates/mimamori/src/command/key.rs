//! `mimamori key`: rotation and destruction of keys. First the plan, then `--apply`.

use clap::{Args, Subcommand};
use mimamori_app::{Disposal, ShredReport};
use mimamori_domain::{ClassCode, SubjectId};
use mimamori_vault::RootKeyFile;
use serde_json::json;

use crate::cli::Context;
use crate::exit::{Exit, Failure, Result};
use crate::installation::{self, Installation};

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put every key under a new ring key and destroy the old one
    Rotate(Rotate),
    /// Destroy the data key of a person's class and month: what it sealed can never be read again
    Shred(Shred),
}

#[derive(Debug, Args)]
pub struct Rotate {
    /// Change the key of the search indexes instead, and make them anew
    #[arg(long)]
    index: bool,
    /// Do it; without this, only what would be done is shown
    #[arg(long)]
    apply: bool,
    /// Do not ask for confirmation
    #[arg(long, requires = "apply")]
    yes: bool,
}

#[derive(Debug, Args)]
pub struct Shred {
    /// Whose information
    #[arg(long, value_name = "ID")]
    subject: SubjectId,
    /// Which information class, a code of the policy pack
    #[arg(long)]
    class: ClassCode,
    /// Which month of creation: YYYY-MM
    #[arg(long)]
    month: String,
    /// Why; kept in the ledger
    #[arg(long)]
    reason: String,
    /// Do it; without this, only what would be destroyed is shown
    #[arg(long)]
    apply: bool,
    /// Do not ask for confirmation
    #[arg(long, requires = "apply")]
    yes: bool,
}

/// Runs one of the commands above.
///
/// # Errors
/// What the use case refused; [`Exit::Failed`] when not confirmed.
pub async fn run(context: &Context, command: Command) -> Result<Exit> {
    let installation = Installation::open(context).await?;
    let (app, operator, console) = (&installation.app, installation.operator(), context.console);
    // The root key is read for this command only: a running program does not keep it.
    let root = RootKeyFile::open(&installation.config.root_key).map_err(installation::key_failure)?;
    match command {
        Command::Rotate(rotate) => {
            let plan = if rotate.index { INDEX_PLAN } else { RING_PLAN };
            if !rotate.apply {
                console.result(
                    &json!({"applied": false, "plan": plan}),
                    format!("{plan}\nAdd --apply to do it."),
                );
            } else {
                confirm(context, plan, rotate.yes).await?;
                let (count, what) = if rotate.index {
                    (app.rotate_index(&operator).await?, "search tokens were made anew")
                } else {
                    let count = app.rotate_ring(&operator, &root).await?;
                    (count, "keys stand under the new ring key; make a new key backup now")
                };
                console.result(&json!({"applied": true, "count": count}), format!("{count} {what}"));
            }
        }
        Command::Shred(shred) => {
            let disposal = Disposal {
                subject: shred.subject,
                class: shred.class,
                month: shred.month,
                reason: shred.reason,
            };
            let plan = app.shred(&operator, &root, &disposal, false).await?;
            if !shred.apply {
                console.result(&value_of(&plan), format!("{plan}\nAdd --apply to do it."));
            } else {
                console.note(&plan);
                confirm(context, "This cannot be undone. Destroy the keys?", shred.yes).await?;
                let done = app.shred(&operator, &root, &disposal, true).await?;
                console.result(&value_of(&done), &done);
            }
        }
    }
    installation.close().await;
    Ok(Exit::Done)
}

const RING_PLAN: &str = "Every wrapped key is put under a new ring key, and the old ring key is destroyed. \
     Key backups made before no longer open newly wrapped keys.";
const INDEX_PLAN: &str = "The search indexes get a new key and are made anew; searching goes on meanwhile.";

fn value_of(report: &ShredReport) -> serde_json::Value {
    json!({
        "applied": report.applied,
        "subject": report.subject,
        "class": report.class,
        "month": report.month,
        "keys": report.keys,
        "versions": report.versions,
        "kept_keys": report.kept_keys,
        "rings_destroyed": report.rings_destroyed,
        "destroyed": report.destroyed.map(|time| time.to_string()),
        "unreadable_everywhere_from": report.unreadable_everywhere_from.map(|time| time.to_string()),
    })
}

/// Asks on the terminal without holding up the runtime.
async fn confirm(context: &Context, question: &'static str, yes: bool) -> Result<()> {
    let console = context.console;
    tokio::task::spawn_blocking(move || console.confirm(question, yes))
        .await
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?
}
