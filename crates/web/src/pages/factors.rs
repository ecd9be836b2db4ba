//! 二つ目の認証要素: one's own authenticator app, passkeys and recovery codes; and what takes the place of
//! somebody's lost one.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::{EnrolElsewhere, FactorKind, FactorsView, First, IdentityProof, NewFactor, NewOneTime};
use mimamori_domain::ActorId;
use qrcode::{Color, QrCode};

use super::second::challenge;
use super::{form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::language::Language;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::session;

/// One factor in words.
pub(super) struct Row {
    pub(super) id: String,
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) added: String,
    pub(super) used: Option<String>,
}

#[derive(Template)]
#[template(path = "factors.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    /// Nothing else is answered until there is one.
    pub(super) must: bool,
    pub(super) required: bool,
    pub(super) passkeys: bool,
    /// None can be registered from here: what to do instead, one thing in each line.
    pub(super) elsewhere: Vec<String>,
    pub(super) rows: Vec<Row>,
    pub(super) left: u64,
    pub(super) made: Option<String>,
    pub(super) used: Option<String>,
    pub(super) error: Option<String>,
}

async fn shown(ask: &Ask, done: &str, error: Option<String>, status: StatusCode) -> Answered {
    let view = ask.web.app.own_factors(&ask.caller).await?;
    let words = |at| dates::date_time(at, ask.texts());
    let FactorsView { factors, recovery_left, recovery_made, recovery_used, required, passkeys, elsewhere } =
        view;
    let kind = |kind| match kind {
        FactorKind::OneTime => ask.texts().get("factor-one-time"),
        FactorKind::Passkey => ask.texts().get("factor-passkey"),
    };
    let rows = factors.into_iter().map(|factor| Row {
        id: factor.id.to_string(),
        kind: kind(factor.kind),
        name: factor.name,
        added: words(factor.added),
        used: factor.used.map(words),
    });
    page_with(
        status,
        &Page {
            l: ask.layout("factors-title").at("/account/factors").done(done).passkeys(passkeys),
            must: ask.caller.first() == Some(First::Factor),
            required,
            passkeys,
            elsewhere: elsewhere.map(|elsewhere| instead(ask, &elsewhere)).unwrap_or_default(),
            rows: rows.collect(),
            left: recovery_left as u64,
            made: recovery_made.map(words),
            used: recovery_used.map(words),
            error,
        },
    )
}

/// What somebody does who cannot register a second factor from where they are.
pub(super) fn instead(ask: &Ask, elsewhere: &EnrolElsewhere) -> Vec<String> {
    let texts = ask.texts();
    let language = match texts.language {
        Language::Japanese => mimamori_policy::Language::Ja,
        Language::English => mimamori_policy::Language::En,
    };
    let names: Vec<&str> = elsewhere.zones.iter().map(|name| name.get(language)).collect();
    let mut told = Vec::new();
    if !names.is_empty() {
        told.push(texts.with("factor-elsewhere-zones", "zones", &names.join(&texts.get("list-comma"))));
    }
    told.push(match &elsewhere.procedure {
        Some(name) => texts.with("factor-elsewhere-procedure", "procedure", name.get(language)),
        None => texts.get("factor-elsewhere-code"),
    });
    told
}

/// `GET /account/factors`
pub(crate) async fn show(ask: Ask, Query(query): Query) -> Answered {
    shown(&ask, query.get("done"), None, StatusCode::OK).await
}

/// The page again with what went wrong, unless something else is to be shown.
async fn again(ask: &Ask, fault: Fault) -> Answered {
    if fault.step_up || !shown_again(&fault) {
        return Err(fault);
    }
    let text = form_error(&fault, ask.texts());
    shown(ask, "", Some(text), fault.status).await
}

#[derive(Template)]
#[template(path = "one_time.html")]
pub(super) struct OneTime {
    pub(super) l: Layout,
    pub(super) token: String,
    /// In groups of four, for typing.
    pub(super) secret: String,
    /// How wide the code is, in modules, with its margin.
    pub(super) width: usize,
    /// Its dark modules, as an SVG path.
    pub(super) path: String,
    pub(super) name: String,
    pub(super) error: Option<String>,
}

