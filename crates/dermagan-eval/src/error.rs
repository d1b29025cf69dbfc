//! The error type of this crate.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_data::DataError;
use dermagan_generate::GenerateError;
use dermagan_model::ModelError;
use dermagan_shards::ShardError;

/// The errors of this crate. A message says what was found, what was expected and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// Two sets that cannot be compared, too few images for a metric, or an image without pixels.
    #[error("{0}")]
    Input(String),
    /// A weights file that does not hold what the network needs.
    #[error("{path}: {what}", path = path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What was found, what was expected and what to do next.
        what: String,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason that the operating system gives.
        source: std::io::Error,
    },
    /// A device that computes other features than the CPU.
    #[error("{0}")]
    SickDevice(String),
    /// The caller asked to stop ([`dermagan_base::run_until`]).
    #[error("stopped before all images were compared")]
    Stopped,
    /// A setting of the call cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Shards do not join, or one cannot be written.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The real images, or a folder of generated ones.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Making images.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The model or the device.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl EvalError {
    /// Turns an I/O error about the file `path` into an [`EvalError::Io`], for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
