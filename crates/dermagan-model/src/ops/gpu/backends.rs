//! The operations of [`super::super`] on GPUs, except the convolutions.

use burn::backend::Cube;
use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::Shape;

use super::super::activation::Pointwise;
use super::super::bytes::Unpack;
use super::super::optimiser::{AdamStep, Update};
use super::super::shortcut::{Direction, Shortcut, ShortcutSpec};
use super::kernels;

type Values = FloatTensor<Cube>;

impl Pointwise for Cube {
    fn activation(x: Values, slope: Option<f64>) -> Values {
        match slope {
            Some(slope) => kernels::gate(x.clone(), x, slope),
            None => Self::float_tanh(x),
        }
    }

    fn activation_backward(y: Values, gradient: Values, slope: Option<f64>) -> Values {
        match slope {
            // The result is above zero exactly where the argument is.
            Some(slope) => kernels::gate(gradient, y, slope),
            None => kernels::tanh_backward(y, gradient),
        }
    }
}

impl Unpack for Cube {
    fn unpack(words: IntTensor<Self>, batch: usize, side: usize) -> Values {
        kernels::unpack(words, batch, side)
    }
}

impl Update for Cube {
    fn adam(
        value: Values,
        first: Values,
        second: Values,
        gradient: Values,
        step: AdamStep,
    ) -> (Values, Values, Values) {
        let [value, first, second] = kernels::adam(step, value, [first, second], gradient);
        (value, first, second)
    }

    fn lerp(old: Values, new: Values, decay: f64) -> Values {
        kernels::lerp(old, new, decay)
    }

    fn squares(values: Values, starts: IntTensor<Self>, row: usize) -> Values {
        kernels::squares(values, starts, row)
    }
}

/// The sum over images and pixels, `[channels]`.
fn sum_of_channels(x: Values) -> Values {
    let [batch, channels, height, width] = x.shape().dims();
    let rows = Cube::float_reshape(x, Shape::from([batch, channels, height * width]));
    let images = Cube::float_reshape(Cube::float_sum_dim(rows, 2), Shape::from([batch, channels]));
    Cube::float_reshape(Cube::float_sum_dim(images, 0), Shape::from([channels]))
}

impl Shortcut for Cube {
    fn layer(x: Values, weight: Values, bias: Values, spec: ShortcutSpec) -> (Values, Values) {
        let active = match spec.normed {
            true => Self::normed_leaky(x.clone(), spec.slope),
            false => Self::activation(x.clone(), Some(spec.slope)),
        };
        let made = Self::add_bias(spec.apply::<Self>(active.clone(), weight), bias);
        (Self::add_resampled(made, x, spec.direction, spec.gain), active)
    }

    fn normed_leaky(x: Values, slope: f64) -> Values {
        kernels::normed_leaky(x, slope)
    }

    fn normed_leaky_backward(x: Values, gradient: Values, slope: f64) -> Values {
        kernels::normed_leaky_backward(x, gradient, slope)
    }

    fn transposed(u: Values, active: Values, weight: Values, spec: ShortcutSpec) -> Values {
        let made = Self::gate(spec.apply::<Self>(u.clone(), weight), active, spec.slope);
        Self::add_resampled(made, u, spec.direction, spec.gain)
    }

    fn add_resampled(main: Values, source: Values, direction: Direction, gain: f64) -> Values {
        kernels::resample(Some(main), source, direction, gain)
    }

    fn resample(source: Values, direction: Direction, gain: f64) -> Values {
        kernels::resample(None, source, direction, gain)
    }

    fn add_bias(x: Values, bias: Values) -> Values {
        let channels = bias.shape()[0];
        let bias = Self::float_reshape(bias, Shape::from([1, channels, 1, 1]));
        Self::float_add(x, bias)
    }

    fn add_noise(x: Values, noise: Values, strength: Values) -> Values {
        kernels::add_noise(x, noise, strength)
    }

    fn strength_gradient(gradient: Values, noise: Values) -> Values {
        sum_of_channels(Self::float_mul(gradient, noise))
    }

    fn bias_gradient(gradient: Values) -> Values {
        sum_of_channels(gradient)
    }

    fn gate(u: Values, activated: Values, slope: f64) -> Values {
        kernels::gate(u, activated, slope)
    }
}
