//! `mimamori policy`: why somebody may or may not, and whether a pack is valid.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mimamori_app::Origin;
use mimamori_domain::{Action, ClassCode, InstitutionId, SubjectId, TerminalId, ZoneCode};
use mimamori_policy::Language;
use serde_json::json;

use crate::cli::Context;
use crate::exit::{Exit, Result};
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Say why somebody may or may not do something with a person's information
    Explain(Explain),
    /// Check a policy pack without an installation
    Check(Check),
}

#[derive(Debug, Args)]
pub struct Explain {
    /// Who: what they sign in with
    login: String,
    /// Whose information
    #[arg(long, value_name = "ID")]
    subject: SubjectId,
    /// What: read, search, create, update, confirm, amend, withdraw, export, review ...
    #[arg(long, default_value = "read")]
    action: Action,
    /// Which information class, a code of the policy pack
    #[arg(long)]
    class: ClassCode,
    /// The institution that answers for the information
    #[arg(long, value_name = "ID")]
    institution: InstitutionId,
    /// From which zone, a code of the policy pack; without it as where no zones are told apart
    #[arg(long)]
    zone: Option<ZoneCode>,
    /// From which registered terminal
    #[arg(long, value_name = "ID")]
    terminal: Option<TerminalId>,
    /// Language of the answer: ja or en
    #[arg(long, default_value = "ja", value_parser = ["ja", "en"])]
    language: String,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Folder of the pack; without it the built-in base pack is checked
    folder: Option<PathBuf>,
}

/// Runs one of the commands above.
///
/// # Errors
/// What the use case refused; [`Exit::Configuration`] when a pack is not valid.
pub async fn run(context: &Context, command: Command) -> Result<Exit> {
    match command {
        Command::Check(check) => {
            let pack = crate::packs::load(check.folder.as_deref())?;
            context.console.result(
                &json!({"id": pack.id(), "hash": pack.hash_text()}),
                format!("valid: {} ({})", pack.id(), pack.hash_text()),
            );
        }
        Command::Explain(explain) => {
            let installation = Installation::open(context).await?;
            let operator = installation.operator();
            let text = installation
                .app
                .explain(
                    &operator,
                    &explain.login,
                    explain.subject,
                    explain.action,
                    explain.class,
                    explain.institution,
                    &Origin { zone: explain.zone, terminal: explain.terminal, ..Origin::default() },
                    if explain.language == "en" { Language::En } else { Language::Ja },
                )
                .await?;
            context.console.result(&json!({"explanation": text}), &text);
            installation.close().await;
        }
    }
    Ok(Exit::Done)
}
