//! Training of the lesion encoder: a classifier that learns on the training side of the split. The validation side
//! chooses the best weights, and the test side scores them once.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Tensor;
use dermagan_base::orientation::Orientation;
use dermagan_base::producer;
use dermagan_data::order::{Order, to_planes};
use dermagan_data::split::Side;
use dermagan_data::{Cache, licence};
use dermagan_eval::encoder::{self, EncoderCard, LesionEncoder, LesionNet, SIDES, Score, dims};
use dermagan_eval::of_side;
use dermagan_model::ComputeDevice;
use rayon::prelude::*;

use crate::classifier::{EncoderConfig, Learnt, Training, batch};
use crate::error::TrainError;

/// An event of the training of an encoder.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EncoderEvent {
    /// Images are being decoded.
    Preparing {
        /// Images done.
        done: usize,
        /// Images in all.
        total: usize,
    },
    /// The progress at a validation.
    Progress {
        /// Number of images seen.
        nimg: u64,
        /// Number of images of the whole training.
        of: u64,
        /// Mean cross-entropy since the last such event.
        loss: f64,
    },
    /// The score on the validation side.
    Validated {
        /// Number of images seen.
        nimg: u64,
        /// Mean of the classes' recalls, 0 to 1.
        balanced_accuracy: f64,
        /// Whether this is the best score so far. The best weights are kept.
        best: bool,
    },
}

/// Number of validations in a training.
const VALIDATIONS: u64 = 20;
/// Number of images per pass in which nothing is learnt.
const PASS: usize = 256;

/// A trained encoder.
#[derive(Debug)]
pub struct TrainedEncoder {
    /// The bytes of its file.
    pub bytes: Vec<u8>,
    /// Its card, with the score on the test side.
    pub card: EncoderCard,
}

/// Trains an encoder on a cache of images of 64×64 or 128×128, which is the size that it looks at. `sink` receives the events. `stop` is checked before every step.
///
/// # Errors
/// When the images have another size, the training side has fewer than two classes, the validation or the test side is
/// empty, or a loss is not finite. [`TrainError::Stopped`] when `stop` is set.
pub fn train(
    cache: &Cache,
    config: &EncoderConfig,
    device: &ComputeDevice,
    stop: &AtomicBool,
    sink: &mut dyn FnMut(EncoderEvent),
) -> Result<TrainedEncoder, TrainError> {
    config.check()?;
    let sides = Sides::of(cache)?;
    let order =
        Order::balanced(config.seed, &sides.train, |i| cache.class(i), 1.0).augmented(true, true);
    let autodiff = device.handle.clone().autodiff();
    let steps = config.steps();
    let interval = (steps / VALIDATIONS).max(1);
    let mut training = Training::new(config, cache, steps, &autodiff);
    let mut best: Option<(f64, LesionNet)> = None;
    for step in 0..steps {
        if stop.load(Ordering::Relaxed) {
            return Err(TrainError::Stopped("before the encoder was complete"));
        }
        let (x, target) = batch(cache, &order, true, config, step, &autodiff);
        training = training.step(step, x, target);
        if (step + 1).is_multiple_of(interval) || step + 1 == steps {
            let nimg = (step + 1) * config.batch as u64;
            let loss = mean_loss(std::mem::take(&mut training.losses), nimg)?;
            sink(EncoderEvent::Progress { nimg, of: steps * config.batch as u64, loss });
            let found = score(&training.average, cache, &sides.val, device).balanced_accuracy;
            let is_best = best.as_ref().is_none_or(|(known, _)| found > *known);
            sink(EncoderEvent::Validated { nimg, balanced_accuracy: found, best: is_best });
            if is_best {
                best = Some((found, training.average.clone()));
            }
        }
    }
    let network = best.map_or(training.average, |(_, network)| network);
    packed(&network, cache, config, &sides, device)
}

/// The encoder's file, with its score on the test side in its card.
fn packed(
    network: &LesionNet,
    cache: &Cache,
    config: &EncoderConfig,
    sides: &Sides,
    device: &ComputeDevice,
) -> Result<TrainedEncoder, TrainError> {
    let header = cache.header();
    let moments = moments(network, cache, &sides.train, device);
    let mut card = EncoderCard {
        format: encoder::FORMAT,
        kind: encoder::KIND.to_owned(),
        producer: producer(),
        width: config.width,
        side: cache.size(),
        classes: header.classes.clone(),
        data: header.name.clone(),
        fingerprint: header.fingerprint.clone(),
        licence: licence(header.kind),
        trained_on: sides.train.len(),
        kimg: config.kimg,
        seed: config.seed,
        test: encoder::score(&[], &[], header.classes.len()),
    };
    // The score is that of the stored network, whose weights are in half precision.
    let bytes = LesionEncoder::to_bytes(network, moments.clone(), &card)?;
    let stored = LesionEncoder::stored_network(&bytes, &device.handle)?;
    card.test = score(&stored, cache, &sides.test, device);
    let bytes = LesionEncoder::to_bytes(network, moments, &card)?;
    Ok(TrainedEncoder { bytes, card })
}

