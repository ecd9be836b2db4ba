//! What somebody who leaves has yet to return, shown with the case that ends their account.

use mimamori_domain::{Action, ActorId, Result};
use mimamori_policy::Decision;
use mimamori_policy::model::{EffectKind, Procedure, Source};

use super::Case;
use crate::App;
use crate::accounts::HeldItem;
use crate::administration::target_of;
use crate::caller::Caller;

impl App {
    /// What whoever leaves by a case has not returned, as on the page of their account, and by what
    /// decision the caller is told: none when the caller may not see the account, or nobody leaves.
    pub(super) async fn returns_of(
        &self,
        caller: &Caller,
        procedure: &Procedure,
        case: &Case,
    ) -> Result<Option<(Decision, Vec<HeldItem>)>> {
        let Some(actor) = leaver(procedure, case) else { return Ok(None) };
        let context = self.actor_context_now(actor).await?;
        let decision = self.decide_general(caller, Action::Read, &target_of(&context), self.clock.now());
        if !decision.allowed {
            return Ok(None);
        }
        Ok(Some((decision, self.held_by(actor).await?)))
    }
}

/// Who leaves: whom the pack says, else whose account the approval stops or closes.
fn leaver(procedure: &Procedure, case: &Case) -> Option<ActorId> {
    let known = case.known();
    let ends = |action| matches!(action, EffectKind::StopAccount | EffectKind::DeleteAccount);
    let stopped = procedure.effects.iter().filter(|effect| ends(effect.action));
    let fields = stopped.filter_map(|effect| match effect.with.get("account") {
        Some(Source::Field(reference)) => Some(reference.to_string()),
        _ => None,
    });
    let mut fields = procedure.leaver.clone().into_iter().chain(fields);
    fields.find_map(|field| known.get(&field)?.as_str()?.parse().ok())
}
