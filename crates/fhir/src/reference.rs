//! References between resources (FHIR R4, "Resource References").

use crate::issue::Issue;
use crate::json::{Index, Kind, Limits, Value};
use crate::path::Path;
use crate::primitive::is_id;
use crate::resource::{Resource, resource_type_of};
use crate::tables::{ANY_RESOURCE, Shape, Type, tables};
use crate::write;

/// The form of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefKind {
    /// `Patient/123`, perhaps with a version.
    Relative,
    /// `https://example.jp/fhir/Patient/123`.
    Absolute,
    /// `urn:uuid:...` or `urn:oid:...`.
    Urn,
    /// `#p1`, or `#` for the containing resource.
    Contained,
    /// `Patient?identifier=...`: only inside a bundle that is being imported.
    Conditional,
    /// No text, but an `identifier` of what is meant.
    Identifier,
}

/// A reference in a resource.
#[derive(Clone, PartialEq, Eq)]
pub struct RefAt {
    /// Where, as a FHIRPath of the Reference: `Observation.subject`.
    pub path: String,
    /// The reference's text; the identifier as `system|value` for [`RefKind::Identifier`].
    pub text: String,
    pub kind: RefKind,
    /// The type it points to, when it says so (by its text or by `Reference.type`).
    pub resource_type: Option<String>,
    /// The id it points to, for relative and absolute references.
    pub id: Option<String>,
}

/// Whom a reference names is personal data: only its place is shown.
impl std::fmt::Debug for RefAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RefAt({}, {:?})", self.path, self.kind)
    }
}

/// The text of a reference, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceText<'a> {
    pub kind: RefKind,
    pub resource_type: Option<&'a str>,
    pub id: Option<&'a str>,
    pub version: Option<&'a str>,
}

impl<'a> ReferenceText<'a> {
    /// Takes a reference's text apart; `None` when it is of no valid form.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let of = |kind| Self { kind, resource_type: None, id: None, version: None };
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return None;
        }
        if let Some(id) = text.strip_prefix('#') {
            return (id.is_empty() || is_id(id)).then_some(Self { id: Some(id), ..of(RefKind::Contained) });
        }
        if text.starts_with("urn:") {
            return (text.starts_with("urn:uuid:") || text.starts_with("urn:oid:"))
                .then_some(of(RefKind::Urn));
        }
        if let Some((kind, query)) = text.split_once('?').filter(|(kind, _)| !kind.contains("://")) {
            let known = tables().resource_types.contains(kind) && !query.is_empty();
            return known.then_some(Self { resource_type: Some(kind), ..of(RefKind::Conditional) });
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let web = scheme == "http" || scheme == "https";
            return (web && !rest.is_empty()).then(|| {
                let found = rest.split_once('/').and_then(|(_, path)| ending(path));
                found.map_or(of(RefKind::Absolute), |found| Self { kind: RefKind::Absolute, ..found })
            });
        }
        let depth = text.split('/').count();
        ending(text).filter(|found| depth == if found.version.is_some() { 4 } else { 2 })
    }
}

/// `[...]Type/id[/_history/version]` at the end of a path.
fn ending(path: &str) -> Option<ReferenceText<'_>> {
    let mut parts = path.rsplit('/');
    let mut id = parts.next()?;
    let mut kind = parts.next()?;
    let mut version = None;
    if kind == "_history" {
        version = Some(id);
        id = parts.next()?;
        kind = parts.next()?;
    }
    let valid = tables().resource_types.contains(kind) && is_id(id) && version.is_none_or(is_id);
    valid.then_some(ReferenceText {
        kind: RefKind::Relative,
        resource_type: Some(kind),
        id: Some(id),
        version,
    })
}

/// Every reference of a resource (those of contained resources and bundle entries too), each before
/// those inside it. References whose text has no valid form are left to
/// [`validate`](crate::validate).
#[must_use]
pub fn references(resource: &Resource) -> Vec<RefAt> {
    let mut found = Vec::new();
    let mut path = Path::new(resource.resource_type());
    each_reference(resource.root(), resource.kind(), &mut path, &mut |reference, path| {
        found.extend(reference_at(reference, path.to_string()));
    });
    found
}

/// What a Reference object says.
pub(crate) fn reference_at(reference: Value<'_>, path: String) -> Option<RefAt> {
    let stated = reference.string("type").map(str::to_owned);
    if let Some(text) = reference.string("reference") {
        let parsed = ReferenceText::parse(text)?;
        return Some(RefAt {
            path,
            text: text.to_owned(),
            kind: parsed.kind,
            resource_type: parsed.resource_type.map(str::to_owned).or(stated),
            id: parsed.id.filter(|_| parsed.kind != RefKind::Contained).map(str::to_owned),
        });
    }
    let identifier = reference.get("identifier")?;
    let (system, value) = (identifier.string("system").unwrap_or_default(), identifier.string("value")?);
    let text = format!("{system}|{value}");
    Some(RefAt { path, text, kind: RefKind::Identifier, resource_type: stated, id: None })
}

/// Replaces the texts of references for which `replace` gives another, and leaves every other byte
/// as it is. Used when an import gives resources new ids.
///
/// # Errors
/// When the bytes are no resource.
pub fn rewrite_references(
    bytes: &[u8],
    replace: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<u8>, Vec<Issue>> {
    let (source, index) = Index::read(bytes, &Limits::stored()).map_err(|issue| vec![issue])?;
    let root = index.root(source);
    let kind = resource_type_of(root).map_err(|issue| vec![issue])?;
    let mut edits = Vec::new();
    each_reference(root, kind, &mut Path::new(kind.name), &mut |reference, _| {
        let Some(value) = reference.get("reference") else {
            return;
        };
        if let Some(text) = value.text().and_then(replace) {
            edits.push((value.span(), write::quoted(&text)));
        }
    });
    Ok(write::splice(bytes, edits))
}

/// Calls `visit` with every object of type Reference.
fn each_reference<'a>(
    object: Value<'a>,
    kind: &'static Type,
    path: &mut Path,
    visit: &mut impl FnMut(Value<'a>, &Path),
) {
    if kind.name == "Reference" {
        visit(object, path);
    }
    for member in object.children() {
        let Some(field) = member.key().and_then(|key| kind.field(key.strip_prefix('_').unwrap_or(key)))
        else {
            continue;
        };
        let Some(mut inner) = tables().kind(field.kind) else {
            continue;
        };
        if matches!(inner.shape, Shape::Primitive(_)) {
            // A primitive's own members can only be extensions.
            let Some(element) = tables().names.get(PRIMITIVE_ELEMENT).and_then(|id| tables().kind(*id))
            else {
                continue;
            };
            inner = element;
        }
        for (at, value) in member.each().enumerate() {
            if value.kind() != Kind::Object {
                continue;
            }
            let inner = if inner.name == ANY_RESOURCE {
                let Ok(kind) = resource_type_of(value) else {
                    continue;
                };
                kind
            } else {
                inner
            };
            path.push(field, field.many.then_some(at));
            each_reference(value, inner, path, visit);
            path.pop();
        }
    }
}

/// The datatype whose members (`id`, `extension`) are exactly those a primitive may have beside it.
pub(crate) const PRIMITIVE_ELEMENT: &str = "Element";
