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
            let parts = varying(english, message)?;
            Some(parts.iter().fold((*japanese).to_owned(), |text, part| text.replacen(PART, part, 1)))
        })
    }
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
