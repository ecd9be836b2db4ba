//! 担当の方: whom the caller cares for, with what is new about each, and what the caller left unfinished.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};

use mimamori_domain::{
    AccessLabel, Action, Error, Kind, ObjectId, RecordState, Result, SubjectId, Timestamp,
};
use mimamori_policy::Decision;
use mimamori_store::{MAX_LIST, ObjectVersion, Question, Row, Unit, Value};

use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::caller::Caller;
use crate::context::{SubjectContext, object_from_row};
use crate::cursor::{Position, page_size};
use crate::people::{Found, count, subjects};
use crate::record::{TIMELINE_KINDS, authorship_of, label_of};
use crate::seen::{Addressed, Tidings, since};
use crate::several::Person;
use crate::{App, Newest, Page, Paging, PersonCard, Stored, sql};

/// People whose news are asked for with one statement: as many as a list of a statement takes.
const STRIDE: usize = MAX_LIST;

/// So many people of one caller are looked through for news; those after them tell theirs on their page.
const MOST_LOOKED: usize = 4 * STRIDE;

/// People who are looked at together on the way to a page of them.
const ABREAST: usize = 32;

/// People whose newest records are fetched with one statement, which asks of each for all of their times: with
/// more, most of what is read is another's time and not the newest of anybody.
const TOGETHER: usize = 8;

/// People with something unread who stand first.
const MOST_UNREAD: usize = 20;

/// Unfinished records that are shown, of each sort.
const MOST_UNFINISHED: usize = 20;

/// 担当の方, and what waits for the caller in their notebooks.
#[derive(Debug, Clone)]
pub struct MyPeople {
    /// On the first page: whoever has something unread, what is addressed to the caller and the latest
    /// news first.
    pub unread: Vec<PersonCard>,
    /// The others; on later pages everybody.
    pub people: Page<PersonCard>,
    /// On the first page: the caller's drafts, and what waits for their confirmation.
    pub unfinished: Vec<Unfinished>,
    /// On the first page: urgent notes for the caller that they have not seen.
    pub urgent: Vec<Unfinished>,
}

impl MyPeople {
    /// Everybody of this page.
    pub fn cards(&self) -> impl Iterator<Item = &PersonCard> {
        self.unread.iter().chain(&self.people.items)
    }
}

/// A record that waits for the caller, or is not confirmed yet: of what kind, whose, and since when. Nothing of what it says.
#[derive(Debug, Clone)]
pub struct Unfinished {
    pub subject: SubjectId,
    /// Their FHIR Patient.
    pub patient: Stored,
    pub kind: Kind,
    pub id: ObjectId,
    /// Somebody else wrote it on the caller's behalf, and it waits for their confirmation.
    pub awaits: bool,
    /// It is a draft of the caller's own.
    pub is_draft: bool,
    /// When it was last changed, UTC.
    pub recorded: Timestamp,
}

/// What is new about one person, of what the caller may see.
struct News {
    unread: u64,
    addressed: u64,
    newest: (i64, AccessLabel, Decision),
}

/// Where somebody stands among those with something unread: whether anything is addressed to the caller, when
/// the newest is of, who.
type Rank = (bool, i64, SubjectId);

/// Records that wait for the caller or were left unfinished by them, whether they may be seen or not.
#[derive(Default)]
struct Left {
    urgent: Vec<ObjectVersion>,
    unfinished: Vec<ObjectVersion>,
}

