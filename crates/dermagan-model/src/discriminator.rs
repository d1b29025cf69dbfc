//! The discriminator of either backbone: image, and class, to logit.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::config::{Backbone, ModelConfig};
use crate::dcgan::DcganDiscriminator;
use crate::named::Network;
use crate::norm::BatchStats;
use crate::precision::Precision;
use crate::residual::ResidualDiscriminator;

/// A discriminator.
#[derive(Module, Debug)]
pub enum Discriminator {
    /// With batch normalisation.
    Dcgan(DcganDiscriminator),
    /// Without.
    Residual(ResidualDiscriminator),
}

/// What a discriminator says of images.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The logits, `[batch]`: above zero for real.
    pub logits: Tensor<1>,
    /// For each group, the statistics of the normalised blocks.
    pub stats: Vec<Vec<BatchStats>>,
    /// What came out of each activation, without a gradient, for the gradient by the image; empty
    /// with batch normalisation, which that gradient does not go through.
    pub activations: Vec<Tensor<4>>,
}

impl Discriminator {
    /// A discriminator of the right shapes whose weights are all zero; see [`crate::init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        match config.backbone {
            Backbone::Dcgan => Self::Dcgan(DcganDiscriminator::new(config, device)),
            Backbone::Residual => Self::Residual(ResidualDiscriminator::new(config, device)),
        }
    }

    /// Judges `x`: [batch, 3, side, side] in [-1, 1], `groups` batches one after another that are
    /// normalised each by itself: the filters are then prepared once for all of them. `class`:
    /// [batch, classes], as [`crate::Generator::forward`] takes it.
    pub fn forward_train(
        &self,
        x: Tensor<4>,
        class: Option<Tensor<2>>,
        groups: usize,
        precision: Precision,
    ) -> Judgement {
        match self {
            Self::Dcgan(network) => {
                let (logits, stats) = network.forward_train(x, groups, precision);
                Judgement { logits, stats, activations: Vec::new() }
            }
            Self::Residual(network) => {
                let (logits, activations) = network.forward(x, class, precision);
                Judgement { logits, stats: Vec::new(), activations }
            }
        }
    }

    /// The gradient of each image's logit by that image, [batch, 3, side, side], as a network of
    /// its own that has a gradient by the weights: [`ResidualDiscriminator::input_gradient`]. `None`
    /// with batch normalisation.
    pub fn input_gradient(
        &self,
        activations: Vec<Tensor<4>>,
        class: Option<Tensor<2>>,
        precision: Precision,
    ) -> Option<Tensor<4>> {
        match self {
            Self::Dcgan(_) => None,
            Self::Residual(network) => Some(network.input_gradient(activations, class, precision)),
        }
    }

    /// Takes one batch's statistics into the running ones.
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        if let Self::Dcgan(network) = self {
            network.update_running(stats);
        }
    }

    /// Learnt numbers of a discriminator of this shape, without making any.
    pub fn parameters_of(config: &ModelConfig) -> usize {
        match config.backbone {
            Backbone::Dcgan => {
                let channels = config.discriminator_channels();
                let norms = &channels[1..channels.len() - 1];
                let filters: usize = channels.iter().map(|(a, b)| a * b * 16).sum();
                filters + norms.iter().map(|(_, to)| 2 * to).sum::<usize>()
            }
            Backbone::Residual => crate::residual::discriminator_parameters(config),
        }
    }
}

impl Network for Discriminator {
    fn name(path: &[String]) -> String {
        match path.split_first() {
            Some((variant, path)) if variant == "Residual" => ResidualDiscriminator::name(path),
            Some((_, path)) => DcganDiscriminator::name(path),
            None => String::new(),
        }
    }
}
