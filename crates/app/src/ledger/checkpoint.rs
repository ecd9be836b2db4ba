//! Signing checkpoints: one signer at a time, who never signs a log that shrank or forked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mimamori_domain::{Error, InstanceId, Result};
use mimamori_ledger::{
    Checkpoint, Continuity, MemoryTiles, SignError, SignerState, SignerStateError, TILE_WIDTH, Tile,
    consistency_proof, grow, inclusion_proof, tiles_for_consistency, tiles_for_growth, tiles_for_inclusion,
};
use mimamori_store::statements::{ledger, upkeep};
use mimamori_store::{Change, Head, Lease};

use super::holder;
use crate::App;
use crate::access::commit_error;

/// The job's lease: renewed with every checkpoint.
const LEASE: &str = "checkpoint";
const LEASE_TIME: Duration = Duration::from_secs(20);

/// How many entries' full tiles go into one unit: 3 MB, a twentieth of what a unit may have.
pub(crate) const TILE_STEP: u64 = 100_000;

/// The signer's state in the folder outside the database.
const STATE_FILE: &str = "signer";

fn another_signs() -> Error {
    Error::new(mimamori_domain::ErrorKind::Busy, "another program of this installation signs checkpoints")
}

fn unusable(error: SignerStateError) -> Error {
    match error {
        // While nothing is added, a server signs less often than its lease lasts.
        SignerStateError::InUse(_) => another_signs(),
        error => Error::unavailable(error),
    }
}

/// What the signer keeps between checkpoints.
pub(crate) struct Signing {
    state: SignerState,
    lease: Lease,
    /// The tree up to which tiles were kept.
    grown: Option<Grown>,
}

struct Grown {
    epoch: u32,
    size: u64,
    /// The partial tile of each level.
    partial: BTreeMap<u8, Tile>,
}

impl Grown {
    fn tiles(&self) -> MemoryTiles {
        let mut tiles = MemoryTiles::new();
        tiles.extend(self.partial.values().cloned());
        tiles
    }
}

impl App {
    /// Signs where the ledger stands now and gives the checkpoint (C2SP `tlog-checkpoint`). The last
    /// one again when nothing was added since. Full hash tiles are kept on the way.
    ///
    /// # Errors
    /// Busy while another program of the installation signs; unavailable when the ledger is not the
    /// continuation of what was signed: then this program answers nothing any more.
    pub async fn checkpoint(&self) -> Result<String> {
        let mut signing = self.signing.lock().await;
        let current = match signing.take() {
            Some(kept) => self.renewed(kept).await?,
            None => self.begin_signing().await?,
        };
        let current = signing.insert(current);
        let head = self.store.head().await?.ok_or_else(|| Error::unavailable("the ledger has no head"))?;
        let next = Checkpoint::new(&self.name, head.epoch, head.size, head.frontier.root());
        let unchanged = current.state.last() == Some(&next) && current.grown.is_some();
        if unchanged && let Some(note) = self.kept_checkpoint(&next, head.epoch).await? {
            return Ok(note);
        }
        let signed = self.sign(current, &head, &next).await;
        if let Err(error) = &signed {
            // The next attempt begins from what is stored.
            tracing::error!(error = %error, "checkpoint not signed");
            *signing = None;
        }
        signed
    }

