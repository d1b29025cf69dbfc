//! The parts of an image file that are not pixels.

use std::ops::Range;

use image::ImageFormat;

use crate::source::jpeg::segments::{Head, Segment};

/// One part: its name and its bytes.
pub(crate) struct Part<'a> {
    /// The type of a PNG or WebP chunk, `APPn` or `COM` of a JPEG, `TAG` of a TIFF.
    pub name: &'a str,
    pub bytes: &'a [u8],
}

/// The parts of a file that are not pixels, in their order. Those of a damaged file that can be found.
pub(crate) fn parts(format: ImageFormat, bytes: &[u8]) -> Vec<Part<'_>> {
    match format {
        ImageFormat::Jpeg => Head::read(bytes)
            .map(|head| head.segments.iter().filter_map(|s| jpeg_part(bytes, s)).collect())
            .unwrap_or_default(),
        ImageFormat::Png => chunks(bytes, 8, u32::from_be_bytes, true),
        ImageFormat::WebP => chunks(bytes, 12, u32::from_le_bytes, false),
        ImageFormat::Tiff => tiff_texts(bytes)
            .into_iter()
            .filter_map(|range| Some(Part { name: "TAG", bytes: bytes.get(range)? }))
            .collect(),
        _ => Vec::new(),
    }
}

fn jpeg_part<'a>(bytes: &'a [u8], segment: &Segment) -> Option<Part<'a>> {
    let name = match segment.marker {
        0xe0..=0xef => "APPn",
        0xfe => "COM",
        _ => return None,
    };
    Some(Part { name, bytes: &bytes[segment.payload.clone()] })
}

/// The chunks of a PNG (length, type, data, checksum) or of a RIFF file (type, length, data padded to even length)
/// that hold no pixels.
fn chunks(bytes: &[u8], start: usize, length: impl Fn([u8; 4]) -> u32, png: bool) -> Vec<Part<'_>> {
    const PIXELS: [&str; 8] = ["IDAT", "fdAT", "PLTE", "VP8 ", "VP8L", "ALPH", "ANMF", "IEND"];
    let mut parts = Vec::new();
    let mut at = start;
    while let Some(Ok(head)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
        let [a, b, c, d, e, f, g, h] = head;
        let size = if png { length([a, b, c, d]) } else { length([e, f, g, h]) } as usize;
        let name = std::str::from_utf8(&bytes[at..at + 8][if png { 4..8 } else { 0..4 }]);
        let Some(data) = bytes.get(at + 8..).and_then(|rest| rest.get(..size)) else { break };
        if let Ok(name) = name
            && !PIXELS.contains(&name)
        {
            parts.push(Part { name, bytes: data });
        }
        at += 8 + size + if png { 4 } else { size % 2 };
    }
    parts
}

/// Whether all chunks of a WebP are in the file as a whole.
pub(crate) fn webp_is_whole(bytes: &[u8]) -> bool {
    let word =
        |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes);
    let Some(size) = word(4) else { return false };
    let mut at = 12;
    while at < 8 + size as usize {
        let Some(length) = word(at + 4) else { return false };
        at += 8 + length as usize;
        // The byte after a chunk of odd length says nothing.
        if at > bytes.len() {
            return false;
        }
        at += length as usize % 2;
    }
    true
}

/// A file of tags: a TIFF.
struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
    /// Whether offsets and counts have 8 bytes, as in BigTIFF.
    big: bool,
}

impl<'a> Tiff<'a> {
    fn open(bytes: &'a [u8]) -> Option<Self> {
        let little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let mut tiff = Self { bytes, little, big: false };
        tiff.big = tiff.number(2, 2)? == 43;
        Some(tiff)
    }

    /// The number of `size` bytes at `at`.
    fn number(&self, at: usize, size: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let add = |n: u64, &byte: &u8| n << 8 | u64::from(byte);
        let number = match self.little {
            true => bytes.iter().rev().fold(0, add),
            false => bytes.iter().fold(0, add),
        };
        usize::try_from(number).ok()
    }

    /// The tags of the first image: number, and the bytes of the value.
    fn tags(&self) -> Option<Vec<(usize, Range<usize>)>> {
        let (word, entry, count_size) = if self.big { (8, 20, 8) } else { (4, 12, 2) };
        let start = self.number(if self.big { 8 } else { 4 }, word)?;
        // A hostile count ends with the file.
        let count = self.number(start, count_size)?.min(self.bytes.len() / entry);
        let entries = (0..count).map_while(|i| {
            let at = start + count_size + i * entry;
            let size = match self.number(at + 2, 2)? {
                3 | 8 => 2,
                4 | 9 | 11 | 13 => 4,
                5 | 10 | 12 | 16..=18 => 8,
                _ => 1,
            };
            let length = self.number(at + 4, word)?.checked_mul(size)?;
            let value = at + 4 + word;
            let first = if length <= word { value } else { self.number(value, word)? };
            Some((self.number(at, 2)?, first..first.checked_add(length)?))
        });
        Some(entries.collect())
    }
}

/// Where a TIFF has its description, the name of the program, and its XMP.
fn tiff_texts(bytes: &[u8]) -> Vec<Range<usize>> {
    let tags = Tiff::open(bytes).and_then(|tiff| tiff.tags()).unwrap_or_default();
    tags.into_iter().filter(|(tag, _)| matches!(tag, 270 | 305 | 700)).map(|(_, r)| r).collect()
}

/// Whether the colours of a TIFF are multiplied by alpha already.
pub(crate) fn tiff_is_premultiplied(bytes: &[u8]) -> bool {
    const EXTRA_SAMPLES: usize = 338;
    let extra = || {
        let tiff = Tiff::open(bytes)?;
        let (_, value) = tiff.tags()?.into_iter().find(|&(tag, _)| tag == EXTRA_SAMPLES)?;
        tiff.number(value.start, 2)
    };
    extra() == Some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A TIFF header whose one image has these short tags.
    fn tiff(tags: &[(u16, u16)]) -> Vec<u8> {
        let mut bytes = b"II\x2a\0\x08\0\0\0".to_vec();
        bytes.extend((tags.len() as u16).to_le_bytes());
        for (tag, value) in tags {
            bytes.extend([tag.to_le_bytes(), 3u16.to_le_bytes()].concat());
            bytes.extend([1u32.to_le_bytes(), u32::from(*value).to_le_bytes()].concat());
        }
        bytes
    }

    #[test]
    fn premultiplied_alpha_is_found_in_a_tiff_and_damage_is_harmless() {
        assert!(tiff_is_premultiplied(&tiff(&[(256, 7), (338, 1)])));
        assert!(!tiff_is_premultiplied(&tiff(&[(256, 7), (338, 2)])));
        let whole = tiff(&[(256, 7), (338, 1)]);
        for cut in 0..whole.len() - 4 {
            assert!(!tiff_is_premultiplied(&whole[..cut]), "cut at {cut}");
        }
        assert!(!tiff_is_premultiplied(b"II\x2a\0\xff\xff\xff\xff"));
    }

    #[test]
    fn the_chunks_of_a_webp_are_padded_to_an_even_length() {
        let bytes = b"RIFF\0\0\0\0WEBPVP8 \x03\0\0\0abc\0XMP \x02\0\0\0hi";
        let parts: Vec<_> =
            parts(ImageFormat::WebP, bytes).iter().map(|p| (p.name, p.bytes)).collect();
        assert_eq!(parts, [("XMP ", b"hi".as_slice())]);
    }
}
