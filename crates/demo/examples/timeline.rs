//! Prints one made-up person's notebook, or measures how fast people are made.
//!
//! `cargo run -p mimamori-demo --example timeline -- 3` shows the third person; `... -- repeats 12 730`
//! counts how often a sentence occurs again in one person's notes, of twelve people over 730 days;
//! `... --release -- bench 10000` makes ten thousand and counts.

use std::time::Instant;

use mimamori_demo::{Options, city, people};
use mimamori_domain::Timestamp;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let today =
        "2026-11-21T09:00:00Z".parse::<jiff::Timestamp>().map_or_else(|_| Timestamp::default(), Into::into);
    let number = |at: usize| words.get(at).and_then(|w| w.parse::<u32>().ok());
    match words.first().map(String::as_str) {
        Some(word @ ("bench" | "demo")) => {
            let count = number(1).unwrap_or(10_000);
            let options = if word == "bench" {
                Options::bench(1, count, today)
            } else {
                Options::demo(1, count, today)
            };
            measure(&options);
        }
        Some("repeats") => {
            let days = number(2).unwrap_or(730);
            let close = number(3).unwrap_or(u32::MAX);
            let options =
                Options { days, close, others_days: 60, ..Options::demo(1, number(1).unwrap_or(12), today) };
            repeats(&options);
            measure(&options);
        }
        Some("paper") => paper(&Options::demo(1, 100, today), number(1).unwrap_or(1)),
        _ => show(&Options::demo(1, 100, today), number(0).unwrap_or(1)),
    }
}

fn measure(options: &Options) {
    let start = Instant::now();
    let made = city(options);
    let (mut resources, mut bytes, mut count) = (0, 0, 0);
    for person in people(options, &made) {
        count += 1;
        resources += person.resources.len();
        bytes += person.resources.iter().map(|r| r.fhir.len()).sum::<usize>();
    }
    println!(
        "{count} people, {} institutions, {} staff, {resources} resources, {bytes} bytes in {:?}",
        made.institutions.len(),
        made.staff.len(),
        start.elapsed()
    );
}

fn show(options: &Options, number: u32) {
    let made = city(options);
    let wanted = usize::try_from(number).unwrap_or(1).saturating_sub(1);
    if let Some(person) = people(options, &made).nth(wanted) {
        println!("{}", person.patient);
        for related in &person.related {
            println!("{}", related.related_person);
        }
        println!("{:?}\n{:?}", person.team, person.consents);
        for resource in &person.resources {
            println!("{} {} {} {}", resource.at, resource.class, resource.author, resource.fhir);
        }
    }
}

/// So many of the sentences most often said again are shown.
const WORST: usize = 40;

/// How often the same note, and the same sentence, occurs in one person's notebook.
fn repeats(options: &Options) {
    let made = city(options);
    let (mut notes, mut same_notes, mut sentences, mut same_sentences, mut most) = (0, 0, 0, 0, 0);
    let mut worst: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for person in people(options, &made) {
        let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
        let mut whole = std::collections::BTreeSet::new();
        for resource in person.resources.iter().filter(|r| r.kind.as_str() == "Communication") {
            let Some((_, text)) = resource.fhir.split_once("\"contentString\":\"") else { continue };
            let text = text.split('"').next().unwrap_or_default();
            notes += 1;
            same_notes += usize::from(!whole.insert(text.to_owned()));
            let parts = text.split(['。', '」']).map(|part| part.replace("\\n", ""));
            for sentence in parts.filter(|part| part.chars().count() >= 6) {
                sentences += 1;
                let times = seen.entry(sentence).or_default();
                *times += 1;
                same_sentences += usize::from(*times > 1);
                most = most.max(*times);
            }
        }
        for (sentence, times) in seen {
            *worst.entry(sentence).or_default() += times - 1;
        }
    }
    let mut worst: Vec<_> = worst.into_iter().collect();
    worst.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    for (sentence, times) in worst.iter().take(WORST) {
        println!("said again {times:5} times  {sentence}");
    }
    let percent = |part: usize, of: usize| part as f64 * 100.0 / of.max(1) as f64;
    println!(
        "{} people, {} days: {notes} notes, {same_notes} written before word for word ({:.1} %); \
         {sentences} sentences, {same_sentences} said before of the same person ({:.1} %), one at most {most} times",
        options.people,
        options.days,
        percent(same_notes, notes),
        percent(same_sentences, sentences)
    );
}

/// Writes the files of a person into the present folder, and says how long that took.
fn paper(options: &Options, number: u32) {
    let made = city(options);
    let wanted = usize::try_from(number).unwrap_or(1).saturating_sub(1);
    let Some(person) = people(options, &made).nth(wanted) else { return };
    for file in person.resources.iter().flat_map(|r| &r.files) {
        let start = Instant::now();
        let bytes = file.bytes();
        println!("{} {} bytes in {:?}", file.name, bytes.len(), start.elapsed());
        if let Err(error) = std::fs::write(&file.name, bytes) {
            eprintln!("{error}");
        }
    }
}
