//! Documents and photographs, as a browser without JavaScript brings and opens them.

use axum::http::StatusCode;

use crate::world::World;

const PDF: &[u8] = b"%PDF-1.7\n1 0 obj << >> endobj\ntrailer << >>\nstartxref\n9\n%%EOF\n";

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(found, _)| found)
}

/// A photograph's skeleton that tells where it was taken.
fn photograph() -> Vec<u8> {
    let segment = |marker: u8, contents: &[u8]| {
        let length = u16::try_from(contents.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker][..], &length, contents].concat()
    };
    [
        vec![0xff, 0xd8],
        segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0GPSLatitude"),
        segment(0xdb, &[0; 65]),
        segment(0xc0, &[8, 0, 16, 0, 16, 1, 1, 0x11, 0]),
        segment(0xc4, &[0; 17]),
        segment(0xda, &[1, 1, 0, 0, 63, 0]),
        vec![0x12, 0x34, 0xff, 0xd9],
    ]
    .concat()
}

#[tokio::test]
async fn a_document_is_brought_listed_and_opened() {
    let world = World::new().await;
    let (person, cookie) = (world.person().await, world.sign_in("kango").await);
    let list = format!("/people/{person}/documents");
    assert!(world.get(&list, &cookie).await.body.contains("まだありません"));
    let form = world.get(&format!("{list}/new"), &cookie).await;
    assert!(form.body.contains("multipart/form-data") && form.body.contains("試験 花子"), "{}", form.body);

    let fields = [("type", "referral"), ("name", "紹介状（整形外科）"), ("description", "原本は病院")];
    let files = [("file", "紹介状.pdf", PDF), ("file", "かかと.jpg", &photograph()[..])];
    let kept = world.post_form(&list, &cookie, &fields, &files).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.body);
    let page = world.get(kept.header("location"), &cookie).await;
    for told in
        ["紹介状（整形外科）", "紹介状.pdf", "かかと.jpg", "原本は病院", "診療情報提供書", "試験 看護子"]
    {
        assert!(page.body.contains(told), "{told}: {}", page.body);
    }
    let picture = between(&page.body, "<img src=\"", "\"");
    let opened = world.get(picture, &cookie).await;
    assert_eq!(opened.status, StatusCode::OK);
    assert_eq!(opened.header("content-type"), "image/jpeg");
    assert!(opened.header("content-disposition").starts_with("inline;"));
    assert!(!opened.body.contains("GPSLatitude"));
    let saved = world.get(&format!("{picture}?as=file"), &cookie).await;
    assert!(saved.header("content-disposition").starts_with("attachment;"));

    let document = between(&page.body, "class=\"file\" href=\"", "\"");
    let opened = world.get(document, &cookie).await;
    assert_eq!((opened.status, opened.body.as_bytes()), (StatusCode::OK, PDF));
    assert_eq!(opened.header("content-type"), "application/pdf");
    assert!(opened.header("content-disposition").starts_with("attachment; filename*=UTF-8''%E7%B4%B9"));
    for (header, value) in [
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(opened.header(header), value);
    }

    // Another institution's nurse is refused, and so is nobody in particular.
    let other = world.sign_in("yoso").await;
    assert_eq!(world.get(document, &other).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get(&list, &other).await.status, StatusCode::FORBIDDEN);
    assert_eq!(world.get(document, "").await.status, StatusCode::SEE_OTHER);

    // A program follows the address that the record names.
    let found = world.rest("GET", &format!("/fhir/DocumentReference?patient={person}"), &[], "").await;
    let file = between(&found.body, "\"url\":\"Binary/", "\"");
    let binary = world.rest("GET", &format!("/fhir/Binary/{file}"), &[], "").await;
    let binary: serde_json::Value = serde_json::from_str(&binary.body).unwrap();
    assert_eq!(binary["contentType"], "application/pdf");
    assert!(binary["securityContext"]["reference"].as_str().unwrap().starts_with("DocumentReference/"));
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.decode(binary["data"].as_str().unwrap()).unwrap();
    assert_eq!(data, PDF);
    assert_eq!(world.rest("PUT", &format!("/fhir/Binary/{file}"), &[], "{}").await.status.as_u16() / 100, 4);
    assert_eq!(world.rest("POST", "/fhir/Binary", &[], "{}").await.status, StatusCode::NOT_FOUND);
    let statement = world.rest("GET", "/fhir/metadata", &[], "").await;
    assert!(statement.body.contains("\"Binary\""));
}

/// What was typed, the file's name and content, and what the page says.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a [u8], &'a str);

