//! Bundles: read entry by entry without copying resources, written around resources that are ready.

use mimamori_domain::Timestamp;

use crate::issue::{Issue, IssueCode};
use crate::json::{Index, Kind, Limits, Value};
use crate::write::Json;

/// A Bundle that was read; the bytes stay where they are.
#[derive(Debug)]
pub struct BundleReader<'a> {
    source: &'a str,
    index: Index,
}

/// One entry of a Bundle.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Counted from 0.
    pub position: usize,
    pub full_url: Option<&'a str>,
    /// The resource's bytes, as they stand in the bundle.
    pub resource: Option<&'a [u8]>,
    pub resource_type: Option<&'a str>,
    /// `request.method`: GET, POST, PUT ...
    pub method: Option<&'a str>,
    /// `request.url`: `Patient`, `Observation?patient=...`.
    pub url: Option<&'a str>,
    pub if_none_exist: Option<&'a str>,
    pub if_match: Option<&'a str>,
    pub if_none_match: Option<&'a str>,
}

impl std::fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Entry({}, {:?} {:?})", self.position, self.method, self.resource_type)
    }
}

impl<'a> BundleReader<'a> {
    /// Reads a Bundle's frame. Its resources are not yet checked, so that one bad entry of a batch
    /// doesn't refuse the others: give each to [`parse`](crate::parse).
    ///
    /// # Errors
    /// Not JSON, over the limits, no Bundle, or entries that are no objects.
    pub fn open(bytes: &'a [u8], limits: &Limits) -> Result<Self, Vec<Issue>> {
        let (source, index) = Index::read(bytes, limits).map_err(|issue| vec![issue])?;
        let root = index.root(source);
        if root.string("resourceType") != Some("Bundle") {
            return Err(vec![Issue::error(IssueCode::Structure, "a Bundle is expected").at("Bundle")]);
        }
        if root.string("type").is_none() {
            return Err(vec![
                Issue::error(IssueCode::Required, "this element is required").at("Bundle.type"),
            ]);
        }
        if let Some(entries) = root.get("entry")
            && (entries.kind() != Kind::Array || entries.children().any(|entry| entry.kind() != Kind::Object))
        {
            return Err(vec![
                Issue::error(IssueCode::Structure, "an array of objects is expected").at("Bundle.entry"),
            ]);
        }
        Ok(Self { source, index })
    }

    fn root(&self) -> Value<'_> {
        self.index.root(self.source)
    }

    /// `batch`, `transaction`, `searchset` ...
    #[must_use]
    pub fn kind(&self) -> &str {
        self.root().string("type").unwrap_or_default()
    }

    /// The entries in their order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.root().items("entry").enumerate().map(|(position, entry)| {
            let resource = entry.get("resource");
            let request = |name| entry.get("request").and_then(|request| request.string(name));
            Entry {
                position,
                full_url: entry.string("fullUrl"),
                resource: resource.map(|resource| resource.raw().as_bytes()),
                resource_type: resource.and_then(|resource| resource.string("resourceType")),
                method: request("method"),
                url: request("url"),
                if_none_exist: request("ifNoneExist"),
                if_match: request("ifMatch"),
                if_none_match: request("ifNoneMatch"),
            }
        })
    }
}

/// Writes a Bundle entry by entry.
#[derive(Debug)]
pub struct BundleWriter {
    json: Json,
}

/// The answer to one entry of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct EntryResponse<'a> {
    /// `201 Created`.
    pub status: &'a str,
    pub location: Option<&'a str>,
    /// `W/"3"`.
    pub etag: Option<&'a str>,
    pub last_modified: Option<Timestamp>,
    /// The resource's bytes, ready to go out.
    pub resource: Option<&'a [u8]>,
    /// An OperationOutcome's bytes.
    pub outcome: Option<&'a [u8]>,
}

impl BundleWriter {
    /// Begins a Bundle of a type (`searchset`, `batch-response`, `history`, `collection`). `total` is
    /// for searchset and history. `links` are `(relation, url)`: `("self", ...)`, `("next", ...)`.
    #[must_use]
    pub fn new(kind: &str, timestamp: Timestamp, total: Option<u64>, links: &[(&str, &str)]) -> Self {
        let mut json = Json::object();
        json.string("resourceType", "Bundle").string("type", kind);
        json.string("timestamp", &timestamp.to_string());
        if let Some(total) = total {
            json.raw("total", total.to_string().as_bytes());
        }
        if !links.is_empty() {
            json.open_array("link");
            for (relation, url) in links {
                json.item().string("relation", relation).string("url", url).close();
            }
            json.close_array();
        }
        Self { json }
    }

    /// Adds the entries of a searchset: full URL, the resource's bytes ready to go out, and the mode
    /// (`match`, `include`, `outcome`). FHIR allows no empty array, so nothing is written for none.
    pub fn search_entries<'a>(
        &mut self,
        entries: impl IntoIterator<Item = (Option<&'a str>, &'a [u8], &'a str)>,
    ) {
        self.entries(entries, |json, (url, resource, mode)| {
            json.optional("fullUrl", url).raw("resource", resource);
            json.open("search").string("mode", mode).close();
        });
    }

    /// Adds the entries of a collection.
    pub fn resources<'a>(&mut self, entries: impl IntoIterator<Item = (Option<&'a str>, &'a [u8])>) {
        self.entries(entries, |json, (url, resource)| {
            json.optional("fullUrl", url).raw("resource", resource);
        });
    }

    /// Adds the entries of a batch-response.
    pub fn responses<'a>(&mut self, entries: impl IntoIterator<Item = EntryResponse<'a>>) {
        self.entries(entries, |json, entry| {
            if let Some(resource) = entry.resource {
                json.raw("resource", resource);
            }
            json.open("response").string("status", entry.status);
            json.optional("location", entry.location).optional("etag", entry.etag);
            json.optional("lastModified", entry.last_modified.map(|time| time.to_string()).as_deref());
            if let Some(outcome) = entry.outcome {
                json.raw("outcome", outcome);
            }
            json.close();
        });
    }

    /// The bytes of the Bundle.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.json.finish()
    }

    fn entries<T>(&mut self, entries: impl IntoIterator<Item = T>, mut write: impl FnMut(&mut Json, T)) {
        let mut entries = entries.into_iter().peekable();
        if entries.peek().is_none() {
            return;
        }
        self.json.open_array("entry");
        for entry in entries {
            self.json.item();
            write(&mut self.json, entry);
            self.json.close();
        }
        self.json.close_array();
    }
}
