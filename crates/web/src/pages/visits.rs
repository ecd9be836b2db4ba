//! 訪問・受診の予定: planned visits of a person, and those of the last month.

use askama::Template;
use axum::body::Bytes;
use axum::extract::Path;
use axum::http::StatusCode;
use futures::TryFutureExt;
use jiff::ToSpan;
use jiff::civil::{Date, Time};
use mimamori_app::{CreateAs, Paging, Stored};
use mimamori_domain::{Error, SubjectId, Timestamp};
use mimamori_fhir::{Handling, SearchQuery};
use serde_json::json;

use super::person::Choice;
use super::{Head, form_error, id, shown_again};
use crate::dates::{self, FhirTime};
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::present::{self, Item, Names};

/// Visits that are looked through for one page.
const MOST: u32 = 200;
/// Visits of so many days back are shown.
const DAYS_BACK: i32 = 30;
/// A visit that repeats does so for so many weeks, at most.
const MOST_WEEKS: i32 = 13;
/// What a visit is for, in characters.
const MOST_REASON: usize = 200;

/// Ways of a visit (HL7 v3 ActCode, the required binding of `Encounter.class`), and their words.
const WAYS: [(&str, &str); 3] =
    [("HH", "visit-way-home"), ("AMB", "visit-way-out"), ("VR", "visit-way-online")];

#[derive(Template)]
#[template(path = "visits.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) may_plan: bool,
    /// From today on, the next first.
    pub(super) coming: Vec<Visit>,
    /// Before today, the last first.
    pub(super) past: Vec<Visit>,
    /// There are more than are shown.
    pub(super) more: bool,
}

/// One visit.
pub(super) struct Visit {
    pub(super) item: Item,
    pub(super) day: String,
    /// `10:00–10:40`, in Asia/Tokyo.
    pub(super) hours: String,
    pub(super) reason: String,
    /// Planned, and not yet said to be over.
    pub(super) planned: bool,
}

#[derive(Template)]
#[template(path = "visit_form.html")]
pub(super) struct Form {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) action: String,
    pub(super) back: String,
    pub(super) day: String,
    pub(super) from: String,
    pub(super) until: String,
    pub(super) weeks: String,
    pub(super) reason: String,
    pub(super) ways: Vec<Choice>,
    pub(super) error: Option<String>,
}

/// `GET /people/{subject}/visits`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (texts, today) = (ask.texts(), dates::day_of(ask.web.now()));
    // By the days they state: a timeline has them where they were planned.
    let first = today.checked_sub(DAYS_BACK.days()).map_err(Error::internal)?;
    let parameters = [("patient".to_owned(), subject.to_string()), ("date".to_owned(), format!("ge{first}"))];
    let asked = SearchQuery::parse("Encounter", &parameters, Handling::Strict)
        .map_err(|_| Error::internal("the question for visits"))?;
    let paging = Paging { count: MOST, cursor: None };
    let found = ask.web.app.search(&ask.caller, &asked, &paging).map_err(Fault::from);
    let (person, head, found) = Head::with(&ask, subject, found).await?;
    let names = Names::of(&ask.web, &ask.caller, &found.items, &[]).await?;
    let begins = dates::start_of(today).unwrap_or_else(|| ask.web.now());
    let mut coming: Vec<(Timestamp, Visit)> = Vec::new();
    let mut past: Vec<(Timestamp, Visit)> = Vec::new();
    for stored in &found.items {
        let (start, visit) = visit(stored, &names, texts);
        if start >= begins { coming.push((start, visit)) } else { past.push((start, visit)) }
    }
    coming.sort_by_key(|(start, _)| *start);
    past.sort_by_key(|(start, _)| std::cmp::Reverse(*start));
    let visits = |list: Vec<(Timestamp, Visit)>| list.into_iter().map(|(_, visit)| visit).collect();
    page(&Page {
        l: ask.layout("visits-title").done(query.get("done")),
        head,
        may_plan: person.may.write_visit,
        coming: visits(coming),
        past: visits(past),
        more: found.next.is_some(),
    })
}

