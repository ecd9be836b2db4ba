//! How the installation is doing: database, disk, ledger, jobs. For who runs it and who answers for it.

use mimamori_domain::{Action, Error, Kind, Result, Timestamp};

use super::jobs::{JOBS, JobFailure};
use super::object::Look;
use super::purpose;
use super::who::target;
use crate::App;
use crate::caller::Caller;

/// What is asked about: the settings of the installation.
pub(crate) const THING: Kind = Kind::of("settings");

/// Less than this much room is too little, whatever the disk's size: commits need room for the log that
/// precedes them.
const LEAST_FREE_BYTES: u64 = 1 << 30;
/// Less room than this share of the disk is little.
const LOW_FREE_PERCENT: u64 = 15;

/// How the installation is doing now.
#[derive(Debug, Clone)]
pub struct SystemStatus {
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// Of the disk that holds the program's own folder; none where it cannot be told.
    pub space: Option<Space>,
    /// The ledger's epoch, how many entries it has, and when the last one was recorded (UTC).
    pub epoch: u32,
    pub entries: u64,
    pub recorded: Timestamp,
    /// The ledger cannot be written: every access is refused until the program starts again.
    pub halted: bool,
    /// In the order of [`JOBS`].
    pub jobs: Vec<JobRuns>,
}

/// Room on a disk, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub free: u64,
    pub all: u64,
}

/// How much room there is, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Enough,
    Low,
    /// Soon nothing can be written: then every access is refused.
    TooLittle,
}

impl Space {
    /// Free room in hundredths of the whole.
    #[must_use]
    pub fn percent(self) -> u64 {
        self.free.saturating_mul(100) / self.all.max(1)
    }

    /// Less than 1 GiB is too little, less than 15 % is low.
    #[must_use]
    pub fn room(self) -> Room {
        match () {
            () if self.free < LEAST_FREE_BYTES => Room::TooLittle,
            () if self.percent() < LOW_FREE_PERCENT => Room::Low,
            () => Room::Enough,
        }
    }

    /// Of the disk that holds a folder.
    ///
    /// # Errors
    /// The folder cannot be looked at.
    pub fn at(folder: &std::path::Path) -> std::io::Result<Self> {
        let found = rustix::fs::statvfs(folder)?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Self { free: bytes(found.f_bavail), all: bytes(found.f_blocks).max(1) })
    }
}

/// The last runs of one of the program's jobs, UTC.
#[derive(Debug, Clone, Copy)]
pub struct JobRuns {
    pub job: &'static str,
    pub well: Option<Timestamp>,
    pub badly: Option<(Timestamp, JobFailure)>,
}

impl JobRuns {
    /// Why the last run failed; none when it ended well, or never ran.
    #[must_use]
    pub fn failing(&self) -> Option<JobFailure> {
        self.badly.filter(|(at, _)| self.well.is_none_or(|well| well < *at)).map(|(_, failure)| failure)
    }
}

impl App {
    /// How the installation is doing now.
    ///
    /// # Errors
    /// Forbidden for whom the policies show no settings; unavailable.
    pub async fn system_status(&self, caller: &Caller) -> Result<SystemStatus> {
        let caller = purpose(caller);
        let decision = self.require_general(&caller, Action::Read, target(THING, false)).await?;
        let head = self.store.head().await?.ok_or_else(|| Error::unavailable("the ledger has no head"))?;
        let mut jobs = Vec::with_capacity(JOBS.len());
        for job in JOBS {
            jobs.push(self.runs_of(job).await?);
        }
        let folder = self.state_dir.clone();
        let space = tokio::task::spawn_blocking(move || Space::at(&folder)).await;
        self.note_look(&caller, &decision, Look::at(Action::Read, THING)).await?;
        Ok(SystemStatus {
            database: self.store.database(),
            space: space.ok().and_then(std::io::Result::ok),
            epoch: head.epoch,
            entries: head.size,
            recorded: head.recorded,
            halted: self.halted.load(std::sync::atomic::Ordering::SeqCst),
            jobs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_judged_by_bytes_and_by_share() {
        let space = |free: u64, all: u64| Space { free, all };
        let gib = 1_u64 << 30;
        assert_eq!(space(gib - 1, 2 * gib).room(), Room::TooLittle);
        assert_eq!(space(20 * gib, 200 * gib).room(), Room::Low);
        assert_eq!(space(30 * gib, 200 * gib).room(), Room::Enough);
        assert_eq!((space(50, 200).percent(), space(0, 0).percent()), (25, 0));
        let here = Space::at(&std::env::temp_dir()).unwrap();
        assert!(here.free <= here.all, "{here:?}");
    }

    #[test]
    fn a_job_fails_while_its_last_run_did() {
        let time = Timestamp::from_micros;
        let failure = JobFailure::Unavailable;
        let runs = |well: Option<i64>, badly: Option<i64>| JobRuns {
            job: "clock",
            well: well.map(time),
            badly: badly.map(|at| (time(at), failure)),
        };
        assert_eq!(runs(None, None).failing(), None);
        assert_eq!(runs(Some(2), Some(1)).failing(), None);
        assert_eq!(runs(Some(1), Some(2)).failing(), Some(failure));
        assert_eq!(runs(None, Some(2)).failing(), Some(failure));
    }
}
