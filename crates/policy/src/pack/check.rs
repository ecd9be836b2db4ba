//! What the YAML files must say to be a pack, beyond their shape.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use mimamori_domain::{CodeError, Kind, OccupationCode, RoleCode};

use super::files::{ClassesFile, Located, OccupationsFile, PackFile, ParameterRow, RolesFile};
use super::load::Problems;
use super::parameters::{REQUIRED, Shape};
use super::{Class, Occupation, Parameter, ParameterValue, Role, RoleScope, Thing, Zone};
use crate::text::{Language, Text};

/// Roles and occupations are kept as bits of a 64-bit word when deciding.
const MOST_ROWS: usize = 64;
/// Classes and things are counted with 16 bits; nobody needs so many.
const MOST_CLASSES: usize = 1_000;

/// What `pack.yaml` says.
pub(super) struct Head {
    pub id: String,
    pub name: Text,
    pub parameters: BTreeMap<String, Parameter>,
    pub zones: Vec<Zone>,
}

pub(super) fn pack(file: PackFile, path: &str, problems: &mut Problems) -> Head {
    let mut at = At { path, problems };
    let line = file.id.referenced.line();
    let _: Option<RoleCode> = at.code(&file.id, "pack id");
    let name = at.words(line, &file.id.value, file.ja, file.en);
    for language in &file.languages {
        if !Language::ALL.iter().any(|l| l.tag() == language.value) {
            at.problem(language, format!("no language {:?}; ja and en are known", language.value));
        }
    }
    for needed in Language::ALL {
        if !file.languages.iter().any(|l| l.value == needed.tag()) {
            at.problems.add(path, line, format!("languages lack {}", needed.tag()));
        }
    }
    let mut seen = Seen::new("zone");
    let zones = file.zones.into_iter().filter_map(|row| {
        let code = seen.code(&row.code, &mut at)?;
        let name = at.words(row.code.referenced.line(), &row.code.value, row.ja, row.en);
        Some(Zone { code, name })
    });
    let zones = zones.collect();
    let parameters = parameters(file.parameters, &mut at);
    Head { id: file.id.value, name, parameters, zones }
}

fn parameters(rows: Vec<ParameterRow>, at: &mut At<'_>) -> BTreeMap<String, Parameter> {
    let mut parameters = BTreeMap::new();
    for row in rows {
        let line = row.key.referenced.line();
        let help = at.words(line, &row.key.value, row.ja.clone(), row.en.clone());
        let form = row
            .key
            .value
            .split_once('.')
            .is_some_and(|(area, name)| RoleCode::new(area).is_ok() && RoleCode::new(name).is_ok());
        if !form {
            at.problem(&row.key, format!("parameter key {:?} is not of the form area.name", row.key.value));
        }
        for fault in faults(&row) {
            at.problem(&row.key, format!("parameter {}: {fault}", row.key.value));
        }
        let key = row.key.value.clone();
        let parameter = Parameter {
            key: key.clone(),
            value: Some(row.value),
            must_set: false,
            least: row.least,
            most: row.most,
            help,
            clauses: Vec::new(),
        };
        if parameters.insert(key.clone(), parameter).is_some() {
            at.problem(&row.key, format!("parameter {key} stands twice"));
        }
    }
    for (key, shape) in REQUIRED {
        match parameters.get(*key).and_then(|p| p.value.as_ref()).map(shape_of) {
            Some(found) if found == *shape => {}
            Some(found) => {
                at.problems.add(at.path, 0, format!("parameter {key} is a {found:?}, a {shape:?} is needed"));
            }
            None => at.problems.add(at.path, 0, format!("parameter {key} is missing")),
        }
    }
    // The evidence must outlive what it is evidence of.
    let years = |key: &str| match parameters.get(key).and_then(|p| p.value.as_ref()) {
        Some(ParameterValue::Number(years)) => Some(*years),
        _ => None,
    };
    let (ledger, records) =
        (years(super::parameters::RETENTION_LEDGER_YEARS), years(super::parameters::RETENTION_RECORDS_YEARS));
    if ledger.zip(records).is_some_and(|(ledger, records)| ledger < records) {
        at.problems.add(at.path, 0, "the ledger is kept for fewer years than the records");
    }
    parameters
}

fn shape_of(value: &ParameterValue) -> Shape {
    match value {
        ParameterValue::Switch(_) => Shape::Switch,
        ParameterValue::Number(_) => Shape::Number,
        ParameterValue::Numbers(_) => Shape::Numbers,
        ParameterValue::Text(_) => Shape::Text,
    }
}

