//! Keys: what they are for, how they look in memory and how they are stored.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::Offset;
use mimamori_domain::{ClassCode, KeyId, Timestamp};
use zeroize::Zeroizing;

use crate::aead::{self, KeyBytes, Label};
use crate::encoding::join;
use crate::{Result, VaultError};

/// A calendar month in Asia/Tokyo: with the information class, the unit of disposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    year: u16,
    month: u8,
}

impl Month {
    /// A month of the years 1 to 9999; `None` when there is no such month.
    #[must_use]
    pub const fn new(year: u16, month: u8) -> Option<Self> {
        if year >= 1 && year <= 9999 && month >= 1 && month <= 12 { Some(Self { year, month }) } else { None }
    }

    /// The month that `time` falls in, in Asia/Tokyo (UTC+9, without summer time since 1952).
    /// Times outside the years 1 to 9999 give the nearest month inside.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        let local = Offset::constant(9).to_datetime(jiff::Timestamp::from(time));
        match (u16::try_from(local.year()), u8::try_from(local.month())) {
            (Ok(year @ 1..=9999), Ok(month)) => Self { year, month },
            (Ok(1..), _) => Self { year: 9999, month: 12 },
            _ => Self { year: 1, month: 1 },
        }
    }

    /// The year of the common era.
    #[must_use]
    pub const fn year(self) -> u16 {
        self.year
    }

    /// 1 to 12.
    #[must_use]
    pub const fn month(self) -> u8 {
        self.month
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

/// What a key is for. Its text is stored for ever: `subject`, `data:vital-signs:2026-11`, `staff`,
/// `register:training-record:2026-11`, `ledger-seal`, `checkpoint-signer`, `index:1`, `cursor`, `settings`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyUse {
    /// A subject's key: wraps the subject's data keys and gives the subject's code index.
    Subject,
    /// Seals a subject's content of one class created in one month. Stands under a subject key.
    Data {
        /// The information class.
        class: ClassCode,
        /// The month of creation.
        month: Month,
    },
    /// Seals entries of one register, cases of one procedure and the like, of one month: the unit of
    /// disposal of what belongs to the organisation and to no subject. Stands under the ring.
    Register {
        /// The code of the register, procedure, duty or document.
        code: ClassCode,
        /// The month of creation.
        month: Month,
    },
    /// Seals what concerns one member of staff.
    Staff,
    /// Seals the parts of ledger entries that could identify or describe a person.
    LedgerSeal,
    /// Its bytes are the seed of the Ed25519 key that signs checkpoints.
    CheckpointSigner,
    /// Makes the global search tokens of one generation.
    Index {
        /// Rises with each rebuild of the index.
        generation: u32,
    },
    /// Seals positions in lists that are handed to clients.
    Cursor,
    /// Seals settings that are secret.
    Settings,
}

/// A text that names no key usage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a key usage")]
pub struct KeyUseError;

const PLAIN_USES: [(&str, KeyUse); 6] = [
    ("subject", KeyUse::Subject),
    ("staff", KeyUse::Staff),
    ("ledger-seal", KeyUse::LedgerSeal),
    ("checkpoint-signer", KeyUse::CheckpointSigner),
    ("cursor", KeyUse::Cursor),
    ("settings", KeyUse::Settings),
];

impl fmt::Display for KeyUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data { class, month } => write!(f, "data:{class}:{month}"),
            Self::Register { code, month } => write!(f, "register:{code}:{month}"),
            Self::Index { generation } => write!(f, "index:{generation}"),
            plain => PLAIN_USES
                .iter()
                .find(|(_, usage)| usage == plain)
                .map_or(Err(fmt::Error), |(text, _)| f.write_str(text)),
        }
    }
}

impl FromStr for KeyUse {
    type Err = KeyUseError;

    /// Reads the stored text; one text per usage (`index:01` is refused).
    fn from_str(text: &str) -> Result<Self, KeyUseError> {
        let usage = parse_use(text).ok_or(KeyUseError)?;
        if usage.to_string() == text { Ok(usage) } else { Err(KeyUseError) }
    }
}

