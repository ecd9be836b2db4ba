//! The notebook as somebody in a hurry uses it: what is new, who has seen it, narrowing and searching.

use std::time::Duration;

use bytes::Bytes;
use mimamori_app::{Caller, CreateAs, ErrorKind, MyPeople, Paging, Stored, TimelineFilter, UNREAD_DAYS};
use mimamori_domain::{Action, ActorId, InstitutionId, Kind, RecordState, SubjectId};

use crate::staleness::entries;
use crate::support::{On, PASSWORD, START, Site, note, observation};

const NOTE: Kind = Kind::of("Communication");

/// A condition noted after every note.
fn condition(subject: SubjectId) -> String {
    format!(
        r#"{{"resourceType":"Condition","subject":{{"reference":"Patient/{subject}"}},"code":{{"text":"肺炎"}},"recordedDate":"2026-11-20T12:00:00+09:00"}}"#
    )
}

/// A hospital and a clinic that care for one person, who signs in too.
struct Ward {
    site: Site,
    hospital: InstitutionId,
    clinic: InstitutionId,
    hana: Caller,
    jiro: Caller,
    haru: Caller,
    subject: SubjectId,
}

impl Ward {
    async fn on(on: On) -> Self {
        let site = Site::on(on).await;
        let (hospital, clinic) = (site.institution("病院").await, site.institution("診療所").await);
        site.staff("hana", Some("nurse"), hospital, &[]).await;
        let jiro = site.staff("jiro", Some("doctor"), clinic, &[]).await;
        let hana = site.sign_in("hana").await;
        let subject = site.person(&hana, "山田", "春").await;
        let operator = site.operator();
        site.app.add_team_member(&operator, subject, Some(hana.actor_id()), None).await.unwrap();
        site.app.add_team_member(&operator, subject, Some(jiro), None).await.unwrap();
        for institution in [hospital, clinic] {
            site.app.add_consent(&operator, subject, true, None, Some(institution)).await.unwrap();
        }
        site.app.add_citizen(&operator, "haru", "山田 春", PASSWORD, Some(subject)).await.unwrap();
        let (jiro, haru) = (site.sign_in("jiro").await, site.sign_in("haru").await);
        let hana = site.sign_in("hana").await;
        Self { site, hospital, clinic, hana, jiro, haru, subject }
    }

    async fn write(&self, by: &Caller, text: &str) -> Stored {
        let bytes = Bytes::from(note(self.subject, text));
        self.site.app.create(by, bytes, CreateAs::Confirmed).await.unwrap()
    }

    /// A note of so many days after the others.
    fn later(&self, text: &str, days: u8) -> Bytes {
        let day = format!("2026-11-{}T", 20 + days);
        Bytes::from(note(self.subject, text).replace("2026-11-20T", &day))
    }

    async fn timeline(&self, by: &Caller, filter: &TimelineFilter) -> Vec<Stored> {
        self.site.app.timeline(by, self.subject, filter, &Paging::default()).await.unwrap().items
    }

    async fn mine(&self, by: &Caller) -> MyPeople {
        self.site.app.my_people(by, &Paging::default()).await.unwrap()
    }

    /// What is unread for somebody, as their list of people says.
    async fn unread(&self, by: &Caller) -> u64 {
        self.mine(by).await.cards().find(|card| card.subject == self.subject).unwrap().unread
    }

    async fn readers(&self, by: &Caller, of: &Stored) -> Vec<(u64, Vec<ActorId>)> {
        let versions = self.site.app.history(by, &NOTE, of.id).await.unwrap();
        let of = |stored: &Stored| {
            assert_eq!(stored.attention.seen_by, Some(stored.attention.readers.len() as u64));
            (stored.version, stored.attention.readers.iter().map(|(reader, _)| *reader).collect())
        };
        versions.iter().map(of).collect()
    }
}

macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[tokio::test] async fn $name() { super::$name(super::On::Sqlite).await })*
        }
        mod postgres {
            $(#[tokio::test] async fn $name() { super::$name(super::On::Postgres).await })*
        }
    };
}

on_both! {
    what_is_new_is_counted_until_it_was_shown
    readers_are_named_to_whom_sees_the_team
    what_policy_hides_is_neither_counted_nor_newest
    what_was_shown_and_its_entry_are_there_together
    a_notebook_is_narrowed
    words_are_searched_in_bounded_steps
    drafts_and_what_awaits_stand_in_the_list
    what_is_addressed_to_somebody_stands_first
    the_latest_news_among_many_people_stand_first
}

