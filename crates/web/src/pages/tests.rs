//! Every template with sample data, in both languages.

use askama::Template;
use jiff::civil::date;
use mimamori_app::{ActorView, May, Told};
use mimamori_domain::{
    Action, ActorId, InstitutionId, LegalBasis, Outcome, Purpose, RecordState, SubjectId, Timestamp,
};

mod around;
mod factors;
mod office;
mod people;

use super::*;
use crate::assets::Module;
use crate::diff;
use crate::forms::Fields;
use crate::language::Language;
use crate::layout::Layout;
use crate::present::chart::Columns;
use crate::present::{Item, Names, SHOWN, item, sample};

const NOTE: &str =
    "朝の訪問。体温36.8℃、食事は8割。\n右足のむくみが強くなっています。夕方の受診をお勧めしました。";
const LATER: &str =
    "朝の訪問。体温37.8℃、食事は半分。\n右足のむくみが強くなっています。夕方の受診をお勧めしました。";

/// A text that must never come out as markup.
const HOSTILE: &str = "<script>alert(1)</script>\"'&";

fn typed_before() -> super::carried::Shown {
    super::carried::Shown {
        to: "/people/1/notes".to_owned(),
        typed: vec![("text".to_owned(), HOSTILE.to_owned(), HOSTILE.to_owned())],
        along: vec![("priority".to_owned(), HOSTILE.to_owned())],
        files: true,
    }
}

fn head(texts: &'static Texts) -> Head {
    let patient = r#"{"resourceType":"Patient","gender":"female","birthDate":"1938-04-03",
        "name":[{"text":"試験 花子"},{"text":"しけん はなこ"}]}"#;
    let allergy = |what: &str, criticality: &str| {
        sample(
            "AllergyIntolerance",
            &format!(
                r#"{{"resourceType":"AllergyIntolerance","code":{{"text":"{what}"}},"criticality":"{criticality}"}}"#
            ),
        )
    };
    Head {
        person: Person::of(SubjectId::random(), &sample("Patient", patient), date(2026, 11, 21), texts),
        allergies: present::allergies(&[allergy("そば", "low"), allergy("ペニシリン", "high")], texts),
        emergency_until: None,
    }
}

fn shown_files(texts: &'static Texts) -> Vec<present::FileShown> {
    let attachment = |id: &str, kind: &str| {
        let title = HOSTILE.replace('"', "'");
        format!(
            r#"{{"contentAttachment":{{"contentType":"{kind}","url":"Binary/{id}","size":48213,"title":"{title}"}}}}"#
        )
    };
    let both = [attachment("a", "image/jpeg"), attachment("b", "application/pdf")].join(",");
    let json = format!(r#"{{"resourceType":"Communication","payload":[{{"contentString":"傷"}},{both}]}}"#);
    present::files(&sample("Communication", &json), texts)
}

fn items(texts: &'static Texts) -> Vec<Item> {
    let nurse = ActorId::random();
    let place = InstitutionId::random();
    let mut names = Names { occupations: Occupations::sample(), ..Names::default() };
    names.actors.insert(
        nurse,
        ActorView {
            id: nurse,
            name: "試験 看護子".to_owned(),
            occupation: "nurse".parse().ok(),
            institution: Some(place),
        },
    );
    names.institutions.insert(place, "みほん訪問看護ステーション".to_owned());
    let note = |text: &str| {
        format!(
            r#"{{"resourceType":"Communication","payload":[{{"contentString":{}}}]}}"#,
            serde_json::json!(text)
        )
    };
    let pressure = r#"{"resourceType":"Observation",
        "code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},
        "effectiveDateTime":"2026-11-21T09:30:00+09:00","component":[
        {"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},"valueQuantity":{"value":128,"code":"mm[Hg]"}},
        {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},"valueQuantity":{"value":76,"code":"mm[Hg]"}}]}"#;
    let medicine = r#"{"resourceType":"MedicationRequest","status":"active","authoredOn":"2026-11-01",
        "medicationCodeableConcept":{"text":"アムロジピン錠5mg"},"dosageInstruction":[{"text":"1日1回 朝食後"}]}"#;
    let kinds = [
        ("Communication", note(NOTE), RecordState::Draft),
        ("Communication", note(LATER), RecordState::Amended),
        ("Observation", pressure.to_owned(), RecordState::Confirmed),
        ("MedicationRequest", medicine.to_owned(), RecordState::AwaitingConfirmation),
        ("Communication", note(HOSTILE), RecordState::Withdrawn),
    ];
    let made = kinds.into_iter().enumerate().map(|(n, (kind, json, state))| {
        let mut stored = sample(kind, &json);
        stored.state = state;
        stored.version = if state == RecordState::Amended { 2 } else { 1 };
        stored.author = (n != 3).then_some(nurse);
        stored.on_behalf_of = (n == 2).then(ActorId::random);
        stored.institution = place;
        stored.attention = mimamori_app::Attention {
            unread: n == 1,
            seen_by: Some(n as u64),
            readers: vec![(nurse, stored.recorded); n],
            told: [None, Some((stored.recorded, true)), Some((stored.recorded, false))]
                .into_iter()
                .enumerate()
                .map(|(at, mail)| Told { actor: nurse, addressed: at == 0, mail })
                .collect(),
        };
        item(&stored, &names, texts)
    });
    made.collect()
}

