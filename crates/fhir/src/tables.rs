//! FHIR R4's definitions, read once from the lines in `data/` (made by `tools/fhir-tables`).

use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

use crate::invariants::{INVARIANTS, Invariant};
use crate::primitive::Primitive;

const ELEMENTS: &str = include_str!("../data/elements.tsv");
const BINDINGS: &str = include_str!("../data/bindings.tsv");
const PRIMITIVES: &str = include_str!("../data/primitives.tsv");
const SEARCH: &str = include_str!("../data/search.tsv");

/// The index of a type in [`Tables::types`].
pub(crate) type TypeId = usize;

/// Stands for "any resource" (`Bundle.entry.resource`, `contained`).
pub(crate) const ANY_RESOURCE: &str = "Resource";

#[derive(Debug)]
pub(crate) struct Tables {
    pub types: Vec<Type>,
    pub names: HashMap<&'static str, TypeId>,
    /// Served resource types, in alphabetical order.
    pub served: Vec<&'static str>,
    /// Every resource type that FHIR R4 defines.
    pub resource_types: BTreeSet<&'static str>,
    pub search: Vec<SearchRow>,
    /// Type -> its rows in `search`.
    pub search_of: HashMap<&'static str, std::ops::Range<usize>>,
}

#[derive(Debug)]
pub(crate) struct Type {
    /// `Observation`, `Quantity`, or a path for what has no name: `Observation.component`.
    pub name: &'static str,
    pub shape: Shape,
    /// Sorted as [`Field::order`] says.
    pub fields: Vec<Field>,
    /// Bits of the elements that must be there.
    pub required: u128,
    pub invariants: Vec<&'static Invariant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Primitive(Primitive),
    Object,
    Resource,
    AnyResource,
}

#[derive(Debug)]
pub(crate) struct Field {
    /// The JSON name: `valueQuantity`.
    pub name: Box<str>,
    /// The element's name: `value`.
    pub element: &'static str,
    /// Which element of its type it is; all types of one choice share it.
    pub bit: u128,
    /// The chosen type's name, for elements with a choice of types.
    pub choice: Option<&'static str>,
    pub kind: TypeId,
    /// Repeats, so that it is an array in JSON.
    pub many: bool,
    /// What a reference may point to; empty for anything.
    pub targets: Vec<&'static str>,
    /// A required binding.
    pub binding: Option<&'static Binding>,
}

/// A value set to which an element is bound with strength "required".
#[derive(Debug, Default)]
pub(crate) struct Binding {
    pub name: &'static str,
    systems: Vec<(&'static str, Vec<&'static str>)>,
}

impl Binding {
    pub(crate) fn has_code(&self, code: &str) -> bool {
        self.systems.iter().any(|(_, codes)| codes.contains(&code))
    }

    pub(crate) fn has_coding(&self, system: &str, code: &str) -> bool {
        self.systems.iter().any(|(own, codes)| *own == system && codes.contains(&code))
    }
}

/// One line of `search.tsv`.
#[derive(Debug)]
pub(crate) struct SearchRow {
    pub kind: &'static str,
    pub role: &'static str,
    pub parameter: &'static str,
    /// token, date, string or reference.
    pub value: &'static str,
    pub paths: Vec<Vec<&'static str>>,
}

impl Field {
    /// Shorter names first: most comparisons then end at the length.
    fn order(one: &str, other: &str) -> std::cmp::Ordering {
        one.len().cmp(&other.len()).then_with(|| one.cmp(other))
    }
}

impl Type {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by(|field| Field::order(&field.name, name)).ok()?;
        self.fields.get(at)
    }

    pub(crate) const fn is_resource(&self) -> bool {
        matches!(self.shape, Shape::Resource)
    }
}

impl Tables {
    pub(crate) fn kind(&self, id: TypeId) -> Option<&Type> {
        self.types.get(id)
    }

    /// A served resource type.
    pub(crate) fn resource(&self, name: &str) -> Option<&Type> {
        self.kind(*self.names.get(name)?).filter(|kind| kind.is_resource())
    }

    pub(crate) fn search_rows(&self, kind: &str) -> &[SearchRow] {
        self.search_of.get(kind).and_then(|range| self.search.get(range.clone())).unwrap_or_default()
    }
}

/// The tables, read at their first use.
pub(crate) fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(read)
}

fn bindings() -> &'static HashMap<&'static str, Binding> {
    static FOUND: OnceLock<HashMap<&'static str, Binding>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut found: HashMap<&'static str, Binding> = HashMap::new();
        for cells in rows(BINDINGS) {
            let [name, system, codes] = cells.as_slice() else {
                continue;
            };
            let binding = found.entry(name).or_default();
            binding.name = name;
            binding.systems.push((system, codes.split('|').collect()));
        }
        found
    })
}

/// The cells of a table's lines, comments left out.
pub(crate) fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split('\t').collect())
}

