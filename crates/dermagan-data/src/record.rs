//! One image's row: the seven columns of HAM10000, typed, with the real file's gaps kept as gaps.

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
    /// `unknown` in the file (57 rows of HAM10000), or no such column.
    #[default]
    Unknown,
}

/// How the diagnosis was confirmed (`dx_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DxType {
    /// Histopathology.
    Histo,
    /// No change over follow-up.
    FollowUp,
    /// Consensus of experts.
    Consensus,
    /// In-vivo confocal microscopy.
    Confocal,
    /// Not given.
    #[default]
    Unknown,
}

impl DxType {
    /// Reads HAM10000's and ISIC 2018's words; `None` for any other.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "histo" | "histopathology" => Self::Histo,
            "follow_up" | "serial imaging showing no change" => Self::FollowUp,
            "consensus" | "single image expert consensus" => Self::Consensus,
            "confocal" | "confocal microscopy with consensus dermoscopy" => Self::Confocal,
            // `synthetic` is what `dermagan sample` writes.
            "" | "unknown" | "synthetic" => Self::Unknown,
            _ => return None,
        })
    }
}

impl Sex {
    /// Reads the metadata's words; `None` for any other.
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

/// One image and what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The image's name without folder and extension, such as `ISIC_0027419`.
    pub image_id: String,
    /// Which lesion it shows; several images may show one. `None` where the source has no such
    /// column: the image is then its own group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lesion_id: Option<String>,
    /// Index into the source's classes.
    pub class: usize,
    /// How the diagnosis was confirmed.
    #[serde(default)]
    pub dx_type: DxType,
    /// Years, rounded to 5 in HAM10000; empty in 57 of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<f32>,
    /// Sex of the patient.
    #[serde(default)]
    pub sex: Sex,
    /// Body site, `unknown` where it is not given.
    #[serde(default = "unknown")]
    pub localization: String,
}

pub(crate) fn unknown() -> String {
    "unknown".to_owned()
}

impl Record {
    /// A record of which only the id and the class are known.
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