fn parse_use(text: &str) -> Option<KeyUse> {
    if let Some((_, usage)) = PLAIN_USES.iter().find(|(name, _)| *name == text) {
        return Some(usage.clone());
    }
    match text.split_once(':')? {
        ("index", generation) => Some(KeyUse::Index { generation: generation.parse().ok()? }),
        ("data", rest) => coded_month(rest).map(|(class, month)| KeyUse::Data { class, month }),
        ("register", rest) => coded_month(rest).map(|(code, month)| KeyUse::Register { code, month }),
        _ => None,
    }
}

/// Reads `vital-signs:2026-11`.
fn coded_month(text: &str) -> Option<(ClassCode, Month)> {
    let (code, month) = text.split_once(':')?;
    let (year, month) = month.split_once('-')?;
    Some((ClassCode::new(code).ok()?, Month::new(year.parse().ok()?, month.parse().ok()?)?))
}

impl KeyUse {
    /// Whether such a key may seal content, itself or in chunks.
    #[must_use]
    pub const fn seals(&self) -> bool {
        matches!(
            self,
            Self::Data { .. } | Self::Register { .. } | Self::Staff | Self::LedgerSeal | Self::Settings
        )
    }

    /// Whether a key of this usage stands under a subject key rather than under the ring.
    #[must_use]
    pub const fn under_subject(&self) -> bool {
        matches!(self, Self::Data { .. })
    }
}

/// An opened key. Cheap to clone; its bytes are zeroised when the last clone is dropped.
#[derive(Clone)]
pub struct SecretKey(Arc<Inner>);

struct Inner {
    id: KeyId,
    usage: KeyUse,
    owner: Option<[u8; 16]>,
    bytes: KeyBytes,
}

impl SecretKey {
    pub(crate) fn from_parts(id: KeyId, usage: KeyUse, owner: Option<[u8; 16]>, bytes: KeyBytes) -> Self {
        Self(Arc::new(Inner { id, usage, owner, bytes }))
    }

    /// The key's id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.0.id
    }

    /// What the key is for.
    #[must_use]
    pub fn usage(&self) -> &KeyUse {
        &self.0.usage
    }

    /// Whose key it is (the id of a subject or a member of staff), if it is somebody's.
    #[must_use]
    pub fn owner(&self) -> Option<[u8; 16]> {
        self.0.owner
    }

    /// The seed of the checkpoint signer (Ed25519, RFC 8032 section 5.1.5).
    ///
    /// # Errors
    /// [`VaultError::WrongUse`] for a key of any other usage: no other key's bytes leave the vault.
    pub fn expose_seed(&self) -> Result<Zeroizing<[u8; 32]>> {
        self.require(self.0.usage == KeyUse::CheckpointSigner, "sign checkpoints")?;
        Ok(self.0.bytes.clone())
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0.bytes
    }

    pub(crate) fn require(&self, allowed: bool, purpose: &'static str) -> Result<()> {
        if allowed { Ok(()) } else { Err(VaultError::WrongUse { usage: self.0.usage.clone(), purpose }) }
    }
}

/// The same key: same id, usage, owner and bytes (compared in constant time).
impl PartialEq for SecretKey {
    fn eq(&self, other: &Self) -> bool {
        crate::constant_time_eq(self.bytes(), other.bytes())
            && (self.id(), self.usage(), self.owner()) == (other.id(), other.usage(), other.owner())
    }
}

impl Eq for SecretKey {}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey")
            .field("id", &self.0.id)
            .field("usage", &self.0.usage)
            .finish_non_exhaustive()
    }
}

