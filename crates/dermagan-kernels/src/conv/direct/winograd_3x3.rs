//! 3 × 3 convolutions with stride 1 by minimal filtering (Winograd 1980; Lavin and Gray 2016 call it F(2 × 2, 3 × 3)),
//! forward only. It needs 16 products for 2 × 2 pixels of the result instead of 36. A *tile* is 2 × 2 pixels of the
//! result, and a *node* is one of the 16 products.

use rayon::prelude::*;

use super::activation::Activation;
use super::window::{Image, Window};
use crate::conv::channel_blocks::{BLOCK, Values, block, block_mut, lanewise};
use crate::matmul::{Extents, Into, Lane, Left, Out, PANEL, Right, gemm, pack, panels};
use crate::scratch::Buffer;
use crate::vectorised::vectorised;

/// Number of products per tile.
const NODES: usize = 16;
/// Number of tiles per task: enough rows for the products to use the filter well.
const TILES: usize = 40;
/// The transform of a filter along one side: four nodes of three taps.
const TAPS: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];

/// Whether this method serves a convolution.
pub(crate) fn serves(window: Window, channels: usize) -> bool {
    window.kernel == [3, 3] && window.stride == 1 && channels.is_multiple_of(BLOCK)
}

/// A filter whose nodes are packed once for any number of images.
#[derive(Debug)]
pub(crate) struct Filter {
    /// The panels of a right operand for each node.
    packed: Buffer<f32>,
    channels: usize,
}

impl Filter {
    /// Packs a filter `[n, channels, 3, 3]`.
    pub(crate) fn new(filter: &[f32], n: usize, channels: usize) -> Self {
        let node = panels(channels, n);
        let mut packed = <f32 as Lane>::scratch(NODES * node);
        for (at, into) in packed.chunks_exact_mut(node).enumerate() {
            let (rows, columns) = (TAPS[at / 4], TAPS[at % 4]);
            let (values, _) = pack::<f32>(channels, n, |k, o| {
                let taps = &filter[(o * channels + k) * 9..][..9];
                let sum =
                    |a: usize| (0..3).map(|b| f64::from(taps[3 * a + b]) * columns[b]).sum::<f64>();
                (0..3).map(|a| sum(a) * rows[a]).sum::<f64>() as f32
            });
            into.copy_from_slice(&values);
        }
        Self { packed, channels }
    }

    /// Computes the activation of image ∗ filter + bias, as `Filter::apply` of `filter.rs`, which has checked the extents
    /// of image and result. `extent` is that of the result.
    pub(crate) fn apply(
        &self,
        window: Window,
        image: Image<'_>,
        (bias, activation): (&[f32], Activation),
        (into, row, first): (&mut [f32], usize, usize),
        extent: [usize; 2],
    ) {
        let (k, n) = (self.channels, bias.len());
        let across = extent[1].div_ceil(2);
        // A task is a number of whole rows of tiles.
        let high = (TILES / across).max(1);
        into.par_chunks_mut(2 * high * extent[1] * row).enumerate().for_each(|(task, into)| {
            let rows = into.len() / (extent[1] * row);
            let m = rows.div_ceil(2) * across;
            let mut left = <f32 as Lane>::scratch(NODES * m * k);
            data_nodes(window, image, k, [task * high, across], &mut left);
            // Compute a panel of all nodes at once, so that their products stay in the cache until they are added.
            let mut products = <f32 as Lane>::scratch(NODES * m * PANEL);
            for from in (0..n).step_by(PANEL) {
                let width = PANEL.min(n - from);
                for node in 0..NODES {
                    let b = &self.packed[node * panels(k, n) + from * k..];
                    let a = Left { data: &left[node * m * k..], row: k, col: 1 };
                    let b = Right { data: b, panel: k * PANEL, row: PANEL };
                    let mut c = Out { data: &mut products[node * m * PANEL..], row: PANEL };
                    gemm(Extents { m, n: width, k }, a, b, &mut c, Into::Replace);
                }
                let place = Place { width: extent[1], row, first: first + from };
                into_pixels(&products, &bias[from..][..width], activation, place, into);
            }
        });
    }
}

