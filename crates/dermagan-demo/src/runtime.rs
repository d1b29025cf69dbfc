//! The files of onnxruntime-web, the program that computes the images in the browser.
//!
//! They are 41 MB, so they are no part of this crate: `scripts/fetch-web-runtime` downloads them. A browser runs them, so
//! each file is checked against the SHA-256 in `runtime.sha256` before it is served or copied.

use std::path::Path;
use std::sync::Arc;

use dermagan_base::{SettingError, hex};
use sha2::{Digest, Sha256};

use crate::error::DemoError;

/// The list of files, as `sha256sum` writes it, with comments.
const LIST: &str = include_str!("../runtime.sha256");

/// The version of onnxruntime-web that the page needs.
pub fn runtime_version() -> &'static str {
    LIST.lines().find_map(|line| line.strip_prefix("# version ")).unwrap_or_default()
}

/// The (SHA-256, name) pairs of the list.
fn files() -> impl Iterator<Item = (&'static str, &'static str)> {
    LIST.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once("  "))
}

/// The checked files of onnxruntime-web.
#[derive(Clone, Debug)]
pub struct Runtime {
    pub(crate) files: Vec<(&'static str, Arc<[u8]>)>,
}

impl Runtime {
    /// Reads the files from a folder: that of `scripts/fetch-web-runtime`, or the folder `dist` of the npm package
    /// onnxruntime-web in the version [`runtime_version`].
    ///
    /// # Errors
    /// When a file is missing or is not the expected one.
    pub fn open(folder: &Path) -> Result<Self, DemoError> {
        let read = |(digest, name): (&str, &'static str)| {
            let file = folder.join(name);
            let bytes = match std::fs::read(&file) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    return Err(unusable(folder, &format!("{name} is missing")));
                }
                Err(error) => return Err(DemoError::io(&file)(error)),
            };
            match hex(&Sha256::digest(&bytes)) == digest {
                true => Ok((name, Arc::from(bytes))),
                false => Err(unusable(folder, &format!("{name} is of another version or damaged"))),
            }
        };
        Ok(Self { files: files().map(read).collect::<Result<_, _>>()? })
    }
}

/// What is wrong with a folder, and where the files come from.
fn unusable(folder: &Path, what: &str) -> DemoError {
    let problem = format!(
        "{what}. These are the files of onnxruntime-web {version}, which compute the images in the browser: type \
         scripts/fetch-web-runtime, or unpack the npm package onnxruntime-web {version} and name its folder dist as `runtime`",
        version = runtime_version()
    );
    SettingError::value("runtime", folder.display(), problem).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_the_programs_for_the_cpu_and_for_webgpu() {
        assert!(runtime_version().split('.').count() == 3);
        let names: Vec<&str> = files().map(|(_, name)| name).collect();
        assert_eq!(names.len(), 6);
        assert!(names.contains(&"ort.wasm.min.mjs") && names.contains(&"ort.webgpu.min.mjs"));
        assert!(files().all(|(digest, _)| digest.len() == 64));
    }

    #[test]
    fn a_folder_without_the_files_or_with_other_files_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let problem = || Runtime::open(folder.path()).unwrap_err().to_string();
        assert!(problem().contains("ort.wasm.min.mjs is missing"), "{}", problem());
        assert!(problem().contains("scripts/fetch-web-runtime"));
        std::fs::write(folder.path().join("ort.wasm.min.mjs"), "alert(1)").unwrap();
        assert!(problem().contains("of another version or damaged"), "{}", problem());
    }
}
