//! What a folder for Hugging Face holds, and what an earlier call left in it.

use std::path::Path;

use dermagan_base::SettingError;
use dermagan_base::name::start_of;
use dermagan_generate::is_own_png;
use dermagan_model::ModelFile;

use crate::error::ExportError;
use crate::onnx::is_own_onnx;
use crate::pytorch::is_own_module;
use crate::seal::is_sealed;

/// The weights with the card.
pub(super) const WEIGHTS: &str = "generator.safetensors";
/// The card as JSON.
pub(super) const CONFIG: &str = "config.json";
/// The PyTorch module.
pub(super) const MODULE: &str = "generator.py";
/// The graph.
pub(super) const GRAPH: &str = "generator.onnx";
/// The image of examples.
pub(super) const GRID: &str = "grid.png";
/// The model card. It is written last and marks the folder as complete.
pub(super) const README: &str = "README.md";
/// The value of `model_type` in [`CONFIG`].
pub(super) const MODEL_TYPE: &str = "dermagan";

/// All files of a folder.
const FILES: [&str; 6] = [WEIGHTS, CONFIG, MODULE, GRAPH, GRID, README];
/// Files and folders that git and systems put there; they stay as they are.
const OF_SYSTEMS: [&str; 5] = [".git", ".gitattributes", ".DS_Store", "Thumbs.db", "desktop.ini"];
/// The number of characters of a name that an error repeats.
const SHOWN: usize = 80;

/// Looks at a folder before anything is written: it may be absent, empty, or hold files that an earlier call wrote and that
/// nobody changed since.
///
/// # Errors
/// Names the file that is in the way.
pub(super) fn look(folder: &Path) -> Result<(), ExportError> {
    let refuse =
        |problem: String| Err(SettingError::value("hub", folder.display(), problem).into());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(_) if folder.is_file() => {
            return refuse("this is a file; name a new folder".to_owned());
        }
        Err(error) => return Err(ExportError::io(folder)(error)),
    };
    let names: Result<Vec<_>, _> = entries.map(|entry| Ok(entry?.file_name())).collect();
    let mut names = names.map_err(ExportError::io(folder))?;
    // The same file is named in the error each time.
    names.sort();
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has(WEIGHTS) && !has(CONFIG) {
        // It may be the only copy of a generator. This crate writes the configuration first.
        let problem = format!(
            "it holds {WEIGHTS} without {CONFIG}, so it is not a folder that `hub` wrote; name a new or an empty folder"
        );
        return refuse(problem);
    }
    for name in &names {
        let name = name.to_string_lossy();
        let file = folder.join(&*name);
        let is_ours = match name.strip_suffix(".partial") {
            // A call that was killed leaves a file that it did not finish.
            Some(name) => FILES.contains(&name),
            None => OF_SYSTEMS.contains(&&*name) || FILES.contains(&&*name) && is_own(&name, &file),
        };
        if !is_ours {
            let shown = start_of(&name, SHOWN);
            return refuse(match FILES.contains(&&*name) {
                true => format!(
                    "{shown} in it was changed, or dermagan did not write it; move it away, or name a new folder"
                ),
                false => format!(
                    "it holds {shown}, which dermagan did not write there; name a new or an empty folder"
                ),
            });
        }
    }
    Ok(())
}

/// Whether a file is as this crate wrote it, of any model and version.
fn is_own(name: &str, file: &Path) -> bool {
    if !file.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return false;
    }
    let is_empty = file.metadata().is_ok_and(|found| found.len() == 0);
    let read = || std::fs::read(file).unwrap_or_default();
    is_empty
        || match name {
            WEIGHTS => ModelFile::open(file).is_ok_and(|model| model.card.is_some()),
            CONFIG => serde_json::from_slice(&read())
                .is_ok_and(|config: serde_json::Value| config["model_type"] == MODEL_TYPE),
            MODULE => is_own_module(file),
            GRAPH => is_own_onnx(file),
            GRID => is_own_png(file),
            README => is_sealed(&read()),
            _ => false,
        }
}
