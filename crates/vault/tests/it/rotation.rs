use mimamori_vault::{KeyUse, Parent, Ring, Vault, VaultError};

use crate::support::{NOW, OWNER, Site};

#[test]
fn every_row_opens_before_during_and_after() {
    let site = Site::new();
    let (subject, old_row) = site.subject(OWNER);
    let (data, data_row) = site.data(&subject, "note");
    let old = site.vault.current_ring();

    let rotation = site.vault.begin_rotation(&site.root, NOW).unwrap();
    assert_eq!((rotation.old, site.vault.rotation()), (old, Some(rotation)));
    assert_eq!(site.vault.current_ring(), rotation.new);
    assert_eq!(site.vault.verify(&old_row, Parent::Ring).unwrap(), subject);
    let (_, born_meanwhile) = site.plain(KeyUse::Staff);
    assert_eq!(born_meanwhile.parent, rotation.new);

    let new_row = site.vault.rewrap(&old_row).unwrap();
    assert_eq!((new_row.id, new_row.parent, new_row.created), (old_row.id, rotation.new, old_row.created));
    assert_eq!(site.vault.rewrap(&new_row).unwrap(), new_row, "repeating is harmless");
    assert!(site.vault.rewrap(&data_row).is_err(), "data keys stand under their subject's key");

    site.vault.finish_rotation(&site.root, old, 0).unwrap();
    for vault in [site.vault.clone(), site.reopened()] {
        assert_eq!(vault.rotation(), None);
        assert!(matches!(vault.verify(&old_row, Parent::Ring), Err(VaultError::NotInRing(id)) if id == old));
        assert_eq!(vault.verify(&new_row, Parent::Ring).unwrap(), subject);
        assert_eq!(vault.verify(&data_row, Parent::Key(&subject)).unwrap(), data);
        assert!(vault.verify(&born_meanwhile, Parent::Ring).is_ok());
    }
}

#[test]
fn the_old_key_is_kept_while_rows_need_it() {
    let site = Site::new();
    let rotation = site.vault.begin_rotation(&site.root, NOW).unwrap();
    let error = site.vault.finish_rotation(&site.root, rotation.old, 3).unwrap_err();
    assert!(matches!(error, VaultError::StillNeeded { rows: 3, .. }));
    let error = site.vault.finish_rotation(&site.root, rotation.new, 0).unwrap_err();
    assert!(matches!(error, VaultError::NoRotation(id) if id == rotation.new));
    assert_eq!(site.reopened().rotation(), Some(rotation));
    assert!(matches!(site.vault.begin_rotation(&site.root, NOW), Err(VaultError::RotationUnderway)));
    site.vault.finish_rotation(&site.root, rotation.old, 0).unwrap();
    let again = site.vault.finish_rotation(&site.root, rotation.old, 0).unwrap_err();
    assert!(matches!(again, VaultError::NoRotation(_)));
}

/// The ring file as a crash would leave it after each step, with the rows as they stood then: a new
/// process opens every row and carries the rotation to its end.
#[test]
fn a_crash_at_any_step_loses_nothing() {
    let site = Site::new();
    let keys: Vec<_> = (1..=3).map(|owner| site.subject([owner; 16])).collect();
    let mut rows: Vec<_> = keys.iter().map(|(_, row)| row.clone()).collect();
    let ring_now = || std::fs::read(site.ring_path()).unwrap();
    let mut crashes = vec![(ring_now(), rows.clone())];
    let rotation = site.vault.begin_rotation(&site.root, NOW).unwrap();
    crashes.push((ring_now(), rows.clone()));
    for place in 0..rows.len() {
        rows[place] = site.vault.rewrap(&rows[place]).unwrap();
        crashes.push((ring_now(), rows.clone()));
    }
    site.vault.finish_rotation(&site.root, rotation.old, 0).unwrap();
    crashes.push((ring_now(), rows.clone()));

    for (step, (file, mut rows)) in crashes.into_iter().enumerate() {
        std::fs::write(site.ring_path(), &file).unwrap();
        // A half-written successor that was never put in place must not matter.
        std::fs::write(site.directory.path().join("ring.new"), &file[..step * 20]).unwrap();
        let vault = site.reopened();
        for (row, (key, _)) in rows.iter().zip(&keys) {
            assert_eq!(vault.verify(row, Parent::Ring).unwrap(), *key, "step {step}");
        }
        let Some(underway) = vault.rotation() else {
            continue;
        };
        assert_eq!(underway, rotation);
        for row in &mut rows {
            *row = vault.rewrap(row).unwrap();
        }
        vault.finish_rotation(&site.root, underway.old, 0).unwrap();
        for (row, (key, _)) in rows.iter().zip(&keys) {
            assert_eq!(site.reopened().verify(row, Parent::Ring).unwrap(), *key, "step {step}");
        }
    }
}

