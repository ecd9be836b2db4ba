//! Policy packs: each that comes with the program is read and put into force, from the files inside the
//! program and from a folder.

use std::path::Path;
use std::time::Duration;

use mimamori_policy::{Authorizer, Pack, PackProblem};

use super::report::{Measured, Report};
use super::world::World;
use super::{broken, process};
use crate::exit::Result;

/// How often each is loaded; the middle one is told.
const TIMES: usize = 15;

/// Measures by processor time: other work on the machine does not count.
///
/// # Errors
/// When a pack does not load, or the folder cannot be written.
pub fn measure(world: &World, report: &mut Report) -> Result<()> {
    for id in Pack::embedded_ids() {
        report.keep(loads(format!("pack_{id}_embedded"), || Pack::embedded(id))?);
        let folder = world.folder().join("packs").join(id);
        write(&Pack::embedded(id).map_err(told)?, &folder)?;
        report.keep(loads(format!("pack_{id}_folder"), || Pack::load(&folder))?);
    }
    Ok(())
}

fn loads(name: String, load: impl Fn() -> std::result::Result<Pack, Vec<PackProblem>>) -> Result<Measured> {
    let (mut all, mut authorizers) = (Vec::with_capacity(TIMES), Vec::with_capacity(TIMES));
    for _ in 0..TIMES {
        let begun = process::on_core();
        let pack = load().map_err(told)?;
        let loaded = process::on_core();
        let authorizer = Authorizer::new(&pack);
        let done = process::on_core();
        drop(authorizer);
        all.push(done.saturating_sub(begun));
        authorizers.push(done.saturating_sub(loaded));
    }
    let measured = Measured::new(name, None)
        .with("median_cpu_ms", median_ms(&mut all))
        .with("authorizer_cpu_ms", median_ms(&mut authorizers));
    Ok(measured.with("slowest_cpu_ms", all.last().map_or(0.0, milliseconds)))
}

/// The middle of several times, which are sorted by it.
fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, milliseconds)
}

fn milliseconds(time: &Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// A pack as a folder, with the packs it extends inside it.
fn write(pack: &Pack, folder: &Path) -> Result<()> {
    for (path, bytes) in pack.files() {
        let file = folder.join(path);
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(broken)?;
        }
        std::fs::write(file, bytes).map_err(broken)?;
    }
    Ok(())
}

fn told(problems: Vec<PackProblem>) -> crate::exit::Failure {
    broken(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
