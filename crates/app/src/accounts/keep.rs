//! Accounts as versions: a new one with its key and appointments, and every change.

use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, InstitutionId, Kind, ObjectId, RecordState, Result,
    RoleCode,
};
use mimamori_policy::{Decision, GeneralTarget, RoleScope};
use mimamori_store::{AccessKey, Change, ColumnType, ObjectVersion, Unit, Value, tables};
use mimamori_vault::SecretKey;

use super::life::AccountSort;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::{self, Account, AccountKind, Role, kind};
use crate::caller::Caller;
use crate::context::open_object;
use crate::keys::{insert_key, staff_key};
use crate::record::{NewVersion, put_version};
use crate::{App, sql};

/// An account with what is needed to change it.
pub(super) struct OpenedAccount {
    actor: ActorId,
    version: u64,
    key: SecretKey,
    pub(super) account: Account,
}

impl App {
    /// Keeps a new account with its key and appointments.
    pub(crate) async fn keep_account(
        &self,
        caller: &Caller,
        account: &Account,
        roles: &[RoleCode],
    ) -> Result<ActorId> {
        let thing = if account.kind == AccountKind::Program { "program" } else { "account" };
        let mut target = GeneralTarget::of(Kind::of(thing));
        if let Some(institution) = account.institution {
            target = target.at(institution);
        }
        let decision = self.require_general(caller, Action::Create, target).await?;
        let mut unit = Unit::new();
        let actor = self.put_new_account(caller, &decision, &mut unit, account, roles).await?;
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(actor),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Puts a new account with its key, sign-in name, appointments and ledger entry into a unit; what
    /// permits it is the caller's to have asked.
    pub(crate) async fn put_new_account(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        account: &Account,
        roles: &[RoleCode],
    ) -> Result<ActorId> {
        let now = self.clock.now();
        let actor = ActorId::random();
        if !account.login.is_empty() {
            let row = vec![self.login_token(&account.login).into(), actor.into()];
            unit.changes.push(Change::insert(&tables::LOGIN, row));
        }
        let (key, row) = staff_key(&self.vault, actor, now)?;
        unit.changes.push(insert_key(&row));
        let bytes = body::to_bytes(account)?;
        let sealed = self.own_version(caller, ObjectId::from(actor), 1, kind::ACCOUNT, "account", &bytes)?;
        let sealed = sealed.seal(&key, None, unit.id)?;
        let mut commitments = vec![put_version(unit, sealed, now)];
        if roles.iter().any(|role| self.pack.role(role).is_some_and(|role| role.privileged)) {
            self.admit_administrator(unit).await?;
        }
        for role in roles {
            let object = ObjectId::random();
            let bytes = body::to_bytes(&Role {
                actor,
                role: role.clone(),
                institution: account.institution.filter(|_| {
                    self.pack.role(role).is_some_and(|role| role.scope == RoleScope::Institution)
                }),
                unit: None,
                system: None,
                from: now.as_micros(),
                until: None,
                deputy: false,
                appointed_by: caller.context.as_ref().map(|_| caller.actor),
                granted: None,
                group: None,
                idle: false,
            })?;
            let sealed = self.own_version(caller, object, 1, kind::ROLE, "role", &bytes)?;
            let sealed = sealed.seal(&key, None, unit.id)?;
            commitments.push(put_version(unit, sealed, now));
            let row = vec![object.into(), "appointed".into(), actor.into(), Value::Null(ColumnType::Blob)];
            unit.changes.push(Change::insert(&tables::LINK, row));
        }
        if let Some(institution) = account.institution {
            let row = vec![
                ObjectId::from(actor).into(),
                "works-for".into(),
                institution.into(),
                Value::Null(ColumnType::Blob),
            ];
            unit.changes.push(Change::insert(&tables::LINK, row));
        }
        unit.bumps.push(AccessKey::from(actor));
        let mut entry = decided(caller.entry(unit.id, Action::Administer), decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        entry.version = Some(1);
        entry.commitments = commitments;
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, None)?;
        unit.entries.push(entry);
        Ok(actor)
    }

    pub(crate) fn own_version<'a>(
        &self,
        caller: &Caller,
        object: ObjectId,
        version: u64,
        kind: Kind,
        class: &str,
        plain: &'a [u8],
    ) -> Result<NewVersion<'a>> {
        Ok(NewVersion {
            object,
            version,
            kind,
            label: AccessLabel {
                class: ClassCode::new(class).map_err(Error::internal)?,
                state: RecordState::Confirmed,
                institution: caller.institution().unwrap_or(InstitutionId::from_bytes([0; 16])),
            },
            author: Some(caller.actor),
            on_behalf: None,
            confirmer: None,
            plain,
            pack: caller.pack,
            recorded: self.clock.now(),
        })
    }

    pub(super) async fn change_account(
        &self,
        caller: &Caller,
        login: &str,
        action: Action,
        stated: Option<&str>,
        change: impl Fn(&mut Account) -> Result<()>,
    ) -> Result<()> {
        let actor = self.actor_of_login(&self.login_token(login)).await?.ok_or_else(|| {
            Error::new(mimamori_domain::ErrorKind::NotFound, "there is no account of this sign-in name")
        })?;
        self.change_actor(caller, actor, action, stated, change).await
    }

    /// Changes an account, after the decision: what `change` says goes to nobody who may not see it.
    pub(crate) async fn change_actor(
        &self,
        caller: &Caller,
        actor: ActorId,
        action: Action,
        stated: Option<&str>,
        change: impl Fn(&mut Account) -> Result<()>,
    ) -> Result<()> {
        for _ in 0..ATTEMPTS {
            let opened = self.opened_account(actor).await?;
            let mut target = GeneralTarget::of(Kind::of("account"));
            if let Some(institution) = opened.account.institution {
                target = target.at(institution);
            }
            let decision = self.require_general(caller, action, target.owned_by(actor)).await?;
            let mut unit = Unit::new();
            if self.put_account(caller, &decision, &mut unit, opened, stated, &change).await? {
                self.admit_again(&mut unit, actor).await?;
            }
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    pub(super) async fn opened_account(&self, actor: ActorId) -> Result<OpenedAccount> {
        let current = self.current(ObjectId::from(actor)).await?.ok_or_else(Error::not_found)?;
        let key = self.staff_key(actor).await?;
        let account = account_of(&key, &current)?;
        Ok(OpenedAccount { actor, version: current.version, key, account })
    }

    /// Puts a change of an account and its ledger entry into a unit; what permits it is the caller's
    /// to have asked.
    pub(crate) async fn put_account_change(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        actor: ActorId,
        stated: Option<&str>,
        change: impl Fn(&mut Account),
    ) -> Result<()> {
        let opened = self.opened_account(actor).await?;
        let resumed = self
            .put_account(caller, decision, unit, opened, stated, &|account| {
                change(account);
                Ok(())
            })
            .await?;
        if resumed { self.admit_again(unit, actor).await } else { Ok(()) }
    }

    /// Says whether a stopped account is used again. What was planned and is due by now comes first.
    async fn put_account(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        opened: OpenedAccount,
        stated: Option<&str>,
        change: &impl Fn(&mut Account) -> Result<()>,
    ) -> Result<bool> {
        let OpenedAccount { actor, version, key, mut account } = opened;
        if account.life.closed.is_some() {
            return Err(Error::conflict("this account is closed for good; a new one is needed"));
        }
        let (stopped, places) = (!account.active, account.places());
        account.arrive(self.clock.now());
        change(&mut account)?;
        if account.places() != places {
            self.put_places(unit, actor, &account).await?;
        }
        let bytes = body::to_bytes(&account)?;
        let next = version + 1;
        let version = self
            .own_version(caller, ObjectId::from(actor), next, kind::ACCOUNT, "account", &bytes)?
            .seal(&key, None, unit.id)?;
        let now = version.recorded;
        let commitment = put_version(unit, version, now);
        unit.bumps.push(AccessKey::from(actor));
        if !account.active {
            unit.changes.push(Change::any(&sql::REVOKE_BEARER, vec![actor.into(), now.into()]));
        }
        // What has no secret of its own any more has no sessions of its own either.
        if account.life.closed.is_some() || account.life.sort == AccountSort::Shared {
            self.end_sessions(unit, actor, [0; 32], now).await?;
        }
        let mut entry = decided(caller.entry(unit.id, Action::Administer), decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        entry.version = Some(next);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, stated)?;
        unit.entries.push(entry);
        Ok(stopped && account.active)
    }

    /// Links an account to every institution it works for or will, so that lists there find it.
    async fn put_places(&self, unit: &mut Unit, actor: ActorId, account: &Account) -> Result<()> {
        let object = ObjectId::from(actor);
        let mut known = Vec::new();
        for row in self.store.query(&sql::LINKS_OF, vec![object.into()]).await? {
            if row.text(0).map_err(Error::unavailable)? == "works-for" {
                known.push(row.id_of(1).map_err(Error::unavailable)?);
            }
        }
        for institution in account.places() {
            if !known.contains(&institution) {
                let row = vec![
                    object.into(),
                    "works-for".into(),
                    institution.into(),
                    Value::Null(ColumnType::Blob),
                ];
                unit.changes.push(Change::insert(&tables::LINK, row));
                known.push(institution);
            }
        }
        Ok(())
    }
}

pub(super) fn account_of(key: &SecretKey, version: &ObjectVersion) -> Result<Account> {
    if version.kind != kind::ACCOUNT {
        return Err(Error::not_found());
    }
    body::from_bytes(&open_object(key, version)?)
}
