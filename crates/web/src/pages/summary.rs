//! What somebody needs to know of a person at once: medicines now, conditions, allergies, blood type, whom
//! to call. As a page, and as a card for an emergency on one sheet of A4.

use askama::Template;
use axum::extract::Path;
use futures::TryFutureExt;
use mimamori_app::{May, Paging, PersonPage, Stored, TimelineFilter};
use mimamori_domain::{Error, Kind, RecordState, SubjectId, Timestamp};
use mimamori_fhir::{Handling, SearchQuery};

use super::person::member;
use super::{Head, id};
use crate::dates::{self, FhirTime};
use crate::error::{Answered, Fault};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page};
use crate::present::{self, Names};

/// Records that are looked through for one page.
const MOST: u32 = 200;

/// A medicine counts as taken now when it was prescribed or confirmed within so many days: the longest
/// usual prescription and a month.
const MEDICINE_DAYS: u64 = 120;

/// LOINC codes of an ABO blood group, alone, with Rh, and Rh alone.
const BLOOD: &str = "883-9,882-1,10331-7";

#[derive(Template)]
#[template(path = "summary.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) may: May,
    pub(super) summary: Summary,
}

#[derive(Template)]
#[template(path = "card.html")]
pub(super) struct Card {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) summary: Summary,
    /// When, by whom and at which institution it was made.
    pub(super) made: String,
    pub(super) by: String,
}

/// What both show.
#[derive(Default)]
pub(super) struct Summary {
    pub(super) blood: Option<String>,
    pub(super) medicines: Vec<Fact>,
    pub(super) conditions: Vec<Fact>,
    pub(super) contacts: Vec<Contact>,
    pub(super) team: Vec<String>,
    /// There were more records than are looked through.
    pub(super) more: bool,
}

/// One medicine or condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) title: String,
    /// Dose and times, or how sure it is.
    pub(super) detail: String,
    pub(super) when: String,
    pub(super) by: String,
    pub(super) page: String,
}

/// Somebody to call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Contact {
    pub(super) name: String,
    pub(super) relation: String,
    pub(super) phones: String,
}

/// `GET /people/{subject}/summary`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (person, head, found) = Head::with(&ask, subject, find(&ask, subject)).await?;
    let summary = gather(&ask, &person, found).await?;
    page(&Page { l: ask.layout("summary-title"), head, may: person.may, summary })
}

/// `GET /people/{subject}/card`
pub(crate) async fn card(ask: Ask, Path(subject): Path<String>) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (person, head, found) = Head::with(&ask, subject, find(&ask, subject)).await?;
    let summary = gather(&ask, &person, found).await?;
    let by = [Some(ask.caller.name()), ask.caller.institution_name()];
    page(&Card {
        l: ask.layout("card-title"),
        head,
        summary,
        made: dates::date_time(ask.web.now(), ask.texts()),
        by: by.into_iter().flatten().collect::<Vec<_>>().join(" "),
    })
}

/// What a summary is made of.
struct Found {
    /// Medicines and conditions, the newest first.
    records: Vec<Stored>,
    /// There were more than are looked through.
    more: bool,
    blood: Vec<Stored>,
    contacts: Vec<Contact>,
}

/// Asked for at once: what each leaves in the ledger is then kept together.
async fn find(ask: &Ask, subject: SubjectId) -> Result<Found, Fault> {
    let kinds = ["MedicationRequest", "MedicationStatement", "Condition"].map(Kind::of).to_vec();
    let filter = TimelineFilter { kinds, ..TimelineFilter::default() };
    let paging = Paging { count: MOST, cursor: None };
    let (records, blood, contacts) = futures::try_join!(
        ask.web.app.timeline(&ask.caller, subject, &filter, &paging).map_err(Fault::from),
        search(ask, "Observation", subject, &[("code", BLOOD)]),
        relatives(ask, subject),
    )?;
    Ok(Found { more: records.next.is_some(), records: records.items, blood, contacts })
}

async fn gather(ask: &Ask, person: &PersonPage, found: Found) -> Result<Summary, Fault> {
    let (caller, texts) = (&ask.caller, ask.texts());
    let Found { records, more, blood, contacts } = found;
    let names = Names::of(&ask.web, caller, &records, &person.told_institutions()).await?;
    let facts = |condition: bool| facts(&records, condition, ask.web.now(), &names, texts);
    Ok(Summary {
        blood: blood.iter().filter(|stored| counts(stored)).find_map(|stored| blood_group(stored, texts)),
        medicines: facts(false),
        conditions: facts(true),
        contacts,
        team: person.team.iter().map(|one| member(one, &names, texts)).collect(),
        more,
    })
}

