//! Measures the speed of a device: training steps, sampling and feature extraction as in a run, on synthetic images.

use std::time::Instant;

use dermagan_eval::Extractor;
use dermagan_generate::Sampler;
use dermagan_model::ComputeDevice;

use crate::error::TrainError;
use crate::plan::speed;
use crate::plan::synthetic;
use crate::recipe::config::TrainConfig;

/// Times `rounds` training steps and calls `each` with the seconds of each one. A step has both passes of the
/// discriminator, its Adam, the generator's pass through it, and the generator's Adam. Reading images and averaging the
/// weights are left out, as in other programs' step times. Each measurement waits for the device. The first ones
/// include what a device does only once.
///
/// # Errors
/// When the configuration is not valid.
pub fn training_steps(
    config: &TrainConfig,
    device: &ComputeDevice,
    rounds: usize,
    each: &mut dyn FnMut(f64),
) -> Result<(), TrainError> {
    config.validate()?;
    speed::each_step(config, &device.handle, rounds, each);
    Ok(())
}

/// Times `rounds` batches of generated images, from seeds to 8-bit pixels on the host, and calls `each` with the
/// seconds of each one.
///
/// # Errors
/// When the configuration is not valid, or the images are not finite.
pub fn sampling(
    config: &TrainConfig,
    device: &ComputeDevice,
    rounds: usize,
    each: &mut dyn FnMut(f64),
) -> Result<(), TrainError> {
    config.validate()?;
    let generator = config.optimiser.init.generator(&config.model, 1, &device.handle);
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

/// Times the feature extraction of `rounds` batches of `batch` images of `side` × `side` pixels, from 8-bit pixels to
/// features on the host, and calls `each` with the seconds of each one.
///
/// # Errors
/// When the extractor fails.
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
