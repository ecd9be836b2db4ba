//! Names to identifiers: which of what was sent is new, what is known from earlier imports, and what
//! each reference becomes.

use std::collections::{BTreeSet, HashMap, HashSet};

use mimamori_domain::{Error, ErrorKind, InstitutionId, Kind, ObjectId, Result, SubjectId};
use mimamori_fhir::SearchValues;
use mimamori_vault::{IndexField, IndexKey, Token, normalise_name};

use super::item::{Group, Item, name_of};
use crate::body::kind;
use crate::context::open_with;
use crate::record::field_number;
use crate::{App, sql};

/// What one resource becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    New(ObjectId),
    /// Known from an earlier import, or the same as another resource of this one.
    Known(ObjectId),
    Broken,
}

/// Everything that storing needs to know beside the resources.
#[derive(Default)]
pub(super) struct Resolved {
    /// One for each item.
    pub(super) targets: Vec<Target>,
    /// One for each item: whose record it belongs to.
    pub(super) subjects: Vec<Option<SubjectId>>,
    /// What the text of a reference becomes.
    pub(super) texts: HashMap<String, String>,
    /// Tokens to keep, so that these names are known from now on; with the item they are of.
    pub(super) sources: Vec<(usize, Token, ObjectId)>,
    /// Item, place in it, rule.
    pub(super) problems: Vec<(usize, String, &'static str)>,
}

impl Resolved {
    /// What breaks a rule is not stored: what refers to it keeps its text.
    fn leave_out_broken(&mut self, items: &[Item]) {
        let mut left_out = HashSet::new();
        for (at, ..) in &self.problems {
            if let (Some(target), Some(item)) = (self.targets.get_mut(*at), items.get(*at)) {
                if let Target::New(object) = target {
                    left_out.insert(format!("{}/{object}", item.kind));
                }
                *target = Target::Broken;
            }
        }
        let broken = |at: &usize| self.targets.get(*at) == Some(&Target::Broken);
        self.sources.retain(|(at, ..)| !broken(at));
        if !left_out.is_empty() {
            self.texts.retain(|_, text| !left_out.contains(text));
        }
    }
}

const SEVERAL: &str = "its identifiers belong to several different people or things here";
const ANOTHER: &str =
    "one of its identifiers belongs to a person of another name or birth date; correct the identifier";
const UNFOUND: &str = "what this identifier means is neither in this import nor known from an earlier one";
const NOBODY: &str = "it names no patient who is in this import or known from an earlier one";

/// Makes the tokens under which names are kept.
pub(super) struct Names<'a> {
    pub(super) fixed: &'a IndexKey,
    pub(super) indexes: &'a [IndexKey],
    pub(super) institution: InstitutionId,
}

impl Names<'_> {
    /// The tokens a name is kept under. A source's own ids hold for one institution. Identifiers of
    /// people with a system hold for everybody, and follow the search index when its key is replaced.
    pub(super) fn tokens(&self, name: &str) -> Vec<Token> {
        match name.strip_prefix("Patient?") {
            Some(identifier) => {
                self.indexes.iter().map(|index| claim(index, identifier, Some(self.institution))).collect()
            }
            None => {
                let text = format!("mimamori:source|{}|{name}", self.institution);
                vec![self.fixed.token(IndexField::Identifier, &text)]
            }
        }
    }
}

/// The token that keeps a person's identifier (`system|value`) from being given to a second person.
/// One without a system means something only at its institution.
pub(crate) fn claim(index: &IndexKey, identifier: &str, institution: Option<InstitutionId>) -> Token {
    let scope = match institution {
        Some(institution) if identifier.starts_with('|') => institution.to_string(),
        _ => String::new(),
    };
    index.token(IndexField::Identifier, &format!("mimamori:person|{scope}|{identifier}"))
}

/// An object here that something sent may be, or may refer to.
struct Here {
    kind: Kind,
    object: ObjectId,
}

