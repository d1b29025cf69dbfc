//! A generator that is trained anew on some of the photographs.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use dermagan_base::SettingError;
use dermagan_data::Cache;
use dermagan_eval::EvalError;
use dermagan_generate::ImageGenerator;
use dermagan_model::ComputeDevice;
use dermagan_train::{Event, Preset, ResumeRequest, TrainRequest, newest_run, resume, start};

use crate::error::TrustError;

/// Refuses a generator that does not make the class that it is asked for.
pub(crate) fn check_conditioned(generator: &ImageGenerator) -> Result<(), SettingError> {
    let model = generator.model();
    let condition = model.card.as_ref().map_or(0.0, |card| card.condition);
    match model.config.classes > 0 && condition > 0.0 {
        true => Ok(()),
        false => Err(SettingError::new(
            "model",
            "this model is not conditioned on classes; train one that is, such as with the preset rare",
        )),
    }
}

/// What to train on, and where.
pub(crate) struct Retraining<'a> {
    pub cache: &'a Cache,
    /// The photographs, as indices of the cache.
    pub images: &'a [u32],
    /// A preset that is conditioned on classes.
    pub preset: &'a str,
    /// The length in thousands of images; `None` for the preset's.
    pub kimg: Option<f64>,
    pub seed: u64,
    /// The folder that keeps the photographs and the run.
    pub folder: &'a Path,
    /// The name of both in it.
    pub name: &'a str,
}

/// The generator, trained to its end, or taken from an earlier call. A training that was stopped goes on.
///
/// # Errors
/// If the preset is not conditioned on classes; the errors of training, among them that it was stopped.
pub(crate) fn retrained(
    of: &Retraining<'_>,
    device: &ComputeDevice,
    stop: &AtomicBool,
    events: &mut dyn FnMut(Event),
) -> Result<ImageGenerator, TrustError> {
    if !Preset::named(of.preset, &[])?.condition.classes {
        let problem =
            "its generator is not conditioned on classes; expected one that is, such as rare";
        return Err(SettingError::value("preset", of.preset, problem).into());
    }
    let runs = of.folder.join(of.name);
    let data = of.folder.join(format!("{}.dermagan", of.name));
    if !data.is_file() {
        of.cache.subset(of.images, &data)?;
    }
    let outcome = match newest_run(&runs) {
        Some(run) => resume(&ResumeRequest::new(run.to_string_lossy()), device, stop, events)?,
        None => {
            let request = TrainRequest {
                outdir: runs,
                all_images: true,
                kimg: of.kimg,
                seed: of.seed,
                ..TrainRequest::new(of.preset, &data.to_string_lossy())
            };
            start(&request, device, stop, events)?
        }
    };
    if stop.load(Ordering::Relaxed) {
        return Err(EvalError::Stopped.into());
    }
    let file = outcome.run.join("generator.safetensors");
    Ok(ImageGenerator::open(&file, device.clone())?)
}
