//! The life of an account: issued by a procedure, changed and ended at a stated minute, closed for good,
//! open for maintenance in approved windows only. A test whose name carries the id of a clause proves it.

mod emergency;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{
    AccountSort, Act, App, Caller, CaseStage, CaseView, ErrorKind, First, IdentityProof, NewAccountRow,
    Origin, Paging, Result, ReviewQuery, TableFormat, Window,
};
use mimamori_domain::{Action, ActorId, Clock as _, InstitutionId, Kind, ObjectId};

use crate::procedures::form;
use crate::support::{On, PASSWORD, Site};

const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);

fn kind<T>(done: Result<T>) -> ErrorKind {
    done.err().unwrap().kind()
}

fn at() -> Origin {
    Origin { address: Some("192.0.2.1".parse::<IpAddr>().unwrap()), ..Origin::default() }
}

/// A hospital and a clinic with those who ask for accounts, approve and carry out.
struct Desk {
    site: Site,
    hospital: InstitutionId,
    clinic: InstitutionId,
    nurse: ActorId,
}

impl Desk {
    async fn new(on: On) -> Self {
        let site = Site::on(on).await;
        let hospital = site.institution("見守り病院").await;
        let clinic = site.institution("みどり診療所").await;
        for (login, role) in [
            ("chief", "facility-manager"),
            ("ops", "operations-manager"),
            ("sys", "system-manager"),
            ("desk", "help-desk"),
            ("guard", "security-manager"),
        ] {
            site.staff(login, None, hospital, &[role]).await;
        }
        let nurse = site.staff("nurse", Some("nurse"), hospital, &[]).await;
        Self { site, hospital, clinic, nurse }
    }

    fn app(&self) -> &Arc<App> {
        &self.site.app
    }

    async fn office(&self, login: &str) -> Caller {
        let caller = self.site.sign_in(login).await;
        self.app().for_operations(&caller).await.unwrap()
    }

    /// A case of a procedure, passed by `approver`.
    async fn approved(
        &self,
        applicant: &str,
        procedure: &str,
        typed: &[(&str, &str)],
        approver: &str,
    ) -> ObjectId {
        let app = self.app();
        let caller = self.site.sign_in(applicant).await;
        let case = app.begin_case(&caller, procedure, &form(typed), false).await.unwrap();
        let seen = app.case(&caller, case).await.unwrap().version;
        let by = self.site.sign_in(approver).await;
        app.act_on_case(&by, case, seen, &Act::Pass, &form(&[])).await.unwrap();
        case
    }

    async fn view(&self, login: &str, case: ObjectId) -> CaseView {
        self.app().case(&self.site.sign_in(login).await, case).await.unwrap()
    }

    async fn session(&self, login: &str) -> String {
        self.app().sign_in(login, PASSWORD, &at()).await.unwrap().token
    }

    async fn lives(&self, token: &str) -> bool {
        match self.app().caller(token, &at()).await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Unauthenticated);
                false
            }
        }
    }

    async fn clean(&self) {
        assert_eq!(self.app().verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
    }
}

/// Proves: the approval itself makes the account, without a password; whoever carries out issues the first
/// one, which its owner must change. What does not fit becomes a task for somebody.
#[tokio::test]
async fn clause_komaki_13_1() {
    issues(On::Sqlite).await;
}

#[tokio::test]
async fn accounts_are_issued_by_a_procedure_on_postgres() {
    issues(On::Postgres).await;
}

