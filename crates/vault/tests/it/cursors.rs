use std::time::Duration;

use mimamori_vault::{CursorKey, KeyUse, VaultError};

use crate::support::{NOW, Site};

fn cursor_key(site: &Site) -> CursorKey {
    CursorKey::new(&site.plain(KeyUse::Cursor).0).unwrap()
}

#[test]
fn a_cursor_comes_back_until_it_expires() {
    let site = Site::new();
    let key = cursor_key(&site);
    let expires = NOW.plus(Duration::from_secs(600));
    for payload in [&b""[..], b"x", &[7; 200]] {
        let text = key.seal(b"caller", payload, expires).unwrap();
        assert_eq!(key.open(b"caller", &text, NOW).unwrap().as_slice(), payload);
        assert!(key.open(b"caller", &text, expires.minus(Duration::from_micros(1))).is_ok());
        assert!(key.open(b"caller", &text, expires).is_err());
    }
}

#[test]
fn its_length_does_not_tell_the_payload_apart() {
    let key = cursor_key(&Site::new());
    let length = |payload: &[u8]| key.seal(b"", payload, NOW).unwrap().len();
    assert_eq!(length("林".as_bytes()), length("勅使河原".as_bytes()));
}

#[test]
fn altered_foreign_and_expired_cursors_give_one_answer() {
    let site = Site::new();
    let key = cursor_key(&site);
    let expires = NOW.plus(Duration::from_secs(600));
    let text = key.seal(b"caller a, query 1", b"position", expires).unwrap();
    let answer = |key: &CursorKey, context: &[u8], text: &str, now| {
        let error = key.open(context, text, now).unwrap_err();
        assert!(matches!(error, VaultError::Cursor));
        mimamori_domain::Error::from(error).to_string()
    };
    let mut answers = vec![
        answer(&key, b"caller b, query 1", &text, NOW),
        answer(&key, b"caller a, query 1", &text, expires),
        answer(&cursor_key(&site), b"caller a, query 1", &text, NOW),
        answer(&key, b"caller a, query 1", "", NOW),
        answer(&key, b"caller a, query 1", "no cursor at all", NOW),
    ];
    for position in 0..text.len() {
        let mut altered = text.clone().into_bytes();
        altered[position] = if altered[position] == b'A' { b'B' } else { b'A' };
        answers.push(answer(&key, b"caller a, query 1", &String::from_utf8(altered).unwrap(), NOW));
        answers.push(answer(&key, b"caller a, query 1", &text[..position], NOW));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

#[test]
fn only_a_cursor_key_seals_cursors() {
    let site = Site::new();
    assert!(CursorKey::new(&site.plain(KeyUse::Settings).0).is_err());
}
