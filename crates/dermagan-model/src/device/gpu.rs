//! Graphics adapters through wgpu.

use std::sync::{Mutex, PoisonError};

use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};
use burn::tensor::{Device, DeviceKind};

use super::choice::Choice;
use super::compute_device::{Adapter, ComputeDevice};
use crate::error::ModelError;

/// An adapter, and what opens it.
pub struct Found {
    /// The adapter as it is listed.
    pub adapter: Adapter,
    kind: DeviceKind,
    api: WgpuBackend,
}

/// The graphics interfaces that compute, in the order of preference. OpenGL is not among them and must not be opened
/// either: its driver makes the symbols of its LLVM visible to the whole process, and a library that is loaded later with
/// an LLVM of its own then crashes (Python's Triton, which PyTorch imports, does with Mesa 22.3).
const INTERFACES: [wgpu::Backends; 3] =
    [wgpu::Backends::VULKAN, wgpu::Backends::METAL, wgpu::Backends::DX12];

/// Locked while an instance is created or dropped: the Vulkan loader crashes when several threads do so at once.
static LOADER: Mutex<()> = Mutex::new(());

/// The adapters of the first graphics interface that has any. Other interfaces are skipped, because
/// Vulkan and DX12 list the same cards twice.
pub fn adapters() -> Vec<Found> {
    let _alone = LOADER.lock().unwrap_or_else(PoisonError::into_inner);
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: INTERFACES.into_iter().collect(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut found: Vec<Found> = Vec::new();
    for backend in INTERFACES {
        let api = match backend {
            wgpu::Backends::VULKAN => WgpuBackend::Vulkan,
            _ => WgpuBackend::Auto,
        };
        let infos: Vec<_> = pollster::block_on(instance.enumerate_adapters(backend))
            .iter()
            .map(wgpu::Adapter::get_info)
            .collect();
        found = list(&infos, api);
        if !found.is_empty() {
            break;
        }
    }
    found
}

/// The adapters of one graphics interface: real GPUs, numbered from 0, then the first software
/// rasteriser.
fn list(infos: &[wgpu::AdapterInfo], api: WgpuBackend) -> Vec<Found> {
    use wgpu::DeviceType::{Cpu, DiscreteGpu, IntegratedGpu, VirtualGpu};
    let mut found = Vec::new();
    let mut gpus = 0;
    for kind in [DiscreteGpu, IntegratedGpu, VirtualGpu, Cpu] {
        for (n, info) in infos.iter().filter(|i| i.device_type == kind).enumerate() {
            let software = kind == Cpu;
            if software && n > 0 {
                break;
            }
            let choice = if software { Choice::Software } else { Choice::Gpu(gpus) };
            gpus += usize::from(!software);
            let kind = match kind {
                DiscreteGpu => DeviceKind::DiscreteGpu(n),
                IntegratedGpu => DeviceKind::IntegratedGpu(n),
                VirtualGpu => DeviceKind::VirtualGpu(n),
                _ => DeviceKind::Cpu,
            };
            let name =
                format!("{}, {:?}, {} {}", info.name, info.backend, info.driver, info.driver_info);
            let adapter = Adapter { choice, name: name.trim().to_owned(), software };
            found.push(Found { adapter, kind, api });
        }
    }
    found
}

/// Opens an adapter.
///
/// # Errors
/// When its driver refuses.
pub fn open(found: &Found) -> Result<ComputeDevice, ModelError> {
    let _alone = LOADER.lock().unwrap_or_else(PoisonError::into_inner);
    let options = Device::wgpu_options().graphics_api(found.api).device_kind(found.kind.clone());
    let device = match options.init() {
        Ok(device) => device,
        // The process has opened the adapter before: the plain constructor finds it again.
        Err(WgpuInitError::Registration { .. }) => match found.api {
            WgpuBackend::Vulkan => Device::vulkan(found.kind.clone()),
            _ => Device::wgpu(found.kind.clone()),
        },
        Err(error) => {
            let what = format!("{}: {error}. Use `device` = cpu", found.adapter.name);
            return Err(ModelError::Device(what));
        }
    };
    let warning = found
        .adapter
        .software
        .then(|| "a software rasteriser, for tests only: the CPU is faster".to_owned());
    Ok(ComputeDevice { handle: device, name: found.adapter.name.clone(), is_cpu: false, warning })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn listing_adapters_does_not_load_opengl() {
        adapters();
        let loaded = std::fs::read_to_string("/proc/self/maps").unwrap();
        assert!(!loaded.contains("libEGL"), "{loaded}");
    }
}
