//! Which XHTML may stand in a narrative (FHIR R4 invariants txt-1 and txt-2).
//!
//! Only formatting is let in, so that a narrative can't run anything in somebody's browser. The
//! check is a small strict reader: one `div`, balanced elements, names from the lists below.

const ELEMENTS: &[&str] = &[
    "a",
    "abbr",
    "acronym",
    "b",
    "big",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "col",
    "colgroup",
    "dd",
    "dfn",
    "div",
    "dl",
    "dt",
    "em",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "img",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "samp",
    "small",
    "span",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "tt",
    "ul",
    "var",
];

const ATTRIBUTES: &[&str] = &[
    "abbr",
    "align",
    "alt",
    "axis",
    "bgcolor",
    "border",
    "cellpadding",
    "cellspacing",
    "char",
    "charoff",
    "cite",
    "class",
    "colspan",
    "compact",
    "dir",
    "frame",
    "headers",
    "height",
    "href",
    "hreflang",
    "hspace",
    "id",
    "lang",
    "longdesc",
    "name",
    "nowrap",
    "rel",
    "rev",
    "rowspan",
    "rules",
    "scope",
    "shape",
    "span",
    "src",
    "start",
    "style",
    "summary",
    "tabindex",
    "title",
    "type",
    "valign",
    "value",
    "vspace",
    "width",
    "xml:lang",
    "xmlns",
];

/// Attributes that make a browser fetch or open something.
const LINKS: &[&str] = &["href", "src", "cite", "longdesc"];
const SCHEMES: &[&str] = &["http", "https", "mailto", "tel", "urn"];
const XHTML: &str = "http://www.w3.org/1999/xhtml";
/// What would make a style fetch or run something, in lower case.
const ACTIVE_STYLE: &[&str] =
    &["url(", "expression(", "@import", "javascript:", "behavior", "-moz-binding", "\\"];
const MAX_DEPTH: usize = 100;

/// Whether a text is one `div` of formatting that says something.
pub(crate) fn is_safe(text: &str) -> bool {
    let text = text.trim_matches([' ', '\t', '\r', '\n']);
    read(text).is_some_and(|says_something| says_something)
}

/// None when it isn't well-formed or not allowed; otherwise whether there is text or an image.
fn read(text: &str) -> Option<bool> {
    let mut rest = text;
    let mut open: Vec<&str> = Vec::new();
    let mut says_something = false;
    loop {
        if let Some(after) = rest.strip_prefix("<!--") {
            let (comment, after) = after.split_once("-->")?;
            if comment.contains("--") || open.is_empty() {
                return None;
            }
            rest = after;
        } else if let Some(after) = rest.strip_prefix("</") {
            let (name, after) = after.split_once('>')?;
            if open.pop()? != name.trim_end() {
                return None;
            }
            rest = after;
            if open.is_empty() {
                return rest.is_empty().then_some(says_something);
            }
        } else if let Some(after) = rest.strip_prefix('<') {
            let (name, closed, after) = tag(after, open.is_empty())?;
            says_something |= name == "img";
            if !closed {
                open.push(name);
            } else if open.is_empty() {
                return None;
            }
            if open.len() > MAX_DEPTH {
                return None;
            }
            rest = after;
        } else {
            let end = rest.find('<')?;
            let (words, after) = rest.split_at_checked(end)?;
            if open.is_empty() || !entities_are_fine(words) {
                return None;
            }
            says_something |= !words.trim().is_empty();
            rest = after;
        }
    }
}

