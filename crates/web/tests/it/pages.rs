//! Work at the bedside, as a browser without JavaScript does it.

use axum::http::StatusCode;

use crate::world::{PASSWORD, World};

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(found, _)| found)
}

#[tokio::test]
async fn signing_in_fails_alike_and_leads_back() {
    let world = World::new().await;
    let mut told = Vec::new();
    for (login, password) in [("kango", "wrong"), ("nobody", "wrong")] {
        let form = [("login", login), ("password", password)];
        let answer = world.post("/sign-in", "", &form).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        told.push(answer.body.replace(login, "?"));
        assert!(!answer.body.contains("value=\"wrong\""));
    }
    assert_eq!(told[0], told[1]);
    let sent = world.get("/people/search", "").await;
    assert_eq!(sent.header("location"), "/sign-in?return=/people/search");
    // A link from another site comes without the cookie: it must not end a session.
    assert_eq!(sent.header("set-cookie"), "");
    let over = world.get("/", "session=00").await;
    assert!(over.header("set-cookie").starts_with("session=;"));
    let form = [("login", "kango"), ("password", PASSWORD), ("return", "//evil.example")];
    let answer = world.post("/sign-in", "", &form).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("HttpOnly; SameSite=Strict"), "{cookie}");
    // Somebody had failed with this name: that is told first.
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.contains("href=\"/\"") && !answer.body.contains("evil"));
}

