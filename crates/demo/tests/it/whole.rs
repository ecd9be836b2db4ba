use std::collections::{BTreeMap, BTreeSet};

use mimamori_demo::{Options, Person, TeamMember};
use sha2::{Digest, Sha256};

use crate::{make, read, today};

fn fingerprint(options: &Options) -> Vec<u8> {
    let (city, people) = make(options);
    Sha256::digest(format!("{city:?}{people:?}")).to_vec()
}

#[test]
fn the_same_options_give_the_same_bytes_and_another_seed_others() {
    let one = Options::demo(11, 20, today());
    assert_eq!(fingerprint(&one), fingerprint(&one));
    assert_ne!(fingerprint(&one), fingerprint(&Options { seed: 12, ..one }));
    let load = Options::bench(11, 200, today());
    assert_eq!(fingerprint(&load), fingerprint(&load));
}

#[test]
fn a_hundred_people_have_a_city_of_many_institutions() {
    let (city, people) = make(&Options::demo(1, 100, today()));
    assert_eq!(people.len(), 100);
    assert!(city.institutions.len() >= 12, "{}", city.institutions.len());
    assert!(city.staff.len() >= 40, "{}", city.staff.len());
    let kinds: BTreeSet<_> = city.institutions.iter().map(|i| i.kind).collect();
    assert_eq!(kinds.len(), mimamori_demo::InstitutionKind::ALL.len());
    for institution in &city.institutions {
        assert_eq!(read(&institution.organization)["name"], institution.name_ja);
        assert!(city.staff.iter().any(|s| s.institution == institution.key), "{institution:?}");
    }
    let roles: BTreeSet<_> = city.staff.iter().flat_map(|s| &s.roles).map(ToString::to_string).collect();
    for role in [
        "system-manager",
        "operations-manager",
        "security-manager",
        "auditor",
        "facility-manager",
        "privacy-officer",
        "help-desk",
        "key-manager",
    ] {
        assert!(roles.contains(role), "{role}");
    }
    let occupations: BTreeSet<_> = city.staff.iter().map(|s| s.occupation.to_string()).collect();
    assert_eq!(occupations.len(), 12, "{occupations:?}");
}

