//! Fills an empty installation with the made-up city, through the use cases.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use indicatif::ProgressBar;
use mimamori_app::{App, Caller, CreateAs, NewStaff, Window};
use mimamori_demo::{
    City, Options, Person, Related, SUBJECT, Staff, TeamMember, city, colleagues, people, staff_reference,
    typical_sign_ins,
};
use mimamori_domain::{ActorId, Error, ErrorKind, InstitutionId, ManualClock, Result, SubjectId, Timestamp};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::PASSWORD;
use crate::care::{self, Visit};
use crate::cast::{self, Cast, Member};
use crate::forms::Known;
use crate::history::History;
use crate::tally::{self, Tally};

/// Between two registrations, but no longer than all of them together.
const EACH: Duration = Duration::from_secs(170);
/// How far back a first look tells of duties.
const HALF_YEAR: Duration = Duration::from_secs(184 * 86_400);
const ALL: Duration = Duration::from_secs(3 * 86_400);
/// Hashing a password takes memory and a processor: no more at a time than this.
const CONCURRENT_ACCOUNTS: usize = 4;

/// What could not be put in, and how often.
pub type LeftOut = BTreeMap<String, u64>;

/// Tells whoever waits how far it is.
pub trait Progress: std::fmt::Debug + Send + Sync {
    /// A bar for so many steps of one kind.
    fn bar(&self, length: u64, what: &'static str) -> ProgressBar;
}

/// Puts a city in.
#[derive(Debug)]
pub struct Fill {
    pub app: Arc<App>,
    pub operator: Caller,
    pub progress: Arc<dyn Progress>,
    pub options: Options,
    /// For how many days, up to the last, the organisation keeps its rules.
    pub rules_days: u32,
    /// What the use cases live by.
    pub clock: Arc<ManualClock>,
}

/// Who holds a role, for a first look.
#[derive(Debug, Clone)]
pub struct Holder {
    pub role: String,
    pub login: String,
    pub name: String,
}

/// A city that was made.
#[derive(Debug)]
pub struct Filled {
    /// The first holder of each role.
    pub holders: Vec<Holder>,
    /// What waits for those whom a first look shows, in Japanese and English, by their sign-in.
    pub desks: BTreeMap<String, (String, String)>,
    pub tally: Tally,
    pub left_out: LeftOut,
}

/// Who was registered, and what will be written about them.
#[derive(Default)]
struct Registered {
    subjects: Vec<SubjectId>,
    /// By the person: the place of who registered them.
    registrars: HashMap<SubjectId, usize>,
    visits: Vec<Visit>,
}

/// So many citizens are asked what waits for them.
const CITIZENS_SHOWN: usize = 6;
/// Occupations in order of who would register a person. They are the base pack's codes.
const REGISTRARS: &[&str] = &[
    "care-manager",
    "clerk",
    "city-officer",
    "doctor",
    "dentist",
    "nurse",
    "visiting-nurse",
    "public-health-nurse",
];

impl Fill {
    /// Fills everything: who works for the city, whom it cares for, and half a year of both. Gives who
    /// holds which role, everybody's names for a sign-in, and what was left out.
    ///
    /// # Errors
    /// When something fails that concerns more than one record.
    pub async fn run(self) -> Result<Filled> {
        let (from, city) = (self.now(), city(&self.options));
        let colleagues = colleagues(&self.options, &city, cast::colleagues_needed(self.app.pack()));
        let staff: Vec<Staff> = city.staff.iter().cloned().chain(colleagues).collect();
        // Thousands of sign-ins in half a year; what was hashed so is hashed again below.
        self.app.hash_lightly(true)?;
        let institutions = self.institutions(&city).await?;
        let members = self.members(&staff, &institutions).await?;
        let mut left_out = LeftOut::new();
        let mut cast = Cast::appoint(&self.app, &self.operator, &city, (&staff, members), &mut left_out)
            .await
            .map_err(at("roles"))?;
        let shown = typical_sign_ins(&city);
        cast.typical = (0..cast.members.len())
            .filter(|at| cast.members.get(*at).is_some_and(|m| shown.iter().any(|who| who.login == m.login)))
            .collect();
        let mut registered = Registered::default();
        self.everybody(&city, &staff, &institutions, (&mut cast, &mut registered, &mut left_out)).await?;
        let Registered { subjects, registrars, mut visits } = registered;
        visits.sort_by_key(|visit| visit.at);
        let known = Known {
            institutions: institutions.values().copied().collect(),
            subjects,
            registrars,
            ..Known::default()
        };
        let history = History::new(
            &self.app,
            &self.clock,
            &self.operator,
            &*self.progress,
            (cast, known),
            visits,
            (from, self.options.today, self.rules_days),
            self.options.seed,
        );
        let (mut cast, more) = history.write().await.map_err(at("rules"))?;
        merge(&mut left_out, more);
        let (holders, desks) = self.desks(&mut cast).await.map_err(at("desks"))?;
        let tally = Tally::count(&self.app, &self.operator, from, self.now()).await.map_err(at("tally"))?;
        self.app.hash_lightly(false)?;
        self.passwords(&cast).await?;
        Ok(Filled { holders, desks, tally, left_out })
    }

