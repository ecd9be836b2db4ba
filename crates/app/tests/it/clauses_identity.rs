//! Second factors, showing again who one is, sessions. A test whose name carries the id of a clause
//! proves it.

use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{
    Act, App, Caller, ErrorKind, FactorKind, First, IdentityProof, NewFactor, NewStaff, Origin, Proof,
    Result, SignedIn, wants_step_up,
};
use mimamori_domain::{Clock as _, Kind, Timestamp};
use mimamori_policy::Pack;
use totp_rs::{Builder, Secret};

use crate::office::with_parameters;
use crate::procedures::{form, site_under};
use crate::support::{On, PASSWORD};
use crate::town::Town;

const STEP: Duration = Duration::from_secs(30);

pub fn desk() -> Origin {
    let agent = Some("Windows / Edge".to_owned());
    Origin { address: Some([192, 0, 2, 1].into()), agent, ..Origin::default() }
}

fn kind<T>(done: Result<T>) -> ErrorKind {
    done.err().unwrap().kind()
}

pub fn code(text: impl Into<String>) -> Proof {
    Proof::Code(text.into())
}

/// What an authenticator app shows now.
pub fn shown(secret: &str, town: &Town) -> String {
    shown_at(secret, town.site.clock.now())
}

pub fn shown_at(secret: &str, now: Timestamp) -> String {
    let seconds = u64::try_from(now.as_micros() / 1_000_000).unwrap();
    let secret = Secret::try_from_base32(secret).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate(seconds).to_string()
}

/// A town whose rules differ in these parameters, and where failures follow each other without delay.
async fn under(parameters: &str) -> Town {
    let rows = format!("{{key: sign-in.delays-seconds, value: [0]}}, {parameters}");
    Town::at(site_under(On::Sqlite, with_parameters(&rows)).await).await
}

/// Enrols an app; gives its secret and what enrolling gave.
async fn enrol(app: &App, caller: &Caller, town: &Town) -> (String, NewFactor) {
    let begun = app.begin_one_time(caller, "見守り").await.unwrap();
    let secret = begun.secret.to_string();
    let made = app.add_one_time(caller, &begun.token, &shown(&secret, town), "電話").await.unwrap();
    (secret, made)
}

pub async fn password(app: &App, login: &str) -> SignedIn {
    app.sign_in(login, PASSWORD, &desk()).await.unwrap()
}

pub async fn caller(app: &App, token: &str) -> Caller {
    app.caller(token, &desk()).await.unwrap()
}

