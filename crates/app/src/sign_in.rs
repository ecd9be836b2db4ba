//! Signing in and out, and who a session or bearer token belongs to.

use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, ErrorKind, Result, SessionId, Timestamp};
use mimamori_policy::GeneralTarget;
use mimamori_store::{AccessKey, Change, ColumnType, Row, Unit, Value, tables};
use mimamori_vault::{IndexField, hash_token, random_token};

use crate::access::Settled;
use crate::body::kind;
use crate::caller::{Caller, SessionRef};
use crate::credentials::Limits;
use crate::passwords::{Line, MOST_BYTES};
use crate::sessions::Session;
use crate::{App, Origin, sql};

/// What signing in gave.
pub struct SignedIn {
    /// The secret for the cookie; it exists nowhere else.
    pub token: String,
    /// UTC.
    pub last_sign_in: Option<Timestamp>,
    /// Failed tries since then.
    pub failed_since: u32,
    /// Another password must be chosen before anything else is answered.
    pub must_change: bool,
}

/// The token stays out of debug output.
impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").finish_non_exhaustive()
    }
}

/// One answer for an unknown name, a wrong password and a stopped account.
fn refused() -> Error {
    Error::new(ErrorKind::Unauthenticated, "the sign-in name or the password is not right")
}

impl App {
    /// Signs a staff member or citizen user in.
    ///
    /// # Errors
    /// Unauthenticated, the same for an unknown name and a wrong password and after the same work; busy
    /// while further tries must wait, whether or not somebody has the name; gone, to whoever knows the
    /// password, for a first password whose time is over and for an account that was not used for long;
    /// forbidden, to whoever knows the password, from a zone or terminal that the rules do not open to them.
    pub async fn sign_in(&self, login: &str, password: &str, origin: &Origin) -> Result<SignedIn> {
        if login.len() > MOST_BYTES || password.len() > MOST_BYTES || login.is_empty() {
            return Err(refused());
        }
        let now = self.clock.now();
        let (tried, limits) = (self.try_of(login, origin), Limits::of(&self.pack)?);
        let attempts = self.counted(&tried, now).await?;
        if attempts.waits_until(&limits, now, false).is_some() {
            return Err(self.refused_to_wait(origin));
        }
        let actor = self.actor_of_login(&tried.login).await?;
        let context = match actor {
            Some(actor) => Some(self.actor_context_now(actor).await?),
            None => None,
        }
        // The account itself says whose name it is; the row that led here might have been changed.
        .filter(|context| context.account.login == login.trim().to_lowercase());
        self.count_try(&tried, &attempts, &limits, context.is_some(), now).await?;
        // Others tried at the same time: together they get no more tries than one after the other.
        if self.counted(&tried, now).await?.waits_until(&limits, now, true).is_some() {
            return Err(self.refused_to_wait(origin));
        }
        let hash = context.as_ref().filter(|c| c.account.active).and_then(|c| c.account.password.clone());
        let line = if attempts.known { Line::Known } else { Line::Stranger };
        let right = self.passwords.verify(password, hash, line).await?;
        let Some(context) = context.filter(|_| right) else {
            self.refused_before_sign_in(origin, "sign-in-failed");
            return Err(refused());
        };
        let last = self.store.query_one(&sql::LAST_SESSION, vec![context.actor.into()]).await?;
        let last = last.map(|row| row.time(0)).transpose().map_err(Error::unavailable)?;
        if let Some(over) = self.over(&context.account.credential, last, now)? {
            self.refused_before_sign_in(origin, "sign-in-over");
            return Err(over);
        }

        let secret = random_token().map_err(Error::unavailable)?;
        let expires = now.plus(self.session_absolute()?);
        let token_hash = hash_token(&secret);
        let session = SessionRef {
            id: self.session_id(&token_hash, context.actor, expires),
            version: 0,
            expires,
            ends: expires,
            token_hash,
            last_seen: now,
            bearer: false,
        };
        let must_change = self.must_change(&context.account, false, now)?;
        let caller = Caller::of_session(context, session, origin, now, self.pack.hash());
        self.admitted(&caller).await?;
        let mut unit = Unit::new();
        unit.changes.push(Change::insert(&tables::SESSION, session_row(&caller, &session, now)));
        let entry = self.with_sealed(&caller, caller.entry(unit.id, Action::SignIn), 0, None)?;
        if let Settled::Again = self.settle(&caller, unit.entry(entry)).await? {
            return Err(refused());
        }
        self.forget_tries(&tried, &attempts, session.id.as_bytes(), expires, now).await?;
        Ok(SignedIn {
            token: hex::encode(secret),
            last_sign_in: last,
            failed_since: u32::try_from(attempts.tally).unwrap_or(u32::MAX),
            must_change,
        })
    }

    /// Whether the rules let the caller sign in from where they are: zone and terminal (kawaguchi.9-2-2-2).
    /// Told only to whoever has proven who they are.
    pub(crate) async fn admitted(&self, caller: &Caller) -> Result<()> {
        let own = GeneralTarget::of(kind::ACCOUNT).owned_by(caller.actor);
        self.require_general(caller, Action::SignIn, own).await.map(drop)
    }

    fn refused_to_wait(&self, origin: &Origin) -> Error {
        self.refused_before_sign_in(origin, "sign-in-locked");
        Error::new(
            ErrorKind::Busy,
            "there were too many failed tries; please wait a little before the next one",
        )
    }

    /// Ends the caller's session.
    ///
    /// # Errors
    /// Unavailable when it could not be recorded.
    pub async fn sign_out(&self, caller: &Caller) -> Result<()> {
        let Some(session) = caller.session.filter(|session| !session.bearer) else { return Ok(()) };
        let mut unit = Unit::new();
        unit.changes
            .push(Change::any(&sql::END_SESSION, vec![session.token_hash.into(), self.clock.now().into()]));
        unit.bumps.push(AccessKey::from(session.id));
        let entry = self.with_sealed(caller, caller.entry(unit.id, Action::SignOut), 0, None)?;
        self.settle(caller, unit.entry(entry)).await?;
        Ok(())
    }

