//! 定期業務: what must be done by when, month by month.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use jiff::ToSpan;
use jiff::civil::Date;
use mimamori_app::{DutyState, DutyView, JobTrouble, Window};
use mimamori_domain::{ObjectId, Timestamp};
use mimamori_policy::model::{Field, FieldType, Proof};

use super::asked::{Asked, Sent, must};
use super::inputs::Filled;
use super::month::{Grid, Mark};
use super::words::{Cell, named, proof, whom};
use super::{Crumb, crumbs, frame};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::language::{Language, Texts};
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::uploads::Form;

/// Duties that one page lists.
const ROWS: usize = 40;
/// Months before the one shown, in which something overdue may have begun.
const BACK: i32 = 13;
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

/// State of an occurrence in an address, the key of its word, and the style of its mark.
const STATES: [(&str, &str, &str); 5] = [
    ("overdue", "duty-overdue", "late"),
    ("due", "duty-due", "due"),
    ("upcoming", "duty-upcoming", ""),
    ("done", "duty-done", "good"),
    ("skipped", "duty-skipped", "amended"),
];

fn state(view: &DutyView) -> &'static str {
    match view.state {
        DutyState::Overdue => "overdue",
        DutyState::Due => "due",
        DutyState::Upcoming => "upcoming",
        DutyState::Done(..) => "done",
        DutyState::Skipped { .. } => "skipped",
    }
}

#[derive(Template)]
#[template(path = "governance/duties.html")]
struct Month {
    l: Layout,
    crumbs: Vec<Crumb>,
    month: String,
    before: String,
    after: String,
    /// How many there are of each state: address, word, number, chosen.
    states: Vec<(String, String, u64, bool)>,
    /// The days, and how much is due on each.
    grid: Grid,
    /// The day whose duties alone are listed.
    day: Option<String>,
    rows: Vec<Row>,
    page: usize,
    pages: usize,
    /// The month's address, to which a page's number is added.
    base: String,
}

/// One occurrence.
struct Row {
    name: String,
    due: String,
    due_machine: String,
    owner: String,
    style: &'static str,
    word: String,
    /// Where it is done.
    how: Cell,
    /// What came of it.
    outcome: Option<Cell>,
    reason: Option<String>,
    /// Why a job of the program did not do it.
    trouble: Option<String>,
    skip: Option<String>,
}

/// `GET /rules/duties`; `?month=2026-11`, `&state=due` or `&day=7`, `&page=2`.
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    let (texts, today) = (ask.texts(), dates::day_of(ask.web.now()));
    let first = month(query.get("month")).unwrap_or_else(|| today.first_of_month());
    let begin = |months: i32| -> Option<Timestamp> {
        first.checked_add(months.months()).ok().and_then(dates::start_of)
    };
    let ends = (begin(-BACK), begin(0), begin(1));
    let (Some(back), Some(from), Some(until)) = ends else {
        return Err(Fault::status(StatusCode::BAD_REQUEST));
    };
    // What is overdue from before belongs to this month's work too.
    let this_month = first == today.first_of_month();
    let mut found = ask.web.app.duties(&ask.caller, Window { from: back, until }).await?;
    found.retain(|view| {
        view.opens >= from || view.due > from || this_month && view.state == DutyState::Overdue
    });
    let chosen = STATES.iter().find(|(code, ..)| *code == query.get("state")).map(|(code, ..)| *code);
    let address = format!("/rules/duties?month={}", code(first));
    let count = |code: &str| found.iter().filter(|view| state(view) == code).count() as u64;
    let day = query.parsed::<i8>("day").and_then(|day| Date::new(first.year(), first.month(), day).ok());
    let all = day.is_none() && chosen.is_none();
    let mut states = vec![(address.clone(), texts.get("filter-all"), found.len() as u64, all)];
    states.extend(STATES.iter().filter(|(code, ..)| count(code) > 0).map(|(code, key, _)| {
        (format!("{address}&state={code}"), texts.get(key), count(code), chosen == Some(*code))
    }));
    let marks = |day: Date| -> Vec<Mark> {
        let due: Vec<&str> = found.iter().filter(|view| last(view.due) == day).map(state).collect();
        let mark = |(code, key, style): &(&str, &str, &'static str)| {
            let count = due.iter().filter(|state| *state == code).count() as u64;
            (count > 0).then(|| Mark { style, word: texts.get(key), count })
        };
        STATES.iter().filter_map(mark).collect()
    };
    let grid =
        Grid::new(first, (today, day), texts, marks, |day| format!("{address}&day={}#list", day.day()));
    found.retain(|view| chosen.is_none_or(|chosen| state(view) == chosen));
    found.retain(|view| day.is_none_or(|day| last(view.due) == day));
    let pages = found.len().div_ceil(ROWS).max(1);
    let number = query.parsed("page").unwrap_or(1).clamp(1, pages);
    let rows = found.iter().skip((number - 1) * ROWS).take(ROWS);
    let there = |months: i32| first.checked_add(months.months()).map(code).unwrap_or_default();
    page(&Month {
        l: ask.layout("duties-title").at(address.clone()).current("rules").done(query.get("done")),
        crumbs: crumbs(&ask, &[]),
        month: month_name(first, texts),
        before: format!("/rules/duties?month={}", there(-1)),
        after: format!("/rules/duties?month={}", there(1)),
        states,
        grid,
        day: day.map(|day| dates::date(day, texts)),
        rows: rows.map(|view| row(&ask, view)).collect(),
        page: number,
        pages,
        base: match (chosen, day) {
            (Some(chosen), _) => format!("{address}&state={chosen}&"),
            (None, Some(day)) => format!("{address}&day={}&", day.day()),
            (None, None) => format!("{address}&"),
        },
    })
}

