//! The data files, read once. A row is tab-separated; `#` begins a comment line.

use std::sync::LazyLock;

use crate::InstitutionKind;
use crate::random::Stream;

/// One row of a data file.
#[derive(Debug, Clone)]
pub(crate) struct Row(Vec<&'static str>);

impl Row {
    /// The column's text; empty when the row is shorter or the column says `-`.
    pub(crate) fn text(&self, column: usize) -> &'static str {
        match self.0.get(column).copied() {
            Some("-") | None => "",
            Some(text) => text,
        }
    }

    /// The column's number; 0 when there is none.
    pub(crate) fn number(&self, column: usize) -> i32 {
        self.text(column).parse().unwrap_or(0)
    }

    /// The column's words, which commas part.
    pub(crate) fn words(&self, column: usize) -> Vec<&'static str> {
        self.text(column).split(',').filter(|w| !w.is_empty()).collect()
    }
}

pub(crate) fn rows(file: &'static str) -> impl Iterator<Item = Row> {
    file.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| Row(line.split('\t').collect()))
}

/// A name as written and as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) written: &'static str,
    /// Full-width katakana.
    pub(crate) kana: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sex {
    Female,
    Male,
}

impl Sex {
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Female => Self::Male,
            Self::Male => Self::Female,
        }
    }

    /// As the data files write it.
    pub(crate) const fn letter(self) -> &'static str {
        match self {
            Self::Female => "f",
            Self::Male => "m",
        }
    }
}

struct Given {
    sex: &'static str,
    first_year: i32,
    last_year: i32,
    name: Name,
}

static FAMILY: LazyLock<Vec<Name>> = LazyLock::new(|| {
    rows(include_str!("../data/family_names.tsv"))
        .map(|row| Name { written: row.text(0), kana: row.text(1) })
        .collect()
});

static GIVEN: LazyLock<Vec<Given>> = LazyLock::new(|| {
    rows(include_str!("../data/given_names.tsv"))
        .map(|row| Given {
            sex: row.text(0),
            first_year: row.number(1),
            last_year: row.number(2),
            name: Name { written: row.text(3), kana: row.text(4) },
        })
        .collect()
});

static ROMAJI: LazyLock<Vec<(&'static str, &'static str)>> = LazyLock::new(|| {
    let mut table: Vec<_> =
        rows(include_str!("../data/romaji.tsv")).map(|row| (row.text(0), row.text(1))).collect();
    // Two letters (キョ) before one (キ).
    table.sort_by_key(|(kana, _)| std::cmp::Reverse(kana.len()));
    table
});

pub(crate) const NO_NAME: Name = Name { written: "", kana: "" };

pub(crate) fn family_name(chance: &mut Stream) -> Name {
    chance.pick(&FAMILY).copied().unwrap_or(NO_NAME)
}

/// A given name usual for who was born in `year`.
pub(crate) fn given_name(chance: &mut Stream, sex: Sex, year: i16) -> Name {
    let year = i32::from(year).clamp(1920, 2000);
    chance
        .weighted(&GIVEN, |given| {
            usize::from(given.sex == sex.letter() && given.first_year <= year && year <= given.last_year)
        })
        .map_or(NO_NAME, |given| given.name)
}

/// Hepburn spelling without long vowels, capitalised: サトウ is `Sato`.
pub(crate) fn romaji(kana: &str) -> String {
    let mut out = String::new();
    let mut rest = kana;
    let mut doubled = false;
    while let Some(first) = rest.chars().next() {
        if first == 'ッ' {
            doubled = true;
            rest = rest.get(first.len_utf8()..).unwrap_or("");
            continue;
        }
        let (spelt, len) = ROMAJI
            .iter()
            .find(|(k, _)| rest.starts_with(k))
            .map_or(("", first.len_utf8()), |(k, spelt)| (*spelt, k.len()));
        if doubled && let Some(c) = spelt.chars().next() {
            out.push(if c == 'c' { 't' } else { c });
        }
        doubled = false;
        let long = (spelt == "u" && (out.ends_with('o') || out.ends_with('u')))
            || (spelt == "o" && out.ends_with('o'));
        if !long {
            out.push_str(spelt);
        }
        rest = rest.get(len..).unwrap_or("");
    }
    let mut letters = out.chars();
    letters.next().map_or_else(String::new, |c| c.to_ascii_uppercase().to_string() + letters.as_str())
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Town {
    pub(crate) name: &'static str,
    pub(crate) name_en: &'static str,
    pub(crate) postal_code: &'static str,
}

pub(crate) static TOWNS: LazyLock<Vec<Town>> = LazyLock::new(|| {
    rows(include_str!("../data/towns.tsv"))
        .map(|row| Town { name: row.text(0), name_en: row.text(2), postal_code: row.text(3) })
        .collect()
});

#[derive(Debug)]
pub(crate) struct Occupation {
    pub(crate) code: &'static str,
    pub(crate) ja: &'static str,
    pub(crate) login: &'static str,
}

pub(crate) static OCCUPATIONS: LazyLock<Vec<Occupation>> = LazyLock::new(|| {
    rows(include_str!("../data/occupations.tsv"))
        .map(|row| Occupation { code: row.text(0), ja: row.text(1), login: row.text(3) })
        .collect()
});

pub(crate) fn occupation_ja(code: &str) -> &'static str {
    OCCUPATIONS.iter().find(|o| o.code == code).map_or("", |o| o.ja)
}

pub(crate) fn institution_kind(code: &str) -> Option<InstitutionKind> {
    InstitutionKind::ALL.into_iter().find(|kind| kind.as_str() == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_names_in_latin_letters() {
        for (kana, expected) in [
            ("サトウ", "Sato"),
            ("ハットリ", "Hattori"),
            ("キョウコ", "Kyoko"),
            ("オオノ", "Ono"),
            ("ユウ", "Yu"),
            ("ジュンイチ", "Junichi"),
        ] {
            assert_eq!(romaji(kana), expected);
        }
    }

    #[test]
    fn every_name_has_katakana_that_can_be_spelt() {
        let names = FAMILY.iter().copied().chain(GIVEN.iter().map(|g| g.name));
        for name in names {
            assert!(!name.written.is_empty() && !name.kana.is_empty(), "{name:?}");
            assert!(name.kana.chars().all(|c| ('ァ'..='ー').contains(&c)), "{name:?}");
            assert!(!romaji(name.kana).is_empty(), "{name:?}");
        }
    }

    #[test]
    fn somebody_born_in_any_year_gets_a_name() {
        let mut chance = Stream::new(3);
        for year in 1900..2026 {
            for sex in [Sex::Female, Sex::Male] {
                assert_ne!(given_name(&mut chance, sex, year), NO_NAME, "{year}");
            }
        }
    }
}
