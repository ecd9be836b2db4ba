//! The client: so many connections, each one request after the other, for so long.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::broken;
use crate::exit::Result;

/// One round ends at this many requests, whatever the time.
const MOST_REQUESTS: u64 = 2_000_000;
/// Longest wait for one answer: a server that hangs must not hang the measurement.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// What to ask for: the request of each number, and what must be answered.
#[derive(Clone)]
pub struct Work {
    pub address: SocketAddr,
    pub request: Arc<dyn Fn(u64) -> Request<Full<Bytes>> + Send + Sync>,
    pub expected: Arc<dyn Fn(StatusCode) -> bool + Send + Sync>,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What a round took.
#[derive(Debug, Default, Clone)]
pub struct Samples {
    /// From handing over the request to the last byte of the answer.
    times: Vec<Duration>,
    pub elapsed: Duration,
    /// Bytes of the answers' bodies.
    pub bytes: u64,
}

impl Samples {
    #[must_use]
    pub fn of(times: Vec<Duration>, elapsed: Duration) -> Self {
        Self { times, elapsed, bytes: 0 }
    }

    pub fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.elapsed += other.elapsed;
        self.bytes += other.bytes;
    }

    #[must_use]
    pub fn count(&self) -> u64 {
        self.times.len() as u64
    }

    /// How many took so many milliseconds or longer.
    #[must_use]
    pub fn late(&self, from_ms: f64) -> u64 {
        self.times.iter().filter(|time| time.as_secs_f64() * 1e3 >= from_ms).count() as u64
    }

    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// So many hundredths of the requests were answered within, in milliseconds.
    #[must_use]
    pub fn within_ms(&self, hundredths: usize) -> f64 {
        let mut times = self.times.clone();
        times.sort_unstable();
        times
            .get(times.len().saturating_sub(1) * hundredths / 100)
            .map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// Asks until the time or the numbers are over. `next` goes on from one round to the next, so that
/// the order of work is one.
///
/// # Errors
/// When a connection fails or an answer is not the expected one: then nothing was measured.
pub async fn round(
    work: &Work,
    connections: u16,
    time: Duration,
    next: &Arc<AtomicU64>,
    end: u64,
) -> Result<Samples> {
    let mut open = Vec::new();
    for _ in 0..connections {
        open.push(connect(work.address).await?);
    }
    let begun = Instant::now();
    let end = end.min(next.load(Ordering::Relaxed).saturating_add(MOST_REQUESTS));
    let mut tasks = JoinSet::new();
    for sender in open {
        let (work, next) = (work.clone(), Arc::clone(next));
        tasks.spawn(async move { ask(sender, &work, &next, begun, time, end).await });
    }
    let mut samples = Samples::default();
    while let Some(done) = tasks.join_next().await {
        samples.add(done.map_err(broken)??);
    }
    samples.elapsed = begun.elapsed();
    Ok(samples)
}

/// As [`round`], from a client of one thread: its connections hand over to one another without waking a
/// processor that the server is at work on. For what is asked for less than some 10,000 times a second. It
/// ends by the time alone.
///
/// # Errors
/// As [`round`].
pub async fn round_from_one_thread(
    work: &Work,
    connections: u16,
    time: Duration,
    next: &Arc<AtomicU64>,
) -> Result<Samples> {
    let (work, next) = (work.clone(), Arc::clone(next));
    let client = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        runtime.block_on(round(&work, connections, time, &next, u64::MAX))
    };
    tokio::task::spawn_blocking(client).await.map_err(broken)?
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    speak(TcpStream::connect(address).await.map_err(broken)?).await
}

async fn speak(stream: TcpStream) -> Result<SendRequest<Full<Bytes>>> {
    stream.set_nodelay(true).map_err(broken)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn ask(
    mut sender: SendRequest<Full<Bytes>>,
    work: &Work,
    next: &AtomicU64,
    begun: Instant,
    time: Duration,
    end: u64,
) -> Result<Samples> {
    let mut samples = Samples::default();
    while begun.elapsed() < time {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= end {
            break;
        }
        let request = (work.request)(number);
        let sent = Instant::now();
        let (status, body) =
            tokio::time::timeout(LONGEST_ANSWER, answer(&mut sender, request)).await.map_err(broken)??;
        samples.times.push(sent.elapsed());
        if !(work.expected)(status) {
            let said: String = String::from_utf8_lossy(&body).chars().take(300).collect();
            return Err(broken(format!("request {number} was answered with {status}: {said}")));
        }
        samples.bytes += body.len() as u64;
    }
    Ok(samples)
}

async fn answer(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes)> {
    sender.ready().await.map_err(broken)?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    Ok((status, response.into_body().collect().await.map_err(broken)?.to_bytes()))
}

/// Asks one thing once.
///
/// # Errors
/// As [`round`], but for the status, which is the caller's to judge.
pub async fn once(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes)> {
    let mut sender = connect(address).await?;
    tokio::time::timeout(LONGEST_ANSWER, answer(&mut sender, request)).await.map_err(broken)?
}

/// Asks one thing once, and gives all of the answer.
///
/// # Errors
/// As [`once`].
pub async fn fetch(address: SocketAddr, request: Request<Full<Bytes>>) -> Result<Response<Bytes>> {
    let mut sender = connect(address).await?;
    let whole = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        let (parts, body) = response.into_parts();
        Ok(Response::from_parts(parts, body.collect().await.map_err(broken)?.to_bytes()))
    };
    tokio::time::timeout(LONGEST_ANSWER, whole).await.map_err(broken)?
}

/// As [`once`], from an address of the loopback network.
///
/// # Errors
/// As [`once`].
pub async fn once_from(
    source: IpAddr,
    address: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes)> {
    let socket = TcpSocket::new_v4().map_err(broken)?;
    socket.bind(SocketAddr::new(source, 0)).map_err(broken)?;
    let mut sender = speak(socket.connect(address).await.map_err(broken)?).await?;
    tokio::time::timeout(LONGEST_ANSWER, answer(&mut sender, request)).await.map_err(broken)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hundredths_are_taken_from_the_sorted_times() {
        let samples =
            Samples::of((1..=100).rev().map(Duration::from_millis).collect(), Duration::from_secs(1));
        assert!((samples.within_ms(50) - 50.0).abs() < 1.01);
        assert!((samples.within_ms(99) - 99.0).abs() < 1.01);
        assert!((samples.per_second() - 100.0).abs() < 1e-9);
        assert_eq!((samples.late(97.5), samples.late(100.5)), (3, 0));
        assert_eq!(Samples::default().within_ms(99).to_bits(), 0);
    }
}
