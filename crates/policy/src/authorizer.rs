//! Deciding. Cedar evaluates the pack's policies; each distinct question is evaluated once and its
//! answer remembered, because a question holds everything the answer depends on.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use cedar_policy::{
    Authorizer as CedarAuthorizer, Context, Decision as CedarDecision, Entities, Entity, EntityTypeName,
    EntityUid, PolicySet, Request, Response, RestrictedExpression,
};
use mimamori_domain::{AccessLabel, Action, Authorship, LegalBasis, Purpose, RecordState, Timestamp};

pub use crate::access::PolicyName;
use crate::access::{Access, uid};
use crate::explain::{Explainer, Explanation};
use crate::fact::Fact;
use crate::pack::Pack;
use crate::question::{Mentioned, Question, Tables, Target};
use crate::request::{CallerFacts, CallerKind, GeneralTarget, SubjectFacts};
use crate::words::Words;

/// How many distinct questions are remembered. An installation asks a few thousand at most; when
/// there are more, all are forgotten, which costs time and nothing else.
const MOST_REMEMBERED: usize = 16_384;

/// What was decided, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub allowed: bool,
    /// The policies that decided, in the pack's order: those that permit when it is allowed, those
    /// that forbid when it is not. Empty when nothing permits.
    pub policies: Arc<[PolicyName]>,
    /// The ground named by the first permitting policy; [`LegalBasis::None`] when not allowed.
    pub basis: LegalBasis,
}

impl Decision {
    fn refused() -> Self {
        Self { allowed: false, policies: Arc::new([]), basis: LegalBasis::None }
    }
}

/// Decides under one pack. Made once when a pack is put into force, and shared.
#[derive(Debug)]
pub struct Authorizer {
    tables: Tables,
    words: Vocabulary,
    access: Access,
    mentioned: Mentioned,
    cedar: CedarAuthorizer,
    texts: Words,
    /// Taking policies apart costs as much as half of loading them, and few programs are ever asked why.
    explainer: OnceLock<Explainer>,
    remembered: RwLock<HashMap<Question, Decision>>,
}

impl Authorizer {
    #[must_use]
    pub fn new(pack: &Pack) -> Self {
        Self {
            tables: Tables::new(pack),
            words: Vocabulary::new(pack),
            mentioned: pack.access.mentioned,
            access: pack.access.clone(),
            cedar: CedarAuthorizer::new(),
            texts: Words::new(pack),
            explainer: OnceLock::new(),
            remembered: RwLock::new(HashMap::new()),
        }
    }

    /// Decides about records of a person under one access label.
    ///
    /// For `Create` and `Import` the label is what the new record would have. `authorship` is of the
    /// record or, for a list, of the caller's own drafts; without it nobody counts as an author. A
    /// person's list of accesses ([`Action::Review`]) is asked for with any label of theirs.
    #[must_use]
    pub fn decide(
        &self,
        caller: &CallerFacts,
        action: Action,
        subject: &SubjectFacts,
        label: &AccessLabel,
        authorship: Option<&Authorship>,
        now: Timestamp,
    ) -> Decision {
        self.answer(self.tables.about_record(caller, action, subject, label, authorship, now))
    }

    /// Decides about a thing outside any notebook: administration, the ledger, search for people.
    #[must_use]
    pub fn decide_general(
        &self,
        caller: &CallerFacts,
        action: Action,
        target: &GeneralTarget,
        now: Timestamp,
    ) -> Decision {
        self.answer(self.tables.about_thing(caller, action, target, now))
    }

    /// Says why [`Authorizer::decide`] decides as it does: each policy that concerns such a request,
    /// with each of its conditions and whether it was met.
    #[must_use]
    pub fn explain(
        &self,
        caller: &CallerFacts,
        action: Action,
        subject: &SubjectFacts,
        label: &AccessLabel,
        authorship: Option<&Authorship>,
        now: Timestamp,
    ) -> Explanation {
        self.reasons(self.tables.about_record(caller, action, subject, label, authorship, now))
    }

    /// Says why [`Authorizer::decide_general`] decides as it does.
    #[must_use]
    pub fn explain_general(
        &self,
        caller: &CallerFacts,
        action: Action,
        target: &GeneralTarget,
        now: Timestamp,
    ) -> Explanation {
        self.reasons(self.tables.about_thing(caller, action, target, now))
    }

