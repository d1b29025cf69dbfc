//! Finding and opening a device.

use dermagan_kernels::cpu;

use super::choice::Choice;
use super::compute_device::{Adapter, ComputeDevice};
#[cfg(feature = "cuda")]
use super::cuda;
#[cfg(feature = "gpu")]
use super::gpu;
use crate::error::ModelError;
use crate::ops::requested_form;

/// Opens the requested device. A missing GPU is an error, not a panic.
///
/// # Errors
/// When the device does not exist; the message lists the devices that do. When `DERMAGAN_CPU` requests a
/// level that the CPU lacks, or `DERMAGAN_CONV` a form that does not exist.
pub fn select(choice: &Choice) -> Result<ComputeDevice, ModelError> {
    // For a GPU too, because its results are compared with those of the CPU.
    cpu::requested().map_err(|error| ModelError::Device(error.to_string()))?;
    requested_form().map_err(ModelError::Device)?;
    match choice {
        Choice::Cpu => Ok(ComputeDevice::cpu()),
        #[cfg(feature = "cuda")]
        Choice::Auto if cuda::count() > 0 => Ok(cuda::open(0)),
        #[cfg(feature = "cuda")]
        Choice::Cuda(n) if *n < cuda::count() => Ok(cuda::open(*n)),
        Choice::Cuda(_) => Err(ModelError::Device(match cfg!(feature = "cuda") {
            true => {
                format!("`device` = {choice}: CUDA finds {} cards. Use `device` = auto", cards())
            }
            false => format!(
                "`device` = {choice}: this program was built without CUDA; build it with --features \
                 cuda, or use `device` = gpu"
            ),
        })),
        #[cfg(feature = "gpu")]
        Choice::Auto => match gpu::adapters().into_iter().find(|a| !a.adapter.software) {
            Some(found) => gpu::open(&found),
            None => Ok(ComputeDevice::cpu()),
        },
        #[cfg(not(feature = "gpu"))]
        Choice::Auto => Ok(ComputeDevice::cpu()),
        #[cfg(feature = "gpu")]
        wanted => {
            let found = gpu::adapters();
            match found.iter().find(|a| a.adapter.choice == *wanted) {
                Some(found) => gpu::open(found),
                None => Err(ModelError::Device(not_found(wanted, &adapters()))),
            }
        }
        #[cfg(not(feature = "gpu"))]
        wanted => Err(ModelError::Device(format!(
            "`device` = {wanted}: this program was built without GPU support; build it without \
             --no-default-features, or use `device` = cpu"
        ))),
    }
}

#[cfg(feature = "gpu")]
fn not_found(wanted: &Choice, found: &[Adapter]) -> String {
    let list: Vec<String> = found.iter().map(|a| format!("{} ({})", a.choice, a.name)).collect();
    let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    format!(
        "`device` = {wanted}: no such adapter. Found: {list}. Use `device` = cpu, or install the Vulkan \
         driver of the card"
    )
}

/// All adapters of this machine: real GPUs, then CUDA cards, then software rasterisers.
pub fn adapters() -> Vec<Adapter> {
    let mut found: Vec<Adapter> = Vec::new();
    #[cfg(feature = "gpu")]
    found.extend(gpu::adapters().into_iter().map(|a| a.adapter));
    #[cfg(feature = "cuda")]
    found.extend((0..cuda::count()).map(|n| Adapter {
        choice: Choice::Cuda(n),
        name: cuda::open(n).name,
        software: false,
    }));
    found.sort_by_key(|adapter| adapter.software);
    found
}

/// The number of CUDA cards; 0 without the feature or the driver.
fn cards() -> usize {
    #[cfg(feature = "cuda")]
    return cuda::count();
    #[cfg(not(feature = "cuda"))]
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_gpu_is_an_error_and_not_a_panic() {
        let error = select(&Choice::Gpu(99)).unwrap_err().to_string();
        assert!(
            error.contains("`device` = cpu") || error.contains("without GPU support"),
            "{error}"
        );
        let error = select(&Choice::Cuda(99)).unwrap_err().to_string();
        assert!(error.contains("`device`"), "{error}");
    }
}
