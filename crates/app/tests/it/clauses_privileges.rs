//! One person, one account; privileged and outside workers' accounts; what is done when a password leaks.
//! A test whose name carries the id of a clause proves it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use mimamori_app::{
    AccountSort, Act, Caller, CaseStage, ErrorKind, Finding, First, IdentityProof, NewAppointment, NewStaff,
    Origin,
};
use mimamori_domain::{Action, ActorId, Clock as _, Kind, ObjectId, Outcome};
use mimamori_policy::Pack;

use crate::clauses_identity::{caller, code, desk, password, shown_at};
use crate::staleness::entries;
use crate::support::{On, PASSWORD, START};
use crate::town::Town;
use crate::under_rules::{Rules, Somebody, kind};

const HOUR: Duration = Duration::from_secs(3_600);

const HOSPITAL: [Somebody<'_>; 5] = [
    ("chief", "", "chief-security-officer"),
    ("manager", "", "security-manager"),
    ("ops", "", "operations-manager"),
    ("sys", "", "system-manager"),
    ("plain", "", ""),
];

fn newcomer(login: &str, rules: &Rules, roles: &[&str]) -> NewStaff {
    NewStaff {
        login: login.to_owned(),
        name: "新山 美咲".to_owned(),
        kana: None,
        occupation: None,
        institution: Some(rules.home),
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        password: PASSWORD.to_owned(),
    }
}

fn administrator(actor: ActorId) -> NewAppointment {
    NewAppointment {
        actor,
        role: "system-manager".parse().unwrap(),
        institution: None,
        unit: None,
        system: None,
        from: START,
        until: None,
        deputy: false,
    }
}

/// Proves: an account is one person's: its sign-in name is nobody else's, not even after it was closed, what
/// is done is its owner's, and what programs sign in by is no way in for people.
#[tokio::test]
async fn clause_mic_3_2_3_1_1_1() {
    let people = [("hana", "doctor", ""), ("jiro", "nurse", ""), ("sys", "", "system-manager")];
    let rules = Rules::eased("base", &people).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    for login in ["hana", "HANA", " hana "] {
        let twice = app.add_staff(&operator, &newcomer(login, &rules, &[])).await;
        assert!(matches!(kind(twice), ErrorKind::Conflict | ErrorKind::Invalid), "{login}");
    }
    let jiro = rules.actor("jiro").await.unwrap();
    app.close_account(&rules.working("sys").await, jiro, "退職").await.unwrap();
    let reused = app.add_staff(&operator, &newcomer("jiro", &rules, &[])).await;
    assert_eq!(kind(reused), ErrorKind::Conflict);
    let before = entries(rules.site.store.as_ref(), 0).await.len() as u64;
    let hana = rules.call("hana").await;
    rules.site.person(&hana, "山田", "花").await;
    let written = entries(rules.site.store.as_ref(), before).await;
    assert!(written.iter().all(|entry| entry.draft.actor == Some(hana.actor_id())));

    let scopes = ["*.read".to_owned()];
    let token = app.create_token(&operator, "連携", rules.home, &scopes, 30).await.unwrap();
    assert!(app.caller_from_bearer(&token, &Origin::default()).await.is_ok());
    assert_eq!(kind(app.caller(&token, &Origin::default()).await), ErrorKind::Unauthenticated);
    for login in ["", "連携"] {
        let none = app.sign_in(login, &token, &Origin::default()).await;
        assert_eq!(kind(none), ErrorKind::Unauthenticated);
    }
    let found = app.measures(&operator).await.unwrap();
    let own = found.iter().find(|(measure, _)| measure.check == "individual-accounts").unwrap();
    assert_eq!(own.1.finding, Finding::Kept);
    rules.clean().await;
}

