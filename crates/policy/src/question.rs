//! A question: all that a decision may depend on, small enough to be compared and remembered.
//!
//! Relationships (same institution, care team, consent ...) are worked out here into named facts.
//! Nothing that names a person, an institution or a time is left, so equal questions have equal
//! answers for as long as the pack stays the same.

use std::collections::HashMap;

use mimamori_domain::{
    AccessLabel, Action, Authorship, ClassCode, InstitutionId, Kind, OccupationCode, Purpose, RecordState,
    RoleCode, Timestamp, ZoneCode,
};

use crate::fact::{Fact, FactSet};
use crate::pack::{Pack, Zone, ZoneCaller, ZoneTerminals};
use crate::request::{
    CallerFacts, CallerKind, ConsentEffect, ConsentFact, GeneralTarget, ProxyFact, Scope, SubjectFacts,
    TeamMembership, in_force,
};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// Records of one person; the class by its place in the pack.
    Record { class: u16, state: RecordState },
    /// A thing outside any notebook, by its place in the pack.
    Thing(u16),
}

/// Everything a decision depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub kind: CallerKind,
    pub action: Action,
    /// Place of the occupation in the pack.
    pub occupation: Option<u16>,
    /// One bit for each role of the pack that applies here.
    pub roles: u128,
    pub target: Target,
    pub purpose: Purpose,
    pub strength: u8,
    pub zone: Option<u16>,
    pub facts: FactSet,
}

/// What the pack's policies look at, among what is told besides the facts. What none of them mentions
/// cannot change an answer, so it is left out of the question and far fewer questions are different.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mentioned {
    pub occupation: bool,
    pub class: bool,
    pub zone: bool,
}

impl Question {
    /// The same question without what no policy looks at.
    pub(crate) fn reduced(mut self, mentioned: Mentioned) -> Self {
        if !mentioned.occupation {
            self.occupation = None;
        }
        if !mentioned.zone {
            self.zone = None;
        }
        if let Target::Record { class, .. } = &mut self.target
            && !mentioned.class
        {
            *class = 0;
        }
        self
    }
}

/// The pack's tables, arranged for asking.
#[derive(Debug)]
pub(crate) struct Tables {
    occupations: HashMap<OccupationCode, u16>,
    roles: HashMap<RoleCode, u32>,
    classes: HashMap<ClassCode, u16>,
    things: HashMap<Kind, u16>,
    zones: HashMap<ZoneCode, u16>,
    zone_rows: Vec<ZoneRow>,
    occupation_rows: Vec<OccupationRow>,
    class_rows: Vec<ClassRow>,
    thing_kinds: Vec<Vec<Kind>>,
}

#[derive(Debug)]
struct OccupationRow {
    finds_people: bool,
    registers_people: bool,
    break_glass: bool,
}

/// What a zone asks of those who come from it.
#[derive(Debug)]
struct ZoneRow {
    closed_to: Vec<CallerKind>,
    roles: Vec<RoleCode>,
    terminals: ZoneTerminals,
    second_factor: bool,
}

#[derive(Debug)]
struct ClassRow {
    place: bool,
    registration: bool,
    person_reads: bool,
    person_writes: bool,
    kinds: Vec<Kind>,
    /// One bit for each occupation.
    readers: u64,
    writers: u64,
}

/// The place of each row, by its code.
fn places<K: Eq + std::hash::Hash, N: TryFrom<usize>>(codes: impl Iterator<Item = K>) -> HashMap<K, N> {
    codes.enumerate().filter_map(|(place, code)| Some((code, N::try_from(place).ok()?))).collect()
}

const fn bit(place: u16) -> u64 {
    if place < 64 { 1 << place } else { 0 }
}

impl ZoneRow {
    fn of(zone: &Zone) -> Self {
        let kinds = zone.closed_to.iter().map(|caller| match caller {
            ZoneCaller::Staff => CallerKind::Staff,
            ZoneCaller::Citizens => CallerKind::Citizen,
            ZoneCaller::Programs => CallerKind::Program,
        });
        Self {
            closed_to: kinds.collect(),
            roles: zone.roles.clone(),
            terminals: zone.terminals.clone(),
            second_factor: zone.second_factor,
        }
    }
}

