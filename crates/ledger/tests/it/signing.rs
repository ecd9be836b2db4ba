//! The signer's state: nothing inconsistent is ever signed, and the state survives.

use std::fs;
use std::path::Path;

use mimamori_ledger::{
    Checkpoint, Continuity, Frontier, SignError, SignerState, SignerStateError, consistency_proof,
    inclusion_proof, leaf_hash,
};
use proptest::prelude::*;

use crate::copies::{NAME, entries, key, signer};
use crate::sample::{leaves, tiles};

fn checkpoint(epoch: u32, leaves: &[[u8; 32]]) -> Checkpoint {
    let mut frontier = Frontier::new();
    frontier.extend(leaves.iter().copied());
    Checkpoint::new(NAME, epoch, leaves.len() as u64, frontier.root())
}

fn grown(old: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
    consistency_proof(&tiles(leaves), old as u64, leaves.len() as u64).unwrap()
}

fn started(path: &Path, size: usize) -> SignerState {
    let mut state = SignerState::create(path).unwrap();
    state.sign_next(&signer(), &checkpoint(0, &leaves(size as u64)), Continuity::Grown(&[])).unwrap();
    state
}

#[test]
fn growth_is_signed_and_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    let mut state = SignerState::create(&path).unwrap();
    assert_eq!(state.last(), None);
    let all = leaves(700);
    let mut old = 0;
    for size in [0, 0, 1, 5, 256, 700, 700] {
        let next = checkpoint(0, &all[..size]);
        let proof = grown(old, &all[..size]);
        let signed = state.sign_next(&signer(), &next, Continuity::Grown(&proof)).unwrap();
        assert_eq!(signed.verify(&key()), Ok(&next));
        old = size;
        // What a crash right now would leave.
        drop(state);
        state = SignerState::open(&path).unwrap();
        assert_eq!(state.last(), Some(&next));
    }
}

#[test]
fn rollback_fork_and_other_logs_are_refused_and_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = started(&dir.path().join("state"), 10);
    let before = state.last().cloned();
    let all = leaves(20);
    let mut sign =
        |next: &Checkpoint, proof: &[[u8; 32]]| state.sign_next(&signer(), next, Continuity::Grown(proof));
    let rolled_back = sign(&checkpoint(0, &all[..9]), &[]);
    assert!(matches!(rolled_back, Err(SignError::Rollback { signed: 10, found: 9 })));
    let mut other = all.clone();
    other[3] = [0; 32];
    let forked = sign(&checkpoint(0, &other), &grown(10, &other));
    assert!(matches!(forked, Err(SignError::Fork { signed: 10, .. })));
    let same_size = sign(&checkpoint(0, &other[..10]), &[]);
    assert!(matches!(same_size, Err(SignError::Fork { .. })));
    let unproven = sign(&checkpoint(0, &all), &[]);
    assert!(matches!(unproven, Err(SignError::Fork { .. })));
    assert!(matches!(sign(&checkpoint(1, &all), &grown(10, &all)), Err(SignError::OtherLog)));
    let elsewhere = Checkpoint::new("other", 0, 20, checkpoint(0, &all).root);
    assert!(matches!(sign(&elsewhere, &grown(10, &all)), Err(SignError::OtherLog)));
    assert_eq!(state.last(), before.as_ref());
    drop(state);
    let mut state = SignerState::open(&dir.path().join("state")).unwrap();
    assert_eq!(state.last(), before.as_ref());
    assert!(state.sign_next(&signer(), &checkpoint(0, &all), Continuity::Grown(&grown(10, &all))).is_ok());
}

#[test]
fn a_new_epoch_must_name_the_last_signed_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = started(&dir.path().join("state"), 10);
    let last = state.last().cloned().unwrap();
    let mut start = |epoch: u32, named: &Checkpoint, of: u32| {
        let bytes = entries(of, 4, Some(named));
        let hashes: Vec<_> = bytes.iter().map(|entry| leaf_hash(entry)).collect();
        let inclusion = inclusion_proof(&tiles(&hashes), 0, 4).unwrap();
        let continuity = Continuity::NewEpoch { first_entry: &bytes[0], inclusion: &inclusion };
        state.sign_next(&signer(), &checkpoint(epoch, &hashes), continuity)
    };
    let lie = Checkpoint { size: 9, ..last.clone() };
    assert!(matches!(start(1, &lie, 1), Err(SignError::PreviousNotNamed)));
    assert!(matches!(start(2, &last, 2), Err(SignError::OtherLog)), "an epoch is left out");
    assert!(matches!(start(1, &last, 2), Err(SignError::PreviousNotNamed)), "an entry of epoch 2");
    assert!(matches!(start(0, &last, 1), Err(SignError::OtherLog)), "no new epoch");
    assert!(start(1, &last, 1).is_ok());
    assert!(matches!(start(1, &last, 1), Err(SignError::OtherLog)), "started already");

    // A first entry that is not in the tree proves nothing.
    let mut state = started(&dir.path().join("another"), 10);
    let bytes = entries(1, 4, Some(&last));
    let hashes: Vec<_> = bytes.iter().map(|entry| leaf_hash(entry)).collect();
    let continuity = Continuity::NewEpoch { first_entry: &bytes[0], inclusion: &[] };
    let refused = state.sign_next(&signer(), &checkpoint(1, &hashes), continuity);
    assert!(matches!(refused, Err(SignError::FirstEntryNotIncluded(_))));
    let continuity = Continuity::NewEpoch { first_entry: b"nothing", inclusion: &[] };
    let refused = state.sign_next(&signer(), &checkpoint(1, &hashes), continuity);
    assert!(matches!(refused, Err(SignError::FirstEntry(_))));
}

#[test]
fn a_state_is_held_by_one_and_never_made_anew_by_accident() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    assert!(matches!(SignerState::open(&path), Err(SignerStateError::Missing(_))));
    let held = started(&path, 3);
    assert!(matches!(SignerState::open(&path), Err(SignerStateError::InUse(_))));
    drop(held);
    assert!(matches!(SignerState::create(&path), Err(SignerStateError::Exists(_))));
    assert!(SignerState::open(&path).is_ok());
    let nowhere = dir.path().join("missing/state");
    assert!(matches!(SignerState::create(&nowhere), Err(SignerStateError::Io { .. })));
}

#[test]
fn nothing_is_signed_when_the_state_cannot_be_kept() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("inner");
    fs::create_dir(&inner).unwrap();
    let mut state = started(&inner.join("state"), 3);
    let before = state.last().cloned();
    fs::remove_dir_all(&inner).unwrap();
    let all = leaves(5);
    let refused = state.sign_next(&signer(), &checkpoint(0, &all), Continuity::Grown(&grown(3, &all)));
    assert!(matches!(refused, Err(SignError::State(SignerStateError::Io { .. }))));
    assert_eq!(state.last(), before.as_ref());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_damaged_state_is_refused(place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        drop(started(&path, 3));
        let mut bytes = fs::read(&path).unwrap();
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        fs::write(&path, bytes).unwrap();
        prop_assert!(matches!(SignerState::open(&path), Err(SignerStateError::Damaged(_))));
    }

    #[test]
    fn arbitrary_states_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        fs::write(&path, bytes).unwrap();
        prop_assert!(matches!(SignerState::open(&path), Err(SignerStateError::Damaged(_))));
    }
}
