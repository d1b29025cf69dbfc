//! Options of `prepare`, `data info` and `data export`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use dermagan_data::{Filter, Fit};

use super::eval::SideArg;
use super::format::FormatArg;
use super::reading::{ReadingArgs, SplitArg};
use super::share::ShareArgs;

const SOURCE_HELP: &str = "A folder or zip of images with a table of diagnoses (HAM10000, ISIC 2018, 2019 and 2020, exports of the \
                           ISIC archive, PAD-UFES-20, StyleGAN's dataset.json, any CSV with image_id and dx), one folder per \
                           class, or one folder without classes; the table itself; a dermamnist .npz; or `phantom` for \
                           built-in images (`phantom:200` for about 200). datasets/README.md has an example of each";

/// Options of `prepare`.
#[derive(Args, Debug)]
pub struct PrepareArgs {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub source: String,
    /// Cache file to write [default: a file in the cache folder, where `train` finds it].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Side of the images in pixels, 4 to 2048.
    #[arg(long, default_value_t = 64)]
    pub size: u32,
    /// How to make a photograph square.
    #[arg(long, value_enum, default_value_t = FitArg::Crop)]
    pub fit: FitArg,
    /// Filter that resizes the images; both filters are antialiased.
    #[arg(long, value_enum, default_value_t = FilterArg::Lanczos)]
    pub filter: FilterArg,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Split of the data [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split: Option<SplitArg>,
    /// Fail if an image or a row cannot be used, instead of leaving it out.
    #[arg(long)]
    pub strict: bool,
    #[command(flatten)]
    pub share: ShareArgs,
}

/// How to make a photograph square.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum FitArg {
    /// Keep the largest central square.
    Crop,
    /// Keep the whole image and add black bars.
    Pad,
    /// Keep the whole image and change its aspect ratio.
    Squash,
}

impl FitArg {
    /// The name that a preset's setting has.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crop => "crop",
            Self::Pad => "pad",
            Self::Squash => "squash",
        }
    }
}

impl From<FitArg> for Fit {
    fn from(fit: FitArg) -> Self {
        match fit {
            FitArg::Crop => Self::Crop,
            FitArg::Pad => Self::Pad,
            FitArg::Squash => Self::Squash,
        }
    }
}

/// The filter that resizes images.
#[derive(ValueEnum, Clone, Copy, Debug)]
pub enum FilterArg {
    /// Lanczos with three lobes: the sharper filter.
    Lanczos,
    /// Bilinear, as in Pillow and torchvision.
    Bilinear,
}

impl From<FilterArg> for Filter {
    fn from(filter: FilterArg) -> Self {
        match filter {
            FilterArg::Lanczos => Self::Lanczos,
            FilterArg::Bilinear => Self::Bilinear,
        }
    }
}

/// The commands under `data`.
#[derive(Subcommand, Debug)]
pub enum DataCommand {
    /// Count images by class, sex, age, site, confirmation type and size, and count lesions.
    Info(DataInfoArgs),
    /// Write the prepared images with labels, split and licence in the formats of other programs.
    Export(DataExportArgs),
}

/// Options of `data info`.
#[derive(Args, Debug)]
pub struct DataInfoArgs {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub source: String,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Split of the data [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split: Option<SplitArg>,
    /// Side in pixels of the square that the images are judged for, 4 to 2048.
    #[arg(long, default_value_t = 64)]
    pub size: u32,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Also write a PNG with one row of examples per class.
    #[arg(long, value_name = "FILE.png")]
    pub grid: Option<PathBuf>,
}

/// Options of `data export`.
#[derive(Args, Debug)]
pub struct DataExportArgs {
    /// A source, as `data info` takes it, or the cache file that `prepare` wrote.
    #[arg(value_name = "SOURCE|CACHE")]
    pub source: String,
    /// Format of the set [default: zip, webdataset or parquet if --out ends with .zip, .tar or .parquet].
    #[arg(long, value_enum)]
    pub format: Option<FormatArg>,
    /// Output: a .zip for zip and stylegan; a folder for the others, or one .tar or .parquet. A folder must be new, empty, or
    /// hold the same set.
    #[arg(long, value_name = "DIR|FILE")]
    pub out: PathBuf,
    /// Side of the images in pixels, 4 to 2048; a power of two for stylegan [default: 64, or that of the cache].
    #[arg(long)]
    pub size: Option<u32>,
    /// How to make a photograph square [default: crop, or that of the cache].
    #[arg(long, value_enum)]
    pub fit: Option<FitArg>,
    /// Filter that resizes the images; both filters are antialiased [default: lanczos, or that of the cache].
    #[arg(long, value_enum)]
    pub filter: Option<FilterArg>,
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// Side of the split [default: train for stylegan, which trains on everything that it is given; else all, each side in
    /// files of its own].
    #[arg(long, value_enum)]
    pub split: Option<SideArg>,
    /// Which split --split means [default: official if the data names its parts, lesion otherwise].
    #[arg(long, value_enum)]
    pub split_by: Option<SplitArg>,
    /// Largest number of images in each file of a folder in WebDataset or Parquet, 1 to 10000000 [default: 10000].
    #[arg(long, value_name = "N")]
    pub images_per_file: Option<u64>,
}
