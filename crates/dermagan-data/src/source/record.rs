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
    /// Reads the terms of HAM10000, ISIC 2018 and the ISIC archive, in any case; `None` for any other text. How the
    /// archive's `single contributor clinical assessment` confirms a diagnosis has no term in HAM10000: unknown.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase().replace(['_', '-'], " ");
        Some(match text.as_str() {
            "histo" | "histopathology" => Self::Histo,
            "follow up" | "followup" | "serial imaging showing no change" => Self::FollowUp,
            "consensus" | "single image expert consensus" => Self::Consensus,
            "confocal"
            | "confocal microscopy"
            | "confocal microscopy with consensus dermoscopy" => Self::Confocal,
            // `synthetic` is the value in the tables of generated images.
            "synthetic" | "single contributor clinical assessment" => Self::Unknown,
            text if is_unknown(text) => Self::Unknown,
            _ => return None,
        })
    }
}

impl Sex {
    /// Reads `female` and `male` in any case, their first letters and `w` (German); `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        Some(match text.as_str() {
            "female" | "f" | "w" | "woman" | "weiblich" => Self::Female,
            "male" | "m" | "man" | "männlich" => Self::Male,
            text if is_unknown(text) => Self::Unknown,
            _ => return None,
        })
    }
}

/// Whether a cell says in words that it gives no value. Programs write a missing value in different ways.
pub(crate) fn is_unknown(cell: &str) -> bool {
    let cell = cell.trim().to_lowercase();
    let words = [
        "",
        "unknown",
        "unk",
        "nan",
        "na",
        "n/a",
        "<na>",
        "none",
        "null",
        "missing",
        "not available",
    ];
    words.contains(&cell.as_str()) || cell.chars().all(|c| "-?.".contains(c))
}

/// The age in years, `None` if the cell gives none. The decimal sign is a point or a comma.
///
/// # Errors
/// If the cell is not a number from 0 to 130.
#[allow(dead_code, reason = "labelling is about to use it")]
pub(crate) fn parse_age(cell: &str) -> Result<Option<f32>, ()> {
    if is_unknown(cell) {
        return Ok(None);
    }
    match cell.trim().replace(',', ".").parse::<f32>() {
        Ok(age) if (0.0..=130.0).contains(&age) => Ok(Some(age)),
        _ => Err(()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_terms_of_other_collections_are_read() {
        for (text, sex) in [
            ("FEMALE", Sex::Female),
            (" m ", Sex::Male),
            ("w", Sex::Female),
            ("", Sex::Unknown),
            ("NaN", Sex::Unknown),
        ] {
            assert_eq!(Sex::parse(text), Some(sex), "{text:?}");
        }
        assert_eq!(Sex::parse("yes"), None);
        for (text, kind) in [
            ("histopathology", DxType::Histo),
            ("Serial imaging showing no change", DxType::FollowUp),
            ("follow_up", DxType::FollowUp),
            ("single image expert consensus", DxType::Consensus),
            ("confocal microscopy with consensus dermoscopy", DxType::Confocal),
            ("single contributor clinical assessment", DxType::Unknown),
        ] {
            assert_eq!(DxType::parse(text), Some(kind), "{text:?}");
        }
        assert_eq!(DxType::parse("guess"), None);
    }

    #[test]
    fn ages_have_either_decimal_sign() {
        assert_eq!(parse_age("85,0"), Ok(Some(85.0)));
        assert_eq!(parse_age(" 42.5"), Ok(Some(42.5)));
        assert_eq!(parse_age("nan"), Ok(None));
        for bad in ["old", "-1", "131", "1,2,3", "inf"] {
            assert_eq!(parse_age(bad), Err(()), "{bad}");
        }
    }
}
