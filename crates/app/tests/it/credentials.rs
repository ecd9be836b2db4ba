//! Passwords, first passwords, failed tries. A test whose name carries the id of a clause proves it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{App, Caller, CreateAs, ErrorKind, IdentityProof, NewStaff, Origin, Result};
use mimamori_domain::{ActorId, Kind};

use crate::office::with_parameters;
use crate::procedures::site_under;
use crate::support::{On, PASSWORD, note};
use crate::town::Town;

const OTHER: &str = "midori-densha-ga-hashi-7";

fn at(address: &str) -> Origin {
    Origin { address: Some(address.parse::<IpAddr>().unwrap()), ..Origin::default() }
}

fn kind<T>(done: Result<T>) -> ErrorKind {
    done.err().unwrap().kind()
}

/// A town whose pack has other parameters.
async fn town_with(parameters: &[(&str, &str)]) -> Town {
    let lines: Vec<String> =
        parameters.iter().map(|(key, value)| format!("{{key: {key}, value: {value}}}")).collect();
    Town::at(site_under(On::Sqlite, with_parameters(&lines.join(", "))).await).await
}

/// A nurse with a first password: who she is and what it is.
async fn newcomer(town: &Town) -> (ActorId, String) {
    let staff = NewStaff {
        login: "niiyama".to_owned(),
        name: "新山 美咲".to_owned(),
        kana: Some("ニイヤマ ミサキ".to_owned()),
        occupation: "nurse".parse().ok(),
        institution: Some(town.ids.hospital),
        roles: Vec::new(),
        password: String::new(),
    };
    let (actor, issued) = town.site.app.issue_staff(&town.site.operator(), &staff).await.unwrap();
    (actor, issued.secret.to_string())
}

async fn session(app: &App, login: &str, password: &str, origin: &Origin) -> (String, Caller) {
    let signed = app.sign_in(login, password, origin).await.unwrap();
    let caller = app.caller(&signed.token, origin).await.unwrap();
    (signed.token, caller)
}

/// Proves: a first password opens nothing but choosing one's own, which ends that.
#[tokio::test]
async fn clause_mic_3_2_3_1_2_1() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let (_, secret) = newcomer(&town).await;
    assert!(secret.len() >= 20);
    let origin = at("192.0.2.1");
    let (token, caller) = session(app, "niiyama", &secret, &origin).await;
    assert!(caller.must_change_password());
    let observed = Kind::of("Observation");
    assert!(app.read(&caller, &observed, ids.observation).await.is_err());
    assert!(app.create(&caller, note(ids.subject, "朝").into(), CreateAs::Confirmed).await.is_err());
    assert!(app.person(&caller, ids.subject).await.is_err());
    // Her own name in Latin letters is no password for her.
    let named = app.change_own_password(&caller, &secret, "niiyama-misaki").await.unwrap_err();
    assert!(named.message().contains("your own name"), "{named}");
    assert_eq!(kind(app.change_own_password(&caller, "wrong", OTHER).await), ErrorKind::Invalid);
    // The first one itself cannot be kept.
    assert_eq!(kind(app.change_own_password(&caller, &secret, &secret).await), ErrorKind::Invalid);
    app.change_own_password(&caller, &secret, OTHER).await.unwrap();
    let caller = app.caller(&token, &origin).await.unwrap();
    assert!(!caller.must_change_password());
    assert!(app.person(&caller, ids.subject).await.is_ok());
    assert_eq!(kind(app.sign_in("niiyama", &secret, &origin).await), ErrorKind::Unauthenticated);
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
}

/// Proves: a temporary password is issued for a limited time, and its change is forced at first sign-in.
#[tokio::test]
async fn clause_kawaguchi_9_2_5_2() {
    let town = Town::new(On::Sqlite).await;
    let (app, clock) = (&town.site.app, &town.site.clock);
    let (_, secret) = newcomer(&town).await;
    let (_, caller) = session(app, "niiyama", &secret, &at("192.0.2.1")).await;
    assert!(caller.must_change_password());
    clock.advance(Duration::from_secs(72 * 3_600));
    assert_eq!(kind(app.sign_in("niiyama", &secret, &at("192.0.2.1")).await), ErrorKind::Gone);
    // Only whoever knows it is told so.
    assert_eq!(kind(app.sign_in("niiyama", "x", &at("192.0.2.1")).await), ErrorKind::Unauthenticated);
}

