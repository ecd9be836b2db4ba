//! Citizen users: their accounts in a list of their own, for those who administer accounts.

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, Result};
use mimamori_policy::GeneralTarget;

use crate::App;
use crate::administration::{AccountDetail, AccountFacts, MayOfAccounts};
use crate::body::{AccountKind, kind};
use crate::caller::{ActorContext, Caller};
use crate::governance::People;
use crate::governance::object::Look;
use crate::together::each;

/// Citizens' accounts on one page.
const PAGE: usize = 50;

/// The accounts of a page, and where the next one begins.
pub(crate) type CitizensPage = (Vec<AccountFacts>, Option<ActorId>);

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
        let facts = Box::pin(async { self.facts_of_citizens(after).await.map(Arc::new) });
        let facts = self.asked.citizens.ask((self.pack.hash(), after), facts).await?;
        let (facts, next) = (&facts.0, facts.1);
        let mut may = MayOfAccounts::default();
        let found: Vec<AccountDetail> =
            facts.iter().map(|facts| self.detail_among(caller, facts, &mut may)).collect::<Result<_>>()?;
        let look = Look::at(Action::Search, kind::ACCOUNT).count(found.len()).stated("citizens");
        self.note_look(caller, &decision, look).await?;
        Ok((found, next))
    }

    async fn facts_of_citizens(&self, after: Option<ActorId>) -> Result<CitizensPage> {
        let people = self.everybody().await?;
        let (page, next) = page_after(&people, after);
        Ok((each(page.into_iter().map(|context| self.facts_of(context)).collect()).await?, next))
    }
}

fn page_after(people: &People, after: Option<ActorId>) -> (Vec<Arc<ActorContext>>, Option<ActorId>) {
    let citizen = |one: &&Arc<ActorContext>| {
        one.account.kind == AccountKind::Citizen && after.is_none_or(|last| one.actor > last)
    };
    let mut citizens = people.iter().filter(citizen).cloned();
    let page: Vec<_> = citizens.by_ref().take(PAGE).collect();
    let next = page.last().map(|last| last.actor).filter(|_| citizens.next().is_some());
    (page, next)
}
