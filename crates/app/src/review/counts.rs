//! How often people's records were accessed: the ledger counted by person and by stretches of time.
//!
//! What was counted once stays in memory with the place in the ledger up to which it was counted, and
//! is counted on from there: entries are only ever added.

use std::cmp::Reverse;
use std::collections::hash_map::Entry as Counted;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Mutex, PoisonError};

use mimamori_domain::{Action, Error, Kind, Purpose, Result, SubjectId, Timestamp};
use mimamori_policy::GeneralTarget;
use mimamori_store::Unit;
use mimamori_store::statements::ledger;
use quick_cache::sync::Cache;

use super::Names;
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::caller::Caller;
use crate::cursor::{Position, page_size};
use crate::together::{Together, each};
use crate::{AccessCounts, App, Page, Paging, SubjectCount, Window};

/// Windows that one question counts.
const MOST_WINDOWS: usize = 100;

/// Questions whose counts stay in memory: some 100 bytes for each person whom they are about.
const MOST_KEPT: usize = 8;

/// One page of a count, by the windows and the position it begins after.
type Asked = (Vec<Window>, Position, usize);

/// A page as it was counted: for each window its accesses, people with theirs, all people, and the
/// position where it goes on.
#[derive(Clone)]
struct Sums {
    each: Vec<u64>,
    people: Vec<(SubjectId, u64)>,
    all: u64,
    next: Option<Position>,
}

/// Places of times in the ledger that stay in memory.
const PLACES: usize = 4_096;

/// The counts that a program keeps.
pub(crate) struct Counts {
    together: Together<Asked, Sums>,
    /// Where the entries from a time on begin, by epoch and time: of times before the newest entry.
    pub(super) places: Cache<(u32, Timestamp), u64>,
    /// The last asked for at the end.
    kept: Mutex<Vec<Tally>>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { together: Together::default(), places: Cache::new(PLACES), kept: Mutex::default() }
    }
}

impl Counts {
    fn take(&self, windows: &[Window]) -> Option<Tally> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().position(|tally| tally.windows == windows)?;
        Some(kept.remove(place))
    }

    fn keep(&self, tally: Tally) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.remove(0);
        }
        kept.push(tally);
    }
}

/// Accesses to people's records in windows that do not overlap, up to a place in the ledger.
struct Tally {
    windows: Vec<Window>,
    each: Vec<u64>,
    /// By epoch, how many of its entries were counted.
    counted: BTreeMap<u32, u64>,
    /// Recorded time of the last entry that was counted.
    at: Timestamp,
    sums: HashMap<SubjectId, u64>,
    /// The same, the most first.
    order: BTreeSet<(Reverse<u64>, SubjectId)>,
}

impl Tally {
    fn new(windows: Vec<Window>) -> Self {
        Self {
            each: vec![0; windows.len()],
            windows,
            counted: BTreeMap::new(),
            at: Timestamp::from_micros(i64::MIN),
            sums: HashMap::new(),
            order: BTreeSet::new(),
        }
    }

    fn add(&mut self, subject: SubjectId, count: u64) {
        match self.sums.entry(subject) {
            Counted::Occupied(mut sum) => {
                self.order.remove(&(Reverse(*sum.get()), subject));
                *sum.get_mut() += count;
                self.order.insert((Reverse(*sum.get()), subject));
            }
            Counted::Vacant(sum) => {
                sum.insert(count);
                self.order.insert((Reverse(count), subject));
            }
        }
    }

    /// The people after a position, and where they go on.
    fn page(&self, after: Position, size: usize) -> Sums {
        let after = (Reverse(u64::try_from(after.number).unwrap_or(0)), SubjectId::from_bytes(after.id));
        let mut rest = self.order.range((Excluded(after), Unbounded));
        let people: Vec<_> = rest.by_ref().take(size).map(|(Reverse(count), who)| (*who, *count)).collect();
        let last = people.last().filter(|_| rest.next().is_some());
        Sums {
            each: self.each.clone(),
            all: self.sums.len() as u64,
            next: last.map(|(subject, count)| Position {
                number: i64::try_from(*count).unwrap_or(i64::MAX),
                id: *subject.as_bytes(),
            }),
            people,
        }
    }
}

