//! Half a year of an organisation keeping its rules and caring for its people: documents, statements,
//! registers, duties, procedures and visits, each at its time, through the use cases and in the names
//! of those who act. [`crate::plan`] says what is to happen; here it happens.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mimamori_app::{App, Caller, DutyState, NewDocument, NewStatement, Typed, Window, pack_archive};
use mimamori_demo::rules::{self, Chance};
use mimamori_domain::{Error, ManualClock, ObjectId, SubjectId, Timestamp};
use mimamori_policy::model::{
    EffectKind, Field, FieldType, Per, Period, Procedure, Proof, Register, Source, Who,
};
use mimamori_policy::{Language, Pack, RoleScope};

use crate::care::{self, Visit};
use crate::cases::Running;
use crate::cast::Cast;
use crate::fill::{LeftOut, Progress, leave_out};
use crate::forms::{Earlier, Form, Known, Lacks};
use crate::sitting::{self, Notes};

pub(crate) const DAY: Duration = Duration::from_secs(86_400);
/// A form that needs an entry which needs an entry, and so on: so far.
const DEEPEST: u32 = 4;
/// Every so many entries is amended later, and every so many struck out.
const AMENDED: usize = 11;
const STRUCK: usize = 17;
/// Every so many statements says at first that something is missing.
const NOT_MET: usize = 19;

/// What is to become of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    Pass,
    /// A duty asks for it: it goes through within days.
    Prompt,
    Refuse,
    Return,
    Withdraw,
    /// Handed in and left where it is.
    Wait,
    /// Returned, and still with the applicant.
    StayReturned,
    /// Acted first, reported afterwards.
    Emergency,
    /// Acted first; the report is under way.
    EmergencyReport,
}

/// Something that happens at a time.
#[derive(Debug)]
pub(crate) enum Job {
    Publish(String),
    Acknowledge(String, usize),
    /// Stated, and stated again before it runs out, and so on.
    Attest(String),
    /// Stated because a duty asks for it.
    AttestOnce(String),
    Enter(String),
    /// A register, the entry, who wrote it, and what it holds.
    Amend(String, ObjectId, usize, Typed),
    Strike(String, ObjectId, usize),
    Review(String),
    Skip(String, Timestamp),
    /// A procedure, what becomes of it, and who applies where that is not anybody.
    Begin(String, Plan, Option<usize>),
    Draft(String, Option<usize>),
    Act(ObjectId),
    SeeToDuties,
    /// Somebody signs in and looks what there is.
    LookIn(usize),
    /// Somebody writes down what they noted: places of the visits.
    Sitting(usize, Vec<usize>),
    /// Somebody looks at people whom they look after.
    LookAround(usize),
    /// Somebody refuses that something is shared.
    Refuse(SubjectId),
    /// They permit it again.
    Permit(SubjectId, ObjectId),
    BreakGlass(SubjectId),
    LookThrough(SubjectId),
    /// A citizen looks at their own record.
    LookAtOwn(usize),
    Sign,
    /// The program verifies everything that was written so far.
    Verify,
}

/// The history as it is being written.
#[derive(Debug)]
pub struct History<'a> {
    pub app: &'a Arc<App>,
    pub clock: &'a ManualClock,
    pub operator: &'a Caller,
    pub progress: &'a dyn Progress,
    pub cast: Cast,
    pub known: Known,
    pub left_out: LeftOut,
    /// From when on its duties count: when the rules came into force.
    pub(crate) installed: Timestamp,
    /// When the first records were written.
    pub(crate) begun: Timestamp,
    /// From when on the organisation keeps its rules here.
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) chance: Chance,
    pub(crate) queue: BTreeMap<(Timestamp, u64), Job>,
    pub(crate) cases: HashMap<ObjectId, Running>,
    pub(crate) visits: Vec<Visit>,
    pub(crate) notes: Notes,
    /// Duties whose last occurrence nobody sees to.
    pub(crate) forgotten: BTreeSet<String>,
    /// How often each kind of thing was said.
    said: BTreeMap<&'static str, usize>,
    pub(crate) number: u64,
    /// Entries so far.
    entered: usize,
    pub(crate) story: usize,
    /// How often new rules were proposed.
    revisions: u64,
}

