//! Every procedure of every pack that comes with the program, walked through approval, refusal,
//! return and withdrawal, by made-up people appointed to the roles of that pack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mimamori_app::{Act, App, Caller, CaseStage, CaseStep, CaseView, ErrorKind, StepState, Typed};
use mimamori_domain::{ActorId, InstitutionId, ObjectId, SubjectId};
use mimamori_policy::model::{
    Condition, EffectKind, Field, FieldType, Procedure, ProcedureKind, Source, Step, StepKind, StepRule, Who,
};
use mimamori_policy::{Pack, RoleScope};

use super::site_under;
use crate::support::{On, PASSWORD, Site};

/// Effects that the program carries out by itself, whatever a form holds. What it does with accounts else
/// depends on the form ([`crate::accounts_life`]).
const REAL: [EffectKind; 5] = [
    EffectKind::StopAccount,
    EffectKind::ResumeAccount,
    EffectKind::Appoint,
    EffectKind::EndAppointment,
    EffectKind::GrantPrivilege,
];

/// How the sign-in names of those begin whom effects change: they do nothing themselves.
const CHANGED: &str = "changed.";

/// What is chosen in a form, by field.
type Wish = BTreeMap<String, String>;

/// An installation under a pack with people in every role.
struct City {
    site: Site,
    pack: Arc<Pack>,
    logins: BTreeMap<ActorId, String>,
    holders: BTreeMap<String, Vec<ActorId>>,
    callers: BTreeMap<ActorId, Caller>,
    institution: InstitutionId,
    subject: SubjectId,
    citizen: Option<Caller>,
    entries: BTreeMap<String, ObjectId>,
    /// Forms take a policy pack where they take a file.
    archive: bool,
    faults: Vec<String>,
    walked: usize,
}

/// People without a role: who applies, who is wrong everywhere, whom forms name, whom effects change.
const PLAIN: [&str; 4] = ["plain", "wrong", "named", "changed"];

impl City {
    async fn new(pack: Arc<Pack>) -> Self {
        let site = site_under(On::Sqlite, Arc::clone(&pack)).await;
        let institution = site.institution("見守り病院").await;
        let (mut logins, mut holders) = (BTreeMap::new(), BTreeMap::<String, Vec<ActorId>>::new());
        for login in PLAIN {
            let actor = site.staff(login, None, institution, &[]).await;
            logins.insert(actor, login.to_owned());
            holders.entry(login.to_owned()).or_default().push(actor);
        }
        let doctor = site.staff("doctor", Some("doctor"), institution, &[]).await;
        logins.insert(doctor, "doctor".to_owned());
        let committees: BTreeSet<&str> = pack
            .procedures()
            .iter()
            .flat_map(|procedure| &procedure.steps)
            .filter(|step| matches!(step.rule, StepRule::Committee(_)))
            .flat_map(|step| step.by.iter().map(Who::as_str))
            .collect();
        for role in pack.roles().iter().filter(|role| !role.outside) {
            let code = role.code.as_str();
            for number in 0..if committees.contains(code) { 4 } else { 2 } {
                let login = format!("{code}.{number}");
                let actor = site.staff(&login, None, institution, &[code]).await;
                logins.insert(actor, login);
                holders.entry(code.to_owned()).or_default().push(actor);
            }
        }
        let by = site.sign_in("doctor").await;
        let subject = site.person(&by, "山田", "花").await;
        site.app.add_citizen(&site.operator(), "citizen", "山田 花", PASSWORD, Some(subject)).await.unwrap();
        let citizen = Some(site.sign_in("citizen").await);
        Self {
            site,
            pack,
            logins,
            holders,
            callers: BTreeMap::new(),
            institution,
            subject,
            citizen,
            entries: BTreeMap::new(),
            archive: false,
            faults: Vec::new(),
            walked: 0,
        }
    }

    fn app(&self) -> Arc<App> {
        Arc::clone(&self.site.app)
    }

