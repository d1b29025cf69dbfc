//! `dermagan eval`: compares generated images with real ones.

use std::path::Path;

use anyhow::{Context, ensure};
use dermagan_base::image::Image;
use dermagan_base::{atomic, producer};
use dermagan_eval::{
    EvalEvent, EvalJob, FeatureKind, Nearest, SetFeatures, Worst, evaluate_joined, evaluate_shard,
    npz,
};
use dermagan_train::open_generated;
use indicatif::ProgressBar;

use crate::args::{EvalArgs, FeaturesArg};
use crate::commands::shards::share::{Share, said};
use crate::commands::{select, table};
use crate::show::{self, complain};

/// Evaluates images; returns the exit code.
pub fn run(args: EvalArgs, share: &Share) -> anyhow::Result<u8> {
    let job = EvalJob {
        real: args.real.clone(),
        reading: args.reading.reading(args.split_by),
        features: args.features.iter().map(|kind| FeatureKind::from(*kind)).collect(),
        weights: args.weights.clone(),
        number: args.number,
        split: args.split.side(),
        per_class: args.per_class,
        seed: args.seed,
        nearest: args.nearest.is_some(),
        worst: args.worst.is_some(),
    };
    job.check()?;
    check_outputs(&args)?;
    let device = select(&args.device)?;
    let bar = show::bar(0, "{msg} {wide_bar} {pos}/{len} {eta}");
    let mut sink = |event| progress(&bar, event);
    let fakes = open_generated(&job, &args.fake, &args.outdir, &device)?;
    if let Share::One(request) = share {
        let done = evaluate_shard(&job, &fakes, &device, request, &mut sink)?;
        bar.finish_and_clear();
        said(request, done, "images, real and generated");
        return Ok(0);
    }
    let found = evaluate_joined(&job, &fakes, &device, share.joined(), &mut sink)?;
    bar.finish_and_clear();
    match args.json {
        true => show::json(&found.report)?,
        false => table::table(&found.report),
    }
    if let Some(path) = &args.save_features {
        write_features(path, &found.features)?;
        complain!("features: {}", path.display());
    }
    if let (Some(path), Some(nearest)) = (&args.nearest, &found.nearest) {
        write_nearest(path, nearest)?;
        complain!("nearest images: {}, rows {}", path.display(), nearest.rows.join(", "));
    }
    match (&args.worst, &found.worst) {
        (Some(path), Some(worst)) => {
            write_worst(path, worst)?;
            complain!("least real images: {}, by {} features", path.display(), worst.features);
        }
        (Some(path), None) => {
            complain!("{} was not written: there are too few images to tell", path.display());
        }
        (None, _) => {}
    }
    Ok(0)
}

/// Checks the output paths before the expensive part.
fn check_outputs(args: &EvalArgs) -> anyhow::Result<()> {
    let outputs = [
        ("--save-features", &args.save_features, "npz"),
        ("--nearest", &args.nearest, "png"),
        ("--worst", &args.worst, "png"),
    ];
    for (flag, path, ending) in outputs {
        let Some(path) = path else { continue };
        match ending {
            "png" => show::check_png(flag, path)?,
            _ => show::check_ending(flag, path, ending)?,
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        let writable = folder.is_none_or(Path::is_dir) && !path.is_dir();
        ensure!(writable, "{flag} {}: expected a file name in an existing folder", path.display());
    }
    Ok(())
}

impl From<FeaturesArg> for FeatureKind {
    fn from(features: FeaturesArg) -> Self {
        match features {
            FeaturesArg::Lesion => Self::Lesion,
            FeaturesArg::Imagenet => Self::Imagenet,
            FeaturesArg::Inception => Self::Inception,
            FeaturesArg::Handmade => Self::Handmade,
        }
    }
}

/// Shows an event on the progress bar.
pub(in crate::commands) fn progress(bar: &ProgressBar, event: EvalEvent) {
    let (message, done, total) = match event {
        EvalEvent::Preparing { done, total } => ("preparing", done, total),
        EvalEvent::Real { done, total } => ("features of real images", done, total),
        EvalEvent::Fake { done, total } => ("features of generated images", done, total),
        _ => ("comparing", 0, 1),
    };
    bar.set_message(message);
    bar.set_length(total as u64);
    bar.set_position(done as u64);
}

/// Writes the features of all extractors to one file.
fn write_features(path: &Path, features: &[SetFeatures]) -> anyhow::Result<()> {
    let arrays = features.iter().flat_map(|by| {
        let name = |set: &str| match features.len() {
            1 => set.to_owned(),
            _ => format!("{set}_{}", by.name),
        };
        [(name("real"), &by.real), (name("fake"), &by.fake)]
    });
    let arrays: Vec<_> = arrays.collect();
    let arrays: Vec<_> = arrays.iter().map(|(name, array)| (name.as_str(), *array)).collect();
    Ok(npz::write(path, &arrays)?)
}

/// Writes the least real images as a PNG that says what it shows.
fn write_worst(path: &Path, worst: &Worst) -> anyhow::Result<()> {
    let words = format!(
        "SYNTHETIC, not for diagnosis: the generated images that a classifier on {} features tells most easily from real \
         ones, the least real first. Their numbers: {}",
        worst.features,
        worst.images.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    );
    write_png(path, &worst.image, words)
}

/// Writes the pairs as a PNG that names its rows.
fn write_nearest(path: &Path, nearest: &Nearest) -> anyhow::Result<()> {
    let words = format!(
        "Generated images, each with the nearest REAL training image on its right. Rows: {}. \
         Redistribute only as the licence of the real images permits.",
        nearest.rows.join(", ")
    );
    write_png(path, &nearest.image, words)
}

/// Writes an image as a PNG with a description.
fn write_png(path: &Path, image: &Image, words: String) -> anyhow::Result<()> {
    let png = image.to_png(&[("Software", producer()), ("Description", words)])?;
    atomic::write(path, &png).with_context(|| format!("cannot write {}", path.display()))
}
