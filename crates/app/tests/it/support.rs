//! A whole installation in a temporary folder, with a small made-up city.

use std::sync::Arc;

use mimamori_app::{App, Caller, CreateAs, NewStaff, Origin, Parts, Stored};
use mimamori_domain::{ActorId, Clock, InstanceId, InstitutionId, ManualClock, SubjectId, Timestamp};
use mimamori_policy::Pack;
use mimamori_store::Store;
use mimamori_vault::{Ring, RootKeyFile, Vault};
use tempfile::TempDir;

pub const PASSWORD: &str = "haru-no-umi-hinemosu";

/// 2026-11-21 09:00 in Tokyo.
pub const START: Timestamp = Timestamp::from_micros(1_795_219_200_000_000);

pub struct Site {
    pub folder: TempDir,
    pub clock: Arc<ManualClock>,
    pub store: Arc<dyn Store>,
    pub app: Arc<App>,
}

pub fn parts(folder: &TempDir, store: Arc<dyn Store>, clock: Arc<ManualClock>) -> Parts {
    let path = folder.path();
    let root = RootKeyFile::open(&path.join("root.key")).unwrap();
    let ring = Ring::open(&path.join("ring"), &root).unwrap();
    Parts {
        store,
        vault: Arc::new(Vault::new(ring)),
        pack: Arc::new(Pack::embedded_base().unwrap()),
        clock,
        instance: InstanceId::random(),
        state_dir: path.to_owned(),
    }
}

pub async fn open_store(folder: &TempDir, clock: &Arc<ManualClock>) -> Arc<dyn Store> {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let engine = mimamori_store::EngineOptions::new(clock, InstanceId::random());
    let path = folder.path().join("mimamori.db");
    let options = mimamori_store_sqlite::SqliteOptions::new(engine);
    Arc::new(mimamori_store_sqlite::open(path.to_str().unwrap(), options).await.unwrap())
}

impl Site {
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let root = RootKeyFile::create(&folder.path().join("root.key")).unwrap();
        Ring::create(&folder.path().join("ring"), &root, START).unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let store = open_store(&folder, &clock).await;
        App::install(&parts(&folder, Arc::clone(&store), Arc::clone(&clock)), "test.example").await.unwrap();
        let app = App::open(parts(&folder, Arc::clone(&store), Arc::clone(&clock))).await.unwrap();
        Self { folder, clock, store, app }
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
