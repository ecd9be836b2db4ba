//! The rules that a city lives by.

use mimamori_demo::rules;
use mimamori_domain::Error;
use mimamori_policy::{Pack, PackProblem};

/// The pack, with example values for what only a site can say. Nobody must have a second factor: whoever
/// tries it out is everybody in turn, by one password.
///
/// # Errors
/// Every problem of the pack with those values.
pub fn lived_in(pack: &Pack) -> Result<Pack, Vec<PackProblem>> {
    let mut values: Vec<(String, String)> = pack
        .unset_parameters()
        .filter_map(|open| {
            let (key, example) = rules::site_examples().find(|(key, _)| *key == open.key)?;
            Some((key.to_owned(), example.to_owned()))
        })
        .collect();
    values.push(("second-factor.required-of".to_owned(), "nobody".to_owned()));
    pack.with_parameters(&values)
}

/// A pack with one of its numbers changed, another way for each `turn`: what somebody proposes.
///
/// # Errors
/// Internal when such a pack is not valid.
pub fn revised(pack: &Pack, turn: u64) -> Result<Pack, Error> {
    let key = rules::REVISED;
    let bounds = pack.parameter(key).and_then(|parameter| Some((parameter.least?, parameter.most?)));
    let (least, most) = bounds.ok_or_else(|| Error::internal("the parameter to be revised has no bounds"))?;
    let now = pack.parameter_u64(key)?;
    let others: Vec<u64> = (least..=most).filter(|other| *other != now).collect();
    let place = usize::try_from(turn).unwrap_or(0) % others.len().max(1);
    let new = others.get(place).copied().unwrap_or(now);
    pack.with_parameters(&[(key.to_owned(), new.to_string())])
        .map_err(|_problems| Error::internal("the rules with another number are not valid"))
}
