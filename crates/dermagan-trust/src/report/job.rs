//! A page as one call.

use std::path::{Path, PathBuf};

use dermagan_base::{SettingError, atomic};
use dermagan_data::Reading;
use dermagan_eval::{EvalEvent, EvalJob, GeneratedImages, evaluate};
use dermagan_model::{ComputeDevice, ModelFile};
use serde_json::Value;

use super::page::{Content, Measured, html_of};
use super::pictures;
use super::{facts, medigan};
use crate::audit::{AuditJob, Learnt, Pair, audit};
use crate::bias::{BiasJob, bias};
use crate::error::TrustError;
use crate::images::reals::{Reals, open_at};
use crate::json;

/// The largest page in bytes.
const MOST: usize = 2 << 20;

/// The settings of a page.
#[derive(Clone, Debug)]
pub struct PageJob {
    /// Where the generated images come from, for the title and for the table beside them.
    pub path: PathBuf,
    /// The training data; `None` to measure nothing.
    pub real: Option<String>,
    /// How it is read.
    pub reading: Reading,
    /// Number of images that a model makes for each measurement, 100 to 100,000.
    pub number: usize,
    /// Whether real photographs are shown. Their licence binds the page then.
    pub real_images: bool,
    /// The JSON of a trial.
    pub trial: Option<String>,
    /// The JSON of an audit of the recipe by twins.
    pub twins: Option<String>,
    /// A second file, for the entry of the model in medigan's list.
    pub medigan: Option<PathBuf>,
    /// The file.
    pub out: PathBuf,
    /// Seed of everything that is drawn.
    pub seed: u64,
    /// As [`AuditJob::learnt`].
    pub learnt: Option<Learnt>,
}

/// The progress of a page.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum PageEvent {
    /// The images are compared with real ones.
    Evaluation(EvalEvent),
    /// The audit runs.
    Audit(EvalEvent),
    /// The groups are compared.
    Bias(EvalEvent),
}

/// Writes a page about generated images. `model` is their generator, if they have one that is known; a run's folder as the
/// path adds its curves. Returns the length of the file.
///
/// # Errors
/// [`TrustError::Setting`] if a setting cannot be used or the page would be larger than 2 MB; the errors of the measurements and
/// of writing.
pub fn page(
    job: &PageJob,
    fakes: &GeneratedImages,
    model: Option<&ModelFile>,
    device: &ComputeDevice,
    sink: &mut dyn FnMut(PageEvent),
) -> Result<usize, TrustError> {
    let [trial, twins] = given(job, model)?;
    if job.medigan.is_some() && model.is_none() {
        return Err(SettingError::new(
            "medigan",
            "the entry is one of a generator; name a model or a run",
        )
        .into());
    }
    let mut notes = fakes.notes();
    let card = model.and_then(|model| model.card.as_ref());
    let mut codes = card.map(|card| card.classes.clone()).unwrap_or_default();
    let (mut pairs, mut photographs) = (None, None);
    let measured =
        job.real.as_deref().map(|real| measure(job, real, fakes, device, sink)).transpose()?;
    let measured = match measured {
        None => None,
        Some((measured, found, reals)) => {
            let of = [&measured.eval.notes, &measured.audit.notes, &measured.bias.notes];
            notes.extend(of.into_iter().flatten().cloned());
            codes = reals.classes().to_vec();
            if job.real_images {
                pairs = pictures::pairs(&found)?;
                photographs = Some(reals);
            }
            Some(measured)
        }
    };
    notes.sort();
    notes.dedup();
    let run = Path::new(&job.path);
    let beside = photographs.as_ref().map(|reals| (&reals.cache, reals.held.as_slice()));
    let mut facts = model.map(facts::of_model).unwrap_or_default();
    if let Some(measured) = &measured {
        facts.push(("compared with", measured.real.clone()));
    }
    let content = Content {
        title: title(job, model),
        facts,
        grid: pictures::grid(fakes)?,
        classes: pictures::classes(fakes, beside, &codes)?,
        beside_real: beside.is_some(),
        pairs,
        losses: facts::losses(run),
        metrics: facts::metrics(run),
        measured,
        trial,
        twins,
        notes,
    };
    let html = html_of(&content);
    if html.len() > MOST {
        let problem = format!("the page would have {} bytes, more than {MOST}", html.len());
        return Err(SettingError::value("out", job.out.display(), problem).into());
    }
    if let (Some(file), Some(model)) = (&job.medigan, model) {
        json::write(
            file,
            &medigan::entry(model, content.measured.as_ref(), content.trial.as_ref()),
        )?;
    }
    atomic::write(&job.out, html.as_bytes()).map_err(TrustError::io(&job.out))?;
    Ok(html.len())
}

