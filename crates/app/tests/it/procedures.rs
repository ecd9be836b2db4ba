//! Procedures: who may act when, what a decision does, and what is refused. On a small pack of its
//! own; [`walk`] takes the packs that come with the program through every procedure they have.

mod small;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{
    Act, App, CaseFilter, CaseStage, ErrorKind, How, Mark, NewAppointment, RegisterQuery, StepState, Typed,
};

use self::small::{Office, kind, small, why};
pub use self::small::{form, site_in, site_under};
use crate::support::{On, START, parts};

#[tokio::test]
async fn a_case_goes_through_its_steps_on_sqlite() {
    goes_through(On::Sqlite).await;
}

#[tokio::test]
async fn a_case_goes_through_its_steps_on_postgres() {
    goes_through(On::Postgres).await;
}

/// From the form to the register entry: with wrong people, a double click, two at once, a return.
async fn goes_through(on: On) {
    let office =
        Office::with(on, &["plain", "other", "chief", "ops", "ops-two", "top", "desk", "keys"]).await;
    let app = office.app();
    let plain = office.call("plain").await;
    let faulty = app.begin_case(&plain, "leave", &form(&[("kind", "plain")]), false).await.unwrap_err();
    assert_eq!((faulty.kind(), faulty.faults()[0].place.as_str()), (ErrorKind::Invalid, "what"));
    let case = office.begin("plain", "leave", &[("what", "端末"), ("kind", "secret")]).await;

    // Nobody but the step's people; a facility manager of elsewhere is none of them.
    office.site.staff("strange-chief", None, office.elsewhere, &["facility-manager"]).await;
    for login in ["other", "plain", "strange-chief", "ops", "top"] {
        let refused = office.act(login, "plain", case, Act::Pass).await;
        assert_eq!(kind(refused), ErrorKind::Forbidden, "{login}");
    }
    assert_eq!(kind(app.case(&office.call("other").await, case).await), ErrorKind::Forbidden);
    assert_eq!(kind(app.case(&office.call("strange-chief").await, case).await), ErrorKind::Forbidden);
    assert_eq!(kind(office.act("chief", "plain", case, Act::Done).await), ErrorKind::Invalid);
    let chief = office.call("chief").await;
    assert_eq!(app.inbox(&chief).await.unwrap().waiting.len(), 1);
    assert_eq!(app.inbox(&office.call("other").await).await.unwrap().waiting.len(), 0);

    // Given back with a reason, corrected, and the steps begin again.
    let no_reason = Act::Return { reason: String::new() };
    assert_eq!(kind(office.act("chief", "plain", case, no_reason).await), ErrorKind::Invalid);
    office.act("chief", "plain", case, Act::Return { reason: why("件名が足りない") }).await.unwrap();
    assert_eq!(kind(office.act("chief", "plain", case, Act::Pass).await), ErrorKind::Forbidden);
    let seen = office.version("plain", case).await;
    let again = form(&[("what", "端末二台"), ("kind", "secret")]);
    assert_eq!(kind(app.resubmit_case(&chief, case, seen, &again).await), ErrorKind::Forbidden);
    app.resubmit_case(&office.call("plain").await, case, seen, &again).await.unwrap();
    assert_eq!(
        kind(app.resubmit_case(&office.call("plain").await, case, seen, &again).await),
        ErrorKind::Conflict
    );

    // A double click: the same version twice does it once.
    let seen = office.version("plain", case).await;
    app.act_on_case(&chief, case, seen, &Act::Pass, &Typed::new()).await.unwrap();
    let twice = app.act_on_case(&chief, case, seen, &Act::Pass, &Typed::new()).await;
    assert_eq!(kind(twice), ErrorKind::Conflict);

    // Two approvers at once: one of them does it.
    let seen = office.version("plain", case).await;
    let (one, two) = (office.call("ops").await, office.call("ops-two").await);
    let typed = Typed::new();
    let (first, second) = tokio::join!(
        app.act_on_case(&one, case, seen, &Act::Pass, &typed),
        app.act_on_case(&two, case, seen, &Act::Pass, &typed),
    );
    assert_eq!(usize::from(first.is_ok()) + usize::from(second.is_ok()), 1, "{first:?} {second:?}");
    assert_eq!(kind(if first.is_err() { first } else { second }), ErrorKind::Conflict);

    // Not before the last approval is anything done; then once, and nothing is taken back.
    assert_eq!(app.by_hand_tasks(&office.call("keys").await).await.unwrap().len(), 0);
    office.act("top", "plain", case, Act::Pass).await.unwrap();
    let tasks = app.by_hand_tasks(&office.call("keys").await).await.unwrap();
    assert_eq!(tasks.len(), 1);
    assert_eq!(tasks[0].effect, "permit-disposal");
    let withdraw = Act::Withdraw { reason: why("やめる") };
    assert_eq!(kind(office.act("plain", "plain", case, withdraw).await), ErrorKind::Conflict);

    // The work: what the step asks for is needed, and its end writes the register.
    assert_eq!(kind(office.act("keys", "plain", case, Act::Done).await), ErrorKind::Invalid);
    office.site.clock.set(START.plus(Duration::from_secs(600)));
    office.fill("keys", "plain", case, Act::Done, &[("result", "渡した")]).await.unwrap();
    let view = app.case(&office.call("plain").await, case).await.unwrap();
    assert_eq!(view.stage, CaseStage::Finished);
    assert_eq!(view.finished, Some(START.plus(Duration::from_secs(600))));
    let marks: Vec<_> = view.history.iter().map(|event| (event.mark, event.round)).collect();
    assert_eq!(
        marks,
        [
            (Mark::Applied, 1),
            (Mark::Returned, 1),
            (Mark::Resubmitted, 2),
            (Mark::Passed, 2),
            (Mark::Passed, 2),
            (Mark::Passed, 2),
            (Mark::Done, 2)
        ]
    );
    let (register, entry) = view.entry.clone().unwrap();
    let written = app.entry(&one, &register, entry).await.unwrap();
    assert_eq!(written.from_case, Some(case));
    let values = &written.versions[0].values;
    assert_eq!(values["what"], "端末二台");
    assert_eq!(values["kind"], "重要");
    assert_eq!(values["decided"], "2026-11-21");
    assert_eq!(values["by"], office.actors["top"].to_string());
    assert_eq!(values["result"], "渡した");
    assert_eq!(
        kind(office.act("plain", "plain", case, Act::Comment { text: why("後") }).await),
        ErrorKind::Conflict
    );

    // Those whose task it is say that it is done, once.
    let task = &tasks[0];
    let refused = app.carry_out_by_hand(&office.call("other").await, task.id, task.version, "").await;
    assert_eq!(kind(refused), ErrorKind::Forbidden);
    let keys = office.call("keys").await;
    app.carry_out_by_hand(&keys, task.id, task.version, "済み").await.unwrap();
    let twice = app.carry_out_by_hand(&keys, task.id, task.version, "済み").await;
    assert_eq!(kind(twice), ErrorKind::Conflict);
    let view = app.case(&office.call("plain").await, case).await.unwrap();
    assert_eq!(view.by_hand.len(), 1);
    assert!(view.by_hand[0].done.is_some());
    office.clean().await;
}

