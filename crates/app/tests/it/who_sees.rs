//! Who can see a class of a record, and why.

use mimamori_app::{ErrorKind, Standing, WhoSees};
use mimamori_domain::{ClassCode, Kind, LegalBasis};

use crate::support::On;
use crate::town::Town;

fn seen(found: &WhoSees) -> Vec<(&str, LegalBasis)> {
    found.people.iter().map(|sight| (sight.name.as_str(), sight.basis)).collect()
}

#[tokio::test]
async fn who_can_see_follows_team_consent_and_account() {
    let town = Town::new(On::Sqlite).await;
    let (app, ids, operator) = (&town.site.app, town.ids, town.site.operator());
    let haru = town.caller("haru").await;
    let note: ClassCode = "note".parse().unwrap();

    let found = app.who_sees(&haru, ids.subject, &note).await.unwrap();
    let of = |found: &WhoSees, actor| found.people.iter().find(|sight| sight.actor == actor).cloned();
    let (hana, jiro, aki) = (of(&found, ids.hana), of(&found, ids.jiro), of(&found, ids.aki));
    assert_eq!(hana.unwrap().basis, LegalBasis::OwnCare);
    let jiro = jiro.unwrap();
    assert_eq!((jiro.basis, jiro.standing), (LegalBasis::Consent, Standing::Staff));
    assert!(!jiro.because.is_empty() && !jiro.because[0].get(mimamori_policy::Language::Ja).is_empty());
    assert_eq!(aki.unwrap().standing, Standing::Citizen);
    // The auditor sees nobody's record, and cannot by declaring an emergency.
    assert!(!seen(&found).iter().any(|(name, _)| name.contains("kansa")), "{:?}", seen(&found));
    assert_eq!((found.count, found.incomplete), (found.people.len() as u64, false));

    // What is answered here is what each of them meets.
    for login in ["hana", "jiro", "aki", "haru"] {
        let caller = town.caller(login).await;
        let listed = of(&found, caller.actor_id()).is_some();
        let read = app.read(&caller, &Kind::of("Communication"), ids.note).await;
        assert_eq!(read.is_ok(), listed, "{login}");
    }

    app.withdraw_consent(&operator, ids.subject, ids.consent).await.unwrap();
    let found = app.who_sees(&haru, ids.subject, &note).await.unwrap();
    assert!(of(&found, ids.jiro).is_none());
    assert!(found.in_emergency >= 1);
    app.stop_account(&operator, "aki", "転出").await.unwrap();
    let found = app.who_sees(&haru, ids.subject, &note).await.unwrap();
    assert!(of(&found, ids.aki).is_none());

    // Not told to those who may not ask, nor about what there is not.
    let jiro = town.caller("jiro").await;
    assert_eq!(app.who_sees(&jiro, ids.subject, &note).await.unwrap_err().kind(), ErrorKind::Forbidden);
    let unknown = "no-such-class".parse().unwrap();
    assert_eq!(app.who_sees(&haru, ids.subject, &unknown).await.unwrap_err().kind(), ErrorKind::Invalid);
    // The auditor may ask, and it is in the ledger.
    let kansa = town.caller("kansa").await;
    assert!(app.who_sees(&kansa, ids.subject, &note).await.is_ok());
    assert_eq!(app.verify(&|_, _| {}).await.unwrap().findings, Vec::<String>::new());
}
