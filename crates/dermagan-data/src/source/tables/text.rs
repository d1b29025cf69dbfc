//! The text of a file in any usual encoding.

use std::borrow::Cow;

/// The text without its byte-order mark: UTF-8, UTF-16 with a mark or evidently without (Excel's "Unicode text"), else
/// Windows-1252, in which Excel writes CSV on Western systems. Damaged characters become U+FFFD.
pub(super) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => narrow(rest),
        _ => match unmarked(bytes) {
            Some(read) => wide(bytes, read),
            None => narrow(bytes),
        },
    }
}

/// Whether a text contains characters that no table has: control characters other than tabs, line ends and Excel's
/// end-of-file mark. The beginning of the text suffices.
pub(super) fn is_binary(text: &str) -> bool {
    let control = |c: char| c.is_ascii_control() && !"\t\r\n\x0c\x1a".contains(c);
    let start = text.chars().take(4096);
    let (mut all, mut bad) = (0_usize, 0_usize);
    for c in start {
        all += 1;
        bad += usize::from(control(c) || c == char::REPLACEMENT_CHARACTER);
    }
    text.chars().take(4096).any(|c| c == '\0') || bad * 50 > all
}

/// The byte order of UTF-16 without a mark, if the text evidently is that: ASCII characters have a zero byte each.
fn unmarked(bytes: &[u8]) -> Option<fn([u8; 2]) -> u16> {
    let pairs = &bytes.as_chunks::<2>().0;
    let pairs = &pairs[..pairs.len().min(2048)];
    let share = |zero: usize, other: usize| {
        let ascii = pairs.iter().filter(|p| p[zero] == 0 && p[other] != 0 && p[other] < 128);
        ascii.count() * 10 >= pairs.len() * 9 && pairs.len() >= 4
    };
    if share(1, 0) {
        Some(u16::from_le_bytes)
    } else if share(0, 1) {
        Some(u16::from_be_bytes)
    } else {
        None
    }
}

fn wide(bytes: &[u8], read: fn([u8; 2]) -> u16) -> Cow<'static, str> {
    let units: Vec<u16> = bytes.as_chunks().0.iter().map(|pair| read(*pair)).collect();
    String::from_utf16_lossy(&units).into()
}

fn narrow(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        // The beginning of a file may end inside a character.
        Err(e) if e.error_len().is_none() => String::from_utf8_lossy(&bytes[..e.valid_up_to()]),
        Err(_) => {
            let utf8 = bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii());
            if utf8 {
                String::from_utf8_lossy(bytes)
            } else {
                bytes.iter().map(|&byte| windows_1252(byte)).collect::<String>().into()
            }
        }
    }
}

/// The character of a byte in Windows-1252.
fn windows_1252(byte: u8) -> char {
    const UPPER: [char; 32] = [
        '€', '\u{fffd}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{fffd}', 'Ž',
        '\u{fffd}', '\u{fffd}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ',
        '\u{fffd}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
        _ => char::from(byte),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_usual_encoding_gives_the_same_text() {
        let text = "image_id;dx\nISIC_1;nævus\n";
        let units: Vec<u16> = text.encode_utf16().collect();
        let bytes = |write: fn(u16) -> [u8; 2]| -> Vec<u8> {
            units.iter().flat_map(|unit| write(*unit)).collect()
        };
        let (little, big) = (bytes(u16::to_le_bytes), bytes(u16::to_be_bytes));
        let latin: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let forms = [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &big[..]].concat(),
            little,
            big,
            latin,
        ];
        for form in forms {
            assert_eq!(decode(&form), text, "{form:02x?}");
        }
        assert_eq!(decode(b"Bowen\x92s disease"), "Bowen’s disease");
    }

    #[test]
    fn a_beginning_may_end_inside_a_character() {
        assert_eq!(decode(&"mél".as_bytes()[..2]), "m");
    }

    #[test]
    fn images_are_not_text() {
        assert!(is_binary(&decode(b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01")));
        assert!(is_binary(&decode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")));
        assert!(!is_binary("image_id,dx\r\nISIC_1,nv\r\n\x1a"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            is_binary(&decode(&bytes));
        }
    }
}