/// Proves: with a second factor the password alone opens nothing; a code works once, in its time, and
/// nothing of it stands in the ledger or the database in clear.
#[tokio::test]
async fn clause_mic_3_2_3_1_4_3() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let signed = password(app, "hana").await;
    assert!(!signed.second && signed.first.is_none());
    let hana = caller(app, &signed.token).await;
    let elsewhere = password(app, "hana").await;

    // A code of another secret does not confirm.
    let begun = app.begin_one_time(&hana, "見守り").await.unwrap();
    assert!(begun.address.starts_with("otpauth://totp/") && begun.address.contains(begun.secret.as_str()));
    assert_eq!(kind(app.add_one_time(&hana, &begun.token, "000000", "").await), ErrorKind::Invalid);
    assert_eq!(begun.secret, app.begun_one_time(&hana, &begun.token, "x").await.unwrap().secret);
    let jiro = caller(app, &password(app, "jiro").await.token).await;
    assert_eq!(kind(app.begun_one_time(&jiro, &begun.token, "x").await), ErrorKind::Gone);
    let now = shown(&begun.secret, &town);
    let made = app.add_one_time(&hana, &begun.token, &now, "電話").await.unwrap();
    assert_eq!(made.recovery.len(), 10);
    assert_eq!(kind(app.add_one_time(&hana, &begun.token, &now, "電話").await), ErrorKind::Gone);

    // The session went on under another token; the others, opened by the password alone, ended.
    assert_eq!(kind(app.caller(&signed.token, &desk()).await), ErrorKind::Unauthenticated);
    assert_eq!(kind(app.caller(&elsewhere.token, &desk()).await), ErrorKind::Unauthenticated);
    let hana = caller(app, &made.token).await;
    let view = app.own_factors(&hana).await.unwrap();
    assert_eq!((view.factors[0].kind, view.factors[0].name.as_str()), (FactorKind::OneTime, "電話"));

    // Signing in has two halves.
    let half = password(app, "hana").await;
    assert!(half.second);
    assert_eq!(kind(app.caller(&half.token, &desk()).await), ErrorKind::Unauthenticated);
    let means = app.second_means(&half.token).await.unwrap();
    assert!(means.one_time && means.recovery && !means.password && !means.passkey);
    // The code that confirmed is used.
    assert_eq!(kind(app.finish_sign_in(&half.token, &code(&now), &desk()).await), ErrorKind::Invalid);
    town.site.clock.advance(STEP);
    let next = shown(&begun.secret, &town);
    let signed = app.finish_sign_in(&half.token, &code(&next), &desk()).await.unwrap();
    assert!(app.person(&caller(app, &signed.token).await, ids.subject).await.is_ok());
    // Neither half again.
    assert_eq!(kind(app.finish_sign_in(&half.token, &code(&next), &desk()).await), ErrorKind::Gone);
    let half = password(app, "hana").await;
    assert_eq!(kind(app.finish_sign_in(&half.token, &code(&next), &desk()).await), ErrorKind::Invalid);
    // Two at the same moment: one.
    town.site.clock.advance(STEP);
    let next = shown(&begun.secret, &town);
    let other = password(app, "hana").await;
    let (next, at) = (code(&next), desk());
    let both = futures::join!(
        app.finish_sign_in(&half.token, &next, &at),
        app.finish_sign_in(&other.token, &next, &at)
    );
    assert_eq!(usize::from(both.0.is_ok()) + usize::from(both.1.is_ok()), 1);
    // Five minutes for the second half.
    let half = password(app, "hana").await;
    town.site.clock.advance(Duration::from_secs(5 * 60));
    let late = app.finish_sign_in(&half.token, &code(shown(&begun.secret, &town)), &desk()).await;
    assert_eq!(kind(late), ErrorKind::Gone);
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    assert!(!format!("{begun:?}{made:?}{:?}", code("123456")).contains(begun.secret.as_str()));
}

/// Proves: wrong codes are counted like wrong passwords.
#[tokio::test]
async fn clause_mhlw5_6_5_d_4() {
    let town = under("{key: sign-in.lock-minutes, value: 30}").await;
    let app = &town.site.app;
    let hana = caller(app, &password(app, "hana").await.token).await;
    let (secret, _) = enrol(app, &hana, &town).await;
    let half = password(app, "hana").await;
    for _ in 0..10 {
        let wrong = app.finish_sign_in(&half.token, &code("000000"), &desk()).await;
        assert_eq!(kind(wrong), ErrorKind::Invalid);
    }
    let right = code(shown(&secret, &town));
    assert_eq!(kind(app.finish_sign_in(&half.token, &right, &desk()).await), ErrorKind::Busy);
    assert_eq!(kind(app.sign_in("hana", PASSWORD, &desk()).await), ErrorKind::Busy);
    // A right password in between takes nothing of it back, and it ends by itself.
    town.site.clock.advance(Duration::from_secs(30 * 60));
    let half = password(app, "hana").await;
    let right = code(shown(&secret, &town));
    let signed = app.finish_sign_in(&half.token, &right, &desk()).await.unwrap();
    assert_eq!(signed.failed_since, 10);
}

