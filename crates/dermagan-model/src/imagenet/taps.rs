//! The features of four blocks of the network, and the gradient of the image with respect to them.

use dermagan_kernels::conv::direct::{Activation, Filter, Image, Transposed, gate_relu6};
use dermagan_kernels::{Buffer, Lane};
use rayon::prelude::*;

use super::architecture::{Block, Layers};
use super::enlarge::{enlarged, reduced};
use super::network::{Activations, Conv, EfficientNet, Inside, block, of_pixels};
use super::standard::{DEVIATION, MEAN};
use super::weights::{self, Weighted};
use crate::ops::Precision;

/// The smallest side of the network's input. Smaller images are enlarged: the network was trained on larger ones.
const SIDE: usize = 128;

/// A block whose result is used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tap {
    /// Number of the block, from 0.
    block: usize,
    /// Channels of its result.
    pub channels: usize,
    /// The side of the network's input divided by that of the result.
    pub reduction: usize,
    /// The root mean square of the result for HAM10000's images at 128 pixels, by which it is divided.
    scale: f32,
}

/// The blocks before each halving of the side, and the last, as in Projected GAN (Sauer et al. 2021, arXiv:2111.01007).
pub const TAPS: [Tap; 4] = [
    Tap { block: 2, channels: 24, reduction: 4, scale: 10.8 },
    Tap { block: 4, channels: 40, reduction: 8, scale: 8.89 },
    Tap { block: 10, channels: 112, reduction: 16, scale: 5.73 },
    Tap { block: 15, channels: 320, reduction: 32, scale: 2.97 },
];

/// The filters of the way back.
#[derive(Debug)]
struct Back {
    stem: Transposed,
    /// For each block the transposes of its expansion and of its projection.
    blocks: Vec<(Option<Filter>, Filter)>,
}

/// The network with the way back.
#[derive(Debug)]
pub struct Taps {
    network: EfficientNet,
    back: Back,
}

/// What the gradient of images needs.
pub struct KeptTaps {
    side: usize,
    images: Vec<KeptImage>,
}

/// What the gradient of one image needs: results with an activation.
struct KeptImage {
    stem: Activations,
    blocks: Vec<Inside>,
}

impl Taps {
    /// Reads the network from the bytes of its safetensors file. With [`Precision::Bf16`], the products of its 1×1
    /// convolutions are in bfloat16, forward and back.
    ///
    /// # Errors
    /// As [`EfficientNet::from_bytes`].
    pub fn from_bytes(bytes: &[u8], precision: Precision) -> Result<Self, String> {
        let layers = weights::network(bytes)?;
        let back = Back::new(&layers, precision);
        Ok(Self { network: EfficientNet::new(layers, precision), back })
    }

    /// The side of the network's input for images of `side` pixels.
    pub fn input_side(side: usize) -> usize {
        side * (SIDE / side.max(1)).max(1)
    }

    /// The results of [`TAPS`] for the images, `[n, side, side, 3]` in [-1, 1]; each is `[n, height, width, channels]` with
    /// the side [`Taps::input_side`] divided by the tap's reduction. `side` is a power of two from 32 on. The last `keep`
    /// images keep what [`Taps::gradient`] needs.
    pub fn forward(&self, images: &[f32], side: usize, keep: usize) -> ([Vec<f32>; 4], KeptTaps) {
        let count = images.len() / (3 * side * side);
        let runs: Vec<([Vec<f32>; 4], Option<KeptImage>)> = images
            .par_chunks_exact(3 * side * side)
            .enumerate()
            .map(|(i, image)| self.run(image, side, i + keep >= count))
            .collect();
        let mut taps: [Vec<f32>; 4] = Default::default();
        let mut kept = Vec::with_capacity(keep);
        for (results, inside) in runs {
            taps.iter_mut().zip(results).for_each(|(all, result)| all.extend(result));
            kept.extend(inside);
        }
        (taps, KeptTaps { side, images: kept })
    }

    /// Runs one image up to the last tap.
    fn run(&self, image: &[f32], side: usize, keep: bool) -> ([Vec<f32>; 4], Option<KeptImage>) {
        let (mut input, mut at) = (image.to_vec(), side);
        while at < Self::input_side(side) {
            input = enlarged(&input, at);
            at *= 2;
        }
        for pixel in input.as_chunks_mut::<3>().0 {
            for channel in 0..3 {
                let value = (pixel[channel] + 1.0) / 2.0;
                pixel[channel] = (value - MEAN[channel]) / DEVIATION[channel];
            }
        }
        let layers = &self.network.0;
        let stem = layers.stem.apply(Image { values: &input, extent: [at; 2] });
        let mut taps: [Vec<f32>; 4] = Default::default();
        let mut blocks = Vec::new();
        let mut x = None;
        for (i, layers) in layers.blocks.iter().enumerate().take(TAPS[3].block + 1) {
            let (y, inside) = block(x.as_ref().unwrap_or(&stem), layers);
            for (tap, values) in TAPS.iter().zip(&mut taps).filter(|(tap, _)| tap.block == i) {
                *values = y.values.iter().map(|v| v / tap.scale).collect();
            }
            if keep {
                blocks.push(inside);
            }
            x = Some(y);
        }
        (taps, keep.then_some(KeptImage { stem, blocks }))
    }

