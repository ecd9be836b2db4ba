//! The server under load: reads, pages, creates, both together; and its memory.
//!
//! The server and the plain server take turns of a fraction of the time each, so that whatever else
//! the machine does hits both; the ratio is the median of the turns' ratios.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};
use mimamori_demo::SUBJECT;
use mimamori_domain::{Clock, InstanceId, ObjectId, SubjectId, SystemClock};
use mimamori_store::Store;

use super::child::Server;
use super::filled::{Filled, INDEX_ROWS, database_bytes};
use super::load::{self, Samples, Work};
use super::report::{Measured, Report};
use super::world::World;
use super::{Arguments, Part, broken, process};
use crate::exit::Result;
use crate::installation::open_store;

/// Turns of each side.
pub(super) const TURNS: u32 = 5;
/// How often the start is measured.
const STARTS: usize = 5;
/// People whose first read is measured: as many as the program keeps in memory, and some.
const FIRST_READS: usize = 25_000;
/// Memory is looked at when the server has had nothing to do for so long.
const REST: Duration = Duration::from_secs(2);
/// Of this many mixed requests one is a create.
const MIXED: u64 = 10;

/// Measures what the server answers.
///
/// # Errors
/// When a server does not start, or an answer is not what it must be.
pub async fn measure(
    world: &World,
    arguments: &Arguments,
    filled: &Filled,
    report: &mut Report,
) -> Result<()> {
    let (staff, fhir) = (world.config().listen.staff, world.config().listen.fhir);
    let server = start(world, fhir, arguments.wants(Part::Start), report).await?;
    if arguments.wants(Part::Start) {
        tokio::time::sleep(REST).await;
        report.keep(memory("memory_idle", &server)?);
    }
    let (plain, plain_address) = Server::plain(&world.database_url(), world.folder()).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let store = open_store(&world.config().database, &clock, InstanceId::random(), false).await?;
    let index_rows = index_rows(fhir, filled, store.as_ref()).await?;
    let asked = Asked { filled: filled.clone(), staff, fhir, plain: plain_address, index_rows };
    let both = Both { server: &server, plain: &plain, store: store.as_ref(), time: arguments.time() / TURNS };
    first_reads(&asked, &both, report).await?;
    for connections in arguments.connections.iter().copied() {
        if arguments.wants(Part::Read) {
            both.compare(
                "audited_read",
                "plain_read",
                connections,
                &[asked.reads(), asked.plain_reads()],
                report,
            )
            .await?;
        }
        if arguments.wants(Part::Timeline) {
            both.compare("timeline", "", connections, &[asked.timelines()], report).await?;
        }
        if arguments.wants(Part::Create) {
            let sides =
                [asked.creates(), asked.plain_creates("create"), asked.plain_creates("create-together")];
            both.compare("create", "plain_create", connections, &sides, report).await?;
        }
        if arguments.wants(Part::Mixed) {
            both.compare("mixed", "plain_mixed", connections, &[asked.mixed(), asked.plain_mixed()], report)
                .await?;
        }
    }
    if arguments.wants(Part::Pages) {
        super::pages::measure(&asked, &both, report).await?;
    }
    if arguments.wants(Part::Flood) {
        super::flood::measure(&asked, &both, report).await?;
    }
    if arguments.wants(Part::Mixed) {
        report.keep(memory("memory_mixed", &server)?.with("people", f64::from(arguments.people)));
    }
    store.close().await;
    plain.stop();
    server.stop();
    Ok(())
}

async fn start(world: &World, fhir: SocketAddr, measured: bool, report: &mut Report) -> Result<Server> {
    let (mut server, first) = Server::mimamori(world.home(), fhir).await?;
    if !measured {
        return Ok(server);
    }
    let mut times = vec![first];
    for _ in 1..STARTS {
        server.stop();
        let again = Server::mimamori(world.home(), fhir).await?;
        server = again.0;
        times.push(again.1);
    }
    let samples = Samples::of(times, Duration::ZERO);
    report.keep(
        Measured::new("start", None)
            .with("median_ms", samples.within_ms(50))
            .with("slowest_ms", samples.within_ms(100)),
    );
    Ok(server)
}

fn memory(name: &'static str, server: &Server) -> Result<Measured> {
    let bytes = process::resident_bytes(server.pid())?;
    Ok(Measured::new(name, None).with("resident_mb", bytes as f64 / f64::from(1 << 20)))
}

