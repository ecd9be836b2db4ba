//! Half a year of an organisation keeping its rules: documents, statements, registers, duties and
//! procedures, each at its time, through the use cases and in the names of those who act.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mimamori_app::{Act, App, CaseStage, CaseView, How, NewDocument, NewStatement, StepState, Typed};
use mimamori_demo::rules::{self, Chance};
use mimamori_domain::{Error, ManualClock, ObjectId, Timestamp};
use mimamori_policy::model::{
    EffectKind, Field, FieldType, Period, Procedure, ProcedureKind, Proof, Source, Step, StepKind, StepRule,
    Who,
};
use mimamori_policy::{Language, Pack};

use super::cast::Cast;
use super::fill::{LeftOut, leave_out};
use super::forms::{Earlier, Form, Known, remember};
use crate::console::Console;

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
/// How many days the plan below is written for; a shorter history has less of everything.
const WHOLE: u64 = 183;
/// What the paper is called that forms attach.
const PAPER: &str = "別紙";
/// Acts on one case at most.
const MOST_ACTS: u32 = 40;

/// What is to become of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    Pass,
    Refuse,
    Return,
    Withdraw,
    /// Handed in and left where it is.
    Wait,
    /// Acted first, reported afterwards.
    Emergency,
}

/// Something that happens at a time.
#[derive(Debug)]
enum Job {
    Publish(String),
    Acknowledge(String, usize),
    Attest(String),
    Enter(String),
    Review(String),
    Skip(String, Timestamp),
    Begin(String, Plan),
    Act(ObjectId),
    Sign,
}

/// A case under way.
#[derive(Debug)]
struct Running {
    plan: Plan,
    applicant: usize,
    story: usize,
    acts: u32,
    hurried: bool,
    earlier: Earlier,
}

/// The history as it is being written.
#[derive(Debug)]
pub struct History<'a> {
    pub app: &'a App,
    pub clock: &'a ManualClock,
    pub console: Console,
    pub cast: Cast,
    pub known: Known,
    pub left_out: LeftOut,
    from: Timestamp,
    until: Timestamp,
    chance: Chance,
    queue: BTreeMap<(Timestamp, u64), Job>,
    cases: HashMap<ObjectId, Running>,
    /// What each person attached.
    papers: HashMap<usize, ObjectId>,
    number: u64,
    story: usize,
}

impl<'a> History<'a> {
    /// A history from the clock's time until another.
    pub fn new(
        app: &'a App,
        clock: &'a ManualClock,
        console: Console,
        (cast, known): (Cast, Known),
        until: Timestamp,
        seed: u64,
    ) -> Self {
        Self {
            app,
            clock,
            console,
            cast,
            known,
            left_out: LeftOut::new(),
            from: mimamori_domain::Clock::now(clock),
            until,
            chance: Chance::new(seed),
            queue: BTreeMap::new(),
            cases: HashMap::new(),
            papers: HashMap::new(),
            number: 0,
            story: 0,
        }
    }

    /// Lets everything happen in its order.
    ///
    /// # Errors
    /// What concerns more than one form.
    pub async fn write(mut self) -> Result<(Cast, LeftOut), Error> {
        let pack = self.app.pack().clone();
        self.plan(&pack);
        let bar = self.console.bar(self.queue.len() as u64, "half a year");
        while let Some(((at, _), job)) = self.queue.pop_first() {
            self.clock.set(at.max(mimamori_domain::Clock::now(self.clock)));
            let what = format!("{job:?}");
            if let Err(error) = self.happen(&pack, job).await {
                let what = what.split(['(', ',']).take(2).collect::<Vec<_>>().join(" ");
                leave_out(&error, &what, &mut self.left_out).ok_or(error)?;
            }
            bar.set_length(bar.length().unwrap_or(0).max(bar.position() + self.queue.len() as u64));
            bar.inc(1);
        }
        bar.finish_and_clear();
        self.clock.set(self.until);
        Ok((self.cast, self.left_out))
    }