impl App {
    /// The people the caller takes part in the care of; for citizen users themselves and those they
    /// speak for. What policy hides from the caller is not counted.
    ///
    /// # Errors
    /// Unavailable when it could not be recorded.
    pub async fn my_people(&self, caller: &Caller, paging: &Paging) -> Result<MyPeople> {
        let question: [&[u8]; 1] = [b"my-people"];
        let size = page_size(paging.count);
        let first = paging.cursor.is_none();
        for _ in 0..ATTEMPTS {
            let start = self.open_cursor(caller, &question, paging.cursor.as_deref(), Position::LOWEST)?;
            let now = self.clock.now();
            let (mut news, mut looked) = (HashMap::new(), HashMap::new());
            let mut unread = Found::default();
            let (addressed, linked, left) = futures::try_join!(
                self.addressed(caller, now),
                self.linked(caller, start),
                self.left_by(caller, first, now)
            )?;
            if first {
                looked = self.look_for_news(caller, now, &linked, &addressed, &mut news, &mut unread).await?;
            }
            let above = unread.cards.iter().map(|card| card.subject).collect();
            let (mut found, last) = self.page_of_mine(caller, linked, start, size, &above).await?;
            let (known, unknown): (Vec<SubjectId>, Vec<SubjectId>) = found
                .subjects()
                .filter(|subject| !news.contains_key(subject))
                .partition(|subject| looked.contains_key(subject));
            let mut tidings = self.tidings(caller, &unknown, &addressed, now).await?;
            tidings.extend(known.iter().filter_map(|subject| looked.remove_entry(subject)));
            self.permitted_news(caller, tidings, now, &mut news).await?;
            self.tell_news(&news, [&mut unread, &mut found]).await?;
            let mut others = Found::default();
            let whose = left.urgent.iter().chain(&left.unfinished).filter_map(|version| version.subject);
            let people = self.several(&whose.collect::<Vec<_>>()).await?;
            let parts = &mut [&mut unread, &mut found, &mut others];
            let urgent = self.waiting(caller, now, parts, &people, left.urgent)?;
            let unfinished = self.waiting(caller, now, parts, &people, left.unfinished)?;
            let next = match last {
                Some(position) => Some(self.seal_cursor(caller, &question, position)?),
                None => None,
            };
            let mut unit = Unit::new();
            let mut listed = Vec::new();
            for part in [&mut unread, &mut found, &mut others] {
                unit.guards.append(&mut part.guards);
                listed.append(&mut part.listed);
            }
            let unit = self.list_entries(caller, unit, None, listed)?;
            if let Settled::Done = self.settle(caller, unit).await? {
                let people = Page { items: found.cards, next, total: None };
                return Ok(MyPeople { unread: unread.cards, people, unfinished, urgent });
            }
        }
        Err(kept_changing())
    }

    /// One page of the people a caller is linked to, by their ids, and where it ended if there are more.
    /// `rows` are the first of them.
    async fn page_of_mine(
        &self,
        caller: &Caller,
        mut rows: Vec<SubjectId>,
        start: Position,
        size: usize,
        above: &HashSet<SubjectId>,
    ) -> Result<(Found, Option<Position>)> {
        let mut found = Found::default();
        let mut position = start;
        loop {
            let last = rows.len() < STRIDE;
            for some in rows.chunks(ABREAST) {
                let others: Vec<_> = some.iter().copied().filter(|one| !above.contains(one)).collect();
                // Nobody is asked for who would stand on the next page.
                let people =
                    if found.cards.len() < size { self.several(&others).await? } else { HashMap::new() };
                for subject in some {
                    if found.cards.len() == size {
                        return Ok((found, Some(position)));
                    }
                    position = Position::after(0, ObjectId::from(*subject));
                    if let Some(person) = people.get(subject) {
                        self.add_permitted(caller, person, |_| true, &mut found)?;
                    }
                }
            }
            if last {
                return Ok((found, None));
            }
            rows = self.linked(caller, position).await?;
        }
    }

    /// Up to [`STRIDE`] people the caller is linked to, after a position.
    async fn linked(&self, caller: &Caller, after: Position) -> Result<Vec<SubjectId>> {
        let mut targets: Vec<Value> = vec![caller.actor.into()];
        targets.extend(caller.institution().map(Value::from));
        let roles: Vec<Value> = vec!["team".into(), "proxy".into(), "self".into()];
        let args = vec![after.id.into(), count(STRIDE)];
        subjects(&self.store.query_lists(&sql::PEOPLE_LINKED, args, vec![targets, roles]).await?)
    }

    /// Finds whoever has something unread, what is addressed to the caller first, then the latest news: of
    /// everybody the caller is linked to, of whom `linked` are the first. Gives the tidings about others that
    /// were asked for on the way.
    async fn look_for_news(
        &self,
        caller: &Caller,
        now: Timestamp,
        linked: &[SubjectId],
        addressed: &Addressed,
        news: &mut HashMap<SubjectId, News>,
        unread: &mut Found,
    ) -> Result<HashMap<SubjectId, Vec<Tidings>>> {
        let (hoped, mut others) = self.hoped(caller, now, linked, addressed).await?;
        let mut hoped = hoped.as_slice();
        let mut ranked = BinaryHeap::new();
        let mut step = ABREAST;
        while unread.cards.len() < MOST_UNREAD {
            let next = surely_next(&mut ranked, hoped.first());
            if !next.is_empty() {
                let people = self.several(&next).await?;
                for person in next.iter().filter_map(|subject| people.get(subject)) {
                    if unread.cards.len() < MOST_UNREAD {
                        self.add_permitted(caller, person, |_| true, unread)?;
                    }
                }
            } else if !hoped.is_empty() {
                let (some, rest) = hoped.split_at(hoped.len().min(step));
                let some: Vec<SubjectId> = some.iter().map(|(.., subject)| *subject).collect();
                ranked.extend(self.rank(caller, now, &some, addressed, news, &mut others).await?);
                hoped = rest;
                step = (2 * step).min(STRIDE);
            } else {
                break;
            }
        }
        Ok(others)
    }