fn accesses(texts: &'static Texts) -> Vec<Access> {
    let row = |action, purpose, basis, outcome, count| mimamori_app::AccessRow {
        epoch: 1,
        sequence: 7,
        recorded: Timestamp::from_micros(1_795_224_180_000_000),
        actor: Some(ActorView {
            id: ActorId::random(),
            name: "試験 医師男".to_owned(),
            occupation: "doctor".parse().ok(),
            institution: None,
        }),
        institution: Some((InstitutionId::random(), "みほん市民病院".to_owned())),
        subject: Some((SubjectId::random(), "試験 花子".to_owned())),
        action,
        kind: Some(mimamori_domain::Kind::of("Observation")),
        resource: None,
        outcome,
        count,
        purpose,
        basis,
        policies: Vec::new(),
        under: (count > 1).then(|| ActorView {
            id: ActorId::random(),
            name: HOSTILE.to_owned(),
            occupation: None,
            institution: None,
        }),
        privileges: if count > 1 { vec!["system-manager".to_owned()] } else { Vec::new() },
    };
    [
        row(Action::Read, Purpose::Care, LegalBasis::OwnCare, Outcome::Success, 12),
        row(Action::BreakGlass, Purpose::Emergency, LegalBasis::DangerToLife, Outcome::Success, 1),
        row(Action::Search, Purpose::Personal, LegalBasis::None, Outcome::Refused, 1),
    ]
    .iter()
    .map(|row| Access::of(row, &Occupations::sample(), texts))
    .collect()
}

fn days() -> Days {
    Days { from: date(2026, 11, 15), until: date(2026, 11, 21) }
}

/// Every page, by name, as HTML.
fn pages(texts: &'static Texts) -> Vec<(&'static str, String)> {
    let l = |title: &str| Layout::sample(texts, title);
    let mut out: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name, html: askama::Result<String>| out.push((name, html.unwrap()));
    let mut signing_in = l("sign-in-title");
    signing_in.who = None;
    add(
        "sign_in",
        sign_in::Form {
            stopped: true,
            late: true,
            passkeys: true,
            l: signing_in,
            login: HOSTILE.to_owned(),
            to: "/".to_owned(),
            installation_notice: String::new(),
            error: Some(texts.get("sign-in-failed")),
            needed: true,
            provider: Some(HOSTILE.to_owned()),
            still: true,
            provider_out: Some("/out".to_owned()),
            carried: Some("AQID".to_owned()),
        }
        .render(),
    );
    add("design", design::Page { l: l("design-title") }.render());
    add(
        "signed_in",
        sign_in::Signed {
            l: l("signed-in-title"),
            failed: 2,
            ended: 1,
            last: Some("–".to_owned()),
            to: "/".to_owned(),
            carried: Some(typed_before()),
        }
        .render(),
    );
    add("keys", keys::Page { l: l("keys-title"), rows: keys::rows() }.render());
    add("carried", carried::Page { l: l("carried-title"), carried: typed_before() }.render());
    let told = problem::texts_of(axum::http::StatusCode::FORBIDDEN);
    add(
        "problem",
        problem::Page {
            l: l(told.title),
            next: texts.get(told.next),
            message: HOSTILE.to_owned(),
            emergency: Some("/people/x/emergency".to_owned()),
            sign_in_elsewhere: true,
        }
        .render(),
    );
    out.extend(people::pages(texts));
    out.extend(office::pages(texts));
    out.extend(around::pages(texts));
    out.extend(factors::pages(texts));
    out
}

#[test]
fn every_template_renders_in_both_languages() {
    let templates = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).unwrap();
    let files = templates.filter(|entry| entry.as_ref().unwrap().path().is_file());
    let templates = files.count();
    for language in Language::ALL {
        let pages = pages(language.texts());
        // Three templates are parts of the others.
        assert!(pages.len() >= templates - 3);
        for (name, html) in &pages {
            assert!(html.contains(&format!("<html lang=\"{}\">", language.tag())), "{name}");
            assert_eq!(html.matches("<h1>").count(), 1, "{name}");
        }
        if let Ok(dir) = std::env::var("MIMAMORI_PAGES") {
            for (name, html) in &pages {
                std::fs::write(format!("{dir}/{name}-{}.html", language.tag()), html).unwrap();
            }
        }
    }
}

