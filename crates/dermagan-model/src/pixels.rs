//! The only way from a generator's output to 8-bit pixels.

use burn::tensor::Tensor;
use dermagan_base::picture::Picture;

/// Pictures from a [batch, 3, side, side] tensor of values in [-1, 1]: -1 becomes 0, 1 becomes
/// 255, and what lies between is rounded to the nearest.
pub fn to_pictures(x: Tensor<4>) -> Vec<Picture> {
    let [_, channels, height, width] = x.dims();
    let n = x.shape().num_elements();
    let values = crate::named::to_vec(x.inner().reshape([n]));
    let plane = height * width;
    values
        .chunks(channels * plane)
        .map(|planes| {
            let pixels =
                (0..plane).flat_map(|i| (0..3).map(move |c| to_byte(planes[c * plane + i])));
            Picture { width, height, pixels: pixels.collect() }
        })
        .collect()
}

fn to_byte(value: f32) -> u8 {
    // A NaN becomes 0: `as` saturates.
    ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_way_to_a_float_and_back() {
        for byte in 0..=255u8 {
            assert_eq!(to_byte(f32::from(byte) / 127.5 - 1.0), byte);
        }
        assert_eq!((to_byte(-3.0), to_byte(3.0), to_byte(f32::NAN)), (0, 255, 0));
    }
}
