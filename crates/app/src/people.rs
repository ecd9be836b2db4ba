//! Lists of people: those a search finds, and what every list of people shares.

use std::collections::BTreeSet;
use std::ops::Bound;

use mimamori_domain::{Action, Error, Kind, ObjectId, Result, SubjectId};
use mimamori_fhir::{Limits, SearchValues};
use mimamori_policy::GeneralTarget;
use mimamori_store::{MAX_LIST, Question, Row, Unit, Value};
use mimamori_vault::{BirthDate, IndexField, PersonName, Script, Token};

use crate::access::{ATTEMPTS, Settled, kept_changing};
use crate::caller::Caller;
use crate::context::{SubjectContext, open_with};
use crate::cursor::{Position, page_size};
use crate::record::{Listed, authorship_of, field_number, label_of, person_names, stored};
use crate::several::Person;
use crate::{App, Page, Paging, PeopleQuery, PersonCard, Stored, sql};

/// How many candidates one question looks at, at most: a very common beginning is asked to be
/// narrowed instead of walking the whole index.
pub(crate) const MOST_CANDIDATES: usize = 2_000;

/// The same while the question is being typed. Not all of them are in memory.
const MOST_WHILE_TYPING: usize = 300;

/// The same for whoever goes on to the next page, having seen that not everybody was looked at.
const MOST_FOR_MORE: usize = 10 * MOST_CANDIDATES;

/// So many who are found by one word, and are not meant because of another, count as one who is looked at.
const CHEAP: usize = 8;

/// So many people of whose care team the caller is a member come first, and so many of the institution's.
const MOST_OWN: usize = 1_000;

/// Where a walk is: first among those people, then among all.
const OWN: i64 = Position::LOWEST.number;
const ALL: i64 = OWN + 1;

/// A condition that a person must meet: one of these tokens, each of a field.
pub(crate) struct Condition(Vec<(IndexField, Token)>);

impl Condition {
    fn fields(&self) -> Vec<Value> {
        self.0.iter().map(|(field, _)| field_number(*field).into()).collect()
    }

    fn tokens(&self) -> Vec<Value> {
        self.0.iter().map(|(_, token)| token.to_vec().into()).collect()
    }
}

/// A walk through the people who may answer a question.
struct Walk<'q> {
    conditions: &'q [Condition],
    ids: &'q [SubjectId],
    /// Those of whose care team the caller or their institution is a member.
    own: &'q BTreeSet<SubjectId>,
}

impl App {
    /// People found by name, kana, birth date or identifier; only those the caller may see. Those of whose
    /// care team they are come first. A page may have fewer people than were asked for, and yet a next.
    ///
    /// # Errors
    /// Invalid without anything to search for, or when too many would have to be looked at; while it is
    /// being typed that is no error, and the page is empty.
    pub async fn search_people(
        &self,
        caller: &Caller,
        query: &PeopleQuery,
        paging: &Paging,
    ) -> Result<Page<PersonCard>> {
        let target = GeneralTarget::of(Kind::of("people-search"));
        self.require_general(caller, Action::Search, target).await?;
        let index = self.index_guard();
        let (conditions, names) = self.conditions(query)?;
        let stated = query.stated();
        let question: [&[u8]; 2] = [b"people", stated.as_bytes()];
        let size = page_size(paging.count);
        let most = match paging.cursor {
            Some(_) => MOST_FOR_MORE,
            None if query.typing => MOST_WHILE_TYPING,
            None => MOST_CANDIDATES,
        };
        for _ in 0..ATTEMPTS {
            let start = self.open_cursor(caller, &question, paging.cursor.as_deref(), Position::LOWEST)?;
            let own = if query.ids.is_empty() { self.own_people(caller).await? } else { BTreeSet::new() };
            let walk = Walk { conditions: &conditions, ids: &query.ids, own: &own };
            let mut found = Found { guards: vec![index], ..Found::default() };
            let mut at = Some(start);
            // Whoever may see everybody has a page with the first step; the less is found, the longer they get.
            let (mut looked, mut step) = (0, size.min(MAX_LIST));
            while let Some(from) = at
                && found.cards.len() < size
                && looked < most
            {
                let (candidates, after) = self.walk_on(&walk, from, step).await?;
                at = after;
                let opened = candidates.len();
                let people = self.several(&candidates).await?;
                let mut here = from;
                for subject in candidates {
                    if found.cards.len() == size {
                        at = Some(here);
                        break;
                    }
                    here = Position::after(from.number, ObjectId::from(subject));
                    let answers = |values: &SearchValues| answers(&names, query, values);
                    if let Some(person) = people.get(&subject) {
                        self.add_permitted(caller, person, answers, &mut found)?;
                    }
                }
                looked += opened.max(step / CHEAP);
                step = (2 * step).min(MAX_LIST);
            }
            if at.is_some() && found.cards.is_empty() && !query.typing {
                return Err(Error::invalid(
                    "too many people begin like this; add the birth date or more of the name",
                ));
            }
            let next = at.map(|at| self.seal_cursor(caller, &question, at)).transpose()?;
            if let Some(page) = self.settle_people(caller, found, Some(&stated), next).await? {
                return Ok(page);
            }
        }
        Err(kept_changing())
    }

