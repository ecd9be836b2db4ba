use mimamori_vault::{
    CHUNK_SIZE, ChunkOpener, ChunkSealer, ENDING_SIZE, HEADER_SIZE, KeyUse, Place, Result, SecretKey,
    key_id_of, seal,
};
use proptest::prelude::*;

use crate::support::{Site, place};

const SEALED_CHUNK: usize = CHUNK_SIZE + ENDING_SIZE;

fn sample(length: usize) -> Vec<u8> {
    (0..length).map(|i| u8::try_from(i % 251).unwrap()).collect()
}

fn seal_file(key: &SecretKey, plain: &[u8], step: usize) -> Vec<u8> {
    let mut sealer = ChunkSealer::new(key, &place()).unwrap();
    let mut file = sealer.header().to_vec();
    for part in plain.chunks(step) {
        file.extend(sealer.push(part).unwrap());
    }
    file.extend(sealer.finish().unwrap());
    file
}

fn open_file(key: &SecretKey, place: &Place, file: &[u8], step: usize) -> Result<Vec<u8>> {
    let (header, body) = file.split_at(HEADER_SIZE.min(file.len()));
    let mut opener = ChunkOpener::new(key, place, header)?;
    let mut plain = Vec::new();
    for part in body.chunks(step) {
        plain.extend_from_slice(&opener.push(part)?);
    }
    plain.extend_from_slice(&opener.finish()?);
    Ok(plain)
}

#[test]
fn files_of_every_length_come_back() {
    let key = Site::new().content_key();
    for length in [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 2 * CHUNK_SIZE, 3 * CHUNK_SIZE + 5] {
        let plain = sample(length);
        let file = seal_file(&key, &plain, 10_000);
        let chunks = length.div_ceil(CHUNK_SIZE).max(1);
        assert_eq!(file.len(), HEADER_SIZE + length + chunks * ENDING_SIZE);
        assert_eq!(key_id_of(&file).unwrap(), key.id());
        assert!(open_file(&key, &place(), &file, 7_777).unwrap() == plain, "{length}");
    }
}

#[test]
fn a_file_that_was_cut_continued_or_reordered_is_refused() {
    let key = Site::new().content_key();
    let file = seal_file(&key, &sample(2 * CHUNK_SIZE + 50), CHUNK_SIZE);
    let (header, body) = file.split_at(HEADER_SIZE);
    let chunks: Vec<&[u8]> = body.chunks(SEALED_CHUNK).collect();
    let [first, second, last] = chunks[..] else { panic!("three chunks") };
    let other = seal_file(&key, &sample(2 * CHUNK_SIZE + 50), CHUNK_SIZE);
    let foreign = &other[HEADER_SIZE..HEADER_SIZE + SEALED_CHUNK];
    let empty_last = &seal_file(&key, &[], 1)[HEADER_SIZE..];
    let forgeries: [Vec<&[u8]>; 12] = [
        vec![],
        vec![header],
        vec![header, first],
        vec![header, first, second],
        vec![header, second, first, last],
        vec![header, first, first, last],
        vec![header, first, last],
        vec![header, last],
        vec![header, first, second, last, &[0]],
        vec![header, first, second, last, last],
        vec![header, foreign, second, last],
        vec![header, first, second, empty_last],
    ];
    assert!(open_file(&key, &place(), &[header, first, second, last].concat(), 9_999).is_ok());
    for (number, parts) in forgeries.iter().enumerate() {
        assert!(open_file(&key, &place(), &parts.concat(), 9_999).is_err(), "{number}");
    }
}

#[test]
fn files_open_only_where_they_stood_and_under_their_key() {
    let site = Site::new();
    let key = site.content_key();
    let file = seal_file(&key, b"scan", 2);
    assert!(open_file(&key, &Place::setting("mail"), &file, 9).is_err());
    assert!(open_file(&site.content_key(), &place(), &file, 9).is_err());
    assert!(open_file(&key, &place(), &seal(&key, &place(), b"text").unwrap(), 9).is_err());
    assert!(ChunkSealer::new(&site.plain(KeyUse::Cursor).0, &place()).is_err());
}

#[test]
fn every_turned_bit_of_a_small_file_is_refused() {
    let key = Site::new().content_key();
    let file = seal_file(&key, b"scan", 2);
    for altered in crate::support::bit_flips(&file) {
        assert!(open_file(&key, &place(), &altered, 9).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn how_it_is_cut_into_pushes_does_not_matter(
        length in 0..3 * CHUNK_SIZE,
        sealing in 1..2 * CHUNK_SIZE,
        opening in 1..2 * CHUNK_SIZE,
    ) {
        let key = Site::new().content_key();
        let plain = sample(length);
        let file = seal_file(&key, &plain, sealing);
        prop_assert!(open_file(&key, &place(), &file, opening).unwrap() == plain);
    }
}
