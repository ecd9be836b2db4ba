//! Fields of registers, forms and steps.

use super::Object;
use crate::pack::model::{
    Choice, Choices, Condition, Derivation, Field, FieldReference, FieldType, ObjectKind,
};
use crate::pack::yaml::{Node, Value};

/// Keywords of a field's type.
const TYPES: &[&str] = &[
    "text",
    "long-text",
    "number",
    "date",
    "time",
    "date-time",
    "choice",
    "yes-no",
    "person",
    "institution",
    "subject",
    "asset",
    "entry",
    "file",
    "derived",
];
/// Words that stand for something else where fields are named.
const RESERVED: &[&str] = &["applicant", "decided-on", "decided-by"];

/// Where a list of fields stands, which decides what else its conditions may speak of.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Register,
    Form,
    /// A step with its code, of a procedure with this form.
    Step(&'a str, &'a [Field]),
}

/// The fields of one list, read and checked against each other.
pub(super) fn fields(object: &Object<'_>, place: Place<'_>) -> Vec<Field> {
    let rows = object.objects("fields", "field");
    if matches!(place, Place::Register) && rows.is_empty() {
        object.problem("fields are missing");
    }
    let mut fields: Vec<Field> = Vec::new();
    for row in &rows {
        let Some(field) = field(row) else {
            row.finish();
            continue;
        };
        row.finish();
        if !matches!(place, Place::Register) && RESERVED.contains(&field.code.as_str()) {
            row.problem(format!("{} is a word of its own and cannot be a field of a form", field.code));
        }
        if fields.iter().any(|f| f.code == field.code) {
            row.problem("stands twice");
            continue;
        }
        fields.push(field);
    }
    for row in &rows {
        let code = row.text("code").unwrap_or_default();
        let Some(at) = fields.iter().position(|field| field.code == code) else {
            continue;
        };
        resolve_condition(row, place, &mut fields, at);
        let Some(field) = fields.get(at) else { continue };
        if let FieldType::Derived(derivation) = &field.kind {
            let sources = match derivation {
                Derivation::Add { from, .. } => vec![from],
                Derivation::Days { from, until } => vec![from, until],
            };
            for source in sources {
                let found = fields.iter().find(|f| f.code == *source);
                if !found.is_some_and(|f| matches!(f.kind, FieldType::Date | FieldType::DateTime) && !f.many)
                {
                    row.problem_at(
                        row.line_of("derive"),
                        format!("derive: {source:?} is no date of this form"),
                    );
                }
            }
        }
    }
    fields
}

/// Checks a field's condition, and says of it whether it speaks of the step or of the form.
fn resolve_condition(row: &Object<'_>, place: Place<'_>, fields: &mut [Field], at: usize) {
    let Some((code, mut when)) = fields.get(at).and_then(|f| Some((f.code.clone(), f.when.clone()?))) else {
        return;
    };
    if when.field.field == code && when.field.step.is_none() {
        row.problem_at(row.line_of("when"), "when: a field cannot depend on itself");
    }
    let own = fields.iter().find(|f| f.code == when.field.field);
    let found = match (place, &when.field.step, own) {
        (Place::Step(step, _), None, Some(own)) => {
            when.field.step = Some(step.to_owned());
            Some(own)
        }
        (Place::Step(_, form), None, None) => form.iter().find(|f| f.code == when.field.field),
        (Place::Step(step, _), Some(named), own) => own.filter(|_| named == step),
        (_, Some(_), _) => None,
        (_, None, own) => own,
    };
    check_condition(row, "when", &when, found);
    if let Some(field) = fields.get_mut(at) {
        field.when = Some(when);
    }
}

fn field(row: &Object<'_>) -> Option<Field> {
    let (name, help) = (row.name(), row.help());
    let (required, many) = (row.flag("required"), row.flag("many"));
    let when = condition(row);
    let kind = kind(row);
    let code = row.code()?;
    let kind = kind?;
    if many && matches!(kind, FieldType::Derived(_) | FieldType::YesNo) {
        row.problem(format!("many is not for {}", kind.as_str()));
    }
    if required && matches!(kind, FieldType::Derived(_)) {
        row.problem("a derived field is never typed, so it cannot be required");
    }
    Some(Field { code, name, help, kind, required, many, when })
}

fn kind(row: &Object<'_>) -> Option<FieldType> {
    let word = row.need_text("type")?;
    let kind = match word {
        "text" => FieldType::Text { most: row.number("most", 1, 200).unwrap_or(200) },
        "long-text" => FieldType::LongText { most: row.number("most", 1, 4_000).unwrap_or(4_000) },
        "number" => {
            let (least, most) =
                (row.number("least", i64::MIN, i64::MAX), row.number("most", i64::MIN, i64::MAX));
            if least.zip(most).is_some_and(|(least, most)| least > most) {
                row.problem("least is above most");
            }
            let decimals = row.number("decimals", 0, 6).unwrap_or(2);
            FieldType::Number { least, most, decimals, unit: row.pair("unit-ja", "unit-en", false) }
        }
        "date" => FieldType::Date,
        "time" => FieldType::Time,
        "date-time" => FieldType::DateTime,
        "choice" => FieldType::Choice(choices(row)?),
        "yes-no" => FieldType::YesNo,
        "person" => FieldType::Person,
        "institution" => FieldType::Institution,
        "subject" => FieldType::Subject,
        "asset" => FieldType::Asset,
        "entry" => FieldType::Entry { register: row.need_reference("register", ObjectKind::Register)? },
        "file" => FieldType::File,
        "derived" => FieldType::Derived(derivation(row)?),
        other => {
            row.problem_at(
                row.line_of("type"),
                format!("no field type {other:?}; known are {}", TYPES.join(", ")),
            );
            return None;
        }
    };
    Some(kind)
}