async fn what_is_new_is_counted_until_it_was_shown(on: On) {
    let ward = Ward::on(on).await;
    let first = ward.write(&ward.hana, "熱が下がった").await;
    ward.write(&ward.hana, "食事は8割").await;
    assert_eq!(ward.unread(&ward.hana).await, 0, "one's own counts as seen");
    assert_eq!((ward.unread(&ward.jiro).await, ward.unread(&ward.haru).await), (2, 2));
    let mine = ward.mine(&ward.jiro).await;
    assert_eq!((mine.unread.len(), mine.people.items.len()), (1, 0), "whoever has news stands first");
    let newest = mine.unread[0].newest.clone().unwrap();
    assert_eq!((newest.kind, newest.state), (NOTE, RecordState::Confirmed));
    assert_eq!(newest.author.unwrap().id, ward.hana.actor_id());

    let all = TimelineFilter::default();
    let shown = ward.timeline(&ward.jiro, &all).await;
    assert!(shown.iter().filter(|item| item.kind == NOTE).all(|item| item.attention.unread));
    let again = ward.timeline(&ward.jiro, &all).await;
    assert!(again.iter().all(|item| !item.attention.unread), "shown once, it is read");
    assert_eq!((ward.unread(&ward.jiro).await, ward.unread(&ward.haru).await), (0, 2));
    assert!(ward.mine(&ward.jiro).await.unread.is_empty());

    // An amendment is new again; opening it by its page shows it as well.
    let amended =
        ward.site.app.update(&ward.hana, &NOTE, first.id, note(ward.subject, "熱は36.9℃").into(), 1).await;
    assert_eq!(amended.unwrap().version, 2);
    assert_eq!(ward.unread(&ward.jiro).await, 1);
    let unread = TimelineFilter { unread: true, ..TimelineFilter::default() };
    ward.site.app.read(&ward.jiro, &NOTE, first.id).await.unwrap();
    assert_eq!(ward.unread(&ward.jiro).await, 0);
    assert!(ward.timeline(&ward.jiro, &unread).await.is_empty());

    // What is long past is no news.
    ward.site.clock.advance(Duration::from_secs(86_400) * (UNREAD_DAYS + 1));
    let haru = ward.site.sign_in("haru").await;
    assert_eq!(ward.unread(&haru).await, 0);
    assert!(ward.mine(&haru).await.people.items[0].newest.is_none());
}

async fn readers_are_named_to_whom_sees_the_team(on: On) {
    let ward = Ward::on(on).await;
    let written = ward.write(&ward.hana, "熱が下がった").await;
    let all = TimelineFilter::default();
    assert_eq!(ward.timeline(&ward.hana, &all).await[0].attention.seen_by, Some(0));
    ward.timeline(&ward.jiro, &all).await;
    ward.timeline(&ward.haru, &all).await;
    assert_eq!(ward.timeline(&ward.hana, &all).await[0].attention.seen_by, Some(2));
    let both = vec![ward.jiro.actor_id(), ward.haru.actor_id()];
    let mut named = ward.readers(&ward.haru, &written).await;
    named[0].1.sort_by_key(|reader| *reader != both[0]);
    assert_eq!(named, [(1, both)], "the person sees it like the team");

    let versions = ward.site.app.history(&ward.hana, &NOTE, written.id).await.unwrap();
    let names = ward.site.app.actors(&ward.hana, &versions).await.unwrap();
    assert!(names.contains_key(&ward.haru.actor_id()), "readers' names are told with them");
    let report = ward.site.app.verify(&|_, _| {}).await.unwrap();
    assert_eq!(report.findings, Vec::<String>::new());
}

async fn what_policy_hides_is_neither_counted_nor_newest(on: On) {
    let ward = Ward::on(on).await;
    // A helper does not read conditions (`classes.yaml`).
    let helper = ward.site.staff("sato", Some("helper"), ward.clinic, &[]).await;
    ward.site.app.add_team_member(&ward.site.operator(), ward.subject, Some(helper), None).await.unwrap();
    let sato = ward.site.sign_in("sato").await;
    ward.write(&ward.hana, "熱が下がった").await;
    ward.site.app.create(&ward.jiro, condition(ward.subject).into(), CreateAs::Confirmed).await.unwrap();
    let hana = ward.site.sign_in("hana").await;
    assert_eq!(ward.unread(&hana).await, 1);
    assert_eq!(ward.unread(&sato).await, 1, "the note alone");
    let newest = ward.mine(&sato).await.unread[0].newest.clone().unwrap();
    assert_eq!(newest.kind, NOTE);
    // Denied altogether, nothing is counted.
    ward.site
        .app
        .add_consent(&ward.site.operator(), ward.subject, false, None, Some(ward.clinic))
        .await
        .unwrap();
    assert!(ward.mine(&sato).await.cards().next().is_none());
}

