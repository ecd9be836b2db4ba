//! What objects must say to be rules, beyond their shape: read against each other, every problem told.

mod access;
mod clauses;
mod control;
mod duty;
mod field;
mod head;
mod note;
mod procedure;
mod register;
mod sign_in;

use super::merge::{Merged, Raw};
use super::model::ObjectKind;
use super::reader::{Context, Object};
use super::{Class, Objects, Occupation, PackProblem, Parameter, Role, Thing, Zone};
use crate::text::Text;

/// What the files say, typed.
pub(super) struct Parts {
    pub id: String,
    pub name: Text,
    pub organisation: Text,
    pub parameters: std::collections::BTreeMap<String, Parameter>,
    pub zones: Vec<Zone>,
    pub roles: Vec<Role>,
    pub occupations: Vec<Occupation>,
    pub classes: Vec<Class>,
    pub things: Vec<Thing>,
    pub objects: Objects,
    pub warnings: Vec<PackProblem>,
}

/// Reads everything. What it returns is of use only when no problem was told.
pub(super) fn parts(cx: &Context<'_>) -> Parts {
    let head = head::head(cx);
    let parameters = head::parameters(cx);
    let roles = access::roles(cx);
    let occupations = access::occupations(cx);
    let (classes, things) = access::classes(cx, &occupations);
    let mut objects = Objects {
        registers: register::registers(cx, &parameters),
        schedules: duty::schedules(cx, &parameters),
        documents: duty::documents(cx),
        classification: control::classification(cx),
        incidents: control::incidents(cx),
        measures: control::measures(cx),
        attestations: control::attestations(cx),
        disclosures: control::disclosures(cx),
        informative: control::informative(cx),
        catalogues: clauses::catalogues(cx),
        units: control::units(cx),
        systems: control::systems(cx),
        wordings: control::wordings(cx),
        sign_in_groups: sign_in::groups(cx, &roles),
        note_templates: note::templates(cx),
        ..Objects::default()
    };
    objects.procedures = procedure::procedures(cx, &parameters, &objects.registers);
    clauses::index(cx, &parameters, &roles, &mut objects);
    let zones = head::zones(cx);
    let mut warnings = clauses::warnings(cx, &objects);
    warnings.extend(head::warnings(cx, &parameters));
    warnings.extend(access::warnings(cx, &roles));
    warnings.extend(access::placeless(cx, &roles, &objects));
    warnings.extend(procedure::warnings(cx, &objects.procedures, &roles));
    warnings.sort();
    Parts {
        id: head.id,
        name: head.name,
        organisation: head.organisation,
        parameters,
        zones,
        roles,
        occupations: occupations.occupations,
        classes,
        things,
        objects,
        warnings,
    }
}

impl Context<'_> {
    /// Reads every object of a kind.
    fn read<T>(&self, kind: ObjectKind, read: impl Fn(&Object<'_>) -> Option<T>) -> Vec<T> {
        self.merged
            .of_kind(kind)
            .filter_map(|raw| {
                let object = Object::new(self, &raw.file, format!("{kind} {}", raw.code), &raw.node);
                let found = read(&object);
                object.finish();
                found
            })
            .collect()
    }

    /// The clauses that an object answers: its own, and those of what it replaces.
    fn united(&self, object: &Object<'_>, kind: ObjectKind, code: &str) -> Vec<String> {
        let mut clauses = object.clauses();
        let inherited = self.merged.raw(kind, code).map(Raw::clauses).unwrap_or_default();
        for id in inherited {
            if self.merged.clause_ids.contains_key(id) && !clauses.iter().any(|c| c == id) {
                clauses.push(id.to_owned());
            }
        }
        clauses
    }
}

/// A warning at an object.
fn warning(merged: &Merged, kind: ObjectKind, code: &str, message: String) -> PackProblem {
    let (file, line) =
        merged.raw(kind, code).map_or_else(|| (String::new(), 0), |raw| (raw.file.clone(), raw.line));
    PackProblem { file, line, message }
}
