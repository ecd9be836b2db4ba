//! What is written in notes: it agrees with what was measured, and it varies.

use std::collections::{BTreeMap, BTreeSet};

use mimamori_demo::{Options, Person, TeamMember};
use serde_json::Value;

use crate::{make, read, today};

struct Note {
    text: String,
    day: String,
    author: String,
}

fn notes(person: &Person) -> Vec<Note> {
    let all = person.resources.iter().filter(|r| r.kind.as_str() == "Communication");
    all.map(|r| {
        let json = read(&r.fhir);
        Note {
            text: json["payload"][0]["contentString"].as_str().unwrap().to_owned(),
            day: day(&json["sent"]),
            author: r.author.clone(),
        }
    })
    .collect()
}

fn day(time: &Value) -> String {
    time.as_str().unwrap()[..10].to_owned()
}

/// What was measured, by author and day, each as a note would write it.
fn measured(person: &Person) -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for resource in person.resources.iter().filter(|r| r.class.as_str() == "vital-signs") {
        let json = read(&resource.fhir);
        let value = |v: &Value| v["valueQuantity"]["value"].to_string();
        let text = match json["code"]["coding"][0]["code"].as_str().unwrap() {
            "85354-9" => format!("bp{}/{}", value(&json["component"][0]), value(&json["component"][1])),
            "8310-5" => format!("temp{}", value(&json)),
            "8867-4" => format!("pulse{}", value(&json)),
            "59408-5" => format!("spo2{}", value(&json)),
            "9279-1" => format!("rr{}", value(&json)),
            "29463-7" => format!("weight{}", value(&json)),
            "2339-0" => format!("glucose{}", value(&json)),
            other => panic!("{other}"),
        };
        all.entry((resource.author.clone(), day(&json["effectiveDateTime"]))).or_default().insert(text);
    }
    all
}

/// The numbers a note gives as measured: what follows one of the words, up to the first character
/// that is not part of a number.
fn stated(text: &str) -> Vec<(String, bool)> {
    let words = [
        ("血圧", "bp"),
        ("BP ", "bp"),
        ("体温", "temp"),
        ("T ", "temp"),
        ("検温", "temp"),
        ("熱は", "temp"),
        ("熱を測ると", "temp"),
        ("脈拍", "pulse"),
        ("P ", "pulse"),
        ("SpO2 ", "spo2"),
        ("呼吸数", "rr"),
        ("体重", "weight"),
        ("血糖", "glucose"),
        ("（前回", "before"),
    ];
    let mut found = Vec::new();
    for (word, key) in words {
        for (at, _) in text.match_indices(word) {
            let rest = &text[at + word.len()..];
            let number: String =
                rest.chars().take_while(|c| c.is_ascii_digit() || "./".contains(*c)).collect();
            let unit = rest[number.len()..].chars().next();
            // "BP" also ends in "P "; "体重が2kg増えたら" states nothing measured.
            let inside = word == "P " && text[..at].ends_with('B');
            if !number.is_empty() && !inside {
                found.push(match (key, number.contains('/'), unit) {
                    ("before", true, _) => (format!("bp{number}"), true),
                    ("before", false, Some('k')) => (format!("weight{number}"), true),
                    ("before", ..) => (format!("temp{number}"), true),
                    _ => (format!("{key}{number}"), false),
                });
            }
        }
    }
    found
}

#[test]
fn numbers_in_notes_are_the_ones_measured_that_day() {
    let (_, people) = make(&Options::demo(21, 40, today()));
    let (mut now, mut earlier) = (0, 0);
    for person in &people {
        let measured = measured(person);
        for note in notes(person) {
            for (number, before) in stated(&note.text) {
                if before {
                    let known =
                        measured.iter().any(|((_, on), values)| *on <= note.day && values.contains(&number));
                    assert!(known, "{number} before {}: {}", note.day, note.text);
                    earlier += 1;
                } else {
                    let of_day = measured.get(&(note.author.clone(), note.day.clone()));
                    assert!(
                        of_day.is_some_and(|v| v.contains(&number)),
                        "{number} on {}: {}",
                        note.day,
                        note.text
                    );
                    now += 1;
                }
            }
        }
    }
    assert!(now > 1500 && earlier > 20, "{now} {earlier}");
}

#[test]
fn a_reader_of_numbers_finds_each_kind() {
    let found = stated("T 36.5℃、BP 130/70（前回128/69）、P 70。体重43.0kg（前回42.8kg）。体重が2kg増えたら");
    let mut found: Vec<&str> = found.iter().map(|(n, _)| n.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["bp128/69", "bp130/70", "pulse70", "temp36.5", "weight42.8", "weight43.0"]);
}

#[test]
fn a_persons_notes_hardly_ever_repeat() {
    let (_, people) = make(&Options::demo(22, 40, today()));
    for person in &people {
        let texts: Vec<String> = notes(person).into_iter().map(|n| n.text).collect();
        let distinct: BTreeSet<&String> = texts.iter().collect();
        let repeated = texts.len() - distinct.len();
        assert!(repeated * 50 <= texts.len(), "{}: {repeated} of {}", person.key, texts.len());
    }
}

