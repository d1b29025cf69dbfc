//! `latest.json`: which checkpoint of a run is complete in the store, and who writes the run.

use std::collections::BTreeMap;

use dermagan_base::producer;
use serde::{Deserialize, Serialize};

use crate::error::CloudError;
use crate::location::{Location, is_safe_name};
use crate::store::{Condition, Store, Version};

/// The name of the object. It is written last, by compare-and-swap.
pub const POINTER: &str = "latest.json";
/// The layout that this version writes and reads.
const FORMAT: u32 = 1;
/// Largest size in bytes.
const LARGEST: u64 = 16 << 20;

/// The pointer of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pointer {
    /// The layout.
    format: u32,
    /// The program that wrote it.
    producer: String,
    /// The newest complete checkpoint; `None` before the first one.
    pub checkpoint: Option<String>,
    /// The URL of the training images, if they come from a store.
    pub data: Option<String>,
    /// The process that may write the run. Another one that resumes it puts itself here.
    pub writer: String,
    /// Counts the versions by one writer.
    pub serial: u64,
    /// The files of the run by name.
    pub files: BTreeMap<String, Content>,
}

/// The content of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 in hexadecimal digits.
    pub sha256: String,
}

impl Pointer {
    /// The first pointer of a run.
    pub fn new(writer: &str, data: Option<String>) -> Self {
        Self {
            format: FORMAT,
            producer: producer().to_string(),
            checkpoint: None,
            data,
            writer: writer.to_owned(),
            serial: 0,
            files: BTreeMap::new(),
        }
    }

    /// Reads the pointer of a run; `None` if it has none.
    ///
    /// # Errors
    /// When it is damaged or of another layout, or the store refuses or does not answer.
    pub fn read(store: &Store, run: &Location) -> Result<Option<(Self, Version)>, CloudError> {
        let at = run.join(POINTER);
        let Some((bytes, version)) = store.read(&at, LARGEST)? else { return Ok(None) };
        let bad = |what: String| CloudError::Content { url: at.to_string(), what };
        let pointer: Self = serde_json::from_slice(&bytes)
            .map_err(|error| bad(format!("this is no pointer of a run: {error}")))?;
        if pointer.format != FORMAT {
            return Err(bad(format!(
                "it has layout {}, and this program reads layout {FORMAT}; use the program that wrote it: {}",
                pointer.format,
                dermagan_base::name::start_of(&pointer.producer, 60)
            )));
        }
        let names = pointer.files.keys().chain(&pointer.checkpoint);
        if let Some(name) = names.into_iter().find(|name| !is_safe_name(name) || name.contains('/'))
        {
            let name = dermagan_base::name::start_of(name, 60);
            return Err(bad(format!("{name:?} is not the name of a file")));
        }
        Ok(Some((pointer, version)))
    }

    /// Writes the pointer in place of the version before; `None` if there was none. A conflict with the very bytes of this
    /// pointer is none: the answer to an earlier try was lost.
    ///
    /// # Errors
    /// [`CloudError::Conflict`] when another process has gone on with the run, and when the store refuses or does not answer.
    pub fn write(
        &self,
        store: &Store,
        run: &Location,
        before: Option<&Version>,
    ) -> Result<Version, CloudError> {
        let at = run.join(POINTER);
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        let condition = before.map_or(Condition::New, |version| Condition::Same(version.clone()));
        match store.put(&at, bytes, &condition) {
            // Some stores answer that an object is missing if its condition cannot hold.
            Err(CloudError::Conflict { .. } | CloudError::Missing { .. }) => {
                match Self::read(store, run)? {
                    Some((found, version)) if found == *self => Ok(version),
                    found => Err(taken_over(run, found.map(|(pointer, _)| pointer).as_ref())),
                }
            }
            other => other,
        }
    }
}

/// The error of a run that this process may not write any more.
pub fn taken_over(run: &Location, now: Option<&Pointer>) -> CloudError {
    let what = match now {
        Some(_) => {
            "another process has gone on with this run; this one stops writing to it. Stop one of them: two would overwrite \
             each other's checkpoints"
        }
        None => {
            "its latest.json was removed while it was trained; this process stops writing to it"
        }
    };
    CloudError::Conflict { url: run.to_string(), what: what.to_owned() }
}
