//! What must hold whatever the facts are.

use mimamori_domain::{
    AccessLabel, Action, ActorId, Authorship, InstitutionId, LegalBasis, Purpose, RecordState, Timestamp,
};
use mimamori_policy::{
    Authorizer, BreakGlass, CallerFacts, CallerKind, ConsentEffect, ConsentFact, ProxyFact, Scope,
    SubjectFacts, TeamMembership,
};
use proptest::prelude::*;

use crate::base::{authorizer, pack};
use crate::people::*;

const READS: &[Action] = &[Action::Read, Action::Search, Action::Export];

fn institution() -> impl Strategy<Value = InstitutionId> {
    prop::sample::select(vec![ANSWERING, OTHER, REGISTERING])
}

fn actor() -> impl Strategy<Value = ActorId> {
    prop::sample::select(vec![CALLER, SOMEBODY])
}

/// Periods that are over, in force, or to come.
fn period() -> impl Strategy<Value = (Timestamp, Option<Timestamp>)> {
    prop::sample::select(vec![
        (ago(9), Some(ago(1))),
        (ago(9), Some(NOW)),
        (ago(9), None),
        (NOW, Some(ahead(1))),
        (ago(1), Some(ahead(1))),
        (ahead(1), Some(ahead(9))),
        (ahead(1), None),
    ])
}

fn in_force((from, until): (Timestamp, Option<Timestamp>)) -> bool {
    from <= NOW && until.is_none_or(|end| end > NOW)
}

fn class_code() -> impl Strategy<Value = mimamori_domain::ClassCode> {
    prop::sample::select(pack().classes().iter().map(|c| c.code.clone()).collect::<Vec<_>>())
}

prop_compose! {
    fn caller()(
        kind in prop::sample::select(vec![CallerKind::Staff, CallerKind::Staff, CallerKind::Staff, CallerKind::Citizen, CallerKind::Program, CallerKind::System]),
        occupation in prop::option::weighted(0.9, prop::sample::select(pack().occupations().iter().map(|o| o.code.clone()).collect::<Vec<_>>())),
        institution in prop::option::weighted(0.9, institution()),
        roles in prop::collection::vec(prop::sample::select(pack().roles().iter().map(|r| r.code.clone()).collect::<Vec<_>>()), 0..3),
        strength in 0_u8..3,
        purpose in prop::sample::select(Purpose::ALL.to_vec()),
        emergency in prop::option::weighted(0.4, (any::<bool>(), prop::sample::select(vec![ago(1), NOW, ahead(1)]))),
        scopes in prop::option::of(Just(vec![Scope { kind: None, read: true, write: true }])),
        on_behalf_of in prop::option::of(actor()),
    ) -> CallerFacts {
        CallerFacts {
            occupation,
            institution,
            roles: roles.into_iter().flat_map(|r| holder(r.as_str(), None).roles).collect(),
            authentication_strength: strength,
            break_glass: emergency.map(|(reason_given, until)| BreakGlass { reason_given, until }),
            scopes,
            on_behalf_of,
            ..CallerFacts::new(CALLER, kind, purpose)
        }
    }
}

prop_compose! {
    fn person()(
        self_actor in prop::option::of(actor()),
        team in prop::collection::vec((prop::option::of(actor()), prop::option::of(institution()), period()), 0..4),
        consents in prop::collection::vec((any::<bool>(), prop::option::of(class_code()), prop::option::of(institution()), prop::option::of(actor()), period()), 0..4),
        proxies in prop::collection::vec((actor(), period(), prop::option::of(prop::collection::vec(class_code(), 0..3))), 0..3),
        protection_flag in any::<bool>(),
        registering_institution in prop::option::of(institution()),
    ) -> SubjectFacts {
        SubjectFacts {
            self_actor,
            team: team.into_iter().map(|(actor, institution, (from, until))| TeamMembership { actor, institution, from, until }).collect(),
            consents: consents.into_iter().map(|(permit, class, institution, actor, (from, until))| ConsentFact {
                effect: if permit { ConsentEffect::Permit } else { ConsentEffect::Deny },
                class, institution, actor, from, until,
            }).collect(),
            proxies: proxies.into_iter().map(|(actor, (from, until), classes)| ProxyFact { actor, from, until, classes }).collect(),
            protection_flag,
            registering_institution,
            ..subject()
        }
    }
}

prop_compose! {
    fn access_label()(class in class_code(), state in prop::sample::select(RecordState::ALL.to_vec()), institution in institution()) -> AccessLabel {
        AccessLabel { class, state, institution }
    }
}

fn written() -> impl Strategy<Value = Option<Authorship>> {
    prop::option::of(
        (actor(), prop::option::of(actor())).prop_map(|(author, for_whom)| written_by(author, for_whom)),
    )
}

fn any_action() -> impl Strategy<Value = Action> {
    prop::sample::select(Action::ALL.to_vec())
}

fn reading() -> impl Strategy<Value = Action> {
    prop::sample::select(READS.to_vec())
}

/// Whether an emergency access truly holds, worked out here from the rule and not by the crate.
fn in_danger(caller: &CallerFacts) -> bool {
    let occupation = caller.occupation.as_ref().map(|o| o.as_str());
    caller.kind == CallerKind::Staff
        && caller.purpose == Purpose::Emergency
        && matches!(occupation, Some("doctor" | "nurse" | "visiting-nurse"))
        && caller.break_glass.is_some_and(|b| b.reason_given && b.until > NOW)
}