#[test]
fn a_change_that_cannot_be_written_changes_nothing() {
    let site = Site::new();
    let current = site.vault.current_ring();
    let before = std::fs::read(site.ring_path()).unwrap();
    // A folder in the way of the new file: the write fails before the old file is touched.
    std::fs::create_dir(site.directory.path().join("ring.new")).unwrap();
    assert!(matches!(site.vault.begin_rotation(&site.root, NOW), Err(VaultError::File { .. })));
    assert_eq!((site.vault.current_ring(), site.vault.rotation()), (current, None));
    assert_eq!(std::fs::read(site.ring_path()).unwrap(), before);
    std::fs::remove_dir(site.directory.path().join("ring.new")).unwrap();
    assert!(site.vault.begin_rotation(&site.root, NOW).is_ok());
}

#[test]
fn another_process_learns_of_a_rotation_by_reading_again() {
    let site = Site::new();
    let other: Vault = site.reopened();
    let rotation = site.vault.begin_rotation(&site.root, NOW).unwrap();
    let (_, row) = site.subject(OWNER);
    assert!(matches!(other.verify(&row, Parent::Ring), Err(VaultError::NotInRing(_))));
    assert!(matches!(other.begin_rotation(&site.root, NOW), Err(VaultError::RotationUnderway)));
    other.reload(&site.root).unwrap();
    assert_eq!(other.rotation(), Some(rotation));
    assert!(other.verify(&row, Parent::Ring).is_ok());
    other.finish_rotation(&site.root, rotation.old, 0).unwrap();
    site.vault.reload(&site.root).unwrap();
    assert_eq!(site.vault.rotation(), None);
}

#[test]
fn an_older_ring_file_put_back_is_noticed() {
    let site = Site::new();
    let mut ring = Ring::open(&site.ring_path(), &site.root).unwrap();
    let older = std::fs::read(site.ring_path()).unwrap();
    ring.begin_rotation(&site.root, NOW).unwrap();
    std::fs::write(site.ring_path(), older).unwrap();
    assert!(matches!(ring.reload(&site.root), Err(VaultError::DamagedRing { .. })));
}

#[test]
fn what_the_old_file_held_is_overwritten() {
    let site = Site::new();
    let kept = site.directory.path().join("same-file-under-another-name");
    std::fs::hard_link(site.ring_path(), &kept).unwrap();
    site.vault.begin_rotation(&site.root, NOW).unwrap();
    let old = std::fs::read(&kept).unwrap();
    assert!(!old.is_empty() && old.iter().all(|byte| *byte == 0));
}

#[test]
fn threads_may_use_the_vault_while_the_ring_changes() {
    let site = Site::new();
    let (key, row) = site.subject(OWNER);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut opened = 0;
            while site.vault.rotation().is_none() || opened == 0 {
                assert_eq!(site.vault.verify(&row, Parent::Ring).unwrap(), key);
                opened += 1;
            }
            opened
        });
        site.vault.begin_rotation(&site.root, NOW).unwrap();
        assert!(reader.join().unwrap() > 0);
    });
}

#[test]
fn a_ring_is_read_whole_while_another_process_changes_it() {
    let site = Site::new();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut read = 0_u32;
                    while !done.load(std::sync::atomic::Ordering::Relaxed) || read == 0 {
                        Ring::open(&site.ring_path(), &site.root).unwrap();
                        read += 1;
                    }
                })
            })
            .collect();
        for _ in 0..20 {
            let rotation = site.vault.begin_rotation(&site.root, NOW).unwrap();
            site.vault.finish_rotation(&site.root, rotation.old, 0).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(site.vault.rotation(), None);
    assert_eq!(site.reopened().current_ring(), site.vault.current_ring());
}
