//! Signing in by the organisation's identity provider: what it says is believed only when everything about it
//! is right, and all that holds for an account holds here too. The provider of these tests is made here, so
//! that it can lie; `e2e/single_sign_on.sh` asks a real one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use mimamori_app::{
    AccountSort, App, Caller, ErrorKind, First, NewAppointment, Origin, Proof, ProviderAnswer, ProviderEnd,
    ProviderFailure, ProviderRequest, ProviderResponse, ProviderSending, ProviderSettings, ProviderTransport,
    ProviderUnreachable, SignedIn,
};
use mimamori_domain::{Clock, ManualClock, RoleCode};
use mimamori_policy::Pack;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _};

use crate::procedures::site_under;
use crate::support::{Database, On, PASSWORD, base_files};
use crate::town::Town;

const ISSUER: &str = "https://idp.example.jp/realm";
const CLIENT: &str = "mimamori";
const SECRET: &str = "Sesame-street-1234";

/// A provider that says what a test wants.
struct Idp {
    clock: Arc<ManualClock>,
    says: Mutex<Says>,
}

struct Says {
    key: EncodingKey,
    kid: String,
    /// Published; another one signs when a test wants it so.
    published: Value,
    algorithm: Algorithm,
    issuer: String,
    names_itself: bool,
    token: Value,
    challenge: String,
    down: bool,
    keys_read: u32,
}

fn key() -> EncodingKey {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
    EncodingKey::from_ec_der(made.as_ref())
}

fn published(key: &EncodingKey, kid: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(key, Algorithm::ES384).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    json!({"keys": [jwk]})
}

impl Idp {
    fn new(clock: &Arc<ManualClock>) -> Arc<Self> {
        let key = key();
        let says = Says {
            published: published(&key, "k1"),
            key,
            kid: "k1".to_owned(),
            algorithm: Algorithm::ES384,
            issuer: ISSUER.to_owned(),
            names_itself: true,
            token: Value::Null,
            challenge: String::new(),
            down: false,
            keys_read: 0,
        };
        Arc::new(Self { clock: Arc::clone(clock), says: Mutex::new(says) })
    }

    fn says(&self, change: impl FnOnce(&mut Says)) {
        change(&mut self.says.lock().unwrap());
    }

    /// Another key signs from now on, and is published or not.
    fn rotate(&self, kid: &str, publish: bool) {
        self.says(|says| {
            says.key = key();
            says.kid = kid.to_owned();
            if publish {
                says.published = published(&says.key, kid);
            }
        });
    }

