//! Reminders by mail: once a day, numbers only, never twice, and on the record before they leave.

use std::sync::Mutex;
use std::time::Duration;

use mimamori_app::{AccountSort, DutyState, ErrorKind, MailFailure, MailRound, Mailer, Origin, Window};

use crate::office::{DAY, MONDAY, Office};
use crate::procedures::form;
use crate::support::{On, PASSWORD, START};

const LINK: &str = "https://mimamori.example/rules";
const HOUR: Duration = Duration::from_secs(3_600);

/// A mail server that takes everything, or fails as it is told.
#[derive(Default)]
pub struct Post {
    pub taken: Mutex<Vec<(String, String, String)>>,
    fails: Mutex<Option<MailFailure>>,
}

impl Mailer for Post {
    async fn send(&self, to: &str, subject: &str, text: &str) -> Result<(), MailFailure> {
        if let Some(failure) = *self.fails.lock().unwrap() {
            return Err(failure);
        }
        self.taken.lock().unwrap().push((to.to_owned(), subject.to_owned(), text.to_owned()));
        // Another program gets its turn.
        tokio::task::yield_now().await;
        Ok(())
    }
}

impl Post {
    pub fn failing(failure: Option<MailFailure>) -> Self {
        Self { fails: Mutex::new(failure), ..Self::default() }
    }

    fn count(&self) -> usize {
        self.taken.lock().unwrap().len()
    }
}

/// A server that never answers.
struct Silent;

impl Mailer for Silent {
    async fn send(&self, _: &str, _: &str, _: &str) -> Result<(), MailFailure> {
        std::future::pending().await
    }
}

async fn office(on: On) -> Office {
    let office = Office::new(on, &["ops"]).await;
    let ops = office.call("ops").await;
    office.app().set_own_mail(&ops, " ops@example.jp ").await.unwrap();
    office.until(MONDAY.plus(HOUR));
    office
}

/// How many duties `ops` sees as their own to do now.
async fn open_duties(office: &Office) -> usize {
    let ops = office.call("ops").await;
    let window = Window { from: START, until: office.now().plus(Duration::from_secs(1)) };
    let all = office.app().duties(&ops, window).await.unwrap();
    all.iter().filter(|view| view.mine && view.state == DutyState::Due).count()
}

async fn round(office: &Office, post: &Post) -> MailRound {
    office.app().remind_by_mail(post, LINK).await.unwrap()
}

async fn a_reminder_goes_out_once_a_day_and_names_nothing(on: On) {
    let office = office(on).await;
    let app = office.app();
    let plain = office.call("plain").await;
    app.begin_case(&plain, "leave", &form(&[("what", "端末の持ち出し")]), false).await.unwrap();
    // Nobody gave an address for `plain`, and nothing waits for them either.
    let due = open_duties(&office).await;
    assert!(due > 5);
    let post = Post::default();
    let sent = MailRound { sent: 1, ..MailRound::default() };
    assert_eq!(round(&office, &post).await, sent);
    {
        let taken = post.taken.lock().unwrap();
        let (to, subject, text) = &taken[0];
        assert_eq!(to, "ops@example.jp");
        for part in [&format!("実施待ちの定期業務: {due}件"), "Duties overdue: 0", "手続: 1件", LINK]
        {
            assert!(text.contains(part), "{part}: {text}");
        }
        for named in ["ops", "さん", "端末", "棚", "持ち出し", "病院", &office.actors["ops"].to_string()]
        {
            assert!(!text.contains(named) && !subject.contains(named), "{named}: {text}");
        }
    }
    // Neither the next round, nor another program, nor this one after a restart sends it again.
    assert_eq!(round(&office, &post).await, MailRound::default());
    let other = office.second().await;
    assert_eq!(other.remind_by_mail(&post, LINK).await.unwrap(), MailRound::default());
    office.site.clock.advance(DAY * 3);
    let both = tokio::join!(app.remind_by_mail(&post, LINK), other.remind_by_mail(&post, LINK));
    assert_eq!(both.0.unwrap().sent + both.1.unwrap().sent, 1);
    assert_eq!(post.count(), 2);
    assert!(post.taken.lock().unwrap()[1].2.contains(&format!("Duties overdue: {due}\n")));

    let told = app.reminders(&office.call("ops").await).await.unwrap();
    assert_eq!(told.mail.as_deref(), Some("ops@example.jp"));
    assert!(told.last_mail.is_some_and(|(_, sent)| sent));
    assert!(!format!("{told:?}").contains("example.jp"));
    // Whoever takes their address back gets nothing.
    app.set_own_mail(&office.call("ops").await, "").await.unwrap();
    office.site.clock.advance(DAY);
    assert_eq!(round(&office, &post).await, MailRound::default());
    office.clean().await;
}

