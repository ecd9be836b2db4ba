//! A form: saved as a draft, handed in, handed in again after a return.

use mimamori_domain::{Action, ActorId, Error, InstitutionId, ObjectId, RecordState, Result};
use mimamori_policy::model::{Field, FieldType, Procedure, ProcedureKind, Who};
use mimamori_policy::{Decision, Pack};
use mimamori_store::Unit;
use serde_json::Value;

use super::people::actors_in;
use super::{AssetPlace, Case, Event, Mark, Stage, THING, flow};
use crate::App;
use crate::access::{Settled, decided, kept_changing};
use crate::caller::Caller;
use crate::governance::attachments::files_in;
use crate::governance::object::{Governed, Writing};
use crate::governance::purpose;
use crate::governance::registers::RegisterEntry;
use crate::governance::values::{self, Typed, Values};
use crate::governance::who::{Reach, target};

/// Most characters that a draft may hold in all: it is checked only when it is handed in.
const MOST_DRAFT: usize = 200_000;

/// The field of an asset's register that names its owner.
const OWNER: &str = "owner";

impl App {
    /// A procedure of the pack in force.
    pub(crate) fn procedure_of(&self, code: &str) -> Result<&Procedure> {
        self.pack.procedure(code).ok_or_else(Error::not_found)
    }

    /// Whether the pack lets the caller begin a procedure, or act first in an emergency.
    pub(crate) fn may_begin(&self, caller: &Caller, procedure: &Procedure, emergency: bool) -> bool {
        let now = self.clock.now();
        let named = |words: &[Who]| caller.named(words, Reach::Anywhere, None, now).is_some();
        if emergency {
            return procedure.emergency.as_ref().is_some_and(|emergency| named(&emergency.by));
        }
        if procedure.kind != ProcedureKind::Decision {
            return named(&procedure.applicants);
        }
        named(&procedure.applicants)
            || procedure.steps.first().is_some_and(|step| named(&step.by) || named(&step.delegates))
    }

    /// Hands in a form: a new case. In an emergency the caller has acted already: what the procedure
    /// does is done at once, and the steps follow as a report.
    ///
    /// # Errors
    /// Not found for an unknown procedure; forbidden; invalid with the code of each field that is
    /// wrong as place; unavailable.
    pub async fn begin_case(
        &self,
        caller: &Caller,
        procedure: &str,
        typed: &Typed,
        emergency: bool,
    ) -> Result<ObjectId> {
        let caller = purpose(caller);
        let procedure = self.procedure_of(procedure)?;
        let named = self.may_begin(&caller, procedure, emergency);
        let decision = self.require_case(&caller, Action::Create, named).await?;
        let id = ObjectId::random();
        let case = self.blank(&caller);
        self.hand_in(&caller, &decision, procedure, (id, 0), case, typed, (emergency, Action::Create))
            .await?;
        Ok(id)
    }

