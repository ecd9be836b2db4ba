//! What runs beside the listeners: checkpoints, counted refusals, the measuring of the clock, the
//! verification of the whole database, and reminders by mail. What they come to is kept, so that duties
//! can be proved by it.

use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{App, JobEnd, JobFailure, MailRound, Tidied};
use mimamori_domain::{ErrorKind, SystemClock, Timestamp};
use mimamori_store::Store;
use rustls::ServerConfig;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock_offset;
use crate::config::Mail;
use crate::mail::Smtp;
use crate::net::Stop;

/// How often growth of the ledger is looked for.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// A checkpoint is signed at least so often, so that a stopped clock of checkpoints shows.
const CHECKPOINT_AT_LEAST: Duration = Duration::from_secs(60);
/// How often refusals before sign-in are written down: they are counted by the minute.
const REFUSALS_EVERY: Duration = Duration::from_secs(60);
/// How often the clock's distance from standard time is measured.
const CLOCK_EVERY: Duration = Duration::from_secs(600);

/// How often is looked whether a verification is due, and how long after the start first: a program
/// that has just started has more urgent things to do.
const VERIFY_LOOK: Duration = Duration::from_secs(600);
/// How often accounts are looked through for what is over or due.
const ACCOUNTS_EVERY: Duration = Duration::from_secs(600);
/// How often is looked whether today's reminders are due.
const MAIL_LOOK: Duration = Duration::from_secs(60);
/// How often is looked whether the authority for terminals was exchanged.
const AUTHORITIES_EVERY: Duration = Duration::from_secs(30);
/// How often is looked whether an emergency account is in use.
const URGENT_LOOK: Duration = Duration::from_secs(15);
/// Longest wait after a mail server failed; the first is one look, each later one twice as long.
const MAIL_LONGEST: Duration = Duration::from_secs(3_600);

/// Signs the ledger's head once a second while it grows and at least once a minute, until told to
/// stop; then once more, so that what was done last is covered.
pub async fn checkpoints(app: Arc<App>, store: Arc<dyn Store>, mut stop: Stop) {
    let mut every = tokio::time::interval(CHECKPOINT_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut signed_size, mut signed_at) = (None, Instant::now());
    let mut failing = false;
    let mut noted = Noted::new("checkpoint");
    loop {
        let stopping = tokio::select! {
            _ = every.tick() => false,
            () = stop.wait() => true,
        };
        let size = match store.head().await {
            Ok(head) => head.map(|head| (head.epoch, head.size)),
            Err(_) => None,
        };
        let due = size != signed_size || signed_at.elapsed() >= CHECKPOINT_AT_LEAST;
        if due {
            match app.checkpoint().await {
                Ok(_) => {
                    if failing {
                        tracing::info!("checkpoints are signed again");
                    }
                    (signed_size, signed_at, failing) = (size, Instant::now(), false);
                    noted.note(&app, JobEnd::Done).await;
                }
                // Another instance, or one that ended a moment ago, holds the lease.
                Err(error) if error.kind() == ErrorKind::Busy => {
                    tracing::debug!(reason = "other-signer", "no checkpoint signed here");
                    (signed_size, signed_at) = (None, Instant::now());
                }
                Err(error) => {
                    // Once is enough: a database that is away would fill the log every second.
                    if !failing {
                        tracing::error!(%error, "no checkpoint could be signed; trying again every second");
                    }
                    failing = true;
                    noted.note(&app, JobEnd::Failed(JobFailure::Unavailable)).await;
                }
            }
        }
        if stopping {
            return;
        }
    }
}

/// Writes down the refusals before sign-in that were counted, until told to stop. What was counted
/// since the last time is left to [`write_refusals`].
pub async fn refusals(app: Arc<App>, mut stop: Stop) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(REFUSALS_EVERY) => write_refusals(&app).await,
            () = stop.wait() => return,
        }
    }
}

/// Writes down the refusals before sign-in that were counted.
pub async fn write_refusals(app: &App) {
    if let Err(error) = app.write_refusals().await {
        // They stay counted, for the next time.
        tracing::warn!(%error, "counted refusals could not be written");
    }
}

