//! What the vault costs: `cargo run --release -p mimamori-vault --example vault_speed`.
//!
//! Prints the median of several rounds per operation, on one core.

use std::hint::black_box;
use std::time::{Duration, Instant};

use mimamori_domain::{ClassCode, Kind, ObjectId, Timestamp};
use mimamori_vault::{
    ChunkOpener, ChunkSealer, CursorKey, HEADER_SIZE, IndexField, IndexKey, KeyUse, Month, Parent,
    PersonName, Place, Result, Ring, RootKeyFile, Script, SubjectIndex, Vault, normalise_name, open, seal,
};

const ROUNDS: usize = 9;
const NOW: Timestamp = Timestamp::from_micros(1_763_683_200_000_000);

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    let root = RootKeyFile::create(&directory.path().join("root.key"))?;
    let vault = Vault::new(Ring::create(&directory.path().join("ring"), &root, NOW)?);
    let owner = Some([1; 16]);
    let (subject, subject_row) = vault.generate(Parent::Ring, KeyUse::Subject, owner, NOW)?;
    let usage = KeyUse::Data { class: ClassCode::new("note")?, month: Month::of(NOW) };
    let (data, data_row) = vault.generate(Parent::Key(&subject), usage.clone(), owner, NOW)?;
    let place = Place::object(ObjectId::random(), 1, &Kind::of("Observation"));

    for size in [100, 1_000, 10_000] {
        let plain = vec![b'a'; size];
        let sealed = seal(&data, &place, &plain)?;
        measure(&format!("seal {size} B"), || seal(&data, &place, &plain))?;
        measure(&format!("open {size} B"), || open(&data, &place, &sealed))?;
    }

    measure("make a data key", || vault.generate(Parent::Key(&subject), usage.clone(), owner, NOW))?;
    measure("open a data key", || vault.verify(&data_row, Parent::Key(&subject)))?;
    vault.remember(&data);
    measure("the same from the cache", || vault.unwrap(&data_row, Parent::Key(&subject)))?;
    measure("rewrap a subject key's row", || {
        let key = vault.verify(&subject_row, Parent::Ring)?;
        vault.rewrap(&subject_row).map(|row| (key, row))
    })?;

    let index = IndexKey::new(&vault.generate(Parent::Ring, KeyUse::Index { generation: 1 }, None, NOW)?.0)?;
    let codes = SubjectIndex::new(&subject)?;
    measure("normalise a name", || Ok(normalise_name("髙﨑　ハナコ")))?;
    measure("one name token", || Ok(index.token(IndexField::NamePrefix, "高崎")))?;
    measure("one code token", || Ok(codes.code_token("http://loinc.org", "8310-5")))?;
    measure("all tokens of a name and its kana", || {
        let written = PersonName::new(Script::Written, "髙﨑", "花子").tokens(&index);
        Ok((written, PersonName::new(Script::Kana, "タカサキ", "ハナコ").tokens(&index)))
    })?;

    let cursors = CursorKey::new(&vault.generate(Parent::Ring, KeyUse::Cursor, None, NOW)?.0)?;
    let text = cursors.seal(b"caller", b"position", NOW.plus(Duration::from_secs(60)))?;
    measure("seal a cursor", || cursors.seal(b"caller", b"position", NOW))?;
    measure("open a cursor", || cursors.open(b"caller", &text, NOW))?;

    let file = vec![0; 64 << 20];
    let begun = Instant::now();
    let mut sealer = ChunkSealer::new(&data, &place)?;
    let mut sealed = sealer.header().to_vec();
    sealed.extend(sealer.push(&file)?);
    sealed.extend(sealer.finish()?);
    report_rate("seal a file in chunks", file.len(), begun.elapsed());
    let (header, body) = sealed.split_at(HEADER_SIZE);
    let begun = Instant::now();
    let mut opener = ChunkOpener::new(&data, &place, header)?;
    for part in body.chunks(1 << 20) {
        black_box(opener.push(part)?);
    }
    black_box(opener.finish()?);
    report_rate("open it again", file.len(), begun.elapsed());
    Ok(())
}

/// Doubles the number of repetitions until a round takes long enough, then prints the median.
fn measure<T>(name: &str, mut work: impl FnMut() -> Result<T>) -> Result<()> {
    let mut repeat = 64_u32;
    while round(repeat, &mut work)? < Duration::from_millis(20) {
        repeat *= 2;
    }
    let mut times = (0..ROUNDS).map(|_| round(repeat, &mut work)).collect::<Result<Vec<_>>>()?;
    times.sort();
    let median = times.get(ROUNDS / 2).copied().unwrap_or_default();
    println!("{name:<36} {:>8.2} µs", median.as_secs_f64() * 1e6 / f64::from(repeat));
    Ok(())
}

fn round<T>(repeat: u32, work: &mut impl FnMut() -> Result<T>) -> Result<Duration> {
    let begun = Instant::now();
    for _ in 0..repeat {
        black_box(work()?);
    }
    Ok(begun.elapsed())
}

fn report_rate(name: &str, bytes: usize, took: Duration) {
    let megabytes = bytes as f64 / 1e6;
    println!("{name:<36} {:>8.0} MB/s", megabytes / took.as_secs_f64());
}
