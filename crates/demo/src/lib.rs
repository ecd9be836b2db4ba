//! A made-up Japanese city: its institutions, their staff, its people and half a year of their
//! care, for demonstrations, tests and load measurements.
//!
//! Everything follows from [`Options`]: no clock, no randomness but the seed's, no I/O. The same
//! seed, number of people, day, history length and density give the same bytes on every machine.
//! The lists of names, illnesses, medicines and phrases are this crate's data files; no person,
//! place, institution or number in them is meant to be a real one.
//!
//! Resources are FHIR R4 (4.0.1) JSON without an `id`. A reference to the person themself is the
//! text [`SUBJECT`], which whoever stores the resource replaces.

mod background;
mod city;
mod course;
mod day;
mod directory;
mod history;
mod household;
mod json;
mod paper;
mod papers;
mod people;
mod phrase;
mod profile;
mod random;
mod record;
pub mod rules;
mod table;

use mimamori_domain::{ClassCode, Kind, OccupationCode, RoleCode, Timestamp};

pub use city::{city, colleagues, typical_sign_ins};
pub use paper::{DemoFile, can_be_set};
pub use people::people;

/// The reference that stands for the person a resource is about, until they have an identifier.
pub const SUBJECT: &str = "Patient/{subject}";

/// The reference that stands for the note which a note answers ([`DemoResource::answers`]), until that has
/// an identifier.
pub const ANSWERED: &str = "Communication/{answered}";

/// The reference that stands for a staff member, by their key, until they have an identifier.
#[must_use]
pub fn staff_reference(key: &str) -> String {
    format!("Practitioner/{{{key}}}")
}

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Another seed is another city.
    pub seed: u64,
    /// How many people the city's network cares for.
    pub people: u32,
    /// When "now" is. Nothing is recorded later than this.
    pub today: Timestamp,
    /// How many days of history to make, up to `today`.
    pub days: u32,
    /// In how many of the last days everything is noted about people after the first [`Options::close`]
    /// ones; before, only what their doctor notes every other month.
    pub others_days: u32,
    /// Of how many people every note of the whole history is there.
    pub close: u32,
    /// How much to write about each person.
    pub density: Density,
}

impl Options {
    /// In how many of the last days everything is noted about a person, by their place among the people,
    /// from 1.
    pub(crate) fn full_days_of(&self, number: u32) -> u32 {
        if number <= self.close { self.days } else { self.days.min(self.others_days) }
    }

    /// A demonstration city of `people`, with a history of 180 days and full notes.
    #[must_use]
    pub const fn demo(seed: u64, people: u32, today: Timestamp) -> Self {
        Self { seed, people, today, days: 180, others_days: 180, close: people, density: Density::Demo }
    }

    /// A city for measuring load: a few small resources per person.
    #[must_use]
    pub const fn bench(seed: u64, people: u32, today: Timestamp) -> Self {
        Self { seed, people, today, days: 180, others_days: 180, close: people, density: Density::Bench }
    }
}

/// How much to write about each person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Density {
    /// Full histories with notes of every occupation.
    Demo,
    /// A few small resources per person.
    Bench,
}

/// The city without its people, who come from [`people`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct City {
    pub name_ja: String,
    pub name_en: String,
    pub institutions: Vec<Institution>,
    pub staff: Vec<Staff>,
}

/// What kind of place an institution is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstitutionKind {
    /// 病院
    Hospital,
    /// 診療所, medical or dental
    Clinic,
    /// 薬局
    Pharmacy,
    /// 訪問看護ステーション
    VisitingNurseStation,
    /// 通所介護などの事業所
    CareOffice,
    /// 居宅介護支援事業所
    CareManagerOffice,
    /// 訪問介護事業所
    HomeHelp,
    /// 市役所の課
    CityOffice,
}

