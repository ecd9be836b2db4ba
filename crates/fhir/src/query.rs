//! Search requests (FHIR R4, "Search"), reduced to what is served.
//!
//! Served: `_id`, `_count`, `_cursor`, `_sort`, and the parameters of `data/search.tsv` whose role
//! has a field here. A comma means "or", a repeated parameter means "and". Clinical searches always
//! name their patients.

use crate::date::{Date, Interval};
use crate::issue::{Issue, IssueCode};
use crate::primitive::is_id;
use crate::search::{SearchValues, is_in_compartment};
use crate::tables::tables;

/// How many patients one search may name.
pub const MOST_PATIENTS: usize = 50;
/// The greatest `_count`; more is answered with this many.
pub const MOST_COUNT: usize = 200;
/// `_count` when none is given.
pub const USUAL_COUNT: usize = 50;
/// How many values one parameter, and how many parameters one request may have.
const MOST_VALUES: usize = 100;

/// What to do with parameters that aren't known (FHIR R4, "Handling Errors": `Prefer: handling=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    Strict,
    /// They are listed in [`SearchQuery::ignored`], to be told in the answer.
    Lenient,
}

/// A search that was understood. Values may be personal data, so that `Debug` doesn't show them.
#[derive(Clone, PartialEq, Eq)]
pub struct SearchQuery {
    pub resource_type: &'static str,
    /// Any of these ids; empty for no such condition.
    pub ids: Vec<String>,
    /// Any of these patients (ids), 1 to [`MOST_PATIENTS`] for clinical types; otherwise empty.
    pub patients: Vec<String>,
    /// Each inner list is "any of"; all inner lists must hold.
    pub identifiers: Vec<Vec<Token>>,
    pub codes: Vec<Vec<Token>>,
    pub categories: Vec<Vec<Token>>,
    pub statuses: Vec<Vec<Token>>,
    pub genders: Vec<Vec<Token>>,
    /// All must hold; each is "any of".
    pub names: Vec<NameFilter>,
    /// All must hold.
    pub birth_dates: Vec<DateFilter>,
    pub dates: Vec<DateFilter>,
    /// 1 to [`MOST_COUNT`].
    pub count: usize,
    /// Where an earlier page ended; its meaning is the caller's.
    pub cursor: Option<String>,
    pub sort: Option<Sort>,
    /// Names of parameters that were not understood, under [`Handling::Lenient`].
    pub ignored: Vec<String>,
}

impl std::fmt::Debug for SearchQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SearchQuery({}, {} patients)", self.resource_type, self.patients.len())
    }
}

/// `system|code`, `|code`, `system|` or `code`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// `None`: any system; empty: none.
    pub system: Option<String>,
    /// `None`: any code.
    pub code: Option<String>,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// Whether a code of a system (empty for none) is meant.
    #[must_use]
    pub fn matches(&self, system: &str, code: &str) -> bool {
        self.system.as_deref().is_none_or(|wanted| wanted == system)
            && self.code.as_deref().is_none_or(|wanted| wanted == code)
    }
}

/// Which part of a name is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NamePart {
    /// Family, given or whole.
    Any,
    Family,
    Given,
}

/// The beginning of a name; folding (kana, variants, case) is the index's matter.
#[derive(Clone, PartialEq, Eq)]
pub struct NameFilter {
    pub part: NamePart,
    /// Any of these.
    pub beginnings: Vec<String>,
}

impl std::fmt::Debug for NameFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NameFilter({:?})", self.part)
    }
}

/// The prefixes of dates (FHIR R4, "Prefixes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Prefix {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterOrEqual,
    LessOrEqual,
    StartsAfter,
    EndsBefore,
}

const PREFIXES: &[(&str, Prefix)] = &[
    ("eq", Prefix::Equal),
    ("ne", Prefix::NotEqual),
    ("gt", Prefix::Greater),
    ("lt", Prefix::Less),
    ("ge", Prefix::GreaterOrEqual),
    ("le", Prefix::LessOrEqual),
    ("sa", Prefix::StartsAfter),
    ("eb", Prefix::EndsBefore),
];

/// A condition on a date: the value is the interval `[start, end)` in microseconds UTC, Japan's zone
/// where none was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateFilter {
    pub prefix: Prefix,
    pub start: i64,
    pub end: i64,
}