/// Who applied never decides: not by a second role, not as a deputy or delegate; it passes on.
#[tokio::test]
async fn nobody_decides_what_they_applied_for() {
    let office = Office::with(On::Sqlite, &["plain", "ops", "top", "desk"]).await;
    let app = office.app();
    let hospital = office.call("ops").await.institution().unwrap();
    // The only facility manager holds a second role that may decide too.
    office.site.staff("double", None, hospital, &["facility-manager", "help-desk"]).await;
    let case = office.begin("double", "leave", &[("what", "本"), ("kind", "plain")]).await;
    let refused = office.act("double", "double", case, Act::Pass).await;
    assert_eq!(kind(refused), ErrorKind::Forbidden);
    let view = app.case(&office.call("double").await, case).await.unwrap();
    let people: Vec<_> = view.steps[0].people.iter().map(|person| (person.actor, person.how)).collect();
    assert_eq!(people, [(office.actors["ops"], How::PassedTo)]);
    assert!(!view.may.pass);
    office.act("ops", "double", case, Act::Pass).await.unwrap();
    // The applicant is a delegate of the next step.
    assert_eq!(kind(office.act("double", "double", case, Act::Pass).await), ErrorKind::Forbidden);
    office.act("desk", "double", case, Act::Pass).await.unwrap();
    let view = app.case(&office.call("double").await, case).await.unwrap();
    assert_eq!(view.history.last().unwrap().how, Some(How::Delegate));

    // Only the applicant holds the role: it passes to who appoints to it, and on from there.
    let own = office.begin("ops", "board", &[("what", "会")]).await;
    assert_eq!(office.stage("ops", own).await, CaseStage::Open);
    let ops = office.call("ops").await;
    assert_eq!(kind(app.begin_case(&ops, "stop", &Typed::new(), false).await), ErrorKind::Forbidden);
    let own = office
        .begin("ops", "post", &[("person", &office.actors["plain"].to_string()), ("role", "help-desk")])
        .await;
    assert_eq!(kind(office.act("ops", "ops", own, Act::Pass).await), ErrorKind::Forbidden);
    let view = app.case(&office.call("ops").await, own).await.unwrap();
    let people: Vec<_> = view.steps[0].people.iter().map(|person| (person.actor, person.how)).collect();
    assert_eq!(people, [(office.actors["top"], How::PassedTo)]);
    office.act("top", "ops", own, Act::Pass).await.unwrap();
    assert!(office.call("plain").await.roles().iter().any(|role| role.as_str() == "help-desk"));

    // Every refusal is in the ledger, and nothing else happened.
    office.clean().await;
}