/// Proves: nobody is taken for somebody else: not with another one's password, a made-up or changed session,
/// nor a session that is over.
#[tokio::test]
async fn clause_mic_3_2_3_1_1_2() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let hana = password(app, "hana").await;
    assert_eq!(caller(app, &hana.token).await.actor_id(), ids.hana);
    town.site.database.run("UPDATE login SET actor = (SELECT actor FROM session LIMIT 1)").await.unwrap();
    // Her password under his name, although the row now leads to her account.
    assert_eq!(kind(app.sign_in("jiro", PASSWORD, &desk()).await), ErrorKind::Unauthenticated);
    let mut other = hana.token.clone().into_bytes();
    other[0] = if other[0] == b'0' { b'1' } else { b'0' };
    for token in [String::from_utf8(other).unwrap(), String::new(), "x".repeat(64)] {
        assert_eq!(kind(app.caller(&token, &desk()).await), ErrorKind::Unauthenticated);
    }
    let theirs = hex::encode(ids.jiro.as_bytes());
    town.site.database.run(&format!("UPDATE session SET actor = x'{theirs}'")).await.unwrap();
    let second = town.site.second(std::sync::Arc::clone(&town.site.store)).await;
    assert_eq!(kind(second.caller(&hana.token, &desk()).await), ErrorKind::Unauthenticated);
}

/// Proves: developers, operators and administrators are users like everybody: an account of their own, the
/// same proof, the same limits, and every act on the record under their own name.
#[tokio::test]
async fn clause_mic_3_2_3_1_1_3() {
    let people = [("dev", "", ""), ("ops", "", "operations-manager"), ("sys", "", "system-manager")];
    let rules = Rules::eased("base", &people).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    let dev = rules.actor("dev").await.unwrap();
    app.set_account_sort(&operator, dev, AccountSort::Development, "開発").await.unwrap();
    for (login, _, _) in people {
        let who = rules.actor(login).await.unwrap();
        assert_eq!(kind(app.sign_in(login, "x", &desk()).await), ErrorKind::Unauthenticated, "{login}");
        rules.site.clock.advance(Duration::from_secs(60));
        let from = entries(rules.site.store.as_ref(), 0).await.len() as u64;
        let token = app.sign_in(login, PASSWORD, &desk()).await.unwrap().token;
        let written = entries(rules.site.store.as_ref(), from).await;
        let signed = written.iter().find(|entry| entry.draft.action == Action::SignIn).unwrap();
        assert_eq!(signed.draft.actor, Some(who), "{login}");
        assert!(app.caller(&token, &desk()).await.is_ok());
        rules.site.clock.advance(Duration::from_secs(15 * 60));
        assert_eq!(kind(app.caller(&token, &desk()).await), ErrorKind::Unauthenticated, "{login}");
    }
    // At the machine itself the operator is named in each entry, and reads no record.
    let subject = town_subject(&rules).await;
    assert!(app.person(&operator, subject).await.is_err());
    rules.clean().await;
}

async fn town_subject(rules: &Rules) -> mimamori_domain::SubjectId {
    rules.add(("hana", "doctor", "")).await;
    rules.site.person(&rules.call("hana").await, "山田", "花").await
}

