//! Which policy pack an installation begins under, and what the site says in it.

use std::path::Path;

use mimamori_policy::{Language, Pack, PackProblem};

use crate::exit::{Exit, Failure, Result};

/// The site's own file within a pack.
const SITE: &str = "site.yaml";
/// Where it lists values of parameters.
const PARAMETERS: &str = "parameters:";

/// The pack in a folder, or the built-in base pack.
///
/// # Errors
/// [`Exit::Configuration`] with every problem's file and line.
pub fn load(folder: Option<&Path>) -> Result<Pack> {
    let loaded = folder.map_or_else(Pack::embedded_base, Pack::load);
    loaded.map_err(|problems| not_valid(folder, &problems))
}

/// The built-in pack of this name, or the one in this folder, with values that the site gives:
/// `KEY=VALUE` each, written into its `site.yaml`.
///
/// # Errors
/// [`Exit::Usage`] for a value that is not `KEY=VALUE`; [`Exit::Configuration`] with every problem's
/// file and line.
pub fn chosen(place: &Path, values: &[String]) -> Result<Pack> {
    let built_in =
        place.to_str().filter(|id| !place.exists() && Pack::embedded_ids().any(|known| known == *id));
    let pack = built_in.map_or_else(|| Pack::load(place), Pack::embedded);
    let pack = pack.map_err(|problems| not_valid(Some(place), &problems))?;
    if values.is_empty() { Ok(pack) } else { with_parameters(&pack, values) }
}

/// A pack with values that the site gives, as [`chosen`].
///
/// # Errors
/// As [`chosen`].
pub fn with_parameters(pack: &Pack, values: &[String]) -> Result<Pack> {
    let mut files = pack.files().clone();
    let site = files.get(SITE).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
    files.insert(SITE.to_owned(), with_values(&site, values)?.into_bytes());
    Pack::from_files(files).map_err(|problems| not_valid(Some(Path::new(pack.id())), &problems))
}

/// Refuses a pack that leaves something open which only the site can say.
///
/// # Errors
/// [`Exit::Configuration`] with every such parameter and what it means.
pub fn require_set(pack: &Pack) -> Result<()> {
    let open: Vec<String> = pack
        .unset_parameters()
        .map(|parameter| {
            let (ja, en) = (parameter.help.get(Language::Ja), parameter.help.get(Language::En));
            let bounds = match (parameter.least, parameter.most) {
                (None, None) => String::new(),
                (least, most) => {
                    let word = |bound: Option<u64>| bound.map_or_else(String::new, |bound| bound.to_string());
                    format!(" ({}..{})", word(least), word(most))
                }
            };
            format!("  {}{bounds}: {ja} / {en}", parameter.key)
        })
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Configuration,
        format!("the pack {} leaves open what only the site can say:\n{}", pack.id(), open.join("\n")),
    )
    .next("Give each with `mimamori init --set KEY=VALUE`, or in the pack's site.yaml."))
}

fn not_valid(place: Option<&Path>, problems: &[PackProblem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let place = place.map_or_else(|| "the built-in pack".to_owned(), |place| place.display().to_string());
    Failure::new(Exit::Configuration, format!("the policy pack {place} is not valid:\n{}", lines.join("\n")))
        .next("`mimamori pack check DIR` checks a pack without an installation.")
}

/// A site's file with values of parameters in it; an earlier line about the same parameter goes.
fn with_values(site: &str, values: &[String]) -> Result<String> {
    let mut given = Vec::with_capacity(values.len());
    for value in values {
        let (key, value) =
            value.split_once('=').map(|(key, value)| (key.trim(), value.trim())).unwrap_or_default();
        let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
        if key.is_empty() || value.is_empty() || !key.chars().all(known) {
            return Err(Failure::new(
                Exit::Usage,
                "--set takes KEY=VALUE, with a key of the pack's parameters",
            ));
        }
        given.push((key, scalar(value)));
    }
    let about =
        |line: &str| given.iter().any(|(key, _)| line.trim().starts_with(&format!("- {{key: {key},")));
    let mut lines: Vec<String> = site.lines().filter(|line| !about(line)).map(ToOwned::to_owned).collect();
    let head = lines.iter().position(|line| line.starts_with(PARAMETERS));
    let rest =
        head.and_then(|at| lines.get(at)).and_then(|line| line.strip_prefix(PARAMETERS)).map(str::trim);
    if let (Some(head), Some(rest)) = (head, rest)
        && let Some(listed) = rest.strip_prefix('[')
    {
        let listed: String = given
            .iter()
            .map(|(key, value)| format!("{{key: {key}, value: {value}}}, "))
            .chain([listed.to_owned()])
            .collect();
        lines.splice(head..=head, [format!("{PARAMETERS} [{listed}")]);
        return Ok(lines.join("\n") + "\n");
    }
    let head = head.unwrap_or_else(|| {
        lines.push(PARAMETERS.to_owned());
        lines.len() - 1
    });
    let new = given.iter().map(|(key, value)| format!("  - {{key: {key}, value: {value}}}"));
    lines.splice(head + 1..head + 1, new);
    Ok(lines.join("\n") + "\n")
}

/// A value as YAML writes it: numbers, switches and lists plain, everything else quoted.
fn scalar(value: &str) -> String {
    let plain = value.parse::<u64>().is_ok()
        || matches!(value, "true" | "false")
        || (value.starts_with('[') && value.ends_with(']'));
    if plain { value.to_owned() } else { serde_json::Value::from(value).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_that_waits_for_the_site_is_refused_until_it_has_the_value() {
        let pack = chosen(Path::new("kasama"), &[]).unwrap();
        let refused = require_set(&pack).unwrap_err();
        assert!(refused.message.contains("retention.records-years"), "{}", refused.message);
        let set = chosen(Path::new("kasama"), &["retention.records-years=7".to_owned()]).unwrap();
        require_set(&set).unwrap();
        assert_eq!(set.parameter_u64("retention.records-years").unwrap(), 7);
        assert_ne!(set.hash(), pack.hash());
        assert!(
            chosen(Path::new("kasama"), &["retention.records-years=1".to_owned()]).is_err(),
            "below its bound"
        );
        assert!(chosen(Path::new("kasama"), &["retention.records-years".to_owned()]).is_err());
    }

    #[test]
    fn values_join_what_a_site_says_already() {
        let value = ["a.b=5".to_owned()];
        let block = with_values(
            "# ours\nparameters:\n  - {key: a.b, value: 3}\n  - {key: c, value: 1}\nunits:\n",
            &value,
        );
        assert_eq!(
            block.unwrap(),
            "# ours\nparameters:\n  - {key: a.b, value: 5}\n  - {key: c, value: 1}\nunits:\n"
        );
        let line = with_values("parameters: [{key: c, value: 1}]\n", &value).unwrap();
        assert_eq!(line, "parameters: [{key: a.b, value: 5}, {key: c, value: 1}]\n");
        assert_eq!(
            with_values("", &["x=a b".to_owned()]).unwrap(),
            "parameters:\n  - {key: x, value: \"a b\"}\n"
        );
    }
}
