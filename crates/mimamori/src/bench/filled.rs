//! A filled installation: people and records through the import, and who asks for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mimamori_app::{App, Caller, NewStaff, Origin};
use mimamori_demo::{Options, Person, SUBJECT, city, people};
use mimamori_domain::{Clock, InstitutionId, ObjectId, OccupationCode, SubjectId};
use mimamori_store::ColumnType::{Blob, Int, Text};
use mimamori_store::{Statement, Store};
use tokio::task::JoinSet;

use super::random::Order;
use super::report::{Measured, Report};
use super::world::World;
use super::{Arguments, Part, broken};
use crate::command::demo;
use crate::exit::Result;
use crate::installation::Installation;

/// Lines of NDJSON per call, and calls at a time: as `mimamori import` does it.
const LINES: usize = 200;
const CONCURRENT: usize = 8;
/// People made before the clock starts, so that making them is not measured; then the next ones.
const PEOPLE_AT_A_TIME: usize = 10_000;
/// The most records in the order of work.
const MOST_RECORDS: usize = 400_000;
/// No secret: the installation is gone when the measurement ends.
const PASSWORD: &str = "Sakura-no-hana-2026";

/// Records of one kind, in the order of their random ids.
static RECORDS: Statement = Statement::read(
    "bench_records",
    "SELECT object, subject FROM object_head WHERE kind = $1 AND object > $2 AND subject IS NOT NULL \
     ORDER BY object LIMIT $3",
    &[Text, Blob, Int],
    &[Blob, Blob],
);

/// How large the database is, in bytes.
static SIZE_SQLITE: Statement = Statement::read(
    "bench_size",
    "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    &[],
    &[Int],
);
static SIZE_POSTGRES: Statement =
    Statement::read("bench_size", "SELECT pg_database_size(current_database())", &[], &[Int]);

/// How many rows of the clinical index a record has.
pub static INDEX_ROWS: Statement = Statement::read(
    "bench_index_rows",
    "SELECT CAST(count(*) AS bigint) FROM clinical_index WHERE object = $1",
    &[Blob],
    &[Int],
);

/// What there is to ask for, and with what.
#[derive(Clone)]
pub struct Filled {
    /// Of a program that may read and write everything of the institution that answers.
    pub bearer: String,
    /// Of a doctor of that institution, for the cookie.
    pub session: String,
    /// Observations and whose they are, in the order of work.
    pub records: Arc<Vec<(ObjectId, SubjectId)>>,
    /// One of the made-up observations, about [`SUBJECT`].
    pub observation: Arc<str>,
}

/// The secrets stay out of debug output.
impl std::fmt::Debug for Filled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Filled").field("records", &self.records.len()).finish_non_exhaustive()
    }
}

/// Fills the installation through the import.
///
/// # Errors
/// When anything is refused: the made-up city is valid.
pub async fn fill(world: &World, arguments: &Arguments, report: &mut Report) -> Result<Filled> {
    let installation = world.open().await?;
    let (app, operator) = (Arc::clone(&installation.app), installation.operator());
    let options = Options::bench(arguments.seed, arguments.people, installation.clock.now());
    let made = city(&options);
    let organization = made.institutions.first().ok_or_else(|| broken("the city has no institution"))?;
    let institution = app.add_institution(&operator, &organization.organization).await?;
    let (observation, measured) =
        import(&installation, &operator, institution, people(&options, &made)).await?;
    if arguments.wants(Part::Import) {
        report.keep(measured);
    }
    let bearer = app.create_token(&operator, "measurement", institution, &["*.*".to_owned()], 1).await?;
    let session = sign_in_doctor(&app, &operator, institution).await?;
    let records = records(installation.store.as_ref(), arguments.seed).await?;
    if records.is_empty() {
        return Err(broken("nothing was imported"));
    }
    installation.close().await;
    Ok(Filled { bearer, session, records: Arc::new(records), observation: observation.into() })
}

