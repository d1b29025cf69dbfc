//! The error type of this crate.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_export::ExportError;
use dermagan_generate::GenerateError;
use dermagan_model::ModelError;

/// The errors of this crate. A message says what was found, what was expected and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A setting of the call cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The model cannot be written as a graph.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The image that a browser is checked with cannot be made.
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
    /// The server cannot listen, or cannot accept connections.
    #[error("the server on 127.0.0.1: {0}")]
    Server(std::io::Error),
}

impl DemoError {
    /// Turns an I/O error about the file `path` into an [`DemoError::Io`], for `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }
}
