//! Registered terminals and zones. A test whose name carries the id of a clause proves it.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{App, Caller, CreateAs, ErrorKind, NewTerminal, Origin, Result, TerminalFile};
use mimamori_domain::{Action, Clock as _, TerminalId, ZoneCode};
use mimamori_ledger::sha256;
use mimamori_policy::Language;

use crate::staleness::entries;
use crate::support::{On, PASSWORD, note};
use crate::town::Town;

fn kind<T>(done: Result<T>) -> ErrorKind {
    done.err().unwrap().kind()
}

/// What OpenSSL finds in a file that was given out.
struct Opened {
    folder: tempfile::TempDir,
    /// DER.
    certificate: Vec<u8>,
    text: String,
}

impl Opened {
    fn of(given: &TerminalFile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t.p12"), given.file.as_slice()).unwrap();
        let opened = Self { folder, certificate: Vec::new(), text: String::new() };
        let pass = format!("pass:{}", given.passphrase.as_str());
        let (text, info) = opened.openssl(&["pkcs12", "-in", "t.p12", "-info", "-nodes", "-passin", &pass]);
        assert!(info.contains("MAC: sha256"), "{info}");
        assert!(info.contains("PBES2, PBKDF2, AES-256-CBC"), "{info}");
        assert!(
            text.contains("BEGIN PRIVATE KEY") && text.matches("BEGIN CERTIFICATE").count() == 2,
            "{text}"
        );
        std::fs::write(opened.folder.path().join("all.pem"), &text).unwrap();
        opened
            .openssl(&["pkcs12", "-in", "t.p12", "-clcerts", "-nokeys", "-passin", &pass, "-out", "own.pem"]);
        opened
            .openssl(&["pkcs12", "-in", "t.p12", "-cacerts", "-nokeys", "-passin", &pass, "-out", "ca.pem"]);
        opened.openssl(&["x509", "-in", "own.pem", "-outform", "der", "-out", "own.der"]);
        let (text, _) = opened.openssl(&["x509", "-in", "own.pem", "-noout", "-text"]);
        let certificate = std::fs::read(opened.folder.path().join("own.der")).unwrap();
        Self { certificate, text, ..opened }
    }

    /// Standard output and standard error.
    fn openssl(&self, arguments: &[&str]) -> (String, String) {
        let done = Command::new("openssl").args(arguments).current_dir(self.folder.path()).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.success(), "{arguments:?}: {err}");
        (out.into_owned(), err.into_owned())
    }

    fn origin(&self) -> Origin {
        Origin { certificate: Some(sha256(&self.certificate)), ..Origin::default() }
    }
}

fn ward() -> NewTerminal {
    NewTerminal { name: "2階病棟 3号機".to_owned(), place: "2階".to_owned(), ..NewTerminal::default() }
}

async fn from(app: &App, origin: &Origin) -> Caller {
    let origin = app.recognise(origin).await.unwrap();
    let signed = app.sign_in("hana", PASSWORD, &origin).await.unwrap();
    app.caller(&signed.token, &origin).await.unwrap()
}

/// Proves: a terminal is known by a certificate that only this installation gives out; OpenSSL opens the
/// file and agrees about what the certificate is for; everything is in the ledger, which is whole.
#[tokio::test]
async fn clause_mhlw5_6_11_c_3() {
    let town = Town::new(On::Sqlite).await;
    let (app, operator) = (&town.site.app, town.site.operator());
    let given = app
        .register_terminal(
            &operator,
            &NewTerminal { institution: Some(town.ids.hospital), owner: Some("hana".to_owned()), ..ward() },
        )
        .await
        .unwrap();
    let opened = Opened::of(&given);
    for told in
        ["TLS Web Client Authentication", "CA:FALSE", "Digital Signature", &given.terminal.to_string()]
    {
        assert!(opened.text.contains(told), "{told}: {}", opened.text);
    }
    assert!(!opened.text.contains("病棟"), "nothing in it says who or where");
    opened.openssl(&["verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", "ca.pem", "own.pem"]);

    let seen = app.recognise(&opened.origin()).await.unwrap();
    assert_eq!(seen.terminal, Some(given.terminal));
    assert_eq!(app.recognise(&Origin::default()).await.unwrap().terminal, None);
    // Any other certificate is nobody's, whoever signed it.
    let other = Origin { certificate: Some(sha256(b"another")), ..Origin::default() };
    assert_eq!(kind(app.recognise(&other).await), ErrorKind::Forbidden);

    // The terminal stands in the entry of what is done from it.
    let caller = from(app, &opened.origin()).await;
    app.create(&caller, note(town.ids.subject, "朝").into(), CreateAs::Confirmed).await.unwrap();
    let written = entries(town.site.store.as_ref(), 0).await;
    let last = written.last().unwrap();
    assert_eq!((last.draft.action, last.draft.terminal), (Action::Create, Some(given.terminal)));

    let listed = app.terminals(&operator).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].institution.as_ref().map(|(id, _)| *id), Some(town.ids.hospital));
    assert!(listed[0].owner.is_some() && listed[0].active && !listed[0].expiring);
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
}

