//! The gradients of an image, from those of the result of a convolution without its activation.

use rayon::prelude::*;

use super::activation::Activation;
use super::depthwise::{Depthwise, all_channels};
use super::window::{Image, Window};
use crate::vectorised::vectorised;

/// The transpose of a convolution with few channels, such as the first of a network.
#[derive(Debug)]
pub struct Transposed {
    /// `[row, column, image channel, result channel]`.
    filter: Vec<f32>,
    /// Channels of the image, and of the result.
    channels: [usize; 2],
    window: Window,
}

impl Transposed {
    /// Reorders `filter`, which is `[channels[1], channels[0], rows, columns]` in PyTorch's order.
    ///
    /// # Panics
    /// If the filter does not have that extent, or an extent or the stride is 0.
    pub fn new(filter: &[f32], channels: [usize; 2], window: Window) -> Self {
        let taps = window.kernel[0] * window.kernel[1];
        let [of_image, of_result] = channels;
        assert!(
            taps * of_image * of_result * window.stride > 0,
            "the extents and the stride must be at least 1"
        );
        assert_eq!(filter.len(), taps * of_image * of_result, "the filter's extent");
        let value = |at: usize| {
            let (tap, rest) = (at / (of_image * of_result), at % (of_image * of_result));
            let (c, n) = (rest / of_result, rest % of_result);
            filter[(n * of_image + c) * taps + tap]
        };
        Self { filter: (0..filter.len()).map(value).collect(), channels, window }
    }

    /// Writes the gradient of the image to `into`, `[height, width, channels]`, whose extent is `extent`.
    ///
    /// # Panics
    /// If a slice does not have the extent that the image and the window give it.
    pub fn apply(&self, gradient: Image<'_>, extent: [usize; 2], into: &mut [f32]) {
        let [of_image, of_result] = self.channels;
        check(self.window, gradient, [of_result, of_image], extent, into);
        into.par_chunks_mut(extent[1] * of_image)
            .enumerate()
            .for_each(|(i, into)| dense_row(self, gradient, i, into));
    }
}

impl Depthwise {
    /// Writes the gradient of the image to `into`, `[height, width, channels]`, whose extent is `extent`. `gradient` is
    /// that of image ∗ filter, before the activation.
    ///
    /// # Panics
    /// If a slice does not have the extent that the image and the window give it.
    pub fn apply_transposed(&self, gradient: Image<'_>, extent: [usize; 2], into: &mut [f32]) {
        let n = self.channels();
        check(self.window(), gradient, [n, n], extent, into);
        into.par_chunks_mut(extent[1] * n)
            .enumerate()
            .for_each(|(i, into)| depthwise_row(self, gradient, i, into));
    }
}

/// Checks the extents of a gradient with `channels[0]` and of an image with `channels[1]` channels.
fn check(
    window: Window,
    gradient: Image<'_>,
    channels: [usize; 2],
    extent: [usize; 2],
    into: &[f32],
) {
    assert_eq!(window.extent(extent), Some(gradient.extent), "the gradient's extent");
    let values = gradient.extent.iter().product::<usize>() * channels[0];
    assert_eq!(gradient.values.len(), values, "the gradient's values");
    assert_eq!(into.len(), extent.iter().product::<usize>() * channels[1], "the image's extent");
}

/// The row or column of the result that tap `tap` of its window connects with row or column `at` of the image.
#[inline(always)]
fn source(window: Window, axis: usize, at: usize, tap: usize, extent: usize) -> Option<usize> {
    let from = (at + window.padding[axis][0]).checked_sub(tap)?;
    let source = from / window.stride;
    (from.is_multiple_of(window.stride) && source < extent).then_some(source)
}

vectorised! {
    /// Computes row `i` of the image's gradient.
    fn dense_row[](layer: &Transposed, gradient: Image<'_>, i: usize, into: &mut [f32]) {
        let Transposed { filter, channels, window } = layer;
        let [of_image, of_result] = *channels;
        into.fill(0.0);
        for (j, into) in into.chunks_exact_mut(of_image).enumerate() {
            for u in 0..window.kernel[0] {
                let Some(row) = source(*window, 0, i, u, gradient.extent[0]) else { continue };
                for v in 0..window.kernel[1] {
                    let Some(column) = source(*window, 1, j, v, gradient.extent[1]) else { continue };
                    let at = (row * gradient.extent[1] + column) * of_result;
                    let g = &gradient.values[at..][..of_result];
                    let taps = &filter[(u * window.kernel[1] + v) * of_image * of_result..];
                    for (into, taps) in into.iter_mut().zip(taps.chunks_exact(of_result)) {
                        *into += dot(g, taps);
                    }
                }
            }
        }
    }
}

/// The dot product in eight sums, which the compiler computes at once.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

vectorised! {
    /// Computes row `i` of the image's gradient.
    fn depthwise_row[](layer: &Depthwise, gradient: Image<'_>, i: usize, into: &mut [f32]) {
        let (filter, window, n) = (layer.filter(), layer.window(), layer.channels());
        let mut places = Vec::with_capacity(window.kernel[0] * window.kernel[1]);
        for (j, into) in into.chunks_exact_mut(n).enumerate() {
            places.clear();
            for u in 0..window.kernel[0] {
                let Some(row) = source(window, 0, i, u, gradient.extent[0]) else { continue };
                for v in 0..window.kernel[1] {
                    let Some(column) = source(window, 1, j, v, gradient.extent[1]) else { continue };
                    places.push(((row * gradient.extent[1] + column) * n, (u * window.kernel[1] + v) * n));
                }
            }
            all_channels(&places, [gradient.values, filter], None, Activation::Identity, into);
        }
    }
}