/// Proves: earlier passwords are not used again, as many as the pack says; other sessions end at a change.
#[tokio::test]
async fn clause_mic_3_2_3_1_3_7() {
    let town = Town::new(On::Sqlite).await;
    let app = &town.site.app;
    let origin = at("192.0.2.1");
    let (elsewhere, _) = session(app, "hana", PASSWORD, &at("192.0.2.9")).await;
    let (token, mut caller) = session(app, "hana", PASSWORD, &origin).await;
    let mut present = PASSWORD.to_owned();
    for next in ["aoi-tsukue-to-mado-1", "aoi-tsukue-to-mado-2", "aoi-tsukue-to-mado-3"] {
        let again = app.change_own_password(&caller, &present, PASSWORD).await.unwrap_err();
        assert!(again.message().contains("used before"), "{again}");
        app.change_own_password(&caller, &present, next).await.unwrap();
        caller = app.caller(&token, &origin).await.unwrap();
        present = next.to_owned();
        assert_eq!(kind(app.caller(&elsewhere, &at("192.0.2.9")).await), ErrorKind::Unauthenticated);
    }
    // The fourth last may come again.
    app.change_own_password(&caller, &present, "aoi-tsukue-to-mado-4").await.unwrap();
    let caller = app.caller(&token, &origin).await.unwrap();
    app.change_own_password(&caller, "aoi-tsukue-to-mado-4", PASSWORD).await.unwrap();
}

/// Proves: the fifth edition's two months can be chosen for staff; citizens are never made to change.
#[tokio::test]
async fn clause_mic_3_2_3_1_2_3() {
    let must = async |town: &Town, login: &str| {
        session(&town.site.app, login, PASSWORD, &at("192.0.2.1")).await.1.must_change_password()
    };
    let town = town_with(&[("password.lifetime-days", "60")]).await;
    assert!(!must(&town, "hana").await && !must(&town, "haru").await);
    town.site.clock.advance(Duration::from_secs(60 * 86_400));
    assert!(must(&town, "hana").await && !must(&town, "haru").await);
    // Without the parameter nothing ends.
    let town = Town::new(On::Sqlite).await;
    town.site.clock.advance(Duration::from_secs(60 * 86_400));
    assert!(!must(&town, "hana").await);
}

/// Fails until it is refused without being looked at; gives how many tries that took.
async fn exhaust(app: &App, login: &str, origin: impl Fn(usize) -> Origin) -> usize {
    for tries in 0..200 {
        match kind(app.sign_in(login, "wrong", &origin(tries)).await) {
            ErrorKind::Unauthenticated => {}
            other => {
                assert_eq!(other, ErrorKind::Busy);
                return tries;
            }
        }
    }
    panic!("never refused");
}

/// Proves: tries are delayed and then refused, for an account and a place; the same for a name that nobody
/// has; a restart and another instance go on counting; the owner is not locked out by somebody elsewhere,
/// an administrator sees and ends the lock, and it ends by itself. Citizens too.
#[tokio::test]
async fn clause_mic_3_2_3_1_2_2() {
    // No delays, so that failures follow each other.
    let town = town_with(&[("sign-in.delays-seconds", "[0]")]).await;
    let app = &town.site.app;
    let desk = at("192.0.2.1");
    app.sign_in("hana", PASSWORD, &desk).await.unwrap();
    app.sign_in("haru", PASSWORD, &desk).await.unwrap();
    // An attacker with many addresses: refused after ten, like for a name that nobody has.
    for login in ["hana", "haru", "nobody"] {
        let from = |n: usize| at(&format!("198.51.100.{}", n % 200));
        assert_eq!(exhaust(app, login, from).await, 10, "{login}");
        assert_eq!(kind(app.sign_in(login, PASSWORD, &at("203.0.113.5")).await), ErrorKind::Busy);
    }
    // Another instance, as after a restart, knows.
    let second = town.site.second(Arc::clone(&town.site.store)).await;
    assert_eq!(kind(second.sign_in("hana", PASSWORD, &at("203.0.113.5")).await), ErrorKind::Busy);
    // Where they usually work the owners sign in, and are told of the failures.
    let signed = app.sign_in("hana", PASSWORD, &desk).await.unwrap();
    assert_eq!(signed.failed_since, 10);
    let hana = app.caller(&signed.token, &desk).await.unwrap();
    assert_eq!(app.own_sign_ins(&hana).await.unwrap().failed, 10);
    app.sign_in("haru", PASSWORD, &desk).await.unwrap();

    // One place: an IPv6 network is one, whatever its addresses.
    let network = |n: usize| at(&format!("2001:db8:1:2::{n:x}"));
    assert_eq!(exhaust(app, "jiro", network).await, 10);
    let actor = town.ids.jiro;
    let operator = app.operator("tester");
    assert!(app.account(&operator, actor).await.unwrap().locked_until.is_some());
    app.unlock_account(&operator, actor).await.unwrap();
    assert!(app.account(&operator, actor).await.unwrap().locked_until.is_none());
    // For a while nobody elsewhere locks the name again.
    assert_eq!(exhaust(app, "jiro", network).await, 10);
    app.sign_in("jiro", PASSWORD, &at("203.0.113.77")).await.unwrap();

    // And by itself after the pack's minutes.
    assert_eq!(exhaust(app, "aki", |_| desk.clone()).await, 10);
    town.site.clock.advance(Duration::from_secs(30 * 60 - 1));
    assert_eq!(kind(app.sign_in("aki", PASSWORD, &desk).await), ErrorKind::Busy);
    town.site.clock.advance(Duration::from_secs(1));
    app.sign_in("aki", PASSWORD, &desk).await.unwrap();

    // With the pack's own delays the third failure makes the next try wait.
    let delayed = Town::new(On::Sqlite).await;
    assert_eq!(exhaust(&delayed.site.app, "nobody-either", |_| desk.clone()).await, 2);
}