/// Fills people and their records into a city that is there already, at an institution of their own.
///
/// # Errors
/// As [`fill`].
pub async fn add_others(world: &World, arguments: &Arguments) -> Result<()> {
    let installation = world.open().await?;
    let operator = installation.operator();
    // Those of a larger city, without the ones who live in this one already.
    let everybody = arguments.people.saturating_add(demo::PEOPLE);
    let options = Options::bench(arguments.seed, everybody, installation.clock.now());
    let made = city(&options);
    let organization = made.institutions.first().ok_or_else(|| broken("the city has no institution"))?;
    let institution = installation.app.add_institution(&operator, &organization.organization).await?;
    let others = people(&options, &made).skip(demo::PEOPLE as usize);
    import(&installation, &operator, institution, others).await?;
    installation.close().await;
    Ok(())
}

async fn sign_in_doctor(app: &App, operator: &Caller, institution: InstitutionId) -> Result<String> {
    let doctor = NewStaff {
        login: "doctor".to_owned(),
        name: "測定 医師".to_owned(),
        kana: None,
        occupation: Some(OccupationCode::new("doctor").map_err(broken)?),
        institution: Some(institution),
        roles: Vec::new(),
        password: PASSWORD.to_owned(),
    };
    app.add_staff(operator, &doctor).await?;
    Ok(app.sign_in("doctor", PASSWORD, &Origin::default()).await?.token)
}

/// Imports everybody; gives one observation as an example.
async fn import(
    installation: &Installation,
    operator: &Caller,
    institution: InstitutionId,
    people: impl Iterator<Item = Person>,
) -> Result<(String, Measured)> {
    let before = database_bytes(installation.store.as_ref()).await?;
    let (mut elapsed, mut stored, mut sent) = (Duration::ZERO, 0, 0);
    let mut observation = None;
    let mut everybody = people.peekable();
    while everybody.peek().is_some() {
        let some: Vec<Person> = everybody.by_ref().take(PEOPLE_AT_A_TIME).collect();
        if observation.is_none() {
            observation = some
                .iter()
                .flat_map(|person| &person.resources)
                .find(|resource| resource.kind.as_str() == "Observation")
                .map(|resource| resource.fhir.clone());
        }
        let pieces = pieces(&some);
        sent += pieces.iter().flatten().map(|line| line.len() as u64).sum::<u64>();
        let begun = Instant::now();
        let mut running = JoinSet::new();
        for piece in pieces {
            if running.len() >= CONCURRENT
                && let Some(done) = running.join_next().await
            {
                stored += done.map_err(broken)??;
            }
            let (app, operator) = (Arc::clone(&installation.app), operator.clone());
            running.spawn(async move {
                let report = app.import_lines(&operator, institution, &piece).await?;
                match report.problems.first() {
                    Some((place, rule)) => Err(broken(format!("the import found: {place}: {rule}"))),
                    None => Ok(report.stored),
                }
            });
        }
        while let Some(done) = running.join_next().await {
            stored += done.map_err(broken)??;
        }
        elapsed += begun.elapsed();
    }
    let grown = database_bytes(installation.store.as_ref()).await?.saturating_sub(before);
    let each = |bytes: u64| bytes as f64 / stored.max(1) as f64;
    let measured = Measured::new("import", None)
        .with("per_second", stored as f64 / elapsed.as_secs_f64().max(1e-9))
        .with("resources", stored as f64)
        .with("seconds", elapsed.as_secs_f64())
        .with("sent_bytes_per_record", each(sent))
        .with("database_bytes_per_record", each(grown));
    Ok((observation.ok_or_else(|| broken("the city has no observation"))?, measured))
}

