//! A convolution of any window with its bias and activation.

use rayon::prelude::*;

use super::activation::Activation;
use super::window::{Image, Window};
use super::winograd_3x3;
use crate::matmul::{Extents, Into, Lane, Left, Out, PANEL, Pair, Right, gemm, pack};
use crate::scratch::Buffer;
use crate::vectorised::vectorised;

/// Number of floats in the windows that one task copies. They stay in the L2 cache.
const WINDOWS: usize = 48 << 10;
/// Minimum and maximum number of pixels per task.
const PIXELS: (usize, usize) = (16, 96);

/// A filter with its bias, packed once for any number of images.
#[derive(Debug)]
pub struct Filter {
    form: Form,
    bias: Vec<f32>,
    channels: usize,
    window: Window,
    activation: Activation,
}

/// A filter in the order in which its method reads it.
#[derive(Debug)]
enum Form {
    /// The right operand of a product with windows as rows.
    Direct(Buffer<f32>),
    /// The same in bfloat16, and the number of lanes in a row; windows of one pixel only.
    Pairs(Buffer<Pair>, usize),
    /// The nodes of minimal filtering.
    Winograd(winograd_3x3::Filter),
}

impl Filter {
    /// Packs `filter`, which is `[bias.len(), channels, rows, columns]` in PyTorch's order.
    ///
    /// # Panics
    /// If the filter does not have that extent, or an extent or the stride is 0.
    pub fn new(
        filter: &[f32],
        bias: &[f32],
        channels: usize,
        window: Window,
        activation: Activation,
    ) -> Self {
        let taps = window.kernel[0] * window.kernel[1];
        assert!(
            taps * channels * bias.len() * window.stride > 0,
            "the extents and the stride must be at least 1"
        );
        assert_eq!(filter.len(), bias.len() * channels * taps, "the filter's extent");
        let form = if winograd_3x3::serves(window, channels) {
            Form::Winograd(winograd_3x3::Filter::new(filter, bias.len(), channels))
        } else {
            let value =
                |k: usize, n: usize| filter[(n * channels + k % channels) * taps + k / channels];
            Form::Direct(pack::<f32>(taps * channels, bias.len(), value).0)
        };
        Self { form, bias: bias.to_vec(), channels, window, activation }
    }

    /// As [`Filter::new`] for a window of one pixel, with products in bfloat16 that are summed in float32. On a CPU without such
    /// products it is slower than [`Filter::new`].
    ///
    /// # Panics
    /// If the filter does not have its extent, or an extent is 0.
    pub fn of_pixels_in_bf16(
        filter: &[f32],
        bias: &[f32],
        channels: usize,
        activation: Activation,
    ) -> Self {
        assert!(channels * bias.len() > 0, "the extents must be at least 1");
        assert_eq!(filter.len(), bias.len() * channels, "the filter's extent");
        let (packed, lanes) = pack::<Pair>(channels, bias.len(), |k, n| filter[n * channels + k]);
        let window = Window::symmetric([1; 2], 1, [0; 2]);
        let form = Form::Pairs(packed, lanes);
        Self { form, bias: bias.to_vec(), channels, window, activation }
    }

    /// Number of channels of the result.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// The window that the filter reads.
    pub fn window(&self) -> Window {
        self.window
    }

