//! How many sessions one account has, where a session belongs, and from where a second factor is registered.

use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{Act, ErrorKind, First, IdentityProof, Origin, Proof, wants_step_up};
use mimamori_domain::{Action, Clock as _, Outcome, TerminalId, ZoneCode};

use crate::clauses_identity::{caller, code, desk, password, shown_at};
use crate::office::with_parameters;
use crate::procedures::site_under;
use crate::staleness::entries;
use crate::support::{On, PASSWORD};
use crate::town::Town;
use crate::under_rules::{Rules, kind};

fn from(zone: &str) -> Origin {
    Origin { zone: ZoneCode::new(zone).ok(), ..desk() }
}

async fn under(parameters: &str) -> Town {
    Town::at(site_under(On::Sqlite, with_parameters(parameters)).await).await
}

/// No more sessions go on than the pack allows: with one more sign-in the oldest ends, on every program, and
/// both the ledger and its owner are told.
#[tokio::test]
async fn the_oldest_session_ends_when_there_are_too_many() {
    let town = under("{key: session.most-per-account, value: 2}").await;
    let (app, ids) = (&town.site.app, town.ids);
    let second = town.site.second(Arc::clone(&town.site.store)).await;
    // `Town` itself signed her in once.
    town.site.clock.advance(Duration::from_secs(3_600));
    let mut open = Vec::new();
    for _ in 0..2 {
        town.site.clock.advance(Duration::from_secs(60));
        let signed = password(app, "hana").await;
        assert_eq!(signed.ended, 0);
        open.push(signed.token);
    }
    // Both programs know them.
    for token in &open {
        assert!(second.caller(token, &desk()).await.is_ok());
    }
    let from = entries(town.site.store.as_ref(), 0).await.len() as u64;
    let third = password(app, "hana").await;
    assert_eq!(third.ended, 1);
    let written = entries(town.site.store.as_ref(), from).await;
    let ended = written.iter().find(|entry| entry.draft.action == Action::SignOut).unwrap();
    assert_eq!((ended.draft.actor, ended.draft.count), (Some(ids.hana), 1));
    assert_eq!(kind(app.caller(&open[0], &desk()).await), ErrorKind::Unauthenticated);
    // What the other program still has in memory commits nothing any more.
    if let Ok(old) = second.caller(&open[0], &desk()).await {
        assert_eq!(kind(second.person(&old, ids.subject).await), ErrorKind::Busy);
    }
    assert!(app.caller(&open[1], &desk()).await.is_ok());
    // Showing again who one is is no other session.
    let hana = caller(app, &third.token).await;
    let token = app.step_up(&hana, &Proof::Password(PASSWORD.into())).await.unwrap();
    assert_eq!(app.own_sessions(&caller(app, &token).await).await.unwrap().len(), 2);
    // One that was left without use counts no more.
    town.site.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(password(app, "hana").await.ended, 0);
    // Of many at the same moment no more than two are left.
    let at = desk();
    // Who is told that somebody else was sooner signs in again.
    let persists = async || {
        for _ in 0..20 {
            match app.sign_in("jiro", PASSWORD, &at).await {
                Ok(signed) => return Some(signed.token),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Busy),
            }
        }
        None
    };
    let many = futures::future::join_all((0..4).map(|_| persists())).await;
    let tokens: Vec<String> = many.into_iter().flatten().collect();
    let mut alive = 0;
    for token in &tokens {
        alive += usize::from(app.caller(token, &desk()).await.is_ok());
    }
    assert!(alive <= 2 && tokens.len() > 2, "{alive} of {}", tokens.len());
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
}