async fn issues(on: On) {
    let desk = Desk::new(on).await;
    let app = desk.app();
    let hospital = desk.hospital.to_string();
    let asked = |login: &'static str| {
        [
            ("name", "新山 美咲".to_owned()),
            ("login", login.to_owned()),
            ("institution", hospital.clone()),
            ("occupation", "nurse".to_owned()),
            ("from", "2026-12-01".to_owned()),
            ("until", "2027-03-31".to_owned()),
            ("reason", "採用".to_owned()),
        ]
    };
    let issue = async |login: &'static str| {
        let asked = asked(login);
        let typed: Vec<(&str, &str)> = asked.iter().map(|(code, text)| (*code, text.as_str())).collect();
        desk.approved("chief", "account-life-cycle", &typed, "ops").await
    };
    let case = issue("Niiyama").await;
    let view = desk.view("sys", case).await;
    assert!(view.by_hand.is_empty() && view.stage == CaseStage::Open);
    let made = view.issued.first().cloned().unwrap();
    assert_eq!((made.login.as_str(), made.awaits_first), ("niiyama", true));
    assert_eq!(kind(app.sign_in("niiyama", "", &at()).await), ErrorKind::Unauthenticated);

    // The procedure proved who it is for: no other case is asked for, but how it is handed over is told.
    let sys = desk.office("sys").await;
    let proof = IdentityProof {
        reason: "採用".to_owned(), how: "施設管理者に手渡し".to_owned(), case: None
    };
    let first = app.reissue_password(&sys, made.actor, &proof).await.unwrap();
    let signed = app.sign_in("niiyama", &first.secret, &at()).await.unwrap();
    assert_eq!(signed.first, Some(First::Password));
    assert!(!desk.view("sys", case).await.issued[0].awaits_first);
    // That was for one password: another one needs its own case.
    assert_eq!(kind(app.reissue_password(&sys, made.actor, &proof).await), ErrorKind::Invalid);

    let detail = app.account(&sys, made.actor).await.unwrap();
    assert_eq!(detail.account.institution, Some(desk.hospital));
    assert_eq!(detail.account.occupation.unwrap().as_str(), "nurse");
    // The last day counts to its end, in Japan.
    assert_eq!(detail.life.ends.unwrap().to_string(), "2027-03-31T15:00:00.000000Z");

    // A name that is taken, or that nobody may have: somebody sees to it by hand.
    for login in ["niiyama", "admin", "nurse"] {
        let view = desk.view("sys", issue(login).await).await;
        assert_eq!(view.by_hand.len(), 1, "{login}");
        assert!(view.issued.is_empty());
    }
    desk.clean().await;
}

/// Proves: on the institution's instruction an account is changed and stopped at the stated minute, without
/// anybody or any job acting then; what is under way in a running session ends with it.
#[tokio::test]
async fn clause_mic_3_3_6_3_2_4() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, clock) = (desk.app(), &desk.site.clock);
    let nurse = desk.nurse.to_string();
    let clinic = desk.clinic.to_string();
    // 2026-11-21 09:00 in Tokyo now; from the 22nd on.
    let typed = [
        ("account", nurse.as_str()),
        ("change", "institution"),
        ("new-institution", clinic.as_str()),
        ("from", "2026-11-22"),
        ("reason", "異動"),
    ];
    let case = desk.approved("chief", "account-change", &typed, "ops").await;
    assert!(desk.view("chief", case).await.by_hand.is_empty());
    let token = desk.session("nurse").await;
    assert_eq!(app.caller(&token, &at()).await.unwrap().institution(), Some(desk.hospital));
    clock.advance(15 * HOUR - Duration::from_secs(1));
    let token = desk.session("nurse").await;
    let before = app.caller(&token, &at()).await.unwrap();
    assert_eq!(before.institution(), Some(desk.hospital));
    clock.advance(Duration::from_secs(1));
    // The next request is one of the clinic; what was decided before commits no more.
    assert_eq!(app.caller(&token, &at()).await.unwrap().institution(), Some(desk.clinic));
    assert_eq!(kind(app.report_own_leak(&before).await), ErrorKind::Busy);
    let sys = desk.office("sys").await;
    let here = app.accounts_of(&sys, desk.clinic).await.unwrap();
    assert!(here.iter().any(|detail| detail.account.actor == desk.nurse));
    let there = app.accounts_of(&sys, desk.hospital).await.unwrap();
    assert!(there.iter().all(|detail| detail.account.actor != desk.nurse));

    // A stop at a time: 12:00 on the 22nd.
    let typed =
        [("account", nurse.as_str()), ("change", "stop"), ("at", "2026-11-22T12:00"), ("reason", "left")];
    desk.approved("chief", "account-removal", &typed, "ops").await;
    clock.advance(12 * HOUR - Duration::from_secs(1));
    let token = desk.session("nurse").await;
    let before = app.caller(&token, &at()).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(!desk.lives(&token).await);
    assert_eq!(kind(app.report_own_leak(&before).await), ErrorKind::Busy);
    assert_eq!(kind(app.sign_in("nurse", PASSWORD, &at()).await), ErrorKind::Unauthenticated);
    // Another instance too, and the job only writes it down.
    let second = desk.site.second(Arc::clone(&desk.site.store)).await;
    assert_eq!(kind(second.caller(&token, &at()).await), ErrorKind::Unauthenticated);
    let tidied = app.tidy_accounts().await.unwrap().unwrap();
    assert_eq!((tidied.ended, tidied.changed), (1, 0));
    assert_eq!(app.tidy_accounts().await.unwrap().unwrap().ended, 0);
    let detail = app.account(&desk.office("sys").await, desk.nurse).await.unwrap();
    assert_eq!(detail.life.stopped_because.as_deref(), Some("=ended"));
    assert!(detail.may_resume && !detail.account.active);
    desk.clean().await;
}

