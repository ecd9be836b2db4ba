//! Names half typed: what the search's module asks while somebody types.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, header};

use super::load::Work;

/// Frequent names, in kana and as written. The shorter the beginning, the more people it may be.
const NAMES: [&str; 24] = [
    "さとう",
    "すずき",
    "たかはし",
    "たなか",
    "いとう",
    "わたなべ",
    "やまだ",
    "なかむら",
    "こばやし",
    "けいこ",
    "はなこ",
    "ひろし",
    "みのる",
    "サトウ",
    "ﾀｶﾊｼ",
    "佐藤",
    "鈴木",
    "髙橋",
    "田中",
    "山田",
    "中村",
    "渡辺",
    "一郎",
    "子",
];

/// Every beginning that is asked for: from two letters on, or from one sign of Chinese writing.
fn beginnings() -> Vec<String> {
    let is_kana = |letter: char| matches!(letter, '\u{3040}'..='\u{30ff}' | '\u{ff66}'..='\u{ff9f}');
    let of = |name: &'static str| {
        let least = if name.starts_with(is_kana) { 2 } else { 1 };
        (least..=name.chars().count()).map(move |letters| name.chars().take(letters).collect())
    };
    NAMES.into_iter().flat_map(of).collect()
}

/// Somebody types one name after the other.
pub(super) fn work(address: SocketAddr, cookie: &str) -> Work {
    let (beginnings, cookie) = (beginnings(), cookie.to_owned());
    let request = move |number: u64| {
        let at = usize::try_from(number).unwrap_or(0) % beginnings.len().max(1);
        request(address, &cookie, beginnings.get(at).map_or("", String::as_str))
    };
    Work { address, request: Arc::new(request), expected: Arc::new(|status| status == StatusCode::OK) }
}

pub(super) fn request(address: SocketAddr, cookie: &str, name: &str) -> Request<Full<Bytes>> {
    let name: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let request = Request::post("/people/search")
        .header(header::HOST, address.to_string())
        .header(header::ORIGIN, format!("http://{address}"))
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::COOKIE, cookie);
    request.body(Full::from(format!("name={name}&typing=1"))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_for_from_where_the_module_asks() {
        let all = beginnings();
        for begun in ["たか", "たかは", "たかはし", "ﾀｶ", "佐", "佐藤", "子"] {
            assert!(all.iter().any(|one| one == begun), "{begun}");
        }
        assert!(!all.iter().any(|one| one == "た" || one == "ﾀ"));
    }
}
