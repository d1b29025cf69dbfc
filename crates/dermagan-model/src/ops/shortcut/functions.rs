//! The operations on tensors, for any backend.

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use dermagan_kernels::pointwise::Direction;

use super::backend::Shortcut;
use super::spec::ShortcutSpec;

/// `main` + `gain` · resampled `source`.
///
/// Down: `source`, `[batch, channels, 2h, 2w]`, is filtered with \[1, 3, 3, 1\] / 8 along each axis,
/// reduced to half its side, and its channels are repeated, which gives the shape of `main`,
/// `[batch, 2·channels, h, w]`. Up is the transpose of Down: it maps a constant image of value v to a
/// constant image of value v / 2.
pub fn add_resampled(
    main: Tensor<4>,
    source: Tensor<4>,
    direction: Direction,
    gain: f64,
) -> Tensor<4> {
    let (main, source) = (main.into_dispatch(), source.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Shortcut>::add_resampled(main, source, direction, gain))
}

/// `x`, `[batch, channels, height, width]`, plus `bias`, `[channels]`, at every pixel.
pub fn add_bias(x: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    let (x, bias) = (x.into_dispatch(), bias.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Shortcut>::add_bias(x, bias))
}

/// `x`, `[batch, channels, height, width]`, plus `noise`, `[batch, 1, height, width]`, times the
/// `strength` of each channel, `[channels]` (Karras et al. 2019). `noise` gets no gradient.
pub fn add_noise(x: Tensor<4>, noise: Tensor<4>, strength: Tensor<1>) -> Tensor<4> {
    let noise = noise.detach();
    let (x, noise) = (x.into_dispatch(), noise.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Shortcut>::add_noise(x, noise, strength.into_dispatch()))
}

/// `u` where `activated` is above zero, and `slope` · `u` elsewhere: the product of `u` and the
/// derivative of LeakyReLU, whose result is `activated`. `activated` gets no gradient.
pub fn gate(u: Tensor<4>, activated: Tensor<4>, slope: f64) -> Tensor<4> {
    let activated = activated.detach();
    let (u, activated) = (u.into_dispatch(), activated.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Shortcut>::gate(u, activated, slope))
}

/// Divides the channels of each pixel of `x`, `[batch, channels, height, width]`, by their root mean
/// square (Karras et al. 2018), then applies LeakyReLU with `slope`.
pub fn normed_leaky(x: Tensor<4>, slope: f64) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as Shortcut>::normed_leaky(x.into_dispatch(), slope))
}

/// A layer with a shortcut: the convolution of LeakyReLU(`x`) with `weight`, `[deep, wide, 4, 4]`, plus
/// `bias`, plus gain · resampled `x`. Also returns the activation, without a gradient.
///
/// It is one operation, because burn would add the two gradients of `x` in another memory layout. The
/// copies that this needs cost two thirds of the speed of a training step on the CPU.
pub fn shortcut_layer(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    spec: ShortcutSpec,
) -> (Tensor<4>, Tensor<4>) {
    let (x, weight, bias) = (x.into_dispatch(), weight.into_dispatch(), bias.into_dispatch());
    let (y, active) = <Dispatch as Shortcut>::layer(x, weight, bias, spec);
    (Tensor::from_dispatch(y), Tensor::from_dispatch(active))
}

/// The transpose of a layer with a shortcut at fixed activation slopes: the convolution of `u` with
/// `weight`, times the slopes that follow from `active`, plus gain · resampled `u`. `active` is the
/// activation of the layer; it gets no gradient. `spec` describes the transposed layer itself.
pub fn shortcut_layer_transposed(
    u: Tensor<4>,
    active: Tensor<4>,
    weight: Tensor<4>,
    spec: ShortcutSpec,
) -> Tensor<4> {
    let active = active.detach();
    let (u, active, w) = (u.into_dispatch(), active.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(<Dispatch as Shortcut>::transposed(u, active, w, spec))
}
