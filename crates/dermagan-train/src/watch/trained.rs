//! The generator of a run in the form that is sampled and kept, and its card.

use burn::tensor::Device;
use dermagan_base::producer;
use dermagan_generate::{Classes, Sampler};
use dermagan_model::training_latents;
use dermagan_model::{Card, ComputeDevice, Generator};

use crate::recipe::config::TrainConfig;

/// Number and size of the batches of latents over which the batch statistics of the averaged generator are computed.
const CALIBRATION: (u64, usize) = (16, 64);

/// The generator of a run that is sampled and kept: the average of the weights, with batch statistics that are computed
/// for it. Without an average, `average` is a copy of the live generator and stays as it is.
pub fn shown(mut average: Generator, config: &TrainConfig, device: &Device) -> Generator {
    let (batches, size) = CALIBRATION;
    if config.optimiser.ema_kimg.most() > 0.0 {
        average.calibrate((0..batches).map(|i| {
            let first = i * size as u64;
            training_latents(config.seed, "z calibrate", first, size, &config.model, device)
        }));
    }
    average
}

/// A sampler that makes images with a generator of a run after `nimg` images.
pub fn sampler_of(
    generator: Generator,
    config: &TrainConfig,
    nimg: u64,
    device: ComputeDevice,
) -> Sampler {
    let classes = config
        .class_strength(nimg)
        .map(|strength| Classes { images: config.source.class_images.clone(), strength });
    Sampler::of(generator, &config.model, classes, config.augment.turns, device)
}

/// The card of a run's generator after `nimg` images: what it is, and what it learnt from.
pub fn card_of(config: &TrainConfig, nimg: u64) -> Card {
    Card {
        format: Card::FORMAT,
        kind: "generator".into(),
        producer: producer(),
        model: config.model,
        data: config.data_name(),
        licence: config.licence(),
        classes: config.source.classes.clone(),
        class_images: match config.model.classes {
            0 => Vec::new(),
            _ => config.source.class_images.clone(),
        },
        condition: config.class_strength(nimg).unwrap_or(1.0),
        turns: config.augment.turns,
        preset: config.preset.clone(),
        nimg,
    }
}
