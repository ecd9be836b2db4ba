//! Administration: doing operating work as somebody appointed to it, and the accounts of an institution.

use std::collections::HashMap;
use std::sync::Arc;

use mimamori_domain::{
    Action, ActorId, Error, InstitutionId, LegalBasis, ObjectId, Purpose, Result, RoleCode, Timestamp,
};
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::Unit;

use crate::access::{Settled, decided};
use crate::accounts::{AccountSort, AccountView, LifeView};
use crate::body::{AccountKind, kind};
use crate::caller::{ActorContext, Caller};
use crate::record::stated_reason;
use crate::together::each;
use crate::{App, sql};

/// Accounts shown at most.
const MOST_SHOWN: usize = 5_000;

/// An account as those see it who administer accounts.
#[derive(Clone)]
pub struct AccountDetail {
    pub account: AccountView,
    /// Where reminders go by mail.
    pub mail: Option<String>,
    /// Roles held now.
    pub roles: Vec<RoleCode>,
    /// UTC; `None` before the first time.
    pub last_sign_in: Option<Timestamp>,
    /// What the caller may do with it.
    pub may_stop: bool,
    pub may_resume: bool,
    /// The mail address may be changed.
    pub may_change: bool,
    /// Whether another password may be issued, and the account unlocked.
    pub may_reissue: bool,
    /// Until when tries to sign in are refused somewhere, UTC.
    pub locked_until: Option<Timestamp>,
    /// Nobody used it for as long as the pack names for a report.
    pub unused: bool,
    /// A first password is out and not used yet; until when it is good, UTC.
    pub first_until: Option<Timestamp>,
    /// The password may have leaked: another one waits to be issued.
    pub leaked: bool,
    pub citizen: bool,
    /// Until when it lives, and what is to come.
    pub life: LifeView,
    /// The caller may say when it ends.
    pub may_end: bool,
    /// The caller may close it for good, and say what it is for.
    pub may_close: bool,
    /// Whom the identity provider knows its owner as.
    pub link: Option<crate::LinkView>,
    /// It may be linked to the identity provider, or unlinked.
    pub may_link: bool,
}

/// The address stays out of debug output (invariant 9).
impl std::fmt::Debug for AccountDetail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountDetail").field("account", &self.account).finish_non_exhaustive()
    }
}

impl App {
    /// The same caller doing operating work: their requests have the purpose of operations, under which
    /// the rules open administration and no record. For staff who hold a role; what the role permits is
    /// decided by each use case.
    ///
    /// # Errors
    /// Forbidden for whoever holds no role; unavailable when the refusal could not be recorded.
    pub async fn for_operations(&self, caller: &Caller) -> Result<Caller> {
        let working = caller.for_purpose(Purpose::Operations);
        if caller.is_staff() && !caller.roles().is_empty() {
            return Ok(working);
        }
        let nothing = Decision { allowed: false, policies: [].into(), basis: LegalBasis::None };
        Err(self.refuse(&working, Action::Administer, None, None, &nothing).await)
    }

