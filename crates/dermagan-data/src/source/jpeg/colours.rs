//! The colour space of a JPEG, by libjpeg's rule, so that an image has the colours that other programs show.

use crate::source::jpeg::segments::{APP0, APP14, Head};

/// The colour space of a JPEG's samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    Grey,
    YCbCr,
    Rgb,
    /// Stored inverted, as Adobe does and as other programs expect of all files.
    Cmyk,
    /// CMYK of which the first three components are stored as YCbCr.
    Ycck,
}

/// The transform that an Adobe segment names: 0 for none, 1 for YCbCr, 2 for YCCK. `None` if it is no Adobe segment.
fn adobe(payload: &[u8]) -> Option<Option<u8>> {
    payload.starts_with(b"Adobe").then(|| payload.get(11).copied())
}

/// The colour space of a file.
///
/// With three components, a JFIF segment means YCbCr whatever an Adobe segment says. Without it the Adobe segment
/// decides, and without both the ids of the components.
pub(super) fn space(bytes: &[u8], head: &Head) -> Space {
    let payloads = |marker| {
        head.segments
            .iter()
            .filter(move |segment| segment.marker == marker)
            .map(|segment| &bytes[segment.payload.clone()])
    };
    let jfif = payloads(APP0).any(|payload| payload.starts_with(b"JFIF\0") && payload.len() >= 14);
    let transform = payloads(APP14).filter_map(adobe).flatten().last();
    let components = &head.frame.components;
    match (components.len(), transform) {
        (1, _) => Space::Grey,
        (3, _) if jfif => Space::YCbCr,
        (3, Some(0)) => Space::Rgb,
        (3, Some(_)) => Space::YCbCr,
        (3, None) if components.iter().map(|c| c.id).eq(*b"RGB") => Space::Rgb,
        (3, None) => Space::YCbCr,
        (_, Some(0) | None) => Space::Cmyk,
        _ => Space::Ycck,
    }
}

/// The Adobe segments, by their number in the head, that would make the decoder choose another space. An Adobe segment
/// with transform 1 beside three components chooses YCbCr, which is right or changed after decoding.
pub(super) fn misleading(bytes: &[u8], head: &Head) -> Vec<usize> {
    let three = head.frame.components.len() == 3;
    let adobes: Vec<(usize, Option<u8>)> = head
        .segments
        .iter()
        .enumerate()
        .filter(|(_, segment)| segment.marker == APP14)
        .filter_map(|(i, segment)| Some((i, adobe(&bytes[segment.payload.clone()])?)))
        .collect();
    match three && adobes.iter().all(|&(_, transform)| transform == Some(1)) {
        true => Vec::new(),
        false => adobes.into_iter().map(|(i, _)| i).collect(),
    }
}

/// RGB of a YCbCr pixel, rounded as libjpeg does.
fn rgb_of([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    // The factors of ITU-R BT.601 in units of 1/65536.
    let part = |v: i32| (v + (1 << 15)) >> 16;
    [y + part(91_881 * cr), y + part(-22_554 * cb - 46_802 * cr), y + part(116_130 * cb)]
        .map(|v| v.clamp(0, 255) as u8)
}

/// `a` × `b` / 255, rounded.
fn product(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}

/// Changes YCbCr pixels to RGB.
pub(super) fn ycbcr_to_rgb(pixels: &mut [u8]) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        *pixel = rgb_of(*pixel);
    }
}

