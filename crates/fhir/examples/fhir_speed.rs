//! How long one resource takes: read, validated, extracted. `cargo run --release -p mimamori-fhir --example fhir_speed`
//!
//! Prints a line per resource: its size, and microseconds for each step, the median of many
//! short rounds.

use std::hint::black_box;
use std::time::Instant;

use mimamori_domain::Timestamp;
use mimamori_fhir::{
    BundleReader, Limits, Meta, information_class, parse, patient_of, references, search_values, validate,
};

/// A round is shorter than a time slice, so that other programs disturb few of them.
const REPEATS: u32 = 20;
const ROUNDS: usize = 401;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let observation = observation();
    let resource = parse(observation.as_bytes(), &Limits::default()).map_err(first)?;
    if let Some(issue) = validate(&resource).into_iter().next() {
        return Err(issue.into());
    }
    println!("tables read at first use: {} us", begun.elapsed().as_micros());
    let meta = Meta {
        id: "x".to_owned(),
        version_id: "1".to_owned(),
        last_updated: Timestamp::from_micros(0),
        security: Vec::new(),
        tags: Vec::new(),
    };
    println!("Observation of {} bytes, microseconds:", observation.len());
    let read = || parse(observation.as_bytes(), &Limits::default());
    step("parse", || read().is_ok());
    step("validate", || validate(&resource).len());
    step("search_values", || search_values(&resource).codes.len());
    step("patient_of", || patient_of(&resource).is_some());
    step("information_class", || information_class(&resource));
    step("references", || references(&resource).len());
    step("with_meta", || resource.with_meta(&meta).len());
    step("parse + validate + extract", || {
        read().map(|r| {
            (
                validate(&r).len(),
                search_values(&r).codes.len(),
                patient_of(&r).is_some(),
                information_class(&r),
            )
        })
    });
    let bundle = bundle(&observation, 1000);
    println!("batch of 1,000 of them, {} bytes:", bundle.len());
    for _ in 0..3 {
        let begun = Instant::now();
        let reader = BundleReader::open(bundle.as_bytes(), &Limits::bundle()).map_err(first)?;
        let opened = begun.elapsed();
        let resources = reader.entries().filter_map(|entry| parse(entry.resource?, &Limits::default()).ok());
        let valid = resources.filter(|resource| validate(resource).is_empty()).count();
        println!(
            "  opened in {} us, {valid} valid in {} us",
            opened.as_micros(),
            begun.elapsed().as_micros()
        );
    }
    Ok(())
}

fn first(issues: Vec<mimamori_fhir::Issue>) -> String {
    issues.iter().map(ToString::to_string).collect()
}

fn step<T>(name: &str, mut run: impl FnMut() -> T) {
    let mut rounds: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..REPEATS {
                black_box(run());
            }
            begun.elapsed().as_secs_f64() * 1e6 / f64::from(REPEATS)
        })
        .collect();
    rounds.sort_by(f64::total_cmp);
    println!("  {name:28} {:8.2}", rounds.get(ROUNDS / 2).copied().unwrap_or_default());
}

fn bundle(observation: &str, entries: usize) -> String {
    let entry = format!(r#"{{"resource":{observation},"request":{{"method":"POST","url":"Observation"}}}}"#);
    let entries = vec![entry; entries].join(",");
    format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{entries}]}}"#)
}

/// A blood pressure of about 1 kB.
fn observation() -> String {
    let component = |code: &str, value: &str| {
        format!(
            r#"{{"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},
        "valueQuantity":{{"value":{value},"unit":"mmHg","system":"http://unitsofmeasure.org","code":"mm[Hg]"}}}}"#
        )
    };
    format!(
        r#"{{"resourceType":"Observation","status":"final",
    "text":{{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>血圧 128/72</p></div>"}},
    "category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],
    "code":{{"coding":[{{"system":"http://loinc.org","code":"85354-9"}}],"text":"血圧"}},
    "subject":{{"reference":"Patient/p1"}},"performer":[{{"reference":"Practitioner/n1"}}],
    "effectiveDateTime":"2026-11-21T08:30:00+09:00","note":[{{"text":"朝食前"}}],
    "component":[{},{}]}}"#,
        component("8480-6", "128.0"),
        component("8462-4", "72")
    )
}
