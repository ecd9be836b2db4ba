//! A new version of the rules comes into force while the program runs, by the pages alone.

use axum::http::StatusCode;
use mimamori_app::pack_archive;
use mimamori_policy::Pack;

use crate::rules::{check_markup, look};
use crate::world::{Answer, World};

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
    let mut files = Pack::embedded_base().unwrap().files().clone();
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
    let world = World::new().await;
    world.staff("kanri", "試験 管理子", &["security-manager"]).await;
    world.staff("hogo", "試験 保護子", &["privacy-officer"]).await;
    world.staff("saikou", "試験 最高子", &["ciso"]).await;
    let (manager, nurse) = (world.sign_in("kanri").await, world.sign_in("kango").await);
    let (officer, ciso) = (world.sign_in("hogo").await, world.sign_in("saikou").await);
    assert_eq!(world.get("/rules/registers/visitors", &manager).await.status, StatusCode::NOT_FOUND);

    // Wrong in two places: both are told, with file and line, and no case is begun.
    let mut files = Pack::embedded_base().unwrap().files().clone();
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
    assert!(pack.body.contains(&world.app.pack().hash_text()) && pack.body.contains(&case), "{}", pack.body);
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

fn zipped(files: &std::collections::BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    use std::io::Write as _;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, bytes) in files {
        archive.start_file(path.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}
