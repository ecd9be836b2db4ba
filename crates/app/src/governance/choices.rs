//! What a form's fields are chosen from, where it is people.

use mimamori_domain::{Action, ActorId, Error, Kind, ObjectId, Result};
use mimamori_store::Unit;

use super::purpose;
use super::who::target;
use crate::access::{Settled, decided, kept_changing};
use crate::body::{AccountKind, kind};
use crate::caller::Caller;
use crate::{App, sql};

/// Accounts read at a time.
const STRIDE: i64 = 500;

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
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::ACCOUNT.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            let last = (rows.len() as i64) < STRIDE;
            for row in rows {
                after = row.id_of(0).map_err(Error::unavailable)?;
                let context = self.actor_context(ActorId::from(after)).await?;
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
            if last {
                break;
            }
        }
        found.sort_by(|a, b| (&a.name, a.id).cmp(&(&b.name, b.id)));
        let unit = Unit::new();
        let mut line = decided(caller.entry(unit.id, Action::Search), &decision);
        line.resource = Some((kind::ACCOUNT, None));
        line.count = found.len() as u64;
        let line = self.with_sealed(&caller, line, 0, None)?;
        match self.settle(&caller, unit.entry(line)).await? {
            Settled::Done => Ok(found),
            Settled::Again => Err(kept_changing()),
        }
    }
}