fn faults(row: &ParameterRow) -> Vec<String> {
    let numbers: &[u64] = match &row.value {
        ParameterValue::Switch(_) | ParameterValue::Text(_) => &[],
        ParameterValue::Number(number) => std::slice::from_ref(number),
        ParameterValue::Numbers(numbers) if numbers.is_empty() => {
            return vec!["the list is empty".into()];
        }
        ParameterValue::Numbers(numbers) => numbers,
    };
    let mut faults = Vec::new();
    let (least, most) = (row.least.unwrap_or(0), row.most.unwrap_or(u64::MAX));
    for number in numbers.iter().filter(|n| !(least..=most).contains(n)) {
        faults.push(format!("{number} is not from {least} to {most}"));
    }
    faults
}

/// What `occupations.yaml` says.
pub(super) struct Occupations {
    pub occupations: Vec<Occupation>,
    /// Groups, and each occupation as a group of itself.
    groups: BTreeMap<String, Vec<OccupationCode>>,
}

pub(super) fn occupations(file: OccupationsFile, path: &str, problems: &mut Problems) -> Occupations {
    let mut at = At { path, problems };
    at.most(file.occupations.len(), MOST_ROWS, "occupations");
    let mut seen = Seen::new("occupation or group");
    let mut groups = BTreeMap::new();
    let mut occupations = Vec::new();
    for row in file.occupations {
        let name = at.words(row.code.referenced.line(), &row.code.value, row.ja, row.en);
        let Some(code) = seen.code::<OccupationCode>(&row.code, &mut at) else {
            continue;
        };
        groups.insert(row.code.value, vec![code.clone()]);
        occupations.push(Occupation {
            code,
            name,
            medical: row.medical,
            finds_people: row.finds_people,
            registers_people: row.registers_people,
            break_glass: row.break_glass,
        });
    }
    for row in file.groups {
        let Some(_) = seen.code::<OccupationCode>(&row.code, &mut at) else {
            continue;
        };
        let members = row.members.iter().filter_map(|member| {
            let found = occupations.iter().find(|o| o.code.as_str() == member.value);
            if found.is_none() {
                at.problem(member, format!("no occupation {:?}", member.value));
            }
            found.map(|o| o.code.clone())
        });
        let members = members.collect();
        groups.insert(row.code.value, members);
    }
    Occupations { occupations, groups }
}

pub(super) fn roles(file: RolesFile, path: &str, problems: &mut Problems) -> Vec<Role> {
    let mut at = At { path, problems };
    at.most(file.roles.len(), MOST_ROWS, "roles");
    let known: BTreeSet<String> = file.roles.iter().map(|r| r.code.value.clone()).collect();
    let mut seen = Seen::new("role");
    let mut roles = Vec::new();
    let mut apart = BTreeSet::new();
    for row in file.roles {
        let name = at.words(row.code.referenced.line(), &row.code.value, row.ja, row.en);
        let appointed_by = at.known_roles(&row.appointed_by, &known);
        let not_with = at.known_roles(&row.not_with, &known);
        let Some(code) = seen.code::<RoleCode>(&row.code, &mut at) else {
            continue;
        };
        if not_with.contains(&code) {
            at.problem(
                &row.code,
                format!("role {code} cannot be held by nobody: it stands in its own not-with"),
            );
        }
        for other in not_with {
            apart.insert((code.clone(), other.clone()));
            apart.insert((other, code.clone()));
        }
        if row.privileged && row.scope != RoleScope::Installation {
            at.problem(&row.code, format!("role {code}: a privileged role reaches the whole installation"));
        }
        let (scope, privileged) = (row.scope, row.privileged);
        roles.push(Role {
            code,
            name,
            scope,
            appointed_by,
            not_with: Vec::new(),
            privileged,
            outside: false,
            committee: false,
            help: None,
            clauses: Vec::new(),
        });
    }
    for role in &mut roles {
        role.not_with =
            apart.iter().filter(|(one, _)| *one == role.code).map(|(_, two)| two.clone()).collect();
    }
    roles
}

