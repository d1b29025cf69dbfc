//! The network forward, with the kernels of dermagan-kernels.

use std::convert::Infallible;

use dermagan_kernels::conv::direct::{Activation, Depthwise, Filter, Image, Window};
use dermagan_kernels::{Buffer, Lane};
use rayon::prelude::*;

use super::architecture::{Block, ConvSpec, DIMS, Layers};
use super::weights::{self, Weighted};
use crate::ops::Precision;

/// A convolution in the order that the kernels read.
#[derive(Debug)]
pub(super) enum Conv {
    Dense(Filter),
    Depthwise(Depthwise),
}

/// Values of one image, `[height, width, channels]`.
pub(super) struct Activations {
    pub values: Buffer<f32>,
    pub extent: [usize; 2],
}

impl ConvSpec {
    /// The window of the convolution.
    pub(super) fn window(&self) -> Window {
        let [_, _, rows, columns] = self.shape;
        Window { kernel: [rows, columns], stride: self.stride, padding: [self.padding(); 2] }
    }
}

impl Conv {
    fn new(Weighted { spec, weight, bias }: Weighted, precision: Precision) -> Self {
        let (window, channels, activation) = (spec.window(), spec.shape[1], spec.activation);
        match spec.depthwise {
            true => Self::Depthwise(Depthwise::new(&weight, &bias, window, activation)),
            false if window.kernel == [1; 2] => {
                Self::Dense(of_pixels([&weight, &bias], channels, activation, precision))
            }
            false => Self::Dense(Filter::new(&weight, &bias, channels, window, activation)),
        }
    }

    pub(super) fn apply(&self, image: Image<'_>) -> Activations {
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

/// The 1×1 convolution with this filter and bias in the number format of its products.
pub(super) fn of_pixels(
    [filter, bias]: [&[f32]; 2],
    channels: usize,
    activation: Activation,
    precision: Precision,
) -> Filter {
    match precision {
        Precision::Bf16 => Filter::of_pixels_in_bf16(filter, bias, channels, activation),
        _ => {
            let window = Window::symmetric([1; 2], 1, [0; 2]);
            Filter::new(filter, bias, channels, window, activation)
        }
    }
}

impl Activations {
    pub(super) fn image(&self) -> Image<'_> {
        Image { values: &self.values, extent: self.extent }
    }
}

/// What a block computes on the way to its result.
pub(super) struct Inside {
    /// The result of the expansion; `None` in the block without one.
    pub wide: Option<Activations>,
    /// The result of the depthwise convolution.
    pub alone: Activations,
}

/// Runs one block.
pub(super) fn block(x: &Activations, layers: &Block<Conv>) -> (Activations, Inside) {
    let wide = layers.expand.as_ref().map(|conv| conv.apply(x.image()));
    let alone = layers.depthwise.apply(wide.as_ref().unwrap_or(x).image());
    let mut y = layers.project.apply(alone.image());
    if layers.skip {
        y.values.iter_mut().zip(x.values.iter()).for_each(|(y, x)| *y += x);
    }
    (y, Inside { wide, alone })
}

/// EfficientNet-Lite0 without its classifier.
#[derive(Debug)]
pub struct EfficientNet(pub(super) Layers<Conv>);

impl EfficientNet {
    /// Values per image of [`EfficientNet::features`]: the channels of the last layer.
    pub const FEATURES: usize = DIMS;

    /// Reads the network from the bytes of its safetensors file.
    ///
    /// # Errors
    /// When it is another file. The message names the first tensor that is missing or has another shape or type.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        Ok(Self::new(weights::network(bytes)?, Precision::F32))
    }

    pub(super) fn new(layers: Layers<Weighted>, precision: Precision) -> Self {
        match layers.try_map(|conv| Ok::<_, Infallible>(Conv::new(conv, precision))) {
            Ok(layers) => Self(layers),
        }
    }

    /// The channels of the last layer, averaged over each image: `[n, FEATURES]`. The images, `[n, side, side, 3]`, are
    /// standardised with [`MEAN`](super::MEAN) and [`DEVIATION`](super::DEVIATION). `side` is a multiple of 32.
    pub fn features(&self, images: &[f32], side: usize) -> Vec<f32> {
        // One task per image: its activations stay in the cache, and no thread waits at the end of a layer.
        let features = images.par_chunks_exact(side * side * 3).map(|values| {
            let stem = self.0.stem.apply(Image { values, extent: [side; 2] });
            let last = self.0.blocks.iter().fold(stem, |x, layers| block(&x, layers).0);
            mean(&self.0.head.apply(last.image()).values)
        });
        features.flatten_iter().collect()
    }
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
