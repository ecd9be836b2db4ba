//! What belongs to a password: choosing one's own, a first one issued after the identity was proved, a
//! suspected leak, unlocking, and what is told about earlier sign-ins.

mod attempts;
mod ceremonies;
mod factors;
mod initial;
mod own_sessions;
mod required;
mod romaji;
mod second;
mod strength;

use std::time::Duration;

use mimamori_domain::{Action, ActorId, Error, ErrorKind, ObjectId, Result, Timestamp};
use mimamori_policy::GeneralTarget;
use mimamori_store::{AccessKey, Change, Unit};

pub(crate) use attempts::{Counted, Limits, Try};
pub(crate) use ceremonies::{Begun, SecondHalf};
pub use factors::{Challenge, EnrolElsewhere, FactorView, FactorsView, NewFactor, NewOneTime};
pub use initial::InitialSecret;
pub(crate) use initial::generate as random_secret;
pub use own_sessions::SessionView;
pub use required::wants_step_up;
pub use second::{Means, Proof};
pub(crate) use strength::{Known, Rules};

use crate::access::{Settled, kept_changing};
use crate::accounts::NewStaff;
use crate::body::{Account, AccountKind, Credential, kind, time};
use crate::caller::{ActorContext, Caller};
use crate::context::open_with;
use crate::governance::procedures::{Case, Stage};
use crate::passwords::Line;
use crate::record::{fault, stated_reason};
use crate::{App, fhir_read, sql};

const DAY: u64 = 86_400;

/// How the identity of somebody was proved who gets another password.
#[derive(Clone, Default)]
pub struct IdentityProof {
    /// Why another password is needed.
    pub reason: String,
    /// How it was made sure who they are.
    pub how: String,
    /// The case of the procedure that the pack names in `accounts.reissue-procedure`.
    pub case: Option<ObjectId>,
}

/// What was stated may describe a person: it stays out of debug output.
impl std::fmt::Debug for IdentityProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityProof").field("case", &self.case).finish_non_exhaustive()
    }
}

/// What is told to somebody about their own sign-ins. UTC.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignIns {
    /// Before the present one.
    pub last_sign_in: Option<Timestamp>,
    pub last_sign_out: Option<Timestamp>,
    /// Tries that failed before the present one, since the one before.
    pub failed: u64,
}

impl App {
    /// Whether another password must be chosen before anything else: it is a first one, or its time is
    /// over. A citizen's own password is never made to change by time (mic.3.2.3-1-2-3).
    pub(crate) fn must_change(&self, account: &Account, second_factor: bool, now: Timestamp) -> Result<bool> {
        if account.password.is_none() {
            return Ok(false);
        }
        let credential = &account.credential;
        if credential.first_until.is_some() || (credential.only_with_second && !second_factor) {
            return Ok(true);
        }
        let days = self.pack.parameter_u64("password.lifetime-days")?;
        if days == 0 || second_factor || account.kind != AccountKind::Staff {
            return Ok(false);
        }
        let lifetime = Duration::from_secs(days * DAY);
        Ok(account.credential.chosen.is_none_or(|chosen| now.since(time(chosen)) >= lifetime))
    }

