//! Second factors: enrolling one, removing one, recovery codes, and what takes the place of a lost one.

mod one_time;
mod passkey;

use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, ErrorKind, ObjectId, Result, Timestamp};
use mimamori_policy::{Text, Zone, ZoneCaller};
use mimamori_store::{Change, Unit, tables};
use zeroize::Zeroizing;

pub use one_time::NewOneTime;
pub(super) use one_time::one_time_step;
pub use passkey::Challenge;

use super::{IdentityProof, InitialSecret, initial, own_account, target_of};
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::body::{AccountKind, Factor, FactorKind, Replacement, time};
use crate::caller::{ActorContext, Caller};
use crate::record::{fault, stated_reason};
use crate::sessions::Shown;
use crate::{App, sql};

/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// Bits of each of them, and of a replacement code.
const CODE_BITS: u64 = 56;
/// The longest name of a factor, in characters.
const MOST_NAME: usize = 40;
/// How many factors one account has at most.
const MOST_FACTORS: usize = 10;

/// One second factor, as its owner sees it. UTC.
#[derive(Clone)]
pub struct FactorView {
    pub id: ObjectId,
    pub kind: FactorKind,
    pub name: String,
    pub added: Timestamp,
    pub used: Option<Timestamp>,
}

/// What somebody calls a factor stays out of debug output.
impl std::fmt::Debug for FactorView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactorView").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The second factors of an account. UTC.
#[derive(Debug, Clone, Default)]
pub struct FactorsView {
    pub factors: Vec<FactorView>,
    /// Recovery codes not used yet.
    pub recovery_left: usize,
    pub recovery_made: Option<Timestamp>,
    pub recovery_used: Option<Timestamp>,
    /// The rules ask the owner for a second factor.
    pub required: bool,
    /// Passkeys can be used with this installation.
    pub passkeys: bool,
    /// None can be registered from where the owner is.
    pub elsewhere: Option<EnrolElsewhere>,
}

/// What somebody can do who cannot register a second factor from where they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnrolElsewhere {
    /// Names of the zones from which it can be registered.
    pub zones: Vec<Text>,
    /// Name of the procedure that gives a code for it.
    pub procedure: Option<Text>,
}

/// What enrolling a factor gave.
pub struct NewFactor {
    /// The secret of the session, which goes on under another token.
    pub token: String,
    /// With the first factor: recovery codes, which exist nowhere else.
    pub recovery: Vec<Zeroizing<String>>,
}

/// Secrets stay out of debug output.
impl std::fmt::Debug for NewFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewFactor").finish_non_exhaustive()
    }
}

impl App {
    /// The caller's own second factors.
    ///
    /// # Errors
    /// Forbidden to programs; unavailable.
    pub async fn own_factors(&self, caller: &Caller) -> Result<FactorsView> {
        let (context, _) = caller.person()?;
        self.factors_view(&context, caller).await
    }

    async fn factors_view(&self, context: &Arc<ActorContext>, caller: &Caller) -> Result<FactorsView> {
        let kept = &context.account.credential.factors;
        let mut factors = Vec::with_capacity(kept.kept.len());
        for factor in &kept.kept {
            let used = self.factor_used(factor.id).await?.filter(|used| time(factor.added) < *used);
            factors.push(FactorView {
                id: factor.id,
                kind: factor.kind,
                name: factor.name.clone(),
                added: time(factor.added),
                used,
            });
        }
        Ok(FactorsView {
            factors,
            recovery_left: kept.recovery.len(),
            recovery_made: kept.recovery_made.map(time),
            recovery_used: kept.recovery_used.map(time),
            required: self.wants_second(context, &caller.origin, self.clock.now())?,
            passkeys: self.passkeys().is_some(),
            elsewhere: (!self.enrols_here(caller)).then(|| self.enrols_elsewhere()),
        })
    }

    fn enrols_elsewhere(&self) -> EnrolElsewhere {
        let open = |zone: &&Zone| zone.enrolment && !zone.closed_to.contains(&ZoneCaller::Staff);
        let procedure = self.replacement_procedure().and_then(|code| self.pack.procedure(code));
        EnrolElsewhere {
            zones: self.pack.zones().iter().filter(open).map(|zone| zone.name.clone()).collect(),
            procedure: procedure.map(|procedure| procedure.name.clone()),
        }
    }

