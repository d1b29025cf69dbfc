//! Small matrix products.

use burn::tensor::Tensor;

use super::is_cpu;

/// The product of `a` [batch, m, k] and `b` [batch, k, n], for small k.
///
/// On GPUs it is written out as products of single numbers and their sums: burn 0.22.1's matrix product
/// is wrong where k is not a multiple of four (seen on SwiftShader with 9 and with 3; 12 and 16 are
/// right), and filled up with zeros its gradient is.
pub fn product(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    if is_cpu(&a.device()) {
        return a.matmul(b);
    }
    let ([batch, m, _], n) = (a.dims(), b.dims()[2]);
    let each = a.unsqueeze_dim::<4>(3) * b.unsqueeze_dim::<4>(1);
    each.sum_dim(2).reshape([batch, m, n])
}
