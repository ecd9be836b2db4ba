//! Who looked, terminals, programs and accounts, with sample data.

use super::*;

pub(super) fn pages(texts: &'static Texts) -> Vec<(&'static str, String)> {
    let l = |title: &str| Layout::sample(texts, title);
    let mut out: Vec<(&'static str, String)> = Vec::new();
    let mut add = |name, html: askama::Result<String>| out.push((name, html.unwrap()));
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
                course: Columns::draw(&[(12, HOSTILE.to_owned(), HOSTILE.to_owned())], |n| n.to_string()),
                stretches: some.then_some(stretch).into_iter().collect(),
                rows: some.then_some(row).into_iter().collect(),
                people: 12_345,
                next: some.then(|| "/review/counts?cursor=x".to_owned()),
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
    out
}