    /// Attaches the paper that somebody's forms refer to, where a form has a place for one.
    async fn attach(&mut self, fields: &[Field], by: usize) -> Result<(), Error> {
        self.known.file = self.papers.get(&by).copied();
        if self.known.file.is_none() && fields.iter().any(|field| field.kind == FieldType::File) {
            let caller = self.cast.caller(self.app, by).await?;
            let text = rules::document(PAPER, self.app.pack().organisation(Language::Ja));
            let file = self.app.attach_file(&caller, &format!("{PAPER}.txt"), text.as_bytes()).await?;
            self.papers.insert(by, file);
            self.known.file = Some(file);
        }
        Ok(())
    }

    fn plan(&mut self, pack: &Pack) {
        for (at, document) in pack.documents().iter().enumerate() {
            // One in a while is still missing.
            if at % 17 != 16 {
                self.in_days((1, 20), Job::Publish(document.code.clone()));
            }
        }
        for (at, attestation) in pack.attestations().iter().enumerate() {
            if at % 11 != 10 {
                self.in_days((5, 120), Job::Attest(attestation.code.clone()));
            }
        }
        for register in pack.registers() {
            let from = if register.assets { (2, 20) } else { (12, 179) };
            for _ in 0..self.less(rules::volume(&register.code)) {
                self.in_days(from, Job::Enter(register.code.clone()));
            }
        }
        self.plan_duties(pack);
        for (at, procedure) in pack.procedures().iter().enumerate() {
            let end = [Plan::Refuse, Plan::Return, Plan::Withdraw];
            let plans = [end.get(at % end.len()).copied().unwrap_or(Plan::Pass), Plan::Pass, Plan::Pass];
            let shift = at % plans.len();
            for plan in plans.into_iter().cycle().skip(shift).take(self.less(plans.len())) {
                self.in_days((20, 160), Job::Begin(procedure.code.clone(), plan));
            }
            if procedure.emergency.is_some() {
                self.in_days((30, 170), Job::Begin(procedure.code.clone(), Plan::Emergency));
            }
            match at % 4 {
                // Left lying: overdue where the step has a term.
                0 => self.in_days((130, 150), Job::Begin(procedure.code.clone(), Plan::Wait)),
                1 | 2 => self.in_days((177, 179), Job::Begin(procedure.code.clone(), Plan::Wait)),
                _ => {}
            }
        }
        let weeks = (1..26).map(|week| self.from.plus(DAY * 7 * week));
        for at in weeks.collect::<Vec<_>>() {
            self.at(at, Job::Sign);
        }
    }

    fn plan_duties(&mut self, pack: &Pack) {
        let mut duties: Vec<(String, Vec<Timestamp>, u32, Proof)> = Vec::new();
        for schedule in pack.schedules() {
            if let Some(rule) = &schedule.rule {
                let opens = rule.between(self.from, self.until);
                duties.push((schedule.code.clone(), opens, schedule.within_days, schedule.proof.clone()));
            }
        }
        for register in pack.registers() {
            let Some(review) = &register.review else { continue };
            let asked = Proof::Review(register.code.clone());
            if pack.schedules().iter().all(|schedule| schedule.proof != asked) {
                let opens = review.rule.between(self.from, self.until);
                duties.push((format!("review-{}", register.code), opens, review.within_days, asked));
            }
        }
        for (code, opens, within, proof) in duties {
            for opened in opens {
                let due = opened.plus(DAY * within);
                let done = if due > self.until { 45 } else { 90 };
                let days = i32::try_from(within).unwrap_or(1).max(1);
                let latest = if self.chance.percent(8) { days + 3 } else { days - 1 };
                let at = self.work_time(opened, (0, latest.max(0)));
                if !self.chance.percent(done) {
                    if due <= self.until && self.chance.percent(50) {
                        self.at(at, Job::Skip(code.clone(), opened));
                    }
                    continue;
                }
                let job = match &proof {
                    Proof::Procedure(code) => Job::Begin(code.clone(), Plan::Pass),
                    Proof::Register(code) => Job::Enter(code.clone()),
                    Proof::Review(code) => Job::Review(code.clone()),
                    Proof::Document(code) => Job::Publish(code.clone()),
                    Proof::Attestation(code) => Job::Attest(code.clone()),
                    // What the program does by itself is not made up.
                    Proof::Job(_) => continue,
                };
                self.at(at, job);
            }
        }
    }

