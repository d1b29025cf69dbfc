//! Resizes a photograph of any shape to a square.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::prepare::resize::{Filter, Window, resized};

/// How an image becomes square.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The largest square from the centre.
    #[default]
    Crop,
    /// The whole image, centred between black bars.
    Pad,
    /// The whole image, with width and height scaled independently.
    Squash,
}

/// Resizes an image to `size` × `size` pixels: `size * size * 3` bytes, row by row, RGB.
///
/// # Errors
/// As [`resized`], if the image has no pixels.
pub(crate) fn to_square(
    image: &RgbImage,
    size: u32,
    fit: Fit,
    filter: Filter,
) -> Result<Vec<u8>, String> {
    let (width, height) = image.dimensions();
    let mut window = Window { left: 0, top: 0, width, height };
    let (mut to_width, mut to_height) = (size, size);
    match fit {
        Fit::Squash => {}
        Fit::Crop => {
            let side = width.min(height);
            let (left, top) = ((width - side) / 2, (height - side) / 2);
            window = Window { left, top, width: side, height: side };
        }
        Fit::Pad => {
            let longest = width.max(height);
            let scaled = |side: u32| {
                (f64::from(side) * f64::from(size) / f64::from(longest)).round().max(1.0) as u32
            };
            (to_width, to_height) = (scaled(width), scaled(height));
        }
    }
    let to = [to_width, to_height];
    let pixels = resized(image.as_raw(), [width, height], window, to, filter)?;
    if (to_width, to_height) == (size, size) {
        return Ok(pixels);
    }
    let inner = dermagan_base::image::Image {
        width: to_width as usize,
        height: to_height as usize,
        pixels,
    };
    let mut square = dermagan_base::image::Image::filled(size as usize, size as usize, [0; 3]);
    square.paste(&inner, ((size - to_width) / 2) as usize, ((size - to_height) / 2) as usize);
    Ok(square.pixels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    /// 30 wide, 10 high: left third red, middle green, right blue.
    fn tricolour() -> RgbImage {
        RgbImage::from_fn(30, 10, |x, _| {
            Rgb([[255, 0, 0], [0, 255, 0], [0, 0, 255]][(x / 10) as usize])
        })
    }

    fn pixel(square: &[u8], size: usize, x: usize, y: usize) -> [u8; 3] {
        let at = (y * size + x) * 3;
        [square[at], square[at + 1], square[at + 2]]
    }

    #[test]
    fn crop_keeps_the_centre_pad_keeps_all_between_bars_and_squash_keeps_all() {
        let crop = to_square(&tricolour(), 6, Fit::Crop, Filter::Lanczos).unwrap();
        assert!(crop.chunks(3).all(|p| p == [0, 255, 0]));
        let pad = to_square(&tricolour(), 30, Fit::Pad, Filter::Lanczos).unwrap();
        assert_eq!(pixel(&pad, 30, 2, 15), [255, 0, 0]);
        assert_eq!(pixel(&pad, 30, 27, 15), [0, 0, 255]);
        assert_eq!(pixel(&pad, 30, 15, 0), [0, 0, 0]);
        let squash = to_square(&tricolour(), 9, Fit::Squash, Filter::Bilinear).unwrap();
        assert_eq!(pixel(&squash, 9, 0, 8), [255, 0, 0]);
        assert_eq!(pixel(&squash, 9, 8, 0), [0, 0, 255]);
    }
}
