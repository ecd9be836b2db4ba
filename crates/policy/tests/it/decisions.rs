//! The rules one by one.

use mimamori_domain::{AccessLabel, Action, Authorship, Kind, LegalBasis, Purpose, RecordState};
use mimamori_policy::{
    BreakGlass, CallerFacts, ConsentEffect, Decision, GeneralTarget, RoleGrant, Scope, SubjectFacts,
};

use crate::base::{authorizer, pack};
use crate::people::*;

use RecordState::{AwaitingConfirmation, Confirmed, Draft, Withdrawn};

fn decide(caller: &CallerFacts, action: Action, subject: &SubjectFacts, label: &AccessLabel) -> Decision {
    authorizer().decide(caller, action, subject, label, None, NOW)
}

fn names(decision: &Decision) -> Vec<&str> {
    decision.policies.iter().map(AsRef::as_ref).collect()
}

#[test]
fn the_answering_institution_reads_by_occupation_whatever_was_denied() {
    let denied = with_consent(subject(), ConsentEffect::Deny);
    let nurse = decide(&staff("nurse", ANSWERING), Action::Read, &denied, &label("laboratory", Confirmed));
    assert!(nurse.allowed);
    assert_eq!((names(&nurse), nurse.basis), (vec!["own-institution-read"], LegalBasis::OwnCare));
    let helper = decide(&staff("helper", ANSWERING), Action::Read, &denied, &label("laboratory", Confirmed));
    assert!(!helper.allowed);
    assert_eq!(helper.basis, LegalBasis::None);
}

#[test]
fn another_institution_needs_the_team_and_consent() {
    let doctor = staff("doctor", OTHER);
    let note = label("note", Confirmed);
    let team = with_team(subject(), OTHER);
    let consented = with_consent(team.clone(), ConsentEffect::Permit);
    let read = |s: &SubjectFacts| decide(&doctor, Action::Read, s, &note);
    assert!(!read(&subject()).allowed);
    assert!(!read(&team).allowed);
    assert!(!read(&with_consent(subject(), ConsentEffect::Permit)).allowed);
    assert_eq!((read(&consented).allowed, read(&consented).basis), (true, LegalBasis::Consent));
    let denied = read(&with_consent(consented, ConsentEffect::Deny));
    assert_eq!((denied.allowed, names(&denied)), (false, vec!["consent-denied"]));
}

#[test]
fn a_consent_for_one_class_or_institution_reaches_no_other() {
    let mut facts = with_consent(with_team(subject(), OTHER), ConsentEffect::Permit);
    facts.consents[0].class = Some(class("note"));
    facts.consents[0].institution = Some(OTHER);
    let doctor = staff("doctor", OTHER);
    assert!(decide(&doctor, Action::Read, &facts, &label("note", Confirmed)).allowed);
    assert!(!decide(&doctor, Action::Read, &facts, &label("plan", Confirmed)).allowed);
    facts.consents[0].institution = Some(REGISTERING);
    assert!(!decide(&doctor, Action::Read, &facts, &label("note", Confirmed)).allowed);
}

#[test]
fn drafts_belong_to_their_author_and_the_person_on_whose_behalf() {
    let nurse = staff("nurse", ANSWERING);
    let draft = label("note", Draft);
    let ask = |author: Option<Authorship>| {
        authorizer().decide(&nurse, Action::Read, &subject(), &draft, author.as_ref(), NOW).allowed
    };
    assert!(!ask(None));
    assert!(!ask(Some(written_by(SOMEBODY, None))));
    assert!(ask(Some(written_by(CALLER, None))));
    assert!(ask(Some(written_by(SOMEBODY, Some(CALLER)))));
}

#[test]
fn only_the_person_on_whose_behalf_confirms_and_only_in_person() {
    let mut doctor = staff("doctor", ANSWERING);
    let waiting = label("note", AwaitingConfirmation);
    let confirm = |caller: &CallerFacts, written| {
        authorizer().decide(caller, Action::Confirm, &subject(), &waiting, Some(&written), NOW)
    };
    assert!(confirm(&doctor, written_by(SOMEBODY, Some(CALLER))).allowed);
    assert!(!confirm(&doctor, written_by(CALLER, Some(SOMEBODY))).allowed);
    doctor.on_behalf_of = Some(SOMEBODY);
    let refused = confirm(&doctor, written_by(SOMEBODY, Some(CALLER)));
    assert_eq!((refused.allowed, names(&refused)), (false, vec!["confirm-in-person"]));
}