fn current_member(caller: &CallerFacts, person: &SubjectFacts) -> bool {
    person.team.iter().any(|m| {
        in_force((m.from, m.until))
            && match (m.actor, m.institution) {
                (None, None) => false,
                (actor, place) => {
                    actor.is_none_or(|a| a == caller.actor)
                        && place.is_none_or(|i| Some(i) == caller.institution)
                }
            }
    })
}

fn consented(
    effect: ConsentEffect,
    caller: &CallerFacts,
    person: &SubjectFacts,
    label: &AccessLabel,
) -> bool {
    person.consents.iter().any(|c| {
        c.effect == effect
            && in_force((c.from, c.until))
            && c.class.as_ref().is_none_or(|k| *k == label.class)
            && c.institution.is_none_or(|i| Some(i) == caller.institution)
            && c.actor.is_none_or(|a| a == caller.actor)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// What is over or yet to come changes nothing: taking it away gives the same decision.
    #[test]
    fn what_is_not_in_force_never_grants(
        caller in caller(), action in any_action(), person in person(), label in access_label(), written in written(),
    ) {
        let mut current = person.clone();
        current.team.retain(|m| in_force((m.from, m.until)));
        current.consents.retain(|c| in_force((c.from, c.until)));
        current.proxies.retain(|p| in_force((p.from, p.until)));
        let with_all = authorizer().decide(&caller, action, &person, &label, written.as_ref(), NOW);
        prop_assert_eq!(with_all, authorizer().decide(&caller, action, &current, &label, written.as_ref(), NOW));
    }

    /// Whoever was denied reads nothing, unless they answer for it, it is their own, or life is in danger.
    #[test]
    fn denial_wins(
        caller in caller(), action in reading(), mut person in person(), label in access_label(), written in written(),
    ) {
        person.consents.push(ConsentFact {
            effect: ConsentEffect::Deny, class: Some(label.class.clone()), institution: caller.institution, actor: None, from: ago(1), until: None,
        });
        let own = caller.institution == Some(label.institution);
        prop_assume!(!own && caller.kind != CallerKind::Citizen && !in_danger(&caller));
        prop_assert!(!authorizer().decide(&caller, action, &person, &label, written.as_ref(), NOW).allowed);
    }

    /// What is allowed names its policies and its ground; what is not has no ground.
    #[test]
    fn what_is_allowed_has_a_ground(
        caller in caller(), action in any_action(), person in person(), label in access_label(), written in written(),
    ) {
        let decision = authorizer().decide(&caller, action, &person, &label, written.as_ref(), NOW);
        prop_assert_eq!(decision.allowed, decision.basis != LegalBasis::None);
        prop_assert!(!decision.allowed || !decision.policies.is_empty());
    }

    /// Another institution reads only as a current member of the team with a consent in force.
    #[test]
    fn other_institutions_need_team_and_consent(
        mut caller in caller(), action in reading(), person in person(), label in access_label(), written in written(),
    ) {
        prop_assume!(caller.kind != CallerKind::Citizen && !in_danger(&caller));
        prop_assume!(caller.institution != Some(label.institution));
        prop_assume!(caller.institution.is_none() || caller.institution != person.registering_institution);
        caller.authentication_strength = 2;
        let decision = authorizer().decide(&caller, action, &person, &label, written.as_ref(), NOW);
        if decision.allowed {
            prop_assert!(current_member(&caller, &person));
            prop_assert!(consented(ConsentEffect::Permit, &caller, &person, &label));
            prop_assert!(!consented(ConsentEffect::Deny, &caller, &person, &label));
            prop_assert_eq!(decision.basis, LegalBasis::Consent);
        }
    }

    /// Citizens reach nothing but their own record and that of those they speak for.
    #[test]
    fn citizens_reach_their_own(
        mut caller in caller(), action in any_action(), person in person(), label in access_label(), written in written(),
    ) {
        caller.kind = CallerKind::Citizen;
        if authorizer().decide(&caller, action, &person, &label, written.as_ref(), NOW).allowed {
            let own = person.self_actor == Some(caller.actor);
            let speaks = person.proxies.iter().any(|p| {
                p.actor == caller.actor
                    && in_force((p.from, p.until))
                    && p.classes.as_ref().is_none_or(|c| c.contains(&label.class))
            });
            prop_assert!(own || (speaks && !person.protection_flag));
        }
    }

    /// A draft is nobody's but its author's and the person's on whose behalf it was entered.
    #[test]
    fn drafts_stay_private(
        caller in caller(), action in reading(), person in person(), mut label in access_label(), written in written(),
    ) {
        label.state = RecordState::Draft;
        if authorizer().decide(&caller, action, &person, &label, written.as_ref(), NOW).allowed {
            let written = written.expect("somebody wrote it");
            prop_assert!(written.author == caller.actor || written.on_behalf_of == Some(caller.actor));
        }
    }
}

/// A remembered answer is the answer: a fresh authorizer that remembers nothing agrees.
#[test]
fn memory_changes_nothing() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(40));
    let strategy = (caller(), any_action(), person(), access_label(), written());
    let result = runner.run(&strategy, |(caller, action, person, label, written)| {
        let fresh = Authorizer::new(pack()).decide(&caller, action, &person, &label, written.as_ref(), NOW);
        let first = authorizer().decide(&caller, action, &person, &label, written.as_ref(), NOW);
        let second = authorizer().decide(&caller, action, &person, &label, written.as_ref(), NOW);
        prop_assert_eq!(&fresh, &first);
        prop_assert_eq!(&first, &second);
        Ok(())
    });
    result.unwrap();
}
