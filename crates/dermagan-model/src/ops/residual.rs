//! The path around a layer, biases, and the activation's slopes, each with its gradient.

mod gradients;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_flex::FlexTensor;
use dermagan_kernels::activation;
pub use dermagan_kernels::residual::Direction;
use dermagan_kernels::residual::{self as kernel, Extent};
use dermagan_kernels::rms;
use dermagan_kernels::scratch::Buffer;

use super::Precision;
use super::conv::Convolutions;
use super::flex::{self, Value, by_type};
use super::pointwise::Pointwise;

/// `main` + gain · resampled `source`. Down: `source` [batch, channels, 2h, 2w] is averaged to half
/// its side with [1, 3, 3, 1] / 8 along each axis and its channels repeated, to `main`'s [batch,
/// 2·channels, h, w]. Up is the transpose of that: a flat image of value v comes out as v / 2.
pub fn add_resampled(
    main: Tensor<4>,
    source: Tensor<4>,
    direction: Direction,
    gain: f64,
) -> Tensor<4> {
    let (main, source) = (main.into_dispatch(), source.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Residual>::add_resampled(main, source, direction, gain))
}

/// `x` [batch, channels, height, width] with `bias` `[channels]` added to every pixel.
pub fn add_bias(x: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Residual>::add_bias(x, bias))
}

/// `x` [batch, channels, height, width] with `noise` [batch, 1, height, width], which gets no gradient,
/// times each channel's `strength` `[channels]` added (Karras et al. 2019).
pub fn add_noise(x: Tensor<4>, noise: Tensor<4>, strength: Tensor<1>) -> Tensor<4> {
    let noise = noise.detach();
    let (x, noise) = (x.into_dispatch(), noise.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Residual>::add_noise(x, noise, strength.into_dispatch()))
}

/// `u` where `activated` is above zero, slope · `u` elsewhere: LeakyReLU's derivative where
/// `activated`, which gets no gradient, is its result.
pub fn gate(u: Tensor<4>, activated: Tensor<4>, slope: f64) -> Tensor<4> {
    let activated = activated.detach();
    let (u, activated) = (u.into_dispatch(), activated.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Residual>::gate(u, activated, slope))
}

/// How a residual layer computes.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Down: the convolution and the averaging. Up: their transposes.
    pub direction: Direction,
    /// Gain of the path around.
    pub gain: f64,
    /// LeakyReLU's slope below zero.
    pub slope: f64,
    /// Whether each pixel's channels are divided by their root mean square before the activation.
    pub normed: bool,
    /// Number format of the convolution.
    pub precision: Precision,
}

/// LeakyReLU of `x` [batch, channels, height, width] after each pixel's channels were divided by their
/// root mean square (Karras et al. 2018).
pub fn normed_leaky(x: Tensor<4>, slope: f64) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Residual>::normed_leaky(x.into_dispatch(), slope))
}

/// A residual layer: convolution of LeakyReLU(`x`) by `weight` [deep, wide, 4, 4], plus `bias`, plus
/// gain · resampled `x`. Also returns the activation, without a gradient.
///
/// It is one operation: burn adds the two gradients of `x` in the order of another layout, and the copies that this
/// costs took two thirds of a step's speed on the CPU.
pub fn residual(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    way: Way,
) -> (Tensor<4>, Tensor<4>) {
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    let (y, active) = <Dispatch as Residual>::residual(x, weight, bias, way);
    (Tensor::from_dispatch(y), Tensor::from_dispatch(active))
}

/// The transpose of a residual layer at fixed slopes, `way` being its own: `u` convolved by `weight`,
/// where `active` is the layer's activation times its slopes, plus gain · resampled `u`.
pub fn residual_transposed(
    u: Tensor<4>,
    active: Tensor<4>,
    weight: Tensor<4>,
    way: Way,
) -> Tensor<4> {
    let active = active.detach();
    let (u, active, w) = (u.into_dispatch(), active.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Residual>::transposed(u, active, w, way))
}

impl Way {
    /// The convolution this way.
    pub(super) fn there<B: Convolutions>(
        self,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
    ) -> FloatTensor<B> {
        match self.direction {
            Direction::Down => B::down(x, weight, self.precision, false),
            Direction::Up => B::up(x, weight, self.precision, false),
        }
    }

    /// Its transpose.
    fn back<B: Convolutions>(self, x: FloatTensor<B>, weight: FloatTensor<B>) -> FloatTensor<B> {
        Self { direction: self.direction.opposite(), ..self }.there::<B>(x, weight)
    }

    /// The filter's gradient, from what went in this way and what came back.
    fn filter_gradient<B: Convolutions>(
        self,
        input: FloatTensor<B>,
        gradient: FloatTensor<B>,
        weight: FloatTensor<B>,
    ) -> FloatTensor<B> {
        let (large, small) = match self.direction {
            Direction::Down => (input, gradient),
            Direction::Up => (gradient, input),
        };
        B::filter_gradient(large, small, weight, self.precision)
    }
}

