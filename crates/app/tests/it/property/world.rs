//! A site, what happens in it, and what is true in it according to what was done.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use mimamori_app::{Caller, CreateAs};
use mimamori_domain::{ActorId, Clock, InstitutionId, Kind, SubjectId, Timestamp};
use proptest::prelude::*;

use super::rules::{Agreement, BREAKS_GLASS, CLASSES, Member, Person, Record, Span, User};
use crate::support::{PASSWORD, Site};

/// One thing that happens. Numbers choose among what there is.
#[derive(Debug, Clone)]
pub enum Happening {
    Register { by: usize },
    Join { person: usize, user: usize, as_institution: bool },
    Leave { person: usize, member: usize },
    Agree { person: usize, permit: bool, class: usize, institution: usize },
    Withdraw { person: usize, agreement: usize },
    Speak { person: usize, citizen: usize, minutes: u64 },
    Protect { person: usize, on: bool },
    Emergency { person: usize, user: usize },
    Write { person: usize, user: usize, class: usize, draft: bool },
    Confirm { person: usize, record: usize },
    Amend { person: usize, record: usize },
    Annul { person: usize, record: usize },
    Pass { minutes: u64 },
}

pub fn happening() -> impl Strategy<Value = Happening> {
    let n = 0_usize..64;
    prop_oneof![
        1 => n.clone().prop_map(|by| Happening::Register { by }),
        8 => (n.clone(), n.clone(), any::<bool>())
            .prop_map(|(person, user, as_institution)| Happening::Join { person, user, as_institution }),
        1 => (n.clone(), n.clone()).prop_map(|(person, member)| Happening::Leave { person, member }),
        8 => (n.clone(), prop::bool::weighted(0.7), n.clone(), n.clone())
            .prop_map(|(person, permit, class, institution)| Happening::Agree { person, permit, class, institution }),
        1 => (n.clone(), n.clone()).prop_map(|(person, agreement)| Happening::Withdraw { person, agreement }),
        1 => (n.clone(), n.clone(), 0_u64..40)
            .prop_map(|(person, citizen, minutes)| Happening::Speak { person, citizen, minutes }),
        2 => (n.clone(), prop::bool::weighted(0.7)).prop_map(|(person, on)| Happening::Protect { person, on }),
        2 => (n.clone(), n.clone()).prop_map(|(person, user)| Happening::Emergency { person, user }),
        16 => (n.clone(), n.clone(), n.clone(), prop::bool::weighted(0.25))
            .prop_map(|(person, user, class, draft)| Happening::Write { person, user, class, draft }),
        1 => (n.clone(), n.clone()).prop_map(|(person, record)| Happening::Confirm { person, record }),
        1 => (n.clone(), n.clone()).prop_map(|(person, record)| Happening::Amend { person, record }),
        1 => (n.clone(), n.clone()).prop_map(|(person, record)| Happening::Annul { person, record }),
        1 => (1_u64..9).prop_map(|minutes| Happening::Pass { minutes }),
    ]
}

/// The site, and what is true in it according to what was done. Cases add to one another's people.
pub struct World {
    pub site: Site,
    pub institutions: Vec<InstitutionId>,
    pub staff: Vec<User>,
    pub citizens: Vec<User>,
    /// Sign-in name and session of everybody.
    pub sessions: Mutex<BTreeMap<ActorId, (String, String)>>,
    pub people: Vec<Person>,
}

const STAFF: [(&str, usize); 8] = [
    ("doctor", 0),
    ("nurse", 0),
    ("clerk", 0),
    ("doctor", 1),
    ("care-manager", 1),
    ("helper", 2),
    ("pharmacist", 2),
    ("city-officer", 2),
];

impl World {
    pub async fn new() -> Self {
        let site = Site::new().await;
        let mut institutions = Vec::new();
        for name in ["病院", "居宅介護支援事業所", "訪問介護事業所"] {
            institutions.push(site.institution(name).await);
        }
        let (mut staff, mut citizens, mut sessions) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (at, (occupation, place)) in STAFF.into_iter().enumerate() {
            let login = format!("staff{at}");
            let actor = site.staff(&login, Some(occupation), institutions[place], &[]).await;
            staff.push(User { actor, occupation: Some(occupation), institution: Some(institutions[place]) });
            sessions.insert(actor, (login, String::new()));
        }
        let mut world = Self {
            site,
            institutions,
            staff,
            citizens: Vec::new(),
            sessions: Mutex::new(sessions),
            people: Vec::new(),
        };
        // The first person has an account; so has somebody who may become a proxy.
        world.happen(&Happening::Register { by: 0 }).await;
        let operator = world.site.operator();
        for (login, own) in [("citizen0", Some(world.people[0].subject)), ("citizen1", None)] {
            let actor = world.site.app.add_citizen(&operator, login, login, PASSWORD, own).await.unwrap();
            if own.is_some() {
                world.people[0].own = Some(actor);
            }
            citizens.push(User { actor, occupation: None, institution: None });
            world.sessions.lock().unwrap().insert(actor, (login.to_owned(), String::new()));
        }
        world.citizens = citizens;
        world
    }