    /// Why a right password opens nothing any more: a first one too late, an account unused for too long.
    pub(crate) fn over(
        &self,
        account: &Account,
        last: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Error>> {
        let credential = &account.credential;
        let gone = |message: &'static str| Ok(Some(Error::new(ErrorKind::Gone, message)));
        if credential.first_until.is_some_and(|until| now >= time(until)) {
            return gone("the time of this first password is over; ask for another one");
        }
        // What is there for an emergency is there not to be used.
        let sealed = account.life.sort == crate::accounts::AccountSort::Emergency;
        if !sealed && self.unused_too_long(credential, last, now)? {
            return gone(
                "this account was not used for so long that it is stopped; ask for it to be resumed",
            );
        }
        Ok(None)
    }

    /// Whether nobody used an account for so long that it opens nothing any more.
    pub(crate) fn unused_too_long(
        &self,
        credential: &Credential,
        last: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool> {
        let days = self.pack.parameter_u64("accounts.unused-stop-days")?;
        Ok(days > 0 && unused(credential, last, now) >= Duration::from_secs(days * DAY))
    }

    /// Whether an account is to be looked at because nobody used it.
    pub(crate) fn long_unused(
        &self,
        credential: &Credential,
        last: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<bool> {
        let days = self.pack.parameter_u64("accounts.unused-days")?;
        Ok(unused(credential, last, now) >= Duration::from_secs(days * DAY))
    }

    /// Refuses a password that breaks the rules for this account; gives its hash.
    pub(crate) async fn fit_password(
        &self,
        account: &Account,
        privileged: bool,
        second_factor: bool,
        password: &str,
    ) -> Result<String> {
        let institution = match account.institution {
            Some(institution) => self.institution_name(institution).await?,
            None => None,
        };
        let birth = self.birth_of(account).await?;
        let known = Known {
            login: &account.login,
            name: &account.name,
            kana: account.kana.as_deref(),
            institution: institution.as_deref(),
            birth: birth.as_deref(),
        };
        Rules::of(&self.pack, privileged, second_factor)?.judge(password, &known.words())?;
        self.passwords.hash(password).await
    }

    /// Refuses the present password and as many earlier ones as the pack says.
    async fn not_used_before(&self, account: &Account, password: &str) -> Result<()> {
        let most = usize::try_from(self.pack.parameter_u64("password.history")?).unwrap_or(usize::MAX);
        let present = account.password.iter();
        for hash in present.chain(account.credential.earlier.iter().take(most)) {
            if self.passwords.verify(password, Some(hash.clone()), Line::Known).await? {
                let rule = format!(
                    "this password was used before, so choose another one than the last {}",
                    most.max(1)
                );
                return Err(fault("password", &rule, "business-rule"));
            }
        }
        Ok(())
    }

    /// The day of birth of the person a citizen user is: to be kept out of their password, shown to nobody.
    async fn birth_of(&self, account: &Account) -> Result<Option<String>> {
        let Some(subject) = account.own_subject else { return Ok(None) };
        let Some(patient) = self.current(ObjectId::from(subject)).await? else { return Ok(None) };
        if patient.kind != kind::PATIENT {
            return Ok(None);
        }
        let context = self.subject_context(subject).await?;
        fhir_read::birth_date(&open_with(&context.keys, &patient)?)
    }

    /// Chooses another password for oneself: the present one is asked for, sessions elsewhere end. The
    /// only thing that is open to whoever signed in with a first password.
    ///
    /// # Errors
    /// Invalid for a wrong present password (`present`) and for a new one against the rules
    /// (`password`), with what is weak; busy after too many wrong ones.
    pub async fn change_own_password(&self, caller: &Caller, present: &str, password: &str) -> Result<()> {
        let Some((context, session)) = caller.context.clone().zip(caller.session) else {
            return Err(Error::forbidden());
        };
        // To the rules, choosing a first own password is the end of signing in.
        let action = caller.own_action();
        let decision = self.permit_general(caller, action, own_account(&context)).await?;
        self.prove_present(caller, &context, present).await?;
        let now = self.clock.now();
        let second_factor = !context.account.credential.factors.kept.is_empty();
        let privileged = self.holds_privileged(&context, now);
        let hash = self.fit_password(&context.account, privileged, second_factor, password).await?;
        let alone = u64::try_from(password.chars().count()).unwrap_or(u64::MAX)
            >= self.pack.parameter_u64("password.least-characters")?;
        self.not_used_before(&context.account, password).await?;
        let most = self.remembered()?;
        for _ in 0..crate::access::ATTEMPTS {
            let mut unit = Unit::new();
            self.put_account_change(caller, &decision, &mut unit, context.actor, None, |account| {
                remember(account, most);
                account.password = Some(hash.clone());
                account.credential.chosen = Some(now.as_micros());
                account.credential.first_until = None;
                account.credential.only_with_second = !alone;
            })
            .await?;
            self.end_sessions(&mut unit, context.actor, session.token_hash, now).await?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    /// Asks for the present password, counted like a try to sign in: a session left open is no way to
    /// find it out.
    pub(crate) async fn prove_present(
        &self,
        caller: &Caller,
        context: &ActorContext,
        present: &str,
    ) -> Result<()> {
        let (tried, counted) = self.begin_try(&context.account.login, &caller.origin).await?;
        let hash = context.account.password.clone();
        let fits = present.len() <= crate::passwords::MOST_BYTES;
        if !fits || !self.passwords.verify(present, hash, Line::Known).await? {
            return Err(fault("present", "the present password is not right", "business-rule"));
        }
        self.take_back(&tried, &counted).await
    }

    /// Adds a staff account with a first password made by the program. What `staff` has as a password is
    /// not used.
    ///
    /// # Errors
    /// As [`App::add_staff`].
    pub async fn issue_staff(&self, caller: &Caller, staff: &NewStaff) -> Result<(ActorId, InitialSecret)> {
        let (secret, until, hash) = self.first_password().await?;
        let actor = self.add_staff_with(caller, staff, hash, Some(until)).await?;
        let institution = match staff.institution {
            Some(institution) => self.institution_name(institution).await?,
            None => None,
        };
        let login = staff.login.trim().to_lowercase();
        Ok((actor, InitialSecret { login, name: staff.name.clone(), institution, secret, until }))
    }

    /// Gives somebody who forgot theirs, or whose password may have leaked, another first password, after
    /// it was proved who they are. Sessions end; a stop for a suspected leak ends.
    ///
    /// # Errors
    /// Invalid without reason and proof, or without the decided case that the pack asks for; conflict for
    /// the caller's own account, and for one that is stopped for another reason.
    pub async fn reissue_password(
        &self,
        caller: &Caller,
        actor: ActorId,
        proof: &IdentityProof,
    ) -> Result<InitialSecret> {
        if actor == caller.actor {
            return Err(Error::conflict("change your own password on your own page"));
        }
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Update, target_of(&context)).await?;
        if context.account.kind == AccountKind::Program {
            return Err(Error::not_found());
        }
        self.no_shared(&context)?;
        let stated = self.proved(actor, proof, self.reissue_procedure()).await?;
        if context.stopped && context.account.credential.leaked.is_none() {
            return Err(Error::conflict("this account is stopped; let it be resumed first"));
        }
        let (secret, until, hash) = self.first_password().await?;
        let (now, most) = (self.clock.now(), self.remembered()?);
        for _ in 0..crate::access::ATTEMPTS {
            let mut unit = Unit::new();
            self.put_account_change(caller, &decision, &mut unit, actor, Some(&stated), |account| {
                remember(account, most);
                account.password = Some(hash.clone());
                let credential = &mut account.credential;
                credential.chosen = None;
                credential.first_until = Some(until.as_micros());
                credential.since = Some(now.as_micros());
                if credential.leaked.take().is_some() {
                    account.active = true;
                    account.stopped_because = None;
                }
            })
            .await?;
            self.end_sessions(&mut unit, actor, [0; 32], now).await?;
            unit.changes.extend(self.unlocking(&context.account.login, now));
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(InitialSecret {
                    login: context.account.login.clone(),
                    name: context.account.name.clone(),
                    institution: context.institution_name.clone(),
                    secret,
                    until,
                });
            }
        }
        Err(kept_changing())
    }

    /// The account of a sign-in name, for the command line.
    ///
    /// # Errors
    /// Not found for an unknown one; unavailable.
    pub async fn actor_named(&self, _caller: &Caller, login: &str) -> Result<ActorId> {
        let found = self.actor_of_login(&self.login_token(login)).await?;
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no account of this sign-in name"))
    }

    /// One's password may have leaked: one's account is stopped at once, sessions end, and another
    /// password waits to be issued.
    ///
    /// # Errors
    /// Forbidden to programs; unavailable when it could not be recorded.
    pub async fn report_own_leak(&self, caller: &Caller) -> Result<()> {
        let Some(context) = caller.context.clone().filter(|_| caller.session.is_some_and(|s| !s.bearer))
        else {
            return Err(Error::forbidden());
        };
        let action = caller.own_action();
        let decision = self.permit_general(caller, action, own_account(&context)).await?;
        self.stop_for_leak(caller, &decision, context.actor, "the owner suspects that the password leaked")
            .await
    }

    /// Somebody's password may have leaked: the account is stopped at once, sessions end, and another
    /// password waits to be issued.
    ///
    /// # Errors
    /// Invalid without a reason; conflict for one's own (see [`App::report_own_leak`]).
    pub async fn suspect_leak(&self, caller: &Caller, actor: ActorId, reason: &str) -> Result<()> {
        let reason = stated_reason(reason)?;
        if actor == caller.actor {
            return Err(Error::conflict("your own account is for somebody else to stop"));
        }
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Withdraw, target_of(&context)).await?;
        self.stop_for_leak(caller, &decision, actor, reason).await
    }

    async fn stop_for_leak(
        &self,
        caller: &Caller,
        decision: &mimamori_policy::Decision,
        actor: ActorId,
        reason: &str,
    ) -> Result<()> {
        let (now, most) = (self.clock.now(), self.remembered()?);
        for _ in 0..crate::access::ATTEMPTS {
            let mut unit = Unit::new();
            self.put_account_change(caller, decision, &mut unit, actor, Some(reason), |account| {
                account.stop_for_leak(now, most, reason);
            })
            .await?;
            self.end_sessions(&mut unit, actor, [0; 32], now).await?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok(());
            }
        }
        Err(kept_changing())
    }

    /// Lets somebody try again at once who is locked out after failed tries; for an hour no failures from
    /// elsewhere lock the name.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn unlock_account(&self, caller: &Caller, actor: ActorId) -> Result<()> {
        let context = self.actor_context_now(actor).await?;
        let decision = self.require_general(caller, Action::Update, target_of(&context)).await?;
        let mut unit = Unit::new();
        unit.changes.extend(self.unlocking(&context.account.login, self.clock.now()));
        let mut entry = crate::access::decided(caller.entry(unit.id, Action::Administer), &decision);
        entry.resource = Some((kind::ACCOUNT, Some(ObjectId::from(actor))));
        let entry = self.with_sealed(caller, entry, 0, Some("unlocked after failed sign-ins"))?;
        match self.settle(caller, unit.entry(entry)).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// When the caller last signed in and out before this session, and how many tries failed.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn own_sign_ins(&self, caller: &Caller) -> Result<SignIns> {
        let Some(session) = caller.session.filter(|session| !session.bearer) else {
            return Ok(SignIns::default());
        };
        let args = vec![caller.actor.into(), session.token_hash.into(), session.began.into()];
        let before = self.store.query_one(&sql::SESSION_BEFORE, args).await?;
        let out = self.store.query_one(&sql::LAST_SIGN_OUT, vec![caller.actor.into()]).await?;
        let at = |row: Option<mimamori_store::Row>| {
            row.map(|row| row.time(0)).transpose().map_err(Error::unavailable)
        };
        Ok(SignIns {
            last_sign_in: at(before)?,
            last_sign_out: at(out)?,
            failed: self.failed_before(session.id.as_bytes()).await?,
        })
    }

