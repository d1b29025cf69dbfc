//! The only way from a generator's output to 8-bit pixels.

use burn::tensor::Tensor;
use dermagan_base::image::Image;
use rayon::prelude::*;

use crate::error::ModelError;

/// Images from a [batch, 3, side, side] tensor of values in [-1, 1]: -1 becomes 0, 1 becomes
/// 255, and what lies between is rounded to the nearest.
///
/// # Errors
/// When a value is not a number: it would be a black pixel that looks like any other.
pub fn to_images(x: Tensor<4>) -> Result<Vec<Image>, ModelError> {
    let [_, _, height, width] = x.dims();
    let n = x.shape().num_elements();
    // Channels last, as the CPU has them already.
    let values = crate::named::to_vec(x.inner().permute([0, 2, 3, 1]).reshape([n]));
    images(&values, width, height)
}

/// The same from channels-last values, [batch, height, width, 3].
///
/// # Errors
/// As [`to_images`].
pub fn images(values: &[f32], width: usize, height: usize) -> Result<Vec<Image>, ModelError> {
    values
        .par_chunks(3 * height * width)
        .map(|values| {
            // Without an early end, so that it is vectors.
            if values.iter().fold(false, |found, value| found | value.is_nan()) {
                return Err(ModelError::ImageNotFinite);
            }
            let pixels = values.iter().map(|value| to_byte(*value)).collect();
            Ok(Image { width, height, pixels })
        })
        .collect()
}

fn to_byte(value: f32) -> u8 {
    // `as` cuts the fraction off and saturates; a NaN becomes 0. `round` would be a library call, a
    // twentieth of sampling's time.
    ((value + 1.0) * 127.5 + 0.5) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_to_a_float_and_back() {
        for byte in 0..=255u8 {
            assert_eq!(to_byte(f32::from(byte) / 127.5 - 1.0), byte);
        }
        assert_eq!((to_byte(-3.0), to_byte(3.0)), (0, 255));
    }

    #[test]
    fn what_is_not_a_number_is_no_pixel() {
        let mut values = [0.5; 3 * 4 * 2 * 2];
        assert_eq!(images(&values, 2, 2).unwrap().len(), 4);
        values[40] = f32::NAN;
        assert!(matches!(images(&values, 2, 2), Err(ModelError::ImageNotFinite)));
    }
}
