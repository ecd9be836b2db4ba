//! What runs beside the listeners: checkpoints, counted refusals, and the measuring of the clock.

use std::sync::Arc;
use std::time::Duration;

use mimamori_app::App;
use mimamori_domain::{ErrorKind, SystemClock};
use mimamori_store::Store;
use tokio::time::Instant;

use crate::clock_offset;
use crate::net::Stop;

/// How often growth of the ledger is looked for.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);
/// A checkpoint is signed at least so often, so that a stopped clock of checkpoints shows.
const CHECKPOINT_AT_LEAST: Duration = Duration::from_secs(60);
/// How often refusals before sign-in are written down: they are counted by the minute.
const REFUSALS_EVERY: Duration = Duration::from_secs(60);
/// How often the clock's distance from standard time is measured.
const CLOCK_EVERY: Duration = Duration::from_secs(600);

/// Signs the ledger's head once a second while it grows and at least once a minute, until told to
/// stop; then once more, so that what was done last is covered.
pub async fn checkpoints(app: Arc<App>, store: Arc<dyn Store>, mut stop: Stop) {
    let mut every = tokio::time::interval(CHECKPOINT_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut signed_size, mut signed_at) = (None, Instant::now());
    let mut failing = false;
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
    let written = match app.in_force().await {
        Ok(app) => app.write_refusals().await,
        Err(error) => Err(error),
    };
    if let Err(error) = written {
        // They stay counted, for the next time.
        tracing::warn!(%error, "counted refusals could not be written");
    }
}

/// Measures the clock's distance from standard time now and then, until told to stop.
pub async fn clock(clock: Arc<SystemClock>, mut stop: Stop) {
    loop {
        match tokio::task::spawn_blocking(clock_offset::measure).await {
            Ok(Some(measured)) => clock.measured(measured.error),
            Ok(None) | Err(_) => tracing::debug!(reason = "no-time-daemon", "clock not measured"),
        }
        tokio::select! {
            () = tokio::time::sleep(CLOCK_EVERY) => {}
            () = stop.wait() => return,
        }
    }
}
