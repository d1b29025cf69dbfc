//! Configurations and batches that need no data, for the doctor and for benchmarks.

use burn::tensor::{Device, TensorData};
use dermagan_base::image::Image;
use dermagan_base::rng::Keyed;
use dermagan_model::tensor::upload;
use dermagan_model::training_latents;

use crate::augment::transforms::Transforms;
use crate::error::TrainError;
use crate::recipe::config::TrainConfig;
use crate::step::batch::{Batch, class_rows};

/// Number of HAM10000's classes, for presets with class conditioning.
const CLASSES: usize = 7;

/// Sizes that replace those of a preset. `None` keeps the preset's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Images per step, 2 to 4096.
    pub batch: Option<usize>,
    /// Side of the images in pixels: 32, 64, 128 or 256.
    pub side: Option<usize>,
    /// Number of channels of both networks at half the resolution, 1 to 512; even for residual networks.
    pub width: Option<usize>,
}

/// A preset's configuration as it would be on HAM10000, without data.
///
/// # Errors
/// When there is no such preset, or a size is out of range.
pub fn config(preset: &str, sizes: Sizes) -> Result<TrainConfig, TrainError> {
    let mut config = TrainConfig::of_preset(preset, 1)?;
    config.optimiser.batch = sizes.batch.unwrap_or(config.optimiser.batch);
    config.model.resolution = sizes.side.unwrap_or(config.model.resolution);
    config.model.g_width = sizes.width.unwrap_or(config.model.g_width);
    config.model.d_width = sizes.width.unwrap_or(config.model.d_width);
    let config = without_data(config);
    config.validate()?;
    Ok(config)
}

/// The configuration with HAM10000's number of classes if it uses class conditioning, for steps on synthetic images.
pub fn without_data(mut config: TrainConfig) -> TrainConfig {
    if config.condition.classes && config.model.classes == 0 {
        config.model.classes = CLASSES;
    }
    config
}

/// The real images of every batch: uniform noise, `[batch, 3, side, side]` in [-1, 1].
pub fn pixels(config: &TrainConfig) -> Vec<f32> {
    let (n, side) = (config.optimiser.batch, config.model.resolution);
    Keyed::new(1, "synthetic", 0).uniforms(n * 3 * side * side, -1.0, 1.0)
}

/// Batch number `index` on `device`: real images with these [`pixels`], latents, a class per image, and every transform
/// of the configuration with its highest probability.
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

/// `count` images of uniform noise with `side` × `side` pixels.
pub fn images(count: usize, side: usize) -> Vec<Image> {
    let image = |i: usize| {
        let values = Keyed::new(1, "bench image", i as u64).uniforms(3 * side * side, 0.0, 256.0);
        let pixels = values.into_iter().map(|v| v as u8).collect();
        Image { width: side, height: side, pixels }
    };
    (0..count).map(image).collect()
}
