//! Filters to the operands of the products, and sums of products to filters.

use rayon::prelude::*;

use super::nodes::{NODES, PHASES, nine_blocks, nodes_to_taps, taps_to_nodes};
use crate::conv::channel_blocks::{BLOCK, Values, block, block_mut, lanewise};
use crate::conv::shape::{SIDE, Shape, TAPS};
use crate::matmul::{Lane, PANEL, Real, padded};
use crate::scratch::Buffer;
use crate::vectorised::vectorised;

/// Index in the 4 × 4 filter of tap (a, b) of a phase's 2 × 2 filter.
fn tap(phase: usize, a: usize, b: usize) -> usize {
    (phase / 2 + 2 * a) * SIDE + phase % 2 + 2 * b
}

/// The taps of `BLOCK` filters, transposed to [tap, filter]. Filter j starts at `at + j * stride`.
#[inline(always)]
fn transposed_taps<T: Real>(filter: &[T], at: usize, stride: usize) -> [Values<T>; TAPS] {
    let mut taps = [[T::default(); BLOCK]; TAPS];
    T::transpose(&filter[at..], stride, taps.as_flattened_mut(), BLOCK);
    taps
}

/// Writes all nodes of `BLOCK` filters in every phase to element `i` of a pair of summed channels. Filter j starts at
/// `at + j * stride`.
#[inline(always)]
fn filter_nodes<T: Real>(
    filter: &[T],
    at: usize,
    stride: usize,
    i: usize,
    pair: &mut [[[Values<T>; 2]; NODES]; PHASES],
) {
    let taps = transposed_taps(filter, at, stride);
    let mut nodes = [[T::default(); BLOCK]; NODES];
    // Loops over indices, here and below: iterators over nine blocks are not unrolled, and each costs a call.
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
    /// Packs one panel of the filter for `down`. `nodes` holds that panel for each node: its rows are lanes of (phase,
    /// channel), its columns are `first..` of `deep`.
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
    /// Packs one panel of the filter for `up`. `panels` holds the same channels `first..` for each (node, phase): its
    /// rows are lanes of `deep`, its columns are channels.
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

/// Packs the filter for `down`: for each node the panels of `deep` columns, with rows of (phase, channel).
pub(super) fn down_filter<L: Lane>(shape: &Shape, filter: &[L::Real]) -> Buffer<L> {
    let rows = PHASES * shape.wide / L::PER;
    let each = padded(shape.deep) / PANEL;
    let mut packed = L::scratch(NODES * each * rows * PANEL);
    // A task is the same panel of all nodes.
    let mut tasks: Vec<Vec<&mut [L]>> = (0..each).map(|_| Vec::new()).collect();
    for (at, panel) in packed.chunks_mut(rows * PANEL).enumerate() {
        tasks[at % each].push(panel);
    }
    tasks.par_iter_mut().enumerate().for_each(|(p, nodes)| {
        down_panel(*shape, filter, p * PANEL, nodes);
    });
    packed
}

/// Packs the filter for `up`: for each node the panels of (phase, channel) columns, with rows of `deep`. The channels of
/// each phase are padded to whole panels.
pub(super) fn up_filter<L: Lane>(shape: &Shape, filter: &[L::Real]) -> Buffer<L> {
    let rows = shape.deep / L::PER;
    let each = padded(shape.wide) / PANEL;
    let mut packed = L::scratch(NODES * PHASES * each * rows * PANEL);
    // A task is the panel of the same channels of all nodes and phases.
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
    /// Transforms the sums `[node, …]` of a part to its taps `[(a, b), …]`.
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
    /// Makes `BLOCK` filters, from `first` on, of the taps of all parts.
    pub(super) fn taps_to_filters[T: Real](
        shape: Shape, taps: &[T], channels: usize, first: usize, filters: &mut [T],
    ) {
        let n = padded(shape.deep);
        for channel in 0..shape.wide {
            let (part, within) = (channel / channels, channel % channels);
            let parts = shape.wide / channels;
            let mut transposed = [[T::default(); BLOCK]; TAPS];
            for phase in 0..PHASES {
                for i in 0..4 {
                    let row = ((phase * parts + part) * 4 + i) * channels + within;
                    transposed[tap(phase, i / 2, i % 2)] = *block(taps, row * n + first);
                }
            }
            let to = &mut filters[channel * TAPS..];
            T::transpose(transposed.as_flattened(), BLOCK, to, shape.wide * TAPS);
        }
    }
}
