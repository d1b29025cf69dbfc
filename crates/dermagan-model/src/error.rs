//! What can go wrong with a model or a device.

/// An error of the model crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Sizes that make no network.
    #[error("{0}")]
    Config(String),
    /// A weights file that is not one, is cut short, or is of another network.
    #[error("{path}: {what}")]
    Weights {
        /// The file.
        path: String,
        /// What was expected and what was found.
        what: String,
    },
    /// A generator whose weights are finite and whose images are not.
    #[error(
        "the generator makes values that are no numbers: its weights are damaged, or too large for what \
         they compute. Use an earlier checkpoint, or another model"
    )]
    ImageNotFinite,
    /// No such device here.
    #[error("{0}")]
    Device(String),
    /// A device whose images are not the CPU's.
    #[error("{0}")]
    SickDevice(String),
    /// The system refused to read or write.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// The system's answer.
        error: std::io::Error,
    },
}

impl ModelError {
    pub(crate) fn weights(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Weights { path: path.into(), what: what.into() }
    }
}
