//! A new version of the rules comes into force while the program runs, by the pages alone.

use axum::http::StatusCode;
use futures::future::BoxFuture;
use mimamori_app::{Act, App, Caller, Origin, Typed, pack_archive};
use mimamori_domain::{Action, ObjectId};
use mimamori_policy::Pack;

use crate::rules::{check_markup, look};
use crate::world::{Answer, PASSWORD, World, base_files};

const NEW: &str = "/rules/procedures/rules-adoption/new";
const REGISTER: &str = "\
registers:
  - code: visitors
    ja: \"来訪者台帳\"
    en: \"Visitors\"
    keeper: [security-manager]
    title: [who]
    fields:
      - {code: who, ja: \"だれ\", en: \"who\", type: text, required: true}
";
const PROCEDURE: &str = "\
procedures:
  - code: visit
    ja: \"来訪の申請\"
    en: \"Visit\"
    kind: application
    applicants: [anyone]
    fields:
      - {code: who, ja: \"だれ\", en: \"who\", type: text, required: true}
    steps:
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [ciso]}
";

fn with_visitors() -> Pack {
    let mut files = base_files();
    files.insert("registers/visitors.yaml".into(), REGISTER.into());
    files.insert("procedures/visitors.yaml".into(), PROCEDURE.into());
    Pack::from_files(files).unwrap()
}

fn version(answer: &Answer) -> String {
    let start = "type=\"hidden\" name=\"version\" value=\"";
    answer.body.split(start).nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned()
}

/// Fills the form in, looks at it once more and hands it in.
async fn hand_in(world: &World, cookie: &str, archive: &[u8]) -> Answer {
    let form = [("step", "check"), ("f.reason", "来訪者を記録するため")];
    let kept = world.post_form(NEW, cookie, &form, &[("f.pack", "rules.zip", archive)]).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.body);
    let send = kept.header("location").to_owned();
    let seen = version(&look(world, &send, cookie, "the last look at new rules").await);
    world.post(&send, cookie, &[("version", &seen)]).await
}

async fn act(world: &World, case: &str, cookie: &str, act: &str) -> Answer {
    let seen = version(&world.get(case, cookie).await);
    world.post_form(&format!("{case}/act"), cookie, &[("version", &seen), ("act", act)], &[]).await
}

