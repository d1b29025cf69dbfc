//! The results and gradients of our layers, compared with those of PyTorch (scripts/make_fixtures.py) and
//! of burn's own operations.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test panics at the first error")]

use std::path::Path;

use burn::tensor::activation::leaky_relu;
use burn::tensor::module::{batch_norm_train, conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_model::ops::{
    convolve, convolve_transposed, join, leaky, norm_act, norm_act_train, tanh,
};
use dermagan_model::tensor::to_vec;
use dermagan_model::weights::{Weights, from_safetensors};
use dermagan_model::{ModelConfig, Precision};

const EPSILON: f64 = 1e-5;

fn fixture() -> Weights {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/layers.safetensors");
    from_safetensors("layers", &std::fs::read(path).unwrap()).unwrap().weights
}

fn cpu() -> Device {
    Device::flex().autodiff()
}

fn tensor<const D: usize>(fixture: &Weights, name: &str) -> Tensor<D> {
    let array = &fixture[name];
    let data = TensorData::new(array.values.clone(), array.shape.clone());
    Tensor::from_data(data, &cpu())
}

fn flat<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let n = x.shape().num_elements();
    to_vec(x.inner().reshape([n]))
}

fn close(name: &str, found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let scale = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= tolerance * scale, "{name}: relative difference {:.1e}", off / scale);
}

/// Checks the result of `run` on the tensors of the fixture, and the gradients of all these tensors.
fn as_in_pytorch<const N: usize>(
    name: &str,
    inputs: [&str; N],
    tolerance: f32,
    run: impl FnOnce(&dyn Fn(&str) -> Tensor<4>, &dyn Fn(&str) -> Tensor<1>) -> Tensor<4>,
) {
    let fixture = fixture();
    let images = std::cell::RefCell::new(Vec::new());
    let rows = std::cell::RefCell::new(Vec::new());
    let image = |input: &str| {
        let x = tensor::<4>(&fixture, &format!("{name}.{input}")).require_grad();
        images.borrow_mut().push((input.to_owned(), x.clone()));
        x
    };
    let row = |input: &str| {
        let x = tensor::<1>(&fixture, &format!("{name}.{input}")).require_grad();
        rows.borrow_mut().push((input.to_owned(), x.clone()));
        x
    };
    let y = run(&image, &row);
    close(name, &flat(y.clone()), &fixture[&format!("{name}.y")].values, tolerance);
    let g = tensor::<4>(&fixture, &format!("{name}.g"));
    let gradients = (y * g).sum().backward();
    let mut found = Vec::new();
    for (input, x) in images.into_inner() {
        found.push((input, flat(x.grad(&gradients).unwrap())));
    }
    for (input, x) in rows.into_inner() {
        found.push((input, flat(x.grad(&gradients).unwrap())));
    }
    assert_eq!(found.len(), inputs.len());
    for (input, gradient) in found {
        assert!(inputs.contains(&input.as_str()));
        let name = format!("{name}.grad.{input}");
        close(&name, &gradient, &fixture[&name].values, tolerance);
    }
}

#[test]
fn convolutions_and_their_gradients_match_pytorch() {
    for (precision, tolerance) in [(Precision::F32, 2e-6), (Precision::Bf16, 2e-2)] {
        for form in ["full", "few", "whole"] {
            as_in_pytorch(&format!("conv.{form}"), ["x", "w"], tolerance, |x, _| {
                convolve(x("x"), x("w"), precision)
            });
            as_in_pytorch(&format!("transposed.{form}"), ["x", "w"], tolerance, |x, _| {
                convolve_transposed(x("x"), x("w"), precision)
            });
        }
    }
}

#[test]
fn normalisation_and_activations_and_their_gradients_match_pytorch() {
    for slope in [0.0, 0.2] {
        as_in_pytorch(&format!("norm.{slope:.1}"), ["x", "gamma", "beta"], 1e-5, |x, r| {
            norm_act_train(x("x"), r("gamma"), r("beta"), slope, 1).0
        });
    }
    as_in_pytorch("leaky", ["x"], 1e-6, |x, _| leaky(x("x"), 0.2));
    as_in_pytorch("tanh", ["x"], 1e-6, |x, _| tanh(x("x")));
}

/// A tensor of pseudo-random numbers in [-1, 1).
fn noise(seed: usize, shape: [usize; 4]) -> Tensor<4> {
    let value = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0;
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    Tensor::from_data(TensorData::new(values, shape), &cpu())
}

