//! Who does what in the demonstration: everybody at the city office and the institutions, and who
//! holds which role of the pack.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mimamori_app::{App, Caller, NewAppointment, Origin};
use mimamori_demo::{City, Staff};
use mimamori_domain::{ActorId, Error, InstitutionId, Timestamp};
use mimamori_policy::model::{StepRule, Who};
use mimamori_policy::{Pack, Role, RoleScope};

use crate::PASSWORD;
use crate::fill::LeftOut;

/// A sign-in is used again for so long: well within what any rules let somebody be idle.
const SAME_SITTING: Duration = Duration::from_secs(240);
/// Units (部署) that are shown with people in them.
const UNITS: usize = 3;
/// People of a committee, where no step asks for more.
const COMMITTEE: usize = 4;
/// People without any role: the ones whose accounts are applied for and stopped.
const SPARE: usize = 4;
/// Every so many roles has a deputy, too.
const DEPUTY_EVERY: usize = 4;

/// Somebody at work.
#[derive(Debug, Clone)]
pub struct Member {
    pub actor: ActorId,
    pub login: String,
    pub name: String,
    pub institution: Option<InstitutionId>,
    pub unit: Option<String>,
    /// The base pack's code; empty for a citizen.
    pub occupation: String,
    pub citizen: bool,
}

/// Where one appointment reaches.
#[derive(Debug, Clone, Default)]
pub struct Place {
    pub institution: Option<InstitutionId>,
    pub unit: Option<String>,
    pub system: Option<String>,
}

/// Everybody, and who holds what.
#[derive(Debug, Default)]
pub struct Cast {
    pub members: Vec<Member>,
    /// By the role's code: places among `members`, holders before deputies.
    pub holders: BTreeMap<String, Vec<usize>>,
    /// Places of those without any role at the city office.
    pub spare: Vec<usize>,
    /// Places of those among the staff whom a first look shows.
    pub typical: Vec<usize>,
    tokens: HashMap<ActorId, (String, Timestamp)>,
}

/// Somebody at work: who, and what they are signed in with since when.
#[derive(Debug)]
pub struct Seat {
    actor: ActorId,
    login: String,
    token: Option<(String, Timestamp)>,
}

impl Seat {
    /// The person, for one request.
    ///
    /// # Errors
    /// What signing in refused.
    pub async fn caller(&mut self, app: &App) -> Result<Caller, Error> {
        let now = app.clock().now();
        if let Some((token, since)) = &self.token
            && now.since(*since) < SAME_SITTING
            && let Ok(caller) = app.caller(token, &Origin::default()).await
        {
            return Ok(caller);
        }
        self.token = None;
        let signed_in = app.sign_in(&self.login, PASSWORD, &Origin::default()).await?;
        let caller = app.caller(&signed_in.token, &Origin::default()).await?;
        self.token = Some((signed_in.token, now));
        Ok(caller)
    }
}

/// How many people beside the city's own staff a pack's roles ask for.
#[must_use]
pub fn colleagues_needed(pack: &Pack) -> usize {
    let roles = pack.roles().iter().filter(|role| !role.outside);
    let needed: usize = roles
        .map(|role| match role.scope {
            _ if role.committee => committee_size(pack, role),
            RoleScope::Unit => units(pack).len(),
            _ => 1,
        })
        .sum();
    needed + pack.roles().len() / DEPUTY_EVERY + SPARE
}

fn committee_size(pack: &Pack, role: &Role) -> usize {
    let asked =
        pack.procedures().iter().flat_map(|procedure| &procedure.steps).filter_map(|step| match step.rule {
            StepRule::Committee(committee) if step.by.contains(&Who::Role(role.code.clone())) => {
                Some(committee.least as usize + 1)
            }
            _ => None,
        });
    asked.max().unwrap_or(COMMITTEE).max(COMMITTEE)
}

/// The units that have people: a few, from all over the list.
#[must_use]
pub fn units(pack: &Pack) -> Vec<String> {
    let all = pack.units();
    let every = all.len().div_ceil(UNITS).max(1);
    all.iter().step_by(every).map(|unit| unit.code.clone()).collect()
}

