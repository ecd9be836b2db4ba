//! An urgent note reaches somebody: whom it is for, and others while none of those has seen it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mimamori_app::{Caller, CreateAs, MailFailure, MailRound, Paging, Stored};
use mimamori_domain::{Action, ActorId, Kind, SubjectId};

use crate::reminders::Post;
use crate::staleness::entries;
use crate::support::{On, Site, note};

const NOTE: Kind = Kind::of("Communication");
const LINK: &str = "https://mimamori.example/";
const MINUTE: Duration = Duration::from_secs(60);

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
    an_urgent_note_is_passed_on_until_somebody_sees_it
    each_is_told_once_whatever_fails
    what_nobody_may_see_is_told_to_nobody
}

/// A hospital with a nurse, a doctor, a pharmacist and a manager, who all gave an address.
struct Ward {
    site: Site,
    hana: Caller,
    jiro: ActorId,
    subject: SubjectId,
}

impl Ward {
    async fn on(on: On) -> Self {
        let site = Site::on(on).await;
        let hospital = site.institution("病院").await;
        site.staff("hana", Some("nurse"), hospital, &[]).await;
        let jiro = site.staff("jiro", Some("doctor"), hospital, &[]).await;
        let saki = site.staff("saki", Some("pharmacist"), hospital, &[]).await;
        site.staff("kanri", Some("nurse"), hospital, &["facility-manager"]).await;
        let hana = site.sign_in("hana").await;
        let subject = site.person(&hana, "山田", "春").await;
        let operator = site.operator();
        for (actor, institution) in [(Some(jiro), None), (Some(saki), None), (None, Some(hospital))] {
            site.app.add_team_member(&operator, subject, actor, institution).await.unwrap();
        }
        for login in ["hana", "jiro", "saki", "kanri"] {
            let caller = site.sign_in(login).await;
            site.app.set_own_mail(&caller, &format!("{login}@example.jp")).await.unwrap();
        }
        let hana = site.sign_in("hana").await;
        Self { site, hana, jiro, subject }
    }