#[test]
fn every_layer_of_the_networks_computes_the_same_as_burns_own_operation() {
    let config = ModelConfig {
        resolution: 32,
        z_dim: 10,
        g_width: 16,
        d_width: 12,
        ..ModelConfig::default()
    };
    let mut side = config.resolution;
    for (wide, deep) in config.discriminator_channels() {
        let x = noise(1, [2, wide, side, side]).require_grad();
        let w = noise(2, [deep, wide, 4, 4]).require_grad();
        let (stride, padding) = if side == 4 { (1, 0) } else { (2, 1) };
        let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
        let ours = convolve(x.clone(), w.clone(), Precision::F32);
        let stock = conv2d(x.clone(), w.clone(), None, options);
        close("conv", &flat(ours.clone()), &flat(stock.clone()), 5e-6);
        let (ours, stock) = (ours.powi_scalar(2).sum(), stock.powi_scalar(2).sum());
        let (a, b) = (ours.backward(), stock.backward());
        close("conv x", &flat(x.grad(&a).unwrap()), &flat(x.grad(&b).unwrap()), 5e-6);
        close("conv w", &flat(w.grad(&a).unwrap()), &flat(w.grad(&b).unwrap()), 5e-6);
        side /= 2;
    }
    let mut side = 1;
    for (deep, wide) in config.generator_channels() {
        let x = noise(3, [2, deep, side, side]).require_grad();
        let w = noise(4, [deep, wide, 4, 4]).require_grad();
        let (stride, padding) = if side == 1 { (1, 0) } else { (2, 1) };
        let options = ConvTransposeOptions::new([stride; 2], [padding; 2], [0; 2], [1; 2], 1);
        let ours = convolve_transposed(x.clone(), w.clone(), Precision::F32);
        let stock = conv_transpose2d(x.clone(), w.clone(), None, options);
        close("transposed", &flat(ours.clone()), &flat(stock.clone()), 5e-6);
        let (ours, stock) = (ours.powi_scalar(2).sum(), stock.powi_scalar(2).sum());
        let (a, b) = (ours.backward(), stock.backward());
        close("transposed x", &flat(x.grad(&a).unwrap()), &flat(x.grad(&b).unwrap()), 5e-6);
        close("transposed w", &flat(w.grad(&a).unwrap()), &flat(w.grad(&b).unwrap()), 5e-6);
        side *= if side == 1 { 4 } else { 2 };
    }
}

#[test]
fn two_joined_batches_are_normalised_as_each_one_alone() {
    let row = |seed| noise(seed, [1, 6, 1, 1]).reshape([6]);
    let (gamma, beta) = (row(5), row(6));
    let (a, b) = (noise(7, [3, 6, 4, 4]), noise(8, [3, 6, 4, 4]) * 3.0 + 1.0);
    let both = join(vec![a.clone(), b.clone()]);
    let (y, mean, var) = norm_act_train(both, gamma.clone(), beta.clone(), 0.2, 2);
    for (i, x) in [a, b].into_iter().enumerate() {
        let stock = batch_norm_train(x.clone(), gamma.clone(), beta.clone(), EPSILON);
        let part = y.clone().narrow(0, 3 * i, 3);
        close("norm", &flat(part), &flat(leaky_relu(stock.output, 0.2)), 1e-5);
        close("mean", &flat(mean.clone().narrow(0, 6 * i, 6)), &flat(stock.mean.clone()), 1e-5);
        let found = var.clone().narrow(0, 6 * i, 6);
        close("variance", &flat(found.clone()), &flat(stock.variance), 1e-5);
        // The form with running statistics gives the same result for these statistics.
        let plain = |t: Tensor<1>| t.inner();
        let (g, b) = (plain(gamma.clone()), plain(beta.clone()));
        let fixed = norm_act(x.inner(), g, b, plain(stock.mean), plain(found), 0.2);
        let n = fixed.shape().num_elements();
        close("fixed", &to_vec(fixed.reshape([n])), &flat(y.clone().narrow(0, 3 * i, 3)), 1e-5);
    }
}

#[test]
fn the_order_of_values_in_memory_does_not_change_the_result() {
    let (x, w) = (noise(9, [2, 16, 8, 8]), noise(10, [16, 16, 4, 4]));
    let last = x.clone().permute([0, 2, 3, 1]) * 1.0;
    let again = last.permute([0, 3, 1, 2]);
    assert_eq!(
        flat(convolve(x, w.clone(), Precision::F32)),
        flat(convolve(again, w, Precision::F32))
    );
}
