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

/// A pixel and the tap that it meets: their first values in the image and in the filter.
pub(super) type Place = (usize, usize);

/// The sums over `places` of pixel times tap, from channel `channel` on, added to `start`. With a fixed number of channels the
/// sums stay in registers: through memory they took twice the time.
#[inline(always)]
fn sums<const N: usize>(
    places: &[Place],
    [pixels, filter]: [&[f32]; 2],
    channel: usize,
    start: [f32; N],
) -> [f32; N] {
    let mut sums = start;
    for (pixel, tap) in places {
        let x = pixels[pixel + channel..].first_chunk::<N>();
        let taps = filter[tap + channel..].first_chunk::<N>();
        let (Some(x), Some(taps)) = (x, taps) else { unreachable!("every pixel has all channels") };
        for c in 0..N {
            sums[c] += x[c] * taps[c];
        }
    }
    sums
}

/// Writes the activation of the sums over `places` of pixel times tap, and of `start` if there is one, to the channels `into`.
#[inline(always)]
pub(super) fn all_channels(
    places: &[Place],
    of: [&[f32]; 2],
    start: Option<&[f32]>,
    activation: Activation,
    into: &mut [f32],
) {
    #[inline(always)]
    fn some<const N: usize>(
        (places, of, start): (&[Place], [&[f32]; 2], Option<&[f32]>),
        activation: Activation,
        mut channel: usize,
        into: &mut [f32],
    ) -> usize {
        while let Some(into) = into[channel..].first_chunk_mut::<N>() {
            let first = start.and_then(|start| start[channel..].first_chunk::<N>());
            let sums = sums(places, of, channel, first.copied().unwrap_or([0.0; N]));
            for c in 0..N {
                into[c] = activation.of(sums[c]);
            }
            channel += N;
        }
        channel
    }
    let of = (places, of, start);
    let channel = some::<{ 2 * BLOCK }>(of, activation, 0, into);
    let channel = some::<BLOCK>(of, activation, channel, into);
    some::<1>(of, activation, channel, into);
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
        let mut places = Vec::with_capacity(window.kernel[0] * window.kernel[1]);
        for (j, into) in into.chunks_exact_mut(n).enumerate() {
            let (left, right) = inside(j, 1);
            places.clear();
            for u in top..bottom {
                let row = (i * window.stride + u - window.padding[0][0]) * image.extent[1];
                for v in left..right {
                    let pixel = row + j * window.stride + v - window.padding[1][0];
                    places.push((pixel * n, (u * window.kernel[1] + v) * n));
                }
            }
            all_channels(&places, [image.values, filter], Some(bias), *activation, into);
        }
    }
}
