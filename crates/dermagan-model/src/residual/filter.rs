//! The 4×4 filter that a 3×3 one and a resampling by two make together.

use burn::tensor::Tensor;

use crate::ops::{constant, product};

/// `[n, m, 3, 3]` to `[n, m, 4, 4]`: convolved with a square of 2×2 ones. The transposed stride-2
/// convolution by it is a doubling of every pixel and then a 3×3 convolution.
pub(super) fn blurred(weight: Tensor<4>) -> Tensor<4> {
    let [n, m, ..] = weight.dims();
    let mut matrix = vec![0.0; 9 * 16];
    for tap in 0..9 {
        for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            matrix[16 * tap + 4 * (tap / 3 + dy) + tap % 3 + dx] = 1.0;
        }
    }
    let matrix = constant(matrix, [1, 9, 16], &weight);
    product(weight.reshape([1, n * m, 9]), matrix).reshape([n, m, 4, 4])
}