    async fn caller(&mut self, actor: ActorId) -> Caller {
        if let Some(caller) = self.callers.get(&actor) {
            return caller.clone();
        }
        let caller = self.site.sign_in(&self.logins[&actor]).await;
        // Whom an effect changes signs in anew each time: what they may do has changed.
        if !self.logins[&actor].starts_with(CHANGED) {
            self.callers.insert(actor, caller.clone());
        }
        caller
    }

    fn plain(&self, login: &str) -> ActorId {
        self.holders[login][0]
    }

    /// Somebody whom one of these words names.
    async fn somebody(&mut self, words: &[Who]) -> Option<Caller> {
        for who in words {
            match who {
                Who::Anyone => return Some(self.caller(self.plain("plain")).await),
                Who::Citizen => return self.citizen.clone(),
                Who::Role(code) => {
                    let held = self.holders.get(code.as_str()).and_then(|held| held.first().copied());
                    if let Some(actor) = held {
                        return Some(self.caller(actor).await);
                    }
                }
                Who::Applicant => {}
            }
        }
        None
    }

    /// An entry of a register, made when it is first asked for.
    async fn entry(&mut self, register: &str) -> Option<ObjectId> {
        if let Some(entry) = self.entries.get(register) {
            return Some(*entry);
        }
        let pack = Arc::clone(&self.pack);
        let register = pack.register(register)?;
        let words: Vec<Who> = register.keeper.iter().chain(&register.writers).cloned().collect();
        let keeper = self.somebody(&words).await?;
        let wanted: Vec<Field> = register.fields.iter().filter(|field| field.required).cloned().collect();
        let typed = Box::pin(self.typed(&keeper, &wanted, &Wish::new(), "", None)).await;
        match self.app().add_entry(&keeper, &register.code, &typed).await {
            Ok(entry) => {
                self.entries.insert(register.code.clone(), entry);
                Some(entry)
            }
            Err(error) => {
                self.faults.push(format!("register {}: {error} {:?}", register.code, error.faults()));
                None
            }
        }
    }

    /// A form filled in by somebody. `prefix` is the step's code and a dot; `known` what was chosen before.
    async fn typed(
        &mut self,
        by: &Caller,
        fields: &[Field],
        known: &Wish,
        prefix: &str,
        procedure: Option<&Procedure>,
    ) -> Typed {
        let (mut typed, mut chosen) = (Typed::new(), known.clone());
        for (number, field) in fields.iter().enumerate() {
            if field.when.as_ref().is_some_and(|when| !holds(when, &chosen)) {
                continue;
            }
            let full = format!("{prefix}{}", field.code);
            let value = match &field.kind {
                FieldType::Text { most } | FieldType::LongText { most } => {
                    Some("試しの記入".chars().take(*most as usize).collect())
                }
                FieldType::Number { least, most, .. } => {
                    Some(least.unwrap_or(1).min(most.unwrap_or(i64::MAX)).to_string())
                }
                FieldType::Date => Some("2026-11-25".to_owned()),
                FieldType::Time => Some("09:30".to_owned()),
                FieldType::DateTime => Some(format!("2026-11-{:02}T09:30", 1 + number % 30)),
                FieldType::YesNo => Some(known.get(&full).cloned().unwrap_or_else(|| "yes".to_owned())),
                FieldType::Choice(_) => known.get(&full).cloned().or_else(|| self.choice(field)),
                FieldType::Person => Some(self.person(procedure, &full).to_string()),
                FieldType::Institution => Some(self.institution.to_string()),
                FieldType::Subject => Some(self.subject.to_string()),
                FieldType::Asset => {
                    let pack = Arc::clone(&self.pack);
                    let register = pack.registers().iter().find(|register| register.assets);
                    match register {
                        Some(register) => self.entry(&register.code).await.map(|id| id.to_string()),
                        None => None,
                    }
                }
                FieldType::Entry { register } => self.entry(register).await.map(|id| id.to_string()),
                FieldType::File => Some(self.file(by).await.to_string()),
                FieldType::Derived(_) => None,
            };
            if let Some(value) = value {
                chosen.insert(full, value.clone());
                chosen.insert(field.code.clone(), value.clone());
                typed.insert(field.code.clone(), vec![value]);
            }
        }
        typed
    }

