//! チームの掲示板: notes of a person that stand for everybody around them until they are taken down.

use askama::Template;
use axum::extract::Path;
use mimamori_app::Paging;
use mimamori_domain::{Error, RecordState, SubjectId};
use mimamori_fhir::{Handling, SearchQuery};

use super::home::encoded;
use super::note_content::TEMPLATES;
use super::person::entry;
use super::{Head, id};
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::layout::{Ask, Layout, page};
use crate::present::{Item, Names};

/// Notes on one page of the board.
const NOTES: u32 = 20;

#[derive(Template)]
#[template(path = "board.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    /// Ways of writing for the board, for whom may write: address and name.
    pub(super) ways: Vec<(String, String)>,
    pub(super) items: Vec<Item>,
    pub(super) next: Option<String>,
}

/// `GET /people/{subject}/board`. What stands there is told by the category of the note: the pack's
/// `notes.yaml` says which ways of writing are for the board.
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (person, head) = Head::ask(&ask, subject).await?;
    let language = super::governance::translated(ask.texts());
    let ways = ask.web.app.pack().note_templates().iter().filter(|template| template.board);
    let (codes, ways): (Vec<String>, Vec<(String, String)>) = ways
        .map(|way| {
            let address = format!("{}/notes/new?template={}", head.person.page, way.code);
            (format!("{TEMPLATES}|{}", way.code), (address, way.name.get(language).to_owned()))
        })
        .unzip();
    if codes.is_empty() {
        return Err(Fault::not_found());
    }
    let parameters = [("patient".to_owned(), subject.to_string()), ("category".to_owned(), codes.join(","))];
    let asked = SearchQuery::parse("Communication", &parameters, Handling::Strict)
        .map_err(|_| Error::internal("the question for a board"))?;
    let paging = Paging { count: NOTES, cursor: query.some("cursor") };
    let found = ask.web.app.search(&ask.caller, &asked, &paging).await?;
    let names = Names::of(&ask.web, &ask.caller, &found.items, &person.told_institutions()).await?;
    let standing = found.items.iter().filter(|stored| stored.state != RecordState::Withdrawn);
    page(&Page {
        l: ask.layout("board-title"),
        ways: if person.may.write_note { ways } else { Vec::new() },
        items: standing.map(|stored| entry(&ask, stored, person.may, &names)).collect(),
        next: found.next.map(|cursor| format!("{}/board?cursor={}", head.person.page, encoded(&cursor))),
        head,
    })
}
