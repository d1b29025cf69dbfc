//! The classifier whose inner activations are the features.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use dermagan_model::Precision;
use dermagan_model::dcgan::DownBlock;
use dermagan_model::ops::convolve;
use dermagan_model::{BatchNorm, BatchStats};
use dermagan_model::{Network, sequential};

/// Side of the input images in pixels, unless the card says otherwise.
pub const SIDE: usize = 64;
/// The sides that an encoder can have.
pub const SIDES: [usize; 2] = [64, 128];
/// Slope of LeakyReLU below zero.
const SLOPE: f64 = 0.1;
/// Blocks whose channels, averaged over the image, are the features: the last but one sees texture, the last the whole
/// lesion.
const SEEN: usize = 2;

/// Number of stride-2 blocks from images of `side` pixels to 4×4: 64 → 32 → 16 → 8 → 4.
fn blocks(side: usize) -> usize {
    (side / 4).max(2).ilog2() as usize
}

/// Four stride-2 convolutions, or five for images of 128 pixels, each with batch normalisation and LeakyReLU, and a linear
/// head on the averaged channels of the last two. These are the layers of the DCGAN discriminator, so its CPU kernels run
/// them.
#[derive(Module, Debug)]
pub struct LesionNet {
    /// The blocks, then the head as a 1×1 filter of shape `[classes, features, 1, 1]`.
    pub main: Vec<DownBlock>,
}

impl LesionNet {
    /// A network for images of `side` pixels, one of [`SIDES`], whose weights are all zero. The first block has `width`
    /// channels, each later block twice as many as the one before it.
    pub fn new(width: usize, side: usize, classes: usize, device: &Device) -> Self {
        let weight = |shape: [usize; 4]| Param::from_tensor(Tensor::zeros(shape, device));
        let mut main: Vec<DownBlock> = (0..blocks(side))
            .map(|i| {
                let (from, to) = (if i == 0 { 3 } else { width << (i - 1) }, width << i);
                DownBlock {
                    weight: weight([to, from, 4, 4]),
                    norm: Some(BatchNorm::new(to, device)),
                }
            })
            .collect();
        main.push(DownBlock { weight: weight([classes, dims(width, side), 1, 1]), norm: None });
        Self { main }
    }

    /// Computes features and logits with the running statistics of batch normalisation.
    ///
    /// `x` has shape `[batch, 3, side, side]` and values in [-1, 1]. The results have the shapes
    /// `[batch, `[`dims`]`]` and `[batch, classes]`.
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
        let (mut features, blocks) = (Vec::new(), self.main.len() - 1);
        for (i, block) in self.main.iter().enumerate() {
            let Some(norm) = &block.norm else { break };
            x = norm_act(norm, convolve(x, block.weight.val(), precision));
            if i + SEEN >= blocks {
                features.push(average(x.clone()));
            }
        }
        let features = Tensor::cat(features, 1);
        let head = self.main[blocks].weight.val();
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

/// Features per image of a network for images of `side` pixels whose first block has `width` channels: `12 * width` for 64
/// pixels, twice as many for 128.
pub fn dims(width: usize, side: usize) -> usize {
    let blocks = blocks(side);
    (blocks - SEEN..blocks).map(|i| width << i).sum()
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
