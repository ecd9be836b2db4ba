//! Verification of the database: ledger and objects against each other, both ways.
//!
//! The ledger: that no epoch is missing, every entry's form, place and time, the index columns
//! against the entry, the roots against every signed checkpoint, the signer's state outside the
//! database and what the next epoch says of the one before, the stored hash tiles, the head. The
//! objects: every version against the entry that committed to it, every commitment against a
//! version, every head against its latest version.

mod ahead;
mod entries;
mod objects;
mod tiles;

use std::collections::HashMap;

use mimamori_domain::{Error, Result, Timestamp, UnitId};
use mimamori_ledger::{
    Checkpoint, Entry, Finding, Hash, PreviousLog, Problem, SignedCheckpoint, TileCheck, TreeVerifier,
    VerifierKey, VerifyOptions, origin,
};
use mimamori_store::statements::ledger;
use mimamori_store::{Head, Snapshot, WALK_ROWS, tables};

use crate::App;

/// Rows asked for at a time.
#[allow(clippy::cast_possible_wrap, reason = "a few thousand")]
const WALK: i64 = WALK_ROWS as i64;

/// What a verification saw and found.
#[derive(Debug, Clone, Default)]
pub struct VerifyReport {
    /// Entries of all epochs.
    pub entries: u64,
    /// Versions of objects.
    pub versions: u64,
    /// Signed checkpoints compared.
    pub checkpoints: u64,
    /// What is wrong, each naming what and where; empty when all is well.
    pub findings: Vec<String>,
    /// What is proven and on record, but for people to explain: entries that a restored older
    /// database lacks.
    pub notices: Vec<String>,
    /// Tables that the walk does not cover, and why.
    pub uncovered: Vec<(String, String)>,
}

/// More findings than these are not listed.
const MOST_FINDINGS: usize = 1_000;

/// Tables that ledger and signatures cover.
const COVERED: [&str; 7] = [
    "ledger_head",
    "ledger_epoch",
    "ledger_entry",
    "ledger_tile",
    "checkpoint",
    "object_version",
    "object_head",
];

/// Why the others are not covered.
const UNCOVERED: [(&str, &str); 18] = [
    ("installation", "name and ids of the installation; a change makes it refuse to open"),
    ("access_version", "counters that only make programs look again"),
    ("link", "made again from the objects it points from; what it leads to is checked when opened"),
    ("seen", "who was shown what: each row stands beside a ledger entry that says so"),
    ("search_token", "made again from the records; a hit is compared after decryption"),
    ("clinical_index", "made again from the records; a hit is compared after decryption"),
    ("source_id", "only keeps imports from adding twice"),
    ("wrapped_key", "each row is sealed by the key above it"),
    ("session", "short-lived; each row carries a code made with a key"),
    ("bearer_token", "each row carries a code made with a key"),
    ("login", "leads to an account, whose own sign-in name is compared"),
    ("sign_in_attempt", "short-lived counters"),
    ("factor_use", "counters that only refuse what was used before"),
    ("ceremony", "short-lived; each row is sealed to the secret it is found by"),
    ("job_lease", "short-lived"),
    ("refusal_count", "counters; their sums are entries"),
    ("schema_version", "the program refuses a schema it does not know"),
    ("migration", "the program refuses a schema it does not know"),
];

impl App {
    /// Verifies the whole database. `progress` is told rows done and an estimate of all.
    ///
    /// # Errors
    /// Unavailable when it cannot be read; what is wrong in it is a finding, not an error.
    pub async fn verify(&self, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<VerifyReport> {
        // Before the snapshot: what was signed lies in it, whatever is added and signed meanwhile.
        let last_signed = self.last_signed()?;
        // One state from beginning to end: beside a server that writes, entries without their head
        // and versions without their entry would look like tampering.
        let snapshot = self.store.snapshot().await?;
        let mut walk = Walk {
            app: self,
            reads: snapshot.as_ref(),
            report: VerifyReport::default(),
            committed: HashMap::new(),
        };
        walk.ledger(last_signed, progress).await?;
        walk.objects(progress).await?;
        walk.report.uncovered = uncovered();
        Ok(walk.report)
    }
}

fn uncovered() -> Vec<(String, String)> {
    tables::ALL
        .iter()
        .filter(|table| !COVERED.contains(&table.name))
        .map(|table| {
            let why = UNCOVERED
                .iter()
                .find(|(name, _)| *name == table.name)
                .map_or("not looked at", |(_, why)| why);
            (table.name.to_owned(), why.to_owned())
        })
        .collect()
}

/// Where a version was committed to.
struct Commitment {
    unit: UnitId,
    epoch: u32,
    sequence: u64,
    seen: bool,
}

struct Walk<'a> {
    app: &'a App,
    reads: &'a dyn Snapshot,
    report: VerifyReport,
    committed: HashMap<Hash, Commitment>,
}

