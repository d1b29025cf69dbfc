//! Pools of any window.

use rayon::prelude::*;

use super::window::{Image, Window};
use crate::vectorised::vectorised;

/// How a pool reduces the values of a window to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The maximum.
    Max,
    /// The mean of the values that lie in the image.
    Mean,
}

/// Pools the windows of every channel to the channels of `into` that start at `first`. `into` is `[height, width, row]`,
/// with the extent that [`Window::extent`] gives.
///
/// # Panics
/// If a slice does not have the extent that the image and the window give it, or the padding is so large that a window
/// may lie outside the image.
pub fn pool(
    pool: Pool,
    window: Window,
    image: Image<'_>,
    channels: usize,
    into: &mut [f32],
    row: usize,
    first: usize,
) {
    let extent = window.checked(image, channels, (into.len(), row), first + channels);
    assert!(
        (0..2).all(|i| window.padding[i].iter().all(|zeros| *zeros < window.kernel[i])),
        "the padding must be smaller than the window"
    );
    into.par_chunks_mut(extent[1] * row).enumerate().for_each(|(i, into)| {
        pool_row(pool, window, image, channels, i, into, row, first);
    });
}

vectorised! {
    /// Pools the windows of row `i` of the result.
    fn pool_row[](
        pool: Pool, window: Window, image: Image<'_>, channels: usize, i: usize, into: &mut [f32],
        row: usize, first: usize,
    ) {
        let inside = |at: usize, axis: usize| {
            let from = (at * window.stride).saturating_sub(window.padding[axis][0]);
            let end = at * window.stride + window.kernel[axis];
            (from, end.saturating_sub(window.padding[axis][0]).min(image.extent[axis]))
        };
        let (top, bottom) = inside(i, 0);
        for (j, into) in into.chunks_exact_mut(row).enumerate() {
            let (left, right) = inside(j, 1);
            let into = &mut into[first..][..channels];
            into.fill(if pool == Pool::Max { f32::NEG_INFINITY } else { 0.0 });
            for r in top..bottom {
                for c in left..right {
                    let values = &image.values[(r * image.extent[1] + c) * channels..][..channels];
                    if pool == Pool::Max {
                        for k in 0..channels {
                            // A NaN stays a NaN, as in `Activation`.
                            let larger = values[k] > into[k] || values[k].is_nan();
                            into[k] = if larger { values[k] } else { into[k] };
                        }
                    } else {
                        for k in 0..channels {
                            into[k] += values[k];
                        }
                    }
                }
            }
            if pool == Pool::Mean {
                let share = 1.0 / ((bottom - top) * (right - left)) as f32;
                for k in 0..channels {
                    into[k] *= share;
                }
            }
        }
    }
}
