//! The error type of this crate.

use std::path::PathBuf;

use dermagan_base::SettingError;

/// The errors of this crate. A message says what was found, what was expected and what to do next.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// A setting of the call cannot be used.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// A file cannot be read or written.
    #[error(
        "{path}: {error}\n  The set is not complete. Remove the cause and give the same command again: it writes the set anew"
    )]
    Io {
        /// The file.
        path: PathBuf,
        /// The reason that the operating system gives.
        error: std::io::Error,
    },
    /// An image does not fit its set, or its name does not fit the format.
    #[error("image {name}: {problem}")]
    Item {
        /// The name of the image.
        name: String,
        /// What is wrong and what was expected.
        problem: String,
    },
}

impl FormatError {
    /// Turns an I/O error about the file `path` into a [`FormatError::Io`], for `map_err`.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }

    pub(crate) fn item(name: &str, problem: impl Into<String>) -> Self {
        Self::Item { name: name.to_owned(), problem: problem.into() }
    }
}
