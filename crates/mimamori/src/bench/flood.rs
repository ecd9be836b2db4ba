//! Audited reads while somebody guesses passwords from thousands of addresses: checking a password takes
//! memory and processor time on purpose, and must not take it from those at work.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use tokio::task::JoinSet;

use super::http::{Asked, Both, TURNS};
use super::load::{self, Samples};
use super::report::{Measured, Report};
use crate::exit::Result;

/// Guesses under way at once.
const GUESSERS: usize = 32;
/// Connections that read meanwhile.
const READERS: u16 = 16;

/// Measures reads without and with a flood of guesses, in turns.
///
/// # Errors
/// As [`load::round`].
pub async fn measure(asked: &Asked, both: &Both<'_>, report: &mut Report) -> Result<()> {
    let (work, next) = (asked.reads(), Arc::new(AtomicU64::new(0)));
    let (mut quiet, mut flooded) = (Samples::default(), Samples::default());
    let (guesses, looked_at) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut ratios = Vec::new();
    for _ in 0..TURNS {
        let before = load::round(&work, READERS, both.time, &next, u64::MAX).await?;
        let flood = flood(asked.staff, &guesses, &looked_at);
        let during = load::round(&work, READERS, both.time, &next, u64::MAX).await?;
        // Dropping it ends every guesser.
        drop(flood);
        ratios.push(during.within_ms(99) / before.within_ms(99).max(1e-9));
        quiet.add(before);
        flooded.add(during);
    }
    ratios.sort_by(f64::total_cmp);
    let seconds = flooded.elapsed.as_secs_f64().max(1e-9);
    report.keep(
        Measured::new("read_in_flood", Some(READERS))
            .with("per_second", flooded.per_second())
            .with("median_ms", flooded.within_ms(50))
            .with("p99_ms", flooded.within_ms(99))
            .with("p99_ms_without", quiet.within_ms(99))
            .with("p99_ratio", ratios.get(ratios.len() / 2).copied().unwrap_or_default())
            .with("guesses_per_second", guesses.load(Ordering::Relaxed) as f64 / seconds)
            .with("checked_per_second", looked_at.load(Ordering::Relaxed) as f64 / seconds),
    );
    Ok(())
}

/// Guesses on and on, each from an address of its own and for a name of its own, so that no lock holds
/// the flood up. `looked_at` counts those whose password was checked.
fn flood(staff: SocketAddr, guesses: &Arc<AtomicU64>, looked_at: &Arc<AtomicU64>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    for _ in 0..GUESSERS {
        let (guesses, looked_at) = (Arc::clone(guesses), Arc::clone(looked_at));
        tasks.spawn(async move {
            loop {
                let number = guesses.fetch_add(1, Ordering::Relaxed);
                // A guess that gets no answer is no matter of this measurement.
                if let Ok((status, _)) = load::once_from(source(number), staff, guess(staff, number)).await
                    && status == StatusCode::UNAUTHORIZED
                {
                    looked_at.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    tasks
}

/// One of 62,500 loopback addresses.
fn source(number: u64) -> IpAddr {
    let part = |at: u64| u8::try_from(at % 250 + 1).unwrap_or(1);
    IpAddr::V4(Ipv4Addr::new(127, 9, part(number / 250), part(number)))
}

fn guess(staff: SocketAddr, number: u64) -> Request<Full<Bytes>> {
    let body = format!("login=guessed{number}&password=wrong-{number}");
    Request::builder()
        .method("POST")
        .uri("/sign-in")
        .header(header::HOST, staff.to_string())
        .header(header::ORIGIN, format!("http://{staff}"))
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(body)))
        .unwrap_or_default()
}
