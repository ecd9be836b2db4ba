//! Who must have a second factor, and what asks for having shown one lately. Both are data of the pack.

use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{Action, Error, ErrorKind, LegalBasis, ObjectId, Result, Timestamp};
use mimamori_policy::model::Procedure;
use mimamori_policy::{Decision, GeneralTarget};

use crate::accounts::AccountSort;
use crate::body::{AccountKind, kind};
use crate::caller::{ActorContext, Caller};
use crate::{App, Origin};

/// Told to whoever may do something, once they have shown again who they are.
const STEP_UP: &str = "please confirm that it is you, then go on";

/// Whether what failed goes on once its caller has shown again who they are.
#[must_use]
pub fn wants_step_up(error: &Error) -> bool {
    error.kind() == ErrorKind::Forbidden && error.message() == STEP_UP
}

impl App {
    /// Whether somebody must have a second factor where they are. A word that means nothing here, of a
    /// pack that a newer program wrote, asks for it.
    pub(crate) fn wants_second(
        &self,
        context: &ActorContext,
        origin: &Origin,
        now: Timestamp,
    ) -> Result<bool> {
        let of = context.account.kind;
        // Who opens the envelope of an emergency account has nothing but the secret in it; its use is told to
        // many at once instead (mhlw5.6.10-C-3).
        if of == AccountKind::Program || context.account.life.sort == AccountSort::Emergency {
            return Ok(false);
        }
        let zone =
            origin.zone.as_ref().and_then(|code| self.pack.zones().iter().find(|zone| zone.code == *code));
        if of == AccountKind::Staff && zone.is_some_and(|zone| zone.second_factor) {
            return Ok(true);
        }
        let grants = context.grants(now);
        let words = self.pack.parameter_text("second-factor.required-of")?;
        Ok(words.split_whitespace().any(|word| match word {
            "nobody" => false,
            "everybody" => true,
            "staff" => of == AccountKind::Staff,
            "citizens" => of == AccountKind::Citizen,
            "privileged" => self.holds_privileged(context, now),
            word => match word.strip_prefix("zone:") {
                Some(code) => origin.zone.as_ref().is_some_and(|zone| zone.as_str() == code),
                None => match self.pack.roles().iter().any(|role| role.code.as_str() == word) {
                    true => grants.iter().any(|grant| grant.role.as_str() == word),
                    false => true,
                },
            },
        }))
    }

    /// Refuses what the pack marks until its caller has lately shown who they are. The machine's operator
    /// and programs have nothing more to show.
    pub(crate) fn lately_for(&self, caller: &Caller, action: Action, target: &GeneralTarget) -> Result<()> {
        let reads = matches!(
            action,
            Action::Read
                | Action::Search
                | Action::Export
                | Action::Review
                | Action::Explain
                | Action::SignIn
                | Action::SignOut
        );
        let marked = self.pack.parameter_text("step-up.things")?;
        if reads || !marked.split_whitespace().any(|thing| thing == target.kind.as_str()) {
            return Ok(());
        }
        self.lately(caller)
    }

    /// Refuses an approval until its caller has lately shown who they are, where what the procedure does
    /// touches a thing that the pack marks.
    pub(crate) fn lately_for_effects(&self, caller: &Caller, procedure: &Procedure) -> Result<()> {
        let marked = self.pack.parameter_text("step-up.things")?;
        let touches = |thing: &str| marked.split_whitespace().any(|word| word == thing);
        match procedure.effects.iter().filter_map(|effect| effect.action.thing()).any(touches) {
            true => self.lately(caller),
            false => Ok(()),
        }
    }

    /// Whether somebody may register their first second factor where they are. Whoever has only learnt a
    /// password must not be able to: where two factors are asked for, it takes a zone that the pack opens for
    /// it, or a code that somebody gave them.
    pub(crate) fn enrols_here(&self, caller: &Caller) -> bool {
        let Some(context) = &caller.context else { return false };
        let strong = caller.session.is_some_and(|session| session.shown.strength() > 1);
        if strong || context.account.kind != AccountKind::Staff {
            return true;
        }
        let Some(code) = &caller.origin.zone else { return true };
        self.pack.zones().iter().any(|zone| zone.code == *code && zone.enrolment)
    }

    /// Refuses to register a second factor from where none may be, and records the try.
    pub(crate) async fn require_enrolment(&self, caller: &Caller) -> Result<()> {
        if self.enrols_here(caller) {
            return Ok(());
        }
        let none = Decision { allowed: false, policies: Arc::new([]), basis: LegalBasis::None };
        let thing = Some((kind::ACCOUNT, Some(ObjectId::from(caller.actor))));
        let refused = self.refuse(caller, caller.own_action(), None, thing, &none).await;
        match refused.kind() {
            ErrorKind::Forbidden => Err(Error::conflict(
                "no second factor is registered from here; register it at your office, or ask for a code for it",
            )),
            _ => Err(refused),
        }
    }

    /// Refuses until the caller has lately shown who they are.
    pub(crate) fn lately(&self, caller: &Caller) -> Result<()> {
        let Some(session) = caller.session.filter(|session| !session.bearer) else { return Ok(()) };
        let within = Duration::from_secs(60 * self.pack.parameter_u64("step-up.minutes")?);
        if self.clock.now().since(session.proved) < within {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Forbidden, STEP_UP))
    }
}
