//! Training of the lesion encoder: a classifier on the training side of the split, chosen by the
//! validation side, scored once on the test side.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;
use dermagan_data::order::{Draw, Order, to_planes};
use dermagan_data::split::Side;
use dermagan_data::{Cache, licence};
use dermagan_eval::encoder::{self, EncoderCard, LesionEncoder, LesionNet, SIDE, Score, dims};
use dermagan_model::named::Network;
use dermagan_model::ops::lerp;
use dermagan_model::{Flat, Init, Precision, Selected};
use rayon::prelude::*;

use crate::adam::Adam;
use crate::checkpoint::producer;
use crate::drawn::of_side;
use crate::error::TrainError;

/// How an encoder is trained. The defaults made the one that is shipped.
#[derive(Clone, Copy, Debug)]
pub struct EncoderConfig {
    /// Channels of the first block.
    pub width: usize,
    /// Length in thousands of images.
    pub kimg: f64,
    /// Images a step.
    pub batch: usize,
    /// Adam's learning rate at its height; a cosine takes it to zero.
    pub learning_rate: f64,
    /// Share of the target that is spread over all classes.
    pub smoothing: f64,
    /// Seed of every random number.
    pub seed: u64,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self { width: 32, kimg: 200.0, batch: 64, learning_rate: 1e-3, smoothing: 0.1, seed: 0 }
    }
}

/// What training tells as it goes.
#[derive(Clone, Debug)]
pub enum EncoderEvent {
    /// So many images are seen; the loss is the mean since the last of these.
    Progress {
        /// Images seen.
        nimg: u64,
        /// Of so many.
        of: u64,
        /// Mean cross-entropy.
        loss: f64,
    },
    /// A look at the validation side.
    Validated {
        /// Images seen.
        nimg: u64,
        /// Mean of the classes' recalls.
        balanced_accuracy: f64,
        /// Whether this is the best so far, which is kept.
        best: bool,
    },
}

/// Half-life of the averaged weights, as a share of the run.
const HALF_LIFE: f64 = 0.01;
/// Looks at the validation side in a run.
const LOOKS: u64 = 20;
/// Furthest shift in pixels.
const SHIFT: u64 = 5;
/// Furthest change of brightness, contrast and saturation.
const COLOUR: f64 = 0.15;
/// Images at a time when nothing is learnt.
const AT_ONCE: usize = 256;

/// An encoder's file and what became of its training.
#[derive(Debug)]
pub struct TrainedEncoder {
    /// The file's bytes.
    pub bytes: Vec<u8>,
    /// Its card.
    pub card: EncoderCard,
}

/// Trains an encoder on a cache of 64×64 images. `sink` hears how it goes; `go_on` is asked before
/// every step.
///
/// # Errors
/// When the data does not serve: another size, fewer than two classes, an empty side; when a loss is
/// not finite; when told to stop.
pub fn train(
    cache: &Cache,
    config: &EncoderConfig,
    device: &Selected,
    go_on: &dyn Fn() -> bool,
    sink: &mut dyn FnMut(EncoderEvent),
) -> Result<TrainedEncoder, TrainError> {
    let sides = Sides::of(cache)?;
    let header = cache.header();
    let classes = header.classes.len();
    let order = Order::balanced(config.seed, &sides.train, |i| class_of(cache, i), 1.0)
        .augmented(true, true);
    let autodiff = device.device.clone().autodiff();
    let empty = LesionNet::new(config.width, classes, &autodiff);
    let mut network = Flat::new(Init::Pytorch.fill(empty, config.seed, "init encoder"));
    let mut average = network.clone().into_network().valid();
    // As its authors set it (Kingma and Ba 2015).
    let mut adam = Adam::new([0.9, 0.999], 1e-8);
    let steps = ((config.kimg * 1000.0 / config.batch as f64).ceil() as u64).max(1);
    let every = (steps / LOOKS).max(1);
    let decay = 0.5f64.powf(1.0 / (steps as f64 * HALF_LIFE).max(1.0));
    let mut best: Option<(f64, LesionNet)> = None;
    let mut losses: Vec<Tensor<1>> = Vec::new();
    for step in 0..steps {
        if !go_on() {
            return Err(TrainError::Eval(dermagan_eval::EvalError::Stopped));
        }
        let (x, target) = batch(cache, &order, config, step, &autodiff);
        let (logits, stats) = network.forward_train(x, Precision::F32);
        let loss = (log_softmax(logits, 1) * target).sum().div_scalar(-(config.batch as f64));
        losses.push(loss.clone().inner());
        let gradients = network.gradients(&loss.backward());
        let height = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / steps as f64).cos());
        adam.set_learning_rate(config.learning_rate * height);
        let gradients = network.gather(gradients);
        network = adam.step(network, gradients, step + 1, None);
        network.update_running(|network| network.update_running(&stats));
        let live = network.parameters();
        let mut live = live.into_iter().map(|p| p.value);
        // Until the average's half-life has passed, the average of what there is.
        let decay = decay.min(step as f64 / (step as f64 + 10.0));
        average = average.map_values(|_, old| live.next().map(|new| lerp(old, new, decay)));
        if (step + 1).is_multiple_of(every) || step + 1 == steps {
            let nimg = (step + 1) * config.batch as u64;
            let loss = mean_loss(std::mem::take(&mut losses), nimg)?;
            sink(EncoderEvent::Progress { nimg, of: steps * config.batch as u64, loss });
            let found = examine(&average, cache, &sides.val, device).balanced_accuracy;
            let is_best = best.as_ref().is_none_or(|(known, _)| found > *known);
            sink(EncoderEvent::Validated { nimg, balanced_accuracy: found, best: is_best });
            if is_best {
                best = Some((found, average.clone()));
            }
        }
    }
    let network = best.map_or(average, |(_, network)| network);
    let moments = moments(&network, cache, &sides.train, device);
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
        test: encoder::score(&[], &[], classes),
    };
    // Scored as it is stored, in half precision.
    let bytes = LesionEncoder::to_bytes(&network, moments.clone(), &card)?;
    let stored = LesionEncoder::stored_network(&bytes, &device.device)?;
    card.test = examine(&stored, cache, &sides.test, device);
    let bytes = LesionEncoder::to_bytes(&network, moments, &card)?;
    Ok(TrainedEncoder { bytes, card })
}

