//! Objects, notebooks, search, sessions: what is written comes back, by every way that finds it.

use std::time::Duration;

use mimamori_domain::Action;
use mimamori_domain::{
    ActorId, ClassCode, InstitutionId, KeyId, Kind, ObjectId, RecordState, SessionId, SubjectId, UnitId,
};

use super::{START, TestDatabase, draft, reading, ready};
use crate::statements::{access, ledger, objects, search, upkeep};
use crate::{
    AccessKey, Change, CommitError, MAX_LIST, ObjectHead, ObjectVersion, ObjectVersionError, Question,
    ReadError, Store, Unit, Value, tables,
};

impl ObjectVersion {
    /// A version with every column filled, for tests.
    #[must_use]
    pub fn sample(unit: UnitId) -> Self {
        Self {
            object: ObjectId::random(),
            version: 1,
            kind: Kind::of("Observation"),
            subject: Some(SubjectId::random()),
            class: Some(ClassCode::new("vital-signs").unwrap()),
            state: Some(RecordState::Confirmed),
            author: Some(ActorId::random()),
            on_behalf: Some(ActorId::random()),
            confirmer: Some(ActorId::random()),
            institution: Some(InstitutionId::random()),
            recorded: START,
            pack: [3; 32],
            key: Some(KeyId::random()),
            body: b"ciphertext".to_vec(),
            unit,
            sort_time: Some(START),
        }
    }
}

async fn write(store: &dyn Store, changes: Vec<Change>) {
    let unit = Unit { changes, ..Unit::new() };
    let entry = draft(&unit, Action::Create);
    store.commit(unit.entry(entry)).await.unwrap();
}

pub async fn nulls_have_types(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let unit = Unit::new();
    let version = ObjectVersion {
        subject: None,
        class: None,
        state: None,
        author: None,
        on_behalf: None,
        confirmer: None,
        institution: None,
        key: None,
        sort_time: None,
        ..ObjectVersion::sample(unit.id)
    };
    let head = ObjectHead::of(&version);
    let rows = vec![
        Change::object_version(version.clone()),
        Change::insert(&tables::OBJECT_HEAD, head.clone().into_row()),
        Change::insert(
            &tables::SESSION,
            vec![
                [1; 32].into(),
                SessionId::random().into(),
                ActorId::random().into(),
                None::<Vec<u8>>.into(),
                None::<Vec<u8>>.into(),
                None::<String>.into(),
                "password".into(),
                START.into(),
                START.into(),
                START.into(),
                None::<i64>.into(),
                START.into(),
                None::<i64>.into(),
                None::<i64>.into(),
                None::<i64>.into(),
                None::<Vec<u8>>.into(),
                None::<Vec<u8>>.into(),
            ],
        ),
    ];
    write(store.as_ref(), rows).await;
    let mut row = store.query_one(&objects::CURRENT, vec![version.object.into()]).await.unwrap().unwrap();
    assert_eq!(ObjectVersion::from_row(&mut row, 0).unwrap(), version);
    let row = store.query_one(&objects::HEAD_OF, vec![version.object.into()]).await.unwrap().unwrap();
    assert_eq!(ObjectHead::from_row(&row, 0).unwrap(), head);
    let row = store
        .query_one(&access::SESSION_BY_HASH, vec![[1; 32].into(), [0; 16].into()])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.opt_int(9).unwrap(), row.opt_text(4).unwrap(), row.opt_blob(2).unwrap()),
        (None, None, None)
    );
    store.close().await;
}

pub async fn large_bodies_come_back(database: &dyn TestDatabase) {
    let store = ready(database).await;
    for size in [0, 1, 65_536, 5 << 20] {
        let mut version = ObjectVersion::sample(UnitId::random());
        version.body = (0..size).map(|index: u32| (index % 251) as u8).collect();
        let (object, body) = (version.object, version.body.clone());
        write(store.as_ref(), vec![Change::object_version(version)]).await;
        let mut row =
            store.query_one(&objects::VERSION_AT, vec![object.into(), 1_i64.into()]).await.unwrap().unwrap();
        assert!(ObjectVersion::from_row(&mut row, 0).unwrap().body == body, "{size} bytes");
    }
    store.close().await;
}