/// Reads a start tag after its '<': its name, whether it closes itself, and what follows.
fn tag(text: &str, outermost: bool) -> Option<(&str, bool, &str)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric())?;
    let (name, mut rest) = text.split_at_checked(end)?;
    if !ELEMENTS.contains(&name) || (outermost && name != "div") {
        return None;
    }
    let mut seen: Vec<&str> = Vec::new();
    let closed = loop {
        let spaced = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if let Some(after) = spaced.strip_prefix("/>") {
            rest = after;
            break true;
        }
        if let Some(after) = spaced.strip_prefix('>') {
            rest = after;
            break false;
        }
        if spaced.len() == rest.len() {
            return None;
        }
        let (attribute, value) = spaced.split_once('=')?;
        let attribute = attribute.trim_end();
        let value = value.trim_start_matches([' ', '\t', '\r', '\n']);
        let quote = value.chars().next().filter(|c| *c == '"' || *c == '\'')?;
        let (value, after) = value.get(1..)?.split_once(quote)?;
        if seen.contains(&attribute) || !attribute_is_fine(attribute, value) {
            return None;
        }
        seen.push(attribute);
        rest = after;
    };
    (!outermost || seen.contains(&"xmlns")).then_some((name, closed, rest))
}

fn attribute_is_fine(name: &str, value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    ATTRIBUTES.contains(&name)
        && !value.contains('<')
        && entities_are_fine(value)
        && (name != "xmlns" || value == XHTML)
        && (!LINKS.contains(&name) || is_link(value))
        && (name != "style" || !value.contains('&') && !ACTIVE_STYLE.iter().any(|word| lower.contains(word)))
}

/// Relative, or of a harmless scheme. A scheme written with entities or control characters is none.
fn is_link(value: &str) -> bool {
    if value.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return false;
    }
    let before_path = value.split(['/', '?', '#']).next().unwrap_or_default();
    match before_path.split_once(':') {
        None => !before_path.contains('&'),
        Some((scheme, _)) => {
            let lower = scheme.to_ascii_lowercase();
            let image = ["data:image/png;base64,", "data:image/jpeg;base64,", "data:image/gif;base64,"];
            SCHEMES.contains(&lower.as_str()) || image.iter().any(|start| value.starts_with(start))
        }
    }
}

/// Every '&' begins an entity or a character reference.
fn entities_are_fine(text: &str) -> bool {
    text.split('&').skip(1).all(|part| {
        part.split_once(';').is_some_and(|(name, _)| {
            let name = name.strip_prefix('#').unwrap_or(name);
            (1..=10).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn div(inner: &str) -> bool {
        is_safe(&format!("<div xmlns=\"http://www.w3.org/1999/xhtml\">{inner}</div>"))
    }

    #[test]
    fn formatting_is_let_in() {
        for good in [
            "体温 36.5 &#8451; &amp; 脈拍 72",
            "<p class=\"a\">朝<br/>夕</p><table border='1'><tr><td>1</td></tr></table>",
            "<a href=\"https://example.jp/a?b=1&amp;c=2\">x</a><a href=\"#note1\">y</a>",
            "<img src=\"data:image/png;base64,AAAA\" alt=\"x\"/>",
            "x<!-- a comment -->",
            "<span style=\"color: red\">x</span>",
        ] {
            assert!(div(good), "{good}");
        }
    }

    #[test]
    fn what_could_run_or_is_broken_is_refused() {
        for bad in [
            "",
            " ",
            "<script>x</script>",
            "<p onclick=\"x()\">x</p>",
            "<a href=\"javascript:x()\">x</a>",
            "<a href=\"java&#115;cript:x()\">x</a>",
            "<a href=\" javascript:x()\">x</a>",
            "<iframe src=\"/x\">x</iframe>",
            "<p>x",
            "x</p>",
            "<p>x</b></p>",
            "<p a>x</p>",
            "<p class=a>x</p>",
            "x & y",
            "<![CDATA[x]]>x",
            "<?php x?>x",
            "<img src=\"data:text/html;base64,AAAA\"/>",
            "<p style=\"background:url(//x)\">x</p>",
            "<P>x</P>",
            "<form>x</form>",
            "<p class=\"a\" class=\"b\">x</p>",
            "<svg>x</svg>",
        ] {
            assert!(!div(bad), "{bad}");
        }
        assert!(!is_safe("<div>x</div>"), "without its namespace");
        assert!(!is_safe("x"));
        assert!(!is_safe("<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div><div>y</div>"));
        assert!(!is_safe("<div xmlns=\"http://www.w3.org/1999/xhtml\"/>"));
        assert!(!div(&"<p>".repeat(10_000)));
    }
}
