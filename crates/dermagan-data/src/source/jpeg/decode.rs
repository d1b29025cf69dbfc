//! Decodes a JPEG of which no block may be missing.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use crate::source::jpeg::colours::{Space, four_to_rgb, misleading, space, ycbcr_to_rgb};
use crate::source::jpeg::scans::{End, check};
use crate::source::jpeg::segments::Head;

/// Why a JPEG has no image, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum JpegError {
    /// A part of the image is missing or damaged.
    Damaged(String),
    /// The file uses what the decoder does not know.
    Unknown(String),
}

/// The image of a JPEG, and whether its end marker is there.
pub(crate) struct Jpeg {
    pub image: RgbImage,
    pub has_end: bool,
}

/// Decodes a file in libjpeg's colours and applies its EXIF orientation. Grey and CMYK are converted to RGB.
///
/// # Errors
/// [`JpegError`].
pub(crate) fn decode(bytes: &[u8], head: &Head) -> Result<Jpeg, JpegError> {
    if !matches!(head.frame.marker, 0xc0..=0xc2) {
        let what = "lossless, hierarchical or arithmetic coding, expected Huffman coding";
        return Err(JpegError::Unknown(what.into()));
    }
    let end = check(bytes, head).map_err(JpegError::Damaged)?;
    let has_end = end == End::Marker;
    let misleading = misleading(bytes, head);
    let plain = has_end && misleading.is_empty() && !head.stray;
    let copy = (!plain).then(|| without(bytes, head, &misleading, end));
    let image = pixels(copy.as_deref().unwrap_or(bytes), space(bytes, head))?;
    Ok(Jpeg { image, has_end })
}

/// A copy without the segments of these numbers and without the bytes between segments, and with an end marker.
fn without(bytes: &[u8], head: &Head, left_out: &[usize], end: End) -> Vec<u8> {
    let mut copy = Vec::with_capacity(bytes.len() + 4);
    copy.extend([0xff, 0xd8]);
    for (number, segment) in head.segments.iter().enumerate() {
        if !left_out.contains(&number) {
            // Without fill bytes before the marker.
            copy.extend(&bytes[segment.all.clone()]);
        }
    }
    match end {
        End::Marker => copy.extend(&bytes[head.data()..]),
        End::NoMarker { at, stuffed } => {
            copy.extend(&bytes[head.data()..at]);
            copy.extend(stuffed.then_some(0));
            copy.extend([0xff, 0xd9]);
        }
    }
    copy
}

/// Decodes a file whose samples are in `space`.
fn pixels(bytes: &[u8], space: Space) -> Result<RgbImage, JpegError> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|e| JpegError::Unknown(e.to_string()))?;
    let given = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
    // Where the decoder takes the samples for another space than they are in, they are read as they are.
    let out = match (space, given) {
        (Space::Grey, _) => ColorSpace::Luma,
        (Space::YCbCr, ColorSpace::YCbCr) => ColorSpace::RGB,
        _ => given,
    };
    decoder.set_options(options.jpeg_set_out_colorspace(out));
    let orientation = decoder.exif().and_then(|exif| Orientation::from_exif_chunk(exif));
    let mut pixels = decoder.decode().map_err(|e| match e {
        DecodeErrors::Unsupported(_) => JpegError::Unknown(e.to_string()),
        e => JpegError::Damaged(e.to_string()),
    })?;
    let (width, height) = decoder.dimensions().unwrap_or_default();
    let (width, height) = (width as u32, height as u32);
    match space {
        Space::YCbCr if given != ColorSpace::YCbCr => ycbcr_to_rgb(&mut pixels),
        Space::Cmyk | Space::Ycck => pixels = four_to_rgb(&pixels, space),
        _ => {}
    }
    let image = match space {
        Space::Grey => GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8),
        _ => RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8),
    };
    let fewer = || JpegError::Damaged("fewer pixels than in its header".into());
    let mut image = image.ok_or_else(fewer)?;
    image.apply_orientation(orientation.unwrap_or(Orientation::NoTransforms));
    Ok(image.into_rgb8())
}