/// Proves: a deleted account is gone for good: password and sessions, never resumed, its name given to
/// nobody; also at a time.
#[tokio::test]
async fn clause_komaki_13_2() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, clock) = (desk.app(), &desk.site.clock);
    let token = desk.session("nurse").await;
    let nurse = desk.nurse.to_string();
    let typed = [("account", nurse.as_str()), ("change", "delete"), ("reason", "left")];
    let case = desk.approved("chief", "account-removal", &typed, "ops").await;
    assert!(desk.view("chief", case).await.by_hand.is_empty());
    assert!(!desk.lives(&token).await);
    let sys = desk.office("sys").await;
    let detail = app.account(&sys, desk.nurse).await.unwrap();
    assert!(detail.life.closed.is_some() && !detail.may_resume && !detail.may_reissue && !detail.may_close);
    assert_eq!(kind(app.resume_actor(&sys, desk.nurse, "復職").await), ErrorKind::Conflict);
    assert_eq!(kind(app.resume_account(&desk.site.operator(), "nurse").await), ErrorKind::Conflict);
    let proof = IdentityProof { reason: "復職".to_owned(), how: "対面".to_owned(), case: Some(case) };
    assert_eq!(kind(app.reissue_password(&sys, desk.nurse, &proof).await), ErrorKind::Invalid);
    let later = desk.site.clock.now().plus(DAY);
    assert_eq!(kind(app.set_account_end(&sys, desk.nurse, Some(later), "延長").await), ErrorKind::Conflict);
    let staff = mimamori_app::NewStaff {
        login: "Nurse".to_owned(),
        name: "別の人".to_owned(),
        kana: None,
        occupation: None,
        institution: Some(desk.hospital),
        roles: Vec::new(),
        password: PASSWORD.to_owned(),
    };
    assert_eq!(kind(app.add_staff(&desk.site.operator(), &staff).await), ErrorKind::Conflict);

    // By those who administer, and nobody else; at a time it is the job that takes the password away.
    let desk_person = app.actor_named(&desk.site.operator(), "desk").await.unwrap();
    let chief = desk.office("chief").await;
    assert_eq!(kind(app.close_account(&chief, desk_person, "退職").await), ErrorKind::Forbidden);
    let typed = [
        ("account", desk_person.to_string()),
        ("change", "delete".to_owned()),
        ("at", "2026-11-21T10:00".to_owned()),
        ("reason", "left".to_owned()),
    ];
    let typed: Vec<(&str, &str)> = typed.iter().map(|(code, text)| (*code, text.as_str())).collect();
    desk.approved("chief", "account-removal", &typed, "ops").await;
    clock.advance(HOUR);
    assert_eq!(kind(app.sign_in("desk", PASSWORD, &at()).await), ErrorKind::Unauthenticated);
    assert_eq!(app.tidy_accounts().await.unwrap().unwrap().closed, 1);
    let guard = app.actor_named(&desk.site.operator(), "guard").await.unwrap();
    let sys = desk.office("sys").await;
    app.close_account(&sys, guard, "退職").await.unwrap();
    assert_eq!(kind(app.close_account(&sys, guard, "退職").await), ErrorKind::Conflict);
    assert_eq!(kind(app.close_account(&sys, sys.actor_id(), "退職").await), ErrorKind::Conflict);
    desk.clean().await;
}