impl DateFilter {
    /// Whether a resource's interval fits, by FHIR's rules for ranges.
    #[must_use]
    pub const fn matches(&self, (start, end): Interval) -> bool {
        let within = self.start <= start && end <= self.end;
        match self.prefix {
            Prefix::Equal => within,
            Prefix::NotEqual => !within,
            Prefix::Greater => end > self.end,
            Prefix::Less => start < self.start,
            Prefix::GreaterOrEqual => within || end > self.end,
            Prefix::LessOrEqual => within || start < self.start,
            Prefix::StartsAfter => start >= self.end,
            Prefix::EndsBefore => end <= self.start,
        }
    }

    /// An interval that every fitting resource's interval overlaps: to narrow down in an index before
    /// [`DateFilter::matches`] decides.
    #[must_use]
    pub const fn reach(&self) -> Interval {
        match self.prefix {
            Prefix::Equal => (self.start, self.end),
            Prefix::NotEqual => (i64::MIN, i64::MAX),
            Prefix::Greater | Prefix::StartsAfter => (self.end, i64::MAX),
            Prefix::GreaterOrEqual => (self.start, i64::MAX),
            Prefix::Less | Prefix::EndsBefore => (i64::MIN, self.start),
            Prefix::LessOrEqual => (i64::MIN, self.end),
        }
    }
}

/// The order of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sort {
    DateAscending,
    DateDescending,
    UpdatedAscending,
    UpdatedDescending,
}

const SORTS: &[(&str, Sort)] = &[
    ("date", Sort::DateAscending),
    ("-date", Sort::DateDescending),
    ("_lastUpdated", Sort::UpdatedAscending),
    ("-_lastUpdated", Sort::UpdatedDescending),
];

/// Types for which FHIR defines no parameter `date`, and for which we serve one: their own date.
const OWN_DATE: &[&str] = &["Communication", "Condition", "MedicationStatement"];

/// Understood by whoever answers the request, not here.
const OUTSIDE: &[&str] = &["_format", "_pretty"];

impl SearchQuery {
    /// Reads the decoded parameters of a search.
    ///
    /// # Errors
    /// Every issue found: values of no valid form, modifiers and chains (none is served), a clinical
    /// search that names no patient or too many, and under [`Handling::Strict`] unknown parameters.
    pub fn parse(
        resource_type: &str,
        params: &[(String, String)],
        handling: Handling,
    ) -> Result<Self, Vec<Issue>> {
        let Some(kind) = tables().resource(resource_type) else {
            return Err(vec![Issue::error(
                IssueCode::NotSupported,
                "this type of resource is not served here",
            )]);
        };
        let mut query = Self::of(kind.name);
        let mut issues = Vec::new();
        if params.len() > MOST_VALUES {
            return Err(vec![Issue::error(
                IssueCode::TooCostly,
                format!("more than {MOST_VALUES} parameters"),
            )]);
        }
        for (name, value) in params {
            match query.parameter(name, value) {
                Ok(()) => {}
                Err(Problem::Unknown) if handling == Handling::Lenient => query.ignored.push(shown(name)),
                Err(Problem::Unknown) => {
                    issues.push(about(name, IssueCode::NotSupported, "this parameter is not served"))
                }
                Err(Problem::Wrong(code, text)) => issues.push(about(name, code, text)),
            }
        }
        if query.patients.is_empty() && query.is_clinical() && issues.is_empty() {
            let text = "a search of clinical content names its patients: patient=ID[,ID ...]";
            issues.push(Issue::error(IssueCode::Required, text));
        }
        if issues.is_empty() { Ok(query) } else { Err(issues) }
    }

    /// A search of a type without conditions.
    const fn of(resource_type: &'static str) -> Self {
        Self {
            resource_type,
            ids: Vec::new(),
            patients: Vec::new(),
            identifiers: Vec::new(),
            codes: Vec::new(),
            categories: Vec::new(),
            statuses: Vec::new(),
            genders: Vec::new(),
            names: Vec::new(),
            birth_dates: Vec::new(),
            dates: Vec::new(),
            count: USUAL_COUNT,
            cursor: None,
            sort: None,
            ignored: Vec::new(),
        }
    }

    /// Whether resources of this type are part of a patient's record, other than the patient itself.
    #[must_use]
    pub fn is_clinical(&self) -> bool {
        self.resource_type != "Patient" && is_in_compartment(self.resource_type)
    }

