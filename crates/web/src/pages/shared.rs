//! Shared ids (共用ID): taking one, laying it down, and who may.

use axum::extract::Path;
use mimamori_domain::ActorId;

use super::id;
use crate::error::Answered;
use crate::forms::Fields;
use crate::layout::{Ask, see};
use crate::session;

/// `POST /account/shared/{actor}`: the session goes on under it.
pub(crate) async fn take(ask: Ask, Path(actor): Path<String>) -> Answered {
    let token = ask.web.app.take_shared(&ask.caller, id(&actor)?).await?;
    session::give(see("/"), &token, ask.web.settings.tls)
}

/// `POST /account/shared`: the session goes on as one's own.
pub(crate) async fn leave(ask: Ask) -> Answered {
    let token = ask.web.app.leave_shared(&ask.caller).await?;
    session::give(see("/account?done=shared-left"), &token, ask.web.settings.tls)
}

/// `POST /admin/accounts/{actor}/permitted`: who may take it, one sign-in name on each line.
pub(crate) async fn permit(ask: Ask, Path(actor): Path<String>, fields: Fields) -> Answered {
    let shared: ActorId = id(&actor)?;
    let people = fields.lines("people");
    let people: Vec<String> = people.split_whitespace().map(ToOwned::to_owned).collect();
    let done = ask.web.app.permit_shared(&ask.caller, shared, &people, &fields.lines("reason")).await;
    super::account_life::told(&ask, &actor, done, &fields, "permitted").await
}
