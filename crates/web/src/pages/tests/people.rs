//! Home, the search, and the pages of one person, with sample data.

use super::*;

pub(super) fn pages(texts: &'static Texts) -> Vec<(&'static str, String)> {
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
                    partly: true,
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
    out
}