/// Proves: on a leak the id is stopped at once, by the approval of the report itself; its owner is told, and
/// gets another password by the procedure for it, never the leaked one.
#[tokio::test]
async fn clause_mic_3_2_3_1_3_4() {
    let people = [
        ("hana", "doctor", ""),
        ("jiro", "nurse", ""),
        ("desk", "", "help-desk"),
        ("sys", "", "system-manager"),
        ("ops", "", "operations-manager"),
    ];
    let rules = Rules::eased("base", &people).await;
    let (app, hana) = (rules.app(), rules.actor("hana").await.unwrap().to_string());
    let token = password(app, "hana").await.token;
    let leak = [
        ("account", hana.as_str()),
        ("certainty", "leaked"),
        ("found-at", "2026-11-21T08:50"),
        ("description", "付箋に書いてあった"),
    ];
    let case = rules.begin("jiro", "credential-loss", &leak).await.unwrap();
    assert_eq!(kind(rules.act("jiro", case, Act::Pass, &[]).await), ErrorKind::Forbidden);
    assert!(app.caller(&token, &desk()).await.is_ok());
    rules.pass("desk", case, &[]).await;
    assert!(rules.view("sys", case).await.by_hand.is_empty());
    assert_eq!(kind(app.caller(&token, &desk()).await), ErrorKind::Unauthenticated);
    assert_eq!(kind(app.sign_in("hana", PASSWORD, &desk()).await), ErrorKind::Unauthenticated);
    let actor: ActorId = hana.parse().unwrap();
    // It does not simply go on.
    let sys = rules.working("sys").await;
    assert_eq!(kind(app.resume_actor(&sys, actor, "再開").await), ErrorKind::Conflict);
    // Its owner is told: the case waits for that.
    let view = rules.view("sys", case).await;
    let now = view.steps.iter().find(|step| !step.people.is_empty()).unwrap();
    assert_eq!(now.step.code, "tell");
    rules.act("desk", case, Act::Told, &[]).await.unwrap();

    let proof = |case| IdentityProof { reason: "漏れた".to_owned(), how: "職員証".to_owned(), case };
    assert_eq!(kind(app.reissue_password(&sys, actor, &proof(None)).await), ErrorKind::Invalid);
    let again = [
        ("account", hana.as_str()),
        ("forgotten", "password"),
        ("identity-check", "face"),
        ("delivery", "face"),
    ];
    let reissue = rules.begin("desk", "password-reissue", &again).await.unwrap();
    rules.pass("ops", reissue, &[]).await;
    let sys = rules.working("sys").await;
    let first = app.reissue_password(&sys, actor, &proof(Some(reissue))).await.unwrap();
    let signed = app.sign_in("hana", &first.secret, &desk()).await.unwrap();
    assert_eq!(signed.first, Some(First::Password));
    let owner = caller(app, &signed.token).await;
    assert_eq!(kind(app.change_own_password(&owner, &first.secret, PASSWORD).await), ErrorKind::Invalid);
    app.change_own_password(&owner, &first.secret, "aoi-tsukue-to-mado-1").await.unwrap();
    // The session that was open when it leaked stays over.
    assert_eq!(kind(app.caller(&token, &desk()).await), ErrorKind::Unauthenticated);
    rules.clean().await;
}

/// Proves: after the time that the rules set, a session without activity is over, on every program; one in
/// use goes on.
#[tokio::test]
async fn clause_mic_3_2_3_5_1_4() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids) = (&town.site.app, town.ids);
    let second = town.site.second(std::sync::Arc::clone(&town.site.store)).await;
    let token = password(app, "hana").await.token;
    for _ in 0..4 {
        town.site.clock.advance(Duration::from_secs(14 * 60));
        let hana = caller(app, &token).await;
        assert!(app.person(&hana, ids.subject).await.is_ok());
    }
    town.site.clock.advance(Duration::from_secs(15 * 60));
    for app in [app, &second] {
        assert_eq!(kind(app.caller(&token, &desk()).await), ErrorKind::Unauthenticated);
    }
    // The time is the pack's.
    let pack = crate::office::with_parameters("{key: session.idle-minutes, value: 1}");
    let short = Town::at(crate::procedures::site_under(On::Sqlite, pack).await).await;
    let token = password(&short.site.app, "hana").await.token;
    short.site.clock.advance(Duration::from_secs(59));
    assert!(short.site.app.caller(&token, &desk()).await.is_ok());
    short.site.clock.advance(Duration::from_secs(1));
    assert_eq!(kind(short.site.app.caller(&token, &desk()).await), ErrorKind::Unauthenticated);
}

