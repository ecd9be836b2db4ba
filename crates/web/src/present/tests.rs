use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::civil::date;
use mimamori_domain::{ClassCode, Kind, ObjectId, SubjectId, Timestamp};

use super::*;
use crate::language::Language;

/// A stored confirmed record with made-up frame.
pub(crate) fn sample(kind: &str, json: &str) -> Stored {
    Stored {
        id: ObjectId::random(),
        kind: Kind::new(kind).unwrap(),
        version: 1,
        subject: Some(SubjectId::random()),
        class: ClassCode::new("notes").unwrap(),
        state: RecordState::Confirmed,
        institution: InstitutionId::random(),
        author: None,
        on_behalf_of: None,
        confirmer: None,
        recorded: Timestamp::from_micros(1_795_224_180_000_000),
        attention: mimamori_app::Attention::default(),
        withdrawn_because: None,
        bytes: Bytes::from(json.to_owned()),
    }
}

fn shown(json: &str) -> Content {
    shown_in(json, Language::Japanese)
}

fn shown_in(json: &str, language: Language) -> Content {
    let resource = parse(json.as_bytes(), &Limits::default()).unwrap();
    content(&resource, language.texts())
}

fn lines(content: &Content) -> Vec<String> {
    content.lines.iter().map(|l| format!("{}={}", l.label, l.value)).collect()
}

#[test]
fn blood_pressure_shows_both_values_with_units() {
    let json = r#"{"resourceType":"Observation","status":"final",
        "code":{"coding":[{"system":"http://loinc.org","code":"85354-9"}]},
        "effectiveDateTime":"2026-11-21T09:30:00+09:00",
        "component":[
          {"code":{"coding":[{"system":"http://loinc.org","code":"8480-6"}]},
           "valueQuantity":{"value":128,"unit":"mmHg","code":"mm[Hg]"}},
          {"code":{"coding":[{"system":"http://loinc.org","code":"8462-4"}]},
           "valueQuantity":{"value":76,"unit":"mmHg","code":"mm[Hg]"}}]}"#;
    let content = shown(json);
    assert_eq!(content.title, "血圧");
    assert_eq!(content.happened.as_deref(), Some("2026年11月21日（土）09:30"));
    assert_eq!(lines(&content), ["血圧（上）=128 mmHg", "血圧（下）=76 mmHg"]);
}

#[test]
fn decimals_stay_as_received_and_units_are_words() {
    let json = r#"{"resourceType":"Observation","status":"final",
        "code":{"coding":[{"system":"http://loinc.org","code":"8310-5"}]},
        "valueQuantity":{"value":37.0,"unit":"C","code":"Cel"}}"#;
    assert_eq!(lines(&shown(json)), ["値=37.0℃"]);
    let json = r#"{"resourceType":"Observation","status":"final","code":{"text":"HbA1c"},
        "valueQuantity":{"value":6.50,"comparator":"<","unit":"%"},
        "interpretation":[{"text":"高め"}]}"#;
    let content = shown(json);
    assert_eq!(content.title, "HbA1c");
    assert_eq!(lines(&content), ["値=<6.50%", "判定=高め"]);
}

#[test]
fn conditions_and_medicines_are_told_in_short() {
    let condition = r#"{"resourceType":"Condition",
        "clinicalStatus":{"coding":[{"system":"x","code":"active"}]},
        "code":{"coding":[{"system":"y","code":"I10","display":"本態性高血圧症"}]},
        "onsetDateTime":"2019-05"}"#;
    let content = shown(condition);
    assert_eq!(content.title, "本態性高血圧症");
    assert_eq!(content.happened.as_deref(), Some("2019年5月"));
    assert_eq!(lines(&content), ["状況=有効・継続中"]);
    let medicine = r#"{"resourceType":"MedicationRequest","status":"active","intent":"order",
        "medicationCodeableConcept":{"text":"アムロジピン錠5mg"},"authoredOn":"2026-11-01",
        "dosageInstruction":[{"text":"1日1回朝食後"},{"text":"頓用"}],
        "dispenseRequest":{"expectedSupplyDuration":{"value":28,"unit":"日","code":"d"}}}"#;
    let content = shown(medicine);
    assert_eq!(content.title, "アムロジピン錠5mg");
    assert_eq!(lines(&content), ["状況=有効・継続中", "用法・用量=1日1回朝食後、頓用", "日数=28日"]);
    assert_eq!(lines(&shown_in(medicine, Language::English))[0], "Status=Active");
}

#[test]
fn documents_show_their_files_once() {
    let json = r#"{"resourceType":"DocumentReference","status":"current","description":"退院サマリー",
        "content":[{"attachment":{"contentType":"application/pdf","title":"退院サマリー"}}]}"#;
    let content = shown(json);
    assert_eq!(content.title, "退院サマリー");
    assert_eq!(lines(&content), ["状況=有効", "形式=application/pdf"]);
}

#[test]
fn notes_keep_their_line_breaks_and_markup_is_text() {
    let json = r#"{"resourceType":"Communication","status":"completed",
        "payload":[{"contentString":"1行目\n<b>2行目</b>"},{"contentString":"次"}]}"#;
    let content = shown(json);
    assert_eq!(content.title, "記録");
    assert_eq!(content.note.as_deref(), Some("1行目\n<b>2行目</b>\n\n次"));
}