impl<'a> History<'a> {
    /// A history from the clock's time until another, of which the last `days` have all that an organisation
    /// writes down; its duties were done since it was installed.
    #[expect(clippy::too_many_arguments, reason = "each is one thing that a history is made of")]
    pub fn new(
        app: &'a Arc<App>,
        clock: &'a ManualClock,
        operator: &'a Caller,
        progress: &'a dyn Progress,
        (cast, known): (Cast, Known),
        visits: Vec<Visit>,
        (installed, until, days): (Timestamp, Timestamp, u32),
        seed: u64,
    ) -> Self {
        let begun = mimamori_domain::Clock::now(clock);
        Self {
            app,
            clock,
            operator,
            progress,
            cast,
            known,
            visits,
            notes: Notes::new(),
            left_out: LeftOut::new(),
            installed,
            begun,
            from: begun.max(until.minus(DAY * days)),
            until,
            chance: Chance::new(seed),
            queue: BTreeMap::new(),
            cases: HashMap::new(),
            forgotten: BTreeSet::new(),
            said: BTreeMap::new(),
            number: 0,
            entered: 0,
            story: 0,
            revisions: 0,
        }
    }

    /// Lets everything happen in its order.
    ///
    /// # Errors
    /// What concerns more than one form.
    pub async fn write(mut self) -> Result<(Cast, LeftOut), Error> {
        let pack = self.app.pack().clone();
        self.plan(&pack);
        care::plan(&mut self);
        let bar = self.progress.bar(self.queue.len() as u64, "history");
        while let Some(((at, _), job)) = self.queue.pop_first() {
            self.clock.set(at.max(mimamori_domain::Clock::now(self.clock)));
            let what = named(&job);
            if let Err(error) = self.happen(&pack, job).await {
                leave_out(&error, &what, &mut self.left_out).ok_or(error)?;
            }
            bar.set_length(bar.length().unwrap_or(0).max(bar.position() + self.queue.len() as u64));
            bar.inc(1);
        }
        bar.finish_and_clear();
        self.clock.set(self.until);
        Ok((self.cast, self.left_out))
    }

    pub(crate) fn now(&self) -> Timestamp {
        mimamori_domain::Clock::now(self.clock)
    }

