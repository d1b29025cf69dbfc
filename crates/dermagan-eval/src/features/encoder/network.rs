//! The classifier whose inner activations are the features.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use dermagan_model::Precision;
use dermagan_model::dcgan::DownBlock;
use dermagan_model::ops::convolve;
use dermagan_model::{BatchNorm, BatchStats};
use dermagan_model::{Network, sequential};

/// Side of the input images in pixels.
pub const SIDE: usize = 64;
/// Slope of LeakyReLU below zero.
const SLOPE: f64 = 0.1;
/// Blocks whose channels, averaged over the image, are the features: the third block sees texture, the
/// fourth the whole lesion.
const SEEN: [usize; 2] = [2, 3];
/// Stride-2 blocks: 64 → 32 → 16 → 8 → 4.
const BLOCKS: usize = 4;

/// Four stride-2 convolutions, each with batch normalisation and LeakyReLU, and a linear head on the
/// averaged channels of the last two. These are the layers of the DCGAN discriminator, so its CPU
/// kernels run them.
#[derive(Module, Debug)]
pub struct LesionNet {
    /// The four blocks, then the head as a 1×1 filter of shape `[classes, features, 1, 1]`.
    pub main: Vec<DownBlock>,
}

impl LesionNet {
    /// A network whose weights are all zero. The first block has `width` channels, each later block
    /// twice as many as the one before it.
    pub fn new(width: usize, classes: usize, device: &Device) -> Self {
        let weight = |shape: [usize; 4]| Param::from_tensor(Tensor::zeros(shape, device));
        let mut main: Vec<DownBlock> = (0..BLOCKS)
            .map(|i| {
                let (from, to) = (if i == 0 { 3 } else { width << (i - 1) }, width << i);
                DownBlock {
                    weight: weight([to, from, 4, 4]),
                    norm: Some(BatchNorm::new(to, device)),
                }
            })
            .collect();
        main.push(DownBlock { weight: weight([classes, dims(width), 1, 1]), norm: None });
        Self { main }
    }

    /// Computes features and logits with the running statistics of batch normalisation.
    ///
    /// `x` has shape `[batch, 3, 64, 64]` and values in [-1, 1]. The results have the shapes
    /// `[batch, dims(width)]` and `[batch, classes]`.
    pub fn forward(&self, x: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        self.run(x, Precision::F32, &mut |norm, x| norm.forward(x, SLOPE))
    }

    /// Computes logits of shape `[batch, classes]` with the statistics of the batch, and returns those
    /// statistics, one entry per block. `x` is as for [`LesionNet::forward`].
    pub fn forward_train(
        &self,
        x: Tensor<4>,
        precision: Precision,
    ) -> (Tensor<2>, Vec<BatchStats>) {
        let mut seen = Vec::new();
        let (_, logits) = self.run(x, precision, &mut |norm, x| {
            let (y, stats) = norm.forward_train(x, SLOPE, 1);
            seen.extend(stats);
            y
        });
        (logits, seen)
    }

    fn run(
        &self,
        mut x: Tensor<4>,
        precision: Precision,
        norm_act: &mut dyn FnMut(&BatchNorm, Tensor<4>) -> Tensor<4>,
    ) -> (Tensor<2>, Tensor<2>) {
        let mut features = Vec::new();
        for (i, block) in self.main.iter().enumerate() {
            let Some(norm) = &block.norm else { break };
            x = norm_act(norm, convolve(x, block.weight.val(), precision));
            if SEEN.contains(&i) {
                features.push(average(x.clone()));
            }
        }
        let features = Tensor::cat(features, 1);
        let head = self.main[BLOCKS].weight.val();
        let [classes, dims, ..] = head.dims();
        let logits = features.clone().matmul(head.reshape([classes, dims]).transpose());
        (features, logits)
    }

    /// Updates the running statistics with those of one batch, from [`LesionNet::forward_train`].
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        let norms = self.main.iter_mut().filter_map(|block| block.norm.as_mut());
        norms.zip(stats).for_each(|(norm, stats)| norm.update_running(stats));
    }
}

/// Features per image of a network whose first block has `width` channels: `12 * width`.
pub fn dims(width: usize) -> usize {
    SEEN.iter().map(|i| width << i).sum()
}

/// The average of each channel over the image: `[batch, channels]`.
fn average(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    // Channels last, which is the order that the CPU kernels use.
    let x = x.permute([0, 2, 3, 1]).reshape([batch, height * width, channels]);
    x.mean_dim(1).reshape([batch, channels])
}

impl Network for LesionNet {
    fn name(path: &[String]) -> String {
        sequential(path, |block, is_norm| 3 * block + usize::from(is_norm))
    }
}