/// Proves: accounts for development end with the work, also while signed in and on programs' tokens.
#[tokio::test]
async fn clause_kawaguchi_9_3_2_2_1() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, clock, operator) = (desk.app(), &desk.site.clock, desk.site.operator());
    let token = desk.session("nurse").await;
    let until = clock.now().plus(HOUR);
    app.set_account_sort(&operator, desk.nurse, AccountSort::Development, "開発").await.unwrap();
    let (sys, chief) = (desk.office("sys").await, desk.office("chief").await);
    // Who may stop lets it end sooner, and not later.
    app.set_account_end(&chief, desk.nurse, Some(until.plus(HOUR)), "開発の終わり").await.unwrap();
    let later = Some(until.plus(2 * HOUR));
    assert_eq!(kind(app.set_account_end(&chief, desk.nurse, later, "延長").await), ErrorKind::Forbidden);
    assert_eq!(kind(app.set_account_end(&chief, desk.nurse, None, "延長").await), ErrorKind::Forbidden);
    app.set_account_end(&sys, desk.nurse, Some(until), "開発の終わり").await.unwrap();
    assert_eq!(
        kind(app.set_account_end(&sys, desk.nurse, Some(clock.now()), "今").await),
        ErrorKind::Invalid
    );
    assert_eq!(kind(app.set_account_end(&sys, desk.nurse, None, " ").await), ErrorKind::Invalid);
    let scopes = ["*.read".to_owned()];
    let bearer = app.create_token(&operator, "開発", desk.hospital, &scopes, 30).await.unwrap();
    let program = app.caller_from_bearer(&bearer, &at()).await.unwrap().actor_id();
    app.set_account_end(&operator, program, Some(until), "開発の終わり").await.unwrap();
    assert!(desk.lives(&token).await && app.caller_from_bearer(&bearer, &at()).await.is_ok());
    // Kept in use, so that it is not the idle time that ends it.
    clock.advance(HOUR - Duration::from_secs(600));
    let token = desk.session("nurse").await;
    clock.advance(Duration::from_secs(600));
    assert!(!desk.lives(&token).await);
    assert_eq!(kind(app.caller_from_bearer(&bearer, &at()).await), ErrorKind::Unauthenticated);
    assert_eq!(app.tidy_accounts().await.unwrap().unwrap().ended, 2);
    // It goes on with a later end only.
    let sys = desk.office("sys").await;
    assert_eq!(kind(app.resume_actor(&sys, desk.nurse, "再開").await), ErrorKind::Conflict);
    app.set_account_end(&sys, desk.nurse, Some(clock.now().plus(DAY)), "延長").await.unwrap();
    app.resume_actor(&sys, desk.nurse, "延長").await.unwrap();
    let token = desk.session("nurse").await;
    assert!(desk.lives(&token).await);
    desk.clean().await;
}

