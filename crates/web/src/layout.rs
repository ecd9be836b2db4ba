//! What every page shares: language, heading, who is signed in, notices.

use askama::Template;
use axum::extract::{FromRequestParts, Request};
use axum::http::header;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{Html, IntoResponse, Redirect, Response};
use mimamori_app::Caller;
use mimamori_domain::SubjectId;

use crate::assets::Module;
use crate::error::{Answered, Fault, Rendered};
use crate::language::{self, Language, Texts};
use crate::navigation::Navigation;
use crate::session::{self, Known};
use crate::settings::Web;
use crate::{assets, dates};

/// A request for a page, signed in or not.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) texts: &'static Texts,
    /// The page's path; `/` when it cannot be asked for again.
    pub(crate) path: String,
    /// Keys do something (WCAG 2.1.4: they can be switched off).
    pub(crate) keys: bool,
}

/// The cookie that switches keys off.
pub(crate) const KEYS_COOKIE: &str = "keys";

impl Visit {
    pub(crate) fn of(request: &Request) -> Self {
        let texts = choose(request.headers());
        let path = match *request.method() {
            Method::GET | Method::HEAD => request.uri().path().to_owned(),
            _ => "/".to_owned(),
        };
        let keys = session::cookie_value(request.headers(), KEYS_COOKIE) != Some("off");
        Self { texts, path, keys }
    }
}

fn choose(headers: &HeaderMap) -> &'static Texts {
    let accept = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    Language::choose(session::cookie_value(headers, language::COOKIE), accept).texts()
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let visit = parts.extensions.get::<Self>().cloned();
        visit.ok_or_else(|| Fault::status(StatusCode::INTERNAL_SERVER_ERROR))
    }
}

/// A signed-in person's request for a page.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) web: Web,
    pub(crate) caller: Caller,
    pub(crate) visit: Visit,
    /// Uses of emergency accounts that wait for a review, for those who administer.
    pub(crate) alarms: u64,
}

impl FromRequestParts<Web> for Ask {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, web: &Web) -> Result<Self, Fault> {
        let Known(caller) = Known::from_request_parts(parts, web).await?;
        let visit = Visit::from_request_parts(parts, web).await?;
        let administers = !caller.must_change_password() && Navigation::of(web, &caller).accounts;
        let alarms = if administers { web.app.emergencies_open().await? } else { 0 };
        Ok(Self { web: web.clone(), caller, visit, alarms })
    }
}

impl Ask {
    pub(crate) fn texts(&self) -> &'static Texts {
        self.visit.texts
    }

    /// The frame of a page whose title is the text `title`.
    pub(crate) fn layout(&self, title: &str) -> Layout {
        let mut layout = Layout::new(&self.web, &self.visit, Some(&self.caller), title);
        layout.alarms = self.alarms;
        layout
    }
}

/// The frame of a page, for templates.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) texts: &'static Texts,
    pub(crate) title: String,
    pub(crate) style: &'static str,
    pub(crate) installation: String,
    pub(crate) who: Option<Who>,
    /// Where the language switch leads back to.
    pub(crate) here: String,
    /// What was just done.
    pub(crate) notice: Option<String>,
    /// The heading of the main navigation that is current: `home`, `search`, `review`, `rules`,
    /// `accounts` or nothing.
    pub(crate) current: &'static str,
    /// Uses of emergency accounts that wait for a review.
    pub(crate) alarms: u64,
    /// The modules that the page may use.
    pub(crate) modules: Vec<Module>,
    /// Keys do something here.
    pub(crate) keys: bool,
    /// Where the page hears that something new came, sealed for the reader.
    pub(crate) news: Option<String>,
}

/// Who is signed in.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) name: String,
    pub(crate) institution: Option<String>,
    pub(crate) staff: bool,
    pub(crate) links: Navigation,
    /// Nothing comes first: the navigation is shown, and the session may be locked.
    pub(crate) lockable: bool,
    /// How much waits for them under the rules, as of when they last looked.
    pub(crate) waiting: Option<u64>,
    /// Until when the session lasts if nothing is done, `10:23`.
    pub(crate) until: Option<String>,
}

impl Layout {
    pub(crate) fn new(web: &Web, visit: &Visit, caller: Option<&Caller>, title: &str) -> Self {
        let who = caller.map(|c| Who {
            name: c.shared_name().map_or_else(
                || c.name().to_owned(),
                |shared| visit.texts.pairs("shared-as", &[("shared", shared), ("name", c.name())]),
            ),
            institution: c.institution_name().map(str::to_owned),
            staff: c.is_staff(),
            links: if c.first().is_some() { Navigation::default() } else { Navigation::of(web, c) },
            lockable: c.first().is_none(),
            waiting: Some(web.waiting.count(c.actor_id())).filter(|n| *n > 0),
            until: c.session_ends().map(dates::time_of_day),
        });
        let lockable = who.as_ref().is_some_and(|who| who.lockable);
        Self {
            modules: if lockable { vec![Module::Page] } else { Vec::new() },
            keys: visit.keys && lockable,
            news: None,
            texts: visit.texts,
            title: visit.texts.get(title),
            style: assets::style_name(),
            installation: web.settings.name.clone(),
            who,
            here: visit.path.clone(),
            notice: None,
            current: "",
            alarms: 0,
        }
    }

