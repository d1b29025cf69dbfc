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
//! product over tiles × (phase, channel) × channel. A *phase* is one of the four pictures of
//! even/odd rows and columns, a *tile* is 2 × 2 pixels of the small picture, a *node* one of the
//! nine products.

use rayon::prelude::*;

use crate::gemm::{Extents, Into, Left, Out, PANEL, Right, gemm, padded, panels};
use crate::lane::{Lane, Real};
use crate::scratch::Buffer;
use crate::shape::{SIDE, Shape, TAPS};
use crate::vectorised::vectorised;

/// Products that make a 2 × 2 tile.
const NODES: usize = 9;
/// Even/odd rows × even/odd columns.
const PHASES: usize = 4;
/// Channels that the transforms take at once: a 512-bit vector of floats.
const BLOCK: usize = 16;
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

/// One value of `BLOCK` channels.
type Values<T> = [T; BLOCK];

#[inline(always)]
fn block<T: Real>(from: &[T], at: usize) -> &Values<T> {
    let Some(values) = from[at..].first_chunk() else { unreachable!("channels come in blocks") };
    values
}

#[inline(always)]
fn block_mut<T: Real>(from: &mut [T], at: usize) -> &mut Values<T> {
    let Some(values) = from[at..].first_chunk_mut() else {
        unreachable!("channels come in blocks")
    };
    values
}

/// Nine values, rows first.
type Nine<T> = [T; NODES];

/// Applies `along` to the columns of a 3 × 3 square, then to the rows of the result.
macro_rules! in_both {
    ($along:ident, $x:expr) => {{
        let x = $x;
        let (a, b, c) =
            ($along(x[0], x[3], x[6]), $along(x[1], x[4], x[7]), $along(x[2], x[5], x[8]));
        let (u, v, w) = ($along(a.0, b.0, c.0), $along(a.1, b.1, c.1), $along(a.2, b.2, c.2));
        [u.0, u.1, u.2, v.0, v.1, v.2, w.0, w.1, w.2]
    }};
}

/// From the 3 × 3 data of a phase to its nodes.
#[inline(always)]
fn data_to_nodes<T: Real>(d: Nine<T>) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T, T) {
        (a - b, b, b - c)
    }
    in_both!(along, d)
}

/// The adjoint of [`data_to_nodes`].
#[inline(always)]
fn nodes_to_data<T: Real>(m: Nine<T>) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T, T) {
        (a, b + c - a, -c)
    }
    in_both!(along, m)
}

/// From the 2 × 2 values of a tile to the nodes that they are summed from.
#[inline(always)]
fn tile_to_nodes<T: Real>(y: [T; 4]) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T) -> (T, T, T) {
        (a, a + b, -b)
    }
    let (left, right) = (along(y[0], y[2]), along(y[1], y[3]));
    let (u, v, w) = (along(left.0, right.0), along(left.1, right.1), along(left.2, right.2));
    [u.0, u.1, u.2, v.0, v.1, v.2, w.0, w.1, w.2]
}

/// The adjoint of [`tile_to_nodes`]: sums the nodes of a tile.
#[inline(always)]
fn nodes_to_tile<T: Real>(m: Nine<T>) -> [T; 4] {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T) {
        (a + b, b - c)
    }
    let (a, b, c) = (along(m[0], m[3], m[6]), along(m[1], m[4], m[7]), along(m[2], m[5], m[8]));
    let (u, v) = (along(a.0, b.0, c.0), along(a.1, b.1, c.1));
    [u.0, u.1, v.0, v.1]
}

/// From the 2 × 2 taps of a phase's filter to its nodes.
#[inline(always)]
fn taps_to_nodes<T: Real>(g: [T; 4]) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T) -> (T, T, T) {
        (a, a + b, b)
    }
    let (left, right) = (along(g[0], g[2]), along(g[1], g[3]));
    let (u, v, w) = (along(left.0, right.0), along(left.1, right.1), along(left.2, right.2));
    [u.0, u.1, u.2, v.0, v.1, v.2, w.0, w.1, w.2]
}

