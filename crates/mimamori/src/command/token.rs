//! `mimamori token`: bearer tokens for programs.

use clap::{Args, Subcommand};
use mimamori_domain::{ActorId, InstitutionId};
use serde_json::json;

use crate::cli::Context;
use crate::exit::{Exit, Result};
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a token; it is shown once
    Create(Create),
    /// Make a token useless at once
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Create {
    /// Which program it is for
    name: String,
    /// Identifier of the institution the program acts for
    #[arg(long, value_name = "ID")]
    institution: InstitutionId,
    /// What it may do, such as Observation.read, *.read or *.write; may be repeated
    #[arg(long = "scope", required = true)]
    scopes: Vec<String>,
    /// How many days it is good for
    #[arg(long, default_value_t = 90)]
    days: u32,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// Identifier of the program's account (`mimamori user list`)
    id: ActorId,
}

/// Runs one of the commands above.
///
/// # Errors
/// What the use case refused.
pub async fn run(context: &Context, command: Command) -> Result<Exit> {
    let installation = Installation::open(context).await?;
    let (app, operator) = (&installation.app, installation.operator());
    match command {
        Command::Create(create) => {
            let token = app
                .create_token(&operator, &create.name, create.institution, &create.scopes, create.days)
                .await?;
            context.console.note("Keep this token now: it is not shown again.");
            context.console.result(&json!({"token": token}), token);
        }
        Command::Revoke(revoke) => {
            app.revoke_token(&operator, revoke.id).await?;
            context.console.result(&json!({"revoked": revoke.id}), "the token is useless now");
        }
    }
    installation.close().await;
    Ok(Exit::Done)
}