    fn at(&mut self, at: Timestamp, job: Job) {
        if at < self.until {
            self.number += 1;
            self.queue.insert((at, self.number), job);
        }
    }

    /// So many in a history of this length; at least one.
    fn less(&self, number: usize) -> usize {
        let days = self.until.since(self.from).as_secs() / DAY.as_secs();
        let share = number as u64 * days.min(WHOLE) / WHOLE;
        usize::try_from(share).unwrap_or(number).max(1)
    }

    fn in_days(&mut self, (least, most): (i32, i32), job: Job) {
        let days = self.until.since(self.from).as_secs() / DAY.as_secs();
        let scaled = |day: i32| {
            i32::try_from(i64::from(day) * i64::try_from(days).unwrap_or(1) / WHOLE as i64).unwrap_or(day)
        };
        let at = self.work_time(self.from, (scaled(least), scaled(most)));
        self.at(at, job);
    }

    /// A time of a working day in Japan, so many days after another.
    fn work_time(&mut self, from: Timestamp, (least, most): (i32, i32)) -> Timestamp {
        let japan = jiff::tz::Offset::constant(9);
        let days = self.chance.between(least, most);
        let (hour, minute) = (self.chance.between(8, 16), self.chance.between(30, 89));
        let date = japan.to_datetime(jiff::Timestamp::from(from)).date();
        let day = jiff::Span::new().try_days(days).and_then(|span| date.checked_add(span)).unwrap_or(date);
        let weekend = i32::from(day.weekday().to_monday_zero_offset()).saturating_sub(4).max(0);
        let back = jiff::Span::new().try_days(weekend).and_then(|span| day.checked_sub(span)).unwrap_or(day);
        let midnight = japan.to_timestamp(back.at(0, 0, 0, 0)).unwrap_or_default();
        let time = Timestamp::from(midnight)
            .plus(Duration::from_secs(60 * u64::try_from(60 * hour + minute).unwrap_or(600)));
        if time > from { time } else { from.plus(HOUR) }
    }

    fn now(&self) -> Timestamp {
        mimamori_domain::Clock::now(self.clock)
    }

    async fn happen(&mut self, pack: &Pack, job: Job) -> Result<(), Error> {
        self.story += 1;
        match job {
            Job::Publish(code) => self.publish(pack, &code).await,
            Job::Acknowledge(code, member) => {
                let caller = self.cast.caller(self.app, member).await?;
                let current = self.app.document(&caller, &code).await?.summary.current;
                match current {
                    Some(version) => self.app.acknowledge_document(&caller, &code, version.version).await,
                    None => Ok(()),
                }
            }
            Job::Attest(code) => self.attest(pack, &code).await,
            Job::Enter(code) => self.enter(pack, &code).await,
            Job::Review(code) => {
                let Some(register) = pack.register(&code) else { return Ok(()) };
                let by = register.review.as_ref().map_or(&register.keeper, |review| &review.by);
                let Some(member) = self.one_of(by) else { return Ok(()) };
                let caller = self.cast.caller(self.app, member).await?;
                self.app.review_register(&caller, &code, true, rules::reason("review", self.story)).await?;
                Ok(())
            }
            Job::Skip(code, opened) => {
                let owner = pack.schedule(&code).map(|schedule| schedule.owner.clone());
                let Some(member) = owner.and_then(|owner| self.one_of(&owner)) else { return Ok(()) };
                let caller = self.cast.caller(self.app, member).await?;
                self.app.skip_duty(&caller, &code, opened, rules::reason("skip", self.story)).await
            }
            Job::Begin(code, plan) => self.begin(pack, &code, plan).await,
            Job::Act(case) => self.go_on(pack, case).await,
            Job::Sign => self.app.checkpoint().await.map(drop),
        }
    }

