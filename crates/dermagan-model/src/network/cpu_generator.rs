//! The DCGAN generator prepared for sampling on the CPU: everything that does not depend on the latents is
//! computed once.

use dermagan_kernels::Buffer;
use dermagan_kernels::Shape;
use dermagan_kernels::pointwise::activation;
use dermagan_kernels::pointwise::norm::{Affine, FoldedNorm, Moments};
use dermagan_kernels::{Layer, UpFilter};

use super::dcgan::{DcganGenerator, SLOPE};
use crate::ops::EPSILON;
use crate::tensor::to_vec;

/// A generator whose filters are in the order that the kernels read, and whose running statistics are
/// folded into one factor and one offset per channel. Its images have the same bits as those of
/// [`DcganGenerator::forward`] on the CPU. It takes two thirds of the time, because the result of a layer
/// is normalised while it is still in the cache, and no filter is reordered twice.
#[derive(Debug)]
pub struct CpuGenerator {
    layers: Vec<(Layer, UpFilter<f32>, Then)>,
    z_dim: usize,
    side: usize,
}

/// The operation that follows a transposed convolution.
#[derive(Debug)]
enum Then {
    Norm(FoldedNorm<f32>),
    Tanh,
}

impl CpuGenerator {
    /// Prepares a generator, which may be on any device.
    pub fn new(generator: &DcganGenerator) -> Self {
        let (mut z_dim, mut side) = (0, 1);
        let layers = generator.main.iter().map(|block| {
            let [deep, wide, ..] = block.weight.dims();
            let layer = Layer::of(Shape { batch: 1, height: side, width: side, wide, deep });
            if side == 1 {
                z_dim = deep;
            }
            side = if side == 1 { 4 } else { 2 * side };
            let filter = to_vec(block.weight.val().inner().flatten::<1>(0, 3));
            let then = match &block.norm {
                Some(norm) => {
                    let [gamma, beta, mean, var] =
                        [&norm.gamma, &norm.beta, &norm.running_mean, &norm.running_var]
                            .map(|p| to_vec(p.val().inner()));
                    let affine =
                        Affine { gamma: &gamma, beta: &beta, epsilon: EPSILON, slope: SLOPE };
                    Then::Norm(FoldedNorm::new(&Moments { mean, var }, &affine))
                }
                None => Then::Tanh,
            };
            (layer, UpFilter::new(&layer, &filter), then)
        });
        let layers = layers.collect();
        Self { layers, z_dim, side }
    }

    /// Generates images from `z`, `[batch, z_dim]` in row-major order. Result: `[batch, side, side, 3]` in
    /// \[-1, 1\].
    pub fn forward(&self, z: &[f32]) -> Buffer<f32> {
        let batch = z.len() / self.z_dim.max(1);
        let mut x: Option<Buffer<f32>> = None;
        for (layer, filter, then) in &self.layers {
            let small = x.as_deref().unwrap_or(z);
            x = Some(filter.apply(&layer.with_batch(batch), small, &|images| match then {
                Then::Norm(line) => line.apply_to(images),
                Then::Tanh => activation::tanh_here(images),
            }));
        }
        x.unwrap_or_else(|| unreachable!("a generator has layers"))
    }

    /// The side of its images in pixels.
    pub fn side(&self) -> usize {
        self.side
    }
}