/// The adjoint of [`taps_to_nodes`]: the gradients of a phase's taps.
#[inline(always)]
fn nodes_to_taps<T: Real>(m: Nine<T>) -> [T; 4] {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T) {
        (a + b, b + c)
    }
    let (a, b, c) = (along(m[0], m[3], m[6]), along(m[1], m[4], m[7]), along(m[2], m[5], m[8]));
    let (u, v) = (along(a.0, b.0, c.0), along(a.1, b.1, c.1));
    [u.0, u.1, v.0, v.1]
}

/// Applies a transform to `BLOCK` channels at once: `$into[i][lane]` from `$from[i][lane]`. Written
/// over the lanes, which the compiler turns into vectors.
macro_rules! lanewise {
    ($transform:ident, [$($i:literal)+] of $from:expr, $into:expr) => {{
        let (from, into) = (&$from, &mut $into);
        for lane in 0..BLOCK {
            let values = $transform([$(from[$i][lane]),+]);
            for (into, value) in into.iter_mut().zip(values) {
                into[lane] = value;
            }
        }
    }};
}

/// Where the 3 × 3 data of a tile and phase lie in a large picture; `NOWHERE` in the padding.
#[inline(always)]
fn large_places(shape: &Shape, tile: usize, phase: usize) -> Nine<usize> {
    let (across, height, width) = (shape.width / 2, 2 * shape.height, 2 * shape.width);
    let (top, left) = (4 * (tile / across) + phase / 2, 4 * (tile % across) + phase % 2);
    let mut places = [NOWHERE; NODES];
    for i in 0..3 {
        for j in 0..3 {
            // One beyond the true row and column, so that the padding is 0.
            let (row, column) = (top + 2 * i, left + 2 * j);
            if row >= 1 && row <= height && column >= 1 && column <= width {
                places[3 * i + j] = ((row - 1) * width + column - 1) * shape.wide;
            }
        }
    }
    places
}

/// No place in a picture.
const NOWHERE: usize = usize::MAX;

/// Where the 2 × 2 pixels of a tile lie in a small picture.
#[inline(always)]
fn small_places(shape: &Shape, tile: usize) -> [usize; 4] {
    let across = shape.width / 2;
    let (top, left) = (2 * (tile / across), 2 * (tile % across));
    let first = (top * shape.width + left) * shape.deep;
    let below = first + shape.width * shape.deep;
    [first, first + shape.deep, below, below + shape.deep]
}

#[inline(always)]
fn large_nodes<T: Real>(
    picture: &[T],
    places: &Nine<usize>,
    channel: usize,
    nodes: &mut [Values<T>; NODES],
) {
    let zero = [T::default(); BLOCK];
    let mut data = [&zero; NODES];
    for (data, place) in data.iter_mut().zip(places) {
        if *place != NOWHERE {
            *data = block(picture, place + channel);
        }
    }
    lanewise!(data_to_nodes, [0 1 2 3 4 5 6 7 8] of data, *nodes);
}

#[inline(always)]
fn small_nodes<T: Real>(
    picture: &[T],
    places: &[usize; 4],
    channel: usize,
    nodes: &mut [Values<T>; NODES],
) {
    let [a, b, c, d] = places;
    let pixels = [
        block(picture, a + channel),
        block(picture, b + channel),
        block(picture, c + channel),
        block(picture, d + channel),
    ];
    lanewise!(tile_to_nodes, [0 1 2 3] of pixels, *nodes);
}

/// The blocks at the same place of the nine nodes.
#[inline(always)]
fn nine_blocks<T: Real>(from: &[T], node: usize, at: usize) -> [&Values<T>; NODES] {
    let mut blocks = [block(from, at); NODES];
    for (i, block_i) in blocks.iter_mut().enumerate() {
        *block_i = block(from, i * node + at);
    }
    blocks
}

fn tiles(shape: &Shape) -> usize {
    shape.height * shape.width / 4
}