impl Tables {
    pub(crate) fn new(pack: &Pack) -> Self {
        let occupations: HashMap<_, u16> = places(pack.occupations().iter().map(|o| o.code.clone()));
        let bits = |codes: &[OccupationCode]| {
            codes.iter().filter_map(|c| occupations.get(c)).fold(0, |bits, place| bits | bit(*place))
        };
        let class_rows = pack.classes().iter().map(|class| ClassRow {
            place: class.place,
            registration: class.registration,
            person_reads: class.person_reads,
            person_writes: class.person_writes,
            kinds: class.kinds.clone(),
            readers: bits(&class.readers),
            writers: bits(&class.writers),
        });
        let class_rows = class_rows.collect();
        let occupation_rows = pack.occupations().iter().map(|o| OccupationRow {
            finds_people: o.finds_people,
            registers_people: o.registers_people,
            break_glass: o.break_glass,
        });
        Self {
            roles: places(pack.roles().iter().map(|r| r.code.clone())),
            classes: places(pack.classes().iter().map(|c| c.code.clone())),
            things: places(pack.things().iter().map(|t| t.code.clone())),
            zones: places(pack.zones().iter().map(|z| z.code.clone())),
            zone_rows: pack.zones().iter().map(ZoneRow::of).collect(),
            occupation_rows: occupation_rows.collect(),
            class_rows,
            thing_kinds: pack.things().iter().map(|t| t.kinds.clone()).collect(),
            occupations,
        }
    }

    /// A question about records. `None` when the pack does not know the class: then nobody may.
    pub(crate) fn about_record(
        &self,
        caller: &CallerFacts,
        action: Action,
        subject: &SubjectFacts,
        label: &AccessLabel,
        authorship: Option<&Authorship>,
        now: Timestamp,
    ) -> Option<Question> {
        let place = *self.classes.get(&label.class)?;
        let class = self.class_rows.get(usize::from(place))?;
        let target = Target::Record { class: place, state: label.state };
        let mut question = self.about_caller(caller, action, target, Some(label.institution), now);
        let facts = &mut question.facts;

        let at_work = matches!(caller.kind, CallerKind::Staff | CallerKind::Program);
        let citizen = caller.kind == CallerKind::Citizen;
        let same = |institution: Option<InstitutionId>| {
            at_work && institution.is_some() && caller.institution == institution
        };
        facts.set(Fact::RegisteringInstitution, same(subject.registering_institution));
        facts.set(Fact::InTeam, at_work && subject.team.iter().any(|m| on_team(m, caller, now)));
        let consent =
            |effect| subject.consents.iter().any(|c| c.effect == effect && concerns(c, caller, label, now));
        facts.set(Fact::ConsentPermits, consent(ConsentEffect::Permit));
        facts.set(Fact::ConsentDenies, consent(ConsentEffect::Deny));
        facts.set(Fact::IsSelf, citizen && subject.self_actor == Some(caller.actor));
        facts.set(Fact::IsProxy, citizen && subject.proxies.iter().any(|p| speaks(p, caller, label, now)));
        facts.set(Fact::IsAuthor, authorship.is_some_and(|a| a.author == caller.actor));
        facts.set(Fact::EnteredForCaller, authorship.is_some_and(|a| a.on_behalf_of == Some(caller.actor)));
        facts.set(Fact::Protected, subject.protection_flag);
        facts.set(Fact::Place, class.place);
        facts.set(Fact::ClassOpenToPerson, class.person_reads);
        facts.set(Fact::ClassPersonWrites, class.person_writes);
        facts.set(Fact::ClassRegistration, class.registration);
        facts.set(Fact::ScopePermits, scoped(caller, &class.kinds, action));
        let mine = question.occupation.map_or(0, bit);
        facts.set(Fact::OccupationReads, class.readers & mine != 0);
        facts.set(Fact::OccupationWrites, class.writers & mine != 0);
        Some(question)
    }

    /// A question about a thing. `None` when the pack does not know it.
    pub(crate) fn about_thing(
        &self,
        caller: &CallerFacts,
        action: Action,
        target: &GeneralTarget,
        now: Timestamp,
    ) -> Option<Question> {
        let place = *self.things.get(&target.kind)?;
        let kinds = self.thing_kinds.get(usize::from(place))?;
        let mut question = self.about_caller(caller, action, Target::Thing(place), target.institution, now);
        question.facts.set(Fact::IsOwner, target.owner == Some(caller.actor));
        question.facts.set(Fact::NamedByPack, target.named);
        question.facts.set(Fact::ScopePermits, scoped(caller, kinds, action));
        Some(question)
    }

