//! Writing DER (X.690), as far as a PKCS#12 file needs it.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT: u8 = 0x06;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0] EXPLICIT`.
pub(super) const EXPLICIT_0: u8 = 0xa0;
/// `[0] IMPLICIT` of a primitive type.
pub(super) const IMPLICIT_0: u8 = 0x80;

/// An element: tag, length, contents.
pub(super) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let significant = length.iter().skip_while(|byte| **byte == 0).copied();
    let significant: Vec<u8> = significant.collect();
    let mut bytes = vec![tag];
    match significant.as_slice() {
        [] => bytes.push(0),
        [one] if *one < 0x80 => bytes.push(*one),
        more => {
            bytes.push(0x80 | u8::try_from(more.len()).unwrap_or(0x7f));
            bytes.extend_from_slice(more);
        }
    }
    bytes.extend_from_slice(contents);
    bytes
}

/// An element whose contents are these elements.
pub(super) fn nest(tag: u8, elements: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &elements.concat())
}

/// An object identifier from its contents.
pub(super) fn object(contents: &[u8]) -> Vec<u8> {
    element(OBJECT, contents)
}

/// A number that is not negative.
pub(super) fn integer(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let mut contents: Vec<u8> = bytes.iter().skip_while(|byte| **byte == 0).copied().collect();
    if contents.first().is_none_or(|first| *first >= 0x80) {
        contents.insert(0, 0);
    }
    element(INTEGER, &contents)
}

pub(super) fn null() -> Vec<u8> {
    vec![NULL, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_numbers_are_as_short_as_can_be() {
        assert_eq!(element(OCTETS, &[]), [4, 0]);
        assert_eq!(element(OCTETS, &[7; 127])[..2], [4, 127]);
        assert_eq!(element(OCTETS, &[7; 128])[..3], [4, 0x81, 128]);
        assert_eq!(element(OCTETS, &[7; 300])[..4], [4, 0x82, 1, 44]);
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(10_000), [2, 2, 0x27, 0x10]);
    }
}
