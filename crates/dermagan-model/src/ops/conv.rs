//! The 4 × 4 convolutions: with stride 2 and padding 1, or over a whole 4 × 4 image.

#[cfg(feature = "cube")]
use burn::backend::Cube;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use burn::tensor::{FloatDType, Tensor};
use burn_flex::FlexTensor;
use dermagan_kernels::Layer;
use dermagan_kernels::Shape;
use dermagan_kernels::{Lane, Pair};

use super::flex::{self, by_type};
#[cfg(feature = "cube")]
use super::gpu;
use super::precision::Precision;

/// The convolution of `x`, `[batch, wide, 2h, 2w]`, with `weight`, `[deep, wide, 4, 4]`. Returns
/// `[batch, deep, h, w]`; a 4 × 4 image becomes one pixel.
pub fn convolve(x: Tensor<4>, weight: Tensor<4>, precision: Precision) -> Tensor<4> {
    let learns = weight.is_tracked();
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Convolutions>::down(x, weight, precision, learns))
}

/// The transposed convolution of `x`, `[batch, deep, h, w]`, with `weight`, `[deep, wide, 4, 4]`.
/// Returns `[batch, wide, 2h, 2w]`; one pixel becomes a 4 × 4 image.
pub fn convolve_transposed(x: Tensor<4>, weight: Tensor<4>, precision: Precision) -> Tensor<4> {
    let learns = weight.is_tracked();
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Convolutions>::up(x, weight, precision, learns))
}

/// A convolution with a kernel of any size and a bias, without a gradient. `x`:
/// `[batch, wide, height, width]`; `weight`: `[deep, wide, …]`; `bias`: `[deep]`.
pub fn convolve_any(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    options: ConvOptions<2>,
) -> Tensor<4> {
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as AnyWindow>::convolve_any(x, weight, bias, options))
}

/// Convolutions with kernels of any size.
#[backend_extension(Flex, Cube: cfg(feature = "cube"))]
pub trait AnyWindow: Backend {
    /// As the function [`convolve_any`].
    fn convolve_any(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d(x, weight, Some(bias), options)
    }
}

impl AnyWindow for Flex {}

#[cfg(feature = "cube")]
impl AnyWindow for Cube {
    fn convolve_any(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        gpu::convolution(x, weight, Some(bias), &options)
    }
}

/// Three operations that are the gradients of each other. With y = down(x, w), the gradient of x is
/// up(g, w), and the gradient of w is filter_gradient(x, g). For x = up(y, w), down and up swap
/// their roles.
///
/// burn computes the gradient of the filter of a transposed convolution as a convolution whose kernel
/// is the whole image. Here it is the filter gradient of a convolution, which is tuned.
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub trait Convolutions: Backend {
    /// The convolution of a large image to a small one. `learns` says whether the gradient of the
    /// filter will be computed; if not, the image is not kept.
    fn down(
        large: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        precision: Precision,
        learns: bool,
    ) -> FloatTensor<Self> {
        let _ = learns;
        let options = strided(large.shape()[2] == 4);
        in_precision::<Self, _>(precision, [large, filter], |[large, filter]| {
            Self::conv2d(large, filter, None, options)
        })
    }

    /// The transposed convolution of a small image to a large one; `learns` as in
    /// [`Convolutions::down`].
    fn up(
        small: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        precision: Precision,
        learns: bool,
    ) -> FloatTensor<Self> {
        let _ = learns;
        let options = transposed(&small.shape());
        in_precision::<Self, _>(precision, [small, filter], |[small, filter]| {
            Self::conv_transpose2d(small, filter, None, options)
        })
    }

    /// The gradient of `filter`, from both images, one of which is a gradient.
    fn filter_gradient(
        large: FloatTensor<Self>,
        small: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let options = strided(small.shape()[2] == 1);
        in_precision::<Self, _>(precision, [large, filter, small], |[large, filter, small]| {
            Self::conv2d_weight_backward(large, filter, small, options)
        })
    }
}

/// The options of the convolution: over a whole 4 × 4 image, or with stride 2 and padding 1.
fn strided(whole: bool) -> ConvOptions<2> {
    let (stride, padding) = if whole { (1, 0) } else { (2, 1) };
    ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1)
}

