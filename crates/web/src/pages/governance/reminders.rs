//! 予定表とメール: how somebody is reminded of what waits for them; and the calendar itself, for
//! calendar programs.

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use mimamori_app::Reminders;
use mimamori_domain::ErrorKind;
use mimamori_policy::Language as Translation;

use super::{Crumb, crumbs, frame};
use crate::dates;
use crate::error::{Answered, Fault, Rendered, of_kind};
use crate::forms::{Fields, Query};
use crate::language::Language;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::pages::{form_error, shown_again};
use crate::session;
use crate::settings::Web;

const HERE: &str = "/rules/reminders";

#[derive(Template)]
#[template(path = "governance/reminders.html")]
struct Page {
    l: Layout,
    crumbs: Vec<Crumb>,
    /// When the address was made, and when it was last read.
    calendar: Option<(String, Option<String>)>,
    /// Whether this installation sends mail.
    sends: bool,
    mail: String,
    /// When the last message was sent or failed.
    last_mail: Option<String>,
    error: Option<String>,
}

impl Page {
    async fn new(ask: &Ask) -> Result<Self, Fault> {
        let texts = ask.texts();
        let Reminders { calendar, mail, last_mail } = ask.web.app.reminders(&ask.caller).await?;
        let day = |at| dates::date(dates::day_of(at), texts);
        let last = |(at, sent)| {
            let key = if sent { "mail-last-sent" } else { "mail-last-failed" };
            texts.with(key, "time", &dates::date_time(at, texts))
        };
        Ok(Self {
            l: frame(ask, texts.get("reminders-title"), HERE),
            crumbs: crumbs(ask, &[("/rules/duties", &texts.get("duties-title"))]),
            calendar: calendar.map(|found| (day(found.made), found.fetched.map(day))),
            sends: ask.web.settings.mail,
            mail: mail.unwrap_or_default(),
            last_mail: last_mail.map(last),
            error: None,
        })
    }
}

/// `GET /rules/reminders`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    let mut shown = Page::new(&ask).await?;
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

#[derive(Template)]
#[template(path = "governance/calendar_made.html")]
struct Made {
    l: Layout,
    crumbs: Vec<Crumb>,
    address: String,
}

/// `POST /rules/reminders/calendar`: a new address, which this page alone tells.
pub(crate) async fn make(ask: Ask, headers: HeaderMap, uri: Uri, fields: Fields) -> Answered {
    let mut form = Page::new(&ask).await?;
    if form.calendar.is_some() && fields.get("again") != "yes" {
        form.error = Some(ask.texts().get("calendar-again-missing"));
        return page_with(StatusCode::UNPROCESSABLE_ENTITY, &form);
    }
    let host = host(&headers, &uri).ok_or_else(|| Fault::status(StatusCode::BAD_REQUEST))?;
    let secret = ask.web.app.calendar_address(&ask.caller).await?;
    let texts = ask.texts();
    let scheme = if ask.web.settings.tls { "https" } else { "http" };
    let language = match texts.language {
        Language::Japanese => "",
        Language::English => "?lang=en",
    };
    page(&Made {
        l: frame(&ask, texts.get("calendar-made-title"), HERE),
        crumbs: crumbs(&ask, &[(HERE, &texts.get("reminders-title"))]),
        address: format!("{scheme}://{host}/calendar/{secret}.ics{language}"),
    })
}

/// The host by which the browser reached this server: it is how a calendar program will, too.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let host = uri.authority().map(axum::http::uri::Authority::as_str);
    let host = host.or_else(|| headers.get(header::HOST)?.to_str().ok())?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then_some(host)
}

#[derive(Template)]
#[template(path = "governance/calendar_end.html")]
struct End {
    l: Layout,
    crumbs: Vec<Crumb>,
}

/// `GET /rules/reminders/calendar/end`
pub(crate) async fn end_form(ask: Ask) -> Answered {
    let texts = ask.texts();
    let form = Page::new(&ask).await?;
    if form.calendar.is_none() {
        return Err(Fault::not_found());
    }
    page(&End {
        l: frame(&ask, texts.get("calendar-end-title"), "/rules/reminders/calendar/end"),
        crumbs: crumbs(&ask, &[(HERE, &texts.get("reminders-title"))]),
    })
}

/// `POST /rules/reminders/calendar/end`
pub(crate) async fn end(ask: Ask) -> Answered {
    ask.web.app.revoke_calendar(&ask.caller).await?;
    Ok(see("/rules/reminders?done=calendar-ended"))
}

/// `POST /rules/reminders/mail`
pub(crate) async fn mail(ask: Ask, fields: Fields) -> Answered {
    let address = fields.get("mail");
    match ask.web.app.set_own_mail(&ask.caller, address).await {
        Ok(()) => {
            let done = if address.is_empty() { "mail-removed" } else { "mail-saved" };
            Ok(see(&format!("{HERE}?done={done}")))
        }
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            let mut form = Page::new(&ask).await?;
            address.clone_into(&mut form.mail);
            form.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &form)
        }
    }
}

/// `GET /calendar/{secret}.ics`; `?lang=en`. For calendar programs: every failure is a bare status, so
/// that none tells more than another and no page repeats the address.
pub(crate) async fn feed(
    State(web): State<Web>,
    Path(file): Path<String>,
    Query(query): Query,
    extensions: Extensions,
) -> Response {
    let language = if query.get("lang") == "en" { Translation::En } else { Translation::Ja };
    // Another ending is another secret, looked up like any.
    let secret = file.strip_suffix(".ics").unwrap_or_default();
    let origin = session::origin(&extensions);
    let mut response = match web.app.calendar_feed(secret, &origin, language).await {
        Ok(text) => {
            const HEADERS: [(header::HeaderName, &str); 3] = [
                (header::CONTENT_TYPE, "text/calendar; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "inline; filename=\"mimamori.ics\""),
                (header::CACHE_CONTROL, "private, no-cache"),
            ];
            let mut response = text.into_response();
            for (name, value) in HEADERS {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            response
        }
        Err(error) if error.kind() == ErrorKind::NotFound => StatusCode::NOT_FOUND.into_response(),
        Err(error) => {
            let status = of_kind(error.kind()).status;
            tracing::error!(kind = ?error.kind(), "a calendar could not be given");
            status.into_response()
        }
    };
    response.extensions_mut().insert(Rendered);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_the_host_the_browser_used_and_no_other_text() {
        let of = |host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
            self::host(&headers, &Uri::from_static("/x")).map(str::to_owned)
        };
        assert_eq!(of("mimamori.example.jp:8443").as_deref(), Some("mimamori.example.jp:8443"));
        assert_eq!(of("[::1]:8080").as_deref(), Some("[::1]:8080"));
        for bad in ["", "a b", "a/b", "a\"><b", "u@h"] {
            assert_eq!(of(bad), None, "{bad}");
        }
        let uri = Uri::from_static("https://h2.example/x");
        assert_eq!(host(&HeaderMap::new(), &uri), Some("h2.example"));
    }
}
