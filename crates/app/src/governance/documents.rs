//! Documents (規程・計画など): versions with their dates, and who has read them.

use std::collections::{BTreeSet, HashMap};

use mimamori_domain::{Action, ActorId, Error, Kind, ObjectId, RecordState, Result, Timestamp};
use mimamori_policy::model::{Document, Period, Who};
use mimamori_store::Unit;
use mimamori_vault::{IndexField, hash_token};
use serde::{Deserialize, Serialize};

use super::attachments::OpenedFile;
use super::object::{Governed, Look, Writing};
use super::purpose;
use super::who::{Reach, named, target};
use crate::access::{Settled, decided, kept_changing};
use crate::body::{AccountKind, Body, time};
use crate::caller::Caller;
use crate::record::fault;
use crate::{App, sql};

/// What documents are to the policies, and the kind of a version.
pub(crate) const THING: Kind = Kind::of("rule-document");
const ACKNOWLEDGEMENT: Kind = Kind::of("acknowledgement");

/// Most versions of one document within a time that are told.
const MOST_VERSIONS: i64 = 1_000;
/// Longest text of a document, in characters.
const MOST_TEXT: usize = 200_000;
/// Longest label of a version, in characters.
const MOST_LABEL: usize = 40;

/// One version of a document, as kept. All versions of one document are one object's.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct DocumentBody {
    /// What people call the version: `第3版`, `2026-04`.
    pub(crate) label: String,
    /// The first day in force, in Japan: `2026-04-01`.
    pub(crate) effective: String,
    /// Plain text; empty when a file holds it.
    pub(crate) text: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<ObjectId>,
    pub(crate) by: ActorId,
    /// When it was published or looked at again without change, microseconds UTC.
    pub(crate) reviewed: i64,
}

impl Body for DocumentBody {
    const KIND: Kind = THING;
}

/// Somebody has read a version.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Acknowledgement {
    pub(crate) by: ActorId,
    pub(crate) version: u64,
    /// Microseconds UTC.
    pub(crate) at: i64,
}

impl Body for Acknowledgement {
    const KIND: Kind = ACKNOWLEDGEMENT;
}

/// What is to be published.
#[derive(Clone, Default)]
pub struct NewDocument {
    pub label: String,
    /// `2026-04-01`.
    pub effective: String,
    pub text: String,
    /// An attachment of [`App::attach_file`].
    pub file: Option<ObjectId>,
}

impl std::fmt::Debug for NewDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewDocument").field("label", &self.label).finish_non_exhaustive()
    }
}

/// A document in a list.
#[derive(Debug, Clone)]
pub struct DocumentSummary<'a> {
    pub document: &'a Document,
    /// The newest version; none while the document is missing.
    pub current: Option<DocumentVersion>,
    /// When it must be looked at again, UTC; none without a period or a version.
    pub next_review: Option<Timestamp>,
    /// The caller must still say that they read the newest version.
    pub to_acknowledge: bool,
    /// Until when the newest version must be acknowledged, exclusive, UTC; none without a limit.
    pub acknowledge_by: Option<Timestamp>,
    /// The caller may publish.
    pub owns: bool,
}

/// A version, as shown.
#[derive(Debug, Clone)]
pub struct DocumentVersion {
    pub version: u64,
    pub label: String,
    pub effective: String,
    pub text: String,
    pub file: Option<(ObjectId, String)>,
    pub by: String,
    /// UTC.
    pub published: Timestamp,
    /// Hash of the pack it was published under, in hexadecimal.
    pub pack: String,
}

/// Whether a document is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nothing is published.
    Missing,
    /// All that is published comes into force later: `2026-04-01`, in Japan.
    Coming { effective: String },
    /// When it must be looked at again, UTC; `None` without a period.
    InForce { review: Option<Timestamp> },
}

/// A document with its history and its readers.
#[derive(Debug, Clone)]
pub struct DocumentDetail<'a> {
    pub summary: DocumentSummary<'a>,
    /// Newest first.
    pub versions: Vec<DocumentVersion>,
    /// Who has said that they read the newest version, and when; only for who owns or oversees it.
    pub acknowledged: Vec<(String, Timestamp)>,
    /// Who has not yet.
    pub outstanding: Vec<String>,
}

