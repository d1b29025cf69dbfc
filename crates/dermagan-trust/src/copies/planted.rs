//! Copies that an audit must find: training images, mirrored or rotated, shifted by up to 2 of 64 pixels, and compressed.

use dermagan_base::image::Image;
use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};

use crate::error::TrustError;

/// Quality of the JPEG compression.
const QUALITY: u8 = 75;

/// A copy of a square image that is not equal to it; `index` draws how.
pub(crate) fn planted(image: &Image, seed: u64, index: u64) -> Result<Image, TrustError> {
    let mut random = Keyed::new(seed, "audit planted", index);
    let oriented = image.clone().oriented(Orientation::draw(&mut random));
    let most = oriented.width as u64 / 32;
    let mut shift = || random.below(2 * most + 1) as isize - most as isize;
    let moved = shifted(&oriented, shift(), shift());
    compressed(&moved)
}

/// The image moved by some pixels; edge pixels are replicated beyond the edge.
fn shifted(image: &Image, x: isize, y: isize) -> Image {
    let from = |at: usize, by: isize, length: usize| {
        at.saturating_add_signed(-by).min(length.saturating_sub(1))
    };
    let place = |i: usize| {
        let (column, row) = (i % image.width, i / image.width);
        (from(row, y, image.height) * image.width + from(column, x, image.width)) * 3
    };
    let pixels = (0..image.width * image.height)
        .flat_map(|i| image.pixels[place(i)..place(i) + 3].iter().copied())
        .collect();
    Image { width: image.width, height: image.height, pixels }
}

/// The image as JPEG and back.
fn compressed(image: &Image) -> Result<Image, TrustError> {
    let failed = |error: image::ImageError| {
        TrustError::Input(format!(
            "an image of the audit's own check cannot be compressed: {error}"
        ))
    };
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, QUALITY)
        .encode(&image.pixels, image.width as u32, image.height as u32, ExtendedColorType::Rgb8)
        .map_err(failed)?;
    let back = image::load_from_memory_with_format(&jpeg, ImageFormat::Jpeg).map_err(failed)?;
    let pixels = back.to_rgb8().into_raw();
    Ok(Image { width: image.width, height: image.height, pixels })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_moves_pixels_and_replicates_the_edge() {
        let image = Image { width: 3, height: 2, pixels: (0..18).collect() };
        let moved = shifted(&image, 1, -1);
        // Row 0 comes from row 1, its first column twice.
        assert_eq!(moved.pixels[..9], [9, 10, 11, 9, 10, 11, 12, 13, 14]);
        assert_eq!(moved.pixels[9..], moved.pixels[..9]);
    }

    #[test]
    fn a_planted_copy_is_close_and_not_equal() {
        let pixels =
            (0..64 * 64).flat_map(|i| [(i % 64) as u8 * 3, (i / 64) as u8 * 2, 90]).collect();
        let image = Image { width: 64, height: 64, pixels };
        let copies: Vec<Image> = (0..20).map(|i| planted(&image, 0, i).unwrap()).collect();
        assert!(
            copies.iter().all(|copy| copy.pixels.len() == image.pixels.len() && *copy != image)
        );
        assert!(copies.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
