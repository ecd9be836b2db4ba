//! Searching for a name that thousands have: soon answered, one's own people first, nobody left out.

use std::collections::BTreeSet;

use bytes::Bytes;
use mimamori_app::{Caller, ErrorKind, Paging, PeopleQuery};
use mimamori_domain::SubjectId;

use crate::import::patient;
use crate::support::Site;

/// More than the first answer looks at.
const PEOPLE: usize = 2_300;

/// All pages of who is called so, in their order.
async fn pages(site: &Site, caller: &Caller, count: u32) -> Vec<Vec<SubjectId>> {
    let query = PeopleQuery { name: Some("広田".to_owned()), ..PeopleQuery::default() };
    let (mut pages, mut cursor) = (Vec::new(), None);
    loop {
        let page = site.app.search_people(caller, &query, &Paging { count, cursor }).await.unwrap();
        pages.push(page.items.iter().map(|card| card.subject).collect());
        cursor = page.next;
        if cursor.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn ones_own_people_come_first_and_everybody_comes_once() {
    let site = Site::new().await;
    let hospital = site.institution("病院").await;
    let clinic = site.institution("診療所").await;
    let hana = site.staff("hana", Some("doctor"), hospital, &[]).await;
    let jiro = site.staff("jiro", Some("doctor"), clinic, &[]).await;
    site.staff("saburo", Some("doctor"), clinic, &[]).await;
    let lines: Vec<Bytes> = (0..PEOPLE)
        .map(|n| patient(&format!("p{n}"), &format!("{n}"), "広田", &format!("花{n}"), "1950-04-01"))
        .map(|line| Bytes::from(line.to_string()))
        .collect();
    for some in lines.chunks(500) {
        site.app.import_lines(&site.operator(), hospital, some).await.unwrap();
    }

    let hana_caller = site.sign_in("hana").await;
    let all = pages(&site, &hana_caller, 200).await;
    assert!(all.iter().rev().skip(1).all(|page| page.len() == 200), "whoever sees everybody has full pages");
    let all: Vec<SubjectId> = all.concat();
    let each: BTreeSet<SubjectId> = all.iter().copied().collect();
    assert_eq!((all.len(), each.len()), (PEOPLE, PEOPLE));

    // Some of those whom a walk by ids would come to last are in the care of one of them.
    let last = &all[PEOPLE - 3..];
    for subject in last {
        site.app.add_team_member(&site.operator(), *subject, Some(hana), None).await.unwrap();
    }
    for count in [2, 3, 200] {
        let all: Vec<SubjectId> = pages(&site, &hana_caller, count).await.concat();
        assert_eq!(all[..3].iter().collect::<BTreeSet<_>>(), last.iter().collect());
        assert_eq!((all.len(), all.into_iter().collect::<BTreeSet<_>>()), (PEOPLE, each.clone()));
    }

    // Of a clinic that may see one of them, who is in that person's care team finds them at once.
    let one = last[0];
    let saburo_caller = site.sign_in("saburo").await;
    site.app.add_team_member(&site.operator(), one, Some(jiro), None).await.unwrap();
    site.app.add_consent(&site.operator(), one, true, None, Some(clinic)).await.unwrap();
    let jiro_caller = site.sign_in("jiro").await;
    let query = PeopleQuery { name: Some("広田".to_owned()), ..PeopleQuery::default() };
    let first = site.app.search_people(&jiro_caller, &query, &Paging::default()).await.unwrap();
    assert_eq!(first.items.iter().map(|card| card.subject).collect::<Vec<_>>(), [one]);
    assert!(first.next.is_some(), "not everybody was looked at yet");
    assert_eq!(pages(&site, &jiro_caller, 20).await, [vec![one], vec![]]);
    let typing = PeopleQuery { typing: true, ..query.clone() };
    let typed = site.app.search_people(&jiro_caller, &typing, &Paging::default()).await.unwrap();
    assert_eq!(typed.items.iter().map(|card| card.subject).collect::<Vec<_>>(), [one]);
    let next = Paging { cursor: typed.next, ..Paging::default() };
    let rest = site.app.search_people(&jiro_caller, &query, &next).await.unwrap();
    assert!(rest.items.is_empty() && rest.next.is_none(), "the button goes on where typing ended");
    // A colleague finds them too: so it is for whom the institution is in the team.
    site.app.add_team_member(&site.operator(), last[1], None, Some(clinic)).await.unwrap();
    site.app.add_consent(&site.operator(), last[1], true, None, Some(clinic)).await.unwrap();
    let typed = site.app.search_people(&saburo_caller, &typing, &Paging::default()).await.unwrap();
    assert_eq!(typed.items.iter().map(|card| card.subject).collect::<Vec<_>>(), [last[1]]);
    let stranger = site.institution("薬局").await;
    site.staff("shiro", Some("doctor"), stranger, &[]).await;
    let shiro_caller = site.sign_in("shiro").await;
    // Whoever sees none of them is asked for more of the name, and finds nobody when there is more.
    let refused = site.app.search_people(&shiro_caller, &query, &Paging::default()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let typed = site.app.search_people(&shiro_caller, &typing, &Paging::default()).await.unwrap();
    assert!(typed.items.is_empty() && typed.next.is_some(), "who still types is told to go on");
    let query = PeopleQuery { name: Some("広田 花2".to_owned()), ..PeopleQuery::default() };
    let none = site.app.search_people(&shiro_caller, &query, &Paging::default()).await.unwrap();
    assert!(none.items.is_empty() && none.next.is_none());
}
