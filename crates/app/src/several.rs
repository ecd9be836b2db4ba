//! Several people at once: their contexts, and their Patients, with one journey to the database.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mimamori_domain::{Error, ErrorKind, Result, SubjectId};
use mimamori_store::statements::access;
use mimamori_store::{AccessKey, MAX_LIST, ObjectVersion, Question, Row, Value};

use crate::context::{SubjectContext, object_from_row};
use crate::together::each;
use crate::{App, sql};

/// A person's Patient as it is now, and what decides about it.
pub(crate) struct Person {
    pub(crate) patient: ObjectVersion,
    pub(crate) context: Arc<SubjectContext>,
}

impl App {
    /// People by their ids; who is not there, or of whom nothing can be opened any more, is left out.
    pub(crate) async fn several(&self, subjects: &[SubjectId]) -> Result<HashMap<SubjectId, Person>> {
        let mut people = HashMap::with_capacity(subjects.len());
        for some in distinct(subjects).chunks(MAX_LIST) {
            // The access versions come first: what is read with them is guarded on them.
            let patients = Question { statement: &sql::CURRENT_OF, args: Vec::new(), lists: vec![ids(some)] };
            let found = self.store.query_together(vec![versions_question(some), patients]).await?;
            let [versions, patients] = <[Vec<Row>; 2]>::try_from(found)
                .map_err(|_| Error::internal("people have another number of answers"))?;
            let mut contexts = self.contexts_as_of(some, &versions).await?;
            for mut row in patients {
                let patient = object_from_row(&mut row)?;
                let subject = SubjectId::from(patient.object);
                if let Some(context) = contexts.remove(&subject) {
                    people.insert(subject, Person { patient, context });
                }
            }
        }
        Ok(people)
    }

    /// The contexts of people by their ids; of whom nothing can be opened any more is left out.
    pub(crate) async fn several_contexts(
        &self,
        subjects: &[SubjectId],
    ) -> Result<HashMap<SubjectId, Arc<SubjectContext>>> {
        let mut contexts = HashMap::with_capacity(subjects.len());
        for some in distinct(subjects).chunks(MAX_LIST) {
            let versions = self.store.query_many(&access::VERSIONS, Vec::new(), ids(some)).await?;
            contexts.extend(self.contexts_as_of(some, &versions).await?);
        }
        Ok(contexts)
    }

    async fn contexts_as_of(
        &self,
        subjects: &[SubjectId],
        versions: &[Row],
    ) -> Result<HashMap<SubjectId, Arc<SubjectContext>>> {
        let versions = versions_of_subjects(versions)?;
        let one = |subject: &SubjectId| {
            let (subject, version) = (*subject, versions.get(subject).copied().unwrap_or(0));
            async move {
                match self.subject_context_as_of(subject, version).await {
                    Ok(context) => Ok(Some((subject, context))),
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            }
        };
        let found = each(subjects.iter().map(one).collect()).await?;
        Ok(found.into_iter().flatten().collect())
    }
}

fn distinct(subjects: &[SubjectId]) -> Vec<SubjectId> {
    subjects.iter().copied().collect::<HashSet<_>>().into_iter().collect()
}

fn ids(subjects: &[SubjectId]) -> Vec<Value> {
    subjects.iter().copied().map(Value::from).collect()
}

fn versions_question(subjects: &[SubjectId]) -> Question {
    Question { statement: &access::VERSIONS, args: Vec::new(), lists: vec![ids(subjects)] }
}

/// The access versions of people among rows of ids, scopes and versions.
fn versions_of_subjects(rows: &[Row]) -> Result<HashMap<SubjectId, i64>> {
    let mut versions = HashMap::with_capacity(rows.len());
    for row in rows {
        let subject: SubjectId = row.id_of(0).map_err(Error::unavailable)?;
        let key = AccessKey::from(subject);
        if row.int(1).map_err(Error::unavailable)? == i64::from(key.scope as u8) {
            versions.insert(subject, row.int(2).map_err(Error::unavailable)?);
        }
    }
    Ok(versions)
}