#[test]
fn notes_are_whole_sentences_of_every_occupation() {
    let (city, people) = make(&Options::demo(23, 60, today()));
    let mut occupations = BTreeSet::new();
    for person in &people {
        for note in notes(person) {
            assert!(!note.text.contains(['{', '}', '<', '>', '@', '\\']), "{}", note.text);
            assert!(note.text.ends_with(['。', '」', '】']), "{}", note.text);
            assert!(!note.text.contains("。。") && !note.text.contains("）。） "), "{}", note.text);
            assert!(note.text.chars().count() >= 10, "{}", note.text);
            let staff = city.staff.iter().find(|s| s.key == note.author).unwrap();
            occupations.insert(staff.occupation.to_string());
        }
    }
    for occupation in [
        "care-manager",
        "dental-hygienist",
        "doctor",
        "helper",
        "nurse",
        "pharmacist",
        "public-health-nurse",
        "therapist",
        "visiting-nurse",
    ] {
        assert!(occupations.contains(occupation), "{occupation}: {occupations:?}");
    }
}

/// An antibiotic stands among notes of several occupations about it; so does a fall.
#[test]
fn what_happens_is_followed_up_by_several_occupations() {
    let (_, people) = make(&Options::demo(24, 80, today()));
    let (mut fevers, mut falls) = (0, 0);
    for person in &people {
        let all = notes(person);
        let authors = |words: [&str; 3], about: Option<&Note>| {
            let near = |n: &&Note| about.is_none_or(|a| (a.day.as_str()..).contains(&n.day.as_str()));
            let told = all.iter().filter(near).filter(|n| words.iter().any(|w| n.text.contains(w)));
            told.map(|n| n.author.as_str()).collect::<BTreeSet<_>>().len()
        };
        let fever = all.iter().find(|n| n.text.contains("抗菌薬"));
        fevers += usize::from(fever.is_some() && authors(["発熱", "抗菌薬", "肺炎"], fever) >= 2);
        let fall = all.iter().find(|n| n.text.contains("転倒の"));
        falls += usize::from(fall.is_some() && authors(["転倒", "打撲", "手すり"], fall) >= 2);
    }
    assert!(fevers >= 8 && falls >= 8, "{fevers} {falls}");
}

/// Two years of one person's notes hardly say anything in the same words: hardly a note is written word for
/// word again, and of the sentences of at least six characters most were never said of them before.
#[test]
fn two_years_of_notes_seldom_say_the_same_of_one_person() {
    let (_, people) = make(&Options { days: 730, ..Options::demo(8, 30, today()) });
    let (mut whole, mut again, mut sentences, mut said_again, mut most) = (0, 0, 0, 0, 0);
    for person in &people {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut texts = BTreeSet::new();
        for note in notes(person) {
            whole += 1;
            for part in note.text.split(['。', '」', '\n']).filter(|part| part.chars().count() >= 6) {
                sentences += 1;
                let times = seen.entry(part.to_owned()).or_default();
                *times += 1;
                said_again += usize::from(*times > 1);
                most = most.max(*times);
            }
            again += usize::from(!texts.insert(note.text));
        }
    }
    assert!(whole > 5_000, "{whole}");
    let shares = [again * 1_000 / whole, said_again * 100 / sentences];
    println!(
        "{whole} notes, {again} again; {sentences} sentences, {said_again} again, one at most {most} times"
    );
    assert!(shares[0] < 10 && shares[1] < 28 && most <= 25, "{shares:?} {most}");
}

/// Whoever finds something says how urgent it is and names who is to come, and they answer.
#[test]
fn urgent_notes_name_who_is_to_come_and_are_answered() {
    let (_, people) = make(&Options { days: 400, ..Options::demo(9, 30, today()) });
    let (mut priorities, mut addressed, mut answers) = (BTreeMap::<String, usize>::new(), 0, 0);
    for person in &people {
        let numbered: BTreeMap<u32, _> = person.resources.iter().filter_map(|r| Some((r.note?, r))).collect();
        for (number, note) in &numbered {
            let json = read(&note.fhir);
            if let Some(priority) = json["priority"].as_str() {
                *priorities.entry(priority.to_owned()).or_default() += 1;
            }
            for to in json["recipient"].as_array().into_iter().flatten() {
                let reference = to["reference"].as_str().unwrap();
                let named = |key: &str| reference == mimamori_demo::staff_reference(key);
                assert!(!named(&note.author), "nobody writes to themself: {}", note.fhir);
                let member =
                    person.team.iter().any(|member| matches!(member, TeamMember::Staff(key) if named(key)));
                assert!(member && !to["display"].as_str().unwrap().is_empty(), "{}", note.fhir);
                addressed += 1;
            }
            assert_eq!(note.answers.is_some(), note.fhir.contains(mimamori_demo::ANSWERED), "{}", note.fhir);
            if let Some(answered) = note.answers {
                let asked = numbered[&answered];
                assert!(answered < *number && asked.at <= note.at && asked.author != note.author);
                answers += 1;
            }
        }
    }
    assert!(priorities["urgent"] > 30 && priorities["stat"] > 5, "{priorities:?}");
    assert!(addressed > 100 && answers > 60, "{addressed} {answers}");
}
