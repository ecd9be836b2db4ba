//! First passwords: made by the program, told once, good for a short time and for one thing only, to
//! choose one's own.

use mimamori_domain::{Error, Result, Timestamp};
use mimamori_vault::random_token;
use zeroize::Zeroizing;

/// Digits and small letters that nobody mistakes for another one: no 0 and o, no 1, l and i.
const LETTERS: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// Letters written together, so that they can be read from paper.
const GROUP: usize = 4;

/// A first password with whom it is for. It exists nowhere else: what is kept is its hash.
pub struct InitialSecret {
    pub login: String,
    /// The person's name as written on the letter.
    pub name: String,
    pub institution: Option<String>,
    pub secret: Zeroizing<String>,
    /// UTC; afterwards it opens nothing.
    pub until: Timestamp,
}

/// The secret and whose it is stay out of debug output.
impl std::fmt::Debug for InitialSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InitialSecret").field("until", &self.until).finish_non_exhaustive()
    }
}

/// A random secret of at least so many bits: groups of four letters, joined by hyphens.
pub(crate) fn generate(bits: u64) -> Result<Zeroizing<String>> {
    let each = f64::from(u32::try_from(LETTERS.len()).unwrap_or(u32::MAX)).log2();
    let mut least = 0;
    while (least as f64) * each < bits as f64 {
        least += 1;
    }
    let letters = usize::try_from(least).unwrap_or(usize::MAX).next_multiple_of(GROUP);
    let mut secret = Zeroizing::new(String::with_capacity(letters + letters / GROUP));
    let mut made = 0;
    while made < letters {
        let random = Zeroizing::new(random_token().map_err(Error::unavailable)?);
        for byte in random.iter() {
            // Bytes beyond the last whole round of letters are dropped: each letter is as likely.
            let round = (256 / LETTERS.len()) * LETTERS.len();
            if usize::from(*byte) >= round || made == letters {
                continue;
            }
            if made > 0 && made % GROUP == 0 {
                secret.push('-');
            }
            let letter = LETTERS.get(usize::from(*byte) % LETTERS.len()).copied().unwrap_or(b'2');
            secret.push(char::from(letter));
            made += 1;
        }
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_readable_and_has_its_bits() {
        for (bits, letters) in [(80, 20), (64, 16), (100, 24), (128, 28)] {
            let secret = generate(bits).unwrap();
            let groups: Vec<&str> = secret.split('-').collect();
            assert!(groups.iter().all(|group| group.len() == GROUP), "{groups:?}");
            assert_eq!(groups.len() * GROUP, letters);
            assert!((letters as f64) * 31_f64.log2() >= bits as f64);
            assert!(!secret.contains(['0', 'o', '1', 'l', 'i', 'O', 'I']));
            assert_ne!(*secret, *generate(bits).unwrap());
        }
        // Every letter comes, and about as often.
        let many: String = (0..400).map(|_| generate(80).unwrap().replace('-', "")).collect();
        for letter in LETTERS {
            let times = many.bytes().filter(|byte| byte == letter).count();
            assert!((130..400).contains(&times), "{} {times}", char::from(*letter));
        }
    }
}
