//! Rows by which records are found: clinical index and search tokens. They can be rebuilt from the
//! records, so the ledger does not commit to them.

use mimamori_domain::{Kind, ObjectId, SubjectId, Timestamp};
use mimamori_fhir::{Representation, SearchValues};
use mimamori_store::{Change, Value, tables};
use mimamori_vault::{BirthDate, IndexField, IndexKey, PersonName, Script, SubjectIndex, Token};

/// The interval of a record that states no date: it is found by any.
const ALWAYS: (i64, i64) = (i64::MIN, i64::MAX);

/// What a record is sorted by: the beginning of what it states as its date, else when it was
/// recorded. What is planned was news when it was recorded; its day still lies ahead of all news.
pub(crate) fn sort_time(values: &SearchValues, recorded: Timestamp) -> Timestamp {
    let stated = match values.date {
        Some((start, _)) if start > i64::MIN => Timestamp::from_micros(start),
        Some((_, finish)) if finish < i64::MAX => Timestamp::from_micros(finish),
        _ => recorded,
    };
    stated.min(recorded)
}

/// The tokens that a clinical search may ask for: each code and category, with and without its
/// system, made with the subject's own key.
pub(crate) fn code_tokens(index: &SubjectIndex, system: &str, code: &str) -> Token {
    index.code_token(system, code)
}

/// The system under which categories are indexed, so that a category never meets a code.
pub(crate) const CATEGORY: &str = "category|";

/// Rows of the clinical index for one record.
pub(crate) fn clinical_rows(
    index: &SubjectIndex,
    subject: SubjectId,
    kind: &Kind,
    object: ObjectId,
    values: &SearchValues,
) -> Change {
    let (start, finish) = values.date.unwrap_or(ALWAYS);
    let mut tokens: Vec<Vec<u8>> = vec![Vec::new()];
    for (system, code) in &values.codes {
        tokens.push(code_tokens(index, system, code).to_vec());
        tokens.push(code_tokens(index, "", code).to_vec());
    }
    for (system, code) in &values.categories {
        tokens.push(code_tokens(index, &format!("{CATEGORY}{system}"), code).to_vec());
        tokens.push(code_tokens(index, CATEGORY, code).to_vec());
    }
    tokens.sort_unstable();
    tokens.dedup();
    let rows = tokens
        .into_iter()
        .map(|token| {
            vec![
                subject.into(),
                kind.as_str().to_owned().into(),
                token.into(),
                start.into(),
                finish.into(),
                object.into(),
            ]
        })
        .collect();
    Change::Insert { table: &tables::CLINICAL_INDEX, rows }
}

/// The number under which a field's tokens are stored: its place in the vault's list.
pub(crate) fn field_number(field: IndexField) -> i64 {
    IndexField::all().position(|other| other == field).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
}

/// A Patient's names as the index takes them.
pub(crate) fn person_names(values: &SearchValues) -> Vec<PersonName> {
    values
        .names
        .iter()
        .flat_map(|name| {
            let given = name.given.join("");
            let family = name.family.as_deref().unwrap_or_default();
            let script = match name.representation {
                Some(Representation::Syllabic) => Script::Kana,
                Some(_) => Script::Written,
                None => Script::of(&format!("{family}{given}{}", name.text.as_deref().unwrap_or_default())),
            };
            let parts =
                (!family.is_empty() || !given.is_empty()).then(|| PersonName::new(script, family, &given));
            parts.into_iter().chain(name.text.as_deref().map(|text| PersonName::from_text(script, text)))
        })
        .collect()
}

/// Search tokens of a Patient: names and their beginnings, kana, birth date, identifiers.
pub(crate) fn person_token_rows(indexes: &[IndexKey], subject: SubjectId, values: &SearchValues) -> Change {
    let rows = indexes.iter().flat_map(|index| token_rows(index, subject, values)).collect();
    Change::Insert { table: &tables::SEARCH_TOKEN, rows }
}

fn token_rows(index: &IndexKey, subject: SubjectId, values: &SearchValues) -> Vec<Vec<Value>> {
    let mut tokens: Vec<(IndexField, Token)> = Vec::new();
    for name in person_names(values) {
        tokens.extend(name.tokens(index));
    }
    if let Some(date) = values.birth_date.as_deref().and_then(BirthDate::new) {
        tokens.extend(date.tokens(index));
    }
    for (system, value) in &values.identifiers {
        for system in ["", system.as_str()] {
            tokens.push((IndexField::Identifier, index.identifier(system, value)));
        }
    }
    tokens.sort_unstable();
    tokens.dedup();
    tokens
        .into_iter()
        .map(|(field, token)| {
            vec![
                field_number(field).into(),
                token.to_vec().into(),
                ObjectId::from(subject).into(),
                subject.into(),
                index.generation().into(),
            ]
        })
        .collect()
}