    fn answer(&self, request: &ProviderRequest) -> ProviderResponse {
        let mut says = self.says.lock().unwrap();
        let body = match request.uri().path() {
            "/realm/.well-known/openid-configuration" => json!({
                "issuer": says.issuer,
                "authorization_endpoint": format!("{ISSUER}/auth"),
                "token_endpoint": format!("{ISSUER}/token"),
                "jwks_uri": format!("{ISSUER}/keys"),
                "end_session_endpoint": format!("{ISSUER}/out"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES384", "RS256", "HS256"],
                "authorization_response_iss_parameter_supported": says.names_itself,
            }),
            "/realm/keys" => {
                says.keys_read += 1;
                says.published.clone()
            }
            "/realm/token" => {
                let sent: BTreeMap<String, String> =
                    url::form_urlencoded::parse(request.body()).into_owned().collect();
                let challenge = base64url(digest(&SHA256, sent["code_verifier"].as_bytes()).as_ref());
                assert_eq!(challenge, says.challenge);
                assert_eq!(sent["redirect_uri"], "https://mimamori.example.jp/sign-in/provider/return");
                assert!(request.headers()["authorization"].to_str().unwrap().starts_with("Basic "));
                let mut header = Header::new(says.algorithm);
                header.kid = Some(says.kid.clone());
                let key = match says.algorithm {
                    // A keyed hash under what everybody may know of the client.
                    Algorithm::HS256 => EncodingKey::from_secret(SECRET.as_bytes()),
                    _ => says.key.clone(),
                };
                let token = match says.token.get("raw").and_then(Value::as_str) {
                    Some(raw) => raw.to_owned(),
                    None => encode(&header, &says.token, &key).unwrap(),
                };
                json!({"access_token": "a", "token_type": "Bearer", "id_token": token})
            }
            other => panic!("{other}"),
        };
        let mut response = ProviderResponse::new(body.to_string().into_bytes());
        response.headers_mut().insert("content-type", "application/json".parse().unwrap());
        response
    }
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

struct Line(Arc<Idp>);

impl ProviderTransport for Line {
    fn send(&self, request: ProviderRequest) -> ProviderSending<'_> {
        Box::pin(async move {
            if self.0.says.lock().unwrap().down {
                return Err(ProviderUnreachable("idp.example.jp: refused".to_owned()));
            }
            Ok(self.0.answer(&request))
        })
    }
}

/// What the program knows of the provider.
fn settings() -> ProviderSettings {
    ProviderSettings {
        issuer: ISSUER.to_owned(),
        client_id: CLIENT.to_owned(),
        client_secret: Some(SECRET.to_owned().into()),
        scopes: vec!["groups".to_owned()],
        subject_claim: "sub".to_owned(),
        groups_claim: "groups".to_owned(),
        name_ja: "病院の認証".to_owned(),
        name_en: "hospital sign-in".to_owned(),
        address: "https://mimamori.example.jp".to_owned(),
    }
}

struct Stage {
    town: Town,
    idp: Arc<Idp>,
}

/// What came along with a sign-in that was begun.
struct Begun {
    token: String,
    state: String,
    nonce: String,
    address: url::Url,
}

impl Begun {
    fn of(start: mimamori_app::ProviderStart, idp: &Idp) -> Self {
        let address = url::Url::parse(&start.address).unwrap();
        let has: BTreeMap<String, String> = address.query_pairs().into_owned().collect();
        idp.says(|says| says.challenge = has["code_challenge"].clone());
        Self { token: start.token, state: has["state"].clone(), nonce: has["nonce"].clone(), address }
    }

    fn answer(&self) -> ProviderAnswer {
        ProviderAnswer {
            state: self.state.clone(),
            code: Some("c".to_owned()),
            issuer: Some(ISSUER.to_owned()),
            error: None,
        }
    }
}

fn here() -> Origin {
    Origin { address: Some([192, 0, 2, 7].into()), ..Origin::default() }
}

impl Stage {
    async fn new() -> Self {
        Self::with(&[], "").await
    }

    /// Parameters of the base pack that are others, and `site.yaml`.
    async fn with(parameters: &[(&str, &str)], site: &str) -> Self {
        let mut files = base_files();
        let mut set: Vec<String> =
            parameters.iter().map(|(key, value)| format!("  - {{key: {key}, value: {value}}}\n")).collect();
        if !set.is_empty() {
            set.insert(0, "parameters:\n".to_owned());
        }
        files.insert("site.yaml".to_owned(), format!("{}{site}\n", set.concat()).into_bytes());
        if parameters.is_empty() && site.is_empty() {
            files.remove("site.yaml");
        }
        let pack = Pack::from_files(files).unwrap_or_else(|problems| panic!("{problems:?}"));
        let town = Town::at(site_under(On::Sqlite, Arc::new(pack)).await).await;
        let idp = Idp::new(&town.site.clock);
        town.site.app.serve_provider(settings(), Arc::new(Line(Arc::clone(&idp)))).unwrap();
        Self { town, idp }
    }

    async fn linked() -> Self {
        let stage = Self::new().await;
        stage.link("s-hana").await;
        stage
    }

    async fn link(&self, subject: &str) {
        let operator = self.town.site.operator();
        self.app().link_account(&operator, self.town.ids.hana, subject, "asked by the ward").await.unwrap();
    }

    /// She holds a role of which the rules ask a second factor.
    async fn at_the_desk(&self) {
        let new = NewAppointment {
            actor: self.town.ids.hana,
            role: "help-desk".parse().unwrap(),
            institution: None,
            unit: None,
            system: None,
            from: self.idp.clock.now(),
            until: None,
            deputy: false,
        };
        self.app().appoint(&self.town.site.operator(), &new).await.unwrap();
    }

    fn app(&self) -> &App {
        &self.town.site.app
    }

    fn now(&self) -> i64 {
        self.idp.clock.now().as_micros() / 1_000_000
    }

    async fn begin(&self) -> Begun {
        Begun::of(self.app().begin_provider_sign_in("/people/x", "ja").await.unwrap(), &self.idp)
    }