#[tokio::test]
async fn signing_out_ends_the_session() {
    let world = World::new().await;
    let cookie = world.sign_in("kango").await;
    assert_eq!(world.get("/", &cookie).await.status, StatusCode::OK);
    let answer = world.post("/sign-out", &cookie, &[]).await;
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(world.get("/", &cookie).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_form_from_another_site_is_refused() {
    let world = World::new().await;
    let cookie = world.sign_in("kango").await;
    let request = axum::http::Request::builder()
        .method("POST")
        .uri("/sign-out")
        .header("cookie", &cookie)
        .header("sec-fetch-site", "cross-site");
    let request = request.body(axum::body::Body::empty()).unwrap();
    let answer = crate::world::send(&world.pages, request).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.body.contains("別のサイト"));
    assert_eq!(world.get("/", &cookie).await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_language_is_kept_by_a_cookie() {
    let world = World::new().await;
    let answer = world.post("/language", "", &[("lang", "en"), ("return", "/sign-in")]).await;
    assert_eq!(answer.header("location"), "/sign-in");
    assert!(answer.header("set-cookie").starts_with("lang=en;"));
    assert!(world.get("/sign-in", "lang=en").await.body.contains("<html lang=\"en\">"));
    assert!(world.get("/sign-in", "").await.body.contains("<html lang=\"ja\">"));
}

#[tokio::test]
async fn the_style_sheet_is_kept_for_ever_under_its_own_name() {
    let world = World::new().await;
    let page = world.get("/sign-in", "").await;
    let name = between(&page.body, "href=\"/assets/", "\"").to_owned();
    let style = world.get(&format!("/assets/{name}"), "").await;
    assert_eq!(style.status, StatusCode::OK);
    assert!(style.header("cache-control").contains("immutable"));
    assert_eq!(world.get("/assets/other.css", "").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_note_from_draft_to_withdrawal() {
    let world = World::new().await;
    let person = world.person().await;
    let cookie = world.sign_in("kango").await;
    let home = world.get("/", &cookie).await;
    assert!(home.body.contains("試験 花子"), "{}", home.body);

    // Nothing typed: told, nothing kept.
    let notes = format!("/people/{person}/notes");
    let answer = world.post(&notes, &cookie, &[("text", " ")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    // Draft, last look, edit, confirm.
    let answer = world.post(&notes, &cookie, &[("text", "朝の体温は36.5度")]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let look = answer.header("location").to_owned();
    let base = look.strip_suffix("/look").unwrap().to_owned();
    let page = world.get(&look, &cookie).await;
    assert!(page.body.contains("朝の体温は36.5度") && page.body.contains("試験 花子"));
    let version = between(&page.body, "name=\"version\" value=\"", "\"").to_owned();
    let edit = format!("{base}/edit");
    let answer = world.post(&edit, &cookie, &[("text", "朝の体温は36.6度"), ("version", &version)]).await;
    assert_eq!(answer.header("location"), look, "{}", answer.body);
    // An edit over an older version is refused and keeps what was typed.
    let answer = world.post(&edit, &cookie, &[("text", "古い上書き"), ("version", &version)]).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.body.contains("古い上書き"));
    // What the application says stands in the language of the page.
    assert!(answer.body.contains("ほかの人が先に更新しました") && !answer.body.contains("somebody else"));
    let english = format!("{cookie}; lang=en");
    let answer = world.post(&edit, &english, &[("text", "old"), ("version", &version)]).await;
    assert!(answer.body.contains("somebody else changed this meanwhile"), "{}", answer.body);
    let page = world.get(&look, &cookie).await;
    let version = between(&page.body, "name=\"version\" value=\"", "\"").to_owned();
    let answer = world.post(&format!("{base}/confirm"), &cookie, &[("version", &version)]).await;
    assert_eq!(answer.header("location"), format!("/people/{person}?done=confirmed"), "{}", answer.body);
    let page = world.get(answer.header("location"), &cookie).await;
    assert!(page.body.contains("朝の体温は36.6度") && page.body.contains("確定しました"));
    assert!(page.body.contains("試験 看護子") && page.body.contains("みほん訪問看護"));

    // Amend: what changes is shown before and after.
    let amend = format!("{base}/amend");
    let form = world.get(&amend, &cookie).await;
    assert_eq!(form.status, StatusCode::OK, "{}", form.body);
    let version = between(&form.body, "name=\"version\" value=\"", "\"").to_owned();
    let typed = [("text", "朝の体温は37.6度"), ("version", version.as_str())];
    let page = world.post(&format!("{amend}/look"), &cookie, &typed).await;
    assert!(page.body.contains("<del>36.6</del><ins>37.6</ins>"), "{}", page.body);
    let answer = world.post(&amend, &cookie, &typed).await;
    assert_eq!(answer.header("location"), format!("{base}?done=amended"), "{}", answer.body);
    let page = world.get(&base, &cookie).await;
    assert!(page.body.contains("<del>36.6</del><ins>37.6</ins>"), "{}", page.body);

    // Withdraw: reason, last look, done; it can no longer be amended.
    let withdraw = format!("{base}/withdraw");
    let form = world.get(&withdraw, &cookie).await;
    let version = between(&form.body, "name=\"version\" value=\"", "\"").to_owned();
    let look = format!("{withdraw}/look");
    let answer = world.post(&look, &cookie, &[("version", &version), ("reason", "")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let typed = [("version", version.as_str()), ("reason", "別の方の記録でした")];
    assert!(world.post(&look, &cookie, &typed).await.body.contains("別の方の記録でした"));
    let answer = world.post(&withdraw, &cookie, &typed).await;
    assert_eq!(answer.header("location"), format!("{base}?done=withdrawn"), "{}", answer.body);
    let page = world.get(&base, &cookie).await;
    assert!(page.body.contains("取消") && !page.body.contains("/amend\""), "{}", page.body);
    assert!(page.body.contains("別の方の記録でした"), "why is shown: {}", page.body);
    assert_eq!(world.get(&amend, &cookie).await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn in_danger_to_life_a_stranger_is_found_and_the_emergency_declared() {
    let world = World::new().await;
    let person = world.person().await;
    let operator = world.app.operator("test");
    let elsewhere = r#"{"resourceType":"Organization","name":"救急の病院","active":true}"#;
    let institution = Some(world.app.add_institution(&operator, elsewhere).await.unwrap());
    for (login, occupation) in [("isha", "doctor"), ("jimu", "clerk")] {
        let staff = mimamori_app::NewStaff {
            login: login.to_owned(),
            name: "試験 よその人".to_owned(),
            kana: None,
            occupation: occupation.parse().ok(),
            institution,
            roles: Vec::new(),
            password: crate::world::PASSWORD.to_owned(),
        };
        world.app.add_staff(&operator, &staff).await.unwrap();
    }
    let cookie = world.sign_in("isha").await;
    let asked = [("name", "試験 花子"), ("birth", "1938-04-03")];
    let emergency = "/people/search/emergency";
    let none = world.post("/people/search", &cookie, &asked).await;
    assert!(none.body.contains(emergency) && !none.body.contains(&person), "{}", none.body);
    // The beginning of a name is not enough, and says so with what was typed.
    let short = world.post(emergency, &cookie, &[("name", "試験")]).await;
    assert_eq!(short.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", short.body);
    assert!(short.body.contains("生年月日（年月日まで）を入力") && short.body.contains("value=\"試験\""));
    let found = world.post(emergency, &cookie, &asked).await;
    let declare = format!("/people/{person}/emergency");
    assert!(found.body.contains(&declare) && found.body.contains("試験 花子"), "{}", found.body);
    assert!(!found.body.contains("女性"), "no more than declaring needs: {}", found.body);
    let answer = world.post(&declare, &cookie, &[("reason", "意識がない")]).await;
    assert_eq!(answer.header("location"), format!("/people/{person}?done=emergency"), "{}", answer.body);
    assert_eq!(world.get(answer.header("location"), &cookie).await.status, StatusCode::OK);
    // Offered to nobody who may not.
    let cookie = world.sign_in("jimu").await;
    assert_eq!(world.post(emergency, &cookie, &asked).await.status, StatusCode::FORBIDDEN);
    let none = world.post("/people/search", &cookie, &asked).await;
    assert!(!none.body.contains(emergency), "{}", none.body);
}

#[tokio::test]
async fn a_draft_is_thrown_away_by_its_author() {
    let world = World::new().await;
    let person = world.person().await;
    let cookie = world.sign_in("kango").await;
    let answer = world.post(&format!("/people/{person}/notes"), &cookie, &[("text", "書き損じ")]).await;
    let look = answer.header("location").to_owned();
    let base = look.strip_suffix("/look").unwrap().to_owned();
    let discard = format!("{base}/discard");
    for page in [&look, &base] {
        assert!(world.get(page, &cookie).await.body.contains(&discard), "{page}");
    }
    let other = world.sign_in("yoso").await;
    assert_eq!(world.get(&discard, &other).await.status, StatusCode::FORBIDDEN);
    let answer = world.post(&discard, &other, &[("version", "1")]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let form = world.get(&discard, &cookie).await;
    assert!(form.body.contains("書き損じ") && form.body.contains("元に戻せません"), "{}", form.body);
    let version = between(&form.body, "name=\"version\" value=\"", "\"").to_owned();
    let answer = world.post(&discard, &cookie, &[("version", &version)]).await;
    assert_eq!(answer.header("location"), format!("/people/{person}?done=discarded"), "{}", answer.body);
    let page = world.get(answer.header("location"), &cookie).await;
    assert!(page.body.contains("下書きを捨てました") && !page.body.contains("書き損じ"), "{}", page.body);
    assert_eq!(world.get(&base, &cookie).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn vital_signs_are_looked_at_and_recorded() {
    let world = World::new().await;
    let person = world.person().await;
    let cookie = world.sign_in("kango").await;
    let base = format!("/people/{person}/vital-signs");
    let form = world.get(&format!("{base}/new"), &cookie).await;
    assert_eq!(form.status, StatusCode::OK, "{}", form.body);
    let at = between(&form.body, "name=\"at\" value=\"", "\"").to_owned();
    let wrong = [("at", at.as_str()), ("temperature", "366")];
    let answer = world.post(&format!("{base}/look"), &cookie, &wrong).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("value=\"366\"") && answer.body.contains("aria-invalid"));
    let right = [("at", at.as_str()), ("temperature", "３７．０"), ("systolic", "128"), ("diastolic", "76")];
    let look = world.post(&format!("{base}/look"), &cookie, &right).await;
    assert_eq!(look.status, StatusCode::OK, "{}", look.body);
    assert!(look.body.contains("37.0 ℃"));
    let answer = world.post(&base, &cookie, &right).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = world.get(&format!("/people/{person}?kind=Observation"), &cookie).await;
    assert!(page.body.contains("37.0℃") && page.body.contains("128 mmHg"), "{}", page.body);
}

#[tokio::test]
async fn the_course_of_vital_signs_is_drawn_and_told_as_numbers() {
    let world = World::new().await;
    let person = world.person().await;
    let cookie = world.sign_in("kango").await;
    let base = format!("/people/{person}/vital-signs");
    let empty = world.get(&base, &cookie).await;
    assert_eq!(empty.status, StatusCode::OK, "{}", empty.body);
    assert!(empty.body.contains("測定の記録はありません") && !empty.body.contains("<svg class=\"chart\""));
    let form = world.get(&format!("{base}/new"), &cookie).await;
    let at = between(&form.body, "name=\"at\" value=\"", "\"").to_owned();
    for (temperature, upper) in [("36.4", "128"), ("38.2", "151")] {
        let typed =
            [("at", at.as_str()), ("temperature", temperature), ("systolic", upper), ("diastolic", "76")];
        assert_eq!(world.post(&base, &cookie, &typed).await.status, StatusCode::SEE_OTHER);
    }
    // Measured long before the window, and not measured by number: neither is drawn.
    for (value, time) in [("36.15", "2020-01-01T09:00:00+09:00"), ("36.25", "2020-01")] {
        let body =
            temperature(&person, 10).replace("36.10", value).replace("2026-10-01T09:10:00+09:00", time);
        let made = world.rest("POST", "/fhir/Observation", &[], &body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    let page = world.get(&base, &cookie).await;
    assert_eq!(page.body.matches("<svg class=\"chart\"").count(), 2, "{}", page.body);
    assert_eq!(page.body.matches("<circle").count(), 6);
    assert_eq!(page.body.matches("class=\"beyond\"").count(), 2, "a fever and a high pressure");
    assert!(page.body.contains("151 / 76") && page.body.contains("128 / 76"), "{}", page.body);
    assert!(page.body.contains("目安の外") && !page.body.contains("36.15"));
    // Nobody who does not see the person sees their course.
    let stranger = world.sign_in("yoso").await;
    assert!(!world.get(&base, &stranger).await.body.contains("38.2"));
}

fn temperature(person: &str, minute: usize) -> String {
    format!(
        r#"{{"resourceType":"Observation","status":"final","subject":{{"reference":"Patient/{person}"}},
        "code":{{"coding":[{{"system":"http://loinc.org","code":"8310-5"}}]}},
        "category":[{{"coding":[{{"system":"http://terminology.hl7.org/CodeSystem/observation-category","code":"vital-signs"}}]}}],
        "effectiveDateTime":"2026-10-01T09:{minute:02}:00+09:00",
        "valueQuantity":{{"value":36.{minute:02},"unit":"C","system":"http://unitsofmeasure.org","code":"Cel"}}}}"#
    )
}

#[tokio::test]
async fn a_long_notebook_is_read_page_by_page_by_the_time_things_happened() {
    let world = World::new().await;
    let person = world.person().await;
    let times = 10..33;
    for minute in times.clone() {
        let made = world.rest("POST", "/fhir/Observation", &[], &temperature(&person, minute)).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    let cookie = world.sign_in("kango").await;
    let mut path = format!("/people/{person}?kind=Observation");
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = world.get(&path, &cookie).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        // Stated today about October: both times are shown, that of the measurement first.
        let items = page.body.matches("<article>").count();
        // In the entry, and for screen readers in the links to its page and to who has seen it.
        assert_eq!(page.body.matches("2026年10月1日（木）09:").count(), 3 * items);
        assert_eq!(page.body.matches(">記録 20").count(), items);
        let shown = page.body.split("<dd>36.").skip(1).filter_map(|rest| rest.get(..2)?.parse().ok());
        seen.extend(shown.collect::<Vec<usize>>());
        pages += 1;
        assert_eq!(page.body.contains("最新の記録へ戻る"), pages > 1);
        let Some(next) = next_of(&page.body) else { break };
        path = format!("/people/{}", next.replace("&#38;", "&").replace("&amp;", "&"));
    }
    assert_eq!(pages, 2);
    // Newest first, each once.
    assert_eq!(seen, times.rev().collect::<Vec<_>>());
}

/// Where the link to the next page leads, below `/people/`.
fn next_of(page: &str) -> Option<String> {
    let links = page.split("href=\"/people/").skip(1).filter_map(|rest| rest.split('"').next());
    links.into_iter().find(|link| link.contains("cursor=")).map(str::to_owned)
}

#[tokio::test]
async fn the_menu_leads_only_where_somebody_may_go() {
    let world = World::new().await;
    let operator = world.app.operator("test");
    for (login, occupation, role) in [
        ("kaigo", Some("helper"), None),
        ("kansa", None, Some("auditor")),
        ("kanri", Some("clerk"), Some("facility-manager")),
    ] {
        let staff = mimamori_app::NewStaff {
            login: login.to_owned(),
            name: "試験 職員".to_owned(),
            kana: None,
            occupation: occupation.and_then(|o| o.parse().ok()),
            institution: Some(world.institution),
            roles: role.and_then(|r| r.parse().ok()).into_iter().collect(),
            password: PASSWORD.to_owned(),
        };
        world.app.add_staff(&operator, &staff).await.unwrap();
    }
    for (login, search, review) in
        [("kango", true, false), ("kaigo", false, false), ("kansa", false, true), ("kanri", true, true)]
    {
        let cookie = world.sign_in(login).await;
        let home = world.get("/", &cookie).await;
        assert!(home.body.contains("担当の方"), "{login}");
        assert_eq!(home.body.contains("href=\"/people/search\""), search, "{login}");
        assert_eq!(home.body.contains("href=\"/review\""), review, "{login}");
        // Here, whoever reviews sees accounts too.
        assert_eq!(home.body.contains("href=\"/admin/accounts\""), review, "{login}");
    }
}

#[tokio::test]
async fn a_facility_manager_stops_an_account_and_the_help_desk_resumes_it() {
    let world = World::new().await;
    let operator = world.app.operator("test");
    for (login, role) in [("kanri", "facility-manager"), ("madoguchi", "help-desk")] {
        let staff = mimamori_app::NewStaff {
            login: login.to_owned(),
            name: "試験 職員".to_owned(),
            kana: None,
            occupation: None,
            institution: Some(world.institution),
            roles: role.parse().ok().into_iter().collect(),
            password: PASSWORD.to_owned(),
        };
        world.app.add_staff(&operator, &staff).await.unwrap();
    }
    let nurse = world.sign_in("kango").await;
    assert_eq!(world.get("/admin/accounts", &nurse).await.status, StatusCode::FORBIDDEN);
    let manager = world.sign_in("kanri").await;
    let list = world.get("/admin/accounts", &manager).await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.body);
    assert!(list.body.contains("試験 看護子") && list.body.contains("施設管理者"));
    assert!(!list.body.contains("試験 よその") && !list.body.contains("<select"));
    assert_eq!(list.body.matches("/stop\">").count(), 2, "everybody but themself");
    let row = list.body.split("<tr>").find(|row| row.contains("試験 看護子")).unwrap();
    let base = between(row, "href=\"", "\"").to_owned();
    assert!(row.contains(&format!("{base}/stop\"")), "{row}");

    let form = world.get(&format!("{base}/stop"), &manager).await;
    assert!(form.body.contains("このアカウントを止める") && form.body.contains("試験 看護子"));
    let empty = world.post(&format!("{base}/stop"), &manager, &[("reason", " ")]).await;
    assert_eq!(empty.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.get("/", &nurse).await.status, StatusCode::OK);
    let done = world.post(&format!("{base}/stop"), &manager, &[("reason", "退職")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    let list = world.get(done.header("location"), &manager).await;
    assert!(list.body.contains("アカウントを止めました") && list.body.contains("停止中"));
    assert_eq!(world.get("/", &nurse).await.status, StatusCode::SEE_OTHER, "the session has ended");
    let again = world.post(&format!("{base}/stop"), &manager, &[("reason", "退職")]).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert!(again.body.contains("すでに止まっています"));
    let refused = world.post(&format!("{base}/resume"), &manager, &[("reason", "復職")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let desk = world.sign_in("madoguchi").await;
    let list = world.get("/admin/accounts", &desk).await;
    assert!(list.body.contains("<select") && list.body.contains(&format!("{base}/resume")));
    let done = world.post(&format!("{base}/resume"), &desk, &[("reason", "復職")]).await;
    assert!(done.header("location").ends_with("done=resumed"));
    world.sign_in("kango").await;
}

#[tokio::test]
async fn citizens_see_their_own_and_their_family_s_records() {
    let world = World::new().await;
    let own = world.person().await;
    let patient = r#"{"resourceType":"Patient","birthDate":"1930-01-01",
        "name":[{"use":"official","text":"試験 梅子","family":"試験","given":["梅子"]}]}"#;
    let made = world.rest("POST", "/fhir/Patient", &[], patient).await;
    let mother = made.header("location").split('/').nth(3).unwrap().to_owned();
    let operator = world.app.operator("test");
    let subject = own.parse().unwrap();
    let actor =
        world.app.add_citizen(&operator, "hanako", "試験 花子", PASSWORD, Some(subject)).await.unwrap();
    let cookie = world.sign_in("hanako").await;
    // One record: nothing to choose.
    assert_eq!(world.get("/", &cookie).await.header("location"), format!("/people/{own}"));
    world.app.add_proxy(&operator, mother.parse().unwrap(), actor, None).await.unwrap();
    let home = world.get("/", &cookie).await;
    assert_eq!(home.status, StatusCode::OK);
    assert!(home.body.contains("<h1>ご自分・ご家族の記録</h1>"), "{}", home.body);
    assert!(home.body.contains("花子") && home.body.contains("梅子"), "{}", home.body);
    for not_theirs in ["担当の方", "/people/search", "/review"] {
        assert!(!home.body.contains(not_theirs), "{not_theirs}");
    }
}

#[tokio::test]
async fn people_are_found_by_post_alone() {
    let world = World::new().await;
    world.person().await;
    let cookie = world.sign_in("kango").await;
    let found = world.post("/people/search", &cookie, &[("name", "試験")]).await;
    assert!(found.body.contains("花子"), "{}", found.body);
    let none = world.post("/people/search", &cookie, &[("name", "だれか")]).await;
    assert!(none.body.contains("見つかりませんでした"), "{}", none.body);
    let nothing = world.post("/people/search", &cookie, &[]).await;
    assert_eq!(nothing.status, StatusCode::UNPROCESSABLE_ENTITY);
    let blank = world.get("/people/search?name=%E8%A9%A6%E9%A8%93", &cookie).await;
    assert!(!blank.body.contains("花子"));
}

#[tokio::test]
async fn a_stranger_is_refused_may_declare_an_emergency_and_is_seen() {
    let world = World::new().await;
    let person = world.person().await;
    let stranger = world.sign_in("yoso").await;
    let page = format!("/people/{person}");
    let refused = world.get(&page, &stranger).await;
    let status = refused.status;
    assert!(matches!(status, StatusCode::FORBIDDEN | StatusCode::NOT_FOUND), "{status}");
    assert!(!refused.body.contains("花子"));
    assert!(refused.body.contains(&format!("{page}/emergency")), "{}", refused.body);
    let form = format!("{page}/emergency");
    assert!(!world.get(&form, &stranger).await.body.contains("花子"));
    let missing = world.post(&form, &stranger, &[("reason", "")]).await;
    assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY);
    let reason = "意識がなく搬送中。服薬とアレルギーの確認が必要";
    let answer = world.post(&form, &stranger, &[("reason", reason)]).await;
    assert_eq!(answer.header("location"), format!("{page}?done=emergency"), "{}", answer.body);
    let opened = world.get(answer.header("location"), &stranger).await;
    assert!(opened.body.contains("花子") && opened.body.contains("緊急時アクセス中"), "{}", opened.body);

    // The person sees who looked, and that it was an emergency.
    let (operator, subject) = (world.app.operator("test"), person.parse().unwrap());
    let citizen = world.app.add_citizen(&operator, "hanako", "試験 花子", PASSWORD, Some(subject));
    citizen.await.unwrap();
    let own = world.sign_in("hanako").await;
    assert_eq!(world.get("/", &own).await.header("location"), page);
    assert_eq!(world.get(&page, &own).await.status, StatusCode::OK);
    let looked = world.get(&format!("{page}/looked"), &own).await;
    assert_eq!(looked.status, StatusCode::OK, "{}", looked.body);
    assert!(looked.body.contains("試験 よその") && looked.body.contains("よその病院"), "{}", looked.body);
    assert!(looked.body.contains("<tr class=\"emergency\">") && looked.body.contains("生命・身体の保護"));
    // And who could: the stranger too, while the emergency lasts.
    let sees = world.get(&format!("{page}/who-sees?class=note"), &own).await;
    assert_eq!(sees.status, StatusCode::OK, "{}", sees.body);
    assert!(sees.body.contains("試験 花子") && sees.body.contains("本人は、"), "{}", sees.body);
    assert!(sees.body.contains("試験 よその") && sees.body.contains("生命・身体の保護"));
    assert!(sees.body.contains("緊急時の宣言をすれば"), "{}", sees.body);
    let unknown = world.get(&format!("{page}/who-sees?class=no-such-class"), &own).await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", unknown.body);
    // Reviewing the ledger as a whole is not theirs.
    assert_eq!(world.get("/review?from=2026-01-01", &own).await.status, StatusCode::FORBIDDEN);
}

/// Proves: whoever has a first password sees no other page until it is changed, and is told what is weak.
#[tokio::test]
async fn clause_kawaguchi_8_4_3_6() {
    let world = World::new().await;
    let staff = mimamori_app::NewStaff {
        login: "niiyama".to_owned(),
        name: "新山 美咲".to_owned(),
        kana: Some("ニイヤマ ミサキ".to_owned()),
        occupation: "nurse".parse().ok(),
        institution: Some(world.institution),
        roles: Vec::new(),
        password: String::new(),
    };
    let (_, issued) = world.app.issue_staff(&world.app.operator("test"), &staff).await.unwrap();
    let secret = issued.secret.as_str();
    let answer = world.post("/sign-in", "", &[("login", "niiyama"), ("password", secret)]).await;
    assert_eq!(answer.header("location"), "/account", "{}", answer.body);
    let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
    for path in ["/", "/people/search", "/rules", "/admin/accounts"] {
        assert_eq!(world.get(path, &cookie).await.header("location"), "/account", "{path}");
    }
    let page = world.get("/account", &cookie).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(
        page.body.contains("ご自分のパスワードを決めてください") && !page.body.contains("href=\"/rules\"")
    );
    for (password, again, told) in [
        ("niiyama-misaki", "niiyama-misaki", "ご自分の名前"),
        ("mijikai-7", "mijikai-7", "13文字以上"),
        ("midori-densha-ga-hashi-7", "midori-densha-ga-hashi-8", "2回で違っています"),
    ] {
        let form = [("present", secret), ("password", password), ("again", again)];
        let answer = world.post("/account/password", &cookie, &form).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.body.contains(told) && !answer.body.contains(password), "{}", answer.body);
    }
    let password = "midori-densha-ga-hashi-7";
    let form = [("present", secret), ("password", password), ("again", password)];
    let answer = world.post("/account/password", &cookie, &form).await;
    assert_eq!(answer.header("location"), "/account?done=password-changed", "{}", answer.body);
    assert_eq!(world.get("/", &cookie).await.status, StatusCode::OK);

    // A suspected leak: one action, after saying that one is sure.
    let answer = world.post("/account/leak", &cookie, &[]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let answer = world.post("/account/leak", &cookie, &[("sure", "yes")]).await;
    assert_eq!(answer.header("location"), "/sign-in?stopped=leak");
    assert_eq!(world.get("/", &cookie).await.status, StatusCode::SEE_OTHER);
    assert!(world.get("/sign-in?stopped=leak", "").await.body.contains("アカウントを止めました"));

    // Administrators see it, and issue nothing without the case that the pack asks for.
    world.staff("kanri", "試験 管理", &["system-manager"]).await;
    let kanri = world.sign_in("kanri").await;
    let page = world.get("/admin/accounts", &kanri).await;
    assert!(page.body.contains("再発行待ち"), "{}", page.body);
    let base = between(&page.body, "href=\"/admin/accounts/", "/reissue\"").to_owned();
    let base = base.rsplit("/admin/accounts/").next().unwrap();
    let reissue = format!("/admin/accounts/{base}/reissue");
    assert!(world.get(&reissue, &kanri).await.body.contains("承認の済んだ再発行の申請"));
    let answer = world.post(&reissue, &kanri, &[("reason", "漏れた"), ("how", "対面")]).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.body.contains("先に申請して承認を受けてください"), "{}", answer.body);
}

/// The life of an account on pages: its end, what it is for, deleting it for good, many from a table.
#[tokio::test]
async fn accounts_end_are_deleted_and_are_issued_from_a_table() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理", &["system-manager"]).await;
    world.staff("madoguchi", "試験 窓口", &["help-desk"]).await;
    let (kanri, desk) = (world.sign_in("kanri").await, world.sign_in("madoguchi").await);
    let list = world.get("/admin/accounts", &kanri).await;
    assert!(list.body.contains("/admin/accounts/import"));
    assert!(!world.get("/admin/accounts", &desk).await.body.contains("/admin/accounts/import"));
    let row = list.body.split("<tr>").find(|row| row.contains("試験 看護子")).unwrap();
    let base = between(row, "href=\"", "\"><b>").to_owned();
    let shown = world.get(&base, &kanri).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    assert!(shown.body.contains("期限なし") && shown.body.contains(&format!("{base}/close")));

    let wrong = world.post(&format!("{base}/ends"), &kanri, &[("at", "あした"), ("reason", "契約")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    let past = [("at", "2020-01-01T00:00"), ("reason", "契約の終わり")];
    let past = world.post(&format!("{base}/ends"), &kanri, &past).await;
    assert_eq!(past.status, StatusCode::UNPROCESSABLE_ENTITY);
    let ends = [("at", "2099-03-31T17:00"), ("reason", "契約の終わり")];
    let done = world.post(&format!("{base}/ends"), &kanri, &ends).await;
    assert_eq!(done.header("location"), format!("{base}?done=ends-saved"));
    let shown = world.get(done.header("location"), &kanri).await;
    assert!(shown.body.contains("使える期限を保存しました") && shown.body.contains("2099年3月31日"));
    let sort = [("sort", "maintenance"), ("reason", "保守")];
    let nurse = world.sign_in("kango").await;
    let done = world.post(&format!("{base}/sort"), &kanri, &sort).await;
    assert_eq!(done.header("location"), format!("{base}?done=sort-saved"));
    assert_eq!(world.get("/", &nurse).await.status, StatusCode::SEE_OTHER, "no window is open");

    assert!(world.get(&format!("{base}/close"), &kanri).await.body.contains("元に戻せません"));
    let refused = world.post(&format!("{base}/close"), &desk, &[("reason", "退職")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let done = world.post(&format!("{base}/close"), &kanri, &[("reason", "退職")]).await;
    let list = world.get(done.header("location"), &kanri).await;
    assert!(list.body.contains("アカウントを削除しました") && list.body.contains("削除済み"));
    let shown = world.get(&base, &kanri).await;
    assert!(!shown.body.contains("/resume") && !shown.body.contains("/reissue"));

    assert_eq!(world.get("/admin/accounts/import", &desk).await.status, StatusCode::FORBIDDEN);
    assert!(world.get("/admin/accounts/import", &kanri).await.body.contains("type=\"file\""));
    let name = between(&list.body, "<option value=\"", "</option>").split('>').nth(1).unwrap().to_owned();
    let table = format!("login,name,institution\nshinjin1,新人 一,{name}\nshinjin2,新人 二,{name}\n");
    let issue = "/admin/accounts/import/issue";
    let broken = table.replace("shinjin2", "kanri");
    let refused = world.post(issue, &kanri, &[("table", broken.as_str())]).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(refused.body.contains("row 3"), "{}", refused.body);
    let letters = world.post(issue, &kanri, &[("table", table.as_str())]).await;
    assert_eq!(letters.status, StatusCode::OK, "{}", letters.body);
    assert_eq!(letters.body.matches("<article class=\"letter\">").count(), 2);
    assert!(letters.header("cache-control").contains("no-store"));
    assert_eq!(world.post(issue, &kanri, &[("table", table.as_str())]).await.status.as_u16(), 422);
}

/// An emergency account: sealed on its page; once used, every page of those who administer says so until it
/// was reviewed.
#[tokio::test]
async fn the_use_of_an_emergency_account_is_told_on_every_page_until_it_is_reviewed() {
    let world = World::new().await;
    world.staff("kanri", "試験 管理", &["system-manager"]).await;
    world.staff("hijo", "非常時", &["help-desk"]).await;
    let (kanri, nurse) = (world.sign_in("kanri").await, world.sign_in("kango").await);
    let list = world.get("/admin/accounts", &kanri).await;
    let row = list.body.split("<tr>").find(|row| row.contains("非常時")).unwrap();
    let base = between(row, "href=\"", "\"><b>").to_owned();
    assert!(!world.get(&base, &kanri).await.body.contains("/seal\""));
    let sort = [("sort", "emergency"), ("reason", "備え")];
    world.post(&format!("{base}/sort"), &kanri, &sort).await;
    assert!(world.get(&base, &kanri).await.body.contains("/seal\""));
    let sheet = world.post(&format!("{base}/seal"), &kanri, &[("reason", "備え")]).await;
    assert_eq!(sheet.status, StatusCode::OK, "{}", sheet.body);
    assert!(
        sheet.header("cache-control").contains("no-store") && sheet.body.contains("開封したら直ちに報告")
    );
    let secret = sheet.body.rsplit("class=\"secret\">").next().unwrap().split('<').next().unwrap().to_owned();
    assert!(!world.get("/", &kanri).await.body.contains("/admin/emergency"));

    let entered = world.post("/sign-in", "", &[("login", "hijo"), ("password", secret.as_str())]).await;
    assert!(entered.status.is_redirection() || entered.status == StatusCode::OK, "{}", entered.body);
    for page in ["/admin/accounts", "/rules"] {
        let shown = world.get(page, &kanri).await;
        assert!(shown.body.contains("非常時アカウントが使われました"), "{page}: {}", shown.body);
    }
    assert!(!world.get("/", &nurse).await.body.contains("/admin/emergency"));
    let uses = world.get("/admin/emergency", &kanri).await;
    assert!(uses.body.contains("hijo"), "{}", uses.body);
    let review = between(&uses.body, "action=\"/admin/emergency/", "\"").to_owned();
    let review = format!("/admin/emergency/{review}");
    let empty = [("version", "1"), ("finding", "")];
    assert_eq!(world.post(&review, &kanri, &empty).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let found = [("version", "1"), ("finding", "停電のとき当直が使用。復旧した")];
    let done = world.post(&review, &kanri, &found).await;
    let shown = world.get(done.header("location"), &kanri).await;
    assert!(shown.body.contains("点検を終え、非常時アカウントを止めました"));
    assert!(shown.body.contains("点検を待つ使用はありません"));
    assert!(!world.get("/rules", &kanri).await.body.contains("非常時アカウントが使われました"));
    assert!(world.get("/admin/citizens", &kanri).await.body.contains("市民利用者のアカウント"));
}
