//! The commit queue: guards, batches, order, places in the ledger.

use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{Action, ActorId, ManualClock, Outcome, SubjectId, Timestamp, UnitId};
use mimamori_ledger::{Frontier, leaf_hash};
use tokio::task::JoinSet;

use super::{START, TestDatabase, begin, draft, entries, options, reading, ready};
use crate::statements::{ledger, objects};
use crate::{
    AccessKey, Change, CommitError, NewEpoch, ObjectHead, ObjectVersion, Unit, Value, sequence_at, tables,
};

pub async fn a_unit_commits_with_its_entries(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let subject = SubjectId::random();
    let unit = Unit::new();
    let mut version = ObjectVersion::sample(unit.id);
    version.subject = Some(subject);
    let commitment = version.commitment();
    let head = ObjectHead::of(&version);
    let object = version.object;
    let mut first = draft(&unit, Action::Create);
    first.subject = Some(subject);
    first.actor = version.author;
    first.commitments = vec![commitment];
    let second = draft(&unit, Action::Read);
    let id = unit.id;
    let unit = unit
        .change(Change::object_version(version))
        .change(Change::insert(&tables::OBJECT_HEAD, head.into_row()))
        .bump(subject.into())
        .entry(first)
        .entry(second);
    let done = store.commit(unit).await.unwrap();
    assert_eq!((done.epoch, done.first_sequence, done.entries, done.recorded), (0, 1, 2, START));

    let mut row = store.query_one(&objects::CURRENT, vec![object.into()]).await.unwrap().unwrap();
    assert_eq!(row.int(18).unwrap(), 1, "the subject's access version comes with its record");
    let stored = ObjectVersion::from_row(&mut row, 0).unwrap();
    assert_eq!((stored.object, stored.unit, stored.commitment()), (object, id, commitment));

    let all = entries(store.as_ref(), 0).await;
    assert_eq!(all.len(), 3);
    assert_eq!(all[1].0.draft.commitments, [commitment]);
    assert!(all[1..].iter().all(|(entry, _)| entry.draft.unit == id));
    let args = vec![subject.into(), 0_i64.into(), 0_i64.into(), 9_i64.into(), 9_i64.into()];
    let of_subject = store.query(&ledger::ENTRIES_OF_SUBJECT, args).await.unwrap();
    assert_eq!(of_subject.len(), 1);
    assert_eq!(of_subject[0].blob(1).unwrap(), all[1].1);
    store.close().await;
}

pub async fn wrongly_made_units_are_refused(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let with_entry = |unit: Unit| {
        let entry = draft(&unit, Action::Update);
        unit.entry(entry)
    };
    let mut long = with_entry(Unit::new());
    long.entries[0].commitments = vec![[0; 32]; 5000];
    let forged = tables::LEDGER_ENTRY.columns.iter().map(|column| Value::Null(column.column)).collect();
    let wrong = [
        ("no entry", Unit::new()),
        (
            "a reading statement",
            with_entry(Unit::new().change(Change::any(&objects::HEAD_OF, vec![[0; 16].into()]))),
        ),
        (
            "a wrong type",
            with_entry(
                Unit::new().change(Change::any(&objects::UNLINK_ROLE, vec![1_i64.into(), "x".into()])),
            ),
        ),
        ("too few values", with_entry(Unit::new().change(Change::insert(&tables::LINK, vec![])))),
        (
            "NUL in text",
            with_entry(
                Unit::new().change(Change::any(&objects::UNLINK_ROLE, vec![[0; 16].into(), "a\0b".into()])),
            ),
        ),
        (
            "a ledger entry of its own making",
            with_entry(Unit::new().change(Change::insert(&tables::LEDGER_ENTRY, forged))),
        ),
        ("an entry too long", long),
    ];
    for (what, unit) in wrong {
        let refused = store.commit(unit).await;
        assert!(matches!(refused, Err(CommitError::Invalid(_))), "{what}: {refused:?}");
    }
    let ledgered = Change::any(&objects::UNLINK_ROLE, vec![[0; 16].into(), "x".into()]);
    assert!(matches!(store.upkeep(vec![ledgered]).await, Err(CommitError::Invalid(_))));
    assert_eq!(entries(store.as_ref(), 0).await.len(), 1);
    store.close().await;
}

