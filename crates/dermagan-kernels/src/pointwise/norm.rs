//! Batch normalisation followed by its activation, channels-last, in as few passes over memory as the formulas allow:
//! one for the statistics, one for the result, two for the gradient.

use rayon::prelude::*;

use crate::matmul::Real;
use crate::vectorised::vectorised;

/// Number of rows that are summed at once. It is fixed, so that sums do not depend on the number of threads, and small
/// enough for the rows to be still in the cache when their variance is computed.
const ROWS: usize = 128;

/// Mean and biased variance of each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments<T> {
    /// Mean, `[channels]`.
    pub mean: Vec<T>,
    /// Biased variance (divided by n), `[channels]`.
    pub var: Vec<T>,
}

/// The scale, shift and activation of a normalisation: y = act((x − mean)·γ/√(var + ε) + β), with act(v) = v above zero
/// and slope·v below.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a, T> {
    /// γ, `[channels]`.
    pub gamma: &'a [T],
    /// β, `[channels]`.
    pub beta: &'a [T],
    /// ε, which is added to the variance.
    pub epsilon: f64,
    /// Slope below zero: 0 for ReLU, 1 for no activation.
    pub slope: f64,
}

vectorised! {
    /// The mean of a block, and the sum of squared deviations from it, per channel.
    fn block_moments[T: Real](rows: &[T], channels: usize, mean: &mut [T], spread: &mut [T]) {
        // Slices of equal length, here and below, so that the compiler removes the bounds checks and vectorises the
        // loop. With the checks, `reduce` took a tenth of a training step.
        let (mean, spread) = (&mut mean[..channels], &mut spread[..channels]);
        mean.fill(T::default());
        spread.fill(T::default());
        for row in rows.chunks_exact(channels) {
            let row = &row[..channels];
            for c in 0..channels {
                mean[c] += row[c];
            }
        }
        let share = T::of(1.0 / (rows.len() / channels) as f64);
        for c in 0..channels {
            mean[c] = mean[c] * share;
        }
        for row in rows.chunks_exact(channels) {
            let row = &row[..channels];
            for c in 0..channels {
                let d = row[c] - mean[c];
                spread[c] += d * d;
            }
        }
    }
}

/// The moments of `x`, `[rows, channels]`. Blocks are combined in order and in double precision (Chan, Golub and LeVeque
/// 1983), so a mean far from zero costs no digits.
pub fn moments<T: Real>(x: &[T], channels: usize) -> Moments<T> {
    let blocks: Vec<(usize, Vec<T>, Vec<T>)> = x
        .par_chunks(ROWS * channels)
        .map(|rows| {
            let (mut mean, mut spread) =
                (vec![T::default(); channels], vec![T::default(); channels]);
            block_moments(rows, channels, &mut mean, &mut spread);
            (rows.len() / channels, mean, spread)
        })
        .collect();
    let total = (x.len() / channels).max(1) as f64;
    let mut mean = vec![0.0; channels];
    for (n, block, _) in &blocks {
        mean.iter_mut().zip(block).for_each(|(m, b)| *m += *n as f64 / total * b.double());
    }
    let mut var = vec![0.0; channels];
    for (n, block, spread) in &blocks {
        for (((v, b), s), m) in var.iter_mut().zip(block).zip(spread).zip(&mean) {
            let d = b.double() - m;
            *v += (s.double() + *n as f64 * d * d) / total;
        }
    }
    let real = |values: Vec<f64>| values.into_iter().map(T::of).collect();
    Moments { mean: real(mean), var: real(var) }
}

/// A normalisation by known moments, folded to one factor and one offset per channel, with its activation:
/// y = act(x·factor + offset).
#[derive(Clone, Debug)]
pub struct FoldedNorm<T> {
    factor: Vec<T>,
    offset: Vec<T>,
    slope: T,
}

