//! What was typed into a form whose session had ended, or was locked, when it was sent: it goes through the
//! sign-in page sealed, and is shown for a last look to whoever typed it, once they are back. Files do not
//! come along.

use axum::extract::{FromRequest as _, MatchedPath, Request};
use axum::http::Method;
use mimamori_app::Former;

use crate::forms::{Fields, local_path, open_fields};
use crate::session;
use crate::settings::Web;
use crate::uploads;

/// The field that it is sealed in.
pub(crate) const FIELD: &str = "carried";

/// Where sealed text is opened by whoever signed in elsewhere meanwhile.
pub(crate) const OPENS: &str = "/carried";

/// The largest form that is carried, in bytes as JSON: well within what a form may be once it is sealed.
const MOST: usize = 128 * 1024;

/// Forms that people write in, and where they go on: to the last look before what they do, where there is one.
const WRITING: [(&str, &str, &str); 11] = [
    ("/people/{subject}/notes", "", ""),
    ("/people/{subject}/documents", "", ""),
    ("/people/{subject}/vital-signs/look", "", ""),
    ("/people/{subject}/vital-signs", "/vital-signs", "/vital-signs/look"),
    ("/records/{kind}/{id}/edit", "", ""),
    ("/records/{kind}/{id}/amend/look", "", ""),
    ("/records/{kind}/{id}/amend", "/amend", "/amend/look"),
    ("/rules/procedures/{procedure}/new", "", ""),
    ("/rules/cases/{id}/edit", "", ""),
    ("/rules/registers/{register}/entries", "", ""),
    ("/rules/registers/{register}/entries/{id}/amend", "", ""),
];

/// A form that was sent too late.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    /// Where it goes on to.
    pub(crate) path: String,
    /// Names and values in the order sent.
    pub(crate) fields: Vec<(String, String)>,
    /// It brought files, which are chosen again.
    pub(crate) files: bool,
}

/// The same sealed, in a response's extensions on its way to the page that asks who it is.
#[derive(Debug, Clone)]
pub(crate) struct Sealed(pub(crate) String);

/// A session that is over, and of which it is known whose it was: its cookie stays, so that what was typed in
/// another tab finds its writer too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known;

impl Carried {
    /// Reads the form that a request brings, if people write in it.
    async fn of(request: Request, web: &Web) -> Option<Self> {
        let path = going_on(&request)?;
        let form = uploads::Form::from_request(request, web).await.ok()?;
        let fields = open_fields(&form.fields);
        (!fields.is_empty()).then_some(Self { path, fields, files: !form.files.is_empty() })
    }

    fn seal(&self, web: &Web, whose: Former) -> Option<Sealed> {
        let text = serde_json::to_string(&(&self.path, self.files, &self.fields)).ok()?;
        if text.len() > MOST {
            return None;
        }
        web.app.carry(whose, &text).ok().map(Sealed)
    }

    /// What was sealed by this.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (path, files, fields): (String, bool, Vec<(String, String)>) = serde_json::from_str(text).ok()?;
        local_path(&path)?;
        Some(Self { path, fields, files })
    }

    /// What people typed themselves: shown, and changed where it stands. Choices and numbers of versions come
    /// along unseen, and are seen in the last look.
    pub(crate) fn typed(&self) -> impl Iterator<Item = &(String, String)> {
        self.fields.iter().filter(|(name, value)| is_typed(name, value))
    }

    /// Everything else.
    pub(crate) fn along(&self) -> impl Iterator<Item = &(String, String)> {
        self.fields.iter().filter(|(name, value)| !is_typed(name, value))
    }
}

/// Fields that hold what people wrote, by name; and of the rules' own forms whatever is long.
fn is_typed(name: &str, value: &str) -> bool {
    const TEXTS: [&str; 4] = ["text", "reason", "title", "note"];
    TEXTS.contains(&name) || (name.starts_with("f.") && (value.contains('\n') || value.chars().count() > 12))
}

/// Where a form goes on that people write in.
fn going_on(request: &Request) -> Option<String> {
    if *request.method() != Method::POST {
        return None;
    }
    let pattern = request.extensions().get::<MatchedPath>()?.as_str();
    let (_, ending, instead) = WRITING.iter().find(|(known, ..)| *known == pattern)?;
    let path = local_path(request.uri().path())?;
    let start = path.strip_suffix(ending).unwrap_or(path);
    Some(format!("{start}{instead}"))
}

/// The form of somebody whose session is over.
pub(crate) async fn of_former(web: &Web, whose: Former, request: Request) -> Option<Sealed> {
    Carried::of(request, web).await?.seal(web, whose)
}

/// What was sealed before comes again: whoever opens it has not signed in yet.
pub(crate) async fn again(web: &Web, request: Request) -> Option<Sealed> {
    let opens = *request.method() == Method::POST && request.uri().path() == OPENS;
    if !opens {
        return None;
    }
    Fields::from_request(request, web).await.ok()?.some(FIELD).map(Sealed)
}

/// Whose session that was, if it is over and was one.
pub(crate) fn former(web: &Web, request: &Request) -> impl Future<Output = Option<Former>> {
    let token = session::session_token(request.headers(), web.settings.tls).map(str::to_owned);
    // The request itself is not held while the database is asked.
    let (web, origin) = (web.clone(), session::origin(request.extensions()));
    async move { web.app.former(&token?, &origin).await.ok().flatten() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_reads_back_and_leads_nowhere_else() {
        let text = r#"["/people/1/notes",true,[["text","痛みが\n強い"],["priority","stat"]]]"#;
        let carried = Carried::read(text).unwrap();
        assert!(carried.files);
        assert_eq!(carried.typed().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["text"]);
        assert_eq!(carried.along().map(|(n, _)| n.as_str()).collect::<Vec<_>>(), ["priority"]);
        assert!(Carried::read(r#"["//evil.example",false,[]]"#).is_none());
        assert!(Carried::read("{}").is_none());
    }

    #[test]
    fn every_form_that_is_carried_is_a_route() {
        for (pattern, ending, instead) in WRITING {
            let known = |path: &str| crate::ROUTES.iter().any(|r| r.path == path && r.method == "POST");
            assert!(known(pattern), "{pattern}");
            let on = format!("{}{instead}", pattern.strip_suffix(ending).unwrap());
            assert!(known(&on), "{on}");
        }
    }
}
