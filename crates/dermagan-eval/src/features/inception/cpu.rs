//! Inception v3 on the CPU. Its filters are reordered once for the kernels of dermagan-kernels. Burn's
//! convolutions take three times as long (2.9 images per second against 9.3 on two cores at level `avx2`).

use std::convert::Infallible;

use dermagan_kernels::Lane;
use dermagan_kernels::conv::direct::{Activation, Filter, Image, Pool, Window, pool};
use rayon::prelude::*;

use super::architecture::Op;
use super::folded::Folded;
use super::resize::SIDE;

/// The network with its filters in the order that the kernels read.
#[derive(Debug)]
pub(super) struct CpuNetwork(Vec<Op<Filter>>);

impl CpuNetwork {
    /// Reorders the filters of a table of layers.
    pub(super) fn new(parts: Vec<Op<Folded>>) -> Self {
        let mut filter = |folded: Folded| {
            let [_, channels, rows, columns] = folded.shape;
            let Folded { weight, bias, stride, padding, .. } = folded;
            let window = Window::symmetric([rows, columns], stride, padding);
            Ok::<_, Infallible>(Filter::new(&weight, &bias, channels, window, Activation::Relu))
        };
        let parts = parts.into_iter().map(|part| match part.try_map(&mut filter) {
            Ok(part) => part,
        });
        Self(parts.collect())
    }

    /// The features `[n, 2048]` of the images `[n, 299, 299, 3]` in [-1, 1].
    pub(super) fn forward(&self, images: &[f32]) -> Vec<f32> {
        // One task per image: its activations stay in the cache, and no thread waits at the end of a layer.
        let features = images.par_chunks_exact(SIDE * SIDE * 3).map(|values| {
            let image = Image { values, extent: [SIDE; 2] };
            let (extent, channels) = shape(&self.0, image.extent, 3);
            let mut last = vec![0.0; extent[0] * extent[1] * channels];
            run(&self.0, image, 3, &mut last, channels, 0);
            mean(&last, channels)
        });
        features.flatten_iter().collect()
    }
}

/// The mean of every channel over all pixels.
fn mean(values: &[f32], channels: usize) -> Vec<f32> {
    let mut sums = vec![0.0; channels];
    for pixel in values.chunks_exact(channels) {
        sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    let pixels = (values.len() / channels).max(1) as f64;
    sums.into_iter().map(|sum| (sum / pixels) as f32).collect()
}

/// The window of a pooling layer.
fn window(part: &Op<Filter>) -> Window {
    let (stride, padding) = match part {
        Op::MaxPool { stride, padding } => (*stride, *padding),
        _ => (1, 1),
    };
    Window::symmetric([3; 2], stride, [padding; 2])
}

/// The extent (rows and columns) and the number of channels of the output of `parts`.
fn shape(parts: &[Op<Filter>], extent: [usize; 2], channels: usize) -> ([usize; 2], usize) {
    parts.iter().fold((extent, channels), |(extent, channels), part| match part {
        Op::Conv(filter) => (after(filter.window(), extent), filter.channels()),
        Op::MaxPool { .. } | Op::AvgPool => (after(window(part), extent), channels),
        Op::Concat(branches) => {
            let shapes = branches.iter().map(|branch| shape(branch, extent, channels));
            shapes.reduce(|(extent, sum), (_, n)| (extent, sum + n)).unwrap_or((extent, 0))
        }
    })
}

/// The output extent of a window. Images are 299×299, so every window of the table fits its input.
fn after(window: Window, extent: [usize; 2]) -> [usize; 2] {
    window.extent(extent).unwrap_or_default()
}

/// Runs layers one after another. The last one writes its channels into `into`, starting at channel
/// `first`; each pixel of `into` has `row` channels.
fn run(
    parts: &[Op<Filter>],
    image: Image<'_>,
    channels: usize,
    into: &mut [f32],
    row: usize,
    first: usize,
) {
    let [part, rest @ ..] = parts else { return };
    if rest.is_empty() {
        return one(part, image, channels, into, row, first);
    }
    let (extent, n) = shape(std::slice::from_ref(part), image.extent, channels);
    let mut values = <f32 as Lane>::scratch(extent[0] * extent[1] * n);
    one(part, image, channels, &mut values, n, 0);
    run(rest, Image { values: &values, extent }, n, into, row, first);
}

/// Runs one layer, with the same output arguments as [`run`].
fn one(
    part: &Op<Filter>,
    image: Image<'_>,
    channels: usize,
    into: &mut [f32],
    row: usize,
    mut first: usize,
) {
    match part {
        Op::Conv(filter) => filter.apply(image, into, row, first),
        Op::MaxPool { .. } => pool(Pool::Max, window(part), image, channels, into, row, first),
        Op::AvgPool => pool(Pool::Mean, window(part), image, channels, into, row, first),
        Op::Concat(branches) => {
            for branch in branches {
                run(branch, image, channels, into, row, first);
                first += shape(branch, image.extent, channels).1;
            }
        }
    }
}
