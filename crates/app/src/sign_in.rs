//! Signing in and out, and who a session or bearer token belongs to.

use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, ErrorKind, ObjectId, Outcome, Result, SessionId, Timestamp};
use mimamori_policy::GeneralTarget;
use mimamori_store::{AccessKey, Change, ColumnType, Row, Unit, Value, tables};
use mimamori_vault::{IndexField, Place, hash_token, random_token};

use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::accounts::AccountSort;
use crate::body::kind;
use crate::caller::{ActorContext, Caller, First, SessionRef};
use crate::credentials::{Begun, Counted, Limits, SecondHalf, Try};
use crate::keys::vault_error;
use crate::passwords::{Line, MOST_BYTES};
use crate::sessions::{Marks, Session, Shown};
use crate::{App, Origin, sql};

/// What signing in gave.
pub struct SignedIn {
    /// The secret for the cookie; it exists nowhere else.
    pub token: String,
    /// UTC.
    pub last_sign_in: Option<Timestamp>,
    /// Failed tries since then.
    pub failed_since: u32,
    /// What must come before anything else is answered.
    pub first: Option<First>,
    /// So many older sessions of the account ended, because it may have no more open at once.
    pub ended: u64,
    /// The token is that of a sign-in that waits for its second factor ([`App::finish_sign_in`]).
    pub second: bool,
    /// Who signed in; nobody yet while the second factor is waited for.
    pub(crate) actor: Option<ActorId>,
}

impl SignedIn {
    /// The first half of a sign-in that asks for a second factor: its token opens nothing by itself.
    pub(crate) const fn half(token: String) -> Self {
        Self { token, last_sign_in: None, failed_since: 0, first: None, ended: 0, second: true, actor: None }
    }
}

/// The token stays out of debug output.
impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").finish_non_exhaustive()
    }
}

/// What a terminal says it is, at most so many characters.
const MOST_AGENT: usize = 80;

