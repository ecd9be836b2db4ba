//! `mimamori terminal`: registered devices and their certificates.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, Subcommand};
use mimamori_app::{NewTerminal, TerminalFile, TerminalView};
use mimamori_domain::{InstitutionId, ObjectId, TerminalId};
use serde_json::json;

use crate::cli::Context;
use crate::exit::{Exit, Failure, Result};
use crate::home;
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Register a terminal and write its certificate and key to a file
    Add(Add),
    /// List terminals
    List,
    /// Write another certificate for a terminal; the present one stays good until it ends
    Renew(Renew),
    /// Make a terminal's certificates useless at once and everywhere
    Revoke(Revoke),
    /// Print the lists of revoked certificates (PEM), one for each authority that is believed
    Crl,
    /// Print the certificates of the authority for terminals (PEM), for a reverse proxy to verify by; exchange it
    Authority(Exchange),
}

#[derive(Debug, Args)]
pub struct Exchange {
    #[command(subcommand)]
    what: Option<ExchangeCommand>,
}

#[derive(Debug, Subcommand)]
pub enum ExchangeCommand {
    /// Issue by a new authority from now on; the present one is believed for so many days more
    Renew(RenewAuthority),
    /// Believe earlier authorities no more, once every terminal has a certificate of the present one
    Retire,
}

#[derive(Debug, Args)]
pub struct RenewAuthority {
    /// Days within which every terminal gets a new certificate
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=400))]
    days: u32,
}

#[derive(Debug, Args)]
pub struct Add {
    /// What people call it
    name: String,
    /// Where it stands, or who carries it
    #[arg(long)]
    place: String,
    /// Identifier of the institution it belongs to
    #[arg(long, value_name = "ID")]
    institution: Option<InstitutionId>,
    /// Sign-in name of whoever answers for it
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
    /// Identifier of its entry in a register of devices
    #[arg(long, value_name = "ID")]
    asset: Option<ObjectId>,
    /// Where the file (PKCS#12) is written; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Renew {
    /// Identifier of the terminal (`mimamori terminal list`)
    id: TerminalId,
    /// Where the file (PKCS#12) is written; it must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// Identifier of the terminal (`mimamori terminal list`)
    id: TerminalId,
    /// Why
    #[arg(long)]
    reason: String,
}

/// Runs one of the commands above.
///
/// # Errors
/// What the use case refused; [`Exit::CannotCreate`] when the file is there already.
pub async fn run(context: &Context, command: Command) -> Result<Exit> {
    let installation = Installation::open(context).await?;
    let (app, operator) = (&installation.app, installation.operator());
    match command {
        Command::Add(add) => {
            let new = NewTerminal {
                name: add.name,
                place: add.place,
                institution: add.institution,
                owner: add.owner,
                asset: add.asset,
            };
            give_out(context, &add.out, app.register_terminal(&operator, &new)).await?;
        }
        Command::Renew(renew) => {
            give_out(context, &renew.out, app.renew_terminal(&operator, renew.id)).await?;
        }
        Command::Revoke(revoke) => {
            app.revoke_terminal(&operator, revoke.id, &revoke.reason).await?;
            context.console.result(&json!({"revoked": revoke.id}), "the terminal is refused from now on");
        }
        Command::List => {
            let terminals = app.terminals(&operator).await?;
            let rows: Vec<_> = terminals.iter().map(row).collect();
            let lines: Vec<String> = terminals.iter().map(line).collect();
            context.console.result(&json!(rows), lines.join("\n"));
        }
        Command::Crl => {
            let lists = app.terminal_revocations().await?;
            let text: String = lists.iter().map(|list| pem("X509 CRL", list)).collect();
            context.console.result(&json!({"crl": text}), text.trim_end());
        }
        Command::Authority(Exchange { what: None }) => {
            let believed = app.terminal_authority(&operator).await?;
            let text: String = believed.iter().map(|one| pem("CERTIFICATE", one)).collect();
            context.console.result(&json!({"certificate": text}), text.trim_end());
        }
        Command::Authority(Exchange { what: Some(ExchangeCommand::Renew(renew)) }) => {
            let until = app.clock().now().plus(Duration::from_secs(86_400) * renew.days);
            app.renew_terminal_authority(&operator, until).await?;
            let told = format!(
                "a new authority issues from now on; earlier certificates are good until {until} at the latest"
            );
            context.console.result(&json!({"earlier_until": until.to_string()}), told);
        }
        Command::Authority(Exchange { what: Some(ExchangeCommand::Retire) }) => {
            app.retire_terminal_authority(&operator).await?;
            context.console.result(&json!({"retired": true}), "earlier authorities are believed no more");
        }
    }
    installation.close().await;
    Ok(Exit::Done)
}

/// Issues a certificate into a file. The file is made first: what cannot be written is not issued.
async fn give_out(
    context: &Context,
    out: &Path,
    issue: impl Future<Output = mimamori_domain::Result<TerminalFile>>,
) -> Result<()> {
    home::write_private(out, b"")?;
    let given = match issue.await {
        Ok(given) => given,
        Err(error) => {
            // Empty, and made just now.
            let _gone = std::fs::remove_file(out);
            return Err(error.into());
        }
    };
    let kept = std::fs::OpenOptions::new().write(true).open(out).and_then(|mut file| {
        file.write_all(&given.file)?;
        file.sync_all()
    });
    kept.map_err(|error| Failure::io(Exit::CannotCreate, out, &error))?;
    context.console.note("Keep this passphrase until the file is installed: it is not shown again.");
    context.console.result(
        &json!({
            "terminal": given.terminal,
            "file": out,
            "passphrase": given.passphrase.as_str(),
            "until": given.until.to_string(),
        }),
        given.passphrase.as_str(),
    );
    Ok(())
}

fn row(view: &TerminalView) -> serde_json::Value {
    json!({
        "id": view.id,
        "name": view.name,
        "place": view.place,
        "institution": view.institution.as_ref().map(|(id, _)| id),
        "asset": view.asset.as_ref().map(|(_, entry)| entry),
        "active": view.active,
        "until": view.until.map(|until| until.to_string()),
        "expiring": view.expiring,
        "certificates": view.certificates.iter().map(|(serial, revoked)| {
            json!({"serial": serial, "revoked": revoked})
        }).collect::<Vec<_>>(),
    })
}

fn line(view: &TerminalView) -> String {
    let state = match (view.active, view.until) {
        (true, Some(until)) if view.expiring => format!("until {until}, renew it"),
        (true, Some(until)) => format!("until {until}"),
        (true, None) => "without a certificate: renew issues one".to_owned(),
        (false, _) => "revoked".to_owned(),
    };
    format!("{}  {}  {}  {state}", view.id, view.name, view.place)
}

/// Textual encoding (RFC 7468).
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem + &format!("\n-----END {label}-----\n")
}