    fn choice(&self, field: &Field) -> Option<String> {
        let choices = self.pack.choices(field);
        // An appointment that can be made: nothing privileged, no unit or system to name.
        let easy = choices.iter().find(|choice| {
            let role = self.pack.roles().iter().find(|role| role.code.as_str() == choice.code);
            role.is_some_and(|role| {
                !role.privileged && matches!(role.scope, RoleScope::Installation | RoleScope::Institution)
            })
        });
        easy.or(choices.first()).map(|choice| choice.code.clone())
    }

    /// Whom a field names: an effect changes somebody who does nothing else.
    fn person(&self, procedure: Option<&Procedure>, field: &str) -> ActorId {
        let changes = procedure.is_some_and(|procedure| {
            procedure.effects.iter().any(|effect| {
                effect.with.values().any(
                    |source| matches!(source, Source::Field(reference) if reference.to_string() == field),
                )
            })
        });
        self.plain(if changes { "changed" } else { "named" })
    }

    /// A file of one's own: it becomes part of one thing only.
    async fn file(&self, by: &Caller) -> ObjectId {
        let bytes = if self.archive { other_pack(&self.pack) } else { "試し".as_bytes().to_vec() };
        self.app().attach_file(by, "memo.txt", &bytes).await.unwrap()
    }

    async fn applicant(&mut self, procedure: &Procedure) -> Option<Caller> {
        let words = match procedure.kind {
            ProcedureKind::Decision if procedure.applicants.is_empty() => {
                let step = procedure.steps.first()?;
                step.by.iter().chain(&step.delegates).cloned().collect()
            }
            _ => procedure.applicants.clone(),
        };
        self.somebody(&words).await
    }

    /// Lets somebody new be whom an effect changes, as it needs them.
    async fn prepare(&mut self, procedure: &Procedure, wish: &Wish) {
        if !procedure.effects.iter().any(|effect| REAL.contains(&effect.action)) {
            return;
        }
        let operator = self.site.operator();
        let login = format!("{CHANGED}{}", self.logins.len());
        let changed = self.site.staff(&login, None, self.institution, &[]).await;
        self.logins.insert(changed, login);
        self.holders.insert("changed".to_owned(), vec![changed]);
        for effect in procedure.effects.iter().filter(|effect| effect.action == EffectKind::EndAppointment) {
            let role = match effect.with.get("role") {
                Some(Source::Text(role)) => role.clone(),
                Some(Source::Field(reference)) => match wish.get(&reference.to_string()) {
                    Some(role) => role.clone(),
                    None => procedure.field_at(reference).and_then(|field| self.choice(field)).unwrap(),
                },
                _ => continue,
            };
            let appointment = mimamori_app::NewAppointment {
                actor: changed,
                role: role.parse().unwrap(),
                institution: Some(self.institution),
                unit: None,
                system: None,
                from: crate::support::START,
                until: None,
                deputy: false,
            };
            self.app().appoint(&operator, &appointment).await.unwrap();
        }
    }

    async fn begin(&mut self, procedure: &Procedure, wish: &Wish) -> Option<(Caller, ObjectId)> {
        self.prepare(procedure, wish).await;
        let Some(applicant) = self.applicant(procedure).await else {
            self.fault(procedure, "nobody inside can begin it");
            return None;
        };
        let typed = self.typed(&applicant, &procedure.fields, wish, "", Some(procedure)).await;
        match self.app().begin_case(&applicant, &procedure.code, &typed, false).await {
            Ok(case) => Some((applicant, case)),
            Err(error) => {
                self.fault(procedure, &format!("begin: {error} {:?}", error.faults()));
                None
            }
        }
    }

    fn fault(&mut self, procedure: &Procedure, text: &str) {
        self.faults.push(format!("{}/{}: {text}", self.pack.id(), procedure.code));
    }

    /// Somebody for whom a step waits; whom an effect changes only when it is theirs alone.
    fn ready(&self, step: &CaseStep) -> Option<ActorId> {
        let unchanged = |actor: &&ActorId| !self.logins[*actor].starts_with(CHANGED);
        let people: Vec<ActorId> = step.people.iter().map(|person| person.actor).collect();
        people.iter().find(unchanged).or(people.first()).copied()
    }