fn one_time(ask: &Ask, begun: &NewOneTime, name: &str, error: Option<String>) -> OneTime {
    let (width, path) = drawn(&begun.address);
    let letters: Vec<char> = begun.secret.chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    OneTime {
        l: ask.layout("one-time-title").at("/account/factors"),
        token: begun.token.clone(),
        secret: groups.join(" "),
        width,
        path,
        name: name.to_owned(),
        error,
    }
}

/// Modules of margin that readers ask for (ISO/IEC 18004 section 5.3.8).
const MARGIN: usize = 4;

/// A text as the path of a QR code, with its width; nothing when it is too long.
fn drawn(text: &str) -> (usize, String) {
    let Ok(code) = QrCode::new(text) else { return (0, String::new()) };
    let width = code.width();
    let mut path = String::new();
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width + MARGIN, at / width + MARGIN));
        }
    }
    (width + 2 * MARGIN, path)
}

/// `POST /account/factors/one-time`: a secret for an authenticator app.
pub(crate) async fn begin_one_time(ask: Ask, fields: Fields) -> Answered {
    match ask.web.app.begin_one_time(&ask.caller, &ask.web.settings.name).await {
        Ok(begun) => page(&one_time(&ask, &begun, fields.get("name"), None)),
        Err(error) => again(&ask, Fault::from(error)).await,
    }
}

/// `POST /account/factors/one-time/confirm`
pub(crate) async fn add_one_time(ask: Ask, fields: Fields) -> Answered {
    let (token, name) = (fields.get("token"), fields.get("name"));
    match ask.web.app.add_one_time(&ask.caller, token, fields.get("code"), name).await {
        Ok(made) => added(&ask, &made),
        Err(error) => {
            let fault = Fault::from(error);
            if fault.status != StatusCode::UNPROCESSABLE_ENTITY {
                return again(&ask, fault).await;
            }
            let begun = ask.web.app.begun_one_time(&ask.caller, token, &ask.web.settings.name).await?;
            let error = Some(ask.texts().get("one-time-wrong"));
            page_with(fault.status, &one_time(&ask, &begun, name, error))
        }
    }
}

#[derive(Template)]
#[template(path = "recovery_codes.html")]
pub(super) struct Codes {
    pub(super) l: Layout,
    pub(super) installation: String,
    pub(super) login_name: String,
    pub(super) codes: Vec<String>,
    pub(super) made: String,
}

fn codes(ask: &Ask, codes: &[impl AsRef<str>]) -> Codes {
    Codes {
        l: ask.layout("recovery-title").at("/account/factors"),
        installation: ask.web.settings.name.clone(),
        login_name: ask.caller.name().to_owned(),
        codes: codes.iter().map(|code| code.as_ref().to_owned()).collect(),
        made: dates::date_time(ask.web.now(), ask.texts()),
    }
}

/// With the first factor the recovery codes are shown, once.
fn added(ask: &Ask, made: &NewFactor) -> Answered {
    let response = if made.recovery.is_empty() {
        see("/account/factors?done=factor-added")
    } else {
        let shown: Vec<&str> = made.recovery.iter().map(|code| code.as_str()).collect();
        page(&codes(ask, &shown))?
    };
    session::give(response, &made.token, ask.web.settings.tls)
}

/// `POST /account/factors/passkey/challenge`
pub(crate) async fn begin_passkey(ask: Ask) -> Answered {
    challenge(ask.web.app.begin_passkey(&ask.caller).await)
}

/// `POST /account/factors/passkey`
pub(crate) async fn add_passkey(ask: Ask, fields: Fields) -> Answered {
    let (token, answer) = (fields.get("challenge"), fields.get("answer"));
    match ask.web.app.add_passkey(&ask.caller, token, answer, fields.get("name")).await {
        Ok(made) => added(&ask, &made),
        Err(error) => again(&ask, Fault::from(error)).await,
    }
}

/// `POST /account/factors/recovery`: the only answer that ever holds the codes.
pub(crate) async fn recovery(ask: Ask, _: Fields) -> Answered {
    match ask.web.app.make_recovery_codes(&ask.caller).await {
        Ok(made) => {
            let shown: Vec<&str> = made.iter().map(|code| code.as_str()).collect();
            page(&codes(&ask, &shown))
        }
        Err(error) => again(&ask, Fault::from(error)).await,
    }
}

