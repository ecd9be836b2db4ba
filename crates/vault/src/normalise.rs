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
    groups().flat_map(|(target, variants)| variants.map(move |variant| (variant, target))).collect()
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
    // Dropping a sign may bring together what composes (Korean and Indian letters).
    out.nfc().collect()
}

/// The normal form of an identifier: NFKC without spaces, every kind of dash as `-`. Upper and
/// lower case are told apart.
#[must_use]
pub fn normalise_identifier(text: &str) -> String {
    text.chars()
        .filter(|c| !is_variation_selector(*c))
        .nfkc()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(*c))
        .map(|c| if is_dash(c) { '-' } else { c })
        .nfc()
        .collect()
}

const fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200B}'..='\u{200D}' | '\u{FEFF}')
}

/// Hyphens, dashes, the minus sign, and the long-vowel mark that is typed in their place.
const fn is_dash(character: char) -> bool {
    matches!(character, '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{30FC}')
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
        'ゞ' => out.extend(out.chars().next_back().map(|c| fold(compose(c, '\u{3099}').unwrap_or(c)))),
        _ if character.is_alphanumeric() => out.push(character),
        _ => {}
    }
}

const LONG_VOWEL: char = 'ー';

/// Katakana to hiragana, where there is one.
fn hiragana(character: char) -> char {
    match character {
        'ァ'..='ヶ' | 'ヽ' | 'ヾ' => char::from_u32(character as u32 - 0x60).unwrap_or(character),
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
    VARIANTS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.split('\t');
        let target = columns.next()?.chars().next()?;
        Some((target, columns.next()?.chars()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAME: [(&str, &str); 22] = [
        ("ヤマダ ハナコ", "やまだはなこ"),
        ("ﾔﾏﾀﾞ　ﾊﾅｺ", "やまだはなこ"),
        ("ﾋﾟｰﾀｰ・ﾊﾟﾝ", "ピータ パン"),
        ("ヴァイオレット", "ゔぁいおれっと"),
        ("ヨシヱ", "よしえ"),
        ("ミヅキ", "みずき"),
        ("スヾキ", "スズキ"),
        ("みすゞ", "みすず"),
        ("髙橋", "高橋"),
        ("山﨑", "山崎"),
        ("渡邉", "渡邊"),
        ("渡邉\u{E0102}", "渡辺"),
        ("齋藤", "斉藤"),
        ("𠮷野家", "吉野家"),
        ("佐々木", "佐佐木"),
        ("濵﨑", "浜崎"),
        ("塚\u{FE00}本", "\u{FA10}本"),
        ("三ヶ島", "三ケ島"),
        ("Ｓｍｉｔｈ", "SMITH"),
        ("João", "joao"),
        ("Nguyễn", "NGUYEN"),
        ("O’Neil-Smith", "oneilsmith"),
    ];

    #[test]
    fn what_means_the_same_becomes_the_same() {
        for (a, b) in SAME {
            assert_eq!(normalise_name(a), normalise_name(b), "{a} {b}");
        }
        assert_eq!(normalise_identifier(" １２３ー４５６ "), "123-456");
        assert_eq!(normalise_identifier("ab−C"), "ab-C");
    }

    #[test]
    fn what_sounds_different_stays_different() {
        for (a, b) in [("きょう", "きよう"), ("かき", "がき"), ("はっとり", "はつとり"), ("田中", "中田")]
        {
            assert_ne!(normalise_name(a), normalise_name(b), "{a} {b}");
        }
        assert_ne!(normalise_identifier("ab"), normalise_identifier("AB"));
    }

    #[test]
    fn the_table_is_disjoint_and_every_row_is_reached() {
        let mut seen = std::collections::HashSet::new();
        let mut pairs = 0;
        for (target, variants) in groups() {
            assert!(seen.insert(target), "{target} stands twice");
            for variant in variants {
                pairs += 1;
                assert!(seen.insert(variant), "{variant} stands twice");
                assert!(variant.nfkc().eq([variant]), "NFKC changes {variant} before the table sees it");
                assert_eq!(normalise_name(&variant.to_string()), target.to_string());
            }
        }
        let lines = VARIANTS.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(groups().count(), lines, "a line without two columns");
        assert!(pairs >= 150, "{pairs}");
    }

    #[test]
    fn every_single_character_is_stable_once_normalised() {
        // The planes that have letters, and the one of the variation selectors.
        for character in ('\0'..='\u{3FFFF}').chain('\u{E0000}'..='\u{E0FFF}') {
            let once = normalise_name(&character.to_string());
            assert_eq!(normalise_name(&once), once, "U+{:04X}", character as u32);
            let once = normalise_identifier(&character.to_string());
            assert_eq!(normalise_identifier(&once), once, "U+{:04X}", character as u32);
        }
    }

    /// Characters that meet each other in names, with all that combines, repeats or folds.
    const NAMES: &str = "[ぁ-ゟァ-ヿｦ-ﾟ々〻ー髙﨑邉𠮷神\u{FA19}A-Za-zÀ-ž\u{300}-\u{345}\u{3099}\u{309A} ・\u{FE00}\u{E0100}가-갏\u{1100}-\u{1112}\u{1161}-\u{1175}]{0,12}";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn normalising_twice_changes_nothing(text in NAMES, any: String) {
            for text in [text, any] {
                let once = normalise_name(&text);
                prop_assert_eq!(normalise_name(&once), once);
                let once = normalise_identifier(&text);
                prop_assert_eq!(normalise_identifier(&once), once);
            }
        }

        #[test]
        fn a_beginning_of_a_normal_name_is_normal(text in NAMES, length in 0_usize..12) {
            let beginning: String = normalise_name(&text).chars().take(length).collect();
            prop_assert_eq!(normalise_name(&beginning), beginning);
        }
    }
}