#[test]
fn writing_needs_the_team_and_the_occupation() {
    let confirmed = label("medication", Confirmed);
    let team = with_team(subject(), ANSWERING);
    let create =
        |who: &str, s: &SubjectFacts| decide(&staff(who, ANSWERING), Action::Create, s, &confirmed).allowed;
    assert!(create("doctor", &team));
    assert!(!create("doctor", &subject()));
    assert!(!create("helper", &team));
    // Nobody writes in another institution's name.
    assert!(!decide(&staff("doctor", OTHER), Action::Create, &with_team(team, OTHER), &confirmed).allowed);
}

#[test]
fn amending_is_for_the_author_and_the_answering_institution() {
    let note = label("note", Confirmed);
    let consented = with_consent(with_team(subject(), OTHER), ConsentEffect::Permit);
    assert!(decide(&staff("nurse", ANSWERING), Action::Amend, &subject(), &note).allowed);
    assert!(!decide(&staff("nurse", OTHER), Action::Amend, &consented, &note).allowed);
    let own = authorizer().decide(
        &staff("nurse", OTHER),
        Action::Amend,
        &consented,
        &note,
        Some(&written_by(CALLER, None)),
        NOW,
    );
    assert_eq!((own.allowed, names(&own)), (true, vec!["amend-as-author"]));
    let done = decide(&staff("nurse", ANSWERING), Action::Amend, &subject(), &label("note", Withdrawn));
    assert_eq!((done.allowed, names(&done)), (false, vec!["withdrawn-is-final"]));
}

#[test]
fn people_see_their_confirmed_records_and_who_looked() {
    let own = with_self(subject());
    assert_eq!(
        decide(&citizen(), Action::Read, &own, &label("laboratory", Confirmed)).basis,
        LegalBasis::Self_
    );
    assert!(decide(&citizen(), Action::Review, &own, &label("note", Confirmed)).allowed);
    assert!(decide(&citizen(), Action::Create, &own, &label("consent", Confirmed)).allowed);
    assert!(!decide(&citizen(), Action::Create, &own, &label("note", Confirmed)).allowed);
    assert!(!decide(&citizen(), Action::Read, &own, &label("note", AwaitingConfirmation)).allowed);
    assert!(!decide(&citizen(), Action::Read, &own, &label("staff-note", Confirmed)).allowed);
    assert!(!decide(&citizen(), Action::Read, &subject(), &label("note", Confirmed)).allowed);
}

#[test]
fn protection_withholds_from_proxies_and_withholds_places() {
    let note = label("note", Confirmed);
    let visit = label("visit", Confirmed);
    let proxy = with_proxy(subject());
    assert!(decide(&citizen(), Action::Read, &proxy, &note).allowed);
    assert!(decide(&citizen(), Action::Read, &proxy, &visit).allowed);
    let proxy = protected(proxy);
    for action in [Action::Read, Action::Search, Action::Review, Action::Create] {
        assert!(!decide(&citizen(), action, &proxy, &label("consent", Confirmed)).allowed, "{action}");
        assert!(!decide(&citizen(), action, &proxy, &note).allowed, "{action}");
    }
    let team = with_consent(with_team(protected(subject()), OTHER), ConsentEffect::Permit);
    assert!(decide(&staff("nurse", OTHER), Action::Read, &team, &note).allowed);
    assert!(!decide(&staff("nurse", OTHER), Action::Read, &team, &visit).allowed);
    assert!(!decide(&in_emergency(staff("nurse", OTHER)), Action::Read, &team, &visit).allowed);
    assert!(!decide(&citizen(), Action::Read, &with_self(protected(subject())), &visit).allowed);
    assert!(decide(&staff("nurse", ANSWERING), Action::Read, &team, &visit).allowed);
}