/// Maintenance workers and administrators come in by accounts of their own only, each told apart.
async fn each_by_their_own_account() {
    let people = [("sys", "", "system-manager"), ("ichi", "", ""), ("niban", "", "")];
    let rules = Rules::eased("base", &people).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    for login in ["ichi", "niban"] {
        let worker = rules.actor(login).await.unwrap();
        app.set_account_sort(&operator, worker, AccountSort::Maintenance, "保守").await.unwrap();
        // Out of an approved window it opens nothing.
        assert_eq!(kind(app.sign_in(login, PASSWORD, &desk()).await), ErrorKind::Unauthenticated);
    }
    let worker = rules.actor("ichi").await.unwrap().to_string();
    let window = [
        ("worker", "保守会社"),
        ("account", worker.as_str()),
        ("system", "連絡帳"),
        ("work", "更新"),
        ("connection", "専用線"),
        ("from", "2026-11-21T09:00"),
        ("until", "2026-11-21T10:00"),
    ];
    rules.add(("ops", "", "operations-manager")).await;
    let case = rules.begin("ops", "remote-maintenance", &window).await.unwrap();
    rules.pass("sys", case, &[]).await;
    let signed = password(app, "ichi").await;
    let seen = caller(app, &signed.token).await;
    assert_eq!(seen.actor_id().to_string(), worker);
    // The window is one person's: it is not the other one's too.
    assert_eq!(kind(app.sign_in("niban", PASSWORD, &desk()).await), ErrorKind::Unauthenticated);
    let from = entries(rules.site.store.as_ref(), 0).await.len() as u64;
    app.report_own_leak(&seen).await.unwrap();
    let sys = rules.working("sys").await;
    app.accounts_of(&sys, rules.home).await.unwrap();
    let written = entries(rules.site.store.as_ref(), from).await;
    let who = |action| {
        let of = written.iter().filter(move |entry| entry.draft.action == action);
        of.filter_map(|entry| entry.draft.actor).collect::<Vec<_>>()
    };
    assert!(who(Action::Administer).contains(&seen.actor_id()));
    assert!(who(Action::Search).contains(&sys.actor_id()));
    rules.clean().await;
}

/// Proves: maintenance staff and administrators use accounts issued to each of them.
#[tokio::test]
async fn clause_mic_3_2_6_1_1_1() {
    each_by_their_own_account().await;
}

/// Proves: the same, where the guideline says it again.
#[tokio::test]
async fn clause_mic_3_2_6_3_1_1() {
    each_by_their_own_account().await;
}

/// Proves: operators see no record by themselves, before, during or after an approved viewing; the viewing
/// itself counts only with the system manager's approval before and after it, by somebody else than who
/// applied, and the institution's confirmation. In an emergency it comes first and is approved all the same.
#[tokio::test]
async fn clause_mic_3_3_6_2_1_2() {
    let people = [
        ("worker", "", "help-desk"),
        ("sys", "", "system-manager"),
        ("ops", "", "operations-manager"),
        ("chief", "", "facility-manager"),
    ];
    let rules = Rules::eased("base", &people).await;
    let app = rules.app();
    let subject = town_subject(&rules).await;
    let sees = async |login: &str| {
        let from = entries(rules.site.store.as_ref(), 0).await.len() as u64;
        let seen = app.person(&rules.call(login).await, subject).await.is_ok();
        let refused = entries(rules.site.store.as_ref(), from).await;
        assert!(seen || refused.iter().any(|entry| entry.draft.outcome == Outcome::Refused));
        seen
    };
    let (worker, chief) = (rules.actor("worker").await.unwrap(), rules.actor("chief").await.unwrap());
    let (home, worker, chief) = (rules.home.to_string(), worker.to_string(), chief.to_string());
    let typed = [
        ("institution", home.as_str()),
        ("viewer", worker.as_str()),
        ("facility-contact", chief.as_str()),
        ("reason", "表示の障害の調査"),
        ("scope", "一件の体温"),
        ("planned-from", "2026-11-21T10:00"),
        ("planned-until", "2026-11-21T11:00"),
    ];
    assert!(sees("hana").await && !sees("worker").await && !sees("sys").await);
    let case = rules.begin("worker", "operator-viewing", &typed).await.unwrap();
    let report =
        [("viewed-from", "2026-11-21T10:00"), ("viewed-until", "2026-11-21T10:10"), ("viewed", "一件の体温")];
    // Not without the approval before.
    for login in ["worker", "ops"] {
        assert_eq!(kind(rules.act(login, case, Act::Pass, &[]).await), ErrorKind::Forbidden, "{login}");
    }
    assert_eq!(kind(rules.act("worker", case, Act::Done, &report).await), ErrorKind::Forbidden);
    rules.pass("sys", case, &[]).await;
    assert!(!sees("worker").await);
    rules.done("worker", case, &report).await;
    // Nor is it through without the approval after.
    assert_eq!(kind(rules.act("worker", case, Act::Pass, &[]).await), ErrorKind::Forbidden);
    let view = rules.view("sys", case).await;
    assert!(view.entry.is_none() && view.stage == CaseStage::Open);
    rules.pass("sys", case, &[]).await;
    rules.act("ops", case, Act::Told, &[("reported-on", "2026-11-21")]).await.unwrap();
    rules.done("chief", case, &[]).await;
    let view = rules.view("sys", case).await;
    assert_eq!(
        (view.stage, view.entry.unwrap().0.as_str()),
        (CaseStage::Finished, "operator-viewing-record")
    );
    assert!(!sees("worker").await);

    // Whoever applied does not approve: it passes on.
    let own = rules.begin("sys", "operator-viewing", &typed).await.unwrap();
    assert_eq!(kind(rules.act("sys", own, Act::Pass, &[]).await), ErrorKind::Forbidden);
    rules.pass("ops", own, &[]).await;
    // Only those whom the rules name act first, and the approvals follow.
    let form = crate::procedures::form(&typed);
    let first = app.begin_case(&rules.call("worker").await, "operator-viewing", &form, true).await;
    assert_eq!(kind(first), ErrorKind::Forbidden);
    let first = app.begin_case(&rules.call("sys").await, "operator-viewing", &form, true).await.unwrap();
    let view = rules.view("ops", first).await;
    assert!(view.emergency && view.stage == CaseStage::Open && view.report_due.is_some());
    assert_eq!(kind(rules.act("sys", first, Act::Pass, &[]).await), ErrorKind::Forbidden);
    rules.clean().await;
}