/// Proves: accounts that nobody uses are told of, and then stopped by the program, with an entry each.
#[tokio::test]
async fn clause_kawaguchi_9_2_1_2_3() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, clock) = (desk.app(), &desk.site.clock);
    desk.session("nurse").await;
    clock.advance(89 * DAY);
    assert_eq!(app.tidy_accounts().await.unwrap().unwrap().unused, 0);
    clock.advance(DAY);
    let tidied = app.tidy_accounts().await.unwrap().unwrap();
    assert_eq!((tidied.unused, tidied.stopped), (6, 0));
    desk.session("ops").await;
    clock.advance(275 * DAY);
    let tidied = app.tidy_accounts().await.unwrap().unwrap();
    assert_eq!(tidied.stopped, 5);
    let operator = desk.site.operator();
    let detail = app.account(&operator, desk.nurse).await.unwrap();
    assert_eq!(detail.life.stopped_because.as_deref(), Some("=unused"));
    assert_eq!(kind(app.sign_in("nurse", PASSWORD, &at()).await), ErrorKind::Unauthenticated);
    app.resume_actor(&operator, desk.nurse, "復職").await.unwrap();
    desk.session("nurse").await;
    assert_eq!(app.tidy_accounts().await.unwrap().unwrap().stopped, 0);
    desk.clean().await;
}

/// Proves: an account for maintenance is one person's and opens inside an approved window only; the
/// session ends with the window.
#[tokio::test]
async fn clause_mhlw5_6_8_c_2() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, clock) = (desk.app(), &desk.site.clock);
    let worker = desk.site.staff("worker", None, desk.hospital, &[]).await;
    let token = desk.session("worker").await;
    let operator = desk.site.operator();
    app.set_account_sort(&operator, worker, AccountSort::Maintenance, "保守").await.unwrap();
    assert!(!desk.lives(&token).await);
    assert_eq!(kind(app.sign_in("worker", PASSWORD, &at()).await), ErrorKind::Unauthenticated);
    let worker_id = worker.to_string();
    let asked = |account: &str| {
        [
            ("worker", "保守会社".to_owned()),
            ("account", account.to_owned()),
            ("system", "連絡帳".to_owned()),
            ("work", "更新".to_owned()),
            ("connection", "専用線".to_owned()),
            ("from", "2026-11-21T10:00".to_owned()),
            ("until", "2026-11-21T11:00".to_owned()),
        ]
    };
    let open = async |account: &str| {
        let asked = asked(account);
        let typed: Vec<(&str, &str)> = asked.iter().map(|(code, text)| (*code, text.as_str())).collect();
        desk.approved("ops", "remote-maintenance", &typed, "sys").await
    };
    let case = open(&worker_id).await;
    assert!(desk.view("sys", case).await.by_hand.is_empty());
    assert_eq!(kind(app.sign_in("worker", PASSWORD, &at()).await), ErrorKind::Unauthenticated);
    clock.advance(HOUR);
    let token = desk.session("worker").await;
    assert!(desk.lives(&token).await);
    clock.advance(HOUR - Duration::from_secs(1));
    let token = desk.session("worker").await;
    let before = app.caller(&token, &at()).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert!(!desk.lives(&token).await);
    assert_eq!(kind(app.report_own_leak(&before).await), ErrorKind::Busy);
    assert_eq!(kind(app.sign_in("worker", PASSWORD, &at()).await), ErrorKind::Unauthenticated);
    // Everybody else's account is none for maintenance: somebody opens the way by hand.
    assert_eq!(desk.view("sys", open(&desk.nurse.to_string()).await).await.by_hand.len(), 1);
    let observed = Kind::of("Observation");
    assert!(app.read(&before, &observed, ObjectId::random()).await.is_err());
    desk.clean().await;
}

