//! Fills an empty installation with the made-up city, through the use cases.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use mimamori_app::{App, Caller, CreateAs, NewStaff, Origin};
use mimamori_demo::{City, Options, Person, Related, SUBJECT, Staff, TeamMember, city, colleagues, people};
use mimamori_domain::{ActorId, Error, ErrorKind, InstitutionId, ManualClock, SubjectId};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::PASSWORD;
use super::cast::{self, Cast, Member};
use super::forms::Known;
use super::history::History;
use crate::console::Console;
use crate::exit::{Exit, Failure, Result};

/// How many people are filled in at a time: enough to share commits.
const CONCURRENT: usize = 32;
/// Hashing a password takes memory and a processor: no more at a time than this.
const CONCURRENT_ACCOUNTS: usize = 4;

/// What could not be put in, and how often.
pub type LeftOut = BTreeMap<String, u64>;

/// Puts a city in.
#[derive(Debug)]
pub struct Fill {
    pub app: Arc<App>,
    pub operator: Caller,
    pub console: Console,
    pub options: Options,
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

/// What people's records refer to.
struct Directory {
    institutions: BTreeMap<String, InstitutionId>,
    staff: HashMap<String, SignedIn>,
    /// Who registers people at an institution, by its key.
    registrars: HashMap<String, String>,
}

/// A staff member, signed in.
struct SignedIn {
    actor: ActorId,
    token: String,
}

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
    /// Fills everything: half a year of the organisation's rules first, then the people as of today.
    /// Gives who holds which role, and what was left out.
    ///
    /// # Errors
    /// When something fails that concerns more than one record.
    pub async fn run(self) -> Result<(Vec<Holder>, LeftOut)> {
        let city = city(&self.options);
        let colleagues = colleagues(&self.options, &city, cast::colleagues_needed(self.app.pack()));
        let staff: Vec<Staff> = city.staff.iter().cloned().chain(colleagues).collect();
        // Thousands of sign-ins in half a year; what was hashed so is hashed again below.
        self.app.hash_lightly(true)?;
        let institutions = self.institutions(&city).await?;
        let members = self.members(&staff, &institutions).await?;
        let mut left_out = LeftOut::new();
        let cast = Cast::appoint(&self.app, &self.operator, &city, (&staff, members), &mut left_out)
            .await
            .map_err(at("roles"))?;
        let known = Known { institutions: institutions.values().copied().collect(), ..Known::default() };
        let history = History::new(
            &self.app,
            &self.clock,
            self.console,
            (cast, known),
            self.options.today,
            self.options.seed,
        );
        let (cast, more) = history.write().await.map_err(at("rules"))?;
        merge(&mut left_out, more);
        self.app.hash_lightly(false)?;
        let directory = Arc::new(self.directory(&city, &staff, institutions, &cast).await?);
        merge(&mut left_out, self.everybody(city, directory).await?);
        Ok((holders(&cast), left_out))
    }