impl Walk<'_> {
    fn found(&mut self, what: String) {
        if self.report.findings.len() < MOST_FINDINGS {
            self.report.findings.push(what);
        }
    }

    async fn ledger(
        &mut self,
        last_signed: Option<Checkpoint>,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<()> {
        let Some(head) = self.reads.head().await? else {
            self.found("ledger_head is missing".to_owned());
            return Ok(());
        };
        let key: VerifierKey = self.app.verifier_key().parse().map_err(Error::unavailable)?;
        let mut last_time = None;
        let mut next = 0;
        for row in self.reads.query(&ledger::EPOCHS, Vec::new()).await? {
            let epoch = row.epoch(0).map_err(Error::unavailable)?;
            self.missing_epochs(next, epoch);
            next = epoch.saturating_add(1);
            let wanted = origin(&self.app.name, epoch);
            if row.text(1).ok() != Some(&wanted) {
                self.found(format!("epoch {epoch}: its origin in ledger_epoch is not {wanted}"));
            }
            let mut tree = TreeVerifier::resume(
                epoch,
                mimamori_ledger::Frontier::new(),
                last_time,
                VerifyOptions { most_findings: MOST_FINDINGS, ..VerifyOptions::default() },
            );
            let signed = self.signed(epoch, &key, &mut tree).await?;
            let lost = self.named_by_next(epoch, &wanted, &mut tree).await?;
            let last = last_signed.as_ref().filter(|last| last.epoch() == Some(epoch));
            if let Some(last) = last.filter(|last| lost.as_ref().is_none_or(|lost| lost.root != last.root)) {
                tree.expect_root(last.size, last.root);
            }
            let mut tiles = TileCheck::new();
            self.entries(epoch, &mut tree, &mut tiles, head.size, progress).await?;
            self.tiles(epoch, &mut tiles, signed).await?;
            last_time = tree.last_recorded();
            let (seen, findings) = tree.finish();
            if epoch == head.epoch {
                self.ledger_head(&head, &wanted, seen.size, &seen.root, last_time);
            }
            for finding in findings.kept() {
                self.found(finding.to_string());
            }
        }
        self.missing_epochs(next, head.epoch.saturating_add(1));
        if let Some(last) = last_signed.filter(|last| last.epoch().is_none_or(|epoch| epoch > head.epoch)) {
            self.found(format!("epoch {:?} was signed and is missing", last.epoch()));
        }
        Ok(())
    }

    fn missing_epochs(&mut self, from: u32, until: u32) {
        for epoch in (from..until).take(MOST_FINDINGS) {
            self.found(format!("epoch {epoch}: it is missing from ledger_epoch"));
        }
    }

    /// Lets the tree expect the root of every checkpoint of an epoch that is rightly signed. Gives the
    /// size of the last one.
    async fn signed(&mut self, epoch: u32, key: &VerifierKey, tree: &mut TreeVerifier) -> Result<u64> {
        let mut above = -1_i64;
        let mut last = 0;
        loop {
            let args = vec![epoch.into(), above.into(), WALK.into()];
            let rows = self.reads.query(&ledger::CHECKPOINTS, args).await?;
            if rows.is_empty() {
                return Ok(last);
            }
            for row in rows {
                above = row.int(1).map_err(Error::unavailable)?;
                let signed = row.text(3).ok().and_then(|note| SignedCheckpoint::parse(note).ok());
                let verified = signed.as_ref().and_then(|signed| {
                    let right = signed.verify(key).ok()?;
                    (right.epoch() == Some(epoch) && i64::try_from(right.size) == Ok(above)).then_some(right)
                });
                match verified {
                    Some(right) => {
                        last = last.max(right.size);
                        tree.expect_root(right.size, right.root);
                        self.report.checkpoints += 1;
                    }
                    None => self.found(format!(
                        "epoch {epoch}: the checkpoint of size {above} is not validly signed"
                    )),
                }
            }
        }
    }

    /// Compares an epoch with what the first entry of the next one says of it. Gives what that entry
    /// names when a part of it is not here: lost, and on record.
    async fn named_by_next(
        &mut self,
        epoch: u32,
        wanted: &str,
        tree: &mut TreeVerifier,
    ) -> Result<Option<PreviousLog>> {
        let args = vec![epoch.saturating_add(1).into(), 0_i64.into(), 1_i64.into(), 1_i64.into()];
        let rows = self.reads.query(&ledger::ENTRIES, args).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let named = Entry::decode(row.blob(1).map_err(Error::unavailable)?)
            .ok()
            .and_then(|entry| entry.draft.previous);
        let present = self.app.epoch_size(epoch).await?;
        let told = |sequence, problem| Finding { epoch, sequence, problem }.to_string();
        match named {
            // That the entry itself is not well formed is found in its place.
            None => Ok(None),
            Some(named) if named.origin != wanted => {
                self.found(told(None, Problem::PreviousLog));
                Ok(None)
            }
            Some(named) if named.size > present => {
                self.report.notices.push(told(Some(present), Problem::Lost { named: named.size, present }));
                Ok(Some(named))
            }
            Some(named) => {
                tree.expect_root(named.size, named.root);
                Ok(None)
            }
        }
    }

    fn ledger_head(&mut self, head: &Head, wanted: &str, size: u64, root: &Hash, last: Option<Timestamp>) {
        let epoch = head.epoch;
        if (size, *root) != (head.size, head.frontier.root()) {
            let other_root = if size == head.size { " with another root" } else { "" };
            self.found(format!(
                "epoch {epoch}: the head says {} entries, {size} are there{other_root}",
                head.size
            ));
        }
        if head.origin != wanted {
            self.found(format!("epoch {epoch}: the head's origin is not {wanted}"));
        }
        if last != Some(head.recorded) {
            self.found(format!("epoch {epoch}: the head's recorded time is not that of its last entry"));
        }
    }

    /// Entries of changes commit to new versions, others only repeat what was committed to before.
    fn keep_commitments(&mut self, entry: &Entry) {
        for commitment in &entry.draft.commitments {
            self.committed.entry(*commitment).or_insert(Commitment {
                unit: entry.draft.unit,
                epoch: entry.position.epoch,
                sequence: entry.position.sequence,
                seen: false,
            });
        }
    }
}
