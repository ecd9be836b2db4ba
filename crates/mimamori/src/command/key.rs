//! `mimamori key`: rotation and destruction of keys. First the plan, then `--apply`.

use clap::{Args, Subcommand};
use mimamori_domain::{ClassCode, SubjectId};
use serde_json::json;

use crate::cli::Context;
use crate::exit::{Exit, Failure, Result};
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Put every key under a new ring key and destroy the old one
    Rotate(Rotate),
    /// Destroy the data key of a person's class and month: what it sealed can never be read again
    Shred(Shred),
}

#[derive(Debug, Args)]
pub struct Rotate {
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
    match command {
        Command::Rotate(rotate) if !rotate.apply => {
            console.result(
                &json!({"applied": false}),
                "A new ring key would be made, every wrapped key put under it, and the old ring key \
                 destroyed.\nKey backups made before would no longer open newly wrapped keys: make a new one \
                 afterwards.\nAdd --apply to do it.",
            );
        }
        Command::Rotate(rotate) => {
            confirm(context, "Put every key under a new ring key and destroy the old one?", rotate.yes)
                .await?;
            let rewrapped = app.rotate_ring(&operator).await?;
            console.result(
                &json!({"applied": true, "rewrapped": rewrapped}),
                format!("{rewrapped} keys stand under the new ring key; make a new key backup now"),
            );
        }
        Command::Shred(shred) => {
            let plan = app.shred(&operator, shred.subject, shred.class.clone(), &shred.month, false).await?;
            if !shred.apply {
                console.result(
                    &json!({"applied": false, "plan": plan}),
                    format!("{plan}\nAdd --apply to do it."),
                );
                installation.close().await;
                return Ok(Exit::Done);
            }
            console.note(&plan);
            confirm(context, "This cannot be undone. Destroy the key?", shred.yes).await?;
            let done = app.shred(&operator, shred.subject, shred.class, &shred.month, true).await?;
            console.result(&json!({"applied": true, "certificate": done}), done);
        }
    }
    installation.close().await;
    Ok(Exit::Done)
}

/// Asks on the terminal without holding up the runtime.
async fn confirm(context: &Context, question: &'static str, yes: bool) -> Result<()> {
    let console = context.console;
    tokio::task::spawn_blocking(move || console.confirm(question, yes))
        .await
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?
}
