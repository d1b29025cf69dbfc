//! Compares normalisation, activations and the optimiser with their formulas and with finite differences.
#![allow(missing_docs, reason = "tests")]

mod common;

use common::{dot, noise, slope, worst};
use dermagan_kernels::pointwise::activation::{leaky, leaky_backward, tanh, tanh_backward};
use dermagan_kernels::pointwise::adam::{Step, adam, lerp};
use dermagan_kernels::pointwise::norm::{Affine, backward, forward, moments};

const ROWS: usize = 300;
const CHANNELS: usize = 5;

/// Half the squared distance of the normalised and activated `x` from `target`.
fn loss(x: &[f64], gamma: &[f64], beta: &[f64], slope: f64, target: &[f64]) -> (f64, Vec<f64>) {
    let affine = Affine { gamma, beta, epsilon: 1e-5, slope };
    let mut y = vec![0.0; x.len()];
    forward(x, &moments(x, CHANNELS), &affine, &mut y);
    let g: Vec<f64> = y.iter().zip(target).map(|(y, t)| y - t).collect();
    (g.iter().map(|g| g * g / 2.0).sum(), g)
}

#[test]
fn normalisation_gradients_match_finite_differences_in_float64() {
    for bend in [0.0, 0.2, 1.0] {
        let x: Vec<f64> = noise(ROWS * CHANNELS, 1);
        let target: Vec<f64> = noise(x.len(), 2);
        let (gamma, beta): (Vec<f64>, Vec<f64>) = (noise(CHANNELS, 3), noise(CHANNELS, 4));
        let (_, g) = loss(&x, &gamma, &beta, bend, &target);
        let affine = Affine { gamma: &gamma, beta: &beta, epsilon: 1e-5, slope: bend };
        let mut dx = vec![0.0; x.len()];
        let of = backward(&x, &g, &moments(&x, CHANNELS), &affine, &mut dx);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-5 * a.abs().max(1.0), "{a} {b}");
        let way: Vec<f64> = noise(x.len(), 5);
        close(dot(&dx, &way), slope(&x, &way, |x| loss(x, &gamma, &beta, bend, &target).0));
        let way: Vec<f64> = noise(CHANNELS, 6);
        close(dot(&of.gamma, &way), slope(&gamma, &way, |g| loss(&x, g, &beta, bend, &target).0));
        close(dot(&of.beta, &way), slope(&beta, &way, |b| loss(&x, &gamma, b, bend, &target).0));
    }
}

#[test]
fn moments_keep_their_digits_when_the_mean_is_far_from_zero() {
    let x: Vec<f32> = noise::<f32>(ROWS * CHANNELS, 1).iter().map(|v| v + 1000.0).collect();
    let found = moments(&x, CHANNELS);
    for c in 0..CHANNELS {
        let column: Vec<f64> = x.iter().skip(c).step_by(CHANNELS).map(|v| f64::from(*v)).collect();
        let mean = column.iter().sum::<f64>() / ROWS as f64;
        let var = column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / ROWS as f64;
        assert!((f64::from(found.mean[c]) - mean).abs() < 5e-4);
        assert!((f64::from(found.var[c]) / var - 1.0).abs() < 1e-3, "{} {var}", found.var[c]);
    }
}

#[test]
fn tanh_is_accurate_to_the_last_bits_and_its_gradient_is_its_slope() {
    let x: Vec<f32> = (-12_000i16..=12_000).map(|i| f32::from(i) / 1000.0).collect();
    let mut y = x.clone();
    tanh(&mut y);
    for (x, y) in x.iter().zip(&y) {
        let exact = f64::from(*x).tanh();
        assert!((f64::from(*y) - exact).abs() <= 2.4e-7 * exact.abs(), "tanh({x}) = {y}");
    }
    let mut edges = [f32::INFINITY, f32::NEG_INFINITY, -0.0, f32::NAN, 1e30];
    tanh(&mut edges);
    assert_eq!(edges[..3], [1.0, -1.0, -0.0]);
    assert!(edges[3].is_nan() && edges[4] == 1.0);

    let at = [-1.5, -0.1, 0.3, 2.0];
    let mut y = at;
    tanh(&mut y);
    let mut g = [1.0; 4];
    tanh_backward(&y, &mut g);
    for (at, g) in at.iter().zip(g) {
        assert!((slope(&[*at], &[1.0], |x| x[0].tanh()) - g).abs() < 1e-9);
    }
}

#[test]
fn leaky_relu_and_its_gradient_change_slope_at_zero() {
    let mut x = [-2.0, -0.5, 0.0, 3.0];
    leaky(&mut x, 0.25);
    assert_eq!(x, [-0.5, -0.125, 0.0, 3.0]);
    let mut g = [1.0; 4];
    leaky_backward(&x, &mut g, 0.25);
    assert_eq!(g, [0.25, 0.25, 0.25, 1.0]);
}

#[test]
fn adam_takes_the_step_of_the_paper_and_the_average_follows_its_formula() {
    let n = 40_000;
    let (old, gradient) = (noise::<f32>(n, 1), noise::<f32>(n, 2));
    let (mut m, mut v) = (noise::<f32>(n, 3), noise::<f32>(n, 4));
    v.iter_mut().for_each(|v| *v = v.abs());
    let (m0, v0) = (m.clone(), v.clone());
    let step = Step { beta1: 0.5, beta2: 0.999, epsilon: 1e-8, size: 1e-3, root: 0.7 };
    let new = adam(step, &old, &mut m, &mut v, &gradient);
    let expected = |i: usize| {
        let g = f64::from(gradient[i]);
        let m = 0.5 * f64::from(m0[i]) + 0.5 * g;
        let v = 0.999 * f64::from(v0[i]) + 0.001 * g * g;
        (f64::from(old[i]) - 1e-3 * m / (v.sqrt() / 0.7 + 1e-8)) as f32
    };
    assert!(worst(&new, &(0..n).map(expected).collect::<Vec<_>>()) < 1e-6);
    let average = lerp(&old, &gradient, 0.75);
    let expected: Vec<f32> = old.iter().zip(&gradient).map(|(a, b)| 0.75 * a + 0.25 * b).collect();
    assert!(worst(&average, &expected) < 1e-6);
}