    /// Adds a factor whose possession was shown. The session goes on under another token, all others end;
    /// a lost factor is replaced by it.
    async fn add_factor(
        &self,
        caller: &Caller,
        (kind, secret, counter): (FactorKind, String, u64),
        name: &str,
        taking: Change,
    ) -> Result<NewFactor> {
        let (context, session) = caller.person()?;
        self.require_enrolment(caller).await?;
        let present = &context.account.credential.factors;
        if present.kept.len() >= MOST_FACTORS {
            return Err(Error::conflict("there are enough second factors; remove one first"));
        }
        let name: String = name.trim().chars().filter(|c| !c.is_control()).take(MOST_NAME).collect();
        let decision = self.permit_general(caller, caller.own_action(), own_account(&context)).await?;
        let recovery = if present.kept.is_empty() { codes()? } else { Vec::new() };
        let hashes = self.code_hashes(context.actor, &recovery);
        let now = self.clock.now();
        let factor = Factor { id: ObjectId::random(), name, added: now.as_micros(), kind, secret };
        let shown = if kind == FactorKind::Passkey { Shown::Passkey } else { Shown::OneTime };
        let mut unit = Unit::new();
        unit.changes.push(taking);
        let row = vec![factor.id.into(), counter.into(), now.into()];
        unit.changes.push(Change::insert(&tables::FACTOR_USE, row));
        self.put_account_change(
            caller,
            &decision,
            &mut unit,
            context.actor,
            Some("second factor added"),
            |account| {
                let factors = &mut account.credential.factors;
                factors.kept.push(factor.clone());
                if !hashes.is_empty() {
                    factors.recovery.clone_from(&hashes);
                    factors.recovery_made = Some(now.as_micros());
                }
                factors.lost = None;
                factors.replacement = None;
            },
        )
        .await?;
        self.end_sessions(&mut unit, context.actor, session.token_hash, now).await?;
        let token = self.put_rotation(caller, &mut unit, &context, shown).await?;
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(NewFactor { token, recovery }),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Removes one of the caller's factors, after they showed lately who they are. Without any left the
    /// recovery codes go too.
    ///
    /// # Errors
    /// Forbidden until they show it again ([`crate::wants_step_up`]); not found; conflict for the last one
    /// of somebody whom the rules ask for one.
    pub async fn remove_factor(&self, caller: &Caller, factor: ObjectId) -> Result<()> {
        let (context, _) = caller.person()?;
        self.lately(caller)?;
        let kept = &context.account.credential.factors.kept;
        if !kept.iter().any(|kept| kept.id == factor) {
            return Err(Error::not_found());
        }
        if kept.len() == 1 && self.wants_second(&context, &caller.origin, self.clock.now())? {
            return Err(Error::conflict("the rules ask you for a second factor; add another one first"));
        }
        let decision = self.permit_general(caller, caller.own_action(), own_account(&context)).await?;
        let mut unit = Unit::new();
        unit.changes.push(Change::any(&sql::FORGET_FACTOR, vec![factor.into()]));
        let stated = Some("second factor removed");
        self.put_account_change(caller, &decision, &mut unit, context.actor, stated, |account| {
            let factors = &mut account.credential.factors;
            factors.kept.retain(|kept| kept.id != factor);
            if factors.kept.is_empty() {
                factors.recovery.clear();
            }
        })
        .await?;
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Makes recovery codes anew, given once; earlier ones are good no more.
    ///
    /// # Errors
    /// Forbidden until the caller shows again who they are; conflict without a second factor.
    pub async fn make_recovery_codes(&self, caller: &Caller) -> Result<Vec<Zeroizing<String>>> {
        let (context, _) = caller.person()?;
        self.lately(caller)?;
        if context.account.credential.factors.kept.is_empty() {
            return Err(Error::conflict("recovery codes come with a second factor; add one first"));
        }
        let decision = self.permit_general(caller, caller.own_action(), own_account(&context)).await?;
        let made = codes()?;
        let hashes = self.code_hashes(context.actor, &made);
        let now = self.clock.now().as_micros();
        let mut unit = Unit::new();
        let stated = Some("recovery codes were made anew");
        self.put_account_change(caller, &decision, &mut unit, context.actor, stated, |account| {
            account.credential.factors.recovery.clone_from(&hashes);
            account.credential.factors.recovery_made = Some(now);
        })
        .await?;
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(made),
            Settled::Again => Err(kept_changing()),
        }
    }

    fn code_hashes(&self, actor: ActorId, codes: &[Zeroizing<String>]) -> Vec<String> {
        codes.iter().map(|code| self.code_hash(actor, code)).collect()
    }

    /// Somebody lost what they sign in with: their factors and recovery codes are good no more, sessions
    /// end, and until another factor is enrolled the password alone opens nothing.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for the caller's own, and for an account without a second
    /// factor.
    pub async fn report_lost_factor(&self, caller: &Caller, actor: ActorId, reason: &str) -> Result<()> {
        let reason = stated_reason(reason)?;
        let context = self.other_person(caller, actor).await?;
        let decision = self.require_general(caller, Action::Withdraw, target_of(&context)).await?;
        let factors = &context.account.credential.factors;
        if !factors.asked() {
            return Err(Error::conflict("this account has no second factor"));
        }
        self.drop_factors(caller, &decision, &context, reason, None).await
    }

    /// Gives somebody who lost their second factor, and proved who they are, a code that lets them enrol
    /// another one, once and for a limited time. What was lost is good no more.
    ///
    /// # Errors
    /// Invalid without reason and proof, or without the decided case that the pack asks for; conflict for
    /// the caller's own account.
    pub async fn replace_factor(
        &self,
        caller: &Caller,
        actor: ActorId,
        proof: &IdentityProof,
    ) -> Result<InitialSecret> {
        let context = self.other_person(caller, actor).await?;
        let decision = self.require_general(caller, Action::Update, target_of(&context)).await?;
        let stated = self.proved(actor, proof, self.replacement_procedure()).await?;
        let secret = initial::generate(CODE_BITS)?;
        let hours = self.pack.parameter_u64("second-factor.replacement-hours")?;
        let until = self.clock.now().plus(Duration::from_secs(3_600 * hours));
        let replacement = Replacement { code: self.code_hash(actor, &secret), until: until.as_micros() };
        self.drop_factors(caller, &decision, &context, &stated, Some(&replacement)).await?;
        Ok(InitialSecret {
            login: context.account.login.clone(),
            name: context.account.name.clone(),
            institution: context.institution_name.clone(),
            secret,
            until,
        })
    }

    /// The account of somebody else, a person.
    async fn other_person(&self, caller: &Caller, actor: ActorId) -> Result<Arc<ActorContext>> {
        if actor == caller.actor {
            return Err(Error::conflict("your own second factors are on your own page"));
        }
        let context = self.actor_context_now(actor).await?;
        if context.account.kind == AccountKind::Program {
            return Err(Error::not_found());
        }
        Ok(context)
    }

    async fn drop_factors(
        &self,
        caller: &Caller,
        decision: &mimamori_policy::Decision,
        context: &ActorContext,
        stated: &str,
        replacement: Option<&Replacement>,
    ) -> Result<()> {
        let (actor, now) = (context.actor, self.clock.now());
        for _ in 0..ATTEMPTS {
            let mut unit = Unit::new();
            let before = self.actor_context_now(actor).await?;
            for factor in &before.account.credential.factors.kept {
                unit.changes.push(Change::any(&sql::FORGET_FACTOR, vec![factor.id.into()]));
            }
            unit.changes.push(Change::any(&sql::FORGET_CEREMONIES, vec![actor.into()]));
            self.put_account_change(caller, decision, &mut unit, actor, Some(stated), |account| {
                let credential = &mut account.credential;
                if replacement.is_some() {
                    // One case is for one code.
                    credential.since = Some(now.as_micros());
                }
                let factors = &mut credential.factors;
                factors.kept.clear();
                factors.recovery.clear();
                factors.lost = Some(now.as_micros());
                factors.replacement = replacement.cloned();
            })
            .await?;
            self.end_sessions(&mut unit, actor, [0; 32], now).await?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }
}

/// New recovery codes.
fn codes() -> Result<Vec<Zeroizing<String>>> {
    (0..RECOVERY_CODES).map(|_| initial::generate(CODE_BITS)).collect()
}

/// A confirmation that did not fit.
fn not_confirmed() -> Error {
    fault("code", "this code does not fit; look at the app again and type the newest one", "value")
}

/// What was begun belongs to somebody else.
fn not_yours() -> Error {
    Error::new(ErrorKind::Gone, "this took too long or was finished already; please begin again")
}
