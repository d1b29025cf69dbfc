//! Options of `audit`.

use std::path::PathBuf;

use clap::Args;

use crate::args::device::DeviceArgs;
use crate::args::reading::{ReadingArgs, SplitArg};
use crate::args::share::ShareArgs;

/// Options of `audit`.
#[derive(Args, Debug)]
pub struct AuditArgs {
    /// The images that the generator learnt from: any SOURCE that `prepare` accepts, or a cache that it wrote. The audit
    /// compares its training side with its validation and test side together.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub real: String,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The split that decides which images count as training images [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split_by: Option<SplitArg>,
    /// Generated images: a folder or zip of images, an npz of samples, a model, a checkpoint, a run, `latest` for the newest
    /// run, `shipped` for the generator that comes with the program, or `shipped128` for that of 128x128 images.
    /// Either this or --twins is needed.
    #[arg(long, value_name = "FOLDER|ZIP|NPZ|MODEL|RUN", required_unless_present = "twins")]
    pub fake: Option<PathBuf>,
    /// Audit a recipe instead of images: train two generators by this preset on disjoint halves of the lesions, and ask whether
    /// each comes nearer to the lesions that it learnt from. It takes two trainings.
    #[arg(long, value_name = "PRESET", conflicts_with_all = ["fake", "discriminator", "sheet", "drop", "shard"])]
    pub twins: Option<String>,
    /// Length of each twin's training in thousands of images [default: the preset's].
    #[arg(long, requires = "twins")]
    pub kimg: Option<f64>,
    /// Folder that keeps the twins. The same command goes on from there.
    #[arg(long, default_value = "twins", value_name = "FOLDER", requires = "twins")]
    pub state: PathBuf,
    /// Folder in which `--fake latest` is looked for.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// Images that a model makes, 100 to 100000, and more until each class has 512. Of a folder all images are audited. With
    /// --twins: images of each class that each twin makes, 20 to 10000.
    #[arg(short = 'n', long, default_value_t = 4096)]
    pub number: usize,
    /// Also attack with the discriminator of this checkpoint or run, as someone could who gets the checkpoint.
    #[arg(long, value_name = "CHECKPOINT|RUN", conflicts_with = "shard")]
    pub discriminator: Option<PathBuf>,
    /// Also write a PNG with the 20 generated images that are closest to a training image, each beside it. It shows real
    /// images, whose licence applies.
    #[arg(long, value_name = "FILE.png", conflicts_with = "shard")]
    pub sheet: Option<PathBuf>,
    /// Also write the images without those that count as copies into this new folder.
    #[arg(long, value_name = "FOLDER", conflicts_with = "shard")]
    pub drop: Option<PathBuf>,
    /// Seed of everything that is drawn, and of the seeds of a generator.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub share: ShareArgs,
    #[command(flatten)]
    pub device: DeviceArgs,
}
