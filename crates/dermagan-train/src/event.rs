//! The events of a run, for a terminal, a notebook or a test.

use std::path::PathBuf;

use dermagan_data::Report;
use dermagan_data::split::SplitFacts;

use crate::check::compare::GradientDifference;
use crate::check::repetition::{Recomputed, Repeated};
use crate::plan::advice::Advice;
use crate::plan::auto::Reason;
use crate::plan::initial::Transfer;
use crate::step::measures::Measures;
use crate::store::stats::StatsLine;

/// An event of a run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The request asked for the preset `auto`, and this preset was chosen.
    PresetChosen {
        /// Name of the preset.
        preset: String,
        /// Why it was chosen.
        reason: Reason,
        /// Length of the run in thousands of images; `None` if it is still to be fitted to a number of minutes.
        kimg: Option<f64>,
        /// Seconds that the run takes on this device: the time budget, or an estimate from a few timed steps.
        seconds: f64,
    },
    /// Images are being decoded.
    Preparing {
        /// Number of images done.
        done: usize,
        /// Number of images in total.
        total: usize,
    },
    /// The data is ready.
    Prepared {
        /// The cache's file.
        path: PathBuf,
        /// What was kept and what was left out.
        report: Report,
        /// Whether an existing cache was used.
        reused: bool,
        /// Time that the preparation took, in seconds.
        seconds: f64,
    },
    /// The networks start from trained ones.
    Initialised(Transfer),
    /// The data is split.
    Split(SplitFacts),
    /// The length of the run was fitted to its time budget.
    Fitted {
        /// Length of the run in thousands of images.
        kimg: f64,
        /// Measured seconds per thousand images.
        seconds_per_kimg: f64,
    },
    /// The run's folder is open.
    Started {
        /// The run's folder.
        run: PathBuf,
        /// Number of images that the run has seen before this process.
        nimg: u64,
        /// Number of images of the whole run.
        total: u64,
    },
    /// Steps were done and their values were read back.
    Progress {
        /// Number of images seen.
        nimg: u64,
        /// Images per second since the start of this process.
        images_per_second: f64,
        /// The measures of the newest step.
        measures: Measures,
    },
    /// A line was added to the statistics.
    Tick(StatsLine),
    /// Images and a checkpoint were written.
    Snapshot {
        /// The file of the grid of images.
        grid: PathBuf,
        /// The checkpoint's file.
        checkpoint: PathBuf,
        /// Number of images seen.
        nimg: u64,
    },
    /// The metrics of a snapshot, whose checkpoint is written, are being computed.
    Measuring {
        /// Number of images seen.
        nimg: u64,
    },
    /// A metric of a snapshot was computed.
    Metric {
        /// The metric's name, such as `kid2048_lesion`.
        name: String,
        /// Its values as text, next to those of real images.
        words: String,
        /// Whether this snapshot is the best so far. Its generator was then kept.
        best: bool,
    },
    /// A device's gradients were checked.
    SelfCheck(SelfCheck),
    /// A fact about a new run that its user may not expect, before the first step.
    Advice(Advice),
    /// A warning. The run continues.
    Warning(String),
}

/// The result of a check of a device's gradients.
#[derive(Clone, Debug, PartialEq)]
pub enum SelfCheck {
    /// The gradients of the first step match the CPU's.
    Start {
        /// The gradient that differs the most.
        worst: GradientDifference,
        /// Time that the comparison took, in seconds.
        seconds: f64,
    },
    /// A step at a snapshot was computed twice.
    Repeated {
        /// How the two computations compare.
        repeated: Repeated,
        /// Time that both computations took, in seconds.
        seconds: f64,
    },
    /// Steps were computed again, because one of them had a suspicious gradient.
    Recomputed(Recomputed),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The run's folder.
    pub run: PathBuf,
    /// Number of images seen.
    pub nimg: u64,
    /// Whether the run was stopped before its end. It can be resumed from its last checkpoint.
    pub interrupted: bool,
    /// Whether the run was stopped in the metrics of its last snapshot. They are computed when it is resumed.
    pub unmeasured: bool,
}