/// Proves: what is not registered any more is refused at once, by every program, also what it has under way.
#[tokio::test]
async fn clause_kasama_3_4_3() {
    for on in [On::Sqlite, On::Postgres] {
        let town = Town::new(on).await;
        let (app, operator) = (&town.site.app, town.site.operator());
        let elsewhere = town.site.second(Arc::clone(&town.site.store)).await;
        let given = app.register_terminal(&operator, &ward()).await.unwrap();
        let opened = Opened::of(&given);
        let caller = from(&elsewhere, &opened.origin()).await;
        assert!(elsewhere.person(&caller, town.ids.subject).await.is_ok());

        assert_eq!(kind(app.revoke_terminal(&operator, given.terminal, " ").await), ErrorKind::Invalid);
        app.revoke_terminal(&operator, given.terminal, "紛失").await.unwrap();
        assert_eq!(kind(elsewhere.recognise(&opened.origin()).await), ErrorKind::Forbidden);
        assert_eq!(kind(app.recognise(&opened.origin()).await), ErrorKind::Forbidden);
        // A request that was let in just before does not commit, and so gives nothing.
        assert_eq!(kind(elsewhere.person(&caller, town.ids.subject).await), ErrorKind::Busy);
        assert_eq!(kind(app.revoke_terminal(&operator, given.terminal, "紛失").await), ErrorKind::Conflict);
        assert_eq!(kind(app.renew_terminal(&operator, given.terminal).await), ErrorKind::Conflict);

        let list = app.terminal_revocations().await.unwrap().remove(0);
        std::fs::write(opened.folder.path().join("list.crl"), list).unwrap();
        let (text, _) = opened
            .openssl(&["crl", "-inform", "der", "-in", "list.crl", "-noout", "-text", "-CAfile", "ca.pem"]);
        let serial = app.terminals(&operator).await.unwrap()[0].certificates[0].0.to_uppercase();
        assert!(text.contains(&serial), "{text}");
        assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    }
}

/// A certificate that is renewed overlaps with the next one, and each ends at its time.
#[tokio::test]
async fn a_terminal_is_renewed_before_its_certificate_ends() {
    let town = Town::new(On::Sqlite).await;
    let (app, operator, clock) = (&town.site.app, town.site.operator(), &town.site.clock);
    let given = app.register_terminal(&operator, &ward()).await.unwrap();
    let first = Opened::of(&given);
    // Neither a doctor nor an auditor registers terminals.
    for login in ["hana", "kansa"] {
        let caller = town.caller(login).await;
        assert_eq!(kind(app.register_terminal(&caller, &ward()).await), ErrorKind::Forbidden, "{login}");
        assert_eq!(kind(app.revoke_terminal(&caller, given.terminal, "x").await), ErrorKind::Forbidden);
    }
    clock.advance(Duration::from_secs(340 * 86_400));
    assert!(app.terminals(&operator).await.unwrap()[0].expiring);
    let renewed = app.renew_terminal(&operator, given.terminal).await.unwrap();
    assert_ne!(renewed.passphrase.as_str(), given.passphrase.as_str());
    let second = Opened::of(&renewed);
    assert!(!app.terminals(&operator).await.unwrap()[0].expiring);
    for opened in [&first, &second] {
        assert_eq!(app.recognise(&opened.origin()).await.unwrap().terminal, Some(given.terminal));
    }
    clock.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(kind(app.recognise(&first.origin()).await), ErrorKind::Forbidden);
    assert!(app.recognise(&second.origin()).await.is_ok());
    let unknown = TerminalId::random();
    assert_eq!(kind(app.revoke_terminal(&operator, unknown, "x").await), ErrorKind::NotFound);
    for wrong in [
        NewTerminal { name: " ".to_owned(), ..ward() },
        NewTerminal { owner: Some("nobody".to_owned()), ..ward() },
        NewTerminal { institution: Some(mimamori_domain::InstitutionId::random()), ..ward() },
        NewTerminal { asset: Some(mimamori_domain::ObjectId::random()), ..ward() },
    ] {
        assert_eq!(kind(app.register_terminal(&operator, &wrong).await), ErrorKind::Invalid);
    }
}

