//! Networks without batch normalisation whose layers add to what they were given (He et al. 2016):
//! short paths for a gradient, and logits that do not depend on the rest of the batch, which exact
//! gradient penalties need.
//!
//! The discriminator's layers are the DCGAN's stride-2 convolutions. A layer of the generator is a
//! doubling of every pixel and a 3×3 convolution. Both together are one transposed stride-2 convolution
//! with a 4×4 filter, the 3×3 one blurred by a square of 2×2 ones (in `filter`): what the DCGAN's kernels
//! compute, at their cost, but every pixel of a doubled image gets the same sum of weights, so that a
//! flat image cannot become a checkerboard (Odena et al. 2016), but for rounding: images are made in
//! float32; bfloat16 in training moves a flat one by up to 2 % of the range. (The discriminator with
//! such filters, which are blind to the finest detail, let a weave of 2 and 4 pixels pass.) The last
//! layer, from the whole side to the colours, is a 3×3 convolution, computed a square of 2×2 pixels at a
//! time by the stride-2 kernels.
//!
//! The path around a layer is antialiased and without parameters: [1, 3, 3, 1] along each axis,
//! channels repeated on the way down and averaged in pairs on the way up. In the generator each pixel's
//! channels are divided by their root mean square before the activation (Karras et al. 2018).

mod discriminator;
mod filter;
mod generator;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use crate::config::{EMBEDDING, ModelConfig};
use crate::ops::product;

pub use discriminator::ResidualDiscriminator;
pub(crate) use discriminator::parameters as discriminator_parameters;
pub use generator::ResidualGenerator;
pub(crate) use generator::shapes as generator_shapes;

/// Slope of LeakyReLU below zero, in both players.
pub(crate) const SLOPE: f64 = 0.2;

/// A convolution with a bias.
#[derive(Module, Debug)]
pub struct Layer {
    /// `[deep, wide, side, side]`: in the generator 3×3 but for the first, else 4×4.
    pub weight: Param<Tensor<4>>,
    /// One a channel of the result.
    pub bias: Param<Tensor<1>>,
}

impl Layer {
    fn new(shape: [usize; 4], outputs: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::zeros(shape, device)),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
        }
    }
}

/// `[classes, EMBEDDING]`, if there are classes.
fn embedding(config: &ModelConfig, device: &Device) -> Option<Param<Tensor<2>>> {
    let shape = [config.classes, EMBEDDING];
    (config.classes > 0).then(|| Param::from_tensor(Tensor::zeros(shape, device)))
}

/// The mixture of embeddings that `class` [batch, classes] asks for; nothing of it where it does not
/// say.
fn embedded(embed: &Param<Tensor<2>>, class: Option<Tensor<2>>, batch: usize) -> Tensor<2> {
    let embed = embed.val();
    match class {
        Some(class) => product(class.unsqueeze(), embed.unsqueeze()).reshape([batch, EMBEDDING]),
        None => Tensor::zeros([batch, EMBEDDING], (&embed.device(), embed.dtype())),
    }
}
