//! The encoding of entries: one form for each, and no other form accepted.

use mimamori_domain::{Action, Timestamp, UnitId};
use mimamori_ledger::{
    DecodeError, Entry, EntryDraft, EntryError, EntryHead, MAX_ENTRY_BYTES, PreviousLog, Sealed,
};
use proptest::prelude::*;

use crate::sample::{any_entry, position, read_entry};

proptest! {
    #[test]
    fn what_was_written_reads_back((position, draft) in any_entry()) {
        let bytes = draft.encode(&position).unwrap();
        let head = EntryHead::peek(&bytes).unwrap();
        prop_assert_eq!(
            (head.epoch, head.sequence, head.recorded),
            (position.epoch, position.sequence, position.recorded)
        );
        let entry = Entry::decode(&bytes).unwrap();
        prop_assert_eq!(&entry, &Entry { position, draft });
    }

    /// minicbor knows nothing of our reader: it must see a whole map with ascending integer keys.
    #[test]
    fn another_reader_of_cbor_understands_it((position, draft) in any_entry()) {
        let bytes = draft.encode(&position).unwrap();
        let mut decoder = minicbor::Decoder::new(&bytes);
        let pairs = decoder.map().unwrap().expect("a definite length");
        let mut last = None;
        for _ in 0..pairs {
            let key = decoder.u64().unwrap();
            prop_assert!(last < Some(key));
            last = Some(key);
            match key {
                2 => prop_assert_eq!(decoder.u64().unwrap(), position.sequence),
                4 => prop_assert_eq!(decoder.i64().unwrap(), position.recorded.as_micros()),
                15 => prop_assert_eq!(decoder.str().unwrap(), draft.action.as_str()),
                _ => decoder.skip().unwrap(),
            }
        }
        prop_assert_eq!(decoder.position(), bytes.len());
    }

    #[test]
    fn a_cut_or_lengthened_entry_is_refused((position, draft) in any_entry(), cut in any::<prop::sample::Index>()) {
        let mut bytes = draft.encode(&position).unwrap();
        let cut = cut.index(bytes.len());
        prop_assert!(Entry::decode(&bytes[..cut]).is_err());
        bytes.push(0);
        prop_assert_eq!(Entry::decode(&bytes), Err(DecodeError::TrailingBytes));
    }

    /// Whatever is read back encodes to the very bytes it was read from: there is one form only.
    #[test]
    fn a_changed_entry_is_refused_or_is_another_entry_in_its_one_form(
        (position, draft) in any_entry(),
        place in any::<prop::sample::Index>(),
        bits in 1_u8..,
    ) {
        let original = draft.encode(&position).unwrap();
        let mut bytes = original.clone();
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_ne!((&entry.position, &entry.draft), (&position, &draft));
            prop_assert_eq!(entry.draft.encode(&entry.position).unwrap(), bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = EntryHead::peek(&bytes);
        if let Ok(entry) = Entry::decode(&bytes) {
            prop_assert_eq!(entry.draft.encode(&entry.position).unwrap(), bytes);
        }
    }
}

fn smallest() -> EntryDraft {
    EntryDraft::new(UnitId::from_bytes([1; 16]), [2; 16], Action::System, [3; 32])
}

#[test]
fn limits_are_kept_when_writing() {
    let here = position(0, 5);
    let with = |change: &dyn Fn(&mut EntryDraft)| {
        let mut draft = smallest();
        change(&mut draft);
        draft.encode(&here)
    };
    assert!(with(&|_| ()).is_ok());
    assert!(matches!(with(&|d| d.policies = vec![String::new()]), Err(EntryError::Text(_))));
    assert!(matches!(with(&|d| d.policies = vec!["a\nb".to_owned()]), Err(EntryError::Text(_))));
    assert!(matches!(with(&|d| d.policies = vec!["a".repeat(256)]), Err(EntryError::Text(_))));
    assert!(matches!(with(&|d| d.policies = vec!["a".to_owned(); 65]), Err(EntryError::TooMany(_))));
    assert!(matches!(with(&|d| d.commitments = vec![[0; 32]; 1025]), Err(EntryError::TooMany(_))));
    assert_eq!(with(&|d| d.version = Some(1)), Err(EntryError::VersionWithoutResource));
    let key = mimamori_domain::KeyId::from_bytes([4; 16]);
    assert_eq!(with(&|d| d.sealed = Some(Sealed { key, bytes: vec![] })), Err(EntryError::EmptySeal));
    assert_eq!(
        with(&|d| d.previous = Some(PreviousLog { origin: "a/0".to_owned(), size: 0, root: [0; 32] })),
        Err(EntryError::Previous)
    );
    assert_eq!(smallest().encode(&position(1, 0)), Err(EntryError::Previous));
}

#[test]
fn the_longest_entry_fits_and_the_next_does_not() {
    let key = mimamori_domain::KeyId::from_bytes([4; 16]);
    let sealed = |length: usize| {
        let mut draft = smallest();
        draft.sealed = Some(Sealed { key, bytes: vec![7; length] });
        draft.encode(&position(0, 0))
    };
    let rest = sealed(60_000).unwrap().len() - 60_000;
    let longest = sealed(MAX_ENTRY_BYTES - rest).unwrap();
    assert_eq!(longest.len(), MAX_ENTRY_BYTES);
    assert!(Entry::decode(&longest).is_ok());
    assert_eq!(sealed(MAX_ENTRY_BYTES - rest + 1), Err(EntryError::TooLong(MAX_ENTRY_BYTES + 1)));
    assert_eq!(Entry::decode(&[0; MAX_ENTRY_BYTES + 1]), Err(DecodeError::TooLong));
}

#[test]
fn forms_that_are_not_deterministic_are_refused_with_their_reason() {
    let good = smallest().encode(&position(0, 0)).unwrap();
    assert_eq!(&good[..3], [0xae, 0x00, 0x01], "14 pairs, format 1");
    // The format number in two bytes.
    let long = [&good[..2], &[0x18, 0x01], &good[3..]].concat();
    assert_eq!(Entry::decode(&long), Err(DecodeError::NotCanonical));
    // A map without a definite length.
    let open = [&[0xbf], &good[1..], &[0xff]].concat();
    assert_eq!(Entry::decode(&open), Err(DecodeError::NotCanonical));
    let other = [&good[..2], &[0x02], &good[3..]].concat();
    assert_eq!(Entry::decode(&other), Err(DecodeError::UnknownFormat(2)));
    assert_eq!(EntryHead::peek(&other), Err(DecodeError::UnknownFormat(2)));
    // One pair more, with a key that format 1 does not know.
    let more = [&[0xaf], &good[1..], &[0x18, 0x1c, 0x00]].concat();
    assert_eq!(Entry::decode(&more), Err(DecodeError::UnexpectedKey(28)));
    // The first key twice.
    let twice = [&[0xaf, 0x00, 0x01], &good[1..]].concat();
    assert_eq!(Entry::decode(&twice), Err(DecodeError::UnexpectedKey(0)));
    // One pair less.
    assert_eq!(Entry::decode(&[0xa1, 0x00, 0x01]), Err(DecodeError::MissingKey(1)));
}

#[test]
fn times_before_1970_and_words_are_kept() {
    let mut here = position(0, 0);
    here.recorded = Timestamp::from_micros(-1);
    for action in Action::ALL {
        let mut draft = smallest();
        draft.action = *action;
        let entry = Entry::decode(&draft.encode(&here).unwrap()).unwrap();
        assert_eq!((entry.position, entry.draft.action), (here, *action));
    }
}

#[test]
fn a_typical_entry_has_the_size_that_plans_are_made_with() {
    let bytes = read_entry(1).encode(&position(0, 1_000_000)).unwrap();
    assert!((300..500).contains(&bytes.len()), "{} bytes", bytes.len());
}

#[test]
fn debug_output_does_not_carry_the_sealed_part() {
    assert!(!format!("{:?}", read_entry(1)).contains("153"), "0x99 repeated");
}
