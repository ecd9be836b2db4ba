//! Who is a user, and how one becomes one, under the rules of the cities and hospitals whose packs come with
//! the program. A test whose name carries the id of a clause proves it.

use std::time::Duration;

use mimamori_app::{Act, CaseStage, ErrorKind, First, IdentityProof, Origin};

use crate::support::PASSWORD;
use crate::under_rules::{Form, Rules, Somebody, kind};

const KOMAKI: [Somebody<'_>; 4] = [
    ("chief", "", "facility-manager"),
    ("shi", "", "city"),
    ("sys", "", "system-manager"),
    ("nurse", "nurse", ""),
];

const KASAMA: [Somebody<'_>; 4] = [
    ("chief", "", "facility-manager"),
    ("shi", "", "city"),
    ("office", "", "secretariat"),
    ("sys", "", "system-manager"),
];

const OSAKI: [Somebody<'_>; 5] = [
    ("head", "", "ciso"),
    ("sys", "", "system-manager"),
    ("ops", "", "operations-manager"),
    ("part", "", "monitoring-manager"),
    ("staff", "doctor", ""),
];

fn by_hand() -> IdentityProof {
    IdentityProof { reason: "新規".to_owned(), how: "封書".to_owned(), case: None }
}

/// Proves: what belongs to an account is changed as the request says once the city has confirmed that the
/// request is that person's, by the approval itself; never before, and not when it is refused.
#[tokio::test]
async fn clause_komaki_13_4() {
    let rules = Rules::eased("komaki", &KOMAKI).await;
    let (app, nurse) = (rules.app(), rules.actor("nurse").await.unwrap());
    let id = nurse.to_string();
    let name = async || app.account(&rules.working("sys").await, nurse).await.unwrap().account.name;
    let ask = async |typed: &Form<'_>| {
        let case = rules.begin("nurse", "account-change", typed).await.unwrap();
        // The facility passes it on, which changes nothing yet.
        rules.pass("chief", case, &[]).await;
        case
    };
    let other = [
        ("account", id.as_str()),
        ("item", "name"),
        ("new-name", "新山 美咲"),
        ("new-kana", "にいやま みさき"),
    ];
    let case = ask(&other).await;
    assert_eq!(name().await, "nurse さん");
    let confirmed = [("identity", "confirmed"), ("identity-means", "card")];
    // Neither without the check of the identity, nor by the facility or the person.
    assert_eq!(kind(rules.act("shi", case, Act::Pass, &[]).await), ErrorKind::Invalid);
    for login in ["chief", "nurse", "sys"] {
        assert_eq!(kind(rules.act(login, case, Act::Pass, &confirmed).await), ErrorKind::Forbidden);
    }
    assert_eq!(name().await, "nurse さん");
    rules.pass("shi", case, &confirmed).await;
    let view = rules.view("nurse", case).await;
    assert!(view.by_hand.is_empty() && view.stage == CaseStage::Finished);
    assert_eq!(name().await, "新山 美咲");

    let work = [("account", id.as_str()), ("item", "occupation"), ("new-occupation", "care-manager")];
    let case = ask(&work).await;
    rules.pass("shi", case, &confirmed).await;
    let detail = app.account(&rules.working("sys").await, nurse).await.unwrap();
    assert_eq!(detail.account.occupation.unwrap().as_str(), "care-manager");
    let mail = [("account", id.as_str()), ("item", "mail"), ("new-mail", "misaki@example.jp")];
    let case = ask(&mail).await;
    let reason = "本人と確かめられない".to_owned();
    rules.act("shi", case, Act::Refuse { reason }, &[]).await.unwrap();
    assert_eq!(app.account(&rules.working("sys").await, nurse).await.unwrap().mail, None);
    // What this system does not hold is somebody's to change.
    let phone = [("account", id.as_str()), ("item", "phone"), ("after", "0568-00-0000")];
    let case = ask(&phone).await;
    rules.pass("shi", case, &confirmed).await;
    assert_eq!(rules.view("nurse", case).await.by_hand.len(), 1);
    rules.clean().await;
}

