//! What was noted about visits is written down: by several people at the same time, each in one sitting.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mimamori_app::{App, Caller, CreateAs, Paging, RecordFile, Stored, TimelineFilter};
use mimamori_demo::{ANSWERED, DemoFile};
use mimamori_domain::{Error, ErrorKind, ObjectId, SubjectId};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::care::{Visit, Written};
use crate::cast::Seat;
use crate::fill::{LeftOut, leave_out, merge};
use crate::history::{History, Job};

/// So many people write at the same time.
const TOGETHER: usize = 48;
/// Who begins within so long of the first writes at the same time.
const MEANWHILE: Duration = Duration::from_secs(20 * 60);
/// A record that others keep changing is tried again so often.
const TRIES: usize = 8;

/// Notes that may be answered, by whom they are about and their number.
pub type Notes = HashMap<(SubjectId, u32), ObjectId>;

/// What one person writes.
struct Sitting {
    app: Arc<App>,
    seat: Seat,
    visits: Vec<Visit>,
    notes: Notes,
    left_out: LeftOut,
}

/// Lets one person write what they noted, and with them who writes at the same time.
pub async fn write(history: &mut History<'_>, first: (usize, Vec<usize>)) -> Result<(), Error> {
    let begin = history.now();
    let mut together = vec![first];
    while together.len() < TOGETHER
        && let Some(next) = history.queue.first_entry()
        && next.key().0.since(begin) <= MEANWHILE
        && let Job::Sitting(author, _) = next.get()
        && together.iter().all(|(other, _)| other != author)
    {
        let ((at, _), job) = next.remove_entry();
        history.clock.set(at.max(begin));
        if let Job::Sitting(author, visits) = job {
            together.push((author, visits));
        }
    }
    let mut running = JoinSet::new();
    for (author, numbers) in together {
        let mut visits = Vec::with_capacity(numbers.len());
        for number in numbers {
            let Some(visit) = history.visits.get_mut(number) else { continue };
            let records = std::mem::take(&mut visit.records);
            visits.push(answering(Visit { records, ..visit.clone() }, &history.notes));
        }
        let Some(seat) = history.cast.seat(author) else { continue };
        let sitting = Sitting {
            app: Arc::clone(history.app),
            seat,
            visits,
            notes: Notes::new(),
            left_out: LeftOut::new(),
        };
        running.spawn(sitting.write());
    }
    while let Some(done) = running.join_next().await {
        let (sitting, result) = done.map_err(Error::internal)?;
        history.cast.keep(sitting.seat);
        history.notes.extend(sitting.notes);
        merge(&mut history.left_out, sitting.left_out);
        if let Err(error) = result {
            leave_out(&error, "record", &mut history.left_out).ok_or(error)?;
        }
    }
    Ok(())
}

/// Names the notes that others answer; a note that is not there is not answered.
fn answering(mut visit: Visit, notes: &Notes) -> Visit {
    for record in &mut visit.records {
        let Some(answered) = record.answers else { continue };
        let text = String::from_utf8_lossy(&record.fhir);
        record.fhir = match notes.get(&(visit.about, answered)) {
            Some(id) => Bytes::from(text.replace(ANSWERED, &format!("Communication/{id}"))),
            None => Bytes::from(without(&text, "inResponseTo")),
        };
    }
    visit
}

fn without(fhir: &str, member: &str) -> String {
    let Ok(Value::Object(mut members)) = serde_json::from_str(fhir) else { return fhir.to_owned() };
    members.remove(member);
    Value::Object(members).to_string()
}

impl Sitting {
    async fn write(mut self) -> (Self, Result<(), Error>) {
        for visit in std::mem::take(&mut self.visits) {
            if let Err(error) = self.visit(visit).await {
                return (self, Err(error));
            }
        }
        (self, Ok(()))
    }

