//! Resolves names of generators to files: a file, a run, or the newest run.

use std::path::{Path, PathBuf};

use dermagan_base::SettingError;

use crate::error::TrainError;
use crate::store::rundir::{self, LATEST};

/// The name that stands for the generator that comes with the program.
pub const SHIPPED: &str = "shipped";
/// The folder in which runs are looked for if none is named.
pub const RUNS: &str = "runs";

/// The folder of the newest run in `outdir` that has a generator.
///
/// # Errors
/// When there is no such run.
pub fn latest_run(outdir: &Path) -> Result<PathBuf, TrainError> {
    let model = latest(outdir)?;
    Ok(model.parent().unwrap_or(outdir).to_owned())
}

/// The generator's file of the newest run in `outdir` that has one.
///
/// # Errors
/// When there is no such run.
pub fn latest(outdir: &Path) -> Result<PathBuf, TrainError> {
    newest_model(outdir).ok_or_else(|| {
        missing(format!("{LATEST}: no run with a generator in {}", outdir.display()))
    })
}

/// The generator's file of the newest run that has one.
pub fn newest_model(outdir: &Path) -> Option<PathBuf> {
    let newest = rundir::runs(outdir).into_iter().rev();
    newest.map(|(_, run)| run.join(rundir::GENERATOR)).find(|file| file.is_file())
}

/// Refuses a folder of runs that has no effect, because a model is named. Users of StyleGAN name the folder for images
/// by this option.
///
/// # Errors
/// When `outdir` is given.
pub fn refuse_unused(outdir: Option<&Path>, model: &Path) -> Result<(), SettingError> {
    let Some(outdir) = outdir else { return Ok(()) };
    let problem = format!(
        "this is the folder in which the newest run is looked for, but {} is named; leave out one of them",
        model.display()
    );
    Err(SettingError::value("outdir", outdir.display(), problem))
}

fn missing(what: String) -> TrainError {
    TrainError::Invalid(format!(
        "{what}; train one, or name the generator that comes with the program: {SHIPPED}"
    ))
}

/// The generator's file: the one in a run's folder, or `path` itself if it is a file.
///
/// # Errors
/// When there is no such file. The error names the path, and what else there is.
pub fn resolve_model(path: &Path) -> Result<PathBuf, TrainError> {
    if path.is_dir() {
        let file = path.join(rundir::GENERATOR);
        if file.is_file() {
            return Ok(file);
        }
        let folder = path.display();
        if let Some(checkpoint) = rundir::newest_checkpoint(path) {
            return Err(TrainError::Invalid(format!(
                "no generator.safetensors in {folder}; name its checkpoint {}, or resume this run to write the file \
                 again",
                checkpoint.display()
            )));
        }
        return Err(match rundir::runs(path).pop() {
            Some((_, run)) => TrainError::Invalid(format!(
                "{folder} holds runs; name one of them, such as {}",
                run.display()
            )),
            None => missing(format!("no generator.safetensors in {folder}")),
        });
    }
    match path.is_file() {
        true => Ok(path.to_owned()),
        false => Err(missing(format!("no such model or run: {}", path.display()))),
    }
}
