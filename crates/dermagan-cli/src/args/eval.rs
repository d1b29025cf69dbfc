//! Options of `eval`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use dermagan_data::split::Side;

use super::device::DeviceArgs;
use super::reading::{ReadingArgs, SplitArg};
use super::share::ShareArgs;

/// The features that images are compared by.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeaturesArg {
    /// The lesion encoder that comes with the program, a small network that learnt from HAM10000.
    Lesion,
    /// EfficientNet-Lite0, which comes with the program too. It learnt from ImageNet and never saw a lesion.
    Imagenet,
    /// InceptionV3 as FID defines it; `eval` needs its --weights.
    Inception,
    /// Colour, asymmetry, border, size and texture, without a network.
    Handmade,
}

/// A side of the split.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideArg {
    /// The 80 % that `train` learns from.
    Train,
    /// The 10 % for validation.
    #[value(alias = "validation")]
    Val,
    /// The 10 % for the final evaluation.
    Test,
    /// All images.
    All,
}

impl SideArg {
    /// The side; `None` for all images.
    pub fn side(self) -> Option<Side> {
        match self {
            Self::Train => Some(Side::Train),
            Self::Val => Some(Side::Val),
            Self::Test => Some(Side::Test),
            Self::All => None,
        }
    }
}

/// Options of `eval`.
#[derive(Args, Debug)]
pub struct EvalArgs {
    /// Real images: any SOURCE that `prepare` accepts, or a cache that it wrote.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub real: String,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Which split --split means [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split_by: Option<SplitArg>,
    /// Generated images: a folder or zip of images, an npz of samples, a model, a checkpoint, a run, `latest` for the newest
    /// run, `shipped` for the generator that comes with the program, or `shipped128` for that of 128x128 images.
    #[arg(long, value_name = "FOLDER|ZIP|NPZ|MODEL|RUN")]
    pub fake: PathBuf,
    /// Folder in which `--fake latest` is looked for.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// Features that the images are compared by. The sentence at the end rests on those that find the larger difference;
    /// --nearest uses the first.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "LIST", default_values_t = [FeaturesArg::Lesion, FeaturesArg::Imagenet])]
    pub features: Vec<FeaturesArg>,
    /// Weights of a network: pytorch-fid's InceptionV3 for --features inception, else an encoder from `encoder train` for
    /// lesion.
    #[arg(long, value_name = "FILE")]
    pub weights: Option<PathBuf>,
    /// Images in each set, 2 to 1000000. Two sets of real images are needed.
    #[arg(short = 'n', long, default_value_t = 2048)]
    pub number: usize,
    /// Side of the split that the real images come from.
    #[arg(long, value_enum, default_value_t = SideArg::Train)]
    pub split: SideArg,
    /// Also compare each class. For labelled images this adds a second KID and an MMD that use both sets of a class's
    /// real images together; the MMD is comparable between classes.
    #[arg(long)]
    pub per_class: bool,
    /// Seed that draws the real images, the generated ones if there are more than `-n`, and the seeds of a generator.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Also write the features for numpy.load, as the arrays `real` and `fake`; with several kinds of features as
    /// `real_lesion`, `fake_lesion` and so on.
    #[arg(long, value_name = "FILE.npz", conflicts_with = "shard")]
    pub save_features: Option<PathBuf>,
    /// Also write a PNG with generated images of each class, each beside the nearest real training image. It shows real
    /// images, whose licence applies.
    #[arg(long, value_name = "FILE.png", conflicts_with = "shard")]
    pub nearest: Option<PathBuf>,
    /// Also write a PNG with the 64 generated images that a classifier tells most easily from real ones, the least real
    /// first.
    #[arg(long, value_name = "FILE.png", conflicts_with = "shard")]
    pub worst: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub share: ShareArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}
