//! Programs that prove who they are by a key of their own: OAuth 2.0 client credentials as SMART Backend
//! Services has them (`private_key_jwt`, RFC 7523), or by a registered terminal's certificate (RFC 8705).
//! What they get is a bearer token for minutes, within the scopes that were registered for them.

use std::collections::HashMap;
use std::time::Duration;

use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use mimamori_domain::{
    Action, ActorId, Error, ErrorKind, InstitutionId, Kind, ObjectId, Result, SessionId, TerminalId,
    Timestamp,
};
use mimamori_ledger::sha256;
use mimamori_policy::{GeneralTarget, Scope};
use mimamori_store::{Change, ColumnType, Unit, Value, tables};
use mimamori_vault::{hash_token, random_token};
use serde::Deserialize;

use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::{Account, AccountKind, Client, kind};
use crate::caller::{Caller, SessionRef, scope};
use crate::record::{fault, stated_reason};
use crate::sessions::Shown;
use crate::{App, Origin, sql};

/// How long a token is good.
const TOKEN: Duration = Duration::from_secs(300);
/// How far ahead the end of an assertion may lie: SMART's five minutes, and clocks that differ.
const MOST_AHEAD: Duration = Duration::from_secs(300 + 60);
/// Longest id of an assertion.
const MOST_JTI: usize = 256;
/// Keys of one program: the one in use, the next one, and some to spare.
const MOST_KEYS: usize = 8;

/// A program to be registered.
#[derive(Debug, Clone)]
pub struct NewProgram {
    pub name: String,
    /// The institution it acts for.
    pub institution: InstitutionId,
    /// `system/Observation.rs` (SMART App Launch 2) or `Observation.read`.
    pub scopes: Vec<String>,
    /// Its public keys: a JWK Set (RFC 7517).
    pub jwks: Option<String>,
    /// The registered terminal whose certificate it shows.
    pub terminal: Option<TerminalId>,
}

/// A program in a list.
#[derive(Debug, Clone)]
pub struct ProgramView {
    pub id: ActorId,
    pub name: String,
    pub institution: Option<InstitutionId>,
    pub scopes: Vec<String>,
    pub active: bool,
    /// Why it was revoked.
    pub revoked_because: Option<String>,
    pub keys: Vec<ProgramKey>,
    pub terminal: Option<TerminalId>,
    /// When it last got a token, UTC.
    pub last_token: Option<Timestamp>,
}

/// A public key of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramKey {
    /// What the program calls it (`kid`).
    pub id: String,
    /// Its thumbprint (RFC 7638, SHA-256, base64url), for comparing by word of mouth.
    pub thumbprint: String,
}

/// What a program sends to the token endpoint (RFC 6749, section 4.4).
#[derive(Clone, Default)]
pub struct ClientCredentials {
    /// The signed assertion; none: the certificate of the connection is the proof.
    pub assertion: Option<String>,
    pub client: Option<String>,
    /// What it asks for, parted by spaces; empty: all that it was registered for.
    pub scope: String,
}

/// The assertion stays out of debug output.
impl std::fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCredentials").finish_non_exhaustive()
    }
}

/// A token that was issued.
pub struct ClientToken {
    pub token: String,
    pub seconds: u64,
    /// As granted, in SMART's form.
    pub scope: String,
}

/// The token stays out of debug output.
impl std::fmt::Debug for ClientToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientToken").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// What an assertion claims beside what the library checks.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since 1970.
    exp: i64,
    jti: String,
}

/// One answer for everything that proves nothing.
fn refused() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the program did not prove who it is")
}

impl App {
    /// Registers a program of an institution, with its public keys or its terminal.
    ///
    /// # Errors
    /// Invalid for a scope or key that is not taken, or without any proof; forbidden.
    pub async fn register_program(&self, caller: &Caller, new: &NewProgram) -> Result<ActorId> {
        let scopes: Option<Vec<String>> = new.scopes.iter().map(|text| own_scope(text)).collect();
        let scopes = scopes.filter(|scopes| !scopes.is_empty()).ok_or_else(|| {
            fault("scope", "a scope is system/TYPE.rs, system/TYPE.cu or system/TYPE.cruds", "value")
        })?;
        if self.institution_name(new.institution).await?.is_none() {
            return Err(fault("institution", "there is no such institution", "not-found"));
        }
        if new.jwks.is_none() && new.terminal.is_none() {
            return Err(fault(
                "jwks",
                "a program needs its public keys or a registered terminal",
                "required",
            ));
        }
        let keys = new.jwks.as_deref().map(public_keys).transpose()?.unwrap_or_default();
        if let Some(terminal) = new.terminal
            && !self.terminal_in_use(terminal).await?
        {
            return Err(fault("terminal", "there is no such terminal in use", "not-found"));
        }
        let account = Account {
            institution: Some(new.institution),
            scopes,
            client: Some(Client { keys, terminal: new.terminal }),
            ..Account::new(AccountKind::Program, "", &new.name)
        };
        self.keep_account(caller, &account, &[]).await
    }

