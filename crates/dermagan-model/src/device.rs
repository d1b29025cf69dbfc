//! Which device to compute on.

use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use dermagan_kernels::cpu;

use crate::error::ModelError;
use crate::ops::requested_form;

/// What the user asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The first real GPU, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// GPU number n, counting from 0, real GPUs only.
    Gpu(usize),
    /// NVIDIA card number n through CUDA; only where the program was built with `cuda`.
    Cuda(usize),
    /// A software rasteriser behind the GPU's interface: for tests, slower than the CPU.
    Software,
}

impl FromStr for Choice {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, ModelError> {
        let number = |text: &str| text.parse().ok();
        match text.to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "gpu" => Ok(Self::Gpu(0)),
            "cuda" => Ok(Self::Cuda(0)),
            "software" => Ok(Self::Software),
            other => {
                let gpu = other.strip_prefix("gpu:").and_then(number).map(Self::Gpu);
                let cuda = other.strip_prefix("cuda:").and_then(number).map(Self::Cuda);
                gpu.or(cuda).ok_or_else(|| {
                    let expected = "auto, cpu, gpu, gpu:1 (the second GPU), cuda:0 or software";
                    ModelError::Device(format!("no device is called '{text}': expected {expected}"))
                })
            }
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(n) => write!(f, "gpu:{n}"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Software => f.write_str("software"),
        }
    }
}

/// A device that was found.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The device, without autodiff.
    pub device: Device,
    /// What to call it: `cpu`, or the adapter's name, graphics interface and driver.
    pub name: String,
    /// Whether it is the CPU backend, whose results are the same bits every time.
    pub is_cpu: bool,
    /// Something the user should know about it.
    pub warning: Option<String>,
}

impl Selected {
    /// The CPU backend, at the level of vector instructions that is in use.
    pub fn cpu() -> Self {
        let threads = rayon::current_num_threads();
        let name = format!("cpu ({threads} threads, {})", cpu::level());
        Self { device: Device::flex(), name, is_cpu: true, warning: None }
    }

    /// What rounds its results: the CPU's level of vector instructions in use (`avx2`, …), or `gpu`.
    pub fn level(&self) -> &'static str {
        if self.is_cpu { cpu::level().name() } else { "gpu" }
    }
}

/// A graphics adapter, as listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// How to ask for it with `--device`.
    pub choice: Choice,
    /// Name, graphics interface and driver.
    pub name: String,
    /// Whether it computes on the CPU.
    pub software: bool,
}

/// Opens what was asked for, without a panic where there is no GPU.
///
/// # Errors
/// When there is no such device, or `DERMAGAN_CPU` asks for a level that the CPU lacks; says what there is.
pub fn select(choice: &Choice) -> Result<Selected, ModelError> {
    // Also where a GPU computes: what it computes is compared with the CPU.
    cpu::requested().map_err(|error| ModelError::Device(error.to_string()))?;
    requested_form().map_err(ModelError::Device)?;
    match choice {
        Choice::Cpu => Ok(Selected::cpu()),
        #[cfg(feature = "cuda")]
        Choice::Auto if cuda::count() > 0 => Ok(cuda::open(0)),
        #[cfg(feature = "cuda")]
        Choice::Cuda(n) if *n < cuda::count() => Ok(cuda::open(*n)),
        Choice::Cuda(_) => Err(ModelError::Device(match cfg!(feature = "cuda") {
            true => format!("--device {choice}: CUDA finds {} cards. Use --device auto", cards()),
            false => format!(
                "--device {choice}: this program was built without CUDA; build it with --features \
                 cuda, or use --device gpu"
            ),
        })),
        #[cfg(feature = "gpu")]
        Choice::Auto => match gpu::adapters().into_iter().find(|a| !a.adapter.software) {
            Some(found) => gpu::open(&found),
            None => Ok(Selected::cpu()),
        },
        #[cfg(not(feature = "gpu"))]
        Choice::Auto => Ok(Selected::cpu()),
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
            "--device {wanted}: this program was built without GPU support; build it without \
             --no-default-features, or use --device cpu"
        ))),
    }
}