impl App {
    /// Finds out what everything becomes. Nothing is changed.
    pub(super) async fn resolve_import(
        &self,
        institution: InstitutionId,
        items: &[Item],
    ) -> Result<Resolved> {
        let indexes = self.keys.index.all();
        let names = Names { fixed: &self.keys.fixed, indexes: &indexes, institution };
        let earlier = self.earlier(&names, items).await?;
        let mut resolved = Resolved::default();
        let mut called: HashMap<&str, (usize, ObjectId)> = HashMap::new();
        let mut kept: HashSet<Token> = HashSet::new();
        for (at, item) in items.iter().enumerate() {
            let before: BTreeSet<ObjectId> =
                item.names.iter().flat_map(|name| earlier.of(name, &item.kind)).collect();
            let here: BTreeSet<(usize, ObjectId)> = item
                .names
                .iter()
                .filter_map(|name| called.get(name.as_str()))
                .filter(|(other, _)| items.get(*other).is_some_and(|other| other.kind == item.kind))
                .copied()
                .collect();
            let objects: BTreeSet<ObjectId> =
                before.iter().copied().chain(here.iter().map(|(_, id)| *id)).collect();
            let mut another = false;
            let mut target = match (objects.first(), objects.len()) {
                (Some(object), 1) => {
                    let by_id = item.names.iter().any(|name| {
                        !name.starts_with("Patient?") && earlier.of(name, &item.kind).next().is_some()
                    });
                    if item.group == Group::Patient && !by_id {
                        let theirs = match here.first() {
                            Some((other, _)) => items.get(*other).map(|other| other.values.clone()),
                            None => self.values_of(SubjectId::from(*object)).await?,
                        };
                        another = theirs.is_some_and(|theirs| !may_be_same_person(&item.values, &theirs));
                    }
                    Target::Known(*object)
                }
                (Some(_), _) => {
                    resolved.problems.push((at, format!("{}.identifier", item.kind), SEVERAL));
                    Target::Broken
                }
                (None, _) => Target::New(match item.group {
                    Group::Record => ObjectId::in_order(),
                    Group::Master | Group::Patient => ObjectId::random(),
                }),
            };
            if another {
                // By none of its names may anything reach the other person.
                resolved.problems.push((at, "Patient.identifier".to_owned(), ANOTHER));
                target = Target::Broken;
            }
            if let Target::New(object) | Target::Known(object) = target {
                for name in &item.names {
                    called.entry(name).or_insert((at, object));
                    for token in names.tokens(name) {
                        if !earlier.tokens.contains(&token) && kept.insert(token) {
                            resolved.sources.push((at, token, object));
                        }
                    }
                }
            }
            resolved.targets.push(target);
        }
        let find = |text: &str| -> Option<Here> {
            let name = name_of(text)?;
            match called.get(name.as_str()) {
                Some((at, object)) => Some(Here { kind: items.get(*at)?.kind.clone(), object: *object }),
                None => earlier.only(&name),
            }
        };
        for item in items {
            for text in &item.references {
                if !resolved.texts.contains_key(text)
                    && let Some(here) = find(text)
                {
                    resolved.texts.insert(text.clone(), format!("{}/{}", here.kind, here.object));
                }
            }
        }
        for (at, item) in items.iter().enumerate() {
            let patient = item.patient.as_ref().and_then(|(_, text)| find(text));
            let subject = match (item.group, patient) {
                (Group::Record, Some(here)) if here.kind == kind::PATIENT => {
                    Some(SubjectId::from(here.object))
                }
                (Group::Record, _) => {
                    let place = item.patient.as_ref().map(|(path, _)| path.clone()).unwrap_or_default();
                    resolved.problems.push((at, place, NOBODY));
                    None
                }
                _ => None,
            };
            for (path, text) in &item.conditional {
                let is_patient = item.patient.as_ref().is_some_and(|(place, _)| place == path);
                if !is_patient && !resolved.texts.contains_key(text) {
                    resolved.problems.push((at, path.clone(), UNFOUND));
                }
            }
            resolved.subjects.push(subject);
        }
        resolved.leave_out_broken(items);
        Ok(resolved)
    }

    /// What earlier imports made of every name that is used, with one question for all.
    async fn earlier(&self, names: &Names<'_>, items: &[Item]) -> Result<Earlier> {
        let mut asked: HashMap<Token, Vec<String>> = HashMap::new();
        let mut people: HashMap<Token, Vec<String>> = HashMap::new();
        let mut seen: HashSet<String> = HashSet::new();
        for item in items {
            let referred = item.references.iter().filter_map(|text| name_of(text));
            for name in item.names.iter().cloned().chain(referred) {
                if !seen.insert(name.clone()) {
                    continue;
                }
                for token in names.tokens(&name) {
                    asked.entry(token).or_default().push(name.clone());
                }
                // Somebody registered by hand has search tokens only.
                if let Some((system, value)) = name.strip_prefix("Patient?").and_then(|id| id.split_once('|'))
                    && !system.is_empty()
                {
                    for index in names.indexes {
                        people.entry(index.identifier(system, value)).or_default().push(name.clone());
                    }
                }
            }
        }
        let mut earlier = Earlier::default();
        let list = asked.keys().map(|token| token.to_vec().into()).collect();
        let rows = self.store.query_many(&sql::SOURCES, Vec::new(), list).await?;
        earlier.add(&asked, &rows, true)?;
        let list = people.keys().map(|token| token.to_vec().into()).collect();
        let field = field_number(IndexField::Identifier).into();
        let rows = self.store.query_many(&sql::PEOPLE_WITH_TOKENS, vec![field], list).await?;
        earlier.add(&people, &rows, false)?;
        let objects: BTreeSet<ObjectId> = earlier.objects.values().flatten().copied().collect();
        let list = objects.into_iter().map(Into::into).collect();
        for row in self.store.query_many(&sql::KINDS, Vec::new(), list).await? {
            let kind = Kind::new(row.text(1).map_err(Error::unavailable)?).map_err(Error::unavailable)?;
            earlier.kinds.insert(row.id_of(0).map_err(Error::unavailable)?, kind);
        }
        Ok(earlier)
    }