/// Proves: many tries at once are no way around the count.
#[tokio::test]
async fn tries_at_the_same_time_are_counted_one_by_one() {
    let town = town_with(&[("sign-in.delays-seconds", "[0]")]).await;
    let app = &town.site.app;
    let origin = at("192.0.2.1");
    let all = (0..40).map(|_| app.sign_in("hana", "wrong", &origin));
    let looked_at = futures::future::join_all(all).await;
    let looked_at = looked_at
        .into_iter()
        .filter(|done| matches!(done, Err(error) if error.kind() == ErrorKind::Unauthenticated));
    assert!(looked_at.count() <= 10);
}

/// Proves: under a flood from many addresses people sign in where they usually do, and what the flood left
/// in memory and database is bounded and goes away.
#[tokio::test]
async fn a_flood_keeps_nobody_out_who_is_known() {
    let town = Town::new(On::Sqlite).await;
    let app = &town.site.app;
    let desk = at("192.0.2.1");
    app.sign_in("hana", PASSWORD, &desk).await.unwrap();
    let names: Vec<_> =
        (0..300).map(|n| (format!("name{n}"), at(&format!("198.51.{}.{}", n / 250, n % 250)))).collect();
    let flood = names.iter().map(|(name, origin)| app.sign_in(name, "wrong", origin));
    let (flooded, signed) =
        futures::join!(futures::future::join_all(flood), app.sign_in("hana", PASSWORD, &desk));
    signed.unwrap();
    assert!(flooded.iter().any(|done| matches!(done, Err(e) if e.kind() == ErrorKind::Unavailable)));
    town.site.clock.advance(Duration::from_secs(3_600));
    app.refused_before_sign_in(&desk, "sign-in-failed");
    app.write_refusals().await.unwrap();
    let mut left = 0;
    for (name, origin) in &names {
        left += usize::from(kind(app.sign_in(name, "wrong", origin).await) != ErrorKind::Unauthenticated);
    }
    assert_eq!(left, 0);
}

/// Proves: another password is issued only after the identity was proved by the pack's procedure, or on
/// the record where the pack names none, and by nobody who may not.
#[tokio::test]
async fn clause_mic_3_2_3_1_3_3() {
    let proof =
        IdentityProof { reason: "忘れた".to_owned(), how: "職員証を見た".to_owned(), case: None };
    // The base pack names a procedure: without its approved case nothing is issued.
    let strict = Town::new(On::Sqlite).await;
    let refused = strict.site.app.reissue_password(&strict.site.operator(), strict.ids.jiro, &proof).await;
    assert!(refused.unwrap_err().message().contains("approved case"));
    let town = town_with(&[("accounts.reissue-procedure", "\"\"")]).await;
    let (app, ids, operator) = (&town.site.app, town.ids, town.site.operator());
    for (reason, how) in [("", "職員証を見た"), ("忘れた", " ")] {
        let lacking = IdentityProof { reason: reason.to_owned(), how: how.to_owned(), case: None };
        assert_eq!(kind(app.reissue_password(&operator, ids.jiro, &lacking).await), ErrorKind::Invalid);
    }
    let (token, hana) = session(app, "hana", PASSWORD, &at("192.0.2.1")).await;
    assert_eq!(kind(app.reissue_password(&hana, ids.jiro, &proof).await), ErrorKind::Forbidden);
    assert_eq!(kind(app.reissue_password(&hana, ids.hana, &proof).await), ErrorKind::Conflict);
    let issued = app.reissue_password(&operator, ids.hana, &proof).await.unwrap();
    assert_eq!(issued.institution.as_deref(), Some("見守り病院"));
    // Sessions ended, the old one opens nothing, the new one is to be changed.
    assert_eq!(kind(app.caller(&token, &at("192.0.2.1")).await), ErrorKind::Unauthenticated);
    assert_eq!(kind(app.sign_in("hana", PASSWORD, &at("192.0.2.1")).await), ErrorKind::Unauthenticated);
    let (_, hana) = session(app, "hana", &issued.secret, &at("192.0.2.1")).await;
    assert!(hana.must_change_password());
    assert!(!format!("{issued:?} {proof:?}").contains(issued.secret.as_str()));
}

