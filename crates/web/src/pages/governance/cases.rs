//! One run of a procedure: its form, how far it is, and what the caller may do with it now.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::{
    Act, ByHandView, CaseEvent, CaseFilter, CaseRights, CaseRow, CaseStage, CaseStep, CaseView, How, Mark,
    StepState, Typed,
};
use mimamori_domain::{ObjectId, RoleCode};
use mimamori_policy::Pack;
use mimamori_policy::model::{Field, FieldReference, StepKind, Who};

use super::asked::download;
use super::inputs::{Control, Filled, controls};
use super::pack::{Changes, MOST_SHOWN};
use super::procedures::{blamed, missing};
use super::readable::Readable;
use super::references::References;
use super::words::{Line, cell, lines, named, translated, who, whom};
use super::{Crumb, crumbs, frame};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::pages::id;
use crate::uploads::Form;

/// Stage, its word in addresses, and the style of its badge.
const STAGES: [(CaseStage, &str, &str); 6] = [
    (CaseStage::Draft, "draft", "draft"),
    (CaseStage::Open, "open", "due"),
    (CaseStage::Returned, "returned", "due"),
    (CaseStage::Finished, "finished", "good"),
    (CaseStage::Refused, "refused", "withdrawn"),
    (CaseStage::Withdrawn, "withdrawn", "withdrawn"),
];

pub(super) fn stage(stage: CaseStage) -> (&'static str, &'static str) {
    STAGES.iter().find(|(one, ..)| *one == stage).map_or(("open", ""), |(_, word, style)| (word, style))
}

/// What somebody did, and the key of its word.
const MARKS: [(Mark, &str); 14] = [
    (Mark::Applied, "mark-applied"),
    (Mark::ActedFirst, "mark-acted-first"),
    (Mark::Resubmitted, "mark-resubmitted"),
    (Mark::Passed, "mark-passed"),
    (Mark::Refused, "mark-refused"),
    (Mark::Returned, "mark-returned"),
    (Mark::Done, "mark-done"),
    (Mark::Told, "mark-told"),
    (Mark::VotedYes, "mark-voted-yes"),
    (Mark::VotedNo, "mark-voted-no"),
    (Mark::ClosedVote, "mark-closed-vote"),
    (Mark::Withdrawn, "mark-withdrawn"),
    (Mark::Commented, "mark-commented"),
    (Mark::Ended, "mark-ended"),
];

/// What can be asked of a case: the word of its button, its key, whether it is allowed.
fn buttons(may: CaseRights) -> Vec<(&'static str, &'static str, &'static str)> {
    [
        (may.pass, "pass", "act-pass", ""),
        (may.done, "done", "act-done", ""),
        (may.told, "told", "act-told", ""),
        (may.vote, "vote-yes", "act-vote-yes", ""),
        (may.vote, "vote-no", "act-vote-no", "secondary"),
        (may.close_vote, "close-vote", "act-close-vote", "secondary"),
        (may.give_back, "return", "act-return", "secondary"),
        (may.refuse, "refuse", "act-refuse", "danger"),
        (may.withdraw, "withdraw", "act-withdraw", "secondary"),
        (may.comment, "comment", "act-comment", "secondary"),
        (may.end, "end", "act-end", "danger"),
    ]
    .into_iter()
    .filter(|(allowed, ..)| *allowed)
    .map(|(_, word, key, style)| (word, key, style))
    .collect()
}

/// The act that a button asks for.
fn act(word: &str, text: &str) -> Option<Act> {
    let reason = || text.to_owned();
    Some(match word {
        "pass" => Act::Pass,
        "done" => Act::Done,
        "told" => Act::Told,
        "vote-yes" => Act::Vote { yes: true },
        "vote-no" => Act::Vote { yes: false },
        "close-vote" => Act::CloseVote,
        "return" => Act::Return { reason: reason() },
        "refuse" => Act::Refuse { reason: reason() },
        "withdraw" => Act::Withdraw { reason: reason() },
        "comment" => Act::Comment { text: reason() },
        "end" => Act::End { reason: reason() },
        _ => return None,
    })
}

