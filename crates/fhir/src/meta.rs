//! `id` and `meta`, spliced into the received bytes when a resource goes out.

use mimamori_domain::Timestamp;

use crate::issue::Issue;
use crate::json::{Kind, Limits, Value};
use crate::resource::{Resource, parse};
use crate::write::{push_quoted, quoted, splice};

/// A code of a code system, as security labels and tags are written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coding {
    pub system: String,
    pub code: String,
    pub display: Option<String>,
}

/// What this program says about a resource it stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The resource's id on this server.
    pub id: String,
    pub version_id: String,
    pub last_updated: Timestamp,
    /// Added to the sender's own labels.
    pub security: Vec<Coding>,
    /// Added to the sender's own tags.
    pub tags: Vec<Coding>,
}

/// The stored bytes with our `id` and `meta`; every other byte stays (a decimal 1.50 stays 1.50).
/// The sender's `meta.profile`, `tag`, `security`, `source` and extensions are kept.
///
/// # Errors
/// When the bytes are no resource, which stored bytes always are.
pub fn splice_meta(bytes: &[u8], meta: &Meta) -> Result<Vec<u8>, Vec<Issue>> {
    Ok(parse(bytes, &Limits::stored())?.with_meta(meta))
}

impl Resource {
    /// This resource's bytes with our `id` and `meta`; see [`splice_meta`].
    #[must_use]
    pub fn with_meta(&self, meta: &Meta) -> Vec<u8> {
        let root = self.root();
        let (id, old) = (root.get("id"), root.get("meta"));
        let new_meta = merged(old, meta);
        let mut inserted = Vec::new();
        let mut edits = Vec::new();
        match id {
            Some(id) => edits.push((id.span(), quoted(&meta.id))),
            None => {
                inserted.extend_from_slice(b",\"id\":");
                push_quoted(&mut inserted, &meta.id);
            }
        }
        match old {
            Some(old) => edits.push((old.span(), new_meta)),
            None => {
                inserted.extend_from_slice(b",\"meta\":");
                inserted.extend_from_slice(&new_meta);
            }
        }
        if !inserted.is_empty() {
            // `resourceType` is always there: it was read.
            let at = root.get("resourceType").map_or(0, |name| name.span().end);
            edits.push((at..at, inserted));
        }
        splice(self.bytes(), edits)
    }
}

fn merged(old: Option<Value<'_>>, meta: &Meta) -> Vec<u8> {
    let mut out = b"{\"versionId\":".to_vec();
    push_quoted(&mut out, &meta.version_id);
    out.extend_from_slice(b",\"lastUpdated\":");
    push_quoted(&mut out, &meta.last_updated.to_string());
    let old = old.filter(|old| old.kind() == Kind::Object);
    for (name, ours) in [("security", &meta.security), ("tag", &meta.tags)] {
        let theirs = old.and_then(|old| old.get(name)).filter(|v| v.kind() == Kind::Array);
        if theirs.is_some() || !ours.is_empty() {
            codings(&mut out, name, theirs, ours);
        }
    }
    for member in old.into_iter().flat_map(Value::children) {
        let key = member.key().unwrap_or_default();
        if !["versionId", "_versionId", "lastUpdated", "_lastUpdated", "security", "tag"].contains(&key) {
            out.push(b',');
            push_quoted(&mut out, key);
            out.push(b':');
            out.extend_from_slice(member.raw().as_bytes());
        }
    }
    out.push(b'}');
    out
}

/// The sender's codings as they came, then ours unless the sender had sent the same.
fn codings(out: &mut Vec<u8>, name: &str, theirs: Option<Value<'_>>, ours: &[Coding]) {
    out.push(b',');
    push_quoted(out, name);
    out.extend_from_slice(b":[");
    let mut first = true;
    let mut comma = |out: &mut Vec<u8>| {
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
    };
    for coding in theirs.into_iter().flat_map(Value::children) {
        comma(out);
        out.extend_from_slice(coding.raw().as_bytes());
    }
    for coding in ours {
        let same = |other: Value<'_>| {
            other.string("system") == Some(&coding.system) && other.string("code") == Some(&coding.code)
        };
        if theirs.is_some_and(|theirs| theirs.children().any(same)) {
            continue;
        }
        comma(out);
        out.extend_from_slice(b"{\"system\":");
        push_quoted(out, &coding.system);
        out.extend_from_slice(b",\"code\":");
        push_quoted(out, &coding.code);
        if let Some(display) = &coding.display {
            out.extend_from_slice(b",\"display\":");
            push_quoted(out, display);
        }
        out.push(b'}');
    }
    out.push(b']');
}
