//! Compares every form of every layer with the definition, with its adjoint, and with itself on other numbers of threads
//! and in other batches.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test fails at the first error")]

mod common;

use common::{dot, noise, products, slope, worst};
use dermagan_kernels::conv::dense::{self, Dense};
use dermagan_kernels::conv::{im2col, winograd};
use dermagan_kernels::{Buffer, Lane, Pair, Shape};
use proptest::prelude::*;

/// One operation of a layer.
type Operation<T> = fn(&Shape, &[T], &[T]) -> Buffer<T>;

/// The three operations of one form of a layer.
struct Form<L: Lane> {
    down: Operation<L::Real>,
    up: Operation<L::Real>,
    gradient: Operation<L::Real>,
}

fn forms<L: Lane>(shape: &Shape) -> Vec<Form<L>> {
    let mut forms = vec![Form {
        down: im2col::down::<L>,
        up: im2col::up::<L>,
        gradient: im2col::filter_gradient::<L>,
    }];
    if winograd::serves(shape) {
        forms.push(Form {
            down: winograd::down::<L>,
            up: winograd::up::<L>,
            gradient: winograd::filter_gradient::<L>,
        });
    }
    forms
}

fn matches_the_definition<L: Lane>(shape: Shape, tolerance: f64) {
    let x = noise::<L::Real>(shape.batch * shape.large(), 1);
    let y = noise::<L::Real>(shape.batch * shape.small(), 2);
    let w = noise::<L::Real>(shape.filter(), 3);
    let zeros = |n: usize| vec![L::Real::default(); n];
    let (mut small, mut large, mut filter) = (zeros(y.len()), zeros(x.len()), zeros(w.len()));
    products(&shape, |l, s, f| {
        small[s] += x[l] * w[f];
        large[l] += y[s] * w[f];
        filter[f] += x[l] * y[s];
    });
    for form in forms::<L>(&shape) {
        let errors = [
            worst(&(form.down)(&shape, &x, &w), &small),
            worst(&(form.up)(&shape, &y, &w), &large),
            worst(&(form.gradient)(&shape, &x, &y), &filter),
        ];
        assert!(errors.iter().all(|e| *e < tolerance), "{shape:?}: {errors:?}");
    }
}

fn every_precision(shape: Shape) {
    matches_the_definition::<f64>(shape, 1e-13);
    matches_the_definition::<f32>(shape, 5e-6);
    matches_the_definition::<Pair>(shape, 3e-2);
}

#[test]
fn full_layers_match_the_definition_in_every_precision() {
    for (batch, height, width, wide, deep) in
        [(3, 4, 6, 16, 48), (2, 8, 8, 48, 32), (20, 4, 4, 64, 32), (1, 2, 2, 16, 16)]
    {
        every_precision(Shape { batch, height, width, wide, deep });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn layers_of_any_extent_match_the_definition(
        batch in 1usize..11, height in 1usize..6, width in 1usize..6,
        wide in 1usize..20, deep in 1usize..40,
    ) {
        every_precision(Shape { batch, height, width, wide, deep });
    }
}

#[test]
fn gradients_match_finite_differences_in_float64() {
    for (wide, deep) in [(16, 32), (3, 5)] {
        let shape = Shape { batch: 2, height: 4, width: 4, wide, deep };
        let x = noise::<f64>(shape.batch * shape.large(), 4);
        let y = noise::<f64>(shape.batch * shape.small(), 5);
        let w = noise::<f64>(shape.filter(), 6);
        let (dx, dy, dw) =
            (noise::<f64>(x.len(), 7), noise::<f64>(y.len(), 8), noise::<f64>(w.len(), 9));
        for form in forms::<f64>(&shape) {
            // A nonlinear loss: half the square of the result. Its gradient is the result.
            let down = |x: &[f64], w: &[f64]| (form.down)(&shape, x, w);
            let loss = |x: &[f64], w: &[f64]| down(x, w).iter().map(|v| v * v / 2.0).sum();
            let g = down(&x, &w);
            let close =
                |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * a.abs().max(1.0), "{a} {b}");
            close(dot(&(form.up)(&shape, &g, &w), &dx), slope(&x, &dx, |x| loss(x, &w)));
            close(dot(&(form.gradient)(&shape, &x, &g), &dw), slope(&w, &dw, |w| loss(&x, w)));
            let up = |y: &[f64], w: &[f64]| (form.up)(&shape, y, w);
            let loss = |y: &[f64], w: &[f64]| up(y, w).iter().map(|v| v * v / 2.0).sum();
            let g = up(&y, &w);
            close(dot(&(form.down)(&shape, &g, &w), &dy), slope(&y, &dy, |y| loss(y, &w)));
            close(dot(&(form.gradient)(&shape, &g, &y), &dw), slope(&w, &dw, |w| loss(&y, w)));
        }
    }
}

