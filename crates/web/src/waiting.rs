//! How much waits for somebody, for the mark beside the navigation: as it was when they last looked.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mimamori_domain::{ActorId, Timestamp};

/// How long a number is shown before it is asked for again.
const FRESH: Duration = Duration::from_secs(300);
/// Most people remembered at once.
const MOST: usize = 10_000;

/// Numbers by user. Nothing but a number is kept, and it is lost with the program.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<HashMap<ActorId, (Timestamp, u64)>>);

impl Waiting {
    pub(crate) fn keep(&self, actor: ActorId, now: Timestamp, count: u64) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(actor, (now, count));
    }

    /// The number, when it was asked for; 0 otherwise.
    pub(crate) fn count(&self, actor: ActorId) -> u64 {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&actor).map_or(0, |(_, count)| *count)
    }

    /// Whether the number should be asked for again.
    pub(crate) fn is_stale(&self, actor: ActorId, now: Timestamp) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&actor).is_none_or(|(at, _)| at.plus(FRESH) < now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_grows_old() {
        let (waiting, actor) = (Waiting::default(), ActorId::random());
        let now = Timestamp::from_micros(1_000_000);
        assert!(waiting.is_stale(actor, now));
        waiting.keep(actor, now, 3);
        assert_eq!(waiting.count(actor), 3);
        assert!(!waiting.is_stale(actor, now.plus(FRESH)));
        assert!(waiting.is_stale(actor, now.plus(FRESH + Duration::from_micros(1))));
        assert_eq!(waiting.count(ActorId::random()), 0);
    }
}
