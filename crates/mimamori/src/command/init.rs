//! `mimamori init`: a new installation.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use mimamori_domain::SystemClock;
use serde_json::json;

use crate::cli::Context;
use crate::exit::{Exit, Result};
use crate::installation::Installation;
use crate::packs;

#[derive(Debug, Args)]
pub struct Arguments {
    /// What the installation is called, shown on every page
    #[arg(long, default_value = "見守り")]
    name: String,
    /// Name of its ledger in checkpoints, for ever: a-z, 0-9, . and - [default: this machine's name]
    #[arg(long, value_name = "NAME")]
    ledger: Option<String>,
    /// Database: sqlite:PATH or postgres://USER@HOST/NAME [default: SQLite in the folder]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The organisation's rules: the name of a built-in pack, or a folder [default: base]
    #[arg(long, value_name = "ID|DIR")]
    pack: Option<PathBuf>,
    /// A value that the rules leave to the site; may be given several times
    #[arg(long, value_name = "KEY=VALUE", requires = "pack")]
    set: Vec<String>,
}

/// Makes folder, settings, keys, database and the first ledger entry.
///
/// # Errors
/// [`Exit::CannotCreate`] when the folder is not empty; else what went wrong.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<Exit> {
    let mut values = vec![("name", arguments.name.as_str())];
    values.extend(arguments.database.as_deref().map(|url| ("database", url)));
    let ledger = arguments.ledger.clone().unwrap_or_else(machine_name);
    let pack = arguments.pack.as_deref().map(|place| packs::chosen(place, &arguments.set)).transpose()?;
    Installation::create_under(context, &ledger, &values, pack, Arc::new(SystemClock::default())).await?;
    let home = context.home()?;
    let place = home.path().display();
    context.console.result(
        &json!({"home": home.path(), "config": home.config(), "root_key": home.keys().join("root.key")}),
        format!(
            "設置しました / installed: {place}\n\
             \n\
             次に / next:\n\
             1. {place}/keys/root.key を別の媒体にも保管 / keep a copy of the root key elsewhere\n\
             2. mimamori --home {place} institution add --name 施設名\n\
             3. mimamori --home {place} user add LOGIN --name 氏名 --role system-manager\n\
             4. mimamori --home {place} serve"
        ),
    );
    Ok(Exit::Done)
}

/// This machine's name, as far as it is of the form that a ledger's name has.
fn machine_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    if name.is_empty() { "mimamori".to_owned() } else { name }
}
