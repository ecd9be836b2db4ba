use std::num::NonZeroUsize;

use mimamori_domain::{KeyId, Timestamp};
use mimamori_vault::{KeyUse, Month, Parent, Ring, Vault, VaultError, WrappedKey};

use crate::support::{NOW, OWNER, Site, bit_flips, data_use};

#[test]
fn keys_open_again_in_another_process() {
    let site = Site::new();
    let (subject, subject_row) = site.subject(OWNER);
    let (data, data_row) = site.data(&subject, "note");
    let vault = site.reopened();
    let subject_again = vault.unwrap(&subject_row, Parent::Ring).unwrap();
    assert_eq!(subject_again, subject);
    assert_eq!(vault.unwrap(&data_row, Parent::Key(&subject_again)).unwrap(), data);
    assert_eq!(data_row.parent, subject.id());
    assert_eq!(subject_row.parent, vault.current_ring());
}

#[test]
fn any_change_of_a_row_is_refused() {
    let site = Site::new();
    let (subject, _) = site.subject(OWNER);
    let (_, row) = site.data(&subject, "note");
    let refused = |row: WrappedKey| assert!(site.vault.verify(&row, Parent::Key(&subject)).is_err());
    for bytes in bit_flips(&row.bytes) {
        refused(WrappedKey { bytes, ..row.clone() });
    }
    for length in 0..row.bytes.len() {
        refused(WrappedKey { bytes: row.bytes[..length].to_vec(), ..row.clone() });
    }
    refused(WrappedKey { id: KeyId::random(), ..row.clone() });
    refused(WrappedKey { parent: KeyId::random(), ..row.clone() });
    refused(WrappedKey { usage: data_use("medicine"), ..row.clone() });
    refused(WrappedKey { usage: KeyUse::Staff, ..row.clone() });
    refused(WrappedKey { owner: None, ..row.clone() });
    refused(WrappedKey { owner: Some([8; 16]), ..row.clone() });
    refused(WrappedKey { created: Timestamp::from_micros(0), ..row.clone() });
    assert!(site.vault.verify(&row, Parent::Key(&subject)).is_ok());
}

#[test]
fn a_row_of_one_subject_does_not_open_as_anothers() {
    let site = Site::new();
    let (mine, other) = (site.subject(OWNER).0, site.subject([8; 16]).0);
    let (_, row) = site.data(&mine, "note");
    let moved = WrappedKey { owner: other.owner(), parent: other.id(), ..row.clone() };
    assert!(matches!(site.vault.verify(&moved, Parent::Key(&other)), Err(VaultError::Refused)));
    assert!(matches!(site.vault.verify(&row, Parent::Ring), Err(VaultError::WrongParent(_))));
    let sibling = site.subject(OWNER).0;
    assert!(matches!(site.vault.verify(&row, Parent::Key(&sibling)), Err(VaultError::OtherKey { .. })));
}

#[test]
fn keys_are_made_only_where_they_belong() {
    let site = Site::new();
    let (subject, _) = site.subject(OWNER);
    let (data, _) = site.data(&subject, "note");
    let make = |parent, usage, owner| site.vault.generate(parent, usage, owner, NOW);
    for (parent, usage, owner) in [
        (Parent::Ring, data_use("note"), Some(OWNER)),
        (Parent::Key(&subject), data_use("note"), Some([8; 16])),
        (Parent::Key(&subject), KeyUse::Settings, Some(OWNER)),
        (Parent::Key(&data), data_use("note"), Some(OWNER)),
    ] {
        assert!(matches!(make(parent, usage, owner), Err(VaultError::WrongParent(_))));
    }
}

#[test]
fn a_ring_that_is_not_its_own_opens_nothing() {
    let (site, other) = (Site::new(), Site::new());
    let (_, row) = site.subject(OWNER);
    let error = other.vault.unwrap(&row, Parent::Ring).unwrap_err();
    assert!(matches!(error, VaultError::NotInRing(id) if id == row.parent));
    let relabelled = WrappedKey { parent: other.vault.current_ring(), ..row };
    assert!(matches!(other.vault.unwrap(&relabelled, Parent::Ring), Err(VaultError::Refused)));
}

