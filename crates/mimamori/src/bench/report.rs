//! What was measured: JSON with field names that stay, and a table for people.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::Arguments;
use super::world::World;
use crate::console::table;
use crate::exit::Result;

/// The promises that the design makes, by measurement, connections and field. A database that is
/// not named has none of its own.
const TARGETS: &[Target] = &[
    target("audited_read", Some(16), "", "ratio_to_plain_read", Bound::AtLeast(0.25)),
    target("audited_read", Some(64), "", "ratio_to_plain_read", Bound::AtLeast(0.4)),
    target("audited_read", Some(16), "", "p99_ms", Bound::AtMost(15.0)),
    target("read_in_flood", Some(16), "", "p99_ratio", Bound::AtMost(2.0)),
    target("create", Some(16), "", "ratio_to_plain_create", Bound::AtLeast(0.4)),
    target("ledger_append", Some(64), "sqlite", "per_second", Bound::AtLeast(12_000.0)),
    target("ledger_append", Some(64), "postgres", "per_second", Bound::AtLeast(20_000.0)),
    target("verify_bundles", None, "", "seconds_for_10m", Bound::AtMost(10.0)),
    target("verify_database", None, "", "seconds_for_10m", Bound::AtMost(30.0)),
    target("count_day", None, "", "median_ms", Bound::AtMost(100.0)),
    target("import", None, "sqlite", "per_second", Bound::AtLeast(4_000.0)),
    target("import", None, "postgres", "per_second", Bound::AtLeast(2_500.0)),
    target("memory_idle", None, "", "resident_mb", Bound::AtMost(80.0)),
    target("memory_mixed", None, "", "resident_mb", Bound::AtMost(250.0)),
    target("start", None, "", "median_ms", Bound::AtMost(500.0)),
    // The largest of the built-in packs.
    target("pack_kawaguchi_embedded", None, "", "median_cpu_ms", Bound::AtMost(50.0)),
    target("pack_kawaguchi_folder", None, "", "median_cpu_ms", Bound::AtMost(50.0)),
];

struct Target {
    name: &'static str,
    connections: Option<u16>,
    /// Empty for any.
    database: &'static str,
    field: &'static str,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const fn target(
    name: &'static str,
    connections: Option<u16>,
    database: &'static str,
    field: &'static str,
    bound: Bound,
) -> Target {
    Target { name, connections, database, field, bound }
}

impl Bound {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::AtLeast(least) => json!({"at_least": least}),
            Self::AtMost(most) => json!({"at_most": most}),
        }
    }
}

/// One measurement: its name, and numbers by name.
#[derive(Debug, Clone)]
pub struct Measured {
    pub name: String,
    /// Connections, or writers.
    pub connections: Option<u16>,
    pub fields: Vec<(&'static str, f64)>,
}

impl Measured {
    #[must_use]
    pub fn new(name: impl Into<String>, connections: Option<u16>) -> Self {
        Self { name: name.into(), connections, fields: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, field: &'static str, value: f64) -> Self {
        self.fields.push((field, value));
        self
    }

    fn field(&self, name: &str) -> Option<f64> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }
}

/// Everything that was measured.
#[derive(Debug)]
pub struct Report {
    database: &'static str,
    setting: Map<String, Value>,
    measured: Vec<Measured>,
    begun: Instant,
    console: crate::console::Console,
}

impl Report {
    /// An empty report, with the circumstances.
    ///
    /// # Errors
    /// When the folder's disk cannot be written.
    pub fn begin(world: &World, arguments: &Arguments) -> Result<Self> {
        let mut setting = Map::new();
        for (name, value) in [
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("database", json!(world.database_name())),
            ("people", json!(arguments.people)),
            ("ledger_entries", json!(arguments.entries)),
            ("seconds", json!(arguments.seconds)),
            ("seed", json!(arguments.seed)),
            ("cores", json!(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))),
            ("fsync_median_us", json!(world.fsync()?.as_micros().min(u128::from(u32::MAX)) as u32)),
            ("load_average", json!(load_average())),
        ] {
            setting.insert(name.to_owned(), value);
        }
        let console = world.console();
        Ok(Self {
            database: world.database_name(),
            setting,
            measured: Vec::new(),
            begun: Instant::now(),
            console,
        })
    }

    /// Keeps a measurement and shows it at once: the whole takes minutes.
    pub fn keep(&mut self, measured: Measured) {
        let line: Vec<String> = self.line(&measured).into_iter().filter(|cell| !cell.is_empty()).collect();
        self.console.note(line.join("  "));
        self.measured.push(measured);
    }

