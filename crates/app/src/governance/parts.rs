//! Which parts of the organisation's rules somebody may look at: so that nobody is led where they
//! would be refused, and no refusal stands in the ledger for following a link.

use mimamori_domain::{Action, Kind};
use mimamori_policy::model::{Document, Who};

use super::who::{Reach, target};
use super::{appointments, controls, documents, duties, procedures, purpose, system};
use crate::App;
use crate::caller::Caller;

/// What a caller may look at. It is decided as the use cases decide it, and nothing is read for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleParts {
    /// Periodic duties: [`App::duties`].
    pub duties: bool,
    /// Documents: [`App::documents`].
    pub documents: bool,
    /// Roles and who holds them: [`App::roles`].
    pub roles: bool,
    /// The contact network: [`App::contact_network`].
    pub contacts: bool,
    /// Measures, attestations and the standing of clauses: [`App::attestations`],
    /// [`App::clause_states`].
    pub controls: bool,
    /// How the installation is doing: [`App::system_status`].
    pub system: bool,
    /// Every case of every procedure, whoever applied.
    pub cases: bool,
    /// Every document, posted for the caller or not.
    pub every_document: bool,
    /// Every attestation, the caller's to make or not.
    pub every_control: bool,
}

impl App {
    /// The parts of the rules that the caller may look at now.
    #[must_use]
    pub fn rule_parts(&self, caller: &Caller) -> RuleParts {
        let caller = purpose(caller);
        let now = self.clock.now();
        let is = |words: &[Who]| caller.named(words, Reach::Anywhere, None, now).is_some();
        let may = |kind: Kind, action: Action, named: bool| {
            self.decide_general(&caller, action, &target(kind, named), now).allowed
        };
        let pack = &self.pack;
        let appoints =
            pack.roles().iter().any(|role| self.appoints_within(&caller, &role.code, Reach::Anywhere));
        let reads = |document: &Document| {
            is(&document.posted) || is(&document.acknowledged_by) || is(&document.owner)
        };
        RuleParts {
            system: may(system::THING, Action::Read, false),
            cases: may(procedures::THING, Action::Read, false),
            every_document: may(documents::THING, Action::Read, false),
            every_control: may(controls::THING, Action::Read, false),
            duties: may(
                duties::THING,
                Action::Search,
                self.duties_of_pack().iter().any(|duty| is(&duty.terms.owner)),
            ),
            documents: may(documents::THING, Action::Search, pack.documents().iter().any(reads)),
            roles: may(appointments::THING, Action::Search, appoints),
            contacts: may(appointments::THING, Action::Read, caller.is_staff()),
            controls: may(
                controls::THING,
                Action::Search,
                pack.attestations().iter().any(|attestation| is(&attestation.owner)),
            ),
        }
    }
}
