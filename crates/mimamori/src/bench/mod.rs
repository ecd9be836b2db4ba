//! `mimamori bench`: how fast this program is on this machine, and what its promises cost.
//!
//! Everything is measured against something measured in the same run, in turns, so that whatever
//! else the machine does hits both: a plain program that gives out or keeps the same bytes in the
//! same database with no authorisation, no encryption and no ledger ([`peer`]), and SHA-256 over the
//! same bytes. `docs/performance.md` says how to read the result.

mod child;
mod disk;
mod every_page;
mod filled;
mod flood;
mod http;
mod ledger;
mod load;
mod pack;
mod pages;
pub mod peer;
mod process;
mod random;
mod report;
mod typing;
mod world;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use self::report::Report;
use self::world::World;
use crate::cli::Context;
use crate::exit::{Exit, Failure, Result};

#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// An empty database to measure on [default: a new SQLite file in a temporary folder]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// Where the temporary folder is made; a disk, so that its fsync is real
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// How many made-up people to fill in; 100000 takes minutes and shows the memory of a city
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    people: u32,
    /// How many entries the ledger has before reviews and verification
    #[arg(long, default_value_t = 2_000_000, value_parser = clap::value_parser!(u64).range(1..=20_000_000))]
    entries: u64,
    /// Seconds per measurement and side
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Seconds to wait once everything is filled in: the disk then still writes what it was given
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=3_600))]
    rest: u64,
    /// Numbers of connections
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64], value_parser = clap::value_parser!(u16).range(1..=512))]
    connections: Vec<u16>,
    /// Another number is another city and another order of work
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only these parts
    #[arg(long, value_delimiter = ',', value_enum, value_name = "NAMES")]
    only: Vec<Part>,
}

/// A part of the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Reading each built-in policy pack and putting it into force
    Pack,
    /// Appending to the ledger, verifying it, counting a day of it
    Ledger,
    /// Taking in people and their records
    Import,
    /// Starting the server, and its memory before anybody asks
    Start,
    /// Audited reads of one resource
    Read,
    /// Audited reads while passwords are guessed by the thousand
    Flood,
    /// The page of one person's notebook
    Timeline,
    /// The pages that people open all day, at 64 connections
    Pages,
    /// Every page that people of the demonstration's city come to, among so many others; only when named
    EveryPage,
    /// Durable creates of one resource
    Create,
    /// Nine reads to one create, and the memory after it
    Mixed,
}

impl Arguments {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    fn wants_server(&self) -> bool {
        [Part::Start, Part::Read, Part::Flood, Part::Timeline, Part::Pages, Part::Create, Part::Mixed]
            .into_iter()
            .any(|part| self.wants(part))
    }

    const fn time(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Measures, and shows the result. Whatever it starts and makes is gone when it ends.
///
/// # Errors
/// When something could not be started or answered other than it must.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<Exit> {
    let told = async {
        let listen = |kind| signal(kind).map_err(|error| Failure::new(Exit::Internal, error.to_string()));
        let (mut interrupt, mut terminate) =
            (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        Err(Failure::new(Exit::Failed, "told to stop before everything was measured"))
    };
    // Dropping the measurement ends the servers and removes the folder.
    let report = tokio::select! {
        report = measure(context, arguments) => report?,
        stopped = told => stopped?,
    };
    context.console.result(&report.json(), report.text());
    Ok(Exit::Done)
}

async fn measure(context: &Context, arguments: &Arguments) -> Result<Report> {
    if arguments.only.contains(&Part::EveryPage) {
        if arguments.only.len() > 1 {
            return Err(Failure::new(Exit::Usage, "every-page makes a city of its own: name it alone"));
        }
        let world = World::of_city(context, arguments).await?;
        let mut report = Report::begin(&world, arguments)?;
        every_page::measure(&world, arguments, &mut report).await?;
        return Ok(report);
    }
    let world = World::make(context, arguments).await?;
    let mut report = Report::begin(&world, arguments)?;
    if arguments.wants(Part::Pack) {
        pack::measure(&world, &mut report)?;
    }
    if arguments.wants(Part::Ledger) {
        ledger::measure(&world, arguments, &mut report).await?;
    }
    if arguments.wants(Part::Import) || arguments.wants_server() {
        let filled = filled::fill(&world, arguments, &mut report).await?;
        if arguments.wants_server() {
            tokio::time::sleep(Duration::from_secs(arguments.rest)).await;
            http::measure(&world, arguments, &filled, &mut report).await?;
        }
    }
    Ok(report)
}

/// A failure of the measurement itself.
fn broken(error: impl ToString) -> Failure {
    Failure::new(Exit::Internal, error.to_string())
}