/// Proves: an id lent to somebody opens nothing: the password alone is not enough, and its owner sees where
/// the account is in use and ends it.
#[tokio::test]
async fn clause_kawaguchi_8_4_2_1() {
    let pack = std::sync::Arc::new(Pack::embedded("kawaguchi").unwrap());
    let rules = Rules::of(pack, &[("hana", "doctor", "")]).await;
    let town = TownOf(&rules);
    let app = rules.app();
    let signed = password(app, "hana").await;
    assert_eq!(signed.first, Some(First::Factor));
    let hana = caller(app, &signed.token).await;
    let begun = app.begin_one_time(&hana, "見守り").await.unwrap();
    let made = app.add_one_time(&hana, &begun.token, &town.shown(&begun.secret), "電話").await.unwrap();
    // Somebody who was told the password.
    let elsewhere = Origin { address: Some([198, 51, 100, 7].into()), ..Origin::default() };
    let half = app.sign_in("hana", PASSWORD, &elsewhere).await.unwrap();
    assert!(half.second);
    assert_eq!(kind(app.caller(&half.token, &elsewhere).await), ErrorKind::Unauthenticated);
    // And somebody who was lent the telephone as well: it is seen, and ended.
    rules.site.clock.advance(Duration::from_secs(30));
    let lent = code(town.shown(&begun.secret));
    let lent = app.finish_sign_in(&half.token, &lent, &elsewhere).await.unwrap();
    let hana = caller(app, &made.token).await;
    let sessions = app.own_sessions(&hana).await.unwrap();
    let other = sessions.iter().find(|session| !session.this).unwrap();
    assert_eq!(other.address.as_deref(), Some("198.51.100.7"));
    app.end_own_sessions(&hana, Some(other.id)).await.unwrap();
    assert_eq!(kind(app.caller(&lent.token, &elsewhere).await), ErrorKind::Unauthenticated);
}

/// What an authenticator app shows now.
struct TownOf<'a>(&'a Rules);

impl TownOf<'_> {
    fn shown(&self, secret: &str) -> String {
        shown_at(secret, self.0.site.clock.now())
    }
}

/// Proves: a password is long, mixes every kind of character, and is not guessed at once.
#[tokio::test]
async fn clause_kawaguchi_8_4_3_3() {
    let rules = Rules::eased("kawaguchi", &[("hana", "doctor", "")]).await;
    let app = rules.app();
    let hana = rules.call("hana").await;
    for weak in [
        "Kabe7-hashi",
        "midori-densha-ga-hashi-7",
        "MIDORI-DENSHA-GA-HASHI-7",
        "MidoriDenshaGaHashi",
        "Hana-hana-Hana-1",
    ] {
        let refused = app.change_own_password(&hana, PASSWORD, weak).await;
        assert_eq!(kind_of(refused), Some(ErrorKind::Invalid), "{weak}");
    }
    app.change_own_password(&hana, PASSWORD, "Midori-densha-ga-Hashi-7").await.unwrap();
}

