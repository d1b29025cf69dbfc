//! Evaluations.

use std::path::PathBuf;

use dermagan_base::run_until;
use dermagan_data::Reading;
use dermagan_eval::{EvalEvent, EvalJob, FeatureKind, GeneratedImages};
use dermagan_train::TrainError;
use pyo3::prelude::*;
use serde::Deserialize;

use crate::dataset::{ReadingArgs, read, side_of};
use crate::errors::{misused, wrong};
use crate::model::{Model, open_device};
use crate::work;

/// The arguments of an evaluation, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvalArgs {
    real: String,
    /// What is evaluated, unless a model is given.
    fake: Option<PathBuf>,
    outdir: PathBuf,
    reading: ReadingArgs,
    features: String,
    weights: Option<PathBuf>,
    number: usize,
    split: String,
    per_class: bool,
    seed: u64,
    device: String,
}

impl EvalArgs {
    fn job(self) -> Result<EvalJob, TrainError> {
        let features = match self.features.as_str() {
            "lesion" => FeatureKind::Lesion,
            "inception" => FeatureKind::Inception,
            "handmade" => FeatureKind::Handmade,
            other => {
                let problem = format!("'{other}': expected lesion, inception or handmade");
                return Err(wrong("features", problem));
            }
        };
        let split = side_of(&self.split)?;
        Ok(EvalJob {
            reading: Reading::try_from(self.reading)?,
            features,
            weights: self.weights,
            number: self.number,
            split,
            per_class: self.per_class,
            seed: self.seed,
            ..EvalJob::new(self.real)
        })
    }
}

/// The stage of an evaluation and its progress.
fn stage(event: EvalEvent) -> (&'static str, usize, usize) {
    match event {
        EvalEvent::Preparing { done, total } => ("preparing", done, total),
        EvalEvent::Real { done, total } => ("features of real images", done, total),
        EvalEvent::Fake { done, total } => ("features of generated images", done, total),
        _ => ("comparing", 0, 1),
    }
}

/// Evaluates generated images: those of a model in memory, or those at a path. `progress` receives (stage, done, total).
/// Returns the report as JSON.
#[pyfunction]
#[pyo3(signature = (args, progress, model))]
pub fn evaluate(
    py: Python<'_>,
    args: &str,
    progress: &Bound<'_, PyAny>,
    model: Option<PyRef<'_, Model>>,
) -> PyResult<String> {
    let args: EvalArgs = read(args)?;
    let model = model.as_ref().map(|model| model.get());
    let work = |sink: &mut dyn FnMut((&'static str, usize, usize))| {
        let (fake, outdir) = (args.fake.clone().unwrap_or_default(), args.outdir.clone());
        let choice = args.device.clone();
        let job = args.job()?;
        let mut report = |event| sink(stage(event));
        let device = open_device(&choice)?;
        let Some((model, name)) = model else {
            let found = dermagan_train::evaluate(&job, &fake, &outdir, &device, &mut report)?;
            return Ok(found.report);
        };
        let fakes = GeneratedImages::of_model(model, name, &device, job.first_seed()?)?;
        Ok(dermagan_eval::evaluate(&job, &fakes, &device, &mut report)?.report)
    };
    let done = work::run(
        py,
        |stop, sink| run_until(stop, || work(sink)),
        |_, event| progress.call1(event).map(|_| ()),
    )?;
    serde_json::to_string(&done.whole()?).map_err(|error| misused(error.to_string()))
}