/// One answer for an unknown name, a wrong password and a stopped account.
pub(crate) fn refused() -> Error {
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
        // A shared id is taken, not signed in to.
        let alone = |c: &&Arc<ActorContext>| c.account.active && c.account.life.sort != AccountSort::Shared;
        let hash = context.as_ref().filter(alone).and_then(|c| c.account.password.clone());
        let line = if attempts.known { Line::Known } else { Line::Stranger };
        let right = self.passwords.verify(password, hash, line).await?;
        let Some(context) = context.filter(|c| right && alone(&c)) else {
            self.refused_before_sign_in(origin, "sign-in-failed");
            return Err(refused());
        };
        let last = self.store.query_one(&sql::LAST_SESSION, vec![context.actor.into()]).await?;
        let last = last.map(|row| row.time(0)).transpose().map_err(Error::unavailable)?;
        if let Some(over) = self.over(&context.account, last, now)? {
            self.refused_before_sign_in(origin, "sign-in-over");
            return Err(over);
        }

        if context.account.credential.factors.asked() {
            // The password alone opens nothing: what was counted for it was no failure.
            self.take_back(&tried, &attempts).await?;
            let half = SecondHalf { version: context.version, provider: false };
            let token = self.begin(Begun::SignIn, context.actor, half).await?;
            return Ok(SignedIn::half(token));
        }
        let mut unit = Unit::new();
        let counted = (&tried, &attempts);
        let opened = self.open_counted(&mut unit, context, Shown::Password, origin, now, counted).await?;
        self.signed_in(unit, opened, last, &tried, &attempts, "").await
    }

    /// Records that somebody signed in, and forgets what was counted.
    pub(crate) async fn signed_in(
        &self,
        mut unit: Unit,
        (caller, token): (Caller, String),
        last_sign_in: Option<Timestamp>,
        tried: &Try,
        attempts: &Counted,
        stated: &str,
    ) -> Result<SignedIn> {
        let session = caller.session.ok_or_else(refused)?;
        let stated = Some(stated).filter(|text| !text.is_empty());
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(&caller, caller.entry(unit.id, Action::SignIn), index, stated)?;
        unit.entries.push(entry);
        self.put_emergency_use(&caller, &mut unit).await?;
        if let Settled::Again = self.settle(&caller, unit).await? {
            return Err(refused());
        }
        let now = session.began;
        self.forget_tries(tried, attempts, session.id.as_bytes(), session.expires, now).await?;
        let ended = self.end_oldest_sessions(&caller).await?;
        Ok(SignedIn {
            token,
            last_sign_in,
            failed_since: u32::try_from(attempts.tally).unwrap_or(u32::MAX),
            first: caller.first,
            ended,
            second: false,
            actor: Some(caller.actor),
        })
    }

    /// Ends the oldest sessions of somebody who has just signed in, so that no more go on than the pack
    /// allows. Asked once the new one is there: of several that begin at the same moment the last one to ask
    /// sees them all.
    async fn end_oldest_sessions(&self, caller: &Caller) -> Result<u64> {
        let most =
            usize::try_from(self.pack.parameter_u64("session.most-per-account")?).unwrap_or(usize::MAX);
        let own = caller.session.map(|session| session.id);
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let args = vec![caller.actor.into(), now.into(), now.minus(self.session_idle()?).into()];
            let mut open = Vec::new();
            for row in self.store.query(&sql::SESSIONS_BY_AGE, args).await? {
                open.push(row.id_of::<SessionId>(0).map_err(Error::unavailable)?);
            }
            let over = open.len().saturating_sub(most);
            let oldest: Vec<_> = open.into_iter().filter(|id| Some(*id) != own).take(over).collect();
            if oldest.is_empty() {
                return Ok(0);
            }
            let mut unit = Unit::new();
            for id in &oldest {
                let args = vec![caller.actor.into(), (*id).into(), now.into()];
                unit.changes.push(Change::any(&sql::END_SESSION_OF, args));
                unit.bumps.push(AccessKey::from(*id));
            }
            let mut entry = caller.entry(unit.id, Action::SignOut);
            entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(caller.actor))));
            entry.count = oldest.len() as u64;
            let stated = Some("the oldest sessions ended: no more may be open at once");
            let entry = self.with_sealed(caller, entry, 0, stated)?;
            if let Settled::Done = self.settle(caller, unit.entry(entry)).await? {
                return Ok(oldest.len() as u64);
            }
        }
        Err(kept_changing())
    }

    /// As [`App::open_session`]. Who proved who they are and may not come from here has not failed: what was
    /// counted is taken back, and the refusal is on the record.
    pub(crate) async fn open_counted(
        &self,
        unit: &mut Unit,
        context: Arc<ActorContext>,
        shown: Shown,
        origin: &Origin,
        now: Timestamp,
        (tried, attempts): (&Try, &Counted),
    ) -> Result<(Caller, String)> {
        let opened = self.open_session(unit, context, shown, origin, now).await;
        if opened.as_ref().is_err_and(|error| error.kind() == ErrorKind::Forbidden) {
            self.take_back(tried, attempts).await?;
        }
        opened
    }

    /// Puts a new session into a unit.
    pub(crate) async fn open_session(
        &self,
        unit: &mut Unit,
        context: Arc<ActorContext>,
        shown: Shown,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<(Caller, String)> {
        let expires = now.plus(self.session_absolute()?);
        self.put_session(
            unit,
            context,
            origin,
            Opening { shown, began: now, proved: now, expires, under: None },
            now,
        )
        .await
    }

    pub(crate) async fn put_session(
        &self,
        unit: &mut Unit,
        context: Arc<ActorContext>,
        origin: &Origin,
        opening: Opening,
        now: Timestamp,
    ) -> Result<(Caller, String)> {
        let secret = random_token().map_err(Error::unavailable)?;
        let token_hash = hash_token(&secret);
        let Opening { shown, began, proved, expires, under } = opening;
        let session = SessionRef {
            id: self.session_id(
                &token_hash,
                context.actor,
                expires,
                Some(Marks { shown, began, proved, under, terminal: origin.terminal }),
            ),
            version: 0,
            expires,
            ends: expires,
            token_hash,
            last_seen: now,
            bearer: false,
            under,
            shown,
            began,
            proved,
        };
        let place = self.seal_place(&session, context.actor, origin).await?;
        let caller = Caller::of_session(context, session, origin, now, self.pack.hash());
        self.admitted(&caller).await?;
        let caller = self.first_things(caller)?;
        unit.changes.push(Change::insert(&tables::SESSION, session_row(&caller, &session, place, now)));
        Ok((caller, hex::encode(secret)))
    }

    /// Where a session began, for its owner to recognise: sealed, for it may lead to a person.
    async fn seal_place(&self, session: &SessionRef, actor: ActorId, origin: &Origin) -> Result<Vec<u8>> {
        let plain = serde_json::json!({
            "v": 1,
            "address": origin.address.map(|address| address.to_string()),
            "agent": origin.agent.as_deref().map(|agent| agent.chars().take(MOST_AGENT).collect::<String>()),
        });
        let key = self.staff_key(actor).await?;
        let place = Place::column("session", "place", session.id.as_bytes());
        mimamori_vault::seal(&key, &place, plain.to_string().as_bytes()).map_err(vault_error)
    }

    /// The caller, limited to what must come before anything else.
    fn first_things(&self, caller: Caller) -> Result<Caller> {
        let Some(context) = caller.context.clone().filter(|_| caller.session.is_some_and(|s| !s.bearer))
        else {
            return Ok(caller);
        };
        let now = self.clock.now();
        let factors = &context.account.credential.factors;
        // Whom the provider vouches for uses no password here, so none need be changed.
        let (by_provider, one_factor) =
            caller.session.map_or((false, true), |s| (s.shown.by_provider(), s.shown.one_factor()));
        if !by_provider && self.must_change(&context.account, !factors.kept.is_empty(), now)? {
            return Ok(caller.until(First::Password));
        }
        let vouched = by_provider && !one_factor;
        if factors.kept.is_empty()
            && !vouched
            && (factors.lost.is_some() || self.wants_second(&context, &caller.origin, now)?)
        {
            return Ok(caller.until(First::Factor));
        }
        Ok(caller)
    }

    /// Whether the rules let the caller sign in from where they are: zone and terminal (kawaguchi.9-2-2-2).
    /// Told only to whoever has proven who they are.
    pub(crate) async fn admitted(&self, caller: &Caller) -> Result<()> {
        let own = GeneralTarget::of(kind::ACCOUNT).owned_by(caller.actor);
        self.require_general(caller, Action::SignIn, own).await.map(drop)
    }

    pub(crate) fn refused_to_wait(&self, origin: &Origin) -> Error {
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
                if row_is_ended(&row, bearer).map_err(Error::unavailable)? {
                    return Err(over());
                }
                let session = session_from_row(&row, bearer).map_err(Error::unavailable)?;
                let more = row_says_more(&row, bearer).map_err(Error::unavailable)?;
                let more = more.then_some(session.marks());
                if session.id != self.session_id(&hash, session.actor, session.expires, more) {
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
        // Begun before there was a second factor: it is asked for.
        if !bearer && session.shown.one_factor() && context.account.credential.factors.asked() {
            return Err(over());
        }
        // Who may not act under the shared id any more does not go on as somebody else unasked.
        let context = match session.under {
            Some(shared) => self.under_shared(&context, shared).await?.ok_or_else(over)?,
            None => context,
        };
        let (locked, belongs) = (session.locked, session.terminal);
        let scopes = session.scopes.clone();
        let session = SessionRef {
            id: session.id,
            version: session.version,
            expires: session.expires,
            ends: if bearer { session.expires } else { session.expires.min(now.plus(self.session_idle()?)) },
            token_hash: hash,
            last_seen: session.last_seen,
            bearer,
            under: session.under,
            shown: session.shown,
            began: session.began,
            proved: session.proved,
        };
        // What began on a registered terminal opens nothing without that terminal's certificate, whoever
        // has its secret (as RFC 8705, section 3, has it for tokens).
        if belongs.is_some() && origin.terminal != belongs {
            self.refused_elsewhere(context, session, origin, now).await?;
            return Err(over());
        }
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
        if locked { Ok(caller.until(First::Unlock)) } else { self.first_things(caller) }
    }

    /// Writes down that a session was presented from where it did not begin: another terminal, or none.
    async fn refused_elsewhere(
        &self,
        context: Arc<ActorContext>,
        session: SessionRef,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<()> {
        if !self.sessions.note_elsewhere(session.id, now) {
            self.refused_before_sign_in(origin, "session-elsewhere");
            return Ok(());
        }
        let (actor, caller) =
            (context.actor, Caller::of_session(context, session, origin, now, self.pack.hash()));
        let unit = Unit::new();
        let mut entry = caller.entry(unit.id, Action::SignIn);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        entry.outcome = Outcome::Refused;
        entry.count = 0;
        let stated = Some("a session was presented from where it did not begin");
        let entry = self.with_sealed(&caller, entry, 0, stated)?;
        self.settle(&caller, unit.entry(entry)).await.map(drop)
    }

    /// A session's id is made with a key from what its row says, so that a row written or changed behind
    /// the program's back opens nothing. `more`: by what it was shown, when, the shared id, and on which
    /// terminal.
    pub(crate) fn session_id(
        &self,
        token_hash: &[u8; 32],
        actor: ActorId,
        expires: Timestamp,
        more: Option<Marks>,
    ) -> SessionId {
        let mut text = format!("mimamori:session|{}{actor}{}", hex::encode(token_hash), expires.as_micros());
        if let Some(Marks { shown, began, proved, under, terminal }) = more {
            text.push_str(&format!("|{}|{}|{}", shown.as_str(), began.as_micros(), proved.as_micros()));
            if let Some(shared) = under {
                text.push_str(&format!("|under {shared}"));
            }
            if let Some(terminal) = terminal {
                text.push_str(&format!("|{terminal}"));
            }
        }
        SessionId::from_bytes(*self.keys.fixed.token(IndexField::Identifier, &text).as_bytes())
    }

    pub(crate) fn session_idle(&self) -> Result<Duration> {
        Ok(Duration::from_secs(60 * self.pack.parameter_u64("session.idle-minutes")?))
    }

    pub(crate) fn session_absolute(&self) -> Result<Duration> {
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

/// What a session begins with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) shown: Shown,
    pub(crate) began: Timestamp,
    pub(crate) proved: Timestamp,
    pub(crate) expires: Timestamp,
    /// The shared id that the session goes on under.
    pub(crate) under: Option<ActorId>,
}

fn session_row(caller: &Caller, session: &SessionRef, place: Vec<u8>, now: Timestamp) -> Vec<Value> {
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
        session.shown.as_str().into(),
        now.into(),
        now.into(),
        session.expires.into(),
        Value::Null(ColumnType::Int),
        session.began.into(),
        session.proved.into(),
        Value::Null(ColumnType::Int),
        Value::Null(ColumnType::Int),
        place.into(),
        session.under.into(),
    ]
}

/// Whether a row says by what it was shown: those of older programs do not.
fn row_says_more(row: &Row, bearer: bool) -> Result<bool, mimamori_store::RowError> {
    Ok(!bearer && row.opt_int(9)?.is_some())
}

/// Whether somebody ended the session, or revoked the token.
fn row_is_ended(row: &Row, bearer: bool) -> Result<bool, mimamori_store::RowError> {
    Ok(row.opt_int(if bearer { 4 } else { 5 })?.is_some())
}

pub(crate) fn session_from_row(row: &Row, bearer: bool) -> Result<Session, mimamori_store::RowError> {
    let (last_seen, expires, version) = if bearer { (2, 3, 5) } else { (3, 4, 6) };
    let created = row.time(2)?;
    let (shown, began, proved, locked, under, terminal) = if bearer {
        (Shown::Password, created, created, false, None, None)
    } else {
        let at = |column| Ok(row.opt_int(column)?.map_or(created, Timestamp::from_micros));
        // An unknown word counts for the least.
        let shown = Shown::of(row.text(7)?).unwrap_or(Shown::Password);
        (shown, at(8)?, at(9)?, row.opt_int(10)?.is_some(), row.opt_id_of(11)?, row.opt_id_of(12)?)
    };
    Ok(Session {
        id: row.id_of(0)?,
        actor: row.id_of(1)?,
        version: row.int(version)?,
        last_seen: row.time(last_seen)?,
        expires: row.time(expires)?,
        bearer,
        shown,
        began,
        proved,
        locked,
        under,
        terminal,
        scopes: if bearer { Some(row.text(6)?.into()) } else { None },
    })
}
