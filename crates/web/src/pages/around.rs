//! 関係者と同意: care team, family, proxies, and what the person agreed to or refused.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use futures::{TryFutureExt, future};
use mimamori_app::{ConsentView, Membered, ProxyView};
use mimamori_domain::{ClassCode, InstitutionId, ObjectId, SubjectId, Timestamp};

use super::governance::translated;
use super::person::{Choice, member};
use super::summary::{Contact, relatives};
use super::{Head, form_error, id, shown_again};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::{Fields, Query};
use crate::language::Texts;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::present::Names;

#[derive(Template)]
#[template(path = "around.html")]
pub(super) struct Page {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) team: Vec<Standing>,
    pub(super) former: Vec<Standing>,
    pub(super) family: Vec<Contact>,
    pub(super) proxies: Vec<Standing>,
    pub(super) consents: Vec<Consented>,
    /// The form for another consent, for whom may record one.
    pub(super) form: Option<Form>,
    pub(super) error: Option<String>,
}

/// Somebody around the person, and since when or until when.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub(super) name: String,
    pub(super) when: String,
}

/// A consent or refusal in words.
#[derive(Debug, Clone, Default)]
pub(super) struct Consented {
    pub(super) text: String,
    pub(super) when: String,
    pub(super) permit: bool,
    pub(super) holds: bool,
    /// Where it is withdrawn, while it holds, for whom may.
    pub(super) withdraw: Option<String>,
}

/// Choices for another consent.
pub(super) struct Form {
    pub(super) permit: bool,
    pub(super) classes: Vec<Choice>,
    pub(super) institutions: Vec<Choice>,
}

#[derive(Template)]
#[template(path = "consent_withdraw.html")]
pub(super) struct Withdraw {
    pub(super) l: Layout,
    pub(super) head: Head,
    pub(super) action: String,
    pub(super) consent: Consented,
    pub(super) back: String,
}

/// `GET /people/{subject}/around`
pub(crate) async fn show(ask: Ask, Path(subject): Path<String>, Query(query): Query) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let mut shown = gather(&ask, subject, &Fields::default()).await?;
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

async fn gather(ask: &Ask, subject: SubjectId, sent: &Fields) -> Result<Page, Fault> {
    let (texts, now) = (ask.texts(), ask.web.now());
    let around = ask.web.app.around(&ask.caller, subject).map_err(Fault::from);
    // Asked for at once: what each leaves in the ledger is then kept together.
    let found = future::try_join(around, relatives(ask, subject));
    let (_, head, (around, family)) = Head::with(ask, subject, found).await?;
    let teams: Vec<_> = around.team.iter().filter_map(|one| one.member.institution()).collect();
    let names = Names::of(&ask.web, &ask.caller, &[], &teams).await?;
    let (team, former): (Vec<&Membered>, Vec<&Membered>) =
        around.team.iter().partition(|one| one.until.is_none_or(|until| now < until));
    let membership = |one: &&Membered| Standing {
        name: member(&one.member, &names, texts),
        when: span(one.from, one.until, texts),
    };
    let proxy =
        |one: &ProxyView| Standing { name: one.proxy.name.clone(), when: span(one.from, one.until, texts) };
    let form = if around.may_consent { Some(form(ask, sent).await?) } else { None };
    let base = format!("/people/{subject}/consents");
    let withdrawable = form.is_some();
    Ok(Page {
        l: ask.layout("around-title"),
        head,
        team: team.iter().map(membership).collect(),
        former: former.iter().map(membership).collect(),
        family,
        proxies: around.proxies.iter().map(proxy).collect(),
        consents: around
            .consents
            .iter()
            .map(|one| consented(ask, one, withdrawable.then_some(base.as_str())))
            .collect(),
        form,
        error: None,
    })
}

/// Since when, or from when to when.
fn span(from: Timestamp, until: Option<Timestamp>, texts: &Texts) -> String {
    let day = |time| dates::date(dates::day_of(time), texts);
    match until {
        None => texts.with("around-since", "from", &day(from)),
        Some(until) => texts.pairs("days-span", &[("from", &day(from)), ("until", &day(until))]),
    }
}