impl<T: Real> FoldedNorm<T> {
    /// Folds `moments` and `affine`.
    pub fn new(moments: &Moments<T>, affine: &Affine<'_, T>) -> Self {
        let both = moments.mean.iter().zip(&moments.var).zip(affine.gamma.iter().zip(affine.beta));
        let (factor, offset) = both
            .map(|((mean, var), (gamma, beta))| {
                let factor = gamma.double() / (var.double() + affine.epsilon).sqrt();
                (T::of(factor), T::of(beta.double() - mean.double() * factor))
            })
            .unzip();
        Self { factor, offset, slope: T::of(affine.slope) }
    }

    /// Normalises and activates `x`, `[rows, channels]`, in place on this thread.
    pub fn apply_to(&self, x: &mut [T]) {
        apply_here(x, &self.factor, &self.offset, self.slope);
    }
}

/// One normalised and activated value.
#[inline(always)]
fn value<T: Real>(x: T, factor: T, offset: T, slope: T) -> T {
    let v = x * factor + offset;
    if v > T::default() { v } else { v * slope }
}

vectorised! {
    fn apply_here[T: Real](x: &mut [T], factor: &[T], offset: &[T], slope: T) {
        let channels = factor.len();
        let offset = &offset[..channels];
        for x in x.chunks_exact_mut(channels) {
            let x = &mut x[..channels];
            for c in 0..channels {
                x[c] = value(x[c], factor[c], offset[c], slope);
            }
        }
    }
}

vectorised! {
    fn apply[T: Real](x: &[T], factor: &[T], offset: &[T], slope: T, y: &mut [T]) {
        let channels = factor.len();
        let offset = &offset[..channels];
        for (x, y) in x.chunks_exact(channels).zip(y.chunks_exact_mut(channels)) {
            let (x, y) = (&x[..channels], &mut y[..channels]);
            for c in 0..channels {
                y[c] = value(x[c], factor[c], offset[c], slope);
            }
        }
    }
}

/// Normalises `x`, `[rows, channels]`, by `moments`, applies the activation, and writes the result to `y`.
///
/// # Panics
/// If `x` and `y` differ in length.
pub fn forward<T: Real>(x: &[T], moments: &Moments<T>, affine: &Affine<'_, T>, y: &mut [T]) {
    let FoldedNorm { factor, offset, slope } = FoldedNorm::new(moments, affine);
    assert_eq!(x.len(), y.len(), "the result's extent");
    let each = ROWS * factor.len();
    y.par_chunks_mut(each).zip(x.par_chunks(each)).for_each(|(y, x)| {
        apply(x, &factor, &offset, slope, y);
    });
}

/// The gradients of the parameters, as [`backward`] returns them.
#[derive(Clone, Debug)]
pub struct Gradients<T> {
    /// Gradient of γ, `[channels]`.
    pub gamma: Vec<T>,
    /// Gradient of β, `[channels]`.
    pub beta: Vec<T>,
}

vectorised! {
    /// The sums of g' and of g'·x̂ per channel, where g' is the gradient before the activation. `affine` holds the
    /// factor and offset of [`FoldedNorm`]; `hat` holds scale and shift, with x̂ = x·scale + shift.
    fn reduce[T: Real](
        x: &[T], g: &[T], affine: [&[T]; 2], hat: [&[T]; 2], slope: T, sums: [&mut [T]; 2],
    ) {
        let [plain, with_x] = sums;
        let channels = plain.len();
        let [factor, offset] = affine.map(|of| &of[..channels]);
        let [scale, shift] = hat.map(|of| &of[..channels]);
        let (plain, with_x) = (&mut plain[..channels], &mut with_x[..channels]);
        plain.fill(T::default());
        with_x.fill(T::default());
        for (x, g) in x.chunks_exact(channels).zip(g.chunks_exact(channels)) {
            let (x, g) = (&x[..channels], &g[..channels]);
            for c in 0..channels {
                let v = x[c] * factor[c] + offset[c];
                let g = if v > T::default() { g[c] } else { g[c] * slope };
                plain[c] += g;
                with_x[c] += g * (x[c] * scale[c] + shift[c]);
            }
        }
    }
}

