//! The three operations of a stride-2 layer: `down`, `up` and `filter_gradient`.

use rayon::prelude::*;

use super::filter::{down_filter, sums_to_taps, taps_to_filters, up_filter};
use super::image::{
    Part, into_large, into_small, large_columns, large_rows, small_columns, small_rows, tiles,
};
use super::nodes::{NODES, PHASES};
use crate::conv::channel_blocks::BLOCK;
use crate::conv::shape::{Finish, Shape, TAPS};
use crate::matmul::{Extents, Into, Lane, Left, Out, PANEL, Right, gemm, padded, panels};
use crate::scratch::Buffer;

/// Number of tiles whose transforms are held at once: enough rows for the products to use the filter well.
const CHUNK: usize = 64;
/// The same for a filter's gradient, whose sums are read and written once per chunk.
const GRADIENT_CHUNK: usize = 256;

/// Whether this method serves a layer. It needs full tiles, an even number of them (bfloat16 sums them in pairs), and
/// channels in full blocks of 16.
pub fn serves(shape: &Shape) -> bool {
    let blocks = |channels: usize| channels > 0 && channels.is_multiple_of(BLOCK);
    shape.height > 0
        && shape.width > 0
        && shape.height.is_multiple_of(2)
        && shape.width.is_multiple_of(2)
        && tiles(shape).is_multiple_of(2)
        && blocks(shape.wide)
        && blocks(shape.deep)
}

/// Number of images per task: enough tiles for efficient products, but at least two tasks per thread.
fn images_per_task(shape: &Shape) -> usize {
    let most = CHUNK.div_ceil(tiles(shape));
    most.min(shape.batch.div_ceil(2 * rayon::current_num_threads())).max(1)
}

/// The convolution: small = large ∗ filter. `large` is `[batch, 2·height, 2·width, wide]`, `filter` is
/// `[deep, wide, 4, 4]`, and the result is `[batch, height, width, deep]`.
///
/// # Panics
/// If a slice does not have the extent that `shape` gives it.
pub fn down<L: Lane>(shape: &Shape, large: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
    let mut small = L::Real::scratch(shape.batch * shape.small());
    shape.check(large.len(), small.len(), filter.len());
    let packed = down_filter::<L>(shape, filter);
    let (k, n) = (PHASES * shape.wide / L::PER, shape.deep);
    let each = images_per_task(shape);
    let tasks =
        small.par_chunks_mut(each * shape.small()).zip(large.par_chunks(each * shape.large()));
    tasks.for_each(|(small, large)| {
        let m = small.len() / shape.small() * tiles(shape);
        let mut left = L::scratch(NODES * m * k);
        let mut out = L::Real::scratch(NODES * m * n);
        large_rows(*shape, large, &mut left);
        for (node, (a, c)) in left.chunks(m * k).zip(out.chunks_mut(m * n)).enumerate() {
            let b = &packed[node * panels(k, n)..];
            let (a, b) = (rows(a, k), Right { data: b, panel: k * PANEL, row: PANEL });
            gemm(Extents { m, n, k }, a, b, &mut Out { data: c, row: n }, Into::Replace);
        }
        into_small(*shape, &out, small);
    });
    small
}

/// The transposed convolution: large = filterᵀ ∗ small, the adjoint of [`down`]. The shapes are those of [`down`].
///
/// # Panics
/// If a slice does not have the extent that `shape` gives it.
pub fn up<L: Lane>(shape: &Shape, small: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
    UpFilter::<L>::new(shape, filter).apply(shape, small, &|_| ())
}

/// A filter for [`up`], packed once for any number of batches.
#[derive(Debug)]
pub struct UpFilter<L: 'static>(Buffer<L>);

impl<L: Lane> UpFilter<L> {
    /// Packs a filter `[deep, wide, 4, 4]`.
    ///
    /// # Panics
    /// If the filter does not have the extent that `shape` gives it.
    pub fn new(shape: &Shape, filter: &[L::Real]) -> Self {
        assert_eq!(filter.len(), shape.filter(), "the filter's extent");
        Self(up_filter(shape, filter))
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
        let (k, panels) = (shape.deep / L::PER, padded(shape.wide) / PANEL);
        let each = images_per_task(shape);
        let tasks =
            large.par_chunks_mut(each * shape.large()).zip(small.par_chunks(each * shape.small()));
        tasks.for_each(|(large, small)| {
            let m = small.len() / shape.small() * tiles(shape);
            let mut left = L::scratch(NODES * m * k);
            small_rows(*shape, small, &mut left);
            large.fill(L::Real::default());
            // Compute a panel of all nodes at once, so that their products stay in the cache until they are added.
            let mut out = L::Real::scratch(NODES * m * PANEL);
            for panel in 0..PHASES * panels {
                let first = panel % panels * PANEL;
                let channels = PANEL.min(shape.wide - first);
                for (node, (a, c)) in left.chunks(m * k).zip(out.chunks_mut(m * PANEL)).enumerate()
                {
                    let b = &self.0[(node * PHASES * panels + panel) * k * PANEL..];
                    let (a, b) = (rows(a, k), Right { data: b, panel: k * PANEL, row: PANEL });
                    let mut c = Out { data: c, row: PANEL };
                    gemm(Extents { m, n: channels, k }, a, b, &mut c, Into::Replace);
                }
                let part = Part { phase: panel / panels, first, channels };
                into_large(*shape, &out, part, large);
            }
            finish(large);
        });
        large
    }
}

/// A left operand of contiguous rows of `row` lanes.
fn rows<L>(data: &[L], row: usize) -> Left<'_, L> {
    Left { data, row, col: 1 }
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
    shape.check(large.len(), small.len(), filter.len());
    let (wide, n) = (shape.wide, padded(shape.deep));
    let each = GRADIENT_CHUNK.div_ceil(tiles(shape));
    // A task is one phase and a part of its channels. Every value is summed over the tiles in order, however the
    // channels are split.
    let mut split = 1;
    while PHASES * split < 2 * rayon::current_num_threads()
        && wide.is_multiple_of(2 * split * BLOCK)
    {
        split *= 2;
    }
    let channels = wide / split;
    let mut taps = L::Real::scratch(TAPS * wide * n);
    taps.par_chunks_mut(4 * channels * n).enumerate().for_each(|(task, taps)| {
        let part = Part { phase: task / split, first: task % split * channels, channels };
        let sums = channels * n;
        let mut out = L::Real::scratch(NODES * sums);
        out.fill(L::Real::default());
        let chunks = large.chunks(each * shape.large()).zip(small.chunks(each * shape.small()));
        for (large, small) in chunks {
            let k = large.len() / shape.large() * tiles(shape) / L::PER;
            let mut left = L::scratch(NODES * k * channels);
            let mut right = L::scratch(NODES * k * n);
            large_columns(*shape, large, part, &mut left);
            small_columns(*shape, small, &mut right);
            for node in 0..NODES {
                let left = &left[node * k * channels..];
                let right = &right[node * k * n..];
                let a = Left { data: left, row: 1, col: channels };
                let b = Right { data: right, panel: PANEL, row: n };
                let mut c = Out { data: &mut out[node * sums..], row: n };
                gemm(Extents { m: channels, n, k }, a, b, &mut c, Into::Add);
            }
        }
        sums_to_taps(&out, taps);
    });
    // Reorder [phase, part, tap, channel, deep] to [deep, channel, tap].
    filter.par_chunks_mut(BLOCK * wide * TAPS).enumerate().for_each(|(p, filters)| {
        taps_to_filters(*shape, &taps, channels, p * BLOCK, filters);
    });
    filter
}
