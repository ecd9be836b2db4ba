//! Shared ids (共用ID): off by default, for permitted people only, without a secret of their own. A test whose
//! name carries the id of a clause proves it.

use mimamori_app::{
    AccountSort, App, Caller, ErrorKind, IdentityProof, Origin, Paging, Result, ReviewQuery, Window,
};
use mimamori_domain::{Action, ActorId, Clock as _, RoleCode, Timestamp};

use crate::office::with_parameters;
use crate::procedures::site_under;
use crate::support::{On, PASSWORD};
use crate::town::Town;

fn here() -> Origin {
    Origin { address: Some([192, 0, 2, 9].into()), ..Origin::default() }
}

fn kind<T>(done: Result<T>) -> ErrorKind {
    done.err().unwrap().kind()
}

/// A town whose pack allows shared ids, and one of the ward with a role.
async fn ward(on: On) -> (Town, ActorId) {
    let allowed = with_parameters("{key: accounts.shared-ids, value: true}");
    let town = Town::at(site_under(on, allowed).await).await;
    let shared = town.site.staff("ward", Some("nurse"), town.ids.clinic, &["facility-manager"]).await;
    let (app, operator) = (&town.site.app, town.site.operator());
    app.set_account_sort(&operator, shared, AccountSort::Shared, "the desk of the ward").await.unwrap();
    (town, shared)
}

fn names(logins: &[&str]) -> Vec<String> {
    logins.iter().map(|login| (*login).to_owned()).collect()
}

async fn session(app: &App, login: &str) -> (String, Caller) {
    let signed = app.sign_in(login, PASSWORD, &here()).await.unwrap();
    let caller = app.caller(&signed.token, &here()).await.unwrap();
    (signed.token, caller)
}

/// Proves: a shared id is used only by those who are permitted; what is done under it names them and the
/// shared id; who is taken off the list stops at once; without the pack's word there is none.
#[tokio::test]
async fn clause_kawaguchi_8_4_2_2() {
    for on in [On::Sqlite, On::Postgres] {
        let (town, shared) = ward(on).await;
        let (app, operator) = (&town.site.app, town.site.operator());
        let (token, hana) = session(app, "hana").await;
        // Nobody is permitted yet.
        assert_eq!(kind(app.take_shared(&hana, shared).await), ErrorKind::Forbidden);
        assert!(app.own_shared_ids(&hana).await.unwrap().is_empty());
        app.permit_shared(&operator, shared, &names(&["hana"]), "the ward asked").await.unwrap();
        let offered = app.own_shared_ids(&hana).await.unwrap();
        assert_eq!((offered.len(), offered[0].actor, offered[0].taken), (1, shared, false));
        let next = app.take_shared(&hana, shared).await.unwrap();
        assert_eq!(kind(app.caller(&token, &here()).await), ErrorKind::Unauthenticated);
        let acting = app.caller(&next, &here()).await.unwrap();
        // She is who she is, and may what the shared id may, where it works.
        assert_eq!((acting.actor_id(), acting.shared_name()), (town.ids.hana, Some("ward さん")));
        assert_eq!(acting.roles(), ["facility-manager".parse::<RoleCode>().unwrap()]);
        assert_eq!(acting.institution(), Some(town.ids.clinic));
        assert!(app.own_shared_ids(&acting).await.unwrap()[0].taken);
        let working = app.for_operations(&acting).await.unwrap();
        app.accounts_of(&working, town.ids.clinic).await.unwrap();
        // The ledger names both.
        let auditor = town.caller("kansa").await;
        let window = Window {
            from: Timestamp::from_micros(0),
            until: town.site.clock.now().plus(std::time::Duration::from_secs(60)),
        };
        let query = ReviewQuery { subject: None, actor: Some(town.ids.hana), institution: None, window };
        let rows = app.review(&auditor, &query, &Paging::default()).await.unwrap();
        let searched =
            rows.items.iter().find(|row| row.action == Action::Search && row.under.is_some()).unwrap();
        assert_eq!(searched.under.as_ref().unwrap().id, shared);
        assert_eq!(searched.actor.as_ref().unwrap().id, town.ids.hana);
        // Somebody else is not permitted, and cannot use her session's place either.
        let jiro = town.caller("jiro").await;
        assert_eq!(kind(app.take_shared(&jiro, shared).await), ErrorKind::Forbidden);
        assert_eq!(kind(app.take_shared(&jiro, town.ids.hana).await), ErrorKind::Forbidden);
        // Laid down, and taken again: then off the list.
        let own = app.leave_shared(&acting).await.unwrap();
        let own = app.caller(&own, &here()).await.unwrap();
        assert_eq!((own.shared_name(), own.institution()), (None, Some(town.ids.hospital)));
        assert_eq!(kind(app.leave_shared(&own).await), ErrorKind::Conflict);
        let next = app.take_shared(&own, shared).await.unwrap();
        app.permit_shared(&operator, shared, &names(&["jiro"]), "she left the ward").await.unwrap();
        assert_eq!(kind(app.caller(&next, &here()).await), ErrorKind::Unauthenticated);
        // A stopped shared id is nobody's to use.
        let jiro = town.caller("jiro").await;
        let next = app.take_shared(&jiro, shared).await.unwrap();
        app.stop_account(&operator, "ward", "closed ward").await.unwrap();
        let origin = Origin { address: Some([127, 0, 0, 1].into()), ..Origin::default() };
        assert_eq!(kind(app.caller(&next, &origin).await), ErrorKind::Unauthenticated);
        assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    }
    // Off by default.
    let town = Town::new(On::Sqlite).await;
    let (app, operator) = (&town.site.app, town.site.operator());
    let sorted = app.set_account_sort(&operator, town.ids.jiro, AccountSort::Shared, "x").await;
    assert_eq!(kind(sorted), ErrorKind::Conflict);
    assert_eq!(kind(app.take_shared(&town.caller("hana").await, town.ids.jiro).await), ErrorKind::Forbidden);
}

