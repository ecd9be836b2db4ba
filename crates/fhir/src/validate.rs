//! Whether a resource keeps FHIR R4's rules.

use std::collections::{HashMap, HashSet};

use crate::issue::{Issue, IssueCode};
use crate::json::{Kind, Value};
use crate::path::Path;
use crate::primitive::Primitive;
use crate::reference::{PRIMITIVE_ELEMENT, RefKind, ReferenceText};
use crate::resource::{Resource, resource_type_of};
use crate::tables::{Field, Shape, Tables, Type, tables};

/// Nobody reads more.
const MOST_ISSUES: usize = 100;

/// Checks a resource: unknown elements, cardinality, the form of primitives and their extensions,
/// choices of types, references, required bindings, contained resources, modifier extensions (none
/// is understood, so any is refused: FHIR R4, "Extensibility", forbids to ignore one) and the
/// invariants of the table in `invariants.rs`. No issue means that it is valid.
#[must_use]
pub fn validate(resource: &Resource) -> Vec<Issue> {
    let mut walk = Walk {
        tables: tables(),
        path: Path::new(resource.resource_type()),
        issues: Vec::new(),
        scope: Scope::of(resource.root()),
    };
    walk.resource(resource.root(), resource.kind());
    walk.issues.truncate(MOST_ISSUES);
    walk.issues
}

struct Walk<'a> {
    tables: &'static Tables,
    path: Path,
    issues: Vec<Issue>,
    scope: Scope<'a>,
}

/// The resource that holds the contained ones.
struct Scope<'a> {
    /// Its own type.
    kind: &'a str,
    /// Id -> type of what it contains.
    contained: HashMap<&'a str, &'a str>,
    /// Whether we are inside a contained resource.
    inside: bool,
    /// Ids of contained resources that something points to.
    used: HashSet<&'a str>,
}

impl<'a> Scope<'a> {
    fn of(root: Value<'a>) -> Self {
        let contained =
            root.items("contained").filter_map(|c| Some((c.string("id")?, c.string("resourceType")?)));
        Self {
            kind: root.string("resourceType").unwrap_or_default(),
            contained: contained.collect(),
            inside: false,
            used: HashSet::new(),
        }
    }
}

impl<'a> Walk<'a> {
    fn tell(&mut self, code: IssueCode, diagnostics: impl Into<String>) {
        if self.issues.len() < MOST_ISSUES {
            self.issues.push(Issue::error(code, diagnostics).at(self.path.to_string()));
        }
    }

    fn tell_at(&mut self, child: &str, code: IssueCode, diagnostics: impl Into<String>) {
        if self.issues.len() < MOST_ISSUES {
            let place = format!("{}.{child}", self.path);
            self.issues.push(Issue::error(code, diagnostics).at(place));
        }
    }

    fn resource(&mut self, value: Value<'a>, kind: &'static Type) {
        self.object(value, kind);
        let mut ids = HashSet::new();
        for (at, contained) in value.items("contained").enumerate() {
            let place = format!("contained[{at}]");
            let Some(id) = contained.string("id") else {
                self.tell_at(&place, IssueCode::Required, "a contained resource needs an id");
                continue;
            };
            if !ids.insert(id) {
                self.tell_at(&place, IssueCode::Duplicate, "two contained resources with one id");
            }
            if !self.scope.used.contains(id) && !points_to_container(contained) {
                self.tell_at(
                    &place,
                    IssueCode::Invariant,
                    "dom-3: nothing refers to this contained resource",
                );
            }
            let meta = contained.get("meta");
            if meta.is_some_and(|m| m.get("versionId").is_some() || m.get("lastUpdated").is_some()) {
                self.tell_at(
                    &place,
                    IssueCode::Invariant,
                    "dom-4: a contained resource has no version of its own",
                );
            }
            if meta.is_some_and(|m| m.get("security").is_some()) {
                self.tell_at(
                    &place,
                    IssueCode::Invariant,
                    "dom-5: a contained resource has no security label",
                );
            }
        }
    }

    fn object(&mut self, value: Value<'a>, kind: &'static Type) {
        if value.is_empty() {
            self.tell(IssueCode::Structure, "an object may not be empty");
            return;
        }
        let mut seen: u128 = 0;
        for member in value.children() {
            let key = member.key().unwrap_or_default();
            let (name, beside) = match key.strip_prefix('_') {
                Some(name) => (name, true),
                None => (key, false),
            };
            if kind.is_resource() && key == "resourceType" {
                continue;
            }
            let field = kind.field(name).filter(|field| !beside || self.primitive(field).is_some());
            let Some(field) = field else {
                self.unknown(key);
                continue;
            };
            let again = seen & field.bit != 0 && field.choice.is_some();
            if again && has_other_choice(value, kind, field) {
                self.tell_at(field.element, IssueCode::Structure, "only one of the types may be given");
            }
            seen |= field.bit;
            if beside {
                self.beside(value, member, field);
            } else {
                self.member(value, member, field);
            }
        }
        if kind.required & !seen != 0 {
            self.missing(kind, seen);
        }
        for invariant in &kind.invariants {
            if !(invariant.holds)(value) {
                self.tell(IssueCode::Invariant, format!("{}: {}", invariant.key, invariant.rule));
            }
        }
    }

