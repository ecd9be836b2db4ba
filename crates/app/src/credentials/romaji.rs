//! A name's kana in Latin letters, in the ways people write it: Hepburn and Kunrei-shiki, with long
//! vowels written out, dropped, or with an h.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use mimamori_vault::normalise_name;

static TABLE: LazyLock<HashMap<&'static str, [&'static str; 2]>> = LazyLock::new(|| {
    let lines = include_str!("../../data/romaji.tsv").lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let mut fields = line.split('\t');
            Some((fields.next()?, [fields.next()?, fields.next()?]))
        })
        .collect()
});

/// How long vowels are written beside how they are spelled.
const LONG: [(&str, &[&str]); 3] = [("ou", &["o", "oh", "oo"]), ("oo", &["o", "oh"]), ("uu", &["u"])];

/// Every usual spelling of a word in kana; nothing for other text.
pub(super) fn spellings(kana: &str) -> BTreeSet<String> {
    let kana = normalise_name(kana);
    let mut found = BTreeSet::new();
    for system in 0..2 {
        let Some(spelled) = spell(&kana, system) else { continue };
        for (long, others) in LONG {
            found.extend(others.iter().map(|other| spelled.replace(long, other)));
        }
        // All long vowels dropped at once: Yuuko Ootsuka as yuko otsuka.
        found.insert(LONG.iter().fold(spelled.clone(), |text, (long, others)| {
            others.first().map_or_else(|| text.clone(), |short| text.replace(long, short))
        }));
        found.insert(spelled);
    }
    // Before b, m and p an n may be an m: Hombu.
    let with_m: Vec<String> =
        found.iter().map(|text| text.replace("nb", "mb").replace("nm", "mm").replace("np", "mp")).collect();
    found.extend(with_m);
    found.retain(|text| !text.is_empty());
    found
}

/// One spelling in one system; none when something is not kana.
fn spell(kana: &str, system: usize) -> Option<String> {
    let mut text = String::new();
    let (mut rest, mut doubled) = (kana, false);
    while let Some(first) = rest.chars().next() {
        let one = first.len_utf8();
        if first == 'っ' {
            doubled = true;
            rest = rest.get(one..)?;
            continue;
        }
        let two = one + rest.get(one..)?.chars().next().map_or(0, char::len_utf8);
        let (latin, taken) = match rest.get(..two).and_then(|pair| TABLE.get(pair)) {
            Some(latin) if two > one => (latin, two),
            _ => (TABLE.get(rest.get(..one)?)?, one),
        };
        let latin = latin.get(system)?;
        if std::mem::take(&mut doubled)
            && let Some(consonant) = latin.chars().next()
        {
            // Hepburn doubles ch as tch: Hatchi.
            text.push(if latin.starts_with("ch") { 't' } else { consonant });
        }
        text.push_str(latin);
        rest = rest.get(taken..)?;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_people_spell_them() {
        for (kana, expected) in [
            ("サトウ", &["satou", "sato", "satoh", "satoo"][..]),
            ("しょうじ", &["shouji", "shoji", "syouzi", "syozi"]),
            ("おおつか", &["ootsuka", "otsuka", "ohtsuka", "ootuka", "otuka"]),
            ("ゆうこ", &["yuuko", "yuko"]),
            ("ﾊｯﾄﾘ", &["hattori"]),
            ("はっちょう", &["hatchou", "hatcho", "hattyou"]),
            ("ほんま", &["honma", "homma"]),
            ("つちや", &["tsuchiya", "tutiya"]),
            ("ふじい", &["fujii", "huzii"]),
        ] {
            let found = spellings(kana);
            for word in expected {
                assert!(found.contains(*word), "{kana} {word} {found:?}");
            }
        }
        assert!(spellings("山田").is_empty() && spellings("").is_empty());
    }
}
