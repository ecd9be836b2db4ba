//! How long a decision takes: `cargo run --release -p mimamori-policy --example policy_speed`.
//!
//! "first" is a question never asked before, which Cedar evaluates; "again" is one that is
//! remembered, as nearly all are in a running installation.
#![allow(clippy::print_stdout, reason = "a measuring program prints")]

use std::hint::black_box;
use std::time::Instant;

use mimamori_domain::{
    AccessLabel, Action, ActorId, InstitutionId, Purpose, RecordState, SubjectId, Timestamp,
};
use mimamori_policy::{
    Authorizer, CallerFacts, CallerKind, ConsentEffect, ConsentFact, Pack, PackProblem, SubjectFacts,
    TeamMembership,
};

const NOW: Timestamp = Timestamp::from_micros(1_795_000_000_000_000);
const FRESH_AUTHORIZERS: u32 = 20;
const REPEATS: u32 = 200;

fn main() -> Result<(), String> {
    let started = Instant::now();
    let pack = Pack::embedded_base().map_err(all)?;
    println!("load the base pack      {:>10.1?}", started.elapsed());
    let started = Instant::now();
    let mut authorizer = Authorizer::new(&pack);
    println!("prepare an authorizer   {:>10.1?}", started.elapsed());

    let (own, other) = (InstitutionId::random(), InstitutionId::random());
    let subject = SubjectFacts {
        team: vec![TeamMembership { actor: None, institution: Some(other), from: NOW, until: None }],
        consents: vec![ConsentFact {
            effect: ConsentEffect::Permit,
            class: None,
            institution: Some(other),
            actor: None,
            from: NOW,
            until: None,
        }],
        ..SubjectFacts::new(SubjectId::random())
    };
    let callers: Vec<CallerFacts> = pack
        .occupations()
        .iter()
        .map(|occupation| CallerFacts {
            occupation: Some(occupation.code.clone()),
            institution: Some(other),
            authentication_strength: 1,
            ..CallerFacts::new(ActorId::random(), CallerKind::Staff, Purpose::Care)
        })
        .collect();
    let labels: Vec<AccessLabel> = pack
        .classes()
        .iter()
        .flat_map(|class| {
            RecordState::ALL.map(|state| AccessLabel { class: class.code.clone(), state, institution: own })
        })
        .collect();
    let ask_all = |authorizer: &Authorizer| {
        for caller in &callers {
            for label in &labels {
                black_box(authorizer.decide(caller, Action::Read, &subject, label, None, NOW));
            }
        }
    };

    // Each label state and occupation once: the questions that differ are the first of their kind.
    let mut first = std::time::Duration::ZERO;
    for _ in 0..FRESH_AUTHORIZERS {
        authorizer = Authorizer::new(&pack);
        let started = Instant::now();
        for label in labels.iter().take(RecordState::ALL.len()) {
            for caller in callers.iter().take(1) {
                black_box(authorizer.decide(caller, Action::Read, &subject, label, None, NOW));
            }
        }
        first += started.elapsed();
    }
    let count = FRESH_AUTHORIZERS * u32::try_from(RecordState::ALL.len()).unwrap_or(1);
    println!("decide, first           {:>10.1?}", first / count);

    ask_all(&authorizer);
    let started = Instant::now();
    for _ in 0..REPEATS {
        ask_all(&authorizer);
    }
    let count = REPEATS * u32::try_from(callers.len() * labels.len()).unwrap_or(1);
    println!("decide, again           {:>10.1?}", started.elapsed() / count);

    let started = Instant::now();
    for label in labels.iter().take(50) {
        for caller in callers.iter().take(1) {
            black_box(authorizer.explain(caller, Action::Read, &subject, label, None, NOW));
        }
    }
    println!("explain                 {:>10.1?}", started.elapsed() / 50);
    Ok(())
}

fn all(problems: Vec<PackProblem>) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
