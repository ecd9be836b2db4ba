//! Where the measurement happens: a folder of its own and a new installation in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mimamori_domain::UnitId;

use super::{Arguments, broken, child, disk};
use crate::cli::Context;
use crate::command::demo;
use crate::config::{Config, Database};
use crate::console::Console;
use crate::exit::{Exit, Failure, Result};
use crate::home::Home;
use crate::installation::{Installation, load_config};

/// A setting of the installation and its value.
type Setting = (&'static str, String);

/// A new installation; its folder goes when this is dropped.
#[derive(Debug)]
pub struct World {
    folder: Folder,
    context: Context,
    home: Home,
    config: Config,
}

impl World {
    /// Makes the folder and the installation.
    ///
    /// # Errors
    /// When the database is not empty or the folder keeps nothing on a disk.
    pub async fn make(context: &Context, arguments: &Arguments) -> Result<Self> {
        let (folder, context, home, values) = Self::prepared(context, arguments)?;
        let values: Vec<(&str, &str)> = values.iter().map(|(key, value)| (*key, value.as_str())).collect();
        Installation::create(&context, "bench.mimamori", &values).await?;
        let config = load_config(&context)?;
        Ok(Self { folder, context, home, config })
    }

    /// Makes the folder and the demonstration's city in it.
    ///
    /// # Errors
    /// As [`World::make`], and when something of the city could not be made.
    pub async fn of_city(context: &Context, arguments: &Arguments) -> Result<Self> {
        let (folder, context, home, values) = Self::prepared(context, arguments)?;
        let values: Vec<(&str, &str)> = values.iter().map(|(key, value)| (*key, value.as_str())).collect();
        demo::make_city(&context, &home, arguments.seed, &values).await?;
        let config = load_config(&context)?;
        Ok(Self { folder, context, home, config })
    }

    fn prepared(context: &Context, arguments: &Arguments) -> Result<(Folder, Context, Home, Vec<Setting>)> {
        let folder = Folder::make(arguments.folder.as_deref())?;
        if in_memory(&folder.0) {
            return Err(Failure::new(
                Exit::Usage,
                format!("{} is in memory, not on a disk", folder.0.display()),
            )
            .next("Name a folder on a disk with --folder: otherwise nothing durable is measured."));
        }
        let home = Home::at(folder.0.join("home"));
        let mut context = context.at(&home);
        // Settings of this account are for its own installation.
        context.environment.clear();
        if context.config_file()? != home.config() {
            return Err(Failure::new(
                Exit::Usage,
                "a measurement makes its own settings: leave out --config",
            ));
        }
        let (staff, fhir) = child::free_addresses()?;
        let connections = arguments.connections.iter().copied().max().unwrap_or(1).max(128).to_string();
        let mut values = vec![
            ("name", "Measurement".to_owned()),
            ("listen.staff", staff.to_string()),
            ("listen.fhir", fhir.to_string()),
            ("listen.connections-per-address", connections),
            ("log.level", "warn".to_owned()),
        ];
        if let Some(url) = &arguments.database {
            values.push(("database", url.clone()));
        }
        Ok((folder, context, home, values))
    }

    /// Opens the installation in this process.
    ///
    /// # Errors
    /// As [`Installation::open`].
    pub async fn open(&self) -> Result<Installation> {
        Installation::open(&self.context).await
    }

    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    #[must_use]
    pub const fn console(&self) -> Console {
        self.context.console
    }

    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.0
    }

    /// `sqlite` or `postgres`.
    #[must_use]
    pub const fn database_name(&self) -> &'static str {
        match self.config.database {
            Database::Sqlite(_) => "sqlite",
            Database::Postgres(_) => "postgres",
        }
    }

    /// The database's address, for another process.
    #[must_use]
    pub fn database_url(&self) -> String {
        match &self.config.database {
            Database::Sqlite(path) => format!("sqlite:{}", path.display()),
            Database::Postgres(url) => url.clone(),
        }
    }

    /// How long the folder's disk takes to keep a page.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn fsync(&self) -> Result<Duration> {
        disk::median(&self.folder.0)
    }
}

/// A folder that is removed when dropped.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn make(within: Option<&Path>) -> Result<Self> {
        let within = within.map_or_else(std::env::temp_dir, Path::to_owned);
        let folder = within.join(format!("mimamori-bench-{}", UnitId::random()));
        std::fs::create_dir_all(&folder).map_err(|error| Failure::io(Exit::CannotCreate, &folder, &error))?;
        // The server process has another working folder in mind than we might: paths are absolute.
        Ok(Self(std::fs::canonicalize(&folder).map_err(broken)?))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _nobody_waits_for_it = std::fs::remove_dir_all(&self.0);
    }
}

/// Whether a folder's file system has no disk under it (statfs(2): tmpfs and ramfs).
fn in_memory(folder: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58f6;
    rustix::fs::statfs(folder)
        .is_ok_and(|about| u64::try_from(about.f_type).is_ok_and(|kind| kind == TMPFS || kind == RAMFS))
}
