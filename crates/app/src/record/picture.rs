//! Pictures without what they tell beside the picture: where and when they were taken, by whom, with
//! what, and what an editor remembers of an earlier state.
//!
//! Only the parts that a picture is drawn from are kept, by lists of what is known to be one; whatever
//! else a file holds is dropped, so nothing has to be recognised to go. Of Exif the orientation alone
//! stays, written anew: without it photographs of telephones lie on their side.

use bytes::{BufMut, Bytes, BytesMut};
use img_parts::jpeg::{Jpeg, JpegSegment, markers};
use img_parts::png::Png;
use img_parts::webp::{self, WebP};
use img_parts::{Error, ImageEXIF};

/// Chunks that a PNG is drawn from (PNG 3rd edition, section 11), animation included.
const PNG_DRAWN: [[u8; 4]; 16] = [
    *b"IHDR", *b"PLTE", *b"IDAT", *b"IEND", *b"tRNS", *b"cHRM", *b"gAMA", *b"iCCP", *b"sBIT", *b"sRGB",
    *b"cICP", *b"bKGD", *b"pHYs", *b"acTL", *b"fcTL", *b"fdAT",
];

/// Chunks that a WebP is drawn from (RFC 9649, section 2.7).
const WEBP_DRAWN: [[u8; 4]; 7] = [
    webp::CHUNK_VP8,
    webp::CHUNK_VP8L,
    webp::CHUNK_VP8X,
    webp::CHUNK_ALPH,
    webp::CHUNK_ANIM,
    webp::CHUNK_ANMF,
    webp::CHUNK_ICCP,
];

/// Before a colour profile in an APP2 segment (ICC.1, annex B.4).
const ICC: &[u8] = b"ICC_PROFILE\0";

/// A picture that is not whole, or not one at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

impl From<Error> for Broken {
    fn from(_: Error) -> Self {
        Self
    }
}

/// A JPEG with its image data, its colour profile and its orientation alone.
pub(crate) fn jpeg(bytes: &Bytes) -> Result<Bytes, Broken> {
    let mut jpeg = Jpeg::from_bytes(bytes.clone())?;
    let orientation = jpeg.exif().as_deref().and_then(orientation);
    let mut segments = Vec::with_capacity(jpeg.segments().len());
    for segment in jpeg.segments_mut().drain(..) {
        if segment.has_entropy() {
            let (marker, contents, length) = (segment.marker(), segment.contents().clone(), segment.len());
            let data = segment.encoder().bytes().split_off(length);
            let scans = scans(&data).ok_or(Broken)?;
            segments.push(JpegSegment::new_with_entropy(marker, contents, scans));
        } else if is_drawn(&segment) {
            segments.push(segment);
        }
    }
    *jpeg.segments_mut() = segments;
    let whole = jpeg.dimensions().is_some() && jpeg.segments().iter().any(JpegSegment::has_entropy);
    if !whole {
        return Err(Broken);
    }
    jpeg.set_exif(orientation.map(exif_of));
    Ok(jpeg.encoder().bytes())
}

/// A PNG with the chunks that it is drawn from.
pub(crate) fn png(bytes: &Bytes) -> Result<Bytes, Broken> {
    let mut png = Png::from_bytes(bytes.clone())?;
    let orientation = png.exif().as_deref().and_then(orientation);
    png.chunks_mut().retain(|chunk| PNG_DRAWN.contains(&chunk.kind()));
    let has = |kind: &[u8; 4]| png.chunks().iter().any(|chunk| chunk.kind() == *kind);
    if !(has(b"IHDR") && has(b"IDAT") && has(b"IEND")) || png.dimensions().is_none() {
        return Err(Broken);
    }
    png.set_exif(orientation.map(exif_of));
    Ok(png.encoder().bytes())
}

/// A WebP with the chunks that it is drawn from.
pub(crate) fn webp(bytes: &Bytes) -> Result<Bytes, Broken> {
    let mut webp = WebP::from_bytes(bytes.clone())?;
    let orientation = webp.exif().as_deref().and_then(orientation);
    webp.chunks_mut().retain(|chunk| WEBP_DRAWN.contains(&chunk.id()));
    if webp.dimensions().is_none() {
        return Err(Broken);
    }
    webp.set_exif(orientation.map(exif_of));
    Ok(webp.encoder().bytes())
}

