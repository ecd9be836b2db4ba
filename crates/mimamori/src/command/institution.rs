//! `mimamori institution`: hospitals, clinics, pharmacies, offices.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::Context;
use crate::console::table;
use crate::exit::{Exit, Failure, Result};
use crate::installation::Installation;

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add an institution by name or as a FHIR Organization
    Add(Add),
    /// List every institution with its identifier
    List,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Add {
    /// Its name
    #[arg(long)]
    name: Option<String>,
    /// A file with a FHIR R4 Organization in JSON
    #[arg(long, value_name = "FILE")]
    organization: Option<PathBuf>,
}

/// Runs one of the commands above.
///
/// # Errors
/// What the use case refused.
pub async fn run(context: &Context, command: Command) -> Result<Exit> {
    let installation = Installation::open(context).await?;
    let (app, operator) = (&installation.app, installation.operator());
    match command {
        Command::Add(add) => {
            let organization = match (add.name, add.organization) {
                (_, Some(file)) => std::fs::read_to_string(&file)
                    .map_err(|error| Failure::io(Exit::Failed, &file, &error))?,
                (name, None) => {
                    let name = name.unwrap_or_default();
                    json!({"resourceType": "Organization", "active": true, "name": name}).to_string()
                }
            };
            let id = app.add_institution(&operator, &organization).await?;
            context.console.result(&json!({"institution": id}), id);
        }
        Command::List => {
            let institutions = app.institutions(&operator).await?;
            let values: Vec<_> =
                institutions.iter().map(|(id, name)| json!({"institution": id, "name": name})).collect();
            let rows: Vec<_> =
                institutions.iter().map(|(id, name)| vec![id.to_string(), name.clone()]).collect();
            context.console.result(&json!(values), table(&["institution", "name"], &rows));
        }
    }
    installation.close().await;
    Ok(Exit::Done)
}
