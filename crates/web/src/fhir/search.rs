//! Searching, by query or by POST `_search` so that search terms stay out of addresses.

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use mimamori_app::{Caller, Paging, Stored};
use mimamori_domain::Kind;
use mimamori_fhir::{BundleWriter, Issue, IssueCode, SearchQuery, operation_outcome};

use super::headers::handling;
use super::{Answered, Refusal, base, body, json_response, kind};
use crate::forms::{media_type, whole};
use crate::session::Known;
use crate::settings::Web;

/// A question sealed for whoever asked it.
const QUERY: &str = "_query";
const CURSOR: &str = "_cursor";
/// Read before the question is; it says nothing about anybody.
const FORMAT: &str = "_format";

/// `GET /fhir/{type}?...`
pub(crate) async fn by_query(
    State(web): State<Web>,
    Known(caller): Known,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    let params = pairs(query.unwrap_or_default().as_bytes());
    search(&web, &caller, &kind(&resource_type)?, params, &headers).await
}

/// `POST /fhir/{type}/_search`: parameters in the body, in the address, or both.
pub(crate) async fn by_body(
    State(web): State<Web>,
    Known(caller): Known,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    form: Body,
) -> Answered {
    let kind = kind(&resource_type)?;
    let form = whole(form, &web).await?;
    if !form.is_empty() && media_type(&headers) != "application/x-www-form-urlencoded" {
        return Err(Refusal::status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let mut params = pairs(query.unwrap_or_default().as_bytes());
    params.extend(pairs(&form));
    search(&web, &caller, &kind, params, &headers).await
}

type Pairs = Vec<(String, String)>;

fn pairs(bytes: &[u8]) -> Pairs {
    form_urlencoded::parse(bytes).into_owned().collect()
}

async fn search(web: &Web, caller: &Caller, kind: &Kind, params: Pairs, headers: &HeaderMap) -> Answered {
    let params = opened(web, caller, kind, params)?;
    let query = SearchQuery::parse(kind.as_str(), &params, handling(headers))
        .map_err(|issues| Refusal::issues(issues).with_status(StatusCode::BAD_REQUEST))?;
    let paging =
        Paging { count: u32::try_from(query.count).unwrap_or(u32::MAX), cursor: query.cursor.clone() };
    let found = web.app.search(caller, &query, &paging).await?;
    let next = match &found.next {
        Some(cursor) => {
            let sealed = web.app.seal_query(caller, &question(kind, &params))?;
            Some(next_link(base(web), kind, &params, &sealed, cursor))
        }
        None => None,
    };
    let links: Vec<(&str, &str)> = next.iter().map(|link| ("next", link.as_str())).collect();
    let mut bundle = BundleWriter::new("searchset", web.now(), found.total, &links);
    let entries = entries(base(web), &found.items)?;
    let outcome = ignored(&query.ignored);
    bundle.search_entries(
        entries
            .iter()
            .map(|(url, resource)| (Some(url.as_str()), resource.as_slice(), "match"))
            .chain(outcome.iter().map(|o| (None, o.as_slice(), "outcome"))),
    );
    Ok(json_response(StatusCode::OK, bundle.finish()))
}

fn entries(base: &str, items: &[Stored]) -> Result<Vec<(String, Vec<u8>)>, Refusal> {
    let entry = |s: &Stored| Ok((format!("{base}/{}/{}", s.kind, s.id), body(s)?));
    items.iter().map(entry).collect()
}

/// Tells which parameters were passed over.
fn ignored(names: &[String]) -> Option<Vec<u8>> {
    let issue = |name: &String| {
        let said = format!("this parameter is not served and was passed over: {name}");
        Issue::warning(IssueCode::NotSupported, said)
    };
    let issues: Vec<Issue> = names.iter().map(issue).collect();
    (!issues.is_empty()).then(|| operation_outcome(&issues))
}

/// The parameters of a continuation as they were first asked, and its position; those of any other
/// request as they are.
fn opened(web: &Web, caller: &Caller, kind: &Kind, params: Pairs) -> Result<Pairs, Refusal> {
    let refused = |said| Err(Refusal::issue(StatusCode::BAD_REQUEST, IssueCode::Value, said));
    let Some((_, sealed)) = params.iter().find(|(name, _)| name == QUERY) else { return Ok(params) };
    if params.iter().any(|(name, _)| ![QUERY, CURSOR, FORMAT].contains(&name.as_str())) {
        return refused("a link to the next page takes no further parameters: use it as it is");
    }
    let text = web.app.open_query(caller, sealed)?;
    let asked = text.split_once('?').filter(|(asked, _)| *asked == kind.as_str());
    let Some((_, text)) = asked else {
        return refused("this link belongs to another type of resource: use it as it is");
    };
    let mut asked = pairs(text.as_bytes());
    asked.extend(params.into_iter().filter(|(name, _)| name != QUERY));
    Ok(asked)
}

/// What is sealed: the type and everything that was asked, but for the position.
fn question(kind: &Kind, params: &[(String, String)]) -> String {
    let kept = params.iter().filter(|(name, _)| name != CURSOR && name != FORMAT);
    format!("{kind}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish())
}

/// The link to the next page works by itself: question and position, both sealed. Nothing in it says
/// who somebody is, so it may stand in a client's or a proxy's log (invariant 9).
fn next_link(base: &str, kind: &Kind, params: &[(String, String)], sealed: &str, cursor: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair(QUERY, sealed).append_pair(CURSOR, cursor);
    if let Some((name, format)) = params.iter().find(|(name, _)| name == FORMAT) {
        query.append_pair(name, format);
    }
    format!("{base}/{kind}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_say_nothing_of_what_was_asked() {
        let asked = "name=%E5%B1%B1%E7%94%B0&family:exact=x&patient=1&_count=5&_cursor=old";
        let kind = Kind::of("Patient");
        let mut params = pairs(asked.as_bytes());
        let link = next_link("/fhir", &kind, &params, "sealed-1", "sealed+/=");
        assert_eq!(link, "/fhir/Patient?_query=sealed-1&_cursor=sealed%2B%2F%3D");
        // The question is sealed whole, but for the position.
        let sealed = question(&kind, &params);
        let (of, text) = sealed.split_once('?').unwrap();
        assert_eq!(of, "Patient");
        assert_eq!(Some(pairs(text.as_bytes()).as_slice()), params.split_last().map(|(_, kept)| kept));
        // A format asked for in the address is kept there: it is read before anything else.
        params.push((FORMAT.to_owned(), "json".to_owned()));
        assert!(next_link("/fhir", &kind, &params, "s", "c").ends_with("&_cursor=c&_format=json"));
        assert_eq!(question(&kind, &params), sealed);
    }
}
