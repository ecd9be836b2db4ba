//! One form for what people write in many: for search tokens only, never for display.
//!
//! Search should rather find too much than too little, since results are compared again after
//! decryption. Changing anything here changes tokens: it needs a new generation of the index.

use std::collections::HashMap;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::{compose, decompose_canonical};

/// Groups of characters that name the same kanji; the first of each line stands for all.
const VARIANTS: &str = include_str!("../data/kanji-variants.tsv");

static FOLDS: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    groups()
        .flat_map(|(target, variants)| variants.map(move |variant| (variant, target)))
        .collect()
});

/// The normal form of a name: NFKC (Unicode Standard Annex 15), lower case, Latin letters without
/// accents, kana as hiragana, kanji variants folded, iteration marks written out; variation
/// selectors, long-vowel marks, spaces, middle dots and all other signs dropped. Small kana stay.
#[must_use]
pub fn normalise_name(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars().filter(|c| !is_variation_selector(*c)).nfkc() {
        for character in character.to_lowercase() {
            push_plain(&mut out, character);
        }
    }
    out
}

/// The normal form of an identifier: NFKC without spaces, every kind of dash as `-`. Upper and
/// lower case are told apart.
#[must_use]
pub fn normalise_identifier(text: &str) -> String {
    text.chars()
        .filter(|c| !is_variation_selector(*c))
        .nfkc()
        .filter(|c| {
            !c.is_whitespace()
                && !c.is_control()
                && !matches!(c, '\u{200B}'..='\u{200D}' | '\u{FEFF}')
        })
        .map(|c| {
            if matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}') {
                '-'
            } else {
                c
            }
        })
        .collect()
}

/// Whether a normalised character is kana.
pub(crate) const fn is_kana(character: char) -> bool {
    matches!(character, '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{31F0}'..='\u{31FF}')
}

fn push_plain(out: &mut String, character: char) {
    let character = fold(hiragana(without_accent(character)));
    match character {
        LONG_VOWEL => {}
        '々' | '〻' | 'ゝ' => out.extend(out.chars().next_back()),
        'ゞ' => out.extend(
            out.chars()
                .next_back()
                .map(|c| fold(compose(c, '\u{3099}').unwrap_or(c))),
        ),
        _ if character.is_alphanumeric() => out.push(character),
        _ => {}
    }
}

const LONG_VOWEL: char = 'ー';

/// Katakana to hiragana, where there is one.
fn hiragana(character: char) -> char {
    match character {
        'ァ'..='ヶ' | 'ヽ' | 'ヾ' => {
            char::from_u32(character as u32 - 0x60).unwrap_or(character)
        }
        _ => character,
    }
}

/// The base letter of an accented Latin letter. Kana keep their voicing marks.
fn without_accent(character: char) -> char {
    if !matches!(character, '\u{C0}'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}') {
        return character;
    }
    let mut base = None;
    decompose_canonical(character, |part| {
        base.get_or_insert(part);
    });
    base.unwrap_or(character)
}

fn fold(character: char) -> char {
    FOLDS.get(&character).copied().unwrap_or(character)
}

const fn is_variation_selector(character: char) -> bool {
    matches!(character, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Target and variants of each line of the table.
fn groups() -> impl Iterator<Item = (char, impl Iterator<Item = char>)> {
    VARIANTS
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut columns = line.split('\t');
            let target = columns.next()?.chars().next()?;
            Some((target, columns.next()?.chars()))
        })
}
