//! The option `--format`.

use std::path::Path;

use clap::ValueEnum;
use dermagan_formats::{Format, IMAGES_PER_FILE};

/// The format of a set of images.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatArg {
    /// A folder of PNG files and a metadata.csv with the columns of HAM10000.
    Folder,
    /// A folder for Hugging Face's imagefolder: metadata.csv has the column file_name and all metadata.
    Imagefolder,
    /// The folder as one zip, without compression.
    Zip,
    /// A folder of tar files for WebDataset, or one .tar.
    Webdataset,
    /// A folder of Parquet files for Hugging Face's datasets, or one .parquet.
    Parquet,
    /// A zip for StyleGAN2-ADA and StyleGAN3, with the labels in dataset.json.
    Stylegan,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Folder => Self::Folder,
            FormatArg::Imagefolder => Self::ImageFolder,
            FormatArg::Zip => Self::Zip,
            FormatArg::Webdataset => Self::WebDataset,
            FormatArg::Parquet => Self::Parquet,
            FormatArg::Stylegan => Self::StyleGan,
        }
    }
}

/// The largest number of images of a file, from `--images-per-file`.
///
/// # Errors
/// When the flag is given where it has no effect: for one file, and for a format without files of many images.
pub fn per_file(asked: Option<u64>, format: Format, out: &Path) -> anyhow::Result<u64> {
    if asked.is_some() && !format.is_divided(out) {
        anyhow::bail!(
            "--images-per-file has no effect here: it divides the folders of webdataset and parquet"
        );
    }
    Ok(asked.unwrap_or(IMAGES_PER_FILE))
}
