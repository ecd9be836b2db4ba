//! Files of other systems: what is new, what is known, what refers to what, what is refused.

use bytes::Bytes;
use mimamori_app::{
    Caller, ErrorKind, ImportReport, Paging, PeopleQuery, PersonCard, Stored, TimelineFilter,
};
use mimamori_domain::{InstitutionId, SubjectId};
use serde_json::{Value, json};

use crate::support::Site;

const INSURED: &str = "http://jpfhir.jp/fhir/core/sid/insurer";
const PATIENT: &str = "urn:uuid:11111111-1111-4111-8111-111111111111";

/// A person as another system sends them.
pub fn patient(id: &str, number: &str, family: &str, given: &str, born: &str) -> Value {
    json!({
        "resourceType": "Patient", "id": id,
        "identifier": [{"system": INSURED, "value": number}],
        "name": [{"use": "official", "family": family, "given": [given]}],
        "birthDate": born,
    })
}

pub fn condition(id: &str, subject: &str, code: &str) -> Value {
    json!({
        "resourceType": "Condition", "id": id,
        "clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code}]},
        "subject": {"reference": subject},
        "recordedDate": "2026-11-01",
    })
}

fn observation(id: &str, subject: &str, encounter: &str) -> Value {
    json!({
        "resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
        "subject": {"reference": subject}, "encounter": {"reference": encounter},
        "effectiveDateTime": "2026-11-20T10:00:00+09:00",
        "valueQuantity": {"value": 36.5, "unit": "Cel", "system": "http://unitsofmeasure.org", "code": "Cel"},
    })
}

fn encounter(id: &str, subject: &str) -> Value {
    json!({
        "resourceType": "Encounter", "id": id, "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": {"reference": subject},
    })
}

pub fn bundle(kind: &str, resources: &[(&str, Value)]) -> Bytes {
    let entry: Vec<Value> = resources
        .iter()
        .map(|(url, resource)| {
            let request = json!({"method": "POST", "url": resource["resourceType"]});
            json!({"fullUrl": url, "resource": resource, "request": request})
        })
        .collect();
    Bytes::from(json!({"resourceType": "Bundle", "type": kind, "entry": entry}).to_string())
}

fn hospital_visit() -> Bytes {
    let (visit, doctor) =
        ("urn:uuid:22222222-2222-4222-8222-222222222222", "urn:uuid:33333333-3333-4333-8333-333333333333");
    let mut with_doctor = encounter("v1", PATIENT);
    with_doctor["participant"] = json!([{"individual": {"reference": doctor}}]);
    with_doctor["location"] = json!([{"location": {"reference": "Location/ward"}}]);
    bundle(
        "transaction",
        &[
            ("urn:uuid:44444444-4444-4444-8444-444444444444", observation("o1", PATIENT, visit)),
            (visit, with_doctor),
            (
                doctor,
                json!({"resourceType": "Practitioner", "id": "d1", "identifier": [{"system": "urn:oid:1.2.3", "value": "77"}], "name": [{"text": "医師 一郎"}]}),
            ),
            (PATIENT, patient("p1", "1234", "山田", "花", "1950-04-01")),
            ("urn:uuid:55555555-5555-4555-8555-555555555555", json!({"resourceType": "Claim", "id": "c1"})),
        ],
    )
}

struct Ward {
    site: Site,
    hospital: InstitutionId,
    doctor: Caller,
}

async fn ward() -> Ward {
    let site = Site::new().await;
    let hospital = site.institution("見守り病院").await;
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    let doctor = site.sign_in("hana").await;
    Ward { site, hospital, doctor }
}

impl Ward {
    async fn bundle(&self, bytes: Bytes) -> ImportReport {
        self.site.app.import_bundle(&self.site.operator(), self.hospital, bytes).await.unwrap()
    }

    async fn lines(&self, lines: &[Value]) -> ImportReport {
        let lines: Vec<Bytes> = lines.iter().map(|line| Bytes::from(line.to_string())).collect();
        self.site.app.import_lines(&self.site.operator(), self.hospital, &lines).await.unwrap()
    }

    async fn people(&self, number: &str) -> Vec<PersonCard> {
        let query = PeopleQuery { identifier: Some(format!("{INSURED}|{number}")), ..PeopleQuery::default() };
        self.site.app.search_people(&self.doctor, &query, &Paging::default()).await.unwrap().items
    }

