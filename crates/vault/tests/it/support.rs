//! What every test needs: a vault in a directory of its own.

use std::path::{Path, PathBuf};

use mimamori_domain::{ClassCode, Kind, ObjectId, Timestamp};
use mimamori_vault::{KeyUse, Month, Parent, Place, Ring, RootKeyFile, SecretKey, Vault, WrappedKey};

pub const NOW: Timestamp = Timestamp::from_micros(1_763_683_200_000_000);
pub const OWNER: [u8; 16] = [7; 16];

pub struct Site {
    pub directory: tempfile::TempDir,
    pub root: RootKeyFile,
    pub vault: Vault,
}

impl Site {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = RootKeyFile::create(&directory.path().join("root.key")).unwrap();
        let ring = Ring::create(&directory.path().join("ring"), &root, NOW).unwrap();
        Self { directory, root, vault: Vault::new(ring) }
    }

    pub fn ring_path(&self) -> PathBuf {
        self.directory.path().join("ring")
    }

    /// What a new process sees.
    pub fn reopened(&self) -> Vault {
        Vault::open(&self.ring_path(), &self.root).unwrap()
    }

    pub fn plain(&self, usage: KeyUse) -> (SecretKey, WrappedKey) {
        self.vault.generate(Parent::Ring, usage, None, NOW).unwrap()
    }

    pub fn subject(&self, owner: [u8; 16]) -> (SecretKey, WrappedKey) {
        self.vault.generate(Parent::Ring, KeyUse::Subject, Some(owner), NOW).unwrap()
    }

    pub fn data(&self, subject: &SecretKey, class: &str) -> (SecretKey, WrappedKey) {
        self.vault.generate(Parent::Key(subject), data_use(class), subject.owner(), NOW).unwrap()
    }

    pub fn content_key(&self) -> SecretKey {
        self.data(&self.subject(OWNER).0, "note").0
    }
}

pub fn data_use(class: &str) -> KeyUse {
    KeyUse::Data { class: ClassCode::new(class).unwrap(), month: Month::of(NOW) }
}

pub fn place() -> Place {
    Place::object(ObjectId::from_bytes([4; 16]), 1, &Kind::of("Observation"))
}

/// Each copy of `bytes` with one bit turned.
pub fn bit_flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        copy
    })
}

pub fn restrict(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}
