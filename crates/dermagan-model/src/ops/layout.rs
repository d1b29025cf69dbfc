//! Which kernels compute a tensor, and the order of its values that follows from this.

use burn::backend::DispatchDevice;
use burn::tensor::{Device, Tensor};

/// Whether the kernels of `dermagan-kernels` compute the tensors of this device.
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

/// Concatenates batches of images, each [batch, channels, height, width]. On the CPU the result is
/// channels-last, as its parts are.
pub fn join(batches: Vec<Tensor<4>>) -> Tensor<4> {
    match batches.first().is_some_and(|x| is_cpu(&x.device())) {
        true => {
            let last = batches.into_iter().map(|x| x.permute([0, 2, 3, 1])).collect();
            Tensor::cat(last, 0).permute([0, 3, 1, 2])
        }
        false => Tensor::cat(batches, 0),
    }
}