/// A session that began on a registered terminal opens nothing from another one or from none, on any program,
/// and the try is on the record; one that began without a certificate is tied to none.
#[tokio::test]
async fn a_session_belongs_to_the_terminal_it_began_on() {
    for on in [On::Sqlite, On::Postgres] {
        let town = Town::new(on).await;
        let (app, ids) = (&town.site.app, town.ids);
        let (own, other) = (TerminalId::random(), TerminalId::random());
        let at = |terminal| Origin { terminal, ..desk() };
        let signed = app.sign_in("hana", PASSWORD, &at(Some(own))).await.unwrap();
        assert!(app.caller(&signed.token, &at(Some(own))).await.is_ok());
        let second = town.site.second(Arc::clone(&town.site.store)).await;
        let from = entries(town.site.store.as_ref(), 0).await.len() as u64;
        for app in [app, &second] {
            for terminal in [Some(other), None] {
                let refused = app.caller(&signed.token, &at(terminal)).await;
                assert_eq!(kind(refused), ErrorKind::Unauthenticated);
            }
            // Where it belongs it goes on.
            assert!(app.caller(&signed.token, &at(Some(own))).await.is_ok());
        }
        let written = entries(town.site.store.as_ref(), from).await;
        let tries: Vec<_> = written.iter().filter(|entry| entry.draft.outcome == Outcome::Refused).collect();
        // Once a minute on each program, with the terminal it came from; the rest is counted.
        assert_eq!(tries.len(), 2);
        assert!(
            tries
                .iter()
                .all(|entry| { entry.draft.actor == Some(ids.hana) && entry.draft.terminal == Some(other) })
        );
        // It stays so when it goes on under another token.
        let hana = app.caller(&signed.token, &at(Some(own))).await.unwrap();
        let token = app.step_up(&hana, &Proof::Password(PASSWORD.into())).await.unwrap();
        assert_eq!(kind(app.caller(&token, &at(None)).await), ErrorKind::Unauthenticated);
        // The row alone does not set it free.
        town.site.database.run("UPDATE session SET terminal = NULL").await.unwrap();
        let third = town.site.second(Arc::clone(&town.site.store)).await;
        assert_eq!(kind(third.caller(&token, &at(None)).await), ErrorKind::Unauthenticated);

        let free = password(app, "jiro").await.token;
        assert!(app.caller(&free, &at(Some(own))).await.is_ok());
    }
}

/// A right password from a place that is closed to its owner is on the record and is no failed try: it
/// neither delays nor locks. Whoever does not know it is answered and counted as ever.
#[tokio::test]
async fn a_closed_zone_locks_nobody_out() {
    let town =
        under("{key: sign-in.lock-after-failures, value: 3}, {key: sign-in.delays-seconds, value: [0]}")
            .await;
    let app = &town.site.app;
    let since = entries(town.site.store.as_ref(), 0).await.len() as u64;
    for _ in 0..6 {
        assert_eq!(kind(app.sign_in("hana", PASSWORD, &from("outside")).await), ErrorKind::Forbidden);
    }
    let written = entries(town.site.store.as_ref(), since).await;
    let refused = written.iter().filter(|entry| entry.draft.outcome == Outcome::Refused);
    assert_eq!(refused.filter(|entry| entry.draft.zone.is_some()).count(), 6);
    let signed = app.sign_in("hana", PASSWORD, &from("staff-network")).await.unwrap();
    assert_eq!(signed.failed_since, 0);
    for _ in 0..3 {
        assert_eq!(kind(app.sign_in("jiro", "x", &from("outside")).await), ErrorKind::Unauthenticated);
    }
    assert_eq!(kind(app.sign_in("jiro", PASSWORD, &from("outside")).await), ErrorKind::Busy);
}

/// Where two factors are asked for, a password is not enough to register the second one: it takes a place
/// that the pack opens for it, or a code that was given after the identity was proved.
#[tokio::test]
async fn a_second_factor_is_registered_only_from_where_the_pack_lets_it() {
    let town = under("{key: second-factor.replacement-procedure, value: \"\"}").await;
    let (app, ids, clock) = (&town.site.app, town.ids, &town.site.clock);
    let permission = mimamori_app::NewAppointment {
        actor: ids.hana,
        role: "outside-user".parse().unwrap(),
        institution: None,
        unit: None,
        system: None,
        from: crate::support::START,
        until: Some(clock.now().plus(Duration::from_secs(30 * 86_400))),
        deputy: false,
    };
    app.appoint(&town.site.operator(), &permission).await.unwrap();
    let outside = from("outside");
    let signed = app.sign_in("hana", PASSWORD, &outside).await.unwrap();
    // She is led to the page that says what to do.
    assert_eq!(signed.first, Some(First::Factor));
    let hana = app.caller(&signed.token, &outside).await.unwrap();
    let told = app.own_factors(&hana).await.unwrap().elsewhere.unwrap();
    let names: Vec<&str> = told.zones.iter().map(|name| name.get(mimamori_policy::Language::Ja)).collect();
    assert!(names.contains(&"業務用の網") && !names.iter().any(|name| name.contains("外部")));
    let since = entries(town.site.store.as_ref(), 0).await.len() as u64;
    assert_eq!(kind(app.begin_one_time(&hana, "見守り").await), ErrorKind::Conflict);
    assert_eq!(kind(app.begin_passkey(&hana).await), ErrorKind::Conflict);
    let written = entries(town.site.store.as_ref(), since).await;
    assert_eq!(written.iter().filter(|entry| entry.draft.outcome == Outcome::Refused).count(), 2);
    // What was begun at the office is not finished outside.
    let office = app.caller(&signed.token, &from("staff-network")).await.unwrap();
    let begun = app.begin_one_time(&office, "見守り").await.unwrap();
    let now = shown_at(&begun.secret, clock.now());
    assert_eq!(kind(app.add_one_time(&hana, &begun.token, &now, "").await), ErrorKind::Conflict);
    // With a code that she was given it is.
    let proof = IdentityProof { reason: "在宅".into(), how: "職員証".into(), case: None };
    let issued = app.replace_factor(&town.site.operator(), ids.hana, &proof).await.unwrap();
    let half = app.sign_in("hana", PASSWORD, &outside).await.unwrap();
    assert!(half.second);
    let signed = app.finish_sign_in(&half.token, &code(issued.secret.as_str()), &outside).await.unwrap();
    let hana = app.caller(&signed.token, &outside).await.unwrap();
    assert!(app.own_factors(&hana).await.unwrap().elsewhere.is_none());
    let begun = app.begin_one_time(&hana, "見守り").await.unwrap();
    let now = shown_at(&begun.secret, clock.now());
    let made = app.add_one_time(&hana, &begun.token, &now, "電話").await.unwrap();
    let hana = app.caller(&made.token, &outside).await.unwrap();
    assert!(hana.first().is_none() && app.person(&hana, ids.subject).await.is_ok());
    // Another one is added from anywhere by whoever has shown two.
    assert!(app.begin_one_time(&hana, "見守り").await.is_ok());
}

