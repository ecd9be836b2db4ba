//! Institutions, accounts, appointments and programs' tokens.

pub(crate) mod citizens;
mod held;
mod institutions;
mod keep;
pub(crate) mod life;
mod many;
mod programs;
mod sealed;
mod shared;
mod tidy;

use mimamori_domain::{
    Action, ActorId, Error, InstitutionId, Kind, ObjectId, OccupationCode, Result, RoleCode, SubjectId,
    Timestamp,
};
use mimamori_policy::GeneralTarget;
use mimamori_store::Unit;

pub use self::held::HeldItem;
use self::keep::account_of;
pub(crate) use self::life::BY_PROCEDURE;
pub use self::life::{AccountSort, LifeView};
pub use self::many::{MOST_AT_ONCE, NewAccountRow};
pub use self::sealed::EmergencyNotice;
pub use self::shared::SharedView;
pub use self::tidy::Tidied;
use crate::access::decided;
use crate::body::{Account, AccountKind, Credential, kind};
use crate::caller::Caller;
use crate::context::object_from_row;
use crate::record::fault;
use crate::{App, sql};

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

/// Sign-in names nobody may have: whoever attacks tries them first.
const RESERVED: [&str; 6] = ["admin", "administrator", "root", "system", "guest", "test"];

/// Accounts read at a time.
const STRIDE: i64 = 500;

impl App {
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
            own_subject: own,
            credential: self.new_credential(None),
            ..Account::new(AccountKind::Citizen, login, name)
        };
        account.password = Some(self.fit_password(&account, false, false, password).await?);
        let actor = self.add_account(caller, account, &[]).await?;
        if let Some(subject) = own {
            self.set_own_actor(caller, subject, actor).await?;
        }
        Ok(actor)
    }

    pub(crate) fn new_credential(&self, first_until: Option<Timestamp>) -> Credential {
        let now = self.clock.now().as_micros();
        Credential {
            chosen: first_until.is_none().then_some(now),
            first_until: first_until.map(Timestamp::as_micros),
            since: Some(now),
            ..Credential::default()
        }
    }

    async fn add_account(&self, caller: &Caller, account: Account, roles: &[RoleCode]) -> Result<ActorId> {
        self.free_login(&account.login).await?;
        self.keep_account(caller, &account, roles).await
    }

    /// Refuses a sign-in name that is badly formed, not allowed, or somebody's, also of an account that is
    /// closed for good.
    pub(crate) async fn free_login(&self, login: &str) -> Result<()> {
        let form = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
        if login.len() < 3 || login.len() > 100 || !login.chars().all(form) {
            return Err(fault("login", "a sign-in name is 3 to 100 of a-z 0-9 . - _ @", "value"));
        }
        if RESERVED.contains(&login) {
            return Err(fault("login", "this sign-in name may not be used", "business-rule"));
        }
        if self.actor_of_login(&self.login_token(login)).await?.is_some() {
            return Err(Error::conflict("this sign-in name is taken; choose another one"));
        }
        Ok(())
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
        self.no_shared(&context)?;
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
        let now = self.clock.now();
        self.change_account(caller, login, Action::Update, None, |account| account.resume(now)).await
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
}

/// The account of a new staff member, without a password.
pub(crate) fn new_account(staff: &NewStaff) -> Account {
    Account {
        kana: staff.kana.clone(),
        occupation: staff.occupation.clone(),
        institution: staff.institution,
        ..Account::new(AccountKind::Staff, &staff.login, &staff.name)
    }
}
