//! Classifiers of images, which the training of the lesion encoder and trials of generated images share.

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::SettingError;
use dermagan_base::orientation::Orientation;
use dermagan_base::rng::Keyed;
use dermagan_data::Cache;
use dermagan_data::order::{Draw, Order, to_planes};
use dermagan_eval::encoder::{self, LesionNet};
use dermagan_model::ops::lerp;
use dermagan_model::{ComputeDevice, Flat, Init, Network, Precision};
use rayon::prelude::*;

use crate::error::TrainError;
use crate::step::adam::Adam;

/// Half-life of the averaged weights, as a share of the training.
const HALF_LIFE: f64 = 0.01;
/// Largest shift in pixels of 64; proportionally more in larger images.
const SHIFT: usize = 5;
/// Largest change of brightness, contrast and saturation.
const COLOUR: f64 = 0.15;
/// Largest number of channels of the first block.
const MAX_WIDTH: usize = 128;
/// Longest training in thousands of images.
const MAX_KIMG: f64 = 1e6;
/// Number of images per pass in which nothing is learnt.
const PASS: usize = 256;

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
    /// Number of steps.
    pub(crate) fn steps(&self) -> u64 {
        ((self.kimg * 1000.0 / self.batch as f64).ceil() as u64).max(1)
    }

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

/// Square images of one size with classes.
pub trait Learnt: Sync {
    /// The side of the images in pixels, one of [`SIDES`](dermagan_eval::encoder::SIDES).
    fn side(&self) -> usize;
    /// The pixels of an image: `side * side * 3` bytes, row by row, RGB.
    fn pixels(&self, image: u32) -> &[u8];
    /// Its class.
    fn class(&self, image: u32) -> usize;
    /// Number of classes.
    fn classes(&self) -> usize;
}

impl Learnt for Cache {
    fn side(&self) -> usize {
        self.size()
    }

    fn pixels(&self, image: u32) -> &[u8] {
        Cache::pixels(self, image as usize)
    }

    fn class(&self, image: u32) -> usize {
        self.header().records[image as usize].class
    }

    fn classes(&self) -> usize {
        self.header().classes.len()
    }
}

/// A trained classifier.
#[derive(Clone, Debug)]
pub struct Classifier {
    network: LesionNet,
    side: usize,
}

impl Classifier {
    /// Trains a classifier on the images that `order` draws. It learns for the whole length, and its weights are averaged
    /// over the last part of it. `augmented` shifts images and changes their colours. `stopped` is asked before every step.
    ///
    /// # Errors
    /// If a setting is out of range. [`TrainError::Stopped`] when `stopped` says so.
    pub fn train(
        learnt: &impl Learnt,
        order: &Order,
        augmented: bool,
        config: &EncoderConfig,
        device: &ComputeDevice,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Self, TrainError> {
        config.check()?;
        let autodiff = device.handle.clone().autodiff();
        let steps = config.steps();
        let mut training = Training::new(config, learnt, steps, &autodiff);
        for step in 0..steps {
            if stopped() {
                return Err(TrainError::Stopped("before the classifier was complete"));
            }
            let (x, target) = batch(learnt, order, augmented, config, step, &autodiff);
            training = training.step(step, x, target);
            // Losses are read by nobody here.
            training.losses.clear();
        }
        Ok(Self { network: training.average, side: learnt.side() })
    }

    /// The logits of images of the size that it learnt from, one row per image; with `turned` the mean over the eight orientations.
    pub fn logits(&self, images: &[&[u8]], turned: bool, device: &ComputeDevice) -> Vec<f32> {
        let orientations =
            if turned { Orientation::all().to_vec() } else { vec![Orientation::default()] };
        let mut sum: Vec<f32> = Vec::new();
        for orientation in &orientations {
            let mut all = Vec::new();
            for some in images.chunks(PASS) {
                let (side, size) = (self.side, 3 * self.side * self.side);
                let mut planes = vec![0.0; some.len() * size];
                planes.par_chunks_mut(size).zip(some).for_each(|(planes, pixels)| {
                    to_planes(pixels, side, *orientation, planes);
                });
                all.extend(encoder::encode(&self.network, planes, side, &device.handle).1);
            }
            match sum.is_empty() {
                true => sum = all,
                false => sum.iter_mut().zip(all).for_each(|(sum, v)| *sum += v),
            }
        }
        sum.iter_mut().for_each(|v| *v /= orientations.len() as f32);
        sum
    }
}

/// The state of a training.
pub(crate) struct Training<'a> {
    config: &'a EncoderConfig,
    steps: u64,
    network: Flat<LesionNet>,
    /// The average of the weights.
    pub average: LesionNet,
    adam: Adam,
    /// Losses since the last validation, still on the device.
    pub losses: Vec<Tensor<1>>,
}

