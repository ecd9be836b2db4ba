//! Documents, duties, roles, controls, clauses and the pack, as a browser without JavaScript uses them.

use axum::http::StatusCode;
use mimamori_policy::Pack;
use mimamori_web::Settings;

use crate::rules::{check, check_markup, look};
use crate::world::{Answer, World};

/// The value of a hidden field.
pub fn hidden(answer: &Answer, name: &str) -> String {
    let start = format!("type=\"hidden\" name=\"{name}\" value=\"");
    answer.body.split(&start).nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned()
}

/// The first address in a page that starts and ends so.
pub fn link(answer: &Answer, start: &str, end: &str) -> Option<String> {
    let mut links = answer.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let found = links.find(|link| link.starts_with(start) && link.ends_with(end));
    found.map(|link| link.replace("&#38;", "&").replace("&amp;", "&"))
}

/// A pack inside the program, with a value for every parameter that its rules leave open.
fn ready(id: &str) -> Pack {
    let pack = Pack::embedded(id).unwrap();
    let open: Vec<_> = pack.unset_parameters().map(|one| (one.key.clone(), one.least.unwrap_or(1))).collect();
    let values: String =
        open.iter().map(|(key, value)| format!("  - {{key: {key}, value: {value}}}\n")).collect();
    // People sign in by password only.
    let values = format!("  - {{key: second-factor.required-of, value: nobody}}\n{values}");
    let site = format!(
        "id: site\nextends: {id}\nja: 試験\nen: test\norganisation-ja: 試験市\norganisation-en: Test City\n\
         languages: [ja, en]\ncatalogues: []\nparameters:\n{values}"
    );
    Pack::from_files([("pack.yaml".to_owned(), site.into_bytes())].into()).unwrap()
}

#[tokio::test]
async fn a_second_click_on_adding_an_entry_finds_the_first() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["security-manager"]).await;
    let cookie = world.sign_in("kanri").await;
    let base = "/rules/registers/asset-ledger";
    let form = look(&world, &format!("{base}/new"), &cookie, "a new entry").await;
    let once = hidden(&form, "once");
    let typed = |number: &'static str| {
        vec![
            ("once", once.clone()),
            ("f.number", number.to_owned()),
            ("f.name", "訪問用の端末".to_owned()),
            ("f.kind", "terminal".to_owned()),
            ("f.owner", "管理子".to_owned()),
            ("f.location", "鍵付きの棚".to_owned()),
            ("f.personal-data", "yes".to_owned()),
            ("f.may-leave", "no".to_owned()),
            ("f.in-use-from", "2026-04-01".to_owned()),
        ]
    };
    let add = async |number| {
        let typed = typed(number);
        let typed: Vec<(&str, &str)> = typed.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.post_form(&format!("{base}/entries"), &cookie, &typed, &[]).await
    };
    let (one, two) = tokio::join!(add("T-01"), add("T-01"));
    assert_eq!(one.status, StatusCode::SEE_OTHER, "{}", one.body);
    assert_eq!(one.header("location"), two.header("location"));
    assert_eq!(add("T-01").await.header("location"), one.header("location"));
    assert!(world.get(base, &cookie).await.body.contains("1件"));
    // Something else on the same form is asked about, and then added.
    let other = add("T-02").await;
    assert_eq!(other.status, StatusCode::CONFLICT);
    check_markup(&other.body, "a form used twice");
    assert!(
        other.body.contains("すでに一度記載されています") && other.body.contains("T-02"),
        "{}",
        other.body
    );
    assert_ne!(hidden(&other, "once"), once);
}