    /// Does what the step waits for, by the first of its people. Tells whether that went well.
    async fn forward(
        &mut self,
        procedure: &Procedure,
        view: &CaseView,
        applicant: &Caller,
        wish: &Wish,
        strict: bool,
    ) -> bool {
        let waits = now(view);
        let step = waits.step.clone();
        let Some(person) = self.ready(waits) else {
            self.fault(procedure, &format!("{}: nobody can act", step.code));
            return false;
        };
        let act = forwards(&step);
        let mut known = wish.clone();
        known.extend(
            view.values.iter().filter_map(|(code, value)| Some((code.clone(), value.as_str()?.to_owned()))),
        );
        let prefix = format!("{}.", step.code);
        let caller = self.caller(person).await;
        let typed = self.typed(&caller, &step.fields, &known, &prefix, Some(procedure)).await;
        let app = self.app();
        if strict {
            let wrong = self.caller(self.plain("wrong")).await;
            for other in [&wrong, applicant] {
                let may = waits.people.iter().any(|person| person.actor == other.actor_id());
                if may {
                    continue;
                }
                let refused = app.act_on_case(other, view.id, view.version, &act, &typed).await;
                let kind = refused.err().map(|error| error.kind());
                if kind != Some(ErrorKind::Forbidden) {
                    self.fault(procedure, &format!("{}: a wrong person got {kind:?}", step.code));
                }
            }
            if step.decides() && procedure.kind != ProcedureKind::Decision {
                let own = waits.people.iter().any(|person| person.actor == applicant.actor_id());
                assert!(!own, "{}/{}: the applicant decides", procedure.code, step.code);
            }
        }
        if let Err(error) = app.act_on_case(&caller, view.id, view.version, &act, &typed).await {
            self.fault(procedure, &format!("{}: {error} {:?}", step.code, error.faults()));
            return false;
        }
        if strict {
            let twice = app.act_on_case(&caller, view.id, view.version, &act, &typed).await;
            let kind = twice.err().map(|error| error.kind());
            if kind != Some(ErrorKind::Conflict) {
                self.fault(procedure, &format!("{}: a double click got {kind:?}", step.code));
            }
        }
        true
    }

    /// Walks on until the case is closed, or until it waits for a decision.
    async fn walk(
        &mut self,
        procedure: &Procedure,
        case: ObjectId,
        applicant: &Caller,
        wish: &Wish,
        (strict, to_decision): (bool, bool),
    ) -> Option<CaseView> {
        for _ in 0..100 {
            let view = self.app().case(applicant, case).await.unwrap();
            if view.stage != CaseStage::Open || (to_decision && now(&view).step.decides()) {
                return Some(view);
            }
            if !self.forward(procedure, &view, applicant, wish, strict).await {
                return None;
            }
        }
        self.fault(procedure, "it does not end");
        None
    }

    async fn approve(&mut self, procedure: &Procedure, wish: &Wish, strict: bool) {
        let Some((applicant, case)) = self.begin(procedure, wish).await else { return };
        let Some(view) = self.walk(procedure, case, &applicant, wish, (strict, false)).await else { return };
        if view.stage != CaseStage::Finished {
            self.fault(procedure, &format!("it ends as {:?}", view.stage));
        }
        let depends = |action| {
            use EffectKind::{
                ChangeAccount, CloseMaintenance, DeleteAccount, IssueAccount, OpenMaintenance,
                RegisterDevice, RetireDevice,
            };
            let accounts = [IssueAccount, ChangeAccount, DeleteAccount, OpenMaintenance, CloseMaintenance];
            accounts.contains(&action) || [RegisterDevice, RetireDevice].contains(&action)
        };
        let never = |action| !REAL.contains(&action) && !depends(action);
        let by_hand = procedure.effects.iter().filter(|effect| never(effect.action)).count();
        if view.by_hand.len() < by_hand || view.by_hand.len() > procedure.effects.len() {
            self.fault(procedure, &format!("{} tasks by hand", view.by_hand.len()));
        }
        if procedure.records.is_some() != view.entry.is_some() {
            self.fault(procedure, "the register entry is not as the pack says");
        }
        self.walked += 1;
    }

