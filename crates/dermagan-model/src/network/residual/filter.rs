//! Conversion of 3×3 filters to the 4×4 filters with stride 2 that the kernels support.

use burn::tensor::Tensor;

use crate::ops::product;
use crate::tensor::constant;

/// Convolves a filter `[n, m, 3, 3]` with a square of 2×2 ones, which gives `[n, m, 4, 4]`. The transposed
/// stride-2 convolution with the result doubles every pixel and then applies the 3×3 convolution.
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

/// Converts the filter `[n, m, 3, 3]` of a transposed convolution without a stride to a filter
/// `[4·m, n, 4, 4]` with stride 2, which computes a square of 2×2 pixels at once, row by row, with m
/// channels per pixel. [`unfolded`] puts the pixels in their places.
pub(super) fn folded(weight: Tensor<4>) -> Tensor<4> {
    let [n, m, ..] = weight.dims();
    let mut matrix = vec![0.0; 9 * 64];
    for tap in 0..9 {
        for pixel in 0..4 {
            // Pixel p reads pixel p - tap + 1 of the image, which is tap number p - tap + 2 of the filter.
            let (y, x) = (pixel / 2 + 2 - tap / 3, pixel % 2 + 2 - tap % 3);
            matrix[64 * tap + 16 * pixel + 4 * y + x] = 1.0;
        }
    }
    let matrix = constant(matrix, [1, 9, 64], &weight);
    let each = product(weight.reshape([1, n * m, 9]), matrix).reshape([n, m, 4, 16]);
    each.permute([2, 1, 0, 3]).reshape([4 * m, n, 4, 4])
}

/// Rearranges the squares of pixels that a [`folded`] filter computes, `[batch, 4·m, h, w]`, to an image
/// `[batch, m, 2h, 2w]`.
pub(super) fn unfolded(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, h, w] = x.dims();
    let m = channels / 4;
    // Channels last throughout, which is the memory layout on the CPU.
    let squares: Tensor<6> = x.permute([0, 2, 3, 1]).reshape([batch, h, w, 2, 2, m]);
    let rows = squares.permute([0, 1, 3, 2, 4, 5]).reshape([batch, 2 * h, 2 * w, m]);
    rows.permute([0, 3, 1, 2])
}
