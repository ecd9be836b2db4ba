//! What the program's own jobs came to: kept, so that a duty that a job proves (`proof: {job: ...}`) is
//! done by a run that ended well and by nothing else.
//!
//! A run that failed is an object of another kind: it proves nothing and says why. Jobs that run all the
//! time are noted once a day, and whenever they begin to fail or recover.

use std::time::Duration;

use mimamori_domain::{Action, Error, Kind, ObjectId, Outcome, RecordState, Result, Timestamp};
use mimamori_store::Unit;
use serde::{Deserialize, Serialize};

use super::documents::day;
use super::duties::THING;
use super::object::Writing;
use super::system::JobRuns;
use super::who::target;
use crate::access::{Settled, commit_error, decided, kept_changing};
use crate::body::Body;
use crate::{App, VerifyReport};

/// The jobs whose results are kept, by the names that packs call them.
pub const JOBS: [&str; 5] = [CHECKPOINT, VERIFY, CLOCK, MAIL, ACCOUNTS];

pub(crate) const CHECKPOINT: &str = "checkpoint";
pub(crate) const VERIFY: &str = "ledger-verify";
pub(crate) const CLOCK: &str = "clock";
pub(crate) const ACCOUNTS: &str = "accounts";
pub(crate) const MAIL: &str = "mail-reminders";

/// A job's result that proves a duty: kept under the job's name.
pub(crate) const JOB_RESULT: Kind = Kind::of("job-result");

/// How long one program has the verification to itself.
const VERIFY_LEASE: Duration = Duration::from_secs(6 * 3_600);

/// How a run of a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    Done,
    Failed(JobFailure),
}

/// Why a job failed. Words only: nothing that could describe a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobFailure {
    /// The verification found so many things wrong.
    Findings(u64),
    /// The database or a file could not be used.
    Unavailable,
    /// No time service told how far the clock is off.
    ClockNotMeasured,
    /// The mail server could not be reached.
    MailUnreachable,
    /// The mail server's certificate or encryption is not as it must be.
    MailTls,
    /// The mail server did not let the program sign in.
    MailSignIn,
    /// So many people's addresses were refused.
    MailRefused(u64),
}

impl JobFailure {
    /// Its word, for texts: `findings`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Findings(_) => "findings",
            Self::Unavailable => "unavailable",
            Self::ClockNotMeasured => "clock-not-measured",
            Self::MailUnreachable => "mail-unreachable",
            Self::MailTls => "mail-tls",
            Self::MailSignIn => "mail-sign-in",
            Self::MailRefused(_) => "mail-refused",
        }
    }

    /// How many, where it counts something; 0 otherwise.
    #[must_use]
    pub const fn count(self) -> u64 {
        match self {
            Self::Findings(count) | Self::MailRefused(count) => count,
            _ => 0,
        }
    }
}

/// A run that ended well.
#[derive(Clone, Serialize, Deserialize)]
struct JobResultBody {
    /// Microseconds UTC.
    ended: i64,
}

impl Body for JobResultBody {
    const KIND: Kind = JOB_RESULT;
}

/// A run that failed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct JobTroubleBody {
    /// Microseconds UTC.
    pub(crate) ended: i64,
    pub(crate) failure: JobFailure,
}

impl Body for JobTroubleBody {
    const KIND: Kind = Kind::of("job-failure");
}

impl App {
    /// Keeps how a run of one of the program's jobs ended, under the rules in force by then: a job runs as
    /// long as the program, or begins under rules that others have followed when it ends.
    ///
    /// # Errors
    /// Invalid for a job that is not one of [`JOBS`]; unavailable.
    pub async fn record_job(&self, job: &str, end: JobEnd) -> Result<()> {
        if !JOBS.contains(&job) {
            return Err(Error::internal(format!("{job} is not a job of this program")));
        }
        self.in_force().await?.keep_job(job, end).await
    }

