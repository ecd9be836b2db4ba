//! `mimamori program`: programs that prove who they are by keys or certificates of their own.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mimamori_app::NewProgram;
use mimamori_domain::{ActorId, InstitutionId, TerminalId};
use serde_json::json;

use crate::cli::Context;
use crate::exit::{Exit, Failure, Result};
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register a program (SMART Backend Services); prints the id it signs in by
    Add(Add),
    /// List programs
    List,
    /// Refuse a program and its tokens from now on
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Add {
    /// Which program it is
    name: String,
    /// Identifier of the institution the program acts for
    #[arg(long, value_name = "ID")]
    institution: InstitutionId,
    /// What it may do, such as system/Observation.rs or system/*.cu; may be repeated
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
    /// File with its public keys (JWK Set; RS384 or ES384)
    #[arg(long, value_name = "FILE", required_unless_present = "terminal")]
    jwks: Option<PathBuf>,
    /// Identifier of the registered terminal whose certificate it shows
    #[arg(long, value_name = "ID")]
    terminal: Option<TerminalId>,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// Identifier of the program (`mimamori program list`)
    id: ActorId,
    /// Why
    #[arg(long, default_value = "revoked at the command line")]
    reason: String,
}

/// Runs one of the commands above.
///
/// # Errors
/// What the use case refused; [`Exit::Unavailable`] when the file cannot be read.
pub async fn run(context: &Context, command: Command) -> Result<Exit> {
    let installation = Installation::open(context).await?;
    let (app, operator) = (&installation.app, installation.operator());
    match command {
        Command::Add(add) => {
            let read = |path: PathBuf| {
                std::fs::read_to_string(&path).map_err(|error| Failure::io(Exit::Unavailable, &path, &error))
            };
            let new = NewProgram {
                name: add.name,
                institution: add.institution,
                scopes: add.scopes,
                jwks: add.jwks.map(read).transpose()?,
                terminal: add.terminal,
            };
            let id = app.register_program(&operator, &new).await?;
            context.console.result(&json!({"client_id": id}), id);
        }
        Command::List => {
            let programs = app.programs(&operator).await?;
            let rows: Vec<_> = programs
                .iter()
                .map(|program| {
                    json!({
                        "client_id": program.id,
                        "name": program.name,
                        "institution": program.institution,
                        "scopes": program.scopes,
                        "active": program.active,
                        "keys": program.keys.iter().map(|key| {
                            json!({"kid": key.id, "thumbprint": key.thumbprint})
                        }).collect::<Vec<_>>(),
                        "terminal": program.terminal,
                        "last_token": program.last_token.map(|at| at.to_string()),
                    })
                })
                .collect();
            let lines: Vec<String> = programs
                .iter()
                .map(|program| {
                    let state = if program.active { program.scopes.join(" ") } else { "revoked".to_owned() };
                    format!("{}  {}  {state}", program.id, program.name)
                })
                .collect();
            context.console.result(&json!(rows), lines.join("\n"));
        }
        Command::Revoke(revoke) => {
            app.revoke_program(&operator, revoke.id, &revoke.reason).await?;
            context.console.result(&json!({"revoked": revoke.id}), "the program is refused from now on");
        }
    }
    installation.close().await;
    Ok(Exit::Done)
}