/// Images by side.
struct Sides {
    train: Vec<u32>,
    val: Vec<u32>,
    test: Vec<u32>,
}

impl Sides {
    fn of(cache: &Cache) -> Result<Self, TrainError> {
        let bad = |what: String| Err(TrainError::Option(what));
        if cache.size() != SIDE {
            return bad(format!(
                "the encoder looks at {SIDE}×{SIDE} images, {} holds {1}×{1}; prepare it with \
                 --size {SIDE}",
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
                "an encoder needs two classes or more and images on every side of the split; {} \
                 has {} classes in training, {} images for validation, {} for the test",
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

/// The images of a step, augmented, and their smoothed classes.
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

/// Shifts an image by up to [`SHIFT`] pixels, mirroring what comes in, and changes its brightness,
/// contrast and saturation a little: cameras and skins differ, diagnoses do not.
fn augment(planes: &mut [f32], mut draw: Keyed) {
    let mut shift = || draw.below(2 * SHIFT + 1) as isize - SHIFT as isize;
    let (across, down) = (shift(), shift());
    let mut factor = || draw.range(-COLOUR, COLOUR) as f32;
    let (brightness, contrast, saturation) = (factor(), 1.0 + factor(), 1.0 + 2.0 * factor());
    let mirrored = |at: usize, by: isize| {
        let last = SIDE as isize - 1;
        let at = at as isize + by;
        let at = if at < 0 { -at } else { at };
        (if at > last { 2 * last - at } else { at }) as usize
    };
    let from = planes.to_vec();
    let area = SIDE * SIDE;
    for y in 0..SIDE {
        for x in 0..SIDE {
            let place = mirrored(y, down) * SIDE + mirrored(x, across);
            let rgb = [from[place], from[area + place], from[2 * area + place]];
            let grey = (rgb[0] + rgb[1] + rgb[2]) / 3.0;
            for (c, value) in rgb.into_iter().enumerate() {
                let value = (grey + (value - grey) * saturation) * contrast + brightness;
                planes[c * area + y * SIDE + x] = value.clamp(-1.0, 1.0);
            }
        }
    }
}

fn mean_loss(losses: Vec<Tensor<1>>, nimg: u64) -> Result<f64, TrainError> {
    let n = losses.len().max(1) as f64;
    let all = dermagan_model::named::to_vec(Tensor::cat(losses, 0));
    let mean = all.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    match mean.is_finite() {
        true => Ok(mean),
        false => Err(TrainError::Option(format!(
            "the encoder's loss is not finite after {nimg} images; try a lower learning rate"
        ))),
    }
}

/// Calls `each` with the features and logits of images, as they are, some at a time.
fn over(
    network: &LesionNet,
    cache: &Cache,
    images: &[u32],
    device: &Selected,
    mut each: impl FnMut(Vec<f32>, Vec<f32>),
) {
    for images in images.chunks(AT_ONCE) {
        let size = 3 * SIDE * SIDE;
        let mut planes = vec![0.0; images.len() * size];
        planes.par_chunks_mut(size).zip(images).for_each(|(planes, image)| {
            to_planes(cache.pixels(*image as usize), SIDE, Orientation::default(), planes);
        });
        let (features, logits) = encoder::encode(network, planes, &device.device);
        each(features, logits);
    }
}

fn examine(network: &LesionNet, cache: &Cache, images: &[u32], device: &Selected) -> Score {
    let mut all = Vec::new();
    over(network, cache, images, device, |_, logits| all.extend(logits));
    let truth: Vec<usize> = images.iter().map(|i| class_of(cache, *i)).collect();
    encoder::score(&all, &truth, cache.header().classes.len())
}

/// Mean and standard deviation of every feature; one that never changes counts as one apart.
fn moments(network: &LesionNet, cache: &Cache, images: &[u32], device: &Selected) -> [Vec<f32>; 2] {
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