    async fn keep_job(&self, job: &str, end: JobEnd) -> Result<()> {
        let caller = self.itself();
        let decision = self.require_general(&caller, Action::System, target(THING, false)).await?;
        let now = self.clock.now();
        let object = ObjectId::random();
        let mut unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::System), &decision);
        let ended = now.as_micros();
        match end {
            JobEnd::Done => {
                let body = JobResultBody { ended };
                let writing = writing(object, job, now, &body);
                entry.commitments = vec![self.write_governed(&caller, &mut unit, &writing).await?];
                entry.resource = Self::resource_of::<JobResultBody>(object);
            }
            JobEnd::Failed(failure) => {
                let body = JobTroubleBody { ended, failure };
                let writing = writing(object, job, now, &body);
                entry.commitments = vec![self.write_governed(&caller, &mut unit, &writing).await?];
                entry.resource = Self::resource_of::<JobTroubleBody>(object);
                entry.outcome = Outcome::Failed;
            }
        }
        entry.version = Some(1);
        let entry = self.with_sealed(&caller, entry, 0, Some(job))?;
        match self.settle(&caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// The same for a job that runs all the time: kept when nothing was kept of it today (in Japan), and
    /// when it ended otherwise than the last time.
    ///
    /// # Errors
    /// As [`App::record_job`].
    pub async fn note_job(&self, job: &'static str, end: JobEnd) -> Result<()> {
        let (well, badly) = self.newest_runs(job).await?;
        let (same, other) = if end == JobEnd::Done { (well, badly) } else { (badly, well) };
        let told = |at: Timestamp| day(at) == day(self.clock.now()) && other.is_none_or(|other| other < at);
        if same.is_some_and(told) { Ok(()) } else { self.record_job(job, end).await }
    }

    /// When a job last ended well, and when it last failed, UTC.
    async fn newest_runs(&self, job: &'static str) -> Result<(Option<Timestamp>, Option<Timestamp>)> {
        let runs = self.runs_of(job).await?;
        Ok((runs.well, runs.badly.map(|(at, _)| at)))
    }

    /// The last runs of a job.
    pub(crate) async fn runs_of(&self, job: &'static str) -> Result<JobRuns> {
        let end = Timestamp::from_micros(i64::MAX);
        let well = self.newest_governed::<JobResultBody>(job, end).await?;
        let badly = self.newest_governed::<JobTroubleBody>(job, end).await?;
        let time = Timestamp::from_micros;
        Ok(JobRuns {
            job,
            well: well.map(|found| time(found.body.ended)),
            badly: badly.map(|found| (time(found.body.ended), found.body.failure)),
        })
    }

    /// Verifies the whole database when that was last done so long ago or longer, keeps how it came out,
    /// and tells. `None` when it is not time yet, or another program of this installation is at it.
    ///
    /// # Errors
    /// Unavailable when the database cannot be read; that is kept too, as far as it can be written.
    pub async fn verify_when_due(&self, every: Duration) -> Result<Option<VerifyReport>> {
        if !self.verification_due(every).await? {
            return Ok(None);
        }
        let lease = self.store.acquire_lease(VERIFY, self.instance, VERIFY_LEASE).await;
        let Some(lease) = lease.map_err(commit_error)? else { return Ok(None) };
        // Another program may have ended its own in between.
        if !self.verification_due(every).await? {
            self.store.release_lease(lease).await.map_err(commit_error)?;
            return Ok(None);
        }
        let verified = self.verify(&|_, _| {}).await;
        let end = match &verified {
            Ok(report) if report.findings.is_empty() => JobEnd::Done,
            Ok(report) => JobEnd::Failed(JobFailure::Findings(report.findings.len() as u64)),
            Err(_) => JobEnd::Failed(JobFailure::Unavailable),
        };
        let kept = self.record_job(VERIFY, end).await;
        // If that fails, it runs out by itself.
        let _released = self.store.release_lease(lease).await;
        let report = verified?;
        kept.map(|()| Some(report))
    }

    async fn verification_due(&self, every: Duration) -> Result<bool> {
        let (well, badly) = self.newest_runs(VERIFY).await?;
        Ok(well.max(badly).is_none_or(|last| self.clock.now().since(last) >= every))
    }
}

fn writing<'a, T>(object: ObjectId, job: &'a str, sorted: Timestamp, body: &'a T) -> Writing<'a, T> {
    Writing { object, follows: 0, code: job, state: RecordState::Confirmed, institution: None, sorted, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_read_back_and_have_words_of_their_own() {
        let all = [
            JobFailure::Findings(3),
            JobFailure::Unavailable,
            JobFailure::ClockNotMeasured,
            JobFailure::MailUnreachable,
            JobFailure::MailTls,
            JobFailure::MailSignIn,
            JobFailure::MailRefused(2),
        ];
        for failure in all {
            let text = serde_json::to_string(&failure).unwrap();
            assert_eq!(serde_json::from_str::<JobFailure>(&text).unwrap(), failure);
            assert!(text.contains(failure.as_str()), "{text}");
        }
    }
}
