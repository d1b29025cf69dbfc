//! Stride-2 convolutions of layers with few channels, such as the one at the picture: patches as
//! rows, and one matrix product.

use rayon::prelude::*;

use crate::gemm::{Extents, Into, Left, Out, PANEL, Right, gemm, padded};
use crate::lane::{Lane, Real};
use crate::scratch::Buffer;
use crate::shape::{Finish, SIDE, Shape, TAPS, filter_index};
use crate::vectorised::vectorised;

/// Pictures whose filter gradients are summed before they join the others: fixed, so that the sum
/// does not depend on the number of threads.
const GROUP: usize = 8;
/// Groups whose sums are held at once, so that memory does not grow with the batch.
const AT_ONCE: usize = 16;

/// Calls `f(pixel, offset in the patch, offset in the picture, length)` for every run of a picture
/// that lies in a patch. A patch holds (row, column, channel); its padding is not called for.
#[inline(always)]
fn runs(shape: &Shape, mut f: impl FnMut(usize, usize, usize, usize)) {
    let (height, width, wide) = (2 * shape.height, 2 * shape.width, shape.wide);
    for i in 0..shape.height {
        for j in 0..shape.width {
            // Columns 2j-1 to 2j+2 of the picture, without those outside.
            let (from, to) = ((2 * j).saturating_sub(1), (2 * j + 3).min(width));
            let skipped = if j == 0 { 1 } else { 0 };
            for u in 0..SIDE {
                let row = 2 * i + u;
                if row >= 1 && row <= height {
                    let patch = (u * SIDE + skipped) * wide;
                    let at = ((row - 1) * width + from) * wide;
                    f(i * shape.width + j, patch, at, (to - from) * wide);
                }
            }
        }
    }
}

vectorised! {
    /// The patches of one large picture: `into` is [pixel, (row, column, channel)].
    fn patches[T: Real](shape: Shape, picture: &[T], into: &mut [T]) {
        let size = TAPS * shape.wide;
        into.fill(T::default());
        runs(&shape, |pixel, patch, at, len| {
            into[pixel * size + patch..][..len].copy_from_slice(&picture[at..at + len]);
        });
    }
}

vectorised! {
    /// Adds patches back to the picture that they came from.
    fn unpatch[T: Real](shape: Shape, from: &[T], row: usize, picture: &mut [T]) {
        runs(&shape, |pixel, patch, at, len| {
            let patch = &from[pixel * row + patch..][..len];
            picture[at..at + len].iter_mut().zip(patch).for_each(|(to, v)| *to += *v);
        });
    }
}

vectorised! {
    /// Rows of `row` floats to rows of lanes.
    fn pack_rows[L: Lane](from: &[L::Real], row: usize, into: &mut [L]) {
        let lanes = into.chunks_exact_mut(row.div_ceil(L::PER));
        from.chunks_exact(row).zip(lanes).for_each(|(row, lanes)| L::pack_row(row, lanes));
    }
}

/// The convolution: small = large ∗ filter.
pub fn down<L: Lane>(shape: &Shape, large: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
    let mut small = L::Real::scratch(shape.batch * shape.small());
    shape.check(large.len(), small.len(), filter.len());
    let (m, n, size) = (shape.height * shape.width, shape.deep, TAPS * shape.wide);
    let (b, k) = crate::gemm::pack::<L>(size, n, |k, o| filter[filter_index(shape.wide, k, o)]);
    let pictures = small.par_chunks_mut(shape.small()).zip(large.par_chunks(shape.large()));
    pictures.for_each(|(small, large)| {
        let mut taken = L::Real::scratch(m * size);
        let mut left = L::scratch(m * k);
        patches(*shape, large, &mut taken);
        pack_rows(&taken, size, &mut left);
        let a = Left { data: &left[..], row: k, col: 1 };
        let b = Right { data: &b[..], panel: k * PANEL, row: PANEL };
        gemm(Extents { m, n, k }, a, b, &mut Out { data: small, row: n }, Into::Replace);
    });
    small
}

