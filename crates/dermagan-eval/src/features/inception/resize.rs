//! Resizes an image to the network's input.

use dermagan_base::image::Image;
use dermagan_data::Filter;

use crate::error::EvalError;
use crate::features::resize::to_size;

/// The side of the network's input in pixels.
pub(super) const SIDE: usize = 299;

/// The source of an interpolated value along one axis: `(1 - share) * [low] + share * [high]`.
struct Between {
    low: usize,
    high: usize,
    share: f32,
}

/// Writes an image into `values` as `[299, 299, 3]` in [-1, 1].
///
/// # Errors
/// When the image has no pixels.
pub(super) fn to_input(image: &Image, values: &mut [f32]) -> Result<(), EvalError> {
    // Sides above 299 are reduced by a triangle filter over every pixel, as in Pillow's bilinear
    // resize.
    let size = [image.width.min(SIDE), image.height.min(SIDE)];
    let image = to_size(image, size, Filter::Bilinear)?;
    let rows = between(image.height);
    let columns = between(image.width);
    let value = |x: usize, y: usize, channel: usize| {
        f32::from(image.pixels[(y * image.width + x) * 3 + channel]) / 255.0
    };
    for (row, line) in rows.iter().zip(values.chunks_mut(SIDE * 3)) {
        for (column, pixel) in columns.iter().zip(line.chunks_mut(3)) {
            for (channel, target) in pixel.iter_mut().enumerate() {
                let across = |y: usize| {
                    (1.0 - column.share) * value(column.low, y, channel)
                        + column.share * value(column.high, y, channel)
                };
                let mixed = (1.0 - row.share) * across(row.low) + row.share * across(row.high);
                *target = 2.0 * mixed - 1.0;
            }
        }
    }
    Ok(())
}

/// PyTorch's bilinear interpolation with `align_corners=False` along an axis of `length` pixels: a pixel
/// has its value at its centre, and edge pixels are replicated beyond the edge.
fn between(length: usize) -> Vec<Between> {
    let scale = length as f32 / SIDE as f32;
    let source = |target: usize| {
        let position = (scale * (target as f32 + 0.5) - 0.5).max(0.0);
        let low = (position as usize).min(length - 1);
        Between { low, high: (low + 1).min(length - 1), share: position - low as f32 }
    };
    (0..SIDE).map(source).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(image: &Image) -> Vec<f32> {
        let mut values = vec![0.0; 3 * SIDE * SIDE];
        to_input(image, &mut values).unwrap();
        values
    }

    #[test]
    fn an_image_of_the_input_size_is_copied_pixel_by_pixel() {
        let pixels: Vec<u8> = (0..SIDE * SIDE * 3).map(|i| (i * 7 % 256) as u8).collect();
        let values = input(&Image { width: SIDE, height: SIDE, pixels: pixels.clone() });
        for (i, byte) in pixels.iter().enumerate() {
            let expected = 2.0 * (f32::from(*byte) / 255.0) - 1.0;
            assert_eq!(values[i], expected, "byte {i}");
        }
    }

    #[test]
    fn a_single_pixel_fills_the_input() {
        let values = input(&Image { width: 1, height: 1, pixels: vec![255, 0, 51] });
        for pixel in values.chunks(3) {
            assert!(pixel.iter().zip([1.0, -1.0, -0.6]).all(|(v, e)| (v - e).abs() < 1e-6));
        }
    }

    #[test]
    fn stripes_too_fine_for_the_input_become_grey_instead_of_aliasing() {
        let (width, height) = (598, 10);
        let pixels = (0..width * height).flat_map(|i| [(i % 2 * 255) as u8; 3]).collect();
        let values = input(&Image { width, height, pixels });
        let row = &values[3 * 150 * SIDE..3 * 151 * SIDE];
        assert!(row[6..3 * (SIDE - 2)].iter().all(|value| value.abs() < 0.02), "{row:?}");
    }
}
