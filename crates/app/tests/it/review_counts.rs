//! Accesses counted by person and time, against a count of the ledger's entries one by one.

use std::collections::BTreeMap;
use std::time::Duration;

use mimamori_app::{App, Caller, ErrorKind, Paging, Window};
use mimamori_domain::SubjectId;
use mimamori_ledger::Entry;
use mimamori_store::Store;
use mimamori_store::statements::ledger;

use crate::support::{On, START, Site};

const HOUR: Duration = Duration::from_secs(3_600);

/// What the ledger holds about somebody in each of the windows, and about whom.
async fn one_by_one(store: &dyn Store, windows: &[Window]) -> (Vec<u64>, BTreeMap<SubjectId, u64>) {
    let (mut each, mut people) = (vec![0; windows.len()], BTreeMap::new());
    for epoch in 0..=store.head().await.unwrap().unwrap().epoch {
        let args = vec![epoch.into(), 0_i64.into(), i64::MAX.into(), 100_000_i64.into()];
        for row in store.query(&ledger::ENTRIES, args).await.unwrap() {
            let entry = Entry::decode(row.blob(1).unwrap()).unwrap();
            let at = entry.position.recorded;
            let inside = windows.iter().position(|window| window.from <= at && at < window.until);
            if let (Some(place), Some(subject)) = (inside, entry.draft.subject) {
                each[place] += 1;
                *people.entry(subject).or_insert(0) += 1;
            }
        }
    }
    (each, people)
}

/// The counts are those of the ledger as it was before the question, the most first, page by page.
pub async fn agree(app: &App, store: &dyn Store, caller: &Caller, windows: &[Window], size: u32) {
    let (each, expected) = one_by_one(store, windows).await;
    let mut found = Vec::new();
    let mut paging = Paging { count: size, cursor: None };
    loop {
        let counts = app.review_counts(caller, windows, &paging).await.unwrap();
        assert_eq!(counts.windows, each);
        assert_eq!(counts.people.total, Some(expected.len() as u64));
        assert!(counts.people.items.len() <= size as usize);
        found.extend(counts.people.items.into_iter().map(|one| (one.subject, one.count)));
        match counts.people.next {
            Some(next) => paging.cursor = Some(next),
            None => break,
        }
    }
    assert!(found.is_sorted_by_key(|(subject, count)| (std::cmp::Reverse(*count), *subject)));
    assert_eq!(found.len(), expected.len(), "everybody once");
    assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), expected);
}

async fn counts_are_those_of_the_ledger(on: On) {
    let site = Site::on(on).await;
    let hospital = site.institution("病院").await;
    site.staff("hana", Some("doctor"), hospital, &[]).await;
    site.staff("kansa", None, hospital, &["auditor"]).await;
    let hana = site.sign_in("hana").await;
    let mut people = Vec::new();
    for given in ["一", "二", "三", "四", "五"] {
        people.push(site.person(&hana, "鈴木", given).await);
    }
    let hour = |n: u32| Window { from: START.plus(HOUR * n), until: START.plus(HOUR * (n + 1)) };
    let windows = [hour(0), hour(1), hour(2), hour(3)];
    let kansa = site.sign_in("kansa").await;
    for (round, subject) in people.iter().enumerate() {
        for _ in 0..round {
            site.app.person(&hana, *subject).await.unwrap();
        }
        // Counted on as the ledger grows, from one window into the next, and beyond the last.
        for size in [2, 200] {
            agree(&site.app, &*site.store, &kansa, &windows, size).await;
        }
        site.clock.advance(HOUR);
    }
    // What another program wrote is counted too, and other windows are other counts.
    let other = site.second(site.database.open(&site.clock).await).await;
    let origin = mimamori_app::Origin::default();
    let signed = other.sign_in("hana", crate::support::PASSWORD, &origin).await.unwrap();
    let elsewhere = other.caller(&signed.token, &origin).await.unwrap();
    let (early, late) = ([hour(0), hour(1)], [hour(4), hour(5)]);
    for windows in [&early[..], &late[..], &windows[..], &[hour(5)], &[hour(2)], &early[..]] {
        other.person(&elsewhere, people[0]).await.unwrap();
        agree(&site.app, &*site.store, &kansa, windows, 2).await;
    }
    // A page goes on for the question that it answers, and for nothing else.
    let two = Paging { count: 2, cursor: None };
    let next = site.app.review_counts(&kansa, &windows, &two).await.unwrap().people.next;
    let next = Paging { count: 2, cursor: next };
    assert!(next.cursor.is_some());
    let refused = site.app.review_counts(&kansa, &early, &next).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    assert!(site.app.review_counts(&kansa, &windows, &next).await.is_ok());
    site.store.close().await;
}

#[tokio::test]
async fn counts_are_those_of_the_ledger_on_sqlite() {
    counts_are_those_of_the_ledger(On::Sqlite).await;
}

#[tokio::test]
async fn counts_are_those_of_the_ledger_on_postgres() {
    counts_are_those_of_the_ledger(On::Postgres).await;
}