pub(super) fn classes(
    file: ClassesFile,
    occupations: &Occupations,
    path: &str,
    problems: &mut Problems,
) -> (Vec<Class>, Vec<Thing>) {
    let mut at = At { path, problems };
    at.most(file.classes.len(), MOST_CLASSES, "classes");
    at.most(file.things.len(), MOST_CLASSES, "things");
    let mut seen = Seen::new("class");
    let mut classes = Vec::new();
    for row in file.classes {
        let name = at.words(row.code.referenced.line(), &row.code.value, row.ja, row.en);
        if !(1..=4).contains(&row.sensitivity) {
            at.problem(&row.code, format!("class {}: sensitivity is 1 to 4", row.code.value));
        }
        let kinds = at.kinds(&row.kinds);
        let readers = at.occupations(&row.readers, occupations);
        let writers = at.occupations(&row.writers, occupations);
        if let Some(writer) = writers.iter().find(|w| !readers.contains(w)) {
            at.problem(
                &row.code,
                format!("class {}: {writer} writes it but does not read it", row.code.value),
            );
        }
        if row.person_writes && !row.person_reads {
            at.problem(
                &row.code,
                format!("class {}: the person writes it but does not read it", row.code.value),
            );
        }
        let Some(code) = seen.code(&row.code, &mut at) else {
            continue;
        };
        classes.push(Class {
            code,
            name,
            sensitivity: row.sensitivity,
            place: row.place,
            registration: row.registration,
            person_reads: row.person_reads,
            person_writes: row.person_writes,
            kinds,
            readers,
            writers,
        });
    }
    let mut seen = Seen::new("thing");
    let mut things = Vec::new();
    for row in file.things {
        let name = at.words(row.code.referenced.line(), &row.code.value, row.ja, row.en);
        let kinds = at.kinds(&row.kinds);
        let Some(_) = seen.code::<OccupationCode>(&row.code, &mut at) else {
            continue;
        };
        if let Ok(code) = Kind::new(&row.code.value) {
            things.push(Thing { code, name, kinds });
        }
    }
    (classes, things)
}

/// Where problems are told.
struct At<'a> {
    path: &'a str,
    problems: &'a mut Problems,
}

impl At<'_> {
    fn problem(&mut self, place: &Located, message: String) {
        self.problems.add(self.path, place.referenced.line(), message);
    }

    fn most(&mut self, count: usize, most: usize, what: &str) {
        if count > most {
            self.problems.add(self.path, 0, format!("{count} {what}; at most {most} are possible"));
        }
    }

    fn code<T: FromStr<Err = CodeError>>(&mut self, place: &Located, what: &str) -> Option<T> {
        let code = place.value.parse();
        if let Err(error) = &code {
            self.problem(place, format!("{what} {:?} is {error}", place.value));
        }
        code.ok()
    }

    /// Words are needed in every language: a screen must never lack one.
    fn words(&mut self, line: u64, of: &str, ja: Option<String>, en: Option<String>) -> Text {
        for (tag, words) in [("ja", &ja), ("en", &en)] {
            if words.as_ref().is_none_or(|w| w.trim().is_empty()) {
                self.problems.add(self.path, line, format!("{of}: text in {tag} is missing"));
            }
        }
        Text::new(ja.unwrap_or_default(), en.unwrap_or_default())
    }

    fn known_roles(&mut self, places: &[Located], known: &BTreeSet<String>) -> Vec<RoleCode> {
        let mut roles = Vec::new();
        for place in places {
            if known.contains(&place.value) {
                roles.extend(RoleCode::new(&place.value));
            } else {
                self.problem(place, format!("no role {:?}", place.value));
            }
        }
        roles
    }

    fn kinds(&mut self, places: &[Located]) -> Vec<Kind> {
        let mut kinds = Vec::new();
        for place in places {
            match Kind::new(&place.value) {
                Ok(kind) => kinds.push(kind),
                Err(_) => {
                    self.problem(place, format!("{:?} is not the name of a kind of resource", place.value))
                }
            }
        }
        kinds
    }

    fn occupations(&mut self, places: &[Located], known: &Occupations) -> Vec<OccupationCode> {
        let mut all = BTreeSet::new();
        for place in places {
            match known.groups.get(&place.value) {
                Some(members) => all.extend(members.iter().cloned()),
                None => self.problem(place, format!("no occupation or group {:?}", place.value)),
            }
        }
        all.into_iter().collect()
    }
}

/// Finds codes that stand twice.
struct Seen {
    what: &'static str,
    codes: BTreeSet<String>,
}

impl Seen {
    const fn new(what: &'static str) -> Self {
        Self { what, codes: BTreeSet::new() }
    }

    fn code<T: FromStr<Err = CodeError>>(&mut self, place: &Located, at: &mut At<'_>) -> Option<T> {
        let code = at.code(place, self.what)?;
        if self.codes.insert(place.value.clone()) {
            return Some(code);
        }
        at.problem(place, format!("{} {} stands twice", self.what, place.value));
        None
    }
}