/// The operations on a backend.
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub trait Residual: Backend {
    /// As the function [`residual`].
    fn residual(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        way: Way,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// As the function [`normed_leaky`].
    fn normed_leaky(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self>;

    /// From what went into [`Residual::normed_leaky`] and its result's gradient to the gradient of the
    /// former.
    fn normed_leaky_backward(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        slope: f64,
    ) -> FloatTensor<Self>;

    /// As the function [`residual_transposed`].
    fn transposed(
        u: FloatTensor<Self>,
        active: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        way: Way,
    ) -> FloatTensor<Self>;

    /// As the function [`add_resampled`].
    fn add_resampled(
        main: FloatTensor<Self>,
        source: FloatTensor<Self>,
        direction: Direction,
        gain: f64,
    ) -> FloatTensor<Self>;

    /// gain · resampled `source`.
    fn resample(source: FloatTensor<Self>, direction: Direction, gain: f64) -> FloatTensor<Self>;

    /// As the function [`add_bias`].
    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;

    /// As the function [`add_noise`].
    fn add_noise(
        x: FloatTensor<Self>,
        noise: FloatTensor<Self>,
        strength: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The sum over images and pixels of the gradient times the noise.
    fn strength_gradient(
        gradient: FloatTensor<Self>,
        noise: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The sum over images and pixels.
    fn bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self>;

    /// As the function [`gate`].
    fn gate(u: FloatTensor<Self>, activated: FloatTensor<Self>, slope: f64) -> FloatTensor<Self>;
}

fn resample_onto<T: Value>(
    main: Option<FlexTensor>,
    source: FlexTensor,
    direction: Direction,
    gain: f64,
) -> FlexTensor {
    let source = flex::channels_last(source);
    let [batch, channels, height, width] = flex::dims(&source);
    let (extent, dims) = match direction {
        Direction::Down => (
            Extent { height: height / 2, width: width / 2, channels },
            [batch, 2 * channels, height / 2, width / 2],
        ),
        Direction::Up => (
            Extent { height, width, channels: channels / 2 },
            [batch, channels / 2, 2 * height, 2 * width],
        ),
    };
    let x = flex::values::<T>(&source);
    match main {
        Some(main) => {
            flex::change::<T>(main, |y| kernel::add_resampled(&extent, direction, gain, x, y))
        }
        None => {
            let mut y: Buffer<T> = T::memory().take(dims.iter().product());
            y.fill(T::default());
            kernel::add_resampled(&extent, direction, gain, x, &mut y);
            flex::image(y, dims)
        }
    }
}

fn normed<T: Value>(x: &FlexTensor, slope: f64) -> FlexTensor {
    let dims = flex::dims(x);
    let mut y: Buffer<T> = T::memory().take(dims.iter().product());
    rms::forward(flex::values::<T>(x), dims[1], slope, &mut y);
    flex::image(y, dims)
}

impl Residual for Flex {
    fn residual(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        way: Way,
    ) -> (FlexTensor, FlexTensor) {
        let active = match way.normed {
            true => Self::normed_leaky(x.clone(), way.slope),
            false => Self::activation(x.clone(), Some(way.slope)),
        };
        let made = Self::add_bias(way.there::<Self>(active.clone(), weight), bias);
        (Self::add_resampled(made, x, way.direction, way.gain), active)
    }

    fn normed_leaky(x: FlexTensor, slope: f64) -> FlexTensor {
        let x = flex::channels_last(x);
        by_type!(&x, T => normed::<T>(&x, slope))
    }

    fn normed_leaky_backward(x: FlexTensor, gradient: FlexTensor, slope: f64) -> FlexTensor {
        let x = flex::channels_last(x);
        let channels = flex::dims(&x)[1];
        by_type!(&x, T => flex::change::<T>(gradient, |g| {
            rms::backward(flex::values(&x), channels, slope, g);
        }))
    }

    fn transposed(u: FlexTensor, active: FlexTensor, weight: FlexTensor, way: Way) -> FlexTensor {
        let made = Self::gate(way.there::<Self>(u.clone(), weight), active, way.slope);
        Self::add_resampled(made, u, way.direction, way.gain)
    }

    fn add_resampled(
        main: FlexTensor,
        source: FlexTensor,
        direction: Direction,
        gain: f64,
    ) -> FlexTensor {
        by_type!(&source, T => resample_onto::<T>(Some(main), source, direction, gain))
    }

    fn resample(source: FlexTensor, direction: Direction, gain: f64) -> FlexTensor {
        by_type!(&source, T => resample_onto::<T>(None, source, direction, gain))
    }

    fn add_bias(x: FlexTensor, bias: FlexTensor) -> FlexTensor {
        by_type!(&x, T => flex::change::<T>(x, |x| kernel::add_bias(x, &flex::in_order(&bias))))
    }

    fn add_noise(x: FlexTensor, noise: FlexTensor, strength: FlexTensor) -> FlexTensor {
        by_type!(&x, T => flex::change::<T>(x, |x| {
            kernel::add_noise(x, &flex::in_order(&noise), &flex::in_order(&strength));
        }))
    }

    fn strength_gradient(gradient: FlexTensor, noise: FlexTensor) -> FlexTensor {
        let g = flex::channels_last(gradient);
        let channels = flex::dims(&g)[1];
        by_type!(&g, T => {
            flex::row(kernel::sum_products::<T>(flex::values(&g), &flex::in_order(&noise), channels))
        })
    }

    fn bias_gradient(gradient: FlexTensor) -> FlexTensor {
        let g = flex::channels_last(gradient);
        let channels = flex::dims(&g)[1];
        by_type!(&g, T => flex::row(kernel::sum_rows::<T>(flex::values(&g), channels)))
    }

    fn gate(u: FlexTensor, activated: FlexTensor, slope: f64) -> FlexTensor {
        let y = flex::channels_last(activated);
        by_type!(&y, T => flex::change::<T>(u, |u| {
            activation::leaky_backward(flex::values(&y), u, slope);
        }))
    }
}