    /// The gradient of the kept images, `[n, side, side, 3]`, from those of their taps.
    ///
    /// # Panics
    /// When a gradient has another extent than its tap.
    pub fn gradient(&self, kept: &KeptTaps, taps: &[Vec<f32>; 4]) -> Vec<f32> {
        let count = kept.images.len();
        let images: Vec<Vec<f32>> = kept
            .images
            .par_iter()
            .enumerate()
            .map(|(i, image)| {
                let of = |all: &Vec<f32>| {
                    let each = all.len() / count;
                    i * each..(i + 1) * each
                };
                let taps = taps.each_ref().map(|all| &all[of(all)]);
                self.image_gradient(image, taps, kept.side)
            })
            .collect();
        images.concat()
    }

    /// The gradient of one image.
    fn image_gradient(&self, kept: &KeptImage, taps: [&[f32]; 4], side: usize) -> Vec<f32> {
        let input = Self::input_side(side);
        // The last tap is the result of the last block.
        let mut gradient = <f32 as Lane>::scratch(taps[3].len());
        gradient.fill(0.0);
        for (i, inside) in kept.blocks.iter().enumerate().rev() {
            for (tap, values) in TAPS.iter().zip(taps).filter(|(tap, _)| tap.block == i) {
                assert_eq!(gradient.len(), values.len(), "the extent of a tap's gradient");
                gradient.iter_mut().zip(values).for_each(|(g, v)| *g += v / tap.scale);
            }
            gradient = self.block_gradient(i, gradient, inside);
        }
        gate_relu6(&mut gradient, &kept.stem.values);
        let mut image = vec![0.0; 3 * input * input];
        let stem = Image { values: &gradient, extent: kept.stem.extent };
        self.back.stem.apply(stem, [input; 2], &mut image);
        for pixel in image.as_chunks_mut::<3>().0 {
            for channel in 0..3 {
                pixel[channel] /= 2.0 * DEVIATION[channel];
            }
        }
        let mut at = input;
        while at > side {
            at /= 2;
            image = reduced(&image, at);
        }
        image
    }

    /// The gradient of a block's input, from that of its result.
    fn block_gradient(&self, index: usize, out: Buffer<f32>, inside: &Inside) -> Buffer<f32> {
        let layers = &self.network.0.blocks[index];
        let (expand, project) = &self.back.blocks[index];
        let mut alone = <f32 as Lane>::scratch(inside.alone.values.len());
        let image = Image { values: &out, extent: inside.alone.extent };
        project.apply(image, &mut alone, project.channels(), 0);
        gate_relu6(&mut alone, &inside.alone.values);
        let Conv::Depthwise(depthwise) = &layers.depthwise else {
            unreachable!("the architecture makes the filter of each channel its own here")
        };
        // Every side is even where the stride is 2.
        let before = inside.alone.extent.map(|side| side * depthwise.window().stride);
        let mut wide = <f32 as Lane>::scratch(before[0] * before[1] * depthwise.channels());
        let alone = Image { values: &alone, extent: inside.alone.extent };
        depthwise.apply_transposed(alone, before, &mut wide);
        let mut result = match (expand, &inside.wide) {
            (Some(expand), Some(active)) => {
                gate_relu6(&mut wide, &active.values);
                let channels = expand.channels();
                let mut result = <f32 as Lane>::scratch(before[0] * before[1] * channels);
                let wide = Image { values: &wide, extent: before };
                expand.apply(wide, &mut result, channels, 0);
                result
            }
            _ => wide,
        };
        if layers.skip {
            result.iter_mut().zip(out.iter()).for_each(|(g, out)| *g += out);
        }
        result
    }
}

impl Back {
    fn new(layers: &Layers<Weighted>, precision: Precision) -> Self {
        let transposed = |weighted: &Weighted| transposed(weighted, precision);
        let block = |block: &Block<Weighted>| {
            (block.expand.as_ref().map(transposed), transposed(&block.project))
        };
        let Weighted { spec, weight, .. } = &layers.stem;
        let channels = [spec.shape[1], spec.shape[0]];
        Self {
            stem: Transposed::new(weight, channels, spec.window()),
            blocks: layers.blocks.iter().map(block).collect(),
        }
    }
}

/// The transpose of a 1×1 convolution, without a bias.
fn transposed(Weighted { spec, weight, .. }: &Weighted, precision: Precision) -> Filter {
    let [to, from, ..] = spec.shape;
    let value = |at: usize| weight[at % to * from + at / to];
    let weight: Vec<f32> = (0..from * to).map(value).collect();
    of_pixels([&weight, &vec![0.0; from]], to, Activation::Identity, precision)
}
