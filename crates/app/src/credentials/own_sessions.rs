//! Sessions as their owner, and whoever administers accounts, sees and ends them.

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, Error, ObjectId, Result, SessionId, Timestamp};
use mimamori_policy::Decision;
use mimamori_store::{AccessKey, Change, Row, Unit};
use mimamori_vault::Place;

use super::{own_account, target_of};
use crate::access::{Settled, decided, kept_changing};
use crate::body::kind;
use crate::caller::{ActorContext, Caller, SessionRef};
use crate::keys::vault_error;
use crate::sessions::Shown;
use crate::{App, sql};

/// A session that goes on. Times are UTC.
#[derive(Clone)]
pub struct SessionView {
    pub id: SessionId,
    /// When its owner signed in.
    pub began: Timestamp,
    pub last_seen: Timestamp,
    pub expires: Timestamp,
    /// Where it began.
    pub address: Option<String>,
    /// What kind of terminal said so, in a few words.
    pub agent: Option<String>,
    /// More than a password was shown.
    pub second: bool,
    pub locked: bool,
    /// It is the one that asks.
    pub this: bool,
}

/// Addresses stay out of debug output (invariant 9).
impl std::fmt::Debug for SessionView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionView").field("id", &self.id).field("this", &self.this).finish_non_exhaustive()
    }
}

impl App {
    /// The caller's own sessions that go on, the one used last first.
    ///
    /// # Errors
    /// Forbidden to programs; unavailable when it could not be recorded.
    pub async fn own_sessions(&self, caller: &Caller) -> Result<Vec<SessionView>> {
        let (context, _) = caller.person()?;
        let decision = self.require_general(caller, Action::Read, own_account(&context)).await?;
        self.shown_sessions(caller, &context, &decision).await
    }

    /// Somebody's sessions that go on, for those who administer accounts.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn sessions_of(&self, caller: &Caller, actor: ActorId) -> Result<Vec<SessionView>> {
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Read, target_of(&context)).await?;
        self.shown_sessions(caller, &context, &decision).await
    }

    /// Ends one of the caller's own sessions, or all but the present one.
    ///
    /// # Errors
    /// Not found when it does not go on; unavailable.
    pub async fn end_own_sessions(&self, caller: &Caller, one: Option<SessionId>) -> Result<()> {
        let (context, session) = caller.person()?;
        let decision = self.permit_general(caller, Action::SignOut, own_account(&context)).await?;
        self.end(caller, &decision, context.actor, one, session.token_hash, "the owner ended sessions").await
    }

    /// Ends one of somebody's sessions, or all, at once.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable; conflict for the caller's own.
    pub async fn end_sessions_of(
        &self,
        caller: &Caller,
        actor: ActorId,
        one: Option<SessionId>,
    ) -> Result<()> {
        if actor == caller.actor {
            return Err(Error::conflict("end your own sessions on your own page"));
        }
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Withdraw, target_of(&context)).await?;
        self.end(caller, &decision, actor, one, [0; 32], "sessions were ended").await
    }

    async fn shown_sessions(
        &self,
        caller: &Caller,
        context: &Arc<ActorContext>,
        decision: &Decision,
    ) -> Result<Vec<SessionView>> {
        let now = self.clock.now();
        let idle = i64::try_from(self.session_idle()?.as_micros()).unwrap_or(i64::MAX);
        let since = Timestamp::from_micros(now.as_micros().saturating_sub(idle));
        let args = vec![context.actor.into(), now.into(), since.into()];
        let key = self.staff_key(context.actor).await?;
        let mut found = Vec::new();
        for row in self.store.query(&sql::OPEN_SESSIONS, args).await? {
            let mut view = view_of(&row, caller).map_err(Error::unavailable)?;
            if let Some(sealed) = row.opt_blob(8).map_err(Error::unavailable)? {
                let place = Place::column("session", "place", view.id.as_bytes());
                let plain = mimamori_vault::open(&key, &place, sealed).map_err(vault_error)?;
                let place: serde_json::Value = serde_json::from_slice(&plain).unwrap_or_default();
                let said = |name: &str| place.get(name).and_then(|v| v.as_str()).map(ToOwned::to_owned);
                (view.address, view.agent) = (said("address"), said("agent"));
            }
            found.push(view);
        }
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Read), decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(context.actor))));
        entry.count = found.len() as u64;
        let entry = self.with_sealed(caller, entry, 0, Some("sessions"))?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(found),
            Settled::Again => Err(kept_changing()),
        }
    }

    async fn end(
        &self,
        caller: &Caller,
        decision: &Decision,
        actor: ActorId,
        one: Option<SessionId>,
        but: [u8; 32],
        stated: &str,
    ) -> Result<()> {
        let now = self.clock.now();
        let mut unit = Unit::new();
        match one {
            Some(id) => {
                let args = vec![actor.into(), id.into(), now.into()];
                unit.changes.push(Change::one(&sql::END_SESSION_OF, args));
                unit.bumps.push(AccessKey::from(id));
            }
            None => self.end_sessions(&mut unit, actor, but, now).await?,
        }
        let mut entry = decided(caller.entry(unit.id, Action::SignOut), decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        let entry = self.with_sealed(caller, entry, 0, Some(stated))?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }
}

impl Caller {
    /// A person's account and session; programs and the machine's operator have none.
    pub(crate) fn person(&self) -> Result<(Arc<ActorContext>, SessionRef)> {
        let session = self.session.filter(|session| !session.bearer);
        self.context.clone().zip(session).ok_or_else(Error::forbidden)
    }
}

fn view_of(row: &Row, caller: &Caller) -> Result<SessionView, mimamori_store::RowError> {
    let hash = row.blob(0)?;
    let created = row.time(2)?;
    Ok(SessionView {
        id: row.id_of(1)?,
        began: row.opt_int(3)?.map_or(created, Timestamp::from_micros),
        last_seen: row.time(4)?,
        expires: row.time(5)?,
        address: None,
        agent: None,
        second: Shown::of(row.text(6)?).is_some_and(|shown| shown.strength() > 1),
        locked: row.opt_int(7)?.is_some(),
        this: caller.session.is_some_and(|session| session.token_hash.as_slice() == hash),
    })
}
