//! Signed notes, keys and checkpoints.

use mimamori_ledger::{
    Checkpoint, CheckpointError, NoteError, NoteSignature, SignedCheckpoint, SignedNote, Signer, VerifierKey,
    epoch_of,
};
use proptest::prelude::*;

fn signer() -> Signer {
    Signer::from_seed("ledger.example/city", &[5; 32]).unwrap()
}

fn signed() -> String {
    Checkpoint::new("ledger.example/city", 2, 70_000, [6; 32]).sign(&signer()).unwrap().to_string()
}

/// The example of the `signed-note` page: its own key is not printed there, but its form is.
#[test]
fn the_specification_s_notes_are_read() {
    let note = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\n\
        ed è subito sera.\n\n— quasimodo.example/salvatore \
        NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
    let read = SignedNote::parse(note).unwrap();
    assert!(read.text().ends_with("sera.\n") && read.text().starts_with("Ognuno"));
    assert_eq!(read.signatures()[0].signature.len(), 64);
    assert_eq!(read.to_string(), note);
    let checkpoint = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n";
    let read = SignedCheckpoint::parse(checkpoint).unwrap();
    assert_eq!(read.unverified().size, 20_852_163);
    assert_eq!(read.to_string(), checkpoint);
}

/// The key of the Go checksum database, published with the Go tools: an outside check of key ids.
#[test]
fn a_published_key_is_read() {
    let text = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    let key: VerifierKey = text.parse().unwrap();
    assert_eq!((key.name(), key.id()), ("sum.golang.org", [0x03, 0x3d, 0xe0, 0xae]));
    assert_eq!(key.to_string(), text);
}

#[test]
fn a_checkpoint_is_signed_and_verified_under_the_name_of_its_epoch() {
    let base = signer().verifier_key().clone();
    let note = signed();
    assert!(note.starts_with("ledger.example/city/2\n70000\n"));
    assert!(note.contains("\n\n\u{2014} ledger.example/city/2 "));
    let checkpoint = Checkpoint::verify(&note, &base).unwrap();
    assert_eq!((checkpoint.size, checkpoint.epoch()), (70_000, Some(2)));
    let of_epoch = base.for_origin("ledger.example/city/2").unwrap();
    assert!(Checkpoint::verify(&note, &of_epoch).is_ok());
    assert_ne!(base.id(), of_epoch.id());
    for other in ["ledger.example/city/02", "ledger.example/city/", "ledger.example/cit", "x/2"] {
        assert!(base.for_origin(other).is_none(), "{other}");
    }
    let another = base.for_origin("ledger.example/city/3").unwrap();
    assert_eq!(Checkpoint::verify(&note, &another), Err(CheckpointError::OtherLog));
    let foreign = Signer::from_seed("ledger.example/city", &[8; 32]).unwrap().verifier_key().clone();
    assert_eq!(Checkpoint::verify(&note, &foreign), Err(CheckpointError::Note(NoteError::Unsigned)));
    let elsewhere = Checkpoint::new("other.example", 2, 1, [0; 32]).sign(&signer());
    assert_eq!(elsewhere, Err(CheckpointError::OtherLog));
}

#[test]
fn lines_of_other_keys_are_tolerated_and_wrong_ones_of_ours_are_not() {
    let base = signer().verifier_key().clone();
    let ours = SignedCheckpoint::parse(&signed()).unwrap();
    let witness =
        NoteSignature { name: "witness.example/東".to_owned(), key_id: [1; 4], signature: vec![2; 72] };
    // The same name with another id, and the same id with another name, are other keys.
    let namesake = NoteSignature { key_id: [9; 4], ..ours.signatures()[0].clone() };
    let lookalike = NoteSignature { name: "x".to_owned(), ..ours.signatures()[0].clone() };
    let many = ours.clone().with_signature(witness).with_signature(namesake).with_signature(lookalike);
    let many = SignedCheckpoint::parse(&many.to_string()).unwrap();
    assert_eq!(many.signatures().len(), 4);
    assert!(many.verify(&base).is_ok());
    let forged = NoteSignature { signature: vec![0; 64], ..ours.signatures()[0].clone() };
    assert_eq!(
        many.with_signature(forged).verify(&base),
        Err(CheckpointError::Note(NoteError::BadSignature))
    );
}

#[test]
fn other_forms_are_refused() {
    let good = signed();
    assert!(SignedCheckpoint::parse(&good).is_ok());
    for (from, to) in [
        ("\n70000\n", "\n070000\n"),
        ("\n70000\n", "\n+70000\n"),
        ("\n70000\n", "\n70000 \n"),
        ("\n70000\n", "\n70000\nextension\n"),
        ("\n70000\n", "\n70000\r\n"),
        ("BgY=\n", "BgZ=\n"),
        ("BgY=\n", "BgY\n"),
        ("\n\n\u{2014}", "\n\u{2014}"),
        ("\u{2014} l", "\u{2014}  l"),
        ("\u{2014} l", "- l"),
        ("ledger.example/city/2\n", "\n"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from:?}");
        assert!(SignedCheckpoint::parse(&bad).is_err(), "{bad}");
    }
    assert!(SignedCheckpoint::parse(good.trim_end()).is_err());
    assert!(SignedCheckpoint::parse(&format!("{good}\n")).is_err());
    assert_eq!(SignedNote::parse(&"a".repeat(300_000)), Err(NoteError::TooLong));
    for name in ["", "a b", "a+b", "a\u{3000}b", "a\u{7f}"] {
        assert!(Signer::from_seed(name, &[0; 32]).is_err(), "{name:?}");
    }
}

#[test]
fn epochs_are_read_from_origins() {
    assert_eq!(epoch_of("a/b/7"), Some(7));
    for other in ["7", "/7", "a/07", "a/+7", "a/4294967296", "a/"] {
        assert_eq!(epoch_of(other), None, "{other}");
    }
}

#[test]
fn secrets_do_not_show() {
    assert_eq!(format!("{:?}", signer()), "Signer(ledger.example/city)");
}

proptest! {
    #[test]
    fn arbitrary_text_does_no_harm(text in "(\\PC|\n|\u{2014} ){0,200}", bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let lossy = String::from_utf8_lossy(&bytes);
        for text in [text.as_str(), &lossy] {
            if let Ok(note) = SignedNote::parse(text) {
                prop_assert_eq!(note.to_string(), text);
            }
            if let Ok(note) = SignedCheckpoint::parse(text) {
                prop_assert_eq!(note.to_string(), text);
            }
            if let Ok(key) = text.parse::<VerifierKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }

    #[test]
    fn a_changed_checkpoint_is_refused_or_still_says_the_same(place in any::<prop::sample::Index>(), bits in 1_u8..) {
        let base = signer().verifier_key().clone();
        let mut bytes = signed().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= bits;
        if let Ok(text) = String::from_utf8(bytes) {
            prop_assert!(Checkpoint::verify(&text, &base).is_err());
        }
    }

    #[test]
    fn any_state_signs_and_reads_back(epoch in any::<u32>(), size in any::<u64>(), root in any::<[u8; 32]>()) {
        let checkpoint = Checkpoint::new("ledger.example/city", epoch, size, root);
        let note = checkpoint.sign(&signer()).unwrap().to_string();
        let base = signer().verifier_key().clone();
        prop_assert_eq!(Checkpoint::verify(&note, &base), Ok(checkpoint));
    }
}
