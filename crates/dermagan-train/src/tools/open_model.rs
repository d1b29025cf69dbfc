//! Opens a generator by a name: a file, a checkpoint, a run, the newest run, or the generator that comes with the program.

use std::path::Path;

use burn::tensor::Device;
use dermagan_base::SettingError;
use dermagan_generate::shipped_model;
use dermagan_model::{ComputeDevice, Generator, ModelFile, Network};

use crate::error::TrainError;
use crate::plan::estimate::parameters;
use crate::recipe::config::TrainConfig;
use crate::store::checkpoint::{Checkpoint, is_checkpoint};
use crate::store::resolve_model::{
    RUNS, SHIPPED, latest, newest_model, refuse_unused, resolve_model,
};
use crate::store::rundir::{LATEST, is_named};
use crate::watch::trained::{card_of, shown};

/// Opens a generator and returns it with its name for users. `given` is the path of a model file, of a checkpoint or of
/// a run's folder, or [`LATEST`] or [`SHIPPED`] if there is no file of that name. Without it, this opens the generator
/// of the newest run in `outdir`. Without `outdir` too, it opens that of the newest run in [`RUNS`], or the one that
/// comes with the program if there is no run.
///
/// # Errors
/// When there is no such generator, its file is damaged, or `outdir` has no effect.
pub fn open_model(
    given: Option<&Path>,
    outdir: Option<&Path>,
) -> Result<(String, ModelFile), TrainError> {
    let runs = outdir.unwrap_or(Path::new(RUNS));
    let path = match (given, outdir) {
        (Some(path), _) if is_named(path, LATEST) => latest(runs)?,
        (Some(path), _) => {
            refuse_unused(outdir, path)?;
            if is_named(path, SHIPPED) {
                return shipped();
            }
            resolve_model(path)?
        }
        // A folder that was named is searched, and nothing else takes its place.
        (None, Some(outdir)) => newest_model(outdir).ok_or_else(|| {
            let problem = format!(
                "no run with a generator in this folder; `outdir` is the folder in which runs are looked for, and \
                 results are written to `out`. Name a MODEL, such as {SHIPPED} for the generator that comes with the \
                 program"
            );
            SettingError::value("outdir", outdir.display(), problem)
        })?,
        (None, None) => match newest_model(runs) {
            Some(path) => path,
            None => return shipped(),
        },
    };
    Ok((path.display().to_string(), open_file(&path)?))
}

/// Opens a generator's file, or the generator of a checkpoint.
///
/// # Errors
/// When it is something else, or damaged.
pub fn open_file(path: &Path) -> Result<ModelFile, TrainError> {
    if !is_checkpoint(path) {
        return Ok(ModelFile::open(path)?);
    }
    let (average, config, nimg) =
        average_of(Checkpoint::open(path)?, path, &ComputeDevice::cpu().handle)?;
    // These are the bytes of the generator that the run wrote with this checkpoint. So its images are the same, and
    // name the same model.
    let bytes = ModelFile::to_bytes(&average.to_weights(), &card_of(&config, nimg))?;
    Ok(ModelFile::from_bytes(&path.display().to_string(), &bytes)?)
}

/// The averaged generator of a checkpoint in the form that is sampled, the run's options, and the number of images seen.
///
/// # Errors
/// When the weights do not fit the options, or are not finite.
pub fn average_of(
    mut checkpoint: Checkpoint,
    path: &Path,
    device: &Device,
) -> Result<(Generator, TrainConfig, u64), TrainError> {
    let config = checkpoint.meta.config.clone();
    config.validate()?;
    let bad = |what: String| TrainError::Checkpoint {
        path: path.to_owned(),
        what,
        next: "Name another checkpoint, or the run's folder.".into(),
    };
    // This comes before the network is made, because the options may claim any size.
    let weights = checkpoint.take("G_ema");
    let held: usize = weights.values().map(|array| array.values.len()).sum();
    let (expected, _) = parameters(&config.model);
    if held < expected {
        return Err(bad(format!("{held} values, but its generator has {expected}")));
    }
    if let Some((name, _)) = weights.iter().find(|(_, array)| !array.is_finite()) {
        return Err(bad(format!("tensor 'G_ema.{name}' holds values that are not finite")));
    }
    let average = Generator::new(&config.model, device).with_weights(&weights).map_err(bad)?;
    let generator = shown(average, &config, device);
    Ok((generator, config, checkpoint.meta.nimg))
}

fn shipped() -> Result<(String, ModelFile), TrainError> {
    Ok(("dermagan's own generator".to_owned(), shipped_model()?))
}
