//! 3×3 filters as the 4×4 ones with stride 2 that the kernels are made for.

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

/// `[n, m, 3, 3]` to `[4·m, n, 4, 4]`: the 3×3 transposed convolution without a stride as a stride-2
/// convolution that makes each square of 2×2 pixels at once, rows first, m channels a pixel
/// ([`unfolded`] lays them out).
pub(super) fn folded(weight: Tensor<4>) -> Tensor<4> {
    let [n, m, ..] = weight.dims();
    let mut matrix = vec![0.0; 9 * 64];
    for tap in 0..9 {
        for pixel in 0..4 {
            // Pixel p takes p - tap + 1 of the image, which is number p - tap + 2 of the filter's.
            let (y, x) = (pixel / 2 + 2 - tap / 3, pixel % 2 + 2 - tap % 3);
            matrix[64 * tap + 16 * pixel + 4 * y + x] = 1.0;
        }
    }
    let matrix = constant(matrix, [1, 9, 64], &weight);
    let each = product(weight.reshape([1, n * m, 9]), matrix).reshape([n, m, 4, 16]);
    each.permute([2, 1, 0, 3]).reshape([4 * m, n, 4, 4])
}

/// `[batch, 4·m, h, w]` to `[batch, m, 2h, 2w]`: the squares that [`folded`] made.
pub(super) fn unfolded(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, h, w] = x.dims();
    let m = channels / 4;
    // Channels last throughout, as they lie on the CPU.
    let squares: Tensor<6> = x.permute([0, 2, 3, 1]).reshape([batch, h, w, 2, 2, m]);
    let rows = squares.permute([0, 1, 3, 2, 4, 5]).reshape([batch, 2 * h, 2 * w, m]);
    rows.permute([0, 3, 1, 2])
}
