//! Who can see a class of somebody's record, and why: the policies asked for everybody at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use mimamori_domain::{
    AccessLabel, Action, ActorId, ClassCode, Error, Kind, LegalBasis, ObjectId, OccupationCode, RecordState,
    Result, SessionId, SubjectId,
};
use mimamori_policy::{Effect, PolicyName, Text};
use mimamori_store::Unit;

use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::{AccountKind, kind};
use crate::caller::{ActorContext, Caller, SessionRef};
use crate::context::SubjectContext;
use crate::{App, Origin, ReviewQuery, Window, sql};

/// Accounts read at a time.
const STRIDE: i64 = 500;
/// Accounts asked about for one answer.
const MOST_ASKED: usize = 20_000;
/// People listed in one answer.
const MOST_SHOWN: usize = 2_000;

/// Who can see confirmed records of one class of one person.
#[derive(Debug, Clone, Default)]
pub struct WhoSees {
    /// By institution, then name.
    pub people: Vec<Sight>,
    /// Everybody who can, also those not listed.
    pub count: u64,
    /// How many more could after declaring an emergency, which is recorded and reviewed.
    pub in_emergency: u64,
    /// There are more accounts than one answer looks at.
    pub incomplete: bool,
}

/// Somebody who can see it.
#[derive(Clone)]
pub struct Sight {
    pub actor: ActorId,
    pub name: String,
    pub occupation: Option<OccupationCode>,
    pub institution: Option<String>,
    pub standing: Standing,
    pub basis: LegalBasis,
    /// What the policies that permit it say.
    pub because: Vec<Text>,
}

/// Names stay out of debug output (invariant 9).
impl std::fmt::Debug for Sight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sight").field("actor", &self.actor).finish_non_exhaustive()
    }
}

/// As what somebody sees a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Staff,
    Citizen,
    Program,
}

impl App {
    /// Who can see confirmed records of a class of a person that the institution they are registered at
    /// answers for, and which policies permit it: for the person, their proxies, and those who review the
    /// ledger. Everybody is asked about as they are now,
    /// at their ordinary work; who declared an emergency, which lasts for a time, is among them.
    ///
    /// # Errors
    /// Invalid for a class that the pack does not have; not found; forbidden; unavailable.
    pub async fn who_sees(&self, caller: &Caller, subject: SubjectId, class: &ClassCode) -> Result<WhoSees> {
        if self.pack.class(class).is_none() {
            return Err(crate::record::fault("class", "the policy pack has no such class", "value"));
        }
        let now = self.clock.now();
        let window = Window { from: now, until: now };
        let query = ReviewQuery { subject: Some(subject), actor: None, institution: None, window };
        for _ in 0..ATTEMPTS {
            let mut unit = Unit::new();
            let decision = self.review_decision(caller, &query, &mut unit).await?;
            let context = self.subject_context(subject).await?;
            unit.guards.push(context.guard());
            let institution = context.facts.registering_institution.ok_or_else(Error::not_found)?;
            let label = AccessLabel { class: class.clone(), state: RecordState::Confirmed, institution };
            let found = self.sights(&context, &label).await?;
            let mut entry = decided(caller.entry(unit.id, Action::Explain), &decision);
            entry.subject = Some(subject);
            entry.resource = Some((Kind::of("policy"), None));
            entry.count = found.count;
            let entry = self.with_sealed(caller, entry, 0, Some(class.as_str()))?;
            if let Settled::Done = self.settle(caller, unit.entry(entry)).await? {
                return Ok(found);
            }
        }
        Err(kept_changing())
    }

    async fn sights(&self, context: &SubjectContext, label: &AccessLabel) -> Result<WhoSees> {
        let mut found = WhoSees::default();
        // What a policy says is found out once, not for everybody.
        let mut texts: BTreeMap<PolicyName, Text> = BTreeMap::new();
        let mut after = ObjectId::from_bytes([0; 16]);
        let mut asked = 0;
        loop {
            let args = vec![kind::ACCOUNT.as_str().to_owned().into(), after.into(), STRIDE.into()];
            let rows = self.store.query(&sql::OBJECTS_OF_KIND, args).await?;
            for row in &rows {
                after = row.id_of(0).map_err(Error::unavailable)?;
                let actor = self.actor_context_now(ActorId::from(after)).await?;
                self.ask_about(&actor, context, label, &mut texts, &mut found);
            }
            asked += rows.len();
            if (rows.len() as i64) < STRIDE {
                break;
            }
            if asked >= MOST_ASKED {
                found.incomplete = true;
                break;
            }
        }
        found.people.sort_by(|a, b| (&a.institution, &a.name).cmp(&(&b.institution, &b.name)));
        found.people.truncate(MOST_SHOWN);
        Ok(found)
    }

    fn ask_about(
        &self,
        actor: &Arc<ActorContext>,
        context: &SubjectContext,
        label: &AccessLabel,
        texts: &mut BTreeMap<PolicyName, Text>,
        found: &mut WhoSees,
    ) {
        if !actor.account.active {
            return;
        }
        let now = self.clock.now();
        let mut about = self.at_work(actor);
        let decision = self.decide(&about, Action::Read, context, label, None, now);
        if !decision.allowed {
            about.declare_emergency(now.plus(std::time::Duration::from_secs(60)));
            let could = self.decide(&about, Action::Read, context, label, None, now).allowed;
            found.in_emergency += u64::from(could);
            return;
        }
        if decision.policies.iter().any(|name| !texts.contains_key(name)) {
            let facts = &about.facts;
            let told = self.authorizer.explain(facts, Action::Read, &context.facts, label, None, now);
            let permits = told.policies.into_iter().filter(|p| p.effect == Effect::Permit && p.applies);
            texts.extend(permits.map(|policy| (policy.name, policy.text)));
        }
        let account = &actor.account;
        found.count += 1;
        found.people.push(Sight {
            actor: actor.actor,
            name: account.name.clone(),
            occupation: account.occupation.clone(),
            institution: actor.institution_name.clone(),
            standing: match account.kind {
                AccountKind::Staff => Standing::Staff,
                AccountKind::Citizen => Standing::Citizen,
                AccountKind::Program => Standing::Program,
            },
            basis: decision.basis,
            because: decision.policies.iter().filter_map(|name| texts.get(name).cloned()).collect(),
        });
    }

    /// Somebody as they would be after signing in: nothing is done or recorded as theirs.
    pub(crate) fn at_work(&self, actor: &Arc<ActorContext>) -> Caller {
        let now = self.clock.now();
        let session = SessionRef {
            id: SessionId::random(),
            version: 0,
            expires: now,
            ends: now,
            token_hash: [0; 32],
            last_seen: now,
            under: None,
            bearer: false,
            shown: crate::sessions::Shown::Password,
            began: now,
            proved: now,
        };
        Caller::of_session(Arc::clone(actor), session, &Origin::default(), now, self.pack.hash())
    }
}
