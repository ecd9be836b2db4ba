//! Roles, occupations, information classes and things: what decides about access.

use std::collections::{BTreeMap, BTreeSet};

use mimamori_domain::{Kind, OccupationCode, RoleCode};

use super::{Context, Object, warning};
use crate::pack::model::ObjectKind;

use crate::pack::reader::Allowed;
use crate::pack::{Class, Objects, Occupation, PackProblem, Role, RoleScope, Thing};

/// Roles and occupations are kept as bits of words when deciding.
const MOST_ROLES: usize = 128;
const MOST_OCCUPATIONS: usize = 64;
/// Classes and things are counted with 16 bits; nobody needs so many.
const MOST_CLASSES: usize = 1_000;

fn most(cx: &Context<'_>, kind: ObjectKind, most: usize) {
    let count = cx.merged.of_kind(kind).count();
    if count > most {
        let file = cx.merged.of_kind(kind).next().map_or("", |raw| raw.file.as_str());
        cx.problem(file, 0, format!("{count} of the kind {kind}; at most {most} are possible"));
    }
}

pub(super) fn roles(cx: &Context<'_>) -> Vec<Role> {
    most(cx, ObjectKind::Role, MOST_ROLES);
    let mut apart = BTreeSet::new();
    let mut roles: Vec<Role> = Vec::new();
    for raw in cx.merged.of_kind(ObjectKind::Role) {
        let object = Object::new(cx, &raw.file, format!("role {}", raw.code), &raw.node);
        let name = object.name();
        let help = object.help();
        let scope = object.need_word::<RoleScope>("scope").unwrap_or(RoleScope::Installation);
        let appointed_by = known_roles(&object, "appointed-by");
        let not_with = known_roles(&object, "not-with");
        let (privileged, outside, committee) =
            (object.flag("privileged"), object.flag("outside"), object.flag("committee"));
        let clauses = cx.united(&object, ObjectKind::Role, &raw.code);
        let code = object.code();
        object.finish();
        if ["anyone", "citizen", "applicant"].contains(&raw.code.as_str()) {
            object.problem_at(raw.line, "this word stands for people without an appointment");
        }
        let Some(code) = code.and_then(|code| RoleCode::new(&code).ok()) else {
            continue;
        };
        if not_with.contains(&code) {
            object.problem_at(raw.line, "cannot be held by nobody: it stands in its own not-with");
        }
        if privileged && !matches!(scope, RoleScope::Installation | RoleScope::System) {
            object.problem_at(raw.line, "a privileged role reaches the whole installation or one system");
        }
        if privileged && outside {
            object.problem_at(raw.line, "who is outside has no privilege");
        }
        for other in not_with {
            apart.insert((code.clone(), other.clone()));
            apart.insert((other, code.clone()));
        }
        roles.push(Role {
            code,
            name,
            scope,
            appointed_by,
            not_with: Vec::new(),
            privileged,
            outside,
            committee,
            help,
            clauses,
        });
    }
    for role in &mut roles {
        role.not_with =
            apart.iter().filter(|(one, _)| *one == role.code).map(|(_, two)| two.clone()).collect();
    }
    roles
}

fn known_roles(object: &Object<'_>, key: &'static str) -> Vec<RoleCode> {
    let people = object.who(key, Allowed { outside: key == "not-with", ..Allowed::ROLES });
    people
        .into_iter()
        .filter_map(|who| match who {
            crate::pack::model::Who::Role(code) => Some(code),
            _ => None,
        })
        .collect()
}

/// Roles that nobody can come to hold: no chain of appointments begins at the head of the organisation.
pub(super) fn warnings(cx: &Context<'_>, roles: &[Role]) -> Vec<PackProblem> {
    let mut reached: BTreeSet<&RoleCode> =
        roles.iter().filter(|r| r.appointed_by.is_empty() && !r.outside).map(|r| &r.code).collect();
    loop {
        let more: Vec<_> = roles
            .iter()
            .filter(|r| !reached.contains(&r.code) && r.appointed_by.iter().any(|by| reached.contains(by)))
            .map(|r| &r.code)
            .collect();
        if more.is_empty() {
            break;
        }
        reached.extend(more);
    }
    roles
        .iter()
        .filter(|role| !role.outside && !reached.contains(&role.code))
        .map(|role| {
            let message = format!(
                "role {} is appointed by nobody whom the head of the organisation appoints",
                role.code
            );
            warning(cx.merged, ObjectKind::Role, role.code.as_str(), message)
        })
        .collect()
}

