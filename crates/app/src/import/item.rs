//! What was sent, taken apart: each resource checked, with every name it goes by and whom it names.

use std::collections::BTreeSet;

use bytes::Bytes;
use mimamori_domain::{Error, Kind, Result};
use mimamori_fhir::{
    BundleReader, Entry, IssueCode, Limits, RefKind, ReferenceText, Resource, SearchValues, Severity,
};

use crate::body::kind;
use crate::record::MASTER;

/// What a Bundle may cost before it is refused: 64 MB, 4 million JSON values.
const BUNDLE: Limits = Limits { bytes: 64 << 20, depth: 64, elements: 4_000_000 };

/// Kinds of Bundle that are taken in: those that say "keep these".
const TAKEN: [&str; 3] = ["transaction", "batch", "collection"];

/// Types whose business identifiers say who or what is meant, whoever sends it.
const IDENTIFIED: [&str; 3] = ["Patient", "Practitioner", "Organization"];

/// Fewer resources than this are checked by one thread.
const WORTH_SHARING: usize = 32;

/// The order in which things are stored: what others refer to comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Group {
    Master,
    Patient,
    Record,
}

/// A resource that keeps all rules.
pub(super) struct Item {
    /// `Bundle.entry[3].resource`, `line 7`.
    pub(super) place: String,
    pub(super) kind: Kind,
    pub(super) group: Group,
    pub(super) resource: Resource,
    /// What references may call it, as [`name_of`] writes it; never empty.
    pub(super) names: Vec<String>,
    /// The texts of its references, each once.
    pub(super) references: Vec<String>,
    /// Where it refers to something by an identifier (`Type?identifier=...`), and how: good only while
    /// it is imported, so these must find what they mean.
    pub(super) conditional: Vec<(String, String)>,
    /// For records: where they name whose they are, and how.
    pub(super) patient: Option<(String, String)>,
    pub(super) values: SearchValues,
}

/// What became of one resource that was looked at.
pub(super) enum Looked {
    Taken(Box<Item>),
    /// Not kept, and why.
    Skipped(String),
    /// Place and rule of everything that is wrong.
    Broken(Vec<(String, String)>),
}

/// A resource as it was sent.
pub(super) struct Sent {
    pub(super) place: String,
    bytes: Bytes,
    full_url: Option<String>,
    /// What the request says the resource is known by: `identifier=system|value`.
    condition: Option<String>,
    skip: Option<&'static str>,
}

impl Sent {
    /// One line of NDJSON; lines count from 1.
    pub(super) fn line(number: usize, bytes: &Bytes) -> Self {
        let place = format!("line {number}");
        Self { place, bytes: bytes.clone(), full_url: None, condition: None, skip: None }
    }

    fn entry(bundle: &Bytes, entry: &Entry<'_>) -> Self {
        let skip = match (entry.resource, entry.method) {
            (None, _) => Some("an entry without a resource"),
            (_, None | Some("POST" | "PUT")) => None,
            (_, Some(_)) => Some("a request other than PUT or POST"),
        };
        let query = entry.url.and_then(|url| url.split_once('?')).map(|(_, query)| query);
        Self {
            place: format!("Bundle.entry[{}].resource", entry.position),
            bytes: entry.resource.map(|resource| bundle.slice_ref(resource)).unwrap_or_default(),
            full_url: entry.full_url.map(ToOwned::to_owned),
            condition: entry.if_none_exist.or(query).map(ToOwned::to_owned),
            skip,
        }
    }
}

/// What a Bundle holds, and its kind.
pub(super) struct Opened {
    pub(super) kind: String,
    pub(super) sent: Vec<Sent>,
}

/// Opens a Bundle, away from the threads that answer.
pub(super) async fn open(bundle: Bytes) -> Result<Opened> {
    let open = move || {
        let reader = BundleReader::open(&bundle, &BUNDLE).map_err(crate::record::invalid)?;
        let kind = reader.kind().to_owned();
        if !TAKEN.contains(&kind.as_str()) {
            return Err(crate::record::fault(
                "Bundle.type",
                "only Bundles of type transaction, batch or collection are taken in; answers to searches, \
                 histories and documents are not",
                "business-rule",
            ));
        }
        let sent = reader.entries().map(|entry| Sent::entry(&bundle, &entry)).collect();
        Ok(Opened { kind, sent })
    };
    tokio::task::spawn_blocking(open).await.map_err(Error::internal)?
}