async fn what_was_shown_and_its_entry_are_there_together(on: On) {
    let ward = Ward::on(on).await;
    let written = ward.write(&ward.hana, "熱が下がった").await;
    let from = ward.site.store.head().await.unwrap().unwrap().size;
    ward.timeline(&ward.jiro, &TimelineFilter::default()).await;
    let entries = entries(&*ward.site.store, from).await;
    let read = entries.iter().find(|entry| entry.draft.action == Action::Read).unwrap();
    assert_eq!(read.draft.actor, Some(ward.jiro.actor_id()));
    let rows = ward
        .site
        .store
        .query(&mimamori_app::sql::SEEN_BY, vec![ward.subject.into(), written.id.into(), 10_i64.into()])
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].int(2).unwrap(), START.as_micros(), "at the time of the read");

    // A read that could not be recorded shows nothing and leaves nothing seen.
    ward.write(&ward.hana, "食事は8割").await;
    let old = ward.jiro.clone();
    ward.site
        .app
        .add_consent(&ward.site.operator(), ward.subject, false, None, Some(ward.clinic))
        .await
        .unwrap();
    let all = (TimelineFilter::default(), Paging::default());
    let refused = ward.site.app.timeline(&old, ward.subject, &all.0, &all.1).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
    let counts = ward.timeline(&ward.hana, &TimelineFilter::default()).await;
    assert_eq!(counts.iter().filter_map(|item| item.attention.seen_by).sum::<u64>(), 1);
}

async fn a_notebook_is_narrowed(on: On) {
    let ward = Ward::on(on).await;
    let (hana, jiro) = (&ward.hana, &ward.jiro);
    ward.write(hana, "病院の記録").await;
    ward.site.app.create(jiro, ward.later("診療所の記録", 2), CreateAs::Confirmed).await.unwrap();
    ward.site.app.create(jiro, observation(ward.subject, "36.5").into(), CreateAs::Confirmed).await.unwrap();
    let narrowed = async |filter: TimelineFilter| ward.timeline(hana, &filter).await.len();
    let all = TimelineFilter { kinds: vec![NOTE], ..TimelineFilter::default() };
    assert_eq!(narrowed(all.clone()).await, 2);
    let at = |institution| TimelineFilter { institution: Some(institution), ..all.clone() };
    assert_eq!((narrowed(at(ward.hospital)).await, narrowed(at(ward.clinic)).await), (1, 1));
    let by = |author| TimelineFilter { author: Some(author), ..all.clone() };
    assert_eq!(narrowed(by(jiro.actor_id())).await, 1);
    let before = TimelineFilter { until: Some(START), ..all.clone() };
    let after = TimelineFilter { from: Some(START), ..all.clone() };
    assert_eq!((narrowed(before.clone()).await, narrowed(after.clone()).await), (1, 1));
    assert_eq!(narrowed(TimelineFilter { until: after.from, from: before.until, ..all }).await, 0);
}

