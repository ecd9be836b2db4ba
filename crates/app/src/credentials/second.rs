//! Showing who one is beyond the password: the second half of signing in, showing it again before what
//! matters, and coming back to a locked session.

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, Error, ErrorKind, ObjectId, Result, Timestamp};
use mimamori_policy::Decision;
use mimamori_store::{AccessKey, Change, Unit};

use super::{Begun, SecondHalf, own_account};
use crate::access::{Settled, kept_changing};
use crate::body::{Factor, FactorKind};
use crate::caller::{ActorContext, Caller, First};
use crate::record::fault;
use crate::sessions::Shown;
use crate::sign_in::{Opening, SignedIn};
use crate::{App, Origin, sql};

/// What somebody shows.
#[derive(Clone)]
pub enum Proof {
    /// The password, exactly as typed.
    Password(String),
    /// The code of an authenticator app, a recovery code or a replacement code, as typed.
    Code(String),
    /// A passkey's answer to a challenge: the challenge's secret, and the answer as the browser gave it.
    Passkey { challenge: String, answer: String },
}

/// What was shown stays out of debug output.
impl std::fmt::Debug for Proof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Proof")
    }
}

/// What somebody may show now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Means {
    pub password: bool,
    /// The code of an authenticator app.
    pub one_time: bool,
    pub passkey: bool,
    /// One of the recovery codes, or a replacement code.
    pub recovery: bool,
    /// The organisation's identity provider is asked again.
    pub provider: bool,
}

/// A right proof: by what, and what it uses up.
pub(super) struct Proved {
    pub(super) shown: Shown,
    pub(super) changes: Vec<Change>,
    /// What is taken from the account: a code that was used.
    pub(super) used: Option<UsedUp>,
}

pub(super) enum UsedUp {
    Recovery(String),
    Replacement,
}

/// The same for a wrong code, one used before, and a challenge that was not answered.
fn wrong() -> Error {
    fault("code", "this is not right, or it was used before; wait for the next code and try again", "value")
}

impl App {
    /// What finishes a sign-in that waits for its second factor.
    ///
    /// # Errors
    /// Gone when there is no such sign-in any more.
    pub async fn second_means(&self, pending: &str) -> Result<Means> {
        let begun = self.begun::<SecondHalf>(Begun::SignIn, pending).await?;
        let context = self.actor_context_now(begun.actor).await?;
        Ok(Means { password: false, provider: false, ..self.means_of(&context) })
    }

    /// What the caller may show to prove again that it is them.
    ///
    /// # Errors
    /// Forbidden to programs.
    pub async fn own_means(&self, caller: &Caller) -> Result<Means> {
        let context = caller.context.clone().ok_or_else(Error::forbidden)?;
        Ok(match caller.first {
            Some(First::Unlock) => self.unlocking_means(&context),
            _ => self.stepping_means(&context),
        })
    }

    fn means_of(&self, context: &ActorContext) -> Means {
        let factors = &context.account.credential.factors;
        let has = |kind| factors.kept.iter().any(|factor| factor.kind == kind);
        Means {
            password: context.account.password.is_some(),
            one_time: has(FactorKind::OneTime),
            passkey: has(FactorKind::Passkey) && self.passkeys().is_some(),
            recovery: !factors.recovery.is_empty() || factors.replacement.is_some(),
            provider: self.link_view(&context.account).is_some_and(|link| link.current),
        }
    }

    /// Before what matters: a second factor of whoever has one, the password of whoever has none.
    fn stepping_means(&self, context: &ActorContext) -> Means {
        let all = self.means_of(context);
        let second = !context.account.credential.factors.kept.is_empty();
        let provider = all.provider && (!second || self.may_vouch());
        Means { password: all.password && !second, recovery: false, provider, ..all }
    }

    /// Back at a locked session: the password, or a passkey.
    fn unlocking_means(&self, context: &ActorContext) -> Means {
        Means { one_time: false, recovery: false, ..self.means_of(context) }
    }

    /// Finishes a sign-in with a second factor.
    ///
    /// # Errors
    /// Invalid (`code`) for a wrong one; busy after too many; gone when the password was shown too long
    /// ago, or was changed since.
    pub async fn finish_sign_in(&self, pending: &str, proof: &Proof, origin: &Origin) -> Result<SignedIn> {
        let begun = self.begun::<SecondHalf>(Begun::SignIn, pending).await?;
        let context = self.actor_context_now(begun.actor).await?;
        let gone = || Error::new(ErrorKind::Gone, "please sign in again from the beginning");
        if !context.account.active || context.version != begun.body.version {
            return Err(gone());
        }
        let (tried, attempts) = self.begin_try(&context.account.login, origin).await?;
        let now = self.clock.now();
        let Some(proved) = self.second_proved(&context, proof, now).await? else {
            self.refused_before_sign_in(origin, "second-factor-failed");
            return Err(wrong());
        };
        let last = self.store.query_one(&sql::LAST_SESSION, vec![context.actor.into()]).await?;
        let last = last.map(|row| row.time(0)).transpose().map_err(Error::unavailable)?;
        let mut unit = Unit::new();
        unit.changes.push(begun.taking);
        let shown = if begun.body.provider { proved.shown.after_provider() } else { proved.shown };
        let (who, counted) = (Arc::clone(&context), (&tried, &attempts));
        let opened = self.open_counted(&mut unit, who, shown, origin, now, counted).await?;
        let stated = self.stated_shown(shown);
        self.use_up(&opened.0, &mut unit, &context, proved).await?;
        // What was used at the same moment by somebody else is used.
        let done = self.signed_in(unit, opened, last, &tried, &attempts, &stated).await;
        done.map_err(|error| if error.kind() == ErrorKind::Conflict { wrong() } else { error })
    }

