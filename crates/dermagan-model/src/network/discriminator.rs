//! The discriminator of either backbone: from the image, and the class, to the logit.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::batch_norm::BatchStats;
use super::config::{Backbone, ModelConfig};
use super::dcgan::DcganDiscriminator;
use super::named::Network;
use super::residual::{self, Judge, ResidualDiscriminator};
use crate::ops::Precision;

/// A discriminator of either backbone.
#[derive(Module, Debug)]
pub enum Discriminator {
    /// With batch normalisation; not class-conditional.
    Dcgan(DcganDiscriminator),
    /// Without batch normalisation.
    Residual(ResidualDiscriminator),
}

/// The result of a discriminator for a batch of images.
#[derive(Clone, Debug)]
pub struct Judgement {
    /// The logits, `[batch]`, above zero for images judged real.
    pub logits: Tensor<1>,
    /// The statistics of the normalised blocks, per group; empty without batch normalisation.
    pub stats: Vec<Vec<BatchStats>>,
    /// The result of each activation, without a gradient, for [`Discriminator::input_gradient`]. Empty
    /// with batch normalisation, for which there is no input gradient.
    pub activations: Vec<Tensor<4>>,
}

impl Discriminator {
    /// A discriminator of this shape whose weights are all zero; see [`crate::Init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        match config.backbone {
            Backbone::Dcgan => Self::Dcgan(DcganDiscriminator::new(config, device)),
            Backbone::Residual => Self::Residual(ResidualDiscriminator::new(config, device)),
        }
    }

    /// Judges the images `x`, `[batch, 3, side, side]` in \[-1, 1\]. `class`: `[batch, classes]`, as in
    /// [`crate::Generator::forward`].
    ///
    /// The batch consists of `groups` consecutive batches of one size, each normalised by its own
    /// statistics. Joining them prepares the filters once for all groups.
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
                let (logits, activations) = network.pixels.forward(x, class, precision);
                Judgement { logits, stats: Vec::new(), activations }
            }
        }
    }

    /// The gradient of the logit of each image with respect to that image, `[batch, 3, side, side]`. It
    /// is differentiable with respect to the weights: see [`Judge::input_gradient`].
    /// `None` with batch normalisation.
    pub fn input_gradient(
        &self,
        activations: Vec<Tensor<4>>,
        class: Option<Tensor<2>>,
        precision: Precision,
    ) -> Option<Tensor<4>> {
        match self {
            Self::Dcgan(_) => None,
            Self::Residual(network) => {
                let batch = activations.first()?.dims()[0];
                Some(network.pixels.input_gradient(activations, class, batch, precision))
            }
        }
    }

    /// The judges of features; empty unless the discriminator is projected.
    pub fn heads(&self) -> &[Judge] {
        match self {
            Self::Dcgan(_) => &[],
            Self::Residual(network) => &network.heads,
        }
    }

    /// Updates the running statistics with those of one batch.
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        if let Self::Dcgan(network) = self {
            network.update_running(stats);
        }
    }

    /// The number of trainable values of such a discriminator, without building it.
    pub fn parameters_of(config: &ModelConfig) -> usize {
        match config.backbone {
            Backbone::Dcgan => {
                let channels = config.discriminator_channels();
                let norms = &channels[1..channels.len() - 1];
                let filters: usize = channels.iter().map(|(a, b)| a * b * 16).sum();
                filters + norms.iter().map(|(_, to)| 2 * to).sum::<usize>()
            }
            Backbone::Residual => residual::discriminator_parameters(config),
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
