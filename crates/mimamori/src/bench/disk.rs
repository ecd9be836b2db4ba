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
use super::report::Measured;
use crate::exit::Result;

/// As the log's page: what is written and waited for.
const PAGE: [u8; 4_096] = [7; 4_096];
/// Seldom enough to cost nothing beside 64 people at work, often enough to meet whatever stands still for longer.
const EVERY: Duration = Duration::from_millis(100);
/// From here on the disk alone makes a page miss its time, in milliseconds.
const STANDS_STILL: Duration = Duration::from_millis(50);

/// How long a write of one page takes until the disk has it: the median of fifty.
///
/// # Errors
/// When the folder cannot be written.
pub fn median(folder: &Path) -> Result<Duration> {
    let file = page_of_its_own(folder).map_err(broken)?;
    let mut times = Vec::new();
    for _ in 0..50 {
        times.push(write(&file).map_err(broken)?);
    }
    times.sort_unstable();
    Ok(times.get(25).copied().unwrap_or_default())
}

/// Writes a page ten times a second while something else is measured. It ends when dropped.
#[derive(Debug)]
pub struct Beside {
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
                times.push(write(&file)?);
                if ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected) {
                    return Ok(times);
                }
            }
        });
        Ok(Self { running, thread })
    }

    /// Ends it, and tells how long each write took.
    ///
    /// # Errors
    /// When the disk could not be written.
    pub fn end(self) -> Result<Waits> {
        drop(self.running);
        let times = self.thread.join().map_err(|_| broken("the disk's thread"))?.map_err(broken)?;
        Ok(Waits(times))
    }
}

/// What the writes beside a measurement waited for the disk, and until their thread had a processor again.
#[derive(Debug)]
pub struct Waits(Vec<Duration>);

impl Waits {
    /// The longest, in milliseconds.
    #[must_use]
    pub fn slowest_ms(&self) -> f64 {
        self.0.iter().max().map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }

    /// As a measurement: times in milliseconds, and how many would have made a page late.
    #[must_use]
    pub fn measured(self, name: &str) -> Measured {
        let late = self.0.iter().filter(|time| **time >= STANDS_STILL).count();
        let slowest = self.slowest_ms();
        let samples = Samples::of(self.0, Duration::ZERO);
        Measured::new(name, None)
            .with("median_ms", samples.within_ms(50))
            .with("p99_ms", samples.within_ms(99))
            .with("slowest_ms", slowest)
            .with("late", late as f64)
            .with("samples", samples.count() as f64)
    }
}

/// A file of one page, which is written over again and again, as the database's log is. Its name is gone at once,
/// and it with whoever holds it.
fn page_of_its_own(folder: &Path) -> std::io::Result<File> {
    let path = folder.join(format!("page-{}", UnitId::random()));
    let file = File::create_new(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all_at(&PAGE, 0)?;
    file.sync_all()?;
    Ok(file)
}

fn write(file: &File) -> std::io::Result<Duration> {
    let begun = Instant::now();
    file.write_all_at(&PAGE, 0)?;
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
        let waits = beside.end().unwrap();
        assert!(waits.slowest_ms() > 0.0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(Beside::begin(&folder.path().join("nowhere")).is_err());
    }

    #[test]
    fn writes_that_make_a_page_late_are_counted() {
        let waits = Waits([1, 49, 50, 700].map(Duration::from_millis).to_vec());
        let measured = waits.measured("disk");
        let field = |name| measured.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
        assert_eq!(field("late"), Some(2.0));
        assert_eq!(field("slowest_ms"), Some(700.0));
        assert_eq!(field("samples"), Some(4.0));
    }
}
