//! Decodes image files, which are not trusted, to 8-bit RGB pixels.

use std::io::Cursor;
use std::sync::Mutex;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use crate::source::content::alpha::{Transparency, on_white};
use crate::source::content::metadata::{tiff_is_premultiplied, webp_is_whole};
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
    // The source of an input error is not the error itself.
    let mut cause: Option<&(dyn std::error::Error + 'static)> = match error {
        ImageError::IoError(io) => Some(io),
        error => Some(error),
    };
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
    // The decoder takes missing bytes at the end of a WebP for zeros.
    if format == ImageFormat::WebP && !webp_is_whole(bytes) {
        let what = format!("{place} (it ends inside a chunk, after {} bytes)", bytes.len());
        return Err(Problem::new(ProblemKind::Truncated, what));
    }
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

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, LumaA, Rgb, Rgba, RgbaImage};

    use super::*;

    const PLAIN: &[u8] = include_bytes!("../../tests/data/plain.jpg");
    const PROGRESSIVE: &[u8] = include_bytes!("../../tests/data/progressive.jpg");
    const GREY: &[u8] = include_bytes!("../../tests/data/grey.jpg");
    const CMYK: &[u8] = include_bytes!("../../tests/data/cmyk.jpg");

    const JFIF: &[u8] = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";

    fn adobe(transform: u8) -> Vec<u8> {
        [b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat()
    }

    fn decoded(bytes: &[u8]) -> Result<Decoded, Problem> {
        decode("x.jpg", bytes, &Mutex::new(()))
    }

    fn encoded(image: DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn odd_kind(image: DynamicImage, format: ImageFormat) -> Option<ProblemKind> {
        decoded(&encoded(image, format)).unwrap().odd.map(|problem| problem.kind)
    }

    /// A JPEG with these segments in the place of its JFIF and Adobe segments, and with the component ids R, G, B if
    /// `ids` is set.
    fn with_front(file: &[u8], front: &[&[u8]], ids: bool) -> Vec<u8> {
        let head = Head::read(file).unwrap();
        let mut bytes = [&[0xff, 0xd8], front.concat().as_slice()].concat();
        for segment in &head.segments {
            let (first, step) = match segment.marker {
                0xe0 | 0xee => continue,
                0xc0 => (10, 3),
                0xda => (5, 2),
                _ => (usize::MAX, 0),
            };
            let start = bytes.len();
            bytes.extend(&file[segment.all.clone()]);
            if ids && step > 0 {
                (0..3).for_each(|i| bytes[start + first + step * i] = b"RGB"[i]);
            }
        }
        bytes.extend(&file[head.segments.last().unwrap().all.end..]);
        bytes
    }

    /// What Pillow 12 gives for these files at (3, 4), (33, 5), (6, 25) and (20, 15).
    #[test]
    fn jpeg_colours_are_those_of_libjpeg() {
        const USUAL: [[i32; 3]; 4] =
            [[18, 33, 248], [197, 40, 157], [37, 200, 235], [121, 120, 196]];
        const RAW: [[i32; 3]; 4] =
            [[53, 238, 103], [100, 160, 197], [155, 173, 44], [129, 166, 122]];
        const LUMA: [[i32; 3]; 4] = [[53; 3], [100; 3], [155; 3], [129; 3]];
        const INKS: [[i32; 3]; 4] =
            [[18, 32, 246], [198, 40, 156], [36, 200, 237], [121, 120, 195]];
        const YCCK: [[i32; 3]; 4] = [[72, 255, 255], [18, 47, 213], [66, 255, 91], [40, 179, 148]];
        let [a0, a1, a2] = [0, 1, 2].map(adobe);
        let [a0, a1, a2] = [&*a0, &*a1, &*a2];
        type Row<'a> = (&'a [&'a [u8]], [[[i32; 3]; 4]; 4]);
        // The files plain.jpg, plain.jpg with the ids R, G, B, grey.jpg and cmyk.jpg.
        let rows: [Row<'_>; 11] = [
            (&[], [USUAL, RAW, LUMA, INKS]),
            (&[JFIF], [USUAL, USUAL, LUMA, INKS]),
            (&[a0], [RAW, RAW, LUMA, INKS]),
            (&[a1], [USUAL, USUAL, LUMA, YCCK]),
            (&[a2], [USUAL, USUAL, LUMA, YCCK]),
            (&[JFIF, a0], [USUAL, USUAL, LUMA, INKS]),
            (&[JFIF, a1], [USUAL, USUAL, LUMA, YCCK]),
            (&[JFIF, a2], [USUAL, USUAL, LUMA, YCCK]),
            (&[a0, JFIF], [USUAL, USUAL, LUMA, INKS]),
            (&[a2, JFIF], [USUAL, USUAL, LUMA, YCCK]),
            (&[a1, a0], [RAW, RAW, LUMA, INKS]),
        ];
        for (row, (front, expected)) in rows.iter().enumerate() {
            let files = [
                with_front(PLAIN, front, false),
                with_front(PLAIN, front, true),
                with_front(GREY, front, false),
                with_front(CMYK, front, false),
                with_front(PROGRESSIVE, front, false),
            ];
            // A progressive file has the colours of the plain one.
            for (file, expected) in files.iter().zip(expected.iter().chain(&expected[..1])) {
                let image = decoded(file).map_err(|e| e.place).unwrap().image;
                for (at, expected) in [(3, 4), (33, 5), (6, 25), (20, 15)].iter().zip(expected) {
                    let found = image.get_pixel(at.0, at.1).0.map(i32::from);
                    let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 4);
                    assert!(near, "row {row}, at {at:?}: {found:?}, expected {expected:?}");
                }
            }
        }
    }

    #[test]
    fn a_jpeg_without_its_end_marker_is_whole_and_one_without_a_block_is_not() {
        let flat = DynamicImage::ImageRgb8(RgbImage::from_pixel(64, 64, Rgb([9, 99, 199])));
        let flat = encoded(flat, ImageFormat::Jpeg);
        for whole in [PLAIN, PROGRESSIVE, GREY, CMYK, flat.as_slice()] {
            let image = decoded(whole).map_err(|e| e.place).unwrap().image;
            let data = Head::read(whole).unwrap().segments.last().unwrap().all.end;
            for missing in 1..whole.len() {
                let cut = &whole[..whole.len() - missing];
                let ended = [cut, &[0xff, 0xd9]].concat();
                let padded = [cut, &[0; 999]].concat();
                for (bytes, marker) in [(cut, false), (&*ended, true), (&*padded, false)] {
                    match decoded(bytes) {
                        // Where a file is accepted, no pixel may differ.
                        Ok(found) => {
                            assert_eq!(found.image, image, "{missing} bytes missing");
                            let note =
                                found.notes.iter().any(|n| n.kind == ProblemKind::NoEndMarker);
                            assert_eq!(note, !marker, "{missing} bytes missing");
                        }
                        Err(problem) => {
                            assert!(missing > 2, "{missing}: {}", problem.place);
                            let kind = problem.kind;
                            let cut_in_head = whole.len() - missing <= data;
                            assert!(kind == ProblemKind::Truncated || cut_in_head, "{problem:?}");
                        }
                    }
                }
            }
        }
        let half = decoded(&PLAIN[..PLAIN.len() - 60]).err().unwrap();
        assert!(half.place.contains("image data end at pixel row 16 of 30"), "{half:?}");
        let scan = decoded(&PROGRESSIVE[..PROGRESSIVE.len() * 2 / 3]).err().unwrap();
        assert!(scan.place.contains("scan"), "{scan:?}");
    }

    #[test]
    fn bytes_after_the_end_and_between_segments_are_harmless() {
        let image = decoded(PLAIN).map_err(|e| e.place).unwrap().image;
        for tail in [PLAIN, &[0; 4096], b"SEFT and more", &[0xff, 0xd9, 0xff, 0xd9]] {
            let found = decoded(&[PLAIN, tail].concat()).map_err(|e| e.place).unwrap();
            assert_eq!((found.image, found.notes), (image.clone(), vec![]));
        }
        let stray = [&PLAIN[..20], &[1, 2, 3, 4, 5, 6, 0xff, 0xff], &PLAIN[20..]].concat();
        assert_eq!(decoded(&stray).map_err(|e| e.place).unwrap().image, image);
    }

    #[test]
    fn a_cut_file_of_another_format_is_accepted_only_if_no_pixel_differs() {
        let image = DynamicImage::ImageRgb8(RgbImage::from_fn(33, 21, |x, y| {
            Rgb([x as u8 * 7, y as u8 * 11, (x * y) as u8])
        }));
        use ImageFormat::{Bmp, Gif, Png, Tiff, WebP};
        for format in [Png, Bmp, Gif, Tiff, WebP] {
            let whole = encoded(image.clone(), format);
            let expected = decoded(&whole).map_err(|e| e.place).unwrap().image;
            for length in 0..whole.len() {
                if let Ok(found) = decoded(&whole[..length]) {
                    assert!(found.image == expected, "{format:?} cut to {length} bytes");
                }
            }
        }
        let half = |format| {
            let whole = encoded(image.clone(), format);
            decoded(&whole[..whole.len() / 2]).err().unwrap().kind
        };
        for format in [Png, Bmp, WebP] {
            assert_eq!(half(format), ProblemKind::Truncated, "{format:?}");
        }
        let webp = decoded(b"RIFF\x24\0\0\0WEBPVP8 ").err().unwrap();
        assert_eq!(webp.kind, ProblemKind::Truncated, "{webp:?}");
    }

    #[test]
    fn transparent_pixels_are_composited_and_said() {
        use ImageFormat::{Png, Tiff, WebP};
        let pixel = |x: u32, y: u32, alpha: u8| Rgba([x as u8 * 5, y as u8 * 5, 90, alpha]);
        let with = |alpha: fn(u32) -> u8| {
            DynamicImage::ImageRgba8(RgbaImage::from_fn(40, 40, |x, y| pixel(x, y, alpha(x))))
        };
        for format in [Png, Tiff, WebP] {
            let opaque = decoded(&encoded(with(|_| 255), format)).map_err(|e| e.place).unwrap();
            let composited =
                |d: &Decoded| d.notes.iter().any(|n| n.kind == ProblemKind::Composited);
            assert!(!composited(&opaque) && opaque.odd.is_none(), "{format:?}");
            // Of 40 columns 19 are clear.
            let cut_out = with(|x| if x < 19 { 0 } else { 255 });
            let cut_out = decoded(&encoded(cut_out, format)).map_err(|e| e.place).unwrap();
            assert!(composited(&cut_out) && cut_out.odd.is_none(), "{format:?}");
            assert_eq!(cut_out.image.get_pixel(3, 30), &Rgb([255; 3]));
            assert_eq!(cut_out.image.get_pixel(30, 3), &Rgb([150, 15, 90]));
            let clear = odd_kind(with(|x| if x < 21 { 127 } else { 255 }), format);
            assert_eq!(clear, Some(ProblemKind::Transparent), "{format:?}");
            let veiled = odd_kind(with(|x| if x < 21 { 128 } else { 255 }), format);
            assert_eq!(veiled, None, "{format:?}");
        }
        let grey = GrayAlphaImage::from_fn(40, 40, |x, y| LumaA([(x * y) as u8, 51]));
        let grey = decoded(&encoded(DynamicImage::ImageLumaA8(grey), Png)).unwrap();
        assert_eq!(grey.image.get_pixel(10, 20), &Rgb([244; 3]));
    }

    #[test]
    fn palette_colours_may_be_transparent() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_palette(vec![10, 20, 30, 200, 100, 0]);
        encoder.set_trns(vec![255, 51]);
        encoder.write_header().unwrap().write_image_data(&[0, 1]).unwrap();
        let image = decoded(&bytes).map_err(|e| e.place).unwrap().image;
        assert_eq!(image.into_raw(), [10, 20, 30, 244, 224, 204]);
    }

    #[test]
    fn very_small_and_very_long_images_are_decoded() {
        use ImageFormat::{Jpeg, Png};
        for format in [Png, Jpeg] {
            let one = DynamicImage::ImageRgb8(RgbImage::from_pixel(1, 1, Rgb([200, 150, 120])));
            assert_eq!(odd_kind(one, format), Some(ProblemKind::OneColour));
            for (width, height) in [(2000, 3), (3, 2000), (17, 5)] {
                let image = RgbImage::from_fn(width, height, |x, y| {
                    Rgb([(x / 9) as u8, (y / 9) as u8, (x + y) as u8])
                });
                let image = DynamicImage::ImageRgb8(image);
                let found = decoded(&encoded(image, format)).map_err(|e| e.place).unwrap();
                assert_eq!(found.image.dimensions(), (width, height));
                assert_eq!(found.odd, None, "{width}x{height} {format:?}");
            }
        }
    }

    #[test]
    fn an_image_with_dermagans_text_is_synthetic() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
        encoder.add_text_chunk("dermagan:seed".into(), "7".into()).unwrap();
        encoder.write_header().unwrap().write_image_data(&[7]).unwrap();
        let odd = decoded(&bytes).map_err(|e| e.place).unwrap().odd.unwrap();
        assert_eq!(
            (odd.kind, &*odd.place),
            (ProblemKind::Synthetic, "x.jpg (its text names dermagan)")
        );
    }

    proptest::proptest! {
        #[test]
        fn changed_bytes_never_make_the_reading_of_a_jpeg_panic(
            file in 0..4usize,
            changes in proptest::collection::vec((0..2000usize, 0..=255u8), 1..8),
            length in 0..2000usize,
        ) {
            let mut bytes = [PLAIN, PROGRESSIVE, GREY, CMYK][file].to_vec();
            let size = bytes.len();
            changes.iter().for_each(|&(at, value)| bytes[at % size] = value);
            bytes.truncate(length.max(4));
            if let Ok(head) = Head::read(&bytes) {
                let _ = crate::source::jpeg::scans::check(&bytes, &head);
            }
            let _ = generator::of(ImageFormat::Jpeg, &bytes);
            let _ = no_image::explain(&bytes);
        }
    }
}