/// The options of the transposed convolution of a small image.
fn transposed(small: &burn::tensor::Shape) -> ConvTransposeOptions<2> {
    let (stride, padding) = if small[2] == 1 { (1, 0) } else { (2, 1) };
    ConvTransposeOptions::new([stride; 2], [padding; 2], [0; 2], [1; 2], 1)
}

/// Computes with operands of `precision`. The result is float32.
fn in_precision<B: Backend, const N: usize>(
    precision: Precision,
    operands: [FloatTensor<B>; N],
    compute: impl FnOnce([FloatTensor<B>; N]) -> FloatTensor<B>,
) -> FloatTensor<B> {
    match precision {
        Precision::F32 => compute(operands),
        // `Precision::check` allows bfloat16 on CPUs only.
        Precision::F16 | Precision::Bf16 => {
            let narrow = operands.map(|x| B::float_cast(x, FloatDType::F16));
            B::float_cast(compute(narrow), FloatDType::F32)
        }
    }
}

#[cfg(feature = "cube")]
impl Convolutions for Cube {
    fn down(
        large: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        precision: Precision,
        _: bool,
    ) -> FloatTensor<Self> {
        in_precision::<Self, _>(precision, [large, filter], |[large, filter]| {
            match large.shape()[2] {
                4 => gpu::convolution(
                    large,
                    filter,
                    None,
                    &ConvOptions::new([1; 2], [0; 2], [1; 2], 1),
                ),
                _ => gpu::down(large, filter),
            }
        })
    }

    fn up(
        small: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        precision: Precision,
        _: bool,
    ) -> FloatTensor<Self> {
        let options = transposed(&small.shape());
        in_precision::<Self, _>(precision, [small, filter], |[small, filter]| {
            gpu::up(small, filter, &options)
        })
    }

    fn filter_gradient(
        large: FloatTensor<Self>,
        small: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let options = strided(small.shape()[2] == 1);
        in_precision::<Self, _>(precision, [large, small, filter], |[large, small, filter]| {
            gpu::filter_gradient(large, small, filter, &options)
        })
    }
}

/// The layer between a large and a small image, from their extents.
fn layer([batch, wide, ..]: [usize; 4], [_, deep, height, width]: [usize; 4]) -> Layer {
    Layer::of(Shape { batch, height, width, wide, deep })
}

/// The extents of the small image that belongs to a large one.
fn small_of([batch, _, height, width]: [usize; 4], filter: [usize; 4]) -> [usize; 4] {
    match height {
        4 => [batch, filter[0], 1, 1],
        _ => [batch, filter[0], height / 2, width / 2],
    }
}

/// The extents of the large image that belongs to a small one.
fn large_of([batch, _, height, width]: [usize; 4], filter: [usize; 4]) -> [usize; 4] {
    match height {
        1 => [batch, filter[1], 4, 4],
        _ => [batch, filter[1], 2 * height, 2 * width],
    }
}

fn down<L: Lane<Real: flex::Value>>(large: FlexTensor, filter: &FlexTensor) -> FlexTensor {
    let large = flex::channels_last(large);
    let dims = flex::dims(&large);
    let small = small_of(dims, flex::dims(filter));
    let (x, w) = (flex::values(&large), flex::in_order(filter));
    let values = layer(dims, small).down::<L>(x, &w);
    flex::image(values, small)
}

fn up<L: Lane<Real: flex::Value>>(small: FlexTensor, filter: &FlexTensor) -> FlexTensor {
    let small = flex::channels_last(small);
    let dims = flex::dims(&small);
    let large = large_of(dims, flex::dims(filter));
    let (y, w) = (flex::values(&small), flex::in_order(filter));
    let values = layer(large, dims).up::<L>(y, &w);
    flex::image(values, large)
}

fn gradient<L: Lane<Real: flex::Value>>(
    large: FlexTensor,
    small: FlexTensor,
    filter: &FlexTensor,
) -> FlexTensor {
    let (large, small) = (flex::channels_last(large), flex::channels_last(small));
    let (x, y) = (flex::values(&large), flex::values(&small));
    let values = layer(flex::dims(&large), flex::dims(&small)).filter_gradient::<L>(x, y);
    flex::plain(values, &flex::dims(filter))
}

