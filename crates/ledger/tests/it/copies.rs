//! Exported copies: whole ones verify, and whatever is changed in one is found.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mimamori_domain::Timestamp;
use mimamori_ledger::{
    Checkpoint, DirectoryTiles, EntryDraft, ExportError, Exporter, Frontier, Position, PreviousLog, Problem,
    Reading, Receipt, Report, Severity, SignedCheckpoint, Signer, TreeVerifier, VerifierKey, VerifyOptions,
    consistency_proof, inclusion_proof, leaf_hash, verify_consistency, verify_directory,
};
use proptest::prelude::*;

use crate::sample::{position, read_entry};

pub const NAME: &str = "ledger.example/city";

pub fn signer() -> Signer {
    Signer::from_seed(NAME, &[5; 32]).unwrap()
}

pub fn key() -> VerifierKey {
    signer().verifier_key().clone()
}

/// The bytes of an epoch's entries.
pub fn entries(epoch: u32, count: u64, previous: Option<&Checkpoint>) -> Vec<Vec<u8>> {
    let write = |sequence: u64| {
        let mut draft = read_entry(sequence);
        let mut here = position(epoch, sequence);
        here.recorded = here.recorded.plus(std::time::Duration::from_secs(u64::from(epoch) * 86_400));
        if epoch > 0 && sequence == 0 {
            draft = first_of_epoch(&draft, previous.unwrap());
        }
        draft.encode(&here).unwrap()
    };
    (0..count).map(write).collect()
}

fn first_of_epoch(like: &EntryDraft, previous: &Checkpoint) -> EntryDraft {
    let Checkpoint { origin, size, root } = previous.clone();
    EntryDraft {
        previous: Some(PreviousLog { origin, size, root }),
        ..EntryDraft::new(like.unit, like.nonce, mimamori_domain::Action::System, like.pack)
    }
}

/// Writes an epoch with a checkpoint at its end and one at each of these earlier sizes.
pub fn export(dir: &Path, epoch: u32, entries: &[Vec<u8>], earlier: &[usize]) -> Checkpoint {
    let mut exporter = Exporter::create(dir, epoch).unwrap();
    entries.iter().for_each(|entry| exporter.push(entry).unwrap());
    let signed = |size: usize| -> SignedCheckpoint {
        let mut frontier = Frontier::new();
        frontier.extend(entries[..size].iter().map(|entry| leaf_hash(entry)));
        Checkpoint::new(NAME, epoch, size as u64, frontier.root()).sign(&signer()).unwrap()
    };
    let last = signed(entries.len());
    exporter.finish(&last, earlier.iter().map(|size| signed(*size))).unwrap();
    last.unverified().clone()
}

fn verify(dir: &Path) -> Report {
    verify_directory(dir, &[key()], VerifyOptions::default(), &mut |_| ()).unwrap()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// Two epochs: 600 entries, of which the second epoch names all, and 3 entries. Made once, then
/// written from memory: many tests change one byte of it.
fn two_epochs(dir: &Path) {
    static COPY: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    let copy = COPY.get_or_init(|| {
        let made = tempfile::tempdir().unwrap();
        let last = export(made.path(), 0, &entries(0, 600, None), &[1, 256, 300, 300]);
        export(made.path(), 1, &entries(1, 3, Some(&last)), &[]);
        let read = |path: PathBuf| {
            let content = fs::read(&path).unwrap();
            (path.strip_prefix(made.path()).unwrap().to_owned(), content)
        };
        files(made.path()).into_iter().map(read).collect()
    });
    for (path, content) in copy {
        fs::create_dir_all(dir.join(path).parent().unwrap()).unwrap();
        fs::write(dir.join(path), content).unwrap();
    }
}

#[test]
fn a_whole_copy_is_whole_however_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    two_epochs(dir.path());
    for reading in [Reading::Whole, Reading::Head] {
        let mut seen = Vec::new();
        let options = VerifyOptions { reading, ..VerifyOptions::default() };
        let report =
            verify_directory(dir.path(), &[key()], options, &mut |progress| seen.push(progress)).unwrap();
        assert!(report.findings.kept().is_empty(), "{:?}", report.findings);
        assert_eq!((report.entries(), report.epochs.len()), (603, 2));
        // Four earlier ones, the last one, and what the next epoch names.
        assert_eq!(report.epochs[0].roots_compared, 6);
        assert!(report.epochs[0].recorded.unwrap().0 < report.epochs[1].recorded.unwrap().0);
        assert_eq!(seen.len(), 4);
        assert_eq!((seen[2].entries, seen[2].total), (600, 600));
    }
    let of_epochs: Vec<_> =
        (0..2).map(|epoch| key().for_origin(&mimamori_ledger::origin(NAME, epoch)).unwrap()).collect();
    let report = verify_directory(dir.path(), &of_epochs, VerifyOptions::default(), &mut |_| ()).unwrap();
    assert!(report.is_whole());
}

