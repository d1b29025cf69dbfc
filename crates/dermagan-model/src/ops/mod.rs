//! The network's layers as operations of our own: on the CPU they run `dermagan-kernels`, on every
//! other device burn's. The convolutions' backward pass is the one written here everywhere, that of
//! normalisation and activations on the CPU only.
//!
//! Images keep burn's shape `[batch, channels, height, width]`. On the CPU these operations lay
//! their results out channels-last, which is what the kernels read; any other layout is accepted
//! and copied first.

mod bytes;
mod conv;
mod flex;
#[cfg(feature = "cube")]
mod gpu;
mod norm;
mod pointwise;
mod product;
mod residual;

pub use bytes::from_bytes;
pub use conv::{convolve, convolve_any, convolve_transposed};
pub use dermagan_kernels::adam::Step as AdamStep;
pub use norm::{norm_act, norm_act_train};
pub use pointwise::{adam, leaky, lerp, squares, tanh};
pub use product::product;
pub use residual::{
    Direction, Way, add_bias, add_noise, add_resampled, gate, normed_leaky, residual,
    residual_transposed,
};

use crate::precision::Precision;
use crate::transfer::upload;

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor, TensorData};

/// Checks the environment variable that names the form of convolutions on GPUs.
///
/// # Errors
/// When it names none.
pub fn requested_form() -> Result<(), String> {
    #[cfg(feature = "cube")]
    if let Ok(name) = std::env::var(gpu::choice::FORCE)
        && !gpu::choice::FORMS.contains(&name.as_str())
    {
        let (variable, forms) = (gpu::choice::FORCE, gpu::choice::FORMS.join(", "));
        return Err(format!("{variable}={name}: expected one of {forms}"));
    }
    Ok(())
}

/// Forms of operations that a GPU was found to compute wrongly in this process, and which are not used, in words.
pub fn wrong_forms() -> Vec<String> {
    #[cfg(feature = "cube")]
    return gpu::choice::wrong_forms().iter().map(ToString::to_string).collect();
    #[cfg(not(feature = "cube"))]
    Vec::new()
}

/// Whether tensors of this device are computed by the kernels of `dermagan-kernels`.
pub fn is_cpu(device: &Device) -> bool {
    fn flex(device: &DispatchDevice) -> bool {
        match device {
            DispatchDevice::Flex(_) => true,
            DispatchDevice::Autodiff(inner) => flex(inner),
            #[allow(unreachable_patterns, reason = "the only one without GPU support")]
            _ => false,
        }
    }
    flex(device.as_dispatch())
}

/// Batches of images, one after another. On the CPU they stay channels-last.
pub fn join(batches: Vec<Tensor<4>>) -> Tensor<4> {
    match batches.first().is_some_and(|x| is_cpu(&x.device())) {
        true => {
            let last = batches.into_iter().map(|x| x.permute([0, 2, 3, 1])).collect();
            Tensor::cat(last, 0).permute([0, 3, 1, 2])
        }
        false => Tensor::cat(batches, 0),
    }
}

/// A constant beside `other`: on its device, in its number format.
pub(crate) fn constant<const D: usize, const E: usize>(
    values: Vec<f32>,
    shape: [usize; D],
    other: &Tensor<E>,
) -> Tensor<D> {
    upload(TensorData::new(values, shape), (&other.device(), other.dtype()))
}
