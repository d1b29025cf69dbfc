//! The event file of a run, which TensorBoard shows: the statistics, the metrics and the grids.
//!
//! The step of every event is the number of images seen. The times are those of the other files of the run, so that the
//! file can be written from them at any moment, and is the same as if it had grown with them.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use dermagan_base::atomic::Pending;

use crate::error::TrainError;
use crate::recipe::config::{TrainConfig, images_of_kimg};
use crate::store::event_file::{self, EVENT_FILE};
use crate::store::metric;
use crate::store::rundir::{read_lines, read_stats};
use crate::store::stats::{KIMG, StatsLine, TIMESTAMP, mean_of};
use crate::watch::run_images::grids;

/// Tag of the grids of generated images.
const FAKES: &str = "fakes";
/// Tag of the grid of real images.
const REALS: &str = "reals";

/// An open event file.
#[derive(Debug)]
pub struct Board {
    path: PathBuf,
    file: File,
}

/// Something that an event shows. The order of the variants is that in which a run writes them at one step.
enum Shown {
    Stats(StatsLine),
    Grid { tag: &'static str, path: PathBuf },
    Metric(StatsLine),
}

impl Board {
    /// Writes the event file of a run after `nimg` images from the run's other files, and opens it for what follows.
    ///
    /// A grid that an interruption left, and that the schedule does not have, is left out: the file is that of an
    /// uninterrupted run.
    ///
    /// # Errors
    /// When the file cannot be written, or a grid cannot be read.
    pub fn begin(run: &Path, config: &TrainConfig, nimg: u64) -> Result<Self, TrainError> {
        let path = run.join(EVENT_FILE);
        let bad = || TrainError::io(&path);
        let shown = all(run, config, nimg);
        let first = shown.first().map_or(0.0, |(_, first)| first.time());
        let mut pending = Pending::create(&path).map_err(bad())?;
        pending.file().write_all(&event_file::first(first)).map_err(bad())?;
        for (nimg, shown) in &shown {
            pending.file().write_all(&shown.record(*nimg)?).map_err(bad())?;
        }
        pending.commit().map_err(bad())?;
        let file = OpenOptions::new().append(true).open(&path).map_err(bad())?;
        Ok(Self { path, file })
    }

    /// Adds a line of `stats.jsonl`: the mean of every field.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_stats(&mut self, line: &StatsLine) -> Result<(), TrainError> {
        let shown = Shown::Stats(line.clone());
        self.add(&shown.record(images_of_kimg(mean_of(line, KIMG).unwrap_or(0.0)))?)
    }

    /// Adds a line of `metric-*.jsonl`: every result.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn add_metric(&mut self, line: &StatsLine) -> Result<(), TrainError> {
        let shown = Shown::Metric(line.clone());
        self.add(&shown.record(images_of_kimg(kimg_of_metric(line)))?)
    }

    /// Adds a grid of generated images, which was written after `nimg` images.
    ///
    /// # Errors
    /// When the file cannot be written, or the grid cannot be read.
    pub fn add_grid(&mut self, path: &Path, nimg: u64) -> Result<(), TrainError> {
        self.add(&Shown::Grid { tag: FAKES, path: path.to_owned() }.record(nimg)?)
    }

    /// Adds a record. If only a part of it fits on the disk, the part is removed again.
    fn add(&mut self, record: &[u8]) -> Result<(), TrainError> {
        let before = self.file.metadata().map(|meta| meta.len());
        self.file.write_all(record).map_err(|error| {
            let _ = before.and_then(|length| self.file.set_len(length));
            TrainError::io(&self.path)(error)
        })
    }
}

impl Shown {
    /// When it was written, in seconds since 1970; 0 if that is unknown.
    fn time(&self) -> f64 {
        match self {
            Self::Stats(line) | Self::Metric(line) => {
                line.get(TIMESTAMP).and_then(serde_json::Value::as_f64).unwrap_or(0.0)
            }
            Self::Grid { path, .. } => {
                let modified = std::fs::metadata(path).and_then(|meta| meta.modified()).ok();
                let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
                since.map_or(0.0, |time| time.as_secs_f64())
            }
        }
    }

    /// The record of this after `nimg` images.
    ///
    /// # Errors
    /// When a grid cannot be read.
    fn record(&self, nimg: u64) -> Result<Vec<u8>, TrainError> {
        let time = self.time();
        Ok(match self {
            Self::Stats(line) => {
                let means =
                    line.keys().filter_map(|name| Some((name.as_str(), mean_of(line, name)?)));
                event_file::scalars(time, nimg, means)
            }
            Self::Metric(line) => {
                let results = line.get("results").and_then(serde_json::Value::as_object);
                let tagged: Vec<(String, f64)> = results
                    .into_iter()
                    .flatten()
                    .filter_map(|(name, value)| Some((format!("Metrics/{name}"), value.as_f64()?)))
                    .collect();
                let values = tagged.iter().map(|(tag, value)| (tag.as_str(), *value));
                event_file::scalars(time, nimg, values)
            }
            Self::Grid { tag, path } => {
                let png = std::fs::read(path).map_err(TrainError::io(path))?;
                event_file::image(time, nimg, tag, &png).ok_or_else(|| {
                    TrainError::Invalid(format!("{}: expected a PNG image", path.display()))
                })?
            }
        })
    }

    /// The place among what a run writes at one step.
    fn rank(&self) -> u8 {
        match self {
            Self::Stats(_) => 0,
            Self::Grid { .. } => 1,
            Self::Metric(_) => 2,
        }
    }
}