#[test]
fn sizes_around_the_edges_of_tiles_are_whole() {
    for count in [0, 1, 255, 256, 257, 511, 512, 513] {
        let dir = tempfile::tempdir().unwrap();
        export(dir.path(), 0, &entries(0, count, None), &[]);
        let report = verify(dir.path());
        assert!(report.findings.kept().is_empty(), "{count}: {:?}", report.findings);
        assert_eq!(report.entries(), count);
    }
}

/// Level 2 of the tiles: entries of no form are enough for that.
#[test]
fn a_copy_with_three_levels_of_tiles_is_hashed_right() {
    let dir = tempfile::tempdir().unwrap();
    let count = 65_536 + 256 + 1;
    let entries: Vec<Vec<u8>> = (0_u32..count).map(|n| n.to_be_bytes().to_vec()).collect();
    export(dir.path(), 0, &entries, &[]);
    let options = VerifyOptions { most_findings: 10, ..VerifyOptions::default() };
    let report = verify_directory(dir.path(), &[key()], options, &mut |_| ()).unwrap();
    let none_but_entries =
        report.findings.kept().iter().all(|found| matches!(found.problem, Problem::Entry(_)));
    assert!(none_but_entries);
    assert_eq!((report.findings.kept().len(), report.findings.errors()), (10, u64::from(count)));
    assert!(dir.path().join("epoch-0/tile/2/000.p/1").exists());
    let source = DirectoryTiles::new(dir.path(), 0);
    let proof = inclusion_proof(&source, 65_540, u64::from(count)).unwrap();
    let leaf = leaf_hash(&entries[65_540]);
    let root = report.epochs[0].root;
    mimamori_ledger::verify_inclusion(&leaf, 65_540, u64::from(count), &proof, &root).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn any_changed_byte_is_found(file in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let dir = tempfile::tempdir().unwrap();
        two_epochs(dir.path());
        let path = file.get(&files(dir.path())).clone();
        let mut bytes = fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        fs::write(&path, bytes).unwrap();
        prop_assert!(!verify(dir.path()).is_whole(), "byte {place} of {}", path.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn files_of_any_content_do_no_harm(
        file in any::<prop::sample::Index>(),
        content in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..300),
            "(ledger.example/city/0\n)?([0-9]{1,20}\n)?([A-Za-z0-9]{43}=\n)?\n?(\u{2014} [a-z]{1,3} [A-Za-z0-9]{8}\n|\n){0,4}"
                .prop_map(String::into_bytes),
        ],
    ) {
        let dir = tempfile::tempdir().unwrap();
        two_epochs(dir.path());
        fs::write(file.get(&files(dir.path())), content).unwrap();
        prop_assert!(!verify(dir.path()).is_whole());
    }
}

/// `checkpoints` apart, whose absence only means that fewer were kept.
#[test]
fn any_missing_cut_or_lengthened_file_is_found() {
    let dir = tempfile::tempdir().unwrap();
    two_epochs(dir.path());
    for path in files(dir.path()) {
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let optional = path.ends_with("checkpoints");
        assert_eq!(verify(dir.path()).is_whole(), optional, "without {}", path.display());
        fs::write(&path, b"").unwrap();
        assert!(!verify(dir.path()).is_whole(), "emptied {}", path.display());
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(!verify(dir.path()).is_whole(), "cut {}", path.display());
        let longer = [&bytes[..], b"\n"].concat();
        fs::write(&path, longer).unwrap();
        assert!(!verify(dir.path()).is_whole(), "lengthened {}", path.display());
        fs::write(&path, bytes).unwrap();
    }
    assert!(verify(dir.path()).is_whole());
}