/// Proves: ids are asked for online through the facility manager and nobody else; where that is difficult
/// the notice goes by post, and the password in it is good for as long as the post may take.
#[tokio::test]
async fn clause_komaki_fig1_1() {
    let rules = Rules::eased("komaki", &KOMAKI).await;
    let (app, home) = (rules.app(), rules.home.to_string());
    let typed = [
        ("institution", home.as_str()),
        ("name", "新山 美咲"),
        ("kana", "にいやま みさき"),
        ("occupation", "nurse"),
        ("login", "niiyama"),
        ("start-on", "2026-12-01"),
        ("reason", "採用"),
        ("delivery", "post"),
    ];
    for login in ["nurse", "shi", "sys"] {
        let refused = rules.begin(login, "account-life-cycle", &typed).await;
        assert_eq!(kind(refused), ErrorKind::Forbidden, "{login}");
    }
    let case = rules.begin("chief", "account-life-cycle", &typed).await.unwrap();
    assert_eq!(kind(rules.actor("niiyama").await), ErrorKind::NotFound);
    rules.pass("shi", case, &[("code-rules", "met"), ("eligibility", "confirmed")]).await;
    let made = rules.view("chief", case).await.issued[0].clone();
    assert_eq!((made.login.as_str(), made.awaits_first), ("niiyama", true));

    let letter = app.reissue_password(&rules.working("sys").await, made.actor, &by_hand()).await.unwrap();
    rules.done("shi", case, &[("sent-on", "2026-11-21"), ("sent-by", "post")]).await;
    rules.done("chief", case, &[("handed-on", "2026-12-04")]).await;
    assert_eq!(rules.view("chief", case).await.stage, CaseStage::Finished);
    // Thirteen days in the post.
    rules.site.clock.advance(Duration::from_secs(13 * 86_400));
    let signed = app.sign_in("niiyama", &letter.secret, &Origin::default()).await.unwrap();
    assert_eq!(signed.first, Some(First::Password));
    rules.clean().await;
}

/// The hospital's application for use, in one of its categories.
async fn applied(
    rules: &Rules,
    category: &str,
    login: &str,
) -> mimamori_app::Result<mimamori_domain::ObjectId> {
    let home = rules.home.to_string();
    let mut typed = vec![
        ("date", "2026-11-21"),
        ("name", "新山 美咲"),
        ("kana", "にいやま みさき"),
        ("institution", home.as_str()),
        ("department", "診療部"),
        ("category", category),
        ("occupation", "doctor"),
        ("login", login),
        ("systems", "record"),
        ("purpose", "診療"),
        ("from", "2026-11-21"),
        ("until", "2027-03-31"),
        ("pledge", "promised"),
    ];
    if category == "admitted" {
        typed.push(("why-admitted", "共同研究のため"));
    }
    rules.begin("staff", "account-life-cycle", &typed).await
}

/// Somebody of a category becomes a user by the permission of the system manager, and not before; the
/// register says as what.
async fn admitted(category: &str) {
    let rules = Rules::eased("osaki", &OSAKI).await;
    let app = rules.app();
    let case = applied(&rules, category, "niiyama").await.unwrap();
    let range = [("range", "by-occupation")];
    for login in ["staff", "sys", "ops"] {
        assert_eq!(kind(rules.act(login, case, Act::Pass, &range).await), ErrorKind::Forbidden, "{login}");
    }
    assert_eq!(kind(rules.actor("niiyama").await), ErrorKind::NotFound);
    rules.pass("head", case, &range).await;
    let view = rules.view("sys", case).await;
    assert!(view.by_hand.is_empty());
    let made = view.issued[0].actor;
    let first = app.reissue_password(&rules.working("sys").await, made, &by_hand()).await.unwrap();
    let signed = app.sign_in("niiyama", &first.secret, &Origin::default()).await.unwrap();
    let new = app.caller(&signed.token, &Origin::default()).await.unwrap();
    assert!(new.is_staff() && new.institution() == Some(rules.home));
    // Training and research end: so does the account, with that day.
    let detail = app.account(&rules.working("sys").await, made).await.unwrap();
    assert_eq!(detail.life.ends.unwrap().to_string(), "2027-03-31T15:00:00.000000Z");
    rules.done("sys", case, &[("issued-on", "2026-11-21"), ("handed-to", "in-person")]).await;
    let (register, entry) = rules.view("sys", case).await.entry.unwrap();
    let kept = app.entry(&rules.call("head").await, &register, entry).await.unwrap();
    assert_eq!(kept.versions[0].values["category"], category);
    rules.clean().await;
}

