//! What a form's fields are chosen from, where it is people.

use mimamori_domain::{Action, ActorId, Kind, Result};

use super::object::Look;
use super::purpose;
use super::who::target;
use crate::App;
use crate::body::{AccountKind, kind};
use crate::caller::Caller;

/// Somebody whom a form may name.
#[derive(Clone)]
pub struct PersonChoice {
    pub id: ActorId,
    pub name: String,
    /// The name of their institution.
    pub institution: Option<String>,
}

/// Names stay out of debug output (invariant 9).
impl std::fmt::Debug for PersonChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonChoice").field("id", &self.id).finish_non_exhaustive()
    }
}

impl App {
    /// The staff members whom a form may name, by name: those whose account is active. Staff only:
    /// colleagues are no secret to each other, and the list is recorded like any other.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn person_choices(&self, caller: &Caller) -> Result<Vec<PersonChoice>> {
        let caller = purpose(caller);
        let thing = Kind::of("register");
        let decision =
            self.require_general(&caller, Action::Search, target(thing, caller.is_staff())).await?;
        let mut found = Vec::new();
        for context in self.everybody().await?.iter() {
            if context.account.active && context.account.kind == AccountKind::Staff {
                let institution = match context.account.institution {
                    Some(id) => self.institution_name(id).await?,
                    None => None,
                };
                found.push(PersonChoice {
                    id: context.actor,
                    name: context.account.name.clone(),
                    institution,
                });
            }
        }
        found.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        self.note_look(&caller, &decision, Look::at(Action::Search, kind::ACCOUNT).count(found.len()))
            .await?;
        Ok(found)
    }
}