/// A deputy acts in the holder's place, recorded as such; and not for what they applied for.
#[tokio::test]
async fn a_deputy_stands_in() {
    let office = Office::with(On::Sqlite, &["plain", "other", "ops", "top"]).await;
    let app = office.app();
    let deputy = NewAppointment {
        actor: office.actors["other"],
        role: "operations-manager".parse().unwrap(),
        institution: None,
        unit: None,
        system: None,
        from: START,
        until: None,
        deputy: true,
    };
    app.appoint(&office.site.operator(), &deputy).await.unwrap();
    let person = office.actors["plain"].to_string();
    let fields = [("person", person.as_str()), ("role", "help-desk")];
    let case = office.begin("plain", "post", &fields).await;
    office.act("other", "plain", case, Act::Refuse { reason: why("人が足りる") }).await.unwrap();
    let view = app.case(&office.call("plain").await, case).await.unwrap();
    assert_eq!((view.stage, view.history[1].how), (CaseStage::Refused, Some(How::Deputy)));
    assert_eq!(view.history[1].text.as_deref(), Some("人が足りる"));
    assert_eq!(view.steps[0].state, StepState::Stopped);
    assert!(office.call("plain").await.roles().is_empty(), "a refused appointment changes nothing");
    // The holder applied: the deputy decides. The deputy applied: the holder does.
    let case = office.begin("ops", "post", &fields).await;
    office.act("other", "ops", case, Act::Pass).await.unwrap();
    let case = office.begin("other", "unpost", &fields).await;
    assert_eq!(kind(office.act("other", "other", case, Act::Pass).await), ErrorKind::Forbidden);
    office.act("ops", "other", case, Act::Pass).await.unwrap();
    assert!(office.call("plain").await.roles().is_empty(), "the appointment has ended");
    // What is not held cannot end: the decision is refused as a whole.
    let case = office.begin("other", "unpost", &fields).await;
    assert_eq!(kind(office.act("ops", "other", case, Act::Pass).await), ErrorKind::Invalid);
    assert_eq!(office.stage("other", case).await, CaseStage::Open);
    office.clean().await;
}

/// A committee votes; each member once, and the applicant not at all.
#[tokio::test]
async fn a_committee_resolves() {
    let office = Office::with(On::Sqlite, &["plain", "board-a", "board-b", "board-c", "board-d"]).await;
    let case = office.begin("plain", "board", &[("what", "会")]).await;
    assert_eq!(kind(office.act("board-a", "plain", case, Act::Pass).await), ErrorKind::Invalid);
    office.act("board-a", "plain", case, Act::Vote { yes: true }).await.unwrap();
    let again = office.act("board-a", "plain", case, Act::Vote { yes: true }).await;
    assert_eq!(kind(again), ErrorKind::Forbidden);
    office.act("board-b", "plain", case, Act::Vote { yes: false }).await.unwrap();
    assert_eq!(kind(office.act("board-a", "plain", case, Act::CloseVote).await), ErrorKind::Conflict);
    office.act("board-c", "plain", case, Act::Vote { yes: true }).await.unwrap();
    assert_eq!(office.stage("plain", case).await, CaseStage::Open);
    assert_eq!(kind(office.act("plain", "plain", case, Act::CloseVote).await), ErrorKind::Forbidden);
    office.act("board-b", "plain", case, Act::CloseVote).await.unwrap();
    assert_eq!(office.stage("plain", case).await, CaseStage::Finished);
    // A member applied: three are left, and a tie of all is no majority.
    let case = office.begin("board-d", "board", &[("what", "会")]).await;
    let own = office.act("board-d", "board-d", case, Act::Vote { yes: true }).await;
    assert_eq!(kind(own), ErrorKind::Forbidden);
    office.act("board-a", "board-d", case, Act::Vote { yes: true }).await.unwrap();
    office.act("board-b", "board-d", case, Act::Vote { yes: false }).await.unwrap();
    office.act("board-c", "board-d", case, Act::Vote { yes: false }).await.unwrap();
    assert_eq!(office.stage("board-d", case).await, CaseStage::Refused);
    office.clean().await;
}

