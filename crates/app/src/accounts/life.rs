//! How long an account lives: until when it may be used, what is to change at a stated minute, when it is
//! open at all, and its end for good.
//!
//! Nothing here waits for a job: what an account is at a minute is read from the account and the clock, at
//! every request and once more when a unit commits ([`crate::App::settle`]). The job of [`super::tidy`] only
//! writes down what holds already.

use mimamori_domain::{Action, ActorId, Error, InstitutionId, ObjectId, OccupationCode, Result, Timestamp};
use mimamori_store::Unit;
use serde::{Deserialize, Serialize};

use crate::App;
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::administration::target_of;
use crate::body::{Account, AccountKind, Credential, time};
use crate::caller::Caller;
use crate::record::{fault, stated_reason};

/// Stopped by the program itself: its end had come.
pub(crate) const ENDED: &str = "=ended";
/// Stopped by the program itself: nobody used it.
pub(crate) const UNUSED: &str = "=unused";
/// Stopped by the approval of a procedure.
pub(crate) const BY_PROCEDURE: &str = "=procedure";
/// An emergency account whose use was reviewed: to be sealed anew.
pub(crate) const REVIEWED: &str = "=reviewed";
/// Closed for good.
pub(crate) const CLOSED: &str = "=closed";

/// What an account is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountSort {
    #[default]
    Ordinary,
    /// Development: ends with the work (kawaguchi.9-3-2-2-1).
    Development,
    /// A person's own for maintenance: open inside approved windows only (mhlw5.6.8-C-2).
    Maintenance,
    /// Sealed, for an emergency (mhlw5.6.10-C-3).
    Emergency,
    /// Taken by permitted people who signed in as themselves (kawaguchi.8-4-2-2).
    Shared,
}

impl AccountSort {
    /// Every sort, in the order shown.
    pub const ALL: [Self; 5] =
        [Self::Ordinary, Self::Development, Self::Maintenance, Self::Emergency, Self::Shared];

    /// Its word, for texts and the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Development => "development",
            Self::Maintenance => "maintenance",
            Self::Emergency => "emergency",
            Self::Shared => "shared",
        }
    }

    /// The sort of a word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.as_str() == word)
    }
}

/// How long an account lives. Times are microseconds UTC.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Life {
    #[serde(default, skip_serializing_if = "is_ordinary")]
    pub(crate) sort: AccountSort,
    /// Exclusive: the contract, appointment or work behind it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends: Option<i64>,
    /// Why it ends then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ends_because: Option<String>,
    /// It is closed for good when it ends.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) closes: bool,
    /// Closed for good since then: nothing opens it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<i64>,
    /// What changes later, earliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) planned: Vec<Planned>,
    /// When an account for maintenance is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) windows: Vec<Opening>,
    /// Who may take it, if it is a shared id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) permitted: Vec<ActorId>,
    /// The case whose approval issued it: what proves the identity for its first password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) case: Option<ObjectId>,
}

fn is_ordinary(sort: &AccountSort) -> bool {
    *sort == AccountSort::Ordinary
}

/// A time during which an account for maintenance is open. Microseconds UTC, the end exclusive.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Opening {
    pub(crate) from: i64,
    pub(crate) until: i64,
    /// The case that approved it.
    pub(crate) case: ObjectId,
}

/// A change that takes effect at a stated minute.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub(crate) at: i64,
    #[serde(flatten)]
    pub(crate) change: AccountChange,
}

/// What changes about an account; what is none stays.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kana: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) occupation: Option<OccupationCode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) institution: Option<InstitutionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mail: Option<String>,
}

impl AccountChange {
    /// What it changes, as words for texts.
    fn words(&self) -> Vec<&'static str> {
        let told = [
            (self.name.is_some() || self.kana.is_some(), "name"),
            (self.occupation.is_some(), "occupation"),
            (self.institution.is_some(), "institution"),
            (self.unit.is_some(), "unit"),
            (self.mail.is_some(), "mail"),
        ];
        told.into_iter().filter_map(|(changes, word)| changes.then_some(word)).collect()
    }
}

