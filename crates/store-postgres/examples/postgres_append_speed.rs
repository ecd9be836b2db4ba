//! How fast the ledger grows on PostgreSQL, and how fast a day is counted in two million entries.
//!
//! `cargo run --release -p mimamori-store-postgres --example postgres_append_speed URL [ENTRIES]`
#![allow(clippy::unwrap_used, reason = "a measuring tool")]

use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{InstanceId, SystemClock};
use mimamori_store::contract::{begin, speed};
use mimamori_store::{EngineOptions, Store};
use mimamori_store_postgres::{PostgresOptions, open};

#[tokio::main]
async fn main() {
    let mut args = std::env::args().skip(1);
    let url = args.next().unwrap();
    let wanted: u64 = args.next().map_or(2_000_000, |text| text.parse().unwrap());
    let engine = EngineOptions::new(Arc::new(SystemClock::default()), InstanceId::random());
    let store: Arc<dyn Store> = Arc::new(open(&url, PostgresOptions::new(engine)).await.unwrap());
    begin(store.as_ref(), 0).await;
    for writers in [1, 8, 64, 256] {
        println!(
            "{writers:>4} writers, entries  {}",
            speed::append(&store, writers, 1, Duration::from_secs(5)).await
        );
    }
    println!("  64 writers, records  {}", speed::write_records(&store, 64, Duration::from_secs(5)).await);
    while store.head().await.unwrap().unwrap().size < wanted {
        let filled = speed::append(&store, 64, 50, Duration::from_secs(5)).await;
        println!("     filling           {filled}");
    }
    println!(
        "  64 writers, entries  {} (large ledger)",
        speed::append(&store, 64, 1, Duration::from_secs(5)).await
    );
    for _ in 0..3 {
        let (subjects, elapsed) = speed::count_day(&store, 67_000).await;
        println!("a day of 67,000 entries counted for {subjects} subjects in {elapsed:?}");
    }
    store.close().await;
}