impl Cast {
    /// Appoints somebody to every role that is not outside. `staff` and `members` are in one order; the
    /// last `colleagues` of them hold nothing yet.
    ///
    /// # Errors
    /// When nobody could be appointed for another reason than the rules'.
    pub async fn appoint(
        app: &App,
        operator: &Caller,
        city: &City,
        (staff, members): (&[Staff], Vec<Member>),
        left_out: &mut LeftOut,
    ) -> Result<Self, Error> {
        let pack = app.pack();
        let mut cast = Self { members, ..Self::default() };
        let mut free: Vec<usize> = (city.staff.len()..staff.len()).rev().collect();
        let mut waiting: Vec<&Role> = pack.roles().iter().filter(|role| !role.outside).collect();
        let mut number = 0;
        while !waiting.is_empty() {
            let ready = |role: &&Role| {
                role.appointed_by.is_empty()
                    || role.appointed_by.iter().any(|above| cast.holders.contains_key(above.as_str()))
            };
            // Where the chain has no beginning, the operator of the machine makes it.
            let at = waiting.iter().position(ready).unwrap_or(0);
            let role = waiting.remove(at);
            for (member, place) in cast.chosen(pack, role, staff, city, &mut free) {
                cast.give(app, operator, role, member, place, false, left_out).await?;
            }
            number += 1;
            if number % DEPUTY_EVERY == 0
                && !role.privileged
                && !role.committee
                && role.scope == RoleScope::Installation
                && let Some(member) = free.pop()
            {
                cast.give(app, operator, role, member, Place::default(), true, left_out).await?;
            }
        }
        cast.spare = free.into_iter().take(SPARE).collect();
        Ok(cast)
    }

