//! The rules in force: which version this program works under, and how it follows an adoption.
//!
//! An adoption (`governance/adoption/mod.rs`) writes a new version of the pack's object and raises the
//! access version [`AccessKey::PACK`] in one unit. Every unit is guarded on the access version that
//! its rules were in force at (`access.rs`), so nothing that was decided under earlier rules commits
//! after an adoption, whichever program made it. What is answered without a commit asks
//! [`App::in_force`]; [`App::noting_commits`] tells whether there was one.

use std::cell::Cell;
use std::sync::{Arc, PoisonError};

use mimamori_domain::{Error, ObjectId, Result};
use mimamori_policy::{Authorizer, Pack};
use mimamori_store::{AccessKey, ObjectVersion, Store};
use mimamori_vault::Vault;

use crate::access::{ATTEMPTS, rules_changed};
use crate::body::{self, PackBody};
use crate::install::fact;
use crate::keys::{InstallationKeys, key_from_row};
use crate::{App, Shared, sql};

tokio::task_local! {
    /// Whether the work under way committed something, guarded on the rules it was done under.
    static COMMITTED: Cell<bool>;
}

/// Notes that a unit was committed under the rules that its guard names.
pub(crate) fn note_commit() {
    // Work that nobody asks about, a job's for example, notes nothing.
    let _ = COMMITTED.try_with(|committed| committed.set(true));
}

/// One version of the rules, ready to decide by.
pub(crate) struct InForce {
    pub(crate) pack: Arc<Pack>,
    pub(crate) authorizer: Arc<Authorizer>,
    /// The access version that it was in force at.
    pub(crate) version: i64,
}

impl InForce {
    /// The rules in force, and the access version at which they were. What is `known` already, with
    /// what decides by it, is not built again.
    pub(crate) async fn read(
        store: &dyn Store,
        keys: &InstallationKeys,
        known: Option<(&Arc<Pack>, Option<&Arc<Authorizer>>)>,
    ) -> Result<Self> {
        for _ in 0..ATTEMPTS {
            let version = version(store).await?;
            let current = current(store).await?;
            let (pack, authorizer) = match known.filter(|(pack, _)| pack.hash() == current.pack) {
                Some((pack, authorizer)) => (Arc::clone(pack), authorizer.map(Arc::clone)),
                None => (Arc::new(opened(keys, &current)?), None),
            };
            let authorizer = authorizer.unwrap_or_else(|| Arc::new(Authorizer::new(&pack)));
            // An adoption in between: what was read may be the one or the other.
            if self::version(store).await? == version {
                return Ok(Self { pack, authorizer, version });
            }
        }
        Err(rules_changed())
    }
}

impl App {
    pub(crate) fn under(shared: Arc<Shared>, rules: &InForce) -> Self {
        Self {
            shared,
            pack: Arc::clone(&rules.pack),
            authorizer: Arc::clone(&rules.authorizer),
            pack_version: rules.version,
        }
    }

    /// The application under the rules in force now, which another program of the installation may
    /// have changed: to be asked at the start of each request and each run of a job.
    ///
    /// # Errors
    /// Unavailable when the rules in force cannot be read or are not valid for this program; nothing
    /// may be answered then, least of all by earlier rules.
    pub async fn in_force(&self) -> Result<Arc<Self>> {
        let known = self.known();
        if version(&*self.store).await? == known.version {
            return Ok(Arc::new(Self::under(Arc::clone(&self.shared), &known)));
        }
        // All requests come here at once after an adoption: one loads, and what it loaded serves the others.
        let _loading = self.shared.loading.lock().await;
        let known = self.known();
        if version(&*self.store).await? == known.version {
            return Ok(Arc::new(Self::under(Arc::clone(&self.shared), &known)));
        }
        let of_known = Some((&known.pack, Some(&known.authorizer)));
        let now = Arc::new(InForce::read(&*self.store, &self.keys, of_known).await?);
        *self.shared.in_force.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&now);
        tracing::info!(pack = %now.pack.hash_text(), "the rules in force were loaded");
        Ok(Arc::new(Self::under(Arc::clone(&self.shared), &now)))
    }

    /// Does some work, and says whether it committed something: if so, the rules it was done under were
    /// in force then. Work handed to another task is not noticed.
    pub fn noting_commits<T>(work: impl Future<Output = T>) -> impl Future<Output = (T, bool)> {
        let noted = async {
            let done = work.await;
            (done, COMMITTED.with(Cell::get))
        };
        COMMITTED.scope(Cell::new(false), noted)
    }

    fn known(&self) -> Arc<InForce> {
        Arc::clone(&*self.shared.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether two work under the same version of the rules.
    #[must_use]
    pub fn same_rules(&self, other: &Self) -> bool {
        self.pack_version == other.pack_version && self.pack.hash() == other.pack.hash()
    }

    /// Whether this works under a later version of the rules.
    #[must_use]
    pub fn later_rules(&self, other: &Self) -> bool {
        self.pack_version > other.pack_version
    }

    /// The policy pack in force, as the installation keeps it with everything it extends: what the
    /// program itself brings may be another version by now.
    ///
    /// # Errors
    /// Unavailable when the database holds no installation, or its pack cannot be read.
    pub async fn stored_pack(store: &dyn Store, vault: &Vault) -> Result<Pack> {
        let mut rows = store.query(&sql::KEYS_OF_NOBODY, Vec::new()).await?;
        let wrapped = rows.iter_mut().map(key_from_row).collect::<Result<Vec<_>>>()?;
        if wrapped.is_empty() {
            return Err(no_installation());
        }
        let current = current(store).await?;
        opened(&InstallationKeys::open(vault, &wrapped)?, &current)
    }
}

/// The access version of the rules.
async fn version(store: &dyn Store) -> Result<i64> {
    let key = AccessKey::PACK;
    let args = vec![key.id.into(), i64::from(key.scope as u8).into()];
    let row = store.query_one(&sql::ACCESS_VERSION, args).await?;
    row.map_or(Ok(0), |row| row.int(0)).map_err(Error::unavailable)
}

/// The object whose current version holds the rules in force.
pub(crate) async fn object_of_rules(store: &dyn Store) -> Result<ObjectId> {
    let facts = store.query(&sql::INSTALLATION, Vec::new()).await?;
    let held = facts.iter().find(|row| row.text(0).is_ok_and(|key| key == fact::PACK));
    let held = held.ok_or_else(no_installation)?;
    ObjectId::from_slice(held.blob(1).map_err(Error::unavailable)?).map_err(Error::unavailable)
}

async fn current(store: &dyn Store) -> Result<ObjectVersion> {
    let object = object_of_rules(store).await?;
    let row = store.query_one(&sql::CURRENT, vec![object.into()]).await?;
    let mut row = row.ok_or_else(|| Error::unavailable("the installation's pack is missing"))?;
    crate::context::object_from_row(&mut row)
}

fn opened(keys: &InstallationKeys, version: &ObjectVersion) -> Result<Pack> {
    let plain = crate::context::open_object(&keys.settings, version)?;
    let stored: PackBody = body::from_bytes(&plain)?;
    let pack = stored.pack().map_err(|problems| {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::unavailable(format!("the pack in force is not valid for this program: {}", lines.join("; ")))
    })?;
    if pack.hash() != version.pack {
        return Err(Error::unavailable("the stored pack is not the one that was adopted"));
    }
    Ok(pack)
}

fn no_installation() -> Error {
    Error::unavailable("the database holds no installation; run `mimamori init` first")
}
