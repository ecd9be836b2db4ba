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

/// Parameters that say who somebody is: never written into a link.
const PERSONAL: [&str; 6] = ["name", "family", "given", "birthdate", "gender", "identifier"];

/// `GET /fhir/{type}?...`
pub(crate) async fn by_query(
    State(web): State<Web>,
    Known(caller): Known,
    Path(resource_type): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Answered {
    let params = pairs(query.unwrap_or_default().as_bytes());
    search(&web, &caller, &kind(&resource_type)?, &params, &headers).await
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
    search(&web, &caller, &kind, &params, &headers).await
}

fn pairs(bytes: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(bytes).into_owned().collect()
}

async fn search(
    web: &Web,
    caller: &Caller,
    kind: &Kind,
    params: &[(String, String)],
    headers: &HeaderMap,
) -> Answered {
    let query = SearchQuery::parse(kind.as_str(), params, handling(headers))
        .map_err(|issues| Refusal::issues(issues).with_status(StatusCode::BAD_REQUEST))?;
    let paging =
        Paging { count: u32::try_from(query.count).unwrap_or(u32::MAX), cursor: query.cursor.clone() };
    let found = web.app.search(caller, &query, &paging).await?;
    let next = found.next.as_ref().map(|cursor| next_link(base(web), kind, params, cursor));
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

/// The link to the next page: the sealed position and whatever of the question says nothing about
/// who somebody is. A client that searched by such parameters repeats them with `_cursor`.
fn next_link(base: &str, kind: &Kind, params: &[(String, String)], cursor: &str) -> String {
    let kept = params.iter().filter(|(name, _)| {
        let bare = name.split(':').next().unwrap_or_default();
        bare != "_cursor" && !PERSONAL.contains(&bare)
    });
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept).append_pair("_cursor", cursor);
    format!("{base}/{kind}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_say_nothing_of_who_somebody_is() {
        let params = pairs(
            "name=%E5%B1%B1%E7%94%B0&family:exact=x&birthdate=ge1950&identifier=1&given=y&gender=male\
             &_count=5&_cursor=old&_sort=birthdate"
                .as_bytes(),
        );
        let link = next_link("/fhir", &Kind::of("Patient"), &params, "sealed+/=");
        assert_eq!(link, "/fhir/Patient?_count=5&_sort=birthdate&_cursor=sealed%2B%2F%3D");
    }

    #[test]
    fn every_personal_parameter_of_people_is_known() {
        let served = mimamori_fhir::served_parameters("Patient");
        for (name, _) in served {
            let plain = name.starts_with('_');
            assert!(plain || PERSONAL.contains(&name), "{name} would stand in a link");
        }
    }
}
