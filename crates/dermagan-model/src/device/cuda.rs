//! NVIDIA cards through CUDA.

use burn::tensor::{Device, DeviceType};

use super::compute_device::ComputeDevice;

/// The number of CUDA cards.
pub fn count() -> usize {
    Device::enumerate(DeviceType::Cuda).into_vec().len()
}

/// Opens card number `n`.
pub fn open(n: usize) -> ComputeDevice {
    let device = Device::cuda(n);
    let name = device.identity().map_or_else(|| "NVIDIA card".to_owned(), |i| i.name);
    ComputeDevice { handle: device, name: format!("{name}, CUDA"), is_cpu: false, warning: None }
}
