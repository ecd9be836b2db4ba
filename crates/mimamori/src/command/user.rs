//! `mimamori user`: accounts of staff.

use clap::{Args, Subcommand};
use mimamori_app::{AccountSort, IdentityProof, InitialSecret, NewStaff, TableFormat};
use mimamori_domain::{InstitutionId, ObjectId, OccupationCode, RoleCode};
use serde_json::json;

use crate::cli::Context;
use crate::console::table;
use crate::exit::{Exit, Failure, Result};
use crate::installation::Installation;
use crate::when;

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
    /// Say until when an account may be used: with the contract, the appointment or the work
    End(End),
    /// Delete an account for good: nothing opens it again, and nobody gets its sign-in name
    Close(Stop),
    /// Say what an account is for: ordinary, development, maintenance, emergency
    Sort(Sort),
    /// Link an account to whom the identity provider knows its owner as
    Link(Link),
    /// Take an account's link to the identity provider away; its sessions end
    Unlink(Stop),
    /// Say who may take a shared id: these people and nobody else
    Permit(Permit),
    /// Make many accounts from a table, all or none; their first passwords are printed once
    Import(Import),
    /// List every account
    List,
}

#[derive(Debug, Args)]
pub struct Import {
    /// CSV or Excel: a heading, then a row for each account. login, name and institution are needed; kana,
    /// occupation, unit, mail and ends (the last day) may be given
    table: std::path::PathBuf,
    /// Do not ask once more
    #[arg(long)]
    yes: bool,
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
pub struct End {
    /// What the person signs in with
    login: String,
    /// The end, exclusive: YYYY-MM-DD (the beginning of that day in Japan) or RFC 3339
    #[arg(long, value_name = "TIME", required_unless_present = "never")]
    at: Option<String>,
    /// Take the end away
    #[arg(long, conflicts_with = "at")]
    never: bool,
    /// Why; kept in the ledger
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub struct Sort {
    /// What the person signs in with
    login: String,
    /// ordinary, development, maintenance (open inside approved windows only), emergency, or shared (taken by
    /// permitted people who signed in as themselves; it loses its password)
    #[arg(value_parser = ["ordinary", "development", "maintenance", "emergency", "shared"])]
    sort: String,
    /// Why; kept in the ledger
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub struct Link {
    /// What the person signs in with
    login: String,
    /// As whom the provider knows them: its subject (`sub`)
    #[arg(long)]
    subject: String,
    /// Why; kept in the ledger
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub struct Permit {
    /// Sign-in name of the shared id
    login: String,
    /// Sign-in name of somebody who may take it; may be repeated, left out nobody may
    #[arg(long = "person", value_name = "LOGIN")]
    people: Vec<String>,
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
        Command::End(arguments) => {
            let ends = arguments.at.as_deref().map(when::parse).transpose()?;
            let actor = app.actor_named(&operator, &arguments.login).await?;
            app.set_account_end(&operator, actor, ends, &arguments.reason).await?;
            let text = ends.map_or_else(|| "no end".to_owned(), |ends| format!("until {}", when::show(ends)));
            console
                .result(&json!({"login": arguments.login, "ends": ends.map(|ends| ends.to_string())}), text);
        }
        Command::Close(arguments) => {
            let actor = app.actor_named(&operator, &arguments.login).await?;
            app.close_account(&operator, actor, &arguments.reason).await?;
            console.result(&json!({"login": arguments.login, "closed": true}), "the account was closed");
        }
        Command::Sort(arguments) => {
            let actor = app.actor_named(&operator, &arguments.login).await?;
            // The words above are those of the sorts.
            let sort = AccountSort::of(&arguments.sort).unwrap_or_default();
            app.set_account_sort(&operator, actor, sort, &arguments.reason).await?;
            console.result(&json!({"login": arguments.login, "sort": sort.as_str()}), sort.as_str());
        }
        Command::Link(arguments) => {
            let config = &installation.config;
            crate::provider::serve(app, config, config.listen.staff.port())?;
            let actor = app.actor_named(&operator, &arguments.login).await?;
            app.link_account(&operator, actor, &arguments.subject, &arguments.reason).await?;
            let value = json!({"login": arguments.login, "issuer": app.provider_issuer()});
            console.result(&value, "the account was linked");
        }
        Command::Unlink(arguments) => {
            let actor = app.actor_named(&operator, &arguments.login).await?;
            app.unlink_account(&operator, actor, &arguments.reason).await?;
            console.result(&json!({"login": arguments.login, "linked": false}), "the account was unlinked");
        }
        Command::Permit(arguments) => {
            let actor = app.actor_named(&operator, &arguments.login).await?;
            app.permit_shared(&operator, actor, &arguments.people, &arguments.reason).await?;
            let value = json!({"login": arguments.login, "permitted": arguments.people});
            console.result(&value, format!("{} people may take it", arguments.people.len()));
        }
        Command::Import(arguments) => {
            let bytes = std::fs::read(&arguments.table).map_err(|error| {
                Failure::new(Exit::Usage, format!("{}: {error}", arguments.table.display()))
            })?;
            let format = TableFormat::of_bytes(&bytes);
            let rows = match app.look_at_accounts(&operator, &bytes, format).await {
                Ok(rows) => rows,
                Err(error) => {
                    for fault in error.faults() {
                        console.note(format!("{}: {}", fault.place, fault.rule));
                    }
                    return Err(error.into());
                }
            };
            for row in &rows {
                console.note(format!("{} {} ({})", row.login, row.name, row.institution.1));
            }
            console.confirm(&format!("{} accounts will be made", rows.len()), arguments.yes)?;
            let issued = app.import_accounts(&operator, &bytes, format).await?;
            let values: Vec<_> = issued
                .iter()
                .map(|one| {
                    json!({
                        "login": one.login,
                        "first_password": one.secret.as_str(),
                        "until": good_until(one),
                    })
                })
                .collect();
            let rows: Vec<Vec<String>> = issued
                .iter()
                .map(|one| vec![one.login.clone(), one.secret.to_string(), good_until(one)])
                .collect();
            console.result(&json!(values), table(&["login", "first password", "until"], &rows));
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
