//! A depthwise convolution: every channel has a filter of its own (Howard et al. 2017, MobileNets).

use rayon::prelude::*;

use super::activation::Activation;
use super::window::{Image, Window};
use crate::conv::channel_blocks::BLOCK;
use crate::vectorised::vectorised;

/// One filter per channel, with bias and activation.
#[derive(Debug)]
pub struct Depthwise {
    /// `[row, column, channel]`: the taps of neighbouring channels side by side, as the image has them.
    filter: Vec<f32>,
    bias: Vec<f32>,
    window: Window,
    activation: Activation,
}

impl Depthwise {
    /// Reorders `filter`, which is `[bias.len(), 1, rows, columns]` in PyTorch's order.
    ///
    /// # Panics
    /// If the filter does not have that extent, or an extent or the stride is 0.
    pub fn new(filter: &[f32], bias: &[f32], window: Window, activation: Activation) -> Self {
        let (taps, channels) = (window.kernel[0] * window.kernel[1], bias.len());
        assert!(
            taps * channels * window.stride > 0,
            "the extents and the stride must be at least 1"
        );
        assert_eq!(filter.len(), channels * taps, "the filter's extent");
        let tap = |tap: usize| (0..channels).map(move |channel| filter[channel * taps + tap]);
        let filter = (0..taps).flat_map(tap).collect();
        Self { filter, bias: bias.to_vec(), window, activation }
    }

    /// Number of channels of the image and of the result.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// The taps, `[row, column, channel]`.
    pub(super) fn filter(&self) -> &[f32] {
        &self.filter
    }

    /// The window that the filters read.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Writes the activation of image ∗ filter + bias to `into`, `[height, width, channels]`, with the extent that
    /// [`Window::extent`] gives.
    ///
    /// # Panics
    /// If a slice does not have the extent that the image and the window give it.
    pub fn apply(&self, image: Image<'_>, into: &mut [f32]) {
        let n = self.channels();
        let extent = self.window.checked(image, n, (into.len(), n), n);
        into.par_chunks_mut(extent[1] * n)
            .enumerate()
            .for_each(|(i, into)| row(self, image, i, into));
    }
}

vectorised! {
    /// Computes row `i` of the result.
    fn row[](layer: &Depthwise, image: Image<'_>, i: usize, into: &mut [f32]) {
        let Depthwise { filter, bias, window, activation } = layer;
        let n = bias.len();
        // The first and the end of the window's rows or columns that lie in the image.
        let inside = |at: usize, axis: usize| {
            let first = window.padding[axis][0].saturating_sub(at * window.stride);
            let end = (image.extent[axis] + window.padding[axis][0]).saturating_sub(at * window.stride);
            (first, end.min(window.kernel[axis]))
        };
        let (top, bottom) = inside(i, 0);
        for (j, into) in into.chunks_exact_mut(n).enumerate() {
            let (left, right) = inside(j, 1);
            let mut sums = [0.0f32; BLOCK];
            for channel in (0..n).step_by(BLOCK) {
                let width = BLOCK.min(n - channel);
                sums[..width].copy_from_slice(&bias[channel..][..width]);
                for u in top..bottom {
                    let row = (i * window.stride + u - window.padding[0][0]) * image.extent[1];
                    for v in left..right {
                        let pixel = row + j * window.stride + v - window.padding[1][0];
                        let x = &image.values[pixel * n + channel..];
                        let taps = &filter[(u * window.kernel[1] + v) * n + channel..];
                        if let (Some(x), Some(taps)) = (x.first_chunk::<BLOCK>(), taps.first_chunk::<BLOCK>())
                            && width == BLOCK
                        {
                            for c in 0..BLOCK {
                                sums[c] += x[c] * taps[c];
                            }
                        } else {
                            for c in 0..width {
                                sums[c] += x[c] * taps[c];
                            }
                        }
                    }
                }
                for (into, sum) in into[channel..][..width].iter_mut().zip(&sums) {
                    *into = activation.of(*sum);
                }
            }
        }
    }
}
