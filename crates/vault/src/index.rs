//! Blind indexes: search tokens that say nothing without the index key.
//!
//! A token is the first 16 bytes of HMAC-SHA-256 (RFC 2104) over the field's name and the
//! normalised value. Equal values of one field have equal tokens: what that leaks is described in
//! `docs/vault.md`. Results are always decrypted and compared again before they are shown.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac;

use crate::aead::{Label, derive};
use crate::encoding::join;
use crate::normalise::{normalise_identifier, normalise_name};
use crate::{KeyUse, Result, SecretKey, VaultError};

/// A search token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token([u8; 16]);

impl Token {
    /// A token read back from where it was stored.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, as stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The 16 bytes as an owned vector, as statements take them.
    #[must_use]
    pub fn to_vec(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

/// What a global token is of. Its text is part of the token and never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IndexField {
    /// `system|value` of an identifier.
    Identifier,
    /// A whole name in kana: family, given, or both joined.
    Kana,
    /// The beginning of one of those.
    KanaPrefix,
    /// A whole name as written: family, given, or both joined.
    Name,
    /// The beginning of one of those.
    NamePrefix,
    /// `1950`
    BirthYear,
    /// `1950-03`
    BirthMonth,
    /// `1950-03-05`
    BirthDay,
}

const FIELDS: [(IndexField, &str); 8] = [
    (IndexField::Identifier, "identifier"),
    (IndexField::Kana, "kana"),
    (IndexField::KanaPrefix, "kana-prefix"),
    (IndexField::Name, "name"),
    (IndexField::NamePrefix, "name-prefix"),
    (IndexField::BirthYear, "birth-year"),
    (IndexField::BirthMonth, "birth-month"),
    (IndexField::BirthDay, "birth-day"),
];

impl IndexField {
    /// Every field.
    pub fn all() -> impl Iterator<Item = Self> {
        FIELDS.iter().map(|(field, _)| *field)
    }

    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        FIELDS.iter().find(|(field, _)| *field == self).map_or("", |(_, text)| text)
    }

    fn normalise(self, value: &str) -> String {
        match self {
            Self::Kana | Self::KanaPrefix | Self::Name | Self::NamePrefix => normalise_name(value),
            Self::Identifier => normalise_identifier(value),
            Self::BirthYear | Self::BirthMonth | Self::BirthDay => value.to_owned(),
        }
    }
}

impl fmt::Display for IndexField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for IndexField {
    type Err = VaultError;
    fn from_str(text: &str) -> Result<Self> {
        FIELDS.iter().find(|(_, name)| *name == text).map(|(field, _)| *field).ok_or(VaultError::Malformed)
    }
}

/// Makes the global search tokens of one generation.
#[derive(Clone)]
pub struct IndexKey {
    generation: u32,
    hmac: hmac::Key,
}

impl IndexKey {
    /// From a key for indexes.
    ///
    /// # Errors
    /// [`VaultError::WrongUse`] for any other key.
    pub fn new(key: &SecretKey) -> Result<Self> {
        let KeyUse::Index { generation } = *key.usage() else {
            return Err(VaultError::WrongUse { usage: key.usage().clone(), purpose: "make search tokens" });
        };
        Ok(Self { generation, hmac: hmac_key(key, Label::Index)? })
    }

    /// Which generation of the index the tokens belong to.
    #[must_use]
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// The token of a value, which is normalised here as its field demands.
    #[must_use]
    pub fn token(&self, field: IndexField, value: &str) -> Token {
        make_token(&self.hmac, field.as_str(), &[field.normalise(value).as_bytes()])
    }

    /// The token of an identifier.
    #[must_use]
    pub fn identifier(&self, system: &str, value: &str) -> Token {
        self.token(IndexField::Identifier, &format!("{system}|{value}"))
    }
}

impl fmt::Debug for IndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IndexKey").field("generation", &self.generation).finish_non_exhaustive()
    }
}

/// Makes the tokens of codes (diagnoses, medicines, observations) of one subject. Tokens of two
/// subjects never match, so frequency says nothing across people.
#[derive(Clone)]
pub struct SubjectIndex(hmac::Key);

impl SubjectIndex {
    /// From a subject's key. When that key is replaced (shredding), the subject's tokens must be
    /// made anew.
    ///
    /// # Errors
    /// [`VaultError::WrongUse`] for any other key.
    pub fn new(key: &SecretKey) -> Result<Self> {
        key.require(*key.usage() == KeyUse::Subject, "make a subject's code tokens")?;
        hmac_key(key, Label::Codes).map(Self)
    }

    /// The token of a code. Codes are compared exactly (FHIR R4, 2.24.0.6: most code systems tell
    /// upper and lower case apart).
    #[must_use]
    pub fn code_token(&self, system: &str, code: &str) -> Token {
        make_token(&self.0, "code", &[system.as_bytes(), code.as_bytes()])
    }
}

impl fmt::Debug for SubjectIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubjectIndex").finish_non_exhaustive()
    }
}

fn hmac_key(key: &SecretKey, label: Label) -> Result<hmac::Key> {
    let derived = derive(key.bytes(), label, &[])?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, derived.as_slice()))
}

fn make_token(key: &hmac::Key, field: &str, values: &[&[u8]]) -> Token {
    let mut parts = vec![field.as_bytes()];
    parts.extend_from_slice(values);
    let tag = hmac::sign(key, &join(&parts));
    let mut token = [0; 16];
    for (to, from) in token.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    Token(token)
}
