//! The device of the targets.

use std::sync::OnceLock;

use dermagan_model::ComputeDevice;

/// The CPU, on which the generators that open make an image.
pub fn device() -> &'static ComputeDevice {
    static DEVICE: OnceLock<ComputeDevice> = OnceLock::new();
    DEVICE.get_or_init(ComputeDevice::cpu)
}