/// Proves: from outside nobody signs in but those whom the organisation permitted to, for a time; where the
/// zone asks for a registered terminal, it is asked for at sign-in and at every decision.
#[tokio::test]
async fn clause_kawaguchi_9_2_2_2() {
    let town = Town::new(On::Sqlite).await;
    let (app, operator, ids) = (&town.site.app, town.site.operator(), town.ids);
    let at = |zone: &str| Origin { zone: Some(ZoneCode::new(zone).unwrap()), ..Origin::default() };
    let inside = at("staff-network");
    let signed = app.sign_in("hana", PASSWORD, &inside).await.unwrap();
    let caller = app.caller(&signed.token, &inside).await.unwrap();
    assert!(app.person(&caller, ids.subject).await.is_ok());
    // The same session taken outside opens nothing, and signing in there is refused to her.
    let taken = app.caller(&signed.token, &at("outside")).await.unwrap();
    assert_eq!(kind(app.person(&taken, ids.subject).await), ErrorKind::Forbidden);
    assert_eq!(kind(app.sign_in("hana", PASSWORD, &at("outside")).await), ErrorKind::Forbidden);
    // Whoever does not know the password is not told that.
    assert_eq!(kind(app.sign_in("hana", "x", &at("outside")).await), ErrorKind::Unauthenticated);

    let permission = mimamori_app::NewAppointment {
        actor: ids.hana,
        role: "outside-user".parse().unwrap(),
        institution: None,
        unit: None,
        system: None,
        from: crate::support::START,
        until: Some(crate::support::START.plus(Duration::from_secs(30 * 86_400))),
        deputy: false,
    };
    app.appoint(&operator, &permission).await.unwrap();
    // Tries that were refused make the next one wait a little.
    town.site.clock.advance(Duration::from_secs(60));
    let signed = app.sign_in("hana", PASSWORD, &at("outside")).await.unwrap();
    // One factor is not enough there.
    let once = app.caller(&signed.token, &at("outside")).await.unwrap();
    assert_eq!(kind(app.person(&once, ids.subject).await), ErrorKind::Forbidden);
    town.site.clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(kind(app.sign_in("hana", PASSWORD, &at("outside")).await), ErrorKind::Forbidden);

    // Visits need a registered terminal.
    assert_eq!(kind(app.sign_in("hana", PASSWORD, &at("home-visit")).await), ErrorKind::Forbidden);
    let opened = Opened::of(&app.register_terminal(&operator, &ward()).await.unwrap());
    town.site.clock.advance(Duration::from_secs(60));
    let visiting = app.recognise(&Origin { zone: at("home-visit").zone, ..opened.origin() }).await.unwrap();
    let signed = app.sign_in("hana", PASSWORD, &visiting).await.unwrap();
    let caller = app.caller(&signed.token, &visiting).await.unwrap();
    assert!(app.person(&caller, ids.subject).await.is_ok());

    // And it is explained.
    let class = || "note".parse().unwrap();
    let explained = async |origin: &Origin| {
        app.explain(&operator, "hana", ids.subject, Action::Read, class(), ids.hospital, origin, Language::En)
            .await
            .unwrap()
    };
    assert!(explained(&at("outside")).await.contains("zone-closed [forbids]"));
    assert!(explained(&at("home-visit")).await.contains("zone-wants-terminal [forbids]"));
    assert!(!explained(&inside).await.contains("[forbids]"));
}

