//! Administration: who may do operating work, and what the ledger says about it.

use mimamori_app::{Caller, ErrorKind, Origin, Paging, ReviewQuery, Window};
use mimamori_domain::{Action, ActorId, Outcome, Purpose};

use crate::support::{On, PASSWORD, START, Site};
use crate::town::Town;

/// What the ledger holds about somebody, newest first: action, purpose, outcome.
async fn done_by(town: &Town, actor: ActorId) -> Vec<(Action, Purpose, Outcome)> {
    let window = Window { from: START, until: START.plus(std::time::Duration::from_secs(86_400)) };
    let query = ReviewQuery { subject: None, actor: Some(actor), institution: None, window };
    let kansa = town.caller("kansa").await;
    let rows = town.site.app.review(&kansa, &query, &Paging::default()).await.unwrap();
    rows.items.into_iter().map(|row| (row.action, row.purpose, row.outcome)).collect()
}

async fn working(site: &Site, login: &str) -> Caller {
    let caller = site.sign_in(login).await;
    site.app.for_operations(&caller).await.unwrap()
}

#[tokio::test]
async fn operating_work_is_for_those_appointed_and_opens_no_record() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = town.caller("hana").await;
    assert_eq!(app.for_operations(&hana).await.unwrap_err().kind(), ErrorKind::Forbidden);
    let (action, purpose, outcome) = done_by(&town, ids.hana).await[0];
    assert_eq!((action, purpose, outcome), (Action::Administer, Purpose::Operations, Outcome::Refused));
    let haru = town.caller("haru").await;
    assert_eq!(app.for_operations(&haru).await.unwrap_err().kind(), ErrorKind::Forbidden);

    // A doctor who is facility manager too: at work she sees the record, while administering she does not.
    town.site.staff("incho", Some("doctor"), ids.hospital, &["facility-manager"]).await;
    let incho = town.caller("incho").await;
    assert!(app.person(&incho, ids.subject).await.is_ok());
    let administering = app.for_operations(&incho).await.unwrap();
    assert_eq!(app.person(&administering, ids.subject).await.unwrap_err().kind(), ErrorKind::Forbidden);
    // And at work she administers nothing.
    assert_eq!(app.accounts_of(&incho, ids.hospital).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert!(app.accounts_of(&administering, ids.hospital).await.is_ok());
    let (action, purpose, outcome) = done_by(&town, incho.actor_id()).await[0];
    assert_eq!((action, purpose, outcome), (Action::Search, Purpose::Operations, Outcome::Success));
}

#[tokio::test]
async fn accounts_are_seen_stopped_and_resumed_by_whom_the_rules_name() {
    let town = Town::new(On::Sqlite).await;
    let (site, ids) = (&town.site, town.ids);
    let app = &site.app;
    site.staff("kancho", None, ids.hospital, &["facility-manager"]).await;
    site.staff("madoguchi", None, ids.clinic, &["help-desk"]).await;
    site.staff("kanri", None, ids.clinic, &["system-manager"]).await;
    let refused = |done: mimamori_app::Result<()>| done.unwrap_err().kind();
    let kancho = working(site, "kancho").await;

    // Facility managers: their own institution, and stopping only.
    let list = app.accounts_of(&kancho, ids.hospital).await.unwrap();
    let logins: Vec<_> = list.iter().map(|row| row.account.login.as_str()).collect();
    assert_eq!(logins, ["hana", "kancho", "kansa"]);
    assert!(list[0].may_stop && !list[0].may_resume && list[0].last_sign_in.is_some());
    assert_eq!(list[1].roles, ["facility-manager".parse().unwrap()]);
    assert!(!list[1].may_stop, "nobody stops themself");
    assert_eq!(app.accounts_of(&kancho, ids.clinic).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(app.account(&kancho, ids.jiro).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(refused(app.stop_actor(&kancho, ids.jiro, "退職").await), ErrorKind::Forbidden);
    assert_eq!(refused(app.stop_actor(&kancho, kancho.actor_id(), "退職").await), ErrorKind::Conflict);
    assert_eq!(refused(app.stop_actor(&kancho, ids.hana, "  ").await), ErrorKind::Invalid);
    let origin = Origin::default();
    let signed = app.sign_in("hana", PASSWORD, &origin).await.unwrap();
    app.stop_actor(&kancho, ids.hana, "退職").await.unwrap();
    assert_eq!(app.caller(&signed.token, &origin).await.unwrap_err().kind(), ErrorKind::Unauthenticated);
    assert!(app.sign_in("hana", PASSWORD, &origin).await.is_err());
    assert_eq!(refused(app.stop_actor(&kancho, ids.hana, "退職").await), ErrorKind::Conflict);
    assert_eq!(refused(app.resume_actor(&kancho, ids.hana, "復職").await), ErrorKind::Forbidden);

    // The help desk gets people going again, and stops nobody.
    let madoguchi = working(site, "madoguchi").await;
    let hana = app.account(&madoguchi, ids.hana).await.unwrap();
    assert!(!hana.account.active && hana.may_resume && !hana.may_stop);
    assert_eq!(refused(app.stop_actor(&madoguchi, ids.jiro, "退職").await), ErrorKind::Forbidden);
    app.resume_actor(&madoguchi, ids.hana, "復職").await.unwrap();
    assert!(app.sign_in("hana", PASSWORD, &origin).await.is_ok());
    assert_eq!(refused(app.resume_actor(&madoguchi, ids.hana, "復職").await), ErrorKind::Conflict);

    // System managers do both, anywhere; auditors look.
    let kanri = working(site, "kanri").await;
    app.stop_actor(&kanri, ids.hana, "調査").await.unwrap();
    app.resume_actor(&kanri, ids.hana, "調査の終わり").await.unwrap();
    let kansa = working(site, "kansa").await;
    let list = app.accounts_of(&kansa, ids.clinic).await.unwrap();
    assert!(list.len() == 3 && list.iter().all(|row| !row.may_stop && !row.may_resume));
    assert_eq!(refused(app.stop_actor(&kansa, ids.jiro, "調査").await), ErrorKind::Forbidden);
    let report = app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
}

/// Which clauses these tests prove: a test is named after its clause.
mod clauses {
    #[test]
    fn clause_mic_3_3_6_2_1_1() {
        super::operating_work_is_for_those_appointed_and_opens_no_record();
    }

    #[test]
    fn clause_mhlw5_8_1_2_c_3_4() {
        super::operating_work_is_for_those_appointed_and_opens_no_record();
    }

    #[test]
    fn clause_mic_3_3_6_3_2_4() {
        super::accounts_are_seen_stopped_and_resumed_by_whom_the_rules_name();
    }

    #[test]
    fn clause_kawaguchi_10_6_3_suspended() {
        super::accounts_are_seen_stopped_and_resumed_by_whom_the_rules_name();
    }
}