    /// Saves a form that is not finished: a new draft, or the next version of one of the caller's own.
    /// `draft` is its id and the version that was seen. Gives the id and the version saved.
    ///
    /// # Errors
    /// Not found, forbidden; conflict when it was changed meanwhile; unavailable.
    pub async fn save_draft(
        &self,
        caller: &Caller,
        procedure: &str,
        draft: Option<(ObjectId, u64)>,
        typed: &Typed,
    ) -> Result<(ObjectId, u64)> {
        let caller = purpose(caller);
        let procedure = self.procedure_of(procedure)?;
        let named = self.may_begin(&caller, procedure, false) || self.may_begin(&caller, procedure, true);
        let action = if draft.is_some() { Action::Update } else { Action::Create };
        let decision = self.require_case(&caller, action, named).await?;
        let length: usize = typed.values().flatten().map(String::len).sum();
        if length > MOST_DRAFT {
            return Err(Error::invalid("this form holds too much text"));
        }
        let (id, follows, mut case) = match draft {
            Some((id, seen)) => {
                let current = self.own_draft(&caller, id, seen).await?;
                if current.code.as_str() != procedure.code {
                    return Err(Error::not_found());
                }
                (id, current.version, current.body)
            }
            None => (ObjectId::random(), 0, self.blank(&caller)),
        };
        let fields = &procedure.fields;
        let mut unit = Unit::new();
        let had: Vec<_> = typed_files(fields, &case.typed).map(|(_, file)| file).collect();
        let files: Vec<_> = typed_files(fields, typed).collect();
        self.lend_files(&caller, &decision, &mut unit, id, &files, &had).await?;
        case.typed = typed
            .iter()
            .filter(|(code, _)| fields.iter().any(|field| field.code == **code))
            .map(|(code, texts)| (code.clone(), texts.clone()))
            .collect();
        let state = RecordState::Draft;
        self.put_case(
            &caller,
            &decision,
            &mut unit,
            procedure,
            (id, follows),
            None,
            &case,
            (state, action, None),
        )
        .await?;
        match self.settle(&caller, unit).await? {
            Settled::Done => Ok((id, follows + 1)),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Hands in a draft of the caller's own.
    ///
    /// # Errors
    /// As [`App::begin_case`]; conflict when it was changed meanwhile.
    pub async fn submit_case(
        &self,
        caller: &Caller,
        draft: ObjectId,
        seen: u64,
        typed: &Typed,
        emergency: bool,
    ) -> Result<()> {
        let caller = purpose(caller);
        let current = self.own_draft(&caller, draft, seen).await?;
        let procedure = self.procedure_of(current.code.as_str())?;
        let named = self.may_begin(&caller, procedure, emergency);
        let decision = self.require_case(&caller, Action::Update, named).await?;
        let at = (draft, current.version);
        self.hand_in(&caller, &decision, procedure, at, current.body, typed, (emergency, Action::Update))
            .await
    }

    /// Throws a draft of the caller's own away: it stays in the history as withdrawn.
    ///
    /// # Errors
    /// Not found; conflict when it was changed meanwhile; unavailable.
    pub async fn discard_draft(&self, caller: &Caller, draft: ObjectId, seen: u64) -> Result<()> {
        let caller = purpose(caller);
        let mut current = self.own_draft(&caller, draft, seen).await?;
        let decision = self.require_case(&caller, Action::Withdraw, true).await?;
        let pack = self.pack_at(current.pack).await?;
        let procedure = pack.procedure(current.code.as_str()).ok_or_else(Error::not_found)?;
        current.body.stage = Stage::Withdrawn;
        let mut unit = Unit::new();
        let what = (RecordState::Withdrawn, Action::Withdraw, None);
        let at = (draft, current.version);
        self.put_case(&caller, &decision, &mut unit, procedure, at, current.institution, &current.body, what)
            .await?;
        match self.settle(&caller, unit).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Hands a returned form in again, corrected: its steps begin anew. Earlier marks stay visible.
    ///
    /// # Errors
    /// As [`App::begin_case`]; conflict when it was changed meanwhile or is not with the applicant.
    pub async fn resubmit_case(
        &self,
        caller: &Caller,
        case: ObjectId,
        seen: u64,
        typed: &Typed,
    ) -> Result<()> {
        let caller = purpose(caller);
        let current = self.governed::<Case>(case).await?.ok_or_else(Error::not_found)?;
        let mine = current.body.applicant == caller.actor;
        let decision = self.require_own(&caller, Action::Update, mine).await?;
        if current.version != seen || current.body.stage != Stage::Returned {
            return Err(changed_meanwhile());
        }
        let pack = self.pack_named(&current.body.pack).await?;
        let procedure = pack.procedure(current.code.as_str()).ok_or_else(Error::not_found)?;
        let mut body = current.body;
        let mut unit = Unit::new();
        let had: Vec<_> = files_in(&procedure.fields, &body.values).map(|(_, file)| file).collect();
        body.values = self.form_values(&pack, procedure, typed).await?;
        let files: Vec<_> = files_in(&procedure.fields, &body.values).collect();
        self.lend_files(&caller, &decision, &mut unit, case, &files, &had).await?;
        body.asset = self.asset_place(procedure, &body.values).await?;
        body.proposed = self.proposed(procedure, &body.values).await?;
        body.round += 1;
        let now = self.clock.now();
        body.events.push(happened(&body, caller.actor, Mark::Resubmitted, now));
        // What an emergency did is done: the report goes through its steps again, nothing more.
        let due = flow::start(procedure, &mut body, now);
        let of = (case, current.institution);
        self.carry_out(&caller, &decision, &mut unit, &pack, procedure, of, &mut body, due).await?;
        let what = (state_of(&body), Action::Update, None);
        let at = (case, current.version);
        self.put_case(&caller, &decision, &mut unit, procedure, at, current.institution, &body, what).await?;
        match self.settle(&caller, unit).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of one handing in")]
    async fn hand_in(
        &self,
        caller: &Caller,
        decision: &Decision,
        procedure: &Procedure,
        at: (ObjectId, u64),
        mut case: Case,
        typed: &Typed,
        (emergency, action): (bool, Action),
    ) -> Result<()> {
        if emergency {
            self.lately_for_effects(caller, procedure)?;
        }
        let now = self.clock.now();
        let mut unit = Unit::new();
        let had: Vec<_> = typed_files(&procedure.fields, &case.typed).map(|(_, file)| file).collect();
        case.values = self.form_values(&self.pack, procedure, typed).await?;
        let files: Vec<_> = files_in(&procedure.fields, &case.values).collect();
        self.lend_files(caller, decision, &mut unit, at.0, &files, &had).await?;
        case.asset = self.asset_place(procedure, &case.values).await?;
        case.proposed = self.proposed(procedure, &case.values).await?;
        case.typed.clear();
        case.emergency = emergency;
        case.unit = caller.unit().map(ToOwned::to_owned);
        case.submitted = Some(now.as_micros());
        case.pack = hex::encode(self.pack.hash());
        let mark = if emergency { Mark::ActedFirst } else { Mark::Applied };
        case.events.push(happened(&case, caller.actor, mark, now));
        let due = flow::start(procedure, &mut case, now);
        let (of, due) = ((at.0, caller.institution()), due || emergency);
        self.carry_out(caller, decision, &mut unit, &self.pack, procedure, of, &mut case, due).await?;
        let what = (state_of(&case), action, None);
        self.put_case(caller, decision, &mut unit, procedure, at, None, &case, what).await?;
        match self.settle(caller, unit).await? {
            Settled::Done => Ok(()),
            Settled::Again => Err(kept_changing()),
        }
    }

    /// Puts a version of a case and its ledger entry into a unit. `at`: the case, and the version it
    /// follows.
    #[expect(clippy::too_many_arguments, reason = "each is one part of one version")]
    pub(crate) async fn put_case(
        &self,
        caller: &Caller,
        decision: &Decision,
        unit: &mut Unit,
        procedure: &Procedure,
        at: (ObjectId, u64),
        institution: Option<InstitutionId>,
        case: &Case,
        (state, action, stated): (RecordState, Action, Option<&str>),
    ) -> Result<()> {
        let (object, follows) = at;
        let sorted = case.finished.or(case.submitted).unwrap_or(case.begun);
        let writing = Writing {
            object,
            follows,
            code: &procedure.code,
            state,
            institution,
            sorted: crate::body::time(sorted),
            body: case,
        };
        let commitment = self.write_governed(caller, unit, &writing).await?;
        let mut entry = decided(caller.entry(unit.id, action), decision);
        entry.resource = Self::resource_of::<Case>(object);
        entry.version = Some(follows + 1);
        entry.commitments = vec![commitment];
        let index = u32::try_from(unit.entries.len()).unwrap_or(u32::MAX);
        let entry = self.with_sealed(caller, entry, index, stated)?;
        unit.entries.push(entry);
        Ok(())
    }

    /// Permits an action on a case, or records the refusal and fails.
    pub(crate) async fn require_case(
        &self,
        caller: &Caller,
        action: Action,
        named: bool,
    ) -> Result<Decision> {
        self.require_general(caller, action, target(THING, named)).await
    }

    /// As [`App::require_case`], for what only somebody whom the pack names may do, whatever else
    /// they may: refused also to whom a policy would permit it unnamed.
    pub(crate) async fn require_own(&self, caller: &Caller, action: Action, named: bool) -> Result<Decision> {
        let decision = self.require_case(caller, action, named).await?;
        if named {
            return Ok(decision);
        }
        Err(self.refuse(caller, action, None, Some((THING, None)), &decision).await)
    }

    fn blank(&self, caller: &Caller) -> Case {
        Case {
            values: Values::new(),
            typed: Typed::new(),
            applicant: caller.actor,
            unit: caller.unit().map(ToOwned::to_owned),
            emergency: false,
            begun: self.clock.now().as_micros(),
            submitted: None,
            finished: None,
            pack: hex::encode(self.pack.hash()),
            round: 1,
            stage: Stage::Draft,
            entered: Default::default(),
            filled: Values::new(),
            asset: None,
            proposed: None,
            events: Vec::new(),
            approved: None,
            settled: false,
            tasks: Vec::new(),
            made: Vec::new(),
            entry: None,
        }
    }

    /// A draft of the caller's own, as it was seen. Somebody else's is not found.
    async fn own_draft(&self, caller: &Caller, id: ObjectId, seen: u64) -> Result<Governed<Case>> {
        let current = self.governed::<Case>(id).await?.ok_or_else(Error::not_found)?;
        if current.body.applicant != caller.actor {
            return Err(Error::not_found());
        }
        if current.version != seen || current.state != RecordState::Draft {
            return Err(changed_meanwhile());
        }
        Ok(current)
    }

    async fn form_values(&self, pack: &Pack, procedure: &Procedure, typed: &Typed) -> Result<Values> {
        self.typed_values(pack, &procedure.fields, typed, &Values::new()).await
    }

    /// Reads what was typed into fields of a pack, and checks that what it points at exists.
    pub(crate) async fn typed_values(
        &self,
        pack: &Pack,
        fields: &[Field],
        typed: &Typed,
        earlier: &Values,
    ) -> Result<Values> {
        let wrong = |faults| Error::invalid_at("some fields need your attention", faults);
        let values = values::read(pack, fields, typed, earlier).map_err(wrong)?;
        let faults = self.missing_references(fields, &values).await?;
        if faults.is_empty() { Ok(values) } else { Err(wrong(faults)) }
    }

    /// Where the asset of a form belongs: the first of its `asset` fields.
    async fn asset_place(&self, procedure: &Procedure, values: &Values) -> Result<Option<AssetPlace>> {
        let mut assets = procedure.fields.iter().filter(|field| field.kind == FieldType::Asset);
        let id = assets.find_map(|field| match values.get(&field.code)? {
            Value::Array(many) => many.first()?.as_str()?.parse().ok(),
            one => one.as_str()?.parse().ok(),
        });
        let Some(id) = id else { return Ok(None) };
        let Some(asset) = self.governed::<RegisterEntry>(id).await? else { return Ok(None) };
        let owners: Vec<ActorId> = asset.body.values.get(OWNER).map(actors_in).unwrap_or_default();
        Ok(Some(AssetPlace { institution: asset.institution, unit: asset.body.unit, owners }))
    }
}

/// The files that a form holds while it is being filled in, each with the code of its field.
fn typed_files<'a>(fields: &'a [Field], typed: &'a Typed) -> impl Iterator<Item = (&'a str, ObjectId)> {
    fields.iter().filter(|field| field.kind == FieldType::File).flat_map(|field| {
        let texts = typed.get(&field.code).into_iter().flatten();
        texts.filter_map(move |text| Some((field.code.as_str(), text.trim().parse().ok()?)))
    })
}

/// The state that a case's head shows.
pub(crate) fn state_of(case: &Case) -> RecordState {
    match case.stage {
        Stage::Draft => RecordState::Draft,
        Stage::Step(_) | Stage::Returned => RecordState::AwaitingConfirmation,
        Stage::Finished => RecordState::Confirmed,
        Stage::Refused | Stage::Withdrawn => RecordState::Withdrawn,
    }
}

/// Something that happened just now, to be filled in further.
pub(crate) fn happened(case: &Case, by: ActorId, mark: Mark, now: mimamori_domain::Timestamp) -> Event {
    Event {
        at: now.as_micros(),
        by,
        mark,
        round: case.round,
        step: case.at().map(ToOwned::to_owned),
        how: None,
        word: None,
        seats: Vec::new(),
        text: None,
        values: Values::new(),
    }
}

pub(crate) fn changed_meanwhile() -> Error {
    Error::conflict("somebody else changed this meanwhile; open it again and repeat your change")
}
