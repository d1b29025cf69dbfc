//! Estimates of what a run needs, before it starts.

use dermagan_model::{ComputeDevice, Discriminator, Generator, ModelConfig};

use crate::error::TrainError;
use crate::plan::memory::machine_gigabytes;
use crate::recipe::config::TrainConfig;

/// The size of a run and the memory that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Number of learnt parameters of the generator.
    pub g_parameters: usize,
    /// Number of learnt parameters of the discriminator.
    pub d_parameters: usize,
    /// Number of steps of the whole run.
    pub steps: u64,
    /// Approximate memory of training in bytes: weights, optimisers, average and activations.
    pub memory: usize,
    /// Approximate size of one checkpoint in bytes.
    pub checkpoint: usize,
}

/// Bytes that the features of an image and their gradient take: the activations of the network for 128 pixels, and the
/// features themselves for a real image and a fake.
const FEATURES: usize = 16 << 20;

/// Numbers of learnt parameters of the generator and of the discriminator.
pub fn parameters(model: &ModelConfig) -> (usize, usize) {
    let learnt = |name: &String| !name.contains(".running_");
    let g = Generator::shapes(model);
    let g =
        g.iter().filter(|(name, _)| learnt(name)).map(|(_, shape)| shape.iter().product::<usize>());
    (g.sum(), Discriminator::parameters_of(model))
}

/// Number of activations that are kept per image in a step of both networks.
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
    // The generator makes one pass. The discriminator sees real images and fakes together. Convolution, normalisation
    // and activation each keep an output.
    3 * (g + 2 * d)
}

impl Estimate {
    /// The estimate for a configuration.
    pub fn of(config: &TrainConfig) -> Self {
        let (g, d) = parameters(&config.model);
        // The generator has weights, average, two moments and gradient. The discriminator has the same without the
        // average. Lookahead has one more copy of both.
        let slow = if config.optimiser.lookahead > 0 { g + d } else { 0 };
        let weights = 4 * (5 * g + 4 * d + slow);
        // The factor 2 covers the gradients of activations and the copies that convolutions make. Measured, they take
        // about as much memory again in a step of preset `reference` on the CPU.
        let images = 2 * 4 * config.optimiser.batch * activations(&config.model);
        let features = match config.model.projected {
            true => config.optimiser.batch * FEATURES,
            false => 0,
        };
        Self {
            g_parameters: g,
            d_parameters: d,
            steps: config.steps(),
            memory: weights + images + features,
            checkpoint: 4 * (4 * g + 3 * d + slow),
        }
    }

    /// Rejects a run on the CPU that needs more memory than the machine has.
    ///
    /// # Errors
    /// When it does. The error states the memory that the run needs and the settings that reduce it.
    pub fn check(config: &TrainConfig, device: &ComputeDevice) -> Result<(), TrainError> {
        match device.is_cpu {
            true => Self::of(config).check_memory(config, machine_gigabytes()),
            false => Ok(()),
        }
    }

    /// Rejects a run that needs more memory than a machine with `machine` gigabytes (2³⁰ bytes, if known) has.
    ///
    /// # Errors
    /// When the estimate is more than twice the machine's memory. The factor 2 is there because the estimate may be
    /// nearly twice what a step takes (`reference`: 700 MB, 400 MB measured). Without this check, the system would kill
    /// the process without a message.
    fn check_memory(&self, config: &TrainConfig, machine: Option<f64>) -> Result<(), TrainError> {
        let needed = self.memory as f64 / f64::from(1 << 30);
        match machine {
            Some(machine) if needed > 2.0 * machine => Err(TrainError::Invalid(format!(
                "training would take about {needed:.0} GB of memory and this machine has {machine:.0} GB: use another \
                 machine, or start a new run with a smaller `batch` (now {}), `width` (now {}) or `size` (now {})",
                config.optimiser.batch,
                config.model.g_width.max(config.model.d_width),
                config.model.resolution
            ))),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_needs_too_much_memory_is_rejected_with_the_settings_that_reduce_it() {
        let size = |width, batch| {
            let mut config = TrainConfig::of_preset("tiny", 0).unwrap();
            (config.model.g_width, config.model.d_width) = (width, width);
            config.optimiser.batch = batch;
            Estimate::of(&config)
                .check_memory(&config, Some(16.0))
                .map_err(|error| error.to_string())
        };
        assert_eq!(size(16, 32), Ok(()));
        let words = size(512, 4096).unwrap_err();
        assert!(words.contains("this machine has 16 GB"), "{words}");
        assert!(words.contains("`batch` (now 4096), `width` (now 512)"), "{words}");
    }
}