    /// Whether what was extracted from a resource fits the conditions on identifiers, codes,
    /// categories, status, gender and dates. Ids, patients and names are decided by indexes.
    #[must_use]
    pub fn matches(&self, values: &SearchValues) -> bool {
        let all = |wanted: &[Vec<Token>], given: &[(String, String)]| {
            wanted.iter().all(|any| given.iter().any(|(s, c)| any.iter().any(|token| token.matches(s, c))))
        };
        let plain = |code: &Option<String>| -> Vec<(String, String)> {
            code.iter().map(|code| (String::new(), code.clone())).collect()
        };
        let dates = |filters: &[DateFilter], interval: Option<Interval>| {
            filters.iter().all(|filter| interval.is_some_and(|interval| filter.matches(interval)))
        };
        let birth = values.birth_date.as_deref().and_then(crate::date_interval);
        all(&self.identifiers, &values.identifiers)
            && all(&self.codes, &values.codes)
            && all(&self.categories, &values.categories)
            && all(&self.statuses, &plain(&values.status))
            && all(&self.genders, &plain(&values.gender))
            && dates(&self.birth_dates, birth)
            && dates(&self.dates, values.date)
    }

    fn parameter(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        if OUTSIDE.contains(&name) {
            return Ok(());
        }
        let (plain, modified) = match name.split_once([':', '.']) {
            Some((plain, _)) => (plain, true),
            None => (name, false),
        };
        let role = self.role(plain).ok_or(Problem::Unknown)?;
        if modified {
            return Err(Problem::Wrong(IssueCode::NotSupported, "modifiers and chains are not served"));
        }
        if value.is_empty() {
            return Err(Problem::Wrong(IssueCode::Value, "a value is expected"));
        }
        match role {
            "_id" => once(&mut self.ids, ids(value, false)?),
            "patient" | "subject" => {
                once(&mut self.patients, ids(value, true)?)?;
                if self.patients.len() > MOST_PATIENTS {
                    return Err(Problem::Wrong(IssueCode::TooCostly, "at most 50 patients"));
                }
                Ok(())
            }
            "identifier" => tokens(value, &mut self.identifiers),
            "code" => tokens(value, &mut self.codes),
            "category" => tokens(value, &mut self.categories),
            "status" => tokens(value, &mut self.statuses),
            "gender" => tokens(value, &mut self.genders),
            "name" => self.name(NamePart::Any, value),
            "family" => self.name(NamePart::Family, value),
            "given" => self.name(NamePart::Given, value),
            "birthdate" => date(value).map(|filter| self.birth_dates.push(filter)),
            "date" => date(value).map(|filter| self.dates.push(filter)),
            "_count" => {
                let count = value.parse::<usize>().ok().filter(|count| *count > 0);
                let problem = Problem::Wrong(IssueCode::Value, "a whole number from 1 to 200 is expected");
                self.count = count.ok_or(problem)?.min(MOST_COUNT);
                Ok(())
            }
            "_cursor" => {
                self.cursor = Some(value.to_owned());
                Ok(())
            }
            "_sort" => {
                let sort = SORTS.iter().find(|(text, _)| *text == value).map(|(_, sort)| *sort);
                let problem = Problem::Wrong(
                    IssueCode::NotSupported,
                    "served orders: date, -date, _lastUpdated, -_lastUpdated",
                );
                let by_date = matches!(sort, Some(Sort::DateAscending | Sort::DateDescending));
                let rows = tables().search_rows(self.resource_type);
                if by_date && !rows.iter().any(|row| row.role == "date") {
                    return Err(Problem::Wrong(IssueCode::NotSupported, "this type has no date to sort by"));
                }
                self.sort = Some(sort.ok_or(problem)?);
                Ok(())
            }
            _ => Err(Problem::Unknown),
        }
    }

    /// What a parameter's name stands for. Of several parameters with one role only the first is
    /// served, because one value of each role is indexed.
    fn role(&self, name: &str) -> Option<&'static str> {
        if let Some(common) = ["_id", "_count", "_cursor", "_sort"].into_iter().find(|common| *common == name)
        {
            return Some(common);
        }
        let rows = tables().search_rows(self.resource_type);
        let row = rows.iter().find(|row| row.parameter == name);
        if let Some(row) = row {
            let first = rows.iter().find(|other| other.role == row.role)?;
            return (first.parameter == name).then_some(row.role);
        }
        (name == "date" && OWN_DATE.contains(&self.resource_type)).then_some("date")
    }

    fn name(&mut self, part: NamePart, value: &str) -> Result<(), Problem> {
        self.names
            .push(NameFilter { part, beginnings: list(value)?.iter().map(|text| unescaped(text)).collect() });
        Ok(())
    }
}