    /// How high everybody the caller is linked to can rank at most, the highest first: nobody ranks higher than
    /// by their newest record, read or unread, seen by the caller or not. Whoever has no recent record has no
    /// tidings, which are given beside.
    async fn hoped(
        &self,
        caller: &Caller,
        now: Timestamp,
        linked: &[SubjectId],
        addressed: &Addressed,
    ) -> Result<(Vec<Rank>, HashMap<SubjectId, Vec<Tidings>>)> {
        let waiting: HashSet<SubjectId> = addressed.keys().map(|(subject, _)| *subject).collect();
        let (mut hoped, mut quiet) = (Vec::new(), HashMap::new());
        let mut people = linked.to_vec();
        let mut looked = 0;
        loop {
            looked += STRIDE;
            let newest = self.newest(caller, &people, now).await?;
            let without = people.iter().filter(|subject| !newest.contains_key(subject));
            quiet.extend(without.map(|subject| (*subject, Vec::new())));
            hoped.extend(newest.into_iter().map(|(who, at)| (waiting.contains(&who), at, who)));
            match people.last() {
                Some(last) if people.len() == STRIDE && looked < MOST_LOOKED => {
                    people = self.linked(caller, Position::after(0, ObjectId::from(*last))).await?;
                }
                _ => break,
            }
        }
        hoped.sort_unstable_by_key(|rank| Reverse(*rank));
        Ok((hoped, quiet))
    }

    /// Where those of `some` stand who have something unread that the caller may see. What may be seen of whoever
    /// has nothing unread at all is asked only when they are shown: their tidings go to the `others`.
    async fn rank(
        &self,
        caller: &Caller,
        now: Timestamp,
        some: &[SubjectId],
        addressed: &Addressed,
        news: &mut HashMap<SubjectId, News>,
        others: &mut HashMap<SubjectId, Vec<Tidings>>,
    ) -> Result<Vec<Rank>> {
        let mut tidings = self.tidings(caller, some, addressed, now).await?;
        let all = some.iter().map(|who| (*who, tidings.remove(who).unwrap_or_default()));
        let is_new = |(_, tidings): &(SubjectId, Vec<Tidings>)| tidings.iter().any(|of| of.unread > 0);
        let (new, old): (HashMap<_, _>, HashMap<_, _>) = all.partition(is_new);
        others.extend(old);
        self.permitted_news(caller, new, now, news).await?;
        let known = some.iter().filter_map(|subject| Some((*subject, news.get(subject)?)));
        let is_unread = known.filter(|(_, of)| of.unread > 0);
        Ok(is_unread.map(|(subject, of)| (of.addressed > 0, of.newest.0, subject)).collect())
    }

    /// Adds what of the tidings about people the caller may see.
    async fn permitted_news(
        &self,
        caller: &Caller,
        tidings: HashMap<SubjectId, Vec<Tidings>>,
        now: Timestamp,
        news: &mut HashMap<SubjectId, News>,
    ) -> Result<()> {
        let subjects: Vec<SubjectId> = tidings.keys().copied().collect();
        // Of whom everything was erased is not there.
        for (subject, context) in self.several_contexts(&subjects).await? {
            let Some(tidings) = tidings.get(&subject) else { continue };
            news.extend(self.news_of(caller, &context, tidings, now).map(|of| (subject, of)));
        }
        Ok(())
    }

    /// What of the tidings about a person the caller may see; `None` when that is nothing.
    fn news_of(
        &self,
        caller: &Caller,
        context: &SubjectContext,
        tidings: &[Tidings],
        now: Timestamp,
    ) -> Option<News> {
        let mut news: Option<News> = None;
        for of in tidings {
            let decision = self.decide(caller, Action::Read, context, &of.label, None, now);
            if !decision.allowed {
                continue;
            }
            let newest = (of.newest, of.label.clone(), decision);
            news = Some(match news {
                None => News { unread: of.unread, addressed: of.addressed, newest },
                Some(before) => News {
                    unread: before.unread + of.unread,
                    addressed: before.addressed + of.addressed,
                    newest: if before.newest.0 >= newest.0 { before.newest } else { newest },
                },
            });
        }
        news
    }