/// Proves: administrators, operators and whom else the pack names get nowhere before they have a second
/// factor; first the password, then the factor.
#[tokio::test]
async fn clause_mic_3_2_3_1_4_1() {
    let value = "\"privileged operations-manager citizens\"";
    let town = under(&format!("{{key: second-factor.required-of, value: {value}}}")).await;
    let (site, ids, app) = (&town.site, town.ids, &town.site.app);
    site.staff("kanri", None, ids.hospital, &["system-manager"]).await;
    site.staff("unyo", None, ids.hospital, &["operations-manager"]).await;
    for (login, must) in [("kanri", true), ("unyo", true), ("haru", true), ("hana", false)] {
        let signed = password(app, login).await;
        assert_eq!(signed.first, must.then_some(First::Factor), "{login}");
        let who = caller(app, &signed.token).await;
        assert_eq!(who.first(), must.then_some(First::Factor));
    }
    let signed = password(app, "kanri").await;
    let kanri = caller(app, &signed.token).await;
    let working = app.for_operations(&kanri).await.unwrap();
    assert_eq!(kind(app.account(&working, ids.hana).await), ErrorKind::Forbidden);
    let (_, made) = enrol(app, &kanri, &town).await;
    let kanri = caller(app, &made.token).await;
    assert_eq!(kanri.first(), None);
    let working = app.for_operations(&kanri).await.unwrap();
    assert!(app.account(&working, ids.hana).await.is_ok());
    // Whom the rules ask for one keeps the last one.
    let only = app.own_factors(&kanri).await.unwrap();
    assert!(only.required);
    assert_eq!(kind(app.remove_factor(&kanri, only.factors[0].id).await), ErrorKind::Conflict);
    // A first password comes before.
    let staff = NewStaff {
        login: "niiyama".to_owned(),
        name: "新山 美咲".to_owned(),
        kana: None,
        occupation: "nurse".parse().ok(),
        institution: Some(ids.hospital),
        roles: vec!["operations-manager".parse().unwrap()],
        password: String::new(),
    };
    let (_, issued) = app.issue_staff(&site.operator(), &staff).await.unwrap();
    let signed = app.sign_in("niiyama", &issued.secret, &desk()).await.unwrap();
    assert_eq!(signed.first, Some(First::Password));
    let new = caller(app, &signed.token).await;
    app.change_own_password(&new, &issued.secret, "midori-densha-ga-hashi-7").await.unwrap();
    let new = caller(app, &signed.token).await;
    assert_eq!(new.first(), Some(First::Factor));
    assert!(app.person(&new, ids.subject).await.is_err());
}

/// Proves: with a second factor eight characters do, and without it they do no more.
#[tokio::test]
async fn clause_mhlw5_6_5_c_11() {
    let town = Town::new(On::Sqlite).await;
    let app = &town.site.app;
    let hana = caller(app, &password(app, "hana").await.token).await;
    let short = "kabe7-ha";
    assert_eq!(kind(app.change_own_password(&hana, PASSWORD, "kabe7-hashi").await), ErrorKind::Invalid);
    let (_, made) = enrol(app, &hana, &town).await;
    let hana = caller(app, &made.token).await;
    let weak = app.change_own_password(&hana, PASSWORD, short).await;
    // Eight characters that are not guessed at once.
    let fits = "kabe7-hashi";
    assert!(weak.is_ok() || weak.unwrap_err().message().contains("guess"), "not its length");
    app.change_own_password(&hana, PASSWORD, fits).await.unwrap();
    let hana = caller(app, &made.token).await;
    let factor = app.own_factors(&hana).await.unwrap().factors[0].id;
    app.remove_factor(&hana, factor).await.unwrap();
    let hana = caller(app, &made.token).await;
    assert_eq!(hana.first(), Some(First::Password));
}

