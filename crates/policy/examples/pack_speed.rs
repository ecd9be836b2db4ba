//! How long packs take to load: `cargo run --release -p mimamori-policy --example pack_speed`.
//!
//! "all" is everything, Cedar's compiling and validating among it; "without policies" is the same pack
//! refused for having none, so that all else is read and checked but Cedar has nothing to do.
#![allow(clippy::print_stdout, reason = "a measuring program prints")]

use std::time::{Duration, Instant};

use mimamori_policy::{Authorizer, Pack};

const REPEATS: u32 = 10;

fn main() {
    println!("{:<12} {:>8} {:>10} {:>18} {:>11}", "pack", "KiB", "all", "without policies", "authorizer");
    for id in Pack::embedded_ids() {
        let files = match Pack::embedded(id) {
            Ok(pack) => pack.files().clone(),
            Err(problems) => {
                println!("{id:<12} does not load: {} problems", problems.len());
                continue;
            }
        };
        let size: usize = files.values().map(Vec::len).sum();
        let all = time(|| drop(Pack::from_files(files.clone())));
        let mut bare = files.clone();
        bare.retain(|path, _| !path.ends_with("access.cedar"));
        let without = time(|| drop(Pack::from_files(bare.clone())));
        let Ok(pack) = Pack::from_files(files) else { continue };
        let ready = time(|| drop(Authorizer::new(&pack)));
        println!("{id:<12} {:>8} {all:>10.1?} {without:>18.1?} {ready:>11.1?}", size >> 10);
    }
}

/// The median of several.
fn time(work: impl Fn()) -> Duration {
    let mut times: Vec<Duration> = (0..REPEATS)
        .map(|_| {
            let started = Instant::now();
            work();
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
