//! A policy pack: what its files say, checked and ready to use.

mod chain;
mod check;
pub mod diff;
pub(crate) mod embedded;
pub(crate) mod load;
mod merge;
pub mod model;
mod objects;
pub mod parameters;
mod reader;
pub mod recurrence;
mod site;
mod tree;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use mimamori_domain::{ClassCode, Error, Kind, OccupationCode, Result as DomainResult, RoleCode, ZoneCode};

use self::load::Missing;
pub(crate) use self::load::Problems;
pub(crate) use self::objects::Objects;
use crate::access::Access;
use crate::text::{Language, Text};

/// What is wrong with a pack, and where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackProblem {
    /// The file, relative to the pack's folder; empty when the folder itself is meant.
    pub file: String,
    /// The line, from 1; 0 when the file as a whole is meant.
    pub line: u64,
    /// What is wrong and what was expected.
    pub message: String,
}

impl fmt::Display for PackProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.file.as_str(), self.line) {
            ("", _) => f.write_str(&self.message),
            (file, 0) => write!(f, "{file}: {}", self.message),
            (file, line) => write!(f, "{file}:{line}: {}", self.message),
        }
    }
}

/// An organisation's rules, checked.
#[derive(Debug, Clone)]
pub struct Pack {
    pub(crate) id: String,
    pub(crate) name: Text,
    pub(crate) organisation: Text,
    pub(crate) hash: [u8; 32],
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    pub(crate) parameters: BTreeMap<String, Parameter>,
    pub(crate) zones: Vec<Zone>,
    pub(crate) occupations: Vec<Occupation>,
    pub(crate) roles: Vec<Role>,
    pub(crate) classes: Vec<Class>,
    pub(crate) things: Vec<Thing>,
    pub(crate) objects: Objects,
    pub(crate) warnings: Vec<PackProblem>,
    /// Parameters that a stored pack does not know yet.
    pub(crate) taken: Vec<&'static str>,
    pub(crate) access: Access,
    /// As written, for comparing packs.
    pub(crate) merged: Arc<merge::Merged>,
}

impl Pack {
    /// Reads a pack from its folder. Packs that it extends are looked for in `extends/<id>` within it,
    /// in the folder beside it, and inside the program, in this order.
    ///
    /// # Errors
    /// Every problem that was found, in order of file and line.
    pub fn load(folder: &Path) -> Result<Self, Vec<PackProblem>> {
        load::build(load::read_folder(folder)?, &chain::beside(folder), Missing::Refused)
    }

    /// Reads a pack from its files: path relative to the folder, with `/`, and content. Packs that it
    /// extends are among the files, as [`Pack::files`] has them; where they are not, those inside the
    /// program are taken.
    ///
    /// # Errors
    /// As [`Pack::load`].
    pub fn from_files(files: BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<PackProblem>> {
        load::build(files, &embedded::files, Missing::Refused)
    }

    /// Reads a pack that was stored, perhaps by an earlier program: parameters that this program reads
    /// and the rules do not know yet have the values of the base pack inside the program until newer
    /// rules are adopted; [`Pack::taken_from_program`] names each. Otherwise as [`Pack::from_files`].
    ///
    /// # Errors
    /// As [`Pack::load`].
    pub fn from_stored(files: BTreeMap<String, Vec<u8>>) -> Result<Self, Vec<PackProblem>> {
        load::build(files, &embedded::files, Missing::FromProgram)
    }

    /// The base pack that comes inside the program.
    ///
    /// # Errors
    /// As [`Pack::load`]; a test keeps this from ever happening.
    pub fn embedded_base() -> Result<Self, Vec<PackProblem>> {
        Self::embedded("base")
    }

    /// A pack that comes inside the program; [`Pack::embedded_ids`] tells which there are.
    ///
    /// # Errors
    /// As [`Pack::load`], and when there is no such pack.
    pub fn embedded(id: &str) -> Result<Self, Vec<PackProblem>> {
        let files = embedded::files(id).ok_or_else(|| {
            let known: Vec<_> = embedded::ids().collect();
            let message = format!("no pack {id:?} inside the program; there are {}", known.join(", "));
            vec![PackProblem { file: String::new(), line: 0, message }]
        })?;
        Self::from_files(files)
    }

    /// Ids of the packs that come inside the program, in order.
    pub fn embedded_ids() -> impl Iterator<Item = &'static str> {
        embedded::ids()
    }