#[tokio::test]
async fn a_reminder_goes_out_once_a_day_and_names_nothing_on_sqlite() {
    a_reminder_goes_out_once_a_day_and_names_nothing(On::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reminder_goes_out_once_a_day_and_names_nothing_on_postgres() {
    a_reminder_goes_out_once_a_day_and_names_nothing(On::Postgres).await;
}

#[tokio::test]
async fn what_fails_is_tried_again_later_and_less_often() {
    let office = office(On::Sqlite).await;
    let post = Post::failing(Some(MailFailure::Unreachable));
    for _ in 0..7 {
        let failed = round(&office, &post).await;
        assert_eq!((failed.stopped, failed.is_over()), (Some(MailFailure::Unreachable), false));
    }
    // The server asks for patience: that is kept.
    *post.fails.lock().unwrap() = Some(MailFailure::Later);
    let later = MailRound { later: 1, ..MailRound::default() };
    assert_eq!(round(&office, &post).await, later);
    *post.fails.lock().unwrap() = None;
    assert_eq!(round(&office, &post).await, later, "it is not time yet");
    office.site.clock.advance(Duration::from_secs(301));
    assert_eq!(round(&office, &post).await.sent, 1);
    assert_eq!(post.count(), 1);

    // An address that the server does not take is not asked for again today.
    office.site.clock.advance(DAY);
    *post.fails.lock().unwrap() = Some(MailFailure::Refused);
    let refused = round(&office, &post).await;
    assert_eq!((refused.refused, refused.is_over()), (1, true));
    assert_eq!(round(&office, &post).await, MailRound::default());
    let told = office.app().reminders(&office.call("ops").await).await.unwrap();
    assert!(told.last_mail.is_some_and(|(_, sent)| !sent));
    office.clean().await;
}

#[tokio::test]
async fn a_program_that_ends_while_it_sends_does_not_send_again() {
    let office = office(On::Sqlite).await;
    let given_up =
        tokio::time::timeout(Duration::from_secs(2), office.app().remind_by_mail(&Silent, LINK)).await;
    assert!(given_up.is_err());
    let post = Post::default();
    let other = office.second().await;
    assert_eq!(other.remind_by_mail(&post, LINK).await.unwrap().sent, 0);
    office.site.clock.advance(DAY);
    assert_eq!(other.remind_by_mail(&post, LINK).await.unwrap().sent, 1);
    office.clean().await;
}

#[tokio::test]
async fn an_address_is_ones_own_or_an_administrators_to_set() {
    let office = Office::new(On::Sqlite, &["ops"]).await;
    let (app, operator) = (office.app(), office.site.operator());
    let (ops, plain) = (office.actors["ops"], office.actors["plain"]);
    let wrong = app.set_own_mail(&office.call("plain").await, "plain").await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::Invalid);
    let others = app.set_mail(&office.call("plain").await, ops, "x@example.jp").await.unwrap_err();
    assert_eq!(others.kind(), ErrorKind::Forbidden);
    let working = app.for_operations(&office.call("ops").await).await.unwrap();
    app.set_mail(&working, plain, "plain@example.jp").await.unwrap();
    let told = app.reminders(&office.call("plain").await).await.unwrap();
    assert_eq!(told.mail.as_deref(), Some("plain@example.jp"));
    let detail = app.account(&operator, plain).await.unwrap();
    assert!(detail.mail.is_some() && !format!("{detail:?}").contains("example.jp"));

    // Those who have no duties here have no reminders either.
    app.add_citizen(&operator, "haru", "山田 春", PASSWORD, None).await.unwrap();
    let haru = office.call("haru").await;
    assert_eq!(app.reminders(&haru).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(app.set_own_mail(&haru, "h@example.jp").await.unwrap_err().kind(), ErrorKind::Forbidden);
    // What is kept is sealed.
    office.clean().await;
    let bytes = std::fs::read(office.site.folder.path().join("mimamori.db")).unwrap();
    assert!(!bytes.windows(16).any(|part| part == b"plain@example.jp"));
}

/// The use of an emergency account goes to those whom the pack names, at once, once each, and names nobody.
#[tokio::test]
async fn an_emergency_use_is_mailed_once_to_those_named() {
    let office = Office::new(On::Sqlite, &["ops", "audit"]).await;
    let (app, operator) = (office.app(), office.site.operator());
    for login in ["ops", "audit"] {
        let caller = office.call(login).await;
        app.set_own_mail(&caller, &format!("{login}@example.jp")).await.unwrap();
    }
    let actor = office.site.staff("hijo", None, office.institution, &[]).await;
    app.set_account_sort(&operator, actor, AccountSort::Emergency, "備え").await.unwrap();
    let sealed = app.seal_emergency_account(&operator, actor, "備え").await.unwrap();
    let post = Post::default();
    let tell = async |post: &Post| app.tell_emergencies_by_mail(post, LINK).await.unwrap();
    assert_eq!(tell(&post).await, MailRound::default());

    app.sign_in("hijo", &sealed.secret, &Origin::default()).await.unwrap();
    // A server that is away takes nothing from anybody: it is told once it is back.
    let away = Post::failing(Some(MailFailure::Unreachable));
    assert!(tell(&away).await.stopped.is_some());
    let other = office.second().await;
    let (one, two) =
        tokio::join!(app.tell_emergencies_by_mail(&post, LINK), other.tell_emergencies_by_mail(&post, LINK));
    assert_eq!(one.unwrap().sent + two.unwrap().sent, 1);
    {
        let taken = post.taken.lock().unwrap();
        let [(to, subject, text)] = taken.as_slice() else { panic!("{taken:?}") };
        assert_eq!(to, "ops@example.jp", "the auditor is not named for it");
        assert!(text.contains(LINK) && subject.contains("非常時アカウント"));
        assert!(!format!("{subject}{text}").contains("hijo"));
    }
    app.sign_in("hijo", &sealed.secret, &Origin::default()).await.unwrap();
    assert_eq!((tell(&post).await.sent, post.count()), (0, 1));
    // Another use is told again.
    let notice = app.emergency_notices(&operator).await.unwrap().remove(0);
    app.review_emergency_use(&operator, notice.id, notice.version, "訓練").await.unwrap();
    let sealed = app.seal_emergency_account(&operator, actor, "備え").await.unwrap();
    app.sign_in("hijo", &sealed.secret, &Origin::default()).await.unwrap();
    assert_eq!((tell(&post).await.sent, post.count()), (1, 2));
    office.clean().await;
}
