//! The steps of Adam and of a moving average, each in one pass over memory.

use rayon::prelude::*;

use crate::matmul::Lane;
use crate::scratch::Buffer;
use crate::vectorised::vectorised;

/// Number of values per task.
const EACH: usize = 1 << 14;

/// The coefficients of one step of Adam (Kingma and Ba 2015), as PyTorch computes it.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// ε, which is added to the root of the second moment.
    pub epsilon: f64,
    /// The learning rate divided by the bias correction of the first moment.
    pub size: f64,
    /// The root of the bias correction of the second moment.
    pub root: f64,
}

vectorised! {
    fn adam_chunk[](
        step: Step, old: &[f32], new: &mut [f32], m: &mut [f32], v: &mut [f32], gradient: &[f32],
    ) {
        let (b1, b2) = (step.beta1 as f32, step.beta2 as f32);
        let (c1, c2) = ((1.0 - step.beta1) as f32, (1.0 - step.beta2) as f32);
        let (size, root) = (step.size as f32, step.root as f32);
        let epsilon = step.epsilon as f32;
        // Slices of equal length, so that the compiler removes the bounds checks and vectorises the loop.
        let n = old.len();
        let (new, gradient) = (&mut new[..n], &gradient[..n]);
        let (m, v) = (&mut m[..n], &mut v[..n]);
        for i in 0..n {
            m[i] = m[i] * b1 + gradient[i] * c1;
            v[i] = v[i] * b2 + gradient[i] * gradient[i] * c2;
            new[i] = old[i] - m[i] / (v[i].sqrt() / root + epsilon) * size;
        }
    }
}

/// One step of Adam: returns the values of `old` moved against their `gradient`, and updates both moments in place.
///
/// # Panics
/// If the slices differ in length.
pub fn adam(
    step: Step,
    old: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    gradient: &[f32],
) -> Buffer<f32> {
    assert!(
        [m.len(), v.len(), gradient.len()] == [old.len(); 3],
        "one value of each moment and of the gradient per parameter"
    );
    let mut new = f32::scratch(old.len());
    let chunks = new
        .par_chunks_mut(EACH)
        .zip(old.par_chunks(EACH))
        .zip(m.par_chunks_mut(EACH))
        .zip(v.par_chunks_mut(EACH))
        .zip(gradient.par_chunks(EACH));
    chunks.for_each(|((((new, old), m), v), g)| adam_chunk(step, old, new, m, v, g));
    new
}

vectorised! {
    fn lerp_chunk[](old: &[f32], new: &[f32], decay: f32, share: f32, into: &mut [f32]) {
        let n = into.len();
        let (old, new) = (&old[..n], &new[..n]);
        for i in 0..n {
            into[i] = old[i] * decay + new[i] * share;
        }
    }
}

/// The exponential moving average: old·decay + new·(1 − decay).
///
/// # Panics
/// If `old` and `new` differ in length.
pub fn lerp(old: &[f32], new: &[f32], decay: f64) -> Buffer<f32> {
    assert_eq!(old.len(), new.len(), "one new value per old value");
    let mut into = f32::scratch(old.len());
    let chunks = into.par_chunks_mut(EACH).zip(old.par_chunks(EACH)).zip(new.par_chunks(EACH));
    chunks.for_each(|((into, old), new)| {
        lerp_chunk(old, new, decay as f32, (1.0 - decay) as f32, into);
    });
    into
}
