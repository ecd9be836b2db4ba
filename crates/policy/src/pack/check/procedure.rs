//! Procedures: form, steps, effects, what they write and how they are printed.

use std::collections::{BTreeMap, BTreeSet};

use super::field::{Place, check_condition, condition, fields, values};
use super::{Context, Object, register, warning};
use crate::pack::model::{
    Committee, Effect, EffectKind, Emergency, Field, FieldReference, FieldType, Majority, ObjectKind, Of,
    PrintLayout, Procedure, ProcedureKind, Records, Register, Source, Step, StepKind, StepRule, Who,
};
use crate::pack::reader::Allowed;
use crate::pack::{PackProblem, Parameter, Role};
use crate::text::Text;

pub(super) fn procedures(
    cx: &Context<'_>,
    parameters: &BTreeMap<String, Parameter>,
    registers: &[Register],
) -> Vec<Procedure> {
    cx.read(ObjectKind::Procedure, |object| {
        let (name, help) = (object.name(), object.help());
        let kind = object.need_word("kind");
        let applicants = applicants(object, kind);
        let form = fields(object, Place::Form);
        let steps = steps(object, &form);
        let emergency = emergency(object);
        let leaver = leaver(object, &form);
        let retention = register::retention(object, parameters);
        let code = object.code()?;
        let mut procedure = Procedure {
            clauses: cx.united(object, ObjectKind::Procedure, &code),
            code,
            help,
            kind: kind?,
            applicants,
            fields: form,
            print: None,
            steps,
            leaver,
            emergency,
            effects: Vec::new(),
            records: None,
            retention,
            name: name.clone(),
        };
        conditions(object, &procedure);
        procedure.print = print(object, &procedure, &name);
        procedure.effects = effects(object, &procedure);
        procedure.records = records(object, &procedure, registers);
        Some(procedure)
    })
}

fn leaver(object: &Object<'_>, form: &[Field]) -> Option<String> {
    let code = object.text("leaver")?;
    if !form.iter().any(|field| field.code == code && field.kind == FieldType::Person && !field.many) {
        let line = object.line_of("leaver");
        object.problem_at(line, format!("leaver: {code} is no person field of the form"));
    }
    Some(code.to_owned())
}

fn applicants(object: &Object<'_>, kind: Option<ProcedureKind>) -> Vec<Who> {
    if kind == Some(ProcedureKind::Decision) {
        if object.has("applicants") {
            object.problem("nobody applies for a decision: applicants does not stand here");
        }
        return Vec::new();
    }
    object.need_who("applicants", Allowed::USERS)
}

fn steps(object: &Object<'_>, form: &[Field]) -> Vec<Step> {
    let rows = object.objects("steps", "step");
    if rows.is_empty() {
        object.problem("steps are missing");
    }
    let mut steps: Vec<Step> = Vec::new();
    for row in &rows {
        let step = step(row, form);
        row.finish();
        let Some(step) = step else { continue };
        if steps.iter().any(|s| s.code == step.code) {
            row.problem("stands twice");
            continue;
        }
        steps.push(step);
    }
    steps
}

fn step(row: &Object<'_>, form: &[Field]) -> Option<Step> {
    let (name, help) = (row.name(), row.help());
    let kind = row.need_word::<StepKind>("kind");
    let person = row.text("person").map(FieldReference::parse);
    let by =
        if person.is_some() { row.who("by", Allowed::ACTING) } else { row.need_who("by", Allowed::ACTING) };
    if let Some(person) = &person
        && !form
            .iter()
            .any(|f| person.step.is_none() && f.code == person.field && f.kind == FieldType::Person)
    {
        row.problem_at(row.line_of("person"), format!("person: {person} is no person field of the form"));
    }
    let of = row.word("of").unwrap_or(Of::Installation);
    if matches!(of, Of::AssetUnit | Of::AssetOwner) && !form.iter().any(|f| f.kind == FieldType::Asset) {
        row.problem_at(row.line_of("of"), format!("of: {of} needs an asset field in the form"));
    }
    let rule = rule(row);
    let to = row.who("to", Allowed::TOLD);
    let when = condition(row);
    let deadline = row.parsed("deadline");
    let code = row.code();
    let fields = fields(row, Place::Step(code.as_deref().unwrap_or_default(), form));
    let passes_to = row.who("passes-to", Allowed::ROLES);
    let delegates = row.who("delegates", Allowed::ROLES);
    let (kind, code) = (kind?, code?);
    if kind == StepKind::Inform && to.is_empty() {
        row.problem("an inform step names in to who is told");
    }
    let step = Step {
        code,
        name,
        help,
        kind,
        by,
        person,
        of,
        rule,
        to,
        when,
        deadline,
        fields,
        passes_to,
        delegates,
    };
    if step.decides() && step.by.contains(&Who::Applicant) {
        row.problem_at(row.line_of("by"), "by: who applies never reviews or approves");
    }
    Some(step)
}

