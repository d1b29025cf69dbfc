//! The network on the CPU, with the kernels of dermagan-kernels.

use std::convert::Infallible;

use dermagan_kernels::conv::direct::{Depthwise, Filter, Image, Window};
use dermagan_kernels::{Buffer, Lane};
use rayon::prelude::*;

use super::architecture::{Block, DIMS, Layers, SIDE};
use super::weights::Weighted;

/// A convolution in the order that the kernels read.
#[derive(Debug)]
enum Conv {
    Dense(Filter),
    Depthwise(Depthwise),
}

/// The activations of one image, `[height, width, channels]`.
struct Activations {
    values: Buffer<f32>,
    extent: [usize; 2],
}

impl Conv {
    fn new(Weighted { spec, weight, bias }: Weighted) -> Self {
        let [_, channels, rows, columns] = spec.shape;
        let window =
            Window { kernel: [rows, columns], stride: spec.stride, padding: [spec.padding(); 2] };
        if spec.depthwise {
            return Self::Depthwise(Depthwise::new(&weight, &bias, window, spec.activation));
        }
        Self::Dense(Filter::new(&weight, &bias, channels, window, spec.activation))
    }

    fn apply(&self, image: Image<'_>) -> Activations {
        let (window, channels) = match self {
            Self::Dense(filter) => (filter.window(), filter.channels()),
            Self::Depthwise(filter) => (filter.window(), filter.channels()),
        };
        // Every side of the network is even where the stride is 2, so that every window fits its image.
        let extent = window.extent(image.extent).unwrap_or_default();
        let mut values = <f32 as Lane>::scratch(extent[0] * extent[1] * channels);
        match self {
            Self::Dense(filter) => filter.apply(image, &mut values, channels, 0),
            Self::Depthwise(filter) => filter.apply(image, &mut values),
        }
        Activations { values, extent }
    }
}

impl Activations {
    fn image(&self) -> Image<'_> {
        Image { values: &self.values, extent: self.extent }
    }
}

/// The network with its filters in the order that the kernels read.
#[derive(Debug)]
pub(super) struct CpuNetwork(Layers<Conv>);

impl CpuNetwork {
    pub(super) fn new(layers: Layers<Weighted>) -> Self {
        match layers.try_map(|conv| Ok::<_, Infallible>(Conv::new(conv))) {
            Ok(layers) => Self(layers),
        }
    }

    /// The features `[n, 1280]` of the standardised images `[n, 160, 160, 3]`.
    pub(super) fn forward(&self, images: &[f32]) -> Vec<f32> {
        // One task per image: its activations stay in the cache, and no thread waits at the end of a layer.
        let features = images.par_chunks_exact(SIDE * SIDE * 3).map(|values| {
            let stem = self.0.stem.apply(Image { values, extent: [SIDE; 2] });
            let last = self.0.blocks.iter().fold(stem, block);
            mean(&self.0.head.apply(last.image()).values)
        });
        features.flatten_iter().collect()
    }
}

/// Runs one block.
fn block(x: Activations, layers: &Block<Conv>) -> Activations {
    let wide = layers.expand.as_ref().map(|conv| conv.apply(x.image()));
    let alone = layers.depthwise.apply(wide.as_ref().unwrap_or(&x).image());
    let mut y = layers.project.apply(alone.image());
    if layers.skip {
        y.values.iter_mut().zip(x.values.iter()).for_each(|(y, x)| *y += x);
    }
    y
}

/// The mean of every channel over all pixels.
fn mean(values: &[f32]) -> Vec<f32> {
    let mut sums = [0.0; DIMS];
    for pixel in values.chunks_exact(DIMS) {
        sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += f64::from(*v));
    }
    let pixels = (values.len() / DIMS).max(1) as f64;
    sums.into_iter().map(|sum| (sum / pixels) as f32).collect()
}
