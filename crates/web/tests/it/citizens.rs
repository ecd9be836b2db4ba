//! Citizens in the organisation's procedures, as a browser without JavaScript uses them.

use axum::http::StatusCode;
use mimamori_policy::Pack;
use mimamori_web::Settings;

use crate::governance::{hidden, inside, link};
use crate::rules::{check_markup, look};
use crate::world::World;

const CITIZENS: &str = "\
procedures:
  - code: copy-request
    ja: \"写しの請求\"
    en: \"Request for a copy\"
    kind: application
    applicants: [citizen]
    fields:
      - {code: reason, ja: \"理由\", en: \"reason\", type: text, required: true}
      - {code: proof, ja: \"本人確認の書類\", en: \"proof of identity\", type: file, required: true}
    steps:
      - {code: decide, ja: \"決定\", en: \"decision\", kind: approve, by: [privacy-officer]}
      - {code: tell, ja: \"お知らせ\", en: \"notice\", kind: inform, by: [privacy-officer], to: [applicant]}
";
const NOTICE: &str = "\
documents:
  - {code: citizens-notice, ja: \"市民へのお知らせ\", en: \"Notice to citizens\", clauses: [], kind: notice, owner: [privacy-officer], review-months: 12, posted: [citizen], acknowledged-by: [citizen], within-days: 30}
";

/// A citizen applies with a file, looks a last time, sends, follows it, and acknowledges what is posted.
#[tokio::test]
async fn a_citizen_applies_follows_it_and_acknowledges_a_notice() {
    let head = "id: town\nextends: base\nja: 町の規程\nen: town\norganisation-ja: 試験町\norganisation-en: Town\nlanguages: [ja, en]\ncatalogues: []\n";
    let files =
        [("pack.yaml", head), ("procedures/citizens.yaml", CITIZENS), ("documents/citizens.yaml", NOTICE)];
    let pack = Pack::from_files(
        files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec())).into_iter().collect(),
    )
    .unwrap();
    let world = World::with_pack(Settings { tls: false, ..Settings::default() }, pack).await;
    let operator = world.app.operator("test");
    let own = world.person().await.parse().unwrap();
    for (login, name, subject) in [("hanako", "試験 花子", Some(own)), ("taro", "試験 太郎", None)] {
        world.app.add_citizen(&operator, login, name, crate::world::PASSWORD, subject).await.unwrap();
    }
    world.staff("hogo", "試験 保護子", &["privacy-officer"]).await;
    let (hanako, taro) = (world.sign_in("hanako").await, world.sign_in("taro").await);
    let officer = world.sign_in("hogo").await;

    // What is missing is told beside its field; the file stays while the rest is corrected.
    let begin = "/rules/procedures/copy-request/new";
    look(&world, begin, &hanako, "a citizen's form").await;
    let file: (&str, &str, &[u8]) = ("f.proof", "保険証の写し.txt", "番号は伏せました".as_bytes());
    let bad = world.post_form(begin, &hanako, &[("f.reason", ""), ("step", "check")], &[file]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", bad.body);
    check_markup(&bad.body, "a citizen's form with faults");
    assert!(
        bad.body.contains("id=\"f-reason-error\"") && bad.body.contains("保険証の写し.txt"),
        "{}",
        bad.body
    );
    let typed = [("f.reason", "治療の経過を確かめたい"), ("step", "check")];
    let kept = world.post_form(begin, &hanako, &typed, &[file]).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.body);
    let send = kept.header("location").to_owned();
    let case = send.strip_suffix("/send").unwrap_or_else(|| panic!("{send}")).to_owned();

    // The last look shows the words and the file's name; nobody else's business yet.
    let last = look(&world, &send, &hanako, "a citizen's last look").await;
    assert!(
        last.body.contains("治療の経過を確かめたい") && last.body.contains("保険証の写し.txt"),
        "{}",
        last.body
    );
    for cookie in [&officer, &taro] {
        assert_eq!(world.get(&case, cookie).await.status, StatusCode::NOT_FOUND);
    }
    let sent = world.post(&send, &hanako, &[("version", &hidden(&last, "version"))]).await;
    assert_eq!(sent.header("location"), format!("{case}?done=case-sent"), "{}", sent.body);

    // They see how far it is, under a number that can be read out, and open their own file.
    let page = look(&world, &case, &hanako, "a citizen's case").await;
    assert!(page.body.contains("進行中") || page.body.contains("いまここ"), "{}", page.body);
    let number = page.body.split("受付番号</dt><dd>").nth(1).and_then(|rest| rest.split('<').next()).unwrap();
    let (year, digits) = number.trim().split_once('-').unwrap();
    assert!(year.parse::<u16>().is_ok() && digits.len() == 8, "{number}");
    let download = link(&page, &format!("{case}/files/"), "").unwrap();
    assert_eq!(world.get(&download, &hanako).await.body, "番号は伏せました");
    for address in [&case, &download] {
        assert_eq!(world.get(address, &taro).await.status, StatusCode::FORBIDDEN, "{address}");
    }
    assert!(inside(&page).iter().all(|address| !address.starts_with("/rules/registers")));
    let hub = look(&world, "/rules", &hanako, "a citizen's hub").await;
    assert!(hub.body.contains("写しの請求"), "{}", hub.body);
    assert!(!world.get("/rules", &taro).await.body.contains(&case));

    // The officer gives it back; the citizen corrects it and it is granted.
    let act = async |cookie: &str, act: &str, text: &str| {
        let version = hidden(&world.get(&case, cookie).await, "version");
        let form = [("version", version.as_str()), ("act", act), ("text", text)];
        let done = world.post_form(&format!("{case}/act"), cookie, &form, &[]).await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{act}: {}", done.body);
    };
    act(&officer, "return", "理由をくわしく書いてください。").await;
    let hub = world.get("/rules", &hanako).await;
    assert!(hub.body.contains("差し戻し"), "{}", hub.body);
    let form = look(&world, &format!("{case}/edit"), &hanako, "a citizen's correction").await;
    assert!(form.body.contains("保険証の写し.txt"), "{}", form.body);
    let file = form.body.split("name=\"f.proof\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let version = hidden(&form, "version");
    let mut again =
        vec![("version", version.as_str()), ("f.reason", "三月の治療の経過を確かめたい"), ("step", "check")];
    again.extend(file.map(|file| ("f.proof", file)));
    let again = world.post_form(&format!("{case}/edit"), &hanako, &again, &[]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.body);
    act(&officer, "pass", "").await;
    act(&officer, "told", "窓口でお渡しします。").await;
    let page = look(&world, &case, &hanako, "a citizen's case at its end").await;
    assert!(page.body.contains("窓口でお渡しします") && page.body.contains("三月の治療"), "{}", page.body);
    look(&world, &format!("{case}?print"), &hanako, "a citizen's case on paper").await;

    // What is posted for citizens is theirs to read and to acknowledge, once.
    let notice = "/rules/documents/citizens-notice";
    let version =
        [("version", "0"), ("f.label", "第1版"), ("f.effective", "2026-04-01"), ("f.text", "窓口の時間")];
    let done = world.post_form(&format!("{notice}/publish"), &officer, &version, &[]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert!(world.get("/rules", &hanako).await.body.contains(notice));
    let page = look(&world, notice, &hanako, "a notice to citizens").await;
    assert!(page.body.contains("窓口の時間"), "{}", page.body);
    let done = world.post(&format!("{notice}/acknowledge"), &hanako, &[("version", "1")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert!(!world.get("/rules", &hanako).await.body.contains(notice));
    assert!(world.get("/rules", &taro).await.body.contains(notice), "everybody for themselves");
    // And nothing else of the organisation's.
    for address in ["/rules/duties", "/rules/roles", "/rules/clauses", "/rules/pack"] {
        assert_eq!(world.get(address, &hanako).await.status, StatusCode::FORBIDDEN, "{address}");
    }
}