/// Proves: what took the place of a lost factor is as hard to guess, limited in time, used once, given
/// only by procedure or on the record, and each use can be traced.
#[tokio::test]
async fn clause_mic_3_2_3_1_4_5() {
    let town = under("{key: sign-in.lock-minutes, value: 30}").await;
    let (ids, base) = (town.ids, &town.site.app);
    let hana = caller(base, &password(base, "hana").await.token).await;
    let (secret, made) = enrol(base, &hana, &town).await;
    let proof = IdentityProof { reason: "電話をなくした".into(), how: "職員証".into(), case: None };
    let operator = town.site.operator();
    // The base pack names a procedure: without its approved case there is no code.
    let refused = base.replace_factor(&operator, ids.hana, &proof).await.unwrap_err();
    assert!(refused.message().contains("approved case"), "{refused}");

    // A loss is reported: what was lost opens nothing from then on, nor does the password alone.
    assert_eq!(kind(base.report_lost_factor(&operator, ids.jiro, "紛失").await), ErrorKind::Conflict);
    base.report_lost_factor(&operator, ids.hana, "紛失").await.unwrap();
    assert_eq!(kind(base.caller(&made.token, &desk()).await), ErrorKind::Unauthenticated);
    let half = password(base, "hana").await;
    assert!(half.second);
    town.site.clock.advance(STEP);
    let lost = code(shown(&secret, &town));
    assert_eq!(kind(base.finish_sign_in(&half.token, &lost, &desk()).await), ErrorKind::Invalid);
    let old = code(made.recovery[0].as_str());
    assert_eq!(kind(base.finish_sign_in(&half.token, &old, &desk()).await), ErrorKind::Invalid);

    // Where the pack names none, reason and proof are recorded.
    let town = under("{key: second-factor.replacement-procedure, value: \"\"}").await;
    let (ids, app, operator) = (town.ids, &town.site.app, town.site.operator());
    let hana = caller(app, &password(app, "hana").await.token).await;
    enrol(app, &hana, &town).await;
    let jiro = caller(app, &password(app, "jiro").await.token).await;
    assert_eq!(kind(app.replace_factor(&jiro, ids.hana, &proof).await), ErrorKind::Forbidden);
    let issued = app.replace_factor(&operator, ids.hana, &proof).await.unwrap();
    assert!(issued.secret.replace('-', "").len() >= 12);
    let half = password(app, "hana").await;
    let typed = issued.secret.to_uppercase().replace('-', " ");
    let signed = app.finish_sign_in(&half.token, &code(&typed), &desk()).await.unwrap();
    // It is for enrolling another factor and for nothing else.
    assert_eq!(signed.first, Some(First::Factor));
    let hana = caller(app, &signed.token).await;
    assert!(app.person(&hana, ids.subject).await.is_err());
    let half = password(app, "hana").await;
    let again = app.finish_sign_in(&half.token, &code(&typed), &desk()).await;
    assert_eq!(kind(again), ErrorKind::Invalid);
    let (_, made) = enrol(app, &hana, &town).await;
    assert_eq!(caller(app, &made.token).await.first(), None);
    // Too late is too late.
    let issued = app.replace_factor(&operator, ids.hana, &proof).await.unwrap();
    town.site.clock.advance(Duration::from_secs(24 * 3_600));
    let half = password(app, "hana").await;
    let late = app.finish_sign_in(&half.token, &code(issued.secret.as_str()), &desk()).await;
    assert_eq!(kind(late), ErrorKind::Invalid);
}

/// Proves: the base pack's procedure permits the alternative, by somebody else than who applied, once for
/// each case.
#[tokio::test]
async fn clause_mhlw5_6_5_c_3() {
    let town = under("{key: sign-in.lock-minutes, value: 30}").await;
    let (site, ids, app) = (&town.site, town.ids, &town.site.app);
    site.staff("mado", None, ids.hospital, &["help-desk"]).await;
    site.staff("kanri", None, ids.hospital, &["system-manager"]).await;
    let (mado, kanri) = (site.sign_in("mado").await, site.sign_in("kanri").await);
    let hana = caller(app, &password(app, "hana").await.token).await;
    enrol(app, &hana, &town).await;
    let values = form(&[
        ("person", &ids.hana.to_string()),
        ("reason", "電話を紛失した"),
        ("method", "one-time-code"),
        ("risk", "一回限り、24時間"),
        ("from", "2026-11-21T09:00"),
        ("until", "2026-11-22T09:00"),
    ]);
    let case = app.begin_case(&mado, "alternative-sign-in", &values, false).await.unwrap();
    let proof =
        IdentityProof { reason: "電話を紛失した".into(), how: "職員証".into(), case: Some(case) };
    let working = app.for_operations(&kanri).await.unwrap();
    // Not before it is approved.
    assert_eq!(kind(app.replace_factor(&working, ids.hana, &proof).await), ErrorKind::Invalid);
    town.site.clock.advance(Duration::from_secs(1));
    let seen = app.case(&kanri, case).await.unwrap().version;
    app.act_on_case(&kanri, case, seen, &Act::Pass, &form(&[])).await.unwrap();
    // Not for somebody else.
    assert_eq!(kind(app.replace_factor(&working, ids.jiro, &proof).await), ErrorKind::Invalid);
    town.site.clock.advance(Duration::from_secs(1));
    let issued = app.replace_factor(&working, ids.hana, &proof).await.unwrap();
    town.site.clock.advance(Duration::from_secs(1));
    assert_eq!(kind(app.replace_factor(&working, ids.hana, &proof).await), ErrorKind::Invalid);
    let half = password(app, "hana").await;
    let signed = app.finish_sign_in(&half.token, &code(issued.secret.as_str()), &desk()).await.unwrap();
    assert_eq!(signed.first, Some(First::Factor));
}

