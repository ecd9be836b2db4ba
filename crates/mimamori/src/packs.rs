//! Which policy pack an installation begins under, and what the site says in it.

use std::path::Path;

use mimamori_policy::{Language, Pack, PackProblem};

use crate::exit::{Exit, Failure, Result};

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
    if values.is_empty() {
        return Ok(pack);
    }
    let values = values.iter().map(|value| pair(value)).collect::<Result<Vec<_>>>()?;
    pack.with_parameters(&values).map_err(|problems| not_valid(Some(place), &problems))
}

/// A parameter's key and its value.
fn pair(value: &str) -> Result<(String, String)> {
    let (key, value) =
        value.split_once('=').map(|(key, value)| (key.trim(), value.trim())).unwrap_or_default();
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if key.is_empty() || value.is_empty() || !key.chars().all(known) {
        return Err(Failure::new(Exit::Usage, "--set takes KEY=VALUE, with a key of the pack's parameters"));
    }
    Ok((key.to_owned(), value.to_owned()))
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

/// How a pack that is not valid is told, with every problem's file and line.
#[must_use]
pub fn not_valid(place: Option<&Path>, problems: &[PackProblem]) -> Failure {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let place = place.map_or_else(|| "the built-in pack".to_owned(), |place| place.display().to_string());
    Failure::new(Exit::Configuration, format!("the policy pack {place} is not valid:\n{}", lines.join("\n")))
        .next("`mimamori pack check DIR` checks a pack without an installation.")
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
        assert!(chosen(Path::new("kasama"), &["retention.records-years".to_owned()]).is_err());
    }
}
