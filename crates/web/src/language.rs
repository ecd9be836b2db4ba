//! Texts in Japanese and English, from fluent files that are part of the program.

use std::fmt;
use std::sync::LazyLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

/// The cookie that keeps a person's choice.
pub(crate) const COOKIE: &str = "lang";

/// A language of the screens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Japanese,
    English,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::Japanese, Self::English];

    /// The BCP 47 tag.
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Japanese => "ja",
            Self::English => "en",
        }
    }

    pub(crate) fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|l| l.tag() == tag)
    }

    /// The cookie's choice; else the first known language of Accept-Language (RFC 9110 section
    /// 12.5.4) by weight; else Japanese.
    pub(crate) fn choose(cookie: Option<&str>, accept: Option<&str>) -> Self {
        if let Some(chosen) = cookie.and_then(Self::from_tag) {
            return chosen;
        }
        let mut best = (0, Self::Japanese);
        for range in accept.unwrap_or_default().split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let primary = tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts
                .find_map(|p| p.trim().strip_prefix("q="))
                .map_or(Some(1.0), |q| q.parse::<f32>().ok())
                .filter(|q| (0.0..=1.0).contains(q))
                .unwrap_or(0.0);
            // A weight has at most three decimals.
            let thousandths = (weight * 1000.0) as u32;
            if let Some(language) = Self::from_tag(&primary)
                && thousandths > best.0
            {
                best = (thousandths, language);
            }
        }
        best.1
    }

    pub(crate) fn texts(self) -> &'static Texts {
        let [japanese, english] = &*TEXTS;
        match self {
            Self::Japanese => japanese,
            Self::English => english,
        }
    }
}

/// The files of each language, in the same order.
const FILES: [[&str; 9]; 2] = [
    [
        include_str!("../locales/ja/common.ftl"),
        include_str!("../locales/ja/people.ftl"),
        include_str!("../locales/ja/records.ftl"),
        include_str!("../locales/ja/notebook.ftl"),
        include_str!("../locales/ja/ledger.ftl"),
        include_str!("../locales/ja/governance.ftl"),
        include_str!("../locales/ja/administration.ftl"),
        include_str!("../locales/ja/rules.ftl"),
        include_str!("../locales/ja/words.ftl"),
    ],
    [
        include_str!("../locales/en/common.ftl"),
        include_str!("../locales/en/people.ftl"),
        include_str!("../locales/en/records.ftl"),
        include_str!("../locales/en/notebook.ftl"),
        include_str!("../locales/en/ledger.ftl"),
        include_str!("../locales/en/governance.ftl"),
        include_str!("../locales/en/administration.ftl"),
        include_str!("../locales/en/rules.ftl"),
        include_str!("../locales/en/words.ftl"),
    ],
];

static TEXTS: LazyLock<[Texts; 2]> = LazyLock::new(|| {
    let [japanese, english] = FILES;
    [Texts::load(Language::Japanese, &japanese), Texts::load(Language::English, &english)]
});

/// Every text of one language.
pub(crate) struct Texts {
    pub(crate) language: Language,
    bundle: FluentBundle<FluentResource>,
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Texts").field(&self.language).finish()
    }
}

impl Texts {
    /// A number in few characters, for an axis: `25万`, `250k`; one place after the point at most.
    pub(crate) fn short(&self, n: u64) -> String {
        let (unit, word) = match (self.language, n) {
            (Language::Japanese, 100_000_000..) => (100_000_000, "億"),
            (Language::Japanese, 10_000..) => (10_000, "万"),
            (Language::English, 1_000_000..) => (1_000_000, "M"),
            (Language::English, 10_000..) => (1_000, "k"),
            _ => return n.to_string(),
        };
        match (n / unit, n % unit / (unit / 10)) {
            (whole, 0) => format!("{whole}{word}"),
            (whole, tenths) => format!("{whole}.{tenths}{word}"),
        }
    }

    fn load(language: Language, files: &[&str]) -> Self {
        let tag = language.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![tag]);
        // Marks around arguments would be read out by some screen readers; names are set apart by
        // the wording.
        bundle.set_use_isolating(false);
        for file in files {
            // A file that does not parse wholly is still used for what does; the tests refuse it.
            let resource = FluentResource::try_new((*file).to_owned()).unwrap_or_else(|(r, _)| r);
            bundle.add_resource_overriding(resource);
        }
        Self { language, bundle }
    }

    /// The text of `key`.
    pub(crate) fn get(&self, key: &str) -> String {
        self.format(key, None)
    }

    /// The text of `key`, if there is one: for words whose codes come from data.
    pub(crate) fn find(&self, key: &str) -> Option<String> {
        self.bundle.has_message(key).then(|| self.get(key))
    }

    /// The text of `key` with one argument.
    pub(crate) fn with(&self, key: &str, name: &str, value: &str) -> String {
        self.pairs(key, &[(name, value)])
    }

    /// The text of `key` with several arguments.
    pub(crate) fn pairs(&self, key: &str, pairs: &[(&str, &str)]) -> String {
        let mut args = FluentArgs::new();
        for (name, value) in pairs {
            args.set((*name).to_owned(), (*value).to_owned());
        }
        self.format(key, Some(&args))
    }

    /// The text of `key` with the number `n`.
    pub(crate) fn count(&self, key: &str, n: u64) -> String {
        let mut args = FluentArgs::new();
        args.set("n", FluentValue::from(n));
        self.format(key, Some(&args))
    }

    fn format(&self, key: &str, args: Option<&FluentArgs<'_>>) -> String {
        let Some(pattern) = self.bundle.get_message(key).and_then(|m| m.value()) else {
            tracing::error!(key, "a text is missing");
            return key.to_owned();
        };
        self.bundle.format_pattern(pattern, args, &mut Vec::new()).into_owned()
    }
}

#[cfg(test)]
mod tests;
