//! The residual discriminator, and its gradient by the image as a network of its own.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::{Layer, SLOPE, embedded, embedding};
use crate::config::{EMBEDDING, ModelConfig};
use crate::named::Network;
use crate::ops::{
    Direction, Way, add_bias, convolve, convolve_transposed, gate, leaky, residual,
    residual_transposed,
};
use crate::precision::Precision;

/// From the image to the logit: half the side and twice the channels a layer, down to 4×4, then one
/// number; with classes also as many as a class's embedding has, whose product with it is added
/// (Miyato and Koyama 2018).
#[derive(Module, Debug)]
pub struct ResidualDiscriminator {
    /// From the image to the head.
    pub main: Vec<Layer>,
    /// What the head is projected on for each class, `[classes, 32]`, if it knows of classes.
    pub embed: Option<Param<Tensor<2>>>,
}

/// How the layers between two sides compute, or their transposes.
fn way(direction: Direction, precision: Precision) -> Way {
    Way { direction, gain: 1.0, slope: SLOPE, normed: false, precision }
}

/// Shape of each layer's filter, and outputs.
fn filters(config: &ModelConfig) -> Vec<([usize; 4], usize)> {
    let channels = config.discriminator_channels();
    let last = channels.len() - 1;
    let head = 1 + if config.classes > 0 { EMBEDDING } else { 0 };
    let filter = |(i, (from, to)): (usize, (usize, usize))| match i == last {
        true => ([head, from, 4, 4], head),
        false => ([to, from, 4, 4], to),
    };
    channels.into_iter().enumerate().map(filter).collect()
}

/// Learnt numbers.
pub(crate) fn parameters(config: &ModelConfig) -> usize {
    let layers = filters(config).into_iter();
    let of_layers: usize = layers.map(|(shape, to)| shape.iter().product::<usize>() + to).sum();
    of_layers + config.classes * EMBEDDING
}

impl ResidualDiscriminator {
    /// A discriminator of the right shapes whose weights are all zero; see [`crate::init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let layers = filters(config).into_iter();
        Self {
            main: layers.map(|(shape, outputs)| Layer::new(shape, outputs, device)).collect(),
            embed: embedding(config, device),
        }
    }

    /// What the head's numbers are multiplied with, [batch, 1 or 1 + 32].
    fn head(&self, class: Option<Tensor<2>>, batch: usize) -> Tensor<2> {
        let bias = &self.main[self.main.len() - 1].bias;
        let one = Tensor::ones([batch, 1], (&bias.val().device(), bias.val().dtype()));
        match &self.embed {
            Some(embed) => {
                let projected = embedded(embed, class, batch);
                Tensor::cat(vec![one, projected.div_scalar((EMBEDDING as f64).sqrt())], 1)
            }
            None => one,
        }
    }

    /// Logits, `[batch]`, of `x`: [batch, 3, side, side] in [-1, 1], and what came out of each
    /// activation, for [`Self::input_gradient`]. `class`: [batch, classes].
    pub fn forward(
        &self,
        x: Tensor<4>,
        class: Option<Tensor<2>>,
        precision: Precision,
    ) -> (Tensor<1>, Vec<Tensor<4>>) {
        let batch = x.dims()[0];
        let last = self.main.len() - 1;
        let (mut x, mut activations) = (x, Vec::new());
        for (i, layer) in self.main.iter().enumerate() {
            let (weight, bias) = (layer.weight.val(), layer.bias.val());
            if i == 0 {
                x = add_bias(convolve(x, weight, precision), bias);
                continue;
            }
            if i == last {
                let active = leaky(x, SLOPE);
                activations.push(active.clone().detach());
                x = add_bias(convolve(active, weight, precision), bias);
                continue;
            }
            let way = way(Direction::Down, precision);
            let (made, active) = residual(x, weight, bias, way);
            activations.push(active);
            x = made;
        }
        let outputs = x.dims()[1];
        let head = self.head(class, batch);
        let logits = (x.reshape([batch, outputs]) * head).sum_dim(1).reshape([batch]);
        (logits, activations)
    }

    /// The gradient of each image's logit by that image, [batch, 3, side, side], from what
    /// [`Self::forward`] kept.
    ///
    /// It is written out as a network: the transposes of the layers in reverse, and the activations'
    /// slopes as constant factors, which they are almost everywhere. So the squared norm of its
    /// result is R1's exactly (Mescheder, Geiger and Nowozin 2018), and the ordinary backward pass
    /// gives its exact gradient by the weights, without second derivatives. Biases have none: they
    /// act through the slopes only.
    pub fn input_gradient(
        &self,
        activations: Vec<Tensor<4>>,
        class: Option<Tensor<2>>,
        precision: Precision,
    ) -> Tensor<4> {
        let last = self.main.len() - 1;
        let batch = activations[0].dims()[0];
        let mut u = self.head(class, batch).unsqueeze_dims::<4>(&[-1, -1]);
        for (i, layer) in self.main.iter().enumerate().rev() {
            let weight = layer.weight.val();
            if i == 0 {
                return convolve_transposed(u, weight, precision);
            }
            let active = activations[i - 1].clone();
            u = match i == last {
                true => gate(convolve_transposed(u, weight, precision), active, SLOPE),
                false => {
                    let way = way(Direction::Up, precision);
                    residual_transposed(u, active, weight, way)
                }
            };
        }
        u
    }
}

impl Network for ResidualDiscriminator {
    fn name(path: &[String]) -> String {
        path.join(".")
    }
}
