//! How long the disk takes: an answer waits until its entry is there, and a disk that stands still for a while
//! looks like a slow program unless it is measured beside it.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mimamori_domain::UnitId;

use super::broken;
use super::load::Samples;
use crate::exit::Result;

/// As the log's page: what is written and waited for.
const PAGE: [u8; 4_096] = [7; 4_096];
/// Seldom enough to cost nothing beside 64 people at work, often enough to meet whatever stands still for longer.
const EVERY: Duration = Duration::from_millis(100);

/// How long a page at the end of a file takes until the disk has it: the median of fifty.
///
/// # Errors
/// When the folder cannot be written.
pub fn median(folder: &Path) -> Result<Duration> {
    let file = page_of_its_own(folder).map_err(broken)?;
    let mut times = Vec::new();
    for number in 1..=50 {
        times.push(write(&file, number).map_err(broken)?);
    }
    times.sort_unstable();
    Ok(times.get(25).copied().unwrap_or_default())
}

/// Writes the same page over ten times a second, as the database's log is written over, while something else is
/// measured. It ends when dropped.
#[derive(Debug)]
pub struct Beside {
    begun: Instant,
    running: Sender<()>,
    thread: JoinHandle<std::io::Result<Vec<Duration>>>,
}

impl Beside {
    /// Begins to write.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(folder: &Path) -> Result<Self> {
        let file = page_of_its_own(folder).map_err(broken)?;
        let (running, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut times = Vec::new();
            loop {
                times.push(write(&file, 0)?);
                if ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected) {
                    return Ok(times);
                }
            }
        });
        Ok(Self { begun: Instant::now(), running, thread })
    }

    /// Ends it, and tells how long each write took until the disk had it and the thread a processor again.
    ///
    /// # Errors
    /// When the disk could not be written.
    pub fn end(self) -> Result<Samples> {
        drop(self.running);
        let times = self.thread.join().map_err(|_| broken("the disk's thread"))?.map_err(broken)?;
        Ok(Samples::of(times, self.begun.elapsed()))
    }
}

/// A file of one page. Its name is gone at once, and it with whoever holds it.
fn page_of_its_own(folder: &Path) -> std::io::Result<File> {
    let path = folder.join(format!("page-{}", UnitId::random()));
    let file = File::create_new(&path)?;
    std::fs::remove_file(&path)?;
    write(&file, 0)?;
    Ok(file)
}

fn write(file: &File, number: u64) -> std::io::Result<Duration> {
    let begun = Instant::now();
    file.write_all_at(&PAGE, number * PAGE.len() as u64)?;
    file.sync_data()?;
    Ok(begun.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_timed_until_they_are_told_to_end_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let beside = Beside::begin(folder.path()).unwrap();
        assert!(beside.end().unwrap().count() > 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Beside::begin(&folder.path().join("nowhere")).is_err());
    }
}