async fn words_are_searched_in_bounded_steps(on: On) {
    let ward = Ward::on(on).await;
    ward.write(&ward.hana, "右足にむくみ。ﾛｷｿﾆﾝを中止").await;
    for day in 1..=7 {
        let many: Vec<Bytes> = (0..100).map(|n| ward.later(&format!("様子 {n}"), day)).collect();
        ward.site.app.create_together(&ward.hana, &many, CreateAs::Confirmed).await.unwrap();
    }
    let find = async |words: &str, cursor| {
        let (filter, paging) = (TimelineFilter::default(), Paging { count: 5, cursor });
        ward.site.app.find_in_timeline(&ward.jiro, ward.subject, words, &filter, &paging).await
    };
    // The bound is met: it says so, and goes on from there.
    let first = find("ろきそにん むくみ", None).await.unwrap();
    assert!(first.page.items.is_empty() && first.reached.is_some());
    let second = find("ろきそにん むくみ", first.page.next).await.unwrap();
    assert_eq!(second.page.items.len(), 1);
    assert!(second.page.next.is_none() && second.reached.is_none());
    // More hits than a page holds: each comes once.
    let (mut hits, mut cursor) = (0, None);
    loop {
        let found = find("様子 9", cursor).await.unwrap();
        hits += found.page.items.len();
        cursor = found.page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(hits, 7 * 19, "9, 19 .. 89 and 90 .. 99 in each hundred");
    assert_eq!(find(" 　", None).await.unwrap_err().kind(), ErrorKind::Invalid);
}

async fn drafts_and_what_awaits_stand_in_the_list(on: On) {
    let ward = Ward::on(on).await;
    let bytes = Bytes::from(note(ward.subject, "書きかけ"));
    let draft = ward.site.app.create(&ward.hana, bytes, CreateAs::Draft).await.unwrap();
    let unfinished = ward.mine(&ward.hana).await.unfinished;
    assert_eq!(unfinished.len(), 1);
    assert_eq!((unfinished[0].id, unfinished[0].awaits), (draft.id, false));
    assert!(ward.mine(&ward.jiro).await.unfinished.is_empty(), "a draft is its author's");
    assert_eq!(ward.unread(&ward.jiro).await, 0, "nor is it news");
    ward.site.app.confirm(&ward.hana, &NOTE, draft.id, draft.version).await.unwrap();
    assert!(ward.mine(&ward.hana).await.unfinished.is_empty());
    assert_eq!(ward.unread(&ward.jiro).await, 1);
}

async fn what_is_addressed_to_somebody_stands_first(on: On) {
    let ward = Ward::on(on).await;
    let to = format!(r#"{{"recipient":[{{"reference":"Practitioner/{}"}}],"#, ward.jiro.actor_id());
    let addressed = note(ward.subject, "往診をお願いします").replacen('{', &to, 1);
    let kept = ward.site.app.create(&ward.hana, addressed.clone().into(), CreateAs::Draft).await.unwrap();
    let of = async |by: &Caller| {
        let mine = ward.mine(by).await;
        mine.cards().map(|card| (card.unread, card.addressed)).collect::<Vec<_>>()
    };
    assert_eq!(of(&ward.jiro).await, [(0, 0)], "a draft is for nobody yet");
    ward.site.app.confirm(&ward.hana, &NOTE, kept.id, kept.version).await.unwrap();
    ward.write(&ward.hana, "お変わりなし").await;
    assert_eq!((of(&ward.jiro).await, of(&ward.haru).await), (vec![(2, 1)], vec![(2, 0)]));
    // Amended to name nobody, it is no longer for anybody; shown, it is no news.
    let plain = note(ward.subject, "往診は不要です");
    ward.site.app.update(&ward.hana, &NOTE, kept.id, plain.into(), 2).await.unwrap();
    assert_eq!(of(&ward.jiro).await, [(2, 0)]);
    ward.timeline(&ward.jiro, &TimelineFilter::default()).await;
    assert_eq!(of(&ward.jiro).await, [(0, 0)]);
}

/// Of sixty people some were read, some have something addressed to the reader, and of some the newest record is
/// one that the reader may not see: they stand where what the reader sees puts them.
async fn the_latest_news_among_many_people_stand_first(on: On) {
    const PEOPLE: usize = 60;
    let ward = Ward::on(on).await;
    let app = &ward.site.app;
    let helper = ward.site.staff("sato", Some("helper"), ward.hospital, &[]).await;
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        let subject = ward.site.person(&ward.hana, "山田", &format!("花{n}")).await;
        app.add_team_member(&ward.site.operator(), subject, Some(helper), None).await.unwrap();
        people.push(subject);
    }
    let (hana, sato) = (ward.site.sign_in("hana").await, ward.site.sign_in("sato").await);
    let mut expected = Vec::new();
    for (n, subject) in people.iter().enumerate() {
        let (minute, addressed, read) = (n * 37 % PEOPLE, n % 5 == 0, n % 7 == 0);
        let mut text = note(*subject, "お変わりなし").replace("T11:00", &format!("T11:{minute:02}"));
        if addressed {
            let to = format!(r#"{{"recipient":[{{"reference":"Practitioner/{helper}"}}],"#);
            text = text.replacen('{', &to, 1);
        }
        app.create(&hana, text.into(), CreateAs::Confirmed).await.unwrap();
        if n % 3 == 0 {
            app.create(&hana, condition(*subject).into(), CreateAs::Confirmed).await.unwrap();
        }
        if read {
            app.timeline(&sato, *subject, &TimelineFilter::default(), &Paging::default()).await.unwrap();
        } else {
            expected.push((addressed, minute, *subject));
        }
    }
    expected.sort_unstable_by_key(|rank| std::cmp::Reverse(*rank));
    let mine = app.my_people(&sato, &Paging { count: 200, cursor: None }).await.unwrap();
    let first: Vec<_> = mine.unread.iter().map(|card| (card.addressed > 0, card.subject)).collect();
    let best: Vec<_> = expected.iter().take(first.len()).map(|(to, _, subject)| (*to, *subject)).collect();
    assert_eq!((first.len(), first), (20, best));
    // The others follow by their ids, each once and with their own news.
    let shown: std::collections::BTreeSet<SubjectId> = mine.cards().map(|card| card.subject).collect();
    assert_eq!((shown, mine.cards().count()), (people.iter().copied().collect(), PEOPLE));
    for card in mine.cards() {
        let is_unread = expected.iter().any(|(.., subject)| *subject == card.subject);
        let kind = card.newest.as_ref().map(|newest| newest.kind.clone());
        assert_eq!((card.unread, kind), (u64::from(is_unread), Some(NOTE)));
    }
}
