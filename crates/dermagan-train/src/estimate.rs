//! What a run will take, before it starts.

use dermagan_model::{Discriminator, Generator, ModelConfig};

use crate::config::TrainConfig;

/// Numbers for `--dry-run`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Learnt numbers of the generator.
    pub g_parameters: usize,
    /// Learnt numbers of the discriminator.
    pub d_parameters: usize,
    /// Steps of the whole run.
    pub steps: u64,
    /// Memory of training in bytes, roughly: weights, optimisers, average, activations.
    pub memory: usize,
    /// Bytes of one checkpoint, nearly.
    pub checkpoint: usize,
}

/// Learnt numbers of both networks.
pub fn parameters(model: &ModelConfig) -> (usize, usize) {
    let learnt = |name: &String| !name.contains(".running_");
    let g = Generator::shapes(model);
    let g =
        g.iter().filter(|(name, _)| learnt(name)).map(|(_, shape)| shape.iter().product::<usize>());
    (g.sum(), Discriminator::parameters_of(model))
}

/// Activations that one image leaves in one pass through both networks.
fn activations(model: &ModelConfig) -> usize {
    let g: usize = model
        .generator_channels()
        .iter()
        .enumerate()
        .map(|(i, (_, to))| to * (4usize << i).min(model.resolution).pow(2))
        .sum();
    let d: usize = model
        .discriminator_channels()
        .iter()
        .enumerate()
        .map(|(i, (_, to))| to * (model.resolution >> (i + 1)).pow(2))
        .sum();
    // The generator passes once; the discriminator judges real and fake together. Convolution,
    // normalisation and activation each keep an output.
    3 * (g + 2 * d)
}

impl Estimate {
    /// For a configuration.
    pub fn of(config: &TrainConfig) -> Self {
        let (g, d) = parameters(&config.model);
        // Generator: live, average, two moments, gradient. Discriminator: the same but the average.
        // With lookahead both once more.
        let slow = if config.optimiser.lookahead > 0 { g + d } else { 0 };
        let weights = 4 * (5 * g + 4 * d + slow);
        // Gradients of activations, and the convolutions' own copies, come on top: measured, a
        // reference step on the CPU holds about as much again.
        let pictures = 2 * 4 * config.optimiser.batch * activations(&config.model);
        Self {
            g_parameters: g,
            d_parameters: d,
            steps: config.steps(),
            memory: weights + pictures,
            checkpoint: 4 * (4 * g + 3 * d + slow),
        }
    }
}
