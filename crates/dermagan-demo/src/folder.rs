//! The page as a folder that any static server can serve.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dermagan_base::name::start_of;
use dermagan_base::{SettingError, atomic, hex};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::DemoError;
use crate::page::{DESCRIPTION, KIND, Listed, Page};

/// Files and folders that git, hosts of static pages and systems put there; they stay as they are.
const OF_OTHERS: [&str; 11] = [
    ".git",
    ".gitattributes",
    ".gitignore",
    ".github",
    ".nojekyll",
    "CNAME",
    "README.md",
    "LICENSE",
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
];
/// The number of characters of a name that an error repeats.
const SHOWN: usize = 80;
/// The ending of a file that is not complete.
const PARTIAL: &str = ".partial";
/// The largest description that is read, in bytes.
const MAX_DESCRIPTION: u64 = 1 << 20;

/// The part of a description that names its files.
#[derive(Deserialize)]
struct Earlier {
    kind: String,
    files: Vec<Listed>,
}

impl Page {
    /// Writes the page to a folder, which is new, empty, or one that this function wrote and nobody changed since. The
    /// description comes last: without it the page says that it is not complete.
    ///
    /// # Errors
    /// When the folder holds anything else, or cannot be written. Nothing is written before the folder was looked at.
    pub fn write(&self, folder: &Path) -> Result<(), DemoError> {
        let stale = self.look(folder)?;
        let remove = |file: &Path| atomic::remove(file).map_err(DemoError::io(file));
        remove(&folder.join(DESCRIPTION))?;
        for file in stale {
            remove(&file)?;
        }
        for file in &self.files {
            let path = folder.join(&*file.name);
            atomic::write(&path, file.bytes.as_ref()).map_err(DemoError::io(&path))?;
        }
        Ok(())
    }

    /// Looks at what is in the folder. Returns the files of an earlier page that this one does not have.
    fn look(&self, folder: &Path) -> Result<Vec<PathBuf>, DemoError> {
        let found = match folder.symlink_metadata() {
            Ok(_) if folder.is_dir() => files_in(folder, "")?,
            Ok(_) => return refuse(folder, "this is no folder; name a new one"),
            Err(_) => return Ok(Vec::new()),
        };
        let earlier = earlier(&folder.join(DESCRIPTION));
        let mut stale = Vec::new();
        for (name, is_file) in found {
            let path = folder.join(&name);
            let written = name.strip_suffix(PARTIAL).unwrap_or(&name);
            let ours = self.file(written).is_some() || earlier.contains_key(written);
            let same = || {
                let Ok(bytes) = std::fs::read(&path) else { return false };
                let digest = hex(&Sha256::digest(&bytes));
                let now = self.file(&name).is_some_and(|file| file.bytes.as_ref() == bytes);
                now || earlier.get(&name) == Some(&digest)
            };
            let shown = start_of(&name, SHOWN);
            if !ours {
                let problem = format!(
                    "it holds {shown}, which dermagan did not write there; name a new or an empty folder"
                );
                return refuse(folder, &problem);
            }
            // A file that a killed call did not finish is replaced.
            let is_partial = written != name;
            let is_description = name == DESCRIPTION && !earlier.is_empty();
            if !is_file || !(is_partial || is_description || same()) {
                let problem =
                    format!("{shown} in it was changed; move it away, or name a new folder");
                return refuse(folder, &problem);
            }
            if self.file(&name).is_none() {
                stale.push(path);
            }
        }
        Ok(stale)
    }
}

/// The SHA-256 of each file that an earlier call wrote; empty if `description` is not of this crate.
fn earlier(description: &Path) -> BTreeMap<String, String> {
    let is_small = description.metadata().is_ok_and(|found| found.len() <= MAX_DESCRIPTION);
    let bytes = if is_small { std::fs::read(description).unwrap_or_default() } else { Vec::new() };
    let earlier = serde_json::from_slice::<Earlier>(&bytes).ok().filter(|old| old.kind == KIND);
    let files = earlier.map(|old| old.files).unwrap_or_default();
    files.into_iter().map(|file| (file.name, file.sha256)).collect()
}