    fn claims(&self, begun: &Begun) -> Value {
        let now = self.now();
        json!({
            "iss": ISSUER, "aud": CLIENT, "sub": "s-hana", "nonce": begun.nonce,
            "iat": now, "exp": now + 300, "auth_time": now - 60,
        })
    }

    /// A sign-in in which the token says this besides.
    async fn come(&self, besides: Value) -> Result<SignedIn, ProviderFailure> {
        let begun = self.begin().await;
        let mut claims = self.claims(&begun);
        for (name, value) in besides.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        self.idp.says(|says| says.token = claims);
        self.finish(&begun, &begun.answer()).await
    }

    async fn finish(&self, begun: &Begun, answer: &ProviderAnswer) -> Result<SignedIn, ProviderFailure> {
        match self.app().finish_provider(&begun.token, answer, &here()).await? {
            ProviderEnd::SignedIn(signed, to) => {
                assert_eq!(to, "/people/x");
                Ok(signed)
            }
            other => panic!("{other:?}"),
        }
    }

    async fn caller(&self, signed: &SignedIn) -> Caller {
        self.app().caller(&signed.token, &here()).await.unwrap()
    }

    async fn verified(&self) {
        assert_eq!(self.app().verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    }
}

fn word<T>(ended: Result<T, ProviderFailure>) -> &'static str {
    ended.err().unwrap().word()
}

#[tokio::test]
async fn a_linked_person_signs_in_and_an_unlinked_one_is_told_as_whom_they_are_known() {
    let stage = Stage::new().await;
    match stage.come(json!({})).await {
        Err(ProviderFailure::Unlinked(subject)) => assert_eq!(subject, "s-hana"),
        other => panic!("{other:?}"),
    }
    stage.link("s-hana").await;
    let signed = stage.come(json!({})).await.unwrap();
    assert!(!signed.second && signed.first.is_none());
    let caller = stage.caller(&signed).await;
    assert!(caller.signed_in_by_provider());
    assert!(stage.app().person(&caller, stage.town.ids.subject).await.is_ok());
    // The request says what the standards ask for, and the provider's page is asked in her language.
    let begun = stage.begin().await;
    let has: BTreeMap<String, String> = begun.address.query_pairs().into_owned().collect();
    assert_eq!(has["response_type"], "code");
    assert_eq!(has["code_challenge_method"], "S256");
    assert_eq!(has["scope"], "openid groups");
    assert_eq!((has["ui_locales"].as_str(), has["max_age"].as_str()), ("ja", "28800"));
    // Where she signs out there too.
    let out = stage.app().provider_sign_out().await.unwrap();
    assert!(out.starts_with(&format!("{ISSUER}/out?client_id=mimamori")), "{out}");
    // Another account cannot have the same person, and nobody links their own by the form for others.
    let operator = stage.town.site.operator();
    let taken = stage.app().link_account(&operator, stage.town.ids.jiro, "s-hana", "x").await;
    assert_eq!(taken.unwrap_err().kind(), ErrorKind::Conflict);
    stage.verified().await;
}

#[tokio::test]
async fn what_is_not_right_in_every_part_is_not_believed() {
    let stage = Stage::linked().await;
    let now = stage.now();
    for besides in [
        json!({"nonce": "another"}),
        json!({"nonce": null}),
        json!({"iss": "https://idp.example.org"}),
        json!({"aud": "another"}),
        json!({"aud": [CLIENT, "another"]}),
        json!({"azp": "another"}),
        json!({"exp": now - 1}),
        json!({"iat": now - 3_600}),
        json!({"iat": now + 3_600, "exp": now + 7_200}),
        json!({"auth_time": null}),
        json!({"auth_time": now - 100_000}),
        json!({"sub": ""}),
        json!({"sub": "x".repeat(256)}),
    ] {
        assert!(matches!(word(stage.come(besides.clone()).await), "unproven"), "{besides}");
    }
    // Unsigned, signed by a key that is not published, and by a keyed hash.
    let begun = stage.begin().await;
    let payload = base64url(stage.claims(&begun).to_string().as_bytes());
    let unsigned = format!("{}.{payload}.", base64url(br#"{"alg":"none"}"#));
    stage.idp.says(|says| says.token = json!({"raw": unsigned}));
    assert!(stage.finish(&begun, &begun.answer()).await.is_err());
    stage.idp.says(|says| says.algorithm = Algorithm::HS256);
    assert_eq!(word(stage.come(json!({})).await), "unproven");
    stage.idp.says(|says| says.algorithm = Algorithm::ES384);
    // The same name of a key, and another key.
    stage.idp.rotate("k1", false);
    assert_eq!(word(stage.come(json!({})).await), "unproven");
    stage.idp.rotate("k1", true);
    stage.town.site.clock.advance(Duration::from_secs(3_600));
    assert!(stage.come(json!({})).await.is_ok());
    // Changed on the way.
    let begun = stage.begin().await;
    let claims = stage.claims(&begun);
    let mut header = Header::new(Algorithm::ES384);
    header.kid = Some("k1".to_owned());
    let token = stage.idp.says.lock().unwrap().key.clone();
    let token = encode(&header, &claims, &token).unwrap();
    let mut parts: Vec<&str> = token.split('.').collect();
    let other = base64url(claims.to_string().replace("s-hana", "s-jiro").as_bytes());
    parts[1] = &other;
    stage.idp.says(|says| says.token = json!({"raw": parts.join(".")}));
    assert_eq!(word(stage.finish(&begun, &begun.answer()).await), "unproven");
}

#[tokio::test]
async fn an_answer_is_good_once_in_its_own_browser_in_time_and_of_its_own_provider() {
    let stage = Stage::linked().await;
    let (one, other) = (stage.begin().await, stage.begin().await);
    // Another browser's state, another issuer's answer, none at all, a word of refusal.
    assert_eq!(word(stage.finish(&one, &other.answer()).await), "late");
    let mixed = ProviderAnswer { issuer: Some("https://evil.example".to_owned()), ..one.answer() };
    assert_eq!(word(stage.finish(&one, &mixed).await), "unproven");
    let silent = ProviderAnswer { issuer: None, ..other.answer() };
    assert_eq!(word(stage.finish(&other, &silent).await), "unproven");
    let begun = stage.begin().await;
    let declined = ProviderAnswer { error: Some("access_denied".to_owned()), code: None, ..begun.answer() };
    assert_eq!(word(stage.finish(&begun, &declined).await), "declined");
    // What was tried is used up, whatever came of it.
    stage.idp.says(|says| says.token = stage.claims(&begun));
    assert_eq!(word(stage.finish(&begun, &begun.answer()).await), "late");
    // Good once.
    let begun = stage.begin().await;
    stage.idp.says(|says| says.token = stage.claims(&begun));
    assert!(stage.finish(&begun, &begun.answer()).await.is_ok());
    assert_eq!(word(stage.finish(&begun, &begun.answer()).await), "late");
    // In time.
    let begun = stage.begin().await;
    stage.town.site.clock.advance(Duration::from_secs(601));
    stage.idp.says(|says| says.token = stage.claims(&begun));
    assert_eq!(word(stage.finish(&begun, &begun.answer()).await), "late");
    // Made up.
    for token in ["", "00", &"00".repeat(200)] {
        let ended = stage.app().finish_provider(token, &begun.answer(), &here()).await;
        assert_eq!(word(ended), "late");
    }
    // A provider that does not say whose an answer is, is believed without.
    let stage = Stage::linked().await;
    stage.idp.says(|says| says.names_itself = false);
    let begun = stage.begin().await;
    stage.idp.says(|says| says.token = stage.claims(&begun));
    assert!(stage.finish(&begun, &ProviderAnswer { issuer: None, ..begun.answer() }).await.is_ok());
}

#[tokio::test]
async fn a_provider_that_is_down_stops_nobody_and_its_new_key_is_found() {
    let stage = Stage::linked().await;
    stage.idp.says(|says| says.down = true);
    assert_eq!(word(stage.app().begin_provider_sign_in("/", "ja").await), "unreachable");
    assert!(stage.app().sign_in("hana", PASSWORD, &here()).await.is_ok());
    stage.idp.says(|says| says.down = false);
    // Not asked again at once: those who wait do not wait one after the other.
    assert_eq!(word(stage.app().begin_provider_sign_in("/", "ja").await), "unreachable");
    stage.town.site.clock.advance(Duration::from_secs(6));
    assert!(stage.come(json!({})).await.is_ok());
    stage.idp.rotate("k2", true);
    assert!(stage.come(json!({})).await.is_ok());
    // Keys that nobody knows are looked for at a bounded rate.
    let before = stage.idp.says.lock().unwrap().keys_read;
    stage.idp.rotate("k3", false);
    for _ in 0..5 {
        assert_eq!(word(stage.come(json!({})).await), "unproven");
    }
    assert!(stage.idp.says.lock().unwrap().keys_read <= before + 1);
    // One that calls itself something else is not asked.
    stage.idp.says(|says| says.issuer = "https://idp.example.org".to_owned());
    stage.town.site.clock.advance(Duration::from_secs(3_601));
    assert_eq!(word(stage.app().begin_provider_sign_in("/", "ja").await), "unreachable");
    assert!(stage.app().probe_provider().await.is_err());
}

#[tokio::test]
async fn what_holds_for_an_account_holds_for_who_comes_by_the_provider() {
    let stage = Stage::linked().await;
    let (app, operator, ids) = (stage.app(), stage.town.site.operator(), stage.town.ids);
    app.stop_account(&operator, "hana", "on leave").await.unwrap();
    assert_eq!(word(stage.come(json!({})).await), "closed");
    app.resume_account(&operator, "hana").await.unwrap();
    for sort in [AccountSort::Emergency, AccountSort::Maintenance] {
        app.set_account_sort(&operator, ids.hana, sort, "x").await.unwrap();
        assert_eq!(word(stage.come(json!({})).await), "closed");
        let linked = app.link_account(&operator, ids.hana, "s-other", "x").await;
        assert_eq!(linked.unwrap_err().kind(), ErrorKind::Invalid);
    }
    app.set_account_sort(&operator, ids.hana, AccountSort::Ordinary, "x").await.unwrap();
    // A name that is locked is locked here too.
    for _ in 0..12 {
        let _ = app.sign_in("hana", "wrong", &here()).await;
        stage.town.site.clock.advance(Duration::from_secs(11));
    }
    match stage.come(json!({})).await {
        Err(ProviderFailure::Other(error)) => assert_eq!(error.kind(), ErrorKind::Busy),
        other => panic!("{other:?}"),
    }
    app.unlock_account(&operator, ids.hana).await.unwrap();
    let signed = stage.come(json!({})).await.unwrap();
    // A citizen's account is not the organisation's to vouch for.
    let citizen = app.link_account(&operator, ids.aki, "s-aki", "x").await;
    assert_eq!(citizen.unwrap_err().kind(), ErrorKind::Invalid);
    // Unlinking ends what the provider began.
    app.unlink_account(&operator, ids.hana, "left the ward").await.unwrap();
    assert!(app.caller(&signed.token, &here()).await.is_err());
    assert_eq!(word(stage.come(json!({})).await), "unlinked");
    // A row that was put back behind the program's back leads nowhere: the account does not say so.
    stage.link("s-two").await;
    app.close_account(&operator, ids.hana, "gone").await.unwrap();
    assert_eq!(word(stage.come(json!({"sub": "s-two"})).await), "unlinked");
    app.link_account(&operator, ids.jiro, "s-two", "x").await.unwrap();
    assert!(stage.come(json!({"sub": "s-two"})).await.is_ok());
    stage.verified().await;
}

#[tokio::test]
async fn the_provider_counts_for_two_factors_only_where_the_rules_say_so() {
    let required = [("second-factor.required-of", "help-desk")];
    let stage = Stage::with(&required, "").await;
    stage.link("s-hana").await;
    stage.at_the_desk().await;
    let signed = stage.come(json!({"amr": ["pwd", "otp"], "acr": "gold"})).await.unwrap();
    assert_eq!(signed.first, Some(First::Factor));
    let vouching = [
        ("second-factor.required-of", "help-desk"),
        ("single-sign-on.second-factor-methods", "\"mfa otp\""),
        ("single-sign-on.second-factor-classes", "gold"),
    ];
    let stage = Stage::with(&vouching, "").await;
    stage.link("s-hana").await;
    stage.at_the_desk().await;
    for (besides, first) in [
        (json!({"amr": ["pwd"]}), Some(First::Factor)),
        (json!({"amr": ["pwd", "otp"]}), None),
        (json!({"acr": "gold"}), None),
        (json!({"acr": "silver"}), Some(First::Factor)),
        (json!({}), Some(First::Factor)),
    ] {
        assert_eq!(stage.come(besides.clone()).await.unwrap().first, first, "{besides}");
    }
}

#[tokio::test]
async fn ones_own_second_factor_is_asked_for_after_the_provider() {
    let stage = Stage::linked().await;
    let app = stage.app();
    let signed = app.sign_in("hana", PASSWORD, &here()).await.unwrap();
    let caller = app.caller(&signed.token, &here()).await.unwrap();
    let begun = app.begin_one_time(&caller, "phone").await.unwrap();
    let code = || crate::clauses_identity::shown(&begun.secret, &stage.town);
    app.add_one_time(&caller, &begun.token, &code(), "phone").await.unwrap();
    let signed = stage.come(json!({})).await.unwrap();
    assert!(signed.second);
    assert!(app.caller(&signed.token, &here()).await.is_err());
    stage.town.site.clock.advance(Duration::from_secs(30));
    let signed = app.finish_sign_in(&signed.token, &Proof::Code(code()), &here()).await.unwrap();
    assert!(stage.caller(&signed).await.signed_in_by_provider());
}

const GROUPS: &str = "sign-in-groups:
  - {code: users, group: mimamori-users, required: true, ja: \"利用者\", en: \"users\"}
  - {code: desk, group: ward-desk, role: help-desk, ja: \"窓口\", en: \"desk\"}
  - {code: facility, group: ward-heads, role: facility-manager, ja: \"施設管理者\", en: \"heads\"}
  - {code: audit, group: auditors, role: auditor, ja: \"監査\", en: \"auditors\"}
";

#[tokio::test]
async fn a_group_gives_a_role_until_the_session_ends_or_the_group_is_lost() {
    let stage = Stage::with(&[], GROUPS).await;
    stage.link("s-hana").await;
    let role = |code: &str| code.parse::<RoleCode>().unwrap();
    assert_eq!(word(stage.come(json!({})).await), "group");
    assert_eq!(word(stage.come(json!({"groups": ["ward-heads"]})).await), "group");
    let signed = stage.come(json!({"groups": ["mimamori-users", "ward-heads", "unknown"]})).await.unwrap();
    let caller = stage.caller(&signed).await;
    assert_eq!(caller.roles(), [role("facility-manager")]);
    // Held on as long as sign-ins carry it, and no longer than the longest session.
    stage.town.site.clock.advance(Duration::from_secs(3_600));
    let signed = stage.come(json!({"groups": ["mimamori-users", "ward-heads"]})).await.unwrap();
    assert_eq!(stage.caller(&signed).await.roles().len(), 1);
    // Lost at the next sign-in, for the session that is open too.
    let without = stage.come(json!({"groups": "mimamori-users"})).await.unwrap();
    assert!(stage.caller(&without).await.roles().is_empty());
    assert!(stage.caller(&signed).await.roles().is_empty());
    let signed = stage.come(json!({"groups": ["mimamori-users", "ward-heads"]})).await.unwrap();
    assert_eq!(stage.caller(&signed).await.roles().len(), 1);
    let hours = stage.app().pack().parameter_u64("session.absolute-hours").unwrap();
    stage.town.site.clock.advance(Duration::from_secs(3_600 * hours));
    let local = stage.app().sign_in("hana", PASSWORD, &here()).await.unwrap();
    assert!(stage.caller(&local).await.roles().is_empty());
    // What may not be held together is not given.
    let both = json!({"groups": ["mimamori-users", "auditors", "ward-heads", "ward-desk"]});
    let signed = stage.come(both).await.unwrap();
    let held = stage.caller(&signed).await;
    for one in held.roles() {
        assert!(stage.app().pack().incompatible(one, held.roles()).is_empty(), "{:?}", held.roles());
    }
    stage.verified().await;
}

#[tokio::test]
async fn the_owner_links_and_unlinks_and_shows_again_who_they_are() {
    let stage = Stage::new().await;
    let app = stage.app();
    let signed = app.sign_in("hana", PASSWORD, &here()).await.unwrap();
    let caller = app.caller(&signed.token, &here()).await.unwrap();
    let confirm = async |start: mimamori_app::ProviderStart, shown: i64| {
        let begun = Begun::of(start, &stage.idp);
        let mut claims = stage.claims(&begun);
        claims["auth_time"] = json!(shown);
        stage.idp.says(|says| says.token = claims);
        match app.finish_provider(&begun.token, &begun.answer(), &here()).await {
            Ok(ProviderEnd::Confirm { token, linking, .. }) => Ok((token, linking)),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure),
        }
    };
    let start = app.begin_own_link(&caller, "ja").await.unwrap();
    let (token, linking) = confirm(start, stage.now()).await.unwrap();
    assert!(linking);
    // Nobody else's session finishes it.
    let jiro = stage.town.caller("jiro").await;
    assert_eq!(app.link_own(&jiro, &token).await.unwrap_err().kind(), ErrorKind::Gone);
    app.link_own(&caller, &token).await.unwrap();
    assert_eq!(app.link_own(&caller, &token).await.unwrap_err().kind(), ErrorKind::Gone);
    let caller = app.caller(&signed.token, &here()).await.unwrap();
    assert_eq!(app.own_link(&caller).unwrap().subject, "s-hana");
    assert!(stage.come(json!({})).await.is_ok());
    // Showing again who one is: the provider must have asked anew.
    stage.town.site.clock.advance(Duration::from_secs(16 * 60));
    let late = app.unlink_own(&caller).await.unwrap_err();
    assert!(mimamori_app::wants_step_up(&late));
    let start = app.begin_provider_again(&caller, "/account", "ja").await.unwrap();
    assert!(start.address.contains("prompt=login") && start.address.contains("max_age=0"));
    assert_eq!(word(confirm(start, stage.now() - 900).await), "unproven");
    let start = app.begin_provider_again(&caller, "/account", "ja").await.unwrap();
    let (token, linking) = confirm(start, stage.now()).await.unwrap();
    assert!(!linking);
    // What says who one is links nothing.
    assert_eq!(app.link_own(&caller, &token).await.unwrap_err().kind(), ErrorKind::Gone);
    let start = app.begin_provider_again(&caller, "/account", "ja").await.unwrap();
    let (token, _) = confirm(start, stage.now()).await.unwrap();
    let next = app.step_up_by_provider(&caller, &token).await.unwrap();
    assert!(app.caller(&signed.token, &here()).await.is_err());
    let caller = app.caller(&next, &here()).await.unwrap();
    app.unlink_own(&caller).await.unwrap();
    // The session in which she did it was begun with her password: it stays.
    assert!(app.caller(&next, &here()).await.is_ok());
    assert_eq!(word(stage.come(json!({})).await), "unlinked");
}

/// Somebody else holds the database: nothing can be recorded, so nobody is let in, linked or unlinked.
#[tokio::test]
async fn while_nothing_can_be_recorded_nobody_comes_by_the_provider() {
    let mut stage = Stage::linked().await;
    // Another program of the installation, which waits for the lock only briefly.
    let site = &stage.town.site;
    let store = site.database.open_patiently(&site.clock, Duration::from_millis(100)).await;
    let impatient = site.second(Arc::clone(&store)).await;
    impatient.serve_provider(settings(), Arc::new(Line(Arc::clone(&stage.idp)))).unwrap();
    stage.town.site.app = impatient;
    let (app, operator, ids) = (stage.app(), stage.town.site.operator(), stage.town.ids);
    let Database::Sqlite(path) = &stage.town.site.database else { panic!("not a file") };
    let mut other = SqliteConnectOptions::new().filename(path).connect().await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    match stage.come(json!({})).await {
        Err(ProviderFailure::Other(error)) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        other => panic!("{other:?}"),
    }
    let linked = app.link_account(&operator, ids.jiro, "s-jiro", "x").await;
    assert_eq!(linked.unwrap_err().kind(), ErrorKind::Unavailable);
    let unlinked = app.unlink_account(&operator, ids.hana, "x").await;
    assert_eq!(unlinked.unwrap_err().kind(), ErrorKind::Unavailable);
    other.execute("ROLLBACK").await.unwrap();
    assert!(stage.come(json!({})).await.is_ok());
    assert_eq!(word(stage.come(json!({"sub": "s-jiro"})).await), "unlinked");
    stage.verified().await;
}
