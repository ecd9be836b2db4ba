//! An installation with one institution, a nurse, a stranger, a program, and a person.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use mimamori_app::{App, NewStaff, Parts};
use mimamori_domain::{Clock, InstanceId, InstitutionId, SystemClock, Timestamp};
use mimamori_policy::Pack;
use mimamori_store::EngineOptions;
use mimamori_store_sqlite::SqliteOptions;
use mimamori_vault::{Ring, RootKeyFile, Vault};
use mimamori_web::{Settings, Web, fhir_router, staff_router};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tower::ServiceExt;

use crate::hooked::Hooked;

pub const PASSWORD: &str = "Yukidoke-no-kawa-7";

/// The system's clock, which tests may put forward.
#[derive(Debug, Default)]
struct Moved {
    system: SystemClock,
    minutes: AtomicU32,
}

impl Clock for Moved {
    fn now(&self) -> Timestamp {
        self.system.now().plus(Duration::from_secs(60) * self.minutes.load(Ordering::SeqCst))
    }

    fn error_estimate(&self) -> Option<Duration> {
        self.system.error_estimate()
    }
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

pub struct World {
    pub app: Arc<App>,
    pub web: Web,
    pub pages: Router,
    pub fhir: Router,
    pub token: String,
    pub institution: InstitutionId,
    /// The database, for letting something happen right before a commit.
    pub hooked: Arc<Hooked>,
    clock: Arc<Moved>,
    folder: tempfile::TempDir,
}

/// An answer with its body read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

pub async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    // Files may be anything; what is said in words is UTF-8.
    let kind = parts.headers.get("content-type").map_or("", |v| v.to_str().unwrap());
    let file = !(kind.is_empty() || kind.starts_with("text/") || kind.contains("json"));
    let body = match String::from_utf8(body.to_vec()) {
        Err(error) if file => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        body => body.unwrap(),
    };
    Answer { status: parts.status, headers: parts.headers, body }
}

impl World {
    pub async fn new() -> Self {
        Self::with(Settings { tls: false, ..Settings::default() }).await
    }

    pub async fn with(settings: Settings) -> Self {
        Self::with_pack(settings, Pack::from_files(base_files()).unwrap()).await
    }

    /// An installation under another pack.
    pub async fn with_pack(settings: Settings, pack: Pack) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let moved = Arc::new(Moved::default());
        let clock: Arc<dyn Clock> = Arc::<Moved>::clone(&moved);
        let instance = InstanceId::random();
        let root = RootKeyFile::create(&at("root")).unwrap();
        let ring = Ring::create(&at("ring"), &root, clock.now()).unwrap();
        let engine = EngineOptions::new(Arc::clone(&clock), instance);
        let options = SqliteOptions { create: true, ..SqliteOptions::new(engine) };
        let store = mimamori_store_sqlite::open(at("data").to_str().unwrap(), options).await.unwrap();
        std::fs::create_dir(at("state")).unwrap();
        let hooked = Hooked::new(Arc::new(store));
        let parts = Parts {
            store: Arc::<Hooked>::clone(&hooked),
            vault: Arc::new(Vault::new(ring)),
            pack: Arc::new(pack),
            clock: Arc::clone(&clock),
            instance,
            state_dir: at("state"),
        };
        App::install(&parts, "web.test").await.unwrap();
        let app = App::open(parts).await.unwrap();
        // Half of all work otherwise; what hashes cost is tested elsewhere.
        app.hash_lightly(true).unwrap();
        let operator = app.operator("test");
        let organization =
            |name: &str| format!(r#"{{"resourceType":"Organization","name":"{name}","active":true}}"#);
        let own = app.add_institution(&operator, &organization("みほん訪問看護")).await.unwrap();
        let other = app.add_institution(&operator, &organization("よその病院")).await.unwrap();
        for (login, name, institution) in [("kango", "試験 看護子", own), ("yoso", "試験 よその", other)]
        {
            let staff = NewStaff {
                login: login.to_owned(),
                name: name.to_owned(),
                kana: None,
                occupation: "nurse".parse().ok(),
                institution: Some(institution),
                roles: Vec::new(),
                password: PASSWORD.to_owned(),
            };
            app.add_staff(&operator, &staff).await.unwrap();
        }
        let scopes = ["*.*".to_owned()];
        let token = app.create_token(&operator, "test", own, &scopes, 1).await.unwrap();
        let web = Web::new(Arc::clone(&app), clock, settings);
        Self {
            app,
            pages: staff_router(&web),
            fhir: fhir_router(&web),
            web,
            token,
            institution: own,
            hooked,
            clock: moved,
            folder,
        }
    }