    fn one_of(&mut self, words: &[Who]) -> Option<usize> {
        let named = self.cast.named(words);
        self.chance.pick(&named).copied()
    }

    async fn publish(&mut self, pack: &Pack, code: &str) -> Result<(), Error> {
        let Some(document) = pack.document(code) else { return Ok(()) };
        let Some(owner) = self.one_of(&document.owner) else { return Ok(()) };
        let caller = self.cast.caller(self.app, owner).await?;
        let seen =
            self.app.document(&caller, code).await?.summary.current.map_or(0, |version| version.version);
        let day = jiff::tz::Offset::constant(9).to_datetime(jiff::Timestamp::from(self.now())).date();
        let new = NewDocument {
            label: format!("第{}版", seen + 1),
            effective: day.to_string(),
            text: rules::document(document.name(Language::Ja), pack.organisation(Language::Ja)),
            file: None,
        };
        self.app.publish_document(&caller, code, seen, &new).await?;
        let within = i32::try_from(document.within_days.unwrap_or(14)).unwrap_or(14);
        for reader in self.cast.named(&document.acknowledged_by) {
            if self.chance.percent(85) {
                let at = self.work_time(self.now(), (1, within));
                self.at(at, Job::Acknowledge(code.to_owned(), reader));
            }
        }
        Ok(())
    }

    async fn attest(&mut self, pack: &Pack, code: &str) -> Result<(), Error> {
        let Some(attestation) = pack.attestation(code) else { return Ok(()) };
        let Some(owner) = self.one_of(&attestation.owner) else { return Ok(()) };
        let caller = self.cast.caller(self.app, owner).await?;
        let holds = !self.chance.percent(3);
        let statement = NewStatement {
            holds,
            statement: rules::reason(if holds { "statement" } else { "fails" }, self.story).to_owned(),
            evidence: rules::reason("evidence", self.story).to_owned(),
            files: Vec::new(),
        };
        self.app.attest(&caller, code, &statement).await?;
        // Mostly stated again in time.
        if self.chance.percent(90) {
            let again = i32::try_from(days(attestation.valid)).unwrap_or(365).max(6);
            let at = self.work_time(self.now(), (again - 5, again - 1));
            self.at(at, Job::Attest(code.to_owned()));
        }
        Ok(())
    }

    async fn enter(&mut self, pack: &Pack, code: &str) -> Result<(), Error> {
        let Some(register) = pack.register(code) else { return Ok(()) };
        let words: Vec<Who> = register.keeper.iter().chain(&register.writers).cloned().collect();
        let Some(by) = self.one_of(&words) else { return Ok(()) };
        self.attach(&register.fields, by).await?;
        let form = Form {
            object: code,
            fields: &register.fields,
            step: None,
            procedure: None,
            at: self.now(),
            story: self.story,
            by,
        };
        let typed = form.fill(pack, &self.cast, &self.known, &Earlier::new(), &mut self.chance);
        let Some(typed) = typed else { return Ok(()) };
        let caller = self.cast.caller(self.app, by).await?;
        let entry = self.app.add_entry(&caller, code, &typed).await?;
        self.keep(register.assets, code, entry);
        Ok(())
    }

    fn keep(&mut self, asset: bool, register: &str, entry: ObjectId) {
        if asset {
            self.known.assets.push(entry);
        }
        self.known.entries.entry(register.to_owned()).or_default().push(entry);
    }

