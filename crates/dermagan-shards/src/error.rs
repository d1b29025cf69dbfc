//! The error type of this crate.

use std::path::PathBuf;

use dermagan_base::SettingError;

/// The errors of this crate. A message says what was found, what was expected and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// A setting of the call cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason that the operating system gives.
        error: std::io::Error,
    },
    /// A file of a shard is not what its manifest says.
    #[error("{path}: {problem}; remove the two files of this shard and make it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
}

impl ShardError {
    /// Turns an I/O error about the file `path` into a [`ShardError::Io`], for `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }

    pub(crate) fn damaged(path: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), problem: problem.into() }
    }
}