    /// The code of the procedure that proves an identity before another password is issued; none when a
    /// reason and how it was proved are enough.
    #[must_use]
    pub fn reissue_procedure(&self) -> Option<&str> {
        let code = self.pack.parameter_text("accounts.reissue-procedure").ok()?;
        Some(code).filter(|code| self.pack.procedure(code).is_some())
    }

    /// The code of the procedure that permits the replacement of a lost second factor; none when a reason
    /// and how the identity was proved are enough.
    #[must_use]
    pub fn replacement_procedure(&self) -> Option<&str> {
        let code = self.pack.parameter_text("second-factor.replacement-procedure").ok()?;
        Some(code).filter(|code| self.pack.procedure(code).is_some())
    }

    /// What is recorded about how an identity was proved.
    pub(crate) async fn proved(
        &self,
        actor: ActorId,
        proof: &IdentityProof,
        procedure: Option<&str>,
    ) -> Result<String> {
        let reason = stated_reason(&proof.reason)?;
        let how = proof.how.trim();
        if how.is_empty() || how.chars().count() > 1000 {
            let rule = "say in 1 to 1,000 characters how it was made sure who they are";
            return Err(fault("how", rule, "required"));
        }
        // The procedure that issued the account proved who its first password is for.
        let context = self.actor_context_now(actor).await?;
        if let Some(case) = context.account.life.case.filter(|_| context.account.awaits_first()) {
            return Ok(format!("{reason} / {how} / {case}"));
        }
        let Some(procedure) = procedure else { return Ok(format!("{reason} / {how}")) };
        let wrong = || {
            let rule =
                "the approved case of the reissue procedure for this person is needed, so apply for it first";
            fault("case", rule, "business-rule")
        };
        let id = proof.case.ok_or_else(wrong)?;
        let case = self.governed::<Case>(id).await?.filter(|case| case.code.as_str() == procedure);
        let case = case.ok_or_else(wrong)?;
        let about = case.body.values.values().any(|value| value.as_str() == Some(&actor.to_string()));
        let open = matches!(case.body.stage, Stage::Step(_) | Stage::Finished);
        if !about || !open || case.body.approved.is_none() {
            return Err(wrong());
        }
        // One case is for one password: what was issued after its approval has used it.
        let approved = case.body.approved.as_ref().map_or(0, |approval| approval.at);
        if context.account.credential.since.is_some_and(|since| since >= approved) {
            return Err(wrong());
        }
        Ok(format!("{reason} / {how} / {procedure} {id}"))
    }