/// NDJSON: whole people together, each with an id that their records refer to.
fn pieces(people: &[Person]) -> Vec<Vec<Bytes>> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    for person in people {
        let patient = person.patient.replacen('{', &format!("{{\"id\":\"{}\",", person.key), 1);
        piece.push(Bytes::from(patient));
        let reference = format!("Patient/{}", person.key);
        // Notes to colleagues, answers and papers name what an import does not bring.
        let lines = person.resources.iter().map(|resource| resource.fhir.replace(SUBJECT, &reference));
        piece.extend(lines.filter(|line| !line.contains("/{")).map(Bytes::from));
        if piece.len() >= LINES {
            pieces.push(std::mem::take(&mut piece));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

/// Observations in the order of work: people take turns at random.
async fn records(store: &dyn Store, seed: u64) -> Result<Vec<(ObjectId, SubjectId)>> {
    let mut records = Vec::new();
    let mut after = Vec::new();
    while records.len() < MOST_RECORDS {
        let rows = store
            .query(&RECORDS, vec!["Observation".into(), after.into(), 10_000_i64.into()])
            .await
            .map_err(broken)?;
        let Some(last) = rows.last() else { break };
        after = last.blob(0).map_err(broken)?.to_vec();
        for row in &rows {
            records.push((row.id_of(0).map_err(broken)?, row.id_of(1).map_err(broken)?));
        }
    }
    // The ids are random: sorted first, so that only the seed decides about what follows.
    Order::new(seed).shuffle(&mut records);
    Ok(records)
}

/// How large the database is now, in bytes.
///
/// # Errors
/// When it cannot be asked.
pub async fn database_bytes(store: &dyn Store) -> Result<u64> {
    let statement = if store.database() == "sqlite" { &SIZE_SQLITE } else { &SIZE_POSTGRES };
    let row = store.query_one(statement, Vec::new()).await.map_err(broken)?;
    row.ok_or_else(|| broken("the database does not tell its size"))?.unsigned(0).map_err(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An identifier belongs to one person: those who are filled into a city that is there share none with it.
    #[test]
    fn others_have_other_identifiers_than_the_people_of_the_city() {
        let now = mimamori_domain::Timestamp::from_micros(1_790_000_000_000_000);
        let values = |options: &Options, skip: u32, most: usize| -> Vec<String> {
            let made = city(options);
            let found: Vec<String> = people(options, &made)
                .skip(skip as usize)
                .take(most)
                .flat_map(|person| {
                    let patient: serde_json::Value = serde_json::from_str(&person.patient).unwrap();
                    let all = patient["identifier"].as_array().cloned().unwrap_or_default();
                    all.into_iter().map(|one| format!("{} {}", one["system"], one["value"]))
                })
                .collect();
            assert!(!found.is_empty());
            found
        };
        let there = values(&Options::demo(1, demo::PEOPLE, now), 0, usize::MAX);
        let others = values(&Options::bench(1, demo::PEOPLE + 2_000, now), demo::PEOPLE, 2_000);
        let mut all: Vec<&String> = there.iter().chain(&others).collect();
        all.sort();
        let before = all.len();
        all.dedup();
        assert_eq!(all.len(), before);
    }

    #[test]
    fn lines_of_a_person_refer_to_the_person() {
        let options = Options::bench(1, 12, mimamori_domain::Timestamp::from_micros(1_790_000_000_000_000));
        let made = city(&options);
        let some: Vec<Person> = people(&options, &made).collect();
        let pieces = pieces(&some);
        let lines: Vec<&Bytes> = pieces.iter().flatten().collect();
        let records: usize = some.iter().map(|person| person.resources.len()).sum();
        // Nearly all: few notes name a colleague.
        assert!((records * 9 / 10..=records).contains(&(lines.len() - some.len())), "{}", lines.len());
        for line in lines {
            let value: serde_json::Value = serde_json::from_slice(line).unwrap();
            assert!(!value.to_string().contains("/{"));
            assert!(
                value["resourceType"] != "Patient" || value["id"].as_str().unwrap().starts_with("person-")
            );
        }
    }
}