vectorised! {
    /// dx = g'·factor − p − q·x, where `terms` holds p and q, and `affine` is that of [`reduce`].
    fn spread[T: Real](
        x: &[T], g: &[T], affine: [&[T]; 2], terms: [&[T]; 2], slope: T, dx: &mut [T],
    ) {
        let channels = affine[0].len();
        let [factor, offset] = affine.map(|of| &of[..channels]);
        let [p, q] = terms.map(|of| &of[..channels]);
        let rows = x.chunks_exact(channels).zip(g.chunks_exact(channels));
        for ((x, g), dx) in rows.zip(dx.chunks_exact_mut(channels)) {
            let (x, g, dx) = (&x[..channels], &g[..channels], &mut dx[..channels]);
            for c in 0..channels {
                let v = x[c] * factor[c] + offset[c];
                let g = if v > T::default() { g[c] } else { g[c] * slope };
                dx[c] = g * factor[c] - p[c] - q[c] * x[c];
            }
        }
    }
}

/// Gradients through the activation and the normalisation by the batch's own moments. `g` is the gradient of the result;
/// the gradient of `x` is written to `dx`. All three are `[rows, channels]`.
///
/// # Panics
/// If `x`, `g` and `dx` differ in length.
pub fn backward<T: Real>(
    x: &[T],
    g: &[T],
    moments: &Moments<T>,
    affine: &Affine<'_, T>,
    dx: &mut [T],
) -> Gradients<T> {
    let channels = moments.mean.len();
    assert!([g.len(), dx.len()] == [x.len(); 2], "the gradients' extents");
    let FoldedNorm { factor, offset, slope } = FoldedNorm::new(moments, affine);
    let inverse: Vec<f64> =
        moments.var.iter().map(|v| 1.0 / (v.double() + affine.epsilon).sqrt()).collect();
    // x̂ = x·scale + shift.
    let scale: Vec<T> = inverse.iter().map(|i| T::of(*i)).collect();
    let shift: Vec<T> =
        inverse.iter().zip(&moments.mean).map(|(i, m)| T::of(-i * m.double())).collect();
    let each = ROWS * channels;
    let blocks: Vec<(Vec<T>, Vec<T>)> = x
        .par_chunks(each)
        .zip(g.par_chunks(each))
        .map(|(x, g)| {
            let (mut plain, mut with_x) =
                (vec![T::default(); channels], vec![T::default(); channels]);
            let sums = [&mut plain[..], &mut with_x[..]];
            reduce(x, g, [&factor, &offset], [&scale, &shift], slope, sums);
            (plain, with_x)
        })
        .collect();
    let (mut beta, mut gamma) = (vec![0.0; channels], vec![0.0; channels]);
    for (plain, with_x) in &blocks {
        beta.iter_mut().zip(plain).for_each(|(sum, v)| *sum += v.double());
        gamma.iter_mut().zip(with_x).for_each(|(sum, v)| *sum += v.double());
    }
    // dx = γ/σ · (g' − mean(g') − x̂·mean(g'x̂)), with x̂ = (x − mean)/σ expanded.
    let n = (x.len() / channels).max(1) as f64;
    let (mut p, mut q) = (Vec::with_capacity(channels), Vec::with_capacity(channels));
    for c in 0..channels {
        let outer = factor[c].double();
        let slope = outer * gamma[c] / n * inverse[c];
        p.push(T::of(outer * beta[c] / n - slope * moments.mean[c].double()));
        q.push(T::of(slope));
    }
    dx.par_chunks_mut(each)
        .zip(x.par_chunks(each).zip(g.par_chunks(each)))
        .for_each(|(dx, (x, g))| spread(x, g, [&factor, &offset], [&p, &q], slope, dx));
    let real = |values: Vec<f64>| values.into_iter().map(T::of).collect();
    Gradients { gamma: real(gamma), beta: real(beta) }
}