/// Measures the clock's distance from standard time now and then, until told to stop.
pub async fn clock(app: Arc<App>, clock: Arc<SystemClock>, mut stop: Stop) {
    let mut noted = Noted::new("clock");
    loop {
        let end = match tokio::task::spawn_blocking(clock_offset::measure).await {
            Ok(Some(measured)) => {
                clock.measured(measured.error);
                JobEnd::Done
            }
            Ok(None) | Err(_) => {
                tracing::debug!(reason = "no-time-daemon", "clock not measured");
                JobEnd::Failed(JobFailure::ClockNotMeasured)
            }
        };
        noted.note(&app, end).await;
        tokio::select! {
            () = tokio::time::sleep(CLOCK_EVERY) => {}
            () = stop.wait() => return,
        }
    }
}

/// Verifies the whole database once in so long, until told to stop.
pub async fn verify(app: Arc<App>, every: Duration, mut stop: Stop) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(VERIFY_LOOK.min(every)) => {}
            () = stop.wait() => return,
        }
        // A verification under way does not hold up the end of the program.
        let verified = tokio::select! {
            verified = app.verify_when_due(every) => verified,
            () = stop.wait() => return,
        };
        match verified {
            Ok(None) => {}
            Ok(Some(report)) if report.findings.is_empty() => {
                tracing::info!(
                    entries = report.entries,
                    versions = report.versions,
                    "the ledger was verified"
                );
            }
            Ok(Some(report)) => tracing::error!(
                findings = report.findings.len(),
                "the ledger was verified and something is wrong: run `mimamori ledger verify`"
            ),
            Err(error) => tracing::error!(%error, "the ledger could not be verified"),
        }
    }
}

/// Writes down now and then what the clock has made of accounts, until told to stop. Nothing waits for it:
/// an account that is over opens nothing any more.
pub async fn accounts(app: Arc<App>, mut stop: Stop) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(ACCOUNTS_EVERY) => {}
            () = stop.wait() => return,
        }
        let tidied = tokio::select! {
            tidied = app.tidy_accounts() => tidied,
            () = stop.wait() => return,
        };
        match tidied {
            Ok(None) => {}
            Ok(Some(Tidied { ended, closed, changed, stopped, .. })) => {
                if ended + closed + changed + stopped > 0 {
                    tracing::info!(ended, closed, changed, stopped, "accounts were brought up to date");
                }
            }
            Err(error) => tracing::error!(%error, "accounts could not be brought up to date"),
        }
    }
}

/// Sends each day's reminders from the hour in the settings on, until told to stop.
pub async fn mail(app: Arc<App>, settings: Mail, smtp: Smtp, mut stop: Stop) {
    let (mut done, mut wait) = (None, MAIL_LOOK);
    loop {
        let now = japan(app.clock().now());
        let today = now.date();
        let due = done != Some(today) && now.hour() >= i8::try_from(settings.hour).unwrap_or(0);
        wait = if due {
            let round = tokio::select! {
                round = app.remind_by_mail(&smtp, &settings.link) => round,
                () = stop.wait() => return,
            };
            let over = tell(&round);
            if over {
                done = Some(today);
            }
            next_wait(over, wait)
        } else {
            MAIL_LOOK
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.wait() => return,
        }
    }
}

/// Lets listeners that ask for certificates believe the authorities that are believed now, until told to stop:
/// one that was exchanged, on this machine or another, is taken within half a minute. Whether a certificate
/// opens anything is asked at each request besides.
pub async fn authorities(
    app: Arc<App>,
    mut believed: Vec<Vec<u8>>,
    exchange: watch::Sender<Arc<ServerConfig>>,
    config: impl Fn(&[Vec<u8>]) -> crate::exit::Result<Arc<ServerConfig>> + Send,
    mut stop: Stop,
) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(AUTHORITIES_EVERY) => {}
            () = stop.wait() => return,
        }
        // While the database is away the present ones stay.
        let Ok(now) = app.terminal_roots().await else { continue };
        if now == believed || now.is_empty() {
            continue;
        }
        match config(&now) {
            Ok(settings) => {
                exchange.send_replace(settings);
                tracing::info!(authorities = now.len(), "the authority for terminals was exchanged");
                believed = now;
            }
            Err(error) => {
                tracing::error!(%error, "the authority for terminals was not taken; the old one stays")
            }
        }
    }
}

