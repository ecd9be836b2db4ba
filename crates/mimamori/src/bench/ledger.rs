//! The ledger by itself: appending, verifying, counting a day.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mimamori_domain::{
    Action, ActorId, InstitutionId, KeyId, Kind, LegalBasis, ObjectId, Purpose, SessionId, SubjectId,
};
use mimamori_ledger::{EntryDraft, Sealed, VerifierKey, VerifyOptions, sha256, verify_directory};
use mimamori_store::statements::ledger;
use mimamori_store::{Store, Unit, sequence_at};
use tokio::task::JoinSet;

use super::load::Samples;
use super::report::{Measured, Report};
use super::world::World;
use super::{Arguments, broken, process};
use crate::exit::Result;
use crate::installation::Installation;

/// Writers at a time.
const WRITERS: u16 = 64;
/// Entries per unit while the ledger is only made long.
const FILLING: usize = 50;
/// Entries of a busy day of a city.
const DAY: u64 = 67_000;
/// People and staff whom the entries name.
const SUBJECTS: u32 = 5_000;
const ACTORS: u32 = 500;
/// How often what is short is measured.
const TURNS: usize = 3;

/// Measures the ledger in this process, on the new installation.
///
/// # Errors
/// When anything fails, or the verification finds something.
pub async fn measure(world: &World, arguments: &Arguments, report: &mut Report) -> Result<()> {
    let installation = world.open().await?;
    let store = Arc::clone(&installation.store);
    let time = arguments.time();
    append(&store, 1, 1, time.min(Duration::from_secs(2)), u64::MAX).await?;
    for writers in [1, WRITERS] {
        let samples = append(&store, writers, 1, time, u64::MAX).await?;
        report.keep(timed(Measured::new("ledger_append", Some(writers)), &samples));
    }
    fill(&store, arguments.entries).await?;
    let samples = append(&store, WRITERS, 1, time, u64::MAX).await?;
    report.keep(timed(Measured::new("ledger_append_long", Some(WRITERS)), &samples));
    report.keep(count_day(store.as_ref()).await?);
    verify(&installation, world.folder(), report).await?;
    installation.close().await;
    Ok(())
}

fn timed(measured: Measured, samples: &Samples) -> Measured {
    measured
        .with("per_second", samples.per_second())
        .with("median_ms", samples.within_ms(50))
        .with("p99_ms", samples.within_ms(99))
}

