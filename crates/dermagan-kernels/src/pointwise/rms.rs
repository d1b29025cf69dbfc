//! RMS normalisation and LeakyReLU, channels-last: the channels of each pixel are divided by their root mean square.

use rayon::prelude::*;

use crate::matmul::Real;
use crate::vectorised::vectorised;

/// ε, which is added to the mean square.
pub const EPSILON: f64 = 1e-8;
/// Number of rows per task.
const ROWS: usize = 128;

/// Σ a·b, as sixteen partial sums, so that the compiler vectorises it.
#[inline(always)]
fn dot<T: Real>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::default(); 16];
    let b = &b[..a.len()];
    let whole = a.len() / 16 * 16;
    let mut rest = T::default();
    for k in whole..a.len() {
        rest += a[k] * b[k];
    }
    for at in (0..whole).step_by(16) {
        let (a, b) = (&a[at..at + 16], &b[at..at + 16]);
        for k in 0..16 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().fold(rest, |sum, s| sum + *s)
}

/// 1 / √(mean square + ε) of a row.
#[inline(always)]
fn scale<T: Real>(row: &[T]) -> T {
    T::of(1.0 / (dot(row, row).double() / row.len() as f64 + EPSILON).sqrt())
}

// One call per block of rows: a run-time check of the vector unit per row costs as much as the row itself.
vectorised! {
    fn forward_block[T: Real](x: &[T], channels: usize, slope: T, y: &mut [T]) {
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let (by, x) = (scale(x), &x[..y.len()]);
            for k in 0..y.len() {
                let v = x[k] * by;
                y[k] = if v > T::default() { v } else { v * slope };
            }
        }
    }
}

vectorised! {
    fn backward_block[T: Real](x: &[T], channels: usize, slope: T, g: &mut [T]) {
        for (g, x) in g.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            let x = &x[..g.len()];
            for k in 0..g.len() {
                g[k] = if x[k] > T::default() { g[k] } else { g[k] * slope };
            }
            let by = scale(x);
            let along = dot(x, g);
            // d(s·x) with s = (mean x² + ε)^-½: s·g − x·s³·mean(x·g).
            let back = T::of(by.double().powi(3) * along.double() / channels as f64);
            for k in 0..g.len() {
                g[k] = g[k] * by - x[k] * back;
            }
        }
    }
}

/// y = LeakyReLU(x / rms(x)) for each row of `x`, `[rows, channels]`. `slope` is that of LeakyReLU below zero.
///
/// # Panics
/// If `x` and `y` differ in length.
pub fn forward<T: Real>(x: &[T], channels: usize, slope: f64, y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "the result's extent");
    let blocks = y.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels));
    blocks.for_each(|(y, x)| forward_block(x, channels, T::of(slope), y));
}

/// Replaces the gradient `g` of the result of [`forward`] with that of `x`, in place.
///
/// # Panics
/// If `x` and `g` differ in length.
pub fn backward<T: Real>(x: &[T], channels: usize, slope: f64, g: &mut [T]) {
    assert_eq!(x.len(), g.len(), "the gradient's extent");
    let blocks = g.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels));
    blocks.for_each(|(g, x)| backward_block(x, channels, T::of(slope), g));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_has_unit_mean_square_and_its_gradient_is_that_of_finite_differences() {
        let channels = 19;
        let value = |i: usize| ((i * 7919 + 13) % 101) as f64 / 50.3 - 1.0;
        let x: Vec<f64> = (0..3 * channels).map(value).collect();
        let weight: Vec<f64> = (0..x.len()).map(|i| value(i + 777)).collect();
        let made = |x: &[f64], slope: f64| {
            let mut y = vec![0.0; x.len()];
            forward(x, channels, slope, &mut y);
            y
        };
        for row in made(&x, 1.0).chunks(channels) {
            let square: f64 = row.iter().map(|v| v * v).sum::<f64>() / channels as f64;
            assert!((square - 1.0).abs() < 1e-6);
        }
        let mut g = weight.clone();
        backward(&x, channels, 0.2, &mut g);
        let loss = |x: &[f64]| made(x, 0.2).iter().zip(&weight).map(|(y, w)| y * w).sum::<f64>();
        for i in 0..x.len() {
            let (mut up, mut down) = (x.clone(), x.clone());
            (up[i], down[i]) = (x[i] + 1e-6, x[i] - 1e-6);
            let slope = (loss(&up) - loss(&down)) / 2e-6;
            assert!((slope - g[i]).abs() < 1e-7 * (1.0 + slope.abs()), "{i}: {slope} {}", g[i]);
        }
    }
}
