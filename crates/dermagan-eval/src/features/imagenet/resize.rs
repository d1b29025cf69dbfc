//! Resizes an image to the network's input, in floating point.

use dermagan_base::image::Image;
use dermagan_model::imagenet::{DEVIATION, MEAN};

use crate::error::EvalError;
use crate::features::resize::is_rgb;

/// The side of the network's input in pixels.
pub(super) const SIDE: usize = 160;

/// The sharpness of the cubic that interpolates, and of the one that reduces, as in PyTorch.
const INTERPOLATING: f32 = -0.75;
const REDUCING: f32 = -0.5;

/// A resized value along an axis is the sum of weights times pixels.
type Taps = Vec<(usize, f32)>;

/// Writes an image into `values` as `[160, 160, 3]`, each channel standardised.
///
/// An axis of up to 160 pixels is interpolated as by PyTorch's `interpolate(mode="bicubic", align_corners=False)`. A longer
/// one is reduced as with `antialias=True`, so that every pixel counts. Nothing is rounded to bytes: Pillow's `BICUBIC`
/// does that, twice, which moves the features of images with noise by 4 %.
///
/// # Errors
/// When the image has no pixels.
pub(super) fn to_input(image: &Image, values: &mut [f32]) -> Result<(), EvalError> {
    if !is_rgb(image) {
        let what = "an image has no pixels, or not three bytes for each";
        return Err(EvalError::Input(what.into()));
    }
    let (columns, rows) = (taps(image.width), taps(image.height));
    let mut lines = vec![0.0; image.height * SIDE * 3];
    for (line, pixels) in lines.chunks_exact_mut(SIDE * 3).zip(image.pixels.chunks(image.width * 3))
    {
        for (target, taps) in line.as_chunks_mut::<3>().0.iter_mut().zip(&columns) {
            for (column, weight) in taps {
                for channel in 0..3 {
                    target[channel] += weight * f32::from(pixels[column * 3 + channel]) / 255.0;
                }
            }
        }
    }
    for (target, taps) in values.chunks_exact_mut(SIDE * 3).zip(&rows) {
        target.fill(0.0);
        for (row, weight) in taps {
            let line = &lines[row * SIDE * 3..][..SIDE * 3];
            target.iter_mut().zip(line).for_each(|(target, value)| *target += weight * value);
        }
        for pixel in target.as_chunks_mut::<3>().0 {
            for channel in 0..3 {
                pixel[channel] = (pixel[channel] - MEAN[channel]) / DEVIATION[channel];
            }
        }
    }
    Ok(())
}

/// The pixels and weights of each resized value along an axis of `length` pixels.
fn taps(length: usize) -> Vec<Taps> {
    let scale = length as f32 / SIDE as f32;
    let of = |target: usize| {
        if length <= SIDE { near(target, scale, length) } else { around(target, scale, length) }
    };
    (0..SIDE).map(of).collect()
}

/// The four pixels nearest to a resized value. Edge pixels are replicated beyond the edge.
fn near(target: usize, scale: f32, length: usize) -> Taps {
    let position = scale * (target as f32 + 0.5) - 0.5;
    let first = position.floor() as isize - 1;
    let tap = |i: isize| {
        let weight = cubic(position - (first + i) as f32, INTERPOLATING);
        ((first + i).clamp(0, length as isize - 1) as usize, weight)
    };
    (0..4).map(tap).collect()
}

/// All pixels under the cubic that is as wide as a resized value needs it.
fn around(target: usize, scale: f32, length: usize) -> Taps {
    let centre = scale * (target as f32 + 0.5);
    let from = (centre - 2.0 * scale + 0.5).max(0.0) as usize;
    let to = ((centre + 2.0 * scale + 0.5) as usize).min(length);
    let weight = |i: usize| cubic((i as f32 - centre + 0.5) / scale, REDUCING);
    let sum: f32 = (from..to).map(weight).sum();
    (from..to).map(|i| (i, weight(i) / sum)).collect()
}

/// The cubic convolution kernel (Keys 1981) of sharpness `a`.
fn cubic(distance: f32, a: f32) -> f32 {
    let x = distance.abs();
    match x {
        _ if x < 1.0 => ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0,
        _ if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * a,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(image: &Image) -> Vec<f32> {
        let mut values = vec![f32::NAN; 3 * SIDE * SIDE];
        to_input(image, &mut values).unwrap();
        values
    }

    #[test]
    fn an_image_of_the_input_size_is_standardised_pixel_by_pixel() {
        let pixels: Vec<u8> = (0..SIDE * SIDE * 3).map(|i| (i * 7 % 256) as u8).collect();
        let values = input(&Image { width: SIDE, height: SIDE, pixels: pixels.clone() });
        for (i, byte) in pixels.iter().enumerate() {
            let expected = (f32::from(*byte) / 255.0 - MEAN[i % 3]) / DEVIATION[i % 3];
            assert!((values[i] - expected).abs() < 1e-5, "byte {i}");
        }
    }

    #[test]
    fn the_weights_of_a_resized_value_sum_to_one() {
        for length in [1, 2, 3, 64, 159, 160, 161, 400, 5000] {
            for taps in taps(length) {
                let sum: f32 = taps.iter().map(|(_, weight)| weight).sum();
                assert!((sum - 1.0).abs() < 1e-5, "{length}: {sum}");
                assert!(taps.iter().all(|(i, _)| *i < length));
            }
        }
    }

    #[test]
    fn stripes_too_fine_for_the_input_become_grey_instead_of_aliasing() {
        let (width, height) = (640, 10);
        let pixels = (0..width * height).flat_map(|i| [(i % 2 * 255) as u8; 3]).collect();
        let values = input(&Image { width, height, pixels });
        let grey = (0.5 - MEAN[0]) / DEVIATION[0];
        let red = values[3 * 80 * SIDE..3 * 81 * SIDE].iter().step_by(3);
        assert!(red.skip(2).take(SIDE - 4).all(|value| (value - grey).abs() < 0.05));
    }
}
