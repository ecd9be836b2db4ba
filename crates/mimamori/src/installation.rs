//! Puts an installation together from its folder: settings, keys, database, rules, use cases.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use mimamori_app::{App, Caller, Origin, Parts, Proof};
use mimamori_domain::{Clock, InstanceId, SystemClock, Timestamp};
use mimamori_policy::Pack;
use mimamori_store::statements::upkeep;
use mimamori_store::{EngineOptions, Lease, OpenError, Store};
use mimamori_store_postgres::PostgresOptions;
use mimamori_store_sqlite::SqliteOptions;
use mimamori_vault::{Ring, RootKeyFile, Vault, VaultError};

use crate::account;
use crate::cli::Context;
use crate::config::{Config, Database, example_file};
use crate::console::Console;
use crate::exit::{Exit, Failure, Result};
use crate::home::{self, Home};
use crate::{logging, packs};

/// An opened installation.
#[derive(Debug)]
pub struct Installation {
    pub home: Home,
    pub config: Config,
    pub clock: Arc<SystemClock>,
    pub instance: InstanceId,
    pub store: Arc<dyn Store>,
    pub app: Arc<App>,
}

impl Installation {
    /// Opens the installation that the command line names.
    ///
    /// # Errors
    /// A failure that says what is missing and what to do.
    pub async fn open(context: &Context) -> Result<Self> {
        Self::open_as(context, false).await
    }

    /// As [`Installation::open`], but a database that is older than what was signed is opened too: to
    /// verify it, or to begin a new epoch. Nothing else may be done with it.
    ///
    /// # Errors
    /// As [`Installation::open`].
    pub async fn open_rolled_back(context: &Context) -> Result<Self> {
        Self::open_as(context, true).await
    }

    async fn open_as(context: &Context, rolled_back: bool) -> Result<Self> {
        let clock = Arc::new(SystemClock::default());
        Self::assemble(context, rolled_back, Arc::clone(&clock) as _, clock).await
    }

    /// As [`Installation::open`], but living by another clock: a demonstration writes its history so.
    ///
    /// # Errors
    /// As [`Installation::open`].
    pub async fn open_at(context: &Context, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::assemble(context, false, clock, Arc::new(SystemClock::default())).await
    }

    async fn assemble(
        context: &Context,
        rolled_back: bool,
        time: Arc<dyn Clock>,
        clock: Arc<SystemClock>,
    ) -> Result<Self> {
        let config = load_config(context)?;
        logging::start(&config.log);
        let home = context.home()?;
        let instance = InstanceId::random();
        let root = RootKeyFile::open(&config.root_key).map_err(key_failure)?;
        let ring = Ring::open(&ring_file(&home), &root).map_err(key_failure)?;
        let vault = Arc::new(Vault::new(ring));
        let store = open_store(&config.database, &time, instance, false).await?;
        let pack = Arc::new(App::stored_pack(store.as_ref(), &vault).await?);
        note_other_pack(&config, &pack);
        let parts =
            Parts { pack, store: Arc::clone(&store), vault, clock: time, instance, state_dir: home.state() };
        let app = if rolled_back { App::open_rolled_back(parts).await? } else { App::open(parts).await? };
        Ok(Self { home, config, clock, instance, store, app })
    }

    /// Makes a new installation in an empty folder, under the pack that the settings name.
    ///
    /// # Errors
    /// As [`Installation::create_under`].
    pub async fn create(context: &Context, name: &str, values: &[(&str, &str)]) -> Result<()> {
        Self::create_under(context, name, values, None, Arc::new(SystemClock::default())).await
    }