/// After the last approval its effects stand: nobody who comes later refuses, returns or votes it down.
#[tokio::test]
async fn what_was_approved_is_not_refused_afterwards() {
    let office = Office::with(On::Sqlite, &["plain", "other", "ops", "top", "board-a", "board-b"]).await;
    let app = office.app();
    let case = office.begin("plain", "late", &[("account", &office.actors["other"].to_string())]).await;
    let said = |login: &'static str, seen, comment: &'static str| {
        let office = &office;
        async move {
            let caller = office.call(login).await;
            app.act_on_case_saying(&caller, case, seen, &Act::Pass, &Typed::new(), comment).await
        }
    };
    // What is said beside an approval is one version with it.
    said("ops", 1, "急ぎ").await.unwrap();
    let view = app.case(&office.call("plain").await, case).await.unwrap();
    assert_eq!((view.version, view.history[1].text.as_deref()), (2, Some("急ぎ")));
    let stopped = async || {
        let views = app.accounts(&office.site.operator()).await.unwrap();
        views.iter().any(|view| view.login == "other" && !view.active)
    };
    assert!(stopped().await);
    let view = app.case(&office.call("top").await, case).await.unwrap();
    assert!(view.may.pass && !view.may.refuse && !view.may.give_back);
    let refuse = Act::Refuse { reason: why("やはり不可") };
    assert_eq!(kind(office.act("top", "plain", case, refuse).await), ErrorKind::Conflict);
    let back = Act::Return { reason: why("やはり不可") };
    assert_eq!(kind(office.act("top", "plain", case, back).await), ErrorKind::Conflict);
    let withdraw = Act::Withdraw { reason: why("取り下げ") };
    assert_eq!(kind(office.act("plain", "plain", case, withdraw).await), ErrorKind::Conflict);
    // A file that a step asks for is lent like a form's.
    let (top, ops) = (office.call("top").await, office.call("ops").await);
    let foreign = app.attach_file(&ops, "memo.txt", b"abc").await.unwrap().to_string();
    let taken = app.act_on_case(&top, case, 2, &Act::Pass, &form(&[("proof", &foreign)])).await.unwrap_err();
    assert_eq!((taken.kind(), taken.faults()[0].place.as_str()), (ErrorKind::Invalid, "proof"));
    let own = app.attach_file(&top, "memo.txt", b"abc").await.unwrap().to_string();
    app.act_on_case(&top, case, 2, &Act::Pass, &form(&[("proof", &own)])).await.unwrap();
    let no = office.act("board-a", "plain", case, Act::Vote { yes: false }).await;
    assert_eq!(kind(no), ErrorKind::Conflict);
    for member in ["board-a", "board-b"] {
        office.act(member, "plain", case, Act::Vote { yes: true }).await.unwrap();
    }
    assert_eq!(office.stage("plain", case).await, CaseStage::Finished);
    assert!(stopped().await);
    office.clean().await;
}