    /// What is no mistake but should be looked at before the pack is used, in order of file and line:
    /// clauses that nothing answers, roles that nobody can be appointed to, steps that nobody but the
    /// applicant could decide, parameters that wait for the site.
    #[must_use]
    pub fn warnings(&self) -> &[PackProblem] {
        &self.warnings
    }

    /// Keys of parameters whose values are the program's, because the pack was stored by an earlier one.
    pub fn taken_from_program(&self) -> impl Iterator<Item = &'static str> {
        self.taken.iter().copied()
    }

    /// The pack's short name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    #[must_use]
    pub fn name(&self, language: Language) -> &str {
        self.name.get(language)
    }

    /// The organisation whose rules these are; the pack's name when it names none.
    #[must_use]
    pub fn organisation(&self, language: Language) -> &str {
        self.organisation.get(language)
    }

    /// SHA-256 over [`Pack::files`], those of extended packs too, in order of path: for each the length of the path, the path, the
    /// length of the content and the content, lengths as eight bytes, greatest first.
    #[must_use]
    pub const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// [`Pack::hash`] in lower-case hexadecimal.
    #[must_use]
    pub fn hash_text(&self) -> String {
        hex::encode(self.hash)
    }

    /// The files the pack was read from, to be stored: rows name the hash they were made under. Files of
    /// the packs it extends stand under `extends/<id>/`, so what was adopted is whole by itself.
    #[must_use]
    pub const fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }

    /// Every parameter, in order of key.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.values()
    }

    #[must_use]
    pub fn parameter(&self, key: &str) -> Option<&Parameter> {
        self.parameters.get(key)
    }

    /// A whole number among the parameters. Every key of [`parameters`] is there in every pack that
    /// loads.
    ///
    /// # Errors
    /// [`mimamori_domain::ErrorKind::Internal`] when the pack has no such number.
    pub fn parameter_u64(&self, key: &str) -> DomainResult<u64> {
        match self.parameter(key).and_then(|p| p.value.as_ref()) {
            Some(ParameterValue::Number(value)) => Ok(*value),
            _ => Err(no_parameter(key, "whole number")),
        }
    }

    /// A switch among the parameters.
    ///
    /// # Errors
    /// [`mimamori_domain::ErrorKind::Internal`] when the pack has no such switch.
    pub fn parameter_bool(&self, key: &str) -> DomainResult<bool> {
        match self.parameter(key).and_then(|p| p.value.as_ref()) {
            Some(ParameterValue::Switch(value)) => Ok(*value),
            _ => Err(no_parameter(key, "switch")),
        }
    }

    /// A text among the parameters.
    ///
    /// # Errors
    /// [`mimamori_domain::ErrorKind::Internal`] when the pack has no such text.
    pub fn parameter_text(&self, key: &str) -> DomainResult<&str> {
        match self.parameter(key).and_then(|p| p.value.as_ref()) {
            Some(ParameterValue::Text(value)) => Ok(value),
            _ => Err(no_parameter(key, "text")),
        }
    }

    /// A list of whole numbers among the parameters; never empty.
    ///
    /// # Errors
    /// [`mimamori_domain::ErrorKind::Internal`] when the pack has no such list.
    pub fn parameter_list(&self, key: &str) -> DomainResult<&[u64]> {
        match self.parameter(key).and_then(|p| p.value.as_ref()) {
            Some(ParameterValue::Numbers(values)) => Ok(values),
            _ => Err(no_parameter(key, "list of whole numbers")),
        }
    }

    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    #[must_use]
    pub fn occupations(&self) -> &[Occupation] {
        &self.occupations
    }

    #[must_use]
    pub fn occupation(&self, code: &OccupationCode) -> Option<&Occupation> {
        self.occupations.iter().find(|o| o.code == *code)
    }

    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    #[must_use]
    pub fn role(&self, code: &RoleCode) -> Option<&Role> {
        self.roles.iter().find(|r| r.code == *code)
    }

    #[must_use]
    pub fn classes(&self) -> &[Class] {
        &self.classes
    }

    #[must_use]
    pub fn class(&self, code: &ClassCode) -> Option<&Class> {
        self.classes.iter().find(|c| c.code == *code)
    }

    #[must_use]
    pub fn things(&self) -> &[Thing] {
        &self.things
    }

    /// Whether somebody who holds `holder` may appoint to `role` and dismiss from it.
    #[must_use]
    pub fn may_appoint(&self, holder: &RoleCode, role: &RoleCode) -> bool {
        self.role(role).is_some_and(|r| r.appointed_by.contains(holder))
    }

    /// Among the roles somebody holds, those that may not be held together with `role`.
    #[must_use]
    pub fn incompatible<'a>(&self, role: &RoleCode, held: &'a [RoleCode]) -> Vec<&'a RoleCode> {
        let apart = self.role(role).map_or(&[][..], |r| &r.not_with);
        held.iter().filter(|h| apart.contains(h)).collect()
    }
}