/// Proves: who fears that their password leaked reports it; it opens nothing from that moment, and they go on
/// with another one.
#[tokio::test]
async fn clause_kawaguchi_8_4_3_4() {
    let rules = Rules::eased("kawaguchi", &HOSPITAL).await;
    let app = rules.app();
    let system = ledger_entry(&rules).await;
    let typed = [
        ("system", system.as_str()),
        ("user-id", "plain"),
        ("noticed-at", "2026-11-21T08:50"),
        ("circumstances", "画面を見られた"),
    ];
    let case = rules.begin("plain", "password-leak", &typed).await.unwrap();
    let view = rules.view("plain", case).await;
    let now = view.steps.iter().find(|step| !step.people.is_empty()).unwrap();
    assert!(now.deadline.unwrap().since(now.begun.unwrap()) <= HOUR, "at once");
    let session = password(app, "plain").await;
    app.report_own_leak(&caller(app, &session.token).await).await.unwrap();
    assert_eq!(kind(app.caller(&session.token, &desk()).await), ErrorKind::Unauthenticated);
    assert_eq!(kind(app.sign_in("plain", PASSWORD, &desk()).await), ErrorKind::Unauthenticated);
    rules.done("sys", case, &[("disabled-at", "2026-11-21T09:00")]).await;
    let view = rules.view("manager", case).await;
    let now = view.steps.iter().find(|step| !step.people.is_empty()).unwrap();
    assert_eq!(now.step.code, "confirm");
    rules.clean().await;
}

/// The entry of this system in the hospital's ledger of systems.
async fn ledger_entry(rules: &Rules) -> String {
    let owner = rules.actor("manager").await.unwrap().to_string();
    let register = rules.pack.register("information-system-ledger").unwrap();
    let first = |code: &str| {
        let field = register.fields.iter().find(|field| field.code == code).unwrap();
        rules.pack.choices(field)[0].code.clone()
    };
    let (confidentiality, integrity, availability) =
        (first("confidentiality"), first("integrity"), first("availability"));
    let typed = crate::procedures::form(&[
        ("name", "連絡帳"),
        ("purpose", "記録の共有"),
        ("owner", owner.as_str()),
        ("segment", "medical"),
        ("confidentiality", confidentiality.as_str()),
        ("integrity", integrity.as_str()),
        ("availability", availability.as_str()),
        ("security-requirements", "二要素"),
    ]);
    let keeper = rules.call("manager").await;
    rules.app().add_entry(&keeper, "information-system-ledger", &typed).await.unwrap().to_string()
}

/// Proves: few hold privileges, and what opens them is guarded more than anything else.
#[tokio::test]
async fn clause_kawaguchi_9_2_1_3_1() {
    let rules = Rules::eased("kawaguchi", &HOSPITAL).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    rules.add(("niban", "", "key-manager")).await;
    let third = app.add_staff(&operator, &newcomer("sanban", &rules, &["system-manager"])).await;
    assert_eq!(kind(third), ErrorKind::Invalid);
    let plain = rules.actor("plain").await.unwrap();
    assert_eq!(kind(app.appoint(&operator, &administrator(plain)).await), ErrorKind::Invalid);
    // Fifteen characters do for others.
    let fifteen = "Midori7-Hashi-K";
    let sys = rules.call("sys").await;
    let short = app.change_own_password(&sys, PASSWORD, fifteen).await.unwrap_err();
    assert!(short.message().contains("at least 16"), "{short}");
    app.change_own_password(&rules.call("plain").await, PASSWORD, fifteen).await.unwrap();
    app.change_own_password(&sys, PASSWORD, "Midori-densha-ga-Hashi-7").await.unwrap();
    // Kept as a hash that nobody reads back, not even who administers.
    let detail = app.account(&rules.site.operator(), plain).await.unwrap();
    assert!(!format!("{detail:?}").contains(fifteen));
}

