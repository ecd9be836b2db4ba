use mimamori_domain::{KeyId, Kind, ObjectId, UnitId};
use mimamori_vault::{KeyUse, OVERHEAD, Place, VaultError, key_id_of, open, seal};

use crate::support::{OWNER, Site, bit_flips, place};

#[test]
fn content_comes_back_whatever_its_length() {
    let site = Site::new();
    let key = site.content_key();
    for length in [0, 1, 15, 16, 17, 1_000, 100_000] {
        let plain = vec![0xA5; length];
        let sealed = seal(&key, &place(), &plain).unwrap();
        assert_eq!(sealed.len(), length + OVERHEAD);
        assert_eq!(key_id_of(&sealed).unwrap(), key.id());
        assert_eq!(open(&key, &place(), &sealed).unwrap().as_slice(), plain);
    }
}

#[test]
fn the_same_content_never_looks_the_same() {
    let key = Site::new().content_key();
    assert_ne!(seal(&key, &place(), b"same").unwrap(), seal(&key, &place(), b"same").unwrap());
}

#[test]
fn any_turned_bit_and_any_cut_is_refused() {
    let key = Site::new().content_key();
    let sealed = seal(&key, &place(), b"36.5").unwrap();
    for altered in bit_flips(&sealed) {
        assert!(open(&key, &place(), &altered).is_err());
    }
    for length in 0..sealed.len() {
        assert!(open(&key, &place(), &sealed[..length]).is_err());
    }
    let longer = [sealed.as_slice(), &[0]].concat();
    assert!(matches!(open(&key, &place(), &longer), Err(VaultError::Refused)));
}

#[test]
fn content_opens_only_where_it_stood() {
    let key = Site::new().content_key();
    let (object, unit) = (ObjectId::from_bytes([4; 16]), UnitId::from_bytes([4; 16]));
    let places = [
        place(),
        Place::object(object, 2, &Kind::of("Observation")),
        Place::object(object, 1, &Kind::of("Condition")),
        Place::object(ObjectId::from_bytes([5; 16]), 1, &Kind::of("Observation")),
        Place::file(object, 1, 0),
        Place::ledger(unit, 1, b"nonce"),
        Place::ledger(unit, 1, b"other"),
        Place::setting("mail"),
        Place::column("account", "address", &[4; 16]),
    ];
    for (i, sealed_for) in places.iter().enumerate() {
        let sealed = seal(&key, sealed_for, b"text").unwrap();
        for (j, opened_at) in places.iter().enumerate() {
            assert_eq!(open(&key, opened_at, &sealed).is_ok(), i == j, "{i} {j}");
        }
    }
}

#[test]
fn another_key_is_named_in_the_error_and_refused_when_forged() {
    let site = Site::new();
    let subject = site.subject(OWNER).0;
    let (mine, other) = (site.data(&subject, "note").0, site.data(&subject, "note").0);
    let mut sealed = seal(&mine, &place(), b"text").unwrap();
    let error = open(&other, &place(), &sealed).unwrap_err();
    assert!(matches!(error, VaultError::OtherKey { wanted } if wanted == mine.id()));
    sealed[2..18].copy_from_slice(other.id().as_bytes());
    assert!(matches!(open(&other, &place(), &sealed), Err(VaultError::Refused)));
}

#[test]
fn a_key_seals_only_what_it_is_for() {
    let site = Site::new();
    let (subject, _) = site.subject(OWNER);
    for (usage, may) in [
        (KeyUse::Staff, true),
        (KeyUse::LedgerSeal, true),
        (KeyUse::Settings, true),
        (KeyUse::Cursor, false),
        (KeyUse::CheckpointSigner, false),
        (KeyUse::Index { generation: 1 }, false),
    ] {
        let (key, _) = site.plain(usage.clone());
        let sealed = seal(&key, &place(), b"x");
        assert_eq!(sealed.is_ok(), may, "{usage}");
        assert_eq!(key.expose_seed().is_ok(), usage == KeyUse::CheckpointSigner, "{usage}");
    }
    assert!(matches!(seal(&subject, &place(), b"x"), Err(VaultError::WrongUse { .. })));
    assert!(site.data(&subject, "note").0.expose_seed().is_err());
}

#[test]
fn a_chunked_file_is_no_envelope_and_the_other_way_round() {
    let key = Site::new().content_key();
    let mut sealed = seal(&key, &place(), b"text").unwrap();
    sealed[0] = 2;
    assert_eq!(key_id_of(&sealed).unwrap(), key.id());
    assert!(matches!(open(&key, &place(), &sealed), Err(VaultError::Malformed)));
    assert!(key_id_of(&KeyId::random().to_vec()).is_err());
}
