//! The rules a second time, in plain Rust, from the wording of `packs/base` and `docs/policy.md`; nothing
//! of the policy engine is used.

use mimamori_domain::{ActorId, InstitutionId, ObjectId, RecordState, SubjectId, Timestamp};

/// A class of `packs/base/classes.yaml`: its FHIR type here, who reads it, what else holds.
pub struct Class {
    pub code: &'static str,
    pub kind: &'static str,
    pub readers: &'static [&'static str],
    pub place: bool,
}

const CLINICAL: &[&str] = &["doctor", "nurse", "pharmacist"];
const MEDICAL_AND_CARE: &[&str] = &["doctor", "nurse", "pharmacist", "care-manager", "helper"];
const NOT_HELPERS: &[&str] = &["doctor", "nurse", "pharmacist", "care-manager"];

/// Classes that the person reads too (all of these) and that are not needed for registration.
pub const CLASSES: [Class; 6] = [
    Class { code: "vital-signs", kind: "Observation", readers: MEDICAL_AND_CARE, place: false },
    Class { code: "laboratory", kind: "Observation", readers: CLINICAL, place: false },
    Class { code: "note", kind: "Communication", readers: MEDICAL_AND_CARE, place: false },
    Class { code: "allergy", kind: "AllergyIntolerance", readers: MEDICAL_AND_CARE, place: false },
    Class { code: "condition", kind: "Condition", readers: NOT_HELPERS, place: false },
    Class {
        code: "visit",
        kind: "Encounter",
        readers: &["doctor", "nurse", "pharmacist", "care-manager", "helper", "clerk"],
        place: true,
    },
];

pub const FINDS_PEOPLE: &[&str] = &["doctor", "nurse", "pharmacist", "care-manager", "clerk", "city-officer"];
pub const BREAKS_GLASS: &[&str] = &["doctor", "nurse"];

/// Somebody who asks.
#[derive(Debug, Clone)]
pub struct User {
    pub actor: ActorId,
    /// `None` for citizen users.
    pub occupation: Option<&'static str>,
    pub institution: Option<InstitutionId>,
}

#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub from: Timestamp,
    pub until: Option<Timestamp>,
}

impl Span {
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

#[derive(Debug, Clone)]
pub struct Member {
    pub actor: Option<ActorId>,
    pub institution: Option<InstitutionId>,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Agreement {
    pub id: ObjectId,
    pub permit: bool,
    pub class: Option<&'static str>,
    pub institution: Option<InstitutionId>,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub struct Record {
    pub id: ObjectId,
    pub class: usize,
    pub institution: InstitutionId,
    pub author: ActorId,
    pub state: RecordState,
    pub version: u64,
}

#[derive(Debug, Clone)]
pub struct Person {
    pub subject: SubjectId,
    pub registered_by: InstitutionId,
    pub own: Option<ActorId>,
    pub proxies: Vec<(ActorId, Span)>,
    pub team: Vec<Member>,
    pub agreements: Vec<Agreement>,
    pub protected: bool,
    pub emergencies: Vec<(ActorId, Timestamp)>,
    pub records: Vec<Record>,
}

/// What one look is about: a record, or the person's own Patient.
pub struct Label<'a> {
    pub code: &'a str,
    pub place: bool,
    pub registration: bool,
    pub readers: Option<&'a [&'a str]>,
    pub institution: InstitutionId,
    pub state: RecordState,
    pub author: Option<ActorId>,
}

pub fn of_record(record: &Record) -> Label<'static> {
    let class = &CLASSES[record.class];
    Label {
        code: class.code,
        place: class.place,
        registration: false,
        readers: Some(class.readers),
        institution: record.institution,
        state: record.state,
        author: Some(record.author),
    }
}

/// The Patient: basic information, which every occupation reads.
pub fn of_patient(person: &Person) -> Label<'static> {
    Label {
        code: "basic",
        place: false,
        registration: true,
        readers: None,
        institution: person.registered_by,
        state: RecordState::Confirmed,
        author: None,
    }
}

/// Whether somebody may see something of a person now.
pub fn may_see(user: &User, person: &Person, label: &Label<'_>, now: Timestamp) -> bool {
    let own_institution = user.institution == Some(label.institution);
    // Places and visits of a person under protection: only the institution that answers for them.
    if person.protected && label.place && !own_institution {
        return false;
    }
    let finished = matches!(label.state, RecordState::Confirmed | RecordState::Amended);
    let Some(occupation) = user.occupation else {
        // The person sees confirmed records; proxies the same, but nothing under protection.
        let own = person.own == Some(user.actor);
        let proxy = person.proxies.iter().any(|(actor, span)| *actor == user.actor && span.holds(now));
        return finished && (own || (proxy && !person.protected));
    };
    let handles = label.readers.is_none_or(|readers| readers.contains(&occupation));
    if label.state == RecordState::Draft {
        return handles && own_institution && label.author == Some(user.actor);
    }
    let emergency = BREAKS_GLASS.contains(&occupation)
        && person.emergencies.iter().any(|(actor, until)| *actor == user.actor && now < *until);
    if handles && own_institution {
        return true;
    }
    if emergency && finished {
        return true;
    }
    let agreed = |permit: bool| {
        person.agreements.iter().any(|agreement| {
            agreement.permit == permit
                && agreement.span.holds(now)
                && agreement.class.is_none_or(|class| class == label.code)
                && agreement.institution.is_none_or(|institution| user.institution == Some(institution))
        })
    };
    // A denial outweighs any number of consents, and the claim of who registered the person; an
    // emergency outweighs it.
    if !handles || (agreed(false) && !emergency) {
        return false;
    }
    if label.registration && user.institution == Some(person.registered_by) {
        return true;
    }
    let in_team = person.team.iter().any(|member| {
        member.span.holds(now)
            && member.actor.is_none_or(|actor| actor == user.actor)
            && member.institution.is_none_or(|institution| user.institution == Some(institution))
    });
    in_team && agreed(true) && !agreed(false)
}