pub async fn versions_and_heads_go_together(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let first = ObjectVersion::sample(UnitId::random());
    let head = ObjectHead::of(&first);
    write(
        store.as_ref(),
        vec![Change::object_version(first.clone()), Change::insert(&tables::OBJECT_HEAD, head.into_row())],
    )
    .await;
    let second = ObjectVersion {
        version: 2,
        body: b"amended".to_vec(),
        state: Some(RecordState::Amended),
        ..first.clone()
    };
    let moved = ObjectHead::of(&second).move_from(1);
    write(store.as_ref(), vec![Change::object_version(second.clone()), moved.clone()]).await;
    // Who saw version 1 and amends it too comes too late.
    let unit = Unit::new().change(moved);
    let entry = draft(&unit, Action::Amend);
    let late = store.commit(unit.entry(entry)).await;
    assert!(matches!(late, Err(CommitError::Conflict { expected: 1, found: 0, .. })), "{late:?}");
    let mut row = store.query_one(&objects::CURRENT, vec![first.object.into()]).await.unwrap().unwrap();
    assert_eq!(ObjectVersion::from_row(&mut row, 0).unwrap(), second);
    let rows = store
        .query(&objects::VERSIONS, vec![first.object.into(), i64::MAX.into(), 9_i64.into()])
        .await
        .unwrap();
    let versions: Vec<_> =
        rows.into_iter().map(|mut row| ObjectVersion::from_row(&mut row, 0).unwrap()).collect();
    assert_eq!(versions, [second, first]);
    let all = store
        .query(&objects::ALL_VERSIONS, vec![Vec::new().into(), 0_i64.into(), 9_i64.into()])
        .await
        .unwrap();
    assert_eq!(all.len(), 2);
    store.close().await;
}

pub async fn a_changed_row_is_noticed(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let mut version = ObjectVersion::sample(UnitId::random());
    version.class = Some(ClassCode::new("sensitive").unwrap());
    let object = version.object;
    write(store.as_ref(), vec![Change::object_version(version)]).await;
    database.behind("DROP TABLE IF EXISTS none").await.unwrap();
    let lift = match store.database() {
        "sqlite" => "DROP TRIGGER object_version_no_update",
        _ => "ALTER TABLE object_version DISABLE TRIGGER ALL",
    };
    database.behind(lift).await.unwrap();
    database.behind("UPDATE object_version SET class = 'public'").await.unwrap();
    let mut row =
        store.query_one(&objects::VERSION_AT, vec![object.into(), 1_i64.into()]).await.unwrap().unwrap();
    assert_eq!(ObjectVersion::from_row(&mut row, 0), Err(ObjectVersionError::Commitment));
    store.close().await;
}

