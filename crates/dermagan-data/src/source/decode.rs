//! Decodes image files, which are not trusted, to 8-bit RGB pixels.

use std::io::Cursor;
use std::sync::Mutex;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::source::content::alpha::{Transparency, on_white};
use crate::source::content::metadata::tiff_is_premultiplied;
use crate::source::content::{generator, look, no_image};
use crate::source::jpeg::decode::{Jpeg, JpegError};
use crate::source::jpeg::segments::{Head, HeadError, size};
use crate::source::problem::{Problem, ProblemKind};

/// The most pixels that are decoded: 40 megapixels, 150 times a HAM10000 photograph.
const MAX_PIXELS: u64 = 40_000_000;
/// Largest number of bytes of a decoded image before its conversion to 8-bit RGB: 40 megapixels of 8-bit RGB, or 15 of 16-bit
/// RGBA.
const MAX_DECODED: u64 = 3 * MAX_PIXELS;
/// Images with more pixels than this are decoded one at a time ([`decode`]'s `large`), so that memory use does not
/// grow with the number of cores.
const LARGE_PIXELS: u64 = 4_000_000;

/// A decoded image.
pub(crate) struct Decoded {
    pub image: RgbImage,
    /// What is to say about the file, although the image can be used.
    pub notes: Vec<Problem>,
    /// Why the image is no photograph, if it is none: of kind `Synthetic`, `Transparent`, `OneColour`, `TwoColours` or
    /// `Mask`. The caller decides whether it is used.
    pub odd: Option<Problem>,
}

impl Decoded {
    /// An image that is known to be what it should be.
    pub fn plain(image: RgbImage) -> Self {
        Self { image, notes: Vec::new(), odd: None }
    }
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

/// The problem that an error of the decoder stands for.
fn problem(place: &str, error: &ImageError) -> Problem {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut kind = ProblemKind::Undecodable;
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof) {
            kind = ProblemKind::Truncated;
        }
        cause = error.source();
    }
    Problem::new(kind, format!("{place} ({error})"))
}

/// Width and height in pixels, from the header alone, before the EXIF orientation is applied; `place` names the file
/// in errors.
///
/// # Errors
/// A problem of kind `Undecodable` or `Truncated`.
pub(crate) fn dimensions(place: &str, head: &[u8]) -> Result<(u32, u32), Problem> {
    let (reader, format) = reader(place, head)?;
    if format == ImageFormat::Jpeg {
        let what = || Problem::new(ProblemKind::Undecodable, format!("{place} (no usable header)"));
        return size(head).ok_or_else(what);
    }
    reader.into_dimensions().map_err(|e| problem(place, &e))
}

/// Decodes an image in the format of its content, applies the EXIF orientation, and converts to 8-bit RGB. Grey,
/// CMYK and 16-bit images are converted too, and transparent pixels are composited on white. `place` names the file
/// in errors. Threads that decode large images wait for each other at `large`.
///
/// # Errors
/// A problem of kind `Undecodable`, `NotDownloaded`, `Truncated` or `TooLarge`.
pub(crate) fn decode(place: &str, bytes: &[u8], large: &Mutex<()>) -> Result<Decoded, Problem> {
    decode_image(place, bytes, large).map_err(|problem| match no_image::explain(bytes) {
        Some((kind, what)) if problem.kind != ProblemKind::TooLarge => {
            Problem::new(kind, format!("{place} ({what})"))
        }
        _ => problem,
    })
}

