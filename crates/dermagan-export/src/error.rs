//! The error type of this crate.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_generate::GenerateError;
use dermagan_model::ModelError;

/// The errors of this crate. A message says what was found, what was expected and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A setting of the call cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The weights cannot be written, or do not fit the shape of the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The images of the model cannot be made.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason that the operating system gives.
        error: std::io::Error,
    },
}

impl ExportError {
    /// Turns an I/O error about the file `path` into an [`ExportError::Io`], for `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }
}
