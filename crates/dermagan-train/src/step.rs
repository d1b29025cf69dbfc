//! One training step: the discriminator learns from a real and a fake batch, then the generator
//! from the new discriminator.

use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Gradients, Tensor};
use dermagan_model::named::Network;
use dermagan_model::{Discriminator, Generator};

use crate::adam::Adam;
use crate::config::TrainConfig;
use crate::loss::bce_with_logits;

/// Both players and their optimisers.
#[derive(Clone, Debug)]
pub struct Players {
    /// The generator, on an autodiff device.
    pub generator: Generator,
    /// The discriminator, on an autodiff device.
    pub discriminator: Discriminator,
    /// The generator's optimiser.
    pub g_adam: Adam,
    /// The discriminator's optimiser.
    pub d_adam: Adam,
}

/// What a step measures, in the order of the values that [`Players::step`] returns.
pub const MEASURES: [&str; 7] = [
    "Loss/D/loss",
    "Loss/G/loss",
    "Loss/probs/real",
    "Loss/probs/fake",
    "Loss/probs/fake_after",
    "Loss/scores/real",
    "Loss/scores/fake",
];

impl Players {
    /// Players at the start of a run. `device` is without autodiff.
    pub fn new(config: &TrainConfig, device: &Device) -> Self {
        let device = device.clone().autodiff();
        let init = config.optimiser.init;
        Self {
            generator: init.generator(&config.model, config.seed, &device),
            discriminator: init.discriminator(&config.model, config.seed, &device),
            g_adam: Adam::new(&config.optimiser),
            d_adam: Adam::new(&config.optimiser),
        }
    }

    /// One step on `real` ([batch, 3, side, side] in [-1, 1]) and `z` ([batch, z_dim]), both on
    /// the autodiff device. `time` counts the steps from 1. Returns the [`MEASURES`] as a tensor
    /// that is still on the device: nobody waits for it here.
    pub fn step(&mut self, real: Tensor<4>, z: Tensor<2>, time: u64) -> Tensor<1> {
        self.step_watched(real, z, time, |_, _| {})
    }

    /// As [`Players::step`], showing each player's gradients before they are used.
    pub fn step_watched(
        &mut self,
        real: Tensor<4>,
        z: Tensor<2>,
        time: u64,
        mut watch: impl FnMut(&str, &[(String, Tensor<1>)]),
    ) -> Tensor<1> {
        // One batch of fakes serves both players, as in PyTorch's example.
        let (fake, g_stats) = self.generator.forward_train(z);
        self.generator.update_running(&g_stats);

        let (real_logits, real_stats) = self.discriminator.forward_train(real);
        let (fake_logits, fake_stats) = self.discriminator.forward_train(fake.clone().detach());
        let d_loss =
            bce_with_logits(real_logits.clone(), 1.0) + bce_with_logits(fake_logits.clone(), 0.0);
        self.discriminator.update_running(&real_stats);
        self.discriminator.update_running(&fake_stats);
        let gradients: Gradients = d_loss.backward();
        watch("D", &self.discriminator.gradients(&gradients));
        self.discriminator = self.d_adam.step(self.discriminator.clone(), &gradients, time);

        // The new discriminator judges the same fakes; its own gradients are nobody's business
        // here, and leaving them out saves 3 % of a step (flex, 2 cores).
        let judge = self.discriminator.clone().no_grad();
        let (after_logits, after_stats) = judge.forward_train(fake);
        self.discriminator.update_running(&after_stats);
        let g_loss = bce_with_logits(after_logits.clone(), 1.0);
        let gradients = g_loss.backward();
        watch("G", &self.generator.gradients(&gradients));
        self.generator = self.g_adam.step(self.generator.clone(), &gradients, time);

        let mean = |x: Tensor<1>| x.inner().mean();
        let probability = |x: &Tensor<1>| mean(sigmoid(x.clone()));
        Tensor::cat(
            vec![
                d_loss.inner(),
                g_loss.inner(),
                probability(&real_logits),
                probability(&fake_logits),
                probability(&after_logits),
                mean(real_logits),
                mean(fake_logits),
            ],
            0,
        )
    }
}
