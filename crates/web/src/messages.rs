//! What the application tells people, in the language of the page.
//!
//! The application words its messages in English; FHIR passes them on as they are. On Japanese
//! pages each stands in Japanese, from a table that is data (`locales/ja/messages.tsv`). A message
//! without a row is left out there: the page itself says what happened and what to do next.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::error::Fault;
use crate::language::{Language, Texts};

const TABLE: &str = include_str!("../locales/ja/messages.tsv");

/// Stands for a part that varies.
const PART: &str = "{}";

static JAPANESE: LazyLock<Messages> = LazyLock::new(|| Messages::read(TABLE));

/// The message that tells a problem of a policy pack; what varies is the problem's line.
const OF_PACK: &str = "the policy pack is not valid: {}";

const PACK_TABLE: &str = include_str!("../locales/ja/pack-problems.tsv");

static OF_PACKS: LazyLock<Messages> = LazyLock::new(|| Messages::read(PACK_TABLE));

/// What `fault` tells the person, with the places it names; empty when the page says all.
pub(crate) fn said(fault: &Fault, texts: &Texts) -> String {
    let mut parts: Vec<String> = told(&fault.message, texts).into_iter().collect();
    // A rule that is the message itself is not said twice.
    for at in fault.faults.iter().filter(|f| f.rule != fault.message) {
        let rule = told(&at.rule, texts).unwrap_or_else(|| texts.get("rule-broken"));
        parts.push(texts.pairs("fault-at", &[("place", &at.place), ("rule", &rule)]));
    }
    parts.join(" ")
}

/// What is wrong with one field, in the language of the page.
pub(crate) fn rule(fault: &mimamori_domain::Fault, texts: &Texts) -> String {
    told(&fault.rule, texts).unwrap_or_else(|| texts.get("rule-broken"))
}

/// One message in the language of the page.
fn told(message: &str, texts: &Texts) -> Option<String> {
    if message.is_empty() {
        return None;
    }
    match texts.language {
        Language::English => Some(message.to_owned()),
        Language::Japanese => JAPANESE.find(message),
    }
}

/// The table: whole messages, and patterns.
struct Messages {
    whole: HashMap<&'static str, &'static str>,
    patterns: Vec<(&'static str, &'static str)>,
}

impl Messages {
    fn read(table: &'static str) -> Self {
        let (patterns, whole): (Vec<_>, Vec<_>) =
            rows(table).partition(|(english, _)| english.contains(PART));
        Self { whole: whole.into_iter().collect(), patterns }
    }

    fn find(&self, message: &str) -> Option<String> {
        if let Some(japanese) = self.whole.get(message) {
            return Some((*japanese).to_owned());
        }
        self.patterns.iter().find_map(|(english, japanese)| {
            let mut parts: Vec<String> = varying(english, message)?.into_iter().map(str::to_owned).collect();
            if *english == OF_PACK {
                parts.iter_mut().for_each(|part| *part = pack_problem(part));
            }
            Some(parts.iter().fold((*japanese).to_owned(), |text, part| text.replacen(PART, part, 1)))
        })
    }
}

/// A problem of a pack, `file:line: object: what is wrong`: places as they are, the rest in Japanese as
/// far as there are words.
fn pack_problem(line: &str) -> String {
    let ends = std::iter::once(0).chain(line.match_indices(": ").map(|(at, mark)| at + mark.len()));
    let told = ends.filter_map(|at| {
        let (places, what) = line.split_at_checked(at)?;
        Some(format!("{places}{}", OF_PACKS.find(what)?))
    });
    told.into_iter().next().unwrap_or_else(|| line.to_owned())
}

fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|l| !l.starts_with('#')).filter_map(|l| l.split_once('\t'))
}

/// The varying parts of a message of this pattern.
fn varying<'m>(pattern: &str, message: &'m str) -> Option<Vec<&'m str>> {
    let mut fixed = pattern.split(PART);
    let mut rest = message.strip_prefix(fixed.next()?)?;
    let mut found = Vec::new();
    let mut fixed = fixed.peekable();
    while let Some(text) = fixed.next() {
        let last = fixed.peek().is_none();
        let (part, after) = if last { (rest.strip_suffix(text)?, "") } else { rest.split_once(text)? };
        found.push(part);
        rest = after;
    }
    Some(found)
}

#[cfg(test)]
mod tests;
