//! 規程: what waits for the caller, and the ways to everything they may use.

use askama::Template;
use futures::TryFutureExt;
use mimamori_app::{DutyState, Inbox, RuleParts, Window};
use mimamori_domain::{Error, Timestamp};

use super::asking::{acknowledges, has_duties, reads_documents};
use super::cases::{Row, Task};
use super::title_of;
use super::words::{Cell, named, proof};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::layout::{Ask, Layout, page};

/// Duties that are shown: those that opened up to so many days ago.
const DAYS_BACK: u64 = 400;
/// And those that are due within so many days.
const DAYS_AHEAD: u64 = 30;
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

#[derive(Template)]
#[template(path = "governance/hub.html")]
struct Hub {
    l: Layout,
    waiting: Vec<Row>,
    tasks: Vec<Task>,
    duties: Vec<Duty>,
    documents: Vec<Cell>,
    drafts: Vec<Row>,
    applied: Vec<Row>,
    stuck: Vec<Row>,
    links: Vec<Link>,
    staff: bool,
}

/// A duty that is open now.
struct Duty {
    name: String,
    due: String,
    overdue: bool,
    proof: Cell,
}

/// A part of the rules.
struct Link {
    address: &'static str,
    name: &'static str,
    hint: &'static str,
}

/// Whether somebody may look at a part.
type May = fn(&RuleParts, bool) -> bool;

/// Parts of the rules: address, name, what is there, and who may look at it (`true`: staff).
const PARTS: [(&str, &str, &str, May); 12] = [
    ("/rules/procedures", "procedures-title", "procedures-hint", |_, _| true),
    ("/rules/cases", "cases-title", "cases-hint", |_, _| true),
    ("/rules/registers", "registers-title", "registers-hint", |_, staff| staff),
    ("/rules/duties", "part-duties", "part-duties-hint", |may, _| may.duties),
    ("/rules/reminders", "reminders-title", "part-reminders-hint", |_, staff| staff),
    ("/rules/documents", "part-documents", "part-documents-hint", |may, _| may.documents),
    ("/rules/roles", "part-roles", "part-roles-hint", |may, _| may.roles),
    ("/rules/contacts", "contacts-title", "part-contacts-hint", |may, _| may.contacts),
    ("/rules/controls", "part-controls", "part-controls-hint", |may, _| may.controls),
    ("/rules/clauses", "part-clauses", "part-clauses-hint", |may, _| may.controls),
    ("/rules/system", "system-title", "part-system-hint", |may, _| may.system),
    ("/rules/pack", "part-pack", "part-pack-hint", |_, staff| staff),
];

/// `GET /rules`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    let texts = ask.texts();
    let (inbox, duties, documents) = waits(&ask).await?;
    let own = inbox.waiting.iter().map(|row| Row::of(row, texts)).collect::<Vec<_>>();
    let tasks = inbox.by_hand.iter().map(|task| Task::of(&ask, task)).collect::<Vec<_>>();
    let (staff, may) = (ask.caller.is_staff(), ask.web.app.rule_parts(&ask.caller));
    let part = |(address, name, hint, shown): &(&'static str, &'static str, &'static str, May)| {
        shown(&may, staff).then_some(Link { address, name, hint })
    };
    page(&Hub {
        l: ask.layout(title_of(&ask)).current("rules").done(query.get("done")),
        waiting: own,
        tasks,
        duties,
        documents,
        drafts: inbox.drafts.iter().map(|row| Row::of(row, texts)).collect(),
        applied: inbox.applied.iter().map(|row| Row::of(row, texts)).collect(),
        stuck: inbox.stuck.iter().map(|row| Row::of(row, texts)).collect(),
        links: PARTS.iter().filter_map(part).collect(),
        staff,
    })
}

/// What waits for the caller; how much it is stays known for the mark in the navigation.
async fn waits(ask: &Ask) -> Result<(Inbox, Vec<Duty>, Vec<Cell>), Fault> {
    let inbox = ask.web.app.inbox(&ask.caller).map_err(Fault::from);
    // Asked for at once: what each leaves in the ledger is then kept together.
    let (inbox, duties, documents) = futures::try_join!(inbox, duties(ask), documents(ask))?;
    let count = inbox.waiting.len() + inbox.by_hand.len() + duties.len() + documents.len();
    ask.web.waiting.keep(ask.caller.actor_id(), ask.web.now(), count as u64);
    Ok((inbox, duties, documents))
}

/// Counts again what waits for the caller, when that was long ago. A page is shown without the
/// number rather than not at all.
pub(crate) async fn count(ask: &Ask) {
    if ask.web.waiting.is_stale(ask.caller.actor_id(), ask.web.now()) {
        let _ = waits(ask).await;
    }
}

/// The caller's own duties that are open. Asked for only by whom the pack names, so that nobody is
/// refused by looking at what waits for them.
async fn duties(ask: &Ask) -> Result<Vec<Duty>, Fault> {
    if !has_duties(ask) {
        return Ok(Vec::new());
    }
    let (now, texts): (Timestamp, _) = (ask.web.now(), ask.texts());
    let days = |n: u64| DAY * u32::try_from(n).unwrap_or(u32::MAX);
    // Whole days, so that all who ask on one day ask the same.
    let tomorrow = dates::day_of(now).tomorrow().ok().and_then(dates::start_of);
    let until = tomorrow.ok_or_else(|| Error::internal("a day beyond the calendar"))?.plus(DAY);
    let window = Window { from: until.minus(days(DAYS_BACK)), until };
    let found = ask.web.app.duties(&ask.caller, window).await?;
    let open = found.into_iter().filter(|duty| {
        let soon = duty.due <= now.plus(days(DAYS_AHEAD));
        duty.mine && soon && matches!(duty.state, DutyState::Due | DutyState::Overdue)
    });
    let shown = open.map(|duty| Duty {
        name: named(&duty.terms.name, texts),
        due: dates::date(dates::day_of(duty.due), texts),
        overdue: duty.state == DutyState::Overdue,
        proof: proof(ask.web.app.pack(), &duty.terms.proof, texts),
    });
    Ok(shown.collect())
}

/// The documents that the caller must still say they read.
async fn documents(ask: &Ask) -> Result<Vec<Cell>, Fault> {
    if !(acknowledges(ask) && reads_documents(ask)) {
        return Ok(Vec::new());
    }
    let found = ask.web.app.documents(&ask.caller).await?;
    let unread = found.into_iter().filter(|one| one.to_acknowledge);
    let cell = |one: mimamori_app::DocumentSummary<'_>| Cell {
        text: named(&one.document.name, ask.texts()),
        link: Some(format!("/rules/documents/{}", one.document.code)),
    };
    Ok(unread.map(cell).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn every_part_has_its_words_and_its_page() {
        for (address, name, hint, _) in PARTS {
            assert!(crate::routes::ROUTES.iter().any(|route| route.path == address), "{address}");
            for language in Language::ALL {
                assert!(
                    language.texts().find(name).is_some() && language.texts().find(hint).is_some(),
                    "{name}"
                );
            }
        }
    }
}
