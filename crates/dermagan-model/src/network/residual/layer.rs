//! The parts that the residual generator and discriminator share: a layer, and the embedding of classes.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::network::config::{EMBEDDING, ModelConfig};
use crate::ops::product;

/// Slope of LeakyReLU below zero, in both networks.
pub(super) const SLOPE: f64 = 0.2;

/// A convolution with a bias.
#[derive(Module, Debug)]
pub struct Layer {
    /// The filter, `[deep, wide, side, side]`: 3×3 in the generator except for its first layer, else 4×4.
    pub weight: Param<Tensor<4>>,
    /// The bias, one value per channel of the result.
    pub bias: Param<Tensor<1>>,
}

impl Layer {
    pub(super) fn new(shape: [usize; 4], outputs: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::zeros(shape, device)),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
        }
    }
}

/// A parameter for the embeddings of all classes, `[classes, EMBEDDING]`, filled with zeros; `None` without
/// classes.
pub(super) fn embedding(config: &ModelConfig, device: &Device) -> Option<Param<Tensor<2>>> {
    let shape = [config.classes, EMBEDDING];
    (config.classes > 0).then(|| Param::from_tensor(Tensor::zeros(shape, device)))
}

/// The mixture of embeddings with the weights `class`, `[batch, classes]`; zeros if `class` is `None`. Result:
/// `[batch, EMBEDDING]`.
pub(super) fn embedded(
    embed: &Param<Tensor<2>>,
    class: Option<Tensor<2>>,
    batch: usize,
) -> Tensor<2> {
    let embed = embed.val();
    match class {
        Some(class) => product(class.unsqueeze(), embed.unsqueeze()).reshape([batch, EMBEDDING]),
        None => Tensor::zeros([batch, EMBEDDING], (&embed.device(), embed.dtype())),
    }
}