fn choices(row: &Object<'_>) -> Option<Choices> {
    let from = row.text("choices-from");
    let listed = row.objects("choices", "choice");
    let Some(from) = from else {
        let mut choices: Vec<Choice> = Vec::new();
        for choice in &listed {
            let (name, code) = (choice.name(), choice.code());
            choice.finish();
            let Some(code) = code else { continue };
            if choices.iter().any(|c| c.code == code) {
                choice.problem("stands twice");
                continue;
            }
            choices.push(Choice { code, name });
        }
        if listed.is_empty() {
            row.problem("choices or choices-from are missing");
        }
        return Some(Choices::Listed(choices));
    };
    if !listed.is_empty() {
        row.problem("either choices or choices-from");
    }
    match (from, from.strip_prefix("classification.")) {
        ("incidents", _) => Some(Choices::Incidents),
        ("roles", _) => Some(Choices::Roles),
        (_, Some(axis)) if row.cx.merged.has(ObjectKind::Classification, axis) => {
            Some(Choices::Classification(axis.to_owned()))
        }
        _ => {
            row.problem_at(
                row.line_of("choices-from"),
                format!("choices-from: no {from:?}; classification.<axis>, incidents and roles are known"),
            );
            None
        }
    }
}

fn derivation(row: &Object<'_>) -> Option<Derivation> {
    let Some(derive) = row.object("derive") else {
        row.problem("derive is missing");
        return None;
    };
    let from = derive.need_text("from").map(str::to_owned);
    let found = match (derive.has("add"), derive.text("until").map(str::to_owned)) {
        (true, None) => derive.parsed("add").zip(from).map(|(period, from)| Derivation::Add { from, period }),
        (false, Some(until)) => from.map(|from| Derivation::Days { from, until }),
        _ => {
            derive.problem("either add or until");
            None
        }
    };
    derive.finish();
    found
}

/// A `when`, not yet checked against fields.
pub(super) fn condition(row: &Object<'_>) -> Option<Condition> {
    let when = row.object("when")?;
    let field = when.need_text("field");
    let is: Vec<String> = when.texts("is").into_iter().map(|(text, _)| text.to_owned()).collect();
    when.finish();
    if is.is_empty() {
        when.problem("is must name at least one value");
        return None;
    }
    // `true` and `false` are what people write for yes and no.
    let is = is.into_iter().map(|value| match value.as_str() {
        "true" => "yes".to_owned(),
        "false" => "no".to_owned(),
        _ => value,
    });
    Some(Condition { field: FieldReference::parse(field?), is: is.collect() })
}

/// A condition speaks of a field that can be asked, and of values that it can have.
pub(super) fn check_condition(
    row: &Object<'_>,
    key: &'static str,
    condition: &Condition,
    field: Option<&Field>,
) {
    let line = row.line_of(key);
    let Some(field) = field else {
        return row.problem_at(line, format!("{key}: no field {:?} here", condition.field.to_string()));
    };
    let Some(codes) = values(row, field) else {
        return row.problem_at(line, format!("{key}: {} is neither a choice nor yes-no", condition.field));
    };
    for value in condition.is.iter().filter(|value| !codes.contains(value)) {
        row.problem_at(line, format!("{key}: {} is never {value:?}", condition.field));
    }
}

/// The codes that a choice or yes-no field can have.
pub(super) fn values(row: &Object<'_>, field: &Field) -> Option<Vec<String>> {
    let codes = |kind| row.cx.merged.of_kind(kind).map(|raw| raw.code.clone()).collect();
    match &field.kind {
        FieldType::YesNo => Some(vec!["yes".to_owned(), "no".to_owned()]),
        FieldType::Choice(Choices::Listed(choices)) => Some(choices.iter().map(|c| c.code.clone()).collect()),
        FieldType::Choice(Choices::Incidents) => Some(codes(ObjectKind::Incident)),
        FieldType::Choice(Choices::Roles) => Some(codes(ObjectKind::Role)),
        FieldType::Choice(Choices::Classification(axis)) => {
            let levels = row.cx.merged.raw(ObjectKind::Classification, axis)?.node.get("levels");
            let Some(Node { value: Value::List(levels), .. }) = levels else {
                return Some(Vec::new());
            };
            Some(levels.iter().filter_map(|level| level.get("code")?.text()).map(str::to_owned).collect())
        }
        _ => None,
    }
}
