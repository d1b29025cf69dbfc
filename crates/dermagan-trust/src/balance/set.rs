//! The folder of a balanced set.
//!
//! `images/` has one PNG per image, `metadata.csv` the columns of HAM10000, `passport.json` the provenance. A shard also writes
//! its rows and counts into `shards/`; the call that finds those of all shards writes the table and the passport.

use std::path::{Path, PathBuf};

use dermagan_base::{SettingError, atomic};
use dermagan_generate::PASSPORT;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::filter::Tally;
use super::slots::Shard;
use crate::error::TrustError;
use crate::json;
use crate::table::{self, Row};

/// What one shard wrote.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShardRecord {
    /// Everything that the set depends on; shards of different sets do not join.
    pub set: String,
    /// The rows of the table, each with its place in it.
    pub rows: Vec<(usize, Row)>,
    /// The candidates of each class.
    pub tallies: BTreeMap<String, Tally>,
}

/// A folder of a set.
pub(crate) struct SetFolder<'a> {
    pub out: &'a Path,
    /// What the set depends on.
    pub set: String,
}

impl SetFolder<'_> {
    /// Makes the folder, or accepts one with this set, complete or not. Nothing that is there is touched.
    ///
    /// # Errors
    /// If the folder holds another set, or other files.
    pub fn begin(&self) -> Result<(), TrustError> {
        let out = self.out;
        let refuse = |problem: &str| SettingError::value("out", out.display(), problem);
        if self.finished().is_some() {
            return Ok(());
        }
        let shards = out.join("shards");
        let mark = shards.join("set.txt");
        match std::fs::read_to_string(&mark) {
            Ok(found) if found == self.set => return Ok(()),
            Ok(_) => {
                let problem =
                    "it holds a set with other settings, or of another model; name a new folder";
                return Err(refuse(problem).into());
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(TrustError::io(mark)(error));
            }
            Err(_) => {}
        }
        std::fs::create_dir_all(out).map_err(TrustError::io(out))?;
        let entries = std::fs::read_dir(out).map_err(TrustError::io(out))?;
        for entry in entries {
            let name = entry.map_err(TrustError::io(out))?.file_name();
            // The call for another shard may make its mark at this moment.
            if name != "shards" {
                let name = name.display();
                let what =
                    if self.passport_file().exists() { "a set with other settings: " } else { "" };
                return Err(refuse(&format!("it holds {what}{name}; name a new folder")).into());
            }
        }
        std::fs::create_dir_all(&shards).map_err(TrustError::io(&shards))?;
        atomic::write(&mark, self.set.as_bytes()).map_err(TrustError::io(mark))
    }

    fn passport_file(&self) -> PathBuf {
        self.out.join(PASSPORT)
    }

    /// The candidates of each class if an earlier call completed this set.
    pub fn finished(&self) -> Option<BTreeMap<String, Tally>> {
        #[derive(Deserialize)]
        struct Class {
            candidates: Tally,
        }
        #[derive(Deserialize)]
        struct Passport {
            set: String,
            classes: BTreeMap<String, Class>,
        }
        let passport = std::fs::read(self.passport_file()).ok()?;
        let passport: Passport = serde_json::from_slice(&passport).ok()?;
        let classes = passport.classes.into_iter().map(|(code, class)| (code, class.candidates));
        (passport.set == self.set).then(|| classes.collect())
    }

    fn shard_file(&self, shard: Shard) -> PathBuf {
        self.out.join("shards").join(format!("{}-of-{}.json", shard.index + 1, shard.of))
    }

    /// The record of a shard that an earlier call completed.
    pub fn earlier(&self, shard: Shard) -> Option<ShardRecord> {
        read(&self.shard_file(shard)).filter(|record| record.set == self.set)
    }

    /// Writes an image.
    pub fn image(&self, name: &str, png: &[u8]) -> Result<(), TrustError> {
        let folder = self.out.join("images");
        std::fs::create_dir_all(&folder).map_err(TrustError::io(&folder))?;
        let path = folder.join(format!("{name}.png"));
        atomic::write_unflushed(&path, png).map_err(TrustError::io(&path))
    }

    /// Writes the record of a shard, which marks it as complete. Returns the records of all shards if they are there.
    pub fn complete(
        &self,
        shard: Shard,
        record: &ShardRecord,
    ) -> Result<Option<Vec<ShardRecord>>, TrustError> {
        let path = self.shard_file(shard);
        let folder = self.out.join("shards");
        std::fs::create_dir_all(&folder).map_err(TrustError::io(&folder))?;
        let text =
            serde_json::to_string(record).map_err(|error| TrustError::Input(error.to_string()))?;
        atomic::write(&path, text.as_bytes()).map_err(TrustError::io(&path))?;
        let all: Vec<Option<ShardRecord>> =
            (0..shard.of).map(|index| self.earlier(Shard { index, of: shard.of })).collect();
        Ok(all.into_iter().collect())
    }

    /// Writes the table, the rows in order of their places, and returns its bytes. It is written before the passport.
    pub fn table(&self, records: &[ShardRecord]) -> Result<Vec<u8>, TrustError> {
        let mut rows: Vec<&(usize, Row)> = records.iter().flat_map(|record| &record.rows).collect();
        rows.sort_by_key(|(place, _)| *place);
        table::write(self.out, rows.into_iter().map(|(_, row)| row))
    }

    /// Writes the metadata for programs that read Croissant.
    pub fn croissant(&self, metadata: &impl Serialize) -> Result<(), TrustError> {
        json::write(&self.out.join("croissant.json"), metadata)
    }

    /// Writes the passport and removes the records of the shards: the set is complete.
    pub fn passport(&self, passport: &impl Serialize) -> Result<(), TrustError> {
        json::write(&self.passport_file(), passport)?;
        let shards = self.out.join("shards");
        match std::fs::remove_dir_all(&shards) {
            // The call for another shard may have completed the set at the same time.
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(TrustError::io(shards)(error))
            }
            _ => Ok(()),
        }
    }
}

/// A record, if the file is whole.
fn read(path: &Path) -> Option<ShardRecord> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
