//! Opens the generated images of a run, a checkpoint or a model, and evaluates them.

use std::path::{Path, PathBuf};

use dermagan_base::SettingError;
use dermagan_eval::{EvalJob, Evaluation, GeneratedImages, Sink};
use dermagan_model::ComputeDevice;

use crate::error::TrainError;
use crate::store::checkpoint::{Checkpoint, is_checkpoint};
use crate::store::resolve_model::{SHIPPED, SHIPPED_128, resolve_model};
use crate::store::rundir::{self, LATEST, is_named};
use crate::tools::open_model::{average_of, open_model};
use crate::watch::trained::sampler_of;

/// Evaluates the generated images of `fake`, which may be anything that [`open_generated`] opens. `outdir` is the
/// folder of runs in which `latest` is looked up. `sink` receives the progress.
///
/// # Errors
/// As [`open_generated`] and [`dermagan_eval::evaluate`].
pub fn evaluate(
    job: &EvalJob,
    fake: &Path,
    outdir: &Path,
    device: &ComputeDevice,
    sink: Sink<'_>,
) -> Result<Evaluation, TrainError> {
    job.check()?;
    let fakes = open_generated(job, fake, outdir, device)?;
    Ok(dermagan_eval::evaluate(job, &fakes, device, sink)?)
}

/// Opens generated images: those of a run, of `latest`, the newest run in `outdir`, of a checkpoint, or anything that
/// [`GeneratedImages::open`] opens.
///
/// # Errors
/// When there is nothing of that name, or it is damaged or holds no images. The error says what was found.
pub fn open_generated(
    job: &EvalJob,
    fake: &Path,
    outdir: &Path,
    device: &ComputeDevice,
) -> Result<GeneratedImages, TrainError> {
    let first = job.first_seed()?;
    if is_named(fake, LATEST) {
        let (name, model) = open_model(Some(fake), Some(outdir))?;
        return Ok(GeneratedImages::of_model(&model, &name, device, first)?);
    }
    if !fake.exists() && !["phantom", SHIPPED, SHIPPED_128].iter().any(|name| is_named(fake, name))
    {
        let problem = "no such file or folder; expected a folder or zip of images, an npz of samples, a cache, a model, a \
                       checkpoint, a run, latest, phantom, shipped or shipped128";
        return Err(SettingError::value("fake", fake.display(), problem).into());
    }
    let resolves = rundir::is_run(fake) || is_named(fake, SHIPPED_128);
    let path: PathBuf = if resolves { resolve_model(fake)? } else { fake.to_owned() };
    if path.is_file() && is_checkpoint(&path) {
        return of_checkpoint(Checkpoint::open(&path)?, &path, device, first);
    }
    GeneratedImages::open(&path, device, first, job.largest_side()).map_err(|error| {
        // A folder of runs has no images of its own.
        match rundir::runs(&path).pop() {
            Some((_, run)) => {
                let problem = format!("it holds runs; name one of them, such as {}", run.display());
                SettingError::value("fake", path.display(), problem).into()
            }
            None => error.into(),
        }
    })
}

fn of_checkpoint(
    checkpoint: Checkpoint,
    path: &Path,
    device: &ComputeDevice,
    first: u64,
) -> Result<GeneratedImages, TrainError> {
    let (generator, config, nimg) = average_of(checkpoint, path, &device.handle)?;
    let sampler = sampler_of(generator, &config, nimg, device.clone());
    let (side, classes) = (config.model.resolution, config.source.classes.clone());
    Ok(GeneratedImages::of_sampler(sampler, side, classes, first, path.display().to_string()))
}