#[test]
fn the_cache_holds_opened_keys_until_they_are_evicted() {
    let site = Site::new();
    let ring = Ring::open(&site.ring_path(), &site.root).unwrap();
    let vault = Vault::with_cache(ring, NonZeroUsize::new(3).unwrap());
    let rows: Vec<_> = (1..=4).map(|owner| site.subject([owner; 16]).1).collect();
    for row in &rows {
        assert!(vault.cached(row.id).is_none());
        vault.unwrap(row, Parent::Ring).unwrap();
        assert!(vault.cached(row.id).is_some());
    }
    assert_eq!(vault.cached_count(), 3);
    assert!(vault.cached(rows[0].id).is_none());
    vault.evict(rows[1].id);
    vault.evict_owner([3; 16]);
    assert!(vault.cached(rows[1].id).is_none() && vault.cached(rows[2].id).is_none());
    assert!(vault.clone().cached(rows[3].id).is_some());
    vault.evict_all();
    assert_eq!(vault.cached_count(), 0);
}

#[test]
fn a_cached_key_does_not_stand_in_for_a_row_of_another_owner_or_usage() {
    let site = Site::new();
    let (_, row) = site.subject(OWNER);
    site.vault.unwrap(&row, Parent::Ring).unwrap();
    for forged in [
        WrappedKey { owner: Some([8; 16]), ..row.clone() },
        WrappedKey { usage: KeyUse::Settings, ..row.clone() },
    ] {
        assert!(matches!(site.vault.unwrap(&forged, Parent::Ring), Err(VaultError::Refused)));
    }
}

#[test]
fn a_new_key_is_cached_only_when_its_row_is_known_to_be_stored() {
    let site = Site::new();
    let (key, _) = site.subject(OWNER);
    assert!(site.vault.cached(key.id()).is_none());
    site.vault.remember(&key);
    assert_eq!(site.vault.cached(key.id()), Some(key));
}

#[test]
fn usages_and_rows_have_one_text_each() {
    let site = Site::new();
    let (subject, subject_row) = site.subject(OWNER);
    let rows = [
        subject_row,
        site.data(&subject, "vital-signs").1,
        site.plain(KeyUse::Staff).1,
        site.plain(KeyUse::LedgerSeal).1,
        site.plain(KeyUse::CheckpointSigner).1,
        site.plain(KeyUse::Index { generation: 12 }).1,
        site.plain(KeyUse::Cursor).1,
        site.plain(KeyUse::Settings).1,
    ];
    for row in rows {
        assert_eq!(row.usage.to_string().parse(), Ok(row.usage.clone()));
        assert_eq!(row.to_string().parse(), Ok(row.clone()));
        let text = row.to_string();
        for bad in [format!("{text} "), format!(" {text}"), text.to_uppercase(), text.replace(' ', "  ")] {
            assert!(bad.parse::<WrappedKey>().is_err(), "{bad}");
        }
    }
    for text in ["data:vital-signs:2025-11", "index:0", "subject"] {
        assert_eq!(text.parse::<KeyUse>().unwrap().to_string(), text);
    }
    for bad in [
        "",
        "Subject",
        "index:01",
        "index:+1",
        "index:",
        "data:note",
        "data:note:2025-13",
        "data:note:25-1",
        "data:note:2025-1",
        "data::2025-01",
        "ring",
    ] {
        assert!(bad.parse::<KeyUse>().is_err(), "{bad}");
    }
}

#[test]
fn months_turn_at_midnight_in_tokyo() {
    let at = |text: &str| Month::of(text.parse::<jiff::Timestamp>().unwrap().into()).to_string();
    assert_eq!(at("2025-11-30T14:59:59.999999Z"), "2025-11");
    assert_eq!(at("2025-11-30T15:00:00Z"), "2025-12");
    assert_eq!(Month::of(Timestamp::from_micros(i64::MAX)).to_string(), "9999-12");
    assert_eq!(Month::of(Timestamp::from_micros(i64::MIN)).to_string(), "0001-01");
    assert_eq!(Month::new(2025, 0), None);
    assert_eq!(Month::new(0, 1), None);
}