    /// Whom to appoint to a role, and where.
    fn chosen(
        &self,
        pack: &Pack,
        role: &Role,
        staff: &[Staff],
        city: &City,
        free: &mut Vec<usize>,
    ) -> Vec<(usize, Place)> {
        let held = |at: &usize| self.holders.values().flatten().any(|holder| holder == at);
        let meant = |at: &usize| staff.get(*at).is_some_and(|staff| staff.roles.contains(&role.code));
        match role.scope {
            RoleScope::Institution => city
                .institutions
                .iter()
                .filter_map(|institution| {
                    let works =
                        |at: &usize| staff.get(*at).is_some_and(|staff| staff.institution == institution.key);
                    let there = || (0..city.staff.len()).filter(works);
                    let member = there().find(meant).or_else(|| there().find(|at| !held(at)))?;
                    let institution = self.members.get(member)?.institution;
                    Some((member, Place { institution, ..Place::default() }))
                })
                .collect(),
            RoleScope::Unit => units(pack)
                .into_iter()
                .filter_map(|unit| {
                    let in_unit = |at: &usize| {
                        self.members.get(*at).is_some_and(|member| member.unit.as_ref() == Some(&unit))
                    };
                    let at = free.iter().rposition(in_unit).or_else(|| free.len().checked_sub(1))?;
                    let member = free.remove(at);
                    Some((member, Place { unit: Some(unit), ..Place::default() }))
                })
                .collect(),
            RoleScope::System => {
                let Some(member) = free.pop() else { return Vec::new() };
                let place = |system: &mimamori_policy::model::System| Place {
                    system: Some(system.code.clone()),
                    ..Place::default()
                };
                pack.systems().iter().map(|system| (member, place(system))).collect()
            }
            RoleScope::Installation => {
                let count = if role.committee { committee_size(pack, role) } else { 1 };
                let own = (0..city.staff.len()).find(|at| meant(at) && !held(at));
                own.into_iter()
                    .chain(std::iter::from_fn(|| free.pop()))
                    .take(count)
                    .map(|member| (member, Place::default()))
                    .collect()
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of one appointment")]
    async fn give(
        &mut self,
        app: &App,
        operator: &Caller,
        role: &Role,
        member: usize,
        place: Place,
        deputy: bool,
        left_out: &mut LeftOut,
    ) -> Result<(), Error> {
        let Some(actor) = self.members.get(member).map(|member| member.actor) else { return Ok(()) };
        let appointment = NewAppointment {
            actor,
            role: role.code.clone(),
            institution: place.institution,
            unit: place.unit,
            system: place.system,
            from: app.clock().now(),
            until: None,
            deputy,
        };
        let above =
            role.appointed_by.iter().find_map(|above| self.holders.get(above.as_str())?.first().copied());
        let mut made = None;
        if let Some(above) = above.filter(|above| *above != member) {
            let caller = self.caller(app, above).await?;
            made = app.appoint(&caller, &appointment).await.ok();
        }
        if made.is_none() {
            match app.appoint(operator, &appointment).await {
                Ok(_) => {}
                Err(error) => {
                    return crate::fill::leave_out(&error, role.code.as_str(), left_out).ok_or(error);
                }
            }
        }
        let holders = self.holders.entry(role.code.as_str().to_owned()).or_default();
        if !holders.contains(&member) {
            holders.push(member);
        }
        Ok(())
    }

    /// Somebody at work, for one request.
    ///
    /// # Errors
    /// What signing in refused.
    pub async fn caller(&mut self, app: &App, member: usize) -> Result<Caller, Error> {
        let mut seat = self.seat(member).ok_or_else(|| Error::internal("nobody of that place"))?;
        let caller = seat.caller(app).await?;
        self.keep(seat);
        Ok(caller)
    }

    /// Somebody at work by themself, until they are given back with [`Cast::keep`].
    pub fn seat(&mut self, member: usize) -> Option<Seat> {
        let Member { actor, login, .. } = self.members.get(member)?;
        Some(Seat { actor: *actor, login: login.clone(), token: self.tokens.remove(actor) })
    }

    /// Takes back somebody who was at work.
    pub fn keep(&mut self, seat: Seat) {
        if let Some(token) = seat.token {
            self.tokens.insert(seat.actor, token);
        }
    }

    /// The place of a person.
    #[must_use]
    pub fn place_of(&self, actor: ActorId) -> Option<usize> {
        self.members.iter().position(|member| member.actor == actor)
    }

    /// Everybody whom these words of the pack name.
    #[must_use]
    pub fn named(&self, words: &[Who]) -> Vec<usize> {
        let mut found = Vec::new();
        for who in words {
            match who {
                // Those whose accounts are stopped in the course of it do not act.
                Who::Anyone => found.extend(self.staff().filter(|at| !self.spare.contains(at))),
                Who::Role(code) => found.extend(self.holders.get(code.as_str()).into_iter().flatten()),
                Who::Citizen => found.extend(self.citizens()),
                Who::Applicant => {}
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The unit (部署) of somebody.
    #[must_use]
    pub fn unit(&self, at: usize) -> Option<&str> {
        self.members.get(at)?.unit.as_deref()
    }

    /// Whom somebody works for.
    #[must_use]
    pub fn institution(&self, at: usize) -> Option<InstitutionId> {
        self.members.get(at)?.institution
    }

    /// Of these people those of the same unit as somebody, where there are any.
    #[must_use]
    pub fn near(&self, people: &[usize], of: usize) -> Vec<usize> {
        let near: Vec<usize> = people.iter().copied().filter(|at| self.unit(*at) == self.unit(of)).collect();
        if near.is_empty() { people.to_vec() } else { near }
    }

    /// Places of everybody who works for an institution.
    pub fn staff(&self) -> impl Iterator<Item = usize> + '_ {
        self.members.iter().enumerate().filter(|(_, member)| !member.citizen).map(|(at, _)| at)
    }

    /// Places of the citizen users.
    #[must_use]
    pub fn citizens(&self) -> Vec<usize> {
        self.members.iter().enumerate().filter(|(_, member)| member.citizen).map(|(at, _)| at).collect()
    }

    /// Places of those who work in one of these occupations.
    #[must_use]
    pub fn of_occupations(&self, wanted: &[&str]) -> Vec<usize> {
        self.staff()
            .filter(|at| self.members.get(*at).is_some_and(|member| wanted.contains(&&*member.occupation)))
            .collect()
    }

    /// Places of those who look after the organisation, who may be allowed to look through the ledger:
    /// auditors first.
    #[must_use]
    pub fn reviewers(&self) -> Vec<usize> {
        let auditors = self.holders.get("auditor").into_iter().flatten();
        let others = self.holders.iter().filter(|(role, _)| *role != "auditor").flat_map(|(_, held)| held);
        let mut found: Vec<usize> = Vec::new();
        for at in auditors.chain(others) {
            if !found.contains(at) {
                found.push(*at);
            }
        }
        found
    }
}
