//! Inception v3 with burn's layers, which run on any device.

use std::convert::Infallible;

use burn::tensor::activation::relu;
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_model::ops::convolve_any;

use super::architecture::Op;
use super::folded::Folded;

/// A convolution with its batch normalisation folded in.
#[derive(Debug)]
struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
}

/// The network on a device.
#[derive(Debug)]
pub(super) struct GpuNetwork(Vec<Op<Conv>>);

impl GpuNetwork {
    /// Moves the table of layers onto a device.
    pub(super) fn new(parts: Vec<Op<Folded>>, device: &Device) -> Self {
        let mut conv = |folded: Folded| {
            let [n, channels, height, width] = folded.shape;
            let weight = TensorData::new(folded.weight, [n, channels, height, width]);
            Ok::<_, Infallible>(Conv {
                weight: Tensor::from_data(weight, device),
                bias: Tensor::from_data(TensorData::new(folded.bias, [n]), device),
                options: ConvOptions::new([folded.stride; 2], folded.padding, [1; 2], 1),
            })
        };
        let parts = parts.into_iter().map(|part| match part.try_map(&mut conv) {
            Ok(part) => part,
        });
        Self(parts.collect())
    }

    /// The features `[n, 2048]` of the images `x`, `[n, 3, 299, 299]` in [-1, 1].
    pub(super) fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        run(&self.0, x).flatten::<3>(2, 3).mean_dim(2).flatten(1, 2)
    }
}

/// Runs layers one after another.
fn run(parts: &[Op<Conv>], x: Tensor<4>) -> Tensor<4> {
    parts.iter().fold(x, |x, part| match part {
        Op::Conv(conv) => {
            let (weight, bias) = (conv.weight.clone(), conv.bias.clone());
            relu(convolve_any(x, weight, bias, conv.options.clone()))
        }
        Op::MaxPool { stride, padding } => {
            let options = MaxPoolOptions::new([3; 2]);
            max_pool2d(x, options.with_stride([*stride; 2]).with_padding([*padding; 2]))
        }
        Op::AvgPool => {
            let options = AvgPoolOptions::new([3; 2]).with_stride([1; 2]).with_padding([1; 2]);
            avg_pool2d(x, options.with_count_include_pad(false))
        }
        Op::Concat(branches) => {
            Tensor::cat(branches.iter().map(|branch| run(branch, x.clone())).collect(), 1)
        }
    })
}