/// Whether a JPEG is drawn from a segment that stands before its first scan.
fn is_drawn(segment: &JpegSegment) -> bool {
    match segment.marker() {
        // What JFIF and Adobe say about colours.
        markers::APP0 => segment.contents().starts_with(b"JFIF\0"),
        markers::APP14 => segment.contents().starts_with(b"Adobe"),
        markers::APP2 => segment.contents().starts_with(ICC),
        markers::APP1..=markers::APP15 | markers::JPG0..=markers::COM => false,
        _ => true,
    }
}

/// The scans of a JPEG up to and with its end mark. Telephones put more behind it: a second picture, a
/// film, where it was taken. `None` when the picture was cut off, or something of the kind stands
/// between scans.
fn scans(data: &Bytes) -> Option<Bytes> {
    let mut at = 0;
    loop {
        at += data.get(at..)?.iter().position(|byte| *byte == markers::P)?;
        match *data.get(at + 1)? {
            markers::EOI => return Some(data.slice(..at + 2)),
            // A stuffed byte, or a restart (ITU-T T.81, B.1.1.5).
            markers::Z | markers::RST0..=markers::RST7 => at += 2,
            // A fill byte.
            markers::P => at += 1,
            markers::DHT | markers::DAC | markers::DQT | markers::DRI | markers::DNL | markers::SOS => {
                let length = data.get(at + 2..at + 4)?;
                at += 2 + usize::from(u16::from_be_bytes(length.try_into().ok()?));
            }
            _ => return None,
        }
    }
}

/// How a picture is to be turned, 2 to 8 (Exif 3.0, tag 0x0112); `None` when it is upright.
fn orientation(tiff: &[u8]) -> Option<u8> {
    let read = exif::Reader::new().read_raw(tiff.to_vec()).ok()?;
    let value = read.get_field(exif::Tag::Orientation, exif::In::PRIMARY)?.value.get_uint(0)?;
    u8::try_from(value).ok().filter(|turned| (2..=8).contains(turned))
}

