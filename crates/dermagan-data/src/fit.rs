//! From a photograph of any shape to a square of a given size.

use fast_image_resize::images::{TypedCroppedImage, TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use serde::{Deserialize, Serialize};

/// How a picture that is not square becomes one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The largest square from the centre.
    #[default]
    Crop,
    /// The whole picture between black bars.
    Pad,
    /// The whole picture, its sides scaled apart.
    Squash,
}

/// The filter of the resize; both are antialiased (their support grows with the reduction).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Filter {
    /// Lanczos with three lobes: the sharpest without visible aliasing.
    #[default]
    Lanczos,
    /// Triangle filter: what Pillow and torchvision's `Resize` do by default.
    Bilinear,
}

/// Resizes to `size`×`size` RGB, row by row: `size * size * 3` bytes.
pub(crate) fn to_square(
    image: &RgbImage,
    size: u32,
    fit: Fit,
    filter: Filter,
) -> Result<Vec<u8>, String> {
    let (width, height) = image.dimensions();
    let source = TypedImageRef::<U8x3>::from_buffer(width, height, image.as_raw())
        .map_err(|e| e.to_string())?;
    // A crop is cut out first: with the resizer's own crop the filter would look beyond its edges.
    let (mut left, mut top, mut from_width, mut from_height) = (0, 0, width, height);
    let (mut to_width, mut to_height) = (size, size);
    match fit {
        Fit::Squash => {}
        Fit::Crop => {
            let side = width.min(height);
            (left, top) = ((width - side) / 2, (height - side) / 2);
            (from_width, from_height) = (side, side);
        }
        Fit::Pad => {
            let longest = width.max(height);
            let scaled = |side: u32| {
                (f64::from(side) * f64::from(size) / f64::from(longest)).round().max(1.0) as u32
            };
            (to_width, to_height) = (scaled(width), scaled(height));
        }
    }
    let algorithm = ResizeAlg::Convolution(match filter {
        Filter::Lanczos => FilterType::Lanczos3,
        Filter::Bilinear => FilterType::Bilinear,
    });
    let options = ResizeOptions::new().resize_alg(algorithm);
    let source = TypedCroppedImage::new(source, left, top, from_width, from_height)
        .map_err(|e| e.to_string())?;
    let mut pixels = vec![0; to_width as usize * to_height as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(to_width, to_height, &mut pixels)
        .map_err(|e| e.to_string())?;
    // The call for one pixel type: the other compiles the resize for all of them, half a minute.
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| e.to_string())?;
    if (to_width, to_height) == (size, size) {
        return Ok(pixels);
    }
    let inner = dermagan_base::picture::Picture {
        width: to_width as usize,
        height: to_height as usize,
        pixels,
    };
    let mut square = dermagan_base::picture::Picture::filled(size as usize, size as usize, [0; 3]);
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