/// Proves: many accounts are issued from one table, all or none, each with a first password of its own.
#[tokio::test]
async fn clause_komaki_12_1() {
    let desk = Desk::new(On::Sqlite).await;
    let (app, sys) = (desk.app(), desk.office("sys").await);
    let table = |rows: &str| format!("利用者ID,氏名,カナ,施設,職種,部署,メール,使い終わる日\n{rows}");
    let wrong = table(
        "abe,阿部 一,アベ ハジメ,見守り病院,看護師,,,\nAbe,阿部 二,,みどり診療所,nurse,,,\n\
         nurse,別人,,見守り病院,,,,\nadmin,管理,,見守り病院,,,,\nx,短い,,どこか,船長,総務,hana,2020-01-01\n,,,,,,,\nueda,,,,,,,\n",
    );
    let error = app.import_accounts(&sys, wrong.as_bytes(), TableFormat::Csv).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let places: Vec<&str> = error.faults().iter().map(|fault| fault.place.as_str()).collect();
    for place in [
        "row 3, column 利用者ID",
        "row 4, column 利用者ID",
        "row 5, column 利用者ID",
        "row 6, column 利用者ID",
        "row 6, column 施設",
        "row 6, column 職種",
        "row 6, column 部署",
        "row 6, column メール",
        "row 6, column 使い終わる日",
    ] {
        assert!(places.contains(&place), "{place}: {places:?}");
    }
    assert!(!places.iter().any(|place| place.starts_with("row 2")), "{places:?}");
    // Nothing was made.
    assert_eq!(kind(app.actor_named(&desk.site.operator(), "abe").await), ErrorKind::NotFound);

    let good = table(
        "Abe,阿部 一,アベ ハジメ,見守り病院,看護師,,hajime@example.jp,2027/3/31\nueda,上田 二,,みどり診療所,,,,\n",
    );
    let looked = app.look_at_accounts(&sys, good.as_bytes(), TableFormat::Csv).await.unwrap();
    assert_eq!(looked.len(), 2);
    assert_eq!(kind(app.actor_named(&desk.site.operator(), "abe").await), ErrorKind::NotFound);
    let again = NewAccountRow::table(&looked).unwrap();
    let issued = app.import_accounts(&sys, again.as_bytes(), TableFormat::Csv).await.unwrap();
    assert_eq!(issued.len(), 2);
    assert_ne!(*issued[0].secret, *issued[1].secret);
    for one in &issued {
        let signed = app.sign_in(&one.login, &one.secret, &at()).await.unwrap();
        assert_eq!(signed.first, Some(First::Password));
    }
    let abe = app.actor_named(&desk.site.operator(), "abe").await.unwrap();
    let detail = app.account(&sys, abe).await.unwrap();
    assert_eq!(detail.account.institution, Some(desk.hospital));
    assert_eq!(detail.mail.as_deref(), Some("hajime@example.jp"));
    assert_eq!(detail.life.ends.unwrap().to_string(), "2027-03-31T15:00:00.000000Z");
    // A second time they are all taken; and nobody else may.
    let twice = app.import_accounts(&sys, good.as_bytes(), TableFormat::Csv).await;
    assert_eq!(kind(twice), ErrorKind::Invalid);
    for login in ["chief", "desk"] {
        let caller = desk.office(login).await;
        assert!(!app.may_import_accounts(&caller));
        let refused = app.look_at_accounts(&caller, good.as_bytes(), TableFormat::Csv).await;
        assert_eq!(kind(refused), ErrorKind::Forbidden);
    }
    desk.clean().await;
}

