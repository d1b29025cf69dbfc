//! Does this device compute what the CPU computes? One training step of a small network of either
//! backbone on both, parameter by parameter. burn has had wrong gradients on some drivers; a loss
//! curve does not show them. The CPU itself is compared with another of its levels.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use dermagan_model::cpu::{self, Level};
use dermagan_model::latent::training_latents;
use dermagan_model::named::to_vec;
use dermagan_model::{Backbone, Init, ModelConfig, Selected};

use crate::augment::AugmentConfig;
use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::objective::{Loss, Objective};
use crate::schedule::Scheduled;
use crate::step::{Batch, Players, Turn};
use crate::trainer::class_rows;
use crate::transforms::Transforms;

/// Largest relative difference of a gradient that counts as rounding. SwiftShader, which is sound,
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
fn configs() -> Result<[(&'static str, TrainConfig); 2], TrainError> {
    let reference = TrainConfig { model: SIZES, ..TrainConfig::of_preset("reference", 1)? };
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
    Ok([("", reference), ("residual ", other)])
}

/// How one parameter's gradient compares.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Player and parameter, such as `G main.0.weight`.
    pub parameter: String,
    /// Norm of the difference over norm of the CPU's gradient.
    pub difference: f64,
}

/// What the doctor found.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// The device.
    pub device: String,
    /// All parameters, worst first.
    pub comparisons: Vec<Comparison>,
    /// Whether the worst is within [`TOLERANCE`].
    pub passed: bool,
}

/// Runs the comparison on `device`.
///
/// # Errors
/// When the test network cannot be made, which would be a mistake of ours.
pub fn examine(device: &Selected) -> Result<Diagnosis, TrainError> {
    let found = gradients(&device.device)?;
    let level = reference_level(device);
    let reference = cpu::at(level, || gradients(&Device::flex()))?;
    let mut comparisons: Vec<Comparison> = reference
        .iter()
        .map(|(parameter, expected)| {
            let difference =
                found.get(parameter).map_or(f64::INFINITY, |got| relative(got, expected));
            Comparison { parameter: parameter.clone(), difference }
        })
        .collect();
    // A NaN is the worst of all.
    let rank = |d: f64| if d.is_nan() { f64::INFINITY } else { d };
    comparisons.sort_by(|a, b| rank(b.difference).total_cmp(&rank(a.difference)));
    let passed = comparisons.iter().all(|c| c.difference <= TOLERANCE);
    Ok(Diagnosis { device: device.name.clone(), comparisons, passed })
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

/// Norm of the difference over norm of the reference.
pub fn relative(got: &[f32], expected: &[f32]) -> f64 {
    if got.len() != expected.len() {
        return f64::INFINITY;
    }
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|v| v * v).sum::<f64>().sqrt();
    let difference =
        norm(&mut got.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b)));
    difference / norm(&mut expected.iter().map(|v| f64::from(*v))).max(1e-30)
}

fn gradients(device: &Device) -> Result<BTreeMap<String, Vec<f32>>, TrainError> {
    let mut found = BTreeMap::new();
    for (network, config) in configs()? {
        let mut players = Players::new(&config, device);
        let batch = batch(&config, &device.clone().autodiff());
        players.step_watched(batch, &Turn::of(&config, 1, 0.0), |player, gradients| {
            for (name, gradient) in gradients {
                found.insert(format!("{network}{player} {name}"), to_vec(gradient.clone()));
            }
        });
    }
    Ok(found)
}

fn batch(config: &TrainConfig, device: &Device) -> Batch {
    let (side, augment) = (SIZES.resolution, &config.augment);
    let real = Keyed::new(1, "doctor", 0).uniforms(BATCH * 3 * side * side, -1.0, 1.0);
    let real: Tensor<4> = Tensor::from_data(TensorData::new(real, [BATCH, 3, side, side]), device);
    let z = training_latents(1, "doctor z", 0, BATCH, &config.model, device);
    let classes = config.model.classes;
    let class =
        (classes > 0).then(|| class_rows((0..BATCH).map(|i| i % classes), classes, 1.0, device));
    let (p, purposes) = ([augment.most(); BATCH], ["doctor real", "doctor fake"]);
    let transforms = Transforms::pair(augment, &p, 1, purposes, 0, side);
    Batch { real, z, class, transforms }
}
