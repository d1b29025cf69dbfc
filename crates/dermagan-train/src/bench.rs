//! How fast this device is: the same step, sampling and feature extraction as in a run, on synthetic images.

use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::picture::Picture;
use dermagan_base::rng::Keyed;
use dermagan_eval::Extractor;
use dermagan_model::Selected;
use dermagan_model::latent::training_latents;
use dermagan_model::named::to_vec;

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::sampler::Sampler;
use crate::step::{Batch, Players, Turn};
use crate::trainer::class_rows;
use crate::transforms::Transforms;

/// Gives `each` the seconds of every one of `rounds` training steps: both passes of the
/// discriminator, its Adam, the generator's pass through it, its Adam. Reading pictures and the
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
    let (batch, side) = (config.optimiser.batch, config.model.resolution);
    let mut players = Players::new(config, &device.device);
    let pixels = Keyed::new(1, "bench", 0).uniforms(batch * 3 * side * side, -1.0, 1.0);
    for step in 0..rounds {
        let data = TensorData::new(pixels.clone(), [batch, 3, side, side]);
        let start = Instant::now();
        let real = Tensor::from_data(data, &autodiff);
        let first = (step * batch) as u64;
        let z = training_latents(1, "bench z", first, batch, &config.model, &autodiff);
        // Reading the losses back is what waits for the device.
        let class = (config.model.classes > 0).then(|| {
            class_rows(
                (0..batch).map(|i| i % config.model.classes),
                config.model.classes,
                1.0,
                &autodiff,
            )
        });
        let augment = &config.augment;
        let (p, purposes) = (vec![augment.most(); batch], ["bench real", "bench fake"]);
        let transforms = Transforms::pair(augment, &p, 1, purposes, first, side);
        let turn = Turn::of(config, step as u64 + 1, 0.0);
        to_vec(players.step(Batch { real, z, class, transforms }, &turn));
        each(start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Gives `each` the seconds of every one of `rounds` batches of pictures, from seeds to 8-bit pixels
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
        sampler.pictures(first..first + batch as u64, 1.0, batch)?;
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
    let images: Vec<Picture> = (0..batch)
        .map(|i| {
            let values =
                Keyed::new(1, "bench image", i as u64).uniforms(3 * side * side, 0.0, 256.0);
            let pixels = values.into_iter().map(|v| v as u8).collect();
            Picture { width: side, height: side, pixels }
        })
        .collect();
    for _ in 0..rounds {
        let start = Instant::now();
        extractor.extract(&images)?;
        each(start.elapsed().as_secs_f64());
    }
    Ok(())
}
