//! Whom the pack names: whether somebody holds one of the listed roles where it counts.

use mimamori_domain::{ActorId, InstitutionId, Timestamp};
use mimamori_policy::GeneralTarget;
use mimamori_policy::model::Who;

use crate::body::{AccountKind, Role, time};
use crate::caller::{ActorContext, Caller};

/// Where something belongs: what a scoped appointment must reach to count for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Whereabouts {
    pub(crate) institution: Option<InstitutionId>,
    /// The code of one of the site's units (部署).
    pub(crate) unit: Option<String>,
    /// The code of one of the site's information systems.
    pub(crate) system: Option<String>,
}

/// Which appointments count for something.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach<'a> {
    /// Any appointment to the role, whatever its scope.
    Anywhere,
    /// Appointments without a scope, and those whose scope is this.
    Here(&'a Whereabouts),
}

impl Reach<'_> {
    fn covers(self, role: &Role) -> bool {
        let Self::Here(place) = self else { return true };
        role.institution.is_none_or(|institution| place.institution == Some(institution))
            && role.unit.as_ref().is_none_or(|unit| place.unit.as_ref() == Some(unit))
            && role.system.as_ref().is_none_or(|system| place.system.as_ref() == Some(system))
    }
}

/// How somebody is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    /// The word of the pack that names them: a role's code, `anyone`, `citizen` or `applicant`.
    pub(crate) word: &'a str,
    /// They stand in for the holder of the role.
    pub(crate) deputy: bool,
}

/// The first of these words that names an account, among the appointments that hold at `now`.
/// `applicant` is who applied, where somebody did.
pub(crate) fn named<'a>(
    context: &ActorContext,
    words: &'a [Who],
    reach: Reach<'_>,
    applicant: Option<ActorId>,
    now: Timestamp,
) -> Option<Named<'a>> {
    let plain = |who: &'a Who| Some(Named { word: who.as_str(), deputy: false });
    words.iter().find_map(|who| match who {
        Who::Anyone if context.account.kind == AccountKind::Staff => plain(who),
        Who::Citizen if context.account.kind == AccountKind::Citizen => plain(who),
        Who::Applicant if applicant == Some(context.actor) => plain(who),
        Who::Role(code) => context
            .roles
            .iter()
            .filter(|role| role.role == *code && in_force(role, now) && reach.covers(role))
            .map(|role| Named { word: code.as_str(), deputy: role.deputy })
            .min_by_key(|named| named.deputy),
        Who::Anyone | Who::Citizen | Who::Applicant => None,
    })
}

/// Whether an appointment holds at `now`.
pub(crate) fn in_force(role: &Role, now: Timestamp) -> bool {
    !role.idle && time(role.from) <= now && role.until.is_none_or(|until| now < time(until))
}

impl Caller {
    /// As [`named`], about the caller. The operator of the machine and programs are never named.
    pub(crate) fn named<'a>(
        &self,
        words: &'a [Who],
        reach: Reach<'_>,
        applicant: Option<ActorId>,
        now: Timestamp,
    ) -> Option<Named<'a>> {
        named(self.context.as_deref()?, words, reach, applicant, now)
    }

    /// The unit (部署) of the caller's account.
    pub(crate) fn unit(&self) -> Option<&str> {
        self.context.as_deref()?.account.unit.as_deref()
    }

    /// Where the caller works.
    pub(crate) fn whereabouts(&self) -> Whereabouts {
        Whereabouts {
            institution: self.institution(),
            unit: self.unit().map(ToOwned::to_owned),
            system: None,
        }
    }
}

/// What is asked about one of the organisation's things; `named` says whether the pack names the
/// caller for it.
pub(crate) const fn target(kind: mimamori_domain::Kind, named: bool) -> GeneralTarget {
    GeneralTarget::of(kind).naming_caller(named)
}
