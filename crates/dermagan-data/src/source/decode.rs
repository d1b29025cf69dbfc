//! Decodes image files, which are not trusted, to 8-bit RGB pixels.

use std::io::Cursor;
use std::sync::Mutex;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::source::problem::{Problem, ProblemKind};

/// The most pixels that are decoded: 40 megapixels, 150 times a HAM10000 photograph.
const MAX_PIXELS: u64 = 40_000_000;
/// Largest number of bytes of a decoded image before its conversion to 8-bit RGB: 40 megapixels of 8-bit RGB, or 15 of 16-bit
/// RGBA.
const MAX_DECODED: u64 = 3 * MAX_PIXELS;
/// Images with more pixels than this are decoded one at a time ([`decode`]'s `large`), so that memory use does not
/// grow with the number of cores.
const LARGE_PIXELS: u64 = 4_000_000;

/// A decoded image, and a problem with its file if there is one.
pub(crate) struct Decoded {
    pub image: RgbImage,
    pub note: Option<Problem>,
}

type Reader<'a> = ImageReader<Cursor<&'a [u8]>>;

/// A reader of the format that the content has, whatever the file name says; `place` names the file in errors.
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

/// Width and height in pixels, from the header alone, before the EXIF orientation is applied; `place` names the file
/// in errors.
///
/// # Errors
/// A problem of kind `Undecodable`.
pub(crate) fn dimensions(place: &str, head: &[u8]) -> Result<(u32, u32), Problem> {
    let (reader, _) = reader(place, head)?;
    reader
        .into_dimensions()
        .map_err(|e| Problem::new(ProblemKind::Undecodable, format!("{place} ({e})")))
}

/// Decodes an image in the format of its content, applies the EXIF orientation, and converts to 8-bit RGB. Grey,
/// CMYK, 16-bit and transparent images are converted too; transparency is dropped. `place` names the file in errors.
/// Threads that decode large images wait for each other at `large`.
///
/// # Errors
/// A problem of kind `Undecodable`, `Truncated` or `TooLarge`.
pub(crate) fn decode(place: &str, bytes: &[u8], large: &Mutex<()>) -> Result<Decoded, Problem> {
    let (reader, format) = reader(place, bytes)?;
    if format == ImageFormat::Jpeg && !jpeg_is_whole(bytes) {
        let what = format!("{place} (no end-of-image marker in {} bytes)", bytes.len());
        return Err(Problem::new(ProblemKind::Truncated, what));
    }
    let (width, height) = dimensions(place, bytes)?;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        let what =
            format!("{place} ({width}x{height} pixels, expected at most {MAX_PIXELS} in all)");
        return Err(Problem::new(ProblemKind::TooLarge, what));
    }
    let _one_at_a_time = (pixels > LARGE_PIXELS)
        .then(|| large.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let image = match format {
        ImageFormat::Jpeg => match strict_jpeg(place, bytes)? {
            Some(image) => image,
            None => lenient(place, reader)?,
        },
        _ => lenient(place, reader)?,
    };
    let extension = place.rsplit_once('.').map_or("", |(_, extension)| extension);
    let note = (ImageFormat::from_extension(extension) != Some(format)).then(|| {
        Problem::new(ProblemKind::WrongExtension, format!("{place} (its content is {format:?})"))
    });
    Ok(Decoded { image, note })
}

/// Decodes with the `image` crate, which tolerates some damage.
fn lenient(place: &str, mut reader: Reader<'_>) -> Result<RgbImage, Problem> {
    let undecodable =
        |e: image::ImageError| Problem::new(ProblemKind::Undecodable, format!("{place} ({e})"));
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * MAX_DECODED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(undecodable)?;
    if decoder.total_bytes() > MAX_DECODED {
        let what = format!(
            "{place} ({} bytes decoded, expected at most {MAX_DECODED})",
            decoder.total_bytes()
        );
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
    Ok(image.into_rgb8())
}

/// Decodes a JPEG of which no block may be missing; the `image` crate would fill missing blocks with grey.
///
/// `None` for files that the `image` crate must decode: those that a strict decoder refuses although no pixel is
/// lost (stray bytes between headers), and those in other colour spaces than grey, YCbCr and RGB.
fn strict_jpeg(place: &str, bytes: &[u8]) -> Result<Option<RgbImage>, Problem> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    if decoder.decode_headers().is_err() {
        return Ok(None);
    }
    let grey = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => true,
        Some(ColorSpace::YCbCr | ColorSpace::RGB) => false,
        _ => return Ok(None),
    };
    let out = if grey { ColorSpace::Luma } else { ColorSpace::RGB };
    decoder.set_options(options.jpeg_set_out_colorspace(out));
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let damaged = |e: String| Problem::new(ProblemKind::Truncated, format!("{place} ({e})"));
    let pixels = decoder.decode().map_err(|e| damaged(e.to_string()))?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let (width, height) = (width as u32, height as u32);
    let image = match grey {
        true => image::GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        false => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
    };
    let mut image = image.ok_or_else(|| damaged("fewer pixels than in its header".into()))?;
    image.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    Ok(Some(image.into_rgb8()))
}

/// Whether the data of a JPEG end with an end-of-image marker. The decoder fills missing data with grey and reports
/// nothing, so that a photograph truncated in the middle would be trained on. The search starts after the first scan
/// header, and so after the end marker of any thumbnail.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(&[first, marker, high, low]) = bytes.get(at..at + 4) {
        // Fill bytes or stray bytes, which decoders skip too.
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