/// Proves: nobody is a user but whom the system manager permitted, in a category that the rules know.
#[tokio::test]
async fn clause_osaki_10() {
    let rules = Rules::eased("osaki", &OSAKI).await;
    assert_eq!(kind(applied(&rules, "visitor", "kyaku").await), ErrorKind::Invalid);
    let case = applied(&rules, "trainee", "kyaku").await.unwrap();
    let reason = "資格がない".to_owned();
    rules.act("head", case, Act::Refuse { reason }, &[]).await.unwrap();
    assert_eq!(kind(rules.actor("kyaku").await), ErrorKind::NotFound);
    let none = rules.app().sign_in("kyaku", PASSWORD, &Origin::default()).await;
    assert_eq!(kind(none), ErrorKind::Unauthenticated);
    // Whom the manager specially admits, they say why.
    let home = rules.home.to_string();
    let without = [("institution", home.as_str()), ("category", "admitted"), ("name", "客 一")];
    let error = rules.begin("staff", "account-life-cycle", &without).await.unwrap_err();
    assert!(error.faults().iter().any(|fault| fault.place == "why-admitted"), "{:?}", error.faults());
    rules.clean().await;
}

/// Proves: staff of the hospital enterprise in medical work.
#[tokio::test]
async fn clause_osaki_10_1() {
    admitted("medical-staff").await;
}

/// Proves: registered trainee physicians.
#[tokio::test]
async fn clause_osaki_10_2() {
    admitted("trainee").await;
}

/// Proves: who is permitted to engage in practice.
#[tokio::test]
async fn clause_osaki_10_3() {
    admitted("practitioner").await;
}

/// Proves: researchers and research students.
#[tokio::test]
async fn clause_osaki_10_4() {
    admitted("researcher").await;
}

/// Proves: whom the system manager finds specially necessary, with the reason.
#[tokio::test]
async fn clause_osaki_10_5() {
    admitted("admitted").await;
}

/// Proves: when eligibility or need is lost or changes, both managers are told and mark it, and the account
/// follows at once.
#[tokio::test]
async fn clause_osaki_12_5() {
    let rules = Rules::eased("osaki", &OSAKI).await;
    let (app, staff) = (rules.app(), rules.actor("staff").await.unwrap());
    let id = staff.to_string();
    let change = [
        ("account", id.as_str()),
        ("item", "occupation"),
        ("new-occupation", "clerk"),
        ("from", "2026-11-21"),
    ];
    let both = async |procedure: &str, typed: &Form<'_>| {
        let case = rules.begin("staff", procedure, typed).await.unwrap();
        for login in ["part", "ops"] {
            let view = rules.view("head", case).await;
            let now = view.steps.iter().find(|step| !step.people.is_empty()).unwrap();
            let names: Vec<&str> = now.people.iter().map(|person| person.name.as_str()).collect();
            assert!(names.contains(&format!("{login} さん").as_str()), "{names:?}");
            let hours = now.deadline.unwrap().since(now.begun.unwrap());
            assert!(hours <= Duration::from_secs(86_400), "promptly");
            rules.pass(login, case, &[]).await;
        }
        case
    };
    let case = both("account-change", &change).await;
    assert!(rules.view("head", case).await.by_hand.is_empty());
    let detail = app.account(&rules.working("sys").await, staff).await.unwrap();
    assert_eq!(detail.account.occupation.unwrap().as_str(), "clerk");

    let session = app.sign_in("staff", PASSWORD, &Origin::default()).await.unwrap();
    let left = [
        ("account", id.as_str()),
        ("reason", "eligibility"),
        ("details", "退職"),
        ("from", "2026-11-21"),
        ("open-work", "none"),
    ];
    let case = both("account-removal", &left).await;
    assert!(rules.view("head", case).await.by_hand.is_empty());
    assert_eq!(kind(app.caller(&session.token, &Origin::default()).await), ErrorKind::Unauthenticated);
    let detail = app.account(&rules.working("sys").await, staff).await.unwrap();
    assert!(detail.life.closed.is_some());
    rules.clean().await;
}

