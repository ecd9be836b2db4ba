//! Citizen users: their accounts in a list of their own, for those who administer accounts.

use mimamori_domain::{Action, ActorId, ObjectId, Result};
use mimamori_policy::GeneralTarget;

use super::STRIDE;
use super::keep::account_of;
use crate::administration::AccountDetail;
use crate::body::{AccountKind, kind};
use crate::caller::Caller;
use crate::context::object_from_row;
use crate::governance::object::Look;
use crate::{App, sql};

/// Citizens' accounts on one page.
const PAGE: usize = 50;

impl App {
    /// The accounts of citizen users after one of them, some at a time, in no particular order; and where
    /// the next page begins.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn citizen_accounts(
        &self,
        caller: &Caller,
        after: Option<ActorId>,
    ) -> Result<(Vec<AccountDetail>, Option<ActorId>)> {
        let target = GeneralTarget::of(kind::ACCOUNT);
        let decision = self.require_general(caller, Action::Search, target).await?;
        let mut after = after.map_or(ObjectId::from_bytes([0; 16]), ObjectId::from);
        let mut found = Vec::new();
        let mut next = None;
        'pages: loop {
            let args = vec![kind::ACCOUNT.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            let last = (rows.len() as i64) < STRIDE;
            for mut row in rows {
                let version = object_from_row(&mut row)?;
                let actor = ActorId::from(version.object);
                if found.len() == PAGE {
                    next = Some(ActorId::from(after));
                    break 'pages;
                }
                after = version.object;
                let account = account_of(&self.staff_key(actor).await?, &version)?;
                if account.kind == AccountKind::Citizen {
                    let context = self.actor_context_now(actor).await?;
                    found.push(self.detail_of(caller, &context).await?);
                }
            }
            if last {
                break;
            }
        }
        let look = Look::at(Action::Search, kind::ACCOUNT).count(found.len()).stated("citizens");
        self.note_look(caller, &decision, look).await?;
        Ok((found, next))
    }
}