    async fn only(&self, number: &str) -> SubjectId {
        let people = self.people(number).await;
        assert_eq!(people.len(), 1);
        people[0].subject
    }

    async fn records(&self, subject: SubjectId) -> Vec<Stored> {
        let filter = TimelineFilter::default();
        self.site.app.timeline(&self.doctor, subject, &filter, &Paging::default()).await.unwrap().items
    }

    async fn everything_is_covered(&self) {
        self.site.app.checkpoint().await.unwrap();
        let report = self.site.app.verify(&|_, _| {}).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new());
    }
}

fn content(stored: &Stored) -> Value {
    serde_json::from_slice(&stored.bytes).unwrap()
}

fn of_kind<'a>(records: &'a [Stored], kind: &str) -> &'a Stored {
    records.iter().find(|stored| stored.kind.as_str() == kind).unwrap()
}

#[tokio::test]
async fn references_follow_the_new_identifiers_and_a_second_import_adds_nothing() {
    let ward = ward().await;
    let first = ward.bundle(hospital_visit()).await;
    assert_eq!((first.stored, first.known, first.problems.len()), (4, 0, 0), "{first:?}");
    assert_eq!(
        first.skipped.iter().map(|(reason, n)| (reason.as_str(), *n)).collect::<Vec<_>>(),
        [("Claim is not served here", 1)]
    );

    let subject = ward.only("1234").await;
    let records = ward.records(subject).await;
    let (seen, visit) = (of_kind(&records, "Observation"), of_kind(&records, "Encounter"));
    assert_eq!(content(seen)["subject"]["reference"], format!("Patient/{subject}"));
    assert_eq!(content(seen)["encounter"]["reference"], format!("Encounter/{}", visit.id));
    assert_eq!(
        content(visit)["location"][0]["location"]["reference"],
        "Location/ward",
        "what is not here stays"
    );
    let doctor = content(visit)["participant"][0]["individual"]["reference"].as_str().unwrap().to_owned();
    let id = doctor.strip_prefix("Practitioner/").unwrap().parse().unwrap();
    let practitioner =
        ward.site.app.read(&ward.doctor, &mimamori_domain::Kind::of("Practitioner"), id).await.unwrap();
    assert_eq!(content(&practitioner)["name"][0]["text"], "医師 一郎");
    assert_eq!((seen.institution, seen.state.as_str()), (ward.hospital, "confirmed"));

    let second = ward.bundle(hospital_visit()).await;
    assert_eq!((second.stored, second.known), (0, 4));
    assert_eq!(ward.records(subject).await.len(), records.len());
    ward.everything_is_covered().await;
}

#[tokio::test]
async fn a_later_file_finds_its_people_by_source_id_by_url_and_by_identifier() {
    let ward = ward().await;
    ward.bundle(hospital_visit()).await;
    let subject = ward.only("1234").await;
    let conditional = format!("Patient?identifier={}%7C1234", INSURED);
    let later = bundle(
        "collection",
        &[
            ("urn:uuid:66666666-6666-4666-8666-666666666666", condition("a", "Patient/p1", "I10")),
            ("urn:uuid:77777777-7777-4777-8777-777777777777", condition("b", PATIENT, "E11")),
            ("urn:uuid:88888888-8888-4888-8888-888888888888", condition("c", &conditional, "J45")),
            // The same person, as another department sends them.
            (
                "urn:uuid:99999999-9999-4999-8999-999999999999",
                patient("other-id", "1234", "山田", "花", "1950-04-01"),
            ),
        ],
    );
    let report = ward.bundle(later).await;
    assert_eq!((report.stored, report.known, report.problems.len()), (3, 1, 0), "{report:?}");
    assert_eq!(ward.only("1234").await, subject);
    let found =
        ward.records(subject).await.iter().filter(|stored| stored.kind.as_str() == "Condition").count();
    assert_eq!(found, 3);
    // From now on the other department's id is known too.
    let report = ward.lines(&[condition("d", "Patient/other-id", "M81")]).await;
    assert_eq!((report.stored, report.problems.len()), (1, 0), "{report:?}");
    ward.everything_is_covered().await;
}

