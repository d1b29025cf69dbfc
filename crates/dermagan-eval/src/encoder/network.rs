//! The classifier whose inner numbers are the features.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use dermagan_model::dcgan::DownBlock;
use dermagan_model::named::{Network, sequential};
use dermagan_model::norm::{BatchNorm, BatchStats};
use dermagan_model::ops::convolve;
use dermagan_model::precision::Precision;

/// Side of the images that the encoder looks at.
pub const SIDE: usize = 64;
/// Slope of LeakyReLU below zero.
const SLOPE: f64 = 0.1;
/// Blocks whose channels, averaged over the image, are the features: what a lesion's texture is,
/// and what the lesion is.
const SEEN: [usize; 2] = [2, 3];
/// Stride-2 blocks: 64 → 32 → 16 → 8 → 4.
const BLOCKS: usize = 4;

/// Four stride-2 convolutions, each with batch normalisation and LeakyReLU, and a linear head on the
/// averaged channels of the last two: the discriminator's layers, so the CPU's kernels serve it.
#[derive(Module, Debug)]
pub struct LesionNet {
    /// The blocks, then the head as a 1×1 filter `[classes, features, 1, 1]`.
    pub main: Vec<DownBlock>,
}

impl LesionNet {
    /// A network of the right shapes whose weights are all zero. `width`: channels of the first
    /// block, doubled in each after it.
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

    /// Features and logits by the running statistics. `x`: [batch, 3, 64, 64] in [-1, 1]; results:
    /// [batch, `dims(width)`] and [batch, classes].
    pub fn forward(&self, x: Tensor<4>) -> (Tensor<2>, Tensor<2>) {
        self.run(x, Precision::F32, &mut |norm, x| norm.forward(x, SLOPE))
    }

    /// Logits by the batch's statistics, and those statistics.
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

    /// Takes one batch's statistics into the running ones.
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        let norms = self.main.iter_mut().filter_map(|block| block.norm.as_mut());
        norms.zip(stats).for_each(|(norm, stats)| norm.update_running(stats));
    }
}

/// Numbers that a network of this width gives.
pub fn dims(width: usize) -> usize {
    SEEN.iter().map(|i| width << i).sum()
}

/// Each channel's average over the image.
fn average(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    // Channels last, as the CPU has them already.
    let x = x.permute([0, 2, 3, 1]).reshape([batch, height * width, channels]);
    x.mean_dim(1).reshape([batch, channels])
}

impl Network for LesionNet {
    fn name(path: &[String]) -> String {
        sequential(path, |block, is_norm| 3 * block + usize::from(is_norm))
    }
}
