//! Compares three optimiser steps of a small DCGAN with PyTorch's (scripts/make_fixtures.py).

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_model::Network;
use dermagan_model::tensor::to_vec;
use dermagan_model::weights::{Array, Weights, from_safetensors};
use dermagan_model::{Backbone, ModelConfig};
use dermagan_train::{Batch, Players, StepSettings, TrainConfig, relative};

const MODEL: ModelConfig = ModelConfig {
    backbone: Backbone::Dcgan,
    classes: 0,
    resolution: 64,
    z_dim: 16,
    noise: false,
    g_width: 4,
    d_width: 4,
    projected: false,
};

fn config() -> TrainConfig {
    TrainConfig { model: MODEL, ..TrainConfig::of_preset("reference", 0).unwrap() }
}

fn fixture() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/parity.safetensors");
    from_safetensors("parity", &std::fs::read(path).unwrap()).unwrap().weights
}

fn under(fixture: &Weights, prefix: &str) -> Weights {
    let named =
        fixture.iter().filter_map(|(k, v)| Some((k.strip_prefix(prefix)?.to_owned(), v.clone())));
    named.collect()
}

fn tensor<const D: usize>(array: &Array, device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(array.values.clone(), array.shape.clone()), device)
}

/// The relative differences of losses, gradients and weights, by name.
pub fn differences(device: &Device) -> BTreeMap<String, f64> {
    let fixture = fixture();
    let config = config();
    let mut players = Players::new(&config, device);
    let started = |prefix: &str| under(&fixture, prefix);
    players.generator = players.generator.map(|g| g.with_weights(&started("start.G.")).unwrap());
    players.discriminator =
        players.discriminator.map(|d| d.with_weights(&started("start.D.")).unwrap());
    let autodiff = device.clone().autodiff();
    let mut found = BTreeMap::new();
    for step in 1..=3 {
        let real = tensor::<4>(&fixture[&format!("real{step}")], &autodiff);
        let z = tensor::<2>(&fixture[&format!("z{step}")], &autodiff);
        let mut compared = 0;
        let measures = players.step(
            Batch::plain(real, z),
            &StepSettings::at(&config, step, 0),
            &mut |player, gradients| {
                for (name, gradient) in gradients {
                    let name = format!("grad{step}.{player}.{name}");
                    let expected = &fixture[&name].values;
                    found.insert(name, relative(&to_vec(gradient.clone()), expected));
                    compared += 1;
                }
            },
        );
        assert_eq!(compared, 13 + 11, "every parameter of both players has a gradient");
        let losses = &to_vec(measures)[..2];
        found.insert(
            format!("loss{step}"),
            relative(losses, &fixture[&format!("loss{step}")].values),
        );
    }
    for (prefix, weights) in
        [("end.G.", players.generator.to_weights()), ("end.D.", players.discriminator.to_weights())]
    {
        for (name, array) in weights {
            let expected = &fixture[&format!("{prefix}{name}")].values;
            found.insert(format!("{prefix}{name}"), relative(&array.values, expected));
        }
    }
    found
}

/// The largest difference, with its name.
pub fn worst(found: &BTreeMap<String, f64>) -> (&str, f64) {
    let worst = found.iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    (worst.0, *worst.1)
}
