//! A folder that keeps the finished parts of a long job. A file in it says which job's parts they are.

use std::path::Path;

use dermagan_base::{SettingError, atomic};

use crate::error::TrustError;

/// A folder for the parts of a job.
pub(crate) struct Claim<'a> {
    pub folder: &'a Path,
    /// The kind of job, which names the file.
    pub what: &'static str,
    /// Everything that the parts depend on, as text.
    pub settings: String,
}

impl Claim<'_> {
    /// Makes the folder, or accepts one that this job has made before.
    ///
    /// # Errors
    /// If it holds the parts of another job, or other files.
    pub fn make(&self) -> Result<(), TrustError> {
        let folder = self.folder;
        let mark = folder.join(format!("{}.txt", self.what));
        let refuse = |problem: &str| SettingError::value("state", folder.display(), problem);
        if folder.is_file() {
            return Err(refuse("this is a file; name a folder").into());
        }
        std::fs::create_dir_all(folder).map_err(TrustError::io(folder))?;
        match std::fs::read_to_string(&mark) {
            Ok(found) if found == self.settings => return Ok(()),
            Ok(_) => {
                let problem = "it holds the work of another call: other settings, data or model; name a new folder";
                return Err(refuse(problem).into());
            }
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(TrustError::io(mark)(error));
            }
            Err(_) => {}
        }
        let empty = std::fs::read_dir(folder).map_err(TrustError::io(folder))?.next().is_none();
        if !empty {
            return Err(refuse("it holds other files; name a new folder").into());
        }
        atomic::write(&mark, self.settings.as_bytes()).map_err(TrustError::io(mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_belongs_to_one_job() {
        let out = tempfile::tempdir().unwrap();
        let folder = out.path().join("state");
        let make = |settings: &str| {
            let settings = settings.to_owned();
            Claim { folder: &folder, what: "twins", settings }
                .make()
                .map_err(|error| error.to_string())
        };
        assert_eq!((make("a"), make("a")), (Ok(()), Ok(())));
        assert!(make("b").unwrap_err().contains("another call"));
        std::fs::remove_file(folder.join("twins.txt")).unwrap();
        std::fs::write(folder.join("thesis.txt"), "mine").unwrap();
        assert!(make("a").unwrap_err().contains("other files"));
    }
}
