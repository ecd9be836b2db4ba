//! One read and one write end to end, and what must not happen.

use std::collections::BTreeSet;

use mimamori_app::{CreateAs, ErrorKind, Paging, PeopleQuery, TimelineFilter, Window};
use mimamori_domain::{Action, Kind, ObjectId, RecordState, SubjectId};
use mimamori_fhir::{Handling, SearchQuery};
use mimamori_ledger::Entry;

use crate::support::{START, Site, note, observation};

#[tokio::test]
async fn a_note_goes_from_draft_to_confirmed_and_every_step_is_recorded() {
    let site = Site::new().await;
    let hospital = site.institution("見守り病院").await;
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    let hana = site.sign_in("hana").await;
    let subject = site.person(&hana, "山田", "花").await;

    let draft = site.app.create(&hana, note(subject, "熱が下がった").into(), CreateAs::Draft).await.unwrap();
    assert_eq!(draft.state, RecordState::Draft);
    let kind = Kind::of("Communication");
    let edited = site
        .app
        .update(&hana, &kind, draft.id, note(subject, "熱は36.8℃").into(), draft.version)
        .await
        .unwrap();
    let confirmed = site.app.confirm(&hana, &kind, draft.id, edited.version).await.unwrap();
    assert_eq!((confirmed.state, confirmed.version), (RecordState::Confirmed, 3));
    let amended =
        site.app.update(&hana, &kind, draft.id, note(subject, "熱は36.9℃").into(), 3).await.unwrap();
    assert_eq!(amended.state, RecordState::Amended);
    let stale = site.app.update(&hana, &kind, draft.id, note(subject, "?").into(), 3).await.unwrap_err();
    assert_eq!(stale.kind(), ErrorKind::Conflict);
    assert_eq!(site.app.history(&hana, &kind, draft.id).await.unwrap().len(), 4);

    let page =
        site.app.timeline(&hana, subject, &TimelineFilter::default(), &Paging::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    site.app.checkpoint().await.unwrap();
    let report = site.app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    assert!(report.entries >= 9, "{report:?}");
    assert!(report.versions >= 8, "{report:?}");
}

#[tokio::test]
async fn another_institution_sees_nothing_until_team_and_consent_and_nothing_after() {
    let site = Site::new().await;
    let (hospital, clinic) = (site.institution("病院").await, site.institution("診療所").await);
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    let jiro = site.staff("jiro", Some("doctor"), clinic, &[]).await;
    let (hana, jiro_caller) = (site.sign_in("hana").await, site.sign_in("jiro").await);
    let subject = site.person(&hana, "佐藤", "一郎").await;
    let kept = site.observation(&hana, subject, "36.50").await.unwrap();
    let kind = Kind::of("Observation");

    let refused = |result: mimamori_domain::Result<mimamori_app::Stored>| result.unwrap_err().kind();
    assert_eq!(refused(site.app.read(&jiro_caller, &kind, kept.id).await), ErrorKind::Forbidden);

    site.app.add_team_member(&site.operator(), subject, Some(jiro), None).await.unwrap();
    let consent = site.app.add_consent(&site.operator(), subject, true, None, Some(clinic)).await.unwrap();
    let read = site.app.read(&jiro_caller, &kind, kept.id).await.unwrap();
    assert_eq!(
        read.bytes,
        observation(subject, "36.50").as_bytes(),
        "the bytes come back as they were received"
    );
    let mine = site.app.my_people(&jiro_caller, &Paging::default()).await.unwrap();
    assert_eq!(mine.cards().count(), 1);

    site.app.withdraw_consent(&site.operator(), subject, consent).await.unwrap();
    assert_eq!(refused(site.app.read(&jiro_caller, &kind, kept.id).await), ErrorKind::Forbidden);
    assert!(site.app.read(&hana, &kind, kept.id).await.is_ok(), "never hidden from who answers for it");
}

#[tokio::test]
async fn people_and_records_are_found_by_what_is_indexed_blind() {
    let site = Site::new().await;
    let hospital = site.institution("病院").await;
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    let hana = site.sign_in("hana").await;
    let subject = site.person(&hana, "髙橋", "さくら").await;
    site.person(&hana, "田中", "実").await;
    site.observation(&hana, subject, "38.1").await.unwrap();

    let query = PeopleQuery { name: Some("高橋".to_owned()), ..PeopleQuery::default() };
    let found = site.app.search_people(&hana, &query, &Paging::default()).await.unwrap();
    assert_eq!(found.items.iter().map(|card| card.subject).collect::<Vec<_>>(), [subject]);
    let query = PeopleQuery { birth_date: Some("1940-05".to_owned()), ..PeopleQuery::default() };
    assert_eq!(site.app.search_people(&hana, &query, &Paging::default()).await.unwrap().items.len(), 2);

    let params = |text: &str| {
        text.split('&')
            .map(|pair| pair.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap())
            .collect::<Vec<_>>()
    };
    let search = async |text: &str| {
        let query = SearchQuery::parse("Observation", &params(text), Handling::Strict).unwrap();
        site.app.search(&hana, &query, &Paging::default()).await.unwrap().items.len()
    };
    assert_eq!(search(&format!("patient={subject}&code=http://loinc.org|8310-5")).await, 1);
    assert_eq!(search(&format!("patient={subject}&code=8310-5&date=2026-11-20")).await, 1);
    assert_eq!(search(&format!("patient={subject}&code=8867-4")).await, 0);
    assert_eq!(search(&format!("patient={subject}&category=vital-signs&date=ge2026-11-21")).await, 0);
}

#[tokio::test]
async fn the_newest_of_a_search_come_in_one_answer_however_many_and_one_entry_names_them() {
    let site = Site::new().await;
    let hospital = site.institution("病院").await;
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    let hana = site.sign_in("hana").await;
    let subject = site.person(&hana, "髙橋", "さくら").await;
    let mut written = Vec::new();
    for _ in 0..205 {
        written.push(site.observation(&hana, subject, "36.4").await.unwrap().id);
    }
    let asked =
        [("patient".to_owned(), subject.to_string()), ("category".to_owned(), "vital-signs".to_owned())];
    let query = SearchQuery::parse("Observation", &asked, Handling::Strict).unwrap();
    let before = crate::staleness::entries(&*site.store, 0).await.len() as u64;
    let (found, more) = site.app.search_newest(&hana, &query).await.unwrap();
    assert!(!more);
    let found: BTreeSet<ObjectId> = found.into_iter().map(|(stored, _)| stored.id).collect();
    assert_eq!(found, written.into_iter().collect());
    let entries = crate::staleness::entries(&*site.store, before).await;
    let counts =
        entries.iter().map(|Entry { draft, .. }| (draft.action, draft.count, draft.commitments.len()));
    assert_eq!(counts.collect::<Vec<_>>(), [(Action::Search, 205, 0), (Action::Read, 205, 205)]);
}

#[tokio::test]
async fn a_name_is_found_however_its_kanji_and_kana_are_written_and_shown_as_written() {
    let site = Site::new().await;
    let hospital = site.institution("病院").await;
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    let hana = site.sign_in("hana").await;
    let found = async |words: &str| {
        let query = PeopleQuery { name: Some(words.to_owned()), ..PeopleQuery::default() };
        let page = site.app.search_people(&hana, &query, &Paging::default()).await.unwrap();
        let mut found: Vec<SubjectId> = page.items.iter().map(|card| card.subject).collect();
        found.sort_unstable();
        (
            found,
            page.items.iter().map(|card| String::from_utf8_lossy(&card.patient.bytes).into_owned()).collect(),
        )
    };
    for (one, other) in [("髙橋", "高橋"), ("𠮷田", "吉田"), ("山﨑", "山崎"), ("渡邉", "渡辺")]
    {
        let mut both = [site.person(&hana, one, "さくら").await, site.person(&hana, other, "実").await];
        both.sort_unstable();
        for asked in [one, other] {
            let (subjects, shown): (_, Vec<String>) = found(asked).await;
            assert_eq!(subjects, both, "{asked}");
            for written in [one, other] {
                let family = format!(r#""family":"{written}""#);
                assert_eq!(shown.iter().filter(|patient| patient.contains(&family)).count(), 1, "{written}");
            }
        }
    }
    let narrow = r#"{"resourceType":"Patient","name":[{"family":"宮﨑","given":["花"]},{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"SYL"}],"family":"ﾐﾔｻﾞｷ","given":["ﾊﾅ"]}],"gender":"female","birthDate":"1940-05-06"}"#;
    let kept = site.app.create(&hana, narrow.into(), CreateAs::Confirmed).await.unwrap();
    for asked in ["ミヤザキ", "ﾐﾔｻﾞｷ", "みやざき", "宮崎", "宮﨑"] {
        let (subjects, shown): (_, Vec<String>) = found(asked).await;
        assert_eq!(subjects, [kept.subject.unwrap()], "{asked}");
        assert!(shown.concat().contains("ﾐﾔｻﾞｷ") && shown.concat().contains("宮﨑"), "{asked}");
    }
}

#[tokio::test]
async fn who_looked_is_told_to_the_person_and_to_auditors_only() {
    let site = Site::new().await;
    let hospital = site.institution("病院").await;
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    site.staff("kansa", None, hospital, &["auditor"]).await;
    let hana = site.sign_in("hana").await;
    let subject = site.person(&hana, "鈴木", "春").await;
    site.app
        .add_citizen(&site.operator(), "haru", "鈴木 春", crate::support::PASSWORD, Some(subject))
        .await
        .unwrap();
    site.app.person(&hana, subject).await.unwrap();
    let window = Window { from: START, until: START.plus(std::time::Duration::from_secs(3600)) };
    let (haru, kansa) = (site.sign_in("haru").await, site.sign_in("kansa").await);
    let rows = site.app.who_looked(&haru, subject, window, &Paging::default()).await.unwrap();
    assert!(
        rows.items.iter().any(|row| row.actor.as_ref().is_some_and(|actor| actor.name.starts_with("hana")))
    );
    let rows = site.app.who_looked(&kansa, subject, window, &Paging::default()).await.unwrap();
    assert!(rows.items.iter().all(|row| row.subject.as_ref().is_none_or(|(_, name)| name.is_empty())));
    let counts = site.app.review_counts(&kansa, &[window], &Paging::default()).await.unwrap();
    assert_eq!(counts.people.items.iter().map(|count| count.subject).collect::<Vec<_>>(), [subject]);
    assert_eq!(counts.windows, [counts.people.items[0].count]);
    // Day by day the same.
    let before = Window { from: START.minus(std::time::Duration::from_secs(3600)), until: START };
    let split = site.app.review_counts(&kansa, &[before, window], &Paging::default()).await.unwrap();
    assert_eq!((split.windows, split.people.items.len()), (vec![0, counts.windows[0]], 1));
    let many = site.app.review_counts(&kansa, &[window; 101], &Paging::default()).await.unwrap_err();
    assert_eq!(many.kind(), ErrorKind::Invalid);
    let refused = site.app.review_counts(&hana, &[window], &Paging::default()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Forbidden);
    assert!(site.app.person(&kansa, subject).await.is_err(), "no role opens a record");
}

#[tokio::test]
async fn records_kept_together_are_all_there_or_none() {
    let town = crate::town::Town::new(crate::support::On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = town.caller("hana").await;
    let (measured, store) = (Kind::of("Observation"), &*town.site.store);
    let kept = |texts: [String; 3]| texts.map(bytes::Bytes::from);
    let temperatures = |subjects: [_; 3]| kept(subjects.map(|subject| observation(subject, "36.7")));
    let count = async || crate::staleness::entries(store, 0).await.len();

    // A person without any key of this class yet: one is made, for all three.
    let stranger = town.site.person(&hana, "鈴木", "三郎").await;
    let before = count().await;
    let all = app.create_together(&hana, &temperatures([stranger; 3]), CreateAs::Confirmed).await.unwrap();
    let mut units = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for stored in &all {
        let version = crate::support::version_of(store, stored.id, 1).await;
        units.insert(version.unit);
        keys.insert(version.key);
        app.read(&hana, &measured, stored.id).await.unwrap();
    }
    assert_eq!((all.len(), units.len(), keys.len()), (3, 1, 1));
    assert_eq!(count().await, before + 6, "an entry for each record kept, and for each read");

    // One that is wrong, about somebody else or not permitted: none is kept.
    let unseen = town.caller("jiro").await;
    let before = count().await;
    let wrong = kept([observation(stranger, "36.7"), "{}".to_owned(), observation(stranger, "36.7")]);
    let others = temperatures([stranger, ids.other, stranger]);
    for (caller, all, kind) in [
        (&hana, &wrong, ErrorKind::Invalid),
        (&hana, &others, ErrorKind::Invalid),
        (&unseen, &temperatures([stranger; 3]), ErrorKind::Forbidden),
    ] {
        assert_eq!(app.create_together(caller, all, CreateAs::Confirmed).await.unwrap_err().kind(), kind);
    }
    let written = crate::staleness::entries(store, before as u64).await;
    let done: Vec<_> = written.iter().map(|entry| entry.draft.outcome).collect();
    assert_eq!(done, [mimamori_domain::Outcome::Refused], "the refusal alone");
    let report = app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    town.site.store.close().await;
}
