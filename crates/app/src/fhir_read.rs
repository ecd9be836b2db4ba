//! What the use cases themselves need to know from FHIR resources: team members, names.

use mimamori_domain::{ActorId, Error, InstitutionId, Result, Timestamp};
use mimamori_policy::TeamMembership;
use serde_json::Value;

fn parse(bytes: &[u8]) -> Result<Value> {
    // The message of serde_json may quote content: only the place goes into the detail.
    serde_json::from_slice(bytes)
        .map_err(|e| Error::internal(format!("a stored resource is unreadable at column {}", e.column())))
}

/// A member of an object; JSON null where there is none.
fn at<'a>(value: &'a Value, member: &str) -> &'a Value {
    value.get(member).unwrap_or(&Value::Null)
}

/// The memberships a CareTeam states: R4 `CareTeam.participant.member` of type Practitioner or
/// Organization, with the participant's period.
pub(crate) fn team(bytes: &[u8]) -> Result<Vec<TeamMembership>> {
    let resource = parse(bytes)?;
    if !matches!(at(&resource, "status").as_str(), None | Some("active" | "proposed")) {
        return Ok(Vec::new());
    }
    let participants = at(&resource, "participant").as_array().map_or(&[][..], Vec::as_slice);
    Ok(participants.iter().filter_map(membership).collect())
}

/// Whom a Communication is for, of staff: ids of those who act. Institutions are nobody in particular.
pub(crate) fn recipients(bytes: &[u8]) -> Result<std::collections::BTreeSet<Vec<u8>>> {
    let resource = parse(bytes)?;
    let named = at(&resource, "recipient").as_array().map_or(&[][..], Vec::as_slice);
    let actor = |recipient: &Value| {
        let id = at(recipient, "reference").as_str()?.strip_prefix("Practitioner/")?;
        Some(id.parse::<ActorId>().ok()?.to_vec())
    };
    Ok(named.iter().filter_map(actor).collect())
}

/// Whether a Communication is urgent: R4 `Communication.priority` of `stat`.
pub(crate) fn is_urgent(bytes: &[u8]) -> Result<bool> {
    Ok(at(&parse(bytes)?, "priority") == "stat")
}

fn membership(participant: &Value) -> Option<TeamMembership> {
    let reference = at(at(participant, "member"), "reference").as_str()?;
    let (kind, id) = reference.split_once('/')?;
    let (actor, institution) = match kind {
        "Practitioner" => (Some(id.parse::<ActorId>().ok()?), None),
        "Organization" => (None, Some(id.parse::<InstitutionId>().ok()?)),
        _ => return None,
    };
    let period = at(participant, "period");
    Some(TeamMembership {
        actor,
        institution,
        from: bound(at(period, "start"), false).unwrap_or(Timestamp::from_micros(i64::MIN)),
        until: bound(at(period, "end"), true),
    })
}

/// A FHIR dateTime as the beginning or the end (exclusive) of what it names.
fn bound(value: &Value, end: bool) -> Option<Timestamp> {
    let (start, finish) = mimamori_fhir::date_interval(value.as_str()?)?;
    Some(Timestamp::from_micros(if end { finish } else { start }))
}

/// An Organization's name.
pub(crate) fn organization_name(bytes: &[u8]) -> Result<Option<String>> {
    Ok(at(&parse(bytes)?, "name").as_str().map(ToOwned::to_owned))
}

/// The name of a Patient or Practitioner as it is written (not the reading): the official name
/// before others.
pub(crate) fn person_name(bytes: &[u8]) -> Result<String> {
    let resource = parse(bytes)?;
    let names = at(&resource, "name").as_array().map_or(&[][..], Vec::as_slice);
    let written = |name: &&Value| !is_reading(name);
    let name = names
        .iter()
        .filter(written)
        .find(|name| at(name, "use") == "official")
        .or_else(|| names.iter().find(written))
        .or_else(|| names.first());
    Ok(name.map(name_text).unwrap_or_default())
}

/// A person's name as written and, where it is known, its reading in kana.
pub(crate) fn person_name_and_reading(bytes: &[u8]) -> Result<(String, Option<String>)> {
    let resource = parse(bytes)?;
    let names = at(&resource, "name").as_array().map_or(&[][..], Vec::as_slice);
    let reading = names.iter().find(|name| {
        at(name, "extension").as_array().is_some_and(|all| all.iter().any(|e| at(e, "valueCode") == "SYL"))
    });
    Ok((person_name(bytes)?, reading.map(name_text)))
}

/// A Patient's day of birth as far as it is known: `1950-03-04`, `1950-03`, `1950`.
pub(crate) fn birth_date(bytes: &[u8]) -> Result<Option<String>> {
    Ok(at(&parse(bytes)?, "birthDate").as_str().map(ToOwned::to_owned))
}

fn is_reading(name: &Value) -> bool {
    at(name, "extension")
        .as_array()
        .is_some_and(|all| all.iter().any(|e| at(e, "valueCode") == "SYL" || at(e, "valueCode") == "ABC"))
}

fn name_text(name: &Value) -> String {
    if let Some(text) = at(name, "text").as_str() {
        return text.to_owned();
    }
    let given = at(name, "given").as_array().map_or(&[][..], Vec::as_slice);
    let parts: Vec<&str> =
        at(name, "family").as_str().into_iter().chain(given.iter().filter_map(Value::as_str)).collect();
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_written_and_not_as_read() {
        let patient = br#"{"name":[
            {"extension":[{"url":"x","valueCode":"SYL"}],"family":"\u30e4\u30de\u30c0"},
            {"use":"official","family":"\u5c71\u7530","given":["\u82b1"]}]}"#;
        assert_eq!(person_name(patient).unwrap(), "山田 花");
    }

    #[test]
    fn an_end_covers_the_whole_of_what_it_names() {
        let shown = |text: &str, end| bound(&Value::from(text), end).map(|time| time.to_string());
        assert_eq!(shown("2026-11-21", false).as_deref(), Some("2026-11-20T15:00:00.000000Z"));
        assert_eq!(shown("2026-11", true).as_deref(), Some("2026-11-30T15:00:00.000000Z"));
        assert_eq!(shown("soon", true), None);
    }

    #[test]
    fn members_of_an_ended_team_are_none() {
        let id = ActorId::random();
        let team_of = |status: &str| {
            let text = format!(
                r#"{{"status":"{status}","participant":[{{"member":{{"reference":"Practitioner/{id}"}}}}]}}"#
            );
            team(text.as_bytes()).unwrap().len()
        };
        assert_eq!((team_of("active"), team_of("inactive")), (1, 0));
    }
}