/// Tells of uses of emergency accounts and of urgent notes by mail, at any hour, until told to stop.
pub async fn urgent_mail(app: Arc<App>, settings: Mail, smtp: Smtp, mut stop: Stop) {
    let mut wait = URGENT_LOOK;
    loop {
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.wait() => return,
        }
        let round = tokio::select! {
            round = urgent_round(&app, &smtp, &settings.link) => round,
            () = stop.wait() => return,
        };
        wait = if tell(&round) { URGENT_LOOK } else { MAIL_LOOK };
    }
}

/// What cannot wait, together: of two rounds the one that is not over counts.
async fn urgent_round(app: &App, smtp: &Smtp, link: &str) -> mimamori_app::Result<MailRound> {
    let (uses, notes) =
        (app.tell_emergencies_by_mail(smtp, link).await?, app.tell_urgent_notes(smtp, link).await?);
    Ok(MailRound {
        sent: uses.sent + notes.sent,
        refused: uses.refused + notes.refused,
        later: uses.later + notes.later,
        stopped: uses.stopped.or(notes.stopped),
    })
}

/// How long until the next round: after one that is not over, twice as long as before it.
fn next_wait(over: bool, before: Duration) -> Duration {
    if over { MAIL_LOOK } else { (before * 2).min(MAIL_LONGEST) }
}

/// Logs a round; whether it was the day's last.
fn tell(round: &mimamori_app::Result<MailRound>) -> bool {
    match round {
        Ok(round) => {
            if let Some(failure) = round.stopped {
                tracing::error!(?failure, "reminders cannot be sent; `mimamori doctor` looks closer");
            } else if round.sent + round.refused + round.later > 0 {
                let MailRound { sent, refused, later, .. } = *round;
                tracing::info!(sent, refused, later, "reminders sent");
            }
            round.is_over()
        }
        Err(error) => {
            tracing::error!(%error, "reminders could not be sent");
            false
        }
    }
}

/// Keeps what a job that runs all the time comes to, asking the database no more than needed.
struct Noted {
    job: &'static str,
    last: Option<(jiff::civil::Date, JobEnd)>,
}

impl Noted {
    const fn new(job: &'static str) -> Self {
        Self { job, last: None }
    }

    async fn note(&mut self, app: &App, end: JobEnd) {
        let now = (japan(app.clock().now()).date(), end);
        if self.last == Some(now) {
            return;
        }
        match app.note_job(self.job, end).await {
            Ok(()) => self.last = Some(now),
            // It is tried again with the next run; what failed is in the log already.
            Err(error) => tracing::debug!(%error, job = self.job, "a job's result was not kept"),
        }
    }
}

/// A time in Japan.
fn japan(time: Timestamp) -> jiff::civil::DateTime {
    let time = jiff::Timestamp::from_microsecond(time.as_micros()).unwrap_or_default();
    jiff::tz::Offset::constant(9).to_datetime(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_mail_server_is_asked_less_and_less_often_up_to_an_hour() {
        let mut wait = MAIL_LOOK;
        let mut minutes = Vec::new();
        for _ in 0..8 {
            wait = next_wait(false, wait);
            minutes.push(wait.as_secs() / 60);
        }
        assert_eq!(minutes, [2, 4, 8, 16, 32, 60, 60, 60]);
        assert_eq!(next_wait(true, wait), MAIL_LOOK);
    }

    #[test]
    fn a_day_begins_in_japan() {
        let midnight = Timestamp::from_micros(1_795_359_600_000_000);
        assert_eq!(japan(midnight).to_string(), "2026-11-23T00:00:00");
    }
}
