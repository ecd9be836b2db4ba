//! Registers.

use std::collections::BTreeMap;

use super::field::{Place, fields};
use super::{Context, Object, head};
use crate::pack::Parameter;
use crate::pack::model::{Field, FieldType, ObjectKind, Per, Register, Retention, Review};
use crate::pack::reader::Allowed;
use crate::pack::recurrence::Recurrence;

pub(super) fn registers(cx: &Context<'_>, parameters: &BTreeMap<String, Parameter>) -> Vec<Register> {
    cx.read(ObjectKind::Register, |object| {
        let (name, help) = (object.name(), object.help());
        let keeper = object.need_who("keeper", Allowed::STAFF);
        let writers = object.who("writers", Allowed::USERS);
        let readers = object.who("readers", Allowed::USERS);
        let per = object.word("per").unwrap_or(Per::Installation);
        let retention = retention(object, parameters);
        let assets = object.flag("assets");
        let fields = fields(object, Place::Register);
        let (held_by, returned) = held(object, &fields);
        let shown = shown(object, &fields);
        let mut title = Vec::new();
        for (code, line) in object.texts("title") {
            if fields.iter().any(|field| field.code == code) {
                title.push(code.to_owned());
            } else {
                object.problem_at(line, format!("title: no field {code:?}"));
            }
        }
        if !object.has("title") {
            object.problem("title is missing: fields that make an entry's name");
        }
        let review = review(object);
        let code = object.code()?;
        let clauses = object.cx.united(object, ObjectKind::Register, &code);
        Some(Register {
            code,
            name,
            help,
            clauses,
            keeper,
            writers,
            readers,
            per,
            retention,
            assets,
            held_by,
            returned,
            shown,
            title,
            review,
            fields,
        })
    })
}

/// The field that a key names, if its type fits.
fn known(
    object: &Object<'_>,
    fields: &[Field],
    key: &'static str,
    fits: fn(&FieldType) -> bool,
) -> Option<String> {
    let code = object.text(key)?;
    if !fields.iter().any(|field| field.code == code && fits(&field.kind)) {
        object.problem_at(object.line_of(key), format!("{key}: no field {code:?} of a fitting type"));
        return None;
    }
    Some(code.to_owned())
}

/// The fields that say from and until when an entry is a notice: both or neither.
fn shown(object: &Object<'_>, fields: &[Field]) -> Option<(String, String)> {
    let date = |key| known(object, fields, key, |kind| *kind == FieldType::Date);
    let (from, until) = (date("shown-from"), date("shown-until"));
    if object.has("shown-from") != object.has("shown-until") {
        object.problem("shown-from and shown-until go together");
    }
    from.zip(until)
}

/// The fields that say who has something, and that it was returned: both or neither.
fn held(object: &Object<'_>, fields: &[Field]) -> (Option<String>, Option<String>) {
    let held_by = known(object, fields, "held-by", |kind| *kind == FieldType::Person);
    let returned = known(object, fields, "returned", |kind| {
        matches!(kind, FieldType::Date | FieldType::DateTime | FieldType::YesNo)
    });
    if object.has("held-by") != object.has("returned") {
        object.problem("held-by and returned go together");
    }
    (held_by, returned)
}

pub(super) fn retention(object: &Object<'_>, parameters: &BTreeMap<String, Parameter>) -> Option<Retention> {
    let row = object.object("retention")?;
    let (years, parameter) = (row.number("years", 1, 1_000), row.text("parameter"));
    row.finish();
    match (years, parameter) {
        (Some(years), None) => Some(Retention::Years(years)),
        (None, Some(key)) => head::expect(&row, parameters, "parameter", key, true)
            .then(|| Retention::Parameter(key.to_owned())),
        _ => {
            row.problem("either years or parameter");
            None
        }
    }
}

fn review(object: &Object<'_>) -> Option<Review> {
    let row = object.object("review")?;
    let rule = row.need_text("rule").and_then(|text| match Recurrence::parse(text) {
        Ok(rule) => Some(rule),
        Err(reason) => {
            row.problem_at(row.line_of("rule"), format!("rule: {reason}"));
            None
        }
    });
    let by = row.need_who("by", Allowed::ROLES);
    let within_days = row.need_number("within-days", 1, 3_660);
    row.finish();
    Some(Review { rule: rule?, by, within_days: within_days? })
}