#[cfg(feature = "gpu")]
fn not_found(wanted: &Choice, found: &[Adapter]) -> String {
    let list: Vec<String> = found.iter().map(|a| format!("{} ({})", a.choice, a.name)).collect();
    let list = if list.is_empty() { "none".to_owned() } else { list.join(", ") };
    format!(
        "--device {wanted}: no such adapter. Found: {list}. Use --device cpu, or install the \
         card's Vulkan driver; `dermagan devices` shows what is seen"
    )
}

/// All adapters that are seen: graphics adapters, real GPUs first, then CUDA's.
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

/// How many cards CUDA finds; none without its feature or its driver.
fn cards() -> usize {
    #[cfg(feature = "cuda")]
    return cuda::count();
    #[cfg(not(feature = "cuda"))]
    0
}

#[cfg(feature = "cuda")]
mod cuda {
    use burn::tensor::{Device, DeviceType};

    use super::Selected;

    pub fn count() -> usize {
        Device::enumerate(DeviceType::Cuda).into_vec().len()
    }

    pub fn open(n: usize) -> Selected {
        let device = Device::cuda(n);
        let name = device.identity().map_or_else(|| "NVIDIA card".to_owned(), |i| i.name);
        Selected { device, name: format!("{name}, CUDA"), is_cpu: false, warning: None }
    }
}

#[cfg(feature = "gpu")]
mod gpu {
    use burn::tensor::wgpu::{WgpuBackend, WgpuInitError, wgpu};
    use burn::tensor::{Device, DeviceKind};

    use super::{Adapter, Choice, Selected};
    use crate::error::ModelError;

    /// An adapter with what is needed to open it.
    pub struct Found {
        pub adapter: Adapter,
        kind: DeviceKind,
        api: WgpuBackend,
    }

    /// Adapters of the first graphics interface that has any of its own: Vulkan and DX12 show the
    /// same cards twice.
    pub fn adapters() -> Vec<Found> {
        let instance = wgpu::Instance::default();
        let mut found: Vec<Found> = Vec::new();
        for backend in [wgpu::Backends::VULKAN, wgpu::Backends::METAL, wgpu::Backends::DX12] {
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
                let name = format!(
                    "{}, {:?}, {} {}",
                    info.name, info.backend, info.driver, info.driver_info
                );
                let adapter = Adapter { choice, name: name.trim().to_owned(), software };
                found.push(Found { adapter, kind, api });
            }
        }
        found
    }

    pub fn open(found: &Found) -> Result<Selected, ModelError> {
        let options =
            Device::wgpu_options().graphics_api(found.api).device_kind(found.kind.clone());
        let device = match options.init() {
            Ok(device) => device,
            // Opened before in this process: the plain constructor finds it again.
            Err(WgpuInitError::Registration { .. }) => match found.api {
                WgpuBackend::Vulkan => Device::vulkan(found.kind.clone()),
                _ => Device::wgpu(found.kind.clone()),
            },
            Err(error) => {
                let what = format!("{}: {error}. Use --device cpu", found.adapter.name);
                return Err(ModelError::Device(what));
            }
        };
        let warning = found
            .adapter
            .software
            .then(|| "a software rasteriser: for tests only, --device cpu is faster".to_owned());
        Ok(Selected { device, name: found.adapter.name.clone(), is_cpu: false, warning })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn device_names_are_those_of_the_help() {
        assert_eq!("gpu:1".parse::<Choice>().unwrap(), Choice::Gpu(1));
        assert_eq!("gpu".parse::<Choice>().unwrap(), Choice::Gpu(0));
        assert_eq!("cuda:1".parse::<Choice>().unwrap(), Choice::Cuda(1));
        assert!("rocm".parse::<Choice>().unwrap_err().to_string().contains("gpu:1"));
    }

    #[test]
    fn a_gpu_that_is_not_there_is_an_error_and_no_panic() {
        let error = select(&Choice::Gpu(99)).unwrap_err().to_string();
        assert!(error.contains("--device cpu") || error.contains("without GPU support"), "{error}");
        let error = select(&Choice::Cuda(99)).unwrap_err().to_string();
        assert!(error.contains("--device"), "{error}");
    }
}
