//! The DCGAN discriminator: from the image to the logit.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::network::batch_norm::{BatchNorm, BatchStats};
use crate::network::config::ModelConfig;
use crate::network::named::{Network, sequential};
use crate::ops::{Precision, convolve, leaky};

/// Slope of LeakyReLU below zero.
const SLOPE: f64 = 0.2;

/// A convolution with a 4×4 kernel and no bias. Batch normalisation follows every block but the first and
/// the last, and LeakyReLU follows every block but the last.
#[derive(Module, Debug)]
pub struct DownBlock {
    /// Shape [out, in, 4, 4], as in PyTorch.
    pub weight: Param<Tensor<4>>,
    /// Absent in the first and in the last block.
    pub norm: Option<BatchNorm>,
}

/// The DCGAN discriminator (Radford, Metz and Chintala 2015): resolution → … → 4×4 → one logit, before the
/// sigmoid.
#[derive(Module, Debug)]
pub struct DcganDiscriminator {
    /// The blocks, from the image to the logit.
    pub main: Vec<DownBlock>,
}

impl DownBlock {
    /// The last block reduces 4×4 to 1×1; every other block halves the side.
    fn downsample(&self, x: Tensor<4>, precision: Precision) -> Tensor<4> {
        convolve(x, self.weight.val(), precision)
    }
}

impl DcganDiscriminator {
    /// A discriminator of this shape whose weights are all zero; see [`crate::Init`].
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

    /// Judges the images `x`, `[batch, 3, side, side]` in \[-1, 1\], with the statistics of the batch. Returns
    /// the logits, `[batch]`, and per group the statistics of its normalised blocks.
    ///
    /// The batch consists of `groups` consecutive batches of one size, each normalised by its own
    /// statistics. Joining them prepares the filters once for all groups.
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

    /// Updates the running statistics with those of one batch.
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        let norms = self.main.iter_mut().filter_map(|block| block.norm.as_mut());
        norms.zip(stats).for_each(|(norm, stats)| norm.update_running(stats));
    }
}

impl Network for DcganDiscriminator {
    /// The first block has no normalisation: the blocks are main.0, main.2, main.5, …, and the
    /// normalisation of block i is main.{3i}.
    fn name(path: &[String]) -> String {
        sequential(path, |block, is_norm| match is_norm {
            true => 3 * block,
            false => (3 * block).saturating_sub(1),
        })
    }
}