/// A form takes the files of who fills it in, and keeps those it has.
#[tokio::test]
async fn a_form_takes_no_file_of_somebody_else() {
    let office = Office::with(On::Sqlite, &["plain", "other", "board-a"]).await;
    let app = office.app();
    let (plain, other) = (office.call("plain").await, office.call("other").await);
    let file = app.attach_file(&plain, "memo.txt", "資料".as_bytes()).await.unwrap().to_string();
    let with = form(&[("what", "会"), ("paper", &file)]);
    let refused = |error: mimamori_domain::Error| {
        assert_eq!((error.kind(), error.faults()[0].place.as_str()), (ErrorKind::Invalid, "paper"));
    };
    refused(app.begin_case(&other, "board", &with, false).await.unwrap_err());
    refused(app.save_draft(&other, "board", None, &with).await.unwrap_err());
    let (draft, seen) = app.save_draft(&plain, "board", None, &with).await.unwrap();
    refused(app.begin_case(&plain, "board", &with, false).await.unwrap_err());
    // The draft keeps it: another day, in another session, it is handed in with it.
    let later = office.call("plain").await;
    app.submit_case(&later, draft, seen, &with, false).await.unwrap();
    let view = app.case(&later, draft).await.unwrap();
    assert_eq!(view.stage, CaseStage::Open);
    office.clean().await;
}

/// One holder of each role; a decision that who began it does not take at its end.
#[tokio::test]
async fn all_must_agree_and_a_ruling_needs_two() {
    let office = Office::with(On::Sqlite, &["plain", "ops", "ops-two", "privacy", "top"]).await;
    let case = office.begin("plain", "both", &[("what", "規則")]).await;
    office.act("ops", "plain", case, Act::Pass).await.unwrap();
    assert_eq!(kind(office.act("ops", "plain", case, Act::Pass).await), ErrorKind::Forbidden);
    assert_eq!(kind(office.act("ops-two", "plain", case, Act::Pass).await), ErrorKind::Forbidden);
    assert_eq!(office.stage("plain", case).await, CaseStage::Open);
    office.act("privacy", "plain", case, Act::Pass).await.unwrap();
    assert_eq!(office.stage("plain", case).await, CaseStage::Finished);

    let plain = office.call("plain").await;
    let begun = office.app().begin_case(&plain, "ruling", &form(&[("what", "案")]), false).await;
    assert_eq!(kind(begun), ErrorKind::Forbidden);
    let case = office.begin("ops", "ruling", &[("what", "案")]).await;
    office.act("ops", "ops", case, Act::Pass).await.unwrap();
    assert_eq!(kind(office.act("ops", "ops", case, Act::Pass).await), ErrorKind::Forbidden);
    office.act("ops-two", "ops", case, Act::Pass).await.unwrap();
    assert_eq!(office.stage("ops", case).await, CaseStage::Finished);
    office.clean().await;
}

/// In an emergency what must be done is done at once; the report follows, with its own deadline.
#[tokio::test]
async fn an_emergency_acts_first_and_reports() {
    let office = Office::with(On::Sqlite, &["plain", "other", "chief", "ops", "privacy"]).await;
    let app = office.app();
    let other = office.call("other").await;
    let account = office.actors["other"].to_string();
    let typed = form(&[("account", &account)]);
    let chief = office.call("chief").await;
    assert_eq!(kind(app.begin_case(&chief, "stop", &typed, true).await), ErrorKind::Forbidden);
    let privacy = office.call("privacy").await;
    assert_eq!(kind(app.begin_case(&privacy, "stop", &typed, false).await), ErrorKind::Forbidden);
    let case = app.begin_case(&privacy, "stop", &typed, true).await.unwrap();
    // The session of whoever was stopped has ended.
    assert!(app.inbox(&other).await.is_err());
    let stopped = |accounts: Vec<mimamori_app::AccountView>| {
        accounts.iter().find(|view| view.actor == office.actors["other"]).is_some_and(|view| !view.active)
    };
    assert!(stopped(app.accounts(&office.site.operator()).await.unwrap()));
    let view = app.case(&privacy, case).await.unwrap();
    assert_eq!((view.stage, view.emergency, view.overdue), (CaseStage::Open, true, false));
    assert_eq!(view.report_due, Some(START.plus(Duration::from_secs(24 * 60 * 60))));
    let withdraw = Act::Withdraw { reason: why("やめる") };
    assert_eq!(kind(office.act("privacy", "privacy", case, withdraw).await), ErrorKind::Conflict);
    // Let in again meanwhile: the approval of the report does not stop the account a second time.
    app.resume_account(&office.site.operator(), "other").await.unwrap();
    office.site.clock.set(START.plus(Duration::from_secs(25 * 60 * 60)));
    let privacy = office.call("privacy").await;
    assert!(app.case(&privacy, case).await.unwrap().overdue);
    let late = CaseFilter { overdue: true, ..CaseFilter::default() };
    assert_eq!(app.cases(&privacy, &late).await.unwrap().total, 1);
    office.act("ops", "privacy", case, Act::Pass).await.unwrap();
    assert_eq!(office.stage("privacy", case).await, CaseStage::Finished);
    assert!(!stopped(app.accounts(&office.site.operator()).await.unwrap()));
    // The ordinary way: stopped by the approval, and let in again by another.
    let case = office.begin("chief", "stop", &[("account", &account)]).await;
    assert!(!stopped(app.accounts(&office.site.operator()).await.unwrap()));
    office.act("ops", "chief", case, Act::Pass).await.unwrap();
    assert!(stopped(app.accounts(&office.site.operator()).await.unwrap()));
    let case = office.begin("chief", "resume", &[("account", &account)]).await;
    office.act("ops", "chief", case, Act::Pass).await.unwrap();
    assert!(!stopped(app.accounts(&office.site.operator()).await.unwrap()));
    office.clean().await;
}

