//! A pack on disk with a register and a procedure of its own, used through HTTP: what an organisation
//! writes works without the program being built anew.

use std::path::Path;

use axum::http::StatusCode;
use mimamori_policy::Pack;
use mimamori_web::Settings;

use crate::rules::{check, check_markup, look};
use crate::world::World;

const PACK: &str = r#"
id: town
extends: base
ja: "みほん町の規程パック"
en: "The pack of Mihon Town"
organisation-ja: "みほん町"
organisation-en: "Mihon Town"
languages: [ja, en]
catalogues: []
parameters: [{key: second-factor.required-of, value: nobody}]
"#;

const REGISTER: &str = r#"
registers:
  - code: loan-ledger
    ja: "貸出台帳"
    en: "Loan ledger"
    help-ja: "町の備品を貸し出すときに記載します。"
    help-en: "Every loan of the town's equipment."
    clauses: []
    keeper: [security-manager]
    writers: [operations-manager]
    readers: [anyone]
    per: installation
    title: [item, lent-at]
    fields:
      - {code: item, ja: "品名", en: "item", type: text, required: true, most: 40}
      - {code: note, ja: "備考", en: "note", type: long-text}
      - {code: weight, ja: "重さ", en: "weight", type: number, least: 0, most: 100, decimals: 1, unit-ja: "kg", unit-en: "kg"}
      - {code: bought-on, ja: "購入日", en: "bought on", type: date}
      - {code: opens, ja: "受付の時刻", en: "opens at", type: time}
      - {code: lent-at, ja: "貸出日時", en: "lent at", type: date-time, required: true}
      - {code: back-at, ja: "返却日時", en: "back at", type: date-time}
      - {code: days, ja: "貸出日数", en: "days lent", type: derived, derive: {from: lent-at, until: back-at}}
      - {code: kind, ja: "区分", en: "kind", type: choice, required: true, choices: [{code: tablet, ja: "タブレット", en: "tablet"}, {code: car, ja: "車", en: "car"}]}
      - {code: parts, ja: "付属品", en: "parts", type: choice, many: true, choices: [{code: cable, ja: "ケーブル", en: "cable"}, {code: case, ja: "ケース", en: "case"}, {code: key, ja: "鍵", en: "key"}]}
      - {code: plate, ja: "車両番号", en: "number plate", type: text, required: true, when: {field: kind, is: [car]}}
      - {code: insured, ja: "保険がある", en: "insured", type: yes-no, required: true}
      - {code: lender, ja: "貸した人", en: "lent by", type: person, required: true}
      - {code: users, ja: "使う人", en: "used by", type: person, many: true}
      - {code: place, ja: "使う施設", en: "used at", type: institution}
      - {code: whose, ja: "対象者", en: "whose care", type: subject}
      - {code: device, ja: "資産", en: "asset", type: asset}
      - {code: before, ja: "前回の貸出", en: "the loan before", type: entry, register: loan-ledger}
      - {code: paper, ja: "借用書", en: "receipt", type: file}
"#;

const PROCEDURE: &str = r#"
procedures:
  - code: loan
    ja: "備品の借用"
    en: "Borrowing equipment"
    help-ja: "町の備品を借りるときに申請します。"
    help-en: "Ask here before you borrow equipment."
    clauses: []
    kind: application
    applicants: [anyone]
    fields:
      - {code: item, ja: "品名", en: "item", type: text, required: true}
      - {code: from, ja: "借りる日時", en: "from", type: date-time, required: true}
      - {code: kind, ja: "区分", en: "kind", type: choice, required: true, choices: [{code: tablet, ja: "タブレット", en: "tablet"}, {code: car, ja: "車", en: "car"}]}
      - {code: why, ja: "理由", en: "reason", type: long-text, required: true}
      - {code: plan, ja: "計画書", en: "plan", type: file}
    print: {number: "様式第7号", title-ja: "備品借用申請書", title-en: "Application to borrow equipment", to-ja: "みほん町長", to-en: "the mayor of Mihon", rows: [[item, kind], [from], [why], [hand-over.lent-by]]}
    steps:
      - {code: first, ja: "係長の承認", en: "first approval", kind: approve, by: [operations-manager], deadline: P3D}
      - {code: second, ja: "管理者の承認", en: "second approval", kind: approve, by: [security-manager], deadline: P3D}
      - {code: third, ja: "最高責任者の承認", en: "third approval", kind: approve, by: [ciso], deadline: P3D}
      - code: hand-over
        ja: "引き渡し"
        en: "handing over"
        kind: carry-out
        by: [operations-manager]
        fields:
          - {code: lent-by, ja: "引き渡した人", en: "handed over by", type: person, required: true}
          - {code: insured, ja: "保険がある", en: "insured", type: yes-no, required: true}
    records: {register: loan-ledger, fields: {item: item, lent-at: from, kind: kind, note: why, lender: hand-over.lent-by, insured: hand-over.insured}}