fn visit(stored: &Stored, names: &Names, texts: &Texts) -> (Timestamp, Visit) {
    let resource = present::read(stored);
    let root = resource.as_ref().map(mimamori_fhir::Resource::root);
    let period = root.and_then(|root| root.get("period"));
    let end_of = |name: &str| match period.and_then(|period| period.string(name)).and_then(FhirTime::parse) {
        Some(FhirTime::Instant(at)) => Some(at),
        _ => None,
    };
    let (start, end) = (end_of("start"), end_of("end"));
    let hours = [start, end].into_iter().flatten().map(dates::time_of_day).collect::<Vec<_>>();
    let planned = root.and_then(|root| root.string("status")) == Some("planned");
    let reasons = root.into_iter().flat_map(|root| root.items("reasonCode"));
    let reason = reasons.filter_map(|reason| present::concept(reason, texts)).collect::<Vec<_>>();
    let reason = reason.join(&texts.get("list-comma"));
    let item = present::item(stored, names, texts);
    let at = start.unwrap_or(stored.recorded);
    let day = dates::date(dates::day_of(at), texts);
    (at, Visit { item, day, hours: hours.join("–"), reason, planned })
}

/// `GET /people/{subject}/visits/new`
pub(crate) async fn form(ask: Ask, Path(subject): Path<String>) -> Answered {
    let tomorrow = dates::day_of(ask.web.now()).tomorrow().map(|day| day.to_string());
    let mut form = blank(&ask, id(&subject)?, &Fields::default()).await?;
    form.day = tomorrow.unwrap_or_default();
    (form.from, form.until) = ("10:00".to_owned(), "11:00".to_owned());
    page(&form)
}

async fn blank(ask: &Ask, subject: SubjectId, sent: &Fields) -> Result<Form, Fault> {
    let (person, head) = Head::ask(ask, subject).await?;
    if !person.may.write_visit {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let texts = ask.texts();
    let way = WAYS.iter().find(|(code, _)| *code == sent.get("way")).map_or("HH", |(code, _)| *code);
    let back = format!("{}/visits", head.person.page);
    Ok(Form {
        l: ask.layout("visit-plan").at(format!("{back}/new")),
        head,
        action: back.clone(),
        back,
        day: sent.get("day").to_owned(),
        from: sent.get("from").to_owned(),
        until: sent.get("until").to_owned(),
        weeks: sent.some("weeks").unwrap_or_else(|| "1".to_owned()),
        reason: sent.get("reason").to_owned(),
        ways: WAYS
            .iter()
            .map(|(code, key)| Choice {
                code: (*code).to_owned(),
                word: texts.get(key),
                chosen: *code == way,
            })
            .collect(),
        error: None,
    })
}

/// `POST /people/{subject}/visits`
pub(crate) async fn plan(ask: Ask, Path(subject): Path<String>, fields: Fields) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let mut form = blank(&ask, subject, &fields).await?;
    let times = match times(&fields, dates::day_of(ask.web.now())) {
        Ok(times) => times,
        Err(key) => {
            form.error = Some(ask.texts().get(key));
            return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
        }
    };
    let way = form.ways.iter().find(|way| way.chosen).map_or("HH", |way| way.code.as_str());
    let visits: Vec<Bytes> =
        times.iter().map(|(start, end)| encounter(&ask, subject, way, &form.reason, *start, *end)).collect();
    if let Err(error) = ask.web.app.create_together(&ask.caller, &visits, CreateAs::Confirmed).await {
        let fault = Fault::from(error);
        if !shown_again(&fault) {
            return Err(fault);
        }
        form.error = Some(form_error(&fault, ask.texts()));
        return page_with(fault.status, &form);
    }
    Ok(see(&format!("{}?done=visit", form.back)))
}