impl InstitutionKind {
    pub const ALL: [Self; 8] = [
        Self::Hospital,
        Self::Clinic,
        Self::Pharmacy,
        Self::VisitingNurseStation,
        Self::CareOffice,
        Self::CareManagerOffice,
        Self::HomeHelp,
        Self::CityOffice,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hospital => "hospital",
            Self::Clinic => "clinic",
            Self::Pharmacy => "pharmacy",
            Self::VisitingNurseStation => "visiting-nurse-station",
            Self::CareOffice => "care-office",
            Self::CareManagerOffice => "care-manager-office",
            Self::HomeHelp => "home-help",
            Self::CityOffice => "city-office",
        }
    }
}

/// An institution (利用機関).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Institution {
    /// Names it within this city and stays the same for a seed: `clinic-2`.
    pub key: String,
    pub name_ja: String,
    pub name_en: String,
    pub kind: InstitutionKind,
    /// FHIR R4 Organization as JSON, without `id`.
    pub organization: String,
}

/// Somebody who works for an institution (業務利用者).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staff {
    /// Names them within this city: `staff-012`.
    pub key: String,
    /// What they sign in with; unique within the city.
    pub login: String,
    pub family: String,
    pub given: String,
    /// Full-width katakana.
    pub kana_family: String,
    /// Full-width katakana.
    pub kana_given: String,
    /// Given name first, in Latin letters.
    pub name_en: String,
    pub occupation: OccupationCode,
    /// Key of the institution they work for.
    pub institution: String,
    /// Duties they are appointed to, often none.
    pub roles: Vec<RoleCode>,
}

/// A person of the city (対象者) with everything recorded about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Names them within this city: `person-00012`.
    pub key: String,
    /// FHIR R4 Patient as JSON, without `id`.
    pub patient: String,
    /// Key of the institution that registered them.
    pub registered_by: String,
    pub related: Vec<Related>,
    /// The care team (支援チーム).
    pub team: Vec<TeamMember>,
    pub consents: Vec<ConsentSpec>,
    /// Abuse or domestic violence: proxies' access, places and visits are withheld.
    pub protection_flag: bool,
    /// What they sign in with, when they have an account.
    pub citizen_login: Option<String>,
    /// In order of `at`.
    pub resources: Vec<DemoResource>,
}

/// Somebody close to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    /// FHIR R4 RelatedPerson as JSON, without `id`; `patient` is [`SUBJECT`].
    pub related_person: String,
    /// Whether they may speak for the person (代諾者).
    pub is_proxy: bool,
    /// What they sign in with, when they have an account.
    pub login: Option<String>,
}

/// A member of a care team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TeamMember {
    /// Key of a staff member.
    Staff(String),
    /// Key of an institution, all of whose care staff belong.
    Institution(String),
}

/// A consent, or its refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentSpec {
    pub permit: bool,
    /// Of one information class only; `None` is all.
    pub class: Option<ClassCode>,
    /// For one institution (its key) only; `None` is all.
    pub institution: Option<String>,
}

/// One record about a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoResource {
    /// FHIR R4 JSON without `id`; references to the person are [`SUBJECT`].
    pub fhir: String,
    /// The FHIR resource type.
    pub kind: Kind,
    /// The information class of the `base` pack it belongs to.
    pub class: ClassCode,
    /// Key of the staff member who recorded it.
    pub author: String,
    /// When it was recorded: within the history, never after `today`.
    pub at: Timestamp,
    /// Files that it names, each by an Attachment whose `url` is `Binary/{file-0}`, `Binary/{file-1}`
    /// and so on, which whoever stores them replaces.
    pub files: Vec<DemoFile>,
    /// Of a note: its number among the person's notes.
    pub note: Option<u32>,
    /// Of a note that answers another by [`ANSWERED`]: the number of the other.
    pub answers: Option<u32>,
}

/// A sign-in worth showing somebody who sees the program for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typical {
    pub login: String,
    pub who_ja: String,
    pub who_en: String,
}
