//! Institutions, accounts, appointments and programs' tokens.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, InstitutionId, Kind, ObjectId, OccupationCode,
    RecordState, Result, RoleCode, SubjectId, Timestamp,
};
use mimamori_policy::{Decision, GeneralTarget, RoleScope};
use mimamori_store::{AccessKey, Change, ColumnType, ObjectVersion, Unit, Value, tables};
use mimamori_vault::{SecretKey, hash_token, random_token};

use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::{self, Account, AccountKind, Credential, Role, kind};
use crate::caller::{Caller, scope};
use crate::context::{object_from_row, open_object};
use crate::keys::{insert_key, staff_key};
use crate::record::{NewVersion, checked, fault, put_version};
use crate::{ActorView, App, Stored, sql};

/// A new staff account.
#[derive(Clone)]
pub struct NewStaff {
    /// The sign-in name; upper and lower case are the same.
    pub login: String,
    pub name: String,
    pub kana: Option<String>,
    pub occupation: Option<OccupationCode>,
    pub institution: Option<InstitutionId>,
    pub roles: Vec<RoleCode>,
    pub password: String,
}

impl std::fmt::Debug for NewStaff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewStaff").finish_non_exhaustive()
    }
}

/// An account in a list.
#[derive(Clone)]
pub struct AccountView {
    pub actor: ActorId,
    pub login: String,
    pub name: String,
    pub active: bool,
    pub occupation: Option<OccupationCode>,
    pub institution: Option<InstitutionId>,
}

/// Names stay out of debug output (invariant 9).
impl std::fmt::Debug for AccountView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountView")
            .field("actor", &self.actor)
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

/// An account with what is needed to change it.
struct OpenedAccount {
    actor: ActorId,
    version: u64,
    key: SecretKey,
    account: Account,
}

/// Sign-in names nobody may have: whoever attacks tries them first.
const RESERVED: [&str; 6] = ["admin", "administrator", "root", "system", "guest", "test"];

/// Accounts read at a time.
const STRIDE: i64 = 500;

impl App {
    /// Adds an institution from a FHIR Organization.
    ///
    /// # Errors
    /// Invalid, forbidden, unavailable.
    pub async fn add_institution(&self, caller: &Caller, organization: &str) -> Result<InstitutionId> {
        let bytes = bytes::Bytes::copy_from_slice(organization.as_bytes());
        if checked(&bytes)?.resource_type() != kind::ORGANIZATION.as_str() {
            return Err(fault("resourceType", "an Organization is expected", "invalid"));
        }
        let kept = self.create(caller, bytes, crate::CreateAs::Confirmed).await?;
        Ok(InstitutionId::from(kept.id))
    }