    /// A person's searchable values as they are now; none when they were erased.
    async fn values_of(&self, subject: SubjectId) -> Result<Option<SearchValues>> {
        let context = self.subject_context(subject).await?;
        let Some(version) = self.current(ObjectId::from(subject)).await? else { return Ok(None) };
        match open_with(&context.keys, &version) {
            Ok(plain) => crate::people::values_of(&plain).map(Some),
            Err(error) if error.kind() == ErrorKind::Gone => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What is here from before.
#[derive(Default)]
struct Earlier {
    objects: HashMap<String, BTreeSet<ObjectId>>,
    kinds: HashMap<ObjectId, Kind>,
    /// Source tokens that are kept already.
    tokens: HashSet<Token>,
}

impl Earlier {
    fn add(
        &mut self,
        asked: &HashMap<Token, Vec<String>>,
        rows: &[mimamori_store::Row],
        sources: bool,
    ) -> Result<()> {
        for row in rows {
            let token = Token::from_bytes(row.array(0).map_err(Error::unavailable)?);
            let object = row.id_of(1).map_err(Error::unavailable)?;
            if sources {
                self.tokens.insert(token);
            }
            for name in asked.get(&token).into_iter().flatten() {
                self.objects.entry(name.clone()).or_default().insert(object);
            }
        }
        Ok(())
    }

    /// Objects of a kind that go by a name.
    fn of<'a>(&'a self, name: &str, kind: &'a Kind) -> impl Iterator<Item = ObjectId> + 'a {
        let objects = self.objects.get(name).into_iter().flatten().copied();
        objects.filter(move |object| self.kinds.get(object) == Some(kind))
    }

    /// The one object that goes by a name; none when it could be several.
    fn only(&self, name: &str) -> Option<Here> {
        let mut objects = self.objects.get(name)?.iter().filter_map(|object| {
            self.kinds.get(object).map(|kind| Here { kind: kind.clone(), object: *object })
        });
        objects.next().filter(|_| objects.next().is_none())
    }
}

/// Two people never share an identifier that identifies them, but households share insurance
/// numbers: whoever has another birth date or other given names is somebody else.
fn may_be_same_person(one: &SearchValues, other: &SearchValues) -> bool {
    let dates = match (&one.birth_date, &other.birth_date) {
        (Some(one), Some(other)) => one.starts_with(other.as_str()) || other.starts_with(one.as_str()),
        _ => true,
    };
    let (one, other) = (given_names(one), given_names(other));
    dates && (one.is_empty() || other.is_empty() || !one.is_disjoint(&other))
}

fn given_names(values: &SearchValues) -> BTreeSet<String> {
    let given = values.names.iter().flat_map(|name| &name.given);
    given.map(|name| normalise_name(name)).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mimamori_fhir::NameParts;

    fn person(born: &str, given: &[&str]) -> SearchValues {
        let name =
            NameParts { given: given.iter().map(|g| (*g).to_owned()).collect(), ..NameParts::default() };
        SearchValues { birth_date: Some(born.to_owned()), names: vec![name], ..SearchValues::default() }
    }

    #[test]
    fn twins_and_parents_are_other_people() {
        let hana = person("1950-04-01", &["花", "ハナ"]);
        assert!(may_be_same_person(&hana, &person("1950-04", &["はな"])));
        assert!(may_be_same_person(&hana, &person("1950-04-01", &[])));
        assert!(!may_be_same_person(&hana, &person("1950-04-01", &["雪"])));
        assert!(!may_be_same_person(&hana, &person("1980-04-01", &["花"])));
    }
}
