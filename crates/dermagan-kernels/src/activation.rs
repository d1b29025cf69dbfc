//! Activations on their own, in place, with gradients from their results.

use rayon::prelude::*;

use crate::lane::Real;
use crate::vectorised::vectorised;

/// Values that one task takes.
const EACH: usize = 1 << 14;

vectorised! {
    fn leaky_chunk[T: Real](x: &mut [T], slope: T) {
        // A loop here and below: a closure that is not inlined is compiled without these vectors.
        for x in x {
            *x = if *x > T::default() { *x } else { *x * slope };
        }
    }
}

/// LeakyReLU in place.
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

/// From the gradient of LeakyReLU's result to that of its argument, in place. `y` is the result;
/// `slope` is not negative.
pub fn leaky_backward<T: Real>(y: &[T], g: &mut [T], slope: f64) {
    g.par_chunks_mut(EACH).zip(y.par_chunks(EACH)).for_each(|(g, y)| {
        leaky_back(y, g, T::of(slope));
    });
}

#[allow(clippy::excessive_precision, reason = "Cephes' own digits")]
/// tanh to two units in the last place, without a branch: the compiler makes vectors of it. The
/// polynomials are Cephes' (Moshier 1992), for tanh near zero and for e^x.
#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    let z = x * x;
    let near =
        ((((-5.704_988_7e-3 * z + 2.063_908_9e-2) * z - 5.373_971_6e-2) * z + 1.333_144_2e-1) * z
            - 3.333_328_2e-1)
            * z
            * x
            + x;
    // e^(-2|x|) = 2^n · e^r; beyond 10 the result is 1 to the last bit.
    let t = (-2.0 * x.abs()).max(-20.0);
    // To the nearest whole number, ties to even, by a sum that holds no fractions: SSE2 has no instruction
    // for it, and a call for each value took most of the time there.
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
    // A NaN is neither near nor far, and `max` above would have swallowed it.
    let value = if x.abs() < 0.625 { near } else { far };
    if x.is_nan() { x } else { value }
}

vectorised! {
    /// tanh of single floats.
    pub(crate) fn tanh_chunk[](x: &mut [f32]) {
        for x in x {
            *x = tanh_of(*x);
        }
    }
}

/// tanh in place. A NaN stays one.
pub fn tanh<T: Real>(x: &mut [T]) {
    x.par_chunks_mut(EACH).for_each(tanh_here);
}

/// The same on this thread.
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

/// From the gradient of tanh's result to that of its argument, in place. `y` is the result.
pub fn tanh_backward<T: Real>(y: &[T], g: &mut [T]) {
    g.par_chunks_mut(EACH).zip(y.par_chunks(EACH)).for_each(|(g, y)| tanh_back(y, g));
}