    async fn refuse(&mut self, procedure: &Procedure) {
        let wish = Wish::new();
        let Some((applicant, case)) = self.begin(procedure, &wish).await else { return };
        let Some(mut view) = self.walk(procedure, case, &applicant, &wish, (false, true)).await else {
            return;
        };
        while view.stage == CaseStage::Open {
            let Some(person) = self.ready(now(&view)) else { return };
            let act = match now(&view).step.rule {
                StepRule::Committee(_) => Act::Vote { yes: false },
                _ => Act::Refuse { reason: "認められない".to_owned() },
            };
            let caller = self.caller(person).await;
            if let Err(error) = self.app().act_on_case(&caller, case, view.version, &act, &Typed::new()).await
            {
                return self.fault(procedure, &format!("refuse: {error}"));
            }
            view = self.app().case(&applicant, case).await.unwrap();
        }
        let decides = procedure.steps.iter().any(Step::decides);
        if view.stage != CaseStage::Refused && decides && view.stage != CaseStage::Finished {
            self.fault(procedure, &format!("refused, it ends as {:?}", view.stage));
        }
        if view.stage == CaseStage::Refused && view.entry.is_some() {
            self.fault(procedure, "refused, and a register entry is written");
        }
    }

    async fn give_back(&mut self, procedure: &Procedure) {
        let wish = Wish::new();
        let Some((applicant, case)) = self.begin(procedure, &wish).await else { return };
        let Some(view) = self.walk(procedure, case, &applicant, &wish, (false, true)).await else { return };
        if view.stage != CaseStage::Open || view.by_hand.len() + usize::from(view.entry.is_some()) > 0 {
            return;
        }
        let Some(person) = self.ready(now(&view)) else { return };
        let caller = self.caller(person).await;
        let act = Act::Return { reason: "書き直し".to_owned() };
        if let Err(error) = self.app().act_on_case(&caller, case, view.version, &act, &Typed::new()).await {
            return self.fault(procedure, &format!("return: {error}"));
        }
        let view = self.app().case(&applicant, case).await.unwrap();
        if view.stage != CaseStage::Returned {
            self.fault(procedure, "returned, it is not with the applicant");
        }
        if let Err(error) = self.app().resubmit_case(&applicant, case, view.version, &view.typed).await {
            return self.fault(procedure, &format!("again: {error} {:?}", error.faults()));
        }
        let Some(view) = self.walk(procedure, case, &applicant, &wish, (false, false)).await else { return };
        if view.stage != CaseStage::Finished || view.history.iter().all(|event| event.round != 2) {
            self.fault(procedure, "handed in again, it does not finish");
        }
    }

    async fn withdraw(&mut self, procedure: &Procedure) {
        let wish = Wish::new();
        let Some((applicant, case)) = self.begin(procedure, &wish).await else { return };
        let view = self.app().case(&applicant, case).await.unwrap();
        let act = Act::Withdraw { reason: "取りやめ".to_owned() };
        let done = self.app().act_on_case(&applicant, case, view.version, &act, &Typed::new()).await;
        let view = self.app().case(&applicant, case).await.unwrap();
        if done.is_err() || view.stage != CaseStage::Withdrawn || !view.by_hand.is_empty() {
            self.fault(procedure, &format!("withdrawn: {done:?} {:?}", view.stage));
        }
    }
}

/// A pack that could follow this one, as an archive.
fn other_pack(pack: &Pack) -> Vec<u8> {
    let mut files = pack.files().clone();
    files.get_mut("pack.yaml").unwrap().extend_from_slice(b"\n# another version\n");
    if pack.unset_parameters().next().is_some() {
        let site = files.entry("site.yaml".to_owned()).or_default();
        site.extend_from_slice(b"\nparameters:\n");
        for parameter in pack.unset_parameters() {
            let value = parameter.least.or(parameter.most).unwrap_or(1);
            site.extend_from_slice(format!("  - {{key: {}, value: {value}}}\n", parameter.key).as_bytes());
        }
    }
    mimamori_app::pack_archive(&Pack::from_files(files).unwrap()).unwrap()
}