/// Creates one record, and looks how many index rows it has.
async fn index_rows(fhir: SocketAddr, filled: &Filled, store: &dyn Store) -> Result<usize> {
    let asked = Asked { filled: filled.clone(), staff: fhir, fhir, plain: fhir, index_rows: 0 };
    let request = asked.create_request(0).map(Full::new);
    let (status, said) = load::once(fhir, request).await?;
    if status != StatusCode::CREATED {
        return Err(broken(format!("a record was not created: {status} {}", String::from_utf8_lossy(&said))));
    }
    let made: serde_json::Value = serde_json::from_slice(&said).map_err(broken)?;
    let id = made.get("id").and_then(serde_json::Value::as_str).unwrap_or_default();
    let id: ObjectId = id.parse().map_err(|_| broken("the created record has no id"))?;
    let row = store.query_one(&INDEX_ROWS, vec![id.into()]).await.map_err(broken)?;
    let rows = row.ok_or_else(|| broken("no count"))?.unsigned(0).map_err(broken)?;
    usize::try_from(rows).map_err(broken)
}

/// Reads one record of each person for the first time: context and keys come from the database.
async fn first_reads(asked: &Asked, both: &Both<'_>, report: &mut Report) -> Result<()> {
    let mut seen = HashSet::new();
    let firsts: Vec<(ObjectId, SubjectId)> = asked
        .filled
        .records
        .iter()
        .filter(|(_, subject)| seen.insert(*subject))
        .take(FIRST_READS)
        .copied()
        .collect();
    let end = firsts.len() as u64;
    let filled = Filled { records: Arc::new(firsts), ..asked.filled.clone() };
    let work = Asked { filled, ..asked.clone() }.reads();
    let next = Arc::new(AtomicU64::new(0));
    let busy = process::processor_time(both.server.pid())?;
    let samples = load::round(&work, 16, Duration::from_secs(300), &next, end).await?;
    let busy = process::processor_time(both.server.pid())?.saturating_sub(busy);
    report.keep(numbers(Measured::new("first_read", Some(16)), &samples, busy));
    Ok(())
}

fn numbers(measured: Measured, samples: &Samples, busy: Duration) -> Measured {
    measured
        .with("per_second", samples.per_second())
        .with("median_ms", samples.within_ms(50))
        .with("p99_ms", samples.within_ms(99))
        .with("processor_us_each", busy.as_secs_f64() * 1e6 / samples.count().max(1) as f64)
}

/// The servers that take turns.
pub(super) struct Both<'a> {
    server: &'a Server,
    plain: &'a Server,
    store: &'a dyn Store,
    /// Of one turn of one side.
    pub(super) time: Duration,
}

/// One side's turns together.
#[derive(Default)]
struct Side {
    samples: Samples,
    rates: Vec<f64>,
    busy: Duration,
    grown: u64,
}

impl Both<'_> {
    /// Lets the sides take turns: first this program, then the plain ones.
    async fn compare(
        &self,
        name: &'static str,
        plain_name: &'static str,
        connections: u16,
        works: &[Work],
        report: &mut Report,
    ) -> Result<()> {
        let mut sides: Vec<(Side, Arc<AtomicU64>)> = Vec::new();
        for work in works {
            let next = Arc::new(AtomicU64::new(0));
            load::round(work, connections, (self.time / 2).max(Duration::from_millis(300)), &next, u64::MAX)
                .await?;
            sides.push((Side::default(), next));
        }
        for _ in 0..TURNS {
            for (at, (work, (side, next))) in works.iter().zip(&mut sides).enumerate() {
                let pid = if at == 0 { self.server.pid() } else { self.plain.pid() };
                let (size, busy) = (database_bytes(self.store).await?, process::processor_time(pid)?);
                let samples = load::round(work, connections, self.time, next, u64::MAX).await?;
                side.busy += process::processor_time(pid)?.saturating_sub(busy);
                side.grown += database_bytes(self.store).await?.saturating_sub(size);
                side.rates.push(samples.per_second());
                side.samples.add(samples);
            }
        }
        let mut sides = sides.into_iter().map(|(side, _)| side);
        let Some(ours) = sides.next() else { return Ok(()) };
        let mut measured = numbers(Measured::new(name, Some(connections)), &ours.samples, ours.busy);
        let each = |side: &Side| side.grown as f64 / side.samples.count().max(1) as f64;
        measured = measured.with("database_bytes_each", each(&ours));
        let mut of_plain = Vec::new();
        for (plain, (plain_name, ratio, busy_ratio)) in sides.zip(names(plain_name)) {
            measured = measured.with(ratio, median_ratio(&ours.rates, &plain.rates));
            let own = |side: &Side| side.busy.as_secs_f64() / side.samples.count().max(1) as f64;
            measured = measured.with(busy_ratio, own(&plain) / own(&ours).max(1e-12));
            let numbers = numbers(Measured::new(plain_name, Some(connections)), &plain.samples, plain.busy);
            of_plain.push(numbers.with("database_bytes_each", each(&plain)));
        }
        report.keep(measured);
        for measured in of_plain {
            report.keep(measured);
        }
        Ok(())
    }
}