    /// Puts the news on the cards: how much is unread, and the newest record's kind, author and time, which
    /// the entry then counts.
    async fn tell_news(&self, news: &HashMap<SubjectId, News>, parts: [&mut Found; 2]) -> Result<()> {
        let shown = parts.iter().flat_map(|found| found.subjects());
        let newest: Vec<(SubjectId, i64)> =
            shown.filter_map(|subject| Some((subject, news.get(&subject)?.newest.0))).collect();
        let ask = |some: &[(SubjectId, i64)]| {
            let people = some.iter().map(|(subject, _)| (*subject).into()).collect();
            let times = some.iter().map(|(_, at)| (*at).into()).collect();
            Question { statement: &sql::CURRENT_AT, args: Vec::new(), lists: vec![people, times] }
        };
        let rows = self.store.query_together(newest.chunks(TOGETHER).map(ask).collect()).await?;
        let mut versions: Vec<(i64, ObjectVersion)> = Vec::new();
        for mut row in rows.into_iter().flatten() {
            let version = object_from_row(&mut row)?;
            let sorted = row.int(sql::SORT_TIME_AFTER_VERSION).map_err(Error::unavailable)?;
            if TIMELINE_KINDS.contains(&version.kind.as_str()) {
                versions.push((sorted, version));
            }
        }
        for found in parts {
            for (card, (_, listed)) in found.cards.iter_mut().zip(&mut found.listed) {
                let Some(of) = news.get(&card.subject) else { continue };
                card.unread = of.unread;
                card.addressed = of.addressed;
                let (at, label, decision) = &of.newest;
                let newest = versions.iter().find(|(sorted, version)| {
                    sorted == at
                        && version.subject == Some(card.subject)
                        && label_of(version).is_ok_and(|its| its == *label)
                });
                let Some((sorted, version)) = newest else { continue };
                listed.add(decision, version.commitment());
                card.newest = Some(Newest {
                    kind: version.kind.clone(),
                    state: label.state,
                    author: match version.author {
                        Some(author) => self.actor_view(author).await?,
                        None => None,
                    },
                    institution: label.institution,
                    when: Timestamp::from_micros(*sorted),
                });
            }
        }
        Ok(())
    }

    /// What waits for the caller, and what they left unfinished: for the first page alone.
    async fn left_by(&self, caller: &Caller, first: bool, now: Timestamp) -> Result<Left> {
        if !first {
            return Ok(Left::default());
        }
        let limit = i64::try_from(MOST_UNFINISHED).unwrap_or(i64::MAX);
        let mine: Vec<Value> = vec![caller.actor.into(), limit.into()];
        let recent = mine.iter().cloned().chain([since(now).into()]).collect();
        let asked = [(&sql::URGENT_FOR, recent), (&sql::AWAITING_OF, mine.clone()), (&sql::DRAFTS_OF, mine)];
        let asked = asked.map(|(statement, args)| Question { statement, args, lists: Vec::new() });
        let mut found = self.store.query_together(asked.into()).await?.into_iter();
        let urgent = found.next().unwrap_or_default();
        let versions = |mut rows: Vec<Row>| rows.iter_mut().map(object_from_row).collect::<Result<Vec<_>>>();
        Ok(Left { urgent: versions(urgent)?, unfinished: versions(found.flatten().collect())? })
    }

    /// What of some records the caller may see. Each counts in the entry of its person, who is added to the
    /// last of `parts` unless they are shown anyway.
    fn waiting(
        &self,
        caller: &Caller,
        now: Timestamp,
        parts: &mut [&mut Found; 3],
        people: &HashMap<SubjectId, Person>,
        versions: Vec<ObjectVersion>,
    ) -> Result<Vec<Unfinished>> {
        let mut all = Vec::new();
        for version in versions {
            let (Some(subject), Ok(label)) = (version.subject, label_of(&version)) else { continue };
            let Some(person) = people.get(&subject) else { continue };
            let context = &person.context;
            let authorship = authorship_of(&version);
            let decision = self.decide(caller, Action::Read, context, &label, authorship.as_ref(), now);
            if !decision.allowed || !caller.facts.scopes_cover(&version.kind, false) {
                continue;
            }
            if !parts.iter().any(|part| part.subjects().any(|shown| shown == subject)) {
                let [_, _, others] = parts;
                self.add_permitted(caller, person, |_| true, others)?;
            }
            let shown = parts.iter_mut().find_map(|part| part.of(subject));
            let Some((card, listed)) = shown else { continue };
            listed.add(&decision, version.commitment());
            all.push(Unfinished {
                subject,
                patient: card.patient.clone(),
                kind: version.kind.clone(),
                id: version.object,
                awaits: label.state == RecordState::AwaitingConfirmation,
                is_draft: label.state == RecordState::Draft,
                recorded: version.recorded,
            });
        }
        Ok(all)
    }
}

/// Takes from those who are ranked whoever stands above the best that others can hope for: they stand where they
/// belong, whatever the others turn out to have.
fn surely_next(ranked: &mut BinaryHeap<Rank>, best: Option<&Rank>) -> Vec<SubjectId> {
    let mut next = Vec::new();
    while next.len() < MOST_UNREAD && ranked.peek().is_some_and(|rank| best.is_none_or(|best| rank > best)) {
        next.extend(ranked.pop().map(|(.., subject)| subject));
    }
    next
}