/// So many writers, each one unit of so many entries after the other.
async fn append(
    store: &Arc<dyn Store>,
    writers: u16,
    entries: usize,
    time: Duration,
    most: u64,
) -> Result<Samples> {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for writer in 0..writers {
        let store = Arc::clone(store);
        tasks.spawn(async move {
            let (mut times, mut number) = (Vec::new(), u32::from(writer));
            while begun.elapsed() < time && (times.len() as u64) < most {
                let mut unit = Unit::new();
                for _ in 0..entries {
                    number = number.wrapping_add(u32::from(writers));
                    let entry = looked(&unit, number);
                    unit = unit.entry(entry);
                }
                let sent = Instant::now();
                store.commit(unit).await.map_err(broken)?;
                times.push(sent.elapsed());
            }
            Ok::<_, crate::exit::Failure>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done.map_err(broken)??);
    }
    Ok(Samples::of(times, begun.elapsed()))
}

/// Appends until the ledger has so many entries.
async fn fill(store: &Arc<dyn Store>, entries: u64) -> Result<()> {
    loop {
        let size = store.head().await.map_err(broken)?.map_or(0, |head| head.size);
        let missing = entries.saturating_sub(size);
        if missing == 0 {
            return Ok(());
        }
        let each = missing.div_ceil(u64::from(WRITERS) * FILLING as u64).min(200);
        append(store, WRITERS, FILLING, Duration::from_secs(600), each).await?;
    }
}

/// An entry like that of a look at one record: about 400 bytes.
fn looked(unit: &Unit, number: u32) -> EntryDraft {
    // Spread over people and staff without order, as in life.
    let spread = number.wrapping_mul(0x9E37_79B9);
    let id = |kind: u8, number: u32| {
        let id = sha256(&[&[kind][..], &number.to_be_bytes()].concat());
        id.first_chunk::<16>().copied().unwrap_or_default()
    };
    let mut entry = EntryDraft::new(unit.id, *ObjectId::random().as_bytes(), Action::Read, [7; 32]);
    entry.actor = Some(ActorId::from_bytes(id(1, spread % ACTORS)));
    entry.session = Some(SessionId::from_bytes(id(2, spread % ACTORS)));
    entry.subject = Some(SubjectId::from_bytes(id(3, (spread >> 8) % SUBJECTS)));
    entry.institution = Some(InstitutionId::from_bytes([4; 16]));
    entry.resource = Some((Kind::of("Observation"), Some(ObjectId::random())));
    entry.version = Some(1);
    entry.purpose = Purpose::Care;
    entry.legal_basis = LegalBasis::OwnCare;
    entry.policies = vec!["own-institution-read".to_owned()];
    entry.sealed = Some(Sealed { key: KeyId::from_bytes([5; 16]), bytes: vec![6; 96] });
    entry
}

/// Counts per person in the last [`DAY`] entries, with the search of the day's first sequence.
async fn count_day(store: &dyn Store) -> Result<Measured> {
    let head = store.head().await.map_err(broken)?.ok_or_else(|| broken("there is no ledger"))?;
    let from = head.size.saturating_sub(DAY);
    let row =
        store.query_one(&ledger::RECORDED_AT, vec![head.epoch.into(), from.into()]).await.map_err(broken)?;
    let time = row.ok_or_else(|| broken("an entry is missing"))?.time(0).map_err(broken)?;
    let (mut times, mut people) = (Vec::new(), 0);
    for _ in 0..TURNS * 2 + 1 {
        let begun = Instant::now();
        let first = sequence_at(store, head.epoch, head.size, time).await.map_err(broken)?;
        let args = vec![head.epoch.into(), first.into(), head.size.into(), (head.size - first).into()];
        people = store.query(&ledger::COUNT_PER_SUBJECT, args).await.map_err(broken)?.len();
        times.push(begun.elapsed());
    }
    let samples = Samples::of(times, Duration::ZERO);
    Ok(Measured::new("count_day", None)
        .with("median_ms", samples.within_ms(50))
        .with("entries", head.size.min(DAY) as f64)
        .with("people", people as f64)
        .with("ledger_entries", head.size as f64))
}

/// Verifies the database, then a copy in turns with plain hashing of the same files.
async fn verify(installation: &Installation, folder: &Path, report: &mut Report) -> Result<()> {
    let app = &installation.app;
    app.checkpoint().await?;
    let begun = Instant::now();
    let busy = process::processor_time(std::process::id())?;
    let verified = app.verify(&|_, _| ()).await?;
    let (elapsed, busy) =
        (begun.elapsed(), process::processor_time(std::process::id())?.saturating_sub(busy));
    if let Some(finding) = verified.findings.first() {
        return Err(broken(format!("the verification found: {finding}")));
    }
    report.keep(rate("verify_database", verified.entries, elapsed).with("core_seconds", busy.as_secs_f64()));

    let copy = folder.join("copy");
    let begun = Instant::now();
    let entries = app.export_ledger(&copy, &|_, _| ()).await?;
    report.keep(rate("export_ledger", entries, begun.elapsed()));
    let key: VerifierKey = app.verifier_key().parse().map_err(broken)?;
    let measured =
        tokio::task::spawn_blocking(move || bundles(&copy, entries, &key)).await.map_err(broken)??;
    report.keep(measured);
    Ok(())
}

fn rate(name: &'static str, entries: u64, elapsed: Duration) -> Measured {
    let seconds = elapsed.as_secs_f64().max(1e-9);
    Measured::new(name, None)
        .with("per_second", entries as f64 / seconds)
        .with("seconds", seconds)
        .with("entries", entries as f64)
        .with("seconds_for_10m", seconds * 1e7 / entries.max(1) as f64)
}

/// Verifies the copy, and hashes its entry bundles, in turns; time on one core, files in memory.
fn bundles(copy: &Path, entries: u64, key: &VerifierKey) -> Result<Measured> {
    let (mut verifying, mut hashing, mut bytes) = (Duration::MAX, Duration::MAX, 0);
    let files = bundle_files(copy)?;
    for _ in 0..TURNS {
        let begun = process::on_core();
        bytes = 0;
        for file in &files {
            let content = std::fs::read(file).map_err(broken)?;
            bytes += content.len() as u64;
            std::hint::black_box(sha256(&content));
        }
        hashing = hashing.min(process::on_core().saturating_sub(begun));
        let begun = process::on_core();
        let seen = verify_directory(copy, std::slice::from_ref(key), VerifyOptions::default(), &mut |_| ())
            .map_err(broken)?;
        verifying = verifying.min(process::on_core().saturating_sub(begun));
        if !seen.is_whole() {
            return Err(broken("the copy is not whole"));
        }
    }
    std::fs::remove_dir_all(copy).map_err(broken)?;
    Ok(rate("verify_bundles", entries, verifying)
        .with("bytes_per_entry", bytes as f64 / entries.max(1) as f64)
        .with("ratio_to_sha256", hashing.as_secs_f64() / verifying.as_secs_f64().max(1e-9)))
}

/// Every file below a folder named `entries` (C2SP `tlog-tiles`, "Log entries").
fn bundle_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(broken)? {
        let path = entry.map_err(broken)?.path();
        if path.is_dir() {
            found.append(&mut bundle_files(&path)?);
        } else if path.components().any(|part| part.as_os_str() == "entries") {
            found.push(path);
        }
    }
    Ok(found)
}
