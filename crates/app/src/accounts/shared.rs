//! Shared ids (共用ID): accounts that several named people use for their work, where the pack allows them at
//! all (kawaguchi.8-4-2-2, kawaguchi.8-4-3-8).
//!
//! A shared id has no password and no factor: nobody signs in to it. Who is permitted signs in as themself
//! and takes it; the session goes on under it, with its roles and its institution, and every entry names
//! both. So there is no secret that several people know.

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, Error, LegalBasis, ObjectId, Result};
use mimamori_policy::{Decision, GeneralTarget};
use mimamori_store::{AccessKey, Change, ColumnType, Unit, Value, tables};

use super::life::AccountSort;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::administration::target_of;
use crate::body::{AccountKind, kind};
use crate::caller::{ActorContext, Caller, Under};
use crate::credentials::own_account;
use crate::record::{fault, stated_reason};
use crate::sign_in::Opening;
use crate::{App, sql};

/// Most people who share one id.
const MOST_PEOPLE: usize = 100;
/// What leads from a shared id to who is permitted.
const PERMITTED: &str = "permitted";

/// A shared id that somebody may take, or acts under.
#[derive(Clone)]
pub struct SharedView {
    pub actor: ActorId,
    pub login: String,
    pub name: String,
    /// The caller acts under it now.
    pub taken: bool,
}

/// Names stay out of debug output (invariant 9).
impl std::fmt::Debug for SharedView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedView")
            .field("actor", &self.actor)
            .field("taken", &self.taken)
            .finish_non_exhaustive()
    }
}

impl App {
    /// Whether the pack allows shared ids.
    pub(crate) fn allows_shared(&self) -> Result<bool> {
        self.pack.parameter_bool("accounts.shared-ids")
    }