    async fn begin(&mut self, pack: &Pack, code: &str, plan: Plan) -> Result<(), Error> {
        let Some(procedure) = pack.procedure(code) else { return Ok(()) };
        let words = match (&procedure.emergency, plan) {
            (Some(emergency), Plan::Emergency) => emergency.by.clone(),
            _ if procedure.kind == ProcedureKind::Decision && procedure.applicants.is_empty() => {
                procedure.steps.first().map(|step| step.by.clone()).unwrap_or_default()
            }
            _ => procedure.applicants.clone(),
        };
        let Some(applicant) = self.one_of(&words) else { return Ok(()) };
        self.attach(&procedure.fields, applicant).await?;
        let form = Form {
            object: code,
            fields: &procedure.fields,
            step: None,
            procedure: Some(procedure),
            at: self.now(),
            story: self.story,
            by: applicant,
        };
        let typed = form.fill(pack, &self.cast, &self.known, &Earlier::new(), &mut self.chance);
        let Some(typed) = typed else { return Ok(()) };
        // Nobody who is still needed stops their own account.
        let plan = if ends_applicant(procedure) && plan != Plan::Withdraw { Plan::Wait } else { plan };
        let caller = self.cast.caller(self.app, applicant).await?;
        let case = self.app.begin_case(&caller, code, &typed, plan == Plan::Emergency).await?;
        let mut earlier = Earlier::new();
        remember(&mut earlier, None, &typed);
        let hurried = hurried(procedure);
        let running = Running { plan, applicant, story: self.story, acts: 0, hurried, earlier };
        self.cases.insert(case, running);
        if plan != Plan::Wait {
            self.later(case, hurried);
        }
        Ok(())
    }

    fn later(&mut self, case: ObjectId, hurried: bool) {
        let now = self.now();
        let at = if hurried {
            now.plus(Duration::from_secs(60 * u64::try_from(self.chance.between(8, 25)).unwrap_or(10)))
        } else {
            self.work_time(now, (0, 3))
        };
        self.at(at, Job::Act(case));
    }

    /// The next act on a case.
    async fn go_on(&mut self, pack: &Pack, case: ObjectId) -> Result<(), Error> {
        let Some(running) = self.cases.get_mut(&case) else { return Ok(()) };
        running.acts += 1;
        if running.acts > MOST_ACTS {
            return Ok(());
        }
        let (plan, applicant, hurried) = (running.plan, running.applicant, running.hurried);
        let caller = self.cast.caller(self.app, applicant).await?;
        let view = self.app.case(&caller, case).await?;
        match view.stage {
            CaseStage::Returned => {
                self.app.resubmit_case(&caller, case, view.version, &view.typed).await?;
                if let Some(running) = self.cases.get_mut(&case) {
                    running.plan = Plan::Pass;
                }
                self.later(case, hurried);
                Ok(())
            }
            CaseStage::Open if plan == Plan::Withdraw && view.may.withdraw => {
                let reason = rules::reason("withdraw", self.story).to_owned();
                let act = Act::Withdraw { reason };
                self.app.act_on_case(&caller, case, view.version, &act, &Typed::new()).await
            }
            CaseStage::Open => self.act(pack, &view, plan).await,
            CaseStage::Finished => {
                if let Some((register, entry)) = &view.entry {
                    let asset = pack.register(register).is_some_and(|register| register.assets);
                    self.keep(asset, register, *entry);
                }
                self.by_hand(&view).await
            }
            CaseStage::Draft | CaseStage::Refused | CaseStage::Withdrawn => Ok(()),
        }
    }

