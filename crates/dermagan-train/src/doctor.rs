//! Does this device compute what the CPU computes? One training step of a small network of either
//! backbone on both, parameter by parameter. burn has had wrong gradients on some drivers; a loss
//! curve does not show them. The CPU itself is compared with another of its levels.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use dermagan_base::rng::Keyed;
use dermagan_model::cpu::{self, Level};
use dermagan_model::named::{Network, from_slice, to_vec};
use dermagan_model::{Backbone, Flat, Generator, Init, ModelConfig, Selected};

use crate::adam::Adam;
use crate::augment::AugmentConfig;
use crate::check::fault::Fault;
use crate::check::{Comparison, Gradients, compare, gradients, worst_first};
use crate::config::{OptimiserConfig, TrainConfig};
use crate::ema;
use crate::error::TrainError;
use crate::objective::{Loss, Objective};
use crate::schedule::Scheduled;
use crate::step::{Players, Turn};
use crate::synthetic;
use crate::trainer::TOLERANCE as RUN_TOLERANCE;

/// Largest relative difference of a test network's gradient that counts as rounding. SwiftShader, which is sound,
/// is off by 1.3e-6; a GPU with another order of sums may be off by more; wrong kernels by 1e-1.
pub const TOLERANCE: f64 = 2e-3;

/// The test networks: every kind of layer, small enough for a software rasteriser.
const SIZES: ModelConfig = ModelConfig {
    backbone: Backbone::Dcgan,
    classes: 0,
    resolution: 32,
    z_dim: 16,
    noise: false,
    g_width: 8,
    d_width: 8,
};
const BATCH: usize = 4;

/// The reference, and everything that it has not: the residual backbone with classes and noise,
/// gradient penalties and transforms.
fn small() -> Result<Vec<(&'static str, TrainConfig)>, TrainError> {
    let mut reference = TrainConfig { model: SIZES, ..TrainConfig::of_preset("reference", 1)? };
    reference.optimiser.batch = BATCH;
    let mut other = reference.clone();
    other.model =
        ModelConfig { backbone: Backbone::Residual, classes: 3, noise: true, ..other.model };
    other.optimiser.init = Init::He;
    let gamma = Scheduled::Constant(0.5);
    // Not the relativistic loss: there the head's bias has no gradient but rounding.
    other.objective = Objective { loss: Loss::LeastSquares, r1: gamma, r2: gamma, every: 1 };
    other.augment = AugmentConfig {
        turns: true,
        translate: 0.125,
        rotate: 1.0,
        zoom: 0.2,
        cutout: 0.25,
        brightness: 0.2,
        saturation: 0.2,
        contrast: 0.2,
        probability: Scheduled::Constant(0.7),
        ..AugmentConfig::default()
    };
    Ok(vec![("", reference), ("residual ", other)])
}

/// What is examined, and how often.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// A configuration of its own instead of the two small test networks.
    pub config: Option<TrainConfig>,
    /// How often the step is computed on the device; at least once.
    pub repeat: usize,
}

/// One computation of the step on the device.
#[derive(Clone, Debug)]
pub struct Computed {
    /// Counts from 1.
    pub number: usize,
    /// Gradients that are not the CPU's, worst first.
    pub wrong: Vec<Comparison>,
    /// Whether all gradients are those of the first computation to the last bit.
    pub same_bits: bool,
    /// How long it took.
    pub seconds: f64,
}

/// What the doctor found.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The device.
    pub device: String,
    /// All parameters, each in its worst computation, worst first.
    pub comparisons: Vec<Comparison>,
    /// Computations of the step on the device.
    pub computed: usize,
    /// The largest difference that is rounding: [`TOLERANCE`], or [`RUN_TOLERANCE`] for
    /// a configuration of its own.
    pub tolerance: f64,
    /// Of these computations, those with a gradient that is off by more.
    pub wrong: usize,
    /// How often each parameter's gradient was, where it ever was.
    pub wrong_by_parameter: BTreeMap<String, usize>,
    /// Computations whose bits differ from the first one's.
    pub differing: usize,
    /// Whether every computation was within the tolerance.
    pub passed: bool,
}

