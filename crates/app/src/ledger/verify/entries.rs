//! The entries: their rows in blocks that the database puts together, because fetching row by row
//! takes several times as long as verifying. A block that is not what its entries say is read again row by
//! row, which names what is wrong.

use mimamori_domain::{Error, Result};
use mimamori_ledger::{Entry, TileCheck, TreeVerifier};
use mimamori_store::Row;
use mimamori_store::statements::ledger;

use super::ahead::Ahead;
use super::{WALK, Walk};

/// What stands for a missing id in a block ([`ledger::ENTRY_BLOCK`]): as long as an id, so that the next
/// one lies where it must.
const NO_ID: &[u8; 16] = b"0000000000000000";

/// How a block was found.
enum Seen {
    /// Every column of every row is what its entry says.
    Right,
    /// The entries were taken, and some column is not what its entry says.
    ColumnsDiffer,
    /// It cannot be taken apart; no entry of it was taken.
    Unreadable,
}

impl Walk<'_> {
    /// Pushes every entry of an epoch to the tree, and compares its row's index columns.
    pub(super) async fn entries(
        &mut self,
        epoch: u32,
        tree: &mut TreeVerifier,
        tiles: &mut TileCheck,
        size: u64,
        progress: &(dyn Fn(u64, u64) + Send + Sync),
    ) -> Result<()> {
        let reads = self.reads;
        let block = |from: i64| vec![epoch.into(), from.into(), from.saturating_add(WALK).into()];
        let mut from = i64::MIN;
        // Where a block is empty, rows may still follow: after a gap, or before 0.
        while let Some(next) = self.next_sequence(epoch, from).await? {
            from = next;
            let mut ahead = Ahead::new(reads, &ledger::ENTRY_BLOCK, block(from));
            while let Some(rows) = ahead.next(|_| Ok(block(from.saturating_add(WALK)))).await? {
                let until = from.saturating_add(WALK);
                let seen = rows.first().map_or(Seen::Unreadable, |row| self.block(row, tree, tiles));
                if !matches!(seen, Seen::Right) {
                    ahead.pause().await;
                    let taken = matches!(seen, Seen::ColumnsDiffer);
                    self.rows(epoch, (from, until), (!taken).then_some((&mut *tree, &mut *tiles))).await?;
                }
                from = until;
                progress(self.report.entries, size.max(self.report.entries));
            }
        }
        Ok(())
    }

    /// The sequence of the first row from this one on.
    async fn next_sequence(&self, epoch: u32, from: i64) -> Result<Option<i64>> {
        let args = vec![epoch.into(), from.into(), i64::MAX.into(), 1_i64.into()];
        let rows = self.reads.query(&ledger::ENTRIES, args).await?;
        rows.first().map(|row| row.int(0)).transpose().map_err(Error::unavailable)
    }

    fn block(&mut self, row: &Row, tree: &mut TreeVerifier, tiles: &mut TileCheck) -> Seen {
        let Some(block) = Block::read(row) else { return Seen::Unreadable };
        let mut compared = Compared::default();
        for (sequence, told) in (block.first..).zip(&block.rows) {
            self.report.entries += 1;
            let entry = tree.push_and_read(told.entry, |height, _, root| tiles.completed(height, root));
            // That an entry is not well formed, the tree has found; its columns say nothing then.
            if let Some(entry) = entry {
                compared.add(&entry, sequence, told);
                self.keep_commitments(&entry);
            } else {
                compared.differs = true;
            }
        }
        if compared.same(&block) { Seen::Right } else { Seen::ColumnsDiffer }
    }

    /// The rows of a range one by one; their entries are pushed to the tree unless they were already.
    async fn rows(
        &mut self,
        epoch: u32,
        (from, until): (i64, i64),
        mut push: Option<(&mut TreeVerifier, &mut TileCheck)>,
    ) -> Result<()> {
        let args = vec![epoch.into(), from.into(), until.into(), WALK.into()];
        for row in self.reads.query(&ledger::ENTRIES_WITH_INDEX, args).await? {
            let sequence = row.int(0).map_err(Error::unavailable)?;
            let bytes = row.blob(7).map_err(Error::unavailable)?;
            let entry = match &mut push {
                Some((tree, tiles)) => {
                    self.report.entries += 1;
                    let entry = tree.push_and_read(bytes, |height, _, root| tiles.completed(height, root));
                    entry.inspect(|entry| self.keep_commitments(entry))
                }
                None => Entry::decode(bytes).ok(),
            };
            if let Some(column) = entry.and_then(|entry| differs(&row, &entry)) {
                self.found(format!(
                    "epoch {epoch}, entry {sequence}: column {column} is not what the entry says"
                ));
            }
        }
        Ok(())
    }
}

