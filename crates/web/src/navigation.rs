//! Which links of the main navigation somebody is shown. It follows the rules so that nobody is led
//! where they will be refused; what is permitted is decided by the use cases alone.

use mimamori_app::Caller;
use mimamori_policy::model::{Document, Procedure, Who};

use crate::settings::Web;

/// Roles that review the ledger: for the whole installation, and facility managers for their own
/// institution. Access is reviewed regularly by those who answer for it (health ministry's
/// guideline, 5th edition, section 6.5, access records). Clauses `ledger-review` and
/// `ledger-review-own-institution` of the pack's `access.cedar`; a test compares them.
const REVIEWERS: [&str; 6] =
    ["auditor", "system-manager", "security-manager", "ciso", "privacy-officer", "facility-manager"];

/// Roles that see accounts of every institution, and facility managers, who see those of their own.
/// Clauses `accounts-administer`, `accounts-help`, `oversight-read` and `accounts-of-own-staff` of the
/// pack's `access.cedar`; a test compares them.
const ADMINISTRATORS: [&str; 7] = [
    "system-manager",
    "operations-manager",
    "help-desk",
    "ciso",
    "security-manager",
    "auditor",
    "privacy-officer",
];
const OWN_ADMINISTRATORS: [&str; 1] = ["facility-manager"];

/// Roles that see the registered terminals and programs. Clauses `system-administer` and `oversight-read` of the pack's
/// `access.cedar`; a test compares them.
const OF_TERMINALS: [&str; 5] = ["system-manager", "ciso", "security-manager", "auditor", "privacy-officer"];

/// Whether somebody sees the registered terminals and programs.
pub(crate) fn sees_terminals(caller: &Caller) -> bool {
    holds(caller, &OF_TERMINALS)
}

/// Whether somebody sees the accounts of every institution, and not only of their own.
pub(crate) fn administers_everywhere(caller: &Caller) -> bool {
    holds(caller, &ADMINISTRATORS)
}

/// Whether somebody reviews the ledger of the whole installation, and not only of their own institution.
pub(crate) fn reviews_everywhere(caller: &Caller) -> bool {
    caller
        .roles()
        .iter()
        .any(|role| REVIEWERS.contains(&role.as_str()) && !OWN_ADMINISTRATORS.contains(&role.as_str()))
}

fn holds(caller: &Caller, roles: &[&str]) -> bool {
    caller.roles().iter().any(|role| roles.contains(&role.as_str()))
}

/// The links somebody is shown beside their own people.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Navigation {
    /// Searching for people: the pack's occupations say who does.
    pub(crate) search: bool,
    pub(crate) review: bool,
    /// The organisation's rules: all staff have some; citizens when a procedure or document is for them.
    pub(crate) rules: bool,
    pub(crate) accounts: bool,
}

impl Navigation {
    pub(crate) fn of(web: &Web, caller: &Caller) -> Self {
        if !caller.is_staff() {
            let pack = web.app.pack();
            let applies = |procedure: &Procedure| procedure.applicants.contains(&Who::Citizen);
            let reads = |document: &Document| {
                document.posted.iter().chain(&document.acknowledged_by).any(|who| *who == Who::Citizen)
            };
            let rules = pack.procedures().iter().any(applies) || pack.documents().iter().any(reads);
            return Self { rules, ..Self::default() };
        }
        let occupation = caller.occupation().and_then(|code| web.app.pack().occupation(code));
        Self {
            search: occupation.is_some_and(|o| o.finds_people),
            rules: true,
            review: holds(caller, &REVIEWERS),
            accounts: holds(caller, &ADMINISTRATORS) || holds(caller, &OWN_ADMINISTRATORS),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Every role that these clauses of the base pack name.
    fn named(clauses: &[&str]) -> BTreeSet<&'static str> {
        let rules = include_str!("../../../packs/base/access.cedar");
        let mut roles = BTreeSet::new();
        for clause in clauses {
            let (_, text) = rules.split_once(&format!("@id(\"{clause}\")")).unwrap();
            let text = text.split("@id(").next().unwrap();
            roles.extend(text.split("Role::\"").skip(1).filter_map(|rest| rest.split('"').next()));
        }
        roles
    }

    #[test]
    fn the_links_are_for_whom_the_rules_name() {
        let reviewers = named(&["ledger-review", "ledger-review-own-institution"]);
        assert_eq!(reviewers, REVIEWERS.into_iter().collect());
        let everywhere = named(&["accounts-administer", "accounts-help", "oversight-read"]);
        assert_eq!(everywhere, ADMINISTRATORS.into_iter().collect());
        let of_terminals = named(&["system-administer", "oversight-read"]);
        assert_eq!(of_terminals, OF_TERMINALS.into_iter().collect());
        assert_eq!(named(&["accounts-of-own-staff"]), OWN_ADMINISTRATORS.into_iter().collect());
    }
}
