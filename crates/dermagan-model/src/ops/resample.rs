//! The resampling of the path around a layer by slices and sums, for GPUs; the CPU's is a kernel.

use burn::tensor::Tensor;

use super::Direction;

/// As [`super::residual::add_resampled`] resamples. (As products with the filter's matrix it was wrong on
/// SwiftShader in its gradient, at 16 pixels though not at 8: see [`super::product`].)
pub(super) fn resampled(x: Tensor<4>, direction: Direction) -> Tensor<4> {
    match direction {
        Direction::Down => {
            let x = halved(halved(x, 2), 3);
            Tensor::cat(vec![x.clone(), x], 1)
        }
        Direction::Up => {
            let half = x.dims()[1] / 2;
            let both = x.clone().narrow(1, 0, half) + x.narrow(1, half, half);
            doubled(doubled(both, 2), 3)
        }
    }
}

/// `inner` moved by one row or column, forwards or, with `after`, backwards; what comes in at the
/// border is `edge`'s.
fn shifted(edge: &Tensor<4>, inner: &Tensor<4>, axis: usize, after: bool) -> Tensor<4> {
    let n = inner.dims()[axis];
    let part = |x: &Tensor<4>, from: usize, count: usize| x.clone().narrow(axis, from, count);
    match (after, n) {
        (_, 1) => edge.clone(),
        (false, _) => Tensor::cat(vec![part(edge, 0, 1), part(inner, 0, n - 1)], axis),
        (true, _) => Tensor::cat(vec![part(inner, 1, n - 1), part(edge, n - 1, 1)], axis),
    }
}

/// [1, 3, 3, 1] / 8 along an axis of even length: half as many.
fn halved(x: Tensor<4>, axis: usize) -> Tensor<4> {
    let mut dims = x.dims();
    dims[axis] /= 2;
    let [b, c, h, w] = dims;
    let pairs: Tensor<5> = match axis {
        2 => x.reshape([b, c, h, 2, w]),
        _ => x.reshape([b, c, h, w, 2]),
    };
    let one = |i: usize| pairs.clone().narrow(axis + 1, i, 1).reshape(dims);
    let (even, odd) = (one(0), one(1));
    // The far taps are the odd one of the pair before and the even one of the pair after; at the
    // border, this pair's outer one.
    let (before, after) = (shifted(&even, &odd, axis, false), shifted(&odd, &even, axis, true));
    (even + odd).mul_scalar(0.375) + (before + after).mul_scalar(0.125)
}

/// The transpose of [`halved`].
fn doubled(x: Tensor<4>, axis: usize) -> Tensor<4> {
    let mut dims = x.dims();
    dims[axis] *= 2;
    let with = |other: Tensor<4>| -> Tensor<5> {
        let sum = x.clone().mul_scalar(0.375) + other.mul_scalar(0.125);
        sum.unsqueeze_dim(axis + 1)
    };
    let (before, after) = (shifted(&x, &x, axis, false), shifted(&x, &x, axis, true));
    Tensor::cat(vec![with(before), with(after)], axis + 1).reshape(dims)
}