/// Proves: those who take part are people, their proxies, institutions and users, and nobody else.
#[tokio::test]
async fn clause_kasama_1_3_2() {
    let rules = Rules::eased("kasama", &[("hana", "doctor", "")]).await;
    let (app, operator) = (rules.app(), rules.site.operator());
    let hana = rules.call("hana").await;
    let subject = rules.site.person(&hana, "山田", "花").await;
    app.add_citizen(&operator, "haru", "山田 花", PASSWORD, Some(subject)).await.unwrap();
    let aki = app.add_citizen(&operator, "aki", "山田 秋", PASSWORD, None).await.unwrap();
    app.add_proxy(&operator, subject, aki, None).await.unwrap();
    app.add_citizen(&operator, "yoso", "他人 一", PASSWORD, None).await.unwrap();
    assert!(hana.is_staff() && hana.institution() == Some(rules.home));
    for (login, own) in [("haru", Some(subject)), ("aki", None)] {
        let caller = rules.call(login).await;
        assert!(!caller.is_staff() && caller.institution().is_none() && caller.own_subject() == own);
        assert!(app.person(&caller, subject).await.is_ok(), "{login}");
    }
    // Whoever is none of them to this person sees nothing, signed in or not.
    assert!(app.person(&rules.call("yoso").await, subject).await.is_err());
    let nobody = app.sign_in("dareka", PASSWORD, &Origin::default()).await;
    assert_eq!(kind(nobody), ErrorKind::Unauthenticated);
    rules.clean().await;
}

/// Proves: one is a user when the city found it necessary and id and password are registered, not before;
/// the register of users says so. Professionals and citizens alike.
#[tokio::test]
async fn clause_kasama_1_3_6() {
    let rules = Rules::eased("kasama", &KASAMA).await;
    let app = rules.app();
    let hana = rules.add(("hana", "doctor", "")).await;
    let subject = rules.site.person(&rules.call("hana").await, "山田", "花").await.to_string();
    let home = rules.home.to_string();
    let asked = |login: &'static str| {
        [
            ("institution", home.as_str()),
            ("name", "新山 美咲"),
            ("kana", "にいやま みさき"),
            ("occupation", "nurse"),
            ("login", login),
            ("needed-for", "訪問看護の記録"),
            ("range", "職種どおり"),
            ("start-on", "2026-12-01"),
        ]
    };
    let refused = rules.begin("chief", "account-life-cycle", &asked("kyaku")).await.unwrap();
    rules.act("shi", refused, Act::Refuse { reason: "要らない".to_owned() }, &[]).await.unwrap();
    assert_eq!(kind(rules.actor("kyaku").await), ErrorKind::NotFound);

    let case = rules.begin("chief", "account-life-cycle", &asked("niiyama")).await.unwrap();
    assert_eq!(kind(rules.act("chief", case, Act::Pass, &[]).await), ErrorKind::Forbidden);
    rules.pass("shi", case, &[]).await;
    // Found necessary, but no password is registered: not a user yet.
    let nothing = app.sign_in("niiyama", "", &Origin::default()).await;
    assert_eq!(kind(nothing), ErrorKind::Unauthenticated);
    let made = rules.view("office", case).await.issued[0].actor;
    let first = app.reissue_password(&rules.working("sys").await, made, &by_hand()).await.unwrap();
    let token = app.sign_in("niiyama", &first.secret, &Origin::default()).await.unwrap().token;
    let new = app.caller(&token, &Origin::default()).await.unwrap();
    assert!(new.must_change_password() && app.institutions(&new).await.is_err());
    app.change_own_password(&new, &first.secret, "aoi-Tsukue-to-mado-1").await.unwrap();
    let user = app.caller(&token, &Origin::default()).await.unwrap();
    assert!(app.institutions(&user).await.is_ok());
    rules.done("office", case, &[("handed-on", "2026-11-21")]).await;
    assert_eq!(rules.view("office", case).await.entry.unwrap().0, "participants-and-users");

    // A citizen, whose application the secretariat took.
    let typed = [
        ("name", "山田 花"),
        ("kana", "やまだ はな"),
        ("capacity", "self"),
        ("contact", "0296-00-0000"),
        ("needed-for", "自分の記録を見る"),
        ("device", "自分のスマートフォン"),
    ];
    let case = rules.begin("office", "citizen-connection", &typed).await.unwrap();
    let identified = [("identity", "confirmed"), ("subject", subject.as_str()), ("login", "haru")];
    // Who took it does not check it themself.
    assert_eq!(kind(rules.act("office", case, Act::Pass, &identified).await), ErrorKind::Forbidden);
    let deputy = rules.add(("office-two", "", "secretariat")).await;
    assert_ne!(deputy, hana);
    rules.pass("office-two", case, &identified).await;
    assert_eq!(kind(rules.actor("haru").await), ErrorKind::NotFound);
    rules.pass("shi", case, &[]).await;
    let made = rules.view("office", case).await.issued[0].actor;
    let first = app.reissue_password(&rules.working("sys").await, made, &by_hand()).await.unwrap();
    let token = app.sign_in("haru", &first.secret, &Origin::default()).await.unwrap().token;
    let haru = app.caller(&token, &Origin::default()).await.unwrap();
    assert_eq!(haru.own_subject().map(|own| own.to_string()), Some(subject));
    rules.clean().await;
}

