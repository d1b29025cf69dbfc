//! Batch normalisation, fused with the activation that follows it.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn_flex::FlexTensor;
use dermagan_kernels::Lane;
use dermagan_kernels::pointwise::norm::{self as kernel, Affine, Moments};

use super::flex::{self, Value, by_type};
use super::layout::is_cpu;

/// The value added to the variance; PyTorch's default.
pub(crate) const EPSILON: f64 = 1e-5;

fn activate(x: Tensor<4>, slope: f64) -> Tensor<4> {
    if slope == 0.0 { relu(x) } else { leaky_relu(x, slope) }
}

/// Normalises `x` by the mean and variance of its batch, then applies LeakyReLU with `slope` (ReLU if it
/// is 0).
///
/// `x`: `[batch, channels, height, width]`; `gamma` and `beta`: `[channels]`. The batch consists of
/// `groups` consecutive batches of one size, each normalised by its own statistics. Returns the result,
/// and the mean and biased variance of each group, `[groups · channels]` each.
///
/// # Panics
/// When `groups` does not divide the batch.
pub fn norm_act_train(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    slope: f64,
    groups: usize,
) -> (Tensor<4>, Tensor<1>, Tensor<1>) {
    let batch = x.dims()[0];
    assert!(groups > 0 && batch.is_multiple_of(groups), "{batch} images in {groups} groups");
    if is_cpu(&x.device()) {
        let (x, gamma, beta) = (x.into_dispatch(), gamma.into_dispatch(), beta.into_dispatch());
        let (y, mean, var) = <Dispatch as NormAct>::norm_act(x, gamma, beta, slope, groups);
        let stats = |t| Tensor::<1>::from_dispatch(t);
        return (Tensor::from_dispatch(y), stats(mean), stats(var));
    }
    let (mut y, mut mean, mut var) = (Vec::new(), Vec::new(), Vec::new());
    for x in x.chunk(groups, 0) {
        let out = batch_norm_train(x, gamma.clone(), beta.clone(), EPSILON);
        y.push(activate(out.output, slope));
        mean.push(out.mean);
        var.push(out.variance);
    }
    (Tensor::cat(y, 0), Tensor::cat(mean, 0), Tensor::cat(var, 0))
}

/// Normalises `x` by the given mean and variance, then applies LeakyReLU with `slope` (ReLU if it is 0).
///
/// `x`: `[batch, channels, height, width]`; the other tensors: `[channels]`.
pub fn norm_act(
    x: Tensor<4>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    mean: Tensor<1>,
    var: Tensor<1>,
    slope: f64,
) -> Tensor<4> {
    if !is_cpu(&x.device()) || x.device().is_autodiff() {
        return activate(batch_norm(x, gamma, beta, mean, var, EPSILON), slope);
    }
    let [x, gamma, beta, mean, var] = [
        x.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        mean.into_dispatch(),
        var.into_dispatch(),
    ];
    let y = <Dispatch as NormFixed>::norm_fixed(x, gamma, beta, mean, var, slope);
    Tensor::from_dispatch(y)
}

