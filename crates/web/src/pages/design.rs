//! 画面の部品: every component of the pages on one, with made-up content, for whoever changes the style.

use askama::Template;

use crate::error::Answered;
use crate::layout::{Ask, Layout, page};

#[derive(Template)]
#[template(path = "design.html")]
pub(super) struct Page {
    pub(super) l: Layout,
}

/// `GET /design`
pub(crate) async fn show(ask: Ask) -> Answered {
    page(&Page { l: ask.layout("design-title") })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use askama::Template as _;

    use super::*;
    use crate::assets::STYLE;
    use crate::language::Language;

    /// Words after `before`, up to whatever is no part of a name.
    fn names<'a>(text: &'a str, before: &str) -> BTreeSet<&'a str> {
        let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let ends = |rest: &'a str| rest.split(|c| !part(c)).next().unwrap_or_default();
        let all = text.split(before).skip(1).map(ends);
        all.filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())).collect()
    }

    /// What the style has for the screen: without comments, declarations, and the part for paper.
    fn selectors() -> String {
        let (screen, _) = STYLE.split_once("/* on paper").unwrap();
        let without_comments: String =
            screen.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, rest)| rest)).collect();
        let mut inside = String::new();
        for part in without_comments.split('{') {
            inside.push_str(part.rsplit_once(['}', ';']).map_or(part, |(_, selector)| selector));
            inside.push('\n');
        }
        inside
    }

    #[test]
    fn every_component_of_the_style_is_shown() {
        let selectors = selectors();
        let styled = names(&selectors, ".");
        assert!(styled.len() > 80, "{styled:?}");
        for language in Language::ALL {
            let page = Page { l: Layout::sample(language.texts(), "design-title") }.render().unwrap();
            let shown: BTreeSet<&str> = page
                .split("class=\"")
                .skip(1)
                .flat_map(|rest| rest.split('"').next().unwrap_or_default().split(' '))
                .collect();
            let missing: Vec<_> = styled.iter().filter(|name| !shown.contains(**name)).collect();
            assert!(missing.is_empty(), "not on /design: {missing:?}");
        }
    }
}
