//! Checks that a device computes the same gradients as the CPU. One training step of a small network of each backbone
//! runs on both, and the gradients are compared for each parameter. burn has had wrong gradients on some drivers, and a
//! loss curve does not show them. The CPU itself is compared with another of its levels of vector instructions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use dermagan_base::rng::Keyed;
use dermagan_model::Network;
use dermagan_model::cpu::{self, Level};
use dermagan_model::tensor::{from_slice, to_vec};
use dermagan_model::{Backbone, ComputeDevice, Flat, Generator, Init, ModelConfig};

use crate::check::compare::{
    GradientDifference, Gradients, compare_gradients, gradients, worst_first,
};
use crate::check::repetition::TOLERANCE as RUN_TOLERANCE;
use crate::error::TrainError;
use crate::plan::synthetic;
use crate::recipe::augment::AugmentConfig;
use crate::recipe::config::{OptimiserConfig, TrainConfig};
use crate::recipe::objective::{Loss, Objective};
use crate::recipe::schedule::Scheduled;
use crate::step::adam::Adam;
use crate::step::ema;
use crate::step::fault::Fault;
use crate::step::players::Players;
use crate::step::settings::StepSettings;

/// Largest relative difference of a test network's gradient that counts as rounding. SwiftShader, which computes
/// correctly, is off by 1.3e-6. A GPU with another order of sums may be off by more, and wrong kernels are off by 1e-1.
pub const TOLERANCE: f64 = 2e-3;

/// Sizes of the test networks. They have every kind of layer and are small enough for a software rasteriser.
const SIZES: ModelConfig = ModelConfig {
    backbone: Backbone::Dcgan,
    classes: 0,
    resolution: 32,
    z_dim: 16,
    noise: false,
    g_width: 8,
    d_width: 8,
    projected: false,
};
const BATCH: usize = 4;

/// The test networks, each with a prefix for its parameters: that of preset `reference`, and one with everything that
/// it lacks: the residual backbone with classes and noise, gradient penalties, and transforms.
fn test_networks() -> Result<Vec<(&'static str, TrainConfig)>, TrainError> {
    let mut reference = TrainConfig { model: SIZES, ..TrainConfig::of_preset("reference", 1)? };
    reference.optimiser.batch = BATCH;
    let mut other = reference.clone();
    other.model =
        ModelConfig { backbone: Backbone::Residual, classes: 3, noise: true, ..other.model };
    other.optimiser.init = Init::He;
    let gamma = Scheduled::Constant(0.5);
    // With a relativistic loss, the gradient of the head's bias would be only rounding.
    other.objective =
        Objective { loss: Loss::LeastSquares, r1: gamma, r2: gamma, ..Objective::default() };
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

/// What to examine, and how often.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// A configuration to examine instead of the two small test networks.
    pub config: Option<TrainConfig>,
    /// Number of computations of the step on the device. 0 counts as 1.
    pub repeat: usize,
}

/// One computation of the step on the device.
#[derive(Clone, Debug)]
pub struct Computed {
    /// Number of the computation, from 1.
    pub number: usize,
    /// Gradients that differ from the CPU's by more than the tolerance. The largest difference comes first.
    pub wrong: Vec<GradientDifference>,
    /// Whether all gradients equal those of the first computation to the last bit.
    pub same_bits: bool,
    /// Time that the computation took, in seconds.
    pub seconds: f64,
}

/// The result of an examination.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Name of the device.
    pub device: String,
    /// The largest difference of each parameter's gradient over all computations, sorted by difference, largest first.
    pub comparisons: Vec<GradientDifference>,
    /// Number of computations of the step on the device.
    pub computed: usize,
    /// Largest relative difference that counts as rounding: 2e-3 for the test networks, 2e-2 for a
    /// configuration of the caller.
    pub tolerance: f64,
    /// Number of computations with a gradient that differs by more than the tolerance.
    pub wrong: usize,
    /// Number of computations in which each parameter's gradient was wrong. Parameters that never were are left out.
    pub wrong_by_parameter: BTreeMap<String, usize>,
    /// Number of computations whose bits differ from those of the first.
    pub differing: usize,
    /// Whether every computation was within the tolerance.
    pub passed: bool,
}

/// Computes the step once on the CPU and [`repeat`](Examination::repeat) times on `device`, and compares all gradients.
/// `each` receives every computation.
///
/// # Errors
/// When the environment variable `DERMAGAN_TEST_FAULT`, which tests use to corrupt gradients, cannot be read.
pub fn examine(
    device: &ComputeDevice,
    examination: &Examination,
    each: &mut dyn FnMut(&Computed),
) -> Result<Diagnosis, TrainError> {
    let networks = match &examination.config {
        None => test_networks()?,
        Some(config) => {
            config.validate()?;
            vec![("", config.clone())]
        }
    };
    let fault = Fault::requested().map_err(TrainError::Invalid)?.map(Arc::new);
    let tolerance = if examination.config.is_some() { RUN_TOLERANCE } else { TOLERANCE };
    // A NaN is not rounding.
    let rounding = |c: &GradientDifference| c.difference <= tolerance;
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
        let found = step(&networks, &device.handle, fault.as_ref());
        let seconds = start.elapsed().as_secs_f64();
        let mut compared = compare_gradients(&found, &expected);
        worst_first(&mut compared);
        for GradientDifference { parameter, difference } in &compared {
            let before = worst.entry(parameter.clone()).or_default();
            if *difference > *before || difference.is_nan() {
                *before = *difference;
            }
        }
        let wrong: Vec<_> = compared.into_iter().filter(|c| !rounding(c)).collect();
        for GradientDifference { parameter, .. } in &wrong {
            *diagnosis.wrong_by_parameter.entry(parameter.clone()).or_default() += 1;
        }
        let same_bits = first.get_or_insert_with(|| found.clone()) == &found;
        diagnosis.wrong += usize::from(!wrong.is_empty());
        diagnosis.differing += usize::from(!same_bits);
        each(&Computed { number, wrong, same_bits, seconds });
    }
    diagnosis.comparisons = worst
        .into_iter()
        .map(|(parameter, difference)| GradientDifference { parameter, difference })
        .collect();
    worst_first(&mut diagnosis.comparisons);
    diagnosis.passed = diagnosis.wrong == 0;
    Ok(diagnosis)
}

/// The CPU's level of vector instructions that a device is compared with. For a GPU, it is the one in use. For the CPU,
/// it is another one, whose kernels are different code. A CPU with only one level is compared with itself.
pub fn reference_level(device: &ComputeDevice) -> Level {
    match (device.is_cpu, cpu::level()) {
        (false, level) => level,
        (true, Level::Baseline) => cpu::detected(),
        (true, _) => Level::Baseline,
    }
}

/// The gradients of the first step of every network, and its weights after updates by fixed gradients.
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
        // The players do not move: Adam's first step depends only on the sign of a gradient, so rounding in the
        // discriminator's gradients would appear a hundred times as large in the generator's.
        let settings = StepSettings::at(config, 1, 0).without_moving();
        let gradients = gradients(&players, batch, &settings);
        let named = gradients.into_iter().chain(updates(config, players.generator));
        found.extend(named.map(|(name, values)| (format!("{prefix}{name}"), values)));
    }
    found
}

/// The weights of a network after two steps of Adam with gradients that are the same on every device, averaged with the
/// weights before.
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
