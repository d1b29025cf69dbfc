//! Files of JSON.

use std::path::Path;

use dermagan_base::atomic;
use serde::Serialize;

use crate::error::TrustError;

/// Writes a value, readable.
///
/// # Errors
/// [`TrustError::Io`] if the file cannot be written.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<(), TrustError> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| TrustError::Input(error.to_string()))?;
    atomic::write(path, (text + "\n").as_bytes()).map_err(TrustError::io(path))
}
