//! Training in 16-bit number formats: a step is close to the float32 step, and there is no step on gradients that are
//! not finite.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops at the first error")]

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use dermagan_model::Network;
use dermagan_model::tensor::to_vec;
use dermagan_model::training_latents;
use dermagan_model::weights::{Array, Weights};
use dermagan_model::{Backbone, ModelConfig, Precision};
use dermagan_train::{Batch, LossScale, Players, StepSettings, TrainConfig, relative};

const MODEL: ModelConfig = ModelConfig {
    backbone: Backbone::Dcgan,
    classes: 0,
    resolution: 32,
    z_dim: 16,
    noise: false,
    g_width: 16,
    d_width: 16,
    projected: false,
};
const BATCH: usize = 8;

fn config(precision: Precision) -> TrainConfig {
    TrainConfig { model: MODEL, precision, ..TrainConfig::of_preset("reference", 3).unwrap() }
}

fn players(precision: Precision) -> Players {
    Players::new(&config(precision), &Device::flex())
}

/// One step with real images in [-`size`, `size`]. Returns the flattened gradients by name.
fn step(players: &mut Players, time: u64, size: f32) -> Vec<(String, Vec<f32>)> {
    let device = Device::flex().autodiff();
    let side = MODEL.resolution;
    let real = Keyed::new(7, "real", time).uniforms(BATCH * 3 * side * side, -1.0, 1.0);
    let real: Vec<f32> = real.into_iter().map(|v| v * size).collect();
    let real = Tensor::<4>::from_data(TensorData::new(real, [BATCH, 3, side, side]), &device);
    let z = training_latents(7, "z", time * 100, BATCH, &MODEL, &device);
    let mut found = Vec::new();
    let settings = StepSettings::at(&config(players.precision), time, 0);
    players.step(Batch::plain(real, z), &settings, &mut |player, gradients| {
        let flat = |(n, g): &(String, Tensor<1>)| (format!("{player} {n}"), to_vec(g.clone()));
        found.extend(gradients.iter().map(flat));
    });
    found
}

fn scale(value: f32) -> LossScale {
    let array = Array { shape: vec![2], values: vec![value, 0.0] };
    let mut saved = Weights::from([("scale".to_owned(), array)]);
    LossScale::load("scale", &mut saved, &Device::flex()).unwrap()
}

#[test]
fn gradients_in_16_bits_are_close_to_those_in_float32() {
    let wide = step(&mut players(Precision::F32), 1, 1.0);
    // The gradients of biases and of normalisations' gains are sums that nearly cancel, so their relative errors are
    // larger. The test therefore compares the whole gradient of a player.
    for (precision, tolerance) in [(Precision::Bf16, 0.2), (Precision::F16, 0.06)] {
        let mut narrow = players(precision);
        if precision == Precision::F16 {
            // The initial scale is too large for this network. It would cost a run a few steps.
            narrow.d_scale = Some(scale(2048.0));
            narrow.g_scale = Some(scale(2048.0));
        }
        let found = step(&mut narrow, 1, 1.0);
        for player in ["D ", "G "] {
            let all = |of: &[(String, Vec<f32>)]| -> Vec<f32> {
                of.iter()
                    .filter(|(n, _)| n.starts_with(player))
                    .flat_map(|(_, g)| g.clone())
                    .collect()
            };
            let off = relative(&all(&found), &all(&wide));
            println!("{precision} {player}: off by {off:.4}");
            assert!(off < tolerance, "{precision} {player}: off by {off:.3}");
        }
        let differs = wide.iter().zip(&found).any(|((_, a), (_, b))| a != b);
        assert!(differs, "{precision} must differ from float32");
    }
}

#[test]
fn a_step_whose_gradients_overflow_float16_changes_no_weight_and_halves_the_scale() {
    let mut run = players(Precision::F16);
    step(&mut run, 1, 1.0);
    let before = run.discriminator.to_weights();
    let scale = run.d_scale.as_ref().unwrap().value();
    // With these images the gradient of the first layer's filters overflows float16.
    step(&mut run, 2, 1e6);
    let after = run.discriminator.to_weights();
    assert_eq!(run.d_scale.as_ref().unwrap().value(), scale / 2.0);
    for (name, array) in before.iter().filter(|(name, _)| !name.contains("running")) {
        assert_eq!(array.values, after[name].values, "{name}");
    }
    assert!(
        after
            .iter()
            .filter(|(n, _)| !n.contains("running"))
            .all(|(_, a)| a.values.iter().all(|v| v.is_finite()))
    );
}

#[test]
fn the_same_step_in_bfloat16_gives_the_same_bits() {
    let (mut a, mut b) = (players(Precision::Bf16), players(Precision::Bf16));
    for time in 1..=2 {
        assert_eq!(step(&mut a, time, 1.0), step(&mut b, time, 1.0));
    }
    assert_eq!(a.generator.to_weights(), b.generator.to_weights());
}
