use mimamori_domain::Timestamp;
use mimamori_fhir::{
    BundleReader, BundleWriter, EntryResponse, IssueCode, Limits, operation_outcome, parse, validate,
};

use crate::examples::{OBSERVATION, PATIENT};
use crate::read;

#[test]
fn a_batch_is_read_entry_by_entry_with_the_bytes_of_its_resources() {
    let json = format!(
        r#"{{"resourceType":"Bundle","type":"batch","entry":[
            {{"fullUrl":"urn:uuid:1","resource":{PATIENT},"request":{{"method":"POST","url":"Patient","ifNoneExist":"identifier=a|b"}}}},
            {{"request":{{"method":"GET","url":"Observation?patient=1","ifNoneMatch":"W/\"1\""}}}},
            {{"resource":{{"resourceType":"Pat"}},"request":{{"method":"PUT","url":"Pat/1","ifMatch":"W/\"2\""}}}}]}}"#
    );
    let bundle = BundleReader::open(json.as_bytes(), &Limits::bundle()).unwrap();
    assert_eq!(bundle.kind(), "batch");
    let entries: Vec<_> = bundle.entries().collect();
    assert_eq!(entries.len(), 3);
    assert_eq!(entries[0].resource, Some(PATIENT.as_bytes()));
    let inside = json.as_bytes().as_ptr_range();
    assert!(inside.contains(&entries[0].resource.unwrap().as_ptr()), "not copied");
    assert_eq!((entries[0].method, entries[0].url), (Some("POST"), Some("Patient")));
    assert_eq!(entries[0].if_none_exist, Some("identifier=a|b"));
    assert_eq!((entries[0].full_url, entries[0].resource_type), (Some("urn:uuid:1"), Some("Patient")));
    assert_eq!((entries[1].resource, entries[1].if_none_match), (None, Some("W/\"1\"")));
    assert_eq!((entries[2].position, entries[2].if_match), (2, Some("W/\"2\"")));
    assert!(parse(entries[2].resource.unwrap(), &Limits::default()).is_err());
}

#[test]
fn what_is_no_bundle_is_refused() {
    for (json, code) in [
        (PATIENT, IssueCode::Structure),
        (r#"{"resourceType":"Bundle"}"#, IssueCode::Required),
        (r#"{"resourceType":"Bundle","type":"batch","entry":{}}"#, IssueCode::Structure),
        (r#"{"resourceType":"Bundle","type":"batch","entry":[1]}"#, IssueCode::Structure),
        ("[", IssueCode::Structure),
    ] {
        assert_eq!(
            BundleReader::open(json.as_bytes(), &Limits::bundle()).unwrap_err()[0].code,
            code,
            "{json}"
        );
    }
}

#[test]
fn a_searchset_embeds_resources_as_they_are() {
    let time = Timestamp::from_micros(0);
    let links =
        [("self", "https://example.jp/fhir/Observation?patient=1"), ("next", "https://example.jp/\"n\"")];
    let mut bundle = BundleWriter::new("searchset", time, Some(2), &links);
    let outcome = operation_outcome(&[]);
    bundle.search_entries([
        (Some("https://example.jp/fhir/Observation/o1"), OBSERVATION.as_bytes(), "match"),
        (None, outcome.as_slice(), "outcome"),
    ]);
    let bytes = bundle.finish();
    let bundle = parse(&bytes, &Limits::default()).unwrap();
    assert_eq!(validate(&bundle), []);
    let reader = BundleReader::open(&bytes, &Limits::bundle()).unwrap();
    assert_eq!(reader.entries().next().unwrap().resource, Some(OBSERVATION.as_bytes()));
    let empty = BundleWriter::new("searchset", time, Some(0), &[]).finish();
    assert_eq!(validate(&parse(&empty, &Limits::default()).unwrap()), []);
    let mut none = BundleWriter::new("searchset", time, Some(0), &[]);
    none.search_entries([]);
    assert_eq!(none.finish(), empty);
    let mut collection = BundleWriter::new("collection", time, None, &[]);
    collection.resources([(None, PATIENT.as_bytes())]);
    assert_eq!(validate(&parse(&collection.finish(), &Limits::default()).unwrap()), []);
}

#[test]
fn a_batch_response_answers_every_entry() {
    let outcome = operation_outcome(&[]);
    let mut bundle = BundleWriter::new("batch-response", Timestamp::from_micros(0), None, &[]);
    bundle.responses([
        EntryResponse {
            status: "201 Created",
            location: Some("Patient/1/_history/1"),
            etag: Some("W/\"1\""),
            last_modified: Some(Timestamp::from_micros(1)),
            ..EntryResponse::default()
        },
        EntryResponse { status: "200 OK", resource: Some(PATIENT.as_bytes()), ..EntryResponse::default() },
        EntryResponse { status: "400 Bad Request", outcome: Some(&outcome), ..EntryResponse::default() },
    ]);
    let bytes = bundle.finish();
    let resource = read(std::str::from_utf8(&bytes).unwrap());
    assert_eq!(validate(&resource), []);
    let statuses: Vec<_> = resource
        .root()
        .items("entry")
        .map(|e| e.get("response").unwrap().string("status").unwrap())
        .collect();
    assert_eq!(statuses, ["201 Created", "200 OK", "400 Bad Request"]);
}

#[test]
fn kinds_of_bundles_have_their_rules() {
    for bad in [
        r#"{"resourceType":"Bundle","type":"batch","total":1}"#,
        r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","active":true}}]}"#,
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:x"}]}"#,
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient","active":true},"search":{"mode":"match"}}]}"#,
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"http://x/Patient/1/_history/2","resource":{"resourceType":"Patient","active":true}}]}"#,
        r#"{"resourceType":"Bundle","type":"heap"}"#,
        r#"{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}},{"resource":{"resourceType":"Patient","active":1}}]}"#,
    ] {
        assert_ne!(validate(&read(bad)), [], "{bad}");
    }
}
