//! FHIR search: people by their details, clinical records by their patients.

use std::collections::HashMap;

use mimamori_domain::{Action, Error, Kind, ObjectId, Result, SubjectId};
use mimamori_fhir::{Limits, Resource, SearchQuery, Sort, Token};
use mimamori_store::{Unit, Value};
use mimamori_vault::SubjectIndex;

use super::index::{CATEGORY, code_tokens};
use super::list::{Listed, Permitted};
use super::read::{MASTER, label_of};
use super::write::fault;
use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::caller::Caller;
use crate::context::SubjectContext;
use crate::cursor::{Position, page_size};
use crate::keys::vault_error;
use crate::{App, Page, Paging, PeopleQuery, Stored, sql};

/// Candidates read at a time, unless a page holds more, and at most for one page.
const STRIDE: usize = 200;
const MOST_CANDIDATES: usize = 5_000;

/// Records that one answer gives at most: the entry of the read names each by 32 bytes, and holds 65,535.
pub const MOST_NEWEST: usize = 1_000;

impl App {
    /// A FHIR search: people for `Patient`, else records of the patients it names, newest first.
    /// Patients of whom the caller may see nothing answer nothing, as if they had no record.
    ///
    /// # Errors
    /// Invalid for what is not served; unavailable when it could not be recorded.
    pub async fn search(
        &self,
        caller: &Caller,
        query: &SearchQuery,
        paging: &Paging,
    ) -> Result<Page<Stored>> {
        if query.resource_type == "Patient" {
            return self.search_patients(caller, query, paging).await;
        }
        let stated = stated(query);
        let question: [&[u8]; 2] = [b"clinical", stated.as_bytes()];
        let start = self.open_cursor(caller, &question, paging.cursor.as_deref(), Position::NEWEST)?;
        let (items, next) = self.clinical(caller, query, &stated, start, page_size(paging.count)).await?;
        let next = next.map(|position| self.seal_cursor(caller, &question, position)).transpose()?;
        Ok(Page { items: items.into_iter().map(|(stored, _)| stored).collect(), next, total: None })
    }

    /// As [`App::search`] for clinical records: the newest, up to a thousand, each with what was read of it,
    /// and whether there are more.
    ///
    /// # Errors
    /// Invalid for what is not served; unavailable when it could not be recorded.
    pub async fn search_newest(
        &self,
        caller: &Caller,
        query: &SearchQuery,
    ) -> Result<(Vec<(Stored, Resource)>, bool)> {
        let (items, next) =
            self.clinical(caller, query, &stated(query), Position::NEWEST, MOST_NEWEST).await?;
        Ok((items, next.is_some()))
    }

    /// The newest `size` records after `start` that fit, and where they go on.
    async fn clinical(
        &self,
        caller: &Caller,
        query: &SearchQuery,
        stated: &str,
        start: Position,
        size: usize,
    ) -> Result<(Vec<(Stored, Resource)>, Option<Position>)> {
        if !mimamori_fhir::is_in_compartment(query.resource_type) {
            let known = MASTER.iter().any(|(kind, _)| *kind == query.resource_type);
            let rule =
                if known { "this type is read by its id only" } else { "this type is not served here" };
            return Err(fault("resourceType", rule, "not-supported"));
        }
        match query.sort {
            None | Some(Sort::DateDescending) => {}
            Some(_) => return Err(fault("_sort", "records are sorted by -date only", "not-supported")),
        }
        let kind = Kind::new(query.resource_type).map_err(Error::internal)?;
        if !caller.facts.scopes_cover(&kind, false) {
            return Err(Error::forbidden());
        }
        for _ in 0..ATTEMPTS {
            let people = self.named_people(caller, query).await?;
            let (found, next) = self.clinical_page(&people, query, &kind, start, size).await?;
            let mut unit = Unit::new();
            let mut listed = HashMap::new();
            for (context, _) in people.values() {
                unit.guards.push(context.guard());
            }
            let mut items = Vec::with_capacity(found.len());
            for (subject, item, one) in found {
                listed.entry(subject).or_insert_with(Listed::default).append(one);
                items.push(item);
            }
            let unit = self.list_entries(caller, unit, Some(stated), listed.into_iter().collect())?;
            if let Settled::Done = self.settle(caller, unit).await? {
                return Ok((items, next));
            }
        }
        Err(kept_changing())
    }

