//! What is to happen in half a year, and when: planned at its beginning, from the pack.

use std::time::Duration;

use mimamori_demo::rules;
use mimamori_domain::Timestamp;
use mimamori_policy::Pack;
use mimamori_policy::model::{Procedure, Proof, Who};

use crate::history::{DAY, History, Job, Plan, days};

/// How many days the plan is written for; a shorter history has less of everything.
const WHOLE: u64 = 183;
/// Every so many documents is still missing.
const MISSING_DOCUMENT: usize = 23;
/// Every so many is revised in the course of it.
const REVISED_DOCUMENT: usize = 7;
/// Every so many statements is still missing.
const MISSING_STATEMENT: usize = 31;
/// Every so many duties is late as the history ends.
const LATE_DUTY: usize = 12;
/// Every so many procedures has a case that nobody went on with.
const LATE_CASE: usize = 17;

/// Every so many accounts is not used any more.
const UNUSED_ACCOUNT: usize = 61;

/// A duty: its code, when it opens, within how many days it is due, and what proves it.
type Duty = (String, Vec<Timestamp>, u32, Proof);

impl History<'_> {
    pub(crate) fn plan(&mut self, pack: &Pack) {
        self.plan_papers(pack);
        for register in pack.registers() {
            let from = if register.assets { (2, 20) } else { (4, 181) };
            for _ in 0..self.less(rules::volume(&register.code)) {
                self.in_days(from, Job::Enter(register.code.clone()));
            }
        }
        self.plan_duties(pack);
        self.plan_cases(pack);
        self.plan_desks(pack);
        self.plan_visits_to_the_desk();
        for week in 1..=self.days() / 7 {
            self.at(self.from.plus(DAY * week), Job::Sign);
        }
        // Whoever oversees the duties sees to what was forgotten.
        for look in (14..self.days().saturating_sub(1)).step_by(13).chain([self.days().saturating_sub(1)]) {
            let at = self.work_time(self.from, (i32::try_from(look).unwrap_or(0), 0));
            self.at(at, Job::SeeToDuties);
        }
    }

    fn plan_papers(&mut self, pack: &Pack) {
        for (at, document) in pack.documents().iter().enumerate() {
            if at % MISSING_DOCUMENT == MISSING_DOCUMENT - 1 {
                continue;
            }
            self.in_days((1, 12), Job::Publish(document.code.clone()));
            if at % REVISED_DOCUMENT == 3 {
                self.in_days((60, 175), Job::Publish(document.code.clone()));
            }
        }
        for (at, attestation) in pack.attestations().iter().enumerate() {
            if at % MISSING_STATEMENT != MISSING_STATEMENT - 1 {
                self.in_days((3, 70), Job::Attest(attestation.code.clone()));
            }
        }
    }

    /// Of each procedure as many cases as such an organisation has, with every end there is.
    fn plan_cases(&mut self, pack: &Pack) {
        // Few people take back what they applied for.
        const ENDS: [Plan; 18] = [
            Plan::Pass,
            Plan::Return,
            Plan::Pass,
            Plan::Refuse,
            Plan::Pass,
            Plan::Pass,
            Plan::Pass,
            Plan::Return,
            Plan::Pass,
            Plan::Pass,
            Plan::Refuse,
            Plan::Pass,
            Plan::Return,
            Plan::Pass,
            Plan::Pass,
            Plan::Withdraw,
            Plan::Pass,
            Plan::Pass,
        ];
        for (at, procedure) in pack.procedures().iter().enumerate() {
            let code = &procedure.code;
            let count = self.less(rules::cases(code));
            for plan in ENDS.into_iter().cycle().skip(at % ENDS.len()).take(count) {
                self.in_days((8, 160), Job::Begin(code.clone(), plan, None));
            }
            if procedure.emergency.is_some() {
                self.in_days((20, 100), Job::Begin(code.clone(), Plan::Emergency, None));
                self.in_days((181, 182), Job::Begin(code.clone(), Plan::EmergencyReport, None));
            }
            if at % LATE_CASE == 4 {
                self.in_days((120, 150), Job::Begin(code.clone(), Plan::Wait, None));
            }
            // What came in these days waits for the next working day.
            match at % 5 {
                // Where a day decides, nothing is left for tomorrow.
                _ if pressing(procedure) => {}
                0 | 2 => self.in_days((181, 183), Job::Begin(code.clone(), Plan::Wait, None)),
                3 => self.in_days((176, 180), Job::Begin(code.clone(), Plan::StayReturned, None)),
                4 => self.in_days((180, 182), Job::Draft(code.clone(), None)),
                _ => {}
            }
        }
    }

    /// Those whom a first look shows have something of their own on their desks.
    fn plan_desks(&mut self, pack: &Pack) {
        let open: Vec<String> = pack
            .procedures()
            .iter()
            .filter(|procedure| procedure.applicants.contains(&Who::Anyone) && !pressing(procedure))
            .map(|procedure| procedure.code.clone())
            .collect();
        let plans = [Plan::StayReturned, Plan::Wait];
        for (at, member) in self.cast.typical.clone().into_iter().enumerate() {
            let Some(code) = open.get(at * 3 % open.len().max(1)) else { continue };
            let plan = plans.get(at % plans.len()).copied().unwrap_or(Plan::Wait);
            // What waits came in so late that it is not overdue yet.
            let days = if plan == Plan::Wait { (181, 182) } else { (177, 180) };
            self.in_days(days, Job::Begin(code.clone(), plan, Some(member)));
            if let Some(code) = open.get((at * 3 + 1) % open.len().max(1)) {
                self.in_days((181, 182), Job::Draft(code.clone(), Some(member)));
            }
        }
        self.plan_desks_of_citizens(pack);
    }

    /// Citizens, too: something given back to them, something under way, something begun.
    fn plan_desks_of_citizens(&mut self, pack: &Pack) {
        let open: Vec<String> = pack
            .procedures()
            .iter()
            .filter(|procedure| procedure.applicants.contains(&Who::Citizen) && !pressing(procedure))
            .map(|procedure| procedure.code.clone())
            .collect();
        for (at, member) in self.cast.citizens().into_iter().enumerate() {
            let Some(code) = open.get(at % open.len().max(1)) else { return };
            match at % 3 {
                0 => self.in_days((174, 178), Job::Begin(code.clone(), Plan::StayReturned, Some(member))),
                1 => self.in_days((181, 182), Job::Begin(code.clone(), Plan::Wait, Some(member))),
                _ => self.in_days((181, 182), Job::Draft(code.clone(), Some(member))),
            }
        }
    }

    /// Everybody looks in once in a while, but for a few who have forgotten their account.
    fn plan_visits_to_the_desk(&mut self) {
        for member in self.cast.staff().collect::<Vec<_>>() {
            if member % UNUSED_ACCOUNT != UNUSED_ACCOUNT - 1 {
                self.in_days((110, 181), Job::LookIn(member));
            }
        }
    }

    fn plan_duties(&mut self, pack: &Pack) {
        let mut number = 0;
        // However short the time, somebody has a duty before them: what is left may still be done by the way.
        let mut waiting = 0_u8;
        for (code, opens, within, proof) in self.duties(pack) {
            let days = i32::try_from(within).unwrap_or(1).max(1);
            let last_due = opens.iter().rposition(|opened| opened.plus(DAY * within.max(1)) <= self.until);
            number += usize::from(last_due.is_some());
            let forgotten = last_due.is_some() && number % LATE_DUTY == 5;
            if forgotten {
                self.forgotten.insert(code.clone());
            }
            for (at, opened) in opens.iter().copied().enumerate() {
                let still_open = opened.plus(DAY * within.max(1)) > self.until;
                let by_people = still_open && !matches!(proof, Proof::Job(_));
                let left = still_open && self.chance.percent(55) || by_people && waiting < 3;
                if left || forgotten && Some(at) == last_due {
                    waiting += u8::from(by_people && waiting < 3);
                    continue;
                }
                let skipped = !still_open && self.chance.percent(3);
                let latest = if self.chance.percent(5) { days + 2 } else { days - 1 };
                let time = self.duty_time(opened, latest.max(0));
                if skipped {
                    self.at(time, Job::Skip(code.clone(), opened));
                    continue;
                }
                let job = match &proof {
                    Proof::Procedure(code) => Job::Begin(code.clone(), Plan::Pass, None),
                    Proof::Register(code) => Job::Enter(code.clone()),
                    Proof::Review(code) => Job::Review(code.clone()),
                    Proof::Document(code) => Job::Publish(code.clone()),
                    Proof::Attestation(code) => Job::AttestOnce(code.clone()),
                    Proof::Job(job) if job == "ledger-verify" => Job::Verify,
                    // What this program does not do by itself is not made up.
                    Proof::Job(_) => continue,
                };
                self.at(time, job);
            }
        }
    }

    fn duties(&self, pack: &Pack) -> Vec<Duty> {
        let mut duties: Vec<Duty> = Vec::new();
        for schedule in pack.schedules() {
            if let Some(rule) = &schedule.rule {
                let opens = rule.between(self.installed, self.until);
                duties.push((schedule.code.clone(), opens, schedule.within_days, schedule.proof.clone()));
            }
        }
        for register in pack.registers() {
            let Some(review) = &register.review else { continue };
            let asked = Proof::Review(register.code.clone());
            if pack.schedules().iter().all(|schedule| schedule.proof != asked) {
                let opens = review.rule.between(self.installed, self.until);
                duties.push((format!("review-{}", register.code), opens, review.within_days, asked));
            }
        }
        duties
    }

    /// When a duty is done: in office hours, and on the day itself where there is no other.
    fn duty_time(&mut self, opened: Timestamp, latest: i32) -> Timestamp {
        if latest < 3 {
            let minutes = self.chance.between(8 * 60 + 40, 16 * 60);
            let day = self.chance.between(0, latest);
            let midnight = midnight_in_japan(opened);
            return midnight.plus(minutes_long(i64::from(day) * 1440 + i64::from(minutes))).max(opened);
        }
        let time = self.work_time(opened, (0, latest));
        // A weekend is no reason to be done before it began.
        if time < opened.plus(minutes_long(120)) { self.work_time(opened, (2, latest.min(4))) } else { time }
    }

    pub(crate) fn at(&mut self, at: Timestamp, job: Job) {
        if at < self.until {
            self.number += 1;
            self.queue.insert((at, self.number), job);
        }
    }

    fn days(&self) -> u32 {
        u32::try_from(self.until.since(self.from).as_secs() / DAY.as_secs()).unwrap_or(0)
    }

    /// So many in a history of this length; at least one.
    fn less(&self, number: usize) -> usize {
        let share = number as u64 * u64::from(self.days()).min(WHOLE) / WHOLE;
        usize::try_from(share).unwrap_or(number).max(1)
    }

    fn in_days(&mut self, (least, most): (i32, i32), job: Job) {
        let days = i64::from(self.days());
        let scaled = |day: i32| i32::try_from(i64::from(day) * days / WHOLE as i64).unwrap_or(day);
        let at = self.work_time(self.from, (scaled(least), scaled(most)));
        self.at(at, job);
    }

    /// A time of a working day in Japan, so many days after another.
    pub(crate) fn work_time(&mut self, from: Timestamp, (least, most): (i32, i32)) -> Timestamp {
        let days = i64::from(self.chance.between(least, most.max(least)));
        let minutes = i64::from(self.chance.between(8 * 60 + 35, 17 * 60 + 10));
        let day = midnight_in_japan(from).plus(minutes_long(days * 1440));
        let day = day.minus(minutes_long(1440 * days_into_weekend(day)));
        let time = day.plus(minutes_long(minutes));
        if time > from { time } else { from.plus(minutes_long(60)) }
    }
}

/// Whether some step of a procedure has a term of less than three days.
fn pressing(procedure: &Procedure) -> bool {
    procedure.steps.iter().filter_map(|step| step.deadline.as_ref()).any(|period| days(*period) < 3)
}

const JAPAN: Duration = Duration::from_secs(9 * 3_600);

/// The beginning of the day in Japan.
pub(crate) fn midnight_in_japan(time: Timestamp) -> Timestamp {
    let day = DAY.as_micros() as i64;
    Timestamp::from_micros(time.plus(JAPAN).as_micros().div_euclid(day) * day).minus(JAPAN)
}

/// How many days after Friday a day in Japan lies; 0 for a working day.
fn days_into_weekend(day: Timestamp) -> i64 {
    let date = jiff::tz::Offset::constant(9).to_datetime(jiff::Timestamp::from(day)).date();
    i64::from(date.weekday().to_monday_zero_offset()).saturating_sub(4).max(0)
}

fn minutes_long(minutes: i64) -> Duration {
    Duration::from_secs(60 * u64::try_from(minutes).unwrap_or(0))
}
