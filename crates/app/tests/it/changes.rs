//! Whether a page is out of date, asked for all pages in one go: what another program wrote is found as well.

use std::sync::Arc;

use bytes::Bytes;
use mimamori_app::{CreateAs, Origin, Paging, TimelineFilter};

use crate::support::{On, PASSWORD, Site, note};

macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name(super::On::Sqlite).await })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name(super::On::Postgres).await })*
        }
    };
}

on_both! {
    what_another_program_wrote_is_news_to_whoever_may_see_it
}

async fn what_another_program_wrote_is_news_to_whoever_may_see_it(on: On) {
    let site = Site::on(on).await;
    let (hospital, other) = (site.institution("病院").await, site.institution("よその病院").await);
    site.staff("hana", Some("nurse"), hospital, &[]).await;
    site.staff("jiro", Some("doctor"), hospital, &[]).await;
    site.staff("yoso", Some("nurse"), other, &[]).await;
    let hana = site.sign_in("hana").await;
    let subject = site.person(&hana, "山田", "春").await;
    site.app.add_team_member(&site.operator(), subject, None, Some(hospital)).await.unwrap();
    let (app, second) = (&site.app, site.second(Arc::clone(&site.store)).await);
    let signed = app.sign_in("jiro", PASSWORD, &Origin::default()).await.unwrap();
    let jiro = app.caller(&signed.token, &Origin::default()).await.unwrap();
    let yoso = site.sign_in("yoso").await;
    // What the page shows is on it, and no news.
    let write = async |text: &str, how: CreateAs| {
        let by = second.sign_in("hana", PASSWORD, &Origin::default()).await.unwrap();
        let by = second.caller(&by.token, &Origin::default()).await.unwrap();
        second.create(&by, Bytes::from(note(subject, text)), how).await.unwrap();
    };
    write("朝のようす", CreateAs::Confirmed).await;
    app.timeline(&jiro, subject, &TimelineFilter::default(), &Paging::default()).await.unwrap();
    let page = app.followed(&jiro, &app.follow_page(&jiro, &[subject]).unwrap()).unwrap();
    assert_eq!(page.subjects, [subject]);
    let mark = app.ledger_mark().await.unwrap();
    assert!(!app.has_news(&jiro, &page).await.unwrap());
    assert!(app.written_since(mark, mark).await.unwrap().is_empty());
    // Reading is no writing, and a draft is nobody's news.
    app.timeline(&jiro, subject, &TimelineFilter::default(), &Paging::default()).await.unwrap();
    let read = app.ledger_mark().await.unwrap();
    assert_ne!(read, mark);
    assert!(app.written_since(mark, read).await.unwrap().is_empty());
    write("書きかけ", CreateAs::Draft).await;
    assert!(!app.has_news(&jiro, &page).await.unwrap());

    write("夕方に発熱", CreateAs::Confirmed).await;
    let now = app.ledger_mark().await.unwrap();
    assert!(app.written_since(read, now).await.unwrap().contains(&subject));
    assert!(app.has_news(&jiro, &page).await.unwrap());
    let own = app.followed(&hana, &app.follow_page(&hana, &[subject]).unwrap()).unwrap();
    assert!(!app.has_news(&hana, &own).await.unwrap(), "one's own is no news");
    let theirs = app.followed(&yoso, &app.follow_page(&yoso, &[subject]).unwrap()).unwrap();
    assert!(!app.has_news(&yoso, &theirs).await.unwrap(), "who may not see it is told nothing");
    assert!(app.followed(&yoso, &app.follow_page(&jiro, &[subject]).unwrap()).is_err());
    app.timeline(&jiro, subject, &TimelineFilter::default(), &Paging::default()).await.unwrap();
    assert!(!app.has_news(&jiro, &page).await.unwrap(), "shown, it is seen");

    // A session that another program ends is forgotten once it was asked about.
    let known = jiro.session_mark().unwrap();
    let there = second.caller(&signed.token, &Origin::default()).await.unwrap();
    second.sign_out(&there).await.unwrap();
    app.recheck_sessions(&[known]).await.unwrap();
    assert!(app.caller(&signed.token, &Origin::default()).await.is_err());
}