    fn targets<'a>(&'a self, measured: &'a Measured) -> impl Iterator<Item = (&'a Target, f64)> {
        TARGETS
            .iter()
            .filter(|target| {
                target.name == measured.name
                    && (target.connections.is_none() || target.connections == measured.connections)
                    && (target.database.is_empty() || target.database == self.database)
            })
            .filter_map(|target| Some((target, measured.field(target.field)?)))
    }

    /// The result for scripts.
    #[must_use]
    pub fn json(&self) -> Value {
        let results: Vec<Value> = self
            .measured
            .iter()
            .map(|measured| {
                let mut value = Map::new();
                value.insert("name".to_owned(), json!(measured.name));
                if let Some(connections) = measured.connections {
                    value.insert("connections".to_owned(), json!(connections));
                }
                for (field, number) in &measured.fields {
                    value.insert((*field).to_owned(), json!(rounded(*number)));
                }
                let targets: Vec<Value> = self
                    .targets(measured)
                    .map(|(target, found)| {
                        json!({
                            "field": target.field,
                            "bound": target.bound.value(),
                            "met": target.bound.is_met(found),
                        })
                    })
                    .collect();
                if !targets.is_empty() {
                    value.insert("targets".to_owned(), Value::Array(targets));
                }
                Value::Object(value)
            })
            .collect();
        json!({
            "setting": self.setting,
            "results": results,
            "elapsed_seconds": rounded(self.begun.elapsed().as_secs_f64()),
        })
    }

    /// The result for people.
    #[must_use]
    pub fn text(&self) -> String {
        let setting: Vec<String> =
            self.setting.iter().map(|(name, value)| format!("{name} {value}")).collect();
        let head: Vec<&str> = ["what", "at"]
            .into_iter()
            .chain(COLUMNS.iter().map(|(_, head)| *head))
            .chain(["more", "targets"])
            .collect();
        let rows: Vec<Vec<String>> = self.measured.iter().map(|measured| self.line(measured)).collect();
        format!("{}\n\n{}", setting.join(", "), table(&head, &rows))
    }

    fn line(&self, measured: &Measured) -> Vec<String> {
        let mut line =
            vec![measured.name.clone(), measured.connections.map_or_else(String::new, |at| at.to_string())];
        for (field, _) in COLUMNS {
            line.push(measured.field(field).map_or_else(String::new, |number| rounded(number).to_string()));
        }
        let more: Vec<String> = measured
            .fields
            .iter()
            .filter(|(field, _)| COLUMNS.iter().all(|(column, _)| column != field))
            .map(|(field, number)| format!("{field} {}", rounded(*number)))
            .collect();
        line.push(more.join(", "));
        let targets: Vec<String> = self
            .targets(measured)
            .map(|(target, found)| {
                let word = if target.bound.is_met(found) { "met" } else { "MISSED" };
                let (sign, wanted) = match target.bound {
                    Bound::AtLeast(least) => (">=", least),
                    Bound::AtMost(most) => ("<=", most),
                };
                format!("{word}: {} {sign} {wanted}", target.field)
            })
            .collect();
        line.push(targets.join("; "));
        line
    }
}

/// Fields that have a column of their own in the table.
const COLUMNS: &[(&str, &str)] = &[
    ("per_second", "per second"),
    ("median_ms", "median ms"),
    ("p99_ms", "p99 ms"),
    ("processor_us_each", "CPU us"),
    ("database_bytes_each", "bytes"),
];

/// Three digits that mean something.
fn rounded(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return 0.0;
    }
    let digits = 2 - number.abs().log10().floor() as i32;
    if digits <= 0 { number.round() } else { (number * 10_f64.powi(digits)).round() / 10_f64.powi(digits) }
}

/// How busy the machine was in the last minute (getloadavg(3)).
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits() {
        for (number, shown) in
            [(12_345.6, 12_346.0), (1.2345, 1.23), (0.012_345, 0.0123), (0.0, 0.0), (99.94, 99.9)]
        {
            assert!((rounded(number) - shown).abs() < 1e-9, "{number}");
        }
    }

    #[test]
    fn bounds_hold_on_their_edge() {
        assert!(Bound::AtLeast(1.0).is_met(1.0) && !Bound::AtLeast(1.0).is_met(0.9));
        assert!(Bound::AtMost(1.0).is_met(1.0) && !Bound::AtMost(1.0).is_met(1.1));
    }
}