/// Proves: under a pack without standing privileges a privileged role counts only while it is granted with a
/// start and an end, and what is done under it is marked in the ledger.
#[tokio::test]
async fn clause_mhlw5_8_1_2_c_3_4() {
    let site = crate::procedures::site_under(
        On::Sqlite,
        crate::office::with_parameters("{key: privileges.only-by-grant, value: true}"),
    )
    .await;
    let hospital = site.institution("見守り病院").await;
    site.staff("ops", None, hospital, &["operations-manager"]).await;
    site.staff("guard", None, hospital, &["security-manager"]).await;
    let sys = site.staff("sys", None, hospital, &[]).await;
    let desk = Desk { nurse: sys, clinic: hospital, hospital, site };
    let (app, clock) = (desk.app(), &desk.site.clock);
    let ops = desk.office("ops").await;
    // A standing appointment counts for nothing.
    let standing = mimamori_app::NewAppointment {
        actor: sys,
        role: "system-manager".parse().unwrap(),
        institution: None,
        unit: None,
        system: None,
        from: clock.now(),
        until: None,
        deputy: false,
    };
    let appointment = app.appoint(&ops, &standing).await.unwrap();
    let caller = desk.site.sign_in("sys").await;
    assert!(caller.roles().is_empty());
    assert_eq!(kind(app.for_operations(&caller).await.map(drop)), ErrorKind::Forbidden);
    app.end_appointment(&ops, sys, appointment, 1, clock.now(), "付与に替える").await.unwrap();

    let sys_id = sys.to_string();
    let grant = async |until: &'static str| {
        let typed = [
            ("person", sys_id.as_str()),
            ("role", "system-manager"),
            ("purpose", "更新"),
            ("sees-records", "none"),
            ("from", "2026-11-21T10:00"),
            ("until", until),
        ];
        let case = desk.approved("guard", "privileged-access-grant", &typed, "ops").await;
        desk.view("guard", case).await
    };
    // Longer than the pack's eight hours: somebody has to see to it.
    assert_eq!(grant("2026-11-21T18:01").await.by_hand.len(), 1);
    assert!(grant("2026-11-21T12:00").await.by_hand.is_empty());
    assert!(desk.site.sign_in("sys").await.roles().is_empty());
    clock.advance(HOUR);
    let sys_caller = desk.office("sys").await;
    assert_eq!(sys_caller.roles().len(), 1);
    app.accounts_of(&sys_caller, hospital).await.unwrap();
    clock.advance(2 * HOUR);
    // What was decided under it commits no more once it is over.
    assert_eq!(kind(app.accounts_of(&sys_caller, hospital).await), ErrorKind::Busy);
    assert!(desk.site.sign_in("sys").await.roles().is_empty());

    let window = Window { from: clock.now().minus(DAY), until: clock.now().plus(DAY) };
    let query = ReviewQuery { subject: None, actor: Some(sys), institution: None, window };
    let all = Paging { count: 100, cursor: None };
    let guard = desk.site.sign_in("guard").await;
    let guard = app.for_operations(&guard).await.unwrap();
    let rows = app.review(&guard, &query, &all).await.unwrap().items;
    let marked: Vec<_> = rows.iter().filter(|row| !row.privileges.is_empty()).collect();
    assert!(!marked.is_empty());
    assert!(marked.iter().all(|row| row.privileges == ["system-manager"]));
    assert!(marked.iter().any(|row| row.action == Action::Search));
    assert!(rows.iter().any(|row| row.action == Action::SignIn && row.privileges.is_empty()));
    desk.clean().await;
}

/// Proves: what somebody has by the registers, and did not return, is told to whoever ends their account.
#[tokio::test]
async fn what_leavers_must_return_is_told() {
    let desk = Desk::new(On::Sqlite).await;
    let app = desk.app();
    let (guard, nurse) = (desk.site.sign_in("guard").await, desk.nurse.to_string());
    let entry = |number: &'static str, owner: &str| {
        form(&[
            ("number", number),
            ("name", "ノートパソコン"),
            ("kind", "mobile"),
            ("owner", owner),
            ("location", "病棟"),
            ("personal-data", "no"),
            ("may-leave", "yes"),
        ])
    };
    let id = app.add_entry(&guard, "asset-ledger", &entry("A-1", &nurse)).await.unwrap();
    let other = guard.actor_id().to_string();
    app.add_entry(&guard, "asset-ledger", &entry("A-2", &other)).await.unwrap();
    let sys = desk.office("sys").await;
    let held = app.held_items(&sys, desk.nurse).await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!((held[0].entry, held[0].register.as_str()), (id, "asset-ledger"));
    assert_eq!(held[0].title, "ノートパソコン A-1");
    let nobody = desk.site.sign_in("nurse").await;
    assert_eq!(kind(app.held_items(&nobody, guard.actor_id()).await), ErrorKind::Forbidden);
    let mut back = entry("A-1", &nurse);
    back.insert("retired-on".to_owned(), vec!["2026-11-21".to_owned()]);
    app.amend_entry(&guard, "asset-ledger", id, 1, &back, "返却").await.unwrap();
    assert!(app.held_items(&sys, desk.nurse).await.unwrap().is_empty());
}