    fn about_caller(
        &self,
        caller: &CallerFacts,
        action: Action,
        target: Target,
        institution: Option<InstitutionId>,
        now: Timestamp,
    ) -> Question {
        let staff = caller.kind == CallerKind::Staff;
        let occupation = caller.occupation.as_ref().filter(|_| staff);
        let occupation = occupation.and_then(|code| self.occupations.get(code)).copied();
        let row = occupation.and_then(|place| self.occupation_rows.get(usize::from(place)));
        let own = matches!(caller.kind, CallerKind::Staff | CallerKind::Program)
            && institution.is_some()
            && caller.institution == institution;
        let mut facts = FactSet::default();
        facts.set(Fact::OwnInstitution, own);
        facts.set(Fact::ActsForOther, caller.on_behalf_of.is_some_and(|other| other != caller.actor));
        facts.set(Fact::HasOccupation, occupation.is_some());
        facts.set(Fact::OccupationFindsPeople, row.is_some_and(|r| r.finds_people));
        facts.set(Fact::OccupationRegistersPeople, row.is_some_and(|r| r.registers_people));
        facts.set(Fact::OccupationMayBreakGlass, row.is_some_and(|r| r.break_glass));
        let declared = caller.break_glass.is_some_and(|b| b.reason_given && now < b.until);
        facts.set(Fact::BreakGlassDeclared, staff && declared);
        facts.set(Fact::RegisteredTerminal, caller.terminal.is_some());
        facts.set(Fact::OutsideWorker, staff && caller.outside_worker);
        self.place(caller, &mut facts);
        Question {
            kind: caller.kind,
            action,
            occupation,
            roles: if staff { self.roles_at(caller, institution) } else { 0 },
            target,
            purpose: caller.purpose,
            strength: caller.authentication_strength,
            zone: caller.zone.as_ref().and_then(|zone| self.zones.get(zone)).copied(),
            facts,
        }
    }

    /// What the zone asks for and the caller has not got. Nothing is asked where no zones are told apart;
    /// from a zone that the pack does not know nobody may come.
    fn place(&self, caller: &CallerFacts, facts: &mut FactSet) {
        let Some(zone) = &caller.zone else { return };
        let row = self.zones.get(zone).and_then(|place| self.zone_rows.get(usize::from(*place)));
        let Some(row) = row else {
            facts.set(Fact::ZoneClosed, true);
            return;
        };
        let staff = caller.kind == CallerKind::Staff;
        let holds = || caller.roles.iter().any(|grant| row.roles.contains(&grant.role));
        let closed = row.closed_to.contains(&caller.kind) || (staff && !row.roles.is_empty() && !holds());
        let terminal = match &row.terminals {
            ZoneTerminals::Everybody => true,
            ZoneTerminals::Occupations(those) => {
                caller.occupation.as_ref().is_some_and(|occupation| those.contains(occupation))
            }
        };
        facts.set(Fact::ZoneClosed, closed);
        facts.set(Fact::TerminalMissing, staff && terminal && caller.terminal.is_none());
        facts.set(Fact::FactorMissing, staff && row.second_factor && caller.authentication_strength < 2);
    }

    /// The roles that reach this institution's things: an appointment limited to one institution
    /// says nothing about another, nor about a list over all of them.
    fn roles_at(&self, caller: &CallerFacts, institution: Option<InstitutionId>) -> u128 {
        let reaching = caller
            .roles
            .iter()
            .filter(|grant| grant.scope_institution.is_none() || grant.scope_institution == institution);
        reaching
            .filter_map(|grant| self.roles.get(&grant.role))
            .fold(0, |bits, place| bits | 1_u128.checked_shl(*place).unwrap_or(0))
    }
}

fn on_team(member: &TeamMembership, caller: &CallerFacts, now: Timestamp) -> bool {
    in_force(member.from, member.until, now)
        && (member.actor.is_some() || member.institution.is_some())
        && member.actor.is_none_or(|actor| actor == caller.actor)
        && member.institution.is_none_or(|institution| caller.institution == Some(institution))
}

fn concerns(consent: &ConsentFact, caller: &CallerFacts, label: &AccessLabel, now: Timestamp) -> bool {
    in_force(consent.from, consent.until, now)
        && consent.class.as_ref().is_none_or(|class| *class == label.class)
        && consent.institution.is_none_or(|institution| caller.institution == Some(institution))
        && consent.actor.is_none_or(|actor| actor == caller.actor)
}

fn speaks(proxy: &ProxyFact, caller: &CallerFacts, label: &AccessLabel, now: Timestamp) -> bool {
    proxy.actor == caller.actor
        && in_force(proxy.from, proxy.until, now)
        && proxy.classes.as_ref().is_none_or(|classes| classes.contains(&label.class))
}

/// Whether a program's scopes reach any of these kinds.
fn scoped(caller: &CallerFacts, kinds: &[Kind], action: Action) -> bool {
    let write = !matches!(action, Action::Read | Action::Search | Action::Export | Action::Review);
    let covers = |scope: &Scope| match &scope.kind {
        None => {
            if write {
                scope.write
            } else {
                scope.read
            }
        }
        Some(_) => kinds.iter().any(|kind| scope.covers(kind, write)),
    };
    caller.kind == CallerKind::Program
        && caller.scopes.as_ref().is_some_and(|scopes| scopes.iter().any(covers))
}
