//! The test vectors in `e2e/ledger_vectors`: for whoever writes another verifier. They are made
//! again here and compared, so the formats cannot drift unnoticed. `MIMAMORI_REWRITE_VECTORS=1`
//! writes them.

use std::fs;
use std::path::{Path, PathBuf};

use mimamori_domain::{Action, KeyId, Outcome, Timestamp, UnitId};
use mimamori_ledger::{
    Checkpoint, Entry, EntryDraft, Frontier, NoteSignature, Position, Sealed, consistency_proof,
    inclusion_proof, leaf_hash,
};
use minicbor::data::Type;
use serde_json::{Map, Value, json};

use crate::copies::{NAME, entries, export, key, receipt, signer};
use crate::sample::{leaves, position, read_entry, root, tiles};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e/ledger_vectors")
}

fn compare(name: &str, made: Value) {
    let path = folder().join(name);
    if std::env::var_os("MIMAMORI_REWRITE_VECTORS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(&path, format!("{made:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    assert!(kept == made, "{name} has drifted; MIMAMORI_REWRITE_VECTORS=1 writes it anew");
}

/// A value as another reader of CBOR sees it: numbers, texts, lists, and bytes as `{"hex": ...}`.
fn seen_by_minicbor(decoder: &mut minicbor::Decoder<'_>) -> Value {
    match decoder.datatype().unwrap() {
        Type::Bytes => json!({ "hex": hex::encode(decoder.bytes().unwrap()) }),
        Type::String => json!(decoder.str().unwrap()),
        Type::Array => {
            let items = decoder.array().unwrap().unwrap();
            (0..items).map(|_| seen_by_minicbor(decoder)).collect()
        }
        Type::Map => {
            let pairs = decoder.map().unwrap().unwrap();
            let pair = |_| (decoder.u64().unwrap().to_string(), seen_by_minicbor(decoder));
            Value::Object((0..pairs).map(pair).collect::<Map<_, _>>())
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => json!(decoder.u64().unwrap()),
        _ => json!(decoder.i64().unwrap()),
    }
}

/// The smallest possible entry.
fn smallest() -> EntryDraft {
    EntryDraft::new(UnitId::from_bytes([1; 16]), [2; 16], Action::System, [3; 32])
}

#[test]
fn entries_do_not_drift() {
    let mut full = read_entry(7);
    full.on_behalf_of = Some(mimamori_domain::ActorId::from_bytes([0x2b; 16]));
    full.policies.push("同意-consent".to_owned());
    full.commitments.push([0x78; 32]);
    full.outcome = Outcome::Refused;
    let previous = Checkpoint::new(NAME, 0, 70_000, [6; 32]);
    let far = Position {
        epoch: u32::MAX,
        sequence: u64::MAX,
        recorded: Timestamp::from_micros(i64::MIN),
        clock_error_micros: None,
        ..position(0, 0)
    };
    let mut large = smallest();
    large.sealed = Some(Sealed { key: KeyId::from_bytes([4; 16]), bytes: vec![9; 300] });
    let accepted: Vec<Value> = [
        ("the smallest", smallest().encode(&position(0, 0)).unwrap()),
        ("a read of one record", read_entry(7).encode(&position(0, 7)).unwrap()),
        ("everything there is", full.encode(&position(0, 1_000_000)).unwrap()),
        ("the first of a later epoch", entries(3, 1, Some(&previous)).remove(0)),
        ("the greatest numbers", smallest().encode(&far).unwrap()),
        ("a long sealed part", large.encode(&position(0, 1)).unwrap()),
    ]
    .into_iter()
    .map(|(name, bytes)| {
        let map = seen_by_minicbor(&mut minicbor::Decoder::new(&bytes));
        let (leaf, bytes) = (hex::encode(leaf_hash(&bytes)), hex::encode(&bytes));
        json!({ "name": name, "bytes": bytes, "leaf": leaf, "map": map })
    })
    .collect();

    let good = smallest().encode(&position(0, 0)).unwrap();
    let unit_at = 3 + 2 + 2 + 18 + 10 + 4;
    assert_eq!(&good[unit_at..unit_at + 2], [0x06, 0x50]);
    let swapped = {
        // Unit and nonce, both 18 bytes with their key, in the wrong order.
        let (unit, nonce) = (&good[unit_at..unit_at + 18], &good[unit_at + 18..unit_at + 36]);
        [&good[..unit_at], nonce, unit, &good[unit_at + 36..]].concat()
    };
    let system = good.windows(7).position(|window| window == b"\x66system").unwrap();
    let refused: Vec<Value> = [
        ("nothing", vec![]),
        ("a cut entry", good[..good.len() - 1].to_vec()),
        ("a byte after the end", [&good[..], &[0]].concat()),
        ("a number in two bytes instead of one", [&good[..2], &[0x18, 0x01], &good[3..]].concat()),
        ("an indefinite length", [&[0xbf], &good[1..], &[0xff]].concat()),
        ("an unknown format", [&good[..2], &[0x02], &good[3..]].concat()),
        ("an unknown key", [&[0xaf], &good[1..], &[0x18, 0x1c, 0x00]].concat()),
        ("a key twice", [&[0xaf, 0x00, 0x01], &good[1..]].concat()),
        ("keys out of order", swapped),
        ("a missing key", [&[0xad], &good[1..good.len() - 36]].concat()),
        ("an id of 15 bytes", {
            let mut bytes = good.clone();
            bytes[unit_at + 1] = 0x4f;
            bytes.remove(unit_at + 2);
            bytes
        }),
        ("a word in capitals", {
            let mut bytes = good.clone();
            bytes[system + 1] = b'S';
            bytes
        }),
        ("a text that is not UTF-8", {
            let mut bytes = good.clone();
            bytes[system + 1] = 0xff;
            bytes
        }),
        ("an empty list", [&[0xaf], &good[1..], &[0x18, 0x19, 0x80]].concat()),
        ("a version without a resource", {
            let outcome = good.windows(2).position(|window| window == [0x13, 0x67]).unwrap();
            [&[0xaf], &good[1..outcome], &[0x12, 0x01], &good[outcome..]].concat()
        }),
        ("a previous log where there is none", {
            let previous = [&[0x18, 0x1b, 0x83, 0x61, b'a', 0x00, 0x58, 0x20][..], &[0; 32]].concat();
            [&[0xaf], &good[1..], &previous].concat()
        }),
    ]
    .into_iter()
    .map(|(name, bytes)| {
        let why = Entry::decode(&bytes).expect_err(name).to_string();
        json!({ "name": name, "bytes": hex::encode(bytes), "why": why })
    })
    .collect();
    compare("entries.json", json!({ "accepted": accepted, "refused": refused }));
}

#[test]
fn trees_do_not_drift() {
    let all = leaves(70_000);
    let hexes = |hashes: &[[u8; 32]]| hashes.iter().map(hex::encode).collect::<Vec<_>>();
    let source = tiles(&all);
    let sizes = [0_u64, 1, 2, 3, 7, 8, 255, 256, 257, 65_535, 65_536, 65_537, 70_000];
    let roots: Vec<Value> = sizes
        .iter()
        .map(|size| {
            let leaves = &all[..usize::try_from(*size).unwrap()];
            let mut frontier = Frontier::new();
            frontier.extend(leaves.iter().copied());
            let (root, frontier) = (hex::encode(frontier.root()), hex::encode(frontier.to_bytes()));
            json!({ "size": size, "root": root, "frontier": frontier })
        })
        .collect();
    let inclusion: Vec<Value> =
        [(0, 1), (0, 7), (6, 7), (255, 256), (256, 257), (69_999, 70_000), (3, 65_537)]
            .into_iter()
            .map(|(index, size)| {
                let proof = hexes(&inclusion_proof(&source, index, size).unwrap());
                json!({ "index": index, "size": size, "proof": proof })
            })
            .collect();
    let consistency: Vec<Value> =
        [(0, 7), (1, 1), (3, 7), (4, 7), (255, 257), (256, 70_000), (65_535, 70_000)]
            .into_iter()
            .map(|(old, new)| {
                let proof = hexes(&consistency_proof(&source, old, new).unwrap());
                json!({ "old": old, "new": new, "proof": proof })
            })
            .collect();
    assert_eq!(hex::encode(root(&all[..7])), roots[4]["root"]);
    compare(
        "tree.json",
        json!({
            "leaves": "leaf n is the entry of the 8 bytes of n, big-endian",
            "roots": roots, "inclusion": inclusion, "consistency": consistency,
        }),
    );
}

#[test]
fn checkpoints_and_receipts_do_not_drift() {
    let witness =
        NoteSignature { name: "witness.example/1".to_owned(), key_id: [1; 4], signature: vec![2; 72] };
    let plain = Checkpoint::new(NAME, 0, 70_000, [6; 32]).sign(&signer()).unwrap();
    let witnessed = Checkpoint::new(NAME, 12, 0, mimamori_ledger::empty_root()).sign(&signer()).unwrap();
    let witnessed = witnessed.with_signature(witness);
    let dir = tempfile::tempdir().unwrap();
    let all = entries(0, 300, None);
    export(dir.path(), 0, &all, &[]);
    let mut receipts: Vec<String> =
        [0, 255, 299].iter().map(|index| receipt(dir.path(), &all, *index).to_string()).collect();
    let single = tempfile::tempdir().unwrap();
    export(single.path(), 0, &all[..1], &[]);
    receipts.push(receipt(single.path(), &all[..1], 0).to_string());
    compare(
        "notes.json",
        json!({
            "seed": hex::encode([5; 32]),
            "key": key().to_string(),
            "key_of_epoch_0": key().for_origin(&plain.unverified().origin).unwrap().to_string(),
            "checkpoints": [plain.to_string(), witnessed.to_string()],
            "receipts": receipts,
        }),
    );
}

/// A copy of three epochs as paths and contents: one over the edge of a tile, with earlier
/// checkpoints; one that follows a restore; one that follows it without loss.
#[test]
fn a_copy_does_not_drift() {
    let small = |epoch: u32, count: u64, previous: Option<&Checkpoint>| -> Vec<Vec<u8>> {
        let first = entries(epoch, 1, previous);
        let rest = (1..count).map(|n| {
            let mut here = position(epoch, n);
            here.recorded = here.recorded.plus(std::time::Duration::from_secs(u64::from(epoch) * 86_400));
            smallest().encode(&here).unwrap()
        });
        first.into_iter().chain(rest).collect()
    };
    let lost = tempfile::tempdir().unwrap();
    let all = small(0, 263, None);
    let signed_before_restore = export(lost.path(), 0, &all, &[]);
    let dir = tempfile::tempdir().unwrap();
    export(dir.path(), 0, &all[..258], &[1, 200, 256, 257]);
    let last = export(dir.path(), 1, &small(1, 5, Some(&signed_before_restore)), &[2]);
    export(dir.path(), 2, &small(2, 2, Some(&last)), &[]);

    let mut files = Map::new();
    let mut folders = vec![dir.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
                files.insert(name, json!(hex::encode(fs::read(&path).unwrap())));
            }
        }
    }
    compare("copy.json", json!({ "key": key().to_string(), "files": files }));
}