    /// The key that checks this installation's checkpoints, in the text form of C2SP `signed-note`.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.keys.signer(&self.name).map(|signer| signer.verifier_key().to_string()).unwrap_or_default()
    }

    async fn begin_signing(&self) -> Result<Signing> {
        let path = self.state_dir.join(STATE_FILE);
        // The file first: who has it knows that no other process of this folder signs.
        match SignerState::open(&path) {
            Ok(state) => {
                let lock = state.lock_name();
                let before = lock.as_deref().and_then(|lock| holder::last(&self.state_dir, lock));
                let lease = self.lease(before).await?;
                if let Some(lock) = lock {
                    holder::note(&self.state_dir, self.instance, &lock);
                }
                Ok(Signing { state, lease, grown: None })
            }
            Err(SignerStateError::Missing(_)) => {
                let lease = self.lease(None).await?;
                match self.first_state(&path).await {
                    Ok(state) => {
                        if let Some(lock) = state.lock_name() {
                            holder::note(&self.state_dir, self.instance, &lock);
                        }
                        Ok(Signing { state, lease, grown: None })
                    }
                    Err(error) => {
                        let _ = self.store.release_lease(lease).await;
                        Err(error)
                    }
                }
            }
            Err(error) => Err(unusable(error)),
        }
    }

    /// The state of a log that never signed anything; a lost one is not made anew.
    async fn first_state(&self, path: &Path) -> Result<SignerState> {
        if self.was_signed().await? {
            return Err(Error::unavailable(SignerStateError::Missing(path.to_owned())));
        }
        SignerState::create(path).map_err(unusable)
    }

    /// The lease, at once when it is that of a process which is known to have ended.
    async fn lease(&self, ended: Option<InstanceId>) -> Result<Lease> {
        let free = self.store.acquire_lease(LEASE, self.instance, LEASE_TIME).await.map_err(commit_error)?;
        if let Some(lease) = free {
            return Ok(lease);
        }
        let ended = ended.ok_or_else(another_signs)?;
        let expires = self.clock.now().plus(LEASE_TIME);
        let args = vec![self.instance.into(), expires.into(), LEASE.into(), ended.into()];
        let done = self.store.upkeep(vec![Change::any(&upkeep::LEASE_SUCCEED, args)]).await;
        let done = done.map_err(commit_error)?;
        let row = done.first().and_then(|upkept| upkept.rows.first()).ok_or_else(another_signs)?;
        let fencing = row.int(0).map_err(Error::unavailable)?;
        Ok(Lease { name: LEASE, holder: self.instance, fencing, expires })
    }

    async fn renewed(&self, kept: Signing) -> Result<Signing> {
        match self.store.renew_lease(&kept.lease, LEASE_TIME).await.map_err(commit_error)? {
            Some(lease) => Ok(Signing { lease, ..kept }),
            None => {
                drop(kept);
                self.begin_signing().await
            }
        }
    }

    async fn was_signed(&self) -> Result<bool> {
        Ok(!self.store.query(&ledger::LATEST_CHECKPOINT, Vec::new()).await?.is_empty())
    }

    async fn kept_checkpoint(&self, wanted: &Checkpoint, epoch: u32) -> Result<Option<String>> {
        let args = vec![epoch.into(), wanted.size.into()];
        let row = self.store.query_one(&ledger::CHECKPOINT_COVERING, args).await?;
        let Some(row) = row.filter(|row| row.unsigned(1).is_ok_and(|size| size == wanted.size)) else {
            return Ok(None);
        };
        row.text(3).map(|note| Some(note.to_owned())).map_err(Error::unavailable)
    }

    /// Keeps full tiles up to the head, proves that the log only grew, and signs.
    async fn sign(&self, signing: &mut Signing, head: &Head, next: &Checkpoint) -> Result<String> {
        self.grow_tiles(signing, head).await?;
        let signer = self.keys.signer(&self.name)?;
        let last = signing.state.last().cloned();
        let signed = match last {
            Some(last) if last.origin != next.origin => {
                let args = vec![head.epoch.into(), 0_i64.into(), 1_i64.into(), 1_i64.into()];
                let rows = self.store.query(&ledger::ENTRIES, args).await?;
                let first = rows
                    .first()
                    .ok_or_else(|| Error::unavailable("the first entry of the epoch is missing"))?
                    .blob(1)
                    .map_err(Error::unavailable)?;
                let wanted = tiles_for_inclusion(0, next.size).map_err(Error::unavailable)?;
                let tiles = self.tiles(head.epoch, wanted).await?;
                let proof = inclusion_proof(&tiles, 0, next.size).map_err(Error::unavailable)?;
                let continuity = Continuity::NewEpoch { first_entry: first, inclusion: &proof };
                signing.state.sign_next(&signer, next, continuity)
            }
            Some(last) if last.size > next.size => {
                signing.state.sign_next(&signer, next, Continuity::Grown(&[]))
            }
            Some(last) => {
                let wanted = tiles_for_consistency(last.size, next.size).map_err(Error::unavailable)?;
                let tiles = self.tiles(head.epoch, wanted).await?;
                let proof = consistency_proof(&tiles, last.size, next.size).map_err(Error::unavailable)?;
                signing.state.sign_next(&signer, next, Continuity::Grown(&proof))
            }
            None => signing.state.sign_next(&signer, next, Continuity::Grown(&[])),
        };
        let signed = signed.map_err(|error| self.not_signed(&error))?;
        let note = signed.to_string();
        let args = vec![head.epoch.into(), next.size.into(), self.clock.now().into(), note.clone().into()];
        self.store.upkeep(vec![Change::any(&ledger::KEEP_CHECKPOINT, args)]).await.map_err(commit_error)?;
        Ok(note)
    }

    /// A log that shrank or forked was changed behind the program's back: nothing is answered from
    /// it any more (invariant 1).
    fn not_signed(&self, error: &SignError) -> Error {
        let broken = matches!(
            error,
            SignError::Rollback { .. }
                | SignError::Fork { .. }
                | SignError::OtherLog
                | SignError::PreviousNotNamed
        );
        if broken {
            self.halted.store(true, Ordering::SeqCst);
        }
        Error::unavailable(format!("{error}; compare with a backup, then run `mimamori ledger verify`"))
    }

    /// Brings the kept tiles up to the head, in units of a bounded number of entries each: after
    /// days without a signer there may be millions. Before a checkpoint covers them tiles mean nothing, so
    /// the next signer goes on where this one stopped.
    async fn grow_tiles(&self, signing: &mut Signing, head: &Head) -> Result<()> {
        let mut grown = match signing.grown.take().filter(|grown| grown.epoch == head.epoch) {
            Some(grown) => grown,
            None => self.kept_tiles(head).await?,
        };
        // Fewer entries than this program has seen: signing finds what was rolled back.
        if grown.size > head.size {
            return Ok(());
        }
        loop {
            let until = head.size.min(grown.size.saturating_add(self.tile_step.load(Ordering::Relaxed)));
            let leaves = self.leaves(head.epoch, grown.size, until).await?;
            let mut full = Vec::new();
            for tile in grow(&grown.tiles(), grown.size, &leaves).map_err(Error::unavailable)? {
                if tile.id.width == TILE_WIDTH {
                    grown.partial.remove(&tile.id.level);
                    full.push(tile);
                } else {
                    grown.partial.insert(tile.id.level, tile);
                }
            }
            grown.size = until;
            self.keep_tiles(&signing.lease, head.epoch, &full).await?;
            if grown.size >= head.size {
                signing.grown = Some(grown);
                return Ok(());
            }
            // Many steps take longer than the lease lasts.
            let renewed = self.store.renew_lease(&signing.lease, LEASE_TIME).await.map_err(commit_error)?;
            signing.lease = renewed.ok_or_else(another_signs)?;
        }
    }

    /// Keeps full tiles in one unit, which fails when another program signs by now.
    async fn keep_tiles(&self, lease: &Lease, epoch: u32, full: &[Tile]) -> Result<()> {
        let mut changes = vec![Change::one(&upkeep::LEASE_FENCE, vec![LEASE.into(), lease.fencing.into()])];
        for tile in full {
            let level = i64::from(tile.id.level).into();
            let args = vec![epoch.into(), level, tile.id.index.into(), tile.to_bytes().into()];
            changes.push(Change::any(&ledger::KEEP_TILE, args));
        }
        self.store.upkeep(changes).await.map(|_| ()).map_err(commit_error)
    }

    /// How many entries' full tiles are kept in one unit, at least one tile's; for tests of what
    /// happens between two of them.
    #[doc(hidden)]
    pub fn keep_tiles_in_steps_of(&self, entries: u64) {
        self.tile_step.store(entries.max(u64::from(TILE_WIDTH)), Ordering::Relaxed);
    }

    /// The tree as far as its full leaf tiles are kept.
    async fn kept_tiles(&self, head: &Head) -> Result<Grown> {
        let row = self.store.query_one(&ledger::TILE_COUNT, vec![head.epoch.into(), 0_i64.into()]).await?;
        let kept = row.map_or(Ok(0), |row| row.unsigned(0)).map_err(Error::unavailable)?;
        let size = (kept * u64::from(TILE_WIDTH)).min(head.size);
        let mut partial = BTreeMap::new();
        for id in tiles_for_growth(size) {
            let hashes = self.tiles(head.epoch, [id]).await?;
            let hashes = mimamori_ledger::HashSource::tile(&hashes, id).map_err(Error::unavailable)?;
            partial.insert(id.level, Tile { id, hashes });
        }
        Ok(Grown { epoch: head.epoch, size, partial })
    }

    /// What was last signed, from the file outside the database, whoever holds it. `None` when nothing
    /// was.
    pub(super) fn last_signed(&self) -> Result<Option<Checkpoint>> {
        match SignerState::peek(&self.state_dir.join(STATE_FILE)) {
            Ok(last) => Ok(last),
            Err(SignerStateError::Missing(_)) => Ok(None),
            Err(error) => Err(Error::unavailable(error)),
        }
    }

    /// Refuses while a program of this folder signs.
    pub(super) fn require_nobody_signs(&self) -> Result<()> {
        match SignerState::open(&self.state_dir.join(STATE_FILE)) {
            Err(SignerStateError::InUse(_)) => Err(another_signs()),
            _ => Ok(()),
        }
    }

    /// Refuses a database that is older than what was signed, or whose signer's state is gone.
    pub(crate) async fn require_not_rolled_back(&self) -> Result<()> {
        let path = self.state_dir.join(STATE_FILE);
        if !path.exists() && self.was_signed().await? {
            return Err(Error::unavailable(format!(
                "{} is missing: put it back from where it was kept; without it nobody can tell whether the \
                 database was rolled back",
                path.display()
            )));
        }
        let Some(last) = self.last_signed()? else { return Ok(()) };
        let head = self.store.head().await?.ok_or_else(|| Error::unavailable("the ledger has no head"))?;
        let epoch = last.epoch().unwrap_or(u32::MAX);
        if (head.epoch, head.size) < (epoch, last.size) {
            return Err(Error::unavailable(format!(
                "the database is older than what was signed: {} entries in epoch {} where {} in epoch {epoch} were \
                 signed. If a backup was put back on purpose, run `mimamori ledger new-epoch --reason ...`",
                head.size, head.epoch, last.size
            )));
        }
        Ok(())
    }
}