#[derive(Template)]
#[template(path = "governance/case.html")]
struct CasePage {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    version: u64,
    stage: String,
    style: &'static str,
    facts: Vec<Line>,
    overdue: bool,
    emergency: Option<String>,
    lines: Vec<Line>,
    steps: Vec<Step>,
    history: Vec<Event>,
    tasks: Vec<Task>,
    /// Accounts that the approval issued: name, user ID, page to issue the first password at, state.
    issued: Vec<(String, String, Option<String>, String)>,
    /// What whoever leaves has yet to return: the register, and what it is called.
    returns: Vec<(String, String)>,
    proposal: Option<Changes>,
    entry: Option<String>,
    may: CaseRights,
    buttons: Vec<(&'static str, &'static str, &'static str)>,
    controls: Vec<Control>,
    lists: Vec<(String, Vec<String>)>,
    text: String,
    error: Option<String>,
    /// A draft of a procedure that the rules have no more.
    gone: bool,
}

/// A step of the progress.
struct Step {
    name: String,
    help: Option<String>,
    kind: &'static str,
    state: &'static str,
    word: &'static str,
    who: String,
    people: Vec<String>,
    deadline: Option<String>,
    overdue: bool,
    votes: Option<String>,
    events: Vec<Event>,
    lines: Vec<Line>,
}

/// Something that happened.
struct Event {
    what: &'static str,
    who: String,
    how: Option<String>,
    when: String,
    when_machine: String,
    text: Option<String>,
}

/// Work to be done by hand.
pub(super) struct Task {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) case: String,
    pub(super) procedure: String,
    pub(super) what: String,
    pub(super) arguments: Vec<Line>,
    pub(super) people: String,
    pub(super) done: Option<String>,
    pub(super) mine: bool,
}

impl Task {
    pub(super) fn of(ask: &Ask, task: &ByHandView) -> Self {
        let (texts, pack) = (ask.texts(), ask.web.app.pack());
        let case = format!("/rules/cases/{}", task.case);
        let arguments = task.arguments.iter().map(|(name, labels)| Line {
            label: texts.find(&format!("argument-{name}")).unwrap_or_else(|| name.clone()),
            cells: labels.iter().map(|label| cell(label, texts, &format!("{case}/files"))).collect(),
            long: false,
        });
        Self {
            id: task.id.to_string(),
            version: task.version,
            procedure: task.procedure.name(translated(texts)).to_owned(),
            what: texts.find(&format!("effect-{}", task.effect)).unwrap_or_else(|| task.effect.clone()),
            arguments: arguments.collect(),
            people: words_of(pack, &task.people, texts),
            done: task.done.as_ref().map(|(by, at, note)| {
                let at = dates::date_time(*at, texts);
                texts.pairs("task-done", &[("name", by), ("time", &at), ("note", note)])
            }),
            mine: task.mine,
            case,
        }
    }
}

/// Words of the pack as people know them.
fn words_of(pack: &mimamori_policy::Pack, words: &[String], texts: &Texts) -> String {
    let all: Vec<String> = words.iter().map(|word| word_of(pack, word, texts)).collect();
    all.join(&texts.get("list-and"))
}

fn word_of(pack: &mimamori_policy::Pack, word: &str, texts: &Texts) -> String {
    let known = match word {
        "anyone" => Who::Anyone,
        "citizen" => Who::Citizen,
        "applicant" => Who::Applicant,
        "person" => return texts.get("who-person"),
        role => match role.parse::<RoleCode>() {
            Ok(role) => Who::Role(role),
            Err(_) => return role.to_owned(),
        },
    };
    who(pack, &known, texts)
}

