//! A device to compute on.

use burn::tensor::Device;
use dermagan_kernels::cpu;

use super::choice::Choice;

/// A device that is open and ready to compute.
#[derive(Clone, Debug)]
pub struct ComputeDevice {
    /// The handle of the device in burn, without autodiff.
    pub handle: Device,
    /// Its name for messages: `cpu (…)`, or the name, graphics interface and driver of the adapter.
    pub name: String,
    /// Whether it is the CPU backend, whose results have the same bits every time.
    pub is_cpu: bool,
    /// A warning for the user of this device.
    pub warning: Option<String>,
}

impl ComputeDevice {
    /// The CPU backend, at the current level of vector instructions.
    pub fn cpu() -> Self {
        let threads = rayon::current_num_threads();
        let name = format!("cpu ({threads} threads, {})", cpu::level());
        Self { handle: Device::flex(), name, is_cpu: true, warning: None }
    }

    /// The arithmetic that rounds its results: the current level of vector instructions of the CPU
    /// (`avx2`, …), or `gpu`.
    pub fn level(&self) -> &'static str {
        if self.is_cpu { cpu::level().name() } else { "gpu" }
    }

    /// Where results are computed, as far as their bytes depend on it: the CPU at its level, or the name of the adapter.
    pub fn computed_on(&self) -> String {
        match self.is_cpu {
            true => format!("the CPU at level {}", self.level()),
            false => self.name.clone(),
        }
    }
}

/// An adapter that was found, not yet open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// The request that selects it.
    pub choice: Choice,
    /// Its name, graphics interface and driver.
    pub name: String,
    /// Whether it computes on the CPU.
    pub software: bool,
}
