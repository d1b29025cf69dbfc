//! The transforms: images and filters to nodes, and their adjoints.

use super::NODES;
use crate::lane::{Real, SQUARE};

/// Channels that the transforms take at once: a 512-bit vector of floats.
pub(crate) const BLOCK: usize = SQUARE;

/// One value of `BLOCK` channels.
pub(crate) type Values<T> = [T; BLOCK];

#[inline(always)]
pub(crate) fn block<T>(from: &[T], at: usize) -> &[T; BLOCK] {
    let Some(values) = from[at..].first_chunk() else { unreachable!("channels come in blocks") };
    values
}

#[inline(always)]
pub(crate) fn block_mut<T>(from: &mut [T], at: usize) -> &mut [T; BLOCK] {
    let Some(values) = from[at..].first_chunk_mut() else {
        unreachable!("channels come in blocks")
    };
    values
}

/// Nine values, rows first.
pub(crate) type Nine<T> = [T; NODES];

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
pub(crate) fn data_to_nodes<T: Real>(d: Nine<T>) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T, T) {
        (a - b, b, b - c)
    }
    in_both!(along, d)
}

/// The adjoint of [`data_to_nodes`].
#[inline(always)]
pub(crate) fn nodes_to_data<T: Real>(m: Nine<T>) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T, T) {
        (a, b + c - a, -c)
    }
    in_both!(along, m)
}

/// From the 2 × 2 values of a tile to the nodes that they are summed from.
#[inline(always)]
pub(crate) fn tile_to_nodes<T: Real>(y: [T; 4]) -> Nine<T> {
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
pub(crate) fn nodes_to_tile<T: Real>(m: Nine<T>) -> [T; 4] {
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
pub(crate) fn taps_to_nodes<T: Real>(g: [T; 4]) -> Nine<T> {
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
pub(crate) fn nodes_to_taps<T: Real>(m: Nine<T>) -> [T; 4] {
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
            for i in 0..values.len() {
                into[i][lane] = values[i];
            }
        }
    }};
}

/// The blocks at the same place of the nine nodes.
#[inline(always)]
pub(crate) fn nine_blocks<T: Real>(from: &[T], node: usize, at: usize) -> [&Values<T>; NODES] {
    let mut blocks = [block(from, at); NODES];
    for i in 1..NODES {
        blocks[i] = block(from, i * node + at);
    }
    blocks
}

pub(crate) use lanewise;