    pub fn now(&self) -> Timestamp {
        self.site.clock.now()
    }

    /// Somebody signed in; again, when their session was idle for too long.
    pub async fn caller(&self, user: &User) -> Caller {
        let origin = mimamori_app::Origin::default();
        let (login, token) = self.sessions.lock().unwrap()[&user.actor].clone();
        if let Ok(caller) = self.site.app.caller(&token, &origin).await {
            return caller;
        }
        let token = self.site.app.sign_in(&login, PASSWORD, &origin).await.unwrap().token;
        let caller = self.site.app.caller(&token, &origin).await.unwrap();
        self.sessions.lock().unwrap().insert(user.actor, (login, token));
        caller
    }

    pub fn user(&self, number: usize) -> User {
        self.staff.iter().chain(&self.citizens).nth(number % self.users()).unwrap().clone()
    }

    /// How many users there are.
    pub fn users(&self) -> usize {
        self.staff.len() + self.citizens.len()
    }

    /// Mostly the people of the present case, who stand last; now and then the first one of all.
    pub fn person(&self, number: usize) -> usize {
        let recent = self.people.len().min(2);
        if number % 6 == 5 { 0 } else { self.people.len() - 1 - number % recent }
    }

    pub async fn happen(&mut self, happening: &Happening) {
        let operator = self.site.operator();
        let now = self.now();
        let app = std::sync::Arc::clone(&self.site.app);
        match *happening {
            Happening::Register { by } => {
                // Doctors, nurses and clerks register.
                let by = self.staff[by % 4].clone();
                let caller = self.caller(&by).await;
                let subject = self.site.person(&caller, "乱数", &format!("{}", self.people.len())).await;
                self.people.push(Person {
                    subject,
                    registered_by: by.institution.unwrap(),
                    own: None,
                    proxies: Vec::new(),
                    team: Vec::new(),
                    agreements: Vec::new(),
                    protected: false,
                    emergencies: Vec::new(),
                    records: Vec::new(),
                });
            }
            Happening::Join { person, user, as_institution } => {
                let person = self.person(person);
                let user = self.staff[user % self.staff.len()].clone();
                let (actor, institution) =
                    if as_institution { (None, user.institution) } else { (Some(user.actor), None) };
                let person = &mut self.people[person];
                app.add_team_member(&operator, person.subject, actor, institution).await.unwrap();
                person.team.push(Member { actor, institution, span: Span { from: now, until: None } });
            }
            Happening::Leave { person, member } => {
                let person = self.person(person);
                let person = &mut self.people[person];
                let open: Vec<usize> =
                    (0..person.team.len()).filter(|at| person.team[*at].span.until.is_none()).collect();
                let Some(at) = open.get(member % open.len().max(1)) else { return };
                let Member { actor, institution, .. } = person.team[*at].clone();
                app.end_team_member(&operator, person.subject, actor, institution).await.unwrap();
                // All of the same member end; FHIR's periods include their end.
                let end = now.plus(Duration::from_micros(1));
                for member in &mut person.team {
                    if (member.actor, member.institution) == (actor, institution)
                        && member.span.until.is_none()
                    {
                        member.span.until = Some(end);
                    }
                }
                self.site.clock.advance(Duration::from_secs(2));
            }
            Happening::Agree { person, permit, class, institution } => {
                let person = self.person(person);
                let class =
                    [None, None, Some("note"), Some("vital-signs"), Some("basic"), Some("visit")][class % 6];
                let place = institution % (self.institutions.len() + 1);
                let institution = self.institutions.get(place).copied();
                let code = class.map(|class| class.parse().unwrap());
                let person = &mut self.people[person];
                let id = app.add_consent(&operator, person.subject, permit, code, institution).await.unwrap();
                let span = Span { from: now, until: None };
                person.agreements.push(Agreement { id, permit, class, institution, span });
            }
            Happening::Withdraw { person, agreement } => {
                let person = self.person(person);
                let person = &mut self.people[person];
                let count = person.agreements.len();
                let Some(agreement) = person.agreements.get_mut(agreement % count.max(1)) else { return };
                app.withdraw_consent(&operator, person.subject, agreement.id).await.unwrap();
                agreement.span.until = Some(now);
            }
            Happening::Speak { person, citizen, minutes } => {
                let person = self.person(person);
                let citizen = self.citizens[citizen % self.citizens.len()].actor;
                let until = (minutes > 0).then(|| now.plus(Duration::from_secs(minutes * 60)));
                let person = &mut self.people[person];
                app.add_proxy(&operator, person.subject, citizen, until).await.unwrap();
                person.proxies.push((citizen, Span { from: now, until }));
            }
            Happening::Protect { person, on } => {
                let person = self.person(person);
                let person = &mut self.people[person];
                app.set_protection(&operator, person.subject, on).await.unwrap();
                person.protected = on;
            }
            Happening::Emergency { person, user } => {
                let person = self.person(person);
                let user = self.staff[user % self.staff.len()].clone();
                let caller = self.caller(&user).await;
                let declared = app.break_glass(&caller, self.people[person].subject, "意識がないため").await;
                let may = BREAKS_GLASS.contains(&user.occupation.unwrap());
                assert_eq!(declared.is_ok(), may, "{declared:?}");
                if let Ok(until) = declared {
                    self.people[person].emergencies.push((user.actor, until));
                }
            }
            Happening::Write { person, user, class, draft } => {
                let person = self.person(person);
                let user = self.staff[user % self.staff.len()].clone();
                let class = class % CLASSES.len();
                let caller = self.caller(&user).await;
                let text = resource(class, self.people[person].subject);
                let how = if draft { CreateAs::Draft } else { CreateAs::Confirmed };
                // Whether they may write is not the question here.
                if let Ok(kept) = app.create(&caller, text.into(), how).await {
                    assert_eq!(kept.class.as_str(), CLASSES[class].code);
                    self.people[person].records.push(Record {
                        id: kept.id,
                        class,
                        institution: user.institution.unwrap(),
                        author: user.actor,
                        state: kept.state,
                        version: 1,
                    });
                }
            }
            Happening::Confirm { person, record } => self.step(person, record, Step::Confirm).await,
            Happening::Amend { person, record } => self.step(person, record, Step::Amend).await,
            Happening::Annul { person, record } => self.step(person, record, Step::Annul).await,
            Happening::Pass { minutes } => self.site.clock.advance(Duration::from_secs(minutes * 60)),
        }
    }

