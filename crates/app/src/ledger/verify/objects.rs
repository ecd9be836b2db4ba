//! The objects: versions against the entries that committed to them, heads against versions.

use mimamori_domain::{Error, ObjectId, Result};
use mimamori_store::statements::objects;
use mimamori_store::{ObjectHead, ObjectVersion, ObjectVersionError, Row, Snapshot};

use super::ahead::Ahead;
use super::{WALK, Walk};

impl Walk<'_> {
    pub(super) async fn objects(&mut self, progress: &(dyn Fn(u64, u64) + Send + Sync)) -> Result<()> {
        let mut heads = Heads { reads: self.reads, rows: Vec::new(), after: Vec::new(), done: false };
        let mut latest: Option<Latest> = None;
        let first = vec![Vec::new().into(), 0_i64.into(), WALK.into()];
        let mut ahead = Ahead::new(self.reads, &objects::ALL_VERSIONS, first).in_turn();
        while let Some(rows) = ahead
            .next(|last| Ok(vec![last.blob(0)?.to_vec().into(), last.int(1)?.into(), WALK.into()]))
            .await?
        {
            for mut row in rows {
                let id: ObjectId = row.id_of(0).map_err(Error::unavailable)?;
                let number = row.unsigned(1).map_err(Error::unavailable)?;
                self.report.versions += 1;
                if latest.as_ref().is_some_and(|latest| latest.id != id)
                    && let Some(done) = latest.take()
                {
                    self.head(done, &mut heads).await?;
                }
                let before = latest.as_ref().map_or(0, |latest| latest.number);
                if number != before + 1 {
                    self.found(format!("object {id}: version {} is missing", before + 1));
                }
                let version = self.version(&mut row, id, number);
                latest = Some(Latest { id, number, version });
            }
            progress(self.report.entries + self.report.versions, self.report.entries + self.report.versions);
        }
        if let Some(done) = latest {
            self.head(done, &mut heads).await?;
        }
        while let Some(head) = heads.next().await? {
            self.found(format!("object {}: it has a head and no version", head.object));
        }
        let missing: Vec<String> = self
            .committed
            .values()
            .filter(|commitment| !commitment.seen)
            .map(|commitment| {
                format!(
                    "epoch {}, entry {}: a version it committed to is missing or changed",
                    commitment.epoch, commitment.sequence
                )
            })
            .collect();
        for what in missing {
            self.found(what);
        }
        Ok(())
    }

    /// Checks one version against itself and the ledger.
    fn version(&mut self, row: &mut Row, id: ObjectId, number: u64) -> Option<ObjectVersion> {
        let kind = row.text(2).unwrap_or("?").to_owned();
        match ObjectVersion::from_row(row, 0) {
            Ok(version) => {
                match self.committed.get_mut(&version.commitment()) {
                    Some(commitment) if commitment.unit == version.unit => commitment.seen = true,
                    Some(_) => self
                        .found(format!("object {id} ({kind}), version {number}: committed by another unit")),
                    None => self.found(format!(
                        "object {id} ({kind}), version {number}: no entry of the ledger commits to it"
                    )),
                }
                Some(version)
            }
            Err(ObjectVersionError::Commitment) => {
                self.found(format!(
                    "object {id} ({kind}), version {number}: it was changed after it was recorded"
                ));
                None
            }
            Err(error) => {
                self.found(format!("object {id}, version {number}: {error}"));
                None
            }
        }
    }

    /// Compares the head of an object with its latest version.
    async fn head(&mut self, latest: Latest, heads: &mut Heads<'_>) -> Result<()> {
        while let Some(head) = heads.peek().await? {
            if head.object > latest.id {
                break;
            }
            let head = head.clone();
            heads.rows.pop();
            if head.object < latest.id {
                self.found(format!("object {}: it has a head and no version", head.object));
                continue;
            }
            let right = latest.version.as_ref().is_none_or(|version| {
                let wanted = ObjectHead::of(version);
                // Versions from before the ledger committed to it leave it open.
                let sort_time = version.sort_time.map_or(head.sort_time, |_| wanted.sort_time);
                ObjectHead { sort_time, ..wanted } == head
            });
            if head.version != latest.number || !right {
                self.found(format!(
                    "object {}: its head is not that of version {}",
                    latest.id, latest.number
                ));
            }
            return Ok(());
        }
        self.found(format!("object {}: it has no head", latest.id));
        Ok(())
    }
}

/// The latest version of an object seen so far; `None` in it when that version cannot be read.
struct Latest {
    id: ObjectId,
    number: u64,
    version: Option<ObjectVersion>,
}

/// All heads in the order of their objects; read in parts, kept in reverse.
struct Heads<'a> {
    reads: &'a dyn Snapshot,
    rows: Vec<ObjectHead>,
    after: Vec<u8>,
    done: bool,
}

impl Heads<'_> {
    async fn peek(&mut self) -> Result<Option<&ObjectHead>> {
        if self.rows.is_empty() && !self.done {
            let args = vec![self.after.clone().into(), WALK.into()];
            let rows = self.reads.query(&objects::ALL_HEADS, args).await?;
            self.rows = rows
                .iter()
                .map(|row| ObjectHead::from_row(row, 0))
                .collect::<std::result::Result<_, _>>()
                .map_err(Error::unavailable)?;
            match self.rows.last() {
                Some(last) => self.after = last.object.to_vec(),
                None => self.done = true,
            }
            self.rows.reverse();
        }
        Ok(self.rows.last())
    }

    async fn next(&mut self) -> Result<Option<ObjectHead>> {
        self.peek().await?;
        Ok(self.rows.pop())
    }
}