/// The names of all entries of a folder and of its folder `runtime`, in order, and whether each is a regular file. The
/// folder `runtime` itself is no entry.
fn files_in(folder: &Path, prefix: &str) -> Result<Vec<(String, bool)>, DemoError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DemoError::io(folder))? {
        let entry = entry.map_err(DemoError::io(folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(DemoError::io(entry.path()))?;
        match (prefix, name.as_str()) {
            ("", name) if OF_OTHERS.contains(&name) => {}
            ("", "runtime") if kind.is_dir() => {
                found.extend(files_in(&entry.path(), "runtime/")?);
            }
            _ => found.push((format!("{prefix}{name}"), kind.is_file())),
        }
    }
    // The same file is named in the error each time.
    found.sort();
    Ok(found)
}

fn refuse<T>(folder: &Path, problem: &str) -> Result<T, DemoError> {
    Err(SettingError::value("out", folder.display(), problem).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::test_page;

    #[test]
    fn a_folder_is_written_and_written_again() {
        let (folder, page) = (tempfile::tempdir().unwrap(), test_page());
        let out = folder.path().join("deep/page");
        page.write(&out).unwrap();
        for file in &page.files {
            assert_eq!(std::fs::read(out.join(&*file.name)).unwrap(), file.bytes.as_ref());
        }
        std::fs::create_dir(out.join(".git")).unwrap();
        // A call that was killed leaves files without a description, and one that is not complete.
        std::fs::remove_file(out.join(DESCRIPTION)).unwrap();
        std::fs::write(out.join("page.js.partial"), "half").unwrap();
        page.write(&out).unwrap();
        assert!(out.join(DESCRIPTION).is_file());
    }

    #[test]
    fn files_of_an_earlier_page_that_are_no_longer_needed_are_removed() {
        let (folder, page) = (tempfile::tempdir().unwrap(), test_page());
        page.write(folder.path()).unwrap();
        let mut fewer = page.clone();
        fewer.files.retain(|file| file.name != "runtime/ort.wasm.min.mjs");
        fewer.write(folder.path()).unwrap();
        assert!(!folder.path().join("runtime/ort.wasm.min.mjs").exists());
    }

    #[test]
    fn files_of_others_are_never_touched() {
        let page = test_page();
        let problem = |change: &dyn Fn(&Path)| {
            let folder = tempfile::tempdir().unwrap();
            page.write(folder.path()).unwrap();
            change(folder.path());
            page.write(folder.path()).unwrap_err().to_string()
        };
        let own = problem(&|folder| std::fs::write(folder.join("thesis.tex"), "years").unwrap());
        assert!(own.contains("it holds thesis.tex, which dermagan did not write"), "{own}");
        let inner = problem(&|folder| std::fs::write(folder.join("runtime/x.js"), "").unwrap());
        assert!(inner.contains("runtime/x.js"), "{inner}");
        let edited = problem(&|folder| std::fs::write(folder.join("index.html"), "mine").unwrap());
        assert!(edited.contains("index.html in it was changed"), "{edited}");
        let foreign = problem(&|folder| std::fs::write(folder.join(DESCRIPTION), "{}").unwrap());
        assert!(foreign.contains("demo.json in it was changed"), "{foreign}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(page.write(&file).unwrap_err().to_string().contains("this is no folder"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_folder_is_not_followed() {
        let (folder, page) = (tempfile::tempdir().unwrap(), test_page());
        let out = folder.path().join("page");
        page.write(&out).unwrap();
        let (file, victim) = (out.join("page.js"), folder.path().join("victim.js"));
        std::fs::rename(&file, &victim).unwrap();
        std::os::unix::fs::symlink(&victim, &file).unwrap();
        let problem = page.write(&out).unwrap_err().to_string();
        assert!(problem.contains("page.js in it was changed"), "{problem}");
    }
}
