//! Leases and housekeeping.

use std::sync::Arc;
use std::time::Duration;

use mimamori_domain::{InstanceId, ManualClock, SubjectId};

use super::{START, TestDatabase, begin, entries, options, reading, ready};
use crate::statements::{ledger, upkeep};
use crate::{Change, CommitError};

pub async fn leases_fence(database: &dyn TestDatabase) {
    let clock = Arc::new(ManualClock::at(START));
    let store = database.open(options(&clock)).await.unwrap();
    begin(store.as_ref(), 0).await;
    let (one, two) = (InstanceId::random(), InstanceId::random());
    let minute = Duration::from_secs(60);
    let first = store.acquire_lease("checkpoint", one, minute).await.unwrap().unwrap();
    assert_eq!(store.acquire_lease("checkpoint", two, minute).await.unwrap(), None);
    assert!(store.acquire_lease("backup", two, minute).await.unwrap().is_some());
    clock.advance(Duration::from_secs(30));
    let first = store.renew_lease(&first, minute).await.unwrap().unwrap();
    clock.advance(Duration::from_secs(45));
    assert_eq!(store.acquire_lease("checkpoint", two, minute).await.unwrap(), None, "it was renewed");
    clock.advance(Duration::from_secs(15));
    let second = store.acquire_lease("checkpoint", two, minute).await.unwrap().unwrap();
    assert!(second.fencing > first.fencing);
    assert_eq!(store.renew_lease(&first, minute).await.unwrap(), None);
    // Work that carries the old token fails, the new holder's does not.
    let fence = |fencing: i64| Change::one(&upkeep::LEASE_FENCE, vec!["checkpoint".into(), fencing.into()]);
    let late = store.commit(reading(SubjectId::random()).change(fence(first.fencing))).await;
    assert!(matches!(late, Err(CommitError::Conflict { .. })), "{late:?}");
    store.commit(reading(SubjectId::random()).change(fence(second.fencing))).await.unwrap();
    // A late release of the old holder takes nothing away; the holder's own frees it at once.
    store.release_lease(first).await.unwrap();
    assert_eq!(store.acquire_lease("checkpoint", one, minute).await.unwrap(), None);
    let token = second.fencing;
    store.release_lease(second).await.unwrap();
    assert!(store.acquire_lease("checkpoint", one, minute).await.unwrap().unwrap().fencing > token);
    store.close().await;
}

pub async fn housekeeping_needs_no_entry(database: &dyn TestDatabase) {
    let store = ready(database).await;
    let (login, address) = ([1_u8; 32], [2_u8; 32]);
    for expected in 1..=3 {
        let args =
            vec![login.into(), address.into(), START.into(), START.minus(Duration::from_secs(600)).into()];
        let done = store.upkeep(vec![Change::any(&upkeep::ATTEMPT_FAILED, args)]).await.unwrap();
        assert_eq!(done[0].rows[0].int(0).unwrap(), expected);
    }
    let much_later = START.plus(Duration::from_secs(86_400));
    let args =
        vec![login.into(), address.into(), much_later.into(), START.plus(Duration::from_secs(1)).into()];
    let done = store.upkeep(vec![Change::any(&upkeep::ATTEMPT_FAILED, args)]).await.unwrap();
    assert_eq!(done[0].rows[0].int(0).unwrap(), 1, "old failures are forgotten");
    let refusal = || vec![5_i64.into(), address.into(), "password".into(), 2_i64.into()];
    store
        .upkeep(vec![Change::any(&upkeep::REFUSED, refusal()), Change::any(&upkeep::REFUSED, refusal())])
        .await
        .unwrap();
    let counted = store.query(&upkeep::REFUSALS, vec![6_i64.into(), 9_i64.into()]).await.unwrap();
    assert_eq!(counted[0].int(3).unwrap(), 4);
    let tile = |hashes: u8| vec![0_i64.into(), 0_i64.into(), 0_i64.into(), vec![hashes; 8192].into()];
    for hashes in [1, 2] {
        store.upkeep(vec![Change::any(&ledger::KEEP_TILE, tile(hashes))]).await.unwrap();
    }
    let kept = store
        .query_one(&ledger::TILE, vec![0_i64.into(), 0_i64.into(), 0_i64.into()])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.blob(0).unwrap(), [1; 8192], "a tile is never replaced");
    // All of the changes, or none.
    let failing = Change::one(&upkeep::ATTEMPT_LOCK, vec![1_i64.into(), [0; 32].into(), [0; 32].into()]);
    let refused = store.upkeep(vec![Change::any(&upkeep::REFUSED, refusal()), failing]).await;
    assert!(matches!(refused, Err(CommitError::Conflict { ledgered: None, .. })), "{refused:?}");
    let counted = store.query(&upkeep::REFUSALS, vec![6_i64.into(), 9_i64.into()]).await.unwrap();
    assert_eq!(counted[0].int(3).unwrap(), 4);
    assert_eq!(entries(store.as_ref(), 0).await.len(), 1);
    store.close().await;
}
