//! The matrix product, of extents that GPUs compute rightly.

use burn::tensor::Tensor;

use super::is_cpu;

/// Extents are filled up to a multiple of this.
const WHOLE: usize = 4;

/// The product of `a` [.., m, k] and `b` [.., k, n]. On GPUs all three extents are filled up with zeros to
/// multiples of four, for the gradients' sake too: burn 0.22.1's own product is wrong where the inner one
/// is not (seen on SwiftShader with 9 and with 3; with 12 and 16 it is right).
pub fn product<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    if is_cpu(&a.device()) {
        return a.matmul(b);
    }
    let (m, n) = (a.dims()[D - 2], b.dims()[D - 1]);
    let whole = filled(filled(a, D - 1), D - 2).matmul(filled(filled(b, D - 1), D - 2));
    whole.narrow(D - 2, 0, m).narrow(D - 1, 0, n)
}

fn filled<const D: usize>(x: Tensor<D>, axis: usize) -> Tensor<D> {
    let mut dims = x.dims();
    dims[axis] = dims[axis].next_multiple_of(WHOLE) - dims[axis];
    if dims[axis] == 0 {
        return x;
    }
    let nothing = Tensor::zeros(dims, (&x.device(), x.dtype()));
    Tensor::cat(vec![x, nothing], axis)
}