    /// Says who may take a shared id: the people with these sign-in names and nobody else. Who acts under it and is not among them
    /// any more stops at once.
    ///
    /// # Errors
    /// Invalid without a reason, for an account that is no shared id, and for people who may not share one;
    /// conflict where the pack allows none; forbidden; unavailable.
    pub async fn permit_shared(
        &self,
        caller: &Caller,
        actor: ActorId,
        logins: &[String],
        reason: &str,
    ) -> Result<()> {
        let reason = stated_reason(reason)?;
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Administer, target_of(&context)).await?;
        let people = self.sharable(logins).await?;
        for _ in 0..ATTEMPTS {
            let context = self.actor_context_now(actor).await?;
            if context.account.life.sort != AccountSort::Shared {
                return Err(fault("sort", "this is no shared id", "business-rule"));
            }
            let mut unit = Unit::new();
            self.put_account_change(caller, &decision, &mut unit, actor, Some(reason), |account| {
                account.life.permitted.clone_from(&people);
            })
            .await?;
            let known = self.store.query(&sql::LINKS_OF, vec![ObjectId::from(actor).into()]).await?;
            for person in &people {
                let linked = known.iter().any(|row| {
                    row.text(0).is_ok_and(|role| role == PERMITTED)
                        && row.id_of::<ActorId>(1).is_ok_and(|target| target == *person)
                });
                if !linked {
                    let row = vec![
                        ObjectId::from(actor).into(),
                        PERMITTED.into(),
                        (*person).into(),
                        Value::Null(ColumnType::Blob),
                    ];
                    unit.changes.push(Change::insert(&tables::LINK, row));
                }
            }
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    /// Refuses people who may not share an id: each has an account of their own, in use, for everyday work.
    async fn sharable(&self, logins: &[String]) -> Result<Vec<ActorId>> {
        if !self.allows_shared()? {
            return Err(Error::conflict("the rules allow no shared ids"));
        }
        if logins.len() > MOST_PEOPLE {
            return Err(fault("people", "at most 100 people share an id", "value"));
        }
        let mut people = Vec::new();
        for login in logins {
            let person = self.actor_of_login(&self.login_token(login)).await?;
            let person =
                person.ok_or_else(|| fault("people", "nobody has one of these sign-in names", "value"))?;
            let account = &self.actor_context_now(person).await?.account;
            let everyday = matches!(account.life.sort, AccountSort::Ordinary | AccountSort::Development);
            if account.kind != AccountKind::Staff || !everyday || !account.active {
                let rule = "a shared id is for staff with an account of their own that is in use";
                return Err(fault("people", rule, "business-rule"));
            }
            if people.contains(&person) {
                return Err(fault("people", "somebody is named twice", "value"));
            }
            people.push(person);
        }
        Ok(people)
    }

    /// The shared ids that the caller may take, and the one they act under.
    ///
    /// # Errors
    /// Forbidden to programs; unavailable when it could not be recorded.
    pub async fn own_shared_ids(&self, caller: &Caller) -> Result<Vec<SharedView>> {
        let (context, _) = caller.person()?;
        if !self.allows_shared()? {
            return Ok(Vec::new());
        }
        let decision = self.require_general(caller, Action::Read, own_account(&context)).await?;
        let args = vec![
            caller.actor.into(),
            PERMITTED.into(),
            vec![0_u8; 16].into(),
            i64::try_from(MOST_PEOPLE).unwrap_or(i64::MAX).into(),
        ];
        let mut found = Vec::new();
        for row in self.store.query(&sql::LINKS_TO, args).await? {
            let object: ObjectId = row.id_of(0).map_err(Error::unavailable)?;
            let shared = self.actor_context_now(ActorId::from(object)).await?;
            if self.may_take(caller.actor, &shared)? {
                found.push(SharedView {
                    actor: shared.actor,
                    login: shared.account.login.clone(),
                    name: shared.account.name.clone(),
                    taken: context.under.as_ref().is_some_and(|under| under.actor == shared.actor),
                });
            }
        }
        if found.is_empty() {
            return Ok(found);
        }
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Read), &decision);
        entry.resource = Some((kind::ACCOUNT, None));
        entry.count = found.len() as u64;
        let entry = self.with_sealed(caller, entry, 0, None)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(found),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Takes a shared id: the caller's session goes on under it, and under another token, which is given.
    ///
    /// # Errors
    /// Forbidden to whoever is not permitted, on the record; unavailable.
    pub async fn take_shared(&self, caller: &Caller, shared: ActorId) -> Result<String> {
        let target = match self.actor_context_now(shared).await {
            Ok(target) => Some(target),
            Err(error) if error.kind() == mimamori_domain::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let person = self.actor_context_now(caller.actor).await?;
        let permitted = match &target {
            Some(target) => caller.first().is_none() && self.may_take(caller.actor, target)?,
            None => false,
        };
        let Some(target) = target.filter(|_| permitted) else {
            let nothing = Decision { allowed: false, policies: [].into(), basis: LegalBasis::None };
            let resource = Some((kind::ACCOUNT, Some(ObjectId::from(shared))));
            return Err(self.refuse(caller, Action::SignIn, None, resource, &nothing).await);
        };
        let context = Arc::new(acting(&person, &target));
        self.go_on_as(caller, &context, Some(shared), "shared id taken").await
    }

    /// Lays the shared id down: the session goes on as the caller's own, under another token.
    ///
    /// # Errors
    /// Conflict for whoever acts under none; unavailable.
    pub async fn leave_shared(&self, caller: &Caller) -> Result<String> {
        let (context, _) = caller.person()?;
        if context.under.is_none() {
            return Err(Error::conflict("you act under no shared id"));
        }
        let person = self.actor_context_now(caller.actor).await?;
        self.go_on_as(caller, &person, None, "shared id laid down").await
    }

    async fn go_on_as(
        &self,
        caller: &Caller,
        context: &Arc<ActorContext>,
        under: Option<ActorId>,
        stated: &str,
    ) -> Result<String> {
        let (_, session) = caller.person()?;
        let now = self.clock.now();
        let mut unit = Unit::new();
        let args = vec![session.token_hash.into(), now.into()];
        unit.changes.push(Change::one(&sql::CONTINUE_SESSION, args));
        unit.bumps.push(AccessKey::from(session.id));
        let opening = Opening {
            shown: session.shown,
            began: session.began,
            proved: session.proved,
            expires: session.expires,
            under,
        };
        let (next, token) =
            self.put_session(&mut unit, Arc::clone(context), &caller.origin, opening, now).await?;
        let mut entry = next.entry(unit.id, Action::SignIn);
        entry.resource = under.map(|shared| (kind::ACCOUNT, Some(ObjectId::from(shared))));
        let entry = self.with_sealed(&next, entry, 0, Some(stated))?;
        // Guarded on what permits it: the old session, the person, the shared id.
        unit.guards.extend(next.guards());
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(token),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// The context of somebody whose session goes on under a shared id; none when they may not act under it
    /// any more.
    pub(crate) async fn under_shared(
        &self,
        person: &Arc<ActorContext>,
        shared: ActorId,
    ) -> Result<Option<Arc<ActorContext>>> {
        let mut target = self.actor_context(shared).await?;
        if !self.may_take(person.actor, &target)? {
            target = self.actor_context_now(shared).await?;
        }
        Ok(self.may_take(person.actor, &target)?.then(|| Arc::new(acting(person, &target))))
    }

    /// Whether somebody may act under an account.
    fn may_take(&self, person: ActorId, shared: &ActorContext) -> Result<bool> {
        let account = &shared.account;
        let permitted = account.life.sort == AccountSort::Shared && account.life.permitted.contains(&person);
        Ok(permitted && account.active && self.allows_shared()?)
    }

    /// What an account must not be used for by itself: a shared id has no password of its own.
    pub(crate) fn no_shared(&self, context: &ActorContext) -> Result<()> {
        if context.account.life.sort != AccountSort::Shared {
            return Ok(());
        }
        Err(fault("sort", "a shared id has no password: who is permitted takes it", "business-rule"))
    }

    /// Who may take a shared id, for those who see the account.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn permitted_people(&self, caller: &Caller, actor: ActorId) -> Result<Vec<(String, String)>> {
        let context = self.actor_context_now(actor).await?;
        let target: GeneralTarget = target_of(&context);
        let decision = self.require_general(caller, Action::Read, target).await?;
        let mut found = Vec::new();
        for person in &context.account.life.permitted {
            let account = &self.actor_context_now(*person).await?.account;
            found.push((account.login.clone(), account.name.clone()));
        }
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Read), &decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        entry.count = found.len() as u64;
        let entry = self.with_sealed(caller, entry, 0, None)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(found),
            Settled::Again => Err(kept_changing()),
        }
    }
}

/// A person under a shared id: who they are and how they prove it stays theirs; what they may do is the
/// shared id's.
fn acting(person: &ActorContext, shared: &ActorContext) -> ActorContext {
    let mut account = person.account.clone();
    account.occupation = shared.account.occupation.clone();
    account.institution = shared.account.institution;
    account.unit = shared.account.unit.clone();
    ActorContext {
        actor: person.actor,
        version: person.version,
        account,
        stopped: person.stopped,
        until: person.until.into_iter().chain(shared.until).min(),
        pack: person.pack,
        roles: shared.roles.clone(),
        role_objects: shared.role_objects.clone(),
        vanished: Vec::new(),
        institution_name: shared.institution_name.clone(),
        under: Some(Under {
            actor: shared.actor,
            version: shared.version,
            name: shared.account.name.clone(),
        }),
    }
}
