//! Every template with sample data, in both languages.

use askama::Template;
use jiff::civil::date;
use mimamori_app::{ActorView, May, Told};
use mimamori_domain::{
    Action, ActorId, InstitutionId, LegalBasis, Outcome, Purpose, RecordState, SubjectId, Timestamp,
};

mod around;
mod factors;

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
    let people = || vec![head(texts).person, head(texts).person];
    let latest = || home::Latest {
        when: "10:23".to_owned(),
        when_machine: "2026-11-21T01:23:00Z".to_owned(),
        what: HOSTILE.to_owned(),
    };
    let card =
        |unread| home::Card { person: head(texts).person, unread, addressed: 1, newest: Some(latest()) };
    let unfinished = |awaits| home::Unfinished {
        person: head(texts).person,
        kind: texts.get("kind-Communication"),
        awaits,
        when: "10:23".to_owned(),
        when_machine: "2026-11-21T01:23:00Z".to_owned(),
        page: "/r".to_owned(),
    };
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
    add(
        "home",
        home::Page {
            l: l("home-title").current("home").done("confirmed"),
            unread_days: 30,
            unread: vec![card(3)],
            people: vec![card(0)],
            unfinished: [true, false].into_iter().map(unfinished).collect(),
            urgent: [false].into_iter().map(unfinished).collect(),
            notices: vec![home::Told {
                page: "/rules/registers/notices/entries/x".to_owned(),
                title: HOSTILE.to_owned(),
                when: "2026年11月21日（土）".to_owned(),
                when_machine: "2026-11-21".to_owned(),
            }],
            waiting: Some(2),
            next: Some("/?cursor=x".to_owned()),
            later: false,
            own: false,
            finds: true,
        }
        .render(),
    );
    for (name, own, finds) in [("home_empty", false, true), ("home_own_empty", true, false)] {
        let l = l("home-title").current("home");
        let (unread, people, unfinished) = (Vec::new(), Vec::new(), Vec::new());
        let (waiting, next, later, unread_days) = (None, None, false, 30);
        add(
            name,
            home::Page {
                l,
                unread_days,
                unread,
                people,
                unfinished,
                urgent: Vec::new(),
                notices: Vec::new(),
                waiting,
                next,
                later,
                own,
                finds,
            }
            .render(),
        );
    }
    for (name, found) in [("search", people()), ("search_empty", Vec::new())] {
        add(
            name,
            search::Page {
                l: l("search-title").current("search"),
                terms: search::Terms { name: HOSTILE.to_owned(), ..search::Terms::default() },
                error: Some(texts.get("search-birth-form")),
                found: Some(search::Found {
                    offers_emergency: found.is_empty(),
                    in_emergency: !found.is_empty(),
                    people: found,
                    total: Some(2),
                    next: Some("c".to_owned()),
                }),
            }
            .render(),
        );
    }
    let kinds = SHOWN.into_iter().map(|code| person::Choice {
        code: code.to_owned(),
        word: present::kind(code, texts),
        chosen: code == "Observation",
    });
    let choice = || person::Choice { code: "x".to_owned(), word: HOSTILE.to_owned(), chosen: true };
    let narrowed = person::Narrowed {
        kinds: kinds.collect(),
        institutions: vec![choice()],
        authors: vec![choice()],
        from: "2026-11-01".to_owned(),
        unread: true,
        some: true,
        ..person::Narrowed::default()
    };
    let may = May {
        write_note: true,
        write_vital_signs: true,
        write_document: true,
        write_visit: true,
        review: true,
    };
    add(
        "person",
        person::Page {
            l: l("person-title"),
            head: head(texts),
            may,
            narrowed,
            items: items(texts),
            later: true,
            next: Some("/".to_owned()),
            team: vec!["試験 看護子".to_owned()],
        }
        .render(),
    );
    let mut broken_glass = head(texts);
    broken_glass.emergency_until = Some("10:00".to_owned());
    broken_glass.allergies.clear();
    add(
        "person_empty",
        person::Page {
            l: l("person-title").done("emergency"),
            head: broken_glass,
            may: May::default(),
            narrowed: person::Narrowed::default(),
            items: Vec::new(),
            later: false,
            next: None,
            team: Vec::new(),
        }
        .render(),
    );
    let fact = || summary::Fact {
        title: HOSTILE.to_owned(),
        detail: HOSTILE.to_owned(),
        when: "2026".to_owned(),
        by: HOSTILE.to_owned(),
        page: "/r".to_owned(),
    };
    let told = || summary::Summary {
        blood: Some("A".to_owned()),
        medicines: vec![fact(), fact()],
        conditions: vec![fact()],
        contacts: vec![summary::Contact {
            name: HOSTILE.to_owned(),
            relation: HOSTILE.to_owned(),
            phones: "03-0000-0000".to_owned(),
        }],
        team: vec![HOSTILE.to_owned()],
        more: true,
    };
    for (name, summary) in [("summary", told()), ("summary_empty", summary::Summary::default())] {
        add(name, summary::Page { l: l("summary-title"), head: head(texts), may, summary }.render());
    }
    for (name, summary) in [("card", told()), ("card_empty", summary::Summary::default())] {
        let (made, by) = ("10:23".to_owned(), HOSTILE.to_owned());
        add(name, summary::Card { l: l("card-title"), head: head(texts), summary, made, by }.render());
    }
    for (name, items) in [
        (
            "check_ups",
            vec![check_ups::Shown {
                id: "item-0".to_owned(),
                word: HOSTILE.to_owned(),
                chart: Some(present::chart::Chart::default()),
                rows: vec![("2026".to_owned(), HOSTILE.to_owned())],
                ..check_ups::Shown::default()
            }],
        ),
        ("check_ups_empty", Vec::new()),
    ] {
        add(name, check_ups::Page { l: l("check-ups-title"), head: head(texts), items, more: true }.render());
    }
    for (name, items, reached) in
        [("found", items(texts), None), ("found_none", Vec::new(), Some("10:00".to_owned()))]
    {
        let next = reached.is_some().then(|| "x".to_owned());
        add(
            name,
            find::Page {
                l: l("find-title"),
                head: head(texts),
                words: HOSTILE.to_owned(),
                error: None,
                found: Some(find::Found { items, reached, next }),
            }
            .render(),
        );
    }
    for (name, amends) in [("note_form", false), ("note_amend", true)] {
        add(
            name,
            note::Form {
                l: l("note-title"),
                head: head(texts),
                action: "/".to_owned(),
                text: NOTE.to_owned(),
                sending: (!amends).then(|| note::Sending {
                    templates: vec![("/t".to_owned(), HOSTILE.to_owned(), true)],
                    template: Some("soap".to_owned()),
                    priorities: vec![choice()],
                    recipients: vec![choice()],
                    reply: Some(("x".to_owned(), HOSTILE.to_owned(), HOSTILE.to_owned())),
                }),
                version: Some(2),
                amends,
                files: shown_files(texts),
                most: "8 MB".to_owned(),
                copy_key: Some(HOSTILE.to_owned()),
                error: Some(texts.get("note-too-long")),
                back: "/".to_owned(),
            }
            .render(),
        );
    }
    for (name, carried) in [("note_look", false), ("amend_look", true)] {
        add(
            name,
            note::Look {
                l: l("look-title"),
                head: head(texts),
                text: LATER.to_owned(),
                files: shown_files(texts),
                lines: vec![present::Line { label: HOSTILE.to_owned(), value: HOSTILE.to_owned() }],
                team: vec![HOSTILE.to_owned()],
                pieces: if carried { diff::pieces(NOTE, LATER) } else { Vec::new() },
                action: "/".to_owned(),
                version: 2,
                carried,
                back: "/".to_owned(),
                discard: "/".to_owned(),
            }
            .render(),
        );
    }
    add(
        "documents",
        papers::List {
            l: l("documents-title").done("document-kept"),
            head: head(texts),
            may_write: true,
            items: vec![Item { files: shown_files(texts), ..items(texts).remove(0) }],
            later: true,
            next: Some("/".to_owned()),
        }
        .render(),
    );
    add(
        "document_form",
        papers::Form {
            l: l("document-new-title"),
            head: head(texts),
            action: "/".to_owned(),
            types: papers::TYPES
                .iter()
                .map(|(code, _)| papers::TypeChoice {
                    code,
                    word: texts.get(&format!("document-type-{code}")),
                    chosen: *code == "plan",
                })
                .collect(),
            name: HOSTILE.to_owned(),
            description: HOSTILE.to_owned(),
            most: "8 MB".to_owned(),
            error: Some(texts.get("file-missing")),
            back: "/".to_owned(),
        }
        .render(),
    );
    let typed = Fields::of(&[("temperature", "36.8"), ("systolic", "128"), ("diastolic", "76")]);
    let mut inputs = vital_signs::inputs(&typed, texts);
    inputs[0].error = Some(texts.count("vitals-decimals", 1));
    add(
        "vital_signs_form",
        vital_signs::Form {
            l: l("vitals-title"),
            head: head(texts),
            action: "/".to_owned(),
            inputs,
            at: "2026-11-21T09:30".to_owned(),
            at_error: None,
            error: Some(texts.get("vitals-check")),
            back: "/".to_owned(),
        }
        .render(),
    );
    add(
        "vital_signs_look",
        vital_signs::Look {
            l: l("vitals-look-title"),
            head: head(texts),
            action: "/".to_owned(),
            at: "2026-11-21T09:30".to_owned(),
            at_words: "09:30".to_owned(),
            inputs: vital_signs::inputs(&typed, texts),
            back: "/".to_owned(),
        }
        .render(),
    );
    let versions = items(texts).into_iter().enumerate().map(|(n, item)| record::Version {
        item,
        pieces: if n == 1 { diff::pieces(NOTE, LATER) } else { Vec::new() },
    });
    add(
        "record",
        record::Page {
            l: l("record-title").done("amended"),
            head: Some(head(texts)),
            kind: texts.get("kind-Communication"),
            versions: versions.collect(),
            steps: record::Steps {
                base: "/r".to_owned(),
                version: 2,
                go_on: true,
                confirm: true,
                amend: true,
                withdraw: true,
                discard: true,
                reply: Some("/people/x/notes/new?reply=y".to_owned()),
            },
        }
        .render(),
    );
    for (name, last) in [("withdraw", false), ("withdraw_look", true)] {
        add(
            name,
            record::Withdraw {
                l: l("withdraw-title"),
                head: head(texts),
                item: items(texts).remove(1),
                base: "/r".to_owned(),
                version: 2,
                reason: HOSTILE.to_owned(),
                error: Some(texts.get("reason-missing")),
                last,
            }
            .render(),
        );
    }
    add(
        "discard",
        record::Discard {
            l: l("discard-title"),
            head: head(texts),
            item: items(texts).remove(1),
            base: "/r".to_owned(),
            version: 2,
        }
        .render(),
    );
    add(
        "emergency",
        emergency::Page {
            l: l("emergency-title"),
            action: "/".to_owned(),
            reason: HOSTILE.to_owned(),
            error: Some(texts.get("reason-missing")),
        }
        .render(),
    );
    let choice = |code: &str, name: &str, chosen| who_sees::Choice {
        code: code.to_owned(),
        name: name.to_owned(),
        chosen,
    };
    let sees = |name: &str, what: &str| who_sees::Row {
        name: name.to_owned(),
        what: what.to_owned(),
        institution: Some("みどり訪問看護ステーション".to_owned()),
        basis: texts.get("basis-consent"),
        because: vec![HOSTILE.to_owned()],
    };
    add(
        "who_sees",
        who_sees::Page {
            l: l("who-sees-title"),
            head: head(texts),
            classes: vec![choice("note", "記録", true), choice("plan", HOSTILE, false)],
            found: Some(who_sees::Found {
                rows: vec![sees("看護 花子", "看護師"), sees(HOSTILE, "医師")],
                count: 3,
                in_emergency: 12,
                more: true,
            }),
        }
        .render(),
    );
    let windows = || looked::windows("/w", date(2026, 11, 21), &days(), texts);
    add(
        "looked",
        looked::Page {
            l: l("looked-title"),
            head: head(texts),
            days: days(),
            windows: windows(),
            rows: accesses(texts),
            total: Some(3),
            next: Some("/".to_owned()),
        }
        .render(),
    );
    add(
        "looked_empty",
        looked::Page {
            l: l("looked-title"),
            head: head(texts),
            days: days(),
            windows: windows(),
            rows: Vec::new(),
            total: None,
            next: None,
        }
        .render(),
    );
    for (name, rows) in [("review", accesses(texts)), ("review_empty", Vec::new())] {
        add(
            name,
            review::Page {
                l: l("review-title").current("review"),
                days: days(),
                subject: String::new(),
                actor: HOSTILE.to_owned(),
                institutions: vec![review::Institution {
                    id: "1".to_owned(),
                    name: "みほん市民病院".to_owned(),
                    chosen: true,
                }],
                everywhere: true,
                error: Some(texts.get("review-bad-id")),
                found: Some(review::Found { rows, total: Some(3), next: Some("/".to_owned()) }),
            }
            .render(),
        );
    }
    for (name, some) in [("counts", true), ("counts_empty", false)] {
        let row = review::Count { name: "試験 花子".to_owned(), count: 12, link: "/review".to_owned() };
        let stretch = review::Stretch { word: HOSTILE.to_owned(), count: 12, link: "/review".to_owned() };
        add(
            name,
            review::Counts {
                l: l("counts-title"),
                days: days(),
                windows: windows(),
                course: Columns::draw(&[(12, HOSTILE.to_owned(), HOSTILE.to_owned())]),
                stretches: some.then_some(stretch).into_iter().collect(),
                rows: some.then_some(row).into_iter().collect(),
            }
            .render(),
        );
    }
    let terminal = |active: bool| terminals::Row {
        id: "x".to_owned(),
        name: HOSTILE.to_owned(),
        place: "2階ナースステーション".to_owned(),
        institution: "みほん市民病院".to_owned(),
        owner: if active { "試験 看護子".to_owned() } else { String::new() },
        asset: active.then(|| "/rules/registers/asset-ledger/entries/x".to_owned()),
        active,
        because: HOSTILE.to_owned(),
        until: "2027年11月21日（日）09:30".to_owned(),
        expiring: active,
    };
    for (name, rows) in
        [("terminals", vec![terminal(true), terminal(false)]), ("terminals_empty", Vec::new())]
    {
        add(
            name,
            terminals::Page {
                l: l("terminals-title").current("accounts").done("terminal-revoked"),
                error: rows.is_empty().then(|| texts.get("reason-missing")),
                rows,
                institutions: vec![review::Institution {
                    id: "1".to_owned(),
                    name: "みほん市民病院".to_owned(),
                    chosen: true,
                }],
                name: HOSTILE.to_owned(),
                place: String::new(),
                owner: String::new(),
                asset: String::new(),
            }
            .render(),
        );
    }
    add(
        "terminal_file",
        terminals::Given {
            l: l("terminal-file-title").current("accounts"),
            name: HOSTILE.to_owned(),
            passphrase: "abcd-efgh-jkmn-pqrs-tuvw".to_owned(),
            until: "2027年11月21日（日）09:30".to_owned(),
            file: "MIIK".to_owned(),
        }
        .render(),
    );
    let program = |active: bool| programs::Row {
        id: "x".to_owned(),
        name: HOSTILE.to_owned(),
        institution: "みほん市民病院".to_owned(),
        scopes: vec!["system/Observation.rs".to_owned(), "system/Patient.rs".to_owned()],
        keys: vec![(HOSTILE.to_owned(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs".to_owned())],
        terminal: active.then(|| HOSTILE.to_owned()),
        last: active.then(|| "2026年11月21日（土）09:30".to_owned()),
        active,
        because: HOSTILE.to_owned(),
    };
    for (name, rows) in [("programs", vec![program(true), program(false)]), ("programs_empty", Vec::new())] {
        add(
            name,
            programs::Page {
                l: l("programs-title").current("accounts").done("program-added"),
                error: rows.is_empty().then(|| texts.get("program-institution-missing")),
                rows,
                institutions: vec![review::Institution {
                    id: "1".to_owned(),
                    name: "みほん市民病院".to_owned(),
                    chosen: true,
                }],
                terminals: vec![("1".to_owned(), HOSTILE.to_owned(), true)],
                name: HOSTILE.to_owned(),
                scopes: HOSTILE.to_owned(),
                keys: HOSTILE.to_owned(),
            }
            .render(),
        );
    }
    add(
        "program_revoke",
        programs::Revoke {
            l: l("program-revoke-title"),
            row: program(true),
            reason: HOSTILE.to_owned(),
            error: Some(texts.get("reason-missing")),
        }
        .render(),
    );
    for (name, revokes) in [("terminal_renew", false), ("terminal_revoke", true)] {
        add(
            name,
            terminals::Change {
                l: l(terminals::words(revokes)[1]),
                row: terminal(true),
                text: texts.get(terminals::words(revokes)[2]),
                button: texts.get(terminals::words(revokes)[3]),
                action: "/".to_owned(),
                revokes,
                reason: HOSTILE.to_owned(),
                error: Some(texts.get("reason-missing")),
            }
            .render(),
        );
    }
    let account = |active: bool| accounts::Row {
        base: "/admin/accounts/x".to_owned(),
        login: "kango".to_owned(),
        name: HOSTILE.to_owned(),
        occupation: "看護師".to_owned(),
        roles: "–".to_owned(),
        active,
        last: active.then(|| ("2026-11-21T00:30:00Z".to_owned(), "2026年11月21日（土）09:30".to_owned())),
        may_stop: active,
        may_resume: !active,
        may_change: active,
        may_reissue: true,
        locked: active.then(|| "2026年11月21日（土）10:00".to_owned()),
        leaked: !active,
        unused: active,
        ends: active.then(|| "2027年3月31日（水）00:00".to_owned()),
        because: (!active).then(|| HOSTILE.to_owned()),
        closed: !active,
        first: active.then(|| "2026年11月24日（火）09:30".to_owned()),
    };
    for (name, some) in [("account", true), ("account_plain", false)] {
        add(
            name,
            account_life::Page {
                l: l("account-title").current("accounts"),
                row: account(some),
                institution: some.then(|| HOSTILE.to_owned()),
                sort: texts.get("sort-maintenance"),
                sorts: vec![("ordinary", texts.get("sort-ordinary"), some)],
                ends: some.then(|| "2027年4月1日（木）00:00".to_owned()),
                ends_because: some.then(|| HOSTILE.to_owned()),
                closes: some,
                stopped_because: (!some).then(|| texts.get("because-unused")),
                closed: (!some).then(|| "2026年11月24日（火）09:30".to_owned()),
                planned: vec![("2026年12月1日（火）00:00".to_owned(), texts.get("planned-institution"))],
                windows: vec![("2026年12月1日（火）09:00".to_owned(), "2026年12月1日（火）12:00".to_owned())],
                seals: some,
                held: if some { vec![(HOSTILE.to_owned(), HOSTILE.to_owned())] } else { Vec::new() },
                may_end: some,
                may_close: some,
                link: some.then(|| mimamori_app::LinkView {
                    issuer: "idp.example.jp".to_owned(),
                    subject: HOSTILE.to_owned(),
                    since: Timestamp::from_micros(1_795_224_180_000_000),
                    current: false,
                }),
                since: "2026年11月21日（土）09:30".to_owned(),
                may_link: true,
                shared: some,
                people: HOSTILE.to_owned(),
                subject: HOSTILE.to_owned(),
                at: "2027-04-01T00:00".to_owned(),
                reason: HOSTILE.to_owned(),
                back: "/".to_owned(),
                error: some.then(|| texts.get("ends-wrong")),
            }
            .render(),
        );
        add(
            if some { "emergency_accounts" } else { "emergency_accounts_none" },
            account_emergency::Page {
                l: l("emergency-uses").current("accounts"),
                rows: (0..usize::from(some))
                    .map(|n| account_emergency::Row {
                        id: n.to_string(),
                        version: 1,
                        login: "hijo".to_owned(),
                        account: "/admin/accounts/x".to_owned(),
                        opened: "2026年11月21日（土）09:30".to_owned(),
                        open_until: Some("2026年11月22日（日）09:30".to_owned()),
                    })
                    .collect(),
                error: some.then(|| HOSTILE.to_owned()),
            }
            .render(),
        );
        add(
            if some { "citizens" } else { "citizens_none" },
            citizens::Page {
                l: l("citizens-title").current("accounts"),
                rows: if some { vec![account(true), account(false)] } else { Vec::new() },
                next: some.then(|| "/admin/citizens?after=x".to_owned()),
            }
            .render(),
        );
        add(
            if some { "held" } else { "held_empty" },
            account_life::Held {
                l: l("held-title").current("accounts"),
                name: HOSTILE.to_owned(),
                login: "kango".to_owned(),
                held: if some { vec![(HOSTILE.to_owned(), HOSTILE.to_owned())] } else { Vec::new() },
                day: "2026年11月21日（土）".to_owned(),
                back: "/".to_owned(),
            }
            .render(),
        );
        add(
            if some { "account_import_look" } else { "account_import" },
            account_import::Page {
                l: l("account-import").current("accounts"),
                most: 200,
                error: (!some).then(|| HOSTILE.to_owned()),
                faults: if some { Vec::new() } else { vec![("row 2".to_owned(), HOSTILE.to_owned())] },
                rows: if some { vec![std::array::from_fn(|_| HOSTILE.to_owned())] } else { Vec::new() },
                table: HOSTILE.to_owned(),
            }
            .render(),
        );
    }
    add(
        "sealed",
        account_emergency::Sealed {
            l: l("sealed-title").current("accounts"),
            name: HOSTILE.to_owned(),
            login: "hijo".to_owned(),
            secret: "7kmp-q3xh-9tzw-c4ny-bd82".to_owned(),
            day: "2026年11月21日（土）".to_owned(),
            hours: 24,
            back: "/".to_owned(),
        }
        .render(),
    );
    add(
        "own_account",
        own_account::Page {
            l: l("own-account"),
            must: true,
            least: 13,
            last_in: Some("2026年11月20日（金）09:30".to_owned()),
            last_out: None,
            failed: 2,
            provider: None,
            linked: false,
            shared: Vec::new(),
            under: None,
            error: Some(texts.get("password-differ")),
        }
        .render(),
    );
    for (name, linked) in [("own_account_linked", true), ("own_account_unlinked", false)] {
        add(
            name,
            own_account::Page {
                l: l("own-account"),
                must: false,
                least: 13,
                last_in: None,
                last_out: None,
                failed: 0,
                provider: Some(HOSTILE.to_owned()),
                linked,
                shared: vec![mimamori_app::SharedView {
                    actor: ActorId::random(),
                    login: "ward".to_owned(),
                    name: HOSTILE.to_owned(),
                    taken: false,
                }],
                under: linked.then(|| HOSTILE.to_owned()),
                error: None,
            }
            .render(),
        );
    }
    add("provider_go", provider::Go { l: l("provider-title"), to: "/people/x".to_owned() }.render());
    for (name, linking) in [("provider_link", true), ("provider_again", false)] {
        let l = l(if linking { "provider-link-title" } else { "step-up-title" });
        let (name_of, token, to) = (HOSTILE.to_owned(), "00".to_owned(), "/account".to_owned());
        add(name, provider::Confirm { l, linking, name: name_of, token, to }.render());
    }
    add(
        "reissue",
        reissue::Form {
            l: l("reissue-title").current("accounts"),
            base: "/admin/accounts/x".to_owned(),
            back: "/".to_owned(),
            name: HOSTILE.to_owned(),
            login: "kango".to_owned(),
            locked: Some("2026年11月21日（土）10:00".to_owned()),
            leaked: true,
            asks_case: true,
            reason: HOSTILE.to_owned(),
            how: HOSTILE.to_owned(),
            case: HOSTILE.to_owned(),
            error: Some(texts.get("reason-missing")),
        }
        .render(),
    );
    add(
        "letter",
        reissue::Letters {
            l: l("letter-page").current("accounts"),
            letters: (0..2)
                .map(|n| reissue::Letter {
                    name: HOSTILE.to_owned(),
                    institution: Some("みほん訪問看護ステーション".to_owned()),
                    login: format!("kango{n}"),
                    secret: "7kmp-q3xh-9tzw-c4ny-bd82".to_owned(),
                    until: "2026年11月24日（火）09:30".to_owned(),
                })
                .collect(),
            site: "mimamori.example.jp".to_owned(),
            back: "/".to_owned(),
        }
        .render(),
    );
    for (name, rows) in [("accounts", vec![account(true), account(false)]), ("accounts_empty", Vec::new())] {
        let chosen =
            review::Institution {
                id: "1".to_owned(), name: "みほん市民病院".to_owned(), chosen: true
            };
        add(
            name,
            accounts::Page {
                l: l("accounts-title").current("accounts").done("stopped"),
                institutions: if rows.is_empty() { Vec::new() } else { vec![chosen] },
                changes: !rows.is_empty(),
                sees_terminals: true,
                may_import: true,
                unused: rows.len() as u64,
                stop_days: 365,
                count: rows.len() as u64,
                page: 1,
                pages: 2,
                more: "/admin/accounts?".to_owned(),
                rows,
            }
            .render(),
        );
    }
    for (name, doing) in [
        ("account_stop", accounts::Doing::Stop),
        ("account_resume", accounts::Doing::Resume),
        ("account_close", accounts::Doing::Close),
    ] {
        let [_, title, text, hint, button, style, _] = doing.words();
        add(
            name,
            accounts::Change {
                l: l(title).current("accounts"),
                row: account(doing == accounts::Doing::Stop),
                text: texts.get(text),
                hint: texts.get(hint),
                button: texts.get(button),
                style,
                action: "/".to_owned(),
                back: "/".to_owned(),
                reason: HOSTILE.to_owned(),
                error: Some(texts.get("reason-missing")),
            }
            .render(),
        );
    }
    add(
        "account_mail",
        accounts::Mail {
            l: l("account-mail-title").current("accounts"),
            row: account(true),
            mail: HOSTILE.to_owned(),
            back: "/".to_owned(),
            error: Some(HOSTILE.to_owned()),
        }
        .render(),
    );
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
