//! Stride-2 convolutions by im2col, for layers with few channels, such as the one next to the image: the patches of
//! an image become the rows of one matrix product.

use rayon::prelude::*;

use super::shape::{Finish, SIDE, Shape, TAPS, filter_index};
use crate::matmul::{Extents, Into, Lane, Left, Out, PANEL, Real, Right, gemm, pack, padded};
use crate::scratch::Buffer;
use crate::vectorised::vectorised;

/// Number of images whose filter gradients are summed before they are added to the total. It is fixed, so that the sum
/// does not depend on the number of threads.
const GROUP: usize = 8;
/// Number of groups whose sums are held at once. It is fixed, so that memory does not grow with the batch.
const AT_ONCE: usize = 16;

/// Number of values in one row of a patch of a colour image.
const RGB_ROW: usize = 3 * SIDE;

/// A run of values that an image and a patch share.
#[derive(Clone, Copy)]
struct Run {
    /// Offset in the patch.
    patch: usize,
    /// Offset in the image.
    at: usize,
    /// Number of values.
    len: usize,
}

/// The run of row `u` of the patch of pixel (i, j), whose order is (row, column, channel). `None` in the padding.
#[inline(always)]
fn run(shape: &Shape, i: usize, j: usize, u: usize) -> Option<Run> {
    let (height, width, wide) = (2 * shape.height, 2 * shape.width, shape.wide);
    // Columns 2j-1 to 2j+2 of the image, clipped to the image.
    let (from, to) = ((2 * j).saturating_sub(1), (2 * j + 3).min(width));
    let skipped = if j == 0 { 1 } else { 0 };
    let row = 2 * i + u;
    (row >= 1 && row <= height).then(|| Run {
        patch: (u * SIDE + skipped) * wide,
        at: ((row - 1) * width + from) * wide,
        len: (to - from) * wide,
    })
}

// Nested loops, here and below: a closure that is not inlined is compiled without the vectors of the function around
// it.
vectorised! {
    /// Copies the patches of one large image. `into` is `[pixel, (row, column, channel)]`.
    fn im2col[T: Real](shape: Shape, image: &[T], into: &mut [T]) {
        let size = TAPS * shape.wide;
        for i in 0..shape.height {
            for j in 0..shape.width {
                let patch = &mut into[(i * shape.width + j) * size..][..size];
                // Only patches at the border extend beyond the image.
                if i == 0 || j == 0 || i == shape.height - 1 || j == shape.width - 1 {
                    patch.fill(T::default());
                }
                for u in 0..SIDE {
                    let Some(run) = run(&shape, i, j, u) else { continue };
                    let (to, from) = (&mut patch[run.patch..], &image[run.at..][..run.len]);
                    // For a row of three channels inside the image, a call to memmove costs more than the copy.
                    match (to.first_chunk_mut::<RGB_ROW>(), from.as_array::<RGB_ROW>()) {
                        (Some(to), Some(from)) => *to = *from,
                        _ => to[..run.len].copy_from_slice(from),
                    }
                }
            }
        }
    }
}

vectorised! {
    /// The adjoint of `im2col`: adds patches to the image.
    fn col2im[T: Real](shape: Shape, from: &[T], row: usize, image: &mut [T]) {
        for i in 0..shape.height {
            for j in 0..shape.width {
                let patch = &from[(i * shape.width + j) * row..][..row];
                for u in 0..SIDE {
                    let Some(run) = run(&shape, i, j, u) else { continue };
                    let (from, to) = (&patch[run.patch..], &mut image[run.at..][..run.len]);
                    match (to.as_mut_array::<RGB_ROW>(), from.first_chunk::<RGB_ROW>()) {
                        (Some(to), Some(from)) => {
                            for k in 0..RGB_ROW {
                                to[k] += from[k];
                            }
                        }
                        _ => {
                            let from = &from[..to.len()];
                            for k in 0..to.len() {
                                to[k] += from[k];
                            }
                        }
                    }
                }
            }
        }
    }
}

vectorised! {
    /// Packs rows of `row` floats to rows of `k` lanes.
    fn pack_rows[L: Lane](from: &[L::Real], row: usize, k: usize, into: &mut [L]) {
        for i in 0..into.len() / k {
            L::pack_row(&from[i * row..][..row], &mut into[i * k..][..k]);
        }
    }
}

/// The convolution: small = large ∗ filter. `large` is `[batch, 2·height, 2·width, wide]`, `filter` is
/// `[deep, wide, 4, 4]`, and the result is `[batch, height, width, deep]`.
///
/// # Panics
/// If a slice does not have the extent that `shape` gives it.
pub fn down<L: Lane>(shape: &Shape, large: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
    let mut small = L::Real::scratch(shape.batch * shape.small());
    shape.check(large.len(), small.len(), filter.len());
    let (m, n, size) = (shape.height * shape.width, shape.deep, TAPS * shape.wide);
    let (b, k) = pack::<L>(size, n, |k, o| filter[filter_index(shape.wide, k, o)]);
    let images = small.par_chunks_mut(shape.small()).zip(large.par_chunks(shape.large()));
    images.for_each(|(small, large)| {
        let mut patches = L::Real::scratch(m * size);
        let mut left = L::scratch(m * k);
        im2col(*shape, large, &mut patches);
        pack_rows(&patches, size, k, &mut left);
        let a = Left { data: &left[..], row: k, col: 1 };
        let b = Right { data: &b[..], panel: k * PANEL, row: PANEL };
        gemm(Extents { m, n, k }, a, b, &mut Out { data: small, row: n }, Into::Replace);
    });
    small
}