fn rule(row: &Object<'_>) -> StepRule {
    let word = row.text("rule");
    let committee = row.object("committee").map(|committee| {
        let (least, majority) = (committee.need_number("least", 2, 1_000), committee.need_word("majority"));
        committee.finish();
        Committee { least: least.unwrap_or(2), majority: majority.unwrap_or(Majority::Half) }
    });
    match (word, committee) {
        (None | Some("one"), None) => StepRule::One,
        (Some("all"), None) => StepRule::All,
        (Some("committee"), Some(committee)) => StepRule::Committee(committee),
        (Some("committee"), None) => {
            row.problem("rule: committee needs committee: {least, majority}");
            StepRule::One
        }
        (_, Some(_)) => {
            row.problem_at(row.line_of("committee"), "committee stands only with rule: committee");
            StepRule::One
        }
        (Some(other), None) => {
            row.problem_at(
                row.line_of("rule"),
                format!("rule {other:?} is unknown; it is one of one, all, committee"),
            );
            StepRule::One
        }
    }
}

/// Steps' conditions speak of the form or of earlier steps.
fn conditions(object: &Object<'_>, procedure: &Procedure) {
    for row in object.objects("steps", "step") {
        let code = row.text("code").unwrap_or_default();
        let Some(place) = procedure.steps.iter().position(|step| step.code == code) else {
            continue;
        };
        let Some(when) = procedure.steps.get(place).and_then(|step| step.when.as_ref()) else {
            continue;
        };
        let earlier = when.field.step.as_ref().is_none_or(|step| {
            procedure.steps.iter().position(|s| s.code == *step).is_some_and(|other| other < place)
        });
        let field = procedure.field_at(&when.field).filter(|_| earlier);
        check_condition(&row, "when", when, field);
    }
}

fn emergency(object: &Object<'_>) -> Option<Emergency> {
    let row = object.object("emergency")?;
    let by = row.need_who("by", Allowed::STAFF);
    let report_within = row.need_parsed("report-within");
    row.finish();
    Some(Emergency { by, report_within: report_within? })
}

fn print(object: &Object<'_>, procedure: &Procedure, name: &Text) -> Option<PrintLayout> {
    let row = object.object("print")?;
    let number = row.text("number").map(str::to_owned);
    let title = row.pair("title-ja", "title-en", false).unwrap_or_else(|| name.clone());
    let to = row.pair("to-ja", "to-en", false);
    let mut rows = Vec::new();
    for line in row.list("rows") {
        let crate::pack::yaml::Value::List(cells) = &line.value else {
            row.problem_at(line.line, "rows: each row is a list of fields");
            continue;
        };
        let mut fields = Vec::new();
        for cell in cells {
            let reference = cell.text().map(FieldReference::parse);
            match reference.filter(|reference| procedure.field_at(reference).is_some()) {
                Some(reference) => fields.push(reference),
                None => {
                    let text = cell.text().unwrap_or("?");
                    row.problem_at(cell.line, format!("rows: no field {text:?} in the form or a step"));
                }
            }
        }
        rows.push(fields);
    }
    row.finish();
    Some(PrintLayout { number, title, to, rows })
}

fn effects(object: &Object<'_>, procedure: &Procedure) -> Vec<Effect> {
    let mut effects = Vec::new();
    for row in object.objects("effects", "effect") {
        let action = row.need_word::<EffectKind>("do");
        let with = row.object("with").map(|with| sources(&with, procedure)).unwrap_or_default();
        row.finish();
        let Some(action) = action else { continue };
        for argument in with.keys().filter(|a| !action.arguments().contains(&a.as_str())) {
            row.problem_at(
                row.line_of("with"),
                format!("{action} has no argument {argument:?}; known are {}", action.arguments().join(", ")),
            );
        }
        if let Some(first) = action.arguments().first().filter(|first| !with.contains_key(**first)) {
            row.problem(format!("{action} needs the argument {first}"));
        }
        if action == EffectKind::AdoptPack {
            adoption(object, &row, procedure, with.get("pack"));
        }
        effects.push(Effect { action, with });
    }
    if !effects.is_empty() && !procedure.steps.iter().any(|step| step.kind == StepKind::Approve) {
        object.problem_at(object.line_of("effects"), "effects wait for an approval, and no step approves");
    }
    effects
}

/// New rules come with the form, so that everybody who approves sees what they change; nobody acts
/// first and asks later.
fn adoption(object: &Object<'_>, row: &Object<'_>, procedure: &Procedure, from: Option<&Source>) {
    let field = match from {
        Some(Source::Field(reference)) if reference.step.is_none() => procedure.field_at(reference),
        _ => None,
    };
    let fits = |field: &Field| field.kind == FieldType::File && field.required && !field.many;
    if !field.is_some_and(|field| fits(field) && field.when.is_none()) {
        row.problem("adopt-pack takes its pack from a file of the form: one, required, without a condition");
    }
    if procedure.emergency.is_some() {
        object.problem_at(object.line_of("emergency"), "rules are not adopted before they are approved");
    }
}

