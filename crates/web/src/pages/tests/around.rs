//! Who stands around a person, visits, and how the installation is doing, with sample data.

use askama::Template;

use super::super::governance::system;
use super::super::person::Choice;
use super::super::summary::Contact;
use super::super::{around, board, visits};
use super::{HOSTILE, head, items};
use crate::language::Texts;
use crate::layout::Layout;

pub(super) fn pages(texts: &'static Texts) -> Vec<(&'static str, String)> {
    let l = |title: &str| Layout::sample(texts, title);
    let choice = || Choice { code: "note".to_owned(), word: HOSTILE.to_owned(), chosen: true };
    let standing =
        || around::Standing { name: HOSTILE.to_owned(), when: "2026年11月21日（土）から".to_owned() };
    let consent = |holds: bool, permit: bool| around::Consented {
        text: HOSTILE.to_owned(),
        when: "2026年11月21日（土）から".to_owned(),
        permit,
        holds,
        withdraw: holds.then(|| "/people/x/consents/y/withdraw".to_owned()),
    };
    let around = |some: bool| around::Page {
        l: l("around-title"),
        head: head(texts),
        team: some.then(standing).into_iter().collect(),
        former: some.then(standing).into_iter().collect(),
        family: some
            .then(|| Contact {
                name: HOSTILE.to_owned(),
                relation: HOSTILE.to_owned(),
                phones: HOSTILE.to_owned(),
            })
            .into_iter()
            .collect(),
        proxies: some.then(standing).into_iter().collect(),
        consents: if some {
            vec![consent(true, true), consent(true, false), consent(false, true)]
        } else {
            Vec::new()
        },
        form: some.then(|| around::Form {
            permit: true,
            classes: vec![choice()],
            institutions: vec![choice()],
        }),
        error: some.then(|| HOSTILE.to_owned()),
    };
    let withdraw = |permit: bool| around::Withdraw {
        l: l("consent-withdraw-title"),
        head: head(texts),
        action: "/people/x/consents/y/withdraw".to_owned(),
        consent: consent(true, permit),
        back: "/people/x/around".to_owned(),
    };
    let visit = |item, planned: bool| visits::Visit {
        item,
        day: "2026年11月24日（火）".to_owned(),
        hours: "10:00–10:40".to_owned(),
        reason: HOSTILE.to_owned(),
        planned,
    };
    let all = |some: bool| -> Vec<visits::Visit> {
        if some { items(texts).into_iter().map(|item| visit(item, true)).collect() } else { Vec::new() }
    };
    let visits_page = |some: bool| visits::Page {
        l: l("visits-title"),
        head: head(texts),
        may_plan: some,
        coming: all(some),
        past: all(some),
        more: some,
    };
    let board = |some: bool| board::Page {
        l: l("board-title"),
        head: head(texts),
        ways: some
            .then(|| ("/people/x/notes/new?template=board".to_owned(), HOSTILE.to_owned()))
            .into_iter()
            .collect(),
        items: if some { items(texts) } else { Vec::new() },
        next: some.then(|| "/people/x/board?cursor=y".to_owned()),
    };
    let form = visits::Form {
        l: l("visit-plan"),
        head: head(texts),
        action: "/people/x/visits".to_owned(),
        back: "/people/x/visits".to_owned(),
        day: HOSTILE.to_owned(),
        from: "10:00".to_owned(),
        until: "11:00".to_owned(),
        weeks: "1".to_owned(),
        reason: HOSTILE.to_owned(),
        ways: vec![choice()],
        error: Some(HOSTILE.to_owned()),
    };
    let job = |some: bool| system::Job {
        name: texts.get("job-clock"),
        style: "good",
        word: texts.get("system-job-well"),
        well: some.then(|| HOSTILE.to_owned()),
        badly: some.then(|| (HOSTILE.to_owned(), HOSTILE.to_owned())),
    };
    let system = |some: bool| system::Page {
        l: l("system-title"),
        crumbs: vec![("/rules".to_owned(), HOSTILE.to_owned())],
        at: "2026年11月21日（土）10:00".to_owned(),
        troubles: some.then(|| HOSTILE.to_owned()).into_iter().collect(),
        facts: vec![(texts.get("system-database"), HOSTILE.to_owned())],
        jobs: vec![job(true), job(false)],
        measures: some,
    };
    let pages: Vec<(&'static str, askama::Result<String>)> = vec![
        ("around", around(true).render()),
        ("around_empty", around(false).render()),
        ("consent_withdraw", withdraw(true).render()),
        ("consent_withdraw_refusal", withdraw(false).render()),
        ("board", board(true).render()),
        ("board_empty", board(false).render()),
        ("visits", visits_page(true).render()),
        ("visits_empty", visits_page(false).render()),
        ("visit_form", form.render()),
        ("system", system(true).render()),
        ("system_well", system(false).render()),
    ];
    pages.into_iter().map(|(name, page)| (name, page.unwrap())).collect()
}
