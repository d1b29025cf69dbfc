//! The residual discriminator, and its gradient with respect to the image as a second network.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::layer::{Layer, SLOPE, embedded, embedding};
use crate::network::config::{EMBEDDING, ModelConfig};
use crate::network::named::Network;
use crate::ops::{
    Direction, Precision, ShortcutSpec, add_bias, convolve, convolve_transposed, gate, leaky,
    shortcut_layer, shortcut_layer_transposed,
};

/// The residual discriminator: a judge of images, and judges of features of images if it is projected.
#[derive(Module, Debug)]
pub struct ResidualDiscriminator {
    /// Judges images, `[batch, 3, side, side]`.
    pub pixels: Judge,
    /// Judge the results of [`crate::imagenet::TAPS`]; empty unless the discriminator is projected.
    pub heads: Vec<Judge>,
}

/// A network from an image, or from features of an image, to a logit. Each layer halves the side and changes the number
/// of channels, down to 4×4. The head then computes one number. With classes, it also computes a vector of the length of
/// a class embedding, and their inner product is added to the logit (Miyato and Koyama 2018).
#[derive(Module, Debug)]
pub struct Judge {
    /// The layers, from the image to the head.
    pub main: Vec<Layer>,
    /// The embeddings of the classes, `[classes, 32]`, on which the head is projected; `None` if the
    /// discriminator is not class-conditional.
    pub embed: Option<Param<Tensor<2>>>,
}

/// The specification of the hidden layers, or of their transposes.
fn spec(direction: Direction, precision: Precision) -> ShortcutSpec {
    ShortcutSpec { direction, gain: 1.0, slope: SLOPE, normed: false, precision }
}

/// The shape of each layer's filter, and its number of output channels.
fn filters(channels: Vec<(usize, usize)>, classes: usize) -> Vec<([usize; 4], usize)> {
    let last = channels.len() - 1;
    let head = 1 + if classes > 0 { EMBEDDING } else { 0 };
    let filter = |(i, (from, to)): (usize, (usize, usize))| match i == last {
        true => ([head, from, 4, 4], head),
        false => ([to, from, 4, 4], to),
    };
    channels.into_iter().enumerate().map(filter).collect()
}

/// The number of trainable values of such a discriminator.
pub(crate) fn parameters(config: &ModelConfig) -> usize {
    let judge = |channels: Vec<(usize, usize)>| {
        let layers = filters(channels, config.classes).into_iter();
        let of_layers: usize = layers.map(|(shape, to)| shape.iter().product::<usize>() + to).sum();
        of_layers + config.classes * EMBEDDING
    };
    judge(config.discriminator_channels())
        + config.head_channels().into_iter().map(judge).sum::<usize>()
}

impl ResidualDiscriminator {
    /// A discriminator of this shape whose weights are all zero; see [`crate::Init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let judge = |channels| Judge::new(channels, config, device);
        Self {
            pixels: judge(config.discriminator_channels()),
            heads: config.head_channels().into_iter().map(judge).collect(),
        }
    }
}

impl Judge {
    fn new(channels: Vec<(usize, usize)>, config: &ModelConfig, device: &Device) -> Self {
        let layers = filters(channels, config.classes).into_iter();
        Self {
            main: layers.map(|(shape, outputs)| Layer::new(shape, outputs, device)).collect(),
            embed: embedding(config, device),
        }
    }

    /// The factors of the head's outputs, `[batch, 1]`, or `[batch, 1 + 32]` with classes.
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

    /// The logits, `[batch]`, of the images or features `x`, `[batch, channels, side, side]`, and the result of each
    /// activation, for [`Self::input_gradient`]. `class`: `[batch, classes]`.
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
            let spec = spec(Direction::Down, precision);
            let (made, active) = shortcut_layer(x, weight, bias, spec);
            activations.push(active);
            x = made;
        }
        let outputs = x.dims()[1];
        let head = self.head(class, batch);
        let logits = (x.reshape([batch, outputs]) * head).sum_dim(1).reshape([batch]);
        (logits, activations)
    }

    /// The gradient of the logit of each of `batch` images with respect to that image, `[batch, channels, side, side]`,
    /// from the activations that [`Self::forward`] returned.
    ///
    /// It is computed as a network of its own: the transposes of the layers in reverse order, with the
    /// slopes of the activations as constant factors, which they are almost everywhere. The squared norm
    /// of the result is therefore exactly that of R1 (Mescheder, Geiger and Nowozin 2018), and the ordinary
    /// backward pass gives its exact gradient with respect to the weights, without second derivatives.
    /// Biases get no gradient, because they act through the slopes only.
    ///
    /// # Panics
    /// When `activations` are not those of this judge.
    pub fn input_gradient(
        &self,
        activations: Vec<Tensor<4>>,
        class: Option<Tensor<2>>,
        batch: usize,
        precision: Precision,
    ) -> Tensor<4> {
        let last = self.main.len() - 1;
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
                    let spec = spec(Direction::Up, precision);
                    shortcut_layer_transposed(u, active, weight, spec)
                }
            };
        }
        u
    }
}

impl Network for ResidualDiscriminator {
    fn name(path: &[String]) -> String {
        // The judge of images has the names that it had before there were others.
        match path {
            [first, path @ ..] if first == "pixels" => path.join("."),
            _ => path.join("."),
        }
    }
}