/// Names of the plain sides, of the ratio to them, and of the ratio of processor time per request.
fn names(plain: &'static str) -> Vec<(&'static str, &'static str, &'static str)> {
    const ALL: &[(&str, &str, &str)] = &[
        ("plain_read", "ratio_to_plain_read", "processor_ratio_to_plain_read"),
        ("plain_create", "ratio_to_plain_create", "processor_ratio_to_plain_create"),
        (
            "plain_create_together",
            "ratio_to_plain_create_together",
            "processor_ratio_to_plain_create_together",
        ),
        ("plain_mixed", "ratio_to_plain_mixed", "processor_ratio_to_plain_mixed"),
    ];
    ALL.iter().filter(|(name, ..)| !plain.is_empty() && name.starts_with(plain)).copied().collect()
}

fn median_ratio(ours: &[f64], plain: &[f64]) -> f64 {
    let mut ratios: Vec<f64> = ours.iter().zip(plain).map(|(ours, plain)| ours / plain.max(1e-9)).collect();
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied().unwrap_or_default()
}

/// Everything that is asked for.
#[derive(Clone)]
pub(super) struct Asked {
    filled: Filled,
    pub(super) staff: SocketAddr,
    fhir: SocketAddr,
    plain: SocketAddr,
    index_rows: usize,
}

impl Asked {
    fn record(&self, number: u64) -> Option<(ObjectId, SubjectId)> {
        let records = &self.filled.records;
        let at = usize::try_from(number % (records.len() as u64).max(1)).ok()?;
        records.get(at).copied()
    }

    fn work(
        &self,
        address: SocketAddr,
        request: impl Fn(&Self, u64) -> Request<Bytes> + Send + Sync + 'static,
        expected: impl Fn(StatusCode) -> bool + Send + Sync + 'static,
    ) -> Work {
        let asked = self.clone();
        let request = move |number| request(&asked, number).map(Full::new);
        Work { address, request: Arc::new(request), expected: Arc::new(expected) }
    }

    pub(super) fn reads(&self) -> Work {
        self.work(self.fhir, Self::read_request, |status| status == StatusCode::OK)
    }

    fn plain_reads(&self) -> Work {
        self.work(self.plain, Self::plain_read_request, |status| status == StatusCode::OK)
    }

    fn creates(&self) -> Work {
        self.work(self.fhir, Self::create_request, |status| status == StatusCode::CREATED)
    }

    fn plain_creates(&self, route: &'static str) -> Work {
        self.work(
            self.plain,
            move |asked, number| asked.plain_create_request(route, number),
            |status| status == StatusCode::CREATED,
        )
    }

    fn timelines(&self) -> Work {
        self.work(self.staff, Self::timeline_request, |status| status == StatusCode::OK)
    }

    /// A page with `{subject}` and `{record}` in its address.
    pub(super) fn pages(&self, path: &'static str) -> Work {
        let request = move |asked: &Self, number: u64| {
            let Some((record, subject)) = asked.record(number) else { return Request::default() };
            let path =
                path.replace("{subject}", &subject.to_string()).replace("{record}", &record.to_string());
            request("GET", asked.staff, path, &asked.cookie(), Bytes::new())
        };
        self.work(self.staff, request, |status| status == StatusCode::OK)
    }

