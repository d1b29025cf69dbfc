//! The errors of models and devices.

/// An error of the model crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Sizes that no network can have.
    #[error("{0}")]
    Config(String),
    /// A weights file that is of another format, is cut short, or belongs to another network.
    #[error("{path}: {what}")]
    Weights {
        /// The file.
        path: String,
        /// What was expected and what was found.
        what: String,
    },
    /// A generator whose weights are finite but whose images are not.
    #[error(
        "the generator's images are not finite (NaN): its weights are damaged, or so large that the images \
         overflow. Use an earlier checkpoint, or another model"
    )]
    ImageNotFinite,
    /// A device that does not exist here, or does not support what is asked of it.
    #[error("{0}")]
    Device(String),
    /// A device whose images differ from those of the CPU.
    #[error("{0}")]
    SickDevice(String),
    /// The caller asked to stop ([`dermagan_base::run_until`]).
    #[error("stopped before all images were made")]
    Stopped,
    /// A file that the system failed to read or write.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// The error of the system.
        error: std::io::Error,
    },
}

impl ModelError {
    pub(crate) fn weights(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Weights { path: path.into(), what: what.into() }
    }
}