#[tokio::test]
async fn new_rules_are_used_without_a_restart() {
    let world = with_people().await;
    let (manager, nurse) = (world.sign_in("kanri").await, world.sign_in("kango").await);
    let (officer, ciso) = (world.sign_in("hogo").await, world.sign_in("saikou").await);
    assert_eq!(world.get("/rules/registers/visitors", &manager).await.status, StatusCode::NOT_FOUND);

    // Wrong in two places: both are told, with file and line, and no case is begun.
    let mut files = base_files();
    files.insert("registers/visitors.yaml".into(), REGISTER.replace("[who]", "[nobody]").into());
    files.insert("procedures/visitors.yaml".into(), PROCEDURE.replace("[ciso]", "[nobody]").into());
    let refused = hand_in(&world, &manager, &zipped(&files)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", refused.body);
    check_markup(&refused.body, "broken rules");
    for place in ["registers/visitors.yaml:6:", "procedures/visitors.yaml:10:"] {
        assert!(refused.body.contains(place), "{place} {}", refused.body);
    }

    let sent = hand_in(&world, &manager, &pack_archive(&with_visitors()).unwrap()).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let case = sent.header("location").split('?').next().unwrap().to_owned();
    assert_eq!(act(&world, &case, &officer, "pass").await.status, StatusCode::SEE_OTHER);

    // Who approves sees what changes, in words; others see nothing of it.
    let page = look(&world, &case, &ciso, "a case with new rules").await;
    assert!(page.body.contains("来訪者台帳") && page.body.contains("追加2件"), "{}", page.body);
    let all = look(&world, &format!("{case}/pack"), &ciso, "everything that changes").await;
    assert!(all.body.contains("来訪の申請") && all.body.contains(&with_visitors().hash_text()));
    assert_eq!(world.get(&format!("{case}/pack"), &nurse).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get("/rules/registers/visitors", &manager).await.status, StatusCode::NOT_FOUND);

    let approved = act(&world, &case, &ciso, "pass").await;
    assert_eq!(approved.status, StatusCode::SEE_OTHER, "{}", approved.body);
    let page = look(&world, &case, &ciso, "a case whose rules are in force").await;
    assert!(page.body.contains("追加2件"), "{}", page.body);

    // In force at once, for those who were signed in too.
    let pack = look(&world, "/rules/pack", &nurse, "the pack and its versions").await;
    assert!(pack.body.contains(&with_visitors().hash_text()) && pack.body.contains("適用中"));
    assert!(pack.body.contains(&world.app.pack().hash_text()), "{}", pack.body);
    // The case that brought them is a link for who may see it.
    assert!(!pack.body.contains(&case), "{}", pack.body);
    assert!(world.get("/rules/pack", &ciso).await.body.contains(&case));
    look(&world, "/rules/registers/visitors", &manager, "a register of the new rules").await;
    let entry = [("f.who", "山田")];
    let added = world.post_form("/rules/registers/visitors/entries", &manager, &entry, &[]).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.body);
    let visit = "/rules/procedures/visit/new";
    look(&world, visit, &nurse, "a procedure of the new rules").await;
    let begun = world.post_form(visit, &nurse, &[("step", "check"), ("f.who", "山田")], &[]).await;
    assert_eq!(begun.status, StatusCode::SEE_OTHER, "{}", begun.body);
    // FHIR goes on under the new rules.
    let patient = r#"{"resourceType":"Patient","active":true,"gender":"female","birthDate":"1938-04-03",
        "name":[{"use":"official","text":"試験 花子","family":"試験","given":["花子"]}]}"#;
    let made = world.rest("POST", "/fhir/Patient", &[], patient).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
}

async fn entered(app: &App, login: &str) -> Caller {
    let origin = Origin::default();
    let signed = app.sign_in(login, PASSWORD, &origin).await.unwrap();
    app.caller(&signed.token, &origin).await.unwrap()
}

/// A case with new rules, up to the last approval; gives the approval.
async fn approval(world: &World, pack: &Pack) -> BoxFuture<'static, ()> {
    let app = world.app.in_force().await.unwrap();
    let manager = entered(&app, "kanri").await;
    let file = app.attach_file(&manager, "rules.zip", &pack_archive(pack).unwrap()).await.unwrap();
    let form = Typed::from([
        ("reason".to_owned(), vec!["見直し".to_owned()]),
        ("pack".to_owned(), vec![file.to_string()]),
    ]);
    let case = app.begin_case(&manager, "rules-adoption", &form, false).await.unwrap();
    pass(&app, "hogo", case).await;
    Box::pin(async move { pass(&app, "saikou", case).await })
}

async fn pass(app: &App, login: &str, case: ObjectId) {
    let caller = entered(app, login).await;
    let seen = app.case(&caller, case).await.unwrap().version;
    app.act_on_case(&caller, case, seen, &Act::Pass, &Typed::new()).await.unwrap();
}

async fn with_people() -> World {
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["security-manager"]).await;
    world.staff("hogo", "試験 保護子", &["privacy-officer"]).await;
    world.staff("saikou", "試験 最高子", &["ciso"]).await;
    world
}