fn event(ask: &Ask, pack: &Pack, event: &CaseEvent) -> Event {
    let texts = ask.texts();
    let role = event.word.as_ref().map(|word| word_of(pack, word, texts));
    let key = match event.how {
        Some(How::Deputy) => Some("how-deputy"),
        Some(How::Delegate) => Some("how-delegate"),
        Some(How::PassedTo) => Some("how-passed-to"),
        Some(How::Holder) | None => None,
    };
    let how = match (key, role) {
        (Some(key), Some(role)) => Some(texts.with(key, "role", &role)),
        (_, role) => role,
    };
    Event {
        what: MARKS.iter().find(|(mark, _)| *mark == event.mark).map_or("mark-commented", |(_, key)| *key),
        who: event.by_name.clone(),
        how,
        when: dates::date_time(event.at, texts),
        when_machine: dates::machine(event.at),
        text: event.text.clone().filter(|text| !text.is_empty()),
    }
}

fn step(ask: &Ask, pack: &Pack, found: &CaseStep, files: &str) -> Step {
    let texts = ask.texts();
    let (state, word) = match found.state {
        StepState::Done => ("done", "step-done"),
        StepState::Now => ("now", "step-now"),
        StepState::Ahead => ("ahead", "step-ahead"),
        StepState::PassedOver => ("passed-over", "step-passed-over"),
        StepState::Stopped => ("stopped", "step-stopped"),
    };
    Step {
        name: found.step.name(translated(texts)).to_owned(),
        help: found.step.help(translated(texts)).map(str::to_owned),
        kind: match found.step.kind {
            StepKind::Review => "step-kind-review",
            StepKind::Approve => "step-kind-approve",
            StepKind::CarryOut => "step-kind-carry-out",
            StepKind::Report => "step-kind-report",
            StepKind::Inform => "step-kind-inform",
        },
        state,
        word,
        who: whom(pack, &found.step.by, texts),
        people: found.people.iter().take(20).map(|person| person.name.clone()).collect(),
        deadline: found.deadline.map(|time| dates::date_time(time, texts)),
        overdue: found.overdue,
        votes: found.votes.map(|(yes, no)| {
            texts.pairs("step-votes", &[("yes", &yes.to_string()), ("no", &no.to_string())])
        }),
        events: found.events.iter().map(|one| event(ask, pack, one)).collect(),
        lines: lines(&found.step.fields, &found.shown, texts, files),
    }
}

/// The step that the caller may act at now.
fn at(view: &CaseView) -> Option<&CaseStep> {
    view.steps.iter().find(|step| step.state == StepState::Now)
}

