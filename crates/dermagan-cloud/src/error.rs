//! The errors of the cloud crate.

use std::path::PathBuf;

/// An error of an object store. Its text names the URL or the file, what was found, what was expected, and what to do next.
/// It has no credentials.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// A URL cannot be used.
    #[error("{url}: {problem}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// There is no object or folder of this name.
    #[error("{url}: no such object or folder{words}")]
    Missing {
        /// The URL.
        url: String,
        /// What else there is. It may be empty.
        words: String,
    },
    /// There is no such bucket.
    #[error(
        "{url}: there is no such bucket; make it with the tools of the store, or correct its name"
    )]
    NoBucket {
        /// The URL.
        url: String,
    },
    /// The store refuses access.
    #[error("{url}: the store refuses access ({words}); {next}")]
    Refused {
        /// The URL.
        url: String,
        /// The store's words.
        words: String,
        /// What to check.
        next: String,
    },
    /// The store did not answer, or answered with an error that may pass.
    #[error("{url}: the store cannot be used after {tries} ({words}); {next}")]
    Away {
        /// The URL.
        url: String,
        /// How often it was tried, such as `5 tries`.
        tries: String,
        /// The last error.
        words: String,
        /// What to check.
        next: String,
    },
    /// Another writer was first.
    #[error("{url}: {what}")]
    Conflict {
        /// The URL.
        url: String,
        /// What was found and what to do next.
        what: String,
    },
    /// What is in the store cannot be used.
    #[error("{url}: {what}")]
    Content {
        /// The URL.
        url: String,
        /// What was found, what was expected and what to do next.
        what: String,
    },
    /// A local file could not be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the operating system.
        error: std::io::Error,
    },
    /// The last part of a run could not be written to the store. It is complete on this machine.
    #[error(
        "{url}: the store does not have the end of this run: {cause}\n  Everything is in {folder}. When the store answers \
         again, write the rest from this machine with: dermagan train --resume {url}"
    )]
    Unfinished {
        /// The run's URL.
        url: String,
        /// The last error.
        cause: Box<CloudError>,
        /// The run's folder on this machine.
        folder: String,
    },
}

impl CloudError {
    /// Makes an error of the operating system an [`Io`](Self::Io) error of this file.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }

    /// Whether the same call may succeed later, without a change by the user.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}
