//! Activations without a normalisation, and the optimiser's and the average's arithmetic.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Int, Tensor};
use burn_flex::FlexTensor;
use dermagan_kernels::activation as kernel;
use dermagan_kernels::adam::{self as optimiser, Step};

use super::flex::{self, by_type};

/// LeakyReLU. `x`: [batch, channels, height, width]. Its derivative at zero is the slope, as PyTorch's
/// is; burn's own is 1, which a cutout's exact zeros bring to light.
pub fn leaky(x: Tensor<4>, slope: f64) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Pointwise>::activation(x.into_dispatch(), Some(slope)))
}

/// tanh. `x`: [batch, channels, height, width].
pub fn tanh(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Pointwise>::activation(x.into_dispatch(), None))
}

/// One step of Adam on flat tensors without autodiff: returns the value and both moments.
pub fn adam(
    step: Step,
    value: Tensor<1>,
    moments: [Tensor<1>; 2],
    gradient: Tensor<1>,
) -> (Tensor<1>, [Tensor<1>; 2]) {
    let [first, second] = moments;
    let (value, first, second) = <Dispatch as Update>::adam(
        value.into_dispatch(),
        first.into_dispatch(),
        second.into_dispatch(),
        gradient.into_dispatch(),
        step,
    );
    let back = |t| Tensor::<1>::from_dispatch(t);
    (back(value), [back(first), back(second)])
}

/// old·decay + new·(1 − decay), on flat tensors without autodiff.
pub fn lerp(old: Tensor<1>, new: Tensor<1>, decay: f64) -> Tensor<1> {
    let (old, new) = (old.into_dispatch(), new.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Update>::lerp(old, new, decay))
}

/// The sums of squares of parts of `values`, `[parts]`: a part reaches from one of `starts` to the next, in rows of `row`
/// values.
pub fn squares(values: Tensor<1>, starts: Tensor<1, Int>, row: usize) -> Tensor<1> {
    let (values, starts) = (values.into_dispatch(), starts.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Update>::squares(values, starts, row))
}

/// Activations that are computed in place, with gradients from their results.
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub trait Pointwise: Backend {
    /// LeakyReLU of a slope, or tanh.
    fn activation(x: FloatTensor<Self>, slope: Option<f64>) -> FloatTensor<Self>;

    /// From the result and its gradient to the argument's gradient.
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
        unreachable!("gradients are taken on the inner backend; burn has none of second order")
    }
}

/// The optimiser and the average.
#[backend_extension(Flex, Cube: cfg(feature = "cube"))]
pub trait Update: Backend {
    /// As [`adam`].
    fn adam(
        value: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        step: Step,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// As [`lerp`].
    fn lerp(old: FloatTensor<Self>, new: FloatTensor<Self>, decay: f64) -> FloatTensor<Self>;

    /// As [`squares`].
    fn squares(values: FloatTensor<Self>, starts: IntTensor<Self>, row: usize)
    -> FloatTensor<Self>;
}

/// A flat tensor's values to change: its own if nobody else holds them, else a copy.
fn flat(x: &mut FlexTensor) -> &mut [f32] {
    if !x.is_contiguous() {
        *x = x.to_contiguous();
    }
    let start = x.layout().start_offset();
    let end = start + x.layout().num_elements();
    &mut x.storage_mut::<f32>()[start..end]
}

impl Update for Flex {
    fn adam(
        value: FlexTensor,
        mut first: FlexTensor,
        mut second: FlexTensor,
        gradient: FlexTensor,
        step: Step,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (old, gradient) = (flex::in_order(&value), flex::in_order(&gradient));
        let new = optimiser::adam(step, &old, flat(&mut first), flat(&mut second), &gradient);
        let n = new.len();
        (flex::plain(new, &[n]), first, second)
    }

    fn lerp(old: FlexTensor, new: FlexTensor, decay: f64) -> FlexTensor {
        let new = optimiser::lerp(&flex::in_order(&old), &flex::in_order(&new), decay);
        let n = new.len();
        flex::plain(new, &[n])
    }

    fn squares(values: FlexTensor, starts: IntTensor<Self>, row: usize) -> FlexTensor {
        let values = flex::in_order::<f32>(&values);
        let starts = starts.storage::<i32>();
        let square = |part: &[f32]| part.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() as f32;
        let part = |pair: &[i32]| {
            let [from, to] = [pair[0], pair[1]].map(|start| start as usize * row);
            square(&values[from..to])
        };
        flex::row(starts.windows(2).map(part).collect::<Vec<f32>>())
    }
}
