//! The residual generator.

use std::collections::BTreeMap;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::filter::{blurred, folded, unfolded};
use super::{Layer, SLOPE, embedded, embedding};
use crate::config::{EMBEDDING, ModelConfig, noise_side};
use crate::named::Network;
use crate::ops::{
    Direction, Way, add_bias, add_noise, convolve, convolve_transposed, normed_leaky, residual,
    tanh,
};
use crate::precision::Precision;

/// Gain of the path around a layer: a flat image keeps its value.
const AROUND: f64 = 2.0;

/// From the latent, and the class, to the image: 4×4, then a doubling of the side and half the
/// channels a layer, up to the whole side; a 3×3 convolution makes the three colours, then tanh.
///
/// The activation at the whole side is what makes the finest detail: an image that is doubled last has
/// none of two pixels a wave. The 2-pixel grid was then at -7.2, with it at -2.1, in real images at -1.1.
#[derive(Module, Debug)]
pub struct ResidualGenerator {
    /// From the latent to the image.
    pub main: Vec<Layer>,
    /// What stands for each class beside the latent, `[classes, 32]`, if it knows of classes.
    pub embed: Option<Param<Tensor<2>>>,
    /// How much of the noise each channel takes, after each layer but the first and the last; empty if
    /// it takes none.
    pub noise: Vec<Param<Tensor<1>>>,
}

/// Length of what the first layer takes.
fn inputs(config: &ModelConfig) -> usize {
    config.z_dim + if config.classes > 0 { EMBEDDING } else { 0 }
}

/// Shape of each layer's filter, and outputs.
fn filters(config: &ModelConfig) -> Vec<([usize; 4], usize)> {
    let filter = |(i, (from, to)): (usize, (usize, usize))| match i {
        0 => ([inputs(config), to, 4, 4], to),
        _ => ([from, to, 3, 3], to),
    };
    config.generator_channels().into_iter().enumerate().map(filter).collect()
}

/// Channels of the images that noise is added to.
fn noise_channels(config: &ModelConfig) -> impl Iterator<Item = usize> {
    let layers = config.noise_sides().len();
    config.generator_channels().into_iter().skip(1).take(layers).map(|(_, to)| to)
}

/// Names and shapes of a generator's tensors.
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
    /// A generator of the right shapes whose weights are all zero; see [`crate::init`].
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

    /// The latent z itself, and images of noise [batch, 1, side, side], from what
    /// [`ModelConfig::latents`] counts.
    fn split(&self, z: Tensor<2>) -> (Tensor<2>, Vec<Tensor<4>>) {
        let [batch, all] = z.dims();
        let sides = (0..self.noise.len()).map(noise_side);
        let noise: usize = sides.clone().map(|side| side * side).sum();
        assert!(all > noise, "{all} numbers an image, of which {noise} are its noise");
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

    /// Images. `z`: [batch, [`ModelConfig::latents`]]; `class`: [batch, classes]; result: [batch, 3,
    /// side, side] in [-1, 1].
    ///
    /// # Panics
    /// When `z` is too short to hold the noise.
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
        let way =
            Way { direction: Direction::Up, gain: AROUND, slope: SLOPE, normed: true, precision };
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
                false => residual(x, blurred(weight), bias, way).0,
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
