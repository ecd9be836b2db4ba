//! `mimamori demo`: a made-up city to look around in.
//!
//! The city comes through the same use cases as everything else: its records have authors, its
//! ledger is real. A second run finds the city of the first.

mod fill;

use std::fs;
use std::sync::Arc;

use clap::Args;
use mimamori_demo::{Options, Typical, city, typical_sign_ins};
use serde_json::json;

use self::fill::Fill;
use super::serve::Listeners;
use crate::cli::Context;
use crate::console::table;
use crate::exit::{Exit, Failure, Result};
use crate::home::Home;
use crate::installation::Installation;

/// Everybody in the city signs in with it. No secret: the people are made up, and a demonstration
/// listens on this machine only.
pub const PASSWORD: &str = "Sakura-no-hana-2026";

/// Stands in the folder while the city is being made: what an interrupted run left is no city.
const UNFINISHED: &str = "demo-unfinished";
/// Stands in the folder of a complete city.
const FINISHED: &str = "demo-city";

#[derive(Debug, Args)]
pub struct Arguments {
    /// How many people the city's network cares for
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    people: u32,
    /// Another number is another city
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only make the city
    #[arg(long)]
    no_serve: bool,
}

/// Makes the city if it is not there, shows who can sign in, and serves it.
///
/// # Errors
/// When the folder is in use for something else, or something could not be made.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<Exit> {
    let home = context.home_or("./.demo");
    let context = context.at(&home);
    if !home.path().join(FINISHED).exists() {
        make(&context, &home, arguments).await?;
    }
    let installation = Installation::open(&context).await?;
    let options = Options::demo(arguments.seed, arguments.people, mimamori_domain::Timestamp::default());
    let typical = typical_sign_ins(&city(&options));
    if arguments.no_serve {
        show(&context, &home, None, &typical);
        installation.close().await;
        return Ok(Exit::Done);
    }
    let mut config = installation.config.clone();
    let listeners = match Listeners::bind(&config).await {
        Ok(listeners) => listeners,
        // Another program has the usual port: a demonstration takes any other.
        Err(failure) if failure.exit == Exit::Unavailable => {
            config.listen.staff.set_port(0);
            config.listen.fhir.set_port(0);
            Listeners::bind(&config).await?
        }
        Err(failure) => return Err(failure),
    };
    let addresses = (config.url(listeners.staff.address()), config.url(listeners.fhir.address()));
    show(&context, &home, Some(addresses), &typical);
    listeners.serve(installation).await?;
    Ok(Exit::Done)
}

async fn make(context: &Context, home: &Home, arguments: &Arguments) -> Result<()> {
    let unfinished = home.path().join(UNFINISHED);
    if unfinished.exists() {
        context.console.note("The last run was interrupted: beginning again.");
        fs::remove_dir_all(home.path())
            .map_err(|error| Failure::io(Exit::CannotCreate, home.path(), &error))?;
    } else if home.config().exists() {
        return Err(Failure::new(
            Exit::CannotCreate,
            format!("{} holds an installation that is no demonstration", home.path().display()),
        )
        .next("Name another folder with --home."));
    }
    let values = [("name", "見守り デモ市"), ("log.level", "warn")];
    Installation::create(context, "demo.mimamori", &values).await?;
    crate::home::write_private(&unfinished, b"")?;
    let installation = Installation::open(context).await?;
    let now = mimamori_domain::Clock::now(installation.clock.as_ref());
    let fill = Fill {
        app: Arc::clone(&installation.app),
        operator: installation.operator(),
        console: context.console,
        options: Options::demo(arguments.seed, arguments.people, now),
    };
    let left_out = fill.run().await;
    let signed = installation.app.checkpoint().await;
    installation.close().await;
    for (reason, count) in left_out? {
        context.console.note(format!("left out {count}: {reason}"));
    }
    signed?;
    let finished = home.path().join(FINISHED);
    fs::rename(&unfinished, &finished).map_err(|error| Failure::io(Exit::CannotCreate, &finished, &error))
}

fn show(context: &Context, home: &Home, addresses: Option<(String, String)>, typical: &[Typical]) {
    let place = home.path().display();
    let value = json!({
        "home": home.path(),
        "staff": addresses.as_ref().map(|(staff, _)| staff),
        "fhir": addresses.as_ref().map(|(_, fhir)| format!("{fhir}fhir")),
        "password": PASSWORD,
        "sign_ins": typical.iter().map(|who| json!({"login": who.login, "ja": who.who_ja, "en": who.who_en})).collect::<Vec<_>>(),
    });
    let rows: Vec<Vec<String>> =
        typical.iter().map(|who| vec![who.login.clone(), who.who_ja.clone(), who.who_en.clone()]).collect();
    let mut text = format!(
        "\n{}\n\nパスワード（全員共通） / password (everybody): {PASSWORD}\n",
        table(&["ログイン / sign-in", "誰", "who"], &rows)
    );
    match addresses {
        Some((staff, fhir)) => {
            text.push_str(&format!(
                "\n画面 / pages:  {staff}\nFHIR:          {fhir}fhir/metadata\n\
                 終了 / stop:   Ctrl+C\n\
                 証跡の検証 / verify the ledger:  mimamori --home {place} ledger verify"
            ));
        }
        None => text.push_str(&format!("\nmimamori --home {place} serve")),
    }
    context.console.result(&value, text);
}
