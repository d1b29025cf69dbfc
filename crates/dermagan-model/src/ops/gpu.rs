//! The convolution on GPUs: burn's own kernel, or patches and a matrix product, whichever this device
//! does faster.
//!
//! For float32, burn 0.22's convolution has no tiled kernel where the device lacks float32 matrix
//! units (every wgpu device), while its matrix product is tuned. Which of the two forms wins depends
//! on the card and its driver, so it is measured, once a process: a few milliseconds on a card.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Cube, DType, TensorMetadata};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{FloatDType, Shape, Slice, TensorData};

/// Names a form instead of measuring: `own` or `product`.
const FORCE: &str = "DERMAGAN_CONV";
/// A measurement shorter than this many seconds says little; the problem is then made larger.
const LONG_ENOUGH: f64 = 2e-3;
/// Batches of the trial problem, from a rasteriser's to an accelerator's.
const TRIALS: [usize; 4] = [1, 8, 64, 512];

/// The convolution of [batch, wide, 2h, 2w] with [deep, wide, 4, 4], stride 2, padding 1.
pub fn down(large: FloatTensor<Cube>, filter: FloatTensor<Cube>) -> FloatTensor<Cube> {
    match by_product(&large) {
        true => product::<Cube>(large, filter),
        false => own::<Cube>(large, filter),
    }
}

fn own<B: Backend>(large: FloatTensor<B>, filter: FloatTensor<B>) -> FloatTensor<B> {
    B::conv2d(large, filter, None, ConvOptions::new([2; 2], [1; 2], [1; 2], 1))
}

/// The same as one matrix product a picture: [deep, 16·wide] × [16·wide, h·w].
pub fn product<B: Backend>(large: FloatTensor<B>, filter: FloatTensor<B>) -> FloatTensor<B> {
    let [batch, wide, height, width] = large.shape().dims();
    let deep = filter.shape()[0];
    let (h, w) = (height / 2, width / 2);
    let dtype = match large.dtype() {
        DType::F16 => FloatDType::F16,
        _ => FloatDType::F32,
    };
    let framed = Shape::from([batch, wide, height + 2, width + 2]);
    let all = |n: usize| Slice::new(0, Some(n.cast_signed()), 1);
    let inside = |n: usize| Slice::new(1, Some(n.cast_signed() + 1), 1);
    let zeros = B::float_zeros(framed, &large.device(), dtype);
    let place = [all(batch), all(wide), inside(height), inside(width)];
    let framed = B::float_slice_assign(zeros, &place, large);
    let every_other = |from: usize, n: usize| {
        Slice::new(from.cast_signed(), Some((from + 2 * n - 1).cast_signed()), 2)
    };
    let taps = (0..16).map(|tap| {
        let (u, v) = (tap / 4, tap % 4);
        let slices = [all(batch), all(wide), every_other(u, h), every_other(v, w)];
        B::float_slice(framed.clone(), &slices)
    });
    let patches = B::float_cat(taps.collect(), 1);
    let patches = B::float_reshape(patches, Shape::from([batch, 16 * wide, h * w]));
    let rows = B::float_permute(filter, &[0, 2, 3, 1]);
    let rows = B::float_reshape(rows, Shape::from([1, deep, 16 * wide]));
    let rows = B::float_expand(rows, Shape::from([batch, deep, 16 * wide]));
    B::float_reshape(B::float_matmul(rows, patches), Shape::from([batch, deep, h, w]))
}

/// Whether the product is the faster form on this tensor's device, for its number format.
fn by_product(large: &FloatTensor<Cube>) -> bool {
    static CHOSEN: Mutex<Option<HashMap<String, bool>>> = Mutex::new(None);
    match std::env::var(FORCE).as_deref() {
        Ok("product") => return true,
        Ok("own") => return false,
        _ => {}
    }
    let (device, dtype) = (large.device(), large.dtype());
    let mut chosen = CHOSEN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = chosen.get_or_insert_default();
    *known.entry(format!("{device:?} {dtype:?}")).or_insert_with(|| {
        for batch in TRIALS {
            let tensor = |shape: [usize; 4]| {
                let values = vec![0.5f32; shape.iter().product()];
                let data = TensorData::new(values, shape).convert_dtype(dtype);
                Cube::float_from_data(data, &device)
            };
            let (x, w) = (tensor([batch, 64, 16, 16]), tensor([128, 64, 4, 4]));
            let seconds = |form: fn(FloatTensor<Cube>, FloatTensor<Cube>) -> FloatTensor<Cube>| {
                let run = || {
                    let start = Instant::now();
                    drop(form(x.clone(), w.clone()));
                    let waited = Cube::sync(&device);
                    waited.map_or(f64::INFINITY, |()| start.elapsed().as_secs_f64())
                };
                // The first runs compile and tune.
                let _ = (run(), run());
                run().min(run()).min(run())
            };
            let (product, own) = (seconds(product::<Cube>), seconds(own::<Cube>));
            if own.max(product) > LONG_ENOUGH || batch == TRIALS[TRIALS.len() - 1] {
                return product < own;
            }
        }
        false
    })
}
