//! Work that many ask for at once is done once for all of them.
//!
//! An answer is begun only after everybody whom it is given to has asked, so that nobody is told what
//! was true before they asked. Who asks while one is being worked out is given the next: it is begun beside
//! the other while only few ask, and waits for the other's end when many do.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mimamori_domain::Result;
use tokio::sync::{MutexGuard, OnceCell};

/// Parts of one work that wait for the database at the same time.
const AT_ONCE: usize = 32;
/// While an answer is worked out for no more than so many, another one is worked out beside it.
const FEW: usize = 2;

/// The answers of many parts of one work, in their order, not waiting for one after the other.
///
/// # Errors
/// The first that a part gives.
pub(crate) async fn each<T, F: Future<Output = Result<T>>>(parts: Vec<F>) -> Result<Vec<T>> {
    stream::iter(parts).buffered(AT_ONCE).try_collect().await
}

/// An answer, once it is there; a failure is one too.
type Answer<V> = OnceCell<Result<V>>;

/// Answers that are being waited for, by what was asked.
pub(crate) struct Together<K, V> {
    /// Those that have not been begun.
    waiting: Mutex<HashMap<K, Arc<Answer<V>>>>,
    /// Held while one is worked out.
    turn: tokio::sync::Mutex<()>,
    /// Held while one is worked out beside it.
    beside: tokio::sync::Mutex<()>,
    /// What is worked out in turn; everybody whom it is given to holds it.
    current: Mutex<Weak<Answer<V>>>,
}

impl<K, V> Default for Together<K, V> {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            beside: tokio::sync::Mutex::default(),
            current: Mutex::default(),
        }
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Together<K, V> {
    /// The answer to a question, worked out after this was called. What fails, fails for all who wait for
    /// it: nobody queues for a database that is away.
    ///
    /// # Errors
    /// What the work gives.
    pub(crate) async fn ask(&self, key: K, work: BoxFuture<'_, Result<V>>) -> Result<V> {
        let answer = self.next(&key);
        let begin = async {
            let _turn = self.turn(&answer).await;
            self.begun(&key, &answer);
            work.await
        };
        answer.get_or_init(|| begin).await.clone()
    }

    /// The answer that is begun next.
    fn next(&self, key: &K) -> Arc<Answer<V>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // What everybody stopped waiting for before its turn came.
        waiting.retain(|_, answer| Arc::strong_count(answer) > 1);
        Arc::clone(waiting.entry(key.clone()).or_default())
    }

    /// Waits until an answer may be begun.
    async fn turn(&self, answer: &Arc<Answer<V>>) -> MutexGuard<'_, ()> {
        let turn = if let Ok(turn) = self.turn.try_lock() {
            turn
        } else {
            let few = self.current().strong_count() <= FEW;
            if let Some(beside) = few.then(|| self.beside.try_lock().ok()).flatten() {
                return beside;
            }
            self.turn.lock().await
        };
        *self.current() = Arc::downgrade(answer);
        turn
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Weak<Answer<V>>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on, whoever asks is given another answer.
    fn begun(&self, key: &K, answer: &Arc<Answer<V>>) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.get(key).is_some_and(|one| Arc::ptr_eq(one, answer)) {
            waiting.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use mimamori_domain::Error;
    use tokio::sync::Semaphore;

    use super::*;

    /// Counts how often it was done; each time once it is let go on.
    #[derive(Default)]
    struct Work {
        begun: AtomicU64,
        go: Option<Semaphore>,
    }

    impl Work {
        async fn once(&self) -> Result<u64> {
            let at = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            if let Some(go) = &self.go {
                go.acquire().await.map_err(Error::internal)?.forget();
            }
            Ok(at)
        }
    }

    /// Lets everything go on as far as it can.
    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn who_asks_while_an_answer_is_worked_out_is_given_the_next_one() {
        let together = Arc::new(Together::<&str, u64>::default());
        let work = Arc::new(Work { go: Some(Semaphore::new(0)), ..Work::default() });
        let ask = |key| {
            let (together, work) = (Arc::clone(&together), Arc::clone(&work));
            tokio::spawn(async move { together.ask(key, Box::pin(work.once())).await })
        };
        let begun = || work.begun.load(Ordering::SeqCst);
        let first = ask("a");
        settle().await;
        let second = ask("a");
        settle().await;
        assert_eq!(begun(), 2, "beside the one for the first");
        let next: Vec<_> = (0..5).map(|_| ask("a")).collect();
        let other = ask("b");
        settle().await;
        assert_eq!(begun(), 2, "no more than two at a time");
        let go = work.go.as_ref().unwrap();
        go.add_permits(2);
        assert_eq!(first.await.unwrap().unwrap(), 1);
        assert_eq!(second.await.unwrap().unwrap(), 2);
        settle().await;
        assert_eq!(begun(), 3, "while one is worked out for many, others wait");
        go.add_permits(2);
        for one in next {
            assert_eq!(one.await.unwrap().unwrap(), 3, "once for all five");
        }
        assert_eq!(other.await.unwrap().unwrap(), 4);
        assert!(together.waiting.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_begun_anew() {
        let together = Arc::new(Together::<&str, u64>::default());
        let work = Arc::new(Work { go: Some(Semaphore::new(0)), ..Work::default() });
        let ask = || {
            let (together, work) = (Arc::clone(&together), Arc::clone(&work));
            tokio::spawn(async move { together.ask("a", Box::pin(work.once())).await })
        };
        let gone = ask();
        settle().await;
        let beside = ask();
        settle().await;
        let waits = ask();
        settle().await;
        gone.abort();
        settle().await;
        assert_eq!(work.begun.load(Ordering::SeqCst), 3);
        work.go.as_ref().unwrap().add_permits(2);
        assert_eq!(beside.await.unwrap().unwrap(), 2);
        assert_eq!(waits.await.unwrap().unwrap(), 3);
    }

    #[tokio::test]
    async fn a_failure_is_for_all_who_wait_and_is_not_kept() {
        let together = Arc::new(Together::<(), u64>::default());
        let work = Arc::new(Work { go: Some(Semaphore::new(0)), ..Work::default() });
        let ask = || {
            let (together, work) = (Arc::clone(&together), Arc::clone(&work));
            let failing = async move { work.once().await.and_then(|at| Err(Error::unavailable(at))) };
            tokio::spawn(async move { together.ask((), Box::pin(failing)).await })
        };
        let first = ask();
        settle().await;
        let next: Vec<_> = (0..5).map(|_| ask()).collect();
        settle().await;
        work.go.as_ref().unwrap().add_permits(3);
        assert!(first.await.unwrap().is_err());
        for one in next {
            assert!(one.await.unwrap().is_err());
        }
        assert_eq!(work.begun.load(Ordering::SeqCst), 3, "tried once for the four who waited");
        assert_eq!(together.ask((), Box::pin(async { Ok(7) })).await.unwrap(), 7);
    }
}