/// Proves: recovery codes work once each, their use is recorded as a change of the account and told, and
/// making them anew ends the old ones.
#[tokio::test]
async fn clause_mic_3_2_3_1_4_6() {
    let town = under("{key: sign-in.lock-minutes, value: 30}").await;
    let app = &town.site.app;
    let hana = caller(app, &password(app, "hana").await.token).await;
    let (_, made) = enrol(app, &hana, &town).await;
    let entries = async || crate::staleness::entries(town.site.store.as_ref(), 0).await;
    let before = entries().await.len();
    let half = password(app, "hana").await;
    let first = code(made.recovery[0].as_str());
    let signed = app.finish_sign_in(&half.token, &first, &desk()).await.unwrap();
    let after = entries().await;
    let used = &after[before..];
    assert!(
        used.iter().any(|entry| entry
            .draft
            .resource
            .as_ref()
            .is_some_and(|(kind, _)| *kind == Kind::of("account")))
    );
    let hana = caller(app, &signed.token).await;
    let view = app.own_factors(&hana).await.unwrap();
    assert_eq!(view.recovery_left, 9);
    assert!(view.recovery_used.is_some());
    let half = password(app, "hana").await;
    assert_eq!(kind(app.finish_sign_in(&half.token, &first, &desk()).await), ErrorKind::Invalid);
    let anew = app.make_recovery_codes(&hana).await.unwrap();
    assert_eq!(anew.len(), 10);
    let half = password(app, "hana").await;
    let second = code(made.recovery[1].as_str());
    assert_eq!(kind(app.finish_sign_in(&half.token, &second, &desk()).await), ErrorKind::Invalid);
    app.finish_sign_in(&half.token, &code(anew[1].as_str()), &desk()).await.unwrap();
    // Codes are no way to show again who one is.
    assert_eq!(kind(app.step_up(&hana, &code(anew[2].as_str())).await), ErrorKind::Invalid);
}

