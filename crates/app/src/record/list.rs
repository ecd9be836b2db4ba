//! What lists of one person's records share, and the person's page.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::maybe_done;
use mimamori_domain::{AccessLabel, Action, Authorship, Error, Result, SubjectId, Timestamp};
use mimamori_ledger::EntryDraft;
use mimamori_policy::Decision;
use mimamori_store::{ObjectVersion, Unit, Value};

use super::read::{label_of, stored};
use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::body::kind;
use crate::caller::Caller;
use crate::context::{SubjectContext, open_with};
use crate::{ActorView, App, May, PersonPage, Stored, TeamMember};

/// What a timeline shows when no kind is chosen.
pub(crate) const TIMELINE_KINDS: [&str; 13] = [
    "Communication",
    "Observation",
    "Condition",
    "AllergyIntolerance",
    "MedicationRequest",
    "MedicationStatement",
    "Encounter",
    "Procedure",
    "Immunization",
    "DiagnosticReport",
    "CarePlan",
    "DocumentReference",
    "Consent",
];

/// Those of which a person has few, however long they are known.
pub(super) const FEW_KINDS: [&str; 6] =
    ["AllergyIntolerance", "CarePlan", "Condition", "Consent", "MedicationRequest", "MedicationStatement"];

/// Labels that a caller may see, and the decision about each.
pub(crate) struct Permitted {
    pub(crate) labels: BTreeMap<AccessLabel, Decision>,
    /// A decision that refused, to be recorded when nothing is permitted at all.
    pub(crate) refused: Option<Decision>,
}

/// What a caller may read of a person.
pub(crate) struct Reach {
    pub(crate) patient: ObjectVersion,
    pub(crate) context: Arc<SubjectContext>,
    pub(crate) permitted: Permitted,
}

impl Permitted {
    pub(crate) fn as_list(&self) -> Vec<Value> {
        self.labels
            .keys()
            .flat_map(|label| {
                [
                    label.class.as_str().to_owned().into(),
                    label.state.as_str().into(),
                    label.institution.into(),
                ]
            })
            .collect()
    }
}

impl App {
    /// Decides once for each label of a subject (never per row).
    pub(crate) fn permitted(
        &self,
        caller: &Caller,
        action: Action,
        context: &SubjectContext,
        now: Timestamp,
    ) -> Permitted {
        // For a list, drafts are the caller's own: the statement takes no others.
        let own = Authorship { author: caller.actor, on_behalf_of: None };
        let mut permitted = Permitted { labels: BTreeMap::new(), refused: None };
        for label in &context.labels {
            let decision = self.decide(caller, action, context, label, Some(&own), now);
            if decision.allowed {
                permitted.labels.insert(label.clone(), decision);
            } else {
                permitted.refused.get_or_insert(decision);
            }
        }
        permitted
    }

    /// Opens listed versions; what was erased is left out. Gives the items and what the entry says.
    pub(crate) fn open_listed(
        &self,
        context: &SubjectContext,
        permitted: &Permitted,
        versions: &[ObjectVersion],
    ) -> Result<(Vec<Stored>, Listed)> {
        let mut items = Vec::with_capacity(versions.len());
        let mut listed = Listed::default();
        for version in versions {
            let label = label_of(version)?;
            // The statement's filter and this one are the same; a row outside it is never opened.
            let Some(decision) = permitted.labels.get(&label) else { continue };
            match open_with(&context.keys, version) {
                Ok(plain) => {
                    listed.add(decision, version.commitment());
                    items.push(stored(version, label, &plain));
                }
                Err(error) if error.kind() == mimamori_domain::ErrorKind::Gone => {}
                Err(error) => return Err(error),
            }
        }
        Ok((items, listed))
    }

    /// The entries of a list: one for the question, one for each subject returned.
    pub(crate) fn list_entries(
        &self,
        caller: &Caller,
        mut unit: Unit,
        stated: Option<&str>,
        subjects: Vec<(SubjectId, Listed)>,
    ) -> Result<Unit> {
        let mut query = caller.entry(unit.id, Action::Search);
        query.count = subjects.iter().map(|(_, listed)| listed.commitments.len() as u64).sum();
        if let [(subject, _)] = subjects.as_slice() {
            query.subject = Some(*subject);
        }
        let mut entries = vec![self.with_sealed(caller, query, 0, stated)?];
        for (subject, listed) in subjects {
            let mut entry = listed.fill(caller.entry(unit.id, Action::Read));
            entry.subject = Some(subject);
            entries.push(entry);
        }
        unit.entries.append(&mut entries);
        Ok(unit)
    }

    /// What a caller may read of a person.
    ///
    /// # Errors
    /// Forbidden, and recorded, when that is not even the person's Patient; not found; unavailable.
    pub(crate) async fn reach(&self, caller: &Caller, subject: SubjectId, now: Timestamp) -> Result<Reach> {
        let (patient, context) = self.patient_in_context(subject).await?;
        let permitted = self.permitted(caller, Action::Read, &context, now);
        match (permitted.labels.get(&label_of(&patient)?), permitted.refused.as_ref()) {
            (None, Some(decision)) => {
                Err(self.refuse(caller, Action::Read, Some(subject), None, decision).await)
            }
            _ => Ok(Reach { patient, context, permitted }),
        }
    }

    /// A person's page: their Patient, allergies and care team, as far as the caller may see them.
    ///
    /// # Errors
    /// Forbidden when the caller may see nothing of this person; unavailable when it could not be
    /// recorded.
    pub async fn person(&self, caller: &Caller, subject: SubjectId) -> Result<PersonPage> {
        Ok(self.person_and(caller, subject, std::future::ready(())).await?.0)
    }

