//! An older database put back: noticed before anything is answered, and gone on from only on purpose.

use std::sync::Arc;

use mimamori_app::{App, ErrorKind, Window};
use mimamori_domain::{Kind, ManualClock};
use tempfile::TempDir;

use crate::support::{On, START, Site, parts};
use crate::tamper::{MINUTE, close};
use crate::town::Town;

/// A backup put back: refused, found, and on purpose gone on from, with the loss on record.
async fn an_older_database_is_noticed(on: On) {
    let town = Town::new(on).await;
    let ids = town.ids;
    let first = close(town.site).await;
    let elsewhere = TempDir::new().unwrap();
    let backup = first.database.copy(&elsewhere).await;

    // Work goes on, and is signed.
    let site =
        Site::reopen(first.folder, first.database, first.now).await.map_err(|(error, _)| error).unwrap();
    let hana = site.sign_in("hana").await;
    site.app.read(&hana, &Kind::of("Communication"), ids.note).await.unwrap();
    let kept = site.observation(&hana, ids.subject, "38.8").await.unwrap().id;
    let newer = close(site).await;

    // The backup is put back; the signer's state outside the database is newer.
    let (refused, folder) = Site::reopen(newer.folder, backup.clone(), newer.now).await.err().unwrap();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    let told = refused.to_string();
    for part in ["older than what was signed", &first.size.to_string(), &newer.size.to_string(), "new-epoch"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    let clock = Arc::new(ManualClock::at(newer.now));
    let store = backup.open(&clock).await;
    let app = App::open_rolled_back(parts(&folder, store.clone(), clock.clone())).await.unwrap();
    let report = app.verify(&|_, _| {}).await.unwrap();
    let expected =
        format!("epoch 0, entry {}: a checkpoint was signed for {} entries", first.size, newer.size);
    assert!(report.findings.iter().any(|finding| finding.starts_with(&expected)), "{:?}", report.findings);

    let operator = app.operator("tester");
    assert_eq!(app.new_epoch(&operator, " ").await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(app.new_epoch(&operator, "ディスク故障のため控えから戻した").await.unwrap(), 1);
    assert_eq!(app.new_epoch(&operator, "もう一度").await.unwrap_err().kind(), ErrorKind::Conflict);
    drop(app);
    store.close().await;

    // It goes on: before the new epoch is signed, and after.
    let site = Site::reopen(folder, backup, newer.now).await.map_err(|(error, _)| error).unwrap();
    let loss = format!(
        "epoch 0, entry {0}: the next epoch names {1} entries of this one; {0} are here",
        first.size, newer.size
    );
    for signed in [false, true] {
        if signed {
            site.clock.advance(MINUTE);
            site.app.checkpoint().await.unwrap();
        }
        let report = site.app.verify(&|_, _| {}).await.unwrap();
        assert_eq!(report.findings, Vec::<String>::new(), "signed: {signed}");
        assert_eq!(report.notices.len(), 1, "{:?}", report.notices);
        assert!(report.notices[0].starts_with(&loss), "{:?}", report.notices);
    }
    let hana = site.sign_in("hana").await;
    site.app.read(&hana, &Kind::of("Communication"), ids.note).await.unwrap();
    let lost = site.app.read(&hana, &Kind::of("Observation"), kept).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::NotFound);
    // Accesses are counted in both epochs.
    let kansa = site.sign_in("kansa").await;
    let window = Window { from: START, until: START.plus(MINUTE * 60 * 24 * 365) };
    for _ in 0..2 {
        site.app.read(&hana, &Kind::of("Communication"), ids.note).await.unwrap();
        crate::review_counts::agree(&site.app, &*site.store, &kansa, &[window], 20).await;
    }
    site.app.checkpoint().await.unwrap();
    // The first entry of the new epoch names what was lost: taken away, it is missed.
    site.database.drop_triggers().await;
    site.database.run("DELETE FROM ledger_epoch WHERE epoch = 0").await.unwrap();
    let report = site.app.verify(&|_, _| {}).await.unwrap();
    assert!(report.findings.iter().any(|finding| finding.starts_with("epoch 0: ")), "{:?}", report.findings);
    site.store.close().await;
}

#[tokio::test]
async fn an_older_database_is_noticed_on_sqlite() {
    an_older_database_is_noticed(On::Sqlite).await;
}

#[tokio::test]
async fn an_older_database_is_noticed_on_postgres() {
    an_older_database_is_noticed(On::Postgres).await;
}
