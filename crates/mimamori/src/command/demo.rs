//! `mimamori demo`: a made-up city to look around in.
//!
//! The city comes through the same use cases as everything else: its records have authors, its
//! ledger is real. A second run finds the city of the first.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use indicatif::ProgressBar;
use mimamori_city::{Fill, PASSWORD, Progress, lived_in, sign_ins};
use mimamori_demo::{Options, Typical};
use mimamori_domain::{ManualClock, SystemClock, Timestamp};
use serde_json::{Value, json};

use super::serve::Listeners;
use crate::cli::Context;
use crate::console::{Console, table};
use crate::exit::{Exit, Failure, Result};
use crate::home::Home;
use crate::installation::Installation;
use crate::packs;

/// Stands in the folder while the city is being made: what an interrupted run left is no city.
const UNFINISHED: &str = "demo-unfinished";
/// Stands in the folder of a complete city.
const FINISHED: &str = "demo-city";

const DAY: Duration = Duration::from_secs(86_400);
/// Of so many people every note of the whole history is there, at most.
const CLOSE: u32 = 15;
/// One of so many people is one of them.
const CLOSE_OF: u32 = 7;
/// Of the others everything was noted in so many of the last days.
const OTHERS_DAYS: u32 = 21;
/// How many days of records there are unless something else is asked for.
const RECORDS_DAYS: u32 = 730;
/// How many days of the organisation's history there are unless something else is asked for.
const DAYS: u32 = 183;
/// How many people there are unless something else is asked for, and whose rules.
pub(crate) const PEOPLE: u32 = 300;
const PACK: &str = "base";
/// Where the city of the base pack is made.
const FOLDER: &str = "./.demo";

#[derive(Debug, Args)]
pub struct Arguments {
    /// How many people the city's network cares for
    #[arg(long, default_value_t = PEOPLE, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    people: u32,
    /// Another number is another city
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The rules that the city lives by: the name of a built-in pack, or a folder
    #[arg(long, value_name = "ID|DIR", default_value = PACK)]
    pack: PathBuf,
    /// How many days of the organisation's history to make: 183 unless given
    #[arg(long, value_parser = clap::value_parser!(u32).range(7..=366))]
    days: Option<u32>,
    /// How many days of records to make: as many as `--days` if that is given, else 730. Of one in seven
    /// people, at most 15, every note is there, of the others those of the last 21 days
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(7..=1_100))]
    records_days: Option<u32>,
    /// When the history ends, in UTC such as 2026-04-01T03:00:00Z; now unless given
    #[arg(long, value_name = "TIME")]
    until: Option<jiff::Timestamp>,
    /// Only make the city
    #[arg(long)]
    no_serve: bool,
}

impl Arguments {
    /// What to make of each person.
    fn options(&self, today: Timestamp) -> Options {
        Options {
            days: self.records_days.or(self.days).unwrap_or(RECORDS_DAYS),
            others_days: OTHERS_DAYS,
            close: self.people.div_ceil(CLOSE_OF).min(CLOSE),
            ..Options::demo(self.seed, self.people, today)
        }
    }
}

/// Makes the city if it is not there, shows who can sign in, and serves it.
///
/// # Errors
/// When the folder is in use for something else, or something could not be made.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<Exit> {
    // Each pack has a city of its own.
    let name = arguments.pack.file_name().and_then(std::ffi::OsStr::to_str).filter(|name| *name != "base");
    let home = context.home_or(&name.map_or_else(|| FOLDER.to_owned(), |name| format!("{FOLDER}-{name}")));
    let context = context.at(&home);
    if !home.path().join(FINISHED).exists() {
        make(&context, &home, arguments, &[("name", "見守り デモ市"), ("log.level", "warn")]).await?;
    }
    let installation = Installation::open(&context).await?;
    let made = read(&home.path().join(FINISHED))?;
    if arguments.no_serve {
        show(&context, &home, None, &made);
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
    show(&context, &home, Some(addresses), &made);
    listeners.serve(installation).await?;
    Ok(Exit::Done)
}

/// Makes the usual city of the base pack in a folder, with these settings.
///
/// # Errors
/// As [`run`].
pub(crate) async fn make_city(
    context: &Context,
    home: &Home,
    seed: u64,
    settings: &[(&str, &str)],
) -> Result<()> {
    let usual = Arguments {
        people: PEOPLE,
        seed,
        pack: PathBuf::from(PACK),
        days: None,
        records_days: None,
        until: None,
        no_serve: true,
    };
    make(context, home, &usual, settings).await
}

/// Who is worth looking at in a city that was made: their sign-in names.
///
/// # Errors
/// When there is no such city.
pub(crate) fn sign_in_names(home: &Home) -> Result<Vec<String>> {
    let made = read(&home.path().join(FINISHED))?;
    Ok(made.typical.into_iter().map(|who| who.login).collect())
}

