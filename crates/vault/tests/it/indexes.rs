use std::collections::{BTreeMap, BTreeSet};

use mimamori_vault::{
    BirthDate, IndexField, IndexKey, KeyUse, PREFIX_LENGTH, PersonName, Script, SubjectIndex, Token,
};
use proptest::prelude::*;

use crate::support::{OWNER, Site};

fn index_key(generation: u32) -> IndexKey {
    IndexKey::new(&Site::new().plain(KeyUse::Index { generation }).0).unwrap()
}

/// Whether a search by `query` finds somebody whose names have these tokens.
fn finds(tokens: &BTreeSet<(IndexField, Token)>, query: &[(IndexField, Token)]) -> bool {
    !query.is_empty() && query.iter().all(|token| tokens.contains(token))
}

#[test]
fn a_person_is_found_by_what_people_type() {
    let key = index_key(1);
    let written = PersonName::new(Script::Written, "髙﨑", "花子");
    let kana = PersonName::new(Script::Kana, "タカサキ", "ハナコ");
    let tokens: BTreeSet<_> = written.tokens(&key).into_iter().chain(kana.tokens(&key)).collect();
    for typed in [
        "高",
        "高崎",
        "髙崎",
        "高崎花",
        "高崎 花子",
        "花子",
        "高崎　花",
        "たか",
        "ﾀｶｻｷ",
        "タカサキハ",
        "はなこ",
    ] {
        let query = PersonName::from_text(Script::of(typed), typed);
        assert!(finds(&tokens, &query.query(&key)), "{typed}");
        assert!(query.found_in(&written) || query.found_in(&kana), "{typed}");
    }
    for typed in ["崎", "高橋", "花子 高橋", "さき", "", "　", "・"] {
        let query = PersonName::from_text(Script::of(typed), typed);
        assert!(!finds(&tokens, &query.query(&key)), "{typed}");
        assert!(!query.found_in(&written) && !query.found_in(&kana), "{typed}");
    }
}

#[test]
fn long_names_are_found_by_their_beginning_and_told_apart_after_decryption() {
    let key = index_key(1);
    let name = PersonName::from_text(Script::Kana, "ジュゲムジュゲムゴコウノスリキレ");
    let tokens: BTreeSet<_> = name.tokens(&key).into_iter().collect();
    let query = PersonName::from_text(Script::Kana, "ジュゲムジュゲムカイジャリ");
    assert!(finds(&tokens, &query.query(&key)));
    assert!(!query.found_in(&name));
}

#[test]
fn a_name_has_no_more_tokens_than_its_beginnings() {
    let key = index_key(1);
    let count = |field, name: &PersonName| name.tokens(&key).iter().filter(|(f, _)| *f == field).count();
    let name = PersonName::new(Script::Written, "山田", "花子");
    // 山 山田 山田花 山田花子 花 花子; 山田 花子 山田花子
    assert_eq!((count(IndexField::NamePrefix, &name), count(IndexField::Name, &name)), (6, 3));
    let long = PersonName::new(Script::Kana, &"あ".repeat(40), "");
    assert_eq!((count(IndexField::KanaPrefix, &long), count(IndexField::Kana, &long)), (PREFIX_LENGTH, 1));
    assert!(PersonName::new(Script::Written, "", " ").tokens(&key).is_empty());
}

#[test]
fn fields_generations_and_subjects_never_share_a_token() {
    let site = Site::new();
    let (first, second) = (index_key(1), index_key(2));
    assert_eq!((first.generation(), second.generation()), (1, 2));
    let mut seen = BTreeMap::new();
    for key in [&first, &second] {
        for field in IndexField::all() {
            assert!(seen.insert(key.token(field, "1950"), field).is_none());
            assert_eq!(field.as_str().parse::<IndexField>().unwrap(), field);
        }
    }
    let (anna, ben) = (site.subject(OWNER).0, site.subject([8; 16]).0);
    for key in [&anna, &ben] {
        let index = SubjectIndex::new(key).unwrap();
        for (system, code) in [("a", "bc"), ("ab", "c"), ("ab", "C"), ("", "abc")] {
            assert!(seen.insert(index.code_token(system, code), IndexField::Identifier).is_none());
        }
    }
    assert!(SubjectIndex::new(&site.content_key()).is_err());
    assert!(IndexKey::new(&anna).is_err());
    assert!("full-name".parse::<IndexField>().is_err());
}

#[test]
fn identifiers_are_found_however_their_digits_are_typed() {
    let key = index_key(1);
    let system = "urn:oid:1.2.392.100495.20.3.51";
    let token = key.identifier(system, "1234-567");
    assert_eq!(key.identifier(system, " １２３４－５６７"), token);
    assert_eq!(key.token(IndexField::Identifier, &format!("{system}|1234-567")), token);
    assert_ne!(key.identifier(system, "1234567"), token);
    assert_ne!(key.identifier("urn:oid:1.2", "1234-567"), token);
}

#[test]
fn birth_dates_are_found_at_any_precision() {
    let key = index_key(1);
    let day = BirthDate::new("1950-03-05").unwrap();
    let tokens: BTreeSet<_> = day.tokens(&key).into_iter().collect();
    assert_eq!(tokens.len(), 3);
    for asked in ["1950", "1950-03", "1950-03-05"] {
        assert!(tokens.contains(&BirthDate::new(asked).unwrap().query(&key).unwrap()), "{asked}");
    }
    for asked in ["1951", "1950-04", "1950-03-06"] {
        assert!(!tokens.contains(&BirthDate::new(asked).unwrap().query(&key).unwrap()), "{asked}");
    }
    assert_eq!(BirthDate::new("1950-03").unwrap().tokens(&key).len(), 2);
    for bad in [
        "",
        "50",
        "1950-",
        "1950-3",
        "1950-13",
        "1950-00",
        "1950-03-32",
        "1950-03-05T",
        "1950-03-05-1",
        "+950",
    ] {
        assert!(BirthDate::new(bad).is_none(), "{bad}");
    }
}

proptest! {
    #[test]
    fn every_beginning_of_a_name_finds_it(family in "[ァ-ヴ]{1,12}", given in "[ァ-ヴ]{0,12}", length in 1_usize..24) {
        let key = index_key(1);
        let name = PersonName::new(Script::Kana, &family, &given);
        let tokens: BTreeSet<_> = name.tokens(&key).into_iter().collect();
        let typed: String = format!("{family}{given}").chars().take(length).collect();
        let query = PersonName::from_text(Script::Kana, &typed);
        prop_assert!(finds(&tokens, &query.query(&key)));
    }
}