    /// The staff accounts of an institution, by sign-in name.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn accounts_of(
        &self,
        caller: &Caller,
        institution: InstitutionId,
    ) -> Result<Vec<AccountDetail>> {
        let target = GeneralTarget::of(kind::ACCOUNT).at(institution);
        let decision = self.require_general(caller, Action::Search, target).await?;
        let facts = Box::pin(async { self.facts_within(institution).await.map(Arc::new) });
        let facts = self.asked.staff.ask((self.pack.hash(), institution), facts).await?;
        let mut may = MayOfAccounts::default();
        let found: Vec<AccountDetail> =
            facts.iter().map(|facts| self.detail_among(caller, facts, &mut may)).collect::<Result<_>>()?;
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Search), &decision);
        entry.resource = Some((kind::ACCOUNT, None));
        entry.count = found.len() as u64;
        let entry = self.with_sealed(caller, entry, 0, Some(&institution.to_string()))?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(found),
            Settled::Again => Err(crate::access::kept_changing()),
        }
    }

    /// One account.
    ///
    /// # Errors
    /// Not found for an unknown one; forbidden; unavailable.
    pub async fn account(&self, caller: &Caller, actor: ActorId) -> Result<AccountDetail> {
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Read, target_of(&context)).await?;
        let detail = self.detail_of(caller, context).await?;
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Read), &decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        entry.count = 1;
        let entry = self.with_sealed(caller, entry, 0, None)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(detail),
            Settled::Again => Err(crate::access::kept_changing()),
        }
    }

    /// Stops an account for a stated reason; running sessions and tokens end at once.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for a stopped account and for the caller's own: that is
    /// somebody else's to stop, so that nobody locks themself out.
    pub async fn stop_actor(&self, caller: &Caller, actor: ActorId, reason: &str) -> Result<()> {
        let reason = stated_reason(reason)?;
        if actor == caller.actor {
            return Err(Error::conflict("your own account is for somebody else to stop"));
        }
        self.change_actor(caller, actor, Action::Withdraw, Some(reason), |account| {
            if !account.active {
                return Err(Error::conflict("this account is stopped already"));
            }
            account.active = false;
            account.stopped_because = Some(reason.to_owned());
            Ok(())
        })
        .await
    }

    /// Lets a stopped account be used again, for a stated reason.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for an account that is in use.
    pub async fn resume_actor(&self, caller: &Caller, actor: ActorId, reason: &str) -> Result<()> {
        let (reason, now) = (stated_reason(reason)?, self.clock.now());
        self.change_actor(caller, actor, Action::Update, Some(reason), |account| {
            if account.active {
                return Err(Error::conflict("this account is in use already"));
            }
            account.resume(now)
        })
        .await
    }

    /// The staff of an institution, by sign-in name.
    async fn facts_within(&self, institution: InstitutionId) -> Result<Vec<AccountFacts>> {
        let people = self.everybody().await?;
        let works = |one: &&Arc<ActorContext>| {
            one.account.kind == AccountKind::Staff && one.account.institution == Some(institution)
        };
        let mut staff: Vec<Arc<ActorContext>> = people.iter().filter(works).cloned().collect();
        staff.sort_by(|a, b| a.account.login.cmp(&b.account.login));
        staff.truncate(MOST_SHOWN);
        each(staff.into_iter().map(|context| self.facts_of(context)).collect()).await
    }

    /// What is told of an account, whoever asks.
    pub(crate) async fn facts_of(&self, context: Arc<ActorContext>) -> Result<AccountFacts> {
        let last = self.store.query_one(&sql::LAST_SESSION, vec![context.actor.into()]).await?;
        let last = last.map(|row| row.time(0)).transpose().map_err(Error::unavailable)?;
        let locked_until = self.locked_until(&context.account.login, self.clock.now()).await?;
        Ok(AccountFacts { context, last, locked_until })
    }

    async fn detail_of(&self, caller: &Caller, context: Arc<ActorContext>) -> Result<AccountDetail> {
        let facts = self.facts_of(context).await?;
        self.detail_among(caller, &facts, &mut MayOfAccounts::default())
    }

    /// An account in a list, with what the caller may do with it.
    pub(crate) fn detail_among(
        &self,
        caller: &Caller,
        AccountFacts { context, last, locked_until }: &AccountFacts,
        known: &mut MayOfAccounts,
    ) -> Result<AccountDetail> {
        let (last, locked_until) = (*last, *locked_until);
        let (account, now) = (&context.account, self.clock.now());
        let other = context.actor != caller.actor;
        // What the rules say of accounts differs by where they belong and whether they are one's own.
        let may = *known.0.entry((account.institution, other)).or_insert_with(|| {
            [Action::Update, Action::Withdraw, Action::Administer]
                .map(|action| self.decide_general(caller, action, &target_of(context), now).allowed)
        });
        let [may_update, may_withdraw, may_administer] = may;
        Ok(AccountDetail {
            account: AccountView {
                actor: context.actor,
                login: account.login.clone(),
                name: account.name.clone(),
                active: account.active,
                occupation: account.occupation.clone(),
                institution: account.institution,
            },
            mail: account.mail.clone(),
            may_change: !context.stopped && account.kind == AccountKind::Staff && may_update,
            roles: context.grants(now).into_iter().map(|grant| grant.role).collect(),
            last_sign_in: last,
            may_stop: other && !context.stopped && may_withdraw,
            may_resume: other
                && context.stopped
                && account.life.closed.is_none()
                && account.credential.leaked.is_none()
                && may_update,
            // Nobody signs in to a shared id: there is no password to give out and nobody to link.
            may_reissue: other
                && account.life.sort != AccountSort::Shared
                && (!context.stopped || account.credential.leaked.is_some())
                && may_update,
            locked_until,
            unused: account.active && self.long_unused(&account.credential, last, now)?,
            first_until: account.credential.first_until.map(crate::body::time),
            leaked: account.credential.leaked.is_some(),
            citizen: account.kind == AccountKind::Citizen,
            may_end: other && account.life.closed.is_none() && (may_withdraw || may_update),
            may_close: other && account.life.closed.is_none() && may_administer,
            link: self.link_view(account),
            may_link: other
                && account.life.sort != AccountSort::Shared
                && account.life.closed.is_none()
                && self.provider.get().is_some()
                && may_update,
            life: LifeView::of(account, now),
        })
    }
}

/// What is told of an account, whoever asks: it, its last sign-in, and until when tries are refused.
pub(crate) struct AccountFacts {
    context: Arc<ActorContext>,
    last: Option<Timestamp>,
    locked_until: Option<Timestamp>,
}

/// Whether the caller may change, stop and close accounts, by institution, and of others or their own.
#[derive(Default)]
pub(crate) struct MayOfAccounts(HashMap<(Option<InstitutionId>, bool), [bool; 3]>);

pub(crate) fn target_of(context: &ActorContext) -> GeneralTarget {
    let target = GeneralTarget::of(kind::ACCOUNT).owned_by(context.actor);
    context.account.institution.map_or(target.clone(), |institution| target.at(institution))
}