/// `POST /account/factors/{factor}/remove`
pub(crate) async fn remove(ask: Ask, Path(factor): Path<String>, _: Fields) -> Answered {
    match ask.web.app.remove_factor(&ask.caller, id(&factor)?).await {
        Ok(()) => Ok(see("/account/factors?done=factor-removed")),
        Err(error) => again(&ask, Fault::from(error)).await,
    }
}

#[derive(Template)]
#[template(path = "lost_factor.html")]
pub(super) struct Lost {
    pub(super) l: Layout,
    pub(super) base: String,
    pub(super) name: String,
    pub(super) login: String,
    pub(super) asks_case: bool,
    pub(super) reason: String,
    pub(super) how: String,
    pub(super) case: String,
    pub(super) error: Option<String>,
}

async fn asked(ask: &Ask, actor: &str) -> Result<(ActorId, Lost), Fault> {
    let actor: ActorId = id(actor)?;
    let detail = ask.web.app.account(&ask.caller, actor).await?;
    let base = format!("/admin/accounts/{actor}");
    let form = Lost {
        l: ask.layout("lost-title").at(format!("{base}/factor")).current("accounts"),
        base,
        name: detail.account.name,
        login: detail.account.login,
        asks_case: ask.web.app.replacement_procedure().is_some(),
        reason: String::new(),
        how: String::new(),
        case: String::new(),
        error: None,
    };
    Ok((actor, form))
}

fn lost_again(ask: &Ask, mut form: Lost, fault: Fault) -> Answered {
    if fault.step_up || !shown_again(&fault) {
        return Err(fault);
    }
    form.error = Some(form_error(&fault, ask.texts()));
    page_with(fault.status, &form)
}

/// `GET /admin/accounts/{actor}/factor`
pub(crate) async fn lost_form(ask: Ask, Path(actor): Path<String>, Query(query): Query) -> Answered {
    let (_, mut form) = asked(&ask, &actor).await?;
    form.l = form.l.done(query.get("done"));
    page(&form)
}

/// `POST /admin/accounts/{actor}/factor/lost`: what was lost opens nothing from now on.
pub(crate) async fn lost(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let (actor, form) = asked(&ask, &actor).await?;
    match ask.web.app.report_lost_factor(&ask.caller, actor, &fields.lines("lost")).await {
        Ok(()) => Ok(see(&format!("{}/factor?done=factor-lost", form.base))),
        Err(error) => lost_again(&ask, form, Fault::from(error)),
    }
}

#[derive(Template)]
#[template(path = "replacement.html")]
pub(super) struct Replacement {
    pub(super) l: Layout,
    pub(super) name: String,
    pub(super) institution: Option<String>,
    pub(super) login: String,
    pub(super) secret: String,
    pub(super) until: String,
    pub(super) back: String,
}

/// `POST /admin/accounts/{actor}/factor/replace`: the only answer that ever holds the code.
pub(crate) async fn replace(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let (actor, mut form) = asked(&ask, &actor).await?;
    (form.reason, form.how) = (fields.lines("reason"), fields.lines("how"));
    form.case = fields.get("case").to_owned();
    let proof =
        IdentityProof { reason: form.reason.clone(), how: form.how.clone(), case: fields.parsed("case") };
    match ask.web.app.replace_factor(&ask.caller, actor, &proof).await {
        Ok(issued) => page(&Replacement {
            l: ask.layout("replacement-title").at("/admin/accounts").current("accounts"),
            name: issued.name.clone(),
            institution: issued.institution.clone(),
            login: issued.login.clone(),
            secret: issued.secret.to_string(),
            until: dates::date_time(issued.until, ask.texts()),
            back: format!("{}/factor", form.base),
        }),
        Err(error) => lost_again(&ask, form, Fault::from(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_drawn_with_its_margin() {
        let (width, path) = drawn("otpauth://totp/a:b?secret=ABC");
        // Version 2 or 3: 25 or 29 modules, and four on either side.
        assert!([33, 37].contains(&width), "{width}");
        // The finder pattern's corner.
        assert!(path.starts_with("M4 4h1v1h-1z"));
        assert_eq!(drawn(&"x".repeat(5000)), (0, String::new()));
    }
}
