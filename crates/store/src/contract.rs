//! What every database must pass, run by each database crate's tests on the real thing.
//!
//! Test code: it panics where something is not as it must be. [`check_statements`] doesn't, so that
//! other crates can have their own lists of statements checked.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "test code, built only with the feature `contract`"
)]

mod faults;
mod objects;
mod queue;
mod schema;
pub mod speed;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mimamori_domain::{Action, Clock, InstanceId, ManualClock, SubjectId, Timestamp, UnitId};
use mimamori_ledger::{Entry, EntryDraft};

pub use self::faults::*;
pub use self::objects::*;
pub use self::queue::*;
pub use self::schema::*;
use crate::statements::ledger;
use crate::{Committed, EngineOptions, NewEpoch, OpenError, Store, Unit};

/// An empty database that a test has for itself.
#[async_trait]
pub trait TestDatabase: Send + Sync {
    /// Opens it; more than once gives more than one instance of the program.
    async fn open(&self, options: EngineOptions) -> Result<Arc<dyn Store>, OpenError>;

    /// Runs SQL behind the program's back, as its administrator could.
    async fn behind(&self, sql: &'static str) -> Result<(), String>;
}

/// Makes a test of every function of the contract; `$fresh` is an async function that gives a
/// [`TestDatabase`].
#[macro_export]
macro_rules! contract_tests {
    ($fresh:path) => {
        $crate::contract_tests!(@ $fresh:
            every_statement_prepares
            tables_are_as_described
            a_newer_schema_is_refused
            opening_twice_changes_nothing
            what_was_seen_survives_its_new_order
            history_cannot_be_changed
            nothing_commits_before_the_first_epoch
            a_unit_commits_with_its_entries
            wrongly_made_units_are_refused
            guards_hold
            bumps_in_a_batch_break_later_guards
            a_poisoned_unit_spares_its_neighbours
            many_writers_leave_no_gap
            two_instances_share_one_ledger
            a_full_queue_refuses_and_drops_nothing
            a_caller_that_goes_away_loses_nothing
            time_never_runs_backwards
            an_epoch_follows_the_one_before
            units_are_found_again
            times_become_sequences
            leases_fence
            housekeeping_needs_no_entry
            nulls_have_types
            large_bodies_come_back
            versions_and_heads_go_together
            a_changed_row_is_noticed
            pages_of_a_notebook
            people_are_found_by_tokens
            sessions_know_access_versions
            long_lists_are_asked_in_parts
            a_snapshot_sees_one_state
            questions_are_answered_together
        );
    };
    (@ $fresh:path: $($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            $crate::contract::$name(&$fresh().await).await;
        }
    )*};
}

/// A time in 2026 at which test clocks begin.
pub const START: Timestamp = Timestamp::from_micros(1_790_000_000_000_000);

/// Options with a clock of the test's own.
#[must_use]
pub fn options(clock: &Arc<ManualClock>) -> EngineOptions {
    let mut options = EngineOptions::new(Arc::clone(clock) as Arc<dyn Clock>, InstanceId::random());
    options.on_fatal = Arc::new(|told| panic!("a fatal error: {told}"));
    options.outcome_patience = Duration::from_secs(20);
    options
}

/// An opened database with its first epoch begun: the ledger has one entry.
pub async fn ready(database: &dyn TestDatabase) -> Arc<dyn Store> {
    let store = database.open(options(&Arc::new(ManualClock::at(START)))).await.unwrap();
    begin(store.as_ref(), 0).await;
    store
}

/// Begins an epoch.
pub async fn begin(store: &dyn Store, epoch: u32) -> Committed {
    let unit = Unit::new();
    let mut entry = draft(&unit, Action::System);
    if epoch > 0 {
        entry.previous = Some(mimamori_ledger::PreviousLog {
            origin: "example.org/mimamori".into(),
            size: 1,
            root: [1; 32],
        });
    }
    let origin = format!("example.org/mimamori/{epoch}");
    let previous_note = (epoch > 0).then(|| "a signed note\n".to_owned());
    store.start_epoch(NewEpoch { epoch, origin, previous_note, unit: unit.entry(entry) }).await.unwrap()
}

/// An entry of a unit.
#[must_use]
pub fn draft(unit: &Unit, action: Action) -> EntryDraft {
    EntryDraft::new(unit.id, *UnitId::random().as_bytes(), action, [7; 32])
}

/// A unit that only looked at somebody's record.
#[must_use]
pub fn reading(subject: SubjectId) -> Unit {
    let unit = Unit::new();
    let mut entry = draft(&unit, Action::Read);
    entry.subject = Some(subject);
    unit.entry(entry)
}

/// All entries of an epoch, in order, each with its bytes; checks that there is no gap.
pub async fn entries(store: &dyn Store, epoch: u32) -> Vec<(Entry, Vec<u8>)> {
    let mut found: Vec<(Entry, Vec<u8>)> = Vec::new();
    loop {
        let from = found.len() as u64;
        let args = vec![epoch.into(), from.into(), i64::MAX.into(), 1000_i64.into()];
        let rows = store.query(&ledger::ENTRIES, args).await.unwrap();
        if rows.is_empty() {
            return found;
        }
        for mut row in rows {
            assert_eq!(row.unsigned(0).unwrap(), found.len() as u64, "a gap in the ledger");
            let bytes = row.take_blob(1).unwrap();
            let entry = Entry::decode(&bytes).unwrap();
            assert_eq!(entry.position.sequence, found.len() as u64);
            found.push((entry, bytes));
        }
    }
}