#[tokio::test]
async fn what_is_no_document_comes_back_with_what_was_typed() {
    let world = World::new().await;
    let (person, cookie) = (world.person().await, world.sign_in("kango").await);
    let list = format!("/people/{person}/documents");
    let typed = [("type", "other"), ("name", "お便り"), ("description", "")];
    let svg: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let photograph = photograph();
    let cases: [Case<'_>; 6] = [
        (&typed, "a.svg", svg, "PDF・JPEG・PNG・WebP・テキスト"),
        (&typed, "a.html", b"<!DOCTYPE html><p>", "PDF・JPEG・PNG・WebP・テキスト"),
        (&typed, "a.pdf", &PDF[..50], "途中で切れています"),
        (&typed, "a.jpg", &photograph[..photograph.len() - 2], "途中で切れています"),
        (&[("type", ""), ("name", "お便り")], "a.pdf", PDF, "書類の種類を選んでください"),
        (&[("type", "other"), ("name", "")], "a.pdf", PDF, "表題を入力してください"),
    ];
    for (fields, name, bytes, told) in cases {
        let answer = world.post_form(&list, &cookie, fields, &[("file", name, bytes)]).await;
        assert!(answer.status.is_client_error(), "{name}");
        assert!(answer.body.contains(told), "{name}: {}", answer.body);
        assert!(fields[1].1.is_empty() || answer.body.contains("お便り"), "{name}");
    }
    let none = world.post_form(&list, &cookie, &typed, &[]).await;
    assert!(none.body.contains("ファイルを選んでください"));
    let large = vec![b'a'; 21 << 20];
    let answer = world.post_form(&list, &cookie, &typed, &[("file", "a.txt", &large)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(world.get(&list, &cookie).await.body.contains("まだありません"));
}

#[tokio::test]
async fn a_note_brings_photographs_that_can_be_taken_off_until_it_is_confirmed() {
    let world = World::new().await;
    let (person, cookie) = (world.person().await, world.sign_in("kango").await);
    let notes = format!("/people/{person}/notes");
    let photograph = photograph();
    let two = [("photo", "傷1.jpg", &photograph[..]), ("photo", "傷2.jpg", &photograph[..])];
    let draft = world.post_form(&notes, &cookie, &[("text", "かかとの傷")], &two).await;
    assert_eq!(draft.status, StatusCode::SEE_OTHER, "{}", draft.body);
    let look = world.get(draft.header("location"), &cookie).await;
    assert!(look.body.contains("傷1.jpg") && look.body.contains("傷2.jpg"), "{}", look.body);

    let edit = draft.header("location").replace("/look", "/edit");
    let form = world.get(&edit, &cookie).await;
    let first = between(&form.body, "name=\"drop\" value=\"", "\"");
    let fields = [("text", "かかとの傷、2cm"), ("version", "1"), ("drop", first)];
    let third = [("photo", "傷3.jpg", &photograph[..])];
    let edited = world.post_form(&edit, &cookie, &fields, &third).await;
    assert_eq!(edited.status, StatusCode::SEE_OTHER, "{}", edited.body);
    let confirm = draft.header("location").replace("/look", "/confirm");
    let confirmed = world.post(&confirm, &cookie, &[("version", "2")]).await;
    assert_eq!(confirmed.status, StatusCode::SEE_OTHER, "{}", confirmed.body);
    let page = world.get(&format!("/people/{person}"), &cookie).await;
    assert!(page.body.contains("かかとの傷、2cm"), "{}", page.body);
    assert!(!page.body.contains("傷1.jpg") && page.body.contains("傷2.jpg") && page.body.contains("傷3.jpg"));
    let picture = between(&page.body, "<img src=\"", "\"").to_owned();
    assert_eq!(world.get(&picture, &cookie).await.header("content-type"), "image/jpeg");

    // A page or drawing is no photograph; what was typed is still there.
    let wrong = [("photo", "a.svg", &b"<svg></svg>"[..])];
    let refused = world.post_form(&notes, &cookie, &[("text", "本文は残る")], &wrong).await;
    assert!(refused.status.is_client_error() && refused.body.contains("本文は残る"));
    // An amendment changes the text and leaves the photographs.
    let record = confirm.replace("/confirm", "");
    let form = [("text", "かかとの傷、3cm"), ("version", "3")];
    let amended = world.post(&format!("{record}/amend"), &cookie, &form).await;
    assert_eq!(amended.status, StatusCode::SEE_OTHER, "{}", amended.body);
    assert!(world.get(&record, &cookie).await.body.contains("傷3.jpg"));
}
