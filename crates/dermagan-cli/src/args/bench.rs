//! Options of `bench`.

use clap::{Args, ValueEnum};
use dermagan_model::PrecisionChoice;

use super::device::DeviceArgs;
use super::eval::FeaturesArg;

/// What `bench` measures.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum BenchWhat {
    /// Training steps.
    Step,
    /// Images from a generator.
    Sample,
    /// Features of images, as `eval` computes them.
    Features,
}

/// Options of `bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, default_value_t = BenchWhat::Step)]
    pub what: BenchWhat,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Number format of convolutions: f32, bf16, f16 or auto.
    #[arg(long, default_value = "f32")]
    pub precision: PrecisionChoice,
    /// Preset of the networks and the step [default: reference; with --count, all presets].
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub preset: Option<String>,
    /// Features to measure with `bench features` [default: lesion]. `inception` uses random weights, which take the same
    /// time.
    #[arg(long, value_enum)]
    pub features: Option<FeaturesArg>,
    /// Images per step or batch, up to 4096 [default: the preset's; 64 for features; with --count, 16 and 64].
    #[arg(long)]
    pub batch: Option<usize>,
    /// Channels of both networks at half the resolution, 1 to 512; even for residual networks [default: the preset's].
    #[arg(long)]
    pub width: Option<usize>,
    /// Side of the images in pixels: 32, 64, 128 or 256 [default: the preset's].
    #[arg(long)]
    pub size: Option<usize>,
    /// Count the kernel launches, transfers and waits per training step of a GPU instead of its time. The counts are the
    /// same on every GPU and on --device software.
    #[arg(long, conflicts_with_all = ["features", "rounds", "warm_up"])]
    pub count: bool,
    /// Number of measured rounds, 1 to 100000.
    #[arg(long, default_value_t = 7)]
    pub rounds: usize,
    /// Number of unmeasured rounds before them, which fill the caches, 0 to 100000.
    #[arg(long, default_value_t = 2)]
    pub warm_up: usize,
    /// Print JSON: one line per round when it ends, and one line at the end.
    #[arg(long)]
    pub json: bool,
}
