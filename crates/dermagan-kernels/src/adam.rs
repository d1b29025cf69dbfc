//! The optimiser's and the average's arithmetic, in one pass over memory each.

use rayon::prelude::*;

use crate::lane::Lane;
use crate::scratch::Buffer;
use crate::vectorised::vectorised;

/// Values that one task takes.
const EACH: usize = 1 << 14;

/// The numbers of one Adam step (Kingma and Ba 2015), as PyTorch computes it.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// The learning rate over the first moment's bias correction.
    pub size: f64,
    /// The root of the second moment's bias correction.
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
        // Of one length, so that the loop checks no index and becomes vectors.
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

/// The value moved against its gradient. Updates both moments in place.
pub fn adam(
    step: Step,
    old: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    gradient: &[f32],
) -> Buffer<f32> {
    assert!(
        [m.len(), v.len(), gradient.len()] == [old.len(); 3],
        "one moment and gradient a value"
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

/// old·decay + new·(1 − decay).
pub fn lerp(old: &[f32], new: &[f32], decay: f64) -> Buffer<f32> {
    assert_eq!(old.len(), new.len(), "one new value for every old");
    let mut into = f32::scratch(old.len());
    let chunks = into.par_chunks_mut(EACH).zip(old.par_chunks(EACH)).zip(new.par_chunks(EACH));
    chunks.for_each(|((into, old), new)| {
        lerp_chunk(old, new, decay as f32, (1.0 - decay) as f32, into);
    });
    into
}
