//! 役割: who holds what, appointing and dismissing, and the emergency contact network.

use askama::Template;
use axum::extract::Path;
use axum::http::StatusCode;
use mimamori_app::{AppointmentView, NewAppointment, RoleView};
use mimamori_domain::{ActorId, InstitutionId, ObjectId, RoleCode, Timestamp};
use mimamori_policy::model::{Choice, Choices, Field, FieldType};
use mimamori_policy::{Role, RoleScope};

use super::asked::{Asked, Sent, field, must};
use super::inputs::Filled;
use super::words::translated;
use super::{Crumb, crumbs, frame};
use crate::dates;
use crate::error::{Answered, Fault};
use crate::forms::Query;
use crate::layout::{Ask, Layout, page, page_with, see};
use crate::pages::id;
use crate::uploads::Form;

/// Holders named in the list of roles; the role's page has them all.
const HOLDERS: usize = 5;
/// Appointments that a role's page lists.
const APPOINTMENTS: usize = 60;

/// Somebody's appointment in words.
struct Held {
    name: String,
    /// Institution, unit or system.
    place: Option<String>,
    deputy: bool,
    from: String,
    until: Option<String>,
    by: String,
    in_force: bool,
    /// It begins later.
    coming: bool,
    end: Option<String>,
}

fn held(ask: &Ask, role: &Role, appointment: &AppointmentView, may_end: bool) -> Held {
    let (pack, texts, now) = (ask.web.app.pack(), ask.texts(), ask.web.now());
    let language = translated(texts);
    let unit = |code: &String| pack.unit(code).map_or_else(|| code.clone(), |u| u.name(language).to_owned());
    let system =
        |code: &String| pack.system(code).map_or_else(|| code.clone(), |s| s.name(language).to_owned());
    let place = appointment.institution.clone();
    let place = place.or_else(|| appointment.unit.as_ref().map(unit));
    let place = place.or_else(|| appointment.system.as_ref().map(system));
    let ends = appointment.until.is_none_or(|until| now < until);
    Held {
        name: appointment.name.clone(),
        place,
        deputy: appointment.deputy,
        from: dates::date(dates::day_of(appointment.from), texts),
        until: appointment.until.map(|until| dates::date_time(until, texts)),
        by: appointment.appointed_by.clone(),
        in_force: appointment.in_force,
        coming: now < appointment.from,
        end: (may_end && ends)
            .then(|| format!("/rules/roles/{}/appointments/{}/end", role.code, appointment.id)),
    }
}

#[derive(Template)]
#[template(path = "governance/roles.html")]
struct List {
    l: Layout,
    crumbs: Vec<Crumb>,
    roles: Vec<Item>,
    /// Roles that nobody holds.
    empty: u64,
    /// Roles that the rules have no more, with who was appointed to them.
    vanished: Vec<(String, Vec<String>)>,
}

struct Item {
    link: String,
    name: String,
    help: Option<String>,
    holders: Vec<Held>,
    more: u64,
    outside: bool,
    filled: bool,
    may_appoint: bool,
}