#[test]
fn the_dense_layer_matches_its_definition() {
    for (batch, wide, deep) in [(5, 32, 1), (30, 7, 19), (1, 64, 100)] {
        let shape = Dense { batch, wide, deep };
        let x = noise::<f64>(batch * 16 * wide, 1);
        let y = noise::<f64>(batch * deep, 2);
        let w = noise::<f64>(deep * wide * 16, 3);
        let (mut small, mut large, mut filter) =
            (vec![0.0; y.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
        for b in 0..batch {
            for o in 0..deep {
                for (c, t) in (0..wide).flat_map(|c| (0..16).map(move |t| (c, t))) {
                    let (l, s, f) =
                        ((b * 16 + t) * wide + c, b * deep + o, (o * wide + c) * 16 + t);
                    small[s] += x[l] * w[f];
                    large[l] += y[s] * w[f];
                    filter[f] += x[l] * y[s];
                }
            }
        }
        assert!(worst(&dense::down(&shape, &x, &w), &small) < 1e-13);
        assert!(worst(&dense::up(&shape, &y, &w), &large) < 1e-13);
        assert!(worst(&dense::filter_gradient(&shape, &x, &y), &filter) < 1e-13);
    }
}

/// Runs `f` on a pool of `n` threads.
fn on_threads<R: Send>(n: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(f)
}

fn same_on_any_number_of_threads<L: Lane<Real = f32>>() {
    for (wide, deep) in [(64, 48), (3, 64)] {
        let shape = Shape { batch: 21, height: 8, width: 8, wide, deep };
        let x = noise::<f32>(shape.batch * shape.large(), 1);
        let y = noise::<f32>(shape.batch * shape.small(), 2);
        let w = noise::<f32>(shape.filter(), 3);
        for form in forms::<L>(&shape) {
            let all = || {
                let small = (form.down)(&shape, &x, &w).to_vec();
                let large = (form.up)(&shape, &y, &w).to_vec();
                (small, large, (form.gradient)(&shape, &x, &y).to_vec())
            };
            let one = on_threads(1, all);
            for threads in [2, 3, 8] {
                assert!(on_threads(threads, all) == one, "{threads} threads, {shape:?}");
            }
        }
    }
}

#[test]
fn results_have_the_same_bits_on_any_number_of_threads() {
    same_on_any_number_of_threads::<f32>();
    same_on_any_number_of_threads::<Pair>();
}

fn same_in_any_batch<L: Lane<Real = f32>>() {
    for (wide, deep) in [(32, 48), (3, 64)] {
        let many = Shape { batch: 13, height: 4, width: 4, wide, deep };
        let one = Shape { batch: 1, ..many };
        let x = noise::<f32>(many.batch * many.large(), 1);
        let y = noise::<f32>(many.batch * many.small(), 2);
        let w = noise::<f32>(many.filter(), 3);
        for form in forms::<L>(&many) {
            let (small, large) = ((form.down)(&many, &x, &w), (form.up)(&many, &y, &w));
            for b in 0..many.batch {
                let (l, s) = (b * one.large(), b * one.small());
                let alone = (form.down)(&one, &x[l..l + one.large()], &w);
                assert!(alone[..] == small[s..s + one.small()]);
                let alone = (form.up)(&one, &y[s..s + one.small()], &w);
                assert!(alone[..] == large[l..l + one.large()]);
            }
        }
    }
}

#[test]
fn an_image_has_the_same_bits_in_any_batch() {
    same_in_any_batch::<f32>();
    same_in_any_batch::<Pair>();
}