/// Proves: users are told apart by their ids and proved by their passwords.
#[tokio::test]
async fn clause_kasama_3_2_2() {
    let rules = Rules::eased("kasama", &[("hana", "doctor", ""), ("jiro", "nurse", "")]).await;
    let app = rules.app();
    let (hana, jiro) = (rules.call("hana").await, rules.call("jiro").await);
    assert_ne!(hana.actor_id(), jiro.actor_id());
    assert_eq!(hana.actor_id(), rules.actor("hana").await.unwrap());
    for (login, password) in [("hana", "x"), ("hana", ""), ("dareka", PASSWORD), ("", PASSWORD)] {
        let refused = app.sign_in(login, password, &Origin::default()).await;
        assert_eq!(kind(refused), ErrorKind::Unauthenticated, "{login}");
    }
    let forged = "00".repeat(32);
    assert_eq!(kind(app.caller(&forged, &Origin::default()).await), ErrorKind::Unauthenticated);
    let again = mimamori_app::NewStaff {
        login: "Hana".to_owned(),
        name: "別の人".to_owned(),
        kana: None,
        occupation: None,
        institution: Some(rules.home),
        roles: Vec::new(),
        password: PASSWORD.to_owned(),
    };
    assert_eq!(kind(app.add_staff(&rules.site.operator(), &again).await), ErrorKind::Conflict);
}

/// Proves: an id has a user's rights; an administrator's are granted by the system manager, for a time, and
/// to no more than two.
#[tokio::test]
async fn clause_kasama_3_2_3() {
    let rules = Rules::eased("kasama", &KASAMA).await;
    for login in ["niban", "sanban"] {
        rules.add((login, "", "")).await;
    }
    let app = rules.app();
    let plain = rules.call("niban").await;
    assert!(plain.roles().is_empty());
    assert_eq!(kind(app.for_operations(&plain).await.map(drop)), ErrorKind::Forbidden);
    let ask = async |login: &str| {
        let person = rules.actor(login).await.unwrap().to_string();
        let typed = [
            ("person", person.as_str()),
            ("role", "system-manager"),
            ("rights", "application"),
            ("purpose", "サーバの更新"),
            ("sees-records", "no"),
            ("from", "2026-11-21T09:00"),
            ("until", "2026-11-21T17:00"),
        ];
        rules.begin(login, "privileged-access-grant", &typed).await.unwrap()
    };
    let case = ask("niban").await;
    let holders = [("holders", "1")];
    // Nobody gives it to themself, and the city's officer does not give it either.
    for login in ["niban", "shi"] {
        assert_eq!(kind(rules.act(login, case, Act::Pass, &holders).await), ErrorKind::Forbidden, "{login}");
    }
    rules.pass("sys", case, &holders).await;
    assert_eq!(rules.call("niban").await.roles().len(), 1);
    let working = rules.working("niban").await;
    assert!(app.accounts_of(&working, rules.home).await.is_ok());
    assert_eq!(rules.view("sys", case).await.entry.unwrap().0, "administrator-rights");
    // The third one is too many.
    let third = ask("sanban").await;
    let refused = rules.act("sys", third, Act::Pass, &[("holders", "2")]).await.unwrap_err();
    assert!(
        refused.message().contains("at most 2")
            || refused.faults().iter().any(|fault| fault.rule.contains("at most 2")),
        "{refused} {:?}",
        refused.faults()
    );
    assert!(rules.call("sanban").await.roles().is_empty());
    // And it ends by itself.
    rules.site.clock.advance(Duration::from_secs(8 * 3_600));
    assert!(rules.call("niban").await.roles().is_empty());
    rules.clean().await;
}
