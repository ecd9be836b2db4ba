//! Which account is whose at the provider: linked by somebody who administers accounts, or by the owner
//! themself, never guessed from a name or a mail address.

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, Error, ErrorKind, Result, Timestamp};
use mimamori_policy::Decision;
use mimamori_store::{Change, Unit, tables};
use mimamori_vault::IndexField;

use super::sign_in::{Confirmed, Wanted};
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::accounts::AccountSort;
use crate::administration::target_of;
use crate::body::{Account, AccountKind, Linked, time};
use crate::caller::{ActorContext, Caller, First};
use crate::credentials::{Begun, own_account};
use crate::record::{fault, stated_reason};
use crate::{App, sql};

/// Longest name of a person at the provider, in bytes (OpenID Connect Core 1.0, section 2, says 255).
pub const PROVIDER_SUBJECT_LENGTH: usize = 255;

/// A link, as shown.
#[derive(Clone)]
pub struct LinkView {
    pub issuer: String,
    pub subject: String,
    /// UTC.
    pub since: Timestamp,
    /// It is one of the provider that the program asks now.
    pub current: bool,
}

/// Whom the provider knows stays out of debug output.
impl std::fmt::Debug for LinkView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkView").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl App {
    /// Links an account to somebody whom the provider knows.
    ///
    /// # Errors
    /// Invalid without a reason or subject, and for an account that is not one person's in everyday use;
    /// conflict when the subject is linked already, and for one's own account; forbidden; unavailable.
    pub async fn link_account(
        &self,
        caller: &Caller,
        actor: ActorId,
        subject: &str,
        reason: &str,
    ) -> Result<()> {
        let reason = stated_reason(reason)?;
        if actor == caller.actor {
            return Err(Error::conflict("your own account is for somebody else to change"));
        }
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Update, target_of(&context)).await?;
        self.linkable(&context)?;
        self.put_link(caller, &decision, actor, subject.trim(), reason).await
    }

    /// Takes an account's link away; its sessions end.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for one that is not linked, and for one's own; forbidden;
    /// unavailable.
    pub async fn unlink_account(&self, caller: &Caller, actor: ActorId, reason: &str) -> Result<()> {
        let reason = stated_reason(reason)?;
        if actor == caller.actor {
            return Err(Error::conflict("your own account is for somebody else to change"));
        }
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Update, target_of(&context)).await?;
        self.put_unlink(caller, &decision, actor, reason).await
    }

    /// Finishes linking the caller's own account, after the provider said who they are.
    ///
    /// # Errors
    /// Gone when it took too long, was finished already, or was begun by somebody else; conflict when the
    /// subject is another account's; forbidden until the caller has lately shown who they are.
    pub async fn link_own(&self, caller: &Caller, token: &str) -> Result<()> {
        let (context, confirmed) = self.confirmed(caller, token, Wanted::Link).await?;
        self.lately(caller)?;
        self.linkable(&context)?;
        let decision = self.permit_general(caller, caller.own_action(), own_account(&context)).await?;
        self.put_link(caller, &decision, caller.actor, &confirmed.subject, "linked by its owner").await
    }

    /// Takes the link of the caller's own account away; sessions begun elsewhere end.
    ///
    /// # Errors
    /// Conflict for an account that is not linked, or that nothing else opens; forbidden until the caller has
    /// lately shown who they are.
    pub async fn unlink_own(&self, caller: &Caller) -> Result<()> {
        let (context, _) = caller.person()?;
        self.lately(caller)?;
        if context.account.password.is_none() {
            return Err(Error::conflict(
                "without a password nothing else opens this account; ask for one first",
            ));
        }
        let decision = self.permit_general(caller, caller.own_action(), own_account(&context)).await?;
        self.put_unlink(caller, &decision, caller.actor, "unlinked by its owner").await
    }

    /// Goes on with the caller's session after they showed at the provider that it is them: under another
    /// token, which is given. A locked session is open again.
    ///
    /// # Errors
    /// Gone when it took too long or was finished already, or for somebody else; invalid when the provider
    /// did not ask them anew.
    pub async fn step_up_by_provider(&self, caller: &Caller, token: &str) -> Result<String> {
        let (context, confirmed) = self.confirmed(caller, token, Wanted::Again).await?;
        let linked = context.account.credential.provider.as_ref();
        if linked.is_none_or(|linked| linked.subject != confirmed.subject) || confirmed.shown.is_none() {
            return Err(gone());
        }
        // Back at a locked session one factor is enough, as the password is.
        if caller.first() != Some(First::Unlock)
            && context.account.credential.factors.asked()
            && !confirmed.two
        {
            return Err(Error::conflict(
                "the identity provider did not say that two factors were shown; use your own one",
            ));
        }
        self.go_on_by_provider(caller, &context).await
    }

    /// The link of an account, for those who see the account.
    #[must_use]
    pub(crate) fn link_view(&self, account: &Account) -> Option<LinkView> {
        let linked = account.credential.provider.as_ref()?;
        Some(LinkView {
            issuer: linked.issuer.clone(),
            subject: linked.subject.clone(),
            since: time(linked.since),
            current: self.provider_issuer() == Some(linked.issuer.as_str()),
        })
    }

    /// The caller's own link.
    #[must_use]
    pub fn own_link(&self, caller: &Caller) -> Option<LinkView> {
        self.link_view(&caller.context.as_ref()?.account)
    }

    /// Refuses accounts that are not one person's in everyday use.
    pub(super) fn linkable(&self, context: &ActorContext) -> Result<()> {
        let account = &context.account;
        let everyday = matches!(account.life.sort, AccountSort::Ordinary | AccountSort::Development);
        if account.kind == AccountKind::Staff && everyday {
            return Ok(());
        }
        let rule = "only a staff member's own account for everyday work is linked";
        Err(fault("sort", rule, "business-rule"))
    }

    /// Whose account a subject of the provider is. The account itself says so; the row that leads there
    /// might have been changed.
    pub(super) async fn linked_to(&self, subject: &str) -> Result<Option<Arc<ActorContext>>> {
        let Some(issuer) = self.provider_issuer() else { return Ok(None) };
        let Some(actor) = self.actor_of_login(&self.subject_token(issuer, subject)).await? else {
            return Ok(None);
        };
        let context = match self.actor_context_now(actor).await {
            Ok(context) => context,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(context).filter(|context| is_linked(&context.account, issuer, subject)))
    }

    /// The blind token that a subject of a provider is found by. No sign-in name has a `|`.
    fn subject_token(&self, issuer: &str, subject: &str) -> Vec<u8> {
        let text = format!("mimamori:subject|{issuer}|{subject}");
        self.keys.fixed.token(IndexField::Identifier, &text).to_vec()
    }

    async fn confirmed(
        &self,
        caller: &Caller,
        token: &str,
        wanted: Wanted,
    ) -> Result<(Arc<ActorContext>, Confirmed)> {
        let (context, _) = caller.person()?;
        let begun = self.unseal_begun::<Confirmed>(Begun::Vouched, token)?;
        if begun.actor != caller.actor || begun.body.wanted != wanted {
            return Err(gone());
        }
        self.store.upkeep(vec![begun.taking]).await.map_err(|_| gone())?;
        Ok((context, begun.body))
    }

    async fn put_link(
        &self,
        caller: &Caller,
        decision: &Decision,
        actor: ActorId,
        subject: &str,
        reason: &str,
    ) -> Result<()> {
        let issuer = self.needed_provider()?.settings.issuer.clone();
        if subject.is_empty()
            || subject.len() > PROVIDER_SUBJECT_LENGTH
            || subject.chars().any(char::is_control)
        {
            return Err(fault("subject", "as whom the provider knows them: 1 to 255 characters", "value"));
        }
        for _ in 0..ATTEMPTS {
            let mut unit = Unit::new();
            let token = self.subject_token(&issuer, subject);
            if let Some(other) = self.linked_to(subject).await? {
                if other.actor == actor {
                    return Err(Error::conflict("this account is linked so already"));
                }
                return Err(Error::conflict(
                    "this person of the provider is linked to another account; unlink that first",
                ));
            }
            // A row that leads to an account which does not say so any more.
            unit.changes.push(Change::any(&sql::FORGET_LOGIN, vec![token.clone().into()]));
            unit.changes.push(Change::insert(&tables::LOGIN, vec![token.into(), actor.into()]));
            let old = self.actor_context_now(actor).await?.account.credential.provider.clone();
            if let Some(old) = old {
                let token = self.subject_token(&old.issuer, &old.subject);
                unit.changes.push(Change::any(&sql::FORGET_LOGIN, vec![token.into()]));
            }
            let since = self.clock.now().as_micros();
            self.put_account_change(caller, decision, &mut unit, actor, Some(reason), |account| {
                account.credential.provider =
                    Some(Linked { issuer: issuer.clone(), subject: subject.to_owned(), since });
            })
            .await?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    async fn put_unlink(
        &self,
        caller: &Caller,
        decision: &Decision,
        actor: ActorId,
        reason: &str,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let context = self.actor_context_now(actor).await?;
            let Some(linked) = context.account.credential.provider.clone() else {
                return Err(Error::conflict("this account is not linked to the identity provider"));
            };
            let mut unit = Unit::new();
            let token = self.subject_token(&linked.issuer, &linked.subject);
            unit.changes.push(Change::any(&sql::FORGET_LOGIN, vec![token.into()]));
            self.put_account_change(caller, decision, &mut unit, actor, Some(reason), |account| {
                account.credential.provider = None;
            })
            .await?;
            // The session in which its owner does so stays, unless the provider opened it.
            let kept =
                caller.session.filter(|session| session_of(caller, actor) && !session.shown.by_provider());
            let kept = kept.map_or([0; 32], |session| session.token_hash);
            self.end_sessions(&mut unit, actor, kept, self.clock.now()).await?;
            self.put_end_of_groups(caller, &mut unit, &context).await?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }
}

fn session_of(caller: &Caller, actor: ActorId) -> bool {
    caller.actor == actor
}

fn is_linked(account: &Account, issuer: &str, subject: &str) -> bool {
    let linked = account.credential.provider.as_ref();
    linked.is_some_and(|linked| linked.issuer == issuer && linked.subject == subject)
}

fn gone() -> Error {
    Error::new(ErrorKind::Gone, "this took too long or was finished already; please begin again")
}