    /// Every program with keys or a terminal of its own, by name.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn programs(&self, caller: &Caller) -> Result<Vec<ProgramView>> {
        let target = GeneralTarget::of(Kind::of("program"));
        let decision = self.require_general(caller, Action::Search, target).await?;
        let mut last = HashMap::new();
        for row in self.store.query(&sql::LAST_TOKENS, Vec::new()).await? {
            let at = row.time(1).map_err(Error::unavailable)?;
            last.insert(row.id_of::<ActorId>(0).map_err(Error::unavailable)?, at);
        }
        let mut found = Vec::new();
        for context in self.everybody().await?.iter() {
            let account = &context.account;
            let Some(client) = account.client.as_ref().filter(|_| account.kind == AccountKind::Program)
            else {
                continue;
            };
            found.push(ProgramView {
                id: context.actor,
                name: account.name.clone(),
                institution: account.institution,
                scopes: account.scopes.iter().map(|text| smart_scope(text)).collect(),
                active: account.active,
                revoked_because: account.stopped_because.clone(),
                keys: client.keys.iter().map(key_view).collect::<Result<_>>()?,
                terminal: client.terminal,
                last_token: last.get(&context.actor).copied(),
            });
        }
        found.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Search), &decision);
        entry.resource = Some((kind::ACCOUNT, None));
        entry.count = found.len() as u64;
        let entry = self.with_sealed(caller, entry, 0, None)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(found),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Refuses a program from now on, its tokens too, for a stated reason.
    ///
    /// # Errors
    /// Invalid without a reason; not found for anything but a program; conflict for one that was revoked
    /// already; forbidden.
    pub async fn revoke_program(&self, caller: &Caller, id: ActorId, reason: &str) -> Result<()> {
        let reason = stated_reason(reason)?;
        for _ in 0..ATTEMPTS {
            let context = self.actor_context_now(id).await?;
            let target = GeneralTarget::of(Kind::of("program"));
            let target = match context.account.institution {
                Some(institution) => target.at(institution),
                None => target,
            };
            let decision = self.require_general(caller, Action::Withdraw, target).await?;
            if context.account.kind != AccountKind::Program {
                return Err(Error::not_found());
            }
            if context.stopped {
                return Err(Error::conflict("this program was revoked already"));
            }
            let mut unit = Unit::new();
            self.put_account_change(caller, &decision, &mut unit, id, Some(reason), |account| {
                account.active = false;
                account.stopped_because = Some(reason.to_owned());
            })
            .await?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    /// Issues a token for five minutes to a program that proves who it is. `audience` is the address of the
    /// token endpoint: an assertion for another server opens nothing here.
    ///
    /// # Errors
    /// Unauthenticated for everything that proves nothing: unknown, stopped, signed by another key or for
    /// somebody else, over, or used before. Invalid for a scope that is not the program's. Forbidden from a
    /// zone that is closed to programs.
    pub async fn client_token(
        &self,
        sent: &ClientCredentials,
        audience: &str,
        origin: &Origin,
    ) -> Result<ClientToken> {
        match self.issue_token(sent, audience, origin).await {
            // The same assertion at the same moment, or a second time: the row of its id is there.
            Err(error) if matches!(error.kind(), ErrorKind::Unauthenticated | ErrorKind::Conflict) => {
                self.refused_before_sign_in(origin, "client-refused");
                Err(refused())
            }
            issued => issued,
        }
    }

    async fn issue_token(
        &self,
        sent: &ClientCredentials,
        audience: &str,
        origin: &Origin,
    ) -> Result<ClientToken> {
        let now = self.clock.now();
        let named = match (&sent.assertion, &sent.client) {
            (Some(assertion), _) => claimed(assertion).ok_or_else(refused)?,
            (None, Some(client)) => client.clone(),
            (None, None) => return Err(refused()),
        };
        let actor: ActorId = named.parse().map_err(|_| refused())?;
        let context = match self.actor_context_now(actor).await {
            Ok(context) => context,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(refused()),
            Err(error) => return Err(error),
        };
        let account = &context.account;
        let client =
            account.client.as_ref().filter(|_| account.kind == AccountKind::Program && account.active);
        let client = client.ok_or_else(refused)?;
        // Where a terminal is registered for the program, nothing opens without it.
        if client.terminal.is_some() && origin.terminal != client.terminal {
            return Err(refused());
        }
        let used = match &sent.assertion {
            Some(assertion) => {
                let claims = verified(assertion, &client.keys, &named, audience, now).ok_or_else(refused)?;
                Some((sha256(format!("mimamori:jti|{actor}|{}", claims.jti).as_bytes()), claims.exp))
            }
            None if client.terminal.is_some() && client.keys.is_empty() => None,
            None => return Err(refused()),
        };
        let scopes = granted(&sent.scope, &account.scopes)?;

        let secret = random_token().map_err(Error::unavailable)?;
        let (token_hash, expires) = (hash_token(&secret), now.plus(TOKEN));
        let session = SessionRef {
            id: self.session_id(&token_hash, actor, expires, None),
            version: 0,
            expires,
            ends: expires,
            token_hash,
            last_seen: now,
            under: None,
            bearer: true,
            shown: Shown::Password,
            began: now,
            proved: now,
        };
        let institution = account.institution;
        let caller = Caller::of_session(context, session, origin, now, self.pack.hash());
        self.admitted(&caller).await?;
        let mut unit = Unit::new();
        let args = vec![actor.into(), now.into()];
        unit.changes.push(Change::any(&sql::SWEEP_SHORT_TOKENS, args));
        let row = |hash: [u8; 32], id: SessionId, scopes: String, until: Timestamp, revoked: Value| {
            let institution = institution.into();
            vec![
                hash.into(),
                id.into(),
                actor.into(),
                scopes.into(),
                institution,
                now.into(),
                until.into(),
                revoked,
            ]
        };
        if let Some((hash, exp)) = used {
            // Remembers the assertion until it is over. It opens nothing: it is revoked from the beginning.
            let until = Timestamp::from_micros(exp.saturating_mul(1_000_000));
            let mark = row(hash, SessionId::random(), String::new(), until, now.into());
            unit.changes.push(Change::insert(&tables::BEARER_TOKEN, mark));
        }
        let token = row(token_hash, session.id, scopes.join(" "), expires, Value::Null(ColumnType::Int));
        unit.changes.push(Change::insert(&tables::BEARER_TOKEN, token));
        let mut entry = caller.entry(unit.id, Action::SignIn);
        entry.resource = Some((Kind::of("bearer-token"), Some(ObjectId::from(actor))));
        let entry = self.with_sealed(&caller, entry, 0, None)?;
        match self.settle(&caller, unit.entry(entry)).await? {
            Settled::Done => Ok(ClientToken {
                token: hex::encode(secret),
                seconds: TOKEN.as_secs(),
                scope: scopes.iter().map(|text| smart_scope(text)).collect::<Vec<_>>().join(" "),
            }),
            Settled::Again => Err(kept_changing()),
        }
    }
}

/// The public keys of a JWK Set, checked: RSA of 2048 bits or more for RS384, P-384 for ES384, each with an
/// id of its own.
fn public_keys(text: &str) -> Result<Vec<Jwk>> {
    #[derive(Deserialize)]
    struct Keys {
        keys: Vec<serde_json::Value>,
    }
    let wrong = |rule: &'static str| fault("jwks", rule, "value");
    let set: Keys = serde_json::from_str(text).map_err(|_| wrong("the keys are a JWK Set (RFC 7517)"))?;
    if set.keys.is_empty() || set.keys.len() > MOST_KEYS {
        return Err(wrong("a program has 1 to 8 public keys"));
    }
    let private = ["d", "p", "q", "dp", "dq", "qi", "k", "oth"];
    let mut keys: Vec<Jwk> = Vec::new();
    for value in set.keys {
        if private.iter().any(|part| value.get(part).is_some()) {
            return Err(wrong("this set holds a private key: keep it secret and send the public part only"));
        }
        let key: Jwk =
            serde_json::from_value(value).map_err(|_| wrong("a key is for RS384 (RSA) or ES384 (P-384)"))?;
        if algorithm_of(&key).is_none() || DecodingKey::from_jwk(&key).is_err() {
            return Err(wrong("a key is for RS384 (RSA) or ES384 (P-384)"));
        }
        let named = key.common.key_id.as_deref().is_some_and(|id| !id.is_empty() && id.len() <= MOST_JTI);
        if !named || keys.iter().any(|other| other.common.key_id == key.common.key_id) {
            return Err(wrong("each key has an id (kid) of its own"));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn key_view(key: &Jwk) -> Result<ProgramKey> {
    Ok(ProgramKey {
        id: key.common.key_id.clone().unwrap_or_default(),
        thumbprint: key.thumbprint(ThumbprintHash::SHA256).map_err(Error::internal)?,
    })
}

/// What a key signs by; `None` for a kind that is not taken.
fn algorithm_of(key: &Jwk) -> Option<Algorithm> {
    use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve};
    match &key.algorithm {
        AlgorithmParameters::RSA(_) => Some(Algorithm::RS384),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => Some(Algorithm::ES384),
        _ => None,
    }
}

/// Whose an assertion says it is; nothing is proven by that.
fn claimed(assertion: &str) -> Option<String> {
    let claims: Claims = jsonwebtoken::dangerous::insecure_decode_claims(assertion).ok()?;
    Some(claims.sub)
}

/// The claims of an assertion that one of these keys signed, for this audience and not over
/// (SMART App Launch 2, "Authenticating to the Token endpoint").
fn verified(assertion: &str, keys: &[Jwk], client: &str, audience: &str, now: Timestamp) -> Option<Claims> {
    let header = decode_header(assertion).ok()?;
    let id = header.kid.as_ref()?;
    let key = keys.iter().find(|key| key.common.key_id.as_ref() == Some(id))?;
    // The key says what it signs by; what the assertion says of itself must be the same.
    let algorithm = algorithm_of(key).filter(|algorithm| *algorithm == header.alg)?;
    let mut validation = Validation::new(algorithm);
    validation.set_audience(&[audience]);
    validation.set_issuer(&[client]);
    validation.sub = Some(client.to_owned());
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    // The time is ours to ask: there is one clock.
    validation.validate_exp = false;
    let claims: Claims = decode(assertion, &DecodingKey::from_jwk(key).ok()?, &validation).ok()?.claims;
    let until = Timestamp::from_micros(claims.exp.checked_mul(1_000_000)?);
    let named = !claims.jti.is_empty() && claims.jti.len() <= MOST_JTI;
    (named && now < until && until <= now.plus(MOST_AHEAD)).then_some(claims)
}

/// Our form of a scope, from ours or SMART's. `c`, `r`, `u`, `d` and `s` come as reading (`rs`), writing
/// (`cu`, with or without `d`) or both: a narrower one cannot be kept, so it is not promised.
fn own_scope(text: &str) -> Option<String> {
    let (kind, access) = text.strip_prefix("system/").unwrap_or(text).rsplit_once('.')?;
    let access = match access {
        "rs" | "read" => "read",
        "cu" | "cud" | "write" => "write",
        "cruds" | "crus" | "*" => "*",
        _ => return None,
    };
    let own = format!("{kind}.{access}");
    scope(&own).map(|_| own)
}

/// A scope in SMART's form.
fn smart_scope(own: &str) -> String {
    let (kind, access) = own.rsplit_once('.').unwrap_or((own, ""));
    let access = match access {
        "read" => "rs",
        "write" => "cu",
        _ => "crus",
    };
    format!("system/{kind}.{access}")
}

/// What is granted of what was asked for: all of it, or nothing.
fn granted(asked: &str, registered: &[String]) -> Result<Vec<String>> {
    let own: Vec<Scope> = registered.iter().filter_map(|text| scope(text)).collect();
    let scopes: Vec<String> = match asked.split_whitespace().next() {
        None => return Ok(registered.to_vec()),
        Some(_) => asked.split_whitespace().map(own_scope).collect::<Option<_>>().unwrap_or_default(),
    };
    let within = |text: &String| scope(text).is_some_and(|scope| limited(&scope, &own) == scope);
    if scopes.is_empty() || !scopes.iter().all(within) {
        return Err(fault("scope", "the program was not registered for this scope", "value"));
    }
    Ok(scopes)
}

/// As much of a scope as these others cover.
pub(crate) fn limited(scope: &Scope, own: &[Scope]) -> Scope {
    let covered = |write: bool| match &scope.kind {
        None => own.iter().any(|own| own.kind.is_none() && if write { own.write } else { own.read }),
        Some(kind) => own.iter().any(|own| own.covers(kind, write)),
    };
    Scope {
        kind: scope.kind.clone(),
        read: scope.read && covered(false),
        write: scope.write && covered(true),
    }
}
