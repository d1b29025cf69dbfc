//! The residual generator.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::filter::{blurred, folded, unfolded};
use super::layer::{Layer, SLOPE, embedded, embedding};
use crate::network::config::{EMBEDDING, ModelConfig, noise_side};
use crate::network::named::Network;
use crate::ops::{
    Direction, Precision, ShortcutSpec, add_bias, add_noise, convolve, convolve_transposed,
    normed_leaky, shortcut_layer, tanh,
};

/// Gain of the shortcut around a layer, with which a constant image keeps its value.
const AROUND: f64 = 2.0;

/// The residual generator, from the latent and the class to the image. The first layer makes 4×4 pixels,
/// and each further layer doubles the side and halves the number of channels, up to the full resolution.
/// A 3×3 convolution makes the three colours, and tanh follows.
///
/// The activation at the full resolution creates the finest detail: an image that is doubled in the last
/// step has no detail with a period of two pixels. The 2-pixel grid was at -7.2 without this activation,
/// at -2.1 with it, and at -1.1 in real images.
#[derive(Module, Debug)]
pub struct ResidualGenerator {
    /// The layers, from the latent to the image.
    pub main: Vec<Layer>,
    /// The embeddings of the classes, `[classes, 32]`, one of which is appended to the latent; `None` if the
    /// generator is not class-conditional.
    pub embed: Option<Param<Tensor<2>>>,
    /// The strength of the noise per channel, after each layer but the first and the last; empty without
    /// noise.
    pub noise: Vec<Param<Tensor<1>>>,
}

/// The number of input channels of the first layer.
fn inputs(config: &ModelConfig) -> usize {
    config.z_dim + if config.classes > 0 { EMBEDDING } else { 0 }
}

/// The shape of each layer's filter, and its number of output channels.
fn filters(config: &ModelConfig) -> Vec<([usize; 4], usize)> {
    let filter = |(i, (from, to)): (usize, (usize, usize))| match i {
        0 => ([inputs(config), to, 4, 4], to),
        _ => ([from, to, 3, 3], to),
    };
    config.generator_channels().into_iter().enumerate().map(filter).collect()
}

/// The number of channels of the images that noise is added to.
fn noise_channels(config: &ModelConfig) -> impl Iterator<Item = usize> {
    let layers = config.noise_sides().len();
    config.generator_channels().into_iter().skip(1).take(layers).map(|(_, to)| to)
}

/// The names and shapes of the tensors of such a generator.
pub(crate) fn shapes(config: &ModelConfig) -> BTreeMap<String, Vec<usize>> {
    let layers = filters(config).into_iter().enumerate().flat_map(|(i, (shape, outputs))| {
        [(format!("main.{i}.weight"), shape.to_vec()), (format!("main.{i}.bias"), vec![outputs])]
    });
    let embed = (config.classes > 0).then(|| ("embed".to_owned(), vec![config.classes, EMBEDDING]));
    let noise = noise_channels(config).enumerate();
    let noise = noise.map(|(i, channels)| (format!("noise.{i}"), vec![channels]));
    layers.chain(embed).chain(noise).collect()
}

impl ResidualGenerator {
    /// A generator of this shape whose weights are all zero; see [`crate::Init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let layers = filters(config).into_iter();
        Self {
            main: layers.map(|(shape, outputs)| Layer::new(shape, outputs, device)).collect(),
            embed: embedding(config, device),
            noise: noise_channels(config)
                .map(|channels| Param::from_tensor(Tensor::zeros([channels], device)))
                .collect(),
        }
    }

    /// Splits the input of the generator into the latent z and the images of noise,
    /// `[batch, 1, side, side]` each.
    fn split(&self, z: Tensor<2>) -> (Tensor<2>, Vec<Tensor<4>>) {
        let [batch, all] = z.dims();
        let sides = (0..self.noise.len()).map(noise_side);
        let noise: usize = sides.clone().map(|side| side * side).sum();
        assert!(all > noise, "{all} numbers per image are too few: its noise alone takes {noise}");
        let mut from = all - noise;
        let latent = z.clone().narrow(1, 0, from);
        let noise = sides.map(|side| {
            let part = z.clone().narrow(1, from, side * side);
            from += side * side;
            part.reshape([batch, 1, side, side])
        });
        let noise = noise.collect();
        (latent, noise)
    }

    /// Generates images. `z`: `[batch, `[`latents`](ModelConfig::latents)`]`; `class`: `[batch, classes]`;
    /// result: `[batch, 3, side, side]` in \[-1, 1\].
    ///
    /// # Panics
    /// When the rows of `z` are too short to hold the noise.
    pub fn forward(
        &self,
        z: Tensor<2>,
        class: Option<Tensor<2>>,
        precision: Precision,
    ) -> Tensor<4> {
        let batch = z.dims()[0];
        let (z, noise) = self.split(z);
        let inputs = match &self.embed {
            Some(embed) => Tensor::cat(vec![z, embedded(embed, class, batch)], 1),
            None => z,
        };
        let mut x = inputs.unsqueeze_dims::<4>(&[-1, -1]);
        let last = self.main.len() - 1;
        let spec = ShortcutSpec {
            direction: Direction::Up,
            gain: AROUND,
            slope: SLOPE,
            normed: true,
            precision,
        };
        for (i, layer) in self.main.iter().enumerate() {
            let (weight, bias) = (layer.weight.val(), layer.bias.val());
            if i == 0 {
                x = add_bias(convolve_transposed(x, weight, precision), bias);
                continue;
            }
            x = match i == last {
                true => {
                    let made = convolve(normed_leaky(x, SLOPE), folded(weight), precision);
                    tanh(add_bias(unfolded(made), bias))
                }
                false => shortcut_layer(x, blurred(weight), bias, spec).0,
            };
            if let (Some(strength), Some(noise)) = (self.noise.get(i - 1), noise.get(i - 1)) {
                x = add_noise(x, noise.clone(), strength.val());
            }
        }
        x
    }
}

impl Network for ResidualGenerator {
    fn name(path: &[String]) -> String {
        path.join(".")
    }
}
