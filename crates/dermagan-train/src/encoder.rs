//! Training of the lesion encoder: a classifier that learns on the training side of the split. The validation side
//! chooses the best weights, and the test side scores them once.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::SettingError;
use dermagan_base::orientation::Orientation;
use dermagan_base::producer;
use dermagan_base::rng::Keyed;
use dermagan_data::order::{Draw, Order, to_planes};
use dermagan_data::split::Side;
use dermagan_data::{Cache, licence};
use dermagan_eval::encoder::{self, EncoderCard, LesionEncoder, LesionNet, SIDE, Score, dims};
use dermagan_eval::of_side;
use dermagan_model::Network;
use dermagan_model::ops::lerp;
use dermagan_model::{ComputeDevice, Flat, Init, Precision};
use rayon::prelude::*;

use crate::error::TrainError;
use crate::step::adam::Adam;

/// Settings of the training of an encoder. The encoder that comes with the program was trained with the defaults.
#[derive(Clone, Copy, Debug)]
pub struct EncoderConfig {
    /// Number of channels of the first block.
    pub width: usize,
    /// Length of the training in thousands of images.
    pub kimg: f64,
    /// Images per step.
    pub batch: usize,
    /// Adam's learning rate at the beginning. It falls to 0 along half a cosine.
    pub learning_rate: f64,
    /// Label smoothing, 0 to 1: the share of the target that is spread evenly over all classes.
    pub smoothing: f64,
    /// Seed of every random number.
    pub seed: u64,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self { width: 32, kimg: 200.0, batch: 64, learning_rate: 1e-3, smoothing: 0.1, seed: 0 }
    }
}

impl EncoderConfig {
    /// Checks the range of every number.
    ///
    /// # Errors
    /// Names the setting and what was expected.
    pub fn check(&self) -> Result<(), SettingError> {
        if !(1..=MAX_WIDTH).contains(&self.width) {
            let problem = format!("expected 1 to {MAX_WIDTH}");
            return Err(SettingError::value("width", self.width, problem));
        }
        if !(self.kimg > 0.0 && self.kimg <= MAX_KIMG) {
            let problem = format!("expected more than 0 and at most {MAX_KIMG}");
            return Err(SettingError::value("kimg", self.kimg, problem));
        }
        if !(2..=4096).contains(&self.batch) {
            return Err(SettingError::value("batch", self.batch, "expected 2 to 4096"));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            let problem = "expected a finite number of more than 0";
            return Err(SettingError::value("learning_rate", self.learning_rate, problem));
        }
        Ok(())
    }
}

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

/// Largest number of channels of the first block.
const MAX_WIDTH: usize = 128;
/// Longest training in thousands of images.
const MAX_KIMG: f64 = 1e6;
/// Half-life of the averaged weights, as a share of the training.
const HALF_LIFE: f64 = 0.01;
/// Number of validations in a training.
const VALIDATIONS: u64 = 20;
/// Largest shift in pixels.
const SHIFT: u64 = 5;
/// Largest change of brightness, contrast and saturation.
const COLOUR: f64 = 0.15;
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

/// Trains an encoder on a cache of 64×64 images. `sink` receives the events. `stop` is checked before every step.
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
    let order = Order::balanced(config.seed, &sides.train, |i| class_of(cache, i), 1.0)
        .augmented(true, true);
    let autodiff = device.handle.clone().autodiff();
    let steps = ((config.kimg * 1000.0 / config.batch as f64).ceil() as u64).max(1);
    let interval = (steps / VALIDATIONS).max(1);
    let mut training = Training::new(config, cache.header().classes.len(), steps, &autodiff);
    let mut best: Option<(f64, LesionNet)> = None;
    for step in 0..steps {
        if stop.load(Ordering::Relaxed) {
            return Err(TrainError::Stopped("before the encoder was complete"));
        }
        let (x, target) = batch(cache, &order, config, step, &autodiff);
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

/// The state of a training.
struct Training<'a> {
    config: &'a EncoderConfig,
    steps: u64,
    network: Flat<LesionNet>,
    /// The average of the weights.
    average: LesionNet,
    adam: Adam,
    /// Losses since the last validation, still on the device.
    losses: Vec<Tensor<1>>,
}

impl<'a> Training<'a> {
    fn new(config: &'a EncoderConfig, classes: usize, steps: u64, autodiff: &Device) -> Self {
        let empty = LesionNet::new(config.width, classes, autodiff);
        let network = Flat::new(Init::Pytorch.fill(empty, config.seed, "init encoder"));
        let average = network.clone().into_network().valid();
        // The authors' settings (Kingma and Ba 2015).
        let adam = Adam::new([0.9, 0.999], 1e-8);
        Self { config, steps, network, average, adam, losses: Vec::new() }
    }

    /// One step on images `x`, `[batch, 3, side, side]`, with the smoothed one-hot classes `target`, `[batch,
    /// classes]`.
    fn step(mut self, step: u64, x: Tensor<4>, target: Tensor<2>) -> Self {
        let (logits, stats) = self.network.forward_train(x, Precision::F32);
        let loss = (log_softmax(logits, 1) * target).sum().div_scalar(-(self.config.batch as f64));
        self.losses.push(loss.clone().inner());
        let gradients = self.network.gradients(&loss.backward());
        let cosine = (std::f64::consts::PI * step as f64 / self.steps as f64).cos();
        self.adam.set_learning_rate(self.config.learning_rate * (0.5 * (1.0 + cosine)));
        let gradients = self.network.gather(gradients);
        self.network = self.adam.step(self.network, gradients, step + 1, None);
        self.network.update_running(|network| network.update_running(&stats));
        self.averaged(step)
    }