#[test]
fn a_changed_entry_is_named() {
    let dir = tempfile::tempdir().unwrap();
    two_epochs(dir.path());
    let path = dir.path().join("epoch-0/tile/entries/001");
    let bytes = fs::read(&path).unwrap();
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    // The last byte of entry 256 is ciphertext: the entry still reads, but is not what was signed.
    let mut changed = bytes;
    changed[length + 1] ^= 1;
    fs::write(&path, changed).unwrap();
    let report = verify(dir.path());
    let found: Vec<_> = report.findings.kept().iter().map(|f| (f.sequence, f.problem.clone())).collect();
    assert!(found.contains(&(Some(256), Problem::LeafDiffers)), "{found:?}");
    assert!(found.contains(&(Some(599), Problem::Root { size: 600 })), "{found:?}");
    assert!(!found.contains(&(Some(255), Problem::Root { size: 256 })), "{found:?}");
    // Without its bundle, the tree is still checked from the tile.
    fs::remove_file(&path).unwrap();
    let report = verify(dir.path());
    assert_eq!(report.findings.kept().len(), 1, "{:?}", report.findings);
    assert_eq!(report.findings.kept()[0].sequence, Some(256));
}

#[test]
fn a_wrong_or_unknown_key_and_a_wrong_place_are_found() {
    let dir = tempfile::tempdir().unwrap();
    two_epochs(dir.path());
    let other = Signer::from_seed(NAME, &[6; 32]).unwrap().verifier_key().clone();
    for keys in [&[][..], &[other]] {
        let report = verify_directory(dir.path(), keys, VerifyOptions::default(), &mut |_| ()).unwrap();
        assert!(!report.is_whole());
        assert_eq!(report.entries(), 603, "the entries are looked at all the same");
    }
    fs::rename(dir.path().join("epoch-0"), dir.path().join("epoch-2")).unwrap();
    let report = verify(dir.path());
    assert!(report.findings.kept().iter().any(|found| found.problem == Problem::EpochMissing));
    assert!(report.findings.kept().iter().any(|found| matches!(found.problem, Problem::Origin(_))));
    assert!(matches!(Exporter::create(dir.path(), 2), Err(ExportError::Exists(_))));
    let empty = tempfile::tempdir().unwrap();
    assert!(!verify(empty.path()).is_whole());
}

#[test]
fn an_epoch_after_a_restore_names_what_was_lost() {
    let dir = tempfile::tempdir().unwrap();
    let all = entries(0, 30, None);
    let other = tempfile::tempdir().unwrap();
    let last = export(other.path(), 0, &all, &[]);
    export(dir.path(), 0, &all[..20], &[]);
    export(dir.path(), 1, &entries(1, 2, Some(&last)), &[]);
    let report = verify(dir.path());
    assert!(report.is_whole());
    let [notice] = report.findings.kept() else { panic!("one notice: {:?}", report.findings) };
    assert_eq!(notice.problem, Problem::Lost { named: 30, present: 20 });
    assert_eq!(notice.problem.severity(), Severity::Notice);

    // One that names a root which was never that of the epoch before is an error.
    let forged = tempfile::tempdir().unwrap();
    export(forged.path(), 0, &all, &[]);
    let lie = Checkpoint { root: [1; 32], ..last };
    export(forged.path(), 1, &entries(1, 2, Some(&lie)), &[]);
    assert!(!verify(forged.path()).is_whole());
}

#[test]
fn entries_of_another_place_or_time_are_found_in_a_stream() {
    let push = |changes: &dyn Fn(u64, &mut Position)| {
        let mut verifier = TreeVerifier::new(0, VerifyOptions::default());
        for sequence in 0..4 {
            let mut here = position(0, sequence);
            changes(sequence, &mut here);
            let previous = (here.epoch > 0 && here.sequence == 0).then(|| PreviousLog {
                origin: "a/0".to_owned(),
                size: 0,
                root: [0; 32],
            });
            let draft = EntryDraft { previous, ..read_entry(sequence) };
            verifier.push(&draft.encode(&here).unwrap());
        }
        let (_, findings) = verifier.finish();
        findings.kept().iter().map(|f| (f.sequence.unwrap(), f.problem.clone())).collect::<Vec<_>>()
    };
    assert_eq!(push(&|_, _| ()), []);
    let gap = push(&|n, here| here.sequence += u64::from(n >= 2));
    assert_eq!(gap, [(2, Problem::Sequence(3)), (3, Problem::Sequence(4))]);
    let epoch = push(&|n, here| here.epoch = u32::from(n == 3));
    assert_eq!(epoch, [(3, Problem::Epoch(1))]);
    let back = push(&|n, here| {
        if n == 2 {
            here.recorded = Timestamp::from_micros(7);
        }
    });
    assert!(matches!(back[..], [(2, Problem::Time { .. })]), "{back:?}");
}