    async fn everybody(self, city: City, directory: Arc<Directory>) -> Result<LeftOut> {
        let mut left_out = LeftOut::new();
        let bar = self.console.bar(u64::from(self.options.people), "people");
        let (seats, shared) = (Arc::new(Semaphore::new(CONCURRENT)), Arc::new(self));
        let mut running = JoinSet::new();
        for person in people(&shared.options, &city) {
            let seat = Arc::clone(&seats).acquire_owned().await.map_err(internal)?;
            let (fill, directory, bar) = (Arc::clone(&shared), Arc::clone(&directory), bar.clone());
            running.spawn(async move {
                let _seat = seat;
                let left_out = fill.person(&directory, person).await;
                bar.inc(1);
                left_out
            });
            while let Some(done) = running.try_join_next() {
                merge(&mut left_out, done.map_err(internal)??);
            }
        }
        while let Some(done) = running.join_next().await {
            merge(&mut left_out, done.map_err(internal)??);
        }
        bar.finish_and_clear();
        Ok(left_out)
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
        let bar = self.console.bar(staff.len() as u64, "staff");
        let mut members = Vec::with_capacity(staff.len());
        for (number, staff) in staff.iter().enumerate() {
            let institution = institutions.get(&staff.institution).copied();
            let account = new_staff(staff, institution);
            let actor = self.app.add_staff(&self.operator, &account).await.map_err(at("staff"))?;
            let unit = units.get(number % units.len().max(1)).cloned();
            if let Some(unit) = &unit {
                self.app.set_unit(&self.operator, &account.login, Some(unit)).await?;
            }
            members.push(Member { actor, login: account.login, name: account.name, institution, unit });
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(members)
    }

    /// Gives everybody a password that costs what it should, and lets the city's staff sign in.
    async fn directory(
        &self,
        city: &City,
        staff: &[Staff],
        institutions: BTreeMap<String, InstitutionId>,
        cast: &Cast,
    ) -> Result<Directory> {
        let bar = self.console.bar(cast.members.len() as u64, "passwords");
        let seats = Arc::new(Semaphore::new(CONCURRENT_ACCOUNTS));
        let mut running = JoinSet::new();
        for (staff, member) in staff.iter().zip(&cast.members) {
            let (app, operator, key) = (Arc::clone(&self.app), self.operator.clone(), staff.key.clone());
            let (seats, member) = (Arc::clone(&seats), member.clone());
            running.spawn(async move {
                let _seat = seats.acquire_owned().await.map_err(internal)?;
                app.set_password(&operator, &member.login, PASSWORD).await?;
                let token = match app.sign_in(&member.login, PASSWORD, &Origin::default()).await {
                    Ok(signed_in) => Some(signed_in.token),
                    // An account that the history stopped.
                    Err(error) if error.kind() == ErrorKind::Unauthenticated => None,
                    Err(error) => return Err(error.into()),
                };
                Ok::<_, Failure>((key, member.actor, token))
            });
        }
        let mut signed_in = HashMap::new();
        while let Some(done) = running.join_next().await {
            let (key, actor, token) = done.map_err(internal)??;
            if let Some(token) = token {
                signed_in.insert(key, SignedIn { actor, token });
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        let mut registrars = HashMap::new();
        for occupation in REGISTRARS {
            for member in city.staff.iter().filter(|member| member.occupation.as_str() == *occupation) {
                registrars.entry(member.institution.clone()).or_insert_with(|| member.key.clone());
            }
        }
        Ok(Directory { institutions, staff: signed_in, registrars })
    }

    async fn person(&self, directory: &Directory, person: Person) -> Result<LeftOut> {
        let mut left_out = LeftOut::new();
        let registrar = directory
            .registrars
            .get(&person.registered_by)
            .ok_or_else(|| internal("an institution registers people but has nobody who may"))?;
        let created = self.create(directory, registrar, &person.patient).await.map_err(at("person"))?;
        let Some(subject) = created.subject else {
            return Err(internal("a person was registered without an identifier"));
        };
        let caller = self.caller(directory, registrar).await?;
        for member in &person.team {
            let (actor, institution) = match member {
                TeamMember::Staff(key) => (directory.staff.get(key).map(|member| member.actor), None),
                TeamMember::Institution(key) => (None, directory.institutions.get(key).copied()),
            };
            self.app.add_team_member(&caller, subject, actor, institution).await.map_err(at("care team"))?;
        }
        for consent in &person.consents {
            let institution =
                consent.institution.as_ref().and_then(|key| directory.institutions.get(key)).copied();
            self.app
                .add_consent(&caller, subject, consent.permit, consent.class.clone(), institution)
                .await?;
        }
        if let Some(login) = &person.citizen_login {
            let name = name_of(&person.patient);
            self.app
                .add_citizen(&self.operator, login, &name, PASSWORD, Some(subject))
                .await
                .map_err(at("citizen"))?;
        }
        for related in &person.related {
            self.related(directory, registrar, subject, related, &mut left_out).await?;
        }
        for resource in &person.resources {
            let fhir = about(&resource.fhir, subject);
            keep_going(self.create(directory, &resource.author, &fhir).await.map(drop), &mut left_out)?;
        }
        if person.protection_flag {
            // Whoever registered a person need not be who keeps watch over their protection.
            self.app.set_protection(&self.operator, subject, true).await.map_err(at("protection"))?;
        }
        Ok(left_out)
    }

    async fn related(
        &self,
        directory: &Directory,
        registrar: &str,
        subject: SubjectId,
        related: &Related,
        left_out: &mut LeftOut,
    ) -> Result<()> {
        let fhir = about(&related.related_person, subject);
        keep_going(self.create(directory, registrar, &fhir).await.map(drop), left_out)?;
        if let Some(login) = &related.login {
            let name = name_of(&related.related_person);
            let actor = self.app.add_citizen(&self.operator, login, &name, PASSWORD, None).await?;
            if related.is_proxy {
                let caller = self.caller(directory, registrar).await?;
                self.app.add_proxy(&caller, subject, actor, None).await.map_err(at("proxy"))?;
            }
        }
        Ok(())
    }

    /// Writes one confirmed record in its author's name.
    async fn create(
        &self,
        directory: &Directory,
        author: &str,
        fhir: &str,
    ) -> Result<mimamori_app::Stored, Error> {
        let caller = self.caller(directory, author).await?;
        self.app.create(&caller, Bytes::copy_from_slice(fhir.as_bytes()), CreateAs::Confirmed).await
    }

    /// A caller holds for one request: what they may do can have changed since.
    async fn caller(&self, directory: &Directory, key: &str) -> Result<Caller, Error> {
        let member = directory.staff.get(key).ok_or_else(|| Error::internal("an author works nowhere"))?;
        self.app.caller(&member.token, &Origin::default()).await
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
fn at(step: &'static str) -> impl Fn(Error) -> Failure {
    move |error| {
        let failure = Failure::from(error);
        Failure { message: format!("{step}: {}", failure.message), ..failure }
    }
}

/// The first holder of each role.
fn holders(cast: &Cast) -> Vec<Holder> {
    let holder = |(role, held): (&String, &Vec<usize>)| {
        let member = cast.members.get(*held.first()?)?;
        Some(Holder { role: role.clone(), login: member.login.clone(), name: member.name.clone() })
    };
    cast.holders.iter().filter_map(holder).collect()
}

/// What the rules or the validation refuse concerns one record; anything else concerns all.
fn keep_going(result: Result<(), Error>, left_out: &mut LeftOut) -> Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) => leave_out(&error, "record", left_out).ok_or_else(|| error.into()),
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
    let faults: Vec<String> =
        error.faults().iter().map(|fault| format!("{}: {}", fault.place, fault.rule)).collect();
    *left_out.entry(format!("{what}: {} {}", error.message(), faults.join("; "))).or_default() += 1;
    Some(())
}

fn merge(into: &mut LeftOut, from: LeftOut) {
    for (reason, count) in from {
        *into.entry(reason).or_default() += count;
    }
}

fn internal(error: impl ToString) -> Failure {
    Failure::new(Exit::Internal, error.to_string())
}
