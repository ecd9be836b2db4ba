//! What procedures do when somebody moves or leaves, and with the terminals they worked at.

use std::time::Duration;

use mimamori_app::{ErrorKind, Origin};
use mimamori_domain::Action;
use mimamori_ledger::sha256;

use crate::procedures::form;
use crate::staleness::entries;
use crate::under_rules::{Form, Rules, Somebody, kind};

const OFFICE: [Somebody<'_>; 5] = [
    ("chief", "", "facility-manager"),
    ("ops", "", "operations-manager"),
    ("sys", "", "system-manager"),
    ("guard", "", "security-manager"),
    ("nurse", "nurse", "facility-manager"),
];

/// A device in the asset ledger, somebody's.
async fn device(rules: &Rules, number: &str, owner: &str) -> String {
    let owner = rules.actor(owner).await.unwrap().to_string();
    let typed = form(&[
        ("number", number),
        ("name", "ノートパソコン"),
        ("kind", "mobile"),
        ("owner", owner.as_str()),
        ("location", "病棟"),
        ("personal-data", "no"),
        ("may-leave", "yes"),
    ]);
    let guard = rules.call("guard").await;
    rules.app().add_entry(&guard, "asset-ledger", &typed).await.unwrap().to_string()
}

/// At a transfer the roles held for the institution that somebody leaves end at the stated minute, without
/// anybody acting then; those for nowhere in particular stay.
#[tokio::test]
async fn a_transfer_ends_the_roles_of_the_institution_left() {
    let rules = Rules::eased("base", &OFFICE).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    let clinic = rules.site.institution("みどり診療所").await;
    let nurse = rules.actor("nurse").await.unwrap();
    let outside = mimamori_app::NewAppointment {
        actor: nurse,
        role: "outside-user".parse().unwrap(),
        institution: None,
        unit: None,
        system: None,
        from: crate::support::START,
        until: None,
        deputy: false,
    };
    app.appoint(&operator, &outside).await.unwrap();
    let (id, clinic_id) = (nurse.to_string(), clinic.to_string());
    let typed = [
        ("account", id.as_str()),
        ("change", "institution"),
        ("new-institution", clinic_id.as_str()),
        ("from", "2026-11-22"),
        ("reason", "異動"),
    ];
    let from = entries(rules.site.store.as_ref(), 0).await.len() as u64;
    let case = rules.begin("chief", "account-change", &typed).await.unwrap();
    rules.pass("ops", case, &[]).await;
    assert!(rules.view("ops", case).await.by_hand.is_empty());
    // The end of the appointment stands in the ledger beside the change.
    let written = entries(rules.site.store.as_ref(), from).await;
    let changed = written.iter().filter(|entry| entry.draft.action == Action::Administer);
    assert_eq!(changed.count(), 2);
    // 09:00 in Tokyo and a little; from midnight on.
    let roles = async || {
        let caller = rules.call("nurse").await;
        let roles: Vec<String> = caller.roles().iter().map(ToString::to_string).collect();
        (caller.institution(), roles)
    };
    let both = vec!["facility-manager".to_owned(), "outside-user".to_owned()];
    let (institution, mut held) = roles().await;
    held.sort();
    assert_eq!((institution, held), (Some(rules.home), both));
    rules.site.clock.advance(Duration::from_secs(15 * 3_600));
    assert_eq!(roles().await, (Some(clinic), vec!["outside-user".to_owned()]));
    rules.clean().await;
}