/// New rules come into force while a request is under way: what it has read by then is not shown, what
/// it would change is not changed.
#[tokio::test]
async fn a_request_that_an_adoption_overtakes_is_met_by_the_new_rules() {
    let world = with_people().await;
    let (nurse, person) = (world.sign_in("kango").await, world.person().await);
    let (base, visitors) = (Pack::from_files(base_files()).unwrap(), with_visitors());

    // A page is read again by itself, and shows the rules that are in force now.
    let approve = approval(&world, &visitors).await;
    world.hooked.before(Action::Read, Box::new(|| approve));
    let page = world.get("/rules/pack", &nurse).await;
    assert!(world.hooked.happened());
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(page.body.contains(&visitors.hash_text()) && page.body.contains("適用中"), "{}", page.body);

    // So is what programs read.
    let approve = approval(&world, &base).await;
    world.hooked.before(Action::Read, Box::new(|| approve));
    let read = world.rest("GET", &format!("/fhir/Patient/{person}"), &[], "").await;
    assert!(world.hooked.happened());
    assert_eq!(read.status, StatusCode::OK, "{}", read.body);
    assert_eq!(world.app.in_force().await.unwrap().pack().hash(), base.hash());

    // What changes something is left to the person, and nothing was changed.
    let approve = approval(&world, &visitors).await;
    world.hooked.before(Action::Create, Box::new(|| approve));
    let patient = r#"{"resourceType":"Patient","active":true,"gender":"male","birthDate":"1941-05-06",
        "name":[{"use":"official","text":"試験 遅郎","family":"試験","given":["遅郎"]}]}"#;
    let late = world.rest("POST", "/fhir/Patient", &[], patient).await;
    assert!(world.hooked.happened());
    assert_eq!(late.status, StatusCode::TOO_MANY_REQUESTS, "{}", late.body);
    let search = "/fhir/Patient?birthdate=1941-05-06";
    let found = world.rest("GET", search, &[], "").await;
    assert!(found.status == StatusCode::OK && !found.body.contains("遅郎"), "{}", found.body);
    let again = world.rest("POST", "/fhir/Patient", &[], patient).await;
    assert_eq!(again.status, StatusCode::CREATED, "{}", again.body);
    assert!(world.rest("GET", search, &[], "").await.body.contains("遅郎"));
}

/// Rules are in force that this program cannot load: it answers nothing by those of before.
#[tokio::test]
async fn without_the_rules_in_force_nothing_is_answered() {
    let world = with_people().await;
    let (nurse, person) = (world.sign_in("kango").await, world.person().await);
    let style = world.get("/sign-in", "").await;
    let style =
        style.body.split("/assets/").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned();
    let patient = format!("/fhir/Patient/{person}");
    assert_eq!(world.rest("GET", &patient, &[], "").await.status, StatusCode::OK);
    assert_eq!(world.get("/", &nurse).await.status, StatusCode::OK);

    approval(&world, &with_visitors()).await.await;
    world.run("DROP TRIGGER object_version_no_update").await;
    let broken = "UPDATE object_version SET body = x'00' WHERE kind = 'pack' AND version = 2";
    // The application through which it was adopted has not looked at the rules since.
    world.run(broken).await;
    for path in ["/sign-in", "/", "/rules/pack", "/nothing/here"] {
        let page = world.get(path, &nurse).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{path} {}", page.body);
        assert!(page.body.contains("<h1>") && !page.body.contains("看護子"), "{path} {}", page.body);
        assert_eq!(page.header("retry-after"), "30");
    }
    let signed = world.post("/sign-in", "", &[("login", "kango"), ("password", PASSWORD)]).await;
    assert_eq!(signed.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(signed.header("set-cookie"), "");
    for path in [patient.as_str(), "/fhir/metadata"] {
        let read = world.rest("GET", path, &[], "").await;
        assert_eq!(read.status, StatusCode::SERVICE_UNAVAILABLE, "{path} {}", read.body);
        assert!(read.body.contains("\"transient\"") && !read.body.contains("試験"), "{path} {}", read.body);
    }
    // The page that says so has its style.
    assert_eq!(world.get(&format!("/assets/{style}"), "").await.status, StatusCode::OK);
}

fn zipped(files: &std::collections::BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, bytes) in files {
        archive.start_file(path.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