    async fn visit(&mut self, visit: Visit) -> Result<(), Error> {
        // Measurements are entered whole; a text is what people leave for later.
        let (texts, others): (Vec<Written>, Vec<Written>) =
            visit.records.iter().cloned().partition(|record| visit.left_as_draft && record.note.is_some());
        for (records, how) in [(others, CreateAs::Confirmed), (texts, CreateAs::Draft)] {
            self.records(&visit, records, how).await?;
        }
        Ok(())
    }

    async fn records(&mut self, visit: &Visit, records: Vec<Written>, how: CreateAs) -> Result<(), Error> {
        let (plain, with_files): (Vec<Written>, Vec<Written>) =
            records.into_iter().partition(|record| record.files.is_empty());
        for record in &with_files {
            let caller = self.seat.caller(&self.app).await?;
            match with_patience(|| kept_with_files(&self.app, &caller, record, how)).await {
                Ok(kept) => self.note(visit.about, record, &kept),
                Err(error) => leave_out(&error, "file", &mut self.left_out).ok_or(error)?,
            }
        }
        if plain.is_empty() {
            return Ok(());
        }
        let caller = self.seat.caller(&self.app).await?;
        let all: Vec<Bytes> = plain.iter().map(|record| record.fhir.clone()).collect();
        match with_patience(|| self.app.create_together(&caller, &all, how)).await {
            Ok(kept) => {
                for (record, stored) in plain.iter().zip(&kept) {
                    self.note(visit.about, record, stored);
                }
                if visit.reads {
                    let filter = TimelineFilter::default();
                    self.app.timeline(&caller, visit.about, &filter, &Paging::default()).await?;
                }
                if let (Some(first), Some(reason)) = (kept.first(), &visit.withdrawn) {
                    self.app.withdraw(&caller, &first.kind, first.id, first.version, reason).await?;
                }
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::Forbidden | ErrorKind::NotFound) => {
                // What may be shared is written nevertheless.
                for record in &plain {
                    match with_patience(|| self.app.create(&caller, record.fhir.clone(), how)).await {
                        Ok(stored) => self.note(visit.about, record, &stored),
                        Err(error) => leave_out(&error, "record", &mut self.left_out).ok_or(error)?,
                    }
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn note(&mut self, about: SubjectId, record: &Written, stored: &Stored) {
        if let Some(number) = record.note {
            self.notes.insert((about, number), stored.id);
        }
    }
}

/// Does something again while others keep changing the same record.
async fn with_patience<T, F: Future<Output = Result<T, Error>>>(act: impl Fn() -> F) -> Result<T, Error> {
    let mut left = TRIES;
    loop {
        match act().await {
            Err(error) if error.kind() == ErrorKind::Busy && left > 0 => left -= 1,
            other => return other,
        }
    }
}

/// Writes a record with its files, drawn now.
async fn kept_with_files(
    app: &App,
    caller: &Caller,
    record: &Written,
    how: CreateAs,
) -> Result<Stored, Error> {
    let look = |file: &DemoFile| app.looked_at(&file.name, Some(file.media_type()), &file.bytes().into());
    let files = record.files.iter().map(look).collect::<Result<Vec<_>, _>>()?;
    let mut fhir: Value = serde_json::from_slice(&record.fhir).map_err(Error::internal)?;
    for (number, file) in files.iter().enumerate() {
        attach(&mut fhir, &format!("Binary/{{file-{number}}}"), file);
    }
    app.create_with_files(caller, Bytes::from(fhir.to_string()), &files, how).await
}

/// Puts a file's Attachment where the record names it.
fn attach(value: &mut Value, place: &str, file: &RecordFile) {
    match value {
        Value::Object(members) if members.get("url").and_then(Value::as_str) == Some(place) => {
            *value = file.attachment();
        }
        Value::Object(members) => members.values_mut().for_each(|member| attach(member, place, file)),
        Value::Array(items) => items.iter_mut().for_each(|item| attach(item, place, file)),
        _ => {}
    }
}