#[test]
fn a_stream_can_be_taken_up_again_and_roots_are_asked_for_in_order() {
    let all = entries(0, 10, None);
    let mut first = TreeVerifier::new(0, VerifyOptions::default());
    all[..6].iter().for_each(|entry| {
        first.push(entry);
    });
    let stored = Frontier::from_bytes(&first.frontier().to_bytes()).unwrap();
    let mut second = TreeVerifier::resume(0, stored, first.last_recorded(), VerifyOptions::default());
    let mut whole = Frontier::new();
    whole.extend(all.iter().map(|entry| leaf_hash(entry)));
    second.expect_root(10, whole.root());
    second.expect_root(9, [0; 32]);
    second.expect_root(5, [0; 32]);
    second.expect_root(99, [0; 32]);
    all[6..].iter().for_each(|entry| {
        second.push(entry);
    });
    let (report, findings) = second.finish();
    assert_eq!((report.size, report.root, report.roots_compared), (10, whole.root(), 2));
    let problems: Vec<_> = findings.kept().iter().map(|found| found.problem.clone()).collect();
    assert_eq!(
        problems,
        [Problem::CheckpointOrder { size: 5 }, Problem::Root { size: 9 }, Problem::BeyondEnd { size: 99 }]
    );
}

#[test]
fn the_exporter_refuses_a_checkpoint_of_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut exporter = Exporter::create(dir.path(), 0).unwrap();
    exporter.push(b"entry").unwrap();
    let other = Checkpoint::new(NAME, 0, 1, [0; 32]).sign(&signer()).unwrap();
    assert!(matches!(exporter.finish(&other, []), Err(ExportError::OtherCheckpoint { .. })));
}

/// A receipt for this entry under the checkpoint of this size, from the tiles of a copy.
pub fn receipt(dir: &Path, entries: &[Vec<u8>], index: usize) -> Receipt {
    let size = entries.len() as u64;
    let proof = inclusion_proof(&DirectoryTiles::new(dir, 0), index as u64, size).unwrap();
    let text = fs::read_to_string(dir.join("epoch-0/checkpoint")).unwrap();
    Receipt::new(entries[index].clone(), index as u64, proof, SignedCheckpoint::parse(&text).unwrap())
}

#[test]
fn receipts_come_from_a_copy_and_hold() {
    let dir = tempfile::tempdir().unwrap();
    let all = entries(0, 600, None);
    let last = export(dir.path(), 0, &all, &[]);
    for index in [0, 255, 256, 599] {
        let receipt = receipt(dir.path(), &all, index);
        let read: Receipt = receipt.to_string().parse().unwrap();
        assert_eq!(read, receipt);
        let entry = read.verify(&key()).unwrap();
        assert_eq!(entry.position.sequence, index as u64);
        // At another place, the same bytes have no proof.
        let moved = receipt.to_string().replacen(&format!("index {index}\n"), "index 7\n", 1);
        assert!(moved.parse::<Receipt>().unwrap().verify(&key()).is_err());
    }
    // An older size is provable from the wider tiles of today.
    let source = DirectoryTiles::new(dir.path(), 0);
    let mut frontier = Frontier::new();
    frontier.extend(all[..300].iter().map(|entry| leaf_hash(entry)));
    let proof = consistency_proof(&source, 300, 600).unwrap();
    verify_consistency(300, &frontier.root(), 600, &last.root, &proof).unwrap();
    assert!(inclusion_proof(&source, 3, 300).is_ok());
}

#[test]
fn an_entry_that_claims_another_place_has_no_valid_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = entries(0, 3, None);
    all.swap(0, 1);
    export(dir.path(), 0, &all, &[]);
    let refused = receipt(dir.path(), &all, 0).verify(&key());
    assert_eq!(refused, Err(mimamori_ledger::ReceiptError::OtherPlace));
}

proptest! {
    #[test]
    fn a_changed_receipt_is_refused(place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let dir = tempfile::tempdir().unwrap();
        let all = entries(0, 5, None);
        export(dir.path(), 0, &all, &[]);
        let mut bytes = receipt(dir.path(), &all, 3).to_string().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        if let Ok(receipt) = String::from_utf8_lossy(&bytes).parse::<Receipt>() {
            prop_assert!(receipt.verify(&key()).is_err());
        }
    }

    #[test]
    fn arbitrary_receipts_do_no_harm(text in "(c2sp.org/tlog-proof@v1\n)?(extra [A-Za-z0-9]{0,8}={0,2}\n)?(index [0-9]{0,3}\n)?(\\PC|\n){0,60}") {
        if let Ok(receipt) = text.parse::<Receipt>() {
            prop_assert_eq!(receipt.to_string(), text);
        }
    }
}
