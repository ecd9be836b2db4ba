//! The fuzzer's entry point over fixed inputs: bounded in time.

use std::time::{Duration, Instant};

use crate::any_pack::{BUILT_IN, Files, exercise, files_of, load};

/// What one load may take in these tests, unoptimised and beside other tests: far above what it takes,
/// far below what a quadratic reading of the largest files would.
const LONGEST: Duration = Duration::from_secs(60);

#[test]
fn a_seed_without_changes_is_the_pack_itself() {
    for (place, files) in (1..).zip(BUILT_IN.iter()) {
        assert_eq!(&files_of(&[place]), files);
    }
    assert_eq!(files_of(&[]), Files::new());
    load(files_of(&[1])).unwrap();
    exercise(b"");
}

/// A file of nearly the greatest size, of one line over and over.
fn full(head: &str, line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut text = head.to_owned();
    let mut number = 0;
    while text.len() < (1 << 20) - 200 {
        text.push_str(&line(number));
        number += 1;
    }
    text.into_bytes()
}

/// A child that does without thousands of its parent's objects.
#[test]
fn leaving_much_out_takes_no_longer_than_having_it() {
    let roles = full("roles:\n", |n| format!("- {{code: r{n}, ja: a, en: b, scope: installation}}\n"));
    let left =
        full("id: a\nextends: p\nja: a\nen: a\nlanguages: [ja, en]\ncatalogues: []\nleaves-out:\n", |n| {
            format!("- {{role: r{n}, ja: a, en: b}}\n")
        });
    let head = b"id: p\nja: a\nen: a\nlanguages: [ja, en]\ncatalogues: []\n";
    let files: Files =
        [("pack.yaml", left), ("extends/p/pack.yaml", head.to_vec()), ("extends/p/roles.yaml", roles)]
            .map(|(path, bytes)| (path.to_owned(), bytes))
            .into();
    let begun = Instant::now();
    assert!(load(files).is_err());
    assert!(begun.elapsed() < LONGEST, "{:?}", begun.elapsed());
}
