//! The metadata of one image: the seven columns of HAM10000, typed. Missing values stay missing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Sex of the patient, as the metadata gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sex {
    /// Female.
    Female,
    /// Male.
    Male,
    /// `unknown` in the table (57 rows of HAM10000), or the table has no such column.
    #[default]
    Unknown,
}

/// How the diagnosis was confirmed (`dx_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DxType {
    /// Histopathology.
    Histo,
    /// No change during follow-up.
    FollowUp,
    /// Consensus of experts.
    Consensus,
    /// In-vivo confocal microscopy.
    Confocal,
    /// Not given in the table.
    #[default]
    Unknown,
}

impl DxType {
    /// Reads the terms of HAM10000 and ISIC 2018, in any case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "histo" | "histopathology" => Self::Histo,
            "follow_up" | "serial imaging showing no change" => Self::FollowUp,
            "consensus" | "single image expert consensus" => Self::Consensus,
            "confocal" | "confocal microscopy with consensus dermoscopy" => Self::Confocal,
            // `synthetic` is the value in the tables of generated images.
            "" | "unknown" | "synthetic" => Self::Unknown,
            _ => return None,
        })
    }
}

impl Sex {
    /// Reads the terms of HAM10000, in any case; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "female" => Self::Female,
            "male" => Self::Male,
            "" | "unknown" => Self::Unknown,
            _ => return None,
        })
    }
}

impl fmt::Display for Sex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Female => "female",
            Self::Male => "male",
            Self::Unknown => "unknown",
        })
    }
}

impl fmt::Display for DxType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Histo => "histo",
            Self::FollowUp => "follow_up",
            Self::Consensus => "consensus",
            Self::Confocal => "confocal",
            Self::Unknown => "unknown",
        })
    }
}

/// The metadata of one image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The image's name without folder and extension, such as `ISIC_0027419`.
    pub image_id: String,
    /// The lesion in the image; several images may show the same lesion. `None` if the source has no such column:
    /// the image is then a group by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lesion_id: Option<String>,
    /// Index into the source's classes.
    pub class: usize,
    /// How the diagnosis was confirmed.
    #[serde(default)]
    pub dx_type: DxType,
    /// Age of the patient in years, rounded to 5 in HAM10000; missing in 57 of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<f32>,
    /// Sex of the patient.
    #[serde(default)]
    pub sex: Sex,
    /// Body site, or `unknown`.
    #[serde(default = "unknown")]
    pub localization: String,
}

/// The body site of an image without one.
pub(crate) fn unknown() -> String {
    "unknown".to_owned()
}

impl Record {
    /// A record of which only the id and the class are known; `class` is an index into the source's classes.
    pub fn bare(image_id: impl Into<String>, class: usize) -> Self {
        Self {
            image_id: image_id.into(),
            lesion_id: None,
            class,
            dx_type: DxType::Unknown,
            age: None,
            sex: Sex::Unknown,
            localization: unknown(),
        }
    }
}
