//! Training runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dermagan_base::run_until;
use dermagan_data::Reading;
use dermagan_model::{ModelError, PrecisionChoice};
use dermagan_train::{Event, Metric, Outcome, ReadyRun, ResumeRequest, TrainError, TrainRequest};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::dataset::read;
use crate::errors::wrong;
use crate::events::named;
use crate::model::open_device;
use crate::work::{self, Done};

/// The arguments of a new run, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainArgs {
    data: Option<String>,
    reading: Reading,
    outdir: PathBuf,
    preset: String,
    init: Option<String>,
    settings: Vec<String>,
    size: Option<usize>,
    batch: Option<usize>,
    width: Option<usize>,
    learning_rate: Option<f64>,
    kimg: Option<f64>,
    minutes: Option<f64>,
    snap: Option<f64>,
    tick: Option<f64>,
    seed: u64,
    mirror: bool,
    quarter_turns: bool,
    balanced: bool,
    all_images: bool,
    classes: Vec<String>,
    precision: Option<String>,
    keep: usize,
    metrics: Vec<String>,
    self_check: bool,
    device: String,
}

/// The arguments of a resumed run, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResumeArgs {
    run: String,
    outdir: PathBuf,
    data: Option<String>,
    kimg: Option<f64>,
    snap: Option<f64>,
    keep: Option<usize>,
    metrics: Option<Vec<String>>,
    self_check: bool,
    device: String,
}

fn metrics_of(names: &[String]) -> Result<Vec<Metric>, TrainError> {
    names
        .iter()
        .map(|name| name.parse().map_err(|problem: String| wrong("metrics", problem)))
        .collect()
}

impl TrainArgs {
    fn request(self) -> Result<TrainRequest, TrainError> {
        let precision = self.precision.as_deref().map(str::parse::<PrecisionChoice>).transpose();
        Ok(TrainRequest {
            data: self.data,
            reading: self.reading,
            outdir: self.outdir,
            preset: self.preset,
            init: self.init,
            settings: self.settings,
            size: self.size,
            batch: self.batch,
            width: self.width,
            learning_rate: self.learning_rate,
            kimg: self.kimg,
            minutes: self.minutes,
            snap: self.snap,
            tick: self.tick,
            seed: self.seed,
            mirror: self.mirror,
            quarter_turns: self.quarter_turns,
            balanced: self.balanced,
            all_images: self.all_images,
            classes: self.classes,
            precision: precision.map_err(|e: ModelError| wrong("precision", e.to_string()))?,
            keep: self.keep,
            metrics: metrics_of(&self.metrics)?,
            self_check: self.self_check,
        })
    }
}

/// What a run came to: its outcome as JSON, and the exception that stopped it.
type Ended = (String, Option<Py<PyAny>>);

/// Trains a new run. `on_event` receives the name of an event and its values as JSON.
#[pyfunction]
pub fn train(py: Python<'_>, args: &str, on_event: &Bound<'_, PyAny>) -> PyResult<Ended> {
    let args: TrainArgs = read(args)?;
    go(py, on_event, |stop, sink| {
        let device = open_device(&args.device)?;
        let request = args.request()?;
        let run = run_until(stop, || ReadyRun::new(&request, &device, sink))?;
        run.begin(stop, sink)?.run(stop, sink)
    })
}

/// Resumes a run; else as [`train`].
#[pyfunction]
pub fn resume(py: Python<'_>, args: &str, on_event: &Bound<'_, PyAny>) -> PyResult<Ended> {
    let args: ResumeArgs = read(args)?;
    go(py, on_event, |stop, sink| {
        let device = open_device(&args.device)?;
        let request = ResumeRequest {
            from: args.run,
            outdir: args.outdir,
            data: args.data,
            kimg: args.kimg,
            snap: args.snap,
            keep: args.keep,
            metrics: args.metrics.map(|names| metrics_of(&names)).transpose()?,
            self_check: args.self_check,
        };
        let run = run_until(stop, || ReadyRun::resumed(&request, &device, sink))?;
        run.begin(stop, sink)?.run(stop, sink)
    })
}

fn go(
    py: Python<'_>,
    on_event: &Bound<'_, PyAny>,
    job: impl FnOnce(&Arc<AtomicBool>, &mut dyn FnMut(Event)) -> Result<Outcome, TrainError> + Send,
) -> PyResult<Ended> {
    let Done { value, raised } = work::run(py, job, |_, event| {
        let Some((name, values)) = named(event) else { return Ok(()) };
        on_event.call1((name, values.to_string())).map(|_| ())
    })?;
    let Outcome { run, nimg, interrupted, unmeasured } = value;
    let outcome =
        json!({"run": run, "nimg": nimg, "interrupted": interrupted, "unmeasured": unmeasured});
    Ok((outcome.to_string(), raised.map(|raised| raised.into_value(py).into_any())))
}
