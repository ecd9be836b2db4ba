//! Every resource is valid FHIR R4 and of the information class that FHIR content alone gives.

use mimamori_demo::Options;
use mimamori_fhir::{Limits, information_class, parse, validate};

use crate::{make, today};

fn check(json: &str) -> mimamori_fhir::Resource {
    // Placeholders are no ids; a stored resource has the subject's, the staff's and the answered note's.
    let json = &json
        .replace("{subject}", "subject-1")
        .replace("{answered}", "note-1")
        .replace("Practitioner/{", "Practitioner/")
        .replace("}\",\"display\"", "\",\"display\"");
    let resource =
        parse(json.as_bytes(), &Limits::default()).unwrap_or_else(|issues| panic!("{issues:?}\n{json}"));
    let issues = validate(&resource);
    assert!(issues.is_empty(), "{issues:?}\n{json}");
    resource
}

#[test]
fn every_resource_of_fifty_people_is_valid() {
    for options in [Options::demo(31, 50, today()), Options::bench(31, 50, today())] {
        let (city, people) = make(&options);
        for institution in &city.institutions {
            check(&institution.organization);
        }
        for person in &people {
            check(&person.patient);
            for related in &person.related {
                check(&related.related_person);
            }
            for demo in &person.resources {
                let resource = check(&demo.fhir);
                let class = information_class(&resource);
                let between_staff = demo.class.as_str() == "staff-note" && class.as_str() == "note";
                assert!(class == demo.class || between_staff, "{class} {}: {}", demo.class, demo.fhir);
            }
        }
    }
}