    fn answer(&self, question: Option<Question>) -> Decision {
        let Some(question) = question.map(|q| q.reduced(self.mentioned)) else {
            return Decision::refused();
        };
        let remembered =
            self.remembered.read().unwrap_or_else(PoisonError::into_inner).get(&question).cloned();
        if let Some(decision) = remembered {
            return decision;
        }
        let decision = self.evaluate(&question);
        let mut remembered = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(question, decision.clone());
        decision
    }

    fn reasons(&self, question: Option<Question>) -> Explanation {
        let decision = self.answer(question);
        let explainer = self.explainer.get_or_init(|| Explainer::new(&self.access, &self.texts));
        let satisfied = match &question {
            Some(question) => self
                .ask(question, explainer.policies())
                .map(|response| response.diagnostics().reason().map(ToString::to_string).collect()),
            None => None,
        };
        explainer.explain(decision, satisfied.as_ref())
    }

    /// One evaluation by Cedar, without memory.
    fn evaluate(&self, question: &Question) -> Decision {
        let Some(response) = self.ask(question, &self.access.policies) else {
            return Decision::refused();
        };
        // Cedar skips a policy that fails to evaluate. A forbidding one that is skipped would open
        // what it should close, so any failure refuses. Strict validation leaves none that we know.
        if response.diagnostics().errors().next().is_some() {
            return Decision::refused();
        }
        let mut places: Vec<usize> =
            response.diagnostics().reason().filter_map(|id| self.access.order.get(id)).copied().collect();
        places.sort_unstable();
        let infos: Vec<_> = places.iter().filter_map(|place| self.access.infos.get(*place)).collect();
        let policies = infos.iter().map(|info| Arc::clone(&info.name)).collect();
        match (response.decision(), infos.first()) {
            (CedarDecision::Allow, Some(first)) if first.basis != LegalBasis::None => {
                Decision { allowed: true, policies, basis: first.basis }
            }
            (CedarDecision::Allow, _) => Decision::refused(),
            (CedarDecision::Deny, _) => Decision { allowed: false, policies, basis: LegalBasis::None },
        }
    }

    fn ask(&self, question: &Question, policies: &PolicySet) -> Option<Response> {
        let (request, entities) = self.words.request(question)?;
        Some(self.cedar.is_authorized(&request, policies, &entities))
    }
}

/// Everything that stands in requests, built once.
#[derive(Debug)]
struct Vocabulary {
    occupations: Vec<RestrictedExpression>,
    roles: Vec<RestrictedExpression>,
    classes: Vec<(RestrictedExpression, i64)>,
    things: Vec<EntityUid>,
    zones: Vec<RestrictedExpression>,
    kinds: HashMap<CallerKind, EntityUid>,
    actions: HashMap<Action, EntityUid>,
    purposes: HashMap<Purpose, RestrictedExpression>,
    states: HashMap<RecordState, RestrictedExpression>,
    record: Option<EntityUid>,
    facts: Vec<(Fact, String)>,
}

impl Vocabulary {
    fn new(pack: &Pack) -> Self {
        Self {
            occupations: expressions("Occupation", pack.occupations().iter().map(|o| o.code.as_str())),
            roles: expressions("Role", pack.roles().iter().map(|r| r.code.as_str())),
            classes: expressions("Class", pack.classes().iter().map(|c| c.code.as_str()))
                .into_iter()
                .zip(pack.classes().iter().map(|c| i64::from(c.sensitivity)))
                .collect(),
            things: uids("Thing", pack.things().iter().map(|t| t.code.as_str())),
            zones: expressions("Zone", pack.zones().iter().map(|z| z.code.as_str())),
            kinds: [CallerKind::Staff, CallerKind::Citizen, CallerKind::Program, CallerKind::System]
                .into_iter()
                .filter_map(|kind| Some((kind, uids(principal_type(kind), ["caller"]).pop()?)))
                .collect(),
            actions: Action::ALL
                .iter()
                .copied()
                .zip(uids("Action", Action::ALL.iter().map(|a| a.as_str())))
                .collect(),
            purposes: Purpose::ALL
                .iter()
                .copied()
                .zip(expressions("Purpose", Purpose::ALL.iter().map(|p| p.as_str())))
                .collect(),
            states: RecordState::ALL
                .into_iter()
                .zip(expressions("State", RecordState::ALL.iter().map(|s| s.as_str())))
                .collect(),
            record: uids("Record", ["record"]).pop(),
            facts: Fact::all().map(|fact| (fact, fact.name().to_owned())).collect(),
        }
    }

