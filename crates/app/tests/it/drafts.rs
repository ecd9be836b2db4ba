//! Drafts are their author's alone: while they are drafts, after they were thrown away, and as the
//! first versions of what was confirmed.

use mimamori_app::{App, Caller, CreateAs, ErrorKind, Paging, TimelineFilter};
use mimamori_domain::{Action, Kind, ObjectId, Outcome, RecordState, SubjectId};
use mimamori_fhir::{Handling, SearchQuery};

use crate::staleness::entries;
use crate::support::{On, note, observation, version_of};
use crate::town::Town;

const TEXT: Kind = Kind::of("Communication");

/// Somebody else of the author's institution, and somebody of the care team elsewhere.
async fn others(town: &Town) -> [Caller; 2] {
    town.site.staff("mari", Some("doctor"), town.ids.hospital, &[]).await;
    [town.caller("mari").await, town.caller("jiro").await]
}

/// What anybody gets of a record by any way to read there is.
async fn found(app: &App, caller: &Caller, subject: SubjectId, kind: &Kind, id: ObjectId) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |how: &str, ids: Vec<ObjectId>| {
        if ids.contains(&id) {
            found.push(how.to_owned());
        }
    };
    let all = Paging::default();
    let ids = |items: Vec<mimamori_app::Stored>| items.into_iter().map(|item| item.id).collect::<Vec<_>>();
    add("read", app.read(caller, kind, id).await.map(|stored| vec![stored.id]).unwrap_or_default());
    add("history", app.history(caller, kind, id).await.map(ids).unwrap_or_default());
    for version in 1..=3 {
        let one = app.vread(caller, kind, id, version).await.map(|stored| vec![stored.id]);
        add(&format!("version {version}"), one.unwrap_or_default());
    }
    let page = app.timeline(caller, subject, &TimelineFilter::default(), &all).await;
    add("timeline", ids(page.map(|page| page.items).unwrap_or_default()));
    let asked = [("patient".to_owned(), subject.to_string())];
    let query = SearchQuery::parse("Observation", &asked, Handling::Strict).unwrap();
    add("search", ids(app.search(caller, &query, &all).await.map(|page| page.items).unwrap_or_default()));
    found
}

#[tokio::test]
async fn a_draft_is_not_withdrawn_so_nobody_reads_it_as_withdrawn() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = town.caller("hana").await;
    let others = others(&town).await;
    let draft = app.create(&hana, note(ids.subject, "書きかけ").into(), CreateAs::Draft).await.unwrap();
    let error = app.withdraw(&hana, &TEXT, draft.id, 1, "書き損じ").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    for other in &others {
        // Nor are others told that there is a draft.
        let error = app.withdraw(other, &TEXT, draft.id, 1, "書き損じ").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        assert_eq!(found(app, other, ids.subject, &TEXT, draft.id).await, Vec::<String>::new());
    }
    town.site.store.close().await;
}

#[tokio::test]
async fn a_discarded_draft_is_nowhere_any_more() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = town.caller("hana").await;
    let others = others(&town).await;
    let measured = Kind::of("Observation");
    let drafts = [(TEXT, note(ids.subject, "書きかけ")), (measured, observation(ids.subject, "39.9"))];
    for (kind, text) in drafts {
        let draft = app.create(&hana, text.into(), CreateAs::Draft).await.unwrap();
        for other in &others {
            let error = app.discard_record(other, &kind, draft.id, 1).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Forbidden);
        }
        assert_eq!(
            app.discard_record(&hana, &kind, draft.id, 7).await.unwrap_err().kind(),
            ErrorKind::Conflict
        );
        app.discard_record(&hana, &kind, draft.id, 1).await.unwrap();

        let entry = entries(&*town.site.store, 0).await.pop().unwrap().draft;
        assert_eq!(
            (entry.action, entry.outcome, entry.version),
            (Action::Withdraw, Outcome::Success, Some(2))
        );
        assert_eq!((entry.actor, entry.subject), (Some(ids.hana), Some(ids.subject)));
        let last = version_of(&*town.site.store, draft.id, 2).await;
        assert_eq!((last.state, last.institution), (Some(RecordState::Withdrawn), None));
        assert!(last.body.len() < 200, "nothing of what was written is in it");

        for other in &others {
            assert_eq!(found(app, other, ids.subject, &kind, draft.id).await, Vec::<String>::new());
        }
        // To its author too it is gone, but for the versions they wrote themselves.
        let left = found(app, &hana, ids.subject, &kind, draft.id).await;
        assert_eq!(left, ["version 1"]);
        for error in [
            app.confirm(&hana, &kind, draft.id, 2).await.unwrap_err(),
            app.discard_record(&hana, &kind, draft.id, 2).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound);
        }
    }
    // What was confirmed is withdrawn, never discarded.
    let error = app.discard_record(&hana, &TEXT, ids.note, 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    let report = app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    town.site.store.close().await;
}

#[tokio::test]
async fn what_was_confirmed_shows_its_drafts_to_its_author_alone() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = town.caller("hana").await;
    let draft = app.create(&hana, note(ids.subject, "書きかけ").into(), CreateAs::Draft).await.unwrap();
    app.update(&hana, &TEXT, draft.id, note(ids.subject, "書き直し").into(), 1).await.unwrap();
    app.confirm(&hana, &TEXT, draft.id, 2).await.unwrap();
    app.update(&hana, &TEXT, draft.id, note(ids.subject, "訂正した").into(), 3).await.unwrap();
    let versions = async |caller: &Caller| -> Vec<u64> {
        app.history(caller, &TEXT, draft.id).await.unwrap().iter().map(|stored| stored.version).collect()
    };
    assert_eq!(versions(&hana).await, [4, 3, 2, 1]);
    for other in others(&town).await {
        assert_eq!(versions(&other).await, [4, 3]);
        for draft_version in [1, 2] {
            let error = app.vread(&other, &TEXT, draft.id, draft_version).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Forbidden);
        }
    }
    // Withdrawing it does not open them either.
    app.withdraw(&hana, &TEXT, draft.id, 4, "取り違え").await.unwrap();
    for login in ["mari", "jiro"] {
        assert_eq!(versions(&town.caller(login).await).await, [5, 4, 3]);
    }
    town.site.store.close().await;
}

#[tokio::test]
async fn why_something_was_withdrawn_is_shown_to_those_who_may_read_it() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = town.caller("hana").await;
    app.withdraw(&hana, &TEXT, ids.note, 1, " 取り違え ").await.unwrap();
    for caller in [&hana, &town.caller("jiro").await] {
        let history = app.history(caller, &TEXT, ids.note).await.unwrap();
        let told: Vec<_> = history.iter().map(|stored| stored.withdrawn_because.as_deref()).collect();
        assert_eq!(told, [Some("取り違え"), None]);
        assert!(!format!("{history:?}").contains("取り違え"));
    }
    // Not to the person, who sees only what was confirmed.
    let haru = town.caller("haru").await;
    let history = app.history(&haru, &TEXT, ids.note).await.unwrap();
    assert!(history.iter().all(|stored| stored.withdrawn_because.is_none()));
    town.site.store.close().await;
}
