//! The runs of procedures: handed in, discussed, passed, refused, returned, taken back, carried out.

use std::time::Duration;

use mimamori_app::{Act, CaseStage, CaseView, How, StepState, Typed};
use mimamori_domain::{Error, ObjectId};
use mimamori_policy::Pack;
use mimamori_policy::model::{
    EffectKind, Period, Procedure, ProcedureKind, Source, Step, StepKind, StepRule,
};

use crate::fill::leave_out;
use crate::forms::{Earlier, Form, remember};
use crate::history::{History, Job, Plan, days};

/// Acts on one case at most.
const MOST_ACTS: u32 = 40;
/// Of a hundred turns so many begin with a remark, and so many remarks one case bears.
const REMARK_PERCENT: i32 = 18;
const MOST_REMARKS: u32 = 2;

/// A case under way.
#[derive(Debug)]
pub(crate) struct Running {
    plan: Plan,
    applicant: usize,
    story: usize,
    acts: u32,
    remarks: u32,
    hurried: bool,
    earlier: Earlier,
}

impl History<'_> {
    /// Who begins a case.
    fn applicant(&mut self, procedure: &Procedure, plan: Plan) -> Option<usize> {
        let words = match (&procedure.emergency, plan) {
            (Some(emergency), Plan::Emergency | Plan::EmergencyReport) => emergency.by.clone(),
            _ if procedure.kind == ProcedureKind::Decision && procedure.applicants.is_empty() => {
                procedure.steps.first().map(|step| step.by.clone()).unwrap_or_default()
            }
            _ => procedure.applicants.clone(),
        };
        self.one_of(&words)
    }

    fn form<'a>(&self, procedure: &'a Procedure, applicant: usize) -> Form<'a> {
        Form {
            object: &procedure.code,
            fields: &procedure.fields,
            step: None,
            procedure: Some(procedure),
            at: self.now(),
            story: self.story,
            by: applicant,
        }
    }

    pub(crate) async fn begin(
        &mut self,
        pack: &Pack,
        code: &str,
        plan: Plan,
        applicant: Option<usize>,
    ) -> Result<(), Error> {
        let Some(procedure) = pack.procedure(code) else { return Ok(()) };
        let Some(applicant) = applicant.or_else(|| self.applicant(procedure, plan)) else { return Ok(()) };
        let form = self.form(procedure, applicant);
        let Some(mut typed) = self.filled_in(pack, &form, &Earlier::new(), 0).await? else { return Ok(()) };
        // Nobody who is still needed stops their own account.
        let plan = if ends_applicant(procedure) && plan != Plan::Withdraw { Plan::Wait } else { plan };
        // The history ends under the rules that it began under.
        let passes = matches!(plan, Plan::Pass | Plan::Prompt | Plan::Return);
        let plan = if adopts_rules(procedure) && passes { Plan::Refuse } else { plan };
        let caller = self.cast.caller(self.app, applicant).await?;
        self.attach(&form, &caller, &mut typed).await?;
        let first = matches!(plan, Plan::Emergency | Plan::EmergencyReport);
        let case = self.app.begin_case(&caller, code, &typed, first).await?;
        let mut earlier = Earlier::new();
        remember(&mut earlier, None, &typed);
        let hurried = first || plan == Plan::Prompt || hurried(procedure);
        let running = Running { plan, applicant, story: self.story, acts: 0, remarks: 0, hurried, earlier };
        self.cases.insert(case, running);
        if !matches!(plan, Plan::Wait | Plan::EmergencyReport) {
            self.later(case, hurried);
        }
        Ok(())
    }

    /// A form that somebody has begun and put aside.
    pub(crate) async fn draft(
        &mut self,
        pack: &Pack,
        code: &str,
        applicant: Option<usize>,
    ) -> Result<(), Error> {
        let Some(procedure) = pack.procedure(code) else { return Ok(()) };
        let Some(applicant) = applicant.or_else(|| self.applicant(procedure, Plan::Pass)) else {
            return Ok(());
        };
        let form = self.form(procedure, applicant);
        let Some(typed) = self.filled_in(pack, &form, &Earlier::new(), 0).await? else { return Ok(()) };
        let written = typed.len().div_ceil(2);
        let first = procedure.fields.iter().filter_map(|field| typed.get_key_value(&field.code));
        let mut typed: Typed =
            first.take(written).map(|(code, texts)| (code.clone(), texts.clone())).collect();
        let caller = self.cast.caller(self.app, applicant).await?;
        self.attach(&form, &caller, &mut typed).await?;
        self.app.save_draft(&caller, code, None, &typed).await.map(drop)
    }

    fn later(&mut self, case: ObjectId, hurried: bool) {
        let now = self.now();
        let at = if hurried {
            now.plus(Duration::from_secs(60 * u64::try_from(self.chance.between(8, 25)).unwrap_or(10)))
        } else {
            self.work_time(now, (0, 2))
        };
        self.at(at, Job::Act(case));
    }

    /// The next act on a case.
    pub(crate) async fn go_on(&mut self, pack: &Pack, case: ObjectId) -> Result<(), Error> {
        let Some(running) = self.cases.get_mut(&case) else { return Ok(()) };
        running.acts += 1;
        if running.acts > MOST_ACTS {
            return Ok(());
        }
        let (plan, applicant, hurried) = (running.plan, running.applicant, running.hurried);
        let caller = self.cast.caller(self.app, applicant).await?;
        let view = self.app.case(&caller, case).await?;
        match view.stage {
            CaseStage::Returned if plan == Plan::StayReturned => Ok(()),
            CaseStage::Returned => {
                self.app.resubmit_case(&caller, case, view.version, &view.typed).await?;
                if let Some(running) = self.cases.get_mut(&case) {
                    running.plan = Plan::Pass;
                }
                self.later(case, hurried);
                Ok(())
            }
            CaseStage::Open if plan == Plan::Withdraw && view.may.withdraw => {
                let reason = self.say("withdraw", &view.procedure.code);
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
        // Those whose accounts are applied for and stopped act where it is for nobody else.
        if people.iter().any(|member| !self.cast.spare.contains(member)) {
            people.retain(|member| !self.cast.spare.contains(member));
        }
        people.sort_unstable();
        let Some(by) = self.chance.pick(&people).copied() else {
            *self
                .left_out
                .entry(format!("{} {}: nobody acts", view.procedure.code, step.code))
                .or_default() += 1;
            return Ok(());
        };
        if self.remark(view, by).await? {
            return Ok(());
        }
        let caller = self.cast.caller(self.app, by).await?;
        let act = self.chosen(step, plan, &view.procedure.code);
        let fills = matches!(act, Act::Pass | Act::Done | Act::Told | Act::Vote { yes: true });
        let mut typed = Typed::new();
        let Some((story, hurried, earlier)) =
            self.cases.get(&view.id).map(|running| (running.story, running.hurried, running.earlier.clone()))
        else {
            return Ok(());
        };
        if fills {
            let form = Form {
                object: &view.procedure.code,
                fields: &step.fields,
                step: Some(&step.code),
                procedure: Some(&view.procedure),
                at: self.now(),
                story,
                by,
            };
            let Some(filled) = self.filled_in(pack, &form, &earlier, 0).await? else { return Ok(()) };
            typed = filled;
            self.attach(&form, &caller, &mut typed).await?;
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
                let act = Act::Refuse { reason: self.say("refuse", &view.procedure.code) };
                self.app.act_on_case(&caller, view.id, view.version, &act, &Typed::new()).await?;
            }
            Err(error) => {
                leave_out(&error, &format!("{} {}", view.procedure.code, step.code), &mut self.left_out)
                    .ok_or(error)?;
                return Ok(());
            }
        }
        self.later(view.id, hurried);
        Ok(())
    }

    /// A remark of the applicant, or of whoever is to act, before the act itself.
    async fn remark(&mut self, view: &CaseView, by: usize) -> Result<bool, Error> {
        let Some(running) = self.cases.get(&view.id) else { return Ok(false) };
        let (remarks, applicant, hurried) = (running.remarks, running.applicant, running.hurried);
        if remarks >= MOST_REMARKS || !self.chance.percent(REMARK_PERCENT) {
            return Ok(false);
        }
        let asks = self.chance.percent(35);
        let (who, said) = if asks { (applicant, "ask") } else { (by, "comment") };
        let caller = self.cast.caller(self.app, who).await?;
        let act = Act::Comment { text: self.say(said, &view.procedure.code) };
        self.app.act_on_case(&caller, view.id, view.version, &act, &Typed::new()).await?;
        if let Some(running) = self.cases.get_mut(&view.id) {
            running.remarks += 1;
        }
        self.later(view.id, hurried);
        Ok(true)
    }

    fn chosen(&mut self, step: &Step, plan: Plan, code: &str) -> Act {
        let refuses = plan == Plan::Refuse && step.decides();
        if matches!(step.rule, StepRule::Committee(_)) {
            return Act::Vote { yes: !refuses };
        }
        if refuses {
            return Act::Refuse { reason: self.say("refuse", code) };
        }
        if matches!(plan, Plan::Return | Plan::StayReturned) && step.decides() {
            return Act::Return { reason: self.say("return", code) };
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
            let people: Vec<usize> = task
                .people
                .iter()
                .filter_map(|word| self.cast.holders.get(word))
                .flatten()
                .copied()
                .collect();
            let near = match self.cases.get(&view.id) {
                Some(running) => self.cast.near(&people, running.applicant),
                None => people,
            };
            let Some(by) = near.first().copied().filter(|_| !self.story.is_multiple_of(7)) else { continue };
            let caller = self.cast.caller(self.app, by).await?;
            let note = self.say("done", &view.procedure.code);
            self.app.carry_out_by_hand(&caller, task.id, task.version, &note).await?;
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

/// Whether an approved case brings other rules into force.
fn adopts_rules(procedure: &Procedure) -> bool {
    procedure.effects.iter().any(|effect| effect.action == EffectKind::AdoptPack)
}

/// Whether some step has a term of less than a day.
fn hurried(procedure: &Procedure) -> bool {
    let short = |period: &Period| days(*period) < 1;
    procedure.steps.iter().filter_map(|step| step.deadline.as_ref()).any(short)
}
