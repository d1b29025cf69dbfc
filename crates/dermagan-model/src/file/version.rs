//! The kind and version of a file's format.

use dermagan_base::name::start_of;
use dermagan_base::quoted;
use serde::Deserialize;

/// The kind and the format version of a file, as the JSON in its metadata states them. Each kind of
/// file counts its own versions.
#[derive(Clone, Debug, Deserialize)]
pub struct Version {
    /// Version of the format.
    pub format: u32,
    /// Kind of the file, such as `generator`.
    pub kind: String,
}

impl Version {
    /// Reads both from JSON, which may have other fields.
    ///
    /// # Errors
    /// When the JSON lacks either.
    pub fn of(json: &str) -> Result<Self, String> {
        serde_json::from_str(json).map_err(|e| format!("its metadata: {}", quoted(e)))
    }

    /// Checks that the file is of `kind` and that its format is not newer than `newest`.
    ///
    /// # Errors
    /// Names the kind or the version that was found.
    pub fn check(&self, kind: &str, newest: u32) -> Result<(), String> {
        if self.kind != kind {
            return Err(format!(
                "a file of the kind '{}', not a {kind}",
                start_of(&self.kind, SHOWN)
            ));
        }
        match self.format <= newest {
            true => Ok(()),
            false => Err(format!(
                "format {}, written by a newer dermagan; this version reads formats up to {newest}",
                self.format
            )),
        }
    }
}

/// The number of characters that an error message quotes from a file.
pub(crate) const SHOWN: usize = 40;