fn decode_image(place: &str, bytes: &[u8], large: &Mutex<()>) -> Result<Decoded, Problem> {
    let (reader, format) = reader(place, bytes)?;
    let head = match format {
        ImageFormat::Jpeg => Some(jpeg_head(place, bytes)?),
        _ => None,
    };
    let (width, height) = match &head {
        Some(head) => head.size(),
        None => dimensions(place, bytes)?,
    };
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        let what =
            format!("{place} ({width}x{height} pixels, expected at most {MAX_PIXELS} in all)");
        return Err(Problem::new(ProblemKind::TooLarge, what));
    }
    let _one_at_a_time = (pixels > LARGE_PIXELS)
        .then(|| large.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    let mut notes = Vec::new();
    let extension = place.rsplit_once('.').map_or("", |(_, extension)| extension);
    if ImageFormat::from_extension(extension) != Some(format)
        && !(format == ImageFormat::Jpeg && extension.eq_ignore_ascii_case("jpe"))
    {
        let what = format!("{place} (its content is {format:?})");
        notes.push(Problem::new(ProblemKind::WrongExtension, what));
    }
    let (image, found) = match head {
        Some(head) => {
            let jpeg = jpeg(place, bytes, &head)?;
            if !jpeg.has_end {
                notes.push(Problem::new(ProblemKind::NoEndMarker, place));
            }
            (jpeg.image, Transparency::default())
        }
        None => other(place, bytes, reader, format)?,
    };
    if found.transparent > 0 {
        let what = format!("{place} ({} of {pixels} pixels)", found.transparent);
        notes.push(Problem::new(ProblemKind::Composited, what));
    }
    let odd = odd(place, bytes, format, &image, found);
    Ok(Decoded { image, notes, odd })
}

/// Why an image is no photograph.
fn odd(
    place: &str,
    bytes: &[u8],
    format: ImageFormat,
    image: &RgbImage,
    found: Transparency,
) -> Option<Problem> {
    if let Some(name) = generator::of(format, bytes) {
        let what = format!("{place} (its text names {name})");
        return Some(Problem::new(ProblemKind::Synthetic, what));
    }
    let pixels = image.as_raw().len() / 3;
    if 2 * found.mostly > pixels {
        let what = format!("{place} ({} of {pixels} pixels)", found.mostly);
        return Some(Problem::new(ProblemKind::Transparent, what));
    }
    Some(Problem::new(look::look(image)?, place))
}

/// The segments of a JPEG before its image data.
fn jpeg_head(place: &str, bytes: &[u8]) -> Result<Head, Problem> {
    Head::read(bytes).map_err(|e| match e {
        HeadError::Cut => {
            let what =
                format!("{place} (it ends before its image data, after {} bytes)", bytes.len());
            Problem::new(ProblemKind::Truncated, what)
        }
        HeadError::Unusable(what) => {
            Problem::new(ProblemKind::Undecodable, format!("{place} ({what})"))
        }
    })
}

/// Decodes a JPEG.
fn jpeg(place: &str, bytes: &[u8], head: &Head) -> Result<Jpeg, Problem> {
    crate::source::jpeg::decode::decode(bytes, head).map_err(|e| match e {
        JpegError::Damaged(what) => {
            Problem::new(ProblemKind::Truncated, format!("{place} ({what})"))
        }
        JpegError::Unknown(what) => {
            Problem::new(ProblemKind::Undecodable, format!("{place} ({what})"))
        }
    })
}

/// Decodes any format but JPEG.
fn other(
    place: &str,
    bytes: &[u8],
    mut reader: Reader<'_>,
    format: ImageFormat,
) -> Result<(RgbImage, Transparency), Problem> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(2 * MAX_DECODED);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|e| problem(place, &e))?;
    if decoder.total_bytes() > MAX_DECODED {
        let what = format!(
            "{place} ({} bytes decoded, expected at most {MAX_DECODED})",
            decoder.total_bytes()
        );
        return Err(Problem::new(ProblemKind::TooLarge, what));
    }
    let orientation = decoder.orientation().map_err(|e| problem(place, &e))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| problem(place, &e))?;
    image.apply_orientation(orientation);
    let premultiplied = format == ImageFormat::Tiff && tiff_is_premultiplied(bytes);
    Ok(on_white(image, premultiplied))
}
