//! The home folder of an installation: where everything lives, and who may read it.
//!
//! ```text
//! HOME/                 0700
//!   mimamori.toml       settings
//!   keys/               0700
//!     root.key          0600, never part of a backup
//!     ring              0600, wrapped keys
//!   data/mimamori.db    records and ledger (SQLite only)
//!   state/              the checkpoint signer's memory, outside the database on purpose
//! ```

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::exit::{Exit, Failure, Result};

/// Where things are below a home folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The home to use when none is named: `~/.local/share/mimamori` (XDG base directories).
    ///
    /// # Errors
    /// [`Exit::Usage`] when the account has no home folder.
    pub fn default_of_account(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_DATA_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".local/share")))
            .map(|data| Self(data.join("mimamori")))
            .ok_or_else(|| {
                Failure::new(Exit::Usage, "this account has no home folder")
                    .next("Name the installation's folder with --home or MIMAMORI_HOME.")
            })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("mimamori.toml")
    }

    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Makes the folders of a new installation, mode 0700.
    ///
    /// # Errors
    /// [`Exit::CannotCreate`] when the folder is there and not empty, or cannot be made.
    pub fn create(&self) -> Result<()> {
        let failed = |path: &Path, error: io::Error| Failure::io(Exit::CannotCreate, path, &error);
        if fs::read_dir(&self.0).is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Failure::new(Exit::CannotCreate, format!("{} is not empty", self.0.display()))
                .next("A new installation needs an empty folder: name another one with --home."));
        }
        for folder in [self.0.clone(), self.keys(), self.data(), self.state()] {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)
                .map_err(|error| failed(&folder, error))?;
            // The folder may have been there before, and `mode` is subject to the umask.
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
                .map_err(|error| failed(&folder, error))?;
        }
        Ok(())
    }
}

/// Writes a new file that only this account may read, and waits until the disk has it.
///
/// # Errors
/// [`Exit::CannotCreate`] when it is there already or cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || -> io::Result<()> {
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // The name of a new file is only durable once its folder is.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    write().map_err(|error| Failure::io(Exit::CannotCreate, path, &error))
}

/// What is wrong with who may read a secret file or folder; `None` when nothing is.
///
/// # Errors
/// The error of looking at it.
pub fn permission_problem(path: &Path) -> io::Result<Option<String>> {
    let metadata = fs::metadata(path)?;
    let (mode, wanted) = (metadata.mode() & 0o7777, if metadata.is_dir() { 0o700 } else { 0o600 });
    if mode & 0o077 != 0 {
        return Ok(Some(format!("mode is {mode:04o}: others may get at it (wanted {wanted:04o})")));
    }
    let (owner, us) = (metadata.uid(), rustix::process::geteuid().as_raw());
    Ok((owner != us).then(|| format!("belongs to account {owner}, but this program runs as {us}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn folders_and_files_are_for_this_account_only() {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let home = Home::at(folder.path());
        home.create().unwrap();
        for path in [home.path(), &home.keys(), &home.data(), &home.state()] {
            assert_eq!(mode(path), 0o700, "{}", path.display());
        }
        let key = home.keys().join("root.key");
        write_private(&key, b"x").unwrap();
        assert_eq!(mode(&key), 0o600);
        assert_eq!(write_private(&key, b"y").unwrap_err().exit, Exit::CannotCreate);
        assert_eq!(fs::read(&key).unwrap(), b"x");
        assert_eq!(permission_problem(&key).unwrap(), None);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(permission_problem(&key).unwrap().unwrap().contains("0640"));
    }

    #[test]
    fn a_folder_in_use_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter"), "").unwrap();
        let error = Home::at(folder.path()).create().unwrap_err();
        assert_eq!(error.exit, Exit::CannotCreate);
        assert!(!folder.path().join("keys").exists());
    }

    #[test]
    fn the_default_follows_the_account() {
        let of = |pairs: &'static [(&str, &str)]| {
            Home::default_of_account(|name| {
                pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[("HOME", "/h")]).unwrap().path(), Path::new("/h/.local/share/mimamori"));
        assert_eq!(of(&[("HOME", "/h"), ("XDG_DATA_HOME", "/x")]).unwrap().path(), Path::new("/x/mimamori"));
        assert_eq!(of(&[]).unwrap_err().exit, Exit::Usage);
    }
}