/// A month as addresses state it: `2026-11`.
fn code(first: Date) -> String {
    format!("{:04}-{:02}", first.year(), first.month())
}

fn month(text: &str) -> Option<Date> {
    let (year, month) = text.split_once('-')?;
    let year = year.parse().ok().filter(|year| (2000..=2200).contains(year))?;
    Date::new(year, month.parse().ok()?, 1).ok()
}

fn month_name(first: Date, texts: &Texts) -> String {
    match texts.language {
        Language::Japanese => format!("{}年{}月", first.year(), first.month()),
        Language::English => first.strftime("%B %Y").to_string(),
    }
}

fn row(ask: &Ask, view: &DutyView) -> Row {
    let (pack, texts) = (ask.web.app.pack(), ask.texts());
    let (_, key, style) = STATES.iter().find(|(code, ..)| *code == state(view)).unwrap_or(&STATES[0]);
    let open = matches!(view.state, DutyState::Due | DutyState::Overdue);
    let (outcome, reason) = match &view.state {
        DutyState::Done(at, object) => {
            let text = texts.with("duty-done-at", "time", &dates::date_time(*at, texts));
            (Some(Cell { text, link: proved(&view.terms.proof, *object) }), None)
        }
        DutyState::Skipped { reason, by } => {
            (Some(Cell { text: texts.with("duty-skipped-by", "name", by), link: None }), Some(reason.clone()))
        }
        _ => (None, None),
    };
    Row {
        name: named(&view.terms.name, texts),
        due: last_day(view.due, texts),
        due_machine: dates::machine(view.due),
        owner: whom(pack, &view.terms.owner, texts),
        style,
        word: texts.get(key),
        how: proof(pack, &view.terms.proof, texts),
        outcome,
        reason,
        trouble: view.trouble.map(|trouble| told(trouble, texts)),
        skip: (view.mine && open)
            .then(|| format!("/rules/duties/{}/skip?opens={}", view.terms.code, view.opens.as_micros())),
    }
}

/// Why a job of the program did not do a duty.
fn told(trouble: JobTrouble, texts: &Texts) -> String {
    match trouble {
        JobTrouble::Unknown => texts.get("duty-job-unknown"),
        JobTrouble::Failed(at, failure) => {
            let when = texts.with("duty-job-failed", "time", &dates::date_time(at, texts));
            let why = texts.count(&format!("job-failure-{}", failure.as_str()), failure.count());
            format!("{when} {why}")
        }
    }
}

/// The last day in time. A duty that opens at midnight and is due so many days later may still be
/// done on the day before.
fn last(due: Timestamp) -> Date {
    dates::day_of(Timestamp::from_micros(due.as_micros() - 1))
}

fn last_day(due: Timestamp, texts: &Texts) -> String {
    dates::date(last(due), texts)
}

