//! What a shard is: its job, its share, and the checksum of its items.

use dermagan_base::{hex, producer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::items::Scanned;

/// Everything that the items of a job depend on. Shards of different jobs do not join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The command, such as `sample`.
    pub command: String,
    /// The version of the program.
    pub tool: String,
    /// SHA-256 of the settings and of the files that the items depend on.
    pub settings: String,
    /// Where the items were computed, as far as their bytes depend on it: the level of the CPU or the name of a GPU.
    pub computed_on: String,
}

impl Job {
    /// A job of this version of the program. `settings` are words that differ if the items do.
    pub fn new(command: &str, settings: &str, computed_on: &str) -> Self {
        Self {
            command: command.to_owned(),
            tool: producer(),
            settings: hex(&Sha256::digest(settings)),
            computed_on: computed_on.to_owned(),
        }
    }

    /// How the items of another job would differ; `None` if they would be the same.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let say = |what: &str, here: &str, there: &str| Some(format!("{what} {there}, not {here}"));
        match () {
            () if self.command != other.command => {
                say("of the command", &self.command, &other.command)
            }
            () if self.tool != other.tool => say("made by", &self.tool, &other.tool),
            () if self.settings != other.settings => {
                Some("made with other settings, or from another model or data".to_owned())
            }
            () if self.computed_on != other.computed_on => {
                say("computed on", &self.computed_on, &other.computed_on)
            }
            () => None,
        }
    }
}

/// The description of a complete shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of these fields.
    pub schema_version: u32,
    /// The job.
    pub job: Job,
    /// The words of the command line that made the shard, without the program and the choice of the shard. They let
    /// `merge` finish the job.
    pub line: Vec<String>,
    /// The share, `I/N` with I from 1.
    pub shard: String,
    /// The number of items.
    pub items: u64,
    /// The length of the file of items in bytes.
    pub bytes: u64,
    /// SHA-256 of the file of items.
    pub sha256: String,
}

impl Manifest {
    /// Whether a file of items is the one that this describes.
    pub(crate) fn describes(&self, scanned: &Scanned) -> bool {
        let Scanned { places, sha256, bytes } = scanned;
        (sha256, *bytes, places.len() as u64) == (&self.sha256, self.bytes, self.items)
    }
}

/// The version of the fields of a [`Manifest`].
pub(crate) const SCHEMA: u32 = 1;