/// A filter for small → large, laid out once for any number of batches.
#[derive(Debug)]
pub struct UpFilter<L: 'static> {
    packed: Buffer<L>,
    /// Summed lanes.
    k: usize,
}

impl<L: Lane> UpFilter<L> {
    /// From `[deep, wide, 4, 4]`.
    pub fn new(shape: &Shape, filter: &[L::Real]) -> Self {
        assert_eq!(filter.len(), shape.filter(), "the filter's extent");
        let n = TAPS * shape.wide;
        let (packed, k) =
            crate::gemm::pack::<L>(shape.deep, n, |o, k| filter[filter_index(shape.wide, k, o)]);
        Self { packed, k }
    }

    /// What [`up`] does with `filter`, then `finish` on whole pictures while they are in the cache.
    pub fn apply(
        &self,
        shape: &Shape,
        small: &[L::Real],
        finish: Finish<'_, L::Real>,
    ) -> Buffer<L::Real> {
        let mut large = L::Real::scratch(shape.batch * shape.large());
        shape.check(large.len(), small.len(), shape.filter());
        let (m, n, k) = (shape.height * shape.width, TAPS * shape.wide, self.k);
        let pictures = large.par_chunks_mut(shape.large()).zip(small.par_chunks(shape.small()));
        pictures.for_each(|(large, small)| {
            let mut left = L::scratch(m * k);
            let mut out = L::Real::scratch(m * n);
            pack_rows(small, shape.deep, &mut left);
            let a = Left { data: &left[..], row: k, col: 1 };
            let b = Right { data: &self.packed[..], panel: k * PANEL, row: PANEL };
            gemm(Extents { m, n, k }, a, b, &mut Out { data: &mut out, row: n }, Into::Replace);
            large.fill(L::Real::default());
            unpatch(*shape, &out, n, large);
            finish(large);
        });
        large
    }
}

/// The transposed convolution: large = filterᵀ ∗ small, the adjoint of [`down`].
pub fn up<L: Lane>(shape: &Shape, small: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
    UpFilter::<L>::new(shape, filter).apply(shape, small, &|_| ())
}

vectorised! {
    /// Rows of `width` floats to `PER` rows a lane, `padded` lanes each; missing ones are zero.
    fn pack_columns[L: Lane](
        from: &[L::Real], width: usize, padded: usize, scratch: &mut [L::Real], into: &mut [L],
    ) {
        scratch.fill(L::Real::default());
        let groups = from.chunks(L::PER * width).zip(into.chunks_exact_mut(padded));
        for (group, lanes) in groups {
            for (i, row) in scratch.chunks_exact_mut(padded).enumerate() {
                match group.get(i * width..(i + 1) * width) {
                    Some(values) => row[..width].copy_from_slice(values),
                    None => row.fill(L::Real::default()),
                }
            }
            L::pack_rows(scratch, lanes);
        }
    }
}

/// The filter's gradient, from the large picture and the small one's gradient (convolution) or
/// from the large one's gradient and the small picture (transposed convolution).
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
            let mut taken = L::Real::scratch(pixels * size);
            let (mut left, mut right) = (L::scratch(k * m), L::scratch(k * n));
            let mut rows = L::Real::scratch(L::PER * m.max(n));
            let pictures = large.chunks(shape.large()).zip(small.chunks(shape.small()));
            for (large, small) in pictures {
                patches(*shape, large, &mut taken);
                pack_columns(&taken, size, m, &mut rows[..L::PER * m], &mut left);
                pack_columns(small, shape.deep, n, &mut rows[..L::PER * n], &mut right);
                let a = Left { data: &left[..], row: 1, col: m };
                let b = Right { data: &right[..], panel: PANEL, row: n };
                gemm(Extents { m, n, k }, a, b, &mut Out { data: &mut sums, row: n }, Into::Add);
            }
            sums
        };
        // In their order, whichever was ready first.
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