vectorised! {
    /// All nodes of all tiles of some large pictures: `into` is [node, tile, (phase, channel)].
    fn large_rows[L: Lane](shape: Shape, pictures: &[L::Real], into: &mut [L]) {
        let row = PHASES * shape.wide / L::PER;
        let node = into.len() / NODES;
        let mut nodes = [[L::Real::default(); BLOCK]; NODES];
        let mut at = 0;
        for picture in pictures.chunks_exact(shape.large()) {
            for tile in 0..tiles(&shape) {
                for phase in 0..PHASES {
                    let places = large_places(&shape, tile, phase);
                    for channel in (0..shape.wide).step_by(BLOCK) {
                        large_nodes(picture, &places, channel, &mut nodes);
                        let to = at + (phase * shape.wide + channel) / L::PER;
                        for (i, values) in nodes.iter().enumerate() {
                            L::pack_row(values, &mut into[i * node + to..][..BLOCK / L::PER]);
                        }
                    }
                }
                at += row;
            }
        }
    }
}

vectorised! {
    /// All nodes of all tiles of some small pictures: `into` is [node, tile, channel].
    fn small_rows[L: Lane](shape: Shape, pictures: &[L::Real], into: &mut [L]) {
        let row = shape.deep / L::PER;
        let node = into.len() / NODES;
        let mut nodes = [[L::Real::default(); BLOCK]; NODES];
        let mut at = 0;
        for picture in pictures.chunks_exact(shape.small()) {
            for tile in 0..tiles(&shape) {
                let places = small_places(&shape, tile);
                for channel in (0..shape.deep).step_by(BLOCK) {
                    small_nodes(picture, &places, channel, &mut nodes);
                    for (i, values) in nodes.iter().enumerate() {
                        let to = i * node + at + channel / L::PER;
                        L::pack_row(values, &mut into[to..][..BLOCK / L::PER]);
                    }
                }
                at += row;
            }
        }
    }
}

vectorised! {
    /// Small pictures from the products [node, tile, channel].
    fn into_small[T: Real](shape: Shape, products: &[T], pictures: &mut [T]) {
        let node = products.len() / NODES;
        let mut pixels = [[T::default(); BLOCK]; 4];
        let mut at = 0;
        for picture in pictures.chunks_exact_mut(shape.small()) {
            for tile in 0..tiles(&shape) {
                let places = small_places(&shape, tile);
                for channel in (0..shape.deep).step_by(BLOCK) {
                    let m = nine_blocks(products, node, at + channel);
                    lanewise!(nodes_to_tile, [0 1 2 3 4 5 6 7 8] of m, pixels);
                    for (values, place) in pixels.iter().zip(places) {
                        *block_mut(picture, place + channel) = *values;
                    }
                }
                at += shape.deep;
            }
        }
    }
}

vectorised! {
    /// Adds the products [node, tile, (phase, channel)] to large pictures. A phase's channels start
    /// at whole panels.
    fn into_large[T: Real](shape: Shape, products: &[T], pictures: &mut [T]) {
        let node = products.len() / NODES;
        let mut data = [[T::default(); BLOCK]; NODES];
        let mut at = 0;
        for picture in pictures.chunks_exact_mut(shape.large()) {
            for tile in 0..tiles(&shape) {
                for phase in 0..PHASES {
                    let places = large_places(&shape, tile, phase);
                    for channel in (0..shape.wide).step_by(BLOCK) {
                        let m = nine_blocks(products, node, at + channel);
                        lanewise!(nodes_to_data, [0 1 2 3 4 5 6 7 8] of m, data);
                        for (values, place) in data.iter().zip(places) {
                            if place != NOWHERE {
                                let to = block_mut(picture, place + channel);
                                to.iter_mut().zip(values).for_each(|(to, v)| *to += *v);
                            }
                        }
                    }
                    at += padded(shape.wide);
                }
            }
        }
    }
}

/// A part of the large picture's channels in one phase: what one task makes the gradient of.
#[derive(Clone, Copy)]
struct Part {
    phase: usize,
    first: usize,
    channels: usize,
}