/// Exif that states an orientation and nothing else: one directory (TIFF 6.0) with one entry.
fn exif_of(orientation: u8) -> Bytes {
    let mut tiff = BytesMut::with_capacity(26);
    tiff.put_slice(b"MM\0\x2a");
    tiff.put_u32(8);
    tiff.put_u16(1);
    tiff.put_u16(0x0112);
    // One SHORT, in the upper half of its place.
    tiff.put_u16(3);
    tiff.put_u32(1);
    tiff.put_u16(u16::from(orientation));
    tiff.put_u16(0);
    tiff.put_u32(0);
    tiff.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exif as a telephone writes it: an orientation, and where it was.
    fn taken_somewhere(orientation: u8) -> Bytes {
        let mut tiff = exif_of(orientation).to_vec();
        tiff.extend_from_slice(b"GPSLatitude 35.6812");
        Bytes::from(tiff)
    }

    fn segment(marker: u8, contents: &[u8]) -> Vec<u8> {
        let length = u16::try_from(contents.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker][..], &length, contents].concat()
    }

    /// A JPEG's skeleton: nothing draws it, everything that reads its structure takes it.
    fn photograph() -> Vec<u8> {
        [
            vec![0xff, 0xd8],
            segment(0xe0, b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0"),
            segment(0xe1, &[b"Exif\0\0", &taken_somewhere(6)[..]].concat()),
            segment(0xe1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>GPSLatitude</x:xmpmeta>"),
            segment(0xed, b"Photoshop 3.0\0GPSLatitude"),
            segment(0xfe, b"GPSLatitude in a comment"),
            segment(0xdb, &[0; 65]),
            segment(0xc0, &[8, 0, 16, 0, 16, 1, 1, 0x11, 0]),
            segment(0xc4, &[0; 17]),
            segment(0xda, &[1, 1, 0, 0, 63, 0]),
            vec![0x12, 0xff, 0, 0x34, 0xff, 0xd0, 0x56],
            segment(0xc4, &[0; 17]),
            segment(0xda, &[1, 1, 0, 0, 63, 0]),
            vec![0x78, 0xff, 0xd9],
            b"GPSLatitude of a film behind it".to_vec(),
        ]
        .concat()
    }

    fn tells(bytes: &[u8]) -> bool {
        bytes.windows(11).any(|window| window == b"GPSLatitude")
    }

    #[test]
    fn a_photograph_keeps_how_it_is_turned_and_forgets_where_it_was_taken() {
        let before = Bytes::from(photograph());
        assert!(tells(&before));
        let after = jpeg(&before).unwrap();
        assert!(!tells(&after));
        assert!(after.ends_with(&[0x78, 0xff, 0xd9]));
        let read = Jpeg::from_bytes(after.clone()).unwrap();
        assert_eq!(read.exif().as_deref().and_then(orientation), Some(6));
        assert_eq!(read.dimensions(), Some((16, 16)));
        // Once more changes nothing.
        assert_eq!(jpeg(&after).unwrap(), after);
    }

    #[test]
    fn a_picture_that_was_cut_off_is_refused_wherever_it_was_cut() {
        let whole = photograph();
        let end = whole.len() - b"GPSLatitude of a film behind it".len();
        for length in 0..end {
            assert_eq!(jpeg(&Bytes::copy_from_slice(&whole[..length])), Err(Broken), "{length}");
        }
        assert!(jpeg(&Bytes::copy_from_slice(&whole[..end])).is_ok());
    }

    #[test]
    fn what_stands_between_scans_and_draws_nothing_is_refused() {
        let whole = photograph();
        let at = whole.windows(2).rposition(|two| two == [0xff, 0xc4]).unwrap();
        let hidden = [&whole[..at], &segment(0xe1, b"GPSLatitude")[..], &whole[at..]].concat();
        assert_eq!(jpeg(&Bytes::from(hidden)), Err(Broken));
    }

    fn chunk(kind: &[u8; 4], contents: &[u8]) -> img_parts::png::PngChunk {
        img_parts::png::PngChunk::new(*kind, Bytes::copy_from_slice(contents))
    }

    #[test]
    fn a_drawing_loses_its_texts() {
        let header = chunk(b"IHDR", &[0, 0, 0, 16, 0, 0, 0, 16, 8, 2, 0, 0, 0]);
        let parts = [
            header,
            chunk(b"tEXt", b"Location\0GPSLatitude"),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0GPSLatitude"),
            chunk(b"eXIf", &taken_somewhere(3)),
            chunk(b"IDAT", &[1, 2, 3]),
            chunk(b"IEND", &[]),
        ];
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        for part in parts {
            bytes.extend_from_slice(&part.encoder().bytes());
        }
        let whole = Bytes::from(bytes);
        assert!(tells(&whole));
        let after = png(&whole).unwrap();
        assert!(!tells(&after));
        assert_eq!(Png::from_bytes(after.clone()).unwrap().exif().as_deref().and_then(orientation), Some(3));
        for length in 0..whole.len() {
            assert_eq!(png(&whole.slice(..length)), Err(Broken), "{length}");
        }
        let behind = [&whole[..], b"GPSLatitude"].concat();
        assert_eq!(png(&Bytes::from(behind)).unwrap(), after);
    }

    #[test]
    fn a_webp_loses_its_texts() {
        let chunk = |id: &[u8; 4], contents: &[u8]| {
            let length = u32::try_from(contents.len()).unwrap().to_le_bytes();
            let padding = &[0][..contents.len() % 2];
            [&id[..], &length, contents, padding].concat()
        };
        let body = [
            b"WEBP".to_vec(),
            chunk(b"VP8X", &[0b1100, 0, 0, 0, 15, 0, 0, 15, 0, 0]),
            chunk(b"VP8L", &[0x2f, 15, 0xc0, 3, 0, 1]),
            chunk(b"EXIF", &taken_somewhere(8)),
            chunk(b"XMP ", b"GPSLatitude"),
        ]
        .concat();
        let length = u32::try_from(body.len()).unwrap().to_le_bytes();
        let whole = Bytes::from([&b"RIFF"[..], &length, &body].concat());
        assert!(tells(&whole));
        let after = webp(&whole).unwrap();
        assert!(!tells(&after));
        assert_eq!(WebP::from_bytes(after).unwrap().exif().as_deref().and_then(orientation), Some(8));
        assert_eq!(webp(&whole.slice(..whole.len() - 20)), Err(Broken));
    }
}
