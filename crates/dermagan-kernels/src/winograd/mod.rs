//! Stride-2 convolutions with 4 × 4 filters by minimal filtering.
//!
//! A stride-2 filter of 4 taps is two filters of 2 taps, one on the even rows and one on the odd.
//! Two neighbouring outputs of a 2-tap filter g on d0, d1, d2 need three products instead of four
//! (Winograd 1980; Lavin and Gray 2016 call it F(2, 2)):
//!
//! ```text
//! m0 = (d0 - d1)·g0    m1 = d1·(g0 + g1)    m2 = (d1 - d2)·g1
//! y0 = m0 + m1         y1 = m1 - m2
//! ```
//!
//! In two dimensions 9 products do the work of 16, and nothing is ever multiplied by anything but
//! the data: only sums of two enter, so float32 loses about one bit. Each of the nine is one matrix
//! product over tiles × (phase, channel) × channel. A *phase* is one of the four images of
//! even/odd rows and columns, a *tile* is 2 × 2 pixels of the small image, a *node* one of the
//! nine products.

mod filter;
mod image;
pub(crate) mod nodes;

use rayon::prelude::*;

use self::filter::{down_filter, sums_to_taps, turn_back};
use self::image::{
    Part, into_large, into_small, large_columns, large_rows, small_columns, small_rows,
};
use self::nodes::BLOCK;
use crate::gemm::{Extents, Into, Left, Out, PANEL, Right, gemm, padded, panels};
use crate::lane::Lane;
use crate::scratch::Buffer;
use crate::shape::{Finish, Shape, TAPS};

/// Products that make a 2 × 2 tile.
const NODES: usize = 9;
/// Even/odd rows × even/odd columns.
const PHASES: usize = 4;
/// Tiles whose transforms are held at once: rows enough for the products to use the filter well.
const CHUNK: usize = 64;
/// The same for a filter's gradient, whose sums are read and written once a chunk.
const GRADIENT_CHUNK: usize = 256;

/// Whether this method serves a layer: full tiles, an even number of them (bfloat16 sums them in
/// pairs), and channels in full blocks.
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

fn tiles(shape: &Shape) -> usize {
    shape.height * shape.width / 4
}

/// Images that one task takes: tiles enough for good products, but at least two tasks a thread.
fn images_per_task(shape: &Shape) -> usize {
    let most = CHUNK.div_ceil(tiles(shape));
    most.min(shape.batch.div_ceil(2 * rayon::current_num_threads())).max(1)
}

/// The convolution: small = large ∗ filter.
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

/// The transposed convolution: large = filterᵀ ∗ small, the adjoint of [`down`].
pub fn up<L: Lane>(shape: &Shape, small: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
    UpFilter::<L>::new(shape, filter).apply(shape, small, &|_| ())
}

/// A filter for small → large, laid out once for any number of batches.
#[derive(Debug)]
pub struct UpFilter<L: 'static>(Buffer<L>);

impl<L: Lane> UpFilter<L> {
    /// From `[deep, wide, 4, 4]`.
    pub fn new(shape: &Shape, filter: &[L::Real]) -> Self {
        assert_eq!(filter.len(), shape.filter(), "the filter's extent");
        Self(filter::up_filter(shape, filter))
    }

    /// What [`up`] does with `filter`, then `finish` on whole images while they are in the cache.
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
            // A panel of all nodes at once: their products stay in the cache until they are added.
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

fn rows<L>(data: &[L], row: usize) -> Left<'_, L> {
    Left { data, row, col: 1 }
}

/// The filter's gradient, from the large image and the small one's gradient (convolution) or
/// from the large one's gradient and the small image (transposed convolution).
pub fn filter_gradient<L: Lane>(
    shape: &Shape,
    large: &[L::Real],
    small: &[L::Real],
) -> Buffer<L::Real> {
    let mut filter = L::Real::scratch(shape.filter());
    shape.check(large.len(), small.len(), filter.len());
    let (wide, n) = (shape.wide, padded(shape.deep));
    let each = GRADIENT_CHUNK.div_ceil(tiles(shape));
    // A task is one phase and some of its channels. Every value is summed over the tiles in order,
    // however the channels are split.
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
    // From [phase, part, tap, channel, deep] to [deep, channel, tap].
    filter.par_chunks_mut(BLOCK * wide * TAPS).enumerate().for_each(|(p, filters)| {
        turn_back(*shape, &taps, channels, p * BLOCK, filters);
    });
    filter
}