async fn case_page(ask: &Ask, view: &CaseView, filled: &Filled, references: &References) -> CasePage {
    let (texts, base) = (ask.texts(), format!("/rules/cases/{}", view.id));
    let files = format!("{base}/files");
    let (word, style) = stage(view.stage);
    let plain = |key: &str, text: String| Line {
        label: texts.get(key),
        cells: vec![super::words::Cell { text, link: None }],
        long: false,
    };
    let since = view.submitted.unwrap_or(view.begun);
    let mut facts = vec![plain("case-number", number(view.id, since))];
    facts.push(plain("case-applicant", view.applicant.1.clone()));
    facts.extend(view.institution.clone().map(|name| plain("case-institution", name)));
    facts.extend(view.submitted.map(|at| plain("case-submitted", dates::date_time(at, texts))));
    facts.extend(view.finished.map(|at| plain("case-finished", dates::date_time(at, texts))));
    let acts = view.may.pass || view.may.done || view.may.told || view.may.vote;
    let fields: &[Field] = at(view).filter(|_| acts).map_or(&[], |step| &step.step.fields);
    let emergency = view.emergency.then(|| match view.report_due {
        Some(due) => texts.with("case-emergency-due", "time", &dates::date_time(due, texts)),
        None => texts.get("case-emergency"),
    });
    let readable = Readable::of(ask);
    let mut shown = CasePage {
        l: frame(ask, view.procedure.name(translated(texts)).to_owned(), &base),
        crumbs: crumbs(ask, &[("/rules/cases", &texts.get("cases-title"))]),
        version: view.version,
        stage: texts.get(&format!("stage-{word}")),
        style,
        facts,
        overdue: view.overdue,
        emergency,
        lines: lines(&view.procedure.fields, &view.shown, texts, &files),
        steps: view.steps.iter().map(|one| step(ask, &view.rules, one, &files)).collect(),
        history: view.history.iter().map(|one| event(ask, &view.rules, one)).collect(),
        tasks: view.by_hand.iter().map(|task| Task::of(ask, task)).collect(),
        issued: view
            .issued
            .iter()
            .map(|one| {
                let word = if one.awaits_first { "issued-waits" } else { "issued-done" };
                let link = one.may_issue.then(|| format!("/admin/accounts/{}/reissue", one.actor));
                (one.name.clone(), one.login.clone(), link, texts.get(word))
            })
            .collect(),
        returns: view
            .returns
            .iter()
            .map(|item| (item.register_name.get(translated(texts)).to_owned(), item.title.clone()))
            .collect(),
        proposal: view.proposal.as_ref().map(|proposal| Changes::of(ask, proposal, MOST_SHOWN)),
        entry: view
            .entry
            .as_ref()
            .filter(|(register, _)| readable.register(register))
            .map(|(register, id)| format!("/rules/registers/{register}/entries/{id}")),
        may: view.may,
        buttons: buttons(view.may),
        controls: controls(ask, fields, filled, references),
        lists: references.suggestions(),
        text: String::new(),
        error: None,
        gone: view.gone && view.may.edit,
        base,
    };
    shown.only_readable(ask);
    shown
}

impl CasePage {
    /// Nobody is led to what they would be refused.
    fn only_readable(&mut self, ask: &Ask) {
        let readable = Readable::of(ask);
        let steps = self.steps.iter_mut().flat_map(|step| &mut step.lines);
        let tasks = self.tasks.iter_mut().flat_map(|task| &mut task.arguments);
        readable.keep(self.facts.iter_mut().chain(&mut self.lines).chain(steps).chain(tasks));
    }
}

/// A case's number as people read it: the year it was handed in (or begun), in Japan, and the first
/// digits of its id. The address has the whole id.
pub(super) fn number(id: ObjectId, since: mimamori_domain::Timestamp) -> String {
    let id: String = id.to_string().chars().filter(char::is_ascii_hexdigit).take(8).collect();
    format!("{}-{}", dates::day_of(since).year(), id.to_ascii_uppercase())
}

