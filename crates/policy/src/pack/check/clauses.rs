//! Catalogues, and which object answers which clause.

use std::collections::{BTreeMap, BTreeSet};

use super::{Context, Object};
use crate::pack::model::{Answer, Catalogue, Chapter, Clause, How, ObjectKind};
use crate::pack::reader::Word as _;
use crate::pack::{Objects, PackProblem, Parameter, Role};

pub(super) fn catalogues(cx: &Context<'_>) -> Vec<Catalogue> {
    let mut catalogues = cx.read(ObjectKind::Catalogue, |object| {
        let name = object.name();
        let code = object.need_text("catalogue")?.to_owned();
        let mut chapters: Vec<Chapter> = Vec::new();
        for row in object.objects("chapters", "chapter") {
            let (name, code) = (row.name(), row.need_text("code"));
            row.finish();
            chapters.extend(code.map(|code| Chapter { code: code.to_owned(), name }));
        }
        let mut seen = BTreeSet::new();
        let mut clauses = Vec::new();
        for node in object.list("clauses") {
            let id = node.get("id").and_then(crate::pack::yaml::Node::text).unwrap_or("?");
            let row = Object::new(cx, object.file, format!("clause {id}"), node);
            let clause = clause(&row, &code);
            row.finish();
            let Some(clause) = clause else { continue };
            if !seen.insert(clause.id.clone()) {
                row.problem("stands twice");
                continue;
            }
            clauses.push(clause);
        }
        if clauses.is_empty() {
            object.problem("clauses are missing");
        }
        Some(Catalogue { code, name, chapters, clauses })
    });
    catalogues.sort_by_key(|catalogue| cx.merged.catalogues.iter().position(|code| *code == catalogue.code));
    catalogues
}

fn clause(row: &Object<'_>, catalogue: &str) -> Option<Clause> {
    let text = row.name();
    let reference = row.need_text("ref");
    let mut how = Vec::new();
    for (word, line) in row.texts("how") {
        match How::of(word) {
            Some(word) => how.push(word),
            None => row.problem_at(
                line,
                format!("how {word:?} is unknown; it is one of {}", How::words().join(", ")),
            ),
        }
    }
    let (scope, module) = (row.word("scope"), row.text("module").map(str::to_owned));
    let id = row.need_text("id")?;
    let fits = id.strip_prefix(catalogue).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
    });
    if !fits {
        row.problem_at(
            row.line_of("id"),
            format!("the id is {catalogue}. and a number of letters, digits, '-', '.' and '_'"),
        );
    }
    Some(Clause { id: id.to_owned(), reference: reference?.to_owned(), text, how, scope, module })
}

/// Fills in the two indexes, and tells of clauses that what was left out leaves without an answer.
pub(super) fn index(
    cx: &Context<'_>,
    parameters: &BTreeMap<String, Parameter>,
    roles: &[Role],
    objects: &mut Objects,
) {
    for (place, catalogue) in objects.catalogues.iter().enumerate() {
        for (at, clause) in catalogue.clauses.iter().enumerate() {
            if objects.clauses.insert(clause.id.clone(), (place, at)).is_some() {
                let raw = cx.merged.raw(ObjectKind::Catalogue, &catalogue.code);
                let file = raw.map_or("", |raw| raw.file.as_str());
                cx.problem(file, 0, format!("clause {} stands in two catalogues", clause.id));
            }
        }
    }
    let mut answers: BTreeMap<String, BTreeSet<Answer>> = BTreeMap::new();
    let mut answer = |kind, code: &str, clauses: &[String]| {
        for clause in clauses {
            answers.entry(clause.clone()).or_default().insert(Answer { kind, code: code.to_owned() });
        }
    };
    for parameter in parameters.values() {
        answer(ObjectKind::Parameter, &parameter.key, &parameter.clauses);
    }
    for role in roles {
        answer(ObjectKind::Role, role.code.as_str(), &role.clauses);
    }
    macro_rules! all {
        ($($list:ident: $kind:ident;)*) => {$(
            for object in &objects.$list {
                answer(ObjectKind::$kind, &object.code, &object.clauses);
            }
        )*};
    }
    all! {
        registers: Register;
        procedures: Procedure;
        schedules: Schedule;
        documents: Document;
        classification: Classification;
        incidents: Incident;
        measures: Measure;
        attestations: Attestation;
        disclosures: Disclosure;
    }
    for axis in &objects.classification {
        for level in &axis.levels {
            let code = format!("{}.{}", axis.code, level.code);
            answer(ObjectKind::Level, &code, &level.clauses);
            for restriction in &level.restrictions {
                answer(ObjectKind::Level, &code, &restriction.clauses);
            }
        }
    }
    for informative in &objects.informative {
        let code = informative.clauses.first().map_or("", String::as_str);
        answer(ObjectKind::Informative, code, &informative.clauses);
    }
    for (id, found) in &answers {
        let asks_nothing = found.iter().find(|a| a.kind == ObjectKind::Informative);
        if let (Some(informative), true) = (asks_nothing, found.len() > 1) {
            let raw = cx.merged.raw(ObjectKind::Informative, &informative.code);
            let (file, line) = raw.map_or(("", 0), |raw| (raw.file.as_str(), raw.line));
            let others = found.iter().filter(|a| a.kind != ObjectKind::Informative);
            if let Some(other) = others.into_iter().next() {
                cx.problem(
                    file,
                    line,
                    format!("clause {id} is informative, yet {} {} answers it", other.kind, other.code),
                );
            }
        }
    }
    objects.answers = answers.into_iter().map(|(id, found)| (id, found.into_iter().collect())).collect();
    for left_out in &cx.merged.left_out {
        for id in left_out
            .clauses
            .iter()
            .filter(|id| cx.merged.clause_ids.contains_key(*id) && !objects.answers.contains_key(*id))
        {
            cx.problem(
                &left_out.file,
                left_out.line,
                format!(
                    "leaves-out: clause {id}, which {} answered, is answered by nothing else",
                    left_out.label
                ),
            );
        }
    }
}

/// Clauses that nothing answers.
pub(super) fn warnings(cx: &Context<'_>, objects: &Objects) -> Vec<PackProblem> {
    let open = cx.merged.clause_ids.iter().filter(|(id, _)| !objects.answers.contains_key(*id));
    open.map(|(id, (file, line))| PackProblem {
        file: file.clone(),
        line: *line,
        message: format!("clause {id} is answered by nothing"),
    })
    .collect()
}
