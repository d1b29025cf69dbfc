//! The operations of the residual networks on the device under test, compared with the CPU. This is a
//! separate test program, because it may use a device that other tests must not share.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test panics at the first error")]

use burn::tensor::{Device, Tensor, TensorData};
use dermagan_base::rng::Keyed;
use dermagan_model::ops::{
    Direction, ShortcutSpec, add_bias, add_noise, add_resampled, gate, normed_leaky, product,
    shortcut_layer, shortcut_layer_transposed,
};
use dermagan_model::tensor::to_vec;
use dermagan_model::{Choice, Precision, device};

fn noise<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    let values = Keyed::new(seed, "noise", 0).normals(shape.iter().product(), 0.0, 1.0);
    Tensor::from_data(TensorData::new(values, shape), device).require_grad()
}

fn flat<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let n = x.shape().num_elements();
    to_vec(x.inner().reshape([n]))
}

/// An operation on an image, a filter, a second image and a bias.
type Run = fn([Tensor<4>; 3], Tensor<1>) -> Tensor<4>;

/// The result of an operation and its gradients with respect to all arguments.
fn results(run: Run, shapes: [[usize; 4]; 3], device: &Device) -> Vec<Vec<f32>> {
    let device = device.clone().autodiff();
    let x = [0, 1, 2].map(|i| noise(i as u64, shapes[i], &device));
    let bias = noise(3, [shapes[2][1]], &device);
    let y = run(x.clone(), bias.clone());
    let weight: Tensor<4> = noise(4, y.dims(), &device).detach();
    let gradients = (y.clone() * weight).sum().backward();
    let mut found = vec![flat(y)];
    found.extend(x.into_iter().filter_map(|x| x.grad(&gradients)).map(flat));
    found.extend(bias.grad(&gradients).map(flat));
    found
}

fn spec(direction: Direction, normed: bool) -> ShortcutSpec {
    ShortcutSpec { direction, gain: 1.5, slope: 0.2, normed, precision: Precision::F32 }
}

fn small_product(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    product(a.squeeze_dim::<3>(1), b.squeeze_dim::<3>(1)).unsqueeze_dim(1)
}

#[test]
fn layers_with_a_shortcut_match_the_cpu_on_the_device_under_test() {
    let Ok(name) = std::env::var("DERMAGAN_TEST_DEVICE") else {
        println!("DERMAGAN_TEST_DEVICE is not set: no GPU code was tested");
        return;
    };
    let choice: Choice = name.parse().unwrap();
    let selected = device::select(&choice).unwrap();
    let [large, small] = [[2, 4, 16, 16], [2, 8, 8, 8]];
    let filter = [8, 4, 4, 4];
    let runs: [(&str, Run, [[usize; 4]; 3]); 13] = [
        // Inner extents, also those of the gradients, that are not multiples of four.
        ("product 9", |[a, b, _], _| small_product(a, b), [[1, 1, 24, 9], [1, 1, 9, 16], small]),
        ("product 3", |[a, b, _], _| small_product(a, b), [[2, 1, 50, 3], [2, 1, 3, 3], small]),
        ("product 7", |[a, b, _], _| small_product(a, b), [[1, 1, 5, 7], [1, 1, 7, 32], small]),
        ("bias", |[_, _, x], b| add_bias(x, b), [large, filter, large]),
        ("noise", |[_, n, x], b| add_noise(x, n, b), [large, [2, 1, 16, 16], large]),
        ("down", |[x, _, y], _| add_resampled(y, x, Direction::Down, 1.5), [large, filter, small]),
        ("up", |[x, _, y], _| add_resampled(y, x, Direction::Up, 1.5), [small, filter, large]),
        ("gate", |[x, _, a], _| gate(x, a, 0.2), [large, filter, large]),
        ("norm", |[x, _, _], _| normed_leaky(x, 0.2), [large, filter, large]),
        (
            "layer down",
            |[x, w, _], b| shortcut_layer(x, w, b, spec(Direction::Down, false)).0,
            [large, filter, small],
        ),
        (
            "layer up",
            |[x, w, _], b| shortcut_layer(x, w, b, spec(Direction::Up, true)).0,
            [small, filter, large],
        ),
        (
            "transposed up",
            |[u, w, a], _| shortcut_layer_transposed(u, a, w, spec(Direction::Up, false)),
            [small, filter, large],
        ),
        (
            "transposed down",
            |[u, w, a], _| shortcut_layer_transposed(u, a, w, spec(Direction::Down, false)),
            [large, filter, small],
        ),
    ];
    let mut worst = Vec::new();
    for (name, run, shapes) in runs {
        let expected = results(run, shapes, &Device::flex());
        let found = results(run, shapes, &selected.handle);
        assert_eq!(found.len(), expected.len(), "{name}: number of gradients");
        for (i, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let size = expected.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
            let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{name} {i}: relative difference {:.1e}", off / size);
            worst.push((off / size, format!("{name} {i}")));
        }
    }
    worst.sort_by(|a, b| b.0.total_cmp(&a.0));
    assert!(worst[0].0 < 1e-4, "{worst:?}");
}