"#;

fn write(folder: &Path, register: &str, procedure: &str) -> Pack {
    for name in ["registers", "procedures"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("pack.yaml"), PACK).unwrap();
    std::fs::write(folder.join("registers/loan.yaml"), register).unwrap();
    std::fs::write(folder.join("procedures/loan.yaml"), procedure).unwrap();
    Pack::load(folder).unwrap()
}

async fn world(pack: Pack) -> World {
    let world = World::with_pack(Settings { tls: false, ..Settings::default() }, pack).await;
    for (login, name, role) in [
        ("unyo", "試験 運用子", "operations-manager"),
        ("kanri", "試験 管理子", "security-manager"),
        ("saiko", "試験 最高子", "ciso"),
        ("kansa", "試験 監査子", "auditor"),
    ] {
        world.staff(login, name, &[role]).await;
    }
    world
}

const LOAN: [(&str, &str); 8] = [
    ("f.item", "訪問用タブレット3号"),
    ("f.lent-at", "2026-11-01T09:00"),
    ("f.back-at", "2026-11-04T09:00"),
    ("f.kind", "tablet"),
    ("f.parts", "cable"),
    ("f.insured", "no"),
    ("f.weight", "0.5"),
    ("f.lender", "運用子"),
];

#[tokio::test]
async fn a_register_of_the_pack_takes_every_type_of_field() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(write(folder.path(), REGISTER, PROCEDURE)).await;
    let person = world.person().await;
    let cookie = world.sign_in("unyo").await;
    let base = "/rules/registers/loan-ledger";
    let form = look(&world, &format!("{base}/new"), &cookie, "every field").await;
    for control in [
        "type=\"date\"",
        "type=\"time\"",
        "type=\"datetime-local\"",
        "type=\"radio\"",
        "type=\"checkbox\"",
        "type=\"file\"",
        "inputmode=\"decimal\"",
        "<datalist id=\"list-people\">",
        "「区分」が「車」のとき",
    ] {
        assert!(form.body.contains(control), "{control}: {}", form.body);
    }
    // A condition makes a field required; a file that is none of the known kinds is refused.
    let mut car = LOAN.to_vec();
    car[3].1 = "car";
    let bad = world.post_form(&format!("{base}/entries"), &cookie, &car, &[]).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.body.contains("id=\"f-plate-error\""), "{}", bad.body);
    check_markup(&bad.body, "a form with a fault");
    let file = [("f.paper", "x.exe", &b"MZ\0\x01"[..])];
    let bad = world.post_form(&format!("{base}/entries"), &cookie, &LOAN, &file).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.body.contains("id=\"f-paper-error\""), "{}", bad.body);
    // More places for a list, without losing what was typed.
    let mut more = LOAN.to_vec();
    more.push(("more", "users"));
    let again = world.post_form(&format!("{base}/entries"), &cookie, &more, &[]).await;
    check(&again, "more places");
    assert!(again.body.contains("id=\"f-users-7\"") && again.body.contains("訪問用タブレット3号"));

    let mut whole = LOAN.to_vec();
    let subject = format!("/people/{person}");
    whole.extend([
        ("f.parts", "case"),
        ("f.users", "管理子"),
        ("f.users", "監査子"),
        ("f.users", ""),
        ("f.place", "みほん訪問看護"),
        ("f.whose", subject.as_str()),
    ]);
    let file = [("f.paper", "借用書.pdf", &b"%PDF-1.7 receipt"[..])];
    let added = world.post_form(&format!("{base}/entries"), &cookie, &whole, &file).await;
    assert_eq!(added.status, StatusCode::SEE_OTHER, "{}", added.body);
    let entry = added.header("location").split('?').next().unwrap().to_owned();
    let page = look(&world, &entry, &cookie, "an entry of every type").await;
    for shown in [
        "0.5 kg",
        "ケーブル",
        "ケース",
        "試験 監査子",
        "借用書.pdf",
        "2026年11月1日（日）09:00",
        subject.as_str(),
    ] {
        assert!(page.body.contains(shown), "{shown}: {}", page.body);
    }
    let link = page.body.split("/files/").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let paper = world.get(&format!("{entry}/files/{link}"), &cookie).await;
    assert_eq!((paper.status, paper.body.as_str()), (StatusCode::OK, "%PDF-1.7 receipt"));
    assert!(paper.header("content-disposition").starts_with("attachment"));
    let other = mimamori_domain::ObjectId::random();
    assert_eq!(world.get(&format!("{entry}/files/{other}"), &cookie).await.status, StatusCode::NOT_FOUND);
    look(&world, base, &cookie, "a register of the town").await;
    look(&world, &format!("{entry}?print"), &cookie, "an entry on paper").await;

    // Out as a table, and in again.
    let csv = world.get(&format!("{base}/export/csv"), &cookie).await;
    assert_eq!(csv.status, StatusCode::OK);
    assert!(
        csv.header("content-disposition").contains("loan-ledger-")
            && csv.body.contains("訪問用タブレット3号")
    );
    let keeper = world.sign_in("kanri").await;
    let search = [("text", "訪問用"), ("f.kind", ""), ("sort", ""), ("sort", "-item")];
    let found = world.post(base, &keeper, &search).await;
    check(&found, "a register that was searched");
    assert!(found.body.contains(&format!("formaction=\"{base}/export/csv\"")), "{}", found.body);
    assert!(found.body.contains("name=\"sort\" value=\"-item\""), "{}", found.body);
    let table = world.post(&format!("{base}/export/csv"), &keeper, &search).await;
    assert!(table.header("content-disposition").contains("loan-ledger-"));
    assert_eq!(table.body.lines().filter(|line| line.contains("訪問用タブレット3号")).count(), 1);
    let nothing = [("text", "どこにもない品名")];
    let table = world.post(&format!("{base}/export/csv"), &keeper, &nothing).await;
    assert_eq!((table.status, table.body.lines().count()), (StatusCode::OK, 1), "{}", table.body);
    let book = world.post(&format!("{base}/export/xlsx"), &keeper, &search).await;
    assert!(book.header("content-type").contains("spreadsheetml"));
    look(&world, &format!("{base}/import"), &keeper, "import").await;
    let table = "品名,貸出日時,区分,保険がある,貸した人\n台車,2026-11-02T10:00,tablet,いいえ,unyo\n";
    let wrong = table.replace("2026-11-02T10:00", "きのう");
    let file = [("table", "t.csv", wrong.as_bytes())];
    let bad = world.post_form(&format!("{base}/import"), &keeper, &[], &file).await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY, "{}", bad.body);
    check_markup(&bad.body, "import with faults");
    assert!(bad.body.contains("<td"), "{}", bad.body);
    let file = [("table", "t.csv", table.as_bytes())];
    let done = world.post_form(&format!("{base}/import"), &keeper, &[], &file).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert!(world.get(base, &keeper).await.body.contains("台車"));
}