    /// Makes a new installation in an empty folder, under a pack (without one: the pack that the
    /// settings name), by a clock.
    ///
    /// # Errors
    /// [`Exit::CannotCreate`] when the folder is not empty; [`Exit::Configuration`] when the pack waits
    /// for values of the site; else what went wrong. What was made is taken away again as long as the
    /// database holds nothing.
    pub async fn create_under(
        context: &Context,
        name: &str,
        values: &[(&str, &str)],
        pack: Option<Pack>,
        clock: Arc<dyn Clock>,
    ) -> Result<()> {
        if let Some(pack) = &pack {
            packs::require_set(pack)?;
        }
        let home = context.home()?;
        home.create()?;
        let made = async {
            home::write_private(&home.config(), example_file(values).as_bytes())?;
            let config = Config::load(&home.config(), home.path(), &context.environment)?;
            logging::start(&config.log);
            let pack = match pack {
                Some(pack) => pack,
                None => packs::load(config.pack.as_deref())?,
            };
            packs::require_set(&pack)?;
            let instance = InstanceId::random();
            let root = RootKeyFile::create(&config.root_key).map_err(key_failure)?;
            let ring = Ring::create(&ring_file(&home), &root, clock.now()).map_err(key_failure)?;
            Ok::<_, Failure>(Parts {
                pack: Arc::new(pack),
                store: open_store(&config.database, &clock, instance, true).await?,
                vault: Arc::new(Vault::new(ring)),
                clock,
                instance,
                state_dir: home.state(),
            })
        };
        let parts = match made.await {
            Ok(parts) => parts,
            Err(failure) => {
                take_away(&home);
                return Err(failure);
            }
        };
        let installed = App::install(&parts, name).await;
        parts.store.close().await;
        installed.map_err(|error| {
            let failure = Failure::from(error);
            let next = format!(
                "The installation is not complete. Remove {} and, on PostgreSQL, the database, then try again.",
                home.path().display()
            );
            failure.next(next)
        })
    }

    /// Whoever runs this command, as the ledger will name them.
    #[must_use]
    pub fn operator(&self) -> Caller {
        self.app.operator(&account::name())
    }

    /// Somebody who signs in for this one command, because the rules let no machine do it: the
    /// password is asked for.
    ///
    /// # Errors
    /// What signing in refused.
    pub async fn signed_in(
        &self,
        console: Console,
        login: &str,
        password_stdin: bool,
    ) -> Result<SignedInCaller> {
        let password = console.password(password_stdin)?;
        let origin = Origin::default();
        let mut signed_in = self.app.sign_in(login, &password, &origin).await?;
        if signed_in.second {
            let code = Proof::Code(console.code(password_stdin)?);
            signed_in = self.app.finish_sign_in(&signed_in.token, &code, &origin).await?;
        }
        Ok(SignedInCaller { app: Arc::clone(&self.app), token: signed_in.token, origin })
    }

    /// Gives back what this program holds and lets the database finish.
    pub async fn close(self) {
        close_store(self.store.as_ref(), self.instance).await;
    }
}

/// Gives back the leases of this program, so that the next one need not wait until they run out, and
/// closes the database.
pub async fn close_store(store: &dyn Store, instance: InstanceId) {
    for row in store.query(&upkeep::LEASES, Vec::new()).await.unwrap_or_default() {
        let (Ok(name), Ok(holder), Ok(fencing)) = (row.text(0), row.blob(1), row.int(2)) else { continue };
        if let Some(name) = LEASES.iter().find(|known| **known == name)
            && holder == instance.as_bytes()
        {
            let lease = Lease { name, holder: instance, fencing, expires: Timestamp::default() };
            // If that fails, it runs out by itself.
            let _released = store.release_lease(lease).await;
        }
    }
    store.close().await;
}

/// The leases that a program may hold.
const LEASES: &[&str] = &["checkpoint", "ledger-verify"];

/// A person signed in for one command.
pub struct SignedInCaller {
    app: Arc<App>,
    token: String,
    origin: Origin,
}

impl SignedInCaller {
    /// The caller for one request.
    ///
    /// # Errors
    /// When the session is over.
    pub async fn caller(&self) -> Result<Caller> {
        Ok(self.app.caller(&self.token, &self.origin).await?)
    }

    /// Ends the session.
    ///
    /// # Errors
    /// When it could not be ended.
    pub async fn sign_out(self) -> Result<()> {
        let caller = self.caller().await?;
        Ok(self.app.sign_out(&caller).await?)
    }
}

/// The token stays out of debug output.
impl std::fmt::Debug for SignedInCaller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedInCaller").finish_non_exhaustive()
    }
}

/// The settings that the command line names.
///
/// # Errors
/// As [`Config::load`].
pub fn load_config(context: &Context) -> Result<Config> {
    Config::load(&context.config_file()?, context.home()?.path(), &context.environment)
}

