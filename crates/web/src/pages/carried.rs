//! What was typed before a session ended, shown again to whoever typed it.

use askama::Template;

use crate::carried::{Carried, FIELD};
use crate::error::Answered;
use crate::forms::Fields;
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, see};

#[derive(Template)]
#[template(path = "carried.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) carried: Shown,
}

/// The form as it goes on.
pub(super) struct Shown {
    pub(super) to: String,
    /// Field, what it is called, what was typed.
    pub(super) typed: Vec<(String, String, String)>,
    pub(super) along: Vec<(String, String)>,
    pub(super) files: bool,
}

impl Shown {
    pub(super) fn of(carried: &Carried, texts: &Texts) -> Self {
        let called = |name: &str| {
            let own = texts.find(&format!("typed-{name}"));
            own.unwrap_or_else(|| texts.get("carried-typed"))
        };
        Self {
            to: carried.path.clone(),
            typed: carried.typed().map(|(n, v)| (n.clone(), called(n), v.clone())).collect(),
            along: carried.along().cloned().collect(),
            files: carried.files,
        }
    }
}

/// `POST /carried`: for whoever signed in elsewhere meanwhile.
pub(crate) async fn show(ask: Ask, fields: Fields) -> Answered {
    back(&ask, &fields, "/")
}

/// What the caller had typed, if that came along with these fields; else the way to `to`.
pub(super) fn back(ask: &Ask, fields: &Fields, to: &str) -> Answered {
    let sealed = fields.some(FIELD);
    let text = sealed.and_then(|sealed| ask.web.app.carried(&ask.caller, &sealed));
    match text.and_then(|text| Carried::read(&text)) {
        Some(carried) => {
            page(&Page { l: ask.layout("carried-title").at("/"), carried: Shown::of(&carried, ask.texts()) })
        }
        None => Ok(see(to)),
    }
}