pub async fn guards_hold(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let (subject, actor) = (SubjectId::random(), ActorId::random());
    store.commit(reading(subject).guard(subject.into(), 0).guard(actor.into(), 0)).await.unwrap();
    store.commit(reading(subject).bump(subject.into()).bump(subject.into())).await.unwrap();
    let refused = store.commit(reading(subject).guard(subject.into(), 0)).await.unwrap_err();
    assert_eq!(refused, CommitError::GuardFailed { key: subject.into(), expected: 0, found: 1 });
    store.commit(reading(subject).guard(subject.into(), 1).guard(actor.into(), 0)).await.unwrap();
    // A refused guard leaves no entry: the reader reads again.
    assert_eq!(entries(store.as_ref(), 0).await.len(), 4);
    // What held until a minute that has passed is refused, although nobody changed it.
    let until = |micros| Unit {
        holds_until: Some((actor.into(), Timestamp::from_micros(micros))),
        ..reading(subject)
    };
    let refused = store.commit(until(1)).await.unwrap_err();
    assert_eq!(refused, CommitError::GuardFailed { key: actor.into(), expected: 0, found: 0 });
    store.commit(until(i64::MAX)).await.unwrap();
    assert_eq!(entries(store.as_ref(), 0).await.len(), 5);
    store.close().await;
}

/// Of many units that each assume the same version and raise it, exactly one can win each round.
pub async fn bumps_in_a_batch_break_later_guards(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let subject = SubjectId::random();
    for round in 0..3 {
        let mut tasks = JoinSet::new();
        for _ in 0..24 {
            let store = Arc::clone(&store);
            tasks.spawn(async move {
                store.commit(reading(subject).guard(subject.into(), round).bump(subject.into())).await
            });
        }
        let outcomes = tasks.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Ok(_) | Err(CommitError::GuardFailed { .. })))
        );
    }
    assert_eq!(entries(store.as_ref(), 0).await.len(), 4);
    store.close().await;
}

pub async fn a_poisoned_unit_spares_its_neighbours(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let taken = [9_u8; 32];
    let make = |token: [u8; 32]| {
        let unit = Unit::new();
        let mut entry = draft(&unit, Action::Import);
        entry.subject = Some(SubjectId::random());
        entry.commitments = vec![token];
        let object = UnitId::random();
        unit.change(Change::insert(
            &tables::LINK,
            vec![object.into(), "source".into(), token.into(), None::<Vec<u8>>.into()],
        ))
        .change(Change::insert(&tables::SOURCE_ID, vec![token.into(), object.into()]))
        .entry(entry)
    };
    store.commit(make(taken)).await.unwrap();
    let gone = AccessKey::from(SubjectId::random());
    let mut tasks = JoinSet::new();
    for index in 0..40_u8 {
        let store = Arc::clone(&store);
        let unit = match index {
            // A key that is there already, found in the middle of the unit.
            20 => make(taken).bump(gone),
            // An optimistic guard that does not hold.
            25 => {
                make([100; 32]).change(Change::one(&objects::DROP_HEAD, vec![[1; 16].into(), 1_i64.into()]))
            }
            // An append-only row of a key that is there: seen only when the batch's rows are written.
            30 => {
                let (one, mut two) =
                    (ObjectVersion::sample(UnitId::random()), ObjectVersion::sample(UnitId::random()));
                two.object = one.object;
                make([101; 32]).change(Change::object_version(one)).change(Change::object_version(two))
            }
            _ => make([index + 10; 32]),
        };
        tasks.spawn(async move { (index, unit.entries[0].subject, store.commit(unit).await) });
    }
    let outcomes = tasks.join_all().await;
    let all = entries(store.as_ref(), 0).await;
    for (index, subject, outcome) in outcomes {
        let ledgered = match (index, outcome) {
            (20 | 30, Err(CommitError::UniqueViolation { ledgered, .. })) => ledgered,
            (25, Err(CommitError::Conflict { statement, expected: 1, found: 0, ledgered })) => {
                assert_eq!(statement, objects::DROP_HEAD.name);
                ledgered
            }
            (20 | 25 | 30, outcome) => panic!("{index}: {outcome:?}"),
            (_, outcome) => {
                let done = outcome.unwrap();
                assert_eq!(all[usize::try_from(done.first_sequence).unwrap()].0.draft.subject, subject);
                continue;
            }
        };
        let kept = ledgered.expect("a failed unit keeps an entry");
        let entry = &all[usize::try_from(kept.first_sequence).unwrap()].0.draft;
        assert_eq!(
            (entry.subject, entry.action, entry.outcome, entry.count),
            (subject, Action::Import, Outcome::Failed, 0)
        );
        assert!(entry.commitments.is_empty());
    }
    assert_eq!(all.len(), 2 + 40);
    // What the failed units had done before they failed is undone, and their bump with it.
    for (token, links) in [(taken, 1), ([100; 32], 0), ([101; 32], 0), ([10; 32], 1)] {
        let found = store.query(&objects::LINKS_TO, vec![token.into(), "source".into()]).await.unwrap();
        assert_eq!(found.len(), links, "{}", token[0]);
    }
    store.commit(reading(SubjectId::random()).guard(gone, 0)).await.unwrap();
    store.close().await;
}