const FORM: [(&str, &str); 4] =
    [("f.item", "公用車"), ("f.from", "2026-11-25T08:30"), ("f.kind", "car"), ("f.why", "訪問先が遠いため")];

/// The version that a page's form would send.
fn version(html: &str) -> String {
    html.split("name=\"version\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or("0")
        .to_owned()
}

async fn act(world: &World, case: &str, cookie: &str, act: &str, more: &[(&str, &str)]) -> StatusCode {
    let page = world.get(case, cookie).await;
    let seen = version(&page.body);
    let mut form = vec![("version", seen.as_str()), ("act", act)];
    form.extend_from_slice(more);
    world.post_form(&format!("{case}/act"), cookie, &form, &[]).await.status
}

/// Begins a case by the form, the last look and sending; gives its address.
async fn begin(world: &World, cookie: &str) -> String {
    let mut form = FORM.to_vec();
    form.push(("step", "check"));
    let kept = world.post_form("/rules/procedures/loan/new", cookie, &form, &[]).await;
    assert_eq!(kept.status, StatusCode::SEE_OTHER, "{}", kept.body);
    let send = kept.header("location").to_owned();
    let last = look(world, &send, cookie, "a last look before sending").await;
    assert!(last.body.contains("訪問先が遠いため"));
    let seen = version(&last.body);
    let sent = world.post(&send, cookie, &[("version", &seen)]).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    // The same button again changes nothing.
    let twice = world.post(&send, cookie, &[("version", &seen)]).await;
    assert!(twice.status.is_client_error(), "{}", twice.status);
    sent.header("location").split('?').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_procedure_of_the_pack_passes_three_approvers_and_writes_the_register() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(write(folder.path(), REGISTER, PROCEDURE)).await;
    let nurse = world.sign_in("kango").await;
    look(&world, "/rules", &nurse, "rules for a nurse").await;
    let list = look(&world, "/rules/procedures", &nurse, "procedures").await;
    assert!(list.body.contains("備品の借用"));
    look(&world, "/rules/procedures/loan/new", &nurse, "a new case").await;
    // A draft is kept as it is; what is missing is told before the last look.
    let draft = [("f.item", "公用車"), ("step", "draft")];
    let kept = world.post_form("/rules/procedures/loan/new", &nurse, &draft, &[]).await;
    let edit = kept.header("location").split('?').next().unwrap().to_owned();
    let page = look(&world, &edit, &nurse, "a draft").await;
    assert!(page.body.contains("公用車"));
    let version_of_draft = version(&page.body);
    let early = [("f.item", "公用車"), ("version", version_of_draft.as_str()), ("step", "check")];
    let told = world.post_form(&edit, &nurse, &early, &[]).await;
    assert_eq!(told.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(told.body.contains("id=\"f-why-error\""), "{}", told.body);
    let discard = edit.replace("/edit", "/discard");
    assert_eq!(
        world.post(&discard, &nurse, &[("version", &version_of_draft)]).await.status,
        StatusCode::SEE_OTHER
    );

    let case = begin(&world, &nurse).await;
    look(&world, &case, &nurse, "a case of mine").await;
    // The applicant does not approve; nor does somebody whose turn it is not.
    assert_eq!(act(&world, &case, &nurse, "pass", &[]).await, StatusCode::FORBIDDEN);
    let (operations, keeper) = (world.sign_in("unyo").await, world.sign_in("kanri").await);
    assert_ne!(act(&world, &case, &keeper, "pass", &[]).await, StatusCode::SEE_OTHER);
    let hub = look(&world, "/rules", &operations, "rules with work").await;
    assert!(hub.body.contains(&case) && hub.body.contains("class=\"waiting\""), "{}", hub.body);
    // Given back with a reason, corrected, handed in again.
    assert_eq!(act(&world, &case, &operations, "return", &[]).await, StatusCode::UNPROCESSABLE_ENTITY);
    let why = [("text", "日時を確かめてください")];
    assert_eq!(act(&world, &case, &operations, "return", &why).await, StatusCode::SEE_OTHER);
    let edit = format!("{case}/edit");
    let page = look(&world, &edit, &nurse, "a returned form").await;
    let mut form = FORM.to_vec();
    let seen = version(&page.body);
    form.extend([("version", seen.as_str()), ("step", "check")]);
    let again = world.post_form(&edit, &nurse, &form, &[]).await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.body);
    // Three approvals, each once; then handed over, which writes the entry.
    assert_eq!(act(&world, &case, &operations, "pass", &[("text", "よい")]).await, StatusCode::SEE_OTHER);
    assert_eq!(act(&world, &case, &keeper, "pass", &[]).await, StatusCode::SEE_OTHER);
    look(&world, &case, &operations, "a case under way").await;
    let chief = world.sign_in("saiko").await;
    assert_eq!(act(&world, &case, &chief, "pass", &[]).await, StatusCode::SEE_OTHER);
    look(&world, &case, &operations, "a case with work to do").await;
    let missing = act(&world, &case, &operations, "done", &[("f.insured", "yes")]).await;
    assert_eq!(missing, StatusCode::UNPROCESSABLE_ENTITY);
    let filled = [("f.insured", "yes"), ("f.lent-by", "運用子")];
    assert_eq!(act(&world, &case, &operations, "done", &filled).await, StatusCode::SEE_OTHER);
    let done = look(&world, &case, &nurse, "a finished case").await;
    assert!(done.body.contains("終了") && done.body.contains("日時を確かめてください"), "{}", done.body);
    let paper = look(&world, &format!("{case}?print"), &nurse, "a case on paper").await;
    for shown in ["様式第7号", "みほん町長", "備品借用申請書", "試験 運用子", "試験 最高子"]
    {
        assert!(paper.body.contains(shown), "{shown}: {}", paper.body);
    }
    let register = world.get("/rules/registers/loan-ledger", &keeper).await;
    assert!(register.body.contains("公用車"), "{}", register.body);
    look(&world, "/rules/cases", &nurse, "cases").await;
    let none = world.get("/rules/cases?stage=refused", &nurse).await;
    assert!(!none.body.contains(&case));
    // Nobody else sees it.
    let stranger = world.sign_in("yoso").await;
    assert_eq!(world.get(&case, &stranger).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_edited_pack_changes_the_pages() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), REGISTER, PROCEDURE);
    let register = REGISTER.replace("品名\", en: \"item\"", "備品の名前\", en: \"name of the item\"");
    let procedure = PROCEDURE.replace("by: [ciso], deadline: P3D}", "by: [auditor], deadline: P5D}");
    let world = world(write(folder.path(), &register, &procedure)).await;
    let keeper = world.sign_in("kanri").await;
    let form = look(&world, "/rules/registers/loan-ledger/new", &keeper, "an edited register").await;
    assert!(form.body.contains("備品の名前"));
    let nurse = world.sign_in("kango").await;
    let case = begin(&world, &nurse).await;
    for login in ["unyo", "kanri", "kansa"] {
        let cookie = world.sign_in(login).await;
        assert_eq!(act(&world, &case, &cookie, "pass", &[]).await, StatusCode::SEE_OTHER, "{login}");
    }
    assert!(world.get(&case, &nurse).await.body.contains("監査担当者"));
}