impl App {
    fn document_of(&self, code: &str) -> Result<&Document> {
        self.pack.document(code).ok_or_else(Error::not_found)
    }

    /// The one object that holds a document's versions. Its id follows from the code, by a key of the
    /// installation: two people who publish at once meet on the same object, and one conflicts.
    fn document_object(&self, code: &str) -> Result<ObjectId> {
        self.fixed_object(&format!("rule-document|{code}"))
    }

    /// The id of the one object that these words stand for in this installation.
    pub(crate) fn fixed_object(&self, words: &str) -> Result<ObjectId> {
        let token = self.keys.fixed.token(IndexField::Identifier, &format!("mimamori:{words}"));
        let hash = hash_token(token.as_bytes());
        ObjectId::from_slice(hash.get(..16).unwrap_or_default()).map_err(Error::internal)
    }

    /// The one object in which somebody says that they read a version of a document: a second click at
    /// the same moment meets the first.
    fn acknowledgement_object(&self, code: &str, version: u64, actor: ActorId) -> Result<ObjectId> {
        self.fixed_object(&format!("acknowledgement|{code}|{version}|{actor}"))
    }

    async fn document_head(&self, code: &str) -> Result<Option<Governed<DocumentBody>>> {
        self.governed::<DocumentBody>(self.document_object(code)?).await
    }

    /// How a document stands: whether a version is in force, and when it must be looked at again.
    pub(crate) async fn document_standing(&self, document: &Document, now: Timestamp) -> Result<Standing> {
        let head = self.document_head(&document.code).await?;
        self.standing_of(document, head.as_ref(), now).await
    }

    /// The newest versions of all documents of the pack, by their code.
    pub(crate) async fn document_heads(&self) -> Result<HashMap<&str, Governed<DocumentBody>>> {
        let of = |document: &'_ Document| self.document_object(&document.code);
        let objects = self.pack.documents().iter().map(of).collect::<Result<Vec<ObjectId>>>()?;
        let mut heads = self.governed_each::<DocumentBody>(&objects).await?;
        let codes = self.pack.documents().iter().map(|document| document.code.as_str());
        Ok(codes.zip(objects).filter_map(|(code, object)| Some((code, heads.remove(&object)?))).collect())
    }

    /// How a document stands whose newest version is this.
    pub(crate) async fn standing_of(
        &self,
        document: &Document,
        head: Option<&Governed<DocumentBody>>,
        now: Timestamp,
    ) -> Result<Standing> {
        let Some(head) = head else { return Ok(Standing::Missing) };
        let today = day(now);
        let mut in_force = head.body.effective <= today;
        if !in_force {
            let versions = self.governed_versions::<DocumentBody>(head.object).await?;
            in_force = versions.iter().any(|version| version.body.effective <= today);
        }
        Ok(if in_force {
            Standing::InForce { review: next_review(document, &head.body) }
        } else {
            Standing::Coming { effective: head.body.effective.clone() }
        })
    }

    /// When versions of a document were published within a time, earliest first.
    pub(crate) async fn published_between(
        &self,
        code: &str,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<(Timestamp, ObjectId)>> {
        let object = self.document_object(code)?;
        let args = vec![object.into(), from.into(), until.into(), MOST_VERSIONS.into()];
        let rows = self.store.query(&sql::VERSION_BETWEEN, args).await?;
        rows.iter().map(|row| Ok((row.time(0).map_err(Error::unavailable)?, object))).collect()
    }

    /// The documents that the caller may read or keeps, in the pack's order, with their state.
    ///
    /// # Errors
    /// Unavailable.
    pub async fn documents(&self, caller: &Caller) -> Result<Vec<DocumentSummary<'_>>> {
        let caller = purpose(caller);
        let now = self.clock.now();
        let oversees = self.decide_general(&caller, Action::Search, &target(THING, false), now).allowed;
        let shown = |document: &&Document| {
            let (posted, owns) = self.document_rights(&caller, document, now);
            posted || owns || oversees
        };
        let shown: Vec<&Document> = self.pack.documents().iter().filter(shown).collect();
        let summaries = self.document_summaries(&caller, &shown, now).await?;
        let decision =
            self.require_general(&caller, Action::Search, target(THING, !summaries.is_empty())).await?;
        self.note_look(&caller, &decision, Look::at(Action::Search, THING).count(summaries.len())).await?;
        Ok(summaries)
    }

