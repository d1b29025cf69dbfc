//! Describes a run, a checkpoint, a model or a cache.

use std::path::Path;

use dermagan_data::Cache;
use dermagan_model::ModelFile;
use serde_json::{Map, Value, json};

use crate::error::TrainError;
use crate::step::measures::Measures;
use crate::store::checkpoint::{self, Checkpoint};
use crate::store::resolve_model::{RUNS, SHIPPED, SHIPPED_128, latest_run, refuse_unused};
use crate::store::rundir::{self, LATEST, is_named};
use crate::store::stats::{KIMG, SECONDS_PER_KIMG, TOTAL_SECONDS, mean_of};
use crate::tools::open_model::open_model;

/// Describes a run's folder, a checkpoint, a model file or a prepared cache; `latest` stands for the newest run in
/// `outdir` (without it, in [`RUNS`]), `shipped` for the generator that comes with the program, `shipped128` for that of larger images. The value is a JSON object whose key `what` says
/// which of these it is.
///
/// # Errors
/// When there is no such file, it is damaged, or `outdir` has no effect.
pub fn describe(path: &Path, outdir: Option<&Path>) -> Result<Value, TrainError> {
    if is_named(path, LATEST) {
        return describe_run(&latest_run(outdir.unwrap_or(Path::new(RUNS)))?);
    }
    refuse_unused(outdir, path)?;
    if is_named(path, SHIPPED) || is_named(path, SHIPPED_128) {
        return Ok(describe_model(&open_model(Some(path), None)?.1));
    }
    if path.is_dir() {
        let generator = path.join(rundir::GENERATOR);
        // This folder holds a generator without a run, as users pass it on.
        if !path.join(rundir::OPTIONS).exists() && generator.is_file() {
            return Ok(describe_model(&ModelFile::open(&generator)?));
        }
        return describe_run(path);
    }
    if !path.exists() {
        return Err(TrainError::Invalid(format!(
            "{}: no such file or folder; expected a run, a checkpoint, a model, a cache, latest, shipped or shipped128",
            path.display()
        )));
    }
    if Cache::is_cache(path) {
        return Ok(describe_cache(&Cache::open(path)?));
    }
    if checkpoint::is_checkpoint(path) {
        // The tensors are read too, so that a damaged checkpoint is reported.
        return Ok(describe_checkpoint(&Checkpoint::open(path)?));
    }
    Ok(describe_model(&ModelFile::open(path)?))
}

fn describe_cache(cache: &Cache) -> Value {
    let header = cache.header();
    let count = |class: usize| header.records.iter().filter(|record| record.class == class).count();
    let classes: Map<String, Value> = header
        .classes
        .iter()
        .enumerate()
        .map(|(class, code)| (code.clone(), json!(count(class))))
        .collect();
    json!({
        "what": "cache of prepared images",
        "source": header.name,
        "kind": header.kind,
        "images": cache.len(),
        "size": header.options.size,
        "fit": header.options.fit,
        "filter": header.options.filter,
        "classes": classes,
        "fingerprint": header.fingerprint,
        "left_out": header.report.left_out(),
        "damaged_images": cache.verify().len(),
    })
}

fn describe_checkpoint(checkpoint: &Checkpoint) -> Value {
    let meta = &checkpoint.meta;
    json!({
        "what": "checkpoint",
        "producer": meta.producer,
        "kimg": meta.nimg as f64 / 1000.0,
        "steps": meta.steps,
        "preset": meta.config.preset,
        "data": meta.config.source.name,
        "config": meta.config,
        "level": meta.level,
        "sha256": meta.sha256,
    })
}

fn describe_model(model: &ModelFile) -> Value {
    let made_by = model.card.as_ref().map_or("another program", |card| card.producer.as_str());
    let learnt = model.weights.iter().filter(|(name, _)| !name.contains("running_"));
    // A digest that does not fit is an error when the file is opened.
    let digest = match (&model.card, &model.digest) {
        (None, _) => "no card",
        (Some(_), Some(_)) => "fits the weights",
        (Some(_), None) => {
            "none: written before cards had one, so nothing ties the classes to the weights"
        }
    };
    let mut described = json!({
        "what": "generator",
        "made_by": made_by,
        "resolution": model.config.resolution,
        "z_dim": model.config.z_dim,
        "noise": model.config.noise,
        "width": model.config.g_width,
        "parameters": learnt.map(|(_, array)| array.values.len()).sum::<usize>(),
        "card": model.card,
        "card_digest": digest,
        "sha256": model.hash,
    });
    if !model.notes.is_empty() {
        described["notes"] = json!(model.notes);
    }
    described
}

fn describe_run(path: &Path) -> Result<Value, TrainError> {
    let options: Value = rundir::options_of(path).map(Into::into).ok_or_else(|| {
        TrainError::Invalid(format!(
            "{}: this is not a run of dermagan, because it has no readable training_options.json",
            path.display()
        ))
    })?;
    let checkpoints = checkpoint::list(path);
    let listed: Vec<Value> = checkpoints
        .iter()
        .map(|(file, meta)| {
            let name = file.file_name().map(|name| name.to_string_lossy());
            json!({"file": name, "kimg": meta.nimg as f64 / 1000.0})
        })
        .collect();
    let newest = checkpoints.first().map(|(_, meta)| meta);
    let stats = rundir::read_stats(path);
    let last = stats.last();
    let mean = |name: &str| last.and_then(|line| mean_of(line, name));
    let measures = last.map(Measures::of_line).unwrap_or_default();
    Ok(json!({
        "what": "run",
        "preset": options["preset"],
        "data": options["source"]["name"],
        "images": options["source"]["images"],
        "classes": options["source"]["classes"],
        "seed": options["seed"],
        "precision": options["precision"],
        "kimg": mean(KIMG),
        "kimg_planned": options["schedule"]["kimg"],
        "kimg_checkpoint": newest.map(|meta| meta.nimg as f64 / 1000.0),
        "level": newest.and_then(|meta| meta.level.clone()),
        "status": last.and_then(|line| line.get("Status")),
        "sec_per_kimg": mean(SECONDS_PER_KIMG),
        "total_sec": mean(TOTAL_SECONDS),
        "d_loss": measures.d_loss,
        "g_loss": measures.g_loss,
        "d_real": measures.real_probability,
        "d_fake": measures.fake_probability,
        "checkpoints": listed,
    }))
}