    /// What somebody says with an act: the next of what fits, so that nothing is heard twice in a row.
    pub(crate) fn say(&mut self, act: &'static str, object: &str) -> String {
        let said = self.said.entry(act).or_default();
        *said += 1;
        rules::reason(act, object, *said).to_owned()
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
            Job::Attest(code) => self.attest(pack, &code, true).await,
            Job::AttestOnce(code) => self.attest(pack, &code, false).await,
            Job::Enter(code) => self.enter(pack, &code, 0).await,
            Job::Amend(code, entry, by, typed) => self.amend(pack, &code, (entry, by), typed).await,
            Job::Strike(code, entry, by) => {
                let Some(register) = pack.register(&code) else { return Ok(()) };
                let Some(member) = self.keeper(pack, register, by) else { return Ok(()) };
                let caller = self.cast.caller(self.app, member).await?;
                let seen = self.app.entry(&caller, &code, entry).await?.versions.len() as u64;
                let reason = self.say("strike", &code);
                self.app.strike_entry(&caller, &code, entry, seen, &reason).await
            }
            Job::Review(code) => self.review(pack, &code).await,
            Job::Skip(code, opened) => self.skip(&code, opened, "skip").await,
            Job::Begin(code, plan, applicant) => self.begin(pack, &code, plan, applicant).await,
            Job::Draft(code, applicant) => self.draft(pack, &code, applicant).await,
            Job::Act(case) => self.go_on(pack, case).await,
            Job::SeeToDuties => self.see_to_duties().await,
            Job::LookIn(member) => {
                let caller = self.cast.caller(self.app, member).await?;
                self.app.inbox(&caller).await.map(drop)
            }
            Job::Sitting(author, visits) => sitting::write(self, (author, visits)).await,
            Job::LookAround(member) => care::look_around(self, member).await,
            Job::Refuse(subject) => care::refuse(self, subject).await,
            Job::Permit(subject, consent) => care::permit(self, subject, consent).await,
            Job::BreakGlass(subject) => care::break_glass(self, subject).await,
            Job::LookThrough(subject) => care::look_through(self, subject).await,
            Job::LookAtOwn(member) => care::look_at_own(self, member).await,
            Job::Sign => self.app.checkpoint().await.map(drop),
            Job::Verify => self.app.verify_when_due(Duration::ZERO).await.map(drop),
        }
    }

    pub(crate) fn one_of(&mut self, words: &[Who]) -> Option<usize> {
        let citizens = self.cast.citizens();
        // Where people may apply themselves, they do so as often as everybody else together.
        if words.contains(&Who::Citizen) && !citizens.is_empty() && self.chance.percent(50) {
            return self.chance.pick(&citizens).copied();
        }
        let named = self.cast.named(words);
        self.chance.pick(&named).copied()
    }

    /// Who keeps the register where this person wrote into it.
    fn keeper(&mut self, pack: &Pack, register: &Register, by: usize) -> Option<usize> {
        let mut keepers = Vec::new();
        for who in &register.keeper {
            let scope = match who {
                Who::Role(code) => pack.role(code).map(|role| role.scope),
                _ => None,
            };
            let same = |at: &usize| match (scope, register.per) {
                (Some(RoleScope::Unit), Per::Unit | Per::Institution) => {
                    self.cast.unit(*at) == self.cast.unit(by)
                }
                (Some(RoleScope::Institution), Per::Unit | Per::Institution) => {
                    self.cast.institution(*at) == self.cast.institution(by)
                }
                _ => true,
            };
            keepers.extend(self.cast.named(std::slice::from_ref(who)).into_iter().filter(same));
        }
        self.chance.pick(&keepers).copied()
    }

    /// A form filled in. What it refers to and is not there yet is written down first.
    pub(crate) async fn filled_in(
        &mut self,
        pack: &Pack,
        form: &Form<'_>,
        earlier: &Earlier,
        deep: u32,
    ) -> Result<Option<Typed>, Error> {
        let mut missing = BTreeSet::new();
        loop {
            match form.fill(pack, &self.cast, &self.known, earlier, &mut self.chance) {
                Ok(typed) => return Ok(Some(typed)),
                Err(Lacks::Entry(register)) if deep < DEEPEST && missing.insert(register.clone()) => {
                    Box::pin(self.enter(pack, &register, deep + 1)).await?;
                }
                Err(_) => {
                    let step = form.step.map_or_else(String::new, |step| format!(" {step}"));
                    let what = format!("{}{step}: nothing yet to refer to", form.object);
                    *self.left_out.entry(what).or_default() += 1;
                    return Ok(None);
                }
            }
        }
    }

    /// Attaches the files of a form that was filled in, each a paper of its own.
    pub(crate) async fn attach(
        &mut self,
        form: &Form<'_>,
        caller: &Caller,
        typed: &mut Typed,
    ) -> Result<(), Error> {
        for field in form.fields.iter().filter(|field| field.kind == FieldType::File) {
            let Some(values) = typed.get_mut(&field.code) else { continue };
            let (name, bytes) = match form.procedure.filter(|procedure| adopts(procedure, &field.code)) {
                Some(_) => self.revision()?,
                None => {
                    let (name, now) = (field.name(Language::Ja), mimamori_domain::Clock::now(self.clock));
                    let day = jiff::tz::Offset::constant(9).to_datetime(jiff::Timestamp::from(now)).date();
                    let organisation = self.app.pack().organisation(Language::Ja);
                    let text = rules::paper(name, organisation, &day.strftime("%Y年%-m月%-d日").to_string());
                    (format!("{name}_{}.txt", day.strftime("%Y%m%d")), text.into_bytes())
                }
            };
            let file = self.app.attach_file(caller, &name, &bytes).await?;
            *values = vec![file.to_string()];
        }
        Ok(())
    }

    /// The rules in force with one of their numbers changed: what a proposal of new rules brings.
    fn revision(&mut self) -> Result<(String, Vec<u8>), Error> {
        self.revisions += 1;
        let pack = crate::rules::revised(self.app.pack(), self.revisions)?;
        Ok((format!("{}-{}.zip", pack.id(), self.revisions), pack_archive(&pack)?))
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
            if self.chance.percent(92) {
                let at = self.work_time(self.now(), (1, within));
                self.at(at, Job::Acknowledge(code.to_owned(), reader));
            }
        }
        Ok(())
    }

    async fn attest(&mut self, pack: &Pack, code: &str, goes_on: bool) -> Result<(), Error> {
        let Some(attestation) = pack.attestation(code) else { return Ok(()) };
        let Some(owner) = self.one_of(&attestation.owner) else { return Ok(()) };
        let caller = self.cast.caller(self.app, owner).await?;
        let place = pack.attestations().iter().position(|found| found.code == code).unwrap_or(0);
        // What was missing at first is mended within weeks; one is still missing.
        let first = self.app.attestation(&caller, code).await?.statements.is_empty();
        let holds = !first || place % NOT_MET != NOT_MET / 2;
        let said = if holds { "statement" } else { "fails" };
        let (statement, evidence) = (self.say(said, code), self.say("evidence", code));
        let new = NewStatement { holds, statement, evidence, files: Vec::new() };
        self.app.attest(&caller, code, &new).await?;
        if !goes_on {
            return Ok(());
        }
        let again = i32::try_from(days(attestation.valid)).unwrap_or(365).max(3);
        let at = match holds {
            true => self.work_time(self.now(), (again - again.min(12), again - 2)),
            false if place == NOT_MET / 2 => return Ok(()),
            false => self.work_time(self.now(), (20, 40)),
        };
        // Mostly stated again in time.
        if !holds || self.chance.percent(97) {
            self.at(at, Job::Attest(code.to_owned()));
        }
        Ok(())
    }

    async fn enter(&mut self, pack: &Pack, code: &str, deep: u32) -> Result<(), Error> {
        let Some(register) = pack.register(code) else { return Ok(()) };
        let words: Vec<Who> = register.keeper.iter().chain(&register.writers).cloned().collect();
        let Some(by) = self.one_of(&words) else { return Ok(()) };
        let form = Form {
            object: code,
            fields: &register.fields,
            step: None,
            procedure: None,
            at: self.now(),
            story: self.story,
            by,
        };
        let Some(mut typed) = self.filled_in(pack, &form, &Earlier::new(), deep).await? else {
            return Ok(());
        };
        let caller = self.cast.caller(self.app, by).await?;
        self.attach(&form, &caller, &mut typed).await?;
        let entry = self.app.add_entry(&caller, code, &typed).await?;
        self.keep(register.assets, code, entry);
        // Mistakes are found soon.
        self.entered += 1;
        if self.entered % AMENDED == 4 {
            let at = self.work_time(self.now(), (0, 6));
            self.at(at, Job::Amend(code.to_owned(), entry, by, typed));
        } else if !register.assets && self.entered % STRUCK == 13 {
            let at = self.work_time(self.now(), (0, 3));
            self.at(at, Job::Strike(code.to_owned(), entry, by));
        }
        Ok(())
    }

    async fn amend(
        &mut self,
        pack: &Pack,
        code: &str,
        (entry, by): (ObjectId, usize),
        typed: Typed,
    ) -> Result<(), Error> {
        let Some(register) = pack.register(code) else { return Ok(()) };
        let Some((typed, said)) = self.corrected(register, typed) else { return Ok(()) };
        let Some(member) = self.keeper(pack, register, by) else { return Ok(()) };
        let caller = self.cast.caller(self.app, member).await?;
        let seen = self.app.entry(&caller, code, entry).await?.versions.len() as u64;
        let reason = self.say(said, code);
        self.app.amend_entry(&caller, code, entry, seen, &typed, &reason).await
    }

    /// A form with one thing put right, and what kind of thing that was.
    fn corrected(&mut self, register: &Register, mut typed: Typed) -> Option<(Typed, &'static str)> {
        let fits = |field: &&Field| {
            let kind = matches!(field.kind, FieldType::LongText { .. } | FieldType::Date);
            kind && typed.contains_key(&field.code) && !field.many
        };
        let fields: Vec<&Field> = register.fields.iter().filter(fits).collect();
        let field = *self.chance.pick(&fields)?;
        let value = typed.get_mut(&field.code)?.first_mut()?;
        match field.kind {
            FieldType::Date => {
                let date: jiff::civil::Date = value.parse().ok()?;
                *value = date.yesterday().ok()?.to_string();
                Some((typed, "amend-date"))
            }
            _ => {
                value.push_str(&self.say("addition", &register.code));
                Some((typed, "amend-text"))
            }
        }
    }

    async fn review(&mut self, pack: &Pack, code: &str) -> Result<(), Error> {
        let Some(register) = pack.register(code) else { return Ok(()) };
        let by = register.review.as_ref().map(|review| review.by.clone()).filter(|by| !by.is_empty());
        let Some(member) = self.one_of(&by.unwrap_or_else(|| register.keeper.clone())) else {
            return Ok(());
        };
        let caller = self.cast.caller(self.app, member).await?;
        let in_order = !self.chance.percent(18);
        let finding = self.say(if in_order { "review" } else { "finding" }, code);
        self.app.review_register(&caller, code, in_order, &finding).await?;
        Ok(())
    }

    async fn skip(&mut self, code: &str, opened: Timestamp, said: &'static str) -> Result<(), Error> {
        let pack = self.app.pack();
        let register = code.strip_prefix("review-").and_then(|code| pack.register(code));
        let owner = match (pack.schedule(code), register) {
            (Some(schedule), _) => schedule.owner.clone(),
            (None, Some(register)) => {
                let by = register.review.as_ref().map(|review| review.by.clone()).unwrap_or_default();
                if by.is_empty() { register.keeper.clone() } else { by }
            }
            (None, None) => return Ok(()),
        };
        let Some(member) = self.one_of(&owner) else { return Ok(()) };
        let caller = self.cast.caller(self.app, member).await?;
        let reason = self.say(said, code);
        self.app.skip_duty(&caller, code, opened, &reason).await
    }

    /// What went by undone is accounted for by those who answer for it.
    async fn see_to_duties(&mut self) -> Result<(), Error> {
        let window = Window { from: self.from, until: self.now() };
        let late: Vec<_> = self.app.duties(self.operator, window).await?;
        for view in late.iter().filter(|view| view.state == DutyState::Overdue) {
            let newest =
                late.iter().rfind(|other| other.terms.code == view.terms.code && other.due <= self.until);
            let left = self.forgotten.contains(&view.terms.code)
                && newest.is_some_and(|newest| newest.opens == view.opens);
            // What a job would have to prove was done by other means.
            let said = if matches!(view.terms.proof, Proof::Job(_)) { "skip-job" } else { "skip" };
            if !left && let Err(error) = self.skip(&view.terms.code, view.opens, said).await {
                let what = format!("Skip {}", view.terms.code);
                leave_out(&error, &what, &mut self.left_out).ok_or(error)?;
            }
        }
        Ok(())
    }

    pub(crate) fn keep(&mut self, asset: bool, register: &str, entry: ObjectId) {
        if asset {
            self.known.assets.push(entry);
        }
        self.known.entries.entry(register.to_owned()).or_default().push(entry);
    }
}

