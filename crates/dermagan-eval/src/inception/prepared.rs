//! Inception v3 on the CPU, its filters laid out once for dermagan's own kernels. Burn's convolutions take three
//! times as long (2.9 images per second beside 9.3 on two cores at level `avx2`).

use std::convert::Infallible;

use dermagan_kernels::direct::{Filter, Image, Pool, Window, pool};
use dermagan_kernels::lane::Lane;
use rayon::prelude::*;

use super::folded::Folded;
use super::plan::Part;
use super::resize::SIDE;

/// The network, ready for any number of images.
#[derive(Debug)]
pub(super) struct Prepared(Vec<Part<Filter>>);

impl Prepared {
    /// From the table of its convolutions.
    pub(super) fn new(parts: Vec<Part<Folded>>) -> Self {
        let mut filter = |folded: Folded| {
            let [_, channels, rows, columns] = folded.shape;
            let Folded { weight, bias, stride, padding, .. } = folded;
            let window = Window { kernel: [rows, columns], stride, padding };
            Ok::<_, Infallible>(Filter::new(&weight, &bias, channels, window))
        };
        let parts = parts.into_iter().map(|part| match part.try_map(&mut filter) {
            Ok(part) => part,
        });
        Self(parts.collect())
    }

    /// The features of images `[299, 299, 3]` in [-1, 1], one after another: 2048 values for each.
    pub(super) fn forward(&self, images: &[f32]) -> Vec<f32> {
        // One image a task: its activations stay in the cache, and no thread waits at the end of a layer.
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

/// The window of a pool.
fn window(part: &Part<Filter>) -> Window {
    let (stride, padding) = match part {
        Part::Max { stride, padding } => (*stride, *padding),
        _ => (1, 1),
    };
    Window { kernel: [3; 2], stride, padding: [padding; 2] }
}

/// Rows and columns, and channels, of what parts make of an image.
fn shape(parts: &[Part<Filter>], extent: [usize; 2], channels: usize) -> ([usize; 2], usize) {
    parts.iter().fold((extent, channels), |(extent, channels), part| match part {
        Part::Conv(filter) => (after(filter.window(), extent), filter.channels()),
        Part::Max { .. } | Part::Mean => (after(window(part), extent), channels),
        Part::Beside(branches) => {
            let shapes = branches.iter().map(|branch| shape(branch, extent, channels));
            shapes.reduce(|(extent, sum), (_, n)| (extent, sum + n)).unwrap_or((extent, 0))
        }
    })
}

/// Images are 299 × 299, so every window of the table fits its input.
fn after(window: Window, extent: [usize; 2]) -> [usize; 2] {
    window.extent(extent).unwrap_or_default()
}

/// Runs parts one after another; the last writes the channels from `first` on of `into`, whose pixels have
/// `row` channels each.
fn run(
    parts: &[Part<Filter>],
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

/// Runs one part.
fn one(
    part: &Part<Filter>,
    image: Image<'_>,
    channels: usize,
    into: &mut [f32],
    row: usize,
    mut first: usize,
) {
    match part {
        Part::Conv(filter) => filter.apply(image, into, row, first),
        Part::Max { .. } => pool(Pool::Max, window(part), image, channels, into, row, first),
        Part::Mean => pool(Pool::Mean, window(part), image, channels, into, row, first),
        Part::Beside(branches) => {
            for branch in branches {
                run(branch, image, channels, into, row, first);
                first += shape(branch, image.extent, channels).1;
            }
        }
    }
}