/// The images on each side of the split.
struct Sides {
    train: Vec<u32>,
    val: Vec<u32>,
    test: Vec<u32>,
}

impl Sides {
    fn of(cache: &Cache) -> Result<Self, TrainError> {
        let bad = |what: String| Err(TrainError::Invalid(what));
        if !SIDES.contains(&cache.size()) {
            return bad(format!(
                "{} holds images of {1}×{1} pixels; an encoder needs 64×64 or 128×128: prepare the data with `size` = 64 \
                 or 128",
                cache.path().display(),
                cache.size()
            ));
        }
        let of = |side| of_side(cache, Some(side));
        let sides = Self { train: of(Side::Train), val: of(Side::Val), test: of(Side::Test) };
        let mut seen: Vec<usize> = sides.train.iter().map(|i| cache.class(*i)).collect();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() < 2 || sides.val.is_empty() || sides.test.is_empty() {
            return bad(format!(
                "{} has {} classes on the training side, {} images on the validation side and {} on the test side; an \
                 encoder needs at least two classes, and images on every side of the split",
                cache.header().name,
                seen.len(),
                sides.val.len(),
                sides.test.len()
            ));
        }
        Ok(sides)
    }
}

/// The mean of losses, read back to the host.
fn mean_loss(losses: Vec<Tensor<1>>, nimg: u64) -> Result<f64, TrainError> {
    let n = losses.len().max(1) as f64;
    let all = dermagan_model::tensor::to_vec(Tensor::cat(losses, 0));
    let mean = all.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    match mean.is_finite() {
        true => Ok(mean),
        false => Err(TrainError::Invalid(format!(
            "the encoder's loss is not finite after {nimg} images; train again with a lower learning rate"
        ))),
    }
}

/// Calls `each` with the features and the logits of images without augmentation, [`PASS`] images at a time.
fn over(
    network: &LesionNet,
    cache: &Cache,
    images: &[u32],
    device: &ComputeDevice,
    mut each: impl FnMut(Vec<f32>, Vec<f32>),
) {
    for images in images.chunks(PASS) {
        let (side, size) = (cache.size(), 3 * cache.size() * cache.size());
        let mut planes = vec![0.0; images.len() * size];
        planes.par_chunks_mut(size).zip(images).for_each(|(planes, image)| {
            to_planes(cache.pixels(*image as usize), side, Orientation::default(), planes);
        });
        let (features, logits) = encoder::encode(network, planes, side, &device.handle);
        each(features, logits);
    }
}

/// Scores a network on images.
fn score(network: &LesionNet, cache: &Cache, images: &[u32], device: &ComputeDevice) -> Score {
    let mut all = Vec::new();
    over(network, cache, images, device, |_, logits| all.extend(logits));
    let truth: Vec<usize> = images.iter().map(|i| cache.class(*i)).collect();
    encoder::score(&all, &truth, cache.header().classes.len())
}

/// Mean and standard deviation of every feature. A constant feature gets a standard deviation of 1.
fn moments(
    network: &LesionNet,
    cache: &Cache,
    images: &[u32],
    device: &ComputeDevice,
) -> [Vec<f32>; 2] {
    let n = network.main.first().map_or(0, |block| block.weight.dims()[0]);
    let dims = dims(n, cache.size());
    let (mut sum, mut squares) = (vec![0.0f64; dims], vec![0.0f64; dims]);
    over(network, cache, images, device, |features, _| {
        for row in features.chunks(sum.len()) {
            for ((v, sum), squares) in row.iter().zip(&mut sum).zip(&mut squares) {
                *sum += f64::from(*v);
                *squares += f64::from(*v).powi(2);
            }
        }
    });
    let count = images.len().max(1) as f64;
    let mean: Vec<f64> = sum.iter().map(|s| s / count).collect();
    let deviation = squares.iter().zip(&mean).map(|(s, m)| {
        let deviation = (s / count - m * m).max(0.0).sqrt();
        if deviation > 1e-4 { deviation as f32 } else { 1.0 }
    });
    let deviation = deviation.collect();
    [mean.iter().map(|m| *m as f32).collect(), deviation]
}
