//! The discriminator: picture to logit.

use burn::module::{Module, Param};
use burn::tensor::activation::leaky_relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

use crate::config::ModelConfig;
use crate::named::Network;
use crate::norm::{BatchNorm, BatchStats};

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
pub struct Discriminator {
    /// From the picture to the logit.
    pub main: Vec<DownBlock>,
}

impl DownBlock {
    /// The last block closes 4×4 to 1×1; every other halves the side.
    fn downsample(&self, x: Tensor<4>) -> Tensor<4> {
        let (stride, padding) = if x.dims()[2] == 4 { (1, 0) } else { (2, 1) };
        conv2d(x, self.weight.val(), None, ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1))
    }
}

impl Discriminator {
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
    /// [-1, 1]; result: [batch].
    pub fn forward_train(&self, x: Tensor<4>) -> (Tensor<1>, Vec<BatchStats>) {
        let batch = x.dims()[0];
        let last = self.main.len() - 1;
        let mut x = x;
        let mut seen = Vec::new();
        for (i, block) in self.main.iter().enumerate() {
            x = block.downsample(x);
            if let Some(norm) = &block.norm {
                let (normed, stats) = norm.forward_train(x);
                seen.push(stats);
                x = normed;
            }
            if i < last {
                x = leaky_relu(x, SLOPE);
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

impl Network for Discriminator {
    /// The first block has no norm: block i is main.0, main.2, main.5, …, its norm main.{3i}.
    fn torch_index(block: usize, is_norm: bool) -> usize {
        if is_norm { 3 * block } else { (3 * block).saturating_sub(1) }
    }
}
