//! What the clock has decided about accounts, written down: ends, planned changes, accounts that nobody uses.
//!
//! None of it is open any more before the job runs; the job adds the version and the ledger entry that say so.

use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, ObjectId, Result, Timestamp};
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::Unit;

use super::STRIDE;
use super::life::{CLOSED, ENDED, UNUSED};
use crate::access::{Settled, commit_error};
use crate::body::{Account, AccountKind, kind, time};
use crate::caller::Caller;
use crate::governance::jobs::ACCOUNTS;
use crate::{App, JobEnd, JobFailure, sql};

/// How long one program has the job to itself.
const LEASE: Duration = Duration::from_secs(600);

/// What a run of the job came to: how many accounts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Stopped because their end had come.
    pub ended: u64,
    /// Closed for good at their end.
    pub closed: u64,
    /// Changed as planned.
    pub changed: u64,
    /// Stopped because nobody used them for as long as the pack says.
    pub stopped: u64,
    /// Put up for review because nobody used them lately.
    pub unused: u64,
}

/// What there is to write down about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    End,
    Close,
    Disuse,
    Change,
}

impl App {
    /// Writes down what time has made of accounts, and stops those that nobody used for as long as the
    /// pack says. `None` when another program of this installation is at it.
    ///
    /// # Errors
    /// Unavailable; that is kept as the job's end, as far as it can be written.
    pub async fn tidy_accounts(&self) -> Result<Option<Tidied>> {
        let lease = self.store.acquire_lease(ACCOUNTS, self.instance, LEASE).await;
        let Some(lease) = lease.map_err(commit_error)? else { return Ok(None) };
        let app = self.in_force().await?;
        let tidied = app.tidy().await;
        let end = if tidied.is_ok() { JobEnd::Done } else { JobEnd::Failed(JobFailure::Unavailable) };
        let noted = self.note_job(ACCOUNTS, end).await;
        // If that fails, it runs out by itself.
        let _released = self.store.release_lease(lease).await;
        let tidied = tidied?;
        noted.map(|()| Some(tidied))
    }

    async fn tidy(&self) -> Result<Tidied> {
        let caller = self.itself();
        let target = GeneralTarget::of(kind::ACCOUNT);
        let decision = self.require_general(&caller, Action::Administer, target).await?;
        let mut tidied = Tidied::default();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::ACCOUNT.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::OBJECTS_OF_KIND, args).await?;
            let last = (rows.len() as i64) < STRIDE;
            for row in rows {
                after = row.id_of(0).map_err(Error::unavailable)?;
                self.tidy_one(&caller, &decision, ActorId::from(after), &mut tidied).await?;
            }
            if last {
                return Ok(tidied);
            }
        }
    }

    async fn tidy_one(
        &self,
        caller: &Caller,
        decision: &Decision,
        actor: ActorId,
        tidied: &mut Tidied,
    ) -> Result<()> {
        let account = self.opened_account(actor).await?.account;
        let now = self.clock.now();
        if account.active && account.life.closed.is_none() {
            tidied.unused += u64::from(self.nobody_uses(&account, actor, now, false).await?);
        }
        let Some(due) = self.due(&account, actor, now).await? else { return Ok(()) };
        let mut unit = Unit::new();
        let stated = match due {
            Due::End => Some(ENDED),
            Due::Close => Some(CLOSED),
            Due::Disuse => Some(UNUSED),
            Due::Change => None,
        };
        self.put_account_change(caller, decision, &mut unit, actor, stated, |account| match due {
            Due::Change => {}
            Due::Close => account.close(now, CLOSED),
            Due::End | Due::Disuse => {
                account.active = false;
                account.stopped_because = stated.map(ToOwned::to_owned);
            }
        })
        .await?;
        // Somebody else's change in between: the next run looks again.
        if let Settled::Done = self.settle(caller, unit).await? {
            match due {
                Due::End => tidied.ended += 1,
                Due::Close => tidied.closed += 1,
                Due::Disuse => tidied.stopped += 1,
                Due::Change => tidied.changed += 1,
            }
        }
        Ok(())
    }

    async fn due(&self, account: &Account, actor: ActorId, now: Timestamp) -> Result<Option<Due>> {
        let life = &account.life;
        let ended = life.ends.is_some_and(|ends| time(ends) <= now);
        if life.closed.is_some() {
            return Ok(None);
        }
        if ended && life.closes {
            return Ok(Some(Due::Close));
        }
        if ended && account.active {
            return Ok(Some(Due::End));
        }
        if account.active && self.nobody_uses(account, actor, now, true).await? {
            return Ok(Some(Due::Disuse));
        }
        let planned = life.planned.iter().any(|plan| time(plan.at) <= now);
        Ok(planned.then_some(Due::Change))
    }

    /// Whether nobody used an account for as long as the pack names: for its stop, or for a report.
    async fn nobody_uses(
        &self,
        account: &Account,
        actor: ActorId,
        now: Timestamp,
        stop: bool,
    ) -> Result<bool> {
        // Programs sign in by no session; emergency accounts are there not to be used.
        if account.kind == AccountKind::Program
            || account.life.sort == super::AccountSort::Emergency
            || account.life.sort == super::AccountSort::Shared
        {
            return Ok(false);
        }
        let last = self.store.query_one(&sql::LAST_SESSION, vec![actor.into()]).await?;
        let last = last.map(|row| row.time(0)).transpose().map_err(mimamori_domain::Error::unavailable)?;
        if stop {
            self.unused_too_long(&account.credential, last, now)
        } else {
            self.long_unused(&account.credential, last, now)
        }
    }
}
