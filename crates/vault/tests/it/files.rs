use std::os::unix::fs::PermissionsExt as _;

use mimamori_vault::{Ring, RootKey as _, RootKeyFile, VaultError};

use crate::support::{NOW, Site, bit_flips, restrict};

#[test]
fn the_root_key_file_is_private_and_opens_again() {
    let site = Site::new();
    let path = site.directory.path().join("root.key");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(site.ring_path().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(RootKeyFile::open(&path).unwrap().id(), site.root.id());
    assert!(matches!(RootKeyFile::create(&path), Err(VaultError::Exists { .. })));
}

#[test]
fn files_that_others_may_use_are_refused_with_what_to_do() {
    let site = Site::new();
    let path = site.directory.path().join("root.key");
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o666] {
        restrict(&path, mode);
        let error = RootKeyFile::open(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("chmod 600 {}", path.display())), "{error}");
        assert!(error.contains(&format!("{mode:04o}")), "{error}");
        restrict(&site.ring_path(), mode);
        let error = Ring::open(&site.ring_path(), &site.root).unwrap_err();
        assert!(matches!(error, VaultError::Permissions { .. }));
    }
    for mode in [0o600, 0o400] {
        restrict(&path, mode);
        assert!(RootKeyFile::open(&path).is_ok());
    }
}

#[test]
fn only_32_bytes_are_a_root_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    for length in [0, 31, 33, 64] {
        std::fs::write(&path, vec![1; length]).unwrap();
        restrict(&path, 0o600);
        assert!(matches!(RootKeyFile::open(&path), Err(VaultError::NotARootKey { .. })));
    }
    restrict(directory.path(), 0o700);
    assert!(RootKeyFile::open(directory.path()).is_err());
    assert!(matches!(RootKeyFile::open(&directory.path().join("none")), Err(VaultError::File { .. })));
}

#[test]
fn a_ring_is_never_overwritten_and_knows_its_root_key() {
    let site = Site::new();
    assert!(matches!(Ring::create(&site.ring_path(), &site.root, NOW), Err(VaultError::Exists { .. })));
    let other = RootKeyFile::create(&site.directory.path().join("other.key")).unwrap();
    let error = Ring::open(&site.ring_path(), &other).unwrap_err();
    assert!(
        matches!(error, VaultError::OtherRootKey { wanted, given, .. } if wanted == site.root.id() && given == other.id())
    );
}

#[test]
fn a_ring_file_with_any_turned_bit_or_line_is_refused() {
    let site = Site::new();
    site.vault.begin_rotation(&site.root, NOW).unwrap();
    let path = site.ring_path();
    let whole = std::fs::read(&path).unwrap();
    let refused = |content: &[u8]| {
        std::fs::write(&path, content).unwrap();
        assert!(Ring::open(&path, &site.root).is_err(), "{}", String::from_utf8_lossy(content));
    };
    bit_flips(&whole).for_each(|altered| refused(&altered));
    (0..whole.len()).for_each(|length| refused(&whole[..length]));
    let text = String::from_utf8(whole.clone()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for skipped in 0..lines.len() {
        let mut fewer = lines.clone();
        fewer.remove(skipped);
        refused(fewer.concat().as_bytes());
        let mut swapped = lines.clone();
        swapped.swap(skipped, (skipped + 1) % lines.len());
        refused(swapped.concat().as_bytes());
    }
    refused(format!("{text}\n").as_bytes());
    refused(text.replace('\n', "\r\n").as_bytes());
    std::fs::write(&path, &whole).unwrap();
    assert!(Ring::open(&path, &site.root).is_ok());
}

#[test]
fn nothing_secret_is_shown() {
    let site = Site::new();
    let key = std::fs::read(site.directory.path().join("root.key")).unwrap();
    let (subject, row) = site.subject([1; 16]);
    let shown = format!("{:?} {:?} {subject:?} {row:?}", site.root, site.vault);
    let (signer, _) = site.plain(mimamori_vault::KeyUse::CheckpointSigner);
    let seed = signer.expose_seed().unwrap();
    let shown = format!("{shown} {signer:?}");
    for secret in [key.as_slice(), seed.as_slice()] {
        let listed = format!("{secret:?}");
        assert!(!shown.contains(listed.trim_matches(['[', ']'])));
        assert!(!shown.contains(&hex::encode(secret)));
    }
}
