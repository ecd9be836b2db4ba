//! Who has seen which record: noted in the unit of the read that showed it, so neither is there without
//! the other. Ids alone; the notes of programs are not kept.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, InstitutionId, ObjectId, RecordState, Result, SubjectId,
    Timestamp,
};
use mimamori_policy::CallerKind;
use mimamori_store::{Change, Row, RowError, Value};

use crate::body::kind;
use crate::caller::Caller;
use crate::context::SubjectContext;
use crate::record::{Permitted, TIMELINE_KINDS};
use crate::together::each;
use crate::{App, Stored, sql};

/// Only what happened within so many days counts as unread: whoever joins a team, and whatever an older
/// system hands over, begins without years of it.
pub const UNREAD_DAYS: u32 = 30;

/// People whose news one statement tells: many are asked about by several at once.
const ABREAST: usize = 32;

/// Versions that one statement notes.
const TOGETHER: usize = 4;

/// The most readers of one record that are named.
const MOST_READERS: i64 = 500;

/// From when on a record may be unread, in microseconds.
pub(crate) fn since(now: Timestamp) -> i64 {
    now.minus(Duration::from_secs(86_400) * UNREAD_DAYS).as_micros()
}

/// Notes that versions of one person's records were shown to somebody.
pub(crate) fn changes(
    actor: ActorId,
    subject: SubjectId,
    shown: impl IntoIterator<Item = (ObjectId, u64)>,
    now: Timestamp,
) -> Vec<Change> {
    let shown: Vec<(ObjectId, u64)> = shown.into_iter().collect();
    let together = |some: &[(ObjectId, u64)]| {
        // The last one fills up what is empty: noted twice is noted once.
        let filled = some.iter().chain(some.last().into_iter().cycle()).take(TOGETHER);
        let mut args: Vec<Value> = vec![subject.into()];
        args.extend(filled.flat_map(|(object, version)| [(*object).into(), (*version).into()]));
        args.extend([actor.into(), now.into()]);
        Change::any(&sql::SEE, args)
    };
    shown.chunks(TOGETHER).map(together).collect()
}

/// The recent records of one person under one label.
#[derive(Debug, Clone)]
pub(crate) struct Tidings {
    pub(crate) label: AccessLabel,
    pub(crate) unread: u64,
    /// How many of them are addressed to the caller.
    pub(crate) addressed: u64,
    /// What the newest is sorted by.
    pub(crate) newest: i64,
}

/// What is addressed to somebody and unread.
pub(crate) type Addressed = HashMap<(SubjectId, AccessLabel), u64>;

/// Whose records a counting row is about, and under which label.
pub(crate) fn whose(row: &Row) -> Result<(SubjectId, AccessLabel)> {
    let wrong = |_| Error::unavailable("an access label in object_head is unreadable");
    let label = AccessLabel {
        class: row.text(1).map_err(Error::unavailable)?.parse().map_err(wrong)?,
        state: row.text(2).map_err(Error::unavailable)?.parse().map_err(wrong)?,
        institution: row.id_of(3).map_err(Error::unavailable)?,
    };
    Ok((row.id_of(0).map_err(Error::unavailable)?, label))
}

/// Whether the access label of a counting row is this one: as [`whose`] reads it, without reading it.
fn is_label(row: &Row, label: &AccessLabel) -> bool {
    row.text(1).is_ok_and(|class| class == label.class.as_str())
        && row.text(2).is_ok_and(|state| state == label.state.as_str())
        && row.blob(3).is_ok_and(|institution| institution == label.institution.as_bytes())
}

impl Caller {
    /// Whether it is noted what this caller has seen: people who signed in, not programs nor the operator.
    pub(crate) fn keeps_seen(&self) -> bool {
        matches!(self.facts.kind, CallerKind::Staff | CallerKind::Citizen)
    }
}

impl App {
    /// What is new about each of some people, by access label. What the caller may not see is in it too, and
    /// must be left out by its label.
    pub(crate) async fn tidings(
        &self,
        caller: &Caller,
        people: &[SubjectId],
        addressed: &Addressed,
        now: Timestamp,
    ) -> Result<HashMap<SubjectId, Vec<Tidings>>> {
        let mut found: HashMap<SubjectId, Vec<Tidings>> = HashMap::new();
        if people.is_empty() || !caller.keeps_seen() {
            return Ok(found);
        }
        let ask = |some: &[SubjectId]| {
            let people = some.iter().map(|subject| (*subject).into()).collect();
            let args = vec![since(now).into(), caller.actor.into()];
            async move { Ok(self.store.query_lists(&sql::TIDINGS, args, vec![people]).await?) }
        };
        let rows = each(people.chunks(ABREAST).map(ask).collect()).await?;
        for row in rows.iter().flatten() {
            if !TIMELINE_KINDS.contains(&row.text(6).map_err(Error::unavailable)?) {
                continue;
            }
            let unread = row.unsigned(4).map_err(Error::unavailable)?;
            let newest = row.int(5).map_err(Error::unavailable)?;
            let of_subject = found.entry(row.id_of(0).map_err(Error::unavailable)?).or_default();
            let mut known = of_subject.iter_mut();
            if let Some(known) = known.find(|known| is_label(row, &known.label)) {
                known.unread += unread;
                known.newest = known.newest.max(newest);
            } else {
                let whose = whose(row)?;
                let addressed = addressed.get(&whose).copied().unwrap_or(0);
                of_subject.push(Tidings { label: whose.1, unread, addressed, newest });
            }
        }
        Ok(found)
    }

