//! Convolutions with any filter, stride and padding, forward only, with bias and ReLU, and pools: what a trained
//! classifier needs. The window of every pixel is laid out as a row, and the rows times the filter are the result;
//! 3 × 3 filters of stride 1 take minimal filtering instead.

use rayon::prelude::*;

use crate::gemm::{Extents, Into, Left, Out, PANEL, Right, gemm, pack};
use crate::minimal;
use crate::scratch::Buffer;
use crate::vectorised::vectorised;

/// Floats of the windows that one task lays out: they stay in the second cache.
const WINDOWS: usize = 48 << 10;
/// Fewest and most pixels of one task.
const PIXELS: (usize, usize) = (16, 96);

/// What a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Rows and columns.
    pub kernel: [usize; 2],
    /// From one pixel of the result to the next, in both directions.
    pub stride: usize,
    /// Rows and columns of zeros at each border.
    pub padding: [usize; 2],
}

impl Window {
    /// Rows and columns of the result for an image of these; `None` where the window is larger than the padded
    /// image.
    pub fn extent(&self, image: [usize; 2]) -> Option<[usize; 2]> {
        let side = |i: usize| {
            let padded = image[i] + 2 * self.padding[i];
            Some(padded.checked_sub(self.kernel[i])? / self.stride + 1)
        };
        Some([side(0)?, side(1)?])
    }

    /// The result's extent, for a result of `len` values, `row` channels per pixel, of which those below `end` are
    /// written.
    ///
    /// # Panics
    /// When image and result do not fit each other.
    fn checked(
        &self,
        image: Image<'_>,
        channels: usize,
        (len, row): (usize, usize),
        end: usize,
    ) -> [usize; 2] {
        let extent = self.extent(image.extent).expect("the window fits into the image");
        assert_eq!(image.values.len(), image.extent.iter().product::<usize>() * channels);
        assert_eq!(len, extent[0] * extent[1] * row, "the result's extent");
        assert!(end <= row, "the result's channels");
        extent
    }

    /// Whether the window of a pixel is that pixel: its row is there already.
    fn is_one_pixel(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1 && self.padding == [0, 0]
    }
}

/// A filter with its bias, laid out once for any number of images.
#[derive(Debug)]
pub struct Filter {
    form: Form,
    bias: Vec<f32>,
    channels: usize,
    window: Window,
}

/// A filter as its method reads it.
#[derive(Debug)]
enum Form {
    /// Windows times this right operand.
    Direct(Buffer<f32>),
    Minimal(minimal::Filter),
}

/// An image, channels-last.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// `[height, width, channels]`.
    pub values: &'a [f32],
    /// Rows and columns.
    pub extent: [usize; 2],
}

impl Filter {
    /// From `[bias.len(), channels, rows, columns]`, PyTorch's order.
    ///
    /// # Panics
    /// When the filter does not have that extent, or an extent or the stride is 0.
    pub fn new(filter: &[f32], bias: &[f32], channels: usize, window: Window) -> Self {
        let taps = window.kernel[0] * window.kernel[1];
        assert!(taps * channels * bias.len() * window.stride > 0, "an empty filter");
        assert_eq!(filter.len(), bias.len() * channels * taps, "the filter's extent");
        let form = if minimal::serves(window, channels) {
            Form::Minimal(minimal::Filter::new(filter, bias.len(), channels))
        } else {
            let value =
                |k: usize, n: usize| filter[(n * channels + k % channels) * taps + k / channels];
            Form::Direct(pack::<f32>(taps * channels, bias.len(), value).0)
        };
        Self { form, bias: bias.to_vec(), channels, window }
    }

    /// Channels of the result.
    pub fn channels(&self) -> usize {
        self.bias.len()
    }

    /// What the filter looks at.
    pub fn window(&self) -> Window {
        self.window
    }

    /// ReLU(image ∗ filter + bias) into the channels from `first` on of `into`, whose pixels have `row`
    /// channels each.
    ///
    /// # Panics
    /// When the slices do not have the extents that the image and the window say.
    pub fn apply(&self, image: Image<'_>, into: &mut [f32], row: usize, first: usize) {
        let n = self.channels();
        let extent = self.window.checked(image, self.channels, (into.len(), row), first + n);
        let packed = match &self.form {
            Form::Direct(packed) => packed,
            Form::Minimal(filter) => {
                return filter.apply(self.window, image, &self.bias, (into, row, first), extent);
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
                let mut windows = <f32 as crate::lane::Lane>::scratch(m * k);
                lay_out(self.window, image, self.channels, from, extent[1], &mut windows);
                let a = Left { data: &windows[..], row: k, col: 1 };
                gemm(size, a, b, &mut out, Into::Replace);
            }
            add_bias_relu(&mut into[first..], row, &self.bias);
        });
    }
}

vectorised! {
    /// The windows of the pixels from `first` on, a row each: [row, column, channel].
    fn lay_out[](
        window: Window, image: Image<'_>, channels: usize, first: usize, width: usize, into: &mut [f32],
    ) {
        let [rows, columns] = window.kernel;
        let size = rows * columns * channels;
        for (at, into) in into.chunks_exact_mut(size).enumerate() {
            let (i, j) = ((first + at) / width * window.stride, (first + at) % width * window.stride);
            // Columns of the window that lie in the image: what is outside is zero.
            let left = window.padding[1].saturating_sub(j).min(columns);
            let right = (image.extent[1] + window.padding[1]).saturating_sub(j).min(columns).max(left);
            for u in 0..rows {
                let into = &mut into[u * columns * channels..][..columns * channels];
                let inside = i + u >= window.padding[0] && i + u < image.extent[0] + window.padding[0];
                if !inside || left == right {
                    into.fill(0.0);
                    continue;
                }
                let from = (i + u - window.padding[0]) * image.extent[1] + j + left - window.padding[1];
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
    /// max(0, x + bias) in the first channels of every row; the last row may end with them.
    fn add_bias_relu[](x: &mut [f32], row: usize, bias: &[f32]) {
        let n = bias.len();
        for x in x.chunks_mut(row) {
            let x = &mut x[..n];
            for c in 0..n {
                let v = x[c] + bias[c];
                // A NaN stays one: it says that the weights are wrong.
                x[c] = if v < 0.0 { 0.0 } else { v };
            }
        }
    }
}

/// How the values of a window become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// The largest.
    Max,
    /// The mean of those that lie in the image.
    Mean,
}

/// Pools the windows of every channel into the channels from `first` on of `into`, whose pixels have `row`
/// channels each.
///
/// # Panics
/// When the slices do not have the extents that the image and the window say, or a window may lie in the padding
/// alone.
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
    assert!((0..2).all(|i| window.padding[i] < window.kernel[i]), "a window of padding alone");
    into.par_chunks_mut(extent[1] * row).enumerate().for_each(|(i, into)| {
        pool_row(pool, window, image, channels, i, into, row, first);
    });
}

vectorised! {
    fn pool_row[](
        pool: Pool, window: Window, image: Image<'_>, channels: usize, i: usize, into: &mut [f32],
        row: usize, first: usize,
    ) {
        let inside = |at: usize, axis: usize| {
            let from = (at * window.stride).saturating_sub(window.padding[axis]);
            let end = at * window.stride + window.kernel[axis];
            (from, end.saturating_sub(window.padding[axis]).min(image.extent[axis]))
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
                            // A NaN stays one, here too.
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