    /// A step in a record's life, by its author.
    async fn step(&mut self, person: usize, record: usize, step: Step) {
        let person = self.person(person);
        let count = self.people[person].records.len();
        if count == 0 {
            return;
        }
        let record = record % count;
        let Record { id, class, author, version, .. } = self.people[person].records[record].clone();
        let author = self.staff.iter().find(|user| user.actor == author).unwrap().clone();
        let caller = self.caller(&author).await;
        let kind = Kind::of(CLASSES[class].kind);
        let app = &self.site.app;
        let done = match step {
            Step::Confirm => app.confirm(&caller, &kind, id, version).await,
            Step::Amend => {
                let text = resource(class, self.people[person].subject);
                app.update(&caller, &kind, id, text.into(), version).await
            }
            Step::Annul => app.withdraw(&caller, &kind, id, version, "取り違え").await,
        };
        if let Ok(kept) = done {
            let record = &mut self.people[person].records[record];
            record.state = kept.state;
            record.version = kept.version;
        }
    }
}

#[derive(Clone, Copy)]
enum Step {
    Confirm,
    Amend,
    Annul,
}

/// A FHIR resource of a class.
fn resource(class: usize, subject: SubjectId) -> String {
    let about = format!(r#""subject":{{"reference":"Patient/{subject}"}}"#);
    let observation = |category: &str, code: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final","category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"{category}"}}]}}],"code":{{"coding":[{{"system":"http://loinc.org","code":"{code}"}}]}},{about},"effectiveDateTime":"2026-11-20T10:00:00+09:00","valueString":"x"}}"#
        )
    };
    match CLASSES[class].code {
        "vital-signs" => crate::support::observation(subject, "36.5"),
        "laboratory" => observation("laboratory", "718-7"),
        "note" => crate::support::note(subject, "様子"),
        "allergy" => format!(
            r#"{{"resourceType":"AllergyIntolerance","clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical","code":"active"}}]}},"code":{{"text":"卵"}},"patient":{{"reference":"Patient/{subject}"}}}}"#
        ),
        "condition" => format!(
            r#"{{"resourceType":"Condition","clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"active"}}]}},"code":{{"text":"高血圧"}},{about}}}"#
        ),
        "visit" => crate::support::encounter(subject),
        other => panic!("{other}"),
    }
}