    /// Every institution with its name, sorted by name.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn institutions(&self, caller: &Caller) -> Result<Vec<(InstitutionId, String)>> {
        if caller.is_staff() || caller.context.is_none() {
            self.require_general(caller, Action::Read, GeneralTarget::of(Kind::of("institution"))).await?;
        }
        let mut found = Vec::new();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::ORGANIZATION.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            for mut row in rows.iter().cloned() {
                let version = object_from_row(&mut row)?;
                after = version.object;
                let id = InstitutionId::from(version.object);
                if let Some(name) = self.institution_name(id).await? {
                    found.push((id, name));
                }
            }
            if (rows.len() as i64) < STRIDE {
                break;
            }
        }
        found.sort_by(|a, b| a.1.cmp(&b.1));
        Ok(found)
    }

    /// Names of those who had to do with records that another use case has just given, and recorded:
    /// authors, on whose behalf, confirmers. Nobody else's are told.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn actors(&self, _caller: &Caller, shown: &[Stored]) -> Result<HashMap<ActorId, ActorView>> {
        let ids: HashSet<ActorId> = shown
            .iter()
            .flat_map(|record| [record.author, record.on_behalf_of, record.confirmer])
            .flatten()
            .collect();
        let mut views = HashMap::new();
        for id in ids {
            if let Some(view) = self.actor_view(id).await? {
                views.insert(id, view);
            }
        }
        Ok(views)
    }

    /// Adds a staff account with its appointments and a password that its owner chose there and then.
    /// Whose owner is not there gets a first password ([`App::issue_staff`]).
    ///
    /// # Errors
    /// Invalid for a name, role or password that is not allowed; conflict when the sign-in name is taken.
    pub async fn add_staff(&self, caller: &Caller, staff: &NewStaff) -> Result<ActorId> {
        let privileged =
            staff.roles.iter().any(|role| self.pack.role(role).is_some_and(|role| role.privileged));
        let hash = self.fit_password(&new_account(staff), privileged, false, &staff.password).await?;
        self.add_staff_with(caller, staff, hash, None).await
    }

    /// Adds a staff account with the hash of its password, a first one if `first_until` says until when.
    pub(crate) async fn add_staff_with(
        &self,
        caller: &Caller,
        staff: &NewStaff,
        hash: String,
        first_until: Option<Timestamp>,
    ) -> Result<ActorId> {
        if let Some(occupation) = &staff.occupation
            && self.pack.occupation(occupation).is_none()
        {
            return Err(fault("occupation", "the policy pack has no such occupation", "value"));
        }
        for (at, role) in staff.roles.iter().enumerate() {
            if self.pack.role(role).is_none() {
                return Err(fault("role", "the policy pack has no such role", "value"));
            }
            let others: Vec<RoleCode> = staff.roles.iter().skip(at + 1).cloned().collect();
            if let Some(other) = self.pack.incompatible(role, &others).first() {
                let rule = format!("the roles {role} and {other} may not be held together");
                return Err(fault("role", &rule, "business-rule"));
            }
        }
        self.require_appointing(caller, &staff.roles, staff.institution).await?;
        let mut account = new_account(staff);
        account.password = Some(hash);
        account.credential = self.new_credential(first_until);
        self.add_account(caller, account, &staff.roles).await
    }

    /// Adds a citizen user: a person themself (`own`), or somebody who will be a proxy.
    ///
    /// # Errors
    /// As [`App::add_staff`].
    pub async fn add_citizen(
        &self,
        caller: &Caller,
        login: &str,
        name: &str,
        password: &str,
        own: Option<SubjectId>,
    ) -> Result<ActorId> {
        let mut account = Account {
            kind: AccountKind::Citizen,
            login: login.trim().to_lowercase(),
            name: name.to_owned(),
            kana: None,
            occupation: None,
            institution: None,
            unit: None,
            mail: None,
            own_subject: own,
            password: None,
            scopes: Vec::new(),
            active: true,
            stopped_because: None,
            credential: self.new_credential(None),
            client: None,
        };
        account.password = Some(self.fit_password(&account, false, false, password).await?);
        let actor = self.add_account(caller, account, &[]).await?;
        if let Some(subject) = own {
            self.set_own_actor(caller, subject, actor).await?;
        }
        Ok(actor)
    }

    fn new_credential(&self, first_until: Option<Timestamp>) -> Credential {
        let now = self.clock.now().as_micros();
        Credential {
            chosen: first_until.is_none().then_some(now),
            first_until: first_until.map(Timestamp::as_micros),
            since: Some(now),
            ..Credential::default()
        }
    }

    async fn add_account(&self, caller: &Caller, account: Account, roles: &[RoleCode]) -> Result<ActorId> {
        let login = &account.login;
        let form = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
        if login.len() < 3 || login.len() > 100 || !login.chars().all(form) {
            return Err(fault("login", "a sign-in name is 3 to 100 of a-z 0-9 . - _ @", "value"));
        }
        if RESERVED.contains(&login.as_str()) {
            return Err(fault("login", "this sign-in name may not be used", "business-rule"));
        }
        let login_token = self.login_token(login);
        if self.actor_of_login(&login_token).await?.is_some() {
            return Err(Error::conflict("this sign-in name is taken; choose another one"));
        }
        let mut unit = Unit::new();
        unit.changes
            .push(Change::insert(&tables::LOGIN, vec![login_token.into(), Value::Null(ColumnType::Blob)]));
        self.keep_account(caller, account, roles, unit).await
    }

    /// Keeps a new account with its key and appointments. A login row in the unit gets its actor.
    pub(crate) async fn keep_account(
        &self,
        caller: &Caller,
        account: Account,
        roles: &[RoleCode],
        mut unit: Unit,
    ) -> Result<ActorId> {
        let thing = if account.kind == AccountKind::Program { "program" } else { "account" };
        let mut target = GeneralTarget::of(Kind::of(thing));
        if let Some(institution) = account.institution {
            target = target.at(institution);
        }
        let decision = self.require_general(caller, Action::Create, target).await?;
        let now = self.clock.now();
        let actor = ActorId::random();
        for change in &mut unit.changes {
            if let Change::Insert { table, rows } = change
                && table.name == tables::LOGIN.name
            {
                rows.iter_mut().filter_map(|row| row.last_mut()).for_each(|value| *value = actor.into());
            }
        }
        let (key, row) = staff_key(&self.vault, actor, now)?;
        unit.changes.push(insert_key(&row));
        let bytes = body::to_bytes(&account)?;
        let sealed = self.own_version(caller, ObjectId::from(actor), 1, kind::ACCOUNT, "account", &bytes)?;
        let sealed = sealed.seal(&key, None, unit.id)?;
        let mut commitments = vec![put_version(&mut unit, sealed, now)];
        if roles.iter().any(|role| self.pack.role(role).is_some_and(|role| role.privileged)) {
            self.admit_administrator(&mut unit).await?;
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
            })?;
            let sealed = self.own_version(caller, object, 1, kind::ROLE, "role", &bytes)?;
            let sealed = sealed.seal(&key, None, unit.id)?;
            commitments.push(put_version(&mut unit, sealed, now));
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
        let mut entry = decided(caller.entry(unit.id, Action::Administer), &decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        entry.version = Some(1);
        entry.commitments = commitments;
        let entry = self.with_sealed(caller, entry, 0, None)?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(actor),
            Settled::Again => Err(kept_changing()),
        }
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

    /// Sets a password that its owner chose at the machine itself: for the operator, who fills an
    /// installation. Anybody else's is reissued ([`App::reissue_password`]) or changed by its owner.
    ///
    /// # Errors
    /// Forbidden to everybody else; not found for an unknown sign-in name; invalid for a password against
    /// the rules.
    pub async fn set_password(&self, caller: &Caller, login: &str, password: &str) -> Result<()> {
        if caller.context.is_some() {
            return Err(Error::forbidden());
        }
        let actor = self.actor_named(caller, login).await?;
        let context = self.actor_context_now(actor).await?;
        let now = self.clock.now();
        let privileged = self.holds_privileged(&context, now);
        let hash = self.fit_password(&context.account, privileged, false, password).await?;
        self.change_actor(caller, actor, Action::Update, None, |account| {
            account.password = Some(hash.clone());
            account.credential.chosen = Some(now.as_micros());
            account.credential.first_until = None;
            Ok(())
        })
        .await
    }

    /// Stops an account; running sessions end at once.
    ///
    /// # Errors
    /// Not found for an unknown sign-in name.
    pub async fn stop_account(&self, caller: &Caller, login: &str, reason: &str) -> Result<()> {
        self.change_account(caller, login, Action::Withdraw, Some(reason), |account| {
            account.active = false;
            account.stopped_because = Some(reason.to_owned());
            Ok(())
        })
        .await
    }

    /// Lets a stopped account be used again.
    ///
    /// # Errors
    /// Not found for an unknown sign-in name.
    pub async fn resume_account(&self, caller: &Caller, login: &str) -> Result<()> {
        let now = self.clock.now().as_micros();
        self.change_account(caller, login, Action::Update, None, |account| resume(account, now)).await
    }

    /// Says which unit (部署) of the site somebody belongs to; none takes it back.
    ///
    /// # Errors
    /// Invalid for a unit that the site does not have; not found for an unknown sign-in name.
    pub async fn set_unit(&self, caller: &Caller, login: &str, unit: Option<&str>) -> Result<()> {
        if unit.is_some_and(|code| self.pack.unit(code).is_none()) {
            return Err(fault("unit", "the policy pack has no such unit", "value"));
        }
        self.change_account(caller, login, Action::Update, None, |account| {
            account.unit = unit.map(ToOwned::to_owned);
            Ok(())
        })
        .await
    }

    async fn change_account(
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
            if self.put_account(caller, &decision, &mut unit, opened, stated, &change)? {
                self.admit_again(&mut unit, actor).await?;
            }
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    async fn opened_account(&self, actor: ActorId) -> Result<OpenedAccount> {
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
        let resumed = self.put_account(caller, decision, unit, opened, stated, &|account| {
            change(account);
            Ok(())
        })?;
        if resumed { self.admit_again(unit, actor).await } else { Ok(()) }
    }

    /// Says whether a stopped account is used again.
    fn put_account(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        opened: OpenedAccount,
        stated: Option<&str>,
        change: &impl Fn(&mut Account) -> Result<()>,
    ) -> Result<bool> {
        let OpenedAccount { actor, version, key, mut account } = opened;
        let stopped = !account.active;
        change(&mut account)?;
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
        let mut entry = decided(caller.entry(unit.id, Action::Administer), decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        entry.version = Some(next);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, stated)?;
        unit.entries.push(entry);
        Ok(stopped && account.active)
    }

    /// Every account.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn accounts(&self, caller: &Caller) -> Result<Vec<AccountView>> {
        let decision =
            self.require_general(caller, Action::Search, GeneralTarget::of(Kind::of("account"))).await?;
        let mut found = Vec::new();
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::ACCOUNT.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            let last = (rows.len() as i64) < STRIDE;
            for mut row in rows {
                let version = object_from_row(&mut row)?;
                after = version.object;
                let actor = ActorId::from(version.object);
                let account = account_of(&self.staff_key(actor).await?, &version)?;
                found.push(AccountView {
                    actor,
                    login: account.login,
                    name: account.name,
                    active: account.active,
                    occupation: account.occupation,
                    institution: account.institution,
                });
            }
            if last {
                break;
            }
        }
        found.sort_by(|a, b| a.login.cmp(&b.login));
        let unit = Unit::new();
        let mut entry = decided(caller.entry(unit.id, Action::Search), &decision);
        entry.resource = Some((kind::ACCOUNT, None));
        entry.count = found.len() as u64;
        let entry = self.with_sealed(caller, entry, 0, None)?;
        self.settle(caller, unit.entry(entry)).await?;
        Ok(found)
    }

    /// A bearer token for a program of an institution, for so many days. Scopes are a FHIR type or
    /// `*`, then `.read`, `.write` or `.*`. The token is given once and kept only as a hash.
    ///
    /// # Errors
    /// Invalid for a scope of another form.
    pub async fn create_token(
        &self,
        caller: &Caller,
        name: &str,
        institution: InstitutionId,
        scopes: &[String],
        days: u32,
    ) -> Result<String> {
        if scopes.is_empty() || scopes.iter().any(|text| scope(text).is_none()) {
            return Err(fault(
                "scope",
                "a scope is TYPE.read, TYPE.write or TYPE.*, where TYPE may be *",
                "value",
            ));
        }
        if days == 0 || days > 366 {
            return Err(fault("days", "a token lasts 1 to 366 days", "value"));
        }
        if self.institution_name(institution).await?.is_none() {
            return Err(fault("institution", "there is no such institution", "not-found"));
        }
        let account = Account {
            kind: AccountKind::Program,
            login: String::new(),
            name: name.to_owned(),
            kana: None,
            occupation: None,
            institution: Some(institution),
            unit: None,
            mail: None,
            own_subject: None,
            password: None,
            scopes: scopes.to_vec(),
            active: true,
            stopped_because: None,
            credential: Credential::default(),
            client: None,
        };
        let actor = self.keep_account(caller, account, &[], Unit::new()).await?;
        let secret = random_token().map_err(Error::unavailable)?;
        let now = self.clock.now();
        let mut unit = Unit::new();
        let token_hash = hash_token(&secret);
        let expires = now.plus(Duration::from_secs(u64::from(days) * 24 * 60 * 60));
        let id = self.session_id(&token_hash, actor, expires);
        unit.changes.push(Change::insert(
            &tables::BEARER_TOKEN,
            vec![
                token_hash.into(),
                id.into(),
                actor.into(),
                scopes.join(" ").into(),
                institution.into(),
                now.into(),
                expires.into(),
                Value::Null(ColumnType::Int),
            ],
        ));
        let mut entry = caller.entry(unit.id, Action::Administer);
        entry.resource = Some((Kind::of("bearer-token"), Some(ObjectId::from(actor))));
        let entry = self.with_sealed(caller, entry, 0, None)?;
        self.settle(caller, unit.entry(entry)).await?;
        Ok(hex::encode(secret))
    }

    /// Revokes the tokens of a program at once.
    ///
    /// # Errors
    /// Not found for an unknown program.
    pub async fn revoke_token(&self, caller: &Caller, id: ActorId) -> Result<()> {
        self.change_actor(caller, id, Action::Withdraw, None, |account| {
            account.active = false;
            Ok(())
        })
        .await
    }
}

/// Lets a stopped account go on. One whose password may have leaked goes on with another one only.
pub(crate) fn resume(account: &mut Account, now: i64) -> Result<()> {
    if account.credential.leaked.is_some() {
        return Err(Error::conflict("this password may have leaked: issue another one instead"));
    }
    account.active = true;
    account.stopped_because = None;
    account.credential.since = Some(now);
    Ok(())
}

/// The account of a new staff member, without a password.
fn new_account(staff: &NewStaff) -> Account {
    Account {
        kind: AccountKind::Staff,
        login: staff.login.trim().to_lowercase(),
        name: staff.name.clone(),
        kana: staff.kana.clone(),
        occupation: staff.occupation.clone(),
        institution: staff.institution,
        unit: None,
        mail: None,
        own_subject: None,
        password: None,
        scopes: Vec::new(),
        active: true,
        stopped_because: None,
        credential: Credential::default(),
        client: None,
    }
}

fn account_of(key: &SecretKey, version: &ObjectVersion) -> Result<Account> {
    if version.kind != kind::ACCOUNT {
        return Err(Error::not_found());
    }
    body::from_bytes(&open_object(key, version)?)
}
