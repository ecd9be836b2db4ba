//! Classification, incidents, controls, and what only the site knows.

use super::{Context, Object};
use crate::pack::model::{
    Attestation, CHECKS, ClassificationAxis, ClassificationLevel, Disclosure, IncidentLevel, Informative,
    Measure, ObjectKind, Restriction, System, Unit, Wording,
};
use crate::pack::reader::Allowed;
use crate::text::Text;

pub(super) fn classification(cx: &Context<'_>) -> Vec<ClassificationAxis> {
    cx.read(ObjectKind::Classification, |object| {
        let (name, help) = (object.name(), object.help());
        let mut levels: Vec<ClassificationLevel> = Vec::new();
        for row in object.objects("levels", "level") {
            let level = level(&row);
            row.finish();
            let Some(level) = level else { continue };
            if levels.iter().any(|l| l.code == level.code) {
                row.problem("stands twice");
                continue;
            }
            levels.push(level);
        }
        if levels.is_empty() {
            object.problem("levels are missing");
        }
        let code = object.code()?;
        let clauses = cx.united(object, ObjectKind::Classification, &code);
        Some(ClassificationAxis { code, name, help, clauses, levels })
    })
}

fn level(row: &Object<'_>) -> Option<ClassificationLevel> {
    let (name, help, clauses) = (row.name(), row.help(), row.clauses());
    let mut restrictions = Vec::new();
    for restriction in row.objects("restrictions", "restriction") {
        let (name, clauses, code) = (restriction.name(), restriction.clauses(), restriction.code());
        restriction.finish();
        restrictions.extend(code.map(|code| Restriction { code, name, clauses }));
    }
    Some(ClassificationLevel { code: row.code()?, name, help, clauses, restrictions })
}

pub(super) fn incidents(cx: &Context<'_>) -> Vec<IncidentLevel> {
    cx.read(ObjectKind::Incident, |object| {
        let (name, help) = (object.name(), object.help());
        let (ja, en) = (object.texts("demands-ja"), object.texts("demands-en"));
        if ja.len() != en.len() {
            object.problem(format!("{} demands in ja, {} in en", ja.len(), en.len()));
        }
        let demands = ja.iter().zip(&en).map(|((ja, _), (en, _))| Text::new(*ja, *en)).collect();
        let procedure = object.reference("procedure", ObjectKind::Procedure);
        let tell = object.who("tell", Allowed { applicant: false, ..Allowed::TOLD });
        let within = object.parsed("within");
        let code = object.code()?;
        let clauses = cx.united(object, ObjectKind::Incident, &code);
        Some(IncidentLevel { code, name, help, clauses, demands, procedure, tell, within })
    })
}

pub(super) fn measures(cx: &Context<'_>) -> Vec<Measure> {
    cx.read(ObjectKind::Measure, |object| {
        let (name, help) = (object.name(), object.help());
        let check = object.need_text("check").filter(|check| {
            let known = CHECKS.contains(check);
            if !known {
                object.problem_at(
                    object.line_of("check"),
                    format!("no check {check:?}; known are {}", CHECKS.join(", ")),
                );
            }
            known
        });
        let code = object.code()?;
        let clauses = cx.united(object, ObjectKind::Measure, &code);
        Some(Measure { code, name, help, clauses, check: check?.to_owned() })
    })
}

pub(super) fn attestations(cx: &Context<'_>) -> Vec<Attestation> {
    cx.read(ObjectKind::Attestation, |object| {
        let (name, help) = (object.name(), object.help());
        let owner = object.need_who("owner", Allowed::ROLES);
        let valid = object.need_parsed("valid");
        let evidence = object.pair("evidence-ja", "evidence-en", false);
        let code = object.code()?;
        let clauses = cx.united(object, ObjectKind::Attestation, &code);
        Some(Attestation { code, name, help, clauses, owner, valid: valid?, evidence })
    })
}

pub(super) fn disclosures(cx: &Context<'_>) -> Vec<Disclosure> {
    cx.read(ObjectKind::Disclosure, |object| {
        let (name, help) = (object.name(), object.help());
        let document = object.need_reference("document", ObjectKind::Document);
        let code = object.code()?;
        let clauses = cx.united(object, ObjectKind::Disclosure, &code);
        Some(Disclosure { code, name, help, clauses, document: document? })
    })
}

pub(super) fn informative(cx: &Context<'_>) -> Vec<Informative> {
    cx.read(ObjectKind::Informative, |object| {
        Some(Informative { clauses: object.clauses(), name: object.name() })
    })
}

pub(super) fn units(cx: &Context<'_>) -> Vec<Unit> {
    cx.read(ObjectKind::Unit, |object| Some(Unit { name: object.name(), code: object.code()? }))
}

pub(super) fn systems(cx: &Context<'_>) -> Vec<System> {
    cx.read(ObjectKind::System, |object| Some(System { name: object.name(), code: object.code()? }))
}

pub(super) fn wordings(cx: &Context<'_>) -> Vec<Wording> {
    cx.read(ObjectKind::Wording, |object| {
        let text = object.name();
        Some(Wording { procedure: object.need_reference("procedure", ObjectKind::Procedure)?, text })
    })
}