/// Where the wrapped ring keys are.
#[must_use]
pub fn ring_file(home: &Home) -> std::path::PathBuf {
    home.keys().join("ring")
}

/// Opens the database that the settings name. `create`: a missing SQLite file is made.
///
/// # Errors
/// [`Exit::Unavailable`] with what to do.
pub async fn open_store(
    database: &Database,
    clock: &Arc<dyn Clock>,
    instance: InstanceId,
    create: bool,
) -> Result<Arc<dyn Store>> {
    let mut engine = EngineOptions::new(Arc::clone(clock), instance);
    engine.on_fatal = Arc::new(end_process);
    Ok(match database {
        Database::Sqlite(path) => {
            let path = path
                .to_str()
                .ok_or_else(|| Failure::new(Exit::Configuration, "database: the path must be Unicode"))?;
            let options = SqliteOptions { create, ..SqliteOptions::new(engine) };
            let opened = mimamori_store_sqlite::open(path, options).await;
            Arc::new(opened.map_err(|error| {
                let failure = database_failure(error);
                Failure { message: format!("{path}: {}", failure.message), ..failure }
            })?)
        }
        Database::Postgres(url) => Arc::new(
            mimamori_store_postgres::open(url, PostgresOptions::new(engine))
                .await
                .map_err(database_failure)?,
        ),
    })
}

/// Says so when the settings name a pack that is not the one in force: it is adopted by a procedure,
/// never by a restart.
fn note_other_pack(config: &Config, pack: &Pack) {
    let named = config.pack.as_deref().map(|folder| packs::load(Some(folder)));
    if let Some(Ok(named)) =
        named.filter(|named| named.as_ref().is_ok_and(|named| named.hash() != pack.hash()))
    {
        tracing::warn!(
            in_force = pack.id(),
            named = named.id(),
            "the pack that the settings name is not the one in force"
        );
    }
}

/// What is wrong with a key file, with what to do.
#[must_use]
pub fn key_failure(error: VaultError) -> Failure {
    let exit =
        if matches!(error, VaultError::Exists { .. }) { Exit::CannotCreate } else { Exit::Unavailable };
    Failure::new(exit, error.to_string()).next(
        "Without its root key and ring an installation cannot be opened; `mimamori doctor` looks closer.",
    )
}

fn database_failure(error: OpenError) -> Failure {
    let exit = if matches!(error, OpenError::Address(_)) { Exit::Configuration } else { Exit::Unavailable };
    let text = error.to_string();
    let next = match &error {
        OpenError::ReadOnly(_) => {
            "Serve from the database that takes changes: promote the standby or name the primary in \
             `database`, or give the account that serves the right to write. Nothing was changed."
        }
        // SQLSTATE 57P03: the server is there and recovers after a crash or a stop.
        OpenError::Driver(_) if STARTING.iter().any(|words| text.contains(words)) => {
            "The server is recovering or starting: wait until it takes connections (its log says how far it \
             is), then try again. Nothing needs to be restored."
        }
        _ => "Check `database` in the settings; `mimamori init` makes a new installation.",
    };
    Failure::new(exit, text).next(next)
}

/// What PostgreSQL says while it cannot take connections yet.
const STARTING: [&str; 4] = ["57P03", "starting up", "not yet accepting connections", "in recovery mode"];

/// What was written may not be on the disk: only a restart, which reads the disk again, is safe.
fn end_process(detail: &str) {
    tracing::error!(error = detail, "the disk failed to keep what was written; ending for a restart");
    std::process::exit(i32::from(Exit::Internal.code()));
}

/// Takes away what a failed `init` made in a folder that was empty before.
fn take_away(home: &Home) {
    let report = |what: &Path, result: std::io::Result<()>| {
        if let Err(error) = result
            && error.kind() != std::io::ErrorKind::NotFound
        {
            let (what, error): (&dyn Display, &dyn Display) = (&what.display(), &error);
            tracing::warn!(%error, path = %what, "could not be taken away again");
        }
    };
    report(&home.config(), std::fs::remove_file(home.config()));
    for folder in [home.keys(), home.data(), home.state()] {
        report(&folder, std::fs::remove_dir_all(&folder));
    }
}
