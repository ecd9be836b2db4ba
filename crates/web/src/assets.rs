//! The style sheet and the modules: small files, whose names carry a hash of their content
//! so that browsers may keep them for ever.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The style's parts in the order they are read: values, what they are for, then from text to paper.
pub(crate) const STYLE: &str = concat!(
    include_str!("../assets/style/tokens.css"),
    include_str!("../assets/style/roles.css"),
    include_str!("../assets/style/text.css"),
    include_str!("../assets/style/frame.css"),
    include_str!("../assets/style/forms.css"),
    include_str!("../assets/style/messages.css"),
    include_str!("../assets/style/records.css"),
    include_str!("../assets/style/tables.css"),
    include_str!("../assets/style/charts.css"),
    include_str!("../assets/style/rules.css"),
    include_str!("../assets/style/factors.css"),
    include_str!("../assets/style/paper.css"),
);
/// A module of our own: ECMAScript, a few kilobytes, and pages work without it but for passkeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Module {
    /// Passkeys, where they are offered.
    Passkey,
    /// Keys and news, for whoever is signed in.
    Page,
    /// Keeping drafts, where a note is written.
    Writing,
    /// Who is found so far, where people are searched for.
    Search,
}

const MODULES: [(Module, &str, &str); 4] = [
    (Module::Passkey, "passkey", include_str!("../assets/passkey.js")),
    (Module::Page, "page", include_str!("../assets/modules/page.js")),
    (Module::Writing, "writing", include_str!("../assets/modules/writing.js")),
    (Module::Search, "search", include_str!("../assets/modules/search.js")),
];

static STYLE_NAME: LazyLock<String> = LazyLock::new(|| named("style", STYLE, "css"));
static MODULE_NAMES: LazyLock<[String; 4]> =
    LazyLock::new(|| MODULES.map(|(_, name, content)| named(name, content, "js")));

fn named(name: &str, content: &str, ending: &str) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("{name}-{:016x}.{ending}", hasher.finish())
}

/// The style sheet's file name under `/assets/`.
pub(crate) fn style_name() -> &'static str {
    &STYLE_NAME
}

/// A module's file name under `/assets/`.
pub(crate) fn module_name(module: Module) -> &'static str {
    let mut named = MODULES.iter().zip(MODULE_NAMES.iter());
    named.find(|((of, ..), _)| *of == module).map_or("", |(_, name)| name)
}

/// A file as it is, and in gzip (RFC 1952).
struct Asset {
    name: &'static str,
    kind: &'static str,
    plain: &'static str,
    gzip: Bytes,
}

/// Nothing in these files is anybody's secret. Pages are not compressed: they hold what people typed beside
/// what only they may see, and the length would tell of it.
static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let modules = MODULES.map(|(of, _, text)| (module_name(of), "text/javascript; charset=utf-8", text));
    let all = modules.into_iter().chain([(style_name(), "text/css; charset=utf-8", STYLE)]);
    all.map(|(name, kind, plain)| Asset { name, kind, plain, gzip: gzip(plain) }).collect()
});

/// Compressed; empty when that cannot be done.
fn gzip(text: &str) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    written.map(Bytes::from).unwrap_or_default()
}

/// Whether a browser takes gzip (RFC 9110 section 12.5.3); one that refuses it by `q=0` does not.
fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT_ENCODING).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        named && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse() == Ok(0.0)))
    })
}

/// `GET /assets/{file}`
pub(crate) async fn show(Path(file): Path<String>, asked: HeaderMap) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == file) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, asset.kind),
        (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (header::VARY, "accept-encoding"),
    ];
    if takes_gzip(&asked) && !asset.gzip.is_empty() {
        (headers, [(header::CONTENT_ENCODING, "gzip")], asset.gzip.clone()).into_response()
    } else {
        (headers, asset.plain).into_response()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    /// Relative luminance of `#rrggbb` (WCAG 2.2, "relative luminance").
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// The custom properties of a block that has just been opened.
    fn given(block: &str) -> HashMap<&str, &str> {
        let block = block.split('}').next().unwrap();
        block.split(';').filter_map(|line| line.trim().strip_prefix("--")?.split_once(": ")).collect()
    }

    /// The name in `var(--name)`.
    fn named(value: &str) -> Option<&str> {
        value.strip_prefix("var(--")?.strip_suffix(')')
    }

    #[test]
    fn every_value_that_is_used_is_given_and_none_is_given_for_nothing() {
        let used: HashSet<&str> =
            STYLE.split("var(--").skip(1).map(|rest| &rest[..rest.find([')', ',']).unwrap()]).collect();
        let given: HashSet<&str> =
            STYLE.split(":root {").skip(1).flat_map(|b| given(b).into_keys()).collect();
        assert_eq!(used.symmetric_difference(&given).collect::<Vec<_>>(), Vec::<&&str>::new());
    }

    #[test]
    fn every_text_stands_out_from_its_ground_in_both_schemes() {
        // Text colour, grounds it stands on.
        const PAIRS: [(&str, &[&str]); 11] = [
            ("text", &["ground", "raised", "key-soft", "danger-soft"]),
            ("focus", &["ground", "raised", "key-soft"]),
            ("soft", &["ground", "raised", "danger-soft"]),
            ("link", &["ground", "raised", "danger-soft"]),
            ("key", &["ground", "key-soft"]),
            ("key-text", &["key", "key-over"]),
            ("danger", &["ground", "key-soft", "danger-soft"]),
            ("danger-text", &["danger"]),
            ("warn", &["warn-soft", "ground"]),
            ("good", &["good-soft", "ground", "raised"]),
            // Borders of fields: 3 : 1 is asked, more is kept.
            ("line", &["ground"]),
        ];
        let mut blocks = STYLE.split(":root {").skip(1).map(given);
        let tokens = blocks.next().unwrap();
        let schemes: Vec<HashMap<&str, &str>> = blocks
            .take(2)
            .map(|roles| {
                roles.into_iter().map(|(role, value)| (role, tokens[named(value).unwrap_or(value)])).collect()
            })
            .collect();
        assert_eq!(schemes.len(), 2);
        for scheme in schemes {
            for (text, grounds) in PAIRS {
                for ground in grounds {
                    let ratio = contrast(scheme[text], scheme[ground]);
                    let least = if text == "line" { 3.0 } else { 4.5 };
                    assert!(ratio >= least, "{text} on {ground}: {ratio:.2}");
                }
            }
        }
    }

    #[test]
    fn the_name_changes_with_the_content_alone() {
        assert_eq!(style_name(), style_name());
        assert!(style_name().starts_with("style-") && style_name().ends_with(".css"));
    }

    #[test]
    fn files_are_given_in_gzip_to_whoever_takes_it() {
        use std::io::Read as _;
        for asset in ASSETS.iter() {
            let mut text = String::new();
            flate2::read::GzDecoder::new(&asset.gzip[..]).read_to_string(&mut text).unwrap();
            assert_eq!(text, asset.plain);
            assert!(asset.gzip.len() * 2 < text.len(), "{} {}", asset.name, asset.gzip.len());
        }
        let asked = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, value.parse().unwrap());
            takes_gzip(&headers)
        };
        assert!(asked("gzip, deflate, br") && asked("br;q=1.0, GZIP;q=0.5"));
        assert!(!asked("gzip;q=0") && !asked("br") && !asked("x-gzip") && !takes_gzip(&HeaderMap::new()));
    }
}