/// Roles for one unit or system where the site names none: nobody can be appointed to them.
pub(super) fn placeless(cx: &Context<'_>, roles: &[Role], objects: &Objects) -> Vec<PackProblem> {
    let missing = |role: &Role| match role.scope {
        RoleScope::Unit if objects.units.is_empty() => Some(("unit", "units")),
        RoleScope::System if objects.systems.is_empty() => Some(("information system", "systems")),
        _ => None,
    };
    let told = |role: &Role| {
        let (what, key) = missing(role).filter(|_| !role.outside)?;
        let message = format!(
            "role {} is held for one {what}, and there is none: name them under {key} in site.yaml",
            role.code
        );
        Some(warning(cx.merged, ObjectKind::Role, role.code.as_str(), message))
    };
    roles.iter().filter_map(told).collect()
}

/// What `occupations.yaml` says.
pub(super) struct Occupations {
    pub occupations: Vec<Occupation>,
    /// Groups, and each occupation as a group of itself.
    groups: BTreeMap<String, Vec<OccupationCode>>,
}

pub(super) fn occupations(cx: &Context<'_>) -> Occupations {
    most(cx, ObjectKind::Occupation, MOST_OCCUPATIONS);
    let flag = |object: &Object<'_>, key| {
        let found = object.maybe_flag(key);
        if found.is_none() && !object.has(key) {
            object.problem(format!("{key} is missing"));
        }
        found.unwrap_or_default()
    };
    let occupations = cx.read(ObjectKind::Occupation, |object| {
        Some(Occupation {
            name: object.name(),
            medical: flag(object, "medical"),
            finds_people: flag(object, "finds-people"),
            registers_people: flag(object, "registers-people"),
            break_glass: flag(object, "break-glass"),
            code: object.need_parsed("code")?,
        })
    });
    let mut groups: BTreeMap<_, _> =
        occupations.iter().map(|o| (o.code.to_string(), vec![o.code.clone()])).collect();
    let named = cx.read(ObjectKind::Group, |object| {
        let code = object.code()?;
        if groups.contains_key(&code) {
            object.problem(format!("occupation or group {code} stands twice"));
        }
        let mut members = Vec::new();
        for (member, line) in object.texts("members") {
            match occupations.iter().find(|o| o.code.as_str() == member) {
                Some(found) => members.push(found.code.clone()),
                None => object.problem_at(line, format!("no occupation {member:?}")),
            }
        }
        Some((code, members))
    });
    groups.extend(named);
    Occupations { occupations, groups }
}

pub(super) fn classes(cx: &Context<'_>, occupations: &Occupations) -> (Vec<Class>, Vec<Thing>) {
    most(cx, ObjectKind::Class, MOST_CLASSES);
    most(cx, ObjectKind::Thing, MOST_CLASSES);
    let members = |object: &Object<'_>, key| {
        let mut all = BTreeSet::new();
        for (group, line) in object.texts(key) {
            match occupations.groups.get(group) {
                Some(members) => all.extend(members.iter().cloned()),
                None => object.problem_at(line, format!("no occupation or group {group:?}")),
            }
        }
        if !object.has(key) {
            object.problem(format!("{key} is missing"));
        }
        all.into_iter().collect::<Vec<OccupationCode>>()
    };
    let classes = cx.read(ObjectKind::Class, |object| {
        let (readers, writers) = (members(object, "readers"), members(object, "writers"));
        if let Some(writer) = writers.iter().find(|w| !readers.contains(w)) {
            object.problem(format!("{writer} writes it but does not read it"));
        }
        let (person_reads, person_writes) = (object.flag("person-reads"), object.flag("person-writes"));
        if person_writes && !person_reads {
            object.problem("the person writes it but does not read it");
        }
        let sensitivity = object.text("sensitivity").and_then(|text| text.parse().ok());
        if !sensitivity.is_some_and(|s| (1..=4).contains(&s)) {
            object.problem("sensitivity is 1 to 4");
        }
        Some(Class {
            name: object.name(),
            sensitivity: sensitivity.unwrap_or_default(),
            place: object.flag("place"),
            registration: object.flag("registration"),
            person_reads,
            person_writes,
            kinds: kinds(object),
            readers,
            writers,
            code: object.need_parsed("code")?,
        })
    });
    let things = cx.read(ObjectKind::Thing, |object| {
        let (name, kinds) = (object.name(), kinds(object));
        let code = object.code()?;
        Some(Thing { code: Kind::new(&code).ok()?, name, kinds })
    });
    (classes, things)
}

fn kinds(object: &Object<'_>) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for (text, line) in object.texts("kinds") {
        match Kind::new(text) {
            Ok(kind) => kinds.push(kind),
            Err(_) => object.problem_at(line, format!("{text:?} is not the name of a kind of resource")),
        }
    }
    kinds
}