/// Proves: nobody uses a privilege but whom those responsible permitted, for as long as they did.
#[tokio::test]
async fn clause_kawaguchi_9_2_1_3_2() {
    let rules = Rules::eased("kawaguchi", &HOSPITAL).await;
    let app = rules.app();
    let system = ledger_entry(&rules).await;
    let holder = rules.actor("plain").await.unwrap().to_string();
    let typed = [
        ("system", system.as_str()),
        ("privileged-id", "kanri"),
        ("holder", holder.as_str()),
        ("role", "system-manager"),
        ("rights", "アカウントの管理"),
        ("reason", "交代要員"),
        ("viewing", "なし"),
        ("from", "2026-11-21"),
        ("until", "2026-11-22"),
    ];
    let case = rules.begin("plain", "privileged-access-grant", &typed).await.unwrap();
    let privileged = async || !rules.call("plain").await.roles().is_empty();
    for login in ["plain", "sys", "chief"] {
        assert_eq!(kind(rules.act(login, case, Act::Pass, &[]).await), ErrorKind::Forbidden, "{login}");
    }
    rules.pass("manager", case, &[]).await;
    assert!(!privileged().await);
    assert_eq!(kind(rules.act("manager", case, Act::Pass, &[]).await), ErrorKind::Forbidden);
    rules.pass("chief", case, &[]).await;
    assert!(privileged().await);
    let working = rules.working("plain").await;
    assert!(app.accounts_of(&working, rules.home).await.is_ok());
    // Its days are over by themselves: the last one counts to its end.
    rules.site.clock.advance(39 * HOUR);
    assert!(!privileged().await);
    rules.clean().await;
}

/// Proves: a vendor's worker changes no privileged id and no password but their own, whatever role they were
/// given; an account of the hospital's own staff does.
#[tokio::test]
async fn clause_kawaguchi_9_2_1_3_3() {
    let rules = Rules::eased("kawaguchi", &HOSPITAL).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    let vendor = rules.add(("gyosha", "", "system-manager")).await;
    let plain = rules.actor("plain").await.unwrap();
    let tries = async |by: &Caller, login: &str| {
        let mut refused = BTreeMap::new();
        let proof = IdentityProof { reason: "忘れた".into(), how: "対面".into(), case: None };
        refused.insert("unlock", kind_of(app.unlock_account(by, plain).await));
        refused.insert("reissue", kind_of(app.reissue_password(by, plain, &proof).await));
        refused.insert("factor", kind_of(app.report_lost_factor(by, plain, "紛失").await));
        refused.insert("add", kind_of(app.add_staff(by, &newcomer(login, &rules, &[])).await));
        refused
    };
    let own = rules.working("gyosha").await;
    assert!(tries(&own, "abe").await.values().all(|kind| *kind != Some(ErrorKind::Forbidden)));
    app.set_account_sort(&operator, vendor, AccountSort::Development, "委託先").await.unwrap();
    let outside = rules.working("gyosha").await;
    for (what, kind) in tries(&outside, "baba").await {
        assert_eq!(kind, Some(ErrorKind::Forbidden), "{what}");
    }
    let made = app.appoint(&outside, &administrator(plain)).await;
    assert_eq!(kind(made), ErrorKind::Forbidden);
    // Looking, and the password of their own, they may.
    assert!(app.accounts_of(&outside, rules.home).await.is_ok());
    let theirs = rules.call("gyosha").await;
    app.change_own_password(&theirs, PASSWORD, "Midori-densha-ga-Hashi-7").await.unwrap();
    rules.clean().await;
}

fn kind_of<T>(done: mimamori_app::Result<T>) -> Option<ErrorKind> {
    done.err().map(|error| error.kind())
}

