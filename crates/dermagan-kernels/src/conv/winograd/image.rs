//! Images to the operands of the products, and products to images.

use super::nodes::{
    NODES, Nine, PHASES, data_to_nodes, nine_blocks, nodes_to_data, nodes_to_tile, tile_to_nodes,
};
use crate::conv::channel_blocks::{BLOCK, Values, block, block_mut, lanewise};
use crate::conv::shape::Shape;
use crate::matmul::{Lane, PANEL, Real, padded};
use crate::vectorised::vectorised;

/// Number of tiles per image.
pub(super) fn tiles(shape: &Shape) -> usize {
    shape.height * shape.width / 4
}

/// Offsets in a large image of the 3 × 3 data of a tile and phase; `NOWHERE` in the padding.
#[inline(always)]
fn large_places(shape: &Shape, tile: usize, phase: usize) -> Nine<usize> {
    let (across, height, width) = (shape.width / 2, 2 * shape.height, 2 * shape.width);
    let (top, left) = (4 * (tile / across) + phase / 2, 4 * (tile % across) + phase % 2);
    let mut places = [NOWHERE; NODES];
    for i in 0..3 {
        for j in 0..3 {
            // Row and column count from 1, so that the padding is row and column 0.
            let (row, column) = (top + 2 * i, left + 2 * j);
            if row >= 1 && row <= height && column >= 1 && column <= width {
                places[3 * i + j] = ((row - 1) * width + column - 1) * shape.wide;
            }
        }
    }
    places
}

/// The offset of data in the padding.
const NOWHERE: usize = usize::MAX;

/// Offsets in a small image of the 2 × 2 pixels of a tile.
#[inline(always)]
fn small_places(shape: &Shape, tile: usize) -> [usize; 4] {
    let across = shape.width / 2;
    let (top, left) = (2 * (tile / across), 2 * (tile % across));
    let first = (top * shape.width + left) * shape.deep;
    let below = first + shape.width * shape.deep;
    [first, first + shape.deep, below, below + shape.deep]
}

/// The nodes of a large image's data at `places`, for the block of channels that starts at `channel`.
#[inline(always)]
fn large_nodes<T: Real>(
    image: &[T],
    places: &Nine<usize>,
    channel: usize,
    nodes: &mut [Values<T>; NODES],
) {
    let zero = [T::default(); BLOCK];
    let mut data = [&zero; NODES];
    // Loops over indices, as in `filter`: iterators over nine blocks are not unrolled.
    for i in 0..NODES {
        if places[i] != NOWHERE {
            data[i] = block(image, places[i] + channel);
        }
    }
    lanewise!(data_to_nodes, [0 1 2 3 4 5 6 7 8] of data, *nodes);
}

/// The nodes of a small image's pixels at `places`, for the block of channels that starts at `channel`.
#[inline(always)]
fn small_nodes<T: Real>(
    image: &[T],
    places: &[usize; 4],
    channel: usize,
    nodes: &mut [Values<T>; NODES],
) {
    let [a, b, c, d] = places;
    let pixels = [
        block(image, a + channel),
        block(image, b + channel),
        block(image, c + channel),
        block(image, d + channel),
    ];
    lanewise!(tile_to_nodes, [0 1 2 3] of pixels, *nodes);
}

vectorised! {
    /// Computes all nodes of all tiles of large images. `into` is `[node, tile, (phase, channel)]`.
    pub(super) fn large_rows[L: Lane](shape: Shape, images: &[L::Real], into: &mut [L]) {
        let row = PHASES * shape.wide / L::PER;
        let node = into.len() / NODES;
        let mut nodes = [[L::Real::default(); BLOCK]; NODES];
        let mut at = 0;
        for image in images.chunks_exact(shape.large()) {
            for tile in 0..tiles(&shape) {
                for phase in 0..PHASES {
                    let places = large_places(&shape, tile, phase);
                    for channel in (0..shape.wide).step_by(BLOCK) {
                        large_nodes(image, &places, channel, &mut nodes);
                        let to = at + (phase * shape.wide + channel) / L::PER;
                        for i in 0..NODES {
                            L::pack_row(&nodes[i], &mut into[i * node + to..][..BLOCK / L::PER]);
                        }
                    }
                }
                at += row;
            }
        }
    }
}

vectorised! {
    /// Computes all nodes of all tiles of small images. `into` is `[node, tile, channel]`.
    pub(super) fn small_rows[L: Lane](shape: Shape, images: &[L::Real], into: &mut [L]) {
        let row = shape.deep / L::PER;
        let node = into.len() / NODES;
        let mut nodes = [[L::Real::default(); BLOCK]; NODES];
        let mut at = 0;
        for image in images.chunks_exact(shape.small()) {
            for tile in 0..tiles(&shape) {
                let places = small_places(&shape, tile);
                for channel in (0..shape.deep).step_by(BLOCK) {
                    small_nodes(image, &places, channel, &mut nodes);
                    for i in 0..NODES {
                        let to = i * node + at + channel / L::PER;
                        L::pack_row(&nodes[i], &mut into[to..][..BLOCK / L::PER]);
                    }
                }
                at += row;
            }
        }
    }
}

