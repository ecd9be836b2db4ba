use crate::{make, read, today};
use mimamori_demo::{Options, Person};

/// Text and time of each note, in order.
pub fn notes(person: &Person) -> Vec<(String, String)> {
    person
        .resources
        .iter()
        .filter(|r| r.kind.as_str() == "Communication")
        .map(|r| {
            let json = read(&r.fhir);
            (
                json["payload"][0]["contentString"]
                    .as_str()
                    .unwrap()
                    .to_owned(),
                json["sent"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

#[test]
fn notes_are_not_empty() {
    let (_, people) = make(&Options::demo(8, 10, today()));
    for person in &people {
        assert!(notes(person).iter().all(|(text, _)| !text.is_empty()));
    }
}
