//! Who stands around a person, consents as the person gives and withdraws them, visits that are planned,
//! and two pages for who runs the installation.

use axum::http::StatusCode;
use mimamori_domain::{InstitutionId, SubjectId};

use crate::world::{PASSWORD, World};

async fn shown(world: &World, path: &str, cookie: &str) -> String {
    let page = world.get(path, cookie).await;
    assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
    page.body
}

/// Another institution's doctor, in the person's care team.
async fn other_in_team(world: &World, subject: SubjectId) -> (String, InstitutionId) {
    let operator = world.app.operator("test");
    let institutions = world.app.institutions(&operator).await.unwrap();
    let (other, _) = institutions.into_iter().find(|(_, name)| name == "よその病院").unwrap();
    world.app.add_team_member(&operator, subject, None, Some(other)).await.unwrap();
    (world.sign_in("yoso").await, other)
}

#[tokio::test]
async fn a_person_consents_and_withdraws_it_and_both_hold_at_once() {
    let world = World::new().await;
    let person = world.person().await;
    let subject: SubjectId = person.parse().unwrap();
    world
        .app
        .add_citizen(&world.app.operator("test"), "hanako", "試験 花子", PASSWORD, Some(subject))
        .await
        .unwrap();
    let hanako = world.sign_in("hanako").await;
    let (yoso, other) = other_in_team(&world, subject).await;
    let notebook = format!("/people/{person}");
    let refused = world.get(&notebook, &yoso).await.status;
    assert_eq!(refused, StatusCode::FORBIDDEN, "a member of the team from elsewhere needs consent");

    let around = format!("{notebook}/around");
    let page = shown(&world, &around, &hanako).await;
    assert!(page.contains("同意も拒否も記録されていません。") && page.contains("よその病院"), "{page}");
    let consents = format!("{notebook}/consents");
    let other = other.to_string();
    let given = world.post(&consents, &hanako, &[("permit", "yes"), ("institution", &other)]).await;
    assert_eq!(given.header("location"), format!("{around}?done=consent"), "{}", given.body);
    let page = shown(&world, &around, &hanako).await;
    assert!(page.contains("よその病院に、すべての情報を見せることに同意"), "{page}");
    assert_eq!(world.get(&notebook, &yoso).await.status, StatusCode::OK);
    // Whoever reads the class sees it too; may record it on the person's word, and is told who looked.
    let theirs = shown(&world, &around, &yoso).await;
    assert!(theirs.contains("よその病院に、すべての情報を見せることに同意"), "{theirs}");

    let link = page.split("href=\"").find(|rest| rest.starts_with(&consents)).unwrap();
    let withdraw = link.split('"').next().unwrap();
    assert!(shown(&world, withdraw, &hanako).await.contains("すぐに見られなくなります"));
    let done = world.post(withdraw, &hanako, &[]).await;
    assert_eq!(done.header("location"), format!("{around}?done=consent-withdrawn"), "{}", done.body);
    assert_eq!(world.get(&notebook, &yoso).await.status, StatusCode::FORBIDDEN);
    let page = shown(&world, &around, &hanako).await;
    assert!(
        page.contains("<span class=\"badge plain\">終わり</span>") && !page.contains("/withdraw\""),
        "{page}"
    );
    // What is over cannot be withdrawn again, and nobody else's consent can.
    assert_eq!(world.get(withdraw, &hanako).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(&around, &yoso).await.status, StatusCode::FORBIDDEN);
    for bad in [[("permit", "perhaps"), ("class", "")], [("permit", "yes"), ("class", "no-such-class")]] {
        assert_eq!(world.post(&consents, &hanako, &bad).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    }
    let looked = shown(&world, &format!("{notebook}/looked"), &hanako).await;
    assert!(looked.contains("同意"), "giving and withdrawing stand in the ledger: {looked}");
}

#[tokio::test]
async fn visits_are_planned_by_weeks_and_cancelled_one_by_one() {
    let world = World::new().await;
    let person = world.person().await;
    let kango = world.sign_in("kango").await;
    let visits = format!("/people/{person}/visits");
    assert!(shown(&world, &visits, &kango).await.contains("予定はありません。"));
    let form = shown(&world, &format!("{visits}/new"), &kango).await;
    assert!(form.contains("type=\"time\"") && form.contains("value=\"10:00\""), "{form}");

    let day = world.today().tomorrow().unwrap().to_string();
    let fields = [
        ("way", "HH"),
        ("day", &*day),
        ("from", "13:30"),
        ("until", "14:10"),
        ("weeks", "3"),
        ("reason", "<b>点滴</b>"),
    ];
    let planned = world.post(&visits, &kango, &fields).await;
    assert_eq!(planned.header("location"), format!("{visits}?done=visit"), "{}", planned.body);
    let page = shown(&world, &visits, &kango).await;
    assert_eq!(page.matches("13:30–14:10").count(), 3, "{page}");
    assert!(page.contains("&#60;b&#62;点滴") && !page.contains("<b>点滴"), "{page}");
    assert!(page.contains("<span class=\"badge due\">予定</span>"));

    // What was typed stays where something is wrong with it.
    let wrong = world
        .post(&visits, &kango, &[("day", &day), ("from", "15:00"), ("until", "14:00"), ("reason", "入浴")])
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("終わりの時刻は") && wrong.body.contains("value=\"入浴\""), "{}", wrong.body);

    let link = page.split("href=\"").find(|rest| rest.starts_with("/records/Encounter/")).unwrap();
    let record = link.split('"').next().unwrap();
    let taken_back = format!("{record}/withdraw");
    let form = shown(&world, &taken_back, &kango).await;
    let version = form.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let done = world.post(&taken_back, &kango, &[("version", version), ("reason", "入院のため")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    let page = shown(&world, &visits, &kango).await;
    assert_eq!(page.matches("<span class=\"badge withdrawn\">").count(), 1, "{page}");

    // Nobody plans for a person whom they do not look after.
    let yoso = world.sign_in("yoso").await;
    assert_eq!(world.post(&visits, &yoso, &fields).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_everybody_should_know_stands_on_the_board_until_it_is_taken_down() {
    let world = World::new().await;
    let person = world.person().await;
    let kango = world.sign_in("kango").await;
    let board = format!("/people/{person}/board");
    let empty = shown(&world, &board, &kango).await;
    let write = format!("/people/{person}/notes/new?template=board");
    assert!(empty.contains("掲示はありません。") && empty.contains(&write), "{empty}");
    assert!(shown(&world, &write, &kango).await.contains("知っておいてほしいこと："));

    let notes = format!("/people/{person}/notes");
    for (template, text) in [("board", "玄関の鍵は植木鉢の下"), ("soap", "むくみなし")] {
        let saved = world.post(&notes, &kango, &[("template", template), ("text", text)]).await;
        assert!(!shown(&world, &board, &kango).await.contains(text), "a draft is not on the board");
        let look = saved.header("location").to_owned();
        let page = shown(&world, &look, &kango).await;
        let version = page.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let confirm = format!("{}/confirm", look.strip_suffix("/look").unwrap());
        let done = world.post(&confirm, &kango, &[("version", version)]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    }
    let page = shown(&world, &board, &kango).await;
    assert!(page.contains("玄関の鍵") && !page.contains("むくみ"), "{page}");
    let link = page.split("href=\"").find(|rest| rest.starts_with("/records/Communication/")).unwrap();
    let record = link.split('"').next().unwrap();
    let form = shown(&world, &format!("{record}/withdraw"), &kango).await;
    let version = form.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let done = world
        .post(&format!("{record}/withdraw"), &kango, &[("version", version), ("reason", "済んだ")])
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert!(!shown(&world, &board, &kango).await.contains("玄関の鍵"));
}

#[tokio::test]
async fn whoever_runs_the_installation_sees_how_it_is_doing() {
    let world = World::new().await;
    world.staff("unten", "試験 運転子", &["system-manager"]).await;
    let (unten, kango) = (world.sign_in("unten").await, world.sign_in("kango").await);
    let page = shown(&world, "/rules/system", &unten).await;
    assert!(page.contains("SQLite") && page.contains("GiB（"), "{page}");
    assert!(page.contains("証跡の検証") && page.contains(">まだ</span>"), "{page}");
    assert!(shown(&world, "/rules", &unten).await.contains("href=\"/rules/system\""));
    assert_eq!(world.get("/rules/system", &kango).await.status, StatusCode::FORBIDDEN);
    assert!(!shown(&world, "/rules", &kango).await.contains("/rules/system"));

    let failed = mimamori_app::JobEnd::Failed(mimamori_app::JobFailure::Findings(2));
    world.app.record_job("ledger-verify", failed).await.unwrap();
    let page = shown(&world, "/rules/system", &unten).await;
    assert!(page.contains("class=\"notice wrong\"") && page.contains("検証で2件の異常"), "{page}");
}

#[tokio::test]
async fn accesses_are_drawn_day_by_day() {
    let world = World::new().await;
    world.staff("kansa", "試験 監査子", &["auditor"]).await;
    let person = world.person().await;
    let (kango, kansa) = (world.sign_in("kango").await, world.sign_in("kansa").await);
    shown(&world, &format!("/people/{person}"), &kango).await;
    let page = shown(&world, "/review/counts", &kansa).await;
    assert!(page.matches("<rect class=\"column\"").count() == 7, "{page}");
    let today = world.today();
    assert!(page.contains(&format!("href=\"/review?from={today}&#38;until={today}\"")), "{page}");
    // A year is drawn in stretches, and weighs no more than a page may.
    let from = today.checked_sub(jiff::Span::new().days(364)).unwrap();
    let year = shown(&world, &format!("/review/counts?from={from}&until={today}"), &kansa).await;
    let columns = year.matches("<rect class=\"column\"").count();
    assert!((50..=62).contains(&columns) && year.len() < 60_000, "{columns} {}", year.len());
}