/// Proves: no account comes with the program, no name that everybody guesses may be used, and what the first
/// administrator is given is made by chance and must be changed.
#[tokio::test]
async fn clause_kawaguchi_9_2_1_3_5() {
    let rules = Rules::eased("kawaguchi", &[]).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    assert!(app.accounts(&operator).await.unwrap().is_empty());
    for login in ["admin", "administrator", "root", "system", "guest", "test"] {
        for guess in [login, "password", "admin", ""] {
            let none = app.sign_in(login, guess, &Origin::default()).await;
            assert!(matches!(kind(none), ErrorKind::Unauthenticated | ErrorKind::Busy));
        }
        let refused = app.issue_staff(&operator, &newcomer(login, &rules, &["system-manager"])).await;
        assert_eq!(kind(refused), ErrorKind::Invalid, "{login}");
    }
    let (_, first) =
        app.issue_staff(&operator, &newcomer("kanri", &rules, &["system-manager"])).await.unwrap();
    let (_, other) = app.issue_staff(&operator, &newcomer("kanri2", &rules, &[])).await.unwrap();
    assert!(*first.secret != *other.secret && first.secret.len() >= 20);
    rules.site.clock.advance(HOUR);
    let signed = app.sign_in("kanri", &first.secret, &desk()).await.unwrap();
    assert_eq!(signed.first, Some(First::Password));
    let new = caller(app, &signed.token).await;
    let early = match app.for_operations(&new).await {
        Ok(early) => app.accounts_of(&early, rules.home).await.map(drop),
        Err(error) => Err(error),
    };
    assert_eq!(kind(early), ErrorKind::Forbidden);
    assert_eq!(kind(app.change_own_password(&new, &first.secret, &first.secret).await), ErrorKind::Invalid);
    app.change_own_password(&new, &first.secret, "Midori-densha-ga-Hashi-7").await.unwrap();
    let working = app.for_operations(&caller(app, &signed.token).await).await.unwrap();
    assert!(app.accounts_of(&working, rules.home).await.is_ok());
}

/// Proves: what people sign in with stands nowhere to be read: not in the database, only under keys that the
/// operating system keeps for the program alone.
#[tokio::test]
async fn clause_kawaguchi_9_2_5_1() {
    let rules = Rules::eased("kawaguchi", &[("hana", "doctor", "")]).await;
    let town = TownOf(&rules);
    let app = rules.app();
    let hana = rules.call("hana").await;
    let begun = app.begin_one_time(&hana, "見守り").await.unwrap();
    let made = app.add_one_time(&hana, &begun.token, &town.shown(&begun.secret), "電話").await.unwrap();
    rules.site.store.close().await;
    let folder = rules.site.folder.path();
    let mut searched = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        if !file.file_name().unwrap().to_string_lossy().starts_with("mimamori.db") {
            continue;
        }
        let bytes = std::fs::read(&file).unwrap();
        searched += bytes.len();
        let secrets =
            [PASSWORD, begun.secret.as_str(), made.recovery[0].as_str(), made.token.as_str(), "$argon2"];
        for secret in secrets {
            let there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!there, "{}", file.display());
        }
    }
    assert!(searched > 100_000, "{searched}");
    for key in ["root.key", "ring"] {
        let mode = std::fs::metadata(folder.join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{key}: {mode:o}");
    }
}

/// Proves: a developer may do what was set for them and nothing else: no record, nobody's account, and
/// nothing after the work.
#[tokio::test]
async fn clause_kawaguchi_9_3_2_2_2() {
    let rules = Rules::eased("kawaguchi", &HOSPITAL).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    let dev = rules.add(("dev", "", "help-desk")).await;
    app.set_account_sort(&operator, dev, AccountSort::Development, "開発").await.unwrap();
    app.set_account_end(&operator, dev, Some(START.plus(HOUR)), "開発の終わり").await.unwrap();
    let subject = town_subject(&rules).await;
    let working = rules.working("dev").await;
    // What their role lets them look at; what it would let others change is not theirs.
    assert!(app.account(&working, rules.actor("plain").await.unwrap()).await.is_ok());
    let plain = rules.actor("plain").await.unwrap();
    assert_eq!(kind(app.unlock_account(&working, plain).await), ErrorKind::Forbidden);
    assert!(app.person(&rules.call("dev").await, subject).await.is_err());
    let observed = Kind::of("Observation");
    assert!(app.read(&rules.call("dev").await, &observed, ObjectId::random()).await.is_err());
    rules.site.clock.advance(HOUR);
    assert_eq!(kind(app.sign_in("dev", PASSWORD, &desk()).await), ErrorKind::Unauthenticated);
    rules.clean().await;
}