fn no_parameter(key: &str, shape: &str) -> Error {
    Error::internal(format!("the policy pack has no {shape} named {key}"))
}

/// A number or switch of the rules, with its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Area, a dot, name and unit: `session.idle-minutes`.
    pub key: String,
    /// None: the rules leave it open and the site has not said yet.
    pub value: Option<ParameterValue>,
    /// The rules leave it open: the site must give a value.
    pub must_set: bool,
    /// Bounds within which a pack that extends this one may set it.
    pub least: Option<u64>,
    pub most: Option<u64>,
    pub help: Text,
    /// Ids of the clauses it answers.
    pub clauses: Vec<String>,
}

/// What a parameter is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterValue {
    Switch(bool),
    Number(u64),
    Numbers(Vec<u64>),
    Text(String),
}

/// 接続区分: a kind of network that requests come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    pub code: ZoneCode,
    pub name: Text,
    /// Kinds of callers to whom nothing is open from here.
    pub closed_to: Vec<ZoneCaller>,
    /// Roles of which staff must hold one to come from here; empty: all staff may.
    pub roles: Vec<RoleCode>,
    /// Which staff may come from here with a registered terminal only.
    pub terminals: ZoneTerminals,
    /// Staff must have given two factors.
    pub second_factor: bool,
    /// Staff without a second factor may register their first one from here.
    pub enrolment: bool,
}

/// A kind of caller, as zones are closed to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneCaller {
    Staff,
    Citizens,
    Programs,
}

/// For whom a registered terminal is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ZoneTerminals {
    /// These occupations; empty: nobody.
    Occupations(Vec<OccupationCode>),
    Everybody,
}

/// 職種
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupation {
    pub code: OccupationCode,
    pub name: Text,
    /// Gives medical or dental treatment under a licence.
    pub medical: bool,
    /// May look for people by name or number.
    pub finds_people: bool,
    /// May register new people.
    pub registers_people: bool,
    /// May declare an emergency access.
    pub break_glass: bool,
}

model::words! {
    /// How far one appointment reaches.
    RoleScope {
        Installation = "installation",
        Institution = "institution",
        /// One organisational unit; see [`Pack::units`].
        Unit = "unit",
        /// One information system; see [`Pack::systems`].
        System = "system",
    }
}

/// 役割
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    pub code: RoleCode,
    pub name: Text,
    pub scope: RoleScope,
    /// Roles that appoint to it; empty when only the head of the organisation does.
    pub appointed_by: Vec<RoleCode>,
    /// Roles the same person may not hold, whichever of the two names the other.
    pub not_with: Vec<RoleCode>,
    /// Counts towards the greatest number of administrators.
    pub privileged: bool,
    /// Not a user of the system (police, press, vendor): only told, never acting.
    pub outside: bool,
    /// Several people hold it together and resolve.
    pub committee: bool,
    pub help: Option<Text>,
    /// Ids of the clauses it answers.
    pub clauses: Vec<String>,
}

/// 情報区分
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    pub code: ClassCode,
    pub name: Text,
    /// 1 ordinary personal data to 4 particularly sensitive.
    pub sensitivity: u8,
    /// Tells where a person is or will be.
    pub place: bool,
    /// Needed to register people and keep their consents and care teams.
    pub registration: bool,
    /// Shown to the person and their proxies.
    pub person_reads: bool,
    /// Written by the person and their proxies.
    pub person_writes: bool,
    /// Kinds of resource the class may hold.
    pub kinds: Vec<Kind>,
    /// Occupations that read it, given a ground to.
    pub readers: Vec<OccupationCode>,
    pub writers: Vec<OccupationCode>,
}

/// A kind of thing outside any notebook (ledger, accounts ...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thing {
    pub code: Kind,
    pub name: Text,
    /// Kinds of resource through which a program's scopes reach it.
    pub kinds: Vec<Kind>,
}

macro_rules! named {
    ($($name:ident),*) => {$(
        impl $name {
            /// Its name in a language.
            #[must_use]
            pub fn name(&self, language: Language) -> &str {
                self.name.get(language)
            }
        }
    )*};
}
named!(Zone, Occupation, Role, Class, Thing);
