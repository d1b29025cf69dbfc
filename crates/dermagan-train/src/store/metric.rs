//! The metrics of snapshots. They have StyleGAN's names where it has them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::store::stats::KIMG;

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
    let mut found: Vec<Metric> = files(run).map(|(metric, _)| metric).collect();
    found.sort();
    found.dedup();
    found
}

/// The metrics that the snapshot after `nimg` images of a run has, with their names such as `kid2048_imagenet`.
pub fn measured_at(run: &Path, nimg: u64) -> Vec<(Metric, String)> {
    let kimg = nimg as f64 / 1000.0;
    let has_line = |path: &Path| {
        let text = std::fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().any(|line| {
            let line: Option<serde_json::Value> = serde_json::from_str(line).ok();
            line.is_some_and(|line| line[KIMG].as_f64() == Some(kimg))
        })
    };
    let measured = files(run).filter(|(_, path)| has_line(path));
    measured.filter_map(|(metric, path)| Some((metric, name_of(&path)?))).collect()
}

/// The files `metric-NAME.jsonl` of a run with their metrics, in no order.
pub fn files(run: &Path) -> impl Iterator<Item = (Metric, PathBuf)> {
    let files = std::fs::read_dir(run).into_iter().flatten().flatten();
    files.filter_map(|file| {
        let name = name_of(&file.path())?;
        let metric = name.split(|c: char| c.is_ascii_digit()).next()?.parse().ok()?;
        Some((metric, file.path()))
    })
}

/// The name of the metric of a file `metric-NAME.jsonl`.
fn name_of(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    Some(name.strip_prefix("metric-")?.strip_suffix(".jsonl")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_a_snapshot_are_found_by_its_number_of_images() {
        let run = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(run.path().join(name), text).unwrap();
        write("metric-kid60_lesion.jsonl", "{\"Progress/kimg\":0.1}\n{\"Progress/kimg\":0.2}\n");
        write("metric-fid60_lesion.jsonl", "{\"Progress/kimg\":0.1}\n{\"Progress/ki");
        write("metric-own.jsonl", "{\"Progress/kimg\":0.2}\n");
        assert_eq!(measured_at(run.path(), 200), [(Metric::Kid, "kid60_lesion".to_owned())]);
        assert!(measured_at(run.path(), 300).is_empty());
        assert_eq!(found_in(run.path()), [Metric::Kid, Metric::Fid]);
    }
}