    /// The same, and what else is shown of the person: that is begun once the caller may see them, so
    /// that what both leave in the ledger is kept by one commit.
    ///
    /// # Errors
    /// As [`App::person`].
    pub async fn person_and<T>(
        &self,
        caller: &Caller,
        subject: SubjectId,
        more: impl Future<Output = T>,
    ) -> Result<(PersonPage, T)> {
        let mut more = std::pin::pin!(maybe_done(more));
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let Reach { patient, context, permitted } = self.reach(caller, subject, now).await?;
            let mut versions = vec![patient];
            versions.extend(self.newest_of_kind(caller, &context, &permitted, kind::ALLERGY, 50).await?);
            let (mut items, listed) = self.open_listed(&context, &permitted, &versions)?;
            if items.is_empty() {
                return Err(Error::new(mimamori_domain::ErrorKind::Gone, "this record was erased"));
            }
            let allergies = items.split_off(1);
            let patient = items.pop().ok_or_else(Error::not_found)?;
            let team = self.team_views(&context, now).await?;
            let page = PersonPage {
                subject,
                patient,
                allergies,
                team,
                institutions: permitted
                    .labels
                    .keys()
                    .map(|label| label.institution)
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect(),
                may: self.may(caller, &context, now),
                emergency_until: context
                    .emergencies
                    .iter()
                    .filter(|(actor, until)| *actor == caller.actor && now < *until)
                    .map(|(_, until)| *until)
                    .max(),
            };
            let mut unit = Unit::new();
            unit.guards.push(context.guard());
            let unit = self.list_entries(caller, unit, None, vec![(subject, listed)])?;
            // Begun before and found already when this is a further attempt.
            let (settled, ()) = futures::join!(self.settle(caller, unit), more.as_mut());
            if let Settled::Done = settled? {
                return more.as_mut().take_output().map(|found| (page, found)).ok_or_else(kept_changing);
            }
        }
        Err(kept_changing())
    }

    /// What the page may offer; deciding again happens when it is used.
    fn may(&self, caller: &Caller, context: &SubjectContext, now: Timestamp) -> May {
        let Some(institution) = caller.institution().or(context.facts.registering_institution) else {
            return May::default();
        };
        let allowed = |action, class: &str| {
            mimamori_domain::ClassCode::new(class).is_ok_and(|class| {
                let state = mimamori_domain::RecordState::Confirmed;
                let label = AccessLabel { class, state, institution };
                self.decide(caller, action, context, &label, None, now).allowed
            })
        };
        May {
            write_note: allowed(Action::Create, "note"),
            write_vital_signs: allowed(Action::Create, "vital-signs"),
            write_document: allowed(Action::Create, "document"),
            write_visit: allowed(Action::Create, "visit"),
            review: allowed(Action::Review, "basic"),
        }
    }

    async fn team_views(&self, context: &SubjectContext, now: Timestamp) -> Result<Vec<TeamMember>> {
        let mut views = Vec::new();
        for member in &context.facts.team {
            if member.from > now || member.until.is_some_and(|until| until <= now) {
                continue;
            }
            let view = match (member.actor, member.institution) {
                (Some(actor), _) => self.actor_view(actor).await?.map(TeamMember::Person),
                (None, Some(id)) => {
                    self.institution_name(id).await?.map(|name| TeamMember::Institution { id, name })
                }
                (None, None) => None,
            };
            if let Some(view) = view
                && !views.contains(&view)
            {
                views.push(view);
            }
        }
        Ok(views)
    }

    /// How somebody is shown to others; `None` when they have no account here.
    pub(crate) async fn actor_view(&self, actor: mimamori_domain::ActorId) -> Result<Option<ActorView>> {
        if self.no_accounts.get(&actor).is_some() {
            return Ok(None);
        }
        match self.actor_context(actor).await {
            Ok(context) => Ok(Some(ActorView {
                id: actor,
                name: context.account.name.clone(),
                occupation: context.account.occupation.clone(),
                institution: context.account.institution,
            })),
            Err(error) if error.kind() == mimamori_domain::ErrorKind::NotFound => {
                self.no_accounts.insert(actor, ());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// What an entry says about the records of one subject in a list.
#[derive(Default)]
pub(crate) struct Listed {
    policies: Vec<mimamori_policy::PolicyName>,
    first: Option<Decision>,
    pub(crate) commitments: Vec<[u8; 32]>,
}

impl Listed {
    pub(crate) fn add(&mut self, decision: &Decision, commitment: [u8; 32]) {
        for policy in decision.policies.iter() {
            if !self.policies.contains(policy) {
                self.policies.push(policy.clone());
            }
        }
        if self.first.is_none() {
            self.first = Some(decision.clone());
        }
        self.commitments.push(commitment);
    }

    /// Takes another list's records in.
    pub(crate) fn append(&mut self, other: Self) {
        for policy in other.policies {
            if !self.policies.contains(&policy) {
                self.policies.push(policy);
            }
        }
        if self.first.is_none() {
            self.first = other.first;
        }
        self.commitments.extend(other.commitments);
    }

    /// Puts into an entry what it says about these records.
    pub(crate) fn fill(self, entry: EntryDraft) -> EntryDraft {
        let mut entry = match &self.first {
            Some(decision) => decided(entry, decision),
            None => entry,
        };
        entry.policies = self.policies.iter().map(ToString::to_string).collect();
        entry.count = self.commitments.len() as u64;
        entry.commitments = self.commitments;
        entry
    }
}
