//! FHIR REST as a program uses it.

use axum::http::StatusCode;

use crate::world::World;

fn observation(person: &str, value: &str) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","subject":{{"reference":"Patient/{person}"}},
        "code":{{"coding":[{{"system":"http://loinc.org","code":"8310-5"}}]}},
        "category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],
        "effectiveDateTime":"2026-11-01T09:30:00+09:00",
        "valueQuantity":{{"value":{value},"unit":"C","system":"http://unitsofmeasure.org","code":"Cel"}}}}"#
    )
}

#[tokio::test]
async fn the_statement_of_capabilities_needs_no_token() {
    let world = World::new().await;
    let answer = world.rest("GET", "/fhir/metadata", &[("authorization", "")], "").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.header("content-type").starts_with("application/fhir+json"));
    assert!(answer.body.contains("CapabilityStatement") && answer.body.contains("\"4.0.1\""));
}

#[tokio::test]
async fn a_resource_is_created_read_and_updated_with_versions() {
    let world = World::new().await;
    let person = world.person().await;
    let made = world.rest("POST", "/fhir/Observation", &[], &observation(&person, "36.50")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.header("etag"), "W/\"1\"");
    let location = made.header("location").to_owned();
    let url = location.strip_suffix("/_history/1").unwrap().to_owned();
    let read = world.rest("GET", &url, &[], "").await;
    assert_eq!(read.status, StatusCode::OK);
    assert!(read.body.contains("36.50") && read.body.contains("\"versionId\":\"1\""), "{}", read.body);
    let unchanged = world.rest("GET", &url, &[("if-none-match", "W/\"1\"")], "").await;
    assert_eq!((unchanged.status, unchanged.body.as_str()), (StatusCode::NOT_MODIFIED, ""));

    let id = url.rsplit('/').next().unwrap();
    let with_id = observation(&person, "36.60").replace("\"status\"", &format!("\"id\":\"{id}\",\"status\""));
    let put = |tag: &'static str| {
        let (world, url, body) = (&world, url.clone(), with_id.clone());
        async move {
            let header = [("if-match", tag)];
            let headers = if tag.is_empty() { &[][..] } else { &header[..] };
            world.rest("PUT", &url, headers, &body).await
        }
    };
    assert_eq!(put("").await.status, StatusCode::PRECONDITION_REQUIRED);
    assert_eq!(put("W/\"7\"").await.status, StatusCode::PRECONDITION_FAILED);
    let updated = put("W/\"1\"").await;
    assert_eq!(updated.status, StatusCode::OK, "{}", updated.body);
    assert_eq!(updated.header("etag"), "W/\"2\"");
    assert_eq!(put("W/\"1\"").await.status, StatusCode::PRECONDITION_FAILED);
    let old = world.rest("GET", &location, &[], "").await;
    assert!(old.body.contains("36.50"), "{}", old.body);
    let elsewhere = format!("/fhir/Observation/{}", mimamori_domain::ObjectId::random());
    let wrong = world.rest("PUT", &elsewhere, &[("if-match", "W/\"1\"")], &with_id).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_a_write_gives_back_is_the_client_s_choice() {
    let world = World::new().await;
    let person = world.person().await;
    for (prefer, expected) in [
        ("return=minimal", ""),
        ("return=representation", "\"Observation\""),
        ("return=OperationOutcome", "\"OperationOutcome\""),
    ] {
        let body = observation(&person, "36.5");
        let made = world.rest("POST", "/fhir/Observation", &[("prefer", prefer)], &body).await;
        assert_eq!(made.status, StatusCode::CREATED);
        assert_eq!(made.body.is_empty(), expected.is_empty());
        assert!(made.body.contains(expected), "{}", made.body);
    }
}

#[tokio::test]
async fn searches_page_and_their_links_name_nobody() {
    let world = World::new().await;
    let person = world.person().await;
    for value in ["36.1", "36.2", "36.3"] {
        let made = world.rest("POST", "/fhir/Observation", &[], &observation(&person, value)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    let mut url = format!("/fhir/Observation?patient={person}&_count=2");
    let (mut found, mut pages) = (0, 0);
    loop {
        let page = world.rest("GET", &url, &[], "").await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        found += page.body.matches("\"mode\":\"match\"").count();
        pages += 1;
        let Some((_, link)) = page.body.split_once("\"relation\":\"next\",\"url\":\"") else { break };
        url = link.split('"').next().unwrap().to_owned();
        assert!(names_of(&url) == ["_query", "_cursor"] && !url.contains(&person), "{url}");
    }
    assert_eq!((found, pages), (3, 2));

    let form = [("content-type", "application/x-www-form-urlencoded")];
    let terms = form_urlencoded::Serializer::new(String::new())
        .append_pair("name", "試験")
        .append_pair("_count", "1")
        .finish();
    let people = world.rest("POST", "/fhir/Patient/_search", &form, &terms).await;
    assert_eq!(people.status, StatusCode::OK, "{}", people.body);
    assert!(people.body.contains("花子") && !people.body.contains("name=%"));
    // Unknown parameters are told of, or refused when the client is strict.
    let url = format!("/fhir/Observation?patient={person}&nonsense=1");
    let lenient = world.rest("GET", &url, &[], "").await;
    assert!(lenient.body.contains("\"mode\":\"outcome\""), "{}", lenient.body);
    let strict = world.rest("GET", &url, &[("prefer", "handling=strict")], "").await;
    assert_eq!(strict.status, StatusCode::BAD_REQUEST);
}

/// The names of the parameters of an address.
fn names_of(url: &str) -> Vec<String> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name.into_owned()).collect()
}

