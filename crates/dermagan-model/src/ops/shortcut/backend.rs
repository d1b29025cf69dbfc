//! The operations that a backend provides.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use dermagan_kernels::pointwise::Direction;

use super::spec::ShortcutSpec;

/// The operations on one backend.
#[backend_extension(Flex, Cube: cfg(feature = "cube"), Autodiff)]
pub trait Shortcut: Backend {
    /// As the function [`shortcut_layer`](super::shortcut_layer).
    fn layer(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        spec: ShortcutSpec,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// As the function [`normed_leaky`](super::normed_leaky).
    fn normed_leaky(x: FloatTensor<Self>, slope: f64) -> FloatTensor<Self>;

    /// The gradient of the argument `x` of [`Shortcut::normed_leaky`], from the gradient of its result.
    fn normed_leaky_backward(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        slope: f64,
    ) -> FloatTensor<Self>;

    /// As the function [`shortcut_layer_transposed`](super::shortcut_layer_transposed).
    fn transposed(
        u: FloatTensor<Self>,
        active: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        spec: ShortcutSpec,
    ) -> FloatTensor<Self>;

    /// As the function [`add_resampled`](super::add_resampled).
    fn add_resampled(
        main: FloatTensor<Self>,
        source: FloatTensor<Self>,
        direction: Direction,
        gain: f64,
    ) -> FloatTensor<Self>;

    /// `gain` · resampled `source`; see [`add_resampled`](super::add_resampled).
    fn resample(source: FloatTensor<Self>, direction: Direction, gain: f64) -> FloatTensor<Self>;

    /// As the function [`add_bias`](super::add_bias).
    fn add_bias(x: FloatTensor<Self>, bias: FloatTensor<Self>) -> FloatTensor<Self>;

    /// As the function [`add_noise`](super::add_noise).
    fn add_noise(
        x: FloatTensor<Self>,
        noise: FloatTensor<Self>,
        strength: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The gradient of the strength of the noise, `[channels]`: the sum over images and pixels of
    /// `gradient` · `noise`.
    fn strength_gradient(
        gradient: FloatTensor<Self>,
        noise: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The gradient of the bias, `[channels]`: the sum of `gradient` over images and pixels.
    fn bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self>;

    /// As the function [`gate`](super::gate).
    fn gate(u: FloatTensor<Self>, activated: FloatTensor<Self>, slope: f64) -> FloatTensor<Self>;
}
