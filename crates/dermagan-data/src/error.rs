//! The errors of this crate. Each says what was found, what was expected, and what to do next.

use std::path::PathBuf;

use dermagan_shards::ShardError;

use crate::source::problem::Report;

/// An error about a source, a cache or an option.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing exists at the path.
    #[error(
        "no such file or folder: {0}\n  Give the HAM10000 folder or zip, a folder with one folder per class, \
         a dermamnist .npz, or `phantom` for the built-in demonstration images."
    )]
    NotFound(PathBuf),
    /// The path exists, but its content is of no known kind.
    #[error("{path}: {what}\n  {next}")]
    Unrecognised {
        /// The source.
        path: PathBuf,
        /// What was found, and what was expected.
        what: String,
        /// What to do next.
        next: String,
    },
    /// A file that should be readable is damaged, or its content is not as expected.
    #[error("{path}: {what}")]
    Bad {
        /// The file, with the row or entry if the error is about one.
        path: String,
        /// What was found, and what was expected.
        what: String,
    },
    /// The operating system refused to read or write.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: std::io::Error,
    },
    /// Shards do not join, or one cannot be written.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// No image of the source is usable.
    #[error("no usable image in {path}\n{report}")]
    Empty {
        /// The source.
        path: PathBuf,
        /// What was left out, and why.
        report: Box<Report>,
    },
    /// A strict preparation was asked for, and the source has a problem.
    #[error(
        "`strict` refuses this source\n{0}  Repair what the lines with `out` and `warn` name, or prepare it without \
         `strict` to continue without the images that are left out."
    )]
    Strict(Box<Report>),
    /// The caller asked to stop ([`dermagan_base::run_until`]).
    #[error("stopped before all images were read; nothing was written")]
    Stopped,
    /// An option is out of range, or asks for something that the source does not have.
    #[error("{0}")]
    Option(String),
}

impl DataError {
    /// Turns a system error about `path` into [`DataError::Io`].
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }

    /// A [`DataError::Bad`].
    pub(crate) fn bad(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Bad { path: path.into(), what: what.into() }
    }
}