/// Proves: what the pack marks asks again who one is; the session then goes on under another token.
#[tokio::test]
async fn clause_kawaguchi_9_2_5_3() {
    let town = under("{key: step-up.minutes, value: 5}").await;
    let (site, ids, app) = (&town.site, town.ids, &town.site.app);
    site.staff("kanri", None, ids.hospital, &["system-manager"]).await;
    let signed = password(app, "kanri").await;
    let work = async |token: &str| app.for_operations(&caller(app, token).await).await.unwrap();
    app.unlock_account(&work(&signed.token).await, ids.hana).await.unwrap();
    site.clock.advance(Duration::from_secs(5 * 60));
    let late = app.stop_actor(&work(&signed.token).await, ids.hana, "退職").await.unwrap_err();
    assert!(wants_step_up(&late), "{late}");
    // Reading goes on.
    app.account(&work(&signed.token).await, ids.hana).await.unwrap();
    let kanri = caller(app, &signed.token).await;
    assert_eq!(kind(app.step_up(&kanri, &Proof::Password("wrong".into())).await), ErrorKind::Invalid);
    let token = app.step_up(&kanri, &Proof::Password(PASSWORD.into())).await.unwrap();
    assert_eq!(kind(app.caller(&signed.token, &desk()).await), ErrorKind::Unauthenticated);
    app.stop_actor(&work(&token).await, ids.hana, "退職").await.unwrap();
    // With a second factor, that is what is asked for.
    let kanri = caller(app, &token).await;
    let (secret, made) = enrol(app, &kanri, &town).await;
    site.clock.advance(Duration::from_secs(5 * 60));
    let kanri = caller(app, &made.token).await;
    let means = app.own_means(&kanri).await.unwrap();
    assert!(means.one_time && !means.password);
    assert_eq!(kind(app.step_up(&kanri, &Proof::Password(PASSWORD.into())).await), ErrorKind::Invalid);
    assert!(wants_step_up(&app.make_recovery_codes(&kanri).await.unwrap_err()));
    let token = app.step_up(&kanri, &code(shown(&secret, &town))).await.unwrap();
    assert!(app.make_recovery_codes(&caller(app, &token).await).await.is_ok());
}

/// Proves: a session is locked when its owner leaves, everything waits until they are back, and it ends
/// by itself when they do not come.
#[tokio::test]
async fn clause_mhlw5_6_5_d_2() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let signed = password(app, "hana").await;
    let hana = caller(app, &signed.token).await;
    app.lock(&hana).await.unwrap();
    let locked = caller(app, &signed.token).await;
    assert_eq!(locked.first(), Some(First::Unlock));
    assert!(app.person(&locked, ids.subject).await.is_err());
    // What was decided before it was locked is not answered any more either.
    assert!(app.person(&hana, ids.subject).await.is_err());
    // Another program of the installation knows.
    let second = town.site.second(Arc::clone(&town.site.store)).await;
    assert_eq!(caller(&second, &signed.token).await.first(), Some(First::Unlock));
    assert_eq!(kind(app.unlock(&locked, &Proof::Password("wrong".into())).await), ErrorKind::Invalid);
    assert_eq!(kind(app.unlock(&locked, &code("123456")).await), ErrorKind::Invalid);
    let token = app.unlock(&locked, &Proof::Password(PASSWORD.into())).await.unwrap();
    assert!(app.person(&caller(app, &token).await, ids.subject).await.is_ok());
    assert_eq!(kind(app.caller(&signed.token, &desk()).await), ErrorKind::Unauthenticated);
    let hana = caller(app, &token).await;
    assert_eq!(kind(app.unlock(&hana, &Proof::Password(PASSWORD.into())).await), ErrorKind::Conflict);
    app.lock(&hana).await.unwrap();
    town.site.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(kind(app.caller(&token, &desk()).await), ErrorKind::Unauthenticated);
}

