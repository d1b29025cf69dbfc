//! The error type of this crate.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_data::DataError;
use dermagan_eval::EvalError;
use dermagan_generate::GenerateError;
use dermagan_model::ModelError;
use dermagan_shards::ShardError;
use dermagan_train::TrainError;

/// The errors of this crate. A message says what was found, what was expected and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Images that the question cannot be asked of.
    #[error("{0}")]
    Input(String),
    /// A file that cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason that the operating system gives.
        source: std::io::Error,
    },
    /// A setting of the call cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Shards do not join, or one cannot be written.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The real images.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Features of images, or the generated images.
    #[error(transparent)]
    Eval(#[from] EvalError),
    /// Making images.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A model or the device.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A run or a checkpoint.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl TrustError {
    /// Turns an I/O error about the file `path` into a [`TrustError::Io`], for `map_err`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