vectorised! {
    /// The large side of a filter's gradient: `into` is [node, tile / PER, channel of the part].
    fn large_columns[L: Lane](shape: Shape, pictures: &[L::Real], part: Part, into: &mut [L]) {
        let node = into.len() / NODES;
        let mut at = 0;
        let mut rows = [[[L::Real::default(); BLOCK]; 2]; NODES];
        let mut nodes = [[L::Real::default(); BLOCK]; NODES];
        for picture in pictures.chunks_exact(shape.large()) {
            for tile in (0..tiles(&shape)).step_by(L::PER) {
                let next = tile + L::PER - 1;
                let places = [
                    large_places(&shape, tile, part.phase),
                    large_places(&shape, next, part.phase),
                ];
                for channel in (0..part.channels).step_by(BLOCK) {
                    for t in 0..L::PER {
                        large_nodes(picture, &places[t], part.first + channel, &mut nodes);
                        for (row, values) in rows.iter_mut().zip(&nodes) {
                            row[t] = *values;
                        }
                    }
                    for (i, row) in rows.iter().enumerate() {
                        let to = &mut into[i * node + at + channel..][..BLOCK];
                        L::pack_rows(&row.as_flattened()[..L::PER * BLOCK], to);
                    }
                }
                at += part.channels;
            }
        }
    }
}

vectorised! {
    /// The small side of a filter's gradient: `into` is [node, tile / PER, channel], whole panels.
    fn small_columns[L: Lane](shape: Shape, pictures: &[L::Real], into: &mut [L]) {
        let node = into.len() / NODES;
        let mut at = 0;
        let mut rows = [[[L::Real::default(); BLOCK]; 2]; NODES];
        let mut nodes = [[L::Real::default(); BLOCK]; NODES];
        for picture in pictures.chunks_exact(shape.small()) {
            for tile in (0..tiles(&shape)).step_by(L::PER) {
                let next = tile + L::PER - 1;
                let places = [
                    small_places(&shape, tile),
                    small_places(&shape, next),
                ];
                for channel in (0..shape.deep).step_by(BLOCK) {
                    for t in 0..L::PER {
                        small_nodes(picture, &places[t], channel, &mut nodes);
                        for (row, values) in rows.iter_mut().zip(&nodes) {
                            row[t] = *values;
                        }
                    }
                    for (i, row) in rows.iter().enumerate() {
                        let to = &mut into[i * node + at + channel..][..BLOCK];
                        L::pack_rows(&row.as_flattened()[..L::PER * BLOCK], to);
                    }
                }
                at += padded(shape.deep);
            }
        }
    }
}

/// Tap (a, b) of a phase's 2 × 2 filter in the 4 × 4 one.
fn tap(phase: usize, a: usize, b: usize) -> usize {
    (phase / 2 + 2 * a) * SIDE + phase % 2 + 2 * b
}

/// Taps of `BLOCK` filters, turned: filter j starts at `at + j * stride`.
#[inline(always)]
fn turn<T: Real>(filter: &[T], at: usize, stride: usize) -> [Values<T>; TAPS] {
    let mut taps = [[T::default(); BLOCK]; TAPS];
    for j in 0..BLOCK {
        let values: &Values<T> = block(filter, at + j * stride);
        for (taps, value) in taps.iter_mut().zip(values) {
            taps[j] = *value;
        }
    }
    taps
}

/// All nodes of `BLOCK` filters in every phase, into the `i`th of a pair of summed channels. Filter j
/// starts at `at + j * stride`.
#[inline(always)]
fn filter_nodes<T: Real>(
    filter: &[T],
    at: usize,
    stride: usize,
    i: usize,
    pair: &mut [[[Values<T>; 2]; NODES]; PHASES],
) {
    let taps = turn(filter, at, stride);
    let mut nodes = [[T::default(); BLOCK]; NODES];
    for (phase, pair) in pair.iter_mut().enumerate() {
        let g = [
            &taps[tap(phase, 0, 0)],
            &taps[tap(phase, 0, 1)],
            &taps[tap(phase, 1, 0)],
            &taps[tap(phase, 1, 1)],
        ];
        lanewise!(taps_to_nodes, [0 1 2 3] of g, nodes);
        for (pair, values) in pair.iter_mut().zip(&nodes) {
            pair[i] = *values;
        }
    }
}

