//! Conversion of filters to the form that ONNX's operators take.

use dermagan_model::tensor::Array;

/// Converts the filter `[n, m, 3, 3]` of a layer that doubles every pixel and then applies a 3×3 transposed convolution to
/// that of the equal transposed convolution with stride 2, `[n, m, 4, 4]`: its convolution with a square of 2×2 ones.
/// The runtime then computes less than half of the products.
pub(super) fn blurred(weight: &Array) -> Array {
    let [n, m] = [weight.shape[0], weight.shape[1]];
    let mut values = vec![0.0; n * m * 16];
    for (filter, made) in weight.values.chunks_exact(9).zip(values.chunks_exact_mut(16)) {
        for (tap, value) in filter.iter().enumerate() {
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                made[4 * (tap / 3 + dy) + tap % 3 + dx] += value;
            }
        }
    }
    Array { shape: vec![n, m, 4, 4], values }
}

/// Converts the filter `[n, m, 3, 3]` of a transposed convolution without a stride to that of the equal ordinary
/// convolution, `[m, n, 3, 3]`: channels are swapped, and the taps are rotated by 180°.
pub(super) fn ordinary(weight: &Array) -> Array {
    let [n, m] = [weight.shape[0], weight.shape[1]];
    let mut values = Vec::with_capacity(weight.values.len());
    for output in 0..m {
        for input in 0..n {
            let at = 9 * (input * m + output);
            values.extend(weight.values[at..at + 9].iter().rev());
        }
    }
    Array { shape: vec![m, n, 3, 3], values }
}

/// Multiplies the values of each output channel of the filter `[n, m, height, width]` of a transposed convolution by the
/// factor of that channel.
pub(super) fn scaled(weight: &Array, factors: &[f64]) -> Array {
    let area: usize = weight.shape[2..].iter().product();
    let channels = weight.values.chunks_exact(area).zip(factors.iter().cycle());
    let values = channels
        .flat_map(|(taps, factor)| taps.iter().map(move |v| (f64::from(*v) * factor) as f32));
    Array { shape: weight.shape.clone(), values: values.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(shape: [usize; 4]) -> Array {
        let values = (0..shape.iter().product()).map(|v: usize| v as f32).collect();
        Array { shape: shape.to_vec(), values }
    }

    #[test]
    fn a_blurred_filter_sums_the_taps_that_share_a_pixel() {
        let made = blurred(&ramp([1, 1, 3, 3]));
        let rows = [
            [0.0, 1.0, 3.0, 2.0],
            [3.0, 8.0, 12.0, 7.0],
            [9.0, 20.0, 24.0, 13.0],
            [6.0, 13.0, 15.0, 8.0],
        ];
        assert_eq!((made.shape, made.values), (vec![1, 1, 4, 4], rows.concat()));
    }

    #[test]
    fn an_ordinary_filter_has_its_channels_swapped_and_its_taps_rotated() {
        let made = ordinary(&ramp([2, 3, 3, 3]));
        assert_eq!(made.shape, [3, 2, 3, 3]);
        // Output 2, input 1: filter number 1·3 + 2.
        assert_eq!(made.values[45..54], [53., 52., 51., 50., 49., 48., 47., 46., 45.]);
    }

    #[test]
    fn a_factor_belongs_to_an_output_channel() {
        let made = scaled(&ramp([2, 2, 1, 2]), &[1.0, 10.0]);
        assert_eq!(made.values, [0., 1., 20., 30., 4., 5., 60., 70.]);
    }
}
