//! Walking through a table in parts, the next one fetched while the present one is looked at.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use mimamori_domain::{Error, Result};
use mimamori_store::{ReadError, Row, RowError, Snapshot, Statement, Value};

type Fetch<'a> = Pin<Box<dyn Future<Output = std::result::Result<Vec<Row>, ReadError>> + Send + 'a>>;

/// The parts of one walk.
pub(super) struct Ahead<'a> {
    reads: &'a dyn Snapshot,
    statement: &'static Statement,
    fetch: Fetch<'a>,
    early: bool,
}

impl<'a> Ahead<'a> {
    /// A walk that begins with these arguments.
    pub(super) fn new(reads: &'a dyn Snapshot, statement: &'static Statement, first: Vec<Value>) -> Self {
        Self { reads, statement, fetch: reads.query(statement, first), early: true }
    }

    /// The same without fetching ahead, for a walk between whose parts the snapshot is asked for other
    /// rows too: a part that is being fetched holds its one connection.
    pub(super) fn in_turn(self) -> Self {
        Self { early: false, ..self }
    }

    /// Waits until nothing is being fetched, so that the snapshot can be asked for other rows.
    pub(super) async fn pause(&mut self) {
        let answered = self.fetch.as_mut().await;
        self.fetch = Box::pin(std::future::ready(answered));
    }

    /// The next part, `None` after the last row. `after` gives the arguments of the part that follows a
    /// row; it is asked for before this one is given, so that the database works meanwhile.
    pub(super) async fn next(
        &mut self,
        after: impl FnOnce(&Row) -> std::result::Result<Vec<Value>, RowError>,
    ) -> Result<Option<Vec<Row>>> {
        let rows = self.fetch.as_mut().await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.fetch = self.reads.query(self.statement, after(last).map_err(Error::unavailable)?);
        if !self.early {
            return Ok(Some(rows));
        }
        // Asking is all that is wanted now; nothing is lost if it is not ready.
        std::future::poll_fn(|context| {
            if let Poll::Ready(answered) = self.fetch.as_mut().poll(context) {
                self.fetch = Box::pin(std::future::ready(answered));
            }
            Poll::Ready(())
        })
        .await;
        Ok(Some(rows))
    }
}
