//! Options of `bias`.

use std::path::PathBuf;

use clap::Args;

use crate::args::device::DeviceArgs;
use crate::args::reading::{ReadingArgs, SplitArg};

/// Options of `bias`.
#[derive(Args, Debug)]
pub struct BiasArgs {
    /// The real images: any SOURCE that `prepare` accepts, or a cache that it wrote.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub real: String,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The split that decides which images count as training images [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split_by: Option<SplitArg>,
    /// Generated images: a folder or zip of images, an npz of samples, a model, a checkpoint, a run, `latest` for the newest
    /// run, `shipped` for the generator that comes with the program, or `shipped128` for that of 128x128 images.
    /// A table in a folder or zip is read for sex, age and site.
    #[arg(long, value_name = "FOLDER|ZIP|NPZ|MODEL|RUN")]
    pub fake: PathBuf,
    /// Folder in which `--fake latest` is looked for.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// Images that a model makes, 100 to 100000. Of a folder all images are looked at.
    #[arg(short = 'n', long, default_value_t = 4096)]
    pub number: usize,
    /// Seed of everything that is drawn, and of the seeds of a generator.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub device: DeviceArgs,
}
