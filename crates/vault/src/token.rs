//! Bearer tokens, session tokens and comparing secrets.

use aws_lc_rs::{constant_time, digest, rand};

use crate::Result;

/// 32 fresh random bytes: a session or bearer token. Only its hash is ever stored.
///
/// # Errors
/// [`crate::VaultError::Library`] when no random numbers can be had.
pub fn random_token() -> Result<[u8; 32]> {
    let mut token = [0; 32];
    rand::fill(&mut token)?;
    Ok(token)
}

/// What is stored of a token: SHA-256 over a fixed prefix and the token. A token is 256 random
/// bits, so neither salt nor a slow hash is called for (unlike passwords).
#[must_use]
pub fn hash_token(token: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(b"mimamori/token/1\0");
    context.update(token);
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Whether both are equal, in a time that depends on their lengths only.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_their_hash_is_fixed() {
        assert_ne!(random_token().unwrap(), random_token().unwrap());
        // Python: hashlib.sha256(b"mimamori/token/1\0" + bytes(32)).hexdigest()
        assert_eq!(hex::encode(hash_token(&[0; 32])), HASH_OF_ZEROES);
        assert_ne!(hash_token(b"a"), hash_token(b"b"));
    }

    const HASH_OF_ZEROES: &str = "0cf24c24b65b169796496a32c8b71b7ac54a8bddb4df192931935c42cbd75c40";

    #[test]
    fn comparing_looks_at_every_byte_and_the_length() {
        assert!(constant_time_eq(b"", b""));
        assert!(constant_time_eq(b"abc", b"abc"));
        for other in [&b"abd"[..], b"bbc", b"ab", b"abcd", b""] {
            assert!(!constant_time_eq(b"abc", other));
        }
    }
}
