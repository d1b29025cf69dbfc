//! Resolves names of generators to files: a file, a run, or the newest run.

use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_model::ModelFile;
use dermagan_models::LESION_GENERATOR_128;

use crate::error::TrainError;
use crate::store::rundir::{self, LATEST, is_named};

/// The name that stands for the generator that comes with the program.
pub const SHIPPED: &str = "shipped";
/// The name that stands for the generator of 128×128 images, which is not part of the program.
pub const SHIPPED_128: &str = "shipped128";
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

/// The file of the generator of 128×128 images, in a folder `models` in one of `places` or above it.
///
/// # Errors
/// When it is in none of them, or the file is another one.
fn large_generator(places: impl Iterator<Item = PathBuf>) -> Result<PathBuf, TrainError> {
    let (name, sha256) = LESION_GENERATOR_128;
    let candidates: Vec<PathBuf> = places
        .flat_map(|place| {
            place.ancestors().map(|at| at.join("models").join(name)).collect::<Vec<_>>()
        })
        .collect();
    let Some(file) = candidates.iter().find(|file| file.is_file()) else {
        return Err(TrainError::Invalid(format!(
            "{SHIPPED_128} is not part of the program, and no models/{name} is in this folder, beside the program, or \
             above one of them; get that file from {}, and name its path",
            env!("CARGO_PKG_REPOSITORY")
        )));
    };
    let found = ModelFile::open(file)?.hash;
    match found == sha256 {
        true => Ok(file.clone()),
        false => Err(TrainError::Invalid(format!(
            "{}: this is not the file that {SHIPPED_128} stands for: its SHA-256 is {found}, expected {sha256}; name its \
             path to use it all the same",
            file.display()
        ))),
    }
}

/// The generator's file: the one in a run's folder, the one that `shipped128` stands for, or `path` itself if it is a
/// file.
///
/// # Errors
/// When there is no such file. The error names the path, and what else there is.
pub fn resolve_model(path: &Path) -> Result<PathBuf, TrainError> {
    if is_named(path, SHIPPED_128) {
        let program = std::env::current_exe().ok().and_then(|file| Some(file.parent()?.to_owned()));
        return large_generator(std::env::current_dir().ok().into_iter().chain(program));
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_of_larger_images_is_found_above_a_folder_and_no_other_file_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b");
        std::fs::create_dir_all(&place).unwrap();
        let found = || large_generator(std::iter::once(place.clone()));
        let missing = found().unwrap_err().to_string();
        assert!(
            missing.contains("not part of the program") && missing.contains("https://"),
            "{missing}"
        );
        let file = folder.path().join("models").join(LESION_GENERATOR_128.0);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, dermagan_models::LESION_GENERATOR).unwrap();
        let other = found().unwrap_err().to_string();
        assert!(other.contains("SHA-256") && other.contains(LESION_GENERATOR_128.1), "{other}");
    }

    #[test]
    fn the_repository_has_the_generator_of_larger_images() {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let file = large_generator(std::iter::once(here)).unwrap();
        let model = ModelFile::open(&file).unwrap();
        assert_eq!((model.config.resolution, model.config.classes), (128, 7));
        assert!(std::fs::metadata(&file).unwrap().len() < 20 << 20);
    }
}
