//! The option `--device`, which many commands have.

use clap::Args;
use dermagan_model::Choice;

/// The device.
#[derive(Args, Debug)]
pub struct DeviceArgs {
    /// Device: auto (the first real GPU, else the CPU), cpu, gpu, gpu:1 (the second GPU), or software (for tests).
    #[arg(long, default_value = "auto")]
    pub device: Choice,
}
