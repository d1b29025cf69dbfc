//! The kinds of source that are recognised.

use serde::{Deserialize, Serialize};

/// What a source was recognised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// HAM10000: its metadata table and its images, in folders or in zips.
    Ham10000,
    /// ISIC 2018 task 3: a one-hot table of the classes, with the lesion groups if their table is present.
    Isic2018,
    /// One folder per class.
    ClassFolders,
    /// MedMNIST: a `dermamnist*.npz`.
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
            Self::ClassFolders => "one folder per class",
            Self::MedMnist => "MedMNIST dermamnist",
            Self::Phantom => "phantom: procedural images, not medical data",
        }
    }
}
