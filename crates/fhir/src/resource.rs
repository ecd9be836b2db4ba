//! A resource as received: its bytes, unchanged, and an index over them.

use std::fmt;

use crate::issue::{Issue, IssueCode};
use crate::json::{Index, Kind, Limits, Value};
use crate::tables::{Type, tables};

/// A resource that was read. Its bytes are kept exactly as they came.
pub struct Resource {
    source: String,
    index: Index,
    kind: &'static Type,
}

/// Content is personal data and never shown here.
impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resource({}, {} bytes)", self.kind.name, self.source.len())
    }
}

/// Reads a resource from FHIR JSON (FHIR R4, "JSON Representation of Resources").
///
/// Strict: UTF-8 without a byte order mark, no duplicate names, nothing over the limits, a served
/// `resourceType`. What it contains is not yet checked; see [`validate`](crate::validate).
///
/// # Errors
/// The issues found; those of syntax carry their position.
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Resource, Vec<Issue>> {
    let (source, index) = Index::read(bytes, limits).map_err(|issue| vec![issue])?;
    let kind = resource_type_of(index.root(source)).map_err(|issue| vec![issue])?;
    Ok(Resource { source: source.to_owned(), index, kind })
}

/// The served type of an object that should be a resource.
pub(crate) fn resource_type_of(value: Value<'_>) -> Result<&'static Type, Issue> {
    if value.kind() != Kind::Object {
        return Err(Issue::error(IssueCode::Structure, "a resource is a JSON object"));
    }
    let Some(name) = value.string("resourceType") else {
        return Err(Issue::error(
            IssueCode::Structure,
            "a resource has a member resourceType that is a string",
        ));
    };
    tables().resource(name).ok_or_else(|| {
        if tables().resource_types.contains(name) {
            Issue::error(IssueCode::NotSupported, "this type of resource is not served here")
        } else {
            Issue::error(IssueCode::NotSupported, "FHIR R4 has no such type of resource")
        }
    })
}

impl Resource {
    /// `Patient`, `Observation` ...
    #[must_use]
    pub const fn resource_type(&self) -> &'static str {
        self.kind.name
    }

    /// The received bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        self.source.as_bytes()
    }

    /// The received bytes, taken out.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.source.into_bytes()
    }

    /// The resource as a JSON object.
    #[must_use]
    pub fn root(&self) -> Value<'_> {
        self.index.root(&self.source)
    }

    /// The `id` that the sender gave it.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.root().string("id")
    }

    pub(crate) const fn kind(&self) -> &'static Type {
        self.kind
    }
}

/// The resource types served, in alphabetical order.
#[must_use]
pub fn served_types() -> &'static [&'static str] {
    &tables().served
}
