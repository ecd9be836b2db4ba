//! Finding somebody in danger to life of whom the caller may otherwise see nothing, so that break-glass
//! can be declared for the right person.

use std::collections::BTreeSet;
use std::time::Duration;

use mimamori_domain::{Action, Error, Kind, ObjectId, Result, SubjectId};
use mimamori_policy::GeneralTarget;
use mimamori_store::Unit;
use mimamori_vault::PersonName;

use crate::access::{ATTEMPTS, Settled, decided, kept_changing};
use crate::caller::Caller;
use crate::context::open_with;
use crate::cursor::Position;
use crate::people::{MOST_CANDIDATES, values_of};
use crate::record::{Listed, label_of, person_names};
use crate::{App, PeopleQuery, fhir_read};

/// More people than this of one name and birth date, or of one number, are not told apart by a list.
const MOST_SHOWN: usize = 10;

/// Candidates read at a time.
const STRIDE: usize = 100;

/// What is needed to tell that this is the person in danger, and no more.
#[derive(Clone, PartialEq, Eq)]
pub struct EmergencyCard {
    pub subject: SubjectId,
    /// As written.
    pub name: String,
    pub kana: Option<String>,
    /// FHIR R4 `date`.
    pub birth_date: Option<String>,
}

/// Says whom it is about, not who that is.
impl std::fmt::Debug for EmergencyCard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmergencyCard").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl PeopleQuery {
    /// Whether it asks for one person whom somebody already knows: by a number, or by a name together
    /// with the day of birth.
    #[must_use]
    pub fn names_one_person(&self) -> bool {
        let filled = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let day = self.birth_date.as_deref().is_some_and(|date| date.trim().len() == "2026-11-21".len());
        filled(&self.identifier) || (day && (filled(&self.name) || filled(&self.kana)))
    }
}

impl App {
    /// Finds people by a number, or by their whole name or kana with the day of birth, for somebody who
    /// could declare break-glass for them. Each person shown is in the ledger, as is the question, both
    /// with the purpose of an emergency.
    ///
    /// # Errors
    /// Invalid when it does not ask for one person, or too many answer to it; forbidden for whoever may
    /// not break the glass.
    pub async fn find_in_emergency(
        &self,
        caller: &Caller,
        query: &PeopleQuery,
    ) -> Result<Vec<EmergencyCard>> {
        // What would be permitted once it is declared; what is found is no more than that.
        let hours = self.pack.parameter_u64("break-glass.hours")?;
        let mut declaring = caller.clone();
        declaring.declare_emergency(self.clock.now().plus(Duration::from_secs(hours * 60 * 60)));
        let target = GeneralTarget::of(Kind::of("break-glass"));
        let decision = self.require_general(&declaring, Action::BreakGlass, target).await?;
        if !query.names_one_person() {
            return Err(Error::invalid(
                "in an emergency somebody is found by a number, or by the whole name and the day of birth",
            ));
        }
        let index = self.index_guard();
        let (conditions, names) = self.conditions(query)?;
        for _ in 0..ATTEMPTS {
            let mut unit = Unit::new();
            unit.guards.push(index);
            let mut cards = Vec::new();
            let mut entries = Vec::new();
            let mut seen = BTreeSet::new();
            let mut position = Position::LOWEST;
            for _ in 0..MOST_CANDIDATES {
                let (people, last) = self.candidates(&conditions, &query.ids, position, STRIDE).await?;
                for subject in people.into_iter().filter(|subject| seen.insert(*subject)) {
                    if let Some((card, listed)) =
                        self.emergency_card(&declaring, subject, &names, &mut unit).await?
                    {
                        let mut entry = listed.fill(declaring.entry(unit.id, Action::Read));
                        entry.subject = Some(subject);
                        entries.push(entry);
                        cards.push(card);
                    }
                }
                if cards.len() > MOST_SHOWN {
                    return Err(Error::invalid("too many people answer to this; add a number"));
                }
                let Some(last) = last else { break };
                position = Position::after(0, ObjectId::from(last));
            }
            let mut question = decided(declaring.entry(unit.id, Action::Search), &decision);
            question.count = cards.len() as u64;
            let question = self.with_sealed(&declaring, question, 0, Some(&query.stated()))?;
            unit.entries.push(question);
            unit.entries.append(&mut entries);
            if let Settled::Done = self.settle(&declaring, unit).await? {
                return Ok(cards);
            }
        }
        Err(kept_changing())
    }

    /// A person's card when they answer to the whole names asked for.
    async fn emergency_card(
        &self,
        declaring: &Caller,
        subject: SubjectId,
        names: &[PersonName],
        unit: &mut Unit,
    ) -> Result<Option<(EmergencyCard, Listed)>> {
        let gone = |error: &Error| {
            matches!(error.kind(), mimamori_domain::ErrorKind::NotFound | mimamori_domain::ErrorKind::Gone)
        };
        let context = match self.subject_context(subject).await {
            Ok(context) => context,
            Err(error) if gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Some(patient) = self.current(ObjectId::from(subject)).await? else { return Ok(None) };
        let label = label_of(&patient)?;
        let decision = self.decide(declaring, Action::Search, &context, &label, None, self.clock.now());
        if !decision.allowed {
            return Ok(None);
        }
        let plain = match open_with(&context.keys, &patient) {
            Ok(plain) => plain,
            Err(error) if gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let values = values_of(&plain)?;
        let theirs = person_names(&values);
        if !names.iter().all(|name| theirs.iter().any(|their| name.is_all_of(their))) {
            return Ok(None);
        }
        unit.guards.push(context.guard());
        let mut listed = Listed::default();
        listed.add(&decision, patient.commitment());
        let (name, kana) = fhir_read::person_name_and_reading(&plain)?;
        Ok(Some((EmergencyCard { subject, name, kana, birth_date: values.birth_date }, listed)))
    }
}
