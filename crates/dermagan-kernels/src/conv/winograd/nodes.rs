//! The transforms from the data, pixels and taps of one tile and phase to their nodes, and the adjoints.

use crate::conv::channel_blocks::{Values, block};
use crate::matmul::Real;

/// Number of products that make a tile of 2 × 2 pixels.
pub(super) const NODES: usize = 9;
/// Number of phases: even and odd rows × even and odd columns.
pub(super) const PHASES: usize = 4;

/// Nine values of a 3 × 3 square, row by row.
pub(super) type Nine<T> = [T; NODES];

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

/// Transforms the 3 × 3 data of a tile in one phase to its nodes.
#[inline(always)]
pub(super) fn data_to_nodes<T: Real>(d: Nine<T>) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T, T) {
        (a - b, b, b - c)
    }
    in_both!(along, d)
}

/// The adjoint of [`data_to_nodes`].
#[inline(always)]
pub(super) fn nodes_to_data<T: Real>(m: Nine<T>) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T, T) {
        (a, b + c - a, -c)
    }
    in_both!(along, m)
}

/// Transforms the 2 × 2 pixels of a tile to the nodes that they are summed from.
#[inline(always)]
pub(super) fn tile_to_nodes<T: Real>(y: [T; 4]) -> Nine<T> {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T) -> (T, T, T) {
        (a, a + b, -b)
    }
    let (left, right) = (along(y[0], y[2]), along(y[1], y[3]));
    let (u, v, w) = (along(left.0, right.0), along(left.1, right.1), along(left.2, right.2));
    [u.0, u.1, u.2, v.0, v.1, v.2, w.0, w.1, w.2]
}

/// The adjoint of [`tile_to_nodes`]: sums the nodes to the pixels of a tile.
#[inline(always)]
pub(super) fn nodes_to_tile<T: Real>(m: Nine<T>) -> [T; 4] {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T) {
        (a + b, b - c)
    }
    let (a, b, c) = (along(m[0], m[3], m[6]), along(m[1], m[4], m[7]), along(m[2], m[5], m[8]));
    let (u, v) = (along(a.0, b.0, c.0), along(a.1, b.1, c.1));
    [u.0, u.1, v.0, v.1]
}

/// Transforms the 2 × 2 taps of a phase's filter to its nodes.
#[inline(always)]
pub(super) fn taps_to_nodes<T: Real>(g: [T; 4]) -> Nine<T> {
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
pub(super) fn nodes_to_taps<T: Real>(m: Nine<T>) -> [T; 4] {
    #[inline(always)]
    fn along<T: Real>(a: T, b: T, c: T) -> (T, T) {
        (a + b, b + c)
    }
    let (a, b, c) = (along(m[0], m[3], m[6]), along(m[1], m[4], m[7]), along(m[2], m[5], m[8]));
    let (u, v) = (along(a.0, b.0, c.0), along(a.1, b.1, c.1));
    [u.0, u.1, v.0, v.1]
}

/// The blocks at the same offset `at` of the nine nodes. `node` is the stride from one node to the next.
#[inline(always)]
pub(super) fn nine_blocks<T: Real>(from: &[T], node: usize, at: usize) -> [&Values<T>; NODES] {
    let mut blocks = [block(from, at); NODES];
    for i in 1..NODES {
        blocks[i] = block(from, i * node + at);
    }
    blocks
}