/// Drafts are their author's alone; a case is withdrawn with a reason; deadlines are counted.
#[tokio::test]
async fn drafts_withdrawal_and_deadlines() {
    let office = Office::with(On::Sqlite, &["plain", "other", "chief", "ops"]).await;
    let app = office.app();
    let (plain, other) = (office.call("plain").await, office.call("other").await);
    let (draft, version) = app.save_draft(&plain, "leave", None, &form(&[("what", "端")])).await.unwrap();
    assert_eq!(kind(app.case(&other, draft).await), ErrorKind::NotFound);
    assert_eq!(app.inbox(&plain).await.unwrap().drafts.len(), 1);
    assert_eq!(app.inbox(&other).await.unwrap().drafts.len(), 0);
    let stolen = app.save_draft(&other, "leave", Some((draft, version)), &Typed::new()).await;
    assert_eq!(kind(stolen), ErrorKind::NotFound);
    let view = app.case(&plain, draft).await.unwrap();
    assert_eq!((view.stage, view.typed["what"].as_slice()), (CaseStage::Draft, &["端".to_owned()][..]));
    let whole = form(&[("what", "端末"), ("kind", "plain")]);
    app.submit_case(&plain, draft, version, &whole, false).await.unwrap();
    let twice = app.submit_case(&plain, draft, version, &whole, false).await;
    assert_eq!(kind(twice), ErrorKind::Conflict);
    let view = app.case(&plain, draft).await.unwrap();
    assert_eq!(view.steps[0].deadline, Some(START.plus(Duration::from_secs(7 * 24 * 60 * 60))));
    assert_eq!(view.steps[2].state, StepState::PassedOver);
    office.site.clock.set(START.plus(Duration::from_secs(8 * 24 * 60 * 60)));
    let chief = office.call("chief").await;
    assert_eq!(app.inbox(&chief).await.unwrap().overdue.len(), 1);
    let withdraw = || Act::Withdraw { reason: why("要らなくなった") };
    assert_eq!(kind(office.act("chief", "plain", draft, withdraw()).await), ErrorKind::Forbidden);
    office.act("plain", "plain", draft, withdraw()).await.unwrap();
    assert_eq!(office.stage("plain", draft).await, CaseStage::Withdrawn);
    assert_eq!(app.inbox(&chief).await.unwrap().waiting.len(), 0);
    let plain = office.call("plain").await;
    let (draft, version) = app.save_draft(&plain, "leave", None, &Typed::new()).await.unwrap();
    app.discard_draft(&plain, draft, version).await.unwrap();
    assert_eq!(app.inbox(&plain).await.unwrap().drafts.len(), 0);
    let query = RegisterQuery::default();
    assert_eq!(app.register_entries(&office.call("ops").await, "granted", &query).await.unwrap().total, 0);
    office.clean().await;
}