/// A mapping of arguments or fields to where their values come from.
fn sources(row: &Object<'_>, procedure: &Procedure) -> BTreeMap<String, Source> {
    let mut sources = BTreeMap::new();
    for (key, node) in row.entries() {
        let Some(text) = node.text() else {
            row.problem_at(node.line, format!("{key}: a field, a word or \"=text\""));
            continue;
        };
        let source = match text {
            "applicant" => Source::Applicant,
            "decided-on" => Source::DecidedOn,
            "decided-by" => Source::DecidedBy,
            _ => match text.strip_prefix('=') {
                Some(fixed) => Source::Text(fixed.to_owned()),
                None => {
                    let reference = FieldReference::parse(text);
                    if procedure.field_at(&reference).is_none() {
                        row.problem_at(node.line, format!("{key}: no field {text:?} in the form or a step"));
                        continue;
                    }
                    Source::Field(reference)
                }
            },
        };
        sources.insert(key.to_owned(), source);
    }
    sources
}

fn records(object: &Object<'_>, procedure: &Procedure, registers: &[Register]) -> Option<Records> {
    let row = object.object("records")?;
    let code = row.need_reference("register", ObjectKind::Register);
    let mapped = row.object("fields");
    row.finish();
    let fields = mapped.as_ref().map(|fields| sources(fields, procedure)).unwrap_or_default();
    let register = registers.iter().find(|register| Some(&register.code) == code.as_ref())?;
    let written: BTreeSet<&str> = mapped.iter().flat_map(|m| m.entries().map(|(key, _)| key)).collect();
    for key in &written {
        match register.field(key) {
            None => row.problem_at(
                row.line_of("fields"),
                format!("register {} has no field {key:?}", register.code),
            ),
            Some(Field { kind: FieldType::Derived(_), .. }) => {
                row.problem_at(row.line_of("fields"), format!("{key} is derived and never written"));
            }
            Some(field) => {
                if let (Some(Source::Text(fixed)), Some(codes)) = (fields.get(*key), values(&row, field))
                    && !codes.contains(fixed)
                {
                    row.problem_at(row.line_of("fields"), format!("{key} is never {fixed:?}"));
                }
            }
        }
    }
    // What is required always, or whenever what it depends on is written at all.
    for field in register.fields.iter().filter(|f| f.required && !written.contains(f.code.as_str())) {
        let asked = match &field.when {
            None => true,
            Some(when) => match fields.get(&when.field.field) {
                Some(Source::Text(fixed)) => when.is.contains(fixed),
                _ => false,
            },
        };
        if asked {
            row.problem_at(
                row.line_of("fields"),
                format!("register {} requires the field {}, which nothing fills", register.code, field.code),
            );
        }
    }
    Some(Records { register: register.code.clone(), fields })
}

/// Steps that only somebody who may apply could decide, where nothing says to whom they pass; and steps
/// that would decide about what is done already.
pub(super) fn warnings(cx: &Context<'_>, procedures: &[Procedure], roles: &[Role]) -> Vec<PackProblem> {
    let appointed = |who: &Who| match who {
        Who::Role(code) => roles.iter().any(|r| r.code == *code && !r.appointed_by.is_empty()),
        _ => false,
    };
    let mut warnings = Vec::new();
    for procedure in procedures {
        for step in procedure.steps.iter().filter(|step| step.decides() && step.person.is_none()) {
            let only_applicants = step.by.iter().all(|who| procedure.applicants.contains(who));
            if only_applicants
                && step.passes_to.is_empty()
                && step.delegates.is_empty()
                && !matches!(step.rule, StepRule::Committee(_))
                && !step.by.iter().any(appointed)
            {
                let message = format!(
                    "procedure {}, step {}: only those who may apply could decide, and nothing says to whom it passes",
                    procedure.code, step.code
                );
                warnings.push(warning(cx.merged, ObjectKind::Procedure, &procedure.code, message));
            }
        }
        for step in after_the_effects(procedure) {
            let message = format!(
                "procedure {}, step {}: decides after the last approval, when its effects are done: it can pass the form, but neither refuse it nor give it back",
                procedure.code, step.code
            );
            warnings.push(warning(cx.merged, ObjectKind::Procedure, &procedure.code, message));
        }
    }
    warnings
}

/// The steps that review or resolve although the effects of the procedure are done by then.
fn after_the_effects(procedure: &Procedure) -> impl Iterator<Item = &Step> {
    let last = procedure.steps.iter().rposition(|step| step.kind == StepKind::Approve);
    let from = match last {
        Some(last) if !procedure.effects.is_empty() => last + 1,
        _ => procedure.steps.len(),
    };
    let decides = |step: &&Step| step.decides() || matches!(step.rule, StepRule::Committee(_));
    procedure.steps.iter().skip(from).filter(decides)
}