#[test]
fn sign_ins_are_unique_and_the_typical_ones_never_change() {
    for options in [Options::demo(1, 30, today()), Options::bench(99, 6000, today())] {
        let (city, people) = make(&options);
        let staff = city.staff.iter().map(|s| s.login.clone());
        let citizens = people.iter().flat_map(|p| p.citizen_login.clone());
        let proxies = people.iter().flat_map(|p| p.related.iter().filter_map(|r| r.login.clone()));
        let all: Vec<String> = staff.chain(citizens).chain(proxies).collect();
        let distinct: BTreeSet<&String> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.iter().all(|l| l.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')), "{all:?}");
        let typical: Vec<String> =
            mimamori_demo::typical_sign_ins(&city).into_iter().map(|t| t.login).collect();
        assert_eq!(
            typical,
            [
                "hana.nurse",
                "makoto.doctor",
                "yuki.care",
                "sora.pharmacist",
                "midori.helper",
                "takumi.system",
                "shizuka.auditor",
                "kaoru.manager",
                "ume.citizen",
                "haruko.proxy"
            ]
        );
        assert!(typical.iter().all(|login| all.contains(login)), "each exists");
    }
}

#[test]
fn typical_staff_look_after_many_of_the_first_people() {
    let (city, people) = make(&Options::demo(4, 100, today()));
    for login in ["hana.nurse", "makoto.doctor", "yuki.care", "sora.pharmacist", "midori.helper"] {
        let key = &city.staff.iter().find(|s| s.login == login).unwrap().key;
        let cared = people.iter().filter(|p| p.team.contains(&TeamMember::Staff(key.clone()))).count();
        assert!(cared >= 8, "{login}: {cared}");
        assert!(people[0].team.contains(&TeamMember::Staff(key.clone())), "{login}");
    }
}

#[test]
fn every_reference_leads_to_a_key_of_the_city() {
    let (city, people) = make(&Options::demo(2, 60, today()));
    let institutions: BTreeSet<&str> = city.institutions.iter().map(|i| i.key.as_str()).collect();
    let staff: BTreeMap<&str, _> = city.staff.iter().map(|s| (s.key.as_str(), s)).collect();
    assert_eq!((institutions.len(), staff.len()), (city.institutions.len(), city.staff.len()));
    assert!(city.staff.iter().all(|s| institutions.contains(s.institution.as_str())));
    for person in &people {
        assert!(institutions.contains(person.registered_by.as_str()));
        for member in &person.team {
            match member {
                TeamMember::Staff(key) => assert!(staff.contains_key(key.as_str())),
                TeamMember::Institution(key) => {
                    assert!(institutions.contains(key.as_str()), "{key}")
                }
            }
        }
        for consent in &person.consents {
            assert!(consent.institution.as_deref().is_none_or(|key| institutions.contains(key)));
        }
        for resource in &person.resources {
            assert!(person.team.contains(&TeamMember::Staff(resource.author.clone())), "{resource:?}");
        }
        for related in &person.related {
            assert_eq!(read(&related.related_person)["patient"]["reference"], mimamori_demo::SUBJECT);
        }
        assert!(person.related.iter().filter(|r| r.is_proxy).count() <= 1);
    }
}

#[test]
fn resources_have_the_shape_of_fhir_and_lie_in_the_history() {
    let options = Options::demo(3, 50, today());
    let (_, people) = make(&options);
    let earliest = options.today.minus(std::time::Duration::from_secs(86_400 * 181));
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for person in &people {
        assert!(person.resources.is_sorted_by_key(|r| r.at));
        for resource in &person.resources {
            let json = read(&resource.fhir);
            assert_eq!(json["resourceType"], resource.kind.as_str());
            let about = if json["patient"].is_null() { &json["subject"] } else { &json["patient"] };
            assert_eq!(about["reference"], mimamori_demo::SUBJECT);
            assert!(json.get("id").is_none());
            assert!(earliest <= resource.at && resource.at <= options.today, "{resource:?}");
            assert!(!resource.fhir.contains("\"\""), "no empty text: {}", resource.fhir);
            *kinds.entry(resource.kind.to_string()).or_default() += 1;
        }
    }
    for kind in [
        "AllergyIntolerance",
        "CarePlan",
        "Communication",
        "Condition",
        "DiagnosticReport",
        "DocumentReference",
        "Encounter",
        "Immunization",
        "MedicationRequest",
        "MedicationStatement",
        "Observation",
    ] {
        assert!(kinds.get(kind).is_some_and(|count| *count > 0), "{kind}: {kinds:?}");
    }
}

#[test]
fn every_name_is_written_and_read_and_every_number_is_made_up() {
    let (city, people) = make(&Options::demo(5, 300, today()));
    let kana = |text: &str| !text.is_empty() && text.chars().all(|c| ('ァ'..='ー').contains(&c));
    let narrow = |text: &str| !text.is_empty() && text.chars().all(|c| ('ｦ'..='ﾟ').contains(&c));
    let mut narrowed = 0;
    for staff in &city.staff {
        assert!(kana(&staff.kana_family) && kana(&staff.kana_given), "{staff:?}");
        assert!(staff.name_en.is_ascii() && staff.name_en.contains(' '), "{staff:?}");
    }
    for person in &people {
        for who in std::iter::once(&person.patient).chain(person.related.iter().map(|r| &r.related_person)) {
            let json = read(who);
            let names = json["name"].as_array().unwrap();
            for representation in ["IDE", "SYL"] {
                assert!(names.iter().any(|n| n["extension"][0]["valueCode"] == representation), "{who}");
            }
            let spoken = names.iter().filter(|n| n["extension"][0]["valueCode"] == "SYL");
            for name in spoken {
                let both = [name["family"].as_str().unwrap(), name["given"][0].as_str().unwrap()];
                assert!(both.iter().all(|text| kana(text)) || both.iter().all(|text| narrow(text)), "{who}");
                narrowed += usize::from(narrow(both[0]));
            }
        }
        let json = read(&person.patient);
        assert!(json["address"][0]["postalCode"].as_str().unwrap().starts_with("000-"));
        assert!(json["telecom"][0]["value"].as_str().unwrap().starts_with("000-"));
    }
    assert!(narrowed > 10, "{narrowed}");
    let written: String = people.iter().map(|p| p.patient.as_str()).collect();
    for rare in ["髙", "﨑", "ﾞ"] {
        assert!(written.contains(rare), "{rare}");
    }
}

#[test]
fn people_are_mostly_elderly_and_families_share_a_home() {
    let (_, people) = make(&Options::bench(6, 400, today()));
    let patients: Vec<_> = people.iter().map(|p| read(&p.patient)).collect();
    let old = patients.iter().filter(|p| p["birthDate"].as_str().unwrap() < "1961-11-21").count();
    assert!(old * 100 > patients.len() * 80, "{old}");
    let mut homes: BTreeMap<(String, String), usize> = BTreeMap::new();
    for patient in &patients {
        let home = (patient["name"][0]["family"].to_string(), patient["address"][0]["text"].to_string());
        *homes.entry(home).or_default() += 1;
    }
    assert!(homes.values().filter(|count| **count == 2).count() >= 20);
    let with = |test: fn(&Person) -> bool| people.iter().filter(|p| test(p)).count();
    assert!(with(|p| p.protection_flag) >= 1);
    assert!(with(|p| p.consents.iter().any(|c| !c.permit)) >= 5);
    assert!(with(|p| p.citizen_login.is_some()) >= 20);
}
