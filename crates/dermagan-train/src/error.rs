//! The errors of the training crate.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_data::DataError;
use dermagan_eval::EvalError;
use dermagan_export::ExportError;
use dermagan_formats::FormatError;
use dermagan_generate::GenerateError;
use dermagan_model::ModelError;

/// An error of the training crate. Its text names the file or the setting, what was found, what was expected, and what
/// to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model or the device cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// An evaluation or the lesion encoder failed.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Images could not be generated.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A generator could not be written in another format.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A set of images cannot be written in its format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// A setting of the call is wrong.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Settings or files are wrong or do not fit together.
    #[error("{0}")]
    Invalid(String),
    /// The caller stopped the work before anything was kept. The text says when.
    #[error("stopped {0}; there is nothing to resume")]
    Stopped(&'static str),
    /// Another process of the run's group has an error.
    #[error("process {rank} of {size}, counted from 0: {error}")]
    Member {
        /// Number of the process in its group, from 0.
        rank: usize,
        /// Number of processes of the group.
        size: usize,
        /// Its error.
        error: String,
    },
    /// The processes of a group no longer have the same state.
    #[error(
        "at {kimg:.3} kimg the processes of this run no longer have the same weights: one of them computed wrongly\n  \
         The last good checkpoint is {}.", .checkpoint.display()
    )]
    Diverged {
        /// Thousands of images seen.
        kimg: f64,
        /// The last checkpoint from before the error.
        checkpoint: PathBuf,
    },
    /// A file could not be read or written.
    #[error("{path}: {error}{next}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
        /// What is safe and what to do next. It may be empty.
        next: String,
    },
    /// A run cannot continue from a checkpoint.
    #[error("{path}: {what}\n  {next}")]
    Checkpoint {
        /// The checkpoint's file.
        path: PathBuf,
        /// What was found and what was expected.
        what: String,
        /// Which other checkpoint is good, and what to do next.
        next: String,
    },
    /// A loss or a weight is not finite.
    #[error(
        "training broke down at {kimg:.3} kimg: {what} is not finite\n  The last good checkpoint is {}.\n  \
         Start a new run with a lower `learning_rate`: this one would break down again.", .checkpoint.display()
    )]
    NotFinite {
        /// Thousands of images seen.
        kimg: f64,
        /// The loss or the tensor.
        what: String,
        /// The last checkpoint from before the breakdown.
        checkpoint: PathBuf,
    },
    /// At the start of a run, the gradients of the device differ from the CPU's.
    #[error(
        "{device} computes wrong gradients: {found}\n  Nothing was trained. Update its driver, or train on the CPU."
    )]
    SickDevice {
        /// Name of the device.
        device: String,
        /// The gradients that differ the most.
        found: String,
    },
    /// During a run, the device gives different results for the same computation, or wrong ones.
    #[error(
        "the device computed wrongly at {kimg:.3} kimg: {what}\n  The last good checkpoint is {}.",
        .checkpoint.display()
    )]
    DeviceErrs {
        /// Thousands of images seen.
        kimg: f64,
        /// What was observed.
        what: String,
        /// The last checkpoint from before the error.
        checkpoint: PathBuf,
    },
}

impl TrainError {
    /// Makes an error of the operating system an [`Io`](Self::Io) error of this file.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error, next: String::new() }
    }
}
