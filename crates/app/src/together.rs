//! Work that many ask for at once is done once for all of them.
//!
//! An answer is begun only after everybody whom it is given to has asked, so that nobody is told what
//! was true before they asked. Who asks while one is being worked out waits for the next.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use mimamori_domain::Result;
use tokio::sync::OnceCell;

/// Parts of one work that wait for the database at the same time.
const AT_ONCE: usize = 32;

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
}

impl<K, V> Default for Together<K, V> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
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
            let _turn = self.turn.lock().await;
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

    #[tokio::test]
    async fn who_asks_while_an_answer_is_worked_out_is_given_the_next_one() {
        let together = Arc::new(Together::<&str, u64>::default());
        let work = Arc::new(Work { go: Some(Semaphore::new(0)), ..Work::default() });
        let ask = |key| {
            let (together, work) = (Arc::clone(&together), Arc::clone(&work));
            tokio::spawn(async move { together.ask(key, Box::pin(work.once())).await })
        };
        let first = ask("a");
        while work.begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let next: Vec<_> = (0..5).map(|_| ask("a")).collect();
        let other = ask("b");
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert_eq!(work.begun.load(Ordering::SeqCst), 1, "one at a time");
        work.go.as_ref().unwrap().add_permits(3);
        assert_eq!(first.await.unwrap().unwrap(), 1);
        for one in next {
            assert_eq!(one.await.unwrap().unwrap(), 2, "once for all five");
        }
        assert_eq!(other.await.unwrap().unwrap(), 3);
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
        while work.begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let waits = ask();
        gone.abort();
        work.go.as_ref().unwrap().add_permits(1);
        assert_eq!(waits.await.unwrap().unwrap(), 2);
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
        while work.begun.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let next: Vec<_> = (0..5).map(|_| ask()).collect();
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        work.go.as_ref().unwrap().add_permits(2);
        assert!(first.await.unwrap().is_err());
        for one in next {
            assert!(one.await.unwrap().is_err());
        }
        assert_eq!(work.begun.load(Ordering::SeqCst), 2, "tried once for all five");
        assert_eq!(together.ask((), Box::pin(async { Ok(7) })).await.unwrap(), 7);
    }
}
