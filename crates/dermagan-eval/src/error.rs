//! What can go wrong, in words that say what to do next.

use std::path::PathBuf;

use dermagan_base::image::Image;

/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// Two sets that cannot be compared, or too few images for a metric.
    #[error("{0}")]
    Input(String),
    /// A weights file that is not what it should be.
    #[error("{path}: {what}", path = path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is wrong and what was expected.
        what: String,
    },
    /// A file that cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A device whose features are not the CPU's.
    #[error("{0}")]
    SickDevice(String),
    /// Training was asked to stop.
    #[error("stopped")]
    Stopped,
}

impl EvalError {
    /// Wraps what the system said about a file.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Whether an image has pixels, three bytes each.
pub(crate) fn is_rgb(image: &Image) -> bool {
    image.width > 0 && image.height > 0 && image.pixels.len() == image.width * image.height * 3
}
