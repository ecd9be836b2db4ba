//! What a decision does to accounts: issues, changes, stops, closes one, opens one for maintenance. What
//! does not fit is nobody's loss: it becomes a task for somebody.

use std::collections::{BTreeMap, BTreeSet};

use mimamori_domain::{
    ActorId, ErrorKind, InstitutionId, ObjectId, OccupationCode, Result, SubjectId, Timestamp,
};
use mimamori_policy::model::EffectKind;
use mimamori_policy::{Decision, Language};
use mimamori_store::Unit;
use serde_json::Value;

use super::effects::{Did, moment};
use crate::accounts::life::{AccountChange, AccountSort, BY_PROCEDURE, Opening};
use crate::body::{Account, AccountKind, kind, time};
use crate::caller::{ActorContext, Caller};
use crate::governance::reminders::checked_mail;
use crate::{App, sql};

/// Longest name of a person, in characters.
const MOST_NAME: usize = 200;

/// Institutions read at a time.
const STRIDE: i64 = 500;

/// The sort of account that citizens have, and what they are to whose record it opens.
const CITIZEN: &str = "citizen";
const SELF: &str = "self";
const PROXY: &str = "proxy";

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Whose record a citizen's account opens; as a proxy, until when.
type Tie = (SubjectId, Option<Option<Timestamp>>);

/// The words of a form for closing an account for good, for letting a stopped one go on, and for stopping
/// one because its password may have leaked.
const DELETE: &str = "delete";
const RESUME: &str = "resume";
const LEAK: &str = "leak";

/// What one unit has touched already: an account is changed once, a sign-in name given once.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) actors: BTreeSet<ActorId>,
    logins: BTreeSet<String>,
}

/// An effect's arguments.
type Arguments = BTreeMap<String, Value>;

fn text<'a>(arguments: &'a Arguments, name: &str) -> Option<&'a str> {
    arguments.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

impl App {
    /// Does what an approval does to accounts; gives the account that it made.
    #[expect(clippy::too_many_arguments, reason = "each is one part of one decision")]
    pub(super) async fn account_effect(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        case: ObjectId,
        action: EffectKind,
        arguments: &Arguments,
        touched: &mut Touched,
    ) -> Result<(Did, Option<ActorId>)> {
        if action == EffectKind::IssueAccount {
            let account = if text(arguments, "sort") == Some(CITIZEN) {
                self.citizen_asked_for(arguments, case, touched).await?
            } else {
                self.account_asked_for(arguments, case, touched).await?.map(|account| (account, None))
            };
            let Some((account, tie)) = account else { return Ok((Did::ByHand, None)) };
            touched.logins.insert(account.login.clone());
            let actor = self.put_new_account(caller, decision, unit, &account, &[]).await?;
            if let Some((subject, proxy)) = tie {
                self.put_citizen(caller, decision, unit, subject, actor, proxy).await?;
            }
            touched.actors.insert(actor);
            return Ok((Did::Done, Some(actor)));
        }
        // One unit changes an account once: whatever else there is, somebody does.
        let actor: Option<ActorId> = text(arguments, "account").and_then(|id| id.parse().ok());
        let Some(actor) = actor.filter(|actor| !touched.actors.contains(actor)) else {
            return Ok((Did::ByHand, None));
        };
        let context = self.actor_context_now(actor).await?;
        let Some(change) = self.account_change(&context, case, action, arguments).await? else {
            return Ok((Did::ByHand, None));
        };
        touched.actors.insert(actor);
        let stated = (action != EffectKind::ChangeAccount).then_some(BY_PROCEDURE);
        self.put_account_change(caller, decision, unit, actor, stated, |account| change.make(account))
            .await?;
        match &change {
            Change::Leak(now, _) => self.end_sessions(unit, actor, [0; 32], *now).await?,
            Change::Apply(moved, at) => {
                let at = at.unwrap_or_else(|| self.clock.now());
                self.put_ends_of_left(caller, decision, unit, &context, moved, at).await?;
            }
            _ => {}
        }
        Ok((Did::Done, None))
    }

    /// Ends at a transfer what somebody was appointed to where they leave: the institution's roles when
    /// they go to another one, the unit's when they go to another unit.
    async fn put_ends_of_left(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        context: &ActorContext,
        moved: &AccountChange,
        at: Timestamp,
    ) -> Result<()> {
        // Where they are then: what was planned before comes first.
        let (then, _) = context.account.clone().standing(at);
        let institution = then.institution.filter(|old| moved.institution.is_some_and(|new| new != *old));
        let left = then.unit.filter(|old| moved.unit.as_ref().is_some_and(|new| new != old));
        for (held, (object, version)) in context.roles.iter().zip(&context.role_objects) {
            let there = (held.institution.is_some() && held.institution == institution)
                || (held.unit.is_some() && held.unit == left);
            if !there || held.until.is_some_and(|until| time(until) <= at) {
                continue;
            }
            let ended = self.put_end_of_appointment(caller, unit, context.actor, *object, at).await?;
            self.put_administered(caller, decision, unit, kind::ROLE, (*object, version + 1), ended)?;
        }
        Ok(())
    }

