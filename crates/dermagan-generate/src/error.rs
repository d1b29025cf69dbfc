//! The error type of this crate.

use std::path::PathBuf;

use dermagan_base::SettingError;
use dermagan_formats::FormatError;
use dermagan_model::ModelError;
use dermagan_shards::ShardError;

/// The errors of this crate. A message says what was found, what was expected and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// A setting of the call cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// The model file or the device failed, or an image is not finite.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A set cannot be written in its format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// Shards do not join, or one cannot be written.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason that the operating system gives.
        error: std::io::Error,
    },
    /// A set of images could not be finished.
    #[error(
        "{path}: {error}\n  {written} of {count} images are in the folder and the table metadata.csv is not, so the set is \
         not complete. {next} and give the same command again: it makes the images that are missing"
    )]
    Unfinished {
        /// The file that could not be written.
        path: PathBuf,
        /// The reason that the operating system gives.
        error: std::io::Error,
        /// The number of images that are written, those of earlier calls included.
        written: u64,
        /// The number of images of the set.
        count: u64,
        /// What to do first.
        next: &'static str,
    },
}

impl GenerateError {
    /// The error of a set of `count` images of which `written` are in the folder. An error that has nothing to do with
    /// files stays as it is.
    pub(crate) fn unfinished(self, written: u64, count: u64) -> Self {
        let Self::Io { path, error } = self else { return self };
        let full = matches!(
            error.kind(),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded
        );
        let next = if full { "Free some space" } else { "Remove the cause" };
        Self::Unfinished { path, error, written, count, next }
    }

    /// Turns an I/O error about the file `path` into an [`GenerateError::Io`], for `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }
}
