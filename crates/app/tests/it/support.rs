//! A whole installation in a temporary folder, with a small made-up city, on either database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use mimamori_app::{App, Caller, CreateAs, NewStaff, Origin, Parts, Stored};
use mimamori_domain::{ActorId, Clock, InstanceId, InstitutionId, ManualClock, SubjectId, Timestamp};
use mimamori_policy::Pack;
use mimamori_store::{EngineOptions, ObjectVersion, Store};
use mimamori_store_postgres::PostgresOptions;
use mimamori_store_sqlite::SqliteOptions;
use mimamori_vault::{Ring, RootKeyFile, Vault};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tempfile::TempDir;

use crate::cluster;

pub const PASSWORD: &str = "Haru-no-umi-hinemosu-1803";

/// 2026-11-21 09:00 in Tokyo.
pub const START: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

/// The kind of database that a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Postgres,
}

/// One database, for opening it and for what its administrator could do to it.
#[derive(Debug, Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

/// What the program does to keep history as it is; an administrator can take it away.
const SQLITE_TRIGGERS: [&str; 4] = ["ledger_entry", "ledger_epoch", "object_version", "checkpoint"];

impl Database {
    /// A new empty one; `folder` holds the file, or nothing.
    pub async fn fresh(on: On, folder: &TempDir) -> Self {
        match on {
            On::Sqlite => Self::Sqlite(folder.path().join("mimamori.db")),
            On::Postgres => {
                let cluster = cluster::shared();
                Self::Postgres(cluster.url(&cluster.create().await))
            }
        }
    }

    pub async fn open(&self, clock: &Arc<ManualClock>) -> Arc<dyn Store> {
        self.open_patiently(clock, Duration::from_secs(5)).await
    }

    /// As [`Self::open`], waiting for so long for somebody else's lock and for a free connection.
    pub async fn open_patiently(&self, clock: &Arc<ManualClock>, patience: Duration) -> Arc<dyn Store> {
        let mut engine = EngineOptions::new(Arc::clone(clock) as Arc<dyn Clock>, InstanceId::random());
        engine.on_fatal = Arc::new(|told| panic!("a fatal error: {told}"));
        match self {
            Self::Sqlite(path) => {
                let mut options = SqliteOptions::new(engine);
                options.patience = patience;
                Arc::new(mimamori_store_sqlite::open(path.to_str().unwrap(), options).await.unwrap())
            }
            Self::Postgres(url) => {
                let mut options = PostgresOptions::new(engine);
                options.accept_unsafe_server = true;
                options.readers = 4;
                options.patience = patience;
                Arc::new(mimamori_store_postgres::open(url, options).await.unwrap())
            }
        }
    }

    /// Runs SQL behind the program's back.
    pub async fn run(&self, sql: &str) -> Result<(), String> {
        match self {
            Self::Sqlite(path) => {
                let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5));
                let mut connection = options.connect().await.map_err(|error| error.to_string())?;
                let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await;
                done.map(|_| ()).map_err(|error| error.to_string())
            }
            Self::Postgres(url) => run_sql(url, sql).await,
        }
    }

    /// Takes the triggers away that refuse to change history.
    pub async fn drop_triggers(&self) {
        for table in SQLITE_TRIGGERS {
            let sql = match self {
                Self::Sqlite(_) => {
                    format!("DROP TRIGGER {table}_no_update; DROP TRIGGER {table}_no_delete")
                }
                Self::Postgres(_) => format!("DROP TRIGGER {table}_keep ON {table}"),
            };
            self.run(&sql).await.unwrap();
        }
    }

    /// A literal of these bytes.
    pub fn blob(&self, bytes: &[u8]) -> String {
        let digits = hex::encode(bytes);
        match self {
            Self::Sqlite(_) => format!("x'{digits}'"),
            Self::Postgres(_) => format!("'\\x{digits}'::bytea"),
        }
    }

    /// A copy of a database that nobody has open.
    pub async fn copy(&self, folder: &TempDir) -> Self {
        match self {
            Self::Sqlite(path) => {
                let to = folder.path().join("mimamori.db");
                self.run(&format!("VACUUM INTO '{}'", to.display())).await.unwrap();
                assert_ne!(*path, to);
                Self::Sqlite(to)
            }
            Self::Postgres(url) => {
                let cluster = cluster::shared();
                let name = url.split_once("localhost/").and_then(|(_, rest)| rest.split_once('?')).unwrap().0;
                let to = format!("copy{}", COPIES.fetch_add(1, Ordering::Relaxed));
                let sql = format!("CREATE DATABASE {to} TEMPLATE {name}");
                run_sql(&cluster.url("postgres"), &sql).await.unwrap();
                Self::Postgres(cluster.url(&to))
            }
        }
    }
}

