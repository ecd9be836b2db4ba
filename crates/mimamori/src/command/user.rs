//! `mimamori user`: accounts of staff.

use clap::{Args, Subcommand};
use mimamori_app::NewStaff;
use mimamori_domain::{InstitutionId, OccupationCode, RoleCode};
use serde_json::json;

use crate::cli::Context;
use crate::console::table;
use crate::exit::{Exit, Result};
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an account; the password is asked for, never an argument
    Add(Add),
    /// Set another password
    Password(Password),
    /// Stop an account: sessions end at once
    Stop(Stop),
    /// Let a stopped account sign in again
    Resume(Login),
    /// List every account
    List,
}

#[derive(Debug, Args)]
pub struct Add {
    /// What the person signs in with
    login: String,
    /// Their name
    #[arg(long)]
    name: String,
    /// Their name in katakana
    #[arg(long)]
    kana: Option<String>,
    /// Occupation, a code of the policy pack (nurse, doctor, care-manager ...)
    #[arg(long)]
    occupation: Option<OccupationCode>,
    /// Identifier of the institution they work for (`mimamori institution list`)
    #[arg(long, value_name = "ID")]
    institution: Option<InstitutionId>,
    /// A duty they are appointed to, a code of the policy pack; may be repeated
    #[arg(long = "role")]
    roles: Vec<RoleCode>,
    /// Read the password from standard input instead of asking
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct Password {
    /// What the person signs in with
    login: String,
    /// Read the password from standard input instead of asking
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct Stop {
    /// What the person signs in with
    login: String,
    /// Why; kept in the ledger
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub struct Login {
    /// What the person signs in with
    login: String,
}

/// Runs one of the commands above.
///
/// # Errors
/// What the use case refused.
pub async fn run(context: &Context, command: Command) -> Result<Exit> {
    let installation = Installation::open(context).await?;
    let (app, operator, console) = (&installation.app, installation.operator(), context.console);
    match command {
        Command::Add(add) => {
            let staff = NewStaff {
                password: console.new_password(add.password_stdin)?,
                login: add.login,
                name: add.name,
                kana: add.kana,
                occupation: add.occupation,
                institution: add.institution,
                roles: add.roles,
            };
            let actor = app.add_staff(&operator, &staff).await?;
            console
                .result(&json!({"actor": actor, "login": staff.login}), format!("{} {actor}", staff.login));
        }
        Command::Password(arguments) => {
            let password = console.new_password(arguments.password_stdin)?;
            app.set_password(&operator, &arguments.login, &password).await?;
            console.result(&json!({"login": arguments.login}), "the password was set");
        }
        Command::Stop(arguments) => {
            app.stop_account(&operator, &arguments.login, &arguments.reason).await?;
            console.result(&json!({"login": arguments.login, "active": false}), "the account was stopped");
        }
        Command::Resume(arguments) => {
            app.resume_account(&operator, &arguments.login).await?;
            console
                .result(&json!({"login": arguments.login, "active": true}), "the account may sign in again");
        }
        Command::List => {
            let accounts = app.accounts(&operator).await?;
            let text = |code: Option<&dyn std::fmt::Display>| code.map(ToString::to_string);
            let rows: Vec<Vec<String>> = accounts
                .iter()
                .map(|account| {
                    vec![
                        account.login.clone(),
                        account.name.clone(),
                        if account.active { "active".into() } else { "stopped".into() },
                        text(account.occupation.as_ref().map(|code| code as _)).unwrap_or_default(),
                        text(account.institution.as_ref().map(|id| id as _)).unwrap_or_default(),
                        account.actor.to_string(),
                    ]
                })
                .collect();
            let values: Vec<_> = accounts
                .iter()
                .map(|account| {
                    json!({
                        "actor": account.actor,
                        "login": account.login,
                        "name": account.name,
                        "active": account.active,
                        "occupation": account.occupation,
                        "institution": account.institution,
                    })
                })
                .collect();
            console.result(
                &json!(values),
                table(&["login", "name", "state", "occupation", "institution", "actor"], &rows),
            );
        }
    }
    installation.close().await;
    Ok(Exit::Done)
}