    /// What the newest recent record of each of some people is sorted by, whether the caller may see it or not.
    pub(crate) async fn newest(
        &self,
        caller: &Caller,
        people: &[SubjectId],
        now: Timestamp,
    ) -> Result<HashMap<SubjectId, i64>> {
        if people.is_empty() || !caller.keeps_seen() {
            return Ok(HashMap::new());
        }
        let ask = |some: &[SubjectId]| {
            let people = some.iter().map(|subject| (*subject).into()).collect();
            async move { Ok(self.store.query_lists(&sql::NEWEST, vec![since(now).into()], vec![people]).await?) }
        };
        let rows = each(people.chunks(ABREAST).map(ask).collect()).await?;
        let of = |row: &Row| Ok((row.id_of(0)?, row.int(1)?));
        rows.iter()
            .flatten()
            .map(of)
            .collect::<Result<_, _>>()
            .map_err(|error: RowError| Error::unavailable(error))
    }

    /// How much is addressed to the caller and unread, of everybody, by person and access label. What the
    /// caller may not see is in it too.
    pub(crate) async fn addressed(&self, caller: &Caller, now: Timestamp) -> Result<Addressed> {
        if !caller.keeps_seen() {
            return Ok(Addressed::new());
        }
        let rows = self.store.query(&sql::ADDRESSED, vec![since(now).into(), caller.actor.into()]).await?;
        rows.iter()
            .map(|row| {
                let count = row.int(4).map_err(Error::unavailable)?;
                Ok((whose(row)?, u64::try_from(count).unwrap_or(0)))
            })
            .collect()
    }

    /// Whether the caller may see who cares for a person: then also who has seen their records.
    pub(crate) fn may_see_team(
        &self,
        caller: &Caller,
        context: &SubjectContext,
        permitted: &Permitted,
        now: Timestamp,
    ) -> bool {
        const TEAM: &str = "team";
        let mut labels = context.labels.iter().filter(|label| label.class.as_str() == TEAM).peekable();
        if labels.peek().is_some() {
            return labels.any(|label| permitted.labels.contains_key(label));
        }
        let institution = context.facts.registering_institution.or(caller.institution());
        let (Ok(class), Some(institution)) = (ClassCode::new(TEAM), institution) else { return false };
        let label = AccessLabel { class, state: RecordState::Confirmed, institution };
        self.decide(caller, Action::Read, context, &label, None, now).allowed
    }

    /// Adds to how many people each record was shown.
    pub(crate) async fn tell_seen_by(&self, subject: SubjectId, items: &mut [Stored]) -> Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        let ids = items.iter().map(|item| item.id.into()).collect();
        let rows = self.store.query_lists(&sql::SEEN_BY_HOW_MANY, vec![subject.into()], vec![ids]).await?;
        let mut counts: BTreeMap<(ObjectId, u64), u64> = BTreeMap::new();
        for row in &rows {
            let number = |at| row.int(at).map(|n| u64::try_from(n).unwrap_or(0)).map_err(Error::unavailable);
            counts.insert((row.id_of(0).map_err(Error::unavailable)?, number(1)?), number(2)?);
        }
        for item in items {
            item.attention.seen_by = Some(counts.get(&(item.id, item.version)).copied().unwrap_or(0));
        }
        Ok(())
    }

    /// Adds to whom each version of one record was shown, and when; and who was told of the current one.
    pub(crate) async fn tell_readers(&self, subject: SubjectId, versions: &mut [Stored]) -> Result<()> {
        let Some(id) = versions.first().map(|version| version.id) else { return Ok(()) };
        let current = versions.iter_mut().max_by_key(|version| version.version);
        if let Some(current) = current.filter(|current| current.kind == kind::COMMUNICATION) {
            current.attention.told = self.told_of(id, current.version).await?;
        }
        let args = vec![subject.into(), id.into(), MOST_READERS.into()];
        let rows = self.store.query(&sql::SEEN_BY, args).await?;
        for version in versions.iter_mut() {
            version.attention.seen_by = Some(0);
        }
        for row in &rows {
            let number = u64::try_from(row.int(0).map_err(Error::unavailable)?).unwrap_or(0);
            let Some(version) = versions.iter_mut().find(|version| version.version == number) else {
                continue;
            };
            let reader = row.id_of(1).map_err(Error::unavailable)?;
            let when = Timestamp::from_micros(row.int(2).map_err(Error::unavailable)?);
            version.attention.readers.push((reader, when));
            version.attention.seen_by = Some(version.attention.readers.len() as u64);
        }
        Ok(())
    }
}

/// What a newest record is, for a list of people: of what kind, by whom, when. Nothing of what it says.
#[derive(Debug, Clone)]
pub struct Newest {
    pub kind: mimamori_domain::Kind,
    pub state: RecordState,
    pub author: Option<crate::ActorView>,
    pub institution: InstitutionId,
    /// When it happened as the record says, else when it was stated; UTC.
    pub when: Timestamp,
}