/// Normalisation by the statistics of the batch, fused with the activation.
#[backend_extension(Flex, Autodiff)]
pub trait NormAct: Backend {
    /// As the function [`norm_act_train`].
    fn norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        slope: f64,
        groups: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// The gradients of the three inputs of [`NormAct::norm_act`], from its inputs, its statistics, and
    /// the gradient of its result.
    #[allow(clippy::too_many_arguments, reason = "the formula has these variables")]
    fn norm_act_backward(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        var: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        slope: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Normalisation by given statistics, fused with the activation. It has no gradient.
#[backend_extension(Flex)]
pub trait NormFixed: Backend {
    /// As the function [`norm_act`].
    fn norm_fixed(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        var: FloatTensor<Self>,
        slope: f64,
    ) -> FloatTensor<Self>;
}

fn forward<T: Value>(
    x: FlexTensor,
    gamma: &FlexTensor,
    beta: &FlexTensor,
    slope: f64,
    groups: usize,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let x = flex::channels_last(x);
    let dims = flex::dims(&x);
    let channels = dims[1];
    let (gamma, beta) = (flex::in_order::<T>(gamma), flex::in_order::<T>(beta));
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon: EPSILON, slope };
    let values = flex::values::<T>(&x);
    let each = (values.len() / groups).max(1);
    let mut y = T::scratch(values.len());
    let (mut mean, mut var) = (Vec::new(), Vec::new());
    for (x, y) in values.chunks(each).zip(y.chunks_mut(each)) {
        let moments = kernel::moments(x, channels);
        kernel::forward(x, &moments, &affine, y);
        mean.extend(moments.mean);
        var.extend(moments.var);
    }
    (flex::image(y, dims), flex::row(mean), flex::row(var))
}

fn backward<T: Value>(
    x: FlexTensor,
    [gamma, beta, mean, var]: [&FlexTensor; 4],
    gradient: FlexTensor,
    slope: f64,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let (x, gradient) = (flex::channels_last(x), flex::channels_last(gradient));
    let dims = flex::dims(&x);
    let channels = dims[1];
    let [gamma, beta, mean, var] = [gamma, beta, mean, var].map(flex::in_order::<T>);
    let affine = Affine { gamma: &gamma, beta: &beta, epsilon: EPSILON, slope };
    let (x, g) = (flex::values::<T>(&x), flex::values::<T>(&gradient));
    let each = (x.len() / (mean.len() / channels)).max(1);
    let mut dx = T::scratch(x.len());
    let mut of_gamma = vec![T::default(); channels];
    let mut of_beta = vec![T::default(); channels];
    let groups = x.chunks(each).zip(g.chunks(each)).zip(dx.chunks_mut(each));
    for (i, ((x, g), dx)) in groups.enumerate() {
        let of = i * channels..(i + 1) * channels;
        let moments = Moments { mean: mean[of.clone()].to_vec(), var: var[of].to_vec() };
        let one = kernel::backward(x, g, &moments, &affine, dx);
        of_gamma.iter_mut().zip(one.gamma).for_each(|(sum, v)| *sum += v);
        of_beta.iter_mut().zip(one.beta).for_each(|(sum, v)| *sum += v);
    }
    (flex::image(dx, dims), flex::row(of_gamma), flex::row(of_beta))
}

impl NormAct for Flex {
    fn norm_act(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        slope: f64,
        groups: usize,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        by_type!(&x, T => forward::<T>(x, &gamma, &beta, slope, groups))
    }

    fn norm_act_backward(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        mean: FlexTensor,
        var: FlexTensor,
        gradient: FlexTensor,
        slope: f64,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        by_type!(&x, T => backward::<T>(x, [&gamma, &beta, &mean, &var], gradient, slope))
    }
}

impl NormFixed for Flex {
    fn norm_fixed(
        x: FlexTensor,
        gamma: FlexTensor,
        beta: FlexTensor,
        mean: FlexTensor,
        var: FlexTensor,
        slope: f64,
    ) -> FlexTensor {
        fn fixed<T: Value>(x: FlexTensor, with: [&FlexTensor; 4], slope: f64) -> FlexTensor {
            let x = flex::channels_last(x);
            let [gamma, beta, mean, var] = with.map(flex::in_order::<T>);
            let moments = Moments { mean: mean.into_owned(), var: var.into_owned() };
            let affine = Affine { gamma: &gamma, beta: &beta, epsilon: EPSILON, slope };
            let values = flex::values::<T>(&x);
            let mut y = T::scratch(values.len());
            kernel::forward(values, &moments, &affine, &mut y);
            flex::image(y, flex::dims(&x))
        }
        by_type!(&x, T => fixed::<T>(x, [&gamma, &beta, &mean, &var], slope))
    }
}

/// Gradient of [`NormAct::norm_act`].
#[derive(Debug)]
struct NormActGradient;

impl<B: NormAct> Backward<B, 3> for NormActGradient {
    /// The tensors x, gamma, beta, mean and variance, and the slope.
    type State = ([FloatTensor<B>; 5], f64);

    fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        let ([x, gamma, beta, mean, var], slope) = ops.state;
        let (x, gamma, beta) = B::norm_act_backward(x, gamma, beta, mean, var, gradient, slope);
        for (node, gradient) in ops.parents.into_iter().zip([x, gamma, beta]) {
            if let Some(node) = node {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}

impl<B: NormAct, C: CheckpointStrategy> NormAct for Autodiff<B, C> {
    fn norm_act(
        x: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        slope: f64,
        groups: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        use burn::backend::AutodiffBackend;
        let nodes = [x.node(), gamma.node(), beta.node()];
        let inputs = [x.into_primitive(), gamma.into_primitive(), beta.into_primitive()];
        let [x, gamma, beta] = inputs.clone();
        let (y, mean, var) = B::norm_act(x, gamma, beta, slope, groups);
        let y = match NormActGradient.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let [x, gamma, beta] = inputs;
                prep.finish(([x, gamma, beta, mean.clone(), var.clone()], slope), y)
            }
            OpsKind::UnTracked(prep) => prep.finish(y),
        };
        (y, Self::from_inner(mean), Self::from_inner(var))
    }

    fn norm_act_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!(
            "gradients are computed on the inner backend; burn has no second-order gradients"
        )
    }
}