/// Looks at everything that was sent, on as many threads as there are processors; in order.
pub(super) async fn look_at_all(mut sent: Vec<Sent>) -> Result<Vec<Looked>> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = sent.len().div_ceil(threads).max(WORTH_SHARING);
    let mut running = Vec::new();
    while !sent.is_empty() {
        let rest = sent.split_off(share.min(sent.len()));
        let part = std::mem::replace(&mut sent, rest);
        running.push(tokio::task::spawn_blocking(move || part.iter().map(look_at).collect::<Vec<_>>()));
    }
    let mut looked = Vec::new();
    for part in running {
        looked.append(&mut part.await.map_err(Error::internal)?);
    }
    Ok(looked)
}

fn look_at(sent: &Sent) -> Looked {
    if let Some(reason) = sent.skip {
        return Looked::Skipped(reason.to_owned());
    }
    let resource = match mimamori_fhir::parse(&sent.bytes, &Limits::default()) {
        Ok(resource) => resource,
        Err(issues) if issues.iter().any(|issue| issue.code == IssueCode::NotSupported) => {
            return Looked::Skipped(not_served(&sent.bytes));
        }
        Err(issues) => return broken(sent, issues),
    };
    let found = mimamori_fhir::references(&resource);
    let conditional: Vec<(String, String)> = found
        .iter()
        .filter(|reference| reference.kind == RefKind::Conditional && name_of(&reference.text).is_some())
        .map(|reference| (reference.path.clone(), reference.text.clone()))
        .collect();
    let mut issues = mimamori_fhir::validate(&resource);
    issues.retain(|issue| {
        let reference = issue.expression.as_deref().and_then(|place| place.strip_suffix(".reference"));
        !conditional.iter().any(|(path, _)| Some(path.as_str()) == reference)
    });
    if issues.iter().any(|issue| issue.severity >= Severity::Error) {
        return broken(sent, issues);
    }
    let name = resource.resource_type();
    let group = if name == kind::PATIENT.as_str() {
        Group::Patient
    } else if MASTER.iter().any(|(master, _)| *master == name) {
        Group::Master
    } else if mimamori_fhir::is_in_compartment(name) {
        Group::Record
    } else {
        return Looked::Skipped(format!("{name} belongs to no person's record and is no master data"));
    };
    let Ok(kind) = Kind::new(name) else { return Looked::Skipped(not_served(&sent.bytes)) };
    let references: BTreeSet<String> = found
        .into_iter()
        .filter(|reference| !matches!(reference.kind, RefKind::Contained | RefKind::Identifier))
        .map(|reference| reference.text)
        .collect();
    let patient = (group == Group::Record).then(|| match mimamori_fhir::patient_of(&resource) {
        Some(patient) if patient.kind != RefKind::Identifier => (patient.path, patient.text),
        Some(patient) => (patient.path, String::new()),
        None => (name.to_owned(), String::new()),
    });
    Looked::Taken(Box::new(Item {
        place: sent.place.clone(),
        group,
        names: names(sent, &resource),
        references: references.into_iter().collect(),
        conditional,
        patient,
        values: mimamori_fhir::search_values(&resource),
        kind,
        resource,
    }))
}

