//! Measures the time of a training step.

use std::time::Instant;

use burn::tensor::Device;
use dermagan_model::tensor::to_vec;

use crate::plan::synthetic;
use crate::recipe::config::TrainConfig;
use crate::step::players::Players;
use crate::step::settings::StepSettings;

/// Times `rounds` training steps on synthetic images and calls `each` with the seconds of each one. A step has both
/// passes of the discriminator, its Adam, the generator's pass through it, and the generator's Adam. Reading images and
/// averaging the weights are left out, as in other programs' step times. Each measurement waits for the device. The
/// first ones include what a device does only once.
///
/// The configuration must be valid.
pub fn each_step(config: &TrainConfig, device: &Device, rounds: usize, each: &mut dyn FnMut(f64)) {
    timed_steps(config, device, 1..=rounds as u64, each);
}

/// Gives `each` the seconds of the steps of these numbers, from 1.
fn timed_steps(
    config: &TrainConfig,
    device: &Device,
    steps: impl IntoIterator<Item = u64>,
    each: &mut dyn FnMut(f64),
) {
    let autodiff = device.clone().autodiff();
    let mut players = Players::new(config, device);
    let pixels = synthetic::pixels(config);
    for step in steps {
        let pixels = pixels.clone();
        let start = Instant::now();
        let batch = synthetic::batch(config, pixels, step - 1, &autodiff);
        let settings = StepSettings::at(config, step, 0);
        // Reading the measures back waits for the device.
        to_vec(players.step(batch, &settings, &mut |_, _| {}));
        each(start.elapsed().as_secs_f64());
    }
}

/// The mean seconds of a step, from three steps: one to warm up, one with penalties and one without.
pub fn seconds_per_step(config: &TrainConfig, device: &Device) -> f64 {
    let every = config.objective.every.max(1);
    let mut seconds = Vec::new();
    timed_steps(config, device, [1, 1 + every, 2 + every], &mut |took| seconds.push(took));
    let [with, without] = [seconds[1], seconds[2]];
    (with + (every - 1) as f64 * without) / every as f64
}
