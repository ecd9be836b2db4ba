//! A person's notebook in the order of time, narrowed to what is asked for, and searched for words.

use mimamori_domain::{Action, Error, ErrorKind, Kind, ObjectId, Result, SubjectId, Timestamp};
use mimamori_store::{ObjectVersion, Unit, Value};
use mimamori_vault::normalise_name;

use super::list::{FEW_KINDS, Listed, Permitted, TIMELINE_KINDS};
use super::read::{label_of, stored};
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::caller::Caller;
use crate::context::{SubjectContext, object_from_row, open_with};
use crate::cursor::{Position, page_size};
use crate::{App, FoundRecords, Page, Paging, Stored, TimelineFilter, sql};

/// Records read at a time while words are sought.
const STRIDE: usize = 100;

/// So many records one question looks through: the answer says back to when, and can be asked to go on.
const MOST_LOOKED: usize = 600;

/// The longest that can be searched for, in characters.
const LONGEST_WORDS: usize = 100;

/// One version of a list, with what the statement says about it.
pub(crate) struct Row {
    pub(crate) sorted: i64,
    pub(crate) unread: bool,
    pub(crate) version: ObjectVersion,
}

/// What the statement is asked.
pub(crate) struct Asked<'a> {
    kinds: &'a [Kind],
    filter: &'a TimelineFilter,
    start: Position,
    limit: usize,
}

impl App {
    /// A person's timeline, newest first. What it shows counts as seen by the caller.
    ///
    /// # Errors
    /// Forbidden when the caller may see nothing of this person; unavailable when it could not be
    /// recorded.
    pub async fn timeline(
        &self,
        caller: &Caller,
        subject: SubjectId,
        filter: &TimelineFilter,
        paging: &Paging,
    ) -> Result<Page<Stored>> {
        Ok(self.look_through(caller, subject, filter, None, paging).await?.page)
    }

    /// The records of a person in which all of some words stand, newest first: in what people wrote and in
    /// the names of conditions and medicines, after decryption. One answer looks through a bounded number
    /// of records and says how far it came. What it shows counts as seen.
    ///
    /// # Errors
    /// Invalid without a word; else as [`App::timeline`].
    pub async fn find_in_timeline(
        &self,
        caller: &Caller,
        subject: SubjectId,
        words: &str,
        filter: &TimelineFilter,
        paging: &Paging,
    ) -> Result<FoundRecords> {
        let words = Words::of(words)?;
        self.look_through(caller, subject, filter, Some(&words), paging).await
    }

    async fn look_through(
        &self,
        caller: &Caller,
        subject: SubjectId,
        filter: &TimelineFilter,
        words: Option<&Words>,
        paging: &Paging,
    ) -> Result<FoundRecords> {
        let kinds = kinds_of(filter);
        let question = question(subject, &kinds, filter, words);
        let question: Vec<&[u8]> = question.iter().map(Vec::as_slice).collect();
        let size = page_size(paging.count);
        let newest = filter
            .until
            .map_or(Position::NEWEST, |until| Position { number: until.as_micros(), id: [0; 16] });
        for _ in 0..ATTEMPTS {
            let mut position = self.open_cursor(caller, &question, paging.cursor.as_deref(), newest)?;
            let now = self.clock.now();
            let context = self.subject_context_kept(subject).await?;
            let mut permitted = self.permitted(caller, Action::Read, &context, now);
            let tells_readers = self.may_see_team(caller, &context, &permitted, now);
            permitted.labels.retain(|label, _| filter.institution.is_none_or(|id| id == label.institution));
            if permitted.labels.is_empty()
                && let Some(decision) = &permitted.refused
            {
                if !self.still_as_of(&context).await? {
                    continue;
                }
                return Err(self.refuse(caller, Action::Read, Some(subject), None, decision).await);
            }
            let mut found = Shown::default();
            let stride = if words.is_some() { STRIDE } else { size + 1 };
            let mut looked = 0;
            let more = loop {
                let asked = Asked { kinds: &kinds, filter, start: position, limit: stride };
                let rows = self.timeline_rows(caller, &context, &permitted, &asked).await?;
                looked += rows.len();
                let last = rows.len() < stride;
                let mut full = false;
                for row in rows {
                    if found.items.len() == size {
                        full = true;
                        break;
                    }
                    position = Position::after(row.sorted, row.version.object);
                    self.show(&context, &permitted, row, words, &mut found)?;
                }
                if full || last {
                    break full;
                }
                if words.is_none() || looked >= MOST_LOOKED {
                    break true;
                }
            };
            let next = if more { Some(self.seal_cursor(caller, &question, position)?) } else { None };
            if tells_readers {
                self.tell_seen_by(subject, &mut found.items).await?;
            }
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            if caller.keeps_seen() {
                let unread = found.unread.iter().copied();
                unit.changes.extend(crate::seen::changes(caller.actor, subject, unread, now));
            }
            let stated = words.map(|words| words.stated.as_str());
            let unit = self.list_entries(caller, unit, stated, vec![(subject, found.listed)])?;
            if let Settled::Done = self.settle(caller, unit).await? {
                let reached = (more && words.is_some()).then(|| Timestamp::from_micros(position.number));
                return Ok(FoundRecords { page: Page { items: found.items, next, total: None }, reached });
            }
        }
        Err(kept_changing())
    }