impl Convolutions for Flex {
    fn down(large: FlexTensor, filter: FlexTensor, precision: Precision, _: bool) -> FlexTensor {
        match precision {
            Precision::Bf16 => down::<Pair>(large, &filter),
            Precision::F16 => down::<f32>(flex::rounded(large), &flex::rounded(filter)),
            Precision::F32 => by_type!(&large, T => down::<T>(large, &filter)),
        }
    }

    fn up(small: FlexTensor, filter: FlexTensor, precision: Precision, _: bool) -> FlexTensor {
        match precision {
            Precision::Bf16 => up::<Pair>(small, &filter),
            Precision::F16 => up::<f32>(flex::rounded(small), &flex::rounded(filter)),
            Precision::F32 => by_type!(&small, T => up::<T>(small, &filter)),
        }
    }

    fn filter_gradient(
        large: FlexTensor,
        small: FlexTensor,
        filter: FlexTensor,
        precision: Precision,
    ) -> FlexTensor {
        match precision {
            Precision::Bf16 => gradient::<Pair>(large, small, &filter),
            Precision::F16 => gradient::<f32>(flex::rounded(large), flex::rounded(small), &filter),
            Precision::F32 => by_type!(&large, T => gradient::<T>(large, small, &filter)),
        }
    }
}

/// The state that a convolution keeps for its gradient: the image if the filter learns, and the
/// filter.
type Kept<B> = (Option<FloatTensor<B>>, FloatTensor<B>, Precision);

/// Gradient of [`Convolutions::down`].
#[derive(Debug)]
struct Down;

impl<B: Convolutions> Backward<B, 2> for Down {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [large_node, filter_node] = ops.parents;
        let small = grads.consume::<B>(&ops.node);
        let (large, filter, precision) = ops.state;
        if let (Some(node), Some(large)) = (filter_node, large) {
            let g = B::filter_gradient(large, small.clone(), filter.clone(), precision);
            grads.register::<B>(node.id, g);
        }
        if let Some(node) = large_node {
            grads.register::<B>(node.id, B::up(small, filter, precision, false));
        }
    }
}

/// Gradient of [`Convolutions::up`].
#[derive(Debug)]
struct Up;

impl<B: Convolutions> Backward<B, 2> for Up {
    type State = Kept<B>;

    fn backward(self, ops: Ops<Kept<B>, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [small_node, filter_node] = ops.parents;
        let large = grads.consume::<B>(&ops.node);
        let (small, filter, precision) = ops.state;
        if let (Some(node), Some(small)) = (filter_node, small) {
            let g = B::filter_gradient(large.clone(), small, filter.clone(), precision);
            grads.register::<B>(node.id, g);
        }
        if let Some(node) = small_node {
            grads.register::<B>(node.id, B::down(large, filter, precision, false));
        }
    }
}

impl<B: Convolutions, C: CheckpointStrategy> Convolutions for Autodiff<B, C> {
    fn down(
        large: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        precision: Precision,
        learns: bool,
    ) -> FloatTensor<Self> {
        let nodes = [large.node(), filter.node()];
        let (x, w) = (large.into_primitive(), filter.into_primitive());
        match Down.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let kept = (learns.then(|| x.clone()), w.clone(), precision);
                prep.finish(kept, B::down(x, w, precision, learns))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::down(x, w, precision, learns)),
        }
    }

    fn up(
        small: FloatTensor<Self>,
        filter: FloatTensor<Self>,
        precision: Precision,
        learns: bool,
    ) -> FloatTensor<Self> {
        let nodes = [small.node(), filter.node()];
        let (y, w) = (small.into_primitive(), filter.into_primitive());
        match Up.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let kept = (learns.then(|| y.clone()), w.clone(), precision);
                prep.finish(kept, B::up(y, w, precision, learns))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::up(y, w, precision, learns)),
        }
    }

    fn filter_gradient(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: Precision,
    ) -> FloatTensor<Self> {
        unreachable!(
            "gradients are computed on the inner backend; burn has no second-order gradients"
        )
    }
}