/// Whether a field holds the rules that an approved case brings into force.
pub(crate) fn adopts(procedure: &Procedure, field: &str) -> bool {
    let proposed =
        |source: &Source| matches!(source, Source::Field(at) if at.step.is_none() && at.field == field);
    procedure
        .effects
        .iter()
        .any(|effect| effect.action == EffectKind::AdoptPack && effect.with.values().any(proposed))
}

/// What is said of a job that was left out: the kind and the code, nobody's words.
fn named(job: &Job) -> String {
    match job {
        Job::Publish(code) | Job::Acknowledge(code, _) => format!("document {code}"),
        Job::Attest(code) | Job::AttestOnce(code) => format!("statement {code}"),
        Job::Enter(code) | Job::Amend(code, ..) | Job::Strike(code, ..) | Job::Review(code) => {
            format!("register {code}")
        }
        Job::Skip(code, _) => format!("duty {code}"),
        Job::Begin(code, plan, _) => format!("procedure {code} {plan:?}"),
        Job::Draft(code, _) => format!("draft {code}"),
        Job::Act(_) => "case".to_owned(),
        Job::SeeToDuties => "duties".to_owned(),
        Job::LookIn(_) => "inbox".to_owned(),
        Job::Sitting(..) | Job::LookAround(_) => "record".to_owned(),
        Job::Refuse(_) | Job::Permit(..) => "consent".to_owned(),
        Job::BreakGlass(_) | Job::LookThrough(_) | Job::LookAtOwn(_) => "emergency access".to_owned(),
        Job::Sign => "checkpoint".to_owned(),
        Job::Verify => "verification".to_owned(),
    }
}

pub(crate) fn days(period: Period) -> u32 {
    365 * period.years + 30 * period.months + period.days
}