/// Proves: on suspicion of a leak one action stops the account and its sessions at once, by its owner or an
/// administrator; it goes on with another password only.
#[tokio::test]
async fn clause_mic_3_2_3_1_3_5() {
    let town = town_with(&[("accounts.reissue-procedure", "\"\"")]).await;
    let app = &town.site.app;
    let (operator, ids, origin) = (app.operator("tester"), town.ids, at("192.0.2.1"));
    let proof = IdentityProof { reason: "漏れた".to_owned(), how: "対面".to_owned(), case: None };
    let (token, hana) = session(app, "hana", PASSWORD, &origin).await;
    app.report_own_leak(&hana).await.unwrap();
    assert_eq!(kind(app.caller(&token, &origin).await), ErrorKind::Unauthenticated);
    assert_eq!(kind(app.sign_in("hana", PASSWORD, &origin).await), ErrorKind::Unauthenticated);
    assert!(app.account(&operator, ids.hana).await.unwrap().leaked);
    assert_eq!(kind(app.resume_actor(&operator, ids.hana, "再開").await), ErrorKind::Conflict);
    assert_eq!(kind(app.resume_account(&operator, "hana").await), ErrorKind::Conflict);
    let issued = app.reissue_password(&operator, ids.hana, &proof).await.unwrap();
    let (_, hana) = session(app, "hana", &issued.secret, &origin).await;
    // The leaked one is not chosen again.
    assert_eq!(kind(app.change_own_password(&hana, &issued.secret, PASSWORD).await), ErrorKind::Invalid);
    app.change_own_password(&hana, &issued.secret, OTHER).await.unwrap();

    // By an administrator, of a citizen; by nobody else.
    let (token, haru) = session(app, "haru", PASSWORD, &origin).await;
    assert_eq!(kind(app.suspect_leak(&haru, ids.jiro, "疑い").await), ErrorKind::Forbidden);
    assert_eq!(kind(app.unlock_account(&haru, ids.jiro).await), ErrorKind::Forbidden);
    app.suspect_leak(&operator, haru.actor_id(), "紛失").await.unwrap();
    assert_eq!(kind(app.caller(&token, &origin).await), ErrorKind::Unauthenticated);
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
}

/// Proves: sign-in and sign-out times and failed tries are told after signing in, and tries are limited.
#[tokio::test]
async fn clause_kawaguchi_9_2_4() {
    let town = Town::new(On::Sqlite).await;
    let (app, clock, origin) = (&town.site.app, &town.site.clock, at("192.0.2.1"));
    let (_, first) = session(app, "jiro", PASSWORD, &origin).await;
    let began = mimamori_domain::Clock::now(clock.as_ref());
    clock.advance(Duration::from_secs(60));
    app.sign_out(&first).await.unwrap();
    let ended = mimamori_domain::Clock::now(clock.as_ref());
    assert!(app.sign_in("jiro", "wrong", &origin).await.is_err());
    let (_, jiro) = session(app, "jiro", PASSWORD, &origin).await;
    let told = app.own_sign_ins(&jiro).await.unwrap();
    assert_eq!((told.last_sign_in, told.last_sign_out, told.failed), (Some(began), Some(ended), 1));
}

/// Proves: accounts that nobody uses are reported, then open nothing, as the pack says.
#[tokio::test]
async fn clause_mhlw7_ops_14_8() {
    let town = Town::new(On::Sqlite).await;
    let (app, origin) = (&town.site.app, at("192.0.2.1"));
    let operator = town.site.operator();
    let unused = async || app.account(&operator, town.ids.jiro).await.unwrap().unused;
    assert!(!unused().await);
    town.site.clock.advance(Duration::from_secs(90 * 86_400));
    assert!(unused().await);
    town.site.clock.advance(Duration::from_secs(275 * 86_400));
    assert_eq!(kind(app.sign_in("jiro", PASSWORD, &origin).await), ErrorKind::Gone);
    app.stop_account(&operator, "jiro", "未使用").await.unwrap();
    app.resume_account(&operator, "jiro").await.unwrap();
    app.sign_in("jiro", PASSWORD, &origin).await.unwrap();
}
