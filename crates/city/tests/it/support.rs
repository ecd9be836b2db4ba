//! A city in a database of its own.

use std::sync::Arc;
use std::time::Duration;

use indicatif::ProgressBar;
use mimamori_app::{App, Parts};
use mimamori_city::{Fill, Filled, Progress, lived_in, sign_ins};
use mimamori_demo::{Options, Typical};
use mimamori_domain::{Clock, InstanceId, ManualClock, Timestamp};
use mimamori_policy::Pack;
use mimamori_store::{EngineOptions, Store};
use mimamori_store_sqlite::SqliteOptions;
use mimamori_vault::{Ring, RootKeyFile, Vault};
use serde_json::Value;
use tempfile::TempDir;

/// When each of these cities ends: 2026-06-18 15:30 in Japan; it begins in the morning of a day.
const UNTIL: &str = "2026-06-18T06:30:00Z";
const MORNING: Duration = Duration::from_secs(7 * 3_600);

/// Nobody waits for it.
#[derive(Debug)]
struct Unseen;

impl Progress for Unseen {
    fn bar(&self, _length: u64, _what: &'static str) -> ProgressBar {
        ProgressBar::hidden()
    }
}

/// A small city of one person, with everybody who works for it.
pub struct City {
    pub app: Arc<App>,
    pub sign_ins: Vec<Typical>,
    filled: Filled,
    store: Arc<dyn Store>,
    _folder: TempDir,
}

impl City {
    /// So many days under a built-in pack.
    pub async fn made(pack: &str, days: u32) -> Self {
        let pack = lived_in(&Pack::embedded(pack).unwrap()).unwrap();
        let until: Timestamp = UNTIL.parse::<jiff::Timestamp>().unwrap().into();
        let options = Options { days, others_days: days, close: 1, ..Options::demo(1, 1, until) };
        let day = Duration::from_secs(86_400);
        let clock = Arc::new(ManualClock::at(until.minus(day * days + MORNING)));
        let folder = TempDir::new().unwrap();
        let root = RootKeyFile::create(&folder.path().join("root.key")).unwrap();
        let ring = Ring::create(&folder.path().join("ring"), &root, clock.now()).unwrap();
        let instance = InstanceId::random();
        let mut engine = EngineOptions::new(Arc::clone(&clock) as Arc<dyn Clock>, instance);
        engine.on_fatal = Arc::new(|told| panic!("a fatal error: {told}"));
        let file = folder.path().join("city.db");
        let store: Arc<dyn Store> = Arc::new(
            mimamori_store_sqlite::open(file.to_str().unwrap(), SqliteOptions::new(engine)).await.unwrap(),
        );
        let parts = Parts {
            pack: Arc::new(pack),
            store: Arc::clone(&store),
            vault: Arc::new(Vault::new(ring)),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            instance,
            state_dir: folder.path().to_owned(),
        };
        App::install(&parts, "city.test").await.unwrap();
        let app = App::open(parts).await.unwrap();
        let fill = Fill {
            app: Arc::clone(&app),
            operator: app.operator("test"),
            progress: Arc::new(Unseen),
            options,
            rules_days: days,
            clock,
        };
        let filled = fill.run().await.unwrap();
        app.checkpoint().await.unwrap();
        let sign_ins = sign_ins(&options, app.pack(), &filled);
        Self { app, sign_ins, filled, store, _folder: folder }
    }

    /// Counts of what it holds.
    pub fn filled(&self) -> Value {
        serde_json::to_value(&self.filled.tally).unwrap()
    }

    pub async fn close(self) {
        self.store.close().await;
    }
}