    /// A first password, until when it is good, and its hash.
    pub(crate) async fn first_password(&self) -> Result<(zeroize::Zeroizing<String>, Timestamp, String)> {
        let secret = initial::generate(self.pack.parameter_u64("sign-in.first-password-bits")?)?;
        let hours = self.pack.parameter_u64("sign-in.first-password-hours")?;
        let until = self.clock.now().plus(Duration::from_secs(3_600 * hours));
        let hash = self.passwords.hash(&secret).await?;
        Ok((secret, until, hash))
    }

    /// How many earlier passwords are kept.
    pub(crate) fn remembered(&self) -> Result<usize> {
        Ok(usize::try_from(self.pack.parameter_u64("password.history")?).unwrap_or(usize::MAX).max(1))
    }

    pub(crate) fn holds_privileged(&self, context: &ActorContext, now: Timestamp) -> bool {
        let grants = context.grants(now);
        grants.iter().any(|grant| self.pack.role(&grant.role).is_some_and(|role| role.privileged))
    }

    /// Puts the end of an account's sessions into a unit, but for the one with this hash.
    pub(crate) async fn end_sessions(
        &self,
        unit: &mut Unit,
        actor: ActorId,
        but: [u8; 32],
        now: Timestamp,
    ) -> Result<()> {
        let args = vec![actor.into(), but.into(), now.into()];
        for row in self.store.query(&sql::OTHER_SESSIONS, args.clone()).await? {
            let id: mimamori_domain::SessionId = row.id_of(0).map_err(Error::unavailable)?;
            unit.bumps.push(AccessKey::from(id));
        }
        unit.changes.push(Change::any(&sql::END_OTHER_SESSIONS, args));
        Ok(())
    }
}

