//! `mimamori user`: accounts of staff.

use clap::{Args, Subcommand};
use mimamori_app::{IdentityProof, InitialSecret, NewStaff};
use mimamori_domain::{InstitutionId, ObjectId, OccupationCode, RoleCode};
use serde_json::json;

use crate::cli::Context;
use crate::console::table;
use crate::exit::{Exit, Result};
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an account; its first password is made and printed once
    Add(Add),
    /// Issue another first password after making sure who it is for; printed once
    Password(Password),
    /// Stop an account whose password may have leaked, until another one is issued
    Leak(Stop),
    /// Let somebody try again who is locked out after failed tries
    Unlock(Login),
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
    /// They chose a password themselves and are here: read it from standard input
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub struct Password {
    /// What the person signs in with
    login: String,
    /// Why; kept in the ledger
    #[arg(long)]
    reason: String,
    /// How it was made sure who they are; kept in the ledger
    #[arg(long)]
    proof: String,
    /// Identifier of the approved case, when the pack names a procedure for it
    #[arg(long, value_name = "ID")]
    case: Option<ObjectId>,
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
                password: if add.password_stdin { console.new_password(true)? } else { String::new() },
                login: add.login,
                name: add.name,
                kana: add.kana,
                occupation: add.occupation,
                institution: add.institution,
                roles: add.roles,
            };
            if add.password_stdin {
                let actor = app.add_staff(&operator, &staff).await?;
                let text = format!("{} {actor}", staff.login);
                console.result(&json!({"actor": actor, "login": staff.login}), text);
            } else {
                let (actor, issued) = app.issue_staff(&operator, &staff).await?;
                let value = json!({
                    "actor": actor,
                    "login": staff.login,
                    "first_password": issued.secret.as_str(),
                    "until": good_until(&issued),
                });
                console.result(&value, format!("{} {actor}\n{}", staff.login, told(&issued)));
            }
        }
        Command::Password(arguments) => {
            let actor = app.actor_named(&operator, &arguments.login).await?;
            let proof =
                IdentityProof { reason: arguments.reason, how: arguments.proof, case: arguments.case };
            let issued = app.reissue_password(&operator, actor, &proof).await?;
            let value = json!({
                "login": arguments.login,
                "first_password": issued.secret.as_str(),
                "until": good_until(&issued),
            });
            console.result(&value, told(&issued));
        }
        Command::Leak(arguments) => {
            let actor = app.actor_named(&operator, &arguments.login).await?;
            app.suspect_leak(&operator, actor, &arguments.reason).await?;
            console.result(&json!({"login": arguments.login, "active": false}), "the account was stopped");
        }
        Command::Unlock(arguments) => {
            let actor = app.actor_named(&operator, &arguments.login).await?;
            app.unlock_account(&operator, actor).await?;
            console.result(&json!({"login": arguments.login}), "the account was unlocked");
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

/// What is told once about a first password.
fn told(issued: &InitialSecret) -> String {
    format!(
        "仮パスワード / first password: {}\n{} まで / until {}; 最初に変更が必要 / to be changed at first sign-in",
        issued.secret.as_str(),
        good_until(issued),
        good_until(issued),
    )
}

fn good_until(issued: &InitialSecret) -> String {
    issued.until.to_string()
}
