//! DCGAN's generator as sampling on the CPU uses it: everything that does not depend on the latents is
//! worked out once.

use dermagan_kernels::activation;
use dermagan_kernels::layer::{Layer, UpFilter};
use dermagan_kernels::norm::{Affine, Line, Moments};
use dermagan_kernels::scratch::Buffer;
use dermagan_kernels::shape::Shape;

use crate::dcgan::{DcganGenerator, SLOPE};
use crate::named::to_vec;
use crate::norm::EPSILON;

/// A generator whose filters are laid out and whose running statistics are folded into one factor
/// and offset a channel. Its images are the bits of [`DcganGenerator::forward`] on the CPU; it makes
/// them in two thirds of the time, because no layer's result leaves the cache before it is
/// normalised and no filter is laid out twice.
#[derive(Debug)]
pub struct Prepared {
    layers: Vec<(Layer, UpFilter<f32>, Then)>,
    z_dim: usize,
    side: usize,
}

/// What follows a transposed convolution.
#[derive(Debug)]
enum Then {
    Norm(Line<f32>),
    Tanh,
}

impl Prepared {
    /// From a generator on any device.
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
                    Then::Norm(Line::new(&Moments { mean, var }, &affine))
                }
                None => Then::Tanh,
            };
            (layer, UpFilter::new(&layer, &filter), then)
        });
        let layers = layers.collect();
        Self { layers, z_dim, side }
    }

    /// Images of `z`, [batch, `z_dim`] row by row: [batch, side, side, 3] in [-1, 1].
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

    /// Side of its images in pixels.
    pub fn side(&self) -> usize {
        self.side
    }
}