    fn primitive(&self, field: &Field) -> Option<Primitive> {
        match self.tables.kind(field.kind)?.shape {
            Shape::Primitive(primitive) => Some(primitive),
            _ => None,
        }
    }

    fn missing(&mut self, kind: &'static Type, seen: u128) {
        let mut told: u128 = seen;
        for field in &kind.fields {
            if kind.required & field.bit & !told != 0 {
                told |= field.bit;
                self.tell_at(field.element, IssueCode::Required, "this element is required");
            }
        }
    }

    /// An unknown name is shown only when it looks like one: it may be anything.
    fn unknown(&mut self, key: &str) {
        let shown =
            key.len() <= 64 && !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let text = "FHIR R4 has no such element here";
        if shown {
            self.tell_at(key, IssueCode::Structure, text)
        } else {
            self.tell(IssueCode::Structure, text)
        }
    }

    fn member(&mut self, owner: Value<'a>, member: Value<'a>, field: &'static Field) {
        if !field.many {
            if member.kind() == Kind::Array {
                self.path.push(field, None);
                self.tell(IssueCode::Structure, "at most one is allowed: no array");
                self.path.pop();
            } else {
                self.single(member, field, None);
            }
            return;
        }
        if member.kind() != Kind::Array {
            self.tell_at(
                field.element,
                IssueCode::Structure,
                "this element may repeat: an array is expected",
            );
            return;
        }
        if member.is_empty() {
            self.tell_at(field.element, IssueCode::Structure, "an array may not be empty");
        }
        let may_be_null = self.primitive(field).is_some();
        let beside = may_be_null.then(|| owner.get(&format!("_{}", field.name))).flatten();
        let mut beside = beside.into_iter().flat_map(Value::children);
        for (at, item) in member.children().enumerate() {
            let extended = beside.next().is_some_and(|b| b.kind() == Kind::Object);
            if item.kind() != Kind::Null || !may_be_null {
                self.single(item, field, Some(at));
            } else if !extended {
                self.path.push(field, Some(at));
                self.tell(IssueCode::Structure, "null only stands for a value that has an extension instead");
                self.path.pop();
            }
        }
    }

    /// `_name`: id and extensions of a primitive, aligned with its values.
    fn beside(&mut self, owner: Value<'a>, member: Value<'a>, field: &'static Field) {
        let values = owner.get(&field.name);
        if !field.many {
            self.path.push(field, None);
            self.primitive_element(member, values.is_some());
            self.path.pop();
            return;
        }
        if member.kind() != Kind::Array || member.is_empty() {
            self.tell_at(
                field.element,
                IssueCode::Structure,
                "the extensions of a repeating element are an array",
            );
            return;
        }
        if values.is_some_and(|v| v.children().count() != member.children().count()) {
            self.tell_at(
                field.element,
                IssueCode::Structure,
                "values and extensions must be aligned: fill with null",
            );
        }
        let mut given = values.into_iter().flat_map(Value::children);
        for (at, item) in member.children().enumerate() {
            let has_value = given.next().is_some_and(|v| v.kind() != Kind::Null);
            // Without values at all there is nothing that null could stand beside.
            if item.kind() != Kind::Null || values.is_none() {
                self.path.push(field, Some(at));
                self.primitive_element(item, has_value);
                self.path.pop();
            }
        }
    }

    fn primitive_element(&mut self, value: Value<'a>, has_value: bool) {
        let element = self.tables.names.get(PRIMITIVE_ELEMENT).and_then(|id| self.tables.kind(*id));
        let Some(element) = element.filter(|_| value.kind() == Kind::Object) else {
            self.tell(IssueCode::Structure, "an object with id or extension is expected");
            return;
        };
        self.object(value, element);
        if !has_value && value.get("extension").is_none() {
            self.tell(IssueCode::Invariant, "ele-1: there must be a value or an extension");
        }
    }

    fn single(&mut self, value: Value<'a>, field: &'static Field, index: Option<usize>) {
        let Some(kind) = self.tables.kind(field.kind) else {
            return;
        };
        self.path.push(field, index);
        match kind.shape {
            Shape::Primitive(primitive) => self.value(value, primitive, field),
            _ if value.kind() != Kind::Object => self.tell(IssueCode::Structure, "an object is expected"),
            Shape::AnyResource => self.inner_resource(value, field),
            _ => {
                self.object(value, kind);
                self.special(value, kind, field);
            }
        }
        self.path.pop();
    }