/// The case that ends an account, and the one about leaving, show what the registers say is to be returned:
/// as the page of the account does, to whoever may see that account.
#[tokio::test]
async fn the_case_of_leaving_shows_what_is_to_be_returned() {
    let rules = Rules::eased("base", &OFFICE).await;
    let app = rules.app();
    let nurse = rules.actor("nurse").await.unwrap();
    device(&rules, "A-1", "nurse").await;
    device(&rules, "A-2", "sys").await;
    let id = nurse.to_string();
    let removal = [("account", id.as_str()), ("change", "delete"), ("reason", "left")];
    let leaving = [
        ("person-name", "試験 看護子"),
        ("account", id.as_str()),
        ("left-on", "2026-11-30"),
        ("returned", "名札"),
        ("secrecy-reminded", "yes"),
    ];
    let page = app.held_items(&rules.working("sys").await, nurse).await.unwrap();
    assert_eq!(page.len(), 1);
    let both: [(&str, &Form<'_>); 2] = [("account-removal", &removal), ("leaving", &leaving)];
    for (procedure, typed) in both {
        let case = rules.begin("chief", procedure, typed).await.unwrap();
        let from = entries(rules.site.store.as_ref(), 0).await.len() as u64;
        let seen = rules.view("chief", case).await.returns;
        assert_eq!((seen.len(), seen[0].entry), (1, page[0].entry), "{procedure}");
        assert_eq!(seen[0].title, "ノートパソコン A-1");
        let written = entries(rules.site.store.as_ref(), from).await;
        let reads = written.iter().filter(|entry| entry.draft.action == Action::Read);
        assert_eq!(reads.count(), 2, "the case, and what is to be returned");
    }
    let nobody = rules.begin("chief", "leaving", &leaving[..1]).await;
    assert_eq!(kind(nobody), ErrorKind::Invalid);
    rules.clean().await;
}

/// A terminal is registered by the approval of its procedure, opens nothing before a certificate was issued
/// for it, and is refused at once when its retirement is approved, or its disposal.
#[tokio::test]
async fn terminals_are_registered_and_retired_by_procedures() {
    let rules = Rules::eased("base", &OFFICE).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    let home = rules.home.to_string();
    let owner = rules.actor("nurse").await.unwrap().to_string();
    let first = device(&rules, "A-1", "nurse").await;
    let second = device(&rules, "A-2", "nurse").await;
    let register = async |device: &str| {
        let typed = [
            ("device", device),
            ("place", "2階"),
            ("institution", home.as_str()),
            ("owner", owner.as_str()),
            ("purpose", "訪問"),
        ];
        let case = rules.begin("chief", "device-registration", &typed).await.unwrap();
        rules.pass("guard", case, &[]).await;
        rules.view("sys", case).await
    };
    assert!(register(&first).await.by_hand.is_empty());
    let listed = app.terminals(&operator).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].name.as_str(), listed[0].place.as_str()),
        (1, "ノートパソコン A-1", "2階")
    );
    assert!(listed[0].active && listed[0].until.is_none() && listed[0].asset.is_some());
    assert_eq!(listed[0].owner.as_deref(), Some("nurse さん"));
    // The same device a second time is for somebody to look at.
    assert_eq!(register(&first).await.by_hand.len(), 1);
    assert!(register(&second).await.by_hand.is_empty());

    let mut certified = Vec::new();
    for view in app.terminals(&operator).await.unwrap() {
        let given = app.renew_terminal(&rules.working("sys").await, view.id).await.unwrap();
        certified.push((view.asset.unwrap().1.to_string(), own_certificate(&given)));
    }
    let at = |device: &str| {
        let (_, certificate) = certified.iter().find(|(own, _)| own == device).unwrap();
        Origin { certificate: Some(sha256(certificate)), ..Origin::default() }
    };
    assert!(app.recognise(&at(&first)).await.unwrap().terminal.is_some());
    let retire = [("device", first.as_str()), ("reason", "returned")];
    let case = rules.begin("chief", "device-retirement", &retire).await.unwrap();
    assert!(app.recognise(&at(&first)).await.is_ok());
    rules.pass("guard", case, &[]).await;
    assert!(rules.view("sys", case).await.by_hand.is_empty());
    assert_eq!(kind(app.recognise(&at(&first)).await), ErrorKind::Forbidden);
    assert!(app.recognise(&at(&second)).await.is_ok());
    let listed = app.terminals(&operator).await.unwrap();
    let gone = listed.iter().find(|view| !view.active).unwrap();
    assert_eq!(gone.revoked_because.as_deref(), Some("=procedure"));
    assert!(!app.terminal_revocations().await.unwrap().is_empty());

    // Whatever is disposed of is no terminal any more; what never was one leaves nothing to do but disposal.
    let away =
        [("object", "ノートパソコン"), ("asset", second.as_str()), ("reason", "故障"), ("method", "destroy")];
    let case = rules.begin("nurse", "disposal", &away).await.unwrap();
    rules.pass("guard", case, &[]).await;
    let tasks = rules.view("sys", case).await.by_hand;
    assert!(tasks.iter().all(|task| task.effect == "permit-disposal"));
    assert_eq!(kind(app.recognise(&at(&second)).await), ErrorKind::Forbidden);
    let paper = rules.begin("nurse", "disposal", &[&away[..1], &away[2..]].concat()).await.unwrap();
    rules.pass("guard", paper, &[]).await;
    let tasks = rules.view("sys", paper).await.by_hand;
    assert!(tasks.iter().all(|task| task.effect == "permit-disposal"));
    rules.clean().await;
}

/// The terminal's own certificate (DER) in a file that was given out.
fn own_certificate(given: &mimamori_app::TerminalFile) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.p12"), given.file.as_slice()).unwrap();
    let pass = format!("pass:{}", given.passphrase.as_str());
    for arguments in [
        vec!["pkcs12", "-in", "t.p12", "-clcerts", "-nokeys", "-passin", &pass, "-out", "own.pem"],
        vec!["x509", "-in", "own.pem", "-outform", "der", "-out", "own.der"],
    ] {
        let done = std::process::Command::new("openssl")
            .args(&arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{arguments:?}");
    }
    std::fs::read(folder.path().join("own.der")).unwrap()
}
