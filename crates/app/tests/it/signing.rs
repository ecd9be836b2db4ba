//! The signer beside others, and after a crash: who signs next, and what is checked meanwhile.

use std::future::pending;
use std::sync::Arc;

use mimamori_app::{App, ErrorKind};
use mimamori_domain::{Action, ObjectId};
use mimamori_ledger::EntryDraft;
use mimamori_store::statements::{ledger, upkeep};
use mimamori_store::{Store, Unit};
use tempfile::TempDir;

use crate::hooked::Hooked;
use crate::support::{On, Site};
use crate::tamper::MINUTE;

/// Adds so many entries that name nobody.
async fn grow(store: &dyn Store, entries: usize) {
    let mut unit = Unit::new();
    for _ in 0..entries {
        let nonce = *ObjectId::random().as_bytes();
        let entry = EntryDraft::new(unit.id, nonce, Action::System, [7; 32]);
        unit = unit.entry(entry);
    }
    store.commit(unit).await.unwrap();
}

/// The fencing token of the lease.
async fn fencing(store: &dyn Store) -> i64 {
    let rows = store.query(&upkeep::LEASES, Vec::new()).await.unwrap();
    rows[0].int(2).unwrap()
}

/// Ends the program as a crash would: nothing is given back.
async fn crash(site: Site) -> (TempDir, crate::support::Database, mimamori_domain::Timestamp) {
    let now = mimamori_domain::Clock::now(&*site.clock);
    let Site { folder, database, store, app, .. } = site;
    store.close().await;
    drop((app, store));
    (folder, database, now)
}