pub async fn pages_of_a_notebook(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let (subject, institution) = (SubjectId::random(), InstitutionId::random());
    let mut changes = Vec::new();
    for index in 0..30_u64 {
        // Several share one time, so that the cursor has to tell them apart.
        let sort_time = START.plus(Duration::from_secs(index / 4));
        let version = ObjectVersion {
            subject: Some(subject),
            sort_time: Some(sort_time),
            institution: Some(institution),
            kind: if index % 3 == 0 { Kind::of("Condition") } else { Kind::of("Observation") },
            class: Some(ClassCode::new(if index % 2 == 0 { "note" } else { "secret" }).unwrap()),
            ..ObjectVersion::sample(UnitId::random())
        };
        changes.push(Change::insert(&tables::OBJECT_HEAD, ObjectHead::of(&version).into_row()));
        changes.push(Change::object_version(version));
    }
    write(store.as_ref(), changes).await;

    let labels = store.query(&objects::LABELS, vec![subject.into()]).await.unwrap();
    let mut counts: Vec<_> = labels.iter().map(|row| (row.text(0).unwrap(), row.int(4).unwrap())).collect();
    counts.sort_unstable();
    assert_eq!(counts, [("note", 15), ("secret", 15)]);

    let allowed = || vec!["note".into(), "confirmed".into(), institution.into()];
    let mut cursor = (Value::Int(i64::MAX), Value::from(Vec::new()));
    let mut seen = Vec::new();
    loop {
        let args = vec![subject.into(), cursor.0, cursor.1, 0_i64.into(), 4_i64.into()];
        let rows = store.query_lists(&objects::TIMELINE, args, vec![allowed()]).await.unwrap();
        let Some(last) = rows.last() else { break };
        cursor = (last.int(17).unwrap().into(), last.blob(0).unwrap().into());
        seen.extend(rows.iter().map(|row| {
            (row.int(17).unwrap(), row.blob(0).unwrap().to_vec(), row.text(4).unwrap().to_owned())
        }));
    }
    assert_eq!(seen.len(), 15);
    assert!(seen.iter().all(|(_, _, class)| class == "note"));
    assert!(
        seen.windows(2).all(|pair| (pair[0].0, &pair[0].1) > (pair[1].0, &pair[1].1)),
        "newest first, none twice"
    );

    let args = vec![subject.into(), i64::MAX.into(), Vec::new().into(), 0_i64.into(), 99_i64.into()];
    let conditions = store
        .query_lists(&objects::TIMELINE_OF_KINDS, args, vec![allowed(), vec!["Condition".into()]])
        .await
        .unwrap();
    assert_eq!(conditions.len(), 5);
    let args = vec![subject.into(), 0_i64.into(), i64::MAX.into()];
    let counted = store.query_lists(&objects::COUNT_PER_KIND, args, vec![allowed()]).await.unwrap();
    assert_eq!(counted.iter().map(|row| row.int(1).unwrap()).sum::<i64>(), 15, "counts use the same filter");
    let nothing = vec![subject.into(), i64::MAX.into(), Vec::new().into(), 0_i64.into(), 99_i64.into()];
    assert!(store.query_lists(&objects::TIMELINE, nothing, vec![vec![]]).await.unwrap().is_empty());
    store.close().await;
}

pub async fn people_are_found_by_tokens(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let people: Vec<SubjectId> = (0..5).map(|_| SubjectId::random()).collect();
    let mut rows = Vec::new();
    for (index, person) in people.iter().enumerate() {
        for (field, token) in [(1_i64, [1_u8; 16]), (2, [index as u8 % 2; 16]), (3, [index as u8; 16])] {
            rows.push(vec![field.into(), token.into(), (*person).into(), (*person).into(), 1_i64.into()]);
        }
    }
    write(store.as_ref(), vec![Change::Insert { table: &tables::SEARCH_TOKEN, rows }]).await;
    let tokens = vec![1_i64.into(), [1; 16].into(), 2_i64.into(), [1; 16].into()];
    let args = vec![2_i64.into(), Vec::new().into(), 10_i64.into()];
    let found = store.query_lists(&search::WITH_ALL_TOKENS, args, vec![tokens]).await.unwrap();
    let mut found: Vec<_> = found.iter().map(|row| row.id_of::<SubjectId>(0).unwrap()).collect();
    found.sort_unstable();
    let mut expected = vec![people[1], people[3]];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let three =
        vec![1_i64.into(), [1; 16].into(), 2_i64.into(), [1; 16].into(), 3_i64.into(), [3; 16].into()];
    let args = vec![3_i64.into(), Vec::new().into(), 10_i64.into()];
    let found = store.query_lists(&search::WITH_ALL_TOKENS, args, vec![three]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id_of::<SubjectId>(0).unwrap(), people[3]);
    store.close().await;
}

pub async fn sessions_know_access_versions(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let (actor, session, hash) = (ActorId::random(), SessionId::random(), [5_u8; 32]);
    write(
        store.as_ref(),
        vec![Change::insert(
            &tables::SESSION,
            vec![
                hash.into(),
                session.into(),
                actor.into(),
                Some(InstitutionId::random()).into(),
                None::<Vec<u8>>.into(),
                "ward".into(),
                "password".into(),
                START.into(),
                START.into(),
                START.into(),
                None::<i64>.into(),
                START.into(),
                None::<i64>.into(),
                None::<i64>.into(),
                None::<i64>.into(),
                None::<Vec<u8>>.into(),
                None::<Vec<u8>>.into(),
            ],
        )],
    )
    .await;
    store.commit(reading(SubjectId::random()).bump(actor.into()).bump(AccessKey::PACK)).await.unwrap();
    store.commit(reading(SubjectId::random()).bump(actor.into())).await.unwrap();
    let row = store
        .query_one(&access::SESSION_BY_HASH, vec![hash.into(), AccessKey::PACK.id.into()])
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.int(10).unwrap(), row.int(11).unwrap(), row.int(12).unwrap()), (2, 0, 1));
    let seen = START.plus(Duration::from_secs(5));
    for expected in [1, 0] {
        let change = Change::any(&upkeep::SESSION_SEEN, vec![seen.into(), hash.into()]);
        assert_eq!(store.upkeep(vec![change]).await.unwrap()[0].touched, expected);
    }
    let unit = reading(SubjectId::random())
        .change(Change::one(&access::END_SESSION, vec![seen.into(), session.into()]));
    store.commit(unit).await.unwrap();
    assert!(store.query(&access::SESSIONS_OF, vec![actor.into()]).await.unwrap().is_empty());
    store.close().await;
}