    /// Moves the average of the weights towards the weights.
    fn averaged(mut self, step: u64) -> Self {
        let live = self.network.parameters();
        let mut live = live.into_iter().map(|p| p.value);
        let decay = 0.5f64.powf(1.0 / (self.steps as f64 * HALF_LIFE).max(1.0));
        // Until the half-life has passed, this is nearly the mean of all weights so far.
        let decay = decay.min(step as f64 / (step as f64 + 10.0));
        let towards = |_: &str, old| live.next().map(|new| lerp(old, new, decay));
        self.average = self.average.map_values(towards);
        self
    }
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
        if cache.size() != SIDE {
            return bad(format!(
                "{} holds images of {1}×{1} pixels; an encoder needs {SIDE}×{SIDE}: prepare the data with \
                 `size` = {SIDE}",
                cache.path().display(),
                cache.size()
            ));
        }
        let of = |side| of_side(cache, Some(side));
        let sides = Self { train: of(Side::Train), val: of(Side::Val), test: of(Side::Test) };
        let mut seen: Vec<usize> = sides.train.iter().map(|i| class_of(cache, *i)).collect();
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

fn class_of(cache: &Cache, image: u32) -> usize {
    cache.header().records[image as usize].class
}

/// The augmented images of a step, `[batch, 3, side, side]` in [-1, 1], and their smoothed one-hot classes,
/// `[batch, classes]`.
fn batch(
    cache: &Cache,
    order: &Order,
    config: &EncoderConfig,
    step: u64,
    device: &Device,
) -> (Tensor<4>, Tensor<2>) {
    let first = step * config.batch as u64;
    let draws: Vec<(u64, Draw)> =
        (first..first + config.batch as u64).map(|at| (at, order.at(at))).collect();
    let each = 3 * SIDE * SIDE;
    let mut planes = vec![0.0; config.batch * each];
    planes.par_chunks_mut(each).zip(&draws).for_each(|(planes, (at, draw))| {
        to_planes(cache.pixels(draw.image as usize), SIDE, draw.orientation, planes);
        augment(planes, Keyed::new(config.seed, "encoder aug", *at));
    });
    let classes = cache.header().classes.len();
    let mut target = vec![(config.smoothing / classes as f64) as f32; config.batch * classes];
    for (i, (_, draw)) in draws.iter().enumerate() {
        target[i * classes + class_of(cache, draw.image)] += (1.0 - config.smoothing) as f32;
    }
    let x = TensorData::new(planes, [config.batch, 3, SIDE, SIDE]);
    let target = TensorData::new(target, [config.batch, classes]);
    (Tensor::from_data(x, device), Tensor::from_data(target, device))
}

/// Shifts an image by up to [`SHIFT`] pixels, reflected at its borders, and changes its brightness, contrast and
/// saturation by up to [`COLOUR`]. The diagnosis must not depend on the camera or the skin.
fn augment(planes: &mut [f32], mut draw: Keyed) {
    let mut shift = || draw.below(2 * SHIFT + 1) as isize - SHIFT as isize;
    let (across, down) = (shift(), shift());
    let mut factor = || draw.range(-COLOUR, COLOUR) as f32;
    let (brightness, contrast, saturation) = (factor(), 1.0 + factor(), 1.0 + 2.0 * factor());
    let reflected = |at: usize, by: isize| {
        let last = SIDE as isize - 1;
        let at = at as isize + by;
        let at = if at < 0 { -at } else { at };
        (if at > last { 2 * last - at } else { at }) as usize
    };
    let from = planes.to_vec();
    let area = SIDE * SIDE;
    for y in 0..SIDE {
        for x in 0..SIDE {
            let place = reflected(y, down) * SIDE + reflected(x, across);
            let rgb = [from[place], from[area + place], from[2 * area + place]];
            let grey = (rgb[0] + rgb[1] + rgb[2]) / 3.0;
            for (c, value) in rgb.into_iter().enumerate() {
                let value = (grey + (value - grey) * saturation) * contrast + brightness;
                planes[c * area + y * SIDE + x] = value.clamp(-1.0, 1.0);
            }
        }
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
        let size = 3 * SIDE * SIDE;
        let mut planes = vec![0.0; images.len() * size];
        planes.par_chunks_mut(size).zip(images).for_each(|(planes, image)| {
            to_planes(cache.pixels(*image as usize), SIDE, Orientation::default(), planes);
        });
        let (features, logits) = encoder::encode(network, planes, &device.handle);
        each(features, logits);
    }
}

/// Scores a network on images.
fn score(network: &LesionNet, cache: &Cache, images: &[u32], device: &ComputeDevice) -> Score {
    let mut all = Vec::new();
    over(network, cache, images, device, |_, logits| all.extend(logits));
    let truth: Vec<usize> = images.iter().map(|i| class_of(cache, *i)).collect();
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
    let (mut sum, mut squares) = (vec![0.0f64; dims(n)], vec![0.0f64; dims(n)]);
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