/// `GET /rules/roles`
pub(crate) async fn list(ask: Ask) -> Answered {
    let texts = ask.texts();
    let found = ask.web.app.roles(&ask.caller).await?;
    let item = |view: &RoleView| {
        let now: Vec<_> = view.appointments.iter().filter(|held| held.in_force).collect();
        Item {
            link: format!("/rules/roles/{}", view.role.code),
            name: view.role.name(translated(texts)).to_owned(),
            help: view.role.help.as_ref().map(|help| help.get(translated(texts)).to_owned()),
            holders: now.iter().take(HOLDERS).map(|one| held(&ask, &view.role, one, false)).collect(),
            more: now.len().saturating_sub(HOLDERS) as u64,
            outside: view.role.outside,
            filled: view.filled(),
            may_appoint: view.may_appoint,
        }
    };
    let names = |view: &RoleView| view.appointments.iter().map(|held| held.name.clone()).collect();
    let vanished = found.iter().filter(|view| view.vanished);
    let vanished = vanished.map(|view| (view.role.code.to_string(), names(view))).collect();
    let roles: Vec<Item> = found.iter().filter(|view| !view.vanished).map(item).collect();
    page(&List {
        l: ask.layout("roles-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        empty: roles.iter().filter(|role| !role.outside && !role.filled).count() as u64,
        vanished,
        roles,
    })
}

#[derive(Template)]
#[template(path = "governance/role.html")]
struct Shown {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    help: Option<String>,
    scope: String,
    appointed_by: String,
    apart: String,
    outside: bool,
    now: Vec<Held>,
    others: Vec<Held>,
    form: Option<Asked>,
}

/// What an appointment to a role is asked for.
fn fields(ask: &Ask, role: &Role) -> Vec<Field> {
    let pack = ask.web.app.pack();
    let listed = |list: Vec<Choice>| FieldType::Choice(Choices::Listed(list));
    let mut fields = vec![must("actor", "appoint-person", Some("appoint-person-hint"), FieldType::Person)];
    match role.scope {
        RoleScope::Installation => {}
        RoleScope::Institution => {
            fields.push(must("institution", "appoint-institution", None, FieldType::Institution));
        }
        RoleScope::Unit => {
            let units = pack.units().iter();
            let units = units.map(|unit| Choice { code: unit.code.clone(), name: unit.name.clone() });
            fields.push(must("unit", "appoint-unit", None, listed(units.collect())));
        }
        RoleScope::System => {
            let systems = pack.systems().iter();
            let systems =
                systems.map(|system| Choice { code: system.code.clone(), name: system.name.clone() });
            fields.push(must("system", "appoint-system", None, listed(systems.collect())));
        }
    }
    fields.push(must("from", "appoint-from", None, FieldType::Date));
    fields.push(field("until", "appoint-until", Some("appoint-until-hint"), FieldType::Date));
    fields.push(field("deputy", "appoint-deputy", Some("appoint-deputy-hint"), FieldType::YesNo));
    fields
}

async fn view(ask: &Ask, code: &str) -> Result<RoleView, Fault> {
    let found = ask.web.app.roles(&ask.caller).await?;
    found.into_iter().find(|view| view.role.code.as_str() == code).ok_or_else(Fault::not_found)
}

async fn role_page(ask: &Ask, view: &RoleView, form: Option<Asked>) -> Result<Shown, Fault> {
    let (pack, texts) = (ask.web.app.pack(), ask.texts());
    let (role, language) = (&view.role, translated(texts));
    let base = format!("/rules/roles/{}", role.code);
    let list = |codes: &[RoleCode]| -> String {
        let name = |code: &RoleCode| {
            pack.role(code).map_or_else(|| code.to_string(), |role| role.name(language).to_owned())
        };
        codes.iter().map(name).collect::<Vec<_>>().join(&texts.get("list-and"))
    };
    let form = match form {
        None if view.may_appoint => {
            let mut filled = Filled::default();
            let mut set = |code: &str, value: String| filled.typed.insert(code.to_owned(), vec![value]);
            set("from", dates::day_of(ask.web.now()).to_string());
            set("deputy", "no".to_owned());
            Some(Asked::new(ask, &fields(ask, role), &filled).await?)
        }
        form => form,
    };
    let (now, others): (Vec<_>, Vec<_>) = view.appointments.iter().partition(|one| one.in_force);
    let rows = |list: Vec<&AppointmentView>| -> Vec<Held> {
        list.into_iter().take(APPOINTMENTS).map(|one| held(ask, role, one, view.may_appoint)).collect()
    };
    let scope = match role.scope {
        RoleScope::Installation => "role-scope-all",
        RoleScope::Institution => "role-scope-institution",
        RoleScope::Unit => "role-scope-unit",
        RoleScope::System => "role-scope-system",
    };
    Ok(Shown {
        l: frame(ask, role.name(language).to_owned(), &base),
        crumbs: crumbs(ask, &[("/rules/roles", &texts.get("roles-title"))]),
        base,
        help: role.help.as_ref().map(|help| help.get(language).to_owned()),
        scope: texts.get(scope),
        appointed_by: if role.appointed_by.is_empty() {
            texts.get("role-appointed-above")
        } else {
            list(&role.appointed_by)
        },
        apart: list(&role.not_with),
        outside: role.outside,
        now: rows(now),
        others: rows(others),
        form,
    })
}

/// `GET /rules/roles/{role}`
pub(crate) async fn show(ask: Ask, Path(code): Path<String>, Query(query): Query) -> Answered {
    let view = view(&ask, &code).await?;
    let mut shown = role_page(&ask, &view, None).await?;
    shown.l = shown.l.done(query.get("done"));
    page(&shown)
}

/// `POST /rules/roles/{role}/appoint`
pub(crate) async fn appoint(ask: Ask, Path(code): Path<String>, form: Form) -> Answered {
    let role = code.parse().ok().and_then(|code: RoleCode| ask.web.app.pack().role(&code));
    let role = role.ok_or_else(Fault::not_found)?;
    let fields = fields(&ask, role);
    let mut sent = Sent::read(&ask, &fields, &form).await?;
    sent.missing(&ask, &fields);
    let actor = sent.parsed::<ActorId>("actor");
    let from = sent.parsed("from").and_then(dates::start_of);
    // The last day counts as a whole.
    let last: Option<jiff::civil::Date> = sent.parsed("until");
    let until = last.and_then(|day| day.tomorrow().ok()).and_then(dates::start_of);
    for (code, bad) in [("from", from.is_none()), ("until", !sent.get("until").is_empty() && until.is_none())]
    {
        if bad {
            sent.wrong(&ask, code, "asked-date");
        }
    }
    let mut fault = None;
    if let (Some(actor), Some(from), true) = (actor, from, sent.right()) {
        let some = |code: &str| Some(sent.get(code).to_owned()).filter(|text| !text.is_empty());
        let new = NewAppointment {
            actor,
            role: role.code.clone(),
            institution: sent.parsed::<InstitutionId>("institution"),
            unit: some("unit"),
            system: some("system"),
            from,
            until,
            deputy: sent.get("deputy") == "yes",
        };
        match ask.web.app.appoint(&ask.caller, &new).await {
            Ok(_) => return Ok(see(&format!("/rules/roles/{code}?done=appointed"))),
            Err(error) => fault = Some(Fault::from(error)),
        }
    }
    let (status, form) = sent.again(&ask, &fields, fault)?;
    let view = view(&ask, &code).await?;
    if !view.may_appoint {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    page_with(status, &role_page(&ask, &view, Some(form)).await?)
}

#[derive(Template)]
#[template(path = "governance/role_end.html")]
struct End {
    l: Layout,
    crumbs: Vec<Crumb>,
    base: String,
    action: String,
    appointment: Held,
    actor: ActorId,
    seen: u64,
    form: Asked,
}

fn end_fields() -> [Field; 2] {
    [
        must("until", "appoint-end", Some("appoint-end-hint"), FieldType::DateTime),
        must("reason", "appoint-end-reason", None, FieldType::LongText { most: 1_000 }),
    ]
}

async fn end_page(
    ask: &Ask,
    code: &str,
    appointment: ObjectId,
    form: Asked,
    seen: Option<u64>,
) -> Result<End, Fault> {
    let view = view(ask, code).await?;
    let found = view.appointments.iter().find(|one| one.id == appointment);
    let found = found.ok_or_else(Fault::not_found)?;
    if !view.may_appoint {
        return Err(Fault::status(StatusCode::FORBIDDEN));
    }
    let (texts, base) = (ask.texts(), format!("/rules/roles/{code}"));
    let action = format!("{base}/appointments/{appointment}/end");
    Ok(End {
        l: frame(ask, texts.get("appoint-end-title"), &action),
        crumbs: crumbs(
            ask,
            &[("/rules/roles", &texts.get("roles-title")), (&base, view.role.name(translated(texts)))],
        ),
        appointment: held(ask, &view.role, found, false),
        actor: found.actor,
        seen: seen.unwrap_or(found.version),
        action,
        form,
        base,
    })
}

/// `GET /rules/roles/{role}/appointments/{id}/end`
pub(crate) async fn end_form(ask: Ask, Path((code, appointment)): Path<(String, String)>) -> Answered {
    let mut filled = Filled::default();
    filled.typed.insert("until".to_owned(), vec![dates::to_local(ask.web.now())]);
    let form = Asked::new(&ask, &end_fields(), &filled).await?;
    page(&end_page(&ask, &code, id(&appointment)?, form, None).await?)
}

/// `POST /rules/roles/{role}/appointments/{id}/end`
pub(crate) async fn end(ask: Ask, Path((code, appointment)): Path<(String, String)>, form: Form) -> Answered {
    let appointment: ObjectId = id(&appointment)?;
    let unreadable = || Fault::status(StatusCode::BAD_REQUEST);
    let seen: u64 = form.fields.parsed("version").ok_or_else(unreadable)?;
    let actor: ActorId = form.fields.parsed("actor").ok_or_else(Fault::not_found)?;
    let fields = end_fields();
    let mut sent = Sent::read(&ask, &fields, &form).await?;
    sent.missing(&ask, &fields);
    let until: Option<Timestamp> = dates::from_local(sent.get("until"));
    if until.is_none() {
        sent.wrong(&ask, "until", "asked-date");
    }
    let mut fault = None;
    if let (Some(until), true) = (until, sent.right()) {
        let (app, reason) = (&ask.web.app, sent.get("reason"));
        match app.end_appointment(&ask.caller, actor, appointment, seen, until, reason).await {
            Ok(()) => return Ok(see(&format!("/rules/roles/{code}?done=appointment-ended"))),
            Err(error) => fault = Some(Fault::from(error)),
        }
    }
    let (status, form) = sent.again(&ask, &fields, fault)?;
    page_with(status, &end_page(&ask, &code, appointment, form, Some(seen)).await?)
}

#[derive(Template)]
#[template(path = "governance/contacts.html")]
struct Contacts {
    l: Layout,
    crumbs: Vec<Crumb>,
    organisation: String,
    made: String,
    roles: Vec<Contact>,
}

struct Contact {
    role: String,
    holders: Vec<Held>,
}

/// `GET /rules/contacts`: the emergency contact network, which prints on A4.
pub(crate) async fn contacts(ask: Ask) -> Answered {
    let texts = ask.texts();
    let found = ask.web.app.contact_network(&ask.caller).await?;
    let contact = |view: &RoleView| {
        // Holders first, then those who stand in for them.
        let mut holders: Vec<_> = view.appointments.iter().collect();
        holders.sort_by_key(|one| one.deputy);
        Contact {
            role: view.role.name(translated(texts)).to_owned(),
            holders: holders.into_iter().map(|one| held(&ask, &view.role, one, false)).collect(),
        }
    };
    page(&Contacts {
        l: ask.layout("contacts-title").current("rules"),
        crumbs: crumbs(&ask, &[]),
        organisation: ask.web.app.pack().organisation(translated(texts)).to_owned(),
        made: dates::date_time(ask.web.now(), texts),
        roles: found.iter().map(contact).collect(),
    })
}
