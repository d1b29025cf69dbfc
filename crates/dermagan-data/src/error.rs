//! What can go wrong with a data source, each error with what to do next.

use std::path::PathBuf;

use crate::problem::Report;

/// An error of the data crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The path does not exist.
    #[error(
        "no such file or folder: {0}\n  Give the HAM10000 folder or zip, a folder with one folder per class, \
         a dermamnist .npz, or `phantom` for the built-in demonstration images."
    )]
    NotFound(PathBuf),
    /// The path exists, but nothing known was recognised in it.
    #[error("{path}: {what}\n  {next}")]
    Unrecognised {
        /// The source.
        path: PathBuf,
        /// What was looked for and what was found.
        what: String,
        /// What to type or change.
        next: String,
    },
    /// A file that should be readable is not.
    #[error("{path}: {what}")]
    Bad {
        /// The file, with the row or entry when there is one.
        path: String,
        /// What was expected and what was found.
        what: String,
    },
    /// The system refused to read or write.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        error: std::io::Error,
    },
    /// Nothing usable was left.
    #[error("no usable image in {path}\n{report}")]
    Empty {
        /// The source.
        path: PathBuf,
        /// What was left out and why.
        report: Box<Report>,
    },
    /// `--strict`, and something was wrong.
    #[error(
        "--strict refuses this source\n{0}  Mend the source, or leave --strict out to go on without what is left out."
    )]
    Strict(Box<Report>),
    /// An option asks for something this source does not have.
    #[error("{0}")]
    Option(String),
}

impl DataError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }

    pub(crate) fn bad(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Bad { path: path.into(), what: what.into() }
    }
}
