//! The option `--format`.

use clap::ValueEnum;
use dermagan_formats::Format;

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
