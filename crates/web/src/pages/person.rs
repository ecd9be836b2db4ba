//! A person's page: who they are, and their notebook (連絡帳), whole or narrowed.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::Path;
use futures::TryFutureExt;
use jiff::civil::Date;
use mimamori_app::{May, PersonPage, Stored, TeamMember, TimelineFilter};
use mimamori_domain::{ActorId, InstitutionId, Kind, RecordState, SubjectId};

use super::home::encoded;
use super::{Head, id, paging};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page};
use crate::present::{self, Item, Names, SHOWN};

/// Records on one page of the notebook.
pub(super) const RECORDS: u32 = 20;

#[derive(Template)]
#[template(path = "person.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) may: May,
    pub(super) narrowed: Narrowed,
    pub(super) items: Vec<Item>,
    /// Not the first page.
    pub(super) later: bool,
    pub(super) next: Option<String>,
    pub(super) team: Vec<String>,
}

/// An option of the filter.
#[derive(Default)]
pub(super) struct Choice {
    pub(super) code: String,
    pub(super) word: String,
    pub(super) chosen: bool,
}

/// What the notebook is narrowed to, as the form shows it.
#[derive(Default)]
pub(super) struct Narrowed {
    pub(super) kinds: Vec<Choice>,
    pub(super) institutions: Vec<Choice>,
    pub(super) authors: Vec<Choice>,
    pub(super) from: String,
    pub(super) until: String,
    pub(super) unread: bool,
    /// By anything but what is unread.
    pub(super) some: bool,
}

/// What a query string or form narrows the notebook to. What is no value of a field narrows nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Narrowing {
    kind: Option<&'static str>,
    institution: Option<InstitutionId>,
    author: Option<ActorId>,
    from: Option<Date>,
    until: Option<Date>,
    unread: bool,
}

impl Narrowing {
    pub(super) fn of(fields: &Fields) -> Self {
        Self {
            kind: SHOWN.into_iter().find(|k| *k == fields.get("kind")),
            institution: fields.parsed("institution"),
            author: fields.parsed("author"),
            from: fields.parsed("from"),
            until: fields.parsed("until"),
            unread: fields.get("unread") == "1",
        }
    }

    pub(super) fn filter(&self) -> TimelineFilter {
        TimelineFilter {
            kinds: self.kind.map(Kind::of).into_iter().collect(),
            institution: self.institution,
            author: self.author,
            from: self.from.and_then(dates::start_of),
            until: self.until.and_then(|day| day.tomorrow().ok()).and_then(dates::start_of),
            unread: self.unread,
        }
    }

    /// The same for an address, each part with `&` behind it.
    fn query(&self) -> String {
        let part = |name: &str, value: Option<String>| {
            value.map(|value| format!("{name}={value}&")).unwrap_or_default()
        };
        [
            part("kind", self.kind.map(str::to_owned)),
            part("institution", self.institution.map(|id| id.to_string())),
            part("author", self.author.map(|id| id.to_string())),
            part("from", self.from.map(|day| day.to_string())),
            part("until", self.until.map(|day| day.to_string())),
            part("unread", self.unread.then(|| "1".to_owned())),
        ]
        .concat()
    }

    fn shown(&self, ask: &Ask, person: &PersonPage, shown: &[Stored], names: &Names) -> Narrowed {
        let (texts, me) = (ask.texts(), ask.caller.actor_id());
        let date = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
        let mut institutions: Vec<Choice> = person
            .institutions
            .iter()
            .filter_map(|id| {
                let word = names.institutions.get(id)?.clone();
                Some(Choice { code: id.to_string(), word, chosen: self.institution == Some(*id) })
            })
            .collect();
        institutions.sort_by(|a, b| a.word.cmp(&b.word));
        let mut authors = vec![Choice {
            code: me.to_string(),
            word: texts.get("filter-author-me"),
            chosen: self.author == Some(me),
        }];
        // Those who wrote what is shown here, and who was chosen.
        let mut others: Vec<Choice> = shown
            .iter()
            .filter_map(|stored| stored.author)
            .chain(self.author)
            .filter(|author| *author != me)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(|author| Choice {
                code: author.to_string(),
                word: names
                    .actors
                    .get(&author)
                    .map_or_else(|| texts.get("filter-author-chosen"), |actor| actor.name.clone()),
                chosen: self.author == Some(author),
            })
            .collect();
        others.sort_by(|a, b| a.word.cmp(&b.word));
        authors.append(&mut others);
        Narrowed {
            kinds: SHOWN
                .into_iter()
                .map(|code| Choice {
                    code: code.to_owned(),
                    word: present::kind(code, texts),
                    chosen: self.kind == Some(code),
                })
                .collect(),
            institutions,
            authors,
            from: date(self.from),
            until: date(self.until),
            unread: self.unread,
            some: self.kind.is_some()
                || self.institution.is_some()
                || self.author.is_some()
                || self.from.is_some()
                || self.until.is_some(),
        }
    }
}

/// `GET /people/{subject}`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let texts = ask.texts();
    let narrowing = Narrowing::of(&query);
    let (filter, paging) = (narrowing.filter(), paging(&query, RECORDS));
    let caller = &ask.caller;
    let timeline = ask.web.app.timeline(caller, subject, &filter, &paging).map_err(Fault::from);
    let (person, head, timeline) = Head::with(&ask, subject, timeline).await?;
    let names = Names::of(&ask.web, caller, &timeline.items, &person.told_institutions()).await?;
    page(&Page {
        l: ask.layout("person-title").done(query.get("done")).following(&ask, &[subject])?,
        may: person.may,
        narrowed: narrowing.shown(&ask, &person, &timeline.items, &names),
        items: timeline.items.iter().map(|stored| entry(&ask, stored, person.may, &names)).collect(),
        later: paging.cursor.is_some(),
        next: timeline
            .next
            .map(|cursor| format!("{}?{}cursor={}", head.person.page, narrowing.query(), encoded(&cursor))),
        team: person.team.iter().map(|m| member(m, &names, texts)).collect(),
        head,
    })
}

/// One entry of the notebook; a draft leads to where it is gone on with.
pub(super) fn entry(ask: &Ask, stored: &Stored, may: May, names: &Names) -> Item {
    let resource = present::read(stored);
    let mut item = present::item_of(resource.as_ref(), stored, names, ask.texts());
    item.to_reader = resource.is_some_and(|read| present::is_for(&read, stored, ask.caller.actor_id()));
    item.reply = reply_page(stored, may);
    if stored.state == RecordState::Draft {
        item.page.push_str("/look");
    }
    item
}

pub(super) fn member(member: &TeamMember, names: &Names, texts: &Texts) -> String {
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

/// Where a shared note is answered, for whom may write.
pub(super) fn reply_page(stored: &Stored, may: May) -> Option<String> {
    let shared = matches!(stored.state, RecordState::Confirmed | RecordState::Amended);
    let subject = stored.subject.filter(|_| may.write_note && shared && stored.kind == super::note::NOTE)?;
    Some(format!("/people/{subject}/notes/new?reply={}", stored.id))
}

/// Whether `caller` wrote it, or it was written on their behalf.
pub(super) fn is_own(caller: ActorId, stored: &Stored) -> bool {
    stored.author == Some(caller) || stored.on_behalf_of == Some(caller)
}
