//! Activations without a normalisation.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use dermagan_kernels::pointwise::activation as kernel;

use super::flex::{self, by_type};

/// LeakyReLU of `x`, `[batch, channels, height, width]`, with `slope` below zero.
///
/// Its derivative at zero is `slope`, as in PyTorch. The derivative of burn's own LeakyReLU is 1 there,
/// and the exact zeros of a cutout make the difference visible.
pub fn leaky(x: Tensor<4>, slope: f64) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Pointwise>::activation(x.into_dispatch(), Some(slope)))
}

/// The hyperbolic tangent of `x`, `[batch, channels, height, width]`.
pub fn tanh(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Pointwise>::activation(x.into_dispatch(), None))
}

/// Activations that are computed in place. Their gradients are computed from their results.
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub trait Pointwise: Backend {
    /// LeakyReLU with a slope, or tanh if `slope` is `None`.
    fn activation(x: FloatTensor<Self>, slope: Option<f64>) -> FloatTensor<Self>;

    /// The gradient of the argument, from the result `y` and its gradient.
    fn activation_backward(
        y: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        slope: Option<f64>,
    ) -> FloatTensor<Self>;
}

impl Pointwise for Flex {
    fn activation(x: FlexTensor, slope: Option<f64>) -> FlexTensor {
        by_type!(&x, T => flex::change::<T>(x, |x| match slope {
            Some(slope) => kernel::leaky(x, slope),
            None => kernel::tanh(x),
        }))
    }

    fn activation_backward(y: FlexTensor, gradient: FlexTensor, slope: Option<f64>) -> FlexTensor {
        let y = flex::channels_last(y);
        by_type!(&y, T => flex::change::<T>(gradient, |g| match slope {
            Some(slope) => kernel::leaky_backward(flex::values(&y), g, slope),
            None => kernel::tanh_backward(flex::values(&y), g),
        }))
    }
}

/// Gradient of [`Pointwise::activation`].
#[derive(Debug)]
struct ActivationGradient;

impl<B: Pointwise> Backward<B, 1> for ActivationGradient {
    type State = (FloatTensor<B>, Option<f64>);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let (y, slope) = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            grads.register::<B>(node.id, B::activation_backward(y, gradient, slope));
        }
    }
}

impl<B: Pointwise, C: CheckpointStrategy> Pointwise for Autodiff<B, C> {
    fn activation(x: FloatTensor<Self>, slope: Option<f64>) -> FloatTensor<Self> {
        let nodes = [x.node()];
        let y = B::activation(x.into_primitive(), slope);
        match ActivationGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((y.clone(), slope), y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }

    fn activation_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Option<f64>,
    ) -> FloatTensor<Self> {
        unreachable!(
            "gradients are computed on the inner backend; burn has no second-order gradients"
        )
    }
}
