//! Measures the time of a training step.

use std::time::Instant;

use burn::tensor::Device;
use dermagan_model::tensor::to_vec;

use crate::plan::synthetic;
use crate::recipe::config::{TrainConfig, images_of_kimg};
use crate::step::players::Players;
use crate::step::settings::StepSettings;

/// Times `rounds` training steps on synthetic images and calls `each` with the seconds of each one. A step has both
/// passes of the discriminator, its Adam, the generator's pass through it, and the generator's Adam. Reading images and
/// averaging the weights are left out, as in other programs' step times. Each measurement waits for the device. The
/// first ones include what a device does only once.
///
/// The configuration must be valid.
pub fn each_step(config: &TrainConfig, device: &Device, rounds: usize, each: &mut dyn FnMut(f64)) {
    timed_steps(config, device, 1..=rounds as u64, 0, each);
}

/// Gives `each` the seconds of the steps of these numbers, from 1, as after `nimg` images.
fn timed_steps(
    config: &TrainConfig,
    device: &Device,
    steps: impl IntoIterator<Item = u64>,
    nimg: u64,
    each: &mut dyn FnMut(f64),
) {
    let autodiff = device.clone().autodiff();
    let mut players = Players::new(config, device);
    let pixels = synthetic::pixels(config);
    for step in steps {
        let pixels = pixels.clone();
        let start = Instant::now();
        let batch = synthetic::batch(config, pixels, step - 1, &autodiff);
        let settings = StepSettings::at(config, step, nimg);
        // Reading the measures back waits for the device.
        to_vec(players.step(batch, &settings, &mut |_, _| {}));
        each(start.elapsed().as_secs_f64());
    }
}

/// The mean seconds of a step over a run, from three steps of each of its [`parts`]: one to warm up, one with penalties and
/// one without.
pub fn seconds_per_step(config: &TrainConfig, device: &Device) -> f64 {
    let every = config.objective.every.max(1);
    let seconds = |nimg: u64| {
        let mut seconds = Vec::new();
        let steps = [1, 1 + every, 2 + every];
        timed_steps(config, device, steps, nimg, &mut |took| seconds.push(took));
        let [with, without] = [seconds[1], seconds[2]];
        (with + (every - 1) as f64 * without) / every as f64
    };
    parts(config).into_iter().map(|(share, nimg)| share * seconds(nimg)).sum()
}

/// The parts of a run whose steps take different times: the share of the run, and the number of images after which a step
/// is one of the part's, in its middle. There the networks are conditioned on classes, and scheduled probabilities of
/// transforms, which take time, are halfway.
pub fn parts(config: &TrainConfig) -> Vec<(f64, u64)> {
    let images = images_of_kimg(config.schedule.kimg) as f64;
    let judged = config.judged_share();
    let parts = [(1.0 - judged, 0.5 * (1.0 - judged)), (judged, 1.0 - 0.5 * judged)];
    let parts = parts.into_iter().filter(|(share, _)| *share > 0.0);
    parts.map(|(share, middle)| (share, (middle * images) as u64)).collect()
}