/// An approval whose effect touches accounts or roles asks its approver to show again who they are; one that
/// touches neither does not, nor does a refusal.
#[tokio::test]
async fn approving_what_touches_accounts_asks_who_one_is() {
    let people = [
        ("chief", "", "facility-manager"),
        ("ops", "", "operations-manager"),
        ("guard", "", "security-manager"),
        ("nurse", "nurse", ""),
    ];
    let rules = Rules::eased("base", &people).await;
    let app = rules.app();
    let nurse = rules.actor("nurse").await.unwrap().to_string();
    let stop = [("account", nurse.as_str()), ("change", "stop"), ("reason", "left")];
    let mut cases = Vec::new();
    for _ in 0..2 {
        cases.push(rules.begin("chief", "account-removal", &stop).await.unwrap());
    }
    let out = [("object", "古い紙"), ("reason", "保存期間の終わり"), ("method", "destroy")];
    let other = rules.begin("nurse", "disposal", &out).await.unwrap();
    let (ops, guard) = (rules.call("ops").await, rules.call("guard").await);
    let token = app.sign_in("ops", PASSWORD, &desk()).await.unwrap().token;
    let old = app.sign_in("guard", PASSWORD, &desk()).await.unwrap().token;
    drop((ops, guard));
    // In use all the time, and shown long ago.
    for _ in 0..2 {
        rules.site.clock.advance(Duration::from_secs(10 * 60));
        for token in [&token, &old] {
            let who = app.caller(token, &desk()).await.unwrap();
            app.own_sessions(&who).await.unwrap();
        }
    }
    let late = app.caller(&token, &desk()).await.unwrap();
    let seen = app.case(&late, cases[0]).await.unwrap().version;
    let none = crate::procedures::form(&[]);
    let refused = app.act_on_case(&late, cases[0], seen, &Act::Pass, &none).await.unwrap_err();
    assert!(wants_step_up(&refused), "{refused}");
    assert!(app.sign_in("nurse", PASSWORD, &desk()).await.is_ok());
    let no = Act::Refuse { reason: "残る".to_owned() };
    app.act_on_case(&late, cases[1], seen, &no, &none).await.unwrap();
    let fresh = app.step_up(&late, &Proof::Password(PASSWORD.into())).await.unwrap();
    let fresh = app.caller(&fresh, &desk()).await.unwrap();
    app.act_on_case(&fresh, cases[0], seen, &Act::Pass, &none).await.unwrap();
    assert_eq!(kind(app.sign_in("nurse", PASSWORD, &desk()).await), ErrorKind::Unauthenticated);
    // Terminals are not marked in the base pack.
    let guard = app.caller(&old, &desk()).await.unwrap();
    let seen = app.case(&guard, other).await.unwrap().version;
    app.act_on_case(&guard, other, seen, &Act::Pass, &none).await.unwrap();
    rules.clean().await;
}