    /// Shows again who the caller is: what the pack marks is open for as many minutes as it says. The
    /// session goes on under another token, which is given.
    ///
    /// # Errors
    /// Invalid for a wrong proof; busy after too many.
    pub async fn step_up(&self, caller: &Caller, proof: &Proof) -> Result<String> {
        let (context, session) = caller.person()?;
        let means = self.stepping_means(&context);
        let proved = self.prove_again(caller, &context, means, proof).await?;
        let shown = if proved.shown == Shown::Password { session.shown } else { proved.shown };
        self.go_on(caller, &context, proved, shown, "step-up").await
    }

    /// Locks the caller's session: nothing is answered until its owner is back.
    ///
    /// # Errors
    /// Forbidden to programs; unavailable when it could not be recorded.
    pub async fn lock(&self, caller: &Caller) -> Result<()> {
        let (_, session) = caller.person()?;
        let mut unit = Unit::new();
        let args = vec![session.token_hash.into(), self.clock.now().into()];
        unit.changes.push(Change::any(&sql::LOCK_SESSION, args));
        unit.bumps.push(AccessKey::from(session.id));
        let entry = self.with_sealed(caller, caller.entry(unit.id, Action::SignOut), 0, Some("locked"))?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Back at a locked session, which goes on under another token.
    ///
    /// # Errors
    /// Invalid for a wrong proof; busy after too many; conflict for a session that is not locked.
    pub async fn unlock(&self, caller: &Caller, proof: &Proof) -> Result<String> {
        let (context, session) = caller.person()?;
        if caller.first != Some(First::Unlock) {
            return Err(Error::conflict("this session is not locked"));
        }
        let means = self.unlocking_means(&context);
        let proved = self.prove_again(caller, &context, means, proof).await?;
        self.go_on(caller, &context, proved, session.shown, "unlocked").await
    }

    /// Checks a proof of somebody signed in, counted like a try to sign in.
    async fn prove_again(
        &self,
        caller: &Caller,
        context: &Arc<ActorContext>,
        means: Means,
        proof: &Proof,
    ) -> Result<Proved> {
        let now = self.clock.now();
        let fits = match proof {
            Proof::Password(_) => means.password,
            Proof::Code(_) => means.one_time,
            Proof::Passkey { .. } => means.passkey,
        };
        if !fits {
            return Err(wrong());
        }
        if let Proof::Password(present) = proof {
            self.prove_present(caller, context, present).await?;
            return Ok(Proved { shown: Shown::Password, changes: Vec::new(), used: None });
        }
        let (tried, counted) = self.begin_try(&context.account.login, &caller.origin).await?;
        let proved = self.second_proved(context, proof, now).await?.filter(|proved| proved.used.is_none());
        let proved = proved.ok_or_else(wrong)?;
        self.take_back(&tried, &counted).await?;
        Ok(proved)
    }

    /// The session goes on under another token; nobody who saw the old one has anything of it.
    async fn go_on(
        &self,
        caller: &Caller,
        context: &Arc<ActorContext>,
        proved: Proved,
        shown: Shown,
        stated: &str,
    ) -> Result<String> {
        let mut unit = Unit::new();
        unit.changes.extend(proved.changes);
        let token = self.put_rotation(caller, &mut unit, context, shown).await?;
        let entry = self.with_sealed(caller, caller.entry(unit.id, Action::SignIn), 0, Some(stated))?;
        match self.settle(caller, unit.entry(entry)).await {
            Ok(Settled::Done) => Ok(token),
            Ok(Settled::Again) => Err(kept_changing()),
            Err(error) if error.kind() == ErrorKind::Conflict => Err(wrong()),
            Err(error) => Err(error),
        }
    }

    /// The session goes on after its owner showed at the identity provider that it is them.
    pub(crate) async fn go_on_by_provider(
        &self,
        caller: &Caller,
        context: &Arc<ActorContext>,
    ) -> Result<String> {
        let (_, session) = caller.person()?;
        let proved = Proved { shown: Shown::Provider, changes: Vec::new(), used: None };
        self.go_on(caller, context, proved, session.shown, &self.stated_shown(Shown::Provider)).await
    }

    /// Puts into a unit that the caller's session goes on under another token, as of now.
    pub(super) async fn put_rotation(
        &self,
        caller: &Caller,
        unit: &mut Unit,
        context: &Arc<ActorContext>,
        shown: Shown,
    ) -> Result<String> {
        let (_, session) = caller.person()?;
        // What the provider began stays the provider's.
        let shown = if session.shown.by_provider() { shown.after_provider() } else { shown };
        let now = self.clock.now();
        let args = vec![session.token_hash.into(), now.into()];
        unit.changes.push(Change::one(&sql::CONTINUE_SESSION, args));
        unit.bumps.push(AccessKey::from(session.id));
        let opening = Opening {
            shown,
            began: session.began,
            proved: now,
            expires: session.expires,
            under: session.under,
        };
        let (next, token) = self.put_session(unit, Arc::clone(context), &caller.origin, opening, now).await?;
        if let Some(next) = next.session {
            let failed = self.failed_before(session.id.as_bytes()).await?;
            unit.changes.push(self.noting_failed(next.id.as_bytes(), failed, session.expires, now));
        }
        Ok(token)
    }

    /// Whether a second factor was shown, and what that uses up.
    async fn second_proved(
        &self,
        context: &ActorContext,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<Option<Proved>> {
        match proof {
            Proof::Password(_) => Ok(None),
            Proof::Code(typed) => self.code_proved(context, typed, now),
            Proof::Passkey { challenge, answer } => {
                self.passkey_proved(context, challenge, answer, now).await
            }
        }
    }

    /// A code as typed: of an authenticator app, a recovery code, a replacement code.
    fn code_proved(&self, context: &ActorContext, typed: &str, now: Timestamp) -> Result<Option<Proved>> {
        let factors = &context.account.credential.factors;
        let of_app = |factor: &&Factor| factor.kind == FactorKind::OneTime;
        for factor in factors.kept.iter().filter(of_app) {
            if let Some(step) = super::factors::one_time_step(&factor.secret, typed, now)? {
                let args = vec![factor.id.into(), step.into(), now.into()];
                let changes = vec![Change::one(&sql::USE_FACTOR, args)];
                return Ok(Some(Proved { shown: Shown::OneTime, changes, used: None }));
            }
        }
        let code = self.code_hash(context.actor, typed);
        let same = |kept: &str| mimamori_vault::constant_time_eq(kept.as_bytes(), code.as_bytes());
        if let Some(kept) = factors.recovery.iter().find(|kept| same(kept)) {
            let used = Some(UsedUp::Recovery(kept.clone()));
            return Ok(Some(Proved { shown: Shown::Recovery, changes: Vec::new(), used }));
        }
        let replacement = factors.replacement.as_ref();
        if replacement.is_some_and(|kept| same(&kept.code) && now < crate::body::time(kept.until)) {
            let used = Some(UsedUp::Replacement);
            return Ok(Some(Proved { shown: Shown::Replacement, changes: Vec::new(), used }));
        }
        Ok(None)
    }

    /// Puts into a unit what a proof uses up. A code is taken from the account: the version that does
    /// so is there once only.
    async fn use_up(
        &self,
        caller: &Caller,
        unit: &mut Unit,
        context: &ActorContext,
        proved: Proved,
    ) -> Result<()> {
        unit.changes.extend(proved.changes);
        let Some(used) = proved.used else { return Ok(()) };
        let decision = self.own_sign_in(caller, context).await?;
        let (now, stated) = (
            self.clock.now().as_micros(),
            match used {
                UsedUp::Recovery(_) => "a recovery code was used",
                UsedUp::Replacement => "a replacement code was used",
            },
        );
        self.put_account_change(caller, &decision, unit, context.actor, Some(stated), |account| {
            let factors = &mut account.credential.factors;
            match &used {
                UsedUp::Recovery(code) => {
                    factors.recovery.retain(|kept| kept != code);
                    factors.recovery_used = Some(now);
                }
                UsedUp::Replacement => factors.replacement = None,
            }
        })
        .await
    }

    /// Asks the rules whether somebody may sign in to their own account.
    pub(super) async fn own_sign_in(&self, caller: &Caller, context: &ActorContext) -> Result<Decision> {
        self.permit_general(caller, Action::SignIn, own_account(context)).await
    }

    /// What is kept of a code: hyphens, spaces and capitals make no difference.
    pub(super) fn code_hash(&self, actor: ActorId, typed: &str) -> String {
        let plain: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
        let text = format!("mimamori:code|{actor}|{}", plain.to_ascii_lowercase());
        hex::encode(self.keys.fixed.token(mimamori_vault::IndexField::Identifier, &text).as_bytes())
    }

    /// When a factor was used last, UTC; none before the first time.
    pub(super) async fn factor_used(&self, factor: ObjectId) -> Result<Option<Timestamp>> {
        let row = self.store.query_one(&sql::FACTOR_USED, vec![factor.into()]).await?;
        row.map(|row| row.time(1)).transpose().map_err(Error::unavailable)
    }
}