fn read() -> Tables {
    let mut types: Vec<Type> = Vec::new();
    let mut names: HashMap<&'static str, TypeId> = HashMap::new();
    let mut add = |name: &'static str, shape: Shape| {
        names.insert(name, types.len());
        let invariants = INVARIANTS.iter().filter(|i| i.on == name).collect();
        types.push(Type { name, shape, fields: Vec::new(), required: 0, invariants });
    };
    add(ANY_RESOURCE, Shape::AnyResource);
    for cells in rows(PRIMITIVES) {
        if let Some((name, shape)) = cells.first().and_then(|n| Some((*n, Primitive::named(n)?))) {
            add(name, Shape::Primitive(shape));
        }
    }
    // First the names of all types, among them the elements that have elements of their own ...
    for cells in rows(ELEMENTS) {
        match cells.as_slice() {
            [name, "resource"] => add(name, Shape::Resource),
            [name, "datatype"] | [name, _, "BackboneElement" | "Element", ..] => add(name, Shape::Object),
            _ => {}
        }
    }
    // ... then their elements.
    for cells in rows(ELEMENTS) {
        if let [path, cardinality, kinds, notes] = cells.as_slice() {
            add_element(&mut types, &names, path, cardinality, kinds, notes);
        }
    }
    for kind in &mut types {
        kind.fields.sort_by(|a, b| Field::order(&a.name, &b.name));
    }
    let mut served: Vec<_> = types.iter().filter(|t| t.is_resource()).map(|t| t.name).collect();
    served.sort_unstable();
    let resource_types = bindings()
        .get("resource-types")
        .map(|b| b.systems.iter().flat_map(|(_, codes)| codes.iter().copied()).collect())
        .unwrap_or_default();
    let search: Vec<SearchRow> = rows(SEARCH).filter_map(|cells| search_row(&cells)).collect();
    let mut search_of: HashMap<&'static str, std::ops::Range<usize>> = HashMap::new();
    for (at, row) in search.iter().enumerate() {
        search_of.entry(row.kind).or_insert(at..at).end = at + 1;
    }
    Tables { types, names, served, resource_types, search, search_of }
}

fn search_row(cells: &[&'static str]) -> Option<SearchRow> {
    let [kind, role, parameter, value, paths] = cells else {
        return None;
    };
    let paths = paths.split('|').map(|path| path.split('.').collect()).collect();
    Some(SearchRow { kind, role, parameter, value, paths })
}

fn add_element(
    types: &mut [Type],
    names: &HashMap<&'static str, TypeId>,
    path: &'static str,
    cardinality: &str,
    kinds: &'static str,
    notes: &'static str,
) {
    let Some((owner, name)) = path.rsplit_once('.') else {
        return;
    };
    let Some(owner) = names.get(owner).and_then(|id| types.get_mut(*id)) else {
        return;
    };
    let (min, max) = cardinality.split_once("..").unwrap_or(("0", "*"));
    let element = name.strip_suffix("[x]").unwrap_or(name);
    let ordinal = owner.fields.iter().map(|f| f.bit.trailing_zeros() + 1).max().unwrap_or(0);
    let bit = 1u128.checked_shl(ordinal).unwrap_or(0);
    if min != "0" {
        owner.required |= bit;
    }
    let binding = notes
        .split(' ')
        .find_map(|note| note.strip_prefix("required="))
        .and_then(|name| bindings().get(name));
    for kind in kinds.split('|') {
        let (kind, targets) = match kind.split_once('(') {
            Some((kind, targets)) => (kind, targets.trim_end_matches(')').split(',').collect()),
            None => (kind, Vec::new()),
        };
        let choice = (element != name).then_some(kind);
        let json_name = match choice {
            Some(kind) => format!(
                "{element}{}{}",
                kind.get(..1).unwrap_or_default().to_ascii_uppercase(),
                kind.get(1..).unwrap_or_default()
            ),
            None => element.to_owned(),
        };
        let target = match kind {
            "BackboneElement" | "Element" => path,
            _ => kind.strip_prefix('@').unwrap_or(kind),
        };
        let Some(kind) = names.get(target).copied() else {
            continue;
        };
        owner.fields.push(Field {
            name: json_name.into(),
            element,
            bit,
            choice,
            kind,
            many: max != "1",
            targets,
            binding,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_tables_is_understood() {
        let tables = tables();
        for cells in rows(ELEMENTS) {
            let [path, _, kinds, notes] = cells.as_slice() else {
                continue;
            };
            let (owner, name) = path.rsplit_once('.').unwrap();
            let owner = &tables.types[tables.names[owner]];
            let element = name.trim_end_matches("[x]");
            let found = owner.fields.iter().filter(|f| f.element == element).count();
            assert_eq!(found, kinds.split('|').count(), "{path}");
            let field = owner.fields.iter().find(|f| f.element == element).unwrap();
            assert_eq!(field.bit.count_ones(), 1, "{path}: more elements than bits");
            let unlisted = ["mimetypes", "currencies"].iter().any(|n| notes.ends_with(n));
            assert_eq!(field.binding.is_some(), notes.contains("required=") && !unlisted, "{path}");
        }
        for cells in rows(PRIMITIVES) {
            assert!(Primitive::named(cells[0]).is_some(), "{}", cells[0]);
        }
        for row in &tables.search {
            assert!(tables.resource(row.kind).is_some());
            assert!(["token", "date", "string", "reference"].contains(&row.value));
        }
        assert_eq!(rows(SEARCH).count(), tables.search.len());
    }

    #[test]
    fn every_invariant_stands_on_a_known_type() {
        let tables = tables();
        for invariant in INVARIANTS {
            assert!(tables.names.contains_key(invariant.on), "{} on {}", invariant.key, invariant.on);
        }
    }

    #[test]
    fn choices_and_content_references_are_resolved() {
        let tables = tables();
        let observation = tables.resource("Observation").unwrap();
        assert_eq!(observation.field("valueQuantity").unwrap().element, "value");
        assert!(observation.field("value").is_none());
        let component = &tables.types[observation.field("component").unwrap().kind];
        let range = component.field("referenceRange").unwrap();
        assert_eq!(tables.types[range.kind].name, "Observation.referenceRange");
        assert!(tables.resource("Quantity").is_none());
    }
}