/// Measures the images against the photographs of `real`. Returns the closest pairs and the photographs, too.
fn measure(
    job: &PageJob,
    real: &str,
    fakes: &GeneratedImages,
    device: &ComputeDevice,
    sink: &mut dyn FnMut(PageEvent),
) -> Result<(Measured, Vec<Pair>, Reals), TrustError> {
    let PageJob { reading, number, seed, .. } = *job;
    let asked = EvalJob { reading, number, per_class: true, seed, ..EvalJob::new(real) };
    let eval = evaluate(&asked, fakes, device, &mut |event| sink(PageEvent::Evaluation(event)))?;
    let asked =
        AuditJob { reading, number, seed, learnt: job.learnt.clone(), ..AuditJob::new(real) };
    let found = audit(&asked, fakes, None, device, &mut |event| sink(PageEvent::Audit(event)))?;
    let asked = BiasJob { real: real.to_owned(), reading, number, seed };
    let bias = bias(&asked, fakes, &job.path, device, &mut |event| sink(PageEvent::Bias(event)))?;
    let reals = Reals::new(open_at("real", real, reading, fakes.side(), &mut |_, _| ())?)?;
    let measured = Measured { real: real.to_owned(), eval: eval.report, audit: found.report, bias };
    Ok((measured, found.pairs, reals))
}

/// The reports of a trial and of twins that the job gives.
fn given(job: &PageJob, model: Option<&ModelFile>) -> Result<[Option<Value>; 2], SettingError> {
    let read = |text: &Option<String>, of: [&'static str; 3]| {
        text.as_deref().map(|text| report_of(text, of)).transpose()
    };
    let trial = read(&job.trial, ["trial", "trial", "arms"])?;
    if let Some(trial) = &trial {
        check_trial(trial, model)?;
    }
    Ok([trial, read(&job.twins, ["twins", "audit --twins", "recipe"])?])
}

/// The JSON that a command printed, which has sentences in `words` and the key `key`.
fn report_of(
    text: &str,
    [setting, command, key]: [&'static str; 3],
) -> Result<Value, SettingError> {
    let report = serde_json::from_str::<Value>(text).ok();
    let is_one = |report: &Value| !report[key].is_null() && report["words"].is_string();
    report.filter(is_one).ok_or_else(|| {
        SettingError::new(setting, format!("this is no report of `dermagan {command} --json`"))
    })
}

/// Refuses a trial of another generator. A trial with folds is one of a recipe, and its generators are not kept.
fn check_trial(trial: &Value, model: Option<&ModelFile>) -> Result<(), SettingError> {
    let generator = trial["generator"].as_str().unwrap_or_default();
    let folds = trial["folds"].as_u64().unwrap_or(1) > 1;
    match folds || model.is_none_or(|model| model.hash == generator) {
        true => Ok(()),
        false => Err(SettingError::new(
            "trial",
            format!(
                "this is a trial of another generator ({generator}); make one with `dermagan trial --model MODEL --json`"
            ),
        )),
    }
}

fn title(job: &PageJob, model: Option<&ModelFile>) -> String {
    let data = model.and_then(|model| model.card.as_ref()).map(|card| card.data.as_str());
    match data {
        Some(data) => format!("Synthetic skin lesions, learnt from {data}"),
        None => format!("Synthetic skin lesions: {}", job.path.display()),
    }
}
