//! The objects of a pack, and how they are asked for.

use std::collections::BTreeMap;

use mimamori_domain::Result as DomainResult;

use super::model::{
    Answer, Attestation, Catalogue, Choice, Choices, ClassificationAxis, ClassificationLevel, Clause,
    Disclosure, Document, Field, FieldType, IncidentLevel, Informative, Measure, NoteTemplate, Procedure,
    Register, Retention, Schedule, SignInGroup, System, Unit, Wording,
};
use super::{Pack, Parameter};

/// What stands in a pack besides what decides about access.
#[derive(Debug, Clone, Default)]
pub(crate) struct Objects {
    pub registers: Vec<Register>,
    pub procedures: Vec<Procedure>,
    pub schedules: Vec<Schedule>,
    pub documents: Vec<Document>,
    pub classification: Vec<ClassificationAxis>,
    pub incidents: Vec<IncidentLevel>,
    pub measures: Vec<Measure>,
    pub attestations: Vec<Attestation>,
    pub disclosures: Vec<Disclosure>,
    pub informative: Vec<Informative>,
    pub catalogues: Vec<Catalogue>,
    pub units: Vec<Unit>,
    pub systems: Vec<System>,
    pub wordings: Vec<Wording>,
    pub sign_in_groups: Vec<SignInGroup>,
    pub note_templates: Vec<NoteTemplate>,
    /// Clause id, and what answers it.
    pub answers: BTreeMap<String, Vec<Answer>>,
    /// Clause id, and its catalogue's and its own place.
    pub clauses: BTreeMap<String, (usize, usize)>,
}

/// A list of objects and one of them by its code.
macro_rules! accessors {
    ($($(#[$doc:meta])* $all:ident, $(#[$one_doc:meta])* $one:ident: $kind:ident;)*) => {
        impl Pack {$(
            $(#[$doc])*
            #[must_use]
            pub fn $all(&self) -> &[$kind] {
                &self.objects.$all
            }

            $(#[$one_doc])*
            #[must_use]
            pub fn $one(&self, code: &str) -> Option<&$kind> {
                self.objects.$all.iter().find(|object| object.code == code)
            }
        )*}
    };
}

accessors! {
    /// Every register, the parent's first.
    registers,
    /// The register with this code.
    register: Register;
    /// Every procedure.
    procedures,
    /// The procedure with this code.
    procedure: Procedure;
    /// Every periodic duty.
    schedules,
    /// The periodic duty with this code.
    schedule: Schedule;
    /// Every document that must be there.
    documents,
    /// The document with this code.
    document: Document;
    /// The axes by which assets are classified.
    classification,
    /// The axis with this code.
    classification_axis: ClassificationAxis;
    /// Every live check that the pack asks for.
    measures,
    /// The measure with this code.
    measure: Measure;
    /// Every statement that somebody must make.
    attestations,
    /// The attestation with this code.
    attestation: Attestation;
    /// Every item of the disclosure statement.
    disclosures,
    /// The disclosure with this code.
    disclosure: Disclosure;
    /// The catalogues of clauses, the parent's first.
    catalogues,
    /// The catalogue with this code.
    catalogue: Catalogue;
    /// Organisational units that the site named.
    units,
    /// The unit with this code.
    unit: Unit;
    /// Information systems that the site named.
    systems,
    /// The information system with this code.
    system: System;
    /// Groups of the identity provider that mean something here.
    sign_in_groups,
    /// The mapping of a group with this code.
    sign_in_group: SignInGroup;
    /// Ways of beginning a note.
    note_templates,
    /// The way of beginning a note with this code.
    note_template: NoteTemplate;
}

impl Pack {
    /// The levels of incidents, least serious first.
    #[must_use]
    pub fn incident_levels(&self) -> &[IncidentLevel] {
        &self.objects.incidents
    }

    /// The level of incidents with this code.
    #[must_use]
    pub fn incident_level(&self, code: &str) -> Option<&IncidentLevel> {
        self.objects.incidents.iter().find(|level| level.code == code)
    }

    /// A level of an axis of the classification.
    #[must_use]
    pub fn classification_level(&self, axis: &str, level: &str) -> Option<&ClassificationLevel> {
        self.classification_axis(axis)?.levels.iter().find(|l| l.code == level)
    }

    /// Clauses that ask for nothing.
    #[must_use]
    pub fn informative(&self) -> &[Informative] {
        &self.objects.informative
    }

    /// Every clause, catalogue by catalogue, in the sources' order.
    pub fn clauses(&self) -> impl Iterator<Item = &Clause> {
        self.objects.catalogues.iter().flat_map(|catalogue| &catalogue.clauses)
    }

    /// The clause with this id.
    #[must_use]
    pub fn clause(&self, id: &str) -> Option<&Clause> {
        let (catalogue, clause) = self.objects.clauses.get(id)?;
        self.objects.catalogues.get(*catalogue)?.clauses.get(*clause)
    }

    /// What answers a clause, in order of kind and code; empty: nothing does.
    #[must_use]
    pub fn answers(&self, clause_id: &str) -> &[Answer] {
        self.objects.answers.get(clause_id).map_or(&[], Vec::as_slice)
    }

    /// The fixed wording that the site gave for a procedure's official form.
    #[must_use]
    pub fn wording(&self, procedure: &str) -> Option<&Wording> {
        self.objects.wordings.iter().find(|wording| wording.procedure == procedure)
    }

    /// Every fixed wording of official forms.
    #[must_use]
    pub fn wordings(&self) -> &[Wording] {
        &self.objects.wordings
    }

    /// What a field may be chosen from; empty when it is no `choice` field.
    #[must_use]
    pub fn choices(&self, field: &Field) -> Vec<Choice> {
        let FieldType::Choice(choices) = &field.kind else {
            return Vec::new();
        };
        let choice = |code: &str, name: &crate::Text| Choice { code: code.to_owned(), name: name.clone() };
        match choices {
            Choices::Listed(listed) => listed.clone(),
            Choices::Classification(axis) => self
                .classification_axis(axis)
                .map(|axis| axis.levels.iter().map(|l| choice(&l.code, &l.name)).collect())
                .unwrap_or_default(),
            Choices::Incidents => self.incident_levels().iter().map(|l| choice(&l.code, &l.name)).collect(),
            Choices::Roles => {
                self.roles().iter().filter(|r| !r.outside).map(|r| choice(r.code.as_str(), &r.name)).collect()
            }
        }
    }

    /// For how many years something is kept.
    ///
    /// # Errors
    /// [`mimamori_domain::ErrorKind::Internal`] while its parameter has no value.
    pub fn retention_years(&self, retention: &Retention) -> DomainResult<u64> {
        match retention {
            Retention::Years(years) => Ok(*years),
            Retention::Parameter(key) => self.parameter_u64(key),
        }
    }

    /// Parameters that the rules leave open and the site has not set: an installation must not begin
    /// work before they are.
    pub fn unset_parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters().filter(|parameter| parameter.must_set && parameter.value.is_none())
    }
}
