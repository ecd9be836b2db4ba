//! Prints one made-up person's notebook, or measures how fast people are made.
//!
//! `cargo run -p mimamori-demo --example timeline -- 3` shows the third person;
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
