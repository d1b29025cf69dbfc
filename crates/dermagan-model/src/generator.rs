//! The generator of either backbone: latent z, and class, to image.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use crate::config::{Backbone, ModelConfig};
use crate::dcgan::{self, DcganGenerator};
use crate::named::Network;
use crate::norm::BatchStats;
use crate::precision::Precision;
use crate::residual::{self, ResidualGenerator};

/// A generator.
#[derive(Module, Debug)]
pub enum Generator {
    /// With batch normalisation.
    Dcgan(DcganGenerator),
    /// Without.
    Residual(ResidualGenerator),
}

impl Generator {
    /// A generator of the right shapes whose weights are all zero; see [`crate::init`].
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        match config.backbone {
            Backbone::Dcgan => Self::Dcgan(DcganGenerator::new(config, device)),
            Backbone::Residual => Self::Residual(ResidualGenerator::new(config, device)),
        }
    }

    /// Images, by the running statistics if it has any. `z`: [batch, latents]; `class`: [batch,
    /// classes], how much of each class (one 1 a row, for one class fully), ignored by a generator
    /// that knows of none; result: [batch, 3, side, side] in [-1, 1].
    pub fn forward(&self, z: Tensor<2>, class: Option<Tensor<2>>) -> Tensor<4> {
        match self {
            Self::Dcgan(network) => network.forward(z),
            Self::Residual(network) => network.forward(z, class, Precision::F32),
        }
    }

    /// Images by the batch's statistics, and those statistics, one a normalised block.
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

    /// Takes one batch's statistics into the running ones.
    pub fn update_running(&mut self, stats: &[BatchStats]) {
        if let Self::Dcgan(network) = self {
            network.update_running(stats);
        }
    }

    /// Makes the running statistics, if it has any, fit its weights: [`DcganGenerator::calibrate`].
    pub fn calibrate(&mut self, batches: impl IntoIterator<Item = Tensor<2>>) {
        if let Self::Dcgan(network) = self {
            network.calibrate(batches);
        }
    }

    /// Names and shapes of its tensors, without making any.
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
