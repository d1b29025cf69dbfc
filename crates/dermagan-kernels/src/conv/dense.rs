//! The layers between the 4 × 4 image and one pixel. Their filter covers the whole image.

use rayon::prelude::*;

use super::shape::{Finish, TAPS, filter_index};
use crate::matmul::{Extents, Into, Lane, Left, Out, PANEL, Real, Right, gemm, pack};
use crate::scratch::Buffer;

/// Extents of a 4 × 4 filter with stride 1 and no padding, between the large image `[batch, 4, 4, wide]` and the pixel
/// `[batch, deep]`. The filter is `[deep, wide, 4, 4]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Number of images.
    pub batch: usize,
    /// Number of channels of the 4 × 4 image.
    pub wide: usize,
    /// Number of channels of the pixel.
    pub deep: usize,
}

impl Dense {
    /// Number of values of one large image.
    pub fn large(&self) -> usize {
        TAPS * self.wide
    }

    /// Panics unless the slices have these extents.
    fn check(&self, large: usize, small: usize, filter: usize) {
        assert_eq!(large, self.batch * self.large(), "the large image's extent");
        assert_eq!(small, self.batch * self.deep, "the pixel's extent");
        assert_eq!(filter, self.deep * self.large(), "the filter's extent");
    }
}

/// Number of images, or of rows of the filter, per task.
const EACH: usize = 12;

/// The convolution: small = large ∗ filter. `large` is `[batch, 4, 4, wide]`, `filter` is `[deep, wide, 4, 4]`, and the
/// result is `[batch, deep]`.
///
/// # Panics
/// If a slice does not have the extent that `shape` gives it.
pub fn down<T: Real>(shape: &Dense, large: &[T], filter: &[T]) -> Buffer<T> {
    let mut small = T::scratch(shape.batch * shape.deep);
    shape.check(large.len(), small.len(), filter.len());
    let (n, k) = (shape.deep, shape.large());
    let (b, _) = pack::<T>(k, n, |k, o| filter[filter_index(shape.wide, k, o)]);
    let tasks = small.par_chunks_mut(EACH * n).zip(large.par_chunks(EACH * k));
    tasks.for_each(|(small, large)| {
        let a = Left { data: large, row: k, col: 1 };
        let b = Right { data: &b[..], panel: k * PANEL, row: PANEL };
        let m = small.len() / n;
        gemm(Extents { m, n, k }, a, b, &mut Out { data: small, row: n }, Into::Replace);
    });
    small
}

/// A filter for [`up`], packed once for any number of batches.
#[derive(Debug)]
pub struct UpFilter<T: 'static>(Buffer<T>);

impl<T: Real> UpFilter<T> {
    /// Packs a filter `[deep, wide, 4, 4]`.
    ///
    /// # Panics
    /// If the filter does not have the extent that `shape` gives it.
    pub fn new(shape: &Dense, filter: &[T]) -> Self {
        let (n, k) = (shape.large(), shape.deep);
        assert_eq!(filter.len(), k * n, "the filter's extent");
        Self(pack::<T>(k, n, |o, k| filter[filter_index(shape.wide, k, o)]).0)
    }

    /// Computes [`up`], and applies `finish` to whole images while they are in the cache. `shape` is the one that the
    /// filter was packed for, with any batch size.
    ///
    /// # Panics
    /// If `small` does not have the extent that `shape` gives it.
    pub fn apply(&self, shape: &Dense, small: &[T], finish: Finish<'_, T>) -> Buffer<T> {
        let mut large = T::scratch(shape.batch * shape.large());
        let (n, k) = (shape.large(), shape.deep);
        shape.check(large.len(), small.len(), k * n);
        let tasks = large.par_chunks_mut(EACH * n).zip(small.par_chunks(EACH * k));
        tasks.for_each(|(large, small)| {
            let a = Left { data: small, row: k, col: 1 };
            let b = Right { data: &self.0[..], panel: k * PANEL, row: PANEL };
            let m = small.len() / k;
            gemm(Extents { m, n, k }, a, b, &mut Out { data: large, row: n }, Into::Replace);
            finish(large);
        });
        large
    }
}

/// The transposed convolution: large = filterᵀ ∗ small, the adjoint of [`down`]. The shapes are those of [`down`].
///
/// # Panics
/// If a slice does not have the extent that `shape` gives it.
pub fn up<T: Real>(shape: &Dense, small: &[T], filter: &[T]) -> Buffer<T> {
    UpFilter::<T>::new(shape, filter).apply(shape, small, &|_| ())
}

/// The gradient of the filter, `[deep, wide, 4, 4]`. The inputs are the large image and the gradient of the pixel (for
/// a convolution), or the gradient of the large image and the pixel (for a transposed convolution).
///
/// # Panics
/// If a slice does not have the extent that `shape` gives it.
pub fn filter_gradient<T: Real>(shape: &Dense, large: &[T], small: &[T]) -> Buffer<T> {
    let mut filter = T::scratch(shape.deep * shape.large());
    shape.check(large.len(), small.len(), filter.len());
    let (n, k) = (shape.large(), shape.batch);
    // Rows of n = 16·wide values are whole panels if `wide` is even.
    let (packed, lanes);
    let b = if n.is_multiple_of(PANEL) {
        Right { data: large, panel: PANEL, row: n }
    } else {
        (packed, lanes) = pack::<T>(k, n, |b, j| large[b * n + j]);
        Right { data: &packed[..], panel: lanes * PANEL, row: PANEL }
    };
    filter.par_chunks_mut(EACH * n).enumerate().for_each(|(task, filter)| {
        let m = filter.len() / n;
        let mut sums = T::scratch(m * n);
        let a = Left { data: &small[task * EACH..], row: 1, col: shape.deep };
        gemm(Extents { m, n, k }, a, b, &mut Out { data: &mut sums, row: n }, Into::Replace);
        for (filter, sums) in filter.chunks_mut(n).zip(sums.chunks(n)) {
            for (channel, taps) in filter.chunks_mut(TAPS).enumerate() {
                for (tap, value) in taps.iter_mut().enumerate() {
                    *value = sums[tap * shape.wide + channel];
                }
            }
        }
    });
    filter
}
