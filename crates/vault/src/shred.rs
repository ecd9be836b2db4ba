//! Shredding: making data unreadable by destroying its key, in every copy.
//!
//! Deleting a row is not enough: an older copy of the database still has it, wrapped by a key that
//! lives on. So whatever could open an older copy of the row is replaced, up to the ring:
//! - the subject key above a shredded data key is replaced by a new one, and the subject's other
//!   data keys are rewrapped under that;
//! - the ring key is replaced, everything else is rewrapped under the new one, and the old one is
//!   destroyed.
//!
//! One rotation serves any number of disposals. First a plan that can be read and tested, then its
//! changes, one unit per disposal.

use std::collections::BTreeSet;

use mimamori_domain::{KeyId, Timestamp};

use crate::{KeyUse, Parent, Result, Vault, VaultError, WrappedKey};

/// What is left of the keys around those that are shredded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remains {
    /// The key stood directly under the ring and nothing stood under it.
    Nothing,
    /// The subject key goes with all its data keys: the whole person is shredded.
    WholeSubject,
    /// The subject stays: a new subject key takes the old one's place, and these data keys are
    /// rewrapped under it.
    Subject {
        /// The subject key that is replaced.
        subject: WrappedKey,
        /// The data keys that stay.
        keep: Vec<WrappedKey>,
    },
}

/// A key that a plan destroys, as the certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shredded {
    /// The key.
    pub id: KeyId,
    /// What it was for; for data keys that names class and month.
    pub usage: KeyUse,
    /// Whose it was.
    pub owner: Option<[u8; 16]>,
    /// When it was made.
    pub created: Timestamp,
}

/// Which keys one disposal destroys and what has to happen to those around them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShredPlan {
    shredded: Vec<Shredded>,
    remains: Remains,
}

/// What is to be done, in this order; every step may be repeated after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShredStep {
    /// [`Vault::begin_rotation`]. The rotation must be this shredding's own: one that was begun
    /// earlier may have rewrapped the doomed rows already, so it is finished first.
    BeginRotation,
    /// [`ShredPlan::changes`], committed in one unit with its ledger entry. Its guard is that the
    /// subject's rows are still exactly those the plan was made from.
    ChangeRows {
        /// Rows that go.
        delete: Vec<KeyId>,
        /// Rows that get a new parent.
        rewrap: Vec<KeyId>,
    },
    /// Drop the owner's opened keys from memory, in every process.
    Evict {
        /// The owner.
        owner: [u8; 16],
    },
    /// The subject's code tokens were made under the old subject key: make them anew.
    RebuildCodes {
        /// The subject.
        owner: [u8; 16],
    },
    /// [`Vault::rewrap`] for every row whose parent is the old ring key, in as many units as needed.
    RewrapRing,
    /// [`Vault::finish_rotation`] with the count of rows that are left.
    FinishRotation,
}

/// Row changes of one disposal, for one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShredChanges {
    /// Rows to delete.
    pub delete: Vec<KeyId>,
    /// Rows to insert (the new subject key).
    pub insert: Vec<WrappedKey>,
    /// Rows to replace: same id, new parent and bytes.
    pub replace: Vec<WrappedKey>,
}

/// What an erasure certificate states about keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The keys that were destroyed.
    pub keys: Vec<Shredded>,
    /// The ring keys destroyed with them.
    pub rings_destroyed: Vec<KeyId>,
    /// When the last of them was destroyed.
    pub at: Timestamp,
    /// When the last key backup that holds any of them expires; `None` when there is none. From
    /// then on no copy anywhere can be read.
    pub unreadable_everywhere_from: Option<Timestamp>,
}

impl ShredPlan {
    /// Plans the shredding of some of a subject's data keys. `all` are all data keys of the subject.
    ///
    /// # Errors
    /// [`VaultError::Plan`] when a doomed key is not among `all`, or a row does not stand under
    /// `subject`.
    pub fn data_keys(subject: &WrappedKey, all: &[WrappedKey], doomed: &BTreeSet<KeyId>) -> Result<Self> {
        check_family(subject, all)?;
        let (gone, keep): (Vec<_>, Vec<_>) = all.iter().cloned().partition(|row| doomed.contains(&row.id));
        if doomed.is_empty() || gone.len() != doomed.len() {
            return Err(VaultError::Plan("a key to be shredded is missing"));
        }
        let shredded = gone.iter().map(Shredded::from).collect();
        Ok(Self { shredded, remains: Remains::Subject { subject: subject.clone(), keep } })
    }