    /// Opens one row, and takes it into what is shown; what was erased and what lacks the words is left out.
    fn show(
        &self,
        context: &SubjectContext,
        permitted: &Permitted,
        row: Row,
        words: Option<&Words>,
        found: &mut Shown,
    ) -> Result<()> {
        let label = label_of(&row.version)?;
        // The statement's filter and this one are the same; a row outside it is never opened.
        let Some(decision) = permitted.labels.get(&label) else { return Ok(()) };
        let plain = match open_with(&context.keys, &row.version) {
            Ok(plain) => plain,
            Err(error) if error.kind() == ErrorKind::Gone => return Ok(()),
            Err(error) => return Err(error),
        };
        if words.is_some_and(|words| !words.stand_in(&plain)) {
            return Ok(());
        }
        found.listed.add(decision, row.version.commitment());
        let mut item = stored(&row.version, label, &plain);
        item.attention.unread = row.unread;
        if row.unread {
            found.unread.push((item.id, item.version));
        }
        found.items.push(item);
        Ok(())
    }

    pub(crate) async fn timeline_rows(
        &self,
        caller: &Caller,
        context: &SubjectContext,
        permitted: &Permitted,
        asked: &Asked<'_>,
    ) -> Result<Vec<Row>> {
        let kinds: Vec<Value> = asked.kinds.iter().map(|kind| kind.as_str().to_owned().into()).collect();
        if permitted.labels.is_empty() || kinds.is_empty() {
            return Ok(Vec::new());
        }
        // A program has seen nothing and leaves nothing unread.
        let since = if caller.keeps_seen() { crate::seen::since(self.clock.now()) } else { i64::MAX };
        let args = vec![
            context.subject.into(),
            caller.actor.into(),
            asked.start.number.into(),
            asked.start.id.into(),
            i64::try_from(asked.limit).unwrap_or(i64::MAX).into(),
            since.into(),
            asked.filter.from.map_or(i64::MIN, Timestamp::as_micros).into(),
            asked.filter.author.into(),
            i64::from(asked.filter.unread).into(),
        ];
        let few = asked.kinds.iter().all(|kind| FEW_KINDS.contains(&kind.as_str()));
        let statement = if few { &sql::TIMELINE_OF_FEW } else { &sql::TIMELINE };
        let mut rows = self.store.query_lists(statement, args, vec![kinds, permitted.as_list()]).await?;
        rows.iter_mut()
            .map(|row| {
                let version = object_from_row(row)?;
                let number = |at| row.int(at).map_err(Error::unavailable);
                Ok(Row {
                    sorted: number(sql::SORT_TIME_AFTER_VERSION)?,
                    unread: number(sql::UNREAD_AFTER_VERSION)? != 0,
                    version,
                })
            })
            .collect()
    }

