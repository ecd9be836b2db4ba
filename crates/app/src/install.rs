//! Making and opening an installation.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use mimamori_domain::{Action, ActorId, Clock, Error, InstanceId, ObjectId, Result, UnitId};
use mimamori_ledger::EntryDraft;
use mimamori_policy::Pack;
use mimamori_store::{Change, NewEpoch, Row, Store, Unit, tables};
use mimamori_vault::Vault;
use quick_cache::sync::Cache;

use crate::access::commit_error;
use crate::body::{self, PackBody};
use crate::in_force::InForce;
use crate::keys::{InstallationKeys, insert_key, key_from_row};
use crate::passwords::Passwords;
use crate::refusals::Refusals;
use crate::sessions::Sessions;
use crate::{App, Caller, Shared, sql};

/// How many contexts of subjects, actors and sessions are kept in memory.
const SUBJECTS: usize = 20_000;
const ACTORS: usize = 5_000;
const INSTITUTIONS: usize = 2_000;
/// How many packs that were in force earlier, and how many comparisons of two.
const PACKS: usize = 16;
const SESSIONS: usize = 20_000;

/// What an application is made of.
pub struct Parts {
    pub store: Arc<dyn Store>,
    pub vault: Arc<Vault>,
    pub pack: Arc<Pack>,
    pub clock: Arc<dyn Clock>,
    pub instance: InstanceId,
    /// Folder outside the database: the checkpoint signer's state lives here.
    pub state_dir: PathBuf,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).finish_non_exhaustive()
    }
}

/// Names of rows in `installation`.
pub(crate) mod fact {
    pub(crate) const NAME: &str = "name";
    pub(crate) const OPERATOR: &str = "operator";
    pub(crate) const PACK: &str = "pack";
}

impl App {
    /// First start of an installation: makes its keys, keeps the policy pack, begins the ledger.
    ///
    /// `name` stands in the origin of every checkpoint: ASCII letters, digits, `.`, `-`, such as a
    /// host name.
    ///
    /// # Errors
    /// Invalid for a name of another form; conflict when the database holds an installation already.
    pub async fn install(parts: &Parts, name: &str) -> Result<()> {
        let form = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if name.is_empty() || name.len() > 100 || !name.chars().all(form) {
            return Err(Error::invalid("the name of an installation is 1 to 100 of A-Z a-z 0-9 . -"));
        }
        if parts.store.head().await?.is_some() {
            return Err(Error::conflict("this database holds an installation already"));
        }
        let now = parts.clock.now();
        let operator = ActorId::random();
        let rows = InstallationKeys::create(&parts.vault, now)?;
        let keys = InstallationKeys::open(&parts.vault, &rows)?;
        let pack_object = ObjectId::random();
        let mut unit = Unit::new();
        unit.changes.extend(rows.iter().map(insert_key));
        for (key, value) in [
            (fact::NAME, name.as_bytes().to_vec()),
            (fact::OPERATOR, operator.to_vec()),
            (fact::PACK, pack_object.to_vec()),
        ] {
            unit.changes.push(Change::insert(&tables::INSTALLATION, vec![key.into(), value.into()]));
        }
        let pack = PackBody::of(&parts.pack, None);
        let version = crate::record::NewVersion {
            object: pack_object,
            version: 1,
            kind: body::kind::PACK,
            label: crate::record::own_label("pack")?,
            author: Some(operator),
            on_behalf: None,
            confirmer: None,
            plain: &body::to_bytes(&pack)?,
            pack: parts.pack.hash(),
            recorded: now,
        };
        let version = version.seal(&keys.settings, None, unit.id)?;
        let commitment = crate::record::put_version(&mut unit, version, now);
        let mut entry =
            EntryDraft::new(unit.id, *UnitId::random().as_bytes(), Action::System, parts.pack.hash());
        entry.actor = Some(operator);
        entry.resource = Some((body::kind::PACK, Some(pack_object)));
        entry.version = Some(1);
        entry.commitments = vec![commitment];
        let epoch = NewEpoch {
            epoch: 0,
            origin: mimamori_ledger::origin(name, 0),
            previous_note: None,
            unit: unit.entry(entry),
        };
        parts.store.start_epoch(epoch).await.map_err(commit_error)?;
        Ok(())
    }

    /// Opens an installation.
    ///
    /// # Errors
    /// Unavailable when the database, the pack or a key does not belong to it, or when the database
    /// is older than what was last signed (see [`App::new_epoch`]).
    pub async fn open(parts: Parts) -> Result<Arc<Self>> {
        let app = Self::assemble(parts).await?;
        app.require_not_rolled_back().await?;
        Ok(Arc::new(app))
    }

    /// As [`App::open`], but a database older than what was last signed is accepted: only to look at
    /// it, or to begin a new epoch.
    ///
    /// # Errors
    /// Unavailable when the database, the pack or a key does not belong to it.
    pub async fn open_rolled_back(parts: Parts) -> Result<Arc<Self>> {
        Self::assemble(parts).await.map(Arc::new)
    }