#[test]
fn the_time_shown_is_when_it_happened() {
    let note = |sent: &str| {
        let json =
            format!(r#"{{"resourceType":"Communication",{sent}"payload":[{{"contentString":"朝の訪問"}}]}}"#);
        item(&sample("Communication", &json), &Names::default(), Language::Japanese.texts())
    };
    // Recorded on 21 November at 10:23.
    let hours_before = note(r#""sent":"2026-11-21T07:05:00+09:00","#);
    assert_eq!(hours_before.when, "2026年11月21日（土）07:05");
    assert_eq!(hours_before.when_machine.as_deref(), Some("2026-11-20T22:05:00Z"));
    assert!(hours_before.recorded_apart && hours_before.recorded.ends_with("10:23"));
    let just_before = note(r#""sent":"2026-11-21T10:20:00+09:00","#);
    assert!(just_before.when.ends_with("10:20") && !just_before.recorded_apart);
    // Where only the day is stated, the time of recording tells more.
    let that_day = note(r#""sent":"2026-11-21","#);
    assert_eq!((that_day.when.as_str(), that_day.when_machine.as_deref()), ("2026年11月21日（土）", None));
    assert!(that_day.recorded_apart);
    let unstated = note("");
    assert!(unstated.when.ends_with("10:23") && !unstated.recorded_apart);
}

#[test]
fn a_type_without_a_row_and_unreadable_content_still_show() {
    let content = shown(r#"{"resourceType":"PractitionerRole"}"#);
    assert_eq!(content.title, "業務利用者の役割");
    let broken = item(&sample("Observation", "{"), &Names::default(), Language::Japanese.texts());
    assert_eq!(broken.kind, "測定・検査");
    assert_eq!(broken.content, Content::default());
}

const PATIENT: &str = r#"{"resourceType":"Patient","gender":"female","birthDate":"1938-04-03","name":[
    {"use":"maiden","text":"旧姓 花子"},
    {"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"SYL"}],
     "use":"official","family":"ミマモリ","given":["ハナコ"]},
    {"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation","valueCode":"IDE"}],
     "use":"official","family":"見守","given":["花子"]}]}"#;

#[test]
fn a_person_is_named_as_written_with_kana_age_and_era() {
    let (subject, today) = (SubjectId::random(), date(2026, 11, 21));
    let texts = Language::Japanese.texts();
    let person = Person::of(subject, &sample("Patient", PATIENT), today, texts);
    assert_eq!(person.name, "見守 花子");
    assert_eq!(person.kana.as_deref(), Some("ミマモリ ハナコ"));
    assert_eq!(person.age.as_deref(), Some("88歳"));
    assert_eq!(person.birth.as_deref(), Some("昭和13年4月3日（1938年）"));
    assert_eq!(person.sex.as_deref(), Some("女性"));
    // Without the extension, what is written in kana is the kana.
    let plain = r#"{"resourceType":"Patient","name":[{"text":"みまもり はなこ"},{"text":"見守 花子"}]}"#;
    let person = Person::of(subject, &sample("Patient", plain), today, texts);
    assert_eq!((person.name.as_str(), person.kana.as_deref()), ("見守 花子", Some("みまもり はなこ")));
    let nameless = Person::of(subject, &sample("Patient", r#"{"resourceType":"Patient"}"#), today, texts);
    assert_eq!(nameless.name, "（氏名の記録なし）");
}

#[test]
fn severe_allergies_come_first_and_past_ones_not_at_all() {
    let allergy = |what: &str, status: &str, criticality: &str| {
        let json = format!(
            r#"{{"resourceType":"AllergyIntolerance","code":{{"text":"{what}"}},"criticality":"{criticality}",
            "clinicalStatus":{{"coding":[{{"code":"{status}"}}]}}}}"#
        );
        sample("AllergyIntolerance", &json)
    };
    let records = [
        allergy("卵", "active", "low"),
        allergy("ペニシリン", "active", "high"),
        allergy("猫", "resolved", "low"),
    ];
    let shown = allergies(&records, Language::Japanese.texts());
    let shown: Vec<_> = shown.iter().map(|a| (a.what.as_str(), a.severe)).collect();
    assert_eq!(shown, [("ペニシリン", true), ("卵", false)]);
}

#[test]
fn every_word_that_the_tables_use_exists_in_both_languages() {
    let mut keys: BTreeSet<&str> = views::label_keys().collect();
    keys.extend(vital::VITALS.iter().map(|v| v.word));
    keys.extend(vital::UNITS.iter().map(|(_, key)| *key));
    for language in Language::ALL {
        for key in &keys {
            assert!(language.texts().find(key).is_some(), "{key}");
        }
    }
    let shown: BTreeSet<&str> = views::kinds().collect();
    for kind in SHOWN {
        assert!(shown.contains(kind), "{kind} can be chosen and is not presented");
    }
}

#[test]
fn every_unit_of_the_form_is_shown_as_entered() {
    for vital in vital::VITALS.iter().filter(|v| v.entry.is_some()) {
        let json = format!(
            r#"{{"resourceType":"Observation","status":"final",
            "code":{{"coding":[{{"system":"http://loinc.org","code":"{}"}}]}},
            "valueQuantity":{{"value":50,"code":"{}","unit":"?"}}}}"#,
            vital.code, vital.unit
        );
        let value = lines(&shown(&json)).join("");
        let expected = vital::unit_word(Some(vital.unit), Language::Japanese.texts());
        let expected = expected.unwrap_or_else(|| "?".to_owned());
        assert!(value.ends_with(&expected), "{value} {expected}");
    }
}