#[test]
fn a_proxy_sees_the_classes_of_their_standing() {
    let mut facts = with_proxy(subject());
    facts.proxies[0].classes = Some(vec![class("plan")]);
    assert!(decide(&citizen(), Action::Read, &facts, &label("plan", Confirmed)).allowed);
    assert!(!decide(&citizen(), Action::Read, &facts, &label("note", Confirmed)).allowed);
}

#[test]
fn break_glass_is_for_the_named_occupations_with_a_reason_and_for_a_time() {
    let condition = label("condition", Confirmed);
    let denied = with_consent(subject(), ConsentEffect::Deny);
    let read = |caller: &CallerFacts| decide(caller, Action::Read, &denied, &condition);
    let doctor = in_emergency(staff("doctor", OTHER));
    assert_eq!((read(&doctor).allowed, read(&doctor).basis), (true, LegalBasis::DangerToLife));
    assert!(!read(&in_emergency(staff("pharmacist", OTHER))).allowed);
    let mut other = doctor.clone();
    other.break_glass = Some(BreakGlass { reason_given: false, until: ahead(1) });
    assert!(!read(&other).allowed);
    other.break_glass = Some(BreakGlass { reason_given: true, until: NOW });
    assert!(!read(&other).allowed);
    let mut other = doctor.clone();
    other.purpose = Purpose::Care;
    assert!(!read(&other).allowed);
    assert!(!decide(&doctor, Action::Read, &denied, &label("condition", Draft)).allowed);
    assert!(decide(&doctor, Action::BreakGlass, &denied, &condition).allowed);
    let target = GeneralTarget::of(Kind::of("break-glass"));
    assert!(authorizer().decide_general(&doctor, Action::BreakGlass, &target, NOW).allowed);
}

#[test]
fn roles_open_nobodys_record() {
    let pack = pack();
    let authorizer = authorizer();
    let facts = with_consent(with_team(subject(), ANSWERING), ConsentEffect::Permit);
    for role in pack.roles() {
        for purpose in Purpose::ALL {
            for action in Action::ALL {
                for class in pack.classes() {
                    let mut caller = in_emergency(holder(role.code.as_str(), None));
                    caller.purpose = *purpose;
                    let label = label(class.code.as_str(), Confirmed);
                    let decision = authorizer.decide(&caller, *action, &facts, &label, None, NOW);
                    assert!(!decision.allowed, "{} {action} {}", role.code, class.code);
                }
            }
        }
    }
}

#[test]
fn nothing_before_signing_in() {
    let mut nurse = staff("nurse", ANSWERING);
    nurse.authentication_strength = 0;
    let refused = decide(&nurse, Action::Read, &subject(), &label("note", Confirmed));
    assert_eq!((refused.allowed, names(&refused)), (false, vec!["sign-in-first"]));
}

#[test]
fn the_purpose_must_fit() {
    for purpose in [Purpose::Personal, Purpose::Operations, Purpose::Audit, Purpose::Exchange] {
        let mut nurse = staff("nurse", ANSWERING);
        nurse.purpose = purpose;
        assert!(!decide(&nurse, Action::Read, &subject(), &label("note", Confirmed)).allowed, "{purpose}");
    }
}

#[test]
fn programs_stay_within_their_scopes() {
    let observation = label("vital-signs", Confirmed);
    let mut feed = program(ANSWERING);
    assert!(decide(&feed, Action::Read, &subject(), &observation).allowed);
    assert!(!decide(&program(OTHER), Action::Read, &with_team(subject(), OTHER), &observation).allowed);
    feed.scopes = Some(vec![Scope { kind: Some(Kind::of("Observation")), read: true, write: false }]);
    assert!(decide(&feed, Action::Read, &subject(), &observation).allowed);
    assert!(!decide(&feed, Action::Read, &subject(), &label("medication", Confirmed)).allowed);
    assert!(!decide(&feed, Action::Create, &with_team(subject(), ANSWERING), &observation).allowed);
    feed.scopes = None;
    assert!(!decide(&feed, Action::Read, &subject(), &observation).allowed);
    assert!(!feed.scopes_cover(&Kind::of("Observation"), false));
}

