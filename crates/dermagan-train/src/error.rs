//! What can stop a run.

use std::path::PathBuf;

use dermagan_data::DataError;
use dermagan_eval::EvalError;
use dermagan_model::ModelError;

/// An error of the training crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The model or the device.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Measuring, or the lesion encoder.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Options that make no run.
    #[error("{0}")]
    Option(String),
    /// The system refused to read or write.
    #[error("{path}: {error}{next}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: std::io::Error,
        /// What is safe and what to type next; may be empty.
        next: String,
    },
    /// A checkpoint that cannot be continued from.
    #[error("{path}: {what}\n  {next}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What was expected and what was found.
        what: String,
        /// Which other one is good, and what to type.
        next: String,
    },
    /// A loss or a weight became infinite or not a number.
    #[error(
        "training broke down at {kimg:.3} kimg: {what} is not finite\n  The last good checkpoint is {}.\n  \
         Start a new run with a lower --lr: this one would break down again.", .checkpoint.display()
    )]
    NotFinite {
        /// Thousands of images seen.
        kimg: f64,
        /// The loss or tensor.
        what: String,
        /// From before the breakdown.
        checkpoint: PathBuf,
    },
    /// A device whose gradients are not the CPU's at the start of a run.
    #[error(
        "{device} computes wrong gradients: {found}\n  Nothing was trained. Update its driver, or train on the CPU."
    )]
    SickDevice {
        /// Its name.
        device: String,
        /// The worst gradients.
        found: String,
    },
    /// A device whose results are not the same twice, in the middle of a run.
    #[error(
        "the device errs at {kimg:.3} kimg: {what}\n  The last good checkpoint is {}.", .checkpoint.display()
    )]
    DeviceErrs {
        /// Thousands of images seen.
        kimg: f64,
        /// What was seen.
        what: String,
        /// From before.
        checkpoint: PathBuf,
    },
}

impl TrainError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error, next: String::new() }
    }
}
