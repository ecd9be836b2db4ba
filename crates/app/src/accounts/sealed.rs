//! Emergency accounts: sealed in an envelope, noticed by everybody who administers at once when used,
//! reviewed, and closed again after recovery (mhlw5.6.10-C-3, mic.3.2.8-2-2-3, mic.3.2.8-2-2-4).

use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, Kind, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::GeneralTarget;
use mimamori_store::Unit;
use serde::{Deserialize, Serialize};

use super::life::{AccountSort, Opening, REVIEWED};
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::administration::target_of;
use crate::body::{Body, kind, time};
use crate::caller::Caller;
use crate::governance::object::{Look, Writing};
use crate::record::{fault, stated_reason};
use crate::{App, InitialSecret};

/// The code that uses are kept under.
const CODE: &str = "emergency-use";

/// A use of an emergency account.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct EmergencyUse {
    pub(crate) actor: ActorId,
    /// When it was opened, microseconds UTC.
    pub(crate) opened: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reviewed: Option<Reviewed>,
}

/// What looking at a use came to.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Reviewed {
    pub(crate) by: ActorId,
    pub(crate) at: i64,
    pub(crate) finding: String,
}

impl Body for EmergencyUse {
    const KIND: Kind = Kind::of("emergency-use");
}

/// A use of an emergency account that nobody has reviewed yet.
#[derive(Clone)]
pub struct EmergencyNotice {
    pub id: ObjectId,
    /// The version seen, for the review.
    pub version: u64,
    pub actor: ActorId,
    pub login: String,
    /// UTC.
    pub opened: Timestamp,
    /// Until when it is open, UTC; none: closed already.
    pub open_until: Option<Timestamp>,
}

/// The name stays out of debug output (invariant 9).
impl std::fmt::Debug for EmergencyNotice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmergencyNotice").field("id", &self.id).finish_non_exhaustive()
    }
}