fn now(view: &CaseView) -> &CaseStep {
    view.steps.iter().find(|step| step.state == StepState::Now).expect("an open case is at a step")
}

/// The act that a step waits for.
fn forwards(step: &Step) -> Act {
    match (step.rule, step.kind) {
        (StepRule::Committee(_), _) => Act::Vote { yes: true },
        (_, StepKind::Review | StepKind::Approve) => Act::Pass,
        (_, StepKind::Inform) => Act::Told,
        _ => Act::Done,
    }
}

fn holds(when: &Condition, chosen: &Wish) -> bool {
    chosen.get(&when.field.to_string()).is_some_and(|value| when.is.contains(value))
}

/// Forms that together reach every step whose condition looks at the form.
fn wishes(procedure: &Procedure) -> Vec<Wish> {
    let mut wishes = vec![Wish::new()];
    for when in procedure.steps.iter().filter_map(|step| step.when.as_ref()) {
        let wish = Wish::from([(when.field.to_string(), when.is[0].clone())]);
        if !wishes.contains(&wish) {
            wishes.push(wish);
        }
    }
    wishes
}

/// The pack with room for two people and more in every privileged role: that only so many may hold
/// one is walked elsewhere.
fn with_many_administrators(pack: &Pack) -> Pack {
    const KEY: &str = "- key: accounts.most-administrators";
    let mut files = pack.files().clone();
    let mut found = false;
    for (path, bytes) in files.iter_mut().filter(|(path, _)| path.ends_with("pack.yaml")) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((before, after)) = text.split_once(KEY) else { continue };
        let mut lines: Vec<String> = after.lines().map(str::to_owned).collect();
        for word in ["value:", "most:"] {
            let line = lines.iter_mut().find(|line| line.trim_start().starts_with(word));
            *line.unwrap_or_else(|| panic!("{path}: {word}")) = format!("    {word} 40");
        }
        *bytes = format!("{before}{KEY}{}\n", lines.join("\n")).into_bytes();
        found = true;
    }
    assert!(found);
    // And people sign in by password only.
    const ASKED: &str = "- key: second-factor.required-of";
    for (_, bytes) in files.iter_mut().filter(|(path, _)| path.ends_with("pack.yaml")) {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let Some((before, after)) = text.split_once(ASKED) else { continue };
        let (_, rest) = after.split_once("value:").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        *bytes = format!("{before}{ASKED}\n    value: nobody\n{rest}").into_bytes();
    }
    Pack::from_files(files).unwrap()
}

async fn walk_pack(id: &'static str) -> Vec<String> {
    let Ok(pack) = Pack::embedded(id) else {
        return vec![format!("{id} does not load")];
    };
    let pack = Arc::new(with_many_administrators(&pack));
    let mut city = City::new(Arc::clone(&pack)).await;
    for procedure in pack.procedures() {
        // New rules would end this walk: `adoption.rs` goes on from there.
        let adopts = procedure.effects.iter().any(|effect| effect.action == EffectKind::AdoptPack);
        city.archive = adopts;
        if adopts {
            city.walked += 1;
        } else {
            for (number, wish) in wishes(procedure).iter().enumerate() {
                city.approve(procedure, wish, number == 0).await;
            }
            city.give_back(procedure).await;
        }
        city.refuse(procedure).await;
        city.withdraw(procedure).await;
    }
    assert!(city.walked >= pack.procedures().len() || !city.faults.is_empty());
    let report = city.app().verify(&|_, _| {}).await.unwrap();
    city.faults.extend(report.findings);
    city.faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_procedure_of_every_pack() {
    let walks: Vec<_> = Pack::embedded_ids().map(|id| tokio::spawn(walk_pack(id))).collect();
    let mut faults = Vec::new();
    for walk in walks {
        faults.extend(walk.await.unwrap());
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
