//! `sign-in-groups` of `site.yaml`: what the groups of the organisation's identity provider mean here.

use super::{Context, Object};
use crate::pack::model::{ObjectKind, SignInGroup};
use crate::pack::{Role, RoleScope};

/// Longest name of a group.
const LONGEST: usize = 255;

pub(super) fn groups(cx: &Context<'_>, roles: &[Role]) -> Vec<SignInGroup> {
    cx.read(ObjectKind::SignInGroup, |object| {
        let (name, required) = (object.name(), object.flag("required"));
        let group = object.need_text("group");
        if group.is_some_and(|group| group.is_empty() || group.len() > LONGEST) {
            object.problem_at(object.line_of("group"), format!("group is a name of 1 to {LONGEST} bytes"));
        }
        let code = object.reference("role", ObjectKind::Role);
        let role = code.and_then(|code| roles.iter().find(|role| role.code.as_str() == code));
        let unit = object.reference("unit", ObjectKind::Unit);
        let system = object.reference("system", ObjectKind::System);
        fitting(object, role, unit.is_some(), system.is_some(), required);
        Some(SignInGroup {
            code: object.code()?,
            name,
            group: group?.to_owned(),
            role: role.map(|role| role.code.clone()),
            unit,
            system,
            required,
        })
    })
}

/// What goes with the role, and which roles no group gives: privileges come by a grant for a time, after
/// somebody else approved (who applies never approves).
fn fitting(object: &Object<'_>, role: Option<&Role>, unit: bool, system: bool, required: bool) {
    let line = object.line_of("role");
    match role {
        None if !object.has("role") && !required => {
            object.problem("it means nothing: neither a role nor required");
        }
        Some(role) if role.privileged => {
            object.problem_at(line, format!("role {} is privileged: no group gives it", role.code));
        }
        Some(role) if role.outside => {
            object.problem_at(line, format!("role {} is outside and is only told, never acting", role.code));
        }
        Some(role) if role.committee => {
            object.problem_at(line, format!("role {} is a committee's: no group gives it", role.code));
        }
        _ => {}
    }
    let scope = role.map(|role| role.scope);
    for (word, there, needs) in [("unit", unit, RoleScope::Unit), ("system", system, RoleScope::System)] {
        if scope == Some(needs) && !there {
            object.problem_at(line, format!("the role is for one {word}: {word} is missing"));
        }
        if scope != Some(needs) && there {
            object.problem_at(object.line_of(word), format!("{word} belongs to no role of this scope"));
        }
    }
}