/// Proves: people see their sessions and end them; whoever administers accounts ends anybody's at once;
/// the last sign-in and sign-out are told, and failed tries.
#[tokio::test]
async fn clause_kawaguchi_9_2_4() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let first = password(app, "hana").await;
    town.site.clock.advance(Duration::from_secs(60));
    assert!(app.sign_in("hana", "wrong", &desk()).await.is_err());
    let second = password(app, "hana").await;
    let hana = caller(app, &second.token).await;
    let sessions = app.own_sessions(&hana).await.unwrap();
    let own: Vec<_> = sessions.iter().filter(|session| session.this).collect();
    assert_eq!(
        (own.len(), own[0].address.as_deref(), own[0].agent.as_deref()),
        (1, Some("192.0.2.1"), Some("Windows / Edge"))
    );
    let told = app.own_sign_ins(&hana).await.unwrap();
    assert_eq!(told.failed, 1);
    // Showing again who one is is no sign-in, and loses nothing of that.
    let token = app.step_up(&hana, &Proof::Password(PASSWORD.into())).await.unwrap();
    let hana = caller(app, &token).await;
    assert_eq!(app.own_sign_ins(&hana).await.unwrap(), told);
    let other = sessions.iter().find(|session| !session.this).unwrap();
    app.end_own_sessions(&hana, Some(other.id)).await.unwrap();
    app.end_own_sessions(&hana, None).await.unwrap();
    assert_eq!(kind(app.caller(&first.token, &desk()).await), ErrorKind::Unauthenticated);
    assert_eq!(app.own_sessions(&hana).await.unwrap().len(), 1);
    assert!(app.own_sign_ins(&hana).await.unwrap().last_sign_out.is_some());

    let jiro = caller(app, &password(app, "jiro").await.token).await;
    assert_eq!(kind(app.sessions_of(&jiro, ids.hana).await), ErrorKind::Forbidden);
    assert_eq!(kind(app.end_sessions_of(&jiro, ids.hana, None).await), ErrorKind::Forbidden);
    assert_eq!(kind(app.end_own_sessions(&jiro, Some(other.id)).await), ErrorKind::Conflict);
    let operator = town.site.operator();
    let one = app.sessions_of(&operator, ids.hana).await.unwrap()[0].id;
    app.end_sessions_of(&operator, ids.hana, Some(one)).await.unwrap();
    assert_eq!(kind(app.caller(&token, &desk()).await), ErrorKind::Unauthenticated);
}

/// Proves: a session's row changed behind the program's back opens nothing more than it did.
#[tokio::test]
async fn a_session_cannot_be_made_stronger_in_the_database() {
    let town = Town::new(On::Postgres).await;
    let app = &town.site.app;
    let token = password(app, "hana").await.token;
    for sql in [
        "UPDATE session SET strength = 'password+passkey'",
        "UPDATE session SET strength = 'password', proved = proved + 1000000",
    ] {
        town.site.database.run(sql).await.unwrap();
        let second = town.site.second(Arc::clone(&town.site.store)).await;
        assert_eq!(kind(second.caller(&token, &desk()).await), ErrorKind::Unauthenticated, "{sql}");
    }
}

/// Under these rules a member of staff gets no further than enrolling a second factor.
async fn staff_must(pack: Arc<Pack>) {
    let site = site_under(On::Sqlite, pack).await;
    let ward = site.institution("見守り病院").await;
    let staff = NewStaff {
        login: "hana".to_owned(),
        name: "試験 花".to_owned(),
        kana: None,
        occupation: "doctor".parse().ok(),
        institution: Some(ward),
        roles: Vec::new(),
        // Strong enough for every pack.
        password: "Midori7-densha-Hashi".to_owned(),
    };
    site.app.add_staff(&site.operator(), &staff).await.unwrap();
    let signed = site.app.sign_in("hana", &staff.password, &desk()).await.unwrap();
    assert_eq!(signed.first, Some(First::Factor));
    let hana = caller(&site.app, &signed.token).await;
    assert_eq!(kind(site.app.institutions(&hana).await), ErrorKind::Forbidden);
}

/// Proves: under the hospital's pack every user of the medical segment has two factors.
#[tokio::test]
async fn clause_kawaguchi_6_1_2_1() {
    staff_must(Arc::new(Pack::embedded("kawaguchi").unwrap())).await;
}

/// Proves: users of its other networks have two factors too: the pack asks all staff.
#[test]
fn clause_kawaguchi_6_2_3_1() {
    let pack = Pack::embedded("kawaguchi").unwrap();
    assert_eq!(pack.parameter_text("second-factor.required-of").unwrap(), "staff");
}

/// Proves: signing in asks for several factors of whom the rules name.
#[tokio::test]
async fn clause_kawaguchi_7_4_2() {
    staff_must(with_parameters("{key: second-factor.required-of, value: everybody}")).await;
}

/// Proves: two factors can be asked of everybody.
#[tokio::test]
async fn clause_mhlw5_6_5_d_5() {
    staff_must(with_parameters("{key: second-factor.required-of, value: staff}")).await;
}

