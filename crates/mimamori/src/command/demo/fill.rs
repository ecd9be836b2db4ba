//! Fills an empty installation with the made-up city, through the use cases.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use indicatif::ProgressBar;
use mimamori_app::{App, Caller, CreateAs, NewStaff, Origin};
use mimamori_demo::{City, Options, Person, Related, SUBJECT, Staff, TeamMember, city, people};
use mimamori_domain::{ActorId, Error, ErrorKind, InstitutionId, SubjectId};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::PASSWORD;
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
}

/// What people's records refer to.
struct Directory {
    institutions: HashMap<String, InstitutionId>,
    staff: HashMap<String, Member>,
    /// Who registers people at an institution, by its key.
    registrars: HashMap<String, String>,
}

/// A staff member, signed in.
struct Member {
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
    /// Fills everything.
    ///
    /// # Errors
    /// When something fails that concerns more than one record.
    pub async fn run(self) -> Result<LeftOut> {
        let city = city(&self.options);
        let mut left_out = LeftOut::new();
        let directory = Arc::new(self.directory(&city).await?);
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

    async fn directory(&self, city: &City) -> Result<Directory> {
        let bar =
            self.console.bar((city.institutions.len() + city.staff.len()) as u64, "institutions, staff");
        let mut institutions = HashMap::new();
        for institution in &city.institutions {
            let id = self.app.add_institution(&self.operator, &institution.organization).await?;
            institutions.insert(institution.key.clone(), id);
            bar.inc(1);
        }
        let staff = self.staff(city, &institutions, &bar).await?;
        bar.finish_and_clear();
        let mut registrars = HashMap::new();
        for occupation in REGISTRARS {
            for member in city.staff.iter().filter(|member| member.occupation.as_str() == *occupation) {
                registrars.entry(member.institution.clone()).or_insert_with(|| member.key.clone());
            }
        }
        Ok(Directory { institutions, staff, registrars })
    }

    async fn staff(
        &self,
        city: &City,
        institutions: &HashMap<String, InstitutionId>,
        bar: &ProgressBar,
    ) -> Result<HashMap<String, Member>> {
        let seats = Arc::new(Semaphore::new(CONCURRENT_ACCOUNTS));
        let mut running = JoinSet::new();
        for member in &city.staff {
            let account = new_staff(member, institutions.get(&member.institution).copied());
            let (app, operator, key) = (Arc::clone(&self.app), self.operator.clone(), member.key.clone());
            let seats = Arc::clone(&seats);
            running.spawn(async move {
                let _seat = seats.acquire_owned().await.map_err(internal)?;
                let actor = app.add_staff(&operator, &account).await?;
                let signed_in = app.sign_in(&account.login, PASSWORD, &Origin::default()).await?;
                Ok::<_, Failure>((key, Member { actor, token: signed_in.token }))
            });
        }
        let mut staff = HashMap::new();
        while let Some(done) = running.join_next().await {
            let (key, member) = done.map_err(internal)??;
            staff.insert(key, member);
            bar.inc(1);
        }
        Ok(staff)
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
        roles: member.roles.clone(),
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

/// What the rules or the validation refuse concerns one record; anything else concerns all.
fn keep_going(result: Result<(), Error>, left_out: &mut LeftOut) -> Result<()> {
    match result {
        Ok(()) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::Invalid) => {
            let faults: Vec<String> =
                error.faults().iter().map(|fault| format!("{}: {}", fault.place, fault.rule)).collect();
            *left_out.entry(format!("{} {}", error.message(), faults.join("; "))).or_default() += 1;
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn merge(into: &mut LeftOut, from: LeftOut) {
    for (reason, count) in from {
        *into.entry(reason).or_default() += count;
    }
}

fn internal(error: impl ToString) -> Failure {
    Failure::new(Exit::Internal, error.to_string())
}