#[test]
fn the_ledger_is_reviewed_by_those_appointed_and_by_facilities_for_themselves() {
    let authorizer = authorizer();
    let whole = GeneralTarget::of(Kind::of("ledger"));
    let own = whole.clone().at(ANSWERING);
    let other = whole.clone().at(OTHER);
    let review = |caller: &CallerFacts, target: &GeneralTarget| {
        authorizer.decide_general(caller, Action::Review, target, NOW)
    };
    assert_eq!(review(&holder("auditor", None), &whole).basis, LegalBasis::Law);
    assert!(review(&holder("system-manager", None), &whole).allowed);
    let facility = holder("facility-manager", Some(ANSWERING));
    assert!(review(&facility, &own).allowed);
    assert!(!review(&facility, &whole).allowed);
    assert!(!review(&facility, &other).allowed);
    assert!(!review(&holder("help-desk", None), &whole).allowed);
    assert!(!review(&staff("doctor", ANSWERING), &own).allowed);
}

#[test]
fn people_are_found_and_registered_by_occupation() {
    let authorizer = authorizer();
    let search = GeneralTarget::of(Kind::of("people-search"));
    let register = GeneralTarget::of(Kind::of("subject")).at(ANSWERING);
    let ask = |who: &str, action, target: &GeneralTarget| {
        authorizer.decide_general(&staff(who, ANSWERING), action, target, NOW).allowed
    };
    assert!(ask("nurse", Action::Search, &search));
    assert!(!ask("helper", Action::Search, &search));
    assert!(ask("clerk", Action::Create, &register));
    assert!(!ask("pharmacist", Action::Create, &register));
    assert!(!authorizer.decide_general(&citizen(), Action::Search, &search, NOW).allowed);
}

#[test]
fn what_the_pack_does_not_know_is_refused() {
    let doctor = staff("doctor", ANSWERING);
    assert!(!decide(&doctor, Action::Read, &subject(), &label("no-such-class", Confirmed)).allowed);
    let unknown = GeneralTarget::of(Kind::of("no-such-thing"));
    assert!(
        !authorizer().decide_general(&holder("system-manager", None), Action::Read, &unknown, NOW).allowed
    );
    assert!(
        !decide(&staff("wizard", ANSWERING), Action::Read, &subject(), &label("note", Confirmed)).allowed
    );
}

/// Which clauses these rules answer: a test is named after its clause.
mod clauses {
    /// By profession; that a change counts at once is the application's to prove.
    #[test]
    fn clause_mhlw5_6_5_c_6_by_profession() {
        super::the_answering_institution_reads_by_occupation_whatever_was_denied();
        super::writing_needs_the_team_and_the_occupation();
    }

    #[test]
    fn clause_mhlw5_6_5_d_1() {
        super::a_consent_for_one_class_or_institution_reaches_no_other();
        super::a_proxy_sees_the_classes_of_their_standing();
    }

    #[test]
    fn clause_mic_3_2_3_2_1_2() {
        super::a_consent_for_one_class_or_institution_reaches_no_other();
    }

    #[test]
    fn clause_mic_3_2_3_2_2_1() {
        super::people_are_found_and_registered_by_occupation();
        super::the_ledger_is_reviewed_by_those_appointed_and_by_facilities_for_themselves();
    }

    #[test]
    fn clause_osaki_11() {
        super::writing_needs_the_team_and_the_occupation();
        super::break_glass_is_for_the_named_occupations_with_a_reason_and_for_a_time();
    }

    #[test]
    fn clause_mic_3_3_6_3_2_3() {
        super::another_institution_needs_the_team_and_consent();
        super::a_consent_for_one_class_or_institution_reaches_no_other();
    }

    #[test]
    fn clause_kasama_3_2_by_institution() {
        super::another_institution_needs_the_team_and_consent();
    }

    #[test]
    fn clause_kasama_3_2_1() {
        super::a_consent_for_one_class_or_institution_reaches_no_other();
        super::what_the_pack_does_not_know_is_refused();
    }

    #[test]
    fn clause_kawaguchi_9_1_1() {
        super::another_institution_needs_the_team_and_consent();
        super::what_the_pack_does_not_know_is_refused();
    }

    #[test]
    fn clause_kawaguchi_9_2_1_1() {
        super::the_purpose_must_fit();
        super::programs_stay_within_their_scopes();
    }

    /// No office, however high, opens a notebook: what is medical is apart from what is not.
    #[test]
    fn clause_mic_3_2_3_2_1_1() {
        super::roles_open_nobodys_record();
    }