#[tokio::test]
async fn clauses_are_shown_while_a_parameter_waits_for_its_value() {
    let pack = "id: town\nextends: base\nja: 町の規程\nen: town\norganisation-ja: 試験町\norganisation-en: Town\nlanguages: [ja, en]\ncatalogues: []\nparameters:\n  - {key: accounts.unused-days, must-set: true}\n";
    let pack = Pack::from_files([("pack.yaml".to_owned(), pack.as_bytes().to_vec())].into()).unwrap();
    assert_eq!(pack.unset_parameters().count(), 1);
    let measure = pack.measures().iter().find(|measure| measure.check == "accounts-unused").unwrap();
    let clause = measure.clauses.first().unwrap();
    let (catalogue, place) = clause.split_once('.').unwrap();
    let chapter = place.split('-').next().unwrap();
    let address = format!("/rules/clauses/{catalogue}?chapter={chapter}");
    let world = World::with_pack(Settings { tls: false, ..Settings::default() }, pack).await;
    world.staff("kansa", "試験 監査子", &["auditor"]).await;
    let auditor = world.sign_in("kansa").await;
    look(&world, "/rules/clauses", &auditor, "clauses").await;
    let page = look(&world, &address, &auditor, "clauses that cannot be computed").await;
    let told = "パラメーター accounts.unused-days の値が定められていない";
    assert!(page.body.contains(told) && page.body.contains("site.yaml"), "{}", page.body);
    let measures = look(&world, "/rules/controls/measures", &auditor, "measures").await;
    assert!(measures.body.contains(told));
}

const POLICY: &str = "/rules/documents/security-policy";