/// A key as it is stored: wrapped by its parent. Useless without the ring.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    /// The key's id; never used for other key bytes again.
    pub id: KeyId,
    /// The key that wraps it: a ring key or a subject key.
    pub parent: KeyId,
    /// What the key is for (stored as its text).
    pub usage: KeyUse,
    /// The id of the subject or member of staff whose key it is.
    pub owner: Option<[u8; 16]>,
    /// When it was made.
    pub created: Timestamp,
    /// The wrapped key: a format byte, 24 random bytes, ciphertext and tag.
    pub bytes: Vec<u8>,
}

/// Format byte of wrapped keys.
const WRAP_FORMAT: u8 = 0x01;

impl WrappedKey {
    pub(crate) fn wrap(
        key: &SecretKey,
        parent: KeyId,
        parent_bytes: &[u8; 32],
        created: Timestamp,
    ) -> Result<Self> {
        let mut row = Self {
            id: key.id(),
            parent,
            usage: key.usage().clone(),
            owner: key.owner(),
            created,
            bytes: vec![WRAP_FORMAT],
        };
        let aad = row.associated_data();
        aead::seal(parent_bytes, Label::Wrap, &aad, key.bytes(), &mut row.bytes)?;
        Ok(row)
    }

    pub(crate) fn unwrap_with(&self, parent_bytes: &[u8; 32]) -> Result<SecretKey> {
        let (header, sealed) = self.bytes.split_first_chunk::<1>().ok_or(VaultError::Malformed)?;
        if header != &[WRAP_FORMAT] {
            return Err(VaultError::Malformed);
        }
        let plain = aead::open(parent_bytes, Label::Wrap, header, &self.associated_data(), sealed)?;
        let mut bytes = KeyBytes::default();
        if plain.len() != bytes.len() {
            return Err(VaultError::Malformed);
        }
        bytes.copy_from_slice(&plain);
        Ok(SecretKey::from_parts(self.id, self.usage.clone(), self.owner, bytes))
    }

    /// Everything a row says is bound to the wrapped bytes: a row with another owner, usage, parent
    /// or time of creation does not open.
    fn associated_data(&self) -> Vec<u8> {
        join(&[
            self.id.as_bytes(),
            self.parent.as_bytes(),
            self.usage.to_string().as_bytes(),
            self.owner.as_ref().map_or(&[][..], |owner| owner.as_slice()),
            &self.created.as_micros().to_be_bytes(),
        ])
    }
}

impl fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrappedKey")
            .field("id", &self.id)
            .field("parent", &self.parent)
            .field("usage", &self.usage)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

/// A text that is not a wrapped key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a wrapped key: six fields are expected: id, parent, usage, owner or '-', microseconds, base64")]
pub struct WrappedKeyError;

/// One line, as keyring backups hold it: id, parent, usage, owner (or `-`), creation in
/// microseconds, wrapped bytes in base64, separated by single spaces.
impl fmt::Display for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.id, self.parent, self.usage)?;
        match self.owner {
            Some(owner) => write!(f, "{}", KeyId::from_bytes(owner))?,
            None => f.write_str("-")?,
        }
        write!(f, " {} {}", self.created.as_micros(), STANDARD.encode(&self.bytes))
    }
}

impl FromStr for WrappedKey {
    type Err = WrappedKeyError;

    /// Reads the line; one text per row, so whatever is read is written back the same.
    fn from_str(text: &str) -> Result<Self, WrappedKeyError> {
        let row = parse_row(text).ok_or(WrappedKeyError)?;
        if row.to_string() == text { Ok(row) } else { Err(WrappedKeyError) }
    }
}

fn parse_row(text: &str) -> Option<WrappedKey> {
    let mut fields = text.split(' ');
    let row = WrappedKey {
        id: fields.next()?.parse().ok()?,
        parent: fields.next()?.parse().ok()?,
        usage: fields.next()?.parse().ok()?,
        owner: match fields.next()? {
            "-" => None,
            owner => Some(*owner.parse::<KeyId>().ok()?.as_bytes()),
        },
        created: Timestamp::from_micros(fields.next()?.parse().ok()?),
        bytes: STANDARD.decode(fields.next()?).ok()?,
    };
    fields.next().is_none().then_some(row)
}
