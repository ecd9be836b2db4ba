//! だれがこの記録を見られるか: who can see a class of a person's record, and why.

use askama::Template;
use axum::extract::Path;
use mimamori_app::{Sight, Standing};
use mimamori_domain::{ClassCode, SubjectId};
use mimamori_policy::Text;

use super::{Head, id};
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::language::{Language, Texts};
use crate::layout::{Ask, Layout, page};
use crate::present::Occupations;

#[derive(Template)]
#[template(path = "who_sees.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) classes: Vec<Choice>,
    /// None until a class is chosen.
    pub(super) found: Option<Found>,
}

pub(super) struct Choice {
    pub(super) code: String,
    pub(super) name: String,
    pub(super) chosen: bool,
}

pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    pub(super) count: u64,
    pub(super) in_emergency: u64,
    /// Not all are listed or were asked about.
    pub(super) more: bool,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) what: String,
    pub(super) institution: Option<String>,
    pub(super) basis: String,
    pub(super) because: Vec<String>,
}

impl Row {
    fn of(sight: &Sight, occupations: &Occupations, texts: &Texts) -> Self {
        let what = match (&sight.occupation, sight.standing) {
            (Some(code), _) => occupations.word(code, texts),
            (None, Standing::Citizen) => texts.get("standing-citizen"),
            (None, Standing::Program) => texts.get("standing-program"),
            (None, Standing::Staff) => String::new(),
        };
        Self {
            name: sight.name.clone(),
            what,
            institution: sight.institution.clone(),
            basis: texts.get(&format!("basis-{}", sight.basis)),
            because: sight.because.iter().map(|text| word(text, texts)).collect(),
        }
    }
}

fn word(text: &Text, texts: &Texts) -> String {
    text.get(match texts.language {
        Language::Japanese => mimamori_policy::Language::Ja,
        Language::English => mimamori_policy::Language::En,
    })
    .to_owned()
}

/// `GET /people/{subject}/who-sees`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let (app, texts) = (&ask.web.app, ask.texts());
    let (_, head) = Head::ask(&ask, subject).await?;
    let class = query.some("class").map(|code| ClassCode::new(code.as_str()));
    let class = class.transpose().map_err(|_| Fault::not_found())?;
    let found = match &class {
        Some(class) => Some(app.who_sees(&ask.caller, subject, class).await?),
        None => None,
    };
    page(&Page {
        l: ask.layout("who-sees-title"),
        head,
        classes: app
            .pack()
            .classes()
            .iter()
            .map(|known| Choice {
                code: known.code.to_string(),
                name: word(&known.name, texts),
                chosen: class.as_ref() == Some(&known.code),
            })
            .collect(),
        found: found.map(|found| Found {
            more: found.incomplete || (found.people.len() as u64) < found.count,
            rows: found.people.iter().map(|sight| Row::of(sight, &ask.web.occupations, texts)).collect(),
            count: found.count,
            in_emergency: found.in_emergency,
        }),
    })
}
