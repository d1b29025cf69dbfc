//! The network with burn's layers, which run on any device.

use std::convert::Infallible;

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor, TensorData};
use dermagan_kernels::conv::direct::Activation;
use dermagan_model::ops::convolve_any;

use super::architecture::{Block, Layers};
use super::weights::Weighted;
use crate::features::form::OnDevice;

/// A convolution on a device.
#[derive(Debug)]
struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
    /// Zeros before the first and after the last row and column.
    padding: [usize; 2],
    activation: Activation,
}

impl Conv {
    fn new(Weighted { spec, weight, bias }: Weighted, device: &Device) -> Self {
        let groups = if spec.depthwise { spec.shape[0] } else { 1 };
        Self {
            weight: Tensor::from_data(TensorData::new(weight, spec.shape), device),
            bias: Tensor::from_data(TensorData::new(bias, [spec.shape[0]]), device),
            options: ConvOptions::new([spec.stride; 2], [0; 2], [1; 2], groups),
            padding: spec.padding(),
            activation: spec.activation,
        }
    }

    fn apply(&self, x: Tensor<4>) -> Tensor<4> {
        let [before, after] = self.padding;
        // The padding is not symmetric where the stride is 2, and burn's convolutions pad both sides alike.
        let x = if after > 0 { x.pad((before, after, before, after), 0.0) } else { x };
        let y = convolve_any(x, self.weight.clone(), self.bias.clone(), self.options.clone());
        match self.activation {
            Activation::Identity => y,
            Activation::Relu => y.clamp_min(0.0),
            Activation::Relu6 => y.clamp(0.0, 6.0),
        }
    }
}

/// The network on a device.
#[derive(Debug)]
pub(super) struct GpuNetwork(Layers<Conv>);

impl GpuNetwork {
    /// Moves the network onto a device.
    pub(super) fn new(layers: Layers<Weighted>, device: &Device) -> Self {
        match layers.try_map(|conv| Ok::<_, Infallible>(Conv::new(conv, device))) {
            Ok(layers) => Self(layers),
        }
    }
}

impl OnDevice for GpuNetwork {
    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let last = self.0.blocks.iter().fold(self.0.stem.apply(x), block);
        self.0.head.apply(last).flatten::<3>(2, 3).mean_dim(2).flatten(1, 2)
    }
}

/// Runs one block.
fn block(x: Tensor<4>, layers: &Block<Conv>) -> Tensor<4> {
    let wide = layers.expand.as_ref().map_or_else(|| x.clone(), |conv| conv.apply(x.clone()));
    let y = layers.project.apply(layers.depthwise.apply(wide));
    if layers.skip { x + y } else { y }
}