    /// The contexts of the patients a search names, with what the caller may see of each.
    async fn named_people(
        &self,
        caller: &Caller,
        query: &SearchQuery,
    ) -> Result<HashMap<SubjectId, (std::sync::Arc<SubjectContext>, Permitted)>> {
        let now = self.clock.now();
        let mut people = HashMap::new();
        for subject in query.patients.iter().filter_map(|id| id.parse::<SubjectId>().ok()) {
            let context = match self.subject_context_kept(subject).await {
                Ok(context) => context,
                Err(error) if error.kind() == mimamori_domain::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let permitted = self.permitted(caller, Action::Search, &context, now);
            people.insert(subject, (context, permitted));
        }
        Ok(people)
    }

    /// One page over all patients: the newest `size` records after `start` that fit.
    async fn clinical_page(
        &self,
        people: &HashMap<SubjectId, (std::sync::Arc<SubjectContext>, Permitted)>,
        query: &SearchQuery,
        kind: &Kind,
        start: Position,
        size: usize,
    ) -> Result<(Vec<(SubjectId, (Stored, Resource), Listed)>, Option<Position>)> {
        let mut position = start;
        let mut found = Vec::new();
        let mut looked = 0;
        // One more than a page holds tells that it goes on.
        let stride = STRIDE.max(size + 1);
        loop {
            let mut heads: Vec<(i64, ObjectId, SubjectId)> = Vec::new();
            for (context, permitted) in people.values() {
                heads.extend(self.clinical_heads(context, permitted, query, kind, position, stride).await?);
                heads.sort_unstable_by_key(|(sorted, object, _)| std::cmp::Reverse((*sorted, *object)));
                heads.truncate(stride);
            }
            let exhausted = heads.len() < stride;
            let versions = self.current_of(heads.iter().map(|(_, object, _)| *object)).await?;
            for (index, (sorted, object, subject)) in heads.iter().enumerate() {
                position = Position::after(*sorted, *object);
                let (Some((context, permitted)), Some(version)) = (people.get(subject), versions.get(object))
                else {
                    continue;
                };
                if !permitted.labels.contains_key(&label_of(version)?) {
                    continue;
                }
                let (mut items, listed) =
                    self.open_listed(context, permitted, std::slice::from_ref(version))?;
                let Some(item) = items.pop() else { continue };
                if let Some(resource) = fitting(query, &item)? {
                    found.push((*subject, (item, resource), listed));
                    if found.len() == size {
                        let more = index + 1 < heads.len() || !exhausted;
                        return Ok((found, more.then_some(position)));
                    }
                }
            }
            looked += heads.len();
            if exhausted {
                return Ok((found, None));
            }
            if looked >= MOST_CANDIDATES {
                return Ok((found, Some(position)));
            }
        }
    }

    async fn clinical_heads(
        &self,
        context: &SubjectContext,
        permitted: &Permitted,
        query: &SearchQuery,
        kind: &Kind,
        start: Position,
        stride: usize,
    ) -> Result<Vec<(i64, ObjectId, SubjectId)>> {
        if permitted.labels.is_empty() {
            return Ok(Vec::new());
        }
        let (from, until) = query
            .dates
            .iter()
            .map(mimamori_fhir::DateFilter::reach)
            .fold((i64::MIN, i64::MAX), |(from, until), (start, end)| (from.max(start), until.min(end)));
        let args = vec![
            context.subject.into(),
            kind.as_str().to_owned().into(),
            until.into(),
            from.into(),
            start.number.into(),
            start.id.into(),
            i64::try_from(stride).unwrap_or(i64::MAX).into(),
        ];
        let index = SubjectIndex::new(&context.keys.subject).map_err(vault_error)?;
        let rows = match tokens(&index, query) {
            Some(tokens) => {
                self.store.query_lists(&sql::CLINICAL_CODED, args, vec![permitted.as_list(), tokens]).await?
            }
            None => self.store.query_lists(&sql::CLINICAL, args, vec![permitted.as_list()]).await?,
        };
        rows.iter()
            .map(|row| Ok((row.int(0)?, row.id_of(1)?, context.subject)))
            .collect::<Result<_, mimamori_store::RowError>>()
            .map_err(Error::unavailable)
    }

    async fn search_patients(
        &self,
        caller: &Caller,
        query: &SearchQuery,
        paging: &Paging,
    ) -> Result<Page<Stored>> {
        let people = people_query(query)?;
        let page = self.search_people(caller, &people, paging).await?;
        Ok(Page {
            items: page.items.into_iter().map(|card| card.patient).collect(),
            next: page.next,
            total: page.total,
        })
    }
}

/// The tokens of the first condition the index can answer.
fn tokens(index: &SubjectIndex, query: &SearchQuery) -> Option<Vec<Value>> {
    let of = |group: &Vec<Token>, prefix: &str| -> Option<Vec<Value>> {
        group
            .iter()
            .map(|token| {
                let system = format!("{prefix}{}", token.system.as_deref().unwrap_or_default());
                token.code.as_deref().map(|code| code_tokens(index, &system, code).to_vec().into())
            })
            .collect()
    };
    query
        .codes
        .iter()
        .find_map(|group| of(group, ""))
        .or_else(|| query.categories.iter().find_map(|group| of(group, CATEGORY)))
}

/// An opened record as it reads, when it answers every condition; the index only narrows down.
fn fitting(query: &SearchQuery, item: &Stored) -> Result<Option<Resource>> {
    let resource = mimamori_fhir::parse(&item.bytes, &Limits::default())
        .map_err(|_| Error::internal("a stored record is unreadable"))?;
    let id = query.ids.is_empty() || query.ids.iter().any(|id| *id == item.id.to_string());
    let fits = id && query.matches(&mimamori_fhir::search_values(&resource));
    Ok(fits.then_some(resource))
}

/// A Patient search in the words of our own people search.
fn people_query(query: &SearchQuery) -> Result<PeopleQuery> {
    let single = |name: &str, values: usize| {
        if values > 1 {
            Err(fault(name, "one value of this parameter is served", "not-supported"))
        } else {
            Ok(())
        }
    };
    single("identifier", query.identifiers.iter().map(Vec::len).sum())?;
    single("name", query.names.iter().map(|name| name.beginnings.len()).sum())?;
    single("birthdate", query.birth_dates.len())?;
    single("gender", query.genders.iter().map(Vec::len).sum())?;
    let mut people = PeopleQuery {
        ids: query.ids.iter().filter_map(|id| id.parse().ok()).collect(),
        ..PeopleQuery::default()
    };
    if let Some(token) = query.identifiers.first().and_then(|group| group.first()) {
        let code = token.code.as_deref().ok_or_else(|| fault("identifier", "a value is needed", "value"))?;
        people.identifier = Some(format!("{}|{code}", token.system.as_deref().unwrap_or_default()));
    }
    people.name = query.names.first().and_then(|name| name.beginnings.first()).cloned();
    people.gender =
        query.genders.first().and_then(|group| group.first()).and_then(|token| token.code.clone());
    if let Some(filter) = query.birth_dates.first() {
        people.birth_date = Some(birth_date(filter).ok_or_else(|| {
            fault("birthdate", "a whole year, month or day without prefix is served", "not-supported")
        })?);
    }
    Ok(people)
}

/// The year, month or day that an equality covers exactly, in Asia/Tokyo.
fn birth_date(filter: &mimamori_fhir::DateFilter) -> Option<String> {
    if filter.prefix != mimamori_fhir::Prefix::Equal {
        return None;
    }
    let start = jiff::Timestamp::from_microsecond(filter.start).ok()?;
    let day = jiff::tz::Offset::constant(9).to_datetime(start).date().to_string();
    [4, 7, 10]
        .into_iter()
        .filter_map(|length| day.get(..length))
        .find(|text| mimamori_fhir::date_interval(text) == Some((filter.start, filter.end)))
        .map(ToOwned::to_owned)
}

/// The question in one text: it goes sealed into the ledger and binds cursors.
fn stated(query: &SearchQuery) -> String {
    let groups = |groups: &[Vec<Token>]| -> Vec<Vec<String>> {
        let text = |token: &Token| {
            format!("{}|{}", token.system.as_deref().unwrap_or("*"), token.code.as_deref().unwrap_or("*"))
        };
        groups.iter().map(|group| group.iter().map(text).collect()).collect()
    };
    let dates: Vec<String> =
        query.dates.iter().map(|date| format!("{:?} {} {}", date.prefix, date.start, date.end)).collect();
    serde_json::json!({
        "type": query.resource_type,
        "patients": query.patients,
        "ids": query.ids,
        "codes": groups(&query.codes),
        "categories": groups(&query.categories),
        "identifiers": groups(&query.identifiers),
        "statuses": groups(&query.statuses),
        "dates": dates,
    })
    .to_string()
}