impl App {
    /// Seals an emergency account: a new secret for an envelope, told once; the account opens with it at
    /// once, for as many hours from the first use as the pack says, and stays closed afterwards until it is
    /// sealed anew.
    ///
    /// # Errors
    /// Invalid without a reason, or for an account of another sort; conflict for a closed account and for
    /// one whose use was not reviewed; forbidden; unavailable.
    pub async fn seal_emergency_account(
        &self,
        caller: &Caller,
        actor: ActorId,
        reason: &str,
    ) -> Result<InitialSecret> {
        let reason = stated_reason(reason)?;
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Administer, target_of(&context)).await?;
        let life = &context.account.life;
        if life.closed.is_some() {
            return Err(Error::conflict("this account is closed for good; a new one is needed"));
        }
        if life.sort != AccountSort::Emergency {
            return Err(fault("sort", "this is no emergency account", "business-rule"));
        }
        if self.unreviewed().await?.iter().any(|(_, used)| used.actor == actor) {
            return Err(Error::conflict("the last use of this account must be reviewed first"));
        }
        let (secret, _, hash) = self.first_password().await?;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let mut unit = Unit::new();
            self.put_account_change(caller, &decision, &mut unit, actor, Some(reason), |account| {
                account.password = Some(hash.clone());
                account.credential = crate::body::Credential {
                    chosen: Some(now.as_micros()),
                    since: Some(now.as_micros()),
                    ..crate::body::Credential::default()
                };
                account.life.windows.clear();
                account.active = true;
                account.stopped_because = None;
            })
            .await?;
            self.end_sessions(&mut unit, actor, [0; 32], now).await?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(InitialSecret {
                    login: context.account.login.clone(),
                    name: context.account.name.clone(),
                    institution: context.institution_name.clone(),
                    secret,
                    until: Timestamp::from_micros(i64::MAX),
                });
            }
        }
        Err(kept_changing())
    }

    /// Adds to the unit of a sign-in that an emergency account is used: its hours begin, and those who
    /// administer are told until somebody reviews it. Nothing for any other account.
    pub(crate) async fn put_emergency_use(&self, caller: &Caller, unit: &mut Unit) -> Result<()> {
        let Some(context) = caller.context.as_deref() else { return Ok(()) };
        let life = &context.account.life;
        if life.sort != AccountSort::Emergency || !life.windows.is_empty() {
            return Ok(());
        }
        let target = GeneralTarget::of(kind::ACCOUNT).owned_by(context.actor);
        let decision = self.require_general(caller, Action::SignIn, target).await?;
        let now = self.clock.now();
        let hours = self.pack.parameter_u64("accounts.emergency-hours")?;
        let until = now.plus(Duration::from_secs(3_600 * hours));
        let object = ObjectId::random();
        let body = EmergencyUse { actor: context.actor, opened: now.as_micros(), reviewed: None };
        let writing = Writing {
            object,
            follows: 0,
            code: CODE,
            state: RecordState::AwaitingConfirmation,
            institution: None,
            sorted: now,
            body: &body,
        };
        let commitment = self.write_governed(caller, unit, &writing).await?;
        self.tell_created::<EmergencyUse>(caller, &decision, unit, object, commitment)?;
        let opening = Opening { from: now.as_micros(), until: until.as_micros(), case: object };
        self.put_account_change(caller, &decision, unit, context.actor, None, |account| {
            account.life.windows = vec![opening];
        })
        .await
    }

    /// Uses of emergency accounts that nobody has reviewed: for everybody who administers accounts, at once
    /// and until it is done.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn emergency_notices(&self, caller: &Caller) -> Result<Vec<EmergencyNotice>> {
        let caller = crate::governance::purpose(caller);
        let target = GeneralTarget::of(kind::ACCOUNT);
        let target = caller.institution().map_or(target.clone(), |institution| target.at(institution));
        let decision = self.require_general(&caller, Action::Search, target).await?;
        let uses = self.unreviewed().await?;
        if uses.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.clock.now();
        let mut notices = Vec::with_capacity(uses.len());
        for ((id, version), used) in uses {
            let context = self.actor_context_now(used.actor).await?;
            let open = context.account.life.windows.iter().map(|open| time(open.until));
            notices.push(EmergencyNotice {
                id,
                version,
                actor: used.actor,
                login: context.account.login.clone(),
                opened: time(used.opened),
                open_until: open.filter(|until| now < *until && context.account.active).max(),
            });
        }
        let look = Look::at(Action::Search, EmergencyUse::KIND).count(notices.len());
        self.note_look(&caller, &decision, look).await?;
        Ok(notices)
    }

    /// Keeps what looking at a use came to, and closes the account until it is sealed anew: its sessions
    /// end. `seen` is the version that was looked at.
    ///
    /// # Errors
    /// Invalid without a finding; conflict when it was reviewed already and for the account itself;
    /// forbidden; unavailable.
    pub async fn review_emergency_use(
        &self,
        caller: &Caller,
        id: ObjectId,
        seen: u64,
        finding: &str,
    ) -> Result<()> {
        let finding = stated_reason(finding)?;
        let used = self.governed::<EmergencyUse>(id).await?.ok_or_else(Error::not_found)?;
        let actor = used.body.actor;
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Administer, target_of(&context)).await?;
        if actor == caller.actor {
            return Err(Error::conflict("your own account is for somebody else to change"));
        }
        if used.version != seen || used.state != RecordState::AwaitingConfirmation {
            return Err(Error::conflict(
                "somebody else changed this meanwhile; open it again and repeat your change",
            ));
        }
        let now = self.clock.now();
        let mut body = used.body;
        body.reviewed = Some(Reviewed { by: caller.actor, at: now.as_micros(), finding: finding.to_owned() });
        let writing = Writing {
            object: id,
            follows: used.version,
            code: CODE,
            state: RecordState::Confirmed,
            institution: None,
            sorted: now,
            body: &body,
        };
        let mut unit = Unit::new();
        let commitment = self.write_governed(caller, &mut unit, &writing).await?;
        let mut entry = decided(caller.entry(unit.id, Action::Review), &decision);
        entry.resource = Self::resource_of::<EmergencyUse>(id);
        entry.version = Some(used.version + 1);
        entry.commitments = vec![commitment];
        let entry = self.with_sealed(caller, entry, 0, None)?;
        unit.entries.push(entry);
        if context.account.life.closed.is_none() {
            self.put_account_change(caller, &decision, &mut unit, actor, Some(REVIEWED), |account| {
                account.active = false;
                account.stopped_because = Some(REVIEWED.to_owned());
                account.password = None;
                account.life.windows.clear();
            })
            .await?;
            self.end_sessions(&mut unit, actor, [0; 32], now).await?;
        }
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// How many uses of emergency accounts nobody has reviewed: for the mark on every page of those who
    /// administer. It names nobody.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn emergencies_open(&self) -> Result<u64> {
        Ok(self.unreviewed().await?.len() as u64)
    }

    pub(crate) async fn unreviewed(&self) -> Result<Vec<((ObjectId, u64), EmergencyUse)>> {
        let (found, _) = self.governed_in_state::<EmergencyUse>(RecordState::AwaitingConfirmation).await?;
        Ok(found.into_iter().map(|used| ((used.object, used.version), used.body)).collect())
    }
}
