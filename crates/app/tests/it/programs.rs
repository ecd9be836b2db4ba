//! Programs that prove who they are by a key of their own (SMART Backend Services) or a certificate.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use mimamori_app::{App, ClientCredentials, ClientToken, ErrorKind, NewProgram, NewTerminal, Origin, Result};
use mimamori_domain::{ActorId, Clock, Kind, TerminalId, ZoneCode};
use serde_json::{Value, json};

use crate::support::{On, observation};
use crate::town::Town;

const HERE: &str = "https://fhir.example.jp/fhir/auth/token";

fn kind<T>(done: Result<T>) -> ErrorKind {
    done.err().unwrap().kind()
}

/// A program's key pair.
struct Signer {
    key: EncodingKey,
    id: &'static str,
}

impl Signer {
    /// P-384.
    fn new(id: &'static str) -> Self {
        let random = aws_lc_rs::rand::SystemRandom::new();
        let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &random).unwrap();
        Self { key: EncodingKey::from_ec_der(made.as_ref()), id }
    }

    fn jwks(&self) -> Value {
        let mut key = Jwk::from_encoding_key(&self.key, Algorithm::ES384).unwrap();
        key.common.key_id = Some(self.id.to_owned());
        json!({"keys": [key]})
    }

    fn assertion(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES384);
        header.kid = Some(self.id.to_owned());
        encode(&header, claims, &self.key).unwrap()
    }
}

struct Stage {
    town: Town,
    signer: Signer,
    program: ActorId,
}

impl Stage {
    async fn new(on: On) -> Self {
        let town = Town::new(on).await;
        let signer = Signer::new("k1");
        let new = NewProgram {
            name: "検査システム".to_owned(),
            institution: town.ids.hospital,
            scopes: vec!["system/Observation.crus".to_owned(), "system/Patient.rs".to_owned()],
            jwks: Some(signer.jwks().to_string()),
            terminal: None,
        };
        let program = town.site.app.register_program(&town.site.operator(), &new).await.unwrap();
        Self { town, signer, program }
    }

    fn claims(&self, jti: &str) -> Value {
        let now = self.town.site.clock.now().as_micros() / 1_000_000;
        json!({"iss": self.program, "sub": self.program, "aud": HERE, "exp": now + 240, "jti": jti})
    }

    async fn with(&self, claims: &Value, scope: &str) -> Result<ClientToken> {
        self.send(&self.signer.assertion(claims), scope).await
    }

    async fn send(&self, assertion: &str, scope: &str) -> Result<ClientToken> {
        let sent = ClientCredentials {
            assertion: Some(assertion.to_owned()),
            scope: scope.to_owned(),
            ..ClientCredentials::default()
        };
        self.app().client_token(&sent, HERE, &Origin::default()).await
    }

    fn app(&self) -> &App {
        &self.town.site.app
    }
}

