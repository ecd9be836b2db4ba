//! Pages about second factors and sessions, with sample data.

use askama::Template;
use mimamori_app::Means;

use super::super::{factors, second, sessions, step_up};
use super::HOSTILE;
use crate::language::Texts;
use crate::layout::Layout;

pub(super) fn pages(texts: &'static Texts) -> Vec<(&'static str, String)> {
    let l = |title: &str| Layout::sample(texts, title).passkeys(true);
    let all = Means { password: false, one_time: true, passkey: true, recovery: true, provider: true };
    let word = Means { password: true, one_time: false, passkey: true, recovery: false, provider: true };
    let held = || vec![("reason".to_owned(), HOSTILE.to_owned())];
    let text = |text: &str| Some(text.to_owned());
    let factor = |name: &str, used: Option<String>| factors::Row {
        id: "1".to_owned(),
        kind: texts.get("factor-one-time"),
        name: name.to_owned(),
        added: "2026年11月21日（土）09:30".to_owned(),
        used,
    };
    let session = |this| sessions::Row {
        id: "1".to_owned(),
        this,
        began: "2026年11月21日（土）09:30".to_owned(),
        last_seen: "2026年11月21日（土）10:00".to_owned(),
        agent: (!this).then(|| HOSTILE.to_owned()),
        address: text("192.0.2.1"),
        second: this,
        locked: !this,
    };
    let mut pending = l("second-title");
    pending.who = None;
    let mut locked = l("unlock-title");
    if let Some(who) = locked.who.as_mut() {
        who.lockable = false;
    }
    let pages: Vec<(&'static str, askama::Result<String>)> = vec![
        (
            "second",
            second::Page {
                l: pending,
                means: all,
                to: "/".to_owned(),
                error: text(HOSTILE),
                carried: text("AQID"),
            }
            .render(),
        ),
        (
            "step_up",
            step_up::Page {
                l: l("step-up-title"),
                means: all,
                to: "/admin/accounts".to_owned(),
                sends: true,
                lost: false,
                held: held(),
                error: Some(texts.get("shown-wrong")),
            }
            .render(),
        ),
        (
            "go_on",
            step_up::GoOn { l: l("go-on-title"), to: "/admin/accounts".to_owned(), held: held() }.render(),
        ),
        (
            "unlock",
            step_up::Unlock {
                l: locked,
                name: HOSTILE.to_owned(),
                means: word,
                others: true,
                to: "/".to_owned(),
                error: None,
                carried: text("AQID"),
            }
            .render(),
        ),
        (
            "factors",
            factors::Page {
                l: l("factors-title").done("factor-added"),
                must: true,
                required: true,
                passkeys: true,
                elsewhere: Vec::new(),
                rows: vec![factor(HOSTILE, text("–")), factor("", None)],
                left: 9,
                made: text("2026年11月21日（土）09:30"),
                used: text("2026年11月21日（土）09:30"),
                error: text(HOSTILE),
            }
            .render(),
        ),
        (
            "factors_elsewhere",
            factors::Page {
                l: l("factors-title"),
                must: true,
                required: true,
                passkeys: true,
                elsewhere: vec![
                    texts.with("factor-elsewhere-zones", "zones", HOSTILE),
                    texts.with("factor-elsewhere-procedure", "procedure", HOSTILE),
                ],
                rows: Vec::new(),
                left: 0,
                made: None,
                used: None,
                error: None,
            }
            .render(),
        ),
        (
            "one_time",
            factors::OneTime {
                l: l("one-time-title"),
                token: "00".repeat(32),
                secret: "ABCD EFGH IJKL MNOP QRST UVWX YZ23 4567".to_owned(),
                width: 33,
                path: "M4 4h1v1h-1z".to_owned(),
                name: HOSTILE.to_owned(),
                error: Some(texts.get("one-time-wrong")),
            }
            .render(),
        ),
        (
            "recovery_codes",
            factors::Codes {
                l: l("recovery-title"),
                installation: "見守り 試験市".to_owned(),
                login_name: HOSTILE.to_owned(),
                codes: vec!["7kmp-q3xh-9tzw".to_owned(); 10],
                made: "2026年11月21日（土）09:30".to_owned(),
            }
            .render(),
        ),
        (
            "sessions",
            sessions::Page {
                l: l("sessions-title").done("session-ended"),
                base: "/account/sessions".to_owned(),
                name: text(HOSTILE),
                rows: vec![session(true), session(false)],
                error: None,
            }
            .render(),
        ),
        (
            "lost_factor",
            factors::Lost {
                l: l("lost-title").done("factor-lost"),
                base: "/admin/accounts/x".to_owned(),
                name: HOSTILE.to_owned(),
                login: "kango".to_owned(),
                asks_case: true,
                reason: HOSTILE.to_owned(),
                how: HOSTILE.to_owned(),
                case: HOSTILE.to_owned(),
                error: text(HOSTILE),
            }
            .render(),
        ),
        (
            "replacement",
            factors::Replacement {
                l: l("replacement-title"),
                name: HOSTILE.to_owned(),
                institution: None,
                login: "kango".to_owned(),
                secret: "7kmp-q3xh-9tzw".to_owned(),
                until: "2026年11月22日（日）09:30".to_owned(),
                back: "/".to_owned(),
            }
            .render(),
        ),
    ];
    pages.into_iter().map(|(name, html)| (name, html.unwrap())).collect()
}
