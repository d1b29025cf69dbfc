//! Measures the layers of the 64 × 64 DCGAN at batch 64, in multiply-adds of the direct form per second.
#![allow(missing_docs, reason = "Criterion's macros generate undocumented items")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dermagan_kernels::conv::{im2col, winograd};
use dermagan_kernels::matmul::{Extents, Into, Left, Out, PANEL, Right, gemm, pack};
use dermagan_kernels::pointwise::adam;
use dermagan_kernels::pointwise::norm::{Affine, backward, forward, moments};
use dermagan_kernels::{Lane, Pair, Shape};

const BATCH: usize = 64;

fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect()
}

fn products<L: Lane<Real = f32>>(c: &mut Criterion, name: &str) {
    let mut group = c.benchmark_group("matrix product, one thread");
    let (m, n, k) = (64, 256, 512);
    let (b, lanes) = pack::<L>(k, n, |i, j| (i + j) as f32);
    let a = vec![L::default(); m * lanes];
    let mut out = vec![0.0; m * n];
    group.throughput(Throughput::Elements((m * n * k) as u64));
    group.bench_function(name, |bench| {
        bench.iter(|| {
            let a = Left { data: &a[..], row: lanes, col: 1 };
            let b = Right { data: &b[..], panel: lanes * PANEL, row: PANEL };
            let mut out = Out { data: &mut out[..], row: n };
            gemm(Extents { m, n, k: lanes }, a, b, &mut out, Into::Replace);
        });
    });
}

fn layers<L: Lane<Real = f32>>(c: &mut Criterion, name: &str) {
    for (height, wide, deep) in [(32, 3, 64), (16, 64, 128), (8, 128, 256), (4, 256, 512)] {
        let shape = Shape { batch: BATCH, height, width: height, wide, deep };
        let mut group = c.benchmark_group(format!("{name} {wide}-{deep}"));
        group.sample_size(10);
        group.throughput(Throughput::Elements((BATCH * shape.small() * wide * 16) as u64));
        let x = values(BATCH * shape.large());
        let y = values(BATCH * shape.small());
        let w = values(shape.filter());
        if winograd::serves(&shape) {
            group.bench_function("down", |b| b.iter(|| winograd::down::<L>(&shape, &x, &w)));
            group.bench_function("up", |b| b.iter(|| winograd::up::<L>(&shape, &y, &w)));
            group.bench_function("filter gradient", |b| {
                b.iter(|| winograd::filter_gradient::<L>(&shape, &x, &y));
            });
        } else {
            group.bench_function("down", |b| b.iter(|| im2col::down::<L>(&shape, &x, &w)));
            group.bench_function("up", |b| b.iter(|| im2col::up::<L>(&shape, &y, &w)));
            group.bench_function("filter gradient", |b| {
                b.iter(|| im2col::filter_gradient::<L>(&shape, &x, &y));
            });
        }
    }
}

fn passes(c: &mut Criterion) {
    let mut group = c.benchmark_group("normalisation 64x16x16x128");
    let channels = 128;
    let x = values(BATCH * 16 * 16 * channels);
    let (gamma, beta) = (vec![1.0; channels], vec![0.0; channels]);
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon: 1e-5, slope: 0.2 };
    let found = moments(&x, channels);
    let mut y = vec![0.0; x.len()];
    group.bench_function("moments", |b| b.iter(|| moments(black_box(&x), channels)));
    group.bench_function("forward", |b| b.iter(|| forward(&x, &found, &affine, &mut y)));
    group.bench_function("backward", |b| b.iter(|| backward(&x, &x, &found, &affine, &mut y)));
    group.finish();

    let n = 1 << 21;
    let (old, gradient) = (values(n), values(n));
    let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
    let step = adam::Step { beta1: 0.5, beta2: 0.999, epsilon: 1e-8, size: 1e-3, root: 1.0 };
    c.bench_function("adam, 2 Mi values", |b| {
        b.iter(|| adam::adam(step, &old, &mut m, &mut v, &gradient));
    });
}

fn all(c: &mut Criterion) {
    products::<f32>(c, "f32");
    products::<Pair>(c, "bf16");
    layers::<f32>(c, "f32");
    layers::<Pair>(c, "bf16");
    passes(c);
}

criterion_group!(benches, all);
criterion_main!(benches);