/// The nodes of a tile's 4 × 4 data. The loops are unrolled by hand, here and below: `map` over an array is not inlined,
/// and then the compiler does not vectorise.
#[inline(always)]
fn data_to_nodes(d: [f32; 16]) -> [f32; 16] {
    #[inline(always)]
    fn along(a: f32, b: f32, c: f32, d: f32) -> [f32; 4] {
        [a - c, b + c, c - b, b - d]
    }
    let a = along(d[0], d[4], d[8], d[12]);
    let b = along(d[1], d[5], d[9], d[13]);
    let c = along(d[2], d[6], d[10], d[14]);
    let e = along(d[3], d[7], d[11], d[15]);
    let p = along(a[0], b[0], c[0], e[0]);
    let q = along(a[1], b[1], c[1], e[1]);
    let r = along(a[2], b[2], c[2], e[2]);
    let s = along(a[3], b[3], c[3], e[3]);
    [p[0], p[1], p[2], p[3], q[0], q[1], q[2], q[3], r[0], r[1], r[2], r[3], s[0], s[1], s[2], s[3]]
}

/// The 2 × 2 pixels of a tile from its nodes.
#[inline(always)]
fn nodes_to_tile(m: [f32; 16]) -> [f32; 4] {
    #[inline(always)]
    fn along(a: f32, b: f32, c: f32, d: f32) -> [f32; 2] {
        [a + b + c, b - c - d]
    }
    let a = along(m[0], m[4], m[8], m[12]);
    let b = along(m[1], m[5], m[9], m[13]);
    let c = along(m[2], m[6], m[10], m[14]);
    let e = along(m[3], m[7], m[11], m[15]);
    let (upper, lower) = (along(a[0], b[0], c[0], e[0]), along(a[1], b[1], c[1], e[1]));
    [upper[0], upper[1], lower[0], lower[1]]
}

vectorised! {
    /// Computes all nodes of the tiles that start at a row of tiles. `first` is that row and the number of tiles per row;
    /// `into` is `[node, tile, channel]`.
    fn data_nodes[](
        window: Window, image: Image<'_>, channels: usize, first: [usize; 2], into: &mut [f32],
    ) {
        let [top, across] = first;
        let node = into.len() / NODES;
        let zero = [0.0; BLOCK];
        let mut nodes: [Values<f32>; NODES] = [zero; NODES];
        for tile in 0..node / channels {
            let (i, j) = (2 * (top + tile / across), 2 * (tile % across));
            // Offsets of the tile's data in the image; `None` in the padding.
            let mut places = [None; NODES];
            for u in 0..4 {
                for v in 0..4 {
                    let (r, c) = (i + u, j + v);
                    let [[above, _], [before, _]] = window.padding;
                    let inside = r >= above && r < image.extent[0] + above
                        && c >= before && c < image.extent[1] + before;
                    if inside {
                        let pixel = (r - above) * image.extent[1] + c - before;
                        places[4 * u + v] = Some(pixel * channels);
                    }
                }
            }
            for channel in (0..channels).step_by(BLOCK) {
                let mut data = [&zero; NODES];
                for at in 0..NODES {
                    if let Some(place) = places[at] {
                        data[at] = block(image.values, place + channel);
                    }
                }
                lanewise!(data_to_nodes, [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] of data, nodes);
                for at in 0..NODES {
                    *block_mut(into, at * node + tile * channels + channel) = nodes[at];
                }
            }
        }
    }
}

/// The place of a panel's channels in the result.
#[derive(Clone, Copy)]
struct Place {
    /// Number of pixels per row of the result.
    width: usize,
    /// Number of channels per pixel.
    row: usize,
    /// The panel's first channel.
    first: usize,
}

vectorised! {
    /// Computes the activation of pixels + bias from the products `[node, tile, channel of the panel]` of whole rows of tiles.
    fn into_pixels[](
        products: &[f32], bias: &[f32], activation: Activation, place: Place, into: &mut [f32],
    ) {
        let node = products.len() / NODES;
        let across = place.width.div_ceil(2);
        let mut tile_pixels: [Values<f32>; 4] = [[0.0; BLOCK]; 4];
        for tile in 0..node / PANEL {
            let (i, j) = (2 * (tile / across), 2 * (tile % across));
            for channel in (0..bias.len()).step_by(BLOCK) {
                let bias = &bias[channel..bias.len().min(channel + BLOCK)];
                let mut m = [block(products, 0); NODES];
                for at in 0..NODES {
                    m[at] = block(products, at * node + tile * PANEL + channel);
                }
                lanewise!(nodes_to_tile, [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] of m, tile_pixels);
                for at in 0..4 {
                    let (i, j) = (i + at / 2, j + at % 2);
                    let to = (i * place.width + j) * place.row + place.first + channel;
                    // The last row or column of an odd extent has no second pixel.
                    if j >= place.width || to >= into.len() {
                        continue;
                    }
                    let (to, from) = (&mut into[to..][..bias.len()], &tile_pixels[at][..bias.len()]);
                    for c in 0..bias.len() {
                        to[c] = activation.of(from[c] + bias[c]);
                    }
                }
            }
        }
    }
}
