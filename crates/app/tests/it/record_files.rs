//! Files of records: kept with their record or not at all, opened by whoever may see the record and
//! nobody else, and never what they are not.

use bytes::Bytes;
use mimamori_app::{App, Caller, CreateAs, ErrorKind, RecordFile};
use mimamori_domain::{Action, Kind, ObjectId, Outcome, RecordState, SubjectId};

use crate::staleness::entries;
use crate::support::On;
use crate::town::Town;

const DOCUMENT: Kind = Kind::of("DocumentReference");
const NOTE: Kind = Kind::of("Communication");

pub const PDF: &[u8] = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\nstartxref\n9\n%%EOF\n";

/// A file that was looked at.
pub fn a_file(app: &App) -> RecordFile {
    app.looked_at("紹介状.pdf", Some("application/pdf"), &Bytes::from_static(PDF)).unwrap()
}

/// A FHIR DocumentReference that names files.
pub fn document(subject: SubjectId, files: &[&RecordFile]) -> Bytes {
    let content: Vec<_> =
        files.iter().map(|file| serde_json::json!({ "attachment": file.attachment() })).collect();
    let resource = serde_json::json!({
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": { "reference": format!("Patient/{subject}") },
        "description": "紹介状",
        "content": content,
    });
    Bytes::from(resource.to_string())
}

fn id_of(file: &RecordFile) -> ObjectId {
    file.url().strip_prefix("Binary/").unwrap().parse().unwrap()
}

/// Keeps a document with a file; gives the ids of both.
pub async fn paper(app: &App, by: &Caller, subject: SubjectId, how: CreateAs) -> (ObjectId, ObjectId) {
    let file = a_file(app);
    let id = id_of(&file);
    let kept = app.create_with_files(by, document(subject, &[&file]), std::slice::from_ref(&file), how).await;
    (kept.unwrap().id, id)
}