pub async fn many_writers_leave_no_gap(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let subject = SubjectId::random();
            for _ in 0..10 {
                store.commit(reading(subject)).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let head = store.head().await.unwrap().unwrap();
    assert_eq!(head.size, 641);
    let mut frontier = Frontier::new();
    for (_, bytes) in entries(store.as_ref(), 0).await {
        frontier.push(leaf_hash(&bytes));
    }
    assert_eq!(frontier.root(), head.frontier.root());
    store.close().await;
}

pub async fn two_instances_share_one_ledger(database: &dyn TestDatabase) {
    let one = ready(database).await;
    let two = database.open(options(&Arc::new(ManualClock::at(START)))).await.unwrap();
    let subject = SubjectId::random();
    let mut tasks = JoinSet::new();
    for index in 0..60_usize {
        let store = Arc::clone(if index % 2 == 0 { &one } else { &two });
        tasks.spawn(async move {
            let mut version = 0;
            // Optimistic counting through both instances.
            loop {
                match store.commit(reading(subject).guard(subject.into(), version).bump(subject.into())).await
                {
                    Ok(_) => return,
                    Err(CommitError::GuardFailed { found, .. }) => version = found,
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    tasks.join_all().await;
    two.commit(reading(subject).guard(subject.into(), 60)).await.unwrap();
    let all = entries(one.as_ref(), 0).await;
    assert_eq!(all.len(), 62);
    let mut frontier = Frontier::new();
    frontier.extend(all.iter().map(|(_, bytes)| leaf_hash(bytes)));
    assert_eq!(frontier.root(), two.head().await.unwrap().unwrap().frontier.root());
    one.close().await;
    two.close().await;
}

pub async fn a_full_queue_refuses_and_drops_nothing(database: &dyn TestDatabase) {
    ready(database).await.close().await;
    let mut narrow = options(&Arc::new(ManualClock::at(START)));
    narrow.queue_capacity = 2;
    let store = database.open(narrow).await.unwrap();
    let mut tasks = JoinSet::new();
    for _ in 0..100 {
        let store = Arc::clone(&store);
        tasks.spawn(async move { store.commit(reading(SubjectId::random())).await });
    }
    let outcomes = tasks.join_all().await;
    let kept = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    let full = outcomes.iter().filter(|outcome| matches!(outcome, Err(CommitError::Full))).count();
    assert_eq!(kept + full, 100);
    assert!(full > 0 && kept > 0, "{full} were refused");
    assert_eq!(entries(store.as_ref(), 0).await.len(), kept + 1);
    store.commit(reading(SubjectId::random())).await.unwrap();
    store.close().await;
}

pub async fn a_caller_that_goes_away_loses_nothing(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let mut made = Vec::new();
    for wait in 0..40 {
        let unit = reading(SubjectId::random());
        let first = unit.entries[0].clone();
        let unit = unit.entry(first);
        made.push(unit.id);
        let patience = Duration::from_micros(50 * wait);
        let _ = tokio::time::timeout(patience, store.commit(unit)).await;
    }
    store.commit(reading(SubjectId::random())).await.unwrap();
    let all = entries(store.as_ref(), 0).await;
    for id in made {
        let count = all.iter().filter(|(entry, _)| entry.draft.unit == id).count();
        assert!(count == 0 || count == 2, "half a unit: {count}");
    }
    store.close().await;
}

pub async fn time_never_runs_backwards(database: &dyn TestDatabase) {
    let clock = Arc::new(ManualClock::at(START));
    let store = database.open(options(&clock)).await.unwrap();
    begin(store.as_ref(), 0).await;
    let subject = SubjectId::random();
    clock.set(START.minus(Duration::from_secs(3600)));
    assert_eq!(store.commit(reading(subject)).await.unwrap().recorded, START);
    let later = START.plus(Duration::from_secs(1));
    clock.set(later);
    assert_eq!(store.commit(reading(subject)).await.unwrap().recorded, later);
    clock.set(START);
    assert_eq!(store.commit(reading(subject)).await.unwrap().recorded, later);
    let recorded: Vec<_> =
        entries(store.as_ref(), 0).await.iter().map(|(entry, _)| entry.position.recorded).collect();
    assert!(recorded.is_sorted());
    store.close().await;
}

pub async fn an_epoch_follows_the_one_before(database: &dyn TestDatabase) {
    let store = ready(database).await;
    store.commit(reading(SubjectId::random())).await.unwrap();
    let unit = Unit::new();
    let entry = draft(&unit, Action::System);
    let again = NewEpoch {
        epoch: 0,
        origin: "example.org/again".into(),
        previous_note: None,
        unit: unit.entry(entry),
    };
    let refused = store.start_epoch(again).await;
    assert!(matches!(refused, Err(CommitError::Conflict { statement: "ledger_epoch", .. })), "{refused:?}");
    let begun = begin(store.as_ref(), 1).await;
    assert_eq!((begun.epoch, begun.first_sequence), (1, 0));
    let next = store.commit(reading(SubjectId::random())).await.unwrap();
    assert_eq!((next.epoch, next.first_sequence), (1, 1));
    assert_eq!(entries(store.as_ref(), 0).await.len(), 2);
    assert!(entries(store.as_ref(), 1).await[0].0.draft.previous.is_some());
    let epochs = store.query(&ledger::EPOCHS, vec![]).await.unwrap();
    assert_eq!(epochs.len(), 2);
    assert_eq!(epochs[0].opt_text(3).unwrap(), None);
    assert_eq!(epochs[1].opt_text(3).unwrap(), Some("a signed note\n"));
    store.close().await;
}

pub async fn units_are_found_again(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let unit = reading(SubjectId::random());
    let id = unit.id;
    let done = store.commit(unit).await.unwrap();
    let list = vec![Value::from(id), Value::from(UnitId::random()), Value::from(UnitId::random())];
    let found =
        store.query_lists(&ledger::UNITS_SINCE, vec![0_i64.into(), 0_i64.into()], vec![list]).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].id_of::<UnitId>(0).unwrap(), found[0].unsigned(1).unwrap()),
        (id, done.first_sequence)
    );
    store.close().await;
}

pub async fn times_become_sequences(database: &dyn TestDatabase) {
    let clock = Arc::new(ManualClock::at(START));
    let store = database.open(options(&clock)).await.unwrap();
    begin(store.as_ref(), 0).await;
    let (often, once) = (SubjectId::random(), SubjectId::random());
    for minute in 1..=20 {
        clock.set(START.plus(Duration::from_secs(60 * minute)));
        store.commit(reading(often)).await.unwrap();
    }
    store.commit(reading(once)).await.unwrap();
    let head = store.head().await.unwrap().unwrap();
    let at = async |seconds| {
        sequence_at(store.as_ref(), 0, head.size, START.plus(Duration::from_secs(seconds))).await.unwrap()
    };
    assert_eq!((at(0).await, at(60).await, at(61).await, at(99_999).await), (0, 1, 2, 22));
    let (from, before) = (at(300).await, at(99_999).await);
    let args = vec![0_i64.into(), from.into(), before.into(), (before - from).into()];
    let mut counted: Vec<_> = store
        .query(&ledger::COUNT_PER_SUBJECT, args)
        .await
        .unwrap()
        .iter()
        .map(|row| (row.id_of::<SubjectId>(0).unwrap(), row.int(1).unwrap()))
        .collect();
    counted.sort_by_key(|(_, count)| *count);
    assert_eq!(counted, [(once, 1), (often, 16)]);
    store.close().await;
}
