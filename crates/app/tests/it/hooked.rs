//! A store that lets something happen at a chosen moment: right before a unit is committed, or before
//! one of housekeeping.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use mimamori_domain::{Action, InstanceId};
use mimamori_store::driver::Described;
use mimamori_store::{
    Change, CommitError, Committed, DurableSetting, Head, Lease, NewEpoch, ReadError, Reads, Row, Snapshot,
    Statement, Store, Unit, Upkept, Value,
};

type Happening = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// Delegates to a real store.
pub struct Hooked {
    inner: Arc<dyn Store>,
    next: Mutex<Option<(Action, Happening)>>,
    next_upkeep: Mutex<Option<(usize, Happening)>>,
    upkept: Mutex<Vec<usize>>,
    forgetful: AtomicBool,
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooked").finish_non_exhaustive()
    }
}

impl Hooked {
    pub fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            next: Mutex::new(None),
            next_upkeep: Mutex::new(None),
            upkept: Mutex::new(Vec::new()),
            forgetful: AtomicBool::new(false),
        })
    }

    /// Lets `happening` run once, before the next unit whose first entry is of this action.
    pub fn before(&self, action: Action, happening: Happening) {
        let before = self.next.lock().unwrap().replace((action, happening));
        assert!(before.is_none(), "what was to happen before did not");
    }

    /// Lets `happening` run once, before the `nth` housekeeping unit from now (from 1) of several
    /// changes.
    pub fn before_upkeep(&self, nth: usize, happening: Happening) {
        let before = self.next_upkeep.lock().unwrap().replace((nth, happening));
        assert!(before.is_none(), "what was to happen before did not");
    }

    /// Lets the database say that it answers before the disk has what was written.
    pub fn forget(&self) {
        self.forgetful.store(true, Ordering::SeqCst);
    }

    /// Whether what was asked for has happened.
    pub fn happened(&self) -> bool {
        self.next.lock().unwrap().is_none() && self.next_upkeep.lock().unwrap().is_none()
    }

    /// How many changes each housekeeping unit of several changes made that did not fail.
    pub fn upkept(&self) -> Vec<usize> {
        self.upkept.lock().unwrap().clone()
    }
}

#[async_trait]
impl Reads for Hooked {
    async fn query_lists(
        &self,
        statement: &'static Statement,
        args: Vec<Value>,
        lists: Vec<Vec<Value>>,
    ) -> Result<Vec<Row>, ReadError> {
        self.inner.query_lists(statement, args, lists).await
    }
}

#[async_trait]
impl Store for Hooked {
    async fn commit(&self, unit: Unit) -> Result<Committed, CommitError> {
        let action = unit.entries.first().map(|entry| entry.action);
        let happening = {
            let mut next = self.next.lock().unwrap();
            let now = next.as_ref().is_some_and(|(wanted, _)| Some(*wanted) == action);
            if now { next.take() } else { None }
        };
        if let Some((_, happening)) = happening {
            happening().await;
        }
        self.inner.commit(unit).await
    }

    async fn upkeep(&self, changes: Vec<Change>) -> Result<Vec<Upkept>, CommitError> {
        let count = changes.len();
        if count < 2 {
            return self.inner.upkeep(changes).await;
        }
        let happening = {
            let mut next = self.next_upkeep.lock().unwrap();
            match next.take() {
                Some((1, happening)) => Some(happening),
                Some((nth, happening)) => {
                    *next = Some((nth - 1, happening));
                    None
                }
                None => None,
            }
        };
        if let Some(happening) = happening {
            happening().await;
        }
        let upkept = self.inner.upkeep(changes).await?;
        self.upkept.lock().unwrap().push(count);
        Ok(upkept)
    }

    async fn start_epoch(&self, epoch: NewEpoch) -> Result<Committed, CommitError> {
        self.inner.start_epoch(epoch).await
    }

    async fn snapshot(&self) -> Result<Box<dyn Snapshot>, ReadError> {
        self.inner.snapshot().await
    }

    async fn head(&self) -> Result<Option<Head>, ReadError> {
        self.inner.head().await
    }

    async fn acquire_lease(
        &self,
        name: &'static str,
        holder: InstanceId,
        time_to_live: Duration,
    ) -> Result<Option<Lease>, CommitError> {
        self.inner.acquire_lease(name, holder, time_to_live).await
    }

    async fn renew_lease(&self, lease: &Lease, time_to_live: Duration) -> Result<Option<Lease>, CommitError> {
        self.inner.renew_lease(lease, time_to_live).await
    }

    async fn release_lease(&self, lease: Lease) -> Result<(), CommitError> {
        self.inner.release_lease(lease).await
    }

    async fn describe(
        &self,
        statement: &'static Statement,
        lengths: &[usize],
    ) -> Result<Described, ReadError> {
        self.inner.describe(statement, lengths).await
    }

    async fn durability(&self) -> Result<Vec<DurableSetting>, ReadError> {
        let mut settings = self.inner.durability().await?;
        if self.forgetful.load(Ordering::SeqCst) {
            settings.push(DurableSetting { name: "synchronous", value: "0".to_owned(), holds: false });
        }
        Ok(settings)
    }

    fn database(&self) -> &'static str {
        self.inner.database()
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