impl App {
    /// How often people's records were accessed: in each of the windows, which do not overlap, and by
    /// person, the most first. Who is accessed meanwhile may move from one page to another.
    ///
    /// # Errors
    /// Invalid with more than a hundred windows; forbidden; unavailable.
    pub async fn review_counts(
        &self,
        caller: &Caller,
        windows: &[Window],
        paging: &Paging,
    ) -> Result<AccessCounts> {
        if windows.len() > MOST_WINDOWS {
            return Err(Error::invalid("too many windows of time are asked about at once"));
        }
        let caller = &caller.for_purpose(Purpose::Audit);
        let decision =
            self.require_general(caller, Action::Review, GeneralTarget::of(Kind::of("ledger"))).await?;
        let bounds: Vec<[u8; 8]> = windows
            .iter()
            .flat_map(|window| [window.from, window.until].map(|at| at.as_micros().to_be_bytes()))
            .collect();
        let question: Vec<&[u8]> =
            std::iter::once(&b"review-counts"[..]).chain(bounds.iter().map(<[u8; 8]>::as_slice)).collect();
        let start = self.open_cursor(caller, &question, paging.cursor.as_deref(), Position::NEWEST)?;
        let asked = (windows.to_vec(), start, page_size(paging.count));
        let sums = self.counts.together.ask(asked.clone(), Box::pin(self.count_on(asked))).await?;
        let next = sums.next.map(|position| self.seal_cursor(caller, &question, position)).transpose()?;
        for _ in 0..ATTEMPTS {
            let mut names = Names::default();
            self.find_names(caller, sums.people.iter().map(|(subject, _)| *subject), &mut names).await?;
            let people = sums.people.iter().map(|(subject, count)| SubjectCount {
                subject: *subject,
                name: names.of(*subject),
                count: *count,
            });
            let people: Vec<SubjectCount> = people.collect();
            let unit = Unit::new();
            let mut entry = decided(caller.entry(unit.id, Action::Review), &decision);
            entry.resource = Some((Kind::of("ledger"), None));
            entry.count = people.len() as u64;
            let entry = self.with_sealed(caller, entry, 0, None)?;
            let unit = names.note(caller, unit.entry(entry), None);
            if let Settled::Done = self.settle(caller, unit).await? {
                let people = Page { items: people, next, total: Some(sums.all) };
                return Ok(AccessCounts { windows: sums.each, people });
            }
        }
        Err(kept_changing())
    }

    /// A page of what was counted, after counting what was added to the ledger since.
    async fn count_on(&self, (windows, start, size): Asked) -> Result<Sums> {
        let head = self.store.head().await?.ok_or_else(|| Error::unavailable("the ledger has no head"))?;
        // What fails half-way is not kept.
        let mut tally = self.counts.take(&windows).unwrap_or_else(|| Tally::new(windows));
        // Recorded time never runs backwards: nothing more is added to what has ended.
        let open = tally.windows.iter().copied().enumerate().filter(|(_, window)| window.until > tally.at);
        let open: Vec<(usize, Window)> = open.collect();
        let epochs = self.epochs(&head).await?;
        let spans = open.iter().map(|(_, window)| self.spans_within(*window, &head, &epochs)).collect();
        let spans = each(spans).await?;
        for ((at, _), spans) in open.into_iter().zip(spans) {
            let mut all = 0;
            for span in spans {
                let counted = tally.counted.get(&span.epoch).copied().unwrap_or(0);
                let from = span.from.max(counted);
                if from >= span.until {
                    continue;
                }
                let args = vec![span.epoch.into(), from.into(), span.until.into(), i64::MAX.into()];
                for row in self.store.query(&ledger::COUNT_PER_SUBJECT, args).await? {
                    let count = row.unsigned(1).map_err(Error::unavailable)?;
                    tally.add(row.id_of(0).map_err(Error::unavailable)?, count);
                    all += count;
                }
            }
            if let Some(each) = tally.each.get_mut(at) {
                *each += all;
            }
        }
        tally.counted.extend(epochs);
        tally.at = head.recorded;
        let page = tally.page(start, size);
        self.counts.keep(tally);
        Ok(page)
    }
}