impl<'a> Training<'a> {
    pub fn new(
        config: &'a EncoderConfig,
        learnt: &impl Learnt,
        steps: u64,
        autodiff: &Device,
    ) -> Self {
        let empty = LesionNet::new(config.width, learnt.side(), learnt.classes(), autodiff);
        let network = Flat::new(Init::Pytorch.fill(empty, config.seed, "init encoder"));
        let average = network.clone().into_network().valid();
        // The authors' settings (Kingma and Ba 2015).
        let adam = Adam::new([0.9, 0.999], 1e-8);
        Self { config, steps, network, average, adam, losses: Vec::new() }
    }

    /// One step on images `x`, `[batch, 3, side, side]`, with the smoothed one-hot classes `target`, `[batch,
    /// classes]`.
    pub fn step(mut self, step: u64, x: Tensor<4>, target: Tensor<2>) -> Self {
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

/// The augmented images of a step, `[batch, 3, side, side]` in [-1, 1], and their smoothed one-hot classes,
/// `[batch, classes]`.
pub(crate) fn batch(
    learnt: &impl Learnt,
    order: &Order,
    augmented: bool,
    config: &EncoderConfig,
    step: u64,
    device: &Device,
) -> (Tensor<4>, Tensor<2>) {
    let first = step * config.batch as u64;
    let draws: Vec<(u64, Draw)> =
        (first..first + config.batch as u64).map(|at| (at, order.at(at))).collect();
    let side = learnt.side();
    let each = 3 * side * side;
    let mut planes = vec![0.0; config.batch * each];
    planes.par_chunks_mut(each).zip(&draws).for_each(|(planes, (at, draw))| {
        to_planes(learnt.pixels(draw.image), side, draw.orientation, planes);
        if augmented {
            augment(planes, side, Keyed::new(config.seed, "encoder aug", *at));
        }
    });
    let classes = learnt.classes();
    let mut target = vec![(config.smoothing / classes as f64) as f32; config.batch * classes];
    for (i, (_, draw)) in draws.iter().enumerate() {
        target[i * classes + learnt.class(draw.image)] += (1.0 - config.smoothing) as f32;
    }
    let x = TensorData::new(planes, [config.batch, 3, side, side]);
    let target = TensorData::new(target, [config.batch, classes]);
    (Tensor::from_data(x, device), Tensor::from_data(target, device))
}

/// Shifts an image by up to [`SHIFT`] of 64 pixels, reflected at its borders, and changes its brightness, contrast and
/// saturation by up to [`COLOUR`]. The diagnosis must not depend on the camera or the skin.
fn augment(planes: &mut [f32], side: usize, mut draw: Keyed) {
    let most = (SHIFT * side / 64) as u64;
    let mut shift = || draw.below(2 * most + 1) as isize - most as isize;
    let (across, down) = (shift(), shift());
    let mut factor = || draw.range(-COLOUR, COLOUR) as f32;
    let (brightness, contrast, saturation) = (factor(), 1.0 + factor(), 1.0 + 2.0 * factor());
    let reflected = |at: usize, by: isize| {
        let last = side as isize - 1;
        let at = at as isize + by;
        let at = if at < 0 { -at } else { at };
        (if at > last { 2 * last - at } else { at }) as usize
    };
    let from = planes.to_vec();
    let area = side * side;
    for y in 0..side {
        for x in 0..side {
            let place = reflected(y, down) * side + reflected(x, across);
            let rgb = [from[place], from[area + place], from[2 * area + place]];
            let grey = (rgb[0] + rgb[1] + rgb[2]) / 3.0;
            for (c, value) in rgb.into_iter().enumerate() {
                let value = (grey + (value - grey) * saturation) * contrast + brightness;
                planes[c * area + y * side + x] = value.clamp(-1.0, 1.0);
            }
        }
    }
}
