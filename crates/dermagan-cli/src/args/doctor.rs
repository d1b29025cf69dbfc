//! Options of `doctor`.

use clap::Args;

use super::device::DeviceArgs;

/// Options of `doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Number of times to compute the step, 1 to 1000000; each result is compared with the CPU's.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub repeat: usize,
    /// Preset whose training step is examined [default: the steps of two small test networks].
    #[arg(long)]
    pub preset: Option<String>,
    /// Images per step, 2 to 4096 [default: the preset's].
    #[arg(long, requires = "preset")]
    pub batch: Option<usize>,
    /// Side of the images in pixels: 32, 64, 128 or 256 [default: the preset's].
    #[arg(long, requires = "preset")]
    pub size: Option<usize>,
    /// Channels of both networks at half the resolution, 1 to 512; even for residual networks [default: the preset's].
    #[arg(long, requires = "preset")]
    pub width: Option<usize>,
}
