//! Requests to start and to resume a run.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_data::Reading;
use dermagan_model::PrecisionChoice;

use crate::recipe::config::Part;
use crate::recipe::preset::{AUTO, Preset};
use crate::recipe::schedule::Scheduled;
use crate::recipe::setting::key_and_value;
use crate::store::metric::Metric;

/// Largest time budget in minutes: ten years.
const MOST_MINUTES: f64 = 10.0 * 365.25 * 24.0 * 60.0;

/// Number of checkpoints that a run keeps unless another is asked for.
pub const KEEP: usize = 3;

/// A request for a new run. `None` keeps the preset's value.
#[derive(Clone, Debug)]
pub struct TrainRequest {
    /// The data: a source or a prepared cache. `None` stands for the built-in phantom.
    pub data: Option<String>,
    /// How the source is read, where the default would refuse it or leave images out.
    pub reading: Reading,
    /// Folder of runs. Each run gets a numbered folder in it.
    pub outdir: PathBuf,
    /// Name of a preset, a file `NAME.toml`, or `auto` for a preset that suits the data.
    pub preset: String,
    /// The trained networks to start from: a model file, a run, a checkpoint, `latest`, or `shipped` for the generator that
    /// comes with the program. `None` for new networks.
    pub init: Option<String>,
    /// Single settings of the preset to change, such as `objective.r1=0.1`.
    pub settings: Vec<String>,
    /// Side of the images in pixels: 32, 64, 128 or 256.
    pub size: Option<usize>,
    /// Images per step, 2 to 4096.
    pub batch: Option<usize>,
    /// Number of channels of both networks at half the resolution, 1 to 512; even for residual networks.
    pub width: Option<usize>,
    /// Learning rate of both players.
    pub learning_rate: Option<f64>,
    /// Length in thousands of images.
    pub kimg: Option<f64>,
    /// Time budget in minutes, more than 0. It replaces `kimg`: the length of the run is fitted to it.
    pub minutes: Option<f64>,
    /// Interval of snapshots (images and a checkpoint) in thousands of images.
    pub snap: Option<f64>,
    /// Interval of statistics in thousands of images.
    pub tick: Option<f64>,
    /// Seed of every random number.
    pub seed: u64,
    /// Mirror half of the images.
    pub mirror: bool,
    /// Rotate images by multiples of 90°.
    pub quarter_turns: bool,
    /// Draw every class equally often.
    pub balanced: bool,
    /// Train on all images instead of the training side of the split.
    pub all_images: bool,
    /// Classes to train on, by code; empty for all.
    pub classes: Vec<String>,
    /// Number format of the convolutions.
    pub precision: Option<PrecisionChoice>,
    /// Number of checkpoints to keep, newest first; 0 keeps all.
    pub keep: usize,
    /// Metrics to compute at every snapshot.
    pub metrics: Vec<Metric>,
    /// Whether a GPU's gradients are checked: against the CPU at the start, by repetition at every snapshot, and by
    /// their norms in every step.
    pub self_check: bool,
}

impl Default for TrainRequest {
    /// The built-in phantom with a preset that suits it, in the folder `runs`.
    fn default() -> Self {
        Self {
            data: None,
            reading: Reading::default(),
            outdir: "runs".into(),
            preset: AUTO.to_owned(),
            init: None,
            settings: Vec::new(),
            size: None,
            batch: None,
            width: None,
            learning_rate: None,
            kimg: None,
            minutes: None,
            snap: None,
            tick: None,
            seed: 0,
            mirror: false,
            quarter_turns: false,
            balanced: false,
            all_images: false,
            classes: Vec::new(),
            precision: None,
            keep: KEEP,
            metrics: Vec::new(),
            self_check: true,
        }
    }
}

impl TrainRequest {
    /// A run of a preset on a data source.
    pub fn new(preset: &str, data: &str) -> Self {
        Self { preset: preset.to_owned(), data: Some(data.to_owned()), ..Self::default() }
    }

    /// Whether the request has a single setting with this key.
    pub(crate) fn sets(&self, key: &str) -> bool {
        self.settings.iter().any(|setting| key_and_value(setting).0 == key)
    }

    /// Checks the time budget before anything takes time.
    pub(crate) fn check_minutes(&self) -> Result<(), SettingError> {
        let Some(minutes) = self.minutes else { return Ok(()) };
        match minutes > 0.0 && minutes <= MOST_MINUTES {
            true => Ok(()),
            false => {
                let problem = "expected more than 0 and at most ten years, such as 30";
                Err(SettingError::value("minutes", minutes, problem))
            }
        }
    }
}

/// A request to resume a run. `None` keeps what the run had.
#[derive(Clone, Debug)]
pub struct ResumeRequest {
    /// A run's folder, a checkpoint, or `latest` for the newest run in [`ResumeRequest::outdir`].
    pub from: String,
    /// Folder of runs in which `latest` is looked up.
    pub outdir: PathBuf,
    /// The data, if it has moved.
    pub data: Option<String>,
    /// Length in thousands of images.
    pub kimg: Option<f64>,
    /// Interval of snapshots in thousands of images.
    pub snap: Option<f64>,
    /// Number of checkpoints to keep, newest first; 0 keeps all.
    pub keep: Option<usize>,
    /// Metrics to compute at every snapshot.
    pub metrics: Option<Vec<Metric>>,
    /// As in [`TrainRequest::self_check`].
    pub self_check: bool,
}

impl ResumeRequest {
    /// Resumes `from` (see [`ResumeRequest::from`]) without changes.
    pub fn new(from: impl Into<String>) -> Self {
        Self {
            from: from.into(),
            outdir: "runs".into(),
            data: None,
            kimg: None,
            snap: None,
            keep: None,
            metrics: None,
            self_check: true,
        }
    }
}

impl Preset {
    /// Replaces a preset's values by those of a request.
    pub(crate) fn override_with(&mut self, request: &TrainRequest) {
        self.model.resolution = request.size.unwrap_or(self.model.resolution);
        self.model.g_width = request.width.unwrap_or(self.model.g_width);
        self.model.d_width = request.width.unwrap_or(self.model.d_width);
        self.optimiser.batch = request.batch.unwrap_or(self.optimiser.batch);
        if let Some(rate) = request.learning_rate {
            self.optimiser.learning_rate = Scheduled::Constant(rate);
            if !request.sets("optimiser.d_learning_rate") {
                self.optimiser.d_learning_rate = None;
            }
        }
        self.schedule.kimg = request.kimg.unwrap_or(self.schedule.kimg);
        self.schedule.snap = request.snap.unwrap_or(self.schedule.snap);
        self.schedule.tick = request.tick.unwrap_or(self.schedule.tick);
        self.data.mirror |= request.mirror;
        self.data.quarter_turns |= request.quarter_turns;
        if request.balanced {
            self.data.balanced = 1.0;
        }
        if request.all_images {
            self.data.split = Part::All;
        }
    }
}