vectorised! {
    /// One panel of the filter for large → small. `nodes` are that panel in each node: rows (phase,
    /// channel) lanes, columns `first..` of `deep`.
    fn down_panel[L: Lane](
        shape: Shape, filter: &[L::Real], first: usize, nodes: &mut [&mut [L]],
    ) {
        let mut pair = [[[[L::Real::default(); BLOCK]; 2]; NODES]; PHASES];
        for half in (0..PANEL.min(shape.deep - first)).step_by(BLOCK) {
            for channel in (0..shape.wide).step_by(L::PER) {
                for i in 0..L::PER {
                    let at = ((first + half) * shape.wide + channel + i) * TAPS;
                    filter_nodes(filter, at, shape.wide * TAPS, i, &mut pair);
                }
                for (phase, pair) in pair.iter().enumerate() {
                    let to = (phase * shape.wide + channel) / L::PER * PANEL + half;
                    for (node, pair) in nodes.iter_mut().zip(pair) {
                        let packed = &pair.as_flattened()[..L::PER * BLOCK];
                        L::pack_rows(packed, &mut node[to..][..BLOCK]);
                    }
                }
            }
        }
    }
}

vectorised! {
    /// One panel of the filter for small → large. `panels` are the same channels `first..` in each
    /// (node, phase): rows `deep` lanes, columns channels.
    fn up_panel[L: Lane](
        shape: Shape, filter: &[L::Real], first: usize, panels: &mut [&mut [L]],
    ) {
        let mut pair = [[[[L::Real::default(); BLOCK]; 2]; NODES]; PHASES];
        for half in (0..PANEL.min(shape.wide - first)).step_by(BLOCK) {
            for deep in (0..shape.deep).step_by(L::PER) {
                for i in 0..L::PER {
                    let at = ((deep + i) * shape.wide + first + half) * TAPS;
                    filter_nodes(filter, at, TAPS, i, &mut pair);
                }
                for (phase, pair) in pair.iter().enumerate() {
                    for (node, pair) in pair.iter().enumerate() {
                        let to = &mut panels[node * PHASES + phase][deep / L::PER * PANEL + half..];
                        L::pack_rows(&pair.as_flattened()[..L::PER * BLOCK], &mut to[..BLOCK]);
                    }
                }
            }
        }
    }
}

/// The filter for large → small: for each node panels of `deep` columns, rows (phase, channel).
fn down_filter<L: Lane>(shape: &Shape, filter: &[L::Real]) -> Buffer<L> {
    let rows = PHASES * shape.wide / L::PER;
    let each = padded(shape.deep) / PANEL;
    let mut packed = L::scratch(NODES * each * rows * PANEL);
    // A task is the same panel in all nodes.
    let mut tasks: Vec<Vec<&mut [L]>> = (0..each).map(|_| Vec::new()).collect();
    for (at, panel) in packed.chunks_mut(rows * PANEL).enumerate() {
        tasks[at % each].push(panel);
    }
    tasks.par_iter_mut().enumerate().for_each(|(p, nodes)| {
        down_panel(*shape, filter, p * PANEL, nodes);
    });
    packed
}

/// The filter for small → large: for each node panels of (phase, channel) columns, a phase's
/// channels filled up to whole panels, rows `deep`.
fn up_filter<L: Lane>(shape: &Shape, filter: &[L::Real]) -> Buffer<L> {
    let rows = shape.deep / L::PER;
    let each = padded(shape.wide) / PANEL;
    let mut packed = L::scratch(NODES * PHASES * each * rows * PANEL);
    // A task is the panel of the same channels in all nodes and phases.
    let mut tasks: Vec<Vec<&mut [L]>> = (0..each).map(|_| Vec::new()).collect();
    for (at, panel) in packed.chunks_mut(rows * PANEL).enumerate() {
        tasks[at % each].push(panel);
    }
    tasks.par_iter_mut().enumerate().for_each(|(p, panels)| {
        up_panel(*shape, filter, p * PANEL, panels);
    });
    packed
}