    fn urgent(&self, to: &[ActorId]) -> Bytes {
        let to: Vec<String> = to.iter().map(|id| format!(r#"{{"reference":"Practitioner/{id}"}}"#)).collect();
        let more = format!(r#""priority":"stat","recipient":[{}],"sent""#, to.join(","));
        let text = note(self.subject, "息が苦しい");
        Bytes::from(if to.is_empty() {
            text.replacen("\"sent\"", r#""priority":"stat","sent""#, 1)
        } else {
            text.replacen("\"sent\"", &more, 1)
        })
    }

    async fn write(&self, to: &[ActorId]) -> Stored {
        self.site.app.create(&self.hana, self.urgent(to), CreateAs::Confirmed).await.unwrap()
    }

    async fn round(&self, post: &Post) -> MailRound {
        self.site.app.tell_urgent_notes(post, LINK).await.unwrap()
    }

    fn pass(&self, minutes: u32) {
        self.site.clock.advance(MINUTE * minutes);
    }

    async fn urgent_of(&self, login: &str) -> usize {
        let caller = self.site.sign_in(login).await;
        self.site.app.my_people(&caller, &Paging::default()).await.unwrap().urgent.len()
    }
}

fn addresses(post: &Post) -> Vec<String> {
    post.taken.lock().unwrap().iter().map(|(to, ..)| to.split('@').next().unwrap().to_owned()).collect()
}

async fn an_urgent_note_is_passed_on_until_somebody_sees_it(on: On) {
    let ward = Ward::on(on).await;
    let post = Post::default();
    assert_eq!(ward.round(&post).await, MailRound::default());
    let stored = ward.write(&[ward.jiro]).await;
    assert_eq!((ward.urgent_of("jiro").await, ward.urgent_of("saki").await), (1, 0));
    ward.round(&post).await;
    ward.round(&post).await;
    assert_eq!(addresses(&post), ["jiro"], "each once");
    {
        let taken = post.taken.lock().unwrap();
        let (_, subject, text) = &taken[0];
        assert!(subject.contains("至急") && text.contains(LINK), "{text}");
        for part in ["山田", "息が", "病院", "hana", &stored.id.to_string(), &ward.subject.to_string()]
        {
            assert!(!text.contains(part) && !subject.contains(part), "{part}: {text}");
        }
    }
    // Half an hour later the others of the team, then who answers for the place.
    ward.pass(29);
    ward.round(&post).await;
    assert_eq!(addresses(&post), ["jiro"]);
    ward.pass(2);
    ward.round(&post).await;
    ward.round(&post).await;
    assert_eq!(addresses(&post), ["jiro", "saki"]);
    assert_eq!(ward.urgent_of("saki").await, 1, "and on their first page");
    ward.pass(30);
    ward.round(&post).await;
    assert_eq!(addresses(&post), ["jiro", "saki", "kanri"]);
    ward.pass(120);
    assert_eq!(ward.round(&post).await, MailRound::default());

    // Its page says who was told and who has seen it; seen, it is no more urgent to them.
    let saki = ward.site.sign_in("saki").await;
    ward.site.app.read(&saki, &NOTE, stored.id).await.unwrap();
    assert_eq!((ward.urgent_of("saki").await, ward.urgent_of("jiro").await), (0, 1));
    let hana = ward.site.sign_in("hana").await;
    let mut versions = ward.site.app.history(&hana, &NOTE, stored.id).await.unwrap();
    let names = ward.site.app.actors(&hana, &versions).await.unwrap();
    let told = versions.remove(0).attention;
    assert!(told.told.iter().all(|told| names.contains_key(&told.actor)), "each with a name");
    let addressed: Vec<bool> = told.told.iter().map(|told| told.addressed).collect();
    assert_eq!(addressed, [true, false, false]);
    assert!(told.told.iter().all(|told| told.mail.is_some_and(|(_, sent)| sent)));
    assert_eq!(told.readers.iter().map(|(reader, _)| *reader).collect::<Vec<_>>(), [saki.actor_id()]);
    // Each passing on is an entry of the record it is about.
    let passed = entries(ward.site.store.as_ref(), 0).await.into_iter();
    let passed = passed.filter(|entry| {
        entry.draft.action == Action::Update
            && entry.draft.subject == Some(ward.subject)
            && entry.draft.resource == Some((NOTE, Some(stored.id)))
    });
    assert_eq!(passed.count(), 2);
}

async fn each_is_told_once_whatever_fails(on: On) {
    let ward = Ward::on(on).await;
    // A draft is nobody's business; confirmed, it is told by whichever program comes first.
    let draft = ward.site.app.create(&ward.hana, ward.urgent(&[ward.jiro]), CreateAs::Draft).await.unwrap();
    let post = Post::default();
    ward.round(&post).await;
    assert_eq!((addresses(&post).len(), ward.urgent_of("jiro").await), (0, 0));
    let hana = ward.site.sign_in("hana").await;
    ward.site.app.confirm(&hana, &NOTE, draft.id, 1).await.unwrap();
    let away = Post::failing(Some(MailFailure::Unreachable));
    assert!(ward.round(&away).await.stopped.is_some());
    let other = ward.site.second(Arc::clone(&ward.site.store)).await;
    let (one, two) =
        tokio::join!(ward.site.app.tell_urgent_notes(&post, LINK), other.tell_urgent_notes(&post, LINK));
    assert_eq!(one.unwrap().sent + two.unwrap().sent, 1);
    assert_eq!(addresses(&post), ["jiro"]);
    // Seen by whom it is for, it is passed on to nobody.
    let jiro = ward.site.sign_in("jiro").await;
    ward.site.app.read(&jiro, &NOTE, draft.id).await.unwrap();
    ward.pass(200);
    ward.round(&post).await;
    assert_eq!(addresses(&post), ["jiro"]);
    // Amended, it is another message; no longer urgent, it is none.
    let hana = ward.site.sign_in("hana").await;
    let amended = ward.urgent(&[ward.jiro]);
    ward.site.app.update(&hana, &NOTE, draft.id, amended.clone(), 2).await.unwrap();
    ward.round(&post).await;
    assert_eq!(addresses(&post), ["jiro", "jiro"]);
    let calm = String::from_utf8(amended.to_vec()).unwrap().replace("\"stat\"", "\"routine\"");
    ward.site.app.update(&hana, &NOTE, draft.id, calm.into(), 3).await.unwrap();
    ward.pass(40);
    ward.round(&post).await;
    assert_eq!((addresses(&post).len(), ward.urgent_of("jiro").await), (2, 0));
}

async fn what_nobody_may_see_is_told_to_nobody(on: On) {
    let ward = Ward::on(on).await;
    let elsewhere = ward.site.institution("よその病院").await;
    let yoso = ward.site.staff("yoso", Some("doctor"), elsewhere, &[]).await;
    let caller = ward.site.sign_in("yoso").await;
    ward.site.app.set_own_mail(&caller, "yoso@example.jp").await.unwrap();
    let hana = ward.site.sign_in("hana").await;
    let bytes = ward.urgent(&[yoso]);
    ward.site.app.create(&hana, bytes, CreateAs::Confirmed).await.unwrap();
    let post = Post::default();
    ward.round(&post).await;
    assert_eq!((addresses(&post).len(), ward.urgent_of("yoso").await), (0, 0));
    // For nobody in particular: the team is told at once.
    let hana = ward.site.sign_in("hana").await;
    ward.site.app.create(&hana, ward.urgent(&[]), CreateAs::Confirmed).await.unwrap();
    ward.round(&post).await;
    let mut told = addresses(&post);
    told.sort_unstable();
    assert_eq!(told, ["jiro", "saki"]);
}