/// When the visits begin and end, or the key of what is wrong.
fn times(fields: &Fields, today: Date) -> Result<Vec<(Timestamp, Timestamp)>, &'static str> {
    let day: Date = fields.parsed("day").ok_or("visit-day-form")?;
    let hour = |name: &str| fields.parsed::<Time>(name).ok_or("visit-hours-form");
    let (from, until) = (hour("from")?, hour("until")?);
    let weeks = fields.some("weeks").map_or(Some(1), |text| text.parse::<i32>().ok());
    let weeks = weeks.filter(|weeks| (1..=MOST_WEEKS).contains(weeks)).ok_or("visit-weeks-form")?;
    let most = today.checked_add(1.year()).unwrap_or(today);
    if day < today || day > most {
        return Err("visit-day-range");
    }
    if until <= from {
        return Err("visit-hours-order");
    }
    if fields.get("reason").chars().count() > MOST_REASON {
        return Err("visit-reason-long");
    }
    let moment = |day: Date, time: Time| {
        dates::from_local(&format!("{day}T{:02}:{:02}", time.hour(), time.minute())).ok_or("visit-day-form")
    };
    (0..weeks)
        .map(|week| {
            let day = day.checked_add(week.weeks()).map_err(|_| "visit-day-range")?;
            Ok((moment(day, from)?, moment(day, until)?))
        })
        .collect()
}

fn encounter(
    ask: &Ask,
    subject: SubjectId,
    way: &str,
    reason: &str,
    start: Timestamp,
    end: Timestamp,
) -> Bytes {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
    let mut visit = json!({
        "resourceType": "Encounter",
        "status": "planned",
        "class": {"system": system, "code": way},
        "subject": {"reference": format!("Patient/{subject}")},
        "participant": [{"individual": {"display": ask.caller.name()}}],
        "period": {"start": dates::to_fhir(start), "end": dates::to_fhir(end)},
    });
    if let Some(fields) = visit.as_object_mut() {
        if !reason.is_empty() {
            fields.insert("reasonCode".to_owned(), json!([{"text": reason}]));
        }
        if let Some(institution) = ask.caller.institution_name() {
            fields.insert("serviceProvider".to_owned(), json!({"display": institution}));
        }
    }
    Bytes::from(visit.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: Date = Date::constant(2026, 11, 21);

    fn read(pairs: &[(&str, &str)]) -> Result<Vec<String>, &'static str> {
        let mut all = vec![("day", "2026-11-24"), ("from", "10:00"), ("until", "10:40")];
        all.retain(|(name, _)| !pairs.iter().any(|(other, _)| other == name));
        all.extend_from_slice(pairs);
        let times = times(&Fields::of(&all), TODAY)?;
        Ok(times
            .iter()
            .map(|(start, end)| format!("{} {}", dates::to_local(*start), dates::time_of_day(*end)))
            .collect())
    }

    #[test]
    fn visits_repeat_by_weeks_at_the_same_hours() {
        assert_eq!(read(&[]), Ok(vec!["2026-11-24T10:00 10:40".to_owned()]));
        let three = read(&[("weeks", "3")]).unwrap();
        assert_eq!(three, ["2026-11-24T10:00 10:40", "2026-12-01T10:00 10:40", "2026-12-08T10:00 10:40"]);
    }

    #[test]
    fn what_cannot_be_planned_is_said() {
        for (pairs, key) in [
            ([("day", "明日")], "visit-day-form"),
            ([("day", "2026-11-20")], "visit-day-range"),
            ([("day", "2028-01-01")], "visit-day-range"),
            ([("from", "25:00")], "visit-hours-form"),
            ([("until", "09:00")], "visit-hours-order"),
            ([("until", "10:00")], "visit-hours-order"),
            ([("weeks", "0")], "visit-weeks-form"),
            ([("weeks", "14")], "visit-weeks-form"),
            ([("weeks", "x")], "visit-weeks-form"),
        ] {
            assert_eq!(read(&pairs), Err(key), "{pairs:?}");
            for language in crate::language::Language::ALL {
                assert!(language.texts().find(key).is_some(), "{key}");
            }
        }
        assert_eq!(read(&[("reason", "あ".repeat(201).as_str())]), Err("visit-reason-long"));
        assert!(read(&[("reason", "あ".repeat(200).as_str())]).is_ok());
    }
}