/// Proves: not even a shared id has a password that several people know; nothing gives it one.
#[tokio::test]
async fn clause_kawaguchi_8_4_3_8() {
    let (town, shared) = ward(On::Sqlite).await;
    let (app, operator) = (&town.site.app, town.site.operator());
    assert_eq!(kind(app.sign_in("ward", PASSWORD, &here()).await), ErrorKind::Unauthenticated);
    assert_eq!(kind(app.set_password(&operator, "ward", PASSWORD).await), ErrorKind::Invalid);
    let proof = IdentityProof { reason: "x".to_owned(), how: "x".to_owned(), case: None };
    assert_eq!(kind(app.reissue_password(&operator, shared, &proof).await), ErrorKind::Invalid);
    // Who shares it is somebody, once, with an account of their own.
    for people in [&["nobody"][..], &["hana", "hana"], &["haru"], &["ward"]] {
        let permitted = app.permit_shared(&operator, shared, &names(people), "x").await;
        assert_eq!(kind(permitted), ErrorKind::Invalid, "{people:?}");
    }
    let other = app.permit_shared(&operator, town.ids.jiro, &names(&["hana"]), "x").await;
    assert_eq!(kind(other), ErrorKind::Invalid);
    // Each of two people proves who they are by their own secret, and keeps it when the id is one's own again.
    app.permit_shared(&operator, shared, &names(&["hana", "jiro"]), "x").await.unwrap();
    for login in ["hana", "jiro"] {
        let (_, caller) = session(app, login).await;
        let next = app.take_shared(&caller, shared).await.unwrap();
        let acting = app.caller(&next, &here()).await.unwrap();
        assert_eq!(acting.actor_id(), caller.actor_id());
    }
    app.set_account_sort(&operator, shared, AccountSort::Ordinary, "x").await.unwrap();
    let (_, hana) = session(app, "hana").await;
    assert_eq!(kind(app.take_shared(&hana, shared).await), ErrorKind::Forbidden);
}
