//! The layers between the 4 × 4 image and one pixel: a filter that covers all of it.

use rayon::prelude::*;

use crate::gemm::{Extents, Into, Left, Out, PANEL, Right, gemm};
use crate::lane::{Lane, Real};
use crate::scratch::Buffer;
use crate::shape::{Finish, TAPS, filter_index};

/// Extents of a 4×4 filter, stride 1, no padding, between `[batch, 4, 4, wide]` and
/// `[batch, deep]`; the filter is `[deep, wide, 4, 4]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Images.
    pub batch: usize,
    /// Channels of the 4 × 4 image.
    pub wide: usize,
    /// Channels of the pixel.
    pub deep: usize,
}

impl Dense {
    /// Values of one large image.
    pub fn large(&self) -> usize {
        TAPS * self.wide
    }

    fn check(&self, large: usize, small: usize, filter: usize) {
        assert_eq!(large, self.batch * self.large(), "the large image's extent");
        assert_eq!(small, self.batch * self.deep, "the pixel's extent");
        assert_eq!(filter, self.deep * self.large(), "the filter's extent");
    }
}

/// Images that one task takes.
const EACH: usize = 12;

/// The convolution: small = large ∗ filter.
pub fn down<T: Real>(shape: &Dense, large: &[T], filter: &[T]) -> Buffer<T> {
    let mut small = T::scratch(shape.batch * shape.deep);
    shape.check(large.len(), small.len(), filter.len());
    let (n, k) = (shape.deep, shape.large());
    let (b, _) = crate::gemm::pack::<T>(k, n, |k, o| filter[filter_index(shape.wide, k, o)]);
    let tasks = small.par_chunks_mut(EACH * n).zip(large.par_chunks(EACH * k));
    tasks.for_each(|(small, large)| {
        let a = Left { data: large, row: k, col: 1 };
        let b = Right { data: &b[..], panel: k * PANEL, row: PANEL };
        let m = small.len() / n;
        gemm(Extents { m, n, k }, a, b, &mut Out { data: small, row: n }, Into::Replace);
    });
    small
}

/// A filter for small → large, laid out once for any number of batches.
#[derive(Debug)]
pub struct UpFilter<T: 'static>(Buffer<T>);

impl<T: Real> UpFilter<T> {
    /// From `[deep, wide, 4, 4]`.
    pub fn new(shape: &Dense, filter: &[T]) -> Self {
        let (n, k) = (shape.large(), shape.deep);
        assert_eq!(filter.len(), k * n, "the filter's extent");
        Self(crate::gemm::pack::<T>(k, n, |o, k| filter[filter_index(shape.wide, k, o)]).0)
    }

    /// What [`up`] does with `filter`, then `finish` on whole images while they are in the cache.
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

/// The transposed convolution: large = filterᵀ ∗ small, the adjoint of [`down`].
pub fn up<T: Real>(shape: &Dense, small: &[T], filter: &[T]) -> Buffer<T> {
    UpFilter::<T>::new(shape, filter).apply(shape, small, &|_| ())
}

/// The filter's gradient, from the large image and the pixel's gradient or the other way round.
pub fn filter_gradient<T: Real>(shape: &Dense, large: &[T], small: &[T]) -> Buffer<T> {
    let mut filter = T::scratch(shape.deep * shape.large());
    shape.check(large.len(), small.len(), filter.len());
    let (n, k) = (shape.large(), shape.batch);
    // Rows of n values are whole panels for every width that is even.
    let (packed, lanes);
    let b = if n.is_multiple_of(PANEL) {
        Right { data: large, panel: PANEL, row: n }
    } else {
        (packed, lanes) = crate::gemm::pack::<T>(k, n, |b, j| large[b * n + j]);
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
