//! Who stands around a person: care team, proxies, and what the person consented to or refused.

use mimamori_domain::{
    AccessLabel, Action, ClassCode, InstitutionId, ObjectId, RecordState, Result, SubjectId, Timestamp,
};
use mimamori_policy::TeamMembership;
use mimamori_store::Unit;

use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::body::{self, Consent, Proxy, kind, time};
use crate::caller::Caller;
use crate::context::SubjectContext;
use crate::record::{Listed, Reach, label_of};
use crate::{ActorView, App, TeamMember};

/// Who stands around a person, as far as the caller may see it.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// Now and formerly; none when the caller may not see the class `team`.
    pub team: Vec<Membered>,
    pub consents: Vec<ConsentView>,
    pub proxies: Vec<ProxyView>,
    /// Whether the caller may record a consent or refusal of this person.
    pub may_consent: bool,
}

/// A membership in the care team. Times are UTC.
#[derive(Debug, Clone)]
pub struct Membered {
    pub member: TeamMember,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

/// A consent or refusal. Times are UTC.
#[derive(Debug, Clone)]
pub struct ConsentView {
    pub id: ObjectId,
    /// Whether it permits, or refuses.
    pub permit: bool,
    /// None: every class.
    pub class: Option<ClassCode>,
    /// Whom it is about, with its name; none: every institution.
    pub institution: Option<(InstitutionId, String)>,
    pub from: Timestamp,
    /// When it was withdrawn, or ends.
    pub until: Option<Timestamp>,
}

impl ConsentView {
    /// Whether it holds at a time.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// A proxy's standing (代諾者). Times are UTC.
#[derive(Debug, Clone)]
pub struct ProxyView {
    pub proxy: ActorView,
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

impl App {
    /// Care team, consents and proxies of a person, the newest first.
    ///
    /// # Errors
    /// Forbidden when the caller may see nothing of this person; not found; unavailable.
    pub async fn around(&self, caller: &Caller, subject: SubjectId) -> Result<Around> {
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let Reach { context, permitted, .. } = self.reach(caller, subject, now).await?;
            let mut around =
                Around { may_consent: self.may_consent(caller, &context, now), ..Around::default() };
            let mut listed = Listed::default();
            for (version, plain) in self.deciding_objects(&context).await? {
                let Some(decision) = permitted.labels.get(&label_of(&version)?) else { continue };
                if version.kind == kind::CARE_TEAM {
                    around.team = self.memberships(&context.facts.team).await?;
                } else if version.kind == kind::CONSENT {
                    around.consents.push(self.consent_view(version.object, body::from_bytes(&plain)?).await?);
                } else if version.kind == kind::PROXY {
                    around.proxies.extend(self.proxy_view(&body::from_bytes(&plain)?).await?);
                } else {
                    continue;
                }
                listed.add(decision, version.commitment());
            }
            around.team.sort_by_key(|one| (one.until.is_some(), std::cmp::Reverse(one.from)));
            around.consents.sort_by_key(|one| (!one.holds(now), std::cmp::Reverse(one.from)));
            around.proxies.sort_by_key(|one| std::cmp::Reverse(one.from));
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            let unit = self.list_entries(caller, unit, None, vec![(subject, listed)])?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(around);
            }
        }
        Err(kept_changing())
    }

    /// What a page may offer; deciding again happens when it is used.
    fn may_consent(&self, caller: &Caller, context: &SubjectContext, now: Timestamp) -> bool {
        let institution = caller.institution().or(context.facts.registering_institution);
        let (Some(institution), Ok(class)) = (institution, ClassCode::new("consent")) else { return false };
        let label = AccessLabel { class, state: RecordState::Confirmed, institution };
        self.decide(caller, Action::Create, context, &label, None, now).allowed
    }

    async fn memberships(&self, team: &[TeamMembership]) -> Result<Vec<Membered>> {
        let mut shown = Vec::with_capacity(team.len());
        for one in team {
            let member = match (one.actor, one.institution) {
                (Some(actor), _) => self.actor_view(actor).await?.map(TeamMember::Person),
                (None, Some(id)) => {
                    self.institution_name(id).await?.map(|name| TeamMember::Institution { id, name })
                }
                (None, None) => None,
            };
            shown.extend(member.map(|member| Membered { member, from: one.from, until: one.until }));
        }
        Ok(shown)
    }

    async fn consent_view(&self, id: ObjectId, consent: Consent) -> Result<ConsentView> {
        let institution = match consent.institution {
            Some(id) => Some((id, self.institution_name(id).await?.unwrap_or_default())),
            None => None,
        };
        Ok(ConsentView {
            id,
            permit: consent.permit,
            class: consent.class,
            institution,
            from: time(consent.from),
            until: consent.until.map(time),
        })
    }

    async fn proxy_view(&self, proxy: &Proxy) -> Result<Option<ProxyView>> {
        let view = self.actor_view(proxy.actor).await?;
        Ok(view.map(|view| ProxyView { proxy: view, from: time(proxy.from), until: proxy.until.map(time) }))
    }
}