/// Proves: who comes from a zone that the pack names shows a second factor, who does not need not.
#[tokio::test]
async fn clause_kawaguchi_9_2_2_3() {
    let town = under("{key: second-factor.required-of, value: \"zone:staff-network\"}").await;
    let outside = Origin { zone: "staff-network".parse().ok(), ..desk() };
    assert!(outside.zone.is_some());
    let app = &town.site.app;
    let signed = app.sign_in("hana", PASSWORD, &outside).await.unwrap();
    assert_eq!(signed.first, Some(First::Factor));
    // The session opens no more there than it did, and all elsewhere.
    assert_eq!(app.caller(&signed.token, &outside).await.unwrap().first(), Some(First::Factor));
    assert_eq!(caller(app, &signed.token).await.first(), None);
    assert_eq!(password(app, "hana").await.first, None);
}

/// Proves: a lost key or card opens nothing from the moment its loss is reported, whoever has it.
#[tokio::test]
async fn clause_kawaguchi_8_4_1_2() {
    let town = under("{key: sign-in.lock-minutes, value: 30}").await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = caller(app, &password(app, "hana").await.token).await;
    let (secret, made) = enrol(app, &hana, &town).await;
    let half = password(app, "hana").await;
    // The facility manager of her hospital reports it.
    town.site.staff("cho", None, ids.hospital, &["facility-manager"]).await;
    let chief = town.site.sign_in("cho").await;
    let chief = app.for_operations(&chief).await.unwrap();
    app.report_lost_factor(&chief, ids.hana, "カードを紛失").await.unwrap();
    assert_eq!(kind(app.caller(&made.token, &desk()).await), ErrorKind::Unauthenticated);
    town.site.clock.advance(STEP);
    let lost = code(shown(&secret, &town));
    assert_eq!(kind(app.finish_sign_in(&half.token, &lost, &desk()).await), ErrorKind::Gone);
    let half = password(app, "hana").await;
    assert_eq!(kind(app.finish_sign_in(&half.token, &lost, &desk()).await), ErrorKind::Invalid);
}

/// Proves: what opens privileges is stronger than what opens anything else: longer passwords, and a second
/// factor without exception.
#[tokio::test]
async fn clause_kawaguchi_9_2_1_3_4() {
    let pack = Pack::embedded_base().unwrap();
    let number = |key| pack.parameter_u64(key).unwrap();
    let second = number("password.least-characters-with-second-factor");
    assert!(number("password.least-characters-privileged") > second);
    let asked = pack.parameter_text("second-factor.required-of").unwrap();
    assert!(asked.split_whitespace().any(|word| word == "privileged"), "{asked}");
    let town = under("{key: second-factor.required-of, value: privileged}").await;
    let (site, ids, app) = (&town.site, town.ids, &town.site.app);
    site.staff("kanri", None, ids.hospital, &["system-manager"]).await;
    let kanri = caller(app, &password(app, "kanri").await.token).await;
    let (_, made) = enrol(app, &kanri, &town).await;
    let kanri = caller(app, &made.token).await;
    // Ten characters do for others who have a second factor.
    let short = app.change_own_password(&kanri, PASSWORD, "kabe7-hashi").await.unwrap_err();
    assert!(short.message().contains("at least 13"), "{short}");
}

/// Proves: after a short time a privileged session does nothing privileged any more by itself.
#[tokio::test]
async fn clause_kawaguchi_9_2_6() {
    let town = under("{key: step-up.minutes, value: 10}").await;
    let (site, ids, app) = (&town.site, town.ids, &town.site.app);
    site.staff("kanri", None, ids.hospital, &["system-manager"]).await;
    let token = password(app, "kanri").await.token;
    for minutes in [0_u64, 9, 1] {
        site.clock.advance(Duration::from_secs(60 * minutes));
        let kanri = app.for_operations(&caller(app, &token).await).await.unwrap();
        let done = app.unlock_account(&kanri, ids.hana).await;
        assert_eq!(done.is_ok(), minutes != 1, "{minutes}");
    }
    site.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(kind(app.caller(&token, &desk()).await), ErrorKind::Unauthenticated);
}
