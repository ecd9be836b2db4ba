//! Measures an import: made-up Bundles into a new installation in a folder.
//!
//! `cargo run --release -p mimamori-app --example import_speed FOLDER [BUNDLES] [RECORDS] [AT ONCE]`

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement ends at its first surprise")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use mimamori_app::{App, Parts};
use mimamori_domain::{Clock, InstanceId, SystemClock};
use mimamori_policy::Pack;
use mimamori_store::EngineOptions;
use mimamori_store_sqlite::SqliteOptions;
use mimamori_vault::{Ring, RootKeyFile, Vault};
use serde_json::json;
use tokio::task::JoinSet;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |at: usize, usual: usize| arguments.get(at).map_or(usual, |text| text.parse().unwrap());
    let folder = PathBuf::from(arguments.get(1).map_or("import-speed", String::as_str));
    let (bundles, records, at_once) = (number(2, 100), number(3, 200), number(4, 8));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(run(folder, bundles, records, at_once));
}

async fn run(folder: PathBuf, bundles: usize, records: usize, at_once: usize) {
    std::fs::create_dir(&folder).unwrap();
    let clock = Arc::new(SystemClock::default());
    let root = RootKeyFile::create(&folder.join("root.key")).unwrap();
    let ring = Ring::create(&folder.join("ring"), &root, clock.now()).unwrap();
    let instance = InstanceId::random();
    let options = SqliteOptions::new(EngineOptions::new(Arc::clone(&clock) as Arc<dyn Clock>, instance));
    let store = mimamori_store_sqlite::open(folder.join("data.db").to_str().unwrap(), options).await.unwrap();
    let parts = Parts {
        store: Arc::new(store),
        vault: Arc::new(Vault::new(ring)),
        pack: Arc::new(Pack::embedded_base().unwrap()),
        clock,
        instance,
        state_dir: folder,
    };
    App::install(&parts, "speed.example").await.unwrap();
    let app = App::open(parts).await.unwrap();
    let organization = r#"{"resourceType":"Organization","active":true,"name":"速度病院"}"#;
    let hospital = app.add_institution(&app.operator("speed"), organization).await.unwrap();
    let mut made: Vec<Bytes> = (0..bundles).map(|person| bundle(person, records)).collect();
    let bytes: usize = made.iter().map(Bytes::len).sum();
    let begun = Instant::now();
    let (mut running, mut stored) = (JoinSet::new(), 0);
    while !made.is_empty() || !running.is_empty() {
        while running.len() < at_once
            && let Some(bundle) = made.pop()
        {
            let app = Arc::clone(&app);
            running.spawn(async move {
                app.import_bundle(&app.operator("speed"), hospital, bundle).await.unwrap()
            });
        }
        let report = running.join_next().await.unwrap().unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems.first());
        stored += report.stored;
    }
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{stored} resources of {bundles} Bundles ({:.1} MB) in {seconds:.2} s: {:.0} resources/s",
        bytes as f64 / 1e6,
        stored as f64 / seconds
    );
}

/// One person with observations, as another system sends them.
fn bundle(person: usize, records: usize) -> Bytes {
    let url = |number: usize| format!("urn:uuid:{person:08x}-0000-4000-8000-{number:012x}");
    let patient = json!({
        "resourceType": "Patient", "id": format!("p{person}"),
        "identifier": [{"system": "urn:oid:1.2.392.100495.20.3.51", "value": format!("{person}")}],
        "name": [{"use": "official", "family": "山田", "given": ["花"]}, {"family": "ヤマダ", "given": ["ハナ"]}],
        "gender": "female", "birthDate": "1950-04-01",
    });
    let mut entry = vec![
        json!({"fullUrl": url(0), "resource": patient, "request": {"method": "POST", "url": "Patient"}}),
    ];
    entry.extend((1..=records).map(|number| {
        let resource = json!({
            "resourceType": "Observation", "id": format!("o{person}-{number}"), "status": "final",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5", "display": "Body temperature"}]},
            "subject": {"reference": url(0)},
            "effectiveDateTime": format!("2026-{:02}-{:02}T10:00:00+09:00", number % 12 + 1, number % 28 + 1),
            "valueQuantity": {"value": 36.5, "unit": "Cel", "system": "http://unitsofmeasure.org", "code": "Cel"},
        });
        json!({"fullUrl": url(number), "resource": resource, "request": {"method": "POST", "url": "Observation"}})
    }));
    Bytes::from(json!({"resourceType": "Bundle", "type": "transaction", "entry": entry}).to_string())
}
