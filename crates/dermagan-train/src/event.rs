//! What a run tells whoever watches it: a terminal, a notebook, a test.

use std::path::PathBuf;

use dermagan_data::Report;

use crate::check::Comparison;
use crate::stats::Line;
use crate::trainer::{Recomputed, Repeated};

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Images are being decoded.
    Preparing {
        /// Images done.
        done: usize,
        /// Images in all.
        total: usize,
    },
    /// The data is ready.
    Prepared {
        /// The cache.
        path: PathBuf,
        /// What was kept and what was left out.
        report: Report,
        /// Whether it was there already.
        reused: bool,
        /// How long it took.
        seconds: f64,
    },
    /// The run was made as long as the time that there is.
    Fitted {
        /// Its length in thousands of images.
        kimg: f64,
        /// What its steps took when they were timed.
        seconds_per_kimg: f64,
    },
    /// The run's folder is open.
    Started {
        /// The folder.
        run: PathBuf,
        /// Images seen before, by an earlier process.
        nimg: u64,
        /// Images in all.
        total: u64,
    },
    /// Steps were done, and their values read back.
    Progress {
        /// Images seen.
        nimg: u64,
        /// Images a second since the start of this process.
        images_per_second: f64,
        /// The newest values, in the order of [`crate::step::MEASURES`].
        values: Vec<f32>,
    },
    /// A line was added to the statistics.
    Tick(Line),
    /// Images and a checkpoint were written.
    Snapshot {
        /// The grid.
        grid: PathBuf,
        /// The checkpoint.
        checkpoint: PathBuf,
    },
    /// A snapshot was measured.
    Metric {
        /// The metric's name, such as `kid2048_lesion`.
        name: String,
        /// Its figures, beside those of real images.
        words: String,
        /// Whether this makes it the best snapshot so far, which was kept.
        best: bool,
    },
    /// A device's gradients were checked.
    SelfCheck(SelfCheck),
    /// Something that the user should know, while the run goes on.
    Warning(String),
}

/// What a check of a device's gradients found.
#[derive(Clone, Debug, PartialEq)]
pub enum SelfCheck {
    /// The first step's gradients are the CPU's.
    Start {
        /// The gradient that differs the most, and by how much of its norm.
        worst: Comparison,
        /// Time that the comparison took.
        seconds: f64,
    },
    /// A step at a snapshot was computed twice.
    Repeated {
        /// How the two compare.
        repeated: Repeated,
        /// Time that it took.
        seconds: f64,
    },
    /// Steps were computed again, since one had a suspicious gradient.
    Recomputed(Recomputed),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The run's folder.
    pub run: PathBuf,
    /// Images seen.
    pub nimg: u64,
    /// Whether it was stopped before its end; its checkpoint continues it.
    pub interrupted: bool,
}
