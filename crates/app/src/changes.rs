//! Whether something new came while a page was open: asked in one go for all open pages, and told as one bit.
//!
//! The source is the ledger: every change there is has an entry, whichever program made it. What a page shows
//! was decided and recorded when it was shown; what came since is decided anew, by access label, and nothing
//! of it leaves but that it is there.

use std::collections::HashSet;
use std::time::Duration;

use mimamori_domain::{Action, Error, ErrorKind, Result, SessionId, SubjectId, Timestamp};
use mimamori_store::{AccessKey, MAX_LIST, Value};

use crate::caller::Caller;
use crate::cursor::sealed_for;
use crate::record::TIMELINE_KINDS;
use crate::seen::{since, whose};
use crate::{App, sql};

/// A record's time is taken before it is committed, and clocks of several programs differ a little; what a page
/// showed itself is told apart by who has seen it.
const SLACK: Duration = Duration::from_secs(2);

/// A page is followed for so long at most.
const FOLLOWED: Duration = Duration::from_secs(24 * 60 * 60);

/// The most people one page follows.
pub const MOST_FOLLOWED: usize = 100;

/// What the seal of a followed page is for.
const PAGE: &[u8] = b"followed-page";

/// How far the ledger was looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    epoch: u32,
    size: u64,
}

/// Whose records an open page shows, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    pub subjects: Vec<SubjectId>,
    since: Timestamp,
}

/// A session as of the moment it was asked for.
#[derive(Debug, Clone, Copy)]
pub struct SessionMark {
    id: SessionId,
    version: i64,
}

impl Caller {
    /// The session as it is known now; `None` without one.
    #[must_use]
    pub fn session_mark(&self) -> Option<SessionMark> {
        self.session.map(|session| SessionMark { id: session.id, version: session.version })
    }
}

impl SessionMark {
    /// Tells sessions apart.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }
}

impl App {
    /// Seals whose records a page shows, for whoever it is shown to. Fits into a URL.
    ///
    /// # Errors
    /// Unavailable when no random numbers can be had.
    pub fn follow_page(&self, caller: &Caller, subjects: &[SubjectId]) -> Result<String> {
        let now = self.clock.now();
        let mut plain = now.as_micros().to_be_bytes().to_vec();
        plain.extend(subjects.iter().take(MOST_FOLLOWED).flat_map(|subject| *subject.as_bytes()));
        let sealed = self.keys.cursor.seal(&sealed_for(caller, PAGE), &plain, now.plus(FOLLOWED));
        sealed.map_err(crate::keys::vault_error)
    }

    /// Opens what [`App::follow_page`] made for the same caller.
    ///
    /// # Errors
    /// Invalid, the same for an altered, foreign and expired text.
    pub fn followed(&self, caller: &Caller, sealed: &str) -> Result<Followed> {
        let over = || Error::invalid("this page is too old to be followed; load it again");
        let plain = self.keys.cursor.open(&sealed_for(caller, PAGE), sealed, self.clock.now());
        let plain = plain.map_err(|_| over())?;
        let (time, subjects) = plain.split_first_chunk::<8>().ok_or_else(over)?;
        let subjects = subjects.as_chunks::<16>().0.iter().map(|id| SubjectId::from_bytes(*id)).collect();
        Ok(Followed { subjects, since: Timestamp::from_micros(i64::from_be_bytes(*time)) })
    }

    /// Where the ledger ends now.
    ///
    /// # Errors
    /// Unavailable when the database cannot be asked.
    pub async fn ledger_mark(&self) -> Result<Mark> {
        let head = self.store.head().await?.ok_or_else(|| Error::unavailable("no ledger head"))?;
        Ok(Mark { epoch: head.epoch, size: head.size })
    }

    /// Whose records were written to since a mark, by whichever program.
    ///
    /// # Errors
    /// Unavailable when the database cannot be asked.
    pub async fn written_since(&self, from: Mark, until: Mark) -> Result<HashSet<SubjectId>> {
        // A new epoch begins at 0.
        let begin = if from.epoch == until.epoch { from.size } else { 0 };
        let mut args: Vec<Value> = vec![until.epoch.into(), begin.into(), until.size.into()];
        args.extend(WRITING.iter().map(|action| Value::from(action.as_str())));
        let rows = self.store.query(&sql::WRITTEN_SINCE, args).await?;
        rows.iter().map(|row| row.id_of(0)).collect::<Result<_, _>>().map_err(Error::unavailable)
    }

    /// Whether there is something that the caller may see, has not seen and did not write, since the page.
    ///
    /// # Errors
    /// Unavailable when the database cannot be asked.
    pub async fn has_news(&self, caller: &Caller, page: &Followed) -> Result<bool> {
        if page.subjects.is_empty() || !caller.keeps_seen() {
            return Ok(false);
        }
        let now = self.clock.now();
        let people = page.subjects.iter().take(MAX_LIST).map(|subject| (*subject).into()).collect();
        let args = vec![since(now).into(), caller.actor.into(), page.since.minus(SLACK).into()];
        for row in self.store.query_lists(&sql::NEWS_SINCE, args, vec![people]).await? {
            let kind = row.text(4).map_err(Error::unavailable)?;
            let (subject, label) = whose(&row)?;
            if !TIMELINE_KINDS.contains(&kind) {
                continue;
            }
            let context = match self.subject_context(subject).await {
                Ok(context) => context,
                // Everything of them was erased.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            if self.decide(caller, Action::Read, &context, &label, None, now).allowed {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets sessions that ended, were locked or changed meanwhile, whichever program did it: the next
    /// question about them reads them anew.
    ///
    /// # Errors
    /// Unavailable when the database cannot be asked.
    pub async fn recheck_sessions(&self, known: &[SessionMark]) -> Result<()> {
        for some in known.chunks(MAX_LIST) {
            let ids = some.iter().map(|session| session.id.into()).collect();
            for row in self.store.query_lists(&sql::SESSION_VERSIONS, Vec::new(), vec![ids]).await? {
                let id: SessionId = row.id_of(0).map_err(Error::unavailable)?;
                let version = row.int(1).map_err(Error::unavailable)?;
                if some.iter().any(|session| session.id == id && session.version != version) {
                    self.forget(AccessKey::from(id));
                }
            }
        }
        Ok(())
    }
}

/// What may bring a record that others see.
const WRITING: [Action; 6] =
    [Action::Create, Action::Update, Action::Confirm, Action::Amend, Action::Withdraw, Action::Import];