#[tokio::test]
async fn a_document_is_published_read_and_published_again() {
    let world = World::new().await;
    world.staff("saikou", "試験 最高子", &["ciso"]).await;
    let (ciso, nurse) = (world.sign_in("saikou").await, world.sign_in("kango").await);
    let list = look(&world, "/rules/documents", &ciso, "documents").await;
    assert!(list.body.contains("未制定"));
    look(&world, POLICY, &ciso, "a document without versions").await;
    look(&world, &format!("{POLICY}/publish"), &ciso, "publishing").await;

    // What is wrong is told beside its field; what was typed is kept.
    let publish = format!("{POLICY}/publish");
    let text = "一 目的\n二 体制\n<b>三</b> 見直し";
    let bad = [("version", "0"), ("f.label", ""), ("f.effective", "2026-04-01"), ("f.text", text)];
    let bad = world.post_form(&publish, &ciso, &bad, &[]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    check_markup(&bad.body, "a version without a name");
    assert!(bad.body.contains("id=\"f-label-error\"") && bad.body.contains("二 体制"), "{}", bad.body);
    let good = [("version", "0"), ("f.label", "第1版"), ("f.effective", "2026-04-01"), ("f.text", text)];
    let both = world.post_form(&publish, &ciso, &good, &[("f.file", "a.txt", b"abc")]).await;
    assert_eq!(both.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(both.body.contains("id=\"f-text-error\"") && both.body.contains("a.txt"), "{}", both.body);
    let done = world.post_form(&publish, &ciso, &good, &[]).await;
    assert_eq!(done.header("location"), format!("{POLICY}?done=document-published"), "{}", done.body);
    assert_eq!(world.post_form(&publish, &ciso, &good, &[]).await.status, StatusCode::CONFLICT);

    // Everybody is asked to read it, and the keeper sees who has.
    let list = look(&world, "/rules/documents", &nurse, "documents to read").await;
    assert!(list.body.contains("確認が必要") && list.body.contains("第1版"), "{}", list.body);
    let page = look(&world, POLICY, &nurse, "a document to read").await;
    assert!(page.body.contains("二 体制") && !page.body.contains("<b>三"), "{}", page.body);
    assert!(!page.body.contains("試験 よその"), "who has read it is the keeper's to know");
    let page = look(&world, POLICY, &ciso, "a document with readers").await;
    assert!(page.body.contains("試験 看護子"), "{}", page.body);
    let acknowledge = format!("{POLICY}/acknowledge");
    let done = world.post(&acknowledge, &nurse, &[("version", "1")]).await;
    assert_eq!(done.header("location"), format!("{POLICY}?done=document-read"), "{}", done.body);
    let page = world.get(&format!("{POLICY}?done=document-read"), &nurse).await;
    assert!(page.body.contains("読んだことを確認しました") && !page.body.contains("/acknowledge\""));

    // A second version, as a file: it must be read anew, and the first stays.
    let file = [("f.file", "方針 第2版.txt", "本文".as_bytes())];
    let second = [("version", "1"), ("f.label", "第2版"), ("f.effective", "2026-10-01")];
    let done = world.post_form(&publish, &ciso, &second, &file).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let late = world.post(&acknowledge, &nurse, &[("version", "1")]).await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    let page = look(&world, POLICY, &nurse, "a document as a file").await;
    let file = world.get(&link(&page, POLICY, "/file").unwrap(), &nurse).await;
    assert_eq!((file.status, file.body.as_str()), (StatusCode::OK, "本文"));
    assert!(file.header("content-disposition").starts_with("attachment; filename*=UTF-8''%E6"));
    assert_eq!(file.header("content-type"), "text/plain; charset=utf-8");
    let first = look(&world, &format!("{POLICY}/versions/1"), &nurse, "an older version").await;
    assert!(first.body.contains("現在の版ではありません") && first.body.contains("二 体制"));
    assert_eq!(world.get(&format!("{POLICY}/versions/9"), &nurse).await.status, StatusCode::NOT_FOUND);

    // A long text is read in parts.
    let long = "規程の文を続けます。\n".repeat(2_000);
    let third = [("version", "2"), ("f.label", "第3版"), ("f.effective", "2026-10-01"), ("f.text", &long)];
    assert_eq!(world.post_form(&publish, &ciso, &third, &[]).await.status, StatusCode::SEE_OTHER);
    let page = look(&world, POLICY, &nurse, "a long document").await;
    assert!(page.body.contains(&format!("{POLICY}?part=2")));
    look(&world, &format!("{POLICY}?part=3"), &nurse, "its last part").await;

    // Nobody else publishes; what is not posted for them stays closed.
    assert_eq!(world.get(&publish, &nurse).await.status, StatusCode::FORBIDDEN);
    let sneaked = [("version", "3"), ("f.label", "x"), ("f.effective", "2026-10-01"), ("f.text", "x")];
    assert_eq!(world.post_form(&publish, &nurse, &sneaked, &[]).await.status, StatusCode::FORBIDDEN);
    let closed = world.get("/rules/documents/disclosure-statement", &nurse).await;
    assert_eq!(closed.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get("/rules/documents/none", &nurse).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn duties_are_listed_by_month_and_skipped_with_a_reason() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["security-manager"]).await;
    let (manager, nurse) = (world.sign_in("kanri").await, world.sign_in("kango").await);
    look(&world, "/rules/duties", &manager, "duties of this month").await;
    assert_eq!(world.get("/rules/duties", &nurse).await.status, StatusCode::FORBIDDEN);
    let next = world.today().first_of_month().saturating_add(jiff::ToSpan::months(1));
    let month = format!("/rules/duties?month={}", next.strftime("%Y-%m"));
    let page = look(&world, &month, &manager, "duties of the next month").await;
    assert!(page.body.contains("セキュリティ") && page.body.contains("これから"), "{}", page.body);
    look(&world, &format!("{month}&state=upcoming"), &manager, "duties to come").await;
    look(&world, &format!("{month}&state=done"), &manager, "no duty done").await;
    // The calendar leads to the days on which something is due, and only these are listed then.
    let days: Vec<&str> = page
        .body
        .split(&format!("href=\"/rules/duties?month={}&#38;day=", next.strftime("%Y-%m")))
        .skip(1)
        .filter_map(|rest| rest.split('#').next())
        .collect();
    assert!(!days.is_empty(), "{}", page.body);
    let rows = |body: &str| body.matches("data-label=\"期限\"").count();
    let mut listed = 0;
    for day in days {
        let of_day = look(&world, &format!("{month}&day={day}"), &manager, "duties of a day").await;
        assert!(rows(&of_day.body) > 0, "{day}");
        listed += rows(&of_day.body);
    }
    // What opens in this month and is due in another stands in the list alone.
    assert!(listed <= rows(&page.body), "{listed}");
    look(&world, "/rules/duties?month=nonsense", &manager, "no month").await;

    // Time goes on: what opened is due, then overdue, and may be skipped with a reason.
    world.pass(45);
    let (manager, nurse) = (world.sign_in("kanri").await, world.sign_in("kango").await);
    let page = look(&world, "/rules/duties", &manager, "duties that wait").await;
    assert!(page.body.contains("期限切れ"), "{}", page.body);
    let mut links = page.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let skip = links.find(|link| link.contains("/skip?opens=")).unwrap().to_owned();
    let form = look(&world, &skip, &manager, "skipping").await;
    assert_eq!(world.get(&skip, &nurse).await.status, StatusCode::FORBIDDEN);
    let (path, opens) = (skip.split('?').next().unwrap(), hidden(&form, "opens"));
    let without = world.post(path, &manager, &[("opens", &opens), ("f.reason", " ")]).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    check_markup(&without.body, "skipping without a reason");
    assert!(without.body.contains("id=\"f-reason-error\""), "{}", without.body);
    let reason = [("opens", opens.as_str()), ("f.reason", "工事のため入れなかった")];
    assert_eq!(world.post(path, &nurse, &reason).await.status, StatusCode::FORBIDDEN);
    let done = world.post(path, &manager, &reason).await;
    assert_eq!(done.header("location"), "/rules/duties?done=duty-skipped", "{}", done.body);
    assert_eq!(world.post(path, &manager, &reason).await.status, StatusCode::CONFLICT);
    let opened: i64 = opens.parse().unwrap();
    let day = jiff::Timestamp::from_microsecond(opened).unwrap();
    let day = day.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(9))).date();
    let month = format!("/rules/duties?month={}&state=skipped", day.strftime("%Y-%m"));
    let page = look(&world, &month, &manager, "a skipped duty").await;
    assert!(
        page.body.contains("工事のため入れなかった") && page.body.contains("試験 管理子"),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn somebody_is_appointed_and_dismissed() {
    let world = World::new().await;
    world.staff("saikou", "試験 最高子", &["ciso"]).await;
    let (ciso, nurse) = (world.sign_in("saikou").await, world.sign_in("kango").await);
    let list = look(&world, "/rules/roles", &ciso, "roles").await;
    assert!(list.body.contains("試験 最高子") && list.body.contains("空席"), "{}", list.body);
    let role = "/rules/roles/facility-manager";
    look(&world, role, &ciso, "a role").await;
    let security = "/rules/roles/security-manager";
    let page = look(&world, security, &ciso, "a role to appoint to").await;
    assert!(page.body.contains("試験 看護子"), "{}", page.body);

    let appoint = format!("{security}/appoint");
    let bad = [("f.actor", "だれもいない"), ("f.from", "")];
    let bad = world.post(&appoint, &ciso, &bad).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    check_markup(&bad.body, "an appointment with faults");
    for field in ["f-actor-error", "f-from-error"] {
        assert!(bad.body.contains(field), "{field}: {}", bad.body);
    }
    assert!(bad.body.contains("だれもいない"));
    let today = world.today().to_string();
    let good = [("f.actor", "看護子"), ("f.from", today.as_str()), ("f.deputy", "no")];
    assert_eq!(world.post(&appoint, &nurse, &good).await.status, StatusCode::FORBIDDEN);
    let done = world.post(&appoint, &ciso, &good).await;
    assert_eq!(done.header("location"), format!("{security}?done=appointed"), "{}", done.body);
    // The rules keep auditing apart; a person cannot hold both.
    let apart = world.post("/rules/roles/auditor/appoint", &ciso, &good).await;
    assert_eq!(apart.status, StatusCode::UNPROCESSABLE_ENTITY);
    check_markup(&apart.body, "roles that may not be held together");
    let page = look(&world, &format!("{security}?done=appointed"), &ciso, "a role that is held").await;
    assert!(
        page.body.contains("任命しました") && page.body.contains("任命した人：試験 最高子"),
        "{}",
        page.body
    );

    // Everybody may look at the network of contacts, and print it.
    let contacts = look(&world, "/rules/contacts", &nurse, "contacts").await;
    assert!(contacts.body.contains("試験 看護子") && contacts.body.contains("情報セキュリティ管理者"));

    let end = link(&page, security, "/end").unwrap();
    let form = look(&world, &end, &ciso, "ending an appointment").await;
    let yoso = world.sign_in("yoso").await;
    assert_eq!(world.get(&end, &yoso).await.status, StatusCode::FORBIDDEN);
    let (actor, version) = (hidden(&form, "actor"), hidden(&form, "version"));
    let until = today.clone() + "T00:01";
    let mut fields = vec![("actor", actor.as_str()), ("version", &version), ("f.until", &until)];
    let without = world.post(&end, &ciso, &fields).await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    check_markup(&without.body, "an end without a reason");
    assert!(without.body.contains("id=\"f-reason-error\""));
    fields.push(("f.reason", "異動のため"));
    assert_eq!(world.post(&end, &yoso, &fields).await.status, StatusCode::FORBIDDEN);
    let done = world.post(&end, &ciso, &fields).await;
    assert_eq!(done.header("location"), format!("{security}?done=appointment-ended"), "{}", done.body);
    assert_eq!(world.post(&end, &ciso, &fields).await.status, StatusCode::CONFLICT);
    let page = look(&world, security, &ciso, "a role that was held").await;
    assert!(page.body.contains("いまは、だれも就いていません"), "{}", page.body);
    assert_eq!(world.get("/rules/roles", &yoso).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn controls_are_attested_with_evidence_and_measured() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["security-manager"]).await;
    world.staff("kansa", "試験 監査子", &["auditor"]).await;
    let (manager, nurse) = (world.sign_in("kanri").await, world.sign_in("kango").await);
    let auditor = world.sign_in("kansa").await;
    look(&world, "/rules/controls", &manager, "controls").await;
    look(&world, "/rules/controls?state=mine&page=2", &manager, "own controls").await;
    let one = "/rules/controls/attestations/rights-reviewed";
    look(&world, one, &manager, "an attestation").await;
    let bad = world.post_form(one, &manager, &[("f.statement", "見直した")], &[]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    check_markup(&bad.body, "a statement with faults");
    assert!(bad.body.contains("id=\"f-holds-error\"") && bad.body.contains("見直した"), "{}", bad.body);
    let bare = [("f.holds", "yes"), ("f.statement", "見直した")];
    let bare = world.post_form(one, &manager, &bare, &[]).await;
    assert_eq!(bare.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bare.body.contains("id=\"f-evidence-error\""), "{}", bare.body);
    let good = [("f.holds", "yes"), ("f.statement", "全員分を見直した"), ("f.evidence", "一覧 第3号")];
    let done = world.post_form(one, &manager, &good, &[("f.files", "一覧.csv", b"a,b\n1,2\n")]).await;
    assert_eq!(done.header("location"), format!("{one}?done=attested"), "{}", done.body);
    let page = look(&world, one, &auditor, "an attestation with its history").await;
    assert!(page.body.contains("全員分を見直した") && page.body.contains("試験 管理子"), "{}", page.body);
    assert!(
        !page.body.contains("<form method=\"post\" action=\"/rules/controls"),
        "an auditor states nothing"
    );
    let file = link(&page, one, "").unwrap();
    let opened = world.get(&file, &auditor).await;
    assert_eq!((opened.status, opened.body.as_str()), (StatusCode::OK, "a,b\n1,2\n"));
    assert_eq!(world.get(&file, &nurse).await.status, StatusCode::FORBIDDEN);
    let elsewhere = file.replace("rights-reviewed", "password-validity");
    assert_eq!(world.get(&elsewhere, &auditor).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.post_form(one, &auditor, &good, &[]).await.status, StatusCode::FORBIDDEN);

    let page = look(&world, "/rules/controls/measures", &manager, "measures").await;
    assert!(page.body.contains("調べた結果"), "{}", page.body);
    for closed in ["/rules/controls", "/rules/controls/measures", one] {
        assert_eq!(world.get(closed, &nurse).await.status, StatusCode::FORBIDDEN, "{closed}");
    }
}

#[tokio::test]
async fn every_clause_of_every_pack_is_shown_and_no_page_is_heavy() {
    for id in Pack::embedded_ids() {
        let pack = ready(id);
        let catalogues: Vec<_> = pack.catalogues().to_vec();
        let settings = Settings { tls: false, ..Settings::default() };
        let world = World::with_pack(settings, pack).await;
        world.staff("kansa", "試験 監査子", &["auditor"]).await;
        let (auditor, nurse) = (world.sign_in("kansa").await, world.sign_in("kango").await);
        let page = look(&world, "/rules/clauses", &auditor, &format!("clauses of {id}")).await;
        assert_eq!(world.get("/rules/clauses", &nurse).await.status, StatusCode::FORBIDDEN);
        for catalogue in &catalogues {
            let base = format!("/rules/clauses/{}", catalogue.code);
            assert_eq!(link(&page, &base, &catalogue.code), Some(base.clone()));
            look(&world, &base, &auditor, &format!("catalogue {}", catalogue.code)).await;
            assert_eq!(world.get(&base, &nurse).await.status, StatusCode::FORBIDDEN);
            // The heaviest chapter, first page and last.
            let count = |code: &str| catalogue.clauses.iter().filter(|c| c.chapter() == code).count();
            let heaviest = catalogue.chapters.iter().max_by_key(|chapter| count(&chapter.code)).unwrap();
            let of_chapter = format!("{base}?chapter={}", heaviest.code);
            let what = format!("chapter of {}", catalogue.code);
            let first = look(&world, &of_chapter, &auditor, &what).await;
            assert_eq!(
                first.body.matches("<li id=\"").count(),
                count(&heaviest.code).min(20),
                "{of_chapter}"
            );
            check(&world.get(&format!("{of_chapter}&page=99"), &auditor).await, &of_chapter);
            let state = format!("{base}?state=never-done");
            check(&world.get(&state, &auditor).await, &state);
        }
        for path in ["/rules/pack", "/rules/roles", "/rules/controls", "/rules/documents", "/rules/duties"] {
            look(&world, path, &auditor, &format!("{} of {id}", path.replace('/', " "))).await;
        }
        let pack = look(&world, "/rules/pack", &nurse, &format!("the pack {id}")).await;
        assert!(pack.body.contains(&world.app.pack().hash_text()));
        assert_eq!(world.get("/rules/clauses/none", &auditor).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn every_page_speaks_english_too() {
    let world = World::new().await;
    world.staff("saikou", "試験 最高子", &["ciso"]).await;
    let cookie = format!("{}; lang=en", world.sign_in("saikou").await);
    for (path, says) in [
        ("/rules/documents", "Documents"),
        (POLICY, "Information security policy"),
        ("/rules/duties", "Month before"),
        ("/rules/roles", "Roles and appointments"),
        ("/rules/contacts", "Emergency contacts"),
        ("/rules/controls", "Controls"),
        ("/rules/controls/measures", "Measures"),
        ("/rules/clauses", "asks for nothing"),
        ("/rules/clauses/mic", "Guideline for cloud services"),
        ("/rules/pack", "Parameters in force"),
    ] {
        let page = world.get(path, &cookie).await;
        check(&page, path);
        assert!(page.body.contains(says), "{path} {}", page.body);
    }
}

/// Addresses of the hub's parts.
fn parts(hub: &Answer) -> Vec<String> {
    let list = hub.body.split("<ul class=\"parts\">").nth(1).and_then(|rest| rest.split("</ul>").next());
    let links = list.unwrap().split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    links.map(str::to_owned).collect()
}

#[tokio::test]
async fn the_hub_leads_only_where_somebody_may_look() {
    let world = World::new().await;
    let operator = world.app.operator("test");
    let own = world.person().await.parse().unwrap();
    world.app.add_citizen(&operator, "hanako", "試験 花子", crate::world::PASSWORD, Some(own)).await.unwrap();
    let roles = ["ciso", "auditor", "security-manager", "facility-manager", "help-desk"];
    for role in roles {
        world.staff(role, "試験 役", &[role]).await;
    }
    let mut most = 0;
    for login in ["kango", "hanako"].into_iter().chain(roles) {
        let cookie = world.sign_in(login).await;
        let offered = parts(&world.get("/rules", &cookie).await);
        for address in &offered {
            assert_eq!(world.get(address, &cookie).await.status, StatusCode::OK, "{login}: {address}");
        }
        // And nothing that may be looked at is left out.
        for address in
            ["duties", "reminders", "documents", "roles", "contacts", "controls", "clauses", "system"]
        {
            let address = format!("/rules/{address}");
            let open = world.get(&address, &cookie).await.status == StatusCode::OK;
            assert_eq!(open, offered.contains(&address), "{login}: {address}");
        }
        most = most.max(offered.len());
        if login == "hanako" {
            assert_eq!(offered, ["/rules/procedures", "/rules/cases", "/rules/documents"]);
        }
    }
    assert_eq!(most, 12);
}

/// Every address in a page's text that leads into the rules.
pub fn inside(answer: &Answer) -> Vec<String> {
    let main = answer.body.split("<main").nth(1).unwrap_or_default();
    let links = main.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut links: Vec<String> =
        links.filter(|link| link.starts_with("/rules/")).map(|link| link.replace("&#38;", "&")).collect();
    links.sort();
    links.dedup();
    links
}

#[tokio::test]
async fn answers_of_clauses_lead_only_where_somebody_may_look() {
    let world = World::new().await;
    for role in ["ciso", "auditor", "operations-manager", "system-manager"] {
        world.staff(role, "試験 役", &[role]).await;
    }
    let mut followed = 0;
    for login in ["ciso", "auditor", "operations-manager", "system-manager"] {
        let cookie = world.sign_in(login).await;
        for page in ["/rules/clauses/mic?state=never-done", "/rules/clauses/mhlw5?state=never-done"] {
            let clauses = world.get(page, &cookie).await;
            if clauses.status != StatusCode::OK {
                continue;
            }
            for address in inside(&clauses).iter().filter(|address| !address.starts_with("/rules/clauses")) {
                let answer = world.get(address, &cookie).await;
                assert_eq!(answer.status, StatusCode::OK, "{login}: {address}");
                followed += 1;
            }
        }
    }
    assert!(followed > 40, "{followed}");
}

#[tokio::test]
async fn a_page_that_is_not_there_keeps_the_menu() {
    let world = World::new().await;
    let cookie = world.sign_in("kango").await;
    for address in ["/rules/no-such-part", "/nowhere/at/all"] {
        let lost = world.get(address, &cookie).await;
        assert_eq!(lost.status, StatusCode::NOT_FOUND);
        check_markup(&lost.body, "a page that is not there");
        assert!(lost.body.contains("href=\"/rules\""), "{}", lost.body);
        assert!(lost.body.contains("試験 看護子"), "{}", lost.body);
        // Whoever is not signed in sees nobody's name and no menu.
        let stranger = world.get(address, "").await;
        assert_eq!(stranger.status, StatusCode::NOT_FOUND);
        assert!(!stranger.body.contains("href=\"/rules\"") && !stranger.body.contains("試験 看護子"));
    }
}
