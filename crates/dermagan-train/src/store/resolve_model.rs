//! Resolves names of generators: a file, a run, the newest run, or the generator that comes with the program.

use std::path::{Path, PathBuf};

use dermagan_generate::shipped_model;
use dermagan_model::ModelFile;

use crate::error::TrainError;
use crate::store::rundir::{self, LATEST, is_named};

/// The name that stands for the generator that comes with the program.
pub const SHIPPED: &str = "shipped";

/// Opens a generator and returns it with its name for users. `given` is the path of a model file or of a run's folder,
/// or [`LATEST`] or [`SHIPPED`] if there is no file of that name. Without it, this opens the generator of the newest
/// run in `outdir`, or the one that comes with the program if there is no run.
///
/// # Errors
/// When there is no such generator, or its file is damaged.
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

/// The folder of the newest run in `outdir` that has a generator.
///
/// # Errors
/// When there is no such run.
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
    Ok(("dermagan's own generator".to_owned(), shipped_model()?))
}

/// The generator's file of the newest run that has one.
fn newest_model(outdir: &Path) -> Option<PathBuf> {
    let newest = rundir::runs(outdir).into_iter().rev();
    newest.map(|(_, run)| run.join(rundir::GENERATOR)).find(|file| file.is_file())
}

fn missing(what: String) -> TrainError {
    TrainError::Invalid(format!(
        "{what}; train one, or name the generator that comes with the program: {SHIPPED}"
    ))
}

/// The generator's file: the one in a run's folder, or `path` itself if it is a file.
///
/// # Errors
/// When there is no such file. The error names the path.
pub fn resolve_model(path: &Path) -> Result<PathBuf, TrainError> {
    if path.is_dir() {
        let file = path.join(rundir::GENERATOR);
        return match file.is_file() {
            true => Ok(file),
            false if rundir::newest_checkpoint(path).is_some() => {
                Err(TrainError::Invalid(format!(
                    "no generator.safetensors in {run}; resume this run to write it again from its checkpoint",
                    run = path.display()
                )))
            }
            false => Err(missing(format!("no generator.safetensors in {}", path.display()))),
        };
    }
    match path.is_file() {
        true => Ok(path.to_owned()),
        false => Err(missing(format!("no such model or run: {}", path.display()))),
    }
}
