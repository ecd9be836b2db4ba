//! How fast entries are written, hashed and verified on one core. Run with
//! (Linux) `cargo run --release -p mimamori-ledger --example verify_speed [entries]`.
#![allow(clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Duration;

use mimamori_domain::{
    Action, ActorId, InstanceId, InstitutionId, KeyId, Kind, LegalBasis, ObjectId, Purpose, SessionId,
    SubjectId, TerminalId, Timestamp, UnitId, ZoneCode,
};
use mimamori_ledger::{
    Checkpoint, Entry, EntryDraft, EntryHead, Exporter, Frontier, Position, Reading, Sealed, Signer,
    TreeVerifier, VerifyOptions, leaf_hash, node_hash, verify_directory,
};

fn main() {
    let count: u64 = std::env::args().nth(1).map_or(1_000_000, |count| count.parse().unwrap());
    let mut draft = EntryDraft::new(UnitId::random(), [7; 16], Action::Read, [9; 32]);
    draft.actor = Some(ActorId::random());
    draft.session = Some(SessionId::random());
    draft.institution = Some(InstitutionId::random());
    draft.terminal = Some(TerminalId::random());
    draft.zone = Some(ZoneCode::new("ward").unwrap());
    draft.subject = Some(SubjectId::random());
    draft.resource = Some((Kind::of("Observation"), Some(ObjectId::random())));
    draft.version = Some(1);
    draft.purpose = Purpose::Care;
    draft.legal_basis = LegalBasis::OwnCare;
    draft.policies = vec!["team-reads-notebook".to_owned()];
    draft.commitments = vec![[3; 32]];
    draft.sealed = Some(Sealed { key: KeyId::random(), bytes: vec![5; 40] });
    let position = |sequence: u64| Position {
        epoch: 0,
        sequence,
        instance: InstanceId::from_bytes([1; 16]),
        recorded: Timestamp::from_micros(1_795_000_000_000_000).plus(Duration::from_micros(sequence)),
        clock_error_micros: Some(900),
    };
    let sample = draft.encode(&position(count)).unwrap();
    println!("{count} entries of {} bytes", sample.len());

    let each = |what: &str, work: &mut dyn FnMut(u64)| {
        let start = on_core();
        (0..count).for_each(work);
        let taken = (on_core() - start).as_secs_f64();
        println!("{what:<44} {:>7.0} ns each", taken * 1e9 / count as f64);
    };
    each("encode", &mut |n| {
        black_box(draft.encode(&position(n)).unwrap());
    });
    each("leaf hash", &mut |_| {
        black_box(leaf_hash(black_box(&sample)));
    });
    each("node hash", &mut |_| {
        black_box(node_hash(black_box(&[1; 32]), black_box(&[2; 32])));
    });
    each("read the head", &mut |_| {
        black_box(EntryHead::peek(black_box(&sample)).unwrap());
    });
    each("read the whole entry", &mut |_| {
        black_box(Entry::decode(black_box(&sample)).unwrap());
    });
    let mut frontier = Frontier::new();
    each("encode, hash, append", &mut |n| {
        frontier.push(leaf_hash(&draft.encode(&position(n)).unwrap()));
    });
    for reading in [Reading::Head, Reading::Whole] {
        let options = VerifyOptions { reading, ..VerifyOptions::default() };
        let entries: Vec<_> = (0..1_000).map(|n| draft.encode(&position(n)).unwrap()).collect();
        let start = on_core();
        for _ in 0..count / 1_000 {
            let mut verifier = TreeVerifier::new(0, options);
            for entry in &entries {
                verifier.push(entry);
            }
            black_box(verifier.finish());
        }
        let each = (on_core() - start).as_secs_f64() * 1e9 / (count / 1_000 * 1_000) as f64;
        println!("{:<44} {each:>7.0} ns each", format!("verify a stream ({reading:?})"));
    }

    let dir = std::env::temp_dir().join(format!("verify-speed-{}", std::process::id()));
    let start = on_core();
    let mut exporter = Exporter::create(&dir, 0).unwrap();
    (0..count).for_each(|n| exporter.push(&draft.encode(&position(n)).unwrap()).unwrap());
    let signer = Signer::from_seed("ledger.example", &[1; 32]).unwrap();
    let checkpoint = Checkpoint::new("ledger.example", 0, count, exporter.root()).sign(&signer).unwrap();
    exporter.finish(&checkpoint, []).unwrap();
    println!("write a copy {:>10.2} s", (on_core() - start).as_secs_f64());
    let key = signer.verifier_key().clone();
    for reading in [Reading::Head, Reading::Whole] {
        let options = VerifyOptions { reading, ..VerifyOptions::default() };
        let start = on_core();
        let report = verify_directory(&dir, std::slice::from_ref(&key), options, &mut |_| ()).unwrap();
        let taken = (on_core() - start).as_secs_f64();
        println!(
            "verify the copy ({reading:?}) {taken:>10.2} s, {:.0} ns each, whole: {}",
            taken * 1e9 / count as f64,
            report.is_whole()
        );
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

/// How long this thread has had a core so far: other work on the machine does not count.
fn on_core() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split(' ').next().unwrap().parse().unwrap())
}
