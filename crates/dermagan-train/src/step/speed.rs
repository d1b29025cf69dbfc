//! Measures the time of a training step.

use std::time::Instant;

use burn::tensor::Device;
use dermagan_model::tensor::to_vec;

use crate::recipe::config::TrainConfig;
use crate::step::players::Players;
use crate::step::settings::StepSettings;
use crate::step::synthetic;

/// Largest number of steps that are timed. The time of rarer penalties is not included.
const MOST_STEPS: u64 = 16;

/// Times `rounds` training steps on synthetic images and calls `each` with the seconds of each one. A step has both
/// passes of the discriminator, its Adam, the generator's pass through it, and the generator's Adam. Reading images and
/// averaging the weights are left out, as in other programs' step times. Each measurement waits for the device. The
/// first ones include what a device does only once.
///
/// The configuration must be valid.
pub fn each_step(config: &TrainConfig, device: &Device, rounds: usize, each: &mut dyn FnMut(f64)) {
    let autodiff = device.clone().autodiff();
    let mut players = Players::new(config, device);
    let pixels = synthetic::pixels(config);
    for step in 0..rounds {
        let pixels = pixels.clone();
        let start = Instant::now();
        let batch = synthetic::batch(config, pixels, step as u64, &autodiff);
        let settings = StepSettings::at(config, step as u64 + 1, 0.0);
        // Reading the measures back waits for the device.
        to_vec(players.step(batch, &settings, &mut |_, _| {}));
        each(start.elapsed().as_secs_f64());
    }
}

/// The mean seconds of one round of steps, from one penalty to the next. A round before it is not counted.
pub fn seconds_per_step(config: &TrainConfig, device: &Device) -> f64 {
    let round = config.objective.every.clamp(1, MOST_STEPS) as usize;
    let mut seconds = Vec::new();
    each_step(config, device, 2 * round, &mut |took| seconds.push(took));
    seconds[round..].iter().sum::<f64>() / round as f64
}