/// Everything that a run has to show after `nimg` images, each with the number of images after which it was written, in
/// the order in which it was written.
fn all(run: &Path, config: &TrainConfig, nimg: u64) -> Vec<(u64, Shown)> {
    let mut found = Vec::new();
    let reals = run.join("reals.png");
    if reals.is_file() {
        found.push((0, Shown::Grid { tag: REALS, path: reals }));
    }
    for (kimg, path) in grids(run, nimg as f64 / 1000.0) {
        let of_grid = nimg_of_grid(kimg, &path, config).filter(|of_grid| *of_grid <= nimg);
        found.extend(of_grid.map(|of_grid| (of_grid, Shown::Grid { tag: FAKES, path })));
    }
    for line in read_stats(run) {
        let kimg = mean_of(&line, KIMG).unwrap_or(0.0);
        found.push((images_of_kimg(kimg), Shown::Stats(line)));
    }
    let mut files: Vec<_> = metric::files(run).collect();
    files.sort();
    for line in files.iter().flat_map(|(_, path)| read_lines(path)) {
        found.push((images_of_kimg(kimg_of_metric(&line)), Shown::Metric(line)));
    }
    // This sort keeps the order of equal elements.
    found.sort_by_key(|(nimg, shown)| (*nimg, shown.rank()));
    found
}

/// The number of images after which a grid was written. `None` if it is not one of the schedule: the snapshot of an
/// interruption, or a file of the user.
fn nimg_of_grid(kimg: f64, path: &Path, config: &TrainConfig) -> Option<u64> {
    if kimg < 0.0 {
        return Some(0);
    }
    let stem = path.file_stem()?.to_str()?.strip_prefix("fakes")?;
    // The name states the images at which the snapshot was due. It was written after the step that reached them.
    let nimg = images_of_kimg(kimg).next_multiple_of(config.optimiser.batch as u64);
    // A whole number of digits names a snapshot that was due, under a schedule that may have changed since.
    let was_due = stem.len() >= 6 && stem.bytes().all(|byte| byte.is_ascii_digit());
    (was_due || config.snapshot_is_due(nimg)).then_some(nimg)
}

/// The thousands of images of a line of `metric-*.jsonl`.
fn kimg_of_metric(line: &StatsLine) -> f64 {
    line.get(KIMG).and_then(serde_json::Value::as_f64).unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use dermagan_base::image::Image;
    use serde_json::json;

    use super::*;
    use crate::test_support::{plan, request};

    fn stats(kimg: f64) -> StatsLine {
        let field = |mean: f64| json!({"num": 1, "mean": mean, "std": 0.0});
        [
            (KIMG, field(kimg)),
            ("Loss/D/loss", field(1.0 / (1.0 + kimg))),
            ("Status", json!("healthy")),
            (TIMESTAMP, json!(1.7e9 + kimg)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    fn metric(kimg: f64) -> StatsLine {
        let results = json!({"kid60_lesion": 0.25, "kid60_lesion_real": 0.125});
        [("results", results), (KIMG, json!(kimg)), (TIMESTAMP, json!(1.7e9 + kimg))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    #[test]
    fn a_file_that_grew_equals_one_that_is_written_from_the_other_files_of_the_run() {
        let config = plan(request("tiny", &["schedule.snap=0.1"])).unwrap().config;
        let batch = config.optimiser.batch as u64;
        let at = |kimg: f64| images_of_kimg(kimg).next_multiple_of(batch);
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path();
        let png = Image::filled(16, 8, [200, 100, 50]).to_png(&[]).unwrap();
        let grid = |name: &str| {
            std::fs::write(run.join(name), &png).unwrap();
            run.join(name)
        };
        let append = |name: &str, line: &StatsLine| {
            let text = std::fs::read_to_string(run.join(name)).unwrap_or_default();
            let text = text + &serde_json::to_string(line).unwrap() + "\n";
            std::fs::write(run.join(name), text).unwrap();
        };
        let bytes = || std::fs::read(run.join(EVENT_FILE)).unwrap();
        grid("reals.png");
        grid("fakes_init.png");
        let mut board = Board::begin(run, &config, 0).unwrap();
        let begun = bytes();
        let kimg = at(0.1) as f64 / 1000.0;
        append("stats.jsonl", &stats(kimg));
        board.add_stats(&stats(kimg)).unwrap();
        board.add_grid(&grid(&format!("fakes{kimg:010.3}.png")), at(0.1)).unwrap();
        append("metric-kid60_lesion.jsonl", &metric(kimg));
        board.add_metric(&metric(kimg)).unwrap();
        let grown = bytes();
        assert!(grown.starts_with(&begun) && grown.len() > begun.len() + png.len());

        // A torn record, later grids and those of an interruption are no part of the file.
        board.add(&[0; 5]).unwrap();
        let between = (at(0.1) + batch) as f64 / 1000.0;
        assert!(!config.snapshot_is_due(at(between)));
        grid(&format!("fakes{between:010.3}.png"));
        grid("fakes000001.png");
        grid("fakes0.png");
        Board::begin(run, &config, at(between)).unwrap();
        assert_eq!(bytes(), grown);

        std::fs::write(run.join("fakes_init.png"), b"mine").unwrap();
        let error = Board::begin(run, &config, 0).unwrap_err().to_string();
        assert!(error.contains("fakes_init.png: expected a PNG"), "{error}");
        assert_eq!(bytes(), grown, "the file is whole or not written");
    }
}