#[tokio::test]
async fn somebody_registered_by_hand_is_known_by_their_number() {
    let ward = ward().await;
    let bytes = Bytes::from(patient("x", "5555", "佐藤", "実", "1941-01-02").to_string());
    let kept = ward.site.app.create(&ward.doctor, bytes, mimamori_app::CreateAs::Confirmed).await.unwrap();
    let report =
        ward.bundle(bundle("batch", &[(PATIENT, patient("p9", "5555", "佐藤", "実", "1941-01-02"))])).await;
    assert_eq!((report.stored, report.known), (0, 1));
    assert_eq!(Some(ward.only("5555").await), kept.subject);
}

#[tokio::test]
async fn a_shared_number_never_joins_two_people() {
    let ward = ward().await;
    ward.bundle(hospital_visit()).await;
    let subject = ward.only("1234").await;
    let before = ward.records(subject).await.len();
    let twin = [patient("p2", "1234", "山田", "雪", "1950-04-01"), condition("z", "Patient/p2", "I10")];
    let report = ward.lines(&twin).await;
    assert_eq!(report.stored, 0, "{report:?}");
    let places: Vec<&str> = report.problems.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["line 1: Patient.identifier", "line 2: Condition.subject"]);
    assert_eq!(ward.records(subject).await.len(), before);
}

#[tokio::test]
async fn a_broken_bundle_stores_nothing_and_names_the_place() {
    let ward = ward().await;
    let mut wrong = observation("o1", PATIENT, "Encounter/none");
    wrong["valueQuantity"]["value"] = json!("warm");
    let broken = bundle(
        "transaction",
        &[
            (PATIENT, patient("p1", "1234", "山田", "花", "1950-04-01")),
            ("urn:uuid:44444444-4444-4444-8444-444444444444", wrong),
        ],
    );
    let report = ward.bundle(broken).await;
    assert_eq!((report.stored, report.problems.len()), (0, 1), "{report:?}");
    let (place, rule) = &report.problems[0];
    assert!(place.starts_with("Bundle.entry[1].resource: Observation.value"), "{place}");
    assert!(!rule.contains("warm"), "no content in a rule: {rule}");
    assert!(ward.people("1234").await.is_empty());

    let nobody = bundle("transaction", &[(PATIENT, condition("c", "Patient/unknown", "I10"))]);
    let report = ward.bundle(nobody).await;
    assert_eq!(report.problems[0].0, "Bundle.entry[0].resource: Condition.subject");
    let mut nowhere = condition("c", PATIENT, "I10");
    nowhere["asserter"] = json!({"reference": "Practitioner?identifier=urn:oid:1.2.3|0"});
    let mut resources = vec![(PATIENT, patient("p1", "1234", "山田", "花", "1950-04-01"))];
    resources.push(("urn:uuid:44444444-4444-4444-8444-444444444444", nowhere));
    let report = ward.bundle(bundle("transaction", &resources)).await;
    assert_eq!(report.problems[0].0, "Bundle.entry[1].resource: Condition.asserter");
    // What was refused is not known: corrected, it is stored.
    let corrected = bundle(
        "transaction",
        &[
            (PATIENT, patient("unknown", "1234", "山田", "花", "1950-04-01")),
            ("urn:uuid:44444444-4444-4444-8444-444444444444", condition("c", "Patient/unknown", "I10")),
        ],
    );
    assert_eq!(ward.bundle(corrected).await.stored, 2);
    ward.everything_is_covered().await;
}

#[tokio::test]
async fn answers_and_histories_and_unknown_institutions_are_refused() {
    let ward = ward().await;
    for kind in ["searchset", "history", "document"] {
        let bytes = bundle(kind, &[(PATIENT, patient("p1", "1", "山田", "花", "1950-04-01"))]);
        let error =
            ward.site.app.import_bundle(&ward.site.operator(), ward.hospital, bytes).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.faults()[0].place.as_str()),
            (ErrorKind::Invalid, "Bundle.type"),
            "{kind}"
        );
    }
    let nowhere = InstitutionId::random();
    let error =
        ward.site.app.import_bundle(&ward.site.operator(), nowhere, hospital_visit()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    // Whoever looks after people does not import for them.
    let refused = ward.site.app.import_bundle(&ward.doctor, ward.hospital, hospital_visit()).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
}