/// A file opens with the case that refers to it, and for whom the case does.
#[tokio::test]
async fn a_file_opens_with_its_case() {
    let office = Office::with(On::Sqlite, &["plain", "other", "board-a"]).await;
    let app = office.app();
    let plain = office.call("plain").await;
    let file = app.attach_file(&plain, "memo.txt", "資料".as_bytes()).await.unwrap();
    let with = form(&[("what", "会"), ("paper", &file.to_string())]);
    let case = app.begin_case(&plain, "board", &with, false).await.unwrap();
    let without = office.begin("plain", "board", &[("what", "会")]).await;
    let opened = app.case_file(&office.call("board-a").await, case, file).await.unwrap();
    assert_eq!((opened.name.as_str(), opened.bytes.as_slice()), ("memo.txt", "資料".as_bytes()));
    assert_eq!(kind(app.case_file(&plain, without, file).await), ErrorKind::NotFound);
    assert_eq!(kind(app.case_file(&office.call("other").await, case, file).await), ErrorKind::Forbidden);
    let nothing = form(&[("what", "会"), ("paper", &case.to_string())]);
    assert_eq!(kind(app.begin_case(&plain, "board", &nothing, false).await), ErrorKind::Invalid);
}

/// While nothing can be recorded, no case is begun, shown or changed (invariant 1).
#[tokio::test]
async fn nothing_happens_unrecorded() {
    let office = Office::with(On::Sqlite, &["plain", "chief", "ops", "keys"]).await;
    let app = office.app();
    let (plain, chief, keys) =
        (office.call("plain").await, office.call("chief").await, office.call("keys").await);
    let whole = form(&[("what", "端末"), ("kind", "plain")]);
    let file = app.attach_file(&plain, "memo.txt", "資料".as_bytes()).await.unwrap();
    let with = form(&[("what", "会"), ("paper", &file.to_string())]);
    let filed = app.begin_case(&plain, "board", &with, false).await.unwrap();
    let (draft, version) = app.save_draft(&plain, "leave", None, &whole).await.unwrap();
    let open = app.begin_case(&plain, "leave", &whole, false).await.unwrap();
    let returned = app.begin_case(&plain, "leave", &whole, false).await.unwrap();
    let act = Act::Return { reason: why("直し") };
    app.act_on_case(&chief, returned, 1, &act, &Typed::new()).await.unwrap();
    let done = app.begin_case(&plain, "leave", &whole, false).await.unwrap();
    office.act("chief", "plain", done, Act::Pass).await.unwrap();
    office.act("ops", "plain", done, Act::Pass).await.unwrap();
    let task = app.by_hand_tasks(&keys).await.unwrap().remove(0);

    // The same installation, by a program that does not wait long for the database.
    let site = &office.site;
    let store = site.database.open_patiently(&site.clock, Duration::from_millis(100)).await;
    let mut made = parts(&site.folder, store, Arc::clone(&site.clock));
    made.pack = small();
    let hasty = App::open(made).await.unwrap();
    let lock = crate::fail_closed::lock(&site.database).await;
    let none = Typed::new();
    let refused = [
        hasty.begin_case(&plain, "leave", &whole, false).await.map(drop),
        hasty.save_draft(&plain, "leave", None, &whole).await.map(drop),
        hasty.save_draft(&plain, "leave", Some((draft, version)), &whole).await.map(drop),
        hasty.submit_case(&plain, draft, version, &whole, false).await,
        hasty.discard_draft(&plain, draft, version).await,
        hasty.resubmit_case(&plain, returned, 2, &whole).await,
        hasty.act_on_case(&chief, open, 1, &Act::Pass, &none).await,
        hasty.act_on_case(&plain, open, 1, &Act::Pass, &none).await,
        hasty.carry_out_by_hand(&keys, task.id, task.version, "").await,
        hasty.case(&plain, open).await.map(drop),
        hasty.case_file(&plain, filed, file).await.map(drop),
        hasty.inbox(&plain).await.map(drop),
        hasty.cases(&plain, &CaseFilter::default()).await.map(drop),
        hasty.by_hand_tasks(&keys).await.map(drop),
    ];
    for (number, result) in refused.into_iter().enumerate() {
        let kind = kind(result);
        assert!(matches!(kind, ErrorKind::Unavailable | ErrorKind::Busy), "{number}: {kind:?}");
    }
    drop(lock);
    let view = app.case(&plain, draft).await.unwrap();
    assert_eq!((view.stage, view.version), (CaseStage::Draft, 1));
    assert_eq!(app.case(&plain, open).await.unwrap().version, 1);
    assert_eq!(app.case(&plain, returned).await.unwrap().stage, CaseStage::Returned);
    app.act_on_case(&chief, open, 1, &Act::Pass, &none).await.unwrap();
    office.clean().await;
}
