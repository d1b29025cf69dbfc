//! R1 and R2: penalties on the discriminator's gradient with respect to what it judges.

use burn::tensor::Tensor;

/// Consecutive images of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    from: usize,
    /// Number of images.
    pub count: usize,
    /// Number of images of the batch.
    all: usize,
}

impl Part {
    /// These images' part of a tensor.
    pub fn of<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        if self.count < self.all { x.narrow(0, self.from, self.count) } else { x }
    }
}

/// γ/2 times the mean squared norm of the logits' gradients with respect to what was judged, `[1]` each: R1 on the `n` real
/// images and R2 on the `n` fakes after them (Mescheder et al. 2018, arXiv:1801.04406).
///
/// `gradient` is an explicit network of first order ([`Discriminator::input_gradient`](dermagan_model::Discriminator::input_gradient)), taken where the discriminator
/// sees the images: after the augmentation. It is called with the images whose gradient is needed.
pub(super) fn penalties(
    n: usize,
    gammas: [f64; 2],
    gradient: impl FnOnce(Part) -> Option<Tensor<4>>,
) -> [Option<Tensor<1>>; 2] {
    let [from, count] = match gammas.map(|gamma| gamma > 0.0) {
        [false, false] => return [None, None],
        [true, true] => [0, 2 * n],
        [true, false] => [0, n],
        [false, true] => [n, n],
    };
    let gradient = gradient(Part { from, count, all: 2 * n });
    let Some(gradient) = gradient else { return [None, None] };
    // Channels last, as the CPU has them already.
    let [_, colours, height, width] = gradient.dims();
    let rows: Tensor<2> = gradient.permute([0, 2, 3, 1]).reshape([count, colours * height * width]);
    let squares = rows.powi_scalar(2).sum_dim(1);
    let penalty = |gamma: f64, at: usize| {
        (gamma > 0.0).then(|| squares.clone().narrow(0, at, n).mean().mul_scalar(gamma / 2.0))
    };
    [penalty(gammas[0], 0), penalty(gammas[1], count - n)]
}