async fn after_a_crash_the_same_folder_signs_at_once(on: On) {
    let site = Site::on(on).await;
    site.app.checkpoint().await.unwrap();
    let before = fencing(&*site.store).await;

    // While the first one lives, no other program of its folder signs.
    let beside = site.second(site.store.clone()).await;
    assert_eq!(beside.checkpoint().await.unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(fencing(&*site.store).await, before);
    drop(beside);

    let (folder, database, now) = crash(site).await;
    let site = Site::reopen(folder, database, now).await.map_err(|(error, _)| error).unwrap();
    grow(&*site.store, 1).await;
    site.app.checkpoint().await.unwrap();
    assert_eq!(fencing(&*site.store).await, before + 1, "late writes of the one that ended must fail");

    // A copy of the folder proves nothing: the one that it was copied from may live.
    let copied = TempDir::new().unwrap();
    for name in ["root.key", "ring", "signer", "signer.lock", "signer.holder"] {
        std::fs::copy(site.folder.path().join(name), copied.path().join(name)).unwrap();
    }
    let (folder, database, now) = crash(site).await;
    let site = Site::reopen(copied, database, now).await.map_err(|(error, _)| error).unwrap();
    assert_eq!(site.app.checkpoint().await.unwrap_err().kind(), ErrorKind::Busy);
    site.clock.advance(MINUTE);
    site.app.checkpoint().await.unwrap();
    assert_eq!(fencing(&*site.store).await, before + 2);

    // Nor is the lease of another folder taken by whoever held it before.
    let (_copied, database, now) = crash(site).await;
    let site = Site::reopen(folder, database, now).await.map_err(|(error, _)| error).unwrap();
    assert_eq!(site.app.checkpoint().await.unwrap_err().kind(), ErrorKind::Busy);
    site.store.close().await;
}

#[tokio::test]
async fn after_a_crash_the_same_folder_signs_at_once_on_sqlite() {
    after_a_crash_the_same_folder_signs_at_once(On::Sqlite).await;
}

#[tokio::test]
async fn after_a_crash_the_same_folder_signs_at_once_on_postgres() {
    after_a_crash_the_same_folder_signs_at_once(On::Postgres).await;
}

/// How many full leaf tiles are kept.
async fn leaf_tiles(store: &dyn Store) -> u64 {
    let args = vec![0_i64.into(), 0_i64.into()];
    store.query_one(&ledger::TILE_COUNT, args).await.unwrap().unwrap().unsigned(0).unwrap()
}

async fn a_long_absence_is_made_up_in_bounded_units(on: On) {
    let site = Site::on(on).await;
    for _ in 0..8 {
        grow(&*site.store, 200).await;
    }
    let size = site.store.head().await.unwrap().unwrap().size;
    let hooked = Hooked::new(Arc::clone(&site.store));
    let signer = async || -> Arc<App> {
        let app = site.second(Arc::clone(&hooked) as Arc<dyn Store>).await;
        app.keep_tiles_in_steps_of(512);
        app
    };

    // The first one ends between two units.
    let first = signer().await;
    let (reached, stop) = tokio::sync::oneshot::channel();
    let never = async move {
        reached.send(()).unwrap();
        pending().await
    };
    hooked.before_upkeep(2, Box::new(|| Box::pin(never)));
    tokio::select! {
        signed = first.checkpoint() => panic!("nothing was interrupted: {signed:?}"),
        stopped = stop => stopped.unwrap(),
    }
    drop(first);
    assert_eq!(leaf_tiles(&*site.store).await, 2);
    assert!(site.store.query(&ledger::LATEST_CHECKPOINT, Vec::new()).await.unwrap().is_empty());
    assert_eq!(site.app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());

    // The second one goes on, and is overtaken by a third between two units.
    let second = signer().await;
    let database = site.database.clone();
    let overtaken = async move {
        database.run("UPDATE job_lease SET fencing = fencing + 1, expires = 0").await.unwrap();
    };
    hooked.before_upkeep(2, Box::new(|| Box::pin(overtaken)));
    second.checkpoint().await.unwrap_err();
    assert!(hooked.happened());
    drop(second);
    assert_eq!(leaf_tiles(&*site.store).await, 4);

    // Nothing was kept twice, and no unit was larger than its bound: two tiles behind the lease.
    let third = signer().await;
    let note = third.checkpoint().await.unwrap();
    assert_eq!(note.lines().nth(1), Some(size.to_string().as_str()));
    assert_eq!(leaf_tiles(&*site.store).await, size / 256);
    let upkept = hooked.upkept();
    assert!(upkept.iter().all(|changes| *changes <= 3), "{upkept:?}");
    assert_eq!(upkept.iter().map(|changes| changes - 1).sum::<usize>() as u64, size / 256, "{upkept:?}");
    third.prove(0, 3).await.unwrap();
    assert_eq!(site.app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    site.store.close().await;
}

#[tokio::test]
async fn a_long_absence_is_made_up_in_bounded_units_on_sqlite() {
    a_long_absence_is_made_up_in_bounded_units(On::Sqlite).await;
}

#[tokio::test]
async fn a_long_absence_is_made_up_in_bounded_units_on_postgres() {
    a_long_absence_is_made_up_in_bounded_units(On::Postgres).await;
}

/// What the signer wrote down is compared while it holds its file.
#[tokio::test]
async fn what_was_signed_is_compared_beside_the_signer() {
    let site = Site::on(On::Sqlite).await;
    grow(&*site.store, 3).await;
    site.app.checkpoint().await.unwrap();
    let size = site.store.head().await.unwrap().unwrap().size;
    site.database.drop_triggers().await;
    site.database.run("DELETE FROM checkpoint").await.unwrap();
    let last = size - 1;
    site.database.run(&format!("DELETE FROM ledger_entry WHERE sequence = {last}")).await.unwrap();
    let findings = site.app.verify(&|_, _| {}).await.unwrap().findings;
    let expected = format!("epoch 0, entry {last}: a checkpoint was signed for {size} entries");
    assert!(findings.iter().any(|finding| finding.starts_with(&expected)), "{findings:?}");
    site.store.close().await;
}

async fn a_changed_tile_is_found_and_named(on: On) {
    let site = Site::on(on).await;
    for _ in 0..7 {
        grow(&*site.store, 100).await;
    }
    site.app.checkpoint().await.unwrap();
    assert_eq!(site.app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());

    let tile = async |index: i64| {
        let args = vec![0_i64.into(), 0_i64.into(), index.into()];
        let mut row = site.store.query_one(&ledger::TILE, args).await.unwrap().unwrap();
        row.take_blob(0).unwrap()
    };
    let (first, mut second) = (tile(0).await, tile(1).await);
    second[100 * 32] ^= 1;
    let run = async |sql: String| site.database.run(&sql).await.unwrap();
    run(format!("UPDATE ledger_tile SET hashes = {} WHERE idx = 1", site.database.blob(&second))).await;
    run("DELETE FROM ledger_tile WHERE idx = 0".to_owned()).await;
    for (level, index) in [(0, 900), (1, 0), (300, 0)] {
        let hashes = site.database.blob(&first);
        run(format!("INSERT INTO ledger_tile VALUES (0, {level}, {index}, {hashes})")).await;
    }
    let findings = site.app.verify(&|_, _| {}).await.unwrap().findings;
    let expected = [
        "epoch 0, entry 256: tile tile/0/001 does not have the hashes it must have",
        "epoch 0, entry 230400: tile tile/0/900 is there, and the entries it would stand for are not",
        "epoch 0, entry 0: tile tile/1/000 is there, and the entries it would stand for are not",
        "epoch 0: ledger_tile has a level 300",
        "epoch 0, entry 0: tile tile/0/000 is missing",
    ];
    assert_eq!(findings, expected);
    // A tile of the right beginning that is too short or too long is none either.
    for width in [255, 257] {
        let mut bytes = first.clone();
        bytes.resize(width * 32, 0);
        run(format!(
            "DELETE FROM ledger_tile WHERE idx <> 1; INSERT INTO ledger_tile VALUES (0, 0, 0, {})",
            site.database.blob(&bytes)
        ))
        .await;
        let findings = site.app.verify(&|_, _| {}).await.unwrap().findings;
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert!(findings[0].starts_with("epoch 0, entry 0: tile tile/0/000 does not have"), "{findings:?}");
    }
    site.store.close().await;
}

#[tokio::test]
async fn a_changed_tile_is_found_and_named_on_sqlite() {
    a_changed_tile_is_found_and_named(On::Sqlite).await;
}

#[tokio::test]
async fn a_changed_tile_is_found_and_named_on_postgres() {
    a_changed_tile_is_found_and_named(On::Postgres).await;
}
