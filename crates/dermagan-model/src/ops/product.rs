//! Small matrix products.

use burn::tensor::Tensor;

use super::layout::is_cpu;

/// The product `[batch, m, n]` of `a`, `[batch, m, k]`, and `b`, `[batch, k, n]`, for small k.
///
/// On GPUs it is computed as an elementwise product followed by a sum, two launches in total. The matrix
/// product of burn selects a kernel for each shape by speed alone, and some of its kernels are wrong on
/// some drivers.
pub fn product(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    if is_cpu(&a.device()) {
        return a.matmul(b);
    }
    let ([batch, m, _], n) = (a.dims(), b.dims()[2]);
    let each = a.unsqueeze_dim::<4>(3) * b.unsqueeze_dim::<4>(1);
    each.sum_dim(2).reshape([batch, m, n])
}