    /// Whether a document is posted for the caller, and whether they keep it.
    fn document_rights(&self, caller: &Caller, document: &Document, now: Timestamp) -> (bool, bool) {
        let is = |words: &[Who]| caller.named(words, Reach::Anywhere, None, now).is_some();
        (is(&document.posted) || is(&document.acknowledged_by), is(&document.owner))
    }

    /// Documents with their newest versions: one question for all of them, and one for what the caller
    /// said to have read.
    async fn document_summaries<'a>(
        &self,
        caller: &Caller,
        documents: &[&'a Document],
        now: Timestamp,
    ) -> Result<Vec<DocumentSummary<'a>>> {
        let objects = documents.iter().map(|document| self.document_object(&document.code));
        let objects: Vec<ObjectId> = objects.collect::<Result<_>>()?;
        let mut heads = self.governed_each::<DocumentBody>(&objects).await?;
        let mut found = Vec::with_capacity(documents.len());
        for (document, object) in documents.iter().copied().zip(objects) {
            let head = heads.remove(&object);
            let must = caller.named(&document.acknowledged_by, Reach::Anywhere, None, now).is_some();
            let asked = match &head {
                Some(head) if must => {
                    Some(self.acknowledgement_object(&document.code, head.version, caller.actor)?)
                }
                _ => None,
            };
            found.push((document, head, asked));
        }
        let asked: Vec<ObjectId> = found.iter().filter_map(|(_, _, asked)| *asked).collect();
        let acknowledged = self.governed_each::<Acknowledgement>(&asked).await?;
        let mut summaries = Vec::with_capacity(found.len());
        for (document, head, asked) in found {
            summaries.push(DocumentSummary {
                next_review: head.as_ref().and_then(|head| next_review(document, &head.body)),
                acknowledge_by: head.as_ref().and_then(|head| {
                    let days = document.within_days?;
                    later(head.recorded, Period { days, ..Period::default() })
                }),
                current: match head {
                    Some(head) => Some(self.document_version(head).await?),
                    None => None,
                },
                to_acknowledge: asked.is_some_and(|asked| !acknowledged.contains_key(&asked)),
                owns: self.document_rights(caller, document, now).1,
                document,
            });
        }
        Ok(summaries)
    }

    async fn document_version(&self, version: Governed<DocumentBody>) -> Result<DocumentVersion> {
        let file = match version.body.file {
            Some(id) => Some((id, self.attachment_name(id).await?.unwrap_or_default())),
            None => None,
        };
        Ok(DocumentVersion {
            version: version.version,
            label: version.body.label,
            effective: version.body.effective,
            text: version.body.text,
            file,
            by: self.name_of(Some(version.body.by)).await?,
            published: version.recorded,
            pack: hex::encode(version.pack),
        })
    }

    /// Who has said that they read a version of a document.
    async fn acknowledgements(&self, document: &Document, version: u64) -> Result<Vec<(ActorId, Timestamp)>> {
        let all = self.governed_list::<Acknowledgement>(&document.code).await?.0;
        Ok(all
            .into_iter()
            .filter(|found| found.body.version == version)
            .map(|found| (found.body.by, time(found.body.at)))
            .collect())
    }

    /// One document with its versions; for who keeps or oversees it also with who has read it.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn document(&self, caller: &Caller, code: &str) -> Result<DocumentDetail<'_>> {
        let caller = purpose(caller);
        let document = self.document_of(code)?;
        let now = self.clock.now();
        let (posted, owns) = self.document_rights(&caller, document, now);
        let decision = self.require_general(&caller, Action::Read, target(THING, posted || owns)).await?;
        let oversees = self.decide_general(&caller, Action::Read, &target(THING, false), now).allowed;
        let summary = self.document_summaries(&caller, &[document], now).await?;
        let summary = summary.into_iter().next().ok_or_else(Error::not_found)?;
        let mut versions = Vec::new();
        let mut detail_of = None;
        if let Some(head) = self.document_head(code).await? {
            detail_of = Some((head.object, head.version));
            for version in self.governed_versions::<DocumentBody>(head.object).await? {
                versions.push(self.document_version(version).await?);
            }
        }
        let (mut acknowledged, mut outstanding) = (Vec::new(), Vec::new());
        if let Some((_, version)) = detail_of.filter(|_| owns || oversees) {
            let done = self.acknowledgements(document, version).await?;
            let readers: BTreeSet<ActorId> = done.iter().map(|(actor, _)| *actor).collect();
            for (actor, at) in &done {
                acknowledged.push((self.name_of(Some(*actor)).await?, *at));
            }
            for actor in self.people_named(&document.acknowledged_by, now).await? {
                if !readers.contains(&actor) {
                    outstanding.push(self.name_of(Some(actor)).await?);
                }
            }
        }
        let (object, version) = detail_of.unzip();
        let look = Look::at(Action::Read, THING).object(object).version(version).stated(code);
        self.note_look(&caller, &decision, look).await?;
        Ok(DocumentDetail { summary, versions, acknowledged, outstanding })
    }

    /// Opens the file of one version of a document.
    ///
    /// # Errors
    /// Not found, forbidden, unavailable.
    pub async fn document_file(&self, caller: &Caller, code: &str, version: u64) -> Result<OpenedFile> {
        let caller = purpose(caller);
        let document = self.document_of(code)?;
        let (posted, owns) = self.document_rights(&caller, document, self.clock.now());
        let decision = self.require_general(&caller, Action::Read, target(THING, posted || owns)).await?;
        let head = self.document_head(code).await?.ok_or_else(Error::not_found)?;
        let versions = self.governed_versions::<DocumentBody>(head.object).await?;
        let file = versions
            .into_iter()
            .find(|found| found.version == version)
            .and_then(|found| found.body.file)
            .ok_or_else(Error::not_found)?;
        let opened = self.attachment(file).await?;
        self.note_look(
            &caller,
            &decision,
            Look::at(Action::Read, THING).object(head.object).version(version),
        )
        .await?;
        Ok(opened)
    }

    /// Publishes a version of a document. `seen` is the newest version the publisher saw, 0 for none.
    ///
    /// # Errors
    /// Invalid without a label, a day and a text or file; conflict when somebody else published
    /// meanwhile; forbidden; unavailable.
    pub async fn publish_document(
        &self,
        caller: &Caller,
        code: &str,
        seen: u64,
        new: &NewDocument,
    ) -> Result<()> {
        let caller = purpose(caller);
        let document = self.document_of(code)?;
        let now = self.clock.now();
        let (_, owns) = self.document_rights(&caller, document, now);
        let decision = self.require_general(&caller, Action::Update, target(THING, owns)).await?;
        let label = new.label.trim();
        if label.is_empty() || label.chars().count() > MOST_LABEL {
            return Err(fault("label", "a version needs a name of at most 40 characters", "required"));
        }
        let effective: jiff::civil::Date = new
            .effective
            .trim()
            .parse()
            .map_err(|_| fault("effective", "a date is written like 2026-11-21", "value"))?;
        if new.text.trim().is_empty() == new.file.is_none() {
            return Err(fault("text", "give either the text or a file", "required"));
        }
        if new.text.chars().count() > MOST_TEXT {
            return Err(fault("text", "the text is too long; attach it as a file", "too-long"));
        }
        let head = self.document_head(code).await?;
        let object = self.document_object(code)?;
        let mut unit = Unit::new();
        let file: Vec<_> = new.file.map(|file| ("file", file)).into_iter().collect();
        let had: Vec<_> = head.as_ref().and_then(|head| head.body.file).into_iter().collect();
        self.lend_files(&caller, &decision, &mut unit, object, &file, &had).await?;
        let at = head.as_ref().map_or(0, |head| head.version);
        if at != seen {
            return Err(Error::conflict(
                "somebody else changed this meanwhile; open it again and repeat your change",
            ));
        }
        let body = DocumentBody {
            label: label.to_owned(),
            effective: effective.to_string(),
            text: new.text.replace("\r\n", "\n"),
            file: new.file,
            by: caller.actor,
            reviewed: now.as_micros(),
        };
        let writing = Writing {
            object,
            follows: at,
            code,
            state: RecordState::Confirmed,
            institution: None,
            sorted: now,
            body: &body,
        };
        self.keep_with(&caller, &decision, Action::Update, &writing, None, unit).await
    }

    /// Says that the caller has read a version of a document. Saying it twice changes nothing.
    ///
    /// # Errors
    /// Conflict when the version is no longer the newest one; forbidden; unavailable.
    pub async fn acknowledge_document(&self, caller: &Caller, code: &str, version: u64) -> Result<()> {
        let caller = purpose(caller);
        let document = self.document_of(code)?;
        let now = self.clock.now();
        let must = caller.named(&document.acknowledged_by, Reach::Anywhere, None, now).is_some();
        let decision = self.require_general(&caller, Action::Confirm, target(THING, must)).await?;
        let head = self.document_head(code).await?.ok_or_else(Error::not_found)?;
        if head.version != version {
            return Err(Error::conflict("a newer version was published meanwhile; please read that one"));
        }
        let object = self.acknowledgement_object(code, version, caller.actor)?;
        if self.governed::<Acknowledgement>(object).await?.is_some() {
            return Ok(());
        }
        let body = Acknowledgement { by: caller.actor, version, at: now.as_micros() };
        let mut unit = Unit::new();
        let writing = Writing {
            object,
            follows: 0,
            code,
            state: RecordState::Confirmed,
            institution: None,
            sorted: now,
            body: &body,
        };
        let commitment = self.write_governed(&caller, &mut unit, &writing).await?;
        let mut entry = decided(caller.entry(unit.id, Action::Confirm), &decision);
        entry.resource = Self::resource_of::<Acknowledgement>(object);
        entry.version = Some(1);
        entry.commitments = vec![commitment];
        let entry = self.with_sealed(&caller, entry, 0, None)?;
        match self.settle(&caller, unit.entry(entry)).await {
            Ok(Settled::Done) => Ok(()),
            Ok(Settled::Again) => Err(kept_changing()),
            Err(error) if error.kind() == mimamori_domain::ErrorKind::Conflict => {
                match self.governed::<Acknowledgement>(object).await? {
                    Some(_) => Ok(()),
                    None => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The active users whom these words name, each once.
    pub(crate) async fn people_named(&self, words: &[Who], now: Timestamp) -> Result<Vec<ActorId>> {
        let people = self.everybody().await?;
        let wanted = people.iter().filter(|context| {
            context.account.active
                && context.account.kind != AccountKind::Program
                && named(context, words, Reach::Anywhere, None, now).is_some()
        });
        Ok(wanted.map(|context| context.actor).collect())
    }
}

/// The day in Japan: `2026-11-21`.
pub(crate) fn day(time: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(time.as_micros())
        .map(|time| jiff::tz::Offset::constant(9).to_datetime(time).date().to_string())
        .unwrap_or_default()
}

/// When a document must be looked at again.
pub(crate) fn next_review(document: &Document, body: &DocumentBody) -> Option<Timestamp> {
    let months = document.review_months?;
    later(time(body.reviewed), Period { months, ..Period::default() })
}

/// A time a period later, counted on Japan's calendar.
pub(crate) fn later(from: Timestamp, period: Period) -> Option<Timestamp> {
    let span = jiff::Span::new()
        .try_years(i64::from(period.years))
        .and_then(|span| span.try_months(i64::from(period.months)))
        .and_then(|span| span.try_days(i64::from(period.days)))
        .and_then(|span| span.try_hours(i64::from(period.hours)))
        .and_then(|span| span.try_minutes(i64::from(period.minutes)))
        .ok()?;
    let japan = jiff::tz::Offset::constant(9);
    let from = japan.to_datetime(jiff::Timestamp::from_microsecond(from.as_micros()).ok()?);
    let until = japan.to_timestamp(from.checked_add(span).ok()?).ok()?;
    Some(Timestamp::from_micros(until.as_microsecond()))
}
