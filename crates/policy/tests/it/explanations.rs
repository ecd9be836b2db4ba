//! Why a decision is as it is.

use mimamori_domain::{Action, Kind, LegalBasis, RecordState};
use mimamori_policy::{ConsentEffect, Effect, GeneralTarget, Language};

use crate::base::authorizer;
use crate::people::*;

#[test]
fn names_the_condition_that_was_not_met() {
    let authorizer = authorizer();
    let team = with_team(subject(), OTHER);
    let note = label("note", RecordState::Confirmed);
    let why = authorizer.explain(&staff("nurse", OTHER), Action::Read, &team, &note, None, NOW);
    assert!(!why.decision.allowed);
    let by_consent =
        why.policies.iter().find(|p| p.name.as_ref() == "team-read").expect("it concerns staff who read");
    assert!(!by_consent.applies);
    let unmet: Vec<_> = by_consent.conditions.iter().filter(|c| !c.met).collect();
    assert_eq!(unmet.len(), 1);
    assert_eq!(unmet[0].text.get(Language::En), "the person's consent covers this class and institution");
    assert_eq!(unmet[0].text.get(Language::Ja), "本人の同意がこの区分と機関に及ぶ");
    // What concerns citizens or programs is not told to explain a nurse's reading.
    assert!(why.policies.iter().all(|p| !p.name.starts_with("self") && !p.name.starts_with("program")));
    let text = why.to_text(Language::Ja);
    assert!(text.contains("不許可") && text.contains("×: 本人の同意がこの区分と機関に及ぶ"), "{text}");
}

#[test]
fn names_the_policies_that_permit_and_those_that_forbid() {
    let authorizer = authorizer();
    let facts = with_consent(with_team(subject(), OTHER), ConsentEffect::Permit);
    let note = label("note", RecordState::Confirmed);
    let why = authorizer.explain(&staff("nurse", OTHER), Action::Read, &facts, &note, None, NOW);
    let applying: Vec<_> = why.policies.iter().filter(|p| p.applies).collect();
    assert_eq!(applying.len(), 1);
    assert_eq!((applying[0].effect, applying[0].basis), (Effect::Permit, LegalBasis::Consent));
    assert!(why.to_text(Language::En).starts_with("allowed (consent)"));

    let denied = with_consent(facts, ConsentEffect::Deny);
    let why = authorizer.explain(&staff("nurse", OTHER), Action::Read, &denied, &note, None, NOW);
    let forbids: Vec<_> = why.policies.iter().filter(|p| p.applies && p.effect == Effect::Forbid).collect();
    assert_eq!(forbids.len(), 1);
    assert_eq!(forbids[0].name.as_ref(), "consent-denied");
    assert!(why.to_text(Language::En).contains("consent-denied [forbids]"));
}

/// Each finding must agree with the decision that Cedar made of the whole.
#[test]
fn findings_and_decisions_agree() {
    let authorizer = authorizer();
    let callers = [staff("doctor", ANSWERING), staff("helper", OTHER), citizen(), program(OTHER)];
    let subjects =
        [subject(), with_consent(with_team(subject(), OTHER), ConsentEffect::Permit), with_proxy(subject())];
    for (caller, facts) in callers.iter().flat_map(|c| subjects.iter().map(move |s| (c, s))) {
        for action in [Action::Read, Action::Create, Action::Confirm, Action::Review] {
            for state in RecordState::ALL {
                let why = authorizer.explain(caller, action, facts, &label("note", state), None, NOW);
                let named: Vec<_> = why.policies.iter().filter(|p| p.applies).collect();
                let forbidden = named.iter().any(|p| p.effect == Effect::Forbid);
                let permitted = named.iter().any(|p| p.effect == Effect::Permit);
                assert_eq!(why.decision.allowed, permitted && !forbidden, "{why:?}");
            }
        }
    }
}

#[test]
fn every_condition_is_told_in_words() {
    let authorizer = authorizer();
    let facts = subject();
    let mut conditions = Vec::new();
    for caller in [staff("doctor", ANSWERING), citizen(), program(OTHER)] {
        for action in Action::ALL {
            let note = label("note", RecordState::Confirmed);
            let whys = [
                authorizer.explain(&caller, *action, &facts, &note, None, NOW),
                authorizer.explain_general(&caller, *action, &GeneralTarget::of(Kind::of("ledger")), NOW),
            ];
            conditions.extend(whys.into_iter().flat_map(|w| w.policies).flat_map(|p| p.conditions));
        }
    }
    assert!(!conditions.is_empty());
    for condition in conditions {
        for language in Language::ALL {
            let words = condition.text.get(language);
            // Cedar's own text would show through where words are missing.
            assert!(!words.contains("context.") && !words.contains("::") && !words.contains('_'), "{words}");
        }
        assert!(!condition.text.get(Language::Ja).is_ascii(), "{}", condition.text.get(Language::Ja));
        assert!(condition.text.get(Language::En).is_ascii(), "{}", condition.text.get(Language::En));
    }
}