#[tokio::test]
async fn the_next_page_of_people_is_reached_by_the_link_alone() {
    let mut world = World::new().await;
    for given in ["花子", "太郎"] {
        let patient = format!(
            r#"{{"resourceType":"Patient","birthDate":"1938-04-03",
            "name":[{{"use":"official","text":"試験 {given}","family":"試験","given":["{given}"]}}]}}"#
        );
        let made = world.rest("POST", "/fhir/Patient", &[], &patient).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let terms = form_urlencoded::Serializer::new(String::new())
        .append_pair("family", "試験")
        .append_pair("birthdate", "1938-04-03")
        .append_pair("_count", "1")
        .finish();
    let first = world.rest("POST", "/fhir/Patient/_search", &form, &terms).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let link = first.body.split_once("\"relation\":\"next\",\"url\":\"").map(|(_, rest)| rest);
    let link = link.and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    assert_eq!(names_of(&link), ["_query", "_cursor"]);
    assert!(!link.contains("1938"), "{link}");
    let second = world.rest("GET", &link, &[], "").await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    for given in ["花子", "太郎"] {
        assert_ne!(first.body.contains(given), second.body.contains(given), "each stands on one page");
    }

    // The link is good as it is and for whoever asked.
    let other = link.replace("/Patient?", "/Observation?");
    assert_eq!(world.rest("GET", &other, &[], "").await.status, StatusCode::BAD_REQUEST);
    let more = format!("{link}&gender=male");
    assert_eq!(world.rest("GET", &more, &[], "").await.status, StatusCode::BAD_REQUEST);
    let altered = link.replace("_query=", "_query=A");
    let refused = world.rest("GET", &altered, &[], "").await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    assert!(refused.body.contains("start the search again"), "{}", refused.body);
    let operator = world.app.operator("test");
    let scopes = ["*.*".to_owned()];
    let token = world.app.create_token(&operator, "another", world.institution, &scopes, 1).await;
    world.token = token.unwrap();
    let foreign = world.rest("GET", &link, &[], "").await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", foreign.body);
}

/// Path, headers, body, the status expected and what is said.
type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, u16, &'a str);

#[tokio::test]
async fn bad_requests_are_told_what_is_wrong() {
    let world = World::new().await;
    let person = world.person().await;
    let good = observation(&person, "36.5");
    let cases: &[Case<'_>] = &[
        ("/fhir/Observation", &[], "{\n \"resourceType\": x}", 400, "line 2, column"),
        ("/fhir/Observation", &[], "[]", 400, "a resource is a JSON object"),
        ("/fhir/Patient", &[], &good, 400, "resourceType must be that of the address"),
        ("/fhir/Nonsense", &[], &good, 404, "/fhir/metadata"),
        ("/fhir/Bundle", &[], &good, 404, "/fhir/metadata"),
        ("/fhir/Observation", &[("content-type", "application/fhir+xml")], &good, 415, "not-supported"),
        ("/fhir/Observation", &[("accept", "application/fhir+xml")], &good, 406, "not-supported"),
        ("/fhir/Observation", &[("if-none-exist", "identifier=1")], &good, 400, "conditional create"),
        (
            "/fhir/Observation",
            &[],
            r#"{"resourceType":"Observation","status":"nonsense","code":{}}"#,
            422,
            "Observation.status",
        ),
    ];
    for (path, headers, body, status, said) in cases {
        let answer = world.rest("POST", path, headers, body).await;
        assert_eq!(answer.status.as_u16(), *status, "{path} {}", answer.body);
        assert!(answer.body.contains("OperationOutcome") && answer.body.contains(said), "{}", answer.body);
    }
    let none = world.rest("GET", "/fhir/Observation", &[], "").await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST, "{}", none.body);
    for path in ["/fhir/Observation/1", "/fhir/Observation/x/_history/y"] {
        assert_eq!(world.rest("GET", path, &[], "").await.status, StatusCode::NOT_FOUND);
    }
}