vectorised! {
    /// Makes small images of the products `[node, tile, channel]`.
    pub(super) fn into_small[T: Real](shape: Shape, products: &[T], images: &mut [T]) {
        let node = products.len() / NODES;
        let mut pixels = [[T::default(); BLOCK]; 4];
        let mut at = 0;
        for image in images.chunks_exact_mut(shape.small()) {
            for tile in 0..tiles(&shape) {
                let places = small_places(&shape, tile);
                for channel in (0..shape.deep).step_by(BLOCK) {
                    let m = nine_blocks(products, node, at + channel);
                    lanewise!(nodes_to_tile, [0 1 2 3 4 5 6 7 8] of m, pixels);
                    for i in 0..4 {
                        *block_mut(image, places[i] + channel) = pixels[i];
                    }
                }
                at += shape.deep;
            }
        }
    }
}

vectorised! {
    /// Adds the products `[node, tile, channel of the part]`, with `PANEL` channels per tile, to large images.
    pub(super) fn into_large[T: Real](shape: Shape, products: &[T], part: Part, images: &mut [T]) {
        let node = products.len() / NODES;
        let mut data = [[T::default(); BLOCK]; NODES];
        let mut at = 0;
        for image in images.chunks_exact_mut(shape.large()) {
            for tile in 0..tiles(&shape) {
                let places = large_places(&shape, tile, part.phase);
                for channel in (0..part.channels).step_by(BLOCK) {
                    let m = nine_blocks(products, node, at + channel);
                    lanewise!(nodes_to_data, [0 1 2 3 4 5 6 7 8] of m, data);
                    for i in 0..NODES {
                        if places[i] != NOWHERE {
                            let to = block_mut(image, places[i] + part.first + channel);
                            for lane in 0..BLOCK {
                                to[lane] += data[i][lane];
                            }
                        }
                    }
                }
                at += PANEL;
            }
        }
    }
}

/// A range of the large image's channels in one phase.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) phase: usize,
    /// The first channel.
    pub(super) first: usize,
    /// Number of channels.
    pub(super) channels: usize,
}

vectorised! {
    /// The operand of a filter's gradient that comes from large images. `into` is
    /// `[node, tile / PER, channel of the part]`.
    pub(super) fn large_columns[L: Lane](shape: Shape, images: &[L::Real], part: Part, into: &mut [L]) {
        let node = into.len() / NODES;
        let mut at = 0;
        let mut rows = [[[L::Real::default(); BLOCK]; 2]; NODES];
        let mut nodes = [[L::Real::default(); BLOCK]; NODES];
        for image in images.chunks_exact(shape.large()) {
            for tile in (0..tiles(&shape)).step_by(L::PER) {
                let next = tile + L::PER - 1;
                let places = [
                    large_places(&shape, tile, part.phase),
                    large_places(&shape, next, part.phase),
                ];
                for channel in (0..part.channels).step_by(BLOCK) {
                    for t in 0..L::PER {
                        large_nodes(image, &places[t], part.first + channel, &mut nodes);
                        for i in 0..NODES {
                            rows[i][t] = nodes[i];
                        }
                    }
                    for i in 0..NODES {
                        L::pack_block(&rows[i], block_mut(into, i * node + at + channel));
                    }
                }
                at += part.channels;
            }
        }
    }
}

vectorised! {
    /// The operand of a filter's gradient that comes from small images. `into` is `[node, tile / PER, channel]`, with
    /// channels padded to whole panels.
    pub(super) fn small_columns[L: Lane](shape: Shape, images: &[L::Real], into: &mut [L]) {
        let node = into.len() / NODES;
        let mut at = 0;
        let mut rows = [[[L::Real::default(); BLOCK]; 2]; NODES];
        let mut nodes = [[L::Real::default(); BLOCK]; NODES];
        for image in images.chunks_exact(shape.small()) {
            for tile in (0..tiles(&shape)).step_by(L::PER) {
                let next = tile + L::PER - 1;
                let places = [
                    small_places(&shape, tile),
                    small_places(&shape, next),
                ];
                for channel in (0..shape.deep).step_by(BLOCK) {
                    for t in 0..L::PER {
                        small_nodes(image, &places[t], channel, &mut nodes);
                        for i in 0..NODES {
                            rows[i][t] = nodes[i];
                        }
                    }
                    for i in 0..NODES {
                        L::pack_block(&rows[i], block_mut(into, i * node + at + channel));
                    }
                }
                at += padded(shape.deep);
            }
        }
    }
}