/// Family and others to call.
pub(super) async fn relatives(ask: &Ask, subject: SubjectId) -> Result<Vec<Contact>, Fault> {
    let found = search(ask, "RelatedPerson", subject, &[]).await?;
    Ok(found.iter().filter(|stored| counts(stored)).filter_map(|one| contact(one, ask.texts())).collect())
}

/// Records of one person by FHIR search.
async fn search(
    ask: &Ask,
    kind: &'static str,
    subject: SubjectId,
    more: &[(&str, &str)],
) -> Result<Vec<Stored>, Fault> {
    let mut parameters = vec![("patient".to_owned(), subject.to_string())];
    parameters.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let query = SearchQuery::parse(kind, &parameters, Handling::Strict)
        .map_err(|_| Error::internal("the question for a summary"))?;
    let found = ask.web.app.search(&ask.caller, &query, &Paging { count: MOST, cursor: None }).await?;
    Ok(found.items)
}

/// Drafts and what was withdrawn tell nothing.
fn counts(stored: &Stored) -> bool {
    matches!(stored.state, RecordState::Confirmed | RecordState::Amended)
}

/// Medicines that are taken, or conditions that last; of several with one name the newest.
fn facts(items: &[Stored], conditions: bool, now: Timestamp, names: &Names, texts: &Texts) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for stored in items.iter().filter(|stored| counts(stored)) {
        let condition = stored.kind.as_str() == "Condition";
        if condition != conditions || !if condition { lasts(stored) } else { is_taken(stored, now) } {
            continue;
        }
        let item = present::item(stored, names, texts);
        if facts.iter().any(|known| known.title == item.content.title) {
            continue;
        }
        let lines: Vec<&str> = item.content.lines.iter().skip(1).map(|line| line.value.as_str()).collect();
        let institution = item.author.institution.clone().unwrap_or_default();
        facts.push(Fact {
            title: item.content.title.clone(),
            detail: lines.join(&texts.get("list-comma")),
            when: item.when.clone(),
            by: institution,
            page: item.page,
        });
    }
    facts
}

fn lasts(stored: &Stored) -> bool {
    let Some(resource) = present::read(stored) else { return false };
    let coded = |name: &str| {
        let concept = resource.root().get(name)?;
        concept.items("coding").find_map(|coding| coding.string("code").map(str::to_owned))
    };
    let over = matches!(coded("clinicalStatus").as_deref(), Some("inactive" | "remission" | "resolved"));
    let wrong = matches!(coded("verificationStatus").as_deref(), Some("refuted" | "entered-in-error"));
    !over && !wrong && resource.root().get("abatementDateTime").is_none()
}

fn is_taken(stored: &Stored, now: Timestamp) -> bool {
    let Some(resource) = present::read(stored) else { return false };
    let root = resource.root();
    let active = matches!(root.string("status"), Some("active" | "intended"));
    let stated =
        ["authoredOn", "effectiveDateTime", "dateAsserted"].iter().find_map(|name| root.string(name));
    let at = match stated.and_then(FhirTime::parse) {
        Some(FhirTime::Instant(at)) => Some(at),
        Some(FhirTime::Day(day)) => dates::start_of(day),
        _ => None,
    };
    let since = now.minus(std::time::Duration::from_secs(86_400) * u32::try_from(MEDICINE_DAYS).unwrap_or(0));
    active && at.unwrap_or(stored.recorded) >= since
}

fn blood_group(stored: &Stored, texts: &Texts) -> Option<String> {
    let resource = present::read(stored)?;
    let content = present::content(&resource, texts);
    content.lines.first().map(|line| line.value.clone())
}

fn contact(stored: &Stored, texts: &Texts) -> Option<Contact> {
    let resource = present::read(stored)?;
    let content = present::content(&resource, texts);
    let root = resource.root();
    let ended = root.get("period").and_then(|period| period.string("end")).is_some();
    if ended || root.get("active").is_some_and(|active| active.raw() == "false") {
        return None;
    }
    let phones: Vec<&str> = root
        .items("telecom")
        .filter(|telecom| matches!(telecom.string("system"), Some("phone" | "sms")))
        .filter_map(|telecom| telecom.string("value"))
        .collect();
    let relation = root.items("relationship").find_map(|of| present::concept(of, texts));
    Some(Contact {
        name: content.title,
        relation: relation.unwrap_or_default(),
        phones: phones.join(&texts.get("list-comma")),
    })
}
