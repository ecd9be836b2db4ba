//! Controls: attestations (申告), a named person's dated statement with evidence.

use std::sync::Arc;

use mimamori_domain::{Action, ActorId, Error, Kind, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::model::Attestation;
use mimamori_store::Unit;
use serde::{Deserialize, Serialize};

use super::attachments::OpenedFile;
use super::documents::later;
use super::object::{Governed, Look, Writing};
use super::purpose;
use super::told::Told;
use super::who::{Reach, target};
use crate::App;
use crate::body::{Body, time};
use crate::caller::Caller;
use crate::record::fault;
use crate::together::each;

/// What controls are to the policies.
pub(crate) const THING: Kind = Kind::of("control");
/// The kind of a statement.
pub(crate) const ATTESTATION: Kind = Kind::of("attestation");

/// Longest statement, in characters.
const MOST_TEXT: usize = 4_000;
/// Most files of one statement.
const MOST_FILES: usize = 10;

/// A statement, as kept.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct AttestationBody {
    pub(crate) by: ActorId,
    /// Microseconds UTC.
    pub(crate) at: i64,
    /// Exclusive, microseconds UTC.
    pub(crate) until: i64,
    /// Whether it holds; a statement that it does not hold is kept too.
    pub(crate) holds: bool,
    pub(crate) statement: String,
    pub(crate) evidence: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) files: Vec<ObjectId>,
}

impl Body for AttestationBody {
    const KIND: Kind = ATTESTATION;
}

/// What is stated.
#[derive(Clone, Default)]
pub struct NewStatement {
    pub holds: bool,
    pub statement: String,
    /// What shows it.
    pub evidence: String,
    /// Attachments of [`App::attach_file`].
    pub files: Vec<ObjectId>,
}

impl std::fmt::Debug for NewStatement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewStatement").field("holds", &self.holds).finish_non_exhaustive()
    }
}

/// A statement, as shown.
#[derive(Debug, Clone)]
pub struct Statement {
    pub id: ObjectId,
    pub by: String,
    /// UTC.
    pub at: Timestamp,
    /// Exclusive, UTC.
    pub until: Timestamp,
    pub holds: bool,
    pub statement: String,
    pub evidence: String,
    pub files: Vec<(ObjectId, String)>,
}

/// An attestation with its statements.
#[derive(Debug, Clone)]
pub struct AttestationView {
    pub attestation: Attestation,
    /// Newest first.
    pub statements: Vec<Statement>,
    /// The caller may state it.
    pub mine: bool,
}

impl App {
    /// The statements within a time that an attestation holds, earliest first: that it does not hold
    /// proves nothing done.
    pub(crate) async fn stated_between(
        &self,
        told: &Told,
        code: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, ObjectId)>> {
        let newest_first = told.statements(self, code).await?;
        let found = newest_first
            .iter()
            .rev()
            .map(|found| (time(found.body.at), found))
            .filter(|(at, found)| found.body.holds && from <= *at && *at < until);
        Ok(found.map(|(at, found)| (at, found.object)).collect())
    }

    /// The newest statement of each of some attestations.
    async fn newest_told_of(&self, codes: &[String]) -> Result<Arc<Vec<Option<Statement>>>> {
        each(codes.iter().map(|code| self.newest_told(code)).collect()).await.map(Arc::new)
    }

    async fn newest_told(&self, code: &str) -> Result<Option<Statement>> {
        match self.newest_governed(code, Timestamp::from_micros(i64::MAX)).await? {
            Some(newest) => self.statement(newest).await.map(Some),
            None => Ok(None),
        }
    }