    /// The account that a form asks for, when everything in it fits and the sign-in name is free.
    async fn account_asked_for(
        &self,
        arguments: &Arguments,
        case: ObjectId,
        touched: &Touched,
    ) -> Result<Option<Account>> {
        let Some((name, login)) = text(arguments, "name").zip(text(arguments, "login")) else {
            return Ok(None);
        };
        let mut account = Account::new(AccountKind::Staff, login, name);
        if touched.logins.contains(&account.login) || self.free_login(&account.login).await.is_err() {
            return Ok(None);
        }
        let Some(change) = self.change_asked_for(arguments).await? else { return Ok(None) };
        account.change(change);
        if let Some(word) = text(arguments, "sort") {
            let Some(sort) = AccountSort::of(word) else { return Ok(None) };
            account.life.sort = sort;
        }
        if let Some(until) = arguments.get("until") {
            let Some(until) = moment(until, true).filter(|until| self.clock.now() < *until) else {
                return Ok(None);
            };
            account.end_by(until, BY_PROCEDURE, false);
        }
        account.credential = self.new_credential(None);
        account.credential.chosen = None;
        account.life.case = Some(case);
        Ok(Some(account))
    }

    /// The account of a citizen user that a form asks for, and whose record it opens: their own, or as a
    /// proxy until a time. None when something does not fit, or the person has an account already.
    async fn citizen_asked_for(
        &self,
        arguments: &Arguments,
        case: ObjectId,
        touched: &Touched,
    ) -> Result<Option<(Account, Option<Tie>)>> {
        let Some((name, login)) = text(arguments, "name").zip(text(arguments, "login")) else {
            return Ok(None);
        };
        let mut account = Account::new(AccountKind::Citizen, login, name);
        let named = name.chars().count() <= MOST_NAME;
        if !named || touched.logins.contains(&account.login) || self.free_login(&account.login).await.is_err()
        {
            return Ok(None);
        }
        let subject: Option<SubjectId> = text(arguments, "subject").and_then(|id| id.parse().ok());
        let Some(subject) = subject else { return Ok(None) };
        let known = match self.subject_context(subject).await {
            Ok(known) => known,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let proxy = match text(arguments, "relation") {
            None | Some(SELF) => false,
            Some(PROXY) => true,
            Some(_) => return Ok(None),
        };
        if !proxy && known.facts.self_actor.is_some() {
            return Ok(None);
        }
        let most =
            DAY * u32::try_from(366 * self.pack.parameter_u64("proxies.most-years")?).unwrap_or(u32::MAX);
        let most = self.clock.now().plus(most);
        let until = arguments.get("until").and_then(|until| moment(until, true));
        let until = until.map_or(most, |until| until.min(most));
        account.kana = text(arguments, "kana").map(ToOwned::to_owned);
        account.own_subject = (!proxy).then_some(subject);
        account.credential = self.new_credential(None);
        account.credential.chosen = None;
        account.life.case = Some(case);
        Ok(Some((account, Some((subject, proxy.then_some(Some(until)))))))
    }

    /// What a form changes about an account; none when something in it does not fit.
    async fn change_asked_for(&self, arguments: &Arguments) -> Result<Option<AccountChange>> {
        let mut change = AccountChange {
            name: text(arguments, "name").map(ToOwned::to_owned),
            kana: text(arguments, "kana").map(ToOwned::to_owned),
            ..AccountChange::default()
        };
        if change.name.iter().chain(&change.kana).any(|name| name.chars().count() > MOST_NAME) {
            return Ok(None);
        }
        if let Some(word) = text(arguments, "occupation") {
            let Some(code) = self.occupation_named(word) else { return Ok(None) };
            change.occupation = Some(code);
        }
        if let Some(word) = text(arguments, "institution") {
            let Some(id) = self.institution_named(word).await? else { return Ok(None) };
            change.institution = Some(id);
        }
        if let Some(code) = text(arguments, "unit") {
            if self.pack.unit(code).is_none() {
                return Ok(None);
            }
            change.unit = Some(code.to_owned());
        }
        if let Some(address) = text(arguments, "mail") {
            let Ok(Some(address)) = checked_mail(address) else { return Ok(None) };
            change.mail = Some(address);
        }
        Ok(Some(change))
    }

    async fn account_change(
        &self,
        context: &ActorContext,
        case: ObjectId,
        action: EffectKind,
        arguments: &Arguments,
    ) -> Result<Option<Change>> {
        let (now, life) = (self.clock.now(), &context.account.life);
        if life.closed.is_some() {
            return Ok(None);
        }
        let resumed = || {
            let over = life.ends.is_some_and(|ends| ends <= now.as_micros());
            // What may have leaked goes on with another password only: that is somebody's to issue.
            let goes_on = !over && context.account.credential.leaked.is_none();
            goes_on.then_some(Change::Resume(now))
        };
        let later = |name: &str| match arguments.get(name) {
            Some(value) => moment(value, false).map(|at| (now < at).then_some(at)),
            None => Some(None),
        };
        let (closes, leaks) = (text(arguments, "way") == Some(DELETE), text(arguments, "way") == Some(LEAK));
        Ok(match action {
            EffectKind::ResumeAccount => resumed(),
            EffectKind::StopAccount if leaks => Some(Change::Leak(now, self.remembered()?)),
            EffectKind::StopAccount | EffectKind::DeleteAccount => {
                let closes = closes || action == EffectKind::DeleteAccount;
                later("at").map(|at| match at {
                    Some(at) => Change::EndAt(at, closes),
                    None if closes => Change::Close(now),
                    None => Change::Stop,
                })
            }
            EffectKind::ChangeAccount if text(arguments, "way") == Some(RESUME) => resumed(),
            EffectKind::ChangeAccount => {
                let asked = self.change_asked_for(arguments).await?;
                let asked = asked.filter(|change| *change != AccountChange::default());
                asked.zip(later("from")).map(|(change, at)| Change::Apply(change, at))
            }
            EffectKind::OpenMaintenance => {
                let from = arguments.get("from").and_then(|value| moment(value, false));
                let until = arguments.get("until").and_then(|value| moment(value, true));
                from.zip(until)
                    .filter(|(from, until)| {
                        life.sort == AccountSort::Maintenance && from < until && now < *until
                    })
                    .map(|(from, until)| {
                        Change::Open(Opening { from: from.as_micros(), until: until.as_micros(), case })
                    })
            }
            EffectKind::CloseMaintenance => {
                (life.sort == AccountSort::Maintenance).then_some(Change::Shut(now))
            }
            _ => None,
        })
    }

    /// The occupation of a code, or of a name in either language.
    pub(crate) fn occupation_named(&self, word: &str) -> Option<OccupationCode> {
        let of_name = |name: &mimamori_policy::Text| {
            name.get(Language::Ja) == word || name.get(Language::En).eq_ignore_ascii_case(word)
        };
        let found =
            self.pack.occupations().iter().find(|known| known.code.as_str() == word || of_name(&known.name));
        found.map(|occupation| occupation.code.clone())
    }

    /// The institution of an id, or the only one of a name.
    pub(crate) async fn institution_named(&self, word: &str) -> Result<Option<InstitutionId>> {
        if let Ok(id) = word.parse::<InstitutionId>() {
            return Ok(self.institution_name(id).await?.map(|_| id));
        }
        let mut found = None;
        let mut after = ObjectId::from_bytes([0; 16]);
        loop {
            let args = vec![kind::ORGANIZATION.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::CURRENT_OF_KIND, args).await?;
            let last = (rows.len() as i64) < STRIDE;
            for mut row in rows {
                after = crate::context::object_from_row(&mut row)?.object;
                let id = InstitutionId::from(after);
                if self.institution_name(id).await?.as_deref() == Some(word) {
                    if found.is_some() {
                        return Ok(None);
                    }
                    found = Some(id);
                }
            }
            if last {
                return Ok(found);
            }
        }
    }
}

/// A change of one account that fits.
enum Change {
    Stop,
    /// The password may have leaked: so many earlier ones are remembered with it.
    Leak(Timestamp, usize),
    /// At a time; and for good.
    EndAt(Timestamp, bool),
    Close(Timestamp),
    Resume(Timestamp),
    /// At a time, or now.
    Apply(AccountChange, Option<Timestamp>),
    Open(Opening),
    Shut(Timestamp),
}

impl Change {
    fn make(&self, account: &mut Account) {
        match self {
            Self::Stop => {
                account.active = false;
                account.stopped_because = Some(BY_PROCEDURE.to_owned());
            }
            Self::Leak(now, most) => account.stop_for_leak(*now, *most, BY_PROCEDURE),
            Self::EndAt(at, closes) => account.end_by(*at, BY_PROCEDURE, *closes),
            Self::Close(now) => account.close(*now, BY_PROCEDURE),
            // Whether it goes on was asked before; one that does not any more stays as it is.
            Self::Resume(now) => drop(account.resume(*now)),
            Self::Apply(change, None) => account.change(change.clone()),
            Self::Apply(change, Some(at)) => account.plan(*at, change.clone()),
            Self::Open(opening) => account.life.windows.push(*opening),
            Self::Shut(now) => {
                let now = now.as_micros();
                account.life.windows.retain(|open| open.from < now);
                for open in &mut account.life.windows {
                    open.until = open.until.min(now);
                }
            }
        }
    }
}