/// Everything references may call a resource. One that goes by no name is known by its content.
fn names(sent: &Sent, resource: &Resource) -> Vec<String> {
    let kind = resource.resource_type();
    let mut names = BTreeSet::new();
    names.extend(resource.id().map(|id| format!("{kind}/{id}")));
    if let Some(url) = sent.full_url.as_deref() {
        names.extend(name_of(url));
        // A full URL says the id too (FHIR R4, "Resolving references in Bundles").
        if let Some(ReferenceText { resource_type: Some(kind), id: Some(id), .. }) = ReferenceText::parse(url)
        {
            names.insert(format!("{kind}/{id}"));
        }
    }
    names.extend(sent.condition.as_deref().and_then(|query| name_of(&format!("{kind}?{query}"))));
    if IDENTIFIED.contains(&kind) {
        for identifier in resource.root().items("identifier") {
            if matches!(identifier.string("use"), Some("old" | "temp")) {
                continue;
            }
            let system = identifier.string("system").unwrap_or_default();
            names.extend(identifier.string("value").map(|value| format!("{kind}?{system}|{value}")));
        }
    }
    if names.is_empty() {
        names.insert(format!("={}", hex::encode(mimamori_ledger::sha256(resource.bytes()))));
    }
    names.into_iter().collect()
}

/// The name a reference's text calls something by: `Type/id`, a URL or URN, `Type?system|value`.
/// None for what names nothing outside its resource, and for conditions other than an identifier.
pub(super) fn name_of(text: &str) -> Option<String> {
    let parsed = ReferenceText::parse(text)?;
    match parsed.kind {
        RefKind::Relative => Some(format!("{}/{}", parsed.resource_type?, parsed.id?)),
        RefKind::Urn => Some(text.to_owned()),
        RefKind::Absolute => Some(text.split_once("/_history/").map_or(text, |(url, _)| url).to_owned()),
        RefKind::Conditional => {
            let value = text.split_once('?')?.1.strip_prefix("identifier=")?;
            let token = percent_decoded(value)?;
            let token = if token.contains('|') { token } else { format!("|{token}") };
            (!value.contains('&')).then(|| format!("{}?{token}", parsed.resource_type.unwrap_or_default()))
        }
        RefKind::Contained | RefKind::Identifier => None,
    }
}

/// RFC 3986 section 2.1; none for what is not UTF-8 or not so encoded.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        if *first == b'%' {
            let (digits, others) = others.split_first_chunk::<2>()?;
            bytes.extend(hex::decode(digits).ok()?);
            rest = others;
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8(bytes).ok()
}

fn broken(sent: &Sent, issues: Vec<mimamori_fhir::Issue>) -> Looked {
    let error = crate::record::invalid(issues);
    let at = |place: &str| match place {
        "" => sent.place.clone(),
        place => format!("{}: {place}", sent.place),
    };
    Looked::Broken(error.faults().iter().map(|fault| (at(&fault.place), fault.rule.clone())).collect())
}

/// Names a type only if FHIR has it: any other text could be anything.
fn not_served(bytes: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        resource_type: String,
    }
    serde_json::from_slice::<Typed>(bytes)
        .ok()
        .filter(|typed| ReferenceText::parse(&format!("{}/x", typed.resource_type)).is_some())
        .map_or_else(
            || "FHIR R4 has no such type".to_owned(),
            |typed| format!("{} is not served here", typed.resource_type),
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_a_reference_is_written() {
        let name = |text| name_of(text).unwrap_or_default();
        assert_eq!(name("Patient/1/_history/3"), "Patient/1");
        assert_eq!(name("http://a.example/fhir/Patient/1/_history/3"), "http://a.example/fhir/Patient/1");
        assert_eq!(name("Patient?identifier=urn%3Aoid%3A1.2%7C7"), "Patient?urn:oid:1.2|7");
        assert_eq!(
            name("Practitioner?identifier=http://x.example/id|9"),
            "Practitioner?http://x.example/id|9"
        );
        assert_eq!(name_of("Patient?name=x"), None);
        assert_eq!(name_of("Patient?identifier=a|1&active=true"), None);
        assert_eq!(name_of("#p"), None);
    }

    #[test]
    fn a_broken_encoding_names_nobody() {
        assert_eq!(percent_decoded("a%7Cb").as_deref(), Some("a|b"));
        assert_eq!(percent_decoded("%7"), None);
        assert_eq!(percent_decoded("%zz"), None);
        assert_eq!(percent_decoded("%ff"), None);
    }
}
