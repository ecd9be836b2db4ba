//! Crashes, lost connections, refused settings, rights.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use mimamori_domain::{ManualClock, SubjectId};
use mimamori_ledger::{Frontier, leaf_hash};
use mimamori_store::contract::{START, TestDatabase, begin, entries, options, reading, ready};
use mimamori_store::{CommitError, OpenError, Reads, Store, statements};
use mimamori_store_postgres::{PostgresOptions, grants, migrate_as_owner, open};
use tokio::task::JoinSet;

use crate::cluster::{Cluster, shared, url};
use crate::proxy::{self, CUT_AFTER_COMMIT, CUT_BEFORE_COMMIT, PASS};
use crate::{fresh, on_shared, run_sql};

fn engine() -> mimamori_store::EngineOptions {
    options(&Arc::new(ManualClock::at(START)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_server_refuses_then_recovers_with_all_that_was_acknowledged() {
    let mut cluster = Cluster::start("-c max_connections=50");
    let address = cluster.url(&cluster.create().await);
    let mut chosen = PostgresOptions::new(engine());
    chosen.patience = Duration::from_millis(500);
    let store = Arc::new(open(&address, chosen).await.unwrap());
    begin(store.as_ref(), 0).await;
    let mut writers = JoinSet::new();
    let recovered = Arc::new(AtomicU8::new(0));
    for _ in 0..16 {
        let (store, recovered) = (Arc::clone(&store), Arc::clone(&recovered));
        writers.spawn(async move {
            let (mut acknowledged, mut after) = (Vec::new(), 0_u32);
            while after < 5 {
                let unit = reading(SubjectId::random());
                let id = unit.id;
                match store.commit(unit).await {
                    Ok(_) => {
                        acknowledged.push(id);
                        after += u32::from(recovered.load(Ordering::SeqCst));
                    }
                    Err(CommitError::Unavailable { .. }) => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            acknowledged
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut cluster = tokio::task::spawn_blocking(move || {
        cluster.crash();
        cluster
    })
    .await
    .unwrap();
    let away = store.query(&statements::ledger::HEAD, vec![]).await;
    let late = store.commit(reading(SubjectId::random())).await;
    assert!(matches!(late, Err(CommitError::Unavailable { .. })), "{late:?}");
    assert!(matches!(away, Err(mimamori_store::ReadError::Unavailable(_))), "{away:?}");
    let _cluster = tokio::task::spawn_blocking(move || {
        cluster.run();
        cluster
    })
    .await
    .unwrap();
    recovered.store(1, Ordering::SeqCst);
    let acknowledged: Vec<_> = writers.join_all().await.into_iter().flatten().collect();
    let all = entries(store.as_ref(), 0).await;
    for id in &acknowledged {
        assert_eq!(all.iter().filter(|(entry, _)| entry.draft.unit == *id).count(), 1);
    }
    // Nothing else is there: what was refused left no trace.
    assert_eq!(all.len(), acknowledged.len() + 1);
    let mut frontier = Frontier::new();
    frontier.extend(all.iter().map(|(_, bytes)| leaf_hash(bytes)));
    assert_eq!(frontier.root(), store.head().await.unwrap().unwrap().frontier.root());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unanswered_commit_is_looked_up() {
    let cluster = shared();
    let database = cluster.create().await;
    let folder = tempfile::tempdir().unwrap();
    let what = Arc::new(AtomicU8::new(PASS));
    proxy::listen(folder.path(), cluster.folder(), Arc::clone(&what));
    let store = open(&url(folder.path(), "app", &database), on_shared(engine())).await.unwrap();
    begin(&store, 0).await;
    for round in 0..5 {
        what.store(CUT_AFTER_COMMIT, Ordering::SeqCst);
        let unit = reading(SubjectId::random());
        let id = unit.id;
        let done = store.commit(unit).await.unwrap();
        assert_eq!(done.first_sequence, round + 1);
        let all = entries(&store, 0).await;
        assert_eq!(
            all.iter().filter(|(entry, _)| entry.draft.unit == id).count(),
            1,
            "neither lost nor doubled"
        );

        what.store(CUT_BEFORE_COMMIT, Ordering::SeqCst);
        let refused = store.commit(reading(SubjectId::random())).await;
        assert!(matches!(refused, Err(CommitError::Unavailable { .. })), "{refused:?}");
        assert_eq!(entries(&store, 0).await.len(), all.len());
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_cut_lose_and_double_nothing() {
    let database = fresh().await;
    let store = ready(&database).await;
    let mut writers = JoinSet::new();
    for _ in 0..32 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
            for _ in 0..60 {
                let unit = reading(SubjectId::random());
                let id = unit.id;
                match store.commit(unit).await {
                    Ok(_) => acknowledged.push(id),
                    Err(CommitError::Unavailable { .. }) => refused.push(id),
                    Err(error) => panic!("{error}"),
                }
            }
            (acknowledged, refused)
        });
    }
    let cutting = {
        let url = database.url.clone();
        tokio::spawn(async move {
            loop {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                           WHERE datname = current_database() AND pid <> pg_backend_pid()";
                run_sql(&url, cut).await.unwrap();
                tokio::time::sleep(Duration::from_millis(15)).await;
            }
        })
    };
    let outcomes = writers.join_all().await;
    cutting.abort();
    let all = entries(store.as_ref(), 0).await;
    let count = |id| all.iter().filter(|(entry, _)| entry.draft.unit == id).count();
    let mut kept = 0;
    for (acknowledged, refused) in outcomes {
        kept += acknowledged.len();
        assert!(acknowledged.into_iter().all(|id| count(id) == 1));
        assert!(refused.into_iter().all(|id| count(id) == 0));
    }
    assert_eq!(all.len(), kept + 1);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_is_refused() {
    let cluster = shared();
    let address = cluster.url(&cluster.create().await);
    let refused = open(&address, PostgresOptions::new(engine())).await.err();
    assert!(matches!(&refused, Some(OpenError::Unsafe(told)) if told.contains("fsync")), "{refused:?}");

    let durable = Cluster::start("-c max_connections=20");
    let database = durable.create().await;
    let address = durable.url(&database);
    run_sql(&address, &format!("ALTER DATABASE {database} SET synchronous_commit = off")).await.unwrap();
    let refused = open(&address, PostgresOptions::new(engine())).await.err();
    assert!(
        matches!(&refused, Some(OpenError::Unsafe(told)) if told.contains("synchronous_commit")),
        "{refused:?}"
    );
    run_sql(&address, &format!("ALTER DATABASE {database} SET synchronous_commit = on")).await.unwrap();
    open(&address, PostgresOptions::new(engine())).await.unwrap().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_ledgers_head_or_any_connection_it_refuses_and_recovers() {
    let database = fresh().await;
    let store = ready(&database).await;
    let name = database.url.split(['/', '?']).nth(3).unwrap().to_owned();
    // The ledger's head is not to be found.
    database.behind("ALTER TABLE ledger_head RENAME TO ledger_head_away; CREATE VIEW ledger_head AS SELECT * FROM ledger_head_away WHERE false").await.unwrap();
    let refused = store.commit(reading(SubjectId::random())).await;
    assert!(matches!(refused, Err(CommitError::Unavailable { .. })), "{refused:?}");
    database
        .behind("DROP VIEW ledger_head; ALTER TABLE ledger_head_away RENAME TO ledger_head")
        .await
        .unwrap();
    store.commit(reading(SubjectId::random())).await.unwrap();
    // Connections refused altogether.
    let admin = shared().url("postgres");
    run_sql(&admin, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await.unwrap();
    let cut = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    run_sql(&admin, &cut).await.unwrap();
    let refused = store.commit(reading(SubjectId::random())).await;
    assert!(matches!(refused, Err(CommitError::Unavailable { .. })), "{refused:?}");
    run_sql(&admin, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    store.commit(reading(SubjectId::random())).await.unwrap();
    assert_eq!(entries(store.as_ref(), 0).await.len(), 3);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_can_only_be_read_is_named_as_such() {
    let database = fresh().await;
    let store = ready(&database).await;
    let name = database.url.split(['/', '?']).nth(3).unwrap().to_owned();
    let admin = shared().url("postgres");
    let read_only = async |on: &str| {
        let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = {on}");
        run_sql(&admin, &sql).await.unwrap();
    };
    read_only("on").await;
    let refused = open(&database.url, on_shared(engine())).await.unwrap_err();
    assert!(matches!(refused, OpenError::ReadOnly(_)), "{refused:?}");
    assert!(refused.to_string().contains("default_transaction_read_only"), "{refused}");
    read_only("off").await;
    open(&database.url, on_shared(engine())).await.unwrap().close().await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_programs_role_can_append_and_no_more() {
    let cluster = shared();
    let database = cluster.create().await;
    let owner = cluster.url(&database);
    run_sql(&owner, &format!("CREATE ROLE role_{database} LOGIN")).await.unwrap();
    let role = format!("role_{database}");
    migrate_as_owner(&owner, &role, on_shared(engine())).await.unwrap();
    let own = url(cluster.folder(), &role, &database);
    let store = open(&own, on_shared(engine())).await.unwrap();
    begin(&store, 0).await;
    store.commit(reading(SubjectId::random()).bump(SubjectId::random().into())).await.unwrap();
    for sql in [
        "UPDATE ledger_entry SET action = 'x'",
        "DELETE FROM ledger_entry",
        "TRUNCATE ledger_entry",
        "UPDATE object_version SET kind = 'x'",
        "TRUNCATE object_version",
        "DELETE FROM checkpoint",
        "DELETE FROM ledger_head",
        "ALTER TABLE ledger_entry DISABLE TRIGGER ALL",
        "DROP TRIGGER ledger_entry_keep ON ledger_entry",
        "DELETE FROM schema_version",
    ] {
        let refused = run_sql(&own, sql).await.expect_err(sql);
        assert!(
            refused.contains("permission denied") || refused.contains("must be owner"),
            "{sql}: {refused}"
        );
    }
    assert!(grants("app\"; DROP TABLE link; --").is_err());
    store.close().await;
}

#[tokio::test]
async fn a_wrong_address_is_refused_without_repeating_it() {
    let refused = open("mysql://user:secret@host/db", on_shared(engine())).await.err().unwrap();
    assert!(matches!(refused, OpenError::Address(_)), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("secret"));
}
