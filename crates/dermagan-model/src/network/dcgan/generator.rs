//! The DCGAN generator: from the latent z to the image.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::network::batch_norm::{BatchNorm, BatchStats};
use crate::network::config::ModelConfig;
use crate::network::named::{Network, sequential};
use crate::ops::{Precision, convolve_transposed, tanh};

/// Slope of the activation below zero; 0 for ReLU.
pub(crate) const SLOPE: f64 = 0.0;

/// A transposed convolution with a 4×4 kernel and no bias. Batch normalisation and ReLU follow every block
/// but the last.
#[derive(Module, Debug)]
pub struct UpBlock {
    /// Shape [in, out, 4, 4], as in PyTorch.
    pub weight: Param<Tensor<4>>,
    /// Absent in the last block, whose output is the image.
    pub norm: Option<BatchNorm>,
}

/// The DCGAN generator (Radford, Metz and Chintala 2015): z → 4×4 → … → resolution, then tanh.
#[derive(Module, Debug)]
pub struct DcganGenerator {
    /// The blocks, from the latent to the image.
    pub main: Vec<UpBlock>,
}

impl UpBlock {
    /// The first block expands the 1×1 latent to 4×4; every other block doubles the side.
    fn upsample(&self, x: Tensor<4>, precision: Precision) -> Tensor<4> {
        convolve_transposed(x, self.weight.val(), precision)
    }
}

impl DcganGenerator {
    /// A generator of this shape whose weights are all zero; see [`crate::Init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let channels = config.generator_channels();
        let last = channels.len() - 1;
        let main = channels
            .into_iter()
            .enumerate()
            .map(|(i, (from, to))| UpBlock {
                weight: Param::from_tensor(Tensor::zeros([from, to, 4, 4], device)),
                norm: (i < last).then(|| BatchNorm::new(to, device)),
            })
            .collect();
        Self { main }
    }

    /// Generates images with the running statistics. `z`: `[batch, z_dim]`; result:
    /// `[batch, 3, side, side]` in \[-1, 1\].
    pub fn forward(&self, z: Tensor<2>) -> Tensor<4> {
        let mut x = z.unsqueeze_dims::<4>(&[-1, -1]);
        for block in &self.main {
            x = block.upsample(x, Precision::F32);
            x = match &block.norm {
                Some(norm) => norm.forward(x, SLOPE),
                None => tanh(x),
            };
        }
        x
    }

    /// Generates images with the statistics of the batch. Also returns these statistics, one entry per
    /// normalised block.
    pub fn forward_train(
        &self,
        z: Tensor<2>,
        precision: Precision,
    ) -> (Tensor<4>, Vec<BatchStats>) {
        let mut x = z.unsqueeze_dims::<4>(&[-1, -1]);
        let mut seen = Vec::new();
        for block in &self.main {
            x = block.upsample(x, precision);
            x = match &block.norm {
                Some(norm) => {
                    let (normed, stats) = norm.forward_train(x, SLOPE, 1);
                    seen.extend(stats);
                    normed
                }
                None => tanh(x),
            };
        }
        (x, seen)
    }

    /// The normalisations, from the latent to the image.
    pub fn norms(&mut self) -> impl Iterator<Item = &mut BatchNorm> {
        self.main.iter_mut().filter_map(|block| block.norm.as_mut())
    }

    /// Updates the running statistics with those of one batch.
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        self.norms().zip(stats).for_each(|(norm, stats)| norm.update_running(stats));
    }

    /// Replaces the running statistics by their average over `batches` of latents, `[batch, z_dim]` each,
    /// so that they fit these weights ("standing statistics", Brock et al. 2019). An average of weights
    /// over time has other activations than the live generator, whose running statistics do not fit it.
    pub fn calibrate(&mut self, batches: impl IntoIterator<Item = Tensor<2>>) {
        let mut sums: Vec<BatchStats> = Vec::new();
        let mut count = 0.0;
        for z in batches {
            let (_, seen) = self.forward_train(z, Precision::F32);
            count += 1.0;
            if sums.is_empty() {
                sums = seen;
                continue;
            }
            for (sum, new) in sums.iter_mut().zip(seen) {
                sum.mean = sum.mean.clone() + new.mean;
                sum.var = sum.var.clone() + new.var;
            }
        }
        for (norm, sum) in self.norms().zip(sums) {
            let mean = sum.mean.div_scalar(count);
            norm.set_running(BatchStats { mean, var: sum.var.div_scalar(count) });
        }
    }
}

/// The index in PyTorch, where ReLU and tanh count as layers: block i is main.{3i}, its normalisation
/// main.{3i+1}.
pub(crate) fn torch_index(block: usize, is_norm: bool) -> usize {
    3 * block + usize::from(is_norm)
}

/// The names and shapes of the tensors of such a generator.
pub(crate) fn shapes(config: &ModelConfig) -> BTreeMap<String, Vec<usize>> {
    let mut shapes = BTreeMap::new();
    let channels = config.generator_channels();
    for (i, &(from, to)) in channels.iter().enumerate() {
        let index = torch_index(i, false);
        shapes.insert(format!("main.{index}.weight"), vec![from, to, 4, 4]);
        if i + 1 < channels.len() {
            for leaf in ["weight", "bias", "running_mean", "running_var"] {
                shapes.insert(format!("main.{}.{leaf}", index + 1), vec![to]);
            }
        }
    }
    shapes
}

impl Network for DcganGenerator {
    fn name(path: &[String]) -> String {
        sequential(path, torch_index)
    }
}