    /// The people of whose care team the caller or their institution is a member.
    async fn own_people(&self, caller: &Caller) -> Result<BTreeSet<SubjectId>> {
        let of = |member: Value| Question::of(&sql::PEOPLE_OF_MEMBER, vec![member, count(MOST_OWN)]);
        let members = [Some(caller.actor.into()), caller.institution().map(Value::from)];
        let questions = members.into_iter().flatten().map(of).collect();
        let found = self.store.query_together(questions).await?;
        let mut own = BTreeSet::new();
        for rows in &found {
            own.extend(subjects(rows)?);
        }
        Ok(own)
    }

    /// Up to so many people who may answer, beginning after a position, and where the walk goes on.
    async fn walk_on(
        &self,
        walk: &Walk<'_>,
        from: Position,
        step: usize,
    ) -> Result<(Vec<SubjectId>, Option<Position>)> {
        if from.number == OWN {
            let after = (Bound::Excluded(SubjectId::from_bytes(from.id)), Bound::Unbounded);
            let own: Vec<SubjectId> = walk.own.range(after).take(step).copied().collect();
            let next = match own.last() {
                Some(last) if own.len() == step => Position::after(OWN, ObjectId::from(*last)),
                _ => Position { number: ALL, ..Position::LOWEST },
            };
            return Ok((self.meeting(walk.conditions, own).await?, Some(next)));
        }
        let (mut people, last) = self.candidates(walk.conditions, walk.ids, from, step).await?;
        people.retain(|subject| !walk.own.contains(subject));
        Ok((people, last.map(|last| Position::after(ALL, ObjectId::from(last)))))
    }

    /// Up to so many people after a position that meet all conditions, and the last one looked at when
    /// there may be more. At most [`MAX_LIST`] at a time.
    pub(crate) async fn candidates(
        &self,
        conditions: &[Condition],
        ids: &[SubjectId],
        position: Position,
        most: usize,
    ) -> Result<(Vec<SubjectId>, Option<SubjectId>)> {
        let Some((first, others)) = conditions.split_first() else {
            // Named by their ids: there is nothing to look up.
            let after = ids.iter().copied().filter(|id| id.as_bytes() > &position.id);
            return Ok((after.collect::<BTreeSet<_>>().into_iter().collect(), None));
        };
        // Each token by itself: its people stand in the index in their order, and no more are read than asked for.
        let of = |(field, token): (Value, Value)| {
            Question::of(&sql::PEOPLE_BY_TOKEN, vec![field, token, position.id.into(), count(most)])
        };
        let questions = first.fields().into_iter().zip(first.tokens()).map(of).collect();
        let mut people = BTreeSet::new();
        for rows in &self.store.query_together(questions).await? {
            people.extend(subjects(rows)?);
        }
        let people: Vec<SubjectId> = people.into_iter().take(most).collect();
        let last = if people.len() == most { people.last().copied() } else { None };
        let mut people = self.meeting(others, people).await?;
        people.retain(|subject| ids.is_empty() || ids.contains(subject));
        Ok((people, last))
    }

    /// Those of some people who meet all conditions.
    async fn meeting(&self, conditions: &[Condition], mut people: Vec<SubjectId>) -> Result<Vec<SubjectId>> {
        for condition in conditions {
            if people.is_empty() {
                break;
            }
            let list = people.iter().map(|subject| (*subject).into()).collect();
            let lists = vec![condition.fields(), condition.tokens(), list];
            let also = subjects(&self.store.query_lists(&sql::PEOPLE_ALSO, Vec::new(), lists).await?)?;
            let also: BTreeSet<SubjectId> = also.into_iter().collect();
            people.retain(|subject| also.contains(subject));
        }
        Ok(people)
    }

    /// The conditions of a query, and the names to compare after decryption.
    pub(crate) fn conditions(&self, query: &PeopleQuery) -> Result<(Vec<Condition>, Vec<PersonName>)> {
        let indexes = self.keys.index.all();
        let mut conditions = Vec::new();
        let mut names = Vec::new();
        // The most selective first.
        if let Some(identifier) = filled(query.identifier.as_deref()) {
            let (system, value) = identifier.split_once('|').unwrap_or(("", identifier));
            let tokens = indexes.iter().map(|index| index.identifier(system, value));
            conditions.push(Condition(tokens.map(|token| (IndexField::Identifier, token)).collect()));
        }
        if let Some(date) = filled(query.birth_date.as_deref()) {
            let asked: Vec<(IndexField, Token)> = BirthDate::new(date)
                .map(|date| indexes.iter().filter_map(|index| date.query(index)).collect())
                .ok_or_else(|| {
                    crate::record::fault("birthdate", "a date is YYYY, YYYY-MM or YYYY-MM-DD", "value")
                })?;
            conditions.push(Condition(asked));
        }
        for text in [filled(query.name.as_deref()), filled(query.kana.as_deref())].into_iter().flatten() {
            // A name typed in kana may be somebody's written name or their reading.
            let readings =
                [PersonName::from_text(Script::Written, text), PersonName::from_text(Script::Kana, text)];
            let asked: Vec<Vec<(IndexField, Token)>> =
                indexes.iter().flat_map(|index| readings.each_ref().map(|name| name.query(index))).collect();
            let words = asked.first().map_or(0, Vec::len);
            if words == 0 {
                return Err(crate::record::fault("name", "a name needs at least one letter", "value"));
            }
            for word in 0..words {
                conditions.push(Condition(asked.iter().filter_map(|all| all.get(word).copied()).collect()));
            }
            names.extend(readings.into_iter().next());
        }
        if conditions.is_empty() && query.ids.is_empty() {
            return Err(Error::invalid("enter a name, kana, a birth date or a number to search for"));
        }
        Ok((conditions, names))
    }

