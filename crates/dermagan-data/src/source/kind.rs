//! The kinds of source that are recognised.

use serde::{Deserialize, Serialize};

/// What a source was recognised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Kind {
    /// HAM10000: its metadata table and its images, in folders or in zips.
    Ham10000,
    /// ISIC 2018 task 3: a one-hot table of the classes, with the lesion groups if their table is present.
    Isic2018,
    /// ISIC 2019: a one-hot table with AK and SCC.
    Isic2019,
    /// SIIM-ISIC 2020: `image_name`, `diagnosis`, `benign_malignant`.
    Isic2020,
    /// An export of the ISIC archive: `isic_id`, `diagnosis_1` and so on.
    IsicArchive,
    /// PAD-UFES-20: `img_id`, `diagnostic`.
    PadUfes20,
    /// A data set of StyleGAN: images and `dataset.json`.
    StyleGan,
    /// Any other table with a column of images and one of diagnoses.
    Table,
    /// One folder per class.
    ClassFolders,
    /// Images without labels.
    Unlabelled,
    /// MedMNIST: a `dermamnist*.npz`, or its images as files with their table.
    MedMnist,
    /// The built-in procedural images.
    Phantom,
}

impl Kind {
    /// A description for people, in one line.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Ham10000 => "HAM10000 metadata and images",
            Self::Isic2018 => "ISIC 2018 task 3",
            Self::Isic2019 => "ISIC 2019",
            Self::Isic2020 => "SIIM-ISIC 2020",
            Self::IsicArchive => "an export of the ISIC archive",
            Self::PadUfes20 => "PAD-UFES-20",
            Self::StyleGan => "a StyleGAN data set with dataset.json",
            Self::Table => "a table of diagnoses and images",
            Self::ClassFolders => "one folder per class",
            Self::Unlabelled => "images without labels",
            Self::MedMnist => "MedMNIST dermamnist",
            Self::Phantom => "phantom: procedural images, not medical data",
        }
    }
}
