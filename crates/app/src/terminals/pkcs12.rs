//! PKCS#12 (RFC 7292): key and certificates in one file under a passphrase, as every operating system and
//! browser takes them in. Written only, never read.
//!
//! The crates that write such files stand on unreleased versions of a second cryptographic library; the
//! format needs a cipher, two key derivations and a MAC, which the one backend has. OpenSSL reads what is
//! written here in a test.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, DecryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{hmac, pbkdf2};
use mimamori_domain::{Error, Result};
use mimamori_vault::random_token;
use zeroize::Zeroizing;

use super::der::{
    BMP_STRING, EXPLICIT_0, IMPLICIT_0, OCTETS, SEQUENCE, SET, element, integer, nest, null, object,
};

// Contents of object identifiers.
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 6];
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const HMAC_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9];
const AES_256_CBC: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHROUDED_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 2];
const CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 12, 10, 1, 3];
const X509: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 22, 1];
const FRIENDLY_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 20];
const LOCAL_KEY_ID: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 21];

/// Rounds of the key derivations. The passphrase is random with 80 bits: rounds add little.
const ROUNDS: u32 = 10_000;

/// A file with the key (PKCS#8), its certificate and the authority's (DER), under `passphrase` (ASCII).
pub(super) fn write(
    name: &str,
    key: &[u8],
    certificate: &[u8],
    authority: &[u8],
    passphrase: &str,
) -> Result<Vec<u8>> {
    let id = digest(&SHA256, certificate);
    let attributes = nest(
        SET,
        &[
            attribute(FRIENDLY_NAME, element(BMP_STRING, &bmp(name))),
            attribute(LOCAL_KEY_ID, element(OCTETS, id.as_ref())),
        ],
    );
    let certificates =
        nest(SEQUENCE, &[certificate_bag(certificate, Some(&attributes)), certificate_bag(authority, None)]);
    let (algorithm, shrouded) = encrypt(passphrase, key)?;
    let shrouded = nest(SEQUENCE, &[algorithm, element(OCTETS, &shrouded)]);
    let keys =
        nest(SEQUENCE, &[nest(SEQUENCE, &[object(SHROUDED_KEY), nest(EXPLICIT_0, &[shrouded]), attributes])]);

    let (algorithm, hidden) = encrypt(passphrase, &certificates)?;
    let hidden = nest(SEQUENCE, &[object(DATA), algorithm, element(IMPLICIT_0, &hidden)]);
    let hidden = nest(SEQUENCE, &[integer(0), hidden]);
    let hidden = nest(SEQUENCE, &[object(ENCRYPTED_DATA), nest(EXPLICIT_0, &[hidden])]);
    let safe = nest(SEQUENCE, &[hidden, data(&keys)]);
    Ok(nest(SEQUENCE, &[integer(3), data(&safe), mac(passphrase, &safe)?]))
}

/// ContentInfo of plain bytes.
fn data(bytes: &[u8]) -> Vec<u8> {
    nest(SEQUENCE, &[object(DATA), nest(EXPLICIT_0, &[element(OCTETS, bytes)])])
}

fn certificate_bag(der: &[u8], attributes: Option<&Vec<u8>>) -> Vec<u8> {
    let bag = nest(SEQUENCE, &[object(X509), nest(EXPLICIT_0, &[element(OCTETS, der)])]);
    let mut parts = vec![object(CERTIFICATE), nest(EXPLICIT_0, &[bag])];
    parts.extend(attributes.cloned());
    nest(SEQUENCE, &parts)
}

fn attribute(kind: &[u8], value: Vec<u8>) -> Vec<u8> {
    nest(SEQUENCE, &[object(kind), nest(SET, &[value])])
}

/// Big-endian UTF-16, as BMPString has it.
fn bmp(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

/// PBES2 (RFC 8018, section 6.2) with PBKDF2-HMAC-SHA-256 and AES-256-CBC: its AlgorithmIdentifier and
/// the ciphertext.
fn encrypt(passphrase: &str, plain: &[u8]) -> Result<(Vec<u8>, Vec<u8>)> {
    let salt = salt()?;
    let rounds = NonZeroU32::new(ROUNDS).unwrap_or(NonZeroU32::MIN);
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, passphrase.as_bytes(), key.as_mut());
    let unbound = UnboundCipherKey::new(&AES_256, key.as_ref()).map_err(Error::internal)?;
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(unbound).map_err(Error::internal)?;
    let mut bytes = plain.to_vec();
    let context = cipher.encrypt(&mut bytes).map_err(Error::internal)?;
    let DecryptionContext::Iv128(iv) = context else {
        return Err(Error::internal("the cipher gave no initial vector"));
    };
    let iv: &[u8; 16] = iv.as_ref();
    let derivation = nest(
        SEQUENCE,
        &[
            object(PBKDF2),
            nest(
                SEQUENCE,
                &[element(OCTETS, &salt), integer(ROUNDS), nest(SEQUENCE, &[object(HMAC_SHA256), null()])],
            ),
        ],
    );
    let scheme = nest(SEQUENCE, &[object(AES_256_CBC), element(OCTETS, iv)]);
    let algorithm = nest(SEQUENCE, &[object(PBES2), nest(SEQUENCE, &[derivation, scheme])]);
    Ok((algorithm, bytes))
}

/// MacData over the contents (RFC 7292, section 4).
fn mac(passphrase: &str, contents: &[u8]) -> Result<Vec<u8>> {
    let salt = salt()?;
    let key = mac_key(passphrase, &salt);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), contents);
    let algorithm = nest(SEQUENCE, &[object(SHA_256), null()]);
    let digest = nest(SEQUENCE, &[algorithm, element(OCTETS, tag.as_ref())]);
    Ok(nest(SEQUENCE, &[digest, element(OCTETS, &salt), integer(ROUNDS)]))
}

/// The key derivation of RFC 7292, appendix B.2, for a MAC key (ID 3) as long as one SHA-256 digest.
fn mac_key(passphrase: &str, salt: &[u8; 16]) -> Zeroizing<Vec<u8>> {
    const BLOCK: usize = 64;
    let mut secret = Zeroizing::new(bmp(passphrase));
    secret.extend_from_slice(&[0, 0]);
    let filled = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().copied().cycle().take(bytes.len().next_multiple_of(BLOCK)).collect()
    };
    let mut input = Zeroizing::new(vec![3; BLOCK]);
    input.extend(filled(salt));
    input.extend(filled(&secret));
    let mut key = Zeroizing::new(digest(&SHA256, &input).as_ref().to_vec());
    for _ in 1..ROUNDS {
        key = Zeroizing::new(digest(&SHA256, &key).as_ref().to_vec());
    }
    key
}

fn salt() -> Result<[u8; 16]> {
    let random = random_token().map_err(Error::unavailable)?;
    let mut salt = [0; 16];
    salt.iter_mut().zip(random.iter()).for_each(|(to, from)| *to = *from);
    Ok(salt)
}