#[test]
fn pages_obey_their_content_security_policy_and_escape_what_people_write() {
    // The one script there is comes from this site, as a file.
    let scripts = [Module::Passkey, Module::Page, Module::Writing, Module::Search].map(|module| {
        format!("<script type=\"module\" src=\"/assets/{}\">", crate::assets::module_name(module))
    });
    for (name, html) in pages(Language::Japanese.texts()) {
        let html = scripts.iter().fold(html, |html, script| html.replace(script, ""));
        for forbidden in ["<script", " style=", " onclick", "javascript:", "http://", "https://"] {
            assert!(!html.contains(forbidden), "{forbidden} in {name}");
        }
    }
}

#[test]
fn every_field_has_a_label_and_ids_are_unique() {
    for (name, html) in pages(Language::English.texts()) {
        let after = |mark: &str| -> Vec<String> {
            let parts = html.split(mark).skip(1);
            parts.filter_map(|p| p.split('"').next()).map(str::to_owned).collect()
        };
        let (ids, labels) = (after(" id=\""), after("<label for=\""));
        let mut unique = ids.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "an id stands twice in {name}");
        for tag in html.split('<').filter(|t| {
            let field = ["input ", "select ", "textarea "].iter().any(|f| t.starts_with(f));
            field && !t.contains("type=\"hidden\"")
        }) {
            let id = tag.split(" id=\"").nth(1).and_then(|t| t.split('"').next());
            assert!(id.is_some_and(|id| labels.iter().any(|l| l == id)), "{tag} in {name}");
        }
    }
}

/// Elements without content (HTML Living Standard, 13.1.2), and those of drawings that close themselves.
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr",
    "!doctype",
];

#[test]
fn every_element_is_closed_where_it_was_opened() {
    for (name, html) in Language::ALL.into_iter().flat_map(|language| pages(language.texts())) {
        let mut open = Vec::new();
        for tag in html.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag) {
            let word = tag.split_whitespace().next().unwrap_or_default().to_lowercase();
            if let Some(closed) = word.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(closed), "{name}: </{closed}> within {open:?}");
            } else if !VOID.contains(&word.as_str()) && !tag.ends_with('/') {
                open.push(word);
            }
        }
        assert_eq!(open, Vec::<String>::new(), "{name}: never closed");
    }
}

#[test]
fn windows_of_days_include_both_ends_in_tokyo() {
    let window = days().window().unwrap();
    let text = |t| crate::dates::machine(t);
    assert_eq!(text(window.from), "2026-11-14T15:00:00Z");
    assert_eq!(text(window.until), "2026-11-21T15:00:00Z");
    let today = date(2026, 11, 21);
    let read = |pairs| Days::read(&Fields::of(pairs), today, 7);
    assert_eq!(read(&[]), days());
    assert_eq!(read(&[("from", "2026-11-15"), ("until", "nonsense")]), days());
    let backwards = read(&[("from", "2026-12-01"), ("until", "2026-11-21")]);
    assert!(backwards.from <= backwards.until);
}

#[test]
fn every_problem_has_its_texts() {
    for language in Language::ALL {
        for status in [400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 418, 422, 429, 500, 502, 503] {
            let status = axum::http::StatusCode::from_u16(status).unwrap();
            let told = problem::texts_of(status);
            assert!(language.texts().find(told.title).is_some(), "{}", told.title);
            assert!(language.texts().find(told.next).is_some(), "{}", told.next);
        }
    }
    assert_eq!(problem::texts_of(axum::http::StatusCode::BAD_GATEWAY).title, "problem-500-title");
    assert_eq!(problem::texts_of(axum::http::StatusCode::IM_A_TEAPOT).title, "problem-400-title");
}

#[test]
fn a_person_without_a_shown_name_is_told_by_number_and_leads_to_their_accesses() {
    let id = SubjectId::random();
    let (japanese, english) = (Language::Japanese.texts(), Language::English.texts());
    let (link, name) = super::subject_link(id, "", japanese);
    assert_eq!((link, name), (format!("/review?subject={id}"), format!("番号 {id}")));
    assert_eq!(super::numbered(id, english), format!("No. {id}"));
    let named = super::subject_link(id, "試験 花子", japanese);
    assert_eq!(named, (format!("/people/{id}"), "試験 花子".to_owned()));
}
