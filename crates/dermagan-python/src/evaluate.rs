//! Evaluations.

use std::path::PathBuf;

use dermagan_data::Reading;
use dermagan_eval::{EvalEvent, EvalJob, FeatureKind, GeneratedImages};
use dermagan_train::TrainError;
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::Value;

use crate::dataset::{read, side_of};
use crate::errors::{in_python, misused, wrong};
use crate::model::{Model, open_device};
use crate::work::shown;

/// The arguments of an evaluation, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EvalArgs {
    real: String,
    /// What is evaluated, unless a model is given.
    fake: Option<PathBuf>,
    outdir: PathBuf,
    reading: Reading,
    features: Vec<String>,
    weights: Option<PathBuf>,
    number: usize,
    split: String,
    per_class: bool,
    seed: u64,
    device: String,
}

impl EvalArgs {
    fn job(&self) -> Result<EvalJob, TrainError> {
        let kind = |name: &String| {
            let known = FeatureKind::ALL.iter().find(|(known, _)| known == name);
            known.map(|(_, kind)| *kind).ok_or_else(|| {
                let problem = format!("'{name}': expected lesion, imagenet, inception or handmade");
                wrong("features", problem)
            })
        };
        let features = self.features.iter().map(kind).collect::<Result<_, _>>()?;
        let split = side_of(&self.split)?;
        Ok(EvalJob {
            reading: self.reading,
            features,
            weights: self.weights.clone(),
            number: self.number,
            split,
            per_class: self.per_class,
            seed: self.seed,
            ..EvalJob::new(&self.real)
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
        let (job, device) = (args.job()?, open_device(&args.device)?);
        let mut report = |event| sink(stage(event));
        Ok(match (model, &args.fake) {
            (Some((model, name)), _) => {
                let fakes = GeneratedImages::of_model(model, name, &device, job.first_seed()?)?;
                dermagan_eval::evaluate(&job, &fakes, &device, &mut report)?.report
            }
            (None, Some(fake)) => {
                dermagan_train::evaluate(&job, fake, &args.outdir, &device, &mut report)?.report
            }
            (None, None) => return Err(wrong("fake", "nothing to evaluate")),
        })
    };
    let report = shown(py, work, |_, event| progress.call1(event).map(|_| ()))?;
    let mut report = serde_json::to_value(&report).map_err(|error| misused(error.to_string()))?;
    reword(&mut report);
    Ok(report.to_string())
}

/// Makes the sentences of a report name arguments of Python.
fn reword(value: &mut Value) {
    match value {
        Value::String(words) => *words = in_python(words),
        Value::Array(values) => values.iter_mut().for_each(reword),
        Value::Object(fields) => fields.values_mut().for_each(reword),
        _ => {}
    }
}