/// How long an account lives, as shown. Times UTC.
#[derive(Debug, Clone, Default)]
pub struct LifeView {
    pub sort: AccountSort,
    /// Exclusive.
    pub ends: Option<Timestamp>,
    pub ends_because: Option<String>,
    pub closes: bool,
    pub closed: Option<Timestamp>,
    /// When something changes, and what: `name`, `occupation`, `institution`, `unit`, `mail`.
    pub planned: Vec<(Timestamp, Vec<&'static str>)>,
    /// When it is open, the end exclusive; those that are over are left out.
    pub windows: Vec<(Timestamp, Timestamp)>,
    /// Why it is stopped: a stated reason, or one of the program's words that begin with `=`.
    pub stopped_because: Option<String>,
    /// It was issued by a procedure and has had no password yet.
    pub awaits_first: bool,
}

impl LifeView {
    pub(crate) fn of(account: &Account, now: Timestamp) -> Self {
        let life = &account.life;
        Self {
            sort: life.sort,
            ends: life.ends.map(time),
            ends_because: life.ends_because.clone(),
            closes: life.closes,
            closed: life.closed.map(time),
            planned: life.planned.iter().map(|plan| (time(plan.at), plan.change.words())).collect(),
            windows: life
                .windows
                .iter()
                .filter(|open| now < time(open.until))
                .map(|open| (time(open.from), time(open.until)))
                .collect(),
            stopped_because: account.stopped_because.clone(),
            awaits_first: account.awaits_first(),
        }
    }
}

impl Account {
    /// Whether it may be used at a time.
    pub(crate) fn usable(&self, now: Timestamp) -> bool {
        let now = now.as_micros();
        let life = &self.life;
        let within = life.windows.iter().any(|open| open.from <= now && now < open.until);
        let open = match life.sort {
            AccountSort::Ordinary | AccountSort::Development | AccountSort::Shared => true,
            AccountSort::Maintenance => within,
            // Sealed until it is used; then for its hours, and not again before it is sealed anew.
            AccountSort::Emergency => life.windows.is_empty() || within,
        };
        self.active && life.closed.is_none() && life.ends.is_none_or(|ends| now < ends) && open
    }

    /// What this account is at a time, and until when it stays so if nobody changes it.
    pub(crate) fn standing(mut self, now: Timestamp) -> (Self, Option<Timestamp>) {
        self.arrive(now);
        let life = &self.life;
        let edges = life.windows.iter().flat_map(|open| [open.from, open.until]);
        let until = edges
            .chain(life.ends)
            .chain(life.planned.iter().map(|plan| plan.at))
            .map(time)
            .filter(|at| now < *at)
            .min();
        self.active = self.usable(now);
        (self, until)
    }

    /// Makes the changes whose time has come.
    pub(crate) fn arrive(&mut self, now: Timestamp) {
        let (due, later) =
            std::mem::take(&mut self.life.planned).into_iter().partition(|plan| time(plan.at) <= now);
        self.life.planned = later;
        let due: Vec<Planned> = due;
        for plan in due {
            self.change(plan.change);
        }
    }

    /// Changes it now.
    pub(crate) fn change(&mut self, change: AccountChange) {
        let AccountChange { name, kana, occupation, institution, unit, mail } = change;
        if let Some(name) = name {
            // The reading of another name is another one.
            self.kana = kana.clone();
            self.name = name;
        }
        self.kana = kana.or_else(|| self.kana.take());
        self.occupation = occupation.or_else(|| self.occupation.take());
        self.institution = institution.or(self.institution);
        self.unit = unit.or_else(|| self.unit.take());
        self.mail = mail.or_else(|| self.mail.take());
    }

    /// Changes it at a time, after what is planned for the same time already.
    pub(crate) fn plan(&mut self, at: Timestamp, change: AccountChange) {
        let at = at.as_micros();
        let place = self.life.planned.partition_point(|plan| plan.at <= at);
        self.life.planned.insert(place, Planned { at, change });
    }

    /// Where this account works or will.
    pub(crate) fn places(&self) -> Vec<InstitutionId> {
        let planned = self.life.planned.iter().filter_map(|plan| plan.change.institution);
        self.institution.into_iter().chain(planned).collect()
    }

    /// Stops it for good: whatever it could be opened with is gone. Its sign-in name stays its own, so
    /// nobody ever gets it again.
    pub(crate) fn close(&mut self, now: Timestamp, because: &str) {
        self.active = false;
        self.stopped_because = Some(because.to_owned());
        self.password = None;
        self.credential = Credential::default();
        self.client = None;
        self.mail = None;
        self.life.planned.clear();
        self.life.windows.clear();
        self.life.closes = false;
        self.life.closed = Some(now.as_micros());
    }

    /// It was issued by a procedure, which proved who it is for, and has had no password yet.
    pub(crate) fn awaits_first(&self) -> bool {
        self.life.case.is_some()
            && self.password.is_none()
            && self.credential.earlier.is_empty()
            && self.life.closed.is_none()
    }

    /// Lets it end at a time; an earlier end stays.
    pub(crate) fn end_by(&mut self, at: Timestamp, because: &str, closes: bool) {
        let at = at.as_micros();
        self.life.closes |= closes;
        if self.life.ends.is_none_or(|ends| at < ends) {
            self.life.ends = Some(at);
            self.life.ends_because = Some(because.to_owned());
        }
    }

