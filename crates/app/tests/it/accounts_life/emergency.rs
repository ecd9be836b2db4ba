//! Accounts for an emergency: sealed until one comes, closed and reviewed after it.

use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{AccountSort, ErrorKind};
use mimamori_domain::Clock as _;

use super::{DAY, Desk, HOUR, at, kind};
use crate::support::{On, PASSWORD};

/// Proves: an emergency account opens with the sealed secret only, for its hours; its use is noticed by
/// everybody who administers at once and until it was reviewed, which closes it until it is sealed anew.
#[tokio::test]
async fn clause_mic_3_2_8_2_2_3() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, clock) = (desk.app(), &desk.site.clock);
    let actor = desk.site.staff("hijo", None, desk.hospital, &[]).await;
    let sys = desk.office("sys").await;
    assert_eq!(kind(app.seal_emergency_account(&sys, actor, "備え").await), ErrorKind::Invalid);
    app.set_account_sort(&sys, actor, AccountSort::Emergency, "備え").await.unwrap();
    let sealed = app.seal_emergency_account(&sys, actor, "備え").await.unwrap();
    assert_eq!(kind(app.sign_in("hijo", PASSWORD, &at()).await), ErrorKind::Unauthenticated);
    // It is there not to be used: two years later it opens.
    clock.advance(700 * DAY);
    assert_eq!(app.emergencies_open().await.unwrap(), 0);
    let signed = app.sign_in("hijo", &sealed.secret, &at()).await.unwrap();
    assert!(signed.first.is_none() && desk.lives(&signed.token).await);
    // Again while it is open: one notice.
    app.sign_in("hijo", &sealed.secret, &at()).await.unwrap();
    assert_eq!(app.emergencies_open().await.unwrap(), 1);
    let second = desk.site.second(Arc::clone(&desk.site.store)).await;
    assert_eq!(second.emergencies_open().await.unwrap(), 1);
    let operator = desk.site.operator();
    let notice = app.emergency_notices(&operator).await.unwrap().remove(0);
    assert_eq!((notice.actor, notice.login.as_str()), (actor, "hijo"));
    assert_eq!(notice.open_until, Some(clock.now().plus(24 * HOUR)));

    // Not sealed anew before somebody else has looked at what was done.
    assert_eq!(kind(app.seal_emergency_account(&operator, actor, "備え").await), ErrorKind::Conflict);
    assert_eq!(kind(app.review_emergency_use(&operator, notice.id, 1, " ").await), ErrorKind::Invalid);
    let nurse = app.caller(&signed.token, &at()).await.unwrap();
    assert_eq!(kind(app.review_emergency_use(&nurse, notice.id, 1, "自分で").await), ErrorKind::Forbidden);
    app.review_emergency_use(&operator, notice.id, notice.version, "停電のとき当直が使用").await.unwrap();
    let again = app.review_emergency_use(&operator, notice.id, notice.version, "もう一度").await;
    assert_eq!(kind(again), ErrorKind::Conflict);
    assert_eq!(app.emergencies_open().await.unwrap(), 0);
    assert!(!desk.lives(&signed.token).await);
    assert_eq!(kind(app.sign_in("hijo", &sealed.secret, &at()).await), ErrorKind::Unauthenticated);
    desk.clean().await;
}

/// Proves: after its hours an emergency account is closed by itself, also to whoever is signed in.
#[tokio::test]
async fn clause_mic_3_2_8_2_2_4() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, clock, operator) = (desk.app(), &desk.site.clock, desk.site.operator());
    let actor = desk.site.staff("hijo", None, desk.hospital, &[]).await;
    app.set_account_sort(&operator, actor, AccountSort::Emergency, "備え").await.unwrap();
    let sealed = app.seal_emergency_account(&operator, actor, "備え").await.unwrap();
    app.sign_in("hijo", &sealed.secret, &at()).await.unwrap();
    clock.advance(24 * HOUR - Duration::from_secs(1));
    let token = app.sign_in("hijo", &sealed.secret, &at()).await.unwrap().token;
    let before = app.caller(&token, &at()).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(!desk.lives(&token).await);
    assert_eq!(kind(app.report_own_leak(&before).await), ErrorKind::Busy);
    assert_eq!(kind(app.sign_in("hijo", &sealed.secret, &at()).await), ErrorKind::Unauthenticated);
    // Sealed anew after the review it opens with the new secret.
    let notice = app.emergency_notices(&operator).await.unwrap().remove(0);
    assert_eq!(notice.open_until, None);
    app.review_emergency_use(&operator, notice.id, notice.version, "復旧した").await.unwrap();
    let sealed = app.seal_emergency_account(&operator, actor, "備え").await.unwrap();
    assert!(app.sign_in("hijo", &sealed.secret, &at()).await.is_ok());
    desk.clean().await;
}

/// Proves: the rule of emergency accounts as a whole: visible while it is used, disabled after recovery.
#[tokio::test]
async fn clause_mhlw5_6_10_c_3() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, operator) = (desk.app(), desk.site.operator());
    let actor = desk.site.staff("hijo", None, desk.hospital, &[]).await;
    app.set_account_sort(&operator, actor, AccountSort::Emergency, "備え").await.unwrap();
    let sealed = app.seal_emergency_account(&operator, actor, "備え").await.unwrap();
    assert!(!format!("{sealed:?}").contains(sealed.secret.as_str()));
    app.sign_in("hijo", &sealed.secret, &at()).await.unwrap();
    // Everybody who administers sees it, each of them; nobody else.
    for login in ["sys", "ops", "desk", "chief"] {
        let caller = desk.office(login).await;
        assert_eq!(app.emergency_notices(&caller).await.unwrap().len(), 1, "{login}");
    }
    let nurse = desk.site.sign_in("nurse").await;
    assert_eq!(kind(app.emergency_notices(&nurse).await), ErrorKind::Forbidden);
    // The help desk sees it and does not review it.
    let help = desk.office("desk").await;
    let notice = app.emergency_notices(&help).await.unwrap().remove(0);
    let refused = app.review_emergency_use(&help, notice.id, notice.version, "見た").await;
    assert_eq!(kind(refused), ErrorKind::Forbidden);
    let sys = desk.office("sys").await;
    app.review_emergency_use(&sys, notice.id, notice.version, "復旧した").await.unwrap();
    let detail = app.account(&sys, actor).await.unwrap();
    assert!(!detail.account.active);
    assert_eq!(detail.life.stopped_because.as_deref(), Some("=reviewed"));
}