    async fn assemble(parts: Parts) -> Result<Self> {
        if parts.store.head().await?.is_none() {
            return Err(Error::unavailable("the database holds no installation; run `mimamori init` first"));
        }
        let mut rows = parts.store.query(&sql::KEYS_OF_NOBODY, Vec::new()).await?;
        let wrapped = rows.iter_mut().map(key_from_row).collect::<Result<Vec<_>>>()?;
        let keys = InstallationKeys::open(&parts.vault, &wrapped)?;
        let facts = parts.store.query(&sql::INSTALLATION, Vec::new()).await?;
        let fact = |name: &str| {
            facts
                .iter()
                .find(|row| row.text(0).is_ok_and(|key| key == name))
                .ok_or_else(|| Error::unavailable(format!("the installation's {name} is missing")))
                .and_then(|row: &Row| row.blob(1).map(<[u8]>::to_vec).map_err(Error::unavailable))
        };
        let name = String::from_utf8(fact(fact::NAME)?).map_err(Error::unavailable)?;
        let operator = ActorId::from_slice(&fact(fact::OPERATOR)?).map_err(Error::unavailable)?;
        let address_salt = keys.address_salt();
        let known = Some((&parts.pack, None));
        let in_force = Arc::new(InForce::read(&*parts.store, &keys, known).await?);
        let shared = Shared {
            store: parts.store,
            vault: parts.vault,
            in_force: RwLock::new(Arc::clone(&in_force)),
            loading: tokio::sync::Mutex::new(()),
            clock: parts.clock,
            instance: parts.instance,
            state_dir: parts.state_dir,
            operator,
            name,
            keys,
            subjects: Cache::new(SUBJECTS),
            actors: Cache::new(ACTORS),
            no_accounts: Cache::new(ACTORS),
            institution_names: Cache::new(INSTITUTIONS),
            sessions: Sessions::new(SESSIONS),
            passwords: Passwords::new()?,
            refusals: Refusals::default(),
            transport: std::sync::OnceLock::new(),
            webauthn: std::sync::OnceLock::new(),
            provider: std::sync::OnceLock::new(),
            packs: Cache::new(PACKS),
            diffs: Cache::new(PACKS),
            register_keys: crate::governance::keys::RegisterKeys::default(),
            versions: crate::governance::versions::Versions::default(),
            asked: crate::governance::Asked::default(),
            counts: crate::review::Counts::default(),
            began: std::sync::OnceLock::new(),
            signing: tokio::sync::Mutex::new(None),
            tile_step: crate::ledger::TILE_STEP.into(),
            halted: AtomicBool::new(false),
            not_committing: AtomicBool::new(false),
            address_salt,
        };
        Ok(Self::under(Arc::new(shared), &in_force))
    }

    /// The operator of this machine, at the command line. `who` is the operating system's name for
    /// them; it goes sealed into the ledger.
    #[must_use]
    pub fn operator(&self, who: &str) -> Caller {
        Caller::system(self.operator, who, self.pack.hash())
    }

    /// The program itself, for its jobs.
    pub(crate) fn itself(&self) -> Caller {
        Caller::system(self.operator, "mimamori", self.pack.hash())
    }

    /// The policy pack that this works under.
    #[must_use]
    pub fn pack(&self) -> &Pack {
        &self.pack
    }

    /// For a made-up history and for tests: passwords that are set from here on are hashed without any
    /// cost, until this is taken back. Where anybody is to use them, every one must be set again afterwards.
    ///
    /// # Errors
    /// Unavailable.
    pub fn hash_lightly(&self, light: bool) -> Result<()> {
        self.passwords.light(light)
    }

    /// The one clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Whether everything an answer needs is there now: the ledger is the continuation of what was
    /// signed, the database is read, the rules in force are loaded, and the last commit was made. After
    /// one that could not be made, a commit is tried here, so that an instance that gets no requests any
    /// more finds out when it can answer again; only the one that succeeds adds an entry.
    ///
    /// # Errors
    /// Unavailable, with what is wrong for the operator's log.
    pub async fn ready(&self) -> Result<()> {
        if self.halted.load(Ordering::SeqCst) {
            return Err(Error::unavailable("the ledger is not the continuation of what was signed"));
        }
        self.store.head().await?.ok_or_else(|| Error::unavailable("the ledger has no head"))?;
        let current = self.in_force().await?;
        if self.not_committing.load(Ordering::SeqCst) {
            let (caller, unit) = (current.itself(), Unit::new());
            let mut entry = caller.entry(unit.id, Action::System);
            entry.count = 0;
            let entry = current.with_sealed(&caller, entry, 0, Some("commits work again"))?;
            current.settle(&caller, unit.entry(entry)).await?;
        }
        Ok(())
    }
}
