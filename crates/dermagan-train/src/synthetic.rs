//! Configurations and batches without data, for the doctor and for benches.

use burn::tensor::{Device, TensorData};
use dermagan_base::image::Image;
use dermagan_base::rng::Keyed;
use dermagan_model::latent::training_latents;
use dermagan_model::transfer::upload;

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::step::Batch;
use crate::trainer::class_rows;
use crate::transforms::Transforms;

/// HAM10000's classes, for presets that make them on demand.
const CLASSES: usize = 7;

/// What may differ from a preset; `None` leaves the preset's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Images per step.
    pub batch: Option<usize>,
    /// Side of the images in pixels.
    pub side: Option<usize>,
    /// Width of both networks.
    pub width: Option<usize>,
}

/// A preset's configuration as on HAM10000, without data.
///
/// # Errors
/// When there is no such preset, or the sizes make no network.
pub fn config(preset: &str, sizes: Sizes) -> Result<TrainConfig, TrainError> {
    let mut config = TrainConfig::of_preset(preset, 1)?;
    config.optimiser.batch = sizes.batch.unwrap_or(config.optimiser.batch);
    config.model.resolution = sizes.side.unwrap_or(config.model.resolution);
    config.model.g_width = sizes.width.unwrap_or(config.model.g_width);
    config.model.d_width = sizes.width.unwrap_or(config.model.d_width);
    if config.condition.classes {
        config.model.classes = CLASSES;
    }
    config.validate()?;
    Ok(config)
}

/// The images of every batch: uniform noise, [batch, 3, side, side] in [-1, 1].
pub fn pixels(config: &TrainConfig) -> Vec<f32> {
    let (n, side) = (config.optimiser.batch, config.model.resolution);
    Keyed::new(1, "synthetic", 0).uniforms(n * 3 * side * side, -1.0, 1.0)
}

/// Batch number `index` on `device`: these [`pixels`], latents, a class per image, and every transform of the
/// configuration at its highest probability.
pub fn batch(config: &TrainConfig, pixels: Vec<f32>, index: u64, device: &Device) -> Batch {
    let (n, side) = (config.optimiser.batch, config.model.resolution);
    let first = index * n as u64;
    let classes = config.model.classes;
    let rows = || class_rows((0..n).map(|i| i % classes), classes, 1.0, device);
    let (p, purposes) = (vec![config.augment.most(); n], ["synthetic real", "synthetic fake"]);
    Batch {
        real: upload(TensorData::new(pixels, [n, 3, side, side]), device),
        z: training_latents(1, "synthetic z", first, n, &config.model, device),
        class: (classes > 0).then(rows),
        transforms: Transforms::pair(&config.augment, &p, 1, purposes, first, side),
    }
}

/// Images of noise, `side` × `side` pixels.
pub fn images(count: usize, side: usize) -> Vec<Image> {
    let image = |i: usize| {
        let values = Keyed::new(1, "bench image", i as u64).uniforms(3 * side * side, 0.0, 256.0);
        let pixels = values.into_iter().map(|v| v as u8).collect();
        Image { width: side, height: side, pixels }
    };
    (0..count).map(image).collect()
}
