//! Activations in place, and their gradients, computed from the activations' results.

use rayon::prelude::*;

use crate::matmul::{Real, Tanh};
use crate::vectorised::vectorised;

/// Number of values per task.
const EACH: usize = 1 << 14;

vectorised! {
    fn leaky_chunk[T: Real](x: &mut [T], slope: T) {
        // Loops, here and below: a closure that is not inlined is compiled without the vectors.
        for x in x {
            *x = if *x > T::default() { *x } else { *x * slope };
        }
    }
}

/// LeakyReLU in place. `slope` applies below zero.
pub fn leaky<T: Real>(x: &mut [T], slope: f64) {
    x.par_chunks_mut(EACH).for_each(|x| leaky_chunk(x, T::of(slope)));
}

vectorised! {
    fn leaky_back[T: Real](y: &[T], g: &mut [T], slope: T) {
        let y = &y[..g.len()];
        for k in 0..g.len() {
            g[k] = if y[k] > T::default() { g[k] } else { g[k] * slope };
        }
    }
}

/// Replaces the gradient `g` of the result of LeakyReLU with that of its argument, in place. `y` is the result. `slope`
/// must not be negative.
pub fn leaky_backward<T: Real>(y: &[T], g: &mut [T], slope: f64) {
    g.par_chunks_mut(EACH).zip(y.par_chunks(EACH)).for_each(|(g, y)| {
        leaky_back(y, g, T::of(slope));
    });
}

/// tanh to two units in the last place, without branches, so that the compiler vectorises it. The polynomials for tanh
/// near zero and for e^x are those of Cephes (Moshier 1992).
#[allow(clippy::excessive_precision, reason = "the digits of Cephes")]
#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    let z = x * x;
    let near =
        ((((-5.704_988_7e-3 * z + 2.063_908_9e-2) * z - 5.373_971_6e-2) * z + 1.333_144_2e-1) * z
            - 3.333_328_2e-1)
            * z
            * x
            + x;
    // e^(-2|x|) = 2^n · e^r. For |x| above 10 the result is 1 to the last bit.
    let t = (-2.0 * x.abs()).max(-20.0);
    // Round to the nearest integer, ties to even, by adding a number so large that the sum has no fraction. SSE2 has no
    // instruction for it, and a call per value took most of the time there.
    const WHOLE: f32 = 12_582_912.0;
    let n = (t * std::f32::consts::LOG2_E + WHOLE) - WHOLE;
    let r = t - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let e = (((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r
        + 1.666_666_6e-1)
        * r
        + 5.0e-1)
        * r
        * r
        + r
        + 1.0;
    #[allow(clippy::cast_possible_truncation, reason = "n is between -29 and 0")]
    let e = e * f32::from_bits(((n as i32 + 127) << 23).cast_unsigned());
    let far = ((1.0 - e) / (1.0 + e)).copysign(x);
    // Restore a NaN, which `max` above replaces.
    let value = if x.abs() < 0.625 { near } else { far };
    if x.is_nan() { x } else { value }
}

vectorised! {
    /// tanh of float32 values in place.
    fn tanh_chunk[](x: &mut [f32]) {
        for x in x {
            *x = tanh_of(*x);
        }
    }
}

impl Tanh for f32 {
    fn tanh_all(values: &mut [f32]) {
        tanh_chunk(values);
    }
}

impl Tanh for f64 {
    fn tanh_all(values: &mut [f64]) {
        values.iter_mut().for_each(|x| *x = x.tanh());
    }
}

/// tanh in place: float32 to two units in the last place, float64 by the standard library. A NaN stays a NaN.
pub fn tanh<T: Real>(x: &mut [T]) {
    x.par_chunks_mut(EACH).for_each(tanh_here);
}

/// [`tanh`] on this thread alone.
pub fn tanh_here<T: Real>(x: &mut [T]) {
    T::tanh_all(x);
}

vectorised! {
    fn tanh_back[T: Real](y: &[T], g: &mut [T]) {
        let y = &y[..g.len()];
        for k in 0..g.len() {
            g[k] = g[k] * (T::of(1.0) - y[k] * y[k]);
        }
    }
}

/// Replaces the gradient `g` of the result of tanh with that of its argument, in place. `y` is the result.
pub fn tanh_backward<T: Real>(y: &[T], g: &mut [T]) {
    g.par_chunks_mut(EACH).zip(y.par_chunks(EACH)).for_each(|(g, y)| tanh_back(y, g));
}
