//! Options of `train`.

use std::path::PathBuf;

use clap::Args;
use dermagan_model::PrecisionChoice;
use dermagan_train::Metric;

use super::data::FitArg;
use super::device::DeviceArgs;
use super::reading::{ReadingArgs, SplitArg};

/// Options of `train`.
#[derive(Args, Debug)]
pub struct TrainArgs {
    /// Training images: any SOURCE that `prepare` accepts, or a cache that it wrote [default: phantom].
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub data: Option<String>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Split of the data [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split: Option<SplitArg>,
    /// Folder of runs; each run gets a numbered folder in it.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// Preset: reference, fast, rare, refine, fast128, rare128, best, notebook, tiny, a FILE.toml, or auto [default: auto].
    /// With auto, the preset is tiny for the phantom, rare for other data with two or more classes, and fast otherwise; rare128
    /// and fast128 with --size 128; refine with --init and a model that is conditioned on classes.
    #[arg(long, value_name = "NAME|FILE.toml")]
    pub preset: Option<String>,
    /// Start from trained networks: a model file, a run, a checkpoint, `latest`, `shipped` for the generator that comes with
    /// the program, `shipped128` for that of 128x128 images, or a generator of PyTorch. Tensors are taken by name and shape,
    /// embeddings by the code of the class; what is not taken is listed. The sizes of the networks are the model's. A model without a discriminator gets a new one, and
    /// the generator does not move for the first 10 kimg, or for five passes over the images if that is less
    /// (--set optimiser.frozen_kimg=N), unless it gets new layers for another --size.
    #[arg(long, value_name = "MODEL|RUN")]
    pub init: Option<String>,
    /// Change one setting of the preset, such as objective.r1=0.1. Repeat it for more settings. A flag such as --batch
    /// takes precedence over it.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Side of the images in pixels: 32, 64, 128 or 256 [default: the preset's].
    #[arg(long)]
    pub size: Option<usize>,
    /// How to make an image square [default: the preset's, which is crop in all but one].
    #[arg(long, value_enum)]
    pub fit: Option<FitArg>,
    /// Images per step, 2 to 4096 [default: the preset's].
    #[arg(long, alias = "batch-size")]
    pub batch: Option<usize>,
    /// Channels of both networks at half the resolution, 1 to 512; even for residual networks [default: the preset's].
    #[arg(long)]
    pub width: Option<usize>,
    /// Adam's learning rate, constant over the run [default: the preset's, which may decrease].
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,
    /// Length of the run in thousands of images [default: the preset's]. Scheduled settings, such as the learning rate
    /// of fast and rare, reach their last value at the length that the run starts with. If the run is extended later,
    /// they keep that value.
    #[arg(long)]
    pub kimg: Option<f64>,
    /// Length of the run in minutes of training, more than 0. Some steps are timed first to find the number of images.
    #[arg(long, value_name = "N", conflicts_with = "kimg", allow_hyphen_values = true)]
    pub minutes: Option<f64>,
    /// Thousands of images between snapshots (sample images and a checkpoint) [default: the preset's].
    #[arg(long, value_name = "KIMG")]
    pub snap: Option<f64>,
    /// Thousands of images between lines of stats.jsonl [default: the preset's].
    #[arg(long, value_name = "KIMG")]
    pub tick: Option<f64>,
    /// Seed of all random numbers [default: 0].
    #[arg(long)]
    pub seed: Option<u64>,
    /// Mirror half of the images.
    #[arg(long)]
    pub mirror: bool,
    /// Rotate images by random multiples of 90°; lesions have no preferred orientation.
    #[arg(long)]
    pub quarter_turns: bool,
    /// Draw all classes equally often.
    #[arg(long)]
    pub balanced: bool,
    /// Train on all images instead of the training side of the split only.
    #[arg(long)]
    pub all_images: bool,
    /// Train on these classes only, such as mel,nv [default: all classes].
    #[arg(long, value_delimiter = ',', value_name = "CODES")]
    pub classes: Vec<String>,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Number format of convolutions: f32, bf16 (CPUs), f16 (GPUs), or auto for the fastest that the device supports
    /// [default: the preset's]. A CPU without AVX-512 BF16 or AMX emulates bf16, which is slower than f32.
    #[arg(long)]
    pub precision: Option<PrecisionChoice>,
    /// Resume a run: `latest` (the highest number in --outdir, or the only run there), a run's folder of any name, or a
    /// checkpoint. Combine it with --kimg to extend the run.
    #[arg(long, value_name = "latest|PATH")]
    pub resume: Option<String>,
    /// Metrics of every snapshot, such as kid,fid: kid, fid, pr (precision and recall), dc (density and coverage)
    /// [default: none]. The snapshot with the lowest kid, or the lowest fid without kid, is kept as the best. A resumed
    /// run keeps its metrics; `none` stops them.
    #[arg(long, value_delimiter = ',', value_name = "METRICS", value_parser = metric)]
    pub metrics: Vec<Option<Metric>>,
    /// Number of newest checkpoints to keep; 0 keeps all [default: 3].
    #[arg(long)]
    pub keep: Option<usize>,
    /// Skip the checks of a GPU's gradients: against the CPU's, by repetition, and by their norms.
    #[arg(long)]
    pub no_self_check: bool,
    /// Show the resolved configuration and an estimate, and train nothing.
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

/// Parses a metric's name, or `none`.
fn metric(text: &str) -> Result<Option<Metric>, String> {
    match text.trim().eq_ignore_ascii_case("none") {
        true => Ok(None),
        false => text.parse().map(Some),
    }
}