    /// Searches for people by the beginning of a name.
    pub(super) fn searches(&self) -> Work {
        const NAMES: [&str; 6] = ["佐藤 花", "鈴木 一", "高橋 正", "たなか よし", "伊藤 和", "わたなべ き"];
        let request = |asked: &Self, number: u64| {
            let name = usize::try_from(number).ok().and_then(|at| NAMES.get(at % NAMES.len()));
            let body: String =
                name.copied().unwrap_or_default().bytes().map(|byte| format!("%{byte:02X}")).collect();
            let mut headers = asked.cookie();
            headers.push((header::ORIGIN, format!("http://{}", asked.staff)));
            headers.push((header::HeaderName::from_static("sec-fetch-site"), "same-origin".to_owned()));
            headers.push((header::CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned()));
            let body = Bytes::from(format!("name={body}"));
            request("POST", asked.staff, "/people/search".to_owned(), &headers, body)
        };
        self.work(self.staff, request, |status| status == StatusCode::OK)
    }

    fn mixed(&self) -> Work {
        let request = |asked: &Self, number: u64| {
            if number.is_multiple_of(MIXED) {
                asked.create_request(number)
            } else {
                asked.read_request(number)
            }
        };
        self.work(self.fhir, request, |status| status.is_success())
    }

    fn plain_mixed(&self) -> Work {
        let request = |asked: &Self, number: u64| {
            if number.is_multiple_of(MIXED) {
                asked.plain_create_request("create-together", number)
            } else {
                asked.plain_read_request(number)
            }
        };
        self.work(self.plain, request, |status| status.is_success())
    }

    fn read_request(&self, number: u64) -> Request<Bytes> {
        let id = self.record(number).map_or_else(String::new, |(id, _)| id.to_string());
        request("GET", self.fhir, format!("/fhir/Observation/{id}"), &self.bearer(), Bytes::new())
    }

    fn plain_read_request(&self, number: u64) -> Request<Bytes> {
        let id = self.record(number).map_or_else(String::new, |(id, _)| id.to_string());
        request("GET", self.plain, format!("/read/{id}"), &[], Bytes::new())
    }

    fn create_request(&self, number: u64) -> Request<Bytes> {
        let mut headers = self.bearer();
        headers.push((header::CONTENT_TYPE, "application/fhir+json".to_owned()));
        request("POST", self.fhir, "/fhir/Observation".to_owned(), &headers, self.observation(number))
    }

    fn plain_create_request(&self, route: &str, number: u64) -> Request<Bytes> {
        let subject = self.record(number).map_or_else(String::new, |(_, subject)| subject.to_string());
        let path = format!("/{route}/{subject}/{}", self.index_rows);
        request("POST", self.plain, path, &[], self.observation(number))
    }

    fn timeline_request(&self, number: u64) -> Request<Bytes> {
        let subject = self.record(number).map_or_else(String::new, |(_, subject)| subject.to_string());
        request("GET", self.staff, format!("/people/{subject}"), &self.cookie(), Bytes::new())
    }

    fn cookie(&self) -> Vec<(header::HeaderName, String)> {
        vec![(header::COOKIE, format!("session={}", self.filled.session))]
    }

    fn observation(&self, number: u64) -> Bytes {
        let subject = self.record(number).map_or_else(String::new, |(_, subject)| subject.to_string());
        Bytes::from(self.filled.observation.replace(SUBJECT, &format!("Patient/{subject}")))
    }

    fn bearer(&self) -> Vec<(header::HeaderName, String)> {
        vec![(header::AUTHORIZATION, format!("Bearer {}", self.filled.bearer))]
    }
}

/// A request; one that cannot be made is answered with an error, which ends the measurement.
fn request(
    method: &'static str,
    host: SocketAddr,
    path: String,
    headers: &[(header::HeaderName, String)],
    body: Bytes,
) -> Request<Bytes> {
    let mut builder = Request::builder().method(method).uri(path).header(header::HOST, host.to_string());
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.body(body).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_the_middle_turn() {
        assert!((median_ratio(&[1.0, 2.0, 9.0], &[2.0, 2.0, 3.0]) - 1.0).abs() < 1e-9);
        assert_eq!(names("plain_create").len(), 2);
        assert_eq!(names("plain_read").len(), 1);
        assert!(names("").is_empty());
    }
}