/// Pictures that one task takes: tiles enough for good products, but at least two tasks a thread.
fn pictures_per_task(shape: &Shape) -> usize {
    let most = CHUNK.div_ceil(tiles(shape));
    most.min(shape.batch.div_ceil(2 * rayon::current_num_threads())).max(1)
}

/// The convolution: small = large ∗ filter.
pub fn down<L: Lane>(shape: &Shape, large: &[L::Real], filter: &[L::Real]) -> Buffer<L::Real> {
    let mut small = L::Real::scratch(shape.batch * shape.small());
    shape.check(large.len(), small.len(), filter.len());
    let packed = down_filter::<L>(shape, filter);
    let (k, n) = (PHASES * shape.wide / L::PER, shape.deep);
    let each = pictures_per_task(shape);
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
    let mut large = L::Real::scratch(shape.batch * shape.large());
    shape.check(large.len(), small.len(), filter.len());
    let packed = up_filter::<L>(shape, filter);
    let (k, n) = (shape.deep / L::PER, PHASES * padded(shape.wide));
    let each = pictures_per_task(shape);
    let tasks =
        large.par_chunks_mut(each * shape.large()).zip(small.par_chunks(each * shape.small()));
    tasks.for_each(|(large, small)| {
        let m = small.len() / shape.small() * tiles(shape);
        let mut left = L::scratch(NODES * m * k);
        let mut out = L::Real::scratch(NODES * m * n);
        small_rows(*shape, small, &mut left);
        for (node, (a, c)) in left.chunks(m * k).zip(out.chunks_mut(m * n)).enumerate() {
            let b = &packed[node * panels(k, n)..];
            let (a, b) = (rows(a, k), Right { data: b, panel: k * PANEL, row: PANEL });
            gemm(Extents { m, n, k }, a, b, &mut Out { data: c, row: n }, Into::Replace);
        }
        large.fill(L::Real::default());
        into_large(*shape, &out, large);
    });
    large
}

fn rows<L>(data: &[L], row: usize) -> Left<'_, L> {
    Left { data, row, col: 1 }
}

/// The filter's gradient, from the large picture and the small one's gradient (convolution) or
/// from the large one's gradient and the small picture (transposed convolution).
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

vectorised! {
    /// From the sums [node, …] of a part to its taps [(a, b), …].
    fn sums_to_taps[T: Real](sums: &[T], taps: &mut [T]) {
        let (from, to) = (sums.len() / NODES, taps.len() / 4);
        let mut values = [[T::default(); BLOCK]; 4];
        for at in (0..from).step_by(BLOCK) {
            let m = nine_blocks(sums, from, at);
            lanewise!(nodes_to_taps, [0 1 2 3 4 5 6 7 8] of m, values);
            for (i, values) in values.iter().enumerate() {
                *block_mut(taps, i * to + at) = *values;
            }
        }
    }
}

vectorised! {
    /// `BLOCK` filters from `first` on, out of the parts' taps.
    fn turn_back[T: Real](
        shape: Shape, taps: &[T], channels: usize, first: usize, filters: &mut [T],
    ) {
        let n = padded(shape.deep);
        for channel in 0..shape.wide {
            let (part, within) = (channel / channels, channel % channels);
            let parts = shape.wide / channels;
            let mut turned = [[T::default(); BLOCK]; TAPS];
            for phase in 0..PHASES {
                for i in 0..4 {
                    let row = ((phase * parts + part) * 4 + i) * channels + within;
                    turned[tap(phase, i / 2, i % 2)] = *block(taps, row * n + first);
                }
            }
            for j in 0..BLOCK {
                let values = block_mut(filters, (j * shape.wide + channel) * TAPS);
                for (value, turned) in values.iter_mut().zip(&turned) {
                    *value = turned[j];
                }
            }
        }
    }
}