/// The rows of a block, taken apart.
struct Block<'r> {
    /// Sequence of the first; the others follow without a gap.
    first: u64,
    rows: Vec<Told<'r>>,
    /// Units, actors, subjects, institutions, one after the other.
    ids: [&'r [u8]; 4],
    /// How many ids of actors, subjects and institutions there are.
    present: u64,
}

/// One row of a block.
struct Told<'r> {
    recorded: i64,
    action: &'r str,
    entry: &'r [u8],
}

impl<'r> Block<'r> {
    /// `None` when anything is not as it is in every ledger that nobody has touched.
    fn read(row: &'r Row) -> Option<Self> {
        let (count, first, last) = (row.unsigned(0).ok()?, row.unsigned(1).ok()?, row.unsigned(2).ok()?);
        // Sequences are unique, so this many between these two leave none out.
        if last.checked_sub(first)?.checked_add(1)? != count || row.int(3).ok()? != 0 {
            return None;
        }
        let mut entries = row.blob(10).ok()?;
        let mut rows = Vec::with_capacity(usize::try_from(count).ok()?);
        // No action that an entry can have holds a comma or a space: one in a column makes a
        // difference, here or in comparing.
        for (sequence, told) in (first..).zip(row.text(5).ok()?.split(',')) {
            let mut parts = told.splitn(4, ' ');
            // Put together in another order: no entry may reach the tree so.
            if parts.next()?.parse() != Ok(sequence) {
                return None;
            }
            let recorded = parts.next()?.parse().ok()?;
            let (entry, others) = entries.split_at_checked(parts.next()?.parse().ok()?)?;
            rows.push(Told { recorded, action: parts.next()?, entry });
            entries = others;
        }
        let ids = [row.blob(6).ok()?, row.blob(7).ok()?, row.blob(8).ok()?, row.blob(9).ok()?];
        let whole = entries.is_empty() && rows.len() as u64 == count;
        whole.then_some(Self { first, rows, ids, present: row.unsigned(4).ok()? })
    }
}

/// What the entries of a block say its columns must be.
#[derive(Default)]
struct Compared {
    ids: [Vec<u8>; 4],
    present: u64,
    differs: bool,
}

impl Compared {
    fn add(&mut self, entry: &Entry, sequence: u64, told: &Told<'_>) {
        let (position, draft) = (&entry.position, &entry.draft);
        self.differs |= position.sequence != sequence
            || position.recorded.as_micros() != told.recorded
            || draft.action.as_str() != told.action;
        let ids = [
            Some(draft.unit.as_bytes()),
            draft.actor.as_ref().map(|id| id.as_bytes()),
            draft.subject.as_ref().map(|id| id.as_bytes()),
            draft.institution.as_ref().map(|id| id.as_bytes()),
        ];
        // The unit is always there, and not counted.
        self.present += ids.iter().skip(1).flatten().count() as u64;
        for (column, id) in self.ids.iter_mut().zip(ids) {
            self.differs |= id == Some(NO_ID);
            column.extend_from_slice(id.unwrap_or(NO_ID));
        }
    }

    fn same(&self, block: &Block<'_>) -> bool {
        !self.differs && self.present == block.present && self.ids.iter().eq(block.ids)
    }
}

/// The first index column that is not what the entry says.
fn differs(row: &Row, entry: &Entry) -> Option<&'static str> {
    let (position, draft) = (&entry.position, &entry.draft);
    let same = |column: usize, bytes: Option<&[u8]>| row.opt_blob(column).is_ok_and(|found| found == bytes);
    [
        ("sequence", row.unsigned(0).is_ok_and(|found| found == position.sequence)),
        ("unit", same(1, Some(draft.unit.as_bytes()))),
        ("recorded", row.time(2).is_ok_and(|found| found == position.recorded)),
        ("actor", same(3, draft.actor.as_ref().map(|id| id.as_bytes().as_slice()))),
        ("subject", same(4, draft.subject.as_ref().map(|id| id.as_bytes().as_slice()))),
        ("institution", same(5, draft.institution.as_ref().map(|id| id.as_bytes().as_slice()))),
        ("action", row.text(6).is_ok_and(|found| found == draft.action.as_str())),
    ]
    .into_iter()
    .find(|(_, right)| !right)
    .map(|(column, _)| column)
}
