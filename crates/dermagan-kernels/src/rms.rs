//! Each pixel's channels divided by their root mean square, and LeakyReLU of that, channels-last.

use rayon::prelude::*;

use crate::lane::Real;
use crate::vectorised::vectorised;

/// Added to the mean square.
pub const EPSILON: f64 = 1e-8;
/// Rows that one task takes.
const ROWS: usize = 128;

vectorised! {
    /// Σ a·b: sixteen sums side by side, so that the compiler makes vectors of them.
    fn dot[T: Real](a: &[T], b: &[T], sum: &mut T) {
        let mut sums = [T::default(); 16];
        let (a16, b16) = (a.chunks_exact(16), b.chunks_exact(16));
        let mut rest = T::default();
        for (a, b) in a16.remainder().iter().zip(b16.remainder()) {
            rest += *a * *b;
        }
        for (a, b) in a16.zip(b16) {
            for k in 0..16 {
                sums[k] += a[k] * b[k];
            }
        }
        *sum = sums.iter().fold(rest, |sum, s| sum + *s);
    }
}

/// 1 / √(mean square + ε) of a row.
fn scale<T: Real>(row: &[T]) -> T {
    let mut sum = T::default();
    dot(row, row, &mut sum);
    T::of(1.0 / (sum.double() / row.len() as f64 + EPSILON).sqrt())
}

vectorised! {
    fn scaled[T: Real](x: &[T], by: T, slope: T, y: &mut [T]) {
        for (y, x) in y.iter_mut().zip(x) {
            let v = *x * by;
            *y = if v > T::default() { v } else { v * slope };
        }
    }
}

/// y = LeakyReLU(x / rms(x)), rows of `channels`.
///
/// # Panics
/// When the slices are not of one length.
pub fn forward<T: Real>(x: &[T], channels: usize, slope: f64, y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "the result's extent");
    y.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels)).for_each(|(y, x)| {
        for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            scaled(x, scale(x), T::of(slope), y);
        }
    });
}

vectorised! {
    fn gated[T: Real](x: &[T], slope: T, g: &mut [T]) {
        for (g, x) in g.iter_mut().zip(x) {
            *g = if *x > T::default() { *g } else { *g * slope };
        }
    }
}

vectorised! {
    fn spread[T: Real](x: &[T], by: T, back: T, g: &mut [T]) {
        for (g, x) in g.iter_mut().zip(x) {
            *g = *g * by - *x * back;
        }
    }
}

/// From the gradient of [`forward`]'s result to that of `x`, in place.
///
/// # Panics
/// When the slices are not of one length.
pub fn backward<T: Real>(x: &[T], channels: usize, slope: f64, g: &mut [T]) {
    assert_eq!(x.len(), g.len(), "the gradient's extent");
    g.par_chunks_mut(ROWS * channels).zip(x.par_chunks(ROWS * channels)).for_each(|(g, x)| {
        for (g, x) in g.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            gated(x, T::of(slope), g);
            let by = scale(x);
            let mut along = T::default();
            dot(x, g, &mut along);
            // d(s·x) with s = (mean x² + ε)^-½: s·g − x·s³·mean(x·g).
            let back = by.double().powi(3) * along.double() / channels as f64;
            spread(x, by, T::of(back), g);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_comes_out_of_one_size_and_its_gradient_is_that_of_differences() {
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
