//! What a run will take, before it starts.

use dermagan_model::{Discriminator, Generator, ModelConfig, Selected};

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::memory::machine_gigabytes;

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
        let images = 2 * 4 * config.optimiser.batch * activations(&config.model);
        Self {
            g_parameters: g,
            d_parameters: d,
            steps: config.steps(),
            memory: weights + images,
            checkpoint: 4 * (4 * g + 3 * d + slow),
        }
    }

    /// Refuses what a machine of so many gigabytes (2³⁰ bytes, if known) has no room for.
    ///
    /// # Errors
    /// When twice its memory were not enough: the estimate may be nearly twice what a step takes (`reference`:
    /// 700 MB where 400 are measured), and what is left out of memory is killed without a word.
    fn refuse(&self, config: &TrainConfig, machine: Option<f64>) -> Result<(), TrainError> {
        let needed = self.memory as f64 / f64::from(1 << 30);
        match machine {
            Some(machine) if needed > 2.0 * machine => Err(TrainError::Option(format!(
                "training would take about {needed:.0} GB of memory and this machine has {machine:.0} GB: it \
                 takes another one, or a new run with a smaller --batch (now {}), --width (now {}) or --size \
                 (now {})",
                config.optimiser.batch,
                config.model.g_width.max(config.model.d_width),
                config.model.resolution
            ))),
            _ => Ok(()),
        }
    }
}

/// Refuses a run that a machine's memory cannot hold, where it is to run on its CPU.
///
/// # Errors
/// Says how much it would take, and which settings make it less.
pub fn check(config: &TrainConfig, device: &Selected) -> Result<(), TrainError> {
    match device.is_cpu {
        true => Estimate::of(config).refuse(config, machine_gigabytes()),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Request;
    use crate::plan::tests::phantom;

    #[test]
    fn a_run_that_the_machine_has_no_room_for_is_refused_with_what_would_make_it_smaller() {
        let size = |width, batch| {
            let tiny = Request { preset: "tiny".into(), width, batch, ..Request::default() };
            let config = phantom(tiny).unwrap().config;
            Estimate::of(&config).refuse(&config, Some(16.0)).map_err(|error| error.to_string())
        };
        assert_eq!(size(None, None), Ok(()));
        let words = size(Some(512), Some(4096)).unwrap_err();
        assert!(words.contains("this machine has 16 GB"), "{words}");
        assert!(words.contains("--batch (now 4096), --width (now 512)"), "{words}");
    }
}
