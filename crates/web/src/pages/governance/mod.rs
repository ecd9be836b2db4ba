//! 規程: the organisation's own rules as pages: registers, procedures, duties, documents, roles,
//! controls, and the clauses that all of these answer.
//!
//! What is shown follows from the pack: nothing here knows an organisation, a register or a form.

mod asked;
mod asking;
pub(crate) mod cases;
pub(crate) mod clauses;
pub(crate) mod controls;
pub(crate) mod documents;
pub(crate) mod duties;
pub(crate) mod entries;
pub(crate) mod hub;
mod inputs;
mod month;
pub(crate) mod pack;
mod paper;
pub(crate) mod procedures;
mod readable;
mod references;
pub(crate) mod registers;
pub(crate) mod reminders;
pub(crate) mod reviews;
mod rhythm;
pub(crate) mod roles;
pub(crate) mod system;
pub(crate) mod tables;
mod words;

pub(super) use self::words::translated;

use crate::layout::{Ask, Layout};

/// A step of the way back to the start of the rules: address and name.
pub(crate) type Crumb = (String, String);

/// The frame of a page about something of the pack, which gives the title.
fn frame(ask: &Ask, title: String, here: &str) -> Layout {
    let mut layout = ask.layout("rules-title").at(here).current("rules");
    layout.title = title;
    layout
}

/// What the hub is called: citizens apply there, and have no rules to run.
fn title_of(ask: &Ask) -> &'static str {
    if ask.caller.is_staff() { "rules-title" } else { "nav-rules-own" }
}

/// The way back: the hub, and what the page belongs to.
fn crumbs(ask: &Ask, more: &[(&str, &str)]) -> Vec<Crumb> {
    let mut crumbs = vec![("/rules".to_owned(), ask.texts().get(title_of(ask)))];
    crumbs.extend(more.iter().map(|(address, name)| ((*address).to_owned(), (*name).to_owned())));
    crumbs
}