pub async fn long_lists_are_asked_in_parts(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let ids: Vec<ObjectId> = (0..700).map(|_| ObjectId::random()).collect();
    let rows = ids.iter().map(|id| vec![id.to_vec().into(), (*id).into()]).collect();
    write(store.as_ref(), vec![Change::Insert { table: &tables::SOURCE_ID, rows }]).await;
    let list: Vec<Value> = ids.iter().map(|id| Value::from(*id)).collect();
    assert_eq!(store.query_many(&search::SOURCES, vec![], list.clone()).await.unwrap().len(), 700);
    for length in [1, 3, 17, MAX_LIST] {
        let part = list[..length].to_vec();
        assert_eq!(store.query_lists(&search::SOURCES, vec![], vec![part]).await.unwrap().len(), length);
    }
    assert!(
        store.query_lists(&search::SOURCES, vec![], vec![list]).await.is_err(),
        "too long for one statement"
    );
    store.close().await;
}

pub async fn a_snapshot_sees_one_state(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let subject = SubjectId::random();
    let snapshot = store.snapshot().await.unwrap();
    store.commit(reading(subject).bump(subject.into())).await.unwrap();
    let size = async |reads: &dyn crate::Reads| {
        reads.query_one(&ledger::HEAD, vec![]).await.unwrap().unwrap().unsigned(1).unwrap()
    };
    assert_eq!(size(snapshot.as_ref()).await, 1);
    let versions = snapshot.query_lists(&access::VERSIONS, vec![], vec![vec![subject.into()]]).await.unwrap();
    assert!(versions.is_empty());
    drop(snapshot);
    assert_eq!(size(store.as_ref()).await, 2);
    // Dropped snapshots give their connection back.
    for _ in 0..20 {
        drop(store.snapshot().await.unwrap());
    }
    store.close().await;
}

pub async fn questions_are_answered_together(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let subject = SubjectId::random();
    let questions = |lists: Vec<Vec<Value>>| {
        let empty = vec![Vec::new()];
        vec![
            Question { statement: &access::VERSIONS, args: vec![], lists: empty },
            Question { statement: &access::VERSIONS, args: vec![], lists },
            Question::of(&ledger::HEAD, vec![]),
        ]
    };
    let subjects = vec![vec![Value::from(subject)]];
    let snapshot = store.snapshot().await.unwrap();
    // Time and again: no answer keeps the state of an earlier one.
    for round in 1..4_u64 {
        store.commit(reading(subject).bump(subject.into())).await.unwrap();
        let found = store.query_together(questions(subjects.clone())).await.unwrap();
        let [nothing, versions, head] = found.as_slice() else { panic!("{} answers", found.len()) };
        assert!(nothing.is_empty());
        assert_eq!(versions[0].int(2).unwrap(), i64::try_from(round).unwrap());
        assert_eq!(head[0].unsigned(1).unwrap(), round + 1);
        // One that is wrongly asked spoils all of them, and nothing else.
        let refused = store.query_together(questions(Vec::new())).await.unwrap_err();
        assert!(matches!(refused, ReadError::Invalid(_)), "{refused}");
    }
    let found = snapshot.query_together(questions(subjects)).await.unwrap();
    assert!(found[1].is_empty());
    assert_eq!(found[2][0].unsigned(1).unwrap(), 1);
    drop(snapshot);
    assert!(store.query_together(Vec::new()).await.unwrap().is_empty());
    store.close().await;
}