/// The authority is exchanged: new certificates are issued by the new one, earlier ones are good until the
/// stated end and no longer, on every program; each has its own list of revoked ones; before the end it is
/// retired only when no terminal is left behind.
#[tokio::test]
async fn the_authority_is_exchanged_while_both_are_believed() {
    let town = Town::new(On::Sqlite).await;
    let (app, operator, clock) = (&town.site.app, town.site.operator(), &town.site.clock);
    let other = town.site.second(Arc::clone(&town.site.store)).await;
    let until = |days: u64| clock.now().plus(Duration::from_secs(days * 86_400));
    assert_eq!(kind(app.renew_terminal_authority(&operator, until(30)).await), ErrorKind::NotFound);
    let mut opened = Vec::new();
    for number in 0..3 {
        let new = NewTerminal { name: format!("{number}号機"), ..ward() };
        let given = app.register_terminal(&operator, &new).await.unwrap();
        opened.push((given.terminal, Opened::of(&given)));
    }
    assert_eq!(kind(app.retire_terminal_authority(&operator).await), ErrorKind::Conflict);
    for login in ["hana", "kansa"] {
        let caller = town.caller(login).await;
        let refused = app.renew_terminal_authority(&caller, until(30)).await;
        assert_eq!(kind(refused), ErrorKind::Forbidden, "{login}");
        assert_eq!(kind(app.retire_terminal_authority(&caller).await), ErrorKind::Forbidden, "{login}");
    }
    assert_eq!(kind(app.renew_terminal_authority(&operator, clock.now()).await), ErrorKind::Invalid);
    app.renew_terminal_authority(&operator, until(30)).await.unwrap();
    let roots = other.terminal_roots().await.unwrap();
    assert_eq!(roots.len(), 2);
    assert_eq!(app.terminal_authority(&operator).await.unwrap(), roots);

    // Both are believed; the list says until when, and that it is time to renew.
    for (id, one) in &opened {
        assert_eq!(other.recognise(&one.origin()).await.unwrap().terminal, Some(*id));
    }
    let listed = app.terminals(&operator).await.unwrap();
    assert!(listed.iter().all(|view| view.expiring && view.until == Some(until(30))));
    // The first one gets a certificate of the new authority, which OpenSSL verifies by that one only.
    let renewed = app.renew_terminal(&operator, opened[0].0).await.unwrap();
    let second = Opened::of(&renewed);
    second.openssl(&["verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", "ca.pem", "own.pem"]);
    std::fs::copy(opened[0].1.folder.path().join("ca.pem"), second.folder.path().join("old.pem")).unwrap();
    let by_old = Command::new("openssl")
        .args(["verify", "-CAfile", "old.pem", "own.pem"])
        .current_dir(second.folder.path())
        .output()
        .unwrap();
    assert!(!by_old.status.success());
    // Each list is signed by its own authority and names its own certificates.
    app.revoke_terminal(&operator, opened[2].0, "紛失").await.unwrap();
    let lists = app.terminal_revocations().await.unwrap();
    assert_eq!(lists.len(), 2);
    let (folder, serial) = (second.folder.path(), |view: &str| view.to_uppercase());
    for (name, list) in ["new.crl", "old.crl"].into_iter().zip(&lists) {
        std::fs::write(folder.join(name), list).unwrap();
    }
    let read = |list: &str, ca: &str| {
        let told = ["crl", "-inform", "der", "-in", list, "-noout", "-text", "-CAfile", ca];
        let (text, verified) = second.openssl(&told);
        assert!(verified.contains("verify OK"), "{verified}");
        text
    };
    let listed = app.terminals(&operator).await.unwrap();
    let lost = listed.iter().find(|view| view.id == opened[2].0).unwrap();
    assert!(read("old.crl", "old.pem").contains(&serial(&lost.certificates[0].0)));
    assert!(!read("new.crl", "ca.pem").contains(&serial(&lost.certificates[0].0)));

    // Not before its time while one in use is left behind; at its time, whatever is left.
    assert_eq!(kind(app.retire_terminal_authority(&operator).await), ErrorKind::Conflict);
    clock.advance(Duration::from_secs(30 * 86_400));
    for app in [app, &other] {
        for (_, one) in &opened {
            assert_eq!(kind(app.recognise(&one.origin()).await), ErrorKind::Forbidden);
        }
        assert!(app.recognise(&second.origin()).await.is_ok());
    }
    assert_eq!(other.terminal_roots().await.unwrap().len(), 1);
    // Another exchange, ended early once nobody needs the earlier one.
    app.revoke_terminal(&operator, opened[1].0, "更新しない").await.unwrap();
    app.renew_terminal_authority(&operator, until(30)).await.unwrap();
    let third = Opened::of(&app.renew_terminal(&operator, opened[0].0).await.unwrap());
    app.retire_terminal_authority(&operator).await.unwrap();
    assert_eq!(kind(other.recognise(&second.origin()).await), ErrorKind::Forbidden);
    assert!(other.recognise(&third.origin()).await.is_ok());
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
}
