//! The notebook in a hurry: what is new, answering it, finding something, and what a rescue team needs.

use axum::http::StatusCode;
use mimamori_app::NewStaff;

use crate::world::{Answer, PASSWORD, World};

/// A page with its style weighs less than this.
const HEAVIEST: usize = 60_000;

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(found, _)| found)
}

/// A second nurse of the institution.
async fn colleague(world: &World) {
    let staff = NewStaff {
        login: "yuki".to_owned(),
        name: "試験 ゆき".to_owned(),
        kana: None,
        occupation: "nurse".parse().ok(),
        institution: Some(world.institution),
        roles: Vec::new(),
        password: PASSWORD.to_owned(),
    };
    world.app.add_staff(&world.app.operator("test"), &staff).await.unwrap();
}

/// Writes a note with the form's fields and confirms it; gives its address.
async fn write(world: &World, cookie: &str, person: &str, fields: &[(&str, &str)]) -> String {
    let saved = world.post(&format!("/people/{person}/notes"), cookie, fields).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let look = saved.header("location").to_owned();
    let base = look.strip_suffix("/look").unwrap().to_owned();
    let page = world.get(&look, cookie).await;
    let version = between(&page.body, "name=\"version\" value=\"", "\"").to_owned();
    let done = world.post(&format!("{base}/confirm"), cookie, &[("version", &version)]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    base
}

async fn shown(world: &World, path: &str, cookie: &str) -> String {
    let page = world.get(path, cookie).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
    assert!(page.body.len() < HEAVIEST, "{path} weighs {}", page.body.len());
    page.body
}

#[tokio::test]
async fn news_stands_first_and_is_read_once() {
    let world = World::new().await;
    colleague(&world).await;
    let person = world.person().await;
    let (kango, yuki) = (world.sign_in("kango").await, world.sign_in("yuki").await);
    let note = write(&world, &kango, &person, &[("text", "右足のむくみが強い")]).await;

    let home = shown(&world, "/", &yuki).await;
    assert!(home.contains("未読の記録がある方") && home.contains("未読 1件"), "{home}");
    assert!(home.contains("記録　試験 看護子（看護師、みほん訪問看護）"), "{home}");
    assert!(!home.contains("むくみ"), "the list tells nothing of what a record says");
    let link = format!("/people/{person}?unread=1");
    assert!(home.contains(&link));
    let unread = shown(&world, &link, &yuki).await;
    assert!(unread.contains("<span class=\"badge new\">未読</span>") && unread.contains("むくみ"));
    let again = shown(&world, &link, &yuki).await;
    assert!(again.contains("未読の記録はありません。") && !again.contains("むくみ"));
    assert!(shown(&world, "/", &yuki).await.contains("未読の記録はありません。"));

    // The writer sees who has read it: how many in the notebook, who and when on its page.
    assert!(shown(&world, &format!("/people/{person}"), &kango).await.contains("既読 1人"));
    let seen = shown(&world, &note, &kango).await;
    assert!(seen.contains("id=\"seen\"") && seen.contains("試験 ゆき"), "{seen}");
    // One's own is no news, and a draft waits in the list.
    let home = shown(&world, "/", &kango).await;
    assert!(home.contains("未読の記録はありません。") && !home.contains("書きかけ"));
    world.post(&format!("/people/{person}/notes"), &kango, &[("text", "書きかけの文")]).await;
    let home = shown(&world, "/", &kango).await;
    assert!(home.contains("書きかけ・確定待ち") && home.contains("/look"), "{home}");
    assert!(!shown(&world, "/", &yuki).await.contains("書きかけ"));
}

#[tokio::test]
async fn a_note_is_begun_by_a_template_addressed_and_answered() {
    let world = World::new().await;
    colleague(&world).await;
    let person = world.person().await;
    let (kango, yuki) = (world.sign_in("kango").await, world.sign_in("yuki").await);
    let new = format!("/people/{person}/notes/new");
    let form = shown(&world, &new, &kango).await;
    for way in ["自由に書く", "SOAP", "訪問看護", "訪問介護", "会議録"] {
        assert!(form.contains(way), "{way}");
    }
    let begun = shown(&world, &format!("{new}?template=nursing-visit"), &kango).await;
    assert!(begun.contains("訪問時のようす：") && begun.contains("value=\"nursing-visit\""), "{begun}");
    assert!(!shown(&world, &format!("{new}?template=none"), &kango).await.contains("訪問時のようす"));

    let to = format!("Organization/{}", world.institution);
    let fields = [
        ("text", "血圧が下がっています"),
        ("template", "nursing-visit"),
        ("priority", "stat"),
        ("to", to.as_str()),
        // Nobody of the team: left out.
        ("to", "Practitioner/00000000-0000-0000-0000-000000000000"),
    ];
    let saved = world.post(&format!("/people/{person}/notes"), &kango, &fields).await;
    let look = shown(&world, saved.header("location"), &kango).await;
    assert!(look.contains("共有される相手") && look.contains("みほん訪問看護"), "{look}");
    assert!(look.contains("至急") && look.contains("<dd>訪問看護</dd>"), "{look}");
    let note = write(&world, &kango, &person, &fields).await;
    let id = note.rsplit('/').next().unwrap();

    // The answer shows what it answers, before and after.
    let notebook = shown(&world, &format!("/people/{person}"), &yuki).await;
    let reply = format!("/people/{person}/notes/new?reply={id}");
    assert!(notebook.contains("<span class=\"badge stat\">至急</span>") && notebook.contains(&reply));
    let form = shown(&world, &reply, &yuki).await;
    assert!(form.contains("返信を書く") && form.contains("血圧が下がっています"), "{form}");
    let answer = write(&world, &yuki, &person, &[("text", "医師に連絡しました"), ("reply", id)]).await;
    let page = shown(&world, &answer, &kango).await;
    assert!(page.contains("返信元") && page.contains("試験 看護子（"), "{page}");
    let notebook = shown(&world, &format!("/people/{person}"), &kango).await;
    assert!(notebook.contains(&format!("href=\"{note}\">返信元を見る")), "{notebook}");
    // Somebody else's note cannot be answered into this notebook.
    let other = world.person().await;
    let stray = world.get(&format!("/people/{other}/notes/new?reply={id}"), &kango).await;
    assert_eq!(stray.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_notebook_is_searched_and_narrowed() {
    let world = World::new().await;
    let person = world.person().await;
    let kango = world.sign_in("kango").await;
    write(&world, &kango, &person, &[("text", "ﾛｷｿﾆﾝを飲まれた")]).await;
    write(&world, &kango, &person, &[("text", "お変わりなし")]).await;
    let find = format!("/people/{person}/find");
    let search = async |words: &str| -> Answer { world.post(&find, &kango, &[("words", words)]).await };
    let found = search("ロキソニン").await;
    assert!(found.body.contains("飲まれた") && !found.body.contains("お変わりなし"), "{}", found.body);
    assert!(found.body.contains("はじめの記録までさがしました"));
    assert!(search("発熱").await.body.contains("「発熱」がある記録は、見つかりませんでした。"));
    let nothing = search(" ").await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(nothing.body.contains("さがす言葉を入力してください"), "{}", nothing.body);

    let narrowed = async |query: &str| shown(&world, &format!("/people/{person}?{query}"), &kango).await;
    let institution = world.institution;
    assert!(narrowed(&format!("institution={institution}")).await.contains("飲まれた"));
    assert!(narrowed("kind=Observation").await.contains("この条件にあう記録はありません"));
    assert!(narrowed("until=2020-01-01").await.contains("この条件にあう記録はありません"));
    assert!(narrowed(&format!("from={}", world.today())).await.contains("飲まれた"));
    // What is no day narrows nothing.
    assert!(narrowed("from=yesterday").await.contains("飲まれた"));
}

#[tokio::test]
async fn the_summary_and_the_card_tell_what_counts_now() {
    let world = World::new().await;
    let person = world.person().await;
    let today = world.today();
    let subject = format!(r#""subject":{{"reference":"Patient/{person}"}}"#);
    let status = |code: &str| {
        format!(
            r#""clinicalStatus":{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/condition-clinical","code":"{code}"}}]}}"#
        )
    };
    let medicine = |name: &str, status: &str, day: &str| {
        format!(
            r#"{{"resourceType":"MedicationRequest","status":"{status}","intent":"order",{subject},"authoredOn":"{day}",
            "medicationCodeableConcept":{{"text":"{name}"}},"dosageInstruction":[{{"text":"1日1回 朝食後"}}]}}"#
        )
    };
    let check_up = |year: i16, value: &str| {
        format!(
            r#"{{"resourceType":"Observation","status":"final",{subject},"code":{{"text":"HbA1c"}},
            "category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"exam"}}]}}],
            "effectiveDateTime":"{year}-06-01","valueQuantity":{{"value":{value},"unit":"%"}}}}"#
        )
    };
    let all = [
        ("MedicationRequest", medicine("アムロジピン錠", "active", &today.to_string())),
        ("MedicationRequest", medicine("やめた薬", "stopped", &today.to_string())),
        ("MedicationRequest", medicine("昔の薬", "active", "2020-01-01")),
        (
            "Condition",
            format!(
                r#"{{"resourceType":"Condition",{subject},"code":{{"text":"心不全"}},{}}}"#,
                status("active")
            ),
        ),
        (
            "Condition",
            format!(
                r#"{{"resourceType":"Condition",{subject},"code":{{"text":"治った肺炎"}},{}}}"#,
                status("resolved")
            ),
        ),
        (
            "RelatedPerson",
            format!(
                r#"{{"resourceType":"RelatedPerson","patient":{{"reference":"Patient/{person}"}},"name":[{{"text":"試験 太郎"}}],
                "relationship":[{{"text":"長男"}}],"telecom":[{{"system":"phone","value":"090-0000-0000"}}]}}"#
            ),
        ),
        (
            "Observation",
            format!(
                r#"{{"resourceType":"Observation","status":"final",{subject},"code":{{"coding":[{{"system":"http://loinc.org","code":"883-9"}}]}},
                "valueCodeableConcept":{{"text":"AB型"}}}}"#
            ),
        ),
        ("Observation", check_up(today.year() - 1, "6.4")),
        ("Observation", check_up(today.year() - 2, "6.8")),
    ];
    for (kind, json) in &all {
        let made = world.rest("POST", &format!("/fhir/{kind}"), &[], json).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    let kango = world.sign_in("kango").await;
    for page in ["summary", "card"] {
        let body = shown(&world, &format!("/people/{person}/{page}"), &kango).await;
        for there in [
            "アムロジピン錠",
            "1日1回 朝食後",
            "心不全",
            "試験 太郎",
            "長男",
            "090-0000-0000",
            "AB型",
            "みほん訪問看護",
        ] {
            assert!(body.contains(there), "{page} lacks {there}: {body}");
        }
        for gone in ["やめた薬", "昔の薬", "治った肺炎"] {
            assert!(!body.contains(gone), "{page}: {gone}");
        }
    }
    let course = shown(&world, &format!("/people/{person}/check-ups"), &kango).await;
    assert!(course.contains("HbA1c") && course.contains("6.4%") && course.contains("<polyline"), "{course}");
    // Strangers are told nothing.
    let yoso = world.sign_in("yoso").await;
    for page in ["summary", "card", "check-ups"] {
        let answer = world.get(&format!("/people/{person}/{page}"), &yoso).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{page}");
        assert!(!answer.body.contains("心不全") && !answer.body.contains("花子"));
    }
}
