//! Options of `report`.

use std::path::PathBuf;

use clap::Args;

use crate::args::device::DeviceArgs;
use crate::args::reading::{ReadingArgs, SplitArg};

/// Options of `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// What to report on: a run, a model, a checkpoint, a folder or zip of images, `latest` or `shipped`.
    #[arg(value_name = "RUN|MODEL|FOLDER")]
    pub fake: PathBuf,
    /// Folder in which `latest` is looked for.
    #[arg(long, default_value = "runs", value_name = "FOLDER")]
    pub outdir: PathBuf,
    /// The images that the generator learnt from. Without them nothing is measured.
    #[arg(long, value_name = "SOURCE|CACHE")]
    pub real: Option<String>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The split that decides which images count as training images [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split_by: Option<SplitArg>,
    /// The JSON that `dermagan trial --json` printed.
    #[arg(long, value_name = "FILE.json")]
    pub trial: Option<PathBuf>,
    /// The JSON that `dermagan audit --twins --json` printed.
    #[arg(long, value_name = "FILE.json")]
    pub twins: Option<PathBuf>,
    /// Also write the generator's entry for medigan's list of models, a JSON file.
    #[arg(long, value_name = "FILE.json")]
    pub medigan: Option<PathBuf>,
    /// Show no real photographs, whose licence would bind the page.
    #[arg(long)]
    pub without_real_images: bool,
    /// Images that a model makes for each measurement, 100 to 100000.
    #[arg(short = 'n', long, default_value_t = 2048)]
    pub number: usize,
    /// The page, a single HTML file.
    #[arg(long, value_name = "FILE.html")]
    pub out: PathBuf,
    /// Seed of everything that is drawn, and of the seeds of a generator.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub device: DeviceArgs,
}
