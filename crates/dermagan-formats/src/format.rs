//! The formats of a set of images.

use std::path::Path;

use dermagan_base::name::has_ending;

/// A format of a set of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// A folder of PNG files and a `metadata.csv` with the columns of HAM10000.
    Folder,
    /// A folder as Hugging Face's imagefolder reads it: the column `file_name` comes first in `metadata.csv`.
    ImageFolder,
    /// The folder as one zip, without compression.
    Zip,
    /// Shards of WebDataset: tar files with `KEY.png`, `KEY.json` and `KEY.cls`.
    WebDataset,
    /// Parquet files with the images inside, as the library `datasets` reads them.
    Parquet,
    /// The zip of StyleGAN: numbered images and `dataset.json`.
    StyleGan,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] = [
        Self::Folder,
        Self::ImageFolder,
        Self::Zip,
        Self::WebDataset,
        Self::Parquet,
        Self::StyleGan,
    ];

    /// The name by which a user chooses the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Folder => "folder",
            Self::ImageFolder => "imagefolder",
            Self::Zip => "zip",
            Self::WebDataset => "webdataset",
            Self::Parquet => "parquet",
            Self::StyleGan => "stylegan",
        }
    }

    /// The ending of the format's files, without its dot; `None` if its files are in a folder only.
    pub fn ending(self) -> Option<&'static str> {
        match self {
            Self::Folder | Self::ImageFolder => None,
            Self::Zip | Self::StyleGan => Some("zip"),
            Self::WebDataset => Some("tar"),
            Self::Parquet => Some("parquet"),
        }
    }

    /// Whether a set of this format is one file, and never a folder.
    pub fn is_one_file(self) -> bool {
        matches!(self, Self::Zip | Self::StyleGan)
    }

    /// Whether a set of this format at `out` is divided into files of many images each.
    pub fn is_divided(self, out: &Path) -> bool {
        matches!(self, Self::WebDataset | Self::Parquet) && !self.is_file(out)
    }

    /// Whether a set of this format at `out` is one file.
    pub(crate) fn is_file(self, out: &Path) -> bool {
        self.ending().is_some_and(|ending| has_ending(out, ending)) && !out.is_dir()
    }

    /// The format that the ending of a file asks for: `.zip`, `.tar` or `.parquet`. `None` for any other name.
    pub fn of_ending(out: &Path) -> Option<Self> {
        [Self::Zip, Self::WebDataset, Self::Parquet]
            .into_iter()
            .find(|format| format.ending().is_some_and(|ending| has_ending(out, ending)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_of_a_file_chooses_a_format() {
        let of = |name: &str| Format::of_ending(Path::new(name)).map(Format::name);
        assert_eq!(of("a/b.ZIP"), Some("zip"));
        assert_eq!(of("b.tar"), Some("webdataset"));
        assert_eq!(of("b.parquet"), Some("parquet"));
        assert_eq!((of("b"), of("b.tar.gz"), of("b0.5")), (None, None, None));
    }
}