async fn kept_opened_and_recorded(on: On) {
    let town = Town::new(on).await;
    let (app, ids) = (&town.site.app, town.ids);
    let (hana, jiro, haru) =
        (town.caller("hana").await, town.caller("jiro").await, town.caller("haru").await);
    let before = entries(&*town.site.store, 0).await.len() as u64;
    let (record, file) = paper(app, &hana, ids.subject, CreateAs::Confirmed).await;
    let created = entries(&*town.site.store, before).await;
    let [created] = &created[..] else { panic!("{} entries", created.len()) };
    assert_eq!((created.draft.action, created.draft.commitments.len()), (Action::Create, 2));

    for caller in [&hana, &jiro, &haru] {
        let before = entries(&*town.site.store, 0).await.len() as u64;
        let opened = app.record_file(caller, &DOCUMENT, record, file).await.unwrap();
        assert_eq!((opened.name.as_str(), opened.media_type.as_str()), ("紹介状.pdf", "application/pdf"));
        assert_eq!(opened.bytes, PDF);
        let told = entries(&*town.site.store, before).await;
        let [told] = &told[..] else { panic!("{} entries", told.len()) };
        assert_eq!(told.draft.action, Action::Read);
        assert_eq!(told.draft.resource, Some((DOCUMENT, Some(record))));
        assert_eq!(told.draft.subject, Some(ids.subject));
        assert_eq!(told.draft.actor, Some(caller.actor_id()));
        assert_eq!(told.draft.commitments, created.draft.commitments);
    }
    let (kind, of, opened) = app.binary(&jiro, file).await.unwrap();
    assert_eq!((kind, of, opened.bytes), (DOCUMENT, record, PDF.to_vec()));

    // By itself it is no record: it is neither read nor listed.
    let binary = Kind::of("Binary");
    assert_eq!(app.read(&hana, &binary, file).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(app.history(&hana, &binary, file).await.unwrap_err().kind(), ErrorKind::NotFound);
    let listed = app.timeline(&hana, ids.subject, &Default::default(), &Default::default()).await.unwrap();
    assert!(listed.items.iter().any(|item| item.id == record));
    assert!(listed.items.iter().all(|item| item.id != file));

    app.checkpoint().await.unwrap();
    let report = app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
    town.site.store.close().await;
}

#[tokio::test]
async fn a_file_is_kept_opened_and_recorded_with_its_record() {
    kept_opened_and_recorded(On::Sqlite).await;
}

#[tokio::test]
async fn a_file_is_kept_opened_and_recorded_with_its_record_on_postgres() {
    kept_opened_and_recorded(On::Postgres).await;
}

#[tokio::test]
async fn whoever_may_not_see_the_record_opens_no_file_of_it() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let (hana, jiro) = (town.caller("hana").await, town.caller("jiro").await);
    // The clinic has nothing to do with this person.
    let (record, file) = paper(app, &hana, ids.other, CreateAs::Confirmed).await;
    let before = entries(&*town.site.store, 0).await.len() as u64;
    for refused in [
        app.record_file(&jiro, &DOCUMENT, record, file).await.unwrap_err(),
        app.binary(&jiro, file).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::Forbidden);
    }
    let told = entries(&*town.site.store, before).await;
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|entry| entry.draft.outcome == Outcome::Refused));

    // A record that names somebody's file gives nobody that file.
    let own = serde_json::json!({
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": { "reference": format!("Patient/{}", ids.subject) },
        "content": [{ "attachment": { "contentType": "application/pdf", "url": format!("Binary/{file}") } }],
    });
    let stolen = app.create(&jiro, own.to_string().into(), CreateAs::Confirmed).await.unwrap();
    let error = app.record_file(&jiro, &DOCUMENT, stolen.id, file).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    // Not even of the same person.
    let (_, second) = paper(app, &hana, ids.subject, CreateAs::Confirmed).await;
    let named = document(ids.subject, &[]);
    let named = String::from_utf8(named.to_vec())
        .unwrap()
        .replace("\"content\":[]", &format!(r#""content":[{{"attachment":{{"url":"Binary/{second}"}}}}]"#));
    let stolen = app.create(&jiro, named.into(), CreateAs::Confirmed).await.unwrap();
    let error = app.record_file(&jiro, &DOCUMENT, stolen.id, second).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for unknown in [ObjectId::random(), record] {
        assert_eq!(
            app.record_file(&hana, &DOCUMENT, record, unknown).await.unwrap_err().kind(),
            ErrorKind::NotFound
        );
        assert_eq!(app.binary(&hana, unknown).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    town.site.store.close().await;
}

/// A note with photographs.
fn note(subject: SubjectId, files: &[&RecordFile]) -> Bytes {
    let mut payload = vec![serde_json::json!({ "contentString": "かかとの傷" })];
    payload.extend(files.iter().map(|file| serde_json::json!({ "contentAttachment": file.attachment() })));
    let resource = serde_json::json!({
        "resourceType": "Communication",
        "status": "completed",
        "subject": { "reference": format!("Patient/{subject}") },
        "payload": payload,
    });
    Bytes::from(resource.to_string())
}

#[tokio::test]
async fn a_draft_s_files_are_its_author_s_and_what_is_taken_off_before_confirming_nobody_sees() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let (hana, jiro) = (town.caller("hana").await, town.caller("jiro").await);
    let (wrong, right) = (a_file(app), a_file(app));
    let files = [wrong.clone()];
    let draft = app.create_with_files(&hana, note(ids.subject, &[&wrong]), &files, CreateAs::Draft).await;
    let draft = draft.unwrap();
    let open = async |caller: &Caller, file: &RecordFile| {
        app.record_file(caller, &NOTE, draft.id, id_of(file)).await.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(open(&hana, &wrong).await, Ok(()));
    assert_eq!(open(&jiro, &wrong).await, Err(ErrorKind::Forbidden));

    let files = [right.clone()];
    let edited = app
        .update_with_files(&hana, &NOTE, draft.id, note(ids.subject, &[&right]), &files, draft.version)
        .await
        .unwrap();
    let confirmed = app.confirm(&hana, &NOTE, draft.id, edited.version).await.unwrap();
    assert_eq!(confirmed.state, RecordState::Confirmed);
    assert_eq!(open(&jiro, &right).await, Ok(()));
    assert_eq!(open(&jiro, &wrong).await, Err(ErrorKind::NotFound));

    // A draft that is thrown away takes its photographs with it.
    let photo = a_file(app);
    let files = [photo.clone()];
    let thrown = app.create_with_files(&hana, note(ids.subject, &[&photo]), &files, CreateAs::Draft).await;
    let thrown = thrown.unwrap();
    app.discard_record(&hana, &NOTE, thrown.id, 1).await.unwrap();
    for refused in [
        app.record_file(&hana, &NOTE, thrown.id, id_of(&photo)).await.unwrap_err(),
        app.binary(&hana, id_of(&photo)).await.unwrap_err(),
    ] {
        assert_eq!(refused.kind(), ErrorKind::NotFound);
    }
    town.site.store.close().await;
}

#[tokio::test]
async fn a_record_and_its_files_stand_or_fall_together() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = town.caller("hana").await;
    let (named, unnamed) = (a_file(app), a_file(app));
    let before = entries(&*town.site.store, 0).await.len() as u64;
    let record = document(ids.subject, &[&named]);
    let files = [named.clone(), unnamed];
    let error = app.create_with_files(&hana, record, &files, CreateAs::Confirmed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let many: Vec<RecordFile> = (0..=mimamori_app::MOST_FILES).map(|_| a_file(app)).collect();
    let record = document(ids.subject, &many.iter().collect::<Vec<_>>());
    let error = app.create_with_files(&hana, record, &many, CreateAs::Confirmed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    // The same file a second time: its object is there already, and nothing of the unit is kept.
    let files = [named.clone()];
    let once = document(ids.subject, &[&named]);
    app.create_with_files(&hana, once.clone(), &files, CreateAs::Confirmed).await.unwrap();
    let kept = async || {
        let page = app.timeline(&hana, ids.subject, &Default::default(), &Default::default()).await;
        page.unwrap().items.iter().filter(|item| item.kind == DOCUMENT).count()
    };
    assert_eq!(kept().await, 1);
    app.create_with_files(&hana, once, &files, CreateAs::Confirmed).await.unwrap_err();
    assert_eq!(kept().await, 1);
    let created = entries(&*town.site.store, before).await;
    let created = created.iter().filter(|e| e.draft.action == Action::Create);
    assert_eq!(created.filter(|e| e.draft.outcome == Outcome::Success).count(), 1);
    town.site.store.close().await;
}

#[tokio::test]
async fn only_what_is_what_it_says_and_is_whole_is_taken() {
    let town = Town::new(On::Sqlite).await;
    let app = &town.site.app;
    let look = |name: &str, stated: Option<&str>, bytes: &[u8]| {
        app.looked_at(name, stated, &Bytes::copy_from_slice(bytes)).map(|file| file.media_type())
    };
    assert_eq!(look("a.pdf", None, PDF).unwrap(), "application/pdf");
    assert_eq!(look("メモ.txt", Some("text/plain"), "夕食 8割".as_bytes()).unwrap(), "text/plain");
    let wrong: [(&str, Option<&str>, &[u8]); 10] = [
        ("a.png", Some("image/png"), PDF),
        ("a.svg", Some("image/svg+xml"), b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"),
        ("a.txt", Some("text/plain"), b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        ("a.html", Some("text/html"), b"<!DOCTYPE html><script>1</script>"),
        ("a.txt", None, b" \n<html></html>"),
        ("a.pdf", Some("application/pdf"), &PDF[..40]),
        ("a.jpg", Some("image/jpeg"), b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
        ("a.zip", Some("application/zip"), b"PK\x03\x04"),
        ("", None, PDF),
        ("a\u{7}.pdf", None, PDF),
    ];
    for (name, stated, bytes) in wrong {
        let error = look(name, stated, bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name} {stated:?}");
    }
    let most = app.most_file_bytes().unwrap();
    assert!(look("a.txt", None, &vec![b'a'; most]).is_ok());
    assert!(look("a.txt", None, &vec![b'a'; most + 1]).is_err());
    town.site.store.close().await;
}