/// Copies made on the shared server so far.
static COPIES: AtomicU32 = AtomicU32::new(0);

pub async fn run_sql(url: &str, sql: &str) -> Result<(), String> {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = options.connect().await.map_err(|error| error.to_string())?;
    let done = connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await;
    done.map(|_| ()).map_err(|error| error.to_string())
}

pub struct Site {
    pub folder: TempDir,
    pub database: Database,
    pub clock: Arc<ManualClock>,
    pub store: Arc<dyn Store>,
    pub app: Arc<App>,
}

/// The base pack's files, but that nobody must have a second factor: people sign in by password only.
pub fn base_files() -> BTreeMap<String, Vec<u8>> {
    let mut files = Pack::embedded_base().unwrap().files().clone();
    let text = String::from_utf8(files["pack.yaml"].clone()).unwrap();
    let asked = "value: \"privileged operations-manager help-desk\"";
    assert!(text.contains(asked));
    files.insert("pack.yaml".to_owned(), text.replace(asked, "value: nobody").into_bytes());
    files
}

/// Checked once for all tests: that takes most of the time of opening.
fn base_pack() -> Arc<Pack> {
    static PACK: OnceLock<Arc<Pack>> = OnceLock::new();
    Arc::clone(PACK.get_or_init(|| Arc::new(Pack::from_files(base_files()).unwrap())))
}

