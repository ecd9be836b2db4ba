//! A small made-up world for the tests: one person, their institutions and those who ask.

use std::time::Duration;

use mimamori_domain::{
    AccessLabel, ActorId, Authorship, ClassCode, InstitutionId, OccupationCode, Purpose, RecordState,
    RoleCode, SubjectId, Timestamp,
};
use mimamori_policy::{
    BreakGlass, CallerFacts, CallerKind, ConsentEffect, ConsentFact, ProxyFact, RoleGrant, Scope,
    SubjectFacts, TeamMembership,
};

pub const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);

pub fn ago(hours: u64) -> Timestamp {
    NOW.minus(Duration::from_secs(hours * 3_600))
}

pub fn ahead(hours: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(hours * 3_600))
}

pub fn class(code: &str) -> ClassCode {
    ClassCode::new(code).unwrap()
}

/// The institution that answers for the records.
pub const ANSWERING: InstitutionId = InstitutionId::from_bytes([1; 16]);
/// Another institution, in the care team or not as the test says.
pub const OTHER: InstitutionId = InstitutionId::from_bytes([2; 16]);
/// The institution that registered the person.
pub const REGISTERING: InstitutionId = InstitutionId::from_bytes([3; 16]);
/// The caller, whoever it is.
pub const CALLER: ActorId = ActorId::from_bytes([10; 16]);
/// Somebody else.
pub const SOMEBODY: ActorId = ActorId::from_bytes([11; 16]);

pub fn staff(occupation: &str, institution: InstitutionId) -> CallerFacts {
    CallerFacts {
        occupation: Some(OccupationCode::new(occupation).unwrap()),
        institution: Some(institution),
        authentication_strength: 1,
        ..CallerFacts::new(CALLER, CallerKind::Staff, Purpose::Care)
    }
}

pub fn citizen() -> CallerFacts {
    CallerFacts {
        authentication_strength: 1,
        ..CallerFacts::new(CALLER, CallerKind::Citizen, Purpose::Personal)
    }
}

pub fn program(institution: InstitutionId) -> CallerFacts {
    CallerFacts {
        institution: Some(institution),
        scopes: Some(vec![Scope { kind: None, read: true, write: true }]),
        ..CallerFacts::new(CALLER, CallerKind::Program, Purpose::Exchange)
    }
}

pub fn holder(role: &str, scope: Option<InstitutionId>) -> CallerFacts {
    CallerFacts {
        institution: Some(ANSWERING),
        authentication_strength: 1,
        roles: vec![RoleGrant { role: RoleCode::new(role).unwrap(), scope_institution: scope }],
        ..CallerFacts::new(CALLER, CallerKind::Staff, Purpose::Operations)
    }
}

pub fn in_emergency(mut caller: CallerFacts) -> CallerFacts {
    caller.purpose = Purpose::Emergency;
    caller.break_glass = Some(BreakGlass { reason_given: true, until: ahead(1) });
    caller
}

/// Everybody at [`ANSWERING`] and [`OTHER`] unless a membership says so: an empty subject.
pub fn subject() -> SubjectFacts {
    SubjectFacts {
        registering_institution: Some(REGISTERING),
        ..SubjectFacts::new(SubjectId::from_bytes([9; 16]))
    }
}

pub fn with_team(mut subject: SubjectFacts, institution: InstitutionId) -> SubjectFacts {
    subject.team.push(TeamMembership {
        actor: None,
        institution: Some(institution),
        from: ago(1),
        until: None,
    });
    subject
}

pub fn with_consent(mut subject: SubjectFacts, effect: ConsentEffect) -> SubjectFacts {
    subject.consents.push(ConsentFact {
        effect,
        class: None,
        institution: None,
        actor: None,
        from: ago(1),
        until: Some(ahead(1)),
    });
    subject
}

pub fn with_self(mut subject: SubjectFacts) -> SubjectFacts {
    subject.self_actor = Some(CALLER);
    subject
}

pub fn with_proxy(mut subject: SubjectFacts) -> SubjectFacts {
    subject.proxies.push(ProxyFact { actor: CALLER, from: ago(1), until: Some(ahead(1)), classes: None });
    subject
}

pub fn protected(mut subject: SubjectFacts) -> SubjectFacts {
    subject.protection_flag = true;
    subject
}

pub fn label(code: &str, state: RecordState) -> AccessLabel {
    AccessLabel { class: class(code), state, institution: ANSWERING }
}

pub fn written_by(author: ActorId, on_behalf_of: Option<ActorId>) -> Authorship {
    Authorship { author, on_behalf_of }
}
