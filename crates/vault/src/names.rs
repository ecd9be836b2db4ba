//! Which tokens a person's name and birth date are found by.

use std::collections::BTreeSet;

use crate::normalise::{is_kana, normalise_name};
use crate::{IndexField, IndexKey, Token};

/// The longest beginning of a name that has a token of its own, in characters after normalisation.
/// Longer queries are cut to it and compared after decryption.
pub const PREFIX_LENGTH: usize = 8;

/// Whether a name is its reading or its writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Script {
    /// フリガナ
    Kana,
    /// As written: kanji, Latin letters, kana names too.
    Written,
}

impl Script {
    /// Kana when everything that counts in `text` is kana.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let normal = normalise_name(text);
        if !normal.is_empty() && normal.chars().all(is_kana) { Self::Kana } else { Self::Written }
    }

    const fn fields(self) -> (IndexField, IndexField) {
        match self {
            Self::Kana => (IndexField::Kana, IndexField::KanaPrefix),
            Self::Written => (IndexField::Name, IndexField::NamePrefix),
        }
    }
}

/// One name of a person: official, former or common.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName {
    script: Script,
    /// Normalised, in the order they are written, none empty.
    words: Vec<String>,
}

impl PersonName {
    /// From family and given name; either may be empty.
    #[must_use]
    pub fn new(script: Script, family: &str, given: &str) -> Self {
        Self::from_words(script, [family, given].into_iter())
    }

    /// From a name in one piece: spaces (also full-width ones) part its words.
    #[must_use]
    pub fn from_text(script: Script, text: &str) -> Self {
        Self::from_words(script, text.split_whitespace())
    }

    fn from_words<'a>(script: Script, words: impl Iterator<Item = &'a str>) -> Self {
        let words = words.map(normalise_name).filter(|word| !word.is_empty()).collect();
        Self { script, words }
    }

    /// Every token the name is to be found by: each word and all words joined, whole and by their
    /// beginnings of 1 to [`PREFIX_LENGTH`] characters. Each pair once, in the order of the tokens:
    /// rows stored in the order of the texts would tell which token is the longer beginning.
    #[must_use]
    pub fn tokens(&self, key: &IndexKey) -> Vec<(IndexField, Token)> {
        let (whole, prefix) = self.script.fields();
        let mut tokens = BTreeSet::new();
        for piece in self.words.iter().cloned().chain(std::iter::once(self.words.concat())) {
            for (start, character) in piece.char_indices().take(PREFIX_LENGTH) {
                if let Some(beginning) = piece.get(..start + character.len_utf8()) {
                    tokens.insert((prefix, key.token(prefix, beginning)));
                }
            }
            if !piece.is_empty() {
                tokens.insert((whole, key.token(whole, &piece)));
            }
        }
        tokens.into_iter().collect()
    }

    /// The tokens of a search by this name, all of which must be there: one beginning per word.
    /// Nothing when no word is left after normalisation: then nobody is found.
    #[must_use]
    pub fn query(&self, key: &IndexKey) -> Vec<(IndexField, Token)> {
        let (_, prefix) = self.script.fields();
        let beginning = |word: &String| word.chars().take(PREFIX_LENGTH).collect::<String>();
        self.words.iter().map(|word| (prefix, key.token(prefix, &beginning(word)))).collect()
    }

    /// Whether a decrypted name answers this query: every word of the query begins a word of the
    /// name, or all of it joined.
    #[must_use]
    pub fn found_in(&self, name: &Self) -> bool {
        let joined = name.words.concat();
        !self.words.is_empty()
            && self.words.iter().all(|word| {
                joined.starts_with(word.as_str()) || name.words.iter().any(|w| w.starts_with(word.as_str()))
            })
    }

    /// Whether this is the whole of a decrypted name, however its words are parted.
    #[must_use]
    pub fn is_all_of(&self, name: &Self) -> bool {
        !self.words.is_empty() && self.words.concat() == name.words.concat()
    }
}

impl std::fmt::Debug for PersonName {
    /// Without the name.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonName").field("script", &self.script).finish_non_exhaustive()
    }
}

/// A birth date, or as much of one as is known (FHIR R4 `date`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BirthDate<'a>(&'a str);

impl<'a> BirthDate<'a> {
    /// Reads `YYYY`, `YYYY-MM` or `YYYY-MM-DD`. Only the form and the ranges 1 to 12 and 1 to 31
    /// are checked: an impossible day is found by nobody.
    #[must_use]
    pub fn new(text: &'a str) -> Option<Self> {
        let digits = |part: &str, length: usize| {
            (part.len() == length && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse::<u16>().ok())
                .flatten()
        };
        let mut parts = text.splitn(3, '-');
        digits(parts.next()?, 4)?;
        for most in [12, 31] {
            if let Some(part) = parts.next()
                && !(1..=most).contains(&digits(part, 2)?)
            {
                return None;
            }
        }
        Some(Self(text))
    }

    /// Every token the date is to be found by: its year, its month, its day, as far as known.
    #[must_use]
    pub fn tokens(self, key: &IndexKey) -> Vec<(IndexField, Token)> {
        [(IndexField::BirthYear, 4), (IndexField::BirthMonth, 7), (IndexField::BirthDay, 10)]
            .into_iter()
            .filter_map(|(field, length)| Some((field, key.token(field, self.0.get(..length)?))))
            .collect()
    }

    /// The token of a search by this date: at the precision it has.
    #[must_use]
    pub fn query(self, key: &IndexKey) -> Option<(IndexField, Token)> {
        self.tokens(key).pop()
    }
}

impl std::fmt::Debug for BirthDate<'_> {
    /// Without the date.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BirthDate").finish_non_exhaustive()
    }
}