    /// The attestations that are the caller's to state, and all for who oversees them, each with its
    /// newest statement.
    ///
    /// # Errors
    /// Forbidden, unavailable.
    pub async fn attestations(&self, caller: &Caller) -> Result<Vec<AttestationView>> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let oversees = self.decide_general(&caller, Action::Search, &target(THING, false), now).allowed;
        let all = self.pack.attestations().iter().map(|attestation| {
            (attestation, caller.named(&attestation.owner, Reach::Anywhere, None, now).is_some())
        });
        let shown: Vec<_> = all.filter(|(_, mine)| *mine || oversees).collect();
        let decision =
            self.require_general(&caller, Action::Search, target(THING, !shown.is_empty())).await?;
        let codes: Vec<String> = shown.iter().map(|(attestation, _)| attestation.code.clone()).collect();
        let newest = Box::pin(self.newest_told_of(&codes));
        let newest = self.asked.statements.ask((self.pack.hash(), codes.clone()), newest).await?;
        let views =
            shown.into_iter().zip(newest.iter()).map(|((attestation, mine), newest)| AttestationView {
                attestation: attestation.clone(),
                statements: newest.iter().cloned().collect(),
                mine,
            });
        let views: Vec<AttestationView> = views.collect();
        self.note_look(&caller, &decision, Look::at(Action::Search, THING).count(views.len())).await?;
        Ok(views)
    }

    /// One attestation with every statement.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn attestation(&self, caller: &Caller, code: &str) -> Result<AttestationView> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let attestation = self.pack.attestation(code).ok_or_else(Error::not_found)?;
        let mine = caller.named(&attestation.owner, Reach::Anywhere, None, now).is_some();
        let decision = self.require_general(&caller, Action::Read, target(THING, mine)).await?;
        let mut statements = Vec::new();
        for found in self.governed_list::<AttestationBody>(code).await?.0 {
            statements.push(self.statement(found).await?);
        }
        self.note_look(
            &caller,
            &decision,
            Look::at(Action::Read, ATTESTATION).count(statements.len()).stated(code),
        )
        .await?;
        Ok(AttestationView { attestation: attestation.clone(), statements, mine })
    }

    /// Opens a file of one statement of an attestation.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn attestation_file(
        &self,
        caller: &Caller,
        code: &str,
        statement: ObjectId,
        file: ObjectId,
    ) -> Result<OpenedFile> {
        let caller = purpose(caller);
        let attestation = self.pack.attestation(code).ok_or_else(Error::not_found)?;
        let mine = caller.named(&attestation.owner, Reach::Anywhere, None, self.clock.now()).is_some();
        let decision = self.require_general(&caller, Action::Read, target(THING, mine)).await?;
        let found = self.governed::<AttestationBody>(statement).await?;
        let found = found
            .filter(|found| found.code.as_str() == code && found.body.files.contains(&file))
            .ok_or_else(Error::not_found)?;
        let opened = self.attachment(file).await?;
        self.note_look(
            &caller,
            &decision,
            Look::at(Action::Read, ATTESTATION).object(statement).version(found.version),
        )
        .await?;
        Ok(opened)
    }

    async fn statement(&self, found: Governed<AttestationBody>) -> Result<Statement> {
        let mut files = Vec::new();
        for id in found.body.files {
            files.push((id, self.attachment_name(id).await?.unwrap_or_default()));
        }
        Ok(Statement {
            id: found.object,
            by: self.name_of(Some(found.body.by)).await?,
            at: time(found.body.at),
            until: time(found.body.until),
            holds: found.body.holds,
            statement: found.body.statement,
            evidence: found.body.evidence,
            files,
        })
    }

    /// States that an attestation holds, or that it does not, in the caller's name.
    ///
    /// # Errors
    /// Invalid without a statement; not found; forbidden; unavailable.
    pub async fn attest(&self, caller: &Caller, code: &str, new: &NewStatement) -> Result<ObjectId> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let attestation = self.pack.attestation(code).ok_or_else(Error::not_found)?;
        let mine = caller.named(&attestation.owner, Reach::Anywhere, None, now).is_some();
        let decision = self.require_general(&caller, Action::Confirm, target(THING, mine)).await?;
        let (statement, evidence) = (new.statement.trim(), new.evidence.trim());
        if statement.is_empty() || statement.chars().count() > MOST_TEXT {
            return Err(fault("statement", "a statement of 1 to 4,000 characters is needed", "required"));
        }
        if evidence.chars().count() > MOST_TEXT {
            return Err(fault("evidence", "at most 4,000 characters are allowed", "too-long"));
        }
        if new.holds && evidence.is_empty() && new.files.is_empty() {
            return Err(fault("evidence", "say what shows it, or attach a file", "required"));
        }
        if new.files.len() > MOST_FILES {
            return Err(fault("files", "at most 10 files are taken", "value"));
        }
        let object = ObjectId::random();
        let mut unit = Unit::new();
        let files: Vec<_> = new.files.iter().map(|file| ("files", *file)).collect();
        self.lend_files(&caller, &decision, &mut unit, object, &files, &[]).await?;
        let until =
            later(now, attestation.valid).ok_or_else(|| Error::internal("a period beyond the calendar"))?;
        let body = AttestationBody {
            by: caller.actor,
            at: now.as_micros(),
            until: until.as_micros(),
            holds: new.holds,
            statement: statement.to_owned(),
            evidence: evidence.to_owned(),
            files: new.files.clone(),
        };
        let writing = Writing {
            object,
            follows: 0,
            code,
            state: RecordState::Confirmed,
            institution: None,
            sorted: now,
            body: &body,
        };
        self.keep_with(&caller, &decision, Action::Confirm, &writing, None, unit).await?;
        Ok(object)
    }
}