    /// Plans the shredding of a whole subject: its key and all its data keys.
    ///
    /// # Errors
    /// [`VaultError::Plan`] when a row does not stand under `subject`.
    pub fn subject(subject: &WrappedKey, all: &[WrappedKey]) -> Result<Self> {
        check_family(subject, all)?;
        let shredded = std::iter::once(subject).chain(all).map(Shredded::from).collect();
        Ok(Self { shredded, remains: Remains::WholeSubject })
    }

    /// Plans the shredding of a key that stands directly under the ring with nothing under it: a
    /// member of staff's key, an old index or cursor key, a ledger key whose retention is over.
    ///
    /// # Errors
    /// [`VaultError::Plan`] for subject and data keys, which have their own plans.
    pub fn single(row: &WrappedKey) -> Result<Self> {
        if row.usage == KeyUse::Subject || row.usage.under_subject() {
            return Err(VaultError::Plan("subject and data keys are shredded with their relatives"));
        }
        Ok(Self { shredded: vec![Shredded::from(row)], remains: Remains::Nothing })
    }

    /// The keys that will be destroyed.
    #[must_use]
    pub fn shredded(&self) -> &[Shredded] {
        &self.shredded
    }

    /// What is left around them.
    #[must_use]
    pub const fn remains(&self) -> &Remains {
        &self.remains
    }

    /// The steps in order. Several plans share the first and the last two.
    #[must_use]
    pub fn steps(&self) -> Vec<ShredStep> {
        let mut steps = vec![
            ShredStep::BeginRotation,
            ShredStep::ChangeRows {
                delete: self.deleted(),
                rewrap: self.kept().iter().map(|row| row.id).collect(),
            },
        ];
        let owners: BTreeSet<_> = self.shredded.iter().filter_map(|key| key.owner).collect();
        steps.extend(owners.iter().map(|owner| ShredStep::Evict { owner: *owner }));
        if matches!(self.remains, Remains::Subject { .. }) {
            steps.extend(owners.iter().map(|owner| ShredStep::RebuildCodes { owner: *owner }));
        }
        steps.extend([ShredStep::RewrapRing, ShredStep::FinishRotation]);
        steps
    }

    /// Makes the row changes. The rotation must have begun. Calling it again makes other, equally
    /// good changes: only one of them may be committed.
    ///
    /// # Errors
    /// [`VaultError::Plan`] before the rotation; [`VaultError::Refused`] or
    /// [`VaultError::NotInRing`] when a row that stays cannot be opened (then nothing may be
    /// deleted, or it would be lost).
    pub fn changes(&self, vault: &Vault, now: Timestamp) -> Result<ShredChanges> {
        if vault.rotation().is_none() {
            return Err(VaultError::Plan("begin the rotation first"));
        }
        let mut changes = ShredChanges { delete: self.deleted(), ..ShredChanges::default() };
        if let Remains::Subject { subject, keep } = &self.remains {
            let old = vault.verify(subject, Parent::Ring)?;
            let (new, row) = vault.generate(Parent::Ring, KeyUse::Subject, subject.owner, now)?;
            changes.insert.push(row);
            for row in keep {
                let key = vault.verify(row, Parent::Key(&old))?;
                changes.replace.push(WrappedKey::wrap(&key, new.id(), new.bytes(), row.created)?);
            }
        }
        Ok(changes)
    }

    /// What the certificate states once the old ring key is destroyed.
    #[must_use]
    pub fn certificate(
        &self,
        rings_destroyed: Vec<KeyId>,
        at: Timestamp,
        last_key_backup_expires: Option<Timestamp>,
    ) -> Certificate {
        Certificate {
            keys: self.shredded.clone(),
            rings_destroyed,
            at,
            unreadable_everywhere_from: last_key_backup_expires,
        }
    }

    fn deleted(&self) -> Vec<KeyId> {
        let replaced = match &self.remains {
            Remains::Subject { subject, .. } => Some(subject.id),
            _ => None,
        };
        self.shredded.iter().map(|key| key.id).chain(replaced).collect()
    }

    fn kept(&self) -> &[WrappedKey] {
        match &self.remains {
            Remains::Subject { keep, .. } => keep,
            _ => &[],
        }
    }
}

impl From<&WrappedKey> for Shredded {
    fn from(row: &WrappedKey) -> Self {
        Self { id: row.id, usage: row.usage.clone(), owner: row.owner, created: row.created }
    }
}

fn check_family(subject: &WrappedKey, all: &[WrappedKey]) -> Result<()> {
    let related = |row: &WrappedKey| {
        row.usage.under_subject() && row.parent == subject.id && row.owner == subject.owner
    };
    if subject.usage == KeyUse::Subject && subject.owner.is_some() && all.iter().all(related) {
        Ok(())
    } else {
        Err(VaultError::Plan("the rows are not one subject's"))
    }
}
