//! The generator of either backbone: from the latent z, and the class, to the image.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::batch_norm::BatchStats;
use super::config::{Backbone, ModelConfig};
use super::dcgan::{self, DcganGenerator};
use super::named::Network;
use super::residual::{self, ResidualGenerator};
use crate::ops::Precision;

/// A generator of either backbone.
#[derive(Module, Debug)]
pub enum Generator {
    /// With batch normalisation; not class-conditional.
    Dcgan(DcganGenerator),
    /// Without batch normalisation.
    Residual(ResidualGenerator),
}

impl Generator {
    /// A generator of this shape whose weights are all zero; see [`crate::Init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        match config.backbone {
            Backbone::Dcgan => Self::Dcgan(DcganGenerator::new(config, device)),
            Backbone::Residual => Self::Residual(ResidualGenerator::new(config, device)),
        }
    }

    /// Generates images, with the running statistics of batch normalisation. `z`:
    /// `[batch, `[`latents`](ModelConfig::latents)`]`. Result: `[batch, 3, side, side]` in \[-1, 1\].
    ///
    /// `class`: `[batch, classes]`, the weight of each class per image: a single 1 for an image of one
    /// class. A generator that is not class-conditional ignores it.
    pub fn forward(&self, z: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<4> {
        match self {
            Self::Dcgan(network) => network.forward(z),
            Self::Residual(network) => network.forward(z, class, Precision::F32),
        }
    }

    /// Generates images with the statistics of the batch. Also returns these statistics, one entry per
    /// normalised block. Arguments and images as in [`Generator::forward`].
    pub fn forward_train(
        &self,
        z: Tensor<2>,
        class: Option<Tensor<2>>,
        precision: Precision,
    ) -> (Tensor<4>, Vec<BatchStats>) {
        match self {
            Self::Dcgan(network) => network.forward_train(z, precision),
            Self::Residual(network) => (network.forward(z, class, precision), Vec::new()),
        }
    }

    /// Updates the running statistics with those of one batch.
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        if let Self::Dcgan(network) = self {
            network.update_running(stats);
        }
    }

    /// Computes the running statistics anew, if it has any: see [`DcganGenerator::calibrate`].
    pub fn calibrate(&mut self, batches: impl IntoIterator<Item = Tensor<2>>) {
        if let Self::Dcgan(network) = self {
            network.calibrate(batches);
        }
    }

    /// The names and shapes of the tensors of such a generator, without building it.
    pub fn shapes(config: &ModelConfig) -> BTreeMap<String, Vec<usize>> {
        match config.backbone {
            Backbone::Dcgan => dcgan::generator_shapes(config),
            Backbone::Residual => residual::generator_shapes(config),
        }
    }
}

impl Network for Generator {
    const TRANSPOSED: bool = true;

    fn name(path: &[String]) -> String {
        match path.split_first() {
            Some((variant, path)) if variant == "Residual" => ResidualGenerator::name(path),
            Some((_, path)) => DcganGenerator::name(path),
            None => String::new(),
        }
    }
}