    fn value(&mut self, value: Value<'a>, primitive: Primitive, field: &'static Field) {
        if !primitive.accepts(value) {
            let code = if value.kind() == primitive.json() { IssueCode::Value } else { IssueCode::Structure };
            self.tell(code, primitive.expected());
            return;
        }
        let text = value.text().unwrap_or_default();
        if field.binding.is_some_and(|binding| !binding.has_code(text)) {
            self.unbound(field);
        }
        if field.element == "implicitRules" {
            self.tell(IssueCode::NotSupported, "rules named here are not understood, and may not be ignored");
        }
        let is_link = matches!(primitive, Primitive::Uri | Primitive::Url | Primitive::Canonical);
        if let Some(id) = text.strip_prefix('#').filter(|_| is_link) {
            self.scope.used.insert(id);
        }
    }

    fn unbound(&mut self, field: &'static Field) {
        let name = field.binding.map_or("", |binding| binding.name);
        self.tell(IssueCode::CodeInvalid, format!("a code of FHIR's value set {name} is required"));
    }

    /// What depends on the element as well as on its type.
    fn special(&mut self, value: Value<'a>, kind: &'static Type, field: &'static Field) {
        match kind.name {
            "Reference" => self.reference(value, field),
            "Extension" if field.element == "modifierExtension" => {
                self.tell(
                    IssueCode::Extension,
                    "this modifier extension is not understood, and may not be ignored",
                );
            }
            "CodeableConcept" | "Coding" => {
                let Some(binding) = field.binding else { return };
                let bound = |coding: Value<'_>| {
                    let system = coding.string("system").unwrap_or_default();
                    coding.string("code").is_some_and(|code| binding.has_coding(system, code))
                };
                let found =
                    if kind.name == "Coding" { bound(value) } else { value.items("coding").any(bound) };
                if !found {
                    self.unbound(field);
                }
            }
            _ => {}
        }
    }

    fn reference(&mut self, value: Value<'a>, field: &'static Field) {
        let mut target = None;
        if let Some(text) = value.string("reference") {
            let Some(parsed) = ReferenceText::parse(text) else {
                self.tell_at(
                    "reference",
                    IssueCode::Value,
                    "Type/id, an absolute URL, urn:uuid:, urn:oid: or #id is expected",
                );
                return;
            };
            target = parsed.resource_type;
            match parsed.kind {
                RefKind::Contained => {
                    let id = parsed.id.unwrap_or_default();
                    self.scope.used.insert(id);
                    let found = self.scope.contained.get(id).copied();
                    target = if id.is_empty() { Some(self.scope.kind) } else { found };
                    if target.is_none() {
                        self.tell(IssueCode::Invariant, "ref-1: there is no contained resource with this id");
                    }
                }
                RefKind::Conditional => {
                    self.tell_at(
                        "reference",
                        IssueCode::Processing,
                        "a conditional reference was not resolved",
                    );
                }
                _ => {}
            }
        }
        let stated = value.string("type");
        if let (Some(target), Some(stated)) = (target, stated)
            && target != stated
        {
            self.tell_at("type", IssueCode::Value, "reference and type name different types of resource");
        }
        if let Some(target) = target.or(stated)
            && !field.targets.is_empty()
            && !field.targets.contains(&target)
        {
            self.tell(IssueCode::Value, format!("a reference to {} is expected", field.targets.join(", ")));
        }
    }

    fn inner_resource(&mut self, value: Value<'a>, field: &'static Field) {
        let kind = match resource_type_of(value) {
            Ok(kind) => kind,
            Err(issue) => {
                self.tell(issue.code, issue.diagnostics);
                return;
            }
        };
        if field.element == "contained" {
            if self.scope.inside {
                self.tell(IssueCode::Invariant, "dom-2: contained resources contain no others");
                return;
            }
            self.scope.inside = true;
            self.object(value, kind);
            self.scope.inside = false;
        } else {
            // An entry of a bundle or a parameter: contained ids are its own.
            let inner = Scope::of(value);
            let outer = std::mem::replace(&mut self.scope, inner);
            self.resource(value, kind);
            self.scope = outer;
        }
    }
}

/// Whether an element was given in another type than this field's.
fn has_other_choice(owner: Value<'_>, kind: &Type, field: &Field) -> bool {
    owner.children().any(|member| {
        let key = member.key().unwrap_or_default();
        let other = kind.field(key.strip_prefix('_').unwrap_or(key));
        other.is_some_and(|other| other.bit == field.bit && other.name != field.name)
    })
}

/// Whether a contained resource refers to the one that contains it (then nothing need refer to it).
fn points_to_container(value: Value<'_>) -> bool {
    value.children().any(|member| {
        member.key() == Some("reference") && member.text() == Some("#")
            || matches!(member.kind(), Kind::Object | Kind::Array) && points_to_container(member)
    })
}