    /// Adds a person to a list when the caller may see their Patient and it answers the question.
    pub(crate) fn add_permitted(
        &self,
        caller: &Caller,
        Person { patient: version, context }: &Person,
        answers: impl Fn(&SearchValues) -> bool,
        found: &mut Found,
    ) -> Result<()> {
        let label = label_of(version)?;
        let now = self.clock.now();
        let authorship = authorship_of(version);
        let decision = self.decide(caller, Action::Search, context, &label, authorship.as_ref(), now);
        if !decision.allowed || !caller.facts.scopes_cover(&version.kind, false) {
            return Ok(());
        }
        let plain = match open_with(&context.keys, version) {
            Ok(plain) => plain,
            Err(error) if error.kind() == mimamori_domain::ErrorKind::Gone => return Ok(()),
            Err(error) => return Err(error),
        };
        if !answers(&values_of(&plain)?) {
            return Ok(());
        }
        let mut listed = Listed::default();
        listed.add(&decision, version.commitment());
        found.add(context, stored(version, label, &plain), listed);
        Ok(())
    }

    /// Commits what a list of people needs; `None` when it must start over.
    async fn settle_people(
        &self,
        caller: &Caller,
        found: Found,
        stated: Option<&str>,
        next: Option<String>,
    ) -> Result<Option<Page<PersonCard>>> {
        let mut unit = Unit::new();
        unit.guards = found.guards;
        let unit = self.list_entries(caller, unit, stated, found.listed)?;
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(Some(Page { items: found.cards, next, total: None })),
            Settled::Again => Ok(None),
        }
    }
}

/// People found so far.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) cards: Vec<PersonCard>,
    /// What the ledger says of each of them, in the same order.
    pub(crate) listed: Vec<(SubjectId, Listed)>,
    pub(crate) guards: Vec<mimamori_store::Guard>,
}

impl Found {
    fn add(&mut self, context: &SubjectContext, patient: Stored, listed: Listed) {
        self.guards.push(context.guard());
        self.listed.push((context.subject, listed));
        self.cards.push(PersonCard {
            subject: context.subject,
            patient,
            unread: 0,
            addressed: 0,
            newest: None,
        });
    }

    pub(crate) fn subjects(&self) -> impl Iterator<Item = SubjectId> {
        self.cards.iter().map(|card| card.subject)
    }

    /// The card of a person, and what the ledger says of them.
    pub(crate) fn of(&mut self, subject: SubjectId) -> Option<(&PersonCard, &mut Listed)> {
        let at = self.subjects().position(|shown| shown == subject)?;
        Some((self.cards.get(at)?, &mut self.listed.get_mut(at)?.1))
    }
}

impl PeopleQuery {
    /// The question in one text: it goes sealed into the ledger and binds cursors.
    pub(crate) fn stated(&self) -> String {
        serde_json::json!({
            "name": self.name, "kana": self.kana, "birthdate": self.birth_date, "identifier": self.identifier,
            "gender": self.gender, "id": self.ids,
        })
        .to_string()
    }
}

/// Compares what tokens cannot tell: prefixes longer than the index keeps, and gender.
fn answers(names: &[PersonName], query: &PeopleQuery, values: &SearchValues) -> bool {
    let theirs = person_names(values);
    names.iter().all(|name| theirs.iter().any(|their| name.found_in(their)))
        && query.gender.as_deref().is_none_or(|gender| values.gender.as_deref() == Some(gender))
}

pub(crate) fn values_of(plain: &[u8]) -> Result<SearchValues> {
    let resource = mimamori_fhir::parse(plain, &Limits::default())
        .map_err(|_| Error::internal("a stored Patient is unreadable"))?;
    Ok(mimamori_fhir::search_values(&resource))
}

fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

pub(crate) fn subjects(rows: &[Row]) -> Result<Vec<SubjectId>> {
    rows.iter().map(|row| row.id_of(0)).collect::<Result<_, _>>().map_err(Error::unavailable)
}

pub(crate) fn count(items: usize) -> Value {
    i64::try_from(items).unwrap_or(i64::MAX).into()
}
