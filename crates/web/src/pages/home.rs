//! 担当の方: the people somebody cares for, what is new about each, and what waits for the reader; for
//! citizens ご自分・ご家族の記録, their own record and those of whom they speak for.

use std::collections::HashMap;

use askama::Template;
use mimamori_app::{Newest, Notice, PersonCard};
use mimamori_domain::{InstitutionId, RecordState, SubjectId};

use super::governance::hub;
use super::paging;
use crate::dates;
use crate::error::Answered;
use crate::forms::Query;
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, see};
use crate::navigation::Navigation;
use crate::present::{self, Badge, Occupations, Person};

/// People on one page, beside those with something unread.
const PEOPLE: u32 = 30;

#[derive(Template)]
#[template(path = "home.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    /// How many days back that counts.
    pub(super) unread_days: u64,
    /// Whoever has something unread.
    pub(super) unread: Vec<Card>,
    pub(super) people: Vec<Card>,
    pub(super) unfinished: Vec<Unfinished>,
    /// Urgent notes for the reader that they have not seen.
    pub(super) urgent: Vec<Unfinished>,
    /// What everybody is told in these days.
    pub(super) notices: Vec<Told>,
    /// How much waits under the rules: applications, duties, documents.
    pub(super) waiting: Option<u64>,
    pub(super) next: Option<String>,
    /// Not the first page.
    pub(super) later: bool,
    /// Somebody's own and their family's.
    pub(super) own: bool,
    /// Whether to offer the search for people.
    pub(super) finds: bool,
}

/// One person of the list.
#[derive(Default)]
pub(super) struct Card {
    pub(super) person: Person,
    pub(super) unread: u64,
    /// Of these, addressed to the reader.
    pub(super) addressed: u64,
    pub(super) newest: Option<Latest>,
}

/// The newest record about somebody, without what it says.
pub(super) struct Latest {
    pub(super) when: String,
    pub(super) when_machine: String,
    /// Its kind and who wrote it.
    pub(super) what: String,
}

/// A notice.
pub(super) struct Told {
    pub(super) page: String,
    pub(super) title: String,
    pub(super) when: String,
    pub(super) when_machine: String,
}

/// A record that is not confirmed yet.
pub(super) struct Unfinished {
    pub(super) person: Person,
    pub(super) kind: String,
    pub(super) awaits: bool,
    pub(super) when: String,
    pub(super) when_machine: String,
    pub(super) page: String,
}

/// What cards are made with.
struct Making<'a> {
    ask: &'a Ask,
    institutions: HashMap<InstitutionId, String>,
    occupations: &'a Occupations,
}

impl Making<'_> {
    fn card(&self, card: &PersonCard) -> Card {
        let (today, texts) = (dates::day_of(self.ask.web.now()), self.ask.texts());
        Card {
            person: Person::of(card.subject, &card.patient, today, texts),
            unread: card.unread,
            addressed: card.addressed,
            newest: card.newest.as_ref().map(|newest| self.latest(newest, texts)),
        }
    }

    fn latest(&self, newest: &Newest, texts: &Texts) -> Latest {
        let mut kind = present::kind(newest.kind.as_str(), texts);
        if newest.state == RecordState::Withdrawn {
            kind = format!("{kind} {}", Badge::of(newest.state, texts).word);
        }
        let institution = self.institutions.get(&newest.institution).cloned();
        let author = newest.author.as_ref();
        let occupation = author.and_then(|a| a.occupation.as_ref()).map(|o| self.occupations.word(o, texts));
        let name = author.map_or_else(|| texts.get("author-program"), |a| a.name.clone());
        let more: Vec<String> = [occupation, institution].into_iter().flatten().collect();
        let who = if more.is_empty() {
            name
        } else {
            texts.pairs("member", &[("name", &name), ("more", &more.join(&texts.get("list-comma")))])
        };
        Latest {
            when: dates::date_time(newest.when, texts),
            when_machine: dates::machine(newest.when),
            what: texts.pairs("newest-written", &[("kind", &kind), ("who", &who)]),
        }
    }

    fn unfinished(&self, of: &mimamori_app::Unfinished) -> Unfinished {
        let (today, texts) = (dates::day_of(self.ask.web.now()), self.ask.texts());
        let page = format!("/records/{}/{}", of.kind, of.id);
        let note = of.kind == super::note::NOTE;
        Unfinished {
            person: Person::of(of.subject, &of.patient, today, texts),
            kind: present::kind(of.kind.as_str(), texts),
            awaits: of.awaits,
            when: dates::date_time(of.recorded, texts),
            when_machine: dates::machine(of.recorded),
            page: if note && !of.awaits && of.is_draft { format!("{page}/look") } else { page },
        }
    }
}

/// `GET /`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    let (own, paging) = (!ask.caller.is_staff(), paging(&query, PEOPLE));
    let list = ask.web.app.my_people(&ask.caller, &paging).await?;
    // Whoever has one record to read is led to it at once.
    let all: Vec<&PersonCard> = list.cards().collect();
    if let (true, [only], None, None) = (own, all.as_slice(), &paging.cursor, &list.people.next) {
        return Ok(see(&format!("/people/{}", only.subject)));
    }
    hub::count(&ask).await;
    let notices = if paging.cursor.is_none() { ask.web.app.notices(&ask.caller).await? } else { Vec::new() };
    let shown: Vec<SubjectId> = list.cards().map(|card| card.subject).collect();
    let newest: Vec<_> =
        list.cards().filter_map(|card| card.newest.as_ref()).map(|newest| newest.institution).collect();
    let institutions = ask.web.app.institution_names(&ask.caller, &newest).await?;
    let making = Making { ask: &ask, institutions, occupations: &ask.web.occupations };
    page(&Page {
        l: ask
            .layout(if own { "home-title-own" } else { "home-title" })
            .current("home")
            .following(&ask, &shown)?,
        own,
        notices: notices.into_iter().map(|notice| told(&notice, ask.texts())).collect(),
        finds: Navigation::of(&ask.web, &ask.caller).search,
        waiting: Some(ask.web.waiting.count(ask.caller.actor_id())).filter(|n| *n > 0),
        unread_days: u64::from(mimamori_app::UNREAD_DAYS),
        unread: list.unread.iter().map(|card| making.card(card)).collect(),
        people: list.people.items.iter().map(|card| making.card(card)).collect(),
        unfinished: list.unfinished.iter().map(|of| making.unfinished(of)).collect(),
        urgent: list.urgent.iter().map(|of| making.unfinished(of)).collect(),
        later: paging.cursor.is_some(),
        next: list.people.next.as_ref().map(|cursor| format!("/?cursor={}", encoded(cursor))),
    })
}

fn told(notice: &Notice, texts: &Texts) -> Told {
    Told {
        page: format!("/rules/registers/{}/entries/{}", notice.register, notice.entry),
        title: notice.title.clone(),
        when: dates::date(dates::day_of(notice.entered), texts),
        when_machine: dates::machine(notice.entered),
    }
}

/// A cursor for a query string.
pub(super) fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