    /// Writes the activation of image ∗ filter + bias to the channels of `into` that start at `first`. `into` is
    /// `[height, width, row]`, with the extent that [`Window::extent`] gives.
    ///
    /// # Panics
    /// If a slice does not have the extent that the image and the window give it.
    pub fn apply(&self, image: Image<'_>, into: &mut [f32], row: usize, first: usize) {
        let n = self.channels();
        let extent = self.window.checked(image, self.channels, (into.len(), row), first + n);
        let packed = match &self.form {
            Form::Direct(packed) => packed,
            Form::Pairs(packed, lanes) => {
                return self.apply_pairs((packed, *lanes), image, into, row, first);
            }
            Form::Winograd(filter) => {
                let end = (&self.bias[..], self.activation);
                return filter.apply(self.window, image, end, (into, row, first), extent);
            }
        };
        let k = self.window.kernel[0] * self.window.kernel[1] * self.channels;
        let b = Right { data: &packed[..], panel: k * PANEL, row: PANEL };
        let each = (WINDOWS / k).clamp(PIXELS.0, PIXELS.1);
        into.par_chunks_mut(each * row).enumerate().for_each(|(task, into)| {
            let (from, m) = (task * each, into.len() / row);
            let size = Extents { m, n, k };
            let mut out = Out { data: &mut into[first..], row };
            if self.window.is_one_pixel() {
                let a = Left { data: &image.values[from * k..], row: k, col: 1 };
                gemm(size, a, b, &mut out, Into::Replace);
            } else {
                let mut windows = <f32 as Lane>::scratch(m * k);
                copy_windows(self.window, image, self.channels, from, extent[1], &mut windows);
                let a = Left { data: &windows[..], row: k, col: 1 };
                gemm(size, a, b, &mut out, Into::Replace);
            }
            add_bias(&mut into[first..], row, &self.bias, self.activation);
        });
    }

    /// As [`Filter::apply`], with products in bfloat16.
    fn apply_pairs(
        &self,
        (packed, lanes): (&[Pair], usize),
        image: Image<'_>,
        into: &mut [f32],
        row: usize,
        first: usize,
    ) {
        let (n, k) = (self.channels(), self.channels);
        let b = Right { data: packed, panel: lanes * PANEL, row: PANEL };
        let each = (WINDOWS / k).clamp(PIXELS.0, PIXELS.1);
        into.par_chunks_mut(each * row).enumerate().for_each(|(task, into)| {
            let m = into.len() / row;
            let mut pairs = Pair::scratch(m * lanes);
            pack_pixels(&image.values[task * each * k..][..m * k], k, &mut pairs, lanes);
            let a = Left { data: &pairs[..], row: lanes, col: 1 };
            let mut out = Out { data: &mut into[first..], row };
            gemm(Extents { m, n, k: lanes }, a, b, &mut out, Into::Replace);
            add_bias(&mut into[first..], row, &self.bias, self.activation);
        });
    }
}

vectorised! {
    /// Packs pixels of `k` channels to rows of `lanes` pairs.
    fn pack_pixels[](from: &[f32], k: usize, into: &mut [Pair], lanes: usize) {
        for (from, into) in from.chunks_exact(k).zip(into.chunks_exact_mut(lanes)) {
            Pair::pack_row(from, into);
        }
    }
}

vectorised! {
    /// Copies the windows of the pixels from `first` on, one row per pixel: `[row, column, channel]`.
    fn copy_windows[](
        window: Window, image: Image<'_>, channels: usize, first: usize, width: usize, into: &mut [f32],
    ) {
        let [rows, columns] = window.kernel;
        let size = rows * columns * channels;
        for (at, into) in into.chunks_exact_mut(size).enumerate() {
            let (i, j) = ((first + at) / width * window.stride, (first + at) % width * window.stride);
            // Columns of the window that lie in the image. The others are zero.
            let left = window.padding[1][0].saturating_sub(j).min(columns);
            let right = (image.extent[1] + window.padding[1][0]).saturating_sub(j).min(columns).max(left);
            for u in 0..rows {
                let into = &mut into[u * columns * channels..][..columns * channels];
                let inside = i + u >= window.padding[0][0] && i + u < image.extent[0] + window.padding[0][0];
                if !inside || left == right {
                    into.fill(0.0);
                    continue;
                }
                let from = (i + u - window.padding[0][0]) * image.extent[1] + j + left - window.padding[1][0];
                let from = from * channels;
                let values = &image.values[from..][..(right - left) * channels];
                into[..left * channels].fill(0.0);
                into[left * channels..][..values.len()].copy_from_slice(values);
                into[right * channels..].fill(0.0);
            }
        }
    }
}

vectorised! {
    /// The activation of x + bias in the first channels of every row. The last row may end with those channels.
    fn add_bias[](x: &mut [f32], row: usize, bias: &[f32], activation: Activation) {
        let n = bias.len();
        for x in x.chunks_mut(row) {
            let x = &mut x[..n];
            for c in 0..n {
                x[c] = activation.of(x[c] + bias[c]);
            }
        }
    }
}
