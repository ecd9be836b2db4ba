//! Lists of people: those a search finds, and what every list of people shares.

use mimamori_domain::{Action, Error, Kind, ObjectId, Result, SubjectId};
use mimamori_fhir::{Limits, SearchValues};
use mimamori_policy::GeneralTarget;
use mimamori_store::{Unit, Value};
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

/// Candidates read at a time.
const STRIDE: usize = 100;

/// A condition that a person must meet: one of these tokens in one of these fields.
pub(crate) struct Condition {
    fields: Vec<i64>,
    tokens: Vec<Token>,
}

impl Condition {
    fn fields(&self) -> Vec<Value> {
        self.fields.iter().map(|field| (*field).into()).collect()
    }

    fn tokens(&self) -> Vec<Value> {
        self.tokens.iter().map(|token| token.to_vec().into()).collect()
    }
}

/// People who are looked at together on the way to a page of them.
pub(crate) const ABREAST: usize = 32;

impl App {
    /// People found by name, kana, birth date or identifier; only those the caller may see.
    ///
    /// # Errors
    /// Invalid without anything to search for, or when too many would have to be looked at.
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
        for _ in 0..ATTEMPTS {
            let mut position =
                self.open_cursor(caller, &question, paging.cursor.as_deref(), Position::LOWEST)?;
            let mut found = Found { guards: vec![index], ..Found::default() };
            let mut looked = 0;
            let mut more = true;
            while more && found.cards.len() < size {
                let (candidates, last) = self.candidates(&conditions, &query.ids, position).await?;
                more = last.is_some();
                'found: for some in candidates.chunks(ABREAST) {
                    let people = self.several(some).await?;
                    for subject in some {
                        if found.cards.len() == size {
                            more = true;
                            break 'found;
                        }
                        position = Position::after(0, ObjectId::from(*subject));
                        let answers = |values: &SearchValues| answers(&names, query, values);
                        if let Some(person) = people.get(subject) {
                            self.add_permitted(caller, person, answers, &mut found)?;
                        }
                    }
                }
                if found.cards.len() < size
                    && let Some(last) = last
                {
                    position = Position::after(0, ObjectId::from(last));
                }
                looked += STRIDE;
                if looked >= MOST_CANDIDATES && found.cards.is_empty() && more {
                    return Err(Error::invalid(
                        "too many people begin like this; add the birth date or more of the name",
                    ));
                }
            }
            let next = if more { Some(self.seal_cursor(caller, &question, position)?) } else { None };
            if let Some(page) = self.settle_people(caller, found, Some(&stated), next).await? {
                return Ok(page);
            }
        }
        Err(kept_changing())
    }

    /// Up to [`STRIDE`] people after a position that meet all conditions, and the last one looked at
    /// when there may be more.
    pub(crate) async fn candidates(
        &self,
        conditions: &[Condition],
        ids: &[SubjectId],
        position: Position,
    ) -> Result<(Vec<SubjectId>, Option<SubjectId>)> {
        let Some((first, others)) = conditions.split_first() else {
            // Named by their ids: there is nothing to look up.
            let after = ids.iter().copied().filter(|id| id.as_bytes() > &position.id);
            return Ok((after.collect::<std::collections::BTreeSet<_>>().into_iter().collect(), None));
        };
        let rows = self
            .store
            .query_lists(
                &sql::PEOPLE_BY_TOKEN,
                vec![position.id.into(), count(STRIDE)],
                vec![first.fields(), first.tokens()],
            )
            .await?;
        let mut people = rows
            .iter()
            .map(|row| row.id_of(0))
            .collect::<Result<Vec<SubjectId>, _>>()
            .map_err(Error::unavailable)?;
        let last = if people.len() == STRIDE { people.last().copied() } else { None };
        for condition in others {
            if people.is_empty() {
                break;
            }
            let list = people.iter().map(|subject| (*subject).into()).collect();
            let rows = self
                .store
                .query_lists(
                    &sql::PEOPLE_ALSO,
                    Vec::new(),
                    vec![condition.fields(), condition.tokens(), list],
                )
                .await?;
            let also = rows
                .iter()
                .map(|row| row.id_of(0))
                .collect::<Result<Vec<SubjectId>, _>>()
                .map_err(Error::unavailable)?;
            people.retain(|subject| also.contains(subject));
        }
        people.retain(|subject| ids.is_empty() || ids.contains(subject));
        Ok((people, last))
    }

    /// The conditions of a query, and the names to compare after decryption.
    pub(crate) fn conditions(&self, query: &PeopleQuery) -> Result<(Vec<Condition>, Vec<PersonName>)> {
        let indexes = self.keys.index.all();
        let mut conditions = Vec::new();
        let mut names = Vec::new();
        // The most selective first.
        if let Some(identifier) = filled(query.identifier.as_deref()) {
            let (system, value) = identifier.split_once('|').unwrap_or(("", identifier));
            conditions.push(Condition {
                fields: vec![field_number(IndexField::Identifier)],
                tokens: indexes.iter().map(|index| index.identifier(system, value)).collect(),
            });
        }
        if let Some(date) = filled(query.birth_date.as_deref()) {
            let asked: Vec<(IndexField, Token)> = BirthDate::new(date)
                .map(|date| indexes.iter().filter_map(|index| date.query(index)).collect())
                .ok_or_else(|| {
                    crate::record::fault("birthdate", "a date is YYYY, YYYY-MM or YYYY-MM-DD", "value")
                })?;
            conditions.push(Condition {
                fields: asked.iter().map(|(field, _)| field_number(*field)).collect(),
                tokens: asked.into_iter().map(|(_, token)| token).collect(),
            });
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
                let any: Vec<(IndexField, Token)> =
                    asked.iter().filter_map(|all| all.get(word).copied()).collect();
                conditions.push(Condition {
                    fields: any.iter().map(|(field, _)| field_number(*field)).collect(),
                    tokens: any.into_iter().map(|(_, token)| token).collect(),
                });
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

fn count(items: usize) -> Value {
    i64::try_from(items).unwrap_or(i64::MAX).into()
}
