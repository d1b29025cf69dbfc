//! Filters to the operands of the products, and sums of products to filters.

use rayon::prelude::*;

use super::nodes::{
    BLOCK, Values, block, block_mut, lanewise, nine_blocks, nodes_to_taps, taps_to_nodes,
};
use super::{NODES, PHASES};
use crate::gemm::{PANEL, padded};
use crate::lane::{Lane, Real};
use crate::scratch::Buffer;
use crate::shape::{SIDE, Shape, TAPS};
use crate::vectorised::vectorised;

/// Tap (a, b) of a phase's 2 × 2 filter in the 4 × 4 one.
pub(super) fn tap(phase: usize, a: usize, b: usize) -> usize {
    (phase / 2 + 2 * a) * SIDE + phase % 2 + 2 * b
}

/// Taps of `BLOCK` filters, turned: filter j starts at `at + j * stride`.
#[inline(always)]
pub(super) fn turn<T: Real>(filter: &[T], at: usize, stride: usize) -> [Values<T>; TAPS] {
    let mut taps = [[T::default(); BLOCK]; TAPS];
    T::turn(&filter[at..], stride, taps.as_flattened_mut(), BLOCK);
    taps
}

/// All nodes of `BLOCK` filters in every phase, into the `i`th of a pair of summed channels. Filter j
/// starts at `at + j * stride`.
#[inline(always)]
pub(super) fn filter_nodes<T: Real>(
    filter: &[T],
    at: usize,
    stride: usize,
    i: usize,
    pair: &mut [[[Values<T>; 2]; NODES]; PHASES],
) {
    let taps = turn(filter, at, stride);
    let mut nodes = [[T::default(); BLOCK]; NODES];
    // Indices here and below: iterators over nine blocks are not unrolled, and each costs a call.
    for phase in 0..PHASES {
        let g = [
            &taps[tap(phase, 0, 0)],
            &taps[tap(phase, 0, 1)],
            &taps[tap(phase, 1, 0)],
            &taps[tap(phase, 1, 1)],
        ];
        lanewise!(taps_to_nodes, [0 1 2 3] of g, nodes);
        for node in 0..NODES {
            pair[phase][node][i] = nodes[node];
        }
    }
}

vectorised! {
    /// One panel of the filter for large → small. `nodes` are that panel in each node: rows (phase,
    /// channel) lanes, columns `first..` of `deep`.
    pub(super) fn down_panel[L: Lane](
        shape: Shape, filter: &[L::Real], first: usize, nodes: &mut [&mut [L]],
    ) {
        let mut pair = [[[[L::Real::default(); BLOCK]; 2]; NODES]; PHASES];
        for half in (0..PANEL.min(shape.deep - first)).step_by(BLOCK) {
            for channel in (0..shape.wide).step_by(L::PER) {
                for i in 0..L::PER {
                    let at = ((first + half) * shape.wide + channel + i) * TAPS;
                    filter_nodes(filter, at, shape.wide * TAPS, i, &mut pair);
                }
                for phase in 0..PHASES {
                    let to = (phase * shape.wide + channel) / L::PER * PANEL + half;
                    for node in 0..NODES {
                        L::pack_block(&pair[phase][node], block_mut(&mut *nodes[node], to));
                    }
                }
            }
        }
    }
}

vectorised! {
    /// One panel of the filter for small → large. `panels` are the same channels `first..` in each
    /// (node, phase): rows `deep` lanes, columns channels.
    pub(super) fn up_panel[L: Lane](
        shape: Shape, filter: &[L::Real], first: usize, panels: &mut [&mut [L]],
    ) {
        let mut pair = [[[[L::Real::default(); BLOCK]; 2]; NODES]; PHASES];
        for half in (0..PANEL.min(shape.wide - first)).step_by(BLOCK) {
            for deep in (0..shape.deep).step_by(L::PER) {
                for i in 0..L::PER {
                    let at = ((deep + i) * shape.wide + first + half) * TAPS;
                    filter_nodes(filter, at, TAPS, i, &mut pair);
                }
                for phase in 0..PHASES {
                    for node in 0..NODES {
                        let to = &mut *panels[node * PHASES + phase];
                        let to = block_mut(to, deep / L::PER * PANEL + half);
                        L::pack_block(&pair[phase][node], to);
                    }
                }
            }
        }
    }
}

/// The filter for large → small: for each node panels of `deep` columns, rows (phase, channel).
pub(super) fn down_filter<L: Lane>(shape: &Shape, filter: &[L::Real]) -> Buffer<L> {
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
pub(super) fn up_filter<L: Lane>(shape: &Shape, filter: &[L::Real]) -> Buffer<L> {
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

vectorised! {
    /// From the sums [node, …] of a part to its taps [(a, b), …].
    pub(super) fn sums_to_taps[T: Real](sums: &[T], taps: &mut [T]) {
        let (from, to) = (sums.len() / NODES, taps.len() / 4);
        let mut values = [[T::default(); BLOCK]; 4];
        for at in (0..from).step_by(BLOCK) {
            let m = nine_blocks(sums, from, at);
            lanewise!(nodes_to_taps, [0 1 2 3 4 5 6 7 8] of m, values);
            for i in 0..4 {
                *block_mut(taps, i * to + at) = values[i];
            }
        }
    }
}

vectorised! {
    /// `BLOCK` filters from `first` on, out of the parts' taps.
    pub(super) fn turn_back[T: Real](
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
            let to = &mut filters[channel * TAPS..];
            T::turn(turned.as_flattened(), BLOCK, to, shape.wide * TAPS);
        }
    }
}