    /// Lets a stopped account go on. One whose password may have leaked goes on with another one only,
    /// one whose end has come with a later end, and a closed one never.
    pub(crate) fn resume(&mut self, now: Timestamp) -> Result<()> {
        if self.life.closed.is_some() {
            return Err(Error::conflict("this account is closed for good; a new one is needed"));
        }
        if self.credential.leaked.is_some() {
            return Err(Error::conflict("this password may have leaked: issue another one instead"));
        }
        if self.life.ends.is_some_and(|ends| time(ends) <= now) {
            return Err(Error::conflict("the time of this account is over: give it a later end first"));
        }
        self.active = true;
        self.stopped_because = None;
        self.credential.since = Some(now.as_micros());
        Ok(())
    }
}

impl App {
    /// Says until when an account may be used, or takes the end away. The end holds by itself at that
    /// minute, running sessions and tokens included.
    ///
    /// # Errors
    /// Invalid without a reason, or for an end that is past; conflict for a closed account and for one's
    /// own; forbidden; unavailable.
    pub async fn set_account_end(
        &self,
        caller: &Caller,
        actor: ActorId,
        ends: Option<Timestamp>,
        reason: &str,
    ) -> Result<()> {
        let reason = stated_reason(reason)?;
        not_ones_own(caller, actor)?;
        if ends.is_some_and(|ends| ends <= self.clock.now()) {
            return Err(fault("ends", "this time is past: to stop the account now, stop it", "value"));
        }
        // Who may only stop accounts may let them end sooner, and nothing else.
        let present = self.actor_context_now(actor).await?.account.life.ends.map(time);
        let sooner = ends.is_some_and(|ends| present.is_none_or(|present| ends < present));
        let action = if sooner { Action::Withdraw } else { Action::Update };
        self.change_actor(caller, actor, action, Some(reason), |account| {
            if account.life.closed.is_some() {
                return Err(Error::conflict("this account is closed for good; a new one is needed"));
            }
            // Of two at once the second may not undo the first with the right to the lesser change.
            if account.life.ends.map(time) != present {
                return Err(kept_changing());
            }
            account.life.ends = ends.map(Timestamp::as_micros);
            account.life.ends_because = ends.map(|_| reason.to_owned());
            Ok(())
        })
        .await
    }

    /// Closes an account for good: password, factors and sessions are gone, nothing opens it again, and its
    /// sign-in name is never given to anybody.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for a closed account and for one's own; forbidden; unavailable.
    pub async fn close_account(&self, caller: &Caller, actor: ActorId, reason: &str) -> Result<()> {
        let reason = stated_reason(reason)?;
        not_ones_own(caller, actor)?;
        let context = self.actor_context_now(actor).await?;
        let target = target_of(&context);
        let decision = self.require_general(caller, Action::Administer, target).await?;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            if self.actor_context_now(actor).await?.account.life.closed.is_some() {
                return Err(Error::conflict("this account is closed already"));
            }
            let mut unit = Unit::new();
            self.put_account_change(caller, &decision, &mut unit, actor, Some(reason), |account| {
                account.close(now, reason);
            })
            .await?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    /// Says what an account is for. One for maintenance opens from then on inside approved windows only.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for one's own; forbidden; unavailable.
    pub async fn set_account_sort(
        &self,
        caller: &Caller,
        actor: ActorId,
        sort: AccountSort,
        reason: &str,
    ) -> Result<()> {
        let reason = stated_reason(reason)?;
        not_ones_own(caller, actor)?;
        let (allowed, now) = (self.allows_shared()?, self.clock.now().as_micros());
        self.change_actor(caller, actor, Action::Administer, Some(reason), |account| {
            if account.life.closed.is_some() {
                return Err(Error::conflict("this account is closed for good; a new one is needed"));
            }
            account.life.permitted.clear();
            if sort == AccountSort::Shared {
                if !allowed {
                    return Err(Error::conflict("the rules allow no shared ids"));
                }
                if account.kind != AccountKind::Staff {
                    return Err(fault(
                        "sort",
                        "only an account of staff can be a shared id",
                        "business-rule",
                    ));
                }
                // No secret that several people would know.
                account.password = None;
                account.credential = Credential { since: Some(now), ..Credential::default() };
            }
            account.life.sort = sort;
            Ok(())
        })
        .await
    }
}

fn not_ones_own(caller: &Caller, actor: ActorId) -> Result<()> {
    if actor == caller.actor {
        return Err(Error::conflict("your own account is for somebody else to change"));
    }
    Ok(())
}
