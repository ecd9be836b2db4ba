//! Why somebody may or may not do something, in words.

use mimamori_domain::{
    AccessLabel, Action, ClassCode, Error, ErrorKind, InstitutionId, Kind, Purpose, RecordState, Result,
    SubjectId,
};
use mimamori_policy::{GeneralTarget, Language};
use mimamori_store::Unit;

use crate::access::decided;
use crate::caller::Caller;
use crate::{App, Origin};

impl App {
    /// Explains the decision about an action of an account on confirmed records of a class of a
    /// person that an institution answers for: which policies permit or forbid, and for the others
    /// which condition was not met. Nothing of the record is opened. The request is thought to come from
    /// `origin`: its zone and terminal count, its address does not.
    ///
    /// # Errors
    /// Not found for an unknown sign-in name or person; forbidden; unavailable.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the question asked")]
    pub async fn explain(
        &self,
        caller: &Caller,
        login: &str,
        subject: SubjectId,
        action: Action,
        class: ClassCode,
        institution: InstitutionId,
        origin: &Origin,
        language: Language,
    ) -> Result<String> {
        let target = GeneralTarget::of(Kind::of("policy"));
        let asking =
            if caller.context.is_some() { caller.for_purpose(Purpose::Audit) } else { caller.clone() };
        let decision = self.require_general(&asking, Action::Explain, target).await?;
        let actor = self
            .actor_of_login(&self.login_token(login))
            .await?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no account of this sign-in name"))?;
        let now = self.clock.now();
        let actor_context = self.actor_context(actor).await?;
        let about = self.at_work(&actor_context).coming_from(origin);
        let context = self.subject_context(subject).await?;
        let label = AccessLabel { class, state: RecordState::Confirmed, institution };
        let text = self
            .authorizer
            .explain(&about.facts, action, &context.facts, &label, None, now)
            .to_text(language);
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Explain), &decision);
        entry.subject = Some(subject);
        entry.resource = Some((Kind::of("account"), Some(actor.into())));
        let entry = self.with_sealed(caller, entry, 0, None)?;
        self.settle(caller, unit.entry(entry)).await?;
        Ok(text)
    }
}
