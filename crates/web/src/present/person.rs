//! A person as they must be recognised: name, kana, age, birth date, sex.

use jiff::civil::Date;
use mimamori_app::Stored;
use mimamori_domain::SubjectId;
use mimamori_fhir::Value;

use super::element::{self, human_name};
use super::read;
use crate::dates;
use crate::language::Texts;

/// How a name is written (FHIR extension iso21090-EN-representation, as JP Core uses it).
const REPRESENTATION: &str = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation";

/// Who a page or a row is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct Person {
    pub(crate) page: String,
    pub(crate) name: String,
    /// The sign that the name begins with; empty for who has no name.
    pub(crate) initial: String,
    pub(crate) kana: Option<String>,
    pub(crate) age: Option<String>,
    pub(crate) birth: Option<String>,
    pub(crate) sex: Option<String>,
}

impl Person {
    /// From the person's FHIR Patient.
    pub(crate) fn of(subject: SubjectId, patient: &Stored, today: Date, texts: &Texts) -> Self {
        let page = format!("/people/{subject}");
        let unnamed = || texts.get("person-unnamed");
        let Some(resource) = read(patient) else {
            return Self { page, name: unnamed(), ..Self::default() };
        };
        let root = resource.root();
        let (name, kana) = names(root);
        let birth = root.string("birthDate");
        Self {
            page,
            initial: name.as_deref().map(initial).unwrap_or_default(),
            name: name.unwrap_or_else(unnamed),
            kana,
            age: birth.and_then(|b| dates::age(b, today, texts)),
            birth: birth.and_then(|b| dates::birth_date(b, texts)),
            sex: root.string("gender").map(|g| element::code(&format!("gender-{g}"), texts)),
        }
    }
}

/// The first sign of a name: a character with what changes its shape (variation selectors, combining marks).
fn initial(name: &str) -> String {
    let changes = |c: &char| matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' | '\u{300}'..='\u{36f}' | '\u{3099}' | '\u{309a}' | '\u{ff9e}' | '\u{ff9f}');
    let mut signs = name.trim_start().chars();
    let first = signs.next().filter(|c| c.is_alphanumeric());
    first.into_iter().chain(signs.take_while(changes)).collect()
}

/// The name in use as written, and its kana. Old and temporary names are passed over while there
/// is another.
fn names(patient: Value<'_>) -> (Option<String>, Option<String>) {
    let mut named: Vec<(bool, Option<&str>, String)> = patient
        .items("name")
        .filter_map(|name| {
            let former = matches!(name.string("use"), Some("old" | "maiden" | "temp"));
            Some((former, representation(name), human_name(name)?))
        })
        .collect();
    named.sort_by_key(|(former, ..)| *former);
    let kana = |(_, how, text): &&(bool, Option<&str>, String)| match how {
        Some(how) => *how == "SYL",
        None => is_kana(text),
    };
    let written = named.iter().find(|n| n.1 == Some("IDE"));
    let written = written.or_else(|| named.iter().find(|n| !kana(n))).or(named.first());
    let spoken = named.iter().find(kana).filter(|s| Some(*s) != written);
    (written.map(|n| n.2.clone()), spoken.map(|n| n.2.clone()))
}

fn representation(name: Value<'_>) -> Option<&str> {
    let extension = name.items("extension").find(|e| e.string("url") == Some(REPRESENTATION))?;
    extension.string("valueCode")
}

fn is_kana(text: &str) -> bool {
    let kana = |c: char| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{ff66}'..='\u{ff9f}' | ' ' | '\u{3000}');
    !text.is_empty() && text.chars().all(kana)
}

/// Allergies in short, for the heading that guards against mix-ups.
pub(crate) fn allergies(records: &[Stored], texts: &Texts) -> Vec<Allergy> {
    let mut shown: Vec<Allergy> = records
        .iter()
        .filter_map(|record| {
            let resource = read(record)?;
            let root = resource.root();
            let status = root.get("clinicalStatus").and_then(|s| s.items("coding").next());
            if matches!(status.and_then(|c| c.string("code")), Some("inactive" | "resolved")) {
                return None;
            }
            let what = root.get("code").and_then(|c| element::concept(c, texts));
            Some(Allergy {
                what: what.unwrap_or_else(|| texts.get("allergy-unnamed")),
                severe: root.string("criticality") == Some("high"),
            })
        })
        .collect();
    shown.sort_by_key(|a| !a.severe);
    shown
}

/// One allergy or intolerance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allergy {
    pub(crate) what: String,
    /// FHIR criticality `high`.
    pub(crate) severe: bool,
}