    /// The newest records of one kind, for the page's head.
    pub(crate) async fn newest_of_kind(
        &self,
        caller: &Caller,
        context: &SubjectContext,
        permitted: &Permitted,
        kind: Kind,
        limit: usize,
    ) -> Result<Vec<ObjectVersion>> {
        let filter = TimelineFilter::default();
        let asked = Asked { kinds: &[kind], filter: &filter, start: Position::NEWEST, limit };
        let rows = self.timeline_rows(caller, context, permitted, &asked).await?;
        Ok(rows.into_iter().map(|row| row.version).collect())
    }
}

/// What one answer shows.
#[derive(Default)]
struct Shown {
    items: Vec<Stored>,
    listed: Listed,
    unread: Vec<(ObjectId, u64)>,
}

fn kinds_of(filter: &TimelineFilter) -> Vec<Kind> {
    let all = || TIMELINE_KINDS.iter().filter_map(|kind| Kind::new(kind).ok()).collect();
    if filter.kinds.is_empty() {
        return all();
    }
    filter.kinds.iter().filter(|kind| TIMELINE_KINDS.contains(&kind.as_str())).cloned().collect()
}

/// All that a place in the list depends on.
fn question(
    subject: SubjectId,
    kinds: &[Kind],
    filter: &TimelineFilter,
    words: Option<&Words>,
) -> Vec<Vec<u8>> {
    let kinds: Vec<&str> = kinds.iter().map(Kind::as_str).collect();
    let time = |at: Option<Timestamp>| at.map_or_else(Vec::new, |at| at.as_micros().to_be_bytes().to_vec());
    vec![
        b"timeline".to_vec(),
        subject.to_vec(),
        kinds.join(",").into_bytes(),
        filter.institution.map(|id| id.to_vec()).unwrap_or_default(),
        filter.author.map(|id| id.to_vec()).unwrap_or_default(),
        time(filter.from),
        time(filter.until),
        vec![u8::from(filter.unread)],
        words.map(|words| words.stated.clone().into_bytes()).unwrap_or_default(),
    ]
}

/// Words that must all stand in a record, compared as names are: whatever width, kana or form of a kanji
/// they are written in.
struct Words {
    stated: String,
    each: Vec<String>,
}

impl Words {
    fn of(text: &str) -> Result<Self> {
        let stated = text.trim();
        if stated.chars().count() > LONGEST_WORDS {
            return Err(super::fault("words", "at most 100 characters can be searched for", "value"));
        }
        let each: Vec<String> =
            stated.split_whitespace().map(normalise_name).filter(|word| !word.is_empty()).collect();
        if each.is_empty() {
            return Err(super::fault("words", "enter a word to search for", "required"));
        }
        Ok(Self { stated: stated.to_owned(), each })
    }

    fn stand_in(&self, plain: &[u8]) -> bool {
        let Ok(resource) = serde_json::from_slice::<serde_json::Value>(plain) else { return false };
        let mut text = String::new();
        gather(&resource, false, &mut text);
        let text = normalise_name(&text);
        self.each.iter().all(|word| text.contains(word))
    }
}

/// FHIR elements that hold what people read.
const READ_BY_PEOPLE: [&str; 9] = [
    "text",
    "display",
    "contentString",
    "valueString",
    "conclusion",
    "description",
    "title",
    "name",
    "comment",
];

/// Gathers the words of a resource.
fn gather(value: &serde_json::Value, read: bool, text: &mut String) {
    use serde_json::Value as Json;
    match value {
        Json::String(words) if read => {
            text.push_str(words);
            text.push('\n');
        }
        Json::Array(all) => all.iter().for_each(|one| gather(one, read, text)),
        Json::Object(fields) => {
            for (name, one) in fields {
                gather(one, READ_BY_PEOPLE.contains(&name.as_str()), text);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_however_they_are_written() {
        let record = r#"{"resourceType":"MedicationRequest","id":"ロキソ","medicationCodeableConcept":{"text":"ロキソニン錠６０ｍｇ"},
            "note":[{"text":"膝の痛み、髙熱"}],"status":"active"}"#;
        let found = |words: &str| Words::of(words).unwrap().stand_in(record.as_bytes());
        assert!(found("ろきそにん") && found("ﾛｷｿﾆﾝ 60mg") && found("高熱　痛み"));
        assert!(!found("active") && !found("痛み 発疹"));
        assert!(Words::of(" 　").is_err() && Words::of(&"あ".repeat(101)).is_err());
    }
}