#[tokio::test]
async fn the_same_resource_twice_is_stored_once() {
    let ward = ward().await;
    let bytes = bundle(
        "batch",
        &[
            (PATIENT, patient("p1", "1234", "山田", "花", "1950-04-01")),
            ("urn:uuid:44444444-4444-4444-8444-444444444444", condition("c", PATIENT, "I10")),
            (PATIENT, patient("p1", "1234", "山田", "花", "1950-04-01")),
            ("urn:uuid:44444444-4444-4444-8444-444444444444", condition("c", PATIENT, "I10")),
        ],
    );
    let report = ward.bundle(bytes).await;
    assert_eq!((report.stored, report.known, report.problems.len()), (2, 2, 0), "{report:?}");
}

#[tokio::test]
async fn lines_stand_for_themselves_in_any_order() {
    let ward = ward().await;
    let mut broken = encounter("v2", "Patient/p1");
    broken.as_object_mut().unwrap().remove("status");
    let lines = [
        observation("o1", "Patient/p1", "Encounter/v1"),
        broken,
        encounter("v1", "Patient/p1"),
        observation("o2", "Patient/p1", "Encounter/v2"),
        patient("p1", "1234", "山田", "花", "1950-04-01"),
        condition("c", "Patient/nobody", "I10"),
    ];
    let report = ward.lines(&lines).await;
    assert_eq!(report.stored, 4, "{report:?}");
    let places: Vec<&str> = report.problems.iter().map(|(place, _)| place.as_str()).collect();
    assert_eq!(places, ["line 2: Encounter.status", "line 6: Condition.subject"]);
    let records = ward.records(ward.only("1234").await).await;
    let visit = of_kind(&records, "Encounter").id;
    let referred: Vec<Value> = records
        .iter()
        .filter(|stored| stored.kind.as_str() == "Observation")
        .map(|stored| content(stored)["encounter"]["reference"].clone())
        .collect();
    assert!(referred.contains(&json!(format!("Encounter/{visit}"))), "{referred:?}");
    assert!(
        referred.contains(&json!("Encounter/v2")),
        "a line that was left out cannot be referred to: {referred:?}"
    );
    let again = ward.lines(&lines).await;
    assert_eq!((again.stored, again.known), (0, 4));
    ward.everything_is_covered().await;
}

#[tokio::test]
async fn more_lines_than_one_unit_takes_are_all_stored() {
    let ward = ward().await;
    let mut lines: Vec<Value> =
        (0..1_100).map(|n| condition(&format!("c{n}"), &format!("Patient/p{}", n % 7), "I10")).collect();
    lines.extend((0..7).map(|n| patient(&format!("p{n}"), &format!("90{n}"), "山田", "花", "1950-04-01")));
    let report = ward.lines(&lines).await;
    assert_eq!((report.stored, report.problems.len()), (1_107, 0), "{:?}", report.problems.first());
    assert_eq!(ward.lines(&lines).await.known, 1_107);
    ward.everything_is_covered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn imports_at_the_same_time_store_each_person_once() {
    let ward = ward().await;
    let mut running = tokio::task::JoinSet::new();
    for part in 0..6 {
        let (app, operator, hospital) =
            (std::sync::Arc::clone(&ward.site.app), ward.site.operator(), ward.hospital);
        let bytes = bundle(
            "transaction",
            &[
                (
                    &format!("urn:uuid:1111111{part}-1111-4111-8111-111111111111"),
                    patient(&format!("p{part}"), "1234", "山田", "花", "1950-04-01"),
                ),
                (
                    &format!("urn:uuid:2222222{part}-1111-4111-8111-111111111111"),
                    condition(&format!("c{part}"), &format!("Patient/p{part}"), "I10"),
                ),
            ],
        );
        running.spawn(async move { app.import_bundle(&operator, hospital, bytes).await.unwrap() });
    }
    let reports = running.join_all().await;
    assert_eq!(reports.iter().map(|report| report.stored).sum::<u64>(), 7, "{reports:?}");
    let subject = ward.only("1234").await;
    assert_eq!(ward.records(subject).await.len(), 6);
    ward.everything_is_covered().await;
}