impl Account {
    /// Stops it until another password is issued. The leaked one is remembered, so that it is not chosen
    /// again.
    pub(crate) fn stop_for_leak(&mut self, now: Timestamp, most: usize, because: &str) {
        remember(self, most);
        self.active = false;
        self.stopped_because = Some(because.to_owned());
        self.credential.leaked = Some(now.as_micros());
    }
}

/// For how long nobody used an account; nothing where nobody knows since when.
fn unused(credential: &Credential, last: Option<Timestamp>, now: Timestamp) -> Duration {
    let since = credential.since.map(time).max(last);
    since.map_or(Duration::ZERO, |since| now.since(since))
}

/// Moves the present password to the earlier ones, of which so many stay.
fn remember(account: &mut Account, most: usize) {
    if let Some(hash) = account.password.take() {
        account.credential.earlier.insert(0, hash);
        account.credential.earlier.truncate(most);
    }
}

pub(crate) fn own_account(context: &ActorContext) -> GeneralTarget {
    GeneralTarget::of(kind::ACCOUNT).owned_by(context.actor)
}

pub(crate) fn target_of(context: &ActorContext) -> GeneralTarget {
    let target = GeneralTarget::of(kind::ACCOUNT).owned_by(context.actor);
    context.account.institution.map_or(target.clone(), |institution| target.at(institution))
}