/// The RGB pixels of the four stored components of each pixel: inverted CMYK, or YCCK.
pub(super) fn four_to_rgb(pixels: &[u8], space: Space) -> Vec<u8> {
    let pixels = pixels.as_chunks::<4>().0.iter();
    let rgb = pixels.flat_map(|&[a, b, c, black]| {
        let inks = match space {
            Space::Ycck => rgb_of([a, b, c]).map(|v| 255 - v),
            _ => [a, b, c],
        };
        inks.map(|ink| product(ink, black))
    });
    rgb.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const JFIF: &[u8] = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";

    fn adobe_segment(transform: u8) -> Vec<u8> {
        [b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat()
    }

    /// The head of a file with these segments and component ids.
    fn space_of(segments: &[&[u8]], ids: &[u8]) -> (Space, usize) {
        let frame = [0xff, 0xc0, 0, 8 + 3 * ids.len() as u8, 8, 0, 16, 0, 16, ids.len() as u8];
        let mut bytes = [&[0xff, 0xd8], segments.concat().as_slice(), &frame].concat();
        ids.iter().for_each(|&id| bytes.extend([id, 0x11, 0]));
        bytes.extend([0xff, 0xda, 0, 2]);
        let head = Head::read(&bytes).unwrap();
        (space(&bytes, &head), misleading(&bytes, &head).len())
    }

    #[test]
    fn the_space_follows_libjpegs_rule() {
        use Space::*;
        let [a0, a1, a2] = [0, 1, 2].map(adobe_segment);
        // JFIF comes first, in any order of the segments.
        assert_eq!(space_of(&[JFIF, &a0], &[1, 2, 3]), (YCbCr, 1));
        assert_eq!(space_of(&[&a0, JFIF], &[1, 2, 3]), (YCbCr, 1));
        assert_eq!(space_of(&[&a2, JFIF], b"RGB"), (YCbCr, 1));
        assert_eq!(space_of(&[JFIF], b"RGB"), (YCbCr, 0));
        // Without it the Adobe segment, and without both the ids.
        assert_eq!(space_of(&[&a0], &[1, 2, 3]), (Rgb, 1));
        assert_eq!(space_of(&[&a1], b"RGB"), (YCbCr, 0));
        assert_eq!(space_of(&[&a2], &[1, 2, 3]), (YCbCr, 1));
        assert_eq!(space_of(&[], &[1, 2, 3]), (YCbCr, 0));
        assert_eq!(space_of(&[], &[0, 1, 2]), (YCbCr, 0));
        assert_eq!(space_of(&[], b"RGB"), (Rgb, 0));
        // One component is grey and four are CMYK or YCCK, with JFIF and without.
        assert_eq!(space_of(&[&a2], &[1]), (Grey, 1));
        assert_eq!(space_of(&[JFIF, &a0], &[1]), (Grey, 1));
        assert_eq!(space_of(&[JFIF], &[1, 2, 3, 4]), (Cmyk, 0));
        assert_eq!(space_of(&[&a0], &[1, 2, 3, 4]), (Cmyk, 1));
        assert_eq!(space_of(&[JFIF, &a2], &[1, 2, 3, 4]), (Ycck, 1));
        assert_eq!(space_of(&[&a1], &[1, 2, 3, 4]), (Ycck, 1));
        // An Adobe segment that is too short is none.
        assert_eq!(space_of(&[b"\xff\xee\0\x08Adobe\0"], &[1, 2, 3]), (YCbCr, 1));
        // The last of several decides.
        assert_eq!(space_of(&[&a1, &a0], &[1, 2, 3]), (Rgb, 2));
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        assert_eq!(rgb_of([128, 128, 128]), [128; 3]);
        assert_eq!(rgb_of([76, 85, 255]), [254, 0, 0]);
        assert_eq!(rgb_of([29, 255, 107]), [0, 0, 254]);
        // Inverted CMYK: no ink at 255, full ink at 0.
        assert_eq!(
            four_to_rgb(&[255, 255, 255, 255, 0, 255, 255, 255], Space::Cmyk),
            [255, 255, 255, 0, 255, 255]
        );
        assert_eq!(four_to_rgb(&[255, 255, 255, 0], Space::Cmyk), [0; 3]);
        assert_eq!(four_to_rgb(&[0, 128, 128, 128], Space::Ycck), [128; 3]);
    }
}