    /// The day it is in Japan by the world's clock.
    pub fn today(&self) -> jiff::civil::Date {
        let now = jiff::Timestamp::from_microsecond(self.clock.now().as_micros()).unwrap();
        jiff::tz::offset(9).to_datetime(now).date()
    }

    /// Whether the database's files hold some bytes as they are.
    pub fn kept(&self, bytes: &[u8]) -> bool {
        let files = std::fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let data = files.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("data"));
        let mut found = data.map(|path| std::fs::read(path).unwrap());
        found.any(|content| content.windows(bytes.len()).any(|part| part == bytes))
    }

    /// Runs SQL behind the program's back.
    pub async fn run(&self, sql: &str) {
        let options = SqliteConnectOptions::new()
            .filename(self.folder.path().join("data"))
            .busy_timeout(Duration::from_secs(5));
        let mut connection = options.connect().await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
    }

    /// Lets days go by: who was signed in is not any more.
    pub fn pass(&self, days: u32) {
        self.pass_minutes(days * 24 * 60);
    }

    pub fn pass_minutes(&self, minutes: u32) {
        self.clock.minutes.fetch_add(minutes, Ordering::SeqCst);
    }

    /// Adds a staff member with appointments.
    pub async fn staff(&self, login: &str, name: &str, roles: &[&str]) {
        let staff = NewStaff {
            login: login.to_owned(),
            name: name.to_owned(),
            kana: None,
            occupation: None,
            institution: Some(self.institution),
            roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
            password: PASSWORD.to_owned(),
        };
        self.app.add_staff(&self.app.operator("test"), &staff).await.unwrap();
    }

    /// Registers a person by FHIR; gives their id.
    pub async fn person(&self) -> String {
        let patient = r#"{"resourceType":"Patient","active":true,"gender":"female","birthDate":"1938-04-03",
            "identifier":[{"system":"urn:example:number","value":"A-123"}],
            "name":[{"use":"official","text":"試験 花子","family":"試験","given":["花子"]}]}"#;
        let made = self.rest("POST", "/fhir/Patient", &[], patient).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let id = made.header("location").split('/').nth(3).unwrap().to_owned();
        let (operator, subject) = (self.app.operator("test"), id.parse().unwrap());
        self.app.add_team_member(&operator, subject, None, Some(self.institution)).await.unwrap();
        id
    }

    /// A FHIR request with the program's token.
    pub async fn rest(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token));
        if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/fhir+json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        send(&self.fhir, request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Signs in; gives the cookie.
    pub async fn sign_in(&self, login: &str) -> String {
        let form = [("login", login), ("password", PASSWORD)];
        let answer = self.post("/sign-in", "", &form).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
        answer.header("set-cookie").split(';').next().unwrap().to_owned()
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Answer {
        let request = Request::builder().uri(path).header(header::COOKIE, cookie);
        send(&self.pages, request.body(Body::empty()).unwrap()).await
    }

    pub async fn post(&self, path: &str, cookie: &str, form: &[(&str, &str)]) -> Answer {
        self.post_to("localhost", path, cookie, form).await
    }

    /// The same to a host of this name.
    pub async fn post_to(&self, host: &str, path: &str, cookie: &str, form: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header(header::HOST, host)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin");
        send(&self.pages, request.body(Body::from(body)).unwrap()).await
    }

    /// A form with files, as browsers send it: field, name and content of each file.
    pub async fn post_form(
        &self,
        path: &str,
        cookie: &str,
        form: &[(&str, &str)],
        files: &[(&str, &str, &[u8])],
    ) -> Answer {
        let mut body = Vec::new();
        for (name, value) in form {
            let head =
                format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(head.as_bytes());
        }
        for (field, name, content) in files {
            let head = format!(
                "--edge\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
                 Content-Type: application/octet-stream\r\n\r\n"
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(content);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(b"--edge--\r\n");
        let request = Request::builder()
            .method("POST")
            .uri(path)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=edge")
            .header("sec-fetch-site", "same-origin");
        send(&self.pages, request.body(Body::from(body)).unwrap()).await
    }
}
