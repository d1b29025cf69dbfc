//! Which generator is meant: a file, a run's, the newest run's, or the one that comes with the program.

use std::path::{Path, PathBuf};

use dermagan_model::ModelFile;

use crate::error::TrainError;
use crate::rundir;

/// The name of the newest run's generator.
pub const LATEST: &str = "latest";
/// The name of the generator that comes with the program.
pub const SHIPPED: &str = "shipped";

/// The generator that comes with the program: its card is in `models/lesion-generator/`.
const BYTES: &[u8] = include_bytes!("../../../models/lesion-generator/generator.safetensors");

/// A generator and its name: the one asked for, by its path or as [`LATEST`] or [`SHIPPED`] where no file
/// is called so, else that of the newest run in `outdir`, else the one that comes with the program.
///
/// # Errors
/// When there is none where one was asked for, or its file is damaged.
pub fn open_model(given: Option<&Path>, outdir: &Path) -> Result<(String, ModelFile), TrainError> {
    let path = match given {
        Some(path) if is_named(path, SHIPPED) => return shipped(),
        Some(path) if is_named(path, LATEST) => latest(outdir)?,
        Some(path) => resolve_model(path)?,
        None => match newest_model(outdir) {
            Some(path) => path,
            None => return shipped(),
        },
    };
    Ok((path.display().to_string(), ModelFile::open(&path)?))
}

/// Whether a path is this name, and nothing is there that is called so.
pub fn is_named(path: &Path, name: &str) -> bool {
    path.as_os_str() == name && !path.exists()
}

/// The folder of the newest run that has a generator.
///
/// # Errors
/// When there is none.
pub fn latest_run(outdir: &Path) -> Result<PathBuf, TrainError> {
    let model = latest(outdir)?;
    Ok(model.parent().unwrap_or(outdir).to_owned())
}

fn latest(outdir: &Path) -> Result<PathBuf, TrainError> {
    newest_model(outdir).ok_or_else(|| {
        missing(format!("{LATEST}: no run with a generator in {}", outdir.display()))
    })
}

fn shipped() -> Result<(String, ModelFile), TrainError> {
    let name = "dermagan's own generator";
    Ok((name.to_owned(), ModelFile::from_bytes(name, BYTES)?))
}

/// The generator of the newest run that has one.
fn newest_model(outdir: &Path) -> Option<PathBuf> {
    let newest = rundir::runs(outdir).into_iter().rev();
    newest.map(|(_, run)| run.join(rundir::GENERATOR)).find(|file| file.is_file())
}

fn missing(what: String) -> TrainError {
    TrainError::Option(format!(
        "{what}; train one with `dermagan train`, or use the program's own: {SHIPPED}"
    ))
}

/// The generator's file: of a run's folder, or the file named.
///
/// # Errors
/// Says where a generator was looked for.
pub fn resolve_model(path: &Path) -> Result<PathBuf, TrainError> {
    if path.is_dir() {
        let file = path.join(rundir::GENERATOR);
        return match file.is_file() {
            true => Ok(file),
            false if rundir::newest_checkpoint(path).is_some() => Err(TrainError::Option(format!(
                "no generator.safetensors in {run}; `dermagan train --resume {run}` writes it again from \
                 the checkpoint there, and goes on if the run has not ended",
                run = path.display()
            ))),
            false => Err(missing(format!("no generator.safetensors in {}", path.display()))),
        };
    }
    match path.is_file() {
        true => Ok(path.to_owned()),
        false => Err(missing(format!("no such model or run: {}", path.display()))),
    }
}