/// Proves: a program is identified by proof of a key that is nobody else's; each proof counts once, for this
/// server, for minutes; what it gets is limited to what it was registered for and ends when it is revoked.
#[tokio::test]
async fn clause_mhlw5_6_5_c_1() {
    for on in [On::Sqlite, On::Postgres] {
        let stage = Stage::new(on).await;
        let (app, ids) = (stage.app(), stage.town.ids);
        let token = stage.with(&stage.claims("1"), "system/Observation.rs").await.unwrap();
        assert_eq!((token.seconds, token.scope.as_str()), (300, "system/Observation.rs"));
        let caller = app.caller_from_bearer(&token.token, &Origin::default()).await.unwrap();
        assert_eq!(caller.actor_id(), stage.program);
        let observed = Kind::of("Observation");
        assert!(app.read(&caller, &observed, ids.observation).await.is_ok());
        // The token is narrower than what the program was registered for.
        let new = observation(ids.subject, "36.9");
        let written = app.create(&caller, new.clone().into(), mimamori_app::CreateAs::Confirmed).await;
        assert_eq!(kind(written), ErrorKind::Forbidden);
        let all = stage.with(&stage.claims("2"), "").await.unwrap();
        assert_eq!(all.scope, "system/Observation.crus system/Patient.rs");
        let writer = app.caller_from_bearer(&all.token, &Origin::default()).await.unwrap();
        assert!(app.create(&writer, new.into(), mimamori_app::CreateAs::Confirmed).await.is_ok());
        let communicated = Kind::of("Communication");
        assert_eq!(kind(app.read(&writer, &communicated, ids.note).await), ErrorKind::Forbidden);

        // Nothing that proves nothing is let in.
        let unproven = async |claims: Value| kind(stage.with(&claims, "").await);
        assert_eq!(unproven(stage.claims("1")).await, ErrorKind::Unauthenticated, "used before");
        let changed = |name: &str, value: Value| {
            let mut claims = stage.claims("3");
            claims[name] = value;
            claims
        };
        let now = stage.town.site.clock.now().as_micros() / 1_000_000;
        for (claims, why) in [
            (changed("aud", json!("https://elsewhere.example/token")), "for another server"),
            (changed("exp", json!(now - 1)), "over"),
            (changed("exp", json!(now + 3_600)), "for too long"),
            (changed("iss", json!(ActorId::random())), "by somebody else"),
            (changed("sub", json!(ActorId::random())), "for somebody else"),
            (changed("jti", json!("")), "without an id"),
            (changed("exp", Value::Null), "without an end"),
        ] {
            assert_eq!(unproven(claims).await, ErrorKind::Unauthenticated, "{why}");
        }
        let stranger = Signer::new("k1").assertion(&stage.claims("4"));
        assert_eq!(kind(stage.send(&stranger, "").await), ErrorKind::Unauthenticated, "another key");
        let good = stage.signer.assertion(&stage.claims("5"));
        let unsigned: Vec<&str> = good.split('.').collect();
        let none = "eyJhbGciOiJub25lIiwia2lkIjoiazEifQ";
        for forged in
            [format!("{none}.{}.", unsigned[1]), format!("{}.{}.", unsigned[0], unsigned[1]), String::new()]
        {
            assert_eq!(kind(stage.send(&forged, "").await), ErrorKind::Unauthenticated, "{forged}");
        }
        for scope in ["system/Communication.rs", "system/*.rs", "system/Observation.r", "openid"] {
            assert_eq!(kind(stage.with(&stage.claims(scope), scope).await), ErrorKind::Invalid, "{scope}");
        }

        // Minutes, and not longer; and revoked means at once.
        let last = stage.with(&stage.claims("6"), "").await.unwrap();
        app.revoke_token(&stage.town.site.operator(), stage.program).await.unwrap();
        let after = app.caller_from_bearer(&last.token, &Origin::default()).await;
        assert_eq!(kind(after), ErrorKind::Unauthenticated);
        assert_eq!(unproven(stage.claims("7")).await, ErrorKind::Unauthenticated, "revoked");
        assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_token_ends_after_five_minutes_and_its_traces_are_swept() {
    let stage = Stage::new(On::Sqlite).await;
    let app = stage.app();
    let token = stage.with(&stage.claims("1"), "").await.unwrap();
    stage.town.site.clock.advance(Duration::from_secs(299));
    assert!(app.caller_from_bearer(&token.token, &Origin::default()).await.is_ok());
    stage.town.site.clock.advance(Duration::from_secs(1));
    let over = app.caller_from_bearer(&token.token, &Origin::default()).await;
    assert_eq!(kind(over), ErrorKind::Unauthenticated);
    // The next one sweeps: an assertion that is over is refused for that, and need not be remembered.
    stage.town.site.clock.advance(Duration::from_secs(1));
    stage.with(&stage.claims("2"), "").await.unwrap();
    assert_eq!(kind(stage.with(&stage.claims("2"), "").await), ErrorKind::Unauthenticated);
}

/// Proves: where a terminal is registered for a program, neither its key nor a token of its opens anything
/// from elsewhere (RFC 8705); and zones that are closed to programs stay closed.
#[tokio::test]
async fn clause_kasama_3_4_3_programs() {
    let stage = Stage::new(On::Sqlite).await;
    let (app, operator, ids) = (stage.app(), stage.town.site.operator(), stage.town.ids);
    let ward =
        NewTerminal { name: "連携機".to_owned(), place: "機械室".to_owned(), ..NewTerminal::default() };
    let terminal = app.register_terminal(&operator, &ward).await.unwrap().terminal;
    let new = |jwks: Option<String>, terminal: Option<TerminalId>| NewProgram {
        name: "連携".to_owned(),
        institution: ids.hospital,
        scopes: vec!["Observation.read".to_owned()],
        jwks,
        terminal,
    };
    assert_eq!(kind(app.register_program(&operator, &new(None, None)).await), ErrorKind::Invalid);
    let unknown = new(None, Some(TerminalId::random()));
    assert_eq!(kind(app.register_program(&operator, &unknown).await), ErrorKind::Invalid);
    let mut private = stage.signer.jwks();
    private["keys"][0]["d"] = json!("AAAA");
    for wrong in [private.to_string(), "{}".to_owned(), "{\"keys\":[]}".to_owned(), "x".to_owned()] {
        assert_eq!(kind(app.register_program(&operator, &new(Some(wrong), None)).await), ErrorKind::Invalid);
    }
    let hana = stage.town.caller("hana").await;
    assert_eq!(kind(app.register_program(&hana, &new(None, Some(terminal))).await), ErrorKind::Forbidden);

    let bound = app.register_program(&operator, &new(None, Some(terminal))).await.unwrap();
    let sent = ClientCredentials { client: Some(bound.to_string()), ..ClientCredentials::default() };
    let there = Origin { terminal: Some(terminal), terminal_version: 1, ..Origin::default() };
    let token = app.client_token(&sent, HERE, &there).await.unwrap();
    assert!(app.caller_from_bearer(&token.token, &there).await.is_ok());
    let elsewhere = app.caller_from_bearer(&token.token, &Origin::default()).await;
    assert_eq!(kind(elsewhere), ErrorKind::Unauthenticated);
    assert_eq!(kind(app.client_token(&sent, HERE, &Origin::default()).await), ErrorKind::Unauthenticated);
    // An id alone proves nothing for a program that has keys.
    let keyed = ClientCredentials { client: Some(stage.program.to_string()), ..ClientCredentials::default() };
    assert_eq!(kind(app.client_token(&keyed, HERE, &there).await), ErrorKind::Unauthenticated);
    let unknown_zone = Origin { zone: ZoneCode::new("moon").ok(), ..there };
    assert_eq!(kind(app.client_token(&sent, HERE, &unknown_zone).await), ErrorKind::Forbidden);
    let listed = app.programs(&operator).await.unwrap();
    assert_eq!(listed.len(), 2);
    let (keyed, tied) = (
        listed.iter().find(|program| program.id == stage.program).unwrap(),
        listed.iter().find(|program| program.id == bound).unwrap(),
    );
    assert_eq!((keyed.keys[0].id.as_str(), keyed.keys[0].thumbprint.len()), ("k1", 43));
    assert!(keyed.last_token.is_none() && tied.last_token.is_some() && tied.terminal == Some(terminal));

    // Revoked for a reason, on the record, and only once; nobody's account is stopped in that way.
    assert_eq!(kind(app.revoke_program(&operator, bound, " ").await), ErrorKind::Invalid);
    assert_eq!(kind(app.revoke_program(&hana, bound, "終了").await), ErrorKind::Forbidden);
    assert_eq!(kind(app.revoke_program(&operator, ids.jiro, "終了").await), ErrorKind::NotFound);
    app.revoke_program(&operator, bound, "契約の終了").await.unwrap();
    assert_eq!(kind(app.revoke_program(&operator, bound, "契約の終了").await), ErrorKind::Conflict);
    let there = Origin { zone: None, ..unknown_zone };
    assert_eq!(kind(app.caller_from_bearer(&token.token, &there).await), ErrorKind::Unauthenticated);
    assert_eq!(kind(app.client_token(&sent, HERE, &there).await), ErrorKind::Unauthenticated);
    let listed = app.programs(&operator).await.unwrap();
    let tied = listed.iter().find(|program| program.id == bound).unwrap();
    assert!(!tied.active && tied.revoked_because.as_deref() == Some("契約の終了"));
}
