//! Bytes from anywhere: everything that reads them answers with an error, never a panic, and never
//! with content.

use mimamori_vault::{
    BirthDate, ChunkOpener, CursorKey, HEADER_SIZE, KeyUse, Parent, PersonName, Ring, Script, WrappedKey,
    key_id_of, normalise_identifier, open,
};
use proptest::prelude::*;

use crate::support::{NOW, OWNER, Site, place, restrict};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bytes_and_texts_from_anywhere(bytes: Vec<u8>, text: String, mut headed in prop::collection::vec(any::<u8>(), 18..200)) {
        let site = Site::new();
        let key = site.content_key();
        prop_assert!(open(&key, &place(), &bytes).is_err());
        let header_end = headed.len().min(HEADER_SIZE);
        headed[2..18].copy_from_slice(key.id().as_bytes());
        for format in [1, 2] {
            headed[..2].copy_from_slice(&[format, 1]);
            prop_assert_eq!(key_id_of(&headed).unwrap(), key.id());
            prop_assert!(open(&key, &place(), &headed).is_err());
            if let Ok(mut opener) = ChunkOpener::new(&key, &place(), &headed[..header_end]) {
                prop_assert!(opener.push(&headed[header_end..]).is_ok_and(|plain| plain.is_empty()));
                prop_assert!(opener.finish().is_err());
            }
        }
        let _ = key_id_of(&bytes);

        let (_, row) = site.subject(OWNER);
        let row = WrappedKey { bytes: bytes.clone(), ..row };
        prop_assert!(site.vault.unwrap(&row, Parent::Ring).is_err());
        prop_assert!(text.parse::<WrappedKey>().is_err());
        prop_assert!(text.parse::<KeyUse>().is_err());

        let cursors = CursorKey::new(&site.plain(KeyUse::Cursor).0).unwrap();
        prop_assert!(cursors.open(&bytes, &text, NOW).is_err());

        let _ = (PersonName::from_text(Script::of(&text), &text), normalise_identifier(&text), BirthDate::new(&text));
    }

    #[test]
    fn a_ring_file_from_anywhere(bytes: Vec<u8>, lines in prop::collection::vec("(root|serial|current|retiring|seal) [0-9a-f -]{0,60}", 0..6)) {
        let site = Site::new();
        let path = site.ring_path();
        for content in [bytes, format!("mimamori-ring 1\n{}\n", lines.join("\n")).into_bytes()] {
            std::fs::write(&path, content).unwrap();
            restrict(&path, 0o600);
            prop_assert!(Ring::open(&path, &site.root).is_err());
        }
    }
}