    /// Who a session belongs to.
    ///
    /// # Errors
    /// Unauthenticated when there is no such session, or it is over.
    pub async fn caller(&self, session_token: &str, origin: &Origin) -> Result<Caller> {
        self.resolve(session_token, origin, false).await
    }

    /// Which program a bearer token (RFC 6750) belongs to.
    ///
    /// # Errors
    /// Unauthenticated when there is no such token, or it is over or revoked.
    pub async fn caller_from_bearer(&self, token: &str, origin: &Origin) -> Result<Caller> {
        self.resolve(token, origin, true).await
    }

    async fn resolve(&self, token: &str, origin: &Origin, bearer: bool) -> Result<Caller> {
        let over = || Error::new(ErrorKind::Unauthenticated, "please sign in");
        let secret: [u8; 32] =
            hex::decode(token).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(over)?;
        let hash = hash_token(&secret);
        let session = match self.sessions.get(&hash).filter(|session| session.bearer == bearer) {
            Some(session) => session,
            None => {
                let statement = if bearer { &sql::BEARER } else { &sql::SESSION };
                let row = self.store.query_one(statement, vec![hash.into()]).await?.ok_or_else(over)?;
                let session = session_from_row(&row, bearer).map_err(Error::unavailable)?.ok_or_else(over)?;
                if session.id != self.session_id(&hash, session.actor, session.expires) {
                    tracing::error!("a session's row was not made by this installation");
                    return Err(over());
                }
                self.sessions.keep(hash, session.clone());
                session
            }
        };
        let now = self.clock.now();
        let idle = now.since(session.last_seen);
        if now >= session.expires || (!bearer && idle >= self.session_idle()?) {
            return Err(over());
        }
        let context = match self.actor_context(session.actor).await {
            Ok(context) if context.account.active => context,
            Ok(_) => self.actor_context_now(session.actor).await?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(over()),
            Err(error) => return Err(error),
        };
        if !context.account.active {
            return Err(over());
        }
        let scopes = session.scopes;
        let session = SessionRef {
            id: session.id,
            version: session.version,
            expires: session.expires,
            ends: if bearer { session.expires } else { session.expires.min(now.plus(self.session_idle()?)) },
            token_hash: hash,
            last_seen: session.last_seen,
            bearer,
        };
        let must_change = !bearer && self.must_change(&context.account, false, now)?;
        // A token of a program that shows its terminal's certificate opens nothing without it (RFC 8705,
        // section 3).
        let bound = context.account.client.as_ref().and_then(|client| client.terminal);
        if bound.is_some() && origin.terminal != bound {
            return Err(over());
        }
        let mut caller = Caller::of_session(context, session, origin, now, self.pack.hash());
        if let Some(scopes) = &scopes {
            caller.limit(scopes);
        }
        Ok(if must_change { caller.until_changed() } else { caller })
    }

    /// A session's id is made with a key from what its row says, so that a row written behind the
    /// program's back opens nothing.
    pub(crate) fn session_id(&self, token_hash: &[u8; 32], actor: ActorId, expires: Timestamp) -> SessionId {
        let text = format!("mimamori:session|{}{actor}{}", hex::encode(token_hash), expires.as_micros());
        SessionId::from_bytes(*self.keys.fixed.token(IndexField::Identifier, &text).as_bytes())
    }

    fn session_idle(&self) -> Result<Duration> {
        Ok(Duration::from_secs(60 * self.pack.parameter_u64("session.idle-minutes")?))
    }

    fn session_absolute(&self) -> Result<Duration> {
        Ok(Duration::from_secs(3600 * self.pack.parameter_u64("session.absolute-hours")?))
    }

    /// The blind token a login name is found by; upper and lower case are the same.
    pub(crate) fn login_token(&self, login: &str) -> Vec<u8> {
        self.keys
            .fixed
            .token(IndexField::Identifier, &format!("mimamori:login|{}", login.trim().to_lowercase()))
            .to_vec()
    }

    pub(crate) async fn actor_of_login(&self, login_token: &[u8]) -> Result<Option<ActorId>> {
        let row = self.store.query_one(&sql::LOGIN, vec![login_token.into()]).await?;
        row.map(|row| row.id_of(0)).transpose().map_err(Error::unavailable)
    }
}

fn session_row(caller: &Caller, session: &SessionRef, now: Timestamp) -> Vec<Value> {
    vec![
        session.token_hash.into(),
        session.id.into(),
        caller.actor.into(),
        caller.institution().into(),
        caller.origin.terminal.into(),
        caller
            .origin
            .zone
            .as_ref()
            .map_or(Value::Null(ColumnType::Text), |zone| zone.as_str().to_owned().into()),
        "password".into(),
        now.into(),
        now.into(),
        session.expires.into(),
        Value::Null(ColumnType::Int),
    ]
}

fn session_from_row(row: &Row, bearer: bool) -> Result<Option<Session>, mimamori_store::RowError> {
    let (last_seen, expires, ended, version) = if bearer { (2, 3, 4, 5) } else { (3, 4, 5, 6) };
    if row.opt_int(ended)?.is_some() {
        return Ok(None);
    }
    Ok(Some(Session {
        id: row.id_of(0)?,
        actor: row.id_of(1)?,
        version: row.int(version)?,
        last_seen: row.time(last_seen)?,
        expires: row.time(expires)?,
        bearer,
        scopes: if bearer { Some(row.text(6)?.into()) } else { None },
    }))
}