    /// Registers the people one after the other, as on the first days of such a network.
    async fn everybody(
        &self,
        city: &City,
        staff: &[Staff],
        institutions: &BTreeMap<String, InstitutionId>,
        (cast, registered, left_out): (&mut Cast, &mut Registered, &mut LeftOut),
    ) -> Result<()> {
        let bar = self.progress.bar(u64::from(self.options.people), "people");
        let places: HashMap<&str, usize> =
            staff.iter().enumerate().map(|(at, member)| (member.key.as_str(), at)).collect();
        let mut registrars: HashMap<&str, usize> = HashMap::new();
        for occupation in REGISTRARS {
            for (at, member) in city.staff.iter().enumerate() {
                if member.occupation.as_str() == *occupation {
                    registrars.entry(&member.institution).or_insert(at);
                }
            }
        }
        let pause = EACH.min(ALL / self.options.people.max(1));
        for person in people(&self.options, city) {
            let registrar = *registrars
                .get(person.registered_by.as_str())
                .ok_or_else(|| Error::internal("an institution registers people but has nobody who may"))?;
            let subject = self.person(&person, registrar, &places, institutions, cast, left_out).await?;
            let place = |key: &str| places.get(key).copied();
            let named: HashMap<&str, ActorId> = person
                .team
                .iter()
                .filter_map(|member| match member {
                    TeamMember::Staff(key) => {
                        Some((key.as_str(), cast.members.get(*places.get(key.as_str())?)?.actor))
                    }
                    TeamMember::Institution(_) => None,
                })
                .collect();
            let about = |fhir: &str| addressed(about(fhir, subject), &named);
            registered.visits.extend(care::visits(&person.resources, subject, place, about));
            registered.subjects.push(subject);
            registered.registrars.insert(subject, registrar);
            self.clock.set(self.now().plus(pause));
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// The first holder of each role, and what waits for each of them and of those a first look shows.
    async fn desks(
        &self,
        cast: &mut Cast,
    ) -> Result<(Vec<Holder>, BTreeMap<String, (String, String)>), Error> {
        let first = |held: &Vec<usize>| held.first().copied();
        let mut shown: Vec<usize> = cast.holders.values().filter_map(first).collect();
        shown.extend(&cast.typical);
        shown.extend(cast.citizens().into_iter().take(CITIZENS_SHOWN));
        shown.sort_unstable();
        shown.dedup();
        let window = Window { from: self.now().minus(HALF_YEAR), until: self.now() };
        let mut desks = BTreeMap::new();
        for at in shown {
            let caller = cast.caller(&self.app, at).await?;
            let waiting = tally::waiting(&self.app, &caller, window).await?;
            if let Some(member) = cast.members.get(at) {
                desks.insert(member.login.clone(), waiting);
            }
        }
        let holder = |(role, held): (&String, &Vec<usize>)| {
            let member = cast.members.get(*held.first()?)?;
            Some(Holder { role: role.clone(), login: member.login.clone(), name: member.name.clone() })
        };
        Ok((cast.holders.iter().filter_map(holder).collect(), desks))
    }

    fn now(&self) -> Timestamp {
        mimamori_domain::Clock::now(&*self.clock)
    }

    async fn institutions(&self, city: &City) -> Result<BTreeMap<String, InstitutionId>> {
        let mut institutions = BTreeMap::new();
        for institution in &city.institutions {
            let id = self.app.add_institution(&self.operator, &institution.organization).await?;
            institutions.insert(institution.key.clone(), id);
        }
        Ok(institutions)
    }

    /// The accounts, with a unit each where the site has units. Roles are appointed later.
    async fn members(
        &self,
        staff: &[Staff],
        institutions: &BTreeMap<String, InstitutionId>,
    ) -> Result<Vec<Member>> {
        let units = cast::units(self.app.pack());
        let bar = self.progress.bar(staff.len() as u64, "staff");
        let mut members = Vec::with_capacity(staff.len());
        for (number, staff) in staff.iter().enumerate() {
            let institution = institutions.get(&staff.institution).copied();
            let account = new_staff(staff, institution);
            let actor = self.app.add_staff(&self.operator, &account).await.map_err(at("staff"))?;
            let unit = units.get(number % units.len().max(1)).cloned();
            if let Some(unit) = &unit {
                self.app.set_unit(&self.operator, &account.login, Some(unit)).await?;
            }
            members.push(Member {
                actor,
                login: account.login,
                name: account.name,
                institution,
                unit,
                occupation: staff.occupation.as_str().to_owned(),
                citizen: false,
            });
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(members)
    }

    /// Gives everybody a password that costs what it should.
    async fn passwords(&self, cast: &Cast) -> Result<()> {
        let bar = self.progress.bar(cast.members.len() as u64, "passwords");
        let seats = Arc::new(Semaphore::new(CONCURRENT_ACCOUNTS));
        let mut running = JoinSet::new();
        for member in &cast.members {
            let (app, operator) = (Arc::clone(&self.app), self.operator.clone());
            let (seats, login) = (Arc::clone(&seats), member.login.clone());
            running.spawn(async move {
                let _seat = seats.acquire_owned().await.map_err(Error::internal)?;
                match app.set_password(&operator, &login, PASSWORD).await {
                    // A made-up procedure has deleted this account for good.
                    Err(error) if error.kind() == ErrorKind::Conflict => Ok::<_, Error>(()),
                    other => other,
                }
            });
        }
        while let Some(done) = running.join_next().await {
            done.map_err(Error::internal)??;
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    async fn person(
        &self,
        person: &Person,
        registrar: usize,
        places: &HashMap<&str, usize>,
        institutions: &BTreeMap<String, InstitutionId>,
        cast: &mut Cast,
        left_out: &mut LeftOut,
    ) -> Result<SubjectId> {
        let caller = cast.caller(&self.app, registrar).await?;
        let created = self.create(&caller, &person.patient).await.map_err(at("person"))?;
        let Some(subject) = created.subject else {
            return Err(Error::internal("a person was registered without an identifier"));
        };
        for member in &person.team {
            let (actor, institution) = match member {
                TeamMember::Staff(key) => {
                    let member = places.get(key.as_str()).and_then(|at| cast.members.get(*at));
                    (member.map(|member| member.actor), None)
                }
                TeamMember::Institution(key) => (None, institutions.get(key).copied()),
            };
            self.app.add_team_member(&caller, subject, actor, institution).await.map_err(at("care team"))?;
        }
        for consent in &person.consents {
            let institution = consent.institution.as_ref().and_then(|key| institutions.get(key)).copied();
            self.app
                .add_consent(&caller, subject, consent.permit, consent.class.clone(), institution)
                .await?;
        }
        if let Some(login) = &person.citizen_login {
            self.citizen(login, &name_of(&person.patient), Some(subject), cast).await?;
        }
        for related in &person.related {
            self.related(&caller, subject, related, cast, left_out).await?;
        }
        if person.protection_flag {
            // Whoever registered a person need not be who keeps watch over their protection.
            self.app.set_protection(&self.operator, subject, true).await.map_err(at("protection"))?;
        }
        Ok(subject)
    }

    /// Gives a citizen an account, and a place among the cast.
    async fn citizen(
        &self,
        login: &str,
        name: &str,
        own: Option<SubjectId>,
        cast: &mut Cast,
    ) -> Result<ActorId> {
        let actor =
            self.app.add_citizen(&self.operator, login, name, PASSWORD, own).await.map_err(at("citizen"))?;
        cast.members.push(Member {
            actor,
            login: login.to_owned(),
            name: name.to_owned(),
            institution: None,
            unit: None,
            occupation: String::new(),
            citizen: true,
        });
        Ok(actor)
    }

    async fn related(
        &self,
        caller: &Caller,
        subject: SubjectId,
        related: &Related,
        cast: &mut Cast,
        left_out: &mut LeftOut,
    ) -> Result<()> {
        let fhir = about(&related.related_person, subject);
        keep_going(self.create(caller, &fhir).await.map(drop), left_out)?;
        if let Some(login) = &related.login {
            let actor = self.citizen(login, &name_of(&related.related_person), None, cast).await?;
            if related.is_proxy {
                self.app.add_proxy(caller, subject, actor, None).await.map_err(at("proxy"))?;
            }
        }
        Ok(())
    }

    /// Writes one confirmed record in its author's name.
    async fn create(&self, caller: &Caller, fhir: &str) -> Result<mimamori_app::Stored, Error> {
        self.app.create(caller, Bytes::copy_from_slice(fhir.as_bytes()), CreateAs::Confirmed).await
    }
}

fn new_staff(member: &Staff, institution: Option<InstitutionId>) -> NewStaff {
    NewStaff {
        login: member.login.clone(),
        name: format!("{} {}", member.family, member.given),
        kana: Some(format!("{} {}", member.kana_family, member.kana_given)),
        occupation: Some(member.occupation.clone()),
        institution,
        roles: Vec::new(),
        password: PASSWORD.to_owned(),
    }
}

fn about(fhir: &str, subject: SubjectId) -> String {
    fhir.replace(SUBJECT, &format!("Patient/{subject}"))
}

/// Names members of the care team by their identifiers.
fn addressed(fhir: String, team: &HashMap<&str, ActorId>) -> String {
    if !fhir.contains("Practitioner/{") {
        return fhir;
    }
    team.iter().fold(fhir, |fhir, (key, actor)| {
        fhir.replace(&staff_reference(key), &format!("Practitioner/{actor}"))
    })
}

/// The name of a made-up person as written, for their account.
fn name_of(fhir: &str) -> String {
    let text = |value: &serde_json::Value| {
        let name = value.get("name")?.as_array()?.first()?.clone();
        match name.get("text").and_then(serde_json::Value::as_str) {
            Some(text) => Some(text.to_owned()),
            None => {
                let family = name.get("family").and_then(serde_json::Value::as_str).unwrap_or_default();
                let given = name.get("given")?.as_array()?.first()?.as_str()?;
                Some(format!("{family} {given}"))
            }
        }
    };
    serde_json::from_str::<serde_json::Value>(fhir).ok().as_ref().and_then(text).unwrap_or_default()
}

/// Names the step that failed: what went wrong in a city of thousands must be found.
fn at(step: &'static str) -> impl Fn(Error) -> Error {
    move |error| {
        let named = Error::new(error.kind(), format!("{step}: {}", error.message()));
        match error.detail() {
            Some(detail) => named.with_detail(detail),
            None => named,
        }
    }
}

/// What the rules or the validation refuse concerns one record; anything else concerns all.
fn keep_going(result: Result<(), Error>, left_out: &mut LeftOut) -> Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => leave_out(&error, "record", left_out).ok_or(error),
    }
}

/// Counts what was refused by rules or validation; none for anything else, which concerns all.
pub fn leave_out(error: &Error, what: &str, left_out: &mut LeftOut) -> Option<()> {
    let kinds = [
        ErrorKind::Forbidden,
        ErrorKind::Invalid,
        ErrorKind::Conflict,
        ErrorKind::NotFound,
        ErrorKind::Unauthenticated,
    ];
    if !kinds.contains(&error.kind()) {
        return None;
    }
    let more = error.faults().iter().filter(|fault| fault.rule != error.message());
    let faults: Vec<String> = more.map(|fault| format!("{}: {}", fault.place, fault.rule)).collect();
    let mut reason = format!("{what}: {}", error.message());
    if !faults.is_empty() {
        reason.push_str(&format!(" ({})", faults.join("; ")));
    }
    *left_out.entry(reason).or_default() += 1;
    Some(())
}

/// Adds what was left out to what was before.
pub fn merge(into: &mut LeftOut, from: LeftOut) {
    for (reason, count) in from {
        *into.entry(reason).or_default() += count;
    }
}
