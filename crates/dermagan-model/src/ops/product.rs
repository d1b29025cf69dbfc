//! Small matrix products.

use burn::tensor::Tensor;

use super::is_cpu;

/// The product of `a` [batch, m, k] and `b` [batch, k, n], for small k.
///
/// On GPUs it is written out as products of single numbers and their sums, which are two launches: burn's matrix
/// product chooses a kernel by its time for every shape, and which are right depends on the driver.
pub fn product(a: Tensor<3>, b: Tensor<3>) -> Tensor<3> {
    if is_cpu(&a.device()) {
        return a.matmul(b);
    }
    let ([batch, m, _], n) = (a.dims(), b.dims()[2]);
    let each = a.unsqueeze_dim::<4>(3) * b.unsqueeze_dim::<4>(1);
    each.sum_dim(2).reshape([batch, m, n])
}