    /// The frame of a sample page, signed in.
    #[cfg(test)]
    pub(crate) fn sample(texts: &'static Texts, title: &str) -> Self {
        Self {
            texts,
            title: texts.get(title),
            style: assets::style_name(),
            installation: "見守り 試験市".to_owned(),
            who: Some(Who {
                name: "試験 看護子".to_owned(),
                institution: Some("みほん訪問看護ステーション".to_owned()),
                staff: true,
                links: Navigation { search: true, review: true, rules: true, accounts: true },
                lockable: true,
                waiting: Some(2),
                until: Some("10:53".to_owned()),
            }),
            here: "/".to_owned(),
            notice: None,
            current: "",
            alarms: 0,
            modules: vec![Module::Page],
            keys: true,
            news: Some("AQID".to_owned()),
        }
    }

    /// The text of a key.
    pub(crate) fn t(&self, key: &str) -> String {
        self.texts.get(key)
    }

    /// The text of a key with one argument.
    pub(crate) fn v(&self, key: &str, name: &str, value: &str) -> String {
        self.texts.with(key, name, value)
    }

    /// The text of a key with a number.
    pub(crate) fn n(&self, key: &str, n: &u64) -> String {
        self.texts.count(key, *n)
    }

    pub(crate) fn lang(&self) -> &'static str {
        self.texts.language.tag()
    }

    pub(crate) fn at(mut self, path: impl Into<String>) -> Self {
        self.here = path.into();
        self
    }

    pub(crate) fn current(mut self, current: &'static str) -> Self {
        self.current = current;
        self
    }

    /// With a module.
    pub(crate) fn with(mut self, module: Module) -> Self {
        self.modules.push(module);
        self
    }

    /// With the module for passkeys, where they are offered.
    pub(crate) fn passkeys(self, offered: bool) -> Self {
        if offered { self.with(Module::Passkey) } else { self }
    }

    /// File names of the modules.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = &'static str> {
        self.modules.iter().map(|module| assets::module_name(*module))
    }

    /// Tells of what comes while the page is open, about these people.
    pub(crate) fn following(mut self, ask: &Ask, subjects: &[SubjectId]) -> Result<Self, Fault> {
        if !subjects.is_empty() {
            self.news = Some(ask.web.app.follow_page(&ask.caller, subjects)?);
        }
        Ok(self)
    }

    /// Shows that something was done: `done` is a word that a redirect carried; unknown ones show
    /// nothing.
    pub(crate) fn done(mut self, done: &str) -> Self {
        let known = DONE.iter().find(|d| **d == done);
        self.notice = known.and_then(|d| self.texts.find(&format!("done-{d}")));
        self
    }
}

/// What a redirect may say was done.
pub(crate) const DONE: [&str; 46] = [
    "document-kept",
    "permitted",
    "shared-left",
    "linked",
    "unlinked",
    "emergency-reviewed",
    "ends-saved",
    "sort-saved",
    "closed",
    "factor-added",
    "factor-removed",
    "factor-lost",
    "session-ended",
    "sessions-ended",
    "shown-again",
    "terminal-revoked",
    "password-changed",
    "unlocked",
    "leak-stopped",
    "confirmed",
    "amended",
    "withdrawn",
    "vital-signs",
    "emergency",
    "entry-added",
    "entry-amended",
    "entry-struck",
    "reviewed",
    "discarded",
    "stopped",
    "resumed",
    "imported",
    "draft-saved",
    "draft-discarded",
    "case-sent",
    "case-acted",
    "task-done",
    "document-read",
    "document-published",
    "duty-skipped",
    "appointed",
    "appointment-ended",
    "attested",
    "calendar-ended",
    "mail-saved",
    "mail-removed",
];

/// A page as a response.
pub(crate) fn page(template: &impl Template) -> Answered {
    page_with(StatusCode::OK, template)
}

/// A page that tells of a failure itself (a form shown again).
pub(crate) fn page_with(status: StatusCode, template: &impl Template) -> Answered {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be made");
        Fault::status(StatusCode::INTERNAL_SERVER_ERROR)
    })?;
    let mut response = (status, Html(html)).into_response();
    response.extensions_mut().insert(Rendered);
    Ok(response)
}

/// 303 after a form (POST, redirect, GET): reloading shows the result and does not do it again.
pub(crate) fn see(path: &str) -> Response {
    Redirect::to(path).into_response()
}
