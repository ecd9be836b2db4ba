//! Open pages that want to know whether something new came (server-sent events, HTML standard section 9.2).
//!
//! While a page listens, one task asks where the ledger ends, for all pages together; only what was written to
//! leads to a question about the pages that show it. A page hears `changed` or `over`, once. Listening is no
//! use of a session: it never extends it, and ends with it.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::Event;
use futures::Stream;
use mimamori_app::{App, Caller, Followed, LedgerMark, Origin, SessionMark};
use mimamori_domain::{ErrorKind, SubjectId};
use tokio::sync::{broadcast, watch};

use crate::error::Fault;
use crate::settings::Web;

/// Pages of one session that listen at once: only the one that is looked at does.
const PER_SESSION: usize = 4;
/// Ticks that a page may be late before it looks by itself.
const LATE: usize = 16;
/// Every so many ticks it is asked whether sessions were ended by another program.
const RECHECK: u32 = 5;
/// How long a browser waits before it listens again, once the line broke.
const AGAIN: Duration = Duration::from_secs(5);

/// Whose records were written to since the last tick.
type Tick = Arc<HashSet<SubjectId>>;

/// All pages that listen.
#[derive(Debug)]
pub(crate) struct Changes {
    listening: Mutex<Listening>,
    ticks: broadcast::Sender<Tick>,
    closed: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Listening {
    seats: HashMap<u64, (SessionMark, Option<IpAddr>)>,
    next: u64,
    /// The task that asks is there.
    asked: bool,
}

impl Default for Changes {
    fn default() -> Self {
        let (ticks, closed) = (broadcast::channel(LATE).0, watch::channel(false).0);
        Self { listening: Mutex::default(), ticks, closed }
    }
}

/// One page's place; given back when it is dropped.
#[derive(Debug)]
struct Seat {
    number: u64,
    changes: Arc<Changes>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.changes.listening().seats.remove(&self.number);
    }
}

impl Changes {
    fn listening(&self) -> MutexGuard<'_, Listening> {
        self.listening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every page's listening, and takes no more.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    /// How many pages listen.
    pub(crate) fn count(&self) -> usize {
        self.listening().seats.len()
    }

    fn sit(self: &Arc<Self>, session: SessionMark, peer: Option<IpAddr>, web: &Web) -> Option<(Seat, bool)> {
        let mut listening = self.listening();
        let seats = &listening.seats;
        let of_session = seats.values().filter(|(other, _)| other.id() == session.id()).count();
        let of_peer = seats.values().filter(|(_, other)| *other == peer).count();
        let full = seats.len() >= web.settings.listeners || of_peer >= web.settings.listeners_per_address;
        if full || of_session >= PER_SESSION || *self.closed.borrow() {
            return None;
        }
        let number = listening.next;
        listening.next += 1;
        listening.seats.insert(number, (session, peer));
        let first = !std::mem::replace(&mut listening.asked, true);
        Some((Seat { number, changes: Arc::clone(self) }, first))
    }

    fn sessions(&self) -> Vec<SessionMark> {
        self.listening().seats.values().map(|(session, _)| *session).collect()
    }
}

/// Who listens, to what.
pub(crate) struct Listener {
    pub(crate) caller: Caller,
    pub(crate) token: String,
    pub(crate) origin: Origin,
    /// The other end of the connection.
    pub(crate) peer: Option<IpAddr>,
    pub(crate) page: Followed,
}

/// Begins to listen.
///
/// # Errors
/// 429 when too many pages listen.
pub(crate) async fn listen(
    web: &Web,
    listener: Listener,
) -> Result<impl Stream<Item = Result<Event, Infallible>> + use<>, Fault> {
    let session = listener.caller.session_mark().ok_or(Fault::status(StatusCode::FORBIDDEN))?;
    // Before the page is looked at: what comes in between is found by one or the other.
    let mark = web.app.ledger_mark().await?;
    let ticks = web.changes.ticks.subscribe();
    let seated = web.changes.sit(session, listener.peer, web);
    let (seat, first) = seated.ok_or(Fault::status(StatusCode::TOO_MANY_REQUESTS))?;
    if first {
        tokio::spawn(ask(web.clone(), mark));
    }
    let closed = web.changes.closed.subscribe();
    let page = Page { web: web.clone(), listener, ticks, closed, step: Step::Begins, _seat: seat };
    Ok(futures::stream::unfold(page, |page| async move {
        let (event, page) = page.next().await?;
        Some((Ok(event), page))
    }))
}