pub fn parts(folder: &TempDir, store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Parts {
    let path = folder.path();
    let root = RootKeyFile::open(&path.join("root.key")).unwrap();
    let ring = Ring::open(&path.join("ring"), &root).unwrap();
    Parts {
        store,
        vault: Arc::new(Vault::new(ring)),
        pack: base_pack(),
        clock,
        instance: InstanceId::random(),
        state_dir: path.to_owned(),
    }
}

impl Site {
    pub async fn new() -> Self {
        Self::on(On::Sqlite).await
    }

    pub async fn on(on: On) -> Self {
        let folder = TempDir::new().unwrap();
        let database = Database::fresh(on, &folder).await;
        Self::at(folder, database).await
    }

    /// A new installation in an empty database. Its passwords cost nothing to hash: what they cost in
    /// use is tested where they are made and from outside, and here would be half of all work.
    pub async fn at(folder: TempDir, database: Database) -> Self {
        let root = RootKeyFile::create(&folder.path().join("root.key")).unwrap();
        Ring::create(&folder.path().join("ring"), &root, START).unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let store = database.open(&clock).await;
        App::install(&parts(&folder, Arc::clone(&store), Arc::clone(&clock)), "test.example").await.unwrap();
        let app = App::open(parts(&folder, Arc::clone(&store), Arc::clone(&clock))).await.unwrap();
        app.hash_lightly(true).unwrap();
        Self { folder, database, clock, store, app }
    }

    /// The installation in a copied or reopened database.
    pub async fn reopen(
        folder: TempDir,
        database: Database,
        now: Timestamp,
    ) -> Result<Self, (mimamori_domain::Error, TempDir)> {
        let clock = Arc::new(ManualClock::at(now));
        let store = database.open(&clock).await;
        match App::open(parts(&folder, Arc::clone(&store), Arc::clone(&clock))).await {
            Ok(app) => {
                app.hash_lightly(true).unwrap();
                Ok(Self { folder, database, clock, store, app })
            }
            Err(error) => {
                store.close().await;
                Err((error, folder))
            }
        }
    }

    /// Another program of the same installation, with nothing in memory yet.
    pub async fn second(&self, store: Arc<dyn Store>) -> Arc<App> {
        let app = App::open(parts(&self.folder, store, Arc::clone(&self.clock))).await.unwrap();
        app.hash_lightly(true).unwrap();
        app
    }

    pub fn operator(&self) -> Caller {
        self.app.operator("tester")
    }

    pub async fn institution(&self, name: &str) -> InstitutionId {
        let organization = format!(r#"{{"resourceType":"Organization","active":true,"name":"{name}"}}"#);
        self.app.add_institution(&self.operator(), &organization).await.unwrap()
    }

    pub async fn staff(
        &self,
        login: &str,
        occupation: Option<&str>,
        institution: InstitutionId,
        roles: &[&str],
    ) -> ActorId {
        let staff = NewStaff {
            login: login.to_owned(),
            name: format!("{login} さん"),
            kana: None,
            occupation: occupation.map(|code| code.parse().unwrap()),
            institution: Some(institution),
            roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
            password: PASSWORD.to_owned(),
        };
        self.app.add_staff(&self.operator(), &staff).await.unwrap()
    }

    pub async fn sign_in(&self, login: &str) -> Caller {
        let origin = Origin { address: Some([127, 0, 0, 1].into()), ..Origin::default() };
        let signed = self.app.sign_in(login, PASSWORD, &origin).await.unwrap();
        self.app.caller(&signed.token, &origin).await.unwrap()
    }

    pub async fn person(&self, by: &Caller, family: &str, given: &str) -> SubjectId {
        let patient = format!(
            r#"{{"resourceType":"Patient","name":[{{"use":"official","family":"{family}","given":["{given}"]}}],"gender":"female","birthDate":"1940-05-06"}}"#
        );
        let kept = self.app.create(by, patient.into(), CreateAs::Confirmed).await.unwrap();
        kept.subject.unwrap()
    }

    pub async fn observation(
        &self,
        by: &Caller,
        subject: SubjectId,
        value: &str,
    ) -> mimamori_domain::Result<Stored> {
        self.app.create(by, observation(subject, value).into(), CreateAs::Confirmed).await
    }
}

pub fn observation(subject: SubjectId, value: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"8310-5"}}]}},"subject":{{"reference":"Patient/{subject}"}},"effectiveDateTime":"2026-11-20T10:00:00+09:00","valueQuantity":{{"value":{value},"unit":"Cel","system":"http://unitsofmeasure.org","code":"Cel"}}}}"#
    )
}

pub fn note(subject: SubjectId, text: &str) -> String {
    format!(
        r#"{{"resourceType":"Communication","status":"completed","subject":{{"reference":"Patient/{subject}"}},"sent":"2026-11-20T11:00:00+09:00","payload":[{{"contentString":"{text}"}}]}}"#
    )
}

pub fn encounter(subject: SubjectId) -> String {
    format!(
        r#"{{"resourceType":"Encounter","status":"finished","class":{{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"HH"}},"subject":{{"reference":"Patient/{subject}"}},"period":{{"start":"2026-11-20T10:00:00+09:00"}}}}"#
    )
}

/// One stored version, as it stands in the table.
pub async fn version_of(store: &dyn Store, object: mimamori_domain::ObjectId, version: u64) -> ObjectVersion {
    let args = vec![object.into(), version.into()];
    let mut rows = store.query(&mimamori_store::statements::objects::VERSION_AT, args).await.unwrap();
    ObjectVersion::from_row(&mut rows[0], 0).unwrap()
}