/// The search parameters served for a type with FHIR's kinds of them: `("birthdate", "date")`.
#[must_use]
pub fn served_parameters(resource_type: &str) -> Vec<(&'static str, &'static str)> {
    let Some(kind) = tables().resource(resource_type) else {
        return Vec::new();
    };
    let query = SearchQuery::of(kind.name);
    let mut found = vec![("_id", "token")];
    for row in tables().search_rows(kind.name) {
        if query.role(row.parameter).is_some() && !found.iter().any(|(name, _)| *name == row.parameter) {
            found.push((row.parameter, row.value));
        }
    }
    if OWN_DATE.contains(&kind.name) {
        found.push(("date", "date"));
    }
    found
}

enum Problem {
    Unknown,
    Wrong(IssueCode, &'static str),
}

fn about(name: &str, code: IssueCode, text: &str) -> Issue {
    Issue::error(code, format!("{}: {text}", shown(name)))
}

/// A parameter's name as it may be told: names come from outside.
fn shown(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.:".contains(*c)).take(64).collect()
}

fn once(slot: &mut Vec<String>, values: Vec<String>) -> Result<(), Problem> {
    if !slot.is_empty() {
        return Err(Problem::Wrong(IssueCode::NotSupported, "give it once, with commas between its values"));
    }
    *slot = values;
    Ok(())
}

/// Values between commas that aren't escaped; escapes stay.
fn list(value: &str) -> Result<Vec<&str>, Problem> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut escaped = false;
    for (at, character) in value.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(value.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(value.get(start..).unwrap_or_default());
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Problem::Wrong(IssueCode::Value, "a value is expected"));
    }
    if parts.len() > MOST_VALUES {
        return Err(Problem::Wrong(IssueCode::TooCostly, "at most 100 values"));
    }
    Ok(parts)
}

/// FHIR R4, "Escaping Search Parameters": `\,` `\|` `\$` `\\`.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut escaped = false;
    for character in text.chars() {
        if character == '\\' && !escaped {
            escaped = true;
        } else {
            out.push(character);
            escaped = false;
        }
    }
    out
}

fn ids(value: &str, of_patients: bool) -> Result<Vec<String>, Problem> {
    let problem = || {
        Problem::Wrong(
            IssueCode::Value,
            if of_patients { "ID or Patient/ID is expected" } else { "an id is expected" },
        )
    };
    let mut found: Vec<String> = Vec::new();
    for part in list(value)? {
        let id = if of_patients { part.strip_prefix("Patient/").unwrap_or(part) } else { part };
        if !is_id(id) {
            return Err(problem());
        }
        if !found.iter().any(|other| other == id) {
            found.push(id.to_owned());
        }
    }
    Ok(found)
}

fn tokens(value: &str, slot: &mut Vec<Vec<Token>>) -> Result<(), Problem> {
    let any: Option<Vec<Token>> = list(value)?.into_iter().map(token).collect();
    slot.push(
        any.ok_or(Problem::Wrong(IssueCode::Value, "code, system|code, |code or system| is expected"))?,
    );
    Ok(())
}

fn token(text: &str) -> Option<Token> {
    let mut escaped = false;
    let bar = text.char_indices().find(|(_, character)| {
        let found = *character == '|' && !escaped;
        escaped = *character == '\\' && !escaped;
        found
    });
    let Some((bar, _)) = bar else {
        return Some(Token { system: None, code: Some(unescaped(text)) });
    };
    let (system, code) = (unescaped(text.get(..bar)?), unescaped(text.get(bar + 1..)?));
    if system.is_empty() && code.is_empty() {
        return None;
    }
    Some(Token { system: Some(system), code: (!code.is_empty()).then_some(code) })
}

fn date(value: &str) -> Result<DateFilter, Problem> {
    let expected = "one date is expected: [eq|ne|gt|lt|ge|le|sa|eb]YYYY[-MM[-DD[Thh:mm[:ss][zone]]]]";
    let prefix = PREFIXES.iter().find_map(|(text, prefix)| Some((*prefix, value.strip_prefix(text)?)));
    let (prefix, text) = prefix.unwrap_or((Prefix::Equal, value));
    let (start, end) = Date::read(text).ok_or(Problem::Wrong(IssueCode::Value, expected))?.interval();
    Ok(DateFilter { prefix, start, end })
}
