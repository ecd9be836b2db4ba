//! A person's page: who they are, and their notebook (連絡帳).

use askama::Template;
use axum::extract::Path;
use mimamori_app::{May, TeamMember, TimelineFilter};
use mimamori_domain::{ActorId, Kind, RecordState, SubjectId};

use super::home::encoded;
use super::{Head, id, paging};
use crate::error::Answered;
use crate::forms::Query;
use crate::layout::{Ask, Layout, page};
use crate::present::{self, Item, Names, SHOWN};

/// Records on one page of the notebook.
const RECORDS: u32 = 20;

#[derive(Template)]
#[template(path = "person.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) may: May,
    pub(super) kinds: Vec<KindChoice>,
    pub(super) items: Vec<Item>,
    pub(super) filtered: bool,
    /// Not the first page.
    pub(super) later: bool,
    pub(super) next: Option<String>,
    pub(super) team: Vec<String>,
}

/// An option of the filter.
pub(super) struct KindChoice {
    pub(super) code: &'static str,
    pub(super) word: String,
    pub(super) chosen: bool,
}

/// `GET /people/{subject}`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let texts = ask.texts();
    let (person, head) = Head::ask(&ask, subject).await?;
    let chosen = SHOWN.into_iter().find(|k| *k == query.get("kind"));
    let filter = TimelineFilter { kinds: chosen.map(Kind::of).into_iter().collect(), institution: None };
    let paging = paging(&query, RECORDS);
    let (app, caller) = (&ask.web.app, &ask.caller);
    let timeline = app.timeline(caller, subject, &filter, &paging).await?;
    let names = Names::of(&ask.web, caller, &timeline.items).await?;
    let items = timeline.items.iter().map(|stored| {
        let mut item = present::item(stored, &names, texts);
        if stored.state == RecordState::Draft {
            item.page.push_str("/look");
        }
        item
    });
    page(&Page {
        l: ask.layout("person-title").done(query.get("done")),
        may: person.may,
        kinds: SHOWN
            .into_iter()
            .map(|code| KindChoice { code, word: present::kind(code, texts), chosen: chosen == Some(code) })
            .collect(),
        items: items.collect(),
        filtered: chosen.is_some(),
        later: paging.cursor.is_some(),
        next: timeline.next.map(|cursor| {
            let kind = chosen.map(|k| format!("kind={k}&")).unwrap_or_default();
            format!("{}?{kind}cursor={}", head.person.page, encoded(&cursor))
        }),
        team: person.team.iter().map(|m| member(m, &names, texts)).collect(),
        head,
    })
}

fn member(member: &TeamMember, names: &Names, texts: &crate::language::Texts) -> String {
    match member {
        TeamMember::Institution { name, .. } => name.clone(),
        TeamMember::Person(actor) => {
            let occupation = actor.occupation.as_ref().map(|o| names.occupations.word(o, texts));
            let institution = actor.institution.and_then(|i| names.institutions.get(&i).cloned());
            let more: Vec<String> = [occupation, institution].into_iter().flatten().collect();
            if more.is_empty() {
                actor.name.clone()
            } else {
                texts
                    .pairs("member", &[("name", &actor.name), ("more", &more.join(&texts.get("list-comma")))])
            }
        }
    }
}

/// Whether `caller` wrote it, or it was written on their behalf.
pub(super) fn is_own(caller: ActorId, stored: &mimamori_app::Stored) -> bool {
    stored.author == Some(caller) || stored.on_behalf_of == Some(caller)
}