/// Computes the step on the CPU once and on `device` as often as asked for, and compares all gradients. `each`
/// is given every computation.
///
/// # Errors
/// When there are no such networks, or a fault that was asked for ([`fault`](crate::check::fault)) cannot be read.
pub fn examine(
    device: &Selected,
    examination: &Examination,
    each: &mut dyn FnMut(&Computed),
) -> Result<Diagnosis, TrainError> {
    let networks = match &examination.config {
        None => small()?,
        Some(config) => vec![("", config.clone())],
    };
    let fault = Fault::requested().map_err(TrainError::Option)?.map(Arc::new);
    let tolerance = if examination.config.is_some() { RUN_TOLERANCE } else { TOLERANCE };
    // A NaN is not rounding.
    let rounding = |c: &Comparison| c.difference <= tolerance;
    let level = reference_level(device);
    let expected = cpu::at(level, || step(&networks, &Device::flex(), None));
    let mut worst: BTreeMap<String, f64> = BTreeMap::new();
    let mut first: Option<Gradients> = None;
    let mut diagnosis = Diagnosis {
        device: device.name.clone(),
        comparisons: Vec::new(),
        computed: examination.repeat.max(1),
        tolerance,
        wrong: 0,
        wrong_by_parameter: BTreeMap::new(),
        differing: 0,
        passed: true,
    };
    for number in 1..=diagnosis.computed {
        let start = Instant::now();
        let found = step(&networks, &device.device, fault.as_ref());
        let seconds = start.elapsed().as_secs_f64();
        let mut compared = compare(&found, &expected);
        worst_first(&mut compared);
        for Comparison { parameter, difference } in &compared {
            let before = worst.entry(parameter.clone()).or_default();
            if *difference > *before || difference.is_nan() {
                *before = *difference;
            }
        }
        let wrong: Vec<_> = compared.into_iter().filter(|c| !rounding(c)).collect();
        for Comparison { parameter, .. } in &wrong {
            *diagnosis.wrong_by_parameter.entry(parameter.clone()).or_default() += 1;
        }
        let same_bits = first.get_or_insert_with(|| found.clone()) == &found;
        diagnosis.wrong += usize::from(!wrong.is_empty());
        diagnosis.differing += usize::from(!same_bits);
        each(&Computed { number, wrong, same_bits, seconds });
    }
    diagnosis.comparisons = worst
        .into_iter()
        .map(|(parameter, difference)| Comparison { parameter, difference })
        .collect();
    worst_first(&mut diagnosis.comparisons);
    diagnosis.passed = diagnosis.wrong == 0;
    Ok(diagnosis)
}

/// The CPU's level that a device is compared with: the one in use for a GPU, and for the CPU itself another
/// one, whose kernels are other code. (A machine with one level is compared with itself.)
pub fn reference_level(device: &Selected) -> Level {
    match (device.is_cpu, cpu::level()) {
        (false, level) => level,
        (true, Level::Baseline) => cpu::detected(),
        (true, _) => Level::Baseline,
    }
}

/// The gradients of one step of every network, from its beginning, and what updates of its weights come to.
fn step(
    networks: &[(&'static str, TrainConfig)],
    device: &Device,
    fault: Option<&Arc<Fault>>,
) -> Gradients {
    let mut found = Gradients::new();
    for (prefix, config) in networks {
        let mut players = Players::new(config, device);
        players.fault = fault.cloned();
        let autodiff = device.clone().autodiff();
        let batch = synthetic::batch(config, synthetic::pixels(config), 0, &autodiff);
        // The players stay where they are: Adam's first step goes by a gradient's sign alone, so that rounding in the
        // discriminator's gradients would be seen a hundred times as large in the generator's.
        let turn = Turn { learning_rates: [0.0; 2], ..Turn::of(config, 1, 0.0) };
        let gradients = gradients(&players, batch, &turn);
        let named = gradients.into_iter().chain(updates(config, players.generator));
        found.extend(named.map(|(name, values)| (format!("{prefix}{name}"), values)));
    }
    found
}

/// The weights of a network after two steps of Adam by the same gradients everywhere, averaged with those before.
fn updates(config: &TrainConfig, network: Flat<Generator>) -> Gradients {
    let OptimiserConfig { beta1, beta2, epsilon, .. } = config.optimiser;
    let mut adam = Adam::new([beta1, beta2], epsilon);
    adam.set_learning_rate(0.1);
    let mut moved = network.clone();
    for time in 1..=2 {
        let parameters = network.parameters().into_iter().filter(|p| p.trainable).enumerate();
        let gradients = parameters.map(|(i, p)| {
            let values =
                Keyed::new(time, "doctor gradient", i as u64).normals(p.value.dims()[0], 0.0, 1.0);
            (p.name, from_slice(&values, &p.value.device()))
        });
        let gradients = moved.gather(gradients.collect());
        moved = adam.step(moved, gradients, time, None);
    }
    let averaged = ema::update(network, &moved, 0.25);
    let named = averaged.parameters().into_iter().filter(|p| p.trainable);
    named.map(|p| (format!("updated {}", p.name), to_vec(p.value))).collect()
}
