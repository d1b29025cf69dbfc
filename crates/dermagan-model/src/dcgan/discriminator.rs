//! DCGAN's discriminator: image to logit.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::config::ModelConfig;
use crate::named::{Network, sequential};
use crate::norm::{BatchNorm, BatchStats};
use crate::ops::{convolve, leaky};
use crate::precision::Precision;

/// Slope of LeakyReLU below zero.
const SLOPE: f64 = 0.2;

/// A convolution with a 4×4 kernel and no bias; all but the first and the last are followed by
/// batch normalisation, all but the last by LeakyReLU.
#[derive(Module, Debug)]
pub struct DownBlock {
    /// Shape [out, in, 4, 4], as in PyTorch.
    pub weight: Param<Tensor<4>>,
    /// Absent in the first block and in the last.
    pub norm: Option<BatchNorm>,
}

/// DCGAN's discriminator: resolution → … → 4×4 → one logit, before the sigmoid.
#[derive(Module, Debug)]
pub struct DcganDiscriminator {
    /// From the image to the logit.
    pub main: Vec<DownBlock>,
}

impl DownBlock {
    /// The last block closes 4×4 to 1×1; every other halves the side.
    fn downsample(&self, x: Tensor<4>, precision: Precision) -> Tensor<4> {
        convolve(x, self.weight.val(), precision)
    }
}

impl DcganDiscriminator {
    /// A discriminator of the right shapes whose weights are all zero; see [`crate::init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let channels = config.discriminator_channels();
        let last = channels.len() - 1;
        let main = channels
            .into_iter()
            .enumerate()
            .map(|(i, (from, to))| DownBlock {
                weight: Param::from_tensor(Tensor::zeros([to, from, 4, 4], device)),
                norm: (i > 0 && i < last).then(|| BatchNorm::new(to, device)),
            })
            .collect();
        Self { main }
    }

    /// Logits by the batch's statistics, and those statistics. `x`: [batch, 3, side, side] in
    /// [-1, 1], `groups` batches one after another that are normalised each by itself: the filters
    /// are then prepared once for all of them. Result: `[batch]`, and for each group the statistics of
    /// its normalised blocks.
    pub fn forward_train(
        &self,
        x: Tensor<4>,
        groups: usize,
        precision: Precision,
    ) -> (Tensor<1>, Vec<Vec<BatchStats>>) {
        let batch = x.dims()[0];
        let last = self.main.len() - 1;
        let mut x = x;
        let mut seen = vec![Vec::new(); groups];
        for (i, block) in self.main.iter().enumerate() {
            x = block.downsample(x, precision);
            match &block.norm {
                Some(norm) => {
                    let (normed, stats) = norm.forward_train(x, SLOPE, groups);
                    seen.iter_mut().zip(stats).for_each(|(seen, stats)| seen.push(stats));
                    x = normed;
                }
                None if i < last => x = leaky(x, SLOPE),
                None => {}
            }
        }
        (x.reshape([batch]), seen)
    }

    /// Takes one batch's statistics into the running ones.
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        let norms = self.main.iter_mut().filter_map(|block| block.norm.as_mut());
        norms.zip(stats).for_each(|(norm, stats)| norm.update_running(stats));
    }
}

impl Network for DcganDiscriminator {
    /// The first block has no norm: block i is main.0, main.2, main.5, …, its norm main.{3i}.
    fn name(path: &[String]) -> String {
        sequential(path, |block, is_norm| match is_norm {
            true => 3 * block,
            false => (3 * block).saturating_sub(1),
        })
    }
}