/// Proves: citizens and proxies apply at a counter; the city's approval makes the account with its tie to the
/// person's record, and a letter brings the first password.
#[tokio::test]
async fn clause_kasama_1_3_8() {
    let desk = Desk::new(On::Sqlite).await;
    let app = desk.app();
    let doctor_id = desk.site.staff("hana", Some("doctor"), desk.hospital, &[]).await;
    let doctor = desk.site.sign_in("hana").await;
    let subject = desk.site.person(&doctor, "山田", "花").await;
    let subject_id = subject.to_string();
    let issue = async |login: &'static str, relation: &'static str| {
        let typed = [
            ("name", "山田 花"),
            ("login", login),
            ("subject", subject_id.as_str()),
            ("relation", relation),
            ("standing", "長女。戸籍を見た"),
            ("identity", "card"),
        ];
        let typed = &typed[..if relation == "proxy" { 6 } else { 4 }];
        let mut typed = typed.to_vec();
        if relation == "self" {
            typed.push(("identity", "card"));
        }
        let case = desk.approved("desk", "citizen-account", &typed, "ops").await;
        desk.view("sys", case).await
    };
    let view = issue("haru", "self").await;
    assert!(view.by_hand.is_empty(), "{:?}", view.by_hand);
    let own = view.issued[0].actor;
    let sys = desk.office("sys").await;
    let proof =
        IdentityProof { reason: "申込み".to_owned(), how: "窓口で手渡し".to_owned(), case: None };
    let first = app.reissue_password(&sys, own, &proof).await.unwrap();
    let token = app.sign_in("haru", &first.secret, &at()).await.unwrap().token;
    let haru = app.caller(&token, &at()).await.unwrap();
    app.change_own_password(&haru, &first.secret, "aoi-tsukue-to-mado-1").await.unwrap();
    let haru = app.caller(&token, &at()).await.unwrap();
    assert_eq!(haru.own_subject(), Some(subject));
    assert!(app.person(&haru, subject).await.is_ok());

    let proxy = issue("aki", "proxy").await;
    assert!(proxy.by_hand.is_empty());
    let first = app.reissue_password(&sys, proxy.issued[0].actor, &proof).await.unwrap();
    let token = app.sign_in("aki", &first.secret, &at()).await.unwrap().token;
    let aki = app.caller(&token, &at()).await.unwrap();
    app.change_own_password(&aki, &first.secret, "aoi-tsukue-to-mado-2").await.unwrap();
    let aki = app.caller(&token, &at()).await.unwrap();
    assert!(aki.own_subject().is_none() && app.person(&aki, subject).await.is_ok());
    // A second account of the same person: somebody has to look.
    assert_eq!(issue("haru2", "self").await.by_hand.len(), 1);

    let (listed, next) = app.citizen_accounts(&sys, None).await.unwrap();
    assert_eq!((listed.len(), next), (2, None));
    assert!(listed.iter().all(|detail| detail.citizen && detail.account.actor != doctor_id));
    let chief = desk.office("chief").await;
    assert_eq!(kind(app.citizen_accounts(&chief, None).await), ErrorKind::Forbidden);
    desk.clean().await;
}
