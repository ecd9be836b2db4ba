//! Notices (お知らせ): which entries of a register stand on whose first page, and on which days. On the pack
//! of the tests of registers.

use std::time::Duration;

use crate::procedures::form;
use crate::registers::Office;
use crate::support::On;

/// A notice is there from its first day to its last in Japan, for those who read its register.
#[tokio::test]
async fn a_notice_stands_while_it_holds() {
    let office = Office::with(On::Sqlite, &["keeper", "reader", "nobody"]).await;
    let app = office.app();
    app.add_citizen(&office.site.operator(), "haru", "山田 春", crate::support::PASSWORD, None)
        .await
        .unwrap();
    let keeper = office.call("keeper").await;
    let now = || mimamori_domain::Clock::now(&*office.site.clock);
    let day = |after: i64| {
        let today = jiff::tz::Offset::constant(9).to_datetime(jiff::Timestamp::from(now())).date();
        today.saturating_add(jiff::ToSpan::days(after)).to_string()
    };
    let (today, tomorrow, later) = (day(0), day(1), day(3));
    let post = async |subject: &str, from: &str, until: &str| {
        let typed = form(&[("subject", subject), ("from", from), ("until", until)]);
        app.add_entry(&keeper, "posted", &typed).await.unwrap()
    };
    post("今日だけ", &today, &today).await;
    post("明日から", &tomorrow, &later).await;
    post("終わりなし", &today, "").await;
    let struck = post("取り消し", &today, &later).await;
    app.strike_entry(&keeper, "posted", struck, 1, "間違い").await.unwrap();
    let read = async |login: &str| {
        let mut titles: Vec<String> =
            app.notices(&office.call(login).await).await.unwrap().into_iter().map(|n| n.title).collect();
        titles.sort();
        titles
    };
    assert_eq!(read("reader").await, ["今日だけ", "終わりなし"]);
    // Registers are the staff's, whatever a pack says.
    assert!(read("haru").await.is_empty());
    assert_eq!(read("keeper").await, ["今日だけ", "終わりなし"]);
    assert!(read("nobody").await.is_empty());
    office.site.clock.advance(Duration::from_secs(86_400));
    assert_eq!(read("reader").await, ["明日から", "終わりなし"]);
    office.site.clock.advance(Duration::from_secs(3 * 86_400));
    assert_eq!(read("reader").await, ["終わりなし"]);

    // Looking at some is recorded, at none it is not; a first page has no more than a handful.
    let (reader, nobody) = (office.call("reader").await, office.call("nobody").await);
    let before = office.size().await;
    app.notices(&nobody).await.unwrap();
    assert_eq!(office.size().await, before);
    app.notices(&reader).await.unwrap();
    assert_eq!(office.size().await, before + 1);
    for number in 0..mimamori_app::MOST_NOTICES {
        post(&format!("知らせ{number}"), &today, "").await;
    }
    let most = app.notices(&reader).await.unwrap();
    assert_eq!(most.len(), mimamori_app::MOST_NOTICES);
    office.clean().await;
}
