//! Finding somebody in danger to life whom one is not yet permitted to see.

use mimamori_app::{ErrorKind, Paging, PeopleQuery};
use mimamori_domain::{Action, LegalBasis, Outcome, Purpose};

use crate::staleness::entries;
use crate::support::On;
use crate::town::Town;

fn asked(name: &str, birth_date: &str) -> PeopleQuery {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    PeopleQuery { name: some(name), birth_date: some(birth_date), ..PeopleQuery::default() }
}

#[tokio::test]
async fn a_doctor_finds_a_stranger_by_whole_name_and_birth_date_and_only_what_declaring_needs() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let jiro = town.caller("jiro").await;
    let query = asked("佐藤 一郎", "1940-05-06");
    let nobody = app.search_people(&jiro, &query, &Paging::default()).await.unwrap();
    assert!(nobody.items.is_empty(), "the clinic has nothing to do with them");

    let from = entries(&*town.site.store, 0).await.len() as u64;
    let found = app.find_in_emergency(&jiro, &query).await.unwrap();
    let [card] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((card.subject, card.name.as_str()), (ids.other, "佐藤 一郎"));
    assert_eq!((card.kana.as_deref(), card.birth_date.as_deref()), (None, Some("1940-05-06")));
    let written = entries(&*town.site.store, from).await;
    let told: Vec<_> = written
        .iter()
        .map(|entry| &entry.draft)
        .map(|entry| {
            (entry.action, entry.outcome, entry.purpose, entry.legal_basis, entry.subject, entry.count)
        })
        .collect();
    let so = |action, subject| {
        (action, Outcome::Success, Purpose::Emergency, LegalBasis::DangerToLife, subject, 1)
    };
    assert_eq!(told, [so(Action::Search, None), so(Action::Read, Some(ids.other))]);

    // It permits nothing by itself; declaring it does.
    assert_eq!(app.person(&jiro, ids.other).await.unwrap_err().kind(), ErrorKind::Forbidden);
    app.break_glass(&jiro, ids.other, "意識がない").await.unwrap();
    app.person(&jiro, ids.other).await.unwrap();
    town.site.store.close().await;
}

#[tokio::test]
async fn beginnings_other_days_and_others_find_nobody() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let jiro = town.caller("jiro").await;
    // Parted otherwise, it is the same name; a part of it or another day is not.
    assert_eq!(app.find_in_emergency(&jiro, &asked("佐藤一郎", "1940-05-06")).await.unwrap().len(), 1);
    for (name, day) in [("佐藤", "1940-05-06"), ("佐藤 一", "1940-05-06"), ("佐藤 一郎", "1940-05-07")]
    {
        assert_eq!(app.find_in_emergency(&jiro, &asked(name, day)).await.unwrap(), [], "{name} {day}");
    }
    // What does not name one person is not asked.
    for (name, day) in
        [("佐藤 一郎", ""), ("", "1940-05-06"), ("佐藤 一郎", "1940"), ("佐藤 一郎", "1940-05")]
    {
        let error = app.find_in_emergency(&jiro, &asked(name, day)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name} {day}");
    }
    // A number alone does.
    let number = |value: &str| PeopleQuery { identifier: Some(value.to_owned()), ..PeopleQuery::default() };
    let hana = town.caller("hana").await;
    let patient = r#"{"resourceType":"Patient","identifier":[{"system":"urn:x","value":"55501"}],"name":[{"text":"田中 実"}],"birthDate":"1950-01-01"}"#;
    let kept = app.create(&hana, patient.into(), mimamori_app::CreateAs::Confirmed).await.unwrap();
    let found = app.find_in_emergency(&jiro, &number("55501")).await.unwrap();
    assert_eq!(found.iter().map(|card| card.subject).collect::<Vec<_>>(), [kept.subject.unwrap()]);
    assert_eq!(app.find_in_emergency(&jiro, &number("5550")).await.unwrap(), []);

    // Nobody but those whom the pack names, and a refusal is recorded.
    town.site.staff("kiku", Some("helper"), ids.clinic, &[]).await;
    for login in ["kiku", "kansa", "haru"] {
        let other = town.caller(login).await;
        let error = app.find_in_emergency(&other, &asked("佐藤 一郎", "1940-05-06")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{login}");
        let last = entries(&*town.site.store, 0).await.pop().unwrap().draft;
        assert_eq!((last.action, last.outcome), (Action::BreakGlass, Outcome::Refused), "{login}");
    }
    town.site.store.close().await;
}
