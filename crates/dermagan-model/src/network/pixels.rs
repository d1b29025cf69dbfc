//! The conversion of a generator's output to 8-bit pixels. No other code converts it.

use burn::tensor::Tensor;
use dermagan_base::image::Image;
use rayon::prelude::*;

use crate::error::ModelError;
use crate::tensor::to_vec;

/// Images from a tensor `[batch, 3, height, width]` of values in \[-1, 1\]. -1 becomes 0, 1 becomes 255,
/// values in between are rounded to the nearest integer, and values beyond are clamped.
///
/// # Errors
/// [`ModelError::ImageNotFinite`] when a value is NaN, which would become an ordinary black pixel.
pub fn to_images(x: Tensor<4>) -> Result<Vec<Image>, ModelError> {
    let [_, _, height, width] = x.dims();
    let n = x.shape().num_elements();
    // Channels last, which is the memory layout on the CPU already.
    let values = to_vec(x.inner().permute([0, 2, 3, 1]).reshape([n]));
    images(&values, width, height)
}

/// As [`to_images`], from channels-last values, `[batch, height, width, 3]`.
///
/// # Errors
/// As [`to_images`].
pub fn images(values: &[f32], width: usize, height: usize) -> Result<Vec<Image>, ModelError> {
    values
        .par_chunks(3 * height * width)
        .map(|values| {
            // Without an early exit, so that the loop is vectorised.
            if values.iter().fold(false, |found, value| found | value.is_nan()) {
                return Err(ModelError::ImageNotFinite);
            }
            let pixels = values.iter().map(|value| to_byte(*value)).collect();
            Ok(Image { width, height, pixels })
        })
        .collect()
}

fn to_byte(value: f32) -> u8 {
    // `as` truncates and saturates; NaN becomes 0. `round` would be a library call that takes a
    // twentieth of the time of sampling.
    ((value + 1.0) * 127.5 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_conversion_to_a_float_and_back() {
        for byte in 0..=255u8 {
            assert_eq!(to_byte(f32::from(byte) / 127.5 - 1.0), byte);
        }
        assert_eq!((to_byte(-3.0), to_byte(3.0)), (0, 255));
    }

    #[test]
    fn an_image_with_a_nan_is_an_error() {
        let mut values = [0.5; 3 * 4 * 2 * 2];
        assert_eq!(images(&values, 2, 2).unwrap().len(), 4);
        values[40] = f32::NAN;
        assert!(matches!(images(&values, 2, 2), Err(ModelError::ImageNotFinite)));
    }
}