/// Asks for everybody, until nobody listens any more.
async fn ask(web: Web, mut mark: LedgerMark) {
    let (changes, app) = (Arc::clone(&web.changes), Arc::clone(&web.app));
    let mut closed = changes.closed.subscribe();
    let mut count = 0_u32;
    loop {
        tokio::select! {
            () = tokio::time::sleep(web.settings.changes_every) => {}
            _ = closed.wait_for(|closed| *closed) => return,
        }
        {
            let mut listening = changes.listening();
            if listening.seats.is_empty() {
                listening.asked = false;
                return;
            }
        }
        let written = match written(&app, mark).await {
            Ok((until, written)) => {
                mark = until;
                written
            }
            // While the database is away nothing is new; the mark stays.
            Err(_) => HashSet::new(),
        };
        count = count.wrapping_add(1);
        if count.is_multiple_of(RECHECK)
            && let Err(error) = app.recheck_sessions(&changes.sessions()).await
        {
            tracing::debug!(%error, "sessions could not be asked about");
        }
        // Nobody may be there to hear it.
        let _ = changes.ticks.send(Arc::new(written));
    }
}

async fn written(
    app: &App,
    mark: LedgerMark,
) -> Result<(LedgerMark, HashSet<SubjectId>), mimamori_app::Error> {
    let until = app.ledger_mark().await?;
    let written = if until == mark { HashSet::new() } else { app.written_since(mark, until).await? };
    Ok((until, written))
}

/// One page that listens.
struct Page {
    web: Web,
    listener: Listener,
    ticks: broadcast::Receiver<Tick>,
    closed: watch::Receiver<bool>,
    step: Step,
    _seat: Seat,
}

#[derive(PartialEq, Eq)]
enum Step {
    Begins,
    /// What came since the page was made is looked for first.
    Looks,
    Waits,
    Over,
}

impl Page {
    async fn next(mut self) -> Option<(Event, Self)> {
        if self.step == Step::Begins {
            self.step = Step::Looks;
            return Some((Event::default().retry(AGAIN).comment("listening"), self));
        }
        while self.step != Step::Over {
            let look = match self.step {
                Step::Looks => true,
                _ => {
                    let tick = tokio::select! {
                        _ = self.closed.wait_for(|closed| *closed) => return None,
                        tick = self.ticks.recv() => tick,
                    };
                    self.concerns(tick)?
                }
            };
            self.step = Step::Waits;
            let told = match self.goes_on().await? {
                false => Some("over"),
                true if look && self.has_news().await => Some("changed"),
                true => None,
            };
            if let Some(told) = told {
                self.step = Step::Over;
                // Without data a browser would not hear it.
                return Some((Event::default().event(told).data(told), self));
            }
        }
        None
    }

    fn concerns(&self, tick: Result<Tick, broadcast::error::RecvError>) -> Option<bool> {
        match tick {
            Ok(written) => Some(self.listener.page.subjects.iter().any(|subject| written.contains(subject))),
            // Some were missed: it looks by itself.
            Err(broadcast::error::RecvError::Lagged(_)) => Some(true),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// Whether the session does; nothing when that cannot be told now.
    async fn goes_on(&self) -> Option<bool> {
        match self.web.app.caller(&self.listener.token, &self.listener.origin).await {
            Ok(now) => Some(now.first().is_none() && now.actor_id() == self.listener.caller.actor_id()),
            Err(error) if error.kind() == ErrorKind::Unauthenticated => Some(false),
            Err(_) => None,
        }
    }

    /// Decided by the rules that are in force now, about whoever listens as they are now.
    async fn has_news(&self) -> bool {
        let asked = async {
            let app = self.web.app.in_force().await?;
            let caller = app.caller(&self.listener.token, &self.listener.origin).await?;
            app.has_news(&caller, &self.listener.page).await
        };
        asked.await.unwrap_or(false)
    }
}