    /// Somebody whose turn it is acts at the step where a case is.
    async fn act(&mut self, pack: &Pack, view: &CaseView, plan: Plan) -> Result<(), Error> {
        let Some(at) = view.steps.iter().find(|step| step.state == StepState::Now) else { return Ok(()) };
        let step = &at.step;
        let mut people: Vec<usize> = at
            .people
            .iter()
            .filter(|person| {
                person.how == How::Holder || at.people.iter().all(|other| other.how != How::Holder)
            })
            .filter_map(|person| self.cast.place_of(person.actor))
            .collect();
        people.retain(|member| !self.cast.spare.contains(member));
        let Some(by) = self.chance.pick(&people).copied() else { return Ok(()) };
        let caller = self.cast.caller(self.app, by).await?;
        let act = self.chosen(step, plan);
        let fills = matches!(act, Act::Pass | Act::Done | Act::Told | Act::Vote { yes: true });
        let mut typed = Typed::new();
        let Some((story, hurried, earlier)) =
            self.cases.get(&view.id).map(|running| (running.story, running.hurried, running.earlier.clone()))
        else {
            return Ok(());
        };
        if fills {
            self.attach(&step.fields, by).await?;
            let form = Form {
                object: &view.procedure.code,
                fields: &step.fields,
                step: Some(&step.code),
                procedure: Some(&view.procedure),
                at: self.now(),
                story,
                by,
            };
            match form.fill(pack, &self.cast, &self.known, &earlier, &mut self.chance) {
                Some(filled) => typed = filled,
                None => return Ok(()),
            }
        }
        let done = self.app.act_on_case(&caller, view.id, view.version, &act, &typed).await;
        match done {
            Ok(()) => {
                if let Some(running) = self.cases.get_mut(&view.id) {
                    remember(&mut running.earlier, Some(&step.code), &typed);
                }
            }
            // What cannot be done is not approved.
            Err(error) if fills && step.decides() && !matches!(step.rule, StepRule::Committee(_)) => {
                leave_out(&error, &view.procedure.code, &mut self.left_out).ok_or(error)?;
                let act = Act::Refuse { reason: rules::reason("refuse", self.story).to_owned() };
                self.app.act_on_case(&caller, view.id, view.version, &act, &Typed::new()).await?;
            }
            Err(error) => return Err(error),
        }
        self.later(view.id, hurried);
        Ok(())
    }

    fn chosen(&self, step: &Step, plan: Plan) -> Act {
        let committee = matches!(step.rule, StepRule::Committee(_));
        let refuses = plan == Plan::Refuse && step.decides();
        let reason = |act: &str| rules::reason(act, self.story).to_owned();
        if committee {
            return Act::Vote { yes: !refuses };
        }
        if refuses {
            return Act::Refuse { reason: reason("refuse") };
        }
        if plan == Plan::Return && step.decides() {
            return Act::Return { reason: reason("return") };
        }
        match step.kind {
            StepKind::Review | StepKind::Approve => Act::Pass,
            StepKind::CarryOut | StepKind::Report => Act::Done,
            StepKind::Inform => Act::Told,
        }
    }

    /// Tasks that a decision left to people: most are done.
    async fn by_hand(&mut self, view: &CaseView) -> Result<(), Error> {
        for task in view.by_hand.iter().filter(|task| task.done.is_none()) {
            let people = task.people.iter().filter_map(|word| self.cast.holders.get(word)?.first().copied());
            let Some(by) = people.into_iter().next().filter(|_| !self.story.is_multiple_of(5)) else {
                continue;
            };
            let caller = self.cast.caller(self.app, by).await?;
            let note = rules::reason("statement", self.story);
            self.app.carry_out_by_hand(&caller, task.id, task.version, note).await?;
        }
        Ok(())
    }
}

/// Whether what a decision does ends the applicant's own account or appointment.
fn ends_applicant(procedure: &Procedure) -> bool {
    procedure.effects.iter().any(|effect| {
        let ends = matches!(
            effect.action,
            EffectKind::StopAccount | EffectKind::DeleteAccount | EffectKind::EndAppointment
        );
        ends && effect.with.values().any(|source| *source == Source::Applicant)
    })
}

/// Whether some step has a term of less than a day.
fn hurried(procedure: &Procedure) -> bool {
    let short = |period: &Period| days(*period) < 1;
    procedure.steps.iter().filter_map(|step| step.deadline.as_ref()).any(short)
}

fn days(period: Period) -> u32 {
    365 * period.years + 30 * period.months + period.days
}
