//! Options of `prepare` and `data info`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use dermagan_data::{Filter, Fit};

const SOURCE_HELP: &str = "HAM10000 as a folder or zip (Kaggle, Dataverse, or all images in one folder), ISIC 2018 task 3, \
                           one folder per class, a dermamnist .npz, or `phantom` for built-in images (`phantom:200` for \
                           about 200)";

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
    /// Fail if an image or a row cannot be used, instead of leaving it out.
    #[arg(long)]
    pub strict: bool,
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
}

/// Options of `data info`.
#[derive(Args, Debug)]
pub struct DataInfoArgs {
    #[arg(value_name = "SOURCE", help = SOURCE_HELP)]
    pub source: String,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// Also write a PNG with one row of examples per class.
    #[arg(long, value_name = "FILE.png")]
    pub grid: Option<PathBuf>,
}
