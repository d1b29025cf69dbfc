//! Runs every level of this machine, one after another in one process. The test is alone in this file because the level
//! applies to the whole process.
#![allow(missing_docs, reason = "tests")]

mod common;

use common::{noise, products, worst};
use dermagan_kernels::conv::direct::{Activation, Depthwise, Filter, Image, Window};
use dermagan_kernels::cpu::{self, Level};
use dermagan_kernels::pointwise::activation::{leaky, tanh};
use dermagan_kernels::pointwise::norm::{Affine, backward, forward, moments};
use dermagan_kernels::pointwise::rms;
use dermagan_kernels::{Lane, Layer, Pair, Shape};

/// Compares the three operations of a stride-2 layer with their definition.
fn layer<L: Lane<Real = f32>>(shape: Shape, tolerance: f64) {
    let x = noise::<f32>(shape.batch * shape.large(), 1);
    let y = noise::<f32>(shape.batch * shape.small(), 2);
    let w = noise::<f32>(shape.filter(), 3);
    let (mut small, mut large) = (vec![0.0; y.len()], vec![0.0; x.len()]);
    let mut filter = vec![0.0; w.len()];
    products(&shape, |l, s, f| {
        small[s] += x[l] * w[f];
        large[l] += y[s] * w[f];
        filter[f] += x[l] * y[s];
    });
    let form = Layer::of(shape);
    let errors = [
        worst(&form.down::<L>(&x, &w), &small),
        worst(&form.up::<L>(&y, &w), &large),
        worst(&form.filter_gradient::<L>(&x, &y), &filter),
    ];
    assert!(errors.iter().all(|e| *e < tolerance), "{:?} {shape:?}: {errors:?}", cpu::level());
}

/// The results of the pointwise and direct kernels on fixed inputs.
fn others() -> Vec<Vec<f32>> {
    let (rows, channels) = (301, 37);
    let x = noise::<f32>(rows * channels, 1);
    let g = noise::<f32>(x.len(), 2);
    let (gamma, beta) = (noise::<f32>(channels, 3), noise::<f32>(channels, 4));
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon: 1e-5, slope: 0.2 };
    let found = moments(&x, channels);
    let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    forward(&x, &found, &affine, &mut y);
    let gradients = backward(&x, &g, &found, &affine, &mut dx);
    let mut scaled = vec![0.0; x.len()];
    rms::forward(&x, channels, 0.2, &mut scaled);
    let mut back = g.clone();
    rms::backward(&x, channels, 0.2, &mut back);
    let (mut bent, mut curved) = (x.clone(), x.clone());
    leaky(&mut bent, 0.2);
    tanh(&mut curved);
    let window = Window { kernel: [3, 2], stride: 2, padding: [[1, 1], [0, 1]] };
    let activation = Activation::Relu6;
    let filter = Filter::new(&noise(19 * 37 * 6, 5), &noise(19, 6), channels, window, activation);
    let each = Depthwise::new(&noise(37 * 6, 7), &noise(37, 8), window, activation);
    let image = Image { values: &x, extent: [43, 7] };
    let [high, wide] = window.extent(image.extent).unwrap_or_default();
    let mut convolved = vec![0.0; high * wide * 19];
    filter.apply(image, &mut convolved, 19, 0);
    let mut alone = vec![0.0; high * wide * channels];
    each.apply(image, &mut alone);
    vec![y, dx, gradients.gamma, gradients.beta, scaled, back, bent, curved, convolved, alone]
}

#[test]
fn every_level_of_this_machine_computes_the_same_up_to_rounding() {
    let before = cpu::level();
    let baseline = cpu::at(Level::Baseline, others);
    for level in Level::ALL {
        cpu::at(level, || one_level(level, &baseline));
    }
    assert_eq!(cpu::level(), before);
}

fn one_level(level: Level, baseline: &[Vec<f32>]) {
    assert_eq!(cpu::level(), level.min(cpu::detected()));
    for (height, wide, deep) in [(4, 16, 48), (4, 32, 16), (3, 3, 20)] {
        let shape = Shape { batch: 5, height, width: height, wide, deep };
        layer::<f32>(shape, 5e-6);
        layer::<Pair>(shape, 3e-2);
    }
    for (i, (found, baseline)) in others().iter().zip(baseline).enumerate() {
        let off = worst(found, baseline);
        assert!(off < 5e-6, "{level}: array {i} is off by {off:.1e}");
    }
}
