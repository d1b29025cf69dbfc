//! Options of `trial`.

use std::path::PathBuf;

use clap::Args;

use crate::args::device::DeviceArgs;
use crate::args::reading::{ReadingArgs, SplitArg};

/// Options of `trial`.
#[derive(Args, Debug)]
pub struct TrialArgs {
    /// The photographs: any SOURCE that `prepare` accepts, or a cache of 64x64 images.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub data: String,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The split that decides which images count as training images [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split_by: Option<SplitArg>,
    /// Try this generator on its own held-out side, for a quick answer: a model, a checkpoint, a run, `latest` or `shipped`.
    /// It must have learnt from the training side of the split [default: the newest run in runs/, else the generator that
    /// comes with the program].
    #[arg(long, value_name = "MODEL|RUN", conflicts_with = "folds")]
    pub model: Option<PathBuf>,
    /// Train a generator for each of N folds instead, 2 to 20: a more reliable answer, which takes N trainings of the preset.
    #[arg(long, value_name = "N")]
    pub folds: Option<usize>,
    /// Preset of the generators of folds.
    #[arg(long, default_value = "rare", requires = "folds")]
    pub preset: String,
    /// Length of the training of each fold's generator in thousands of images [default: the preset's].
    #[arg(long, requires = "folds")]
    pub kimg: Option<f64>,
    /// Classifiers of each arm, which differ in their seed, 1 to 100.
    #[arg(long, default_value_t = 6)]
    pub seeds: u64,
    /// The smallest worthwhile difference of balanced accuracy, in percentage points.
    #[arg(long, default_value_t = 2.0)]
    pub margin: f64,
    /// Thousands of images that each classifier sees.
    #[arg(long, default_value_t = 40.0)]
    pub classifier_kimg: f64,
    /// Folder that keeps what is finished. The same command goes on from there.
    #[arg(long, default_value = "trial", value_name = "FOLDER")]
    pub state: PathBuf,
    /// Seed of everything else that is drawn.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
}