/// `GET /rules/cases/{id}`; `?print` for paper.
pub(crate) async fn show(ask: Ask, Path(case): Path<String>, Query(query): Query) -> Answered {
    let view = ask.web.app.case(&ask.caller, id(&case)?).await?;
    if query.has("print") {
        return page(&super::paper::case(&ask, &view));
    }
    if view.stage == CaseStage::Draft && view.may.edit && !view.gone {
        return Ok(see(&format!("/rules/cases/{}/edit", view.id)));
    }
    let references = match at(&view) {
        Some(step) => References::ask(&ask, &step.step.fields).await?,
        None => References::default(),
    };
    let mut shown = case_page(&ask, &view, &Filled::default(), &references).await;
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

/// `POST /rules/cases/{id}/act`: passed, returned, refused, done, voted, withdrawn, commented.
pub(crate) async fn act_on(ask: Ask, Path(case): Path<String>, sent: Form) -> Answered {
    let case: ObjectId = id(&case)?;
    let bad = || Fault::status(StatusCode::BAD_REQUEST);
    let seen: u64 = sent.fields.parsed("version").ok_or_else(bad)?;
    let text = sent.fields.lines("text");
    let view = ask.web.app.case(&ask.caller, case).await?;
    let fields: Vec<Field> = at(&view).map(|step| step.step.fields.clone()).unwrap_or_default();
    let references = References::ask(&ask, &fields).await?;
    let (mut filled, typed) = Filled::read(&ask, &fields, &sent, &references).await?;
    let mut fault = None;
    if filled.more.is_none() {
        let act = act(sent.fields.get("act"), &text).ok_or_else(bad)?;
        let fills = matches!(act, Act::Pass | Act::Done | Act::Told | Act::Vote { .. });
        if fills {
            missing(&ask, &fields, &mut filled);
        } else {
            filled.wrong.clear();
        }
        if filled.wrong.is_empty() {
            let typed = if fills { typed } else { Default::default() };
            match acted(&ask, &view, seen, &act, &typed, &text).await {
                Ok(()) => return Ok(see(&format!("/rules/cases/{case}?done=case-acted"))),
                Err(failure) => fault = Some(failure),
            }
        }
    }
    let (status, told) = blamed(&ask, &fields, &mut filled, fault)?;
    let mut shown = case_page(&ask, &view, &filled, &references).await;
    shown.text = text;
    shown.error = told;
    page_with(status, &shown)
}

/// Does what a button asks for. What is said beside an approval, a vote or finished work goes with it.
async fn acted(
    ask: &Ask,
    view: &CaseView,
    seen: u64,
    act: &Act,
    typed: &Typed,
    text: &str,
) -> Result<(), Fault> {
    let (app, caller) = (&ask.web.app, &ask.caller);
    let comment = if view.may.comment { text } else { "" };
    Ok(app.act_on_case_saying(caller, view.id, seen, act, typed, comment).await?)
}

/// `GET /rules/cases/{id}/files/{attachment}`
pub(crate) async fn file(ask: Ask, Path((case, file)): Path<(String, String)>) -> Answered {
    Ok(download(ask.web.app.case_file(&ask.caller, id(&case)?, id(&file)?).await?))
}

/// `POST /rules/tasks/{id}`: work by hand is done.
pub(crate) async fn carry_out(ask: Ask, Path(task): Path<String>, fields: Fields) -> Answered {
    let seen: u64 = fields.parsed("version").ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    ask.web.app.carry_out_by_hand(&ask.caller, id(&task)?, seen, &fields.lines("note")).await?;
    Ok(see("/rules?done=task-done"))
}

#[derive(Template)]
#[template(path = "governance/cases.html")]
struct List {
    l: Layout,
    crumbs: Vec<Crumb>,
    procedures: Vec<super::inputs::Choice>,
    stages: Vec<super::inputs::Choice>,
    mine: bool,
    overdue: bool,
    rows: Vec<Row>,
    total: u64,
    page: usize,
    pages: usize,
    truncated: bool,
    /// The address of this list up to the number of the page.
    more: String,
}

/// A case in a list.
pub(super) struct Row {
    pub(super) link: String,
    pub(super) name: String,
    pub(super) summary: String,
    pub(super) applicant: String,
    pub(super) stage: String,
    pub(super) style: &'static str,
    pub(super) step: Option<String>,
    pub(super) when: String,
    pub(super) when_machine: String,
    pub(super) deadline: Option<String>,
    pub(super) overdue: bool,
    pub(super) emergency: bool,
}

impl Row {
    pub(super) fn of(row: &CaseRow, texts: &Texts) -> Self {
        let (word, style) = stage(row.stage);
        let at = row.submitted.unwrap_or(row.begun);
        let summary: Vec<String> = row.summary.iter().map(|label| cell(label, texts, "").text).collect();
        Self {
            link: format!("/rules/cases/{}", row.id),
            name: named(&row.name, texts),
            summary: summary.join(&texts.get("list-beside")),
            applicant: row.applicant.1.clone(),
            stage: texts.get(&format!("stage-{word}")),
            style,
            step: row.step.as_ref().map(|step| named(step, texts)),
            when: dates::date_time(at, texts),
            when_machine: dates::machine(at),
            deadline: row.deadline.map(|time| dates::date_time(time, texts)),
            overdue: row.overdue,
            emergency: row.emergency,
        }
    }
}

/// `GET /rules/cases`: codes and stages alone stand in the address.
pub(crate) async fn list(ask: Ask, Query(query): Query) -> Answered {
    let texts = ask.texts();
    let wanted = query.get("stage").to_owned();
    let filter = CaseFilter {
        procedure: query.some("procedure"),
        stage: STAGES.iter().find(|(_, word, _)| *word == wanted).map(|(stage, ..)| *stage),
        mine: query.get("mine") == "yes",
        overdue: query.get("overdue") == "yes",
        page: query.parsed("page").unwrap_or(1),
    };
    let procedures = ask.web.app.procedures(&ask.caller).await?;
    let found = ask.web.app.cases(&ask.caller, &filter).await?;
    let chosen = filter.procedure.clone().unwrap_or_default();
    let yes = |on: bool| if on { "yes" } else { "" };
    let more = form_urlencoded::Serializer::new("/rules/cases?".to_owned())
        .append_pair("procedure", &chosen)
        .append_pair("stage", &wanted)
        .append_pair("mine", yes(filter.mine))
        .append_pair("overdue", yes(filter.overdue))
        .append_pair("page", "")
        .finish();
    page(&List {
        l: ask.layout("cases-title").current("rules"),
        crumbs: crumbs(&ask, &[("/rules/procedures", &texts.get("procedures-title"))]),
        procedures: procedures
            .into_iter()
            .map(|one| super::inputs::Choice {
                chosen: one.procedure.code == chosen,
                label: one.procedure.name(translated(texts)).to_owned(),
                value: one.procedure.code.clone(),
            })
            .collect(),
        stages: STAGES
            .iter()
            .map(|(_, word, _)| super::inputs::Choice {
                value: (*word).to_owned(),
                label: texts.get(&format!("stage-{word}")),
                chosen: *word == wanted,
            })
            .collect(),
        mine: filter.mine,
        overdue: filter.overdue,
        rows: found.rows.iter().map(|row| Row::of(row, texts)).collect(),
        total: found.total as u64,
        page: found.page,
        pages: found.pages,
        truncated: found.truncated,
        more,
    })
}

/// The label and value of a field that an official form prints.
pub(super) fn printed(view: &CaseView, reference: &FieldReference, texts: &Texts) -> Option<Line> {
    let field = view.procedure.field_at(reference)?;
    let shown = match &reference.step {
        Some(code) => &view.steps.iter().find(|step| step.step.code == *code)?.shown,
        None => &view.shown,
    };
    let found = lines(std::slice::from_ref(field), shown, texts, "").into_iter().next();
    Some(found.unwrap_or_else(|| Line { label: field.name(translated(texts)).to_owned(), ..Line::default() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    #[test]
    fn every_word_of_a_case_exists_in_both_languages() {
        let all = CaseRights {
            pass: true,
            refuse: true,
            give_back: true,
            done: true,
            told: true,
            vote: true,
            close_vote: true,
            withdraw: true,
            comment: true,
            resubmit: true,
            edit: true,
            end: true,
        };
        let buttons = buttons(all);
        for language in Language::ALL {
            let texts = language.texts();
            let stages = STAGES.iter().map(|(_, word, _)| format!("stage-{word}"));
            let marks = MARKS.iter().map(|(_, key)| (*key).to_owned());
            let acts = buttons.iter().map(|(_, key, _)| (*key).to_owned());
            let effects = mimamori_policy::model::EffectKind::ALL.iter().map(|kind| format!("effect-{kind}"));
            let arguments = mimamori_policy::model::EffectKind::ALL
                .iter()
                .flat_map(|kind| kind.arguments())
                .map(|name| format!("argument-{name}"));
            for key in stages.chain(marks).chain(acts).chain(effects).chain(arguments) {
                assert!(texts.find(&key).is_some(), "{key}");
            }
        }
        for (word, ..) in buttons {
            assert!(act(word, "x").is_some(), "{word}");
        }
    }
}
