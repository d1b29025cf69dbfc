//! The metrics of snapshots. They have StyleGAN's names where it has them.

use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A metric of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Kernel inception distance. It is the most stable one with few images.
    Kid,
    /// Fréchet inception distance.
    Fid,
    /// Precision and recall.
    Pr,
    /// Density and coverage.
    Dc,
}

impl Metric {
    /// All metrics with their names.
    pub const ALL: [(&'static str, Self); 4] =
        [("kid", Self::Kid), ("fid", Self::Fid), ("pr", Self::Pr), ("dc", Self::Dc)];

    /// The name, such as `kid`.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, metric)| *metric == self).map_or("", |(name, _)| name)
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(name, _)| name.eq_ignore_ascii_case(text.trim()));
        known.map(|(_, metric)| *metric).ok_or_else(|| {
            format!(
                "no metric '{text}'; expected kid, fid, pr (precision and recall) or dc (density and coverage)"
            )
        })
    }
}

/// The metrics for which a run's folder has files.
pub fn found_in(run: &Path) -> Vec<Metric> {
    let files = std::fs::read_dir(run).into_iter().flatten().flatten();
    let mut found: Vec<Metric> = files
        .filter_map(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            let name = name.strip_prefix("metric-")?.strip_suffix(".jsonl")?;
            name.split(|c: char| c.is_ascii_digit()).next()?.parse().ok()
        })
        .collect();
    found.sort();
    found.dedup();
    found
}
