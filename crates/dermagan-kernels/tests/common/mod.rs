//! The definitions that the fast forms are compared with, and inputs for the comparison.
#![allow(dead_code, reason = "each test file uses a part of this module")]

use dermagan_kernels::conv::SIDE;
use dermagan_kernels::{Real, Shape};

/// Calls `f(large, small, filter)` with the indices of every product of a stride-2 layer.
pub fn products(shape: &Shape, mut f: impl FnMut(usize, usize, usize)) {
    let (height, width) = (2 * shape.height, 2 * shape.width);
    for b in 0..shape.batch {
        for (i, j) in (0..shape.height).flat_map(|i| (0..shape.width).map(move |j| (i, j))) {
            for (u, v) in (0..SIDE).flat_map(|u| (0..SIDE).map(move |v| (u, v))) {
                let (row, column) = (2 * i + u, 2 * j + v);
                if row < 1 || row > height || column < 1 || column > width {
                    continue;
                }
                for (o, c) in (0..shape.deep).flat_map(|o| (0..shape.wide).map(move |c| (o, c))) {
                    let large = ((b * height + row - 1) * width + column - 1) * shape.wide + c;
                    let small = ((b * shape.height + i) * shape.width + j) * shape.deep + o;
                    f(large, small, ((o * shape.wide + c) * SIDE + u) * SIDE + v);
                }
            }
        }
    }
}

/// `n` random numbers in `[-1, 1)` from splitmix64. They depend on `seed` only.
pub fn noise<T: Real>(n: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        T::of(((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
    };
    std::iter::repeat_with(next).take(n).collect()
}

/// The largest difference divided by the largest expected value.
pub fn worst<T: Real>(found: &[T], expected: &[T]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().map(|v| v.double().abs()).fold(1e-30, f64::max);
    let difference = |(a, b): (&T, &T)| (a.double() - b.double()).abs();
    found.iter().zip(expected).map(difference).fold(0.0, f64::max) / scale
}

/// The dot product.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The derivative of `f` along `direction` at `x`, by central differences.
pub fn slope(x: &[f64], direction: &[f64], f: impl Fn(&[f64]) -> f64) -> f64 {
    let h = 1e-5;
    let moved = |s: f64| -> Vec<f64> { x.iter().zip(direction).map(|(x, d)| x + s * d).collect() };
    (f(&moved(h)) - f(&moved(-h))) / (2.0 * h)
}