    /// The request and the entities it speaks of; `None` when it cannot be put, which refuses.
    fn request(&self, question: &Question) -> Option<(Request, Entities)> {
        let principal = self.kinds.get(&question.kind)?;
        let action = self.actions.get(&question.action)?;
        let (resource, resource_attributes) = match question.target {
            Target::Thing(place) => (self.things.get(usize::from(place))?, HashMap::new()),
            Target::Record { class, state } => (self.record.as_ref()?, self.record_attributes(class, state)?),
        };
        let principal_attributes = match question.kind {
            CallerKind::Staff => self.staff_attributes(question),
            _ => HashMap::new(),
        };
        let entities = [
            Entity::new(principal.clone(), principal_attributes, HashSet::new()).ok()?,
            Entity::new(resource.clone(), resource_attributes, HashSet::new()).ok()?,
        ];
        let entities = Entities::from_entities(entities, None).ok()?;
        let context = self.context(question)?;
        let request =
            Request::new(principal.clone(), action.clone(), resource.clone(), context, None).ok()?;
        Some((request, entities))
    }

    fn staff_attributes(&self, question: &Question) -> HashMap<String, RestrictedExpression> {
        let held = self.roles.iter().enumerate().filter(|(place, _)| (question.roles >> place) & 1 == 1);
        let mut attributes = HashMap::from([(
            "roles".to_owned(),
            RestrictedExpression::new_set(held.map(|(_, role)| role.clone())),
        )]);
        if let Some(occupation) =
            question.occupation.and_then(|place| self.occupations.get(usize::from(place)))
        {
            attributes.insert("occupation".to_owned(), occupation.clone());
        }
        attributes
    }

    fn record_attributes(
        &self,
        class: u16,
        state: RecordState,
    ) -> Option<HashMap<String, RestrictedExpression>> {
        let (class, sensitivity) = self.classes.get(usize::from(class))?;
        Some(HashMap::from([
            ("class".to_owned(), class.clone()),
            ("state".to_owned(), self.states.get(&state)?.clone()),
            ("sensitivity".to_owned(), RestrictedExpression::new_long(*sensitivity)),
        ]))
    }

    fn context(&self, question: &Question) -> Option<Context> {
        let mut pairs = Vec::with_capacity(self.facts.len() + 3);
        pairs.push(("purpose".to_owned(), self.purposes.get(&question.purpose)?.clone()));
        pairs.push(("strength".to_owned(), RestrictedExpression::new_long(i64::from(question.strength))));
        if let Some(zone) = question.zone.and_then(|place| self.zones.get(usize::from(place))) {
            pairs.push(("zone".to_owned(), zone.clone()));
        }
        for (fact, name) in &self.facts {
            pairs.push((name.clone(), RestrictedExpression::new_bool(question.facts.holds(*fact))));
        }
        Context::from_pairs(pairs).ok()
    }
}

const fn principal_type(kind: CallerKind) -> &'static str {
    match kind {
        CallerKind::Staff => "Staff",
        CallerKind::Citizen => "Citizen",
        CallerKind::Program => "Program",
        CallerKind::System => "System",
    }
}

/// Identifiers of one type. An unreadable type name gives none, and what cannot be asked is refused.
fn uids<'a>(type_name: &str, ids: impl IntoIterator<Item = &'a str>) -> Vec<EntityUid> {
    let Ok(type_name) = EntityTypeName::from_str(type_name) else {
        return Vec::new();
    };
    ids.into_iter().map(|id| uid(&type_name, id)).collect()
}

fn expressions<'a>(type_name: &str, ids: impl IntoIterator<Item = &'a str>) -> Vec<RestrictedExpression> {
    uids(type_name, ids).into_iter().map(RestrictedExpression::new_entity_uid).collect()
}
