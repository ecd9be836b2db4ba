//! お知らせ: entries that stand on the first page of those who read their register, while they hold.

use mimamori_domain::{Action, ObjectId, RecordState, Result, Timestamp};

use super::{RegisterEntry, THING, place_of};
use crate::App;
use crate::caller::Caller;
use crate::governance::object::{Governed, Look};
use crate::governance::purpose;
use crate::governance::who::{Reach, target};

/// So many stand on a first page, the newest.
pub const MOST_NOTICES: usize = 5;

/// An entry that holds today.
#[derive(Clone)]
pub struct Notice {
    pub register: String,
    pub entry: ObjectId,
    pub title: String,
    /// When it was written, UTC.
    pub entered: Timestamp,
}

/// What it is about stays out of debug output (invariant 9).
impl std::fmt::Debug for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notice").field("entry", &self.entry).finish_non_exhaustive()
    }
}

impl App {
    /// The notices that hold on this day in Japan, the newest first, at most [`MOST_NOTICES`]: entries of the
    /// registers with `shown-from` and `shown-until` that the caller may read. It is recorded when there is
    /// one.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn notices(&self, caller: &Caller) -> Result<Vec<Notice>> {
        let (caller, now) = (purpose(caller), self.clock.now());
        let today = jiff::tz::Offset::constant(9).to_datetime(jiff::Timestamp::from(now)).date().to_string();
        let mut found: Vec<Notice> = Vec::new();
        // Registers are the staff's: whoever the policies keep away from all of them is told nothing.
        if !self.decide_general(&caller, Action::Search, &target(THING, true), now).allowed {
            return Ok(found);
        }
        for register in self.pack.registers() {
            let Some(days) = &register.shown else { continue };
            if !self.register_rights(&caller, register, Reach::Anywhere, now).reads {
                continue;
            }
            let (entries, _) = self.governed_list::<RegisterEntry>(&register.code).await?;
            for entry in entries {
                let here = || self.register_rights(&caller, register, Reach::Here(&place_of(&entry)), now);
                if holds(&entry, days, &today) && here().reads {
                    found.push(Notice {
                        register: register.code.clone(),
                        entry: entry.object,
                        title: self.entry_title(&register.code, &entry).await?,
                        entered: crate::body::time(entry.body.entered_at),
                    });
                }
            }
        }
        found.sort_by_key(|notice| (std::cmp::Reverse(notice.entered), notice.entry));
        found.truncate(MOST_NOTICES);
        if !found.is_empty() {
            let decision = self.require_register(&caller, Action::Search, true).await?;
            let look = Look::at(Action::Search, THING).count(found.len()).stated("notices");
            self.note_look(&caller, &decision, look).await?;
        }
        Ok(found)
    }
}

/// Whether an entry stands, and holds on a day such as `2026-11-22`: days in this form are in order as texts.
fn holds(entry: &Governed<RegisterEntry>, (from, until): &(String, String), today: &str) -> bool {
    let day = |code: &str| entry.body.values.get(code).and_then(|day| day.as_str());
    let begun = day(from).is_some_and(|from| from <= today);
    begun && day(until).is_none_or(|until| today <= until) && entry.state != RecordState::Withdrawn
}