/// Where what proved a duty done is found.
fn proved(proof: &Proof, object: ObjectId) -> Option<String> {
    Some(match proof {
        Proof::Procedure(_) => format!("/rules/cases/{object}"),
        Proof::Register(code) => format!("/rules/registers/{code}/entries/{object}"),
        Proof::Review(code) => format!("/rules/registers/{code}/reviews"),
        Proof::Document(code) => format!("/rules/documents/{code}"),
        Proof::Attestation(code) => format!("/rules/controls/attestations/{code}"),
        Proof::Job(_) => return None,
    })
}

#[derive(Template)]
#[template(path = "governance/duty_skip.html")]
struct Skip {
    l: Layout,
    crumbs: Vec<Crumb>,
    action: String,
    name: String,
    due: String,
    how: Cell,
    opens: i64,
    form: Asked,
}

fn fields() -> [Field; 1] {
    [must("reason", "duty-reason", Some("duty-reason-hint"), FieldType::LongText { most: 1_000 })]
}

async fn skip_page(ask: &Ask, code: &str, opens: Timestamp, form: Asked) -> Result<Skip, Fault> {
    let window = Window { from: opens, until: opens.plus(DAY) };
    let found = ask.web.app.duties(&ask.caller, window).await?;
    let view = found.into_iter().find(|view| view.terms.code == code && view.opens == opens);
    let view = view.ok_or_else(Fault::not_found)?;
    if !view.mine {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let texts = ask.texts();
    Ok(Skip {
        l: frame(ask, texts.get("duty-skip-title"), &format!("/rules/duties/{code}/skip")),
        crumbs: crumbs(ask, &[("/rules/duties", &texts.get("duties-title"))]),
        action: format!("/rules/duties/{code}/skip"),
        name: named(&view.terms.name, texts),
        due: last_day(view.due, texts),
        how: proof(ask.web.app.pack(), &view.terms.proof, texts),
        opens: opens.as_micros(),
        form,
    })
}

/// `GET /rules/duties/{duty}/skip?opens=…`
pub(crate) async fn skip_form(ask: Ask, Path(code): Path<String>, Query(query): Query) -> Answered {
    let opens = query.parsed("opens").map(Timestamp::from_micros).ok_or_else(Fault::not_found)?;
    let form = Asked::new(&ask, &fields(), &Filled::default()).await?;
    page(&skip_page(&ask, &code, opens, form).await?)
}

/// `POST /rules/duties/{duty}/skip`
pub(crate) async fn skip(ask: Ask, Path(code): Path<String>, form: Form) -> Answered {
    let opens = form.fields.parsed("opens").map(Timestamp::from_micros);
    let opens = opens.ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    let fields = fields();
    let sent = Sent::read(&ask, &fields, &form).await?;
    match ask.web.app.skip_duty(&ask.caller, &code, opens, sent.get("reason")).await {
        Ok(()) => Ok(see("/rules/duties?done=duty-skipped")),
        Err(error) => {
            let (status, form) = sent.again(&ask, &fields, Some(Fault::from(error)))?;
            page_with(status, &skip_page(&ask, &code, opens, form).await?)
        }
    }
}

#[cfg(test)]
mod tests {
    use mimamori_app::{JOBS, JobFailure};

    use super::*;

    #[test]
    fn every_job_and_every_failure_has_its_words() {
        let failures = [
            JobFailure::Findings(1),
            JobFailure::Findings(12),
            JobFailure::Unavailable,
            JobFailure::ClockNotMeasured,
            JobFailure::MailUnreachable,
            JobFailure::MailTls,
            JobFailure::MailSignIn,
            JobFailure::MailRefused(3),
        ];
        for language in Language::ALL {
            let texts = language.texts();
            for job in JOBS {
                assert!(texts.find(&format!("job-{job}")).is_some(), "{job}");
            }
            for failure in failures {
                let key = format!("job-failure-{}", failure.as_str());
                assert!(texts.find(&key).is_some(), "{key}");
                let said = told(JobTrouble::Failed(Timestamp::from_micros(0), failure), texts);
                assert!(failure.count() < 2 || said.contains(&failure.count().to_string()), "{said}");
            }
            assert!(texts.find("duty-job-unknown").is_some());
        }
    }

    #[test]
    fn months_are_read_and_named() {
        let first = month("2026-11").unwrap();
        assert_eq!(code(first), "2026-11");
        assert_eq!(month_name(first, Language::Japanese.texts()), "2026年11月");
        assert_eq!(month_name(first, Language::English.texts()), "November 2026");
        for bad in ["", "2026", "2026-13", "x-1", "99999-01"] {
            assert_eq!(month(bad), None, "{bad}");
        }
    }
}
