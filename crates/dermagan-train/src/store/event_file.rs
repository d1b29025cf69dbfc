//! Event files of TensorBoard: scalars and PNG images, each at a step.
//!
//! An event file is a sequence of records. A record is the length of its data as a `u64`, the masked CRC-32C of these
//! eight bytes, the data, and the masked CRC-32C of the data, all little-endian ([the format of
//! TFRecord](https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details)). The data is a message
//! `Event` of TensorFlow's `event.proto` with a `Summary` of `summary.proto`. The comments name their fields.

use dermagan_base::protobuf::Message;

/// Name of a run's event file. TensorBoard reads every file with `tfevents` in its name. The name is fixed, so that a
/// resumed run replaces the file instead of adding a second one. Its end is not `.dermagan`, which caches have.
pub const EVENT_FILE: &str = "events.out.tfevents.run";

/// The version of the format, which the first event states.
const VERSION: &str = "brain.Event:2";

/// The first bytes of a PNG file, up to its width and height.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// The first record of an event file. `time` is in seconds since 1970.
pub fn first(time: f64) -> Vec<u8> {
    // Event.file_version = 3
    record(event(time, 0).text(3, VERSION))
}

/// A record of scalars at a step, each with its tag.
pub fn scalars<'a>(time: f64, step: u64, values: impl Iterator<Item = (&'a str, f64)>) -> Vec<u8> {
    let summary = values.fold(Message::new(), |summary, (tag, value)| {
        // Summary.value = 1, Value.tag = 1, Value.simple_value = 2
        summary.message(1, &Message::new().text(1, tag).float(2, value as f32))
    });
    // Event.summary = 5
    record(event(time, step).message(5, &summary))
}

/// A record of an image at a step. `None` if `png` is no PNG.
pub fn image(time: f64, step: u64, tag: &str, png: &[u8]) -> Option<Vec<u8>> {
    let (width, rest) = png.strip_prefix(PNG)?.split_first_chunk()?;
    let side = |bytes: [u8; 4]| i64::from(u32::from_be_bytes(bytes));
    // Image.height = 1, width = 2, colorspace = 3 (3: RGB), encoded_image_string = 4
    let image = Message::new()
        .int(1, side(*rest.first_chunk()?))
        .int(2, side(*width))
        .int(3, 3)
        .bytes(4, png);
    // Value.image = 4
    let value = Message::new().text(1, tag).message(4, &image);
    Some(record(event(time, step).message(5, &Message::new().message(1, &value))))
}

/// An event without content.
fn event(time: f64, step: u64) -> Message {
    // Event.wall_time = 1, Event.step = 2
    Message::new().double(1, time).int(2, step.cast_signed())
}

fn record(event: Message) -> Vec<u8> {
    let data = event.into_bytes();
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), &data, &masked(&data)].concat()
}

/// The CRC-32C, rotated by 15 bits, plus a constant: TensorFlow's form for data that may itself contain checksums.
fn masked(bytes: &[u8]) -> [u8; 4] {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

/// The cyclic redundancy check of RFC 3720 (Castagnoli's polynomial, reflected).
fn crc32c(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !bytes.iter().fold(!0, |crc, byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

/// The check of every single byte.
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_the_specification() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        // RFC 3720, B.4: 32 bytes of zeros, and of ones.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn a_record_frames_its_data_with_its_length_and_both_checks() {
        let bytes = first(1.0);
        let data = b"\x09\0\0\0\0\0\0\xf0\x3f\x10\0\x1a\x0dbrain.Event:2";
        assert_eq!(bytes[..8], (data.len() as u64).to_le_bytes());
        assert_eq!(bytes[8..12], masked(&bytes[..8]));
        assert_eq!(bytes[12..12 + data.len()], data[..]);
        assert_eq!(bytes[12 + data.len()..], masked(data));
        let unmasked = u32::from_le_bytes(masked(data)).wrapping_sub(0xa282_ead8).rotate_left(15);
        assert_eq!(unmasked, crc32c(data));
    }

    #[test]
    fn an_event_has_its_step_its_tags_and_its_values() {
        let bytes = scalars(0.0, 300, [("a", 0.5), ("bc", -1.0)].into_iter());
        let event = b"\x09\0\0\0\0\0\0\0\0\x10\xac\x02\x2a\x15\
            \x0a\x08\x0a\x01a\x15\0\0\0\x3f\x0a\x09\x0a\x02bc\x15\0\0\x80\xbf";
        assert_eq!(&bytes[12..bytes.len() - 4], event);
    }

    #[test]
    fn an_image_has_its_size_and_its_bytes() {
        let png = [PNG, &[0, 0, 1, 2, 0, 0, 0, 7, 8, 2]].concat();
        let bytes = image(0.0, 0, "t", &png).unwrap();
        let image = b"\x08\x07\x10\x82\x02\x18\x03\x22\x1a\x89PNG";
        assert!(bytes.windows(image.len()).any(|window| window == image), "{bytes:02x?}");
        assert_eq!(bytes[bytes.len() - 4 - png.len()..bytes.len() - 4], png);
        assert!(super::image(0.0, 0, "t", &png[..18]).is_none());
        assert!(super::image(0.0, 0, "t", b"not a PNG").is_none());
    }
}
