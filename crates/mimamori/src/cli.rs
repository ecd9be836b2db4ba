//! The command line: what can be typed, in one place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::bench;
use crate::command;
use crate::console::Console;
use crate::exit::{self, Exit, Result};
use crate::home::Home;

/// 見守り Mimamori: shares care records and proves that the rules are kept.
#[derive(Debug, Parser)]
#[command(name = "mimamori", version, after_help = exit::table_text(), disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Folder of the installation [default: ~/.local/share/mimamori]
    #[arg(long, global = true, env = "MIMAMORI_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
    /// Settings file [default: mimamori.toml in the installation's folder]
    #[arg(long, global = true, env = "MIMAMORI_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Answer in JSON, for scripts
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a new installation: settings, keys, database, ledger
    Init(command::init::Arguments),
    /// Serve the pages and the FHIR interface until told to stop
    Serve(command::serve::Arguments),
    /// Make a made-up city and serve it
    Demo(command::demo::Arguments),
    /// Take in FHIR R4 Bundles and NDJSON from files and folders
    Import(command::import::Arguments),
    /// Accounts of staff
    #[command(subcommand)]
    User(command::user::Command),
    /// Hospitals, clinics, pharmacies, offices
    #[command(subcommand)]
    Institution(command::institution::Command),
    /// Tokens for programs that use the FHIR interface
    #[command(subcommand)]
    Token(command::token::Command),
    /// Programs that sign in by keys or certificates of their own
    #[command(subcommand)]
    Program(command::program::Command),
    /// Registered terminals and their certificates
    #[command(subcommand)]
    Terminal(command::terminal::Command),
    /// The tamper-evident record of every access and change
    #[command(subcommand)]
    Ledger(command::ledger::Command),
    /// Encryption keys
    #[command(subcommand)]
    Key(command::key::Command),
    /// The rules, and why somebody may or may not
    #[command(subcommand)]
    Policy(command::policy::Command),
    /// Policy packs: an organisation's rules as data
    #[command(subcommand)]
    Pack(command::pack::Command),
    /// Look for what is wrong with this installation and say what to do
    Doctor(command::doctor::Arguments),
    /// Measure how fast this program is on this machine, on an installation of its own
    Bench(bench::Arguments),
    /// The plain server that `bench` compares with
    #[command(hide = true)]
    BenchPeer(bench::peer::Arguments),
}

/// What a command works with.
#[derive(Debug, Clone)]
pub struct Context {
    home: Option<PathBuf>,
    config: Option<PathBuf>,
    pub console: Console,
    pub environment: BTreeMap<String, String>,
}

impl Context {
    /// The installation's folder.
    ///
    /// # Errors
    /// [`Exit::Usage`] when none is named and the account has no home folder.
    pub fn home(&self) -> Result<Home> {
        match &self.home {
            Some(path) => Ok(Home::at(path)),
            None => Home::default_of_account(|name| self.environment.get(name).cloned()),
        }
    }

    /// The named folder, or this one.
    #[must_use]
    pub fn home_or(&self, default: &str) -> Home {
        Home::at(self.home.clone().unwrap_or_else(|| default.into()))
    }

    /// The same, for another folder.
    #[must_use]
    pub fn at(&self, home: &Home) -> Self {
        Self { home: Some(home.path().to_owned()), ..self.clone() }
    }

    /// The settings file.
    ///
    /// # Errors
    /// As [`Context::home`].
    pub fn config_file(&self) -> Result<PathBuf> {
        self.config.clone().map_or_else(|| Ok(self.home()?.config()), Ok)
    }
}

/// Runs the program: reads the command line, does what it says, tells how it ended.
#[must_use]
pub fn main() -> ExitCode {
    // Whatever is made from here on (databases, exports, receipts) is for this account only.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing help to a closed pipe is nobody's problem.
            let _printed = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let console = Console::new(cli.global.json);
    let context = Context {
        home: cli.global.home,
        config: cli.global.config,
        console,
        // Variables that are no Unicode cannot be settings of ours.
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            console.failure(&exit::Failure::new(Exit::Internal, format!("cannot start threads: {error}")));
            return Exit::Internal.into();
        }
    };
    let result = runtime.block_on(run(&context, cli.command));
    // Reading a terminal in the background must not keep the program from ending.
    runtime.shutdown_background();
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            console.failure(&failure);
            failure.exit.into()
        }
    }
}

async fn run(context: &Context, command: Command) -> Result<Exit> {
    match command {
        Command::Init(arguments) => command::init::run(context, &arguments).await,
        Command::Serve(arguments) => command::serve::run(context, &arguments).await,
        Command::Demo(arguments) => command::demo::run(context, &arguments).await,
        Command::Import(arguments) => command::import::run(context, &arguments).await,
        Command::User(command) => command::user::run(context, command).await,
        Command::Institution(command) => command::institution::run(context, command).await,
        Command::Token(command) => command::token::run(context, command).await,
        Command::Program(command) => command::program::run(context, command).await,
        Command::Terminal(command) => command::terminal::run(context, command).await,
        Command::Ledger(command) => command::ledger::run(context, command).await,
        Command::Key(command) => command::key::run(context, command).await,
        Command::Policy(command) => command::policy::run(context, command).await,
        Command::Pack(command) => command::pack::run(context, &command).await,
        Command::Doctor(arguments) => command::doctor::run(context, &arguments).await,
        Command::Bench(arguments) => bench::run(context, &arguments).await,
        Command::BenchPeer(arguments) => bench::peer::run(&arguments).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    const READMES: [&str; 2] = [include_str!("../../../README.md"), include_str!("../../../README.ja.md")];

    #[test]
    fn every_command_shown_in_the_readmes_exists() {
        for readme in READMES {
            let lines: Vec<&str> = readme.lines().filter(|line| line.starts_with("mimamori ")).collect();
            assert!(lines.len() >= 10, "the commands have gone");
            for line in lines {
                let command = line.split(" # ").next().unwrap_or_default().trim();
                let id = "123e4567-e89b-42d3-a456-426614174000";
                let words = words(&command.replace(" ID", &format!(" {id}")));
                if let Err(error) = Cli::try_parse_from(words) {
                    panic!("{command}: {error}");
                }
            }
            for (exit, _) in exit::TABLE {
                assert!(readme.contains(&format!("\n| {} | ", exit.code())), "{exit:?}");
            }
        }
        for (exit, meaning) in exit::TABLE {
            assert!(READMES[0].contains(&format!("| {} | {meaning} |", exit.code())), "{exit:?}");
        }
    }

    /// Words as a shell would part them, quotes taken away.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
        for c in line.chars() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), _) if open == c => quote = None,
                (None, ' ') => words.push(std::mem::take(&mut word)),
                _ => word.push(c),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_command_says_what_it_is_for_and_none_takes_a_password() {
        fn walk(command: &clap::Command) {
            for sub in command.get_subcommands() {
                assert!(sub.get_about().is_some(), "{} has no description", sub.get_name());
                for argument in sub.get_arguments() {
                    let takes_text = argument.get_action().takes_values();
                    let name = argument.get_id().as_str();
                    assert!(!(takes_text && name.contains("password")), "{} {name}", sub.get_name());
                    assert!(argument.get_help().is_some(), "{} {name} is not explained", sub.get_name());
                }
                walk(sub);
            }
        }
        walk(&Cli::command());
    }
}