async fn make(
    context: &Context,
    home: &Home,
    arguments: &Arguments,
    settings: &[(&str, &str)],
) -> Result<()> {
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
    let pack = packs::chosen(&arguments.pack, &[])?;
    let pack = lived_in(&pack).map_err(|problems| packs::not_valid(Some(&arguments.pack), &problems))?;
    let now = mimamori_domain::Clock::now(&SystemClock::default());
    let today = arguments.until.map_or(now, Into::into);
    if today > now {
        return Err(Failure::new(Exit::Usage, "the history cannot end later than now"));
    }
    let demo = arguments.options(today);
    let days = arguments.days.unwrap_or(DAYS);
    let begun = today.minus(DAY * days.max(demo.days));
    let clock = Arc::new(ManualClock::at(opening(begun)));
    Installation::create_under(
        context,
        "demo.mimamori",
        settings,
        Some(pack.clone()),
        Arc::clone(&clock) as _,
    )
    .await?;
    crate::home::write_private(&unfinished, b"")?;
    let installation = Installation::open_at(context, Arc::clone(&clock) as _).await?;
    let options = demo;
    let fill = Fill {
        app: Arc::clone(&installation.app),
        operator: installation.operator(),
        progress: Arc::new(context.console),
        options,
        rules_days: days,
        clock,
    };
    let filled = fill.run().await;
    let signed = installation.app.checkpoint().await;
    installation.close().await;
    let filled = filled?;
    let left_out: u64 = filled.left_out.values().sum();
    if left_out > 0 {
        context.console.note(format!(
"作り物の日々のうち、その時の規程や状態では認められなかった手順{left_out}件は省きました / {left_out} steps of the made-up days were refused, as the rules and the state of things were then, and left out:"
        ));
    }
    for (reason, count) in &filled.left_out {
        context.console.note(format!("  {count} × {reason}"));
    }
    signed?;
    let made = Made {
        typical: sign_ins(&options, &pack, &filled),
        filled: json!(filled.tally),
        line: filled.tally.line(),
    };
    let finished = home.path().join(FINISHED);
    crate::home::write_private(&finished, made.written().to_string().as_bytes())?;
    fs::remove_file(&unfinished).map_err(|error| Failure::io(Exit::CannotCreate, &unfinished, &error))
}

impl Progress for Console {
    fn bar(&self, length: u64, what: &'static str) -> ProgressBar {
        Self::bar(*self, length, what)
    }
}

/// Half past eight in the morning of that day in Japan.
fn opening(day: Timestamp) -> Timestamp {
    let japan = jiff::tz::Offset::constant(9);
    let date = japan.to_datetime(jiff::Timestamp::from(day)).date();
    japan.to_timestamp(date.at(8, 30, 0, 0)).map_or(day, Into::into)
}

/// What is remembered of a city that was made.
struct Made {
    typical: Vec<Typical>,
    /// Counts of what it holds.
    filled: Value,
    /// The same in a line.
    line: String,
}

impl Made {
    fn written(&self) -> Value {
        json!({"sign_ins": written(&self.typical), "filled": self.filled, "line": self.line})
    }
}

fn written(typical: &[Typical]) -> Value {
    json!(
        typical
            .iter()
            .map(|who| json!({"login": who.login, "ja": who.who_ja, "en": who.who_en}))
            .collect::<Vec<_>>()
    )
}

fn read(path: &Path) -> Result<Made> {
    let text = fs::read_to_string(path).map_err(|error| Failure::io(Exit::Unavailable, path, &error))?;
    let made: Value = serde_json::from_str(&text).unwrap_or_default();
    let text = |row: &Value, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let typical =
        |row| Typical { login: text(row, "login"), who_ja: text(row, "ja"), who_en: text(row, "en") };
    let rows = made.get("sign_ins").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Ok(Made {
        typical: rows.iter().map(typical).collect(),
        filled: made.get("filled").cloned().unwrap_or_default(),
        line: text(&made, "line"),
    })
}

fn show(context: &Context, home: &Home, addresses: Option<(String, String)>, made: &Made) {
    let place = home.path().display();
    let value = json!({
        "home": home.path(),
        "staff": addresses.as_ref().map(|(staff, _)| staff),
        "fhir": addresses.as_ref().map(|(_, fhir)| format!("{fhir}fhir")),
        "password": PASSWORD,
        "sign_ins": written(&made.typical),
        "filled": made.filled,
    });
    let rows: Vec<Vec<String>> = made
        .typical
        .iter()
        .flat_map(|who| {
            // One language a line: both on one are wider than most terminals.
            [vec![who.login.clone(), who.who_ja.clone()], vec![String::new(), who.who_en.clone()]]
        })
        .collect();
    let mut text = format!(
        "\n{}\n\n{}\nパスワード（全員共通） / password (everybody): {PASSWORD}\n",
        table(&["ログイン / sign-in", "誰 / who"], &rows),
        made.line
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