    #[test]
    fn clause_mhlw5_8_1_2_d_3() {
        super::roles_open_nobodys_record();
    }

    #[test]
    fn clause_mic_3_3_6_2_2_1() {
        super::roles_open_nobodys_record();
    }

    #[test]
    fn clause_kasama_1_3_7() {
        super::another_institution_needs_the_team_and_consent();
    }

    #[test]
    fn clause_kasama_1_3_8() {
        super::people_see_their_confirmed_records_and_who_looked();
        super::a_proxy_sees_the_classes_of_their_standing();
    }

    #[test]
    fn clause_mhlw5_6_5_c_1_in_the_policies() {
        super::nothing_before_signing_in();
    }
}

/// Proves: from the internet nobody of the hospital comes in, but for those who were permitted to for a time
/// and have given two factors. (That the way is encrypted is proved where the program listens.)
#[test]
fn clause_kawaguchi_9_2_2_7() {
    let pack = mimamori_policy::Pack::embedded("kawaguchi").unwrap();
    let authorizer = mimamori_policy::Authorizer::new(&pack);
    let reads = |roles: &[&str], strength: u8| {
        let held =
            roles.iter().map(|role| RoleGrant { role: role.parse().unwrap(), scope_institution: None });
        let caller = CallerFacts {
            zone: Some("outside".parse().unwrap()),
            roles: held.collect(),
            authentication_strength: strength,
            ..staff("nurse", ANSWERING)
        };
        authorizer.decide(&caller, Action::Read, &subject(), &label("note", Confirmed), None, NOW).allowed
    };
    assert!(!reads(&[], 2), "barred");
    // No office opens it either.
    assert!(!reads(&["system-manager", "ciso", "security-manager"], 2));
    assert!(!reads(&["outside-user"], 1), "one factor");
    assert!(reads(&["outside-user"], 2));
}

/// What a zone asks for is data of the pack: who may come from it at all, with which role, terminal and
/// how many factors.
#[test]
fn clause_kawaguchi_9_2_2_2_outside_is_for_those_with_a_permission_only() {
    let from = |zone: &str, mut caller: CallerFacts| {
        caller.zone = Some(zone.parse().unwrap());
        let decision =
            authorizer().decide(&caller, Action::Read, &subject(), &label("note", Confirmed), None, NOW);
        (decision.allowed, decision.policies.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let nurse = || staff("nurse", ANSWERING);
    assert!(from("staff-network", nurse()).0);
    assert_eq!(
        from("outside", nurse()),
        (false, vec!["zone-closed".into(), "zone-wants-two-factors".into()])
    );
    let role = RoleGrant { role: "outside-user".parse().unwrap(), scope_institution: None };
    let permitted = || CallerFacts { roles: vec![role.clone()], ..nurse() };
    assert_eq!(from("outside", permitted()), (false, vec!["zone-wants-two-factors".into()]));
    assert!(from("outside", CallerFacts { authentication_strength: 2, ..permitted() }).0);
    assert_eq!(from("home-visit", nurse()), (false, vec!["zone-wants-terminal".into()]));
    let terminal = Some(mimamori_domain::TerminalId::random());
    assert!(from("home-visit", CallerFacts { terminal, ..nurse() }).0);
    // A zone that the rules do not know is open to nobody; where no zones are told apart nothing is asked.
    assert_eq!(from("elsewhere", nurse()), (false, vec!["zone-closed".into()]));
    assert!(
        authorizer().decide(&nurse(), Action::Read, &subject(), &label("note", Confirmed), None, NOW).allowed
    );
    // Signing in and one's own account come before the second factor.
    let account = GeneralTarget::of(Kind::of("account")).owned_by(CALLER);
    let outside = |caller: CallerFacts, action| {
        let caller = CallerFacts { zone: Some("outside".parse().unwrap()), ..caller };
        authorizer().decide_general(&caller, action, &account, NOW).allowed
    };
    assert!(outside(permitted(), Action::SignIn) && outside(permitted(), Action::Update));
    assert!(!outside(nurse(), Action::SignIn));
    assert!(outside(citizen(), Action::SignIn), "citizens come from outside");
}
