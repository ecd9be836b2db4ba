//! The files of the city: there are some of each kind, they are whole, and everything they say can be set.

use std::collections::{BTreeMap, BTreeSet};

use mimamori_demo::{Options, can_be_set};

use crate::{make, read, today};

#[test]
fn papers_and_pictures_of_every_kind_are_whole_and_named_by_their_records() {
    let (_, people) = make(&Options { days: 200, ..Options::demo(6, 90, today()) });
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for resource in people.iter().flat_map(|person| &person.resources) {
        let json = read(&resource.fhir);
        let named = resource.fhir.matches("Binary/{file-").count();
        assert_eq!(named, resource.files.len(), "{}", resource.fhir);
        let document = resource.kind.as_str() == "DocumentReference";
        assert!(!document || resource.files.len() == 1);
        for file in &resource.files {
            let kind = match document {
                true => json["type"].to_string(),
                false => file.name.split('_').next().unwrap().to_owned(),
            };
            let count = kinds.entry(kind).or_default();
            *count += 1;
            // Drawing all of them takes long; some of each.
            if *count <= 2 {
                let bytes = file.bytes();
                let start: &[u8] = match file.media_type() {
                    "application/pdf" => b"%PDF-",
                    "image/png" => b"\x89PNG",
                    other => panic!("{other}"),
                };
                assert!(bytes.starts_with(start), "{}", file.name);
                assert!((1_500..200_000).contains(&bytes.len()), "{} {}", file.name, bytes.len());
            }
        }
    }
    assert_eq!(kinds.len(), 12, "{kinds:?}");
}

#[test]
fn every_character_that_a_paper_may_say_can_be_set() {
    let (city, people) = make(&Options::demo(7, 60, today()));
    let mut missing = BTreeSet::new();
    let mut look = |text: &str| missing.extend(text.chars().filter(|c| !c.is_control() && !can_be_set(*c)));
    for resource in people.iter().flat_map(|person| &person.resources) {
        look(&resource.fhir);
        resource.files.iter().for_each(|file| look(&format!("{file:?}")));
    }
    for staff in &city.staff {
        look(&format!("{}{}", staff.family, staff.given));
    }
    for data in [
        include_str!("../../data/family_names.tsv"),
        include_str!("../../data/given_names.tsv"),
        include_str!("../../data/conditions.tsv"),
        include_str!("../../data/medicines.tsv"),
        include_str!("../../data/notes/papers.txt"),
        include_str!("../../data/notes/episodes.txt"),
    ] {
        look(data);
    }
    assert!(missing.is_empty(), "run tools/demo-font/regenerate.sh: {missing:?}");
}
