//! The folder of a balanced set.
//!
//! `images/` has one PNG per image, `metadata.csv` the columns of HAM10000, `passport.json` the provenance. The passport is
//! written last and marks the set as complete.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dermagan_base::{SettingError, atomic};
use dermagan_generate::PASSPORT;
use serde::{Deserialize, Serialize};

use super::filter::Tally;
use crate::error::TrustError;
use crate::json;
use crate::table::{self, Row};

/// The file that names the set of a folder until the set is complete.
const UNFINISHED: &str = "unfinished.txt";

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
        let mark = out.join(UNFINISHED);
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
        let mut entries = std::fs::read_dir(out).map_err(TrustError::io(out))?;
        if let Some(entry) = entries.next() {
            let name = entry.map_err(TrustError::io(out))?.file_name();
            let name = name.display();
            let what =
                if self.passport_file().exists() { "a set with other settings: " } else { "" };
            return Err(refuse(&format!("it holds {what}{name}; name a new folder")).into());
        }
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

    /// Writes an image.
    pub fn image(&self, name: &str, png: &[u8]) -> Result<(), TrustError> {
        let folder = self.out.join("images");
        std::fs::create_dir_all(&folder).map_err(TrustError::io(&folder))?;
        let path = folder.join(format!("{name}.png"));
        atomic::write_unflushed(&path, png).map_err(TrustError::io(&path))
    }

    /// Writes the table, and returns its bytes. It is written before the passport.
    pub fn table(&self, rows: &[Row]) -> Result<Vec<u8>, TrustError> {
        table::write(self.out, rows)
    }

    /// Writes the metadata for programs that read Croissant.
    pub fn croissant(&self, metadata: &impl Serialize) -> Result<(), TrustError> {
        json::write(&self.out.join("croissant.json"), metadata)
    }

    /// Writes the passport: the set is complete.
    pub fn passport(&self, passport: &impl Serialize) -> Result<(), TrustError> {
        json::write(&self.passport_file(), passport)?;
        let mark = self.out.join(UNFINISHED);
        std::fs::remove_file(&mark).map_err(TrustError::io(mark))
    }
}