/// A filter for [`up`], packed once for any number of batches.
#[derive(Debug)]
pub struct UpFilter<L: 'static> {
    packed: Buffer<L>,
    /// Number of summed lanes.
    k: usize,
}

impl<L: Lane> UpFilter<L> {
    /// Packs a filter `[deep, wide, 4, 4]`.
    ///
    /// # Panics
    /// If the filter does not have the extent that `shape` gives it.
    pub fn new(shape: &Shape, filter: &[L::Real]) -> Self {
        assert_eq!(filter.len(), shape.filter(), "the filter's extent");
        let n = TAPS * shape.wide;
        let (packed, k) = pack::<L>(shape.deep, n, |o, k| filter[filter_index(shape.wide, k, o)]);
        Self { packed, k }
    }

    /// Computes [`up`], and applies `finish` to whole images while they are in the cache. `shape` is the one that the
    /// filter was packed for, with any batch size.
    ///
    /// # Panics
    /// If `small` does not have the extent that `shape` gives it.
    pub fn apply(
        &self,
        shape: &Shape,
        small: &[L::Real],
        finish: Finish<'_, L::Real>,
    ) -> Buffer<L::Real> {
        let mut large = L::Real::scratch(shape.batch * shape.large());
        shape.check(large.len(), small.len(), shape.filter());
        let (m, n, k) = (shape.height * shape.width, TAPS * shape.wide, self.k);
        let images = large.par_chunks_mut(shape.large()).zip(small.par_chunks(shape.small()));
        images.for_each(|(large, small)| {
            let mut left = L::scratch(m * k);
            let mut out = L::Real::scratch(m * n);
            pack_rows(small, shape.deep, k, &mut left);
            let a = Left { data: &left[..], row: k, col: 1 };
            let b = Right { data: &self.packed[..], panel: k * PANEL, row: PANEL };
            gemm(Extents { m, n, k }, a, b, &mut Out { data: &mut out, row: n }, Into::Replace);
            large.fill(L::Real::default());
            col2im(*shape, &out, n, large);
            finish(large);
        });
        large
    }
}

/// The transposed convolution: large = filterᵀ ∗ small, the adjoint of [`down`]. The shapes are those of [`down`].
///
/// # Panics
/// If a slice does not have the extent that `shape` gives it.
pub fn up<L: Lane>(shape: &Shape, small: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
    UpFilter::<L>::new(shape, filter).apply(shape, small, &|_| ())
}

vectorised! {
    /// Packs rows of `width` floats to rows of `padded` lanes, with `PER` rows per lane. Missing values are zero.
    fn pack_columns[L: Lane](
        from: &[L::Real], width: usize, padded: usize, scratch: &mut [L::Real], into: &mut [L],
    ) {
        scratch.fill(L::Real::default());
        for (group, lanes) in into.chunks_exact_mut(padded).enumerate() {
            for i in 0..L::PER {
                let row = &mut scratch[i * padded..][..width];
                match from.get((group * L::PER + i) * width..(group * L::PER + i + 1) * width) {
                    Some(values) => {
                        #[allow(clippy::manual_memcpy, reason = "a call costs more than the copy")]
                        for k in 0..width {
                            row[k] = values[k];
                        }
                    }
                    None => row.fill(L::Real::default()),
                }
            }
            L::pack_rows(scratch, lanes);
        }
    }
}

/// The gradient of the filter, `[deep, wide, 4, 4]`. The inputs are the large image and the gradient of the small one
/// (for a convolution), or the gradient of the large image and the small one (for a transposed convolution).
///
/// # Panics
/// If a slice does not have the extent that `shape` gives it.
pub fn filter_gradient<L: Lane>(
    shape: &Shape,
    large: &[L::Real],
    small: &[L::Real],
) -> Buffer<L::Real> {
    let mut filter = L::Real::scratch(shape.filter());
    filter.fill(L::Real::default());
    shape.check(large.len(), small.len(), filter.len());
    let (pixels, size) = (shape.height * shape.width, TAPS * shape.wide);
    let (m, n) = (size, padded(shape.deep));
    let k = pixels.div_ceil(L::PER);
    let (each_large, each_small) = (GROUP * shape.large(), GROUP * shape.small());
    let rounds = large.chunks(AT_ONCE * each_large).zip(small.chunks(AT_ONCE * each_small));
    for (large, small) in rounds {
        let groups = large.par_chunks(each_large).zip(small.par_chunks(each_small));
        let sum = |(large, small): (&[L::Real], &[L::Real])| {
            let mut sums = L::Real::scratch(m * n);
            sums.fill(L::Real::default());
            let mut patches = L::Real::scratch(pixels * size);
            let (mut left, mut right) = (L::scratch(k * m), L::scratch(k * n));
            let mut rows = L::Real::scratch(L::PER * m.max(n));
            let images = large.chunks(shape.large()).zip(small.chunks(shape.small()));
            for (large, small) in images {
                im2col(*shape, large, &mut patches);
                pack_columns(&patches, size, m, &mut rows[..L::PER * m], &mut left);
                pack_columns(small, shape.deep, n, &mut rows[..L::PER * n], &mut right);
                let a = Left { data: &left[..], row: 1, col: m };
                let b = Right { data: &right[..], panel: PANEL, row: n };
                gemm(Extents { m, n, k }, a, b, &mut Out { data: &mut sums, row: n }, Into::Add);
            }
            sums
        };
        // Add in a fixed order, whichever group was ready first.
        for sums in groups.map(sum).collect::<Vec<_>>() {
            for o in 0..shape.deep {
                for k in 0..m {
                    filter[filter_index(shape.wide, k, o)] += sums[k * n + o];
                }
            }
        }
    }
    filter
}
