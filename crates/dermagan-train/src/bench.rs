//! How fast this device is: the same step, sampling and feature extraction as in a run, on synthetic images.

use std::time::Instant;

use burn::tensor::Device;
use dermagan_eval::Extractor;
use dermagan_model::Selected;
use dermagan_model::named::to_vec;

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::sampler::Sampler;
use crate::step::{Players, Turn};
use crate::synthetic;

/// Gives `each` the seconds of every one of `rounds` training steps: both passes of the
/// discriminator, its Adam, the generator's pass through it, its Adam. Reading images and the
/// average of the weights are left out, as in other programs' step times. Every step is waited for,
/// and the first ones include whatever a device does only once.
///
/// # Errors
/// When the configuration makes no network.
pub fn training_steps(
    config: &TrainConfig,
    device: &Selected,
    rounds: usize,
    each: &mut dyn FnMut(f64),
) -> Result<(), TrainError> {
    config.validate()?;
    let autodiff: Device = device.device.clone().autodiff();
    let mut players = Players::new(config, &device.device);
    let pixels = synthetic::pixels(config);
    for step in 0..rounds {
        let pixels = pixels.clone();
        let start = Instant::now();
        let batch = synthetic::batch(config, pixels, step as u64, &autodiff);
        let turn = Turn::of(config, step as u64 + 1, 0.0);
        // Reading the losses back is what waits for the device.
        to_vec(players.step(batch, &turn));
        each(start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Gives `each` the seconds of every one of `rounds` batches of images, from seeds to 8-bit pixels
/// on the host.
///
/// # Errors
/// When the configuration makes no network.
pub fn sampling(
    config: &TrainConfig,
    device: &Selected,
    rounds: usize,
    each: &mut dyn FnMut(f64),
) -> Result<(), TrainError> {
    config.validate()?;
    let generator = config.optimiser.init.generator(&config.model, 1, &device.device);
    let sampler = Sampler::of(generator, &config.model, None, config.augment.turns, device.clone());
    let batch = config.optimiser.batch;
    for round in 0..rounds {
        let first = (round * batch) as u64;
        let start = Instant::now();
        sampler.images(first..first + batch as u64, 1.0, batch)?;
        each(start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Gives `each` the seconds of every one of `rounds` batches of `batch` images of `side` × `side` pixels, from
/// 8-bit pixels to features on the host.
///
/// # Errors
/// When the extractor refuses them.
pub fn features(
    extractor: &dyn Extractor,
    batch: usize,
    side: usize,
    rounds: usize,
    each: &mut dyn FnMut(f64),
) -> Result<(), TrainError> {
    let images = synthetic::images(batch, side);
    for _ in 0..rounds {
        let start = Instant::now();
        extractor.extract(&images)?;
        each(start.elapsed().as_secs_f64());
    }
    Ok(())
}
