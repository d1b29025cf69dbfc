//! The operations on the CPU, on the kernels of `dermagan-kernels`.

use burn::backend::Flex;
use burn_flex::FlexTensor;
use dermagan_kernels::Buffer;
use dermagan_kernels::pointwise::activation;
use dermagan_kernels::pointwise::rms;
use dermagan_kernels::pointwise::{self as kernel, Direction, Extent};

use super::backend::Shortcut;
use super::spec::ShortcutSpec;
use crate::ops::activation::Pointwise;
use crate::ops::flex::{self, Value, by_type};

/// `main`, or zero if it is `None`, plus gain · resampled `source`.
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

/// As [`Shortcut::normed_leaky`], for a channels-last image.
fn normed<T: Value>(x: &FlexTensor, slope: f64) -> FlexTensor {
    let dims = flex::dims(x);
    let mut y: Buffer<T> = T::memory().take(dims.iter().product());
    rms::forward(flex::values::<T>(x), dims[1], slope, &mut y);
    flex::image(y, dims)
}

impl Shortcut for Flex {
    fn layer(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        spec: ShortcutSpec,
    ) -> (FlexTensor, FlexTensor) {
        let active = match spec.normed {
            true => Self::normed_leaky(x.clone(), spec.slope),
            false => Self::activation(x.clone(), Some(spec.slope)),
        };
        let made = Self::add_bias(spec.apply::<Self>(active.clone(), weight), bias);
        (Self::add_resampled(made, x, spec.direction, spec.gain), active)
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

    fn transposed(
        u: FlexTensor,
        active: FlexTensor,
        weight: FlexTensor,
        spec: ShortcutSpec,
    ) -> FlexTensor {
        let made = Self::gate(spec.apply::<Self>(u.clone(), weight), active, spec.slope);
        Self::add_resampled(made, u, spec.direction, spec.gain)
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