fn consented(ask: &Ask, one: &ConsentView, base: Option<&str>) -> Consented {
    let texts = ask.texts();
    let class = match &one.class {
        Some(code) => class_word(ask, code),
        None => texts.get("consent-every-class"),
    };
    let institution = match &one.institution {
        Some((_, name)) => name.clone(),
        None => texts.get("consent-every-institution"),
    };
    let holds = one.holds(ask.web.now());
    Consented {
        text: texts.pairs(
            if one.permit { "consent-permits" } else { "consent-refuses" },
            &[("class", &class), ("institution", &institution)],
        ),
        when: span(one.from, one.until, texts),
        permit: one.permit,
        holds,
        withdraw: base.filter(|_| holds).map(|base| format!("{base}/{}/withdraw", one.id)),
    }
}

fn class_word(ask: &Ask, code: &ClassCode) -> String {
    let known = ask.web.app.pack().class(code);
    known.map_or_else(|| code.to_string(), |class| class.name.get(translated(ask.texts())).to_owned())
}

async fn form(ask: &Ask, sent: &Fields) -> Result<Form, Fault> {
    let institutions = ask.web.app.institutions(&ask.caller).await?;
    let language = translated(ask.texts());
    // What belongs to a person's record and may be shared by consent: all but what registration needs.
    let classes = ask.web.app.pack().classes().iter().filter(|class| !class.registration);
    Ok(Form {
        permit: sent.get("permit") != "no",
        classes: classes
            .map(|class| Choice {
                code: class.code.to_string(),
                word: class.name.get(language).to_owned(),
                chosen: sent.get("class") == class.code.as_str(),
            })
            .collect(),
        institutions: institutions
            .into_iter()
            .map(|(id, word)| {
                let code = id.to_string();
                Choice { chosen: sent.get("institution") == code, code, word }
            })
            .collect(),
    })
}

/// `POST /people/{subject}/consents`
pub(crate) async fn add(ask: Ask, Path(subject): Path<String>, fields: Fields) -> Answered {
    let subject: SubjectId = id(&subject)?;
    let permit = match fields.get("permit") {
        "yes" => true,
        "no" => false,
        _ => return Err(Fault::status(StatusCode::UNPROCESSABLE_ENTITY)),
    };
    let class = chosen(&fields, "class", |text| ClassCode::new(text).ok())?;
    let class =
        class.filter(|code| ask.web.app.pack().class(code).is_some() || fields.get("class").is_empty());
    if class.is_none() && !fields.get("class").is_empty() {
        return Err(Fault::status(StatusCode::UNPROCESSABLE_ENTITY));
    }
    let institution: Option<InstitutionId> = chosen(&fields, "institution", |text| text.parse().ok())?;
    match ask.web.app.add_consent(&ask.caller, subject, permit, class, institution).await {
        Ok(_) => Ok(see(&format!("/people/{subject}/around?done=consent"))),
        Err(error) => {
            let fault = Fault::from(error);
            if !shown_again(&fault) {
                return Err(fault);
            }
            let mut shown = gather(&ask, subject, &fields).await?;
            shown.error = Some(form_error(&fault, ask.texts()));
            page_with(fault.status, &shown)
        }
    }
}

/// A choice: none when it was left open, refused when it is none of its kind.
fn chosen<T>(fields: &Fields, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Fault> {
    match fields.get(name) {
        "" => Ok(None),
        text => read(text).map(Some).ok_or_else(|| Fault::status(StatusCode::UNPROCESSABLE_ENTITY)),
    }
}

/// `GET /people/{subject}/consents/{consent}/withdraw`
pub(crate) async fn withdraw_form(ask: Ask, Path((subject, consent)): Path<(String, String)>) -> Answered {
    let (subject, consent): (SubjectId, ObjectId) = (id(&subject)?, id(&consent)?);
    let (_, head) = Head::ask(&ask, subject).await?;
    let around = ask.web.app.around(&ask.caller, subject).await?;
    let held = |one: &&ConsentView| one.id == consent && one.holds(ask.web.now());
    let found = around.consents.iter().find(held).ok_or_else(Fault::not_found)?;
    page(&Withdraw {
        l: ask.layout("consent-withdraw-title"),
        head,
        action: format!("/people/{subject}/consents/{consent}/withdraw"),
        consent: consented(&ask, found, None),
        back: format!("/people/{subject}/around"),
    })
}

/// `POST /people/{subject}/consents/{consent}/withdraw`
pub(crate) async fn withdraw(ask: Ask, Path((subject, consent)): Path<(String, String)>) -> Answered {
    let (subject, consent): (SubjectId, ObjectId) = (id(&subject)?, id(&consent)?);
    ask.web.app.withdraw_consent(&ask.caller, subject, consent).await?;
    Ok(see(&format!("/people/{subject}/around?done=consent-withdrawn")))
}
