//! Bytes to RGB pixels, for files that nobody has vouched for.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::problem::{Problem, ProblemKind};

/// The most pixels that are decoded: 40 megapixels, 150 times a HAM10000 photograph. With two
/// threads this keeps `prepare` under 500 MB on the worst file.
const MAX_PIXELS: u64 = 40_000_000;

/// A decoded image, and what was odd about its file.
pub(crate) struct Decoded {
    pub image: RgbImage,
    pub note: Option<Problem>,
}

type Reader<'a> = ImageReader<Cursor<&'a [u8]>>;

fn reader<'a>(place: &str, bytes: &'a [u8]) -> Result<(Reader<'a>, ImageFormat), Problem> {
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|e| Problem::new(ProblemKind::Undecodable, format!("{place} ({e})")))?;
    match reader.format() {
        Some(format) => Ok((reader, format)),
        None => {
            Err(Problem::new(ProblemKind::Undecodable, format!("{place} (no known image format)")))
        }
    }
}

/// Width and height from the header alone, before orientation.
pub(crate) fn dimensions(place: &str, head: &[u8]) -> Result<(u32, u32), Problem> {
    let (reader, _) = reader(place, head)?;
    reader
        .into_dimensions()
        .map_err(|e| Problem::new(ProblemKind::Undecodable, format!("{place} ({e})")))
}

/// Decodes by content, turns by EXIF, and reduces to 8-bit RGB (grey, CMYK, 16-bit and
/// transparent images included; transparency is dropped).
pub(crate) fn decode(place: &str, bytes: &[u8]) -> Result<Decoded, Problem> {
    let undecodable =
        |e: image::ImageError| Problem::new(ProblemKind::Undecodable, format!("{place} ({e})"));
    let (mut reader, format) = reader(place, bytes)?;
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        let what = format!("{place} (no end-of-image marker in {} bytes)", bytes.len());
        return Err(Problem::new(ProblemKind::Truncated, what));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(u32::from(u16::MAX));
    limits.max_image_height = Some(u32::from(u16::MAX));
    limits.max_alloc = Some(8 * MAX_PIXELS);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let what = format!("{place} ({width}x{height} pixels, at most {MAX_PIXELS} in all)");
        return Err(Problem::new(ProblemKind::TooLarge, what));
    }
    let orientation = decoder.orientation().map_err(undecodable)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| match e {
        image::ImageError::IoError(ref io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            Problem::new(ProblemKind::Truncated, format!("{place} ({e})"))
        }
        e => undecodable(e),
    })?;
    image.apply_orientation(orientation);
    let named = place.rsplit_once('.').and_then(|(_, e)| ImageFormat::from_extension(e));
    let note = named
        .filter(|named| *named != format)
        .map(|_| Problem::new(ProblemKind::WrongExtension, format!("{place} (is {format:?})")));
    Ok(Decoded { image: image.into_rgb8(), note })
}

/// Whether a JPEG's own data runs to an end-of-image marker. The decoder fills what is missing
/// with grey and reports nothing, so a photograph cut in the middle would train as it is. The
/// search starts behind the first scan header, past any thumbnail's own end marker.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[first, marker, high, low]) = bytes.get(at..at + 4) {
        // Fill bytes, or stray ones, which decoders pass over too.
        if first != 0xff || matches!(marker, 0x00 | 0xff) {
            at += 1;
            continue;
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
        if marker == 0xda {
            return bytes.get(at..).is_some_and(|scan| scan.windows(2).any(|w| w == [0xff, 0xd9]));
        }
    }
    false
}
